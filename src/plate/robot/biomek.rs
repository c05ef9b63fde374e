//! Beckman Biomek: three logs, and the CSV that its "transfer from file" takes.
//!
//! The logs begin with `Method = ...` and `Logged in user = ...`. The unified pipetting log has a
//! header and tells probes apart; the pipetting log has neither, so that dispenses follow
//! aspirates in their order; the unified transfer log has one row a transfer: time, pod, and for
//! source and destination position, name, barcode, well and sample, then probe and amount. Wells
//! count from 1 along the rows, as the Biomek software numbers them (not shown by the specimens,
//! which use low wells of the first row only); `A1` is understood as well.
//!
//! A probe is not its tip, and no log seen tells when tips are changed: nothing is said of a tip
//! that was used again.

use super::read::Table;
use super::tips::{Queue, Tips};
use super::{Format, Log, LogRefusal, Origin, Place, Spot, Transfer, Volume};

/// The columns without which it is no unified pipetting log.
pub(super) const PIPETTING: [&str; 5] =
    ["Transfer Step", "Labware Name", "Labware Barcode", "Well Index", "Amount"];
/// The columns of "transfer from file".
pub(super) const TRANSFERS: [&str; 5] =
    ["SourcePosition", "SourceWell", "Volume", "DestinationPosition", "DestinationWell"];
/// Cells in a row of the pipetting log, and of the unified transfer log.
pub(super) const CELLS: [usize; 2] = [9, 14];

/// Where a row dispenses, and how much.
struct Dispense {
    line: usize,
    place: Place,
    volume: Volume,
}

fn place(line: usize, [label, barcode, well, tube]: [&str; 4]) -> Result<Place, LogRefusal> {
    let spot = Spot::parse(well, Spot::RowMajor)
        .ok_or(LogRefusal::Row { line, what: "its well is neither a number from 1 nor like A1" })?;
    let text = |cell: &str| cell.trim().to_owned();
    Ok(Place { label: text(label), barcode: text(barcode), spot, tube: text(tube) })
}

fn volume(line: usize, cell: &str) -> Result<Volume, LogRefusal> {
    Volume::parse(cell)
        .ok_or(LogRefusal::Row { line, what: "its amount is no number of microlitres" })
}

fn is_step(cell: &str) -> bool {
    ["aspirate", "dispense"].iter().any(|step| cell.trim().eq_ignore_ascii_case(step))
}

fn is_aspirate(cell: &str) -> bool {
    cell.trim().eq_ignore_ascii_case("aspirate")
}

/// Writes a dispense down, unless it moves nothing.
fn dispense(log: &mut Log, step: Dispense, origin: Origin) {
    if !step.volume.is_nothing() {
        let (line, volume) = (step.line, step.volume);
        let (destination, earlier, is_reagent) = (step.place, Vec::new(), false);
        log.transfers.push(Transfer { line, origin, destination, volume, earlier, is_reagent });
    }
}

/// The unified pipetting log.
pub(super) fn pipetting_with_probes(
    table: &Table,
    detected_by: Vec<String>,
) -> Result<Log, LogRefusal> {
    let format = Format::BiomekUnifiedPipetting;
    let mut log = Log { format, detected_by, transfers: vec![], errors: vec![] };
    let mut tips = Tips::default();
    for (line, row) in &table.rows {
        let cell = |name| table.cell(row, name);
        let step = cell("Transfer Step");
        if !is_step(step) {
            log.errors.push(*line);
            continue;
        }
        let labware = ["Labware Name", "Labware Barcode", "Well Index"].map(cell);
        let place = place(*line, [labware[0], labware[1], labware[2], ""])?;
        let tip = format!("{}\n{}", cell("Pod"), cell("Probe"));
        let volume = volume(*line, cell("Amount"))?;
        if is_aspirate(step) {
            tips.aspirate(&tip, place);
        } else {
            dispense(&mut log, Dispense { line: *line, place, volume }, tips.dispense(&tip));
        }
    }
    Ok(log)
}

/// The pipetting log: time, pod, step, position, name, barcode, well, amount, technique.
pub(super) fn pipetting(table: &Table, detected_by: Vec<String>) -> Result<Log, LogRefusal> {
    let format = Format::BiomekPipetting;
    let mut log = Log { format, detected_by, transfers: vec![], errors: vec![] };
    let mut pods = std::collections::BTreeMap::<&str, Queue>::new();
    for (line, row) in &table.rows {
        let line = *line;
        let [_, pod, step, _, label, barcode, well, amount, _] = &row[..] else {
            log.errors.push(line);
            continue;
        };
        if !is_step(step) {
            log.errors.push(line);
            continue;
        }
        let place = place(line, [label, barcode, well, ""])?;
        let (volume, queue) = (volume(line, amount)?, pods.entry(pod.as_str()).or_default());
        if is_aspirate(step) {
            queue.aspirate(place, volume);
        } else {
            dispense(&mut log, Dispense { line, place, volume }, queue.dispense(volume));
        }
    }
    Ok(log)
}

/// The unified transfer log.
pub(super) fn unified_transfers(
    table: &Table,
    detected_by: Vec<String>,
) -> Result<Log, LogRefusal> {
    let format = Format::BiomekUnifiedTransfer;
    let mut log = Log { format, detected_by, transfers: vec![], errors: vec![] };
    for (line, row) in &table.rows {
        let line = *line;
        let [_, _, _, from, from_code, from_well, tube, _, to, to_code, to_well, _, _, amount] =
            &row[..]
        else {
            log.errors.push(line);
            continue;
        };
        let origin = Origin::One(place(line, [from, from_code, from_well, tube])?);
        let place = place(line, [to, to_code, to_well, ""])?;
        let volume = volume(line, amount)?;
        dispense(&mut log, Dispense { line, place, volume }, origin);
    }
    Ok(log)
}

/// What "transfer from file" takes, carried out as it stands.
pub(super) fn transfers(table: &Table, detected_by: Vec<String>) -> Result<Log, LogRefusal> {
    let format = Format::BiomekTransfers;
    let mut log = Log { format, detected_by, transfers: vec![], errors: vec![] };
    for (line, row) in &table.rows {
        let line = *line;
        let [from, from_well, amount, to, to_well] = TRANSFERS.map(|name| table.cell(row, name));
        let origin = Origin::One(place(line, [from, "", from_well, ""])?);
        let place = place(line, [to, "", to_well, ""])?;
        let volume = volume(line, amount)?;
        dispense(&mut log, Dispense { line, place, volume }, origin);
    }
    Ok(log)
}
