//! A fresh store on each engine, and sealed tubes to put into it.

use std::ops::Range;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, raw_sql};
use swabline::barcode::{PlaceCode, TubeCode};
use swabline::clock::{Clock, Span, Time};
use swabline::collection::person::DocumentType;
use swabline::collection::place::{Hours, Shift};
use swabline::collection::tube::store::tubes_seal;
use swabline::collection::tube::{
    DeviceScan, DocumentScan, MemberScan, Outcome, Recorder, SealedTube, Standing, TubeScan, seal,
};
use swabline::seal::{KeyRing, PersonKey};
use swabline::storage::Db;
use tokio::runtime::Runtime;

/// People in each tube.
pub const MEMBERS: u32 = 10;

/// One engine's store, empty but for its schema.
pub struct Store {
    /// What everything here runs on.
    pub runtime: Runtime,
    /// The store.
    pub db: Db,
    clock: Clock,
    keys: KeyRing,
    /// Kept so that the folder lives as long as the store.
    _folder: tempfile::TempDir,
    /// The server and the database on it that ends with the store.
    server: Option<(String, String)>,
}

/// A store on SQLite, and one on PostgreSQL when `TEST_POSTGRES_URL` names a server.
#[expect(clippy::disallowed_methods, reason = "a measurement asks its surroundings for servers")]
pub fn stores() -> Vec<Store> {
    let mut stores = vec![Store::open(None)];
    match std::env::var("TEST_POSTGRES_URL") {
        Ok(server) => stores.push(Store::open(Some(server))),
        Err(_) => eprintln!("PostgreSQL was not measured: TEST_POSTGRES_URL is not set"),
    }
    stores
}

impl Store {
    fn open(server: Option<String>) -> Self {
        let runtime = Runtime::new().expect("the runtime starts");
        let folder = tempfile::tempdir().expect("there is a folder for passing files");
        let start = "2020-06-21T08:00:00Z".parse().expect("it is a time");
        let clock = Clock::stepped(start);
        let name = format!("swabline_bench_{}", std::process::id());
        let url = match &server {
            None => format!("sqlite:{}", folder.path().join("swabline.db").display()),
            Some(server) => {
                runtime.block_on(on_server(server, format!("create database {name}")));
                let (base, _) = server.rsplit_once('/').expect("the address names a database");
                format!("{base}/{name}")
            }
        };
        let db = runtime.block_on(Db::open(&url, &clock)).expect("the store opens");
        let server = server.map(|server| (server, name));
        Self { runtime, db, clock, keys: KeyRing::generate(), _folder: folder, server }
    }

    /// Tubes with these numbers, each with people of its own, as they come from a device.
    pub fn tubes(&self, numbers: Range<u32>) -> Vec<SealedTube> {
        let now = self.clock.now();
        let shift = shift(now);
        let recorder = Recorder { account: "A1", keys: &self.keys, now };
        let sealed = |n: u32| {
            let code = TubeCode::numbered(u64::from(n)).expect("the number is small");
            let code = (Ok(code), Standing::New);
            seal(code, scan(&self.clock, n, MEMBERS), Some(&shift), recorder)
                .expect("it has no faults")
        };
        numbers.map(sealed).collect()
    }

    /// Stores tubes in one transaction and gives their members.
    pub async fn seal(&self, tubes: Vec<SealedTube>) -> Vec<PersonKey> {
        let mut tx = self.db.write("bench.seal").await.expect("the store answers");
        let outcomes = tubes_seal(&mut tx, &tubes.iter().collect::<Vec<_>>())
            .await
            .expect("the tubes are stored");
        tx.commit().await.expect("the store commits");
        let members = outcomes.into_iter().flat_map(|outcome| match outcome {
            Outcome::Accepted(recorded) => recorded.members,
            Outcome::Duplicate(_) | Outcome::Conflict(_) => panic!("every tube is new"),
        });
        members.collect()
    }
}

/// What a device sends for a tube of so many people, without its code.
pub fn scan(clock: &Clock, n: u32, people: u32) -> TubeScan {
    let now = clock.now();
    let member = |i: u32| MemberScan {
        document: DocumentScan {
            kind: DocumentType::Passport,
            issuer: Some("CHN".to_owned()),
            number: format!("E{i:08}"),
        },
        name: format!("Somebody {i}"),
        phone: Some("10012345678".to_owned()),
        address: None,
        taken_at: now - Span::minutes(10),
    };
    let size = u8::try_from(people).expect("a tube is small");
    TubeScan {
        code: None,
        event_id: clock.id(),
        session: place("W01"),
        size,
        swab_count: size,
        underfilled: false,
        sealed_at: now - Span::minutes(1),
        device: DeviceScan { id: "D01".to_owned(), sequence: n, time: now },
        members: (n * MEMBERS..n * MEMBERS + people).map(member).collect(),
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.runtime.block_on(self.db.close());
        if let Some((server, name)) = &self.server {
            self.runtime.block_on(on_server(server, format!("drop database {name} with (force)")));
        }
    }
}

fn place(code: &str) -> PlaceCode {
    PlaceCode::parse(code).expect("it is a code")
}

fn shift(now: Time) -> Shift {
    Shift {
        session: place("W01"),
        site: "S01".to_owned(),
        round: "R01".to_owned(),
        tube_size: 10,
        starts: now - Span::days(1),
        ends: now + Span::days(1),
        hours: Hours { opens: now - Span::hours(1), closes: now + Span::hours(8) },
    }
}

/// Has a server do something beside every database of the measurement.
pub async fn on_server(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.expect("PostgreSQL answers");
    raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the server obeys");
}
