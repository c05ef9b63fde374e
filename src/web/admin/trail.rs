//! The trail of one thing: who did what to it, and when.

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use serde::Deserialize;

use crate::app::App;
use crate::audit::api::{AuditQuery, AuditRow, Position, audit_get};
use crate::auth::administration::{self, Kept};
use crate::auth::{Actor, Role};
use crate::error::Result;
use crate::http::extract::{Json, Query};
use crate::http::page::Cursor;
use crate::web::{Page, html};

#[derive(Template)]
#[template(path = "admin_trail.html")]
struct Trail {
    page: Page,
    administers: bool,
    about: String,
    rows: Vec<AuditRow>,
    next: String,
    accounts: Vec<Kept>,
}

impl Trail {
    /// The name of an account, or its id where it has none here.
    fn who<'a>(&'a self, account: &'a str) -> &'a str {
        let found = self.accounts.iter().find(|kept| kept.id == account);
        found.map_or(account, |kept| kept.name.as_str())
    }

    /// When, to the second.
    fn at(row: &AuditRow) -> String {
        row.at.local()
    }
}

/// Whose trail, and where to read on.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Asked {
    about: String,
    after: Option<Cursor<Position>>,
}

/// The page.
pub async fn trail_get(
    State(app): State<App>,
    page: Page,
    actor: Actor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>> {
    let about = asked.about.trim().to_owned();
    let administers = actor.role == Role::Administrator;
    let (mut rows, mut next, mut accounts) = (Vec::new(), String::new(), Vec::new());
    if !about.is_empty() {
        let query = AuditQuery { about: about.clone(), after: asked.after, limit: None };
        let Json(found) = audit_get(State(app.clone()), actor, Query(query)).await?;
        let full = found.rows.len() >= 100;
        let after = serde_json::to_value(&found.next).unwrap_or_default();
        if let Some(after) = after.as_str().filter(|_cursor| full) {
            let fields = [("about", about.as_str()), ("after", after)];
            next = serde_urlencoded::to_string(fields).unwrap_or_default();
        }
        rows = found.rows;
        accounts = administration::kept(&app).await?;
    }
    html(&Trail { page, administers, about, rows, next, accounts })
}
