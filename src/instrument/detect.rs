//! Which format is this, by content, with reasons; never by the file's name.

use std::io::Read;

use super::mapping_read::Unmapped;
use super::metadata::Metadata;
use super::table::{MAX_FILE_BYTES, Table, heading};
use super::text::{Text, delimited, is_binary};
use super::workbook::{self, Sheet};
use super::{Format, Refusal, compound, lightcycler_480, lighthouse, ooxml};

/// Lines looked at to tell what a text is.
const FIRST_LINES: usize = 60;
/// Lines within which a title stands.
const TITLE_LINES: usize = 3;

/// Sections by which a text without metadata lines is still known; other files have brackets too.
const SECTIONS: [&str; 5] =
    ["Sample Setup", "Raw Data", "Amplification Data", "Multicomponent Data", "Results"];

/// A file opened as far as needed to know what it is.
#[derive(Debug)]
pub(super) enum Opened {
    /// Applied Biosystems text, and why.
    AppliedBiosystems(Text, Vec<String>),
    /// Design & Analysis CSV, and why.
    DesignAnalysis(Text, Vec<String>),
    /// Bio-Rad CFX separated by that byte, and why.
    BioRadCfx(Text, u8, Vec<String>),
    /// A LightCycler 480 export of one filter, and why.
    LightCycler480(Text, Vec<String>),
    /// A Lighthouse result list, and why.
    Lighthouse(Text, Vec<String>),
    /// A workbook and how it is packed.
    Workbook(Vec<Sheet>, String),
}

/// Opens a file by its first bytes and lines.
pub(super) fn open(bytes: &[u8]) -> Result<Opened, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Refusal::TooLarge { bytes: bytes.len() });
    }
    if ooxml::is_zip(bytes) {
        check_zip(bytes)?;
        let reason = "the content is a zip with a workbook in it (.xlsx)";
        return Ok(Opened::Workbook(workbook::from_zip(bytes)?, reason.to_owned()));
    }
    if bytes.starts_with(&compound::SIGNATURE) {
        let reason = "the content is a compound file with a workbook stream (.xls)";
        return Ok(Opened::Workbook(workbook::from_compound(bytes)?, reason.to_owned()));
    }
    if compound::SIGNATURE.starts_with(bytes) || b"PK".starts_with(bytes) {
        return Err(Refusal::cut("only the first bytes are there"));
    }
    let text = Text::decode(bytes);
    open_text(text).map_err(|refusal| match refusal {
        Refusal::NotOurs { .. } if is_binary(bytes) => foreign_binary(bytes),
        other => other,
    })
}

/// The file as a mapping looks at it, within the bounds of every file.
pub(super) fn unmapped(bytes: &[u8]) -> Result<Unmapped<'_>, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Refusal::TooLarge { bytes: bytes.len() });
    }
    if ooxml::is_zip(bytes) || bytes.starts_with(&compound::SIGNATURE) {
        return workbook::first_sheets(bytes).map(Unmapped::Book);
    }
    Ok(Unmapped::Text(bytes, Text::decode(bytes)))
}

fn open_text(text: Text) -> Result<Opened, Refusal> {
    let first: Vec<&str> = text.content.lines().take(FIRST_LINES).collect();
    let starred = first.iter().any(|line| line.starts_with("* ") && line.contains('='));
    let section = first.iter().filter_map(|line| section_name(line)).any(|n| SECTIONS.contains(&n));
    if starred || section {
        let reasons = [
            starred.then_some("metadata lines `* Key = Value`"),
            section.then_some("a section such as `[Results]`"),
        ];
        let reasons = reasons.into_iter().flatten().map(str::to_owned).collect();
        return Ok(Opened::AppliedBiosystems(text, reasons));
    }
    if first.first().is_some_and(|line| line.starts_with("# ") && line.contains(':')) {
        let reasons = vec!["metadata lines `# Key: value`".to_owned()];
        return Ok(Opened::DesignAnalysis(text, reasons));
    }
    if first.iter().take(TITLE_LINES).any(|line| lightcycler_480::is_title(line)) {
        let reasons = vec!["a title line that names the selected filter".to_owned()];
        return Ok(Opened::LightCycler480(text, reasons));
    }
    let top = first.iter().find(|line| !line.trim().is_empty());
    let top = top.and_then(|line| delimited(line, b',', 1).ok()).and_then(|mut rows| rows.pop());
    if top.is_some_and(|row| lighthouse::is_header(&row)) {
        let reasons = vec!["a header with Root Sample, RNA ID and Result".to_owned()];
        return Ok(Opened::Lighthouse(text, reasons));
    }
    if let Some(delimiter) = cfx_delimiter(&first) {
        let reasons = vec![format!(
            "a header with Well, Fluor and Cq separated by `{}`",
            char::from(delimiter).escape_default()
        )];
        return Ok(Opened::BioRadCfx(text, delimiter, reasons));
    }
    Err(Refusal::NotOurs { looked_like: foreign_text(&first) })
}

/// The name in a line that holds nothing but `[Name]`.
pub(super) fn section_name(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix('[')?.strip_suffix(']')?;
    (name.len() < 40 && !name.contains(['[', ']', '\t', '"'])).then_some(name)
}

fn cfx_delimiter(first: &[&str]) -> Option<u8> {
    let is_header = |line: &str, delimiter: u8| {
        let cells: Vec<String> = line
            .split(char::from(delimiter))
            .map(|cell| heading(cell.trim().trim_matches('"')))
            .collect();
        ["well", "fluor", "cq"].iter().all(|name| cells.iter().any(|cell| cell == name))
    };
    [b',', b';', b'\t']
        .into_iter()
        .find(|delimiter| first.iter().any(|line| is_header(line, *delimiter)))
}

/// What a text is that none of our formats matches.
fn foreign_text(first: &[&str]) -> &'static str {
    let top = first.first().map_or("", |line| line.trim_start());
    let line_with = |part: &str| first.iter().any(|line| line.contains(part));
    if line_with("Session Name") {
        "the inner result file of an .eds"
    } else if top.starts_with('<') {
        "XML"
    } else if top.starts_with('{') || top.starts_with("[{") {
        "JSON"
    } else if top.starts_with("MSH|") || top.starts_with("FHS|") {
        "an HL7 message"
    } else if top.starts_with("%PDF") {
        "a PDF"
    } else {
        "a text without instrument lines and without a results header"
    }
}

fn foreign_binary(bytes: &[u8]) -> Refusal {
    let looked_like = if bytes.starts_with(b"\x1f\x8b") {
        "a gzip archive, which must be unpacked first"
    } else if bytes.starts_with(b"%PDF") {
        "a PDF"
    } else {
        "binary data"
    };
    Refusal::NotOurs { looked_like }
}

/// Lets a zip pass that holds a workbook and names the other kinds.
fn check_zip(bytes: &[u8]) -> Result<(), Refusal> {
    let mut archive = ooxml::open(bytes)?;
    let name = |raw: &[u8]| String::from_utf8_lossy(raw).to_lowercase().replace('\\', "/");
    let names: Vec<String> = archive.file_names_raw().map(name).collect();
    let has = |start: &str| names.iter().any(|name| name.starts_with(start));
    // An .eds may hold a report as a workbook of its own.
    let looked_like = if has("apldbio/sds/") || has("setup/plate_setup.json") {
        "an .eds experiment, which is not read yet"
    } else if has("xl/") {
        return Ok(());
    } else if (0..archive.len().min(8)).any(|index| is_rdml(&mut archive, index)) {
        "RDML, which is not read yet"
    } else {
        "a zip without a workbook"
    };
    Err(Refusal::NotOurs { looked_like })
}

/// Bio-Rad names the member differently, so its root element decides.
fn is_rdml(archive: &mut zip::ZipArchive<std::io::Cursor<&[u8]>>, index: usize) -> bool {
    let mut start = Vec::new();
    let read = archive
        .by_index(index)
        .is_ok_and(|member| member.take(1024).read_to_end(&mut start).is_ok());
    read && start.windows(5).any(|window| window == b"<rdml")
}

/// Whose workbook it is, by the headings of its results sheet, else by the lines above.
pub(super) fn workbook_format(
    sheet: &str,
    metadata: &Metadata,
    table: &Table,
) -> Option<(Format, String)> {
    let diomni = heading(sheet) == "primary_result";
    let column = |names: &[&'static str]| {
        names
            .iter()
            .find(|name| table.column(name).is_some())
            .map(|name| format!("column `{name}`"))
    };
    let key = |start: &str| {
        metadata.has_key_starting(start).then(|| format!("lines above the table with `{start}`"))
    };
    let instrument = key("instrument type").or_else(|| key("block type"))?;
    let design = || {
        diomni
            .then(|| "sheet `Primary_result`".to_owned())
            .or_else(|| column(&["sample", "target"]))
            .or_else(|| key("run start date/time"))
            .or_else(|| key("run duration"))
    };
    let found = if let Some(reason) = column(&["sample name", "target name"]) {
        (Format::AppliedBiosystemsWorkbook, reason)
    } else if let Some(reason) = design() {
        (Format::DesignAnalysisWorkbook, reason)
    } else {
        (Format::AppliedBiosystemsWorkbook, instrument)
    };
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> &'static str {
        match open(bytes) {
            Err(Refusal::NotOurs { looked_like }) => looked_like,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn foreign_files_are_called_by_their_kind() {
        assert_eq!(refused(b"%PDF-1.7 \0"), "a PDF");
        assert_eq!(refused(b"MSH|^~\\&|LAB"), "an HL7 message");
        assert_eq!(refused(b"<?xml version='1.0'?>"), "XML");
        assert_eq!(refused(b"{\"a\": 1}"), "JSON");
        assert_eq!(refused(b"\x1f\x8b\x08\0\0"), "a gzip archive, which must be unpacked first");
        assert_eq!(refused(b"\x89PNG\r\n\x1a\n\0\0"), "binary data");
    }

    #[test]
    fn nothing_and_too_much_are_refused_before_they_are_looked_at() {
        assert_eq!(open(b"").unwrap_err(), Refusal::Empty);
        let huge = vec![b'*'; MAX_FILE_BYTES + 1];
        assert_eq!(open(&huge).unwrap_err(), Refusal::TooLarge { bytes: MAX_FILE_BYTES + 1 });
        assert!(matches!(open(b"PK"), Err(Refusal::CutShort { .. })));
    }

    #[test]
    fn a_cfx_header_is_known_by_its_columns_whatever_separates_them() {
        for (line, delimiter) in [
            (",Well,Fluor,Target,Content,Sample,Cq", b','),
            ("\"\";\"Well\";\"Fluor\";\"Cq\"", b';'),
        ] {
            assert_eq!(cfx_delimiter(&["preamble", line]), Some(delimiter));
        }
        assert_eq!(cfx_delimiter(&[",Well,Fluor,Target"]), None);
    }

    #[test]
    fn a_section_is_a_line_of_its_own() {
        assert_eq!(section_name("[Results]\r"), Some("Results"));
        assert_eq!(section_name("[1,2]\t[3]"), None);
        assert_eq!(section_name("A1\t[x]"), None);
    }
}
