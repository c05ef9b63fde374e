//! A 384-well file, from its bytes to what is stored of it: through the route an upload takes,
//! with an answer only after the commit. Beside it the steps that need no store.

mod run;

use std::hint::black_box;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use criterion::Criterion;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, query, raw_sql};
use swabline::app::App;
use swabline::auth::{self, NewAccount, Role};
use swabline::barcode::PlateCode;
use swabline::clock::{Clock, Span};
use swabline::config::Config;
use swabline::instrument::read;
use swabline::interpretation::{Kit, interpret};
use swabline::on;
use swabline::plate::robot::Planned;
use swabline::plate::store::{Made, plate_draft, plate_freeze};
use swabline::plate::{Layout, PlateSize};
use swabline::simulation::curves::curves;
use swabline::simulation::files::{SimulatedRun, quantstudio_text_with};
use swabline::storage::{Tx, codes};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// Plates that may be run.
const PLATES: u64 = 100_000;

/// A laboratory with everything a run needs but the tubes.
struct Laboratory {
    runtime: Runtime,
    app: App,
    router: Router,
    technician: (String, String),
    kit: Kit,
    plates: u64,
    _folder: tempfile::TempDir,
    server: Option<(String, String)>,
}

impl Laboratory {
    fn open(server: Option<String>, kit: Kit) -> Self {
        let runtime = Runtime::new().expect("the runtime starts");
        let folder = tempfile::tempdir().expect("there is a folder for passing files");
        let name = format!("swabline_bench_{}", std::process::id());
        let database = server.as_ref().map_or_else(String::new, |server| {
            runtime.block_on(on_server(server, format!("create database {name}")));
            let (base, _) = server.rsplit_once('/').expect("the address names a database");
            format!("{base}/{name}")
        });
        let data = folder.path().to_owned();
        let config = Config { data, database, demonstration_kits: true, ..Config::default() };
        let clock = Clock::stepped("2020-06-21T08:00:00Z".parse().expect("it is a time"));
        let app = runtime.block_on(App::open(config, clock)).expect("the application opens");
        let technician = runtime.block_on(furnish(&app));
        let server = server.map(|server| (server, name));
        let router = swabline::http::router(app.clone());
        Self { runtime, app, router, technician, kit, plates: 0, _folder: folder, server }
    }

    /// Receives 382 new tubes and freezes the next plate with them; gives the upload of its file.
    fn upload(&mut self, with_curves: bool) -> Request<Body> {
        self.plates += 1;
        let code = PlateCode::numbered(self.plates).expect("the number is small");
        let layout = run::numbered(&self.kit, PlateSize::P384, self.plates);
        let run = run::run(&self.kit, &layout);
        let run = SimulatedRun { plate_barcode: code.to_string(), ..run };
        let drawn = if with_curves { curves(&run, self.plates) } else { Vec::new() };
        let text = quantstudio_text_with(&run, &drawn);
        let now = self.app.clock.now();
        self.runtime.block_on(async {
            let mut tx = self.app.db.write("bench.plate").await.expect("the store answers");
            receive(&mut tx, &layout).await;
            let made = Made {
                laboratory: "L01".to_owned(),
                kit: ("orf1ab-n-ic".to_owned(), "1".to_owned()),
                lot: None,
                template: "explicit".to_owned(),
                planned: Planned::stored(5_000, 10).expect("the volume is usual"),
                layout,
                stamp: None,
            };
            let by = (self.technician.0.as_str(), now);
            plate_draft(&mut tx, &code, &made, by).await.expect("the plate is stored");
            plate_freeze(&mut tx, &code, now).await.expect("the plate is frozen");
            tx.commit().await.expect("the store commits");
        });
        let request = Request::post(format!("/v1/plates/{code}/runs"))
            .header("authorization", format!("Bearer {}", self.technician.1))
            .header("content-type", "application/octet-stream");
        request.body(Body::from(text)).expect("it is a request")
    }

    /// Fills the store with a few plates and lets it count them, as a store in service has.
    fn settle(&mut self) {
        for _plate in 0..20 {
            let request = self.upload(false);
            self.send(request);
        }
        self.runtime.block_on(async {
            let mut tx = self.app.db.write("bench.settle").await.expect("the store answers");
            on!(tx, c => raw_sql("analyze").execute(c).await.map(drop)).expect("it counts");
            tx.commit().await.expect("the store commits");
        });
    }

    fn send(&self, request: Request<Body>) {
        let router = self.router.clone();
        let answer = self.runtime.block_on(router.oneshot(request)).expect("it is answered");
        let (head, body) = answer.into_parts();
        let body = self.runtime.block_on(axum::body::to_bytes(body, usize::MAX));
        let body = body.expect("the answer ends");
        assert_eq!(head.status.as_u16(), 201, "{}", String::from_utf8_lossy(&body));
    }
}

impl Drop for Laboratory {
    fn drop(&mut self) {
        self.runtime.block_on(self.app.db.close());
        if let Some((server, name)) = &self.server {
            self.runtime.block_on(on_server(server, format!("drop database {name}")));
        }
    }
}

/// Tubes of ten people each, sealed, packed and received.
async fn receive(tx: &mut Tx, layout: &Layout) {
    let tubes = codes(layout.tubes().into_keys());
    for sql in [
        "insert into tube (code, size, members, swab_count, round_code, site_code, session_code,
            event_id, device_id, device_seq, device_skew_us, sealed_us, recorded_us, recorded_by,
            content_tag, state, state_us)
        select e.value ->> 'code', 10, 10, 10, 'R01', 'S01', 'W01', e.value ->> 'code', 'D01', 1,
            0, 0, 0, 'A1', '', 'sealed', 0 from json_each($1) e",
        "update tube set state = 'packed'
        where code in (select e.value ->> 'code' from json_each($1) e)",
        "update tube set state = 'received', laboratory_code = 'L01'
        where code in (select e.value ->> 'code' from json_each($1) e)",
    ] {
        on!(tx, c => query(sql).bind(&tubes).execute(c).await.map(drop)).expect("it is stored");
    }
}

/// Places, plate codes and a technician; gives account and token.
async fn furnish(app: &App) -> (String, String) {
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
        format!("update code_counter set next_number = {PLATES} where kind = 'plate'"),
    ];
    for sql in statements {
        let sql = AssertSqlSafe(sql);
        on!(tx, c => raw_sql(sql).execute(c).await.map(drop)).expect("the store obeys");
    }
    let new = NewAccount {
        name: "Invented Technician".to_owned(),
        role: Role::Technician,
        site: None,
        laboratory: Some("L01".to_owned()),
    };
    let actor = auth::account_add(&mut tx, &app.clock, new).await.expect("the account is new");
    let (now, year) = (app.clock.now(), Span::days(365));
    let token = auth::token_issue(&mut tx, &actor.account, "bench", now, year).await;
    tx.commit().await.expect("the store commits");
    (actor.account, token.expect("the token is new").reveal().to_owned())
}

async fn on_server(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.expect("PostgreSQL answers");
    raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the server obeys");
}

#[expect(clippy::disallowed_methods, reason = "a measurement asks its surroundings for servers")]
fn servers() -> Vec<Option<String>> {
    if let Ok(server) = std::env::var("TEST_POSTGRES_URL") {
        return vec![None, Some(server)];
    }
    eprintln!("PostgreSQL was not measured: TEST_POSTGRES_URL is not set");
    vec![None]
}

fn import(c: &mut Criterion) {
    let kit = run::kit();
    let layout = run::plate(&kit, PlateSize::P384);
    let facts = run::facts(&layout);
    let run = run::run(&kit, &layout);
    let drawn = curves(&run, 7);
    let mut group = c.benchmark_group("a_384_well_file");
    for (name, drawn) in [("readings", &[][..]), ("readings_and_curves", &drawn)] {
        let bytes = quantstudio_text_with(&run, drawn).into_bytes();
        group.bench_function(format!("{name}/parsed"), |b| {
            b.iter(|| read(black_box(&bytes)).expect("the file is readable"));
        });
        let file = read(&bytes).expect("the file is readable");
        group.bench_function(format!("{name}/called"), |b| {
            b.iter(|| interpret(&kit, &layout, &file.readings, &facts).expect("it fits"));
        });
        for server in servers() {
            let mut laboratory = Laboratory::open(server, kit.clone());
            laboratory.settle();
            let engine = laboratory.app.db.engine();
            group.bench_function(format!("{name}/parsed_called_stored/{engine}"), |b| {
                b.iter_custom(|times| {
                    let mut spent = Duration::ZERO;
                    for _time in 0..times {
                        let request = laboratory.upload(!drawn.is_empty());
                        let start = Instant::now();
                        laboratory.send(request);
                        spent += start.elapsed();
                    }
                    spent
                });
            });
        }
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    import(&mut criterion);
    criterion.final_summary();
}
