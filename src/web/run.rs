//! Where the instrument's file is brought in: looked at first, then accepted.

use askama::Template;
use axum::response::Html;

use super::{Page, html};
use crate::error::Result;

#[derive(Template)]
#[template(path = "run.html")]
struct Run {
    page: Page,
}

/// The page.
pub async fn run_get(page: Page) -> Result<Html<String>> {
    html(&Run { page })
}
