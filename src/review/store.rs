//! Runs with their calls as they wait for somebody's signature.

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query, query_as};
use utoipa::ToSchema;

use super::{Meaning, RunContent, Signature, Step, StoredCall};
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::instrument;
use crate::interpretation::lot::store::holds_of;
use crate::interpretation::{Outcome, Verdict};
use crate::plate::robot::store as robot;
use crate::storage::{StoreError, Tx, ensure_rows};

/// `$1` run.
pub const RUN_FIND: &str = "select r.id, r.plate_code, p.laboratory_code, r.sha256,
        r.kit_code || ' ' || r.kit_version as kit, r.usable, r.state
    from run r join plate p on p.code = r.plate_code where r.id = $1";
/// `$1` run.
pub const CALLS: &str =
    "select tube_code, pool_code, outcome, rule, disposition, members, attempt, clean
    from call where run_id = $1 order by tube_code";
/// `$1` subject, `$2` meaning; the newest.
pub const SIGNATURE_FIND: &str = "select id, meaning, account_id, signer, signed_us, content_hash
    from signature where about = $1 and meaning = $2 order by signed_us desc, id desc limit 1";
/// Id, subject, meaning, account, signer, time, hash, rule.
pub const SIGN: &str = "insert into signature
    (id, about, meaning, account_id, signer, signed_us, content_hash, rule)
    values ($1, $2, $3, $4, $5, $6, $7, $8)";
/// `$1` run, `$2` from, `$3` to.
pub const RUN_MOVE: &str = "update run set state = $3 where id = $1 and state = $2";
/// `$1` laboratory or null for all, `$2` and `$3` the cursor, `$4` how many.
pub const QUEUE: &str = "select r.id, r.plate_code, r.laboratory_code, r.state,
        r.usable = 1 as usable, r.imported_us, r.kit_code, r.kit_version, r.verdict,
        count(c.tube_code) as calls,
        count(distinct c.pool_code) as pools,
        count(c.tube_code) filter (where c.outcome = 'detected') as detected,
        count(c.tube_code) filter (where c.outcome = 'inconclusive') as inconclusive,
        count(c.tube_code) filter (where c.outcome = 'invalid') as invalid,
        min(t.sealed_us) as oldest_us,
        (select s.account_id from signature s where s.about = r.id and s.meaning = 'review'
            order by s.signed_us desc, s.id desc limit 1) as reviewed_by,
        (select s.signer from signature s where s.about = r.id and s.meaning = 'review'
            order by s.signed_us desc, s.id desc limit 1) as reviewer,
        (select s.signed_us from signature s where s.about = r.id and s.meaning = 'review'
            order by s.signed_us desc, s.id desc limit 1) as reviewed_us
    from (select w.id, w.plate_code, p.laboratory_code, w.state, w.usable, w.imported_us,
            w.kit_code, w.kit_version, w.verdict
        from run w join plate p on p.code = w.plate_code
        where w.state in ('draft', 'reviewed')
            and (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
            and (w.imported_us, w.id) > ($2, $3)
        order by w.imported_us, w.id limit $4) r
        left join call c on c.run_id = r.id and c.state = 'draft'
        left join tube t on t.code = c.tube_code
    group by r.id, r.plate_code, r.laboratory_code, r.state, r.usable, r.imported_us, r.kit_code,
        r.kit_version, r.verdict
    order by r.imported_us, r.id";

#[derive(FromRow)]
struct RunRow {
    id: String,
    plate_code: String,
    laboratory_code: String,
    sha256: String,
    kit: String,
    usable: i64,
    state: String,
}

#[derive(FromRow)]
struct CallRow {
    tube_code: String,
    pool_code: Option<String>,
    outcome: Outcome,
    rule: String,
    disposition: Step,
    members: i64,
    attempt: i64,
    clean: i64,
}

#[derive(FromRow)]
struct SignatureRow {
    id: String,
    meaning: Meaning,
    account_id: String,
    signer: String,
    signed_us: Time,
    content_hash: String,
}

/// One run waiting for a person.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    /// The run.
    pub id: String,
    /// Its plate.
    #[serde(rename = "plate")]
    pub plate_code: String,
    /// Where it was run.
    #[serde(rename = "laboratory")]
    pub laboratory_code: String,
    /// `draft` waits for a review, `reviewed` for a release.
    pub state: String,
    /// Whether the plate may be used.
    pub usable: bool,
    /// When the file came in.
    #[sqlx(rename = "imported_us")]
    #[serde(rename = "imported_at")]
    pub imported: Time,
    /// The kit.
    #[serde(rename = "kit")]
    pub kit_code: String,
    /// The kit's version.
    pub kit_version: String,
    /// Calls that wait.
    pub calls: i64,
    /// Laboratory pools among them.
    #[serde(default)]
    pub pools: i64,
    /// Of them detected.
    pub detected: i64,
    /// Of them inconclusive.
    pub inconclusive: i64,
    /// Of them invalid.
    pub invalid: i64,
    /// The longest anybody has been waiting since the swab.
    #[sqlx(rename = "oldest_us")]
    #[serde(rename = "oldest_sealed_at")]
    pub oldest: Option<Time>,
    /// The account that reviewed it, which cannot release it.
    #[serde(default)]
    pub reviewed_by: Option<String>,
    /// The name in that signature.
    #[serde(default)]
    pub reviewer: Option<String>,
    /// When it was given.
    #[sqlx(rename = "reviewed_us")]
    #[serde(default, rename = "reviewed_at")]
    pub reviewed: Option<Time>,
    /// What keeps it from being released, or from being released by rule: its lot, its kit, its
    /// controls and their charts, and what robots did otherwise than planned.
    #[sqlx(skip)]
    #[serde(default)]
    pub holds: Vec<Reason>,
    #[serde(skip)]
    verdict: String,
}

/// A run's content and its state.
pub async fn run_find(tx: &mut Tx, run: &str) -> Result<(RunContent, String)> {
    Error::refuse_nul("run", run)?;
    let row: Option<RunRow> = on!(tx, c => query_as(RUN_FIND).bind(run).fetch_optional(c).await)?;
    let row = row.ok_or_else(|| Error::not_found("run", run))?;
    // What is signed is the run's identity, so the files it stands for must still be the ones.
    let parts = instrument::store::parts(tx, run).await?;
    if !parts.is_empty() && instrument::store::identity(&parts) != row.sha256 {
        let (id, reason) = (run.to_owned(), "its files are not those of the run".to_owned());
        return Err(StoreError::Inconsistent { table: "run_part", id, reason }.into());
    }
    let calls: Vec<CallRow> = on!(tx, c => query_as(CALLS).bind(run).fetch_all(c).await)?;
    let calls = calls
        .into_iter()
        .map(|call| StoredCall {
            tube: call.tube_code,
            pool: call.pool_code,
            outcome: call.outcome,
            rule: call.rule,
            disposition: call.disposition,
            members: call.members,
            attempt: call.attempt,
            clean: call.clean == 1,
        })
        .collect();
    let content = RunContent {
        run: row.id,
        plate: row.plate_code,
        laboratory: row.laboratory_code,
        sha256: row.sha256,
        kit: row.kit,
        usable: row.usable == 1,
        calls,
    };
    Ok((content, row.state))
}

/// The newest signature with this meaning under this subject.
pub async fn signature_find(
    tx: &mut Tx,
    about: &str,
    meaning: Meaning,
) -> Result<Option<Signature>> {
    let row: Option<SignatureRow> = on!(tx, c => query_as(SIGNATURE_FIND).bind(about)
        .bind(meaning).fetch_optional(c).await)?;
    Ok(row.map(|row| Signature {
        id: row.id,
        meaning: row.meaning,
        account: row.account_id,
        signer: row.signer,
        signed: row.signed_us,
        content_hash: row.content_hash,
    }))
}

/// Writes a signature down; `rule` names the rule that acted, if one did.
pub async fn sign(
    tx: &mut Tx,
    about: &str,
    signature: &Signature,
    rule: Option<&str>,
) -> Result<()> {
    on!(tx, c => query(SIGN).bind(&signature.id).bind(about).bind(signature.meaning)
        .bind(&signature.account).bind(&signature.signer).bind(signature.signed)
        .bind(&signature.content_hash).bind(rule).execute(c).await.map(drop))?;
    Ok(())
}

/// Moves a run that is where it must be; somebody else's move is a conflict.
pub async fn run_move(tx: &mut Tx, run: &str, from: &str, to: &str) -> Result<()> {
    let moved = on!(tx, c => query(RUN_MOVE).bind(run).bind(from).bind(to)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if moved == 0 {
        return Err(Error::conflict(
            "review.moved",
            run,
            format!("run {run} is no longer {from}; look at it again"),
        ));
    }
    Ok(ensure_rows("RUN_MOVE", 1, moved)?)
}

/// Runs that wait, oldest first, each with everything that holds it.
pub async fn queue(
    tx: &mut Tx,
    laboratory: Option<&str>,
    (after, after_id): (Time, &str),
    (limit, lot_keeping): (i64, bool),
) -> Result<Vec<Waiting>> {
    let mut runs: Vec<Waiting> = on!(tx, c => query_as(QUEUE).bind(laboratory).bind(after)
        .bind(after_id).bind(limit).fetch_all(c).await)?;
    let ids: Vec<&str> = runs.iter().map(|run| run.id.as_str()).collect();
    let mut held = holds_of(tx, &ids, lot_keeping).await?;
    let plates: Vec<&str> = runs.iter().map(|run| run.plate_code.as_str()).collect();
    let mut differing = robot::holds(tx, &plates).await?;
    for run in &mut runs {
        let verdict: Verdict = serde_json::from_str(&run.verdict).map_err(|unreadable| {
            let (id, reason) = (run.id.clone(), unreadable.to_string());
            StoreError::Inconsistent { table: "run", id, reason }
        })?;
        run.holds = verdict.as_reasons(&run.plate_code);
        run.holds.extend(held.remove(&run.id).unwrap_or_default());
        run.holds.extend(differing.remove(&run.plate_code).unwrap_or_default());
    }
    Ok(runs)
}
