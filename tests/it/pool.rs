//! Laboratory pools over HTTP: mixed, called as one, and taken apart again by testing what
//! remains of each tube.

mod baseline;

use std::collections::BTreeMap;

use axum::http::Method;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use swabline::clock::Span;
use swabline::config::Config;
use swabline::pooling::monitoring::Share;
use swabline::simulation::screening::{Screened, Screening, play};

use crate::app::{Answer, TestApp, fresh_database, postgres_url};
use crate::each_engine;
use crate::laboratory::{self as lab, POSITIVE, SILENT, SINGLE_TARGET, Signals};
use crate::world::{self, World, people, pool, seal_tube, tube, world};

/// Seals single tubes of different people, numbered so, and delivers them in the `n`th box.
async fn singles(
    app: &TestApp,
    world: &World,
    n: u64,
    numbers: std::ops::Range<u64>,
) -> Vec<String> {
    for number in numbers.clone() {
        seal_tube(app, world, number, &people(number, 1)).await.expect(201);
    }
    let tubes: Vec<_> = numbers.map(tube).collect();
    lab::deliver(app, world, n, &tubes).await;
    tubes
}

/// Mixes tubes by fives into pools numbered from `from`; gives their codes.
async fn mixed(app: &TestApp, world: &World, from: u64, tubes: &[String]) -> Vec<String> {
    let mut pools = Vec::new();
    for (n, share) in (from..).zip(tubes.chunks(5)) {
        lab::mix(app, world, n, share).await.expect(201);
        pools.push(pool(n));
    }
    pools
}

/// Puts tubes and pools on the `n`th plate, freezes it and uploads its run.
async fn run(
    app: &TestApp,
    world: &World,
    n: u64,
    placed: (&[String], &[String]),
    (signals, controls_fail): (&[(String, Signals)], bool),
) -> Value {
    lab::place(app, world, n, placed).await.expect(201);
    let plate = lab::freeze_placed(app, world, n).await.expect(200).json();
    let signals: BTreeMap<_, _> = signals.iter().cloned().collect();
    let file = lab::run_file(&plate, &signals, controls_fail);
    lab::upload(app, world, &plate, file).await.expect(201).json()
}

/// Runs and releases them; gives what became of the tubes.
async fn tested(
    app: &TestApp,
    world: &World,
    n: u64,
    placed: (&[String], &[String]),
    signals: &[(String, Signals)],
) -> Value {
    let run = run(app, world, n, placed, (signals, false)).await;
    lab::release(app, world, run["id"].as_str().unwrap()).await["released"].clone()
}

async fn all_is_well(app: &TestApp, world: &World) -> Value {
    let ledger = app.get(&world.officer, "/v1/ledger").await.expect(200).json();
    assert_eq!(ledger["unexplained"], 0, "{ledger}");
    let mut tx = app.app.db.read("test.verify").await.unwrap();
    assert_eq!(swabline::audit::verify(&mut tx).await.unwrap().broken, None);
    ledger["whole"]["tubes"].clone()
}

async fn shown(app: &TestApp, world: &World, n: u64) -> Value {
    let person = json!({ "type": "resident_id", "number": world::person(n).number });
    let body = json!({ "people": [person] });
    let answer = app.post(&world.service, "/v1/status/batch", &body).await.expect(200).json();
    answer["people"][0]["status"].clone()
}

async fn pooling_kits(app: &TestApp, world: &World) -> Value {
    let path = "/v1/pooling?laboratory=L01";
    app.get(&world.auditor, path).await.expect(200).json()["kits"].clone()
}

async fn pooling(app: &TestApp, world: &World) -> Value {
    let path = "/v1/pooling?laboratory=L01";
    app.get(&world.reviewer, path).await.expect(200).json()["kits"][0].clone()
}

fn codes(answer: &Answer) -> Vec<String> {
    let reasons = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
}

each_engine! {
    async fn forty_tubes_in_eight_pools_are_taken_apart_where_two_are_positive(app) {
        let world = world(app).await;
        let tubes = singles(app, &world, 0, 0..40).await;
        let pools = mixed(app, &world, 0, &tubes).await;
        assert_eq!(pools.len(), 8);
        let signals = [(pool(1), POSITIVE), (pool(6), POSITIVE)];
        let released = tested(app, &world, 0, (&[], &pools), &signals).await;
        let back = [&tubes[5..10], &tubes[30..35]].concat();
        assert_eq!(released["retested"], json!(back), "{released}");
        assert_eq!(released["reported"].as_array().unwrap().len(), 30);
        assert_eq!(released["recalls_opened"], 0, "nobody has to come again");
        assert_eq!(shown(app, &world, 7).await["state"], "received", "nobody is told a pool's positive");
        let negative = shown(app, &world, 0).await;
        assert_eq!((&negative["outcome"], &negative["pooled"]), (&json!("not_detected"), &json!(5)));
        assert_eq!(all_is_well(app, &world).await["received"], 10);

        // The tubes of the positive pools come first on the next plate, before new pools.
        let new = singles(app, &world, 1, 40..45).await;
        let more = mixed(app, &world, 8, &new).await;
        let signals = [(tube(7), POSITIVE), (tube(33), POSITIVE)];
        let released = tested(app, &world, 1, (&back, &more), &signals).await;
        assert_eq!(released["reported"].as_array().unwrap().len(), 15, "{released}");
        for n in 0..45 {
            let status = shown(app, &world, n).await;
            let outcome = if [7, 33].contains(&n) { "detected" } else { "not_detected" };
            assert_eq!((&status["state"], &status["outcome"]), (&json!("released"), &json!(outcome)));
            let alone = (5..10).contains(&n) || (30..35).contains(&n);
            assert_eq!(status["pooled"], if alone { Value::Null } else { json!(5) }, "{n}");
        }
        let whole = all_is_well(app, &world).await;
        assert_eq!((&whole["released"], &whole["collected"]), (&json!(45), &json!(45)));
        let figures = pooling(app, &world).await;
        assert_eq!(figures["pooled"], json!({ "people": 45, "positive": 2 }), "{figures}");
        assert_eq!((&figures["pools"], &figures["detected"], &figures["state"]),
            (&json!(9), &json!(2), &json!("go_on")));
    }

    async fn the_way_of_a_tube_shows_its_pool(app) {
        let world = world(app).await;
        let tubes = singles(app, &world, 0, 0..3).await;
        lab::mix(app, &world, 4, &tubes).await.expect(201);
        tested(app, &world, 0, (&[], &[pool(4)]), &[(pool(4), POSITIVE)]).await;
        tested(app, &world, 1, (&tubes, &[]), &[]).await;
        let way = app.get(&world.officer, &format!("/v1/tubes/{}", tubes[1])).await;
        let way = way.expect(200).json();
        assert_eq!(way["pools"].as_array().unwrap().len(), 1, "{way}");
        assert_eq!((&way["pools"][0]["code"], &way["pools"][0]["outcome"], &way["pools"][0]["depth"]),
            (&json!(pool(4)), &json!("detected"), &json!(3)));
        let of = |list: &str, field: &str| -> Vec<Value> {
            way[list].as_array().unwrap().iter().map(|one| one[field].clone()).collect()
        };
        assert_eq!(of("wells", "pool"), [json!(pool(4)), Value::Null]);
        assert_eq!(of("wells", "depth"), [json!(3), json!(1)]);
        assert_eq!(of("calls", "pool"), [json!(pool(4)), Value::Null]);
        assert_eq!(of("calls", "disposition"), [json!("retest"), json!("report")]);
        assert_eq!(of("calls", "attempt"), [json!(1), json!(2)]);
        let stored = app.get(&world.reviewer, &format!("/v1/pools/{}", pool(4))).await;
        let stored = stored.expect(200).json();
        assert_eq!((&stored["state"], &stored["outcome"], &stored["tubes"]),
            (&json!("called"), &json!("detected"), &json!(tubes)));
    }

    async fn every_reason_against_a_pool_is_told_at_once(app) {
        let world = world(app).await;
        let mut tubes = singles(app, &world, 0, 0..2).await;
        seal_tube(app, &world, 2, &people(20, 10)).await.expect(201);
        lab::deliver(app, &world, 1, &[tube(2)]).await;
        seal_tube(app, &world, 3, &people(50, 1)).await.expect(201);
        tubes.extend([tube(2), tube(3), tube(90), tube(0)]);
        let refused = lab::mix(app, &world, 0, &tubes).await.expect(422);
        assert_eq!(codes(&refused), ["pool.too_many_tubes", "pool.tube_twice", "pool.field_pool",
            "pool.tube_state", "pool.tube_unknown", "pool.too_deep"]);
        let text = refused.text();
        assert!(text.contains("field pools are never pooled again"), "{text}");
        let path = format!("/v1/pools/{}", pool(0));
        let of = |kit: &str, version: &str| json!({ "laboratory": "L01", "kit": kit,
            "kit_version": version, "tubes": [tube(0), tube(1)] });
        let refused = app.put(&world.technician, &path, &of("codx-logix-smart", "1")).await;
        assert_eq!(codes(&refused.expect(422)), ["pool.kit", "pool.too_deep"]);
        app.put(&world.technician, &path, &of("cdc-2019-ncov", "06")).await.expect(201);
        app.get(&world.technician, &format!("/v1/pools/{}", pool(1))).await.expect(404);
        let never = format!("/v1/pools/{}", pool(world::POOLS));
        let refused = app.put(&world.technician, &never, &of("cdc-2019-ncov", "06")).await;
        assert_eq!(codes(&refused.expect(422)), ["code.never_allotted"]);
    }

    async fn what_is_mixed_stays_mixed(app) {
        let world = world(app).await;
        let mut tubes = singles(app, &world, 0, 0..4).await;
        let made = lab::mix(app, &world, 0, &tubes[..3]).await.expect(201).json();
        let other_order: Vec<_> = tubes[..3].iter().rev().map(|code| code.to_lowercase()).collect();
        assert_eq!(lab::mix(app, &world, 0, &other_order).await.expect(200).json(), made);
        let refused = lab::mix(app, &world, 0, &tubes[..2]).await.expect(409);
        assert_eq!(codes(&refused), ["pool.differs"]);
        // A tube is in one pool at a time, and stands alone nowhere meanwhile.
        let again = lab::mix(app, &world, 1, &tubes[2..]).await.expect(422);
        assert_eq!(codes(&again), ["pool.tube_pooled"]);
        let alone = lab::place(app, &world, 0, (&tubes[..1], &[])).await.expect(422);
        assert_eq!(codes(&alone), ["plate.tube_pooled"]);
        // Given up, its tubes are free.
        let path = format!("/v1/pools/{}/dissolve", pool(0));
        let dissolved = app.post(&world.technician, &path, &json!({})).await.expect(200).json();
        assert_eq!(dissolved["state"], "dissolved");
        assert_eq!(app.post(&world.technician, &path, &json!({})).await.expect(200).json(), dissolved);
        lab::mix(app, &world, 1, &tubes[2..]).await.expect(201);
        let used = lab::place(app, &world, 0, (&[], &[pool(0)])).await.expect(422);
        assert_eq!(codes(&used), ["plate.pool_state"]);
        tubes.truncate(2);
        let released = tested(app, &world, 0, (&tubes, &[pool(1)]), &[]).await;
        assert_eq!(released["reported"].as_array().unwrap().len(), 4);
        let late = format!("/v1/pools/{}/dissolve", pool(1));
        let refused = app.post(&world.technician, &late, &json!({})).await.expect(409);
        assert_eq!(codes(&refused), ["pool.used"]);
        all_is_well(app, &world).await;
    }

    async fn of_two_people_who_mix_the_same_tube_one_is_told_so(app) {
        let world = world(app).await;
        let tubes = singles(app, &world, 0, 0..3).await;
        let (one, other) = tokio::join!(
            lab::mix(app, &world, 0, &tubes[..2]),
            lab::mix(app, &world, 1, &tubes[1..])
        );
        let mut answers = [one, other];
        answers.sort_by_key(|answer| answer.status);
        assert_eq!(answers[0].status, 201);
        assert_eq!((answers[1].status.as_u16(), codes(&answers[1])),
            (422, vec!["pool.tube_pooled".to_owned()]));
    }

    async fn the_first_plate_to_freeze_has_the_pool(app) {
        let world = world(app).await;
        let tubes = singles(app, &world, 0, 0..3).await;
        // A tube that was put on a draft before it was mixed.
        lab::place(app, &world, 2, (&tubes[..1], &[])).await.expect(201);
        lab::mix(app, &world, 0, &tubes).await.expect(201);
        let refused = lab::freeze_placed(app, &world, 2).await.expect(409);
        assert_eq!(codes(&refused), ["plate.tube_pooled"]);
        for n in 0..2 {
            lab::place(app, &world, n, (&[], &[pool(0)])).await.expect(201);
        }
        let frozen = lab::freeze_placed(app, &world, 1).await.expect(200).json();
        let well = frozen["wells"].as_array().unwrap().iter().find(|well| well["pool"] == pool(0));
        assert_eq!((&well.unwrap()["depth"], &well.unwrap()["pooled"]), (&json!(3), &json!(tubes)));
        // The very same plate sent again is the same answer.
        assert_eq!(lab::place(app, &world, 1, (&[], &[pool(0)])).await.expect(200).json(), frozen);
        assert_eq!(lab::freeze_placed(app, &world, 0).await.expect(409).code(), "plate.tube_taken");
        let path = format!("/v1/plates/{}/worklist", world::plate(1));
        let list = app.get(&world.technician, &path).await.expect(200).text();
        for tube in &tubes {
            assert!(list.contains(&format!(",{tube},mix,pool {}", pool(0))), "{list}");
        }
        all_is_well(app, &world).await;
    }

    async fn a_pool_stands_on_a_plate_of_its_kit_once_and_without_its_tubes(app) {
        let world = world(app).await;
        let tubes = singles(app, &world, 0, 0..4).await;
        lab::mix(app, &world, 0, &tubes[..2]).await.expect(201);
        let request = |kit: &str, version: &str, pools: &[String]| json!({ "laboratory": "L01",
            "kit": kit, "kit_version": version, "template": "one-well-94-columns",
            "pools": pools });
        let path = format!("/v1/plates/{}", world::plate(0));
        let other = app.put(&world.technician, &path, &request("orf1ab-n-ic", "2", &[pool(0)])).await;
        assert_eq!(codes(&other.expect(422)), ["plate.pool_kit"]);
        let unknown = request("orf1ab-n-ic", "1", &[pool(9)]);
        let unknown = app.put(&world.technician, &path, &unknown).await.expect(422);
        assert_eq!(codes(&unknown), ["plate.pool_unknown"]);
        let twice = lab::place(app, &world, 0, (&[], &[pool(0), pool(0)])).await.expect(422);
        assert_eq!(codes(&twice), ["plate.pool_listed_twice"]);
        let both = lab::place(app, &world, 0, (&tubes[..1], &[pool(0)])).await.expect(422);
        assert_eq!(codes(&both), ["plate.tube_twice"]);
        // Stated well by well.
        let wells = json!([
            { "well": "A1", "reaction": "mix", "pool": pool(0) },
            { "well": "B1", "reaction": "mix", "tube": tubes[2] },
            { "well": "C1", "reaction": "mix", "tube": tubes[3], "pool": pool(0) },
        ]);
        let stated = json!({ "laboratory": "L01", "kit": "orf1ab-n-ic", "kit_version": "1",
            "size": 96, "wells": wells });
        let refused = app.put(&world.technician, &path, &stated).await.expect(422);
        assert_eq!(codes(&refused), ["plate.content"]);
        let mut sound = stated.clone();
        sound["wells"] = json!([wells[0], wells[1],
            { "well": "C11", "reaction": "mix", "control": "positive" },
            { "well": "D12", "reaction": "mix", "control": "negative" }]);
        let made = app.put(&world.technician, &path, &sound).await.expect(201).json();
        assert_eq!((&made["wells"][0]["pool"], &made["wells"][0]["depth"]),
            (&json!(pool(0)), &json!(2)));
    }

    async fn a_void_run_leaves_the_pool_to_be_tested_again(app) {
        let world = world(app).await;
        let tubes = singles(app, &world, 0, 0..5).await;
        lab::mix(app, &world, 0, &tubes).await.expect(201);
        let run = run(app, &world, 0, (&[], &[pool(0)]), (&[], true)).await;
        assert_eq!(run["verdict"]["usable"], false);
        let path = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        let void = json!({ "decision": "void" });
        let voided = app.post(&world.reviewer, &path, &void).await.expect(200).json();
        assert_eq!(voided["back"], json!(tubes));
        let stored = app.get(&world.technician, &format!("/v1/pools/{}", pool(0))).await;
        assert_eq!(stored.expect(200).json()["state"], "open");
        all_is_well(app, &world).await;
        let released = tested(app, &world, 1, (&[], &[pool(0)]), &[]).await;
        assert_eq!(released["reported"], json!(tubes));
        assert_eq!(shown(app, &world, 0).await["outcome"], "not_detected");
        all_is_well(app, &world).await;
    }

    async fn doubtful_and_silent_pools_send_their_tubes_back_and_use_up_no_retest(app) {
        let world = world(app).await;
        let tubes = singles(app, &world, 0, 0..10).await;
        let pools = mixed(app, &world, 0, &tubes).await;
        let signals = [(pool(0), SINGLE_TARGET), (pool(1), SILENT)];
        let released = tested(app, &world, 0, (&[], &pools), &signals).await;
        assert_eq!(released["retested"], json!(tubes), "{released}");
        // They are tested alone from now on.
        let refused = lab::mix(app, &world, 5, &tubes[..2]).await.expect(422);
        assert_eq!(codes(&refused), ["pool.tube_retest", "pool.tube_retest"]);
        // One target alone in the first test of the tube itself is not the same again.
        let signals = [(tube(0), SINGLE_TARGET), (tube(5), SILENT)];
        let released = tested(app, &world, 1, (&tubes, &[]), &signals).await;
        assert_eq!(released["retested"], json!([tube(0), tube(5)]), "{released}");
        assert_eq!(released["recalled"], json!([]));
        let both = [tube(0), tube(5)];
        let released = tested(app, &world, 2, (&both, &[]), &signals).await;
        assert_eq!((&released["reported"], &released["recalled"]),
            (&json!([tube(0)]), &json!([tube(5)])), "the kit's own chain ends here: {released}");
        all_is_well(app, &world).await;
    }

    async fn clean_negative_pools_are_released_by_rule_and_taken_apart_ones_by_two_people(app) {
        let world = world(app).await;
        let tubes = singles(app, &world, 0, 0..10).await;
        let pools = mixed(app, &world, 0, &tubes).await;
        let on = json!({ "on": true, "reason": "drill" });
        app.put(&world.reviewer, "/v1/switches/auto_release", &on).await.expect(200);
        let mut by_rule = Vec::new();
        for (n, placed, signals) in [
            (0, (&[][..], &pools[..]), vec![(pool(1), POSITIVE)]),
            (1, (&tubes[5..], &[][..]), vec![(tube(8), POSITIVE)]),
        ] {
            let run = run(app, &world, n, placed, (&signals, false)).await;
            let path = format!("/v1/runs/{}", run["id"].as_str().unwrap());
            let review = json!({ "decision": "accept" });
            let review = app.post(&world.reviewer, &format!("{path}/review"), &review).await;
            by_rule.push(review.expect(200).json()["released_by_rule"].clone());
            app.post(&world.second_reviewer, &format!("{path}/release"), &json!({})).await.expect(200);
            all_is_well(app, &world).await;
        }
        assert_eq!(by_rule, [json!(tubes[..5]), json!([])]);
        let first = app.get(&world.reviewer, &format!("/v1/pools/{}", pool(0))).await.json();
        assert_eq!((&first["state"], &first["outcome"]), (&json!("called"), &json!("not_detected")));
    }

    async fn a_tube_that_answers_a_recall_is_tested_alone(app) {
        let world = world(app).await;
        let members = people(100, 2);
        seal_tube(app, &world, 0, &members).await.expect(201);
        lab::deliver(app, &world, 0, &[tube(0)]).await;
        tested(app, &world, 0, (&[tube(0)], &[]), &[(tube(0), POSITIVE)]).await;
        app.pass(Span::hours(2));
        seal_tube(app, &world, 1, &members[..1]).await.expect(201);
        seal_tube(app, &world, 2, &people(150, 1)).await.expect(201);
        let both = [tube(1), tube(2)];
        lab::deliver(app, &world, 1, &both).await;
        let refused = lab::mix(app, &world, 0, &both).await.expect(422);
        assert_eq!(codes(&refused), ["pool.recall"]);
        let released = tested(app, &world, 1, (&both, &[]), &[]).await;
        assert_eq!(released["recalls_closed"], 1, "{released}");
    }

    async fn pools_of_a_kit_that_was_approved_here_are_counted_too(app) {
        let world = world(app).await;
        lab::approved(app, &world, "house", |_as_it_is| {}).await.expect(200);
        let tubes = singles(app, &world, 0, 0..5).await;
        let kit = json!({ "laboratory": "L01", "kit": lab::KIT.0, "kit_version": "house" });
        let mut mix = kit.clone();
        mix["tubes"] = json!(tubes);
        let path = format!("/v1/pools/{}", pool(0));
        app.put(&world.technician, &path, &mix).await.expect(201);
        assert_eq!(pooling_kits(app, &world).await, json!([]));
        let mut load = kit.clone();
        load["template"] = json!("one-well-94-columns");
        load["pools"] = json!([pool(0)]);
        let plate = lab::freeze(app, &world, 0, &load).await;
        let file = lab::run_file(&plate, &BTreeMap::new(), false);
        let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
        lab::release(app, &world, run["id"].as_str().unwrap()).await;
        let kits = pooling_kits(app, &world).await;
        assert_eq!((&kits[0]["kit"], &kits[0]["kit_version"]),
            (&json!(lab::KIT.0), &json!("house")), "{kits}");
        assert_eq!(kits.as_array().unwrap().len(), 1);
    }

    async fn above_a_quarter_pooling_is_stopped_until_the_figure_has_fallen(app) {
        let world = world(app).await;
        lab::approved(app, &world, "house", |_as_it_is| {}).await.expect(200);
        let tubes = singles(app, &world, 0, 0..20).await;
        let pools = mixed(app, &world, 0, &tubes).await;
        let positive: Vec<_> = pools.iter().map(|code| (code.clone(), POSITIVE)).collect();
        tested(app, &world, 0, (&[], &pools), &positive).await;
        let figures = pooling(app, &world).await;
        assert_eq!(figures["pooled"], json!({ "people": 20, "positive": 4 }), "each has one at least");
        assert_eq!((&figures["waiting"], &figures["state"]), (&json!(4), &json!("go_on")));
        let signals: Vec<_> = (0..6).map(|n| (tube(n * 3), POSITIVE)).collect();
        tested(app, &world, 1, (&tubes, &[]), &signals).await;
        let figures = pooling(app, &world).await;
        assert_eq!((&figures["pooled"]["positive"], &figures["waiting"], &figures["state"]),
            (&json!(6), &json!(0), &json!("stopped")));
        let new = singles(app, &world, 1, 20..25).await;
        let refused = lab::mix(app, &world, 9, &new).await.expect(422);
        assert_eq!(codes(&refused), ["pooling.stopped"]);
        assert!(refused.text().contains("6 of 20 people") && refused.text().contains("30.0 %"));
        // Of another version of the kit nobody else is positive.
        let path = format!("/v1/pools/{}", pool(9));
        let anew = json!({ "laboratory": "L01", "kit": lab::KIT.0, "kit_version": "house",
            "tubes": new });
        let refused = app.put(&world.technician, &path, &anew).await.expect(422);
        assert_eq!(codes(&refused), ["pooling.stopped"]);
        assert!(refused.text().contains("6 of 20 people"), "{}", refused.text());
        // What was mixed before is what it was.
        lab::mix(app, &world, 0, &tubes[..5]).await.expect(200);
        let then = app.now();
        app.pass(Span::days(8));
        lab::mix(app, &world, 9, &new).await.expect(201);
        let figures = pooling(app, &world).await;
        assert_eq!((&figures["pools"], &figures["state"]), (&json!(0), &json!("go_on")));
        // The day is on record.
        let path = format!("/v1/pooling?laboratory=L01&days=10&at={then}");
        let past = app.get(&world.auditor, &path).await.expect(200).json();
        assert_eq!(past["kits"][0]["state"], "stopped", "{past}");
        let wrong = app.get(&world.auditor, "/v1/pooling?laboratory=L01&days=11").await.expect(422);
        assert_eq!(codes(&wrong), ["pooling.days"]);
    }

    async fn pools_that_find_too_little_are_reassessed_and_made_smaller(app) {
        let world = world(app).await;
        lab::approved(app, &world, "house", |_as_it_is| {}).await.expect(200);
        // A history of single tests: ten of forty.
        let alone = singles(app, &world, 0, 0..40).await;
        let signals: Vec<_> = (0..10).map(|n| (tube(n), POSITIVE)).collect();
        tested(app, &world, 0, (&alone, &[]), &signals).await;
        app.pass(Span::hours(1));
        let tubes = singles(app, &world, 1, 40..80).await;
        let pools = mixed(app, &world, 0, &tubes).await;
        let signals: Vec<_> = pools.iter().map(|code| (code.clone(), POSITIVE)).collect();
        tested(app, &world, 1, (&[], &pools), &signals).await;
        let figures = pooling(app, &world).await;
        assert_eq!(figures["baseline"], json!({ "kind": "history", "people": 40, "positive": 10 }));
        assert_eq!(figures["single"], json!({ "people": 40, "positive": 10 }));
        assert_eq!(figures["pooled"], json!({ "people": 40, "positive": 8 }));
        assert_eq!((&figures["state"], &figures["reasons"][0]["code"]),
            (&json!("reassess"), &json!("pooling.reassess")), "{figures}");
        // It goes on meanwhile.
        let new = singles(app, &world, 2, 80..90).await;
        lab::mix(app, &world, 20, &new[..5]).await.expect(201);
        let assess = |size: u8, positives: u8, found: u8| json!({ "laboratory": "L01",
            "kit": lab::KIT.0, "kit_version": lab::KIT.1, "size": size, "positives": positives,
            "found": found });
        let path = "/v1/pooling/assessments";
        for (size, positives, found, decision) in [(5, 10, 8, "test_ten_more"), (5, 20, 16, "smaller")] {
            let answer = app.post(&world.reviewer, path, &assess(size, positives, found)).await;
            assert_eq!(answer.expect(201).json()["decision"], decision);
        }
        let wrong = app.post(&world.reviewer, path, &assess(6, 12, 13)).await.expect(422);
        assert_eq!(codes(&wrong), ["assessment.size", "assessment.found", "assessment.positives"]);
        let refused = lab::mix(app, &world, 21, &new[5..]).await.expect(422);
        assert_eq!(codes(&refused), ["pooling.smaller"]);
        // Smaller ones that find enough say nothing of larger ones.
        app.pass(Span::minutes(1));
        app.post(&world.reviewer, path, &assess(3, 10, 10)).await.expect(201);
        let refused = lab::mix(app, &world, 21, &new[5..]).await.expect(422);
        assert_eq!(codes(&refused), ["pooling.smaller"]);
        // A new version goes on from there until its own pools were looked at, which say nothing of
        // those of the old one.
        let of_house = |mut request: Value| {
            request["kit_version"] = json!("house");
            request
        };
        let anew = of_house(json!({ "laboratory": "L01", "kit": lab::KIT.0, "tubes": new[5..] }));
        let pool_path = format!("/v1/pools/{}", pool(22));
        let refused = app.put(&world.technician, &pool_path, &anew).await.expect(422);
        assert_eq!(codes(&refused), ["pooling.smaller"]);
        app.pass(Span::minutes(1));
        app.post(&world.reviewer, path, &of_house(assess(3, 10, 10))).await.expect(201);
        app.put(&world.technician, &pool_path, &anew).await.expect(422);
        app.post(&world.reviewer, path, &of_house(assess(5, 10, 10))).await.expect(201);
        let refused = lab::mix(app, &world, 21, &new[5..]).await.expect(422);
        assert_eq!(codes(&refused), ["pooling.smaller"], "the old version finds no more than before");
        app.put(&world.technician, &pool_path, &anew).await.expect(201);
        app.post(&world.technician, &format!("{pool_path}/dissolve"), &json!({})).await.expect(200);
        lab::mix(app, &world, 21, &new[5..9]).await.expect(201);
        // From now on pools are compared with themselves.
        let figures = pooling(app, &world).await;
        assert_eq!((&figures["baseline"], &figures["state"]), (&Value::Null, &json!("go_on")));
        assert_eq!(figures["assessment"]["size"], 3);
        app.pass(Span::days(8));
        assert_eq!(pooling(app, &world).await["baseline"]["kind"], "initial");
    }

    async fn a_pool_is_closed_to_another_laboratory(app) {
        let world = world(app).await;
        let tubes = singles(app, &world, 0, 0..2).await;
        lab::mix(app, &world, 0, &tubes).await.expect(201);
        let there = app.client_at(swabline::auth::Role::Technician, None, Some("L02".to_owned())).await;
        let path = format!("/v1/pools/{}", pool(0));
        app.get(&there, &path).await.expect(403);
        app.post(&there, &format!("{path}/dissolve"), &json!({})).await.expect(403);
        app.get(&there, "/v1/pooling?laboratory=L01").await.expect(403);
        app.get(&there, "/v1/pooling?laboratory=L02").await.expect(404);
        let second = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
        app.put(&world.administrator, "/v1/laboratories/L02", &second).await.expect(201);
        let answer = app.call(Method::GET, "/v1/pooling?laboratory=L02", Some(&there), None).await;
        assert_eq!(answer.expect(200).json()["kits"], json!([]));
    }

    async fn a_positive_pool_made_void_is_a_sign_only_where_nothing_is_found_in_its_tubes_again(app) {
        let world = world(app).await;
        let tubes = singles(app, &world, 0, 0..10).await;
        let pools = mixed(app, &world, 0, &tubes).await;
        let positive = [(pool(0), POSITIVE), (pool(1), POSITIVE)];
        let voided = run(app, &world, 0, (&[], &pools), (&positive, false)).await;
        let review = format!("/v1/runs/{}/review", voided["id"].as_str().unwrap());
        let void = json!({ "decision": "void" });
        app.post(&world.reviewer, &review, &void).await.expect(200);
        // One pool is found positive again and holds one infected person; nothing is left of the
        // other.
        app.pass(swabline::clock::Span::hours(2));
        let run = run(app, &world, 1, (&[], &pools), (&positive[..1], false)).await;
        lab::release(app, &world, run["id"].as_str().unwrap()).await;
        app.pass(swabline::clock::Span::hours(2));
        tested(app, &world, 2, (&tubes[..5], &[]), &[(tube(0), POSITIVE)]).await;
        app.pass(swabline::clock::Span::minutes(1));
        let report = app.get(&world.officer, "/v1/integrity").await.expect(200).json();
        let signs = report["signs"].as_array().unwrap().iter();
        let signs: Vec<_> = signs.filter(|sign| sign["check"] == "replaced").collect();
        assert_eq!((signs.len(), &signs[0]["about"]), (1, &run["id"]), "{signs:?}");
        let message = signs[0]["message"].as_str().unwrap();
        assert!(message.starts_with("5 tubes are negative"), "{message}");
    }
}

/// Forty people, two of them infected, in a laboratory that mixes five tubes.
async fn screened(seed: u64, size: usize, database: String) -> Screened {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { data: folder.path().to_owned(), database, ..Config::default() };
    let screening = Screening { seed, people: 40, infected: 2, size };
    Box::pin(play(config, screening, &ProgressBar::hidden())).await.unwrap()
}

fn is_sound(screened: &Screened, size: usize) {
    assert_eq!(screened.surprises, Vec::<String>::new());
    let ledger = &screened.ledger;
    assert_eq!((ledger.unexplained, ledger.whole.tubes.released), (0, 40));
    assert_eq!((screened.found, screened.missed, screened.false_positives), (2, 0, 0));
    assert_eq!((screened.pools, screened.unanswered), (40 / size, 0));
    assert!((1..=2).contains(&screened.taken_apart), "{screened:?}");
    assert_eq!(screened.tested_alone, screened.taken_apart * size);
    assert_eq!(screened.answered_by_pool + screened.tested_alone, 40);
    assert!(screened.wells < 40, "pools save wells: {screened:?}");
    assert_eq!(screened.pooling[0].figures.pooled, Share { people: 40, positive: 2 });
}

#[tokio::test]
async fn a_simulated_laboratory_pools_and_finds_everybody_whatever_the_seed() {
    for (seed, size) in [(1, 5), (2, 4), (3, 5)] {
        is_sound(&screened(seed, size, String::new()).await, size);
    }
    if let Some(server) = postgres_url() {
        is_sound(&screened(1, 5, fresh_database(&server).await).await, 5);
    }
}
