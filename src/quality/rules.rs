//! Who is to blame: the sums of the laboratory, the instrument, the lot and the operator of the
//! newest plate, and which of them stands out from the rest.

use super::cusum::{self, Weights};
use super::{Direction, Scope, Subjects};
use crate::clock::Time;

/// Plates of others needed to say that they are as usual.
const OTHERS_MIN: usize = 3;
/// As far as a narrower sum must have come when that of the whole laboratory decides, to be blamed
/// in its place: it may have begun a plate later.
const NEAR: f64 = 0.6;
/// Sums so close are the same plates counted twice.
const SAME: f64 = 1e-6;

/// What one plate adds to the sums of each of its subjects.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When the plate came in.
    pub at: Time,
    /// Whose it is.
    pub subjects: Subjects,
    /// Its weights in the order of [`Scope::ALL`]; none where nothing could be expected.
    pub weights: [Option<Weights>; 4],
}

/// A sum that reached the decision line.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// In which scope.
    pub scope: Scope,
    /// Who.
    pub subject: String,
    /// Which way.
    pub direction: Direction,
    /// Since when it went that way, as far as the sum tells.
    pub since: Time,
    /// Plates since then.
    pub plates: usize,
    /// How high the sum is.
    pub(super) height: f64,
}

impl Step {
    /// Whether it adds to any sum: only such a plate gives one away.
    pub fn is_going(&self) -> bool {
        let mut weights = self.weights.iter().flatten();
        weights.any(|weights| weights.rise > 0.0 || weights.fall > 0.0)
    }

    fn weight(&self, scope: Scope, direction: Direction) -> Option<f64> {
        let place = Scope::ALL.iter().position(|one| *one == scope)?;
        self.weights[place].map(|weights| match direction {
            Direction::Rise => weights.rise,
            Direction::Fall => weights.fall,
        })
    }
}

/// An alarm there is, or was until somebody acknowledged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whose.
    pub scope: Scope,
    /// Who.
    pub subject: String,
    /// Which way.
    pub direction: Direction,
    /// Since when.
    pub since: Time,
    /// When it was acknowledged.
    pub until: Option<Time>,
}

impl Known {
    /// Whether it is the alarm of this subject.
    fn is_of(&self, (scope, subject): (Scope, &str)) -> bool {
        self.scope == scope && self.subject == subject
    }

    /// Whether it tells why this plate went this way.
    fn explains(&self, step: &Step, direction: Direction) -> bool {
        self.direction == direction
            && step.subjects.of(self.scope) == Some(&self.subject)
            && step.at >= self.since
            && self.until.is_none_or(|until| step.at <= until)
    }
}

/// When the sums of a subject were last begun again: whoever acknowledges its alarm does so.
pub fn begun(known: &[Known], subject: (Scope, &str)) -> Option<Time> {
    known.iter().filter(|one| one.is_of(subject)).filter_map(|one| one.until).max()
}

/// The plates of a sum.
#[derive(Clone, Copy)]
struct Sum<'a> {
    steps: &'a [Step],
    known: &'a [Known],
    direction: Direction,
}

/// What the newest of these plates gives away, oldest first.
///
/// Only a plate that goes the same way itself gives a sum away, and what a known alarm explains
/// counts for its subject alone. Of several sums that decide at once the narrower is blamed when
/// others of its kind, since then, are as usual (lots that were used before are among them);
/// otherwise the laboratory is.
pub fn signals(steps: &[Step], known: &[Known]) -> Vec<Signal> {
    let Some(newest) = steps.last() else { return Vec::new() };
    let mut found = Vec::new();
    for direction in Direction::ALL {
        let sum = Sum { steps, known, direction };
        let sums = Scope::ALL.into_iter().filter_map(|scope| {
            let is_going = newest.weight(scope, direction).is_some_and(|weight| weight > 0.0);
            let subject = newest.subjects.of(scope).filter(|_| is_going)?;
            sum.of((scope, subject))
        });
        let (whole, narrow): (Vec<_>, Vec<_>) =
            sums.partition(|(signal, _)| signal.scope == Scope::Laboratory);
        let whole = whole.into_iter().find(|(signal, _)| cusum::decides(signal.height));
        let enough = |height: f64| cusum::decides(height) || (whole.is_some() && height >= NEAR);
        let narrow: Vec<_> = narrow
            .into_iter()
            .filter(|(signal, from)| enough(signal.height) && sum.others_are_usual(signal, *from))
            .map(|(signal, _)| signal)
            .collect();
        let highest = narrow.iter().map(|signal| signal.height).fold(0.0, f64::max);
        if narrow.is_empty() {
            found.extend(whole.map(|(signal, _)| signal));
        } else {
            found.extend(narrow.into_iter().filter(|one| one.height > highest - SAME));
        }
    }
    found
}

impl Sum<'_> {
    /// What a plate adds to the sum of a subject.
    fn weight(&self, step: &Step, subject: (Scope, &str)) -> Option<f64> {
        let mut others = self.known.iter().filter(|one| !one.is_of(subject));
        if others.any(|one| one.explains(step, self.direction)) {
            return None;
        }
        step.weight(subject.0, self.direction)
    }

    /// The sum of one subject, and the place of the plate it began with.
    fn of(&self, (scope, subject): (Scope, &str)) -> Option<(Signal, usize)> {
        let begun = begun(self.known, (scope, subject));
        let (mut height, mut from, mut plates) = (0.0, None, 0);
        for (place, step) in self.steps.iter().enumerate() {
            let is_own = step.subjects.of(scope) == Some(subject);
            if !is_own || begun.is_some_and(|begun| step.at <= begun) {
                continue;
            }
            let Some(weight) = self.weight(step, (scope, subject)) else { continue };
            height = f64::max(height + weight, 0.0);
            if height > 0.0 {
                from = from.or(Some(place));
                plates += 1;
            } else {
                (from, plates) = (None, 0);
            }
        }
        let from = from?;
        let (subject, since) = (subject.to_owned(), self.steps[from].at);
        let direction = self.direction;
        Some((Signal { scope, subject, direction, since, plates, height }, from))
    }

    fn others_are_usual(&self, signal: &Signal, from: usize) -> bool {
        let weights = |steps: &[Step]| -> Vec<f64> {
            let weight = |step: &Step| {
                let other = step.subjects.of(signal.scope).filter(|of| *of != signal.subject)?;
                self.weight(step, (signal.scope, other))
            };
            steps.iter().filter_map(weight).collect()
        };
        let mut others = weights(&self.steps[from..]);
        if others.len() < OTHERS_MIN {
            others = weights(self.steps);
        }
        others.len() >= OTHERS_MIN && others.iter().sum::<f64>() <= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plates of two instruments, two operators and a lot each, in turn.
    fn steps(count: usize, weight: impl Fn(&Subjects) -> f64) -> Vec<Step> {
        let step = |n: usize| {
            let subjects = Subjects {
                laboratory: "L01".to_owned(),
                instrument: format!("I{}", n % 2),
                lot: Some(if n < 20 { "OLD" } else { "NEW" }.to_owned()),
                operator: format!("O{}", n / 2 % 2),
            };
            let rise = weight(&subjects);
            let weights = Some(Weights { rise, fall: -0.1 });
            let at = Time::from_us(i64::try_from(n).unwrap());
            Step { at, subjects, weights: [weights; 4] }
        };
        (0..count).map(step).collect()
    }

    /// Whose plates are bad.
    type IsBad = fn(&Subjects) -> bool;

    fn blamed(steps: &[Step]) -> Vec<(Scope, String)> {
        let signals = signals(steps, &[]);
        signals.into_iter().map(|signal| (signal.scope, signal.subject)).collect()
    }

    #[test]
    fn nobody_is_blamed_for_plates_as_usual() {
        for count in 0..40 {
            assert_eq!(blamed(&steps(count, |_| -0.15)), []);
        }
    }

    #[test]
    fn a_plate_that_goes_no_way_gives_nothing_away_and_one_that_does_is_asked_about() {
        let mut bad = steps(40, |_| 0.19);
        assert!(bad.last().unwrap().is_going());
        assert_ne!(blamed(&bad), []);
        let usual = Weights { rise: -0.01, fall: -0.1 };
        bad.last_mut().unwrap().weights = [Some(usual), None, Some(usual), None];
        assert!(!bad.last().unwrap().is_going());
        assert_eq!(blamed(&bad), []);
    }

    #[test]
    fn whoever_stands_out_is_blamed_and_nobody_else() {
        let with = |is_bad: bool| if is_bad { 0.17 } else { -0.17 };
        let cases: [(IsBad, Scope, &str); 3] = [
            (|of| of.instrument == "I1", Scope::Instrument, "I1"),
            (|of| of.operator == "O1", Scope::Operator, "O1"),
            (|of| of.lot.as_deref() == Some("NEW"), Scope::Lot, "NEW"),
        ];
        for (is_bad, scope, subject) in cases {
            let steps = steps(40, |subjects| with(is_bad(subjects)));
            let first =
                (1..=40).map(|count| blamed(&steps[..count])).find(|found| !found.is_empty());
            assert_eq!(first.unwrap(), [(scope, subject.to_owned())]);
        }
    }

    #[test]
    fn the_laboratory_is_blamed_when_everything_in_it_goes_one_way() {
        let all = steps(19, |_| 0.17);
        let first = (1..=19).map(|count| blamed(&all[..count])).find(|found| !found.is_empty());
        assert_eq!(first.unwrap(), [(Scope::Laboratory, "L01".to_owned())]);
    }

    fn known(scope: Scope, subject: &str, until: Option<Time>) -> Known {
        let (subject, direction) = (subject.to_owned(), Direction::Rise);
        Known { scope, subject, direction, since: Time::from_us(0), until }
    }

    #[test]
    fn an_acknowledged_alarm_begins_the_sum_again() {
        let all = steps(12, |_| 0.17);
        let settled = known(Scope::Laboratory, "L01", Some(all[8].at));
        assert_eq!(signals(&all, &[settled]), []);
        assert_eq!(signals(&all, &[]).len(), 1);
    }

    #[test]
    fn what_a_known_alarm_explains_blames_nobody_else() {
        // One bad instrument, strong enough to carry the laboratory with it.
        let all = steps(19, |of| if of.instrument == "I1" { 0.2 } else { -0.01 });
        let blamed = |known: &[Known]| {
            let last = (1..=19).flat_map(|count| signals(&all[..count], known));
            last.map(|signal| signal.scope).collect::<std::collections::BTreeSet<_>>()
        };
        assert!(blamed(&[]).contains(&Scope::Instrument));
        let only = blamed(&[known(Scope::Instrument, "I1", None)]);
        assert_eq!(only.into_iter().collect::<Vec<_>>(), [Scope::Instrument]);
    }
}
