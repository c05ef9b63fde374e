//! Run files byte for byte, runs, and what was read from them.

use std::cmp::Ordering;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query, query_as, query_scalar};

use super::rdml_stored::Stored;
use super::vocabulary::word;
use super::{Ct, Reading, RunFile};
use crate::barcode::{Patterns, PlateCode, TubeCode};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::plate::store::plate_get;
use crate::plate::{Content, PlateSize, WellPosition};
use crate::seal::Place;
use crate::storage::{StoreError, Tx, ensure_rows, json};

/// SHA-256, name, sealed content, time.
pub const FILE_KEEP: &str = "insert into run_file (sha256, name, content, kept_us)
    values ($1, $2, $3, $4) on conflict do nothing";
/// `$1` run, `$2` part.
pub const FILE_FIND: &str = "select f.sha256, f.content, p.laboratory_code from run r
    join run_part q on q.run_id = r.id join run_file f on f.sha256 = q.sha256
    join plate p on p.code = r.plate_code
    where r.id = $1 and q.part = $2";
/// `$1` run.
pub const PARTS: &str = "select sha256, again from run_part where run_id = $1 order by part";
/// `$1` SHA-256 of a file: the run it came for last.
pub const RUN_BY_PART: &str = "select r.id, r.plate_code, r.sha256, r.state, q.again
    from run_part q join run r on r.id = q.run_id where q.sha256 = $1
    order by q.again desc limit 1";
/// `$1` run, `$2` its parts.
pub const PARTS_ADD: &str = "insert into run_part (run_id, part, sha256, again)
    select $1, cast(e.value ->> 'part' as bigint), e.value ->> 'sha256',
        cast(e.value ->> 'again' as bigint)
    from jsonb_each($2) e where true on conflict do nothing";
/// `$1` plate: the run that counts.
pub const RUN_LIVE: &str =
    "select id, plate_code, sha256, state from run where plate_code = $1 and state <> 'void'";
/// Id, plate, SHA-256, format, instrument, serial, end, kit, version, usable, verdict, warnings,
/// who, when.
pub const RUN_ADD: &str = "insert into run (id, plate_code, sha256, format, instrument, serial,
        run_ended, kit_code, kit_version, usable, verdict, warnings, imported_by, imported_us,
        state)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'draft')
    on conflict do nothing";
/// `$1` run, `$2` its readings: the one list that `reading` shows as rows.
pub const READINGS_ADD: &str = "insert into run_reading (run_id, list) values ($1, $2)";
/// `$1` run.
pub const RUN_EXPORTED: &str = "select r.plate_code, r.instrument, r.run_ended, r.imported_us
    from run r where r.id = $1";
/// `$1` run.
pub const READINGS_FIND: &str = "select list from run_reading where run_id = $1";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("FILE_KEEP", FILE_KEEP),
    ("FILE_FIND", FILE_FIND),
    ("PARTS", PARTS),
    ("RUN_BY_PART", RUN_BY_PART),
    ("PARTS_ADD", PARTS_ADD),
    ("RUN_LIVE", RUN_LIVE),
    ("RUN_ADD", RUN_ADD),
    ("READINGS_ADD", READINGS_ADD),
    ("READINGS_FIND", READINGS_FIND),
    ("RUN_EXPORTED", RUN_EXPORTED),
];

/// Which run, of which plate.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RunOfPlate {
    /// The run.
    pub id: String,
    /// The plate.
    pub plate_code: String,
    /// What identifies its content.
    pub sha256: String,
    /// `draft`, `reviewed`, `released` or `void`.
    pub state: String,
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, FromRow)]
pub struct Part {
    /// SHA-256 of every byte, lower-case hex.
    pub sha256: String,
    /// How often it had come before, each time in the place of its own run.
    pub again: i64,
}

/// A file that came in before, and the run it came for last.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct KnownPart {
    /// The run.
    #[sqlx(flatten)]
    pub run: RunOfPlate,
    /// How often it had come before that.
    pub again: i64,
}

/// A kept file.
#[derive(Debug, FromRow)]
pub struct KeptFile {
    /// SHA-256 of every byte, lower-case hex.
    pub sha256: String,
    /// Every byte, sealed for [`file_place`].
    pub content: Vec<u8>,
    /// The laboratory its plate stands in.
    pub laboratory_code: String,
}

/// What was read in a run, as it is kept in clear.
#[derive(Debug)]
pub struct Exported {
    /// The laboratory its plate stands in.
    pub laboratory_code: String,
    /// Size of its plate.
    pub plate_size: PlateSize,
    /// The instrument as the file wrote it.
    pub instrument: String,
    /// Its readings; a name an operator typed is there only where it is a code of ours.
    pub readings: Vec<Reading>,
    /// What it is known by.
    pub run: Stored,
}

#[derive(FromRow)]
struct ExportedRun {
    plate_code: String,
    instrument: String,
    run_ended: String,
    imported_us: Time,
}

/// A tuple of the list, as [`new_reading`] writes it.
#[derive(Deserialize)]
struct StoredReading {
    well: i64,
    target: String,
    dye: String,
    task: String,
    operator_name: String,
    ct: Option<String>,
    raw_ct: String,
    amp_status: Option<String>,
    instrument_call: Option<String>,
    omitted: i64,
}

/// A run to be written down.
#[derive(Debug)]
pub struct NewRun<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its plate.
    pub plate: &'a str,
    /// What identifies its content: [`identity`] of its parts.
    pub sha256: &'a str,
    /// Its files.
    pub parts: &'a [Part],
    /// What was read from the file.
    pub file: &'a RunFile,
    /// Kit and version it was called with.
    pub kit: (&'a str, &'a str),
    /// May the plate be used.
    pub usable: bool,
    /// The verdict as JSON.
    pub verdict: &'a str,
    /// Who brought it in.
    pub imported_by: &'a str,
    /// When.
    pub at: Time,
}

#[derive(Serialize)]
struct NewPart<'a> {
    part: u8,
    sha256: &'a str,
    again: i64,
}

/// Where a file's content is sealed: operators type what they like as a sample name, so the bytes
/// an instrument wrote may hold a person's (R29).
pub const fn file_place(sha256: &str) -> Place<'_> {
    Place { table: "run_file", column: "content", row: sha256 }
}

/// What identifies a run's content: of a single file its SHA-256; of several, in whatever order,
/// and of one that came again, the SHA-256 of [`manifest`].
pub fn identity(parts: &[Part]) -> String {
    match parts {
        [Part { sha256, again: 0 }] => sha256.clone(),
        several => HEXLOWER.encode(digest(&SHA256, manifest(several).as_bytes()).as_ref()),
    }
}

/// The list of a run's files that is kept beside them: their digests in order, one a line, and
/// after that of a file that came again, how often it had come before.
pub fn manifest(parts: &[Part]) -> String {
    let mut sorted: Vec<&Part> = parts.iter().collect();
    sorted.sort_unstable();
    let line = |part: &Part| match part.again {
        0 => format!("{}\n", part.sha256),
        again => format!("{} {again}\n", part.sha256),
    };
    sorted.into_iter().map(line).collect()
}

/// Keeps a sealed file; the same content is kept once.
pub async fn file_keep(
    tx: &mut Tx,
    (sha256, name): (&str, &str),
    sealed: &[u8],
    at: Time,
) -> Result<()> {
    on!(tx, c => query(FILE_KEEP).bind(sha256).bind(name).bind(sealed).bind(at)
        .execute(c).await.map(drop))?;
    Ok(())
}

/// A file of a run, by its number from 1; none when the run does not have it.
pub async fn file_find(tx: &mut Tx, run: &str, part: i64) -> Result<Option<KeptFile>> {
    Ok(on!(tx, c => query_as(FILE_FIND).bind(run).bind(part).fetch_optional(c).await)?)
}

/// The files of a run, in the order they were sent.
pub async fn parts(tx: &mut Tx, run: &str) -> Result<Vec<Part>> {
    Ok(on!(tx, c => query_as(PARTS).bind(run).fetch_all(c).await)?)
}

/// For each of these files the run it came for last, if it came before.
pub async fn runs_by_files(tx: &mut Tx, parts: &[String]) -> Result<Vec<Option<KnownPart>>> {
    let mut known = Vec::new();
    for part in parts {
        known.push(on!(tx, c => query_as(RUN_BY_PART).bind(part).fetch_optional(c).await)?);
    }
    Ok(known)
}

/// The run of a plate that counts, if there is one.
pub async fn run_live(tx: &mut Tx, plate: &str) -> Result<Option<RunOfPlate>> {
    Ok(on!(tx, c => query_as(RUN_LIVE).bind(plate).fetch_optional(c).await)?)
}

/// Writes a run and its parts; false when another run of the plate or of one of the files was
/// quicker.
pub async fn run_add(tx: &mut Tx, run: &NewRun<'_>) -> Result<bool> {
    let file = run.file;
    let [instrument, number, ended] = file.origin();
    let warnings = json(&file.warnings);
    let added = on!(tx, c => query(RUN_ADD).bind(run.id).bind(run.plate).bind(run.sha256)
        .bind(file.format.as_str()).bind(instrument).bind(number).bind(ended)
        .bind(run.kit.0).bind(run.kit.1).bind(i64::from(run.usable)).bind(run.verdict)
        .bind(&warnings).bind(run.imported_by).bind(run.at)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if added == 0 {
        return Ok(false);
    }
    let numbered = (1..).zip(run.parts);
    let numbered =
        numbered.map(|(part, file)| NewPart { part, sha256: &file.sha256, again: file.again });
    let list = json(&numbered.collect::<Vec<_>>());
    let written = on!(tx, c => query(PARTS_ADD).bind(run.id).bind(&list)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(written == run.parts.len() as u64)
}

/// Readings written out for [`readings_add`].
pub struct ReadingList(String);

impl ReadingList {
    /// The readings of a plate of this size.
    pub fn of(readings: &[Reading], size: PlateSize) -> Self {
        let list: Vec<_> = readings.iter().map(|reading| new_reading(reading, size)).collect();
        Self(json(&list))
    }
}

/// Writes the readings of a run.
pub async fn readings_add(tx: &mut Tx, run: &str, readings: &ReadingList) -> Result<()> {
    let written = on!(tx, c => query(READINGS_ADD).bind(run).bind(&readings.0)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("READINGS_ADD", 1, written)?)
}

/// A tuple of the list: the columns of `reading` behind its run, in their order. The name an operator
/// typed is kept in clear only where it is a code of ours; the file has all.
fn new_reading(reading: &Reading, size: PlateSize) -> impl Serialize + use<'_> {
    let is_code = TubeCode::parse(&reading.sample, &Patterns::default()).is_ok();
    let operator_name = if is_code { reading.sample.as_str() } else { "" };
    (
        reading.well.index(size),
        &reading.target,
        &reading.dye,
        word(&reading.task),
        operator_name,
        reading.ct.map(|ct| ct.to_string()),
        &reading.raw_ct,
        reading.amp_status.as_deref().map(word),
        reading.instrument_call.as_deref().map(word),
        u8::from(reading.omitted),
    )
}

/// What was read in a run, to be given to other programs.
pub async fn exported(tx: &mut Tx, run: &str) -> Result<Exported> {
    let found: Option<ExportedRun> =
        on!(tx, c => query_as(RUN_EXPORTED).bind(run).fetch_optional(c).await)?;
    let row = found.ok_or_else(|| Error::not_found("run", run))?;
    let code = PlateCode::parse(&row.plate_code).map_err(|unreadable| {
        let (id, reason) = (run.to_owned(), unreadable.to_string());
        StoreError::Inconsistent { table: "run", id, reason }
    })?;
    let made = plate_get(tx, &code).await?.made;
    let plate_size = made.layout.size();
    let readings = readings_find(tx, run, plate_size).await?;
    let said = |(well, content): (&WellPosition, &Content)| {
        let said = match content {
            Content::Tube { tube, .. } => tube.clone(),
            Content::Pool { pool, .. } => pool.clone(),
            Content::Control { control, .. } => format!("{control} control {well}"),
            Content::Nothing => return None,
        };
        Some((*well, said))
    };
    let run = Stored {
        id: run.to_owned(),
        plate: row.plate_code,
        ended: row.run_ended,
        imported: row.imported_us,
        wells: made.layout.wells().iter().filter_map(said).collect(),
    };
    let (laboratory_code, instrument) = (made.laboratory, row.instrument);
    Ok(Exported { laboratory_code, plate_size, instrument, readings, run })
}

/// The readings of a run, row by row of its plate; a name an operator typed is there only where it
/// is a code of ours, the file has all.
pub async fn readings_find(tx: &mut Tx, run: &str, size: PlateSize) -> Result<Vec<Reading>> {
    let list: Option<String> =
        on!(tx, c => query_scalar(READINGS_FIND).bind(run).fetch_optional(c).await)?;
    let list = list.as_deref().unwrap_or("[]");
    let read = |error: serde_json::Error| error.to_string();
    let readings = serde_json::from_str(list).map_err(read).and_then(|mut stored: Vec<_>| {
        stored.sort_by(in_order);
        stored.into_iter().map(|stored| reading(stored, size)).collect()
    });
    let (table, id) = ("run_reading", run.to_owned());
    Ok(readings.map_err(|reason| StoreError::Inconsistent { table, id, reason })?)
}

/// Row by row of the plate.
fn in_order(one: &StoredReading, other: &StoredReading) -> Ordering {
    (one.well, &one.target, &one.dye).cmp(&(other.well, &other.target, &other.dye))
}

/// A reading out of its tuple, or what makes no sense in it.
fn reading(stored: StoredReading, size: PlateSize) -> std::result::Result<Reading, String> {
    let well = u16::try_from(stored.well).ok();
    let well = well.and_then(|index| WellPosition::from_index(index, size));
    let ct = stored.ct.as_deref().map(|ct| {
        let cycles = ct.parse::<Decimal>().ok();
        cycles.and_then(|cycles| Ct::try_from(cycles).ok()).ok_or(format!("`{ct}` is no Ct"))
    });
    Ok(Reading {
        well: well.ok_or_else(|| format!("well {} is not on the plate", stored.well))?,
        sample: stored.operator_name,
        target: stored.target,
        dye: stored.dye,
        task: stored.task,
        ct: ct.transpose()?,
        raw_ct: stored.raw_ct,
        amp_status: stored.amp_status,
        instrument_call: stored.instrument_call,
        omitted: stored.omitted != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_files_are_one_run_in_whatever_order_and_a_single_one_is_itself() {
        let [a, b] = ["aa", "bb"].map(|sha256| Part { sha256: sha256.to_owned(), again: 0 });
        assert_eq!(identity(&[a.clone(), b.clone()]), identity(&[b.clone(), a.clone()]));
        assert_eq!(manifest(&[b.clone(), a.clone()]), "aa\nbb\n");
        assert_eq!(identity(std::slice::from_ref(&a)), a.sha256);
        assert_ne!(identity(&[a.clone(), b.clone()]), identity(&[a, b.clone(), b]));
    }

    #[test]
    fn a_file_that_came_again_makes_another_run_each_time() {
        let part = |again| Part { sha256: "aa".to_owned(), again };
        assert_eq!(manifest(&[part(2)]), "aa 2\n");
        let identities = [0, 1, 2].map(|again| identity(&[part(again)]));
        assert!(identities[0] != identities[1] && identities[1] != identities[2]);
    }
}
