//! Persons in the store: a sealed row for each identity that was ever given, found by key and tag.

use data_encoding::HEXLOWER;
use serde::Serialize;
use sqlx::query;

use super::MemberPerson;
use crate::clock::Time;
use crate::error::Result;
use crate::storage::{Tx, json};

/// `$1` rows of key, tag and sealed identity in hex; `$2` time. What is known stays as it is.
pub const PERSONS_PUT: &str = "insert into person (key, identity_tag, identity, first_seen_us)
    select e.value ->> 'key', e.value ->> 'tag', unhex(e.value ->> 'identity'),
        cast($2 as bigint)
    from json_each($1) e where true
    order by e.value ->> 'key', e.value ->> 'tag'
    on conflict (key, identity_tag) do nothing";

#[derive(Serialize)]
struct Row<'a> {
    key: &'a str,
    tag: &'a str,
    identity: String,
}

/// Stores what is new among these persons, in one order, so that writers meet in it.
///
/// Nothing is ever overwritten: whoever gives other contact data, or another name with the same
/// document, gets a row beside the one before, and each swab names its own.
pub async fn persons_put(
    tx: &mut Tx,
    persons: impl IntoIterator<Item = &MemberPerson>,
    at: Time,
) -> Result<()> {
    let given: std::collections::BTreeMap<_, _> = persons
        .into_iter()
        .map(|person| ((person.key().as_str(), person.identity_tag()), person.identity()))
        .collect();
    let rows: Vec<_> = given
        .into_iter()
        .map(|((key, tag), identity)| Row { key, tag, identity: HEXLOWER.encode(identity) })
        .collect();
    let rows = json(&rows);
    on!(tx, c => query(PERSONS_PUT).bind(&rows).bind(at).execute(c).await.map(drop))?;
    Ok(())
}

/// Every statement of this file, to be prepared on both engines.
pub const STATEMENTS: &[(&str, &str)] = &[("PERSONS_PUT", PERSONS_PUT)];
