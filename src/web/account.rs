//! One's own account: name, role and place, the password, the second factor.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::qr::qr;
use super::sign_in::enter;
use super::{Page, html};
use crate::app::App;
use crate::auth::Actor;
use crate::auth::session::{PASSWORD_MIN, Session, Stage, sign_in, store};
use crate::error::{Error, Reason, Result};
use crate::http::extract::{Form, Query};

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    page: Page,
    actor: Actor,
    login: String,
    has_factor: bool,
    password_min: usize,
    /// The password was changed just now.
    changed: bool,
    /// Somebody else was shown it, and it has to be changed first.
    is_given: bool,
    reasons: Vec<Reason>,
}

#[derive(Template)]
#[template(path = "second_factor.html")]
struct SecondFactor {
    page: Page,
    secret: String,
    picture: String,
    reasons: Vec<Reason>,
}

/// What was done just now.
#[derive(Debug, Deserialize)]
pub struct Done {
    #[serde(default)]
    changed: bool,
}

async fn account(app: &App, page: Page, (actor, stage): (Actor, Stage)) -> Result<Account> {
    let is_given = stage == Stage::Renew;
    let mut tx = app.db.read("account.login").await?;
    let login = store::login_of(&mut tx, &actor.account).await?;
    drop(tx);
    let login = login.map(|login| login.as_str().to_owned()).unwrap_or_default();
    let has_factor = sign_in::has_factor(app, &actor.account).await?;
    let (changed, reasons) = (false, Vec::new());
    let password_min = PASSWORD_MIN;
    Ok(Account { page, actor, login, has_factor, password_min, changed, is_given, reasons })
}

/// The account.
pub async fn account_get(
    State(app): State<App>,
    page: Page,
    actor: Actor,
    session: Option<Extension<Session>>,
    Query(done): Query<Done>,
) -> Result<Html<String>> {
    // A program has no session, and nothing to choose.
    let stage = session.map_or(Stage::Full, |Extension(session)| session.stage);
    let account = account(&app, page, (actor, stage)).await?;
    html(&Account { changed: done.changed, ..account })
}

/// The old password and the new one.
#[derive(Deserialize)]
pub struct Passwords {
    old: String,
    new: String,
}

/// Changes the password.
pub async fn password_post(
    State(app): State<App>,
    page: Page,
    session: Session,
    Form(typed): Form<Passwords>,
) -> Result<Response> {
    match sign_in::password_change(&app, &session, typed.old, typed.new).await {
        Ok(()) => Ok(Redirect::to("/account?changed=true").into_response()),
        Err(error) => {
            let reasons = told(error)?;
            let page = Page { path: "/account".to_owned(), ..page };
            let who = (Actor::clone(&session.actor), session.stage);
            let account = account(&app, page, who).await?;
            let again = Account { reasons, ..account };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, html(&again)?).into_response())
        }
    }
}

/// What is wrong with what was typed; any other error is passed on.
fn told(error: Error) -> Result<Vec<Reason>> {
    match error {
        Error::Invalid(reasons) => Ok(reasons),
        Error::Forbidden(reason) if reason.code == "sign_in.wrong" => Ok(vec![reason]),
        other => Err(other),
    }
}

/// The secret of a second factor, to be scanned or typed into an authenticator.
pub async fn second_factor_get(
    State(app): State<App>,
    page: Page,
    session: Session,
) -> Result<Response> {
    if sign_in::has_factor(&app, &session.actor.account).await? {
        return Ok(Redirect::to("/account").into_response());
    }
    Ok(html(&second_factor(&app, page, &session, Vec::new()).await?)?.into_response())
}

async fn second_factor(
    app: &App,
    page: Page,
    session: &Session,
    reasons: Vec<Reason>,
) -> Result<SecondFactor> {
    let enrolment = sign_in::enrol(app, session).await?;
    let picture = qr(&enrolment.uri, 240)?;
    let groups: Vec<_> =
        enrolment.secret.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    let secret = groups.join(" ");
    Ok(SecondFactor { page, secret, picture, reasons })
}

/// The first code an authenticator shows.
#[derive(Deserialize)]
pub struct FirstCode {
    code: String,
}

/// Confirms the second factor.
pub async fn second_factor_post(
    State(app): State<App>,
    page: Page,
    session: Session,
    Form(typed): Form<FirstCode>,
) -> Result<Response> {
    match sign_in::confirm(&app, &session, &typed.code).await {
        Ok(token) => Ok(enter(&app, &token, "/account")),
        Err(error) => {
            let reasons = told(error)?;
            let page = Page { path: "/account/second-factor".to_owned(), ..page };
            let again = second_factor(&app, page, &session, reasons).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, html(&again)?).into_response())
        }
    }
}
