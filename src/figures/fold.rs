//! Deltas folded into counters, so that whoever reads has few of them to add up.

use std::time::Duration;

use sqlx::{query, query_scalar};

use crate::error::Result;
use crate::storage::{Conn, Db, Sql};

/// How often somebody folds.
const EVERY: Duration = Duration::from_secs(5);
/// Deltas folded in one transaction: on SQLite everybody who writes waits for it.
const AT_ONCE: i64 = 5_000;

/// `$1` how many. On PostgreSQL two nodes may fold at once: each takes deltas the other does not,
/// and both write the counters in one order. SQLite has one writer and takes them away after.
pub const FOLD: Sql = Sql {
    sqlite: "insert into figure (round_code, kind, move, hour, area, laboratory_code, bucket, n,
            people)
        select round_code, kind, move, hour, area, laboratory_code, bucket, sum(n), sum(people)
        from figure_fresh where id in (select id from figure_delta order by id limit $1)
        group by round_code, kind, move, hour, area, laboratory_code, bucket
        on conflict (round_code, kind, move, hour, area, laboratory_code, bucket) do update set
            n = n + excluded.n, people = people + excluded.people",
    postgres: "with taken as (delete from figure_delta where id in
                (select id from figure_delta order by id limit $1 for update skip locked)
            returning id),
        folded as (
            insert into figure
                (round_code, kind, move, hour, area, laboratory_code, bucket, n, people)
            select round_code, kind, move, hour, area, laboratory_code, bucket, sum(n), sum(people)
            from figure_fresh where id in (select id from taken)
            group by round_code, kind, move, hour, area, laboratory_code, bucket
            order by round_code, kind, move, hour, area, laboratory_code, bucket
            on conflict (round_code, kind, move, hour, area, laboratory_code, bucket) do update set
                n = figure.n + excluded.n, people = figure.people + excluded.people)
        select count(*) from taken",
};
/// The oldest delta.
pub const WAITING: &str = "select id from figure_delta order by id limit 1";
/// `$1` how many: the deltas that were just folded.
pub const FOLDED: &str = "delete from figure_delta
    where id in (select id from figure_delta order by id limit $1)";

/// Every statement of this file that is the same on both engines.
pub const STATEMENTS: &[(&str, &str)] = &[("WAITING", WAITING), ("FOLDED", FOLDED)];

/// Folds now and then, for as long as it is polled.
pub async fn keep_folded(db: &Db) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = db.unless_silent(Box::pin(fold(db, AT_ONCE))).await {
            // What is not folded is counted by whoever reads; nothing is lost but time.
            tracing::warn!(error = %error, "the figures could not be folded");
        }
    }
}

/// Folds everything there is, so many at a time.
pub async fn fold(db: &Db, at_once: i64) -> Result<()> {
    let mut tx = db.read("figures.waiting").await?;
    let waiting: Option<i64> = on!(tx, c => query_scalar(WAITING).fetch_optional(c).await)?;
    drop(tx);
    let mut may_be_more = waiting.is_some();
    while may_be_more {
        may_be_more = fold_some(db, at_once).await? == at_once;
    }
    Ok(())
}

/// Folds the oldest deltas, and says how many those were.
async fn fold_some(db: &Db, at_once: i64) -> Result<i64> {
    let mut tx = db.write("figures.fold").await?;
    let folded = match &mut tx.conn {
        Conn::Sqlite(c) => {
            query(FOLD.sqlite).bind(at_once).execute(&mut **c).await?;
            let gone = query(FOLDED).bind(at_once).execute(&mut **c).await?.rows_affected();
            i64::try_from(gone).unwrap_or(at_once)
        }
        Conn::Postgres(c) => query_scalar(FOLD.postgres).bind(at_once).fetch_one(&mut **c).await?,
    };
    tx.commit().await?;
    Ok(folded)
}
