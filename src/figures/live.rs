//! The figures as they change, for whoever watches the board.
//!
//! All who watch the same share one task that looks at the counters once a second; it ends when
//! the last of them is gone, so that nothing is computed for nobody.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use quick_cache::sync::Cache;
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore, watch};

use super::api::FiguresQuery;
use super::proof::Proof;
use super::store::figures;
use super::{Figures, Scope};
use crate::app::App;
use crate::auth::Actor;
use crate::error::{Error, Result};
use crate::http::extract::Query;
use crate::http::guard::signed_in;
use crate::http::problem::Problem;

/// How often the counters are looked at while somebody watches.
const EVERY: Duration = Duration::from_secs(1);
/// How often something is sent when nothing changes, so that no proxy gives up.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Who may watch at once.
const WATCHERS_MAX: usize = 256;

/// How long a look is good for others who look at the same.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// Looks kept.
const KEPT_MAX: usize = 256;

/// What was seen last; none before the first look.
type Seen = Option<Arc<str>>;
/// The last look at one scope, and when it was; whoever holds it looks.
type Kept = Arc<AsyncMutex<Option<(Instant, Arc<Figures>)>>>;

/// Everybody who watches.
pub struct Board {
    shows: Mutex<HashMap<Scope, watch::Sender<Seen>>>,
    kept: Cache<Scope, Kept>,
    seats: Arc<Semaphore>,
    proof: Proof,
}

impl Default for Board {
    fn default() -> Self {
        let seats = Arc::new(Semaphore::new(WATCHERS_MAX));
        Self { shows: Mutex::default(), kept: Cache::new(KEPT_MAX), seats, proof: Proof::default() }
    }
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Board(...)")
    }
}

impl Board {
    fn shows(&self) -> MutexGuard<'_, HashMap<Scope, watch::Sender<Seen>>> {
        // Nothing panics while it is held, and a map of senders is whole after any step.
        self.shows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `scope` shows, at most a second old: all who watch it, and the page and the pictures of
    /// each, share one look.
    pub async fn look(&self, app: &App, scope: &Scope) -> Result<Arc<Figures>> {
        let fresh = || Ok::<_, Infallible>(Kept::default());
        let Ok(kept) = self.kept.get_or_insert_with(scope, fresh);
        let mut kept = kept.lock().await;
        if let Some((_, seen)) = kept.as_ref().filter(|(at, _)| at.elapsed() < GOOD_FOR) {
            return Ok(Arc::clone(seen));
        }
        let look = async {
            let mut tx = app.db.read("figures.board").await?;
            figures(&mut tx, app.clock.now(), scope).await
        };
        let at = Instant::now();
        let seen = Arc::new(app.db.unless_silent(Box::pin(look)).await?);
        *kept = Some((at, Arc::clone(&seen)));
        Ok(seen)
    }

    /// What the ledger said last.
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// How many different boards are computed now.
    pub fn shown(&self) -> usize {
        self.shows().len()
    }

    /// Watches what `scope` shows; the first who does sets the task going.
    fn watch(&self, app: &App, scope: &Scope) -> watch::Receiver<Seen> {
        let mut shows = self.shows();
        if let Some(show) = shows.get(scope) {
            let mut seen = show.subscribe();
            // What the others saw is new here.
            seen.mark_changed();
            return seen;
        }
        let (show, seen) = watch::channel(None);
        shows.insert(scope.clone(), show);
        tokio::spawn(keep_shown(app.clone(), scope.clone()));
        seen
    }

    /// Whether anybody watches this still; when nobody does it is forgotten in the same step, so
    /// that whoever comes next sets a new task going.
    fn is_watched(&self, scope: &Scope) -> bool {
        let mut shows = self.shows();
        let watched = shows.get(scope).is_some_and(|show| show.receiver_count() > 0);
        if !watched {
            shows.remove(scope);
        }
        watched
    }

    fn show(&self, scope: &Scope, text: Arc<str>) {
        if let Some(show) = self.shows().get(scope) {
            show.send_if_modified(|seen| {
                let changed = seen.as_ref() != Some(&text);
                *seen = Some(text);
                changed
            });
        }
    }
}

/// Forgets a board whose task ends by a defect, so that whoever comes next sets a new one going.
struct Showing<'a>(&'a Board, &'a Scope);

impl Drop for Showing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.shows().remove(self.1);
        }
    }
}

/// Looks at the counters as long as anybody watches.
async fn keep_shown(app: App, scope: Scope) {
    let _showing = Showing(&app.board, &scope);
    let mut stopping = app.stopping.subscribe();
    while app.board.is_watched(&scope) {
        match look(&app, &scope).await {
            Ok(text) => app.board.show(&scope, text),
            // The next look may succeed; whoever watches sees the last one until then.
            Err(error) => tracing::warn!(error = %error, "the board could not be looked at"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _stops = stopping.wait_for(|stops| *stops) => {
                app.board.shows().remove(&scope);
                return;
            }
        }
    }
}

async fn look(app: &App, scope: &Scope) -> Result<Arc<str>> {
    let seen = app.board.look(app, scope).await?;
    let text = serde_json::to_string(&*seen);
    text.map(Arc::from).map_err(|error| Error::Internal(error.to_string()))
}

/// Somebody who watches.
struct Watcher {
    app: App,
    headers: HeaderMap,
    seen: watch::Receiver<Seen>,
    stopping: watch::Receiver<bool>,
    _seat: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next change; none once the service stops or the right to watch is lost.
    async fn next(mut self) -> Option<(std::result::Result<Event, Infallible>, Self)> {
        loop {
            tokio::select! {
                biased;
                _stops = self.stopping.wait_for(|stops| *stops) => return None,
                changed = self.seen.changed() => changed.ok()?,
            }
            let seen = self.seen.borrow_and_update().clone();
            if let Some(text) = seen {
                let asked = Box::pin(signed_in(&self.app, &self.headers));
                self.app.db.unless_silent(asked).await.ok()?;
                let event = Event::default().event("figures").data(&*text);
                return Some((Ok(event), self));
            }
        }
    }
}

/// The figures now and whenever they change, at most once a second, as server-sent events named
/// `figures`; each holds all of them. The stream ends when the service stops: connect again.
#[utoipa::path(get, path = "/v1/figures/live", tag = "figures", security(("bearer" = [])),
    params(FiguresQuery),
    responses((status = 200, content((Figures = "text/event-stream"))),
        (status = 403, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem)))]
pub async fn live_get(
    State(app): State<App>,
    actor: Actor,
    headers: HeaderMap,
    Query(asked): Query<FiguresQuery>,
) -> Result<Response> {
    let scope = asked.scope(&app, &actor).await?;
    let seat = Arc::clone(&app.board.seats).try_acquire_owned();
    let seat = seat.map_err(|_taken| Error::TooMany { retry_after_s: 60 })?;
    let (seen, stopping) = (app.board.watch(&app, &scope), app.stopping.subscribe());
    let watcher = Watcher { app, headers, seen, stopping, _seat: seat };
    let events = Sse::new(stream::unfold(watcher, Watcher::next))
        .keep_alive(KeepAlive::new().interval(HEARTBEAT));
    Ok(([(header::CACHE_CONTROL, "no-store")], events).into_response())
}
