//! Arrivals and what they found.

use serde::Serialize;
use sqlx::{FromRow, query, query_as, query_scalar};

use super::{Finding, Found, Refusal};
use crate::barcode::{BoxCode, TubeCode};
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::storage::{StoreError, Tx, codes, ensure_rows, json};
use crate::transport::Celsius;

/// Id, box, laboratory, arrived, recorded, account, temperature, seal, warnings.
pub const ARRIVAL_ADD: &str = "insert into arrival (id, box_code, laboratory_code, arrived_us,
        recorded_us, received_by, temperature_cdeg, seal_intact, warnings)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
/// `$1` arrival, `$2` findings. 200 rows cost PostgreSQL 2.0 ms of processor time as JSON, 1.7 as a
/// list for each column and 1.4 by `COPY`; 20 rows 0.4 by any.
pub const ARRIVAL_TUBES_ADD: &str = "insert into arrival_tube (arrival_id, tube_code, finding,
        reason, swab_count)
    select $1, e.value ->> 'tube', e.value ->> 'finding', e.value ->> 'reason',
        cast(e.value ->> 'swab_count' as bigint) from jsonb_each($2) e";
/// `$1` arrival.
pub const ARRIVAL_FIND: &str = "select a.id, a.box_code, b.site_code, a.laboratory_code,
        a.arrived_us, a.temperature_cdeg, a.seal_intact, a.warnings
    from arrival a join box b on b.code = a.box_code where a.id = $1";
/// `$1` arrival.
pub const ARRIVAL_TUBES: &str = "select tube_code, finding, reason from arrival_tube
    where arrival_id = $1 order by tube_code";
/// `$1` box, `$2` tubes; the newest arrival of the box or of any of the tubes.
pub const ARRIVAL_NEWEST: &str = "select max(n.recorded_us) from (
        select a.recorded_us from arrival a where a.box_code = $1
        union all
        select a.recorded_us from jsonb_each($2) e
            join arrival_tube f on f.tube_code = e.value ->> 'code'
            join arrival a on a.id = f.arrival_id) n";
/// `$1` laboratory.
pub const LABORATORY_COUNT: &str = "select count(*) from laboratory where code = $1";

/// An arrival without its tubes.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its id.
    pub id: String,
    /// The box.
    pub box_code: BoxCode,
    /// The site that sealed it.
    pub site: String,
    /// The laboratory that took it in.
    pub laboratory: String,
    /// When.
    pub arrived: Time,
    /// What the box's thermometer showed.
    pub temperature: Option<Celsius>,
    /// Whether its seal was whole.
    pub seal_intact: bool,
    /// What somebody should look into.
    pub warnings: Vec<Reason>,
}

#[derive(FromRow)]
struct ArrivalRow {
    id: String,
    box_code: BoxCode,
    site_code: String,
    laboratory_code: String,
    arrived_us: Time,
    temperature_cdeg: Option<Celsius>,
    seal_intact: i64,
    warnings: String,
}

impl ArrivalRow {
    fn into_arrival(self) -> Result<Arrival> {
        let warnings = serde_json::from_str(&self.warnings).map_err(|error| {
            let reason = format!("its warnings cannot be read: {error}");
            StoreError::Inconsistent { table: "arrival", id: self.id.clone(), reason }
        })?;
        Ok(Arrival {
            id: self.id,
            box_code: self.box_code,
            site: self.site_code,
            laboratory: self.laboratory_code,
            arrived: self.arrived_us,
            temperature: self.temperature_cdeg,
            seal_intact: self.seal_intact == 1,
            warnings,
        })
    }
}

/// What an arrival found about one tube.
#[derive(Debug, Clone, FromRow)]
pub struct ArrivalTube {
    /// Its code.
    pub tube_code: String,
    /// What was found.
    pub finding: Finding,
    /// Why, when it is refused.
    pub reason: Option<Refusal>,
}

/// Whether this laboratory is registered.
pub async fn laboratory_exists(tx: &mut Tx, code: &str) -> Result<bool> {
    let found: (i64,) = on!(tx, c => query_as(LABORATORY_COUNT).bind(code).fetch_one(c).await)?;
    Ok(found.0 == 1)
}

/// Of a laboratory that nobody registered nothing is told by a clean record.
pub async fn refuse_unknown_laboratory(tx: &mut Tx, laboratory: Option<&str>) -> Result<()> {
    let Some(code) = laboratory else { return Ok(()) };
    Error::refuse_nul("laboratory", code)?;
    let is_known = laboratory_exists(tx, code).await?;
    if is_known { Ok(()) } else { Err(Error::not_found("laboratory", code)) }
}

/// When the newest arrival of this box, or of any of these tubes, was recorded.
pub async fn arrival_newest<'a>(
    tx: &mut Tx,
    code: &BoxCode,
    tubes: impl IntoIterator<Item = &'a TubeCode>,
) -> Result<Option<Time>> {
    let tubes = codes(tubes);
    Ok(on!(tx, c => query_scalar(ARRIVAL_NEWEST).bind(code).bind(&tubes).fetch_one(c).await)?)
}

/// Stores an arrival; its tubes follow with [`arrival_tubes_add`].
pub async fn arrival_add(tx: &mut Tx, arrival: &Arrival, by: &str, at: Time) -> Result<()> {
    let warnings = json(&arrival.warnings);
    on!(tx, c => query(ARRIVAL_ADD).bind(&arrival.id).bind(&arrival.box_code)
        .bind(&arrival.laboratory).bind(arrival.arrived).bind(at).bind(by)
        .bind(arrival.temperature).bind(i64::from(arrival.seal_intact)).bind(&warnings)
        .execute(c).await.map(drop))?;
    Ok(())
}

/// Stores what an arrival found, one row for each tube.
pub async fn arrival_tubes_add(tx: &mut Tx, arrival: &str, found: &[Found]) -> Result<()> {
    #[derive(Serialize)]
    struct Row<'a> {
        tube: &'a str,
        finding: Finding,
        reason: Option<Refusal>,
        swab_count: Option<i64>,
    }
    let rows: Vec<_> = found
        .iter()
        .map(|one| Row {
            tube: one.tube.as_str(),
            finding: one.finding,
            reason: one.refusal,
            swab_count: one.swab_count,
        })
        .collect();
    let (rows, expected) = (json(&rows), rows.len() as u64);
    let added = on!(tx, c => query(ARRIVAL_TUBES_ADD).bind(arrival).bind(&rows)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("ARRIVAL_TUBES_ADD", expected, added)?)
}

/// The arrival with this id and what it found.
pub async fn arrival_find(tx: &mut Tx, id: &str) -> Result<Option<(Arrival, Vec<ArrivalTube>)>> {
    let row: Option<ArrivalRow> =
        on!(tx, c => query_as(ARRIVAL_FIND).bind(id).fetch_optional(c).await)?;
    let Some(row) = row else { return Ok(None) };
    let tubes = on!(tx, c => query_as(ARRIVAL_TUBES).bind(id).fetch_all(c).await)?;
    Ok(Some((row.into_arrival()?, tubes)))
}

/// Every statement of this file, so that a test can prepare each on both engines.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("ARRIVAL_ADD", ARRIVAL_ADD),
    ("ARRIVAL_TUBES_ADD", ARRIVAL_TUBES_ADD),
    ("ARRIVAL_FIND", ARRIVAL_FIND),
    ("ARRIVAL_TUBES", ARRIVAL_TUBES),
    ("ARRIVAL_NEWEST", ARRIVAL_NEWEST),
    ("LABORATORY_COUNT", LABORATORY_COUNT),
];
