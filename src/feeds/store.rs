//! Reading the stream.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sqlx::{FromRow, query_as, query_scalar};

use super::Position;
use crate::clock::Time;
use crate::error::{Error, Result};
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
/// The last change there is.
pub const NEWEST: &str = "select epoch, seq from feed order by epoch desc, seq desc limit 1";
/// `$1` tubes with the time of their change, and whether it told something else than a positive.
/// Whether a member's recall was open just then, and whether a positive of a later swab, or one told
/// in the same moment, stood before this answer, is read from their own times and not from what is
/// there today. Where this answer stands still, nobody looks at a person's other tubes: only a
/// positive of the same moment that was amended away since is passed over by that. Of two releases
/// at once the one that was signed first may be written last, also by a node whose clock is behind:
/// a recall or a positive within five minutes of this answer counts as one before, so that a replay
/// may leave out whom the first reading told of.
pub const MEMBERS: &str = "select e.value ->> 'tube' as tube_code,
        cast(e.value ->> 'at' as bigint) as at_us, m.person_key,
        (select count(*) from recall r where r.person_key = m.person_key
            and r.opened_us <= cast(e.value ->> 'at' as bigint) + 300000000
            and (r.closed_us is null or r.closed_us > cast(e.value ->> 'at' as bigint)))
            as recalls,
        case when cast(e.value ->> 'told' as bigint) = 0 or exists (select 1 from status s
                where s.person_key = m.person_key and s.tube_code = m.tube_code
                    and s.released_us = cast(e.value ->> 'at' as bigint))
            then cast(0 as bigint)
            else (select count(*) from member o
                    join result r on r.tube_code = o.tube_code and r.outcome = 'detected'
                        and r.released_us <= cast(e.value ->> 'at' as bigint) + 300000000
                        and not exists (select 1 from result n where n.tube_code = r.tube_code
                            and n.version > r.version
                            and n.released_us <= cast(e.value ->> 'at' as bigint))
                where o.person_key = m.person_key and o.tube_code <> m.tube_code
                    and ((o.taken_us, o.tube_code) > (m.taken_us, m.tube_code)
                        or r.released_us = cast(e.value ->> 'at' as bigint)))
            end as positives
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
    /// Members of a release or an amendment who were told a positive that this answer does not
    /// replace: of a later swab, or in the same moment.
    pub superseded: Vec<PersonKey>,
    /// What `persons` were told, for a release or an amendment.
    pub outcome: Option<ToldOutcome>,
}

/// Where a member stood when something was told of their tube.
#[derive(Debug, Clone, Copy)]
enum Place {
    Told,
    Recalled,
    Positive,
}

impl Item {
    /// A positive is told to everybody; anything else neither to those who are asked to come again
    /// nor to those for whom a positive stands.
    const fn list(&mut self, place: Place) -> &mut Vec<PersonKey> {
        match (place, self.outcome) {
            (Place::Told, _) | (_, None | Some(ToldOutcome::Detected)) => &mut self.persons,
            (Place::Recalled, _) => &mut self.under_verification,
            (Place::Positive, _) => &mut self.superseded,
        }
    }
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
    if found.is_empty() {
        refuse_ahead(tx, after).await?;
    }
    let members = members(tx, &found).await?;
    let item = |row: ChangeRow| {
        let members = members.get(&(row.tube_code.clone(), row.at)).map(Vec::as_slice);
        let mut item = Item {
            position: Position { epoch: row.epoch, seq: row.seq },
            change: row.change,
            at: row.at,
            persons: Vec::new(),
            under_verification: Vec::new(),
            superseded: Vec::new(),
            outcome: row.outcome,
            tube: row.tube_code,
        };
        for (person, place) in members.unwrap_or_default() {
            item.list(*place).push(person.clone());
        }
        item
    };
    Ok(found.into_iter().map(item).collect())
}

/// A cursor that lies behind everything there is was given by a store that had more: this one was
/// put back to an older copy, and what it gains would be passed over.
async fn refuse_ahead(tx: &mut Tx, after: Position) -> Result<()> {
    let newest: Option<(i64, i64)> = on!(tx, c => query_as(NEWEST).fetch_optional(c).await)?;
    let newest = newest.unwrap_or_default();
    if (after.epoch, after.seq) <= newest {
        return Ok(());
    }
    let message = "this cursor lies behind the last change there is, so the store was put back to \
        an older copy; read the stream from the beginning";
    Err(Error::conflict("feed.ahead", "after", message))
}

/// Each member of a changed tube, and where they stood then.
type Members = HashMap<(String, Time), Vec<(PersonKey, Place)>>;

async fn members(tx: &mut Tx, changes: &[ChangeRow]) -> Result<Members> {
    #[derive(Serialize)]
    struct Moment<'a> {
        tube: &'a str,
        at: i64,
        told: i64,
    }
    if changes.is_empty() {
        return Ok(Members::new());
    }
    let told = |row: &ChangeRow| !matches!(row.outcome, None | Some(ToldOutcome::Detected));
    // One moment of a tube may have several changes, such as a result and the recall it closes.
    let mut moments = BTreeMap::new();
    for row in changes {
        *moments.entry((row.tube_code.as_str(), row.at.us())).or_insert(false) |= told(row);
    }
    let moment = |((tube, at), told): ((_, _), bool)| Moment { tube, at, told: told.into() };
    let moments = json(&moments.into_iter().map(moment).collect::<Vec<_>>());
    let rows: Vec<MemberRow> = on!(tx, c => query_as(MEMBERS).bind(&moments).fetch_all(c).await)?;
    let mut members = Members::new();
    for row in rows {
        let place = match (row.recalls, row.positives) {
            (0, 0) => Place::Told,
            (0, _) => Place::Positive,
            _ => Place::Recalled,
        };
        members.entry((row.tube_code, row.at)).or_default().push((row.person_key, place));
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
    positives: i64,
}

/// Every statement of this slice, by name.
pub const STATEMENTS: &[(&str, &str)] =
    &[("CHANGES", CHANGES), ("NEWEST", NEWEST), ("MEMBERS", MEMBERS)];
