//! Word that this process committed something to the feed: for whoever waits for it, and for
//! whoever keeps what it changed.
//!
//! Who exactly is concerned is learnt from the feed a moment later. Until then whatever hangs on
//! a tube or person that was named in a commit here is marked, so that on this node nobody is
//! shown what was.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Half a MiB; of some thousands of tubes a second each is marked for some tens of milliseconds.
const SLOTS: usize = 1 << 16;

/// A tube or a person, as far as marking needs it; the same on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(pub u64);

impl Mark {
    /// The mark of a tube's code or a person's key (FNV-1a).
    pub fn of(name: &str) -> Self {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, step))
    }
}

/// Rings when something was committed, and remembers of what; cheap to clone.
#[derive(Clone)]
pub struct News(Arc<Inner>);

struct Inner {
    rings: watch::Sender<()>,
    /// How often something was told.
    told: AtomicU64,
    /// How much of it is known from the feed.
    followed: AtomicU64,
    /// The last time something of each slot was told.
    slots: Box<[AtomicU64]>,
}

impl Default for News {
    fn default() -> Self {
        let (rings, slots) = (watch::Sender::new(()), std::iter::repeat_with(AtomicU64::default));
        let slots = slots.take(SLOTS).collect();
        let (told, followed) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Inner { rings, told, followed, slots }))
    }
}

impl News {
    fn slot(&self, mark: Mark) -> &AtomicU64 {
        let place = usize::try_from(mark.0 >> 32).unwrap_or(usize::MAX);
        &self.0.slots[place % SLOTS]
    }

    /// These were concerned by what was just committed; wakes everybody who listens.
    pub(super) fn tell(&self, of: &[Mark]) {
        let number = self.0.told.fetch_add(1, Ordering::SeqCst) + 1;
        for &mark in of {
            self.slot(mark).fetch_max(number, Ordering::SeqCst);
        }
        self.0.rings.send_replace(());
    }

    /// Hears what is told from now on.
    pub fn listen(&self) -> watch::Receiver<()> {
        self.0.rings.subscribe()
    }

    /// How often something was told; whoever looks at the feed after this finds all of it.
    pub fn told(&self) -> u64 {
        self.0.told.load(Ordering::SeqCst)
    }

    /// So much of what was told is known from the feed.
    pub fn followed(&self, told: u64) {
        self.0.followed.fetch_max(told, Ordering::SeqCst);
    }

    /// Whether something of this was told here that is not known from the feed yet.
    pub fn is_pending(&self, mark: Mark) -> bool {
        self.slot(mark).load(Ordering::SeqCst) > self.0.followed.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("News(...)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_hears_what_is_told_after_it_began_to_listen_and_once() {
        let news = News::default();
        news.tell(&[]);
        let mut heard = news.listen();
        assert!(!heard.has_changed().unwrap());
        news.clone().tell(&[]);
        news.tell(&[]);
        heard.changed().await.unwrap();
        assert!(!heard.has_changed().unwrap());
    }

    #[test]
    fn what_was_told_is_marked_until_it_is_followed() {
        let (news, [one, other]) = (News::default(), ["T1", "T2"].map(Mark::of));
        assert!(!news.is_pending(one));
        news.tell(&[one]);
        assert!(news.is_pending(one) && !news.is_pending(other));
        // A look that began before is not enough for what was told since.
        let began = news.told();
        news.tell(&[one, other]);
        news.followed(began);
        assert!(news.is_pending(one) && news.is_pending(other));
        news.followed(news.told());
        assert!(!news.is_pending(one) && !news.is_pending(other));
    }

    #[test]
    fn a_mark_is_the_same_on_every_node() {
        assert_eq!(Mark::of(""), Mark(0xcbf2_9ce4_8422_2325));
        assert_eq!(Mark::of("a"), Mark(0xaf63_dc4c_8601_ec8c));
    }
}
