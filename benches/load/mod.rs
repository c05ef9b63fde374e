//! The service on a socket, and a client that costs next to nothing beside it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use swabline::app::App;
use swabline::auth::{NewAccount, Role, account_add, token_issue};
use swabline::clock::{Clock, Span};
use swabline::config::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::store::{on_server, scan};

/// What the program allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Ranges of a hundred thousand tube codes that are given out.
const ALLOTMENTS: usize = 80;

/// A running service on one engine, with a site, a session and codes.
pub struct Service {
    /// What everything here runs on.
    pub runtime: Runtime,
    /// Where it listens.
    pub address: SocketAddr,
    /// A sampler's token.
    pub sampler: String,
    /// The application behind it.
    pub app: App,
    /// Kept so that the folder lives as long as the service.
    _folder: tempfile::TempDir,
}

impl Service {
    /// Starts it on this database; empty means SQLite.
    pub fn start(database: String) -> Self {
        let runtime = Runtime::new().expect("the runtime starts");
        let folder = tempfile::tempdir().expect("there is a folder for passing files");
        let config = Config { data: folder.path().to_owned(), database, ..Config::default() };
        let (app, address, sampler) = runtime.block_on(async {
            let app = App::open(config, Clock::system()).await.expect("the store opens");
            let listener =
                tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
            let address = listener.local_addr().expect("it listens");
            tokio::spawn(app.clone().serve(listener, std::future::pending()));
            let sampler = city(&app, address).await;
            (app, address, sampler)
        });
        Self { runtime, address, sampler, app, _folder: folder }
    }
}

/// A fresh database on each engine that is there: its name, and the address a service opens.
/// SQLite's is empty, for a service makes its own. They stay until the server is cleaned up.
#[expect(clippy::disallowed_methods, reason = "a measurement asks its surroundings for servers")]
pub fn fresh_databases() -> Vec<(&'static str, String)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let mut databases = vec![("SQLite", String::new())];
    if let Ok(server) = std::env::var("TEST_POSTGRES_URL") {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("swabline_bench_{}_{number}", std::process::id());
        let runtime = Runtime::new().expect("the runtime starts");
        runtime.block_on(on_server(&server, format!("create database {name}")));
        let (base, _) = server.rsplit_once('/').expect("the address names a database");
        databases.push(("PostgreSQL", format!("{base}/{name}")));
    }
    databases
}

/// What a device sends for a tube of so many people.
pub fn body(service: &Service, n: u32, people: u32) -> Value {
    serde_json::to_value(scan(&service.app.clock, n, people)).expect("a scan is JSON")
}

/// What a tube needs before it can be sealed; gives a sampler's token.
async fn city(app: &App, address: SocketAddr) -> String {
    let mut tx = app.db.write("bench.people").await.expect("the store answers");
    let mut tokens = Vec::new();
    for role in [Role::Administrator, Role::Officer, Role::Sampler] {
        let site = (role == Role::Sampler).then(|| "S01".to_owned());
        let new = NewAccount { name: format!("{role:?}"), role, site, laboratory: None };
        let actor = account_add(&mut tx, &app.clock, new).await.expect("the store answers");
        let (now, day) = (app.clock.now(), Span::days(1));
        let token = token_issue(&mut tx, &actor.account, "bench", now, day).await;
        tokens.push(token.expect("the store answers").reveal().to_owned());
    }
    tx.commit().await.expect("the store commits");
    let now = app.clock.now();
    let round = json!({ "name": "June", "area": "Fengtai", "specimen": "oropharyngeal swab",
        "tube_size": 10, "starts_at": now - Span::days(4), "ends_at": now + Span::days(4),
        "result_hours": 24 });
    let session = json!({ "round": "R01", "site": "S01", "team": "Team 1",
        "opens_at": now - Span::hours(1), "closes_at": now + Span::hours(11) });
    let codes = json!({ "kind": "tube", "count": 100_000, "place": "S01" });
    let place = json!({ "name": "North gate", "area": "Fengtai" });
    let places = [
        (0, "PUT /v1/sites/S01", place),
        (1, "PUT /v1/rounds/R01", round),
        (1, "PUT /v1/sessions/W01", session),
    ];
    let allotments = (0..ALLOTMENTS).map(|_| (0, "POST /v1/allotments", codes.clone()));
    for (token, line, body) in places.into_iter().chain(allotments) {
        let request = request(line, &tokens[token], &body);
        let (_, refused) = send(address, 1, vec![request]).await;
        assert_eq!(refused, 0, "{line}");
    }
    tokens.remove(2)
}

/// A request as it goes over the wire.
pub fn request(line: &str, token: &str, body: &Value) -> Vec<u8> {
    static KEY: AtomicU32 = AtomicU32::new(0);
    let (body, key) = (body.to_string(), KEY.fetch_add(1, Ordering::Relaxed));
    format!(
        "{line} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         idempotency-key: {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends requests over so many connections, and gives the time that took and how many were not
/// answered with success. The connections are there before the time begins.
pub async fn send(
    address: SocketAddr,
    connections: usize,
    requests: Vec<Vec<u8>>,
) -> (Duration, usize) {
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let refused = Arc::new(AtomicUsize::new(0));
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket takes its options");
        streams.push(stream);
    }
    let started = Instant::now();
    let mut callers = Vec::with_capacity(connections);
    for mut stream in streams {
        let (requests, next, refused) =
            (Arc::clone(&requests), Arc::clone(&next), Arc::clone(&refused));
        callers.push(tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 16];
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                stream.write_all(request).await.expect("it takes a request");
                if !answered(&mut stream, &mut buffer).await {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        }));
    }
    for caller in callers {
        caller.await.expect("no caller fails");
    }
    (started.elapsed(), refused.load(Ordering::Relaxed))
}

/// Reads one answer to its end, and whether it is a success.
async fn answered(stream: &mut TcpStream, buffer: &mut [u8]) -> bool {
    let mut read = 0;
    let (head, length) = loop {
        read += stream.read(&mut buffer[read..]).await.expect("it answers");
        let head = buffer[..read].windows(4).position(|end| end == b"\r\n\r\n");
        if let Some(head) = head {
            break (head + 4, content_length(&buffer[..head]));
        }
    };
    let is_success = buffer[9] == b'2';
    let mut left = (head + length).saturating_sub(read);
    while left > 0 {
        let some = left.min(buffer.len());
        left -= stream.read(&mut buffer[..some]).await.expect("it answers");
    }
    is_success
}

fn content_length(head: &[u8]) -> usize {
    let head = std::str::from_utf8(head).expect("a head is text").to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.map_or(0, |length| length.trim().parse().expect("a length is a number"))
}
