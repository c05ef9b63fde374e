//! Places, and people swabbed into tubes.

pub mod canaries;
mod clocks;
mod crowd;
mod people;

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request};
use proptest::strategy::{Strategy as _, ValueTree as _};
use serde_json::{Value, json};
use sqlx::query_scalar;
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::on;

use crate::app::TestApp;
use crate::each_engine;
use crate::world::{
    Person, World, people, person, round, seal_tube, session, tube, tube_body, world,
};

/// Rows of each table a tube touches.
async fn rows(app: &TestApp) -> [i64; 5] {
    let mut tx = app.app.db.read("test.rows").await.unwrap();
    let mut counts = [0; 5];
    let tables = [
        "select count(*) from tube",
        "select count(*) from member",
        "select count(*) from person",
        "select count(*) from feed",
        "select count(*) from audit",
    ];
    for (count, sql) in counts.iter_mut().zip(tables) {
        *count = on!(tx, c => query_scalar(sql).fetch_one(c).await).unwrap();
    }
    counts
}

fn abouts(problem: &Value) -> BTreeSet<String> {
    let errors = problem["errors"].as_array().expect("a problem lists its reasons");
    errors.iter().map(|error| error["about"].as_str().unwrap().to_owned()).collect()
}

/// An item of a batch: what a device sends for tube `n`, with its code.
fn item(app: &TestApp, n: u64, people: &[Person]) -> Value {
    let mut body = tube_body(app, n, people);
    body["code"] = json!(tube(n));
    body
}

async fn batch(app: &TestApp, world: &World, tubes: &[Value]) -> Vec<Value> {
    let body = json!({ "tubes": tubes });
    let answer = app.post(&world.sampler, "/v1/tubes/batch", &body).await.expect(200);
    answer.json()["tubes"].as_array().unwrap().clone()
}

/// The trail of one thing, and the cursor behind it.
async fn trail(app: &TestApp, world: &World, about: &str) -> (Vec<Value>, Value) {
    let page = app.get(&world.auditor, &format!("/v1/audit?about={about}")).await.expect(200);
    let page = page.json();
    (page["rows"].as_array().unwrap().clone(), page["next"].clone())
}

/// What was done to the `n`th tube.
async fn actions(app: &TestApp, world: &World, n: u64) -> Vec<Value> {
    let (rows, _) = trail(app, world, &tube(n)).await;
    rows.iter().map(|row| row["action"].clone()).collect()
}

fn fates(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["outcome"].as_str().unwrap()).collect()
}

each_engine! {
    async fn places_are_put_once_and_never_overwritten(app) {
        let world = world(app).await;
        let same = json!({ "name": "North gate", "area": "Fengtai" });
        app.put(&world.officer, "/v1/sites/S01", &same).await.expect(200);
        let other = json!({ "name": "South gate", "area": "Daxing" });
        let differs = app.put(&world.officer, "/v1/sites/S01", &other).await.expect(409);
        assert_eq!(abouts(&differs.json()), ["area", "name"].map(str::to_owned).into());
        app.put(&world.officer, "/v1/sites/S01", &same).await.expect(200);
        app.put(&world.officer, "/v1/sites/s%201", &same).await.expect(422);

        let laboratory = json!({ "name": "Laboratory 1", "address": "2 Other Road" });
        let differs = app.put(&world.administrator, "/v1/laboratories/L01", &laboratory).await;
        assert_eq!(abouts(&differs.expect(409).json()), ["address".to_owned()].into());
        app.put(&world.officer, "/v1/rounds/R01", &round(app, 10)).await.expect(200);
        let differs = app.put(&world.officer, "/v1/rounds/R01", &round(app, 5)).await.expect(409);
        assert_eq!(abouts(&differs.json()), ["tube_size".to_owned()].into());
        app.put(&world.officer, "/v1/rounds/R02", &round(app, 3)).await.expect(422);

        app.put(&world.sampler, "/v1/sessions/W01", &session(app, "R01")).await.expect(200);
        let mut team = session(app, "R01");
        team["team"] = json!("Team 2");
        let differs = app.put(&world.sampler, "/v1/sessions/W01", &team).await.expect(409);
        assert_eq!(abouts(&differs.json()), ["team".to_owned()].into());
        let lost = app.put(&world.officer, "/v1/sessions/W02", &session(app, "R09")).await;
        assert_eq!(lost.expect(422).code(), "session.round");
        team["site"] = json!("S09");
        app.put(&world.sampler, "/v1/sessions/W02", &team).await.expect(403);
        assert_eq!(app.put(&world.officer, "/v1/sessions/W02", &team).await.expect(422).code(),
            "session.site");
    }

    async fn a_sealed_tube_is_stored_once_and_the_same_again_changes_nothing(app) {
        let world = world(app).await;
        let body = tube_body(app, 1, &people(0, 10));
        let path = format!("/v1/tubes/{}", tube(1));
        let before = rows(app).await;
        let first = app.put(&world.sampler, &path, &body).await.expect(201);
        let after = rows(app).await;
        let grown: Vec<_> = after.iter().zip(before).map(|(after, before)| after - before).collect();
        assert_eq!(grown, [1, 10, 10, 1, 1]);

        app.pass(Span::hours(2));
        let mut retry = body.clone();
        retry["device"]["time"] = json!(app.now());
        let again = app.put(&world.sampler, &path, &retry).await.expect(200);
        assert_eq!(first.json(), again.json());
        assert_eq!(rows(app).await, after);
        assert_eq!(first.json()["state"], "sealed");
        let members = first.json()["members"].as_array().unwrap().clone();
        let codes: BTreeSet<_> =
            members.iter().map(|member| member["pickup_code"].as_str().unwrap()).collect();
        assert_eq!((members.len(), codes.len()), (10, 10));
        let token = members[9]["link"].as_str().unwrap();
        let key = app.app.keys.person_key("resident_id", &person(9).number);
        assert_eq!(app.app.keys.open_link(token, app.now()), Ok(key));
    }

    async fn other_content_is_refused_with_each_difference_and_changes_nothing(app) {
        let world = world(app).await;
        seal_tube(app, &world, 1, &people(0, 10)).await.expect(201);
        let before = rows(app).await;
        let mut other = tube_body(app, 1, &people(0, 9));
        other["members"][0]["name"] = json!("Somebody Else");
        other["members"][1]["document"]["number"] = json!(person(77).number);
        other["members"][2]["taken_at"] = json!(app.now() - Span::minutes(20));
        other["sealed_at"] = json!(app.now() - Span::minutes(2));
        other["device"]["sequence"] = json!(9);
        let path = format!("/v1/tubes/{}", tube(1));
        let differs = app.put(&world.sampler, &path, &other).await.expect(409);
        let expected = ["members", "members[0].identity", "members[1].document",
            "members[2].taken_at", "sealed_at", "device.sequence"];
        assert_eq!(abouts(&differs.json()), expected.map(str::to_owned).into());
        assert_eq!(rows(app).await, before);
        for hidden in ["Somebody", &person(77).number, &person(0).name] {
            assert!(!differs.text().contains(hidden));
        }
        seal_tube(app, &world, 1, &people(0, 10)).await.expect(200);
    }

    async fn an_event_belongs_to_one_tube(app) {
        let world = world(app).await;
        seal_tube(app, &world, 1, &[person(1)]).await.expect(201);
        let body = tube_body(app, 1, &[person(1)]);
        let path = format!("/v1/tubes/{}", tube(2));
        let reused = app.put(&world.sampler, &path, &body).await.expect(409);
        assert_eq!(reused.code(), "tube.event_reused");
        assert!(reused.text().contains(&tube(1)));
        let mut named = tube_body(app, 3, &[person(1)]);
        named["code"] = json!(tube(4));
        app.put(&world.sampler, &format!("/v1/tubes/{}", tube(3)), &named).await.expect(422);
    }

    async fn a_sampler_seals_only_at_the_own_site_and_in_a_session_that_exists(app) {
        let world = world(app).await;
        let stranger = app.client_at(Role::Sampler, Some("S02".into()), None).await;
        let body = tube_body(app, 1, &[person(1)]);
        let path = format!("/v1/tubes/{}", tube(1));
        assert_eq!(app.put(&stranger, &path, &body).await.expect(403).code(), "auth.site");
        let mut lost = body.clone();
        lost["session"] = json!("W99");
        assert_eq!(app.put(&world.sampler, &path, &lost).await.expect(422).code(), "tube.session");
        app.put(&world.sampler, &path, &body).await.expect(201);
    }

    async fn nobody_but_a_sampler_seals_tubes(app) {
        let world = world(app).await;
        let body = tube_body(app, 1, &[person(1)]);
        let path = format!("/v1/tubes/{}", tube(1));
        for other in [
            &world.administrator, &world.officer, &world.courier, &world.receiver,
            &world.technician, &world.reviewer, &world.second_reviewer, &world.service,
            &world.auditor,
        ] {
            assert_eq!(app.put(other, &path, &body).await.expect(403).code(), "auth.role");
        }
        app.put(&world.sampler, &path, &body).await.expect(201);
    }

    async fn a_device_with_a_wrong_clock_is_flagged_now_and_on_every_retry(app) {
        let world = world(app).await;
        let mut body = tube_body(app, 1, &[person(1)]);
        let ahead = Span::hours(30);
        body["device"]["time"] = json!(app.now() + ahead);
        body["sealed_at"] = json!(app.now() + ahead);
        body["members"][0]["taken_at"] = json!(app.now() + ahead - Span::minutes(1));
        let path = format!("/v1/tubes/{}", tube(1));
        let first = app.put(&world.sampler, &path, &body).await.expect(201);
        assert_eq!(first.json()["flags"], json!(["clock_skew"]));
        assert_eq!(app.put(&world.sampler, &path, &body).await.expect(200).json(), first.json());
    }

    async fn a_batch_of_mixed_fates_spares_every_neighbour(app) {
        let world = world(app).await;
        seal_tube(app, &world, 1, &people(0, 10)).await.expect(201);
        seal_tube(app, &world, 2, &people(10, 10)).await.expect(201);
        let mut short = item(app, 4, &people(20, 3));
        short["swab_count"] = json!(4);
        let mut reused = item(app, 6, &[person(60)]);
        reused["event_id"] = item(app, 5, &[person(50)])["event_id"].clone();
        let mut card = item(app, 7, &[person(70)]);
        card["members"][0]["document"]["type"] = json!(person(70).number);
        let mut nameless = item(app, 8, &[person(80)]);
        nameless["code"] = json!(person(80).number);
        let items = batch(app, &world, &[
            item(app, 1, &people(0, 10)),
            item(app, 2, &people(30, 10)),
            item(app, 3, &people(40, 10)),
            short,
            item(app, 5, &[person(50)]),
            item(app, 5, &[person(50)]),
            item(app, 5, &[person(51)]),
            reused,
            card,
            nameless,
            json!("nonsense"),
            item(app, 9, &[person(90)]),
        ]).await;
        assert_eq!(fates(&items), ["duplicate", "conflict", "accepted", "rejected", "accepted",
            "duplicate", "conflict", "conflict", "rejected", "rejected", "rejected", "accepted"]);
        assert!(items.iter().enumerate().all(|(i, item)| item["index"] == i));
        assert_eq!(items[1]["problem"]["code"], "tube.differs");
        assert_eq!((&items[3]["code"], &items[3]["problem"]["code"]),
            (&json!(tube(4)), &json!("tube.swab_count")));
        assert_eq!(abouts(&items[6]["problem"]), ["members[0].document".to_owned()].into());
        assert_eq!(items[7]["problem"]["code"], "tube.event_reused");
        assert_eq!(items[9]["code"], Value::Null);
        assert_eq!(items[4]["tube"], items[5]["tube"]);
        assert_eq!(rows(app).await[0], 5);
        let shown = Value::Array(items).to_string();
        for n in [70, 80] {
            assert!(!shown.contains(&person(n).number));
        }
    }

    async fn a_batch_is_in_the_trail_of_each_tube_it_sealed_and_of_no_other(app) {
        let world = world(app).await;
        seal_tube(app, &world, 1, &[person(1)]).await.expect(201);
        app.pass(Span::minutes(1));
        let mut short = item(app, 4, &people(20, 3));
        short["swab_count"] = json!(4);
        batch(app, &world, &[
            item(app, 1, &[person(1)]), item(app, 2, &[person(2)]), item(app, 3, &[person(3)]), short,
        ]).await;
        batch(app, &world, &[item(app, 5, &[person(5)])]).await;
        let (alone, together) = (json!("tube.seal"), json!("tube.seal_batch"));
        assert_eq!(actions(app, &world, 1).await, [alone], "the batch found it sealed already");
        for n in [2, 3, 5] {
            assert_eq!(actions(app, &world, n).await, std::slice::from_ref(&together), "tube {n}");
        }
        assert_eq!(actions(app, &world, 4).await, Vec::<Value>::new(), "it was refused");
        assert_eq!(actions(app, &world, 6).await, Vec::<Value>::new());
        let (rows, next) = trail(app, &world, &tube(2)).await;
        assert_eq!(rows[0]["about"], "batch");
        assert_eq!(rows[0]["detail"]["codes"], json!([tube(2), tube(3)]));
        let after = next.as_str().unwrap();
        let behind = format!("{}&after={after}", tube(2));
        assert_eq!(trail(app, &world, &behind).await.0, Vec::<Value>::new());
        let (batches, _) = trail(app, &world, "batch").await;
        assert_eq!(batches, rows, "one row for both tubes");
    }

    async fn an_empty_and_an_oversized_batch_are_refused_whole(app) {
        let world = world(app).await;
        for tubes in [json!([]), Value::Array(vec![json!({}); 1001])] {
            let body = json!({ "tubes": tubes });
            let refused = app.post(&world.sampler, "/v1/tubes/batch", &body).await.expect(422);
            assert_eq!(refused.code(), "batch.count");
        }
    }

    async fn two_who_seal_one_tube_with_different_people_cannot_both_win(app) {
        let world = world(app).await;
        for n in 0..10 {
            let path = format!("/v1/tubes/{}", tube(n));
            let put = |person: Person| {
                let body = tube_body(app, n, &[person]);
                let request = Request::builder().method(Method::PUT).uri(&path)
                    .header("authorization", format!("Bearer {}", world.sampler.token))
                    .header("content-type", "application/json")
                    .body(Body::from(body.to_string())).unwrap();
                let router = swabline::http::router(app.app.clone());
                tokio::spawn(tower::ServiceExt::oneshot(router, request))
            };
            let (one, other) = (put(person(2 * n)), put(person(2 * n + 1)));
            let mut fates =
                [one.await, other.await].map(|answer| answer.unwrap().unwrap().status().as_u16());
            fates.sort_unstable();
            assert_eq!(fates, [201, 409], "tube {n}");
        }
        let counts = rows(app).await;
        assert_eq!(counts[..4], [10, 10, 10, 10]);
    }

    async fn batches_that_cross_each_other_store_each_tube_once(app) {
        let world = world(app).await;
        for start in [0, 40, 80] {
            let tubes: Vec<_> = (start..start + 40)
                .map(|n| item(app, n, &[person(n % 7), person(n % 5 + 10), person(n % 3 + 20)]))
                .collect();
            let backwards: Vec<_> = tubes.iter().rev().cloned().collect();
            let send = |tubes: Vec<Value>| {
                let request = Request::post("/v1/tubes/batch")
                    .header("authorization", format!("Bearer {}", world.sampler.token))
                    .header("content-type", "application/json")
                    .body(Body::from(json!({ "tubes": tubes }).to_string())).unwrap();
                let router = swabline::http::router(app.app.clone());
                tokio::spawn(tower::ServiceExt::oneshot(router, request))
            };
            let (one, other) = (send(tubes), send(backwards));
            let mut accepted = 0;
            for answer in [one.await, other.await] {
                let answer = answer.unwrap().unwrap();
                assert_eq!(answer.status(), 200);
                let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
                let answer: Value = serde_json::from_slice(&bytes).unwrap();
                let items = answer["tubes"].as_array().unwrap();
                let fates = fates(items);
                assert!(fates.iter().all(|fate| ["accepted", "duplicate"].contains(fate)));
                accepted += fates.iter().filter(|fate| **fate == "accepted").count();
            }
            assert_eq!(accepted, 40);
        }
        assert_eq!(rows(app).await[..4], [120, 360, 15, 120]);
    }

    async fn the_database_refuses_what_the_rules_refuse(app) {
        let world = world(app).await;
        seal_tube(app, &world, 1, &people(0, 10)).await.expect(201);
        batch(app, &world, &[item(app, 2, &[person(2)]), item(app, 3, &[person(3)])]).await;
        for sql in [
            "update tube set swab_count = 9",
            "update tube set state = 'released'",
            "update member set position = 2 where position = 1",
            "delete from member",
            "delete from tube",
            "update audit_subject set seq = 0",
            "delete from audit_subject",
            "update person set identity_tag = 'x'",
            "delete from person",
        ] {
            let mut tx = app.app.db.write("test.direct").await.unwrap();
            let done = on!(tx, c => sqlx::query(sql).execute(c).await.map(drop));
            assert!(done.is_err(), "{sql}");
        }
    }

    async fn as_many_answers_come_back_as_tubes_were_sent(app) {
        let world = world(app).await;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let fates = proptest::collection::vec((0..8_u64, 0..4_u64, 0..4_u8), 1..30);
        let mut stored = 0;
        for _ in 0..12 {
            let wanted = fates.new_tree(&mut runner).unwrap().current();
            let items: Vec<_> = wanted.iter().map(|&(n, who, fault)| {
                let mut item = item(app, n, &[person(who)]);
                match fault {
                    0 => item["swab_count"] = json!(2),
                    1 => item["event_id"] = tube_body(app, who, &[person(who)])["event_id"].clone(),
                    _ => {}
                }
                item
            }).collect();
            let answers = batch(app, &world, &items).await;
            assert_eq!(answers.len(), items.len());
            for (index, (answer, item)) in answers.iter().zip(&items).enumerate() {
                assert_eq!(answer["index"], index);
                assert_eq!(answer["code"], item["code"]);
                let taken = answer["outcome"] == "accepted" || answer["outcome"] == "duplicate";
                assert_eq!(answer.get("tube").is_some(), taken);
                assert_eq!(answer.get("problem").is_some(), !taken);
                let faulty = item["swab_count"] == 2;
                assert_eq!(answer["outcome"] == "rejected", faulty);
            }
            stored += answers.iter().filter(|answer| answer["outcome"] == "accepted").count();
            // Sent again, nothing is accepted a second time.
            let again = batch(app, &world, &items).await;
            assert!(again.iter().all(|answer| answer["outcome"] != "accepted"));
            assert_eq!(rows(app).await[0], i64::try_from(stored).unwrap());
        }
    }
}
