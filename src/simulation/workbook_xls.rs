//! A workbook as `.xls`: a BIFF8 stream (MS-XLS) of shared texts and numbers in a compound file
//! (MS-CFB 2). A sheet has at most 65,536 rows, which a plate's curves do not fill.

use std::collections::BTreeMap;

use super::workbook::{Cell, Sheet};

/// Most bytes of one record; longer lists of texts go on in `Continue` records.
const RECORD_MAX: usize = 8_224;
/// Bytes of a sector, and of the shortest stream that has sectors of its own.
const SECTOR: usize = 512;
const SHORTEST: usize = 4_096;
/// Numbers of sectors that mean "no more" and "a sector of this table".
const END: u32 = 0xFFFF_FFFE;
const OF_TABLE: u32 = 0xFFFF_FFFD;
/// Sectors of the table that the header can name: enough for seven megabytes.
const TABLE_MAX: usize = 109;

/// A workbook of these sheets.
pub(super) fn file(sheets: &[Sheet]) -> Vec<u8> {
    compound(&stream(sheets))
}

/// The texts of a workbook, each once, in the order in which they were met.
#[derive(Default)]
struct Texts {
    numbers: BTreeMap<String, u32>,
    list: Vec<String>,
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = word(self.list.len());
        self.numbers.insert(text.to_owned(), number);
        self.list.push(text.to_owned());
        number
    }

    /// The record `SST` and what goes on from it; no text is cut.
    fn records(&self) -> Vec<u8> {
        let count = word(self.list.len()).to_le_bytes();
        let (mut records, mut data, mut kind) = (Vec::new(), [count, count].concat(), 0x00FC);
        for text in &self.list {
            let units: Vec<u16> = text.encode_utf16().collect();
            let next = [&half(units.len()).to_le_bytes()[..], &characters(&units)].concat();
            if data.len() + next.len() > RECORD_MAX {
                records.extend(record(kind, &data));
                (data, kind) = (Vec::new(), 0x003C);
            }
            data.extend(next);
        }
        records.extend(record(kind, &data));
        records
    }
}

/// The workbook stream: what all sheets share, then each of them.
fn stream(sheets: &[Sheet]) -> Vec<u8> {
    let mut texts = Texts::default();
    let written: Vec<Vec<u8>> = sheets.iter().map(|sheet| cells(sheet, &mut texts)).collect();
    let start = record(0x0809, &begin(0x0005));
    let rest = [texts.records(), record(0x000A, &[])].concat();
    let bound = |sheet: &Sheet, at: usize| {
        let units: Vec<u16> = sheet.name.encode_utf16().collect();
        let length = u8::try_from(units.len()).expect("a sheet has a short name");
        let name = [&[length][..], &characters(&units)].concat();
        record(0x0085, &[&word(at).to_le_bytes()[..], &[0, 0], &name].concat())
    };
    let of_names: usize = sheets.iter().map(|sheet| bound(sheet, 0).len()).sum();
    let mut at = start.len() + of_names + rest.len();
    let mut stream = start;
    for (sheet, cells) in sheets.iter().zip(&written) {
        stream.extend(bound(sheet, at));
        at += cells.len();
    }
    stream.extend(rest);
    stream.extend(written.concat());
    stream
}

fn cells(sheet: &Sheet, texts: &mut Texts) -> Vec<u8> {
    let mut records = record(0x0809, &begin(0x0010));
    for (row, cells) in sheet.rows.iter().enumerate() {
        for (column, cell) in cells.iter().enumerate() {
            let place = [half(row), half(column), 0].map(u16::to_le_bytes).concat();
            records.extend(match cell {
                Cell::Text(text) => {
                    let number = texts.number(text).to_le_bytes();
                    record(0x00FD, &[&place[..], &number].concat())
                }
                Cell::Number(number) => {
                    let number: f64 = number.parse().expect("it was written from a number");
                    record(0x0203, &[&place[..], &number.to_le_bytes()].concat())
                }
            });
        }
    }
    records.extend(record(0x000A, &[]));
    records
}

/// What begins the part of this kind: version, kind, and the year of Excel 97.
fn begin(kind: u16) -> Vec<u8> {
    [0x0600, kind, 0x0DBB, 0x07CC, 0, 0, 0x0006, 0].map(u16::to_le_bytes).concat()
}

/// A width flag, and the characters by it.
fn characters(units: &[u16]) -> Vec<u8> {
    let narrow: Option<Vec<u8>> = units.iter().map(|unit| u8::try_from(*unit).ok()).collect();
    match narrow {
        Some(bytes) => [&[0][..], &bytes].concat(),
        None => [vec![1], units.iter().flat_map(|unit| unit.to_le_bytes()).collect()].concat(),
    }
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &half(data.len()).to_le_bytes(), data].concat()
}

fn half(number: usize) -> u16 {
    u16::try_from(number).expect("a sheet has at most 65,536 rows, and a record 8,224 bytes")
}

fn word(number: usize) -> u32 {
    u32::try_from(number).expect("a workbook is short")
}

/// A compound file around a workbook stream, which is filled up with zeros to a length that streams
/// have: directory, stream, then the table of all sectors.
///
/// # Panics
///
/// On a stream of more than seven megabytes.
pub fn compound(stream: &[u8]) -> Vec<u8> {
    let mut stream = stream.to_vec();
    stream.resize(stream.len().max(SHORTEST).next_multiple_of(SECTOR), 0);
    let of_stream = stream.len() / SECTOR;
    let entries_each = SECTOR / 4;
    let mut of_table = (1 + of_stream).div_ceil(entries_each);
    while (1 + of_stream + of_table).div_ceil(entries_each) > of_table {
        of_table += 1;
    }
    assert!(of_table <= TABLE_MAX, "the stream has {} bytes, which is too long", stream.len());
    let mut table = vec![END];
    table.extend((0..of_stream).map(|n| if n + 1 == of_stream { END } else { word(n + 2) }));
    table.extend(std::iter::repeat_n(OF_TABLE, of_table));
    let mut table: Vec<u8> = table.into_iter().flat_map(u32::to_le_bytes).collect();
    table.resize(of_table * SECTOR, 0xFF);
    [header(of_stream, of_table), directory(stream.len()), stream, table].concat()
}

/// Version 3: sectors of 512 bytes, no short streams, no sectors that name more of the table.
fn header(of_stream: usize, of_table: usize) -> Vec<u8> {
    let mut header = vec![0; SECTOR];
    header[..8].copy_from_slice(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1");
    header[24..34].copy_from_slice(&[0x3E, 0, 3, 0, 0xFE, 0xFF, 9, 0, 6, 0]);
    header[44..48].copy_from_slice(&word(of_table).to_le_bytes());
    header[56..60].copy_from_slice(&word(SHORTEST).to_le_bytes());
    for at in [60, 68] {
        header[at..at + 4].copy_from_slice(&END.to_le_bytes());
    }
    header[76..].fill(0xFF);
    for (n, at) in (0..of_table).zip((76..).step_by(4)) {
        header[at..at + 4].copy_from_slice(&word(1 + of_stream + n).to_le_bytes());
    }
    header
}

/// The root, and the stream `Workbook` below it.
fn directory(bytes: usize) -> Vec<u8> {
    const NONE: [u8; 4] = [0xFF; 4];
    let entry = |name: &str, kind: u8, child: [u8; 4], (start, bytes): (u32, usize)| {
        let mut entry = vec![0; 128];
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        entry[..units.len()].copy_from_slice(&units);
        entry[64..66].copy_from_slice(&half(units.len() + 2).to_le_bytes());
        (entry[66], entry[67]) = (kind, 1);
        entry[68..72].copy_from_slice(&NONE);
        entry[72..76].copy_from_slice(&NONE);
        entry[76..80].copy_from_slice(&child);
        entry[116..120].copy_from_slice(&start.to_le_bytes());
        entry[120..124].copy_from_slice(&word(bytes).to_le_bytes());
        entry
    };
    let root = entry("Root Entry", 5, 1_u32.to_le_bytes(), (END, 0));
    let mut directory = [root, entry("Workbook", 2, NONE, (1, bytes))].concat();
    let free = entry("", 0, NONE, (0, 0));
    directory.extend([&free[..], &free].concat());
    directory
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Data, Reader as _, Xls};

    use super::*;

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    /// What another reader finds: texts of either width, numbers to their last digit, more texts than
    /// fit into one record, and more sectors than one of the table names.
    #[test]
    fn another_reader_finds_every_cell_where_it_was_put() {
        let wide = |row: usize| vec![text(&format!("ΔRn {row}")), text(&format!("Cell {row}"))];
        let long = Sheet { name: "Long", rows: (0..3_000).map(wide).collect() };
        let number = Cell::Number("31.250001".to_owned());
        let short =
            Sheet { name: "Results", rows: vec![vec![text("内参")], vec![], vec![number]] };
        let file = file(&[long, short]);
        let mut book = Xls::new(Cursor::new(file)).unwrap();
        assert_eq!(book.sheet_names(), ["Long", "Results"]);
        let long = book.worksheet_range("Long").unwrap();
        assert_eq!(long.get_size(), (3_000, 2));
        for row in [0, 1, 1_499, 2_999] {
            let said = [0, 1].map(|column| long.get_value((row, column)).cloned().unwrap());
            let [greek, plain] = [format!("ΔRn {row}"), format!("Cell {row}")].map(Data::String);
            assert_eq!(said, [greek, plain]);
        }
        let short = book.worksheet_range("Results").unwrap();
        assert_eq!(short.get_value((0, 0)), Some(&Data::String("内参".to_owned())));
        assert_eq!(short.get_value((2, 0)), Some(&Data::Float(31.250_001)));
    }
}
