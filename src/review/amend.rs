//! Amendments: a new version linked to the old one, with a reason, after two people asked for it
//! (R24). The old version stays and stays readable.

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query, query_as};
use utoipa::ToSchema;

use super::{Meaning, Signature, rules, store};
use crate::auth::Actor;
use crate::clock::{Clock, Span, Time};
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::recall::store::recalls_open;
use crate::recall::{Opening, RecallReason};
use crate::storage::{Tx, outbox};

/// `$1` result.
pub const RESULT_FIND: &str = "select r.id, r.tube_code, r.version, r.outcome, r.run_id, t.members,
        t.laboratory_code,
        (select max(v.version) from result v where v.tube_code = r.tube_code) as newest
    from result r join tube t on t.code = r.tube_code where r.id = $1";
/// `$1` result.
pub const PROPOSAL_FIND: &str = "select id, outcome, reason, proposed_by from amendment
    where result_id = $1 and settled_us is null";
/// Id, result, outcome, reason, who, when.
pub const PROPOSE: &str = "insert into amendment
    (id, result_id, outcome, reason, proposed_by, proposed_us) values ($1, $2, $3, $4, $5, $6)
    on conflict do nothing";
/// `$1` amendment, `$2` time.
pub const SETTLE: &str =
    "update amendment set settled_us = $2 where id = $1 and settled_us is null";
/// Id, tube, version, outcome, run, proposer, confirmer, time, reason, signature, hash.
pub const AMEND: &str = "insert into result (id, tube_code, version, outcome, run_id, reviewed_by,
        released_by, rule, released_us, reason, signature_id, content_hash)
    values ($1, $2, $3, $4, $5, $6, $7, null, $8, $9, $10, $11)";
/// `$1` tube, `$2` result, `$3` outcome, `$4` time; only people whose answer this tube is.
pub const STATUSES_AMEND: &str = "update status set result_id = $2, outcome = $3, released_us = $4
    where tube_code = $1 and person_key in (select person_key from member where tube_code = $1)";

/// What an amended result says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum AmendedOutcome {
    /// The target was found; only for a single tube.
    Detected,
    /// It was not.
    NotDetected,
    /// Nothing can be said; every member is collected again.
    Withdrawn,
}

impl AmendedOutcome {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Detected => "detected",
            Self::NotDetected => "not_detected",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// What the result should say.
    pub outcome: AmendedOutcome,
    /// Why; without a name or ID number.
    pub reason: String,
}

/// How far an amendment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Amendment {
    /// The result it is about.
    pub result: String,
    /// `proposed` waits for a second person, `amended` is done.
    pub state: AmendmentState,
    /// The new version, once there is one.
    pub amended_to: Option<String>,
    /// Recalls a withdrawal opened.
    pub recalls_opened: u64,
}

/// Where an amendment is between its two people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AmendmentState {
    /// One person asked for it.
    Proposed,
    /// Two people did, and it is done.
    Amended,
}

/// A result as amending needs it.
#[derive(Debug, FromRow)]
pub struct ResultRow {
    id: String,
    tube_code: String,
    version: i64,
    outcome: String,
    run_id: String,
    members: i64,
    /// The laboratory that may amend it.
    pub laboratory_code: Option<String>,
    newest: i64,
}

#[derive(FromRow)]
struct Proposal {
    id: String,
    outcome: AmendedOutcome,
    reason: String,
    proposed_by: String,
}

/// The result, if it is the newest of its tube.
pub async fn result_find(tx: &mut Tx, result: &str) -> Result<ResultRow> {
    let row: Option<ResultRow> =
        on!(tx, c => query_as(RESULT_FIND).bind(result).fetch_optional(c).await)?;
    let row = row.ok_or_else(|| Error::not_found("result", result))?;
    if row.version == row.newest {
        Ok(row)
    } else {
        Err(Error::conflict(
            "amend.superseded",
            result,
            format!("result {result} was amended already; amend version {}", row.newest),
        ))
    }
}

/// The first person's wish is written down; the second, different person's carries it out.
pub async fn amend(
    tx: &mut Tx,
    clock: &Clock,
    actor: &Actor,
    (result, wanted): (ResultRow, Wanted),
    due_in: Span,
) -> Result<Amendment> {
    refuse_if_any(rules::against_amendment(
        result.members,
        &result.outcome,
        wanted.outcome,
        &wanted.reason,
    ))?;
    let proposal: Option<Proposal> =
        on!(tx, c => query_as(PROPOSAL_FIND).bind(&result.id).fetch_optional(c).await)?;
    match proposal {
        None => propose(tx, clock, actor, &result, &wanted).await,
        Some(proposal) if proposal.outcome != wanted.outcome => {
            Err(Error::Conflict(vec![Reason::new(
                "amend.other_proposal",
                "outcome",
                "another person proposed another outcome; agree before you amend",
            )]))
        }
        Some(proposal) if proposal.proposed_by == actor.account => Ok(proposed(&result)),
        Some(proposal) => carry_out(tx, clock, actor, (&result, &proposal), due_in).await,
    }
}

fn proposed(result: &ResultRow) -> Amendment {
    Amendment {
        result: result.id.clone(),
        state: AmendmentState::Proposed,
        amended_to: None,
        recalls_opened: 0,
    }
}

async fn propose(
    tx: &mut Tx,
    clock: &Clock,
    actor: &Actor,
    result: &ResultRow,
    wanted: &Wanted,
) -> Result<Amendment> {
    let signature = Signature::new(clock, actor, Meaning::ProposeAmendment, hash(result, wanted));
    store::sign(tx, &result.id, &signature, None).await?;
    let written = on!(tx, c => query(PROPOSE).bind(clock.id().to_string()).bind(&result.id)
        .bind(wanted.outcome).bind(&wanted.reason).bind(&actor.account).bind(signature.signed)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if written == 0 {
        return Err(Error::conflict(
            "amend.other_proposal",
            &result.id,
            "somebody proposed an amendment at the same moment; look at it again",
        ));
    }
    Ok(proposed(result))
}

fn hash(result: &ResultRow, wanted: &Wanted) -> String {
    let covered = format!(
        "{}:{}\n{}\n{}:{}",
        result.id.len(),
        result.id,
        wanted.outcome.as_str(),
        wanted.reason.len(),
        wanted.reason
    );
    let digest = ring::digest::digest(&ring::digest::SHA256, covered.as_bytes());
    data_encoding::HEXLOWER.encode(digest.as_ref())
}

async fn carry_out(
    tx: &mut Tx,
    clock: &Clock,
    actor: &Actor,
    (result, proposal): (&ResultRow, &Proposal),
    due_in: Span,
) -> Result<Amendment> {
    let wanted = Wanted { outcome: proposal.outcome, reason: proposal.reason.clone() };
    let signature = Signature::new(clock, actor, Meaning::Amend, hash(result, &wanted));
    store::sign(tx, &result.id, &signature, None).await?;
    let at = signature.signed;
    let settled = on!(tx, c => query(SETTLE).bind(&proposal.id).bind(at)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if settled == 0 {
        return Err(Error::conflict("amend.settled", &result.id, "it was amended a moment ago"));
    }
    let version = result.version + 1;
    let id = format!("{}.{version}", result.tube_code);
    on!(tx, c => query(AMEND).bind(&id).bind(&result.tube_code).bind(version)
        .bind(wanted.outcome).bind(&result.run_id).bind(&proposal.proposed_by)
        .bind(&actor.account).bind(at).bind(&wanted.reason).bind(&signature.id)
        .bind(&signature.content_hash).execute(c).await.map(drop))?;
    on!(tx, c => query(STATUSES_AMEND).bind(&result.tube_code).bind(&id).bind(wanted.outcome)
        .bind(at).execute(c).await.map(drop))?;
    outbox::append(tx, outbox::Change::Amended, [&result.tube_code], at).await?;
    let recalls_opened = withdraw(tx, clock, &result.tube_code, &wanted, at + due_in).await?;
    Ok(Amendment {
        result: result.id.clone(),
        state: AmendmentState::Amended,
        amended_to: Some(id),
        recalls_opened,
    })
}

/// A withdrawn result leaves nobody without an answer: its members are collected again.
async fn withdraw(
    tx: &mut Tx,
    clock: &Clock,
    tube: &str,
    wanted: &Wanted,
    due: Time,
) -> Result<u64> {
    if wanted.outcome != AmendedOutcome::Withdrawn {
        return Ok(0);
    }
    let opening = Opening { reason: RecallReason::Invalid, at: clock.now(), due };
    recalls_open(tx, clock, &[tube], opening).await
}
