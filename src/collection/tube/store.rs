//! Sealed tubes in the store, by the batch: a handful of statements whatever their number.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use sqlx::{FromRow, query, query_as, query_scalar};

use super::differences::{StoredMember, StoredTube};
use super::{Outcome, SealedTube};
use crate::barcode::TubeCode;
use crate::collection::device::store::devices_heard;
use crate::collection::person::store::persons_put;
use crate::error::{Reason, Result};
use crate::storage::outbox::{self, Change};
use crate::storage::{Conn, Sql, StoreError, Tx, codes, ensure_rows, json};

/// `$1` tubes, a tuple for each: code, size, members, round, site, session, event, device, its number
/// there, skew, sealed, recorded, by whom, tag. Gives the codes of those that are new. A tube whose
/// code or event is known already, or is just being written elsewhere, inserts nothing. 2,000 rows take
/// PostgreSQL 56 ms as structs, 39 as tuples, 44 as a list for each column and 38 by `COPY`, which would
/// break off at the first known one (`benches/statements.rs`).
pub const TUBES_ADD: &str = "insert into tube (code, size, members, swab_count, round_code,
        site_code, session_code, event_id, device_id, device_seq, device_skew_us, sealed_us,
        recorded_us, recorded_by, content_tag, state, state_us)
    select e.value ->> 0, cast(e.value ->> 1 as bigint), cast(e.value ->> 2 as bigint),
        cast(e.value ->> 2 as bigint), e.value ->> 3, e.value ->> 4, e.value ->> 5,
        e.value ->> 6, e.value ->> 7, cast(e.value ->> 8 as bigint),
        cast(e.value ->> 9 as bigint), cast(e.value ->> 10 as bigint),
        cast(e.value ->> 11 as bigint), e.value ->> 12, e.value ->> 13, 'sealed',
        cast(e.value ->> 11 as bigint)
    from jsonb_each($1) e where true
    on conflict do nothing returning code";
/// `$1` members, a tuple for each: their columns in order; on PostgreSQL a list for each column.
/// 10,000 rows cost the server 52 ms of processor time as structs in JSON, 32 as columns and 26 by a
/// bare binary `COPY`, 1,000 rows 7.4, 5.9 and 6.0 ms: `COPY` is not worth its two more round trips.
pub const MEMBERS_ADD: Sql = Sql {
    sqlite: "insert into member (tube_code, position, person_key, identity_tag, taken_us)
        select e.value ->> 0, cast(e.value ->> 1 as bigint), e.value ->> 2, e.value ->> 3,
            cast(e.value ->> 4 as bigint)
        from jsonb_each($1) e",
    postgres: "insert into member (tube_code, position, person_key, identity_tag, taken_us)
        select * from unnest(cast($1 as text[]), cast($2 as bigint[]), cast($3 as text[]),
            cast($4 as text[]), cast($5 as bigint[]))",
};
/// `$1` codes.
pub const TUBES_STORED: &str = "select code, size, session_code, event_id, device_id, device_seq,
        device_skew_us, sealed_us, recorded_us, content_tag, state
    from tube where code in (select e.value ->> 'code' from jsonb_each($1) e)";
/// `$1` codes.
pub const TUBES_KNOWN: &str = "select code from tube
    where code in (select e.value ->> 'code' from jsonb_each($1) e)";
/// `$1` ids of events.
pub const EVENTS_STORED: &str = "select event_id, code from tube
    where event_id in (select e.value ->> 'code' from jsonb_each($1) e)";
/// `$1` codes of tubes.
pub const MEMBERS_STORED: &str = "select m.tube_code, m.person_key, m.taken_us, m.identity_tag
    from member m where m.tube_code in (select e.value ->> 'code' from jsonb_each($1) e)
    order by m.tube_code, m.position";

/// Stores sealed tubes with their members and persons, and says what became of each, in order.
///
/// They may come from many requests. A tube whose code or event is stored already is compared
/// and changes nothing; of two under one code in the same batch the first is the stored one.
pub async fn tubes_seal(tx: &mut Tx, tubes: &[&SealedTube]) -> Result<Vec<Outcome>> {
    let mut outcomes: Vec<Option<Outcome>> = tubes.iter().map(|_| None).collect();
    let mut open: Vec<usize> = (0..tubes.len()).collect();
    while !open.is_empty() {
        let before = open.len();
        let firsts = first_of_each(tubes, &open);
        let added = tubes_add(tx, tubes, &firsts).await?;
        for &index in firsts.iter().filter(|&&index| added.contains(tubes[index].code.as_str())) {
            outcomes[index] = Some(Outcome::Accepted(tubes[index].recorded()));
        }
        open.retain(|&index| outcomes[index].is_none());
        if !open.is_empty() {
            let stored = Stored::read(tx, tubes, &open).await?;
            for &index in &open {
                outcomes[index] = stored.judge(tubes[index]);
            }
            open.retain(|&index| outcomes[index].is_none());
        }
        // Whatever kept a tube from being added is stored, so that each pass settles some.
        if open.len() == before {
            return Err(StoreError::Inconsistent {
                table: "tube",
                id: tubes[open[0]].code.to_string(),
                reason: "it can neither be added nor be found".to_owned(),
            }
            .into());
        }
    }
    Ok(outcomes.into_iter().flatten().collect())
}

/// Those of these codes under which a tube is stored.
pub async fn tubes_known(
    tx: &mut Tx,
    wanted: impl IntoIterator<Item = &TubeCode>,
) -> Result<HashSet<TubeCode>> {
    let wanted = codes(wanted);
    let known: Vec<TubeCode> =
        on!(tx, c => query_scalar(TUBES_KNOWN).bind(&wanted).fetch_all(c).await)?;
    Ok(known.into_iter().collect())
}

/// The first tube under each code and event, in order of code so that writers meet in one order.
fn first_of_each(tubes: &[&SealedTube], open: &[usize]) -> Vec<usize> {
    let (mut codes, mut events) = (HashSet::new(), HashSet::new());
    let mut firsts = Vec::with_capacity(open.len());
    for &index in open {
        let tube = tubes[index];
        if !codes.contains(&tube.code) && !events.contains(&tube.event) {
            codes.insert(&tube.code);
            events.insert(tube.event);
            firsts.push(index);
        }
    }
    firsts.sort_unstable_by_key(|&index| &tubes[index].code);
    firsts
}

/// Adds the tubes that are new, with members, persons and feed, and gives their codes.
async fn tubes_add(
    tx: &mut Tx,
    tubes: &[&SealedTube],
    firsts: &[usize],
) -> Result<HashSet<String>> {
    let rows: Vec<_> = firsts.iter().map(|&index| tube_row(tubes[index])).collect();
    let rows = json(&rows);
    let added: Vec<String> = on!(tx, c => query_scalar(TUBES_ADD).bind(&rows).fetch_all(c).await)?;
    let codes: HashSet<String> = added.into_iter().collect();
    let tubes: Vec<_> = firsts
        .iter()
        .map(|&index| tubes[index])
        .filter(|tube| codes.contains(tube.code.as_str()))
        .collect();
    let Some(at) = tubes.iter().map(|tube| tube.recorded).max() else { return Ok(codes) };
    devices_heard(tx, &tubes).await?;
    members_add(tx, &tubes).await?;
    let members = tubes.iter().flat_map(|tube| &tube.members);
    tx.concerns(members.clone().map(|member| member.person.key().as_str()));
    persons_put(tx, members.map(|member| &member.person), at).await?;
    outbox::append(tx, Change::Sealed, tubes.iter().map(|tube| &tube.code), at).await?;
    Ok(codes)
}

/// A row for [`TUBES_ADD`].
fn tube_row(tube: &SealedTube) -> impl Serialize + use<'_> {
    (
        tube.code.as_str(),
        tube.size,
        tube.members.len(),
        &tube.round,
        &tube.site,
        tube.session.as_str(),
        tube.event,
        &tube.device,
        tube.sequence,
        tube.skew.us(),
        tube.sealed.us(),
        tube.recorded.us(),
        &tube.recorded_by,
        &tube.content_tag,
    )
}

async fn members_add(tx: &mut Tx, tubes: &[&SealedTube]) -> Result<()> {
    let rows: Vec<_> = tubes.iter().flat_map(|tube| member_rows(tube)).collect();
    let added = match &mut tx.conn {
        Conn::Sqlite(c) => {
            query(MEMBERS_ADD.sqlite).bind(json(&rows)).execute(&mut **c).await?.rows_affected()
        }
        Conn::Postgres(c) => query(MEMBERS_ADD.postgres)
            .bind(rows.iter().map(|row| row.0).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.1).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.3).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.4).collect::<Vec<_>>())
            .execute(&mut **c)
            .await?
            .rows_affected(),
    };
    Ok(ensure_rows("MEMBERS_ADD", rows.len() as u64, added)?)
}

/// Tube, position in it, person, identity, when taken: rows for [`MEMBERS_ADD`].
fn member_rows(tube: &SealedTube) -> impl Iterator<Item = (&str, i64, &str, &str, i64)> {
    (1..).zip(&tube.members).map(|(position, member)| {
        let (person, taken) = (&member.person, member.taken.us());
        (tube.code.as_str(), position, person.key().as_str(), person.identity_tag(), taken)
    })
}

/// What is stored under the codes and events of tubes that could not be added.
struct Stored {
    tubes: HashMap<String, StoredTube>,
    members: HashMap<String, Vec<StoredMember>>,
    events: HashMap<String, String>,
}

#[derive(FromRow)]
struct EventRow {
    event_id: String,
    code: String,
}

impl Stored {
    async fn read(tx: &mut Tx, tubes: &[&SealedTube], open: &[usize]) -> Result<Self> {
        let open: Vec<_> = open.iter().map(|&index| tubes[index]).collect();
        let (wanted, events) = (
            codes(open.iter().map(|tube| &tube.code)),
            codes(open.iter().map(|tube| tube.event.to_string())),
        );
        let found: Vec<StoredTube> =
            on!(tx, c => query_as(TUBES_STORED).bind(&wanted).fetch_all(c).await)?;
        let events: Vec<EventRow> =
            on!(tx, c => query_as(EVENTS_STORED).bind(&events).fetch_all(c).await)?;
        let found: HashMap<_, _> =
            found.into_iter().map(|tube| (tube.code.to_string(), tube)).collect();
        let differing = open.iter().filter(|tube| {
            found.get(tube.code.as_str()).is_some_and(|stored| !stored.is_same(tube))
        });
        let wanted: HashSet<_> = differing.map(|tube| &tube.code).collect();
        Ok(Self {
            members: if wanted.is_empty() {
                HashMap::new()
            } else {
                members_stored(tx, &codes(wanted)).await?
            },
            tubes: found,
            events: events.into_iter().map(|row| (row.event_id, row.code)).collect(),
        })
    }

    /// What became of a tube, or nothing when it can still be added.
    fn judge(&self, sent: &SealedTube) -> Option<Outcome> {
        if let Some(stored) = self.tubes.get(sent.code.as_str()) {
            if stored.is_same(sent) {
                return Some(Outcome::Duplicate(stored.recorded(sent)));
            }
            let members = self.members.get(sent.code.as_str()).map_or(&[][..], Vec::as_slice);
            return Some(Outcome::Conflict(stored.differences(members, sent)));
        }
        self.events.get(&sent.event.to_string()).map(|tube| {
            let message = format!(
                "event {} was recorded for tube {tube}; give each tube an event of its own",
                sent.event
            );
            Outcome::Conflict(vec![Reason::new("tube.event_reused", "event_id", message)])
        })
    }
}

async fn members_stored(tx: &mut Tx, tubes: &str) -> Result<HashMap<String, Vec<StoredMember>>> {
    let rows: Vec<StoredMember> =
        on!(tx, c => query_as(MEMBERS_STORED).bind(tubes).fetch_all(c).await)?;
    let mut by_tube: HashMap<String, Vec<StoredMember>> = HashMap::new();
    for row in rows {
        by_tube.entry(row.tube_code.to_string()).or_default().push(row);
    }
    Ok(by_tube)
}

/// Every statement of this file, to be prepared on both engines.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("TUBES_ADD", TUBES_ADD),
    ("TUBES_STORED", TUBES_STORED),
    ("TUBES_KNOWN", TUBES_KNOWN),
    ("EVENTS_STORED", EVENTS_STORED),
    ("MEMBERS_STORED", MEMBERS_STORED),
];

#[cfg(test)]
mod tests {
    use super::super::rules::tests::sealed;
    use super::*;

    #[test]
    fn the_first_of_each_code_and_event_is_tried_in_order_of_code() {
        let sealed = [sealed(9, 1), sealed(3, 2), sealed(9, 3), sealed(4, 1), sealed(1, 4)];
        let tubes: Vec<_> = sealed.iter().collect();
        assert_eq!(first_of_each(&tubes, &[0, 1, 2, 3, 4]), [4, 1, 0]);
        // A tube that was passed over takes no event from those after it.
        assert_eq!(first_of_each(&tubes, &[2, 3]), [3, 2]);
    }
}
