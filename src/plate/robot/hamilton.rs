//! Hamilton: a quoted CSV, one row a transfer from a tube into a deep well.
//!
//! The header is `Deep Well Plate, Deep Well Position, Transfer Vol, Tube Rack Carrier, Tube Rack
//! Position, Tube Barcode, User`; a volume is written `500.000000000000` and a control's barcode
//! is `NTC`. A column `Error` or `Status` was in no file seen: where one is there, a row is an
//! error unless it is empty, `0` or `OK`.

use super::read::Table;
use super::{Format, Log, LogRefusal, Origin, Place, Spot, Transfer, Volume};

/// The columns without which it is no such log.
pub(super) const COLUMNS: [&str; 4] =
    ["Deep Well Plate", "Deep Well Position", "Transfer Vol", "Tube Barcode"];

/// Every transfer.
pub(super) fn read(table: &Table, detected_by: Vec<String>) -> Result<Log, LogRefusal> {
    let mut log = Log { format: Format::Hamilton, detected_by, transfers: vec![], errors: vec![] };
    for (line, row) in &table.rows {
        let line = *line;
        let cell = |name: &str| table.cell(row, name);
        let fault = [cell("Error"), cell("Status")];
        if fault.iter().any(|text| !matches!(*text, "" | "0") && !text.eq_ignore_ascii_case("ok")) {
            log.errors.push(line);
        }
        let volume = Volume::parse(cell("Transfer Vol"))
            .ok_or(LogRefusal::Row { line, what: "its volume is no number of microlitres" })?;
        if volume.is_nothing() {
            continue;
        }
        let place = |label: &str, spot: Option<Spot>, tube: &str| {
            let spot = spot.ok_or(LogRefusal::Row { line, what: "its position is no well" })?;
            let (label, barcode) = (label.to_owned(), String::new());
            Ok(Place { label, barcode, spot, tube: tube.to_owned() })
        };
        let spot = |name| Spot::parse(cell(name), Spot::ColumnMajor);
        let tube = cell("Tube Barcode");
        // Without a position the carrier says nothing, once the tube itself was scanned.
        let source = match spot("Tube Rack Position") {
            None if !tube.is_empty() => place("", Some(Spot::ColumnMajor(1)), tube)?,
            from => place(cell("Tube Rack Carrier"), from, tube)?,
        };
        let destination = place(cell("Deep Well Plate"), spot("Deep Well Position"), "")?;
        let (origin, earlier) = (Origin::One(source), Vec::new());
        let is_reagent = false;
        log.transfers.push(Transfer { line, origin, destination, volume, earlier, is_reagent });
    }
    Ok(log)
}
