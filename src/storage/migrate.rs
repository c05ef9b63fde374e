//! Schema steps: two folders, same file names, one change each; a newer store is refused.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgPool, SqlitePool};

use super::OpenError;

/// Steps for SQLite.
pub static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
/// Steps for PostgreSQL.
pub static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

pub(super) async fn sqlite(pool: &SqlitePool) -> Result<(), OpenError> {
    SQLITE.run(pool).await.map_err(explain)
}

pub(super) async fn postgres(pool: &PgPool) -> Result<(), OpenError> {
    POSTGRES.run(pool).await.map_err(explain)
}

fn explain(error: MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMissing(step) => OpenError::Newer(step),
        other => OpenError::Migrate(other),
    }
}
