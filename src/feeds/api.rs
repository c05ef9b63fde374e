//! The stream over HTTP: poll with the last `next`.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Position;
use super::store::{Item, changes};
use crate::app::App;
use crate::auth::Actor;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Query};
use crate::http::page::{Cursor, Limit};
use crate::http::problem::Problem;
use crate::query::ToldOutcome;
use crate::seal::PersonKey;
use crate::storage::outbox::Change;

/// Changes on one page when nothing is said.
const ROWS_USUAL: u32 = 1_000;
/// Changes on one page at most.
const ROWS_MAX: u32 = 10_000;

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
            outcome: item.outcome,
        }
    }
}

/// Changes in an order that skips nothing; each is delivered again to whoever asks again.
#[utoipa::path(get, path = "/v1/feed", tag = "feeds", security(("bearer" = [])),
    params(FeedQuery),
    responses((status = 200, body = FeedPage), (status = 400, body = Problem),
        (status = 403, body = Problem)))]
pub async fn feed_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<FeedQuery>,
) -> Result<Json<FeedPage>> {
    if let Some(place) = actor.site.as_ref().or(actor.laboratory.as_ref()) {
        let message = "the stream is of the whole city; ask as somebody who is bound to no place";
        return Err(Error::forbidden("auth.city", place, message));
    }
    let after = asked.after.map_or_else(Position::default, |Cursor(position)| position);
    let rows = Limit::or(asked.limit, ROWS_USUAL).rows();
    let mut tx = app.db.read("feed").await?;
    let items = changes(&mut tx, after, rows).await?;
    let next = items.last().map_or(after, |item| item.position);
    let changes = items.into_iter().map(FeedChange::from).collect();
    Ok(Json(FeedPage { changes, next: Cursor(next) }))
}
