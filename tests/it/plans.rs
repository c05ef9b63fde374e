//! No statement reads a large table from end to end: every statement of the crate is planned by
//! both engines over a filled store, and the plans are read.
//!
//! SQLite plans each statement before it has statistics (as in service) and after. PostgreSQL
//! plans it for several values and once for any value, with real statistics, and again with
//! scans of tables discouraged, which find out what cannot be read otherwise. An index read
//! without a condition on it is read from end to end like its table.

mod fill;
mod postgres;
mod shards;
mod sqlite;

use swabline::storage::Tx;

use crate::app::{Engine, TestApp};
use crate::each_engine;
use crate::statements::lists;

/// Tables that grow with every tube, plate, box, request or person.
const LARGE: &[&str] = &[
    "allotment",
    "amendment",
    "arrival",
    "arrival_tube",
    "audit",
    "box",
    "box_tube",
    "call",
    "curve",
    "feed",
    "guess",
    "handover",
    "idempotency",
    "member",
    "person",
    "plate",
    "quality_point",
    "quality_run",
    "quality_share",
    "pool",
    "pool_tube",
    "recall",
    "result",
    "run",
    "run_file",
    "run_reading",
    "run_part",
    "signature",
    "stamp",
    "status",
    "token",
    "account",
    "tube",
    "well",
    "rack",
    "rack_tube",
    "transfer_log",
    "transfer_acceptance",
    "plate_discard",
];

/// A statement that may read a large table, by file and name, on which engines, and why.
type Exception = (&'static str, &'static str, &'static [Engine], &'static str);

const BOTH: &[Engine] = &[Engine::Sqlite, Engine::Postgres];
const POSTGRES: &[Engine] = &[Engine::Postgres];
const PROOF: &str = "the proof of the board's counters reads every row it counts";
const EXCEPTIONS: &[Exception] = &[
    ("audit/verify.rs", "STRAYS", BOTH, "the audit's proof reads every row, by its nature"),
    ("auth/store.rs", "ACCOUNTS", BOTH, "an administrator lists every account"),
    ("auth/administration.rs", "KEPT", BOTH, "an administrator lists every account"),
    ("auth/administration.rs", "ADMINISTRATORS_HOLD", BOTH, "accounts are few, and seldom ended"),
    ("ledger/store.rs", "STRAY_MEMBERS", BOTH, "the ledger's proof reads every member"),
    ("ledger/store.rs", "STRAY_PERSONS", BOTH, "the ledger's proof reads every member"),
    ("ledger/store.rs", "STRAY_STATUSES", BOTH, "the ledger's proof reads every status"),
    ("ledger/store.rs", "STRAY_TUBES", BOTH, "the ledger's proof reads every manifest"),
    ("figures/check.rs", "TUBES_STAND", BOTH, PROOF),
    ("figures/check.rs", "TUBES_SEALED", BOTH, PROOF),
    ("figures/check.rs", "TUBES_RELEASED", BOTH, PROOF),
    ("figures/check.rs", "TUBES_ENDED", BOTH, PROOF),
    ("figures/check.rs", "RECALLS_STAND", BOTH, PROOF),
    ("figures/check.rs", "RECALLS_OPENED", BOTH, PROOF),
    ("figures/check.rs", "PLATES_STAND", BOTH, PROOF),
    ("figures/check.rs", "PLATES_FROZEN", BOTH, PROOF),
    ("figures/check.rs", "RUNS_STAND", BOTH, PROOF),
    ("figures/check.rs", "RUNS_IMPORTED", BOTH, PROOF),
    ("figures/check.rs", "RUNS_RELEASED", BOTH, PROOF),
    ("figures/store.rs", "BOXES_OLDEST", BOTH, "it lists what waits, from an index of that"),
    ("figures/store.rs", "PLATES_OLDEST", BOTH, "it lists what waits, from an index of that"),
    ("figures/store.rs", "RUNS_OLDEST", BOTH, "it lists what waits, from an index of that"),
    ("figures/store.rs", "PLATES_STAND", BOTH, "it counts what waits, from an index of that"),
    ("figures/store.rs", "RUNS_STAND", BOTH, "it counts what waits, from an index of that"),
    ("figures/store.rs", "RECALLS_OLDEST", BOTH, "it lists what waits, from an index of that"),
    ("feeds/store.rs", "NEWEST", BOTH, "it reads one row, the last of its order"),
    ("recall/store.rs", "RECALLS_COUNT", BOTH, "it counts what is open, from an index of that"),
    ("query", "GUESS_FORGET", POSTGRES, "when nearly everything is old it is all read"),
    (
        "integrity/store.rs",
        "ROUNDS",
        BOTH,
        "an inspection counts what is open in rounds that are over; no index names a tube's state, \
         for each of its moves would pay for it",
    ),
    (
        "integrity/store.rs",
        "FIRST",
        BOTH,
        "it reads the runs in order until one is of the laboratory, where a period has none",
    ),
    (
        "integrity/store.rs",
        "LAST",
        BOTH,
        "it reads the runs in order until one is of the laboratory, where a period has none",
    ),
    ("review", "WAITING", BOTH, "it lists what waits, from an index of that"),
    (
        "interpretation/kit/shadow_union.rs",
        "RUN_ANY",
        BOTH,
        "it reads the newest runs in order until one is not void",
    ),
    (
        "interpretation/kit/shadow_store.rs",
        "RUNS_LAST",
        POSTGRES,
        "it reads the newest runs in order until it has enough",
    ),
];

/// A large table that a statement reads from end to end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Scan {
    table: String,
    plan: String,
}

/// What the engine reads from end to end for this statement.
async fn scans(app: &TestApp, tx: &mut Tx, sql: &'static str) -> Vec<Scan> {
    let mut found = match app.engine {
        Engine::Sqlite => sqlite::scans(tx, sql).await,
        Engine::Postgres => postgres::scans(tx, sql).await,
    };
    found.sort();
    found.dedup();
    found
}

async fn analyze(app: &TestApp, tx: &mut Tx) {
    fill::run(tx, "analyze").await;
    if app.engine == Engine::Postgres {
        let rows = postgres::rows(tx).await;
        for &table in LARGE {
            assert!(rows.get(table).is_some_and(|&rows| rows > 1000), "{table}: {rows:?}");
        }
    }
}

/// Every statement that scans, with its file, and what it scans.
async fn scanning(app: &TestApp, tx: &mut Tx) -> Vec<(&'static str, &'static str, Vec<Scan>)> {
    let mut found = Vec::new();
    for (file, statements) in lists() {
        for &(name, sql) in statements {
            let scans = scans(app, tx, sql).await;
            if !scans.is_empty() {
                found.push((file, name, scans));
            }
        }
    }
    found
}

fn exceptions(app: &TestApp) -> impl Iterator<Item = &'static Exception> {
    EXCEPTIONS.iter().filter(|(.., engines, _)| engines.contains(&app.engine))
}

each_engine! {
    async fn no_statement_reads_a_large_table_from_end_to_end(app) {
        let mut tx = app.app.db.write("test.fill").await.unwrap();
        fill::city(&mut tx, app.engine).await;
        let mut found = Vec::new();
        if app.engine == Engine::Sqlite {
            found.extend(scanning(app, &mut tx).await);
        }
        analyze(app, &mut tx).await;
        found.extend(scanning(app, &mut tx).await);

        let told: Vec<_> = found
            .iter()
            .filter(|(file, name, _)| !exceptions(app).any(|of| (of.0, of.1) == (*file, *name)))
            .map(|(file, name, scans)| format!("{file} {name}: {scans:#?}"))
            .collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
        for (file, name, _, reason) in exceptions(app) {
            let needed = found.iter().any(|(f, n, _)| (f, n) == (file, name));
            assert!(needed, "{file} {name} scans nothing; take the exception away ({reason})");
        }

        // The check fires: on a plain scan, under an alias, and on an index read from its end.
        for (sql, table) in [
            ("select * from member where taken_us = 1", "member"),
            ("select count(*) from jsonb_each($1) e, result r where r.outcome = 'detected'", "result"),
            ("update tube set attempt = 0 where recorded_by = $1", "tube"),
            ("select seq, tube_code from feed f order by seq", "feed"),
            ("select 1 from status s join run_reading r on r.list = s.tube_code", "run_reading"),
        ] {
            let scans = scans(app, &mut tx, sql).await;
            assert!(scans.iter().any(|scan| scan.table == table), "{sql}: {scans:?}");
        }
        // It stays quiet on a key, a batch of keys and a small table.
        for sql in [
            "select * from tube where code = $1",
            "select 1 from person where key in (select e.value ->> 'code' from jsonb_each($1) e)",
            "select * from laboratory",
        ] {
            assert_eq!(scans(app, &mut tx, sql).await, [], "{sql}");
        }
    }
}
