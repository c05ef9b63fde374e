//! Reading the stream.

use std::collections::HashMap;

use sqlx::{FromRow, query_as, query_scalar};

use super::Position;
use crate::clock::Time;
use crate::error::Result;
use crate::query::ToldOutcome;
use crate::seal::PersonKey;
use crate::storage::outbox::Change;
use crate::storage::{Sql, Tx, codes};

/// The first epoch that may still gain rows.
pub const HORIZON: Sql = Sql {
    sqlite: "select cast(1 as bigint)",
    postgres: "select cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint)",
};
/// `$1` epoch and `$2` number of the last change seen, `$3` horizon, `$4` rows. A release tells
/// version 1; an amendment the newest version there was when it was written.
pub const CHANGES: &str = "select f.epoch, f.seq, f.change, f.tube_code, f.at_us,
        (select r.outcome from result r where r.tube_code = f.tube_code
            and ((f.change = 'released' and r.version = 1)
                or (f.change = 'amended' and r.version > 1 and r.released_us <= f.at_us))
            order by r.version desc limit 1) as outcome
    from feed f
    where (f.epoch, f.seq) > ($1, $2) and f.epoch < $3
    order by f.epoch, f.seq limit $4";
/// `$1` tubes.
pub const MEMBERS: &str = "select m.tube_code, m.person_key from member m
    where m.tube_code in (select e.value ->> 'code' from json_each($1) e)
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
    /// The tube's members.
    pub persons: Vec<PersonKey>,
    /// What the members were told, for a release or an amendment.
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
    let tubes = codes(found.iter().map(|row| &row.tube_code));
    let members: Vec<(String, PersonKey)> =
        on!(tx, c => query_as(MEMBERS).bind(&tubes).fetch_all(c).await)?;
    let mut persons: HashMap<String, Vec<PersonKey>> = HashMap::new();
    for (tube, person) in members {
        persons.entry(tube).or_default().push(person);
    }
    let item = |row: ChangeRow| Item {
        position: Position { epoch: row.epoch, seq: row.seq },
        change: row.change,
        at: row.at,
        persons: persons.get(&row.tube_code).cloned().unwrap_or_default(),
        outcome: row.outcome,
        tube: row.tube_code,
    };
    Ok(found.into_iter().map(item).collect())
}

/// Every statement of this slice, by name.
pub const STATEMENTS: &[(&str, &str)] = &[("CHANGES", CHANGES), ("MEMBERS", MEMBERS)];
