//! Putting laboratories, sites, rounds and sessions.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::store;
use super::{
    Laboratory, Put, Round, Session, Site, laboratory_faults, round_faults, session_faults,
    site_faults,
};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::PlaceCode;
use crate::clock::Time;
use crate::error::{Error, Result, refuse_if_any};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::storage::Tx;

/// The answer to a place that was put: 201 when new, 200 when stored already.
type PlaceAnswer<T> = Result<(StatusCode, Json<T>)>;

/// Who puts which place, and when.
struct Putting<'a> {
    actor: &'a Actor,
    action: &'static str,
    code: &'a PlaceCode,
    at: Time,
}

fn place_code(text: &str) -> Result<PlaceCode> {
    PlaceCode::parse(text).map_err(|error| Error::invalid("place.code", "code", error.to_string()))
}

/// Records what was made, commits and answers.
async fn settle<T: Serialize>(
    mut tx: Tx,
    put: Put,
    putting: Putting<'_>,
    place: T,
) -> PlaceAnswer<T> {
    if put == Put::Same {
        return Ok((StatusCode::OK, Json(place)));
    }
    let Putting { actor, action, code, at } = putting;
    let entry = Entry { at, actor, action, about: code.as_str(), detail: json!(place) };
    audit::record(&mut tx, entry).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(place)))
}

/// Puts a laboratory; stored content is never overwritten.
#[utoipa::path(put, path = "/v1/laboratories/{code}", tag = "collection",
    security(("bearer" = [])), params(("code" = String, Path)), request_body = Laboratory,
    responses((status = 201, body = Laboratory), (status = 200, body = Laboratory),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn laboratory_put(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Json(laboratory): Json<Laboratory>,
) -> PlaceAnswer<Laboratory> {
    let code = place_code(&code)?;
    refuse_if_any(laboratory_faults(&laboratory))?;
    let at = app.clock.now();
    let mut tx = app.db.write("laboratory.put").await?;
    let put = store::laboratory_put(&mut tx, &code, &laboratory, at).await?;
    let putting = Putting { actor: &actor, action: "laboratory.put", code: &code, at };
    settle(tx, put, putting, laboratory).await
}

/// Puts a site; stored content is never overwritten.
#[utoipa::path(put, path = "/v1/sites/{code}", tag = "collection",
    security(("bearer" = [])), params(("code" = String, Path)), request_body = Site,
    responses((status = 201, body = Site), (status = 200, body = Site),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn site_put(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Json(site): Json<Site>,
) -> PlaceAnswer<Site> {
    let code = place_code(&code)?;
    refuse_if_any(site_faults(&site))?;
    let at = app.clock.now();
    let mut tx = app.db.write("site.put").await?;
    let put = store::site_put(&mut tx, &code, &site, at).await?;
    let putting = Putting { actor: &actor, action: "site.put", code: &code, at };
    settle(tx, put, putting, site).await
}

/// Puts a round; stored content is never overwritten.
#[utoipa::path(put, path = "/v1/rounds/{code}", tag = "collection",
    security(("bearer" = [])), params(("code" = String, Path)), request_body = Round,
    responses((status = 201, body = Round), (status = 200, body = Round),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn round_put(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Json(round): Json<Round>,
) -> PlaceAnswer<Round> {
    let code = place_code(&code)?;
    refuse_if_any(round_faults(&round))?;
    let at = app.clock.now();
    let mut tx = app.db.write("round.put").await?;
    let put = store::round_put(&mut tx, &code, &round, at).await?;
    let putting = Putting { actor: &actor, action: "round.put", code: &code, at };
    settle(tx, put, putting, round).await
}

/// Puts a session at the caller's own site; stored content is never overwritten.
#[utoipa::path(put, path = "/v1/sessions/{code}", tag = "collection",
    security(("bearer" = [])), params(("code" = String, Path)), request_body = Session,
    responses((status = 201, body = Session), (status = 200, body = Session),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn session_put(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Json(session): Json<Session>,
) -> PlaceAnswer<Session> {
    let code = place_code(&code)?;
    actor.at_site(session.site.as_str())?;
    let at = app.clock.now();
    let mut tx = app.db.write("session.put").await?;
    let round = store::round_find(&mut tx, &session.round).await?;
    let has_site = store::site_exists(&mut tx, &session.site).await?;
    refuse_if_any(session_faults(&session, round.as_ref(), has_site))?;
    let put = store::session_put(&mut tx, &code, &session, at).await?;
    let putting = Putting { actor: &actor, action: "session.put", code: &code, at };
    settle(tx, put, putting, session).await
}
