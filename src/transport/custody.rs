//! Boxes handed over: the holder gives, the named taker accepts, and only then custody passes.
//!
//! A taker who never signs holds nothing up: the holder names another, and the first offer stays
//! in the record as withdrawn.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::box_code;
use super::store;
use super::{Acceptance, Celsius, Custody, Handover, Offer, Signature, rules};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::BoxCode;
use crate::clock::Time;
use crate::error::{Error, Result, refuse_if_any};
use crate::http::extract::{Json, Path};
use crate::http::idempotency::{self, Attempt, IdempotencyKey};
use crate::http::problem::Problem;
use crate::storage::Tx;

/// The longest account id there is; ours are shorter.
const ACCOUNT_MAX: usize = 64;

/// The first signature under a custody step.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoverRequest {
    /// The account that is to take the box.
    pub to: String,
    /// When it was given.
    pub at: Time,
    /// Where.
    pub place: String,
    /// What the box's thermometer showed.
    #[serde(default)]
    pub temperature_c: Option<Celsius>,
}

/// The second signature.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// When it was taken.
    pub at: Time,
}

/// One custody step.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HandoverAnswer {
    /// Its number within the box, from 1.
    pub step: i64,
    /// Who gave.
    pub given_by: SignatureAnswer,
    /// The account named to take.
    pub to: String,
    /// Where.
    pub place: String,
    /// What the box's thermometer showed.
    pub temperature_c: Option<Celsius>,
    /// Who took; none until the taker signs.
    pub taken_by: Option<SignatureAnswer>,
    /// When the giver named another taker instead; none while the step is open or taken.
    pub withdrawn_at: Option<Time>,
}

/// A name under a custody step.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignatureAnswer {
    /// The account.
    pub account: String,
    /// Its printed name.
    pub name: String,
    /// When.
    pub at: Time,
}

impl From<Signature> for SignatureAnswer {
    fn from(signature: Signature) -> Self {
        Self { account: signature.account, name: signature.name, at: signature.at }
    }
}

impl From<Handover> for HandoverAnswer {
    fn from(handover: Handover) -> Self {
        Self {
            step: handover.step,
            given_by: handover.given.into(),
            to: handover.to,
            place: handover.place,
            temperature_c: handover.temperature,
            taken_by: handover.taken.map(SignatureAnswer::from),
            withdrawn_at: handover.withdrawn,
        }
    }
}

fn sign(actor: &Actor, at: Time) -> Signature {
    Signature { account: actor.account.clone(), name: actor.name.clone(), at }
}

/// Refuses a moment that cannot be one of today's road.
fn in_time(at: Time, now: Time) -> Result<()> {
    let faults = [rules::time_fault("at", at, now), rules::age_fault("at", at, now)];
    refuse_if_any(faults.into_iter().flatten().collect())
}

/// Refuses a moment before the step before it, if there is one.
fn in_order(at: Time, before: Option<Time>, now: Time) -> Result<()> {
    let fault = before.and_then(|before| rules::sequence_fault("at", at, before, now));
    refuse_if_any(fault.into_iter().collect())
}

/// Hands a box over: the first of two signatures, by whoever has it.
///
/// An offer that nobody accepted yet is withdrawn by the next one.
#[utoipa::path(post, path = "/v1/boxes/{code}/handovers", tag = "transport",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "the box code"),
        ("Idempotency-Key" = String, Header, description = "a fresh id; the same on a retry")),
    request_body = HandoverRequest,
    responses((status = 201, body = HandoverAnswer), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn handover_post(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    key: IdempotencyKey,
    Json(request): Json<HandoverRequest>,
) -> Result<Response> {
    let code = box_code(&code)?;
    let now = app.clock.now();
    in_time(request.at, now)?;
    let mut tx = app.db.write("box.give").await?;
    let fresh = match idempotency::begin(&mut tx, &actor, key, now, &(&code, &request)).await? {
        Attempt::Replay(answer) => return Ok(answer),
        Attempt::Fresh(fresh) => fresh,
    };
    let custody = custody_lock(&mut tx, &app, &actor, &code).await?;
    in_order(request.at, Some(custody.latest()), now)?;
    let withdrawn = custody.open().map(|open| open.step);
    let handover = offer(&mut tx, custody, &actor, request).await?;
    if let Some(step) = withdrawn {
        store::handover_withdraw(&mut tx, &code, step, now).await?;
    }
    let (about, action) = (code.as_str(), "box.give");
    let detail = json!({ "step": handover.step, "to": handover.to, "withdrawn": withdrawn });
    audit::record(&mut tx, Entry { at: now, actor: &actor, action, about, detail }).await?;
    fresh.finish(tx, StatusCode::CREATED, &HandoverAnswer::from(handover)).await
}

/// The custody of a box nobody else changes until this transaction ends.
async fn custody_lock(tx: &mut Tx, app: &App, actor: &Actor, code: &BoxCode) -> Result<Custody> {
    store::box_lock(tx, code).await?;
    let custody = store::custody_find(tx, (&app.keys, actor), code).await?;
    custody.ok_or_else(|| Error::not_found("box", code.as_str()))
}

async fn offer(
    tx: &mut Tx,
    custody: Custody,
    actor: &Actor,
    request: HandoverRequest,
) -> Result<Handover> {
    let code = custody.code.clone();
    let account: String = request.to.chars().filter(|c| *c != '\0').take(ACCOUNT_MAX).collect();
    let to = store::taker_find(tx, &account).await?;
    let given = sign(actor, request.at);
    let offer = Offer { given, to, place: request.place, temperature: request.temperature_c };
    let handover = custody.offer(offer).map_err(Error::Conflict)?;
    store::handover_add(tx, &code, &handover).await?;
    Ok(handover)
}

/// Takes a box over: the second signature, by whom the first names; custody passes.
///
/// The same taker accepting again gets the same answer.
#[utoipa::path(post, path = "/v1/boxes/{code}/handovers/{step}/accept", tag = "transport",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "the box code"),
        ("step" = i64, Path, description = "the step's number")),
    request_body = AcceptRequest,
    responses((status = 200, body = HandoverAnswer), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn handover_accept_post(
    State(app): State<App>,
    actor: Actor,
    Path((code, step)): Path<(String, i64)>,
    Json(request): Json<AcceptRequest>,
) -> Result<Json<HandoverAnswer>> {
    let code = box_code(&code)?;
    let now = app.clock.now();
    in_time(request.at, now)?;
    let mut tx = app.db.write("box.take").await?;
    let custody = custody_lock(&mut tx, &app, &actor, &code).await?;
    let given = custody.open().filter(|open| open.step == step).map(|open| open.given.at);
    in_order(request.at, given, now)?;
    let signature = sign(&actor, request.at);
    let accepted = custody.accept(step, signature.clone());
    let accepted = accepted.ok_or_else(|| Error::not_found("hand-over", step.to_string()))?;
    let handover = match accepted.map_err(Error::Conflict)? {
        Acceptance::Repeated(handover) => return Ok(Json(handover.into())),
        Acceptance::Fresh(handover) => handover,
    };
    store::handover_accept(&mut tx, &code, &handover, &signature).await?;
    let (about, action) = (code.as_str(), "box.take");
    let detail = json!({ "step": step, "from": handover.given.account });
    audit::record(&mut tx, Entry { at: now, actor: &actor, action, about, detail }).await?;
    tx.commit().await?;
    Ok(Json(handover.into()))
}
