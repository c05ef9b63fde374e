//! From the readings of one tube to its call: pure, total, and carrying the rule that decided.
//!
//! Per target as in `targets.rs`, then per tube, in this order: enough pathogen targets amplified;
//! too few; none, but a grey one; none with the internal control; none without. A clear signal goes
//! before a grey one, so that more signal never makes a call weaker; what is grey beside it is
//! repeated all the same.
//!
//! A doubtful signal that comes again is decided as the kit or its programme says, and what came
//! stronger than before counts as again.

use serde::{Deserialize, Serialize};

use super::disposition::{Disposition, disposition, retests};
use super::gather::TargetReading;
use super::kit::{GreyAgain, Kit, Target};
use super::targets::{agreed, says, says_no_amp};
use super::{EarlierTest, Outcome, Specimen, TubeFacts};
use crate::instrument::{Ct, Reading};
use crate::plate::{TargetRole, WellPosition};

/// What the readings of one tube mean, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Code of the tube.
    pub tube: String,
    /// Code of the laboratory pool through which it was read, if it was not alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// What they mean.
    pub outcome: Outcome,
    /// Stable name of the rule that decided.
    pub rule: String,
    /// Code of the kit.
    pub kit: String,
    /// Version of the kit.
    pub version: String,
    /// The decision in a sentence.
    pub reason: String,
    /// People in the tube.
    pub pool_size: u16,
    /// Which test of the tube this was, from 1.
    pub attempt: u8,
    /// Whether a usable run that somebody made void had called it detected or inconclusive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub voided: bool,
    /// The evidence: one for each target, in the kit's order.
    pub targets: Vec<TargetCall>,
    /// What happens to the tube on release.
    pub disposition: Disposition,
}

/// One target of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetCall {
    /// Code of the target.
    pub target: String,
    /// Pathogen or internal control.
    pub role: TargetRole,
    /// Where it was read.
    pub well: WellPosition,
    /// Cycle threshold, if there is one.
    pub ct: Option<Ct>,
    /// The Ct cell as the file has it.
    pub raw_ct: String,
    /// What it means.
    pub state: TargetState,
}

/// What one reading means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// No signal within any cut-off.
    NotAmplified,
    /// Too late for positive, too early for negative, or a curve the instrument doubts or denies.
    Grey,
    /// A signal within the cut-off.
    Amplified,
}

impl TargetState {
    const fn words(self) -> &'static str {
        match self {
            Self::NotAmplified => "not amplified",
            Self::Grey => "grey",
            Self::Amplified => "amplified",
        }
    }
}

impl Call {
    /// The pool that stood in the wells, or the tube.
    pub(super) fn code(&self) -> &str {
        self.pool.as_deref().unwrap_or(&self.tube)
    }

    /// What stood in the wells, for people: `tube T0000000001T`, or the pool.
    pub(super) fn read(&self) -> String {
        match &self.pool {
            Some(pool) => format!("pool {pool}"),
            None => format!("tube {}", self.tube),
        }
    }
}

/// Which line of the decision table a tube fell on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    EnoughTargets,
    Grey,
    TooFewTargets,
    /// Too few, and another that is grey.
    TooFewBesideGrey,
    InternalControlOnly,
    Nothing,
}

/// Calls one tube. Total: any readings give a call; a target that was not read counts as silent,
/// and a tube with a pathogen target unread is never called "not detected".
pub fn call(kit: &Kit, tube: &str, readings: &[TargetReading<'_>], facts: &TubeFacts) -> Call {
    let targets = agreed(kit, readings);
    let finding = finding(kit, &targets);
    let (outcome, rule) = Signals { kit, targets: &targets, readings }.decide(finding, facts);
    let alone = amplified(&targets);
    let disposition = disposition(kit, (finding, &alone), outcome, facts);
    Call {
        tube: tube.to_owned(),
        pool: None,
        outcome,
        reason: sentence(&targets, outcome, &rule),
        rule,
        kit: kit.code.clone(),
        version: kit.version.clone(),
        pool_size: facts.pool_size,
        attempt: facts.attempt,
        voided: facts.voided,
        disposition,
        targets,
    }
}

fn finding(kit: &Kit, targets: &[TargetCall]) -> Finding {
    let count = |role, state| {
        targets.iter().filter(|target| target.role == role && target.state == state).count()
    };
    let expected = |role| kit.targets().filter(|(_, target)| target.role == role).count();
    let (pathogen, internal) = (TargetRole::Pathogen, TargetRole::InternalControl);
    let amplified = count(pathogen, TargetState::Amplified);
    let any_grey = count(pathogen, TargetState::Grey) > 0;
    let all_silent = count(pathogen, TargetState::NotAmplified) == expected(pathogen);
    if amplified >= kit.calls.targets_needed {
        Finding::EnoughTargets
    } else if amplified > 0 && any_grey {
        Finding::TooFewBesideGrey
    } else if amplified > 0 {
        Finding::TooFewTargets
    } else if any_grey {
        Finding::Grey
    } else if all_silent && count(internal, TargetState::Amplified) == expected(internal) {
        Finding::InternalControlOnly
    } else {
        Finding::Nothing
    }
}

/// Codes of the pathogen targets that amplified.
fn amplified(targets: &[TargetCall]) -> Vec<String> {
    targets
        .iter()
        .filter(|t| t.role == TargetRole::Pathogen && t.state == TargetState::Amplified)
        .map(|target| target.target.clone())
        .collect()
}

/// What a tube shows, and by which kit it is read.
struct Signals<'a> {
    kit: &'a Kit,
    targets: &'a [TargetCall],
    readings: &'a [TargetReading<'a>],
}

impl Signals<'_> {
    /// Outcome and rule of a finding; a doubtful signal that comes again is decided by the kit.
    fn decide(&self, finding: Finding, facts: &TubeFacts) -> (Outcome, String) {
        let rules = &self.kit.calls.rules;
        match finding {
            Finding::EnoughTargets => (Outcome::Detected, rules.detected.clone()),
            Finding::TooFewTargets | Finding::TooFewBesideGrey => self.single_target(facts),
            Finding::Grey => self.grey(facts),
            Finding::InternalControlOnly if self.awaits_new_material(facts) => {
                (Outcome::Inconclusive, format!("{}_before", rules.single_target))
            }
            Finding::InternalControlOnly => (Outcome::NotDetected, rules.not_detected.clone()),
            Finding::Nothing => (Outcome::Invalid, rules.invalid.clone()),
        }
    }

    /// Too few targets: open, or what the kit says of it when it comes again or after a grey
    /// signal that would have been detected coming again.
    fn single_target(&self, facts: &TubeFacts) -> (Outcome, String) {
        let (calls, rule) = (&self.kit.calls, &self.kit.calls.rules.single_target);
        let now = amplified(self.targets);
        let again = facts.earlier.iter().any(|test| self.counts(test, &now));
        let after_grey = facts.earlier.iter().any(|test| self.is_grey(test) && self.is_seen(test))
            && match calls.grey_again {
                Some(GreyAgain::Detected) => true,
                Some(GreyAgain::ByCurve) => {
                    let grey = self.of(TargetState::Grey);
                    let mut seen = self.of(TargetState::Amplified).chain(grey);
                    seen.any(|(reading, _)| says(reading, "amp"))
                }
                Some(GreyAgain::Inconclusive) | None => false,
            };
        let outcome = if after_grey { Outcome::Detected } else { calls.single_target_again };
        if (again || after_grey) && outcome != Outcome::Inconclusive {
            (outcome, format!("{rule}_again"))
        } else {
            (Outcome::Inconclusive, rule.clone())
        }
    }

    /// Whether an earlier test counts towards "again": too few targets amplified in it, whichever
    /// kit it was read by and whatever that kit calls the rule, and this kit measures one of them.
    fn counts(&self, test: &EarlierTest, now: &[String]) -> bool {
        let calls = &self.kit.calls;
        let mut seen = self
            .kit
            .targets()
            .map(|(_, target)| target)
            .filter(|target| target.role == TargetRole::Pathogen)
            .filter(|target| test.amplified.iter().any(|name| target.is_named(name)));
        match test.specimen {
            Specimen::Same if calls.same_target => seen.any(|target| now.contains(&target.code)),
            Specimen::Same => seen.next().is_some(),
            Specimen::Another => calls.across_specimens && seen.next().is_some(),
        }
    }

    fn is_grey(&self, test: &EarlierTest) -> bool {
        test.is_grey(self.kit)
    }

    /// Whether what was grey beside a clear target is seen again: the clear one alone is a single
    /// target as it was before.
    fn is_seen(&self, test: &EarlierTest) -> bool {
        let was_grey = |target: &Target| test.grey.iter().any(|name| target.is_named(name));
        let is_seen = |target: &Target| {
            let of_it = |call: &&TargetCall| call.target == target.code;
            self.targets.iter().find(of_it).is_some_and(|t| t.state != TargetState::NotAmplified)
        };
        test.amplified.is_empty()
            || self.kit.targets().any(|(_, target)| was_grey(target) && is_seen(target))
    }

    /// Whether one target was clearly there before and the kit asks for new material at once for
    /// that: the tube was repeated only for what was grey beside it, and a repeat that shows
    /// nothing does not make the clear target go away.
    fn awaits_new_material(&self, facts: &TubeFacts) -> bool {
        retests(self.kit, facts).inconclusive == 0
            && facts.earlier.iter().any(|test| test.is_single_target(self.kit))
    }

    /// A grey signal: open, or what the kit says of it when it comes again.
    fn grey(&self, facts: &TubeFacts) -> (Outcome, String) {
        let calls = &self.kit.calls;
        let rule = calls.rules.grey.as_ref().unwrap_or(&calls.rules.single_target).clone();
        if !facts.earlier.iter().any(|test| self.is_grey(test) && self.is_seen(test)) {
            return (Outcome::Inconclusive, rule);
        }
        match (calls.grey_again, self.curve()) {
            (Some(GreyAgain::Detected), _) | (Some(GreyAgain::ByCurve), Curve::Clear) => {
                (Outcome::Detected, format!("{rule}_again"))
            }
            (Some(GreyAgain::ByCurve), Curve::Denied) if !self.awaits_new_material(facts) => {
                (Outcome::NotDetected, format!("{rule}_again_no_curve"))
            }
            _ => (Outcome::Inconclusive, rule),
        }
    }

    /// What the instrument says of the grey targets' curves. It can deny them only where each is
    /// late, never within a cut-off, and where the internal control proves the reaction.
    fn curve(&self) -> Curve {
        let mut denied = self
            .targets
            .iter()
            .all(|t| t.role == TargetRole::Pathogen || t.state == TargetState::Amplified);
        for (reading, target) in self.of(TargetState::Grey) {
            if says(reading, "amp") {
                return Curve::Clear;
            }
            let is_late = reading.ct.is_none_or(|ct| !target.positive.admits(ct));
            denied &= is_late && says_no_amp(reading);
        }
        if denied { Curve::Denied } else { Curve::Unknown }
    }

    /// The readings of the pathogen targets in that state.
    fn of(&self, state: TargetState) -> impl Iterator<Item = (&Reading, &Target)> {
        let is_so = move |code: &str| {
            self.targets
                .iter()
                .any(|t| t.target == code && t.role == TargetRole::Pathogen && t.state == state)
        };
        self.readings.iter().filter(move |read| is_so(&read.target)).filter_map(|read| {
            let (_, target) = self.kit.targets().find(|(_, target)| target.code == read.target)?;
            Some((&*read.reading, target))
        })
    }
}

/// What an instrument says of curves that a person would look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    /// Clearly S-shaped.
    Clear,
    /// No curve at all.
    Denied,
    /// It says nothing.
    Unknown,
}

fn sentence(targets: &[TargetCall], outcome: Outcome, rule: &str) -> String {
    let told: Vec<_> = targets
        .iter()
        .map(|target| match target.ct {
            Some(ct) => format!("{} {} (Ct {ct})", target.target, target.state.words()),
            None => format!("{} {} (no Ct)", target.target, target.state.words()),
        })
        .collect();
    format!("{outcome} by {rule}: {}", told.join(", "))
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
