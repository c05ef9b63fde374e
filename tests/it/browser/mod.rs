//! The pages in a real browser: Chromium without a window, driven as a person would, by keys.
//!
//! A story begins with [`Browser::open`], works, and calls [`Browser::check`] on each page it is
//! about: that takes a screenshot into `target/screenshots`, asks axe for violations in light and
//! dark, and fails on any error at the console, any request to another host, and anything that
//! sticks out sideways. What a page looks like is for people to look at.

mod admin;
mod board;
mod calls;
mod check;
mod collect;
mod drafts;
mod driver;
mod plate;
mod quadrants;
mod receive;
mod recalls;
mod resident;
mod review;
mod run;
mod scanner;
mod sign_in;
mod signature;
mod start;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::auth::session::sign_in::login_give;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::app::{Client as Account, Engine, TestApp};
use driver::{Cdp, Chromium, Driver, axe, missing};

/// The password of everybody in these stories.
pub const PASSWORD: &str = "one long phrase for all";
/// How long a page may take before a story fails.
const PATIENCE: Duration = Duration::from_secs(15);
/// Browsers at once: each is several processes, and there are other stories.
static AT_ONCE: Semaphore = Semaphore::const_new(3);

/// The sizes pages are looked at in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A phone, upright.
    Phone,
    /// A desk.
    Desktop,
    /// A screen on a wall.
    Wall,
}

impl Size {
    pub const BOTH: [Self; 2] = [Self::Phone, Self::Desktop];

    const fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Desktop => "desktop",
            Self::Wall => "wall",
        }
    }
}

/// A browser before an application of its own.
pub struct Browser {
    pub app: TestApp,
    pub client: Client,
    /// Where the application is: `http://127.0.0.1:PORT`.
    pub url: String,
    size: Size,
    language: &'static str,
    axe: String,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
    _driver: Driver,
    _permit: SemaphorePermit<'static>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn fresh() -> TestApp {
    TestApp::start(Engine::Sqlite).await.expect("SQLite is built in")
}

impl Browser {
    /// A browser before a fresh application, or none with a loud word where its tools are missing.
    pub async fn open(size: Size, language: &'static str) -> Option<Self> {
        Self::before(fresh().await, size, language).await
    }

    /// All of Chromium before a fresh application: for what samplers do on their own devices.
    pub async fn open_whole(size: Size, language: &'static str) -> Option<Self> {
        Self::start(Chromium::Whole, fresh().await, size, language).await
    }

    /// A browser before this application.
    pub async fn before(app: TestApp, size: Size, language: &'static str) -> Option<Self> {
        Self::start(Chromium::Shell, app, size, language).await
    }

    async fn start(
        chromium: Chromium,
        app: TestApp,
        size: Size,
        language: &'static str,
    ) -> Option<Self> {
        let Some(axe) = axe() else {
            missing("axe-core");
            return None;
        };
        let permit = AT_ONCE.acquire().await.expect("nobody closes it");
        let Some((driver, client)) = Driver::start(chromium, language).await else {
            missing("chromium or chromedriver");
            return None;
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(app.app.clone().serve(listener, std::future::pending()));
        let mut browser = Self {
            app,
            client,
            url,
            size,
            language,
            axe,
            serving,
            _driver: driver,
            _permit: permit,
        };
        browser.resize(size).await;
        // The tab a browser opens with is not ours.
        browser.client.goto("about:blank").await.unwrap();
        browser.complaints().await;
        Some(browser)
    }

    /// Looks at the pages in another size from here on.
    pub async fn resize(&mut self, size: Size) {
        self.size = size;
        self.measure().await;
    }

    async fn measure(&self) {
        let (width, height) = match self.size {
            Size::Phone => (360, 740),
            Size::Desktop => (1280, 800),
            Size::Wall => (1920, 1080),
        };
        let is_phone = self.size == Size::Phone;
        let metrics = json!({ "width": width, "height": height,
            "deviceScaleFactor": if is_phone { 2 } else { 1 }, "mobile": is_phone });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Has the browser prefer light or dark.
    async fn prefer(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" }]);
        self.cdp("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// A command of the browser's own protocol.
    pub async fn cdp(&self, command: &'static str, parameters: Value) -> Value {
        self.client.issue_cmd(Cdp { command, parameters }).await.unwrap()
    }

    /// Goes to a path of the application.
    pub async fn goto(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.url)).await.unwrap();
        self.settle().await;
    }

    /// Loads the page that is shown again.
    pub async fn reload(&self) {
        self.client.refresh().await.unwrap();
        self.settle().await;
    }

    /// Waits until the page has been loaded and has given the focus where it wants it: that comes
    /// with the first picture and not with the load, and what is typed before it is lost.
    async fn settle(&self) {
        let focused = "(document.activeElement !== document.body \
            || !document.querySelector('[autofocus]')?.checkVisibility())";
        let script = format!("document.readyState === 'complete' && {focused}");
        self.wait_for_value(&script, &json!(true)).await;
    }

    /// Path and query of the page that is shown.
    pub async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url.as_str().strip_prefix(&self.url).expect("it is our page").to_owned()
    }

    /// Waits until the page that is shown is this one.
    pub async fn wait_for_path(&self, path: &str) {
        for _ in 0..PATIENCE.as_millis() / 50 {
            if self.path().await == path {
                self.settle().await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let said = "return document.querySelector('main')?.innerText";
        let said = self.client.execute(said, Vec::new()).await;
        panic!("{} is shown instead of {path}: {said:?}", self.path().await);
    }

    /// Waits until an element is there whose text contains these words.
    pub async fn wait_for_text(&self, css: &str, words: &str) {
        let mut last = String::new();
        for _ in 0..PATIENCE.as_millis() / 50 {
            let text = format!(
                "return [...document.querySelectorAll({})].map(e => e.innerText).join('\\n')",
                json!(css)
            );
            if let Ok(Value::String(text)) = self.client.execute(&text, Vec::new()).await {
                if text.contains(words) {
                    return;
                }
                last = text;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{css} never said {words:?}, but {last:?}");
    }

    /// Waits until an expression of the page has this value. While one page gives way to the next
    /// there is nothing to ask.
    pub async fn wait_for_value(&self, expression: &str, value: &Value) {
        let script = format!("return {expression}");
        let mut last = Ok(Value::Null);
        for _ in 0..PATIENCE.as_millis() / 50 {
            last = self.client.execute(&script, Vec::new()).await;
            if last.as_ref().is_ok_and(|last| last == value) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{expression} is {last:?} instead of {value}");
    }

    /// The text of the first such element.
    pub async fn text(&self, css: &str) -> String {
        self.client.find(Locator::Css(css)).await.unwrap().text().await.unwrap()
    }

    /// Whether there is such an element.
    pub async fn has(&self, css: &str) -> bool {
        self.client.find(Locator::Css(css)).await.is_ok()
    }

    /// Types at whatever has the focus, as a person or a scanner does.
    pub async fn keys(&self, text: &str) {
        self.client.active_element().await.unwrap().send_keys(text).await.unwrap();
    }

    /// Presses one key that is no letter.
    pub async fn press(&self, key: Key) {
        self.keys(&char::from(key).to_string()).await;
    }

    /// Scans a code as a wedge scanner types it: at once, and Enter behind it.
    pub async fn scan(&self, code: &str) {
        self.keys(&format!("{code}{}", char::from(Key::Enter))).await;
    }

    /// The id of the element in focus.
    pub async fn focus(&self) -> String {
        let id = self.client.execute("return document.activeElement.id", Vec::new()).await.unwrap();
        id.as_str().unwrap_or_default().to_owned()
    }

    /// Presses the button or follows the link, wherever it is.
    pub async fn click(&self, css: &str) {
        self.client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    /// Somebody new with this role, who can sign in; gives the name to sign in with.
    pub async fn somebody(&self, role: Role) -> (Account, String) {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let account = self.app.client(role).await;
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let login = format!("{role:?}{number}").to_lowercase();
        self.give(&account, &login).await;
        (account, login)
    }

    /// Gives an account a name to sign in with, and the password.
    pub async fn give(&self, account: &Account, login: &str) {
        let given = (login, PASSWORD.to_owned());
        login_give(&self.app.app, &account.actor, &account.actor.account, given).await.unwrap();
    }

    /// Types name and password at the sign-in page that is shown.
    pub async fn type_credentials(&self, login: &str, password: &str) {
        self.keys(&format!("{login}{}", char::from(Key::Tab))).await;
        self.scan(password).await;
    }

    /// Signs somebody new in with this role, by keyboard; the start page is shown.
    pub async fn sign_in(&self, role: Role) -> Account {
        let (account, login) = self.somebody(role).await;
        self.enter(&login).await;
        account
    }

    /// Signs in with this name, by keyboard; the start page is shown.
    pub async fn enter(&self, login: &str) {
        self.goto("/sign-in").await;
        self.type_credentials(login, PASSWORD).await;
        self.wait_for_path("/").await;
    }

    /// Where these links lead.
    pub async fn paths(&self, css: &str) -> Vec<String> {
        let script = format!(
            "return [...document.querySelectorAll({})].map(a => a.getAttribute('href'))",
            json!(css)
        );
        let found = self.client.execute(&script, Vec::new()).await.unwrap();
        serde_json::from_value(found).unwrap()
    }
}
