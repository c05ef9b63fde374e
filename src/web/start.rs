//! The start page: what this is, and the way to one's work.

use askama::Template;
use axum::response::Html;

use super::{Page, html};
use crate::auth::policy;
use crate::error::Result;

/// A place of work.
#[derive(Debug, Clone, Copy)]
pub struct Station {
    /// Where it is.
    pub path: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What is done there.
    pub about: &'static str,
}

const fn station(path: &'static str, name: &'static str, about: &'static str) -> Station {
    Station { path, name, about }
}

/// Every place of work, in the order of a tube's way; each is shown once its page is there, to
/// those whom the policy lets in.
const STATIONS: &[Station] = &[
    station("/collect", "start-collect", "start-collect-about"),
    station("/receive", "start-receive", "start-receive-about"),
    station("/plate", "start-plate", "start-plate-about"),
    station("/run", "start-run", "start-run-about"),
    station("/review", "start-review", "start-review-about"),
    station("/recalls", "start-recalls", "start-recalls-about"),
    station("/board", "start-board", "start-board-about"),
    station("/admin", "start-admin", "start-admin-about"),
    station("/admin/places", "admin-places", "start-places-about"),
    station("/admin/kits", "admin-kits", "start-kits-about"),
    station("/admin/system", "admin-system", "start-system-about"),
    station("/trail", "start-trail", "start-trail-about"),
    station("/cards", "start-cards", "start-cards-about"),
    station("/scanner", "start-scanner", "start-scanner-about"),
];
/// Where a resident asks.
const RESIDENT: Station = station("/r", "start-resident", "start-resident-about");

#[derive(Template)]
#[template(path = "start.html")]
struct Start {
    page: Page,
    stations: Vec<Station>,
    resident: Option<Station>,
}

/// The start page, for anybody.
pub async fn start_get(page: Page) -> Result<Html<String>> {
    // Whoever may open the first page of several finds the others there.
    let open = |station: &&Station| {
        let leads_there = station.path.starts_with("/admin/") && page.may("/admin");
        page.may(station.path) && !leads_there
    };
    let stations = STATIONS.iter().filter(open).copied().collect();
    let resident = policy::rule("GET", RESIDENT.path).map(|_rule| RESIDENT);
    html(&Start { page, stations, resident })
}
