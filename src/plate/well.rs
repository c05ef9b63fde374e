//! Where on a plate: `A1` at the top left, rows in letters, columns in numbers
//! (ANSI/SLAS 4-2004).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How many wells a plate has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PlateSize {
    /// 8 rows of 12.
    #[serde(rename = "96")]
    P96,
    /// 16 rows of 24.
    #[serde(rename = "384")]
    P384,
}

impl PlateSize {
    /// Number of rows.
    pub const fn rows(self) -> u8 {
        match self {
            Self::P96 => 8,
            Self::P384 => 16,
        }
    }

    /// Number of columns.
    pub const fn columns(self) -> u8 {
        match self {
            Self::P96 => 12,
            Self::P384 => 24,
        }
    }

    /// Number of wells.
    pub const fn wells(self) -> u16 {
        self.rows() as u16 * self.columns() as u16
    }

    /// The size with that many wells, if there is one.
    pub const fn from_wells(wells: u16) -> Option<Self> {
        match wells {
            96 => Some(Self::P96),
            384 => Some(Self::P384),
            _ => None,
        }
    }

    /// Whether `well` lies on a plate of this size.
    pub const fn contains(self, well: WellPosition) -> bool {
        well.row < self.rows() && well.column < self.columns()
    }
}

/// One well, row and column counted from zero; at most `P24`.
///
/// Read from `A1`, `A01`, `a1` or with blanks around it; always written `A1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WellPosition {
    row: u8,
    column: u8,
}

impl WellPosition {
    /// The well at a zero-based row and column, if any plate has it.
    pub const fn new(row: u8, column: u8) -> Option<Self> {
        if row < 16 && column < 24 { Some(Self { row, column }) } else { None }
    }

    /// Zero-based row.
    pub const fn row(self) -> u8 {
        self.row
    }

    /// Zero-based column.
    pub const fn column(self) -> u8 {
        self.column
    }

    /// Zero-based index in reading order (row by row) on a plate of that size.
    pub const fn index(self, size: PlateSize) -> u16 {
        self.row as u16 * size.columns() as u16 + self.column as u16
    }

    /// The well with that zero-based reading-order index.
    pub fn from_index(index: u16, size: PlateSize) -> Option<Self> {
        if index >= size.wells() {
            return None;
        }
        let columns = u16::from(size.columns());
        Self::new(u8::try_from(index / columns).ok()?, u8::try_from(index % columns).ok()?)
    }
}

/// A text that names no well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a well; write a row letter A-P and a column number 1-24, such as A1")]
pub struct NotAWell(pub String);

impl FromStr for WellPosition {
    type Err = NotAWell;

    fn from_str(text: &str) -> Result<Self, NotAWell> {
        let refuse = || NotAWell(text.chars().take(20).collect());
        let trimmed = text.trim();
        let mut letters = trimmed.chars();
        let row = letters.next().filter(char::is_ascii_alphabetic).ok_or_else(refuse)?;
        let digits = letters.as_str();
        if digits.is_empty() || digits.len() > 2 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse());
        }
        let number: u8 = digits.parse().map_err(|_digits| refuse())?;
        let column = number.checked_sub(1).ok_or_else(refuse)?;
        Self::new(row.to_ascii_uppercase() as u8 - b'A', column).ok_or_else(refuse)
    }
}

impl fmt::Display for WellPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(b'A' + self.row), self.column + 1)
    }
}

impl Serialize for WellPosition {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WellPosition {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wells_are_read_in_every_spelling_and_written_in_one() {
        for text in ["A1", "A01", "a1", "      A1 "] {
            assert_eq!(text.parse::<WellPosition>().unwrap().to_string(), "A1");
        }
        assert_eq!("P24".parse::<WellPosition>().unwrap().index(PlateSize::P384), 383);
    }

    #[test]
    fn what_is_no_well_is_refused() {
        for text in ["", "A", "1", "A0", "Q1", "A25", "BB8", "A1x", "A001", "é1"] {
            assert!(text.parse::<WellPosition>().is_err(), "{text} was taken for a well");
        }
        let p24: WellPosition = "P24".parse().unwrap();
        assert!(!PlateSize::P96.contains(p24));
    }

    #[test]
    fn index_and_position_agree_on_both_sizes() {
        for size in [PlateSize::P96, PlateSize::P384] {
            for index in 0..size.wells() {
                let well = WellPosition::from_index(index, size).unwrap();
                assert!(size.contains(well));
                assert_eq!(well.index(size), index);
            }
            assert_eq!(WellPosition::from_index(size.wells(), size), None);
        }
    }
}
