//! A laboratory with everything its plates need, and a plate on its way through it, by the routes
//! that people use.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, query, raw_sql};
use swabline::app::App;
use swabline::auth::{self, NewAccount, Role};
use swabline::barcode::PlateCode;
use swabline::clock::{Clock, Span};
use swabline::config::Config;
use swabline::interpretation::Kit;
use swabline::on;
use swabline::plate::{Layout, PlateSize};
use swabline::simulation::curves::curves;
use swabline::simulation::files::{SimulatedRun, quantstudio_text_with};
use swabline::storage::{Tx, codes};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::run;

/// What the program allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Codes of each kind that may be used.
const CODES: u64 = 100_000_000;

/// A laboratory with everything a plate needs but the tubes.
pub struct Laboratory {
    /// What everything here runs on.
    pub runtime: Runtime,
    /// The application.
    pub app: App,
    router: Router,
    /// Technician, reviewer and releaser by their tokens.
    staff: [String; 3],
    kit: Kit,
    plates: u64,
    _folder: tempfile::TempDir,
    server: Option<(String, String)>,
}

/// A plate whose tubes were received, and what its instrument will write.
pub struct Plate {
    /// Its code.
    pub code: PlateCode,
    /// Its wells.
    pub layout: Layout,
    file: String,
}

impl Laboratory {
    /// One on SQLite, or on PostgreSQL where a server is named.
    pub fn open(server: Option<String>, kit: Kit) -> Self {
        let runtime = Runtime::new().expect("the runtime starts");
        let folder = tempfile::tempdir().expect("there is a folder for passing files");
        let name = format!("swabline_bench_{}", std::process::id());
        let database = server.as_ref().map_or_else(String::new, |server| {
            runtime.block_on(on_server(server, format!("create database {name}")));
            let (base, _) = server.rsplit_once('/').expect("the address names a database");
            format!("{base}/{name}")
        });
        let data = folder.path().to_owned();
        let config = Config {
            data,
            database,
            demonstration_kits: true,
            lot_keeping: false,
            second_factor: false,
            ..Config::default()
        };
        let clock = Clock::stepped("2020-06-21T08:00:00Z".parse().expect("it is a time"));
        let app = runtime.block_on(App::open(config, clock)).expect("the application opens");
        let staff = runtime.block_on(furnish(&app));
        let server = server.map(|server| (server, name));
        let router = swabline::http::router(app.clone());
        Self { runtime, app, router, staff, kit, plates: 0, _folder: folder, server }
    }

    /// Receives 382 new tubes of ten people each for the next plate.
    pub fn receive(&mut self, with_curves: bool) -> Plate {
        self.plates += 1;
        let code = PlateCode::numbered(self.plates).expect("the number is small");
        let layout = run::numbered(&self.kit, PlateSize::P384, self.plates);
        let run = run::run(&self.kit, &layout);
        let run = SimulatedRun { plate_barcode: code.to_string(), ..run };
        let drawn = if with_curves { curves(&run, self.plates) } else { Vec::new() };
        let file = quantstudio_text_with(&run, &drawn);
        self.runtime.block_on(async {
            let mut tx = self.app.db.write("bench.receive").await.expect("the store answers");
            receive(&mut tx, self.plates, &layout).await;
            tx.commit().await.expect("the store commits");
        });
        Plate { code, layout, file }
    }

    /// The request that makes the plate of its tubes.
    pub fn put(&self, plate: &Plate) -> Request<Body> {
        let tubes: Vec<&str> = plate.layout.tubes().into_keys().collect();
        let body = json!({ "laboratory": "L01", "kit": "orf1ab-n-ic", "kit_version": "1",
            "template": "one-well-382-moving-columns", "tubes": tubes });
        self.request("PUT", &format!("/v1/plates/{}", plate.code), 0, body.to_string())
    }

    /// The request that freezes it.
    pub fn freeze(&self, plate: &Plate) -> Request<Body> {
        self.request("POST", &format!("/v1/plates/{}/freeze", plate.code), 0, String::new())
    }

    /// The request that brings in its file.
    pub fn import(&self, plate: &Plate) -> Request<Body> {
        self.request("POST", &format!("/v1/plates/{}/runs", plate.code), 0, plate.file.clone())
    }

    /// The request by which a first person accepts a run.
    pub fn review(&self, run: &str) -> Request<Body> {
        let body = json!({ "decision": "accept" }).to_string();
        self.request("POST", &format!("/v1/runs/{run}/review"), 1, body)
    }

    /// The request by which a second person releases it.
    pub fn release(&self, run: &str) -> Request<Body> {
        self.request("POST", &format!("/v1/runs/{run}/release"), 2, String::new())
    }

    fn request(&self, method: &str, path: &str, who: usize, body: String) -> Request<Body> {
        let kind = if path.ends_with("/runs") { "octet-stream" } else { "json" };
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.staff[who]))
            .header("content-type", format!("application/{kind}"))
            .body(Body::from(body))
            .expect("it is a request")
    }

    /// Sends a request that must succeed and gives its answer.
    pub fn send(&self, request: Request<Body>) -> Value {
        self.send_timed(request).0
    }

    /// [`Self::send`], with the time until the last byte of the answer was there.
    pub fn send_timed(&self, request: Request<Body>) -> (Value, Duration) {
        let router = self.router.clone();
        let start = Instant::now();
        let (head, body) = self.runtime.block_on(async {
            let answer = router.oneshot(request).await.expect("it is answered");
            let (head, body) = answer.into_parts();
            (head, axum::body::to_bytes(body, usize::MAX).await.expect("the answer ends"))
        });
        let took = start.elapsed();
        assert!(head.status.is_success(), "{}", String::from_utf8_lossy(&body));
        (serde_json::from_slice(&body).expect("the answer is JSON"), took)
    }

    /// Fills the store with a few plates and lets it count them, as a store in service has.
    pub fn settle(&mut self) {
        for _plate in 0..20 {
            let plate = self.receive(false);
            for request in [self.put(&plate), self.freeze(&plate)] {
                self.send(request);
            }
            let run = self.send(self.import(&plate));
            let run = run["id"].as_str().expect("a run has an id").to_owned();
            for request in [self.review(&run), self.release(&run)] {
                self.send(request);
            }
        }
        self.runtime.block_on(async {
            let mut tx = self.app.db.write("bench.settle").await.expect("the store answers");
            on!(tx, c => raw_sql("analyze").execute(c).await.map(drop)).expect("it counts");
            tx.commit().await.expect("the store commits");
        });
    }
}

impl Drop for Laboratory {
    fn drop(&mut self) {
        self.runtime.block_on(self.app.db.close());
        if let Some((server, name)) = &self.server {
            self.runtime.block_on(on_server(server, format!("drop database {name} with (force)")));
        }
    }
}

/// Tubes of ten people each, sealed, packed and received.
async fn receive(tx: &mut Tx, number: u64, layout: &Layout) {
    let tubes = codes(layout.tubes().into_keys());
    let arrival = format!(
        "insert into arrival (id, box_code, laboratory_code, arrived_us, recorded_us, received_by,
            temperature_cdeg, seal_intact, warnings)
        values ('V{number}', 'B1', 'L01', 1, 1, 'A2', 400, 1, '[]')"
    );
    let arrival = AssertSqlSafe(arrival);
    on!(tx, c => raw_sql(arrival).execute(c).await.map(drop)).expect("it is stored");
    let accepted = AssertSqlSafe(format!(
        "insert into arrival_tube (arrival_id, tube_code, finding, swab_count)
        select 'V{number}', e.value ->> 'code', 'accepted', 10 from jsonb_each($1) e"
    ));
    on!(tx, c => query(accepted).bind(&tubes).execute(c).await.map(drop)).expect("it is stored");
    for sql in [
        "insert into tube (code, size, members, swab_count, round_code, site_code, session_code,
            event_id, device_id, device_seq, device_skew_us, sealed_us, recorded_us, recorded_by,
            content_tag, state, state_us)
        select e.value ->> 'code', 10, 10, 10, 'R01', 'S01', 'W01', e.value ->> 'code', 'D01', 1,
            0, 1, 1, 'A1', '', 'sealed', 1 from jsonb_each($1) e",
        "insert into member (tube_code, position, person_key, identity_tag, taken_us)
        select e.value ->> 'code', cast(p.value as bigint),
            (e.value ->> 'code') || '.' || cast(p.value as text), 'tag', 1
        from jsonb_each($1) e cross join (select 1 as value union select 2 union select 3
            union select 4 union select 5 union select 6 union select 7 union select 8
            union select 9 union select 10) p",
        "insert into person (key, identity_tag, identity, first_seen_us)
        select m.person_key, 'tag', unhex('00ff'), 1 from member m
        where m.tube_code in (select e.value ->> 'code' from jsonb_each($1) e)",
        "update tube set state = 'packed'
        where code in (select e.value ->> 'code' from jsonb_each($1) e)",
        "update tube set state = 'received', laboratory_code = 'L01'
        where code in (select e.value ->> 'code' from jsonb_each($1) e)",
    ] {
        on!(tx, c => query(sql).bind(&tubes).execute(c).await.map(drop)).expect("it is stored");
    }
}

/// Places, codes, and three people; gives their tokens.
async fn furnish(app: &App) -> [String; 3] {
    let mut tx = app.db.write("bench.furnish").await.expect("the store answers");
    let statements: Vec<String> = vec![
        "insert into laboratory (code, name, address, created_us) values ('L01', 'L', 'A', 0)"
            .into(),
        "insert into site (code, name, area, created_us) values ('S01', 'S', 'A', 0)".into(),
        "insert into round (code, name, area, specimen, tube_size, starts_us, ends_us,
            result_hours, created_us) values ('R01', 'R', 'A', 'swab', 10, 0, 1, 24, 0)"
            .into(),
        "insert into session (code, round_code, site_code, team, opens_us, closes_us, created_us)
            values ('W01', 'R01', 'S01', 'T', 0, 1, 0)"
            .into(),
        "insert into box (code, site_code, seal, tubes, content_tag, sealed_us, recorded_us,
            recorded_by, state, holder) values ('B1', 'S01', 'Z', 1, '', 1, 1, 'A1', 'sealed', 'A1')"
            .into(),
        format!("update code_counter set next_number = {CODES}"),
    ];
    for sql in statements {
        let sql = AssertSqlSafe(sql);
        on!(tx, c => raw_sql(sql).execute(c).await.map(drop)).expect("the store obeys");
    }
    let mut tokens = Vec::new();
    for (name, role) in [
        ("Technician", Role::Technician),
        ("Reviewer", Role::Reviewer),
        ("Releaser", Role::Reviewer),
    ] {
        let name = format!("Invented {name}");
        let new = NewAccount { name, role, site: None, laboratory: Some("L01".to_owned()) };
        let actor = auth::account_add(&mut tx, &app.clock, new).await.expect("the account is new");
        let (now, year) = (app.clock.now(), Span::days(365));
        let token = auth::token_issue(&mut tx, &actor.account, "bench", now, year).await;
        tokens.push(token.expect("the token is new").reveal().to_owned());
    }
    tx.commit().await.expect("the store commits");
    tokens.try_into().expect("there are three")
}

async fn on_server(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.expect("PostgreSQL answers");
    raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the server obeys");
}

/// SQLite, and the PostgreSQL server that `TEST_POSTGRES_URL` names.
#[expect(clippy::disallowed_methods, reason = "a measurement asks its surroundings for servers")]
pub fn servers() -> Vec<Option<String>> {
    if let Ok(server) = std::env::var("TEST_POSTGRES_URL") {
        return vec![None, Some(server)];
    }
    eprintln!("PostgreSQL was not measured: TEST_POSTGRES_URL is not set");
    vec![None]
}
