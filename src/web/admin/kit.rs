//! One version of a kit: what its shadow runs showed, and what two people do with it (R17).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::kits::{changes, word};
use super::told;
use crate::app::App;
use crate::auth::Actor;
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::http::extract::{Form, Json, Path};
use crate::http::idempotency::IdempotencyKey;
use crate::interpretation::Outcome;
use crate::interpretation::kit::api::{KitAnswer, kit_get};
use crate::interpretation::kit::approval_api::{
    ApprovalRequest, WithdrawalRequest, approve_post, withdraw_post,
};
use crate::interpretation::kit::shadow_api::{ShadowRequest, shadow_post};
use crate::web::resident::minute;
use crate::web::{Page, html};

#[derive(Template)]
#[template(path = "admin_kit.html")]
struct OneKit {
    page: Page,
    kit: KitAnswer,
    definition: String,
    changes: bool,
    key: String,
    reasons: Vec<Reason>,
}

impl OneKit {
    fn word(of: &impl Serialize) -> &'static str {
        word(of)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands out references")]
    fn at(time: &Time) -> String {
        minute(*time)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands out references")]
    const fn outcome(outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Detected => "run-detected",
            Outcome::NotDetected => "run-not-detected",
            Outcome::Inconclusive => "run-inconclusive",
            Outcome::Invalid => "run-invalid",
        }
    }
}

type Name = Path<(String, String)>;

async fn one(app: &App, page: Page, actor: &Actor, name: Name) -> Result<OneKit> {
    let Json(kit) = kit_get(State(app.clone()), actor.clone(), name).await?;
    let definition = serde_json::to_string_pretty(&kit.definition)
        .map_err(|error| Error::Internal(format!("a kit cannot be written down: {error}")))?;
    let key = app.clock.id().to_string();
    Ok(OneKit { page, kit, definition, changes: changes(actor), key, reasons: Vec::new() })
}

/// One version.
pub async fn kit_page_get(
    State(app): State<App>,
    page: Page,
    actor: Actor,
    name: Name,
) -> Result<Html<String>> {
    html(&one(&app, page, &actor, name).await?)
}

/// What to do with a version.
#[expect(clippy::struct_field_names, reason = "the form names it so")]
#[derive(Deserialize)]
pub struct Act {
    act: String,
    /// Of a shadow run, so that one asked for twice is one.
    #[serde(default)]
    key: String,
    #[serde(default)]
    last: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    changed_calls: String,
    #[serde(default)]
    changed_verdicts: String,
}

impl Act {
    /// What the approver saw changed: a person counts it and says so, and an empty field is no 0.
    fn seen(&self) -> Result<ApprovalRequest> {
        let stated = |code, about: &str, what: &str, count: &str| {
            let message = format!("say how many changed {what} you looked at, 0 if none changed");
            count.trim().parse().map_err(|_unread| Error::invalid(code, about, message))
        };
        let (calls, verdicts) = (&self.changed_calls, &self.changed_verdicts);
        Ok(ApprovalRequest {
            changed_calls: stated("kit.changed_calls", "changed_calls", "calls", calls)?,
            changed_verdicts: stated(
                "kit.changed_verdicts",
                "changed_verdicts",
                "verdicts",
                verdicts,
            )?,
        })
    }
}

/// Reads stored runs with a version, approves it or withdraws it.
pub async fn kit_post(
    State(app): State<App>,
    page: Page,
    actor: Actor,
    Path(name): Name,
    Form(act): Form<Act>,
) -> Result<Response> {
    let at = format!("/admin/kits/{}/{}", name.0, name.1);
    match done(&app, &actor, Path(name.clone()), act).await {
        Ok(()) => Ok(Redirect::to(&at).into_response()),
        Err(error) => {
            let reasons = told(error)?;
            let again = OneKit { reasons, ..one(&app, page, &actor, Path(name)).await? };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, html(&again)?).into_response())
        }
    }
}

async fn done(app: &App, actor: &Actor, name: Name, act: Act) -> Result<()> {
    let (state, by) = (State(app.clone()), actor.clone());
    match act.act.as_str() {
        "shadow" => {
            let last = act.last.trim().parse().map_err(|_no_number| {
                let message = "say how many of the last runs are to be read";
                Error::invalid("kit.shadow_runs", "last", message)
            })?;
            let request = ShadowRequest { runs: Vec::new(), last: Some(last), kit: None };
            let key = IdempotencyKey::parse(&act.key)?;
            shadow_post(state, by, name, key, Json(request)).await.map(drop)
        }
        "approve" => approve_post(state, by, name, Json(act.seen()?)).await.map(drop),
        "withdraw" => {
            let request = WithdrawalRequest { reason: act.reason };
            withdraw_post(state, by, name, Json(request)).await.map(drop)
        }
        _ => Err(Error::invalid("kit.act", "act", "choose what is to be done")),
    }
}
