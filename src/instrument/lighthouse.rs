//! Result CSV of the UK Lighthouse laboratories (`formats.md` section 8).
//!
//! With `CH1-Cq` .. `CH4-Cq` it is a run: readings, called by the kit's rules like any other.
//! Without them it is a list of results, and results are never taken in as a list (R22).

use std::collections::{BTreeMap, BTreeSet};

use super::block::needed_size;
use super::detect;
use super::results::{DecimalMark, ct};
use super::table::{Row, heading};
use super::{Format, Reading, Refusal, RunFile};
use crate::error::Reason;
use crate::plate::WellPosition;

/// Channels a row may have.
const CHANNELS: [u8; 4] = [1, 2, 3, 4];
/// The results such a list gives, in lower case.
const RESULTS: [&str; 4] = ["positive", "negative", "limit of detection", "void"];

/// Whether this row is the header of such a list.
pub(super) fn is_header(row: &Row) -> bool {
    let has = |name: &str| row.cells.iter().any(|cell| heading(cell) == name);
    has("rna id") && has("result") && (has("root sample id") || has("root sample"))
}

/// Known by that header.
pub(super) fn known() -> Reason {
    detect::header("Root Sample, RNA ID, Result")
}

/// The rows of a sheet as wide as its header: a workbook keeps no empty cells at the end of a row.
pub(super) fn of_sheet(mut rows: Vec<Row>) -> Vec<Row> {
    let width = rows.first().map_or(0, |header| header.cells.len());
    for row in rows.iter_mut().filter(|row| row.filled() > 0 && row.cells.len() < width) {
        row.cells.resize(width, String::new());
    }
    rows
}

/// What a list without Ct holds, in counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultList {
    /// Rows with something in them.
    pub rows: usize,
    /// Different plates named by their RNA IDs.
    pub plates: usize,
    /// Rows for each result, in the order of the published list; `other` comes last.
    pub results: Vec<(&'static str, usize)>,
    /// Rows whose RNA ID names no plate and well.
    pub unreadable: usize,
}

impl std::fmt::Display for ResultList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rows, plates, results, unreadable } = self;
        write!(f, "rows: {rows}, plates: {plates}")?;
        for (result, count) in results {
            write!(f, ", {result}: {count}")?;
        }
        if *unreadable > 0 {
            write!(f, ", without a readable RNA ID: {unreadable}")?;
        }
        Ok(())
    }
}

/// Where in the table each fact stands.
struct Columns {
    sample: usize,
    rna: usize,
    result: usize,
    tested: Option<usize>,
    channels: Vec<ChannelColumns>,
    width: usize,
}

struct ChannelColumns {
    target: Option<usize>,
    result: Option<usize>,
    cq: usize,
}

/// Reads the rows from the header on; `open_end` when the last line has no line end.
pub(super) fn rows(
    rows: Vec<Row>,
    open_end: bool,
    detected_by: Vec<Reason>,
    mut warnings: Vec<Reason>,
) -> Result<RunFile, Refusal> {
    let mut rows = rows.into_iter().filter(|row| row.filled() > 0);
    let columns = rows.next().as_ref().and_then(Columns::find).ok_or(Refusal::NoResults {
        missing: "the first row is not the header of a Lighthouse list",
    })?;
    let rows: Vec<Row> = rows.collect();
    if !rows.iter().any(|row| columns.has_channel(row)) {
        return Err(Refusal::ResultList { holds: columns.holds(&rows) });
    }
    let (plate, readings) = columns.readings(&rows)?;
    if open_end {
        columns.check_end(&rows)?;
    }
    let message = "the results of the list were not taken over; calls are made from the Cq";
    warnings.push(Reason::new("file.results", "results", message));
    let tested = |row: &Row| columns.tested.map(|at| row.cell(at).to_owned());
    Ok(RunFile {
        format: Format::LighthouseCsv,
        detected_by,
        plate_size: Some(needed_size(readings.iter().map(|reading| reading.well))),
        instrument: None,
        serial: None,
        run_ended: rows.iter().filter_map(tested).filter(|time| !time.is_empty()).max(),
        plate_barcode: Some(plate),
        readings,
        curves: Vec::new(),
        warnings,
    })
}

impl Columns {
    fn find(header: &Row) -> Option<Self> {
        let headings: Vec<String> = header.cells.iter().map(|cell| heading(cell)).collect();
        let at = |name: &str| headings.iter().position(|heading| heading == name);
        let channel = |number: &u8| {
            let of = |fact: &str| at(&format!("ch{number}-{fact}"));
            Some(ChannelColumns { target: of("target"), result: of("result"), cq: of("cq")? })
        };
        Some(Self {
            sample: at("root sample id").or_else(|| at("root sample"))?,
            rna: at("rna id")?,
            result: at("result")?,
            tested: at("date tested"),
            channels: CHANNELS.iter().filter_map(channel).collect(),
            width: headings.len(),
        })
    }

    /// Whether the row says anything of a channel.
    fn has_channel(&self, row: &Row) -> bool {
        self.channels.iter().any(|channel| {
            let target = channel.target.is_some_and(|at| !row.cell(at).is_empty());
            target || !row.cell(channel.cq).is_empty()
        })
    }

    fn holds(&self, rows: &[Row]) -> ResultList {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        let mut plates = BTreeSet::new();
        let mut unreadable = 0;
        for row in rows {
            let result = row.cell(self.result).to_lowercase();
            let known = RESULTS.iter().position(|known| *known == result);
            *counts.entry(known.unwrap_or(RESULTS.len())).or_default() += 1;
            match place(row.cell(self.rna)) {
                Some((plate, _)) => drop(plates.insert(plate)),
                None => unreadable += 1,
            }
        }
        let named = |(at, count): (usize, usize)| {
            (RESULTS.get(at).copied().unwrap_or("with another result"), count)
        };
        let results = counts.into_iter().map(named).collect();
        ResultList { rows: rows.len(), plates: plates.len(), results, unreadable }
    }

    /// The plate's barcode and one reading for each well and channel.
    fn readings(&self, rows: &[Row]) -> Result<(String, Vec<Reading>), Refusal> {
        let mut plates = BTreeSet::new();
        let mut wells = BTreeSet::new();
        let mut readings = Vec::new();
        for row in rows {
            if row.cells.len() != self.width {
                let (cells, width) = (row.cells.len(), self.width);
                let place = format!("row {} has {cells} cells of {width}", row.number);
                return Err(Refusal::cut(place));
            }
            let expected = "a plate and a well such as AP123_B09";
            let (plate, well) = place(row.cell(self.rna))
                .ok_or_else(|| Refusal::bad_cell(row.number, "RNA ID", "...", expected))?;
            plates.insert(plate.to_owned());
            // A row that differs in its time alone would give the well twice.
            if !wells.insert((plate, well)) {
                return Err(Refusal::DuplicateReading { row: row.number, well });
            }
            let before = readings.len();
            for (number, channel) in CHANNELS.into_iter().zip(&self.channels) {
                readings.extend(self.reading(row, well, (number, channel))?);
            }
            if readings.len() == before {
                let lost = format!("row {}: no channel of {well} has a target", row.number);
                return Err(Refusal::cut(lost));
            }
        }
        let count = plates.len();
        match plates.pop_first() {
            Some(plate) if count == 1 => Ok((plate, readings)),
            _ => Err(Refusal::ListOfPlates { plates: count }),
        }
    }

    fn reading(
        &self,
        row: &Row,
        well: WellPosition,
        (number, channel): (u8, &ChannelColumns),
    ) -> Result<Option<Reading>, Refusal> {
        let text = |column: Option<usize>| column.map_or("", |at| row.cell(at));
        let target = text(channel.target);
        let cycles = ct(row, channel.cq, DecimalMark::Point)?;
        if target.is_empty() {
            let blank = cycles.is_none() && text(channel.result).is_empty();
            let place = format!("row {}: channel {number} has a Cq and no target", row.number);
            return if blank { Ok(None) } else { Err(Refusal::cut(place)) };
        }
        Ok(Some(Reading {
            well,
            sample: row.cell(self.sample).to_owned(),
            target: target.to_owned(),
            dye: String::new(),
            task: String::new(),
            ct: cycles,
            raw_ct: row.raw(channel.cq).to_owned(),
            amp_status: None,
            instrument_call: Some(text(channel.result).to_owned()).filter(|call| !call.is_empty()),
            omitted: false,
        }))
    }

    /// These lists come without a last line end, so the last cell may have lost its tail. Where it
    /// is a Cq, it counts as whole only with as many decimals as every other Cq of the list.
    fn check_end(&self, rows: &[Row]) -> Result<(), Refusal> {
        let Some(last) = rows.last() else { return Ok(()) };
        let Some(at) = self.channels.iter().map(|c| c.cq).find(|at| at + 1 == self.width) else {
            return Ok(());
        };
        let decimals = |row: &Row, at: usize| {
            let cq = row.cell(at);
            (!cq.is_empty()).then(|| cq.split_once('.').map_or(0, |(_, tail)| tail.len()))
        };
        let here = decimals(last, at);
        let others = rows.iter().flat_map(|row| {
            let others = self.channels.iter().map(move |c| (row, c.cq));
            others.filter(|(row, cq)| row.number != last.number || *cq != at)
        });
        let known: BTreeSet<_> = others.filter_map(|(row, at)| decimals(row, at)).collect();
        if here.is_some_and(|here| known.iter().eq([&here])) {
            Ok(())
        } else {
            Err(Refusal::cut(format!("row {} may have lost the end of its Cq", last.number)))
        }
    }
}

/// Plate barcode and well of an RNA ID: the published `^[\W_]*([\w-]*)_([A-Z]\d{0,1}\d)[\W_]*$`,
/// with at least one character for the plate.
fn place(rna: &str) -> Option<(&str, WellPosition)> {
    let (plate, well) = rna.trim_matches(|c: char| !c.is_alphanumeric()).rsplit_once('_')?;
    let (row, column) = well.split_at_checked(1)?;
    let is_well = row.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=2).contains(&column.len())
        && column.bytes().all(|byte| byte.is_ascii_digit());
    let is_plate = plate.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    (is_well && is_plate).then_some(plate).zip(well.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::read;

    const OLD: &str = "Root Sample ID,Viral Prep ID,RNA ID,RNA-PCR ID,Result,Date Tested,Lab ID";
    const TWO: &str = ",CH1-Target,CH1-Result,CH1-Cq,CH2-Target,CH2-Result,CH2-Cq";

    fn row(sample: &str, well: &str, channels: &str) -> String {
        format!(
            "{sample},1,AP123_{well},CF06_{well},Negative,2020-04-16 14:30:40 UTC,AP,{channels}"
        )
    }

    fn list(rows: &[String]) -> String {
        format!("{OLD}{TWO}\n{}\n", rows.join("\n"))
    }

    #[test]
    fn an_rna_id_names_a_plate_and_a_well_by_the_published_pattern() {
        for (id, plate, well) in [
            ("AP123_B09", "AP123", "B9"),
            ("  AP-1_2_H12_ ", "AP-1_2", "H12"),
            ("23JAN21-0001Q_A11", "23JAN21-0001Q", "A11"),
            ("123_B9", "123", "B9"),
        ] {
            assert_eq!(place(id), Some((plate, well.parse().unwrap())), "{id}");
        }
        for id in ["", "AP123", "AP123_", "AP123_b09", "AP123_B009", "AP 123_B09", "AP123_Z09"] {
            assert_eq!(place(id), None, "{id}");
        }
    }

    #[test]
    fn each_channel_with_a_target_is_a_reading() {
        let rows = [
            row("S1", "A01", "ORF1ab,Positive,23.00,MS2,Negative,"),
            row("S2", "A02", "ORF1ab,Inconclusive,38.10,,,"),
        ];
        let run = read(list(&rows).as_bytes()).unwrap();
        assert_eq!(run.format, Format::LighthouseCsv);
        assert_eq!(run.plate_barcode.as_deref(), Some("AP123"));
        assert_eq!(run.run_ended.as_deref(), Some("2020-04-16 14:30:40 UTC"));
        let facts: Vec<_> = run
            .readings
            .iter()
            .map(|r| (r.sample.as_str(), r.target.as_str(), r.raw_ct.as_str()))
            .collect();
        assert_eq!(
            facts,
            [("S1", "ORF1ab", "23.00"), ("S1", "MS2", ""), ("S2", "ORF1ab", "38.10")]
        );
        assert_eq!(run.readings[2].instrument_call.as_deref(), Some("Inconclusive"));
    }

    #[test]
    fn a_list_without_ct_is_refused_and_counted() {
        let cells = |result: &str, id: &str| format!("S,1,{id},C,{result},2020,AP\n");
        let text = format!(
            "{OLD}\n{}{}{}{}",
            cells("Positive", "AP1_A01"),
            cells("Negative", "AP2_A01"),
            cells("negative", "AP2_A02"),
            cells("Void?", "nothing")
        );
        let refusal = read(text.as_bytes()).unwrap_err();
        let said = refusal.to_string();
        for part in [
            "rows: 4, plates: 2",
            "positive: 1",
            "negative: 2",
            "with another result: 1",
            "without a readable RNA ID: 1",
            "CH1-Cq",
        ] {
            assert!(said.contains(part), "{said}");
        }
        let empty = format!("{OLD}{TWO}\n{}\n", row("S", "A01", ",,,,,"));
        assert!(matches!(read(empty.as_bytes()), Err(Refusal::ResultList { .. })));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_row() {
        let sound = row("S1", "A01", "N,Positive,23.00,MS2,Positive,24.00");
        for (other, message) in [
            (row("S2", "A01", "N,Positive,23.00,,,"), "row 3: well A1 has a second reading"),
            (row("S2", "A02", "N,Positive,23x,,,"), "row 3, column `Ct`: `23x`"),
            (row("S2", "A02", ",Positive,23.00,,,"), "row 3: channel 1 has a Cq and no target"),
            (row("S2", "A02", ",,,,,"), "row 3: no channel of A2 has a target"),
            (row("S2", "A02", "N,Positive"), "row 3 has 9 cells of 13"),
            (row("S2", "Q99", "N,Positive,23.00,,,"), "row 3, column `RNA ID`"),
            (row("S2", "A02", "N,Positive,23.00,,,").replace("AP123", "AP9"), "2 plates"),
        ] {
            let refusal = read(list(&[sound.clone(), other]).as_bytes()).unwrap_err().to_string();
            assert!(refusal.contains(message), "{refusal}");
        }
    }

    #[test]
    fn a_missing_last_line_end_is_forgiven_only_where_the_cq_is_whole() {
        let rows = [
            row("S1", "A01", "N,Positive,23.00,MS2,Positive,24.00"),
            row("S2", "A02", "N,Negative,,MS2,Positive,25.50"),
        ];
        let whole = list(&rows);
        let whole = whole.trim_end();
        assert_eq!(read(whole.as_bytes()).unwrap().readings.len(), 4);
        for cut in 1..40 {
            let refusal = read(&whole.as_bytes()[..whole.len() - cut]).unwrap_err();
            assert!(
                matches!(refusal, Refusal::CutShort { .. } | Refusal::BadCell { .. }),
                "cut by {cut}: {refusal}"
            );
        }
    }
}
