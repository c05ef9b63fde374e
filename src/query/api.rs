//! Residents asking for themselves, and health-code services asking for many.

use std::collections::HashSet;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Status;
use super::document::Document;
use super::lookup::Shown;
use crate::app::App;
use crate::auth::Actor;
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::seal::PersonKey;

/// People in one batch at most.
const PEOPLE_MAX: usize = 1_000;
/// Longest pick-up code and longest link looked at.
const PROOF_MAX: usize = 256;

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
        (status = 422, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem)))]
pub async fn status_post(
    State(app): State<App>,
    Json(request): Json<StatusRequest>,
) -> Result<Response, Problem> {
    match ask(&app, request).await? {
        Look::Shown(_, status) => Ok(json(status)),
        Look::Blocked(retry_after_s) => Err(Error::TooMany { retry_after_s }.into()),
        Look::NoMatch => Err(no_match()),
    }
}

/// An answer that is JSON already.
fn json(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// What a proof leads to.
pub enum Look {
    /// This person, and a [`Status`] as JSON.
    Shown(PersonKey, Bytes),
    /// Too many guesses: seconds until this person is answered again.
    Blocked(u32),
    /// Nobody, a wrong code, or a link that is none.
    NoMatch,
}

/// Looks up whoever proves that they ask for themselves.
pub async fn ask(app: &App, request: StatusRequest) -> Result<Look, Problem> {
    look_up(app, request.proof()?).await
}

/// A wrong code takes the same way for somebody known and for nobody: the same look-ups in the
/// store, the same comparisons, one write. Guesses sent at once can pass the count together, as
/// many as requests are worked on at once; against 50 bits that is nothing.
async fn look_up(app: &App, proof: Proof) -> Result<Look, Problem> {
    let now = app.clock.now();
    let person = match proof {
        Proof::Link(link) => match app.keys.open_link(&link, now) {
            Ok(person) => person,
            Err(_altered_or_expired) => return Ok(Look::NoMatch),
        },
        Proof::Code(document, typed) => {
            let person = document.person(&app.keys);
            let facts = app.lookups.facts(&person).await?;
            let proven = app.lookups.proves(&facts, &typed)?;
            if let Some(seconds) = facts.blocked_s(now) {
                return Ok(Look::Blocked(seconds));
            }
            if !proven {
                app.lookups.guessed(person).await?;
                return Ok(Look::NoMatch);
            }
            person
        }
    };
    let status = app.lookups.status(&person).await?;
    Ok(status.map_or(Look::NoMatch, |status| Look::Shown(person, status)))
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
    responses((status = 200, body = StatusAnswers), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn status_batch_post(
    State(app): State<App>,
    actor: Actor,
    Json(batch): Json<StatusBatch>,
) -> Result<Response, Problem> {
    refuse_if_any(batch.faults())?;
    let people: Vec<_> = batch.people.iter().map(|document| document.person(&app.keys)).collect();
    let answers = app.lookups.statuses(&people).await?;
    let known =
        people.iter().zip(&answers).filter_map(|(person, shown)| shown.as_ref().map(|_| person));
    let known: HashSet<_> = known.collect();
    app.lookups.answered(actor, (people.len(), known.len())).await?;
    Ok(json(answers_json(&people, &answers)))
}

/// [`StatusAnswers`], put together from statuses that are JSON already.
fn answers_json(people: &[PersonKey], answers: &[Shown]) -> Bytes {
    const EACH: &str = r#"{"person":"","status":null},"#;
    let statuses: usize = answers.iter().flatten().map(Bytes::len).sum();
    let keys: usize = people.iter().map(|person| person.as_str().len()).sum();
    let mut body = Vec::with_capacity(statuses + keys + people.len() * EACH.len() + 20);
    body.extend(br#"{"people":["#);
    for (i, (person, shown)) in people.iter().zip(answers).enumerate() {
        if i > 0 {
            body.push(b',');
        }
        // A person key needs no escape: it is base64url.
        body.extend(br#"{"person":""#);
        body.extend(person.as_str().as_bytes());
        body.extend(br#"","status":"#);
        body.extend(shown.as_deref().unwrap_or(b"null"));
        body.push(b'}');
    }
    body.extend(b"]}");
    Bytes::from(body)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::KeyRing;

    #[test]
    fn an_answer_of_many_is_what_its_type_would_write() {
        let keys = KeyRing::generate();
        let status = r#"{"state":"sampled","sampled_at":"2020-06-21T00:00:00Z","received_at":null,
            "resulted_at":null,"outcome":null,"last_result":null,"recall":null}"#;
        let status: Status = serde_json::from_str(status).unwrap();
        let shown = Bytes::from(serde_json::to_vec(&status).unwrap());
        for statuses in [vec![], vec![Some(status)], vec![None, None]] {
            let people: Vec<_> =
                (0..statuses.len()).map(|n| keys.person_key("", &n.to_string())).collect();
            let answers: Vec<_> =
                statuses.iter().map(|status| status.as_ref().map(|_| shown.clone())).collect();
            let typed = people.iter().zip(statuses).map(|(person, status)| StatusAnswer {
                person: person.as_str().to_owned(),
                status,
            });
            let typed = serde_json::to_vec(&StatusAnswers { people: typed.collect() }).unwrap();
            assert_eq!(answers_json(&people, &answers), typed);
        }
    }
}
