//! Ids of requests: which process, and which of its requests.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderValue;

use crate::clock::Clock;

/// Numbers the requests of one process.
#[derive(Debug)]
pub struct RequestIds {
    process: String,
    number: AtomicU64,
}

impl RequestIds {
    /// Ids that no other process gives.
    pub fn new(clock: &Clock) -> Self {
        Self { process: clock.id().simple().to_string(), number: AtomicU64::new(0) }
    }

    /// The id of the next request.
    pub fn next(&self) -> HeaderValue {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{}-{number}", self.process)).expect("it is hex and figures")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    #[test]
    fn every_request_has_an_id_of_its_own() {
        let clock = Clock::stepped(Time::from_us(0));
        let (one, other) = (RequestIds::new(&clock), RequestIds::new(&clock));
        let ids = [one.next(), one.next(), other.next()];
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2], "{ids:?}");
    }
}
