//! Route x role on one page. A route that is not here is denied to everybody; only the pictures,
//! styles and scripts of pages, and the description of the API at `/docs`, are for anybody.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Role;
use super::Role::{
    Administrator, Auditor, Courier, Officer, Receiver, Reviewer, Sampler, Service, Technician,
};

/// Who may call one route.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// HTTP method, upper case.
    pub method: &'static str,
    /// The route as the router spells it.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}

/// How a route is guarded.
#[derive(Debug, Clone, Copy)]
pub enum Access {
    /// Anybody; the handler itself asks for proof of possession or gives nothing away.
    Open,
    /// Only these roles, with a token or a session.
    Only(&'static [Role]),
}

const fn open(method: &'static str, path: &'static str) -> Rule {
    Rule { method, path, access: Access::Open }
}

const fn only(method: &'static str, path: &'static str, roles: &'static [Role]) -> Rule {
    Rule { method, path, access: Access::Only(roles) }
}

/// Whoever may look at the board; those who work in a laboratory see theirs.
const WATCHERS: &[Role] = &[Officer, Auditor, Administrator, Receiver, Technician, Reviewer];

/// The whole table.
pub const RULES: &[Rule] = &[
    open("GET", "/healthz"),
    open("GET", "/readyz"),
    open("GET", "/metrics"),
    open("GET", "/openapi.json"),
    // barcode
    only("POST", "/v1/allotments", &[Administrator, Officer, Receiver, Technician]),
    only("GET", "/v1/allotments/{id}/labels", &[Administrator, Officer, Receiver, Technician]),
    only("PUT", "/v1/code-patterns/{prefix}", &[Administrator]),
    // collection
    only("PUT", "/v1/laboratories/{code}", &[Administrator]),
    only("PUT", "/v1/sites/{code}", &[Administrator, Officer]),
    only("PUT", "/v1/rounds/{code}", &[Officer]),
    only("PUT", "/v1/sessions/{code}", &[Officer, Sampler]),
    only("PUT", "/v1/tubes/{code}", &[Sampler]),
    only("POST", "/v1/tubes/batch", &[Sampler]),
    only("GET", "/v1/tubes/{code}", &[Sampler, Receiver, Technician, Reviewer, Officer, Auditor]),
    // transport
    only("PUT", "/v1/boxes/{code}", &[Sampler]),
    only("GET", "/v1/boxes/{code}", &[Sampler, Courier, Receiver, Officer, Auditor]),
    only("POST", "/v1/boxes/{code}/handovers", &[Sampler, Courier, Receiver]),
    only("POST", "/v1/boxes/{code}/handovers/{step}/accept", &[Courier, Receiver]),
    // recall
    only("GET", "/v1/recalls", &[Officer, Sampler]),
    only("PUT", "/v1/recalls/{id}", &[Officer]),
    // receiving
    only("POST", "/v1/arrivals", &[Receiver]),
    only("GET", "/v1/arrivals/{id}", &[Receiver, Officer, Auditor]),
    only("POST", "/v1/tubes/{code}/write-off", &[Officer]),
    // pooling
    only("GET", "/v1/plan", &[Administrator, Officer, Technician, Reviewer, Auditor]),
    only("PUT", "/v1/pools/{code}", &[Technician]),
    only("GET", "/v1/pools/{code}", &[Technician, Reviewer, Auditor]),
    only("POST", "/v1/pools/{code}/dissolve", &[Technician]),
    only("GET", "/v1/pooling", &[Technician, Reviewer, Officer, Auditor]),
    only("POST", "/v1/pooling/assessments", &[Reviewer]),
    // plate
    only("PUT", "/v1/plates/{code}", &[Technician]),
    only("GET", "/v1/plates/{code}", &[Technician, Reviewer, Auditor]),
    only("GET", "/v1/plates/{code}/slots", &[Technician]),
    only("POST", "/v1/plates/{code}/freeze", &[Technician]),
    only("GET", "/v1/plates/{code}/worklist", &[Technician]),
    only("PUT", "/v1/racks/{code}", &[Receiver, Technician]),
    only("GET", "/v1/racks/{code}", &[Receiver, Technician, Auditor]),
    only("POST", "/v1/plates/{code}/transfers", &[Technician]),
    only("GET", "/v1/plates/{code}/transfers", &[Technician, Reviewer, Auditor]),
    only("GET", "/v1/plates/{code}/transfers/{id}/file", &[Technician, Reviewer, Auditor]),
    only("POST", "/v1/plates/{code}/transfers/{id}/accept", &[Technician, Reviewer]),
    only("POST", "/v1/plates/{code}/discard", &[Technician]),
    only("GET", "/v1/plates/{code}/picklist", &[Technician]),
    only("GET", "/v1/laboratories/{code}/retests", &[Technician, Reviewer]),
    // instrument
    only("POST", "/v1/plates/{code}/runs", &[Technician]),
    only("GET", "/v1/runs/{id}", &[Technician, Reviewer, Auditor]),
    only("GET", "/v1/runs/{id}/file", &[Technician, Reviewer, Auditor]),
    // kit and lot
    only("GET", "/v1/kits", &[Technician, Reviewer, Administrator, Auditor]),
    only(
        "GET",
        "/v1/kits/{code}/versions/{version}",
        &[Technician, Reviewer, Administrator, Auditor],
    ),
    only("PUT", "/v1/kits/{code}/versions/{version}", &[Administrator, Reviewer]),
    only("POST", "/v1/kits/{code}/versions/{version}/shadow", &[Administrator, Reviewer]),
    only("POST", "/v1/kits/{code}/versions/{version}/approve", &[Administrator, Reviewer]),
    only("POST", "/v1/kits/{code}/versions/{version}/withdraw", &[Administrator, Reviewer]),
    only("GET", "/v1/lots", &[Technician, Reviewer, Administrator, Auditor]),
    only("PUT", "/v1/lots/{kit}/{lot}", &[Technician, Reviewer]),
    only("POST", "/v1/lots/{kit}/{lot}/deliveries", &[Technician]),
    only("POST", "/v1/lots/{kit}/{lot}/issues", &[Technician]),
    only("GET", "/v1/runs/{id}/curves", &[Technician, Reviewer, Auditor]),
    only("GET", "/v1/runs/{id}/curves.svg", &[Technician, Reviewer, Auditor]),
    only("GET", "/v1/runs/{id}/plate.svg", &[Technician, Reviewer, Auditor]),
    only("GET", "/v1/runs/{id}/rdml", &[Technician, Reviewer, Auditor]),
    // review
    only("GET", "/v1/reviews", &[Technician, Reviewer]),
    only("POST", "/v1/runs/{id}/review", &[Technician, Reviewer]),
    only("POST", "/v1/runs/{id}/release", &[Reviewer]),
    only("POST", "/v1/results/{id}/amend", &[Reviewer]),
    only("GET", "/v1/switches/{name}", &[Reviewer, Officer, Auditor]),
    only("PUT", "/v1/switches/{name}", &[Reviewer]),
    // quality
    only("GET", "/v1/quality/charts", &[Technician, Reviewer, Officer, Auditor]),
    only("GET", "/v1/quality/charts.svg", &[Technician, Reviewer, Officer, Auditor]),
    only("GET", "/v1/quality/alarms", &[Technician, Reviewer, Officer, Auditor]),
    only("POST", "/v1/quality/alarms/{id}/acknowledge", &[Reviewer, Officer]),
    only("PUT", "/v1/seeded/{code}", &[Officer]),
    only("GET", "/v1/seeded", &[Officer]),
    only("GET", "/v1/seeded.svg", &[Officer]),
    // query
    open("POST", "/v1/status"),
    only("POST", "/v1/status/batch", &[Service]),
    only("GET", "/v1/feed", &[Service, Officer]),
    // city
    only("GET", "/v1/devices/gaps", &[Officer, Auditor, Administrator]),
    only("GET", "/v1/ledger", &[Officer, Auditor, Administrator]),
    only("GET", "/v1/figures", WATCHERS),
    only("GET", "/v1/figures/live", WATCHERS),
    only("GET", "/v1/figures/flow.svg", WATCHERS),
    only("GET", "/v1/figures/turnaround.svg", WATCHERS),
    only("GET", "/v1/integrity", &[Officer, Auditor, Administrator]),
    only("GET", "/v1/integrity/earlier", &[Officer, Auditor]),
    only("GET", "/v1/integrity/root", &[Officer, Auditor]),
    only("GET", "/v1/audit", &[Auditor]),
    // session
    only("GET", "/v1/session", &Role::ALL),
    only("POST", "/v1/session/proof", &Role::ALL),
    // pages
    open("GET", "/"),
    open("GET", "/assets/{build}/{name}"),
    open("POST", "/language"),
    open("GET", "/sign-in"),
    open("POST", "/sign-in"),
    open("GET", "/sign-in/code"),
    open("POST", "/sign-in/code"),
    only("POST", "/sign-out", &Role::ALL),
    only("GET", "/account", &Role::ALL),
    only("POST", "/account/password", &Role::ALL),
    only("GET", "/account/second-factor", &Role::ALL),
    only("POST", "/account/second-factor", &Role::ALL),
    only("GET", "/scanner", &Role::ALL),
    only("GET", "/cards", &[Sampler, Courier, Receiver, Technician, Administrator]),
    only("GET", "/receive", &[Receiver]),
    only("GET", "/plate", &[Technician]),
    only("GET", "/run", &[Technician]),
    only("GET", "/review", &[Technician, Reviewer]),
    only("GET", "/recalls", &[Officer, Sampler]),
    only("POST", "/recalls/{id}/contact", &[Officer]),
    only("GET", "/admin", &[Administrator]),
    only("POST", "/admin", &[Administrator]),
    only("POST", "/admin/accounts/{id}", &[Administrator]),
    only("GET", "/admin/places", &[Administrator, Officer]),
    only("POST", "/admin/places", &[Administrator, Officer]),
    only("GET", "/admin/kits", &[Administrator, Reviewer, Auditor]),
    only("POST", "/admin/kits", &[Administrator, Reviewer]),
    only("GET", "/admin/kits/{code}/{version}", &[Administrator, Reviewer, Auditor]),
    only("POST", "/admin/kits/{code}/{version}", &[Administrator, Reviewer]),
    only("GET", "/admin/system", &[Administrator, Auditor]),
    only("GET", "/trail", &[Administrator, Auditor]),
    open("GET", "/r"),
    open("POST", "/r"),
    open("POST", "/r/report"),
    open("GET", "/session"),
    only("GET", "/collect", &[Sampler, Courier]),
    open("GET", "/collect/shell/{language}"),
    open("GET", "/collect/worker.js"),
    open("GET", "/collect/manifest.webmanifest"),
    only("GET", "/collect/sessions", &[Sampler]),
    only("POST", "/collect/qr", &[Sampler, Courier]),
    only("GET", "/board", WATCHERS),
];

/// The rule of a route, if there is one.
pub fn rule(method: &str, path: &str) -> Option<&'static Rule> {
    static BY_PATH: LazyLock<HashMap<&str, Vec<&Rule>>> = LazyLock::new(|| {
        let mut by_path: HashMap<_, Vec<_>> = HashMap::new();
        for rule in RULES {
            by_path.entry(rule.path).or_default().push(rule);
        }
        by_path
    });
    BY_PATH.get(path)?.iter().find(|rule| rule.method == method).copied()
}

impl Rule {
    /// Whether `role` may call the route.
    pub fn allows(&self, role: Role) -> bool {
        match self.access {
            Access::Open => true,
            Access::Only(roles) => roles.contains(&role),
        }
    }
}
