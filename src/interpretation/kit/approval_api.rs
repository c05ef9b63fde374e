//! Routes of the kit's two decisions: another person approves a version, and somebody withdraws it.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::{KitAnswer, answer, is_shipped, locked};
use super::rules::{self, Changed};
use super::{shadow_union, store};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::error::{Error, Result, refuse_if_any};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;

/// Longest reason of a withdrawal, in characters.
const REASON_MAX: usize = 500;

/// What an approver states.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequest {
    /// Changed calls that the approver looked at, over all shadow runs of the version; 0 without
    /// one.
    pub changed_calls: u32,
    /// Changed verdicts of plates likewise.
    #[serde(default)]
    pub changed_verdicts: u32,
}

/// Another person approves a proposal; the same person's approval again is answered again.
#[utoipa::path(post, path = "/v1/kits/{code}/versions/{version}/approve", tag = "kit",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "kit"), ("version" = String, Path)),
    request_body = ApprovalRequest,
    responses((status = 200, body = KitAnswer), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn approve_post(
    State(app): State<App>,
    actor: Actor,
    Path((code, version)): Path<(String, String)>,
    Json(request): Json<ApprovalRequest>,
) -> Result<Json<KitAnswer>> {
    let mut tx = app.db.write("kit.approve").await?;
    let name = (code.as_str(), version.as_str());
    let stored = locked(&app, &mut tx, name).await?;
    let (calls, verdicts) = (request.changed_calls.into(), request.changed_verdicts.into());
    let seen = Changed { calls, verdicts };
    let again = stored.approved_by.as_deref() == Some(actor.account.as_str());
    if again && stored.seen() == Some(seen) {
        return Ok(Json(answer(&app, &mut tx, &actor, name).await?));
    }
    let (runs, shown) = shadow_union::evidence(&mut tx, &actor, &app.kits, &stored.kit()?).await?;
    let people = (stored.proposed_by.as_str(), actor.account.as_str());
    refuse_if_any(rules::against_approval(people, runs, shown, seen))?;
    let at = app.clock.now();
    if !store::version_approve(&mut tx, name, (&actor.account, at), seen).await? {
        let message = "this version was approved or withdrawn already; look at it first";
        return Err(Error::conflict("kit.settled", &version, message));
    }
    let detail = json!({ "version": version, "shadow_runs": shown.runs,
        "changed_calls": seen.calls, "changed_verdicts": seen.verdicts });
    let entry = Entry { at, actor: &actor, action: "kit.approve", about: &code, detail };
    audit::record(&mut tx, entry).await?;
    let answer = answer(&app, &mut tx, &actor, name).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

/// Why a version is withdrawn.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawalRequest {
    /// Why, in 1 to 500 characters.
    pub reason: String,
}

/// Withdraws a version for good, also one that came with the program: no plate is made for it, and
/// no run of it is accepted or released.
#[utoipa::path(post, path = "/v1/kits/{code}/versions/{version}/withdraw", tag = "kit",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "kit"), ("version" = String, Path)),
    request_body = WithdrawalRequest,
    responses((status = 200, body = KitAnswer), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn withdraw_post(
    State(app): State<App>,
    actor: Actor,
    Path((code, version)): Path<(String, String)>,
    Json(request): Json<WithdrawalRequest>,
) -> Result<Json<KitAnswer>> {
    let reason = request.reason.trim();
    if !(1..=REASON_MAX).contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
        let message = "give the reason in 1 to 500 visible characters";
        return Err(Error::invalid("kit.reason", "reason", message));
    }
    let mut tx = app.db.write("kit.withdraw").await?;
    let name = (code.as_str(), version.as_str());
    let shipped = is_shipped(&app, name);
    let before = if shipped {
        store::withdrawal_find(&mut tx, name).await?.map(|found| found.reason)
    } else {
        locked(&app, &mut tx, name).await?.withdrawn_reason
    };
    if before.as_deref() == Some(reason) {
        return Ok(Json(answer(&app, &mut tx, &actor, name).await?));
    }
    let (at, account) = (app.clock.now(), actor.account.as_str());
    let withdrawn = if shipped {
        store::shipped_withdraw(&mut tx, name, (account, at), reason).await?
    } else {
        store::version_withdraw(&mut tx, name, (account, at), reason).await?
    };
    if !withdrawn {
        let message = "this version was withdrawn already, for another reason; look at it";
        return Err(Error::conflict("kit.settled", &version, message));
    }
    let detail = json!({ "version": version, "reason": reason });
    let entry = Entry { at, actor: &actor, action: "kit.withdraw", about: &code, detail };
    audit::record(&mut tx, entry).await?;
    let answer = answer(&app, &mut tx, &actor, name).await?;
    tx.commit().await?;
    Ok(Json(answer))
}
