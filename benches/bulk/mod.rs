//! Batches of tubes through HTTP, and a bare binary `COPY` of the same rows into the same tables
//! with their indexes and triggers.

use std::cell::Cell;
use std::future::poll_fn;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, raw_sql};
use swabline::barcode::TubeCode;

use crate::load::{self, Service, fresh_databases};
use crate::store::MEMBERS;

/// Tubes in one request.
const TUBES: u32 = 1_000;
/// Requests in one measurement.
const REQUESTS: u32 = 20;
/// Requests under way at once.
const CONNECTIONS: usize = 4;
/// What sealing a tube fills, in the order of its foreign keys.
const TABLES: [&str; 6] = ["tube", "member", "person", "feed", "audit", "audit_subject"];

fn batches(service: &Service, next: &Cell<u32>) -> Vec<Vec<u8>> {
    let batch = |_| {
        let first = next.replace(next.get() + TUBES);
        let tubes: Vec<_> = (first..first + TUBES)
            .map(|n| {
                let mut body = load::body(service, n, MEMBERS);
                let code = TubeCode::numbered(u64::from(n)).expect("the number is small");
                body["code"] = json!(code.as_str());
                body
            })
            .collect();
        load::request("POST /v1/tubes/batch", &service.sampler, &json!({ "tubes": tubes }))
    };
    (0..REQUESTS).map(batch).collect()
}

async fn sent(service: &Service, requests: Vec<Vec<u8>>) -> Duration {
    let sent = tokio::spawn(load::send(service.address, CONNECTIONS, requests));
    let (time, refused) = sent.await.expect("the callers do not fail");
    assert_eq!(refused, 0, "every batch is taken");
    time
}

async fn empty(connection: &mut PgConnection) {
    let sql = format!("truncate {} cascade", TABLES.join(", "));
    raw_sql(AssertSqlSafe(sql)).execute(connection).await.expect("the server obeys");
}

/// Everything in the tables, as `COPY` writes it.
async fn taken_out(connection: &mut PgConnection) -> Vec<Vec<u8>> {
    let mut tables = Vec::new();
    for table in TABLES {
        let sql = format!("copy {table} to stdout (format binary)");
        let mut chunks = connection.copy_out_raw(&sql).await.expect("the server tells");
        let mut bytes = Vec::new();
        while let Some(chunk) = poll_fn(|context| chunks.as_mut().poll_next(context)).await {
            bytes.extend_from_slice(&chunk.expect("the server tells"));
        }
        tables.push(bytes);
    }
    tables
}

/// Puts the rows back, table by table, in one transaction, and gives the time that took.
async fn put_back(connection: &mut PgConnection, tables: &[Vec<u8>]) -> Duration {
    let started = Instant::now();
    let mut tx = connection.begin().await.expect("the server answers");
    for (table, bytes) in TABLES.iter().zip(tables) {
        let sql = format!("copy {table} from stdin (format binary)");
        let mut copy = tx.copy_in_raw(&sql).await.expect("the server takes rows");
        copy.send(bytes.as_slice()).await.expect("the server takes rows");
        copy.finish().await.expect("the server takes rows");
    }
    tx.commit().await.expect("the server commits");
    started.elapsed()
}

/// Members a second, in bulk.
pub fn bulk(c: &mut Criterion) {
    for (engine, database) in fresh_databases() {
        let service = Service::start(database.clone());
        let next = Cell::new(0);
        let mut group = c.benchmark_group(format!("bulk_members/{engine}"));
        let members = u64::from(REQUESTS * TUBES * MEMBERS);
        group.sample_size(10).throughput(Throughput::Elements(members));
        group.bench_function(BenchmarkId::new("durable", CONNECTIONS), |b| {
            b.iter_custom(|turns| {
                let turn = |_| {
                    let requests = batches(&service, &next);
                    service.runtime.block_on(sent(&service, requests))
                };
                (0..turns).map(turn).sum()
            });
        });
        if engine == "PostgreSQL" {
            service.runtime.block_on(async {
                let mut connection =
                    PgConnection::connect(&database).await.expect("PostgreSQL answers");
                empty(&mut connection).await;
            });
            let requests = batches(&service, &next);
            service.runtime.block_on(sent(&service, requests));
            group.bench_function("copy", |b| {
                b.iter_custom(|turns| {
                    service.runtime.block_on(async {
                        let mut connection =
                            PgConnection::connect(&database).await.expect("PostgreSQL answers");
                        let tables = taken_out(&mut connection).await;
                        let mut time = Duration::ZERO;
                        for _ in 0..turns {
                            empty(&mut connection).await;
                            time += put_back(&mut connection, &tables).await;
                        }
                        time
                    })
                });
            });
        }
        group.finish();
    }
}
