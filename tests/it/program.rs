//! The program itself as a process: its command line, its log, and callers over a socket.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};
use swabline::clock::{Clock, Span};

use crate::app::{Answer, Engine, fresh_database, postgres_url};
use crate::world::{Person, tube};

/// How long a server may take to stop before the story fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a command may take to its end; some play a day of a small city.
const PATIENCE_WITH_A_DAY: Duration = Duration::from_secs(90);

/// An installation: a data folder of its own and a store on one engine.
pub struct Program {
    /// Kept so that the folder lives as long as the story.
    folder: tempfile::TempDir,
    pub database: Option<String>,
    logs: AtomicU64,
}

/// What a command that ended has said.
#[derive(Debug)]
pub struct Said {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Fails the story, with everything that was said, unless it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// The one line a refusal says; fails the story when it is not exactly one.
    #[track_caller]
    pub fn one_line(&self) -> &str {
        let line = self.err.strip_suffix('\n').unwrap_or(&self.err);
        assert!(!line.is_empty() && !line.contains('\n'), "not one line: {:?}", self.err);
        assert!(line.starts_with("swabline: "), "{line}");
        line
    }

    /// The word after `label` at the beginning of a line.
    #[track_caller]
    pub fn word(&self, label: &str) -> String {
        let found = self.out.lines().find_map(|line| line.strip_prefix(label));
        found.unwrap_or_else(|| panic!("no {label} in {}", self.out)).trim().to_owned()
    }
}

impl Program {
    /// A fresh installation, or `None` when its engine is not there.
    pub async fn fresh(engine: Engine) -> Option<Self> {
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(fresh_database(&postgres_url()?).await),
        };
        let folder = tempfile::tempdir().unwrap();
        Some(Self { folder, database, logs: AtomicU64::new(0) })
    }

    /// Where its keys and, on the embedded engine, its store are.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where its store is, on the embedded engine.
    pub fn sqlite_file(&self) -> PathBuf {
        self.data().join("swabline.db")
    }

    /// A file for a story beside the data.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The arguments that say where the installation is.
    pub fn place(&self) -> Vec<String> {
        let mut place = vec!["--data".to_owned(), self.data().display().to_string()];
        if let Some(database) = &self.database {
            place.extend(["--database".to_owned(), database.clone()]);
        }
        place
    }

    /// Runs a command until it ends.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let mut command = command();
        command.args(self.place()).args(arguments);
        finish(command)
    }

    /// Makes an account at the console and gives its token.
    pub fn account(&self, role: &str) -> String {
        let place: &[&str] = match role {
            "sampler" => &["--site", "S01"],
            "receiver" | "technician" | "reviewer" => &["--laboratory", "L01"],
            _ => &[],
        };
        let name = format!("Test {role}");
        let add = ["user", "add", "--name", &name, "--role", role];
        self.run(&[&add, place].concat()).expect(0).word("token ")
    }

    /// Serves until it is stopped or killed.
    pub fn serve(&self) -> Server {
        self.serve_under(command())
    }

    /// Serves as the given command starts it, which may put a tracer before the program.
    pub fn serve_under(&self, mut command: Command) -> Server {
        let number = self.logs.fetch_add(1, Ordering::SeqCst);
        let log = self.beside(&format!("log.{number}"));
        let mut child = command
            .args(self.place())
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().expect("the output is piped"));
        let mut said = String::new();
        out.read_line(&mut said).unwrap();
        let url = said.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.unwrap_or_else(|| {
            panic!("it did not serve: {said}{}", std::fs::read_to_string(&log).unwrap())
        });
        let url = url.to_owned();
        Server { child, url, said, out, log, http: reqwest::Client::new() }
    }
}

/// Runs a command to its end, which has to come.
pub fn finish(mut command: Command) -> Said {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let since = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if since.elapsed() > PATIENCE_WITH_A_DAY {
            child.kill().unwrap();
            panic!("it did not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The program, without any setting from the surroundings of the test but the kits of stories.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swabline"));
    command.env("SWABLINE_DEMONSTRATION_KITS", "true");
    command.env_remove("RUST_LOG");
    command
}

/// A process that serves; killed when dropped.
pub struct Server {
    child: Child,
    pub url: String,
    said: String,
    out: BufReader<ChildStdout>,
    log: PathBuf,
    http: reqwest::Client,
}

impl Server {
    /// Somebody who calls it with this token, over connections of their own.
    pub fn caller(&self, token: &str) -> Caller {
        Caller { http: self.http.clone(), url: self.url.clone(), token: token.to_owned() }
    }

    /// Somebody who has not called before and has no token.
    pub fn stranger(&self) -> Caller {
        Caller { http: reqwest::Client::new(), url: self.url.clone(), token: String::new() }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would: it gets no chance to do anything.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it ends by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "the server did not stop: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks it to stop and waits for it.
    pub fn stop(mut self) -> ExitStatus {
        terminate(self.id());
        self.ended()
    }

    /// Whether it is still there.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Everything it wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Everything it wrote to its output; only after it ended.
    pub fn output(&mut self) -> String {
        let mut said = self.said.clone();
        self.out.read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended long ago.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Sends SIGTERM to a process.
pub fn terminate(process: u32) {
    assert!(Command::new("kill").arg(process.to_string()).status().unwrap().success());
}

/// Somebody with a token, over a socket.
#[derive(Clone)]
pub struct Caller {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// What came back over a socket, or that nothing did.
pub type Reply = Result<Answer, reqwest::Error>;

impl Caller {
    /// Sends a request; every POST carries a fresh idempotency key.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
        request = request.bearer_auth(&self.token);
        if method == Method::POST {
            request = request.header("idempotency-key", Clock::system().id().to_string());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, bytes: response.bytes().await?.to_vec() })
    }

    /// Sends a request to a server that is there.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await.unwrap()
    }

    /// Sends a request to a server that is there.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await.unwrap()
    }

    /// Sends a request to a server that is there.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await.unwrap()
    }
}

/// The tokens of those who work in the small city.
pub struct City {
    pub administrator: String,
    pub officer: String,
    pub sampler: String,
}

/// Makes a small city at the console and over the socket: laboratory L01, site S01, round R01
/// (10 to a tube), session W01, and as many tube codes as are wanted.
pub async fn city(program: &Program, server: &Server, tubes: u32) -> City {
    let [administrator, officer, sampler] =
        ["administrator", "officer", "sampler"].map(|role| program.account(role));
    let now = Clock::system().now();
    let keeper = server.caller(&administrator);
    let laboratory = json!({ "name": "Laboratory 1", "address": "1 Laboratory Road" });
    keeper.put("/v1/laboratories/L01", &laboratory).await.expect(201);
    let site = json!({ "name": "North gate", "area": "Fengtai" });
    keeper.put("/v1/sites/S01", &site).await.expect(201);
    let round = json!({
        "name": "June", "area": "Fengtai", "specimen": "oropharyngeal swab", "tube_size": 10,
        "starts_at": now - Span::days(4), "ends_at": now + Span::days(10), "result_hours": 24,
    });
    let steering = server.caller(&officer);
    steering.put("/v1/rounds/R01", &round).await.expect(201);
    let session = json!({
        "round": "R01", "site": "S01", "team": "Team 1",
        "opens_at": now - Span::hours(1), "closes_at": now + Span::hours(11),
    });
    steering.put("/v1/sessions/W01", &session).await.expect(201);
    let wanted = json!({ "kind": "tube", "count": tubes, "place": "S01" });
    let allotted = keeper.post("/v1/allotments", &wanted).await.expect(201);
    assert_eq!(allotted.json()["first_code"], tube(0), "the first codes were given out");
    City { administrator, officer, sampler }
}

/// What a device sends for the `n`th tube, now.
pub fn scan(n: u64, people: &[Person]) -> Value {
    let clock = Clock::system();
    let now = clock.now();
    let size = if people.len() == 1 { 1 } else { 10 };
    let members: Vec<_> = people
        .iter()
        .map(|person| {
            json!({
                "document": { "type": "resident_id", "number": person.number },
                "name": person.name, "phone": person.phone, "address": person.address,
                "taken_at": now - Span::minutes(10),
            })
        })
        .collect();
    json!({
        "event_id": clock.id(), "session": "W01", "size": size, "swab_count": people.len(),
        "underfilled": people.len() < size, "sealed_at": now - Span::minutes(1),
        "device": { "id": "D01", "sequence": n, "time": now }, "members": members,
    })
}
