//! Racks and their scans.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{FromRow, query, query_as};

use super::{Rack, RackCode, RackSize};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::plate::WellPosition;
use crate::plate::robot::RackHistory;
use crate::plate::worklist::Seat;
use crate::storage::{StoreError, Tx, codes, ensure_rows, json};

/// `$1` laboratory, `$2` rack: its newest scan.
pub const RACK_FIND: &str = "select version, size, scanned_us from rack
    where laboratory_code = $1 and code = $2 order by version desc limit 1";
/// Laboratory, rack, version.
pub const RACK_TUBES: &str = "select position, tube_code from rack_tube
    where laboratory_code = $1 and rack_code = $2 and version = $3 order by position";
/// Laboratory, rack, version, size, who, when.
pub const RACK_ADD: &str = "insert into rack (laboratory_code, code, version, size, scanned_by,
        scanned_us)
    values ($1, $2, $3, $4, $5, $6) on conflict do nothing";
/// Laboratory, rack, version, tubes.
pub const RACK_TUBES_ADD: &str = "insert into rack_tube (laboratory_code, rack_code, version,
        position, tube_code)
    select cast($1 as text), cast($2 as text), cast($3 as bigint),
        cast(e.value ->> 'position' as bigint), e.value ->> 'tube'
    from jsonb_each($4) e";
/// `$1` laboratory, `$2` tubes: where each stands by the newest scan of a rack, later scans last.
pub const SEATS: &str = "select t.tube_code, t.rack_code, t.position, r.size
    from rack_tube t join rack r on r.laboratory_code = t.laboratory_code and r.code = t.rack_code
        and r.version = t.version
    where t.laboratory_code = $1
        and t.tube_code in (select e.value ->> 'code' from jsonb_each($2) e)
        and not exists (select 1 from rack n where n.laboratory_code = r.laboratory_code
            and n.code = r.code and n.version > r.version)
    order by r.scanned_us, r.code, t.position";
/// `$1` laboratory, `$2` racks, `$3` time: what each held then, and by every later scan.
pub const SINCE: &str = "select r.code, r.version, r.size, t.position, t.tube_code
    from rack r join rack_tube t on t.laboratory_code = r.laboratory_code and t.rack_code = r.code
        and t.version = r.version
    where r.laboratory_code = $1
        and r.code in (select e.value ->> 'code' from jsonb_each($2) e)
        and r.version >= (select coalesce(max(b.version), 1) from rack b
            where b.laboratory_code = r.laboratory_code and b.code = r.code
                and b.scanned_us <= $3)
    order by r.code, r.version, t.position";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("RACK_FIND", RACK_FIND),
    ("RACK_TUBES", RACK_TUBES),
    ("RACK_ADD", RACK_ADD),
    ("RACK_TUBES_ADD", RACK_TUBES_ADD),
    ("SEATS", SEATS),
    ("SINCE", SINCE),
];

/// The newest scan of a rack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRack {
    /// How often it was scanned with other tubes, from 1.
    pub version: i64,
    /// Its tubes.
    pub rack: Rack,
    /// When it was scanned.
    pub scanned: Time,
}

#[derive(FromRow)]
struct RackRow {
    version: i64,
    size: i64,
    #[sqlx(rename = "scanned_us")]
    scanned: Time,
}

#[derive(FromRow)]
struct SeatRow {
    tube_code: String,
    rack_code: String,
    position: i64,
    size: i64,
}

#[derive(FromRow)]
struct SinceRow {
    code: String,
    version: i64,
    size: i64,
    position: i64,
    tube_code: String,
}

#[derive(Serialize)]
struct NewTube<'a> {
    position: u16,
    tube: &'a str,
}

/// The number a position is stored under: along the rows, from 0.
fn number(size: RackSize, position: WellPosition) -> u16 {
    let (_, columns) = size.shape();
    u16::from(position.row()) * u16::from(columns) + u16::from(position.column())
}

/// The position stored under that number.
fn position(size: RackSize, number: i64) -> Option<WellPosition> {
    let (_, columns) = size.shape();
    let number = u8::try_from(number).ok()?;
    let position = WellPosition::new(number / columns, number % columns)?;
    size.contains(position).then_some(position)
}

fn size_of(positions: i64) -> Option<RackSize> {
    u16::try_from(positions).ok().and_then(RackSize::from_positions)
}

fn spoiled(rack: &str) -> Error {
    let (table, reason) = ("rack_tube", "its positions make no rack".to_owned());
    Error::Store(StoreError::Inconsistent { table, id: rack.to_owned(), reason })
}

/// The newest scan of a rack, if it was ever scanned.
pub async fn rack_find(
    tx: &mut Tx,
    laboratory: &str,
    code: &RackCode,
) -> Result<Option<StoredRack>> {
    let code = code.as_str();
    let row: Option<RackRow> =
        on!(tx, c => query_as(RACK_FIND).bind(laboratory).bind(code).fetch_optional(c).await)?;
    let Some(RackRow { version, size, scanned }) = row else { return Ok(None) };
    let rows: Vec<(i64, String)> = on!(tx, c => query_as(RACK_TUBES).bind(laboratory).bind(code)
        .bind(version).fetch_all(c).await)?;
    let rack = size_of(size).and_then(|size| rack_of(size, rows)).ok_or_else(|| spoiled(code))?;
    Ok(Some(StoredRack { version, rack, scanned }))
}

fn rack_of(size: RackSize, rows: Vec<(i64, String)>) -> Option<Rack> {
    let tubes = rows.into_iter().map(|(number, tube)| Some((position(size, number)?, tube)));
    Rack::of(size, tubes.collect::<Option<BTreeMap<_, _>>>()?)
}

/// Writes the scan of a rack as that version.
pub async fn rack_add(
    tx: &mut Tx,
    (laboratory, code, version): (&str, &RackCode, i64),
    rack: &Rack,
    (account, at): (&str, Time),
) -> Result<()> {
    let (name, size) = (code.as_str(), i64::from(rack.size().positions()));
    let added = on!(tx, c => query(RACK_ADD).bind(laboratory).bind(name).bind(version).bind(size)
        .bind(account).bind(at).execute(c).await.map(|done| done.rows_affected()))?;
    if added == 0 {
        return Err(Error::conflict(
            "rack.concurrent",
            name,
            format!("rack {code} was scanned by somebody else a moment ago; look at it first"),
        ));
    }
    let tubes: Vec<_> = rack
        .tubes()
        .iter()
        .map(|(position, tube)| NewTube { position: number(rack.size(), *position), tube })
        .collect();
    let rows = json(&tubes);
    let written = on!(tx, c => query(RACK_TUBES_ADD).bind(laboratory).bind(name).bind(version)
        .bind(&rows).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("RACK_TUBES_ADD", tubes.len() as u64, written)?)
}

/// Where each of these tubes was last scanned in a rack of that laboratory.
pub async fn seats<S: AsRef<str>>(
    tx: &mut Tx,
    laboratory: &str,
    tubes: impl IntoIterator<Item = S>,
) -> Result<BTreeMap<String, Seat>> {
    let wanted = codes(tubes);
    let rows: Vec<SeatRow> =
        on!(tx, c => query_as(SEATS).bind(laboratory).bind(&wanted).fetch_all(c).await)?;
    let seat = |row: &SeatRow| {
        let size = size_of(row.size)?;
        let rack = RackCode::parse(&row.rack_code).ok()?;
        Some(Seat { rack, size, position: position(size, row.position)? })
    };
    rows.into_iter()
        .map(|row| {
            let seat = seat(&row).ok_or_else(|| spoiled(&row.rack_code))?;
            Ok((row.tube_code, seat))
        })
        .collect()
}

/// What these racks held at that time and by every later scan; codes that are no rack are left
/// out.
pub async fn since<S: AsRef<str>>(
    tx: &mut Tx,
    laboratory: &str,
    racks: impl IntoIterator<Item = S>,
    at: Time,
) -> Result<BTreeMap<String, RackHistory>> {
    let wanted = codes(racks);
    let rows: Vec<SinceRow> =
        on!(tx, c => query_as(SINCE).bind(laboratory).bind(&wanted).bind(at).fetch_all(c).await)?;
    let mut histories: BTreeMap<String, RackHistory> = BTreeMap::new();
    for scan in rows.chunk_by(|a, b| (&a.code, a.version) == (&b.code, b.version)) {
        let code = &scan[0].code;
        let tubes = scan.iter().map(|row| (row.position, row.tube_code.clone())).collect();
        let rack = size_of(scan[0].size).and_then(|size| rack_of(size, tubes));
        let rack = rack.ok_or_else(|| spoiled(code))?;
        histories.entry(code.clone()).or_default().0.push(rack);
    }
    Ok(histories)
}
