//! What is looked at on every page of a story: axe, the console, other hosts, and the width.

use std::path::Path;

use serde_json::{Value, json};

use super::Browser;
use super::driver::{Log, is_set};

/// What axe looks for: WCAG 2.2 up to AA, and what is good practice beyond it.
const AXE_TAGS: [&str; 7] =
    ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];
/// What of it other colours can change: the rest is the same in light and dark.
const AXE_COLOURS: [&str; 2] = ["color-contrast", "link-in-text-block"];
/// Where a call, or a form, may be refused; a picture or a style sheet that is missing is an error.
const CALLS: [&str; 7] = ["/v1/", "/sign-in", "/account", "/admin", "/session", "/r ", "/r/report"];

/// What axe is asked again in the dark.
fn colours() -> Value {
    json!({ "type": "rule", "values": AXE_COLOURS })
}

impl Browser {
    /// Looks at the page that is shown in every way there is; `name` is that of its screenshots.
    pub async fn check(&self, name: &str) {
        for scheme in ["light", "dark"] {
            self.prefer(scheme).await;
            self.screenshot(&format!("{name}-{scheme}")).await;
            let of = if scheme == "light" { json!(AXE_TAGS) } else { colours() };
            let violations = self.violations(&of).await;
            assert!(violations.is_empty(), "{name}, {scheme}: {}", violations.join("\n"));
        }
        self.prefer("light").await;
        self.refuse_sideways(name).await;
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "{name}: {}", complaints.join("\n"));
    }

    /// Nothing sticks out sideways: neither as it is, nor at 200 % and 400 % of a desk (WCAG 1.4.10).
    async fn refuse_sideways(&self, name: &str) {
        let width =
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]";
        for zoomed in [None, Some((640, 400)), Some((320, 256))] {
            if let Some((width, height)) = zoomed {
                let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1,
                    "mobile": false });
                self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
            }
            let widths = self.client.execute(width, Vec::new()).await.unwrap();
            assert!(
                widths[0].as_u64() <= widths[1].as_u64(),
                "{name} sticks out at {zoomed:?}: {widths}"
            );
        }
        self.measure().await;
    }

    /// Keeps a picture of the page that is shown, where somebody can look at it.
    pub async fn screenshot(&self, name: &str) {
        if is_set("CI", "true") {
            return;
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let shot = json!({ "format": "png", "captureBeyondViewport": true });
        let shown = self.cdp("Page.captureScreenshot", shot).await;
        let encoded = shown["data"].as_str().expect("a picture");
        let png = data_encoding::BASE64.decode(encoded.as_bytes()).unwrap();
        let name = format!("{name}-{}-{}.png", self.language, self.size.name());
        std::fs::write(folder.join(name), png).unwrap();
    }

    /// Every violation that axe sees, with the elements.
    pub async fn axe(&self) -> Vec<String> {
        self.violations(&json!(AXE_TAGS)).await
    }

    /// Every violation of these rules or tags.
    async fn violations(&self, of: &Value) -> Vec<String> {
        let is_there = self.client.execute("return !!window.axe", Vec::new()).await.unwrap();
        if is_there == false {
            self.client.execute(&self.axe, Vec::new()).await.unwrap();
        }
        let run = "const done = arguments[arguments.length - 1];
            axe.run(document, { runOnly: arguments[0] }).then(({ violations }) => done(violations.map(
                v => v.id + ': ' + v.help + ' ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | '))))
            .catch(error => done([String(error)]));";
        let found = self.client.execute_async(run, vec![of.clone()]).await.unwrap();
        serde_json::from_value(found).unwrap()
    }

    /// Errors at the console and requests to other hosts since it was last asked.
    pub async fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for entry in self.log("browser").await {
            // A refused call is what some stories are about; the page has to say it, not the console.
            let text = entry["message"].as_str().unwrap_or_default();
            let is_refused_call = text.contains("the server responded with a status of 4")
                && CALLS.iter().any(|path| text.starts_with(&format!("{}{path}", self.url)));
            if entry["level"] == "SEVERE" && !is_refused_call {
                complaints.push(format!("console: {text}"));
            }
        }
        for entry in self.log("performance").await {
            let message: Value =
                serde_json::from_str(entry["message"].as_str().unwrap_or_default()).unwrap();
            let message = &message["message"];
            if message["method"] == "Network.requestWillBeSent" {
                let url = message["params"]["request"]["url"].as_str().unwrap_or_default();
                let own = [self.url.as_str(), "data:", "blob:", "about:", "chrome:"];
                if !own.iter().any(|start| url.starts_with(start)) {
                    complaints.push(format!("a request to {url}"));
                }
            }
        }
        complaints
    }

    async fn log(&self, kind: &'static str) -> Vec<Value> {
        let log = self.client.issue_cmd(Log { kind }).await.unwrap();
        log.as_array().cloned().unwrap_or_default()
    }
}
