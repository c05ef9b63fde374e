//! How our clients behave when a server is busy (R42), and what they saw.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::day::lock;
use super::phase::{Latency, latencies};

/// Times a request is sent before it is put off.
pub(super) const TRIES: u32 = 3;
/// The longest wait before the second try; it doubles from try to try.
const BACKOFF: Duration = Duration::from_millis(50);
/// Retries that are always allowed; beyond, one in [`BUDGET`] requests may be one.
const RETRIES_FREE: u64 = 20;
/// Requests for each retry.
const BUDGET: u64 = 10;

/// What all clients together sent and were answered.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    requests: AtomicU64,
    refused: AtomicU64,
    refused_after: Refusals,
    unanswered: AtomicU64,
    retries: AtomicU64,
    put_off: AtomicU64,
}

/// How long refusals took.
#[derive(Debug)]
struct Refusals(Mutex<Histogram<u64>>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Mutex::new(latencies()))
    }
}

/// The same, to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Seen {
    /// Requests, each counted once however often it was sent.
    pub requests: u64,
    /// Answers that the server is busy: 429 and 503.
    pub refused: u64,
    /// How long they took, from when a request was sent.
    pub refused_after_ms: Latency,
    /// Requests a server was lost over before it answered.
    pub unanswered: u64,
    /// Times a request was sent again within its three tries.
    pub retries: u64,
    /// Times a request was put off after its tries, and sent again later.
    pub put_off: u64,
}

impl Traffic {
    /// A request is to be sent.
    pub(super) fn ask(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// The server is busy, and took so long to say so.
    pub(super) fn refuse(&self, after: Duration) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        lock(&self.refused_after.0).saturating_record(us);
    }

    /// The server was lost.
    pub(super) fn lose(&self) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// A request comes again later.
    pub(super) fn put_off(&self) {
        self.put_off.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether one more retry is within the budget; counts it if so.
    pub(super) fn may_retry(&self) -> bool {
        let allowed = RETRIES_FREE + self.requests.load(Ordering::Relaxed) / BUDGET;
        let within = |retries| (retries < allowed).then_some(retries + 1);
        self.retries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok()
    }

    /// Whether some request may have been worked on before it was sent again.
    pub(super) fn was_disturbed(&self) -> bool {
        [&self.refused, &self.unanswered].into_iter().any(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// Everything so far.
    pub(super) fn seen(&self) -> Seen {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Seen {
            requests: read(&self.requests),
            refused: read(&self.refused),
            refused_after_ms: Latency::of(&lock(&self.refused_after.0)),
            unanswered: read(&self.unanswered),
            retries: read(&self.retries),
            put_off: read(&self.put_off),
        }
    }
}

/// How long to wait before the try after this one: anything up to a bound that doubles (full
/// jitter), so that those who were refused together do not come back together.
pub(super) fn backoff(rng: &mut ChaCha8Rng, tried: u32) -> Duration {
    jitter(rng, BACKOFF * 2_u32.saturating_pow(tried))
}

/// Anything up to `bound`.
pub(super) fn jitter(rng: &mut ChaCha8Rng, bound: Duration) -> Duration {
    bound.mul_f64(rng.random::<f64>())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn retries_end_at_a_tenth_of_the_requests() {
        let traffic = Traffic::default();
        (0..1_000).for_each(|_| traffic.ask());
        let granted = (0..1_000).filter(|_| traffic.may_retry()).count();
        assert_eq!(granted, 120);
        assert_eq!(traffic.seen().retries, 120);
    }

    #[test]
    fn waits_grow_and_are_spread_over_all_of_their_bound() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for tried in 0..3 {
            let bound = BACKOFF * 2_u32.pow(tried);
            let waits: Vec<_> = (0..200).map(|_| backoff(&mut rng, tried)).collect();
            assert!(waits.iter().all(|wait| *wait < bound));
            assert!(waits.iter().any(|wait| *wait > bound.mul_f64(0.9)));
            assert!(waits.iter().any(|wait| *wait < bound.mul_f64(0.1)));
        }
    }
}
