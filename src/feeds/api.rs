//! The stream over HTTP: poll with the last `next`.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Position;
use super::store::{Item, changes};
use crate::app::App;
use crate::auth::Actor;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Query};
use crate::http::guard::signed_in;
use crate::http::page::{Cursor, Limit};
use crate::http::problem::Problem;
use crate::query::ToldOutcome;
use crate::seal::PersonKey;
use crate::storage::outbox::Change;

/// Changes on one page when nothing is said.
const ROWS_USUAL: u32 = 1_000;
/// Changes on one page at most.
const ROWS_MAX: u32 = 10_000;

/// How long a poll waits at most, in seconds.
const WAIT_MAX: u32 = 30;
/// How often a poll that waits looks for what other nodes committed.
const AGAIN: Duration = Duration::from_millis(200);
/// How often at most, however much this node commits.
const APART: Duration = Duration::from_millis(20);
/// Seconds a poll leaves of the time a request may take, to read and answer.
const LEFT: u64 = 2;

/// Seconds to wait: 0 to [`WAIT_MAX`].
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(try_from = "u32")]
struct Wait(u32);

impl TryFrom<u32> for Wait {
    type Error = String;

    fn try_from(seconds: u32) -> Result<Self, String> {
        let within = (0..=WAIT_MAX).contains(&seconds);
        within.then_some(Self(seconds)).ok_or_else(|| {
            format!("a poll waits 0 to {WAIT_MAX} seconds, not {seconds}; ask again after them")
        })
    }
}

/// Where to read on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeedQuery {
    /// The `next` of the page before; from the beginning when absent.
    #[param(value_type = Option<String>)]
    after: Option<Cursor<Position>>,
    /// 1 to 10,000; 1,000 when absent.
    #[param(value_type = Option<u32>)]
    limit: Option<Limit<ROWS_MAX>>,
    /// Seconds to wait for a change when there is none yet, 0 to 30; 0 when absent.
    #[param(value_type = Option<u32>)]
    #[serde(default)]
    wait: Wait,
}

/// A page of the stream.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FeedPage {
    /// Changes, oldest first.
    pub changes: Vec<FeedChange>,
    /// Send it as `after` to read on; also when this page is empty.
    #[schema(value_type = String)]
    pub next: Cursor<Position>,
}

/// One change.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FeedChange {
    /// Its place in the stream.
    #[schema(value_type = String)]
    pub cursor: Cursor<Position>,
    /// What happened.
    pub change: Change,
    /// To which tube.
    pub tube: String,
    /// When.
    pub at: Time,
    /// Person keys of the tube's members; of `released` and `amended`, those who were told.
    pub persons: Vec<String>,
    /// Members of `released` and `amended` who are asked to come again and were told nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub under_verification: Vec<String>,
    /// Members of `released` and `amended` who were told a positive of a later swab, or in the same
    /// moment, and not this outcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<String>,
    /// What `persons` were told, for `released` and `amended`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ToldOutcome>,
}

impl From<Item> for FeedChange {
    fn from(item: Item) -> Self {
        let keys = |keys: Vec<PersonKey>| keys.iter().map(|key| key.as_str().to_owned()).collect();
        Self {
            cursor: Cursor(item.position),
            change: item.change,
            tube: item.tube,
            at: item.at,
            persons: keys(item.persons),
            under_verification: keys(item.under_verification),
            superseded: keys(item.superseded),
            outcome: item.outcome,
        }
    }
}

/// Changes in an order that skips nothing; each is delivered again to whoever asks again. With
/// `wait` an empty page is answered only when nothing changed for so long.
#[utoipa::path(get, path = "/v1/feed", tag = "feeds", security(("bearer" = [])),
    params(FeedQuery),
    responses((status = 200, body = FeedPage), (status = 400, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn feed_get(
    State(app): State<App>,
    actor: Actor,
    headers: HeaderMap,
    Query(asked): Query<FeedQuery>,
) -> Result<Json<FeedPage>> {
    if let Some(place) = actor.site.as_ref().or(actor.laboratory.as_ref()) {
        let message = "the stream is of the whole city; ask as somebody who is bound to no place";
        return Err(Error::forbidden("auth.city", place, message));
    }
    let after = asked.after.map_or_else(Position::default, |Cursor(position)| position);
    let rows = Limit::or(asked.limit, ROWS_USUAL).rows();
    let seconds = u64::from(asked.wait.0).min(app.config.request_seconds.saturating_sub(LEFT));
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut news = app.db.news().listen();
    let mut waited = false;
    let items = loop {
        let items = page(&app, after, rows).await?;
        let left = until.saturating_duration_since(Instant::now());
        if !items.is_empty() || left.is_zero() || *app.stopping.borrow() {
            break items;
        }
        waited = true;
        let mut stopping = app.stopping.subscribe();
        tokio::time::sleep(APART.min(left)).await;
        tokio::select! {
            _told = news.changed() => {}
            _stops = stopping.wait_for(|stops| *stops) => {}
            () = tokio::time::sleep(AGAIN.min(left)) => {}
        }
    };
    if waited {
        // Whoever lost the right meanwhile is told nothing.
        signed_in(&app, &headers).await?;
    }
    let next = items.last().map_or(after, |item| item.position);
    let changes = items.into_iter().map(FeedChange::from).collect();
    Ok(Json(FeedPage { changes, next: Cursor(next) }))
}

/// One page; few are read at once, so that whoever asks for people is not in their way.
async fn page(app: &App, after: Position, rows: i64) -> Result<Vec<Item>> {
    let gone = |_closed| Error::Internal("the feed is not read any more".to_owned());
    let _turn = app.feed_reads.acquire().await.map_err(gone)?;
    let mut tx = app.db.ask("feed").await?;
    changes(&mut tx, after, rows).await
}
