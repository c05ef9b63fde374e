//! Tecan `.gwl`: one record a line, fields separated by semicolons.
//!
//! `A;RackLabel;RackID;RackType;Position;TubeID;Volume;LiquidClass;TipType;TipMask` takes up,
//! `D;...` gives off, `W;` washes or changes the tip, `R;...` distributes a reagent, `C;` is a
//! comment. Positions count from 1 down the columns: so the program that wrote our specimens does,
//! and so Tecan's decks are documented by others; Tecan's own manual was not at hand. A dispense
//! of `0.0` is written for wells that need nothing and moves nothing. A tip stays on, unwashed, until a
//! `W;` comes: what it took from before goes along. Tips that a mask tells apart are different ones.

use super::tips::{Tips, Touched};
use super::{
    CELL_MAX, CELLS_MAX, Format, Log, LogRefusal, Origin, Place, ROWS_MAX, Spot, Transfer, Volume,
};

/// Records that move nothing: flush, break, set tip type, comment, decontaminate.
const SILENT: [&str; 6] = ["F", "B", "S", "C", "WD", "WS"];

/// Whether a line is a record of ours to read.
pub(super) fn is_record(line: &str) -> bool {
    let Some((kind, _)) = line.split_once(';') else { return false };
    matches!(kind, "A" | "D" | "R") || is_wash(kind) || SILENT.contains(&kind)
}

/// `W`, or `W1` to `W4` for one of the wash schemes.
fn is_wash(kind: &str) -> bool {
    matches!(kind, "W" | "W1" | "W2" | "W3" | "W4")
}

/// Whether a tip is clean after it; all but `W` to `W4` leave what is in it there.
fn is_cleaning(kind: &str) -> bool {
    is_wash(kind) || matches!(kind, "WD" | "WS")
}

/// What is in the tips, and what was.
#[derive(Default)]
struct Held {
    tips: Tips,
    touched: Touched,
}

/// Every transfer of a worklist that was carried out.
pub(super) fn read(text: &str, detected_by: Vec<String>) -> Result<Log, LogRefusal> {
    let mut log = Log { format: Format::Tecan, detected_by, transfers: vec![], errors: vec![] };
    let mut held = Held::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = index + 1;
        if number > ROWS_MAX || log.transfers.len() > ROWS_MAX {
            return Err(LogRefusal::TooLong);
        }
        let fields: Vec<_> = line.split(';').take(CELLS_MAX + 1).map(str::trim).collect();
        if fields.len() > CELLS_MAX || fields.iter().any(|field| field.len() > CELL_MAX) {
            return Err(LogRefusal::Row { line: number, what: "it has no end" });
        }
        match fields[0] {
            "A" => aspirate(number, &fields, &mut held)?,
            "D" => dispense(number, &fields, &mut held, &mut log)?,
            "R" => distribute(number, &fields, &mut log)?,
            "C" if is_error(&fields) => log.errors.push(number),
            kind if is_cleaning(kind) => {
                held.touched.wash();
                if is_wash(kind) {
                    held.tips.wash();
                }
            }
            kind if SILENT.contains(&kind) => {}
            _ => {
                return Err(LogRefusal::Row { line: number, what: "it is no Tecan record" });
            }
        }
    }
    Ok(log)
}

/// A comment that begins with `error`, as scripts write one when a step was skipped.
fn is_error(fields: &[&str]) -> bool {
    fields
        .get(1)
        .and_then(|text| text.get(..5))
        .is_some_and(|word| word.eq_ignore_ascii_case("error"))
}

fn field<'a>(line: usize, fields: &[&'a str], at: usize) -> Result<&'a str, LogRefusal> {
    fields.get(at).copied().ok_or(LogRefusal::Row { line, what: "it has too few fields" })
}

fn place(line: usize, fields: &[&str]) -> Result<Place, LogRefusal> {
    let text = |at| field(line, fields, at).map(str::to_owned);
    let (label, barcode, tube) = (text(1)?, text(2)?, text(5)?);
    let spot = Spot::parse(field(line, fields, 4)?, Spot::ColumnMajor)
        .ok_or(LogRefusal::Row { line, what: "its position is no number from 1" })?;
    Ok(Place { label, barcode, spot, tube })
}

fn volume(line: usize, fields: &[&str], at: usize) -> Result<Volume, LogRefusal> {
    Volume::parse(field(line, fields, at)?)
        .ok_or(LogRefusal::Row { line, what: "its volume is no number of microlitres" })
}

fn aspirate(line: usize, fields: &[&str], held: &mut Held) -> Result<(), LogRefusal> {
    let place = place(line, fields)?;
    held.touched.aspirate(fields.get(9).copied().unwrap_or_default(), &place);
    held.tips.aspirate("", place);
    Ok(())
}

fn dispense(
    line: usize,
    fields: &[&str],
    held: &mut Held,
    log: &mut Log,
) -> Result<(), LogRefusal> {
    let destination = place(line, fields)?;
    let volume = volume(line, fields, 6)?;
    let origin = held.tips.dispense("");
    if !volume.is_nothing() {
        let (earlier, is_reagent) = (held.touched.earlier(), false);
        log.transfers.push(Transfer { line, origin, destination, volume, earlier, is_reagent });
    }
    Ok(())
}

/// `R;Label;ID;Type;First;Last;Label;ID;Type;First;Last;Volume;Class;Reuses;MultiDisp;Direction`,
/// then positions of the destination that are left out.
fn distribute(line: usize, fields: &[&str], log: &mut Log) -> Result<(), LogRefusal> {
    let number = |at: usize| {
        let text = field(line, fields, at)?;
        text.parse::<u16>()
            .ok()
            .filter(|number| (1..=1536).contains(number))
            .ok_or(LogRefusal::Row { line, what: "its position is no number from 1 to 1536" })
    };
    let labware = |at: usize, spot: u16| {
        let text = |at| field(line, fields, at).map(str::to_owned);
        let spot = Spot::ColumnMajor(spot);
        Ok(Place { label: text(at)?, barcode: text(at + 1)?, spot, tube: String::new() })
    };
    let source = labware(1, number(4)?)?;
    let volume = volume(line, fields, 11)?;
    let rest = fields.iter().enumerate().skip(16).filter(|(_, cell)| !cell.is_empty());
    let left_out: Vec<u16> = rest.map(|(at, _)| number(at)).collect::<Result<_, _>>()?;
    let wells = (number(9)?..=number(10)?).filter(|spot| !left_out.contains(spot));
    for spot in wells.filter(|_| !volume.is_nothing()) {
        let (origin, destination) = (Origin::One(source.clone()), labware(6, spot)?);
        let (earlier, is_reagent) = (Vec::new(), true);
        log.transfers.push(Transfer { line, origin, destination, volume, earlier, is_reagent });
    }
    Ok(())
}
