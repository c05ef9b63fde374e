//! Delimited text: encodings, line ends and cells.

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::Refusal;
use super::table::{MAX_COLUMNS, MAX_ROWS, Row};
use crate::error::Reason;

/// Longest line of a table that is split into cells.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// A file's text in one encoding with one kind of line end.
#[derive(Debug)]
pub(super) struct Text {
    /// The text; every line end is `\n`.
    pub content: String,
    /// Set when the encoding had to be guessed.
    pub warning: Option<Reason>,
}

impl Text {
    /// Decodes by byte order mark, else as UTF-8, else as the instrument's likely code page.
    pub fn decode(bytes: &[u8]) -> Self {
        let encoding = encoding_of(bytes);
        // `decode` also drops the byte order mark.
        let (content, _, _) = encoding.decode(bytes);
        let guessed = encoding == GB18030 || encoding == WINDOWS_1252;
        let warning = guessed.then(|| {
            let name = encoding.name();
            let message =
                format!("the text is not UTF-8 and was read as {name}; check names typed");
            Reason::new("file.encoding", name, message)
        });
        Self { content: with_plain_ends(&content), warning }
    }

    /// Decodes in the one encoding that somebody says it is; none when it is not.
    pub fn decode_as(bytes: &[u8], encoding: &'static Encoding) -> Option<Self> {
        let (content, _, broken) = encoding.decode(bytes);
        (!broken).then(|| Self { content: with_plain_ends(&content), warning: None })
    }

    /// Whether the last line has no line end, as when a copy broke off.
    pub fn open_end(&self) -> bool {
        !self.content.ends_with('\n')
    }
}

/// The text with `\n` for every line end.
fn with_plain_ends(content: &str) -> String {
    if !content.contains('\r') {
        return content.to_owned();
    }
    content.replace("\r\n", "\n").replace('\r', "\n")
}

/// The encoding a file seems to be in.
///
/// Windows-1252 can decode anything, so it comes last.
fn encoding_of(bytes: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    if UTF_8.decode_without_bom_handling_and_without_replacement(bytes).is_some() {
        return UTF_8;
    }
    let is_clean = GB18030.decode_without_bom_handling_and_without_replacement(bytes).is_some();
    if is_clean && is_chinese(bytes) { GB18030 } else { WINDOWS_1252 }
}

/// Whether text that is clean GB 18030 is Chinese indeed: nearly every Western text is clean, too.
///
/// Chinese is mostly made of the 3,755 characters of GB 2312's first level (lead bytes B0 to D7,
/// both bytes high). `°C` or `µL` in Windows-1252 decode to rare characters outside of it.
fn is_chinese(bytes: &[u8]) -> bool {
    let (mut common, mut rare) = (0_usize, 0_usize);
    let mut rest = bytes;
    while let Some((lead, tail)) = rest.split_first() {
        rest = match (lead, tail.first()) {
            (..=0x80, _) => tail,
            // Four bytes, of which the second is a digit.
            (_, Some(b'0'..=b'9')) => {
                rare += 1;
                tail.get(3..).unwrap_or_default()
            }
            (0xB0..=0xD7, Some(0xA1..)) => {
                common += 1;
                &tail[1..]
            }
            // Punctuation and symbols of GB 2312, such as the full-width colon.
            (0xA1..=0xA9, Some(0xA1..)) => &tail[1..],
            _ => {
                rare += 1;
                tail.get(1..).unwrap_or_default()
            }
        };
    }
    common > rare
}

/// Whether the bytes cannot be text: a NUL without the byte order mark of UTF-16.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    let wide = Encoding::for_bom(bytes)
        .is_some_and(|(encoding, _)| encoding == UTF_16LE || encoding == UTF_16BE);
    !wide && bytes.contains(&0)
}

/// The cells of a comma- or semicolon-separated text that starts at line `first`.
pub(super) fn delimited(text: &str, delimiter: u8, first: usize) -> Result<Vec<Row>, Refusal> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let is_odd = |part: &str| part.matches('"').count() % 2 == 1;
    let quote_left_open = is_odd(text);
    if quote_left_open && text.lines().next_back().is_some_and(is_odd) {
        return Err(Refusal::cut("a quotation mark in the last row is never closed"));
    }
    if let Some(at) = text.lines().position(|line| line.len() > MAX_LINE_BYTES) {
        return Err(Refusal::cut(format!("row {} has no end", first + at)));
    }
    let (mut rows, mut widest) = (Vec::new(), 0);
    for record in reader.records() {
        let record =
            record.map_err(|error| Refusal::cut(format!("the rows cannot be split ({error})")))?;
        let line = record.position().map_or(1, csv::Position::line);
        let number = first + usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
        // A note of two lines is one cell; what holds the end of a row and cells of the next is not:
        // as many separators as half a row has.
        let is_wider = widest > 0 && record.len() > widest;
        widest = widest.max(record.len());
        let swallows = |cell: &str| {
            let separators = cell.matches(char::from(delimiter)).count();
            cell.contains('\n')
                && (quote_left_open || separators > 0 && (is_wider || separators * 2 + 1 >= widest))
        };
        if record.iter().any(swallows) {
            let place = format!("a quotation mark in row {number} is closed in another row");
            return Err(Refusal::cut(place));
        }
        if rows.len() == MAX_ROWS {
            return Err(Refusal::TooManyRows);
        }
        let cells = record.iter().take(MAX_COLUMNS + 1).map(str::to_owned);
        rows.push(Row::new(number, cells.collect())?);
    }
    Ok(rows)
}

/// The cells of one line separated by tabs; a cell may stand in quotes, without escapes.
///
/// Not a CSV reader: a quotation mark typed into a name must not swallow the lines after it.
pub(super) fn tabbed(line: &str, number: usize) -> Result<Row, Refusal> {
    let unquoted = |cell: &str| {
        let inner = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        inner.unwrap_or(cell).to_owned()
    };
    // One cell more than is taken, so that an endless line is refused and not unfolded.
    Row::new(number, line.split('\t').take(MAX_COLUMNS + 1).map(unquoted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_and_line_end_gives_the_same_text() {
        let text = "Well\tC\u{442}\nA1\t31\n";
        let utf16 = |encode: fn(u16) -> [u8; 2]| -> Vec<u8> {
            "\u{feff}Well\tC\u{442}\r\nA1\t31\r\n".encode_utf16().flat_map(encode).collect()
        };
        let variants = [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            text.replace('\n', "\r\n").into_bytes(),
            text.replace('\n', "\r").into_bytes(),
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
        ];
        for bytes in variants {
            assert!(!is_binary(&bytes));
            let read = Text::decode(&bytes);
            assert_eq!(read.content, text);
            assert_eq!(read.warning, None);
        }
    }

    #[test]
    fn code_pages_are_guessed_and_said() {
        // Codes from the WHATWG indexes: `µ` is B5 in windows-1252, `未检出` CE B4 BC EC B3 F6 in GB.
        let western = Text::decode(b"10 \xb5L");
        assert_eq!(western.content, "10 µL");
        assert!(western.warning.unwrap().message.contains("windows-1252"));
        let chinese = Text::decode(b"A1\t\xce\xb4\xbc\xec\xb3\xf6");
        assert_eq!(chinese.content, "A1\t未检出");
        assert!(chinese.warning.unwrap().message.contains("gb18030"));
        // A rare character beside common ones: `堃` is 88 D2 in GBK, `㐂` 81 39 EF 31 in GB 18030.
        let names = Text::decode(b"\xd1\xf9\xb1\xbe\xb1\xe0\xba\xc5\t\x88\xd2\x81\x39\xef\x31");
        assert!(names.content.starts_with("样本编号\t堃"), "{}", names.content);
        // `°C` and `öß` are clean GB 18030 as well, and no Chinese.
        for (bytes, text) in [(&b"37 \xb0C"[..], "37 °C"), (b"Gr\xf6\xdfe", "Größe")] {
            assert_eq!(Text::decode(bytes).content, text);
        }
    }

    #[test]
    fn a_text_in_another_encoding_than_said_is_none() {
        assert!(Text::decode_as(b"10 \xb5L", UTF_8).is_none());
        assert_eq!(Text::decode_as(b"10 \xb5L\r\n", WINDOWS_1252).unwrap().content, "10 µL\n");
        assert_eq!(Text::decode_as(b"A\0\r\0", UTF_16LE).unwrap().content, "A\n");
    }

    #[test]
    fn a_nul_means_binary_unless_the_text_is_utf_16() {
        assert!(is_binary(b"Well\0"));
        assert!(!is_binary(b"\xff\xfeW\0"));
    }

    #[test]
    fn more_separators_than_any_table_has_are_refused_before_they_take_memory() {
        let most = ",".repeat(MAX_COLUMNS * MAX_ROWS);
        assert!(matches!(delimited(&format!("{most},\n"), b',', 1), Err(Refusal::CutShort { .. })));
        assert!(matches!(delimited(&most, b',', 1), Err(Refusal::CutShort { .. })));
        assert!(tabbed(&"\t".repeat(MAX_COLUMNS), 1).is_err());
        assert!(tabbed(&"\t".repeat(MAX_COLUMNS - 1), 1).is_ok());
    }

    #[test]
    fn a_quotation_mark_left_open_is_not_taken_for_a_cell() {
        assert!(delimited("\"A1\",\"31\"\n\"A2\",\"3", b',', 1).is_err());
        let rows = delimited("\"A1\",\"two\nlines\"\nA2,5\" tip\"\n", b',', 7).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].number, rows[1].number), (7, 9));
        assert_eq!(
            tabbed("\"RGB(1,2,3)\"\t5\"\t\"", 1).unwrap().cells,
            ["RGB(1,2,3)", "5\"", "\""]
        );
    }

    #[test]
    fn a_quotation_mark_takes_no_other_row_into_its_cell() {
        let rows = |text: &str| delimited(text, b',', 1);
        let sound = rows("a,\"b, c\",1\na,\"d\"\"e\",2\n").unwrap();
        assert_eq!((sound[0].cells[1].as_str(), sound[1].cells[1].as_str()), ("b, c", "d\"e"));
        let noted = rows("A1,N,FAM,T1,30,\"weak, see\nthe log\"\n").unwrap();
        assert_eq!(noted[0].cells[5], "weak, see\nthe log");
        let refusal = rows("a,A1,30\n\"T2,A2,35\nT3,A3,23\nT4\",A4,24\n").unwrap_err();
        assert!(refusal.to_string().contains("row 2 is closed in another row"), "{refusal}");
        // Opened late in a row and closed early in the next, it makes a row of nearly two.
        let late = "a,b,c,d,e,f,g,h\n1,2,3,4,5,6,7,\"8\n1,2\",3,4,5,6,7,8\n";
        assert!(rows(late).unwrap_err().to_string().contains("row 2"));
    }
}
