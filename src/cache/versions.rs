//! What changed last, for everybody: fixed memory, no locks.
//!
//! Changes are numbered as the feed is ([`Snapshot`](super::Snapshot)). A slot holds the newest
//! change of everybody who falls into it, so that a value is at worst read again though nothing
//! of its person changed; it is never shown though something did.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::KEPT;
use crate::seal::PersonKey;

/// 8 MiB; while a hundred thousand people a second change, what is kept lasts some ten seconds.
const SLOTS: usize = 1 << 20;
/// How long what is kept may be shown after the feed was looked at. With the time of one look it
/// stays below the second within which another node's release must be seen.
const LEASE: Duration = Duration::from_millis(800);

pub(super) struct Versions {
    /// Nothing is shown that had not seen all before this.
    floor: AtomicU64,
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
    begun: Instant,
    /// Milliseconds since `begun`.
    leased_until: AtomicU64,
    /// Milliseconds since `begun`.
    continuous_from: AtomicU64,
}

impl Versions {
    pub(super) fn new() -> Self {
        Self {
            floor: AtomicU64::new(0),
            slots: std::iter::repeat_with(AtomicU64::default).take(SLOTS).collect(),
            hasher: RandomState::new(),
            begun: Instant::now(),
            leased_until: AtomicU64::new(0),
            continuous_from: AtomicU64::new(0),
        }
    }

    fn slot(&self, person: &PersonKey) -> &AtomicU64 {
        let place = usize::try_from(self.hasher.hash_one(person)).unwrap_or(usize::MAX);
        &self.slots[place % SLOTS]
    }

    fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }

    /// Something of this person changed.
    pub(super) fn changed(&self, person: &PersonKey, version: u64) {
        self.slot(person).fetch_max(version, Ordering::AcqRel);
    }

    /// Something of anybody may have changed.
    pub(super) fn all_changed(&self, version: u64) {
        self.floor.fetch_max(version, Ordering::AcqRel);
    }

    /// Whether whoever had seen so much of the feed had seen every change of this person.
    pub(super) fn holds(&self, person: &PersonKey, seen: u64) -> bool {
        seen >= self.floor.load(Ordering::Acquire)
            && seen >= self.slot(person).load(Ordering::Acquire)
    }

    /// Every change committed before `looked` is noted.
    pub(super) fn followed(&self, looked: Instant) {
        self.leased_until.store(self.ms(looked + LEASE), Ordering::Release);
    }

    /// Whether the feed was followed a moment ago.
    pub(super) fn is_followed(&self, now: Instant) -> bool {
        self.ms(now) < self.leased_until.load(Ordering::Acquire)
    }

    /// The store may have been put back to what it had on its disk: numbers that were seen may be
    /// given again.
    pub(super) fn interrupted(&self, now: Instant) {
        self.leased_until.store(0, Ordering::Release);
        self.continuous_from.store(self.ms(now + KEPT), Ordering::Release);
    }

    /// Whether everything that others may still keep was read since the last interruption.
    pub(super) fn is_continuous(&self, now: Instant) -> bool {
        self.ms(now) >= self.continuous_from.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::KeyRing;

    #[test]
    fn whoever_saw_the_change_is_believed_and_whoever_did_not_is_not() {
        let (versions, keys) = (Versions::new(), KeyRing::generate());
        let (one, other) = (keys.person_key("", "1"), keys.person_key("", "2"));
        assert!(versions.holds(&one, 0));
        versions.changed(&one, 7);
        // A change that is noted late takes nothing back.
        versions.changed(&one, 3);
        assert!(!versions.holds(&one, 6) && versions.holds(&one, 7));
        assert!(versions.holds(&other, 6));
        versions.all_changed(9);
        assert!(!versions.holds(&other, 8) && versions.holds(&other, 9));
    }

    #[test]
    fn a_lease_ends_and_an_interruption_ends_it_at_once() {
        let versions = Versions::new();
        let now = versions.begun + Duration::from_secs(10);
        assert!(!versions.is_followed(now) && versions.is_continuous(now));
        versions.followed(now);
        assert!(versions.is_followed(now) && !versions.is_followed(now + LEASE));
        versions.interrupted(now);
        assert!(!versions.is_followed(now) && !versions.is_continuous(now));
        assert!(versions.is_continuous(now + KEPT));
    }
}
