//! From a barcode to a released result, and back through a recall, over HTTP with real tokens.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};
use swabline::clock::Span;

use crate::app::TestApp;
use crate::each_engine;
use crate::feeds::poll_until;
use crate::laboratory::{self as lab, POSITIVE, SILENT};
use crate::way::tamper;
use crate::world::{self, Person, World, people, seal_tube, tube, world};

/// What a resident is shown with the pick-up code of this tube and position.
async fn asked(app: &TestApp, sealed: &Value, position: usize, person: &Person) -> Value {
    let code = &sealed["members"][position]["pickup_code"];
    let ask = json!({ "document": { "type": "resident_id", "number": person.number },
        "pickup_code": code });
    app.call(Method::POST, "/v1/status", None, Some(&ask)).await.expect(200).json()
}

async fn ledger(app: &TestApp, world: &World) -> Value {
    app.get(&world.officer, "/v1/ledger").await.expect(200).json()
}

/// Runs tubes on the `n`th plate with these signals and releases what comes of it.
async fn test(
    app: &TestApp,
    world: &World,
    n: u64,
    tubes: &[String],
    signals: &[(u64, lab::Signals)],
) {
    let plate = lab::load(app, world, n, tubes).await;
    let signals = signals.iter().map(|(tube_number, signals)| (tube(*tube_number), *signals));
    let file = lab::run_file(&plate, &signals.collect(), false);
    let run = lab::upload(app, world, &plate, file).await.expect(201).json();
    lab::release(app, world, run["id"].as_str().unwrap()).await;
}

/// The ledger closes and the audit chains are whole.
async fn all_is_well(app: &TestApp, world: &World) -> Value {
    let ledger = ledger(app, world).await;
    assert_eq!(ledger["whole"]["tubes"]["unexplained"], 0, "{ledger}");
    assert_eq!(ledger["whole"]["people"]["unexplained"], 0, "{ledger}");
    let mut tx = app.app.db.read("test.verify").await.unwrap();
    assert_eq!(swabline::audit::verify(&mut tx).await.unwrap().broken, None);
    ledger
}

/// What the feed tells of the first tube's release, once it has as many changes.
async fn told_of_the_first(app: &TestApp, world: &World, changes: usize) -> Value {
    let changes = poll_until(app, &world.service, &mut String::new(), changes).await;
    let is_it = |one: &&Value| one["change"] == "released" && one["tube"] == json!(tube(0));
    changes.iter().find(is_it).unwrap_or_else(|| panic!("{changes:?}")).clone()
}

each_engine! {
    async fn a_negative_pool_answers_all_its_members_at_once(app) {
        let world = world(app).await;
        let (first, second) = (people(0, 10), people(10, 10));
        let sealed = seal_tube(app, &world, 0, &first).await.expect(201).json();
        seal_tube(app, &world, 1, &second).await.expect(201);
        assert_eq!(asked(app, &sealed, 3, &first[3]).await["state"], "sampled");
        app.pass(Span::hours(1));
        lab::deliver(app, &world, 0, &[tube(0), tube(1)]).await;
        assert_eq!(asked(app, &sealed, 3, &first[3]).await["state"], "received");
        let plate = lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
        let file = lab::run_file(&plate, &BTreeMap::new(), false);
        let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
        assert_eq!(run["verdict"]["usable"], true, "{run}");
        assert_eq!(asked(app, &sealed, 3, &first[3]).await["outcome"], Value::Null);
        let released = lab::release(app, &world, run["id"].as_str().unwrap()).await;
        assert_eq!(released["released"]["reported"].as_array().unwrap().len(), 2);
        for (position, person) in first.iter().enumerate() {
            let status = asked(app, &sealed, position, person).await;
            assert_eq!((&status["state"], &status["outcome"]),
                (&json!("released"), &json!("not_detected")), "{status}");
        }
        let ledger = all_is_well(app, &world).await;
        assert_eq!((&ledger["whole"]["tubes"]["released"], &ledger["whole"]["people"]["released"]),
            (&json!(2), &json!(20)));
    }

    async fn a_positive_pool_recalls_every_member_and_single_tubes_answer(app) {
        let world = world(app).await;
        let members = people(0, 10);
        let sealed = seal_tube(app, &world, 0, &members).await.expect(201).json();
        lab::deliver(app, &world, 0, &[tube(0)]).await;
        let plate = lab::load(app, &world, 0, &[tube(0)]).await;
        let file = lab::run_file(&plate, &BTreeMap::from([(tube(0), POSITIVE)]), false);
        let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
        let released = lab::release(app, &world, run["id"].as_str().unwrap()).await;
        assert_eq!(released["released"]["recalls_opened"], 10, "{released}");
        assert_eq!(asked(app, &sealed, 0, &members[0]).await["state"], "under_verification");
        let recalls = app.get(&world.officer, "/v1/recalls").await.expect(200).json();
        assert_eq!(recalls["recalls"].as_array().unwrap().len(), 10, "{recalls}");

        app.pass(Span::hours(2));
        let mut singles = Vec::new();
        for (n, person) in (1..).zip(&members) {
            let answer = seal_tube(app, &world, n, std::slice::from_ref(person)).await;
            singles.push(answer.expect(201).json());
        }
        let codes: Vec<_> = (1..=10).map(tube).collect();
        lab::deliver(app, &world, 1, &codes).await;
        let plate = lab::load(app, &world, 1, &codes).await;
        let file = lab::run_file(&plate, &BTreeMap::from([(tube(5), POSITIVE)]), false);
        let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
        let before = asked(app, &singles[0], 0, &members[0]).await;
        assert_eq!(before["state"], "under_verification");
        lab::release(app, &world, run["id"].as_str().unwrap()).await;
        for (position, person) in members.iter().enumerate() {
            let status = asked(app, &singles[position], 0, person).await;
            let outcome = if position == 4 { "detected" } else { "not_detected" };
            assert_eq!((&status["state"], &status["outcome"]),
                (&json!("released"), &json!(outcome)), "{status}");
        }
        let recalls = app.get(&world.officer, "/v1/recalls").await.expect(200).json();
        assert_eq!(recalls["recalls"], json!([]), "{recalls}");
        let ledger = all_is_well(app, &world).await;
        assert_eq!((&ledger["whole"]["tubes"]["closed"], &ledger["whole"]["tubes"]["released"]),
            (&json!(1), &json!(10)));
    }

    async fn a_plate_whose_controls_fail_is_void_and_its_tubes_are_run_again(app) {
        let world = world(app).await;
        let members = people(0, 10);
        let sealed = seal_tube(app, &world, 0, &members).await.expect(201).json();
        lab::deliver(app, &world, 0, &[tube(0)]).await;
        let plate = lab::load(app, &world, 0, &[tube(0)]).await;
        let file = lab::run_file(&plate, &BTreeMap::new(), true);
        let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
        assert_eq!(run["verdict"]["usable"], false);
        let path = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        let accept = json!({ "decision": "accept" });
        let refused = app.post(&world.reviewer, &path, &accept).await.expect(422);
        assert_eq!(refused.code(), "review.unusable");
        let void = json!({ "decision": "void" });
        let voided = app.post(&world.reviewer, &path, &void).await.expect(200).json();
        assert_eq!(voided["back"], json!([tube(0)]));
        all_is_well(app, &world).await;
        let plate = lab::load(app, &world, 1, &[tube(0)]).await;
        let file = lab::run_file(&plate, &BTreeMap::new(), false);
        let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
        assert_eq!(run["calls"][0]["attempt"], 1, "a void run is no test of its tubes");
        lab::release(app, &world, run["id"].as_str().unwrap()).await;
        assert_eq!(asked(app, &sealed, 0, &members[0]).await["outcome"], "not_detected");
        all_is_well(app, &world).await;
    }

    async fn a_silent_single_tube_is_run_again_once_and_then_recalled(app) {
        let world = world(app).await;
        let person = people(0, 1);
        let sealed = seal_tube(app, &world, 0, &person).await.expect(201).json();
        // Others on the plate keep the share of silent tubes low.
        let mut codes = vec![tube(0)];
        for n in 1..=5 {
            seal_tube(app, &world, n, &people(n * 20, 10)).await.expect(201);
            codes.push(tube(n));
        }
        lab::deliver(app, &world, 0, &codes).await;
        let silent = BTreeMap::from([(tube(0), SILENT)]);
        let plate = lab::load(app, &world, 0, &codes).await;
        let file = lab::run_file(&plate, &silent, false);
        let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
        let released = lab::release(app, &world, run["id"].as_str().unwrap()).await;
        assert_eq!(released["released"]["retested"], json!([tube(0)]), "{released}");
        assert_eq!(asked(app, &sealed, 0, &person[0]).await["state"], "received");
        let plate = lab::load(app, &world, 1, &[tube(0)]).await;
        let file = lab::run_file(&plate, &silent, false);
        let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
        let released = lab::release(app, &world, run["id"].as_str().unwrap()).await;
        assert_eq!(released["released"]["recalled"], json!([tube(0)]), "{released}");
        assert_eq!(asked(app, &sealed, 0, &person[0]).await["state"], "under_verification");
        all_is_well(app, &world).await;
    }

    async fn the_whole_way_of_a_tube_can_be_told(app) {
        let world = world(app).await;
        seal_tube(app, &world, 0, &people(0, 10)).await.expect(201);
        lab::deliver(app, &world, 0, &[tube(0)]).await;
        let plate = lab::load(app, &world, 0, &[tube(0)]).await;
        let file = lab::run_file(&plate, &BTreeMap::new(), false);
        let run = lab::upload(app, &world, &plate, file.clone()).await.expect(201).json();
        lab::release(app, &world, run["id"].as_str().unwrap()).await;
        let way = app.get(&world.officer, &format!("/v1/tubes/{}", tube(0))).await.expect(200);
        let (seen, text) = (way.json(), way.text());
        assert_eq!(seen["arrivals"][0]["seal_intact"], true, "{text}");
        assert_eq!(seen["calls"][0]["usable"], true, "{text}");
        for part in [world::box_(0), world::plate(0), run["id"].as_str().unwrap().to_owned()] {
            assert!(text.contains(&part), "{part} is not in {text}");
        }
        for person in people(0, 10) {
            assert!(!text.contains(&person.number) && !text.contains(&person.name));
        }
        let path = format!("/v1/runs/{}/file", run["id"].as_str().unwrap());
        assert_eq!(app.get(&world.reviewer, &path).await.expect(200).bytes, file);
    }

    async fn one_answered_recall_frees_one_person_and_nobody_else(app) {
        let world = world(app).await;
        let members = people(0, 10);
        seal_tube(app, &world, 0, &members).await.expect(201);
        lab::deliver(app, &world, 0, &[tube(0)]).await;
        test(app, &world, 0, &[tube(0)], &[(0, POSITIVE)]).await;
        app.pass(Span::hours(2));
        seal_tube(app, &world, 1, &members[..1]).await.expect(201);
        // Everybody is in another pool as well, which is negative.
        seal_tube(app, &world, 2, &members).await.expect(201);
        lab::deliver(app, &world, 1, &[tube(1), tube(2)]).await;
        test(app, &world, 1, &[tube(1), tube(2)], &[]).await;
        let changes = poll_until(app, &world.service, &mut String::new(), 10).await;
        let find = |change: &str, n: u64| {
            let found = |item: &&Value| item["change"] == change && item["tube"] == json!(tube(n));
            changes.iter().find(found).unwrap_or_else(|| panic!("{change} {n}: {changes:?}"))
        };
        let answered = &find("recall_closed", 1)["persons"];
        assert_eq!(answered.as_array().unwrap().len(), 1);
        assert_eq!(&find("released", 1)["persons"], answered);
        let pool = find("released", 2);
        assert_eq!(&pool["persons"], answered, "nobody who is recalled was told a negative");
        assert_eq!(pool["under_verification"].as_array().unwrap().len(), 9);
        let asked: Vec<_> = members.iter()
            .map(|one| json!({ "type": "resident_id", "number": one.number })).collect();
        let body = json!({ "people": asked });
        let told = app.post(&world.service, "/v1/status/batch", &body).await.expect(200).json();
        for (n, person) in told["people"].as_array().unwrap().iter().enumerate() {
            let expected = if n == 0 { "released" } else { "under_verification" };
            assert_eq!(person["status"]["state"], expected, "{n}");
        }
        all_is_well(app, &world).await;
    }

    async fn a_positive_is_not_lost_behind_a_negative_that_was_ready_first(app) {
        let world = world(app).await;
        let person = people(0, 1);
        let early = seal_tube(app, &world, 0, &person).await.expect(201).json();
        app.pass(Span::hours(3));
        let late = seal_tube(app, &world, 1, &person).await.expect(201).json();
        lab::deliver(app, &world, 0, &[tube(0), tube(1)]).await;
        test(app, &world, 0, &[tube(1)], &[]).await;
        assert_eq!(asked(app, &late, 0, &person[0]).await["outcome"], "not_detected");
        test(app, &world, 1, &[tube(0)], &[(0, POSITIVE)]).await;
        for sealed in [&early, &late] {
            let shown = asked(app, sealed, 0, &person[0]).await;
            assert_eq!((&shown["state"], &shown["outcome"]),
                (&json!("released"), &json!("detected")), "{shown}");
        }
        all_is_well(app, &world).await;
        // A swab taken later still says something newer.
        app.pass(Span::hours(3));
        let third = seal_tube(app, &world, 2, &person).await.expect(201).json();
        lab::deliver(app, &world, 1, &[tube(2)]).await;
        test(app, &world, 2, &[tube(2)], &[]).await;
        assert_eq!(asked(app, &third, 0, &person[0]).await["outcome"], "not_detected");
        all_is_well(app, &world).await;
    }

    async fn nobody_is_told_a_negative_while_their_positive_stands(app) {
        let world = world(app).await;
        let members = people(0, 2);
        seal_tube(app, &world, 0, &members).await.expect(201);
        app.pass(Span::hours(3));
        let later = seal_tube(app, &world, 1, &members[..1]).await.expect(201).json();
        lab::deliver(app, &world, 0, &[tube(0), tube(1)]).await;
        test(app, &world, 0, &[tube(1)], &[(1, POSITIVE)]).await;
        app.pass(Span::hours(1));
        // The pool was swabbed before and is ready after.
        test(app, &world, 1, &[tube(0)], &[]).await;
        assert_eq!(asked(app, &later, 0, &members[0]).await["outcome"], "detected");
        let mut told = Vec::new();
        for replayed in [false, true] {
            let changes = poll_until(app, &world.service, &mut String::new(), 4).await;
            let find = |n: u64| {
                let found = |one: &&Value| one["change"] == "released" && one["tube"] == json!(tube(n));
                changes.iter().find(found).unwrap_or_else(|| panic!("{n}: {changes:?}"))
            };
            let (pool, single) = (find(0), find(1));
            assert_eq!((&pool["outcome"], &single["outcome"]),
                (&json!("not_detected"), &json!("detected")));
            assert_eq!(pool["superseded"], single["persons"], "{pool}");
            assert_eq!(pool["persons"].as_array().unwrap().len(), 1, "the other is told");
            told.push((pool.clone(), single.clone()));
            if replayed {
                break;
            }
            // What comes later changes nothing of what was told then.
            app.pass(Span::hours(3));
            seal_tube(app, &world, 2, &members).await.expect(201);
            lab::deliver(app, &world, 1, &[tube(2)]).await;
            test(app, &world, 2, &[tube(2)], &[]).await;
        }
        assert_eq!(told[0], told[1]);
        all_is_well(app, &world).await;
    }

    async fn a_negative_written_behind_a_positive_signed_after_it_is_told_to_nobody_it_hides(app) {
        let world = world(app).await;
        let members = people(0, 2);
        seal_tube(app, &world, 0, &members).await.expect(201);
        app.pass(Span::hours(3));
        let later = seal_tube(app, &world, 1, &members[..1]).await.expect(201).json();
        lab::deliver(app, &world, 0, &[tube(0), tube(1)]).await;
        test(app, &world, 0, &[tube(1)], &[(1, POSITIVE)]).await;
        test(app, &world, 1, &[tube(0)], &[]).await;
        // As where another node's clock was ahead when it signed the positive.
        let ahead = |table: &str| {
            let code = tube(1);
            format!("update {table} set released_us = released_us + 240000000
                where tube_code = '{code}'")
        };
        tamper(app, &["result_fixed"], &ahead("result")).await;
        tamper(app, &[], &ahead("status")).await;
        assert_eq!(asked(app, &later, 0, &members[0]).await["outcome"], "detected");
        let pool = told_of_the_first(app, &world, 4).await;
        assert_eq!(pool["superseded"].as_array().unwrap().len(), 1, "{pool}");
        assert_eq!(pool["persons"].as_array().unwrap().len(), 1, "{pool}");
    }

    async fn a_negative_written_behind_a_recall_that_was_signed_after_it_is_told_to_nobody_recalled(app) {
        let world = world(app).await;
        let members = people(0, 3);
        seal_tube(app, &world, 0, &members[..2]).await.expect(201);
        seal_tube(app, &world, 1, &members[1..]).await.expect(201);
        lab::deliver(app, &world, 0, &[tube(0), tube(1)]).await;
        test(app, &world, 0, &[tube(1)], &[(1, POSITIVE)]).await;
        test(app, &world, 1, &[tube(0)], &[]).await;
        // As where another node's clock was ahead when it signed the pool that recalls.
        let ahead = "update recall set opened_us = opened_us + 240000000";
        tamper(app, &[], ahead).await;
        let pool = told_of_the_first(app, &world, 5).await;
        assert_eq!(pool["under_verification"].as_array().unwrap().len(), 1, "{pool}");
        assert_eq!(pool["persons"].as_array().unwrap().len(), 1, "{pool}");
    }

    async fn a_positive_that_stood_when_an_older_negative_came_is_found_though_it_was_amended_since(app) {
        let world = world(app).await;
        let members = people(0, 2);
        seal_tube(app, &world, 0, &members).await.expect(201);
        app.pass(Span::hours(3));
        seal_tube(app, &world, 1, &members[..1]).await.expect(201);
        lab::deliver(app, &world, 0, &[tube(0), tube(1)]).await;
        test(app, &world, 0, &[tube(1)], &[(1, POSITIVE)]).await;
        app.pass(Span::hours(1));
        test(app, &world, 1, &[tube(0)], &[]).await;
        app.pass(Span::minutes(3));
        let path = format!("/v1/results/{}.1/amend", tube(1));
        let negative = json!({ "outcome": "not_detected", "reason": "mixed_up" });
        app.post(&world.reviewer, &path, &negative).await.expect(202);
        app.post(&world.second_reviewer, &path, &negative).await.expect(201);
        let pool = told_of_the_first(app, &world, 5).await;
        assert_eq!(pool["superseded"].as_array().unwrap().len(), 1, "{pool}");
    }

    async fn an_answer_that_is_amended_shows_in_the_recall_it_gave(app) {
        let world = world(app).await;
        let members = people(0, 2);
        seal_tube(app, &world, 0, &members).await.expect(201);
        lab::deliver(app, &world, 0, &[tube(0)]).await;
        test(app, &world, 0, &[tube(0)], &[(0, POSITIVE)]).await;
        app.pass(Span::hours(2));
        for n in 1..=2 {
            let one = &members[usize::try_from(n).unwrap() - 1..][..1];
            seal_tube(app, &world, n, one).await.expect(201);
        }
        lab::deliver(app, &world, 1, &[tube(1), tube(2)]).await;
        test(app, &world, 1, &[tube(1), tube(2)], &[]).await;
        for (n, outcome) in [(1, "detected"), (2, "withdrawn")] {
            let path = format!("/v1/results/{}.1/amend", tube(n));
            let wanted = json!({ "outcome": outcome, "reason": "mixed_up" });
            app.post(&world.reviewer, &path, &wanted).await.expect(202);
            app.post(&world.second_reviewer, &path, &wanted).await.expect(201);
        }
        let closed = app.get(&world.officer, "/v1/recalls?state=closed").await.expect(200).json();
        let mut outcomes: Vec<_> = closed["recalls"].as_array().unwrap().iter()
            .map(|recall| recall["follow_up"]["outcome"].as_str().unwrap()).collect();
        outcomes.sort_unstable();
        assert_eq!(outcomes, ["detected", "withdrawn"], "{closed}");
        let open = app.get(&world.officer, "/v1/recalls").await.expect(200).json();
        assert_eq!(open["recalls"].as_array().unwrap().len(), 1, "{open}");
        all_is_well(app, &world).await;
    }
}
