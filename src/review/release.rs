//! Release: stored calls become results, statuses, retests and recalls, set by set, in one
//! transaction, however many people that is.

use serde::{Deserialize, Serialize};
use sqlx::{query, query_as, query_scalar};
use utoipa::ToSchema;

use super::rules::{self, ReportFields};
use super::{Cleared, Step, StoredCall, pools, store};
use crate::clock::{Clock, Span, Time};
use crate::collection::{TubeState, TubesMove, tubes_move};
use crate::error::{Result, refuse_if_any};
use crate::interpretation::{CLEAN_NEGATIVE_RULE, Outcome};
use crate::recall::store::{recalls_close, recalls_open, recalls_reopen};
use crate::recall::{Answered, Opening, RecallOutcome, RecallReason};
use crate::storage::{Tx, codes, ensure_rows, outbox};

/// `$1` run, `$2` tubes: what a report on each would say. That each member is a person who is kept
/// is so since the tube was sealed: the rows of both are written in one transaction, and the schema
/// lets neither be changed or removed. Asking for it again, by the random key of every person, cost
/// most of this statement (16.8 ms a plate, 3.5 without); the ledger asks for it.
pub const REPORT_FIELDS: &str = "select t.code as tube, t.members,
        (select count(*) from member m where m.tube_code = t.code) as people,
        t.sealed_us, r.specimen, l.name as laboratory_name, l.address as laboratory_address,
        run.kit_code || ' ' || run.kit_version as examination,
        (select min(a.arrived_us) from arrival a join arrival_tube f on f.arrival_id = a.id
            where f.tube_code = t.code and f.finding in ('accepted', 'unexpected')) as received_us
    from tube t
        join run on run.id = $1
        join plate p on p.code = run.plate_code
        left join laboratory l on l.code = p.laboratory_code
        left join round r on r.code = t.round_code
    where t.code in (select e.value ->> 'code' from jsonb_each($2) e) order by t.code";
/// Run, reviewer, releaser, rule, time, signature, hash, tubes. `is true` here and below keeps
/// PostgreSQL from joining the calls with the list, which it reads anew for each call because it
/// expects one: of 120 ms for the statuses of a plate of 384 that took 25.
pub const RESULTS: &str = "insert into result (id, tube_code, version, outcome, run_id,
        reviewed_by, released_by, rule, released_us, reason, signature_id, content_hash)
    select tube_code || '.1', tube_code, 1, outcome, run_id, $2, $3, cast($4 as text), $5, null,
        $6, $7
    from call where run_id = $1 and state = 'draft' and disposition = 'report'
        and (tube_code in (select e.value ->> 'code' from jsonb_each($8) e)) is true";
/// `$1` run, `$2` time, `$3` tubes. The later swab's answer stands, but nobody's positive is lost
/// behind a negative of a later swab that happened to be ready first (`detected` sorts first).
pub const STATUSES: &str = "insert into status
        (person_key, tube_code, result_id, outcome, collected_us, released_us, pooled)
    select person_key, tube_code, tube_code || '.1', outcome, taken_us, $2, pooled
    from (select m.person_key, m.tube_code, c.outcome, m.taken_us,
            coalesce(p.depth, c.members) as pooled, row_number() over
            (partition by m.person_key order by c.outcome, m.taken_us desc, m.tube_code desc)
            as place
        from call c join member m on m.tube_code = c.tube_code
            left join pool p on p.code = c.pool_code
        where c.run_id = $1 and c.state = 'draft' and c.disposition = 'report'
            and (c.tube_code in (select e.value ->> 'code' from jsonb_each($3) e)) is true) as told
    where place = 1
    on conflict (person_key) do update set tube_code = excluded.tube_code,
        result_id = excluded.result_id, outcome = excluded.outcome,
        collected_us = excluded.collected_us, released_us = excluded.released_us,
        pooled = excluded.pooled
    where (excluded.collected_us, excluded.tube_code) >= (status.collected_us, status.tube_code)
        or (excluded.outcome = 'detected' and status.outcome <> 'detected')";
/// `$1` tubes. 380 of them take PostgreSQL 8.5 ms, and 7.1 as a list (`benches/statements.rs`).
pub const ATTEMPTED: &str = "update tube set attempt = attempt + 1
    where code in (select e.value ->> 'code' from jsonb_each($1) e)";
/// `$1` run, `$2` tubes, `$3` state. 380 tubes take PostgreSQL 3.0 ms, and 2.3 as a list.
pub const CALLS_MOVE: &str = "update call set state = $3 where run_id = $1 and state = 'draft'
    and (tube_code in (select e.value ->> 'code' from jsonb_each($2) e)) is true";
/// `$1` run: tubes whose call still waits.
pub const CALLS_LEFT: &str =
    "select tube_code from call where run_id = $1 and state = 'draft' order by tube_code";
/// `$1` plate.
pub const PLATE_CLOSE: &str = "update plate set state = 'closed' where code = $1
    and state = 'frozen'";

/// What became of the tubes of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Released {
    /// Tubes whose members were told a result.
    pub reported: Vec<String>,
    /// Tubes that go back to be run again.
    pub retested: Vec<String>,
    /// Tubes that end without a result; every member is recalled.
    pub recalled: Vec<String>,
    /// Recalls opened, one per member.
    pub recalls_opened: u64,
    /// Tubes whose recalled members were answered by single tubes of this run.
    pub recalls_closed: u64,
}

/// How a release is signed in its results.
struct Signed<'a> {
    reviewed_by: &'a str,
    released_by: &'a str,
    rule: Option<&'a str>,
    signature: &'a str,
    content_hash: &'a str,
    at: Time,
}

/// Releases every call of a cleared run that still waits.
pub async fn release(
    tx: &mut Tx,
    clock: &Clock,
    cleared: &Cleared,
    due_in: Span,
) -> Result<Released> {
    let run = &cleared.content.run;
    let waiting = calls_left(tx, run).await?;
    let with = |step: Step| -> Vec<String> {
        let calls = cleared.content.calls.iter();
        calls
            .filter(|call| call.disposition == step && waiting.contains(&call.tube))
            .map(|call| call.tube.clone())
            .collect()
    };
    let signed = Signed {
        reviewed_by: &cleared.review.account,
        released_by: &cleared.release.account,
        rule: None,
        signature: &cleared.release.id,
        content_hash: &cleared.release.content_hash,
        at: cleared.release.signed,
    };
    let mut released = Released {
        reported: with(Step::Report),
        retested: with(Step::Retest),
        recalled: with(Step::Recall),
        ..Released::default()
    };
    let names = (cleared.review.signer.as_str(), cleared.release.signer.as_str());
    refuse_incomplete(tx, run, &released.reported, names).await?;
    report(tx, run, &released.reported, &signed).await?;
    retest(tx, &released.retested, signed.at).await?;
    released.recalls_opened = close(tx, clock, cleared, &released.recalled, due_in).await?;
    released.recalls_closed =
        answer(tx, &cleared.content.calls, &released.reported, signed.at).await?;
    settle_calls(tx, run, cleared.content.calls.iter().map(|call| &call.tube)).await?;
    pools::called(tx, run, signed.at).await?;
    on!(tx, c => query(PLATE_CLOSE).bind(&cleared.content.plate).execute(c).await.map(drop))?;
    Ok(released)
}

/// Releases these clean negatives of an accepted run by rule.
pub async fn release_by_rule(
    tx: &mut Tx,
    reviewed: &super::Reviewed,
    rule: &super::Signature,
    clean: &[String],
) -> Result<()> {
    let content = reviewed.content();
    let review = reviewed.review();
    let signed = Signed {
        reviewed_by: &review.account,
        released_by: CLEAN_NEGATIVE_RULE,
        rule: Some(CLEAN_NEGATIVE_RULE),
        signature: &rule.id,
        content_hash: &rule.content_hash,
        at: rule.signed,
    };
    refuse_incomplete(tx, &content.run, clean, (&review.signer, CLEAN_NEGATIVE_RULE)).await?;
    report(tx, &content.run, clean, &signed).await?;
    answer(tx, &content.calls, clean, signed.at).await?;
    settle_calls(tx, &content.run, clean).await?;
    pools::called(tx, &content.run, signed.at).await?;
    if calls_left(tx, &content.run).await?.is_empty() {
        store::run_move(tx, &content.run, "reviewed", "released").await?;
        on!(tx, c => query(PLATE_CLOSE).bind(&content.plate).execute(c).await.map(drop))?;
    }
    Ok(())
}

/// Tubes of a run whose call still waits.
async fn calls_left(tx: &mut Tx, run: &str) -> Result<Vec<String>> {
    Ok(on!(tx, c => query_scalar(CALLS_LEFT).bind(run).fetch_all(c).await)?)
}

/// A report that would lack a field is not released (R25).
async fn refuse_incomplete(
    tx: &mut Tx,
    run: &str,
    tubes: &[String],
    (reviewer, releaser): (&str, &str),
) -> Result<()> {
    if tubes.is_empty() {
        return Ok(());
    }
    let list = codes(tubes);
    let fields: Vec<ReportFields> =
        on!(tx, c => query_as(REPORT_FIELDS).bind(run).bind(&list).fetch_all(c).await)?;
    ensure_rows("REPORT_FIELDS", tubes.len() as u64, fields.len() as u64)?;
    refuse_if_any(
        fields.iter().flat_map(|row| rules::missing_fields(row, reviewer, releaser)).collect(),
    )
}

async fn report(tx: &mut Tx, run: &str, tubes: &[String], signed: &Signed<'_>) -> Result<()> {
    if tubes.is_empty() {
        return Ok(());
    }
    let list = codes(tubes);
    let written = on!(tx, c => query(RESULTS).bind(run).bind(signed.reviewed_by)
        .bind(signed.released_by).bind(signed.rule).bind(signed.at).bind(signed.signature)
        .bind(signed.content_hash).bind(&list).execute(c).await
        .map(|done| done.rows_affected()))?;
    ensure_rows("RESULTS", tubes.len() as u64, written)?;
    on!(tx, c => query(STATUSES).bind(run).bind(signed.at).bind(&list)
        .execute(c).await.map(drop))?;
    go(tx, tubes, TubeState::Released, signed.at).await?;
    outbox::append(tx, outbox::Change::Released, tubes, signed.at).await
}

async fn retest(tx: &mut Tx, tubes: &[String], at: Time) -> Result<()> {
    if tubes.is_empty() {
        return Ok(());
    }
    go(tx, tubes, TubeState::Received, at).await?;
    let list = codes(tubes);
    let counted = on!(tx, c => query(ATTEMPTED).bind(&list).execute(c).await
        .map(|done| done.rows_affected()))?;
    Ok(ensure_rows("ATTEMPTED", tubes.len() as u64, counted)?)
}

/// Ends tubes without a result and recalls their members; a tube that was itself the answer to a
/// recall puts that recall back.
async fn close(
    tx: &mut Tx,
    clock: &Clock,
    cleared: &Cleared,
    tubes: &[String],
    due_in: Span,
) -> Result<u64> {
    if tubes.is_empty() {
        return Ok(0);
    }
    let at = cleared.release.signed;
    go(tx, tubes, TubeState::Closed, at).await?;
    recalls_reopen(tx, tubes).await?;
    let mut opened = 0;
    for (outcome, reason) in [
        (Outcome::Detected, RecallReason::Detected),
        (Outcome::Inconclusive, RecallReason::Inconclusive),
        (Outcome::Invalid, RecallReason::Invalid),
    ] {
        let calls = cleared.content.calls.iter();
        let because: Vec<&str> = calls
            .filter(|call| call.outcome == outcome && tubes.contains(&call.tube))
            .map(|call| call.tube.as_str())
            .collect();
        let opening = Opening { reason, at, due: at + due_in };
        opened += recalls_open(tx, clock, &because, opening).await?;
    }
    Ok(opened)
}

/// Closes the recalls that single tubes among `reported` answer, and says of how many tubes.
async fn answer(tx: &mut Tx, calls: &[StoredCall], reported: &[String], at: Time) -> Result<u64> {
    let answered: Vec<_> = calls
        .iter()
        .filter(|call| call.members == 1 && reported.contains(&call.tube))
        .map(|call| Answered {
            tube: &call.tube,
            outcome: match call.outcome {
                Outcome::Detected => RecallOutcome::Detected,
                _ => RecallOutcome::NotDetected,
            },
        })
        .collect();
    Ok(recalls_close(tx, &answered, at).await?.len() as u64)
}

async fn go(tx: &mut Tx, tubes: &[String], to: TubeState, at: Time) -> Result<()> {
    let step = TubesMove { from: TubeState::Plated, to, at, laboratory: None };
    let moved = tubes_move(tx, tubes, step).await?;
    Ok(ensure_rows("TUBES_MOVE", tubes.len() as u64, moved)?)
}

async fn settle_calls<S: AsRef<str>>(
    tx: &mut Tx,
    run: &str,
    tubes: impl IntoIterator<Item = S>,
) -> Result<()> {
    let list = codes(tubes);
    on!(tx, c => query(CALLS_MOVE).bind(run).bind(&list).bind("released")
        .execute(c).await.map(drop))?;
    Ok(())
}

/// Voids a run: its calls count for nothing and its tubes go back to be run again.
pub async fn void(tx: &mut Tx, content: &super::RunContent, at: Time) -> Result<Vec<String>> {
    let tubes = calls_left(tx, &content.run).await?;
    if !tubes.is_empty() {
        go(tx, &tubes, TubeState::Received, at).await?;
        let list = codes(&tubes);
        on!(tx, c => query(CALLS_MOVE).bind(&content.run).bind(&list).bind("void")
            .execute(c).await.map(drop))?;
    }
    pools::back(tx, &content.plate, at).await?;
    on!(tx, c => query(PLATE_CLOSE).bind(&content.plate).execute(c).await.map(drop))?;
    Ok(tubes)
}
