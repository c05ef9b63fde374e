//! What is stored about people, as far as it is shown.

use std::collections::HashMap;

use sqlx::{FromRow, query_as};

use super::guess::{GUESS_COUNT, GUESS_FIND, GUESS_FORGET};
use super::{Known, Sampling, Told, ToldOutcome};
use crate::cache::follow::Snapshot;
use crate::clock::Time;
use crate::collection::TubeState;
use crate::error::Result;
use crate::seal::{KeyRing, PersonKey};
use crate::storage::{Sql, StoreError, Tx, json};

/// Newest tubes of a person whose pick-up code is good; each look-up compares this many codes,
/// however many tubes the person has.
pub const TUBES_PROVING: usize = 16;

/// `$1` person keys as a list: a row for each of them, also for whoever was never swabbed, with what
/// of the feed is seen ([`SNAPSHOT`](crate::cache::follow::SNAPSHOT)), so that one statement is
/// enough. A member whose tube is not to be found reads as sampled: pending,
/// and never negative; the ledger names it. Each person's newest tube is found by itself, so that
/// the rest goes by unique keys. PostgreSQL has to be held to that: a join reads a small table
/// whole, or any table as long as there are no statistics, and a subquery in the list is worked out
/// again for each join that uses it: 64 people of 20,000 took it 7.3 ms so, and 0.9 with `lateral`.
/// The keys come as text and not out of an object, so that `postgres_fdw` can send the comparison
/// on, and as JSON, whose length is no part of the plan: planning `unnest` anew costs one person
/// 0.25 ms. `due_us + 0` keeps it from looking for the least deadline among everybody's open
/// recalls.
pub const KNOWN: Sql = Sql {
    sqlite: "select k.person_key, m.tube_code, m.taken_us,
            coalesce(t.state, 'sealed') as state,
            (select max(a.arrived_us) from arrival_tube f join arrival a on a.id = f.arrival_id
                where f.tube_code = m.tube_code and f.finding in ('accepted', 'unexpected'))
                as received_us,
            s.tube_code as told_tube, s.outcome as told_outcome, s.pooled, s.collected_us,
            s.released_us,
            (select min(r.due_us + 0) from recall r
                where r.person_key = m.person_key and r.state <> 'closed') as recall_due_us,
            (select cast(coalesce(max(seq), 0) as text) from feed) as snapshot
        from (select e.value as person_key, (select n.tube_code from member n
                where n.person_key = e.value
                order by n.taken_us desc, n.tube_code desc limit 1) as tube_code
            from jsonb_each($1) e) k
        left join member m on m.person_key = k.person_key and m.tube_code = k.tube_code
        left join tube t on t.code = m.tube_code
        left join status s on s.person_key = m.person_key",
    postgres: "select e.key as person_key, m.tube_code, m.taken_us,
            coalesce(t.state, 'sealed') as state,
            (select max(a.arrived_us) from arrival_tube f join arrival a on a.id = f.arrival_id
                where f.tube_code = m.tube_code and f.finding in ('accepted', 'unexpected'))
                as received_us,
            s.tube_code as told_tube, s.outcome as told_outcome, s.pooled, s.collected_us,
            s.released_us,
            (select min(r.due_us + 0) from recall r
                where r.person_key = m.person_key and r.state <> 'closed') as recall_due_us,
            (select cast(pg_current_snapshot() as text)) as snapshot
        from jsonb_array_elements_text(cast(cast($1 as text) as jsonb)) e(key)
        left join lateral (select n.person_key, n.tube_code, n.taken_us from member n
            where n.person_key = e.key
            order by n.taken_us desc, n.tube_code desc limit 1) m on true
        left join lateral (select u.state from tube u where u.code = m.tube_code limit 1) t on true
        left join lateral (select * from status o
            where o.person_key = m.person_key limit 1) s on true",
};
/// `$1` person keys as a list, `$2` number of tubes of each.
pub const TUBES_OF: Sql = Sql {
    sqlite: "select n.person_key, n.tube_code, n.position, t.session_code
        from (select m.person_key, m.tube_code, m.position, row_number() over
                (partition by m.person_key order by m.taken_us desc, m.tube_code desc) as place
            from jsonb_each($1) e join member m on m.person_key = e.value) n
        join tube t on t.code = n.tube_code
        where n.place <= $2 order by n.person_key, n.place",
    postgres: "select n.person_key, n.tube_code, n.position, t.session_code
        from jsonb_array_elements_text(cast(cast($1 as text) as jsonb)) e(key)
        cross join lateral (select m.person_key, m.tube_code, m.position, m.taken_us from member m
            where m.person_key = e.key
            order by m.taken_us desc, m.tube_code desc limit $2) n
        cross join lateral (select u.session_code from tube u
            where u.code = n.tube_code limit 1) t
        order by n.person_key, n.taken_us desc, n.tube_code desc",
};

#[derive(FromRow)]
struct KnownRow {
    person_key: PersonKey,
    tube_code: Option<String>,
    #[sqlx(rename = "taken_us")]
    taken: Option<Time>,
    state: TubeState,
    #[sqlx(rename = "received_us")]
    received: Option<Time>,
    told_tube: Option<String>,
    told_outcome: Option<ToldOutcome>,
    pooled: Option<i64>,
    #[sqlx(rename = "collected_us")]
    collected: Option<Time>,
    #[sqlx(rename = "released_us")]
    released: Option<Time>,
    #[sqlx(rename = "recall_due_us")]
    recall_due: Option<Time>,
    snapshot: String,
}

impl KnownRow {
    /// None of somebody who was never swabbed.
    fn split(self) -> Option<(PersonKey, Known)> {
        let told = match (self.told_tube, self.told_outcome, self.collected, self.released) {
            (Some(tube), Some(outcome), Some(collected), Some(released)) => {
                Some(Told { tube, outcome, pooled: self.pooled, collected, released })
            }
            _ => None,
        };
        let sampling = Sampling {
            tube: self.tube_code?,
            taken: self.taken?,
            state: self.state,
            received: self.received,
        };
        Some((self.person_key, Known { sampling, told, recall_due: self.recall_due }))
    }
}

/// Person keys as a list in JSON.
fn keys<'a>(people: impl IntoIterator<Item = &'a PersonKey>) -> String {
    json(&people.into_iter().map(PersonKey::as_str).collect::<Vec<_>>())
}

/// What is stored about each of these people, and what of the feed was seen with it; whoever was
/// never swabbed is not among them. Of nobody nothing is asked, and nothing is seen.
pub async fn known(
    tx: &mut Tx,
    people: impl IntoIterator<Item = &PersonKey>,
) -> Result<(Option<Snapshot>, Vec<(PersonKey, Known)>)> {
    let (text, people) = (KNOWN.text(tx), keys(people));
    let rows: Vec<KnownRow> = on!(tx, c => query_as(text).bind(&people).fetch_all(c).await)?;
    let snapshot = rows.first().map(|row| Snapshot::read(&row.snapshot)).transpose()?;
    Ok((snapshot, rows.into_iter().filter_map(KnownRow::split).collect()))
}

/// A person's place in a tube, which with its session makes the pick-up code.
#[derive(Clone, Debug, FromRow)]
pub struct Place {
    person_key: PersonKey,
    tube_code: String,
    position: i64,
    session_code: String,
}

/// The places of each of these people in their newest tubes, newest first.
pub async fn places(
    tx: &mut Tx,
    people: impl IntoIterator<Item = &PersonKey>,
) -> Result<HashMap<PersonKey, Vec<Place>>> {
    let (text, people) = (TUBES_OF.text(tx), keys(people));
    let most = i64::try_from(TUBES_PROVING).expect("a small constant fits");
    let rows: Vec<Place> =
        on!(tx, c => query_as(text).bind(&people).bind(most).fetch_all(c).await)?;
    let mut places: HashMap<_, Vec<_>> = HashMap::new();
    for place in rows {
        places.entry(place.person_key.clone()).or_default().push(place);
    }
    Ok(places)
}

/// Whether `typed` is the pick-up code of one of these places, at most [`TUBES_PROVING`]. It does
/// the same work for somebody with many tubes, with one and with none.
pub fn proves(keys: &KeyRing, places: &[Place], typed: &str) -> Result<bool, StoreError> {
    let mut found = false;
    for i in 0..TUBES_PROVING {
        let (session, tube, position) = match places.get(i) {
            Some(place) => (&*place.session_code, &*place.tube_code, position(place)?),
            None => ("", "", 0),
        };
        let matches = keys.pickup_code(session, tube, position).matches(typed);
        found |= matches && i < places.len();
    }
    Ok(found)
}

fn position(place: &Place) -> Result<u8, StoreError> {
    u8::try_from(place.position).map_err(|_range| StoreError::Inconsistent {
        table: "member",
        id: place.tube_code.clone(),
        reason: format!("position {} is none of a tube", place.position),
    })
}

/// Every statement of this slice, by name.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("GUESS_FIND", GUESS_FIND),
    ("GUESS_COUNT", GUESS_COUNT),
    ("GUESS_FORGET", GUESS_FORGET),
    ("TUBE_WAY", super::way::TUBE_WAY),
    ("TUBE_BOX", super::way::TUBE_BOX),
    ("TUBE_HANDOVERS", super::way::TUBE_HANDOVERS),
    ("TUBE_ARRIVALS", super::way::TUBE_ARRIVALS),
    ("TUBE_POOLS", super::way::TUBE_POOLS),
    ("TUBE_CALLS", super::way::TUBE_CALLS),
    ("TUBE_RESULTS", super::way::TUBE_RESULTS),
    ("TUBE_RECALLS", super::way::TUBE_RECALLS),
];
