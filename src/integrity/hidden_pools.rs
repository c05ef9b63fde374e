//! The marks that k tubes mixed into one leave, however well the papers are kept (`domain.md` E).
//!
//! The human internal control of a mixture is the average of k people, so it spreads less about the
//! same mean; a well is positive when any of k tubes is; and a positive tube among k crosses
//! `log2 k` cycles later. A laboratory is compared with all others that month, or with its own month
//! before, at the same kit, target and number of people in the tube. One mark alone may have an
//! innocent cause, such as another thermometer; so the narrow spread needs a second one, unless it
//! is so narrow that no instrument explains it.
//!
//! A fourth mark, fewer wells than tubes, cannot hide here: each tube that is reported names a well or a
//! laboratory pool of its own run, and one of which nothing amplified is what check `wells` tells.
//!
//! The spread is that within a run. Each run is on one instrument, whether anybody says which or
//! not, so that neither instruments that differ in their mean nor those without a serial number
//! make a laboratory seem to spread. Only first tests count: who is tested again, or was recalled,
//! comes because of what was found.

use std::collections::BTreeMap;

use rust_decimal::prelude::ToPrimitive as _;
use statrs::distribution::{ContinuousCDF, FisherSnedecor, Normal};

use super::{Check, RunEvidence, Sign};
use crate::interpretation::{Call, TargetState};
use crate::plate::TargetRole;

/// Wells each side must have, less its runs, before anything is said of their spread.
const WELLS: f64 = 300.0;
/// Up to which share of the others' variance a spread is narrow.
const NARROW: f64 = 0.70;
/// Up to which share it is a mark that needs no other; two people mixed come to about this.
const VERY_NARROW: f64 = 0.45;
/// Chance at which a narrow spread still counts as chance.
const CHANCE: f64 = 1e-6;
/// Cycles by which the mean may differ where the same material is measured. That of a mixture is a
/// little earlier, since those with the most material weigh the most: about one cycle for ten.
const SAME_MEAN: std::ops::RangeInclusive<f64> = -1.5..=1.0;
/// Standard errors from which a rate or a shift counts.
const CLEAR: f64 = 2.5;

/// Kit with version, and people in the tube.
type Kind = (String, u16);

/// What was measured, by kind and laboratory, in the period and before it.
#[derive(Clone, Debug, Default)]
pub struct HiddenPools {
    now: BTreeMap<Kind, BTreeMap<String, Tally>>,
    before: BTreeMap<Kind, BTreeMap<String, Tally>>,
}

/// What one laboratory measured of one kind of tube.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Within each run.
    internal: Spread,
    tubes: f64,
    /// Within each laboratory: a run has too few of them to say how far they spread.
    positive: Spread,
}

/// Number, mean and spread of Ct values, one at a time (Welford 1962).
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    count: f64,
    mean: f64,
    /// Squares about the mean of each group, so that groups that differ in their mean do not seem
    /// to spread.
    squares: f64,
    groups: f64,
}

impl Spread {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.groups = 1.0;
        let off = value - self.mean;
        self.mean += off / self.count;
        self.squares += off * (value - self.mean);
    }

    /// Two groups together: their common mean, and the spread within each.
    fn with(self, other: Self) -> Self {
        let count = self.count + other.count;
        if count == 0.0 {
            return self;
        }
        Self {
            count,
            mean: self.mean + (other.mean - self.mean) * other.count / count,
            squares: self.squares + other.squares,
            groups: self.groups + other.groups,
        }
    }

    /// Values less the means they are measured about.
    fn freedom(self) -> f64 {
        self.count - self.groups
    }

    fn variance(self) -> f64 {
        if self.freedom() < 1.0 { 0.0 } else { self.squares / self.freedom() }
    }
}

impl Tally {
    /// Adds calls of one run.
    fn add(&mut self, calls: &[&Call]) {
        let mut within = Spread::default();
        for call in calls {
            self.tubes += 1.0;
            if let Some(ct) = lowest_ct(call, TargetRole::InternalControl) {
                within.add(ct);
            }
            if let Some(ct) = lowest_ct(call, TargetRole::Pathogen) {
                self.positive.add(ct);
            }
        }
        self.internal = self.internal.with(within);
    }

    fn with(self, other: Self) -> Self {
        Self {
            internal: self.internal.with(other.internal),
            tubes: self.tubes + other.tubes,
            positive: self.positive.with(other.positive),
        }
    }

    fn rate(self) -> f64 {
        self.positive.count / self.tubes
    }
}

impl HiddenPools {
    /// Looks at the calls of one run, of the period or of the one before. The well of a laboratory
    /// pool is what its record says it is, and no hidden one.
    pub fn add(&mut self, run: &RunEvidence, in_period: bool) {
        let is_first = |call: &&Call| {
            call.pool.is_none() && call.attempt <= 1 && !run.recalled.contains(&call.tube)
        };
        let mut first_tests: BTreeMap<Kind, Vec<&Call>> = BTreeMap::new();
        for call in run.calls.iter().filter(is_first) {
            let kind = (format!("{} {}", call.kit, call.version), call.pool_size);
            first_tests.entry(kind).or_default().push(call);
        }
        let kinds = if in_period { &mut self.now } else { &mut self.before };
        for (kind, calls) in first_tests {
            let laboratory = run.laboratory.clone();
            kinds.entry(kind).or_default().entry(laboratory).or_default().add(&calls);
        }
    }

    /// Every laboratory and kind of tube with the marks of hidden pools.
    pub fn close(self) -> Vec<Sign> {
        let mut signs = Vec::new();
        for (kind, tallies) in &self.now {
            for (laboratory, tally) in tallies {
                let others = tallies
                    .iter()
                    .filter(|(code, _)| *code != laboratory)
                    .fold(Tally::default(), |sum, (_, other)| sum.with(*other));
                let before = self.before.get(kind).and_then(|of| of.get(laboratory));
                let message = marks(tally, &others, "the other laboratories")
                    .or_else(|| marks(tally, before?, "the month before"));
                signs.extend(message.map(|message| {
                    let about = format!("{} in tubes of {}", kind.0, kind.1);
                    Sign::new(Check::HiddenPools, laboratory, &about, message)
                }));
            }
        }
        signs
    }
}

/// The lowest Ct of a call among targets of this role; none where none amplified.
fn lowest_ct(call: &Call, role: TargetRole) -> Option<f64> {
    call.targets
        .iter()
        .filter(|target| target.role == role && target.state == TargetState::Amplified)
        .filter_map(|target| target.ct?.cycles().to_f64())
        .reduce(f64::min)
}

/// The marks of one laboratory against a reference, in a sentence; none when they are too few.
fn marks(tally: &Tally, reference: &Tally, named: &str) -> Option<String> {
    let (here, there) = (tally.internal, reference.internal);
    if here.freedom() < WELLS || there.freedom() < WELLS || there.variance() == 0.0 {
        return None;
    }
    let narrowing = here.variance() / there.variance();
    let freedom = FisherSnedecor::new(here.freedom(), there.freedom()).ok()?;
    let is_narrow = narrowing <= NARROW
        && freedom.cdf(narrowing) < CHANCE
        && SAME_MEAN.contains(&(here.mean - there.mean));
    let second = [more_positive(tally, reference), later(tally, reference)];
    if !is_narrow || (narrowing > VERY_NARROW && second.iter().all(Option::is_none)) {
        return None;
    }
    let mut marks = vec![format!(
        "the internal control varies by {:.2} cycles against {:.2} of {named}, as if {:.0} tubes \
         were mixed",
        here.variance().sqrt(),
        there.variance().sqrt(),
        (1.0 / narrowing).round().max(2.0)
    )];
    marks.extend(second.into_iter().flatten());
    Some(format!("{}; compare wells loaded with tubes received", marks.join(", ")))
}

/// Whether tubes are positive more often than chance and neighbourhood explain.
fn more_positive(tally: &Tally, reference: &Tally) -> Option<String> {
    let (here, there) = (tally.rate(), reference.rate());
    let both = tally.with(*reference).rate();
    let error = (both * (1.0 - both) * (1.0 / tally.tubes + 1.0 / reference.tubes)).sqrt();
    (here >= 1.5 * there && (here - there) / error >= CLEAR).then(|| {
        let (here, there) = (100.0 * here, 100.0 * there);
        format!("{here:.2} % of tubes are positive against {there:.2} %")
    })
}

/// Whether positive tubes cross later, as diluted ones do.
fn later(tally: &Tally, reference: &Tally) -> Option<String> {
    let (here, there) = (tally.positive, reference.positive);
    if here.count < 5.0 || there.count < 5.0 {
        return None;
    }
    let shift = here.mean - there.mean;
    let error = (here.variance() / here.count + there.variance() / there.count).sqrt();
    let chance = 1.0 - Normal::standard().cdf(shift / error);
    (shift >= 0.5 && shift / error >= CLEAR)
        .then(|| format!("positives come {shift:.1} cycles later (p = {chance:.4})"))
}
