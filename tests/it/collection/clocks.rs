//! Devices whose clocks are wrong: what they say is put right before it is kept, compared or told.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swabline::clock::Span;

use crate::app::TestApp;
use crate::each_engine;
use crate::feeds::poll_until;
use crate::laboratory::{self as lab, NEGATIVE, POSITIVE, Signals};
use crate::shipment::number;
use crate::world::{Person, World, people, person, tube, tube_body, world};

/// What a device whose clock is off by `skew` sends for the `n`th tube.
fn body_by(app: &TestApp, skew: Span, n: u64, people: &[Person]) -> Value {
    let mut body = tube_body(app, n, people);
    let now = app.now() + skew;
    body["device"]["time"] = json!(now);
    body["sealed_at"] = json!(now - Span::minutes(1));
    for member in body["members"].as_array_mut().unwrap() {
        member["taken_at"] = json!(now - Span::minutes(10));
    }
    body
}

/// The `n`th tube goes its whole way and reads these signals.
async fn release(app: &TestApp, world: &World, n: u64, signals: Signals) {
    let tubes = [tube(n)];
    lab::deliver(app, world, n, &tubes).await;
    let plate = lab::load(app, world, n, &tubes).await;
    let file = lab::run_file(&plate, &BTreeMap::from([(tube(n), signals)]), false);
    let run = lab::upload(app, world, &plate, file).await.expect(201).json();
    lab::release(app, world, run["id"].as_str().unwrap()).await;
}

/// What a service reads of this person.
async fn status(app: &TestApp, world: &World, person: &Person) -> Value {
    let asked = json!({ "people": [{ "type": "resident_id", "number": person.number }] });
    let answer = app.post(&world.service, "/v1/status/batch", &asked).await.expect(200);
    answer.json()["people"][0]["status"].clone()
}

/// Day 1: a pool with person 0, released negative. Day 2: person 0 alone, released detected.
/// Whatever the two devices' clocks say, the person reads as detected.
async fn two_days(app: &TestApp, first: Span, second: Span) {
    let world = world(app).await;
    let path = |n| format!("/v1/tubes/{}", tube(n));
    let body = body_by(app, first, 0, &people(0, 10));
    app.put(&world.sampler, &path(0), &body).await.expect(201);
    let swabbed = app.now() - Span::minutes(10);
    release(app, &world, 0, NEGATIVE).await;
    let read = status(app, &world, &person(0)).await;
    assert_eq!((&read["state"], &read["outcome"]), (&json!("released"), &json!("not_detected")));
    assert_eq!(read["sampled_at"], json!(swabbed));

    app.pass(Span::days(1));
    let body = body_by(app, second, 1, &[person(0)]);
    app.put(&world.sampler, &path(1), &body).await.expect(201);
    let read = status(app, &world, &person(0)).await;
    assert_eq!(read["state"], "sampled", "the newer swab is under way");
    release(app, &world, 1, POSITIVE).await;
    let read = status(app, &world, &person(0)).await;
    assert_eq!((&read["state"], &read["outcome"]), (&json!("released"), &json!("detected")));
    assert_eq!(read["sampled_at"], json!(app.now() - Span::minutes(10)));
    let read = status(app, &world, &person(9)).await;
    assert_eq!(read["outcome"], "not_detected", "the pool's other members read as before");

    let key = app.app.keys.person_key("resident_id", &person(0).number);
    let changes = poll_until(app, &world.service, &mut String::new(), 6).await;
    let told: Vec<_> = changes
        .iter()
        .filter(|change| change["change"] == "released")
        .filter(|change| change["persons"].as_array().unwrap().contains(&json!(key.as_str())))
        .map(|change| change["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["not_detected", "detected"]);
    for day in ["2020-06-21", "2020-06-22"] {
        let path = format!("/v1/ledger?day={day}");
        let ledger = app.get(&world.officer, &path).await.expect(200).json();
        assert_eq!(ledger["whole"]["tubes"]["released"], 1, "{day}: {ledger}");
        assert_eq!(ledger["unexplained"], 0, "{day}: {ledger}");
    }
}

each_engine! {
    async fn a_swab_of_a_device_a_day_ahead_does_not_outlive_the_next(app) {
        two_days(app, Span::hours(30), Span::hours(0)).await;
    }

    async fn a_swab_of_a_device_a_day_behind_is_newer_than_the_one_before(app) {
        two_days(app, Span::hours(0), Span::hours(-30)).await;
    }

    async fn devices_with_right_clocks_are_kept_as_they_say(app) {
        two_days(app, Span::hours(0), Span::hours(0)).await;
    }

    async fn a_retry_from_a_clock_that_moves_is_still_the_same_tube(app) {
        let world = world(app).await;
        let path = format!("/v1/tubes/{}", tube(1));
        let mut body = body_by(app, Span::hours(30), 1, &people(0, 3));
        let first = app.put(&world.sampler, &path, &body).await.expect(201).json();
        let kept = "select sealed_us from tube";
        let sealed = number(app, kept).await;
        assert_eq!(sealed, (app.now() - Span::minutes(1)).us());
        assert_eq!(number(app, "select device_skew_us from tube").await, Span::hours(30).us());
        // The device's clock loses a minute while it waits three.
        app.pass(Span::minutes(3));
        body["device"]["time"] = json!(app.now() + Span::hours(30) - Span::minutes(1));
        assert_eq!(app.put(&world.sampler, &path, &body).await.expect(200).json(), first);
        assert_eq!(number(app, kept).await, sealed);
        body["sealed_at"] = json!(app.now() + Span::hours(30) - Span::minutes(3));
        let other = app.put(&world.sampler, &path, &body).await.expect(409).json();
        assert_eq!(other["errors"][0]["about"], "sealed_at", "{other}");
    }

    async fn a_retry_is_the_same_tube_however_late_and_a_late_tube_is_refused(app) {
        let world = world(app).await;
        let path = |n| format!("/v1/tubes/{}", tube(n));
        let (mut sent, mut late) =
            (tube_body(app, 1, &people(0, 10)), tube_body(app, 2, &people(20, 10)));
        let first = app.put(&world.sampler, &path(1), &sent).await.expect(201).json();
        // A week later, and after the end of the round, a device clears its store; its clock was
        // set right, or wrong, in between.
        app.pass(Span::days(20));
        for skew in [Span::hours(0), Span::days(-40), Span::days(40)] {
            sent["device"]["time"] = json!(app.now() + skew);
            assert_eq!(app.put(&world.sampler, &path(1), &sent).await.expect(200).json(), first);
        }
        late["device"]["time"] = json!(app.now());
        let refused = app.put(&world.sampler, &path(2), &late).await.expect(422);
        assert_eq!(refused.code(), "tube.too_old");
        let mut batch = [sent, late];
        for (n, item) in (1..).zip(&mut batch) {
            item["code"] = json!(tube(n));
        }
        let batch = json!({ "tubes": batch });
        let answer = app.post(&world.sampler, "/v1/tubes/batch", &batch).await.expect(200).json();
        assert_eq!(answer["tubes"][0]["outcome"], "duplicate", "{answer}");
        assert_eq!(answer["tubes"][1]["outcome"], "rejected", "{answer}");
        let mut other = batch["tubes"][0].clone();
        other["device"]["sequence"] = json!(99);
        app.put(&world.sampler, &path(1), &other).await.expect(409);
    }

    async fn a_tube_sealed_hours_after_its_session_closed_is_flagged_and_kept(app) {
        let world = world(app).await;
        let seal = |n| {
            let body = tube_body(app, n, &people(n * 20, 2));
            let sampler = &world.sampler;
            async move { app.put(sampler, &format!("/v1/tubes/{}", tube(n)), &body).await }
        };
        app.pass(Span::hours(13));
        assert_eq!(seal(1).await.expect(201).json()["flags"], json!([]));
        app.pass(Span::minutes(2));
        let first = seal(2).await.expect(201).json();
        assert_eq!(first["flags"], json!(["session_hours"]));
        assert_eq!(seal(2).await.expect(200).json(), first);
    }
}
