//! Beckman Biomek: the CSV of its "transfer from file" step.

use super::{Work, csv};

const HEADER: [&str; 5] =
    ["SourcePosition", "SourceWell", "Volume", "DestinationPosition", "DestinationWell"];

/// One row a step; the position of a labware is its code, which the method maps to the deck.
pub fn worklist_biomek(work: Work<'_>) -> String {
    let volume = work.volume.to_string();
    let rows = work.steps.iter().map(|step| {
        let (labware, position) = (step.source.labware.clone(), step.source.position.to_string());
        [labware, position, volume.clone(), work.plate.to_owned(), step.well.to_string()]
    });
    csv::rows(HEADER, rows, ::csv::QuoteStyle::Necessary)
}
