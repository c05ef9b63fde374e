//! Roche LightCycler 480, the export of Cp values (`formats.md` section 5): one file for each
//! filter, whose name stands in the title line.

use super::metadata::Metadata;
use super::parts::{Channel, Part};
use super::results::{DecimalMark, Source};
use super::table::{MAX_ROWS, Row, Table, check_name, heading};
use super::text::{Text, tabbed};
use super::{Format, Refusal};
use crate::error::Reason;

/// What the title line says before the name of the filter.
const FILTER: &str = "Selected Filter:";
/// The export's columns and what the results table calls them.
const COLUMNS: [(&str, &str); 6] = [
    ("pos", "well position"),
    ("name", "sample name"),
    ("cp", "ct"),
    ("standard", "task"),
    ("status", "amp status"),
    ("include", "omit"),
];

/// Whether this is the title line of such an export.
pub(super) fn is_title(line: &str) -> bool {
    line.contains(FILTER)
}

/// Known by that title; what an operator typed into it is not said again.
pub(super) fn known() -> Reason {
    let filter = FILTER.trim_matches([':', ' ']);
    Reason::new("format.title", filter, format!("a title line with `{filter}`"))
}

/// Reads the file of one filter; wells without a Cp have none, excluded ones are omitted.
pub(super) fn text(text: &Text, detected_by: Vec<Reason>) -> Result<Part, Refusal> {
    let mut lines = (1..).zip(text.content.lines());
    let title = lines
        .find_map(|(_, line)| is_title(line).then_some(line))
        .ok_or(Refusal::NoResults { missing: "there is no title line with a filter" })?;
    let (experiment, filter) = title.split_once(FILTER).unwrap_or((title, ""));
    let experiment = experiment.trim().trim_start_matches("Experiment:").trim();
    let filter = filter.trim();
    if filter.is_empty() {
        return Err(Refusal::NoResults { missing: "the title line names no filter" });
    }
    check_name(filter)?;
    let mut run = Source {
        format: Format::LightCycler480,
        detected_by,
        metadata: Metadata::default(),
        table: table(lines, text.open_end())?,
        mark: DecimalMark::Point,
        warnings: text.warning.clone().into_iter().collect(),
    }
    .read()?;
    for reading in &mut run.readings {
        dye(filter).clone_into(&mut reading.dye);
    }
    let of = Channel { title: experiment.to_owned(), name: filter.to_owned() };
    Ok(Part { run, of: Some(of) })
}

/// The dyes a filter is made for: its name without the wavelengths, `VIC / HEX / Yellow555` of
/// `VIC / HEX / Yellow555 (533-580)`; the wavelengths where it has no name.
fn dye(filter: &str) -> &str {
    match filter.rsplit_once('(') {
        Some((name, _)) if !name.trim().is_empty() => name.trim(),
        Some((_, wavelengths)) => wavelengths.trim_end_matches(')').trim(),
        None => filter,
    }
}

/// The rows under the title in the words of a results table.
fn table<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
    open_end: bool,
) -> Result<Table, Refusal> {
    let mut rows = Vec::new();
    for (number, line) in lines {
        if rows.len() > MAX_ROWS {
            return Err(Refusal::TooManyRows);
        }
        rows.push(tabbed(line, number)?);
    }
    rows.retain(|row| row.filled() > 0);
    let none = Refusal::NoResults { missing: "there is no table under the title line" };
    let header = (!rows.is_empty()).then(|| rows.remove(0)).ok_or(none)?;
    let headings: Vec<String> = header.cells.iter().map(|cell| heading(cell)).collect();
    let at = |name: &str| headings.iter().position(|heading| heading == name);
    if at("pos").is_none() {
        return Err(Refusal::NoResults { missing: "the table under the title has no column Pos" });
    }
    if let Some(include) = at("include") {
        rows.iter_mut().try_for_each(|row| turn(row, include))?;
    }
    if let Some(standard) = at("standard") {
        for row in &mut rows {
            name_standard(row, standard);
        }
    }
    let known = |name: &String| {
        let same = |(ours, _): &&(&str, &str)| ours == name;
        COLUMNS.iter().find(same).map_or(String::new(), |(_, canonical)| (*canonical).to_owned())
    };
    Ok(Table::new(headings.iter().map(known).collect(), rows, open_end))
}

/// The export says what is in the analysis, the results table what is out of it.
fn turn(row: &mut Row, include: usize) -> Result<(), Refusal> {
    let omitted = match row.cell(include).to_lowercase().as_str() {
        "true" => "false",
        "false" => "true",
        token => {
            return Err(Refusal::bad_cell(row.number, "Include", token, "True or False"));
        }
    };
    omitted.clone_into(&mut row.cells[include]);
    Ok(())
}

/// `0` means that the well holds no standard; anything else numbers or measures the standard.
fn name_standard(row: &mut Row, standard: usize) {
    let name = match row.cell(standard) {
        "" | "0" => String::new(),
        number => format!("Standard {number}"),
    };
    if let Some(cell) = row.cells.get_mut(standard) {
        *cell = name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::read;

    const HEADER: &str = "Include\tColor\tPos\tName\tCp\tConcentration\tStandard\tStatus";

    fn file(title: &str, rows: &[&str]) -> String {
        format!("{title}\r\n{HEADER}\r\n{}\r\n", rows.join("\r\n"))
    }

    const TITLE: &str = "Experiment: City 7  Selected Filter: FAM (465-510)\t\t\t";

    #[test]
    fn every_fact_of_a_row_is_read() {
        let rows = [
            "True\t255\tA1\tT1\t22.78\t\t0\t",
            "False\t255\tA2\tNTC\t\t\t0\t",
            "True\t255\tA3\tStd\t35.00\t10\t2\t>",
        ];
        let run = read(file(TITLE, &rows).as_bytes()).unwrap();
        assert_eq!(run.format, Format::LightCycler480);
        let facts: Vec<_> = run
            .readings
            .iter()
            .map(|r| (r.sample.as_str(), r.raw_ct.as_str(), r.omitted, r.task.as_str()))
            .collect();
        assert_eq!(
            facts,
            [
                ("T1", "22.78", false, ""),
                ("NTC", "", true, ""),
                ("Std", "35.00", false, "Standard 2")
            ]
        );
        assert!(run.readings.iter().all(|reading| reading.dye == "FAM"));
        assert_eq!(run.readings[1].ct, None);
        assert_eq!(run.readings[2].amp_status.as_deref(), Some(">"));
    }

    #[test]
    fn bare_carriage_returns_change_nothing_and_the_title_is_known() {
        let crlf = file(TITLE, &["True\t255\tA1\tT1\t22.78\t\t0\t"]);
        let bare = crlf.replace("\r\n", "\r");
        let part = text(&Text::decode(bare.as_bytes()), Vec::new()).unwrap();
        assert_eq!(part.run.readings, read(crlf.as_bytes()).unwrap().readings);
        let of = part.of.unwrap();
        assert_eq!((of.title.as_str(), of.name.as_str()), ("City 7", "FAM (465-510)"));
    }

    #[test]
    fn a_filter_names_its_dyes_or_its_wavelengths() {
        assert_eq!(dye("VIC / HEX / Yellow555 (533-580)"), "VIC / HEX / Yellow555");
        assert_eq!(dye("(483-533)"), "483-533");
        assert_eq!(dye("483-533"), "483-533");
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_row() {
        let sound = "True\t255\tA1\tT1\t22.78\t\t0\t";
        for (title, row, message) in [
            (TITLE, "Maybe\t255\tA1\tT1\t22.78\t\t0\t", "row 3, column `Include`: `maybe`"),
            (TITLE, "True\t255\tA25\tT1\t22.78\t\t0\t", "row 3, column `Well`: `A25`"),
            (TITLE, "True\t255\tA1\tT1\t22,78\t\t0\t", "row 3, column `Ct`: `22,78`"),
            ("Experiment: x  Selected Filter:  ", sound, "names no filter"),
        ] {
            let refusal = read(file(title, &[row]).as_bytes()).unwrap_err().to_string();
            assert!(refusal.contains(message), "{refusal}");
        }
        let endless = format!("{TITLE}{}", "x".repeat(5_000));
        let endless = read(file(&endless, &[sound]).as_bytes()).unwrap_err().to_string();
        assert!(endless.contains("a name that stands for many readings"), "{endless}");
        let twice = read(file(TITLE, &[sound, sound]).as_bytes()).unwrap_err().to_string();
        assert!(twice.contains("row 4: well A1 has a second reading"), "{twice}");
        let alone = read(TITLE.as_bytes()).unwrap_err().to_string();
        assert!(alone.contains("no table under the title line"), "{alone}");
        let headless = format!("{TITLE}\nWell\tCp\nA1\t30\n");
        let headless = read(headless.as_bytes()).unwrap_err().to_string();
        assert!(headless.contains("no column Pos"), "{headless}");
        let no_cp = file(TITLE, &[sound]).replace("\tCp\t", "\tMelt\t");
        assert_eq!(read(no_cp.as_bytes()).unwrap_err(), Refusal::NoCtColumn);
        let whole = file(TITLE, &[sound]);
        let cut = read(&whole.as_bytes()[..whole.len() - 6]).unwrap_err();
        assert!(matches!(cut, Refusal::CutShort { .. }), "{cut}");
    }
}
