//! The Code 128 symbol (ISO/IEC 15417) of a code of ours, or of a word on a card.

use barcoders::sym::code128::Code128;

use crate::barcode::LENGTH;

/// Modules of quiet zone on each side that ISO/IEC 15417 asks for.
pub(super) const QUIET: u16 = 10;

/// Modules of the widest symbol of a code of ours, without its quiet zones: the one whose check
/// character is a letter.
pub(super) const MODULES_MAX: u16 = 134;

/// A Code 128 character set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// One character a symbol character.
    B,
    /// Two digits a symbol character.
    C,
}

/// The bars of a symbol, in modules.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    /// Where each bar begins and how wide it is.
    pub(super) bars: Vec<(u16, u16)>,
    /// The whole width, without the quiet zones.
    pub(super) modules: u16,
}

/// The shortest division of a code of ours into character sets.
///
/// The digits go in pairs, and a check character that is a digit pairs with the last of them,
/// which saves one switch back.
pub(super) fn sets(code: &str) -> [(Set, &str); 3] {
    let (pairs, tail) = if code.ends_with(|last: char| last.is_ascii_digit()) {
        (2, LENGTH)
    } else {
        (1, LENGTH - 1)
    };
    [(Set::B, &code[..pairs]), (Set::C, &code[pairs..tail]), (Set::B, &code[tail..])]
}

/// The symbol of a code of ours.
pub(super) fn symbol(code: &str) -> Symbol {
    let mut text = String::with_capacity(LENGTH + 6);
    for (set, part) in sets(code).into_iter().filter(|(_, part)| !part.is_empty()) {
        text.push(match set {
            Set::B => 'Ɓ',
            Set::C => 'Ć',
        });
        text.push_str(part);
    }
    encoded(text)
}

/// The symbol of a word of letters, digits and hyphens.
pub(super) fn word(word: &str) -> Symbol {
    encoded(format!("Ɓ{word}"))
}

fn encoded(text: String) -> Symbol {
    let modules = Code128::new(text).expect("a code of ours and a word are encodable").encode();
    let mut symbol = Symbol { bars: Vec::with_capacity(modules.len() / 3), modules: 0 };
    for run in modules.chunk_by(|a, b| a == b) {
        let width = u16::try_from(run.len()).expect("a run is a few modules wide");
        if run[0] == 1 {
            symbol.bars.push((symbol.modules, width));
        }
        symbol.modules += width;
    }
    symbol
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::barcode::{NUMBER_MAX, TubeCode};

    #[test]
    fn digits_go_in_pairs_and_a_check_digit_with_them() {
        assert_eq!(sets("T0000000001T"), [(Set::B, "T"), (Set::C, "0000000001"), (Set::B, "T")]);
        assert_eq!(sets("T99999999996"), [(Set::B, "T9"), (Set::C, "9999999996"), (Set::B, "")]);
        assert_eq!(symbol("T0000000001T").modules, MODULES_MAX);
        assert_eq!(symbol("T0000000048*").modules, MODULES_MAX);
        assert_eq!(symbol("T99999999996").modules, MODULES_MAX - 11);
    }

    proptest! {
        #[test]
        fn a_symbol_begins_and_ends_in_a_bar_and_no_two_bars_touch(number in 0..=NUMBER_MAX) {
            let symbol = symbol(TubeCode::numbered(number).unwrap().as_str());
            let (last, width) = symbol.bars[symbol.bars.len() - 1];
            prop_assert_eq!(symbol.bars[0].0, 0);
            prop_assert_eq!(last + width, symbol.modules);
            prop_assert!(symbol.modules <= MODULES_MAX);
            // Three bars a symbol character, four in the stop pattern (ISO/IEC 15417).
            prop_assert_eq!(symbol.bars.len(), usize::from(symbol.modules - 13) / 11 * 3 + 4);
            prop_assert!(symbol.bars.windows(2).all(|pair| pair[0].0 + pair[0].1 < pair[1].0));
        }
    }
}
