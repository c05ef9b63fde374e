//! Answers by the million: only what is checked is taken out, and nothing is copied.

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::collection::tube::Flag;
use crate::collection::tube::api::Fate;
use crate::feeds::Position;
use crate::http::page::Cursor;
use crate::http::problem::Problem;
use crate::interpretation::Outcome;
use crate::query::{Progress, ToldOutcome};
use crate::storage::outbox::Change;

/// The answer to a batch of tubes.
#[derive(Deserialize)]
pub(super) struct Batch<'a> {
    /// One for each tube.
    #[serde(borrow)]
    pub(super) tubes: Vec<Item<'a>>,
}

/// What became of one tube of a batch.
#[derive(Deserialize)]
pub(super) struct Item<'a> {
    /// Its fate.
    pub(super) outcome: Fate,
    /// Why it was not taken.
    pub(super) problem: Option<Box<Problem>>,
    /// The stored tube.
    #[serde(borrow)]
    pub(super) tube: Option<Tube<'a>>,
}

/// A stored tube.
#[derive(Deserialize)]
pub(super) struct Tube<'a> {
    /// Its code.
    pub(super) code: &'a str,
    /// What is worth a look.
    pub(super) flags: Vec<Flag>,
    /// What its members are handed.
    #[serde(borrow)]
    pub(super) members: Slips<'a>,
}

/// The slips of a tube: how many, and the first.
pub(super) struct Slips<'a> {
    /// How many.
    pub(super) count: usize,
    /// The pick-up code on the first.
    pub(super) first: Option<&'a str>,
}

#[derive(Deserialize)]
struct Slip<'a> {
    pickup_code: &'a str,
}

impl<'de: 'a, 'a> Deserialize<'de> for Slips<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counting;
        impl<'de> Visitor<'de> for Counting {
            type Value = Slips<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of slips")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut slips: A) -> Result<Slips<'de>, A::Error> {
                let first: Option<Slip<'de>> = slips.next_element()?;
                let mut count = usize::from(first.is_some());
                while slips.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Slips { count, first: first.map(|slip| slip.pickup_code) })
            }
        }
        deserializer.deserialize_seq(Counting)
    }
}

/// A run after its file came in.
#[derive(Deserialize)]
pub(super) struct Run<'a> {
    /// The run.
    pub(super) id: &'a str,
    /// May the plate be used.
    pub(super) verdict: Verdict,
    /// One for each tube.
    #[serde(borrow)]
    pub(super) calls: Vec<Call<'a>>,
}

/// Whether a plate may be used.
#[derive(Deserialize)]
pub(super) struct Verdict {
    /// It may.
    pub(super) usable: bool,
}

/// What the readings of one tube mean.
#[derive(Deserialize)]
pub(super) struct Call<'a> {
    /// The tube.
    pub(super) tube: &'a str,
    /// What they mean.
    pub(super) outcome: Outcome,
}

/// The answer to a health-code service.
#[derive(Deserialize)]
pub(super) struct Statuses {
    /// As many as were asked for.
    pub(super) people: Vec<Told>,
}

/// One person's answer.
#[derive(Deserialize)]
pub(super) struct Told {
    /// None for somebody who was never swabbed.
    pub(super) status: Option<Status>,
}

/// What a person is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Status {
    /// How far the latest sampling is.
    pub(super) state: Progress,
    /// The result of it.
    pub(super) outcome: Option<ToldOutcome>,
}

/// A page of the feed.
#[derive(Deserialize)]
pub(super) struct Page<'a> {
    /// Oldest first.
    #[serde(borrow)]
    pub(super) changes: Vec<Changed<'a>>,
    /// Where to read on.
    pub(super) next: Cursor<Position>,
}

/// A change of a tube.
#[derive(Deserialize)]
pub(super) struct Changed<'a> {
    /// Its place in the stream: opaque to a client, but not to us.
    pub(super) cursor: Cursor<Position>,
    /// What happened.
    pub(super) change: Change,
    /// To which tube.
    pub(super) tube: &'a str,
    /// Those it is about; only counted.
    pub(super) persons: Vec<IgnoredAny>,
    /// What they were told.
    pub(super) outcome: Option<ToldOutcome>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_tube_the_slips_are_counted_and_the_first_is_kept() {
        let read = |members: &str| {
            let text = format!(
                r#"{{"tubes":[{{"index":0,"code":"T1","outcome":"accepted","tube":{{"code":"T1",
                "state":"sealed","size":10,"recorded_at":"2020-06-21T00:00:00Z",
                "flags":["clock_skew"],"members":[{members}]}}}}]}}"#
            );
            let batch: Batch<'_> = serde_json::from_str(&text).unwrap();
            let tube = batch.tubes[0].tube.as_ref().unwrap();
            (tube.members.count, tube.members.first.map(str::to_owned))
        };
        let slip = |code: &str| format!(r#"{{"position":1,"pickup_code":"{code}","link":"x"}}"#);
        assert_eq!(read(""), (0, None));
        assert_eq!(read(&slip("A")), (1, Some("A".to_owned())));
        assert_eq!(read(&[slip("B"), slip("C")].join(",")), (2, Some("B".to_owned())));
    }
}
