//! Who may come in: people with a password, programs with a key.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::told;
use crate::app::App;
use crate::auth::administration::{self, Kept};
use crate::auth::{Actor, NewAccount, Role};
use crate::collection::place::store::{Listed, laboratories, sites};
use crate::error::{Error, Reason, Result};
use crate::http::extract::{Form, Path};
use crate::web::{Page, html};

/// Days for which a key made here is good.
const KEY_DAYS: i64 = 90;

#[expect(clippy::struct_field_names, reason = "the template reads them as what they are")]
#[derive(Template)]
#[template(path = "admin_accounts.html")]
struct Accounts {
    page: Page,
    own: String,
    accounts: Vec<Kept>,
    roles: [Role; 9],
    sites: Vec<Listed>,
    laboratories: Vec<Listed>,
    shown: Option<Shown>,
    reasons: Vec<Reason>,
}

impl Accounts {
    /// A role as a form sends it.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands out references")]
    fn code(role: &Role) -> String {
        format!("{role:?}").to_lowercase()
    }
}

/// What is shown once and never again.
struct Shown {
    /// Whose it is.
    who: String,
    /// What it is called.
    what: &'static str,
    secret: String,
}

async fn accounts(app: &App, page: Page, actor: &Actor) -> Result<Accounts> {
    let mut tx = app.db.read("account.places").await?;
    let sites = sites(&mut tx).await?;
    let laboratories = laboratories(&mut tx).await?;
    drop(tx);
    let accounts = administration::kept(app).await?;
    let page = Page { path: "/admin".to_owned(), ..page };
    let (own, roles, shown, reasons) = (actor.account.clone(), Role::ALL, None, Vec::new());
    Ok(Accounts { page, own, accounts, roles, sites, laboratories, shown, reasons })
}

/// The list, and the form for somebody new.
pub async fn accounts_get(
    State(app): State<App>,
    page: Page,
    actor: Actor,
) -> Result<Html<String>> {
    html(&accounts(&app, page, &actor).await?)
}

/// The list again, with what was made or why it was not.
async fn again(app: &App, page: Page, actor: &Actor, done: Result<Shown>) -> Result<Response> {
    let (status, shown, reasons) = match done {
        Ok(shown) => (StatusCode::OK, Some(shown), Vec::new()),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, None, told(error)?),
    };
    let list = accounts(app, page, actor).await?;
    Ok((status, html(&Accounts { shown, reasons, ..list })?).into_response())
}

/// Somebody new.
#[derive(Deserialize)]
pub struct New {
    name: String,
    role: Role,
    #[serde(default)]
    site: String,
    #[serde(default)]
    laboratory: String,
    #[serde(default)]
    login: String,
}

impl New {
    /// The account, bound to places that there are.
    fn account(&self, app_sites: &[Listed], app_laboratories: &[Listed]) -> Result<NewAccount> {
        let one = |typed: &str, known: &[Listed], field: &'static str| {
            let typed = typed.trim().to_ascii_uppercase();
            if typed.is_empty() {
                return Ok(None);
            }
            if known.iter().any(|place| place.code == typed) {
                return Ok(Some(typed));
            }
            Err(Error::invalid("account.place", field, "there is no such place; make it first"))
        };
        Ok(NewAccount {
            name: self.name.trim().to_owned(),
            role: self.role,
            site: one(&self.site, app_sites, "site")?,
            laboratory: one(&self.laboratory, app_laboratories, "laboratory")?,
        })
    }
}

/// Makes an account; a person's password is shown once, a program's key once.
pub async fn accounts_post(
    State(app): State<App>,
    page: Page,
    actor: Actor,
    Form(new): Form<New>,
) -> Result<Response> {
    let done = make(&app, &actor, &new).await;
    again(&app, page, &actor, done).await
}

async fn make(app: &App, actor: &Actor, new: &New) -> Result<Shown> {
    let mut tx = app.db.read("account.places").await?;
    let (sites, laboratories) = (sites(&mut tx).await?, laboratories(&mut tx).await?);
    drop(tx);
    let account = new.account(&sites, &laboratories)?;
    let (id, password) = administration::add(app, actor, account, &new.login).await?;
    let who = new.name.trim().to_owned();
    if let Some(secret) = password {
        return Ok(Shown { who, what: "admin-password-once", secret });
    }
    let key = administration::key_issue(app, actor, &id, ("page", KEY_DAYS)).await?;
    Ok(Shown { who, what: "admin-key-once", secret: key.reveal().to_owned() })
}

/// What to do with an account.
#[derive(Deserialize)]
pub struct Act {
    act: String,
}

/// Does one thing with an account.
pub async fn account_post(
    State(app): State<App>,
    page: Page,
    actor: Actor,
    Path(account): Path<String>,
    Form(Act { act }): Form<Act>,
) -> Result<Response> {
    let (app_ref, by) = (&app, &actor);
    let done = match act.as_str() {
        "password" => administration::password_reset(app_ref, by, &account)
            .await
            .map(|secret| Some(("admin-password-once", secret))),
        "key" => administration::key_issue(app_ref, by, &account, ("page", KEY_DAYS))
            .await
            .map(|key| Some(("admin-key-once", key.reveal().to_owned()))),
        "revoke" => administration::keys_revoke(app_ref, by, &account).await.map(|()| None),
        "factor" => administration::factor_take(app_ref, by, &account).await.map(|()| None),
        "disable" => administration::disable(app_ref, by, &account).await.map(|()| None),
        _ => Err(Error::invalid("account.act", "act", "choose what is to be done")),
    };
    match done {
        Ok(None) => Ok(Redirect::to("/admin").into_response()),
        Ok(Some((what, secret))) => {
            again(&app, page, &actor, Ok(Shown { who: account, what, secret })).await
        }
        Err(error) => again(&app, page, &actor, Err(error)).await,
    }
}
