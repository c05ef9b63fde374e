//! Who a person is: by which document, and by what was given with it at which swab.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use swabline::clock::Span;

use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory::{self as lab, POSITIVE};
use crate::shipment::number;
use crate::world::{World, people, person, seal_tube, tube, tube_body, world};

/// The `n`th tube goes its whole way and is positive.
async fn positive(app: &TestApp, world: &World, n: u64) {
    lab::deliver(app, world, n, &[tube(n)]).await;
    let plate = lab::load(app, world, n, &[tube(n)]).await;
    let file = lab::run_file(&plate, &BTreeMap::from([(tube(n), POSITIVE)]), false);
    let run = lab::upload(app, world, &plate, file).await.expect(201).json();
    lab::release(app, world, run["id"].as_str().unwrap()).await;
}

/// Name and telephone of everybody an officer is to call, with the tube that is followed up.
async fn calls(app: &TestApp, world: &World) -> BTreeSet<(String, String, String)> {
    let page = app.get(&world.officer, "/v1/recalls").await.expect(200).json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let recalls = page["recalls"].as_array().unwrap().iter();
    recalls
        .map(|recall| {
            let identity = &recall["follow_up"]["identity"];
            (text(&recall["origin_tube"]), text(&identity["name"]), text(&identity["phone"]))
        })
        .collect()
}

each_engine! {
    async fn a_recall_calls_whoever_gave_the_swab_whatever_is_given_later(app) {
        let world = world(app).await;
        let members = people(0, 3);
        seal_tube(app, &world, 1, &members).await.expect(201);
        app.pass(Span::minutes(5));
        // Somebody misreads a card at another tent: the same number, another name and telephone.
        let mut later = tube_body(app, 2, &[person(0), person(7), person(8)]);
        later["members"][0]["name"] = json!("Somebody Else");
        later["members"][0]["phone"] = json!("555-99999999");
        app.put(&world.sampler, &format!("/v1/tubes/{}", tube(2)), &later).await.expect(201);
        assert_eq!(number(app, "select count(*) from person").await, 6);
        assert_eq!(number(app, "select count(distinct key) from person").await, 5);
        positive(app, &world, 1).await;
        let expected: BTreeSet<_> = members.iter()
            .map(|one| (tube(1), one.name.clone(), one.phone.clone())).collect();
        assert_eq!(calls(app, &world).await, expected);
        // The later tube's own recall calls by what was given there.
        positive(app, &world, 2).await;
        let calls = calls(app, &world).await;
        assert_eq!(calls.len(), 6);
        assert!(calls.is_superset(&expected));
        assert!(calls.contains(&(tube(2), "Somebody Else".into(), "555-99999999".into())));
    }

    async fn passports_of_two_countries_with_one_number_are_two_people(app) {
        let world = world(app).await;
        let shown = |issuer| json!({ "type": "passport", "issuer": issuer, "number": "123456789" });
        let mut pool = tube_body(app, 1, &people(0, 2));
        pool["members"][0]["document"] = shown("USA");
        pool["members"][1]["document"] = shown("GBR");
        let path = |n| format!("/v1/tubes/{}", tube(n));
        app.put(&world.sampler, &path(1), &pool).await.expect(201);
        let asked = json!({ "people": [shown("GBR"), shown("USA"), shown("gbr"), shown("FRA")] });
        let answer = app.post(&world.service, "/v1/status/batch", &asked).await.expect(200).json();
        let [british, american, again, french] = [0, 1, 2, 3].map(|i| &answer["people"][i]);
        assert_ne!(british["person"], american["person"]);
        assert_eq!(british, again);
        assert_eq!(british["status"]["state"], "sampled");
        assert_eq!(french["status"], Value::Null);
        // The same country twice is one person twice.
        let mut twice = tube_body(app, 2, &people(0, 2));
        twice["members"][0]["document"] = shown("USA");
        twice["members"][1]["document"] = shown(" usa");
        let refused = app.put(&world.sampler, &path(2), &twice).await.expect(422);
        assert_eq!(refused.code(), "tube.same_person");
    }

    async fn an_issuer_is_asked_for_where_there_are_many_and_refused_where_there_is_one(app) {
        let world = world(app).await;
        let card = person(1).number;
        for (document, reasons) in [
            (json!({ "type": "passport", "number": "123456789" }), 1),
            (json!({ "type": "other", "number": "B-1" }), 1),
            (json!({ "type": "passport", "issuer": "UK", "number": "123456789" }), 1),
            (json!({ "type": "passport", "number": "?" }), 2),
            (json!({ "type": "resident_id", "issuer": "CHN", "number": card }), 1),
        ] {
            let mut body = tube_body(app, 1, &[person(1)]);
            body["members"][0]["document"] = document.clone();
            let refused = app.put(&world.sampler, &format!("/v1/tubes/{}", tube(1)), &body).await;
            let refused = refused.expect(422).json();
            let errors = refused["errors"].as_array().unwrap();
            assert_eq!(errors.len(), reasons, "{refused}");
            assert_eq!(errors[0]["about"], "members[0].document.issuer", "{refused}");
            let asked = json!({ "people": [document] });
            let refused = app.post(&world.service, "/v1/status/batch", &asked).await.expect(422);
            assert_eq!(refused.json()["errors"][0]["about"], "people[0].issuer");
        }
    }

    async fn the_same_identity_again_is_kept_once_and_the_first_tube_stays_the_same(app) {
        let world = world(app).await;
        seal_tube(app, &world, 1, &people(0, 3)).await.expect(201);
        seal_tube(app, &world, 2, &people(0, 3)).await.expect(201);
        assert_eq!(number(app, "select count(*) from person").await, 3);
        let mut moved = tube_body(app, 3, &people(0, 3));
        moved["members"][1]["address"] = json!("2 Other Road");
        app.put(&world.sampler, &format!("/v1/tubes/{}", tube(3)), &moved).await.expect(201);
        assert_eq!(number(app, "select count(*) from person").await, 4);
        // What was given at the first swab is still what the first tube is compared with.
        seal_tube(app, &world, 1, &people(0, 3)).await.expect(200);
        let mut other = tube_body(app, 1, &people(0, 3));
        other["members"][1]["address"] = json!("2 Other Road");
        let differs = app.put(&world.sampler, &format!("/v1/tubes/{}", tube(1)), &other).await;
        let differs = differs.expect(409).json();
        let abouts: Vec<_> = differs["errors"].as_array().unwrap().iter()
            .map(|error| error["about"].as_str().unwrap()).collect();
        assert_eq!(abouts, ["members[1].identity"]);
    }
}
