//! Lots of a kit: what came, what was issued, what wells used, and runs that are held for them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use sqlx::query_scalar;
use swabline::clock::Span;
use swabline::on;

use crate::app::{Answer, TestApp};
use crate::each_engine;
use crate::laboratory::{self as lab, KIT};
use crate::way;
use crate::world::{World, people, plate, seal_tube, tube, world};

/// The application as it is by default: lots are kept.
fn keeping(app: &TestApp) -> TestApp {
    app.restarted(|config| config.lot_keeping = true)
}

fn path(lot: &str) -> String {
    format!("/v1/lots/{}/{lot}", KIT.0)
}

/// Registers a lot that expires in so many hours.
async fn register(
    app: &TestApp,
    world: &World,
    lot: &str,
    (hours, reactions): (i64, u32),
) -> Answer {
    let body = json!({ "laboratory": "L01", "expires_at": app.now() + Span::hours(hours),
        "reactions": reactions });
    app.put(&world.technician, &path(lot), &body).await
}

/// Issues reactions of lot `A1`, always under the same key.
async fn issue_again(app: &TestApp, world: &World, reactions: u32) -> Answer {
    let body = json!({ "laboratory": "L01", "reactions": reactions });
    let request = Request::post(format!("{}/issues", path("A1")))
        .header("authorization", format!("Bearer {}", world.technician.token))
        .header("content-type", "application/json")
        .header("idempotency-key", "the same")
        .body(Body::from(body.to_string()))
        .unwrap();
    app.send(request).await
}

/// Lays tubes out on the `n`th plate, filled from this lot.
async fn make(
    app: &TestApp,
    world: &World,
    n: u64,
    (lot, tubes): (Option<&str>, &[String]),
) -> Answer {
    let mut request = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
        "template": "one-well-94-columns", "tubes": tubes });
    if let Some(lot) = lot {
        request["lot"] = json!(lot);
    }
    app.put(&world.technician, &format!("/v1/plates/{}", plate(n)), &request).await
}

async fn freeze(app: &TestApp, world: &World, n: u64) -> Answer {
    app.post(&world.technician, &format!("/v1/plates/{}/freeze", plate(n)), &json!({})).await
}

/// A frozen plate's run, as it came in.
async fn run(app: &TestApp, world: &World, n: u64) -> Value {
    let loaded = freeze(app, world, n).await.expect(200).json();
    let file = lab::run_file(&loaded, &BTreeMap::new(), false);
    lab::upload(app, world, &loaded, file).await.expect(201).json()
}

async fn accept(app: &TestApp, world: &World, run: &Value) -> Answer {
    let path = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
    app.post(&world.reviewer, &path, &json!({ "decision": "accept" })).await
}

async fn received(app: &TestApp, world: &World, count: u64) -> Vec<String> {
    for n in 0..count {
        seal_tube(app, world, n, &people(n, 1)).await.expect(201);
    }
    let tubes: Vec<_> = (0..count).map(tube).collect();
    lab::deliver(app, world, 0, &tubes).await;
    tubes
}

fn codes(list: &Value) -> Vec<&str> {
    list.as_array().map_or_else(Vec::new, |all| {
        all.iter().map(|reason| reason["code"].as_str().unwrap()).collect()
    })
}

each_engine! {
    async fn reactions_are_counted_from_the_box_to_the_well(app) {
        let (app, world) = (&keeping(app), &world(app).await);
        register(app, world, "A1", (100, 10)).await.expect(201);
        register(app, world, "A1", (100, 10)).await.expect(200);
        let other = register(app, world, "A1", (99, 11)).await.expect(409);
        assert_eq!(codes(&other.json()["errors"]), ["lot.exists", "lot.exists"]);
        let issues = format!("{}/issues", path("A1"));
        let issue = |reactions: u32| json!({ "laboratory": "L01", "reactions": reactions });
        app.post(&world.technician, &issues, &issue(8)).await.expect(201);
        let over = app.post(&world.technician, &issues, &issue(3)).await.expect(422);
        assert_eq!(codes(&over.json()["errors"]), ["lot.overissued"]);
        app.post(&world.technician, &issues, &issue(0)).await.expect(422);

        let tubes = received(app, world, 12).await;
        // Five tubes and two controls are seven wells; a draft uses none of them.
        make(app, world, 0, (Some("A1"), &tubes[..5])).await.expect(201);
        let listed = app.get(&world.reviewer, "/v1/lots").await.expect(200).json();
        assert_eq!(listed["lots"][0]["used"], 0);
        let frozen = run(app, world, 0).await;
        assert_eq!(frozen.get("holds"), None);
        let listed = app.get(&world.administrator, "/v1/lots").await.expect(200).json();
        let lot = &listed["lots"][0];
        let counts = ["received", "issued", "used", "left"].map(|field| lot[field].clone());
        assert_eq!(counts, [json!(10), json!(8), json!(7), json!(3)]);
        assert_eq!(lot["alarms"], json!([]));

        let empty = make(app, world, 1, (Some("A1"), &tubes[5..8])).await.expect(422);
        assert_eq!(codes(&empty.json()["errors"]), ["lot.exhausted"]);
        make(app, world, 1, (Some("A1"), &tubes[5..6])).await.expect(201);
        make(app, world, 2, (Some("A1"), &tubes[6..7])).await.expect(201);
        freeze(app, world, 1).await.expect(200);
        // The second draft finds the lot empty when it is frozen.
        let late = freeze(app, world, 2).await.expect(422);
        assert_eq!(codes(&late.json()["errors"]), ["lot.exhausted"]);
        freeze(app, world, 1).await.expect(200);
        make(app, world, 1, (Some("A1"), &tubes[5..6])).await.expect(200);
        let listed = app.get(&world.reviewer, "/v1/lots").await.expect(200).json();
        assert_eq!(codes(&listed["lots"][0]["alarms"]), ["lot.unissued"]);
        accept(app, world, &frozen).await.expect(200);
    }

    async fn of_two_plates_frozen_at_one_moment_the_lot_s_last_reactions_go_to_one(app) {
        let (app, world) = (&keeping(app), &world(app).await);
        register(app, world, "A1", (100, 5)).await.expect(201);
        let tubes = received(app, world, 2).await;
        for (n, tube) in (0..).zip(tubes.chunks(1)) {
            make(app, world, n, (Some("A1"), tube)).await.expect(201);
        }
        // The other plate has taken its reactions, and has yet to commit.
        let mut other = app.app.db.write("test.other").await.unwrap();
        for sql in ["update lot set lot = lot", "update plate set state = 'frozen', frozen_us = 1
            where code = (select max(code) from plate)"] {
            on!(other, c => sqlx::query(sql).execute(c).await.map(drop)).unwrap();
        }
        let commits = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            other.commit().await.unwrap();
        };
        let (late, ()) = tokio::join!(freeze(app, world, 0), commits);
        assert_eq!(codes(&late.expect(422).json()["errors"]), ["lot.exhausted"]);
        let listed = app.get(&world.reviewer, "/v1/lots").await.expect(200).json();
        assert_eq!(listed["lots"][0]["used"], 3);
        let mut tx = app.app.db.read("test.states").await.unwrap();
        let sql = "select state from tube order by state";
        let states: Vec<String> = on!(tx, c => query_scalar(sql).fetch_all(c).await).unwrap();
        assert_eq!(states, ["received", "received"], "its tube is left where it was");
    }

    async fn a_lot_s_last_reactions_asked_for_twice_at_once_are_issued_once_to_both(app) {
        let (app, world) = (&keeping(app), &world(app).await);
        register(app, world, "A1", (100, 8)).await.expect(201);
        // Both have come before either has taken them.
        let mut holds = app.app.db.write("test.holds").await.unwrap();
        way::run(&mut holds, "update lot set lot = lot".to_owned()).await;
        let frees = async {
            way::writers_wait(app, 2).await;
            holds.commit().await.unwrap();
        };
        let (one, other, ()) =
            tokio::join!(issue_again(app, world, 8), issue_again(app, world, 8), frees);
        assert_eq!(one.expect(201).json(), other.expect(201).json());
        let listed = app.get(&world.reviewer, "/v1/lots").await.expect(200).json();
        assert_eq!(listed["lots"][0]["issued"], 8);
        issue_again(app, world, 7).await.expect(422);
    }

    async fn fifty_calls_at_once_with_one_key_have_one_effect(app) {
        let (app, world) = (&keeping(app), &world(app).await);
        register(app, world, "A1", (100, 8)).await.expect(201);
        let calls = (0..50).map(|_| Box::pin(issue_again(app, world, 8)));
        let answers = futures_util::future::join_all(calls).await;
        let answers: Vec<_> =
            answers.into_iter().map(|answer| answer.expect(201).json()).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        let listed = app.get(&world.reviewer, "/v1/lots").await.expect(200).json();
        assert_eq!(listed["lots"][0]["issued"], 8);
        let rows = "select count(*) from audit where action = 'lot.issue'";
        assert_eq!(way::number(app, rows).await, 1);
    }

    async fn a_further_delivery_of_a_lot_adds_its_reactions(app) {
        let (app, world) = (&keeping(app), &world(app).await);
        let deliveries = format!("{}/deliveries", path("A1"));
        let expires = app.now() + Span::hours(100);
        let delivery = |hours: i64, reactions: u32| json!({ "laboratory": "L01",
            "expires_at": expires + Span::hours(hours), "reactions": reactions });
        app.post(&world.technician, &deliveries, &delivery(0, 5)).await.expect(404);
        register(app, world, "A1", (100, 10)).await.expect(201);
        let tubes = received(app, world, 12).await;
        let many = make(app, world, 0, (Some("A1"), &tubes)).await.expect(422);
        assert_eq!(codes(&many.json()["errors"]), ["lot.exhausted"]);
        let other = app.post(&world.technician, &deliveries, &delivery(1, 5)).await.expect(409);
        assert_eq!(other.code(), "lot.expiry");
        app.post(&world.technician, &deliveries, &delivery(0, 0)).await.expect(422);
        let added = app.post(&world.technician, &deliveries, &delivery(0, 5)).await;
        assert_eq!(added.expect(201).json()["received"], 15);
        make(app, world, 0, (Some("A1"), &tubes)).await.expect(201);
        // What was registered stays what it was.
        register(app, world, "A1", (100, 10)).await.expect(200);
        let sum = register(app, world, "A1", (100, 15)).await.expect(409);
        assert_eq!(codes(&sum.json()["errors"]), ["lot.exists"]);
        let listed = app.get(&world.reviewer, "/v1/lots").await.expect(200).json();
        assert_eq!((&listed["lots"][0]["received"], &listed["lots"][0]["left"]),
            (&json!(15), &json!(15)));
    }

    async fn a_run_of_an_unknown_lot_is_held_until_the_lot_is_registered(app) {
        let (app, world) = (&keeping(app), &world(app).await);
        let tubes = received(app, world, 1).await;
        make(app, world, 0, (Some("B7"), &tubes)).await.expect(201);
        let held = run(app, world, 0).await;
        assert_eq!(codes(&held["holds"]), ["run.lot_unknown"]);
        crate::laboratory::assert_kept(app, world, &held).await;
        let queue = app.get(&world.reviewer, "/v1/reviews").await.expect(200).json();
        let waits = queue["runs"].as_array().unwrap().iter().find(|run| run["id"] == held["id"]);
        assert_eq!(waits.unwrap()["holds"], held["holds"], "{queue}");
        assert_eq!(held["verdict"]["usable"], true);
        let refused = accept(app, world, &held).await.expect(422);
        assert_eq!(codes(&refused.json()["errors"]), ["run.lot_unknown"]);
        assert!(refused.text().contains("register it"), "{}", refused.text());
        app.pass(Span::minutes(1));
        let body = json!({ "laboratory": "L01", "expires_at": app.now() + Span::hours(100),
            "reactions": 1000 });
        app.put(&world.technician, &path("B7"), &body).await.expect(201);
        // Whoever needs the run would write what it needs: a reviewer reads the label as well.
        let route = format!("/v1/runs/{}", held["id"].as_str().unwrap());
        app.put(&world.technician, &path("B7"), &body).await.expect(200);
        let late = app.get(&world.reviewer, &route).await.json();
        assert_eq!(codes(&late["holds"]), ["run.lot_late"]);
        accept(app, world, &held).await.expect(422);
        let mut other = body.clone();
        other["reactions"] = json!(999);
        app.put(&world.reviewer, &path("B7"), &other).await.expect(409);
        app.put(&world.reviewer, &path("B7"), &body).await.expect(200);
        assert_eq!(app.get(&world.reviewer, &route).await.json().get("holds"), None);
        lab::release(app, world, held["id"].as_str().unwrap()).await;
    }

    async fn a_lot_that_a_reviewer_registers_late_holds_nothing(app) {
        let (app, world) = (&keeping(app), &world(app).await);
        let tubes = received(app, world, 1).await;
        make(app, world, 0, (Some("B8"), &tubes)).await.expect(201);
        let held = run(app, world, 0).await;
        app.pass(Span::minutes(1));
        let body = json!({ "laboratory": "L01", "expires_at": app.now() + Span::hours(100),
            "reactions": 1000 });
        app.put(&world.second_reviewer, &path("B8"), &body).await.expect(201);
        accept(app, world, &held).await.expect(200);
    }

    async fn a_run_of_a_lot_that_had_expired_when_its_plate_was_filled_is_void(app) {
        let (app, world) = (&keeping(app), &world(app).await);
        let tubes = received(app, world, 1).await;
        make(app, world, 0, (Some("C3"), &tubes)).await.expect(201);
        let loaded = freeze(app, world, 0).await.expect(200).json();
        // The file comes in late, and somebody reads the label then: it was out of date for an hour
        // when the plate was filled.
        app.pass(Span::hours(2));
        let body = json!({ "laboratory": "L01", "expires_at": app.now() - Span::hours(3),
            "reactions": 1000 });
        app.put(&world.technician, &path("C3"), &body).await.expect(201);
        let file = lab::run_file(&loaded, &BTreeMap::new(), false);
        let held = lab::upload(app, world, &loaded, file).await.expect(201).json();
        assert_eq!(codes(&held["holds"]), ["run.lot_expired"]);
        // A second reading of the label does not make it last longer.
        app.put(&world.reviewer, &path("C3"), &body).await.expect(200);
        let refused = accept(app, world, &held).await.expect(422);
        assert_eq!(codes(&refused.json()["errors"]), ["run.lot_expired"]);
        let route = format!("/v1/runs/{}/review", held["id"].as_str().unwrap());
        app.post(&world.reviewer, &route, &json!({ "decision": "void" })).await.expect(200);
        let stale = make(app, world, 1, (Some("C3"), &tubes)).await.expect(422);
        assert_eq!(codes(&stale.json()["errors"]), ["lot.expired"]);
        register(app, world, "C4", (2, 1000)).await.expect(201);
        make(app, world, 1, (Some("C4"), &tubes)).await.expect(201);
        let fresh = run(app, world, 1).await;
        lab::release(app, world, fresh["id"].as_str().unwrap()).await;
        let listed = app.get(&world.reviewer, "/v1/lots").await.expect(200).json();
        assert!(codes(&listed["lots"][0]["alarms"]).contains(&"lot.expired"));
    }

    async fn a_lot_that_expires_after_its_plate_was_filled_holds_no_later_file(app) {
        let (app, world) = (&keeping(app), &world(app).await);
        register(app, world, "C5", (2, 1000)).await.expect(201);
        let tubes = received(app, world, 2).await;
        make(app, world, 0, (Some("C5"), &tubes[..1])).await.expect(201);
        let loaded = freeze(app, world, 0).await.expect(200).json();
        app.pass(Span::hours(2));
        let file = lab::run_file(&loaded, &BTreeMap::new(), false);
        let late = lab::upload(app, world, &loaded, file).await.expect(201).json();
        assert_eq!(late.get("holds"), None, "{late}");
        // The file is brought again, as it should have been exported, on the day after.
        app.pass(Span::hours(24));
        let other = BTreeMap::from([(tube(0), [None, None, Some("27.9")])]);
        let file = lab::run_file(&loaded, &other, false);
        let route = format!("/v1/plates/{}/runs?name=run.txt&replaces={}&reason=wrong_export",
            plate(0), late["id"].as_str().unwrap());
        let corrected = app.upload(&world.technician, &route, file).await.expect(201).json();
        assert_eq!(corrected.get("holds"), None, "{corrected}");
        lab::release(app, world, corrected["id"].as_str().unwrap()).await;
        // Nothing more is filled from it.
        let stale = make(app, world, 1, (Some("C5"), &tubes[1..])).await.expect(422);
        assert_eq!(codes(&stale.json()["errors"]), ["lot.expired"]);
    }

    async fn a_first_file_that_comes_a_day_after_its_lot_expired_is_held(app) {
        let (app, world) = (&keeping(app), &world(app).await);
        register(app, world, "C6", (2, 1000)).await.expect(201);
        let tubes = received(app, world, 2).await;
        for (n, tube) in (0..).zip(&tubes) {
            make(app, world, n, (Some("C6"), std::slice::from_ref(tube))).await.expect(201);
            freeze(app, world, n).await.expect(200);
        }
        for (n, hours, holds) in [(0, 25, &[][..]), (1, 2, &["run.lot_expired"])] {
            app.pass(Span::hours(hours));
            let loaded = app.get(&world.technician, &format!("/v1/plates/{}", plate(n))).await.json();
            let file = lab::run_file(&loaded, &BTreeMap::new(), false);
            let run = lab::upload(app, world, &loaded, file).await.expect(201).json();
            let none = json!([]);
            assert_eq!(codes(run.get("holds").unwrap_or(&none)), holds, "{run}");
        }
    }

    async fn a_plate_without_a_lot_is_held_where_lots_are_kept_and_only_there(app) {
        let (kept, world) = (&keeping(app), &world(app).await);
        let tubes = received(kept, world, 2).await;
        make(kept, world, 0, (None, &tubes[..1])).await.expect(201);
        let held = run(kept, world, 0).await;
        assert_eq!(codes(&held["holds"]), ["run.lot_unknown"]);
        accept(kept, world, &held).await.expect(422);
        accept(app, world, &held).await.expect(200);
    }

    async fn a_lot_belongs_to_a_laboratory_and_a_kit(app) {
        let (app, world) = (&keeping(app), &world(app).await);
        let body = json!({ "laboratory": "L02", "expires_at": app.now(), "reactions": 1 });
        app.put(&world.technician, &path("A1"), &body).await.expect(403);
        let lost = app.client_at(swabline::auth::Role::Technician, None, Some("L02".to_owned()))
            .await;
        app.put(&lost, &path("A1"), &body).await.expect(404);
        let unknown = json!({ "laboratory": "L01", "expires_at": app.now(), "reactions": 0 });
        let refused = app.put(&world.technician, "/v1/lots/no-such-kit/a~b", &unknown).await;
        let codes_of = refused.expect(422).json()["errors"].clone();
        assert_eq!(codes(&codes_of), ["lot.number", "lot.reactions", "lot.kit"]);
        register(app, world, "A1", (1, 5)).await.expect(201);
        let other = app.get(&lost, "/v1/lots").await.expect(200).json();
        assert_eq!(other["lots"], json!([]));
        let issue = json!({ "laboratory": "L02", "reactions": 1 });
        app.post(&lost, &format!("{}/issues", path("A1")), &issue).await.expect(404);
        let page = app.get(&world.reviewer, "/v1/lots?limit=1").await.expect(200).json();
        let next = page["next"].as_str().unwrap();
        let rest = app.get(&world.reviewer, &format!("/v1/lots?after={next}")).await.expect(200);
        assert_eq!(rest.json()["lots"], json!([]));
    }
}
