//! Statuses looked up in a store of fifty thousand people who were told a result: one person, and
//! a thousand at once; then asked for over HTTP.

mod store;
mod wire;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use store::{MEMBERS, Store, stores};
use swabline::on;
use swabline::query::store::known;
use swabline::seal::PersonKey;

const PEOPLE: u32 = 50_000;
/// Tubes stored at once.
const BATCH: u32 = 500;
const TOLD: &str = "insert into status
        (person_key, tube_code, result_id, outcome, collected_us, released_us)
    select person_key, tube_code, tube_code || '.1', 'not_detected', taken_us, taken_us
    from member";

/// Fills the store and gives every person in it.
async fn fill(store: &Store) -> Vec<PersonKey> {
    let mut people = Vec::new();
    for batch in 0..PEOPLE / MEMBERS / BATCH {
        people.extend(store.seal(store.tubes(batch * BATCH..(batch + 1) * BATCH)).await);
    }
    let mut tx = store.db.write("bench.fill").await.expect("the store answers");
    for sql in [TOLD, "analyze"] {
        on!(tx, c => sqlx::raw_sql(sql).execute(c).await.map(drop)).expect("the store obeys");
    }
    tx.commit().await.expect("the store commits");
    people
}

async fn look_up(store: &Store, people: Vec<&PersonKey>) -> usize {
    let mut tx = store.db.ask_once("bench.status").await.expect("the store answers");
    let (_, found) = known(&mut tx, people).await.expect("the store answers");
    found.len()
}

fn statuses(c: &mut Criterion) {
    for store in stores() {
        let people = store.runtime.block_on(fill(&store));
        let mut group = c.benchmark_group(format!("status/{}", store.db.engine()));
        for size in [1, 1000] {
            // Spread over the store, and others each time.
            let mut first = 0;
            group.throughput(Throughput::Elements(size as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter(|| {
                    first = (first + 7919) % people.len();
                    let wanted = people.iter().cycle().skip(first).step_by(37).take(size);
                    let found = store.runtime.block_on(look_up(&store, wanted.collect()));
                    assert_eq!(black_box(found), size);
                });
            });
        }
        group.finish();
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    statuses(&mut criterion);
    criterion.final_summary();
    // Criterion's own measurements know no rate of many callers; a look at whether everything
    // runs is not for figures.
    if std::env::args().any(|argument| argument == "--bench") {
        wire::measure();
    }
}
