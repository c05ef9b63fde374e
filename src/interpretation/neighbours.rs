//! Positives that may have come from next door (R19).
//!
//! A weak positive that touches a strong one, or shares its pipetting column, may be
//! splashed or carried over (Layfield et al. 2021: misplacement and adjacent high-load wells).
//! Where hardly any tube is positive, two that touch are suspect whatever their Ct.
//! A positive control is as strong as any tube, and many stand among the tubes; as it is often
//! pipetted apart from them, only those that touch it are suspect.
//! All are flagged for a person to look at, and nothing of the plate is released by rule. What is
//! more, the suspect tubes are held: a single tube is tested again before its positive is
//! reported, unless an earlier test of it found a signal, too. A pool is not held up, for its members
//! are collected again anyway.
//!
//! Carry-over happens where tubes are pipetted and extracted. On a plate of 384 that was stamped
//! that was on its sources, whose neighbours lie two rows or columns apart there: wells of one
//! quadrant are neighbours as they are on their source, and share a tip column as there. Wells of
//! different sources never shared a tip column, for a stamping head takes fresh tips for each
//! source; but where they touch on the plate of 384 a splash, a leaking seal or a spill while
//! stamping reaches from one into the other (R19 names the eight neighbours, not how they came to
//! be), so those are neighbours too.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::calls::{Call, TargetCall, TargetState};
use super::controls::{VerdictCode, VerdictReason};
use super::gather::Gathered;
use super::kit::{GreyAgain, Kit};
use super::targets::target_calls;
use super::{Disposition, EarlierTest, Outcome, Specimen, TubeFacts};
use crate::instrument::Ct;
use crate::plate::{Content, Control, Layout, TargetRole, WellPosition, source_well};

/// Cycles by which the neighbour must be earlier: ten doublings, about a thousandfold load.
const STRONGER_BY_CYCLES: Decimal = Decimal::TEN;

/// Percent of positive tubes up to which any two that touch are flagged.
///
/// At one positive in ten thousand tubes a whole city has about 0.004 pairs by chance in a day; at
/// 5 % each plate has about 0.8, and the difference in Ct has to tell them apart
/// (`reliability.md` 3).
const LOW_PREVALENCE_PERCENT: usize = 5;

/// Fewest tubes of which two are flagged when no other is positive, though they are more than 5 %.
///
/// Of two among 20 a tube has eight neighbours of 19 at most, so that they touch by chance no more
/// often than some two of the four that are allowed among 94.
const LONE_PAIR_TUBES_MIN: usize = 20;

/// A tube or a pool with a pathogen signal, and its earliest Ct.
type Positive<'c> = (&'c Call, Ct);

/// A flag, and the tubes that are held for it.
type Suspicion<'c> = (VerdictReason, Vec<&'c str>);

/// What the tubes of a plate stand among: how it was filled, and its positive controls.
#[derive(Debug)]
pub struct Surroundings<'a> {
    near: Nearness,
    /// Every well of each tube and pool: of a target that is read in several, a call names one.
    wells: BTreeMap<&'a str, Vec<WellPosition>>,
    controls: Vec<(WellPosition, Ct)>,
}

impl<'a> Surroundings<'a> {
    /// Those of this plate, as it was read.
    pub fn of(kit: &Kit, layout: &'a Layout, gathered: &[Gathered<'_>]) -> Self {
        let positive = gathered.iter().filter(|well| {
            let Content::Control { control, .. } = well.content else { return false };
            matches!(control, Control::Positive | Control::WeakPositive)
        });
        let signal = |well: &Gathered<'_>| earliest(&target_calls(kit, &well.targets));
        let controls = positive.filter_map(|well| Some((well.well, signal(well)?))).collect();
        let mut wells: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (well, content) in layout.wells() {
            if let Some(code) = content.tube().or(content.pool()) {
                wells.entry(code).or_default().push(*well);
            }
        }
        Self { near: Nearness::on(layout), wells, controls }
    }

    /// Every well that a call was read in.
    fn wells(&self, call: &Call) -> impl Iterator<Item = WellPosition> {
        let laid_out = self.wells.get(call.code()).into_iter().flatten();
        call.targets.iter().map(|target| target.well).chain(laid_out.copied())
    }

    /// Whether any wells of two tubes are among each other's eight neighbours or were filled from
    /// one column of tips.
    fn share_tips(&self, one: &Call, other: &Call) -> bool {
        self.touch(one, other) || self.any_wells(one, other, |a, b| self.near.same_column(a, b))
    }

    /// Whether any wells of two tubes are among each other's eight neighbours, there or on the
    /// plate they were stamped from.
    fn touch(&self, one: &Call, other: &Call) -> bool {
        self.any_wells(one, other, |a, b| self.near.touches(a, b))
    }

    fn any_wells(
        &self,
        one: &Call,
        other: &Call,
        close: impl Fn(WellPosition, WellPosition) -> bool,
    ) -> bool {
        self.wells(one).any(|a| self.wells(other).any(|b| close(a, b)))
    }
}

/// Every reason to look at neighbours before anything of the plate is released.
pub fn flags(around: &Surroundings<'_>, calls: &[Call]) -> Vec<VerdictReason> {
    suspicions(around, calls).into_iter().map(|(flag, _)| flag).collect()
}

/// The calls of a plate, with suspect positives held: where one would be reported though no test
/// before found a signal in this tube alone, it is tested again instead. What the repeat says is
/// reported.
///
/// The test of a laboratory pool is none of a tube alone: its tubes stand side by side on the next
/// plate, so of all tubes they are the ones that may have caught it from each other.
pub fn hold(
    kit: &Kit,
    around: &Surroundings<'_>,
    mut calls: Vec<Call>,
    tubes: &BTreeMap<String, TubeFacts>,
) -> Vec<Call> {
    let suspects = suspicions(around, &calls).into_iter().flat_map(|(_, tubes)| tubes);
    let held: BTreeSet<String> = suspects.map(str::to_owned).collect();
    let reported = Disposition::Report(Outcome::Detected);
    for call in &mut calls {
        let is_new = tubes.get(&call.tube).is_some_and(|facts| !found_before(kit, facts));
        if is_new && call.disposition == reported && held.contains(&call.tube) {
            call.disposition = Disposition::Retest;
            call.reason.push_str("; held for a repeat because of its neighbour");
        }
    }
    calls
}

/// Whether an earlier test found a pathogen in this tube alone, or a grey signal, which is detected
/// when it comes again: whatever is held amplifies or was grey before, so that it is held once.
fn found_before(kit: &Kit, facts: &TubeFacts) -> bool {
    let amplified =
        |test: &EarlierTest| test.specimen == Specimen::Same && !test.amplified.is_empty();
    // Where grey stays open whatever comes again, whatever is held amplifies.
    let ends = matches!(kit.calls.grey_again, Some(GreyAgain::Detected | GreyAgain::ByCurve));
    facts.earlier.iter().any(|test| amplified(test) || (ends && test.is_grey(kit)))
}

fn suspicions<'c>(around: &Surroundings<'_>, calls: &'c [Call]) -> Vec<Suspicion<'c>> {
    let positives = positives(calls);
    let mut found = weak_beside_strong(around, &positives);
    found.extend(weak_beside_control(around, &positives));
    let is_low = positives.len() * 100 <= calls.len() * LOW_PREVALENCE_PERCENT;
    let is_lone_pair = positives.len() == 2 && calls.len() >= LONE_PAIR_TUBES_MIN;
    if is_low || is_lone_pair {
        found.extend(adjacent(around, &positives));
    }
    found
}

/// One flag for each tube with a pathogen signal beside one at least ten cycles earlier.
///
/// Looks at tubes with any amplified pathogen target, so a tube left inconclusive by one late
/// target is flagged too.
fn weak_beside_strong<'c>(
    around: &Surroundings<'_>,
    positives: &[Positive<'c>],
) -> Vec<Suspicion<'c>> {
    positives
        .iter()
        .filter_map(|(weak, late)| {
            let (strong, early) = positives.iter().find(|(strong, early)| {
                late.cycles() - early.cycles() >= STRONGER_BY_CYCLES
                    && around.share_tips(weak, strong)
            })?;
            let (tube, other) = (weak.read(), strong.read());
            let flag = VerdictReason {
                code: VerdictCode::WeakBesideStrong,
                well: weak.targets.first().map(|target| target.well),
                figures: both((*weak, *late), (*strong, *early)),
                message: format!(
                    "{tube} (Ct {late}) lies beside {other} (Ct {early}); \
                     test {tube} again before it is reported"
                ),
            };
            Some((flag, vec![weak.tube.as_str()]))
        })
        .collect()
}

/// One flag for each tube with a pathogen signal that touches a positive control at least ten cycles
/// earlier.
fn weak_beside_control<'c>(
    around: &Surroundings<'_>,
    positives: &[Positive<'c>],
) -> Vec<Suspicion<'c>> {
    positives
        .iter()
        .filter_map(|(weak, late)| {
            let (at, early) = around.controls.iter().find(|(at, early)| {
                late.cycles() - early.cycles() >= STRONGER_BY_CYCLES
                    && around.wells(weak).any(|well| around.near.touches(well, *at))
            })?;
            let (tube, code, control) = (weak.read(), weak.code(), Control::Positive.sign());
            let flag = VerdictReason {
                code: VerdictCode::WeakBesideStrong,
                well: weak.targets.first().map(|target| target.well),
                figures: format!("{code} Ct {late}, {control} {at} Ct {early}"),
                message: format!(
                    "{tube} (Ct {late}) lies beside the positive control in {at} (Ct {early}); \
                     test {tube} again before it is reported"
                ),
            };
            Some((flag, vec![weak.tube.as_str()]))
        })
        .collect()
}

/// One flag for each two tubes with pathogen signals that touch, and of which neither is so much
/// the weaker that it was flagged for that.
fn adjacent<'c>(around: &Surroundings<'_>, positives: &[Positive<'c>]) -> Vec<Suspicion<'c>> {
    let pairs = positives
        .iter()
        .enumerate()
        .flat_map(|(index, one)| positives[index + 1..].iter().map(move |other| (one, other)));
    pairs
        .filter(|((_, a), (_, b))| (a.cycles() - b.cycles()).abs() < STRONGER_BY_CYCLES)
        .filter(|((one, _), (other, _))| around.touch(one, other))
        .map(|((one, a), (other, b))| {
            let flag = VerdictReason {
                code: VerdictCode::AdjacentPositives,
                well: one.targets.first().map(|target| target.well),
                figures: both((*one, *a), (*other, *b)),
                message: format!(
                    "{} (Ct {a}) and {} (Ct {b}) lie side by side and hardly any other is \
                     positive; test both again before they are reported",
                    one.read(),
                    other.read()
                ),
            };
            (flag, vec![one.tube.as_str(), other.tube.as_str()])
        })
        .collect()
}

/// Two tubes or pools and their Ct, for every language.
fn both((one, a): Positive<'_>, (other, b): Positive<'_>) -> String {
    format!("{} Ct {a}, {} Ct {b}", one.code(), other.code())
}

/// Tubes with any amplified or grey pathogen target.
fn positives(calls: &[Call]) -> Vec<Positive<'_>> {
    calls
        .iter()
        .filter(|call| matches!(call.outcome, Outcome::Detected | Outcome::Inconclusive))
        .filter_map(|call| earliest(&call.targets).map(|ct| (call, ct)))
        .collect()
}

/// The earliest Ct of a pathogen target that amplified or is grey.
fn earliest(targets: &[TargetCall]) -> Option<Ct> {
    targets
        .iter()
        .filter(|target| target.role == TargetRole::Pathogen)
        .filter(|target| target.state != TargetState::NotAmplified)
        .filter_map(|target| target.ct)
        .min()
}

/// What lies beside what on a plate.
#[derive(Clone, Copy, Debug)]
enum Nearness {
    /// Its tubes were pipetted into it.
    Plate,
    /// It was stamped from plates of 96, into which its tubes were pipetted.
    Stamped,
}

impl Nearness {
    fn on(layout: &Layout) -> Self {
        if layout.is_stamped() { Self::Stamped } else { Self::Plate }
    }

    /// Whether two wells are among each other's eight neighbours, there or on the plate they were
    /// stamped from.
    fn touches(self, a: WellPosition, b: WellPosition) -> bool {
        beside(a, b) || self.on_one_source(a, b, beside)
    }

    fn same_column(self, a: WellPosition, b: WellPosition) -> bool {
        let same = |a: WellPosition, b: WellPosition| a.column() == b.column();
        match self {
            Self::Plate => same(a, b),
            Self::Stamped => self.on_one_source(a, b, same),
        }
    }

    /// Whether two wells were filled from one source, where `are` holds of theirs.
    fn on_one_source(
        self,
        a: WellPosition,
        b: WellPosition,
        are: fn(WellPosition, WellPosition) -> bool,
    ) -> bool {
        match (self, source_well(a), source_well(b)) {
            (Self::Stamped, Some((of_a, a)), Some((of_b, b))) => of_a == of_b && are(a, b),
            _ => false,
        }
    }
}

/// Whether two wells are among each other's eight neighbours.
fn beside(a: WellPosition, b: WellPosition) -> bool {
    a.column().abs_diff(b.column()) <= 1 && a.row().abs_diff(b.row()) <= 1
}

#[cfg(test)]
#[path = "neighbours_tests.rs"]
mod tests;
