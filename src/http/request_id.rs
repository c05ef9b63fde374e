//! Ids of requests: which process, and which of its requests; or the one that a request came with.

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

/// Whether an id that came with a request is kept: one of ours, passed on by another program, or a
/// UUID. Whatever else somebody sends could be anything, a person's number too, and ids are logged.
pub(super) fn is_id(sent: &HeaderValue) -> bool {
    let Ok(sent) = sent.to_str() else { return false };
    let (process, number) = sent.split_at_checked(32).unwrap_or_default();
    let is_ours = || {
        let number = number.strip_prefix('-').unwrap_or_default();
        process.bytes().all(|digit| digit.is_ascii_hexdigit())
            && (1..=10).contains(&number.len())
            && number.bytes().all(|digit| digit.is_ascii_digit())
    };
    matches!(sent.len(), 32 | 36) && uuid::Uuid::try_parse(sent).is_ok() || is_ours()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    #[test]
    fn an_id_that_could_be_anything_is_not_kept() {
        let id = |text: &str| is_id(&HeaderValue::from_str(text).unwrap());
        let clock = Clock::stepped(Time::from_us(0));
        assert!(is_id(&RequestIds::new(&clock).next()));
        assert!(id("018f0000-0000-7000-8000-000000000000"), "a UUID");
        assert!(id("018f0000000070008000000000000000"), "a UUID in one");
        for other in [
            "",
            "7",
            "110101190001010017",
            "Canary Lane 7",
            "018f0000000070008000000000000000-",
            "018f0000000070008000000000000000-110101190001010017",
            "{018f0000-0000-7000-8000-000000000000}",
        ] {
            assert!(!id(other), "{other}");
        }
    }

    #[test]
    fn every_request_has_an_id_of_its_own() {
        let clock = Clock::stepped(Time::from_us(0));
        let (one, other) = (RequestIds::new(&clock), RequestIds::new(&clock));
        let ids = [one.next(), one.next(), other.next()];
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2], "{ids:?}");
    }
}
