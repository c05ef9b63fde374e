//! What memory keeps, bounded in bytes.

use std::time::Instant;

use axum::body::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{KEPT, Kept};
use crate::seal::PersonKey;

/// Bytes of a value beside its own: key, slot, counters.
const OVERHEAD: u64 = 200;
/// Bytes of a usual value, for a first guess of how many there will be.
const USUAL: u64 = 450;

#[derive(Clone)]
struct Weight;

impl Weighter<PersonKey, (Instant, Kept)> for Weight {
    fn weight(&self, person: &PersonKey, (_, kept): &(Instant, Kept)) -> u64 {
        let status = kept.status.as_ref().map_or(0, Bytes::len);
        OVERHEAD + (person.as_str().len() + status) as u64
    }
}

pub(super) struct Local(Option<Cache<PersonKey, (Instant, Kept), Weight>>);

impl Local {
    /// Keeps so many MiB; nothing when it is none.
    pub(super) fn new(mib: u64) -> Self {
        let bytes = mib * 1024 * 1024;
        let values = usize::try_from(bytes / USUAL).unwrap_or(usize::MAX);
        Self((bytes > 0).then(|| Cache::with_weighter(values, bytes, Weight)))
    }

    pub(super) fn get(&self, person: &PersonKey, now: Instant) -> Option<Kept> {
        let (since, kept) = self.0.as_ref()?.get(person)?;
        (now.saturating_duration_since(since) < KEPT).then_some(kept)
    }

    pub(super) fn put(&self, person: &PersonKey, kept: Kept) {
        if let Some(cache) = &self.0 {
            cache.insert(person.clone(), (Instant::now(), kept));
        }
    }

    pub(super) fn clear(&self) {
        if let Some(cache) = &self.0 {
            cache.clear();
        }
    }

    /// How many people.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Cache::len)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, Cache::weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::KeyRing;
    use crate::storage::Mark;

    #[test]
    fn it_is_bounded_in_bytes_and_in_age_and_can_be_nothing_at_all() {
        let (keys, local, none) = (KeyRing::generate(), Local::new(1), Local::new(0));
        let status = Some(Bytes::from(vec![b'x'; 1_000]));
        let kept = Kept { seen: 1, tubes: [Mark(1); 2], status };
        for number in 0..5_000 {
            let person = keys.person_key("", &number.to_string());
            local.put(&person, kept.clone());
            none.put(&person, kept.clone());
        }
        assert!(local.len() > 100 && local.bytes() <= 1024 * 1024);
        assert_eq!((none.len(), none.bytes()), (0, 0));
        let (person, now) = (keys.person_key("", "4999"), Instant::now());
        assert_eq!(local.get(&person, now), Some(kept));
        assert_eq!(local.get(&person, now + KEPT), None);
        local.clear();
        assert_eq!((local.len(), local.get(&person, now)), (0, None));
    }
}
