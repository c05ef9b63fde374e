//! Durable means durable: the server is killed at random moments under load, and whatever it had
//! answered is there afterwards; a trace of its system calls shows why (R1).

mod nodes;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::Method;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use sqlx::{query_as, query_scalar};
use swabline::app::App;
use swabline::clock::Clock;
use swabline::config::Config;
use swabline::on;

use crate::app::{Engine, postgres_url};
use crate::program::{Caller, City, Program, Server, city, command, scan, terminate};
use crate::world::{Person, people, tube};
use trace::{Doubt, synced_before_answer};

/// Times the server is killed, over both engines, unless `TEST_KILLS` says otherwise: the 200 that
/// R1 asks for take more than five minutes.
const KILLS: u32 = 20;
/// Milliseconds of load before a kill.
const LOAD_MS: std::ops::RangeInclusive<u64> = 50..=400;
/// Devices that send at once, and how many tubes each puts into a request; so many that a kill
/// meets requests of several devices in one transaction.
const DEVICES: [usize; 14] = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10, 40];
/// Tubes that one request may hold when everything is sent again.
const AGAIN: usize = 500;
/// Tube codes that are allotted; far more than the load can use.
const CODES: u32 = 100_000;

/// A tube as a device sent it.
struct Sent {
    code: String,
    people: Vec<Person>,
    body: Value,
    /// What was answered; none when the server died first.
    answer: Option<Value>,
}

/// Whether the store had a tube already when it was sent.
#[derive(PartialEq, Eq)]
enum Fate {
    New,
    Known,
}

impl Sent {
    /// The same event on a retry: only the device's clock has gone on.
    fn again(&mut self) {
        self.body["device"]["time"] = json!(Clock::system().now());
    }

    /// Puts it by itself.
    async fn put(&mut self, caller: &Caller) -> Result<Fate, reqwest::Error> {
        let path = format!("/v1/tubes/{}", self.code);
        let answer = caller.send(Method::PUT, &path, Some(&self.body)).await?;
        let fate = if answer.status == 200 { Fate::Known } else { Fate::New };
        let answer = if fate == Fate::New { answer.expect(201) } else { answer };
        self.answered(answer.json());
        Ok(fate)
    }

    /// Keeps the answer; a second one must say what the first one said.
    fn answered(&mut self, answer: Value) {
        if let Some(first) = self.answer.replace(answer) {
            assert_eq!(self.answer, Some(first), "{} was answered otherwise before", self.code);
        }
    }
}

/// Sends many tubes in one request and says what became of each.
async fn batch(caller: &Caller, tubes: &mut [Sent]) -> Result<Vec<Fate>, reqwest::Error> {
    let bodies: Vec<_> = tubes.iter().map(|tube| &tube.body).collect();
    let body = json!({ "tubes": bodies });
    let answer = caller.send(Method::POST, "/v1/tubes/batch", Some(&body)).await?.expect(200);
    let mut items = answer.json()["tubes"].as_array().unwrap().clone();
    assert_eq!(items.len(), tubes.len(), "an answer for each");
    let fate = |(item, sent): (&mut Value, &mut Sent)| {
        let fate = match item["outcome"].as_str().unwrap() {
            "accepted" => Fate::New,
            "duplicate" => Fate::Known,
            _ => panic!("{} was not taken: {item}", sent.code),
        };
        sent.answered(item["tube"].take());
        fate
    };
    Ok(items.iter_mut().zip(tubes).map(fate).collect())
}

/// Numbers that nobody has used yet.
#[derive(Default)]
struct Unused {
    tube: AtomicU64,
    person: AtomicU64,
}

impl Unused {
    /// The next tube: one of 1 or one of 10, full or not.
    fn next(&self) -> Sent {
        let n = self.tube.fetch_add(1, Ordering::SeqCst);
        let count = [1, 10, 3, 10][usize::try_from(n % 4).unwrap()];
        let people = people(self.person.fetch_add(count, Ordering::SeqCst), count);
        let mut body = scan(n, &people);
        body["code"] = json!(tube(n));
        Sent { code: tube(n), people, body, answer: None }
    }
}

/// A device that sends one request after another until the server is gone.
async fn send_until_it_dies(caller: Caller, unused: Arc<Unused>, at_once: usize) -> Vec<Sent> {
    let mut sent = Vec::new();
    loop {
        let mut tubes: Vec<_> = (0..at_once).map(|_| unused.next()).collect();
        let alive = match &mut tubes[..] {
            [tube] => tube.put(&caller).await.is_ok(),
            tubes => batch(&caller, tubes).await.is_ok(),
        };
        sent.append(&mut tubes);
        if !alive {
            return sent;
        }
    }
}

/// One installation that is killed again and again.
struct Story {
    program: Program,
    city: City,
    unused: Arc<Unused>,
    sent: Vec<Sent>,
    /// Tubes that were stored although nobody was told so any more.
    unanswered_but_stored: usize,
}

impl Story {
    /// Load for a while, then a kill; what was sent is kept.
    async fn load_and_kill(&mut self, server: Server, pause: Duration) {
        let device = |at_once| {
            let caller = server.caller(&self.city.sampler);
            tokio::spawn(send_until_it_dies(caller, Arc::clone(&self.unused), at_once))
        };
        let devices = DEVICES.map(device);
        tokio::time::sleep(pause).await;
        server.kill();
        for device in devices {
            self.sent.extend(device.await.unwrap());
        }
    }

    /// Looks into the store itself, while nobody serves.
    async fn look(&self) {
        let database = self.program.database.clone().unwrap_or_default();
        let config = Config { data: self.program.data(), database, ..Config::default() };
        let app = App::open(config, Clock::system()).await.unwrap();
        let mut tx = app.db.read("test.look").await.unwrap();
        let sql = "select code, members from tube";
        let tubes: Vec<(String, i64)> = on!(tx, c => query_as(sql).fetch_all(c).await).unwrap();
        let sql = "select m.tube_code, m.position, m.person_key from member m
            join person p on p.key = m.person_key and p.identity_tag = m.identity_tag
            order by m.tube_code, m.position";
        let members: Vec<(String, i64, String)> =
            on!(tx, c => query_as(sql).fetch_all(c).await).unwrap();
        let sql = "select tube_code, count(*) from feed where change = 'sealed'
            group by tube_code";
        let told: Vec<(String, i64)> = on!(tx, c => query_as(sql).fetch_all(c).await).unwrap();
        let sql = "select detail from audit where action in ('tube.seal', 'tube.seal_batch')";
        let audited: Vec<String> = on!(tx, c => query_scalar(sql).fetch_all(c).await).unwrap();
        drop(tx);

        let mut kept: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (code, position, key) in members {
            let members = kept.entry(code).or_default();
            members.push(key);
            assert_eq!(usize::try_from(position).unwrap(), members.len(), "no gap in a tube");
        }
        let whole: BTreeMap<_, _> =
            kept.iter().map(|(code, members)| (code.clone(), members.len())).collect();
        let stated = |(code, count): (String, i64)| (code, usize::try_from(count).unwrap());
        assert_eq!(whole, tubes.into_iter().map(stated).collect(), "no tube is there in part");
        assert!(told.iter().all(|(_, times)| *times == 1), "each is told of once");
        let told: BTreeSet<_> = told.iter().map(|(code, _)| code).collect();
        assert_eq!(told, kept.keys().collect(), "each tube is told of, and no other");

        let audited: Vec<Value> =
            audited.iter().map(|detail| serde_json::from_str(detail).unwrap()).collect();
        let audited = audited.iter().flat_map(|detail| detail["codes"].as_array().unwrap());
        let mut audited: Vec<_> = audited.map(|code| code.as_str().unwrap()).collect();
        audited.sort_unstable();
        assert!(audited.iter().copied().eq(kept.keys()), "each is in the audit trail once");

        let keys = |tube: &Sent| -> Vec<String> {
            let key = |person: &Person| app.keys.person_key("resident_id", &person.number);
            tube.people.iter().map(|person| key(person).as_str().to_owned()).collect()
        };
        for tube in self.sent.iter().filter(|tube| tube.answer.is_some()) {
            let stored = kept.get(&tube.code);
            assert_eq!(stored, Some(&keys(tube)), "{} was acknowledged and is lost", tube.code);
        }
        let sent: BTreeSet<_> = self.sent.iter().map(|tube| &tube.code).collect();
        assert!(kept.keys().all(|code| sent.contains(code)), "nothing was made up");
        app.db.close().await;
    }

    /// Sends again what was not answered, and then the rest since `from`: nothing is refused and
    /// nothing that was acknowledged is new.
    async fn send_again(&mut self, server: &Server, from: usize) {
        let caller = server.caller(&self.city.sampler);
        for tube in &mut self.sent {
            if tube.answer.is_none() {
                tube.again();
                let fate = tube.put(&caller).await.unwrap();
                self.unanswered_but_stored += usize::from(fate == Fate::Known);
            }
        }
        for tubes in self.sent[from..].chunks_mut(AGAIN) {
            tubes.iter_mut().for_each(Sent::again);
            let fates = batch(&caller, tubes).await.unwrap();
            assert!(fates.iter().all(|fate| *fate == Fate::Known), "acknowledged and lost");
        }
    }

    /// The audit trail is whole.
    fn audit(&self) {
        let said = self.program.run(&["audit", "verify"]).expect(0);
        assert!(said.out.contains("are whole"), "{}", said.out);
    }

    /// The ledger closes over every tube that was sent.
    async fn close_ledger(&self, server: &Server) {
        let ledger = server.caller(&self.city.officer).get("/v1/ledger").await.expect(200).json();
        assert_eq!(ledger["unexplained"], 0, "{ledger}");
        assert_eq!(ledger["whole"]["tubes"]["collected"], self.sent.len());
        let people: usize = self.sent.iter().map(|tube| tube.people.len()).sum();
        assert_eq!(ledger["whole"]["people"]["collected"], people);
    }
}

/// Kills the server that often and looks for losses after each kill.
async fn kills_lose_nothing(engine: Engine, kills: u32) {
    let Some(program) = Program::fresh(engine).await else { return };
    let seed = seed();
    eprintln!("{kills} kills on {engine:?} with CRASH_SEED={seed}");
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut server = program.serve();
    let city = city(&program, &server, CODES).await;
    let (unused, sent) = (Arc::default(), Vec::new());
    let mut story = Story { program, city, unused, sent, unanswered_but_stored: 0 };
    let mut unanswered = 0;
    for _ in 0..kills {
        let before = story.sent.len();
        let pause = Duration::from_millis(dice.random_range(LOAD_MS));
        story.load_and_kill(server, pause).await;
        let open = story.sent[before..].iter().filter(|tube| tube.answer.is_none()).count();
        assert!(open > 0, "the kill came under load");
        unanswered += open;
        story.audit();
        story.look().await;
        server = story.program.serve();
        story.send_again(&server, before).await;
        story.close_ledger(&server).await;
    }
    story.send_again(&server, 0).await;
    assert!(server.stop().success());
    story.audit();
    story.look().await;
    eprintln!(
        "{engine:?}: {} tubes, {unanswered} unanswered at a kill, {} of them stored all the same",
        story.sent.len(),
        story.unanswered_but_stored
    );
}

/// Where the dice begin: `CRASH_SEED` when it is set, another place on each run otherwise.
#[expect(clippy::disallowed_methods, reason = "a run can be repeated with the seed it printed")]
fn seed() -> u64 {
    let stated = std::env::var("CRASH_SEED").ok();
    stated.map_or_else(|| Clock::system().id().as_u64_pair().1, |seed| seed.parse().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "whoever has the time may ask for more")]
fn kills() -> u32 {
    std::env::var("TEST_KILLS")
        .map_or(KILLS, |kills| kills.parse().expect("TEST_KILLS is a number"))
}

mod a_killed_server_loses_nothing_it_acknowledged {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite() {
        let alone = postgres_url().is_none();
        kills_lose_nothing(Engine::Sqlite, if alone { kills() } else { kills() / 2 }).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        kills_lose_nothing(Engine::Postgres, kills() / 2).await;
    }
}

/// The process that a tracer runs, stopped with it.
struct Traced(u32);

impl Traced {
    /// Each line of a trace begins with a process, and the first one is where it all began.
    fn of(trace: &Path) -> Self {
        let trace = std::fs::read_to_string(trace).unwrap();
        let first = trace.split_whitespace().next().expect("something was traced");
        Self(first.parse().expect("a line begins with a process"))
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if Path::new(&format!("/proc/{}", self.0)).exists() {
            terminate(self.0);
        }
    }
}

/// A command that runs the program under `strace`, or none with a plain word about it.
///
/// Under `CI=true` a tracer that is missing or may not trace is a failure.
#[expect(clippy::disallowed_methods, reason = "a test asks its surroundings for tools")]
fn tracer(trace: &Path) -> Option<Command> {
    let try_out = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let fault = match try_out {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(fault) = fault {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "strace cannot trace: {fault}");
        eprintln!("strace cannot trace, so no trace was read: {fault}");
        return None;
    }
    let calls = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,\
        fsync,fdatasync";
    let mut tracer = Command::new("strace");
    tracer.args(["-f", "-yy", "-s", "64", "-e", calls, "-o"]).arg(trace);
    tracer.arg(command().get_program()).env_remove("RUST_LOG");
    Some(tracer)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_has_a_tube_before_the_device_has_the_answer() {
    let program = Program::fresh(Engine::Sqlite).await.expect("SQLite is built in");
    let file = program.beside("trace");
    let Some(watched) = tracer(&file) else { return };
    let mut server = program.serve_under(watched);
    let process = Traced::of(&file);
    let city = city(&program, &server, 10).await;
    let path = format!("/v1/tubes/{}", tube(1));
    server.caller(&city.sampler).put(&path, &scan(1, &people(0, 10))).await.expect(201);
    drop(process);
    assert!(server.ended().success());

    let trace = std::fs::read_to_string(&file).unwrap();
    let request = format!("PUT {path} ");
    let judge = |trace: &str| synced_before_answer(trace, &request, "/swabline.db-wal");
    assert_eq!(judge(&trace), Ok(()));
    let unsynced: Vec<_> = trace.lines().filter(|line| !line.contains("sync")).collect();
    assert_eq!(judge(&unsynced.join("\n")), Err(Doubt::NotSynced));
}
