//! Where a resident asks for themselves: with document and pick-up code, or with the link on the
//! slip. Whoever is unknown, guesses wrong or has an old link is answered alike (R33), and what is
//! pending never reads as negative (R20).

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::{Page, html, resident_report};
use crate::app::App;
use crate::clock::{Span, Time};
use crate::collection::person::DocumentType;
use crate::error::{Error, Reason, Result};
use crate::http::extract::Form;
use crate::http::problem::Problem;
use crate::query::api::{Look, StatusRequest, ask};
use crate::query::document::Document;
use crate::query::report;
use crate::query::{Progress, Status, ToldOutcome};

/// How long the page that shows a status may be used to fetch its report.
const REPORT_WITHIN: Span = Span::minutes(30);

#[derive(Template)]
#[template(path = "resident.html")]
struct Asking {
    page: Page,
    /// Nothing matched.
    no_match: bool,
    /// Minutes until this person is answered again.
    blocked: Option<u32>,
    reasons: Vec<Reason>,
}

#[derive(Template)]
#[template(path = "resident_status.html")]
struct Shown {
    page: Page,
    /// How it is coloured: `good`, `bad` or `mind`.
    tone: &'static str,
    headline: String,
    lines: Vec<String>,
    steps: Vec<Step>,
    last: Option<String>,
    /// Proves, for a while, that this page was shown to whom it is about.
    link: String,
    has_report: bool,
    asked: String,
}

/// One event on a swab's way.
struct Step {
    name: String,
    at: Option<String>,
    pending: String,
}

/// What a resident types, or what the link on the slip holds.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Asked {
    kind: Option<DocumentType>,
    issuer: String,
    number: String,
    code: String,
    link: String,
}

impl Asked {
    fn request(self) -> StatusRequest {
        let link = self.link.trim();
        if !link.is_empty() {
            let link = Some(link.to_owned());
            return StatusRequest { document: None, pickup_code: None, link };
        }
        let kind = self.kind.unwrap_or(DocumentType::ResidentId);
        let issuer = self.issuer.trim().to_ascii_uppercase();
        // The country is asked for beside every document and counts for those that have one.
        let needs = matches!(kind, DocumentType::Passport | DocumentType::Other);
        let document = Document {
            kind,
            issuer: needs.then_some(issuer),
            number: self.number.trim().to_owned(),
        };
        let code = Some(self.code.trim().to_owned());
        StatusRequest { document: Some(document), pickup_code: code, link: None }
    }
}

fn asking(page: Page) -> Asking {
    let page = Page { path: "/r".to_owned(), ..page };
    Asking { page, no_match: false, blocked: None, reasons: Vec::new() }
}

/// The form.
pub async fn resident_get(page: Page) -> Result<Html<String>> {
    html(&asking(page))
}

/// The status, or why none is shown.
pub async fn resident_post(
    State(app): State<App>,
    page: Page,
    Form(asked): Form<Asked>,
) -> Result<Response, Problem> {
    let again = |status: StatusCode, asking: &Asking| -> Result<Response> {
        Ok((status, html(asking)?).into_response())
    };
    let look = match ask(&app, asked.request()).await {
        Ok(look) => look,
        Err(problem) if problem.status == 422 => {
            let asking = Asking { reasons: problem.errors, ..asking(page) };
            return Ok(again(StatusCode::UNPROCESSABLE_ENTITY, &asking)?);
        }
        Err(problem) => return Err(problem),
    };
    match look {
        Look::NoMatch => {
            Ok(again(StatusCode::NOT_FOUND, &Asking { no_match: true, ..asking(page) })?)
        }
        Look::Blocked(seconds) => {
            let blocked = Some(seconds.div_ceil(60));
            Ok(again(StatusCode::TOO_MANY_REQUESTS, &Asking { blocked, ..asking(page) })?)
        }
        Look::Shown(person, status) => {
            let status = read(&status)?;
            let now = app.clock.now();
            let link = app.keys.link(&person, now + REPORT_WITHIN);
            Ok(html(&shown(page, &status, (link, now)))?.into_response())
        }
    }
}

fn read(status: &[u8]) -> Result<Status> {
    serde_json::from_slice(status)
        .map_err(|error| Error::Internal(format!("a status cannot be read: {error}")))
}

/// A moment as a clock in China shows it, without seconds.
pub(super) fn minute(time: Time) -> String {
    let local = time.local();
    local.get(..16).unwrap_or(&local).to_owned()
}

fn shown(page: Page, status: &Status, (link, now): (String, Time)) -> Shown {
    let page = Page { path: "/r".to_owned(), ..page };
    let (tone, headline, mut lines) = words(&page, status);
    if let Some(recall) = &status.recall {
        lines.push(page.with("resident-recall-by", [("at", minute(recall.due_at))]).into_owned());
        lines.push(page.say("resident-recall-what").into_owned());
    }
    let step = |name: &str, at: Option<Time>, pending: &str| Step {
        name: page.say(name).into_owned(),
        at: at.map(minute),
        pending: page.say(pending).into_owned(),
    };
    let pending = match status.state {
        Progress::UnderVerification => "resident-step-verified",
        Progress::Sampled | Progress::Received | Progress::Released => "resident-step-result-not",
    };
    let steps = vec![
        step("resident-step-sampled", Some(status.sampled_at), "resident-step-not"),
        step("resident-step-received", status.received_at, "resident-step-not"),
        step("resident-step-result", status.resulted_at, pending),
    ];
    let last = status.last_result.as_ref().map(|last| {
        let filled = [
            ("outcome", page.say(outcome_key(last.outcome)).into_owned()),
            ("collected", minute(last.collected_at)),
            ("released", minute(last.released_at)),
        ];
        page.with("resident-last", filled).into_owned()
    });
    let has_report = status.state == Progress::Released && status.outcome.is_some();
    let asked = page.with("resident-asked-at", [("at", minute(now))]).into_owned();
    Shown { page, tone, headline, lines, steps, last, link, has_report, asked }
}

/// What an outcome is called.
pub(super) const fn outcome_key(outcome: ToldOutcome) -> &'static str {
    match outcome {
        ToldOutcome::Detected => "resident-detected",
        ToldOutcome::NotDetected => "resident-not-detected",
        ToldOutcome::Withdrawn => "resident-withdrawn",
    }
}

/// Colour, headline and what it means.
fn words(page: &Page, status: &Status) -> (&'static str, String, Vec<String>) {
    let say = |key: &str| page.say(key).into_owned();
    match (status.state, status.outcome) {
        (Progress::Released, Some(outcome)) => {
            let mut lines = Vec::new();
            if let Some(people) = status.pooled {
                lines.push(page.with("resident-pooled", [("people", people)]).into_owned());
            }
            let (tone, meaning) = match outcome {
                ToldOutcome::Detected => ("bad", "resident-detected-means"),
                ToldOutcome::NotDetected => ("good", "resident-not-detected-means"),
                ToldOutcome::Withdrawn => ("mind", "resident-withdrawn-means"),
            };
            lines.push(say(meaning));
            (tone, say(outcome_key(outcome)), lines)
        }
        (Progress::UnderVerification | Progress::Released, _) => {
            let lines = vec![say("resident-verification-means"), say("resident-verification-calm")];
            ("mind", say("resident-verification"), lines)
        }
        (Progress::Sampled | Progress::Received, _) => {
            ("mind", say("resident-pending"), vec![say("resident-pending-means")])
        }
    }
}

/// The report of a released result, as PDF.
pub async fn report_post(
    State(app): State<App>,
    page: Page,
    Form(asked): Form<Asked>,
) -> Result<Response, Problem> {
    let again = |asking: &Asking| -> Result<Response> {
        Ok((StatusCode::NOT_FOUND, html(asking)?).into_response())
    };
    let Look::Shown(person, status) = ask(&app, asked.request()).await? else {
        return Ok(again(&Asking { no_match: true, ..asking(page) })?);
    };
    let status = read(&status)?;
    let is_told = status.state == Progress::Released && status.outcome.is_some();
    let found = if is_told { report::report(&app, &person).await? } else { None };
    let Some(found) = found else {
        let nothing = Reason::new("status.no_report", "report", "there is no result to report yet");
        return Ok(again(&Asking { reasons: vec![nothing], ..asking(page) })?);
    };
    let sheet = resident_report::sheet(page.language, &found, app.clock.now());
    let drawn = report::pdf(&sheet);
    let headers = [
        (header::CONTENT_TYPE, "application/pdf"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"report.pdf\""),
    ];
    Ok((headers, drawn).into_response())
}
