//! What surrounds every request: an id, a bound on how many at once, a time limit, a net under
//! panics, a figure and a log line.
//!
//! One layer does all of it, for every layer costs each request its own copies and allocations.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::problem::{Problem, UNKNOWN};
use super::request_id::is_id;
use crate::app::App;
use crate::config::Config;

/// The id of a request, in its answer and in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Where whoever watches over the node asks whether it is there: it is, also when nobody else is let
/// in. A node that was taken from its balancer for that would leave its load to the next one.
const WATCHED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Look-ups that are worked on at the same time while tubes are stored. All of them take turns on
/// the same cores: with hundreds, each step of a scan would wait for hundreds (R43). With 32 of them
/// scans waited twice as long in a storm as with eight.
const TURNS: usize = 8;
/// How long a look-up waits for its turn; those who have one may wait for a store that is slow.
const TURN_WITHIN: Duration = Duration::from_millis(100);
/// Longest body that is read before a look-up waits for its turn, so that nobody holds one by
/// sending slowly. A longer one has no turn and takes none.
const READ_BEFORE: usize = 64 * 1024;
/// What walks over every tube that is asked about: minutes over millions of tubes.
const WALKS: [&str; 2] = ["/v1/ledger", "/v1/integrity"];
/// What is stored before anybody looks up.
const SCANS: &str = "/v1/tubes";

/// Surrounds a request and its answer.
pub(super) async fn surround(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let given = request.headers().get(REQUEST_ID).filter(|given| is_id(given)).cloned();
    let id = given.unwrap_or_else(|| app.request_ids.next());
    // A page that says what went wrong shows the id; whoever calls `/v1` reads it from the answer.
    if !request.uri().path().starts_with("/v1/") {
        request.headers_mut().insert(REQUEST_ID, id.clone());
    }
    let answered = AssertUnwindSafe(bound(&app, request, next)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|panic| panicked(&*panic));
    response.headers_mut().insert(REQUEST_ID, id.clone());
    let (status, took) = (response.status().as_u16(), started.elapsed());
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    app.durations.of(route, (method, status)).record(took);
    log((method, route), status, took, &id);
    response
}

/// One line a request: route pattern, status, time; no path, no query, no header but the id. What
/// went well is told to whoever asks for it with `RUST_LOG=swabline=debug`: of a million scans an
/// hour nobody reads the lines, and the figures count them.
fn log((method, route): (&str, &str), status: u16, took: Duration, id: &HeaderValue) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                method,
                route,
                status,
                took_ms = (took.as_secs_f64() * 1e6).round() / 1e3,
                request = id.to_str().unwrap_or_default(),
                "{method} {route} answered {status}"
            )
        };
    }
    match status {
        500.. => line!(warn),
        400.. => line!(info),
        _ => line!(debug),
    }
}

/// A method that is known, or `other`: every label is kept for ever, and a client may send any
/// word.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|&known| method == known).unwrap_or("other")
}

/// Who is let in: one permit for each request that may be worked on at once.
#[derive(Debug)]
pub struct Entrance {
    all: Semaphore,
    /// Of those, the ones for look-ups, reports, the feed and signing in: a storm of one leaves room
    /// for the others, and all together for scans (R43).
    asking: [Semaphore; 4],
    /// Of those, the ones for look-ups beside scans.
    turns: Semaphore,
    /// Requests that store tubes, now.
    storing: AtomicUsize,
}

/// Somebody stores tubes as long as this lives.
struct Storing<'a>(&'a AtomicUsize);

impl Drop for Storing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Entrance {
    /// An entrance for so many at once.
    pub fn new(at_once: usize) -> Self {
        Self {
            all: Semaphore::new(at_once),
            asking: Asking::ALL.map(|asks| Semaphore::new((at_once * asks.share() / 16).max(1))),
            turns: Semaphore::new(TURNS),
            storing: AtomicUsize::new(0),
        }
    }

    fn store(&self) -> Storing<'_> {
        self.storing.fetch_add(1, Ordering::Relaxed);
        Storing(&self.storing)
    }

    fn is_storing(&self) -> bool {
        self.storing.load(Ordering::Relaxed) > 0
    }

    /// Waits for a look-up's turn, though not for long; none where it goes on without.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        tokio::time::timeout(TURN_WITHIN, self.turns.acquire()).await.ok()?.ok()
    }
}

/// What people and services ask by the million, wait for, or try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    /// Residents and services look up a status.
    Query,
    /// Residents have their report made, one after the other.
    Report,
    /// Services wait for changes.
    Feed,
    /// Everybody may try to come in.
    SignIn,
}

impl Asking {
    const ALL: [Self; 4] = [Self::Query, Self::Report, Self::Feed, Self::SignIn];

    /// Of sixteen requests that are worked on, so many at most. Half stay for the way of a tube.
    const fn share(self) -> usize {
        match self {
            Self::Query => 5,
            Self::Report | Self::Feed | Self::SignIn => 1,
        }
    }

    /// What is asked at a path; none where something is done.
    fn at(path: &str) -> Option<Self> {
        match path {
            "/r" => Some(Self::Query),
            "/r/report" => Some(Self::Report),
            "/sign-in" | "/sign-in/code" => Some(Self::SignIn),
            _ if path.starts_with("/v1/status") => Some(Self::Query),
            _ if path.starts_with("/v1/feed") => Some(Self::Feed),
            _ => None,
        }
    }
}

/// Refuses at once what is too much, and gives up what takes too long.
async fn bound(app: &App, request: Request, next: Next) -> Response {
    let asks = Asking::at(request.uri().path());
    let asking = asks.map(|asks| app.entrance.asking[asks as usize].try_acquire()).transpose();
    let counts = !WATCHED.contains(&request.uri().path());
    let permit = counts.then(|| app.entrance.all.try_acquire()).transpose();
    let (Ok(_asking), Ok(_permit)) = (asking, permit) else {
        return refuse("request.too_many", "too many requests are being worked on; try again");
    };
    let looks_up = asks == Some(Asking::Query) && app.entrance.is_storing();
    let scans = request.uri().path().starts_with(SCANS) && !request.method().is_safe();
    let _storing = scans.then(|| app.entrance.store());
    let limit = limit(&app.config, request.uri().path());
    let worked = async {
        if !looks_up {
            return next.run(request).await;
        }
        match read(request).await {
            Ok((request, true)) => {
                let _turn = app.entrance.turn().await;
                next.run(request).await
            }
            Ok((request, false)) => next.run(request).await,
            Err(response) => response,
        }
    };
    match tokio::time::timeout(limit, worked).await {
        Ok(response) => response,
        Err(_elapsed) => {
            refuse("request.timeout", &format!("the request took too long: {UNKNOWN}"))
        }
    }
}

/// How long what is asked at a path may take.
fn limit(config: &Config, path: &str) -> Duration {
    let walks = WALKS.contains(&path);
    Duration::from_secs(if walks { config.walk_seconds } else { config.request_seconds })
}

/// The same request with its body read, where it is short enough.
async fn read(request: Request) -> Result<(Request, bool), Response> {
    if request.body().size_hint().upper().is_none_or(|most| most > READ_BEFORE as u64) {
        return Ok((request, false));
    }
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, READ_BEFORE).await {
        Ok(bytes) => Ok((Request::from_parts(parts, bytes.into()), true)),
        Err(error) => {
            let detail = format!("the body broke off ({error}); send the request again");
            let title = "The body cannot be read";
            Err(Problem::new(StatusCode::BAD_REQUEST, "body.shape", title, detail).into_response())
        }
    }
}

fn refuse(code: &str, detail: &str) -> Response {
    let problem =
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, "The service is busy", detail);
    Problem { retry_after_s: Some(1), ..problem }.into_response()
}

/// A defect of ours: logged with its text, answered without.
fn panicked(panic: &(dyn Any + Send)) -> Response {
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
    fn residents_at_their_page_leave_room_for_stations() {
        for (asks, paths) in [
            (Asking::Query, &["/v1/status", "/v1/status/batch", "/r"][..]),
            (Asking::Report, &["/r/report"]),
            (Asking::Feed, &["/v1/feed"]),
            (Asking::SignIn, &["/sign-in", "/sign-in/code"]),
        ] {
            for path in paths {
                assert_eq!(Asking::at(path), Some(asks), "{path}");
            }
        }
        for working in ["/review", "/run", "/receive", "/recalls", "/v1/tubes/batch", "/"] {
            assert_eq!(Asking::at(working), None, "{working}");
        }
        for (at_once, left) in [(4096, [1280, 256, 256, 256]), (2, [1, 1, 1, 1])] {
            let entrance = Entrance::new(at_once);
            let asking = Asking::ALL.map(|asks| entrance.asking[asks as usize].available_permits());
            assert_eq!((entrance.all.available_permits(), asking), (at_once, left));
        }
    }

    #[test]
    fn a_walk_over_the_store_has_a_limit_of_its_own() {
        let config = Config { request_seconds: 7, walk_seconds: 70, ..Config::default() };
        let seconds = |path| limit(&config, path).as_secs();
        assert_eq!(WALKS.map(seconds), [70, 70]);
        assert_eq!(["/v1/tubes/batch", "/v1/integrity/earlier", "/"].map(seconds), [7, 7, 7]);
    }

    #[tokio::test]
    async fn look_ups_take_turns_and_none_waits_for_long() {
        let entrance = Entrance::new(100);
        assert!(!entrance.is_storing());
        let storing = entrance.store();
        assert!(entrance.is_storing());
        drop(storing);
        assert!(!entrance.is_storing());
        let mut taken = Vec::new();
        for _ in 0..TURNS {
            taken.push(entrance.turn().await.expect("there is a turn"));
        }
        assert!(entrance.turn().now_or_never().is_none(), "one more waits");
        let waited = Instant::now();
        assert!(entrance.turn().await.is_none(), "and goes on without");
        assert!(waited.elapsed() >= TURN_WITHIN);
        taken.pop();
        assert!(entrance.turn().await.is_some(), "whoever is done gives the turn on");
    }

    #[tokio::test]
    async fn a_body_is_read_before_its_turn_where_it_is_short() {
        let request = |body: Vec<u8>| Request::post("/v1/status").body(body.into()).unwrap();
        for (length, is_read) in [(0, true), (READ_BEFORE, true), (READ_BEFORE + 1, false)] {
            let (request, was_read) = read(request(vec![b'x'; length])).await.unwrap();
            assert_eq!(was_read, is_read, "{length}");
            let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
            assert_eq!(body.len(), length);
        }
    }

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
