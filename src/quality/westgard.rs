//! The rules of Westgard, Barry, Hunt and Groth (Clinical Chemistry 27, 1981, 493-501), applied to
//! the Ct of one control, target and instrument in order of time.
//!
//! A computer looks at every rule at every point; the warning is not needed to begin. `R_4s` is
//! read over two points that follow each other, for a plate has one positive control a target.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Points the longest rule looks back over, the newest included.
pub const LOOK_BACK: usize = 10;

/// A rule that was broken.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
pub enum Rule {
    /// One beyond 2 standard deviations: look twice.
    #[serde(rename = "1_2s")]
    OneTwo,
    /// One beyond 3: random error.
    #[serde(rename = "1_3s")]
    OneThree,
    /// Two in a row beyond 2 on one side: systematic error.
    #[serde(rename = "2_2s")]
    TwoTwo,
    /// Two in a row, one above +2 and one below -2: random error.
    #[serde(rename = "R_4s")]
    RangeFour,
    /// Four in a row beyond 1 on one side: systematic error.
    #[serde(rename = "4_1s")]
    FourOne,
    /// Ten in a row on one side of the mean: systematic error.
    #[serde(rename = "10_x")]
    TenMean,
}

impl Rule {
    /// Whether a run that breaks it is rejected; `1_2s` only warns.
    pub const fn rejects(self) -> bool {
        !matches!(self, Self::OneTwo)
    }

    /// The rule of that name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            Self::OneTwo,
            Self::OneThree,
            Self::TwoTwo,
            Self::RangeFour,
            Self::FourOne,
            Self::TenMean,
        ];
        all.into_iter().find(|rule| rule.name() == name)
    }

    /// As laboratories write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneTwo => "1_2s",
            Self::OneThree => "1_3s",
            Self::TwoTwo => "2_2s",
            Self::RangeFour => "R_4s",
            Self::FourOne => "4_1s",
            Self::TenMean => "10_x",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Every rule the newest of these points breaks; distances from the mean in standard deviations,
/// oldest first.
pub fn broken(distances: &[f64]) -> Vec<Rule> {
    let Some(newest) = distances.last() else { return Vec::new() };
    let last = |count: usize| distances.len().checked_sub(count).map(|from| &distances[from..]);
    let all_beyond = |count: usize, limit: f64| {
        last(count).is_some_and(|points| {
            points.iter().all(|z| *z > limit) || points.iter().all(|z| *z < -limit)
        })
    };
    let opposite =
        last(2).is_some_and(|pair| pair.iter().any(|z| *z > 2.0) && pair.iter().any(|z| *z < -2.0));
    let checks = [
        (newest.abs() > 2.0, Rule::OneTwo),
        (newest.abs() > 3.0, Rule::OneThree),
        (all_beyond(2, 2.0), Rule::TwoTwo),
        (opposite, Rule::RangeFour),
        (all_beyond(4, 1.0), Rule::FourOne),
        (all_beyond(LOOK_BACK, 0.0), Rule::TenMean),
    ];
    checks.into_iter().filter(|(is_broken, _)| *is_broken).map(|(_, rule)| rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_fires_where_it_must_and_not_a_hair_before() {
        let fires: [(&[f64], &[Rule]); 8] = [
            (&[2.1], &[Rule::OneTwo]),
            (&[-3.1], &[Rule::OneTwo, Rule::OneThree]),
            (&[2.1, 2.2], &[Rule::OneTwo, Rule::TwoTwo]),
            (&[-2.1, -2.2], &[Rule::OneTwo, Rule::TwoTwo]),
            (&[2.1, -2.1], &[Rule::OneTwo, Rule::RangeFour]),
            (&[1.1, 1.2, 1.3, 1.1], &[Rule::FourOne]),
            (&[-1.1, -1.2, -1.3, -1.1], &[Rule::FourOne]),
            (&[0.1, 0.2, 0.1, 0.3, 0.1, 0.2, 0.1, 0.2, 0.1, 0.2], &[Rule::TenMean]),
        ];
        for (points, rules) in fires {
            assert_eq!(broken(points), rules, "{points:?}");
        }
        let quiet: [&[f64]; 7] = [
            &[],
            &[2.0],
            &[-2.0, 2.0],
            &[1.9, 1.9, 0.9, 1.9],
            &[1.1, 1.2, 1.3],
            &[0.1, 0.2, 0.1, 0.3, 0.1, 0.2, 0.1, 0.2, 0.1],
            &[-0.1, 0.2, 0.1, 0.3, 0.1, 0.2, 0.1, 0.2, 0.1, 0.2],
        ];
        for points in quiet {
            assert_eq!(broken(points), [], "{points:?}");
        }
    }

    #[test]
    fn only_the_warning_lets_a_run_pass() {
        assert!(!Rule::OneTwo.rejects());
        assert!(broken(&[2.1, 2.2]).iter().any(|rule| rule.rejects()));
        assert_eq!(serde_json::to_value(Rule::RangeFour).unwrap(), Rule::RangeFour.name());
    }
}
