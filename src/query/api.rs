//! Residents asking for themselves, and health-code services asking for many.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::document::Document;
use super::guess::{Guesses, guess_count, guesses};
use super::store::{known, proves};
use super::{Status, rules};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::{Actor, Role};
use crate::clock::Time;
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::seal::PersonKey;
use crate::storage::Channel;

/// People in one batch at most.
const PEOPLE_MAX: usize = 1_000;
/// Longest pick-up code and longest link looked at.
const PROOF_MAX: usize = 256;
/// The account in whose name the audit trail records what residents without an account caused.
const RESIDENT: &str = "resident";

/// How somebody proves that they ask for themselves (R33): with a document and the code on the
/// slip given at the swab, or with a signed link.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusRequest {
    /// Whose status.
    pub document: Option<Document>,
    /// The code on one of the person's slips.
    #[schema(max_length = 256)]
    pub pickup_code: Option<String>,
    /// A signed link's token, instead of document and code.
    #[schema(max_length = 256)]
    pub link: Option<String>,
}

/// A complete proof, right or wrong.
enum Proof {
    Code(Document, String),
    Link(String),
}

/// One person's own status. A person nobody knows, a wrong code and an expired link are answered
/// alike; after ten wrong codes within 15 minutes that person is not answered for 15 minutes.
#[utoipa::path(post, path = "/v1/status", tag = "query", request_body = StatusRequest,
    responses((status = 200, body = Status), (status = 404, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem)))]
pub async fn status_post(
    State(app): State<App>,
    Json(request): Json<StatusRequest>,
) -> Result<Json<Status>, Problem> {
    match look_up(&app, &request.proof()?).await? {
        Look::Shown(status) => Ok(Json(status)),
        Look::Blocked(retry_after_s) => Err(Error::TooMany { retry_after_s }.into()),
        Look::NoMatch => Err(no_match()),
    }
}

enum Look {
    Shown(Status),
    Blocked(u32),
    NoMatch,
}

/// Does the same look-ups and comparisons whoever is asked for and however it ends; only a wrong
/// code writes. Guesses sent at once can pass the count together, as many as requests are worked
/// on at once; against 50 bits that is nothing.
async fn look_up(app: &App, proof: &Proof) -> Result<Look> {
    let now = app.clock.now();
    let (person, typed) = match proof {
        Proof::Code(document, code) => (Some(document.person(&app.keys)), Some(code.as_str())),
        Proof::Link(link) => (app.keys.open_link(link, now).ok(), None),
    };
    // A link that does not open still asks, for somebody nobody can be.
    let asked = person.clone().unwrap_or_else(|| app.keys.person_key("", ""));
    let mut tx = app.db.read("status").await?;
    let counted = guesses(&mut tx, &asked).await?;
    let proven = proves(&mut tx, &app.keys, &asked, typed.unwrap_or_default()).await?;
    if typed.is_some() {
        if let Some(seconds) = counted.and_then(|count| count.blocked_s(now)) {
            return Ok(Look::Blocked(seconds));
        }
        if !proven {
            drop(tx);
            count_guess(app, &asked, counted, now).await?;
            return Ok(Look::NoMatch);
        }
    }
    // Only now, so that a wrong code takes the same way for somebody known and for nobody.
    let found = known(&mut tx, person.as_ref()).await?.pop();
    Ok(found.map_or(Look::NoMatch, |(_, known)| Look::Shown(rules::status(&known))))
}

impl StatusRequest {
    fn proof(self) -> Result<Proof> {
        let whole = "send `document` and `pickup_code`, or `link` alone";
        match self {
            Self { document: Some(document), pickup_code: Some(code), link: None } => {
                let mut reasons = document.faults("document");
                reasons.extend(length_fault("pickup_code", &code));
                refuse_if_any(reasons)?;
                Ok(Proof::Code(document, code))
            }
            Self { document: None, pickup_code: None, link: Some(link) } => {
                refuse_if_any(length_fault("link", &link).into_iter().collect())?;
                Ok(Proof::Link(link))
            }
            _ => Err(Error::invalid("status.proof", "document", whole)),
        }
    }
}

fn length_fault(field: &str, proof: &str) -> Option<Reason> {
    if (1..=PROOF_MAX).contains(&proof.len()) {
        return None;
    }
    let message = format!("the {field} has 1 to {PROOF_MAX} bytes; send it as it was given to you");
    Some(Reason::new("status.proof", field, message))
}

fn no_match() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "status.no_match",
        "Nothing matches",
        "document and pick-up code, or the link, do not match; check both on the slip, or ask at \
         a sampling site",
    )
}

/// Counts a wrong guess; the one that begins a block leaves an audit row, so that a flood of
/// guesses does not become a flood of rows.
async fn count_guess(
    app: &App,
    person: &PersonKey,
    counted: Option<Guesses>,
    now: Time,
) -> Result<()> {
    let mut tx = app.db.write_on(Channel::Query, "status.guess").await?;
    guess_count(&mut tx, person, now).await?;
    if counted.is_some_and(|count| count.is_last(now)) {
        let actor = Actor {
            account: RESIDENT.to_owned(),
            name: RESIDENT.to_owned(),
            role: Role::Service,
            site: None,
            laboratory: None,
        };
        let (action, detail) = ("status.block", json!({}));
        let entry = Entry { at: now, actor: &actor, action, about: person.as_str(), detail };
        audit::record(&mut tx, entry).await?;
    }
    Ok(tx.commit().await?)
}

/// People whose status a service asks for.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusBatch {
    /// 1 to 1,000 people.
    #[schema(min_items = 1, max_items = 1000)]
    pub people: Vec<Document>,
}

/// As many answers as there were people, in their order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StatusAnswers {
    /// The answers.
    pub people: Vec<StatusAnswer>,
}

/// One person's answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StatusAnswer {
    /// The person key, as in the feed.
    pub person: String,
    /// What the person is shown; null for somebody who was never swabbed.
    pub status: Option<Status>,
}

/// Many people's status, for a health-code service.
#[utoipa::path(post, path = "/v1/status/batch", tag = "query", security(("bearer" = [])),
    request_body = StatusBatch,
    responses((status = 200, body = StatusAnswers), (status = 422, body = Problem)))]
pub async fn status_batch_post(
    State(app): State<App>,
    actor: Actor,
    Json(batch): Json<StatusBatch>,
) -> Result<Json<StatusAnswers>> {
    refuse_if_any(batch.faults())?;
    let people: Vec<_> = batch.people.iter().map(|document| document.person(&app.keys)).collect();
    let mut tx = app.db.read("status.batch").await?;
    let found: HashMap<_, _> = known(&mut tx, &people).await?.into_iter().collect();
    drop(tx);
    let mut tx = app.db.write_on(Channel::Query, "status.read").await?;
    let detail = json!({ "people": people.len(), "known": found.len() });
    let (at, action) = (app.clock.now(), "status.batch");
    audit::record(&mut tx, Entry { at, actor: &actor, action, about: "status", detail }).await?;
    tx.commit().await?;
    let answer = |person: &PersonKey| StatusAnswer {
        person: person.as_str().to_owned(),
        status: found.get(person).map(rules::status),
    };
    Ok(Json(StatusAnswers { people: people.iter().map(answer).collect() }))
}

impl StatusBatch {
    fn faults(&self) -> Vec<Reason> {
        if self.people.is_empty() || self.people.len() > PEOPLE_MAX {
            return vec![Reason::new(
                "status.batch",
                "people",
                format!("a batch has 1 to {PEOPLE_MAX} people; split it"),
            )];
        }
        let people = self.people.iter().enumerate();
        people.flat_map(|(i, document)| document.faults(&format!("people[{i}]"))).collect()
    }
}
