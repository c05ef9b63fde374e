//! What an instrument can do in a day, and whether a file is of the day it came in.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, RunEvidence, SHORTEST_RUN, Sign};
use crate::clock::{Span, Time};
use crate::instrument::own_end;

/// Time zones differ by up to 14 hours, and a file's own zone is not trusted (`formats.md` 0).
const ZONES: Span = Span::hours(14);
/// A file is imported while its plate is still remembered.
const LATE: Span = Span::days(3);

/// Runs by instrument, for the ceiling of each. A number that files state is one instrument in
/// every laboratory whose files state it. What was typed when a file was brought is known in that
/// laboratory alone: two that call theirs `cycler-1` have two.
#[derive(Clone, Debug, Default)]
pub struct Instruments {
    ended: BTreeMap<Named, Vec<(Time, Imported)>>,
    /// Runs whose file says no end, by instrument and the day they came in.
    imported: BTreeMap<(Named, i64), Vec<Imported>>,
    /// Runs of which nothing says the instrument, by laboratory, type and the day they came in.
    nameless: BTreeMap<(String, String, i64), i64>,
    /// What files of a laboratory state themselves.
    stated: BTreeSet<Named>,
}

/// A laboratory and the number or name by which it has an instrument.
type Named = (String, String);
/// The number or name of an instrument, and whose name it is where no file states it.
type Machine = (String, Option<String>);
/// A laboratory and a run of it.
type Imported = (String, String);

/// Runs one instrument can make in a day.
const DAY_MAX: i64 = Span::days(1).us() / SHORTEST_RUN.us();

impl Instruments {
    /// Looks at one run: at its instrument, its own end, its freezing and its import.
    pub fn add(&mut self, run: &RunEvidence) -> Option<Sign> {
        let imported = run.imported;
        let day = imported.us().div_euclid(Span::days(1).us());
        let ended = own_end(&run.ended);
        self.count(run, ended, day);
        let ended = ended?;
        let too_old = run.frozen.is_some_and(|frozen| ended + ZONES < frozen);
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
        Some(Sign::new(Check::Instruments, &run.laboratory, &run.run, message))
    }

    fn count(&mut self, run: &RunEvidence, ended: Option<Time>, day: i64) {
        let (laboratory, serial) = (run.laboratory.clone(), run.serial.trim());
        if serial.is_empty() {
            let key = (laboratory, run.instrument.clone(), day);
            *self.nameless.entry(key).or_default() += 1;
            return;
        }
        let of = (laboratory.clone(), run.run.clone());
        let named = (laboratory, serial.to_owned());
        if run.is_serial_stated {
            self.stated.insert(named.clone());
        }
        if let Some(ended) = ended {
            self.ended.entry(named).or_default().push((ended, of));
        } else {
            self.imported.entry((named, day)).or_default().push(of);
        }
    }

    /// Instruments that did more than they can.
    pub fn close(self) -> Vec<Sign> {
        let Self { ended, imported, nameless, stated } = self;
        let machine = |named: Named| -> Machine {
            let is_stated = stated.contains(&named);
            (named.1, (!is_stated).then_some(named.0))
        };
        let mut signs: Vec<Sign> = nameless.into_iter().filter_map(too_many_nameless).collect();
        let mut a_day: BTreeMap<(Machine, i64), Vec<Imported>> = BTreeMap::new();
        for ((named, day), runs) in imported {
            a_day.entry((machine(named), day)).or_default().extend(runs);
        }
        for (((serial, _), _), runs) in &a_day {
            signs.extend(too_many(serial, runs));
        }
        let mut in_order: BTreeMap<Machine, Vec<(Time, Imported)>> = BTreeMap::new();
        for (named, runs) in ended {
            in_order.entry(machine(named)).or_default().extend(runs);
        }
        for ((serial, _), runs) in &mut in_order {
            signs.extend(too_close(serial, runs));
        }
        signs
    }
}

/// The sign that more runs without a number came in on a day than one instrument can make.
fn too_many_nameless(
    ((laboratory, instrument, _), runs): ((String, String, i64), i64),
) -> Option<Sign> {
    (runs > DAY_MAX).then(|| {
        let message = format!(
            "{runs} runs came in on one day without a serial number and one instrument can make \
             {DAY_MAX}; have files exported with it, or count the instruments there"
        );
        Sign::new(Check::Instruments, &laboratory, &instrument, message)
    })
}

/// The signs that more runs of an instrument came in on a day than it can make.
fn too_many(serial: &str, runs: &[Imported]) -> Vec<Sign> {
    let count = i64::try_from(runs.len()).unwrap_or(i64::MAX);
    if count <= DAY_MAX {
        return Vec::new();
    }
    let message = format!(
        "{count} of its runs came in on one day and it can make {DAY_MAX}; look at what it was \
         loaded with"
    );
    of_each(serial, &message, runs.iter())
}

/// The signs that runs of an instrument ended sooner after another than a run takes.
fn too_close(serial: &str, runs: &mut [(Time, Imported)]) -> Vec<Sign> {
    runs.sort();
    let close: Vec<_> =
        runs.windows(2).filter(|two| two[1].0.since(two[0].0) < SHORTEST_RUN).collect();
    let Some(first) = close.first() else { return Vec::new() };
    let message = format!(
        "{} of its {} runs ended sooner after another than a run takes, the first of them runs {} \
         and {}; look at what it was loaded with",
        close.len(),
        runs.len(),
        first[0].1.1,
        first[1].1.1
    );
    let of = close.iter().flat_map(|two| two.iter()).map(|(_, of)| of);
    of_each(serial, &message, of)
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

    /// A run that came in then, whose file states the number and no end.
    fn evidence(laboratory: &str, n: i64, imported: Time) -> RunEvidence {
        RunEvidence {
            run: format!("{laboratory}-R{n}"),
            plate: format!("{laboratory}-P{n}"),
            laboratory: laboratory.to_owned(),
            instrument: "QS5".to_owned(),
            serial: "S1".to_owned(),
            is_serial_stated: true,
            ended: String::new(),
            frozen: None,
            imported,
            is_void: false,
            is_replaced: false,
            calls: Vec::new(),
            recalled: BTreeSet::new(),
            curves: Vec::new(),
        }
    }

    /// A run of laboratory `L01` that ended then.
    fn run(instruments: &mut Instruments, n: i64, ended: Time) -> Option<Sign> {
        let (ended, frozen) = (ended.to_string(), Some(at(n * 60)));
        let evidence = evidence("L01", n, at(n * 60 + 90));
        instruments.add(&RunEvidence { ended, frozen, ..evidence })
    }

    fn laboratories(signs: &[Sign]) -> Vec<&str> {
        signs.iter().filter_map(|sign| sign.laboratory.as_deref()).collect()
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
                let (instrument, serial) = ("bio_rad_cfx".to_owned(), " ".to_owned());
                let nameless = RunEvidence { instrument, serial, ..evidence("L01", n, at(n)) };
                assert_eq!(instruments.add(&nameless), None);
            }
            instruments.close()
        };
        assert_eq!(day(DAY_MAX), []);
        let signs = day(DAY_MAX + 1);
        assert_eq!((signs.len(), &*signs[0].about), (1, "bio_rad_cfx"));
        assert!(signs[0].message.starts_with("49 runs came in on one day without"), "{signs:?}");
    }

    /// What shows of runs that ended five minutes after each other, by laboratory and whether
    /// their file states the number.
    fn together(runs: &[(&str, bool)]) -> Vec<Sign> {
        let mut instruments = Instruments::default();
        for ((laboratory, is_serial_stated), n) in runs.iter().zip(0..) {
            let ended = at(n * 5).to_string();
            let evidence = evidence(laboratory, n, at(60));
            let run = RunEvidence { ended, is_serial_stated: *is_serial_stated, ..evidence };
            assert_eq!(instruments.add(&run), None);
        }
        instruments.close()
    }

    #[test]
    fn a_serial_number_that_files_of_two_laboratories_state_is_one_instrument() {
        let signs = together(&[("L01", true), ("L02", true)]);
        assert_eq!(laboratories(&signs), ["L01", "L02"], "{signs:?}");
        // What was typed where files state the same is that instrument too.
        let signs = together(&[("L01", true), ("L02", false), ("L03", true), ("L02", true)]);
        assert_eq!(laboratories(&signs), ["L01", "L02", "L03"], "{signs:?}");
    }

    #[test]
    fn a_name_that_was_typed_is_an_instrument_of_its_laboratory_alone() {
        assert_eq!(together(&[("L01", false), ("L02", false)]), []);
        assert_eq!(together(&[("L01", true), ("L02", false)]), []);
        let signs = together(&[("L01", false), ("L02", false), ("L01", false)]);
        assert_eq!(laboratories(&signs), ["L01"], "{signs:?}");
        assert!(signs[0].message.starts_with("1 of its 2 runs"), "{signs:?}");
    }

    #[test]
    fn runs_without_an_end_are_counted_for_each_instrument() {
        let day = |runs: i64, is_serial_stated: bool| {
            let mut instruments = Instruments::default();
            for (laboratory, n) in ["L01", "L02"].into_iter().cycle().zip(0..runs) {
                let evidence = evidence(laboratory, n, at(n));
                instruments.add(&RunEvidence { is_serial_stated, ..evidence });
            }
            instruments.close()
        };
        assert_eq!(day(DAY_MAX, true), []);
        assert_eq!(day(2 * DAY_MAX, false), []);
        for signs in [day(DAY_MAX + 1, true), day(2 * DAY_MAX + 2, false)] {
            assert_eq!(laboratories(&signs), ["L01", "L02"], "{signs:?}");
            assert!(signs[0].message.starts_with("49 of its runs came in"), "{signs:?}");
        }
    }
}
