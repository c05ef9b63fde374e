//! Amendments: a new version linked to the old one, with a reason, after two people asked for it
//! (R24). The old version stays and stays readable.

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query, query_as};
use utoipa::ToSchema;

use super::{Meaning, Signature, rules, standing, store};
use crate::auth::Actor;
use crate::clock::{Clock, Span, Time};
use crate::error::{Error, Result, refuse_if_any};
use crate::recall::store::recalls_open;
use crate::recall::{Opening, RecallReason};
use crate::storage::{Tx, outbox};

/// `$1` result.
pub const RESULT_FIND: &str = "select r.id, r.tube_code, r.version, r.outcome, r.run_id, t.members,
        t.laboratory_code,
        (select max(v.version) from result v where v.tube_code = r.tube_code) as newest
    from result r join tube t on t.code = r.tube_code where r.id = $1";
/// `$1` tube, `$2` version, with the recalls it opened.
pub const NEXT: &str = "select r.id, r.outcome, r.reason, r.reviewed_by, r.released_by,
        (select count(*) from recall c where c.origin_tube = r.tube_code
            and c.opened_us = r.released_us) as recalls
    from result r where r.tube_code = $1 and r.version = $2";
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
/// `$1` tube, `$2` outcome: what the recalls it answered say.
pub const RECALLS_AMEND: &str = "update recall set outcome = $2
    where answer_tube = $1 and state = 'closed'";
/// `$1` laboratory or null for all.
pub const WAITING: &str = "select a.result_id, r.outcome as present, a.outcome, a.reason,
        a.proposed_by, a.proposed_us
    from amendment a join result r on r.id = a.result_id join tube t on t.code = r.tube_code
    where a.settled_us is null
        and (cast($1 as text) is null or t.laboratory_code = cast($1 as text))
    order by a.proposed_us, a.id";

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

/// Why a result is amended; coded, because free text invites names (R29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum AmendReason {
    /// Tubes, wells or people were mixed up.
    MixedUp,
    /// The well or the tube was contaminated.
    Contaminated,
    /// It was run with a kit that does not suit it.
    WrongKit,
    /// The instrument was at fault.
    InstrumentFault,
    /// Another laboratory found otherwise.
    RetestedElsewhere,
    /// A record was wrong.
    Clerical,
}

impl AmendReason {
    /// As it stands in what people sign: never changed, or what they signed is not found again.
    const fn signed(self) -> &'static str {
        match self {
            Self::MixedUp => "MixedUp",
            Self::Contaminated => "Contaminated",
            Self::WrongKit => "WrongKit",
            Self::InstrumentFault => "InstrumentFault",
            Self::RetestedElsewhere => "RetestedElsewhere",
            Self::Clerical => "Clerical",
        }
    }
}

/// What a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// What the result should say.
    pub outcome: AmendedOutcome,
    /// Why.
    pub reason: AmendReason,
}

/// How far an amendment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Amendment {
    /// The result it is about.
    pub result: String,
    /// `proposed` waits for a second person, `amended` is done.
    pub state: AmendmentState,
    /// What is asked for, with its reason: what the second person puts a name to.
    pub wanted: Wanted,
    /// The account that asked for it.
    pub proposed_by: String,
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
struct NextRow {
    id: String,
    outcome: String,
    reason: Option<AmendReason>,
    reviewed_by: String,
    released_by: String,
    recalls: i64,
}

#[derive(FromRow)]
struct Proposal {
    id: String,
    outcome: AmendedOutcome,
    reason: AmendReason,
    proposed_by: String,
}

impl Proposal {
    const fn wanted(&self) -> Wanted {
        Wanted { outcome: self.outcome, reason: self.reason }
    }
}

/// An amendment that waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize, Deserialize, ToSchema)]
pub struct WaitingAmendment {
    /// The result.
    #[serde(rename = "result")]
    pub result_id: String,
    /// What it says now.
    pub present: String,
    /// What it should say.
    pub outcome: AmendedOutcome,
    /// Why.
    pub reason: AmendReason,
    /// The account that asked for it.
    pub proposed_by: String,
    /// When.
    #[sqlx(rename = "proposed_us")]
    #[serde(rename = "proposed_at")]
    pub proposed: Time,
}

/// The result, whether it is the newest of its tube or not.
pub async fn result_find(tx: &mut Tx, result: &str) -> Result<ResultRow> {
    Error::refuse_nul("result", result)?;
    let row: Option<ResultRow> =
        on!(tx, c => query_as(RESULT_FIND).bind(result).fetch_optional(c).await)?;
    row.ok_or_else(|| Error::not_found("result", result))
}

/// The amendment that was made of this result, for the one who confirmed just that and did not get
/// the answer; none while it is the newest of its tube. Whoever else asks, or for something else, is
/// refused: who proposed it was answered by a proposal.
pub async fn repeated(
    tx: &mut Tx,
    actor: &Actor,
    (result, wanted): (&ResultRow, Wanted),
) -> Result<Option<Amendment>> {
    if result.version == result.newest {
        return Ok(None);
    }
    let next: Option<NextRow> = on!(tx, c => query_as(NEXT).bind(&result.tube_code)
        .bind(result.version + 1).fetch_optional(c).await)?;
    let own = next.filter(|next| {
        next.outcome == wanted.outcome.as_str()
            && next.reason == Some(wanted.reason)
            && next.released_by == actor.account
    });
    let Some(NextRow { id, reviewed_by, recalls, .. }) = own else {
        let ResultRow { id, newest, .. } = result;
        let message = format!("result {id} was amended already; amend version {newest}");
        return Err(Error::conflict("amend.superseded", id, message));
    };
    Ok(Some(Amendment {
        result: result.id.clone(),
        state: AmendmentState::Amended,
        wanted,
        proposed_by: reviewed_by,
        amended_to: Some(id),
        recalls_opened: recalls.unsigned_abs(),
    }))
}

/// Amendments that wait in a laboratory, or anywhere when none is named; oldest first.
pub async fn waiting(tx: &mut Tx, laboratory: Option<&str>) -> Result<Vec<WaitingAmendment>> {
    Ok(on!(tx, c => query_as(WAITING).bind(laboratory).fetch_all(c).await)?)
}

/// The first person's wish is written down; a second, different person's same wish carries it
/// out. Another wish, also of the first person, takes the place of the one that waits.
pub async fn amend(
    tx: &mut Tx,
    clock: &Clock,
    actor: &Actor,
    (result, wanted): (ResultRow, Wanted),
    due_in: Span,
) -> Result<Amendment> {
    refuse_if_any(rules::against_amendment(result.members, &result.outcome, wanted.outcome))?;
    let proposal: Option<Proposal> =
        on!(tx, c => query_as(PROPOSAL_FIND).bind(&result.id).fetch_optional(c).await)?;
    match proposal {
        None => propose(tx, clock, actor, &result, wanted).await,
        Some(proposal) if proposal.wanted() != wanted => {
            settle(tx, &proposal, &result, clock.now()).await?;
            propose(tx, clock, actor, &result, wanted).await
        }
        Some(proposal) if proposal.proposed_by == actor.account => {
            Ok(proposed(&result, wanted, &proposal.proposed_by))
        }
        Some(proposal) => carry_out(tx, clock, actor, (&result, &proposal), due_in).await,
    }
}

fn proposed(result: &ResultRow, wanted: Wanted, proposed_by: &str) -> Amendment {
    Amendment {
        result: result.id.clone(),
        state: AmendmentState::Proposed,
        wanted,
        proposed_by: proposed_by.to_owned(),
        amended_to: None,
        recalls_opened: 0,
    }
}

async fn settle(tx: &mut Tx, proposal: &Proposal, result: &ResultRow, at: Time) -> Result<()> {
    let settled = on!(tx, c => query(SETTLE).bind(&proposal.id).bind(at)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if settled == 0 {
        return Err(Error::conflict("amend.settled", &result.id, "it was amended a moment ago"));
    }
    Ok(())
}

async fn propose(
    tx: &mut Tx,
    clock: &Clock,
    actor: &Actor,
    result: &ResultRow,
    wanted: Wanted,
) -> Result<Amendment> {
    let signature =
        Signature::new(clock, actor, Meaning::ProposeAmendment, hash(&result.id, wanted));
    store::sign(tx, &result.id, &signature, None).await?;
    let written = on!(tx, c => query(PROPOSE).bind(clock.id().to_string()).bind(&result.id)
        .bind(wanted.outcome).bind(wanted.reason).bind(&actor.account).bind(signature.signed)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if written == 0 {
        return Err(Error::conflict(
            "amend.other_proposal",
            &result.id,
            "somebody proposed an amendment at the same moment; look at it again",
        ));
    }
    Ok(proposed(result, wanted, &actor.account))
}

/// What the two who amend a result put their names to.
pub(super) fn hash(result: &str, wanted: Wanted) -> String {
    let Wanted { outcome, reason } = wanted;
    let covered = format!("{result}\n{}\n{}", outcome.as_str(), reason.signed());
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
    let wanted = proposal.wanted();
    let signature = Signature::new(clock, actor, Meaning::Amend, hash(&result.id, wanted));
    store::sign(tx, &result.id, &signature, None).await?;
    let at = signature.signed;
    settle(tx, proposal, result, at).await?;
    let version = result.version + 1;
    let id = format!("{}.{version}", result.tube_code);
    on!(tx, c => query(AMEND).bind(&id).bind(&result.tube_code).bind(version)
        .bind(wanted.outcome).bind(&result.run_id).bind(&proposal.proposed_by)
        .bind(&actor.account).bind(at).bind(wanted.reason).bind(&signature.id)
        .bind(&signature.content_hash).execute(c).await.map(drop))?;
    standing::statuses_settle(tx, &result.tube_code).await?;
    outbox::append(tx, outbox::Change::Amended, [&result.tube_code], at).await?;
    on!(tx, c => query(RECALLS_AMEND).bind(&result.tube_code).bind(wanted.outcome)
        .execute(c).await.map(drop))?;
    let recalls_opened = withdraw(tx, clock, &result.tube_code, wanted, (at, due_in)).await?;
    Ok(Amendment {
        result: result.id.clone(),
        state: AmendmentState::Amended,
        wanted,
        proposed_by: proposal.proposed_by.clone(),
        amended_to: Some(id),
        recalls_opened,
    })
}

/// A withdrawn result leaves nobody without an answer: its members are collected again.
async fn withdraw(
    tx: &mut Tx,
    clock: &Clock,
    tube: &str,
    wanted: Wanted,
    (at, due_in): (Time, Span),
) -> Result<u64> {
    if wanted.outcome != AmendedOutcome::Withdrawn {
        return Ok(0);
    }
    // At the moment of the amendment, for the feed tells by these times who was recalled just then.
    let opening = Opening { reason: RecallReason::Invalid, at, due: at + due_in };
    recalls_open(tx, clock, &[tube], opening).await
}
