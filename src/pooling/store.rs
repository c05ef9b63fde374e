//! Pools and their tubes.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{FromRow, query, query_as, query_scalar};

use super::rules::Known;
use super::{Mixed, PoolState, StoredPool};
use crate::barcode::PoolCode;
use crate::clock::Time;
use crate::collection::tubes_find;
use crate::error::{Error, Result};
use crate::storage::{StoreError, Tx, codes, ensure_rows};

/// `$1` codes.
pub const POOLS_FIND: &str = "select code, laboratory_code, kit_code, kit_version, depth, made_us,
        state, state_us, outcome
    from pool where code in (select e.value ->> 'code' from jsonb_each($1) e) order by code";
/// `$1` codes of pools.
pub const POOL_TUBES: &str = "select pool_code, tube_code from pool_tube
    where pool_code in (select e.value ->> 'code' from jsonb_each($1) e)
    order by pool_code, tube_code";
/// Code, laboratory, kit, version, depth, account, time.
pub const POOL_ADD: &str = "insert into pool (code, laboratory_code, kit_code, kit_version, depth,
        made_by, made_us, state, state_us)
    values ($1, $2, $3, $4, $5, $6, cast($7 as bigint), 'open', cast($7 as bigint))
    on conflict do nothing";
/// `$1` pool, `$2` tubes.
pub const POOL_TUBES_ADD: &str = "insert into pool_tube (pool_code, tube_code)
    select $1, e.value ->> 'code' from jsonb_each($2) e";
/// `$1` tubes; changes nothing and keeps everybody else from moving them until the end.
pub const TUBES_HOLD: &str = "update tube set attempt = attempt
    where code in (select e.value ->> 'code' from jsonb_each($1) e)";
/// `$1` tubes: the pool that has them and is neither called nor dissolved.
pub const LIVE_POOLS: &str = "select k.tube_code, k.pool_code
    from jsonb_each($1) e join pool_tube k on k.tube_code = e.value ->> 'code'
        join pool p on p.code = k.pool_code
    where p.state in ('open', 'plated') order by k.tube_code";
/// `$1` tubes: those of somebody who was recalled before that swab, as long as the recall waits.
pub const RECALLED: &str = "select distinct m.tube_code
    from jsonb_each($1) e join tube t on t.code = e.value ->> 'code'
        join member m on m.tube_code = t.code
        join recall r on r.person_key = m.person_key
    where r.state <> 'closed' and t.sealed_us > r.opened_us and r.origin_tube <> t.code";
/// `$1` pools, `$2` from, `$3` to, `$4` time.
pub const POOLS_MOVE: &str = "update pool set state = $3, state_us = $4
    where state = $2 and code in (select e.value ->> 'code' from jsonb_each($1) e)";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("POOLS_FIND", POOLS_FIND),
    ("POOL_TUBES", POOL_TUBES),
    ("POOL_ADD", POOL_ADD),
    ("POOL_TUBES_ADD", POOL_TUBES_ADD),
    ("TUBES_HOLD", TUBES_HOLD),
    ("LIVE_POOLS", LIVE_POOLS),
    ("RECALLED", RECALLED),
    ("POOLS_MOVE", POOLS_MOVE),
];

#[derive(FromRow)]
struct PoolRow {
    code: PoolCode,
    laboratory_code: String,
    kit_code: String,
    kit_version: String,
    depth: i64,
    #[sqlx(rename = "made_us")]
    made: Time,
    state: PoolState,
    #[sqlx(rename = "state_us")]
    since: Time,
    outcome: Option<String>,
}

/// The pools among `wanted` that exist, in order of code.
pub async fn pools_find<S: AsRef<str>>(
    tx: &mut Tx,
    wanted: impl IntoIterator<Item = S>,
) -> Result<Vec<StoredPool>> {
    let wanted = codes(wanted);
    if wanted == "[]" {
        return Ok(Vec::new());
    }
    let rows: Vec<PoolRow> = on!(tx, c => query_as(POOLS_FIND).bind(&wanted).fetch_all(c).await)?;
    let tubes: Vec<(String, String)> =
        on!(tx, c => query_as(POOL_TUBES).bind(&wanted).fetch_all(c).await)?;
    let mut by_pool: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (pool, tube) in tubes {
        by_pool.entry(pool).or_default().push(tube);
    }
    rows.into_iter()
        .map(|row| {
            let tubes = by_pool.remove(row.code.as_str()).unwrap_or_default();
            if i64::try_from(tubes.len()).ok() != Some(row.depth) {
                let reason = format!("it has {} tubes and is {} deep", tubes.len(), row.depth);
                let id = row.code.to_string();
                return Err(StoreError::Inconsistent { table: "pool", id, reason }.into());
            }
            let kit = (row.kit_code, row.kit_version);
            Ok(StoredPool {
                code: row.code,
                mixed: Mixed { laboratory: row.laboratory_code, kit, tubes },
                state: row.state,
                since: row.since,
                outcome: row.outcome,
                made: row.made,
            })
        })
        .collect()
}

/// The pool with that code.
pub async fn pool_get(tx: &mut Tx, code: &PoolCode) -> Result<StoredPool> {
    let found = pools_find(tx, [code]).await?.pop();
    found.ok_or_else(|| Error::not_found("pool", code.as_str()))
}

/// What must be known to judge whether these tubes may be mixed; nobody else moves them until
/// the transaction ends.
pub async fn known(tx: &mut Tx, tubes: &[String]) -> Result<Known> {
    let list = codes(tubes);
    on!(tx, c => query(TUBES_HOLD).bind(&list).execute(c).await.map(drop))?;
    let recalled: Vec<String> =
        on!(tx, c => query_scalar(RECALLED).bind(&list).fetch_all(c).await)?;
    Ok(Known {
        tubes: tubes_find(tx, tubes).await?,
        pooled: live_pools(tx, tubes).await?,
        recalled: recalled.into_iter().collect::<BTreeSet<_>>(),
    })
}

/// The pool that has each of these tubes and is neither called nor dissolved, by tube.
pub async fn live_pools<S: AsRef<str>>(
    tx: &mut Tx,
    tubes: impl IntoIterator<Item = S>,
) -> Result<BTreeMap<String, String>> {
    let list = codes(tubes);
    let rows: Vec<(String, String)> =
        on!(tx, c => query_as(LIVE_POOLS).bind(&list).fetch_all(c).await)?;
    Ok(rows.into_iter().collect())
}

/// Writes a new pool with its tubes; false when one has the code.
pub async fn pool_add(
    tx: &mut Tx,
    code: &PoolCode,
    mixed: &Mixed,
    (account, at): (&str, Time),
) -> Result<bool> {
    let depth = i64::try_from(mixed.tubes.len()).expect("a pool's tubes were counted");
    let added = on!(tx, c => query(POOL_ADD).bind(code).bind(&mixed.laboratory)
        .bind(&mixed.kit.0).bind(&mixed.kit.1).bind(depth).bind(account).bind(at)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if added == 0 {
        return Ok(false);
    }
    let list = codes(&mixed.tubes);
    let written = on!(tx, c => query(POOL_TUBES_ADD).bind(code).bind(&list)
        .execute(c).await.map(|done| done.rows_affected()))?;
    ensure_rows("POOL_TUBES_ADD", mixed.tubes.len() as u64, written)?;
    Ok(true)
}

/// Moves the pools that are where they must be and says how many did; the caller compares.
pub async fn pools_move<S: AsRef<str>>(
    tx: &mut Tx,
    moved: impl IntoIterator<Item = S>,
    (from, to): (PoolState, PoolState),
    at: Time,
) -> Result<u64> {
    let moved = codes(moved);
    Ok(on!(tx, c => query(POOLS_MOVE).bind(&moved).bind(from).bind(to).bind(at)
        .execute(c).await.map(|done| done.rows_affected()))?)
}
