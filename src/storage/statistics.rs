//! What PostgreSQL has counted of a table decides how it reads it. Its own autovacuum counts once
//! a minute; a round that opens at eight has a million rows by then, read as if they were a few.
//! So whoever serves has what has grown counted within seconds. SQLite plans well uncounted.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool, query, query_scalar};

use super::{Db, Engine, StoreError};

/// How often somebody looks.
const EVERY: Duration = Duration::from_secs(5);

impl Db {
    /// Has what has grown counted, for as long as it is polled.
    pub async fn keep_counted(&self) {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = self.count_grown().await {
                // Autovacuum counts as well; nothing is lost but time.
                tracing::warn!(error = %error, "the tables could not be counted");
            }
        }
    }

    /// Has every table counted of which much has changed, and gives their names; nothing on
    /// SQLite.
    pub async fn count_grown(&self) -> Result<Vec<String>, StoreError> {
        match &self.engine {
            Engine::Sqlite { .. } => Ok(Vec::new()),
            // Writers keep their connections to themselves.
            Engine::Postgres(line) => {
                line.listen().unless_silent(count_grown(&line.pools().readers)).await
            }
        }
    }
}

async fn count_grown(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    // Small tables are read whole anyway. One that keeps growing is counted some twenty times on
    // its way to a billion rows: what is half as much again is planned for alike.
    let grown: Vec<String> = query_scalar(
        "select cast(cast(relid as regclass) as text) from pg_stat_user_tables
            where n_mod_since_analyze > 1000 and n_mod_since_analyze > n_live_tup * 0.6
            order by relid",
    )
    .fetch_all(pool)
    .await?;
    for table in &grown {
        // The name comes quoted from the catalogue. Where another node is at it, it is left to it.
        let count = AssertSqlSafe(format!("analyze (skip_locked) {table}"));
        query(count).execute(pool).await?;
    }
    Ok(grown)
}
