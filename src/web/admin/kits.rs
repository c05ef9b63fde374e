//! Versions of kits, put in force by a second person and withdrawn for good, and the templates of
//! plates that there are.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::told;
use crate::app::App;
use crate::auth::{Actor, Role};
use crate::error::{Error, Reason, Result};
use crate::http::extract::{Form, Json, Path};
use crate::interpretation::kit::api::{KitAnswer, kits_get};
use crate::interpretation::kit::approval_api::{
    ApprovalRequest, WithdrawalRequest, approve_post, withdraw_post,
};
use crate::plate::{Template as PlateTemplate, templates};
use crate::web::{Page, html};

#[expect(clippy::struct_field_names, reason = "the template reads them as what they are")]
#[derive(Template)]
#[template(path = "admin_kits.html")]
struct Kits {
    page: Page,
    kits: Vec<KitAnswer>,
    changes: bool,
    templates: Vec<PlateTemplate>,
    reasons: Vec<Reason>,
}

impl Kits {
    /// What a state, or a purpose, is called in the catalogue.
    fn word(of: &impl serde::Serialize) -> &'static str {
        let word = serde_json::to_value(of).unwrap_or_default();
        match word.as_str().unwrap_or_default() {
            "shipped" => "admin-kit-shipped",
            "proposed" => "admin-kit-proposed",
            "approved" => "admin-kit-approved",
            "withdrawn" => "admin-kit-withdrawn",
            "clinical" => "admin-kit-clinical",
            "unproven" => "admin-kit-unproven",
            _ => "admin-kit-demonstration",
        }
    }
}

async fn kits(app: &App, page: Page, actor: &Actor) -> Result<Kits> {
    let Json(list) = kits_get(State(app.clone())).await?;
    let changes = matches!(actor.role, Role::Administrator | Role::Reviewer);
    let page = Page { path: "/admin/kits".to_owned(), ..page };
    Ok(Kits { page, kits: list.kits, changes, templates: templates(), reasons: Vec::new() })
}

/// Every version, and every template.
pub async fn kits_page_get(
    State(app): State<App>,
    page: Page,
    actor: Actor,
) -> Result<Html<String>> {
    html(&kits(&app, page, &actor).await?)
}

/// What to do with a version.
#[expect(clippy::struct_field_names, reason = "the form names it so")]
#[derive(Deserialize)]
pub struct Act {
    act: String,
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

/// Approves or withdraws a version.
pub async fn kit_post(
    State(app): State<App>,
    page: Page,
    actor: Actor,
    Path((code, version)): Path<(String, String)>,
    Form(act): Form<Act>,
) -> Result<Response> {
    let (state, by, path) = (State(app.clone()), actor.clone(), Path((code, version)));
    let done = match act.act.as_str() {
        "approve" => match act.seen() {
            Ok(seen) => approve_post(state, by, path, Json(seen)).await,
            Err(unsaid) => Err(unsaid),
        },
        "withdraw" => {
            withdraw_post(state, by, path, Json(WithdrawalRequest { reason: act.reason })).await
        }
        _ => Err(Error::invalid("kit.act", "act", "choose what is to be done")),
    };
    match done {
        Ok(_) => Ok(Redirect::to("/admin/kits").into_response()),
        Err(error) => {
            let reasons = told(error)?;
            let again = Kits { reasons, ..kits(&app, page, &actor).await? };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, html(&again)?).into_response())
        }
    }
}
