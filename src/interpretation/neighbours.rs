//! Weak positives that may have come from next door (R19).
//!
//! A weak positive that touches a strong one, or shares its pipetting column, may be
//! splashed or carried over (Layfield et al. 2021: misplacement and adjacent high-load wells). It
//! is flagged for a person to look at, and nothing of the plate is released by rule.

use rust_decimal::Decimal;

use super::Outcome;
use super::calls::{Call, TargetState};
use super::controls::{VerdictCode, VerdictReason};
use crate::instrument::Ct;
use crate::plate::{TargetRole, WellPosition};

/// Cycles by which the neighbour must be earlier: ten doublings, about a thousandfold load.
const STRONGER_BY_CYCLES: Decimal = Decimal::TEN;

/// One flag for each tube with a pathogen signal beside one at least ten cycles earlier.
///
/// Looks at tubes with any amplified pathogen target, so a tube left inconclusive by one late
/// target is flagged too.
pub fn weak_beside_strong(calls: &[Call]) -> Vec<VerdictReason> {
    let positives: Vec<_> = calls
        .iter()
        .filter(|call| matches!(call.outcome, Outcome::Detected | Outcome::Inconclusive))
        .filter_map(|call| strongest(call).map(|ct| (call, ct)))
        .collect();
    positives
        .iter()
        .filter_map(|(weak, late)| {
            let (strong, early) = positives.iter().find(|(strong, early)| {
                late.cycles() - early.cycles() >= STRONGER_BY_CYCLES && touch(weak, strong)
            })?;
            let (tube, other) = (&weak.tube, &strong.tube);
            Some(VerdictReason {
                code: VerdictCode::WeakBesideStrong,
                well: weak.targets.first().map(|target| target.well),
                message: format!(
                    "tube {tube} (Ct {late}) lies beside tube {other} (Ct {early}); \
                     test {tube} again before it is reported"
                ),
            })
        })
        .collect()
}

/// The earliest Ct of a pathogen target that amplified or is grey.
fn strongest(call: &Call) -> Option<Ct> {
    call.targets
        .iter()
        .filter(|target| target.role == TargetRole::Pathogen)
        .filter(|target| target.state != TargetState::NotAmplified)
        .filter_map(|target| target.ct)
        .min()
}

/// Whether any wells of two tubes are among each other's eight neighbours or in one column.
fn touch(one: &Call, other: &Call) -> bool {
    let close = |a: WellPosition, b: WellPosition| {
        let columns = a.column().abs_diff(b.column());
        columns == 0 || (columns == 1 && a.row().abs_diff(b.row()) <= 1)
    };
    one.targets.iter().any(|a| other.targets.iter().any(|b| close(a.well, b.well)))
}
