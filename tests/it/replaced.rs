//! Another analysis of the same amplification in the place of a run that was brought in before.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swabline::clock::Span;

use crate::app::{Answer, TestApp};
use crate::each_engine;
use crate::laboratory::{self as lab, NEGATIVE, POSITIVE, Signals};
use crate::world::{World, plate, tube, world};

/// A negative whose internal control another baseline put a little later.
const OTHER_BASELINE: Signals = [None, None, Some("27.9")];

/// Two tubes on a frozen plate.
async fn two_tubes(app: &TestApp) -> (World, Value) {
    let world = world(app).await;
    let tubes = lab::receive(app, &world, 0, 0..2).await;
    let loaded = lab::load(app, &world, 0, &tubes).await;
    app.pass(Span::minutes(100));
    (world, loaded)
}

/// Brings a file in which the first tube shows this.
async fn bring(
    app: &TestApp,
    world: &World,
    loaded: &Value,
    shows: Signals,
    query: &str,
) -> Answer {
    let file = lab::run_file(loaded, &BTreeMap::from([(tube(0), shows)]), false);
    let path = format!("/v1/plates/{}/runs?name=run.txt{query}", loaded["code"].as_str().unwrap());
    app.upload(&world.technician, &path, file).await
}

fn id(run: &Value) -> String {
    run["id"].as_str().unwrap().to_owned()
}

fn in_place_of(run: &Value) -> String {
    format!("&replaces={}&reason=analysed_again", id(run))
}

async fn show(app: &TestApp, world: &World, run: &str) -> Value {
    app.get(&world.auditor, &format!("/v1/runs/{run}")).await.expect(200).json()
}

async fn review(app: &TestApp, world: &World, run: &str, decision: &str) -> Answer {
    let path = format!("/v1/runs/{run}/review");
    app.post(&world.reviewer, &path, &json!({ "decision": decision })).await
}

/// Makes a run void and brings another of its two tubes, on the `n`th plate, in which the first
/// shows this.
async fn made_void_and_tested_again(
    app: &TestApp,
    world: &World,
    run: &Value,
    (n, shows): (u64, Signals),
) -> Value {
    review(app, world, &id(run), "void").await.expect(200);
    let loaded = lab::load(app, world, n, &[tube(0), tube(1)]).await;
    app.pass(Span::minutes(100));
    bring(app, world, &loaded, shows, "").await.expect(201).json()
}

/// What the checks say of analyses done again.
async fn signs(app: &TestApp, world: &World) -> Vec<Value> {
    let report = app.get(&world.officer, "/v1/integrity").await.expect(200).json();
    let signs = report["signs"].as_array().unwrap().iter();
    signs.filter(|sign| sign["check"] == "replaced").cloned().collect()
}

each_engine! {
    async fn another_analysis_takes_the_place_of_a_run_that_is_kept(app) {
        let (world, loaded) = two_tubes(app).await;
        let first = bring(app, &world, &loaded, NEGATIVE, "").await.expect(201).json();
        let refused = bring(app, &world, &loaded, OTHER_BASELINE, "").await.expect(409);
        assert_eq!(refused.code(), "run.plate_has_run");
        assert!(refused.text().contains(&format!("replaces={}", id(&first))), "{}", refused.text());
        let query = in_place_of(&first);
        let dry = format!("{query}&dry_run=true");
        bring(app, &world, &loaded, OTHER_BASELINE, &dry).await.expect(200);
        assert_eq!(show(app, &world, &id(&first)).await["state"], "draft", "nothing was kept");
        let second = bring(app, &world, &loaded, OTHER_BASELINE, &query).await.expect(201).json();
        assert_eq!((&second["state"], &second["replaces"]["replaces"], &second["replaces"]["by"]),
            (&json!("draft"), &first["id"], &json!(world.technician.actor.account)));
        lab::assert_kept(app, &world, &second).await;
        let flag = &second["verdict"]["flags"][0];
        assert_eq!(flag["code"], "replaces", "{second}");
        assert!(flag["message"].as_str().unwrap().contains("no call changed"), "{flag}");
        let old = show(app, &world, &id(&first)).await;
        assert_eq!((&old["state"], &old["replaced_by"]), (&json!("void"), &second["replaces"]));
        assert_eq!(old["calls"], first["calls"], "the old analysis is kept");
        // Either file again is the run it is.
        let again = bring(app, &world, &loaded, OTHER_BASELINE, &query).await.expect(200).json();
        assert_eq!(again["id"], second["id"]);
        let again = bring(app, &world, &loaded, NEGATIVE, "").await.expect(200).json();
        assert_eq!((&again["id"], &again["replaced_by"]["run"]), (&first["id"], &second["id"]));
        // The tubes stayed on their plate, and their results are those of the run that counts.
        let on = json!({ "on": true, "reason": "validated" });
        app.put(&world.reviewer, "/v1/switches/auto_release", &on).await.expect(200);
        let reviewed = review(app, &world, &id(&second), "accept").await.expect(200).json();
        assert_eq!(reviewed["released_by_rule"], json!([]), "two people look at it");
        let path = format!("/v1/runs/{}/release", id(&second));
        let told = app.post(&world.second_reviewer, &path, &json!({})).await.expect(200).json();
        assert_eq!(told["released"]["reported"], json!([tube(0), tube(1)]));
        let ledger = app.get(&world.officer, "/v1/ledger").await.expect(200).json();
        assert_eq!(ledger["unexplained"], 0, "{ledger}");
        assert_eq!(signs(app, &world).await, [] as [Value; 0]);
    }

    async fn a_reviewed_run_is_replaced_and_waits_for_both_people_again(app) {
        let (world, loaded) = two_tubes(app).await;
        let first = bring(app, &world, &loaded, NEGATIVE, "").await.expect(201).json();
        review(app, &world, &id(&first), "accept").await.expect(200);
        let query = in_place_of(&first);
        let second = bring(app, &world, &loaded, OTHER_BASELINE, &query).await.expect(201).json();
        let release = |run: &Value| format!("/v1/runs/{}/release", id(run));
        let early = app.post(&world.second_reviewer, &release(&second), &json!({})).await;
        assert_eq!(early.expect(409).code(), "review.not_reviewed");
        app.post(&world.second_reviewer, &release(&first), &json!({})).await.expect(409);
        review(app, &world, &id(&first), "accept").await.expect(409);
        lab::release(app, &world, &id(&second)).await;
    }

    async fn the_same_file_comes_again_under_the_right_instrument(app) {
        let (world, loaded) = two_tubes(app).await;
        let file = String::from_utf8(lab::run_file(&loaded, &BTreeMap::new(), false)).unwrap();
        let nameless = file.replace("278870001", "").into_bytes();
        let path = format!("/v1/plates/{}/runs?name=run.txt", plate(0));
        let bring = async |query: &str| {
            app.upload(&world.technician, &format!("{path}{query}"), nameless.clone()).await
        };
        let wrong = bring("&instrument=CFX-3").await.expect(201).json();
        let refused = bring("&instrument=CFX-4").await.expect(409);
        assert_eq!(refused.code(), "run.other_instrument");
        let advice = format!("replaces={}&reason=wrong_instrument", id(&wrong));
        assert!(refused.text().contains(&advice), "{}", refused.text());
        let query = format!("&instrument=CFX-4&{advice}");
        let right = bring(&query).await.expect(201).json();
        assert_eq!((&right["serial"], &right["parts"]), (&json!("CFX-4"), &wrong["parts"]));
        assert_ne!(right["id"], wrong["id"]);
        assert_eq!(bring(&query).await.expect(200).json()["id"], right["id"]);
        assert_eq!(bring("&instrument=CFX-4").await.expect(200).json()["id"], right["id"]);
        let file = format!("/v1/runs/{}/file", id(&right));
        assert_eq!(app.get(&world.auditor, &file).await.expect(200).text().as_bytes(), nameless);
        // Each amplification is on the chart of one instrument.
        for (instrument, series) in [("CFX-3", 0), ("CFX-4", 2)] {
            let path = format!("/v1/quality/charts?measure=positive_control&instrument={instrument}");
            let chart = app.get(&world.technician, &path).await.expect(200).json();
            assert_eq!(chart["series"].as_array().unwrap().len(), series, "{chart}");
        }
        // And once more, back.
        let back = format!("&instrument=CFX-3&replaces={}&reason=wrong_instrument", id(&right));
        let third = bring(&back).await.expect(201).json();
        assert_eq!(third["serial"], "CFX-3");
        lab::release(app, &world, &id(&third)).await;
    }

    async fn what_was_told_or_does_not_count_is_not_replaced(app) {
        let (world, loaded) = two_tubes(app).await;
        let first = bring(app, &world, &loaded, NEGATIVE, "").await.expect(201).json();
        for query in [format!("&replaces={}", id(&first)), "&reason=wrong_export".to_owned()] {
            let refused = bring(app, &world, &loaded, OTHER_BASELINE, &query).await.expect(422);
            assert_eq!(refused.code(), "run.replaces");
        }
        let other = "&replaces=another&reason=analysed_again";
        let refused = bring(app, &world, &loaded, OTHER_BASELINE, other).await.expect(409);
        assert_eq!(refused.code(), "run.replaces_other");
        let query = in_place_of(&first);
        let on = json!({ "on": true, "reason": "validated" });
        app.put(&world.reviewer, "/v1/switches/auto_release", &on).await.expect(200);
        let told = review(app, &world, &id(&first), "accept").await.expect(200).json();
        assert_eq!(told["state"], "released", "{told}");
        let refused = bring(app, &world, &loaded, OTHER_BASELINE, &query).await.expect(409);
        assert_eq!(refused.code(), "run.replaces_released");
        let refused = bring(app, &world, &loaded, OTHER_BASELINE, "").await.expect(409);
        assert!(refused.text().contains("can only be amended"), "{}", refused.text());
    }

    async fn what_the_rule_told_of_a_reviewed_run_keeps_it_from_being_replaced(app) {
        let (world, loaded) = two_tubes(app).await;
        let first = bring(app, &world, &loaded, POSITIVE, "").await.expect(201).json();
        let on = json!({ "on": true, "reason": "validated" });
        app.put(&world.reviewer, "/v1/switches/auto_release", &on).await.expect(200);
        let told = review(app, &world, &id(&first), "accept").await.expect(200).json();
        assert_eq!((&told["state"], &told["released_by_rule"]),
            (&json!("reviewed"), &json!([tube(1)])));
        let refused = bring(app, &world, &loaded, NEGATIVE, &in_place_of(&first)).await.expect(409);
        assert_eq!(refused.code(), "run.replaces_told");
        assert_eq!(show(app, &world, &id(&first)).await["state"], "reviewed");
    }

    async fn a_run_made_void_for_a_new_test_closes_its_plate_as_before(app) {
        let (world, loaded) = two_tubes(app).await;
        let first = bring(app, &world, &loaded, NEGATIVE, "").await.expect(201).json();
        review(app, &world, &id(&first), "void").await.expect(200);
        let query = in_place_of(&first);
        let refused = bring(app, &world, &loaded, OTHER_BASELINE, &query).await.expect(409);
        assert_eq!(refused.code(), "run.replaces_other");
        let refused = bring(app, &world, &loaded, OTHER_BASELINE, "").await.expect(409);
        assert_eq!(refused.code(), "run.plate_closed");
        lab::load(app, &world, 1, &[tube(0), tube(1)]).await;
    }

    async fn a_positive_that_was_analysed_until_it_was_gone_shows(app) {
        let (world, loaded) = two_tubes(app).await;
        let first = bring(app, &world, &loaded, POSITIVE, "").await.expect(201).json();
        let query = in_place_of(&first);
        let silent = [None, None, None];
        let second = bring(app, &world, &loaded, silent, &query).await.expect(201).json();
        let query = in_place_of(&second);
        let third = bring(app, &world, &loaded, NEGATIVE, &query).await.expect(201).json();
        let flag = second["verdict"]["flags"][0]["message"].as_str().unwrap();
        assert!(flag.contains(&format!("{} was detected and is invalid", tube(0))), "{flag}");
        app.pass(Span::minutes(1));
        let found = signs(app, &world).await;
        assert_eq!((found.len(), &found[0]["about"]), (1, &third["id"]), "{found:?}");
    }

    async fn a_positive_that_one_person_made_void_is_not_released_by_rule_when_it_is_gone(app) {
        let (world, loaded) = two_tubes(app).await;
        let on = json!({ "on": true, "reason": "validated" });
        app.put(&world.reviewer, "/v1/switches/auto_release", &on).await.expect(200);
        let first = bring(app, &world, &loaded, POSITIVE, "").await.expect(201).json();
        let second = made_void_and_tested_again(app, &world, &first, (1, NEGATIVE)).await;
        let call = |at: usize| &second["calls"][at];
        assert_eq!((&call(0)["voided"], call(1).get("voided")), (&json!(true), None), "{second}");
        let told = review(app, &world, &id(&second), "accept").await.expect(200).json();
        assert_eq!(told["released_by_rule"], json!([tube(1)]), "the other needs a second person");
        app.pass(Span::minutes(1));
        let found = signs(app, &world).await;
        assert_eq!((found.len(), &found[0]["about"]), (1, &second["id"]), "{found:?}");
        let message = found[0]["message"].as_str().unwrap();
        assert!(message.starts_with("1 tubes are negative that a run that was made void"), "{message}");
    }

    async fn what_was_negative_before_its_run_was_void_or_is_positive_again_is_no_sign(app) {
        let (world, loaded) = two_tubes(app).await;
        let on = json!({ "on": true, "reason": "validated" });
        app.put(&world.reviewer, "/v1/switches/auto_release", &on).await.expect(200);
        let first = bring(app, &world, &loaded, NEGATIVE, "").await.expect(201).json();
        let second = made_void_and_tested_again(app, &world, &first, (1, POSITIVE)).await;
        let third = made_void_and_tested_again(app, &world, &second, (2, POSITIVE)).await;
        let told = review(app, &world, &id(&third), "accept").await.expect(200).json();
        assert_eq!(told["released_by_rule"], json!([tube(1)]), "it was negative all the time");
        app.pass(Span::minutes(1));
        assert_eq!(signs(app, &world).await, [] as [Value; 0]);
    }
}
