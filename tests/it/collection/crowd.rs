//! Many seal tubes at the same moment: their requests are stored together, and each is answered
//! for itself.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use swabline::app::{App, Parts};
use swabline::audit;
use swabline::collection::tube::writer::TubeWriter;
use swabline::storage::{Channel, Queue, Queues, StoreError};

use super::{item, rows};
use crate::app::{Answer, Engine, TestApp};
use crate::each_engine;
use crate::shipment::number;
use crate::world::{World, people, person, seal_tube, tube, tube_body, world};

/// Whoever seals with this device spoils the transaction it is in.
const POISON: [&str; 2] = [
    "create trigger poison before insert on tube when new.device_id = 'POISON'
        begin select raise(abort, 'poison'); end",
    "create trigger poison before insert on tube for each row when (new.device_id = 'POISON')
        execute function refuse('poison')",
];

async fn poison(app: &TestApp) {
    app.direct(POISON[usize::from(app.engine == Engine::Postgres)]).await;
}

/// Sends a request in a task of its own.
fn send(app: &App, world: &World, (method, path): (Method, &str), body: &Value) -> Sent {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", world.sampler.token))
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let router = swabline::http::router(app.clone());
    tokio::spawn(async move {
        let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    })
}

type Sent = tokio::task::JoinHandle<Answer>;

async fn audit_is_whole(app: &TestApp) {
    let mut tx = app.app.db.read("test.verify").await.unwrap();
    assert_eq!(audit::verify(&mut tx).await.unwrap().broken, None);
}

/// 50 devices seal 40 tubes: the last ten seal one that somebody else seals just then, half of
/// them with the same content; the store refuses one of those that nobody else seals.
async fn fifty(app: &TestApp, world: &World) -> BTreeMap<u16, usize> {
    let sent: Vec<_> = (0..50)
        .map(|n| {
            let own = if n < 40 { n } else { n - 40 };
            let is_other = n >= 45;
            let mut body = tube_body(app, own, &people(own * 20 + u64::from(is_other), 10));
            if n == 17 {
                body["device"]["id"] = json!("POISON");
            }
            send(&app.app, world, (Method::PUT, &format!("/v1/tubes/{}", tube(own))), &body)
        })
        .collect();
    let mut answers = BTreeMap::new();
    for sent in sent {
        *answers.entry(sent.await.unwrap().status.as_u16()).or_default() += 1;
    }
    answers
}

each_engine! {
    async fn fifty_who_seal_at_once_are_each_answered_and_counted_once(app) {
        let world = world(app).await;
        poison(app).await;
        let before = rows(app).await;
        // Of two who seal one tube either may come first.
        let answers = fifty(app, &world).await;
        assert_eq!(answers, [(200, 5), (201, 39), (409, 5), (500, 1)].into());
        let after = rows(app).await;
        let grown: Vec<_> = after.iter().zip(before).map(|(after, before)| after - before).collect();
        assert_eq!(grown, [39, 390, 390, 39, 39]);
        audit_is_whole(app).await;
        let own = "select count(distinct about) from audit where action = 'tube.seal'";
        assert_eq!(number(app, own).await, 39);
        let ledger = app.get(&world.officer, "/v1/ledger").await.expect(200).json();
        assert_eq!((&ledger["whole"]["tubes"]["collected"], &ledger["unexplained"]),
            (&json!(39), &json!(0)));
    }

    async fn a_tube_the_store_refuses_spares_its_neighbours_in_the_same_request(app) {
        let world = world(app).await;
        poison(app).await;
        let mut tubes: Vec<_> = (0..9).map(|n| item(app, n, &[person(n)])).collect();
        tubes[4]["device"]["id"] = json!("POISON");
        let body = json!({ "tubes": tubes });
        let answer = app.post(&world.sampler, "/v1/tubes/batch", &body).await.expect(200).json();
        for (n, item) in answer["tubes"].as_array().unwrap().iter().enumerate() {
            let expected = if n == 4 { "rejected" } else { "accepted" };
            assert_eq!(item["outcome"], expected, "{item}");
            assert_eq!(item["code"], tube(n as u64));
        }
        assert_eq!(answer["tubes"][4]["problem"]["code"], "internal");
        assert_eq!(rows(app).await[0], 8);
        audit_is_whole(app).await;
    }

    async fn whoever_hangs_up_changes_nothing_for_the_others(app) {
        let world = world(app).await;
        let sent: Vec<_> = (0..20)
            .map(|n| {
                let path = format!("/v1/tubes/{}", tube(n));
                send(&app.app, &world, (Method::PUT, &path), &tube_body(app, n, &[person(n)]))
            })
            .collect();
        tokio::task::yield_now().await;
        for (n, sent) in sent.into_iter().enumerate() {
            if n % 2 == 1 {
                sent.abort();
            } else {
                sent.await.unwrap().expect(201);
            }
        }
        for n in 0..20 {
            let again = seal_tube(app, &world, n, &[person(n)]).await;
            let known = again.status == 200;
            assert!(known || n % 2 == 1 && again.status == 201, "{n}: {}", again.text());
        }
        assert_eq!(rows(app).await[0], 20);
        audit_is_whole(app).await;
    }

    async fn a_full_queue_refuses_at_once_and_says_when_to_come_again(app) {
        let world = world(app).await;
        let scan = Queue { length: 5, patience: Duration::from_mins(1) };
        let db = app.app.db.clone().with_queues(Queues { scan, ..Queues::default() });
        let narrow = App::from(Parts { tubes: TubeWriter::start(&db), ..Parts::clone(&app.app) });
        let path = format!("/v1/tubes/{}", tube(1));
        let put = (Method::PUT, path.as_str());
        let ten = tube_body(app, 1, &people(0, 10));
        let refused = send(&narrow, &world, put.clone(), &ten).await.unwrap().expect(503);
        assert_eq!((refused.code().as_str(), &refused.headers["retry-after"]),
            ("store.busy", &"1".parse().unwrap()));
        assert_eq!(rows(app).await[0], 0, "who was refused can be sure");
        let one = tube_body(app, 1, &[person(1)]);
        send(&narrow, &world, put, &one).await.unwrap().expect(201);
    }

    async fn a_laboratory_that_fills_the_store_is_refused_and_keeps_no_scan_waiting(app) {
        let queue = Queue { length: 1, patience: Duration::from_millis(1) };
        let queues = Queues { scan: queue, laboratory: queue, release: queue, query: queue };
        let db = app.app.db.clone().with_queues(queues);
        let mut held = Vec::new();
        let refused = loop {
            match db.write("test.fill").await {
                Ok(tx) => held.push(tx),
                Err(refused) => break refused,
            }
        };
        assert!(matches!(refused, StoreError::Full(Channel::Laboratory)), "{refused}");
        let scan = db.write_on(Channel::Scan, "test.scan").await;
        // SQLite writes one transaction at a time, whoever asks.
        assert_eq!((held.len(), scan.is_ok()),
            if app.engine == Engine::Sqlite { (1, false) } else { (6, true) });
        drop((held, scan));
        drop(db.write_on(Channel::Query, "test.query").await.unwrap());
    }

    async fn what_is_remembered_of_codes_and_sessions_never_refuses_what_came_later(app) {
        let world = world(app).await;
        seal_tube(app, &world, 1, &[person(1)]).await.expect(201);
        let seal = async |code: &str, n: u64, session: &str| {
            let mut body = tube_body(app, n, &[person(n)]);
            body["session"] = json!(session);
            app.put(&world.sampler, &format!("/v1/tubes/{code}"), &body).await
        };
        let next = tube(crate::world::TUBES);
        assert_eq!(seal(&next, 2, "W01").await.expect(422).code(), "code.never_allotted");
        let wanted = json!({ "kind": "tube", "count": 1, "place": "S01" });
        app.post(&world.administrator, "/v1/allotments", &wanted).await.expect(201);
        seal(&next, 2, "W01").await.expect(201);

        assert_eq!(seal("770000000001", 3, "W01").await.expect(422).code(), "code.unreadable");
        let pattern = json!({ "maker": "Tube Works", "length": 12, "alphabet": "digits" });
        app.put(&world.administrator, "/v1/code-patterns/77", &pattern).await.expect(201);
        seal("770000000001", 3, "W01").await.expect(201);

        assert_eq!(seal(&tube(4), 4, "W02").await.expect(422).code(), "tube.session");
        let session = crate::world::session(app, "R01");
        app.put(&world.sampler, "/v1/sessions/W02", &session).await.expect(201);
        seal(&tube(4), 4, "W02").await.expect(201);
    }
}
