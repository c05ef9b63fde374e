//! Racks scanned, lists written for robots, and robots' logs compared with the plan.

use std::path::Path;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::app::{Answer, Client, TestApp};
use crate::each_engine;
use crate::laboratory::{self as lab, KIT};
use crate::world::{World, people, plate, seal_tube, tube, world};

const REALDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/realdata");

/// Tubes received at L01, one person each.
pub async fn received(app: &TestApp, count: u64) -> World {
    let world = world(app).await;
    let tubes: Vec<_> = (0..count).map(tube).collect();
    for n in 0..count {
        seal_tube(app, &world, n, &people(n, 1)).await.expect(201);
    }
    lab::deliver(app, &world, 0, &tubes).await;
    world
}

/// PUTs a rack's scan as it is.
pub async fn scan(app: &TestApp, who: &Client, rack: &str, csv: &str) -> Answer {
    let request = Request::put(format!("/v1/racks/{rack}?laboratory=L01"))
        .header("authorization", format!("Bearer {}", who.token))
        .header("content-type", "text/csv")
        .body(Body::from(csv.to_owned()))
        .unwrap();
    app.send(request).await
}

/// A scan with these tubes down the first columns.
fn rows(tubes: impl IntoIterator<Item = u64>) -> String {
    let at = |n: usize| format!("{}{}", char::from(b'A' + u8::try_from(n % 8).unwrap()), n / 8 + 1);
    let row = |(n, code)| format!("{},{}", at(n), tube(code));
    tubes.into_iter().enumerate().map(row).collect::<Vec<_>>().join("\n") + "\n"
}

pub async fn worklist(app: &TestApp, world: &World, n: u64, query: &str) -> String {
    let path = format!("/v1/plates/{}/worklist?{query}", plate(n));
    app.get(&world.technician, &path).await.expect(200).text()
}

pub async fn bring(app: &TestApp, who: &Client, n: u64, query: &str, log: &str) -> Answer {
    let path = format!("/v1/plates/{}/transfers?name=robot.gwl{query}", plate(n));
    app.upload(who, &path, log.as_bytes().to_vec()).await
}

pub async fn accept(app: &TestApp, who: &Client, log: &Value, with: &[&str]) -> Answer {
    let id = log["id"].as_str().unwrap();
    let path = format!("/v1/plates/{}/transfers/{id}/accept", log["plate"].as_str().unwrap());
    app.post(who, &path, &json!({ "explanations": with })).await
}

pub fn codes(answer: &Answer) -> Vec<String> {
    let reasons = answer.json()["errors"].clone();
    let code = |reason: &Value| reason["code"].as_str().unwrap().to_owned();
    reasons.as_array().unwrap().iter().map(code).collect()
}

/// The run of a plate, all of it negative.
pub async fn run(app: &TestApp, world: &World, n: u64) -> Answer {
    let path = format!("/v1/plates/{}", plate(n));
    let loaded = app.get(&world.technician, &path).await.expect(200).json();
    let file = lab::run_file(&loaded, &std::collections::BTreeMap::new(), false);
    lab::upload(app, world, &loaded, file).await
}

/// Every change of racks and robots, once: the first tube on the tenth plate, which is given up in
/// the end.
pub async fn one_of_everything(app: &TestApp, world: &World) -> Value {
    scan(app, &world.technician, "FX1", &rows([0])).await.expect(201);
    lab::load(app, world, 9, &[tube(0)]).await;
    let list = worklist(app, world, 9, "format=tecan").await.replace(";;5;;;", ";;4;;;");
    let log = bring(app, &world.technician, 9, "", &list).await.expect(201).json();
    accept(app, &world.reviewer, &log, &["volume_sufficient"]).await.expect(200);
    let path = format!("/v1/plates/{}/discard", plate(9));
    app.post(&world.technician, &path, &json!({ "reason": "spilled" })).await.expect(200);
    log
}

/// Codes of what holds a run, as it is shown.
fn hold_codes(run: &Value) -> Vec<String> {
    let code = |hold: &Value| hold["code"].as_str().unwrap().to_owned();
    run["holds"].as_array().map_or_else(Vec::new, |holds| holds.iter().map(code).collect())
}

/// Plates whose results stand although a robot's log speaks against them.
async fn late(app: &TestApp, world: &World) -> Vec<String> {
    let report = app.get(&world.officer, "/v1/integrity").await.expect(200).json();
    let signs = report["signs"].as_array().unwrap().iter();
    let of = |sign: &&Value| sign["check"] == "transfers";
    signs.filter(of).map(|sign| sign["about"].as_str().unwrap().to_owned()).collect()
}

each_engine! {
    async fn a_rack_is_scanned_laid_out_and_named_on_the_robot_s_list(app) {
        let world = received(app, 10).await;
        let technician = &world.technician;
        // The tenth tube stands first: the layout follows the rack, not the order of scanning.
        let first = rows([9, 0, 1, 2, 3, 4, 5, 6, 7]);
        let scanned = scan(app, technician, "FX1", &first).await.expect(201).json();
        assert_eq!((&scanned["version"], &scanned["tubes"][8]["position"]),
            (&json!(1), &json!("A2")));
        let again = scan(app, technician, "FX1", &first.replace('\n', "\r\n")).await.expect(200);
        assert_eq!(again.json(), scanned);
        let request = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
            "template": "one-well-94-columns", "rack": "FX1" });
        let path = format!("/v1/plates/{}", plate(0));
        let made = app.put(technician, &path, &request).await.expect(201).json();
        let well = |name: &str| {
            let wells = made["wells"].as_array().unwrap();
            wells.iter().find(|well| well["well"] == name).unwrap()["tube"].clone()
        };
        // B1 holds the negative control.
        assert_eq!((well("A1"), well("C1"), well("A2"), well("B2")),
            (json!(tube(9)), json!(tube(0)), json!(tube(6)), json!(tube(7))));
        app.put(technician, &path, &request).await.expect(200);
        app.post(technician, &format!("{path}/freeze"), &json!({})).await.expect(200);
        let list = worklist(app, &world, 0, "format=tecan").await;
        assert!(list.contains(&format!("A;FX1;;;9;{};5;;;\r\nD;{};;;10;;5;;;\r\n", tube(7), plate(0))),
            "{list}");
        // Scanned again with two tubes exchanged, the list follows.
        let second = rows([0, 9, 1, 2, 3, 4, 5, 6]);
        let scanned = scan(app, technician, "FX1", &second).await.expect(201).json();
        assert_eq!(scanned["version"], 2);
        let list = worklist(app, &world, 0, "format=tecan&volume=5&controls=false").await;
        assert!(list.contains(&format!("A;FX1;;;2;{};5;;;\r\nD;{};;;1;", tube(9), plate(0))),
            "{list}");
        assert!(list.contains(&format!("A;{};;;1;{};5;;;\r\n", tube(7), tube(7))), "{list}");
        assert!(!list.contains("NTC"), "{list}");
        let shown = app.get(&world.auditor, "/v1/racks/FX1?laboratory=L01").await.expect(200);
        assert_eq!(shown.json(), scanned);
        app.get(&world.auditor, "/v1/racks/FX2?laboratory=L01").await.expect(404);
    }

    async fn a_person_s_name_in_the_name_of_a_log_is_not_kept(app) {
        let world = received(app, 1).await;
        lab::load(app, &world, 0, &[tube(0)]).await;
        let log = worklist(app, &world, 0, "format=tecan").await;
        let path = format!("/v1/plates/{}/transfers?name=Zhang%20San.gwl&volume=5", plate(0));
        let read = app.upload(&world.technician, &path, log.into_bytes()).await.expect(201).json();
        assert_eq!(read["name"], "file.gwl");
        let mut tx = app.app.db.read("test.name").await.unwrap();
        let kept: String = swabline::on!(tx, c =>
            sqlx::query_scalar("select name from transfer_log").fetch_one(c).await).unwrap();
        assert_eq!(kept, "file.gwl");
    }

    async fn a_scan_with_faults_is_refused_whole_with_every_one(app) {
        let world = received(app, 2).await;
        let technician = &world.technician;
        let csv = format!("A1,{}\nB1,\nC1,{}\nZ9,X\nD1,Zhang San\n", tube(0), tube(0));
        let refused = scan(app, technician, "FX1", &csv).await.expect(422);
        assert_eq!(codes(&refused), ["rack.no_value", "rack.position", "rack.tube_twice"]);
        let strangers = format!("A1,{}\nB1,Zhang San\nC1,110105\n", tube(0));
        let refused = scan(app, technician, "FX1", &strangers).await.expect(422);
        assert_eq!(codes(&refused), ["rack.not_a_tube", "rack.not_a_tube"]);
        assert!(!refused.text().contains("Zhang"), "{}", refused.text());
        for (rack, code) in [("=1", "rack.code"), ("a%20b", "rack.code"), (&tube(1), "rack.code")] {
            let answer = scan(app, technician, rack, &rows([0])).await.expect(422);
            assert_eq!(answer.code(), code, "{rack}");
        }
        app.get(technician, "/v1/racks/FX1?laboratory=L01").await.expect(404);
        for (request, code) in [
            (json!({ "template": "one-well-94-columns", "rack": "FX1" }), "plate.rack"),
            (json!({ "size": 96, "rack": "FX1" }), "plate.rack"),
            (json!({ "template": "one-well-94-columns", "rack": "FX1", "tubes": [tube(0)] }),
                "plate.rack"),
        ] {
            let mut whole = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1 });
            whole.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
            let path = format!("/v1/plates/{}", plate(0));
            assert_eq!(app.put(technician, &path, &whole).await.expect(422).code(), code);
        }
    }

    async fn a_real_scan_of_a_registered_maker_s_tubes_is_kept(app) {
        if !Path::new(REALDATA).is_dir() {
            eprintln!("the folder of real scans is absent; none was tested");
            return;
        }
        let world = world(app).await;
        let pattern = json!({ "maker": "Tube Works", "length": 10, "alphabet": "digits" });
        app.put(&world.administrator, "/v1/code-patterns/AB", &pattern).await.expect(201);
        let file = format!("{REALDATA}/sanger-limber/tube_rack/tube_rack_scan_with_bom.csv");
        let csv = std::fs::read_to_string(file).unwrap();
        let kept = scan(app, &world.receiver, "FX12345678", &csv).await.expect(201).json();
        assert_eq!(kept["tubes"].as_array().unwrap().len(), 16);
        assert_eq!(kept["tubes"][15], json!({ "position": "H2", "tube": "AB10000016" }));
    }

    async fn every_list_carried_out_as_it_stands_lets_the_plate_be_run(app) {
        let world = received(app, 6).await;
        for (n, format) in (0..).zip(["tecan", "hamilton", "biomek"]) {
            scan(app, &world.technician, "FX1", &rows([2 * n, 2 * n + 1])).await.expect(201);
            lab::load(app, &world, n, &[tube(2 * n), tube(2 * n + 1)]).await;
            let list = worklist(app, &world, n, &format!("format={format}")).await;
            let read = bring(app, &world.technician, n, "", &list).await.expect(201).json();
            assert_eq!(read["explained"], json!([]), "{format}: {read}");
            assert!(read["format"].as_str().unwrap().starts_with(format), "{read}");
            assert!(!read["detected_by"].as_array().unwrap().is_empty());
            run(app, &world, n).await.expect(201);
        }
    }

    async fn a_difference_blocks_the_plate_until_a_second_person_explains_it(app) {
        let world = received(app, 3).await;
        let technician = &world.technician;
        lab::load(app, &world, 0, &[tube(0), tube(1), tube(2)]).await;
        let list = worklist(app, &world, 0, "format=tecan").await;
        // Two tubes exchanged, and one well with too little.
        let swapped = list
            .replace(&tube(0), "X").replace(&tube(1), &tube(0)).replace('X', &tube(1))
            .replacen(";4;;5;;;", ";4;;4;;;", 1);
        let dry = bring(app, technician, 0, "&dry_run=true", &swapped).await.expect(200).json();
        assert_eq!(dry["id"], Value::Null);
        let log = bring(app, technician, 0, "", &swapped).await.expect(201).json();
        assert_eq!(log["explained"], json!([
            format!("tube {} was put into well A1, where the plan has tube {}", tube(1), tube(0)),
            format!("tube {} was put into well C1, where the plan has tube {}", tube(0), tube(1)),
            "well D1 got 4 µL of 5 µL",
        ]));
        let again = bring(app, technician, 0, "", &swapped).await.expect(200).json();
        assert_eq!(again["id"], log["id"]);
        let otherwise = bring(app, technician, 0, "&labware=P&reagents=Mix", &swapped).await.expect(409);
        assert_eq!(codes(&otherwise), ["transfer.read_otherwise", "transfer.read_otherwise"]);
        let blocked = run(app, &world, 0).await.expect(409);
        assert_eq!(codes(&blocked),
            ["transfer.differs", "transfer.wrong_tube", "transfer.wrong_tube", "transfer.volume"]);
        assert_eq!(accept(app, technician, &log, &["log_mistaken"]).await.expect(422).code(),
            "transfer.same_person");
        let second = &world.reviewer;
        let partly = accept(app, second, &log, &["volume_sufficient"]).await.expect(422);
        assert_eq!(codes(&partly), ["transfer.wrong_tube", "transfer.wrong_tube"]);
        let both = ["volume_sufficient", "log_mistaken"];
        let accepted = accept(app, second, &log, &both).await.expect(200).json();
        assert_eq!(accepted["accepted"]["by"], json!(second.actor.account));
        assert_eq!(accept(app, second, &log, &both).await.expect(200).json(), accepted);
        let third = accept(app, &world.second_reviewer, &log, &["log_mistaken"]).await.expect(409);
        assert_eq!(third.code(), "transfer.accepted");
        run(app, &world, 0).await.expect(201);
        let path = format!("/v1/plates/{}/transfers", plate(0));
        let shown = app.get(&world.auditor, &path).await.expect(200).json();
        assert_eq!((&shown["open"], shown["logs"].as_array().unwrap().len()), (&json!([]), 1));
        let file = format!("{path}/{}/file", log["id"].as_str().unwrap());
        assert_eq!(app.get(&world.auditor, &file).await.expect(200).text(), swapped);
    }

    async fn what_is_a_tube_is_no_reagent_whatever_is_said_of_it(app) {
        let world = received(app, 3).await;
        let technician = &world.technician;
        lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
        let list = worklist(app, &world, 0, "format=tecan&controls=false").await;
        // A third tube goes into every well of the first column, as a reagent would.
        let code = tube(2);
        let spread = format!("{list}R;{code};;;1;1;{};;;1;8;5;W;1;8;0\n", plate(0));
        let query = format!("&dry_run=true&reagents={code}");
        for query in ["&dry_run=true", &query] {
            let read = bring(app, technician, 0, query, &spread).await.expect(200);
            assert!(read.text().contains("wrong_tube"), "{query}: {}", read.text());
        }
        // What nobody knows as a tube may be one.
        let mix = format!("{list}R;Mix;;;1;1;{};;;1;8;5;W;1;8;0\n", plate(0));
        let read = bring(app, technician, 0, "&dry_run=true", &mix).await.expect(200);
        assert!(!read.text().contains("wrong_tube"), "{}", read.text());
    }

    async fn a_plate_given_up_gives_its_tubes_to_another(app) {
        let world = received(app, 2).await;
        let technician = &world.technician;
        lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
        let list = worklist(app, &world, 0, "format=hamilton&controls=false").await;
        let stopped: Vec<_> = list.lines().filter(|line| !line.contains(&tube(1))).collect();
        bring(app, technician, 0, "", &stopped.join("\n")).await.expect(201);
        assert_eq!(codes(&run(app, &world, 0).await.expect(409)), ["transfer.differs", "transfer.not_filled"]);
        let discard = |n| format!("/v1/plates/{}/discard", plate(n));
        let reason = json!({ "reason": "robot_stopped" });
        let given_up = app.post(technician, &discard(0), &reason).await.expect(200).json();
        assert_eq!(given_up["state"], "closed");
        app.post(technician, &discard(0), &reason).await.expect(200);
        assert_eq!(run(app, &world, 0).await.expect(409).code(), "run.plate_closed");
        lab::load(app, &world, 1, &[tube(0), tube(1)]).await;
        run(app, &world, 1).await.expect(201);
        assert_eq!(app.post(technician, &discard(1), &reason).await.expect(409).code(),
            "plate.has_run");
        let ledger = app.get(&world.officer, "/v1/ledger").await.expect(200).json();
        assert_eq!(ledger["unexplained"], 0, "{ledger}");
    }

    async fn logs_of_one_plate_speak_together(app) {
        let world = received(app, 2).await;
        let technician = &world.technician;
        lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
        let list = worklist(app, &world, 0, "format=tecan&controls=false").await;
        let lines: Vec<_> = list.lines().collect();
        let first = format!("{}\nC;error tip lost\n", lines[..4].join("\n"));
        let rest = lines[4..].join("\n");
        let log = bring(app, technician, 0, "", &first).await.expect(201).json();
        assert_eq!(log["differences"].as_array().unwrap().len(), 2, "{log}");
        let whole = bring(app, technician, 0, "", &rest).await.expect(201).json();
        assert_eq!(whole["explained"],
            json!(["line 5 of log 1 tells of an error or of an unknown step"]));
        assert_eq!(accept(app, &world.reviewer, &log, &["error_resolved"]).await.expect(422).code(),
            "transfer.superseded");
        accept(app, &world.reviewer, &whole, &["error_resolved"]).await.expect(200);
        // The same steps done once more fill every well twice, and that is not explained yet.
        let more = format!("C;again\n{rest}");
        let twice = bring(app, technician, 0, "", &more).await.expect(201).json();
        assert!(twice["explained"].to_string().contains("well C1 was filled 2 times"), "{twice}");
        assert_eq!(codes(&run(app, &world, 0).await.expect(409)), ["transfer.differs", "transfer.filled_twice"]);
    }

    async fn a_log_that_comes_after_the_run_keeps_it_from_release(app) {
        let world = received(app, 2).await;
        lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
        let list = worklist(app, &world, 0, "format=tecan").await;
        let id = run(app, &world, 0).await.expect(201).json()["id"].as_str().unwrap().to_owned();
        let review = format!("/v1/runs/{id}/review");
        let accepts = json!({ "decision": "accept" });
        let swapped = list
            .replace(&tube(0), "X").replace(&tube(1), &tube(0)).replace('X', &tube(1));
        let log = bring(app, &world.technician, 0, "", &swapped).await.expect(201).json();
        let held = app.post(&world.reviewer, &review, &accepts).await.expect(409);
        assert_eq!(held.code(), "transfer.differs");
        // Nobody was told anything; whoever looks at what waits sees what holds it.
        assert_eq!(log.get("late"), None, "{log}");
        let waits = app.get(&world.reviewer, "/v1/reviews").await.expect(200).json();
        let kinds = ["transfer.differs", "transfer.wrong_tube", "transfer.wrong_tube"];
        assert_eq!(hold_codes(&waits["runs"][0]), kinds);
        let shown = app.get(&world.reviewer, &format!("/v1/runs/{id}")).await.expect(200).json();
        assert_eq!(hold_codes(&shown), kinds);
        accept(app, &world.reviewer, &log, &["log_mistaken"]).await.expect(200);
        let waits = app.get(&world.reviewer, "/v1/reviews").await.expect(200).json();
        assert_eq!(hold_codes(&waits["runs"][0]), [""; 0]);
        app.post(&world.reviewer, &review, &accepts).await.expect(200);
        let later = format!("{list}C;later\n");
        bring(app, &world.technician, 0, "", &later).await.expect(201);
        let release = format!("/v1/runs/{id}/release");
        let held = app.post(&world.second_reviewer, &release, &json!({})).await.expect(409);
        assert_eq!(codes(&held)[1], "transfer.filled_twice");
    }

    async fn a_log_that_comes_after_the_results_says_whose_are_in_doubt(app) {
        let world = received(app, 3).await;
        lab::load(app, &world, 0, &[tube(0), tube(1), tube(2)]).await;
        let list = worklist(app, &world, 0, "format=tecan&controls=false").await;
        let on = json!({ "on": true, "reason": "validated" });
        app.put(&world.reviewer, "/v1/switches/auto_release", &on).await.expect(200);
        let id = run(app, &world, 0).await.expect(201).json()["id"].as_str().unwrap().to_owned();
        let accepts = json!({ "decision": "accept" });
        let path = format!("/v1/runs/{id}/review");
        let told = app.post(&world.reviewer, &path, &accepts).await.expect(200).json();
        assert_eq!(told["released_by_rule"].as_array().unwrap().len(), 3, "{told}");
        app.pass(swabline::clock::Span::minutes(1));
        // Two tubes of the three were exchanged, which nobody knew when their members were told.
        let swapped = list
            .replace(&tube(0), "X").replace(&tube(1), &tube(0)).replace('X', &tube(1));
        let dry = bring(app, &world.technician, 0, "&dry_run=true", &swapped).await.expect(200);
        let log = bring(app, &world.technician, 0, "", &swapped).await.expect(201).json();
        let doubtful = json!([{ "tube": tube(0), "result": format!("{}.1", tube(0)) },
            { "tube": tube(1), "result": format!("{}.1", tube(1)) }]);
        assert_eq!(log["late"]["results"], doubtful, "{log}");
        assert_eq!(dry.json()["late"], log["late"]);
        let again = bring(app, &world.technician, 0, "", &swapped).await.expect(200).json();
        assert_eq!(again["late"], log["late"]);
        let transfers = format!("/v1/plates/{}/transfers", plate(0));
        let shown = app.get(&world.auditor, &transfers).await.expect(200).json();
        assert_eq!(shown["late"], log["late"]);
        assert_eq!(late(app, &world).await, [plate(0)]);
        // One of them is withdrawn by two people, the other stays in doubt.
        let withdraw = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
        let amend = format!("/v1/results/{}.1/amend", tube(0));
        app.post(&world.reviewer, &amend, &withdraw).await.expect(202);
        app.post(&world.second_reviewer, &amend, &withdraw).await.expect(201);
        let shown = app.get(&world.auditor, &transfers).await.expect(200).json();
        assert_eq!(shown["late"]["results"], json!([doubtful[1]]));
        assert_eq!(late(app, &world).await, [plate(0)]);
        accept(app, &world.reviewer, &log, &["log_mistaken"]).await.expect(200);
        let shown = app.get(&world.auditor, &transfers).await.expect(200).json();
        assert_eq!(shown.get("late"), None, "{shown}");
        assert_eq!(late(app, &world).await, [""; 0]);
    }

    async fn withdrawing_every_result_in_doubt_ends_the_alarm(app) {
        let world = received(app, 1).await;
        lab::load(app, &world, 0, &[tube(0)]).await;
        let list = worklist(app, &world, 0, "format=tecan&controls=false").await;
        let id = run(app, &world, 0).await.expect(201).json()["id"].as_str().unwrap().to_owned();
        lab::release(app, &world, &id).await;
        let broken = format!("{list}C;error tip lost\n");
        bring(app, &world.technician, 0, "", &broken).await.expect(201);
        assert_eq!(late(app, &world).await, [plate(0)]);
        let withdraw = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
        let amend = format!("/v1/results/{}.1/amend", tube(0));
        app.post(&world.reviewer, &amend, &withdraw).await.expect(202);
        app.post(&world.second_reviewer, &amend, &withdraw).await.expect(201);
        assert_eq!(late(app, &world).await, [""; 0]);
    }

    async fn a_log_of_another_plate_or_a_draft_is_refused(app) {
        let world = received(app, 2).await;
        let technician = &world.technician;
        lab::load(app, &world, 0, &[tube(0)]).await;
        lab::load(app, &world, 1, &[tube(1)]).await;
        let list = worklist(app, &world, 0, "format=biomek").await;
        let other = bring(app, technician, 1, "", &list).await.expect(422);
        assert_eq!(other.code(), "transfer.other_plate");
        assert!(other.text().contains(&plate(0)), "{}", other.text());
        let named = list.replace(&plate(0), "Dest1");
        let nameless = bring(app, technician, 0, "", &named).await.expect(422);
        assert!(!nameless.text().contains("Dest1"), "{}", nameless.text());
        let told = bring(app, technician, 0, "&labware=Dest1", &named).await.expect(201).json();
        assert_eq!(told["explained"], json!([]));
        let reagent = format!("R;Trough;;;1;1;{};;;1;96;15;W;1;5;0\n", plate(0));
        assert_eq!(bring(app, technician, 0, "", &reagent).await.expect(422).code(),
            "transfer.reagents_only");
        let mixed = format!("A;Mix;;;1;;15;;;\nD;{};;;1;;15;;;\n", plate(0));
        assert_eq!(bring(app, technician, 0, "&reagents=Mix", &mixed).await.expect(422).code(),
            "transfer.reagents_only");
        for query in ["&volume=0", "&volume=five", "&tolerance=101"] {
            bring(app, technician, 0, query, &list).await.expect(422);
        }
        assert_eq!(bring(app, technician, 0, "", "Zhang San").await.expect(422).code(),
            "transfer.log");
        let draft = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
            "template": "one-well-94-columns", "tubes": [tube(1)] });
        seal_tube(app, &world, 5, &people(5, 1)).await.expect(201);
        lab::deliver(app, &world, 1, &[tube(5)]).await;
        let mut draft = draft;
        draft["tubes"] = json!([tube(5)]);
        app.put(technician, &format!("/v1/plates/{}", plate(2)), &draft).await.expect(201);
        let path = format!("/v1/plates/{}/worklist", plate(2));
        app.get(technician, &path).await.expect(200);
        for format in ["tecan", "cfx"] {
            let early = app.get(technician, &format!("{path}?format={format}")).await.expect(409);
            assert_eq!(early.code(), "plate.draft", "{format}");
        }
        let early = worklist(app, &world, 0, "format=tecan").await;
        assert_eq!(bring(app, technician, 2, "", &early).await.expect(409).code(), "plate.draft");
    }

    async fn a_position_of_a_rack_that_was_used_again_is_not_trusted(app) {
        let world = received(app, 4).await;
        let technician = &world.technician;
        scan(app, technician, "FX1", &rows([0, 1])).await.expect(201);
        lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
        // Tecan's list names the planned tubes beside their places, and may be sent back as it is.
        let formats = ["biomek", "tecan"];
        let list = async |format| {
            worklist(app, &world, 0, &format!("format={format}&controls=false")).await
        };
        let lists = [list(formats[0]).await, list(formats[1]).await];
        for list in &lists {
            let log = bring(app, technician, 0, "&dry_run=true", list).await.expect(200).json();
            assert_eq!(log["differences"], json!([]), "{log}");
        }
        app.pass(swabline::clock::Span::minutes(5));
        scan(app, technician, "FX1", &rows([0, 3])).await.expect(201);
        for list in &lists {
            let log = bring(app, technician, 0, "&dry_run=true", list).await.expect(200).json();
            assert_eq!(log["differences"][0]["code"], "rack_changed", "{log}");
            assert_eq!(log["differences"].as_array().unwrap().len(), 1, "{log}");
        }
        // A list that was made since names what stands there now.
        scan(app, technician, "FX1", &rows([3, 2, 1])).await.expect(201);
        scan(app, technician, "FX2", &rows([0])).await.expect(201);
        let anew = list("tecan").await;
        let log = bring(app, technician, 0, "&dry_run=true", &anew).await.expect(200).json();
        assert_eq!(log["differences"], json!([]), "{log}\n{anew}");
    }

    async fn sample_sheets_name_tubes_and_nobody(app) {
        let world = received(app, 2).await;
        lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
        for (format, row, kind) in [
            ("quantstudio", format!("1\tA1\t{}\tORF1ab\tUNKNOWN\tFAM\t", tube(0)), "txt"),
            ("cfx", format!("A,1,N,{}", tube(0)), "csv"),
            ("lightcycler480", format!("A1\t\"{}\"", tube(0)), "txt"),
        ] {
            let path = format!("/v1/plates/{}/worklist?format={format}", plate(0));
            let list = app.get(&world.technician, &path).await.expect(200);
            assert!(list.text().lines().any(|line| line == row), "{}", list.text());
            let file = list.headers["content-disposition"].to_str().unwrap();
            assert!(file.ends_with(&format!(".{kind}\"")) && !file.contains('*'), "{file}");
        }
        let path = format!("/v1/plates/{}/worklist", plate(0));
        app.get(&world.technician, &format!("{path}?format=opentrons")).await.expect(400);
        let dry = app.get(&world.technician, &format!("{path}?format=tecan&volume=0")).await;
        assert_eq!(dry.expect(422).code(), "worklist.volume");
    }
}
