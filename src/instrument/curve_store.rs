//! Curves beside the readings of their run.

use data_encoding::HEXLOWER;
use sqlx::{FromRow, query, query_as, query_scalar};

use super::Curve;
use crate::error::Result;
use crate::plate::{PlateSize, WellPosition};
use crate::storage::{StoreError, Tx, ensure_rows, json};

/// `$1` run, `$2` curves, a tuple for each: well, target, dye, first cycle, points. 1,152 of them take
/// PostgreSQL 19 ms as structs, 16 as tuples, 9 as a list for each column and 6 by `COPY`
/// (`benches/statements.rs`): not worth a second text for what few files have.
pub const CURVES_ADD: &str = "insert into curve (run_id, well, target, dye, first_cycle, points)
    select $1, cast(e.value ->> 0 as bigint), e.value ->> 1, e.value ->> 2,
        cast(e.value ->> 3 as bigint), unhex(e.value ->> 4)
    from jsonb_each($2) e";
/// `$1` run, `$2` the first well, `$3` the last.
pub const CURVES_FIND: &str = "select well, target, dye, first_cycle, points from curve
    where run_id = $1 and well between $2 and $3 order by well, target, dye";
/// `$1` run.
pub const CURVES_COUNT: &str = "select count(*) from curve where run_id = $1";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] =
    &[("CURVES_ADD", CURVES_ADD), ("CURVES_FIND", CURVES_FIND), ("CURVES_COUNT", CURVES_COUNT)];

#[derive(FromRow)]
struct CurveRow {
    well: i64,
    target: String,
    dye: String,
    first_cycle: i64,
    points: Vec<u8>,
}

/// Writes the curves of a run; every well must be on a plate of that size.
pub async fn curves_add(tx: &mut Tx, run: &str, curves: &[Curve], size: PlateSize) -> Result<()> {
    if curves.is_empty() {
        return Ok(());
    }
    let mut packed = Vec::new();
    let rows: Vec<_> = curves
        .iter()
        .map(|curve| {
            packed.clear();
            let first_cycle = curve.pack(&mut packed);
            let (well, points) = (curve.well.index(size), HEXLOWER.encode(&packed));
            (well, &curve.target, &curve.dye, first_cycle, points)
        })
        .collect();
    let list = json(&rows);
    let written = on!(tx, c => query(CURVES_ADD).bind(run).bind(&list)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("CURVES_ADD", rows.len() as u64, written)?)
}

/// How many curves a run has.
pub async fn curves_count(tx: &mut Tx, run: &str) -> Result<u64> {
    let count: i64 = on!(tx, c => query_scalar(CURVES_COUNT).bind(run).fetch_one(c).await)?;
    Ok(count.unsigned_abs())
}

/// The curves of a run in the wells with these indexes, the last one included, row by row of the
/// plate.
pub async fn curves_find(
    tx: &mut Tx,
    run: &str,
    size: PlateSize,
    (first, last): (u16, u16),
) -> Result<Vec<Curve>> {
    let rows: Vec<CurveRow> = on!(tx, c => query_as(CURVES_FIND).bind(run)
        .bind(i64::from(first)).bind(i64::from(last)).fetch_all(c).await)?;
    let read = |row: CurveRow| {
        let well = u16::try_from(row.well).ok();
        let well = well.and_then(|well| WellPosition::from_index(well, size))?;
        let points = Curve::unpack(u16::try_from(row.first_cycle).ok()?, &row.points)?;
        Some(Curve { well, target: row.target, dye: row.dye, points })
    };
    let curves: Option<Vec<_>> = rows.into_iter().map(read).collect();
    let inconsistent = || StoreError::Inconsistent {
        table: "curve",
        id: run.to_owned(),
        reason: "its points make no curve".to_owned(),
    };
    Ok(curves.ok_or_else(inconsistent)?)
}
