//! Whether Westgard's rules hold the runs of an instrument far more often than chance does.
//!
//! They hold about one sound run in thirty and raise nothing, and the sums of [`super::cusum`] see no
//! shift below their allowance. A lasting shift of about one standard deviation lies between the
//! two: every third run would wait for two people, for ever, and nobody would be told that the usual
//! Ct should be learnt anew.
//!
//! Of a sound control the rules hold one point in sixty, in clusters, and more where the points
//! that were learnt from were unlucky. In 500 clean months of a laboratory with four instruments
//! and two targets, a quarter of the last hundred was reached five times. A shift of 0.35 cycles of
//! a control that spreads by 0.32 reaches it after 85 points of its instrument (median; nine times
//! of ten within 305).
//!
//! Such an alarm begins with the run that raises it, and is known by that: a sum takes five plates.
//! It explains no plate away from the sums, for what they see is more. Of the same instrument,
//! control and direction it is the only one that is open, though; its sentence says so.

use super::alarm::Alarm;
use super::rules::{Known, Signal};
use super::{Direction, Scope, Subjects};
use crate::clock::Time;

/// Points of one control and instrument that are looked back over, as in the store.
pub const LOOK_BACK: usize = 100;
/// As many of them held raise an alarm.
const HELD_MIN: usize = 25;

/// What the rules said of a point of a control.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When its run came in.
    pub at: Time,
    /// Distance from the mean in standard deviations.
    pub distance: f64,
    /// Whether a rule that rejects was broken.
    pub is_held: bool,
}

/// Whether an alarm about a control is of this kind.
pub(super) fn is_one(scope: Scope, since: Time, opened: Time) -> bool {
    scope == Scope::Instrument && since >= opened
}

/// How far an alarm of this kind went, and what is not told while it is open; none of another kind.
pub(super) fn extent(alarm: &Alarm) -> Option<String> {
    let is_one = alarm.measure.is_control() && is_one(alarm.scope, alarm.since, alarm.opened);
    is_one.then(|| {
        format!(
            "too little for its sums, but Westgard's rules held {} of its last runs by {}; until \
             this is acknowledged no other alarm of the instrument says that it gets worse",
            alarm.plates, alarm.since
        )
    })
}

/// What the last points of a control on one instrument give away, oldest first; the newest is that
/// of a run `of` these subjects.
///
/// Only a point that is held itself gives something away. Where an alarm about this control that
/// the run belongs to is open, somebody was told already; whoever answers it has the count begin
/// again.
pub fn signal(points: &[Point], of: &Subjects, known: &[Known]) -> Option<Signal> {
    let newest = points.last().filter(|newest| newest.is_held)?;
    let is_told = |one: &&Known| of.of(one.scope) == Some(one.subject.as_str());
    let told: Vec<_> = known.iter().filter(is_told).collect();
    if told.iter().any(|one| one.until.is_none()) {
        return None;
    }
    let begun = told.iter().filter_map(|one| one.until).max();
    let last = &points[points.len().saturating_sub(LOOK_BACK)..];
    let counts = |point: &&Point| point.is_held && begun.is_none_or(|begun| point.at > begun);
    let held: Vec<_> = last.iter().filter(counts).collect();
    if held.len() < HELD_MIN {
        return None;
    }
    let is_later = held.iter().map(|point| point.distance).sum::<f64>() > 0.0;
    Some(Signal {
        scope: Scope::Instrument,
        subject: of.instrument.clone(),
        direction: if is_later { Direction::Rise } else { Direction::Fall },
        since: newest.at,
        plates: held.len(),
        height: 1.0,
    })
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::super::cusum::{self, Usual};
    use super::super::{BASELINE, westgard};
    use super::*;

    /// How far a control spreads, in cycles.
    const SPREAD: f64 = 0.32;

    /// A normal deviate (Box and Muller 1958).
    fn normal(rng: &mut ChaCha8Rng) -> f64 {
        let (one, two): (f64, f64) = (rng.random(), rng.random());
        (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * two).cos()
    }

    /// Ct of a control: as many as are learnt from, and then others that come so much later.
    fn cycles(seed: u64, others: usize, later: f64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let shift = |n: usize| if n < BASELINE { 0.0 } else { later };
        (0..BASELINE + others).map(|n| 26.5 + shift(n) + SPREAD * normal(&mut rng)).collect()
    }

    /// What the rules say of each point after those that are learnt from.
    fn judged(cycles: &[f64]) -> Vec<Point> {
        let usual = Usual::of(cycles).unwrap();
        let distances: Vec<_> = cycles.iter().map(|ct| usual.distance(*ct)).collect();
        let judge = |n: usize| {
            let last = &distances[n + 1 - westgard::LOOK_BACK..=n];
            let is_held = westgard::broken(last).iter().any(|rule| rule.rejects());
            Point { at: at(n), distance: distances[n], is_held }
        };
        (BASELINE..cycles.len()).map(judge).collect()
    }

    fn at(n: usize) -> Time {
        Time::from_us(i64::try_from(n).unwrap())
    }

    fn subjects() -> Subjects {
        Subjects {
            laboratory: "L01".to_owned(),
            instrument: "I1".to_owned(),
            lot: None,
            operator: "A1".to_owned(),
        }
    }

    /// Points until the alarm, and the alarm.
    fn first(points: &[Point]) -> Option<(usize, Signal)> {
        let upto = |count: usize| Some((count, signal(&points[..count], &subjects(), &[])?));
        (1..=points.len()).find_map(upto)
    }

    #[test]
    fn a_small_lasting_shift_that_no_sum_sees_alarms() {
        for (later, direction) in [(0.35, Direction::Rise), (-0.35, Direction::Fall)] {
            let raised = (0..40).filter_map(|seed| first(&judged(&cycles(seed, 600, later))));
            let mut raised: Vec<_> = raised.collect();
            raised.sort_by_key(|(count, _)| *count);
            // Nineteen of twenty are expected.
            assert!(raised.len() >= 32, "{} of 40", raised.len());
            assert!(raised[20].0 <= 200, "{} points", raised[20].0);
            for (_, signal) in &raised {
                assert_eq!((signal.scope, signal.subject.as_str()), (Scope::Instrument, "I1"));
                assert_eq!((signal.direction, signal.plates), (direction, HELD_MIN));
            }
        }
        // The allowance of the sums is more than the shift.
        let usual = Usual { mean: 26.5, sd: SPREAD };
        assert!(cusum::of_ct(usual, 1.0, 26.5 + 0.35).rise < 0.0);
    }

    #[test]
    fn sound_controls_stay_quiet() {
        // A month of an instrument has about 765 points after those that are learnt from; fifty
        // laboratories have 400 such controls. One alarm a month each would be fifty.
        let raised = (1_000..1_400).filter_map(|seed| first(&judged(&cycles(seed, 765, 0.0))));
        let raised: Vec<_> = raised.map(|(count, _)| count).collect();
        assert!(raised.len() <= 5, "{raised:?}");
    }

    fn held(from: usize, count: usize) -> Vec<Point> {
        let point = |n| Point { at: at(n), distance: 1.4, is_held: true };
        (from..from + count).map(point).collect()
    }

    fn known(scope: Scope, subject: &str, until: Option<Time>) -> Known {
        let (subject, direction) = (subject.to_owned(), Direction::Rise);
        Known { scope, subject, direction, since: at(0), until }
    }

    #[test]
    fn a_quarter_of_the_last_hundred_alarms_and_a_point_less_does_not() {
        let alarm = |points: &[Point]| signal(points, &subjects(), &[]);
        assert_eq!(alarm(&[]), None);
        assert_eq!(alarm(&held(0, 24)), None);
        let found = alarm(&held(0, 25)).unwrap();
        assert_eq!((found.plates, found.since), (25, at(24)));
        // Twenty of long ago count no more.
        let quiet = (20..120).map(|n| Point { at: at(n), distance: 0.1, is_held: false });
        let mut points = held(0, 20);
        points.extend(quiet);
        points.extend(held(120, 24));
        assert_eq!(alarm(&points), None);
        points.extend(held(144, 1));
        assert!(alarm(&points).is_some());
        // Only what is held itself gives something away.
        points.push(Point { at: at(145), distance: 0.1, is_held: false });
        assert_eq!(alarm(&points), None);
    }

    #[test]
    fn nobody_is_told_twice_and_whoever_answers_has_the_count_begin_again() {
        let points = held(0, 60);
        let alarm = |scope, subject: &str, until| {
            let known = [known(scope, subject, until)];
            signal(&points, &subjects(), &known).map(|signal| signal.plates)
        };
        assert_eq!(alarm(Scope::Instrument, "I1", None), None);
        assert_eq!(alarm(Scope::Laboratory, "L01", None), None);
        assert_eq!(alarm(Scope::Instrument, "I2", None), Some(60));
        assert_eq!(alarm(Scope::Instrument, "I1", Some(at(34))), Some(25));
        assert_eq!(alarm(Scope::Instrument, "I1", Some(at(35))), None);
    }
}
