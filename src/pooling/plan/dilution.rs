//! What mixing takes from a test: a later Ct, and with it the infections nearest the cut-off.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};
use utoipa::ToSchema;

/// Material of several single tubes mixed in the laboratory, equal volumes of each.
///
/// One infected person among n is diluted n times and crosses `log n / log(1 + efficiency)` cycles
/// later: 2.32 for five at full efficiency, 3.32 for ten. Whoever was that close to the cut-off is
/// missed. Swabs that share one tube are hardly diluted at all (0.1 to 2.1 cycles measured in
/// 19,535 people, pone.0246544); leave dilution out for them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Dilution {
    /// How fully a cycle doubles, above 0 and up to 1.
    pub efficiency: f64,
    /// Mean Ct of infected people tested singly, in cycles.
    pub ct_mean: f64,
    /// Standard deviation of it, in cycles.
    pub ct_sd: f64,
    /// Ct beyond which a test is negative, in cycles.
    pub cut_off: f64,
}

impl Dilution {
    /// Cycles by which a pool of that many is later than its one infected person alone.
    pub fn shift(&self, people: u32) -> f64 {
        f64::from(people).ln() / (1.0 + self.efficiency).ln()
    }

    /// Whether a single test finds a share worth speaking of.
    pub(super) fn finds_anything(&self) -> bool {
        Normal::standard().cdf((self.cut_off - self.ct_mean) / self.ct_sd) > 0.01
    }

    /// Of infected people found singly, the share still found in a pool of that many.
    pub(super) fn kept(&self, people: u32) -> f64 {
        let spread = Normal::standard();
        let within = |ct: f64| spread.cdf((ct - self.ct_mean) / self.ct_sd);
        within(self.cut_off - self.shift(people)) / within(self.cut_off)
    }
}
