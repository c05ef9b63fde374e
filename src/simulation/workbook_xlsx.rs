//! A workbook as `.xlsx` (ECMA-376): sheets of inline texts and numbers in a zip.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::workbook::{Cell, Sheet};

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const CONTENT: &str = "http://schemas.openxmlformats.org/package/2006/content-types";
const RELATIONS: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const KIND: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";

/// A workbook of these sheets.
pub(super) fn file(sheets: &[Sheet]) -> Vec<u8> {
    let numbered = || (1..).zip(sheets);
    let each = |write: fn(usize, &str) -> String| -> String {
        numbered().map(|(number, sheet)| write(number, sheet.name)).collect()
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
    files.extend(numbered().map(|(n, sheet)| (format!("xl/worksheets/sheet{n}.xml"), xml(sheet))));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let written = zip
            .start_file(name, SimpleFileOptions::default())
            .and_then(|()| Ok(zip.write_all(content.as_bytes())?));
        written.expect("memory takes what is written");
    }
    zip.finish().expect("memory takes what is written").into_inner()
}

fn xml(sheet: &Sheet) -> String {
    let mut xml = format!(r#"{DECLARATION}<worksheet xmlns="{MAIN}"><sheetData>"#);
    let mut add = |part: std::fmt::Arguments<'_>| {
        xml.write_fmt(part).expect("writing to a string does not fail");
    };
    for (number, row) in (1..).zip(&sheet.rows) {
        add(format_args!("<row r=\"{number}\">"));
        for (column, cell) in ('A'..).zip(row) {
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
    xml + "</sheetData></worksheet>"
}
