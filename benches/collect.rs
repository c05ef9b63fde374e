//! Sealed tubes of ten people on their way to the disk: alone, and in batches, each in one
//! synced transaction.

mod store;

use std::cell::Cell;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use store::stores;

const BATCHES: [u32; 4] = [1, 10, 100, 1000];

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

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    collect(&mut criterion);
    criterion.final_summary();
}
