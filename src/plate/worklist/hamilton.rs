//! Hamilton CSV: the columns of the log its methods write, every cell in quotes.

use super::{Work, csv};

const HEADER: [&str; 7] = [
    "Deep Well Plate",
    "Deep Well Position",
    "Transfer Vol",
    "Tube Rack Carrier",
    "Tube Rack Position",
    "Tube Barcode",
    "User",
];

/// One row a step; the user is left blank for the method to fill in.
pub fn worklist_hamilton(work: Work<'_>) -> String {
    let volume = work.volume.to_string();
    let rows = work.steps.iter().map(|step| {
        let source = &step.source;
        let (well, position) = (step.well.to_string(), source.position.to_string());
        let (labware, name) = (source.labware.clone(), source.name.clone());
        [work.plate.to_owned(), well, volume.clone(), labware, position, name, String::new()]
    });
    csv::rows(HEADER, rows, ::csv::QuoteStyle::Always)
}
