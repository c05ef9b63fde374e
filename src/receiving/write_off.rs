//! A lost tube given up: its way ends, and its members are asked to come again.
//!
//! A tube can be lost before any laboratory could miss it, so that a sealed or a packed one is
//! given up as well as one an arrival missed.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::{self, TubeCode};
use crate::clock::Time;
use crate::collection::{self, TubeState, TubesMove};
use crate::error::{Error, Result};
use crate::http::extract::{Json, Path};
use crate::http::idempotency::{self, Attempt, IdempotencyKey};
use crate::http::problem::Problem;
use crate::recall::store::recalls_open;
use crate::recall::{Opening, RecallReason};
use crate::storage::Tx;

/// Why a tube is given up; coded, because free text would invite names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteOffReason {
    /// Searched for and not found.
    NotFound,
    /// Lost on the road.
    LostInTransit,
    /// Destroyed before it reached a laboratory.
    Destroyed,
}

/// A tube to be given up.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteOffRequest {
    /// Why.
    pub reason: WriteOffReason,
}

/// A tube that was given up.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WriteOffAnswer {
    /// Its code.
    pub tube: String,
    /// Where it is now: closed.
    pub state: TubeState,
    /// Members recalled.
    pub recalls: u64,
}

/// Gives a tube up that no laboratory has, and recalls its members.
#[utoipa::path(post, path = "/v1/tubes/{code}/write-off", tag = "receiving",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "the tube code"),
        ("Idempotency-Key" = String, Header, description = "a fresh id; the same on a retry")),
    request_body = WriteOffRequest,
    responses((status = 200, body = WriteOffAnswer), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn write_off_post(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    key: IdempotencyKey,
    Json(request): Json<WriteOffRequest>,
) -> Result<Response> {
    let at = app.clock.now();
    let mut tx = app.db.write("tube.write_off").await?;
    let patterns = barcode::store::patterns(&mut tx).await?;
    let code = TubeCode::parse(&code, &patterns)
        .map_err(|fault| Error::invalid("tube.code", "code", fault.to_string()))?;
    let fresh = match idempotency::begin(&mut tx, &actor, key, at, &(&code, request)).await? {
        Attempt::Replay(answer) => return Ok(answer),
        Attempt::Fresh(fresh) => fresh,
    };
    let was = tube_close(&mut tx, &actor, &code, at).await?;
    let opening = Opening::due_in(RecallReason::Missing, at, app.config.recall_hours);
    let recalls = recalls_open(&mut tx, &app.clock, &[&code], opening).await?;
    let detail = json!({ "reason": request.reason, "was": was, "recalls": recalls });
    let (about, action) = (code.as_str(), "tube.write_off");
    audit::record(&mut tx, Entry { at, actor: &actor, action, about, detail }).await?;
    let answer = WriteOffAnswer { tube: code.to_string(), state: TubeState::Closed, recalls };
    fresh.finish(tx, StatusCode::OK, &answer).await
}

/// Ends the tube's way wherever it was lost; says where that was.
async fn tube_close(tx: &mut Tx, actor: &Actor, code: &TubeCode, at: Time) -> Result<TubeState> {
    let known = collection::tubes_find(tx, [code]).await?.pop();
    let known = known.ok_or_else(|| Error::not_found("tube", code.as_str()))?;
    actor.at_site(&known.site_code)?;
    if !is_lost(known.state) {
        return Err(Error::conflict(
            "tube.not_lost",
            code.as_str(),
            format!(
                "tube {code} is {}; only a tube that is still on its way or missing is given up",
                known.state.as_str()
            ),
        ));
    }
    let step = TubesMove { from: known.state, to: TubeState::Closed, at, laboratory: None };
    if collection::tubes_move(tx, [code], step).await? != 1 {
        let message = format!("tube {code} moved just now; look where it is and send it again");
        return Err(Error::conflict("tube.concurrent", code.as_str(), message));
    }
    Ok(known.state)
}

/// Whether nobody in a laboratory ever had the tube.
const fn is_lost(state: TubeState) -> bool {
    matches!(state, TubeState::Sealed | TubeState::Packed | TubeState::Missing)
}
