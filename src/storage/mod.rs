//! The store: two doors, two engines, one SQL text.
//!
//! `db.read("name")` and `db.write("name")` give a [`Tx`] guard; dropped, it rolls back. Who
//! writes next is decided by [`Channel`]. Every store function takes `&mut Tx`, and the macro
//! [`on!`](crate::on) writes its body once for the reader and twice for the compiler. PostgreSQL
//! carries two functions of ours, `jsonb_each(text)` and `unhex(text)`, that SQLite has by birth:
//! with them a batch is one JSON parameter and the same statement on both. What comes one by one and
//! often is gathered by a [`Writer`].

mod batch;
mod chain;
mod conn;
mod error;
mod gate;
mod line;
pub mod migrate;
mod news;
pub mod outbox;
mod postgres;
mod sqlite;
mod statistics;
mod writer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{PgPool, SqlitePool};

pub use batch::{codes, json};
pub use chain::ChainHead;
use chain::{ChainLease, Chains};
pub use conn::{Conn, Held};
pub use error::{StoreError, ensure_rows};
use gate::Gate;
pub use gate::{Channel, Queue, Queues};
use line::{Line, Listening, Pools};
pub use news::{Mark, News};
pub use writer::{Batch, TRIES, Writer};

use crate::clock::Clock;

/// How long a caller waits for a connection before it is told that the store is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may take to let its connections go.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How PostgreSQL begins to read: one snapshot, as SQLite gives by birth. A transaction that only
/// reads is never refused for it.
const SNAPSHOT: &str = "begin transaction isolation level repeatable read, read only";

/// Where the data lies.
#[derive(Clone, Debug)]
pub struct Db {
    engine: Engine,
    chains: Chains,
    news: News,
}

/// Those who only ask have connections apart from everybody's: a storm of queries takes none from
/// scans and laboratories (R43).
#[derive(Clone, Debug)]
enum Engine {
    Sqlite { readers: SqlitePool, writer: SqlitePool, asking: SqlitePool },
    Postgres(Arc<Line>),
}

/// One transaction on either engine; rolls back unless [`Tx::commit`] is called.
#[must_use = "a transaction that is dropped rolls back"]
pub struct Tx {
    /// Its connection; use it through [`on!`](crate::on).
    pub conn: Conn,
    name: &'static str,
    started: Instant,
    chain: Option<ChainLease>,
    news: News,
    /// Of what the feed was told.
    tells: Vec<Mark>,
    /// From before it was begun.
    listening: Listening,
}

/// Runs one body on whichever engine the transaction is on.
#[macro_export]
macro_rules! on {
    ($tx:expr, $c:ident => $body:expr) => {
        match &mut $tx.conn {
            $crate::storage::Conn::Sqlite(held) => {
                let $c = &mut **held;
                $body
            }
            $crate::storage::Conn::Postgres(held) => {
                let $c = &mut **held;
                $body
            }
        }
    };
}

/// A statement whose text must differ between the engines; there are few.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// For SQLite.
    pub sqlite: &'static str,
    /// For PostgreSQL.
    pub postgres: &'static str,
}

impl Sql {
    /// The text for the engine `tx` is on.
    pub const fn text(self, tx: &Tx) -> &'static str {
        match tx.conn {
            Conn::Sqlite(_) => self.sqlite,
            Conn::Postgres(_) => self.postgres,
        }
    }
}

impl Db {
    /// Opens the store at `url` (`sqlite:PATH` or `postgres://...`), checks that it is safe (R2)
    /// and brings its schema up to date.
    pub async fn open(url: &str, clock: &Clock) -> Result<Self, OpenError> {
        if is_postgres(url) {
            let line = postgres::open(url).await?;
            migrate::postgres(&line.pools().writers).await?;
            postgres::refuse_foreign(&line.pools().writers).await?;
            let gate = Gate::new(postgres::WRITERS, postgres::KEPT, Queues::default());
            Ok(Self::on(Engine::Postgres(line), clock, gate))
        } else if let Some(path) = url.strip_prefix("sqlite:") {
            let (readers, writer) = sqlite::open(path, ACQUIRE_TIMEOUT).await?;
            sqlite::refuse_unsafe(&writer).await?;
            migrate::sqlite(&writer).await?;
            let asking = sqlite::asking(path, ACQUIRE_TIMEOUT);
            let gate = Gate::new(1, 0, Queues::default());
            Ok(Self::on(Engine::Sqlite { readers, writer, asking }, clock, gate))
        } else {
            Err(OpenError::Url)
        }
    }

    fn on(engine: Engine, clock: &Clock, gate: Gate) -> Self {
        Self { engine, chains: Chains::new(clock.clone(), gate), news: News::default() }
    }

    /// The same store with other queues before its writers.
    pub fn with_queues(self, queues: Queues) -> Self {
        Self { chains: self.chains.behind(|gate| gate.with_queues(queues)), ..self }
    }

    /// Shows how many wait before the writers.
    pub fn gauge(&self) {
        self.chains.gate().gauge();
    }

    /// How much may wait before the writers, and how long.
    pub const fn queues(&self) -> &Queues {
        self.chains.gate().queues()
    }

    /// Opens a store that is there, to read it and nothing else: nothing is made, and no schema
    /// is brought up to date.
    pub async fn open_existing(url: &str, clock: &Clock) -> Result<Self, OpenError> {
        let gate = Gate::new(1, 0, Queues::default());
        if is_postgres(url) {
            let line = postgres::open_existing(url).await?;
            migrate::postgres_is_done(&line.pools().readers).await?;
            Ok(Self::on(Engine::Postgres(line), clock, gate))
        } else if let Some(path) = url.strip_prefix("sqlite:") {
            let readers = sqlite::open_existing(path, ACQUIRE_TIMEOUT).await?;
            migrate::sqlite_is_done(&readers).await?;
            sqlite::refuse_unsafe(&readers).await?;
            let (asking, writer) = (readers.clone(), readers.clone());
            Ok(Self::on(Engine::Sqlite { readers, writer, asking }, clock, gate))
        } else {
            Err(OpenError::Url)
        }
    }

    /// The door for reading; writing through it fails. On both engines every statement sees the
    /// store as the first one did, whatever others commit meanwhile.
    pub async fn read(&self, name: &'static str) -> Result<Tx, StoreError> {
        let listening = self.listen();
        let conn = match &self.engine {
            Engine::Sqlite { readers, .. } => embedded(readers, "begin").await?,
            Engine::Postgres(line) => begin(&listening, &line.pools().readers, SNAPSHOT).await?,
        };
        Ok(self.begun(conn, name, None, listening))
    }

    /// The door of those who only ask, and are many: as [`Db::read`], with few connections that
    /// nobody else uses.
    pub async fn ask(&self, name: &'static str) -> Result<Tx, StoreError> {
        let listening = self.listen();
        let conn = match &self.engine {
            Engine::Sqlite { asking, .. } => embedded(asking, "begin").await?,
            Engine::Postgres(line) => begin(&listening, &line.pools().asking, SNAPSHOT).await?,
        };
        Ok(self.begun(conn, name, None, listening))
    }

    /// The same door for one statement, which sees one moment of the store by itself: to begin and
    /// to end a transaction around it would be two more ways to the engine. A second statement would
    /// see another moment, and nothing but its own text keeps one from writing on PostgreSQL.
    pub async fn ask_once(&self, name: &'static str) -> Result<Tx, StoreError> {
        let listening = self.listen();
        let conn = match &self.engine {
            Engine::Sqlite { asking, .. } => Conn::Sqlite(Held::Alone(asking.acquire().await?)),
            Engine::Postgres(line) => {
                let pool = line.pools().asking;
                let acquired = async { Ok::<_, StoreError>(pool.acquire().await?) };
                Conn::Postgres(Held::Alone(listening.unless_silent(acquired).await?))
            }
        };
        Ok(self.begun(conn, name, None, listening))
    }

    /// The door for writing in a laboratory, and for whatever has no channel of its own.
    pub async fn write(&self, name: &'static str) -> Result<Tx, StoreError> {
        self.write_on(Channel::Laboratory, name).await
    }

    /// The door for writing, with the lease of one audit chain: where many wait, the higher
    /// channel goes first, and what cannot be served in its time is refused.
    pub async fn write_on(&self, channel: Channel, name: &'static str) -> Result<Tx, StoreError> {
        let waiting = Instant::now();
        let chain = self.chains.lease(channel).await?;
        let listening = self.listen();
        let conn = match &self.engine {
            Engine::Sqlite { writer, .. } => embedded(writer, "begin immediate").await?,
            Engine::Postgres(line) => begin(&listening, &line.pools().writers, "begin").await?,
        };
        metrics::histogram!("store_wait_seconds", "tx" => name).record(waiting.elapsed());
        Ok(self.begun(conn, name, Some(chain), listening))
    }

    fn begun(
        &self,
        conn: Conn,
        name: &'static str,
        chain: Option<ChainLease>,
        listening: Listening,
    ) -> Tx {
        let (started, news) = (Instant::now(), self.news.clone());
        Tx { conn, name, started, chain, news, tells: Vec::new(), listening }
    }

    /// Does this, unless the store falls silent meanwhile: nobody knows then what became of it.
    /// For whoever works without a time limit; a request has its own.
    pub async fn unless_silent<T, E: From<StoreError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.listen().unless_silent(work).await
    }

    /// Listens from now on for the store's falling silent.
    fn listen(&self) -> Listening {
        match &self.engine {
            Engine::Sqlite { .. } => Listening::never(),
            Engine::Postgres(line) => line.listen(),
        }
    }

    /// Who waits for what this process commits to the feed.
    pub const fn news(&self) -> &News {
        &self.news
    }

    /// Tasks that gather what is written together: more would only wait for one another.
    const fn gatherers(&self) -> usize {
        match self.engine {
            Engine::Sqlite { .. } => 1,
            Engine::Postgres(_) => postgres::GATHERERS,
        }
    }

    /// The engine's name, for people.
    pub const fn engine(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite { .. } => "SQLite",
            Engine::Postgres(_) => "PostgreSQL",
        }
    }

    /// Closes every connection; SQLite folds its log back into the file.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite { readers, writer, asking } => {
                asking.close().await;
                readers.close().await;
                writer.close().await;
            }
            Engine::Postgres(line) => {
                let Pools { readers, writers, asking } = line.pools();
                let closed =
                    async { tokio::join!(asking.close(), readers.close(), writers.close()) };
                // A server that fell silent takes no leave.
                tokio::time::timeout(CLOSE_TIMEOUT, closed).await.ok();
            }
        }
    }
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

async fn embedded(pool: &SqlitePool, how: &'static str) -> Result<Conn, StoreError> {
    Ok(Conn::Sqlite(Held::Transaction(pool.begin_with(how).await?)))
}

async fn begin(
    listening: &Listening,
    pool: &PgPool,
    how: &'static str,
) -> Result<Conn, StoreError> {
    let begun = async { Ok(pool.begin_with(how).await?) };
    listening.unless_silent(begun).await.map(|begun| Conn::Postgres(Held::Transaction(begun)))
}

impl Tx {
    /// Commits; when this returns, the change is on disk (R1).
    pub async fn commit(self) -> Result<(), StoreError> {
        let Self { conn, name, started, mut chain, news, tells, .. } = self;
        // The caller may stop waiting, when a client hangs up or a request's time is over, and
        // the engine still completes the commit.
        if let Some(chain) = &mut chain {
            chain.committing();
        }
        let outcome = conn.commit().await;
        if let (Some(chain), Ok(())) = (chain, &outcome) {
            chain.committed();
        }
        if !tells.is_empty() && outcome.is_ok() {
            news.tell(&tells);
        }
        metrics::histogram!("store_tx_seconds", "tx" => name).record(started.elapsed());
        outcome.map_err(StoreError::from)
    }

    /// This transaction changes what is shown of these tubes or people: once it is committed, what
    /// this node keeps of them is not shown, and whoever waits for the feed is woken.
    pub fn concerns<S: AsRef<str>>(&mut self, names: impl IntoIterator<Item = S>) {
        self.tells.extend(names.into_iter().map(|name| Mark::of(name.as_ref())));
    }

    /// The head of the audit chain this transaction writes to; none behind the read door.
    pub fn chain_head(&mut self) -> Option<&mut ChainHead> {
        self.chain.as_mut().map(ChainLease::head)
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not a URL of an engine we know.
    #[error("the store's address must begin with `sqlite:` or `postgres://`")]
    Url,
    /// It cannot be reached.
    #[error("the store cannot be opened: {0}; check the address and that the server runs")]
    Connect(#[source] sqlx::Error),
    /// There is none.
    #[error("there is no store at {0}; check --data and --database")]
    Absent(String),
    /// Its schema is older than this program's.
    #[error("the store lacks step {0} of its schema; run `swabline migrate`")]
    Older(i64),
    /// It would not keep its promises (R2).
    #[error("the store is not safe to use: {0}")]
    Unsafe(String),
    /// It was written by a newer program.
    #[error("the store is newer than this program (it has step {0}); install the newer program")]
    Newer(i64),
    /// Its schema cannot be brought up to date.
    #[error("the store's schema cannot be brought up to date: {0}")]
    Migrate(#[source] sqlx::migrate::MigrateError),
}
