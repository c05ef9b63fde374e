//! A robot's log is judged by the plate's own plan, and within bounds.

use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::plate::WellPosition;

use crate::app::{Answer, TestApp};
use crate::each_engine;
use crate::laboratory::{self as lab, KIT};
use crate::robots::{accept, bring, codes, received, run, worklist};
use crate::world::{World, plate, tube};

/// Asks for the `n`th plate with two tubes of its own.
async fn make(app: &TestApp, world: &World, n: u64, more: Value) -> Answer {
    let mut request = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
        "template": "one-well-94-columns", "tubes": [tube(2 * n), tube(2 * n + 1)] });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.put(&world.technician, &format!("/v1/plates/{}", plate(n)), &request).await
}

async fn freeze(app: &TestApp, world: &World, n: u64) {
    lab::freeze_placed(app, world, n).await.expect(200);
}

each_engine! {
    async fn a_log_is_judged_by_the_plate_s_plan_and_not_by_who_brings_it(app) {
        let world = received(app, 4).await;
        let technician = &world.technician;
        for text in ["0", "five", "-1"] {
            let refused = make(app, &world, 0, json!({ "volume": text })).await.expect(422);
            assert_eq!(refused.code(), "plate.volume");
        }
        let made = make(app, &world, 0, json!({ "volume": "20" })).await.expect(201).json();
        assert_eq!((&made["volume"], &made["tolerance"]), (&json!("20"), &json!(10)));
        freeze(app, &world, 0).await;
        let path = format!("/v1/plates/{}/worklist?format=tecan&volume=2", plate(0));
        assert_eq!(codes(&app.get(technician, &path).await.expect(409)), ["plate.not_planned"]);
        let list = worklist(app, &world, 0, "format=tecan&volume=20.0").await;
        assert!(list.contains(";20;;;"), "{list}");
        // A tenth of it went in, and whoever brings the log would call that the plan.
        let little = list.replace(";;20;;;", ";;2;;;");
        let loose = bring(app, technician, 0, "&volume=2&tolerance=100", &little).await.expect(409);
        assert_eq!(codes(&loose), ["plate.not_planned", "plate.not_planned"]);
        let log = bring(app, technician, 0, "&volume=20&tolerance=10", &little).await;
        let log = log.expect(201).json();
        assert_eq!(log["explained"][0], "well A1 got 2 µL of 20 µL", "{log}");
        assert_eq!(run(app, &world, 0).await.expect(409).code(), "transfer.differs");
        // A plate made without a word takes the usual volume.
        let made = make(app, &world, 1, json!({})).await.expect(201).json();
        assert_eq!(made["volume"], "5");
        freeze(app, &world, 1).await;
        let list = worklist(app, &world, 1, "format=tecan").await;
        let log = bring(app, technician, 1, "", &list).await.expect(201).json();
        assert_eq!(log["explained"], json!([]));
        run(app, &world, 1).await.expect(201);
    }

    async fn a_kit_that_states_its_volume_is_what_counts(app) {
        let world = received(app, 4).await;
        let pipetting = json!({ "volume": "10", "tolerance_percent": 5 });
        lab::approved(app, &world, "house", |kit| kit["pipetting"] = pipetting).await.expect(200);
        let house = |volume: Value| json!({ "kit_version": "house", "volume": volume });
        let refused = make(app, &world, 0, house(json!("5"))).await.expect(422);
        assert_eq!(codes(&refused), ["plate.not_planned"]);
        let made = make(app, &world, 0, house(json!("10"))).await.expect(201).json();
        assert_eq!((&made["volume"], &made["tolerance"]), (&json!("10"), &json!(5)));
        // The setting of the laboratory is for kits that do not say, and for plates to come.
        make(app, &world, 1, json!({ "volume": "10" })).await.expect(201);
        freeze(app, &world, 0).await;
        freeze(app, &world, 1).await;
        let strict = app.restarted(|config| config.volume_tolerance_percent = 0);
        let again = make(&strict, &world, 1, json!({ "volume": "10" })).await.expect(200).json();
        assert_eq!(again["tolerance"], 10);
        for (n, explained) in [(0, json!(["well A1 got 9.2 µL of 10 µL"])), (1, json!([]))] {
            let list = worklist(&strict, &world, n, "format=tecan").await;
            let less = list.replacen(";1;;10;;;", ";1;;9.2;;;", 1);
            let log = bring(&strict, &world.technician, n, "", &less).await.expect(201).json();
            assert_eq!(log["explained"], explained, "{less}");
        }
    }

    async fn a_tip_used_again_unwashed_for_another_tube_blocks_the_plate(app) {
        let world = received(app, 2).await;
        lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
        let list = worklist(app, &world, 0, "format=tecan&controls=false").await;
        let unwashed = list.replacen("W;\r\n", "", 1);
        let dry = bring(app, &world.technician, 0, "&dry_run=true", &list).await.expect(200).json();
        assert_eq!(dry["explained"], json!([]));
        let log = bring(app, &world.technician, 0, "", &unwashed).await.expect(201).json();
        let message = format!("the tip of line 5 of log 1 had taken up tube {} and was neither \
            washed nor changed before well C1", tube(0));
        assert_eq!(log["explained"], json!([message]));
        assert_eq!(codes(&run(app, &world, 0).await.expect(409)),
            ["transfer.differs", "transfer.tip_reused"]);
        let waved = accept(app, &world.reviewer, &log, &["volume_sufficient", "filled_by_hand"]).await;
        assert_eq!(codes(&waved.expect(422)), ["transfer.tip_reused"]);
        accept(app, &world.reviewer, &log, &["log_mistaken"]).await.expect(200);
        run(app, &world, 0).await.expect(201);
    }

    async fn a_tip_that_stirs_or_brings_a_reagent_after_another_tube_blocks_the_plate(app) {
        let world = received(app, 2).await;
        lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
        let list = worklist(app, &world, 0, "format=tecan&controls=false").await;
        let dispenses: Vec<&str> = list.lines().filter(|line| line.starts_with("D;")).collect();
        let [_, second] = dispenses[..] else { panic!("{list}") };
        let explained = async |from: &str, wash: &str| {
            let extra = format!("A;{from}\r\n{second}\r\nW;\r\n");
            let log = list.replacen("W;\r\n", &format!("{wash}{extra}"), 1);
            let query = "&dry_run=true&reagents=Buffer";
            let dry = bring(app, &world.technician, 0, query, &log).await.expect(200).json();
            dry["explained"].clone()
        };
        let message = format!("the tip of line 5 of log 1 had taken up tube {} and was neither \
            washed nor changed before well C1", tube(0));
        let stirred = second.strip_prefix("D;").unwrap();
        for from in [stirred, "Buffer;;;1;;5;;;"] {
            assert_eq!(explained(from, "").await, json!([message]), "{from}");
            assert_eq!(explained(from, "W;\r\n").await, json!([]), "{from}");
        }
    }

    async fn a_tip_that_only_had_reagents_carries_nothing_over(app) {
        let world = received(app, 2).await;
        lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
        let list = worklist(app, &world, 0, "format=tecan&controls=false").await;
        let dispenses: Vec<&str> = list.lines().filter(|line| line.starts_with("D;")).collect();
        let wells: Vec<&str> = dispenses.iter().filter_map(|line| line.strip_prefix("D;")).collect();
        let brought = async |log: &str| {
            bring(app, &world.technician, 0, "&dry_run=true&reagents=Mix", log).await
        };
        // Two places of one trough, and the wells stirred while nothing but the mix is in them.
        let mixed = format!("A;Mix;;;1;;15;;;\r\nD;{0}\r\nA;{0}\r\nD;{0}\r\nA;Mix;;;2;;15;;;\r\n\
            D;{1}\r\n", wells[0], wells[1]);
        assert_eq!(brought(&mixed).await.expect(422).code(), "transfer.reagents_only");
        let whole = brought(&format!("{mixed}W;\r\n{list}")).await.expect(200).json();
        assert_eq!(whole["explained"], json!([]));
        // A control that was put in by hand is there, whatever the log says of it.
        let frozen = app.get(&world.technician, &format!("/v1/plates/{}", plate(0))).await;
        let control = frozen.expect(200).json()["wells"].as_array().unwrap().iter()
            .find(|well| well["control"] == "positive").unwrap()["well"].as_str().unwrap()
            .parse::<WellPosition>().unwrap();
        let number = u16::from(control.column()) * 8 + u16::from(control.row()) + 1;
        let at = format!("{};;;{number};;5;;;", plate(0));
        let stirred = format!("{list}A;{at}\r\nD;{at}\r\nA;{0}\r\nD;{0}\r\n", wells[0]);
        let stirred = brought(&stirred).await.expect(200).json();
        assert!(stirred["explained"].to_string().contains("taken up a positive control"), "{stirred}");
        // Liquid of another well of the plate is no tube, whatever is planned there.
        let moved = list.replacen(list.lines().find(|line| line.starts_with("A;")).unwrap(),
            &format!("A;{}", wells[1]), 1);
        let moved = brought(&moved).await.expect(200).json();
        assert_eq!(moved["differences"][0]["code"], "unknown_tube", "{moved}");
    }

    async fn a_plate_is_discarded_once_by_one_person_for_one_reason(app) {
        let world = received(app, 4).await;
        let technician = &world.technician;
        lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
        let list = worklist(app, &world, 0, "format=tecan&controls=false").await;
        bring(app, technician, 0, "", &list.replacen(";;5;;;", ";;4;;;", 1)).await.expect(201);
        let path = |n: u64| format!("/v1/plates/{}/discard", plate(n));
        let why = |reason: &str| json!({ "reason": reason });
        let first = app.post(technician, &path(0), &why("robot_differs")).await.expect(200).json();
        assert_eq!(first["discarded"], json!({ "reason": "robot_differs",
            "by": technician.actor.account, "at": app.now() }));
        app.pass(Span::minutes(5));
        let again = app.post(technician, &path(0), &why("robot_differs")).await.expect(200).json();
        assert_eq!(again, first);
        let other = app.post(technician, &path(0), &why("spilled")).await.expect(409).json();
        assert_eq!((&other["errors"][0]["code"], &other["errors"][0]["about"]),
            (&json!("plate.discarded"), &json!("reason")));
        let second = app.client_at(Role::Technician, None, Some("L01".to_owned())).await;
        let other = app.post(&second, &path(0), &why("spilled")).await.expect(409);
        assert_eq!(other.json()["errors"].as_array().unwrap().len(), 2);
        // A plate that a run closed was never discarded.
        lab::load(app, &world, 1, &[tube(2)]).await;
        let id = run(app, &world, 1).await.expect(201).json()["id"].as_str().unwrap().to_owned();
        lab::release(app, &world, &id).await;
        let closed = app.post(technician, &path(1), &why("spilled")).await.expect(409);
        assert_eq!(closed.code(), "plate.closed");

        let way = app.get(&world.officer, &format!("/v1/tubes/{}", tube(1))).await.expect(200);
        let way = way.json();
        assert_eq!((&way["wells"][0]["well"], &way["wells"][0]["plate"]),
            (&json!("C1"), &json!(plate(0))));
        let told = &way["plates"][0];
        assert_eq!((&told["plate"], &told["discarded"]["reason"]),
            (&json!(plate(0)), &json!("robot_differs")));
        let log = &told["transfers"][0];
        assert_eq!((&log["number"], &log["format"], &log["differences"], &log["accepted_at"]),
            (&json!(1), &json!("tecan"), &json!(1), &Value::Null));
        assert!(!told.to_string().contains(&technician.actor.account), "{told}");
        let other = app.get(&world.officer, &format!("/v1/tubes/{}", tube(2))).await.expect(200);
        assert_eq!(other.json()["plates"], json!([]), "nothing but its run befell it");
    }

    async fn rows_differences_and_logs_of_a_plate_are_bounded(app) {
        let world = received(app, 1).await;
        let technician = &world.technician;
        lab::load(app, &world, 0, &[tube(0)]).await;
        let list = worklist(app, &world, 0, "format=tecan").await;
        let rows = format!("{list}{}", "C;a comment\n".repeat(10_000));
        let long = bring(app, technician, 0, "", &rows).await.expect(422);
        assert!(long.text().contains("more than 10000 rows"), "{}", long.text());
        let errors = format!("{list}{}", "C;error\n".repeat(5_001));
        let many = bring(app, technician, 0, "", &errors).await.expect(422);
        assert_eq!(many.code(), "transfer.too_many_differences");
        for n in 0..50 {
            let one = format!("C;error {n}\n{list}");
            bring(app, technician, 0, "", &one).await.expect(201);
        }
        let over = bring(app, technician, 0, "", &list).await.expect(409);
        assert_eq!(over.code(), "transfer.too_many_logs");
        // What is there already is still answered.
        bring(app, technician, 0, "", &format!("C;error 0\n{list}")).await.expect(200);
    }
}
