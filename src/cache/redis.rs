//! What Redis keeps: sealed for its person, for five minutes, and asked for in one round trip.
//!
//! Redis is waited for so briefly that nobody notices when it is slow; once it failed it is left
//! alone for a moment, and connecting is nobody's waiting.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo as _, Pipeline,
    RedisResult,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{KEPT, Kept};
use crate::seal::{KeyRing, PersonKey, Place};
use crate::storage::Mark;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(1);
/// How long Redis is left alone after it failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long values may take to be written, which nobody waits for.
const WRITE: Duration = Duration::from_millis(500);
/// Batches of values written at once; more are not kept in Redis.
const WRITES: usize = 4;

/// Where Redis is.
#[derive(Clone)]
pub enum RedisAddress {
    /// There is none.
    Nowhere,
    /// One server.
    Single(Client),
    /// Redis Cluster, by some of its nodes.
    Cluster(Box<ClusterClient>),
    /// Whichever server the sentinels call the master.
    Sentinel(Sentinels),
}

/// Redis Sentinel, by some of its sentinels.
#[derive(Clone)]
pub struct Sentinels {
    places: Vec<ConnectionInfo>,
    /// What they call it.
    master: String,
    /// Who asks it.
    who: SentinelNodeConnectionInfo,
}

impl RedisAddress {
    /// `redis://[USER:PASSWORD@]HOST:PORT[/NUMBER]`,
    /// `redis+cluster://[USER:PASSWORD@]HOST:PORT,...`,
    /// `redis+sentinel://[USER:PASSWORD@]HOST:PORT,.../MASTER` or nothing; none when it is neither.
    pub fn parse(address: &str) -> Option<Self> {
        if address.is_empty() {
            return Some(Self::Nowhere);
        }
        if let Some(nodes) = address.strip_prefix("redis+cluster://") {
            let (who, nodes) = who(nodes);
            let nodes = nodes.split(',').map(|node| format!("redis://{who}{node}"));
            let client = ClusterClient::builder(nodes)
                .connection_timeout(CONNECT)
                .response_timeout(WRITE)
                .retries(1)
                .build();
            return client.ok().map(|client| Self::Cluster(Box::new(client)));
        }
        if let Some(sentinels) = address.strip_prefix("redis+sentinel://") {
            return Sentinels::parse(sentinels).map(Self::Sentinel);
        }
        if !address.starts_with("redis://") || address.contains(',') {
            return None;
        }
        Client::open(address).ok().map(Self::Single)
    }
}

/// Who asks, with the `@` behind, and what stands after it.
fn who(address: &str) -> (String, &str) {
    match address.rsplit_once('@') {
        Some((who, rest)) => (format!("{who}@"), rest),
        None => (String::new(), address),
    }
}

impl Sentinels {
    /// `[USER:PASSWORD@]HOST:PORT,.../MASTER`; who asks is told to the master and to no sentinel.
    fn parse(address: &str) -> Option<Self> {
        let (who, rest) = who(address);
        let (sentinels, master) = rest.split_once('/')?;
        if master.is_empty() || master.contains('/') {
            return None;
        }
        let place = |sentinel: &str| format!("redis://{sentinel}").into_connection_info().ok();
        let places = sentinels.split(',').map(place).collect::<Option<Vec<_>>>()?;
        let who = format!("redis://{who}master").into_connection_info().ok()?;
        let who = SentinelNodeConnectionInfo::default()
            .set_redis_connection_info(who.redis_settings().clone());
        Some(Self { places, master: master.to_owned(), who })
    }

    /// The master, as the first says who knows; none when nobody does. Each is asked apart from
    /// the others: the crate waits for them in their order, and one that is silent takes all the
    /// time there is to connect.
    async fn master(&self) -> Option<Client> {
        let mut asked = JoinSet::new();
        for sentinel in &self.places {
            let (sentinel, master) = (vec![sentinel.clone()], self.master.clone());
            let (who, kind) = (Some(self.who.clone()), SentinelServerType::Master);
            let mut client = SentinelClient::build(sentinel, master, who, kind).ok()?;
            asked.spawn(async move { client.async_get_client().await });
        }
        while let Some(answer) = asked.join_next().await {
            if let Ok(Ok(master)) = answer {
                return Some(master);
            }
        }
        None
    }
}

/// A connection that many use at once.
#[derive(Clone)]
pub(super) enum Line {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

enum State {
    Down { until: Instant },
    Connecting,
    Up(Line),
}

pub(super) struct Redis {
    address: RedisAddress,
    keys: Arc<KeyRing>,
    state: Mutex<State>,
    writes: Arc<Semaphore>,
}

impl Redis {
    /// None when there is nowhere to go.
    pub(super) fn at(address: RedisAddress, keys: Arc<KeyRing>) -> Option<Self> {
        let state = Mutex::new(State::Down { until: Instant::now() });
        let writes = Arc::new(Semaphore::new(WRITES));
        (!matches!(address, RedisAddress::Nowhere)).then_some(Self { address, keys, state, writes })
    }

    /// The connection, when there is one; begins to connect when it is time.
    pub(super) fn line(self: &Arc<Self>) -> Option<Line> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Up(line) => return Some(line.clone()),
            State::Down { until } if Instant::now() >= *until => {}
            State::Connecting | State::Down { .. } => return None,
        }
        *state = State::Connecting;
        tokio::spawn(Arc::clone(self).connect());
        None
    }

    async fn connect(self: Arc<Self>) {
        let connected = timeout(CONNECT, async {
            let config = AsyncConnectionConfig::new().set_response_timeout(Some(WRITE));
            let client = match &self.address {
                RedisAddress::Nowhere => return Ok::<_, redis::RedisError>(None),
                RedisAddress::Single(client) => client.clone(),
                RedisAddress::Cluster(client) => {
                    return Ok(Some(Line::Cluster(client.get_async_connection().await?)));
                }
                RedisAddress::Sentinel(sentinels) => match sentinels.master().await {
                    Some(client) => client,
                    None => return Ok(None),
                },
            };
            let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
            Ok(Some(Line::Single(connection)))
        });
        match connected.await {
            Ok(Ok(Some(line))) => {
                tracing::info!("Redis answers");
                self.turn(State::Up(line));
            }
            failed => {
                let error = failed.err().map_or("no connection", |_elapsed| "too slow");
                self.fail(error);
            }
        }
    }

    fn turn(&self, to: State) {
        metrics::gauge!("cache_redis_up").set(f64::from(u8::from(matches!(to, State::Up(_)))));
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Leaves Redis alone for a while; whoever asks meanwhile asks the store.
    fn fail(&self, error: &str) {
        tracing::warn!(error, "Redis is left alone for a moment");
        metrics::counter!("cache_redis_failures_total").increment(1);
        self.turn(State::Down { until: Instant::now() + PAUSE });
    }

    /// What is kept for each of these people, in one round trip; none when Redis does not answer
    /// at once.
    pub(super) async fn get(self: &Arc<Self>, people: &[PersonKey]) -> Option<Vec<Option<Bytes>>> {
        let line = self.line()?;
        let mut command = redis::cmd("MGET");
        for person in people {
            command.arg(place(person));
        }
        let found = timeout(PATIENCE, line.ask(&command)).await;
        match found {
            Ok(Ok(found)) if found.len() == people.len() => return Some(found),
            Ok(Ok(_)) => self.fail("another number of values than were asked for"),
            Ok(Err(error)) => self.fail(error.category()),
            Err(_elapsed) => self.fail("too slow"),
        }
        None
    }

    /// Keeps these values, behind everybody's back; they are not kept when too much is under way.
    pub(super) fn put(self: &Arc<Self>, values: Vec<(PersonKey, Kept)>) {
        let Some(line) = self.line() else { return };
        let Ok(permit) = Arc::clone(&self.writes).try_acquire_owned() else { return };
        let redis = Arc::clone(self);
        tokio::spawn(async move {
            let written = timeout(WRITE, line.write(redis.pipelines(&line, &values))).await;
            drop(permit);
            match written {
                Ok(Ok(())) => {}
                Ok(Err(error)) => redis.fail(error.category()),
                Err(_elapsed) => redis.fail("too slow"),
            }
        });
    }

    /// One pipeline; in a cluster one for each slot.
    fn pipelines(&self, line: &Line, values: &[(PersonKey, Kept)]) -> Vec<Pipeline> {
        let mut pipelines = std::collections::BTreeMap::new();
        for (person, kept) in values {
            let slot = match line {
                Line::Single(_) => "",
                Line::Cluster(_) => slot(person),
            };
            let pipeline: &mut Pipeline = pipelines.entry(slot).or_default();
            let value = self.seal(person, kept);
            let ms = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
            pipeline.cmd("SET").arg(place(person)).arg(value).arg("PX").arg(ms).ignore();
        }
        pipelines.into_values().collect()
    }

    /// Sealed with the key ring, for this person and no other, whatever Redis does with it.
    fn seal(&self, person: &PersonKey, kept: &Kept) -> Vec<u8> {
        let status = kept.status.as_deref().unwrap_or_default();
        let [Mark(newest), Mark(told)] = kept.tubes;
        let numbers = [kept.seen, newest, told].map(u64::to_be_bytes);
        self.keys.seal(sealed_for(person), &[numbers.as_flattened(), status].concat())
    }

    /// What was sealed for this person; none when it was not.
    pub(super) fn open(&self, person: &PersonKey, sealed: &[u8]) -> Option<Kept> {
        let clear = Bytes::from(self.keys.open(sealed_for(person), sealed).ok()?);
        let (numbers, _) = clear.split_first_chunk::<24>()?;
        let (numbers, _) = numbers.as_chunks();
        let &[seen, newest, told] = numbers else { return None };
        let tubes = [newest, told].map(|number| Mark(u64::from_be_bytes(number)));
        let (seen, status) = (u64::from_be_bytes(seen), clear.slice(24..));
        Some(Kept { seen, tubes, status: (!status.is_empty()).then_some(status) })
    }
}

impl Line {
    async fn ask(&self, command: &Cmd) -> RedisResult<Vec<Option<Bytes>>> {
        match self.clone() {
            Self::Single(mut connection) => command.query_async(&mut connection).await,
            Self::Cluster(mut connection) => command.query_async(&mut connection).await,
        }
    }

    async fn write(&self, pipelines: Vec<Pipeline>) -> RedisResult<()> {
        match self.clone() {
            Self::Single(connection) => write(connection, pipelines).await,
            Self::Cluster(connection) => write(connection, pipelines).await,
        }
    }
}

async fn write(mut connection: impl ConnectionLike, pipelines: Vec<Pipeline>) -> RedisResult<()> {
    for pipeline in pipelines {
        pipeline.exec_async(&mut connection).await?;
    }
    Ok(())
}

/// Another layout of what is kept gets another name, so that programs of two versions can share
/// one Redis.
fn sealed_for(person: &PersonKey) -> Place<'_> {
    Place { table: "cache", column: "status 1", row: person.as_str() }
}

/// A cluster keeps what has the same word in braces together, and answers for it at once; 64 words
/// are few enough for that and many enough to spread.
fn slot(person: &PersonKey) -> &str {
    person.as_str().get(..1).unwrap_or_default()
}

fn place(person: &PersonKey) -> String {
    format!("swabline:{{{}}}:{}", slot(person), person.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redis() -> Redis {
        let address = RedisAddress::parse("redis://127.0.0.1:1").unwrap();
        Redis::at(address, Arc::new(KeyRing::generate())).unwrap()
    }

    #[test]
    fn what_was_sealed_for_one_person_opens_for_nobody_else_and_not_altered() {
        let (redis, other) = (redis(), redis());
        let (one, two) = (redis.keys.person_key("", "1"), redis.keys.person_key("", "2"));
        for status in [Some(Bytes::from_static(b"{\"state\":\"sampled\"}")), None] {
            let kept = Kept { seen: 1 << 40, tubes: [Mark(7), Mark(u64::MAX)], status };
            let sealed = redis.seal(&one, &kept);
            assert_eq!(redis.open(&one, &sealed), Some(kept));
            assert_eq!(redis.open(&two, &sealed), None);
            assert_eq!(other.open(&one, &sealed), None);
            for i in 0..sealed.len() {
                let mut altered = sealed.clone();
                altered[i] ^= 1;
                assert_eq!(redis.open(&one, &altered), None);
                assert_eq!(redis.open(&one, &sealed[..i]), None);
            }
            assert!(!sealed.windows(5).any(|window| window == b"state"));
        }
    }

    #[tokio::test]
    async fn a_redis_that_is_not_there_answers_nothing_at_once() {
        let redis = Arc::new(redis());
        let person = redis.keys.person_key("", "1");
        assert_eq!(redis.get(&[person]).await, None);
    }
}
