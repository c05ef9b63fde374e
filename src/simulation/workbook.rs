//! A run as the workbook (`.xlsx`) an Applied Biosystems program writes: one sheet for each block.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::files::{BASELINE, SimulatedRun};
use crate::instrument::Curve;

const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/><Override PartName="/xl/worksheets/sheet2.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#;
const ROOT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const SHEETS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Amplification Data" sheetId="1" r:id="rId1"/><sheet name="Results" sheetId="2" r:id="rId2"/></sheets></workbook>"#;
const PARTS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet2.xml"/></Relationships>"#;

/// The workbook of a run and its curves.
pub fn quantstudio_workbook(run: &SimulatedRun, curves: &[Curve]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [
        ("[Content_Types].xml", CONTENT_TYPES.to_owned()),
        ("_rels/.rels", ROOT.to_owned()),
        ("xl/workbook.xml", SHEETS.to_owned()),
        ("xl/_rels/workbook.xml.rels", PARTS.to_owned()),
        ("xl/worksheets/sheet1.xml", amplification(run, curves)),
        ("xl/worksheets/sheet2.xml", results(run)),
    ] {
        let written = zip
            .start_file(name, SimpleFileOptions::default())
            .and_then(|()| Ok(zip.write_all(content.as_bytes())?));
        written.expect("memory takes what is written");
    }
    zip.finish().expect("memory takes what is written").into_inner()
}

/// One cell to write.
enum Cell<'a> {
    Text(&'a str),
    Number(String),
}

/// A sheet that grows row by row.
struct Sheet {
    xml: String,
    rows: usize,
}

impl Sheet {
    /// A sheet with the lines every sheet of the program begins with.
    fn new(run: &SimulatedRun) -> Self {
        let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>"#;
        let mut sheet = Self { xml: xml.to_owned(), rows: 0 };
        for (key, value) in [
            ("Block Type", run.block()),
            ("Experiment Barcode", &run.plate_barcode),
            ("Experiment Run End Time", &run.run_ended),
            ("Instrument Serial Number", &run.serial),
            ("Instrument Type", &run.instrument),
            ("Quantification Cycle Method", "Ct"),
        ] {
            sheet.row(&[Cell::Text(key), Cell::Text(value)]);
        }
        sheet.row(&[]);
        sheet
    }

    fn row(&mut self, cells: &[Cell<'_>]) {
        self.rows += 1;
        let (number, xml) = (self.rows, &mut self.xml);
        let mut add = |part: std::fmt::Arguments<'_>| {
            xml.write_fmt(part).expect("writing to a string does not fail");
        };
        add(format_args!("<row r=\"{number}\">"));
        for (column, cell) in ('A'..).zip(cells) {
            match cell {
                Cell::Text(text) => {
                    let text = text.replace('&', "&amp;").replace('<', "&lt;");
                    add(format_args!(
                        "<c r=\"{column}{number}\" t=\"inlineStr\"><is><t>{text}</t></is></c>"
                    ));
                }
                Cell::Number(value) => {
                    add(format_args!("<c r=\"{column}{number}\"><v>{value}</v></c>"));
                }
            }
        }
        add(format_args!("</row>"));
    }

    fn end(self) -> String {
        self.xml + "</sheetData></worksheet>"
    }
}

fn amplification(run: &SimulatedRun, curves: &[Curve]) -> String {
    let mut sheet = Sheet::new(run);
    let header = ["Well", "Well Position", "Cycle", "Target Name", "Rn", "ΔRn"];
    sheet.row(&header.map(Cell::Text));
    for curve in curves {
        let well = curve.well.to_string();
        for point in &curve.points {
            sheet.row(&[
                Cell::Number((curve.well.index(run.plate_size) + 1).to_string()),
                Cell::Text(&well),
                Cell::Number(point.cycle.to_string()),
                Cell::Text(&curve.target),
                Cell::Number((point.signal + BASELINE).to_string()),
                Cell::Number(point.signal.to_string()),
            ]);
        }
    }
    sheet.end()
}

fn results(run: &SimulatedRun) -> String {
    let mut sheet = Sheet::new(run);
    let header =
        ["Well", "Well Position", "Omit", "Sample Name", "Target Name", "Task", "Reporter", "CT"];
    sheet.row(&header.map(Cell::Text));
    for one in &run.wells {
        let well = one.well.to_string();
        sheet.row(&[
            Cell::Number((one.well.index(run.plate_size) + 1).to_string()),
            Cell::Text(&well),
            Cell::Text("false"),
            Cell::Text(&one.sample),
            Cell::Text(&one.target),
            Cell::Text(&one.task),
            Cell::Text(&one.dye),
            one.ct.map_or(Cell::Text("Undetermined"), |ct| Cell::Number(ct.to_string())),
        ]);
    }
    sheet.end()
}
