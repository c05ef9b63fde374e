//! Walking the runs of a period, with their calls and curves.

use std::collections::{BTreeSet, HashMap};

use sqlx::{FromRow, query_as};

use super::store::Scope;
use super::{KeptCurve, RunEvidence, Scan, Sign};
use crate::clock::Time;
use crate::error::Result;
use crate::interpretation::Call;
use crate::interpretation::kept::KeptCall;
use crate::interpretation::store::recalled;
use crate::storage::{Tx, codes};

/// Runs whose calls are read by one statement.
const RUN_PAGE: i64 = 50;

/// `$1` laboratory (all when null), `$2` and `$3` bounds of import, `$4` and `$5` last row seen,
/// `$6` rows. Whether the file states its instrument is known of runs whose audit row says so.
pub const RUNS: &str = "select r.id, r.plate_code, p.laboratory_code, r.serial, r.run_ended,
        r.instrument, r.format, p.frozen_us, r.imported_us, r.state,
        (select count(*) from run_replacement x where x.replaces = r.id) as replaced,
        (select count(*) from audit a cross join jsonb_each('[' || a.detail || ']') e
            where a.about = r.plate_code and a.action = 'run.import'
                and e.value ->> 'run' = r.id and e.value ->> 'serial_from' = 'file') as stated
    from run r join plate p on p.code = r.plate_code
    where r.imported_us >= $2 and r.imported_us < $3 and (r.imported_us, r.id) > ($4, $5)
        and (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
    order by r.imported_us, r.id limit $6";
/// `$1` runs.
pub const CALLS: &str = "select c.run_id, c.tube_code, c.pool_code, c.outcome, c.rule,
        c.disposition, c.members, c.attempt, c.detail, r.kit_code, r.kit_version
    from call c join run r on r.id = c.run_id
    where c.run_id in (select e.value ->> 'code' from jsonb_each($1) e)
    order by c.run_id, c.tube_code";
/// `$1` runs.
pub const CURVES: &str =
    "select v.run_id, v.target, v.points from jsonb_each($1) e cross join curve v
    where v.run_id = e.value ->> 'code'";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("RUNS", RUNS), ("CALLS", CALLS), ("CURVES", CURVES)];

#[derive(FromRow)]
struct RunRow {
    id: String,
    plate_code: String,
    laboratory_code: String,
    serial: String,
    instrument: String,
    format: String,
    run_ended: String,
    frozen_us: Option<Time>,
    imported_us: Time,
    state: String,
    replaced: i64,
    stated: i64,
}

#[derive(FromRow)]
struct CallRow {
    run_id: String,
    #[sqlx(flatten)]
    call: KeptCall,
}

/// Walks the runs of the period, after those of an equally long period before it. A laboratory's
/// runs are compared with everybody's, so all are walked, whatever the scope.
pub(super) async fn walk(tx: &mut Tx, scope: &Scope) -> Result<(u64, Vec<Sign>)> {
    let before = scope.from - scope.until.since(scope.from);
    let (mut scan, mut looked_at) = (Scan::default(), 0);
    let mut last = (Time::from_us(i64::MIN), String::new());
    loop {
        let runs = page(tx, (before, scope.until), &last).await?;
        let Some(newest) = runs.last() else { break };
        last = (newest.imported, newest.run.clone());
        for run in &runs {
            let in_period = run.imported >= scope.from;
            let asked = scope.laboratory.as_ref();
            let is_ours = asked.is_none_or(|laboratory| *laboratory == run.laboratory);
            looked_at += u64::from(in_period && is_ours);
            scan.add(run, in_period);
        }
    }
    let ours = |sign: &Sign| scope.laboratory.is_none() || sign.laboratory == scope.laboratory;
    Ok((looked_at, scan.close().into_iter().filter(ours).collect()))
}

/// The next runs that came in from one moment until before another, behind the import and the id of
/// the last one seen.
pub async fn page(
    tx: &mut Tx,
    (from, until): (Time, Time),
    last: &(Time, String),
) -> Result<Vec<RunEvidence>> {
    let rows: Vec<RunRow> = on!(tx, c => query_as(RUNS).bind(None::<&str>)
        .bind(from).bind(until).bind(last.0).bind(&last.1).bind(RUN_PAGE)
        .fetch_all(c).await)?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut calls = calls_of(tx, &rows).await?;
    let mut curves = curves_of(tx, &rows).await?;
    let tubes: Vec<String> = calls.values().flatten().map(|call| call.tube.clone()).collect();
    let answers = recalled(tx, tubes).await?;
    let runs = rows.into_iter().map(|row| {
        let calls = calls.remove(&row.id).unwrap_or_default();
        let curves = curves.remove(&row.id).unwrap_or_default();
        evidence(row, (calls, curves), &answers)
    });
    Ok(runs.collect())
}

fn evidence(
    row: RunRow,
    (calls, curves): (Vec<Call>, Vec<KeptCurve>),
    answers: &BTreeSet<String>,
) -> RunEvidence {
    let tubes = calls.iter().map(|call| &call.tube);
    RunEvidence {
        recalled: tubes.filter(|tube| answers.contains(*tube)).cloned().collect(),
        run: row.id,
        plate: row.plate_code,
        laboratory: row.laboratory_code,
        instrument: if row.instrument.is_empty() { row.format } else { row.instrument },
        serial: row.serial,
        is_serial_stated: row.stated > 0,
        ended: row.run_ended,
        frozen: row.frozen_us,
        imported: row.imported_us,
        is_void: row.state == "void",
        is_replaced: row.replaced > 0,
        calls,
        curves,
    }
}

async fn calls_of(tx: &mut Tx, runs: &[RunRow]) -> Result<HashMap<String, Vec<Call>>> {
    let list = codes(runs.iter().map(|run| &run.id));
    let rows: Vec<CallRow> = on!(tx, c => query_as(CALLS).bind(&list).fetch_all(c).await)?;
    let mut calls = HashMap::new();
    for CallRow { run_id, call } in rows {
        calls.entry(run_id).or_insert_with(Vec::new).push(call.call()?);
    }
    Ok(calls)
}

async fn curves_of(tx: &mut Tx, runs: &[RunRow]) -> Result<HashMap<String, Vec<KeptCurve>>> {
    let list = codes(runs.iter().map(|run| &run.id));
    let rows: Vec<(String, String, Vec<u8>)> =
        on!(tx, c => query_as(CURVES).bind(&list).fetch_all(c).await)?;
    let mut curves: HashMap<String, Vec<KeptCurve>> = HashMap::new();
    for (run, target, points) in rows {
        curves.entry(run).or_default().push(KeptCurve { target, points });
    }
    Ok(curves)
}
