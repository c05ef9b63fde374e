//! What every page knows: who sits there, in which language, and what their requests carry.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Html;
use fluent_bundle::FluentValue;

use super::assets;
use super::catalogue::Language;
use crate::app::App;
use crate::auth::session::{Session, Stage};
use crate::auth::{Actor, Role, policy};
use crate::error::{Error, Reason, Result};
use crate::http::guard;

/// What the layout of a page is drawn from.
#[derive(Debug, Clone)]
pub struct Page {
    /// The language of its texts.
    pub language: Language,
    /// Whoever is signed in.
    pub actor: Option<Arc<Actor>>,
    /// What a form sends along as `csrf`, and an ES module as `x-csrf-token`.
    pub csrf: String,
    /// Where it is, to come back to after the language was changed.
    pub path: String,
}

impl Page {
    /// The page at this place for whoever sent these headers.
    pub async fn of(app: &App, headers: &HeaderMap, path: &str) -> Self {
        // A store that cannot be asked must not keep an error page from being shown.
        let session = guard::session(app, headers).await.unwrap_or_default();
        Self::with_session(app, session.as_ref(), headers, path)
    }

    /// The page for whoever has this session.
    pub(super) fn with_session(
        app: &App,
        session: Option<&Session>,
        headers: &HeaderMap,
        path: &str,
    ) -> Self {
        let session = session.filter(|session| session.stage != Stage::Code);
        Self {
            language: Language::of(headers),
            actor: session.map(|session| Arc::clone(&session.actor)),
            csrf: session.map(|session| session.csrf(&app.keys)).unwrap_or_default(),
            path: path.to_owned(),
        }
    }

    /// Whether whoever is signed in may open this page.
    pub fn may(&self, path: &str) -> bool {
        let rule = policy::rule("GET", path);
        self.actor.as_ref().zip(rule).is_some_and(|(actor, rule)| rule.allows(actor.role))
    }

    /// The text with this key.
    pub fn say(&self, key: &str) -> Cow<'static, str> {
        self.language.say(key, &[])
    }

    /// The text with this key, filled in.
    pub fn with<'a, V>(
        &self,
        key: &str,
        filled: impl AsRef<[(&'static str, V)]>,
    ) -> Cow<'static, str>
    where
        V: Into<FluentValue<'a>> + Clone,
    {
        let filled: Vec<_> =
            filled.as_ref().iter().map(|(name, value)| (*name, value.clone().into())).collect();
        self.language.say(key, &filled)
    }

    /// What a role is called.
    pub fn role(&self, role: &Role) -> Cow<'static, str> {
        let key = match role {
            Role::Sampler => "role-sampler",
            Role::Courier => "role-courier",
            Role::Receiver => "role-receiver",
            Role::Technician => "role-technician",
            Role::Reviewer => "role-reviewer",
            Role::Officer => "role-officer",
            Role::Service => "role-service",
            Role::Auditor => "role-auditor",
            Role::Administrator => "role-administrator",
        };
        self.say(key)
    }

    /// The laboratory that whoever sits there works in; empty where it is none.
    pub fn laboratory(&self) -> String {
        let actor = self.actor.as_ref();
        actor.and_then(|actor| actor.laboratory.clone()).unwrap_or_default()
    }

    /// Why something was refused: in the page's language where the catalogue has the code.
    pub fn reason(&self, reason: &Reason) -> Cow<'static, str> {
        let text = self.language.problem(&reason.code);
        text.unwrap_or_else(|| Cow::Owned(reason.message.clone()))
    }

    /// Where an asset is.
    pub fn asset(&self, name: &str) -> String {
        assets::path(name)
    }

    /// The elements that load an ES module with its texts: those of every station, of problems,
    /// and those that begin with `js-NAME-`.
    pub fn module(&self, name: &str) -> String {
        let mut html = String::new();
        let texts = self.language.texts(name);
        let (station, module) = (assets::path("station.js"), assets::path(&format!("{name}.js")));
        write!(
            html,
            "<script type=\"application/json\" id=\"texts\" data-module=\"{name}\">{texts}</script>\n\
             <link rel=\"modulepreload\" href=\"{station}\">\n\
             <script type=\"module\" src=\"{module}\"></script>"
        )
        .expect("a text takes every text");
        html
    }
}

impl FromRequestParts<App> for Page {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(match parts.extensions.get::<Session>() {
            Some(session) => Self::with_session(app, Some(session), &parts.headers, path),
            None => Self::of(app, &parts.headers, path).await,
        })
    }
}

/// Draws a page.
pub fn html(template: &impl Template) -> Result<Html<String>> {
    let drawn = template.render();
    drawn.map(Html).map_err(|error| Error::Internal(format!("a page cannot be drawn: {error}")))
}
