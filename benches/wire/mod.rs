//! Statuses asked for over HTTP on loopback, against a bare JSON route in the same run: from
//! memory, from Redis, from the store, with a link and with a code.
//!
//! Server and callers share the machine's cores, as they do for the bare route.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::{get, post};
use axum::{Json, Router};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, query, raw_sql};
use swabline::app::App;
use swabline::clock::{Clock, Span};
use swabline::collection::person::{DocumentType, Shown};
use swabline::config::Config;
use swabline::on;
use swabline::query::Status;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// What the program allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// People who ask, each in turn.
const PEOPLE: u32 = 20_000;
/// People in each tube.
const MEMBERS: u32 = 10;
/// Threads of callers, and connections of each, kept alive.
const CALLERS: (usize, usize) = (2, 32);
/// How long each way is asked in one round, and how many rounds there are.
const ROUND: (Duration, usize) = (Duration::from_secs(2), 5);
/// How long each way is asked at half of what it can answer.
const HALF: Duration = Duration::from_secs(5);

/// A way to ask: its name, where, and a request for each person.
struct Way {
    name: &'static str,
    at: SocketAddr,
    requests: Arc<[Vec<u8>]>,
}

/// Measures every way on both engines and prints the medians of the rounds.
#[expect(clippy::disallowed_methods, reason = "a measurement asks its surroundings for servers")]
pub fn measure() {
    let redis = std::env::var("TEST_REDIS_URL").unwrap_or_default();
    if redis.is_empty() {
        eprintln!("Redis was not measured: TEST_REDIS_URL is not set");
    }
    let mut servers = vec![None];
    servers.extend(std::env::var("TEST_POSTGRES_URL").ok().map(Some));
    for server in servers {
        let runtime = Runtime::new().expect("the runtime starts");
        let folder = tempfile::tempdir().expect("there is a folder for passing files");
        let name = format!("swabline_wire_{}", std::process::id());
        let database = match &server {
            None => String::new(),
            Some(server) => {
                runtime.block_on(on_server(server, format!("create database {name}")));
                let (base, _) = server.rsplit_once('/').expect("the address names a database");
                format!("{base}/{name}")
            }
        };
        let data = folder.path().to_owned();
        let config =
            Config { data, database, listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
        let (ways, apps) = runtime.block_on(ways(&config, &redis));
        eprintln!("statuses over HTTP from {}, medians of {} rounds", apps[0].db.engine(), ROUND.1);
        report(&ways);
        runtime.block_on(async {
            for app in &apps {
                app.db.close().await;
            }
        });
        if let Some(server) = &server {
            runtime.block_on(on_server(server, format!("drop database {name} with (force)")));
        }
    }
}

fn report(ways: &[Way]) {
    let mut rates = vec![Vec::new(); ways.len()];
    for way in ways {
        rate(way, Duration::from_secs(1));
    }
    for _ in 0..ROUND.1 {
        for (way, rates) in ways.iter().zip(&mut rates) {
            rates.push(rate(way, ROUND.0));
        }
    }
    for rates in &mut rates {
        rates.sort_by(f64::total_cmp);
    }
    let bare = rates[1][ROUND.1 / 2];
    for (way, rates) in ways.iter().zip(&rates) {
        let (low, middle, high) = (rates[0], rates[ROUND.1 / 2], rates[ROUND.1 - 1]);
        eprintln!(
            "{:24} {middle:9.0}/s ({low:.0} to {high:.0}), {:.2} of bare POST",
            way.name,
            middle / bare
        );
    }
    eprintln!("at half of that rate, from when each was due (a timer ticks once a millisecond)");
    for (way, rates) in ways.iter().zip(&rates) {
        let rate = rates[ROUND.1 / 2] / 2.0;
        let took = ask(way, (Some(rate), HALF));
        let ms = |share| Duration::from_micros(took.value_at_quantile(share)).as_secs_f64() * 1e3;
        let (p50, p99, p999) = (ms(0.5), ms(0.99), ms(0.999));
        eprintln!("{:24} {rate:9.0}/s: p50 {p50:.2}, p99 {p99:.2}, p999 {p999:.2} ms", way.name);
    }
}

async fn ways(config: &Config, redis: &str) -> (Vec<Way>, Vec<App>) {
    let store = app(config, |config| config.cache_mib = 0).await;
    fill(&store).await;
    let local = app(config, |_| {}).await;
    let mut apps = vec![store, local];
    if !redis.is_empty() {
        let change = |config: &mut Config| {
            config.cache_mib = 0;
            redis.clone_into(&mut config.redis);
        };
        apps.push(app(config, change).await);
    }
    let link = |app: &App, person: u32| {
        let until = app.clock.now() + Span::days(1);
        json!({ "link": app.keys.link(&key(app, person), until) })
    };
    let bare = serve_bare().await;
    let requests = |path: &str, body: &dyn Fn(u32) -> Value| {
        (0..PEOPLE).map(|person| request(path, &body(person))).collect::<Arc<[_]>>()
    };
    let links = requests("/v1/status", &|person| link(&apps[0], person));
    let codes = requests("/v1/status", &|person| code(&apps[0], person));
    let get = b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    let mut ways = vec![
        Way { name: "bare GET", at: bare, requests: Arc::from([get]) },
        Way { name: "bare POST", at: bare, requests: Arc::clone(&links) },
    ];
    for (app, name) in apps.iter().zip(["store, by link", "memory, by link", "Redis, by link"]) {
        let listener = app.listen().expect("there is a port");
        let at = listener.local_addr().expect("it listens");
        tokio::spawn(app.clone().serve(listener, std::future::pending()));
        ways.push(Way { name, at, requests: Arc::clone(&links) });
        if name.starts_with("memory") {
            ways.push(Way { name: "memory, by code", at, requests: Arc::clone(&codes) });
        }
    }
    (ways, apps)
}

async fn app(config: &Config, change: impl FnOnce(&mut Config)) -> App {
    let mut config = config.clone();
    change(&mut config);
    App::open(config, Clock::system()).await.expect("the application opens")
}

/// The bare route: the same body in, an answer of the same type out, and nothing between.
async fn serve_bare() -> SocketAddr {
    let status = r#"{"state":"released","sampled_at":"2020-06-21T00:00:00Z",
        "received_at":"2020-06-21T06:00:00Z","resulted_at":"2020-06-21T12:00:00Z",
        "outcome":"not_detected","pooled":10,"last_result":null,"recall":null}"#;
    let status: Status = serde_json::from_str(status).expect("it is a status");
    let (got, posted) = (status.clone(), status);
    let bare = Router::new()
        .route("/status", get(async move || Json(got)))
        .route("/v1/status", post(async move |Json(_): Json<Value>| Json(posted)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let at = listener.local_addr().expect("it listens");
    tokio::spawn(async move { axum::serve(listener, bare).await });
    at
}

fn number(person: u32) -> String {
    format!("E{person:08}")
}

fn key(app: &App, person: u32) -> swabline::seal::PersonKey {
    let number = &number(person);
    let shown = Shown { kind: DocumentType::Passport, issuer: Some("GBR"), number };
    shown.key(&app.keys)
}

/// Document and code of somebody in their one tube.
fn code(app: &App, person: u32) -> Value {
    let position = u8::try_from(person % MEMBERS + 1).expect("a tube is small");
    let code = app.keys.pickup_code("W01", &format!("T{}", person / MEMBERS), position);
    json!({ "document": { "type": "passport", "issuer": "GBR", "number": number(person) },
        "pickup_code": code.as_str() })
}

/// Everybody was swabbed once, and told a result of an earlier tube.
async fn fill(app: &App) {
    let now = app.clock.now().us();
    let mut sql = "insert into laboratory (code, name, address, created_us)
            values ('L01', 'Laboratory', 'Street', 0);
        insert into site (code, name, area, created_us) values ('S01', 'Site', 'Area', 0);
        insert into round (code, name, area, specimen, tube_size, starts_us, ends_us,
            result_hours, created_us) values ('R01', 'Round', 'Area', 'swab', 10, 0, 9, 24, 0);
        insert into session (code, round_code, site_code, team, opens_us, closes_us, created_us)
            values ('W01', 'R01', 'S01', 'Team', 0, 9, 0);"
        .to_owned();
    for tube in 0..PEOPLE / MEMBERS {
        write!(
            sql,
            "insert into tube (code, size, members, swab_count, round_code, site_code,
                session_code, event_id, device_id, device_seq, device_skew_us, sealed_us,
                recorded_us, recorded_by, content_tag, state, state_us)
            values ('T{tube}', 10, 10, 10, 'R01', 'S01', 'W01', 'T{tube}', 'D', 0, 0, {now},
                {now}, 'X', '', 'sealed', {now});"
        )
        .expect("a string takes all");
    }
    let people: Vec<_> = (0..PEOPLE)
        .map(|person| {
            json!({ "tube": format!("T{}", person / MEMBERS), "position": person % MEMBERS + 1,
                "person": key(app, person).as_str() })
        })
        .collect();
    let people = serde_json::to_string(&people).expect("it is JSON");
    let members = "insert into member (tube_code, position, person_key, identity_tag, taken_us)
        select e.value ->> 'tube', cast(e.value ->> 'position' as bigint), e.value ->> 'person',
            'tag', $2 from jsonb_each($1) e";
    let told = "insert into status (person_key, tube_code, result_id, outcome, collected_us,
            released_us, pooled)
        select person_key, 'T', 'T.1', 'not_detected', taken_us, taken_us, 10 from member";
    let mut tx = app.db.write("bench.fill").await.expect("the store answers");
    on!(tx, c => raw_sql(AssertSqlSafe(sql)).execute(c).await.map(drop)).expect("places");
    on!(tx, c => query(members).bind(&people).bind(now).execute(c).await.map(drop))
        .expect("members");
    for sql in [told, "analyze"] {
        on!(tx, c => raw_sql(sql).execute(c).await.map(drop)).expect("the store obeys");
    }
    tx.commit().await.expect("the store commits");
}

async fn on_server(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.expect("PostgreSQL answers");
    raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the server obeys");
}

fn request(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Asks for so long, as fast as it is answered or so many times a second, whatever becomes of what
/// was asked before; gives how long each answer took since it was due, in microseconds.
fn ask(way: &Way, (rate, time): (Option<f64>, Duration)) -> Histogram<u64> {
    let began = Instant::now();
    let (threads, connections) = CALLERS;
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let runtime = Builder::new_current_thread().enable_all().build();
                    let callers = (0..connections).map(|n| n * threads + thread);
                    let asked = call(way, callers, (began, rate, time));
                    runtime.expect("the runtime starts").block_on(asked)
                })
            })
            .collect();
        let mut took = nothing();
        for caller in callers {
            took += caller.join().expect("a caller ends");
        }
        took
    })
}

/// Answers a second, as fast as they come.
#[expect(clippy::cast_precision_loss, reason = "a rate is not exact")]
fn rate(way: &Way, time: Duration) -> f64 {
    let began = Instant::now();
    ask(way, (None, time)).len() as f64 / began.elapsed().as_secs_f64()
}

fn nothing() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("a minute at three figures is a histogram")
}

async fn call(
    way: &Way,
    callers: impl Iterator<Item = usize>,
    (began, rate, time): (Instant, Option<f64>, Duration),
) -> Histogram<u64> {
    let mut calling = tokio::task::JoinSet::new();
    let all = CALLERS.0 * CALLERS.1;
    for caller in callers {
        let (at, requests) = (way.at, Arc::clone(&way.requests));
        // Callers take turns, each as often as the others.
        let turn = move |n: u32| {
            let (all, caller) = (u32::try_from(all).ok()?, u32::try_from(caller).ok()?);
            Some(began + Duration::from_secs_f64(f64::from(n * all + caller) / rate?))
        };
        calling.spawn(async move {
            let mut stream = TcpStream::connect(at).await.expect("it is served");
            stream.set_nodelay(true).expect("it is a socket");
            let (mut took, mut answer) = (nothing(), Vec::new());
            for n in 0.. {
                let due = match turn(n) {
                    Some(due) => {
                        tokio::time::sleep_until(due.into()).await;
                        due
                    }
                    // A sleep, however short, would leave the cores to nobody.
                    None => Instant::now(),
                };
                if Instant::now() >= began + time {
                    break;
                }
                let place = caller * 311 + usize::try_from(n).expect("it is counted");
                let request = &requests[place % requests.len()];
                stream.write_all(request).await.expect("it is taken");
                read_answer(&mut stream, &mut answer).await;
                took.saturating_record(
                    u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX),
                );
            }
            took
        });
    }
    let mut took = nothing();
    while let Some(caller) = calling.join_next().await {
        took += caller.expect("a caller ends");
    }
    took
}

async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) {
    answer.clear();
    loop {
        let read = stream.read_buf(answer).await.expect("it is answered");
        assert!(read > 0, "the connection was closed");
        let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&answer[..head]).expect("a head is text");
        assert!(text.starts_with("HTTP/1.1 200"), "{}", String::from_utf8_lossy(answer));
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.expect("it has a length").parse().expect("it is a number");
        if answer.len() >= head + 4 + length {
            return;
        }
    }
}
