//! Who must be collected again: by deadline and area, to be read, called and printed.
//!
//! The list is that of `GET /v1/recalls`, so whoever sees names here left the same audit row.

use askama::Template;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::resident::minute;
use super::sign_in::local;
use super::{Page, html};
use crate::app::App;
use crate::auth::{Actor, Role};
use crate::barcode::PlaceCode;
use crate::clock::{Span, Time};
use crate::collection::place::store::{Listed, sites};
use crate::error::{Error, Result};
use crate::http::extract::{Form, Json, Path, Query};
use crate::http::page::Cursor;
use crate::recall::api::{
    ContactMade, ContactRequest, RecallAnswer, RecallsAnswer, RecallsQuery, recall_put, recalls_get,
};
use crate::recall::store::Position;
use crate::recall::{Contact, RecallReason, RecallState};

/// A deadline nearer than this is soon.
const SOON: Span = Span::hours(6);

#[derive(Template)]
#[template(path = "recalls.html")]
struct Recalls {
    page: Page,
    /// Whether this person calls people, and sees whom.
    calls: bool,
    answer: RecallsAnswer,
    rows: Vec<Row>,
    sites: Vec<Listed>,
    areas: Vec<String>,
    chosen: Chosen,
    next: String,
    printed: String,
}

/// What was chosen, as the form shows it again.
#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub struct Chosen {
    state: String,
    area: String,
    site: String,
    after: Option<Cursor<Position>>,
}

/// One person to come again, in words.
struct Row {
    id: String,
    due: String,
    /// `late`, `soon` or nothing.
    urgency: &'static str,
    reason: &'static str,
    state: &'static str,
    is_open: bool,
    tube: String,
    site: String,
    answer: String,
    name: String,
    phone: String,
    address: String,
    contact: &'static str,
    note: String,
}

impl Row {
    fn new(recall: &RecallAnswer, now: Time) -> Self {
        let is_open = recall.state == RecallState::Open;
        let urgency = match is_open {
            true if recall.due_at < now => "late",
            true if recall.due_at < now + SOON => "soon",
            _ => "",
        };
        let follow_up = recall.follow_up.as_ref();
        let identity = follow_up.and_then(|follow| follow.identity.as_ref());
        let text = |found: Option<&String>| found.cloned().unwrap_or_default();
        Self {
            id: recall.id.clone(),
            due: minute(recall.due_at),
            urgency,
            reason: reason(recall.reason),
            state: state(recall.state),
            is_open,
            tube: recall.origin_tube.clone(),
            site: recall.site.clone(),
            answer: text(recall.answer_tube.as_ref()),
            name: text(identity.map(|known| &known.name)),
            phone: text(identity.and_then(|known| known.phone.as_ref())),
            address: text(identity.and_then(|known| known.address.as_ref())),
            contact: contact(follow_up.map_or(Contact::None, |follow| follow.contact)),
            note: text(follow_up.map(|follow| &follow.note)),
        }
    }
}

const fn reason(reason: RecallReason) -> &'static str {
    match reason {
        RecallReason::Detected => "recalls-detected",
        RecallReason::Inconclusive => "recalls-inconclusive",
        RecallReason::Invalid => "recalls-invalid",
        RecallReason::Refused => "recalls-refused",
        RecallReason::Missing => "recalls-missing",
    }
}

const fn state(state: RecallState) -> &'static str {
    match state {
        RecallState::Open => "recalls-open",
        RecallState::Collected => "recalls-collected",
        RecallState::Closed => "recalls-closed",
    }
}

const fn contact(contact: Contact) -> &'static str {
    match contact {
        Contact::None => "recalls-not-called",
        Contact::Informed => "recalls-informed",
        Contact::Unreachable => "recalls-unreachable",
        Contact::Declined => "recalls-declined",
    }
}

impl Chosen {
    fn asked(&self) -> Result<RecallsQuery> {
        let state = match self.state.as_str() {
            "open" => Some(RecallState::Open),
            "collected" => Some(RecallState::Collected),
            "closed" => Some(RecallState::Closed),
            _ => None,
        };
        let site = Some(self.site.trim()).filter(|site| !site.is_empty());
        let site = site.map(PlaceCode::parse).transpose();
        let site = site.map_err(|error| Error::invalid("place.code", "site", error.to_string()))?;
        let area = Some(self.area.clone()).filter(|area| !area.is_empty());
        Ok(RecallsQuery { state, site, area, after: self.after.clone(), limit: None })
    }

    /// The query of the page behind this one.
    fn next(&self, after: Option<&Cursor<Position>>) -> String {
        let Some(after) = after else { return String::new() };
        let after = serde_json::to_value(after).unwrap_or_default();
        let fields = [
            ("state", self.state.as_str()),
            ("area", &self.area),
            ("site", &self.site),
            ("after", after.as_str().unwrap_or_default()),
        ];
        serde_urlencoded::to_string(fields).unwrap_or_default()
    }
}

/// The list.
pub async fn recalls_page_get(
    State(app): State<App>,
    page: Page,
    actor: Actor,
    Query(chosen): Query<Chosen>,
) -> Result<Html<String>> {
    let mut tx = app.db.read("recalls.sites").await?;
    let mut sites = sites(&mut tx).await?;
    drop(tx);
    sites.retain(|site| actor.site.as_ref().is_none_or(|own| *own == site.code));
    let mut areas: Vec<_> = sites.iter().map(|site| site.area.clone()).collect();
    areas.dedup();
    let calls = actor.role == Role::Officer;
    let Json(answer) = recalls_get(State(app.clone()), actor, Query(chosen.asked()?)).await?;
    let now = app.clock.now();
    let rows = answer.recalls.iter().map(|recall| Row::new(recall, now)).collect();
    let next = chosen.next(answer.next.as_ref());
    html(&Recalls { page, calls, answer, rows, sites, areas, chosen, next, printed: minute(now) })
}

/// What came of a call, and the page to go back to.
#[derive(Deserialize)]
pub struct Called {
    contact: ContactMade,
    #[serde(default)]
    note: String,
    #[serde(default)]
    back: String,
}

/// Notes what came of a call.
pub async fn called_post(
    State(app): State<App>,
    actor: Actor,
    Path(id): Path<String>,
    Form(called): Form<Called>,
) -> Result<Response> {
    let request = ContactRequest { contact: called.contact, note: called.note };
    recall_put(State(app), actor, Path(id), Json(request)).await?;
    Ok(Redirect::to(local(&called.back)).into_response())
}
