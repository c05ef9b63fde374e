//! Sheets of an `.xlsx`: a zip that is measured before calamine may read it.

use std::io::{self, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, Reader, Xlsx};
use zip::ZipArchive;

use super::Refusal;
use super::table::MAX_UNPACKED_BYTES;
use super::workbook::{Put, Sheet, Value, once_each};

/// First bytes of a zip: with a member, without one, or once split in volumes (Bio-Rad's RDML).
const SIGNATURES: [[u8; 4]; 3] = [*b"PK\x03\x04", *b"PK\x05\x06", *b"PK\x07\x08"];
/// Most members of the zip; a workbook has one a sheet and a dozen more.
const MAX_MEMBERS: usize = 2_000;
/// Shortest shared string, `<si/>`: a count beyond length / 5 is a lie.
const SHORTEST_STRING: usize = 5;
/// Most tags among the shared strings, which take some three each: calamine keeps every string,
/// and a small zip may hold millions.
const MAX_STRING_TAGS: usize = 4 << 20;

/// Whether the bytes begin like a zip.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    SIGNATURES.iter().any(|signature| bytes.starts_with(signature))
}

/// The zip's directory and the names in it; broken when it has lost its end.
pub(super) fn open(bytes: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>, Refusal> {
    ZipArchive::new(Cursor::new(bytes)).map_err(|_no_end| broken())
}

/// The sheets of a zipped workbook, with the rows of those that are wanted by name.
pub(super) fn sheets(
    bytes: &[u8],
    is_wanted: &mut dyn FnMut(&str) -> bool,
) -> Result<Vec<Sheet>, Refusal> {
    measure(&mut open(bytes)?, MAX_UNPACKED_BYTES)?;
    // A forged workbook must not take the program down, whatever the reader behind makes of it.
    catch_unwind(AssertUnwindSafe(|| read(bytes, is_wanted))).unwrap_or_else(|_panic| Err(broken()))
}

fn broken() -> Refusal {
    Refusal::cut("the zipped workbook cannot be unpacked")
}

/// Unpacks every member once into nothing, `left` bytes at most, so that neither a directory that lies nor one that
/// tells the truth about a huge member reaches the reader behind.
fn measure(archive: &mut ZipArchive<Cursor<&[u8]>>, mut left: u64) -> Result<(), Refusal> {
    if archive.len() > MAX_MEMBERS || archive.has_duplicate_names() {
        return Err(broken());
    }
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(|_unreadable| broken())?;
        if member.size() > left {
            return Err(Refusal::UnpacksTooLarge);
        }
        let name = member.name().map_err(|_unreadable| broken())?.to_lowercase();
        let mut limited = (&mut member).take(left + 1);
        let length = if name.ends_with("sharedstrings.xml") {
            let mut content = Vec::new();
            let length = limited.read_to_end(&mut content).map_err(|_damaged| broken())?;
            if !states_a_true_count(&content) {
                return Err(broken());
            }
            if content.split(|byte| *byte == b'<').nth(MAX_STRING_TAGS + 1).is_some() {
                return Err(Refusal::UnpacksTooLarge);
            }
            u64::try_from(length).unwrap_or(u64::MAX)
        } else {
            io::copy(&mut limited, &mut io::sink()).map_err(|_damaged| broken())?
        };
        left = left.checked_sub(length).ok_or(Refusal::UnpacksTooLarge)?;
    }
    Ok(())
}

/// calamine 0.38 reserves memory for as many strings as `uniqueCount` says. A NUL would mean
/// UTF-16, where the attribute could hide from this look.
fn states_a_true_count(content: &[u8]) -> bool {
    const ATTRIBUTE: &[u8] = b"uniqueCount";
    let counts = content.windows(ATTRIBUTE.len()).enumerate().filter(|(_, w)| *w == ATTRIBUTE);
    let true_count = |at: usize| {
        let value = content[at + ATTRIBUTE.len()..].iter().take(40);
        let digits: String = value
            .skip_while(|byte| !byte.is_ascii_digit())
            .take_while(|byte| byte.is_ascii_digit())
            .map(|byte| char::from(*byte))
            .collect();
        digits.parse::<usize>().is_ok_and(|count| count <= content.len() / SHORTEST_STRING)
    };
    !content.contains(&0) && counts.map(|(at, _)| at).all(true_count)
}

fn read(bytes: &[u8], is_wanted: &mut dyn FnMut(&str) -> bool) -> Result<Vec<Sheet>, Refusal> {
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|_damaged| broken())?;
    let names = workbook.sheet_names();
    let read =
        |name: String| Sheet::read(name.clone(), is_wanted, |put| cells(&mut workbook, &name, put));
    once_each(names, String::as_str)?.into_iter().map(read).collect()
}

/// The cells one by one: calamine's own range would be as large as the farthest cell says.
fn cells(workbook: &mut Xlsx<Cursor<&[u8]>>, name: &str, put: Put<'_>) -> Result<(), Refusal> {
    let mut reader = workbook.worksheet_cells_reader(name).map_err(|_damaged| broken())?;
    while let Some(cell) = reader.next_cell().map_err(|_damaged| broken())? {
        let (row, column) = cell.get_position();
        let value = match cell.get_value() {
            DataRef::Empty => continue,
            DataRef::Int(number) => Value::from(number.to_string()),
            DataRef::Float(number) => Value::Number(*number),
            DataRef::DateTime(day) => Value::Number(day.as_f64()),
            DataRef::Bool(flag) => Value::from(flag.to_string()),
            DataRef::SharedString(text) => Value::from(*text),
            DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
                Value::from(text.as_str())
            }
            DataRef::Error(error) => Value::from(error.to_string()),
        };
        let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        put(index(row), index(column), value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_count_of_strings_beyond_the_text_is_a_lie() {
        assert!(states_a_true_count(b"<sst uniqueCount=\"1\"><si><t>A1</t></si></sst>"));
        assert!(states_a_true_count(b"<sst><si/></sst>"));
        assert!(!states_a_true_count(b"<sst uniqueCount=\"99999999999\"><si/></sst>"));
        assert!(!states_a_true_count(b"<sst uniqueCount = '999'><si/></sst>"));
        assert!(!states_a_true_count("<\0s\0s\0t\0".as_bytes()));
    }

    #[test]
    fn more_strings_than_any_run_has_are_refused() {
        let measured = |tags: usize| {
            let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file("xl/sharedStrings.xml", options).unwrap();
            zip.write_all(&b"<si/>".repeat(tags)).unwrap();
            let bytes = zip.finish().unwrap().into_inner();
            measure(&mut open(&bytes).unwrap(), MAX_UNPACKED_BYTES)
        };
        assert_eq!(measured(MAX_STRING_TAGS), Ok(()));
        assert_eq!(measured(MAX_STRING_TAGS + 1), Err(Refusal::UnpacksTooLarge));
    }

    /// A zip of one member of `length` blanks whose directory states `stated` bytes.
    fn zip_of(length: usize, stated: u32) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("xl/a.xml", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&vec![b' '; length]).unwrap();
        let mut bytes = zip.finish().unwrap().into_inner();
        // APPNOTE 4.3.12: the uncompressed size is 24 bytes into the directory entry.
        let entry = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        bytes[entry + 24..entry + 28].copy_from_slice(&stated.to_le_bytes());
        bytes
    }

    #[test]
    fn a_member_is_measured_by_what_comes_out_of_it() {
        let measured =
            |length, stated, limit| measure(&mut open(&zip_of(length, stated)).unwrap(), limit);
        assert_eq!(measured(9_999, 9_999, 10_000), Ok(()));
        assert_eq!(measured(10_001, 10_001, 10_000), Err(Refusal::UnpacksTooLarge));
        assert!(measured(100_000, 1, 10_000).is_err(), "a directory that lies");
    }

    /// A workbook of one sheet named `Results` with one cell of that reference.
    fn workbook_with(reference: &str) -> Vec<u8> {
        const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        const SHEET: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
        let relation = |kind: &str, target: &str| {
            format!(
                "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"r1\" \
                 Type=\"{OFFICE}/{kind}\" Target=\"{target}\"/></Relationships>"
            )
        };
        let sheets = format!(
            "<workbook xmlns=\"{SHEET}\" xmlns:r=\"{OFFICE}\"><sheets>\
             <sheet name=\"Results\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
        );
        let cells = format!(
            "<worksheet xmlns=\"{SHEET}\"><sheetData><row><c r=\"{reference}\"><v>7</v></c></row>\
             </sheetData></worksheet>"
        );
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in [
            ("_rels/.rels", relation("officeDocument", "xl/workbook.xml")),
            ("xl/_rels/workbook.xml.rels", relation("worksheet", "worksheets/sheet1.xml")),
            ("xl/workbook.xml", sheets),
            ("xl/worksheets/sheet1.xml", cells),
        ] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_cell_beyond_the_last_number_is_not_taken_for_another() {
        let filled = |reference: &str| {
            let read = sheets(&workbook_with(reference), &mut |_| true);
            read.map(|sheets| sheets.iter().flat_map(|sheet| &sheet.rows).count())
        };
        assert!(filled("B2").is_ok_and(|rows| rows > 0));
        // 2^32 + 2: a number that counts on from nothing would be row 2.
        for reference in ["B4294967298", "B99999999999", "ZZZZZZZZZ2"] {
            assert!(filled(reference).is_err(), "{reference}");
        }
    }
}
