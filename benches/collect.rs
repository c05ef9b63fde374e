//! Sealed tubes of ten people on their way to the disk: alone, and in batches, each in one
//! synced transaction. Then the same through HTTP: single scans beside a bare POST of the same
//! body, and batches beside a bare `COPY` of the same rows into the same tables.

mod bulk;
mod load;
mod store;

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::any;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use load::{Service, fresh_databases};
use store::stores;
use swabline::barcode::TubeCode;

const BATCHES: [u32; 4] = [1, 10, 100, 1000];
/// Connections that send single scans.
const CONNECTIONS: [usize; 3] = [64, 256, 1024];
/// Single scans in one measurement.
const SCANS: u32 = 8_000;

fn collect(c: &mut Criterion) {
    for store in stores() {
        let next = Cell::new(0);
        let mut group = c.benchmark_group(format!("tubes_seal/{}", store.db.engine()));
        for size in BATCHES {
            let tubes = || {
                let first = next.replace(next.get() + size);
                store.tubes(first..first + size)
            };
            group.throughput(Throughput::Elements(u64::from(size)));
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                let put = |tubes| store.runtime.block_on(store.seal(tubes));
                b.iter_batched(tubes, put, BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

/// A bare POST: axum, the body, nothing else.
async fn bare() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    let echo = |body: Bytes| async move { (StatusCode::CREATED, body) };
    let router: Router = Router::new().fallback(any(echo));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Requests that seal single tubes of so many people, the next ones each time.
fn scans(service: &Service, next: &Cell<u32>, people: u32) -> Vec<Vec<u8>> {
    let first = next.replace(next.get() + SCANS);
    let request = |n: u32| {
        let code = TubeCode::numbered(u64::from(n)).expect("the number is small");
        let body = load::body(service, n, people);
        load::request(&format!("PUT /v1/tubes/{code}"), &service.sampler, &body)
    };
    (first..first + SCANS).map(request).collect()
}

/// Single scans, one tube a request, acknowledged when they are on disk.
fn single(c: &mut Criterion) {
    for (engine, database) in fresh_databases() {
        let service = Service::start(database);
        let bare = service.runtime.block_on(bare());
        let next = Cell::new(0);
        let mut group = c.benchmark_group(format!("single_scans/{engine}"));
        group.sample_size(10).throughput(Throughput::Elements(u64::from(SCANS)));
        for people in [1, 10] {
            for (name, address) in [("bare", bare), ("durable", service.address)] {
                for connections in CONNECTIONS {
                    let id = BenchmarkId::new(format!("{name}_{people}"), connections);
                    group.bench_function(id, |b| {
                        b.iter_custom(|turns| {
                            let mut took = Duration::ZERO;
                            for _ in 0..turns {
                                let scans = scans(&service, &next, people);
                                let sent = load::send(address, connections, scans);
                                let (time, refused) = service
                                    .runtime
                                    .block_on(async { tokio::spawn(sent).await })
                                    .expect("the callers do not fail");
                                assert_eq!(refused, 0, "every scan is taken");
                                took += time;
                            }
                            took
                        });
                    });
                }
            }
        }
        group.finish();
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    collect(&mut criterion);
    single(&mut criterion);
    bulk::bulk(&mut criterion);
    criterion.final_summary();
}
