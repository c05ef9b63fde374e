//! When a run ended, as its file says it.

use crate::clock::Time;

/// When a run ended, by the text in its file, as if it were UTC; none when the text is no date.
///
/// `2020-05-18 17:50:29 PM PDT`, `03-10-2024 10:00:00 AM EST` (month first) and RFC 3339 are known.
/// Between slashes half of the world puts the day first, so `03/10/2024` is no date, unless one of
/// both can only be the day.
pub fn own_end(text: &str) -> Option<Time> {
    let mut words = text.split_whitespace();
    let (date, rest) = match words.next()?.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text.split_whitespace().next()?, None),
    };
    let parts: Vec<&str> = date.split(['-', '/']).collect();
    let [a, b, c] = parts[..] else { return None };
    let number = |text: &str| text.parse::<i16>().ok();
    let (year, month, day) = match (a.len(), number(a)?, number(b)?, number(c)?) {
        (4, year, month, day) => (year, month, day),
        (_, day, month, year) if date.contains('/') && day > 12 => (year, month, day),
        (_, month, day, _) if date.contains('/') && day <= 12 && month != day => return None,
        (_, month, day, year) => (year, month, day),
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
            ("28/10/2020 10:00:00", "2020-10-28T10:00:00Z"),
            ("10/28/2020 10:00:00 AM", "2020-10-28T10:00:00Z"),
            ("10/10/2020 10:00:00", "2020-10-10T10:00:00Z"),
            ("2020/03/10 10:00:00", "2020-03-10T10:00:00Z"),
        ];
        for (written, read) in cases {
            assert_eq!(own_end(written).unwrap().to_string(), read, "{written}");
        }
        for odd in [
            "",
            "yesterday",
            "2020-13-45 10:00:00",
            "2020-05-18",
            "2020-05-18 17:50",
            "é-é-é éééé",
            "03/10/2020 10:00:00",
        ] {
            assert_eq!(own_end(odd), None, "{odd}");
        }
    }
}
