//! A month of runs in several laboratories, honest or not, for the checks of [`crate::integrity`].
//!
//! Nothing is stored: a month is what the checks would have gathered. Every draw comes from the
//! seed, so the same month can be cheated with in one way and left alone in every other.

use std::collections::BTreeSet;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;

use crate::clock::{Span, Time};
use crate::instrument::Ct;
use crate::integrity::RunEvidence;
use crate::interpretation::{Call, Disposition, Outcome, TargetCall, TargetState};
use crate::plate::{PlateSize, TargetRole, WellPosition};

/// Midnight of 1 June 2020, UTC.
pub const BEGAN: Time = Time::from_us(1_590_969_600_000_000);
/// Tubes on a plate.
const TUBES: u16 = 90;
/// Cycles after which nothing is seen.
const CUT_OFF: f64 = 38.0;

/// How a laboratory of the month works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Habits {
    /// Plates a day, one after another on one instrument.
    pub plates_a_day: u16,
    /// Tubes mixed into each well; 1 is honest.
    pub mixed: u16,
    /// Share of people infected among those it tests.
    pub prevalence: f64,
    /// Spread of the internal control between people, in cycles.
    pub spread: f64,
    /// By how many cycles its instrument and its samplers differ from others'.
    pub offset: f64,
    /// Minutes from one run's end to the next.
    pub minutes_a_run: i64,
    /// Whether every tenth plate is filled with the values of the plate before.
    pub copies: bool,
}

impl Habits {
    /// A laboratory that does what it reports.
    pub const HONEST: Self = Self {
        plates_a_day: 4,
        mixed: 1,
        prevalence: 0.01,
        spread: 1.4,
        offset: 0.0,
        minutes_a_run: 95,
        copies: false,
    };
}

/// The runs of that many days, laboratory by laboratory, in the order of their import.
pub fn month(seed: u64, days: i64, laboratories: &[Habits]) -> Vec<RunEvidence> {
    let mut runs = Vec::new();
    for (number, habits) in (1..).zip(laboratories) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ (number << 32));
        let laboratory = format!("L{number:02}");
        let thermometer = habits.offset + normal(&mut rng) * 0.2;
        for day in 0..days {
            for n in 0..habits.plates_a_day {
                let ended = BEGAN
                    + Span::days(day)
                    + Span::minutes(120 + i64::from(n) * habits.minutes_a_run);
                let run = format!("{laboratory}-{day:02}-{n:02}");
                let plate = thermometer + normal(&mut rng) * 0.15;
                let mut calls: Vec<Call> =
                    (0..TUBES).map(|well| tube(&mut rng, habits, &run, (well, plate))).collect();
                if habits.copies && n % 10 == 0 {
                    copy(&mut calls, runs.last());
                }
                runs.push(RunEvidence {
                    plate: format!("P-{run}"),
                    run,
                    laboratory: laboratory.clone(),
                    instrument: "simulated".to_owned(),
                    serial: format!("S-{laboratory}"),
                    is_serial_stated: true,
                    ended: ended.local(),
                    frozen: Some(ended - Span::minutes(100)),
                    imported: ended + Span::minutes(10),
                    is_void: false,
                    is_replaced: false,
                    calls,
                    recalled: BTreeSet::new(),
                    curves: Vec::new(),
                });
            }
        }
    }
    runs.sort_by_key(|run| run.imported);
    runs
}

/// The values of another run under this run's own tubes, one well further on.
fn copy(calls: &mut [Call], from: Option<&RunEvidence>) {
    let Some(from) = from else { return };
    for (call, other) in calls.iter_mut().skip(1).zip(&from.calls) {
        for (target, copied) in call.targets.iter_mut().zip(&other.targets) {
            target.ct = copied.ct;
            target.state = copied.state;
        }
    }
}

/// One tube's call: what its well shows when `mixed` people's material is in it.
fn tube(rng: &mut ChaCha8Rng, habits: &Habits, run: &str, (well, plate): (u16, f64)) -> Call {
    let people = usize::from(habits.mixed);
    let internal: Vec<f64> =
        (0..people).map(|_| 26.5 + plate + normal(rng) * habits.spread).collect();
    let virus: Vec<f64> = (0..people)
        .filter_map(|_| {
            let infected = rng.random_bool(habits.prevalence);
            let load = 28.0 + normal(rng) * 3.0;
            infected.then_some(load)
        })
        .collect();
    let internal = mixture(&internal, people).map(|ct: f64| ct + normal(rng) * 0.1);
    let virus = mixture(&virus, people).filter(|ct| *ct < CUT_OFF);
    let outcome = if virus.is_some() { Outcome::Detected } else { Outcome::NotDetected };
    let position = WellPosition::from_index(well, PlateSize::P96).expect("90 wells fit on 96");
    let target = |target: &str, role, ct: Option<f64>| TargetCall {
        target: target.to_owned(),
        role,
        well: position,
        ct: ct.map(thousandths),
        raw_ct: String::new(),
        state: if ct.is_some() { TargetState::Amplified } else { TargetState::NotAmplified },
    };
    Call {
        tube: format!("T-{run}-{well}"),
        outcome,
        rule: "simulated".to_owned(),
        kit: "simulated".to_owned(),
        version: "1".to_owned(),
        reason: String::new(),
        pool_size: 1,
        pool: None,
        attempt: 1,
        voided: false,
        targets: vec![
            target("N", TargetRole::Pathogen, virus),
            target("IC", TargetRole::InternalControl, internal),
        ],
        disposition: Disposition::Report(outcome),
    }
}

/// Ct of equal volumes of `people`, of whom those in `alone` would cross there by themselves.
fn mixture(alone: &[f64], people: usize) -> Option<f64> {
    let amount: f64 = alone.iter().map(|ct| (-ct).exp2()).sum();
    let people = u32::try_from(people).expect("few people are mixed");
    (amount > 0.0).then(|| -(amount / f64::from(people)).log2())
}

/// A draw from the standard normal distribution (Box and Muller 1958).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (a, b): (f64, f64) = (rng.random_range(f64::EPSILON..1.0), rng.random_range(0.0..1.0));
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

#[expect(clippy::cast_possible_truncation, reason = "a Ct in thousandths has five digits")]
fn thousandths(ct: f64) -> Ct {
    let value = (ct.clamp(1.0, 60.0) * 1_000.0).round() as i64;
    Ct::try_from(Decimal::new(value, 3)).expect("between 1 and 60 cycles")
}
