//! What is in force here: settings, as `swabline check` prints them, and switches.

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use crate::app::App;
use crate::error::Result;
use crate::review::{SWITCHES, Switch, switch_find};
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

/// The page.
pub async fn system_get(State(app): State<App>, page: Page) -> Result<Html<String>> {
    let told = app.config.to_string();
    let setting = |line: &str| {
        let (name, value) = line.split_once(" = ")?;
        Some((name.to_owned(), value.trim_matches('"').to_owned()))
    };
    let settings = told.lines().filter_map(setting).collect();
    let mut tx = app.db.read("system.switches").await?;
    let mut switches = Vec::new();
    for name in SWITCHES {
        switches.push(switch_find(&mut tx, name).await?);
    }
    drop(tx);
    html(&System { page, settings, switches, now: minute(app.clock.now()) })
}
