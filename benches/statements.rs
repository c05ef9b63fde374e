//! The rows of each statement of a batch into its own table of a played day, with its indexes and
//! triggers: as JSON, with a list for each column, and by binary `COPY`; and the moves of rows as JSON
//! and with a list. PostgreSQL alone, for SQLite has no choice. Every transaction is undone, so that
//! what is measured is the statement without its commit.

mod statements_of;

use std::future::poll_fn;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, query, query_scalar, raw_sql};
use statements_of::{Addition, Column, Form, MOVED, MOVES, Move, additions};
use tokio::runtime::Runtime;

/// People of the day whose rows are around.
const PEOPLE: &str = "6000";

/// A database on the server with a day in it.
struct Played {
    server: String,
    name: String,
    connection: PgConnection,
    /// How often something was put into it: no turn has the keys of another.
    turn: u64,
}

#[expect(clippy::disallowed_methods, reason = "a measurement asks its surroundings for servers")]
fn played() -> Option<(Runtime, Played)> {
    let Ok(server) = std::env::var("TEST_POSTGRES_URL") else {
        eprintln!("nothing was measured: TEST_POSTGRES_URL is not set");
        return None;
    };
    let runtime = Runtime::new().expect("the runtime starts");
    let name = format!("swabline_statements_{}", std::process::id());
    let (base, _) = server.rsplit_once('/').expect("the address names a database");
    let url = format!("{base}/{name}");
    runtime.block_on(obey(&server, format!("create database {name}")));
    let day = std::process::Command::new(env!("CARGO_BIN_EXE_swabline"))
        .args(["--database", &url, "simulate", "--people", PEOPLE])
        .output()
        .expect("the program runs");
    assert!(day.status.success(), "{}", String::from_utf8_lossy(&day.stderr));
    runtime.block_on(obey(&url, "vacuum analyze".to_owned()));
    let connection = runtime.block_on(PgConnection::connect(&url)).expect("PostgreSQL answers");
    Some((runtime, Played { server, name, connection, turn: 0 }))
}

async fn obey(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.expect("PostgreSQL answers");
    raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the server obeys");
}

impl Played {
    async fn end(self) {
        drop(self.connection);
        obey(&self.server, format!("drop database {} with (force)", self.name)).await;
    }
}

/// A list for one column.
enum List {
    Texts(Vec<Option<String>>),
    Numbers(Vec<Option<i64>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

fn list(row: &PgRow, at: usize, column: &Column) -> List {
    match column.kind {
        "bigint" => List::Numbers(row.get(at)),
        "bytea" => List::Bytes(row.get(at)),
        _ => List::Texts(row.get(at)),
    }
}

/// Puts this many rows into a table `times` times, and says how long the statement alone took.
async fn added(played: &mut Played, addition: &Addition, form: Form, times: u64) -> Duration {
    let mut spent = Duration::ZERO;
    let statement = addition.statement(form);
    for _time in 0..times {
        played.turn += 1;
        let mut tx = played.connection.begin().await.expect("the server answers");
        let before = addition.before(played.turn);
        raw_sql(AssertSqlSafe(before)).execute(&mut *tx).await.expect("it obeys");
        let rows = addition.rows(played.turn);
        let (took, stored) = match form {
            Form::Structs | Form::Tuples => {
                let text = addition.as_json(form);
                as_json(&mut tx, &text, &rows, &statement).await
            }
            Form::Lists => as_lists(&mut tx, addition, &rows, &statement).await,
            Form::Copy => copied(&mut tx, &rows, &statement).await,
        };
        assert_eq!(stored, addition.count, "{}", addition.table);
        spent += took;
        tx.rollback().await.expect("the server answers");
    }
    spent
}

/// How long the statement took, and how many rows it stored.
type Put = (Duration, u64);

async fn one(connection: &mut PgConnection, what: &str, rows: &str) -> PgRow {
    let sql = format!("select {what} from ({rows}) r");
    query(AssertSqlSafe(sql)).fetch_one(connection).await.expect("there are rows")
}

async fn as_json(connection: &mut PgConnection, text: &str, rows: &str, statement: &str) -> Put {
    let document: String = one(connection, text, rows).await.get(0);
    let start = Instant::now();
    let put = query(AssertSqlSafe(statement.to_owned())).bind(document).execute(connection).await;
    (start.elapsed(), put.expect("the rows are taken").rows_affected())
}

async fn as_lists(
    connection: &mut PgConnection,
    addition: &Addition,
    rows: &str,
    statement: &str,
) -> Put {
    let row = one(connection, &addition.as_lists(), rows).await;
    let columns = addition.columns.iter().enumerate();
    let lists: Vec<_> = columns.map(|(at, column)| list(&row, at, column)).collect();
    let start = Instant::now();
    let mut put = query(AssertSqlSafe(statement.to_owned()));
    for list in lists {
        put = match list {
            List::Texts(values) => put.bind(values),
            List::Numbers(values) => put.bind(values),
            List::Bytes(values) => put.bind(values),
        };
    }
    let put = put.execute(connection).await;
    (start.elapsed(), put.expect("the rows are taken").rows_affected())
}

async fn copied(connection: &mut PgConnection, rows: &str, statement: &str) -> Put {
    let bytes = taken_out(connection, rows).await;
    let start = Instant::now();
    let mut copy = connection.copy_in_raw(statement).await.expect("the server takes rows");
    copy.send(bytes.as_slice()).await.expect("the server takes rows");
    let put = copy.finish().await;
    (start.elapsed(), put.expect("the rows are taken"))
}

async fn taken_out(connection: &mut PgConnection, rows: &str) -> Vec<u8> {
    let sql = format!("copy ({rows}) to stdout (format binary)");
    let mut chunks = connection.copy_out_raw(&sql).await.expect("the server tells");
    let mut bytes = Vec::new();
    while let Some(chunk) = poll_fn(|context| chunks.as_mut().poll_next(context)).await {
        bytes.extend_from_slice(&chunk.expect("the server tells"));
    }
    bytes
}

/// Moves so many rows `times` times.
async fn moved(played: &mut Played, step: &Move, form: Form, times: u64) -> Duration {
    let mut spent = Duration::ZERO;
    let fresh = Addition::of(step.table, MOVED);
    for _time in 0..times {
        played.turn += 1;
        let mut tx = played.connection.begin().await.expect("the server answers");
        let (columns, rows) = (fresh.names(), fresh.rows(played.turn));
        let put = format!("insert into {} ({columns}) {rows}", step.table);
        for sql in [fresh.before(played.turn), put] {
            raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await.expect("it obeys");
        }
        let keys = AssertSqlSafe(step.keys(played.turn));
        let keys: Vec<String> =
            query_scalar(keys).fetch_all(&mut *tx).await.expect("there are keys");
        assert_eq!(keys.len() as u64, MOVED, "{}", step.name);
        let listed: Vec<_> = keys.iter().map(|key| serde_json::json!({ "code": key })).collect();
        let document = serde_json::Value::from(listed).to_string();
        let statement = AssertSqlSafe(step.statement(form, played.turn));
        let start = Instant::now();
        let put = query(statement);
        let put = if form == Form::Structs { put.bind(document) } else { put.bind(keys) };
        let put = put.execute(&mut *tx).await;
        spent += start.elapsed();
        assert_eq!(put.expect("the rows are moved").rows_affected(), MOVED, "{}", step.name);
        tx.rollback().await.expect("the server answers");
    }
    spent
}

fn statements(c: &mut Criterion) {
    let Some((runtime, mut played)) = played() else { return };
    for addition in additions() {
        let mut group = c.benchmark_group(format!("rows_into/{}", addition.table));
        group.throughput(Throughput::Elements(addition.count));
        for form in [Form::Structs, Form::Tuples, Form::Lists, Form::Copy] {
            let id = BenchmarkId::new(form.name(), addition.count);
            group.bench_function(id, |b| {
                b.iter_custom(|times| runtime.block_on(added(&mut played, &addition, form, times)));
            });
        }
        group.finish();
    }
    for step in MOVES {
        let mut group = c.benchmark_group(format!("rows_moved/{}", step.name));
        for form in [Form::Structs, Form::Lists] {
            group.bench_function(form.name(), |b| {
                b.iter_custom(|times| runtime.block_on(moved(&mut played, step, form, times)));
            });
        }
        group.finish();
    }
    runtime.block_on(played.end());
}

fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    statements(&mut criterion);
    criterion.final_summary();
}
