//! The sheet of labels: A4, 5 by 13 labels of 38.1 x 21.2 mm, the common 65-label stock.
//!
//! That label fits lengthwise on a 16 x 58 mm transport tube, where a 63.5 mm one would not.
//! The bars need a printer of 300 dots an inch or finer. All lengths are in hundredths of a
//! millimetre.

use super::symbol::{MODULES_MAX, QUIET, Symbol, symbol};
use super::{LABELS_MAX, Label, LabelError};

/// Labels across a page.
pub const COLUMNS: usize = 5;

/// Labels down a page.
pub const ROWS: usize = 13;

/// Labels on a page.
pub const PER_PAGE: usize = COLUMNS * ROWS;

/// A4, ISO 216.
pub(super) const PAGE_WIDTH: u16 = 21_000;
pub(super) const PAGE_HEIGHT: u16 = 29_700;

/// One module of the bars: as wide as the widest symbol with its quiet zones allows.
pub(super) const MODULE: u16 = 24;

/// Height of the bars.
pub(super) const BAR_HEIGHT: u16 = 1_100;

/// Letter heights of the line above the bars and of the code below them.
pub(super) const LINE_SIZE: u16 = 240;
pub(super) const CODE_SIZE: u16 = 320;

const LABEL_WIDTH: u16 = 3_810;
const LABEL_HEIGHT: u16 = 2_120;
const COLUMN_GAP: u16 = 250;
const MARGIN_LEFT: u16 = 475;
const MARGIN_TOP: u16 = 1_070;

/// From the top of a label to the foot of the line, the top of the bars, the foot of the code.
const LINE_FOOT: u16 = 360;
const BARS_TOP: u16 = 450;
const CODE_FOOT: u16 = 1_860;

const _: () = assert!((MODULES_MAX + 2 * QUIET) * MODULE <= LABEL_WIDTH);
const _: () = assert!(2 * MARGIN_LEFT + 5 * LABEL_WIDTH + 4 * COLUMN_GAP == PAGE_WIDTH);
const _: () = assert!(2 * MARGIN_TOP + 13 * LABEL_HEIGHT == PAGE_HEIGHT);

/// A label in its place on a page, measured from the top left.
pub(super) struct Placed<'a> {
    pub(super) label: &'a Label,
    pub(super) symbol: Symbol,
    /// The middle of the label, on which everything is centred.
    pub(super) middle: u16,
    /// The left edge of the bars.
    pub(super) bars_left: u16,
    /// The top of the bars.
    pub(super) bars_top: u16,
    /// Where the line stands.
    pub(super) line_foot: u16,
    /// Where the code stands.
    pub(super) code_foot: u16,
}

/// How many pages that many labels fill.
pub const fn pages(labels: usize) -> usize {
    labels.div_ceil(PER_PAGE)
}

/// Refuses what one document does not hold.
pub(super) fn check(labels: &[Label]) -> Result<(), LabelError> {
    match labels.len() {
        0 => Err(LabelError::Nothing),
        count if count > LABELS_MAX => Err(LabelError::TooMany { count }),
        _ => Ok(()),
    }
}

/// The labels of one page in their places, row by row.
pub(super) fn place(page: &[Label]) -> impl Iterator<Item = Placed<'_>> {
    let slots = (0..13).flat_map(|row| (0..5).map(move |column| (row, column)));
    page.iter().zip(slots).map(|(label, (row, column))| {
        let symbol = symbol(label.code());
        let top = MARGIN_TOP + row * LABEL_HEIGHT;
        let middle = MARGIN_LEFT + column * (LABEL_WIDTH + COLUMN_GAP) + LABEL_WIDTH / 2;
        Placed {
            label,
            middle,
            bars_left: middle - symbol.modules * MODULE / 2,
            bars_top: top + BARS_TOP,
            line_foot: top + LINE_FOOT,
            code_foot: top + CODE_FOOT,
            symbol,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted() {
        assert_eq!([pages(0), pages(1), pages(65), pages(66)], [0, 1, 1, 2]);
    }

    #[test]
    fn bars_and_quiet_zones_of_a_full_page_stay_on_their_labels() {
        let labels = vec![Label::new("T0000000001T", None).unwrap(); PER_PAGE];
        let placed: Vec<_> = place(&labels).collect();
        assert_eq!(placed.len(), PER_PAGE);
        for label in &placed {
            let left = label.middle - LABEL_WIDTH / 2;
            assert!(label.bars_left - QUIET * MODULE >= left);
            let right = label.bars_left + (label.symbol.modules + QUIET) * MODULE;
            assert!(right <= left + LABEL_WIDTH);
            assert!(label.bars_top + BAR_HEIGHT < label.code_foot - CODE_SIZE * 6 / 10);
        }
        assert_eq!((placed[4].middle, placed[5].middle), (18_620, 2_380));
        assert_eq!(placed[64].code_foot, MARGIN_TOP + 12 * LABEL_HEIGHT + CODE_FOOT);
    }
}
