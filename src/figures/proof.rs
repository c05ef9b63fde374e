//! What the ledger says, for the board: the proof reads every tube, so all who watch share one that
//! is made now and then, and nobody waits long for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::clock::{Span, Time};
use crate::error::Result;
use crate::ledger::store::{Scope, ledger};

/// How long an answer is good, and so many times as long as it took to make.
const GOOD_FOR: Span = Span::seconds(30);
const REST: i64 = 20;
/// How long somebody who looks waits for a fresh one.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the ledger said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proven {
    /// When it was asked.
    pub at: Time,
    /// Tubes that are not explained, and what belongs to no tube; must be 0.
    pub unexplained: u64,
    /// Tubes that wait too long for a step.
    pub overdue: u64,
    took: Span,
}

/// The last answer, and whether the next one is being made.
#[derive(Debug)]
pub struct Proof {
    seen: watch::Sender<Option<Proven>>,
    asking: AtomicBool,
}

impl Default for Proof {
    fn default() -> Self {
        Self { seen: watch::Sender::new(None), asking: AtomicBool::new(false) }
    }
}

impl Proof {
    /// What the ledger said last; asks it again, aside, when that is long ago. None while it is
    /// asked for the first time.
    pub async fn look(&self, app: &App) -> Option<Proven> {
        let last = *self.seen.borrow();
        let now = app.clock.now();
        let rest = |last: Proven| Span::seconds(last.took.us() / 1_000_000 * REST).max(GOOD_FOR);
        if last.is_some_and(|last| now.since(last.at) < rest(last)) {
            return last;
        }
        let mut seen = self.seen.subscribe();
        if !self.asking.swap(true, Ordering::SeqCst) {
            tokio::spawn(ask(app.clone()));
        }
        // Whoever does not wait to its end sees the last one, with its time.
        tokio::time::timeout(PATIENCE, seen.changed()).await.ok();
        *self.seen.borrow()
    }
}

/// Asked no more, however it ended.
struct Asked<'a>(&'a AtomicBool);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

async fn ask(app: App) {
    let proof = app.board.proof();
    let _asked = Asked(&proof.asking);
    match app.db.unless_silent(Box::pin(prove(&app))).await {
        Ok(proven) => drop(proof.seen.send_replace(Some(proven))),
        Err(error) => tracing::warn!(error = %error, "the ledger could not be asked"),
    }
}

async fn prove(app: &App) -> Result<Proven> {
    let _turn = app.walk().await?;
    let at = app.clock.now();
    let whole = Scope { site: None, laboratory: None, sealed: None, is_blind: false };
    let mut tx = app.db.read("figures.proof").await?;
    let report = ledger(&mut tx, at, &whole).await?;
    let took = app.clock.now().since(at);
    Ok(Proven { at, unexplained: report.unexplained, overdue: report.overdue_tubes, took })
}
