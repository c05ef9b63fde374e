//! Every version of every kit, what proposes another, and the templates of plates that there are.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::{moment, told};
use crate::app::App;
use crate::auth::{Actor, Role};
use crate::error::{Reason, Result};
use crate::http::extract::{Form, Json, Path};
use crate::interpretation::kit::Kit;
use crate::interpretation::kit::api::{KitAnswer, KitRequest, kit_put, kits_get};
use crate::plate::{Template as PlateTemplate, templates};
use crate::web::{Page, html};

#[expect(clippy::struct_field_names, reason = "the template reads them as what they are")]
#[derive(Template)]
#[template(path = "admin_kits.html")]
struct Kits {
    page: Page,
    kits: Vec<KitAnswer>,
    changes: bool,
    templates: &'static [PlateTemplate],
    proposal: Proposal,
    reasons: Vec<Reason>,
}

impl Kits {
    fn word(of: &impl Serialize) -> &'static str {
        word(of)
    }
}

/// What a state, or a purpose, is called in the catalogue.
pub(super) fn word(of: &impl Serialize) -> &'static str {
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

/// Whether this person proposes versions and puts them in force.
pub(super) const fn changes(actor: &Actor) -> bool {
    matches!(actor.role, Role::Administrator | Role::Reviewer)
}

async fn kits(app: &App, page: Page, actor: &Actor) -> Result<Kits> {
    let Json(list) = kits_get(State(app.clone())).await?;
    Ok(Kits {
        page: Page { path: "/admin/kits".to_owned(), ..page },
        kits: list.kits,
        changes: changes(actor),
        templates: templates(),
        proposal: Proposal::default(),
        reasons: Vec::new(),
    })
}

/// Every version, and every template.
pub async fn kits_page_get(
    State(app): State<App>,
    page: Page,
    actor: Actor,
) -> Result<Html<String>> {
    html(&kits(&app, page, &actor).await?)
}

/// A version that is proposed.
#[derive(Clone, Default, Deserialize)]
pub struct Proposal {
    #[serde(default)]
    toml: String,
    #[serde(default)]
    from: String,
}

/// Proposes a version, whose file names kit and version itself.
pub async fn kits_post(
    State(app): State<App>,
    page: Page,
    actor: Actor,
    Form(proposal): Form<Proposal>,
) -> Result<Response> {
    match propose(&app, &actor, proposal.clone()).await {
        Ok(path) => Ok(Redirect::to(&path).into_response()),
        Err(error) => {
            let reasons = told(error)?;
            let again = Kits { proposal, reasons, ..kits(&app, page, &actor).await? };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, html(&again)?).into_response())
        }
    }
}

/// Gives the path of its page.
async fn propose(app: &App, actor: &Actor, Proposal { toml, from }: Proposal) -> Result<String> {
    // What cannot be read has no name; every fault of it is told before one is asked for.
    let named = |kit: Kit| (kit.code.clone(), kit.version.clone());
    let name = Kit::parse(&toml).map(named).unwrap_or_default();
    let effective_from = moment(&from, "kit.dates", "from")?;
    let request =
        KitRequest { definition: None, toml: Some(toml), effective_from, effective_until: None };
    let path = format!("/admin/kits/{}/{}", name.0, name.1);
    kit_put(State(app.clone()), actor.clone(), Path(name), Json(request)).await?;
    Ok(path)
}
