//! Many callers, one query: whoever asks while a batch runs is in the next one.
//!
//! There is no timer: a caller alone is worked on at once, and batches grow only as the store
//! falls behind. On PostgreSQL this triples the look-ups a second. As much may wait as is
//! bounded in people; more is refused at once.

use std::future::Future;
use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::{Error, Result};
use crate::http::problem::Problem;

/// What one caller asks, and where the answer goes.
struct Asked<Q, A> {
    what: Q,
    answer: oneshot::Sender<Result<A, Problem>>,
    room: OwnedSemaphorePermit,
}

/// How a gatherer works.
#[derive(Debug, Clone, Copy)]
pub struct Gathering {
    /// Its name in the figures.
    pub name: &'static str,
    /// Batches worked on at once.
    pub at_once: usize,
    /// Weight of one batch, from which on it takes no more.
    pub batch: usize,
    /// Weight of what may wait and be worked on; more is refused.
    pub most: usize,
    /// Whether what is asked is to be done even though the caller has gone.
    pub insists: bool,
}

/// A queue and the tasks that work on it; they end with the last clone.
pub struct Gather<Q, A> {
    gathering: Gathering,
    queue: UnboundedSender<Asked<Q, A>>,
    room: Arc<Semaphore>,
}

impl<Q, A> Clone for Gather<Q, A> {
    fn clone(&self) -> Self {
        let (gathering, room) = (self.gathering, Arc::clone(&self.room));
        Self { gathering, queue: self.queue.clone(), room }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Gather<Q, A> {
    /// Starts the tasks; `work` gives as many answers as it was asked for, in their order.
    pub fn start<F>(
        gathering: Gathering,
        work: impl Fn(Vec<Q>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Vec<A>>> + Send + 'static,
    {
        let (queue, waiting) = unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let room = Arc::new(Semaphore::new(gathering.most));
        for _ in 0..gathering.at_once {
            let (waiting, work) = (Arc::clone(&waiting), work.clone());
            tokio::spawn(async move {
                while let Some(batch) = next(gathering, &waiting).await {
                    answer(gathering, batch, &work).await;
                }
            });
        }
        Self { gathering, queue, room }
    }

    /// Asks and waits; refused at once with 503 when too much waits already.
    pub async fn ask(&self, what: Q, weight: usize) -> Result<A, Problem> {
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(weight);
        let Ok(room) = room else {
            metrics::counter!("query_refused_total", "queue" => self.gathering.name).increment(1);
            return Err(busy());
        };
        let (answer, answered) = oneshot::channel();
        let gone = || Problem::from(Error::Internal("a gatherer ended".to_owned()));
        self.queue.send(Asked { what, answer, room }).map_err(|_ended| gone())?;
        match answered.await {
            Ok(answer) => answer,
            Err(_ended) => Err(gone()),
        }
    }

    /// Weight of what waits or is worked on.
    pub fn depth(&self) -> usize {
        self.gathering.most - self.room.available_permits()
    }

    /// Its name in the figures.
    pub const fn name(&self) -> &'static str {
        self.gathering.name
    }
}

/// Waits for somebody, and takes whoever else waits already.
async fn next<Q, A>(
    gathering: Gathering,
    waiting: &Mutex<UnboundedReceiver<Asked<Q, A>>>,
) -> Option<Vec<Asked<Q, A>>> {
    let mut waiting = waiting.lock().await;
    let mut batch = vec![waiting.recv().await?];
    let mut weight = batch[0].room.num_permits();
    while weight < gathering.batch {
        let Ok(asked) = waiting.try_recv() else { break };
        weight += asked.room.num_permits();
        batch.push(asked);
    }
    Some(batch)
}

async fn answer<Q: Send + 'static, A: Send + 'static, F>(
    gathering: Gathering,
    mut batch: Vec<Asked<Q, A>>,
    work: &impl Fn(Vec<Q>) -> F,
) where
    F: Future<Output = Result<Vec<A>>> + Send + 'static,
{
    batch.retain(|asked| gathering.insists || !asked.answer.is_closed());
    if batch.is_empty() {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    metrics::histogram!("query_batch", "queue" => gathering.name).record(batch.len() as f64);
    let (questions, askers): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|asked| (asked.what, (asked.answer, asked.room))).unzip();
    // In a task of its own, so that a defect answers this batch alone.
    let answers = match tokio::spawn(work(questions)).await {
        Ok(Ok(answers)) if answers.len() == askers.len() => Ok(answers),
        Ok(Ok(_)) => Err(Error::Internal(format!("{} lost an answer", gathering.name))),
        Ok(Err(error)) => Err(error),
        Err(_panic) => Err(Error::Internal(format!("{} panicked", gathering.name))),
    };
    // Whoever has gone meanwhile needs no answer.
    match answers {
        Ok(answers) => {
            for ((asker, _room), answer) in askers.into_iter().zip(answers) {
                asker.send(Ok(answer)).ok();
            }
        }
        Err(error) => {
            let problem = Problem::from(error);
            for (asker, _room) in askers {
                asker.send(Err(problem.clone())).ok();
            }
        }
    }
}

fn busy() -> Problem {
    let detail = "too many look-ups wait already; ask again in a moment";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let problem = Problem::new(status, "query.busy", "The service is busy", detail);
    Problem { retry_after_s: Some(1), ..problem }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Noted;

    use tokio::sync::Notify;

    use super::*;

    /// How much was in each batch.
    type Batches = Arc<Noted<Vec<usize>>>;

    const GATHERING: Gathering =
        Gathering { name: "test", at_once: 1, batch: 100, most: 10, insists: false };

    /// A gatherer that doubles, notes its batches, and works only when it is told.
    fn doubling(gathering: Gathering) -> (Gather<u32, u32>, Arc<Notify>, Batches) {
        let (go, batches) = (Arc::new(Notify::new()), Arc::new(Noted::new(Vec::new())));
        let (gone, noted) = (Arc::clone(&go), Arc::clone(&batches));
        let gather = Gather::start(gathering, move |asked: Vec<u32>| {
            noted.lock().unwrap().push(asked.len());
            let go = Arc::clone(&gone);
            async move {
                go.notified().await;
                if asked.contains(&13) {
                    return Err(Error::not_found("tube", "13"));
                }
                Ok(asked.iter().map(|number| number * 2).collect())
            }
        });
        (gather, go, batches)
    }

    async fn until(depth: usize, gather: &Gather<u32, u32>) {
        while gather.depth() != depth {
            tokio::task::yield_now().await;
        }
    }

    async fn begun(count: usize, batches: &Batches) {
        while batches.lock().unwrap().len() < count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn whoever_asks_while_a_batch_runs_is_in_the_next_one() {
        let (gather, go, batches) = doubling(GATHERING);
        let ask = |number| {
            let gather = gather.clone();
            tokio::spawn(async move { gather.ask(number, 1).await })
        };
        let mut asking = vec![ask(0)];
        begun(1, &batches).await;
        asking.extend((1..6).map(ask));
        until(6, &gather).await;
        go.notify_one();
        begun(2, &batches).await;
        go.notify_one();
        for (number, asked) in (0..).zip(asking) {
            assert_eq!(asked.await.unwrap().unwrap(), number * 2);
        }
        assert_eq!(*batches.lock().unwrap(), [1, 5]);
        assert_eq!(gather.depth(), 0);
    }

    #[tokio::test]
    async fn what_is_too_much_is_refused_at_once_and_a_failure_is_everybody_s() {
        let (gather, go, _) = doubling(GATHERING);
        let first = tokio::spawn({
            let gather = gather.clone();
            async move { gather.ask(13, 10).await }
        });
        until(10, &gather).await;
        let refused = gather.ask(1, 1).await.unwrap_err();
        assert_eq!((refused.status, refused.retry_after_s), (503, Some(1)));
        assert_eq!(refused.code, "query.busy");
        go.notify_one();
        assert_eq!(first.await.unwrap().unwrap_err().status, 404);
        go.notify_one();
        assert_eq!(gather.ask(1, 1).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn whoever_has_gone_is_not_worked_for_unless_it_must_be_done() {
        for (insists, expected) in [(false, 1), (true, 2)] {
            let (gather, go, batches) = doubling(Gathering { insists, ..GATHERING });
            let first = tokio::spawn({
                let gather = gather.clone();
                async move { gather.ask(1, 1).await }
            });
            begun(1, &batches).await;
            let gone = tokio::spawn({
                let gather = gather.clone();
                async move { gather.ask(2, 1).await }
            });
            until(2, &gather).await;
            gone.abort();
            gone.await.unwrap_err();
            go.notify_one();
            assert_eq!(first.await.unwrap().unwrap(), 2);
            go.notify_one();
            until(0, &gather).await;
            assert_eq!(batches.lock().unwrap().len(), expected);
        }
    }
}
