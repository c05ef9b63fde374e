//! The plates on the way of a tube: where it stood on them, and what became of them.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query_as};
use utoipa::ToSchema;

use crate::clock::Time;
use crate::error::Result;
use crate::plate::{PlateSize, StampOrder, WellPosition};
use crate::storage::{StoreError, Tx, codes};

/// Tube.
pub const TUBE_WELLS: &str =
    "select w.plate_code, p.state as plate_state, p.size, w.well, w.reaction,
        w.pool_code, w.depth, p.laboratory_code, p.kit_code, p.kit_version, p.frozen_us, p.made_us
    from well w cross join plate p
    where w.tube_code = $1 and p.code = w.plate_code
    union all
    select w.plate_code, p.state as plate_state, p.size, w.well, w.reaction,
        w.pool_code, w.depth, p.laboratory_code, p.kit_code, p.kit_version, p.frozen_us, p.made_us
    from pool_tube k cross join well w cross join plate p
    where k.tube_code = $1 and w.pool_code = k.pool_code and p.code = w.plate_code
    order by made_us, plate_code, well";
/// `$1` plate: the frozen one it was stamped onto.
pub const WAY_STAMP: &str = "select s.plate_code, s.quadrant, s.scheme, p.frozen_us
    from stamp s join plate p on p.code = s.plate_code
    where s.source_plate = $1 and p.state <> 'draft'";
/// `$1` plate.
pub const WAY_DISCARD: &str =
    "select reason, discarded_us from plate_discard where plate_code = $1";
/// `$1` plates: their robots' logs.
pub const WAY_LOGS: &str = "select l.plate_code, l.number, l.format, l.differences, l.read_us,
        a.accepted_us
    from jsonb_each($1) e join transfer_log l on l.plate_code = e.value ->> 'code'
        left join transfer_acceptance a on a.log_id = l.id
    order by l.plate_code, l.number";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("TUBE_WELLS", TUBE_WELLS),
    ("WAY_STAMP", WAY_STAMP),
    ("WAY_DISCARD", WAY_DISCARD),
    ("WAY_LOGS", WAY_LOGS),
];

/// One well it stood in, alone or in a pool.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WayWell {
    /// The plate.
    #[serde(rename = "plate")]
    pub plate_code: String,
    /// `draft`, `frozen` or `closed`.
    pub plate_state: String,
    /// The well: `A1`.
    pub well: String,
    /// The reaction in it.
    pub reaction: String,
    /// The pool it was in there.
    #[serde(rename = "pool")]
    pub pool_code: Option<String>,
    /// People in the well.
    pub depth: i64,
    /// The laboratory of the plate.
    #[serde(rename = "laboratory")]
    pub laboratory_code: String,
    /// The kit.
    #[serde(rename = "kit")]
    pub kit_code: String,
    /// Its version.
    pub kit_version: String,
    /// When the layout was frozen.
    #[serde(rename = "frozen_at")]
    pub frozen: Option<Time>,
}

/// What became of a plate it stood on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WayPlate {
    /// The plate.
    pub plate: String,
    /// The plate of 384 it was stamped onto.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamped: Option<WayStamp>,
    /// How it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discarded: Option<WayDiscard>,
    /// What robots told of it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfers: Vec<WayLog>,
}

/// Where a plate was stamped.
#[derive(Clone, Debug, Serialize, Deserialize, FromRow, ToSchema)]
pub struct WayStamp {
    /// The plate of 384.
    #[serde(rename = "onto")]
    pub plate_code: String,
    /// The quadrant, from 1, in that order.
    pub quadrant: i64,
    /// `z` row by row, or `n` column by column.
    #[serde(rename = "order")]
    pub scheme: StampOrder,
    /// When the plate of 384 was frozen.
    #[serde(rename = "at")]
    #[sqlx(rename = "frozen_us")]
    pub frozen: Option<Time>,
}

/// How a plate was given up.
#[derive(Clone, Debug, Serialize, Deserialize, FromRow, ToSchema)]
pub struct WayDiscard {
    /// Why.
    pub reason: String,
    /// When.
    #[serde(rename = "at")]
    #[sqlx(rename = "discarded_us")]
    pub discarded: Time,
}

/// What a robot told of a plate.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WayLog {
    /// Which log of the plate, from 1.
    pub number: i64,
    /// Format of the file.
    pub format: String,
    /// Where all logs of the plate up to this one differed from the plan, by count.
    pub differences: usize,
    /// When it came in.
    pub read_at: Time,
    /// When a second person explained the differences.
    pub accepted_at: Option<Time>,
}

#[derive(FromRow)]
struct WellRow {
    plate_code: String,
    plate_state: String,
    size: i64,
    well: i64,
    reaction: String,
    pool_code: Option<String>,
    depth: i64,
    laboratory_code: String,
    kit_code: String,
    kit_version: String,
    #[sqlx(rename = "frozen_us")]
    frozen: Option<Time>,
}

#[derive(FromRow)]
struct LogRow {
    plate_code: String,
    number: i64,
    format: String,
    differences: String,
    read_us: Time,
    accepted_us: Option<Time>,
}

/// The wells a tube stood in, and what became of their plates.
pub(super) async fn of(tx: &mut Tx, tube: &str) -> Result<(Vec<WayWell>, Vec<WayPlate>)> {
    let rows: Vec<WellRow> = on!(tx, c => query_as(TUBE_WELLS).bind(tube).fetch_all(c).await)?;
    let wells = rows.into_iter().map(well).collect::<Result<Vec<_>>>()?;
    let mut names: Vec<&str> = Vec::new();
    for well in &wells {
        if !names.contains(&well.plate_code.as_str()) {
            names.push(&well.plate_code);
        }
    }
    let plates = plates(tx, &names).await?;
    Ok((wells, plates))
}

fn well(row: WellRow) -> Result<WayWell> {
    let size = u16::try_from(row.size).ok().and_then(PlateSize::from_wells);
    let index = u16::try_from(row.well).ok();
    let name = index.zip(size).and_then(|(index, size)| WellPosition::from_index(index, size));
    let name = name.ok_or_else(|| StoreError::Inconsistent {
        table: "well",
        id: row.plate_code.clone(),
        reason: format!("well {} is not on its plate", row.well),
    })?;
    Ok(WayWell {
        plate_code: row.plate_code,
        plate_state: row.plate_state,
        well: name.to_string(),
        reaction: row.reaction,
        pool_code: row.pool_code,
        depth: row.depth,
        laboratory_code: row.laboratory_code,
        kit_code: row.kit_code,
        kit_version: row.kit_version,
        frozen: row.frozen,
    })
}

/// What became of these plates; none of which nothing is told.
async fn plates(tx: &mut Tx, names: &[&str]) -> Result<Vec<WayPlate>> {
    let list = codes(names);
    let logs: Vec<LogRow> = on!(tx, c => query_as(WAY_LOGS).bind(&list).fetch_all(c).await)?;
    let mut plates = Vec::new();
    for name in names {
        let stamped: Option<WayStamp> =
            on!(tx, c => query_as(WAY_STAMP).bind(*name).fetch_optional(c).await)?;
        let discarded: Option<WayDiscard> =
            on!(tx, c => query_as(WAY_DISCARD).bind(*name).fetch_optional(c).await)?;
        let own = logs.iter().filter(|log| log.plate_code == *name);
        let transfers = own.map(log).collect::<Result<Vec<_>>>()?;
        if stamped.is_some() || discarded.is_some() || !transfers.is_empty() {
            plates.push(WayPlate { plate: (*name).to_owned(), stamped, discarded, transfers });
        }
    }
    Ok(plates)
}

fn log(row: &LogRow) -> Result<WayLog> {
    let differences: Vec<IgnoredAny> = serde_json::from_str(&row.differences).map_err(|error| {
        let (table, id) = ("transfer_log", row.plate_code.clone());
        StoreError::Inconsistent { table, id, reason: error.to_string() }
    })?;
    Ok(WayLog {
        number: row.number,
        format: row.format.clone(),
        differences: differences.len(),
        read_at: row.read_us,
        accepted_at: row.accepted_us,
    })
}
