//! What is in force here: settings, as `swabline check` prints them, and switches.

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use crate::app::App;
use crate::clock::Time;
use crate::error::Result;
use crate::review::{Switch, switches};
use crate::web::resident::minute;
use crate::web::{Page, html};

#[derive(Template)]
#[template(path = "admin_system.html")]
struct System {
    page: Page,
    settings: Vec<(String, String)>,
    switches: Vec<Switch>,
    now: String,
}

impl System {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands out references")]
    fn minute(at: &Time) -> String {
        minute(*at)
    }
}

/// The page.
pub async fn system_get(State(app): State<App>, page: Page) -> Result<Html<String>> {
    let told = app.config.to_string();
    let setting = |line: &str| {
        let (name, value) = line.split_once(" = ")?;
        Some((name.to_owned(), value.trim_matches('"').to_owned()))
    };
    let settings = told.lines().filter_map(setting).collect();
    let mut tx = app.db.read("system.switches").await?;
    let now = app.clock.now();
    let switches = switches(&mut tx, now).await?;
    drop(tx);
    html(&System { page, settings, switches, now: minute(now) })
}
