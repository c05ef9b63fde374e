//! chromedriver on a port of its own, and the commands of it that no standard has.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// No Internet is asked for anything, and nothing is kept from one story to the next.
const ARGUMENTS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--autoplay-policy=no-user-gesture-required",
    // A camera that shows a test picture, and nobody who has to allow it.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
];

/// Debian's package of the same name has it here.
const SHELL: &str = "/usr/lib/chromium/chromium-headless-shell";

/// Which Chromium; neither opens a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chromium {
    /// Its engine alone, for half the processor's time; all of it where the shell is not installed.
    Shell,
    /// All of it, as people have it.
    Whole,
}

/// A chromedriver with one browser; both end with it.
pub struct Driver {
    child: Child,
    port: u16,
    session: String,
    /// Kept so that the browser's folder lives as long as the browser.
    _folder: tempfile::TempDir,
}

impl Driver {
    /// Starts both; none where they are not installed.
    pub async fn start(chromium: Chromium, language: &str) -> Option<(Self, Client)> {
        let mut child = Command::new("chromedriver")
            .args(["--port=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let port = port(&mut child)?;
        let folder = tempfile::tempdir().unwrap();
        let mut arguments: Vec<_> = ARGUMENTS.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", folder.path().display()));
        arguments.push(format!("--accept-lang={language}"));
        let mut options = json!({ "args": arguments, "perfLoggingPrefs": { "enablePage": false },
            "prefs": { "intl.accept_languages": language, "credentials_enable_service": false } });
        if chromium == Chromium::Shell && Path::new(SHELL).exists() {
            options["binary"] =
                concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/browser/headless-shell").into();
        }
        let wanted = json!({ "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" } });
        let Value::Object(wanted) = wanted else { unreachable!("it is written as an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await;
        let client = match client {
            Ok(client) => client,
            Err(error) => {
                child.kill().ok();
                child.wait().ok();
                panic!("chromedriver is there, and Chromium does not start: {error}");
            }
        };
        let session = client.session_id().await.unwrap().expect("it has begun");
        Some((Self { child, port, session, _folder: folder }, client))
    }
}

/// The port it says it listens on.
fn port(child: &mut Child) -> Option<u16> {
    let lines = BufReader::new(child.stdout.take()?).lines();
    let said =
        lines.map_while(Result::ok).find(|line| line.contains("started successfully on port"))?;
    said.trim_end_matches('.').rsplit(' ').next()?.parse().ok()
}

impl Drop for Driver {
    /// Also when a story fails: the session is ended first, so that no browser is left behind.
    fn drop(&mut self) {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            stream.set_read_timeout(Some(Duration::from_secs(5))).ok();
            let (session, port) = (&self.session, self.port);
            write!(stream, "DELETE /session/{session} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").ok();
            // It answers when the browser is gone, and keeps the connection.
            let _answered = stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0);
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A command of the browser's own protocol.
#[derive(Debug)]
pub struct Cdp {
    pub command: &'static str,
    pub parameters: Value,
}

/// The entries of a log since it was last asked for.
#[derive(Debug)]
pub struct Log {
    pub kind: &'static str,
}

impl WebDriverCompatibleCommand for Cdp {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &url::Url) -> (Method, Option<String>) {
        let body = json!({ "cmd": self.command, "params": self.parameters });
        (Method::POST, Some(body.to_string()))
    }
}

impl WebDriverCompatibleCommand for Log {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": self.kind }).to_string()))
    }
}

/// The script of axe, where it is.
#[expect(clippy::disallowed_methods, reason = "a test asks its surroundings for its tools")]
pub fn axe() -> Option<String> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/target/node_modules/axe-core/axe.min.js");
    let path = std::env::var("TEST_AXE").map_or_else(|_unset| PathBuf::from(own), PathBuf::from);
    std::fs::read_to_string(path).ok()
}

#[expect(clippy::disallowed_methods, reason = "a test asks its surroundings what is wanted")]
pub fn is_set(name: &str, value: &str) -> bool {
    std::env::var(name).is_ok_and(|set| set == value)
}

/// Says that a story is not told, and fails where it must be.
pub fn missing(what: &str) {
    let required = is_set("CI", "true") || is_set("TEST_BROWSER", "required");
    assert!(!required, "NO PAGE WAS LOOKED AT: {what} is missing; scripts/test installs it");
    eprintln!("NO PAGE WAS LOOKED AT: {what} is missing; run scripts/test once, which installs it");
}
