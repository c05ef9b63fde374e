//! Refusals as people read them: in the layout of the other pages, in their language, with every
//! reason and what to do next.

use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::{Page, html, protect};
use crate::app::App;
use crate::error::Reason;
use crate::http::problem::Problem;

/// Most bytes of a problem.
const PROBLEM_MAX: usize = 1024 * 1024;

#[derive(Template)]
#[template(path = "refusal.html")]
struct Refusal {
    page: Page,
    heading: &'static str,
    problem: Problem,
    reasons: Vec<Reason>,
    request: String,
}

/// Puts the layout around what was refused, and the headers around everything.
pub async fn dress(State(app): State<App>, request: Request, next: Next) -> Response {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let response = next.run(request).await;
    let mut response = match problem(response).await {
        Ok(problem) => show(&app, problem, (&method, &path), &headers).await,
        Err(response) => response,
    };
    protect::page(&mut response, app.config.behind_tls);
    response
}

/// The problem an answer is, or the answer.
async fn problem(response: Response) -> Result<Problem, Response> {
    let kind = response.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "application/problem+json") {
        return Err(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, PROBLEM_MAX).await.unwrap_or_default();
    serde_json::from_slice(&bytes).map_err(|_shape| Response::from_parts(parts, Body::from(bytes)))
}

/// A problem as a page; whoever only has to sign in is led there and back.
async fn show(
    app: &App,
    problem: Problem,
    (method, path): (&Method, &str),
    headers: &HeaderMap,
) -> Response {
    // A module that asks for data is not led to another page: it would take that for the answer.
    let leads = headers.get("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    if leads && problem.status == 401 {
        let back = if method.is_safe() { path } else { "/" };
        let query = serde_urlencoded::to_string([("next", back)]).unwrap_or_default();
        return Redirect::to(&format!("/sign-in?{query}")).into_response();
    }
    if leads && problem.code == "session.second_factor" {
        return Redirect::to("/account/second-factor").into_response();
    }
    if leads && problem.code == "session.password" {
        return Redirect::to("/account").into_response();
    }
    let page = Page::of(app, headers, if method.is_safe() { path } else { "/" }).await;
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (retry_after, reasons) = (problem.retry_after_s, reasons(&problem));
    let request = text(headers.get("x-request-id"));
    let heading = heading(status);
    let refusal = Refusal { page, heading, problem, reasons, request };
    let mut response = match html(&refusal) {
        Ok(html) => (status, html).into_response(),
        Err(error) => error.into_response(),
    };
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn text(value: Option<&HeaderValue>) -> String {
    value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Every reason; a problem that lists none is its own.
fn reasons(problem: &Problem) -> Vec<Reason> {
    if !problem.errors.is_empty() {
        return problem.errors.clone();
    }
    let (code, message) = (problem.code.clone().into(), problem.detail.clone());
    vec![Reason { code, about: String::new(), message }]
}

const fn heading(status: StatusCode) -> &'static str {
    match status.as_u16() {
        403 => "refusal-forbidden",
        404 => "refusal-lost",
        429 | 503 => "refusal-busy",
        500.. => "refusal-ours",
        _ => "refusal-wrong",
    }
}

/// A problem on no route of ours: a page for whoever looks with a browser.
pub async fn outside(app: &App, problem: Problem, request: Request) -> Response {
    // The body of a request cannot be shared between threads; nobody needs it here.
    let (parts, _body) = request.into_parts();
    let (path, headers) = (parts.uri.path(), &parts.headers);
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let with_browser = accepted.is_some_and(|accepted| accepted.contains("text/html"));
    if path.starts_with("/v1/") || !with_browser {
        return problem.into_response();
    }
    let mut response = show(app, problem, (&parts.method, "/"), headers).await;
    protect::page(&mut response, app.config.behind_tls);
    response
}
