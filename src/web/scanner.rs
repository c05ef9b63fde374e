//! Where anybody tries their scanner: each code is read back, with the sound it will make at work.

use askama::Template;
use axum::response::Html;

use super::{Page, html};
use crate::error::Result;

#[derive(Template)]
#[template(path = "scanner.html")]
struct Scanner {
    page: Page,
}

/// The page.
pub async fn scanner_get(page: Page) -> Result<Html<String>> {
    html(&Scanner { page })
}
