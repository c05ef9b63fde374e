//! Routes of the lot: register it, issue reactions, see what is left.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::rules;
use super::store::{self, Booking, StoredLot};
use super::{LotCount, LotKey};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::{Actor, Role};
use crate::clock::Time;
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::http::extract::{Json, Path, Query};
use crate::http::idempotency::{self, Attempt, IdempotencyKey};
use crate::http::page::{Cursor, Limit};
use crate::http::problem::Problem;
use crate::interpretation::kit::store::code_is_known;
use crate::storage::Tx;

/// Most lots on one page.
const PAGE_MAX: u32 = 500;
/// Most reactions of one lot.
const REACTIONS_MAX: u32 = 10_000_000;
/// Laboratory, kit and number of the last lot of a page.
type Position = (String, String, String);

/// A lot as it came.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LotRequest {
    /// The laboratory it came to.
    pub laboratory: String,
    /// When it must not be used any more: the end of the day on its label.
    pub expires_at: Time,
    /// Reactions that came: wells that can be filled from it.
    pub reactions: u32,
}

/// Reactions that leave the store for the bench.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueRequest {
    /// The laboratory that has the lot.
    pub laboratory: String,
    /// How many.
    pub reactions: u32,
}

/// A lot as it stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LotAnswer {
    /// The laboratory that has it.
    pub laboratory: String,
    /// Code of the kit.
    pub kit: String,
    /// Its number.
    pub lot: String,
    /// When it must not be used any more.
    pub expires_at: Time,
    /// Reactions that came.
    pub received: i64,
    /// Reactions that were issued to the bench.
    pub issued: i64,
    /// Wells of frozen plates that were filled from it.
    pub used: i64,
    /// Reactions that were not used.
    pub left: i64,
    /// What somebody should look at.
    pub alarms: Vec<Reason>,
}

/// Lots in order of laboratory, kit and number.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LotList {
    /// The lots.
    pub lots: Vec<LotAnswer>,
    /// Give this as `after` for the next page; none at the end.
    #[schema(value_type = Option<String>)]
    pub next: Option<Cursor<Position>>,
}

/// Where the list goes on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LotPage {
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<Cursor<Position>>,
    /// At most this many.
    #[param(value_type = Option<u32>)]
    limit: Option<Limit<PAGE_MAX>>,
}

impl LotAnswer {
    fn new(stored: StoredLot, at: Time) -> Self {
        let StoredLot { laboratory, kit, lot, count, .. } = stored;
        let alarms = rules::alarms(&lot, &count, at);
        let LotCount { expires, received, issued, used } = count;
        let left = received - used;
        Self { laboratory, kit, lot, expires_at: expires, received, issued, used, left, alarms }
    }
}

/// Registers a lot; what was registered is never overwritten. A reviewer who registers the same
/// again confirms a lot that was registered after its plate was filled.
#[utoipa::path(put, path = "/v1/lots/{kit}/{lot}", tag = "lot", security(("bearer" = [])),
    params(("kit" = String, Path, description = "code of the kit"),
        ("lot" = String, Path, description = "the maker's lot number")),
    request_body = LotRequest,
    responses((status = 200, body = LotAnswer), (status = 201, body = LotAnswer),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn lot_put(
    State(app): State<App>,
    actor: Actor,
    Path((kit, lot)): Path<(String, String)>,
    Json(request): Json<LotRequest>,
) -> Result<(StatusCode, Json<LotAnswer>)> {
    actor.in_laboratory(&request.laboratory)?;
    let key = LotKey { laboratory: &request.laboratory, kit: &kit, lot: &lot };
    let mut tx = app.db.write("lot.register").await?;
    refuse_if_any(faults(&app, &mut tx, key, request.reactions).await?)?;
    let (at, reactions) = (app.clock.now(), i64::from(request.reactions));
    let what = (request.expires_at, reactions);
    let by = (actor.account.as_str(), at);
    let added = store::lot_add(&mut tx, key, what, by).await?;
    let found = found(&mut tx, key).await?;
    refuse_another(&found, &request)?;
    let confirmed = actor.role == Role::Reviewer && store::lot_confirm(&mut tx, key, by).await?;
    let detail = json!({ "kit": kit, "laboratory": request.laboratory,
        "expires_at": request.expires_at, "reactions": reactions });
    for (is_so, action) in [(added, "lot.register"), (confirmed, "lot.confirm")] {
        if is_so {
            let detail = detail.clone();
            audit::record(&mut tx, Entry { at, actor: &actor, action, about: &lot, detail })
                .await?;
        }
    }
    tx.commit().await?;
    let status = if added { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(LotAnswer::new(found, at))))
}

/// What is wrong with a lot to be registered.
async fn faults(app: &App, tx: &mut Tx, key: LotKey<'_>, reactions: u32) -> Result<Vec<Reason>> {
    let mut reasons: Vec<_> = rules::against_number(key.lot).into_iter().collect();
    if !(1..=REACTIONS_MAX).contains(&reactions) {
        let message = "a lot has 1 to 10000000 reactions; count them";
        reasons.push(Reason::new("lot.reactions", "reactions", message));
    }
    if !code_is_known(tx, &app.kits, key.kit).await? {
        let message = "there is no kit with that code; propose it first or correct the code";
        reasons.push(Reason::new("lot.kit", "kit", message));
    }
    Ok(reasons)
}

fn refuse_another(found: &StoredLot, request: &LotRequest) -> Result<()> {
    let (expires, registered) = (found.count.expires, found.registered);
    let differences = [
        ("expires_at", expires != request.expires_at, expires.to_string()),
        ("reactions", registered != i64::from(request.reactions), registered.to_string()),
    ];
    let reasons: Vec<_> = differences
        .iter()
        .filter(|(_, differs, _)| *differs)
        .map(|(field, _, stored)| {
            let message = format!(
                "the lot is registered with {stored}; ask who registered it, or add a further \
                 delivery of it under `deliveries`"
            );
            Reason::new("lot.exists", *field, message)
        })
        .collect();
    if reasons.is_empty() { Ok(()) } else { Err(Error::Conflict(reasons)) }
}

async fn found(tx: &mut Tx, key: LotKey<'_>) -> Result<StoredLot> {
    store::lot_find(tx, key).await?.ok_or_else(|| Error::not_found("lot", key.lot))
}

/// Adds a further delivery of a lot that is registered; it has the same expiry, else it is another
/// lot or a mistake.
#[utoipa::path(post, path = "/v1/lots/{kit}/{lot}/deliveries", tag = "lot",
    security(("bearer" = [])),
    params(("kit" = String, Path, description = "code of the kit"),
        ("lot" = String, Path, description = "the maker's lot number")),
    request_body = LotRequest,
    responses((status = 201, body = LotAnswer), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn delivery_post(
    State(app): State<App>,
    actor: Actor,
    Path((kit, lot)): Path<(String, String)>,
    key: IdempotencyKey,
    Json(request): Json<LotRequest>,
) -> Result<Response> {
    let of = LotKey { laboratory: &request.laboratory, kit: &kit, lot: &lot };
    let content = (&kit, &lot, &request);
    let delivery = Booked::Delivery { expires: request.expires_at };
    book(&app, &actor, (key, &content), of, (delivery, request.reactions)).await
}

/// Issues reactions of a lot to the bench.
#[utoipa::path(post, path = "/v1/lots/{kit}/{lot}/issues", tag = "lot",
    security(("bearer" = [])),
    params(("kit" = String, Path, description = "code of the kit"),
        ("lot" = String, Path, description = "the maker's lot number")),
    request_body = IssueRequest,
    responses((status = 201, body = LotAnswer), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub async fn issue_post(
    State(app): State<App>,
    actor: Actor,
    Path((kit, lot)): Path<(String, String)>,
    key: IdempotencyKey,
    Json(request): Json<IssueRequest>,
) -> Result<Response> {
    let of = LotKey { laboratory: &request.laboratory, kit: &kit, lot: &lot };
    let content = (&kit, &lot, &request);
    book(&app, &actor, (key, &content), of, (Booked::Issue, request.reactions)).await
}

/// Reactions to be booked, with what is said of them.
#[derive(Clone, Copy)]
enum Booked {
    Delivery { expires: Time },
    Issue,
}

/// Books reactions on a lot, once for each idempotency key; nobody else does until it is done.
async fn book(
    app: &App,
    actor: &Actor,
    (key, content): (IdempotencyKey, &(impl Serialize + Sync)),
    of: LotKey<'_>,
    (booked, reactions): (Booked, u32),
) -> Result<Response> {
    actor.in_laboratory(of.laboratory)?;
    let (booking, action) = match booked {
        Booked::Delivery { .. } => (Booking::Delivery, "lot.deliver"),
        Booked::Issue => (Booking::Issue, "lot.issue"),
    };
    let mut tx = app.db.write(action).await?;
    let at = app.clock.now();
    let fresh = match idempotency::begin(&mut tx, actor, key, at, content).await? {
        Attempt::Replay(response) => return Ok(response),
        Attempt::Fresh(fresh) => fresh,
    };
    store::lot_lock(&mut tx, of).await?;
    let count = found(&mut tx, of).await?.count;
    match booked {
        Booked::Delivery { expires } => {
            refuse_if_any(faults(app, &mut tx, of, reactions).await?)?;
            refuse_other_expiry(count.expires, expires)?;
        }
        Booked::Issue => {
            refuse_if_any(rules::against_issue(of.lot, &count, i64::from(reactions), at))?;
        }
    }
    let id = app.clock.id().to_string();
    let by = (actor.account.as_str(), at);
    store::booking_add(&mut tx, &id, of, (booking, i64::from(reactions)), by).await?;
    let detail = json!({ "kit": of.kit, "laboratory": of.laboratory, "reactions": reactions });
    audit::record(&mut tx, Entry { at, actor, action, about: of.lot, detail }).await?;
    let answer = LotAnswer::new(found(&mut tx, of).await?, at);
    fresh.finish(tx, StatusCode::CREATED, &answer).await
}

/// A delivery with another expiry is another lot, or its label was misread.
fn refuse_other_expiry(registered: Time, delivered: Time) -> Result<()> {
    if delivered == registered {
        return Ok(());
    }
    let message = format!("the lot expires at {registered}; read the label of this delivery again");
    Err(Error::conflict("lot.expiry", "expires_at", message))
}

/// Lots of the asker's laboratory, with what was received, issued, used and is left.
#[utoipa::path(get, path = "/v1/lots", tag = "lot", security(("bearer" = [])),
    params(LotPage), responses((status = 200, body = LotList)))]
pub async fn lots_get(
    State(app): State<App>,
    actor: Actor,
    Query(page): Query<LotPage>,
) -> Result<Json<LotList>> {
    let rows = Limit::or(page.limit, PAGE_MAX).rows();
    let none = || Cursor((String::new(), String::new(), String::new()));
    let Cursor((laboratory, kit, lot)) = page.after.unwrap_or_else(none);
    let after = LotKey { laboratory: &laboratory, kit: &kit, lot: &lot };
    let mut tx = app.db.read("lot.list").await?;
    let found = store::lots(&mut tx, actor.laboratory.as_deref(), after, rows).await?;
    let full = i64::try_from(found.len()).is_ok_and(|count| count == rows);
    let next = found.last().filter(|_last| full);
    let next = next.map(|lot| Cursor((lot.laboratory.clone(), lot.kit.clone(), lot.lot.clone())));
    let at = app.clock.now();
    let lots = found.into_iter().map(|lot| LotAnswer::new(lot, at)).collect();
    Ok(Json(LotList { lots, next }))
}
