//! A cut-off with its comparison sign: `< 40.00` and `<= 40.00` differ for the Ct 40.00.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::instrument::Ct;

/// The latest Ct that still counts, written `< 40.00` or `<= 38`; compared as decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CutOff {
    inclusive: bool,
    cycles: Decimal,
}

/// A text that is no cut-off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cut-off; write < or <= and a cycle number above 0 and up to 100")]
pub struct NotACutOff(String);

impl CutOff {
    /// Whether a Ct is within the cut-off.
    pub fn admits(self, ct: Ct) -> bool {
        if self.inclusive { ct.cycles() <= self.cycles } else { ct.cycles() < self.cycles }
    }

    /// The number of cycles, whether or not it counts itself.
    pub const fn cycles(self) -> Decimal {
        self.cycles
    }

    /// Whether this cut-off admits a Ct that `other` does not.
    pub fn is_wider_than(self, other: Self) -> bool {
        (self.cycles, self.inclusive) > (other.cycles, other.inclusive)
    }
}

impl FromStr for CutOff {
    type Err = NotACutOff;

    fn from_str(text: &str) -> Result<Self, NotACutOff> {
        let refuse = || NotACutOff(text.chars().take(20).collect());
        let after_sign = text.trim().strip_prefix('<').ok_or_else(refuse)?;
        let (inclusive, number) = match after_sign.strip_prefix('=') {
            Some(number) => (true, number),
            None => (false, after_sign),
        };
        let cycles: Decimal = number.trim().parse().map_err(|_not_a_number| refuse())?;
        let cycles = Ct::try_from(cycles).map_err(|_not_a_ct| refuse())?.cycles();
        Ok(Self { inclusive, cycles })
    }
}

impl TryFrom<String> for CutOff {
    type Error = NotACutOff;

    fn try_from(text: String) -> Result<Self, NotACutOff> {
        text.parse()
    }
}

impl From<CutOff> for String {
    fn from(cut_off: CutOff) -> Self {
        cut_off.to_string()
    }
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.inclusive { "<=" } else { "<" }, self.cycles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_off(text: &str) -> CutOff {
        text.parse().unwrap()
    }

    fn ct(text: &str) -> Ct {
        Ct::try_from(text.parse::<Decimal>().unwrap()).unwrap()
    }

    #[test]
    fn forty_is_not_below_forty_however_it_is_written() {
        for forty in ["40", "40.0", "40.00"] {
            assert!(!cut_off("< 40.00").admits(ct(forty)));
            assert!(cut_off("<= 40.00").admits(ct(forty)));
        }
        assert!(cut_off("< 40.00").admits(ct("39.9999999999999")));
        assert!(!cut_off("<= 40").admits(ct("40.0000000000001")));
    }

    #[test]
    fn a_cut_off_is_written_as_it_is_read() {
        for text in ["< 40.00", "<= 38"] {
            assert_eq!(cut_off(text).to_string(), text);
        }
        assert_eq!(cut_off(" <40.00 "), cut_off("< 40.00"));
    }

    #[test]
    fn what_is_no_cut_off_is_refused() {
        for text in ["", "40", "> 40", "=< 40", "< ", "< forty", "< -1", "< 0", "< 101"] {
            assert!(text.parse::<CutOff>().is_err(), "{text} was taken for a cut-off");
        }
    }

    #[test]
    fn width_counts_the_sign() {
        assert!(cut_off("<= 38").is_wider_than(cut_off("< 38.00")));
        assert!(cut_off("< 40").is_wider_than(cut_off("<= 38")));
        assert!(!cut_off("< 38").is_wider_than(cut_off("< 38.0")));
    }
}
