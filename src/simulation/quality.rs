//! Months of a laboratory's plates, with one fault or none, watched by the rules of
//! [`crate::quality`]: what must alarm does within a day, and a clean month keeps quiet; beside others
//! or alone, with tubes of one size or of two.
//!
//! The laboratory tests ten thousand tubes a day on 106 plates, four instruments and four
//! people; the rest of the city tests three times as many. Instruments differ by some tenths of a
//! cycle, plates by three tenths, the laboratory's people by some percent from the city's, and
//! positives come in clusters. The kit lot changes on day 12. Where tubes differ, a quarter of the
//! plates hold single tubes, of which a quarter as many are positive, and most of them stand on one
//! instrument.
//!
//! Measured over 100 clean months in each place: 4 false alarms beside others, 2 alone, 4 with tubes
//! of two sizes and 4 alone with them, 0.04 a month at most; 3.0 % of plates have a control that
//! Westgard's rules reject. The alarm of controls they reject far more often ([`held`]) was measured
//! by itself: five in 500 such months. Over 20 months of each fault in each place none was missed;
//! plates until its alarm beside others and, in brackets, in the slowest place, of 106 a day:
//!
//! | fault | median | most | another was named instead |
//! |---|---|---|---|
//! | controls of an instrument 1.5 cycles later | 23 | 40 (40) | 0 of 20 |
//! | internal control 2 cycles later | 6 | 7 (8) | 1 (4) |
//! | threshold raised: 10 points fewer positives | 6 | 12 (19) | 3 (4) |
//! | the same on one instrument of four | 28 | 48 (67) | 1 (1) |
//! | contaminated lot: 10 points more positives | 9 | 17 (103) | 0 (20) |
//! | one person's extractions lose 2 cycles | 30 | 43 (44) | 0 |
//! | a lot amplifies 2 cycles later | 6 | 7 (7) | 0 |
//!
//! A laboratory alone has nobody else who would use the lot before: itself is named, within a day.
//!
//! The tests assert the same over fewer months.

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::clock::{Span, Time};
use crate::quality::cusum::{self, Found, Usual};
use crate::quality::rules::{Known, Signal, Step, signals};
use crate::quality::{Direction, Measure, Scope, Subjects, held, westgard};

/// Plates in a day.
pub const PLATES_A_DAY: usize = 106;
/// Tubes on a plate.
const TUBES: u32 = 94;
/// Plates an alarm looks back over, as in the store.
const WINDOW: usize = 500;
/// Day on which the lot changes.
const NEW_LOT: usize = 12;
/// Day on which a fault that has nothing to do with the lot begins.
const FAULT: usize = 18;
/// Share of tubes with the pathogen.
const POSITIVITY: f64 = 0.12;
/// Share of positives among single tubes, as a part of that among the others.
const SINGLES: f64 = 0.25;
/// Plates of the week before the last day, from which a laboratory alone knows what is usual.
const OWN_WEEK: usize = 7 * PLATES_A_DAY;
/// Fewest plates of it.
const OWN_MIN: usize = 3 * PLATES_A_DAY;
/// First moment of the month.
const START: Time = Time::from_us(1_592_697_600_000_000);

/// Where the laboratory stands, and what it tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whether there are other laboratories.
    pub has_others: bool,
    /// Whether its tubes differ in size.
    pub has_sizes: bool,
}

impl Place {
    /// One of several laboratories, with tubes of one size.
    pub const CITY: Self = Self { has_others: true, has_sizes: false };
    /// The only laboratory, with tubes of one size.
    pub const ALONE: Self = Self { has_others: false, has_sizes: false };
    /// One of several laboratories, with tubes of two sizes.
    pub const SIZES: Self = Self { has_others: true, has_sizes: true };
    /// The only laboratory, with tubes of two sizes.
    pub const ALONE_SIZES: Self = Self { has_others: false, has_sizes: true };
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The controls of one instrument amplify 1.5 cycles later.
    ControlDrift,
    /// The internal control of every plate amplifies 2 cycles later.
    InternalShift,
    /// The threshold was raised: 10 points fewer positives, everywhere in the laboratory.
    ThresholdRaised,
    /// The same on one instrument.
    InstrumentThreshold,
    /// The new lot is contaminated: 10 points more positives.
    ContaminatedReagent,
    /// One person's extractions lose 2 cycles.
    BadOperator,
    /// The new lot amplifies 2 cycles later.
    BadLot,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 7] = [
        Self::ControlDrift,
        Self::InternalShift,
        Self::ThresholdRaised,
        Self::InstrumentThreshold,
        Self::ContaminatedReagent,
        Self::BadOperator,
        Self::BadLot,
    ];

    /// The plate it begins with.
    pub const fn begins(self) -> usize {
        let day = match self {
            Self::ContaminatedReagent | Self::BadLot => NEW_LOT,
            _ => FAULT,
        };
        day * PLATES_A_DAY
    }

    /// Who is to blame, for what, and which way it goes.
    pub const fn culprit(self) -> (Scope, &'static str, Measure, Direction) {
        use Direction::{Fall, Rise};
        use Measure::{InternalControl, PositiveControl, Positivity};
        match self {
            Self::ControlDrift => (Scope::Instrument, "I2", PositiveControl, Rise),
            Self::InternalShift => (Scope::Laboratory, "L01", InternalControl, Rise),
            Self::ThresholdRaised => (Scope::Laboratory, "L01", Positivity, Fall),
            Self::InstrumentThreshold => (Scope::Instrument, "I1", Positivity, Fall),
            Self::ContaminatedReagent => (Scope::Lot, "LOT2", Positivity, Rise),
            Self::BadOperator => (Scope::Operator, "O3", InternalControl, Rise),
            Self::BadLot => (Scope::Lot, "LOT2", InternalControl, Rise),
        }
    }

    /// Whether it spoils a plate of these.
    fn spoils(self, plate: usize, of: &Subjects) -> bool {
        let (scope, subject, ..) = self.culprit();
        plate >= self.begins() && of.of(scope) == Some(subject)
    }
}

/// An alarm of a simulated month.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// The plate that raised it.
    pub plate: usize,
    /// What it is about.
    pub measure: Measure,
    /// Target, for a Ct.
    pub target: &'static str,
    /// Who, and which way.
    pub signal: Signal,
}

/// What was seen in a month.
#[derive(Debug, Default)]
pub struct Month {
    /// Plates run.
    pub plates: usize,
    /// Alarms, each raised once.
    pub alarms: Vec<Raised>,
    /// Plates whose controls broke a Westgard rule that rejects.
    pub rejected: usize,
}

/// Plays so many days and watches them.
pub fn month(seed: u64, days: usize, place: Place, fault: Option<Fault>) -> Month {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut laboratory = Laboratory::new(&mut rng, place);
    let mut watch = Watch::default();
    let mut month = Month { plates: days * PLATES_A_DAY, ..Month::default() };
    for number in 0..month.plates {
        let run = laboratory.run(&mut rng, number, fault);
        let (raised, is_rejected) = watch.see(number, &run);
        month.rejected += usize::from(is_rejected);
        month.alarms.extend(raised);
    }
    month
}

/// A plate as the watch sees it.
struct Plate {
    at: Time,
    subjects: Subjects,
    values: [(Measure, &'static str, f64); 3],
    detected: u32,
    is_single: bool,
    /// Tubes of its size and positives of the rest of the city in the last day.
    elsewhere: (i64, i64),
}

/// How a laboratory differs from others.
struct Laboratory {
    controls: [f64; 4],
    internal: [f64; 4],
    people: f64,
    city: f64,
    place: Place,
}

/// A normal deviate (Box and Muller 1958).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (one, two): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * two).cos()
}

fn binomial(rng: &mut ChaCha8Rng, tubes: u32, share: f64) -> u32 {
    (0..tubes).map(|_| u32::from(rng.random::<f64>() < share)).sum()
}

impl Laboratory {
    fn new(rng: &mut ChaCha8Rng, place: Place) -> Self {
        Self {
            controls: std::array::from_fn(|_| 26.5 + 0.3 * normal(rng)),
            internal: std::array::from_fn(|_| 26.5 + 0.4 * normal(rng)),
            people: (0.08 * normal(rng)).exp(),
            city: POSITIVITY,
            place,
        }
    }

    fn run(&mut self, rng: &mut ChaCha8Rng, number: usize, fault: Option<Fault>) -> Plate {
        if number.is_multiple_of(PLATES_A_DAY) {
            self.city = POSITIVITY * (0.1 * normal(rng)).exp();
        }
        let (instrument, operator) = (rng.random_range(0..4_usize), rng.random_range(0..4_usize));
        let lot = if number < NEW_LOT * PLATES_A_DAY { "LOT1" } else { "LOT2" };
        let subjects = Subjects {
            laboratory: "L01".to_owned(),
            instrument: format!("I{instrument}"),
            lot: Some(lot.to_owned()),
            operator: format!("O{operator}"),
        };
        let spoilt = |kinds: &[Fault]| {
            fault.is_some_and(|fault| kinds.contains(&fault) && fault.spoils(number, &subjects))
        };
        let later = if spoilt(&[Fault::ControlDrift]) { 1.5 } else { 0.0 };
        let mix = 0.25 * normal(rng);
        let mut control = || self.controls[instrument] + later + mix + 0.2 * normal(rng);
        let (first, second) = (control(), control());
        let slow = spoilt(&[Fault::InternalShift, Fault::BadOperator, Fault::BadLot]);
        let internal = self.internal[instrument] + 0.3 * normal(rng);
        let internal = internal + if slow { 2.0 } else { 0.0 };
        // Households and sites stand together on a plate.
        let cluster = (0.3 * normal(rng) - 0.045).exp();
        let is_single =
            self.place.has_sizes && rng.random_bool(if instrument == 3 { 0.7 } else { 0.1 });
        let usual = if is_single { self.city * SINGLES } else { self.city };
        let mut share = usual * self.people * cluster;
        if spoilt(&[Fault::ThresholdRaised, Fault::InstrumentThreshold]) {
            share = (share - 0.10).max(0.0);
        }
        if spoilt(&[Fault::ContaminatedReagent]) {
            share += 0.10;
        }
        let tested = match (self.place.has_others, is_single) {
            (false, _) => 0_u16,
            (true, false) => 30_000,
            (true, true) => 10_000,
        };
        let elsewhere = usual * (1.0 + 0.01 * normal(rng)) * f64::from(tested);
        let minutes = i64::try_from(number * 24 * 60 / PLATES_A_DAY).unwrap_or(i64::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "some thousands of tubes")]
        let elsewhere = (i64::from(tested), elsewhere as i64);
        Plate {
            at: START + Span::minutes(minutes),
            subjects,
            values: [
                (Measure::PositiveControl, "N", first),
                (Measure::PositiveControl, "ORF1ab", second),
                (Measure::InternalControl, "IC", internal),
            ],
            detected: binomial(rng, TUBES, share.min(1.0)),
            is_single,
            elsewhere,
        }
    }
}

type Stream = (Measure, &'static str);

/// The watch of [`crate::quality`], over plates in memory.
#[derive(Default)]
struct Watch {
    values: BTreeMap<(Stream, String), Vec<f64>>,
    judged: BTreeMap<(Stream, String), Vec<held::Point>>,
    steps: BTreeMap<Stream, Vec<Step>>,
    counts: Vec<(Subjects, bool, u32)>,
    known: BTreeMap<Stream, Vec<Known>>,
}

impl Watch {
    /// The alarms a plate raises, and whether its controls are rejected.
    fn see(&mut self, number: usize, plate: &Plate) -> (Vec<Raised>, bool) {
        let (mut raised, mut is_rejected) = (Vec::new(), false);
        for (measure, target, ct) in plate.values {
            let stream = (measure, target);
            let before =
                self.values.entry((stream, plate.subjects.instrument.clone())).or_default();
            let usual = Usual::of(before);
            before.push(ct);
            if let Some(usual) = usual.filter(|_| measure.is_control()) {
                let last = &before[before.len() - westgard::LOOK_BACK..];
                let distances: Vec<_> = last.iter().map(|ct| usual.distance(*ct)).collect();
                let is_held = westgard::broken(&distances).iter().any(|rule| rule.rejects());
                is_rejected |= is_held;
                let point = held::Point { at: plate.at, distance: usual.distance(ct), is_held };
                let instrument = plate.subjects.instrument.clone();
                self.judged.entry((stream, instrument)).or_default().push(point);
            }
            let shift = measure.shift().unwrap_or(1.0);
            let weights = usual.map(|usual| cusum::of_ct(usual, shift, ct));
            let step =
                Step { at: plate.at, subjects: plate.subjects.clone(), weights: [weights; 4] };
            let found = self.step(stream, step, number);
            let held = found.is_empty().then(|| self.held(stream, &plate.subjects, number));
            raised.extend(found.into_iter().chain(held.unwrap_or_default()));
        }
        let weights = Scope::ALL.map(|scope| {
            let millionths = self.expected(plate, scope)?;
            let share = f64::from(i32::try_from(millionths).ok()?) / 1e6;
            let (detected, alone) = (plate.detected, plate.elsewhere.0 == 0);
            let found = Found { detected, tubes: TUBES, expected: share, alone };
            cusum::of_positives(&[found])
        });
        self.counts.push((plate.subjects.clone(), plate.is_single, plate.detected));
        let step = Step { at: plate.at, subjects: plate.subjects.clone(), weights };
        raised.extend(self.step((Measure::Positivity, ""), step, number));
        (raised, is_rejected)
    }

    /// What everybody but the plate's own subject found in the last day.
    fn expected(&self, plate: &Plate, scope: Scope) -> Option<i64> {
        let own = plate.subjects.of(scope)?;
        let (before, day) = self.counts.split_at(self.counts.len().saturating_sub(PLATES_A_DAY));
        let sum = |(tubes, detected), counts: &[(Subjects, bool, u32)], with_own: bool| {
            let same = counts.iter().filter(|(of, is_single, _)| {
                *is_single == plate.is_single && (with_own || of.of(scope) != Some(own))
            });
            same.fold((tubes, detected), |(tubes, detected), (_, _, found)| {
                (tubes + i64::from(TUBES), detected + i64::from(*found))
            })
        };
        let (tubes, detected) = sum(plate.elsewhere, day, false);
        cusum::expected_share(tubes, detected).or_else(|| {
            if before.len() < OWN_MIN || scope != Scope::Laboratory {
                return None;
            }
            let week = &before[before.len().saturating_sub(OWN_WEEK)..];
            let (tubes, detected) = sum((0, 0), week, true);
            cusum::expected_share(tubes, detected)
        })
    }

    fn step(&mut self, stream: Stream, step: Step, plate: usize) -> Vec<Raised> {
        let steps = self.steps.entry(stream).or_default();
        steps.push(step);
        let window = &steps[steps.len().saturating_sub(WINDOW)..];
        let found = signals(window, self.known.entry(stream).or_default());
        self.raise(stream, found, plate)
    }

    /// The alarm of a control that the rules hold too often.
    fn held(&mut self, stream: Stream, of: &Subjects, plate: usize) -> Vec<Raised> {
        let points = self.judged.get(&(stream, of.instrument.clone()));
        let known = self.known.entry(stream).or_default();
        let found = points.and_then(|points| held::signal(points, of, known));
        self.raise(stream, found.into_iter().collect(), plate)
    }

    /// What of this nobody was told yet.
    fn raise(&mut self, stream: Stream, mut raised: Vec<Signal>, plate: usize) -> Vec<Raised> {
        let known = self.known.entry(stream).or_default();
        raised.retain(|signal| {
            !known.iter().any(|one| {
                (one.scope, one.direction) == (signal.scope, signal.direction)
                    && one.subject == signal.subject
            })
        });
        known.extend(raised.iter().map(|signal| Known {
            scope: signal.scope,
            subject: signal.subject.clone(),
            direction: signal.direction,
            since: signal.since,
            until: None,
        }));
        let (measure, target) = stream;
        let raised = raised.into_iter();
        raised.map(|signal| Raised { plate, measure, target, signal }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Played to the end of the second day of the fault.
    fn played(fault: Fault, seed: u64) -> Month {
        month(seed, fault.begins() / PLATES_A_DAY + 2, Place::CITY, Some(fault))
    }

    #[test]
    fn clean_months_raise_fewer_than_one_alarm_each_and_hold_few_runs() {
        let months: Vec<_> = (0..24).map(|seed| month(seed, 30, Place::CITY, None)).collect();
        let alarms: usize = months.iter().map(|month| month.alarms.len()).sum();
        // Were there one a month, so few in 24 would have odds below one in a million (Poisson).
        assert!(alarms <= 5, "{alarms} false alarms in 24 months");
        let plates: usize = months.iter().map(|month| month.plates).sum();
        let rejected: usize = months.iter().map(|month| month.rejected).sum();
        assert!(rejected * 100 < plates * 5, "{rejected} of {plates} runs need two people");
    }

    #[test]
    fn every_fault_alarms_within_a_day_and_blames_who_is_to_blame() {
        for fault in Fault::ALL {
            for seed in 1_000..1_004 {
                let month = played(fault, seed);
                let (scope, subject, measure, direction) = fault.culprit();
                let is_it = |raised: &&Raised| {
                    let signal = &raised.signal;
                    (signal.scope, signal.subject.as_str(), raised.measure, signal.direction)
                        == (scope, subject, measure, direction)
                };
                let found = month.alarms.iter().find(is_it);
                let found = found.unwrap_or_else(|| panic!("{fault:?} {seed}: {:?}", month.alarms));
                let after = found.plate.checked_sub(fault.begins());
                assert!(after.is_some_and(|plates| plates < PLATES_A_DAY), "{fault:?} {seed}");
                let others = month.alarms.iter().filter(|raised| !is_it(raised)).count();
                assert!(others <= 1, "{fault:?} {seed}: {:?}", month.alarms);
            }
        }
    }

    const OTHER_PLACES: [Place; 3] = [Place::ALONE, Place::SIZES, Place::ALONE_SIZES];

    #[test]
    fn clean_months_alone_and_with_tubes_of_two_sizes_raise_fewer_than_one_alarm_each() {
        for place in OTHER_PLACES {
            let alarms: Vec<_> =
                (0..12).flat_map(|seed| month(seed, 30, place, None).alarms).collect();
            // Were there one a month, so few in 12 would have odds of one in 400 (Poisson).
            assert!(alarms.len() <= 3, "{place:?}: {} false alarms: {alarms:?}", alarms.len());
        }
    }

    #[test]
    fn a_raised_threshold_and_a_contaminated_lot_alarm_within_a_day_everywhere() {
        for place in OTHER_PLACES {
            for fault in [Fault::ThresholdRaised, Fault::ContaminatedReagent] {
                for seed in 1_000..1_004 {
                    let days = fault.begins() / PLATES_A_DAY + 2;
                    let month = month(seed, days, place, Some(fault));
                    let (.., measure, direction) = fault.culprit();
                    let is_it = |raised: &&Raised| {
                        (raised.measure, raised.signal.direction) == (measure, direction)
                            && raised.plate >= fault.begins()
                    };
                    let found = month.alarms.iter().find(is_it);
                    let after = found.map(|raised| raised.plate - fault.begins());
                    let case = format!("{place:?} {fault:?} {seed}: {:?}", month.alarms);
                    assert!(after.is_some_and(|plates| plates < PLATES_A_DAY), "{case}");
                }
            }
        }
    }

    #[test]
    fn a_seed_is_the_same_month_again() {
        let (one, again) = (played(Fault::BadLot, 7), played(Fault::BadLot, 7));
        assert_eq!((one.alarms, one.rejected), (again.alarms, again.rejected));
    }
}
