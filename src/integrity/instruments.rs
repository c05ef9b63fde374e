//! What an instrument can do in a day, and whether a file is of the day it came in.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, SHORTEST_RUN, Sign};
use crate::clock::{Span, Time};

/// Time zones differ by up to 14 hours, and a file's own zone is not trusted (`formats.md` 0).
const ZONES: Span = Span::hours(14);
/// A file is imported while its plate is still remembered.
const LATE: Span = Span::days(3);

/// Runs by instrument, for the ceiling of each. A serial number is one instrument, whichever
/// laboratory says it.
#[derive(Clone, Debug, Default)]
pub struct Instruments {
    ended: BTreeMap<String, Vec<(Time, Imported)>>,
    /// Runs whose file says no end, by serial number and the day they came in.
    imported: BTreeMap<(String, i64), Vec<Imported>>,
    /// Runs whose file says no serial number, by laboratory, type and the day they came in.
    nameless: BTreeMap<(String, String, i64), i64>,
}

/// A laboratory and a run of it.
type Imported = (String, String);

/// Runs one instrument can make in a day.
const DAY_MAX: i64 = Span::days(1).us() / SHORTEST_RUN.us();

impl Instruments {
    /// Looks at one run: its laboratory, id, type and serial number of its instrument, own end,
    /// freezing and import.
    pub fn add(
        &mut self,
        (laboratory, run): (&str, &str),
        (instrument, serial): (&str, &str),
        ended: Option<Time>,
        (frozen, imported): (Option<Time>, Time),
    ) -> Option<Sign> {
        let serial = serial.trim();
        let day = imported.us().div_euclid(Span::days(1).us());
        let of = (laboratory.to_owned(), run.to_owned());
        if serial.is_empty() {
            let key = (laboratory.to_owned(), instrument.to_owned(), day);
            *self.nameless.entry(key).or_default() += 1;
        } else if let Some(ended) = ended {
            self.ended.entry(serial.to_owned()).or_default().push((ended, of));
        } else {
            self.imported.entry((serial.to_owned(), day)).or_default().push(of);
        }
        let ended = ended?;
        let too_old = frozen.is_some_and(|frozen| ended + ZONES < frozen);
        let too_late = ended - ZONES > imported;
        let forgotten = imported.since(ended + ZONES) > LATE;
        let what = match (too_old, too_late, forgotten) {
            (true, ..) => "before its plate was frozen",
            (_, true, _) => "after the file came in",
            (.., true) => "days before the file came in",
            _ => return None,
        };
        let message = format!(
            "the file says that the run ended on {}, {what}; ask which plate was in the instrument",
            ended.to_string().get(..10).unwrap_or_default()
        );
        Some(Sign::new(Check::Instruments, laboratory, run, message))
    }

    /// Instruments that did more than they can.
    pub fn close(self) -> Vec<Sign> {
        let mut signs = Vec::new();
        for ((laboratory, instrument, _), runs) in self.nameless {
            if runs > DAY_MAX {
                let message = format!(
                    "{runs} runs came in on one day without a serial number and one instrument can \
                     make {DAY_MAX}; have files exported with it, or count the instruments there"
                );
                signs.push(Sign::new(Check::Instruments, &laboratory, &instrument, message));
            }
        }
        for ((serial, _), runs) in self.imported {
            let count = i64::try_from(runs.len()).unwrap_or(i64::MAX);
            if count > DAY_MAX {
                let message = format!(
                    "{count} of its runs came in on one day and it can make {DAY_MAX}; look at what \
                     it was loaded with"
                );
                signs.extend(of_each(&serial, &message, runs.iter()));
            }
        }
        for (serial, mut runs) in self.ended {
            runs.sort();
            let close: Vec<_> =
                runs.windows(2).filter(|two| two[1].0.since(two[0].0) < SHORTEST_RUN).collect();
            let Some(first) = close.first() else { continue };
            let message = format!(
                "{} of its {} runs ended sooner after another than a run takes, the first of them \
                 runs {} and {}; look at what it was loaded with",
                close.len(),
                runs.len(),
                first[0].1.1,
                first[1].1.1
            );
            let of = close.iter().flat_map(|two| two.iter()).map(|(_, of)| of);
            signs.extend(of_each(&serial, &message, of));
        }
        signs
    }
}

/// The sign, for every laboratory that has a part in it.
fn of_each<'r>(serial: &str, message: &str, runs: impl Iterator<Item = &'r Imported>) -> Vec<Sign> {
    let laboratories: BTreeSet<&String> = runs.map(|(laboratory, _)| laboratory).collect();
    let sign =
        |laboratory: &String| Sign::new(Check::Instruments, laboratory, serial, message.to_owned());
    laboratories.into_iter().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Time {
        Time::from_us(1_592_700_000_000_000) + Span::minutes(minutes)
    }

    fn run(instruments: &mut Instruments, n: i64, ended: Time) -> Option<Sign> {
        let imported = (Some(at(n * 60)), at(n * 60 + 90));
        instruments.add(("L01", &format!("R{n}")), ("QS5", "S1"), Some(ended), imported)
    }

    #[test]
    fn a_day_of_runs_one_after_another_shows_nothing_in_any_zone() {
        for zone in [-12, 0, 8, 14] {
            let mut instruments = Instruments::default();
            for n in 0..24 {
                let ended = at(n * 60 + 80) + Span::hours(zone);
                assert_eq!(run(&mut instruments, n, ended), None);
            }
            assert_eq!(instruments.close(), []);
        }
    }

    #[test]
    fn runs_that_end_together_on_one_instrument_show() {
        let mut instruments = Instruments::default();
        for n in 0..5 {
            assert_eq!(run(&mut instruments, n, at(200 + n * 4)), None);
        }
        let signs = instruments.close();
        assert_eq!(signs.len(), 1);
        assert!(signs[0].message.starts_with("4 of its 5 runs"), "{signs:?}");
    }

    #[test]
    fn a_file_of_another_day_shows() {
        let mut instruments = Instruments::default();
        let old = run(&mut instruments, 0, at(-3 * 24 * 60)).unwrap();
        assert!(old.message.contains("before its plate was frozen"));
        let future = run(&mut instruments, 1, at(3 * 24 * 60)).unwrap();
        assert!(future.message.contains("after the file came in"));
    }

    #[test]
    fn instruments_without_a_serial_number_are_counted_by_their_type() {
        let day = |runs: i64| {
            let mut instruments = Instruments::default();
            for n in 0..runs {
                let of = ("L01", &*format!("R{n}"));
                assert_eq!(instruments.add(of, ("bio_rad_cfx", " "), None, (None, at(n))), None);
            }
            instruments.close()
        };
        assert_eq!(day(DAY_MAX), []);
        let signs = day(DAY_MAX + 1);
        assert_eq!((signs.len(), &*signs[0].about), (1, "bio_rad_cfx"));
        assert!(signs[0].message.starts_with("49 runs came in on one day without"), "{signs:?}");
    }

    #[test]
    fn one_serial_number_in_two_laboratories_is_one_instrument() {
        let mut instruments = Instruments::default();
        for (laboratory, minute) in [("L01", 0), ("L02", 5)] {
            let ended = Some(at(minute));
            instruments.add((laboratory, laboratory), ("QS5", "S1"), ended, (None, at(10)));
        }
        let signs = instruments.close();
        let laboratories: Vec<_> =
            signs.iter().filter_map(|sign| sign.laboratory.clone()).collect();
        assert_eq!(laboratories, ["L01", "L02"], "{signs:?}");
    }
}
