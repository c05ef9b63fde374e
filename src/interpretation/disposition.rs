//! What happens to a tube when its call is released, and which calls may be released by rule.

use serde::{Deserialize, Serialize};

use super::calls::{Call, Finding, TargetCall, TargetState};
use super::controls::Verdict;
use super::kit::{Kit, Retests};
use super::{Outcome, TubeFacts};
use crate::plate::TargetRole;

/// Name and version of the rule by which clean negatives are released without a person (R21).
pub const CLEAN_NEGATIVE_RULE: &str = "clean_negative.1";

/// What happens to the tube on release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", content = "outcome", rename_all = "snake_case")]
pub enum Disposition {
    /// Every person in the tube is told this.
    Report(Outcome),
    /// Nobody is told anything; the same tube is tested again.
    Retest,
    /// Nobody is told anything; every person in the tube is collected again, singly.
    Recall,
}

/// Decides what happens to a tube.
///
/// A negative field pool is negative for all its members; any other field pool says nothing of one of
/// them (R23). A doubtful or invalid tube is tested again while the kit's policy has attempts left,
/// which ends, then new material is asked for; at once where only targets amplified of which
/// the kit says so. Where a target is grey beside a clear one, the policy with more attempts of the
/// two counts. The CDC instructions report a single specimen that stays inconclusive as such; we
/// collect again, so that nobody is left without an answer.
pub(super) fn disposition(
    kit: &Kit,
    (finding, amplified): (Finding, &[String]),
    outcome: Outcome,
    facts: &TubeFacts,
) -> Disposition {
    match outcome {
        Outcome::Detected if facts.is_pool() => return Disposition::Recall,
        Outcome::Detected | Outcome::NotDetected => return Disposition::Report(outcome),
        Outcome::Inconclusive | Outcome::Invalid => {}
    }
    let alone = |target: &String| kit.calls.recollect_alone.contains(target);
    let too_few = matches!(finding, Finding::TooFewTargets | Finding::TooFewBesideGrey);
    if too_few && amplified.iter().all(alone) {
        return Disposition::Recall;
    }
    let policy = retests(kit, facts);
    let allowed = match finding {
        Finding::Grey => policy.grey,
        Finding::TooFewBesideGrey => policy.grey.max(policy.inconclusive),
        Finding::Nothing => policy.invalid,
        Finding::EnoughTargets | Finding::TooFewTargets | Finding::InternalControlOnly => {
            policy.inconclusive
        }
    };
    if facts.attempt_alone() <= allowed { Disposition::Retest } else { Disposition::Recall }
}

/// How often the kit has a tube with so many people tested again.
pub(super) fn retests(kit: &Kit, facts: &TubeFacts) -> Retests {
    if facts.is_pool() { kit.retests.pool } else { kit.retests.single }
}

/// One reason why a call must be seen by two people; serialised as its stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum NotClean {
    /// Only negatives are released by rule.
    #[error("the call is not a negative; release it by two people")]
    NotNegative,
    /// The plate may not be used.
    #[error("the plate is not usable; run it again")]
    PlateUnusable,
    /// Something on the plate asks for a look.
    #[error("the plate carries a flag; look at it")]
    PlateFlagged,
    /// An internal control did not amplify.
    #[error("an internal control is missing; look at the tube")]
    InternalControlMissing,
    /// A pathogen target amplified.
    #[error("a pathogen target has a Ct within its cut-off; look at the curve")]
    PathogenSignal,
    /// A target is neither positive nor negative.
    #[error("a target is grey; look at the curve")]
    GreyTarget,
    /// An earlier test of the tube was not clean.
    #[error("the tube was tested before; compare the tests")]
    TestedBefore,
    /// One person made a run void that had found something.
    #[error("a run that was made void had found something in the tube; compare the runs")]
    VoidedBefore,
}

/// Whether a call may be released by [`CLEAN_NEGATIVE_RULE`]; if not, every reason.
///
/// A clean negative has no pathogen Ct within a cut-off or a grey zone, whatever the instrument
/// says of the curve.
pub fn clean_negative(call: &Call, verdict: &Verdict) -> Result<(), Vec<NotClean>> {
    let internal = || call.targets.iter().filter(|t| t.role == TargetRole::InternalControl);
    let internal_missing =
        internal().next().is_none() || internal().any(|t| t.state != TargetState::Amplified);
    let signal = |target: &TargetCall| {
        target.role == TargetRole::Pathogen && target.state == TargetState::Amplified
    };
    let any_grey = call.targets.iter().any(|target| target.state == TargetState::Grey);
    let reasons = [
        (call.outcome != Outcome::NotDetected, NotClean::NotNegative),
        (!verdict.usable, NotClean::PlateUnusable),
        (!verdict.flags.is_empty(), NotClean::PlateFlagged),
        (internal_missing, NotClean::InternalControlMissing),
        (call.targets.iter().any(signal), NotClean::PathogenSignal),
        (any_grey, NotClean::GreyTarget),
        (call.attempt > 1, NotClean::TestedBefore),
        (call.voided, NotClean::VoidedBefore),
    ];
    let reasons: Vec<_> =
        reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect();
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

#[cfg(test)]
#[path = "disposition_tests.rs"]
mod tests;
