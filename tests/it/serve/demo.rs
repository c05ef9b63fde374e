//! `serve --demo`: one command, and every page has something to show.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::header;
use serde_json::Value;

use super::SQLITE;
use crate::app::Engine;
use crate::program::{Program, command, finish, terminate};

/// Looks at the figures, half a second apart, before the city counts as standing still.
const LOOKS: u32 = 120;

/// A server of a made-up city; ended when dropped.
struct Demo {
    child: Child,
    url: String,
    said: Vec<String>,
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended long ago.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Demo {
    /// Starts it and reads what it says until it says where a resident asks.
    fn start(mut command: Command) -> Self {
        let mut child = command
            .args(["serve", "--demo", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said: Vec<String> = Vec::new();
        for line in lines.map_while(Result::ok) {
            let is_last = line.contains("or by link");
            said.push(line);
            if is_last {
                break;
            }
        }
        let url =
            said.iter().flat_map(|line| line.split(' ')).find(|word| word.starts_with("http"));
        let url = url.unwrap_or_else(|| panic!("it did not serve: {said:?}")).to_owned();
        Self { child, url, said }
    }

    /// The word that follows these at the beginning of a line.
    fn word(&self, label: &str) -> &str {
        let line = self.said.iter().find_map(|line| line.trim_start().strip_prefix(label));
        let line = line.unwrap_or_else(|| panic!("no {label} in {:?}", self.said));
        line.split_whitespace().next().unwrap()
    }

    /// Signs in at the page with the password that was printed; gives the cookie.
    async fn sign_in(&self, http: &reqwest::Client, login: &str) -> String {
        let password = self.word(&format!("{login} "));
        let form = format!("login={login}&password={password}&next=%2F");
        let request = http
            .post(format!("{}/sign-in", self.url))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 303, "{login} signs in");
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn get(&self, http: &reqwest::Client, cookie: &str, path: &str) -> Value {
        let request = http.get(format!("{}{path}", self.url)).header(header::COOKIE, cookie);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_signs_in_as_everybody_and_sees_the_city_move() {
    let demo = Demo::start(command());
    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for login in ["sampler", "courier", "receiver", "technician", "auditor", "administrator"] {
        demo.sign_in(&http, login).await;
    }
    let officer = demo.sign_in(&http, "officer").await;
    let before = demo.get(&http, &officer, "/v1/figures").await;
    assert!(before["stages"]["released"]["tubes"].as_i64() > Some(20), "a morning lies behind");
    for stage in ["in_transit", "received", "in_process"] {
        assert!(before["stages"][stage]["tubes"].as_i64() > Some(0), "{stage}: {before}");
    }
    assert!(before["recalls"]["open"].as_i64() > Some(0), "recalls are left");
    let (technician, reviewer) =
        (demo.sign_in(&http, "technician").await, demo.sign_in(&http, "reviewer").await);
    let plate = format!("/v1/plates/{}", demo.word("a plate to run "));
    assert_eq!(demo.get(&http, &technician, &plate).await["state"], "frozen");
    let waiting = demo.get(&http, &reviewer, "/v1/reviews").await;
    assert!(waiting["runs"].as_array().unwrap().len() >= 2, "runs wait for their review");
    let asked = serde_json::json!({ "pickup_code": demo.word("pick-up code "),
        "document": { "type": "resident_id", "number": demo.word("resident ID ") } });
    let told = http.post(format!("{}/v1/status", demo.url)).json(&asked);
    let told = told.header("idempotency-key", "one").send().await.unwrap();
    assert_eq!(told.status(), 200);
    let told: Value = serde_json::from_slice(&told.bytes().await.unwrap()).unwrap();
    assert_eq!(told["state"], "released");
    // It moves: people are swabbed, boxes are taken in, results are released.
    let moved = |now: &Value, stage: &&str| now["stages"][*stage] != before["stages"][*stage];
    let mut still = vec!["collected", "received", "in_transit", "in_process", "released"];
    for _ in 0..LOOKS {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = demo.get(&http, &officer, "/v1/figures").await;
        still.retain(|stage| !moved(&now, stage));
        if still.is_empty() {
            let ledger = demo.get(&http, &officer, "/v1/ledger").await;
            assert_eq!(ledger["unexplained"], 0);
            terminate(demo.child.id());
            return;
        }
    }
    panic!("{still:?} stand still");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_which_somebody_works_is_refused_and_left_as_it_was() {
    let program = Program::fresh(Engine::Sqlite).await.expect(SQLITE);
    program.account("officer");
    let before = program.run(&["user", "list", "--json"]).expect(0).out;
    let mut demo = command();
    demo.args(program.place()).args(["serve", "--demo", "--listen", "127.0.0.1:0"]);
    let said = finish(demo).expect(1);
    let line = said.one_line();
    assert!(line.contains("has accounts already") && line.contains("empty folder"), "{line}");
    assert_eq!(program.run(&["user", "list", "--json"]).expect(0).out, before);
}
