//! Sheets of an `.xls` (BIFF8, MS-XLS): names and the cells of the sheets that are wanted.

use super::Refusal;
use super::compound::{u16_at, u32_at};
use super::workbook::{Put, Sheet, Value, once_each};

const BOF: u16 = 0x0809;
const EOF: u16 = 0x000A;
const CONTINUE: u16 = 0x003C;
const FILE_PASS: u16 = 0x002F;
const BOUND_SHEET: u16 = 0x0085;
const SHARED_STRINGS: u16 = 0x00FC;
const BIFF8: u16 = 0x0600;
/// Most shared strings; a plate of 384 wells needs a few thousand.
const MAX_STRINGS: usize = 1 << 20;

/// The sheets of a workbook stream, with the rows of those that are wanted by name.
pub(super) fn sheets(
    stream: &[u8],
    is_wanted: &mut dyn FnMut(&str) -> bool,
) -> Result<Vec<Sheet>, Refusal> {
    let mut strings = Vec::new();
    let mut bound = Vec::new();
    let mut records = Records { stream, at: 0 };
    let first = records.next().filter(|record| record.kind == BOF).ok_or_else(broken)?;
    if u16_at(first.data, 0) != Some(BIFF8) {
        return Err(Refusal::NotOurs { looked_like: "a workbook older than Excel 97" });
    }
    loop {
        let record = records.next().ok_or_else(broken)?;
        match record.kind {
            EOF => break,
            FILE_PASS => {
                return Err(Refusal::NotOurs { looked_like: "a workbook with a password" });
            }
            BOUND_SHEET => bound.push(bound_sheet(record.data).ok_or_else(broken)?),
            SHARED_STRINGS => strings = shared_strings(&record, &mut records)?,
            _ => {}
        }
    }
    let read = |(at, name): (usize, String)| {
        Sheet::read(name, is_wanted, |put| cells(stream, at, &strings, put))
    };
    once_each(bound, |(_, name)| name)?.into_iter().map(read).collect()
}

fn broken() -> Refusal {
    Refusal::cut("the .xls workbook stream breaks off")
}

struct Record<'a> {
    kind: u16,
    data: &'a [u8],
}

struct Records<'a> {
    stream: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let kind = u16_at(self.stream, self.at)?;
        let length = usize::from(u16_at(self.stream, self.at + 2)?);
        let data = self.stream.get(self.at + 4..self.at + 4 + length)?;
        self.at += 4 + length;
        Some(Record { kind, data })
    }
}

impl<'a> Records<'a> {
    /// The parts of a record that is carried on in `Continue` records.
    fn parts(&mut self, first: &Record<'a>) -> Parts<'a> {
        let mut parts = vec![first.data];
        while u16_at(self.stream, self.at) == Some(CONTINUE) {
            match self.next() {
                Some(record) => parts.push(record.data),
                None => break,
            }
        }
        parts.reverse();
        Parts { left: parts }
    }
}

/// Data spread over several records; the last part of `left` comes first.
struct Parts<'a> {
    left: Vec<&'a [u8]>,
}

impl<'a> Parts<'a> {
    /// At most `length` bytes, not beyond the end of a part.
    fn some(&mut self, length: usize) -> Option<&'a [u8]> {
        while self.left.last().is_some_and(|part| part.is_empty()) {
            self.left.pop();
        }
        let part = self.left.last_mut()?;
        let (taken, rest) = part.split_at(length.min(part.len()));
        *part = rest;
        Some(taken)
    }

    fn skip(&mut self, mut length: usize) -> Option<()> {
        while length > 0 {
            length -= self.some(length)?.len();
        }
        Some(())
    }

    fn u16(&mut self) -> Option<u16> {
        u16_at(self.some(2)?, 0)
    }

    fn u32(&mut self) -> Option<usize> {
        usize::try_from(u32_at(self.some(4)?, 0)?).ok()
    }

    /// A rich string (MS-XLS 2.5.293). Where its characters go on in the next part, that part
    /// starts with a new width flag.
    fn string(&mut self) -> Option<String> {
        let mut count = usize::from(self.u16()?);
        let flags = *self.some(1)?.first()?;
        let mut wide = flags & 0x01 != 0;
        let runs = if flags & 0x08 != 0 { usize::from(self.u16()?) } else { 0 };
        let phonetic = if flags & 0x04 != 0 { self.u32()? } else { 0 };
        let mut units = Vec::new();
        while count > 0 {
            if self.left.last().is_some_and(|part| part.is_empty()) {
                wide = self.some(1)?.first()? & 0x01 != 0;
            }
            let width = if wide { 2 } else { 1 };
            let taken = self.some(count * width)?;
            let read = taken.len() / width;
            if read == 0 {
                return None;
            }
            units.extend(characters(taken, wide));
            count -= read;
        }
        self.skip(runs * 4)?;
        self.skip(phonetic)?;
        Some(String::from_utf16_lossy(&units))
    }
}

fn characters(bytes: &[u8], wide: bool) -> Vec<u16> {
    if wide {
        bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect()
    } else {
        bytes.iter().map(|byte| u16::from(*byte)).collect()
    }
}

fn shared_strings<'a>(
    first: &Record<'a>,
    records: &mut Records<'a>,
) -> Result<Vec<String>, Refusal> {
    let mut parts = records.parts(first);
    parts.skip(4).ok_or_else(broken)?;
    let count = parts.u32().filter(|count| *count <= MAX_STRINGS).ok_or_else(broken)?;
    (0..count).map(|_| parts.string().ok_or_else(broken)).collect()
}

fn bound_sheet(data: &[u8]) -> Option<(usize, String)> {
    let at = usize::try_from(u32_at(data, 0)?).ok()?;
    let wide = data.get(7)? & 0x01 != 0;
    let length = usize::from(*data.get(6)?) * if wide { 2 } else { 1 };
    let name = String::from_utf16_lossy(&characters(data.get(8..8 + length)?, wide));
    Some((at, name))
}

/// The cells of the sheet whose records begin at `at`.
fn cells(stream: &[u8], at: usize, strings: &[String], put: Put<'_>) -> Result<(), Refusal> {
    let mut records = Records { stream, at };
    // Charts inside a sheet are nested between their own BOF and EOF.
    let mut depth = 0_usize;
    let mut formula_at = (0, 0);
    loop {
        let record = records.next().ok_or_else(broken)?;
        match record.kind {
            BOF => depth += 1,
            EOF if depth <= 1 => return Ok(()),
            EOF => depth -= 1,
            _ if depth > 1 => {}
            kind => {
                for (row, column, text) in
                    cell(kind, record.data, strings, &mut formula_at).ok_or_else(broken)?
                {
                    put(row.into(), column.into(), text)?;
                }
            }
        }
    }
}

/// The cells one record holds: none for records that are not cells.
fn cell<'a>(
    kind: u16,
    data: &[u8],
    strings: &'a [String],
    formula_at: &mut (u16, u16),
) -> Option<Vec<(u16, u16, Value<'a>)>> {
    let position = || Some((u16_at(data, 0)?, u16_at(data, 2)?));
    let put = |value: Value<'a>| position().map(|(row, column)| vec![(row, column, value)]);
    let here = |text: String| put(Value::from(text));
    match kind {
        // Number.
        0x0203 => put(Value::Number(f64_at(data, 6)?)),
        // RK, a number in four bytes.
        0x027E => put(Value::Number(rk(u32_at(data, 6)?))),
        // MulRk, several of them in neighbouring columns.
        0x00BD => {
            let (row, first) = position()?;
            let numbers = data.get(4..data.len().checked_sub(2)?)?.chunks_exact(6);
            let one = |(column, pair)| Some((row, column, Value::Number(rk(u32_at(pair, 2)?))));
            (first..=u16::MAX).zip(numbers).map(one).collect()
        }
        // LabelSst, a shared string.
        0x00FD => put(Value::from(strings.get(usize::try_from(u32_at(data, 6)?).ok()?)?.as_str())),
        // Label and RString carry their text themselves.
        0x0204 | 0x00D6 => here(Parts { left: vec![data.get(6..)?] }.string_of_width()?),
        // BoolErr.
        0x0205 => match (data.get(6)?, data.get(7)?) {
            (value, 0) => here((*value != 0).to_string()),
            _ => here("#ERROR".to_owned()),
        },
        // Formula: its last result; a text follows in a String record.
        0x0006 => {
            *formula_at = position()?;
            match data.get(6..14)? {
                [0 | 3, .., 0xFF, 0xFF] => Some(Vec::new()),
                [1, _, value, .., 0xFF, 0xFF] => here((*value != 0).to_string()),
                [_, .., 0xFF, 0xFF] => here("#ERROR".to_owned()),
                _ => put(Value::Number(f64_at(data, 6)?)),
            }
        }
        // String, the text a formula gave.
        0x0207 => {
            let text = Parts { left: vec![data] }.string_of_width()?;
            Some(vec![(formula_at.0, formula_at.1, Value::from(text))])
        }
        _ => Some(Vec::new()),
    }
}

impl Parts<'_> {
    /// A plain string: count, width flag, characters.
    fn string_of_width(&mut self) -> Option<String> {
        let count = usize::from(self.u16()?);
        let wide = self.some(1)?.first()? & 0x01 != 0;
        let bytes = self.some(count * if wide { 2 } else { 1 }).unwrap_or_default();
        Some(String::from_utf16_lossy(&characters(bytes, wide)))
    }
}

fn f64_at(data: &[u8], at: usize) -> Option<f64> {
    Some(f64::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// An RK number (MS-XLS 2.5.217): 30 bits of an integer or of a double, perhaps times 100.
fn rk(value: u32) -> f64 {
    let number = if value & 2 == 0 {
        f64::from_bits(u64::from(value & !3) << 32)
    } else {
        f64::from(value.cast_signed() >> 2)
    };
    if value & 1 == 0 { number } else { number / 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u16, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap();
        [&kind.to_le_bytes(), &length.to_le_bytes(), data].concat()
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "the values are exact in binary")]
    fn rk_numbers_follow_the_published_examples() {
        // Examples in MS-XLS 2.5.217 and the OpenOffice description of the format, 2.5.5.
        assert_eq!(rk(0x3FF0_0000), 1.0);
        assert_eq!(rk(0x3FF0_0001), 0.01);
        assert_eq!(rk(0x004B_5646), 1_234_321.0);
        assert_eq!(rk(0x004B_5647), 12_343.21);
    }

    #[test]
    fn a_shared_string_may_change_its_width_in_the_next_record() {
        let mut stream = record(SHARED_STRINGS, b"\x02\0\0\0\x02\0\0\0\x04\0\0Ct");
        stream.extend(record(CONTINUE, b"\x01\x42\x04\x21\0\x01\0\0X"));
        let mut records = Records { stream: &stream, at: 0 };
        let first = records.next().unwrap();
        assert_eq!(shared_strings(&first, &mut records).unwrap(), ["Ct\u{442}!", "X"]);
    }

    #[test]
    fn a_stated_count_of_strings_is_not_believed() {
        let stream = record(SHARED_STRINGS, b"\0\0\0\0\xff\xff\xff\x7f");
        let mut records = Records { stream: &stream, at: 0 };
        let first = records.next().unwrap();
        assert!(shared_strings(&first, &mut records).is_err());
    }

    #[test]
    fn the_result_of_a_formula_is_read() {
        let mut at = (0, 0);
        let number = [&[3, 0, 7, 0, 0, 0][..], &31.5_f64.to_le_bytes()].concat();
        assert_eq!(cell(6, &number, &[], &mut at).unwrap(), [(3, 7, Value::Number(31.5))]);
        let text = [3, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF];
        assert_eq!(cell(6, &text, &[], &mut at).unwrap(), []);
        let string = cell(0x0207, b"\x02\0\0NA", &[], &mut at).unwrap();
        assert_eq!(string, [(3, 8, Value::from("NA"))]);
    }
}
