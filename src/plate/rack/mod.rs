//! A rack of tubes as a rack scanner sees it: one CSV row a position.
//!
//! Rows are `A1,CODE` or `RACK,A1,CODE`, without a header. A position without a tube is named with
//! a word such as `NO READ`; a position without any word is a fault, since nobody knows whether
//! the scanner looked. A scan with a fault is refused whole, with every fault.

pub mod api;
pub mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::worklist::control_named;
use super::{WellPosition, text};
use crate::barcode::{NotACode, Patterns, TubeCode};

/// Longest code on a rack, in characters.
pub const CODE_MAX: usize = 40;
/// Largest scan, in bytes: ten times what 96 positions need.
pub const SCAN_MAX: usize = 64 * 1024;
/// What scanners write for a position without a tube; case and blanks do not matter.
const EMPTY: [&str; 6] = ["NOREAD", "NOTUBE", "NOSCAN", "NOCODE", "NOBARCODE", "EMPTY"];

/// How many positions a rack has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RackSize {
    /// 4 rows of 6.
    R24,
    /// 6 rows of 8.
    R48,
    /// 8 rows of 12.
    R96,
}

impl RackSize {
    /// Rows and columns.
    pub const fn shape(self) -> (u8, u8) {
        match self {
            Self::R24 => (4, 6),
            Self::R48 => (6, 8),
            Self::R96 => (8, 12),
        }
    }

    /// Number of positions.
    pub const fn positions(self) -> u16 {
        let (rows, columns) = self.shape();
        rows as u16 * columns as u16
    }

    /// The size with that many positions, if there is one.
    pub const fn from_positions(positions: u16) -> Option<Self> {
        match positions {
            24 => Some(Self::R24),
            48 => Some(Self::R48),
            96 => Some(Self::R96),
            _ => None,
        }
    }

    /// Whether a rack of this size has the position.
    pub const fn contains(self, position: WellPosition) -> bool {
        let (rows, columns) = self.shape();
        position.row() < rows && position.column() < columns
    }
}

/// The code on a rack: whatever its maker printed, of visible ASCII.
///
/// It begins with a letter or a digit and has neither quotes, commas nor semicolons, so that it
/// stands in every worklist as it is: it can neither start a formula nor end a cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RackCode(String);

/// Why a text is no rack's code. It is not repeated: it may be an identity card (R35).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARack {
    /// Too short or too long.
    #[error("a rack's code has 1 to {CODE_MAX} characters; scan the rack again")]
    Length,
    /// A character it may not have.
    #[error(
        "a rack's code begins with a letter or digit and has no blank, quote, comma or semicolon; \
         put another label on the rack"
    )]
    Character,
    /// Something else under the scanner.
    #[error("this is the code of a tube or a control, or an ID number; scan the rack's own code")]
    OfSomethingElse,
}

impl RackCode {
    /// Reads a code; blanks around it do not matter, case does.
    pub fn parse(text: &str) -> Result<Self, NotARack> {
        let text = text.trim();
        if !(1..=CODE_MAX).contains(&text.len()) {
            return Err(NotARack::Length);
        }
        let visible =
            text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'`,;".contains(&byte));
        if !visible || !text.as_bytes()[0].is_ascii_alphanumeric() {
            return Err(NotARack::Character);
        }
        let tube = TubeCode::parse(text, &Patterns::default());
        if matches!(tube, Ok(_) | Err(NotACode::ResidentId)) || control_named(text).is_some() {
            return Err(NotARack::OfSomethingElse);
        }
        Ok(Self(text.to_owned()))
    }

    /// The code as it is printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RackCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A rack and the tubes in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rack {
    size: RackSize,
    tubes: BTreeMap<WellPosition, String>,
}

impl Rack {
    /// A rack with these tubes; none when a tube lies outside or twice.
    pub fn of(size: RackSize, tubes: BTreeMap<WellPosition, String>) -> Option<Self> {
        let different: BTreeSet<_> = tubes.values().collect();
        let fits = tubes.keys().all(|position| size.contains(*position));
        (fits && different.len() == tubes.len()).then_some(Self { size, tubes })
    }

    /// Its size.
    pub const fn size(&self) -> RackSize {
        self.size
    }

    /// Its tubes, row by row.
    pub const fn tubes(&self) -> &BTreeMap<WellPosition, String> {
        &self.tubes
    }

    /// Its tubes down the columns, as robots take them.
    pub fn in_order(&self) -> Vec<(WellPosition, &str)> {
        let mut order: Vec<_> =
            self.tubes.iter().map(|(position, tube)| (*position, tube.as_str())).collect();
        order.sort_by_key(|(position, _)| (position.column(), position.row()));
        order
    }
}

/// One row of a scan that names a tube.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scanned {
    /// Row of the file, from 1.
    pub row: usize,
    /// Where.
    pub position: WellPosition,
    /// What stands on the tube, trimmed.
    pub text: String,
}

/// One fault of a scan. What was scanned is not repeated (R35).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum ScanFault {
    /// No row at all, or no text.
    #[error("this is no rack scan; send the scanner's CSV, one row a position")]
    Unreadable,
    /// Neither two cells nor three.
    #[error("row {row} has {cells} cells; a row is position and tube, or rack, position and tube")]
    Cells {
        /// Row, from 1.
        row: usize,
        /// How many it has.
        cells: usize,
    },
    /// A position this rack does not have.
    #[error("row {row} names no position of this rack; check the size of the rack and scan again")]
    Position {
        /// Row, from 1.
        row: usize,
    },
    /// A position without any word.
    #[error("position {well} has no value; scan the rack again, or say `EMPTY` where no tube is")]
    NoValue {
        /// The position.
        well: WellPosition,
    },
    /// One position in two rows.
    #[error("position {well} is scanned in rows {first} and {row}; scan the rack again")]
    PositionTwice {
        /// The position.
        well: WellPosition,
        /// The earlier row.
        first: usize,
        /// The later row.
        row: usize,
    },
    /// One tube in two positions.
    #[error("positions {first} and {well} have the same tube; scan the rack again")]
    TubeTwice {
        /// The later position.
        well: WellPosition,
        /// The earlier one.
        first: WellPosition,
    },
    /// A row of another rack.
    #[error("row {row} is of another rack than {rack}; send one rack's scan at a time")]
    OtherRack {
        /// Row, from 1.
        row: usize,
        /// The rack it should be of.
        rack: String,
    },
    /// A text that is no tube's code.
    #[error("position {well}: {what}")]
    NotATube {
        /// The position.
        well: WellPosition,
        /// Why not.
        what: String,
    },
    /// Nothing in it.
    #[error("the rack has no tube; scan it again with tubes in it")]
    NoTubes,
}

/// Reads a scan of that rack; returns every fault.
pub fn scan(bytes: &[u8], rack: &RackCode, size: RackSize) -> Result<Vec<Scanned>, Vec<ScanFault>> {
    let text = text::decode(bytes).ok_or_else(|| vec![ScanFault::Unreadable])?;
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut faults = Vec::new();
    let mut rows: BTreeMap<WellPosition, usize> = BTreeMap::new();
    let mut scanned = Vec::new();
    for record in reader.records() {
        let Ok(record) = record else { return Err(vec![ScanFault::Unreadable]) };
        let row = record.position().and_then(|at| usize::try_from(at.line()).ok()).unwrap_or(0);
        match read_row(&record, row, rack, size) {
            Ok(None) => {}
            Ok(Some((position, text))) => {
                if let Some(first) = rows.insert(position, row) {
                    faults.push(ScanFault::PositionTwice { well: position, first, row });
                } else if !text.is_empty() {
                    scanned.push(Scanned { row, position, text });
                }
            }
            Err(of_row) => faults.extend(of_row),
        }
    }
    if rows.is_empty() && faults.is_empty() {
        faults.push(ScanFault::Unreadable);
    } else if scanned.is_empty() && faults.is_empty() {
        faults.push(ScanFault::NoTubes);
    }
    faults.extend(tubes_twice(&scanned));
    if faults.is_empty() { Ok(scanned) } else { Err(faults) }
}

/// Tubes that stand in two positions.
pub fn tubes_twice(scanned: &[Scanned]) -> Vec<ScanFault> {
    let mut seen = BTreeMap::new();
    let again = scanned.iter().filter_map(|one| {
        let first = seen.insert(one.text.to_ascii_uppercase(), one.position)?;
        Some(ScanFault::TubeTwice { well: one.position, first })
    });
    again.collect()
}

/// Position and tube of a row, the tube empty where there is none; nothing for a blank row.
fn read_row(
    record: &csv::StringRecord,
    row: usize,
    rack: &RackCode,
    size: RackSize,
) -> Result<Option<(WellPosition, String)>, Vec<ScanFault>> {
    let mut cells: Vec<&str> = record.iter().map(str::trim).collect();
    if cells.iter().all(|cell| cell.is_empty()) {
        return Ok(None);
    }
    // One more comma after `A1,` is no cell of a rack: the first cell is the position then.
    let begins = cells[0] != rack.as_str() && cells[0].parse::<WellPosition>().is_ok();
    if begins && cells.len() == 3 && cells[2].is_empty() {
        cells.truncate(2);
    }
    let mut faults = Vec::new();
    let (position, text) = match cells[..] {
        [position, text] => (position, text),
        [of, position, text] => {
            if of != rack.as_str() {
                faults.push(ScanFault::OtherRack { row, rack: rack.to_string() });
            }
            (position, text)
        }
        _ => return Err(vec![ScanFault::Cells { row, cells: cells.len() }]),
    };
    let position = position.parse().ok().filter(|position| size.contains(*position));
    match position {
        None => faults.push(ScanFault::Position { row }),
        Some(well) if text.is_empty() => faults.push(ScanFault::NoValue { well }),
        Some(well) if faults.is_empty() => {
            let text = if is_empty(text) { String::new() } else { text.to_owned() };
            return Ok(Some((well, text)));
        }
        Some(_) => {}
    }
    Err(faults)
}

/// Whether a scanner's word says that no tube is there, or none that can be read.
fn is_empty(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| !matches!(c, ' ' | '_')).collect();
    EMPTY.iter().any(|word| plain.eq_ignore_ascii_case(word))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
