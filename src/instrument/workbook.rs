//! Sheets of a workbook, whichever way it is stored; only the sheets that matter are read.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::amplification::Amplification;
use super::table::{MAX_CELL_BYTES, MAX_COLUMNS, MAX_FILE_BYTES, MAX_ROWS, Row, heading};
use super::{Refusal, biff, compound, ooxml};

/// One sheet; without rows when it is not one we read.
#[derive(Debug)]
pub(super) struct Sheet {
    /// The name as written.
    pub name: String,
    /// Its rows, blank ones between filled ones included once.
    pub rows: Vec<Row>,
    /// Its curves, where it is the sheet that has them.
    pub curves: Option<Amplification>,
}

/// What a cell holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// Text, as it is also used for numbers in a text file.
    Text(Cow<'a, str>),
    /// A number of a workbook.
    Number(f64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl Value<'_> {
    /// The cell as text of its own.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text.into_owned(),
            Self::Number(number) => number.to_string(),
        }
    }

    /// The same without a borrow.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Number(number) => Value::Number(number),
        }
    }
}

/// Takes a cell at its zero-based row and column.
pub(super) type Put<'a> = &'a mut dyn FnMut(usize, usize, Value<'_>) -> Result<(), Refusal>;

impl Sheet {
    /// The sheet of that name; `cells` gives its cells, and is asked only for a sheet that is wanted
    /// or has curves.
    pub fn read(
        name: String,
        is_wanted: &mut dyn FnMut(&str) -> bool,
        cells: impl FnOnce(Put<'_>) -> Result<(), Refusal>,
    ) -> Result<Self, Refusal> {
        let mut sheet = Self { name, rows: Vec::new(), curves: None };
        if is_wanted(&sheet.name) {
            let mut grid = Grid::default();
            cells(&mut |row, column, value| grid.put(row, column, value.into_text()))?;
            sheet.rows = grid.into_rows();
        } else if Amplification::is_named(&sheet.name) {
            let mut curves = Amplification::default();
            // Calls need no curve: whatever is wrong with this sheet takes no result with it.
            let read = catch_unwind(AssertUnwindSafe(|| {
                cells(&mut |row, column, value| {
                    curves.cell(row, column, value);
                    Ok(())
                })
            }));
            match read {
                Ok(Ok(())) => curves.end(),
                Ok(Err(_)) | Err(_) => curves.break_off(),
            }
            sheet.curves = Some(curves);
        }
        Ok(sheet)
    }
}

/// The sheets we read: results of Applied Biosystems and Design & Analysis, of Diomni, and calls.
const WANTED: [&str; 3] = ["results", "primary_result", "target call"];

/// Whether a sheet of that name is read at all.
fn is_wanted(name: &str) -> bool {
    WANTED.contains(&heading(name).as_str())
}

/// Most sheets a workbook may have; real ones have a dozen.
const MAX_NAMES: usize = 1_000;

/// Leaves the first sheet of each name. No program writes two of one name, but a forged workbook
/// may name one sheet a thousand times, and each reading of it would take a whole file's memory.
pub(super) fn once_each<T>(sheets: Vec<T>, name: impl Fn(&T) -> &str) -> Result<Vec<T>, Refusal> {
    if sheets.len() > MAX_NAMES {
        return Err(Refusal::cut(format!("the workbook has more than {MAX_NAMES} sheets")));
    }
    let mut met = BTreeSet::new();
    Ok(sheets.into_iter().filter(|sheet| met.insert(heading(name(sheet)))).collect())
}

/// The sheets of an `.xls`.
pub(super) fn from_compound(bytes: &[u8]) -> Result<Vec<Sheet>, Refusal> {
    biff::sheets(&compound::workbook_stream(bytes)?, &mut is_wanted)
}

/// The sheets of an `.xlsx`.
pub(super) fn from_zip(bytes: &[u8]) -> Result<Vec<Sheet>, Refusal> {
    ooxml::sheets(bytes, &mut is_wanted)
}

/// Most sheets read of a workbook whose names nobody knows; each may take as much memory as a
/// whole file.
const MAX_SHEETS: usize = 6;

/// The first sheets of a workbook, whatever their names.
pub(super) fn first_sheets(bytes: &[u8]) -> Result<Vec<Sheet>, Refusal> {
    let mut left = MAX_SHEETS;
    let mut is_wanted = |_: &str| {
        let wanted = left > 0;
        left = left.saturating_sub(1);
        wanted
    };
    if ooxml::is_zip(bytes) {
        ooxml::sheets(bytes, &mut is_wanted)
    } else {
        biff::sheets(&compound::workbook_stream(bytes)?, &mut is_wanted)
    }
}

/// Takes the sheet of that name out of `sheets`.
pub(super) fn take(sheets: &mut Vec<Sheet>, name: &str) -> Option<Sheet> {
    let at = sheets.iter().position(|sheet| heading(&sheet.name) == name)?;
    Some(sheets.swap_remove(at))
}

/// Cells as they come, bounded in rows, columns and text.
#[derive(Debug, Default)]
pub(super) struct Grid {
    rows: BTreeMap<usize, Vec<String>>,
    bytes: usize,
}

impl Grid {
    /// Puts a cell at a zero-based row and column; a later cell in the same place wins.
    pub fn put(&mut self, row: usize, column: usize, text: String) -> Result<(), Refusal> {
        if text.is_empty() {
            return Ok(());
        }
        if row >= MAX_ROWS {
            return Err(Refusal::TooManyRows);
        }
        self.bytes += text.len();
        // One shared string may stand in every cell, so the sum counts, not the file's length.
        if column >= MAX_COLUMNS || text.len() > MAX_CELL_BYTES || self.bytes > MAX_FILE_BYTES {
            return Err(Refusal::cut(format!("row {} of the sheet has no end", row + 1)));
        }
        let cells = self.rows.entry(row).or_default();
        if cells.len() <= column {
            cells.resize(column + 1, String::new());
        }
        cells[column] = text;
        Ok(())
    }

    /// The rows in order; a gap gives one blank row.
    pub fn into_rows(self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        let mut expected = 0;
        for (row, cells) in self.rows {
            if row > expected {
                rows.push(Row { number: row, cells: Vec::new() });
            }
            rows.push(Row { number: row + 1, cells });
            expected = row + 1;
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_outside_the_bounds_are_refused() {
        let mut grid = Grid::default();
        assert!(grid.put(MAX_ROWS, 0, "x".into()).is_err());
        assert!(grid.put(0, MAX_COLUMNS, "x".into()).is_err());
        assert!(grid.put(0, 0, "x".repeat(MAX_CELL_BYTES + 1)).is_err());
        assert!(grid.put(MAX_ROWS - 1, MAX_COLUMNS - 1, "x".into()).is_ok());
    }

    #[test]
    fn one_long_text_in_every_cell_is_refused_before_memory_is_gone() {
        let mut grid = Grid::default();
        let long = "x".repeat(MAX_CELL_BYTES);
        let put = |index| grid.put(index / MAX_COLUMNS, index % MAX_COLUMNS, long.clone());
        assert!((0..MAX_ROWS).try_for_each(put).is_err());
    }

    #[test]
    fn a_sheet_named_again_and_again_is_read_once() {
        let names = vec!["Results", "results ", "Setup", "RESULTS"];
        assert_eq!(once_each(names, |name| name).unwrap(), ["Results", "Setup"]);
        assert!(once_each(vec!["x"; MAX_NAMES + 1], |name| name).is_err());
    }

    #[test]
    fn a_gap_between_rows_is_one_blank_row() {
        let mut grid = Grid::default();
        grid.put(1, 1, "a".into()).unwrap();
        grid.put(7, 0, "b".into()).unwrap();
        let rows = grid.into_rows();
        assert_eq!(rows.iter().map(Row::filled).collect::<Vec<_>>(), [0, 1, 0, 1]);
        assert_eq!((rows[1].number, rows[3].number), (2, 8));
    }
}
