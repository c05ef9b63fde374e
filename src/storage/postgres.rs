//! PostgreSQL: a pool for those who write and one for those who read, so that no crowd of readers
//! keeps a writer from its connection.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgConnection, PgPool, query, query_scalar};

use super::OpenError;
use super::line::{Line, Pools};

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
/// the feed, one of reports.
const ASKING: u32 = 7;

/// How long a caller waits for a connection before it is told that the store is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// What each connection begins with: the server ends a transaction whose node says nothing more for
/// so long. Otherwise a node that froze, or was cut off without a word, would keep its locks until
/// TCP gives up, two hours later. It is said on the connection, since `PgBouncer` takes no options.
const UNFINISHED: &str = "set idle_in_transaction_session_timeout = '60s'";

/// Opens a server that must be there and be safe, and asks it from then on whether it still is.
pub(super) async fn open(url: &str) -> Result<Arc<Line>, OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(OpenError::Connect)?;
    refuse_unsafe(&options).await?;
    let opened = pools(options.clone());
    Ok(Line::watched(options, opened, pools))
}

/// Opens a store whose every transaction only reads.
pub(super) async fn open_existing(url: &str) -> Result<Arc<Line>, OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(OpenError::Connect)?;
    let options = options.options([("default_transaction_read_only", "on")]);
    refuse_unsafe(&options).await?;
    let readers = bounded(READERS).connect_lazy_with(options.clone());
    let (writers, asking) = (readers.clone(), readers.clone());
    Ok(Arc::new(Line::new(options, Pools { readers, writers, asking })))
}

/// A pool for each door; they connect when they are used.
fn pools(options: PgConnectOptions) -> Pools {
    let writers = u32::try_from(WRITERS).expect("there are few writers");
    let pool = |connections, options| {
        bounded(connections)
            .after_connect(|connection, _| Box::pin(prepare(connection)))
            .connect_lazy_with(options)
    };
    Pools {
        readers: pool(READERS, options.clone()),
        writers: pool(writers, options.clone()),
        asking: pool(ASKING, options),
    }
}

fn bounded(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
}

/// Begins a connection: a server may have taken the place of the one that was looked at first, as
/// after a failover, and what it acknowledges must be as safe (R1).
async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if let Some(setting) = unsafe_setting(connection).await? {
        let unsafe_now = format!("PostgreSQL runs with {setting} = off; set it on and restart");
        return Err(sqlx::Error::Io(std::io::Error::other(unsafe_now)));
    }
    query(UNFINISHED).execute(connection).await.map(|_| ())
}

async fn refuse_unsafe(options: &PgConnectOptions) -> Result<(), OpenError> {
    // A pool waits for a server that is only starting, and not for ever for one that is silent.
    let pool = bounded(1).connect_lazy_with(options.clone());
    let mut connection = match pool.acquire().await {
        // It only says that it waited; the server itself says why.
        Err(sqlx::Error::PoolTimedOut) => {
            let asked = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect()).await;
            let why = asked.ok().and_then(Result::err).unwrap_or(sqlx::Error::PoolTimedOut);
            return Err(OpenError::Connect(why));
        }
        acquired => acquired.map_err(OpenError::Connect)?,
    };
    let found = unsafe_setting(&mut connection).await.map_err(OpenError::Connect)?;
    let encoding = foreign_encoding(&mut connection).await.map_err(OpenError::Connect)?;
    drop(connection);
    pool.close().await;
    let refused = found.map(|setting| format!("runs with {setting} = off; set it on and restart"));
    let refused = refused.or(encoding.map(|encoding| {
        format!("keeps this database in {encoding}; create one with encoding UTF8")
    }));
    refused.map_or(Ok(()), |why| Err(OpenError::Unsafe(format!("PostgreSQL {why}"))))
}

/// The encoding of a database that cannot keep every name.
async fn foreign_encoding(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let sql = "select setting from pg_settings
        where name = 'server_encoding' and setting <> 'UTF8'";
    query_scalar(sql).fetch_optional(connection).await
}

/// The first setting by which an acknowledged commit could be lost.
async fn unsafe_setting(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let sql = "select name from pg_settings
        where name in ('fsync', 'synchronous_commit', 'full_page_writes') and setting = 'off'
        order by name limit 1";
    query_scalar(sql).fetch_optional(connection).await
}

/// Refuses a store whose feed counts by another server's transactions, as after a dump was loaded:
/// what it gains would stand behind every cursor, and be told to nobody.
pub(super) async fn refuse_foreign(pool: &PgPool) -> Result<(), OpenError> {
    let newest = "select max(epoch) from feed where epoch >=
        cast(cast(pg_snapshot_xmax(pg_current_snapshot()) as text) as bigint)";
    let newest: Option<i64> =
        query_scalar(newest).fetch_one(pool).await.map_err(OpenError::Connect)?;
    newest.map_or(Ok(()), |epoch| {
        Err(OpenError::Unsafe(format!(
            "its feed was written up to transaction {epoch}, which this PostgreSQL has not come \
             to, for it was loaded from another server; move the store as a physical copy \
             (pg_basebackup), or number its feed anew as docs/scaling.md says"
        )))
    })
}
