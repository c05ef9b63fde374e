//! What people are shown, kept before the store: in memory, then in Redis.
//!
//! The store alone is the truth. Whatever is kept carries what its reader had seen of the feed,
//! and is shown only when nothing that concerns the person has changed since (`versions`); every
//! node learns what changed by following the feed ([`follow`]), several times a second. So a value
//! that was read before a change and is kept after it is never shown, whoever keeps it and where:
//! nothing has to be taken out of Redis, and a Redis that hands out old, foreign or invented
//! values is not believed. A node that cannot follow the feed shows nothing that is kept. What a
//! node commits itself it need not learn: the tubes and people concerned are marked at once. Only
//! of a release it marks the tubes and not each member, so that whoever was swabbed again meanwhile
//! is shown it after the next look at the feed.

pub mod follow;
mod local;
mod redis;
mod versions;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use metrics::{Counter, Gauge};
use tokio::sync::Mutex;

pub use self::redis::RedisAddress;
use crate::config::Config;
use crate::seal::{KeyRing, PersonKey};
use crate::storage::{Mark, News};
use follow::Snapshot;
use local::Local;
use redis::Redis;
use versions::Versions;

/// How long anything is kept: bounds whatever no change was told of.
const KEPT: Duration = Duration::from_mins(5);

/// What somebody is shown, as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What of the feed was seen when it was read ([`Snapshot::seen`]).
    pub seen: u64,
    /// The tubes it hangs on: the newest, and that of the last result.
    pub tubes: [Mark; 2],
    /// The status in JSON; none for somebody who was never swabbed.
    pub status: Option<Bytes>,
}

/// Both tiers before the store; cheap to clone.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    news: News,
    versions: Versions,
    local: Local,
    redis: Option<Arc<Redis>>,
    /// Where following the feed stands; none before it begins.
    followed: Mutex<Option<Snapshot>>,
    counts: Counts,
}

/// What is measured; no label names anybody.
struct Counts {
    local_hits: Counter,
    redis_hits: Counter,
    redis_misses: Counter,
    rejected: Counter,
    forgotten: Counter,
    forgotten_all: Counter,
    bytes: Gauge,
    /// Transactions since the oldest under way, which holds the feed back.
    held_back: Gauge,
}

impl Counts {
    fn new() -> Self {
        Self {
            local_hits: metrics::counter!("cache_hits_total", "tier" => "local"),
            redis_hits: metrics::counter!("cache_hits_total", "tier" => "redis"),
            redis_misses: metrics::counter!("cache_misses_total", "tier" => "redis"),
            rejected: metrics::counter!("cache_rejected_total"),
            forgotten: metrics::counter!("cache_forgotten_total"),
            forgotten_all: metrics::counter!("cache_forgotten_all_total"),
            bytes: metrics::gauge!("cache_bytes"),
            held_back: metrics::gauge!("feed_held_back"),
        }
    }
}

impl Cache {
    /// The tiers that are configured; Redis need not be there yet.
    pub fn new(config: &Config, keys: Arc<KeyRing>, news: &News) -> Self {
        let redis = RedisAddress::parse(&config.redis)
            .and_then(|address| Redis::at(address, keys).map(Arc::new));
        Self(Arc::new(Inner {
            news: news.clone(),
            versions: Versions::new(),
            local: Local::new(config.cache_mib),
            redis,
            followed: Mutex::new(None),
            counts: Counts::new(),
        }))
    }

    /// Whether anything that is kept may be shown: the feed was followed a moment ago.
    pub fn is_followed(&self) -> bool {
        self.0.versions.is_followed(Instant::now())
    }

    /// Whether Redis was reached and answers.
    pub fn is_redis_up(&self) -> bool {
        self.0.redis.as_ref().is_some_and(|redis| redis.line().is_some())
    }

    /// What memory keeps for this person and may be shown.
    pub fn kept(&self, person: &PersonKey) -> Option<Kept> {
        let now = Instant::now();
        if !self.0.versions.is_followed(now) {
            return None;
        }
        let kept = self.0.local.get(person, now)?;
        let shown = self.0.holds(person, &kept).then_some(kept)?;
        self.0.counts.local_hits.increment(1);
        Some(shown)
    }

    /// What Redis keeps for each of these people and may be shown, in one round trip; it is kept
    /// in memory from now on. Nothing when Redis is away, slow, or not believed.
    pub async fn fetch(&self, people: &[PersonKey]) -> Vec<Option<Kept>> {
        let nothing = || vec![None; people.len()];
        let Some(redis) = self.0.redis.as_ref().filter(|_| !people.is_empty()) else {
            return nothing();
        };
        if !self.is_followed() || !self.0.versions.is_continuous(Instant::now()) {
            return nothing();
        }
        let Some(found) = redis.get(people).await else { return nothing() };
        let believed = |(person, sealed): (&PersonKey, Option<Bytes>)| {
            let kept = redis.open(person, &sealed?);
            let kept = kept.filter(|kept| self.0.holds(person, kept));
            if kept.is_none() {
                self.0.counts.rejected.increment(1);
            }
            kept
        };
        let found: Vec<_> = people.iter().zip(found).map(believed).collect();
        let hits = found.iter().flatten().count();
        self.0.counts.redis_hits.increment(hits as u64);
        self.0.counts.redis_misses.increment((people.len() - hits) as u64);
        // The lease may have ended on the way.
        if !self.is_followed() {
            return nothing();
        }
        for (person, kept) in people.iter().zip(&found) {
            if let Some(kept) = kept {
                self.0.local.put(person, kept.clone());
            }
        }
        found
    }

    /// Keeps what was just read from the store.
    pub fn keep(&self, read: Vec<(PersonKey, Kept)>) {
        for (person, kept) in &read {
            self.0.local.put(person, kept.clone());
        }
        if let Some(redis) = &self.0.redis {
            redis.put(read);
        }
    }
}

impl Inner {
    /// Whether this is still what the person is to be shown.
    fn holds(&self, person: &PersonKey, kept: &Kept) -> bool {
        let [newest, told] = kept.tubes;
        // The marks first: they are taken away only after the versions are noted.
        let marks = [Mark::of(person.as_str()), newest, told];
        !marks.into_iter().any(|mark| self.news.is_pending(mark))
            && self.versions.holds(person, kept.seen)
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache(...)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (Cache, PersonKey) {
        let keys = Arc::new(KeyRing::generate());
        let person = keys.person_key("resident_id", "1");
        (Cache::new(&Config::default(), keys, &News::default()), person)
    }

    fn kept(seen: u64) -> Kept {
        Kept { seen, tubes: [Mark(1); 2], status: Some(Bytes::from_static(b"{}")) }
    }

    #[test]
    fn nothing_is_shown_before_the_feed_is_followed_nor_after_it_was_lost() {
        let (cache, person) = cache();
        cache.keep(vec![(person.clone(), kept(5))]);
        assert_eq!(cache.kept(&person), None);
        cache.0.versions.followed(Instant::now());
        assert_eq!(cache.kept(&person), Some(kept(5)));
        cache.0.versions.followed(Instant::now().checked_sub(Duration::from_mins(1)).unwrap());
        assert_eq!(cache.kept(&person), None);
    }

    #[test]
    fn what_was_read_before_a_change_and_is_kept_after_it_is_never_shown() {
        let (cache, person) = cache();
        cache.0.versions.followed(Instant::now());
        let read_before = kept(5);
        cache.0.versions.changed(&person, 6);
        cache.keep(vec![(person.clone(), read_before)]);
        assert_eq!(cache.kept(&person), None);
        cache.keep(vec![(person.clone(), kept(6))]);
        assert_eq!(cache.kept(&person), Some(kept(6)));
    }
}
