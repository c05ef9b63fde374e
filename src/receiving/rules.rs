//! The manifest against the scan.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Findings, Found, Known, Refusal, Scan};
use crate::barcode::{BoxCode, TubeCode};
use crate::collection::TubeState;
use crate::error::Reason;
use crate::transport::{BoxState, Custody};

/// The most swabs that can be counted in a tube.
const SWABS_MAX: i64 = 99;
/// The most tubes scanned from one box: a full box and as many strays.
pub const SCANNED_MAX: usize = 1000;

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// The box.
    pub code: &'a BoxCode,
    /// The laboratory that takes it in.
    pub laboratory: &'a str,
    /// The codes sealed into it.
    pub manifest: &'a BTreeSet<TubeCode>,
    /// Every tube of the manifest or the scan that was recorded.
    pub known: &'a BTreeMap<TubeCode, Known>,
}

impl Comparison<'_> {
    /// What becomes of every tube of the manifest and the scan; the scan names none twice.
    pub fn reconcile(&self, scanned: &[Scan]) -> Findings {
        let mut findings = Findings::default();
        for scan in scanned {
            self.judge(scan, &mut findings);
        }
        let seen: BTreeSet<_> = scanned.iter().map(|scan| &scan.tube).collect();
        let unseen = self.manifest.iter().filter(|code| !seen.contains(code));
        findings.found.extend(unseen.filter_map(|code| self.absent(code)));
        findings.found.sort_by(|a, b| a.tube.cmp(&b.tube));
        findings
    }

    fn judge(&self, scan: &Scan, findings: &mut Findings) {
        let code = &scan.tube;
        let mut warn = |kind, message: String| {
            findings.warnings.push(Reason::new(kind, code.as_str(), message));
        };
        let is_listed = self.manifest.contains(code);
        if !is_listed {
            warn(
                "tube.unexpected",
                format!(
                    "tube {code} is not in the manifest of box {}; ask the site how it came there",
                    self.code
                ),
            );
        }
        let Some(known) = self.known.get(code) else {
            warn(
                "tube.unknown",
                format!(
                    "nobody was recorded for tube {code}; set it aside until the site sends its members"
                ),
            );
            findings.found.push(scan.found(false, Finding::Unexpected, None, None));
            return;
        };
        let refusal = scan.refusal(known.members);
        let next = if refusal.is_some() { TubeState::Refused } else { TubeState::Received };
        if !self.may_move(known, next) {
            let message = match (known.state, refusal) {
                (state, Some(_)) => format!(
                    "tube {code} is {} already and was not refused; set it aside and tell a reviewer",
                    state_word(state)
                ),
                (state, None) => {
                    format!("tube {code} is {} already; nothing was changed", state_word(state))
                }
            };
            warn("tube.already_received", message);
            return;
        }
        let finding = match refusal {
            Some(_) => Finding::Refused,
            None if is_listed => Finding::Accepted,
            None => Finding::Unexpected,
        };
        let step = Some((known.state, next));
        findings.found.push(scan.found(known.is_single, finding, refusal, step));
    }

    /// A tube this laboratory received can still be refused by it, and by nobody else.
    fn may_move(&self, known: &Known, next: TubeState) -> bool {
        let is_elsewhere = known.state == TubeState::Received
            && known.laboratory.as_deref() != Some(self.laboratory);
        known.state.may_become(next) && known.state != TubeState::Plated && !is_elsewhere
    }

    /// A tube of the manifest that nobody scanned: missing, unless it is known to be elsewhere.
    fn absent(&self, code: &TubeCode) -> Option<Found> {
        let known = self.known.get(code)?;
        let step = match known.state {
            TubeState::Packed => Some((TubeState::Packed, TubeState::Missing)),
            TubeState::Missing => None,
            _ => return None,
        };
        let (tube, finding, is_single) = (code.clone(), Finding::Missing, known.is_single);
        Some(Found { tube, is_single, finding, refusal: None, swab_count: None, step })
    }
}

impl Scan {
    /// Why this tube is refused: for what the receiver saw, or for a count that is not its
    /// members' (R8).
    fn refusal(&self, members: i64) -> Option<Refusal> {
        let is_off = self.swab_count.is_some_and(|count| count != members);
        self.refused.or(if is_off { Some(Refusal::SwabCount) } else { None })
    }

    fn found(
        &self,
        is_single: bool,
        finding: Finding,
        refusal: Option<Refusal>,
        step: Option<(TubeState, TubeState)>,
    ) -> Found {
        let (tube, swab_count) = (self.tube.clone(), self.swab_count);
        Found { tube, is_single, finding, refusal, swab_count, step }
    }
}

const fn state_word(state: TubeState) -> &'static str {
    match state {
        TubeState::Sealed => "sealed",
        TubeState::Packed => "packed",
        TubeState::Received => "received",
        TubeState::Refused => "refused",
        TubeState::Missing => "missing",
        TubeState::Plated => "on a plate",
        TubeState::Released => "released",
        TubeState::Closed => "closed",
    }
}

/// What is wrong with a scan before it is compared.
pub fn scan_faults(counts: &[Option<i64>]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if counts.len() > SCANNED_MAX {
        let message = format!(
            "{} tubes were scanned and {SCANNED_MAX} can be; send the rest next",
            counts.len()
        );
        reasons.push(Reason::new("arrival.scanned", "scanned", message));
    }
    for (i, count) in counts.iter().enumerate().take(SCANNED_MAX) {
        if count.is_some_and(|count| !(0..=SWABS_MAX).contains(&count)) {
            let message = format!("a tube holds 0 to {SWABS_MAX} swabs; count them again");
            reasons.push(Reason::new(
                "arrival.swab_count",
                format!("scanned[{i}].swab_count"),
                message,
            ));
        }
    }
    reasons
}

/// Why this laboratory cannot take the box in: it arrived at another.
pub fn elsewhere(custody: &Custody, laboratory: &str) -> Option<Reason> {
    let there = custody.laboratory.as_deref().filter(|there| *there != laboratory)?;
    let code = custody.code.as_str();
    let message = format!(
        "box {code} arrived at laboratory {there} and stays in its books; ask there, and bring the \
         box back"
    );
    Some(Reason::new("box.elsewhere", code, message))
}

/// What is odd about the box itself.
pub fn box_warnings(custody: &Custody, receiver: &str, seal_intact: bool) -> Vec<Reason> {
    let code = custody.code.as_str();
    let mut warnings = Vec::new();
    if custody.state != BoxState::Arrived && custody.holder != receiver {
        let message = format!(
            "box {code} came without a hand-over to you; have whoever brought it sign on paper"
        );
        warnings.push(Reason::new("box.custody_gap", code, message));
    }
    if !seal_intact {
        let message = format!("the seal of box {code} is broken; look at every tube");
        warnings.push(Reason::new("box.seal_broken", code, message));
    }
    warnings
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
