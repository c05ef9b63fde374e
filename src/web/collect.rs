//! Where people are swabbed into a tube: a page that opens and works without network once it was
//! visited, so that a queue never waits for a server (R5).
//!
//! The page is a shell: nobody's, without a name or a token, so that a device may keep it. Who sits
//! there, and the token requests carry, it asks for at [`who_get`]. All
//! it collects stays on the device, sealed, until the server has acknowledged it; `assets/vault.js`
//! and `assets/outbox.js` say how.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::catalogue::Language;
use super::qr::qr;
use super::{Page, assets, html};
use crate::app::App;
use crate::auth::{Actor, Role};
use crate::barcode;
use crate::clock::{Span, Time};
use crate::collection::place::store::{OpenSession, sessions_open};
use crate::error::{Error, Result};
use crate::http::extract::{Json, Path};
use crate::http::{guard, health};

/// Files the page names itself; kept on the device with the shell, as the modules are.
const NAMED: [&str; 5] = ["style.css", "collect.css", "icon.svg", "station.js", "collect.js"];
/// ES modules that are asked for at once, so that none waits for another to name it.
const MODULES: [&str; 11] = [
    "code.js",
    "collect-boxes.js",
    "collect-camera.js",
    "collect-identity.js",
    "collect-outbox.js",
    "collect-server.js",
    "collect-slip.js",
    "collect-tube.js",
    "collect-vault.js",
    "collect-waiting.js",
    "station-keys.js",
];
/// QR codes drawn at once: a tube of twenty.
const PICTURES_MAX: usize = 20;
/// Bytes in one QR code; a link has some two hundred.
const PICTURE_BYTES_MAX: usize = 600;
/// How long after its end a session can still be chosen, and how long before its begin.
const CHOSEN_LATE: Span = Span::hours(12);
const CHOSEN_EARLY: Span = Span::hours(24);

#[derive(Template)]
#[template(path = "collect.html")]
struct Collect {
    page: Page,
    modules: Vec<String>,
}

fn collect(page: Page) -> Collect {
    Collect { page, modules: MODULES.iter().map(|name| assets::path(name)).collect() }
}

/// The page. It is the shell, also for whoever is signed in: nothing secret is in it, so that it can
/// be packed, as pages with a token are not.
pub async fn collect_get(headers: HeaderMap, page: Page) -> Result<Response> {
    let Html(shell) = shell(page.language)?;
    let base = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::VARY, HeaderValue::from_static("accept-encoding, accept-language, cookie")),
    ];
    if !assets::can_unpack(&headers) {
        return Ok((base, shell).into_response());
    }
    let packed = [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
    Ok((base, packed, assets::pack(shell.as_bytes())).into_response())
}

/// The page as nobody's, which a device may keep.
fn shell(language: Language) -> Result<Html<String>> {
    let path = "/collect".to_owned();
    html(&collect(Page { language, actor: None, csrf: String::new(), path }))
}

/// The shell in one language.
pub async fn shell_get(Path(language): Path<String>) -> Result<Html<String>> {
    let found = Language::ALL.into_iter().find(|known| known.code() == language);
    shell(found.ok_or_else(|| Error::not_found("language", &language))?)
}

/// The service worker, with what it keeps; another shell or another asset makes it another worker,
/// which a browser then installs.
pub async fn worker_get() -> Result<Response> {
    let mut shells = String::new();
    for language in Language::ALL {
        shells.push_str(&shell(language)?.0);
    }
    let version = HEXLOWER.encode(&digest(&SHA256, shells.as_bytes()).as_ref()[..8]);
    let files: Vec<_> = NAMED.iter().chain(&MODULES).map(|name| assets::path(name)).collect();
    let languages = Language::ALL.map(Language::code);
    let kept = json!({ "version": version, "files": files, "languages": languages });
    let source = include_str!("assets/collect-worker.js");
    let script = HeaderValue::from_static("text/javascript; charset=utf-8");
    let scope = (HeaderName::from_static("service-worker-allowed"), "/collect");
    Ok(([(header::CONTENT_TYPE, script)], [scope], format!("const KEPT = {kept};\n{source}"))
        .into_response())
}

/// What a phone needs to put the page among its programs.
pub async fn manifest_get(page: Page) -> Response {
    let icon = |name: &str, sizes: &str, purpose: &str| {
        let kind = if name.ends_with("svg") { "image/svg+xml" } else { "image/png" };
        json!({ "src": assets::path(name), "sizes": sizes, "type": kind, "purpose": purpose })
    };
    let manifest = json!({
        "id": "/collect",
        "name": page.say("collect-app"),
        "short_name": "Swabline",
        "description": page.say("collect-about"),
        "lang": page.language.tag(),
        "start_url": "/collect",
        "scope": "/",
        "display": "standalone",
        "theme_color": "#0f4c4a",
        "background_color": "#f7f4ec",
        "icons": [
            icon("icon.svg", "any", "any"),
            icon("icon-192.png", "192x192", "any"),
            icon("icon-512.png", "512x512", "any"),
            icon("icon-maskable.png", "512x512", "maskable"),
        ],
        "shortcuts": [{ "name": page.say("collect-title"), "url": "/collect" }],
    });
    let kind = HeaderValue::from_static("application/manifest+json");
    ([(header::CONTENT_TYPE, kind)], manifest.to_string()).into_response()
}

/// Whoever is signed in, as a page that was kept on a device must ask.
#[derive(Debug, Serialize)]
pub struct Present {
    /// The account's id; none where nobody is signed in.
    pub account: Option<String>,
    /// The printed name.
    pub name: Option<String>,
    /// What they do.
    pub role: Option<Role>,
    /// The one site they work at.
    pub site: Option<String>,
    /// What requests carry as `x-csrf-token`.
    pub csrf: String,
    /// Our clock, which tells how far the device's is off.
    pub now: Time,
}

/// Who sits there, also where nobody does. That nobody does is said by the store and never for want
/// of one: a device that hears it forgets whom it knew.
pub async fn who_get(State(app): State<App>, headers: HeaderMap) -> Result<Json<Present>> {
    let session = guard::session(&app, &headers).await?;
    if session.is_none() {
        health::ready(&app).await?;
    }
    let page = Page::with_session(&app, session.as_ref(), &headers, "/session");
    let actor = page.actor.as_deref();
    Ok(Json(Present {
        account: actor.map(|actor| actor.account.clone()),
        name: actor.map(|actor| actor.name.clone()),
        role: actor.map(|actor| actor.role),
        site: actor.and_then(|actor| actor.site.clone()),
        csrf: page.csrf.clone(),
        now: app.clock.now(),
    }))
}

/// What somebody needs to begin, and may keep for when there is no network.
#[derive(Debug, Serialize)]
pub struct Choice {
    /// Sessions at the own site that are on, were on lately or will be soon.
    pub sessions: Vec<OpenSession>,
    /// Codes that tube makers print.
    pub patterns: barcode::Patterns,
}

/// The sessions that can be chosen now.
pub async fn sessions_get(State(app): State<App>, actor: Actor) -> Result<Json<Choice>> {
    let now = app.clock.now();
    let mut tx = app.db.read("session.list").await?;
    let sessions = match &actor.site {
        Some(site) => sessions_open(&mut tx, site, now - CHOSEN_LATE, now + CHOSEN_EARLY).await?,
        None => Vec::new(),
    };
    let patterns = barcode::store::patterns(&mut tx).await?;
    Ok(Json(Choice { sessions, patterns }))
}

/// What shall be drawn as QR codes; in a body, because a link is a secret of its person.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    texts: Vec<String>,
}

/// The pictures, in the same order.
#[derive(Debug, Serialize)]
pub struct Pictures {
    pictures: Vec<String>,
}

/// Draws QR codes.
pub async fn qr_post(Json(asked): Json<Texts>) -> Result<Json<Pictures>> {
    let is_small = |text: &String| text.len() <= PICTURE_BYTES_MAX;
    if asked.texts.len() > PICTURES_MAX || !asked.texts.iter().all(is_small) {
        let message = format!(
            "{PICTURES_MAX} texts of {PICTURE_BYTES_MAX} bytes are drawn at once; send fewer"
        );
        return Err(Error::invalid("qr.texts", "texts", message));
    }
    let pictures = asked.texts.iter().map(|text| qr(text, 160)).collect::<Result<_>>()?;
    Ok(Json(Pictures { pictures }))
}
