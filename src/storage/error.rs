//! How the store fails: six ways, told apart because each is answered differently.

use sqlx::error::ErrorKind;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The driver or the engine failed.
    #[error("the store failed")]
    Driver(#[source] sqlx::Error),
    /// The store is busy; the same call may succeed a moment later.
    #[error("the store is busy")]
    Busy(#[source] sqlx::Error),
    /// The connection was lost on the way: nobody knows whether the change was stored.
    #[error("the connection to the store was lost")]
    Lost(#[source] sqlx::Error),
    /// A constraint of the schema refused the change.
    #[error("the store refused the change")]
    Refused(#[source] sqlx::Error),
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

/// PostgreSQL: serialization failure, deadlock, lock not available, out of connections.
const BUSY_POSTGRES: [&str; 4] = ["40001", "40P01", "55P03", "53300"];
/// PostgreSQL: shut down by its keeper, crashed, or not ready yet.
const LOST_POSTGRES: [&str; 3] = ["57P01", "57P02", "57P03"];
/// SQLite: busy, busy snapshot, locked.
const BUSY_SQLITE: [&str; 3] = ["5", "517", "6"];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut => Self::Busy(error),
            sqlx::Error::Io(_) => Self::Lost(error),
            sqlx::Error::Database(database) => {
                let code = database.code();
                let code = code.as_deref().unwrap_or_default();
                if BUSY_POSTGRES.contains(&code) || BUSY_SQLITE.contains(&code) {
                    Self::Busy(error)
                } else if LOST_POSTGRES.contains(&code) {
                    Self::Lost(error)
                } else if matches!(database.kind(), ErrorKind::Other) && !refused_by_trigger(code) {
                    Self::Driver(error)
                } else {
                    Self::Refused(error)
                }
            }
            _ => Self::Driver(error),
        }
    }
}

/// Our triggers raise `P0001` on PostgreSQL and `SQLITE_CONSTRAINT_TRIGGER` (1811) on SQLite.
fn refused_by_trigger(code: &str) -> bool {
    code == "P0001" || code == "1811"
}

/// Refuses a statement that changed another number of rows than it had to.
pub fn ensure_rows(statement: &'static str, expected: u64, found: u64) -> Result<(), StoreError> {
    if expected == found { Ok(()) } else { Err(StoreError::Count { statement, expected, found }) }
}
