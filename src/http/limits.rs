//! What surrounds every request: a log line, a time limit, a bound on how many at once, and a
//! net under panics.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::{Problem, UNKNOWN};
use crate::app::App;

/// One line a request: route pattern, status, time; no path, no query, no header.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let method = known(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let id = request
        .headers()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let started = Instant::now();
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), started.elapsed());
    metrics::histogram!("http_seconds", "route" => route.clone(), "method" => method,
        "status" => status.to_string())
    .record(took);
    tracing::info!(
        method,
        route,
        status,
        took_ms = (took.as_secs_f64() * 1e6).round() / 1e3,
        request = id,
        "{method} {route} answered {status}"
    );
    response
}

/// A method that is known, or `other`: every label is kept for ever, and a client may send any
/// word.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|&known| method == known).unwrap_or("other")
}

/// Refuses at once what is too much, and gives up what takes too long.
pub(super) async fn bound(State(app): State<App>, request: Request, next: Next) -> Response {
    let Ok(_permit) = app.at_once.try_acquire() else {
        return refuse("request.too_many", "too many requests are being worked on; try again");
    };
    let limit = Duration::from_secs(app.config.request_seconds);
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            refuse("request.timeout", &format!("the request took too long: {UNKNOWN}"))
        }
    }
}

fn refuse(code: &str, detail: &str) -> Response {
    let problem =
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, "The service is busy", detail);
    Problem { retry_after_s: Some(1), ..problem }.into_response()
}

/// A defect of ours: logged with its text, answered without.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    tracing::error!(text, "a handler panicked");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "Something went wrong on our side",
        format!("{UNKNOWN}; if it fails again, quote the x-request-id of this answer"),
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_method_gets_no_label_of_its_own() {
        for known_one in [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::TRACE] {
            assert_eq!(known(&known_one), known_one.as_str());
        }
        for word in ["BREW", "get", "X0001"] {
            assert_eq!(known(&Method::from_bytes(word.as_bytes()).unwrap()), "other");
        }
    }
}
