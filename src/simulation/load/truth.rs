//! What is true of the people, beside what they are told when the day is over.

use serde::Serialize;

use super::answers::Status;
use super::city::City;
use super::line::{Fate, Line};
use crate::query::{Progress, ToldOutcome};

/// How what people are told fits what is true of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// People who were asked for; everybody, once.
    pub asked: u64,
    /// Of them with exactly one answer that fits.
    pub fitting: u64,
    /// Infected people.
    pub infected: u64,
    /// Of them told so.
    pub found: u64,
    /// Of them not.
    pub missed: Missed,
    /// Healthy people told that they are infected.
    pub wrongly_told: u64,
    /// People without a result: those of the lost tubes.
    pub unanswered: u64,
}

/// Why infected people are not told so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Too little of their virus was left in a tube of many.
    pub dilution: u64,
    /// Their tube was lost on the road.
    pub lost: u64,
    /// Nothing explains it.
    pub unexplained: u64,
}

/// What becomes of the people of one tube, whoever they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// Nobody hears anything.
    Lost,
    /// Nothing was seen in it: everybody is told so.
    Negative,
    /// Everybody hears of their own swab: it was alone in the tube, or they came again.
    Singly,
}

impl Course {
    fn of(city: &City, line: &Line, tube: u32) -> Self {
        match line.fate(tube) {
            Fate::Lost => Self::Lost,
            Fate::Refused => Self::Singly,
            Fate::Sound if city.ct(line.members(tube)).is_some() => Self::Singly,
            Fate::Sound => Self::Negative,
        }
    }
}

/// Compares what people are told with what is true of them, person after person.
pub(super) struct Judge<'a> {
    city: &'a City,
    line: &'a Line,
    last: Option<(u32, Course)>,
    /// What came of it so far.
    pub(super) truth: Truth,
}

impl<'a> Judge<'a> {
    /// Over this city as it stood in line the first time.
    pub(super) const fn new(city: &'a City, line: &'a Line) -> Self {
        let missed = Missed { dilution: 0, lost: 0, unexplained: 0 };
        let truth = Truth {
            asked: 0,
            fitting: 0,
            infected: 0,
            found: 0,
            missed,
            wrongly_told: 0,
            unanswered: 0,
        };
        Self { city, line, last: None, truth }
    }

    /// Judges what one person is told when the day is over, and counts it; gives what should have
    /// been told where that is something else.
    pub(super) fn judge(&mut self, person: u32, told: Option<Status>) -> Result<(), Status> {
        let tube = self.line.tube_of(person);
        let course = match self.last {
            Some((last, course)) if last == tube => course,
            _ => Course::of(self.city, self.line, tube),
        };
        self.last = Some((tube, course));
        let infected = self.city.is_infected(person);
        let outcome = match (course, infected) {
            (Course::Lost, _) => None,
            (Course::Singly, true) => Some(ToldOutcome::Detected),
            (Course::Singly, false) | (Course::Negative, _) => Some(ToldOutcome::NotDetected),
        };
        let state = if outcome.is_some() { Progress::Released } else { Progress::Sampled };
        let expected = Status { state, outcome };
        self.count((course, infected), told.and_then(|told| told.outcome));
        if told == Some(expected) {
            self.truth.fitting += 1;
            Ok(())
        } else {
            Err(expected)
        }
    }

    fn count(&mut self, (course, infected): (Course, bool), outcome: Option<ToldOutcome>) {
        let truth = &mut self.truth;
        truth.asked += 1;
        truth.infected += u64::from(infected);
        truth.unanswered += u64::from(outcome.is_none());
        match (infected, outcome == Some(ToldOutcome::Detected), course) {
            (true, true, _) => truth.found += 1,
            (true, false, Course::Negative) => truth.missed.dilution += 1,
            (true, false, Course::Lost) => truth.missed.lost += 1,
            (true, false, Course::Singly) => truth.missed.unexplained += 1,
            (false, true, _) => truth.wrongly_told += 1,
            (false, false, _) => {}
        }
    }
}

impl std::ops::AddAssign for Truth {
    fn add_assign(&mut self, other: Self) {
        self.asked += other.asked;
        self.fitting += other.fitting;
        self.infected += other.infected;
        self.found += other.found;
        self.missed.dilution += other.missed.dilution;
        self.missed.lost += other.missed.lost;
        self.missed.unexplained += other.missed.unexplained;
        self.wrongly_told += other.wrongly_told;
        self.unanswered += other.unanswered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEGATIVE: Option<Status> =
        Some(Status { state: Progress::Released, outcome: Some(ToldOutcome::NotDetected) });
    const POSITIVE: Option<Status> =
        Some(Status { state: Progress::Released, outcome: Some(ToldOutcome::Detected) });
    const SAMPLED: Option<Status> = Some(Status { state: Progress::Sampled, outcome: None });

    /// Everybody is told what is true of them, the first `wrong` excepted.
    fn judged(size: u8, wrong: Option<u32>) -> (Truth, usize) {
        let city = City::new(2, 30_000, 0.02);
        let line = Line::everybody(30_000, size, 3, 200);
        let mut judge = Judge::new(&city, &line);
        let mut surprises = 0;
        for person in 0..30_000 {
            let told = match Course::of(&city, &line, line.tube_of(person)) {
                Course::Lost => SAMPLED,
                Course::Singly if city.is_infected(person) => POSITIVE,
                Course::Singly | Course::Negative => NEGATIVE,
            };
            let told = match wrong {
                Some(first) if person == first && told == NEGATIVE => POSITIVE,
                Some(first) if person == first => NEGATIVE,
                _ => told,
            };
            surprises += usize::from(judge.judge(person, told).is_err());
        }
        (judge.truth, surprises)
    }

    #[test]
    fn whoever_is_missed_is_missed_for_a_reason() {
        for size in [1, 10, 20] {
            let (truth, surprises) = judged(size, None);
            assert_eq!((truth.asked, truth.fitting, surprises), (30_000, 30_000, 0));
            let Missed { dilution, lost, unexplained } = truth.missed;
            assert_eq!(truth.found + dilution + lost, truth.infected);
            assert_eq!((truth.wrongly_told, unexplained), (0, 0));
            assert_eq!(dilution > 0, size > 1);
            assert!(truth.unanswered >= u64::from(size));
        }
    }

    #[test]
    fn one_wrong_answer_among_thousands_is_found() {
        let city = City::new(2, 30_000, 0.02);
        let line = Line::everybody(30_000, 10, 3, 200);
        let healthy = (0..30_000).find(|person| !city.is_infected(*person)).unwrap();
        let (truth, surprises) = judged(10, Some(healthy));
        assert_eq!((truth.wrongly_told, truth.fitting, surprises), (1, 29_999, 1));
        let found =
            |person: &&u32| Course::of(&city, &line, line.tube_of(**person)) == Course::Singly;
        let ill = *city.infected().iter().find(found).unwrap();
        let (truth, surprises) = judged(10, Some(ill));
        assert_eq!((truth.missed.unexplained, truth.fitting, surprises), (1, 29_999, 1));
    }
}
