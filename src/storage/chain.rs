//! One audit chain per writer (R27), so that writers and nodes never wait for one another.
//!
//! A write transaction leases a chain's head and moves it when it commits. A transaction that
//! rolls back gives the head back unmoved. One whose commit failed or was no longer waited for,
//! so that nobody knows, drops the chain, and the next writer starts a new one.

use std::sync::{Arc, Mutex, PoisonError};

use super::StoreError;
use super::gate::{Channel, Gate, Place};
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
    gate: Gate,
}

impl Chains {
    pub(super) fn new(clock: Clock, gate: Gate) -> Self {
        Self { clock, idle: Arc::default(), gate }
    }

    /// The same chains behind another gate.
    pub(super) fn behind(self, change: impl FnOnce(Gate) -> Gate) -> Self {
        Self { gate: change(self.gate), ..self }
    }

    pub(super) const fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(super) async fn lease(&self, channel: Channel) -> Result<ChainLease, StoreError> {
        let place = self.gate.enter(channel).await?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let head = idle.unwrap_or_else(|| ChainHead {
            chain: self.clock.id().to_string(),
            seq: 0,
            hash: String::new(),
        });
        let before = Some(head.clone());
        Ok(ChainLease { before, head, idle: Arc::clone(&self.idle), _place: place })
    }
}

pub(super) struct ChainLease {
    head: ChainHead,
    before: Option<ChainHead>,
    idle: Arc<Mutex<Vec<ChainHead>>>,
    _place: Place,
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
    use super::super::gate::Queues;
    use super::*;
    use crate::clock::Time;

    fn chains() -> Chains {
        let gate = Gate::new(1, 0, Queues::default());
        Chains::new(Clock::stepped(Time::from_us(0)), gate)
    }

    async fn leased(chains: &Chains) -> ChainLease {
        chains.lease(Channel::Scan).await.unwrap()
    }

    #[tokio::test]
    async fn a_commit_moves_the_head_and_a_rollback_does_not() {
        let chains = chains();
        let mut lease = leased(&chains).await;
        lease.head().seq = 1;
        lease.committing();
        lease.committed();
        let mut lease = leased(&chains).await;
        assert_eq!(lease.head().seq, 1);
        lease.head().seq = 2;
        drop(lease);
        assert_eq!(leased(&chains).await.head().seq, 1);
    }

    #[tokio::test]
    async fn a_commit_nobody_knows_about_ends_its_chain() {
        let chains = chains();
        let mut lease = leased(&chains).await;
        let first = lease.head().chain.clone();
        lease.head().seq = 1;
        lease.committing();
        drop(lease);
        let mut lease = leased(&chains).await;
        assert_ne!(lease.head().chain, first);
        assert_eq!(lease.head().seq, 0);
    }
}
