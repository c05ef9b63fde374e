//! Time and ids, handed in: nothing else in the crate looks at the wall clock.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A moment: microseconds since 1970 in UTC; RFC 3339 on the wire, `bigint` in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Time(i64);

/// China keeps one time zone, UTC+8, without summer time.
const CHINA: Span = Span::hours(8);

/// A span of microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(i64);

impl Time {
    /// The moment that many microseconds after 1970.
    pub const fn from_us(us: i64) -> Self {
        Self(us)
    }

    /// Microseconds since 1970.
    pub const fn us(self) -> i64 {
        self.0
    }

    /// How long ago `earlier` was; negative when it lies ahead.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0 - earlier.0)
    }

    /// What a clock in China shows: `2020-06-21 08:30:00`.
    pub fn local(self) -> String {
        let shown = (self + CHINA).to_string();
        shown.get(..19).unwrap_or(&shown).replace('T', " ")
    }

    /// The day in China this falls on, as `YYYY-MM-DD`.
    pub fn day(self) -> String {
        let local = self.local();
        local.get(..10).unwrap_or(&local).to_owned()
    }

    /// First and last moment of a day `YYYY-MM-DD` in China, the last not included.
    pub fn day_bounds(day: &str) -> Option<(Self, Self)> {
        let date: jiff::civil::Date = day.parse().ok()?;
        let start: Self = format!("{date}T00:00:00Z").parse().ok()?;
        Some((start - CHINA, start - CHINA + Span::days(1)))
    }
}

impl std::ops::Add<Span> for Time {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl std::ops::Sub<Span> for Time {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Span {
    /// The shortest span there is.
    pub const MICROSECOND: Self = Self(1);

    /// A span of whole seconds.
    pub const fn seconds(n: i64) -> Self {
        Self(n * 1_000_000)
    }

    /// A span of whole minutes.
    pub const fn minutes(n: i64) -> Self {
        Self::seconds(n * 60)
    }

    /// A span of whole hours.
    pub const fn hours(n: i64) -> Self {
        Self::minutes(n * 60)
    }

    /// A span of whole days.
    pub const fn days(n: i64) -> Self {
        Self::hours(n * 24)
    }

    /// Microseconds in the span.
    pub const fn us(self) -> i64 {
        self.0
    }

    /// The span without its sign.
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => timestamp.fmt(f),
            Err(_out_of_range) => write!(f, "{} us", self.0),
        }
    }
}

impl FromStr for Time {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<jiff::Timestamp>().map(|timestamp| Self(timestamp.as_microsecond()))
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Time {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339, any offset; answered in UTC"))
            .build()
            .into()
    }
}

impl utoipa::ToSchema for Time {
    fn name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }
}

/// The one source of time and of new ids.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System,
    Stepped { now_us: AtomicI64, ids: AtomicU64 },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Arc::new(Source::System))
    }

    /// A clock that stands still until it is told to move; its ids repeat from run to run.
    pub fn stepped(start: Time) -> Self {
        Self(Arc::new(Source::Stepped { now_us: AtomicI64::new(start.0), ids: AtomicU64::new(0) }))
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "the one place that may look at the clock")]
    pub fn now(&self) -> Time {
        match &*self.0 {
            Source::System => Time(jiff::Timestamp::now().as_microsecond()),
            Source::Stepped { now_us, .. } => Time(now_us.load(Ordering::SeqCst)),
        }
    }

    /// Moves a stepped clock forward to `time`; never back, and the machine's clock not at all.
    pub fn advance_to(&self, time: Time) {
        if let Source::Stepped { now_us, .. } = &*self.0 {
            now_us.fetch_max(time.0, Ordering::SeqCst);
        }
    }

    /// A new id, ordered by time (UUID version 7).
    #[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
    pub fn id(&self) -> Uuid {
        match &*self.0 {
            Source::System => Uuid::now_v7(),
            Source::Stepped { now_us, ids } => {
                let millis = u64::try_from(now_us.load(Ordering::SeqCst) / 1000).unwrap_or(0);
                let mut random = [0; 10];
                random[2..].copy_from_slice(&ids.fetch_add(1, Ordering::SeqCst).to_be_bytes());
                uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_survives_the_wire() {
        let time = Time::from_us(1_592_380_800_123_456);
        assert_eq!(time.to_string(), "2020-06-17T08:00:00.123456Z");
        assert_eq!("2020-06-17T16:00:00.123456+08:00".parse::<Time>().unwrap(), time);
    }

    #[test]
    fn a_day_begins_at_midnight_in_china() {
        let at = |text: &str| text.parse::<Time>().unwrap();
        assert_eq!(at("2020-06-20T15:59:59Z").day(), "2020-06-20");
        assert_eq!(at("2020-06-20T16:00:00Z").day(), "2020-06-21");
        assert_eq!(at("2020-06-20T16:30:09.5Z").local(), "2020-06-21 00:30:09");
        let (start, end) = Time::day_bounds("2020-06-21").unwrap();
        assert_eq!(start, at("2020-06-20T16:00:00Z"));
        assert_eq!(end.day(), "2020-06-22");
        for wrong in ["2020-02-30", "today", ""] {
            assert_eq!(Time::day_bounds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_stepped_clock_moves_only_forward_and_never_repeats_an_id() {
        let clock = Clock::stepped(Time::from_us(10));
        clock.advance_to(Time::from_us(20));
        clock.advance_to(Time::from_us(5));
        assert_eq!(clock.now(), Time::from_us(20));
        assert_ne!(clock.id(), clock.id());
    }
}
