//! The block of curves: `[Amplification Data]` in a text, the sheet of that name in a workbook
//! (`formats.md` sections 1 and 2).
//!
//! It is read row by row and never held as a table: 384 wells with four dyes and 50 cycles are
//! 76,800 rows. It can stand before or after the results, so wells that are only numbered and
//! dyes that are not named wait for [`Amplification::add_to`]. Nothing here refuses a file.

use std::borrow::Cow;
use std::collections::HashMap;

use super::curve::{MAX_CURVES, MAX_CYCLE, left_out_in};
use super::table::heading;
use super::workbook::Value;
use super::{Curve, Point, Reading, RunFile};
use crate::error::Reason;
use crate::plate::{PlateSize, WellPosition};

/// Columns looked at; the widest sheet seen has eight.
const WIDTH: usize = 16;
/// Cycles of a usual programme.
const USUAL_CYCLES: usize = 45;
/// Rows looked through for the header.
const HEADER_WITHIN: usize = 200;

/// A cell, borrowed from the line or the row it stands in: there are tens of thousands of rows,
/// and none of them needs memory of its own.
#[derive(Debug, Clone, Copy)]
enum Cell<'a> {
    Text(&'a str),
    Number(f64),
}

/// A row of the block; cells it has not are empty.
type Cells<'a> = [Cell<'a>; WIDTH];

/// Everything read so far.
#[derive(Debug)]
pub(super) struct Amplification {
    columns: Option<Columns>,
    rows_above: usize,
    traces: Vec<Trace>,
    /// The traces of each place, for files that go cycle by cycle.
    places: HashMap<Place, Vec<usize>>,
    /// The trace of the row before, which mostly goes on.
    last: usize,
    /// Rows without a well or beyond the bounds.
    lost: Option<&'static str>,
    /// The row of a sheet that is being filled, and its number.
    filling: (usize, [Value<'static>; WIDTH]),
}

/// Where in the block each fact stands.
#[derive(Debug, Clone, Copy)]
struct Columns {
    place: usize,
    cycle: usize,
    target: Option<usize>,
    dye: Option<usize>,
    /// With the baseline.
    rn: Option<usize>,
    /// Without it.
    delta: Option<usize>,
}

/// A well by name, or by its number counted from one where the file has no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Named(WellPosition),
    Numbered(u16),
}

/// One curve as its rows come.
#[derive(Debug)]
struct Trace {
    place: Place,
    target: String,
    dye: String,
    points: Vec<Sighting>,
    unreadable: bool,
}

/// One row's values; none where the cell is empty.
#[derive(Debug, Clone, Copy)]
struct Sighting {
    cycle: u16,
    rn: Option<f64>,
    delta: Option<f64>,
}

impl Default for Amplification {
    fn default() -> Self {
        Self {
            columns: None,
            rows_above: 0,
            traces: Vec::new(),
            places: HashMap::new(),
            last: 0,
            lost: None,
            filling: (0, blank()),
        }
    }
}

impl Amplification {
    /// Whether a section or sheet of that name holds curves.
    pub fn is_named(name: &str) -> bool {
        heading(name) == "amplification data"
    }

    /// Takes a line of text separated by tabs.
    pub fn line(&mut self, line: &str) {
        let mut cells = [Cell::Text(""); WIDTH];
        let mut rest = Some(line);
        for cell in &mut cells {
            let Some(left) = rest else { break };
            let end = left.bytes().position(|byte| byte == b'\t');
            let text = left[..end.unwrap_or(left.len())].trim();
            rest = end.map(|end| &left[end + 1..]);
            let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            *cell = Cell::Text(inner.unwrap_or(text));
        }
        self.row(&cells);
    }

    /// Takes a cell of a sheet; the cells come row by row.
    pub fn cell(&mut self, row: usize, column: usize, value: Value<'_>) {
        if row != self.filling.0 {
            self.end();
            self.filling.0 = row;
        }
        if let Some(cell) = self.filling.1.get_mut(column) {
            *cell = value.into_owned();
        }
    }

    /// Ends the row of a sheet that was being filled.
    pub fn end(&mut self) {
        let filled = std::mem::replace(&mut self.filling.1, blank());
        self.row(&filled.each_ref().map(|value| match value {
            Value::Text(text) => Cell::Text(text.trim()),
            Value::Number(number) => Cell::Number(*number),
        }));
    }

    /// The last line has no line end: its cells may have lost their tail.
    pub fn cut_last(&mut self) {
        if let Some(trace) = self.traces.get_mut(self.last) {
            trace.unreadable = true;
        }
    }

    /// The sheet is damaged: nothing in it can be relied on.
    pub fn break_off(&mut self) {
        self.lost = Some("the amplification data break off");
    }

    fn row(&mut self, cells: &Cells<'_>) {
        let Some(columns) = self.columns else {
            if self.rows_above < HEADER_WITHIN && cells.iter().any(|cell| !cell.is_blank()) {
                self.columns = Columns::find(cells);
                self.rows_above += 1;
            }
            return;
        };
        let at = |column: usize| cells[column];
        let either = |column: Option<usize>| column.map_or(Cell::Text(""), at);
        let (rn, delta) = (signal(either(columns.rn)), signal(either(columns.delta)));
        if matches!((rn, delta), (Ok(None), Ok(None))) {
            return;
        }
        let Some(place) = place(at(columns.place)) else {
            self.lost = self.lost.or(Some("a row of the amplification data names no well"));
            return;
        };
        let (target, dye) = (either(columns.target), either(columns.dye));
        let Some(trace) = self.trace(place, &target.text(), &dye.text()) else {
            self.lost = Some("there are more of them than a plate has");
            return;
        };
        match (cycle(at(columns.cycle)), rn, delta) {
            (Some(cycle), Ok(rn), Ok(delta)) if trace.points.len() <= usize::from(MAX_CYCLE) => {
                trace.points.push(Sighting { cycle, rn, delta });
            }
            _ => trace.unreadable = true,
        }
    }

    /// The trace of that well, target and dye; none when there are too many of them.
    fn trace(&mut self, place: Place, target: &str, dye: &str) -> Option<&mut Trace> {
        let is_it =
            |trace: &Trace| trace.place == place && trace.target == target && trace.dye == dye;
        if !self.traces.get(self.last).is_some_and(is_it) {
            let here = self.places.entry(place).or_default();
            let known = here.iter().copied().find(|index| is_it(&self.traces[*index]));
            self.last = known.unwrap_or(self.traces.len());
            if known.is_none() {
                if self.traces.len() == MAX_CURVES {
                    return None;
                }
                here.push(self.last);
                self.traces.push(Trace {
                    place,
                    target: target.to_owned(),
                    dye: dye.to_owned(),
                    points: Vec::with_capacity(USUAL_CYCLES),
                    unreadable: false,
                });
            }
        }
        self.traces.get_mut(self.last)
    }

    /// Gives the curves to the run, or says why there are none. `stated` is the plate size the
    /// file states: a guessed one must not turn numbers into wells.
    pub fn add_to(mut self, run: &mut RunFile, stated: Option<PlateSize>) {
        if self.columns.is_none() && self.rows_above > 0 && self.lost.is_none() {
            self.lost = Some("the amplification data have no columns for well, cycle and Rn");
        }
        if let Some(reason) = self.lost {
            let message = format!("curves were left out: {reason}; export them again");
            run.warnings.push(Reason::new("file.curves", "curves", message));
            return;
        }
        let without_baseline = |trace: &Trace| trace.points.iter().any(|at| at.delta.is_some());
        let delta = self.traces.iter().any(without_baseline);
        let dyes = dyes(&run.readings);
        let (mut unreadable, mut nowhere) = (Vec::new(), false);
        for trace in std::mem::take(&mut self.traces) {
            let Some(well) = trace.place.on(stated) else {
                nowhere = true;
                continue;
            };
            if trace.unreadable {
                unreadable.push(well);
                continue;
            }
            let curve = trace.curve(well, delta, &dyes);
            run.curves.push(curve);
        }
        if nowhere {
            let reason = "wells are only numbered, and the plate they are of is not stated";
            let message = format!("curves were left out: {reason}; export the well positions");
            run.warnings.push(Reason::new("file.curves", "curves", message));
        }
        let fault = "a cycle or a fluorescence cannot be read";
        run.warnings.extend(left_out_in(fault, unreadable.into_iter()));
        if !delta && !run.curves.is_empty() {
            let message = "the file has no ΔRn; its curves are Rn, with the baseline";
            run.warnings.push(Reason::new("file.baseline", "curves", message));
        }
    }
}

impl Trace {
    fn curve(self, well: WellPosition, delta: bool, dyes: &Dyes<'_>) -> Curve {
        let signal = |at: &Sighting| if delta { at.delta } else { at.rn };
        let point = |at: &Sighting| Some(Point { cycle: at.cycle, signal: signal(at)? });
        let points = self.points.iter().filter_map(point).collect();
        let dye = match dyes.get(&(well, self.target.as_str())) {
            Some(Some(dye)) if self.dye.is_empty() => (*dye).to_owned(),
            _ => self.dye,
        };
        Curve { well, target: self.target, dye, points }
    }
}

impl Place {
    fn on(self, stated: Option<PlateSize>) -> Option<WellPosition> {
        match self {
            Self::Named(well) => Some(well),
            Self::Numbered(number) => WellPosition::from_index(number.checked_sub(1)?, stated?),
        }
    }
}

/// The dye each target of a well is read in; none where it is read in two.
type Dyes<'a> = HashMap<(WellPosition, &'a str), Option<&'a str>>;

fn dyes(readings: &[Reading]) -> Dyes<'_> {
    let mut dyes = Dyes::new();
    for reading in readings {
        let dye = Some(reading.dye.as_str());
        let known = dyes.entry((reading.well, reading.target.as_str())).or_insert(dye);
        if *known != dye {
            *known = None;
        }
    }
    dyes
}

fn blank() -> [Value<'static>; WIDTH] {
    std::array::from_fn(|_| Value::from(""))
}

impl<'a> Cell<'a> {
    fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
        }
    }

    fn is_blank(self) -> bool {
        matches!(self, Self::Text(""))
    }
}

impl Columns {
    /// The columns of a header; none where the row is not one.
    fn find(cells: &Cells<'_>) -> Option<Self> {
        let headings = cells.map(|cell| plain(&cell.text()));
        let column = |names: &[&str]| {
            names.iter().find_map(|name| headings.iter().position(|heading| heading == name))
        };
        let found = Self {
            place: column(&["wellposition", "well"])?,
            cycle: column(&["cycle", "cyclenumber"])?,
            target: column(&["targetname", "target"]),
            dye: column(&["reporter", "dye"]),
            rn: column(&["rn"]),
            delta: column(&["deltarn", "drn"]),
        };
        (found.rn.is_some() || found.delta.is_some()).then_some(found)
    }
}

/// A heading without case, blanks and hyphens; a Greek delta, the sign for an increment, and the
/// question mark that an old code page makes of either are spelled out.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for letter in name.trim().to_lowercase().chars() {
        match letter {
            'δ' | '∆' | '?' => plain.push_str("delta"),
            letter if letter.is_whitespace() || matches!(letter, '_' | '-') => {}
            letter => plain.push(letter),
        }
    }
    plain
}

/// The well in a cell, by name or number.
fn place(cell: Cell<'_>) -> Option<Place> {
    if let Cell::Text(text) = cell
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
    {
        return text.parse().map(Place::Named).ok();
    }
    whole(cell).map(Place::Numbered)
}

/// The cycle in a cell, from 1.
fn cycle(cell: Cell<'_>) -> Option<u16> {
    whole(cell).filter(|cycle| *cycle > 0)
}

/// A small whole number, also written `1.0`.
fn whole(cell: Cell<'_>) -> Option<u16> {
    let text = cell.text();
    text.strip_suffix(".0").unwrap_or(&text).parse().ok()
}

/// The fluorescence in a cell, none where it is empty, or that it cannot be read.
fn signal(cell: Cell<'_>) -> Result<Option<f64>, NotASignal> {
    let number = match cell {
        Cell::Number(number) => number,
        Cell::Text("") => return Ok(None),
        Cell::Text(text) => match text.parse() {
            Ok(number) => number,
            Err(_) if text.eq_ignore_ascii_case("n/a") => return Ok(None),
            Err(_) => without_thousands(text)?.parse().map_err(|_not_a_number| NotASignal)?,
        },
    };
    // Some files write `NaN` where they have no value.
    Ok(Some(number).filter(|number: &f64| !number.is_nan()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NotASignal;

/// `36,431.130` without its comma. A comma with no point behind it may be a decimal one: what it
/// means nobody knows, so it is not read.
fn without_thousands(text: &str) -> Result<String, NotASignal> {
    let (whole, fraction) = text.split_once('.').ok_or(NotASignal)?;
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default().trim_start_matches(['-', '+']);
    let is_grouped = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    if is_grouped && !fraction.contains(',') { Ok(text.replace(',', "")) } else { Err(NotASignal) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::read;

    const RESULTS: &str = "[Results]\nWell\tWell Position\tTarget Name\tReporter\tCT\n\
                           1\tA1\tN\tFAM\t30\n2\tA2\tN\tVIC\tUndetermined\n";

    fn with(header: &str, rows: &[&str]) -> RunFile {
        let block = ["[Amplification Data]", header].into_iter().chain(rows.iter().copied());
        let block: Vec<_> = block.map(|line| line.replace('|', "\t")).collect();
        let text = format!("* Block Type = 96alum\n\n{}\n\n{RESULTS}", block.join("\n"));
        read(text.as_bytes()).unwrap()
    }

    const HEADER: &str = "Well|Cycle|Target Name|Rn|Delta Rn";

    fn points(run: &RunFile) -> Vec<(String, Vec<(u16, f64)>)> {
        let points = |curve: &Curve| {
            let pairs = curve.points.iter().map(|point| (point.cycle, point.signal)).collect();
            (format!("{} {} {}", curve.well, curve.target, curve.dye), pairs)
        };
        run.curves.iter().map(points).collect()
    }

    #[test]
    fn numbered_wells_and_the_dyes_of_the_readings_make_curves() {
        let rows = ["1|1|N|0.612|-0.007", "2|1|N|0.5|0.001", "1|2|N|0.619|-0.005", "2|2|N|0.5|"];
        let run = with(HEADER, &rows);
        assert_eq!(
            points(&run),
            [
                ("A1 N FAM".to_owned(), vec![(1, -0.007), (2, -0.005)]),
                ("A2 N VIC".to_owned(), vec![(1, 0.001)]),
            ]
        );
        assert!(run.warnings.is_empty(), "{:?}", run.warnings);
    }

    #[test]
    fn the_column_without_the_baseline_is_known_in_every_spelling() {
        for name in
            ["Delta Rn", "ΔRn", "∆Rn", "dRn", "Delta_Rn", "DELTA RN", "delta-rn", "ΔRN ", "?Rn"]
        {
            let run =
                with(&format!("Well Position|Cycle Number|Target|Rn|{name}"), &["A1|1|N|9|1"]);
            assert_eq!(points(&run)[0].1, [(1, 1.0)], "{name}");
        }
    }

    #[test]
    fn without_that_column_the_curve_keeps_its_baseline_and_says_so() {
        for rows in [["A1|1|N|9|", "A1|2|N|9.5|"], ["A1|1|N|9", "A1|2|N|9.5"]] {
            let run = with(HEADER, &rows);
            assert_eq!(points(&run)[0].1, [(1, 9.0), (2, 9.5)]);
            assert_eq!(run.warned(), ["the file has no ΔRn; its curves are Rn, with the baseline"]);
        }
    }

    #[test]
    fn thousands_are_marked_by_a_comma_and_decimals_by_a_point() {
        let read = |text: &str| signal(Cell::Text(text));
        assert_eq!(read("36,431.130"), Ok(Some(36_431.13)));
        assert_eq!(read("-1,036,431.5"), Ok(Some(-1_036_431.5)));
        assert_eq!(read("2.183E-03"), Ok(Some(0.002_183)));
        for text in ["", "NaN", "n/a"] {
            assert_eq!(read(text), Ok(None));
        }
        for text in ["0,612", "1,5", "36,43.1", "1.5,5", ",5.1", "1234,567.8", "x"] {
            assert_eq!(read(text), Err(NotASignal), "{text}");
        }
    }

    #[test]
    fn a_curve_that_cannot_be_read_is_left_out_and_the_run_stays() {
        let rows = ["1|1|N|0.6|0,1", "2|1|N|0.5|0.2", "2|x|M|0.5|0.2"];
        let run = with(HEADER, &rows);
        assert_eq!(points(&run), [("A2 N VIC".to_owned(), vec![(1, 0.2)])]);
        assert_eq!(
            run.warned(),
            ["curves were left out: a cycle or a fluorescence cannot be read in A1, A2"]
        );
        assert_eq!(run.readings.len(), 2);
    }

    #[test]
    fn a_block_that_makes_no_sense_is_left_out_whole() {
        for (header, row, said) in [
            ("Well|Target Name|Rn", "A1|N|0.5", "no columns for well, cycle and Rn"),
            (HEADER, "Q1|1|N|0.5|0.1", "names no well"),
        ] {
            let run = with(header, &[row]);
            assert_eq!(run.curves, []);
            assert_eq!(run.warnings.len(), 1);
            assert!(run.warnings[0].message.contains(said), "{:?}", run.warnings);
        }
    }

    #[test]
    fn a_number_is_no_well_of_a_plate_nobody_named() {
        let text = format!("[Amplification Data]\nWell\tCycle\tRn\n13\t1\t0.5\n\n{RESULTS}");
        let run = read(text.as_bytes()).unwrap();
        assert_eq!(run.curves, []);
        assert!(run.warnings[0].message.contains("only numbered"), "{:?}", run.warnings);
    }

    #[test]
    fn rows_of_empty_wells_and_footers_say_nothing() {
        let run = with(HEADER, &["3|1|||", "3|2|||", "", "Analysis Type = Singleplex"]);
        assert_eq!((run.curves, run.warnings), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_curve_whose_last_row_breaks_off_is_left_out() {
        let text = format!(
            "* Block Type = 96alum\n{RESULTS}\n[Amplification Data]\nWell\tCycle\tRn\n\
             2\t1\t0.5\n1\t1\t0.5"
        );
        let cut = read(text.as_bytes()).unwrap();
        assert_eq!(cut.curves.len(), 1);
        assert!(cut.warnings[0].message.ends_with("cannot be read in A1"), "{:?}", cut.warnings);
        let whole = read(format!("{text}12\n").as_bytes()).unwrap();
        assert_eq!(whole.curves.len(), 2);
    }

    #[test]
    fn more_curves_than_a_plate_has_are_not_gathered() {
        let mut curves = Amplification::default();
        curves.line("Well\tCycle\tTarget\tRn");
        for n in 0..=MAX_CURVES {
            curves.line(&format!("A1\t1\tN{n}\t0.5"));
        }
        assert_eq!(curves.traces.len(), MAX_CURVES);
        let mut run = with(HEADER, &[]);
        curves.add_to(&mut run, None);
        assert_eq!(run.curves, []);
        assert!(run.warnings[0].message.contains("more of them"), "{:?}", run.warnings);
    }

    #[test]
    fn one_curve_never_grows_beyond_the_last_cycle() {
        let mut curves = Amplification::default();
        curves.line("Well\tCycle\tTarget\tRn");
        for _again in 0..1_000 {
            curves.line("A1\t1\tN\t0.5");
        }
        assert_eq!(curves.traces[0].points.len(), usize::from(MAX_CYCLE) + 1);
        assert!(curves.traces[0].unreadable);
    }
}
