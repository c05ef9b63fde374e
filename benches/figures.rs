//! The city board's answer over counters of ten thousand and of a million people, and what counting
//! costs whoever writes: moves of tubes with the triggers that count and without.

#[expect(dead_code, reason = "only the stores are needed here, not people to put into them")]
mod store;

use criterion::{BenchmarkId, Criterion, Throughput};
use sqlx::{AssertSqlSafe, raw_sql};
use store::{Store, stores};
use swabline::clock::Time;
use swabline::figures::fold::fold;
use swabline::figures::store::figures;
use swabline::figures::{Figures, Scope};
use swabline::on;

/// Ten to a tube, as in the street.
const PEOPLE: [u32; 2] = [10_000, 1_000_000];
/// Tubes that go the whole way in one measurement of moves.
const TUBES: u32 = 200;
const STATES: [&str; 5] = ["sealed", "packed", "received", "plated", "released"];

/// Sixteen areas with a site each, five laboratories, and a round that goes on.
const PLACES: &str = "with recursive counted(n) as (select 0 union all
            select n + 1 from counted where n < 15)
        insert into site (code, name, area, created_us)
        select 'S' || n, 'Site', 'Area ' || n, 0 from counted;
    with recursive counted(n) as (select 1 union all select n + 1 from counted where n < 5)
        insert into laboratory (code, name, address, created_us)
        select 'L' || n, 'Laboratory', 'Street', 0 from counted;
    insert into round (code, name, area, specimen, tube_size, starts_us, ends_us, result_hours,
        created_us) values ('R', 'Round', 'City', 'swab', 10, 1592611200000000,
        1999999999999999, 24, 0)";
/// Tubes `{from}` to `{until}`, sealed over ten hours.
const SEAL: &str = "with recursive counted(n) as (select {from} union all
            select n + 1 from counted where n < {until})
        insert into tube (code, size, members, swab_count, round_code, site_code, session_code,
            event_id, device_id, device_seq, device_skew_us, sealed_us, recorded_us, recorded_by,
            content_tag, state, state_us)
        select 'T' || n, 10, 10, 10, 'R', 'S' || (n % 16), 'W', 'E' || n, 'D', n, 0, at_us, at_us,
            'A', '', 'sealed', at_us
        from (select n, 1592697600000000 + cast(n % 36000 as bigint) * 1000000 as at_us from counted) c";
/// Three years of what the plates and runs of five laboratories did, an hour at a time.
const YEARS: &str = "insert into figure (round_code, kind, move, hour, area, laboratory_code,
        bucket, n, people)
    with recursive counted(n) as (select cast(1 as bigint) union all
        select n + 1 from counted where n < 26000)
    select '', k.kind, k.move, c.n, '', l.code, 0, 1, 0
    from counted c cross join laboratory l cross join (
        select 'plate' as kind, 'draft>frozen' as move union all
        select 'plate', 'frozen>closed' union all select 'run', '>draft' union all
        select 'run', 'draft>reviewed' union all select 'run', 'reviewed>released' union all
        select 'review', '') k";
const MOVE: &str = "update tube set state = '{to}', state_us = state_us + 5400000000,
        laboratory_code = 'L' || (device_seq % 5 + 1)
    where device_seq between {from} and {until} and state = '{was}'";

async fn obey(store: &Store, sql: String) {
    let mut tx = store.db.write("bench.figures").await.expect("the store answers");
    on!(tx, c => raw_sql(AssertSqlSafe(sql.clone())).execute(c).await.map(drop))
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    tx.commit().await.expect("the store commits");
}

/// So many tubes, each through the whole day.
async fn go(store: &Store, (from, until): (u32, u32)) {
    let of = |sql: &str| {
        sql.replace("{from}", &from.to_string()).replace("{until}", &(until - 1).to_string())
    };
    obey(store, of(SEAL)).await;
    for step in STATES.windows(2) {
        obey(store, of(MOVE).replace("{was}", step[0]).replace("{to}", step[1])).await;
    }
}

async fn ask(store: &Store) -> Figures {
    let now: Time = "2020-06-21T14:30:00Z".parse().expect("it is a time");
    let mut tx = store.db.read("bench.figures").await.expect("the store answers");
    figures(&mut tx, now, &Scope::default()).await.expect("the store answers")
}

fn answers(c: &mut Criterion) {
    for store in stores() {
        store.runtime.block_on(obey(&store, PLACES.to_owned()));
        let index = "create index tube_in_order on tube (device_seq)";
        store.runtime.block_on(obey(&store, index.to_owned()));
        let mut group = c.benchmark_group(format!("figures/{}", store.db.engine()));
        let mut tubes = 0;
        for people in PEOPLE {
            store.runtime.block_on(go(&store, (tubes, people / 10)));
            store.runtime.block_on(fold(&store.db, 5_000)).expect("the store folds");
            store.runtime.block_on(obey(&store, "analyze".to_owned()));
            tubes = people / 10;
            group.bench_function(BenchmarkId::new("answer", people), |b| {
                b.iter(|| {
                    let seen = store.runtime.block_on(ask(&store));
                    assert_eq!(seen.stages.released.people, i64::from(people));
                });
            });
        }
        store.runtime.block_on(obey(&store, YEARS.to_owned()));
        store.runtime.block_on(obey(&store, "analyze".to_owned()));
        group.bench_function(BenchmarkId::new("answer", "after three years"), |b| {
            b.iter(|| {
                let seen = store.runtime.block_on(ask(&store));
                assert_eq!(seen.stages.released.tubes, i64::from(tubes));
            });
        });
        group.sample_size(20).throughput(Throughput::Elements(u64::from(TUBES)));
        for counted in [true, false] {
            if !counted {
                for trigger in ["sealed", "moved", "ended"] {
                    let sql = match store.db.engine() {
                        "SQLite" => format!("drop trigger figure_tube_{trigger}"),
                        _ => format!("drop trigger if exists figure_tube_{trigger} on tube"),
                    };
                    store.runtime.block_on(obey(&store, sql));
                }
            }
            let name = if counted { "counted" } else { "uncounted" };
            group.bench_function(BenchmarkId::new("move", name), |b| {
                b.iter(|| {
                    store.runtime.block_on(go(&store, (tubes, tubes + TUBES)));
                    tubes += TUBES;
                });
            });
        }
        group.finish();
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    answers(&mut criterion);
    criterion.final_summary();
}
