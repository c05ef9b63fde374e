//! The pages that people work at: drawn on the server, in Chinese and English, from this program
//! alone. They call the same `/v1` routes as every other client.
//!
//! # How to add a page
//!
//! 1. **Handler**: a file here, `collect.rs`, with `pub async fn collect_get(page: Page) ->
//!    Result<Html<String>>` that ends in `html(&Collect { page })`. [`Page`] is an extractor: who
//!    sits there, their language and the token their requests carry. A handler may also take
//!    `Actor`, `State<App>`, [`Path`], [`Query`] and [`Form`], as those of `/v1` do, and answers
//!    with [`Error`](crate::error::Error): the layout is put around it by [`refusal`].
//! 2. **Template**: `templates/collect.html`. A work place with a scan field extends
//!    `station.html`, any other page `layout.html`; the heads of both say which blocks they have.
//!    `scanner.html` is the smallest station there is.
//! 3. **Route**: one line in `pages!` below, and one rule in [`crate::auth::policy`]; without the
//!    rule it is closed to everybody. Name the new page on the start page in [`start`], which shows
//!    it to whom the rule lets in.
//! 4. **Texts**: `catalogue/en/collect.ftl` and `catalogue/zh/collect.ftl`, the same keys in both,
//!    each beginning with the file's name: `collect-title`. A template says
//!    `{{ page.say("collect-title") }}`, or `{{ page.with("collect-count", [("count", n)]) }}`. A
//!    test fails for a key that is missing in one language, used and not there, or not used.
//! 5. **ES module**, where the page is more than forms: `assets/collect.js`, and `{% block module
//!    %}{{ page.module("collect")|safe }}{% endblock %}`. Its texts are the keys that begin with
//!    `js-collect-`; `assets/station.js` says at its head what it does for every station: scan
//!    field, sound and colour, calls of `/v1`, the password asked again, undo.
//! 6. **Refusals** that people meet often get a text of their own in `problem.ftl`, by their code:
//!    `problem-tube-size` for `tube.size`. Any other is shown as `/v1` says it.
//! 7. **Story**: a test in `tests/it/browser/` that works at the page as a person would, in both
//!    languages and both sizes, and ends in `browser.check("NAME")`: screenshot, axe, console,
//!    requests.
//!
//! No inline script and no inline style: the policy in [`protect`] forbids both.
//!
//! [`Path`]: crate::http::extract::Path
//! [`Query`]: crate::http::extract::Query
//! [`Form`]: crate::http::extract::Form

pub mod account;
pub mod admin;
pub mod assets;
pub mod board;
pub mod cards;
pub mod catalogue;
pub mod collect;
pub mod language;
mod page;
pub mod plate;
pub mod protect;
mod qr;
pub mod receive;
pub mod recalls;
pub mod refusal;
pub mod resident;
mod resident_report;
pub mod review;
pub mod run;
pub mod scanner;
pub mod sign_in;
pub mod start;

use axum::{Router, middleware};

use crate::app::App;
use crate::http::guard;
pub use page::{Page, html};

/// Every page on one page: method, route, handler.
macro_rules! pages {
    ($($method:ident $path:literal $handler:path,)+) => {
        /// Method and route of every page.
        pub const PAGES: &[(&str, &str)] = &[$((stringify!($method), $path)),+];

        fn routes() -> Router<App> {
            Router::new()$(.route($path, axum::routing::$method($handler)))+
        }
    };
}

pages! {
    get "/" start::start_get,
    get "/assets/{build}/{name}" assets::asset_get,
    post "/language" language::language_post,
    // coming in and going out
    get "/sign-in" sign_in::sign_in_get,
    post "/sign-in" sign_in::sign_in_post,
    get "/sign-in/code" sign_in::code_get,
    post "/sign-in/code" sign_in::code_post,
    post "/sign-out" sign_in::sign_out_post,
    get "/account" account::account_get,
    post "/account/password" account::password_post,
    get "/account/second-factor" account::second_factor_get,
    post "/account/second-factor" account::second_factor_post,
    // stations
    get "/scanner" scanner::scanner_get,
    get "/cards" cards::cards_get,
    get "/receive" receive::receive_get,
    get "/plate" plate::plate_get,
    get "/run" run::run_get,
    get "/session" collect::who_get,
    get "/collect" collect::collect_get,
    get "/collect/shell/{language}" collect::shell_get,
    get "/collect/worker.js" collect::worker_get,
    get "/collect/manifest.webmanifest" collect::manifest_get,
    get "/collect/sessions" collect::sessions_get,
    post "/collect/qr" collect::qr_post,
    get "/review" review::review_get,
    get "/recalls" recalls::recalls_page_get,
    post "/recalls/{id}/contact" recalls::called_post,
    // administration
    get "/admin" admin::accounts::accounts_get,
    post "/admin" admin::accounts::accounts_post,
    post "/admin/accounts/{id}" admin::accounts::account_post,
    get "/admin/places" admin::places::places_get,
    post "/admin/places" admin::places::places_post,
    get "/admin/kits" admin::kits::kits_page_get,
    post "/admin/kits" admin::kits::kits_post,
    get "/admin/kits/{code}/{version}" admin::kit::kit_page_get,
    post "/admin/kits/{code}/{version}" admin::kit::kit_post,
    get "/admin/system" admin::system::system_get,
    get "/trail" admin::trail::trail_get,
    // residents
    get "/r" resident::resident_get,
    post "/r" resident::resident_post,
    post "/r/report" resident::report_post,
    // the city
    get "/board" board::board_get,
}

/// The pages, each behind the guard; what is refused is said in the layout of the others.
pub fn router(app: &App) -> Router<App> {
    routes()
        .route_layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .route_layer(middleware::from_fn_with_state(app.clone(), refusal::dress))
}
