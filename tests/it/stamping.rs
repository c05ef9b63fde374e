//! Four plates of 96 stamped onto one of 384, run as one.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::on;
use swabline::plate::{PlateSize, Transform, WellPosition};
use swabline::simulation::files::quantstudio_text;

use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory::{self as lab, KIT, POSITIVE};
use crate::world::{World, plate, tube, world};

/// Four frozen plates of five tubes, whose controls move with the code.
async fn four_plates(app: &TestApp, world: &World) -> Vec<Value> {
    let tubes = lab::receive(app, world, 0, 0..20).await;
    let mut plates = Vec::new();
    for (n, tubes) in (0..).zip(tubes.chunks(5)) {
        plates.push(lab::load_moving(app, world, n, tubes).await);
    }
    app.pass(Span::minutes(10));
    plates
}

fn stamp(order: &str, quadrants: &[Option<u64>]) -> Value {
    let quadrants: Vec<_> = quadrants.iter().map(|n| n.map(plate)).collect();
    json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
        "stamp": { "order": order, "quadrants": quadrants } })
}

fn path(n: u64) -> String {
    format!("/v1/plates/{}", plate(n))
}

/// What each well of a plate holds.
fn held(plate: &Value) -> BTreeMap<String, (Value, Value, Value)> {
    let wells = plate["wells"].as_array().unwrap().iter();
    let content =
        |well: &Value| (well["tube"].clone(), well["control"].clone(), well["reaction"].clone());
    wells.map(|well| (well["well"].as_str().unwrap().to_owned(), content(well))).collect()
}

async fn is_taken(app: &TestApp, sql: String) -> bool {
    let mut tx = app.app.db.write("test.direct").await.unwrap();
    on!(tx, c => sqlx::raw_sql(AssertSqlSafe(sql)).execute(c).await.map(drop)).is_ok()
}

async fn ledger_is_whole(app: &TestApp, world: &World) {
    let ledger = app.get(&world.officer, "/v1/ledger").await.expect(200).json();
    assert_eq!(ledger["unexplained"], 0, "{ledger}");
}

each_engine! {
    async fn four_plates_are_run_as_one_and_their_tubes_are_released(app) {
        let world = world(app).await;
        let sources = four_plates(app, &world).await;
        let wanted = stamp("n", &[Some(0), Some(1), Some(2), Some(3)]);
        let made = app.put(&world.technician, &path(4), &wanted).await.expect(201).json();
        assert_eq!((&made["size"], &made["template"]), (&json!(384), &json!("stamp")));
        assert_eq!(made["stamp"], wanted["stamp"]);
        assert_eq!(made["wells"].as_array().unwrap().len(), 4 * 7);
        // Column by column: the second source goes to B1.
        let at = |source: &str, (row, column): (u8, u8)| {
            let well: WellPosition = source.parse().unwrap();
            let well = WellPosition::new(2 * well.row() + row, 2 * well.column() + column);
            well.unwrap().to_string()
        };
        for (source, offset) in sources.iter().zip([(0, 0), (1, 0), (0, 1), (1, 1)]) {
            for (well, content) in held(source) {
                assert_eq!(held(&made)[&at(&well, offset)], content, "{well}");
            }
        }
        let draft = app.get(&world.technician, &path(0)).await.expect(200).json();
        assert_eq!((&draft["state"], draft.get("stamped_onto")), (&json!("frozen"), None));

        let freeze = format!("{}/freeze", path(4));
        let frozen = app.post(&world.technician, &freeze, &json!({})).await.expect(200).json();
        assert_eq!(app.put(&world.technician, &path(4), &wanted).await.expect(200).json(), frozen);
        let other = stamp("z", &[Some(0), Some(1), Some(2), Some(3)]);
        let refused = app.put(&world.technician, &path(4), &other).await.expect(422);
        assert_eq!(refused.code(), "plate.source_stamped");
        let source = app.get(&world.technician, &path(0)).await.expect(200).json();
        assert_eq!((&source["state"], &source["stamped_onto"]), (&json!("closed"), &json!(plate(4))));
        let own = lab::run_file(&sources[0], &BTreeMap::new(), false);
        let refused = lab::upload(app, &world, &sources[0], own).await.expect(409);
        assert_eq!(refused.code(), "run.plate_stamped");

        let list = app.get(&world.technician, &format!("{}/picklist", path(4))).await.expect(200);
        let well = held(&sources[1]).into_iter().find(|(_, held)| held.0 == json!(tube(5)));
        let (well, _) = well.unwrap();
        let row = format!("{},{},1,0,{},{well},", at(&well, (1, 0)), tube(5), plate(1));
        assert!(list.text().contains(&row), "{row} in {}", list.text());
        let list = app.get(&world.technician, &format!("{}/worklist", path(4))).await.expect(200);
        assert_eq!(list.text().lines().count(), 1 + 4 * 7);

        let file = lab::run_file(&frozen, &BTreeMap::from([(tube(7), POSITIVE)]), false);
        let run = lab::upload(app, &world, &frozen, file).await.expect(201).json();
        assert_eq!(run["verdict"], json!({ "usable": true, "reasons": [], "flags": [] }));
        let released = lab::release(app, &world, run["id"].as_str().unwrap()).await;
        assert_eq!(released["released"]["reported"].as_array().unwrap().len(), 20);
        ledger_is_whole(app, &world).await;
    }

    async fn neighbours_on_a_source_are_held_on_the_stamped_plate(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..18).await;
        let source = lab::load_moving(app, &world, 0, &tubes[..17]).await;
        let other = lab::load_moving(app, &world, 1, &tubes[17..]).await;
        assert_eq!(held(&other).len(), 3);
        // Filled column by column: two tubes side by side on their own plate.
        let at = |name: &str| held(&source)[name].0.as_str().map(str::to_owned);
        let rows = "ABCDEFGH".chars();
        let mut pairs = rows.map(|row| (at(&format!("{row}1")), at(&format!("{row}2"))));
        let (strong, weak) = pairs.find_map(|(one, two)| one.zip(two)).unwrap();
        let wanted = stamp("z", &[Some(0), Some(1)]);
        app.put(&world.technician, &path(4), &wanted).await.expect(201);
        let freeze = format!("{}/freeze", path(4));
        let frozen = app.post(&world.technician, &freeze, &json!({})).await.expect(200).json();
        let shown = [
            (strong, [Some("20.1"), Some("20.3"), Some("27.1")]),
            (weak.clone(), [Some("34.1"), Some("34.3"), Some("27.1")]),
        ];
        let file = lab::run_file(&frozen, &BTreeMap::from(shown), false);
        let run = lab::upload(app, &world, &frozen, file).await.expect(201).json();
        let flags = run["verdict"]["flags"].as_array().unwrap();
        let codes: Vec<_> = flags.iter().map(|flag| flag["code"].as_str().unwrap()).collect();
        assert_eq!(codes, ["weak_beside_strong"], "{run}");
        let released = lab::release(app, &world, run["id"].as_str().unwrap()).await;
        assert_eq!(released["released"]["retested"], json!([weak]));
    }

    async fn what_a_robot_did_to_a_source_keeps_the_stamped_plate_from_a_run(app) {
        let world = world(app).await;
        four_plates(app, &world).await;
        // Of the first source one well was filled, and with a tube of another plate.
        let log = format!("A;{};;;1;;5;;;\nD;{};;;1;;5;;;\n", tube(19), plate(0));
        let transfers = format!("{}/transfers?name=robot.gwl", path(0));
        app.upload(&world.technician, &transfers, log.into_bytes()).await.expect(201);
        let wanted = stamp("z", &[Some(0), Some(1), Some(2), Some(3)]);
        let frozen = lab::freeze(app, &world, 4, &wanted).await;
        let file = lab::run_file(&frozen, &BTreeMap::new(), false);
        let refused = lab::upload(app, &world, &frozen, file).await.expect(409);
        assert_eq!(refused.code(), "transfer.differs");
        assert!(refused.text().contains(&format!("planned with plate {}", plate(0))));
    }

    async fn a_robot_s_list_of_a_stamped_plate_takes_from_the_wells_of_its_sources(app) {
        let world = world(app).await;
        let sources = four_plates(app, &world).await;
        let wanted = stamp("z", &[Some(0), Some(1), Some(2), Some(3)]);
        lab::freeze(app, &world, 4, &wanted).await;
        let list = format!("{}/worklist?format=tecan", path(4));
        let list = app.get(&world.technician, &list).await.expect(200).text();
        let taken = list.lines().filter(|line| line.starts_with("A;")).count();
        let filled: usize =
            sources.iter().map(|source| source["wells"].as_array().unwrap().len()).sum();
        assert_eq!(taken, filled, "{list}");
        for n in 0..4 {
            assert!(list.contains(&format!("A;{};", plate(n))), "{list}");
        }
    }

    async fn the_tubes_of_a_void_stamped_plate_go_back_and_their_sources_do_not(app) {
        let world = world(app).await;
        four_plates(app, &world).await;
        let wanted = stamp("z", &[Some(0), None, Some(2), Some(3)]);
        let frozen = lab::freeze(app, &world, 4, &wanted).await;
        let file = lab::run_file(&frozen, &BTreeMap::new(), true);
        let run = lab::upload(app, &world, &frozen, file).await.expect(201).json();
        assert_eq!(run["verdict"]["usable"], false);
        let review = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        let void = app.post(&world.reviewer, &review, &json!({ "decision": "void" })).await;
        assert_eq!(void.expect(200).json()["back"].as_array().unwrap().len(), 15);
        let waiting = app.get(&world.technician, "/v1/laboratories/L01/retests").await;
        let waiting = waiting.expect(200).json();
        let waiting = waiting["retests"].as_array().unwrap();
        assert_eq!(waiting.len(), 15);
        assert!(waiting.iter().all(|retest| retest["last_plate"] == plate(4)), "{waiting:?}");
        let state = app.get(&world.technician, &path(0)).await.expect(200).json();
        assert_eq!(state["state"], "closed");
        let left = app.get(&world.technician, &path(1)).await.expect(200).json();
        assert_eq!(left["state"], "frozen", "a plate that was left out stays as it was");
        let tubes: Vec<_> = waiting.iter().map(|retest| retest["tube"].as_str().unwrap().to_owned()).collect();
        lab::load_moving(app, &world, 5, &tubes).await;
        ledger_is_whole(app, &world).await;
    }

    async fn exchanged_quadrants_show_in_the_run(app) {
        let world = world(app).await;
        four_plates(app, &world).await;
        let frozen = lab::freeze(app, &world, 4, &stamp("z", &[0, 1, 2, 3].map(Some))).await;
        let mut run = lab::cycled(&frozen, &BTreeMap::new(), false);
        for well in &mut run.wells {
            well.well = Transform::ExchangedA2B1.read_at(well.well, PlateSize::P384).unwrap();
            "sample".clone_into(&mut well.sample);
        }
        let file = quantstudio_text(&run).into_bytes();
        let refused = lab::upload(app, &world, &frozen, file).await.expect(422).json();
        let named = refused["errors"].as_array().unwrap().iter().any(|reason| {
            reason["code"] == "run.suspected"
                && reason["message"].as_str().unwrap().contains("quadrants A2 and B1 exchanged")
        });
        assert!(named, "{refused}");
    }

    async fn of_two_drafts_with_a_source_the_first_that_is_frozen_has_it(app) {
        let world = world(app).await;
        let sources = four_plates(app, &world).await;
        app.put(&world.technician, &path(4), &stamp("z", &[Some(0), Some(1)])).await.expect(201);
        app.put(&world.technician, &path(5), &stamp("z", &[Some(1), Some(2)])).await.expect(201);
        let redone = stamp("n", &[Some(3), Some(1), None, Some(2)]);
        app.put(&world.technician, &path(5), &redone).await.expect(200);
        let freeze = |n| format!("{}/freeze", path(n));
        app.post(&world.technician, &freeze(4), &json!({})).await.expect(200);
        let late = app.post(&world.technician, &freeze(5), &json!({})).await.expect(409);
        assert_eq!(late.code(), "plate.source_stamped");
        assert_eq!(late.json()["errors"][0]["about"], plate(1));
        let left = stamp("n", &[Some(3), None, None, Some(2)]);
        app.put(&world.technician, &path(5), &left).await.expect(200);
        let file = lab::run_file(&sources[3], &BTreeMap::new(), false);
        lab::upload(app, &world, &sources[3], file).await.expect(201);
        let late = app.post(&world.technician, &freeze(5), &json!({})).await.expect(409);
        assert_eq!(late.code(), "plate.source_run");
    }

    async fn only_free_plates_of_this_laboratory_and_kit_are_stamped(app) {
        let world = world(app).await;
        four_plates(app, &world).await;
        let tubes = lab::receive(app, &world, 1, 20..22).await;
        let draft = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
            "template": "one-well-94-moving-columns", "tubes": tubes });
        app.put(&world.technician, &path(5), &draft).await.expect(201);
        let technician = &world.technician;
        let refused = |request: Value| async move {
            app.put(technician, &path(9), &request).await.expect(422).code()
        };
        assert_eq!(refused(stamp("z", &[Some(0), Some(5)])).await, "plate.source_draft");
        assert_eq!(refused(stamp("z", &[Some(0), Some(8)])).await, "plate.source_unknown");
        assert_eq!(refused(stamp("z", &[Some(0), Some(0)])).await, "plate.source_twice");
        assert_eq!(refused(stamp("z", &[None, None])).await, "plate.quadrants");
        assert_eq!(refused(stamp("z", &[Some(0); 5])).await, "plate.quadrants");
        let mut both = stamp("z", &[Some(0)]);
        both["template"] = json!("one-well-94-columns");
        assert_eq!(refused(both).await, "plate.stamp_alone");
        let mut kit = stamp("z", &[Some(0)]);
        kit["kit_version"] = json!("2");
        assert_eq!(refused(kit).await, "plate.source_kit");
    }

    async fn four_plates_with_their_controls_in_the_same_wells_are_refused(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..4).await;
        for (n, tube) in (0..).zip(&tubes) {
            lab::load(app, &world, n, std::slice::from_ref(tube)).await;
        }
        let wanted = stamp("z", &[0, 1, 2, 3].map(Some));
        let refused = app.put(&world.technician, &path(4), &wanted).await.expect(422);
        assert_eq!(refused.code(), "plate.unnoticed");
        assert_eq!(refused.json()["errors"].as_array().unwrap().len(), 6, "{}", refused.text());
    }

    async fn nothing_of_another_laboratory_s_plate_is_told(app) {
        let world = world(app).await;
        four_plates(app, &world).await;
        let second = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
        app.put(&world.administrator, "/v1/laboratories/L02", &second).await.expect(201);
        let stranger = app.client_at(Role::Technician, None, Some("L02".to_owned())).await;
        let mut wanted = stamp("z", &[Some(0), Some(1)]);
        wanted["laboratory"] = json!("L02");
        let refused = app.put(&stranger, &path(9), &wanted).await.expect(422);
        assert_eq!(refused.code(), "plate.source_elsewhere");
        assert!(!refused.text().contains(&tube(0)));
    }

    async fn the_database_too_keeps_sources_and_gives_them_no_run(app) {
        let world = world(app).await;
        four_plates(app, &world).await;
        app.put(&world.technician, &path(5), &stamp("z", &[Some(1), Some(2)])).await.expect(201);
        lab::freeze(app, &world, 4, &stamp("z", &[Some(0), Some(1)])).await;
        let stamped = format!("select '{}', 4, '{}', 'z'", plate(4), plate(3));
        let run = |source: &str| format!(
            "insert into run_file (sha256, name, content, kept_us) values ('X', 'f', unhex('00'), 0);
            insert into run (id, plate_code, sha256, format, instrument, serial, run_ended, kit_code,
                kit_version, usable, verdict, warnings, imported_by, imported_us, state)
            values ('X', '{source}', 'X', 'f', 'i', 's', '', 'K', '1', 1, '', '[]', 'A', 0, 'draft')"
        );
        for (sql, taken) in [
            ("update stamp set scheme = 'n'".to_owned(), false),
            (format!("delete from stamp where plate_code = '{}'", plate(4)), false),
            (format!("delete from stamp where plate_code = '{}'", plate(5)), true),
            (format!("insert into stamp (plate_code, quadrant, source_plate, scheme) {stamped}"), false),
            (format!("update plate set state = 'frozen', frozen_us = 1 where code = '{}'", plate(5)), false),
            (run(&plate(0)), false),
            (run(&plate(3)), true),
        ] {
            assert_eq!(is_taken(app, sql.clone()).await, taken, "{sql}");
        }
    }

    async fn a_stamped_plate_uses_its_reactions_once_and_its_tubes_tell_of_it(app) {
        let world = world(app).await;
        let lot = format!("/v1/lots/{}/A1", KIT.0);
        // Enough for four plates of five tubes and two controls, and for nothing else.
        let came = json!({ "laboratory": "L01", "expires_at": app.now() + Span::days(9),
            "reactions": 28 });
        app.put(&world.technician, &lot, &came).await.expect(201);
        let used = async || {
            let listed = app.get(&world.reviewer, "/v1/lots").await.expect(200).json();
            listed["lots"][0]["used"].clone()
        };
        let tubes = lab::receive(app, &world, 0, 0..20).await;
        for (n, tubes) in (0..).zip(tubes.chunks(5)) {
            let request = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
                "lot": "A1", "template": "one-well-94-moving-columns", "tubes": tubes });
            lab::freeze(app, &world, n, &request).await;
        }
        assert_eq!(used().await, 28);
        let mut wanted = stamp("z", &[Some(0), Some(1), Some(2), Some(3)]);
        wanted["lot"] = json!("A1");
        lab::freeze(app, &world, 4, &wanted).await;
        assert_eq!(used().await, 28, "the wells that are run, once");

        let way = app.get(&world.officer, &format!("/v1/tubes/{}", tube(5))).await.expect(200);
        let way = way.json();
        let stamped = &way["plates"][0];
        assert_eq!((&stamped["plate"], &stamped["stamped"]["onto"]),
            (&json!(plate(1)), &json!(plate(4))));
        assert_eq!((&stamped["stamped"]["quadrant"], &stamped["stamped"]["order"]),
            (&json!(2), &json!("z")));
        let at = |n: u64| {
            let wells = way["wells"].as_array().unwrap().iter();
            let mut here = wells.filter(|well| well["plate"] == plate(n));
            here.next().unwrap()["well"].as_str().unwrap().parse::<WellPosition>().unwrap()
        };
        let (source, here) = (at(1), at(4));
        assert_eq!((here.row(), here.column()), (2 * source.row(), 2 * source.column() + 1));
    }
}
