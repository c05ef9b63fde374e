//! Tubes as a device writes them down, straight into the bytes of a request.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::chance::{About, draw};
use super::city::City;
use super::line::{Habit, Line, Parcel, SWAB_S};
use super::person::Person;
use crate::barcode::{PlaceCode, TubeCode};
use crate::clock::{Span, Time};
use crate::simulation::Failure;

/// How long before the day is played its sites opened and swabbed.
const SWABBING: Span = Span::hours(3);
/// How long before now the last of them was shut.
const SHUT: Span = Span::minutes(1);

/// One device with the tubes it swabbed into a box.
#[derive(Clone, Copy)]
pub(super) struct Device<'a> {
    /// The city's truth; here for its seed.
    pub(super) city: &'a City,
    /// Who stands in line where.
    pub(super) line: &'a Line,
    /// The box.
    pub(super) parcel: &'a Parcel,
    /// The site's session.
    pub(super) session: &'a PlaceCode,
    /// When the day began to be played; whoever comes again is swabbed then.
    pub(super) begins: Time,
}

/// A tube on its way into a request.
#[derive(Serialize)]
struct Tube<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    event_id: Uuid,
    session: &'a PlaceCode,
    size: u8,
    swab_count: u8,
    underfilled: bool,
    sealed_at: Time,
    device: DeviceNow<'a>,
    members: Members<'a>,
}

#[derive(Serialize)]
struct DeviceNow<'a> {
    id: &'a str,
    sequence: u32,
    time: Time,
}

/// The members of one tube, made up as they are written.
struct Members<'a> {
    device: Device<'a>,
    tube: u32,
    sealed_at: Time,
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let line = self.device.line;
        let seed = self.device.city.seed;
        let waits = (1..=i64::from(line.count(self.tube))).rev();
        serializer.collect_seq(line.members(self.tube).zip(waits).map(|(number, wait)| {
            let taken_at = self.sealed_at - Span::seconds(SWAB_S * wait);
            Person { seed, number }.swabbed(taken_at)
        }))
    }
}

/// The tubes of one request.
struct Tubes<'a> {
    device: Device<'a>,
    id: &'a str,
    codes: &'a [TubeCode],
    now: Time,
}

impl Serialize for Tubes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tubes = self.device.parcel.tubes.clone().zip(self.codes);
        serializer.collect_seq(
            tubes.map(|(tube, code)| self.device.tube((tube, self.id), Some(code), self.now)),
        )
    }
}

#[derive(Serialize)]
struct Batch<'a> {
    tubes: Tubes<'a>,
}

impl<'a> Device<'a> {
    /// Everything it swabbed in one request; `now` is what our clock says.
    pub(super) fn batch(self, codes: &'a [TubeCode], now: Time) -> Result<Vec<u8>, Failure> {
        let mut body =
            Vec::with_capacity(self.parcel.count() * usize::from(self.line.size()) * 256);
        let id = self.id();
        let tubes = Tubes { device: self, id: &id, codes, now };
        serde_json::to_writer(&mut body, &Batch { tubes }).map_err(unwritten)?;
        Ok(body)
    }

    /// One tube in a request of its own, whose path has the code.
    pub(super) fn single(self, tube: u32, now: Time) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::with_capacity(usize::from(self.line.size()) * 256 + 256);
        serde_json::to_writer(&mut body, &self.tube((tube, &self.id()), None, now))
            .map_err(unwritten)?;
        Ok(body)
    }

    fn id(self) -> String {
        format!("D{:05}-{}", self.parcel.site + 1, self.parcel.number)
    }

    fn tube<'t>(self, (tube, id): (u32, &'t str), code: Option<&'t TubeCode>, now: Time) -> Tube<'t>
    where
        'a: 't,
    {
        let skew = Span::seconds(match self.parcel.habit() {
            Habit::WrongClock(seconds) => seconds,
            Habit::Plain | Habit::Offline | Habit::Twice => 0,
        });
        let sealed_at = self.sealed(tube) + skew;
        let count = self.line.count(tube);
        Tube {
            code: code.map(TubeCode::as_str),
            event_id: self.event(tube),
            session: self.session,
            size: self.line.size(),
            swab_count: count,
            underfilled: count < self.line.size(),
            sealed_at,
            device: DeviceNow { id, sequence: tube - self.parcel.tubes.start, time: now + skew },
            members: Members { device: self, tube, sealed_at },
        }
    }

    /// When a tube is shut: in the first wave one after the other since the site opened, in the
    /// second now.
    fn sealed(self, tube: u32) -> Time {
        if self.line.is_again() {
            return self.begins;
        }
        let (turn, of) = self.line.turn(tube);
        let into = SWABBING.us() / i64::from(of.max(1)) * (i64::from(turn) + 1);
        self.begins - SHUT - SWABBING + Span::seconds(into / 1_000_000)
    }

    /// The device's id of the event; the same on every retry.
    fn event(self, tube: u32) -> Uuid {
        let ms = u64::try_from(self.sealed(tube).us() / 1_000).unwrap_or(0);
        let number = u64::from(tube) << 1 | u64::from(self.line.is_again());
        let drawn = draw(self.city.seed, About::Event, number).to_be_bytes();
        let mut random = [0; 10];
        random[2..].copy_from_slice(&drawn);
        uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape `map_err` wants")]
fn unwritten(error: serde_json::Error) -> Failure {
    Failure::Stuck(format!("a tube cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::tube::TubeScan;

    const BEGINS: Time = Time::from_us(1_592_697_600_000_000);

    #[derive(serde::Deserialize)]
    struct Sent {
        tubes: Vec<TubeScan>,
    }

    fn codes(count: u64) -> Vec<TubeCode> {
        (0..count).map(|number| TubeCode::numbered(number).unwrap()).collect()
    }

    #[test]
    fn what_is_written_is_what_the_api_reads_and_fits_the_rules_of_a_tube() {
        let city = City::new(3, 95, 0.01);
        let line = Line::everybody(95, 10, 1, 20);
        let session = PlaceCode::parse("W00001").unwrap();
        let parcel = &line.parcels()[0];
        let device = Device { city: &city, line: &line, parcel, session: &session, begins: BEGINS };
        let sent: Sent =
            serde_json::from_slice(&device.batch(&codes(10), BEGINS).unwrap()).unwrap();
        assert_eq!(sent.tubes.len(), 10);
        for (scan, people) in sent.tubes.iter().zip([10, 10, 10, 10, 10, 10, 10, 10, 10, 5]) {
            assert_eq!((scan.members.len(), usize::from(scan.swab_count)), (people, people));
            assert_eq!(scan.underfilled, people < 10);
            assert_eq!(scan.event_id.get_version_num(), 7);
            assert!(scan.members.iter().all(|member| member.taken_at < scan.sealed_at));
            assert!(scan.sealed_at < BEGINS && BEGINS - Span::hours(4) < scan.sealed_at);
        }
        let single: TubeScan = serde_json::from_slice(&device.single(3, BEGINS).unwrap()).unwrap();
        assert_eq!((single.code, single.event_id), (None, sent.tubes[3].event_id));
    }

    #[test]
    fn a_wrong_clock_is_wrong_by_as_much_in_everything_the_device_says() {
        let (city, session) = (City::new(3, 300, 0.0), PlaceCode::parse("W00001").unwrap());
        let line = Line::everybody(300, 1, 1, 10);
        let read = |parcel: &Parcel| {
            let device =
                Device { city: &city, line: &line, parcel, session: &session, begins: BEGINS };
            let sent: Sent =
                serde_json::from_slice(&device.batch(&codes(10), BEGINS).unwrap()).unwrap();
            (sent.tubes[0].device.time, device.sealed(parcel.tubes.start), sent.tubes[0].sealed_at)
        };
        let (now, true_time, said) = read(&line.parcels()[12]);
        assert_eq!(now.since(BEGINS), Span::minutes(18));
        assert_eq!(said.since(true_time), Span::minutes(18));
        let (now, true_time, said) = read(&line.parcels()[0]);
        assert_eq!((now, said), (BEGINS, true_time));
    }
}
