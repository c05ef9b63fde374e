//! Boxes at the laboratory's door: what was sealed in against what is on the bench.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::collection::TubeState;

use crate::app::TestApp;
use crate::each_engine;
use crate::shipment::{
    arrive, crate_code, delivery, is_refused, listed, number, pack, people, pool, reasons, scanned,
    seal, single, tube,
};
use crate::world::{people as invented, tube_body, world};

/// What becomes of a sound tube, two refused ones, an absent one and a stray.
const RECEIVED_REFUSED_MISSING: [TubeState; 5] = [
    TubeState::Received,
    TubeState::Refused,
    TubeState::Refused,
    TubeState::Missing,
    TubeState::Received,
];

async fn states(app: &TestApp, tubes: &[u64]) -> Vec<TubeState> {
    let mut tx = app.app.db.read("test.states").await.unwrap();
    let codes: Vec<_> = tubes.iter().map(|number| tube(*number)).collect();
    let rows = swabline::collection::tubes_find(&mut tx, &codes).await.unwrap();
    rows.into_iter().map(|row| row.state).collect()
}

fn codes(list: &Value) -> Vec<String> {
    listed(list).into_iter().map(|(code, _)| code).collect()
}

each_engine! {
    async fn a_box_that_is_as_it_should_be_is_accepted_whole(app) {
        let (sampler, receiver) = people(app).await;
        seal(app, &[pool(1), pool(2)]).await;
        pack(app, &sampler, 1, &[1, 2]).await.expect(201);
        let to = json!({ "to": receiver.actor.account, "at": app.now(), "place": "gate" });
        let path = format!("/v1/boxes/{}/handovers", crate_code(1));
        app.post(&sampler, &path, &to).await.expect(201);
        let at = json!({ "at": app.now() });
        app.post(&receiver, &format!("{path}/1/accept"), &at).await.expect(200);
        let there = arrive(app, &receiver, 1, &scanned(&[2, 1])).await.expect(201).json();
        assert_eq!(there["accepted"], json!([tube(1), tube(2)]));
        for nothing in ["refused", "missing", "unexpected", "warnings"] {
            assert_eq!(there[nothing], json!([]), "{nothing}");
        }
        assert_eq!(states(app, &[1, 2]).await, [TubeState::Received; 2]);
        let kept = number(app, "select count(*) from tube where laboratory_code = 'L01'").await;
        let told = number(app, "select count(*) from feed where change = 'received'").await;
        assert_eq!((kept, told), (2, 2));
        let id = there["id"].as_str().unwrap();
        let shown = app.get(&receiver, &format!("/v1/arrivals/{id}")).await.expect(200).json();
        assert_eq!(shown, there);
        app.post(&sampler, &path, &to).await.expect(409);
    }

    async fn a_tube_goes_from_the_street_to_the_laboratory_and_its_people_are_called(app) {
        let world = world(app).await;
        for n in 1..=2 {
            let body = tube_body(app, n, &invented(n * 10, 10));
            app.put(&world.sampler, &format!("/v1/tubes/{}", tube(n)), &body).await.expect(201);
        }
        pack(app, &world.sampler, 1, &[1, 2]).await.expect(201);
        let bench = [json!({ "tube": tube(1), "swab_count": 10 }),
            json!({ "tube": tube(2), "swab_count": 9 })];
        let there = arrive(app, &world.receiver, 1, &bench).await.expect(201).json();
        assert_eq!(there["accepted"], json!([tube(1)]));
        assert_eq!(there["refused"], json!([{ "tube": tube(2), "reason": "swab_count" }]));
        let page = app.get(&world.officer, "/v1/recalls").await.expect(200).json();
        let called: BTreeSet<_> = page["recalls"].as_array().unwrap().iter()
            .map(|recall| recall["follow_up"]["identity"]["phone"].to_string()).collect();
        let asked: BTreeSet<_> =
            invented(20, 10).into_iter().map(|person| json!(person.phone).to_string()).collect();
        assert_eq!(called, asked);
        app.pass(Span::minutes(10));
        let back = tube_body(app, 3, &invented(20, 1));
        app.put(&world.sampler, &format!("/v1/tubes/{}", tube(3)), &back).await.expect(201);
        pack(app, &world.sampler, 2, &[3]).await.expect(201);
        arrive(app, &world.receiver, 2, &scanned(&[3])).await.expect(201);
        let answered = app.get(&world.officer, "/v1/recalls?state=collected").await.expect(200);
        let answered = answered.json();
        assert_eq!(answered["recalls"][0]["answer_tube"], json!(tube(3)));
        assert_eq!((&answered["open"], &answered["collected"]), (&json!(9), &json!(1)));
        pack(app, &world.sampler, 60, &[1]).await.expect(422);
    }

    async fn refused_missing_and_unexpected_tubes_are_told_apart(app) {
        let (sampler, receiver) = people(app).await;
        seal(app, &[pool(1), pool(2), pool(3), pool(4), pool(5)]).await;
        pack(app, &sampler, 1, &[1, 2, 3, 4]).await.expect(201);
        let bench = [
            json!({ "tube": tube(1), "swab_count": 3 }),
            json!({ "tube": tube(2), "swab_count": 2 }),
            json!({ "tube": tube(3), "refused": "leak" }),
            json!({ "tube": tube(5) }),
            json!({ "tube": tube(77) }),
        ];
        let there = arrive(app, &receiver, 1, &bench).await.expect(201).json();
        assert_eq!(there["accepted"], json!([tube(1)]));
        assert_eq!(there["refused"], json!([{ "tube": tube(2), "reason": "swab_count" },
            { "tube": tube(3), "reason": "leak" }]));
        assert_eq!(there["missing"], json!([tube(4)]));
        assert_eq!(there["unexpected"], json!([tube(5), tube(77)]));
        assert_eq!(codes(&there["warnings"]),
            ["box.custody_gap", "tube.unexpected", "tube.unexpected", "tube.unknown"]);
        assert_eq!(states(app, &[1, 2, 3, 4, 5]).await,
            RECEIVED_REFUSED_MISSING);
        let recalls = "select count(*) from recall where reason = 'refused' and state = 'open'";
        assert_eq!(number(app, recalls).await, 6, "three people in each of two refused tubes");
        assert_eq!(number(app, "select count(distinct person_key) from recall").await, 6);
        assert_eq!(number(app, "select count(*) from feed where change = 'refused'").await, 2);
    }

    async fn a_missing_tube_turns_up(app) {
        let (sampler, receiver) = people(app).await;
        seal(app, &[pool(1), pool(2)]).await;
        pack(app, &sampler, 1, &[1, 2]).await.expect(201);
        let first = arrive(app, &receiver, 1, &scanned(&[1])).await.expect(201).json();
        assert_eq!(first["missing"], json!([tube(2)]));
        app.pass(Span::hours(1));
        let second = arrive(app, &receiver, 1, &scanned(&[1, 2])).await.expect(201).json();
        assert_eq!(second["accepted"], json!([tube(2)]));
        assert_eq!(second["missing"], json!([]));
        assert_eq!(listed(&second["warnings"]), [("tube.already_received".to_owned(), tube(1))]);
        assert_eq!(states(app, &[1, 2]).await, [TubeState::Received; 2]);
        let told = "select count(*) from feed where change = 'received'";
        assert_eq!(number(app, told).await, 2, "nothing is doubled");
    }

    async fn a_missing_tube_is_given_up_and_its_members_recalled(app) {
        let (sampler, receiver) = people(app).await;
        let officer = app.client(Role::Officer).await;
        seal(app, &[pool(1), pool(2)]).await;
        pack(app, &sampler, 1, &[1, 2]).await.expect(201);
        let path = format!("/v1/tubes/{}/write-off", tube(2));
        let body = json!({ "reason": "not_found" });
        arrive(app, &receiver, 1, &scanned(&[1])).await.expect(201);
        let here = format!("/v1/tubes/{}/write-off", tube(1));
        assert_eq!(app.post(&officer, &here, &body).await.expect(409).code(), "tube.not_lost");
        let gone = app.post(&officer, &path, &body).await.expect(200).json();
        assert_eq!(gone, json!({ "tube": tube(2), "state": "closed", "recalls": 3 }));
        app.post(&officer, &path, &body).await.expect(409);
        let lost = format!("/v1/tubes/{}/write-off", tube(9));
        app.post(&officer, &lost, &body).await.expect(404);
        app.post(&officer, &path, &json!({ "reason": "Zhang lost it" })).await.expect(422);
        let late = arrive(app, &receiver, 1, &scanned(&[2])).await.expect(201).json();
        assert_eq!(codes(&late["warnings"]), ["tube.already_received"]);
        assert_eq!(states(app, &[2]).await, [TubeState::Closed]);
    }

    async fn a_tube_lost_before_any_laboratory_could_miss_it_is_given_up(app) {
        let (sampler, receiver) = people(app).await;
        let officer = app.client(Role::Officer).await;
        let elsewhere = app.client_at(Role::Officer, Some("S02".to_owned()), None).await;
        seal(app, &[pool(1), pool(2), pool(3)]).await;
        pack(app, &sampler, 1, &[2, 3]).await.expect(201);
        let body = json!({ "reason": "lost_in_transit" });
        for n in [1, 2] {
            let path = format!("/v1/tubes/{}/write-off", tube(n));
            app.post(&elsewhere, &path, &body).await.expect(403);
            let gone = app.post(&officer, &path, &body).await.expect(200).json();
            assert_eq!(gone, json!({ "tube": tube(n), "state": "closed", "recalls": 3 }));
        }
        let missing = "select count(*) from recall where reason = 'missing' and state = 'open'";
        assert_eq!(number(app, missing).await, 6);
        assert_eq!(states(app, &[1, 2, 3]).await,
            [TubeState::Closed, TubeState::Closed, TubeState::Packed]);
        let there = arrive(app, &receiver, 1, &scanned(&[3])).await.expect(201).json();
        assert_eq!((&there["accepted"], &there["missing"]), (&json!([tube(3)]), &json!([])));
        let ledger = app.get(&officer, "/v1/ledger").await.expect(200).json();
        assert_eq!(ledger["unexplained"], 0, "{ledger}");
        assert_eq!(ledger["whole"]["people"]["closed"], 6);
    }

    async fn a_tube_closed_behind_our_back_is_not_explained(app) {
        let (sampler, _) = people(app).await;
        let officer = app.client(Role::Officer).await;
        seal(app, &[pool(1), pool(2)]).await;
        pack(app, &sampler, 1, &[2]).await.expect(201);
        let mut tx = app.app.db.write("test.close").await.unwrap();
        let sql = "update tube set state = 'closed'";
        swabline::on!(tx, c => sqlx::query(sql).execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        let ledger = app.get(&officer, "/v1/ledger").await.expect(200).json();
        assert_eq!(ledger["unexplained"], 2, "{ledger}");
    }

    async fn a_single_tube_that_arrives_answers_a_recall_and_a_refused_one_does_not(app) {
        let (sampler, receiver) = people(app).await;
        seal(app, &[single(1, 7)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        let bad = [json!({ "tube": tube(1), "refused": "no_fluid" })];
        arrive(app, &receiver, 1, &bad).await.expect(201);
        app.pass(Span::hours(1));
        seal(app, &[single(2, 7)]).await;
        pack(app, &sampler, 2, &[2]).await.expect(201);
        arrive(app, &receiver, 2, &scanned(&[2])).await.expect(201);
        let collected = "select count(*) from recall where state = 'collected'";
        assert_eq!(number(app, collected).await, 1);
        let spoiled = [json!({ "tube": tube(2), "refused": "lab_incident" })];
        let again = arrive(app, &receiver, 2, &spoiled).await.expect(201).json();
        assert_eq!(again["refused"][0]["reason"], "lab_incident");
        assert_eq!(number(app, collected).await, 0);
        assert_eq!(number(app, "select count(*) from recall where state = 'open'").await, 2);
    }

    async fn a_scan_that_cannot_be_is_refused_with_every_reason(app) {
        let (_, receiver) = people(app).await;
        let bench = [json!({ "tube": tube(1) }), json!({ "tube": tube(1), "swab_count": 100 }),
            json!({ "tube": "X" })];
        let mut body = delivery(app, 1, &bench);
        body["arrived_at"] = json!(app.now() + Span::hours(1));
        body["box"] = json!(tube(1));
        let bad = app.post(&receiver, "/v1/arrivals", &body).await.expect(422);
        let bad: Vec<_> = reasons(&bad).into_iter().map(|(code, _)| code).collect();
        assert_eq!(bad,
            ["arrival.swab_count", "time.future", "box.code", "tube.twice", "tube.code"]);
        let unknown = arrive(app, &receiver, 5, &[]).await.expect(422);
        assert_eq!(unknown.code(), "box.unknown");
        let mut body = delivery(app, 1, &[]);
        body["laboratory"] = json!("L02");
        assert_eq!(app.post(&receiver, "/v1/arrivals", &body).await.expect(403).code(),
            "auth.laboratory");
        body["laboratory"] = json!("L09");
        let lost = app.client_at(Role::Receiver, None, Some("L09".to_owned())).await;
        assert_eq!(app.post(&lost, "/v1/arrivals", &body).await.expect(422).code(),
            "laboratory.unknown");
        app.get(&receiver, "/v1/arrivals/X").await.expect(404);
    }

    async fn another_laboratory_sees_and_takes_nothing_of_ours(app) {
        let (sampler, receiver) = people(app).await;
        let other = app.client_at(Role::Receiver, None, Some("L02".to_owned())).await;
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        let there = arrive(app, &receiver, 1, &scanned(&[1])).await.expect(201).json();
        let path = format!("/v1/arrivals/{}", there["id"].as_str().unwrap());
        app.get(&other, &path).await.expect(403);
        let mut body = delivery(app, 1, &[json!({ "tube": tube(1), "refused": "leak" })]);
        body["laboratory"] = json!("L02");
        let theirs = app.post(&other, "/v1/arrivals", &body).await.expect(409);
        assert_eq!(theirs.code(), "box.elsewhere");
        assert_eq!(states(app, &[1]).await, [TubeState::Received]);
        let shown = app.get(&receiver, &format!("/v1/boxes/{}", crate_code(1))).await.expect(200);
        assert_eq!(shown.json()["holder"], json!(receiver.actor.account));
        app.get(&other, &format!("/v1/boxes/{}", crate_code(1))).await.expect(403);
        arrive(app, &receiver, 1, &scanned(&[1])).await.expect(201);
    }

    async fn a_box_on_its_way_is_shown_to_every_laboratory(app) {
        let (sampler, _) = people(app).await;
        let other = app.client_at(Role::Receiver, None, Some("L02".to_owned())).await;
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        app.get(&other, &format!("/v1/boxes/{}", crate_code(1))).await.expect(200);
        let mut body = delivery(app, 1, &scanned(&[1]));
        body["laboratory"] = json!("L02");
        app.post(&other, "/v1/arrivals", &body).await.expect(201);
    }

    async fn a_broken_seal_warmth_and_age_are_warned_about(app) {
        let (sampler, receiver) = people(app).await;
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        app.pass(Span::hours(5));
        let mut body = delivery(app, 1, &scanned(&[1]));
        body["seal_intact"] = json!(false);
        body["temperature_c"] = json!(21.5);
        let there = app.post(&receiver, "/v1/arrivals", &body).await.expect(201).json();
        assert_eq!(codes(&there["warnings"]),
            ["box.custody_gap", "box.seal_broken", "box.warm", "box.late"]);
        assert_eq!(there["temperature_c"], json!(21.5));
    }

    async fn two_arrivals_at_once_receive_each_tube_once(app) {
        let (sampler, receiver) = people(app).await;
        let other = app.client(Role::Receiver).await;
        let tubes: Vec<_> = (1..=40).collect();
        seal(app, &tubes.iter().map(|number| pool(*number)).collect::<Vec<_>>()).await;
        pack(app, &sampler, 1, &tubes).await.expect(201);
        let scan = scanned(&tubes);
        let (one, two) =
            tokio::join!(arrive(app, &receiver, 1, &scan), arrive(app, &other, 1, &scan));
        let accepted: Vec<_> = [one, two].into_iter()
            .flat_map(|there| there.expect(201).json()["accepted"].as_array().unwrap().clone())
            .collect();
        assert_eq!(accepted.len(), 40);
        assert_eq!(accepted.iter().map(Value::to_string).collect::<BTreeSet<_>>().len(), 40);
        assert_eq!(number(app, "select count(*) from feed where change = 'received'").await, 40);
        let found = "select count(*) from arrival_tube where finding = 'accepted'";
        assert_eq!(number(app, found).await, 40);
    }

    async fn a_clock_that_goes_back_does_not_make_an_older_finding_the_last(app) {
        let (sampler, receiver) = people(app).await;
        let officer = app.client(Role::Officer).await;
        seal(app, &[pool(1), pool(2)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        pack(app, &sampler, 2, &[2]).await.expect(201);
        // Found missing by a server whose clock ran an hour ahead.
        let mut tx = app.app.db.write("test.ahead").await.unwrap();
        let sql = format!(
            "insert into arrival (id, box_code, laboratory_code, arrived_us, recorded_us,
                received_by, seal_intact, warnings)
            values ('A', '{}', 'L01', 0, {}, 'X', 1, '[]');
            insert into arrival_tube (arrival_id, tube_code, finding)
            values ('A', '{}', 'missing');
            update tube set state = 'missing' where code = '{}'",
            crate_code(1), (app.now() + Span::hours(1)).us(), tube(1), tube(1));
        crate::way::run(&mut tx, sql).await;
        tx.commit().await.unwrap();
        let ledger = async || app.get(&officer, "/v1/ledger").await.expect(200).json();
        assert_eq!(ledger().await["unexplained"], 0);
        arrive(app, &receiver, 2, &scanned(&[1, 2])).await.expect(201);
        assert_eq!(states(app, &[1, 2]).await, [TubeState::Received; 2]);
        let after = ledger().await;
        assert_eq!(after["unexplained"], 0, "{after}");
        arrive(app, &receiver, 1, &[json!({ "tube": tube(1), "refused": "leak" })])
            .await.expect(201);
        let after = ledger().await;
        assert_eq!((&after["unexplained"], &after["whole"]["tubes"]["refused"]),
            (&json!(0), &json!(1)));
    }

    async fn the_trail_of_a_tube_tells_of_its_box_and_its_arrival(app) {
        let (sampler, receiver) = people(app).await;
        let auditor = app.client(Role::Auditor).await;
        seal(app, &[pool(1), pool(2), pool(3)]).await;
        pack(app, &sampler, 1, &[1, 2]).await.expect(201);
        arrive(app, &receiver, 1, &scanned(&[1])).await.expect(201);
        let trail = async |about: String| {
            let path = format!("/v1/audit?about={about}");
            let page = app.get(&auditor, &path).await.expect(200).json();
            let rows = page["rows"].as_array().unwrap().iter();
            rows.map(|row| row["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        for n in [1, 2] {
            assert_eq!(trail(tube(n)).await, ["box.seal", "arrival.record"], "tube {n}");
        }
        assert_eq!(trail(crate_code(1)).await, ["box.seal", "arrival.record"]);
        assert_eq!(trail(tube(3)).await, [""; 0], "it lies at the site");
    }

    async fn two_arrivals_in_one_moment_are_recorded_one_after_the_other(app) {
        let (sampler, receiver) = people(app).await;
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        let now = app.now();
        arrive(app, &receiver, 1, &[]).await.expect(201);
        arrive(app, &receiver, 1, &scanned(&[1])).await.expect(201);
        let first = number(app, "select min(recorded_us) from arrival").await;
        let second = number(app, "select max(recorded_us) from arrival").await;
        assert_eq!((first, second), (now.us(), now.us() + 1));
    }

    async fn two_boxes_that_claim_the_same_stray_receive_it_once(app) {
        let (sampler, receiver) = people(app).await;
        let other = app.client(Role::Receiver).await;
        seal(app, &[pool(1), pool(2), pool(3)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        pack(app, &sampler, 2, &[2]).await.expect(201);
        let (with_1, with_2) = (scanned(&[1, 3]), scanned(&[2, 3]));
        let (one, two) =
            tokio::join!(arrive(app, &receiver, 1, &with_1), arrive(app, &other, 2, &with_2));
        for there in [one, two] {
            let status = there.status.as_u16();
            assert!(status == 201 || there.code() == "arrival.concurrent", "{}", there.text());
        }
        let found = "select count(*) from arrival_tube where finding = 'unexpected'";
        assert_eq!(number(app, found).await, 1);
        assert_eq!(states(app, &[3]).await, [TubeState::Received]);
    }

    async fn an_arrival_sent_twice_is_recorded_once(app) {
        let (sampler, receiver) = people(app).await;
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        let body = delivery(app, 1, &scanned(&[1]));
        let send = || {
            let request = axum::http::Request::post("/v1/arrivals")
                .header("authorization", format!("Bearer {}", receiver.token))
                .header("idempotency-key", "k1")
                .header("content-type", "application/json")
                .body(axum::body::Body::from(body.to_string())).unwrap();
            app.send(request)
        };
        let first = send().await.expect(201).json();
        assert_eq!(send().await.expect(201).json(), first);
        assert_eq!(number(app, "select count(*) from arrival").await, 1);
    }

    async fn the_database_itself_keeps_arrivals_and_refuses_illegal_moves(app) {
        let (sampler, receiver) = people(app).await;
        seal(app, &[pool(1)]).await;
        pack(app, &sampler, 1, &[1]).await.expect(201);
        arrive(app, &receiver, 1, &scanned(&[1])).await.expect(201);
        for sql in [
            "update box set state = 'in_transit'",
            "update box set laboratory_code = 'L02'",
            "update box set laboratory_code = null",
            "update tube set state = 'packed'",
            "update tube set state = 'missing'",
            "update arrival set laboratory_code = 'L02'",
            "delete from arrival",
            "update arrival_tube set finding = 'missing'",
            "delete from arrival_tube",
            "insert into arrival_tube (arrival_id, tube_code, finding)
                select id, 'T', 'refused' from arrival",
        ] {
            assert!(is_refused(app, sql).await, "{sql}");
        }
    }
}
