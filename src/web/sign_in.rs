//! Coming in, in one or two steps, and going out.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Page, html};
use crate::app::App;
use crate::auth::Token;
use crate::auth::session::{Session, Stage, sign_in};
use crate::error::{Error, Result};
use crate::http::extract::{Form, Query};
use crate::http::{cookie, guard};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    page: Page,
    next: String,
    login: String,
    wrong: bool,
    /// Minutes for which the name is locked.
    locked: Option<u32>,
}

#[derive(Template)]
#[template(path = "code.html")]
struct Code {
    page: Page,
    next: String,
    wrong: bool,
    locked: Option<u32>,
}

/// Where to go on afterwards.
#[derive(Debug, Default, Deserialize)]
pub struct Onward {
    #[serde(default)]
    next: String,
}

/// A path of ours; anything else is the start page, so that no link leads astray.
pub fn local(next: &str) -> &str {
    let is_local = next.starts_with('/') && !next.starts_with("//");
    let is_plain = next.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    if is_local && is_plain { next } else { "/" }
}

/// The form.
pub async fn sign_in_get(page: Page, Query(onward): Query<Onward>) -> Result<Response> {
    let next = local(&onward.next).to_owned();
    if page.actor.is_some() {
        return Ok(Redirect::to(&next).into_response());
    }
    let sign_in = SignIn { page, next, login: String::new(), wrong: false, locked: None };
    Ok(html(&sign_in)?.into_response())
}

/// What was typed.
#[derive(Deserialize)]
pub struct Credentials {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// Whether somebody may come in.
pub async fn sign_in_post(
    State(app): State<App>,
    page: Page,
    Form(typed): Form<Credentials>,
) -> Result<Response> {
    let next = local(&typed.next).to_owned();
    match sign_in::sign_in(&app, &typed.login, typed.password).await {
        Ok((token, stage)) => {
            let to = match stage {
                Stage::Code => onward("/sign-in/code", &next),
                Stage::Enrol => "/account/second-factor".to_owned(),
                Stage::Renew => "/account".to_owned(),
                Stage::Full => next,
            };
            Ok(enter(&app, &token, &to))
        }
        Err(error) => {
            let (wrong, locked, status) = refused(error)?;
            let page = Page { path: onward("/sign-in", &next), ..page };
            let again = SignIn { page, next, login: typed.login, wrong, locked };
            Ok((status, html(&again)?).into_response())
        }
    }
}

fn onward(path: &str, next: &str) -> String {
    let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
    format!("{path}?{query}")
}

/// Whether it was wrong, for how many minutes the name is locked, and the status of the answer;
/// any other error is passed on.
fn refused(error: Error) -> Result<(bool, Option<u32>, StatusCode)> {
    match error {
        Error::Forbidden(reason) if reason.code == "sign_in.wrong" => {
            Ok((true, None, StatusCode::FORBIDDEN))
        }
        Error::TooMany { retry_after_s } => {
            Ok((false, Some(retry_after_s.div_ceil(60)), StatusCode::TOO_MANY_REQUESTS))
        }
        other => Err(other),
    }
}

pub(super) fn enter(app: &App, token: &Token, to: &str) -> Response {
    let cookie = cookie::session_set(token, app.config.behind_tls);
    ([(header::SET_COOKIE, cookie)], Redirect::to(to)).into_response()
}

/// Whoever has given the right password and has a code to give.
async fn half_way(app: &App, headers: &HeaderMap) -> Result<Session> {
    let session = guard::session(app, headers).await?;
    session.filter(|session| session.stage == Stage::Code).ok_or(Error::Unauthenticated)
}

/// The form for the code of the second factor.
pub async fn code_get(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(onward): Query<Onward>,
) -> Result<Response> {
    half_way(&app, &headers).await?;
    let next = local(&onward.next).to_owned();
    Ok(html(&Code { page, next, wrong: false, locked: None })?.into_response())
}

/// A code that was typed.
#[derive(Deserialize)]
pub struct TypedCode {
    code: String,
    #[serde(default)]
    next: String,
}

/// Whether the code is right.
pub async fn code_post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Form(typed): Form<TypedCode>,
) -> Result<Response> {
    let session = half_way(&app, &headers).await?;
    let next = local(&typed.next).to_owned();
    match sign_in::code(&app, &session, &typed.code).await {
        Ok(token) => Ok(enter(&app, &token, &next)),
        Err(error) => {
            let (wrong, locked, status) = refused(error)?;
            let page = Page { path: onward("/sign-in/code", &next), ..page };
            Ok((status, html(&Code { page, next, wrong, locked })?).into_response())
        }
    }
}

/// Goes out.
pub async fn sign_out_post(State(app): State<App>, session: Session) -> Result<Response> {
    sign_in::sign_out(&app, &session).await?;
    let cookie = cookie::session_clear(app.config.behind_tls);
    // The page that follows has the device forget them too.
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/?left")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_on_to_our_own_pages_and_nowhere_else() {
        for (next, to) in [
            ("/collect?round=R01", "/collect?round=R01"),
            ("", "/"),
            ("https://evil.example", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nset-cookie: x", "/"),
        ] {
            assert_eq!(local(next), to);
        }
    }
}
