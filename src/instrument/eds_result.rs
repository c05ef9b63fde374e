//! `analysis_result.txt` of an old `.eds`: one row for each well and target, its curves under it.

use std::collections::HashSet;

use super::rdml_document::MAX_CYCLES;
use super::results::{self, DecimalMark};
use super::table::{MAX_COLUMNS, MAX_ROWS, Row, heading};
use super::text::{Text, tabbed};
use super::{Ct, Point, Refusal};

/// One well and target as the file has it.
#[derive(Debug, Clone)]
pub(super) struct Result {
    /// Line of the text, counted from one.
    pub row: usize,
    /// Place in the block row by row, counted from zero.
    pub index: u16,
    /// Sample name as typed.
    pub sample: String,
    /// Detector as typed.
    pub target: String,
    /// Role as written.
    pub task: String,
    /// The Ct; the cycle count when there is none.
    pub ct: Option<Ct>,
    /// The Ct as written.
    pub raw_ct: String,
    /// Baseline taken off where the file has that, else the bare signal.
    pub points: Vec<Point>,
}

struct Columns {
    count: usize,
    well: usize,
    sample: Option<usize>,
    target: usize,
    task: Option<usize>,
    ct: usize,
}

/// Reads the rows; all or nothing.
pub(super) fn results(text: &Text) -> std::result::Result<Vec<Result>, Refusal> {
    let mut lines = (1..).zip(text.content.lines());
    let header = lines
        .by_ref()
        .take(MAX_ROWS)
        .find(|(_, line)| line.split('\t').next().is_some_and(|cell| heading(cell) == "well"))
        .ok_or(Refusal::NoResults { missing: "the analysis result has no header with a well" })?;
    let columns = Columns::find(header.1)?;
    let mut found: Vec<Result> = Vec::new();
    let mut seen = HashSet::new();
    for (number, line) in lines {
        let mut cells = line.split('\t');
        let first = cells.next().unwrap_or_default();
        if first.starts_with(|c: char| c.is_ascii_digit()) {
            if found.len() == MAX_ROWS {
                return Err(Refusal::TooManyRows);
            }
            let Some(one) = columns.read(&tabbed(line, number)?)? else { continue };
            if !seen.insert((one.index, one.target.clone())) {
                let index = one.index.to_string();
                let place = format_args!("row {number}");
                return Err(Refusal::bad_place(place, &index, "has a second result of one target"));
            }
            found.push(one);
        } else if let Some(last) = found.last_mut().filter(|_| first.ends_with("Rn values")) {
            // `Delta Rn values` come after `Rn values` and win.
            if first.starts_with("Delta") || last.points.is_empty() {
                last.points = points(cells, number)?;
            }
        }
    }
    if text.open_end() {
        return Err(Refusal::cut("the last line of the analysis result has no end"));
    }
    if found.is_empty() {
        return Err(Refusal::NoResults { missing: "the analysis result has no rows" });
    }
    Ok(found)
}

impl Columns {
    fn find(header: &str) -> std::result::Result<Self, Refusal> {
        let headings: Vec<String> = header.split('\t').take(MAX_COLUMNS).map(heading).collect();
        let column = |names: &[&str]| {
            names.iter().find_map(|name| headings.iter().position(|heading| heading == name))
        };
        let Some(ct) = column(&["ct", "crt", "cq"]) else {
            let genotyping = column(&["call"]).is_some();
            return Err(if genotyping { Refusal::Genotyping } else { Refusal::NoCtColumn });
        };
        let missing = || Refusal::NoResults { missing: "the analysis result names no detector" };
        Ok(Self {
            count: headings.len(),
            well: 0,
            sample: column(&["sample name", "sample"]),
            target: column(&["detector", "target name", "target"]).ok_or_else(missing)?,
            task: column(&["task"]),
            ct,
        })
    }

    /// The result of a row; none for a well without detector and Ct.
    fn read(&self, row: &Row) -> std::result::Result<Option<Result>, Refusal> {
        if row.cells.len() < self.count {
            return Err(Refusal::cut(format!("row {} breaks off in the middle", row.number)));
        }
        let text = |column: Option<usize>| column.map_or("", |at| row.cell(at)).to_owned();
        let target = text(Some(self.target));
        if target.is_empty() && row.cell(self.ct).is_empty() {
            return Ok(None);
        }
        let well = row.cell(self.well);
        let no_place = || Refusal::bad_cell(row.number, "Well", well, "a place counted from 0");
        let index = well.parse().ok().filter(|index| *index < 384).ok_or_else(no_place)?;
        Ok(Some(Result {
            row: row.number,
            index,
            sample: text(self.sample),
            target,
            task: text(self.task),
            ct: results::ct(row, self.ct, DecimalMark::Point)?,
            raw_ct: row.raw(self.ct).to_owned(),
            points: Vec::new(),
        }))
    }
}

/// The signals of one line by cycle; what is not a number leaves a gap.
fn points<'a>(
    cells: impl Iterator<Item = &'a str>,
    number: usize,
) -> std::result::Result<Vec<Point>, Refusal> {
    let mut points = Vec::new();
    for (cycle, cell) in (1..).zip(cells.map(str::trim)) {
        // Before a blank is passed over: no row may count beyond the last number of a cycle.
        if cycle > MAX_CYCLES {
            return Err(Refusal::cut(format!("row {number} has more than {MAX_CYCLES} cycles")));
        }
        if cell.is_empty() {
            continue;
        }
        let signal: f64 = cell
            .parse()
            .map_err(|_no_number| Refusal::bad_cell(number, "Rn", cell, "a fluorescence"))?;
        if signal.is_finite() {
            points.push(Point { cycle, signal });
        }
    }
    Ok(points)
}
