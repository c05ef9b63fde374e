//! The cycle threshold as a decimal, so that `40.00` is never "less than 40".

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Cycles until the signal crosses the threshold; 0 to 100, up to 15 significant digits kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Decimal", into = "Decimal")]
pub struct Ct(Decimal);

/// A number that no run can have as its Ct.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a Ct: a cycle number lies between 0 and 100")]
pub struct NotACt(Decimal);

impl Ct {
    /// The number of cycles.
    pub const fn cycles(self) -> Decimal {
        self.0
    }
}

impl TryFrom<Decimal> for Ct {
    type Error = NotACt;

    fn try_from(cycles: Decimal) -> Result<Self, NotACt> {
        if cycles > Decimal::ZERO && cycles <= Decimal::ONE_HUNDRED {
            Ok(Self(cycles))
        } else {
            Err(NotACt(cycles))
        }
    }
}

impl From<Ct> for Decimal {
    fn from(ct: Ct) -> Self {
        ct.0
    }
}

impl fmt::Display for Ct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
