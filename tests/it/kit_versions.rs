//! A kit's version from its proposal to the plates that are made for it: two people, dates, and a
//! look at what stored runs would have said (R17).

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use swabline::clock::Span;

use crate::app::{Answer, Client, TestApp};
use crate::each_engine;
use crate::laboratory::{self as lab, KIT, SINGLE_TARGET, Signals};
use crate::world::{World, people, plate, seal_tube, tube, world};

/// Where a version of the two-target kit lies.
fn path(version: &str) -> String {
    format!("/v1/kits/{}/versions/{version}", KIT.0)
}

/// The shipped version 1 of the two-target kit as a proposal under another name, changed.
async fn proposal(
    app: &TestApp,
    world: &World,
    version: &str,
    change: impl FnOnce(&mut Value),
) -> Value {
    let shipped = app.get(&world.reviewer, &path("1")).await.expect(200).json();
    let mut definition = shipped["definition"].clone();
    definition["version"] = json!(version);
    change(&mut definition);
    json!({ "definition": definition, "effective_from": app.now() })
}

/// Positive below 30 and nothing grey: the kind of threshold one laboratory set in 2021.
pub fn below_30(definition: &mut Value) {
    for target in 0..2 {
        let target = &mut definition["reactions"][0]["targets"][target];
        target["positive"] = json!("< 30");
        target.as_object_mut().unwrap().remove("grey");
    }
    let calls = definition["calls"].as_object_mut().unwrap();
    calls.remove("grey_again");
    calls["rules"].as_object_mut().unwrap().remove("grey");
    calls.insert("doubtful_curve".to_owned(), json!("ct_decides"));
}

async fn propose(app: &TestApp, client: &Client, version: &str, body: &Value) -> Answer {
    app.put(client, &path(version), body).await
}

async fn approve(app: &TestApp, client: &Client, version: &str, changed_calls: u32) -> Answer {
    let body = json!({ "changed_calls": changed_calls });
    app.post(client, &format!("{}/approve", path(version)), &body).await
}

async fn shadow(app: &TestApp, client: &Client, version: &str, body: &Value) -> Answer {
    app.post(client, &format!("{}/shadow", path(version)), body).await
}

/// The page of a version in English, as its text stands between the marks.
async fn page(app: &TestApp, client: &Client, at: &str) -> String {
    let request = Request::get(at)
        .header("authorization", format!("Bearer {}", client.token))
        .header("accept-language", "en");
    let shown = app.send(request.body(Body::empty()).unwrap()).await.expect(200);
    shown.text().replace("&#39;", "'").replace("&#34;", "\"")
}

/// Has that page read the last runs of a kit in shadow.
async fn shadow_at(app: &TestApp, client: &Client, at: &str, kit: &str) -> Answer {
    let fields = format!("act=shadow&key={}&last=5&kit={kit}", app.clock.id());
    let request = Request::post(at)
        .header("authorization", format!("Bearer {}", client.token))
        .header("accept-language", "en")
        .header("content-type", "application/x-www-form-urlencoded");
    app.send(request.body(Body::from(fields)).unwrap()).await
}

/// Asks for the `n`th plate with this version.
async fn make(app: &TestApp, world: &World, n: u64, (version, tubes): (&str, &[String])) -> Answer {
    let request = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": version,
        "template": "one-well-94-columns", "tubes": tubes });
    app.put(&world.technician, &format!("/v1/plates/{}", plate(n)), &request).await
}

/// One target alone, another than in [`SINGLE_TARGET`].
const OTHER_TARGET: Signals = [None, Some("35.5"), Some("27.1")];

/// What is read in a tube, what that means, and what becomes of it.
type Read = (Signals, &'static str, &'static str);

/// Runs the `n`th tube on a plate of its own as in China 2020 and releases it; gives the run.
async fn china_2020(
    app: &TestApp,
    world: &World,
    n: u64,
    (signals, outcome, after): Read,
) -> Value {
    make(app, world, n, ("china-2020", &[tube(n)])).await.expect(201);
    let freeze = format!("/v1/plates/{}/freeze", plate(n));
    let loaded = app.post(&world.technician, &freeze, &json!({})).await.expect(200).json();
    let file = lab::run_file(&loaded, &BTreeMap::from([(tube(n), signals)]), false);
    let run = lab::upload(app, world, &loaded, file).await.expect(201).json();
    assert_eq!(run["calls"][0]["outcome"], outcome, "{run}");
    let released = lab::release(app, world, run["id"].as_str().unwrap()).await;
    assert_eq!(released["released"][after], json!([tube(n)]));
    run
}

/// An hour later the first person is swabbed into the `n`th tube, which is run.
async fn swabbed_again(app: &TestApp, world: &World, n: u64, read: Read) -> Value {
    app.pass(Span::hours(1));
    seal_tube(app, world, n, &people(0, 1)).await.expect(201);
    lab::deliver(app, world, n, &[tube(n)]).await;
    china_2020(app, world, n, read).await
}

/// Codes of every reason.
fn codes(answer: &Answer) -> Vec<String> {
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    errors.iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect()
}

/// So many single tubes, received.
async fn received(app: &TestApp, world: &World, count: u64) -> Vec<String> {
    for n in 0..count {
        seal_tube(app, world, n, &people(n, 1)).await.expect(201);
    }
    let tubes: Vec<_> = (0..count).map(tube).collect();
    lab::deliver(app, world, 0, &tubes).await;
    tubes
}

/// A plate of 20 tubes of which the first ten are positive from Ct 30 on; gives the run.
pub async fn late_positives(app: &TestApp, world: &World) -> Value {
    const CTS: [&str; 10] =
        ["30", "30.9", "31.8", "32.7", "33.6", "34.5", "35.4", "36.3", "37.2", "37.9"];
    let tubes = received(app, world, 20).await;
    let loaded = lab::load(app, world, 0, &tubes).await;
    let signals: BTreeMap<String, Signals> =
        (0..).zip(CTS).map(|(n, ct)| (tube(n), [Some(ct), Some(ct), Some("27.1")])).collect();
    let file = lab::run_file(&loaded, &signals, false);
    lab::upload(app, world, &loaded, file).await.expect(201).json()
}

each_engine! {
    async fn a_threshold_set_wrongly_shows_every_positive_it_would_lose(app) {
        let world = world(app).await;
        let run = late_positives(app, &world).await;
        let body = proposal(app, &world, "narrow", below_30).await;
        propose(app, &world.reviewer, "narrow", &body).await.expect(201);

        let blind = approve(app, &world.second_reviewer, "narrow", 0).await.expect(422);
        assert_eq!(codes(&blind), ["kit.no_shadow"]);
        let seen = shadow(app, &world.reviewer, "narrow", &json!({ "last": 5 })).await;
        let seen = seen.expect(201).json();
        assert_eq!((&seen["runs"], &seen["calls"]), (&json!(1), &json!(20)));
        assert_eq!(seen["changed_calls"], 10, "{seen}");
        assert_eq!(seen["changed_verdicts"], 0);
        let difference = &seen["differences"][0];
        assert_eq!(difference["run"], run["id"]);
        for (n, changed) in (0..).zip(difference["changed"].as_array().unwrap()) {
            assert_eq!(changed["tube"], tube(n));
            assert_eq!(changed["from"]["outcome"], "detected");
            assert_eq!(changed["from"]["rule"], "orf1ab_n.both");
            assert_eq!(changed["to"]["outcome"], "not_detected");
            assert_eq!(changed["to"]["disposition"], json!({ "action": "report",
                "outcome": "not_detected" }));
            assert_eq!(changed["targets"][0]["target"], "ORF1ab");
        }
        assert_eq!(difference["changed"][1]["targets"][0]["raw_ct"], "30.9");

        let unseen = approve(app, &world.second_reviewer, "narrow", 0).await.expect(422);
        assert_eq!(codes(&unseen), ["kit.changed_calls"]);
        assert!(unseen.text().contains("changed 10 calls"), "{}", unseen.text());
        // Whoever looked and still wants it stands for the ten with a name.
        approve(app, &world.second_reviewer, "narrow", 10).await.expect(200);
        let kit = app.get(&world.auditor, &path("narrow")).await.expect(200).json();
        assert_eq!((&kit["state"], &kit["changed_calls"]), (&json!("approved"), &json!(10)));
        assert_eq!(kit["shadow"]["differences"][0]["changed"].as_array().unwrap().len(), 10);
        // The stored calls are what they were.
        let id = run["id"].as_str().unwrap();
        let stored = app.get(&world.reviewer, &format!("/v1/runs/{id}")).await.expect(200).json();
        assert_eq!(stored["calls"], run["calls"]);
    }

    async fn a_shadow_run_knows_what_was_known_of_a_tube_on_the_day_of_its_run(app) {
        let world = world(app).await;
        let tubes = received(app, &world, 2).await;
        let single = BTreeMap::from([(tube(0), SINGLE_TARGET)]);
        for (n, again) in [(0, &tubes[..]), (1, &tubes[..1])] {
            let loaded = lab::load(app, &world, n, again).await;
            let file = lab::run_file(&loaded, &single, false);
            let run = lab::upload(app, &world, &loaded, file).await.expect(201).json();
            let first = n == 0;
            let outcome = if first { "inconclusive" } else { "detected" };
            assert_eq!(run["calls"][0]["outcome"], outcome);
            lab::release(app, &world, run["id"].as_str().unwrap()).await;
        }
        let body = proposal(app, &world, "same", |_| {}).await;
        propose(app, &world.reviewer, "same", &body).await.expect(201);
        let seen = shadow(app, &world.reviewer, "same", &json!({ "last": 5 })).await;
        let seen = seen.expect(201).json();
        assert_eq!((&seen["runs"], &seen["changed_calls"]), (&json!(2), &json!(0)), "{seen}");
        approve(app, &world.second_reviewer, "same", 0).await.expect(200);
    }

    /// China 2020: one target alone is collected again, and one target in two specimens of a person
    /// is positive (`domain.md` A5), in a shadow run as well.
    async fn one_target_in_two_specimens_of_a_person_is_positive(app) {
        let world = world(app).await;
        swabbed_again(app, &world, 0, (SINGLE_TARGET, "inconclusive", "recalled")).await;
        let run = swabbed_again(app, &world, 1, (OTHER_TARGET, "detected", "reported")).await;
        assert_eq!(run["calls"][0]["rule"], "orf1ab_n.single_target_again");
        // The kit's own way with the same signals: repeat the tube, and nothing across specimens.
        let body = proposal(app, &world, "own-way", |_| {}).await;
        propose(app, &world.reviewer, "own-way", &body).await.expect(201);
        let seen = shadow(app, &world.reviewer, "own-way", &json!({ "last": 2 })).await;
        let seen = seen.expect(201).json();
        assert_eq!(seen["changed_calls"], 2, "{seen}");
        assert_eq!(seen["differences"][1]["changed"][0]["to"]["outcome"], "inconclusive");
    }

    /// Two swabs after one recall are both a second specimen, also the one that was not linked to
    /// it and is read when the other has closed it. What is collected after that is none.
    async fn each_of_two_swabs_after_a_recall_is_the_second_specimen(app) {
        let world = world(app).await;
        swabbed_again(app, &world, 0, (SINGLE_TARGET, "inconclusive", "recalled")).await;
        app.pass(Span::hours(1));
        for n in [1, 2] {
            seal_tube(app, &world, n, &people(0, 1)).await.expect(201);
        }
        lab::deliver(app, &world, 1, &[tube(1), tube(2)]).await;
        china_2020(app, &world, 1, (lab::NEGATIVE, "not_detected", "reported")).await;
        app.pass(Span::hours(1));
        china_2020(app, &world, 2, (OTHER_TARGET, "detected", "reported")).await;
        swabbed_again(app, &world, 3, (SINGLE_TARGET, "inconclusive", "recalled")).await;
        // The same rules say the same of the four runs in a shadow run.
        let shipped = app.get(&world.reviewer, &path("china-2020")).await.expect(200).json();
        let mut definition = shipped["definition"].clone();
        definition["version"] = json!("again");
        let body = json!({ "definition": definition, "effective_from": app.now() });
        propose(app, &world.reviewer, "again", &body).await.expect(201);
        let seen = shadow(app, &world.reviewer, "again", &json!({ "last": 4 })).await;
        let seen = seen.expect(201).json();
        assert_eq!((&seen["runs"], &seen["changed_calls"]), (&json!(4), &json!(0)), "{seen}");
    }

    /// What a tube's own repeat denied is no specimen, also when its negative is withdrawn later.
    async fn what_was_withdrawn_is_no_specimen_of_a_single_target(app) {
        let world = world(app).await;
        let tubes = received(app, &world, 1).await;
        for (n, shows) in [(0, SINGLE_TARGET), (1, lab::NEGATIVE)] {
            let loaded = lab::load(app, &world, n, &tubes).await;
            let file = lab::run_file(&loaded, &BTreeMap::from([(tube(0), shows)]), false);
            let run = lab::upload(app, &world, &loaded, file).await.expect(201).json();
            lab::release(app, &world, run["id"].as_str().unwrap()).await;
        }
        let amend = format!("/v1/results/{}.1/amend", tube(0));
        let withdraw = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
        app.post(&world.reviewer, &amend, &withdraw).await.expect(202);
        app.post(&world.second_reviewer, &amend, &withdraw).await.expect(201);
        swabbed_again(app, &world, 2, (OTHER_TARGET, "inconclusive", "recalled")).await;
    }

    /// The members of a pool are collected again, one of them twice at once: two specimens.
    async fn two_swabs_of_a_recalled_member_are_two_specimens(app) {
        let world = world(app).await;
        seal_tube(app, &world, 0, &people(0, 3)).await.expect(201);
        lab::deliver(app, &world, 0, &[tube(0)]).await;
        china_2020(app, &world, 0, (lab::POSITIVE, "detected", "recalled")).await;
        app.pass(Span::hours(1));
        for (n, from) in [(1, 0), (2, 0), (3, 1)] {
            seal_tube(app, &world, n, &people(from, 1)).await.expect(201);
        }
        lab::deliver(app, &world, 1, &[tube(1), tube(2), tube(3)]).await;
        china_2020(app, &world, 1, (SINGLE_TARGET, "inconclusive", "recalled")).await;
        china_2020(app, &world, 2, (OTHER_TARGET, "detected", "reported")).await;
        // The specimens of one member are none of another, and the pool is nobody's.
        china_2020(app, &world, 3, (OTHER_TARGET, "inconclusive", "recalled")).await;
    }

    async fn a_version_is_proposed_by_one_person_and_approved_by_another(app) {
        let world = world(app).await;
        let body = proposal(app, &world, "house-1", |_| {}).await;
        let proposed = propose(app, &world.reviewer, "house-1", &body).await.expect(201).json();
        assert_eq!(proposed["state"], "proposed");
        assert_eq!(proposed["refusals"][0]["code"], "kit.not_approved");
        propose(app, &world.reviewer, "house-1", &body).await.expect(200);
        // Another value is another version.
        let mut other = body.clone();
        other["definition"]["validated_depth"] = json!(5);
        other["effective_from"] = json!(app.now() + Span::hours(1));
        let changed = propose(app, &world.reviewer, "house-1", &other).await.expect(409);
        assert_eq!(codes(&changed), ["kit.exists", "kit.exists"]);
        let shipped = propose(app, &world.reviewer, "1", &body).await.expect(409);
        assert_eq!(shipped.code(), "kit.shipped");

        let tubes = received(app, &world, 1).await;
        let early = make(app, &world, 0, ("house-1", &tubes)).await.expect(422);
        assert_eq!(codes(&early), ["kit.not_approved"]);
        let own = approve(app, &world.reviewer, "house-1", 0).await.expect(422);
        assert_eq!(codes(&own), ["kit.same_person"]);
        approve(app, &world.second_reviewer, "house-1", 0).await.expect(200);
        approve(app, &world.second_reviewer, "house-1", 0).await.expect(200);
        make(app, &world, 0, ("house-1", &tubes)).await.expect(201);
        let listed = app.get(&world.technician, "/v1/kits").await.expect(200).json();
        let listed = listed["kits"].as_array().unwrap();
        let state = |version: &str| listed.iter()
            .find(|kit| kit["code"] == KIT.0 && kit["version"] == version)
            .map(|kit| kit["state"].clone());
        assert_eq!(state("house-1"), Some(json!("approved")));
        assert_eq!(state("1"), Some(json!("shipped")));
    }

    async fn a_plate_is_made_only_between_the_dates_of_its_version(app) {
        let world = world(app).await;
        let mut body = proposal(app, &world, "dated", |_| {}).await;
        let (from, until) = (app.now() + Span::hours(2), app.now() + Span::hours(6));
        body["effective_from"] = json!(from);
        body["effective_until"] = json!(until);
        propose(app, &world.administrator, "dated", &body).await.expect(201);
        approve(app, &world.reviewer, "dated", 0).await.expect(200);
        let tubes = received(app, &world, 2).await;
        let early = make(app, &world, 0, ("dated", &tubes[..1])).await.expect(422);
        assert_eq!(codes(&early), ["kit.not_effective"]);
        assert!(early.text().contains(&from.to_string()), "{}", early.text());
        app.pass(Span::hours(2));
        make(app, &world, 0, ("dated", &tubes[..1])).await.expect(201);
        make(app, &world, 1, ("dated", &tubes[1..])).await.expect(201);
        let freeze = |n| format!("/v1/plates/{}/freeze", plate(n));
        let loaded = app.post(&world.technician, &freeze(0), &json!({})).await.expect(200).json();
        app.pass(Span::hours(4));
        let late = app.post(&world.technician, &freeze(1), &json!({})).await.expect(422);
        assert_eq!(codes(&late), ["kit.ended"]);
        assert!(late.text().contains(&until.to_string()), "{}", late.text());
        // The plate that was frozen in time keeps its version, and its run is read with it.
        make(app, &world, 0, ("dated", &tubes[..1])).await.expect(200);
        let file = lab::run_file(&loaded, &BTreeMap::new(), false);
        let run = lab::upload(app, &world, &loaded, file).await.expect(201).json();
        assert_eq!(run["kit_version"], "dated");
        lab::release(app, &world, run["id"].as_str().unwrap()).await;
    }

    async fn nothing_is_released_by_a_version_that_was_withdrawn(app) {
        let world = world(app).await;
        let body = proposal(app, &world, "faulty", |_| {}).await;
        propose(app, &world.reviewer, "faulty", &body).await.expect(201);
        approve(app, &world.second_reviewer, "faulty", 0).await.expect(200);
        let tubes = received(app, &world, 2).await;
        make(app, &world, 0, ("faulty", &tubes[..1])).await.expect(201);
        let freeze = format!("/v1/plates/{}/freeze", plate(0));
        let loaded = app.post(&world.technician, &freeze, &json!({})).await.expect(200).json();
        let file = lab::run_file(&loaded, &BTreeMap::new(), false);
        let run = lab::upload(app, &world, &loaded, file).await.expect(201).json();
        let run = run["id"].as_str().unwrap();
        let review = format!("/v1/runs/{run}/review");
        app.post(&world.reviewer, &review, &json!({ "decision": "accept" })).await.expect(200);

        let withdraw = format!("{}/withdraw", path("faulty"));
        let reason = json!({ "reason": "cut-off of another lot" });
        app.post(&world.administrator, &withdraw, &json!({ "reason": " " })).await.expect(422);
        app.post(&world.administrator, &withdraw, &reason).await.expect(200);
        app.post(&world.administrator, &withdraw, &reason).await.expect(200);
        let release = format!("/v1/runs/{run}/release");
        let held = app.post(&world.second_reviewer, &release, &json!({})).await.expect(422);
        assert_eq!(codes(&held), ["run.kit_withdrawn"]);
        let refused = make(app, &world, 1, ("faulty", &tubes[1..])).await.expect(422);
        assert_eq!(codes(&refused), ["kit.withdrawn"]);
        // Void is the way out: the tube goes on another plate.
        app.post(&world.reviewer, &review, &json!({ "decision": "void" })).await.expect(200);
        make(app, &world, 1, ("1", &tubes)).await.expect(201);
    }

    async fn every_fault_of_a_proposal_is_named(app) {
        let world = world(app).await;
        let body = proposal(app, &world, "bad", |definition| {
            definition["source"] = json!(" ");
            definition["calls"]["targets_needed"] = json!(3);
            definition["programme"] = json!("cdc");
        }).await;
        let refused = propose(app, &world.reviewer, "bad", &body).await.expect(422);
        assert!(codes(&refused).iter().all(|code| code == "kit.fault"), "{}", refused.text());
        for fault in ["source is blank", "`targets_needed` is 3", "`calls.single_target_again` is not"] {
            assert!(refused.text().contains(fault), "{fault}: {}", refused.text());
        }
        let none = json!({ "effective_from": app.now() });
        let refused = propose(app, &world.reviewer, "bad", &none).await.expect(422);
        assert_eq!(codes(&refused), ["kit.definition"]);
        let unproven = app.get(&world.reviewer, "/v1/kits/sansure-orf1ab-n/versions/2020").await;
        let definition = unproven.expect(200).json()["definition"].clone();
        let other = json!({ "definition": definition, "effective_from": app.now() });
        let refused = propose(app, &world.reviewer, "bad", &other).await.expect(422);
        assert_eq!(codes(&refused), ["kit.other", "kit.unproven"]);
        app.get(&world.reviewer, &path("bad")).await.expect(404);
    }

    /// A kit that is marked comes into service when the laboratory has checked it.
    async fn an_unproven_kit_is_run_after_two_people_stood_for_it(app) {
        let world = world(app).await;
        let strict = app.restarted(|config| config.demonstration_kits = false);
        let tubes = received(&strict, &world, 1).await;
        let ask = |version: &str| json!({ "laboratory": "L01", "kit": "sansure-orf1ab-n",
            "kit_version": version, "template": "one-well-94-columns", "tubes": tubes });
        let route = format!("/v1/plates/{}", plate(0));
        let refused = strict.put(&world.technician, &route, &ask("2020")).await.expect(422);
        assert_eq!(codes(&refused), ["kit.unproven"]);

        let toml = include_str!("../../fixtures/assays/sansure-2020.toml")
            .replace("version = \"2020\"", "version = \"house-1\"")
            .replace("purpose = \"unproven\"", "purpose = \"clinical\"");
        let body = json!({ "toml": toml, "effective_from": app.now() });
        let kit = "/v1/kits/sansure-orf1ab-n/versions/house-1";
        strict.put(&world.reviewer, kit, &body).await.expect(201);
        let seen = json!({ "changed_calls": 0 });
        strict.post(&world.second_reviewer, &format!("{kit}/approve"), &seen).await.expect(200);
        strict.put(&world.technician, &route, &ask("house-1")).await.expect(201);
    }

    async fn a_shadow_run_reads_runs_of_ones_own_laboratory_and_no_more_than_it_can(app) {
        let world = world(app).await;
        let run = late_positives(app, &world).await;
        let body = proposal(app, &world, "narrow", below_30).await;
        propose(app, &world.reviewer, "narrow", &body).await.expect(201);
        let elsewhere = app.client_at(swabline::auth::Role::Reviewer, None, Some("L02".to_owned()))
            .await;
        let named = json!({ "runs": [run["id"]] });
        shadow(app, &elsewhere, "narrow", &named).await.expect(403);
        let none = shadow(app, &elsewhere, "narrow", &json!({ "last": 5 })).await.expect(422);
        assert_eq!(codes(&none), ["kit.shadow_runs"]);
        for bad in [json!({}), json!({ "last": 0 }), json!({ "last": 101 }),
            json!({ "last": 1, "runs": [run["id"]] })] {
            shadow(app, &world.reviewer, "narrow", &bad).await.expect(422);
        }
        shadow(app, &world.reviewer, "1", &named).await.expect(404);
        shadow(app, &world.administrator, "narrow", &named).await.expect(201);
        // Whoever works elsewhere sees how many, and not which; so they cannot stand for them.
        let seen = app.get(&elsewhere, &path("narrow")).await.expect(200).json();
        assert_eq!(seen["shadow"]["changed_calls"], 10);
        assert_eq!((&seen["shadow"]["unseen_runs"], &seen["shadow"]["differences"]),
            (&json!(1), &json!([])));
        let blind = approve(app, &elsewhere, "narrow", 10).await.expect(422);
        assert_eq!(codes(&blind), ["kit.unseen"]);
        approve(app, &world.administrator, "narrow", 10).await.expect(200);
    }

    /// Another code is no way around the shadow run (R17).
    async fn a_copied_kit_is_tried_on_the_runs_of_the_kit_it_was_copied_from(app) {
        let world = world(app).await;
        late_positives(app, &world).await;
        let copy = "/v1/kits/copy/versions/narrow";
        let body = proposal(app, &world, "narrow", |definition| {
            definition["code"] = json!("copy");
            below_30(definition);
        }).await;
        app.put(&world.reviewer, copy, &body).await.expect(201);
        let approval = format!("{copy}/approve");
        let seen = |calls: u32| json!({ "changed_calls": calls });
        let blind = app.post(&world.second_reviewer, &approval, &seen(0)).await.expect(422);
        assert_eq!(codes(&blind), ["kit.no_shadow"]);
        let request = json!({ "last": 5, "kit": KIT.0 });
        let shown = app.post(&world.reviewer, &format!("{copy}/shadow"), &request).await;
        assert_eq!(shown.expect(201).json()["changed_calls"], 10);
        let unseen = app.post(&world.second_reviewer, &approval, &seen(0)).await.expect(422);
        assert_eq!(codes(&unseen), ["kit.changed_calls"]);
        app.post(&world.second_reviewer, &approval, &seen(10)).await.expect(200);
    }

    async fn at_its_page_a_copied_kit_is_tried_on_the_runs_of_the_kit_it_was_copied_from(app) {
        let world = world(app).await;
        late_positives(app, &world).await;
        let body = proposal(app, &world, "narrow", |definition| {
            definition["code"] = json!("copy");
            below_30(definition);
        }).await;
        app.put(&world.reviewer, "/v1/kits/copy/versions/narrow", &body).await.expect(201);
        let at = "/admin/kits/copy/narrow";
        let option = |kit: &str, chosen: &str| format!("<option value=\"{kit}\"{chosen}>");
        let untried = page(app, &world.reviewer, at).await;
        assert!(untried.contains(&option("copy", " selected")), "its own unless chosen: {untried}");
        assert_eq!(untried.matches(&option(KIT.0, "")).count(), 1, "each kit once: {untried}");
        for none in ["copy", "cdc-2019-ncov"] {
            let refused = shadow_at(app, &world.reviewer, at, none).await.expect(422).text();
            assert!(refused.contains("no run of this kit is stored"), "{refused}");
            assert!(refused.contains(&option(none, " selected")), "what was chosen stays");
        }
        shadow_at(app, &world.reviewer, at, KIT.0).await.expect(303);
        let shown = page(app, &world.second_reviewer, at).await;
        assert!(shown.contains("Changed calls: 10."), "{shown}");
        // Ten were told that they are positive, and would be told that they are not.
        assert_eq!(shown.matches("its people are told").count(), 20, "{shown}");
        assert!(!shown.contains("Runs it cannot read"), "{shown}");
    }

    async fn what_one_shadow_run_showed_is_not_forgotten_for_a_later_one(app) {
        let world = world(app).await;
        let late = late_positives(app, &world).await;
        seal_tube(app, &world, 20, &people(20, 1)).await.expect(201);
        lab::deliver(app, &world, 1, &[tube(20)]).await;
        let loaded = lab::load(app, &world, 1, &[tube(20)]).await;
        let file = lab::run_file(&loaded, &BTreeMap::new(), false);
        let clean = lab::upload(app, &world, &loaded, file).await.expect(201).json();
        let body = proposal(app, &world, "narrow", below_30).await;
        propose(app, &world.reviewer, "narrow", &body).await.expect(201);
        for (run, changed) in [(&late, 10), (&clean, 0), (&clean, 0), (&late, 10)] {
            app.pass(Span::minutes(1));
            let named = json!({ "runs": [run["id"]] });
            let seen = shadow(app, &world.reviewer, "narrow", &named).await.expect(201).json();
            assert_eq!(seen["changed_calls"], changed);
        }
        app.pass(Span::minutes(1));
        let named = json!({ "runs": [clean["id"]] });
        shadow(app, &world.reviewer, "narrow", &named).await.expect(201);
        let kit = app.get(&world.second_reviewer, &path("narrow")).await.expect(200).json();
        assert_eq!((&kit["shadow"]["runs"], &kit["shadow"]["changed_calls"]),
            (&json!(2), &json!(10)), "each run counts once");
        let last = approve(app, &world.second_reviewer, "narrow", 0).await.expect(422);
        assert_eq!(codes(&last), ["kit.changed_calls"]);
        approve(app, &world.second_reviewer, "narrow", 10).await.expect(200);
    }

    async fn a_run_that_a_version_cannot_read_shows_no_lost_positive(app) {
        let world = world(app).await;
        let run = late_positives(app, &world).await;
        let body = proposal(app, &world, "renamed", |definition| {
            for reaction in definition["reactions"].as_array_mut().unwrap() {
                reaction["code"] = json!("pcr");
            }
            below_30(definition);
        }).await;
        propose(app, &world.reviewer, "renamed", &body).await.expect(201);
        let named = json!({ "runs": [run["id"]] });
        let shown = shadow(app, &world.reviewer, "renamed", &named).await.expect(201).json();
        let difference = &shown["differences"][0];
        assert_ne!(difference["refusals"], json!([]), "{shown}");
        assert_eq!(shown["changed_calls"], 20);
        let at = format!("/admin/kits/{}/renamed", KIT.0);
        let seen = page(app, &world.second_reviewer, &at).await;
        assert!(seen.contains("Runs it cannot read: 1."), "{seen}");
        let why = difference["refusals"].as_array().unwrap();
        assert!(seen.contains(&format!("cannot be read; reasons: {}", why.len())), "{seen}");
        assert!(why.iter().all(|why| seen.contains(why.as_str().unwrap())), "{seen}");
        let seen = json!({ "changed_calls": 20, "changed_verdicts": 1 });
        let approval = format!("{}/approve", path("renamed"));
        let blind = app.post(&world.second_reviewer, &approval, &seen).await.expect(422);
        assert_eq!(codes(&blind), ["kit.no_shadow"]);
    }

    async fn a_version_that_measures_in_other_wells_loses_every_call_and_is_no_dead_end(app) {
        let world = world(app).await;
        let run = late_positives(app, &world).await;
        let body = proposal(app, &world, "apart", |definition| {
            let whole = definition["reactions"][0].clone();
            let targets = whole["targets"].as_array().unwrap();
            let apart = targets.iter().map(|target| json!({ "code": target["code"],
                "targets": [target] }));
            definition["reactions"] = apart.collect();
        }).await;
        propose(app, &world.reviewer, "apart", &body).await.expect(201);
        let named = json!({ "runs": [run["id"]] });
        let shown = shadow(app, &world.reviewer, "apart", &named).await.expect(201).json();
        assert_eq!(shown["changed_calls"], 20, "{shown}");
        let seen = json!({ "changed_calls": 20, "changed_verdicts": 1 });
        let approval = format!("{}/approve", path("apart"));
        app.post(&world.second_reviewer, &approval, &seen).await.expect(200);
    }

    async fn nothing_is_learned_from_a_void_run(app) {
        let world = world(app).await;
        let run = late_positives(app, &world).await;
        let body = proposal(app, &world, "narrow", below_30).await;
        propose(app, &world.reviewer, "narrow", &body).await.expect(201);
        let named = json!({ "runs": [run["id"]] });
        shadow(app, &world.reviewer, "narrow", &named).await.expect(201);
        let review = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        app.post(&world.reviewer, &review, &json!({ "decision": "void" })).await.expect(200);
        let void = shadow(app, &world.reviewer, "narrow", &named).await.expect(422);
        assert_eq!(codes(&void), ["kit.shadow_void"]);
        // Its plate is run again, and the version is tried on that run; what was shown still counts.
        let tubes: Vec<_> = (0..20).map(tube).collect();
        let loaded = lab::load(app, &world, 1, &tubes).await;
        let file = lab::run_file(&loaded, &BTreeMap::new(), false);
        lab::upload(app, &world, &loaded, file).await.expect(201);
        let early = approve(app, &world.second_reviewer, "narrow", 10).await.expect(422);
        assert_eq!(codes(&early), ["kit.no_shadow"]);
        app.pass(Span::minutes(1));
        shadow(app, &world.reviewer, "narrow", &json!({ "last": 5 })).await.expect(201);
        approve(app, &world.second_reviewer, "narrow", 10).await.expect(200);
    }

    async fn a_version_that_came_with_the_program_is_withdrawn_too(app) {
        let world = world(app).await;
        let tubes = received(app, &world, 2).await;
        let loaded = lab::load(app, &world, 0, &tubes[..1]).await;
        let file = lab::run_file(&loaded, &BTreeMap::new(), false);
        let run = lab::upload(app, &world, &loaded, file).await.expect(201).json();
        let (review, release) = (
            format!("/v1/runs/{}/review", run["id"].as_str().unwrap()),
            format!("/v1/runs/{}/release", run["id"].as_str().unwrap()),
        );
        app.post(&world.reviewer, &review, &json!({ "decision": "accept" })).await.expect(200);
        let withdraw = format!("{}/withdraw", path(KIT.1));
        let reason = |text: &str| json!({ "reason": text });
        app.post(&world.administrator, &withdraw, &reason("recalled")).await.expect(200);
        app.post(&world.administrator, &withdraw, &reason("recalled")).await.expect(200);
        let other = app.post(&world.reviewer, &withdraw, &reason("other")).await.expect(409);
        assert_eq!(other.code(), "kit.settled");
        let kit = app.get(&world.auditor, &path(KIT.1)).await.expect(200).json();
        assert_eq!((&kit["state"], &kit["withdrawn_reason"]), (&json!("withdrawn"),
            &json!("recalled")));
        let held = app.post(&world.second_reviewer, &release, &json!({})).await.expect(422);
        assert_eq!(codes(&held), ["run.kit_withdrawn"]);
        let refused = make(app, &world, 1, (KIT.1, &tubes[1..])).await.expect(422);
        assert_eq!(codes(&refused), ["kit.withdrawn"]);
        // The other version that came with the program is run as before.
        make(app, &world, 1, ("2", &tubes[1..])).await.expect(201);
        let listed = app.get(&world.technician, "/v1/kits").await.expect(200).json();
        let withdrawn = listed["kits"].as_array().unwrap().iter()
            .filter(|kit| kit["state"] == "withdrawn").count();
        assert_eq!(withdrawn, 1);
    }
}
