//! Quality that watches itself: every run leaves points, points make charts, charts raise alarms
//! (R18).
//!
//! A run leaves, in the transaction that brings it in, one point for each target of its positive
//! and weak-positive controls, one for the median Ct of its internal control, and its counts of
//! tubes and positives. Nothing is summed up elsewhere: a chart and an alarm are the same pure
//! function of the points, so that what raised an alarm can be drawn.
//!
//! | what is watched | against what | how | consequence |
//! |---|---|---|---|
//! | each control | first [`BASELINE`] points of its instrument and kit | [`westgard`] | the run is not released by rule |
//! | each control | the same | [`cusum`] tuned to 1 Ct | alarm |
//! | each control | how often the rules hold sound runs | [`held`]: a quarter of an instrument's last hundred | alarm |
//! | internal control, median of a plate | the same | [`cusum`] tuned to 2 Ct | alarm |
//! | positivity | everything else in the city, last 24 hours; without others, or where the people are known to differ and the own week has positives enough, the own week before | [`cusum`] of likelihood ratios, by people per reaction ([`shares`]) | alarm |
//! | seeded tubes | what was seeded | [`seeded`] | alarm for the officer, at once |
//! | their recall | nine of ten of the last twenty | [`seeded`] | alarm; nothing is released by rule |
//!
//! Each is watched for the laboratory, the instrument, the kit lot and the operator, and
//! the alarm names the one that stands out ([`rules`]). Westgard's rules reject about one
//! sound run in thirty by design; they therefore hold a run for two people and raise nothing, unless
//! they do so far more often. What raises is made for fewer than one false alarm a month (measured
//! in `simulation::quality`).
//!
//! Until the [`BASELINE`] points of an instrument and kit version are there, nothing watches its
//! controls and its internal control: no rule holds its runs and no sum adds up. A chart says so.
//!
//! The slice stands before `interpretation`, for points are written with their run.

pub mod alarm;
pub mod api;
mod axis;
mod chart;
pub mod cusum;
pub mod held;
pub mod past;
pub mod rules;
pub mod seeded;
pub mod seeded_list;
mod seeded_svg;
pub mod shares;
pub mod store;
mod svg;
mod watch;
pub mod westgard;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use chart::{Chart, ChartPoint, Frame, Learner, Series};
pub use watch::{Judged, judge, keep};

use crate::clock::Time;

/// Points of an instrument that make its mean and standard deviation; CLSI C24 asks for at least
/// 20.
pub const BASELINE: usize = 30;
/// Fewest internal controls on a plate that make a median worth charting.
pub const MEDIAN_OF_MIN: usize = 5;

/// What is measured.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sqlx::Type,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Measure {
    /// Ct of a target in the positive control.
    PositiveControl,
    /// Ct of a target in the weak positive control.
    WeakPositiveControl,
    /// Median Ct of the internal control over the tubes of a plate.
    InternalControl,
    /// Share of tubes with the pathogen.
    Positivity,
    /// Whether seeded tubes are found.
    Seeded,
    /// How many of the last seeded tubes with virus were found.
    SeededRecall,
}

impl Measure {
    /// The shift of Ct this measure is tuned to find; none where it is no Ct.
    pub const fn shift(self) -> Option<f64> {
        match self {
            Self::PositiveControl | Self::WeakPositiveControl => Some(1.0),
            Self::InternalControl => Some(2.0),
            Self::Positivity | Self::Seeded | Self::SeededRecall => None,
        }
    }

    /// Whether nobody in a laboratory may know of its alarms.
    pub const fn is_blind(self) -> bool {
        matches!(self, Self::Seeded | Self::SeededRecall)
    }

    /// Whether Westgard's rules are applied.
    pub const fn is_control(self) -> bool {
        matches!(self, Self::PositiveControl | Self::WeakPositiveControl)
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PositiveControl => "positive control",
            Self::WeakPositiveControl => "weak positive control",
            Self::InternalControl => "internal control",
            Self::Positivity => "positivity",
            Self::Seeded => "seeded tubes",
            Self::SeededRecall => "recall of seeded tubes",
        })
    }
}

/// Whose points are looked at together.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sqlx::Type,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Scope {
    /// All of a laboratory.
    Laboratory,
    /// One of its instruments, by serial number.
    Instrument,
    /// One of its kit lots.
    Lot,
    /// One of its people, by account.
    Operator,
}

impl Scope {
    /// Every scope, in the order of [`rules::Step`].
    pub const ALL: [Self; 4] = [Self::Laboratory, Self::Instrument, Self::Lot, Self::Operator];
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Laboratory => "laboratory",
            Self::Instrument => "instrument",
            Self::Lot => "lot",
            Self::Operator => "operator",
        })
    }
}

/// Which way something went.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sqlx::Type,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Direction {
    /// Later Ct, more positives, or a seeded negative found positive.
    Rise,
    /// Earlier Ct, fewer positives, or a seeded positive missed.
    Fall,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Rise, Self::Fall];
}

/// Whose a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    /// Code of the laboratory.
    pub laboratory: String,
    /// Serial number of the instrument, or what whoever brought the run in calls it, or its type, or
    /// the format of a file that names none of them.
    pub instrument: String,
    /// The kit lot, where the plate has one.
    pub lot: Option<String>,
    /// Account of who brought the run in.
    pub operator: String,
}

impl Subjects {
    /// The one in this scope.
    pub fn of(&self, scope: Scope) -> Option<&str> {
        match scope {
            Scope::Laboratory => Some(&self.laboratory),
            Scope::Instrument => Some(&self.instrument),
            Scope::Lot => self.lot.as_deref(),
            Scope::Operator => Some(&self.operator),
        }
    }
}

/// What a run tells, before anybody knows what is usual.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The run.
    pub run: String,
    /// Whose it is.
    pub subjects: Subjects,
    /// Kit and version.
    pub kit: String,
    /// When it came in.
    pub at: Time,
    /// Whether the plate may be used; only such a plate teaches what is usual.
    pub usable: bool,
    /// First tests that were called detected or not detected, by people per reaction.
    pub shares: Vec<Share>,
    /// Reactions whose internal control did not amplify.
    pub internal_failures: u32,
    /// Ct of controls and medians of internal controls.
    pub values: Vec<Value>,
    /// What was called of each tube, for those that were seeded.
    pub answers: Vec<Answer>,
}

/// What a run found in reactions of as many people each. A laboratory pool is one reaction; what was
/// tested before is left out, for its first answer is why it is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// People in one reaction.
    pub people: u32,
    /// Reactions that were called detected or not detected.
    pub tubes: u32,
    /// Those of them with the pathogen.
    pub detected: u32,
}

/// One Ct of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What it is of.
    pub measure: Measure,
    /// Code of the kit's target.
    pub target: String,
    /// Cycles.
    pub ct: f64,
}

/// What a run says of one tube.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The tube.
    pub tube: String,
    /// Whether the pathogen was found; none when nothing could be said.
    pub detected: Option<bool>,
    /// Whether it was read in a laboratory pool, with others.
    pub pooled: bool,
    /// Whether the same tube is tested again before anybody is told.
    pub again: bool,
}

/// The middle of some Ct, where there are enough of them.
pub fn median(mut cycles: Vec<f64>) -> Option<f64> {
    if cycles.len() < MEDIAN_OF_MIN {
        return None;
    }
    cycles.sort_by(f64::total_cmp);
    let middle = cycles.len() / 2;
    let upper = cycles[middle];
    Some(if cycles.len() % 2 == 1 { upper } else { f64::midpoint(cycles[middle - 1], upper) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_a_handful_of_tubes_has_none() {
        assert_eq!(median(vec![30.0, 20.0, 25.0, 26.0, 24.0]), Some(25.0));
        assert_eq!(median(vec![30.0, 20.0, 25.0, 26.0, 24.0, 27.0]), Some(25.5));
        assert_eq!(median(vec![30.0, 20.0, 25.0, 26.0]), None);
    }
}
