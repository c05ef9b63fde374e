//! A frozen plate that cannot be used is given up, and its tubes may go on another.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::query;
use utoipa::ToSchema;

use super::api::{PlateAnswer, frozen};
use super::store::{self, StoredPlate};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::store as codes;
use crate::clock::Time;
use crate::collection::{TubeState, TubesMove, tubes_move};
use crate::error::{Error, Result};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::pooling::PoolState;
use crate::pooling::store::pools_move;
use crate::storage::{Tx, ensure_rows};

/// `$1` plate; only while it has no run that counts.
pub const DISCARD: &str = "update plate set state = 'closed' where code = $1 and state = 'frozen'
    and not exists (select 1 from run r where r.plate_code = plate.code and r.state <> 'void')";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("DISCARD", DISCARD)];

/// Why a plate is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
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

/// Gives a frozen plate without a run up: it is closed, and its tubes are received again, to go on
/// another plate. Again is the same answer.
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
        give_up(&mut tx, &plate, at).await?;
        let detail = json!({ "reason": request.reason, "tubes": plate.made.layout.tubes().len() });
        let (action, about) = ("plate.discard", code.as_str());
        audit::record(&mut tx, Entry { at, actor: &actor, action, about, detail }).await?;
    }
    let plate = store::plate_get(&mut tx, &code).await?;
    tx.commit().await?;
    Ok(Json(plate.into()))
}

async fn give_up(tx: &mut Tx, plate: &StoredPlate, at: Time) -> Result<()> {
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
    let tubes: Vec<&str> = plate.made.layout.tubes().into_keys().collect();
    let step = TubesMove { from: TubeState::Plated, to: TubeState::Received, at, laboratory: None };
    let moved = tubes_move(tx, &tubes, step).await?;
    ensure_rows("TUBES_MOVE", tubes.len() as u64, moved)?;
    let pools: Vec<&str> = plate.made.layout.pools().into_keys().collect();
    let step = (PoolState::Plated, PoolState::Open);
    let moved = pools_move(tx, &pools, step, at).await?;
    Ok(ensure_rows("POOLS_MOVE", pools.len() as u64, moved)?)
}
