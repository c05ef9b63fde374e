//! Group commit: what many callers want written waits in one queue, and a task takes everything
//! that waits, writes it in one transaction with one commit, and answers each caller.
//!
//! Nothing lingers: while one batch commits the next one gathers by itself, so a batch is one job
//! when it is quiet and hundreds when it is not. A job must be idempotent, because a batch that
//! fails is tried again in halves until the one that spoils it stands alone.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, oneshot};

use super::gate::refused;
use super::{Channel, Db, StoreError, Tx};
use crate::error::{Error, Result};

/// Rows in one transaction, more or less: past some thousands a larger batch is no cheaper a row,
/// and whoever is in it waits longer.
const BATCH_ROWS: u32 = 12_000;
/// Times a transaction is tried that was undone because it crossed another.
pub const TRIES: u32 = 5;

/// Answers of a batch, in the order of its jobs.
pub type Batch<'a, A> = Pin<Box<dyn Future<Output = Result<Vec<A>>> + Send + 'a>>;
/// Writes a batch in an open transaction.
type Work<J, A> = for<'a> fn(&'a mut Tx, &'a [&'a J]) -> Batch<'a, A>;

/// Writes jobs in batches; cheap to clone, and its tasks end with its last clone.
#[derive(Debug)]
pub struct Writer<J, A> {
    queue: UnboundedSender<Waiting<J, A>>,
    /// A permit for each row that may wait.
    room: Arc<Semaphore>,
    /// Rows that may wait.
    length: usize,
    name: &'static str,
    channel: Channel,
    patience: Duration,
}

impl<J, A> Clone for Writer<J, A> {
    fn clone(&self) -> Self {
        let (queue, room) = (self.queue.clone(), Arc::clone(&self.room));
        Self { queue, room, ..*self }
    }
}

/// A job in the queue.
struct Waiting<J, A> {
    job: J,
    /// Its rows' room in the queue.
    room: OwnedSemaphorePermit,
    since: Instant,
    claim: Claim,
    answer: oneshot::Sender<Result<A>>,
}

/// A job that was taken from the queue and will be answered.
struct Taken<J, A> {
    job: J,
    answer: oneshot::Sender<Result<A>>,
}

/// Whoever claims a job first decides: the task that writes it, or the caller who waited too long.
#[derive(Clone, Default)]
struct Claim(Arc<AtomicBool>);

impl Claim {
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

impl<J, A> Writer<J, A>
where
    J: Send + Sync + 'static,
    A: Send + 'static,
{
    /// Starts the tasks that write to `db` on this channel; `name` is the transaction's.
    pub fn start(db: &Db, (channel, name): (Channel, &'static str), work: Work<J, A>) -> Self {
        let limits = db.queues().of(channel);
        let (queue, waiting) = unbounded_channel();
        let room = Arc::new(Semaphore::new(limits.length));
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..db.gatherers() {
            let gatherer = Gatherer {
                db: db.clone(),
                channel,
                name,
                work,
                waiting: Arc::clone(&waiting),
                ahead: VecDeque::new(),
            };
            tokio::spawn(watch(gatherer));
        }
        Self { queue, room, length: limits.length, name, channel, patience: limits.patience }
    }

    /// Shows how many rows wait, also while nothing comes out of the queue.
    #[expect(clippy::cast_precision_loss, reason = "the queue is bounded far below")]
    pub fn gauge(&self) {
        let waiting = self.length.saturating_sub(self.room.available_permits());
        metrics::gauge!("writer_waiting_rows", "tx" => self.name).set(waiting as f64);
    }

    /// Has a job of so many rows written and gives its answer; refused at once when the queue is
    /// full, and when nobody came to it in time. When this returns, what it says is on disk (R1).
    pub async fn write(&self, job: J, rows: u32) -> Result<A> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(rows) else {
            return Err(refused(self.channel, "full").into());
        };
        let (claim, (answer, mut answered)) = (Claim::default(), oneshot::channel());
        let waiting = Waiting { job, room, since: Instant::now(), claim: claim.clone(), answer };
        if self.queue.send(waiting).is_err() {
            return Err(unanswered());
        }
        match tokio::time::timeout(self.patience, &mut answered).await {
            Ok(answer) => answer.unwrap_or_else(|_gone| Err(unanswered())),
            Err(_elapsed) if claim.take() => Err(refused(self.channel, "late").into()),
            // It is being written just now.
            Err(_elapsed) => answered.await.unwrap_or_else(|_gone| Err(unanswered())),
        }
    }
}

/// Only a defect of ours leaves a job without an answer.
fn unanswered() -> Error {
    Error::Internal("a writer ended without an answer".to_owned())
}

/// One task's side of a queue.
struct Gatherer<J, A> {
    db: Db,
    channel: Channel,
    name: &'static str,
    work: Work<J, A>,
    waiting: Arc<Mutex<UnboundedReceiver<Waiting<J, A>>>>,
    /// Taken from the queue, and more than the last batch could hold.
    ahead: VecDeque<Waiting<J, A>>,
}

/// Gathers until nobody can ask any more; a panic ends a batch and not the writing.
async fn watch<J: Send + Sync + 'static, A: Send + 'static>(gatherer: Gatherer<J, A>) {
    let Gatherer { db, channel, name, work, waiting, .. } = gatherer;
    loop {
        let (db, waiting) = (db.clone(), Arc::clone(&waiting));
        let ahead = VecDeque::new();
        let gatherer = Gatherer { db, channel, name, work, waiting, ahead };
        match tokio::spawn(gatherer.run()).await {
            Err(error) if error.is_panic() => tracing::error!(name, "a batch panicked"),
            _ => return,
        }
    }
}

impl<J: Send + Sync + 'static, A: Send + 'static> Gatherer<J, A> {
    async fn run(mut self) {
        while let Some(first) = self.first().await {
            // Others queue up while this waits for its turn, and go with it.
            let tx = self.begin().await;
            let batch = self.gather(first);
            if !batch.is_empty() {
                self.settle(tx, batch).await;
            }
        }
    }

    async fn begin(&self) -> Result<Tx, StoreError> {
        self.db.write_on(self.channel, self.name).await
    }

    async fn first(&mut self) -> Option<Waiting<J, A>> {
        match self.ahead.pop_front() {
            Some(first) => Some(first),
            None => self.waiting.lock().await.recv().await,
        }
    }

    /// Everything that waits behind the first, as far as one transaction goes, but for those whose
    /// callers are gone.
    fn gather(&mut self, first: Waiting<J, A>) -> Vec<Taken<J, A>> {
        let (mut batch, mut rows) = (Vec::new(), 0);
        let mut next = Some(first);
        while let Some(waiting) = next {
            let more = u32::try_from(waiting.room.num_permits()).unwrap_or(u32::MAX);
            if rows > 0 && more > BATCH_ROWS.saturating_sub(rows) {
                self.ahead.push_front(waiting);
                break;
            }
            let Waiting { job, since, claim, answer, .. } = waiting;
            if !answer.is_closed() && claim.take() {
                metrics::histogram!("writer_wait_seconds", "tx" => self.name)
                    .record(since.elapsed());
                rows += more;
                batch.push(Taken { job, answer });
            }
            // When another task has the queue, it waits there for the next job: there is none.
            next = self.ahead.pop_front().or_else(|| self.waiting.try_lock().ok()?.try_recv().ok());
        }
        self.measure(batch.len(), rows);
        batch
    }

    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    fn measure(&self, jobs: usize, rows: u32) {
        metrics::histogram!("writer_batch_jobs", "tx" => self.name).record(jobs as f64);
        metrics::histogram!("writer_batch_rows", "tx" => self.name).record(f64::from(rows));
    }

    /// Writes a batch and answers everybody in it: in one transaction, or where that fails by
    /// halves, so that a job that cannot be written spares its neighbours.
    async fn settle(&self, tx: Result<Tx, StoreError>, batch: Vec<Taken<J, A>>) {
        let (mut opened, mut parts) = (Some(tx), vec![batch]);
        while let Some(mut part) = parts.pop() {
            let tx = match opened.take() {
                Some(tx) => tx,
                None => self.begin().await,
            };
            match self.persist(tx, &part).await {
                Ok(answers) => {
                    for (taken, answer) in part.into_iter().zip(answers) {
                        // Whoever hung up misses the answer and nothing else.
                        drop(taken.answer.send(Ok(answer)));
                    }
                }
                Err(error) if part.len() > 1 && may_be_of_one(&error) => {
                    let rest = part.split_off(part.len() / 2);
                    parts.extend([rest, part]);
                }
                Err(error) => {
                    for taken in part {
                        drop(taken.answer.send(Err(error.clone())));
                    }
                }
            }
        }
    }

    /// One transaction, tried again while it crosses others.
    async fn persist(
        &self,
        mut tx: Result<Tx, StoreError>,
        part: &[Taken<J, A>],
    ) -> Result<Vec<A>> {
        let jobs: Vec<_> = part.iter().map(|taken| &taken.job).collect();
        let mut tries = 1;
        loop {
            match self.attempt(tx, &jobs).await {
                Err(Error::Store(error)) if tries < TRIES && error.crossed() => {
                    tries += 1;
                    tx = self.begin().await;
                }
                settled => return settled,
            }
        }
    }

    /// Nobody waits without end for a store that fell silent after the transaction was begun.
    async fn attempt(&self, tx: Result<Tx, StoreError>, jobs: &[&J]) -> Result<Vec<A>> {
        let tx = tx?;
        let listening = tx.listening.clone();
        listening.unless_silent(Box::pin(self.store(tx, jobs))).await
    }

    async fn store(&self, mut tx: Tx, jobs: &[&J]) -> Result<Vec<A>> {
        let answers = (self.work)(&mut tx, jobs).await?;
        let written = Instant::now();
        tx.commit().await?;
        metrics::histogram!("writer_commit_seconds", "tx" => self.name).record(written.elapsed());
        if answers.len() == jobs.len() {
            Ok(answers)
        } else {
            Err(Error::Internal(format!("{} gave another number of answers", self.name)))
        }
    }
}

/// Whether a single job may be the cause; where the store itself is busy or gone, all are told.
const fn may_be_of_one(error: &Error) -> bool {
    !matches!(error, Error::Store(StoreError::Busy(_) | StoreError::Lost(_) | StoreError::Full(_)))
}

#[cfg(test)]
mod tests;
