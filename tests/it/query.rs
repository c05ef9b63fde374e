//! Residents and services asking, guessers guessing, and the way of a tube.

use axum::http::Method;
use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::clock::Span;

use crate::app::{Answer, TestApp};
use crate::each_engine;
use crate::way;

async fn ask(app: &TestApp, body: &Value) -> Answer {
    app.call(Method::POST, "/v1/status", None, Some(body)).await
}

fn proof(person: u32, code: &str) -> Value {
    let document = json!({ "type": "passport", "issuer": "GBR", "number": way::number_of(person) });
    json!({ "document": document, "pickup_code": code })
}

/// What a resident reads with the code on the slip of their place in `tube`.
async fn read(app: &TestApp, person: u32, (tube, position): (&str, u8)) -> Value {
    let code = app.app.keys.pickup_code("W01", tube, position);
    ask(app, &proof(person, code.as_str())).await.expect(200).json()
}

each_engine! {
    async fn a_resident_follows_their_swab_to_its_result(app) {
        way::places(app).await;
        way::seal(app, "T1", [1, 2]).await;
        let sealed = app.now();
        let shown = read(app, 2, ("T1", 2)).await;
        assert_eq!(shown["state"], "sampled");
        assert_eq!(shown["sampled_at"], sealed.to_string());
        app.pass(Span::hours(1));
        way::pack(app, "T1").await;
        assert_eq!(read(app, 2, ("T1", 2)).await["state"], "sampled");
        way::arrive(app, "T1", "accepted").await;
        let arrived = app.now();
        app.pass(Span::hours(1));
        way::plate(app, "T1", "P1").await;
        let shown = read(app, 2, ("T1", 2)).await;
        assert_eq!(shown["state"], "received");
        assert_eq!(shown["received_at"], arrived.to_string());
        assert_eq!((&shown["outcome"], &shown["resulted_at"]), (&Value::Null, &Value::Null));
        way::release(app, "T1", "P1", ("not_detected", "report")).await;
        let shown = read(app, 2, ("T1", 2)).await;
        assert_eq!((&shown["state"], &shown["outcome"]), (&json!("released"), &json!("not_detected")));
        assert_eq!(shown["resulted_at"], app.now().to_string());
    }

    async fn a_newer_swab_keeps_the_last_result_beside_it_and_a_recall_hides_it(app) {
        way::places(app).await;
        way::negative(app, "T1", [1]).await;
        app.pass(Span::days(1));
        way::seal(app, "T2", [1, 2]).await;
        let shown = read(app, 1, ("T2", 1)).await;
        assert_eq!((&shown["state"], &shown["outcome"]), (&json!("sampled"), &Value::Null));
        assert_eq!(shown["last_result"]["outcome"], "not_detected");
        // The slip of the day before opens the same status.
        assert_eq!(read(app, 1, ("T1", 1)).await, shown);
        way::pack(app, "T2").await;
        way::arrive(app, "T2", "accepted").await;
        way::plate(app, "T2", "P2").await;
        way::release(app, "T2", "P2", ("detected", "recall")).await;
        let due = way::due(app.now()).to_string();
        let shown = read(app, 1, ("T2", 1)).await;
        assert_eq!(shown["state"], "under_verification");
        assert_eq!((&shown["outcome"], &shown["last_result"]), (&Value::Null, &Value::Null));
        assert_eq!(shown["recall"]["due_at"], due);
        app.pass(Span::hours(2));
        way::seal(app, "T3", [1]).await;
        way::recalls_go(app, "T3", "collected").await;
        let shown = read(app, 1, ("T3", 1)).await;
        assert_eq!((&shown["state"], &shown["last_result"]), (&json!("under_verification"), &Value::Null));
        way::pack(app, "T3").await;
        way::arrive(app, "T3", "accepted").await;
        way::plate(app, "T3", "P3").await;
        way::release(app, "T3", "P3", ("detected", "report")).await;
        way::recalls_go(app, "T3", "closed").await;
        let shown = read(app, 1, ("T3", 1)).await;
        assert_eq!((&shown["state"], &shown["outcome"]), (&json!("released"), &json!("detected")));
        // The other member of the pool still waits.
        assert_eq!(read(app, 2, ("T2", 2)).await["state"], "under_verification");
    }

    async fn a_refused_tube_shows_its_members_a_recall(app) {
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        way::pack(app, "T1").await;
        way::arrive(app, "T1", "refused").await;
        let shown = read(app, 1, ("T1", 1)).await;
        assert_eq!(shown["state"], "under_verification");
        assert_eq!(shown["recall"]["due_at"], way::due(app.now()).to_string());
    }

    async fn unknown_wrong_and_expired_are_answered_alike(app) {
        way::places(app).await;
        way::negative(app, "T1", [1, 2]).await;
        let keys = &app.app.keys;
        let (link, stranger) = (
            |person| json!({ "link": keys.link(&way::person(app, person), app.now() + Span::days(1)) }),
            way::person(app, 9),
        );
        let (good, for_stranger) = (link(1), link(9));
        let expired = json!({ "link": keys.link(&stranger, app.now()) });
        let mut altered = good.clone();
        altered["link"] = json!(format!("{}A", good["link"].as_str().unwrap()));
        let shown = ask(app, &good).await.expect(200).json();
        assert_eq!(shown["outcome"], "not_detected");
        let code = keys.pickup_code("W01", "T1", 1);
        let of_nobody = keys.pickup_code("", "", 0);
        let mut answers = Vec::new();
        for body in [
            proof(1, "00000-00000"), proof(2, code.as_str()), proof(9, code.as_str()),
            proof(9, of_nobody.as_str()), proof(1, of_nobody.as_str()), expired, altered,
            for_stranger, json!({ "link": "x" }),
        ] {
            let answer = ask(app, &body).await.expect(404);
            assert_eq!(answer.code(), "status.no_match");
            assert_eq!(answer.headers["content-type"], "application/problem+json");
            answers.push(answer.bytes);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "one body for all");
    }

    async fn two_hundred_guesses_disclose_nothing_and_end_in_a_block(app) {
        way::places(app).await;
        way::negative(app, "T1", [1]).await;
        // The same for somebody who was swabbed and for somebody nobody knows.
        let mut shapes = Vec::new();
        for person in [1, 9] {
            let mut shape = Vec::new();
            for guess in 0..100 {
                let answer = ask(app, &proof(person, &format!("{guess:010}"))).await;
                assert_ne!(answer.status, 200);
                shape.push((answer.status, answer.bytes));
            }
            assert_eq!(shape.iter().filter(|(status, _)| *status == 404).count(), 10);
            assert_eq!(shape.iter().filter(|(status, _)| *status == 429).count(), 90);
            shapes.push(shape);
        }
        assert_eq!(shapes[0], shapes[1]);
        let code = app.app.keys.pickup_code("W01", "T1", 1);
        let blocked = ask(app, &proof(1, code.as_str())).await.expect(429);
        assert_eq!(blocked.headers["retry-after"], "900");
        let blocks = "select count(*) from audit where action = 'status.block'";
        assert_eq!(way::number(app, blocks).await, 2);
        // A link is no guess and is not blocked.
        let link = app.app.keys.link(&way::person(app, 1), app.now() + Span::days(1));
        ask(app, &json!({ "link": link })).await.expect(200);
        app.pass(Span::minutes(15));
        ask(app, &proof(1, code.as_str())).await.expect(200);
        ask(app, &proof(1, "0000000000")).await.expect(404);
        ask(app, &proof(1, code.as_str())).await.expect(200);
        // What counts no more is forgotten with a later guess, at most once a minute.
        app.pass(Span::minutes(16));
        let mut kept = Vec::new();
        for guesser in [5, 6] {
            ask(app, &proof(guesser, "0000000000")).await.expect(404);
            kept.push(way::number(app, "select count(*) from guess").await);
        }
        assert_eq!(kept, [1, 2]);
    }

    async fn reading_writes_nothing_and_a_few_slips_of_the_hand_block_nobody(app) {
        way::places(app).await;
        way::negative(app, "T1", [1]).await;
        read(app, 1, ("T1", 1)).await;
        for table in ["select count(*) from guess", "select count(*) from audit"] {
            assert_eq!(way::number(app, table).await, 0);
        }
        for _ in 0..3 {
            for _ in 0..9 {
                ask(app, &proof(1, "12345-67890")).await.expect(404);
            }
            read(app, 1, ("T1", 1)).await;
            app.pass(Span::minutes(15));
        }
    }

    async fn what_cannot_be_a_proof_is_named(app) {
        let long = "7".repeat(300);
        let body =
            json!({ "document": { "type": "resident_id", "number": long }, "pickup_code": "" });
        let problem = ask(app, &body).await.expect(422).json();
        let about: Vec<_> = problem["errors"].as_array().unwrap().iter()
            .map(|reason| reason["about"].as_str().unwrap()).collect();
        assert_eq!(about, ["document.number", "pickup_code"]);
        assert!(!problem.to_string().contains("777"));
        ask(app, &json!({ "name": "somebody" })).await.expect(422);
        for half in [json!({}), json!({ "pickup_code": "12345-67890" })] {
            assert_eq!(ask(app, &half).await.expect(422).code(), "status.proof");
        }
    }

    async fn a_service_gets_as_many_answers_as_people_in_their_order(app) {
        way::places(app).await;
        way::negative(app, "T1", [1, 2]).await;
        way::seal(app, "T2", [3]).await;
        let service = app.client(Role::Service).await;
        let people: Vec<_> = [3, 9, 1, 3, 2].into_iter()
            .map(|person| json!({ "type": "passport", "issuer": "GBR", "number": way::number_of(person) })).collect();
        let body = json!({ "people": people });
        let answers = app.post(&service, "/v1/status/batch", &body).await.expect(200).json();
        let answers = answers["people"].as_array().unwrap();
        let states: Vec<_> =
            answers.iter().map(|answer| answer["status"]["state"].as_str()).collect();
        assert_eq!(states,
            [Some("sampled"), None, Some("released"), Some("sampled"), Some("released")]);
        assert!(answers[1]["status"].is_null());
        assert_eq!(answers[2]["person"], way::person(app, 1).as_str());
        let reads = "select count(*) from audit where action = 'status.batch'";
        assert_eq!(way::number(app, reads).await, 1);
        let auditor = app.client(Role::Auditor).await;
        let trail = app.get(&auditor, "/v1/audit?about=status").await.expect(200);
        assert_eq!(trail.json()["rows"][0]["detail"], json!({ "people": 5, "known": 3 }));
        assert!(!trail.text().contains("CANARY"));
    }

    async fn a_batch_has_one_to_a_thousand_people(app) {
        let service = app.client(Role::Service).await;
        let one = json!({ "type": "passport", "issuer": "GBR", "number": "X1" });
        for (count, status) in [(0, 422), (1, 200), (1_000, 200), (1_001, 422)] {
            let body = json!({ "people": vec![one.clone(); count] });
            let answer = app.post(&service, "/v1/status/batch", &body).await.expect(status);
            if status == 200 {
                assert_eq!(answer.json()["people"].as_array().unwrap().len(), count);
            }
        }
    }

    async fn a_tube_shows_its_whole_way_and_no_person(app) {
        way::places(app).await;
        way::seal(app, "T1", [1, 2]).await;
        way::pack(app, "T1").await;
        way::arrive(app, "T1", "accepted").await;
        way::plate(app, "T1", "P1").await;
        way::release(app, "T1", "P1", ("inconclusive", "retest")).await;
        app.pass(Span::hours(1));
        way::plate(app, "T1", "P2").await;
        way::release(app, "T1", "P2", ("detected", "recall")).await;
        let officer = app.client(Role::Officer).await;
        let answer = app.get(&officer, "/v1/tubes/t1").await.expect(200);
        assert!(!answer.text().contains(way::person(app, 1).as_str()));
        let shown = answer.json();
        assert_eq!((&shown["state"], &shown["members"]), (&json!("closed"), &json!(2)));
        assert_eq!(shown["transport"]["code"], "BT1");
        assert_eq!(shown["arrivals"][0]["finding"], "accepted");
        assert_eq!(shown["wells"].as_array().unwrap().len(), 2);
        assert_eq!(shown["calls"][0]["disposition"], "retest");
        assert_eq!(shown["calls"][1]["disposition"], "recall");
        assert_eq!(shown["recalls"], json!({ "open": 2, "collected": 0, "closed": 0 }));
        assert_eq!(shown["results"], json!([]));
    }

    async fn everybody_sees_only_the_tubes_they_work_with(app) {
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        way::negative(app, "T2", [2]).await;
        let at = |role, site: &str, laboratory: &str| {
            let some = |place: &str| (!place.is_empty()).then(|| place.to_owned());
            app.client_at(role, some(site), some(laboratory))
        };
        let own = [at(Role::Sampler, "S01", "").await, at(Role::Reviewer, "", "L01").await,
            at(Role::Officer, "", "").await, at(Role::Auditor, "", "").await];
        for client in &own {
            app.get(client, "/v1/tubes/T1").await.expect(200);
            let shown = app.get(client, "/v1/tubes/T2").await.expect(200).json();
            assert_eq!(shown["results"][0]["outcome"], "not_detected");
        }
        let elsewhere = at(Role::Sampler, "S02", "").await;
        assert_eq!(app.get(&elsewhere, "/v1/tubes/T1").await.expect(403).code(), "auth.site");
        let other = at(Role::Technician, "", "L02").await;
        assert_eq!(app.get(&other, "/v1/tubes/T2").await.expect(403).code(), "auth.laboratory");
        app.get(&other, "/v1/tubes/T1").await.expect(200);
        for code in ["T9", "%00", "T1%00"] {
            let answer = app.get(&own[2], &format!("/v1/tubes/{code}")).await.expect(404);
            assert_eq!(answer.code(), "tube.not_found");
        }
    }

    async fn an_auditor_reads_the_trail_of_one_thing_page_by_page(app) {
        let auditor = app.client(Role::Auditor).await;
        for row in 0..7 {
            for about in ["X", "Y"] {
                let mut tx = app.app.db.write("test.audit").await.unwrap();
                let (actor, detail) = (&auditor.actor, json!({ "row": row }));
                let entry = swabline::audit::Entry {
                    at: app.now(), actor, action: "test.write", about, detail };
                swabline::audit::record(&mut tx, entry).await.unwrap();
                tx.commit().await.unwrap();
            }
            app.pass(Span::seconds(row % 2));
        }
        let (mut path, mut seen) = ("/v1/audit?about=X&limit=3".to_owned(), Vec::new());
        loop {
            let page = app.get(&auditor, &path).await.expect(200).json();
            let rows = page["rows"].as_array().unwrap().clone();
            assert!(rows.len() <= 3 && rows.iter().all(|row| row["about"] == "X"));
            seen.extend(rows.iter().map(|row| row["detail"]["row"].as_i64().unwrap()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/audit?about=X&limit=3&after={next}");
        }
        assert_eq!(seen.len(), 7);
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 7);
        app.get(&auditor, "/v1/audit?about=%00").await.expect(422);
        app.get(&auditor, "/v1/audit?about=X&after=forged").await.expect(400);
        app.get(&auditor, "/v1/audit").await.expect(400);
    }
}
