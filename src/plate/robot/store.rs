//! Robots' logs of a plate, and what a second person said of them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{FromRow, query, query_as, query_scalar};

use super::{Difference, Explanation, Fill, Planned};
use crate::barcode::PlateCode;
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::plate::Stamp;
use crate::plate::store::{PLATE_LOCK, StoredPlate};
use crate::seal::Place;
use crate::storage::{StoreError, Tx, codes, json};

/// `$1` plate: its logs, oldest first.
pub const LOGS: &str = "select l.id, l.number, l.sha256, l.name, l.format, l.volume_nl,
        l.tolerance, l.labware, l.reagents, l.fills, l.errors, l.differences, l.read_by,
        l.read_us, a.explanations, a.accepted_by, a.accepted_us
    from transfer_log l left join transfer_acceptance a on a.log_id = l.id
    where l.plate_code = $1 order by l.number";
/// Id, plate, number, SHA-256, name, format, sealed content, volume, tolerance, labware, reagents,
/// fills, errors, differences, who, when.
pub const LOG_ADD: &str = "insert into transfer_log (id, plate_code, number, sha256, name, format,
        content, volume_nl, tolerance, labware, reagents, fills, errors, differences, read_by,
        read_us)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
/// `$1` log, `$2` plate.
pub const LOG_CONTENT: &str =
    "select sha256, content from transfer_log where id = $1 and plate_code = $2";
/// Log, explanations, who, when.
pub const ACCEPT: &str = "insert into transfer_acceptance
        (log_id, explanations, accepted_by, accepted_us)
    values ($1, $2, $3, $4)";

/// `$1` plate: the plates it was stamped from.
pub const SOURCES: &str =
    "select distinct source_plate from stamp where plate_code = $1 order by source_plate";
/// `$1` plates: the plates each was stamped from, looked up quadrant by quadrant: PostgreSQL would
/// join all stamps there are with a list.
pub const SOURCES_OF: &str = "select e.value ->> 'code',
        (select s.source_plate from stamp s where s.plate_code = e.value ->> 'code'
            and s.quadrant = 1),
        (select s.source_plate from stamp s where s.plate_code = e.value ->> 'code'
            and s.quadrant = 2),
        (select s.source_plate from stamp s where s.plate_code = e.value ->> 'code'
            and s.quadrant = 3),
        (select s.source_plate from stamp s where s.plate_code = e.value ->> 'code'
            and s.quadrant = 4)
    from jsonb_each($1) e";
/// `$1` plates: what the logs of each say of the plan, oldest first.
pub const SAID: &str = "select l.plate_code, l.differences,
        (select count(*) from transfer_acceptance a where a.log_id = l.id) as accepted
    from transfer_log l where l.plate_code in (select e.value ->> 'code' from jsonb_each($1) e)
    order by l.plate_code, l.number";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("SOURCES", SOURCES),
    ("SOURCES_OF", SOURCES_OF),
    ("SAID", SAID),
    ("LOGS", LOGS),
    ("LOG_ADD", LOG_ADD),
    ("LOG_CONTENT", LOG_CONTENT),
    ("ACCEPT", ACCEPT),
];

/// How a log is to be read: by the plate's plan, and by what was said with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Volume and tolerance, as the plate has them.
    pub planned: Planned,
    /// What the robot calls the plate; empty when it knows the plate's code.
    pub labware: String,
    /// Labware that holds reagents.
    pub reagents: Vec<String>,
}

/// A log of a plate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLog {
    /// Its id.
    pub id: String,
    /// Which log of the plate, from 1.
    pub number: u32,
    /// SHA-256 of every byte.
    pub sha256: String,
    /// The name it came under.
    pub name: String,
    /// Whose it is.
    pub format: String,
    /// How it was read.
    pub settings: Settings,
    /// What it put into the plate.
    pub fills: Vec<Fill>,
    /// Its lines of error.
    pub errors: Vec<usize>,
    /// Where all logs up to this one differ from the plan.
    pub differences: Vec<Difference>,
    /// Who brought it in.
    pub read_by: String,
    /// When.
    pub read: Time,
    /// What a second person said of the differences.
    pub accepted: Option<Accepted>,
}

/// A second person's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Why the differences do no harm.
    pub explanations: Vec<Explanation>,
    /// Who says so.
    pub by: String,
    /// When.
    pub at: Time,
}

#[derive(FromRow)]
struct LogRow {
    id: String,
    number: i64,
    sha256: String,
    name: String,
    format: String,
    volume_nl: i64,
    tolerance: i64,
    labware: String,
    reagents: String,
    fills: String,
    errors: String,
    differences: String,
    read_by: String,
    #[sqlx(rename = "read_us")]
    read: Time,
    explanations: Option<String>,
    accepted_by: Option<String>,
    #[sqlx(rename = "accepted_us")]
    accepted: Option<Time>,
}

/// A plate, and the sources of its quadrants.
type Sources = (String, Option<String>, Option<String>, Option<String>, Option<String>);

#[derive(FromRow)]
struct SaidRow {
    plate_code: String,
    differences: String,
    accepted: i64,
}

/// Where a log's content is sealed: operators type what they like into a method (R29).
pub const fn log_place(sha256: &str) -> Place<'_> {
    Place { table: "transfer_log", column: "content", row: sha256 }
}

/// Every log of a plate, oldest first.
pub async fn logs(tx: &mut Tx, plate: &str) -> Result<Vec<StoredLog>> {
    let rows: Vec<LogRow> = on!(tx, c => query_as(LOGS).bind(plate).fetch_all(c).await)?;
    rows.into_iter()
        .map(|row| {
            let id = row.id.clone();
            log(row).ok_or_else(|| {
                let reason = "its columns make no log".to_owned();
                Error::Store(StoreError::Inconsistent { table: "transfer_log", id, reason })
            })
        })
        .collect()
}

fn log(row: LogRow) -> Option<StoredLog> {
    let planned = Planned::stored(row.volume_nl, row.tolerance)?;
    let reagents = serde_json::from_str(&row.reagents).ok()?;
    let accepted = match (row.explanations, row.accepted_by, row.accepted) {
        (Some(text), Some(by), Some(at)) => {
            Some(Accepted { explanations: serde_json::from_str(&text).ok()?, by, at })
        }
        _ => None,
    };
    Some(StoredLog {
        id: row.id,
        number: u32::try_from(row.number).ok()?,
        sha256: row.sha256,
        name: row.name,
        format: row.format,
        settings: Settings { planned, labware: row.labware, reagents },
        fills: serde_json::from_str(&row.fills).ok()?,
        errors: serde_json::from_str(&row.errors).ok()?,
        differences: serde_json::from_str(&row.differences).ok()?,
        read_by: row.read_by,
        read: row.read,
        accepted,
    })
}

/// Writes a log down with its sealed content.
pub async fn log_add(tx: &mut Tx, plate: &PlateCode, log: &StoredLog, sealed: &[u8]) -> Result<()> {
    let Settings { planned, labware, reagents } = &log.settings;
    let (fills, errors) = (json(&log.fills), json(&log.errors));
    let (differences, reagents) = (json(&log.differences), json(reagents));
    let (volume, tolerance) = planned.columns();
    on!(tx, c => query(LOG_ADD).bind(&log.id).bind(plate).bind(i64::from(log.number))
        .bind(&log.sha256).bind(&log.name).bind(&log.format).bind(sealed)
        .bind(volume).bind(tolerance).bind(labware)
        .bind(&reagents).bind(&fills).bind(&errors).bind(&differences).bind(&log.read_by)
        .bind(log.read).execute(c).await.map(drop))?;
    Ok(())
}

/// SHA-256 and sealed content of a log of that plate.
pub async fn log_content(tx: &mut Tx, plate: &PlateCode, id: &str) -> Result<(String, Vec<u8>)> {
    let found: Option<(String, Vec<u8>)> =
        on!(tx, c => query_as(LOG_CONTENT).bind(id).bind(plate).fetch_optional(c).await)?;
    found.ok_or_else(|| Error::not_found("log", id))
}

/// Writes a second person's word down.
pub async fn accept(tx: &mut Tx, log: &str, accepted: &Accepted) -> Result<()> {
    let explanations = json(&accepted.explanations);
    on!(tx, c => query(ACCEPT).bind(log).bind(&explanations).bind(&accepted.by)
        .bind(accepted.at).execute(c).await.map(drop))?;
    Ok(())
}

/// Differences between the plan and what the robots say that nobody explained: those of the
/// newest log, which speaks for all, but for those a second person accepted with an earlier one.
pub fn open(logs: &[StoredLog]) -> Vec<&Difference> {
    let said: Vec<_> =
        logs.iter().map(|log| (log.differences.as_slice(), log.accepted.is_some())).collect();
    open_among(&said)
}

/// The same of each log's differences, and whether they were accepted, oldest first.
fn open_among<'l>(logs: &[(&'l [Difference], bool)]) -> Vec<&'l Difference> {
    let Some((newest, _)) = logs.last() else { return Vec::new() };
    let is_open = |difference: &&Difference| {
        !logs.iter().any(|(all, accepted)| *accepted && all.contains(difference))
    };
    newest.iter().filter(is_open).collect()
}

/// What holds the run of each of these plates: where the robots' logs of the plate, or of a plate
/// it was stamped from, differ from the plan and nobody explained it.
pub async fn holds(tx: &mut Tx, plates: &[&str]) -> Result<BTreeMap<String, Vec<Reason>>> {
    let list = codes(plates);
    let rows: Vec<Sources> = on!(tx, c => query_as(SOURCES_OF).bind(&list).fetch_all(c).await)?;
    let mut filled = Vec::new();
    for (plate, first, second, third, fourth) in rows {
        let mut sources: Vec<_> = [first, second, third, fourth].into_iter().flatten().collect();
        sources.sort_unstable();
        sources.push(plate.clone());
        filled.extend(sources.into_iter().map(|source| (plate.clone(), source)));
    }
    held(tx, filled).await
}

/// What holds each plate, of pairs of a plate and one that its wells were filled on.
async fn held(tx: &mut Tx, filled: Vec<(String, String)>) -> Result<BTreeMap<String, Vec<Reason>>> {
    let list = codes(filled.iter().map(|(_, source)| source));
    let rows: Vec<SaidRow> = on!(tx, c => query_as(SAID).bind(&list).fetch_all(c).await)?;
    let mut held_by: BTreeMap<&str, Vec<Reason>> = BTreeMap::new();
    for logs in rows.chunk_by(|one, other| one.plate_code == other.plate_code) {
        let said: Vec<(Vec<Difference>, bool)> = logs.iter().map(said).collect::<Result<_>>()?;
        let said: Vec<_> = said.iter().map(|(all, accepted)| (all.as_slice(), *accepted)).collect();
        let open = open_among(&said);
        let Some(log) = logs.first().filter(|_log| !open.is_empty()) else { continue };
        let held = held_by.entry(&log.plate_code).or_default();
        held.push(differs(&log.plate_code));
        held.extend(open.into_iter().map(|difference| Reason::tagged("transfer", difference)));
    }
    let mut holds: BTreeMap<String, Vec<Reason>> = BTreeMap::new();
    for (plate, source) in filled {
        if let Some(held) = held_by.get(source.as_str()) {
            holds.entry(plate).or_default().extend(held.iter().cloned());
        }
    }
    Ok(holds)
}

fn said(row: &SaidRow) -> Result<(Vec<Difference>, bool)> {
    let differences = serde_json::from_str(&row.differences).map_err(|unreadable| {
        let (id, reason) = (row.plate_code.clone(), unreadable.to_string());
        StoreError::Inconsistent { table: "transfer_log", id, reason }
    })?;
    Ok((differences, row.accepted > 0))
}

fn differs(plate: &str) -> Reason {
    let message = format!(
        "the robot did something else than planned with plate {plate}; discard it and put its \
         tubes on a new plate, or have a second person accept the newest log with an explanation"
    );
    Reason::new("transfer.differs", plate, message)
}

/// Refuses when the robots' logs of a plate, or of a plate it was stamped from, differ from the
/// plan and nobody explained it; no log comes in until the transaction ends.
pub async fn refuse_open(tx: &mut Tx, plate: &str) -> Result<()> {
    let mut plates: Vec<String> =
        on!(tx, c => query_scalar(SOURCES).bind(plate).fetch_all(c).await)?;
    plates.push(plate.to_owned());
    for plate in &plates {
        on!(tx, c => query(PLATE_LOCK).bind(plate).execute(c).await.map(drop))?;
    }
    holds(tx, &[plate]).await?.remove(plate).map_or(Ok(()), |held| Err(Error::Conflict(held)))
}

/// [`refuse_open`] for a plate that is locked and was read.
pub async fn refuse_open_of(tx: &mut Tx, plate: &StoredPlate) -> Result<()> {
    let code = plate.code.to_string();
    let sources: BTreeSet<&PlateCode> = plate.made.stamp.iter().flat_map(Stamp::sources).collect();
    let mut filled = Vec::new();
    for source in sources {
        on!(tx, c => query(PLATE_LOCK).bind(source).execute(c).await.map(drop))?;
        filled.push((code.clone(), source.to_string()));
    }
    filled.push((code.clone(), code.clone()));
    held(tx, filled).await?.remove(&code).map_or(Ok(()), |held| Err(Error::Conflict(held)))
}
