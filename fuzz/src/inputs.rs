//! How an inner part becomes a file, and what holds for every run that was let in.

use std::io::{Cursor, Write as _};

use swabline::instrument::{self, Curve, Mapping, Mappings, Reading, RunFile};
use swabline::plate::PlateSize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What stands between the parts of an input that becomes more than one file or member.
pub const BETWEEN: &[u8] = b"\n=====\n";
/// Names that a file states once and that every reading of it repeats are no longer together.
const REPEATED: usize = 8 * 1024;

/// Reads a run file. Whatever the bytes are, it is refused with a reason or makes sense.
pub fn read(bytes: &[u8]) {
    if let Ok(run) = instrument::read(bytes) {
        makes_sense(&run, bytes.len());
    }
}

/// The same by the mapping of that number, which the uploader named.
pub fn read_mapped(bytes: &[u8], number: u8) {
    let mappings = Mappings::shipped();
    let named: Option<&Mapping> = mappings.iter().nth(usize::from(number % 8));
    if let Ok(part) = instrument::read_part(bytes, mappings, named) {
        makes_sense(&part.run, bytes.len());
    }
}

/// Asserts what holds for every run that was let in from a file of so many bytes.
pub fn makes_sense(run: &RunFile, bytes: usize) {
    assert!(!run.readings.is_empty(), "a run without a reading was let in");
    let size = run.plate_size.expect("a run with readings has a plate");
    let mut text = 0;
    for reading in &run.readings {
        assert!(size.contains(reading.well), "{} lies off the plate", reading.well);
        text += letters(reading);
    }
    for curve in &run.curves {
        is_a_curve(curve, size);
    }
    let most = 8 * bytes + REPEATED * run.readings.len();
    assert!(text <= most, "{text} bytes of names out of a file of {bytes}");
}

fn letters(reading: &Reading) -> usize {
    let Reading { sample, target, dye, task, raw_ct, amp_status, instrument_call, .. } = reading;
    let optional = [amp_status, instrument_call].into_iter().flatten();
    [sample, target, dye, task, raw_ct].into_iter().chain(optional).map(String::len).sum()
}

fn is_a_curve(curve: &Curve, size: PlateSize) {
    assert!(size.contains(curve.well), "the curve of {} lies off the plate", curve.well);
    assert!(curve.points.is_sorted_by(|a, b| a.cycle < b.cycle), "cycles run forward");
    assert!(curve.points.iter().all(|point| point.signal.is_finite()), "{:?}", curve.well);
    let mut bytes = Vec::new();
    let first = curve.pack(&mut bytes);
    assert!(Curve::unpack(first, &bytes).is_some(), "what was read cannot be stored");
}

/// The parts of an input, at least one.
pub fn parts(bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        parts.push(&rest[..at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    parts.push(rest);
    parts
}

/// A zip with the parts of an input under these names, as many as there are of both; stored as
/// they are, so that a fuzzer changes what is inside and not the checksum around it.
pub fn zip(names: &[&str], parts: &[&[u8]]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, content) in names.iter().zip(parts) {
        zip.start_file(*name, stored).expect("a short name");
        zip.write_all(content).expect("memory takes it");
    }
    zip.finish().expect("memory takes it").into_inner()
}

/// A sound workbook (`.xlsx`) around the parts of an input: the sheet `Results`, the shared
/// strings, the sheet `Amplification Data`, the sheet `Target Call`.
pub fn xlsx(parts: &[&[u8]]) -> Vec<u8> {
    const NAMES: [&str; 4] = [
        "xl/worksheets/sheet1.xml",
        "xl/sharedStrings.xml",
        "xl/worksheets/sheet2.xml",
        "xl/worksheets/sheet3.xml",
    ];
    let none: &[u8] = b"<worksheet><sheetData/></worksheet>";
    let part = |at: usize, otherwise| parts.get(at).copied().unwrap_or(otherwise);
    let names = ["[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", RELATIONS_NAME];
    let names: Vec<&str> = names.into_iter().chain(NAMES).collect();
    let contents = [
        CONTENT_TYPES,
        RELATIONS,
        WORKBOOK,
        WORKBOOK_RELATIONS,
        part(0, none),
        part(1, b"<sst/>"),
        part(2, none),
        part(3, none),
    ];
    zip(&names, &contents)
}

const CONTENT_TYPES: &[u8] = br#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"#;
const RELATIONS: &[u8] = br#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const WORKBOOK: &[u8] = br#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Results" sheetId="1" r:id="rId1"/><sheet name="Amplification Data" sheetId="2" r:id="rId2"/><sheet name="Target Call" sheetId="3" r:id="rId3"/></sheets></workbook>"#;
const RELATIONS_NAME: &str = "xl/_rels/workbook.xml.rels";
const WORKBOOK_RELATIONS: &[u8] = br#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet2.xml"/><Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet3.xml"/><Relationship Id="rId4" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#;
