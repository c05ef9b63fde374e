//! A run as the workbook (`.xlsx`) an Applied Biosystems program or Design & Analysis writes: one
//! sheet for each block.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::files::{BASELINE, SimulatedRun};
use crate::instrument::{Ct, Curve};
use crate::plate::WellPosition;

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const CONTENT: &str = "http://schemas.openxmlformats.org/package/2006/content-types";
const RELATIONS: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const KIND: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";

/// Whose Design & Analysis workbook it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DesignAnalysis {
    /// Design & Analysis 2, as `QuantStudio` 6 and 7 Pro bring it: the sheet `Results`.
    Two,
    /// Diomni: the sheet `Primary_result`, wells as `A01` and tokens in capitals.
    Diomni,
}

/// The workbook of a run and its curves.
pub fn quantstudio_workbook(run: &SimulatedRun, curves: &[Curve]) -> Vec<u8> {
    package(&[("Amplification Data", amplification(run, curves)), ("Results", results(run))])
}

/// The workbook of a run as Design & Analysis writes it, with what the program calls in a sheet
/// beside the results. Of each target of a well it knows one dye.
pub fn design_analysis_workbook(run: &SimulatedRun, program: DesignAnalysis) -> Vec<u8> {
    let results = match program {
        DesignAnalysis::Two => "Results",
        DesignAnalysis::Diomni => "Primary_result",
    };
    let sheets = [(results, primary(run, program)), ("Target Call", target_calls(run, program))];
    package(&sheets)
}

/// A workbook of these sheets.
fn package(sheets: &[(&str, String)]) -> Vec<u8> {
    let numbered = || (1..).zip(sheets);
    let each = |write: fn(usize, &str) -> String| -> String {
        numbered().map(|(number, (name, _))| write(number, name)).collect()
    };
    let types = each(|number, _| {
        format!(
            r#"<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{KIND}.worksheet+xml"/>"#
        )
    });
    let names = each(|number, name| {
        format!(r#"<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>"#)
    });
    let parts = each(|number, _| {
        format!(
            r#"<Relationship Id="rId{number}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>"#
        )
    });
    let mut files = vec![
        (
            "[Content_Types].xml".to_owned(),
            format!(
                r#"{DECLARATION}<Types xmlns="{CONTENT}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>{types}</Types>"#
            ),
        ),
        (
            "_rels/.rels".to_owned(),
            format!(
                r#"{DECLARATION}<Relationships xmlns="{RELATIONS}"><Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/workbook.xml".to_owned(),
            format!(
                r#"{DECLARATION}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{names}</sheets></workbook>"#
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels".to_owned(),
            format!(r#"{DECLARATION}<Relationships xmlns="{RELATIONS}">{parts}</Relationships>"#),
        ),
    ];
    files.extend(
        numbered().map(|(n, (_, xml))| (format!("xl/worksheets/sheet{n}.xml"), xml.clone())),
    );
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
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
        Self::under(&[
            ("Block Type", run.block()),
            ("Experiment Barcode", &run.plate_barcode),
            ("Experiment Run End Time", &run.run_ended),
            ("Instrument Serial Number", &run.serial),
            ("Instrument Type", &run.instrument),
            ("Quantification Cycle Method", "Ct"),
        ])
    }

    /// The same of Design & Analysis, which misspells one of them.
    fn of_design_analysis(run: &SimulatedRun) -> Self {
        Self::under(&[
            ("Barcode", &run.plate_barcode),
            ("Block Type", run.block()),
            ("Instrument Type", &run.instrument),
            ("Instrument Serial Number", &run.serial),
            ("Run End Data/Time", &run.run_ended),
            ("Quantification Cycle Method", "Cq"),
        ])
    }

    fn under(lines: &[(&str, &str)]) -> Self {
        let xml = format!(r#"{DECLARATION}<worksheet xmlns="{MAIN}"><sheetData>"#);
        let mut sheet = Self { xml, rows: 0 };
        for (key, value) in lines {
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

impl DesignAnalysis {
    /// A well as the program writes it.
    fn well(self, well: WellPosition) -> String {
        match self {
            Self::Two => well.to_string(),
            Self::Diomni => {
                format!("{}{:02}", char::from(b'A' + well.row()), well.column() + 1)
            }
        }
    }

    /// What it writes where there is no Ct.
    const fn undetermined(self) -> &'static str {
        match self {
            Self::Two => "Undetermined",
            Self::Diomni => "UNDETERMINED",
        }
    }

    /// What it calls a target with or without a Ct.
    pub const fn call(self, is_there: bool) -> &'static str {
        match (self, is_there) {
            (Self::Two, true) => "Presence",
            (Self::Two, false) => "Absence",
            (Self::Diomni, true) => "PRESENCE",
            (Self::Diomni, false) => "ABSENCE",
        }
    }

    /// A Ct or what stands for none.
    fn cycles(self, ct: Option<Ct>) -> Cell<'static> {
        ct.map_or(Cell::Text(self.undetermined()), |ct| Cell::Number(ct.to_string()))
    }
}

fn primary(run: &SimulatedRun, program: DesignAnalysis) -> String {
    let mut sheet = Sheet::of_design_analysis(run);
    let header =
        ["Well", "Well Position", "Omit", "Sample", "Target", "Task", "Reporter", "Quencher", "Cq"];
    sheet.row(&header.map(Cell::Text));
    for one in &run.wells {
        let well = program.well(one.well);
        sheet.row(&[
            Cell::Number((one.well.index(run.plate_size) + 1).to_string()),
            Cell::Text(&well),
            Cell::Text("false"),
            Cell::Text(&one.sample),
            Cell::Text(&one.target),
            Cell::Text(&one.task),
            Cell::Text(&one.dye),
            Cell::Text("NFQ-MGB"),
            program.cycles(one.ct),
        ]);
    }
    sheet.end()
}

fn target_calls(run: &SimulatedRun, program: DesignAnalysis) -> String {
    let mut sheet = Sheet::of_design_analysis(run);
    let header = ["Well Position", "Sample", "Target", "Call", "Quality issue(s)", "Cq"];
    sheet.row(&header.map(Cell::Text));
    for one in &run.wells {
        let well = program.well(one.well);
        sheet.row(&[
            Cell::Text(&well),
            Cell::Text(&one.sample),
            Cell::Text(&one.target),
            Cell::Text(program.call(one.ct.is_some())),
            Cell::Text(""),
            program.cycles(one.ct),
        ]);
    }
    sheet.end()
}
