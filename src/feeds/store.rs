//! Reading the stream.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use sqlx::{FromRow, query_as, query_scalar};

use super::Position;
use crate::clock::Time;
use crate::error::Result;
use crate::query::ToldOutcome;
use crate::seal::PersonKey;
use crate::storage::outbox::Change;
use crate::storage::{Sql, Tx, json};

/// The first epoch that may still gain rows.
pub const HORIZON: Sql = Sql {
    sqlite: "select cast(1 as bigint)",
    postgres: "select cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint)",
};
/// `$1` epoch and `$2` number of the last change seen, `$3` horizon, `$4` rows. A release tells
/// version 1; an amendment the newest version there was when it was written. Of tubes an officer
/// seeded nobody is told.
pub const CHANGES: &str = "select f.epoch, f.seq, f.change, f.tube_code, f.at_us,
        (select r.outcome from result r where r.tube_code = f.tube_code
            and ((f.change = 'released' and r.version = 1)
                or (f.change = 'amended' and r.version > 1 and r.released_us <= f.at_us))
            order by r.version desc limit 1) as outcome
    from feed f
    where (f.epoch, f.seq) > ($1, $2) and f.epoch < $3
        and not exists (select 1 from quality_seeded q where q.tube_code = f.tube_code)
    order by f.epoch, f.seq limit $4";
/// `$1` tubes with the time of their change. Whether a member's recall was open just then is read
/// from the recall's own times, so that a replay tells the same.
pub const MEMBERS: &str = "select e.value ->> 'tube' as tube_code,
        cast(e.value ->> 'at' as bigint) as at_us, m.person_key,
        (select count(*) from recall r where r.person_key = m.person_key
            and r.opened_us <= cast(e.value ->> 'at' as bigint)
            and (r.closed_us is null or r.closed_us > cast(e.value ->> 'at' as bigint)))
            as recalls
    from jsonb_each($1) e join member m on m.tube_code = e.value ->> 'tube'
    order by m.tube_code, m.position";

#[derive(FromRow)]
struct ChangeRow {
    epoch: i64,
    seq: i64,
    change: Change,
    tube_code: String,
    #[sqlx(rename = "at_us")]
    at: Time,
    outcome: Option<ToldOutcome>,
}

/// One change with the people it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its place in the stream.
    pub position: Position,
    /// What happened.
    pub change: Change,
    /// To which tube.
    pub tube: String,
    /// When.
    pub at: Time,
    /// The tube's members; of a release or an amendment those who were told its outcome.
    pub persons: Vec<PersonKey>,
    /// Members of a release or an amendment who are asked to come again and were told nothing.
    pub under_verification: Vec<PersonKey>,
    /// What `persons` were told, for a release or an amendment.
    pub outcome: Option<ToldOutcome>,
}

/// At most `rows` changes after `after`, oldest first.
///
/// The horizon is read first: whatever lies below it is finished, so the second statement sees
/// all of it, however long after it runs.
pub async fn changes(tx: &mut Tx, after: Position, rows: i64) -> Result<Vec<Item>> {
    let horizon = HORIZON.text(tx);
    let horizon: i64 = on!(tx, c => query_scalar(horizon).fetch_one(c).await)?;
    let found: Vec<ChangeRow> = on!(tx, c => query_as(CHANGES).bind(after.epoch).bind(after.seq)
        .bind(horizon).bind(rows).fetch_all(c).await)?;
    let members = members(tx, &found).await?;
    let item = |row: ChangeRow| {
        let members = members.get(&(row.tube_code.clone(), row.at)).cloned().unwrap_or_default();
        // A positive is told to everybody; anything else not to those who are asked to come again.
        let told =
            |recalled: bool| !recalled || matches!(row.outcome, None | Some(ToldOutcome::Detected));
        let (persons, kept): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|(_, recalled)| told(*recalled));
        let keys = |some: Vec<(PersonKey, bool)>| some.into_iter().map(|(key, _)| key).collect();
        Item {
            position: Position { epoch: row.epoch, seq: row.seq },
            change: row.change,
            at: row.at,
            persons: keys(persons),
            under_verification: keys(kept),
            outcome: row.outcome,
            tube: row.tube_code,
        }
    };
    Ok(found.into_iter().map(item).collect())
}

/// Each member of a changed tube, and whether a recall of theirs was open then.
type Members = HashMap<(String, Time), Vec<(PersonKey, bool)>>;

async fn members(tx: &mut Tx, changes: &[ChangeRow]) -> Result<Members> {
    #[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
    struct Moment<'a> {
        tube: &'a str,
        at: i64,
    }
    if changes.is_empty() {
        return Ok(Members::new());
    }
    let moments: BTreeSet<_> =
        changes.iter().map(|row| Moment { tube: &row.tube_code, at: row.at.us() }).collect();
    let moments = json(&moments.into_iter().collect::<Vec<_>>());
    let rows: Vec<MemberRow> = on!(tx, c => query_as(MEMBERS).bind(&moments).fetch_all(c).await)?;
    let mut members = Members::new();
    for row in rows {
        members.entry((row.tube_code, row.at)).or_default().push((row.person_key, row.recalls > 0));
    }
    Ok(members)
}

#[derive(FromRow)]
struct MemberRow {
    tube_code: String,
    #[sqlx(rename = "at_us")]
    at: Time,
    person_key: PersonKey,
    recalls: i64,
}

/// Every statement of this slice, by name.
pub const STATEMENTS: &[(&str, &str)] = &[("CHANGES", CHANGES), ("MEMBERS", MEMBERS)];
