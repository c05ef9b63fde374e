//! The guard before every route: which rule, which token or session, which role; and for whoever
//! comes with a cookie, whether the request comes from our own pages.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::cookie;
use crate::app::App;
use crate::auth::policy::{self, Access};
use crate::auth::session::{SEEN_EVERY, Session, Stage, store};
use crate::auth::{Actor, Token};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::storage::Channel;

/// Where an ES module says what its page was given.
const CSRF_HEADER: &str = "x-csrf-token";
/// Where a form says it.
const CSRF_FIELD: &str = "csrf";
/// Sent by whatever a page asks for by itself, which keeps nobody signed in.
const BACKGROUND: &str = "x-background";
/// Kept by no browser, unless the route says otherwise.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Largest form.
const FORM_MAX: usize = 256 * 1024;

/// Lets a request through when the table says so; a route without a rule is denied.
pub async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Result<Response> {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    // A HEAD is answered like the GET of the same route, without its body (RFC 9110, 9.3.2).
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let rule = policy::rule(method.as_str(), path)
        .ok_or_else(|| Error::forbidden("auth.route", path, "this route is closed to everybody"))?;
    let changes = !method.is_safe();
    if changes && !rule.path.starts_with("/v1/") {
        refuse_foreign(request.headers())?;
    }
    let mut sits_there = false;
    if let Access::Only(_) = rule.access {
        let who = who(&app, request.headers()).await?.ok_or(Error::Unauthenticated)?;
        let actor = match who {
            Who::Token(actor) => actor,
            Who::Session(session) => {
                sits_there = true;
                refuse_stage(&session, rule.path)?;
                if changes {
                    refuse_foreign(request.headers())?;
                    request = refuse_unasked(&app, &session, request).await?;
                }
                let actor = Arc::clone(&session.actor);
                request.extensions_mut().insert(session);
                actor
            }
        };
        if !rule.allows(actor.role) {
            return Err(Error::forbidden(
                "auth.role",
                rule.path,
                "your role may not do this; ask somebody whose role may",
            ));
        }
        request.extensions_mut().insert(actor);
    }
    let mut response = next.run(request).await;
    if sits_there {
        // What a person sees is not for whoever uses the same browser next.
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(NO_STORE);
    }
    Ok(response)
}

/// Who somebody is, and how they showed it.
enum Who {
    Token(Arc<Actor>),
    Session(Session),
}

async fn who(app: &App, headers: &HeaderMap) -> Result<Option<Who>> {
    match bearer(headers) {
        Some(token) => {
            let held = app.holders.holder(&app.db, &token, app.clock.now()).await?;
            Ok(held.map(Who::Token))
        }
        None => Ok(session(app, headers).await?.map(Who::Session)),
    }
}

/// Whose token or session this is, now; whoever waited long asks again before it is answered.
pub async fn signed_in(app: &App, headers: &HeaderMap) -> Result<Arc<Actor>> {
    match who(app, headers).await? {
        Some(Who::Token(actor)) => Ok(actor),
        Some(Who::Session(session)) if session.stage == Stage::Full => Ok(session.actor),
        Some(Who::Session(_)) | None => Err(Error::Unauthenticated),
    }
}

/// The session whose cookie this request carries, if it lives; its use is written down, unless
/// nobody sits there.
pub async fn session(app: &App, headers: &HeaderMap) -> Result<Option<Session>> {
    let Some(token) = cookie::session(headers, app.config.behind_tls) else { return Ok(None) };
    let (hash, now) = (token.hash(), app.clock.now());
    let mut tx = app.db.read("session.find").await?;
    let found = store::session_find(&mut tx, &hash, now).await?;
    drop(tx);
    let is_due = |session: &Session| now.since(session.seen) >= SEEN_EVERY;
    if found.as_ref().is_some_and(is_due) && !headers.contains_key(BACKGROUND) {
        // Whoever reads reads on while the store takes nothing; the session then ends the sooner.
        if let Err(error) = note_seen(app, &hash, now).await {
            tracing::warn!(%error, "the use of a session could not be written down");
        }
    }
    Ok(found)
}

async fn note_seen(app: &App, hash: &str, now: Time) -> Result<()> {
    let mut tx = app.db.write_on(Channel::Query, "session.seen").await?;
    store::session_seen(&mut tx, hash, now).await?;
    Ok(tx.commit().await?)
}

/// What is left to whoever still has a password that somebody else was shown.
const RENEWING: [&str; 3] = ["/account", "/account/password", "/sign-out"];

/// Whoever is not wholly signed in reaches only what brings them further.
fn refuse_stage(session: &Session, path: &str) -> Result<()> {
    match session.stage {
        Stage::Full => Ok(()),
        Stage::Enrol if path.starts_with("/account") || path == "/sign-out" => Ok(()),
        Stage::Enrol => Err(Error::forbidden(
            "session.second_factor",
            path,
            "you need a second factor first; set one up on your account's page",
        )),
        Stage::Renew if RENEWING.contains(&path) => Ok(()),
        Stage::Renew => Err(Error::forbidden(
            "session.password",
            path,
            "somebody else was shown your password; choose one of your own on your account's page",
        )),
        Stage::Code => Err(Error::Unauthenticated),
    }
}

/// A browser says where a request comes from; what comes from elsewhere is refused.
fn refuse_foreign(headers: &HeaderMap) -> Result<()> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_own = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_scheme, host)| host);
            host.is_some() && host == text(header::HOST.as_str())
        }
        // No browser sends neither, and whoever is none has no cookie of anybody else.
        (None, None) => true,
    };
    if is_own { Ok(()) } else { Err(refused("another site sent this request; use our own page")) }
}

/// A cookie alone changes nothing: the request must carry what only our pages know.
async fn refuse_unasked(app: &App, session: &Session, request: Request) -> Result<Request> {
    let refuse = || refused("the page is too old or not ours; load it again and repeat");
    if let Some(sent) = request.headers().get(CSRF_HEADER) {
        let fits = sent.to_str().is_ok_and(|sent| session.csrf_fits(&app.keys, sent));
        return if fits { Ok(request) } else { Err(refuse()) };
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return Err(refuse());
    }
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, FORM_MAX).await.map_err(|_cut| refuse())?;
    let fields: Vec<(String, String)> =
        serde_urlencoded::from_bytes(&body).map_err(|_shape| refuse())?;
    let sent = fields.iter().find(|(name, _)| name == CSRF_FIELD);
    if !sent.is_some_and(|(_, sent)| session.csrf_fits(&app.keys, sent)) {
        return Err(refuse());
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

fn refused(message: &str) -> Error {
    Error::forbidden("session.csrf", "request", message)
}

fn bearer(headers: &HeaderMap) -> Option<Token> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    // The scheme's name may be written in either case (RFC 9110, 11.1).
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Token::presented(token.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_another_site_is_refused_and_our_own_is_not() {
        let (own, other) = ("http://lis.example:8080", "http://evil.example");
        for (site, origin, is_own) in [
            (Some("same-origin"), Some(own), true),
            (Some("none"), None, true),
            (Some("cross-site"), Some(own), false),
            (Some("same-site"), None, false),
            (None, Some(own), true),
            (None, Some(other), false),
            (None, Some("null"), false),
            (None, None, true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("host", "lis.example:8080".parse().unwrap());
            site.map(|site| headers.insert("sec-fetch-site", site.parse().unwrap()));
            origin.map(|origin| headers.insert("origin", origin.parse().unwrap()));
            assert_eq!(refuse_foreign(&headers).is_ok(), is_own, "{site:?} {origin:?}");
        }
    }
}
