//! The shared table: rows with their numbers, a header found by content, bounds on everything.

use super::Refusal;
use crate::plate::WellPosition;

/// Longest file read, in bytes; the largest real export seen has 2 MB.
pub const MAX_FILE_BYTES: usize = 64 << 20;
/// Most bytes all members of a zipped workbook may unpack to.
pub const MAX_UNPACKED_BYTES: u64 = 256 << 20;
/// Most rows of one table. 384 wells with six dyes are 2,304.
pub const MAX_ROWS: usize = 20_000;
/// Most columns of one table; the widest real table seen has 38.
pub const MAX_COLUMNS: usize = 128;
/// Longest cell, in bytes; a spreadsheet itself ends at 32,767 characters.
pub const MAX_CELL_BYTES: usize = 4 * 32_767;
/// Longest name, in bytes, that a file states once and many readings repeat; a sheet's cell would
/// be kept once for every reading.
pub(super) const MAX_NAME_BYTES: usize = 4_096;
/// Rows looked through for the header; the deepest one seen is the 46th.
const HEADER_WITHIN: usize = 200;

/// One row of text cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Line of the text or row of the sheet, counted from one.
    pub number: usize,
    /// The cells as written, empty where the file has none.
    pub cells: Vec<String>,
}

impl Row {
    /// Row `number` of these cells, refused where it is too wide or a cell too long.
    pub fn new(number: usize, cells: Vec<String>) -> Result<Self, Refusal> {
        if cells.len() > MAX_COLUMNS {
            return Err(Refusal::cut(format!("row {number} has more than {MAX_COLUMNS} columns")));
        }
        if cells.iter().any(|cell| cell.len() > MAX_CELL_BYTES) {
            return Err(Refusal::cut(format!("row {number} has a cell without end")));
        }
        Ok(Self { number, cells })
    }

    /// The cell in that column as written; empty when the row is shorter.
    pub fn raw(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    /// The cell in that column without blanks around it.
    pub fn cell(&self, column: usize) -> &str {
        self.raw(column).trim()
    }

    /// How many cells hold something.
    pub fn filled(&self) -> usize {
        self.cells.iter().filter(|cell| !cell.trim().is_empty()).count()
    }
}

/// Refuses a name beyond [`MAX_NAME_BYTES`].
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    if name.len() > MAX_NAME_BYTES {
        return Err(Refusal::cut("a name that stands for many readings has no end"));
    }
    Ok(())
}

/// A header and the rows under it.
#[derive(Debug, Clone)]
pub(super) struct Table {
    headings: Vec<String>,
    /// The rows under the header, without blank ones and footers.
    pub rows: Vec<Row>,
    /// The last row is the last line of a text that has no line end after it.
    pub open_end: bool,
}

impl Table {
    /// A table whose header was found elsewhere: its headings in our words, empty where a column
    /// does not matter.
    pub fn new(headings: Vec<String>, rows: Vec<Row>, open_end: bool) -> Self {
        Self { headings, rows, open_end }
    }

    /// Finds the header by content; returns what stood above it and the table.
    ///
    /// A header has a well column and at least two more.
    pub fn split(rows: Vec<Row>, open_end: bool) -> Option<(Vec<Row>, Self)> {
        let at = rows.iter().take(HEADER_WITHIN).position(is_header)?;
        let mut above = rows;
        let mut below = above.split_off(at);
        let header = below.remove(0);
        let last_line = below.last().map_or(header.number, |row| row.number);
        // What is left of a row that broke off must not pass for a footer.
        let cut = |row: &Row| open_end && row.number == last_line && !row.raw(0).contains('=');
        below.retain(|row| row.filled() > 0 && (!is_footer(row) || cut(row)));
        let ends_open = open_end && below.last().is_none_or(|row| row.number == last_line);
        let headings = header.cells.iter().map(|cell| heading(cell)).collect();
        Some((above, Self { headings, rows: below, open_end: ends_open }))
    }

    /// The first column with that heading; a repeated column name counts once.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.headings.iter().position(|heading| heading == name)
    }

    /// The first of these headings that the table has.
    pub fn first_column(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.column(name))
    }

    /// Whether some heading contains `part`.
    pub fn has_heading_with(&self, part: &str) -> bool {
        self.headings.iter().any(|heading| heading.contains(part))
    }

    /// Refuses a table whose last row breaks off, as judged by `last_used`, the rightmost column
    /// that matters: without a line end behind it a cell of ours may have lost its tail.
    pub fn check_end(&self, last_used: usize) -> Result<(), Refusal> {
        let Some((last, others)) = self.rows.split_last().filter(|_rows| self.open_end) else {
            return Ok(());
        };
        let whole = others.iter().map(|row| row.cells.len()).max().unwrap_or(self.headings.len());
        if last.cells.len() < whole || last.cells.len() <= last_used + 1 {
            return Err(Refusal::cut(format!("row {} breaks off in the middle", last.number)));
        }
        Ok(())
    }
}

fn is_header(row: &Row) -> bool {
    row.filled() >= 3
        && row.cells.iter().any(|cell| matches!(heading(cell).as_str(), "well" | "well position"))
}

/// A line such as `Analysis Type = Singleplex`, or its key and value in the first two cells, which
/// may follow the rows with or without a blank one between.
fn is_footer(row: &Row) -> bool {
    let (first, beyond) = row.cells.split_at(row.cells.len().min(2));
    let is_well = |cell: &String| cell.parse::<WellPosition>().is_ok();
    !first.iter().any(is_well) && beyond.iter().all(|cell| cell.trim().is_empty())
}

/// A column name as we compare it: lower case, and the 7500's Cyrillic те (U+0442) in `Cт` as `t`.
pub(super) fn heading(cell: &str) -> String {
    cell.trim().to_lowercase().replace('\u{442}', "t")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(lines: &[&str]) -> Vec<Row> {
        let cells = |line: &str| line.split('|').map(str::to_owned).collect();
        (1..).zip(lines).map(|(number, line)| Row::new(number, cells(line)).unwrap()).collect()
    }

    #[test]
    fn the_header_is_found_wherever_it_stands_and_footers_are_left_out() {
        let (above, table) = Table::split(
            rows(&[
                "Block Type|96alum",
                "",
                "Well|Sample Name|Target Name|C\u{442}",
                "A1|T1|N1|31",
                "A2",
                "",
                "A3|T2|N1|32",
                "Endogenous Control|RP",
                "",
                "Analysis Type = Singleplex",
            ]),
            false,
        )
        .unwrap();
        assert_eq!(above.len(), 2);
        assert_eq!(table.column("ct"), Some(3));
        let numbers: Vec<_> = table.rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, [4, 5, 7], "a row after a blank row still counts");
    }

    #[test]
    fn of_columns_named_twice_the_first_counts() {
        let (_, table) = Table::split(rows(&["Well|Task|Ct|Task"]), false).unwrap();
        assert_eq!(table.column("task"), Some(1));
    }

    #[test]
    fn a_table_without_a_well_column_is_none() {
        assert!(Table::split(rows(&["Sample|Target|Cq", "T1|N1|31"]), false).is_none());
        let deep: Vec<&str> = std::iter::repeat_n("x", 300).chain(["Well|Task|Ct"]).collect();
        assert!(Table::split(rows(&deep), false).is_none());
    }

    #[test]
    fn a_last_row_without_line_end_must_be_whole() {
        let lines = ["Well|Target|Ct|Note", "A1|N1|31.5|x", "A2|N1|31.2"];
        let (_, cut) = Table::split(rows(&lines), true).unwrap();
        assert!(cut.check_end(2).is_err());
        let (_, ended) = Table::split(rows(&lines), false).unwrap();
        assert!(ended.check_end(2).is_ok(), "short rows are normal where the line ends");
        let (_, cut) = Table::split(rows(&["Well|Target|Ct", "A1|N1|31", "A"]), true).unwrap();
        assert!(cut.check_end(2).is_err(), "half a well is no footer");
        let whole = ["Well|Target|Ct|Note", "A1|N1|31.5|x", "A2|N1|31.2|y"];
        let (_, whole) = Table::split(rows(&whole), true).unwrap();
        assert!(whole.check_end(2).is_ok());
        assert!(whole.check_end(3).is_err(), "the last cell may have lost its tail");
    }

    #[test]
    fn a_name_that_many_readings_repeat_has_an_end() {
        assert!(check_name(&"x".repeat(MAX_NAME_BYTES)).is_ok());
        assert!(check_name(&"x".repeat(MAX_NAME_BYTES + 1)).is_err());
    }

    #[test]
    fn a_row_too_wide_or_a_cell_too_long_is_refused() {
        assert!(Row::new(1, vec![String::new(); MAX_COLUMNS + 1]).is_err());
        assert!(Row::new(1, vec!["x".repeat(MAX_CELL_BYTES + 1)]).is_err());
        assert!(Row::new(1, vec!["x".repeat(MAX_CELL_BYTES); MAX_COLUMNS]).is_ok());
    }
}
