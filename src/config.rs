//! What is in force: defaults, then a TOML file, then `SWABLINE_*`, then the command line.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::cache::RedisAddress;
use crate::storage::{Queue, Queues};

/// Longest queue that can be set.
const MANY: usize = 100_000_000;
/// What an address of Redis looks like.
const REDIS_WANTED: &str = "redis://HOST:PORT, redis+cluster://HOST:PORT,..., redis+sentinel://HOST:PORT,.../MASTER or \
    nothing";

/// One value for everything that can be set.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that somebody sets by name")]
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of the keys and, on the embedded engine, of the store.
    pub data: PathBuf,
    /// `sqlite:PATH` or `postgres://...`; empty means SQLite in the data folder.
    pub database: String,
    /// `redis://...`, `redis+cluster://HOST:PORT,HOST:PORT` or
    /// `redis+sentinel://HOST:PORT,HOST:PORT/MASTER`, asked before the store; empty means
    /// none.
    pub redis: String,
    /// MiB of memory that keep what people are shown; none are kept when it is 0.
    pub cache_mib: u64,
    /// Address to serve on.
    pub listen: SocketAddr,
    /// `text` for people, `json` for machines.
    pub log: LogFormat,
    /// Seconds after which a request is given up.
    pub request_seconds: u64,
    /// Seconds after which a walk over the whole store is given up, for the ledger or for signs of
    /// invented results.
    pub walk_seconds: u64,
    /// Requests worked on at once; more are refused with 503.
    pub requests_at_once: usize,
    /// Rows of sealed tubes and their members that may wait to be stored; more are refused with 503.
    pub scan_queue: usize,
    /// Seconds a sealed tube may wait before it is refused.
    pub scan_seconds: u64,
    /// Changes of laboratories that may wait to be stored, behind sealed tubes.
    pub laboratory_queue: usize,
    /// Seconds such a change may wait.
    pub laboratory_seconds: u64,
    /// Reviews and releases that may wait, behind everything of laboratories.
    pub release_queue: usize,
    /// Seconds one of them may wait.
    pub release_seconds: u64,
    /// Audit rows of look-ups and wrong guesses that may wait, behind everything else.
    pub query_queue: usize,
    /// Seconds one of them may wait.
    pub query_seconds: u64,
    /// Hours within which a recalled person is to be collected again.
    pub recall_hours: i64,
    /// Days a status link stays good.
    pub link_days: i64,
    /// Folder of the laboratory's own mappings of instrument files; none when empty.
    pub mappings: PathBuf,
    /// Address of the server, for commands that call it over its API.
    pub server: String,
    /// File with the token of those commands.
    pub token_file: PathBuf,
    /// Whether kits with invented cut-offs may be run; never where people are told results.
    pub demonstration_kits: bool,
    /// Whether a run is held whose plate names no lot, an unknown one or an expired one.
    pub lot_keeping: bool,
    /// Whether people reach the pages through TLS, here or at a proxy: cookies are then kept from
    /// plain connections.
    pub behind_tls: bool,
    /// Whether everybody who signs in at the pages must have a second factor.
    pub second_factor: bool,
    /// Percent by which a robot may miss the planned volume of a well, for kits that do not say.
    pub volume_tolerance_percent: u8,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One readable line each.
    Text,
    /// One JSON object each.
    Json,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the configuration cannot be used: {0}")]
pub struct ConfigError(String);

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            database: String::new(),
            redis: String::new(),
            cache_mib: 64,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            log: LogFormat::Text,
            request_seconds: 30,
            walk_seconds: 3600,
            requests_at_once: 4096,
            scan_queue: 100_000,
            scan_seconds: 5,
            laboratory_queue: 1_000,
            laboratory_seconds: 20,
            release_queue: 500,
            release_seconds: 20,
            query_queue: 500,
            query_seconds: 5,
            recall_hours: 24,
            link_days: 30,
            mappings: PathBuf::new(),
            server: String::new(),
            token_file: PathBuf::new(),
            demonstration_kits: false,
            lot_keeping: true,
            behind_tls: false,
            second_factor: true,
            volume_tolerance_percent: 10,
        }
    }
}

impl Config {
    /// Reads the file, if one is named, and the environment over the defaults.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut sources = config::Config::builder();
        if let Some(path) = file {
            sources = sources.add_source(
                config::File::from(path).format(config::FileFormat::Toml).required(true),
            );
        }
        let environment = config::Environment::with_prefix("SWABLINE").try_parsing(true);
        sources
            .add_source(environment)
            .build()
            .and_then(config::Config::try_deserialize::<Self>)
            .map_err(|error| ConfigError(error.to_string()))?
            .validate()
    }

    fn validate(self) -> Result<Self, ConfigError> {
        let bounds = [
            ("request_seconds", self.request_seconds >= 1, "at least 1"),
            ("walk_seconds", self.walk_seconds >= 1, "at least 1"),
            ("requests_at_once", self.requests_at_once >= 1, "at least 1"),
            // The largest batch must fit into an empty queue: 1,000 tubes of 20.
            ("scan_queue", (21_000..=MANY).contains(&self.scan_queue), "21000 to 100000000"),
            ("laboratory_queue", (1..=MANY).contains(&self.laboratory_queue), "1 to 100000000"),
            ("release_queue", (1..=MANY).contains(&self.release_queue), "1 to 100000000"),
            ("query_queue", (1..=MANY).contains(&self.query_queue), "1 to 100000000"),
            ("scan_seconds", self.scan_seconds >= 1, "at least 1"),
            ("laboratory_seconds", self.laboratory_seconds >= 1, "at least 1"),
            ("release_seconds", self.release_seconds >= 1, "at least 1"),
            ("query_seconds", self.query_seconds >= 1, "at least 1"),
            ("recall_hours", (1..=24 * 14).contains(&self.recall_hours), "1 to 336"),
            ("link_days", (1..=366).contains(&self.link_days), "1 to 366"),
            ("cache_mib", self.cache_mib <= 65_536, "0 to 65536"),
            ("redis", RedisAddress::parse(&self.redis).is_some(), REDIS_WANTED),
            ("volume_tolerance_percent", self.volume_tolerance_percent <= 100, "0 to 100"),
        ];
        match bounds.iter().find(|(_, within, _)| !within) {
            Some((name, _, wanted)) => Err(ConfigError(format!("set {name} to {wanted}"))),
            None => Ok(self),
        }
    }

    /// What may wait before the store's writers.
    pub const fn queues(&self) -> Queues {
        const fn queue(length: usize, seconds: u64) -> Queue {
            Queue { length, patience: Duration::from_secs(seconds) }
        }
        Queues {
            scan: queue(self.scan_queue, self.scan_seconds),
            laboratory: queue(self.laboratory_queue, self.laboratory_seconds),
            release: queue(self.release_queue, self.release_seconds),
            query: queue(self.query_queue, self.query_seconds),
        }
    }

    /// Where the store is.
    pub fn database_url(&self) -> String {
        if self.database.is_empty() {
            format!("sqlite:{}", self.data.join("swabline.db").display())
        } else {
            self.database.clone()
        }
    }

    /// Where the keys are.
    pub fn keys_path(&self) -> PathBuf {
        self.data.join("keys.json")
    }

    /// The store's address without its password, which may stand before the `@` or behind the
    /// `?`; an address that cannot be read is not shown at all.
    fn database_shown(&self) -> String {
        let url = self.database_url();
        if url.starts_with("sqlite:") { url } else { without_password(&url) }
    }
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "...".to_owned() };
    let (place, settings) = rest.split_once('?').unwrap_or((rest, ""));
    let hidden = if settings.is_empty() { "" } else { "?..." };
    match place.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}://...@{place}{hidden}"),
        None if settings.contains('@') => format!("{scheme}://..."),
        None => format!("{scheme}://{place}{hidden}"),
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What is in force, line by line, secrets hidden.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "data = \"{}\"", self.data.display())?;
        writeln!(f, "database = {:?}", self.database_shown())?;
        let redis =
            if self.redis.is_empty() { String::new() } else { without_password(&self.redis) };
        writeln!(f, "redis = {redis:?}")?;
        writeln!(f, "cache_mib = {}", self.cache_mib)?;
        writeln!(f, "listen = \"{}\"", self.listen)?;
        writeln!(f, "log = {:?}", format!("{:?}", self.log).to_lowercase())?;
        writeln!(f, "request_seconds = {}", self.request_seconds)?;
        writeln!(f, "walk_seconds = {}", self.walk_seconds)?;
        writeln!(f, "requests_at_once = {}", self.requests_at_once)?;
        let queues = [
            ("scan", self.scan_queue, self.scan_seconds),
            ("laboratory", self.laboratory_queue, self.laboratory_seconds),
            ("release", self.release_queue, self.release_seconds),
            ("query", self.query_queue, self.query_seconds),
        ];
        for (channel, length, seconds) in queues {
            writeln!(f, "{channel}_queue = {length}\n{channel}_seconds = {seconds}")?;
        }
        writeln!(f, "recall_hours = {}", self.recall_hours)?;
        writeln!(f, "link_days = {}", self.link_days)?;
        writeln!(f, "lot_keeping = {}", self.lot_keeping)?;
        writeln!(f, "behind_tls = {}", self.behind_tls)?;
        writeln!(f, "second_factor = {}", self.second_factor)?;
        writeln!(f, "volume_tolerance_percent = {}", self.volume_tolerance_percent)?;
        writeln!(f, "mappings = \"{}\"", self.mappings.display())?;
        writeln!(f, "server = {:?}", self.server)?;
        writeln!(f, "token_file = \"{}\"", self.token_file.display())?;
        write!(f, "demonstration_kits = {}", self.demonstration_kits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_overrides_the_defaults_and_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("swabline.toml");
        std::fs::write(&path, "listen = \"127.0.0.1:9\"\nrecall_hours = 48\n").unwrap();
        let config = Config::load(Some(&path)).unwrap();
        assert_eq!(config.listen.port(), 9);
        assert_eq!(config.recall_hours, 48);
        assert!(!config.demonstration_kits && config.lot_keeping);
        assert!(config.to_string().ends_with("demonstration_kits = false"));
        std::fs::write(&path, "recall_hours = 0\n").unwrap();
        assert!(Config::load(Some(&path)).unwrap_err().to_string().contains("recall_hours"));
        std::fs::write(&path, "volume_tolerance_percent = 101\n").unwrap();
        assert!(Config::load(Some(&path)).unwrap_err().to_string().contains("tolerance"));
        std::fs::write(&path, "reccall_hours = 4\n").unwrap();
        assert!(Config::load(Some(&path)).unwrap_err().to_string().contains("reccall_hours"));
    }

    #[test]
    fn the_password_of_redis_is_never_shown_and_a_wrong_address_is_refused() {
        for (redis, shown) in [
            ("", ""),
            ("redis://127.0.0.1:6379/1", "redis://127.0.0.1:6379/1"),
            ("redis://:secret@cache:6379", "redis://...@cache:6379"),
            ("redis+cluster://u:se@cret@a:1,b:2", "redis+cluster://...@a:1,b:2"),
            ("redis+sentinel://:secret@a:1,b:2/main", "redis+sentinel://...@a:1,b:2/main"),
        ] {
            let config = Config { redis: redis.to_owned(), ..Config::default() };
            assert!(config.to_string().contains(&format!("redis = \"{shown}\"\n")), "{config}");
            config.validate().unwrap();
        }
        for wrong in [
            "cache:6379",
            "rediss://cache",
            "redis://a,b",
            "redis+cluster://",
            "redis://",
            "redis+sentinel://a:1,b:2",
            "redis+sentinel://a:1,b:2/",
            "redis+sentinel://a:1,b:2/main/1",
            "redis+sentinel:///main",
        ] {
            let config = Config { redis: wrong.to_owned(), ..Config::default() };
            assert!(config.validate().unwrap_err().to_string().contains("redis"), "{wrong}");
        }
        let config = Config { cache_mib: 65_537, ..Config::default() };
        assert!(config.validate().unwrap_err().to_string().contains("cache_mib"));
    }

    #[test]
    fn a_password_is_never_shown() {
        for (database, shown) in [
            ("postgres://lab:secret@db/swabline", "postgres://...@db/swabline"),
            ("postgres://lab:a@secret@db/x?user=b", "postgres://...@db/x?..."),
            ("postgres://lab:secret@db/x?application_name=a@b", "postgres://...@db/x?..."),
            ("postgres://db/swabline?password=secret", "postgres://db/swabline?..."),
            ("postgres://lab:what?secret@db/swabline", "postgres://..."),
            ("host=db password=secret", "..."),
            ("sqlite:data/a@b.db", "sqlite:data/a@b.db"),
        ] {
            let config = Config { database: database.to_owned(), ..Config::default() };
            assert!(!config.to_string().contains("secret"), "{config}");
            assert!(config.to_string().contains(&format!("database = \"{shown}\"\n")), "{config}");
        }
    }
}
