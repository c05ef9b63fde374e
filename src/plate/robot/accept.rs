//! A second person, not the one who brought a log, explains its differences.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::{TransferAnswer, answer};
use super::store::{self, Accepted, StoredLog};
use super::{Explanation, unexplained};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::store as codes;
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::plate::api as plates;

/// Why a second person takes the differences of a log for harmless.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// Together they must cover every open difference.
    pub explanations: Vec<Explanation>,
}

/// A second person, not the one who brought the log, explains what is open.
#[utoipa::path(post, path = "/v1/plates/{code}/transfers/{id}/accept", tag = "plate",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "plate"),
        ("id" = String, Path, description = "log")),
    request_body = AcceptRequest,
    responses((status = 200, body = TransferAnswer), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn transfer_accept_post(
    State(app): State<App>,
    actor: Actor,
    Path((code, log)): Path<(String, String)>,
    Json(mut request): Json<AcceptRequest>,
) -> Result<Json<TransferAnswer>> {
    request.explanations.sort_unstable();
    request.explanations.dedup();
    let mut tx = app.db.write("plate.accept_transfers").await?;
    let code = codes::plate_code(&mut tx, &code).await?;
    plates::frozen(&mut tx, &actor, &code).await?;
    let logs = store::logs(&mut tx, code.as_str()).await?;
    let stored = logs.iter().find(|stored| stored.id == log);
    let stored = stored.ok_or_else(|| Error::not_found("log", &log))?;
    if said_before(stored, &actor, &request)? {
        return Ok(Json(answer(&code, stored.clone())));
    }
    refuse_if_any(against_accepting(stored, &logs, &actor, &request))?;
    let (at, explanations) = (app.clock.now(), request.explanations);
    let accepted = Accepted { explanations, by: actor.account.clone(), at };
    store::accept(&mut tx, &stored.id, &accepted).await?;
    let detail = json!({ "log": stored.id, "explanations": accepted.explanations,
        "differences": stored.differences.len() });
    let (action, about) = ("plate.accept_transfers", code.as_str());
    audit::record(&mut tx, Entry { at, actor: &actor, action, about, detail }).await?;
    tx.commit().await?;
    Ok(Json(answer(&code, StoredLog { accepted: Some(accepted), ..stored.clone() })))
}

/// Whether the same person said the same before; another word is a contradiction.
fn said_before(log: &StoredLog, actor: &Actor, request: &AcceptRequest) -> Result<bool> {
    match &log.accepted {
        None => Ok(false),
        Some(said) if said.by == actor.account && said.explanations == request.explanations => {
            Ok(true)
        }
        Some(_) => Err(Error::conflict(
            "transfer.accepted",
            &log.id,
            format!("log {} was explained before, and what was said stays", log.number),
        )),
    }
}

/// Every reason why this person may not accept this log with these explanations.
fn against_accepting(
    log: &StoredLog,
    logs: &[StoredLog],
    actor: &Actor,
    request: &AcceptRequest,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if log.read_by == actor.account {
        let message = "you brought this log in; another person has to explain it";
        reasons.push(Reason::new("transfer.same_person", &log.id, message));
    }
    if logs.last().is_some_and(|newest| newest.id != log.id) {
        let message = "a later log speaks for the plate; explain that one";
        reasons.push(Reason::new("transfer.superseded", &log.id, message));
    } else if store::open(logs).is_empty() {
        let message = "nothing is open; there is nothing to explain";
        reasons.push(Reason::new("transfer.nothing_open", &log.id, message));
    } else if request.explanations.is_empty() {
        let message = "say why the differences do no harm";
        reasons.push(Reason::new("transfer.no_explanation", "explanations", message));
    }
    let open: Vec<_> = store::open(logs).into_iter().cloned().collect();
    reasons.extend(unexplained(&open, &request.explanations).into_iter().map(|difference| {
        let reason = Reason::tagged("transfer", difference);
        let message = format!("{}; none of the explanations covers that", reason.message);
        Reason { message, ..reason }
    }));
    reasons
}
