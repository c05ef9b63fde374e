//! Two people between a call and a person, the switch of the rule, and amendments.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::query;
use swabline::auth::Role;
use swabline::clock::Span;

use crate::app::{Engine, TestApp};
use crate::each_engine;
use crate::laboratory::{self as lab, NEGATIVE, POSITIVE, SINGLE_TARGET};
use crate::way;
use crate::world::{World, people, seal_tube, tube, world};

/// A run of one pool, one single tube, and one positive single tube, waiting for review.
async fn waiting(app: &TestApp, world: &World) -> String {
    seal_tube(app, world, 0, &people(0, 10)).await.expect(201);
    seal_tube(app, world, 1, &people(20, 1)).await.expect(201);
    seal_tube(app, world, 2, &people(30, 1)).await.expect(201);
    let codes = [tube(0), tube(1), tube(2)];
    lab::deliver(app, world, 0, &codes).await;
    let plate = lab::load(app, world, 0, &codes).await;
    let file = lab::run_file(&plate, &BTreeMap::from([(tube(2), POSITIVE)]), false);
    let run = lab::upload(app, world, &plate, file).await.expect(201).json();
    run["id"].as_str().unwrap().to_owned()
}

fn accept() -> Value {
    json!({ "decision": "accept" })
}

async fn results(app: &TestApp) -> i64 {
    let mut tx = app.app.db.read("test.results").await.unwrap();
    let sql = "select count(*) from result";
    swabline::on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
}

async fn told(app: &TestApp) -> String {
    let mut tx = app.app.db.read("test.told").await.unwrap();
    let sql = "select tube_code || ' ' || outcome from status";
    swabline::on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
}

/// How many rows there are of all that an amendment writes.
async fn written(app: &TestApp) -> Vec<i64> {
    let mut rows = Vec::new();
    for sql in [
        "select count(*) from result",
        "select count(*) from amendment",
        "select count(*) from signature",
        "select count(*) from recall",
        "select count(*) from feed",
        "select count(*) from audit",
    ] {
        rows.push(way::number(app, sql).await);
    }
    rows
}

each_engine! {
    async fn nobody_releases_what_he_reviewed_or_what_nobody_reviewed(app) {
        let world = world(app).await;
        let run = waiting(app, &world).await;
        let (review, release) = (format!("/v1/runs/{run}/review"), format!("/v1/runs/{run}/release"));
        let early = app.post(&world.reviewer, &release, &json!({})).await.expect(409);
        assert_eq!(early.code(), "review.not_reviewed");
        app.post(&world.reviewer, &review, &accept()).await.expect(200);
        let same = app.post(&world.reviewer, &release, &json!({})).await.expect(422);
        assert_eq!(same.code(), "review.same_person");
        assert_eq!(results(app).await, 0);
        let other = app.client_at(Role::Reviewer, None, Some("L02".to_owned())).await;
        assert_eq!(app.post(&other, &release, &json!({})).await.expect(403).code(),
            "auth.laboratory");
        app.post(&world.second_reviewer, &release, &json!({})).await.expect(200);
        assert_eq!(results(app).await, 3);
        // The same hand again is answered again and changes nothing.
        app.post(&world.second_reviewer, &release, &json!({})).await.expect(200);
        app.post(&world.reviewer, &release, &json!({})).await.expect(409);
        assert_eq!(results(app).await, 3);
    }

    async fn a_run_altered_after_its_review_is_not_released(app) {
        let world = world(app).await;
        let run = waiting(app, &world).await;
        app.post(&world.reviewer, &format!("/v1/runs/{run}/review"), &accept()).await.expect(200);
        let mut tx = app.app.db.write("test.alter").await.unwrap();
        let sql = "update call set outcome = 'not_detected' where outcome = 'detected'";
        swabline::on!(tx, c => query(sql).execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        let release = format!("/v1/runs/{run}/release");
        let altered = app.post(&world.second_reviewer, &release, &json!({})).await.expect(409);
        assert_eq!(altered.code(), "review.altered");
        assert_eq!(results(app).await, 0);
    }

    async fn a_laboratory_without_an_address_releases_nothing(app) {
        let world = world(app).await;
        let run = waiting(app, &world).await;
        let mut tx = app.app.db.write("test.blank").await.unwrap();
        let sql = "update laboratory set address = ''";
        swabline::on!(tx, c => query(sql).execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        app.post(&world.reviewer, &format!("/v1/runs/{run}/review"), &accept()).await.expect(200);
        let release = format!("/v1/runs/{run}/release");
        let blocked = app.post(&world.second_reviewer, &release, &json!({})).await.expect(422);
        assert_eq!(blocked.code(), "review.field_missing");
        assert_eq!(blocked.json()["errors"].as_array().unwrap().len(), 3);
        assert_eq!(results(app).await, 0);
    }

    async fn the_rule_releases_clean_negatives_only_while_its_switch_is_on(app) {
        let world = world(app).await;
        let switch = "/v1/switches/auto_release";
        assert_eq!(app.get(&world.reviewer, switch).await.expect(200).json()["on"], false);
        let on = json!({ "on": true, "reason": "validated on 1 June" });
        app.put(&world.reviewer, switch, &on).await.expect(200);
        let run = waiting(app, &world).await;
        let path = format!("/v1/runs/{run}/review");
        let reviewed = app.post(&world.reviewer, &path, &accept()).await.expect(200).json();
        assert_eq!(reviewed["released_by_rule"], json!([tube(0), tube(1)]), "{reviewed}");
        assert_eq!(reviewed["state"], "reviewed");
        assert_eq!(results(app).await, 2);
        let off = json!({ "on": false, "reason": "a doubt" });
        app.put(&world.second_reviewer, switch, &off).await.expect(200);
        let release = format!("/v1/runs/{run}/release");
        let rest = app.post(&world.second_reviewer, &release, &json!({})).await.expect(200).json();
        assert_eq!(rest["released"]["reported"], json!([tube(2)]), "{rest}");
        assert_eq!(results(app).await, 3);
    }

    async fn with_the_switch_off_again_the_rule_releases_nothing(app) {
        let world = world(app).await;
        let switch = "/v1/switches/auto_release";
        for on in [true, false] {
            let set = json!({ "on": on, "reason": "drill" });
            app.put(&world.reviewer, switch, &set).await.expect(200);
        }
        let run = waiting(app, &world).await;
        let path = format!("/v1/runs/{run}/review");
        let reviewed = app.post(&world.reviewer, &path, &accept()).await.expect(200).json();
        assert_eq!(reviewed["released_by_rule"], json!([]));
        assert_eq!(results(app).await, 0);
    }

    async fn an_amendment_needs_two_people_and_leaves_the_first_version_readable(app) {
        let world = world(app).await;
        let run = waiting(app, &world).await;
        lab::release(app, &world, &run).await;
        let path = format!("/v1/results/{}.1/amend", tube(0));
        let withdraw = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
        let proposed = app.post(&world.reviewer, &path, &withdraw).await.expect(202).json();
        assert_eq!((&proposed["state"], &proposed["wanted"]), (&json!("proposed"), &withdraw));
        app.post(&world.reviewer, &path, &withdraw).await.expect(202);
        let queue = app.get(&world.second_reviewer, "/v1/reviews").await.expect(200).json();
        assert_eq!(queue["amendments"][0]["reason"], "mixed_up", "{queue}");
        let pool = json!({ "outcome": "detected", "reason": "mixed_up" });
        assert_eq!(app.post(&world.second_reviewer, &path, &pool).await.expect(422).code(),
            "amend.pool");
        let done = app.post(&world.second_reviewer, &path, &withdraw).await.expect(201).json();
        assert_eq!((&done["state"], &done["recalls_opened"]), (&json!("amended"), &json!(10)));
        let again = app.post(&world.reviewer, &path, &withdraw).await.expect(409);
        assert_eq!(again.code(), "amend.superseded");
        let way = app.get(&world.officer, &format!("/v1/tubes/{}", tube(0))).await.expect(200);
        let way = way.json();
        assert_eq!(way["results"].as_array().unwrap().len(), 2, "{way}");
        assert!(way.to_string().contains("mixed_up"), "{way}");
        let ledger = app.get(&world.officer, "/v1/ledger").await.expect(200).json();
        assert_eq!(ledger["unexplained"], 0, "{ledger}");
    }

    async fn an_amendment_whose_answer_was_lost_is_answered_again_to_who_confirmed_it(app) {
        let world = world(app).await;
        let run = waiting(app, &world).await;
        lab::release(app, &world, &run).await;
        let path = format!("/v1/results/{}.1/amend", tube(0));
        let withdraw = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
        app.post(&world.reviewer, &path, &withdraw).await.expect(202);
        let done = app.post(&world.second_reviewer, &path, &withdraw).await.expect(201).json();
        let third = app.client(Role::Reviewer).await;
        let before = written(app).await;
        app.pass(Span::minutes(5));
        let again = app.post(&world.second_reviewer, &path, &withdraw).await.expect(201).json();
        assert_eq!(again, done);
        let other = json!({ "outcome": "withdrawn", "reason": "contaminated" });
        for (client, wanted) in [(&world.second_reviewer, &other), (&world.reviewer, &withdraw),
            (&third, &withdraw)] {
            let refused = app.post(client, &path, wanted).await.expect(409);
            assert_eq!(refused.code(), "amend.superseded");
        }
        assert_eq!(written(app).await, before);
    }

    async fn a_mistaken_proposal_gives_way_to_another(app) {
        let world = world(app).await;
        let run = waiting(app, &world).await;
        lab::release(app, &world, &run).await;
        let path = format!("/v1/results/{}.1/amend", tube(1));
        let mistaken = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
        let meant = json!({ "outcome": "detected", "reason": "clerical" });
        app.post(&world.reviewer, &path, &mistaken).await.expect(202);
        app.post(&world.reviewer, &path, &meant).await.expect(202);
        // The second person's other wish is a proposal of its own, not a confirmation.
        app.post(&world.second_reviewer, &path, &mistaken).await.expect(202);
        app.post(&world.second_reviewer, &path, &meant).await.expect(202);
        let done = app.post(&world.reviewer, &path, &meant).await.expect(201).json();
        assert_eq!((&done["amended_to"], &done["wanted"]),
            (&json!(format!("{}.2", tube(1))), &meant));
    }

    async fn a_positive_that_is_taken_back_leaves_the_later_swab_s_answer(app) {
        let world = world(app).await;
        let somebody = people(0, 1);
        seal_tube(app, &world, 0, &somebody).await.expect(201);
        app.pass(Span::minutes(10));
        seal_tube(app, &world, 1, &somebody).await.expect(201);
        let tubes = [tube(0), tube(1)];
        lab::deliver(app, &world, 0, &tubes).await;
        let plate = lab::load(app, &world, 0, &tubes).await;
        let file = lab::run_file(&plate, &BTreeMap::new(), false);
        let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
        lab::release(app, &world, run["id"].as_str().unwrap()).await;
        assert_eq!(told(app).await, format!("{} not_detected", tube(1)));
        for (version, outcome, stands) in [(1, "detected", 0), (2, "not_detected", 1)] {
            let path = format!("/v1/results/{}.{version}/amend", tube(0));
            let wanted = json!({ "outcome": outcome, "reason": "clerical" });
            app.post(&world.reviewer, &path, &wanted).await.expect(202);
            app.post(&world.second_reviewer, &path, &wanted).await.expect(201);
            assert_eq!(told(app).await, format!("{} {outcome}", tube(stands)));
            let ledger = app.get(&world.officer, "/v1/ledger").await.expect(200).json();
            assert_eq!(ledger["unexplained"], 0, "{ledger}");
        }
    }

    async fn a_run_is_not_void_while_anybody_goes_by_a_result_of_it(app) {
        let world = world(app).await;
        let on = json!({ "on": true, "reason": "validated on 1 June" });
        app.put(&world.reviewer, "/v1/switches/auto_release", &on).await.expect(200);
        let run = waiting(app, &world).await;
        let path = format!("/v1/runs/{run}/review");
        let first = app.post(&world.reviewer, &path, &accept()).await.expect(200).json();
        let again = app.post(&world.reviewer, &path, &accept()).await.expect(200).json();
        assert_eq!(first, again);
        let void = json!({ "decision": "void" });
        let refused = app.post(&world.second_reviewer, &path, &void).await.expect(409);
        assert_eq!(refused.code(), "review.results_stand");
        assert_eq!(refused.json()["errors"].as_array().unwrap().len(), 2);
        for n in 0..2 {
            let amend = format!("/v1/results/{}.1/amend", tube(n));
            let withdraw = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
            app.post(&world.reviewer, &amend, &withdraw).await.expect(202);
            app.post(&world.second_reviewer, &amend, &withdraw).await.expect(201);
        }
        let voided = app.post(&world.second_reviewer, &path, &void).await.expect(200).json();
        assert_eq!(voided["back"], json!([tube(2)]));
    }

    async fn whoever_releases_again_is_answered_the_same_again(app) {
        let world = world(app).await;
        let run = waiting(app, &world).await;
        let first = lab::release(app, &world, &run).await;
        let path = format!("/v1/runs/{run}/release");
        let again = app.post(&world.second_reviewer, &path, &json!({})).await.expect(200).json();
        assert_eq!(first, again);
    }

    async fn a_signature_stands_for_what_is_stored_long_after_the_release(app) {
        let world = world(app).await;
        let run = waiting(app, &world).await;
        lab::release(app, &world, &run).await;
        let verify = async || {
            let mut tx = app.app.db.read("test.signatures").await.unwrap();
            swabline::review::verify::signatures_verify(&mut tx).await.unwrap()
        };
        let whole = verify().await;
        assert_eq!((whole.compared, whole.broken), (2, None));
        let mut tx = app.app.db.write("test.alter").await.unwrap();
        let sql = "update call set rule = 'another' where tube_code = $1";
        swabline::on!(tx, c => query(sql).bind(tube(1)).execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(verify().await.broken.unwrap().run, run);
    }

    async fn the_queue_shows_what_waits_in_this_laboratory(app) {
        let world = world(app).await;
        let run = waiting(app, &world).await;
        let queue = app.get(&world.reviewer, "/v1/reviews").await.expect(200).json();
        assert_eq!(queue["runs"][0]["id"], json!(run), "{queue}");
        assert_eq!(queue["runs"][0]["usable"], true);
        assert_eq!(queue["runs"][0]["detected"], 1);
        assert_eq!(queue["runs"][0]["holds"], json!([]));
        let other = app.client_at(Role::Reviewer, None, Some("L02".to_owned())).await;
        assert_eq!(app.get(&other, "/v1/reviews").await.expect(200).json()["runs"], json!([]));
        lab::release(app, &world, &run).await;
        let queue = app.get(&world.reviewer, "/v1/reviews").await.expect(200).json();
        assert_eq!(queue["runs"], json!([]));
    }

    async fn one_target_alone_is_tested_again_and_positive_when_it_comes_again(app) {
        let world = world(app).await;
        seal_tube(app, &world, 0, &people(0, 1)).await.expect(201);
        lab::deliver(app, &world, 0, &[tube(0)]).await;
        let doubtful = BTreeMap::from([(tube(0), SINGLE_TARGET)]);
        for (n, outcome, fate) in [(0, "inconclusive", "retested"), (1, "detected", "reported")] {
            let plate = lab::load(app, &world, n, &[tube(0)]).await;
            let file = lab::run_file(&plate, &doubtful, false);
            let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
            assert_eq!(run["calls"][0]["outcome"], outcome, "{run}");
            let released = lab::release(app, &world, run["id"].as_str().unwrap()).await;
            assert_eq!(released["released"][fate], json!([tube(0)]), "{released}");
        }
    }

    async fn of_two_tubes_of_one_moment_the_one_that_is_shown_is_told(app) {
        let world = world(app).await;
        for n in 0..2 {
            seal_tube(app, &world, n, &people(0, 1)).await.expect(201);
        }
        lab::deliver(app, &world, 0, &[tube(0), tube(1)]).await;
        for (plate, n) in [(0, 1), (1, 0)] {
            let plate = lab::load(app, &world, plate, &[tube(n)]).await;
            let file = lab::run_file(&plate, &BTreeMap::new(), false);
            let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
            lab::release(app, &world, run["id"].as_str().unwrap()).await;
        }
        let asked = json!({ "people": [{ "type": "resident_id",
            "number": crate::world::person(0).number }] });
        let shown = app.post(&world.service, "/v1/status/batch", &asked).await.expect(200).json();
        assert_eq!(shown["people"][0]["status"]["outcome"], "not_detected", "{shown}");
    }
}

/// An amendment that read a person's answers before a release has told its own would hide that.
#[tokio::test]
async fn an_amendment_waits_for_a_release_that_is_telling_the_same_person() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let (app, world) = (&app, &world(&app).await);
    let somebody = people(0, 1);
    seal_tube(app, world, 0, &somebody).await.expect(201);
    app.pass(Span::minutes(10));
    seal_tube(app, world, 1, &somebody).await.expect(201);
    lab::deliver(app, world, 0, &[tube(0), tube(1)]).await;
    let mut runs = Vec::new();
    for (n, signals) in [(0, NEGATIVE), (1, POSITIVE)] {
        let plate = lab::load(app, world, n, &[tube(n)]).await;
        let file = lab::run_file(&plate, &BTreeMap::from([(tube(n), signals)]), false);
        let run = lab::upload(app, world, &plate, file).await.expect(201).json();
        runs.push(run["id"].as_str().unwrap().to_owned());
    }
    lab::release(app, world, &runs[0]).await;
    let review = format!("/v1/runs/{}/review", runs[1]);
    app.post(&world.reviewer, &review, &accept()).await.expect(200);
    let (amend, release) =
        (format!("/v1/results/{}.1/amend", tube(0)), format!("/v1/runs/{}/release", runs[1]));
    let (withdraw, nothing) = (json!({ "outcome": "withdrawn", "reason": "mixed_up" }), json!({}));
    app.post(&world.reviewer, &amend, &withdraw).await.expect(202);
    // A release has told its people when it comes to its calls.
    let mut holds = app.app.db.write("test.holds").await.unwrap();
    way::run(&mut holds, "select 1 from call for update".to_owned()).await;
    let tells = app.post(&world.second_reviewer, &release, &nothing);
    let takes_back = async {
        way::writers_wait(app, 1).await;
        app.post(&world.second_reviewer, &amend, &withdraw).await
    };
    let frees = async {
        way::writers_wait(app, 2).await;
        assert_eq!(told(app).await, format!("{} not_detected", tube(0)), "both wait");
        holds.commit().await.unwrap();
    };
    let (released, amended, ()) = tokio::join!(tells, takes_back, frees);
    released.expect(200);
    amended.expect(201);
    assert_eq!(told(app).await, format!("{} detected", tube(1)));
}
