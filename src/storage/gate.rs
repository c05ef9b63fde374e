//! Who writes next: a bounded number of write transactions at once, and where there are more, the
//! one of the highest channel first.
//!
//! Each channel has a queue of its own with a length and a patience: a full queue refuses at once,
//! and whoever waited its patience is refused too. Nobody hangs; a low channel may be refused for
//! as long as higher ones fill the store.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::StoreError;

/// What a write is for; the first goes before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Sealed tubes: people stand in a queue behind each.
    Scan,
    /// Boxes, plates, runs and everything else in a laboratory.
    Laboratory,
    /// Reviews and releases.
    Release,
    /// What is written because somebody asked: audit rows of look-ups, counted guesses.
    Query,
}

impl Channel {
    /// Every channel, the first to be served first.
    pub const ALL: [Self; 4] = [Self::Scan, Self::Laboratory, Self::Release, Self::Query];

    /// Its name in metrics and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Laboratory => "laboratory",
            Self::Release => "release",
            Self::Query => "query",
        }
    }
}

/// How much may wait on a channel, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Transactions that may wait; rows, for the tubes that wait to be gathered.
    pub length: usize,
    /// How long one may wait.
    pub patience: Duration,
}

/// The queue of each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queues {
    /// Rows of tubes and members that wait for the writer.
    pub scan: Queue,
    /// Transactions of laboratories.
    pub laboratory: Queue,
    /// Reviews and releases.
    pub release: Queue,
    /// What look-ups write.
    pub query: Queue,
}

impl Queues {
    /// The queue of a channel.
    pub const fn of(&self, channel: Channel) -> Queue {
        match channel {
            Channel::Scan => self.scan,
            Channel::Laboratory => self.laboratory,
            Channel::Release => self.release,
            Channel::Query => self.query,
        }
    }
}

impl Default for Queues {
    fn default() -> Self {
        let queue = |length, seconds| Queue { length, patience: Duration::from_secs(seconds) };
        Self {
            scan: queue(100_000, 5),
            laboratory: queue(1_000, 20),
            release: queue(500, 20),
            query: queue(500, 5),
        }
    }
}

/// The gate before the write transactions; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    inside: Arc<Mutex<Inside>>,
    queues: Queues,
}

#[derive(Debug)]
struct Inside {
    free: usize,
    /// Places that only a scan may take, so that no long transaction keeps one waiting.
    kept: usize,
    waiting: [VecDeque<oneshot::Sender<Place>>; 4],
}

/// A place among those who write; given on when dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Mutex<Inside>>);

impl Gate {
    /// A gate with so many places, some of which are kept for scans.
    pub(super) fn new(places: usize, kept: usize, queues: Queues) -> Self {
        let inside = Inside { free: places, kept, waiting: Default::default() };
        Self { inside: Arc::new(Mutex::new(inside)), queues }
    }

    /// The same gate with other queues.
    pub(super) fn with_queues(self, queues: Queues) -> Self {
        Self { queues, ..self }
    }

    pub(super) const fn queues(&self) -> &Queues {
        &self.queues
    }

    /// Shows how many wait, by channel; sealed tubes wait in a queue of their own.
    #[expect(clippy::cast_precision_loss, reason = "the queues are bounded far below")]
    pub(super) fn gauge(&self) {
        let inside = lock(&self.inside);
        for channel in Channel::ALL {
            let places = inside.waiting[channel as usize].iter();
            let waiting = places.filter(|place| !place.is_closed()).count();
            metrics::gauge!("store_waiting", "channel" => channel.as_str()).set(waiting as f64);
        }
    }

    /// Waits for a place; refused when the queue is full or the patience of the channel is over.
    pub(super) async fn enter(&self, channel: Channel) -> Result<Place, StoreError> {
        let queue = self.queues.of(channel);
        let mut waiting = {
            let mut inside = lock(&self.inside);
            if inside.admits(channel) {
                inside.free -= 1;
                return Ok(Place(Arc::clone(&self.inside)));
            }
            let line = &mut inside.waiting[channel as usize];
            line.retain(|place| !place.is_closed());
            if line.len() >= queue.length {
                return Err(refused(channel, "full"));
            }
            let (place, waiting) = oneshot::channel();
            line.push_back(place);
            waiting
        };
        match tokio::time::timeout(queue.patience, &mut waiting).await {
            Ok(place) => Ok(place.expect("the gate outlives those who wait before it")),
            Err(_elapsed) => Err(refused(channel, "late")),
        }
    }
}

/// Counts a refusal.
pub(super) fn refused(channel: Channel, why: &'static str) -> StoreError {
    metrics::counter!("store_refused_total", "channel" => channel.as_str(), "why" => why)
        .increment(1);
    StoreError::Full(channel)
}

impl Inside {
    fn admits(&self, channel: Channel) -> bool {
        self.free > if channel == Channel::Scan { 0 } else { self.kept }
    }

    /// The first who waits and may come in, and still wants to.
    fn next(&mut self) -> Option<oneshot::Sender<Place>> {
        for channel in Channel::ALL {
            while self.admits(channel) {
                match self.waiting[channel as usize].pop_front() {
                    Some(place) if place.is_closed() => {}
                    Some(place) => return Some(place),
                    None => break,
                }
            }
        }
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let next = {
            let mut inside = lock(&self.0);
            inside.free += 1;
            let next = inside.next();
            inside.free -= usize::from(next.is_some());
            next
        };
        if let Some(next) = next {
            // Whoever left in this very moment drops the place, which gives it on.
            drop(next.send(Self(Arc::clone(&self.0))));
        }
    }
}

fn lock(inside: &Mutex<Inside>) -> MutexGuard<'_, Inside> {
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(length: usize, patience: Duration) -> Queues {
        let queue = Queue { length, patience };
        Queues { scan: queue, laboratory: queue, release: queue, query: queue }
    }

    fn gate(places: usize, kept: usize) -> Gate {
        Gate::new(places, kept, queues(2, Duration::from_mins(10)))
    }

    /// Waits in a task of its own, in the queue before this returns; says its name when it is let
    /// in, and leaves.
    async fn wait(gate: &Gate, channel: Channel, said: &Arc<Mutex<Vec<Channel>>>) {
        let (gate, said) = (gate.clone(), Arc::clone(said));
        tokio::spawn(async move {
            let place = gate.enter(channel).await.unwrap();
            said.lock().unwrap().push(channel);
            drop(place);
        });
        tokio::task::yield_now().await;
    }

    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_higher_channel_goes_first_whoever_came_first() {
        let (gate, said) = (gate(1, 0), Arc::default());
        let place = gate.enter(Channel::Query).await.unwrap();
        for channel in [Channel::Query, Channel::Release, Channel::Laboratory, Channel::Scan] {
            wait(&gate, channel, &said).await;
        }
        assert!(said.lock().unwrap().is_empty(), "the only place is taken");
        drop(place);
        settle().await;
        assert_eq!(*said.lock().unwrap(), Channel::ALL);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_says_so_for_its_channel_alone() {
        let (gate, said) = (gate(1, 0), Arc::default());
        let place = gate.enter(Channel::Release).await.unwrap();
        for _ in 0..2 {
            wait(&gate, Channel::Release, &said).await;
        }
        let refused = gate.enter(Channel::Release).await.unwrap_err();
        assert!(matches!(refused, StoreError::Full(Channel::Release)), "{refused}");
        wait(&gate, Channel::Query, &said).await;
        drop(place);
        settle().await;
        let release = Channel::Release;
        assert_eq!(*said.lock().unwrap(), [release, release, Channel::Query]);
    }

    #[tokio::test]
    async fn whoever_waited_long_enough_is_refused_and_holds_nobody_up() {
        let gate = Gate::new(1, 0, queues(1, Duration::from_millis(1)));
        let place = gate.enter(Channel::Scan).await.unwrap();
        let late = gate.enter(Channel::Laboratory).await.unwrap_err();
        assert!(matches!(late, StoreError::Full(Channel::Laboratory)));
        // Its place in the queue is free again.
        let late = gate.enter(Channel::Laboratory).await.unwrap_err();
        assert!(matches!(late, StoreError::Full(Channel::Laboratory)));
        drop(place);
        gate.enter(Channel::Query).await.unwrap();
    }

    #[tokio::test]
    async fn a_place_that_is_kept_is_for_scans() {
        let (gate, said) = (gate(2, 1), Arc::default());
        let place = gate.enter(Channel::Laboratory).await.unwrap();
        wait(&gate, Channel::Laboratory, &said).await;
        let scan = gate.enter(Channel::Scan).await.unwrap();
        drop(scan);
        settle().await;
        assert!(said.lock().unwrap().is_empty(), "what is left is kept");
        drop(place);
        settle().await;
        assert_eq!(*said.lock().unwrap(), [Channel::Laboratory]);
    }
}
