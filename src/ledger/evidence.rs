//! What was written about a tube on its way.

use crate::clock::Time;
use crate::collection::TubeState;

/// Everything that was written about one tube on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Its code.
    pub code: String,
    /// Where it was sealed.
    pub site: String,
    /// The laboratory that has it.
    pub laboratory: Option<String>,
    /// The state it is stored in.
    pub state: TubeState,
    /// Since when.
    pub since: Time,
    /// When it was sealed.
    pub sealed: Time,
    /// Hours within which the round promises a result; none when the round is not to be found.
    pub result_hours: Option<i64>,
    /// Members it was sealed with.
    pub declared: i64,
    /// Rows of `member` it has.
    pub members: i64,
    /// It is in a box's manifest.
    pub boxed: bool,
    /// What the last arrival found.
    pub finding: Option<Finding>,
    /// Frozen or closed plates it stands on.
    pub plates: i64,
    /// Those of them on which it has a released call.
    pub called: i64,
    /// Those of them without one that are closed, as a void run leaves them.
    pub given_up: i64,
    /// Released calls of it, on whatever plate.
    pub calls: i64,
    /// Released calls that end it with a result.
    pub reports: i64,
    /// Released calls that end it with a recall of its members.
    pub ended: i64,
    /// Result versions.
    pub results: i64,
    /// Number of the newest.
    pub newest: i64,
    /// Result versions that take the result back.
    pub withdrawn: i64,
    /// Recalls it opened.
    pub recalls: i64,
    /// Members among those it recalled.
    pub recalled: i64,
    /// Recalls it opened because it was lost.
    pub missed: i64,
    /// Members whose status is its result.
    pub told: i64,
    /// Those of them whose status is not its newest version.
    pub told_otherwise: i64,
    /// Members whose status is its result or a later one.
    pub told_since: i64,
    /// An officer made it up, to see whether it is found; nobody is in it.
    pub seeded: bool,
}

/// What an arrival found of a tube.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Finding {
    /// It may be tested.
    Accepted,
    /// It may not.
    Refused,
    /// It was not in the box.
    Missing,
    /// It was in the box and not in the manifest.
    Unexpected,
}
