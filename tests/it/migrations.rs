//! The schema: two folders with the same steps, the same tables behind them, and rows that
//! survive every step: `migrations/rows/<step>.sql` fills a store that has come as far as that
//! step, and the steps after it must keep what it wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection as _, Row as _, SqlSafeStr as _, query};
use swabline::on;
use swabline::storage::{Db, Tx, migrate};

use crate::app::{Engine, TestApp, fresh_database, postgres_url};
use crate::each_engine;

fn steps(engine: &str) -> BTreeSet<String> {
    let folder = format!("{}/migrations/{engine}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn both_engines_have_the_same_steps() {
    assert_eq!(steps("sqlite"), steps("postgres"));
    assert!(!steps("sqlite").is_empty());
}

/// Table and column, and whether it may be null.
type Columns = BTreeMap<(String, String), bool>;

const COLUMNS_SQLITE: &str =
    "select m.name as t, c.name as c, cast(c.\"notnull\" = 0 as bigint) as n
    from sqlite_master m join pragma_table_info(m.name) c
    where m.type in ('table', 'view') and m.name not like 'sqlite%'
        and m.name not like '\\_%' escape '\\'";
const COLUMNS_POSTGRES: &str =
    "select cast(table_name as text) as t, cast(column_name as text) as c,
        cast(case is_nullable when 'YES' then 1 else 0 end as bigint) as n
    from information_schema.columns
    where table_schema = 'public' and table_name not like '\\_%'";
const INDEXES_SQLITE: &str = "select name as t from sqlite_master
    where type = 'index' and sql is not null";
const INDEXES_POSTGRES: &str = "select cast(indexname as text) as t from pg_indexes
    where schemaname = 'public' and indexdef not like 'CREATE UNIQUE%_key %'
    and indexname not like '%_pkey' and tablename not like '\\_%'";

async fn columns(app: &TestApp) -> Columns {
    let mut tx = app.app.db.read("test.columns").await.unwrap();
    let sql = if app.engine == Engine::Sqlite { COLUMNS_SQLITE } else { COLUMNS_POSTGRES };
    on!(tx, c => query(sql).fetch_all(c).await.map(|rows| rows.iter()
        .map(|row| ((row.get("t"), row.get("c")), row.get::<i64, _>("n") == 1)).collect()))
    .unwrap()
}

async fn indexes(app: &TestApp) -> BTreeSet<String> {
    let mut tx = app.app.db.read("test.indexes").await.unwrap();
    let sql = if app.engine == Engine::Sqlite { INDEXES_SQLITE } else { INDEXES_POSTGRES };
    on!(tx, c => query(sql).fetch_all(c).await.map(|rows| rows.iter()
        .map(|row| row.get("t")).collect()))
    .unwrap()
}

#[tokio::test]
async fn both_engines_have_the_same_tables_columns_and_indexes() {
    let sqlite = TestApp::start(Engine::Sqlite).await.unwrap();
    let Some(postgres) = TestApp::start(Engine::Postgres).await else { return };
    let (ours, theirs) = (columns(&sqlite).await, columns(&postgres).await);
    assert!(ours.len() > 100, "only {} columns were found", ours.len());
    assert_eq!(ours, theirs);
    assert_eq!(indexes(&sqlite).await, indexes(&postgres).await);
}

async fn run_all(tx: &mut Tx, sql: &'static str) {
    on!(tx, c => sqlx::raw_sql(sql).execute(c).await.map(|_| ())).unwrap();
}

each_engine! {
    async fn a_store_from_the_future_is_refused(app) {
        let mut tx = app.app.db.write("test.future").await.unwrap();
        let sql = "insert into _sqlx_migrations
            (version, description, success, checksum, execution_time)
            select version + 1000, description, success, checksum, execution_time
            from _sqlx_migrations order by version desc limit 1";
        run_all(&mut tx, sql).await;
        tx.commit().await.unwrap();
        let url = app.app.config.database_url();
        let error = swabline::storage::Db::open(&url, &app.clock).await.unwrap_err();
        assert!(error.to_string().contains("newer than this program"), "{error}");
    }

    async fn a_store_sealed_with_other_keys_is_refused(app) {
        std::fs::remove_file(app.app.config.keys_path()).unwrap();
        let config = (*app.app.config).clone();
        let error = swabline::app::App::open(config, app.clock.clone()).await.unwrap_err();
        assert!(error.to_string().contains("not those of this store"), "{error}");
    }

    async fn a_second_start_finds_everything_as_it_was(app) {
        let client = app.client(swabline::auth::Role::Officer).await;
        let config = (*app.app.config).clone();
        let again = swabline::app::App::open(config, app.clock.clone()).await.unwrap();
        let mut tx = again.db.read("test.again").await.unwrap();
        let accounts = swabline::auth::accounts(&mut tx).await.unwrap();
        assert_eq!(accounts, [client.actor]);
    }
}

/// The number of the lock that the migrator takes for a database of this name: CRC-32 (ISO HDLC),
/// times a constant of the crate.
fn migrator_lock(database: &str) -> i64 {
    let shift = |crc: u32| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
    let of = |crc: u32, byte: u8| (0..8).fold(crc ^ u32::from(byte), |crc, _| shift(crc));
    0x3d32_ad9e * i64::from(!database.bytes().fold(!0, of))
}

/// A lock that somebody left behind, as a session does that `PgBouncer` gave to others, keeps those
/// waiting who have a step to take, and nobody else.
#[tokio::test]
async fn a_start_without_a_step_to_take_waits_for_no_migrator() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let Some(server) = postgres_url() else { return };
    let (done, empty) = (app.app.config.database_url(), fresh_database(&server).await);
    for (url, starts) in [(done, true), (empty, false)] {
        let mut other = sqlx::PgConnection::connect(&url).await.unwrap();
        let (_, name) = url.rsplit_once('/').unwrap();
        let lock = query("select pg_advisory_lock($1)").bind(migrator_lock(name));
        lock.execute(&mut other).await.unwrap();
        let open = Db::open(&url, &app.clock);
        let opened = tokio::time::timeout(Duration::from_secs(5), Box::pin(open)).await;
        assert_eq!(opened.is_ok(), starts, "{url}");
        other.close().await.unwrap();
        Db::open(&url, &app.clock).await.expect("nobody holds the lock").close().await;
        if let Ok(opened) = opened {
            opened.unwrap().close().await;
        }
    }
}

/// The file that fills a store which has come as far as this step.
fn rows_of(step: &Migration) -> PathBuf {
    let name = format!("{:04}_{}.sql", step.version, step.description.replace(' ', "_"));
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/migrations/rows")).join(name)
}

#[test]
fn every_step_but_the_last_has_rows_that_must_survive() {
    let steps: Vec<_> = migrate::SQLITE.iter().collect();
    let (_, earlier) = steps.split_last().expect("there is a step");
    for step in earlier.iter().chain(steps.first()) {
        assert!(rows_of(step).is_file(), "{} is missing", rows_of(step).display());
    }
}

/// An empty store of an engine, at its address.
enum Empty {
    Sqlite(sqlx::SqlitePool, tempfile::TempDir),
    Postgres(sqlx::PgPool, String),
}

impl Empty {
    async fn of(engine: Engine) -> Option<Self> {
        if engine == Engine::Postgres {
            let url = fresh_database(&postgres_url()?).await;
            return Some(Self::Postgres(sqlx::PgPool::connect(&url).await.unwrap(), url));
        }
        let folder = tempfile::tempdir().unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(folder.path().join("swabline.db"))
            .create_if_missing(true);
        Some(Self::Sqlite(sqlx::SqlitePool::connect_with(options).await.unwrap(), folder))
    }

    fn steps(&self) -> Vec<Migration> {
        let steps = match self {
            Self::Sqlite(..) => &migrate::SQLITE,
            Self::Postgres(..) => &migrate::POSTGRES,
        };
        steps.iter().cloned().collect()
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(_, folder) => {
                format!("sqlite:{}", folder.path().join("swabline.db").display())
            }
            Self::Postgres(_, url) => url.clone(),
        }
    }

    /// Brings the store as far as these steps go.
    async fn climb(&self, steps: &[Migration]) {
        let steps = Migrator::with_migrations(steps.to_vec());
        match self {
            Self::Sqlite(pool, _) => steps.run(pool).await.unwrap(),
            Self::Postgres(pool, _) => steps.run(pool).await.unwrap(),
        }
    }

    async fn fill(&self, sql: String) {
        let sql = sqlx::AssertSqlSafe(sql);
        match self {
            Self::Sqlite(pool, _) => drop(sqlx::raw_sql(sql).execute(pool).await.unwrap()),
            Self::Postgres(pool, _) => drop(sqlx::raw_sql(sql).execute(pool).await.unwrap()),
        }
    }

    /// Rows in each table, and in each view of what was a table before.
    async fn rows(&self) -> BTreeMap<String, i64> {
        let tables: Vec<String> = match self {
            Self::Sqlite(pool, _) => sqlx::query_scalar(
                "select name from sqlite_master where type in ('table', 'view')
                and name not like 'sqlite%' and name not like '\\_%' escape '\\'",
            )
            .fetch_all(pool)
            .await
            .unwrap(),
            Self::Postgres(pool, _) => sqlx::query_scalar(
                "select cast(table_name as text) from information_schema.tables
                where table_schema = 'public' and table_name not like '\\_%'",
            )
            .fetch_all(pool)
            .await
            .unwrap(),
        };
        let mut rows = BTreeMap::new();
        for table in tables {
            let count = self.count(format!("select count(*) from {table}")).await;
            rows.insert(table, count);
        }
        rows
    }

    async fn count(&self, sql: String) -> i64 {
        let sql = sqlx::AssertSqlSafe(sql);
        match self {
            Self::Sqlite(pool, _) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
            Self::Postgres(pool, _) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        }
    }

    /// Climbs step by step and fills the store after each; gives the tables that lost rows on
    /// the way, and those that never had any.
    async fn losses(&self, steps: &[Migration]) -> (Vec<String>, Vec<String>) {
        let mut before = BTreeMap::new();
        let mut lost = Vec::new();
        for n in 1..=steps.len() {
            self.climb(&steps[..n]).await;
            let now = self.rows().await;
            let short =
                |(table, rows): &(&String, &i64)| now.get(*table).is_none_or(|now| now < *rows);
            lost.extend(before.iter().filter(short).map(|(table, _)| table.clone()));
            if let Ok(rows) = std::fs::read_to_string(rows_of(&steps[n - 1])) {
                self.fill(rows).await;
            }
            before = self.rows().await;
        }
        let empty = before.into_iter().filter(|(_, rows)| *rows == 0).map(|(table, _)| table);
        (lost, empty.collect())
    }
}

/// A step of a later day, after all there are.
fn later(version: i64, sql: &'static str) -> Migration {
    let kind = MigrationType::Simple;
    Migration::new(version, "later".into(), kind, sql.into_sql_str(), false)
}

#[tokio::test]
async fn rows_of_every_step_survive_the_steps_after_it() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let Some(store) = Empty::of(engine).await else { continue };
        let (lost, empty) = store.losses(&store.steps()).await;
        assert_eq!((lost, empty), (Vec::new(), Vec::new()), "{engine:?}");
        // Step 20 counts what the plates of before had filled: all that were frozen, no draft.
        let wells = "(select count(*) from well w where w.plate_code = plate.code)";
        for (plates, condition) in [
            (1, format!("state <> 'draft' and reactions = {wells} and reactions > 0")),
            (0, format!("state <> 'draft' and coalesce(reactions, -1) <> {wells}")),
            (0, "state = 'draft' and reactions is not null".to_owned()),
        ] {
            let sql = format!("select count(*) from plate where {condition}");
            assert_eq!(store.count(sql).await, plates, "{engine:?}: {condition}");
        }
        // Step 22 makes one list of a run's readings, which are shown one by one as before.
        for sql in [
            "select count(*) from reading where run_id = 'U1' and well = 0 and target = 'N'
                and dye = 'VIC' and task = 'UNKNOWN' and operator_name = '' and ct = '27.1'
                and raw_ct = '27.1' and amp_status is null and instrument_call is null
                and omitted = 0",
            "select count(*) from reading where run_id = 'U1' and well = 383 and target = '\"' and dye = ''
                and operator_name = 'T1' and ct is null and raw_ct = 'Undetermined'
                and amp_status = 'No Amp' and instrument_call = '-' and omitted = 1",
            "select count(*) from run_reading",
        ] {
            assert_eq!(store.count(sql.to_owned()).await, 1, "{engine:?}: {sql}");
        }
        let clock = swabline::clock::Clock::system();
        Db::open(&store.url(), &clock).await.expect("the program takes the store as it is");
    }
}

#[tokio::test]
async fn a_step_that_loses_rows_is_named_and_one_that_keeps_them_is_not() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let harmless = later(9_001, "alter table switch add column note text");
        let careless = later(9_002, "delete from guess; drop table idempotency");
        let Some(store) = Empty::of(engine).await else { continue };
        let mut steps = store.steps();
        steps.push(harmless);
        assert_eq!(store.losses(&steps).await.0, Vec::<String>::new());
        let Some(store) = Empty::of(engine).await else { continue };
        steps.push(careless);
        assert_eq!(store.losses(&steps).await.0, ["guess", "idempotency"]);
    }
}
