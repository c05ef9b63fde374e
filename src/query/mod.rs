//! What a person or a service may ask, and the whole way of a tube.
//!
//! Nobody is negative by default (R20): a person is shown `not_detected` only when the result of
//! their latest sampling was released and nothing is asked of them.

pub mod api;
pub mod document;
pub mod gather;
pub mod guess;
pub mod lookup;
pub mod report;
pub mod rules;
pub mod store;
pub mod way;
pub mod way_api;
pub mod way_plates;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Time;
use crate::collection::TubeState;

/// A result as a person is told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ToldOutcome {
    /// Viral nucleic acid was found.
    Detected,
    /// None was found.
    NotDetected,
    /// A result that was released and taken back.
    Withdrawn,
}

/// How far a person's latest sampling is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Swabbed; the tube is on its way to a laboratory.
    Sampled,
    /// A laboratory has the tube.
    Received,
    /// There is no result yet and the person is asked to come again, as the residents' display
    /// of a positive pool is (`domain.md` A5).
    UnderVerification,
    /// There is a result.
    Released,
}

/// What a person is shown; sampling, receipt and result each with its own time (`domain.md` A4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// How far the latest sampling is.
    pub state: Progress,
    /// When the person was last swabbed.
    pub sampled_at: Time,
    /// When a laboratory took that tube in.
    pub received_at: Option<Time>,
    /// When the result of that tube was released.
    pub resulted_at: Option<Time>,
    /// The result of that tube; none while there is none.
    pub outcome: Option<ToldOutcome>,
    /// How many people's swabs were tested together for it, in a pool of the street or of the
    /// laboratory; none where the swab was tested alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooled: Option<i64>,
    /// An earlier result, while a newer sampling is under way.
    pub last_result: Option<LastResult>,
    /// The person is asked to come again.
    pub recall: Option<RecallNotice>,
}

/// An earlier result, with its own times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastResult {
    /// What it said.
    pub outcome: ToldOutcome,
    /// When the person was swabbed for it.
    pub collected_at: Time,
    /// When it was released.
    pub released_at: Time,
}

/// Somebody is to be swabbed again, singly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecallNotice {
    /// By when.
    pub due_at: Time,
}

/// What is stored about one person, as far as their status needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The newest tube the person is a member of.
    pub sampling: Sampling,
    /// The last result the person was told.
    pub told: Option<Told>,
    /// The earliest deadline among the person's recalls that are not closed.
    pub recall_due: Option<Time>,
}

/// One person's swab in one tube.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// The tube.
    pub tube: String,
    /// When the swab was taken.
    pub taken: Time,
    /// Where the tube is on its way.
    pub state: TubeState,
    /// When a laboratory took it in.
    pub received: Option<Time>,
}

/// One row of `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The tube it is the result of.
    pub tube: String,
    /// What it said.
    pub outcome: ToldOutcome,
    /// People whose swabs were in the well it was read from.
    pub pooled: Option<i64>,
    /// When the swab was taken.
    pub collected: Time,
    /// When it was released.
    pub released: Time,
}
