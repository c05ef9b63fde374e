//! "No Ct" written as a number: the cycle count, or a round hundred (`formats.md` section 0).

use rust_decimal::Decimal;

use super::results::named;
use super::{Curve, Reading, Refusal};
use crate::error::Reason;

/// How the program behind a file writes that there is no Ct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// Applied Biosystems: the number of cycles (40.0 after 40 cycles).
    CycleCount,
    /// `LightCycler` 96: always 100.
    Hundred,
    /// Not by a number, as far as is known.
    Unknown,
}

/// How many cycles a run had, as far as its file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cycles {
    /// The last cycle with a signal.
    measured: Option<u16>,
    /// What the thermal protocol repeats.
    planned: Option<u16>,
}

impl Cycles {
    /// From the curves, and from the protocol where the file has it.
    pub fn of(curves: &[Curve], planned: Option<u16>) -> Self {
        let last = curves.iter().filter_map(|curve| curve.points.last());
        Self { measured: last.map(|point| point.cycle).max(), planned }
    }

    /// Takes the Ct out of readings that have none, and says in sentences what was decided.
    ///
    /// Refused where an instrument that writes the cycle count leaves open which number that is:
    /// taking a silent well for a late positive, or the other way round, is no guess to make.
    pub fn settle(self, habit: Habit, readings: &mut [Reading]) -> Result<Vec<Reason>, Refusal> {
        let counts: Vec<Decimal> =
            [self.measured, self.planned].into_iter().flatten().map(Decimal::from).collect();
        let hundred = Decimal::ONE_HUNDRED;
        let beyond = |ct: Decimal| counts.first().is_some_and(|last| ct > *last);
        let (mut cleared, mut kept, mut late) = (Vec::new(), Vec::new(), Vec::new());
        for reading in readings {
            let Some(ct) = reading.ct.map(Decimal::from) else { continue };
            let none = match habit {
                Habit::CycleCount if counts.is_empty() && ct.fract().is_zero() => {
                    return Err(Refusal::bad_place(
                        reading.well,
                        &reading.raw_ct,
                        "may be a Ct or the number of cycles, which the file does not state",
                    ));
                }
                Habit::CycleCount => counts.contains(&ct),
                Habit::Hundred => ct == hundred,
                Habit::Unknown => ct == hundred && beyond(ct),
            };
            if none {
                reading.ct = None;
                cleared.push((reading.well, ct));
            } else if beyond(ct) {
                late.push(reading.well);
            } else if counts.contains(&ct) {
                kept.push(reading.well);
            }
        }
        let mut said = Vec::new();
        if let Some((_, number)) = cleared.first() {
            let (count, number) = (cleared.len(), number.normalize());
            let message = format!(
                "{count} readings have {number} as their Ct, which is how no amplification is \
                 written there; they were read as no Ct"
            );
            said.push(Reason::new("file.no_ct", number.to_string(), message));
        }
        said.extend(named(kept.into_iter()).map(|wells| {
            let message =
                format!("the Ct equals the number of cycles in {wells}; it was kept as a Ct");
            Reason::new("file.ct_last_cycle", wells, message)
        }));
        said.extend(named(late.into_iter()).map(|wells| {
            let message =
                format!("the Ct lies beyond the last cycle in {wells}; it was kept as written");
            Reason::new("file.ct_beyond", wells, message)
        }));
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::{Ct, Point};

    fn readings(cts: &[&str]) -> Vec<Reading> {
        let reading = |ct: &&str| Reading {
            well: "A1".parse().unwrap(),
            sample: String::new(),
            target: "N".into(),
            dye: String::new(),
            task: String::new(),
            ct: Some(Ct::try_from(ct.parse::<Decimal>().unwrap()).unwrap()),
            raw_ct: (*ct).to_owned(),
            amp_status: None,
            instrument_call: None,
            omitted: false,
        };
        cts.iter().map(reading).collect()
    }

    fn settled(cycles: Cycles, habit: Habit, cts: &[&str]) -> (Vec<bool>, Vec<String>) {
        let mut readings = readings(cts);
        let said = cycles.settle(habit, &mut readings).unwrap();
        let said = said.into_iter().map(|warning| warning.message).collect();
        (readings.iter().map(|reading| reading.ct.is_some()).collect(), said)
    }

    const FORTY: Cycles = Cycles { measured: Some(40), planned: None };

    #[test]
    fn the_cycle_count_is_no_ct_where_the_instrument_writes_it_so() {
        let (is_ct, said) = settled(FORTY, Habit::CycleCount, &["40.0", "39.99", "31.2"]);
        assert_eq!(is_ct, [false, true, true]);
        assert!(said[0].starts_with("1 readings have 40 as their Ct"), "{said:?}");
        let (is_ct, said) = settled(FORTY, Habit::Unknown, &["40.0", "39.99"]);
        assert_eq!(is_ct, [true, true]);
        assert!(said[0].contains("kept as a Ct"), "{said:?}");
        let planned = Cycles { measured: None, planned: Some(45) };
        assert_eq!(settled(planned, Habit::CycleCount, &["45", "40"]).0, [false, true]);
    }

    #[test]
    fn a_hundred_is_no_ct_on_the_instrument_that_writes_it_or_beyond_the_last_cycle() {
        let unknown = Cycles { measured: None, planned: None };
        assert_eq!(settled(unknown, Habit::Hundred, &["100", "99"]).0, [false, true]);
        assert_eq!(settled(FORTY, Habit::Unknown, &["100.0"]).0, [false]);
        assert_eq!(settled(unknown, Habit::Unknown, &["100.0"]).0, [true]);
        assert_eq!(settled(unknown, Habit::Unknown, &["31.2"]), (vec![true], vec![]));
    }

    #[test]
    fn a_ct_beyond_the_last_cycle_is_said() {
        let (is_ct, said) = settled(FORTY, Habit::Hundred, &["68.85"]);
        assert_eq!(is_ct, [true]);
        assert!(said[0].contains("beyond the last cycle in A1"), "{said:?}");
    }

    #[test]
    fn a_whole_number_without_a_known_cycle_count_is_refused() {
        let unknown = Cycles { measured: None, planned: None };
        let refusal = unknown.settle(Habit::CycleCount, &mut readings(&["40.0"])).unwrap_err();
        assert!(refusal.to_string().contains("A1: `40.0` may be a Ct or the number"), "{refusal}");
        assert!(unknown.settle(Habit::CycleCount, &mut readings(&["39.4"])).is_ok());
    }

    #[test]
    fn the_last_cycle_is_the_latest_of_all_curves() {
        let curve = |cycles: &[u16]| Curve {
            well: "A1".parse().unwrap(),
            target: String::new(),
            dye: String::new(),
            points: cycles.iter().map(|cycle| Point { cycle: *cycle, signal: 0.0 }).collect(),
        };
        let cycles = Cycles::of(&[curve(&[2, 3]), curve(&[1, 45]), curve(&[])], Some(40));
        assert_eq!(cycles, Cycles { measured: Some(45), planned: Some(40) });
    }
}
