//! Which format is this, by content, with reasons; never by the file's name.

use std::borrow::Cow;

use super::archive::Archive;
use super::mapping_read::Unmapped;
use super::metadata::Metadata;
use super::table::{MAX_COLUMNS, MAX_FILE_BYTES, Table, heading};
use super::text::{Text, delimited, is_binary};
use super::workbook::{self, Sheet};
use super::{
    Format, Refusal, compound, eds, eds_json, lightcycler_480, lighthouse, ooxml, rdml, xml,
};
use crate::error::Reason;

/// Lines looked at to tell what a text is.
const FIRST_LINES: usize = 60;
/// Lines within which a title stands.
const TITLE_LINES: usize = 3;

/// Bytes looked at for the root of XML.
const FIRST_BYTES: usize = 4_096;

/// The folder of a workbook's members in its zip.
const WORKBOOK: &str = "xl/";

/// Sections by which a text without metadata lines is still known; other files have brackets too.
const SECTIONS: [&str; 5] =
    ["Sample Setup", "Raw Data", "Amplification Data", "Multicomponent Data", "Results"];

/// A file opened as far as needed to know what it is.
pub(super) enum Opened<'a> {
    /// Applied Biosystems text, and why.
    AppliedBiosystems(Text, Vec<Reason>),
    /// Design & Analysis CSV, and why.
    DesignAnalysis(Text, Vec<Reason>),
    /// Bio-Rad CFX separated by that byte, and why.
    BioRadCfx(Text, u8, Vec<Reason>),
    /// A LightCycler 480 export of one filter, and why.
    LightCycler480(Text, Vec<Reason>),
    /// A Lighthouse result list, and why.
    Lighthouse(Text, Vec<Reason>),
    /// A workbook and how it is packed.
    Workbook(Vec<Sheet>, Reason),
    /// The XML of an RDML file, and why.
    Rdml(Cow<'a, [u8]>, Vec<Reason>),
    /// An old `.eds`, and why.
    SdsEds(Archive<'a>, Vec<Reason>),
    /// The inner result file of an old `.eds`, and why.
    SdsResult(Text, Vec<Reason>),
    /// A new `.eds`, and why.
    DesignAnalysisEds(Archive<'a>, Vec<Reason>),
}

/// Opens a file by its first bytes and lines.
pub(super) fn open(bytes: &[u8]) -> Result<Opened<'_>, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Refusal::TooLarge { bytes: bytes.len() });
    }
    if ooxml::is_zip(bytes) {
        return open_zip(bytes);
    }
    if bytes.starts_with(&compound::SIGNATURE) {
        let message = "the content is a compound file with a workbook stream (.xls)";
        let reason = Reason::new("format.compound", "Workbook", message);
        return Ok(Opened::Workbook(workbook::from_compound(bytes)?, reason));
    }
    if compound::SIGNATURE.starts_with(bytes) || b"PK".starts_with(bytes) {
        return Err(Refusal::cut("only the first bytes are there"));
    }
    if xml::root(&bytes[..bytes.len().min(FIRST_BYTES)]).is_some_and(|root| root == "rdml") {
        let message = "the content is XML whose root is `rdml`";
        let reasons = vec![Reason::new("format.root", "rdml", message)];
        return Ok(Opened::Rdml(Cow::Borrowed(bytes), reasons));
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

fn open_text<'a>(text: Text) -> Result<Opened<'a>, Refusal> {
    let first: Vec<&str> = text.content.lines().take(FIRST_LINES).collect();
    let starred = first.iter().any(|line| line.starts_with("* ") && line.contains('='));
    let mut sections = first.iter().filter_map(|line| section_name(line));
    let section = sections.find(|name| SECTIONS.contains(name));
    if starred || section.is_some() {
        let section = section.map(|name| {
            let name = format!("[{name}]");
            let message = format!("a section `{name}`");
            Reason::new("format.section", name, message)
        });
        let reasons = starred.then(|| lines("* Key = Value")).into_iter().chain(section).collect();
        return Ok(Opened::AppliedBiosystems(text, reasons));
    }
    if first.first().is_some_and(|line| line.starts_with("# ") && line.contains(':')) {
        return Ok(Opened::DesignAnalysis(text, vec![lines("# Key: value")]));
    }
    if first.iter().take(TITLE_LINES).any(|line| lightcycler_480::is_title(line)) {
        return Ok(Opened::LightCycler480(text, vec![lightcycler_480::known()]));
    }
    let top = first.iter().find(|line| !line.trim().is_empty());
    let top = top.and_then(|line| delimited(line, b',', 1).ok()).and_then(|mut rows| rows.pop());
    if top.is_some_and(|row| lighthouse::is_header(&row)) {
        return Ok(Opened::Lighthouse(text, vec![lighthouse::known()]));
    }
    if let Some(delimiter) = cfx_delimiter(&first) {
        let reasons = vec![header("Well, Fluor, Cq"), separator(delimiter)];
        return Ok(Opened::BioRadCfx(text, delimiter, reasons));
    }
    if first.iter().any(|line| is_sds_header(line)) {
        return Ok(Opened::SdsResult(text, vec![header("Well, Detector, Ct")]));
    }
    Err(Refusal::NotOurs { looked_like: foreign_text(&first) })
}

fn lines(shape: &str) -> Reason {
    Reason::new("format.lines", shape, format!("metadata lines `{shape}`"))
}

/// Known by the columns of its header.
pub(super) fn header(columns: &str) -> Reason {
    Reason::new("format.header", columns, format!("a header with {columns}"))
}

/// Known by what stands between its columns.
pub(super) fn separator(byte: u8) -> Reason {
    let shown = char::from(byte).escape_default().to_string();
    let message = format!("columns separated by `{shown}`");
    Reason::new("format.separator", shown, message)
}

/// The name in a line that holds nothing but `[Name]`.
pub(super) fn section_name(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix('[')?.strip_suffix(']')?;
    (name.len() < 40 && !name.contains(['[', ']', '\t', '"'])).then_some(name)
}

/// The header of an old `.eds`' results: the only one that calls a target its detector.
fn is_sds_header(line: &str) -> bool {
    let cells: Vec<String> = line.split('\t').take(MAX_COLUMNS).map(heading).collect();
    let has = |name: &str| cells.iter().any(|cell| cell == name);
    cells[0] == "well" && has("detector") && (has("ct") || has("call"))
}

fn cfx_delimiter(first: &[&str]) -> Option<u8> {
    let is_header = |line: &str, delimiter: u8| {
        let cells: Vec<String> = line
            .split(char::from(delimiter))
            .take(MAX_COLUMNS)
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
    if top.starts_with('<') {
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

/// Opens a zip by what it holds. An `.eds` may hold a report as a workbook of its own.
fn open_zip(bytes: &[u8]) -> Result<Opened<'_>, Refusal> {
    let mut archive = Archive::open(bytes)?;
    let zip_with = |what: &str| {
        Reason::new("format.zip", what, format!("the content is a zip with `{what}` in it"))
    };
    if let Some(member) = [eds_json::SETUP, eds_json::RESULT].into_iter().find(|m| archive.has(m)) {
        return Ok(Opened::DesignAnalysisEds(archive, vec![zip_with(member)]));
    }
    if archive.has(eds::FOLDER) {
        return Ok(Opened::SdsEds(archive, vec![zip_with(eds::FOLDER)]));
    }
    if archive.has(WORKBOOK) {
        return Ok(Opened::Workbook(workbook::from_zip(bytes)?, zip_with(WORKBOOK)));
    }
    match rdml_member(&mut archive) {
        Some(index) => {
            let message = "the content is a zip with XML in it whose root is `rdml`";
            let reasons = vec![Reason::new("format.zip_root", "rdml", message)];
            Ok(Opened::Rdml(Cow::Owned(archive.unpack(index)?), reasons))
        }
        None => Err(Refusal::NotOurs { looked_like: "a zip without a run in it" }),
    }
}

/// The member with the run: by the standard's name, else by its root, for Bio-Rad has a name of
/// its own and `LightCycler` 96 five members more.
fn rdml_member(archive: &mut Archive<'_>) -> Option<usize> {
    const LOOKED_AT: usize = 16;
    let is_rdml = |archive: &mut Archive<'_>, index: usize| {
        let start = archive.beginning(index);
        start.and_then(|start| xml::root(&start)).is_some_and(|root| root == "rdml")
    };
    let mut order: Vec<usize> = (0..archive.len().min(LOOKED_AT)).collect();
    order.sort_by_key(|index| !archive.is_named(*index, rdml::MEMBER));
    order.into_iter().find(|index| is_rdml(archive, *index))
}

/// Whose workbook it is, and why: by the headings of its results sheet, else by the lines above.
pub(super) fn workbook_format(
    sheet: &str,
    metadata: &Metadata,
    table: &Table,
) -> Option<(Format, Vec<Reason>)> {
    let diomni = heading(sheet) == "primary_result";
    let column = |names: &[&'static str]| {
        names
            .iter()
            .find(|name| table.column(name).is_some())
            .map(|name| Reason::new("format.column", *name, format!("a column `{name}`")))
    };
    let key = |start: &str| {
        let message = format!("lines above the table with `{start}`");
        metadata.has_key_starting(start).then(|| Reason::new("format.above", start, message))
    };
    let named = Reason::new("format.sheet", sheet, format!("a sheet `{sheet}`"));
    let instrument = key("instrument type").or_else(|| key("block type"))?;
    let design = || {
        column(&["sample", "target"])
            .or_else(|| key("run start date/time"))
            .or_else(|| key("run duration"))
    };
    let (format, why) = if let Some(reason) = column(&["sample name", "target name"]) {
        (Format::AppliedBiosystemsWorkbook, Some(reason))
    } else if diomni {
        (Format::DesignAnalysisWorkbook, None)
    } else if let Some(reason) = design() {
        (Format::DesignAnalysisWorkbook, Some(reason))
    } else {
        (Format::AppliedBiosystemsWorkbook, Some(instrument))
    };
    Some((format, [Some(named), why].into_iter().flatten().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> &'static str {
        match open(bytes) {
            Err(Refusal::NotOurs { looked_like }) => looked_like,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it was opened"),
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
        assert_eq!(open(b"").err(), Some(Refusal::Empty));
        let huge = vec![b'*'; MAX_FILE_BYTES + 1];
        assert_eq!(open(&huge).err(), Some(Refusal::TooLarge { bytes: MAX_FILE_BYTES + 1 }));
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

    fn zipped(members: &[(&str, &str)]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in members {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut zip, content.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// Name of what was opened, and the first reason.
    fn opened(bytes: &[u8]) -> (&'static str, String) {
        let (name, reasons) = match open(bytes).unwrap_or_else(|refusal| panic!("{refusal}")) {
            Opened::Rdml(_, reasons) => ("rdml", reasons),
            Opened::SdsEds(_, reasons) => ("sds", reasons),
            Opened::SdsResult(_, reasons) => ("result", reasons),
            Opened::DesignAnalysisEds(_, reasons) => ("json", reasons),
            _ => panic!("it is a run of another kind"),
        };
        (name, reasons[0].message.clone())
    }

    #[test]
    fn zips_are_told_apart_by_their_members() {
        let root = "<?xml version='1.0'?><rdml version='1.1'/>";
        let other = "<!-- rdml --><modules/>";
        for (members, name, why) in [
            (&[("rdml_data.xml", root)][..], "rdml", "root is `rdml`"),
            (&[("a.xml", other), ("Bio-Rad.xml", root)], "rdml", "root is `rdml`"),
            (&[("APLDBIO\\SDS\\x", "")], "sds", "`apldbio/sds/`"),
            (&[("xl/workbook.xml", ""), ("apldbio/sds/x", "")], "sds", "`apldbio/sds/`"),
            (&[("setup/plate_setup.json", "{}")], "json", "plate_setup.json"),
            (&[("primary/analysis_result.json", "{}")], "json", "analysis_result.json"),
        ] {
            let (found, reason) = opened(&zipped(members));
            assert_eq!(found, name);
            assert!(reason.contains(why), "{reason}");
        }
        let foreign = zipped(&[("rdml_data.xml", other), ("notes.txt", "rdml")]);
        assert_eq!(refused(&foreign), "a zip without a run in it");
        assert_eq!(refused(&zipped(&[])), "a zip without a run in it");
    }

    #[test]
    fn rdml_and_results_are_known_without_their_zip() {
        assert_eq!(opened(b"<r:rdml xmlns:r='x' version='1.3'>").0, "rdml");
        assert_eq!(
            opened(b"Session Name\t\r\nWell\tSample Name\tDetector\tTask\tCt\r\n").0,
            "result"
        );
        assert_eq!(refused(b"<notrdml version='1.3'>"), "XML");
        let other = b"Session Name\t\nWell\tDetector\n";
        assert_eq!(refused(other), "a text without instrument lines and without a results header");
    }

    #[test]
    fn a_section_is_a_line_of_its_own() {
        assert_eq!(section_name("[Results]\r"), Some("Results"));
        assert_eq!(section_name("[1,2]\t[3]"), None);
        assert_eq!(section_name("A1\t[x]"), None);
    }
}
