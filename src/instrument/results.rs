//! From a results table to readings: the same for every format, once its columns are known.

use std::collections::HashSet;

use rust_decimal::Decimal;

use super::block::needed_size;
use super::metadata::Metadata;
use super::table::{Row, Table, heading};
use super::{Ct, Format, Reading, Refusal, RunFile};
use crate::error::Reason;
use crate::plate::{PlateSize, WellPosition};

/// What stands between whole cycles and their fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecimalMark {
    /// `31.5`; no thousands mark is read, for no Ct has four digits.
    Point,
    /// `31,5`, in European files separated by semicolons.
    Comma,
}

/// A table whose format is known, ready to be read.
#[derive(Debug)]
pub(super) struct Source {
    /// The format found.
    pub format: Format,
    /// Why we think so.
    pub detected_by: Vec<Reason>,
    /// The lines above the table.
    pub metadata: Metadata,
    /// The results.
    pub table: Table,
    /// How fractions are written.
    pub mark: DecimalMark,
    /// What was noticed on the way.
    pub warnings: Vec<Reason>,
}

/// Where in the table each fact stands.
struct Columns {
    well: usize,
    ct: usize,
    number: Option<usize>,
    sample: Option<usize>,
    target: Option<usize>,
    dye: Option<usize>,
    task: Option<usize>,
    amp_status: Option<usize>,
    call: Option<usize>,
    omit: Option<usize>,
}

/// "No Ct" in every spelling of `formats.md` section 0, in lower case.
const NO_CT: [&str; 11] =
    ["", "undetermined", "n/a", "nan", "-", "--", "no ct", "no cq", "noct", "neg", "未检出"];

impl Source {
    /// The run file, or the first reason why it gives no readings.
    pub fn read(self) -> Result<RunFile, Refusal> {
        self.read_where(&[])
    }

    /// The same where these words mean "no Ct" as well.
    pub fn read_where(self, no_ct: &[String]) -> Result<RunFile, Refusal> {
        let Self { format, detected_by, metadata, table, mark, mut warnings } = self;
        warnings.extend(metadata.warnings());
        if table.rows.is_empty() {
            return Err(Refusal::NoResults { missing: "the results table has no rows" });
        }
        let columns = Columns::find(&table, &metadata)?;
        table.check_end(columns.last())?;
        let stated = metadata.plate_size();
        let readings = readings(&table, &columns, stated, (mark, no_ct))?;
        if readings.is_empty() {
            return Err(Refusal::NoResults {
                missing: "no well of the results table has a target",
            });
        }
        let plate_size =
            stated.unwrap_or_else(|| needed_size(readings.iter().map(|reading| reading.well)));
        warnings.extend(columns.odd_wells(&table, plate_size));
        warnings.extend(columns.idle_samples(&table));
        Ok(RunFile {
            format,
            detected_by,
            plate_size: Some(plate_size),
            instrument: metadata.instrument(),
            serial: metadata.serial(),
            run_ended: metadata.run_ended(),
            plate_barcode: metadata.plate_barcode(),
            readings,
            curves: Vec::new(),
            warnings,
        })
    }
}

impl Columns {
    fn find(table: &Table, metadata: &Metadata) -> Result<Self, Refusal> {
        let position = table.column("well position");
        let well = position
            .or_else(|| table.column("well"))
            .ok_or(Refusal::NoResults { missing: "the results table has no well column" })?;
        let Some(ct) = ct_column(table, metadata) else {
            let experiment = metadata.value(&["experiment type"]).unwrap_or_default();
            let genotyping = experiment.to_lowercase().contains("genotyp")
                || table.has_heading_with("snp assay")
                || table.has_heading_with("allele1");
            return Err(if genotyping { Refusal::Genotyping } else { Refusal::NoCtColumn });
        };
        Ok(Self {
            well,
            ct,
            number: position.and_then(|_| table.column("well")),
            sample: table.first_column(&["sample name", "sample"]),
            target: table.first_column(&["target name", "target"]),
            dye: table.first_column(&["reporter", "fluor"]),
            task: table.first_column(&["task", "content", "sample type"]),
            amp_status: table.column("amp status"),
            call: table.first_column(&["target call", "call"]),
            omit: table.column("omit"),
        })
    }

    /// The rightmost column that is used.
    fn last(&self) -> usize {
        let optional = [
            self.number,
            self.sample,
            self.target,
            self.dye,
            self.task,
            self.amp_status,
            self.call,
            self.omit,
        ];
        optional.into_iter().flatten().fold(self.well.max(self.ct), usize::max)
    }

    /// A row that only says which well is empty: the 7500 lists all 96.
    fn is_empty_well(&self, row: &Row) -> bool {
        let blank = |column: Option<usize>| column.is_none_or(|column| row.cell(column).is_empty());
        self.target.is_some()
            && blank(self.target)
            && blank(self.dye)
            && row.cell(self.ct).is_empty()
    }

    /// Warns of wells whose number and position disagree, as in a file edited by hand.
    fn odd_wells(&self, table: &Table, size: PlateSize) -> Option<Reason> {
        let number = self.number?;
        let odd = table.rows.iter().filter_map(|row| {
            let well: WellPosition = row.cell(self.well).parse().ok()?;
            let stated: f64 = row.cell(number).parse().ok()?;
            ((stated - f64::from(well.index(size)) - 1.0).abs() > 0.5).then_some(well)
        });
        let wells = named(odd)?;
        let message =
            format!("well number and well position disagree in {wells}; the position was used");
        Some(Reason::new("file.well_numbers", wells, message))
    }

    /// Warns of wells that have a name but no target, hence no reading.
    fn idle_samples(&self, table: &Table) -> Option<Reason> {
        let sample = self.sample?;
        let idle = table
            .rows
            .iter()
            .filter(|row| self.is_empty_well(row) && !row.cell(sample).is_empty())
            .filter_map(|row| row.cell(self.well).parse().ok());
        let wells = named(idle)?;
        let message = format!("a sample but no target in {wells}; there is no reading of it");
        Some(Reason::new("file.no_target", wells, message))
    }
}

/// The first wells by name and how many more; none if there is none.
pub(super) fn named(wells: impl Iterator<Item = WellPosition>) -> Option<String> {
    const SHOWN: usize = 5;
    let mut seen = HashSet::new();
    let wells: Vec<String> =
        wells.filter(|well| seen.insert(*well)).map(|well| well.to_string()).collect();
    let shown = wells.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match wells.len() {
        0 => None,
        count if count > SHOWN => Some(format!("{shown} and {} more wells", count - SHOWN)),
        _ => Some(shown),
    }
}

/// The Ct column: the one the quantification method names, else the only or first one.
pub(super) fn ct_column(table: &Table, metadata: &Metadata) -> Option<usize> {
    let method = metadata.value(&["quantification cycle method"]).map(heading);
    let by_method = method.filter(|name| ["ct", "crt", "cq"].contains(&name.as_str()));
    by_method
        .and_then(|name| table.column(&name))
        .or_else(|| table.first_column(&["ct", "crt", "cq"]))
}

fn readings(
    table: &Table,
    columns: &Columns,
    stated: Option<PlateSize>,
    (mark, no_ct): (DecimalMark, &[String]),
) -> Result<Vec<Reading>, Refusal> {
    let mut seen = HashSet::new();
    let mut readings = Vec::new();
    for row in &table.rows {
        let well = well(row, columns.well)?;
        if let Some(size) = stated.filter(|size| !size.contains(well)) {
            return Err(Refusal::OutsidePlate { row: row.number, well, wells: size.wells() });
        }
        if columns.is_empty_well(row) {
            continue;
        }
        let token = row.cell(columns.ct);
        let is_none = no_ct.iter().any(|word| heading(word) == heading(token));
        let text = |column: Option<usize>| column.map_or("", |at| row.cell(at));
        let target = text(columns.target);
        let dye = text(columns.dye);
        if !seen.insert((well, target, dye)) {
            return Err(Refusal::DuplicateReading { row: row.number, well });
        }
        let said = |column| Some(text(column)).filter(|text| !text.is_empty()).map(str::to_owned);
        readings.push(Reading {
            well,
            sample: text(columns.sample).to_owned(),
            target: target.to_owned(),
            dye: dye.to_owned(),
            task: text(columns.task).to_owned(),
            ct: if is_none { None } else { ct(row, columns.ct, mark)? },
            raw_ct: row.raw(columns.ct).to_owned(),
            amp_status: said(columns.amp_status),
            instrument_call: said(columns.call),
            omitted: is_omitted(row, columns.omit)?,
        });
    }
    Ok(readings)
}

/// The well named in that column.
pub(super) fn well(row: &Row, column: usize) -> Result<WellPosition, Refusal> {
    let token = row.cell(column);
    token
        .parse()
        .map_err(|_not_a_well| Refusal::bad_cell(row.number, "Well", token, "a well such as A1"))
}

/// The Ct in that column, or none when the instrument says there is none.
pub(super) fn ct(row: &Row, column: usize, mark: DecimalMark) -> Result<Option<Ct>, Refusal> {
    let token = row.cell(column);
    ct_of(token, mark).map_err(|expected| Refusal::bad_cell(row.number, "Ct", token, expected))
}

/// The Ct a token says, none when it says there is none, or what it should have been.
pub(super) fn ct_of(token: &str, mark: DecimalMark) -> Result<Option<Ct>, &'static str> {
    if NO_CT.contains(&token.to_lowercase().as_str()) {
        return Ok(None);
    }
    let cycles = decimal(token, mark).ok_or("a Ct or a known word for no Ct")?;
    Ct::try_from(cycles).map(Some).map_err(|_out_of_range| "between 0 and 100 cycles")
}

fn decimal(token: &str, mark: DecimalMark) -> Option<Decimal> {
    let plain = match mark {
        DecimalMark::Point => token.to_owned(),
        DecimalMark::Comma => token.replace(',', "."),
    };
    // The decimal library also takes `1_0`, which no instrument writes.
    if !plain.bytes().all(|byte| byte.is_ascii_digit() || b".+-eE".contains(&byte)) {
        return None;
    }
    if plain.contains(['e', 'E']) {
        return Decimal::from_scientific(&plain).ok();
    }
    Decimal::from_str_exact(&plain).ok()
}

/// Whether the operator took the well out. An unknown flag is refused: it decides about a result.
fn is_omitted(row: &Row, column: Option<usize>) -> Result<bool, Refusal> {
    let Some(column) = column else { return Ok(false) };
    match row.cell(column).to_lowercase().as_str() {
        "" | "false" | "0" | "n" | "no" => Ok(false),
        "true" | "1" | "y" | "yes" => Ok(true),
        token => Err(Refusal::bad_cell(row.number, "Omit", token, "true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(token: &str, mark: DecimalMark) -> Result<Option<Ct>, Refusal> {
        ct(&Row::new(7, vec![token.to_owned()]).unwrap(), 0, mark)
    }

    #[test]
    fn every_spelling_of_no_ct_is_no_ct() {
        for token in ["Undetermined", "UNDETERMINED", "N/A", "NaN", "", " ", "-", "No Ct", "未检出"]
        {
            assert_eq!(one(token, DecimalMark::Point), Ok(None), "{token}");
        }
    }

    #[test]
    fn a_ct_keeps_every_digit() {
        for token in ["21.1877528266099", "34.334176165173844", "40.00", "25.719390869140625"] {
            let ct = one(token, DecimalMark::Point).unwrap().unwrap();
            assert_eq!(ct.to_string(), token);
        }
        let european = one("31,50", DecimalMark::Comma).unwrap().unwrap();
        assert_eq!(european.to_string(), "31.50");
        let scientific = one("3.15E+01", DecimalMark::Point).unwrap().unwrap();
        assert_eq!(scientific.to_string(), "31.5");
    }

    #[test]
    fn forty_is_not_less_than_forty() {
        let (long, short) = (one("40.00", DecimalMark::Point), one("40", DecimalMark::Point));
        assert_eq!(long, short);
    }

    #[test]
    fn what_is_neither_a_ct_nor_no_ct_is_refused_with_its_row() {
        for token in ["thirty", "31,5", "1_0", "0", "-3", "100.1", "3e400", "31.5 *", "#N/A"] {
            let refusal = one(token, DecimalMark::Point).unwrap_err();
            let Refusal::BadCell { row: 7, column: "Ct", token: shown, .. } = &refusal else {
                panic!("{token} gave {refusal}")
            };
            assert_eq!(shown, token);
        }
    }

    #[test]
    fn wells_are_named_once_and_only_the_first_few() {
        let wells =
            |count| (0..count).filter_map(|at| WellPosition::from_index(at, PlateSize::P96));
        assert_eq!(named(wells(0)), None);
        assert_eq!(named(wells(2).chain(wells(2))).unwrap(), "A1, A2");
        assert_eq!(named(wells(9)).unwrap(), "A1, A2, A3, A4, A5 and 4 more wells");
    }
}
