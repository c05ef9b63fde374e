//! Pages in a real browser: what each weighs over the wire the first time it is opened and what it
//! waits for before it is drawn, and what a scan costs at the plate page when 384 wells fill up.
//!
//! Needs `chromium` and `chromedriver`, which `scripts/test` installs.

#[expect(dead_code, reason = "one plate is filled here, by hand, and nothing is run")]
mod laboratory;
#[expect(dead_code, reason = "the stories look for more in a browser than a measurement")]
#[path = "../tests/it/browser/driver.rs"]
mod driver;
#[expect(dead_code, reason = "a plate is laid out here, and nothing is read")]
mod run;

use std::time::{Duration, Instant};

use driver::{Cdp, Chromium, Driver};
use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use laboratory::{Laboratory, Plate};
use serde_json::{Value, json};
use swabline::auth::session::sign_in::login_give;
use swabline::auth::{NewAccount, Role, account_add};

const PASSWORD: &str = "one long phrase for all";
/// How long a page may take before the measurement fails.
const PATIENCE: Duration = Duration::from_secs(15);
/// Pages, and who opens them.
const PAGES: [(&str, Option<Role>); 9] = [
    ("/", None),
    ("/sign-in", None),
    ("/r", None),
    ("/collect", Some(Role::Sampler)),
    ("/receive", Some(Role::Receiver)),
    ("/plate", Some(Role::Technician)),
    ("/run", Some(Role::Technician)),
    ("/review", Some(Role::Reviewer)),
    ("/board", Some(Role::Officer)),
];
/// Everything that came over the wire: its path, its bytes with their heads, and whether the page
/// waited for it; then the paths that the page itself names.
const WEIGHED: &str = "const parts = [...performance.getEntriesByType('navigation'),
        ...performance.getEntriesByType('resource')];
    const named = [...document.querySelectorAll('link[href], script[src], img[src]')]
        .map(e => new URL(e.href || e.src).pathname);
    return parts.map(e => [new URL(e.name).pathname, e.transferSize,
        e.renderBlockingStatus === 'blocking', named.includes(new URL(e.name).pathname)])";
/// What the browser adds up of the page's one thread.
const SPENT: [&str; 4] =
    ["ScriptDuration", "RecalcStyleDuration", "LayoutDuration", "TaskDuration"];
const SCANS: &str = "return performance.getEntriesByName('scan').map(one => one.duration)";

struct Desk {
    client: Client,
    url: String,
    _driver: Driver,
}

impl Desk {
    async fn open(url: &str) -> Option<Self> {
        let (driver, client) = Driver::start(Chromium::Whole, "en").await?;
        Some(Self { client, url: url.to_owned(), _driver: driver })
    }

    async fn goto(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.url)).await.expect("the page opens");
    }

    async fn keys(&self, text: &str) {
        let focus = self.client.active_element().await.expect("something has the focus");
        focus.send_keys(text).await.expect("it takes keys");
    }

    async fn scan(&self, code: &str) {
        self.keys(&format!("{code}{}", char::from(Key::Enter))).await;
    }

    async fn ask(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("the page answers")
    }

    /// Waits until this is true on the page.
    async fn until(&self, script: &str) {
        let began = Instant::now();
        while self.ask(&format!("return Boolean({script})")).await != json!(true) {
            assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {script}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn cdp(&self, command: &'static str) -> Value {
        let command = Cdp { command, parameters: json!({}) };
        self.client.issue_cmd(command).await.expect("the browser obeys")
    }

    async fn sign_in(&self, login: &str) {
        self.client.delete_all_cookies().await.expect("the browser forgets");
        self.goto("/sign-in").await;
        for (field, text) in [("#login", login), ("#password", PASSWORD)] {
            let field = self.client.find(Locator::Css(field)).await.expect("the field is there");
            field.send_keys(text).await.expect("it takes keys");
        }
        self.scan("").await;
        self.until("location.pathname === '/'").await;
    }

    /// What the browser's own clock says it spent so far, in seconds.
    async fn spent(&self, what: &str) -> f64 {
        let metrics = self.cdp("Performance.getMetrics").await;
        let metrics = metrics["metrics"].as_array().expect("they are a list");
        let one = metrics.iter().find(|one| one["name"] == what).expect("it is measured");
        one["value"].as_f64().expect("it is a number")
    }
}

/// Everybody who opens a page, each under the name of the role.
async fn hire(laboratory: &Laboratory) {
    let app = &laboratory.app;
    let roles: Vec<_> = PAGES.iter().filter_map(|(_, role)| *role).collect();
    for (at, role) in roles.iter().enumerate().filter(|(at, role)| !roles[..*at].contains(role)) {
        let mut tx = app.db.write("bench.hire").await.expect("the store answers");
        let site = (*role == Role::Sampler).then(|| "S01".to_owned());
        let bound = matches!(role, Role::Receiver | Role::Technician | Role::Reviewer);
        let place = bound.then(|| "L01".to_owned());
        let new =
            NewAccount { name: format!("Invented {at}"), role: *role, site, laboratory: place };
        let actor = account_add(&mut tx, &app.clock, new).await.expect("the account is new");
        tx.commit().await.expect("the store commits");
        let given = (&*login(*role), PASSWORD.to_owned());
        login_give(app, &actor, &actor.account, given).await.expect("the name is free");
    }
}

fn login(role: Role) -> String {
    format!("{role:?}").to_lowercase()
}

async fn weigh(desk: &Desk) {
    eprintln!("pages opened for the first time: bytes over the wire with their heads");
    let mut signed_in = None;
    for (path, role) in PAGES {
        if let Some(role) = role.filter(|role| signed_in != Some(*role)) {
            desk.sign_in(&login(role)).await;
            signed_in = Some(role);
        }
        desk.goto("/healthz").await;
        desk.cdp("Network.clearBrowserCache").await;
        desk.goto(path).await;
        desk.until("document.readyState === 'complete'").await;
        let parts = desk.ask(WEIGHED).await;
        let parts: Vec<(String, u64, bool, bool)> =
            serde_json::from_value(parts).expect("they are parts");
        let bytes: u64 = parts.iter().map(|(_, bytes, ..)| bytes).sum();
        let first = parts.first().map_or(0, |(_, bytes, ..)| *bytes);
        let blocking: Vec<_> = parts.iter().filter(|(_, _, blocks, _)| *blocks).collect();
        let late = blocking.iter().filter(|(.., named)| !named).count();
        let blocking_bytes: u64 = blocking.iter().map(|(_, bytes, ..)| bytes).sum();
        eprintln!(
            "page {path:10} {bytes:6} bytes in {:2} parts: {first:6} itself, {blocking_bytes:6} in \
             {} it waits for, {late} of them not named by it",
            parts.len(),
            blocking.len(),
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "a time is not exact")]
async fn fill(desk: &Desk, plate: &Plate) {
    desk.sign_in(&login(Role::Technician)).await;
    let settings = json!(["orf1ab-n-ic 1", "", "one-well-382-moving-columns"]).to_string();
    desk.ask(&format!("localStorage.setItem('plate-settings', {})", json!(settings))).await;
    desk.goto("/plate").await;
    desk.until("document.querySelector('#kit').value").await;
    desk.scan(plate.code.as_str()).await;
    desk.until("document.querySelector('.feedback.right')").await;
    desk.cdp("Performance.enable").await;
    let tubes: Vec<_> = plate.layout.tubes().into_keys().map(str::to_owned).collect();
    eprintln!("a scan at the plate page, milliseconds of the page's one thread a scan");
    for part in [0..96, 96..192, 192..288, 288..tubes.len()] {
        let mut before = Vec::new();
        for what in SPENT {
            before.push(desk.spent(what).await);
        }
        desk.ask("performance.clearMeasures('scan')").await;
        let last = part.end;
        let count = part.len() as f64;
        for tube in &tubes[part] {
            desk.scan(tube).await;
        }
        desk.until(&format!("document.querySelector('#filled').textContent === '{last}'")).await;
        desk.until("document.querySelector('.feedback.right')").await;
        let mut each = Vec::new();
        for (what, before) in SPENT.into_iter().zip(before) {
            each.push((desk.spent(what).await - before) * 1e3 / count);
        }
        let handlers: Vec<f64> =
            serde_json::from_value(desk.ask(SCANS).await).expect("they are times");
        let longest = handlers.iter().copied().fold(0.0, f64::max);
        eprintln!(
            "scans up to {last}: script {:.2}, style {:.2}, layout {:.2}, everything with the keys \
             typed {:.2}; longest of {} handlers {longest:.2}",
            each[0],
            each[1],
            each[2],
            each[3],
            handlers.len(),
        );
    }
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut laboratory = Laboratory::open(None, run::kit());
    let plate = laboratory.receive(false);
    let app = laboratory.app.clone();
    laboratory.runtime.block_on(async {
        hire(&laboratory).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        tokio::spawn(app.serve(listener, std::future::pending()));
        let Some(desk) = Desk::open(&url).await else {
            eprintln!("NO PAGE WAS MEASURED: chromium or chromedriver is missing");
            return;
        };
        weigh(&desk).await;
        fill(&desk, &plate).await;
    });
}
