//! Plates and their wells.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sqlx::{FromRow, query, query_as, query_scalar};

use super::discard::{self, Discarded};
use super::robot::Planned;
use super::{Content, Control, Layout, PlateSize, Source, Stamp, StampOrder, WellPosition};
use crate::barcode::PlateCode;
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::pooling::store::pools_find;
use crate::storage::{StoreError, Tx, ensure_rows, json};

/// `$1` plate.
pub const PLATE_FIND: &str = "select code, laboratory_code, kit_code, kit_version, template, size,
        state, made_by, made_us, frozen_us, lot, volume_nl, tolerance from plate where code = $1";
/// `$1` plate.
pub const WELLS: &str = "select well, reaction, tube_code, pool_code, depth, control from well
    where plate_code = $1 order by well";
/// Code, laboratory, kit, version, template, size, who, when, lot, volume, tolerance.
pub const PLATE_ADD: &str = "insert into plate (code, laboratory_code, kit_code, kit_version,
        template, size, state, made_by, made_us, lot, volume_nl, tolerance)
    values ($1, $2, $3, $4, $5, $6, 'draft', $7, $8, $9, $10, $11) on conflict do nothing";
/// Code, laboratory, kit, version, template, size, lot, volume, tolerance; only while it is a draft.
pub const PLATE_REDO: &str = "update plate set laboratory_code = $2, kit_code = $3,
        kit_version = $4, template = $5, size = $6, lot = $7, volume_nl = $8, tolerance = $9
    where code = $1 and state = 'draft'";
/// `$1` plate.
pub const WELLS_CLEAR: &str = "delete from well where plate_code = $1";
/// `$1` plate, `$2` wells, a tuple for each: well, reaction, tube, pool, depth, control. 384 rows take
/// PostgreSQL 5.4 ms as structs, 3.8 as tuples and 3.5 as a list for each column
/// (`benches/statements.rs`).
pub const WELLS_ADD: &str =
    "insert into well (plate_code, well, reaction, tube_code, pool_code, depth, control)
    select $1, cast(e.value ->> 0 as bigint), e.value ->> 1, e.value ->> 2, e.value ->> 3,
        cast(e.value ->> 4 as bigint), e.value ->> 5
    from jsonb_each($2) e";
/// `$1` plate; changes nothing and keeps everybody else from changing it.
pub const PLATE_LOCK: &str = "update plate set template = template where code = $1";
/// `$1` plate, `$2` time.
pub const PLATE_FREEZE: &str = "update plate set state = 'frozen', frozen_us = $2
    where code = $1 and state = 'draft'";
/// `$1` plate.
pub const STAMP_FIND: &str = "select quadrant, source_plate, scheme from stamp
    where plate_code = $1 order by quadrant";
/// `$1` plate: the frozen one it was stamped onto.
pub const STAMPED_ONTO: &str = "select s.plate_code from stamp s
        join plate p on p.code = s.plate_code
    where s.source_plate = $1 and p.state <> 'draft'";
/// `$1` plate.
pub const STAMP_CLEAR: &str = "delete from stamp where plate_code = $1";
/// `$1` plate, `$2` order, `$3` quadrants.
pub const STAMP_ADD: &str = "insert into stamp (plate_code, quadrant, source_plate, scheme)
    select $1, cast(e.value ->> 'quadrant' as bigint), e.value ->> 'source', cast($2 as text)
    from jsonb_each($3) e";
/// `$1` plate.
pub const SOURCE_FIND: &str = "select p.code, p.laboratory_code, p.kit_code, p.kit_version, p.size,
        p.state,
        (select r.id from run r where r.plate_code = p.code and r.state <> 'void') as run,
        (select s.plate_code from stamp s join plate o on o.code = s.plate_code
            where s.source_plate = p.code and o.state <> 'draft') as stamped_onto
    from plate p where p.code = $1";
/// `$1` plate that was stamped onto another.
pub const SOURCE_CLOSE: &str = "update plate set state = 'closed' where code = $1
    and state = 'frozen'";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("PLATE_FIND", PLATE_FIND),
    ("WELLS", WELLS),
    ("PLATE_ADD", PLATE_ADD),
    ("PLATE_REDO", PLATE_REDO),
    ("WELLS_CLEAR", WELLS_CLEAR),
    ("WELLS_ADD", WELLS_ADD),
    ("PLATE_LOCK", PLATE_LOCK),
    ("PLATE_FREEZE", PLATE_FREEZE),
    ("STAMP_FIND", STAMP_FIND),
    ("STAMPED_ONTO", STAMPED_ONTO),
    ("STAMP_CLEAR", STAMP_CLEAR),
    ("STAMP_ADD", STAMP_ADD),
    ("SOURCE_FIND", SOURCE_FIND),
    ("SOURCE_CLOSE", SOURCE_CLOSE),
];

/// A plate as it is stored, with its layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPlate {
    /// Its code.
    pub code: PlateCode,
    /// What was asked for.
    pub made: Made,
    /// `draft`, `frozen` or `closed`.
    pub state: String,
    /// When its layout was frozen.
    pub frozen: Option<Time>,
    /// The plate it was stamped onto, which alone is run.
    pub stamped_onto: Option<PlateCode>,
    /// How it was given up, if it was.
    pub discarded: Option<Discarded>,
}

/// What a plate is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The laboratory it stands in.
    pub laboratory: String,
    /// Code and version of the kit.
    pub kit: (String, String),
    /// Number of the kit's lot the wells are filled from, if it was named.
    pub lot: Option<String>,
    /// Name of the template, `explicit` when the wells were stated, `stamp` when it was stamped.
    pub template: String,
    /// How much goes into each well, by which robots' logs are judged.
    pub planned: Planned,
    /// Every well.
    pub layout: Layout,
    /// What it was stamped from.
    pub stamp: Option<Stamp>,
}

#[derive(FromRow)]
struct PlateRow {
    code: PlateCode,
    laboratory_code: String,
    kit_code: String,
    kit_version: String,
    template: String,
    size: i64,
    state: String,
    #[sqlx(rename = "frozen_us")]
    frozen: Option<Time>,
    lot: Option<String>,
    volume_nl: i64,
    tolerance: i64,
}

#[derive(FromRow)]
struct StampRow {
    quadrant: i64,
    source_plate: PlateCode,
    scheme: StampOrder,
}

#[derive(Serialize)]
struct NewQuadrant<'a> {
    quadrant: usize,
    source: &'a str,
}

#[derive(FromRow)]
struct WellRow {
    well: i64,
    reaction: String,
    tube_code: Option<String>,
    pool_code: Option<String>,
    depth: i64,
    control: Option<String>,
}

/// The plate with that code, if there is one.
pub async fn plate_find(tx: &mut Tx, code: &PlateCode) -> Result<Option<StoredPlate>> {
    let row: Option<PlateRow> =
        on!(tx, c => query_as(PLATE_FIND).bind(code).fetch_optional(c).await)?;
    let Some(row) = row else { return Ok(None) };
    let wells: Vec<WellRow> = on!(tx, c => query_as(WELLS).bind(code).fetch_all(c).await)?;
    let mixed = mixed(tx, &wells).await?;
    let layout = layout(row.size, wells, &mixed).ok_or_else(|| StoreError::Inconsistent {
        table: "well",
        id: code.to_string(),
        reason: "its wells make no layout".to_owned(),
    })?;
    let stamp = stamp_find(tx, code).await?;
    let layout = if stamp.is_some() { layout.of_sources() } else { layout };
    let planned = Planned::stored(row.volume_nl, row.tolerance).ok_or_else(|| {
        let (id, reason) = (code.to_string(), "its volume is none".to_owned());
        StoreError::Inconsistent { table: "plate", id, reason }
    })?;
    let made = Made {
        laboratory: row.laboratory_code,
        kit: (row.kit_code, row.kit_version),
        lot: row.lot,
        template: row.template,
        planned,
        layout,
        stamp,
    };
    let onto = on!(tx, c => query_scalar(STAMPED_ONTO).bind(code).fetch_optional(c).await)?;
    let (state, frozen) = (row.state, row.frozen);
    let discarded = if state == "closed" { discard::find(tx, code).await? } else { None };
    Ok(Some(StoredPlate { code: row.code, made, state, frozen, stamped_onto: onto, discarded }))
}

async fn stamp_find(tx: &mut Tx, code: &PlateCode) -> Result<Option<Stamp>> {
    let rows: Vec<StampRow> = on!(tx, c => query_as(STAMP_FIND).bind(code).fetch_all(c).await)?;
    let Some(order) = rows.first().map(|row| row.scheme) else { return Ok(None) };
    let mut quadrants = [const { None }; 4];
    for row in rows {
        let place = usize::try_from(row.quadrant - 1).ok().and_then(|n| quadrants.get_mut(n));
        let place = place.ok_or_else(|| StoreError::Inconsistent {
            table: "stamp",
            id: code.to_string(),
            reason: format!("there is no quadrant {}", row.quadrant),
        })?;
        *place = Some(row.source_plate);
    }
    Ok(Some(Stamp { order, quadrants }))
}

/// The plate with that code.
pub async fn plate_get(tx: &mut Tx, code: &PlateCode) -> Result<StoredPlate> {
    plate_find(tx, code).await?.ok_or_else(|| Error::not_found("plate", code.as_str()))
}

/// The tubes of every pool in these wells.
async fn mixed(tx: &mut Tx, wells: &[WellRow]) -> Result<BTreeMap<String, Vec<String>>> {
    let pools = wells.iter().filter_map(|row| row.pool_code.as_deref());
    let found = pools_find(tx, pools).await?;
    Ok(found.into_iter().map(|pool| (pool.code.to_string(), pool.mixed.tubes)).collect())
}

fn layout(size: i64, wells: Vec<WellRow>, mixed: &BTreeMap<String, Vec<String>>) -> Option<Layout> {
    let size = PlateSize::from_wells(u16::try_from(size).ok()?)?;
    let wells: Option<Vec<_>> = wells
        .into_iter()
        .map(|row| {
            let well = WellPosition::from_index(u16::try_from(row.well).ok()?, size)?;
            let reaction = row.reaction;
            let depth = u16::try_from(row.depth).ok()?;
            let content = match (row.tube_code, row.pool_code, row.control) {
                (Some(tube), None, None) => Content::Tube { tube, depth, reaction },
                (None, Some(pool), None) => {
                    let tubes = mixed.get(&pool)?.clone();
                    Content::Pool { pool, tubes, reaction }
                }
                (None, None, Some(control)) => {
                    Content::Control { control: Control::from_name(&control)?, reaction }
                }
                _ => return None,
            };
            (content.depth() == depth).then_some((well, content))
        })
        .collect();
    Layout::explicit(size, wells?).ok()
}

/// Writes a new draft, or writes a draft anew; a frozen plate stays as it is, and so does one that
/// was new to the caller and that somebody else has made meanwhile.
pub async fn plate_draft(
    tx: &mut Tx,
    (code, is_new): (&PlateCode, bool),
    made: &Made,
    (account, at): (&str, Time),
) -> Result<()> {
    let (kit, version) = (&made.kit.0, &made.kit.1);
    let size = i64::from(made.layout.size().wells());
    let (volume, tolerance) = made.planned.columns();
    let added = on!(tx, c => query(PLATE_ADD).bind(code).bind(&made.laboratory).bind(kit)
        .bind(version).bind(&made.template).bind(size).bind(account).bind(at).bind(&made.lot)
        .bind(volume).bind(tolerance).execute(c).await.map(|done| done.rows_affected()))?;
    if added == 0 && is_new {
        let message = format!("plate {code} was made a moment ago; look at it before you go on");
        return Err(Error::conflict("plate.concurrent", code.as_str(), message));
    }
    if added == 0 {
        let redone = on!(tx, c => query(PLATE_REDO).bind(code).bind(&made.laboratory).bind(kit)
            .bind(version).bind(&made.template).bind(size).bind(&made.lot)
            .bind(volume).bind(tolerance).execute(c).await.map(|done| done.rows_affected()))?;
        if redone == 0 {
            return Err(frozen(code));
        }
        on!(tx, c => query(WELLS_CLEAR).bind(code).execute(c).await.map(drop))?;
        on!(tx, c => query(STAMP_CLEAR).bind(code).execute(c).await.map(drop))?;
    }
    if let Some(stamp) = &made.stamp {
        stamp_add(tx, code, stamp).await?;
    }
    let size = made.layout.size();
    let wells: Vec<_> = made
        .layout
        .wells()
        .iter()
        .map(|(well, content)| new_well(well.index(size), content))
        .collect();
    let rows = json(&wells);
    let written = on!(tx, c => query(WELLS_ADD).bind(code).bind(&rows)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("WELLS_ADD", wells.len() as u64, written)?)
}

async fn stamp_add(tx: &mut Tx, code: &PlateCode, stamp: &Stamp) -> Result<()> {
    let named = (1..).zip(&stamp.quadrants);
    let rows: Vec<_> = named
        .filter_map(|(quadrant, source)| {
            Some(NewQuadrant { quadrant, source: source.as_ref()?.as_str() })
        })
        .collect();
    let list = json(&rows);
    let written = on!(tx, c => query(STAMP_ADD).bind(code).bind(stamp.order).bind(&list)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("STAMP_ADD", rows.len() as u64, written)?)
}

/// The plates that are to be stamped, those there are, and nobody else's until the transaction ends.
/// They are taken in order of their codes, so that nobody waits for somebody who waits.
pub async fn sources(tx: &mut Tx, stamp: &Stamp) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for code in stamp.sources().collect::<BTreeSet<_>>() {
        plate_lock(tx, code).await?;
        let found: Option<Source> =
            on!(tx, c => query_as(SOURCE_FIND).bind(code).fetch_optional(c).await)?;
        sources.extend(found);
    }
    Ok(sources)
}

/// Closes the plates that were stamped: what is run is the plate they were stamped onto.
pub async fn sources_close(tx: &mut Tx, stamp: &Stamp) -> Result<()> {
    for code in stamp.sources() {
        let closed = on!(tx, c => query(SOURCE_CLOSE).bind(code).execute(c).await
            .map(|done| done.rows_affected()))?;
        ensure_rows("SOURCE_CLOSE", 1, closed)?;
    }
    Ok(())
}

/// A row for [`WELLS_ADD`].
fn new_well(well: u16, content: &Content) -> impl Serialize {
    let control = match content {
        Content::Control { control, .. } => Some(control.name()),
        Content::Tube { .. } | Content::Pool { .. } | Content::Nothing => None,
    };
    let reaction = content.reaction().unwrap_or_default();
    let (tube, pool, depth) = (content.tube(), content.pool(), content.depth());
    (well, reaction, tube, pool, depth, control)
}

/// Makes everybody else wait who would change this plate, so that what is read of it stays so.
pub async fn plate_lock(tx: &mut Tx, code: &PlateCode) -> Result<()> {
    on!(tx, c => query(PLATE_LOCK).bind(code).execute(c).await.map(drop))?;
    Ok(())
}

/// Freezes the layout; from now on nobody changes it.
pub async fn plate_freeze(tx: &mut Tx, code: &PlateCode, at: Time) -> Result<()> {
    let moved = on!(tx, c => query(PLATE_FREEZE).bind(code).bind(at)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if moved == 1 { Ok(()) } else { Err(frozen(code)) }
}

fn frozen(code: &PlateCode) -> Error {
    Error::Conflict(vec![Reason::new(
        "plate.frozen",
        code.as_str(),
        format!("plate {code} is frozen and keeps its layout; use another plate"),
    )])
}
