//! Where runs are reviewed and released: the most urgent first, exceptions before negatives.

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use super::{Page, html};
use crate::app::App;
use crate::auth::{Actor, Role};
use crate::error::Result;

#[derive(Template)]
#[template(path = "review.html")]
struct Review {
    page: Page,
    actor: Actor,
    /// Whether this person may release, and not only review.
    releases: bool,
    /// What our clock says, whatever that of the browser does.
    now: String,
}

/// The page; its module asks `/v1` for everything.
pub async fn review_get(State(app): State<App>, page: Page, actor: Actor) -> Result<Html<String>> {
    let releases = actor.role == Role::Reviewer;
    html(&Review { page, actor, releases, now: app.clock.now().to_string() })
}
