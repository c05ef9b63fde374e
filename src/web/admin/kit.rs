//! One version of a kit: what its shadow runs showed, and what two people do with it (R17).

use std::iter;

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
use crate::interpretation::kit::api::{KitAnswer, kit_get, kits_get};
use crate::interpretation::kit::approval_api::{
    ApprovalRequest, WithdrawalRequest, approve_post, withdraw_post,
};
use crate::interpretation::kit::shadow_api::{ShadowRequest, shadow_post};
use crate::interpretation::{Disposition, Outcome};
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
    tried_on: Vec<TriedOn>,
    /// Runs shown here that it cannot read.
    unread: usize,
    reasons: Vec<Reason>,
}

/// A kit over whose runs the version can be run in shadow.
struct TriedOn {
    code: String,
    name: String,
    chosen: bool,
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

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands out references")]
    const fn then(disposition: &Disposition) -> &'static str {
        match disposition {
            Disposition::Report(_) => "admin-shadow-report",
            Disposition::Retest => "admin-shadow-retest",
            Disposition::Recall => "admin-shadow-recall",
        }
    }
}

type Name = Path<(String, String)>;

/// One version; `of` is the kit whose runs were chosen, its own where nobody chose.
async fn one(app: &App, page: Page, actor: &Actor, name: Name, of: &str) -> Result<OneKit> {
    let Json(kit) = kit_get(State(app.clone()), actor.clone(), name).await?;
    let Json(list) = kits_get(State(app.clone())).await?;
    let definition = serde_json::to_string_pretty(&kit.definition)
        .map_err(|error| Error::Internal(format!("a kit cannot be written down: {error}")))?;
    let runs = kit.shadow.iter().flat_map(|shadow| &shadow.differences);
    let unread = runs.filter(|run| !run.refusals.is_empty()).count();
    let tried_on = tried_on(&kit, &list.kits, of);
    let (key, changes) = (app.clock.id().to_string(), changes(actor));
    Ok(OneKit { page, kit, definition, changes, key, tried_on, unread, reasons: Vec::new() })
}

/// Each kit once, this one first: a new code has no runs of its own, so it is tried on those of the
/// kit it comes from.
fn tried_on(kit: &KitAnswer, all: &[KitAnswer], of: &str) -> Vec<TriedOn> {
    let chosen = if of.is_empty() { kit.code.as_str() } else { of };
    let mut found: Vec<TriedOn> = Vec::new();
    for KitAnswer { code, name, .. } in iter::once(kit).chain(all) {
        if !found.iter().any(|one| one.code == *code) {
            let (code, name, chosen) = (code.clone(), name.clone(), code == chosen);
            found.push(TriedOn { code, name, chosen });
        }
    }
    found
}

/// One version.
pub async fn kit_page_get(
    State(app): State<App>,
    page: Page,
    actor: Actor,
    name: Name,
) -> Result<Html<String>> {
    html(&one(&app, page, &actor, name, "").await?)
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
    /// Code of the kit whose last runs are read.
    #[serde(default)]
    kit: String,
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
    let of = act.kit.clone();
    match done(&app, &actor, Path(name.clone()), act).await {
        Ok(()) => Ok(Redirect::to(&at).into_response()),
        Err(error) => {
            let reasons = told(error)?;
            let again = OneKit { reasons, ..one(&app, page, &actor, Path(name), &of).await? };
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
            let other = Some(act.kit).filter(|kit| !kit.is_empty() && *kit != name.0.0);
            let request = ShadowRequest { runs: Vec::new(), last: Some(last), kit: other };
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
