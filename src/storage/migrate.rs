//! Schema steps: two folders, same file names, one change each; a newer store is refused.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgPool, SqlitePool, query_as, query_scalar};

use super::{OpenError, Sql};

/// Steps for SQLite.
pub static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
/// Steps for PostgreSQL.
pub static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Whether any step was ever taken.
pub const BEGUN: Sql = Sql {
    sqlite: "select cast(count(*) as bigint) from sqlite_master
        where type = 'table' and name = '_sqlx_migrations'",
    postgres: "select cast(count(to_regclass('_sqlx_migrations')) as bigint)",
};
/// Steps that were taken, with their checksums.
pub const TAKEN: &str =
    "select version, checksum from _sqlx_migrations where success order by version";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("TAKEN", TAKEN)];

/// A step that was taken, and the checksum of its text.
type Taken = (i64, Vec<u8>);

pub(super) async fn sqlite(pool: &SqlitePool) -> Result<(), OpenError> {
    SQLITE.run(pool).await.map_err(explain)
}

/// Takes the steps that were not taken. Where there are none it does not lock either: the migrator's
/// lock is its session's, and whoever hands one session's transactions to several connections, as
/// `PgBouncer` does, may take it on one and let it go on another, and no node would start any more.
pub(super) async fn postgres(pool: &PgPool) -> Result<(), OpenError> {
    if postgres_is_done(pool).await.is_ok() {
        return Ok(());
    }
    POSTGRES.run(pool).await.map_err(explain)
}

/// Whether a store is up to date as it is.
pub(super) async fn sqlite_is_done(pool: &SqlitePool) -> Result<(), OpenError> {
    let begun: i64 =
        query_scalar(BEGUN.sqlite).fetch_one(pool).await.map_err(OpenError::Connect)?;
    let taken: Vec<Taken> = match begun {
        0 => Vec::new(),
        _ => query_as(TAKEN).fetch_all(pool).await.map_err(OpenError::Connect)?,
    };
    is_done(&SQLITE, &taken)
}

/// Whether a store is up to date as it is.
pub(super) async fn postgres_is_done(pool: &PgPool) -> Result<(), OpenError> {
    let begun: i64 =
        query_scalar(BEGUN.postgres).fetch_one(pool).await.map_err(OpenError::Connect)?;
    let taken: Vec<Taken> = match begun {
        0 => Vec::new(),
        _ => query_as(TAKEN).fetch_all(pool).await.map_err(OpenError::Connect)?,
    };
    is_done(&POSTGRES, &taken)
}

fn is_done(steps: &Migrator, taken: &[Taken]) -> Result<(), OpenError> {
    if let Some((newer, _)) = taken.iter().find(|(step, _)| !steps.version_exists(*step)) {
        return Err(OpenError::Newer(*newer));
    }
    for step in steps.iter() {
        match taken.iter().find(|(version, _)| *version == step.version) {
            None => return Err(OpenError::Older(step.version)),
            Some((version, checksum)) if checksum[..] != step.checksum[..] => {
                return Err(explain(MigrateError::VersionMismatch(*version)));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn explain(error: MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMissing(step) => OpenError::Newer(step),
        other => OpenError::Migrate(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_up_to_date_when_every_step_was_taken_as_it_is_written() {
        let all: Vec<Taken> =
            SQLITE.iter().map(|step| (step.version, step.checksum.to_vec())).collect();
        assert!(is_done(&SQLITE, &all).is_ok());
        assert!(matches!(is_done(&SQLITE, &all[1..]), Err(OpenError::Older(1))));
        let mut newer = all.clone();
        newer.push((9999, Vec::new()));
        assert!(matches!(is_done(&SQLITE, &newer), Err(OpenError::Newer(9999))));
        let mut altered = all;
        altered[0].1[0] ^= 1;
        assert!(matches!(is_done(&SQLITE, &altered), Err(OpenError::Migrate(_))));
    }
}
