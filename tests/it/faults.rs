//! The network between the program and PostgreSQL is cut: whoever asked is told to ask again,
//! and asking again stores everything once.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use swabline::app::{App, Parts};
use swabline::audit;
use swabline::on;
use swabline::storage::{Db, StoreError};

use crate::app::{Answer, Engine, TestApp, fresh_database, postgres_url};
use crate::way;
use crate::world::{people, seal_tube, tube, world};

/// When the cable is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Never = 0,
    /// The next commit never reaches the server.
    BeforeCommit = 1,
    /// The next commit reaches the server; its answer never comes back.
    AfterCommit = 2,
    /// Nobody gets through.
    Always = 3,
    /// What is said is never heard and nobody is told; whoever spoke meanwhile is never heard again.
    Silent = 4,
    /// As the next commit is on its way, the server falls silent.
    SilentAtCommit = 5,
}

/// A cable between the program and its server, which can be pulled.
#[derive(Clone, Default)]
struct Cable {
    when: Arc<AtomicU8>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    /// Lays a cable to `server` and gives the address of its near end.
    fn to(server: SocketAddr) -> (Self, SocketAddr) {
        let cable = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = listener.local_addr().unwrap();
        let laid = cable.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                laid.carry(client.unwrap(), server);
            }
        });
        (cable, near)
    }

    fn is(&self, cut: Cut) -> bool {
        self.when.load(Ordering::SeqCst) == cut as u8
    }

    /// Says when the cable is pulled next.
    fn cut(&self, cut: Cut) {
        self.when.store(cut as u8, Ordering::SeqCst);
        if cut == Cut::Always {
            self.pull();
        }
    }

    /// Cuts every connection there is.
    fn pull(&self) {
        for end in self.ends.lock().unwrap().drain(..) {
            // The other side may have closed it already.
            end.shutdown(Shutdown::Both).ok();
        }
    }

    fn carry(&self, client: TcpStream, server: SocketAddr) {
        if self.is(Cut::Always) {
            return;
        }
        let server = TcpStream::connect(server).unwrap();
        for end in [&client, &server] {
            self.ends.lock().unwrap().push(end.try_clone().unwrap());
        }
        let (from_client, to_client) = (client.try_clone().unwrap(), client);
        let (from_server, to_server) = (server.try_clone().unwrap(), server);
        let (up, down) = (self.clone(), self.clone());
        let (swallow, dead) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (swallows, dies) = (Arc::clone(&swallow), Arc::clone(&dead));
        std::thread::spawn(move || up.upwards(from_client, to_server, (&swallows, &dies)));
        std::thread::spawn(move || down.downwards(from_server, to_client, (&swallow, &dead)));
    }

    /// Whether what is said over this connection is heard no more: once dead it stays so.
    fn is_dead(&self, dead: &AtomicBool) -> bool {
        dead.fetch_or(self.is(Cut::Silent), Ordering::SeqCst) || self.is(Cut::Silent)
    }

    fn upwards(
        &self,
        mut from: TcpStream,
        mut to: TcpStream,
        (swallow, dead): (&AtomicBool, &AtomicBool),
    ) {
        let mut bytes = [0; 16_384];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            let commits = bytes[..read].windows(6).any(|word| word == b"COMMIT");
            if commits && self.is(Cut::SilentAtCommit) {
                self.cut(Cut::Silent);
            }
            if self.is_dead(dead) {
                continue;
            }
            if self.is(Cut::Always) || commits && self.is(Cut::BeforeCommit) {
                self.cut(Cut::Always);
                return;
            }
            if commits && self.is(Cut::AfterCommit) {
                swallow.store(true, Ordering::SeqCst);
            }
            if to.write_all(&bytes[..read]).is_err() {
                return;
            }
        }
        // Whatever is left is closed already.
        to.shutdown(Shutdown::Both).ok();
    }

    fn downwards(
        &self,
        mut from: TcpStream,
        mut to: TcpStream,
        (swallow, dead): (&AtomicBool, &AtomicBool),
    ) {
        let mut bytes = [0; 16_384];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            if self.is_dead(dead) {
                continue;
            }
            if self.is(Cut::Always) || swallow.load(Ordering::SeqCst) {
                // What is swallowed is the server's word that the commit is done.
                self.cut(Cut::Always);
                return;
            }
            if to.write_all(&bytes[..read]).is_err() {
                return;
            }
        }
        to.shutdown(Shutdown::Both).ok();
    }
}

/// An application whose server is at the other end of a cable.
async fn wired() -> Option<(TestApp, Cable)> {
    let database = fresh_database(&postgres_url()?).await;
    let (before, rest) = database.split_once('@').expect("the address names a user");
    let (server, name) = rest.split_once('/').expect("the address names a database");
    let (cable, near) = Cable::to(server.parse().expect("the server has a plain address"));
    let app = TestApp::on(Engine::Postgres, format!("{before}@{near}/{name}")).await;
    Some((app, cable))
}

/// Sends again what was answered 503, as a device does, until it is answered otherwise.
async fn insist(mut send: impl AsyncFnMut() -> Answer) -> Answer {
    for _ in 0..100 {
        let answer = send().await;
        if answer.status != 503 {
            return answer;
        }
        assert_eq!(answer.headers["retry-after"], "1");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("it never came back");
}

/// Looks at the store through connections that were never cut.
async fn afresh(app: &mut TestApp) {
    let url = app.app.config.database_url();
    let db = Db::open(&url, &app.clock).await.unwrap();
    app.app = App::from(Parts { db, ..Parts::clone(&app.app) });
}

/// Waits until no connection is in a transaction any more: one that is still being rolled back as the
/// cable goes silent is never taken back, and whoever has to open another is told "busy" instead.
async fn taken_back(app: &TestApp) {
    let sql = "select count(*) from pg_stat_activity where datname = current_database()
        and backend_type = 'client backend' and pid <> pg_backend_pid() and state <> 'idle'";
    let mut asking = PgConnection::connect(&app.app.config.database_url()).await.unwrap();
    for _ in 0..500 {
        let busy: i64 = sqlx::query_scalar(sql).fetch_one(&mut asking).await.unwrap();
        // The program hears of it a moment after the server has done it.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        if busy == 0 {
            return;
        }
    }
    panic!("a transaction never ended");
}

fn assert_lost(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.code(), "store.lost");
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert!(answer.text().contains("may or may not have been stored"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_another_s_place_and_is_less_safe_is_given_nothing() {
    let Some(url) = postgres_url() else { return };
    let database = fresh_database(&url).await;
    let app = TestApp::on(Engine::Postgres, database.clone()).await;
    let world = world(&app).await;
    seal_tube(&app, &world, 0, &people(0, 3)).await.expect(201);
    let mut keeper = PgConnection::connect(&database).await.unwrap();
    let (_, name) = database.rsplit_once('/').expect("the address names a database");
    let mut say = async |sql: String| {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut keeper).await.unwrap();
    };
    // As after a failover: other settings, and every connection begun anew.
    let end_all = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    say(format!("alter database {name} set synchronous_commit = off")).await;
    say(end_all.to_owned()).await;
    for _ in 0..2 {
        let refused = seal_tube(&app, &world, 1, &people(20, 3)).await;
        assert_eq!(refused.status, 503, "{}", refused.text());
    }
    say(format!("alter database {name} reset synchronous_commit")).await;
    insist(async || seal_tube(&app, &world, 1, &people(20, 3)).await).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cable_pulled_around_a_commit_loses_and_doubles_nothing() {
    let Some((mut app, cable)) = wired().await else { return };
    let world = world(&app).await;
    let cuts = [Cut::BeforeCommit, Cut::AfterCommit, Cut::Always, Cut::AfterCommit];
    for (n, cut) in (0..).zip(cuts) {
        let people = people(n * 20, 3);
        cable.cut(cut);
        assert_lost(&seal_tube(&app, &world, n, &people).await);
        assert!(cable.is(Cut::Always), "the commit came by");
        assert_lost(&app.get(&world.officer, "/v1/ledger").await);
        assert_eq!(app.get(&world.officer, "/readyz").await.status, 503);
        // Whoever has no session is nobody by the store's word alone: a device would forget them.
        let nobody = app.call(Method::GET, "/session", None, None).await;
        assert_eq!(nobody.status, 503, "{}", nobody.text());
        cable.cut(Cut::Never);
        let answer = insist(async || seal_tube(&app, &world, n, &people).await).await;
        let expected = if cut == Cut::AfterCommit { 200 } else { 201 };
        assert_eq!(answer.expect(expected).json()["code"], tube(n));
    }
    afresh(&mut app).await;
    for (sql, rows) in [
        ("select count(*) from tube", 4),
        ("select count(*) from member", 12),
        ("select count(*) from feed", 4),
        ("select count(*) from audit where action = 'tube.seal'", 4),
    ] {
        assert_eq!(way::number(&app, sql).await, rows, "{sql}");
    }
    let ledger = insist(async || app.get(&world.officer, "/v1/ledger").await).await.json();
    assert_eq!(
        (&ledger["whole"]["tubes"]["collected"], &ledger["unexplained"]),
        (&json!(4), &json!(0))
    );
    let mut tx = app.app.db.read("test.verify").await.unwrap();
    assert_eq!(audit::verify(&mut tx).await.unwrap().broken, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_was_full_takes_everything_again_once_there_is_room() {
    let app = TestApp::start(Engine::Sqlite).await.expect("SQLite is built in");
    let world = world(&app).await;
    let room = async |pages: u32| {
        let mut tx = app.app.db.write("test.room").await.unwrap();
        way::run(&mut tx, format!("pragma max_page_count = {pages}")).await;
        tx.commit().await.unwrap();
    };
    // As large as it is already, and no larger.
    room(1).await;
    let mut taken = 0;
    let refused = loop {
        let answer = seal_tube(&app, &world, taken, &people(taken * 20, 10)).await;
        if answer.status != 201 {
            break answer;
        }
        taken += 1;
        assert!(taken < 500, "the disk is never full");
    };
    assert_eq!(refused.expect(503).code(), "store.busy");
    for _ in 0..3 {
        let refused = seal_tube(&app, &world, taken, &people(taken * 20, 10)).await;
        assert_eq!(refused.expect(503).code(), "store.busy");
    }
    room(1_000_000).await;
    for n in 0..=taken {
        let expected = if n == taken { 201 } else { 200 };
        seal_tube(&app, &world, n, &people(n * 20, 10)).await.expect(expected);
    }
    // Of a single row SQLite undoes the whole transaction by itself, and nobody is told of that.
    app.direct("create table ballast (bytes blob)").await;
    room(1).await;
    let mut tx = app.app.db.write("test.ballast").await.unwrap();
    let ballast = "insert into ballast values (zeroblob(100000000))";
    let full = on!(tx, c => sqlx::query(ballast).execute(c).await.map(drop));
    assert_eq!(full.unwrap_err().as_database_error().unwrap().code().as_deref(), Some("13"));
    drop(tx);
    seal_tube(&app, &world, taken + 1, &people((taken + 1) * 20, 10)).await.expect(201);
    let ledger = app.get(&world.officer, "/v1/ledger").await.expect(200).json();
    assert_eq!(
        (&ledger["whole"]["tubes"]["collected"], &ledger["unexplained"]),
        (&json!(taken + 2), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_for_a_moment_is_come_back_to() {
    let Some((mut app, _cable)) = wired().await else { return };
    let world = world(&app).await;
    let mut tx = app.app.db.write("test.keeper").await.unwrap();
    // What its keeper does when the server is restarted.
    way::run(
        &mut tx,
        "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()"
            .to_owned(),
    )
    .await;
    tx.commit().await.unwrap();
    let people = people(0, 3);
    insist(async || seal_tube(&app, &world, 0, &people).await).await.expect(201);
    afresh(&mut app).await;
    assert_eq!(way::number(&app, "select count(*) from tube").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_given_up_and_come_back_to() {
    let Some((mut app, cable)) = wired().await else { return };
    let world = world(&app).await;
    let everybody: Vec<_> = (0..4).map(|n| people(n * 20, 3)).collect();
    seal_tube(&app, &world, 0, &everybody[0]).await.expect(201);
    taken_back(&app).await;
    cable.cut(Cut::Silent);
    // A scan is told in time that it was not taken; whoever reads, that nobody answers.
    let (scan, look) = tokio::join!(
        seal_tube(&app, &world, 1, &everybody[1]),
        app.get(&world.officer, "/v1/ledger")
    );
    assert_eq!(scan.status, 503, "{}", scan.text());
    assert_eq!(scan.code(), "store.busy");
    assert_lost(&look);
    cable.cut(Cut::Never);
    // The connections on which nobody is heard any more are not waited for.
    for (n, people) in (0..).zip(&everybody) {
        let answer = insist(async || seal_tube(&app, &world, n, people).await).await;
        assert_eq!(answer.status, if n == 0 { 200 } else { 201 }, "{}", answer.text());
    }
    insist(async || app.get(&world.officer, "/v1/ledger").await).await.expect(200);
    afresh(&mut app).await;
    assert_eq!(way::number(&app, "select count(*) from tube").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_caught_by_the_silence_in_the_middle_of_a_commit_is_told() {
    let Some((mut app, cable)) = wired().await else { return };
    let world = world(&app).await;
    let people = people(0, 3);
    cable.cut(Cut::SilentAtCommit);
    assert_lost(&seal_tube(&app, &world, 0, &people).await);
    assert!(cable.is(Cut::Silent), "the commit came by");
    // A server that is replaced takes its unfinished transactions with it.
    end_transactions(&app).await;
    cable.cut(Cut::Never);
    let answer = insist(async || seal_tube(&app, &world, 0, &people).await).await;
    answer.expect(201);
    afresh(&mut app).await;
    for sql in ["select count(*) from tube", "select count(*) from feed"] {
        assert_eq!(way::number(&app, sql).await, 1, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_freezes_in_a_transaction_keeps_its_locks_for_a_while_only() {
    let Some(url) = postgres_url() else { return };
    let app = TestApp::on(Engine::Postgres, fresh_database(&url).await).await;
    world(&app).await;
    let mut frozen = app.app.db.write("test.frozen").await.unwrap();
    let sql = "select current_setting('idle_in_transaction_session_timeout')";
    let bound: String = on!(frozen, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap();
    assert_eq!(bound, "1min");
    // A story does not wait for a minute.
    let soon = "set local idle_in_transaction_session_timeout = '500ms'";
    way::run(&mut frozen, soon.to_owned()).await;
    way::run(&mut frozen, "update laboratory set name = 'nobody''s'".to_owned()).await;
    let mut next = app.app.db.write("test.next").await.unwrap();
    way::run(&mut next, "update laboratory set name = 'somebody''s'".to_owned()).await;
    next.commit().await.unwrap();
    let ended = frozen.commit().await.unwrap_err();
    assert!(matches!(ended, StoreError::Lost(_)), "{ended:?}");
    let sql = "select count(*) from laboratory where name = 'somebody''s'";
    assert_eq!(way::number(&app, sql).await, 1);
}

/// Ends whoever is connected, over a connection that no cable carries.
async fn end_transactions(app: &TestApp) {
    let url = app.app.config.database_url();
    let (_, name) = url.rsplit_once('/').expect("the address names a database");
    let server = postgres_url().expect("the story runs on it");
    let (base, _) = server.rsplit_once('/').expect("the address names a database");
    let mut direct = PgConnection::connect(&format!("{base}/{name}")).await.unwrap();
    let end = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    sqlx::query(end).execute(&mut direct).await.unwrap();
}
