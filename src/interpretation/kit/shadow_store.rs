//! Stored runs read back for a shadow run, and shadow runs as they are kept.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{FromRow, query, query_as, query_scalar};

use super::shadow::{Difference, PastRun};
use crate::barcode::PlateCode;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::instrument::store::readings_find;
use crate::interpretation::TubeFacts;
use crate::interpretation::store::{RunHead, calls_find, earlier_tests, run_find};
use crate::plate::store::plate_get;
use crate::storage::{StoreError, Tx, ensure_rows, json};

/// `$1` kit, `$2` laboratory, `$3` how many: the last runs that are not void.
pub const RUNS_LAST: &str = "select r.id from run r join plate p on p.code = r.plate_code
    where r.kit_code = $1 and r.state <> 'void'
        and (cast($2 as text) is null or p.laboratory_code = $2)
    order by r.imported_us desc, r.id desc limit $3";
/// Id, kit, version, runs, calls, changed calls, changed verdicts, who, when.
pub const SHADOW_ADD: &str = "insert into shadow (id, kit_code, kit_version, runs, calls,
        changed_calls, changed_verdicts, ran_by, ran_us)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
/// `$1` shadow run, `$2` runs with their differences.
pub const SHADOW_RUNS_ADD: &str = "insert into shadow_run (shadow_id, run_id, difference)
    select $1, e.value ->> 'run', e.value ->> 'difference' from jsonb_each($2) e";
/// `$1` kit, `$2` version: the last one.
pub const SHADOW_LAST: &str = "select s.id, s.runs, s.calls, s.changed_calls, s.changed_verdicts,
        s.ran_by, s.ran_us
    from shadow s where s.kit_code = $1 and s.kit_version = $2
    order by s.ran_us desc, s.id desc limit 1";
/// `$1` shadow run, `$2` laboratory: its runs as somebody of that laboratory may see them.
pub const DIFFERENCES: &str = "select d.difference from shadow_run d join run r on r.id = d.run_id
        join plate p on p.code = r.plate_code
    where d.shadow_id = $1 and (cast($2 as text) is null or p.laboratory_code = $2)
    order by d.run_id";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("RUNS_LAST", RUNS_LAST),
    ("SHADOW_ADD", SHADOW_ADD),
    ("SHADOW_RUNS_ADD", SHADOW_RUNS_ADD),
    ("SHADOW_LAST", SHADOW_LAST),
    ("DIFFERENCES", DIFFERENCES),
];

/// A shadow run without what it changed.
#[derive(Debug, Clone, FromRow)]
pub struct StoredShadow {
    /// Its id.
    pub id: String,
    /// Stored runs it read.
    pub runs: i64,
    /// Calls they have.
    pub calls: i64,
    /// Calls that would have been others.
    pub changed_calls: i64,
    /// Plates that would have been judged otherwise.
    pub changed_verdicts: i64,
    /// Who ran it.
    pub ran_by: String,
    /// When.
    #[sqlx(rename = "ran_us")]
    pub ran: Time,
}

#[derive(Serialize)]
struct NewDifference<'a> {
    run: &'a str,
    difference: String,
}

/// The last runs of a kit that are not void, in one laboratory or in all, newest first.
pub async fn runs_last(
    tx: &mut Tx,
    kit: &str,
    laboratory: Option<&str>,
    last: u32,
) -> Result<Vec<String>> {
    Ok(on!(tx, c => query_scalar(RUNS_LAST).bind(kit).bind(laboratory).bind(i64::from(last))
        .fetch_all(c).await)?)
}

/// A stored run as it was called, with the laboratory its plate stands in.
pub async fn past_run(tx: &mut Tx, id: &str) -> Result<(PastRun, String)> {
    let RunHead { run: row, verdict, .. } = run_find(tx, id).await?;
    let calls = calls_find(tx, id).await?;
    let inconsistent = |reason: String| {
        Error::Store(StoreError::Inconsistent { table: "run_reading", id: id.to_owned(), reason })
    };
    let plate = PlateCode::parse(&row.plate_code)
        .map_err(|error| inconsistent(format!("its plate: {error}")))?;
    let layout = plate_get(tx, &plate).await?.made.layout;
    let readings = readings_find(tx, id, layout.size()).await?;
    let mut tubes: BTreeMap<_, _> = calls
        .iter()
        .map(|call| {
            let facts =
                TubeFacts { attempt: call.attempt, ..TubeFacts::first_test(call.pool_size) };
            (call.tube.clone(), facts)
        })
        .collect();
    earlier_tests(tx, &mut tubes, (row.imported, id)).await?;
    let past = PastRun {
        id: row.id,
        plate: row.plate_code,
        kit: (row.kit_code, row.kit_version),
        layout,
        readings,
        tubes,
        calls,
        verdict,
        is_void: row.state == "void",
    };
    Ok((past, row.laboratory_code))
}

/// Keeps a shadow run of this version.
pub async fn shadow_add(
    tx: &mut Tx,
    (id, code, version): (&str, &str, &str),
    differences: &[Difference],
    (account, at): (&str, Time),
) -> Result<()> {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let calls = differences.iter().map(|difference| difference.calls).sum();
    let changed = differences.iter().map(|difference| difference.changed.len()).sum();
    let verdicts = differences.iter().filter(|difference| difference.verdict.is_some()).count();
    on!(tx, c => query(SHADOW_ADD).bind(id).bind(code).bind(version)
        .bind(count(differences.len())).bind(count(calls)).bind(count(changed))
        .bind(count(verdicts)).bind(account).bind(at).execute(c).await.map(drop))?;
    let rows: Vec<_> = differences
        .iter()
        .map(|difference| NewDifference {
            run: &difference.run,
            difference: serde_json::to_string(difference)
                .expect("a difference has only named fields"),
        })
        .collect();
    let list = json(&rows);
    let written = on!(tx, c => query(SHADOW_RUNS_ADD).bind(id).bind(&list)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("SHADOW_RUNS_ADD", rows.len() as u64, written)?)
}

/// The last shadow run of a version.
pub async fn shadow_last(tx: &mut Tx, code: &str, version: &str) -> Result<Option<StoredShadow>> {
    Ok(on!(tx, c => query_as(SHADOW_LAST).bind(code).bind(version).fetch_optional(c).await)?)
}

/// What it changed, as somebody of that laboratory may see it.
pub async fn differences(
    tx: &mut Tx,
    shadow: &str,
    laboratory: Option<&str>,
) -> Result<Vec<Difference>> {
    let rows: Vec<String> = on!(tx, c => query_scalar(DIFFERENCES).bind(shadow).bind(laboratory)
        .fetch_all(c).await)?;
    rows.iter().map(|text| read(shadow, text)).collect()
}

/// A difference as it is kept.
pub(super) fn read(shadow: &str, text: &str) -> Result<Difference> {
    serde_json::from_str(text).map_err(|error| {
        let (id, reason) = (shadow.to_owned(), error.to_string());
        Error::Store(StoreError::Inconsistent { table: "shadow_run", id, reason })
    })
}
