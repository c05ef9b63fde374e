//! How much liquid: whole nanolitres, so that ten times 0.1 µL is 1 µL.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};

/// The most one step may move: more than any well, tube or trough of a robot's deck holds.
const MAX_NL: u32 = 1_000_000_000;

/// A volume in nanolitres; written and read in microlitres.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Volume(u32);

impl Volume {
    /// That many nanolitres; none above a litre.
    pub const fn from_nl(nanolitres: u32) -> Option<Self> {
        if nanolitres <= MAX_NL { Some(Self(nanolitres)) } else { None }
    }

    /// Reads microlitres as robots write them (`5`, `2.19`, `500.000000000000`); what is beyond a
    /// nanolitre is rounded. None for anything else, also for a negative number.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let decimal: Decimal = text.parse().ok().filter(|_| plain)?;
        let nanolitres = decimal.checked_mul(Decimal::ONE_THOUSAND)?.round().to_u32()?;
        Self::from_nl(nanolitres)
    }

    /// In nanolitres.
    pub const fn nl(self) -> u32 {
        self.0
    }

    /// Whether nothing is moved.
    pub const fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// Both together, at most a litre.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(MAX_NL))
    }

    /// Whether `found` is no further from this than that many percent of it.
    pub fn is_met_by(self, found: Self, percent: u8) -> bool {
        let apart = u64::from(self.0.abs_diff(found.0));
        apart * 100 <= u64::from(self.0) * u64::from(percent)
    }
}

/// A volume of more than nothing, written as text in microlitres: `"5"`, `"2.5"`.
pub mod microlitres {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::Volume;

    /// Writes it.
    pub fn serialize<S: Serializer>(volume: &Volume, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(volume)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Volume, D::Error> {
        let text = String::deserialize(from)?;
        let message = "a volume is a text of microlitres above 0, such as \"5\" or \"2.5\"";
        let found = Volume::parse(&text).filter(|volume| !volume.is_nothing());
        found.ok_or_else(|| D::Error::custom(message))
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Decimal::new(i64::from(self.0), 3).normalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microlitres_are_read_as_robots_write_them() {
        for (text, nl) in [
            ("5", 5_000),
            ("2.19", 2_190),
            (" 500.000000000000 ", 500_000),
            ("0.0", 0),
            ("100", 100_000),
        ] {
            assert_eq!(Volume::parse(text).map(Volume::nl), Some(nl), "{text}");
        }
        for text in ["", "-5", "5,0", "5 uL", "NaN", "1e3", "1000001", "+1", "5.0.1"] {
            assert_eq!(Volume::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_volume_is_written_without_needless_digits() {
        for (nl, text) in [(5_000, "5"), (2_190, "2.19"), (1, "0.001"), (0, "0"), (100_000, "100")]
        {
            let volume = Volume::from_nl(nl).unwrap();
            assert_eq!(volume.to_string(), text);
            assert_eq!(Volume::parse(text), Some(volume));
        }
    }

    #[test]
    fn the_tolerance_is_part_of_what_was_planned() {
        let volume = |text| Volume::parse(text).unwrap();
        assert!(volume("5").is_met_by(volume("4.5"), 10));
        assert!(volume("5").is_met_by(volume("5.5"), 10));
        assert!(!volume("5").is_met_by(volume("4.499"), 10));
        assert!(!volume("5").is_met_by(volume("5.501"), 10));
        assert!(volume("5").is_met_by(volume("5"), 0));
    }
}
