//! The schema: two folders with the same steps, the same tables behind them, and rows that
//! survive every step.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Row as _, query};
use swabline::on;
use swabline::storage::Tx;

use crate::app::{Engine, TestApp};
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
    where m.type = 'table' and m.name not like 'sqlite%' and m.name not like '\\_%' escape '\\'";
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
