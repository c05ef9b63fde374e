//! Persons in the store: a sealed row for each identity that was ever given, found by key and tag.

use data_encoding::HEXLOWER;
use sqlx::query;

use super::MemberPerson;
use crate::clock::Time;
use crate::error::Result;
use crate::storage::{Conn, Sql, Tx, json};

/// `$1` tuples of key, tag and sealed identity in hex, `$2` time; on PostgreSQL a list for each of the
/// three and the time behind them: 10,000 rows cost the server 60 ms of processor time as structs in
/// JSON and 43 as columns, 1,000 rows 9.0 and 6.6 ms. What is known stays as it is.
pub const PERSONS_PUT: Sql = Sql {
    sqlite: "insert into person (key, identity_tag, identity, first_seen_us)
        select e.value ->> 0, e.value ->> 1, unhex(e.value ->> 2), cast($2 as bigint)
        from jsonb_each($1) e where true
        order by e.value ->> 0, e.value ->> 1
        on conflict (key, identity_tag) do nothing",
    postgres: "insert into person (key, identity_tag, identity, first_seen_us)
        select p.key, p.tag, p.identity, cast($4 as bigint)
        from unnest(cast($1 as text[]), cast($2 as text[]), cast($3 as bytea[]))
            as p(key, tag, identity)
        order by p.key, p.tag
        on conflict (key, identity_tag) do nothing",
};

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
    match &mut tx.conn {
        Conn::Sqlite(c) => {
            let rows: Vec<_> = given
                .into_iter()
                .map(|((key, tag), identity)| (key, tag, HEXLOWER.encode(identity)))
                .collect();
            query(PERSONS_PUT.sqlite).bind(json(&rows)).bind(at).execute(&mut **c).await?;
        }
        Conn::Postgres(c) => {
            let (names, identities): (Vec<_>, Vec<_>) = given.into_iter().unzip();
            let (keys, tags): (Vec<&str>, Vec<&str>) = names.into_iter().unzip();
            query(PERSONS_PUT.postgres)
                .bind(keys)
                .bind(tags)
                .bind(identities)
                .bind(at)
                .execute(&mut **c)
                .await?;
        }
    }
    Ok(())
}
