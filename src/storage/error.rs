//! How the store fails: eight ways, told apart because each is answered differently.

use std::sync::Arc;

use sqlx::error::ErrorKind;

use super::Channel;

/// A failure of the store; cheap to clone, because a batch that fails fails for each of its
/// callers.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The driver or the engine failed.
    #[error("the store failed")]
    Driver(#[source] Arc<sqlx::Error>),
    /// The store is busy; the same call may succeed a moment later.
    #[error("the store is busy")]
    Busy(#[source] Arc<sqlx::Error>),
    /// The connection was lost on the way: nobody knows whether the change was stored.
    #[error("the connection to the store was lost")]
    Lost(#[source] Arc<sqlx::Error>),
    /// Too much waits on this channel, or it waited too long: nothing was stored, and the same
    /// call may succeed a moment later.
    #[error("too many changes wait to be stored ({})", .0.as_str())]
    Full(Channel),
    /// A text that PostgreSQL keeps nowhere, since it holds a NUL: nothing has such a name, and
    /// nothing was stored.
    #[error("the store takes no text with a NUL")]
    NotText(#[source] Arc<sqlx::Error>),
    /// A constraint of the schema refused the change.
    #[error("the store refused the change")]
    Refused(#[source] Arc<sqlx::Error>),
    /// A stored row is not a value we could have written.
    #[error("table {table}, row {id}: {reason}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The row's key.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A statement touched another number of rows than it must.
    #[error("{statement} changed {found} rows instead of {expected}")]
    Count {
        /// The statement's name.
        statement: &'static str,
        /// Rows it had to change.
        expected: u64,
        /// Rows it changed.
        found: u64,
    },
}

/// PostgreSQL: serialization failure, deadlock, lock not available, out of connections, disk or
/// memory. Where there is no room nothing was stored, and no smaller part of it would be.
const BUSY_POSTGRES: [&str; 6] = ["40001", "40P01", "55P03", "53100", "53200", "53300"];
/// PostgreSQL: shut down by its keeper, crashed, or not ready yet; still or again a replica, as for
/// a moment after a failover; the transaction was ended because nothing more was said in it.
const LOST_POSTGRES: [&str; 5] = ["57P01", "57P02", "57P03", "25006", "25P03"];
/// PostgreSQL: the class of errors of a connection, as whoever stands between reports them.
const CONNECTION_POSTGRES: &str = "08";
/// PostgreSQL: a character that its encoding lacks, or JSON escapes.
const NOT_TEXT_POSTGRES: [&str; 2] = ["22021", "22P05"];
/// SQLite: busy, busy snapshot, locked, disk full.
const BUSY_SQLITE: [&str; 4] = ["5", "517", "6", "13"];

/// PostgreSQL: serialization failure, deadlock. The transaction was undone for another's sake.
const CROSSED: [&str; 2] = ["40001", "40P01"];

impl StoreError {
    /// The server does not answer any more.
    pub(super) fn silent() -> Self {
        let silent = std::io::Error::new(std::io::ErrorKind::TimedOut, "the server fell silent");
        Self::Lost(Arc::new(sqlx::Error::Io(silent)))
    }

    /// Whether the transaction was undone because it crossed another, and is worth trying again at
    /// once.
    pub fn crossed(&self) -> bool {
        let Self::Busy(source) = self else { return false };
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| CROSSED.contains(&&*code))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        kind(&error)(Arc::new(error))
    }
}

/// Which of the ways a driver's error is.
fn kind(error: &sqlx::Error) -> fn(Arc<sqlx::Error>) -> StoreError {
    match error {
        sqlx::Error::PoolTimedOut => StoreError::Busy,
        // A connection cut in the middle of a message reads as any of these.
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::BeginFailed
        // The connections were given up because the server fell silent.
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => StoreError::Lost,
        sqlx::Error::Database(database) => {
            let code = database.code();
            let code = code.as_deref().unwrap_or_default();
            if BUSY_POSTGRES.contains(&code) || BUSY_SQLITE.contains(&code) {
                StoreError::Busy
            } else if NOT_TEXT_POSTGRES.contains(&code) {
                StoreError::NotText
            } else if LOST_POSTGRES.contains(&code) || is_of_connection(code) {
                StoreError::Lost
            } else if matches!(database.kind(), ErrorKind::Other) && !refused_by_trigger(code) {
                StoreError::Driver
            } else {
                StoreError::Refused
            }
        }
        _ => StoreError::Driver,
    }
}

/// SQLite's codes are numbers without letters of no fixed length; PostgreSQL's have five places.
fn is_of_connection(code: &str) -> bool {
    code.len() == 5 && code.starts_with(CONNECTION_POSTGRES)
}

/// Our triggers raise `P0001` on PostgreSQL and `SQLITE_CONSTRAINT_TRIGGER` (1811) on SQLite.
fn refused_by_trigger(code: &str) -> bool {
    code == "P0001" || code == "1811"
}

/// Refuses a statement that changed another number of rows than it had to.
pub fn ensure_rows(statement: &'static str, expected: u64, found: u64) -> Result<(), StoreError> {
    if expected == found { Ok(()) } else { Err(StoreError::Count { statement, expected, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_a_connection_are_told_from_sqlite_s_numbers() {
        assert!(is_of_connection("08006") && is_of_connection("08P01"));
        for other in ["8", "08", "23505", "1811"] {
            assert!(!is_of_connection(other), "{other}");
        }
    }
}
