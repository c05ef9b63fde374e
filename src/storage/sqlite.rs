//! SQLite: one writer, several readers, nothing weaker than a synced commit.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection, SqlitePool, query_scalar};

use super::OpenError;

/// Readers beside the one writer.
const READERS: u32 = 4;
/// Readers of those who only ask: two of look-ups, one of proofs, one of the follower, two of the
/// feed, one of reports.
const ASKING: u32 = 7;
/// Memory of the writer for pages: KiB, as SQLite writes it. Persons are spread over all of their
/// indexes: with the usual 2 MiB nearly every row of a grown store is a page read anew. With 96 MiB,
/// and 8 for each reader, a server took 582 MiB at most over the record day.
const WRITER_CACHE: &str = "-32768";
/// Pages of the log after which it is folded into the file. A batch of tubes writes more than the
/// usual 1,000, and each page that is written again before it is folded is folded once.
const CHECKPOINT: &str = "16384";
/// The first release without the WAL-reset race that loses commits (sqlite.org/wal.html).
const SAFE_VERSION: (u32, u32, u32) = (3, 51, 3);
/// Older branches that carry the same fix.
const SAFE_BACKPORTS: [(u32, u32, u32); 2] = [(3, 50, 7), (3, 44, 6)];

pub(super) async fn open(
    path: &str,
    timeout: Duration,
) -> Result<(SqlitePool, SqlitePool), OpenError> {
    let options = options(path, timeout);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(timeout)
        .after_release(|connection, _| Box::pin(is_free(connection)))
        .connect_with(
            options
                .clone()
                .create_if_missing(true)
                .pragma("cache_size", WRITER_CACHE)
                .pragma("wal_autocheckpoint", CHECKPOINT),
        )
        .await
        .map_err(refusal)?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(timeout)
        // It was asked when it came back; nobody else can end it.
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(is_free(connection)))
        .connect_with(options.pragma("query_only", "on"))
        .await
        .map_err(refusal)?;
    Ok((readers, writer))
}

/// Whether a connection may be used again. A full disk has SQLite undo a transaction by itself, also
/// one that only reads; whoever then undoes it is told that there is none, and the connection believes
/// in it for ever.
async fn is_free(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // What undoes it may not have been carried out yet.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

fn options(path: &str, timeout: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(timeout)
}

/// The pool of those who only ask; connects when it is asked.
pub(super) fn asking(path: &str, timeout: Duration) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(ASKING)
        .acquire_timeout(timeout)
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(is_free(connection)))
        .connect_lazy_with(options(path, timeout).pragma("query_only", "on"))
}

/// Opens a file that is there, and never writes to it.
pub(super) async fn open_existing(path: &str, timeout: Duration) -> Result<SqlitePool, OpenError> {
    if !Path::new(path).is_file() {
        return Err(OpenError::Absent(path.to_owned()));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(timeout);
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(timeout)
        .after_release(|connection, _| Box::pin(is_free(connection)))
        .connect_with(options)
        .await
        .map_err(OpenError::Connect)
}

/// Refuses a store that would lose or spoil data (R2): the library's version, the settings in
/// force on the writer, and the file's own check.
pub(super) async fn refuse_unsafe(writer: &SqlitePool) -> Result<(), OpenError> {
    let ask = |sql: &'static str| async move {
        query_scalar::<_, String>(sql).fetch_one(writer).await.map_err(refusal)
    };
    let version = ask("select sqlite_version()").await?;
    if !version_is_safe(&version) {
        return Err(OpenError::Unsafe(format!(
            "SQLite {version} can lose commits; build with 3.51.3 or newer"
        )));
    }
    let settings = [
        ("journal_mode", "wal", ask("pragma journal_mode").await?),
        (
            "synchronous",
            "2",
            ask("select cast(synchronous as text) from pragma_synchronous").await?,
        ),
        (
            "foreign_keys",
            "1",
            ask("select cast(foreign_keys as text) from pragma_foreign_keys").await?,
        ),
    ];
    for (name, wanted, found) in settings {
        if found != wanted {
            return Err(OpenError::Unsafe(format!("{name} is {found} and must be {wanted}")));
        }
    }
    let check = ask("pragma quick_check(1)").await?;
    if check == "ok" { Ok(()) } else { Err(spoilt(&check)) }
}

/// A file so spoilt that its check cannot even begin (`SQLITE_CORRUPT`, `SQLITE_NOTADB`) fails it.
fn refusal(error: sqlx::Error) -> OpenError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if matches!(code.as_deref(), Some("11" | "26")) {
        return spoilt(&error.to_string());
    }
    OpenError::Connect(error)
}

fn spoilt(check: &str) -> OpenError {
    OpenError::Unsafe(format!("the file fails its check ({check}); restore the last backup"))
}

fn version_is_safe(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let found = (next(), next(), next());
    found >= SAFE_VERSION
        || SAFE_BACKPORTS
            .iter()
            .any(|&safe| (found.0, found.1) == (safe.0, safe.1) && found.2 >= safe.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_the_race_are_refused_and_fixed_ones_are_not() {
        for unsafe_version in ["3.40.1", "3.46.0", "3.50.6", "3.51.2", "3.44.5", "nonsense"] {
            assert!(!version_is_safe(unsafe_version), "{unsafe_version}");
        }
        for safe in ["3.51.3", "3.53.0", "3.50.7", "3.44.6", "4.0.0"] {
            assert!(version_is_safe(safe), "{safe}");
        }
    }
}
