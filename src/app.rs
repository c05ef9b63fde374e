//! The running application: what handlers share, and its start and stop.

use std::net::SocketAddr;
use std::ops::Deref;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::query_scalar;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot, watch};

use crate::auth::memory::Holders;
use crate::barcode::memory::TubeCodes;
use crate::cache::Cache;
use crate::clock::{Clock, Time};
use crate::collection::place::memory::Shifts;
use crate::collection::tube::writer::TubeWriter;
use crate::config::Config;
use crate::error::{Error, Reason};
use crate::figures::fold::keep_folded;
use crate::figures::live::Board;
use crate::http::{self, Durations, Entrance, RequestIds};
use crate::instrument::{MappingFault, Mappings};
use crate::interpretation::kit::rules::{Standing, against_purpose, against_use};
use crate::interpretation::kit::store::{kit_find, versions};
use crate::interpretation::lot::LotKey;
use crate::interpretation::lot::rules::against_number;
use crate::interpretation::lot::store::{against_filling, lot_lock};
use crate::interpretation::{Kit, kits};
use crate::on;
use crate::plate::Plan;
use crate::query::lookup::Lookups;
use crate::seal::{KeyRing, KeyRingError};
use crate::storage::{Db, OpenError, Tx};

/// How long answers may take to leave after the last request had its time.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Pages of the feed read at once.
const FEED_READS: usize = 2;
/// Residents' reports read at once.
const REPORT_READS: usize = 1;
/// Walks over the whole store at once: they hold a connection for as long as they take, and fewer
/// of them than there are leaves others for those who scan.
const WALKS: usize = 2;
/// Connections that wait to be taken; a thousand devices come back at once when a network does, and
/// one that finds no place tries again only after a second.
const BACKLOG: u32 = 4_096;

/// The running application; cheap to clone, as every layer before a handler does.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl From<Parts> for App {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

/// What every handler can reach.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The store.
    pub db: Db,
    /// Time and ids.
    pub clock: Clock,
    /// The keys of personal data.
    pub keys: Arc<KeyRing>,
    /// The kits that came with the program.
    pub kits: Arc<Vec<Kit>>,
    /// Every mapping of instrument files.
    pub mappings: Arc<Mappings>,
    /// Stores sealed tubes, those of many requests together.
    pub tubes: TubeWriter,
    /// Which tube codes were allotted, as far as was asked.
    pub codes: Arc<TubeCodes>,
    /// Sessions that were asked for.
    pub shifts: Arc<Shifts>,
    /// Who holds which token, as of a second ago.
    pub holders: Arc<Holders>,
    /// What is kept before the store.
    pub cache: Cache,
    /// Whoever asks for people.
    pub lookups: Lookups,
    /// One permit for each page of the feed that may be read at once.
    pub feed_reads: Arc<Semaphore>,
    /// One permit for each resident's report that may be read at once.
    pub report_reads: Arc<Semaphore>,
    /// One permit for each walk over the whole store: ledger, integrity, the board's proof.
    pub walks: Arc<Semaphore>,
    /// Whoever watches the city's figures.
    pub board: Arc<Board>,
    /// Whether the service is about to stop: whoever waits for something waits no longer.
    pub stopping: Arc<watch::Sender<bool>>,
    /// Who is let in.
    pub entrance: Arc<Entrance>,
    /// Ids of requests.
    pub request_ids: Arc<RequestIds>,
    /// How long requests take.
    pub durations: Arc<Durations>,
    /// What is in force.
    pub config: Arc<Config>,
}

/// The mark of the keys that seal this store's people; the first start sets it.
pub const MARK: &str = "insert into installation (name, value) values ('keys', $1)
    on conflict (name) do update set value = installation.value returning value";

/// The mark that was set.
pub const MARKED: &str = "select value from installation where name = 'keys'";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("MARK", MARK), ("MARKED", MARKED)];

/// Whether these keys are the ones this store was begun with: with others, every person would be
/// a stranger.
async fn keys_belong(db: &Db, keys: &KeyRing) -> Result<bool, Error> {
    let own = own_mark(keys);
    let mut tx = db.write("app.keys").await?;
    let mark: String = on!(tx, c => query_scalar(MARK).bind(&own).fetch_one(c).await)?;
    tx.commit().await?;
    Ok(mark == own)
}

/// The same, of a store that is only read.
async fn keys_belonged(db: &Db, keys: &KeyRing) -> Result<bool, Error> {
    let mut tx = db.read("app.keys").await?;
    let mark: Option<String> = on!(tx, c => query_scalar(MARKED).fetch_optional(c).await)?;
    Ok(mark == Some(own_mark(keys)))
}

fn own_mark(keys: &KeyRing) -> String {
    keys.tag("installation", b"keys")
}

/// Why the application cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("the data folder {0} cannot be made: {1}")]
    Folder(String, #[source] std::io::Error),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// The laboratory's own mappings cannot be used.
    #[error("the mappings cannot be used: {}", list(.0))]
    Mappings(Vec<MappingFault>),
    /// The store was sealed with other keys.
    #[error("the keys in {0} are not those of this store; restore the key file that belongs to it")]
    ForeignKeys(String),
    /// The store could not be asked whose keys it was sealed with.
    #[error("the store cannot be asked for its keys' mark: {0}")]
    Check(#[source] Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}; choose another with --listen")]
    Listen(SocketAddr, #[source] std::io::Error),
}

fn list(faults: &[MappingFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl App {
    /// Waits for a turn to walk over the whole store.
    pub async fn walk(&self) -> Result<SemaphorePermit<'_>, Error> {
        let gone = |_closed| Error::Internal("nobody walks over the store any more".to_owned());
        self.walks.acquire().await.map_err(gone)
    }

    /// Opens the data folder, the keys and the store.
    pub async fn open(config: Config, clock: Clock) -> Result<Self, StartError> {
        // What lies there is for this account alone: keys, and sealed people.
        let mut folder = std::fs::DirBuilder::new();
        folder
            .recursive(true)
            .mode(0o700)
            .create(&config.data)
            .map_err(|source| StartError::Folder(config.data.display().to_string(), source))?;
        let keys = Arc::new(KeyRing::open_or_create(&config.keys_path())?);
        let db = Db::open(&config.database_url(), &clock).await?;
        let belong = keys_belong(&db, &keys).await.map_err(StartError::Check)?;
        Self::over(db, keys, belong, config, clock)
    }

    /// Opens what is there, to read it and nothing else: whoever only asks must not be answered
    /// by an empty installation made on the spot.
    pub async fn open_existing(config: Config, clock: Clock) -> Result<Self, StartError> {
        let keys = Arc::new(KeyRing::read(&config.keys_path())?);
        let db = Db::open_existing(&config.database_url(), &clock).await?;
        let belong = keys_belonged(&db, &keys).await.map_err(StartError::Check)?;
        Self::over(db, keys, belong, config, clock)
    }

    fn over(
        db: Db,
        keys: Arc<KeyRing>,
        belong: bool,
        config: Config,
        clock: Clock,
    ) -> Result<Self, StartError> {
        if !belong {
            return Err(StartError::ForeignKeys(config.keys_path().display().to_string()));
        }
        let mappings = Arc::new(Mappings::of(&config.mappings).map_err(StartError::Mappings)?);
        let db = db.with_queues(config.queues());
        let cache = Cache::new(&config, Arc::clone(&keys), db.news());
        Ok(Self::from(Parts {
            tubes: TubeWriter::start(&db),
            codes: Arc::default(),
            shifts: Arc::default(),
            holders: Arc::default(),
            kits: Arc::new(kits().to_vec()),
            lookups: Lookups::start(&db, &cache, &keys, &clock),
            cache,
            feed_reads: Arc::new(Semaphore::new(FEED_READS)),
            report_reads: Arc::new(Semaphore::new(REPORT_READS)),
            walks: Arc::new(Semaphore::new(WALKS)),
            board: Arc::default(),
            stopping: Arc::new(watch::Sender::new(false)),
            entrance: Arc::new(Entrance::new(config.requests_at_once)),
            request_ids: Arc::new(RequestIds::new(&clock)),
            durations: Arc::default(),
            config: Arc::new(config),
            db,
            clock,
            keys,
            mappings,
        }))
    }

    /// The kit with that code and version, if it may be run here. The dates between which plates
    /// are made for it do not matter: a run is read with the version its plate was made for.
    pub async fn kit(&self, tx: &mut Tx, code: &str, version: &str) -> Result<Kit, Error> {
        self.kit_standing(tx, code, version).await.map(|(kit, _)| kit)
    }

    /// What a plate must know of that kit, and every reason against making one for it now.
    pub async fn plan(
        &self,
        tx: &mut Tx,
        (code, version): (&str, &str),
        at: Time,
    ) -> Result<(Plan, Vec<Reason>), Error> {
        let (kit, standing) = self.kit_standing(tx, code, version).await?;
        Ok((kit.plan(), against_use((code, version), &standing, at)))
    }

    /// Code and version of every kit there is: those that came with the program, then those that were
    /// proposed here.
    pub async fn kit_names(&self, tx: &mut Tx) -> Result<Vec<(String, String)>, Error> {
        let shipped = self.kits.iter().map(|kit| (kit.code.clone(), kit.version.clone()));
        let own = versions(tx).await?.into_iter().map(|kit| (kit.code, kit.version));
        Ok(shipped.chain(own).collect())
    }

    async fn kit_standing(
        &self,
        tx: &mut Tx,
        code: &str,
        version: &str,
    ) -> Result<(Kit, Standing), Error> {
        let found = kit_find(tx, &self.kits, (code, version)).await?;
        let (kit, standing) = found.ok_or_else(|| {
            Error::invalid("kit", code, format!("there is no kit {code} {version}"))
        })?;
        match against_purpose(&kit, self.config.demonstration_kits) {
            Some(reason) => Err(Error::Invalid(vec![reason])),
            None => Ok((kit, standing)),
        }
    }

    /// Every reason against filling so many wells now from this laboratory's lot of this kit.
    pub async fn against_lot(
        &self,
        tx: &mut Tx,
        (laboratory, kit, lot): (&str, &str, &str),
        wells: usize,
        at: Time,
    ) -> Result<Vec<Reason>, Error> {
        match against_number(lot) {
            Some(reason) => Ok(vec![reason]),
            None => against_filling(tx, LotKey { laboratory, kit, lot }, wells, at).await,
        }
    }

    /// Makes everybody else wait who would fill from this laboratory's lot of this kit.
    pub async fn lot_lock(
        &self,
        tx: &mut Tx,
        (laboratory, kit, lot): (&str, &str, &str),
    ) -> Result<(), Error> {
        lot_lock(tx, LotKey { laboratory, kit, lot }).await
    }

    /// Listens on the configured address; port 0 takes a free one.
    pub fn listen(&self) -> Result<TcpListener, StartError> {
        let address = self.config.listen;
        let listen = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        listen().map_err(|source| StartError::Listen(address, source))
    }

    /// Serves until `stop` resolves, lets running requests finish, and closes the store.
    ///
    /// Whoever has not finished sending within the time of a request is not waited for.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let (db, cache) = (self.db.clone(), self.cache.clone());
        let patience = Duration::from_secs(self.config.request_seconds) + LAST_WORDS;
        let (stopping, stopped) = oneshot::channel();
        let waiting = Arc::clone(&self.stopping);
        let stop = async move {
            stop.await;
            waiting.send_replace(true);
            // Nobody listens when serving failed first.
            stopping.send(()).ok();
        };
        // Made once: a bare router is made again, with every route, for each connection.
        let routes = http::router(self).into_make_service();
        let serving = axum::serve(listener, routes).with_graceful_shutdown(stop);
        let overdue = async {
            match stopped.await {
                Ok(()) => tokio::time::sleep(patience).await,
                Err(_never_asked) => std::future::pending().await,
            }
        };
        tokio::select! {
            served = serving.into_future() => served?,
            () = http::health::upkeep() => {}
            () = db.keep_counted() => {}
            () = keep_folded(&db) => {}
            () = cache.follow(&db) => {}
            () = overdue => tracing::warn!("connections that never finished were cut off"),
        }
        db.close().await;
        Ok(())
    }
}
