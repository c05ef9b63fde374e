//! Calls with their run, and what earlier tests said of a tube.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sqlx::{FromRow, query, query_as, query_scalar};

use super::kept::{self, KeptCall};
use super::{Call, Specimen, TubeFacts, Verdict};
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::storage::{StoreError, Tx, codes, ensure_rows, json};

/// `$1` tubes, `$2` time and `$3` run before which: calls that sent a tube back, and those in which a
/// usable run had found something before it was made void. The pool each was of, if it was.
pub const EARLIER: &str = "select c.tube_code, c.state = 'void' as voided, c.rule, c.detail,
        c.pool_code
    from call c join run r on r.id = c.run_id
    where (c.state = 'released' and c.disposition = 'retest'
            or c.state = 'void' and r.usable = 1 and c.outcome in ('detected', 'inconclusive'))
        and c.tube_code in (select e.value ->> 'code' from jsonb_each($1) e)
        and (r.imported_us, r.id) < ($2, $3)";
/// `$1` tubes, `$2` time and `$3` run before which: calls of each other tube of the person alone that
/// led to a recall, unless it was closed before this tube was sealed: of several swabs after a recall
/// each is another specimen, whichever answers it. Tubes of several people need not be asked for.
pub const ANOTHER: &str = "select t.code as tube_code, c.rule, c.detail
    from jsonb_each($1) e join tube t on t.code = e.value ->> 'code'
        join member m on m.tube_code = t.code join recall a on a.person_key = m.person_key
        join call c on c.tube_code = a.origin_tube join run r on r.id = c.run_id
    where t.size = 1 and a.origin_tube <> t.code
        and a.opened_us <= $2 and (a.closed_us is null or t.sealed_us <= a.closed_us)
        and c.state = 'released' and c.disposition in ('retest', 'recall') and c.members = 1
        and c.pool_code is null and (r.imported_us, r.id) < ($2, $3)
        and exists (select 1 from call z where z.tube_code = a.origin_tube
            and z.state = 'released' and z.disposition = 'recall')";
/// `$1` run, `$2` calls, a tuple for each: tube, outcome, rule, disposition, members, attempt, clean,
/// detail (what no column says), pool. 380 rows take PostgreSQL 31 ms as structs, 27 as tuples and as a
/// list for each column (`benches/statements.rs`).
pub const CALLS_ADD: &str = "insert into call (run_id, tube_code, outcome, rule, disposition,
        members, attempt, clean, detail, state, pool_code)
    select $1, e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3,
        cast(e.value ->> 4 as bigint), cast(e.value ->> 5 as bigint),
        cast(e.value ->> 6 as bigint), e.value ->> 7, 'draft', e.value ->> 8
    from jsonb_each($2) e";
/// `$1` run.
pub const RUN_FIND: &str = "select r.id, r.plate_code, p.laboratory_code, r.sha256, r.format,
        r.instrument, r.serial, r.run_ended, r.kit_code, r.kit_version, r.verdict, r.warnings,
        r.imported_us, r.state
    from run r join plate p on p.code = r.plate_code where r.id = $1";
/// `$1` run.
pub const CALLS_FIND: &str = "select c.tube_code, c.pool_code, c.outcome, c.rule, c.disposition,
        c.members, c.attempt, c.detail, r.kit_code, r.kit_version
    from call c join run r on r.id = c.run_id where c.run_id = $1 order by c.tube_code";
/// `$1` tubes: people in each, how often it was tested, and whether it answers a recall.
pub const TESTED: &str = "select t.code, t.members, t.attempt,
        exists (select 1 from recall r where r.answer_tube = t.code) as recalled
    from tube t where t.code in (select e.value ->> 'code' from jsonb_each($1) e)";
/// `$1` tubes: those that answer a recall.
pub const RECALLED: &str = "select distinct r.answer_tube from recall r
    where r.answer_tube in (select e.value ->> 'code' from jsonb_each($1) e)";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("EARLIER", EARLIER),
    ("ANOTHER", ANOTHER),
    ("TESTED", TESTED),
    ("RECALLED", RECALLED),
    ("CALLS_ADD", CALLS_ADD),
    ("RUN_FIND", RUN_FIND),
    ("CALLS_FIND", CALLS_FIND),
];

#[derive(FromRow)]
struct EarlierRow {
    tube_code: String,
    voided: bool,
    rule: String,
    detail: String,
    pool_code: Option<String>,
}

#[derive(FromRow)]
struct AnotherRow {
    tube_code: String,
    rule: String,
    detail: String,
}

/// A stored run; its verdict and its calls' details are read from JSON.
#[derive(Debug, FromRow)]
pub struct StoredRun {
    /// The run.
    pub id: String,
    /// Its plate.
    pub plate_code: String,
    /// Where the plate stands.
    pub laboratory_code: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Format of the file.
    pub format: String,
    /// Instrument type.
    pub instrument: String,
    /// Instrument serial number.
    pub serial: String,
    /// End of the run as the file writes it.
    pub run_ended: String,
    /// The kit.
    pub kit_code: String,
    /// The kit's version.
    pub kit_version: String,
    verdict: String,
    warnings: String,
    /// When the file came in.
    #[sqlx(rename = "imported_us")]
    pub imported: Time,
    /// `draft`, `reviewed`, `released` or `void`.
    pub state: String,
}

/// The tubes among these that answer a recall.
pub async fn recalled<S: AsRef<str>>(
    tx: &mut Tx,
    tubes: impl IntoIterator<Item = S>,
) -> Result<BTreeSet<String>> {
    let list = codes(tubes);
    let found: Vec<String> = on!(tx, c => query_scalar(RECALLED).bind(&list).fetch_all(c).await)?;
    Ok(found.into_iter().collect())
}

/// What must be known of the tubes of a plate to call them, and which of them answer a recall.
pub async fn tube_facts<S: AsRef<str>>(
    tx: &mut Tx,
    tubes: impl IntoIterator<Item = S>,
) -> Result<(BTreeMap<String, TubeFacts>, BTreeSet<String>)> {
    let list = codes(tubes);
    let rows: Vec<(String, i64, i64, bool)> =
        on!(tx, c => query_as(TESTED).bind(&list).fetch_all(c).await)?;
    let (mut facts, mut recalled) = (BTreeMap::new(), BTreeSet::new());
    for (tube, members, attempt, answers) in rows {
        if answers {
            recalled.insert(tube.clone());
        }
        let fact = TubeFacts {
            pool_size: narrow("members", &tube, members)?,
            attempt: narrow("attempt", &tube, attempt + 1)?,
            ..TubeFacts::first_test(1)
        };
        facts.insert(tube, fact);
    }
    earlier_tests(tx, &mut facts, (Time::from_us(i64::MAX), "")).await?;
    Ok((facts, recalled))
}

/// Gives tubes the tests they had been through before this run.
pub async fn earlier_tests(
    tx: &mut Tx,
    facts: &mut BTreeMap<String, TubeFacts>,
    (before, run): (Time, &str),
) -> Result<()> {
    let list = codes(facts.keys());
    let earlier: Vec<EarlierRow> = on!(tx, c => query_as(EARLIER).bind(&list).bind(before).bind(run)
        .fetch_all(c).await)?;
    for row in earlier {
        if let Some(fact) = facts.get_mut(&row.tube_code) {
            match row.pool_code {
                _ if row.voided => fact.voided = true,
                Some(_) => fact.pooled += 1,
                None => {
                    let said = (row.rule, row.detail.as_str());
                    fact.earlier.push(kept::earlier(&row.tube_code, said, Specimen::Same)?);
                }
            }
        }
    }
    let alone: Vec<&String> =
        facts.iter().filter(|(_, fact)| !fact.is_pool()).map(|(tube, _)| tube).collect();
    if alone.is_empty() {
        return Ok(());
    }
    let list = codes(alone);
    let another: Vec<AnotherRow> = on!(tx, c => query_as(ANOTHER).bind(&list).bind(before).bind(run)
        .fetch_all(c).await)?;
    for row in another {
        if let Some(fact) = facts.get_mut(&row.tube_code) {
            let said = (row.rule, row.detail.as_str());
            fact.earlier.push(kept::earlier(&row.tube_code, said, Specimen::Another)?);
        }
    }
    Ok(())
}

fn narrow<T: TryFrom<i64>>(column: &str, tube: &str, value: i64) -> Result<T> {
    T::try_from(value).map_err(|_out_of_range| {
        Error::Store(StoreError::Inconsistent {
            table: "tube",
            id: tube.to_owned(),
            reason: format!("{column} is {value}"),
        })
    })
}

/// Calls written out for [`calls_add`].
pub struct CallRows {
    list: String,
    rows: usize,
}

impl CallRows {
    /// The calls of a run with this verdict.
    pub fn of(calls: &[Call], verdict: &Verdict) -> Self {
        let rows: Vec<_> = calls.iter().map(|call| kept::row(call, verdict)).collect();
        Self { list: json(&rows), rows: rows.len() }
    }
}

/// Writes the calls of a run.
pub async fn calls_add(tx: &mut Tx, run: &str, calls: &CallRows) -> Result<()> {
    let written = on!(tx, c => query(CALLS_ADD).bind(run).bind(&calls.list)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("CALLS_ADD", calls.rows as u64, written)?)
}

/// A stored run without its calls.
#[derive(Debug)]
pub struct RunHead {
    /// The run.
    pub run: StoredRun,
    /// Whether its plate may be used.
    pub verdict: Verdict,
    /// What a person should know of its file.
    pub warnings: Vec<Reason>,
}

/// A warning as it is stored: runs of before have a sentence alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Warning {
    Reason(Reason),
    Sentence(String),
}

impl Warning {
    fn reason(self) -> Reason {
        match self {
            Self::Reason(reason) => reason,
            Self::Sentence(message) => Reason::new("file.warned", "file", message),
        }
    }
}

/// A run with its verdict and warnings.
pub async fn run_find(tx: &mut Tx, run: &str) -> Result<RunHead> {
    Error::refuse_nul("run", run)?;
    let row: Option<StoredRun> =
        on!(tx, c => query_as(RUN_FIND).bind(run).fetch_optional(c).await)?;
    let row = row.ok_or_else(|| Error::not_found("run", run))?;
    let verdict = read("run", run, &row.verdict)?;
    let warnings: Vec<Warning> = read("run", run, &row.warnings)?;
    let warnings = warnings.into_iter().map(Warning::reason).collect();
    Ok(RunHead { run: row, verdict, warnings })
}

/// The calls of a run, by tube.
pub async fn calls_find(tx: &mut Tx, run: &str) -> Result<Vec<Call>> {
    let rows: Vec<KeptCall> = on!(tx, c => query_as(CALLS_FIND).bind(run).fetch_all(c).await)?;
    rows.into_iter().map(|call| Ok(call.call()?)).collect()
}

fn read<T: serde::de::DeserializeOwned>(table: &'static str, id: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let reason = error.to_string();
        Error::Store(StoreError::Inconsistent { table, id: id.to_owned(), reason })
    })
}
