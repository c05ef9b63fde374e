//! What a target shows: in one reading, in a well, and in all wells of a tube.
//!
//! The Ct against the cut-offs, and where the kit looks at curves, the instrument's status may make it
//! grey. "No amplification" beside a Ct outside every cut-off is background (seen: a negative control
//! with Ct 48.25 and `No Amp`); beside one within a cut-off it is a contradiction, and never makes a
//! signal go away. The instrument's own call is never looked at.
//!
//! Where a kit lets a reaction run in several wells of a tube, they have to agree on a target; what some
//! show and others do not is grey.

use super::calls::{TargetCall, TargetState};
use super::gather::TargetReading;
use super::kit::{DoubtfulCurve, Kit, Target, is_same};
use crate::instrument::Reading;

/// What one reading of a target means.
///
/// Where the kit knows only the Ct, the Ct decides whatever the instrument thinks of the curve.
/// An internal control that the instrument doubts is grey and then proves nothing.
pub fn state(target: &Target, doubtful: DoubtfulCurve, reading: &Reading) -> TargetState {
    let by_ct = match reading.ct {
        Some(ct) if target.positive.admits(ct) => TargetState::Amplified,
        Some(ct) if target.grey.is_some_and(|grey| grey.admits(ct)) => TargetState::Grey,
        Some(_) | None => TargetState::NotAmplified,
    };
    let contradicts = by_ct != TargetState::NotAmplified && says_no_amp(reading);
    match doubtful {
        DoubtfulCurve::Grey if contradicts || says(reading, "inconclusive") => TargetState::Grey,
        DoubtfulCurve::Grey | DoubtfulCurve::CtDecides => by_ct,
    }
}

/// Whether the instrument says that nothing amplified.
pub(super) fn says_no_amp(reading: &Reading) -> bool {
    says(reading, "noamp")
}

/// Whether a kit that looks at curves has reason to doubt this one.
pub(super) fn is_doubted(kit: &Kit, reading: &Reading) -> bool {
    kit.calls.doubtful_curve == DoubtfulCurve::Grey
        && (says_no_amp(reading) || says(reading, "inconclusive"))
}

pub(super) fn says(reading: &Reading, status: &str) -> bool {
    reading.amp_status.as_deref().is_some_and(|written| is_same(written, status))
}

/// The state of every target over all wells of a tube, in the kit's order.
///
/// Its signal is the strongest of its wells, its Ct cell all of them. One that was not read in every
/// well of its own counts as silent there, and is left out where no other shows a signal.
pub(super) fn agreed(kit: &Kit, readings: &[TargetReading<'_>]) -> Vec<TargetCall> {
    let strongest = target_calls(kit, readings);
    let over_all = |call: TargetCall| {
        let (reaction, target) = kit.targets().find(|(_, target)| target.code == call.target)?;
        if reaction.replicates == 1 {
            return Some(call);
        }
        let mut wells: Vec<&Reading> = readings
            .iter()
            .filter(|read| read.target == call.target)
            .map(|read| &*read.reading)
            .collect();
        wells.sort_by_key(|reading| reading.well);
        let differs =
            |reading: &&Reading| state(target, kit.calls.doubtful_curve, reading) != call.state;
        let is_complete = wells.len() == usize::from(reaction.replicates);
        if !is_complete && call.state == TargetState::NotAmplified {
            return None;
        }
        let is_agreed = is_complete && !wells.iter().any(differs);
        let cells: Vec<&str> = wells.iter().map(|reading| reading.raw_ct.trim()).collect();
        let state = if is_agreed { call.state } else { TargetState::Grey };
        Some(TargetCall { raw_ct: cells.join(" / "), state, ..call })
    };
    strongest.into_iter().filter_map(over_all).collect()
}

/// The state of every target that was read, in the kit's order.
///
/// A target read twice is taken with its stronger signal, so the order of readings is no matter.
pub(super) fn target_calls(kit: &Kit, readings: &[TargetReading<'_>]) -> Vec<TargetCall> {
    kit.targets()
        .filter_map(|(_, target)| {
            readings
                .iter()
                .filter(|reading| reading.target == target.code)
                .map(|TargetReading { reading, .. }| TargetCall {
                    target: target.code.clone(),
                    role: target.role,
                    well: reading.well,
                    ct: reading.ct,
                    raw_ct: reading.raw_ct.clone(),
                    state: state(target, kit.calls.doubtful_curve, reading),
                })
                .max_by_key(|call| (call.state, std::cmp::Reverse(call.ct), call.well))
        })
        .collect()
}
