//! A file read by a mapping: its header found, its words turned into ours, then read like any
//! other results table.

use std::collections::BTreeMap;

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16LE, WINDOWS_1252};

use super::detect::separator;
use super::mapping::{
    Above, Fact, Mapping, Mark, Numbers, OneFilePer, Separator, TextEncoding, plain,
};
use super::metadata::Metadata;
use super::parts::{Channel, Part};
use super::results::{DecimalMark, Source};
use super::table::{MAX_ROWS, Row, Table, check_name};
use super::text::{Text, delimited, is_binary, tabbed};
use super::workbook::Sheet;
use super::{Format, Refusal};
use crate::error::Reason;
use crate::plate::{PlateSize, WellPosition};

/// A file as far as no mapping is needed for it.
#[derive(Debug)]
pub(super) enum Unmapped<'a> {
    /// The first sheets of a workbook.
    Book(Vec<Sheet>),
    /// A text, perhaps, and how it reads where a mapping does not know its encoding.
    Text(&'a [u8], Text),
}

/// Rows in which a mapping has found its header.
struct Found {
    rows: Vec<Row>,
    header: usize,
    separator: Option<u8>,
    open_end: bool,
    warning: Option<Reason>,
}

/// Whether the mapping knows this file by its headings.
pub(super) fn fits(file: &Unmapped<'_>, mapping: &Mapping) -> bool {
    matches!(find(file, mapping, true), Ok(_) | Err(Refusal::SeveralSheets { .. }))
}

/// How a file came to its mapping.
#[derive(Debug, Clone, Copy)]
pub(super) enum Chosen {
    /// Whoever sent the file named it.
    Named,
    /// No other one fits the file.
    OnlyFit,
}

/// Reads the file as the mapping says.
pub(super) fn read(
    file: &Unmapped<'_>,
    mapping: &Mapping,
    chosen: Chosen,
) -> Result<Part, Refusal> {
    let found = find(file, mapping, false)?;
    let (above, columns, table) = found.table(mapping)?;
    let facts = facts(&above, mapping);
    let fact = |of: Above| facts.get(&of).cloned();
    let mut metadata = Vec::new();
    // The block type is how a results table knows which wells there are.
    if let Some(size) = mapping.plate_size() {
        metadata.push(format!("block type={}", size.wells()));
    }
    let mut run = Source {
        format: Format::Mapping,
        detected_by: found.why(mapping, chosen),
        metadata: Metadata::from_lines(metadata.iter().map(String::as_str), '='),
        table,
        mark: mark(mapping, found.separator),
        warnings: found.warning.into_iter().chain(warnings(mapping)).collect(),
    }
    .read_where(&mapping.words.no_ct)?;
    let fixed = |fixed: &str, above: Above, column: Fact, missing: &'static str| {
        let wanted = mapping.above.contains_key(&above) && !columns.contains_key(&column);
        match fact(above) {
            Some(said) => Ok(said),
            None if wanted => Err(Refusal::NoResults { missing }),
            None => Ok(fixed.to_owned()),
        }
    };
    let missing = "the lines above the table do not name the dye or channel";
    let dye = fixed(&mapping.fixed.dye, Above::Dye, Fact::Dye, missing)?;
    let missing = "the lines above the table do not name the target";
    let target = fixed(&mapping.fixed.target, Above::Target, Fact::Target, missing)?;
    [&dye, &target].into_iter().try_for_each(|name| check_name(name))?;
    for reading in &mut run.readings {
        if reading.target.is_empty() {
            reading.target.clone_from(&target);
        }
        let own = if reading.dye.is_empty() { &dye } else { &reading.dye };
        reading.dye = mapping.dye(own);
    }
    run.instrument = Some(mapping.instrument.clone());
    run.serial = fact(Above::Serial);
    run.run_ended = fact(Above::Ended);
    run.plate_barcode = fact(Above::Plate);
    let of = mapping.file.one_file_per.map(|per| Channel {
        title: fact(Above::Title).unwrap_or_default(),
        name: match per {
            OneFilePer::Dye => mapping.dye(&dye),
            OneFilePer::Target => target.clone(),
        },
    });
    Ok(Part { run, of })
}

/// What everybody who reads such a run should know.
fn warnings(mapping: &Mapping) -> Vec<Reason> {
    let short: String = mapping.sha256().chars().take(12).collect();
    let by = format!("read by mapping {}, version {short}", mapping.name);
    let name = mapping.name.as_str();
    let proven = if mapping.proven {
        Reason::new("file.mapping", name, by)
    } else {
        let message = format!(
            "{by}, never tried on a real file; compare some wells with the instrument's screen"
        );
        Reason::new("file.mapping_unproven", name, message)
    };
    let numbers = mapping.wells.numbers.map(|order| match order {
        Numbers::ByRow => {
            let message = "positions were counted along the rows: 1 is A1, 2 is A2";
            Reason::new("file.by_row", name, message)
        }
        Numbers::ByColumn => {
            let message = "positions were counted down the columns: 1 is A1, 2 is B1";
            Reason::new("file.by_column", name, message)
        }
    });
    [Some(proven), numbers].into_iter().flatten().collect()
}

fn mark(mapping: &Mapping, separator: Option<u8>) -> DecimalMark {
    match (mapping.file.decimal_mark, separator) {
        (Mark::Point, _) | (Mark::Auto, None | Some(b',')) => DecimalMark::Point,
        (Mark::Comma, _) | (Mark::Auto, Some(_)) => DecimalMark::Comma,
    }
}

/// The rows in which the mapping finds its header; only the first ones to tell whether it does.
fn find(file: &Unmapped<'_>, mapping: &Mapping, briefly: bool) -> Result<Found, Refusal> {
    let unfit = |why| Refusal::NotMapped { name: mapping.name.clone(), why };
    let (bytes, auto) = match file {
        Unmapped::Book(sheets) => {
            return in_sheets(sheets, mapping)?
                .ok_or_else(|| unfit("no sheet has a header with the headings it needs"));
        }
        Unmapped::Text(bytes, auto) => (*bytes, auto),
    };
    let encoding: Option<&'static Encoding> = match mapping.file.encoding {
        TextEncoding::Auto => None,
        TextEncoding::Utf8 => Some(UTF_8),
        TextEncoding::Windows1252 => Some(WINDOWS_1252),
        TextEncoding::Gb18030 => Some(GB18030),
        TextEncoding::Utf16 => Some(UTF_16LE),
    };
    if is_binary(bytes) && encoding != Some(UTF_16LE) {
        return Err(unfit("the file is no text"));
    }
    let other = encoding.map(|encoding| {
        Text::decode_as(bytes, encoding)
            .ok_or_else(|| unfit("the text is in another encoding than it says"))
    });
    let other = other.transpose()?;
    let text = other.as_ref().unwrap_or(auto);
    let separators: &[u8] = match mapping.file.separator {
        Separator::Auto => b"\t,;",
        Separator::Tab => b"\t",
        Separator::Comma => b",",
        Separator::Semicolon => b";",
    };
    let head: String = text.content.split_inclusive('\n').take(mapping.header.within).collect();
    // Most texts are told from this without being split.
    let folded = plain(&head);
    let separators = if mapping.header.needs.iter().all(|word| folded.contains(&plain(word))) {
        separators
    } else {
        &[]
    };
    for separator in separators {
        let header = rows(&head, *separator).ok().and_then(|rows| header(&rows, mapping));
        let Some(header) = header else { continue };
        let rows = if briefly { Vec::new() } else { rows(&text.content, *separator)? };
        return Ok(Found {
            rows,
            header,
            separator: Some(*separator),
            open_end: text.open_end(),
            warning: text.warning.clone(),
        });
    }
    Err(unfit("no row has the headings it needs"))
}

fn rows(text: &str, separator: u8) -> Result<Vec<Row>, Refusal> {
    if separator != b'\t' {
        return delimited(text, separator, 1);
    }
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if rows.len() == MAX_ROWS {
            return Err(Refusal::TooManyRows);
        }
        rows.push(tabbed(line, number)?);
    }
    Ok(rows)
}

/// The one sheet in which the mapping finds its header; two with rows would be two plates.
fn in_sheets(sheets: &[Sheet], mapping: &Mapping) -> Result<Option<Found>, Refusal> {
    let wanted = &mapping.file.sheets;
    let is_wanted = |name: &str| {
        wanted.is_empty() || wanted.iter().any(|part| plain(name).contains(&plain(part)))
    };
    let wanted = sheets.iter().filter(|sheet| is_wanted(&sheet.name));
    let found = wanted.filter_map(|sheet| Some((sheet, header(&sheet.rows, mapping)?)));
    let has_rows = |(sheet, header): &(&Sheet, usize)| {
        sheet.rows[header + 1..].iter().any(|row| row.filled() > 0)
    };
    let (full, blank): (Vec<_>, Vec<_>) = found.partition(has_rows);
    if full.len() > 1 {
        return Err(Refusal::SeveralSheets { sheets: full.len() });
    }
    let first = full.into_iter().chain(blank).next();
    Ok(first.map(|(sheet, header)| {
        let rows = sheet.rows.clone();
        Found { rows, header, separator: None, open_end: false, warning: None }
    }))
}

/// Where the header stands, if the mapping finds one.
fn header(rows: &[Row], mapping: &Mapping) -> Option<usize> {
    let first = &rows[..rows.len().min(mapping.header.within)];
    let at = first.iter().position(|row| {
        let headings: Vec<String> = row.cells.iter().map(|cell| plain(cell)).collect();
        let has = |word: &String| headings.contains(&plain(word));
        let has_fact = |fact| mapping.columns.get(&fact).is_some_and(|list| list.iter().any(has));
        mapping.header.needs.iter().all(has) && has_fact(Fact::Well) && has_fact(Fact::Ct)
    })?;
    let said = |text: &String| {
        first[..at].iter().flat_map(|row| &row.cells).any(|cell| plain(cell).contains(&plain(text)))
    };
    mapping.header.says.iter().all(said).then_some(at)
}

/// What a mapping found: the rows above, where each fact stands, and the table in our words.
type Split = (Vec<Row>, BTreeMap<Fact, usize>, Table);

impl Found {
    fn why(&self, mapping: &Mapping, chosen: Chosen) -> Vec<Reason> {
        let (instrument, name) = (mapping.instrument.as_str(), mapping.name.as_str());
        let headings = format!("the headings of {instrument}");
        let headings = Reason::new("format.headings", instrument, headings);
        let chosen = match chosen {
            Chosen::Named => {
                Reason::new("format.mapping_named", name, format!("mapping {name} was named"))
            }
            Chosen::OnlyFit => {
                let message = format!("mapping {name} is the only one that fits");
                Reason::new("format.mapping_only", name, message)
            }
        };
        let separator = self.separator.map(separator);
        [Some(headings), separator, Some(chosen)].into_iter().flatten().collect()
    }

    fn table(&self, mapping: &Mapping) -> Result<Split, Refusal> {
        let above = self.rows[..self.header].to_vec();
        let headings: Vec<String> =
            self.rows[self.header].cells.iter().map(|cell| plain(cell)).collect();
        let place = |list: &Vec<String>| {
            list.iter().find_map(|word| headings.iter().position(|known| *known == plain(word)))
        };
        let columns: BTreeMap<Fact, usize> =
            mapping.columns.iter().filter_map(|(fact, list)| Some((*fact, place(list)?))).collect();
        let mut ours = vec![String::new(); headings.len()];
        for (fact, at) in &columns {
            fact.heading().clone_into(&mut ours[*at]);
        }
        let last_line = self.rows.last().map_or(0, |row| row.number);
        let mut rows = Vec::new();
        for row in &self.rows[self.header + 1..] {
            if row.filled() == 0 || is_ignored(row, mapping, &columns) {
                continue;
            }
            if row.cells.iter().skip(headings.len()).any(|cell| !cell.trim().is_empty()) {
                let place = format!("row {} has more cells than the header", row.number);
                return Err(Refusal::cut(place));
            }
            rows.extend(translated(row, mapping, &columns)?);
        }
        let open_end = self.open_end && rows.last().is_some_and(|row| row.number == last_line);
        Ok((above, columns, Table::new(ours, rows, open_end)))
    }
}

/// Whether a row is a remark. What names a well is none, however the name of its sample begins.
fn is_ignored(row: &Row, mapping: &Mapping, columns: &BTreeMap<Fact, usize>) -> bool {
    let well = columns.get(&Fact::Well).map_or("", |at| row.cell(*at));
    let is_number = || mapping.wells.numbers.is_some() && well.parse::<u16>().is_ok();
    if well.parse::<WellPosition>().is_ok() || is_number() {
        return false;
    }
    let first = row.cells.iter().find(|cell| !cell.trim().is_empty());
    let begins = |word: &String| first.is_some_and(|cell| plain(cell).starts_with(&plain(word)));
    mapping.words.ignore.iter().any(begins)
}

/// The row in the words of a results table; none for a well that held nothing.
fn translated(
    row: &Row,
    mapping: &Mapping,
    columns: &BTreeMap<Fact, usize>,
) -> Result<Option<Row>, Refusal> {
    let words = &mapping.words;
    let means = |list: &[String], cell: &str| list.iter().any(|word| plain(word) == plain(cell));
    let cell = |fact: Fact| columns.get(&fact).map_or("", |at| row.cell(*at));
    if means(&words.unused, cell(Fact::Task)) && cell(Fact::Ct).is_empty() {
        return Ok(None);
    }
    let mut ours = row.clone();
    for (fact, at) in columns {
        let said = row.cell(*at);
        let said = match fact {
            Fact::Well => well(row, said, mapping)?,
            Fact::Task => mapping.task(said),
            Fact::Omitted if means(&words.omitted, said) => "true".to_owned(),
            Fact::Omitted if means(&words.kept, said) => "false".to_owned(),
            _ => continue,
        };
        if let Some(cell) = ours.cells.get_mut(*at) {
            *cell = said;
        }
    }
    Ok(Some(ours))
}

/// The well's name, also where positions are numbered.
fn well(row: &Row, said: &str, mapping: &Mapping) -> Result<String, Refusal> {
    let (Some(order), Some(size)) = (mapping.wells.numbers, mapping.plate_size()) else {
        return Ok(said.to_owned());
    };
    let expected = "a position of the plate such as 1";
    let refuse = || Refusal::bad_cell(row.number, "Well", said, expected);
    let index = said.parse::<u16>().ok().and_then(|number| number.checked_sub(1));
    let index = index.filter(|index| *index < size.wells()).ok_or_else(refuse)?;
    let well = match order {
        Numbers::ByRow => WellPosition::from_index(index, size),
        Numbers::ByColumn => by_column(index, size),
    };
    well.map(|well| well.to_string()).ok_or_else(refuse)
}

fn by_column(index: u16, size: PlateSize) -> Option<WellPosition> {
    let rows = u16::from(size.rows());
    WellPosition::new(u8::try_from(index % rows).ok()?, u8::try_from(index / rows).ok()?)
}

/// Facts about the whole run, from the lines above the table: the cell beside their key, or what
/// stands behind the key's colon in the same cell.
fn facts(above: &[Row], mapping: &Mapping) -> BTreeMap<Above, String> {
    let mut facts = BTreeMap::new();
    for (fact, keys) in &mapping.above {
        let keys: Vec<String> = keys.iter().map(|key| plain(key)).collect();
        let found = above.iter().find_map(|row| {
            (0..row.cells.len()).find_map(|at| {
                let cell = row.cell(at);
                let (key, behind) = cell.split_once([':', '：', '=']).unwrap_or((cell, ""));
                if !keys.contains(&plain(key)) {
                    return None;
                }
                let beside = row.cells[at + 1..].iter().map(|cell| cell.trim());
                std::iter::once(behind.trim()).chain(beside).find(|said| !said.is_empty())
            })
        });
        if let Some(said) = found {
            facts.insert(*fact, said.to_owned());
        }
    }
    facts
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
