//! A connection of either engine, as one [`Tx`](super::Tx) has it.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{Database, Postgres, Sqlite, Transaction};

/// The engine's own connection.
pub enum Conn {
    /// The embedded engine.
    Sqlite(Held<Sqlite>),
    /// The engine for a city.
    Postgres(Held<Postgres>),
}

/// A connection out of its pool: in a transaction, or by itself for one statement.
pub enum Held<DB: Database> {
    /// Until it is committed or rolled back.
    Transaction(Transaction<'static, DB>),
    /// Each statement by itself.
    Alone(PoolConnection<DB>),
}

impl<DB: Database> Deref for Held<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Transaction(transaction) => transaction,
            Self::Alone(connection) => connection,
        }
    }
}

impl<DB: Database> DerefMut for Held<DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Transaction(transaction) => transaction,
            Self::Alone(connection) => connection,
        }
    }
}

impl<DB: Database> Held<DB> {
    async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Transaction(transaction) => transaction.commit().await,
            Self::Alone(_) => Ok(()),
        }
    }
}

impl Conn {
    /// Commits what was begun.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(held) => held.commit().await,
            Self::Postgres(held) => held.commit().await,
        }
    }
}
