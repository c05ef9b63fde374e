//! Places in the store: inserted once, read back to compare, never updated.

use serde::Serialize;
use sqlx::{FromRow, query, query_as, query_scalar};

use super::{Hours, Laboratory, Put, Round, Session, Shift, Site};
use crate::barcode::PlaceCode;
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::storage::{StoreError, Tx, codes};

/// Code, name, address, time.
pub const LABORATORY_ADD: &str = "insert into laboratory (code, name, address, created_us)
    values ($1, $2, $3, $4) on conflict do nothing";
/// `$1` code.
pub const LABORATORY_FIND: &str = "select name, address from laboratory where code = $1";
/// Code, name, area, time.
pub const SITE_ADD: &str = "insert into site (code, name, area, created_us)
    values ($1, $2, $3, $4) on conflict do nothing";
/// `$1` code.
pub const SITE_FIND: &str = "select name, area from site where code = $1";
/// Code, name, area, specimen, tube size, start, end, hours, time.
pub const ROUND_ADD: &str = "insert into round
    (code, name, area, specimen, tube_size, starts_us, ends_us, result_hours, created_us)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing";
/// `$1` code.
pub const ROUND_FIND: &str = "select name, area, specimen, tube_size, starts_us, ends_us,
    result_hours from round where code = $1";
/// Code, round, site, team, opening, closing, time.
pub const SESSION_ADD: &str = "insert into session
    (code, round_code, site_code, team, opens_us, closes_us, created_us)
    values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing";
/// `$1` code.
pub const SESSION_FIND: &str = "select round_code, site_code, team, opens_us, closes_us
    from session where code = $1";
/// `$1` code of a site.
pub const SITE_COUNT: &str = "select count(*) from site where code = $1";
/// `$1` codes of sessions.
pub const SHIFTS_FIND: &str = "select s.code, s.site_code, s.round_code, r.tube_size, r.starts_us,
        r.ends_us, s.opens_us, s.closes_us
    from session s join round r on r.code = s.round_code
    where s.code in (select e.value ->> 'code' from jsonb_each($1) e)";
/// `$1` code of a site, `$2` the earliest end, `$3` the latest begin.
pub const SESSIONS_OPEN: &str = "select s.code, s.team, s.round_code, r.name as round_name,
        r.tube_size, s.site_code, i.name as site_name, s.opens_us, s.closes_us
    from session s join round r on r.code = s.round_code join site i on i.code = s.site_code
    where s.site_code = $1 and s.closes_us > $2 and s.opens_us < $3
    order by s.opens_us, s.code limit 100";

/// A session as whoever works in it chooses it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
pub struct OpenSession {
    /// Its code.
    pub code: PlaceCode,
    /// Who swabs.
    pub team: String,
    /// The round it belongs to.
    #[sqlx(rename = "round_code")]
    pub round: PlaceCode,
    /// As people call the round.
    pub round_name: String,
    /// People to a tube at most.
    pub tube_size: i64,
    /// The site it is held at.
    #[sqlx(rename = "site_code")]
    pub site: PlaceCode,
    /// As people call the site.
    pub site_name: String,
    /// When it opens.
    #[sqlx(rename = "opens_us")]
    pub opens_at: Time,
    /// When it closes.
    #[sqlx(rename = "closes_us")]
    pub closes_at: Time,
}

/// Every site.
pub const SITES: &str = "select code, name, area from site order by area, code";
/// `$1` area: how many sites are in it.
pub const AREA_COUNT: &str = "select count(*) from site where area = $1";
/// Every laboratory, with where it is.
pub const LABORATORIES: &str = "select code, name, address as area from laboratory order by code";
/// Every round, the newest first.
pub const ROUNDS: &str = "select code, name, area, specimen, tube_size, starts_us, ends_us,
    result_hours from round order by starts_us desc, code";

/// A site or a laboratory in a list.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Listed {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Its area or address.
    pub area: String,
}

/// Every site, area by area.
pub async fn sites(tx: &mut Tx) -> Result<Vec<Listed>> {
    Ok(on!(tx, c => query_as(SITES).fetch_all(c).await)?)
}

/// Every laboratory.
pub async fn laboratories(tx: &mut Tx) -> Result<Vec<Listed>> {
    Ok(on!(tx, c => query_as(LABORATORIES).fetch_all(c).await)?)
}

/// A round in a list.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ListedRound {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Where it is held.
    pub area: String,
    /// What is taken.
    pub specimen: String,
    /// People to a tube at most.
    pub tube_size: i64,
    /// When it begins.
    #[sqlx(rename = "starts_us")]
    pub starts: Time,
    /// When it ends.
    #[sqlx(rename = "ends_us")]
    pub ends: Time,
    /// Hours within which people are told.
    pub result_hours: i64,
}

/// Every round, the newest first.
pub async fn rounds(tx: &mut Tx) -> Result<Vec<ListedRound>> {
    Ok(on!(tx, c => query_as(ROUNDS).fetch_all(c).await)?)
}

#[derive(FromRow)]
struct RoundRow {
    name: String,
    area: String,
    specimen: String,
    tube_size: i64,
    #[sqlx(rename = "starts_us")]
    starts: Time,
    #[sqlx(rename = "ends_us")]
    ends: Time,
    result_hours: i64,
}

#[derive(FromRow)]
struct SessionRow {
    round_code: PlaceCode,
    site_code: PlaceCode,
    team: String,
    #[sqlx(rename = "opens_us")]
    opens: Time,
    #[sqlx(rename = "closes_us")]
    closes: Time,
}

/// Puts a laboratory.
pub async fn laboratory_put(
    tx: &mut Tx,
    code: &PlaceCode,
    new: &Laboratory,
    at: Time,
) -> Result<Put> {
    let added = on!(tx, c => query(LABORATORY_ADD).bind(code).bind(&new.name).bind(&new.address)
        .bind(at).execute(c).await.map(|done| done.rows_affected()))?;
    if added == 1 {
        return Ok(Put::Made);
    }
    let (name, address): (String, String) =
        on!(tx, c => query_as(LABORATORY_FIND).bind(code).fetch_one(c).await)?;
    compare(
        "laboratory",
        code,
        &[("name", name == new.name, name), ("address", address == new.address, address)],
    )
}

/// Puts a site.
pub async fn site_put(tx: &mut Tx, code: &PlaceCode, new: &Site, at: Time) -> Result<Put> {
    let added = on!(tx, c => query(SITE_ADD).bind(code).bind(&new.name).bind(&new.area)
        .bind(at).execute(c).await.map(|done| done.rows_affected()))?;
    if added == 1 {
        return Ok(Put::Made);
    }
    let (name, area): (String, String) =
        on!(tx, c => query_as(SITE_FIND).bind(code).fetch_one(c).await)?;
    compare("site", code, &[("name", name == new.name, name), ("area", area == new.area, area)])
}

/// Puts a round.
pub async fn round_put(tx: &mut Tx, code: &PlaceCode, new: &Round, at: Time) -> Result<Put> {
    let added = on!(tx, c => query(ROUND_ADD).bind(code).bind(&new.name).bind(&new.area)
        .bind(&new.specimen).bind(i64::from(new.tube_size)).bind(new.starts_at).bind(new.ends_at)
        .bind(i64::from(new.result_hours)).bind(at)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if added == 1 {
        return Ok(Put::Made);
    }
    let stored =
        round_find(tx, code).await?.ok_or_else(|| Error::not_found("round", code.as_str()))?;
    compare(
        "round",
        code,
        &[
            ("name", stored.name == new.name, stored.name),
            ("area", stored.area == new.area, stored.area),
            ("specimen", stored.specimen == new.specimen, stored.specimen),
            ("tube_size", stored.tube_size == new.tube_size, stored.tube_size.to_string()),
            ("starts_at", stored.starts_at == new.starts_at, stored.starts_at.to_string()),
            ("ends_at", stored.ends_at == new.ends_at, stored.ends_at.to_string()),
            (
                "result_hours",
                stored.result_hours == new.result_hours,
                stored.result_hours.to_string(),
            ),
        ],
    )
}

/// The round with this code.
pub async fn round_find(tx: &mut Tx, code: &PlaceCode) -> Result<Option<Round>> {
    let row: Option<RoundRow> =
        on!(tx, c => query_as(ROUND_FIND).bind(code).fetch_optional(c).await)?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Round {
        name: row.name,
        area: row.area,
        specimen: row.specimen,
        tube_size: small("round", code, row.tube_size)?,
        starts_at: row.starts,
        ends_at: row.ends,
        result_hours: small("round", code, row.result_hours)?,
    }))
}

/// Whether there is a site with this code.
pub async fn site_exists(tx: &mut Tx, code: &PlaceCode) -> Result<bool> {
    let count: i64 = on!(tx, c => query_scalar(SITE_COUNT).bind(code).fetch_one(c).await)?;
    Ok(count == 1)
}

/// Of a site that nobody registered nothing is told by a clean record.
pub async fn refuse_unknown_site(tx: &mut Tx, site: Option<&str>) -> Result<()> {
    let Some(site) = site else { return Ok(()) };
    let is_known = match PlaceCode::parse(site) {
        Ok(code) => site_exists(tx, &code).await?,
        Err(_fault) => false,
    };
    if is_known { Ok(()) } else { Err(Error::not_found("site", site)) }
}

/// Nor of an area that no site is in.
pub async fn refuse_unknown_area(tx: &mut Tx, area: Option<&str>) -> Result<()> {
    let Some(area) = area else { return Ok(()) };
    let sites: i64 = on!(tx, c => query_scalar(AREA_COUNT).bind(area).fetch_one(c).await)?;
    if sites > 0 { Ok(()) } else { Err(Error::not_found("area", area)) }
}

/// Puts a session whose round and site exist.
pub async fn session_put(tx: &mut Tx, code: &PlaceCode, new: &Session, at: Time) -> Result<Put> {
    let added = on!(tx, c => query(SESSION_ADD).bind(code).bind(&new.round).bind(&new.site)
        .bind(&new.team).bind(new.opens_at).bind(new.closes_at).bind(at)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if added == 1 {
        return Ok(Put::Made);
    }
    let stored: SessionRow = on!(tx, c => query_as(SESSION_FIND).bind(code).fetch_one(c).await)?;
    compare(
        "session",
        code,
        &[
            ("round", stored.round_code == new.round, stored.round_code.to_string()),
            ("site", stored.site_code == new.site, stored.site_code.to_string()),
            ("team", stored.team == new.team, stored.team),
            ("opens_at", stored.opens == new.opens_at, stored.opens.to_string()),
            ("closes_at", stored.closes == new.closes_at, stored.closes.to_string()),
        ],
    )
}

#[derive(FromRow)]
struct ShiftRow {
    code: PlaceCode,
    site_code: String,
    round_code: String,
    tube_size: i64,
    #[sqlx(rename = "starts_us")]
    starts: Time,
    #[sqlx(rename = "ends_us")]
    ends: Time,
    #[sqlx(rename = "opens_us")]
    opens: Time,
    #[sqlx(rename = "closes_us")]
    closes: Time,
}

/// The sessions of a site that end after `ends` and begin before `begins`, in order of begin.
pub async fn sessions_open(
    tx: &mut Tx,
    site: &str,
    ends: Time,
    begins: Time,
) -> Result<Vec<OpenSession>> {
    Ok(on!(tx, c => query_as(SESSIONS_OPEN).bind(site).bind(ends).bind(begins)
        .fetch_all(c).await)?)
}

/// The sessions among `wanted` that exist, with what their rounds ask; one statement.
pub async fn shifts_find<'a>(
    tx: &mut Tx,
    wanted: impl IntoIterator<Item = &'a PlaceCode>,
) -> Result<Vec<Shift>> {
    let wanted = codes(wanted);
    let rows: Vec<ShiftRow> = on!(tx, c => query_as(SHIFTS_FIND).bind(&wanted).fetch_all(c).await)?;
    let shift = |row: ShiftRow| {
        Ok(Shift {
            tube_size: small("round", &row.code, row.tube_size)?,
            session: row.code,
            site: row.site_code,
            round: row.round_code,
            starts: row.starts,
            ends: row.ends,
            hours: Hours { opens: row.opens, closes: row.closes },
        })
    };
    rows.into_iter().map(shift).collect()
}

fn small(table: &'static str, code: &PlaceCode, number: i64) -> Result<u8, StoreError> {
    u8::try_from(number).map_err(|_range| StoreError::Inconsistent {
        table,
        id: code.to_string(),
        reason: format!("{number} is out of its range"),
    })
}

/// The same, or every difference as `(field, is the same, what is stored)`.
fn compare(what: &str, code: &PlaceCode, fields: &[(&str, bool, String)]) -> Result<Put> {
    let reasons: Vec<_> = fields
        .iter()
        .filter(|(_, same, _)| !same)
        .map(|(field, _, stored)| {
            let message = format!(
                "{what} {code} is stored with the {field} `{stored}`; nothing was overwritten, \
                 send what is stored or use another code"
            );
            Reason::new("place.differs", *field, message)
        })
        .collect();
    if reasons.is_empty() { Ok(Put::Same) } else { Err(Error::Conflict(reasons)) }
}

/// Every statement of this file, to be prepared on both engines.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("SITES", SITES),
    ("AREA_COUNT", AREA_COUNT),
    ("LABORATORIES", LABORATORIES),
    ("ROUNDS", ROUNDS),
    ("LABORATORY_ADD", LABORATORY_ADD),
    ("LABORATORY_FIND", LABORATORY_FIND),
    ("SITE_ADD", SITE_ADD),
    ("SITE_FIND", SITE_FIND),
    ("ROUND_ADD", ROUND_ADD),
    ("ROUND_FIND", ROUND_FIND),
    ("SESSION_ADD", SESSION_ADD),
    ("SESSION_FIND", SESSION_FIND),
    ("SITE_COUNT", SITE_COUNT),
    ("SHIFTS_FIND", SHIFTS_FIND),
    ("SESSIONS_OPEN", SESSIONS_OPEN),
];
