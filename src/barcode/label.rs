//! Labels: a code as Code 128 bars, the code in letters, and a line such as the site's name.
//!
//! Only our own codes are printed; makers print theirs. Every output draws the same symbol:
//! sheets of sticky labels as [`sheet_svg`] and [`sheet_pdf`], label printers by [`zpl()`].

mod pdf;
mod sheet;
mod svg;
mod symbol;
mod zpl;

use super::own::{self, NotACode};

pub use pdf::sheet_pdf;
pub use sheet::{COLUMNS, PER_PAGE, ROWS, pages};
pub use svg::{sheet_svg, word_svg};
pub use zpl::zpl;

/// How many labels one document may hold: a hundred sheets.
pub const LABELS_MAX: usize = 100 * PER_PAGE;

/// How wide the optional line may be, in hundredths of its letter height; the rest is cut off.
const LINE_WIDTH_MAX: u16 = 1_400;

/// Why a sheet cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// Nothing to print.
    #[error("there is no label to print; ask for at least one code")]
    Nothing,
    /// More than one document holds.
    #[error(
        "{count} labels do not fit one document; ask for a page, or with `first` and `count` for \
         at most {LABELS_MAX} at a time"
    )]
    TooMany {
        /// How many were asked for.
        count: usize,
    },
    /// A page past the end.
    #[error("there is no page {page}; the labels fill pages 1 to {pages}")]
    NoSuchPage {
        /// Which was asked for, counted from 1.
        page: usize,
        /// How many there are.
        pages: usize,
    },
}

/// One label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    code: String,
    line: Option<String>,
}

impl Label {
    /// A label for a code of ours, of any kind, with an optional line such as the site's name.
    ///
    /// Characters of the line that do not print become blanks, and what does not fit on the
    /// label is cut off.
    pub fn new(code: &str, line: Option<&str>) -> Result<Self, NotACode> {
        let code = own::tidy(code)?;
        own::kind_of(&code)?;
        let line = line.map(fitted).filter(|line| !line.is_empty());
        Ok(Self { code, line })
    }

    /// The code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The line as it will be printed.
    pub fn line(&self) -> Option<&str> {
        self.line.as_deref()
    }
}

/// How wide a character is drawn, in hundredths of the letter height: Courier's own width for
/// what Courier has, a full square (as Chinese needs) for the rest.
fn width(character: char) -> u16 {
    if character <= '\u{ff}' { 60 } else { 100 }
}

/// The line on one row, as much of it as fits.
fn fitted(line: &str) -> String {
    let mut room = LINE_WIDTH_MAX;
    let printable = |c: char| !c.is_control() && !matches!(c, '\u{ad}' | '\u{fffe}' | '\u{ffff}');
    line.trim()
        .chars()
        .map(|character| if printable(character) { character } else { ' ' })
        .take_while(|character| {
            let fits = width(*character) <= room;
            room = room.saturating_sub(width(*character));
            fits
        })
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_sound_codes_are_printed() {
        assert_eq!(Label::new("b00000000006", None).unwrap().code(), "B00000000006");
        assert!(matches!(Label::new("T0000000001X", None), Err(NotACode::Check { .. })));
        assert_eq!(Label::new("YK202206010001", None), Err(NotACode::Length { length: 14 }));
    }

    #[test]
    fn a_line_is_kept_on_one_row_and_on_the_label() {
        let line =
            |text: &str| Label::new("T0000000001T", Some(text)).unwrap().line().map(str::to_owned);
        assert_eq!(line("  North\ngate\u{0} ").unwrap(), "North gate");
        assert_eq!(line(" \t"), None);
        assert_eq!(line(&"x".repeat(50)).unwrap().len(), 23);
        assert_eq!(line(&"采".repeat(50)).unwrap().chars().count(), 14);
        assert_eq!(Label::new("T0000000001T", None).unwrap().line(), None);
    }
}
