//! A stop that is asked for: what runs is finished, what never ends is not waited for.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{SQLITE, on_each_engine};
use crate::app::Engine;
use crate::program::{Program, city, command, scan, terminate};
use crate::world::{people, tube};

/// Long enough for a request to reach the store.
const A_MOMENT: Duration = Duration::from_millis(300);

/// Somebody who holds the store so that no tube can be written.
enum Holder {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

impl Holder {
    async fn of(program: &Program) -> Self {
        if let Some(database) = &program.database {
            let mut connection = sqlx::PgConnection::connect(database).await.unwrap();
            let hold = "begin; lock table tube in exclusive mode";
            sqlx::raw_sql(hold).execute(&mut connection).await.unwrap();
            return Self::Postgres(connection);
        }
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(program.sqlite_file());
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql("begin immediate").execute(&mut connection).await.unwrap();
        Self::Sqlite(connection)
    }

    async fn let_go(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_request_gets_its_answer() {
    on_each_engine(async |program| {
        let mut server = program.serve();
        let city = city(&program, &server, 10).await;
        let holder = Holder::of(&program).await;
        let caller = server.caller(&city.sampler);
        let (path, body) = (format!("/v1/tubes/{}", tube(1)), scan(1, &people(0, 3)));
        let (caller_2, path_2, body_2) = (caller.clone(), path.clone(), body.clone());
        let running = tokio::spawn(async move { caller_2.put(&path_2, &body_2).await });
        tokio::time::sleep(A_MOMENT).await;
        terminate(server.id());
        tokio::time::sleep(A_MOMENT).await;
        assert!(server.lives(), "it waits for the request");
        assert!(!running.is_finished(), "the request is held");
        let late = server.stranger().send(Method::GET, "/healthz", None).await;
        assert!(late.is_err(), "nobody new is let in: {late:?}");
        holder.let_go().await;
        let answer = running.await.unwrap().expect(201);
        assert_eq!(server.ended().code(), Some(0));

        let server = program.serve();
        let again = server.caller(&city.sampler).put(&path, &body).await.expect(200);
        assert_eq!(again.json(), answer.json(), "what was answered is stored");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_holds_a_stop_by_never_finishing_a_request() {
    let program = Program::fresh(Engine::Sqlite).await.expect(SQLITE);
    let mut command = command();
    command.env("SWABLINE_REQUEST_SECONDS", "1");
    let server = program.serve_under(command);
    let city = city(&program, &server, 10).await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let begin = |text: String| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let line = format!("PUT /v1/tubes/{} HTTP/1.1\r\nhost: {address}\r\n", tube(1));
    let half_a_head = begin(line.clone());
    let half_a_body = begin(format!(
        "{line}authorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 1000\r\n\r\n{}",
        city.sampler,
        json!({ "event_id": "half of it" })
    ));
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(server.stop().code(), Some(0));
    drop((half_a_head, half_a_body));
}
