//! A frozen plate that cannot be used is given up, and its tubes may go on another.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{FromRow, query, query_as};
use utoipa::ToSchema;

use super::api::{PlateAnswer, frozen};
use super::store::{self, StoredPlate};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::{PlateCode, store as codes};
use crate::clock::Time;
use crate::collection::{TubeState, TubesMove, tubes_move};
use crate::error::{Error, Reason, Result};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::pooling::PoolState;
use crate::pooling::store::pools_move;
use crate::storage::{Tx, ensure_rows};

/// `$1` plate; only while it has no run that counts.
pub const DISCARD: &str = "update plate set state = 'closed' where code = $1 and state = 'frozen'
    and not exists (select 1 from run r where r.plate_code = plate.code and r.state <> 'void')";

/// `$1` plate.
pub const DISCARDED: &str = "select reason, discarded_by, discarded_us from plate_discard
    where plate_code = $1";
/// Plate, reason, who, when.
pub const DISCARD_ADD: &str = "insert into plate_discard (plate_code, reason, discarded_by,
        discarded_us) values ($1, $2, $3, $4)";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] =
    &[("DISCARD", DISCARD), ("DISCARDED", DISCARDED), ("DISCARD_ADD", DISCARD_ADD)];

/// Why a plate is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DiscardReason {
    /// The robot did something else than planned.
    RobotDiffers,
    /// The robot stopped, and the plate cannot be finished.
    RobotStopped,
    /// It was spilled, dropped or dried out.
    Spilled,
    /// Something got into it that does not belong there.
    Contaminated,
    /// The layout was a mistake.
    WrongLayout,
}

/// What is said of a plate that is given up.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscardRequest {
    /// Why.
    pub reason: DiscardReason,
}

/// How a plate was given up.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, Serialize, Deserialize, ToSchema)]
pub struct Discarded {
    /// Why.
    pub reason: DiscardReason,
    /// The account.
    #[sqlx(rename = "discarded_by")]
    pub by: String,
    /// When.
    #[sqlx(rename = "discarded_us")]
    pub at: Time,
}

/// How that plate was given up, if it was.
pub(super) async fn find(tx: &mut Tx, plate: &PlateCode) -> Result<Option<Discarded>> {
    Ok(on!(tx, c => query_as(DISCARDED).bind(plate).fetch_optional(c).await)?)
}

/// Gives a frozen plate without a run up: it is closed, and its tubes are received again, to go on
/// another plate. The same person with the same reason again is the same answer.
#[utoipa::path(post, path = "/v1/plates/{code}/discard", tag = "plate", security(("bearer" = [])),
    params(("code" = String, Path, description = "plate")), request_body = DiscardRequest,
    responses((status = 200, body = PlateAnswer), (status = 409, body = Problem)))]
pub async fn discard_post(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Json(request): Json<DiscardRequest>,
) -> Result<Json<PlateAnswer>> {
    let mut tx = app.db.write("plate.discard").await?;
    let code = codes::plate_code(&mut tx, &code).await?;
    let plate = frozen(&mut tx, &actor, &code).await?;
    if plate.state == "frozen" {
        let at = app.clock.now();
        give_up(&mut tx, &plate, (&actor.account, request.reason), at).await?;
        let detail = json!({ "reason": request.reason, "tubes": plate.made.layout.tubes().len() });
        let (action, about) = ("plate.discard", code.as_str());
        audit::record(&mut tx, Entry { at, actor: &actor, action, about, detail }).await?;
    } else {
        refuse_another(&plate, &actor.account, request.reason)?;
    }
    let plate = store::plate_get(&mut tx, &code).await?;
    tx.commit().await?;
    Ok(Json(plate.into()))
}

/// A closed plate answers only to whoever gave it up for that reason.
fn refuse_another(plate: &StoredPlate, account: &str, reason: DiscardReason) -> Result<()> {
    let code = &plate.code;
    let Some(said) = &plate.discarded else {
        let message = match &plate.stamped_onto {
            Some(onto) => format!("plate {code} was stamped onto {onto}; discard that one"),
            None => format!("plate {code} is closed by its run and was not discarded"),
        };
        return Err(Error::conflict("plate.closed", code.as_str(), message));
    };
    let other = |field| {
        let message = format!("plate {code} was discarded before with another {field}; that stays");
        Reason::new("plate.discarded", field, message)
    };
    let by = (said.by != account).then(|| other("person"));
    let why = (said.reason != reason).then(|| other("reason"));
    let reasons: Vec<_> = by.into_iter().chain(why).collect();
    if reasons.is_empty() { Ok(()) } else { Err(Error::Conflict(reasons)) }
}

async fn give_up(
    tx: &mut Tx,
    plate: &StoredPlate,
    (account, reason): (&str, DiscardReason),
    at: Time,
) -> Result<()> {
    let code = &plate.code;
    let closed = on!(tx, c => query(DISCARD).bind(code)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if closed == 0 {
        return Err(Error::conflict(
            "plate.has_run",
            code.as_str(),
            format!("plate {code} has a run; void that, which gives its tubes back"),
        ));
    }
    on!(tx, c => query(DISCARD_ADD).bind(code).bind(reason).bind(account).bind(at)
        .execute(c).await.map(drop))?;
    let tubes: Vec<&str> = plate.made.layout.tubes().into_keys().collect();
    let step = TubesMove { from: TubeState::Plated, to: TubeState::Received, at, laboratory: None };
    let moved = tubes_move(tx, &tubes, step).await?;
    ensure_rows("TUBES_MOVE", tubes.len() as u64, moved)?;
    let pools: Vec<&str> = plate.made.layout.pools().into_keys().collect();
    let step = (PoolState::Plated, PoolState::Open);
    let moved = pools_move(tx, &pools, step, at).await?;
    Ok(ensure_rows("POOLS_MOVE", pools.len() as u64, moved)?)
}
