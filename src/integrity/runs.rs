//! Walking the runs of a period, with their calls and curves.

use std::collections::HashMap;

use sqlx::{FromRow, query_as};

use super::store::{Scope, read};
use super::{KeptCurve, RunEvidence, Scan, Sign};
use crate::clock::Time;
use crate::error::Result;
use crate::interpretation::Call;
use crate::storage::{Tx, codes};

/// Runs whose calls are read by one statement.
const RUN_PAGE: i64 = 50;

/// `$1` laboratory (all when null), `$2` and `$3` bounds of import, `$4` and `$5` last row seen,
/// `$6` rows.
pub const RUNS: &str = "select r.id, r.plate_code, p.laboratory_code, r.serial, r.run_ended,
        r.instrument, r.format, p.frozen_us, r.imported_us, r.state,
        (select count(*) from run_replacement x where x.replaces = r.id) as replaced
    from run r join plate p on p.code = r.plate_code
    where r.imported_us >= $2 and r.imported_us < $3 and (r.imported_us, r.id) > ($4, $5)
        and (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
    order by r.imported_us, r.id limit $6";
/// `$1` runs.
pub const CALLS: &str = "select c.run_id, c.detail from call c
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
}

/// Walks the runs of the period, after those of an equally long period before it. A laboratory's
/// runs are compared with everybody's, so all are walked, whatever the scope.
pub(super) async fn walk(tx: &mut Tx, scope: &Scope) -> Result<(u64, Vec<Sign>)> {
    let before = scope.from - scope.until.since(scope.from);
    let (mut scan, mut looked_at) = (Scan::default(), 0);
    let mut last = (Time::from_us(i64::MIN), String::new());
    loop {
        let rows: Vec<RunRow> = on!(tx, c => query_as(RUNS).bind(None::<&str>)
            .bind(before).bind(scope.until).bind(last.0).bind(&last.1).bind(RUN_PAGE)
            .fetch_all(c).await)?;
        let Some(newest) = rows.last() else { break };
        last = (newest.imported_us, newest.id.clone());
        let mut calls = calls_of(tx, &rows).await?;
        let mut curves = curves_of(tx, &rows).await?;
        for row in rows {
            let in_period = row.imported_us >= scope.from;
            let asked = scope.laboratory.as_ref();
            let is_ours = asked.is_none_or(|laboratory| *laboratory == row.laboratory_code);
            looked_at += u64::from(in_period && is_ours);
            let of_run = std::mem::take(calls.entry(row.id.clone()).or_default());
            let curves = curves.remove(&row.id).unwrap_or_default();
            scan.add(&evidence(row, (of_run, curves)), in_period);
        }
    }
    let ours = |sign: &Sign| scope.laboratory.is_none() || sign.laboratory == scope.laboratory;
    Ok((looked_at, scan.close().into_iter().filter(ours).collect()))
}

fn evidence(row: RunRow, (calls, curves): (Vec<Call>, Vec<KeptCurve>)) -> RunEvidence {
    RunEvidence {
        run: row.id,
        plate: row.plate_code,
        laboratory: row.laboratory_code,
        instrument: if row.instrument.is_empty() { row.format } else { row.instrument },
        serial: row.serial,
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
    let rows: Vec<(String, String)> = on!(tx, c => query_as(CALLS).bind(&list).fetch_all(c).await)?;
    let mut calls = HashMap::new();
    for (run, detail) in rows {
        let call = read(&run, &detail)?;
        calls.entry(run).or_insert_with(Vec::new).push(call);
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
