//! The language is changed on every page, and the page comes again.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::catalogue::Language;
use super::sign_in::local;
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::cookie;
use crate::http::extract::Form;

/// Which language, and where to go on.
#[derive(Debug, Deserialize)]
pub struct Choice {
    to: String,
    #[serde(default)]
    next: String,
}

/// Remembers a language.
pub async fn language_post(State(app): State<App>, Form(choice): Form<Choice>) -> Result<Response> {
    let language = Language::parse(&choice.to)
        .ok_or_else(|| Error::invalid("language", "to", "choose zh or en"))?;
    let cookie = cookie::language_set(language.code(), app.config.behind_tls);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(local(&choice.next))).into_response())
}
