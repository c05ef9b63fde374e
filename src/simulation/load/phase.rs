//! What a phase of the day took: from its first request to its last answer, how many people went
//! through it, how many requests that was, and how long its steps took.
//!
//! A step is what somebody does at once, and is timed as one: most are a single request, and some are
//! several that follow each other (`step` says of what each phase's are made).

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use serde::Serialize;

/// Longest latency that is told apart, in microseconds: five minutes.
const LONGEST_US: u64 = 300_000_000;

/// A phase while the day is played.
#[derive(Debug)]
pub(super) struct Phase {
    name: &'static str,
    bar: ProgressBar,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    span: Option<(Instant, Instant)>,
    people: u64,
    requests: u64,
    steps: Histogram<u64>,
}

/// What one step of a phase is, with its requests where they are several.
fn step(phase: &str) -> &'static str {
    match phase {
        "collect" => "a box of tubes is sent, or one tube",
        "transport" => "a box is sealed, or passes through two pairs of hands (4 requests)",
        "receive" => "a box is opened",
        "plate" => "a plate is laid out and frozen (2 requests)",
        "import" => "a run's file comes in",
        "release" => "a run is looked at, reviewed and released (3 requests)",
        "recall" => {
            "the list of recalls is read (a request a page), or somebody is called; the swabs that \
             follow are in its seconds and in none of its steps"
        }
        "ask" => "a service asks for at most 1,000 people",
        "feed" => "a page of changes is read; people count as often as a change names them",
        _ => "a resident asks",
    }
}

/// A phase in the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseLine {
    /// Its name.
    pub name: &'static str,
    /// Seconds after the first scan when it began; phases overlap as on a real day.
    pub began: f64,
    /// From its first request to its last answer.
    pub seconds: f64,
    /// People who went through it; in `feed` each as often as a change names them, in `refresh` and
    /// `ask singly` as often as they asked.
    pub people: u64,
    /// People a second: neither requests nor steps.
    pub per_second: f64,
    /// Its requests, each counted once however often it was sent.
    pub requests: u64,
    /// What one of its steps is.
    pub step: &'static str,
    /// How long its steps took, those with several requests from the first to the last answer.
    pub latency_ms: Latency,
}

/// How long something took, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half of all took at most this long.
    pub p50: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1,000.
    pub p999: f64,
    /// How many were timed.
    pub count: u64,
}

/// Latencies in microseconds, none yet.
pub(super) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, 3)
        .expect("one to five minutes at three figures is a histogram")
}

impl Latency {
    /// Of latencies in microseconds.
    pub(super) fn of(timed: &Histogram<u64>) -> Self {
        let ms = |share| {
            let us = u32::try_from(timed.value_at_quantile(share)).unwrap_or(u32::MAX);
            f64::from(us) / 1e3
        };
        let (p50, p99, p999) = (ms(0.5), ms(0.99), ms(0.999));
        Self { p50, p99, p999, count: timed.len() }
    }
}

impl Phase {
    /// A phase that has not begun.
    pub(super) fn new(name: &'static str, bar: &ProgressBar) -> Self {
        let taken = Taken { span: None, people: 0, requests: 0, steps: latencies() };
        Self { name, bar: bar.clone(), taken: Mutex::new(taken) }
    }

    /// Something was asked for at `asked`, or was due to be, and is answered now.
    pub(super) fn answered(&self, asked: Instant, people: u64) {
        self.stepped(asked, people, 1);
    }

    /// So many requests were sent one after the other from `asked` on, and the last is answered now.
    pub(super) fn stepped(&self, asked: Instant, people: u64, requests: u64) {
        let now = Instant::now();
        let mut taken = self.lock();
        taken.span = Some(match taken.span {
            None => (asked, now),
            Some((first, last)) => (first.min(asked), last.max(now)),
        });
        taken.people += people;
        taken.requests += requests;
        let us = u64::try_from(now.duration_since(asked).as_micros()).unwrap_or(LONGEST_US);
        taken.steps.saturating_record(us.max(1));
        drop(taken);
        self.bar.inc(people);
    }

    /// That many people went through it from `since` until now, beside what was asked meanwhile.
    pub(super) fn lasted(&self, since: Instant, people: u64) {
        let mut taken = self.lock();
        let first = taken.span.map_or(since, |(first, _)| first.min(since));
        taken.span = Some((first, Instant::now()));
        taken.people += people;
    }

    /// When it began, if it did.
    pub(super) fn began(&self) -> Option<Instant> {
        self.lock().span.map(|(first, _)| first)
    }

    /// Its name, and how many people are through.
    pub(super) fn so_far(&self) -> (&'static str, u64) {
        (self.name, self.lock().people)
    }

    /// How it went, counted from the first scan; none when nothing was to be done.
    pub(super) fn line(&self, day: Instant) -> Option<PhaseLine> {
        let taken = self.lock();
        let (first, last) = taken.span?;
        let seconds = last.duration_since(first).as_secs_f64();
        Some(PhaseLine {
            name: self.name,
            began: rounded(first.duration_since(day).as_secs_f64()),
            seconds: rounded(seconds),
            people: taken.people,
            per_second: per_second(taken.people, seconds),
            requests: taken.requests,
            step: step(self.name),
            latency_ms: Latency::of(&taken.steps),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Milliseconds are enough.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// A rate, to the whole.
fn per_second(count: u64, seconds: f64) -> f64 {
    let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if seconds > 0.0 { (count / seconds).round() } else { 0.0 }
}

/// When each request of an open loop is due, whatever became of those before.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the first is due.
    begins: Instant,
    /// Tubes a second; none as fast as it goes.
    rate: Option<f64>,
    /// Tubes whose turn has come.
    given: AtomicU32,
}

impl Pace {
    /// A pace that begins now.
    pub(super) fn new(rate: Option<f64>) -> Self {
        Self { begins: Instant::now(), rate, given: AtomicU32::new(0) }
    }

    /// Waits until the next request is due, which brings that many tubes, and gives when it was
    /// due: from then its latency counts, also when every device was still busy with another (so
    /// that nothing is omitted because of what was slow before).
    pub(super) async fn turn(&self, tubes: u32) -> Instant {
        let Some(rate) = self.rate else { return Instant::now() };
        let before = self.given.fetch_add(tubes, Ordering::Relaxed);
        let due = self.begins + Duration::from_secs_f64(f64::from(before) / rate);
        tokio::time::sleep_until(due.into()).await;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_lasts_from_its_first_request_to_its_last_answer() {
        let phase = Phase::new("collect", &ProgressBar::hidden());
        let day = Instant::now();
        assert_eq!(phase.line(day), None);
        phase.answered(day, 10);
        phase.stepped(day, 20, 4);
        let line = phase.line(day).unwrap();
        assert_eq!((line.name, line.people, line.began), ("collect", 30, 0.0));
        assert_eq!((line.requests, line.latency_ms.count), (5, 2));
        assert!(line.latency_ms.p50 <= line.latency_ms.p999);
    }

    #[tokio::test]
    async fn what_was_due_while_another_request_was_slow_counts_from_then() {
        let begins = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
        let open = Pace { begins, ..Pace::new(Some(100.0)) };
        assert_eq!(open.turn(50).await, begins);
        assert_eq!(open.turn(1).await, begins + Duration::from_millis(500));
        assert_eq!(open.turn(1).await, begins + Duration::from_millis(510));
        let closed = Pace { begins, ..Pace::new(None) };
        assert!(closed.turn(100).await >= begins + Duration::from_secs(5));
    }
}
