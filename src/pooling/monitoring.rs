//! Pooling in use, watched after the FDA's template for molecular diagnostics of October 2021
//! (`domain.md` A6): a rolling window of seven to ten days, a stop above 25 %, and a re-assessment
//! when pools find fewer positives than single tests did.
//!
//! Positivity is that of people: those found positive among those whose tubes were pooled. A
//! detected pool whose tubes still wait for their single tests counts as one positive, which is
//! what it most likely holds; else every new positive pool would push the figure down.
//!
//! Two limits are ours, because the template names none and a share of few is chance: nothing is
//! stopped before [`PEOPLE_MIN`] people were tested, and nothing compared before
//! [`POSITIVES_MIN`] positives were to be expected.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rules::TUBES_MIN;
use crate::error::Reason;

/// Shortest window, in days.
pub const DAYS_MIN: u8 = 7;
/// Longest window, in days.
pub const DAYS_MAX: u8 = 10;
/// Percent of people positive above which pooling is stopped.
const STOP_PERCENT: u64 = 25;
/// Percent of the rate of single tests below which pools are re-assessed.
const HISTORY_PERCENT: u64 = 85;
/// Percent of their own first rate, where there is no history of single tests.
const INITIAL_PERCENT: u64 = 90;
/// Fewest people whose positivity stops anything (ours): four pools of five.
pub const PEOPLE_MIN: u64 = 20;
/// Fewest expected positives that are compared (ours): as many as a re-assessment takes.
pub const POSITIVES_MIN: u64 = 10;

/// How many of some people were positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// People who were tested.
    pub people: u64,
    /// Those of them who were positive.
    pub positive: u64,
}

impl Share {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { people: self.people + other.people, positive: self.positive + other.positive }
    }

    /// In percent with one digit, for people; a dash of nobody.
    pub fn percent(self) -> String {
        if self.people == 0 {
            return "-".to_owned();
        }
        let tenths = (u128::from(self.positive) * 1000 + u128::from(self.people) / 2)
            / u128::from(self.people);
        format!("{}.{} %", tenths / 10, tenths % 10)
    }

    /// Whether more than that percent were positive.
    fn is_above(self, percent: u64) -> bool {
        u128::from(self.positive) * 100 > u128::from(self.people) * u128::from(percent)
    }

    /// Whether the rate is below that percent of the other's.
    fn is_below(self, percent: u64, other: Self) -> bool {
        u128::from(self.positive) * u128::from(other.people) * 100
            < u128::from(other.positive) * u128::from(self.people) * u128::from(percent)
    }

    /// Whether at the other's rate as many positives were to be expected as are compared.
    fn expects_enough(self, other: Self) -> bool {
        u128::from(other.positive) * u128::from(self.people)
            >= u128::from(POSITIVES_MIN) * u128::from(other.people)
            && other.positive > 0
    }
}

/// What pools are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Baseline {
    /// Single tests of the same kit in the days before pooling began.
    History(Share),
    /// The first days of pooling, or those after pooling was last re-assessed.
    Initial(Share),
}

/// The figures of one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// Pools that were called.
    pub pools: u64,
    /// Those of them detected.
    pub detected: u64,
    /// Those of them inconclusive.
    pub inconclusive: u64,
    /// Those of them invalid.
    pub invalid: u64,
    /// Detected pools of which no tube was found positive yet and some wait for their single test.
    pub waiting: u64,
    /// People whose tubes were pooled.
    pub pooled: Share,
    /// People whose single tubes were tested alone at once, answers to recalls left out.
    pub single: Share,
    /// What the pools are compared with; none while there is nothing to compare.
    pub baseline: Option<Baseline>,
}

impl Figures {
    /// Together with those of another version of the kit; what each is compared with is its own.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            pools: self.pools + other.pools,
            detected: self.detected + other.detected,
            inconclusive: self.inconclusive + other.inconclusive,
            invalid: self.invalid + other.invalid,
            waiting: self.waiting + other.waiting,
            pooled: self.pooled.plus(other.pooled),
            single: self.single.plus(other.single),
            baseline: None,
        }
    }
}

/// May a laboratory go on pooling?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may.
    GoOn,
    /// It may, and tests ten positives again in pools to see whether they are found.
    Reassess,
    /// It may not: too many people are positive.
    Stopped,
}

/// Why pooling is stopped, if it is: the running positivity, of pools where enough were called in
/// the window and of single tests otherwise, is above 25 %.
pub fn stop(figures: &Figures) -> Option<Reason> {
    let (running, how) = if figures.pooled.people >= PEOPLE_MIN {
        (figures.pooled, "whose tubes were pooled")
    } else {
        (figures.single, "tested alone")
    };
    if running.people < PEOPLE_MIN || !running.is_above(STOP_PERCENT) {
        return None;
    }
    let message = format!(
        "{} of {} people {how} lately are positive ({}), and above {STOP_PERCENT} % pools save \
         nothing; test every tube alone until the figure has fallen",
        running.positive,
        running.people,
        running.percent()
    );
    Some(Reason::new("pooling.stopped", "positivity", message))
}

/// Why pools are to be re-assessed, if they are: they find clearly fewer positives than their
/// baseline.
pub fn reassess(figures: &Figures) -> Option<Reason> {
    let (base, percent, what) = match figures.baseline? {
        Baseline::History(share) => (share, HISTORY_PERCENT, "single tests before pooling began"),
        Baseline::Initial(share) => (share, INITIAL_PERCENT, "pools in their first days"),
    };
    let pooled = figures.pooled;
    if !pooled.expects_enough(base) || !pooled.is_below(percent, base) {
        return None;
    }
    let message = format!(
        "pools find {} positive and {what} found {}, so they find less than {percent} % of it; \
         test ten positive tubes again in pools and record how many were found",
        pooled.percent(),
        base.percent()
    );
    Some(Reason::new("pooling.reassess", "positivity", message))
}

/// Where pooling with one version of a kit stands, with every reason; `running` is what all versions
/// found together.
pub fn standing(figures: &Figures, running: &Figures) -> (Standing, Vec<Reason>) {
    let (stop, reassess) = (stop(running), reassess(figures));
    let standing = match (&stop, &reassess) {
        (Some(_), _) => Standing::Stopped,
        (None, Some(_)) => Standing::Reassess,
        (None, None) => Standing::GoOn,
    };
    (standing, stop.into_iter().chain(reassess).collect())
}

/// What a re-assessment decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Decision {
    /// Pools of this size go on; from now on they are compared with themselves.
    GoOn,
    /// Ten more positives are to be tested before it can be said.
    TestTenMore,
    /// Pools are made smaller.
    Smaller,
}

/// Positive tubes tested again in pools: how many, and how many were found.
///
/// Ten are tested: nine or ten found go on, eight ask for ten more, and of those twenty 85 % must
/// be found, which is seventeen. Anything less asks for smaller pools.
pub fn assess(positives: u8, found: u8) -> Result<Decision, Vec<Reason>> {
    let mut reasons = Vec::new();
    if found > positives {
        let message = format!("{found} of {positives} cannot be found; count them again");
        reasons.push(Reason::new("assessment.found", "found", message));
    }
    if !matches!(positives, 10 | 20) {
        let message = "ten positives are tested, or twenty when eight of the first ten were found";
        reasons.push(Reason::new("assessment.positives", "positives", message));
    }
    if !reasons.is_empty() {
        return Err(reasons);
    }
    let is_enough = Share { people: positives.into(), positive: found.into() };
    Ok(match (positives, found) {
        (10, 9..) => Decision::GoOn,
        (10, 8) => Decision::TestTenMore,
        (20, _) if !is_enough.is_below(HISTORY_PERCENT, Share { people: 1, positive: 1 }) => {
            Decision::GoOn
        }
        _ => Decision::Smaller,
    })
}

/// Why a pool of so many tubes is not made after pools of `assessed` tubes were found wanting.
pub fn against_size(assessed: Option<u64>, tubes: usize) -> Option<Reason> {
    let most = assessed?.saturating_sub(1);
    if tubes as u64 <= most {
        return None;
    }
    let message = if most < TUBES_MIN as u64 {
        "pools of two tubes missed too many positives when they were re-assessed; test every tube \
         alone"
            .to_owned()
    } else {
        format!(
            "larger pools missed too many positives when they were re-assessed; mix {most} tubes \
             at most"
        )
    };
    Some(Reason::new("pooling.smaller", "tubes", message))
}

#[cfg(test)]
#[path = "monitoring_tests.rs"]
mod tests;
