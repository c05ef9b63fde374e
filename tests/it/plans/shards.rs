//! Every hot statement names the key its tables are spread by: asked for one person, one tube or
//! one run, it touches one shard of each. The large tables of the story's own database are declared
//! partitioned by hash, and partitions stand for shards; `scripts/scaling/shards` plays the same over
//! several clusters, and docs/scaling.md says what to make of it. On PostgreSQL alone.
//!
//! The planner does not reckon with partitions that are left out while a statement runs, and it reads
//! a small table whole. So it is told that each partition has millions of rows, as a city's have;
//! for that the story has to play as a superuser.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, query_as};
use swabline::storage::Tx;

use super::{fill, postgres};
use crate::app::{Engine, TestApp};
use crate::statements::{lists, pairs};

/// Large tables, and the column each is spread by.
const SPREAD: &[(&str, &str)] = &[
    ("tube", "code"),
    ("person", "key"),
    ("status", "person_key"),
    ("box_tube", "tube_code"),
    ("arrival_tube", "tube_code"),
    ("well", "plate_code"),
    ("run_reading", "run_id"),
    ("curve", "run_id"),
    ("call", "run_id"),
    ("result", "tube_code"),
    ("audit", "chain"),
    ("audit_subject", "about"),
];
/// `member` has two columns it may be spread by; the story is told for either.
const BOTH: &[&str] = &["tube_code", "person_key"];
const BY_TUBE: &[&str] = &["tube_code"];
const BY_PERSON: &[&str] = &["person_key"];

/// Makes an empty table anew in four partitions. Constraints that do not name the key are left out
/// with all triggers, for only where rows are looked for is looked at here.
const PARTITION: &str = r#"do $$
declare
    index record;
begin
    alter table "{table}" rename to spread_before;
    create table "{table}" (like spread_before including defaults including identity)
        partition by hash ("{key}");
    for part in 0..3 loop
        execute format('create table %I partition of "{table}"
            for values with (modulus 4, remainder %s)', '{table}_' || part, part);
    end loop;
    for index in select pg_get_indexdef(i.indexrelid) as text, i.indisunique and exists (select
                from pg_attribute a where a.attrelid = i.indrelid and a.attname = '{key}'
                    and a.attnum = any(i.indkey)) as is_unique
            from pg_index i where i.indrelid = cast('spread_before' as regclass) loop
        execute regexp_replace(index.text, '^CREATE (UNIQUE )?INDEX \S+ ON \S+',
            case when index.is_unique then 'create unique' else 'create' end
                || ' index on "{table}"');
    end loop;
    drop table spread_before cascade;
end $$"#;
/// Two people: one has a tube that waits for its release, alone in a box. The other was recalled for
/// one tube and told a positive of the next.
const PEOPLE: &str = "
    insert into box (code, site_code, seal, tubes, content_tag, sealed_us, recorded_us, recorded_by,
            state, holder) values ('BONE', 'S1', 'seal', 1, 'tag', 1, 1, 'A1', 'sealed', 'A1');
    insert into tube (code, size, members, swab_count, round_code, site_code, session_code, event_id,
            device_id, device_seq, device_skew_us, sealed_us, recorded_us, recorded_by, content_tag,
            state, state_us, laboratory_code)
        select one.code, 1, 1, 1, 'D01', 'S1', 'E1', 'V' || one.code, 'D1', 1, 0, 9, 9, 'A1', 'tag',
            'plated', 9, 'L01'
        from (values ('ONE'), ('TOLD'), ('LATE')) one(code);
    insert into member (tube_code, position, person_key, identity_tag, taken_us) values
        ('ONE', 1, 'QONE', 'tag', 7), ('TOLD', 1, 'QTOLD', 'tag', 7), ('LATE', 1, 'QTOLD', 'tag', 9);
    insert into person (key, identity_tag, identity, first_seen_us)
        values ('QONE', 'tag', unhex('00'), 7), ('QTOLD', 'tag', unhex('00'), 7);
    insert into box_tube (tube_code, box_code) values ('ONE', 'BONE');
    insert into arrival_tube (arrival_id, tube_code, finding)
        values ('IB1000000', 'ONE', 'accepted');
    insert into call (run_id, tube_code, outcome, rule, disposition, members, attempt, clean, detail,
            state) values ('R1000120', 'ONE', 'not_detected', '', 'report', 1, 0, 1, '', 'draft'),
        ('R1000000', 'TOLD', 'not_detected', '', 'recall', 1, 0, 0, '', 'released');
    insert into result (id, tube_code, version, outcome, run_id, reviewed_by, released_by,
            released_us, signature_id, content_hash)
        values ('LATE.1', 'LATE', 1, 'detected', 'R1000000', 'A5', 'A6', 9, 'G0', '');
    insert into status (person_key, tube_code, result_id, outcome, collected_us, released_us)
        values ('QTOLD', 'LATE', 'LATE.1', 'detected', 9, 9);
    insert into recall (id, person_key, origin_tube, site_code, reason, opened_us, due_us, contact,
            note, state)
        values ('KTOLD', 'QTOLD', 'TOLD', 'S1', 'refused', 1, 2, 'none', '', 'open');
    insert into quality_seeded (tube_code, expected, seeded_by, seeded_us)
        values ('TOLD', 'detected', 'A1', 1);
    insert into feed (change, tube_code, at_us, epoch) values ('sealed', 'ONE', 9, 9000000000000000)";
/// What the planner is to believe.
const BELIEVED: &str = "analyze;
    update pg_class set reltuples = 5000000
        where oid in (select inhrelid from pg_inherits) or relname = 'recall';
    set local jit = off;
    set local max_parallel_workers_per_gather = 0";

/// File, name, and what it is asked for: one person, one tube or one run.
type Hot = (&'static str, &'static str, &'static str);

/// A tube without a result.
const ONE: &str = r#"'[{"code": "ONE"}]'"#;

/// What every scan, box, plate, file, release, look-up and page of the feed asks.
const HOT: &[Hot] = &[
    (
        "collection/tube/store.rs",
        "TUBES_ADD",
        r#"'[["NEW", 1, 1, "D01", "S1", "E1", "new", "D1", 1, 0, 1, 1, "A1", "t"]]'"#,
    ),
    (
        "collection/tube/store.rs",
        "MEMBERS_ADD",
        "array['NEW'], array[1], array['QNEW'], array['tag'], array[1]",
    ),
    (
        "collection/person/store.rs",
        "PERSONS_PUT",
        "array['QNEW'], array['tag'], array[cast('x' as bytea)], 1",
    ),
    ("collection/tube/store.rs", "TUBES_KNOWN", ONE),
    ("collection/tube/store.rs", "TUBES_STORED", ONE),
    ("collection/tube/store.rs", "EVENTS_STORED", r#"'[{"code": "VONE"}]'"#),
    ("collection/tube/store.rs", "MEMBERS_STORED", ONE),
    ("collection/moves.rs", "TUBES_FIND", ONE),
    ("collection/moves.rs", "TUBES_MOVE", r#"'[{"code": "ONE"}]', 'plated', 'released', 10, null"#),
    ("audit/mod.rs", "APPEND", r#"'[[99999, 1, "A1", "a", "x", "", "p", "h"]]', 'C1'"#),
    ("audit/mod.rs", "SUBJECTS", r#"'[["ONE", 99999]]', 'C1'"#),
    ("transport/store.rs", "BOX_TUBES_ADD", r#"'[{"code": "NEW"}]', 'BONE'"#),
    ("transport/store.rs", "TUBES_NEWEST", ONE),
    ("transport/store.rs", "BOXES_OF_TUBES", ONE),
    ("transport/store.rs", "BOX_CODES", "'BONE'"),
    ("transport/store.rs", "BOX_TUBES", "'BONE'"),
    (
        "receiving/store.rs",
        "ARRIVAL_TUBES_ADD",
        r#"'INEW', '[{"tube": "ONE", "finding": "accepted"}]'"#,
    ),
    ("receiving/store.rs", "ARRIVAL_NEWEST", r#"'BONE', '[{"code": "ONE"}]'"#),
    ("plate/store.rs", "WELLS_ADD", r#"'P1000000', '[[90, "mix", "ONE", null, 1, null]]'"#),
    ("plate/store.rs", "WELLS", "'P1000000'"),
    ("plate/store.rs", "WELLS_CLEAR", "'P1000000'"),
    (
        "instrument/store.rs",
        "READINGS_ADD",
        r#"'RNEW', '[[90, "N", "FAM", "unknown", "", null, "30.1", null, null, 0]]'"#,
    ),
    ("instrument/store.rs", "READINGS_FIND", "'R1000120'"),
    (
        "instrument/curve_store.rs",
        "CURVES_ADD",
        r#"'R1000120', '[[90, "N", "FAM", 1, "00000000"]]'"#,
    ),
    ("instrument/curve_store.rs", "CURVES_FIND", "'R1000120', 0, 383"),
    ("instrument/curve_store.rs", "CURVES_COUNT", "'R1000120'"),
    (
        "interpretation/store.rs",
        "CALLS_ADD",
        r#"'R1000120', '[["NEW", "not_detected", "r", "report", 1, 0, 1, "x", null]]'"#,
    ),
    ("interpretation/store.rs", "TESTED", ONE),
    ("interpretation/store.rs", "CALLS_FIND", "'R1000120'"),
    ("interpretation/store.rs", "EARLIER", r#"'[{"code": "LATE"}]', 1592697700000000, 'z'"#),
    ("interpretation/store.rs", "ANOTHER", r#"'[{"code": "LATE"}]', 1592697700000000, 'z'"#),
    ("quality/seeded.rs", "SEEDED", r#"'[{"code": "TOLD"}]'"#),
    ("review", "CALLS", "'R1000120'"),
    ("review", "REPORT_FIELDS", r#"'R1000120', '[{"code": "ONE"}]'"#),
    ("review", "RESULTS", r#"'R1000120', 'a', 'b', null, 9, 's', 'h', '[{"code": "ONE"}]'"#),
    ("review", "STATUSES", r#"'R1000120', 9, '[{"code": "ONE"}]'"#),
    ("review", "CALLS_MOVE", r#"'R1000120', '[{"code": "ONE"}]', 'released'"#),
    ("review", "CALLS_LEFT", "'R1000120'"),
    ("review", "ATTEMPTED", ONE),
    ("review", "POOLS_CALLED", "'R1000120', 1"),
    ("recall/store.rs", "MEMBERS_TO_RECALL", ONE),
    ("recall/store.rs", "RECALLS_COLLECTED", r#"'[{"code": "LATE"}]'"#),
    ("recall/store.rs", "RECALLS_CLOSE", r#"'[{"tube": "LATE", "outcome": "detected"}]', 10"#),
    ("query/store.rs", "KNOWN", r#"'["QONE"]'"#),
    ("query/store.rs", "TUBES_OF", r#"'["QONE"]', 16"#),
    ("cache/follow.rs", "CHANGED", "8999999999999999, 0, 0, '[]', 5"),
    ("feeds/store.rs", "CHANGES", "8999999999999999, 0, 9223372036854775807, 5"),
    ("feeds/store.rs", "MEMBERS", r#"'[{"tube": "TOLD", "at": 8, "told": 1}]'"#),
];

/// A statement that touches several shards of a table also for one key, by file and name, by what
/// `member` is spread then, and why. What is asked for several keys goes to as many shards as they
/// lie in, by its nature: a box of tubes, a plate, a thousand people.
type Exception = (&'static str, &'static str, &'static str, &'static [&'static str], &'static str);

const OF_TUBE: &str = "it asks for the members of a tube, who lie by themselves";
const OF_PERSON: &str = "it asks for a person, whose places in tubes lie with the tubes";
const OF_BOX: &str = "a manifest is read by its box, and its tubes lie by themselves";
const EXCEPTIONS: &[Exception] = &[
    (
        "collection/tube/store.rs",
        "EVENTS_STORED",
        "tube",
        BOTH,
        "it asks for events, of which each is of one tube; only for what could not be added",
    ),
    ("collection/tube/store.rs", "MEMBERS_STORED", "member", BY_PERSON, OF_TUBE),
    ("transport/store.rs", "BOX_CODES", "box_tube", BOTH, OF_BOX),
    ("transport/store.rs", "BOX_TUBES", "box_tube", BOTH, OF_BOX),
    ("transport/store.rs", "BOX_TUBES", "member", BY_PERSON, OF_TUBE),
    (
        "interpretation/store.rs",
        "EARLIER",
        "call",
        BOTH,
        "it asks for earlier tests of a tube, in whatever run they were",
    ),
    (
        "interpretation/store.rs",
        "ANOTHER",
        "call",
        BOTH,
        "it asks for other tubes of a tube's people, in whatever run they were",
    ),
    ("interpretation/store.rs", "ANOTHER", "member", BY_PERSON, OF_TUBE),
    (
        "quality/seeded.rs",
        "SEEDED",
        "call",
        BOTH,
        "it asks for the calls of the few tubes that were seeded, in whatever run they were",
    ),
    ("review", "REPORT_FIELDS", "member", BY_PERSON, OF_TUBE),
    ("review", "STATUSES", "member", BY_PERSON, OF_TUBE),
    ("recall/store.rs", "MEMBERS_TO_RECALL", "member", BY_PERSON, OF_TUBE),
    ("recall/store.rs", "RECALLS_COLLECTED", "member", BY_PERSON, OF_TUBE),
    ("recall/store.rs", "RECALLS_CLOSE", "member", BY_PERSON, OF_TUBE),
    ("query/store.rs", "KNOWN", "member", BY_TUBE, OF_PERSON),
    ("query/store.rs", "TUBES_OF", "member", BY_TUBE, OF_PERSON),
    ("cache/follow.rs", "CHANGED", "member", BY_PERSON, OF_TUBE),
    (
        "feeds/store.rs",
        "MEMBERS",
        "member",
        BOTH,
        "it asks for the members of a tube, and for the other tubes of each",
    ),
];

/// Every table that is spread, with its column.
fn spread(member: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    SPREAD.iter().copied().chain([("member", member)])
}

/// The text of a statement on PostgreSQL.
fn text(file: &str, name: &str) -> &'static str {
    let mut here = lists().into_iter().filter(|(of, _)| *of == file).flat_map(|(_, all)| all);
    let one = here.find(|(of, _)| *of == name).map(|(_, sql)| *sql);
    let pair = || pairs().into_iter().find(|(of, called, _)| (*of, *called) == (file, name));
    let found = one.or_else(|| pair().map(|(.., sql)| sql.postgres));
    found.unwrap_or_else(|| panic!("{file} has no {name}"))
}

/// Partitions that were read or written, by their table.
type Touched = BTreeMap<&'static str, BTreeSet<String>>;

/// Rows of each partition.
type Rows = BTreeMap<String, i64>;

fn touch(touched: &mut Touched, relation: &str) {
    let Some((table, number)) = relation.rsplit_once('_') else { return };
    let Some((table, _)) = spread("").find(|(of, _)| *of == table) else { return };
    if number.parse::<u8>().is_ok() {
        touched.entry(table).or_default().insert(relation.to_owned());
    }
}

async fn rows(conn: &mut PgConnection) -> Rows {
    let count = |(table, _)| {
        format!("select tableoid::regclass::text as part, count(*) from {table} group by 1")
    };
    let counts = spread("").map(count).collect::<Vec<_>>().join(" union all ");
    let rows: Vec<(String, i64)> = query_as(AssertSqlSafe(counts)).fetch_all(conn).await.unwrap();
    rows.into_iter().collect()
}

/// What a statement touches, planned for its values and for any; nothing of it stays.
async fn touched(
    conn: &mut PgConnection,
    before: &Rows,
    sql: &'static str,
    values: &str,
) -> Touched {
    let mut touched = Touched::new();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        postgres::run(conn, format!("set local plan_cache_mode = {mode}")).await;
        postgres::prepare(conn, sql).await;
        postgres::run(conn, "savepoint asked".to_owned()).await;
        let plan = postgres::explain(conn, "analyze, timing off, format json", values).await;
        postgres::each_node(&plan[0]["Plan"], &mut |node: &Value| {
            let is_read = node["Node Type"] != "ModifyTable"
                && node["Actual Loops"].as_f64().is_some_and(|loops| loops > 0.0);
            if is_read {
                touch(&mut touched, node["Relation Name"].as_str().unwrap_or_default());
            }
        });
        // Of an insertion the plan does not tell where its rows went.
        if sql.starts_with("insert") {
            for (part, count) in rows(conn).await {
                if before.get(&part).is_none_or(|&before| count > before) {
                    touch(&mut touched, &part);
                }
            }
        }
        postgres::run(conn, "rollback to savepoint asked".to_owned()).await;
        postgres::run(conn, "deallocate planned".to_owned()).await;
    }
    touched
}

/// A small city whose large tables are spread, and taken for large.
async fn city(tx: &mut Tx, member: &'static str) {
    for (table, key) in spread(member) {
        fill::run(tx, &PARTITION.replace("{table}", table).replace("{key}", key)).await;
    }
    fill::rows(tx, "1000").await;
    fill::run(tx, PEOPLE).await;
    fill::run(tx, BELIEVED).await;
}

/// Several shards of one table, for one key.
struct Several {
    file: &'static str,
    name: &'static str,
    table: &'static str,
    parts: usize,
}

async fn several(conn: &mut PgConnection) -> Vec<Several> {
    let (before, mut found) = (rows(conn).await, Vec::new());
    for &(file, name, values) in HOT {
        let touched = touched(conn, &before, text(file, name), values).await;
        assert!(!touched.is_empty(), "{file} {name} finds nothing; ask it for what there is");
        let parts = touched.into_iter().map(|(table, parts)| (table, parts.len()));
        let more = parts.filter(|(_, parts)| *parts > 1);
        found.extend(more.map(|(table, parts)| Several { file, name, table, parts }));
    }
    found
}

/// The check fires where no key is named, and stays quiet where one is.
async fn fires(conn: &mut PgConnection) {
    let before = rows(conn).await;
    for (sql, table, parts) in [
        ("select * from tube where event_id = 'VONE'", "tube", 4),
        ("update call set state = 'released' where tube_code = 'ONE'", "call", 4),
        (
            "insert into person select 'X' || n, '', '', 1 from generate_series(1, 99) n",
            "person",
            4,
        ),
        ("select * from tube where code = 'ONE'", "tube", 1),
        ("select c.run_id from call c where c.run_id = 'R1000120'", "call", 1),
    ] {
        let touched = touched(conn, &before, sql, "").await;
        assert_eq!(touched[table].len(), parts, "{sql}: {touched:?}");
    }
}

#[tokio::test]
async fn a_hot_statement_touches_one_shard_of_each_table_for_one_key() {
    let mut needed = BTreeSet::new();
    for &member in BOTH {
        let Some(app) = TestApp::start(Engine::Postgres).await else { return };
        let mut tx = app.app.db.write("test.shards").await.unwrap();
        city(&mut tx, member).await;
        let conn = postgres::conn(&mut tx);
        fires(conn).await;
        let found = several(conn).await;
        let is_known = |one: &&Several| {
            EXCEPTIONS.iter().any(|of| {
                (of.0, of.1, of.2) == (one.file, one.name, one.table) && of.3.contains(&member)
            })
        };
        let (known, told): (Vec<_>, Vec<_>) = found.iter().partition(is_known);
        let told: Vec<_> = told
            .into_iter()
            .map(|Several { file, name, table, parts }| {
                format!("{file} {name}: {parts} shards of {table}, with member by {member}")
            })
            .collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
        needed.extend(known.into_iter().map(|one| (one.file, one.name, one.table, member)));
    }
    for &(file, name, table, spreadings, reason) in EXCEPTIONS {
        for &member in spreadings {
            let is_needed = needed.contains(&(file, name, table, member));
            assert!(
                is_needed,
                "{file} {name}: one shard of {table}, with member by {member}; take it away ({reason})"
            );
        }
    }
}
