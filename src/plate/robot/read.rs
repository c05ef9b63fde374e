//! Bytes to a log: the text, its rows, and whose it is.

use super::{CELL_MAX, CELLS_MAX, Log, LogRefusal, ROWS_MAX, biomek, hamilton, tecan};
use crate::plate::text;

/// Rows of a comma-separated text with a header, or without one.
#[derive(Debug)]
pub(super) struct Table {
    header: Vec<String>,
    /// Line, from 1, and cells.
    pub rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    /// The cell of a row under a column; empty where there is none.
    pub fn cell<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        let at = self.header.iter().position(|name| name.eq_ignore_ascii_case(column));
        at.and_then(|at| row.get(at)).map_or("", |cell| cell.trim())
    }
}

/// Reads a log, whoever wrote it. Told by content, never by the file's name.
pub fn read(bytes: &[u8]) -> Result<Log, LogRefusal> {
    let text = text::decode(bytes).ok_or(LogRefusal::Binary)?;
    let log = detect(&text)?;
    if log.transfers.is_empty() && log.errors.is_empty() {
        return Err(LogRefusal::Empty);
    }
    Ok(log)
}

fn detect(text: &str) -> Result<Log, LogRefusal> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    if lines.peek().is_none() {
        return Err(LogRefusal::Empty);
    }
    if lines.clone().take(20).all(|line| tecan::is_record(line.trim_start())) {
        return tecan::read(text, vec!["lines are records such as `A;` and `D;`".to_owned()]);
    }
    let found = |columns: &[&str]| {
        let why = format!("a header row names `{}`", columns.join("`, `"));
        headed(text, columns).map(|table| table.map(|table| (table, vec![why])))
    };
    if let Some((table, why)) = found(&hamilton::COLUMNS)? {
        return hamilton::read(&table, why);
    }
    if let Some((table, why)) = found(&biomek::TRANSFERS)? {
        return biomek::transfers(&table, why);
    }
    if let Some((table, why)) = found(&biomek::PIPETTING)? {
        return biomek::pipetting_with_probes(&table, why);
    }
    if text.starts_with("Method =") && text.contains("\nLogged in user =") {
        let mut why = vec!["it begins with `Method =` and `Logged in user =`".to_owned()];
        let rows = headless(text)?;
        let cells = rows.rows.first().map(|(_, row)| row.len());
        why.extend(cells.map(|cells| format!("its first row has {cells} cells")));
        return match cells {
            Some(cells) if cells == biomek::CELLS[0] => biomek::pipetting(&rows, why),
            Some(cells) if cells == biomek::CELLS[1] => biomek::unified_transfers(&rows, why),
            _ => Err(LogRefusal::Unknown),
        };
    }
    Err(LogRefusal::Unknown)
}

/// The rows under the first row, of the first thirty, that names all these columns.
fn headed(text: &str, columns: &[&str]) -> Result<Option<Table>, LogRefusal> {
    let named = |line: &str, column: &str| {
        let cells = line.split(',').map(|cell| cell.trim().trim_matches('"'));
        cells.into_iter().any(|cell| cell.eq_ignore_ascii_case(column))
    };
    let is_header = |line: &str| columns.iter().all(|column| named(line, column));
    let Some(at) = text.lines().take(30).position(is_header) else { return Ok(None) };
    let mut rows = cells(text, at)?;
    let (_, header) = rows.remove(0);
    let header = header.iter().map(|cell| cell.trim().to_owned()).collect();
    Ok(Some(Table { header, rows }))
}

/// The rows after the blank line that ends the preamble.
fn headless(text: &str) -> Result<Table, LogRefusal> {
    let at = text.lines().position(|line| line.trim().is_empty()).ok_or(LogRefusal::Unknown)?;
    Ok(Table { header: Vec::new(), rows: cells(text, at)? })
}

/// The cells of every row from a line on, counted from 0; blank rows left out.
fn cells(text: &str, from: usize) -> Result<Vec<(usize, Vec<String>)>, LogRefusal> {
    let rest: String = text.split_inclusive('\n').skip(from).collect();
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(rest.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record
            .map_err(|_error| LogRefusal::Row { line: from + 1, what: "it cannot be split" })?;
        let line = record.position().map_or(1, csv::Position::line);
        if rows.len() == ROWS_MAX {
            return Err(LogRefusal::TooLong);
        }
        let at = from + usize::try_from(line).unwrap_or(usize::MAX);
        if record.len() > CELLS_MAX || record.iter().any(|cell| cell.len() > CELL_MAX) {
            return Err(LogRefusal::Row { line: at, what: "it has no end" });
        }
        let row: Vec<_> = record.iter().map(str::to_owned).collect();
        if row.iter().any(|cell| !cell.trim().is_empty()) {
            rows.push((at, row));
        }
    }
    Ok(rows)
}
