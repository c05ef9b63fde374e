//! Counters, allotments and makers' patterns; every scanned code is read through here.

use sqlx::{FromRow, query, query_as, query_scalar};

use super::allot::{Allotment, NotAllotted};
use super::{
    Alphabet, BoxCode, Kind, NotACode, Pattern, PatternFault, Patterns, PlateCode, PoolCode,
    TubeCode,
};
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::storage::{StoreError, Tx, ensure_rows};

/// `$1` kind, `$2` how far; gives the counter after it and holds its row until the commit.
pub const COUNTER_ADVANCE: &str = "update code_counter set next_number = next_number + $2
    where kind = $1 returning next_number";
/// `$1` kind.
pub const COUNTER: &str = "select next_number from code_counter where kind = $1";
/// Id, kind, first number, count, place, account, time.
pub const ALLOTMENT_ADD: &str = "insert into allotment
    (id, kind, first_number, count, place_code, allotted_by, allotted_us)
    values ($1, $2, $3, $4, $5, $6, $7)";
/// `$1` id.
pub const ALLOTMENT_FIND: &str =
    "select id, kind, first_number, count, place_code from allotment where id = $1";
/// All of them, oldest first.
pub const PATTERNS: &str =
    "select prefix, maker, length, alphabet from code_pattern order by created_us, prefix";
/// Prefix, maker, length, alphabet, time.
pub const PATTERN_ADD: &str = "insert into code_pattern
    (prefix, maker, length, alphabet, created_us) values ($1, $2, $3, $4, $5)";

/// A range that was given out.
#[derive(Debug, Clone)]
pub struct Allotted {
    /// The allotment's id.
    pub id: String,
    /// Its codes.
    pub range: Allotment,
    /// The site or laboratory it was given to.
    pub place: String,
}

/// Who asks for a range, and when.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The account's id.
    pub by: &'a str,
    /// The moment.
    pub at: Time,
}

#[derive(FromRow)]
struct AllotmentRow {
    id: String,
    kind: Kind,
    first_number: i64,
    count: i64,
    place_code: String,
}

/// Gives out the next `count` codes of a kind. The counter's row stays locked until the commit,
/// so ranges meet and never overlap, whoever asks at the same time.
pub async fn allot(
    tx: &mut Tx,
    id: String,
    (kind, count): (Kind, u32),
    place: &str,
    asked: Asked<'_>,
) -> Result<Allotted> {
    Allotment::new(kind, 0, count)
        .map_err(|refusals| Error::Invalid(reasons("allotment.count", &refusals)))?;
    let end = counter_advance(tx, kind, i64::from(count)).await?;
    let first = stored_number(kind, end - i64::from(count))?;
    let range = Allotment::new(kind, first, count)
        .map_err(|refusals| Error::Conflict(reasons("allotment.exhausted", &refusals)))?;
    on!(tx, c => query(ALLOTMENT_ADD).bind(&id).bind(kind).bind(end - i64::from(count))
        .bind(i64::from(count)).bind(place).bind(asked.by).bind(asked.at)
        .execute(c).await.map(drop))?;
    Ok(Allotted { id, range, place: place.to_owned() })
}

fn reasons(code: &'static str, refusals: &[NotAllotted]) -> Vec<Reason> {
    refusals.iter().map(|refusal| Reason::new(code, "count", refusal.to_string())).collect()
}

async fn counter_advance(tx: &mut Tx, kind: Kind, by: i64) -> Result<i64> {
    Ok(on!(tx, c => query_scalar(COUNTER_ADVANCE).bind(kind).bind(by).fetch_one(c).await)?)
}

fn stored_number(kind: Kind, number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_negative| StoreError::Inconsistent {
        table: "code_counter",
        id: kind.to_string(),
        reason: format!("{number} is no code's number"),
    })
}

/// The allotment with this id.
pub async fn allotment(tx: &mut Tx, id: &str) -> Result<Allotted> {
    let row: Option<AllotmentRow> =
        on!(tx, c => query_as(ALLOTMENT_FIND).bind(id).fetch_optional(c).await)?;
    let row = row.ok_or_else(|| Error::not_found("allotment", id))?;
    let range = u64::try_from(row.first_number)
        .ok()
        .zip(u32::try_from(row.count).ok())
        .and_then(|(first, count)| Allotment::new(row.kind, first, count).ok())
        .ok_or_else(|| StoreError::Inconsistent {
            table: "allotment",
            id: row.id.clone(),
            reason: "its numbers are no range of codes".to_owned(),
        })?;
    Ok(Allotted { id: row.id, range, place: row.place_code })
}

#[derive(FromRow)]
struct PatternRow {
    prefix: String,
    maker: String,
    length: i64,
    alphabet: Alphabet,
}

/// Every registered pattern.
pub async fn patterns(tx: &mut Tx) -> Result<Patterns> {
    let rows: Vec<PatternRow> = on!(tx, c => query_as(PATTERNS).fetch_all(c).await)?;
    let mut patterns = Patterns::default();
    for row in rows {
        let spoiled = |reason: String| StoreError::Inconsistent {
            table: "code_pattern",
            id: row.prefix.clone(),
            reason,
        };
        let length = u8::try_from(row.length).map_err(|error| spoiled(error.to_string()))?;
        Pattern::registered(&row.maker, &row.prefix, length, row.alphabet)
            .and_then(|pattern| patterns.add(pattern))
            .map_err(|faults| spoiled(list(&faults)))?;
    }
    Ok(patterns)
}

fn list(faults: &[PatternFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Registers a maker's pattern; `false` when the very same one is registered already.
pub async fn pattern_register(tx: &mut Tx, pattern: &Pattern, at: Time) -> Result<bool> {
    // The tube counter's row is the lock: two overlapping patterns cannot slip in side by side.
    counter_advance(tx, Kind::Tube, 0).await?;
    let mut known = patterns(tx).await?;
    if let Some(stored) = known.iter().find(|stored| stored.prefix() == pattern.prefix()) {
        let reasons = differences(stored, pattern);
        return if reasons.is_empty() { Ok(false) } else { Err(Error::Conflict(reasons)) };
    }
    known.add(pattern.clone()).map_err(|faults| {
        let reason =
            |fault: &PatternFault| Reason::new("pattern.overlap", "prefix", fault.to_string());
        Error::Conflict(faults.iter().map(reason).collect())
    })?;
    let added = on!(tx, c => query(PATTERN_ADD).bind(pattern.prefix()).bind(pattern.maker())
        .bind(i64::from(pattern.length())).bind(pattern.alphabet()).bind(at)
        .execute(c).await.map(|done| done.rows_affected()))?;
    ensure_rows("PATTERN_ADD", 1, added)?;
    Ok(true)
}

fn differences(stored: &Pattern, new: &Pattern) -> Vec<Reason> {
    let fields = [
        ("maker", stored.maker() == new.maker()),
        ("length", stored.length() == new.length()),
        ("alphabet", stored.alphabet() == new.alphabet()),
    ];
    let differing = fields.into_iter().filter(|(_, same)| !same);
    differing
        .map(|(field, _)| {
            let message = format!(
                "the pattern `{}` is registered with another {field}; nothing was overwritten",
                stored.prefix()
            );
            Reason::new("pattern.differs", field, message)
        })
        .collect()
}

/// Reads many tube codes, one answer each in the same order: ours if it was allotted, or a
/// registered maker's. Patterns are loaded only when a
/// text is not a code of ours, and the counter is read once.
pub async fn tube_codes(tx: &mut Tx, texts: &[&str]) -> Result<Vec<Result<TubeCode, Reason>>> {
    let ours = Patterns::default();
    let mut read: Vec<_> = texts.iter().map(|text| TubeCode::parse(text, &ours)).collect();
    if read.iter().any(Result::is_err) {
        let registered = patterns(tx).await?;
        for (code, text) in read.iter_mut().zip(texts).filter(|(code, _)| code.is_err()) {
            *code = TubeCode::parse(text, &registered);
        }
    }
    let next = counter(tx, Kind::Tube).await?;
    Ok(judge_codes(read, next))
}

/// Why these texts are no tube codes, each with the field it stands in. None is repeated: nobody
/// knows what was under the scanner (R35).
pub async fn no_tube_codes(tx: &mut Tx, scanned: &[(String, &str)]) -> Result<Vec<Reason>> {
    let ours = Patterns::default();
    if scanned.iter().all(|(_, text)| TubeCode::parse(text, &ours).is_ok()) {
        return Ok(Vec::new());
    }
    let registered = patterns(tx).await?;
    let fault = |(field, text): &(String, &str)| {
        let fault = TubeCode::parse(text, &registered).err()?;
        Some(Reason::new("tube.code", field.clone(), fault.to_string()))
    };
    Ok(scanned.iter().filter_map(fault).collect())
}

/// What was read, without the codes of ours from number `next` on.
pub(super) fn judge_codes(
    read: Vec<Result<TubeCode, NotACode>>,
    next: u64,
) -> Vec<Result<TubeCode, Reason>> {
    let judge = |code: Result<TubeCode, NotACode>| {
        let code = code.map_err(|error| unreadable(&error))?;
        allotted(Kind::Tube, code.as_str(), code.number(), next)?;
        Ok(code)
    };
    read.into_iter().map(judge).collect()
}

/// The box with this code, if it was allotted.
pub async fn box_code(tx: &mut Tx, text: &str) -> Result<BoxCode> {
    let code = BoxCode::parse(text).map_err(|error| Error::Invalid(vec![unreadable(&error)]))?;
    let next = counter(tx, Kind::Box).await?;
    allotted(Kind::Box, code.as_str(), code.number(), next)
        .map_err(|reason| Error::Invalid(vec![reason]))?;
    Ok(code)
}

/// The plate with this code, if it was allotted.
pub async fn plate_code(tx: &mut Tx, text: &str) -> Result<PlateCode> {
    let code = PlateCode::parse(text).map_err(|error| Error::Invalid(vec![unreadable(&error)]))?;
    let next = counter(tx, Kind::Plate).await?;
    allotted(Kind::Plate, code.as_str(), code.number(), next)
        .map_err(|reason| Error::Invalid(vec![reason]))?;
    Ok(code)
}

/// The pool with this code, if it was allotted.
pub async fn pool_code(tx: &mut Tx, text: &str) -> Result<PoolCode> {
    let code = PoolCode::parse(text).map_err(|error| Error::Invalid(vec![unreadable(&error)]))?;
    let next = counter(tx, Kind::Pool).await?;
    allotted(Kind::Pool, code.as_str(), code.number(), next)
        .map_err(|reason| Error::Invalid(vec![reason]))?;
    Ok(code)
}

/// How far the codes of a kind were given out.
pub(super) async fn counter(tx: &mut Tx, kind: Kind) -> Result<u64> {
    let next: i64 = on!(tx, c => query_scalar(COUNTER).bind(kind).fetch_one(c).await)?;
    Ok(stored_number(kind, next)?)
}

/// A text that is no code is not repeated: it may be an identity card under the scanner (R35).
fn unreadable(error: &NotACode) -> Reason {
    Reason::new("code.unreadable", "code", error.to_string())
}

/// Refuses a code of ours whose number was never given out; makers number their own.
fn allotted(kind: Kind, code: &str, number: Option<u64>, next: u64) -> Result<(), Reason> {
    match number {
        Some(number) if number >= next => Err(Reason::new(
            "code.never_allotted",
            code,
            format!(
                "{kind} {code} was never allotted; scan the label again or have a range allotted"
            ),
        )),
        _ => Ok(()),
    }
}

/// Every statement of this file, to be prepared on both engines.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("COUNTER_ADVANCE", COUNTER_ADVANCE),
    ("COUNTER", COUNTER),
    ("ALLOTMENT_ADD", ALLOTMENT_ADD),
    ("ALLOTMENT_FIND", ALLOTMENT_FIND),
    ("PATTERNS", PATTERNS),
    ("PATTERN_ADD", PATTERN_ADD),
];
