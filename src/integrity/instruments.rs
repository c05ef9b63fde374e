//! What an instrument can do in a day, and whether a file is of the day it came in.

use std::collections::BTreeMap;

use super::{Check, SHORTEST_RUN, Sign};
use crate::clock::{Span, Time};

/// Time zones differ by up to 14 hours, and a file's own zone is not trusted (`formats.md` 0).
const ZONES: Span = Span::hours(14);
/// A file is imported while its plate is still remembered.
const LATE: Span = Span::days(3);

/// Runs by instrument, for the ceiling of each.
#[derive(Clone, Debug, Default)]
pub struct Instruments {
    ended: BTreeMap<(String, String), Vec<(Time, String)>>,
    /// Runs whose file says no end, by laboratory, serial number and the day they came in.
    imported: BTreeMap<(String, String, i64), i64>,
}

/// When a run ended, by the text in its file, as if it were UTC; none when the text is no date.
///
/// `2020-05-18 17:50:29 PM PDT`, `03-10-2024 10:00:00 AM EST` (month first) and RFC 3339 are known.
pub fn own_end(text: &str) -> Option<Time> {
    let mut words = text.split_whitespace();
    let (date, rest) = match words.next()?.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text.split_whitespace().next()?, None),
    };
    let parts: Vec<&str> = date.split(['-', '/']).collect();
    let [a, b, c] = parts[..] else { return None };
    let number = |text: &str| text.parse::<i16>().ok();
    let (year, month, day) = if a.len() == 4 {
        (number(a)?, number(b)?, number(c)?)
    } else {
        (number(c)?, number(a)?, number(b)?)
    };
    let time = rest.or_else(|| words.next())?;
    let clock: Vec<i8> =
        time.get(..8)?.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hour, minute, second] = clock[..] else { return None };
    // Some instruments write AM and PM beside a clock of 24 hours.
    let hour = match words.next() {
        Some("PM") if hour < 12 => hour + 12,
        Some("AM") if hour == 12 => 0,
        _ => hour,
    };
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    let moment = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let utc = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Time::from_us(utc.timestamp().as_microsecond()))
}

impl Instruments {
    /// Looks at one run: its laboratory, id, serial number, own end, freezing and import.
    pub fn add(
        &mut self,
        (laboratory, run): (&str, &str),
        serial: &str,
        ended: Option<Time>,
        (frozen, imported): (Option<Time>, Time),
    ) -> Option<Sign> {
        let serial = serial.trim();
        let Some(ended) = ended else {
            let day = imported.us().div_euclid(Span::days(1).us());
            let key = (laboratory.to_owned(), serial.to_owned(), day);
            *self.imported.entry(key).or_default() += 1;
            return None;
        };
        if !serial.is_empty() {
            let key = (laboratory.to_owned(), serial.to_owned());
            self.ended.entry(key).or_default().push((ended, run.to_owned()));
        }
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

    /// Instruments whose runs ended too shortly after one another.
    pub fn close(self) -> Vec<Sign> {
        let mut signs = Vec::new();
        for ((laboratory, serial, _), runs) in self.imported {
            // Without a serial number nobody knows how many instruments there are.
            let most = Span::days(1).us() / SHORTEST_RUN.us();
            if !serial.is_empty() && runs > most {
                let message = format!(
                    "{runs} of its runs came in on one day and it can make {most}; look at what it \
                     was loaded with"
                );
                signs.push(Sign::new(Check::Instruments, &laboratory, &serial, message));
            }
        }
        for ((laboratory, serial), mut runs) in self.ended {
            runs.sort();
            let close: Vec<_> =
                runs.windows(2).filter(|two| two[1].0.since(two[0].0) < SHORTEST_RUN).collect();
            let Some(first) = close.first() else { continue };
            let message = format!(
                "{} of its {} runs ended sooner after another than a run takes, the first of them \
                 runs {} and {}; look at what it was loaded with",
                close.len(),
                runs.len(),
                first[0].1,
                first[1].1
            );
            signs.push(Sign::new(Check::Instruments, &laboratory, &serial, message));
        }
        signs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_that_instruments_write_are_read() {
        let cases = [
            ("2020-05-18 17:50:29 PM PDT", "2020-05-18T17:50:29Z"),
            ("2020-04-20 09:59:51 AM PDT", "2020-04-20T09:59:51Z"),
            ("03-10-2024 10:45:00 PM EST", "2024-03-10T22:45:00Z"),
            ("2024-03-10 12:05:00 AM EST", "2024-03-10T00:05:00Z"),
            ("2020-06-21T08:00:00Z", "2020-06-21T08:00:00Z"),
        ];
        for (written, read) in cases {
            assert_eq!(own_end(written).unwrap().to_string(), read, "{written}");
        }
        for odd in
            ["", "yesterday", "2020-13-45 10:00:00", "2020-05-18", "2020-05-18 17:50", "é-é-é éééé"]
        {
            assert_eq!(own_end(odd), None, "{odd}");
        }
    }

    fn at(minutes: i64) -> Time {
        Time::from_us(1_592_700_000_000_000) + Span::minutes(minutes)
    }

    fn run(instruments: &mut Instruments, n: i64, ended: Time) -> Option<Sign> {
        let imported = (Some(at(n * 60)), at(n * 60 + 90));
        instruments.add(("L01", &format!("R{n}")), "S1", Some(ended), imported)
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
}
