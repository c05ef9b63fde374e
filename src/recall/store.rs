//! Recalls opened, answered and closed by the batch: one statement each, however many people.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query, query_as, query_scalar};

use super::{Answered, Contact, Opening, RecallOutcome, RecallReason, RecallState};
use crate::clock::{Clock, Time};
use crate::error::Result;
use crate::seal::PersonKey;
use crate::storage::outbox::{self, Change};
use crate::storage::{Tx, codes, json};

/// `$1` tubes; the order keeps two batches from waiting for each other in a ring.
pub const MEMBERS_TO_RECALL: &str = "select m.tube_code, m.person_key, t.site_code
    from tube t join member m on m.tube_code = t.code
    where t.code in (select e.value ->> 'code' from jsonb_each($1) e)
    order by m.tube_code, m.position";
/// `$1` rows, `$2` reason, `$3` time, `$4` deadline; a member recalled before stays as it is. Twenty
/// of them take PostgreSQL 3.9 ms, 3.4 as tuples or as a list for each column.
pub const RECALLS_OPEN: &str = "insert into recall (id, person_key, origin_tube, site_code, reason,
        opened_us, due_us, contact, note, state)
    select e.value ->> 'id', e.value ->> 'person', e.value ->> 'tube', e.value ->> 'site', $2,
        cast($3 as bigint), cast($4 as bigint), 'none', '', 'open'
    from jsonb_each($1) e where true on conflict do nothing returning origin_tube";
/// `$1` tubes; only single ones sealed, by our clock, after the recall was opened answer it.
pub const RECALLS_COLLECTED: &str =
    "update recall set state = 'collected', answer_tube = a.tube_code
    from (select r.id, min(t.code) as tube_code
        from jsonb_each($1) e join tube t on t.code = e.value ->> 'code'
        join member m on m.tube_code = t.code join recall r on r.person_key = m.person_key
        where t.size = 1 and t.sealed_us > r.opened_us and t.code <> r.origin_tube
            and r.state = 'open'
        group by r.id) a
    where recall.id = a.id and recall.state = 'open'";
/// `$1` tubes and outcomes, `$2` time. Any single tube sealed after the recall was opened answers
/// it, whether or not it was the one that was linked on arrival.
pub const RECALLS_CLOSE: &str =
    "update recall set state = 'closed', closed_us = cast($2 as bigint),
        answer_tube = a.tube_code, outcome = a.outcome
    from (select r.id, t.code as tube_code, e.value ->> 'outcome' as outcome, row_number() over
            (partition by r.id order by e.value ->> 'outcome', t.code) as place
        from jsonb_each($1) e join tube t on t.code = e.value ->> 'tube'
        join member m on m.tube_code = t.code
        join recall r on r.person_key = m.person_key
        where t.size = 1 and t.sealed_us > r.opened_us and t.code <> r.origin_tube
            and r.state <> 'closed') a
    where recall.id = a.id and a.place = 1 and recall.state <> 'closed'
    returning answer_tube";
/// `$1` tubes.
pub const RECALLS_REOPEN: &str = "update recall set state = 'open', answer_tube = null
    where state = 'collected' and answer_tube in (select e.value ->> 'code' from jsonb_each($1) e)";
/// Site or null, deadline and id to begin behind, limit, state or null, area or null; what is not
/// closed.
pub const RECALLS_LIVE: &str = "select id, person_key, origin_tube, site_code, reason, opened_us,
        due_us, contact, note, state, answer_tube, closed_us, outcome
    from recall where state <> 'closed' and (due_us, id) > ($2, $3)
        and (cast($1 as text) is null or site_code = $1)
        and (cast($5 as text) is null or state = $5)
        and (cast($6 as text) is null or site_code in (select code from site where area = $6))
    order by due_us, id limit $4";
/// Site or null, deadline and id to begin behind, limit, area or null; what is closed.
pub const RECALLS_CLOSED: &str = "select id, person_key, origin_tube, site_code, reason, opened_us,
        due_us, contact, note, state, answer_tube, closed_us, outcome
    from recall where state = 'closed' and (due_us, id) > ($2, $3)
        and (cast($1 as text) is null or site_code = $1)
        and (cast($5 as text) is null or site_code in (select code from site where area = $5))
    order by due_us, id limit $4";
/// `$1` site or null, `$2` time, `$3` area or null.
pub const RECALLS_COUNT: &str = "select count(*) filter (where state = 'open') as open,
        count(*) filter (where state = 'collected') as collected,
        count(*) filter (where state = 'open' and due_us < $2) as overdue
    from recall where state <> 'closed' and (cast($1 as text) is null or site_code = $1)
        and (cast($3 as text) is null or site_code in (select code from site where area = $3))";
/// `$1` id.
pub const RECALL_FIND: &str = "select id, person_key, origin_tube, site_code, reason, opened_us,
        due_us, contact, note, state, answer_tube, closed_us, outcome
    from recall where id = $1";
/// Id, contact, note.
pub const RECALL_CONTACT: &str = "update recall set contact = $2, note = $3
    where id = $1 and state <> 'closed'";
/// `$1` ids of recalls: the identity each person gave at the swab that is followed up, whatever
/// was given with the same document since.
pub const IDENTITIES: &str = "select r.id as recall_id, p.key, p.identity_tag, p.identity
    from recall r join member m on m.tube_code = r.origin_tube and m.person_key = r.person_key
        join person p on p.key = m.person_key and p.identity_tag = m.identity_tag
    where r.id in (select e.value ->> 'code' from jsonb_each($1) e)";

/// A recall as it is stored; its note is sealed.
#[derive(Debug, Clone, FromRow)]
pub struct RecallRow {
    /// Its id.
    pub id: String,
    /// Whom it calls.
    pub person_key: PersonKey,
    /// The tube it follows up.
    pub origin_tube: String,
    /// Where that tube was sealed.
    pub site_code: String,
    /// Why.
    pub reason: RecallReason,
    /// Since when.
    #[sqlx(rename = "opened_us")]
    pub opened: Time,
    /// By when the person is to be collected again.
    #[sqlx(rename = "due_us")]
    pub due: Time,
    /// Whether the person was reached.
    pub contact: Contact,
    /// What the officer noted: sealed, in base64url; empty when nothing was.
    pub note: String,
    /// Where it is.
    pub state: RecallState,
    /// The single tube that answers it.
    pub answer_tube: Option<String>,
    /// When it was closed.
    #[sqlx(rename = "closed_us")]
    pub closed: Option<Time>,
    /// What the answering tube said.
    pub outcome: Option<RecallOutcome>,
}

/// How many people are still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct RecallCounts {
    /// To be collected again.
    pub open: i64,
    /// Collected and waiting for a result.
    pub collected: i64,
    /// To be collected again, and late.
    pub overdue: i64,
}

#[derive(FromRow)]
struct MemberRow {
    tube_code: String,
    person_key: String,
    site_code: String,
}

#[derive(Serialize)]
struct NewRecall<'a> {
    id: String,
    person: &'a str,
    tube: &'a str,
    site: &'a str,
}

/// Opens one recall for every member of these tubes and tells the feed; a member recalled for
/// the same tube before stays as it is. Says how many were opened.
pub async fn recalls_open<S: AsRef<str>>(
    tx: &mut Tx,
    clock: &Clock,
    tubes: &[S],
    opening: Opening,
) -> Result<u64> {
    if tubes.is_empty() {
        return Ok(0);
    }
    let tubes = codes(tubes);
    let members: Vec<MemberRow> =
        on!(tx, c => query_as(MEMBERS_TO_RECALL).bind(&tubes).fetch_all(c).await)?;
    let rows: Vec<_> = members
        .iter()
        .map(|member| NewRecall {
            id: clock.id().to_string(),
            person: &member.person_key,
            tube: &member.tube_code,
            site: &member.site_code,
        })
        .collect();
    let rows = json(&rows);
    let opened: Vec<String> = on!(tx, c => query_scalar(RECALLS_OPEN).bind(&rows)
        .bind(opening.reason).bind(opening.at).bind(opening.due).fetch_all(c).await)?;
    // Their newest tube may be another one.
    tx.concerns(members.iter().map(|member| &member.person_key));
    let origins: BTreeSet<_> = opened.iter().collect();
    outbox::append(tx, Change::RecallOpened, origins, opening.at).await?;
    Ok(opened.len() as u64)
}

/// Single tubes were received: an open recall of the same person, opened before the tube was
/// sealed, is now collected. Larger tubes answer nothing. Says how many were.
///
/// It need not be asked of others: a box took 14 ms of PostgreSQL's time on average, on a day on
/// which 1,340 people were recalled and much else was done beside it.
pub async fn recalls_collected<S: AsRef<str>>(tx: &mut Tx, tubes: &[S]) -> Result<u64> {
    if tubes.is_empty() {
        return Ok(0);
    }
    let tubes = codes(tubes);
    Ok(on!(tx, c => query(RECALLS_COLLECTED).bind(&tubes)
        .execute(c).await.map(|done| done.rows_affected()))?)
}

/// Single tubes have a result: the recalls they answer are closed, and the feed is told of each
/// answering tube, whose one member is free of that recall. Gives those tubes, each once.
pub async fn recalls_close(
    tx: &mut Tx,
    answered: &[Answered<'_>],
    at: Time,
) -> Result<BTreeSet<String>> {
    #[derive(Serialize)]
    struct Row<'a> {
        tube: &'a str,
        outcome: RecallOutcome,
    }
    if answered.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<_> =
        answered.iter().map(|one| Row { tube: one.tube, outcome: one.outcome }).collect();
    let rows = json(&rows);
    let answers: Vec<String> =
        on!(tx, c => query_scalar(RECALLS_CLOSE).bind(&rows).bind(at).fetch_all(c).await)?;
    let answers: BTreeSet<_> = answers.into_iter().collect();
    outbox::append(tx, Change::RecallClosed, &answers, at).await?;
    Ok(answers)
}

/// Single tubes turned out to be no answer, refused or invalid: their recalls are open again.
/// Says how many are.
pub async fn recalls_reopen<S: AsRef<str>>(tx: &mut Tx, tubes: &[S]) -> Result<u64> {
    if tubes.is_empty() {
        return Ok(0);
    }
    let tubes = codes(tubes);
    Ok(on!(tx, c => query(RECALLS_REOPEN).bind(&tubes)
        .execute(c).await.map(|done| done.rows_affected()))?)
}

/// Where a recall stands in the list: by its deadline, then by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    due_us: i64,
    id: String,
}

impl Position {
    /// Before the first recall there can be.
    pub const fn start() -> Self {
        Self { due_us: i64::MIN, id: String::new() }
    }
}

impl From<&RecallRow> for Position {
    fn from(row: &RecallRow) -> Self {
        Self { due_us: row.due.us(), id: row.id.clone() }
    }
}

/// Which recalls a page shows.
#[derive(Debug, Clone)]
pub struct PageQuery {
    /// Only of this site.
    pub site: Option<String>,
    /// Only of the sites of this area.
    pub area: Option<String>,
    /// Only in this state; none means whatever is not closed.
    pub state: Option<RecallState>,
    /// Where the page before ended.
    pub after: Position,
    /// How many at most.
    pub limit: i64,
}

/// One page of recalls in the order of their deadlines.
pub async fn recalls_page(tx: &mut Tx, page: &PageQuery) -> Result<Vec<RecallRow>> {
    let PageQuery { site, area, state, after, limit } = page;
    if *state == Some(RecallState::Closed) {
        return Ok(on!(tx, c => query_as(RECALLS_CLOSED).bind(site).bind(after.due_us)
            .bind(&after.id).bind(limit).bind(area).fetch_all(c).await)?);
    }
    Ok(
        on!(tx, c => query_as(RECALLS_LIVE).bind(site).bind(after.due_us).bind(&after.id).bind(limit)
        .bind(*state).bind(area).fetch_all(c).await)?,
    )
}

/// How many people are still to come, at the sites of a page.
pub async fn recalls_count(tx: &mut Tx, page: &PageQuery, now: Time) -> Result<RecallCounts> {
    let PageQuery { site, area, .. } = page;
    Ok(on!(tx, c => query_as(RECALLS_COUNT).bind(site).bind(now).bind(area).fetch_one(c).await)?)
}

/// The recall with this id.
pub async fn recall_find(tx: &mut Tx, id: &str) -> Result<Option<RecallRow>> {
    Ok(on!(tx, c => query_as(RECALL_FIND).bind(id).fetch_optional(c).await)?)
}

/// Notes whether the person was reached; false when the recall was closed meanwhile.
pub async fn recall_contact(tx: &mut Tx, id: &str, contact: Contact, note: &str) -> Result<bool> {
    let noted = on!(tx, c => query(RECALL_CONTACT).bind(id).bind(contact).bind(note)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(noted == 1)
}

/// Whom a recall calls, sealed.
#[derive(Debug, Clone, FromRow)]
pub struct SealedIdentity {
    /// The recall's id.
    pub recall_id: String,
    /// The person.
    pub key: PersonKey,
    /// The tag of what was given.
    pub identity_tag: String,
    /// What was given, sealed for key and tag.
    pub identity: Vec<u8>,
}

/// The sealed identities of the people these recalls call.
pub async fn identities<S: AsRef<str>>(
    tx: &mut Tx,
    recalls: impl IntoIterator<Item = S>,
) -> Result<Vec<SealedIdentity>> {
    let recalls = codes(recalls);
    Ok(on!(tx, c => query_as(IDENTITIES).bind(&recalls).fetch_all(c).await)?)
}

/// Every statement of this file, so that a test can prepare each on both engines.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("MEMBERS_TO_RECALL", MEMBERS_TO_RECALL),
    ("RECALLS_OPEN", RECALLS_OPEN),
    ("RECALLS_COLLECTED", RECALLS_COLLECTED),
    ("RECALLS_CLOSE", RECALLS_CLOSE),
    ("RECALLS_REOPEN", RECALLS_REOPEN),
    ("RECALLS_LIVE", RECALLS_LIVE),
    ("RECALLS_CLOSED", RECALLS_CLOSED),
    ("RECALLS_COUNT", RECALLS_COUNT),
    ("RECALL_FIND", RECALL_FIND),
    ("RECALL_CONTACT", RECALL_CONTACT),
    ("IDENTITIES", IDENTITIES),
];
