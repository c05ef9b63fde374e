//! The database itself refuses a row that names what is not there, and takes one whose parent is:
//! PostgreSQL by the statement, SQLite by the row.

use sqlx::{AssertSqlSafe, query_scalar, raw_sql};
use swabline::on;
use swabline::storage::StoreError;

use crate::app::TestApp;
use crate::each_engine;

/// A row in every table of the first step, but for `reading`, which shows the lists of `run_reading`
/// since step 22.
fn rows() -> String {
    let rows = include_str!("migrations/rows/0001_way_of_a_tube.sql");
    let (before, reading) = rows.split_once("insert into reading").expect("it has readings");
    let (_, after) = reading.split_once(';').expect("the statement ends");
    format!("{before}{after}")
}

/// Child and parent as `table.column`, and the child's row with `@` where it names the parent.
const CHILDREN: &[(&str, &str, &str)] = &[
    (
        "run_reading.run_id",
        "run.id",
        "insert into run_reading (run_id, list) values (@, '[]'), ('U1', '[]')",
    ),
    (
        "curve.run_id",
        "run.id",
        "insert into curve (run_id, well, target, dye, first_cycle, points)
            values (@, 7, 'N', 'VIC', 1, unhex('00000000')), ('U1', 8, 'N', 'VIC', 1, unhex('00000000'))",
    ),
    (
        "call.run_id",
        "run.id",
        "insert into call (run_id, tube_code, outcome, rule, disposition, members, attempt, clean,
            detail, state) values (@, 'T2', 'not_detected', '', 'report', 1, 0, 1, '', 'draft')",
    ),
    (
        "call.tube_code",
        "tube.code",
        "insert into call (run_id, tube_code, outcome, rule, disposition, members, attempt, clean,
            detail, state) values ('U1', @, 'not_detected', '', 'report', 1, 0, 1, '', 'draft')",
    ),
    (
        "call.pool_code",
        "pool.code",
        "insert into call (run_id, tube_code, outcome, rule, disposition, members, attempt, clean,
            detail, state, pool_code)
            values ('U1', 'T2', 'not_detected', '', 'report', 1, 0, 1, '', 'draft', @)",
    ),
    (
        "result.tube_code",
        "tube.code",
        "insert into result (id, tube_code, version, outcome, run_id, reviewed_by, released_by,
            released_us, signature_id, content_hash)
            values ('R2', @, 1, 'not_detected', 'U1', 'A4', 'A5', 1, 'G1', '')",
    ),
    (
        "result.run_id",
        "run.id",
        "insert into result (id, tube_code, version, outcome, run_id, reviewed_by, released_by,
            released_us, signature_id, content_hash)
            values ('R2', 'T2', 1, 'not_detected', @, 'A4', 'A5', 1, 'G1', '')",
    ),
    (
        "result.signature_id",
        "signature.id",
        "insert into result (id, tube_code, version, outcome, run_id, reviewed_by, released_by,
            released_us, signature_id, content_hash)
            values ('R2', 'T2', 1, 'not_detected', 'U1', 'A4', 'A5', 1, @, '')",
    ),
    (
        "well.plate_code",
        "plate.code",
        "insert into well (plate_code, well, reaction, tube_code, depth)
            values (@, 1, 'all', 'T2', 1), ('H1', 1, 'all', 'T3', 1)",
    ),
    (
        "well.pool_code",
        "pool.code",
        "insert into well (plate_code, well, reaction, pool_code, depth)
            values ('H1', 1, 'all', @, 1)",
    ),
    (
        "recall.origin_tube",
        "tube.code",
        "insert into recall (id, person_key, origin_tube, site_code, reason, opened_us, due_us,
            contact, note, state) values ('Q2', 'P1', @, 'S01', 'invalid', 1, 2, 'none', '', 'open')",
    ),
    (
        "arrival_tube.arrival_id",
        "arrival.id",
        "insert into arrival_tube (arrival_id, tube_code, finding) values (@, 'T2', 'accepted')",
    ),
    (
        "box_tube.box_code",
        "box.code",
        "insert into box_tube (tube_code, box_code) values ('T2', @), ('T3', 'B1')",
    ),
];

/// A second one of every parent, so that a row may name it.
const PARENTS: &str = "
    insert into tube (code, size, members, swab_count, round_code, site_code, session_code,
        event_id, device_id, device_seq, device_skew_us, sealed_us, recorded_us, recorded_by,
        content_tag, state, state_us)
        select 'T2', size, members, swab_count, round_code, site_code, session_code, 'E2',
            device_id, 2, 0, 1, 1, recorded_by, content_tag, 'sealed', 1 from tube;
    insert into run_file (sha256, name, content, kept_us) values ('sha2', '', unhex('00'), 1);
    insert into plate (code, laboratory_code, kit_code, kit_version, template, size, state,
        made_by, made_us) values ('H2', 'L01', 'orf1ab-n-ic', '1', 'explicit', 96, 'draft', 'A', 1);
    insert into run (id, plate_code, sha256, format, instrument, serial, run_ended, kit_code,
        kit_version, usable, verdict, warnings, imported_by, imported_us, state)
        values ('U2', 'H2', 'sha2', '', '', '', '', '', '', 1, '', '', 'A', 1, 'draft');
    insert into pool (code, laboratory_code, kit_code, kit_version, depth, state, state_us,
        made_by, made_us) values ('O2', 'L01', 'orf1ab-n-ic', '1', 2, 'open', 1, 'A', 1);
    insert into signature (id, about, meaning, account_id, signer, signed_us, content_hash)
        values ('G2', 'U1', 'review', 'A4', '', 1, '');
    insert into box (code, site_code, seal, tubes, content_tag, sealed_us, recorded_us,
        recorded_by, state, holder) values ('B2', 'S01', 'SEAL', 1, '', 1, 1, 'A1', 'sealed', 'A1');
    insert into arrival (id, box_code, laboratory_code, arrived_us, recorded_us, received_by,
        seal_intact, warnings) values ('V2', 'B2', 'L01', 1, 1, 'A2', 1, '[]');";

/// What the second one of a parent is called.
fn second(parent: &str) -> &'static str {
    match parent {
        "tube.code" => "'T2'",
        "run.id" => "'U2'",
        "pool.code" => "'O2'",
        "signature.id" => "'G2'",
        "plate.code" => "'H2'",
        "box.code" => "'B2'",
        "arrival.id" => "'V2'",
        other => panic!("{other} has no second row here"),
    }
}

async fn count(app: &TestApp, table: &str) -> i64 {
    let mut tx = app.app.db.read("test.orphan").await.unwrap();
    let sql = AssertSqlSafe(format!("select count(*) from {table}"));
    on!(tx, c => query_scalar(sql).fetch_one(c).await).unwrap()
}

async fn run(app: &TestApp, sql: String) -> Result<(), StoreError> {
    let mut tx = app.app.db.write("test.orphan").await?;
    let sql = AssertSqlSafe(sql);
    on!(tx, c => raw_sql(sql).execute(c).await.map(drop))?;
    // Rolled back: each row is tried on the same store.
    Ok(())
}

each_engine! {
    async fn a_row_that_names_what_is_not_there_is_refused_and_nothing_stays(app) {
        app.direct(&rows()).await;
        app.direct(PARENTS).await;
        for (child, parent, insert) in CHILDREN {
            let (table, _) = child.split_once('.').unwrap();
            let before = count(app, table).await;
            let refused = run(app, insert.replace('@', "'GONE'")).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{child}: {refused:?}");
            run(app, insert.replace('@', second(parent)))
                .await
                .unwrap_or_else(|error| panic!("{child} names a {parent} that is there: {error:?}"));
            assert_eq!(count(app, table).await, before, "{table}");
        }
    }

    async fn a_parent_is_never_taken_away_and_keeps_its_name(app) {
        app.direct(&rows()).await;
        for sql in [
            "delete from tube", "delete from run", "delete from plate", "delete from box",
            "delete from arrival", "delete from signature",
            "update tube set code = 'T9'", "update run set id = 'U9'",
            "update plate set code = 'H9'", "update box set code = 'B9'",
            "update arrival set id = 'V9'", "update signature set id = 'G9'",
        ] {
            let refused = run(app, sql.to_owned()).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{sql}: {refused:?}");
        }
    }
}
