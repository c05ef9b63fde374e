//! The city's figures: what its board shows, from counters that the moves of tubes keep up.
//!
//! Triggers of the store (step 16) leave a row in `figure_delta` for every move of a tube, a
//! recall, a plate or a run, in the transaction of the move; they are folded into `figure` now and
//! then ([`fold`]), and whoever reads adds both up. So an answer costs as much as the rounds have
//! areas, laboratories and hours, however many people they have; which plates and runs are under
//! way is read from those themselves, few as they are. [`check`] counts the rows themselves and
//! compares: the board is not the proof, the ledger is.
//!
//! Tubes that an officer had made up are counted like any other, with the people they pretend to
//! hold, for nobody in a laboratory may tell them apart; the ledger leaves those people out.

pub mod api;
pub mod check;
pub mod fold;
pub mod live;
pub mod proof;
pub mod rules;
pub mod store;
pub mod svg;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::{Span, Time};
use crate::collection::TubeState;

/// Hours of the time line, the running one included.
pub const HOURS: i64 = 24;
/// A round is shown this long after it is over: a last result may take three days.
pub const SHOWN_AFTER: Span = Span::days(3);
/// Things named at most for each step that is waited for.
pub const OLDEST_MAX: i64 = 5;

/// What is asked for; everything of the rounds under way when nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// This round; else every round that is under way or over for less than [`SHOWN_AFTER`].
    pub round: Option<String>,
    /// Sites of this area.
    pub area: Option<String>,
    /// This laboratory.
    pub laboratory: Option<String>,
}

/// Tubes, and the people in them.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::FromRow,
)]
pub struct Amount {
    /// Tubes.
    pub tubes: i64,
    /// People, each as often as they were swabbed.
    pub people: i64,
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.tubes += other.tubes;
        self.people += other.people;
    }
}

impl std::ops::SubAssign for Amount {
    fn sub_assign(&mut self, other: Self) {
        self.tubes -= other.tubes;
        self.people -= other.people;
    }
}

/// Where everybody is, in the words of the ledger; `collected` is the sum of all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stages {
    /// Swabbed; where only a laboratory is asked for, what it ever had.
    pub collected: Amount,
    /// Sealed at the site, or in a box on its way.
    pub in_transit: Amount,
    /// Accepted by a laboratory and waiting for a plate.
    pub received: Amount,
    /// Refused by a laboratory; recalled.
    pub refused: Amount,
    /// In the manifest and not in the box.
    pub missing: Amount,
    /// On a frozen plate without a result.
    pub in_process: Amount,
    /// Told a result.
    pub released: Amount,
    /// Ended without a result; recalled.
    pub closed: Amount,
}

impl Stages {
    /// The stage of this state.
    pub const fn stage(&mut self, state: TubeState) -> &mut Amount {
        match state {
            TubeState::Sealed | TubeState::Packed => &mut self.in_transit,
            TubeState::Received => &mut self.received,
            TubeState::Refused => &mut self.refused,
            TubeState::Missing => &mut self.missing,
            TubeState::Plated => &mut self.in_process,
            TubeState::Released => &mut self.released,
            TubeState::Closed => &mut self.closed,
        }
    }
}

/// A round whose figures are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::FromRow)]
pub struct ShownRound {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Its area.
    pub area: String,
    /// When it begins.
    #[sqlx(rename = "starts_us")]
    pub starts_at: Time,
    /// When it ends.
    #[sqlx(rename = "ends_us")]
    pub ends_at: Time,
    /// Hours within which it promises a result.
    pub result_hours: i64,
}

/// A stretch of the way whose time is kept.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Stretch {
    /// Tubes, from the seal to a laboratory.
    Transport,
    /// Tubes, from the laboratory's door or the last plate to a plate.
    Bench,
    /// Plates, from being frozen to their run file.
    Run,
    /// Runs, from their file to a release of theirs.
    Review,
    /// Tubes, from the plate to the result.
    Process,
    /// Tubes, from the seal to the result.
    Whole,
}

/// How long one stretch took. A percentile is interpolated within its bucket: buckets are a minute
/// wide up to eight minutes, from there at most a quarter of where they begin, so that it is off by
/// less than that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Turnaround {
    /// Which stretch.
    pub stretch: Stretch,
    /// How many went all the way: tubes, plates or releases.
    pub count: i64,
    /// Half of them took at most so many minutes; none when nothing went.
    pub p50_minutes: Option<i64>,
    /// Nine of ten took at most so many minutes.
    pub p90_minutes: Option<i64>,
    /// Minutes it should take at most, where there is a limit: the shortest of the rounds for the
    /// whole.
    pub limit_minutes: Option<i64>,
}

/// Who was told late, or still waits beyond what the round promises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Late {
    /// Released after the limit.
    pub released: Amount,
    /// Without an end after the limit, to the hour: those of the hour in which it passes are not
    /// counted yet.
    pub waiting: Amount,
}

/// Recalls, one for each person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecallFigures {
    /// Ever opened.
    pub opened: i64,
    /// Still to come.
    pub open: i64,
    /// Swabbed again and waiting for that result.
    pub collected: i64,
    /// Answered.
    pub closed: i64,
}

/// One hour of the time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HourLine {
    /// When the hour begins.
    pub at: Time,
    /// Sealed in it.
    pub collected: Amount,
    /// Taken in by a laboratory for the first time.
    pub received: Amount,
    /// Put on a plate, however often.
    pub plated: Amount,
    /// Told a result.
    pub released: Amount,
}

/// One area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AreaLine {
    /// Its name.
    pub area: String,
    /// Where everybody is who was swabbed there.
    pub stages: Stages,
}

/// What one laboratory has to do and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LaboratoryLine {
    /// Its code.
    pub laboratory: String,
    /// Where everything is that it ever had.
    pub stages: Stages,
    /// Plates with tubes on them that are not done, of whatever round.
    pub plates: i64,
    /// Runs that wait for their review.
    pub to_review: i64,
    /// Reviewed runs that wait for their release.
    pub to_release: i64,
    /// What it did in each hour of the time line; hours without anything are left out.
    pub hours: Vec<LoadLine>,
}

/// One hour of a laboratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoadLine {
    /// When the hour begins.
    pub at: Time,
    /// Taken in.
    pub received: Amount,
    /// Put on a plate.
    pub plated: Amount,
    /// Told a result.
    pub released: Amount,
    /// Plates frozen.
    pub plates: i64,
    /// Run files that came in.
    pub runs: i64,
}

/// What is waited for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// A box, to arrive.
    Arrival,
    /// A tube that came back from a plate, to be run again.
    AnotherRun,
    /// A plate, for its run file.
    Run,
    /// A run, for its review or release.
    Release,
    /// A recalled person, to be swabbed again: the tube that was followed up is named.
    Swab,
}

/// One thing that waits, among the oldest of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    /// For what.
    pub waits_for: WaitsFor,
    /// Code of the box, tube or plate; id of the run.
    pub code: String,
    /// The site or laboratory.
    pub place: String,
    /// Since when: the box sealed, the tube back, the plate frozen, the file in, the recall opened.
    pub since: Time,
}

/// Everything the board shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// The hour up to which the time line goes.
    pub hour: Time,
    /// The rounds that are counted.
    pub rounds: Vec<ShownRound>,
    /// Where everybody is.
    pub stages: Stages,
    /// Who was or is late.
    pub late: Late,
    /// Recalls, of whatever laboratory.
    pub recalls: RecallFigures,
    /// How long it takes, over everything shown since the rounds began.
    pub turnaround: Vec<Turnaround>,
    /// The last 24 hours, the running one last.
    pub hours: Vec<HourLine>,
    /// By area.
    pub areas: Vec<AreaLine>,
    /// By laboratory.
    pub laboratories: Vec<LaboratoryLine>,
    /// What waits longest, of whatever round.
    pub oldest: Vec<Waiting>,
}
