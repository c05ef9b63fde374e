//! Recalls: the follow-up of a positive, inconclusive or invalid pool, or of a refused or lost
//! tube. Every member is asked to come again and is collected singly by a deadline; only the
//! single tube that answers it closes a recall (`domain.md` A5).

pub mod api;
pub mod rules;
pub mod store;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::{Span, Time};

/// Where a recall is; the schema's trigger allows the same moves and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum RecallState {
    /// The person is to come again.
    Open,
    /// The person was swabbed into a single tube that a laboratory has.
    Collected,
    /// That tube has a result.
    Closed,
}

impl RecallState {
    /// Every stage.
    pub const ALL: [Self; 3] = [Self::Open, Self::Collected, Self::Closed];

    /// Whether a recall may go from here to `next`.
    ///
    /// From open straight to closed goes a recall whose answer has a result before it was linked.
    pub const fn may_become(self, next: Self) -> bool {
        use RecallState::{Closed, Collected, Open};
        matches!((self, next), (Open, Collected | Closed) | (Collected, Closed | Open))
    }
}

/// Why a person is asked to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum RecallReason {
    /// The pool was positive.
    Detected,
    /// The pool was in the grey zone or positive in one target.
    Inconclusive,
    /// The pool gave no valid result.
    Invalid,
    /// The laboratory refused the tube.
    Refused,
    /// The tube was lost on its way.
    Missing,
}

/// Whether the person was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Contact {
    /// Nobody tried yet.
    None,
    /// The person knows.
    Informed,
    /// Nobody answers.
    Unreachable,
    /// The person will not come.
    Declined,
}

/// What the single tube that answers a recall said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum RecallOutcome {
    /// The person is positive.
    Detected,
    /// The person is negative.
    NotDetected,
    /// What was said was taken back; the person is recalled anew.
    Withdrawn,
}

/// Recalls to be opened, one for each member of some tubes.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    /// Why.
    pub reason: RecallReason,
    /// When.
    pub at: Time,
    /// By when the members are to be collected again.
    pub due: Time,
}

impl Opening {
    /// Recalls opened now and due after the configured hours.
    pub fn due_in(reason: RecallReason, at: Time, hours: i64) -> Self {
        Self { reason, at, due: at + Span::hours(hours) }
    }
}

/// A single tube that has a result.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The tube.
    pub tube: &'a str,
    /// Its result.
    pub outcome: RecallOutcome,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_lies_the_configured_hours_ahead() {
        let opening = Opening::due_in(RecallReason::Refused, Time::from_us(7), 24);
        assert_eq!(opening.due.since(opening.at), Span::hours(24));
    }

    #[test]
    fn a_closed_recall_stays_closed() {
        for next in RecallState::ALL {
            assert!(!RecallState::Closed.may_become(next));
        }
    }
}
