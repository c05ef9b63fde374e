//! What errors and layouts look like, word for word; a change shows up as a changed snapshot.

use std::collections::BTreeMap;

use axum::http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::plate::{PlacedTube, lay_out, templates, worklist_csv};

use crate::app::{Engine, TestApp};
use crate::laboratory;
use crate::world::{box_, people, plate, seal_tube, tube, tube_body, world};

#[tokio::test]
async fn every_kind_of_problem_says_what_which_and_what_to_do_next() {
    let app = &TestApp::start(Engine::Sqlite).await.unwrap();
    let world = world(app).await;
    let members = people(0, 10);
    seal_tube(app, &world, 0, &members).await.expect(201);
    let mut other = tube_body(app, 0, &members);
    other["members"][3]["taken_at"] = json!("2020-06-20T23:51:00Z");
    other["device"]["sequence"] = json!(7);
    let mut wrong = tube_body(app, 1, &members);
    wrong["swab_count"] = json!(9);
    wrong["members"][1]["document"]["number"] = json!("11010519491231002Y");
    wrong["members"][2] = wrong["members"][0].clone();
    let beside_wells = json!({ "laboratory": "L01", "kit": laboratory::KIT.0,
        "kit_version": laboratory::KIT.1, "template": "one-well-94-columns", "tubes": [tube(0)],
        "pools": ["Q"], "wells": [{ "well": "A1", "reaction": "mix", "tube": tube(0) }] });
    let stated = format!("/v1/plates/{}", plate(0));
    let path = |n| format!("/v1/tubes/{}", tube(n));
    let elsewhere = app.client_at(Role::Sampler, Some("S02".to_owned()), None).await;
    let answers: Vec<(&str, Value)> = vec![
        ("nobody", app.call(Method::GET, "/v1/ledger", None, None).await.json()),
        ("another_role", app.get(&world.courier, "/v1/ledger").await.json()),
        ("another_site", app.get(&elsewhere, &path(0)).await.json()),
        ("no_such_thing", app.get(&world.officer, &path(5)).await.json()),
        ("other_content", app.put(&world.sampler, &path(0), &other).await.json()),
        ("wrong_content", app.put(&world.sampler, &path(1), &wrong).await.json()),
        ("beside_wells", app.put(&world.technician, &stated, &beside_wells).await.json()),
        ("never_allotted", app.put(&world.sampler, &path(999_999), &wrong).await.json()),
        (
            "another_kind",
            app.put(&world.sampler, &format!("/v1/tubes/{}", box_(0)), &other).await.json(),
        ),
        ("no_key", {
            let request = axum::http::Request::post("/v1/arrivals")
                .header("authorization", format!("Bearer {}", world.receiver.token))
                .header("content-type", "application/json")
                .body(axum::body::Body::from("{}"))
                .unwrap();
            app.send(request).await.json()
        }),
        ("a_shape", app.put(&world.sampler, &path(1), &json!({ "size": "ten" })).await.json()),
        ("no_file", app.upload(&world.technician, "/v1/plates/X/runs", vec![]).await.json()),
    ];
    for (name, answer) in answers {
        assert_json_snapshot!(name, answer);
    }
}

#[tokio::test]
async fn a_plate_that_a_robot_filled_otherwise_says_what_is_wrong_and_what_to_do() {
    let app = &TestApp::start(Engine::Sqlite).await.unwrap();
    let world = world(app).await;
    for n in 0..3 {
        seal_tube(app, &world, n, &people(n, 1)).await.expect(201);
    }
    let codes: Vec<_> = (0..3).map(tube).collect();
    laboratory::deliver(app, &world, 0, &codes).await;
    let scan = format!("A1,{}\nA1,{}\nB1,\nI1,X\nFX2,C1,{}\n", codes[0], codes[1], codes[2]);
    let refused = crate::robots::scan(app, &world.technician, "FX1", &scan).await.expect(422);
    assert_json_snapshot!("rack_scan", refused.json());
    let plate = laboratory::load(app, &world, 0, &codes[..2]).await;
    let code = plate["code"].as_str().unwrap();
    let log = format!(
        "A;{third};;;1;;5;;;\nD;{code};;;1;;5;;;\nW;\nA;NTC;;;1;;5;;;\nD;{code};;;3;;4;;;\nW;\n\
         D;{code};;;5;;5;;;\nA;{third};;;1;;5;;;\nD;{code};;;96;;5;;;\nD;{code};;;97;;5;;;\n\
         C;ERROR clot\n",
        third = codes[2]
    );
    let path = format!("/v1/plates/{code}/transfers");
    app.upload(&world.technician, &path, log.into_bytes()).await.expect(201);
    let file = laboratory::run_file(&plate, &BTreeMap::new(), false);
    let blocked = laboratory::upload(app, &world, &plate, file).await.expect(409);
    assert_json_snapshot!("robot_differs", blocked.json());
}

#[test]
fn the_templates_lay_tubes_out_as_they_always_did() {
    let tubes: Vec<_> =
        (1..=12).map(|n| PlacedTube { code: format!("T{n:02}"), depth: 1 }).collect();
    for template in templates() {
        let (code, version) = match template.wells_per_slot() {
            1 => ("orf1ab-n-ic", "1"),
            2 => ("taqpath-combo", "duplicates-2020"),
            _ => ("cdc-2019-ncov", "06"),
        };
        let kit = swabline::interpretation::Kit::find(code, version).unwrap();
        let layout = lay_out(template, &kit.plan(), &tubes).unwrap();
        insta::assert_snapshot!(format!("layout_{}", template.name()), worklist_csv(&layout));
    }
}
