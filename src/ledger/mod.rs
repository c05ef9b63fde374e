//! The proof that nothing is lost (R9).
//!
//! Every tube that was collected is in exactly one place, and so is each of its people:
//! collected = in transit + received + refused + missing + in process + released + closed, and
//! unexplained = 0. A tube is counted where its stored state says, but only when the rows that
//! were written on its way (box, arrival, frozen plate, call, result, recall, what members were
//! told) say the same; otherwise it is unexplained, whatever its state claims. The evidence asked
//! of each state is in [`rules`].
//!
//! The day of a tube is the day it was sealed, in China's one time zone, also in the lines of a
//! laboratory, so that the lines of a day add up to the whole.

pub mod api;
mod evidence;
pub mod rules;
pub mod store;
mod sum;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use evidence::{Evidence, Finding};
pub use sum::Sum;

use crate::clock::Time;
use crate::collection::TubeState;

/// Unexplained tubes named at most.
pub const NAMED_MAX: usize = 100;
/// Overdue tubes named at most.
pub const OVERDUE_MAX: usize = 1_000;

/// One count of tubes or of people; `collected` is the sum of all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ledger {
    /// Swabbed.
    pub collected: u64,
    /// Sealed at the site, or in a box on its way.
    pub in_transit: u64,
    /// Accepted by a laboratory and waiting for a plate.
    pub received: u64,
    /// Refused by a laboratory; recalled.
    pub refused: u64,
    /// In the manifest and not in the box.
    pub missing: u64,
    /// On a frozen plate without a result.
    pub in_process: u64,
    /// Told a result.
    pub released: u64,
    /// Ended without a result; recalled.
    pub closed: u64,
    /// Contradicted by what was written on the way.
    pub unexplained: u64,
}

impl Ledger {
    /// Every line with its name, in the order of the way.
    pub const fn lines(&self) -> [(&'static str, u64); 9] {
        [
            ("collected", self.collected),
            ("in transit", self.in_transit),
            ("received", self.received),
            ("refused", self.refused),
            ("missing", self.missing),
            ("in process", self.in_process),
            ("released", self.released),
            ("closed", self.closed),
            ("unexplained", self.unexplained),
        ]
    }

    /// Counts `n` where `state` says, or as unexplained when there is none.
    pub fn count(&mut self, state: Option<TubeState>, n: u64) {
        self.collected += n;
        *match state {
            Some(TubeState::Sealed | TubeState::Packed) => &mut self.in_transit,
            Some(TubeState::Received) => &mut self.received,
            Some(TubeState::Refused) => &mut self.refused,
            Some(TubeState::Missing) => &mut self.missing,
            Some(TubeState::Plated) => &mut self.in_process,
            Some(TubeState::Released) => &mut self.released,
            Some(TubeState::Closed) => &mut self.closed,
            None => &mut self.unexplained,
        } += n;
    }
}

/// Tubes and the people in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// Tubes.
    pub tubes: Ledger,
    /// People, each as often as they were swabbed.
    pub people: Ledger,
}

/// One day at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// The day the tubes were sealed.
    pub day: String,
    /// Code of the site or the laboratory; none for tubes no laboratory has.
    pub place: Option<String>,
    /// What was counted.
    #[serde(flatten)]
    pub count: Count,
}

/// The whole ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Tubes that are not explained, and codes and statuses that belong to no tube; must be 0.
    pub unexplained: u64,
    /// Everything together.
    pub whole: Count,
    /// By day and site.
    pub sites: Vec<Line>,
    /// By day and laboratory.
    pub laboratories: Vec<Line>,
    /// The first unexplained, each with every reason.
    pub reasons: Vec<Unexplained>,
    /// How many tubes are overdue.
    pub overdue_tubes: u64,
    /// The first of them, by code.
    pub overdue: Vec<Overdue>,
}

/// One tube whose evidence does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unexplained {
    /// The tube's code, also of a tube that does not exist.
    pub tube: String,
    /// The state it is stored in; none when there is no such tube.
    pub state: Option<TubeState>,
    /// Everything that contradicts it.
    pub reasons: Vec<String>,
}

/// A step of a tube's way that has to be taken in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Into a box.
    Pack,
    /// To a laboratory.
    Receive,
    /// Found again or written off.
    Find,
    /// Onto a plate.
    Plate,
    /// Through run, review and release.
    Release,
    /// From the swab to the result, as the round promises.
    Result,
}

/// A tube that waits too long for a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Overdue {
    /// The tube.
    pub tube: String,
    /// Its site.
    pub site: String,
    /// The laboratory that has it.
    pub laboratory: Option<String>,
    /// Where it is.
    pub state: TubeState,
    /// The step it waits for.
    pub step: Step,
    /// Since when that step is overdue.
    pub due_at: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_counted_adds_up() {
        let mut ledger = Ledger::default();
        for (n, state) in (1..).zip(TubeState::ALL) {
            ledger.count(Some(state), n);
        }
        ledger.count(None, 100);
        let Ledger { in_transit, received, refused, missing, in_process, released, .. } = ledger;
        let placed = in_transit + received + refused + missing + in_process + released;
        assert_eq!(ledger.collected, placed + ledger.closed + ledger.unexplained);
        assert_eq!((ledger.in_transit, ledger.unexplained), (3, 100));
    }
}
