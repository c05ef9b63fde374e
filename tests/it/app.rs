//! The application under test, on a fresh store of either engine, and clients with identities.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use sqlx::Connection as _;
use swabline::app::{App, Parts};
use swabline::auth::{self, Actor, NewAccount, Role};
use swabline::clock::{Clock, Span, Time};
use swabline::config::Config;
use swabline::http::Entrance;
use swabline::storage::Db;
use tokio::sync::OnceCell;
use tower::ServiceExt as _;

/// The morning on which most stories play.
pub const MORNING: &str = "2020-06-21T00:00:00Z";

/// Which engine a story plays on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// One application on a store of its own, with a clock that moves when told.
pub struct TestApp {
    pub app: App,
    pub clock: Clock,
    pub engine: Engine,
    router: Router,
    /// Kept so that the folder lives as long as the application.
    pub folder: tempfile::TempDir,
}

/// Somebody with a token.
#[derive(Clone, Debug)]
pub struct Client {
    pub actor: Actor,
    pub token: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Fails the story, with the answer's text, unless the status is as expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    /// The stable code of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// The address of a PostgreSQL server for tests, or `None` with a plain word about it.
///
/// Under `CI=true` an engine that cannot be reached is a failure.
#[expect(clippy::disallowed_methods, reason = "a test asks its surroundings for servers")]
pub fn postgres_url() -> Option<String> {
    let url = std::env::var("TEST_POSTGRES_URL").ok();
    if url.is_none() {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "PostgreSQL was not reached: TEST_POSTGRES_URL is not set");
        eprintln!("PostgreSQL was not reached: set TEST_POSTGRES_URL or run scripts/test");
    }
    url
}

/// A fresh, empty PostgreSQL database of this test's own.
pub async fn fresh_database(server: &str) -> String {
    named(server, &copy_of(server, "template0").await)
}

/// A database of this test's own with every step of the schema done: a copy of one that took them
/// as a first start does.
async fn stepped_database(server: &str) -> String {
    static FIRST: OnceCell<String> = OnceCell::const_new();
    let begin = || async {
        let name = copy_of(server, "template0").await;
        let clock = Clock::stepped(MORNING.parse().unwrap());
        Db::open(&named(server, &name), &clock).await.expect("a first start").close().await;
        // A database is copied only while nobody uses it.
        let end =
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1";
        let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
        sqlx::query(end).bind(&name).execute(&mut connection).await.unwrap();
        name
    };
    named(server, &copy_of(server, FIRST.get_or_init(begin).await).await)
}

/// Makes a database like this one, and gives its name.
async fn copy_of(server: &str, template: &str) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);

    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let name = format!("swabline_test_{}_{number}", std::process::id());
    let mut connection = sqlx::PgConnection::connect(server).await.expect("PostgreSQL answers");
    let create = format!("create database {name} template {template} locale 'C' encoding 'UTF8'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
    name
}

fn named(server: &str, name: &str) -> String {
    let (base, _) = server.rsplit_once('/').expect("the address names a database");
    format!("{base}/{name}")
}

impl TestApp {
    /// A fresh application, or `None` when its engine is not there.
    pub async fn start(engine: Engine) -> Option<Self> {
        Self::start_with(engine, None).await
    }

    /// A fresh application with the keys of another, so that both know people by the same keys.
    pub async fn start_with(engine: Engine, other: Option<&Self>) -> Option<Self> {
        let database = match engine {
            Engine::Sqlite => String::new(),
            Engine::Postgres => stepped_database(&postgres_url()?).await,
        };
        Some(Self::open(engine, database, other).await)
    }

    /// A fresh application on this database.
    pub async fn on(engine: Engine, database: String) -> Self {
        Self::open(engine, database, None).await
    }

    async fn open(engine: Engine, database: String, other: Option<&Self>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if let Some(other) = other {
            let keys = "keys.json";
            std::fs::copy(other.folder.path().join(keys), folder.path().join(keys)).unwrap();
        }
        let data = folder.path().to_owned();
        // Stories of lots switch the keeping of lots on; the others begin after the store room. So do
        // stories of second factors.
        let config = Config {
            data,
            database,
            demonstration_kits: true,
            lot_keeping: false,
            second_factor: false,
            ..Config::default()
        };
        let clock = Clock::stepped(MORNING.parse().unwrap());
        let app = App::open(config, clock.clone()).await.expect("the application opens");
        let router = swabline::http::router(app.clone());
        Self { app, clock, engine, router, folder }
    }

    /// The same application on the same store, as after a restart with another configuration.
    pub fn restarted(&self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::clone(&self.app.config);
        change(&mut config);
        let entrance = Arc::new(Entrance::new(config.requests_at_once));
        let parts = Parts { config: Arc::new(config), entrance, ..Parts::clone(&self.app) };
        let app = App::from(parts);
        let router = swabline::http::router(app.clone());
        let folder = tempfile::tempdir().unwrap();
        Self { app, clock: self.clock.clone(), engine: self.engine, router, folder }
    }

    /// Another node on the same store, with the same keys and clock and another configuration.
    pub async fn beside(&self, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = "keys.json";
        std::fs::copy(self.folder.path().join(keys), folder.path().join(keys)).unwrap();
        let mut config = Config::clone(&self.app.config);
        config.database = self.app.config.database_url();
        config.data = folder.path().to_owned();
        change(&mut config);
        let app = App::open(config, self.clock.clone()).await.expect("the application opens");
        let router = swabline::http::router(app.clone());
        Self { app, clock: self.clock.clone(), engine: self.engine, router, folder }
    }

    /// The node looks at what changed; for a moment it shows what it keeps.
    pub async fn look(&self) {
        self.app.cache.look(&self.app.db).await.unwrap();
    }

    /// Moves the clock forward.
    pub fn pass(&self, span: Span) {
        self.clock.advance_to(self.clock.now() + span);
    }

    /// The present moment.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Runs statements behind the program's back.
    pub async fn direct(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let mut tx = self.app.db.write("test.direct").await.unwrap();
        swabline::on!(tx, c => sqlx::raw_sql(sql).execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
    }

    /// Somebody new with this role, bound to a place where the role needs one.
    pub async fn client(&self, role: Role) -> Client {
        let site = role.needs_site().then(|| "S01".to_owned());
        let laboratory = role.needs_laboratory().then(|| "L01".to_owned());
        self.client_at(role, site, laboratory).await
    }

    /// Somebody new with this role, bound to these places.
    pub async fn client_at(
        &self,
        role: Role,
        site: Option<String>,
        laboratory: Option<String>,
    ) -> Client {
        let mut tx = self.app.db.write("test.account").await.unwrap();
        let name = format!("Test {role:?}");
        let new = NewAccount { name, role, site, laboratory };
        let actor = auth::account_add(&mut tx, &self.clock, new).await.unwrap();
        let (now, year) = (self.clock.now(), Span::days(365));
        let token = auth::token_issue(&mut tx, &actor.account, "test", now, year).await.unwrap();
        tx.commit().await.unwrap();
        Client { actor, token: token.reveal().to_owned() }
    }

    /// Sends any request.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let is_stream =
            parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        // A stream has no end to wait for.
        let body = if is_stream { Body::empty() } else { body };
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// The body of an answer that never ends.
    pub async fn stream(&self, client: &Client, path: &str) -> axum::body::BodyDataStream {
        let request = Request::get(path)
            .header("authorization", format!("Bearer {}", client.token))
            .body(Body::empty())
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body().into_data_stream()
    }

    /// Sends a JSON request with whatever identity; every POST carries a fresh idempotency key.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        client: Option<&Client>,
        body: Option<&Value>,
    ) -> Answer {
        let mut request = Request::builder().method(&method).uri(path);
        if let Some(client) = client {
            request = request.header("authorization", format!("Bearer {}", client.token));
        }
        if method == Method::POST {
            request = request.header("idempotency-key", self.clock.id().to_string());
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub async fn get(&self, client: &Client, path: &str) -> Answer {
        self.call(Method::GET, path, Some(client), None).await
    }

    pub async fn put(&self, client: &Client, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path, Some(client), Some(body)).await
    }

    pub async fn post(&self, client: &Client, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(client), Some(body)).await
    }

    /// POSTs a file as it is.
    pub async fn upload(&self, client: &Client, path: &str, file: Vec<u8>) -> Answer {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", client.token))
            .header("content-type", "application/octet-stream")
            .body(Body::from(file))
            .unwrap();
        self.send(request).await
    }
}

impl TestApp {
    /// POSTs several files, each under its name, as one form.
    pub async fn upload_form(
        &self,
        client: &Client,
        path: &str,
        files: &[(&str, &[u8])],
    ) -> Answer {
        let mut body = Vec::new();
        for (name, bytes) in files {
            let head = format!(
                "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
            );
            body.extend([head.as_bytes(), *bytes, b"\r\n"].concat());
        }
        body.extend(b"--limit--\r\n");
        self.send_form(client, path, body).await
    }

    /// POSTs a form as it is written.
    pub async fn send_form(&self, client: &Client, path: &str, body: Vec<u8>) -> Answer {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", client.token))
            .header("content-type", "multipart/form-data; boundary=limit")
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }
}

/// Tells one story on every engine: `each_engine! { async fn name(app) { ... } }` makes a module
/// `name` with the tests `sqlite` and `postgres`.
#[macro_export]
macro_rules! each_engine {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident) $body:block)+) => { $(
        $(#[$meta])*
        async fn $name($app: &$crate::app::TestApp) $body

        mod $name {
            #[tokio::test]
            async fn sqlite() {
                let engine = $crate::app::Engine::Sqlite;
                let app = $crate::app::TestApp::start(engine).await.expect("SQLite is built in");
                super::$name(&app).await;
            }

            #[tokio::test]
            async fn postgres() {
                let engine = $crate::app::Engine::Postgres;
                if let Some(app) = $crate::app::TestApp::start(engine).await {
                    super::$name(&app).await;
                }
            }
        }
    )+ };
}
