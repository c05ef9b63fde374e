//! One audit chain per writer (R27), so that writers and nodes never wait for one another.
//!
//! A write transaction leases a chain's head and moves it when it commits. A transaction that
//! rolls back gives the head back unmoved. One whose commit failed or was no longer waited for,
//! so that nobody knows, drops the chain, and the next writer starts a new one.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;

/// The last link of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainHead {
    /// The chain's id.
    pub chain: String,
    /// Number of the last row; zero before the first.
    pub seq: i64,
    /// Hash of the last row, lower-case hex; empty before the first.
    pub hash: String,
}

#[derive(Clone, Debug)]
pub(super) struct Chains {
    clock: Clock,
    idle: Arc<Mutex<Vec<ChainHead>>>,
    permits: Arc<Semaphore>,
}

impl Chains {
    pub(super) fn new(clock: Clock, writers: usize) -> Self {
        Self { clock, idle: Arc::default(), permits: Arc::new(Semaphore::new(writers)) }
    }

    pub(super) async fn lease(&self) -> ChainLease {
        let permit =
            Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let head = idle.unwrap_or_else(|| ChainHead {
            chain: self.clock.id().to_string(),
            seq: 0,
            hash: String::new(),
        });
        ChainLease {
            before: Some(head.clone()),
            head,
            idle: Arc::clone(&self.idle),
            _permit: permit,
        }
    }
}

pub(super) struct ChainLease {
    head: ChainHead,
    before: Option<ChainHead>,
    idle: Arc<Mutex<Vec<ChainHead>>>,
    _permit: OwnedSemaphorePermit,
}

impl ChainLease {
    pub(super) fn head(&mut self) -> &mut ChainHead {
        &mut self.head
    }

    /// The commit is under way: from here on nobody knows its outcome, and whoever stops waiting
    /// for it drops the chain.
    pub(super) fn committing(&mut self) {
        self.before = None;
    }

    /// The commit is known to be good.
    pub(super) fn committed(mut self) {
        self.before = Some(self.head.clone());
    }
}

impl Drop for ChainLease {
    fn drop(&mut self) {
        if let Some(head) = self.before.take() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(head);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    fn chains() -> Chains {
        Chains::new(Clock::stepped(Time::from_us(0)), 1)
    }

    #[tokio::test]
    async fn a_commit_moves_the_head_and_a_rollback_does_not() {
        let chains = chains();
        let mut lease = chains.lease().await;
        lease.head().seq = 1;
        lease.committing();
        lease.committed();
        let mut lease = chains.lease().await;
        assert_eq!(lease.head().seq, 1);
        lease.head().seq = 2;
        drop(lease);
        assert_eq!(chains.lease().await.head().seq, 1);
    }

    #[tokio::test]
    async fn a_commit_nobody_knows_about_ends_its_chain() {
        let chains = chains();
        let mut lease = chains.lease().await;
        let first = lease.head().chain.clone();
        lease.head().seq = 1;
        lease.committing();
        drop(lease);
        let mut lease = chains.lease().await;
        assert_ne!(lease.head().chain, first);
        assert_eq!(lease.head().seq, 0);
    }
}
