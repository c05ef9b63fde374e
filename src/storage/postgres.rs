//! PostgreSQL: one pool; the doors decide who reads and who writes.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, query_scalar};

use super::OpenError;

/// Write transactions at once from one process, each with an audit chain of its own.
pub(super) const WRITERS: usize = 8;
/// Connections of one process; readers share what the writers leave.
const CONNECTIONS: u32 = 16;

/// Connections of those who only ask: two of look-ups, one of proofs, one of the follower, two of
/// the feed.
const ASKING: u32 = 6;

pub(super) async fn open(url: &str, timeout: Duration) -> Result<PgPool, OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(OpenError::Connect)?;
    connect(options, timeout).await
}

/// The pool of those who only ask; connects when it is asked.
pub(super) fn asking(url: &str, timeout: Duration) -> Result<PgPool, OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(OpenError::Connect)?;
    let pool = PgPoolOptions::new()
        .max_connections(ASKING)
        .acquire_timeout(timeout)
        .test_before_acquire(false);
    Ok(pool.connect_lazy_with(options))
}

/// Opens a store whose every transaction only reads.
pub(super) async fn open_existing(url: &str, timeout: Duration) -> Result<PgPool, OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(OpenError::Connect)?;
    connect(options.options([("default_transaction_read_only", "on")]), timeout).await
}

async fn connect(options: PgConnectOptions, timeout: Duration) -> Result<PgPool, OpenError> {
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(timeout)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(OpenError::Connect)?;
    refuse_unsafe(&pool).await?;
    Ok(pool)
}

/// Refuses a server that acknowledges commits before they are on disk (R1, R2).
async fn refuse_unsafe(pool: &PgPool) -> Result<(), OpenError> {
    for (setting, sql) in [
        ("fsync", "select current_setting('fsync')"),
        ("synchronous_commit", "select current_setting('synchronous_commit')"),
        ("full_page_writes", "select current_setting('full_page_writes')"),
    ] {
        let value: String = query_scalar(sql).fetch_one(pool).await.map_err(OpenError::Connect)?;
        if value == "off" {
            return Err(OpenError::Unsafe(format!(
                "PostgreSQL runs with {setting} = off; set it on and restart"
            )));
        }
    }
    Ok(())
}
