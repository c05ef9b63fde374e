//! How much is in the store when the day is over. These statements read large tables from end to
//! end; they are no part of the service and run once, when it has stopped.

use serde::Serialize;
use sqlx::query_scalar;

use crate::clock::Clock;
use crate::simulation::Failure;
use crate::storage::{Db, StoreError};

/// What a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Rows of the tables that grow with every tube.
    pub rows: i64,
    /// Bytes on disk, indexes included.
    pub bytes: i64,
}

/// Looks at the store at `url`.
pub(super) async fn held(url: &str, clock: &Clock) -> Result<Held, Failure> {
    let db = Db::open_existing(url, clock)
        .await
        .map_err(|error| Failure::Server(format!("its store cannot be looked at: {error}")))?;
    let held = counted(&db).await?;
    db.close().await;
    Ok(held)
}

async fn counted(db: &Db) -> Result<Held, StoreError> {
    let rows = "select (select count(*) from person) + (select count(*) from tube)
        + (select count(*) from member) + (select count(*) from box_tube)
        + (select count(*) from arrival_tube) + (select count(*) from well)
        + (select count(*) from run_reading) + (select count(*) from call)
        + (select count(*) from result) + (select count(*) from status)
        + (select count(*) from recall) + (select count(*) from feed)
        + (select count(*) from audit) + (select count(*) from audit_subject)";
    let bytes = if db.engine() == "SQLite" {
        "select page_count * page_size from pragma_page_count(), pragma_page_size()"
    } else {
        "select pg_database_size(current_database())"
    };
    let mut tx = db.read("simulate.held").await?;
    let rows: i64 = on!(tx, c => query_scalar(rows).fetch_one(c).await)?;
    let bytes: i64 = on!(tx, c => query_scalar(bytes).fetch_one(c).await)?;
    Ok(Held { rows, bytes })
}
