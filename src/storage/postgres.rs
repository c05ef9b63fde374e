//! PostgreSQL: a pool for those who write and one for those who read, so that no crowd of readers
//! keeps a writer from its connection.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, query_scalar};

use super::OpenError;

/// Write transactions at once from one process, each with an audit chain of its own.
pub(super) const WRITERS: usize = 8;
/// Of those the ones that are kept for scans.
pub(super) const KEPT: usize = 2;
/// Tasks that gather sealed tubes. With two, batches are smaller: 256 devices with single scans
/// cost the server 64 us of processor time a tube, and 58 with one.
pub(super) const GATHERERS: usize = 1;
/// Connections of one process that read.
const READERS: u32 = 12;

/// Connections of those who only ask: two of look-ups, one of proofs, one of the follower, two of
/// the feed.
const ASKING: u32 = 6;

pub(super) async fn open(url: &str, timeout: Duration) -> Result<(PgPool, PgPool), OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(OpenError::Connect)?;
    let writers = u32::try_from(WRITERS).expect("there are few writers");
    Ok((
        connect(options.clone(), READERS, timeout).await?,
        connect(options, writers, timeout).await?,
    ))
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
    let options = options.options([("default_transaction_read_only", "on")]);
    connect(options, READERS, timeout).await
}

async fn connect(
    options: PgConnectOptions,
    connections: u32,
    timeout: Duration,
) -> Result<PgPool, OpenError> {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
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
