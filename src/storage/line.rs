//! The connections to PostgreSQL, which are given up when it falls silent.
//!
//! A server that closes its connections is noticed at once. One that freezes, or is cut off without
//! a word, leaves whoever waits for it waiting until TCP gives up, a quarter of an hour later, and
//! the driver waits too before it takes a connection back. So somebody asks the server every two
//! seconds, over a connection of its own; where it has not answered in ten, whoever waits for it is
//! told that it is lost, and all connections are made anew.

use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::sync::watch;

use super::StoreError;

/// How often the server is asked.
const EVERY: Duration = Duration::from_secs(2);
/// How long a server may take for an answer that costs it nothing, however busy it is.
const SILENCE: Duration = Duration::from_secs(10);

/// Pools of one server.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    /// Of those who read.
    pub readers: PgPool,
    /// Of those who write.
    pub writers: PgPool,
    /// Of those who only ask.
    pub asking: PgPool,
}

/// A way to make the pools again, to the same server.
type Anew = fn(PgConnectOptions) -> Pools;

/// The pools in use, and the signal that they were given up.
#[derive(Debug)]
pub(super) struct Line {
    options: PgConnectOptions,
    pools: RwLock<Pools>,
    given_up: watch::Sender<()>,
}

impl Line {
    /// Uses these pools, and asks the server from now on whether it still answers.
    pub fn watched(options: PgConnectOptions, pools: Pools, anew: Anew) -> Arc<Self> {
        let line = Arc::new(Self::new(options, pools));
        tokio::spawn(watch(Arc::downgrade(&line), anew));
        line
    }

    /// Uses these pools for as long as they last.
    pub fn new(options: PgConnectOptions, pools: Pools) -> Self {
        Self { options, pools: RwLock::new(pools), given_up: watch::Sender::new(()) }
    }

    /// The pools in use.
    pub fn pools(&self) -> Pools {
        self.pools.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Listens from now on.
    pub fn listen(&self) -> Listening {
        Listening(Some(self.given_up.subscribe()))
    }

    fn renew(&self, pools: Pools) {
        let old = {
            let mut used = self.pools.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *used, pools)
        };
        self.given_up.send_replace(());
        for pool in [old.readers, old.writers, old.asking] {
            // What is still on its way is not taken back; waiting for it may take a quarter of an
            // hour, and keeps nobody.
            tokio::spawn(async move { pool.close().await });
        }
    }
}

/// Hears that the server fell silent after this was made, also while nobody waited for it.
#[derive(Clone, Debug)]
pub(super) struct Listening(Option<watch::Receiver<()>>);

impl Listening {
    /// For a store that cannot fall silent.
    pub(super) const fn never() -> Self {
        Self(None)
    }

    /// Does this, unless the server fell or falls silent: nobody knows then what became of it.
    pub async fn unless_silent<T, E: From<StoreError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Some(mut given_up) = self.0.clone() else { return work.await };
        tokio::select! {
            done = work => done,
            Ok(()) = given_up.changed() => Err(StoreError::silent().into()),
        }
    }
}

async fn watch(line: Weak<Line>, anew: Anew) {
    let mut connection = None;
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(line) = line.upgrade() else { return };
        match tokio::time::timeout(SILENCE, ask(&mut connection, &line.options)).await {
            Ok(Ok(())) => {}
            // It is down and says so, as everybody's connection is told.
            Ok(Err(_down)) => connection = None,
            Err(_silent) => {
                tracing::error!("PostgreSQL fell silent; its connections are made anew");
                metrics::counter!("store_silent_total").increment(1);
                connection = None;
                line.renew(anew(line.options.clone()));
            }
        }
    }
}

async fn ask(
    connection: &mut Option<PgConnection>,
    options: &PgConnectOptions,
) -> Result<(), sqlx::Error> {
    if connection.is_none() {
        *connection = Some(PgConnection::connect_with(options).await?);
    }
    match connection {
        Some(connection) => connection.ping().await,
        None => Ok(()),
    }
}
