//! Signs of over-pooling and of invented results: what an inspector would look for, looked for all
//! the time (`domain.md` E).
//!
//! Each check reads what is stored and could not be changed without a trace, and says what speaks
//! against it. A [`Sign`] is no verdict about people: it names what to look at. The rules are pure;
//! [`store`] gathers what they judge.

pub mod api;
mod copies;
mod counts;
mod earlier;
mod hidden_pools;
mod instruments;
mod interpolated;
mod order;
pub mod replaced;
pub mod root;
pub mod runs;
mod scan;
pub mod store;
pub mod transfers;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use copies::Copies;
pub use counts::{
    Deepest, FOLLOWED_WITHIN, FollowUp, OpenRound, ReportedRun, depth, follow_up, round_open, wells,
};
pub use earlier::{Earlier, EarlierNegative};
pub use hidden_pools::HiddenPools;
pub use instruments::Instruments;
pub use interpolated::{KeptCurve, interpolated};
pub use order::{Moments, order};
pub use scan::{RunEvidence, Scan};

use crate::clock::{Span, Time};

/// No run is shorter, from the plate's last change to its file: 40 cycles take 40 to 120 minutes on
/// the instruments of `domain.md` D.
pub const SHORTEST_RUN: Span = Span::minutes(30);

/// What is looked for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A well holds more people than the kit is validated for, or than its tube was sealed with.
    Depth,
    /// More tubes were reported than were amplified.
    Wells,
    /// Swabbed, sealed, handed over, received, plated, run, reviewed, released: not in that order,
    /// or faster than a run can be.
    Order,
    /// A round is over and not every tube has come to an end.
    RoundOpen,
    /// A positive, inconclusive or invalid pool without a recall for each member.
    FollowUp,
    /// The statistical marks of tubes mixed in the laboratory without a word.
    HiddenPools,
    /// A negative that was told although its own reading showed something, to a person found
    /// positive soon after.
    Earlier,
    /// An instrument did more than it can, or a file is not of its own day.
    Instruments,
    /// The same Ct values or curves twice, or curves made out of others.
    Copies,
    /// A robot did something else than planned, which came out when people had been told results.
    Transfers,
    /// An amplification was analysed again, or its run made void and its tubes put on another
    /// plate, and tubes that had shown something are negative.
    Replaced,
}

impl Check {
    /// Every check.
    pub const ALL: [Self; 11] = [
        Self::Depth,
        Self::Wells,
        Self::Order,
        Self::RoundOpen,
        Self::FollowUp,
        Self::HiddenPools,
        Self::Earlier,
        Self::Instruments,
        Self::Copies,
        Self::Transfers,
        Self::Replaced,
    ];

    /// The name it has on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::Wells => "wells",
            Self::Order => "order",
            Self::RoundOpen => "round_open",
            Self::FollowUp => "follow_up",
            Self::HiddenPools => "hidden_pools",
            Self::Earlier => "earlier",
            Self::Instruments => "instruments",
            Self::Copies => "copies",
            Self::Transfers => "transfers",
            Self::Replaced => "replaced",
        }
    }
}

/// One thing that speaks against what was reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Sign {
    /// The check that found it.
    pub check: Check,
    /// The laboratory it is about; none for what is the city's.
    pub laboratory: Option<String>,
    /// Code or id of the thing: a plate, a run, a tube, an instrument.
    pub about: String,
    /// What is the matter and what to look at, without any person.
    pub message: String,
}

impl Sign {
    fn new(check: Check, laboratory: &str, about: &str, message: String) -> Self {
        let laboratory = Some(laboratory.to_owned());
        Self { check, laboratory, about: about.to_owned(), message }
    }
}

/// Everything that was looked at and everything found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Looked at from then on.
    pub from: Time,
    /// And until then, not included.
    pub until: Time,
    /// Only of this laboratory.
    pub laboratory: Option<String>,
    /// Runs looked at.
    pub runs: u64,
    /// Results looked at.
    pub results: u64,
    /// Where no run came in during the period: when the first and the last run came in that there
    /// are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_elsewhere: Option<Elsewhere>,
    /// Each check and how many signs it found.
    pub checks: Vec<Checked>,
    /// What was found, at most [`SIGNS_MAX`] of a check.
    pub signs: Vec<Sign>,
}

/// When runs came in that are not of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Elsewhere {
    /// The first.
    pub first: Time,
    /// The last.
    pub last: Time,
}

/// Signs of one check named at most.
pub const SIGNS_MAX: usize = 100;

/// One check and how many signs it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    /// The check.
    pub check: Check,
    /// Signs it found, named or not.
    pub signs: u64,
}

impl Report {
    /// Whether nothing speaks against anything.
    pub fn is_clean(&self) -> bool {
        self.checks.iter().all(|checked| checked.signs == 0)
    }
}

/// Signs counted by check and the first of each, in order.
fn counted(mut signs: Vec<Sign>) -> (Vec<Checked>, Vec<Sign>) {
    signs.sort();
    let checks: Vec<Checked> = Check::ALL
        .into_iter()
        .map(|check| Checked {
            check,
            signs: signs.iter().filter(|sign| sign.check == check).count() as u64,
        })
        .collect();
    let named = Check::ALL.into_iter().flat_map(|check| {
        signs.iter().filter(move |sign| sign.check == check).take(SIGNS_MAX).cloned()
    });
    let named = named.collect();
    (checks, named)
}
