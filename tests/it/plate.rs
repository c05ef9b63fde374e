//! Plates over HTTP: drafted, sent again, frozen, and listed for the robot.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use swabline::auth::Role;

use crate::app::{Answer, Engine, TestApp};
use crate::each_engine;
use crate::laboratory::{self as lab, KIT};
use crate::way;
use crate::world::{World, people, plate, pool, seal_tube, tube, world};

/// Tubes received at L01, one person each.
async fn received(app: &TestApp, count: u64) -> World {
    let world = world(app).await;
    let tubes: Vec<_> = (0..count).map(tube).collect();
    for n in 0..count {
        seal_tube(app, &world, n, &people(n, 1)).await.expect(201);
    }
    lab::deliver(app, &world, 0, &tubes).await;
    world
}

fn wanted(laboratory: &str, tubes: &[u64]) -> Value {
    let tubes: Vec<_> = tubes.iter().map(|n| tube(*n)).collect();
    json!({ "laboratory": laboratory, "kit": KIT.0, "kit_version": KIT.1,
        "template": "one-well-94-columns", "tubes": tubes })
}

/// Sends it under a condition on what is stored.
async fn under(
    (app, world): (&TestApp, &World),
    (method, path): (Method, &str),
    (header, tag): (&str, &str),
    body: &Value,
) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", world.technician.token))
        .header("content-type", "application/json")
        .header("idempotency-key", app.clock.id().to_string())
        .header(header, tag)
        .body(Body::from(body.to_string()))
        .unwrap();
    app.send(request).await
}

fn tag_of(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

each_engine! {
    async fn a_plate_sent_again_is_the_same_plate_however_far_its_tubes_are(app) {
        let world = received(app, 3).await;
        let (technician, path) = (&world.technician, format!("/v1/plates/{}", plate(0)));
        let drafted = app.put(technician, &path, &wanted("L01", &[0, 1])).await.expect(201);
        let again = app.put(technician, &path, &wanted("L01", &[0, 1])).await.expect(200);
        assert_eq!(again.json(), drafted.json());
        app.put(technician, &path, &wanted("L01", &[1, 0])).await.expect(200);
        let freeze = format!("{path}/freeze");
        let frozen = app.post(technician, &freeze, &json!({})).await.expect(200).json();
        let again = app.put(technician, &path, &wanted("L01", &[1, 0])).await.expect(200);
        assert_eq!(again.json(), frozen);
        let other = app.put(technician, &path, &wanted("L01", &[2])).await.expect(409);
        assert_eq!(other.code(), "plate.frozen");
        let taken = app.put(technician, &path, &wanted("L01", &[0, 1])).await.expect(422);
        assert_eq!(taken.code(), "plate.tube_state");
        assert_eq!(app.get(technician, &path).await.expect(200).json(), frozen);
    }

    async fn a_code_is_the_same_in_any_case_and_with_blanks_around_it(app) {
        let world = received(app, 3).await;
        lab::mix(app, &world, 0, &[tube(1), tube(2)]).await.expect(201);
        let path = format!("/v1/plates/{}", plate(0));
        let mut typed = wanted("L01", &[]);
        typed["tubes"] = json!([format!(" {} ", tube(0).to_lowercase())]);
        typed["pools"] = json!([pool(0).to_lowercase()]);
        let made = app.put(&world.technician, &path, &typed).await.expect(201).json();
        let mut plain = wanted("L01", &[0]);
        plain["pools"] = json!([pool(0)]);
        assert_eq!(app.put(&world.technician, &path, &plain).await.expect(200).json(), made);
        let stated = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1, "size": 96,
            "wells": [{ "well": "A1", "reaction": "mix", "tube": tube(0).to_lowercase() },
                { "well": "B1", "reaction": "mix", "control": "positive" }, { "well": "C1", "reaction": "mix", "control": "negative" }] });
        let path = format!("/v1/plates/{}?dry_run=true", plate(1));
        let shown = app.put(&world.technician, &path, &stated).await.expect(201).json();
        assert_eq!(shown["wells"][0]["tube"], tube(0));
    }

    async fn stated_wells_stand_alone_in_their_request(app) {
        let world = received(app, 2).await;
        let path = format!("/v1/plates/{}", plate(0));
        let alone = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1, "size": 96,
            "wells": [{ "well": "A1", "reaction": "mix", "tube": tube(0) },
                { "well": "B1", "reaction": "mix", "control": "positive" },
                { "well": "C1", "reaction": "mix", "control": "negative" }] });
        let mut all = alone.clone();
        let beside = [("template", json!("one-well-94-columns")), ("tubes", json!([tube(1)])),
            ("pools", json!([pool(0)]))];
        for (field, named) in &beside {
            let mut both = alone.clone();
            both[*field] = named.clone();
            all[*field] = named.clone();
            let refused = app.put(&world.technician, &path, &both).await.expect(422);
            assert_eq!(refused.code(), "plate.wells_alone");
            let errors = refused.json()["errors"].clone();
            assert_eq!((errors.as_array().unwrap().len(), &errors[0]["about"]), (1, &json!(field)));
        }
        let refused = app.put(&world.technician, &path, &all).await.expect(422).json();
        assert_eq!(refused["errors"].as_array().unwrap().len(), 3, "{refused}");
        app.get(&world.technician, &path).await.expect(404);
        // By themselves, and with lists that are empty, they are taken.
        all = alone;
        (all["tubes"], all["pools"]) = (json!([]), json!([]));
        app.put(&world.technician, &path, &all).await.expect(201);
    }

    async fn a_dry_run_answers_for_one_tube_and_keeps_nothing(app) {
        let world = received(app, 2).await;
        seal_tube(app, &world, 2, &people(2, 1)).await.expect(201);
        let (technician, path) = (&world.technician, format!("/v1/plates/{}", plate(0)));
        let dry = format!("{path}?dry_run=true");
        let shown = app.put(technician, &dry, &wanted("L01", &[1])).await.expect(201).json();
        assert_eq!(shown["wells"][0]["tube"], tube(1));
        assert_eq!(shown["wells"][0]["depth"], 1);
        let refused = app.put(technician, &dry, &wanted("L01", &[2])).await.expect(422);
        assert_eq!(refused.code(), "plate.tube_state");
        app.get(technician, &path).await.expect(404);
        // A draft stays what it was.
        let drafted = app.put(technician, &path, &wanted("L01", &[0])).await.expect(201).json();
        app.put(technician, &dry, &wanted("L01", &[1])).await.expect(200);
        assert_eq!(app.get(technician, &path).await.expect(200).json(), drafted);
    }

    async fn of_two_desks_with_one_draft_neither_writes_over_the_other(app) {
        let world = received(app, 4).await;
        let path = format!("/v1/plates/{}", plate(0));
        let (put, new) = ((Method::PUT, path.as_str()), ("if-none-match", "*"));
        let stored = async || app.get(&world.technician, &path).await.expect(200);
        let first = under((app, &world), put.clone(), new, &wanted("L01", &[0])).await.expect(201);
        let late = under((app, &world), put.clone(), new, &wanted("L01", &[1])).await.expect(412);
        assert_eq!(late.code(), "plate.changed");
        assert_eq!(late.json()["errors"][0]["about"], plate(0));
        // An answer that was lost is asked for again.
        let again = under((app, &world), put.clone(), new, &wanted("L01", &[0])).await.expect(200);
        assert_eq!((again.json(), tag_of(&again)), (first.json(), tag_of(&first)));
        assert_eq!(tag_of(&stored().await), tag_of(&first));

        let seen = tag_of(&first);
        let ours = ("if-match", seen.as_str());
        let more = under((app, &world), put.clone(), ours, &wanted("L01", &[0, 1])).await.expect(200);
        assert_ne!(tag_of(&more), seen);
        under((app, &world), put.clone(), ours, &wanted("L01", &[0, 2])).await.expect(412);
        let dry = format!("{path}?dry_run=true");
        under((app, &world), (Method::PUT, &dry), ours, &wanted("L01", &[2])).await.expect(412);
        let freeze = format!("{path}/freeze");
        under((app, &world), (Method::POST, &freeze), ours, &json!({})).await.expect(412);
        let kept = stored().await;
        assert_eq!((kept.json(), tag_of(&kept)), (more.json(), tag_of(&more)));

        // A dry run stores no version that could have a tag.
        let newest = format!("\"other\", W/{}", tag_of(&more));
        let ours = ("if-match", newest.as_str());
        let tried = under((app, &world), (Method::PUT, &dry), ours, &wanted("L01", &[2])).await;
        assert!(!tried.expect(200).headers.contains_key("etag"));
        under((app, &world), (Method::POST, &freeze), ours, &json!({})).await.expect(200);
        let other = under((app, &world), put.clone(), ours, &wanted("L01", &[2])).await.expect(412);
        assert_eq!(other.code(), "plate.changed");
        // Nothing is stored of a plate that nobody made.
        let none = format!("/v1/plates/{}", plate(1));
        under((app, &world), (Method::PUT, &none), ours, &wanted("L01", &[2])).await.expect(412);
        app.get(&world.technician, &none).await.expect(404);
    }

    async fn of_two_desks_that_make_one_plate_at_once_one_is_told_so(app) {
        let world = received(app, 2).await;
        let (one, other) = (wanted("L01", &[0]), wanted("L01", &[1]));
        // On SQLite the second desk waits for the first and finds its draft.
        for (n, header, after) in [(0, ("accept", "*/*"), 200), (1, ("if-none-match", "*"), 412)] {
            let path = format!("/v1/plates/{}", plate(n));
            let put = async |body: &Value| {
                under((app, &world), (Method::PUT, path.as_str()), header, body).await
            };
            // Both have looked for the plate before either has made it.
            let mut holds = app.app.db.write("test.holds").await.unwrap();
            if app.engine == Engine::Postgres {
                way::run(&mut holds, "lock table well in share mode".to_owned()).await;
            }
            let frees = async {
                way::writers_wait(app, 2).await;
                holds.commit().await.unwrap();
            };
            let (first, second, ()) = tokio::join!(put(&one), put(&other), frees);
            let mut answers = [first, second];
            answers.sort_by_key(|answer| answer.status != 201);
            let [made, late] = answers;
            let made = made.expect(201);
            let late = late.expect(if app.engine == Engine::Postgres { 409 } else { after });
            if late.status == 409 {
                assert_eq!(late.code(), "plate.concurrent");
            }
            let stands = if late.status == 200 { &late } else { &made };
            let stored = app.get(&world.technician, &path).await.expect(200);
            assert_eq!((stored.json(), tag_of(&stored)), (stands.json(), tag_of(stands)));
        }
    }

    async fn the_slots_of_a_plate_are_the_wells_that_its_tubes_take(app) {
        let world = received(app, 3).await;
        for (n, template) in [(0, "one-well-94-columns"), (1, "one-well-94-moving-columns")] {
            let path = format!("/v1/plates/{}", plate(n));
            let slots = format!("{path}/slots?template={template}");
            let slots = app.get(&world.technician, &slots).await.expect(200).json();
            let mut request = wanted("L01", &[0, 1, 2]);
            request["template"] = json!(template);
            let made = app.put(&world.technician, &path, &request).await.expect(201).json();
            let wells = made["wells"].as_array().unwrap();
            let held = |well: &Value| wells.iter().find(|one| one["well"] == *well).cloned();
            for n in 0..3 {
                let well = held(&slots["slots"][usize::try_from(n).unwrap()][0]).unwrap();
                assert_eq!(well["tube"], tube(n));
            }
            for control in slots["controls"].as_array().unwrap() {
                assert_eq!(held(&control["wells"][0]).unwrap()["control"], control["control"]);
            }
            let warned = slots["warnings"].as_array().unwrap();
            assert_eq!(warned.len(), usize::from(template == "one-well-94-columns"));
        }
        let unknown = format!("/v1/plates/{}/slots?template=none", plate(0));
        let refused = app.get(&world.technician, &unknown).await.expect(422);
        assert_eq!(refused.code(), "plate.template");
    }

    async fn of_two_drafts_with_a_tube_the_first_that_is_frozen_has_it(app) {
        let world = received(app, 3).await;
        for (n, tubes) in [(0, [0, 1]), (1, [1, 2])] {
            let path = format!("/v1/plates/{}", plate(n));
            app.put(&world.technician, &path, &wanted("L01", &tubes)).await.expect(201);
        }
        let freeze = |n| format!("/v1/plates/{}/freeze", plate(n));
        app.post(&world.technician, &freeze(0), &json!({})).await.expect(200);
        let late = app.post(&world.technician, &freeze(1), &json!({})).await.expect(409);
        assert_eq!(late.code(), "plate.tube_taken");
        assert_eq!(late.json()["errors"][0]["about"], tube(1));
    }

    async fn another_laboratory_neither_sees_nor_takes_over_a_draft(app) {
        let world = received(app, 1).await;
        let second = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
        app.put(&world.administrator, "/v1/laboratories/L02", &second).await.expect(201);
        let laboratory = Some("L02".to_owned());
        let stranger = app.client_at(Role::Technician, None, laboratory.clone()).await;
        let receiver = app.client_at(Role::Receiver, None, laboratory).await;
        seal_tube(app, &world, 1, &people(1, 1)).await.expect(201);
        let manifest = json!({ "site": "S01", "seal": "S", "sealed_at": app.now(),
            "tubes": [tube(1)] });
        let other = crate::world::box_(1);
        app.put(&world.sampler, &format!("/v1/boxes/{other}"), &manifest).await.expect(201);
        let arrival = json!({ "box": other, "laboratory": "L02",
            "arrived_at": app.now(), "seal_intact": true, "scanned": [{ "tube": tube(1) }] });
        app.post(&receiver, "/v1/arrivals", &arrival).await.expect(201);
        let path = format!("/v1/plates/{}", plate(0));
        app.put(&world.technician, &path, &wanted("L01", &[0])).await.expect(201);
        app.get(&stranger, &path).await.expect(403);
        app.put(&stranger, &path, &wanted("L02", &[1])).await.expect(403);
        app.post(&stranger, &format!("{path}/freeze"), &json!({})).await.expect(403);
        let kept = app.get(&world.technician, &path).await.expect(200).json();
        assert_eq!(kept["laboratory"], "L01");
    }

    async fn the_robot_s_list_names_every_filled_well(app) {
        let world = received(app, 2).await;
        let loaded = lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
        let path = format!("/v1/plates/{}/worklist", plate(0));
        let list = app.get(&world.technician, &path).await.expect(200);
        assert_eq!(list.headers["content-type"], "text/csv; charset=utf-8");
        let text = list.text();
        let rows: Vec<_> = text.lines().collect();
        assert_eq!(rows[0], "well,tube,reaction,role");
        assert_eq!(rows.len(), 1 + loaded["wells"].as_array().unwrap().len());
        assert!(rows.contains(&format!("A1,{},mix,tube", tube(0)).as_str()), "{text}");
    }

    async fn a_template_whose_controls_never_move_is_warned_of(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..2).await;
        for (n, template, warnings) in [
            (0, "one-well-94-columns", json!(["plate.fixed_controls"])),
            (1, "one-well-94-moving-columns", json!([])),
        ] {
            let request = json!({ "laboratory": "L01", "kit": lab::KIT.0,
                "kit_version": lab::KIT.1, "template": template, "tubes": [tubes[n]] });
            let path = format!("/v1/plates/{}", plate(n as u64));
            let made = app.put(&world.technician, &path, &request).await.expect(201);
            let freeze = format!("{path}/freeze");
            let frozen = app.post(&world.technician, &freeze, &json!({})).await.expect(200);
            for answer in [made, frozen] {
                let answer = answer.json();
                let told = answer.get("warnings").cloned().unwrap_or_else(|| json!([]));
                let codes: Vec<_> =
                    told.as_array().unwrap().iter().map(|told| told["code"].clone()).collect();
                assert_eq!(json!(codes), warnings, "{template}");
            }
        }
        let tubes = lab::receive(app, &world, 1, 2..3).await;
        let control = |well: &str, control: &str| json!({ "well": well, "reaction": "mix", "control": control });
        let request = json!({ "laboratory": "L01", "kit": lab::KIT.0, "kit_version": lab::KIT.1,
            "size": 96, "wells": [{ "well": "A1", "reaction": "mix", "tube": tubes[0] },
                control("A2", "positive"), control("A3", "negative")] });
        let path = format!("/v1/plates/{}", plate(2));
        let made = app.put(&world.technician, &path, &request).await.expect(201).json();
        assert_eq!(made["warnings"][0]["code"], "plate.fixed_controls", "{made}");
        assert_eq!(made["warnings"][0]["about"], "wells", "{made}");
    }
}
