//! Persons in the store: one row each, found by key, sealed.

use data_encoding::HEXLOWER;
use serde::Serialize;
use sqlx::query;

use super::MemberPerson;
use crate::clock::Time;
use crate::error::Result;
use crate::storage::{Tx, json};

/// `$1` rows of key, sealed identity in hex and its tag; `$2` time. A known person's row changes
/// only when the identity does.
pub const PERSONS_PUT: &str = "insert into person
    (key, identity, identity_tag, first_seen_us, updated_us)
    select e.value ->> 'key', unhex(e.value ->> 'identity'), e.value ->> 'tag',
        cast($2 as bigint), cast($2 as bigint)
    from json_each($1) e where true
    order by e.value ->> 'key'
    on conflict (key) do update set identity = excluded.identity,
        identity_tag = excluded.identity_tag, updated_us = excluded.updated_us
    where person.identity_tag <> excluded.identity_tag";

#[derive(Serialize)]
struct Row<'a> {
    key: &'a str,
    identity: String,
    tag: &'a str,
}

/// Stores persons, each key once, in the order of their keys so that writers meet in one order.
/// Of several rows of one person the last one stands.
pub async fn persons_put(
    tx: &mut Tx,
    persons: impl IntoIterator<Item = &MemberPerson>,
    at: Time,
) -> Result<()> {
    let by_key: std::collections::BTreeMap<&str, &MemberPerson> =
        persons.into_iter().map(|person| (person.key().as_str(), person)).collect();
    let rows: Vec<_> = by_key
        .into_iter()
        .map(|(key, person)| Row {
            key,
            identity: HEXLOWER.encode(person.identity()),
            tag: person.identity_tag(),
        })
        .collect();
    let rows = json(&rows);
    on!(tx, c => query(PERSONS_PUT).bind(&rows).bind(at).execute(c).await.map(drop))?;
    Ok(())
}

/// Every statement of this file, to be prepared on both engines.
pub const STATEMENTS: &[(&str, &str)] = &[("PERSONS_PUT", PERSONS_PUT)];
