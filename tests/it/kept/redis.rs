//! Redis servers of a story's own, and nodes that keep in them.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use swabline::cache::Kept;

use super::{told, until};
use crate::app::TestApp;
use crate::way;

/// What the sentinels call the master.
const MASTER: &str = "swabline";

/// What a server is for.
#[derive(Clone, Copy)]
enum Kind {
    /// For itself.
    Alone,
    /// A node of a cluster.
    OfCluster,
    /// Follows the server on that port.
    Replica(u16),
    /// Watches the server on that port.
    Sentinel(u16),
}

/// A server, killed when dropped.
pub struct Server {
    child: Child,
    port: u16,
    kind: Kind,
    folder: tempfile::TempDir,
}

/// Whether the programs are there; a story without them says so.
#[expect(clippy::disallowed_methods, reason = "a test asks its surroundings for programs")]
fn is_installed() -> bool {
    let runs = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let installed = runs("redis-server") && runs("redis-cli");
    if !installed {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "redis-server and redis-cli are not installed");
        eprintln!("Redis was not reached: install redis-server and redis-cli");
    }
    installed
}

/// The server of the surroundings, or a plain word about it.
#[expect(clippy::disallowed_methods, reason = "a test asks its surroundings for servers")]
pub fn given() -> Option<String> {
    let url = std::env::var("TEST_REDIS_URL").ok();
    if url.is_none() {
        eprintln!("Redis was not reached: set TEST_REDIS_URL or run scripts/test");
    }
    url
}

/// A port that is free, and whose bus of a cluster, 10,000 above it, is free too.
fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let bus = port.checked_add(10_000);
        if bus.is_some_and(|bus| TcpListener::bind(("127.0.0.1", bus)).is_ok()) {
            return port;
        }
    }
}

impl Server {
    /// A fresh server, or none where the program is not installed.
    pub fn start() -> Option<Self> {
        is_installed().then(|| Self::fresh(Kind::Alone))
    }

    fn fresh(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Another program may have taken the port meanwhile.
        for _ in 0..10 {
            let port = free_port();
            let mut child = Self::spawn(port, kind, folder.path());
            if Self::answers(port, &mut child) {
                return Self { child, port, kind, folder };
            }
            child.kill().ok();
            child.wait().unwrap();
        }
        panic!("no Redis could be started");
    }

    fn spawn(port: u16, kind: Kind, folder: &std::path::Path) -> Child {
        let mut command = Command::new("redis-server");
        if let Kind::Sentinel(master) = kind {
            // A sentinel keeps what it learns in its file.
            let file = folder.join("sentinel.conf");
            let watched = format!(
                "sentinel monitor {MASTER} 127.0.0.1 {master} 2\n\
                 sentinel down-after-milliseconds {MASTER} 1000\n\
                 sentinel failover-timeout {MASTER} 3000\n"
            );
            std::fs::write(&file, watched).unwrap();
            command.arg(file).arg("--sentinel");
        }
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()]);
        command.arg("--dir").arg(folder);
        match kind {
            Kind::OfCluster => {
                command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
            }
            Kind::Replica(master) => {
                command.args(["--replicaof", "127.0.0.1", &master.to_string()]);
            }
            Kind::Alone | Kind::Sentinel(_) => {}
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn answers(port: u16, child: &mut Child) -> bool {
        for _ in 0..500 {
            if ask(port, &["ping"]) == b"PONG\n" {
                return true;
            }
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        false
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same server once more, empty.
    pub fn again(&mut self) {
        self.child = Self::spawn(self.port, self.kind, self.folder.path());
        assert!(Self::answers(self.port, &mut self.child), "it does not come back");
    }

    pub fn signal(&self, signal: &str) {
        let arguments = [format!("-{signal}"), self.child.id().to_string()];
        assert!(Command::new("kill").args(arguments).status().unwrap().success());
    }

    pub fn command(&self, arguments: &[&str]) -> Vec<u8> {
        ask(self.port, arguments)
    }

    /// The bytes under this key; none when there are none.
    pub fn get(&self, key: &str) -> Vec<u8> {
        let mut bytes = self.command(&["get", key]);
        // The end of the line that is printed.
        bytes.pop();
        bytes
    }

    pub fn set(&self, key: &str, value: &[u8]) {
        use std::io::Write as _;
        let mut child = Command::new("redis-cli")
            .args(["-p", &self.port.to_string(), "-x", "set", key])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(value).unwrap();
        assert!(child.wait().unwrap().success());
    }

    pub fn delete(&self, key: &str) {
        self.command(&["del", key]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn ask(port: u16, arguments: &[&str]) -> Vec<u8> {
    let port = port.to_string();
    Command::new("redis-cli").args(["-p", &port]).args(arguments).output().unwrap().stdout
}

/// Three masters.
pub struct Cluster {
    pub servers: Vec<Server>,
}

impl Cluster {
    pub async fn start() -> Option<Self> {
        if !is_installed() {
            return None;
        }
        let servers: Vec<_> = (0..3).map(|_| Server::fresh(Kind::OfCluster)).collect();
        let nodes: Vec<_> =
            servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(&nodes).arg("--cluster-yes");
        let created = create.output().unwrap();
        let said = String::from_utf8_lossy(&created.stdout);
        assert!(created.status.success(), "{said}");
        until("the cluster is whole", async || {
            servers.iter().all(|server| {
                let info = server.command(&["cluster", "info"]);
                String::from_utf8_lossy(&info).contains("cluster_state:ok")
            })
        })
        .await;
        Some(Self { servers })
    }

    pub fn url(&self) -> String {
        let nodes: Vec<_> =
            self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
        format!("redis+cluster://{}", nodes.join(","))
    }
}

/// A master, a replica, and three sentinels over them.
pub struct Watched {
    pub master: Server,
    _replica: Server,
    sentinels: Vec<Server>,
}

impl Watched {
    pub async fn start() -> Option<Self> {
        let master = Server::start()?;
        let replica = Server::fresh(Kind::Replica(master.port));
        let sentinels: Vec<_> =
            (0..3).map(|_| Server::fresh(Kind::Sentinel(master.port))).collect();
        until("the sentinels know the replica and each other", async || {
            sentinels.iter().all(|sentinel| {
                let told = sentinel.command(&["sentinel", "master", MASTER]);
                let told = String::from_utf8_lossy(&told);
                told.contains("num-slaves\n1\n") && told.contains("num-other-sentinels\n2\n")
            })
        })
        .await;
        Some(Self { master, _replica: replica, sentinels })
    }

    pub fn url(&self) -> String {
        let sentinels: Vec<_> =
            self.sentinels.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
        format!("redis+sentinel://{}/{MASTER}", sentinels.join(","))
    }

    /// Has one of the sentinels answer nobody any more.
    pub fn silence_one(&self) {
        self.sentinels[0].signal("STOP");
    }
}

/// Two nodes on the store of `app` that keep in this Redis and nothing in memory.
pub async fn nodes(app: &TestApp, url: &str) -> [TestApp; 2] {
    let node = async || {
        app.beside(|config| {
            url.clone_into(&mut config.redis);
            config.cache_mib = 0;
        })
        .await
    };
    let nodes = [node().await, node().await];
    for node in &nodes {
        node.look().await;
        until("Redis is reached", async || node.app.cache.is_redis_up()).await;
    }
    nodes
}

/// What this node finds in Redis and would show.
pub async fn found(node: &TestApp, person: u32) -> Option<Kept> {
    node.app.cache.fetch(&[way::person(node, person)]).await.remove(0)
}

/// Asks the first node until the second finds it in Redis.
pub async fn shared([first, second]: &[TestApp; 2], person: u32) {
    until("it is found in Redis", async || {
        first.look().await;
        told(first, person).await;
        second.look().await;
        found(second, person).await.is_some()
    })
    .await;
}

/// Under which key it is kept.
pub fn place(app: &TestApp, person: u32) -> String {
    let person = way::person(app, person);
    let person = person.as_str();
    format!("swabline:{{{}}}:{person}", &person[..1])
}
