//! Routes of the pool: mix it, look at it, give it up.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::figures::{self, Scope};
use super::monitoring::{self, DAYS_MIN};
use super::{Limits, Mixed, PoolState, StoredPool, rules, store};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::{PoolCode, store as codes};
use crate::clock::Time;
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::receiving::store::laboratory_exists;
use crate::storage::Tx;

/// What is mixed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolRequest {
    /// The laboratory it is mixed in.
    pub laboratory: String,
    /// Code of the kit it is to be tested with.
    pub kit: String,
    /// Version of the kit.
    pub kit_version: String,
    /// Single tubes, each once; their order is no matter.
    pub tubes: Vec<String>,
}

/// A pool as it stands.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PoolAnswer {
    /// Its code.
    pub code: String,
    /// `open`, `plated`, `called` or `dissolved`.
    pub state: PoolState,
    /// Since when.
    pub since: Time,
    /// The laboratory it was mixed in.
    pub laboratory: String,
    /// Code of the kit.
    pub kit: String,
    /// Version of the kit.
    pub kit_version: String,
    /// Its tubes in order of code.
    pub tubes: Vec<String>,
    /// People in it.
    pub depth: usize,
    /// What its wells said, once that was released: `detected`, `not_detected`, `inconclusive`
    /// or `invalid`.
    pub outcome: Option<String>,
    /// When it was mixed.
    pub made_at: Time,
}

impl From<StoredPool> for PoolAnswer {
    fn from(pool: StoredPool) -> Self {
        let Mixed { laboratory, kit, tubes } = pool.mixed;
        Self {
            code: pool.code.to_string(),
            state: pool.state,
            since: pool.since,
            laboratory,
            kit: kit.0,
            kit_version: kit.1,
            depth: tubes.len(),
            tubes,
            outcome: pool.outcome,
            made_at: pool.made,
        }
    }
}

/// Mixes a pool. The same again is the same pool; what is mixed never changes.
#[utoipa::path(put, path = "/v1/pools/{code}", tag = "pooling", security(("bearer" = [])),
    params(("code" = String, Path, description = "pool")), request_body = PoolRequest,
    responses((status = 200, body = PoolAnswer), (status = 201, body = PoolAnswer),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn pool_put(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Json(request): Json<PoolRequest>,
) -> Result<(StatusCode, Json<PoolAnswer>)> {
    actor.in_laboratory(&request.laboratory)?;
    let scanned = request.tubes.clone();
    let mixed = mixed(request)?;
    let stops = stops(&app, &mixed).await?;
    let mut tx = app.db.write("pool.put").await?;
    let code = codes::pool_code(&mut tx, &code).await?;
    if let Some(pool) = same(&mut tx, &code, &mixed).await? {
        return Ok((StatusCode::OK, Json(pool.into())));
    }
    let scanned: Vec<_> =
        (0..).zip(&scanned).map(|(n, text)| (format!("tubes[{n}]"), text.as_str())).collect();
    refuse_if_any(codes::no_tube_codes(&mut tx, &scanned).await?)?;
    let known = store::known(&mut tx, &mixed.tubes).await?;
    let (limits, mut against) = limits(&app, &mut tx, &mixed).await?;
    against.extend(rules::against_mixing(code.as_str(), &mixed, &known, &limits));
    against.extend(stops);
    if !laboratory_exists(&mut tx, &mixed.laboratory).await? {
        let message = "this laboratory is not registered; ask an administrator to register it";
        against.push(Reason::new("laboratory.unknown", "laboratory", message));
    }
    refuse_if_any(against)?;
    let at = app.clock.now();
    if !store::pool_add(&mut tx, &code, &mixed, (&actor.account, at)).await? {
        let message = format!("pool {code} was made a moment ago; look at it first");
        return Err(Error::conflict("pool.made", code.as_str(), message));
    }
    let detail = json!({ "tubes": mixed.tubes, "kit": mixed.kit.0, "kit_version": mixed.kit.1 });
    let entry = Entry { at, actor: &actor, action: "pool.put", about: code.as_str(), detail };
    audit::record(&mut tx, entry).await?;
    let pool = store::pool_get(&mut tx, &code).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(pool.into())))
}

/// What a request asks to mix, its codes written as codes are.
fn mixed(request: PoolRequest) -> Result<Mixed> {
    let count = request.tubes.len();
    let mut reasons = Vec::new();
    if count > rules::TUBES_MAX {
        let message = format!("{count} tubes are no pool; no kit is validated for so many");
        reasons.push(Reason::new("pool.too_many_tubes", "tubes", message));
    }
    if request.tubes.iter().chain([&request.laboratory]).any(|code| code.contains('\0')) {
        let message = "a code holds a NUL; scan it again";
        reasons.push(Reason::new("pool.codes", "tubes", message));
    }
    refuse_if_any(reasons)?;
    let mut tubes: Vec<_> =
        request.tubes.iter().map(|code| code.trim().to_ascii_uppercase()).collect();
    tubes.sort();
    let kit = (request.kit, request.kit_version);
    Ok(Mixed { laboratory: request.laboratory, kit, tubes })
}

/// The pool that is this one already; another one under its code is a conflict.
async fn same(tx: &mut Tx, code: &PoolCode, mixed: &Mixed) -> Result<Option<StoredPool>> {
    let Some(pool) = store::pools_find(tx, [code]).await?.pop() else { return Ok(None) };
    let differences = rules::differences(&pool, mixed);
    if differences.is_empty() { Ok(Some(pool)) } else { Err(Error::Conflict(differences)) }
}

/// What the kit may be used for, and every reason against using it now.
async fn limits(app: &App, tx: &mut Tx, mixed: &Mixed) -> Result<(Limits, Vec<Reason>)> {
    let kit = (mixed.kit.0.as_str(), mixed.kit.1.as_str());
    let (plan, against) = app.plan(tx, kit, app.clock.now()).await?;
    let limits =
        Limits { kit: plan.kit, tubes: plan.laboratory_pools, depth: plan.validated_depth };
    Ok((limits, against))
}

/// Why nothing, or nothing of this size, is pooled in this laboratory now. It is read before
/// the pool is written, so that nobody waits for it.
async fn stops(app: &App, mixed: &Mixed) -> Result<Vec<Reason>> {
    let mut tx = app.db.read("pool.stops").await?;
    let (laboratory, at) = (mixed.laboratory.as_str(), app.clock.now());
    let kit = (mixed.kit.0.as_str(), mixed.kit.1.as_str());
    let scope = Scope { laboratory, kit, at, days: DAYS_MIN };
    let names = app.kit_names(&mut tx).await?;
    let versions = figures::versions(&names, kit.0);
    let running = figures::running_of_all(&mut tx, scope, &versions).await?;
    let wanting = figures::wanting(&mut tx, scope).await?;
    let size = monitoring::against_size(wanting, mixed.tubes.len());
    Ok(monitoring::stop(&running).into_iter().chain(size).collect())
}

/// A pool with its tubes and what became of it.
#[utoipa::path(get, path = "/v1/pools/{code}", tag = "pooling", security(("bearer" = [])),
    params(("code" = String, Path, description = "pool")),
    responses((status = 200, body = PoolAnswer), (status = 404, body = Problem)))]
pub async fn pool_get(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
) -> Result<Json<PoolAnswer>> {
    let mut tx = app.db.read("pool.get").await?;
    let code = codes::pool_code(&mut tx, &code).await?;
    let pool = store::pool_get(&mut tx, &code).await?;
    actor.in_laboratory(&pool.mixed.laboratory)?;
    Ok(Json(pool.into()))
}

/// Gives up a pool that was not tested: its tubes are free again. Again is the same answer.
#[utoipa::path(post, path = "/v1/pools/{code}/dissolve", tag = "pooling",
    security(("bearer" = [])), params(("code" = String, Path, description = "pool")),
    responses((status = 200, body = PoolAnswer), (status = 409, body = Problem)))]
pub async fn dissolve_post(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
) -> Result<Json<PoolAnswer>> {
    let mut tx = app.db.write("pool.dissolve").await?;
    let code = codes::pool_code(&mut tx, &code).await?;
    let pool = store::pool_get(&mut tx, &code).await?;
    actor.in_laboratory(&pool.mixed.laboratory)?;
    let against = rules::against_dissolving(&pool);
    if !against.is_empty() {
        return Err(Error::Conflict(against));
    }
    if pool.state == PoolState::Open {
        let at = app.clock.now();
        let step = (PoolState::Open, PoolState::Dissolved);
        if store::pools_move(&mut tx, [&code], step, at).await? == 0 {
            let message = format!("pool {code} was used a moment ago; look at it again");
            return Err(Error::conflict("pool.used", code.as_str(), message));
        }
        let detail = json!({ "tubes": pool.mixed.tubes });
        let entry =
            Entry { at, actor: &actor, action: "pool.dissolve", about: code.as_str(), detail };
        audit::record(&mut tx, entry).await?;
    }
    let pool = store::pool_get(&mut tx, &code).await?;
    tx.commit().await?;
    Ok(Json(pool.into()))
}
