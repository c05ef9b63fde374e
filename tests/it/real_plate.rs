//! A plate laid out as a real run file has it: collected, received, run, called and released.
//!
//! The file is `5-18-20_CoDx_LOD_data.xls` of the Opentrons `covid19` repository: a 7500, the
//! Logix Smart kit, a limit-of-detection series. Everything expected here was read from its Cт
//! column with `xlrd`, not with our own reader.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, Client, TestApp};
use crate::each_engine;
use crate::laboratory::deliver;
use crate::way::number;
use crate::world::{World, people, person, plate, seal_tube, tube, world};

const REALDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/realdata");
const FOLDER: &str = "opentrons-covid19/5-18-20_CoDx_LOD";
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/instrument");

/// Rows A to H, columns 1 to 6: a Ct for `SARS-CoV-2` (`D`), one for `RNaseP` alone (`N`), or none
/// (`I`).
const READ: [&str; 8] =
    ["DDDDDD", "DDDDDD", "DDDIII", "DDDNNN", "DDNIII", "DNNNNN", "DNDDDN", "NNNNND"];
/// The cells `Cт` of `SARS-CoV-2` and `RNaseP` in some of the wells.
const CTS: [(&str, [&str; 2]); 5] = [
    ("A1", ["31.58185577392578", "25.719390869140625"]),
    ("G1", ["37.61088562011719", "24.75655174255371"]),
    ("H6", ["36.382816314697266", "25.535137176513672"]),
    ("D4", ["Undetermined", "24.739614486694336"]),
    ("C4", ["Undetermined", "Undetermined"]),
];
/// Controls: `NTC` and `CoDx Pos` in the file.
const CONTROLS: [(&str, &str); 4] =
    [("A7", "negative"), ("B7", "positive"), ("C7", "negative"), ("D7", "positive")];
/// Tubes on the plate.
const TUBES: u64 = 48;

/// The file, or none with a plain sentence when the folder is absent.
fn real(name: &str) -> Option<Vec<u8>> {
    if Path::new(REALDATA).is_dir() {
        return Some(std::fs::read(format!("{REALDATA}/{FOLDER}/{name}")).unwrap());
    }
    eprintln!("the folder of real instrument files is absent; {name} was not tested");
    None
}

/// The wells of the tubes, row by row.
fn wells() -> Vec<String> {
    let row = |row: char| (1..=6).map(move |column| format!("{row}{column}"));
    ('A'..='H').flat_map(row).collect()
}

/// The well at the same place of a plate turned by 180 degrees.
fn turned(well: &str) -> String {
    let row = b'A' + b'H' - well.as_bytes()[0];
    let column: u8 = well[1..].parse().unwrap();
    format!("{}{}", char::from(row), 13 - column)
}

/// What the file says of each of 48 tubes from the `from`th on, in its well.
fn expected(from: u64) -> BTreeMap<String, &'static str> {
    let outcome = |read| match read {
        'D' => "detected",
        'N' => "not_detected",
        _ => "invalid",
    };
    let reads = READ.iter().flat_map(|row| row.chars());
    (from..).zip(reads).map(|(n, read)| (tube(n), outcome(read))).collect()
}

/// Collects 48 single tubes and has them received.
async fn receive(app: &TestApp, world: &World, from: u64) -> Vec<Value> {
    let mut sealed = Vec::new();
    for n in from..from + TUBES {
        sealed.push(seal_tube(app, world, n, &people(n, 1)).await.expect(201).json());
    }
    let codes: Vec<_> = (from..from + TUBES).map(tube).collect();
    deliver(app, world, from, &codes).await;
    sealed
}

/// Lays 48 tubes out well by well on the `n`th plate and freezes it.
async fn lay_out(app: &TestApp, world: &World, n: u64, from: u64, at: impl Fn(&str) -> String) {
    let path = format!("/v1/plates/{}", plate(n));
    let mut stated: Vec<_> = (from..)
        .zip(wells())
        .map(|(n, well)| json!({ "well": at(&well), "reaction": "mix", "tube": tube(n) }))
        .collect();
    for (well, control) in CONTROLS {
        stated.push(json!({ "well": at(well), "reaction": "mix", "control": control }));
    }
    let request = json!({ "laboratory": "L01", "kit": "codx-logix-smart", "kit_version": "1",
        "size": 96, "wells": stated });
    app.put(&world.technician, &path, &request).await.expect(201);
    app.post(&world.technician, &format!("{path}/freeze"), &json!({})).await.expect(200);
}

async fn upload(app: &TestApp, who: &Client, n: u64, query: &str, file: &[u8]) -> Answer {
    let path = format!("/v1/plates/{}/runs?name=5-18-20_CoDx_LOD_data.xls{query}", plate(n));
    app.upload(who, &path, file.to_vec()).await
}

/// How many rows there are of everything an upload could leave.
async fn traces(app: &TestApp) -> i64 {
    number(
        app,
        "select (select count(*) from run) + (select count(*) from run_file)
            + (select count(*) from reading) + (select count(*) from call)
            + (select count(*) from feed) + (select count(*) from audit)",
    )
    .await
}

fn reasons(answer: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    errors.iter().map(|reason| (text(&reason["code"]), text(&reason["message"]))).collect()
}

fn outcomes(run: &Value) -> BTreeMap<String, &str> {
    let calls = run["calls"].as_array().unwrap();
    let call = |call: &Value| call["tube"].as_str().unwrap().to_owned();
    calls.iter().map(|one| (call(one), one["outcome"].as_str().unwrap())).collect()
}

/// The verdict and every call are what the file says.
fn as_the_file_says(run: &Value, from: u64) {
    assert_eq!(run["verdict"], json!({ "usable": true, "reasons": [], "flags": [] }));
    assert_eq!(outcomes(run), expected(from));
    let count = |wanted| outcomes(run).values().filter(|outcome| **outcome == wanted).count();
    assert_eq!(["detected", "not_detected", "invalid"].map(count), [26, 16, 6]);
    let facts = ["instrument", "run_ended", "kit", "kit_version"].map(|fact| &run[fact]);
    assert_eq!(facts, ["sds7500", "2020-05-18 17:50:29 PM PDT", "codx-logix-smart", "1"]);
    for (well, cells) in CTS {
        let calls = run["calls"].as_array().unwrap();
        let call = calls.iter().find(|call| call["targets"][0]["well"] == well).unwrap();
        for (target, cell) in call["targets"].as_array().unwrap().iter().zip(cells) {
            assert_eq!(target["raw_ct"], cell, "{well}");
            let has_ct = cell != "Undetermined";
            assert_eq!(target["ct"].is_null(), !has_ct, "{well}: {target}");
            assert_eq!(target["state"] == "amplified", has_ct, "{well}: {target}");
        }
    }
}

/// The curves of the 52 wells and two targets that were read, and the plate.
async fn pictures_are_drawn(app: &TestApp, world: &World, id: &str) {
    assert_eq!(number(app, "select count(*) from curve").await, 52 * 2);
    let draw = async |what: &str| {
        app.get(&world.reviewer, &format!("/v1/runs/{id}/{what}")).await.expect(200).text()
    };
    let all = draw("curves.svg").await;
    for shown in ["RNaseP (TEXAS RED)", "52 curves, 44 with Ct", "52 curves, 28 with Ct"] {
        assert!(all.contains(shown), "{shown}");
    }
    let first = draw("curves.svg?well=A1").await;
    assert!(first.contains("Ct 31.58") && first.contains("Ct 25.72"), "{first}");
    let map = draw("plate.svg").await;
    assert!(map.contains("31.58") && map.contains("Wells detected: 26 (A1, A2,"), "{map}");
}

/// What a resident is shown with the pick-up code of a single tube.
async fn shown(app: &TestApp, n: u64, sealed: &Value) -> (String, Value) {
    let ask = json!({ "document": { "type": "resident_id", "number": person(n).number },
        "pickup_code": sealed["members"][0]["pickup_code"] });
    let status = app.call(Method::POST, "/v1/status", None, Some(&ask)).await.expect(200).json();
    (status["state"].as_str().unwrap().to_owned(), status["outcome"].clone())
}

async fn all_is_well(app: &TestApp, world: &World) {
    let ledger = app.get(&world.officer, "/v1/ledger").await.expect(200).json();
    assert_eq!(ledger["unexplained"], 0, "{ledger}");
    let mut tx = app.app.db.read("test.verify").await.unwrap();
    assert_eq!(swabline::audit::verify(&mut tx).await.unwrap().broken, None);
}

each_engine! {
    async fn a_real_file_gives_its_calls_and_they_reach_the_people(app) {
        let Some(file) = real("5-18-20_CoDx_LOD_data.xls") else { return };
        let world = world(app).await;
        let sealed = receive(app, &world, 0).await;
        lay_out(app, &world, 0, 0, str::to_owned).await;

        let before = traces(app).await;
        let dry = upload(app, &world.technician, 0, "&dry_run=true", &file).await.expect(200);
        as_the_file_says(&dry.json(), 0);
        assert_eq!((&dry.json()["id"], &dry.json()["imported_at"]), (&Value::Null, &Value::Null));
        let experiment = real("5-18-20_CoDx_LOD.eds").unwrap();
        let other = upload(app, &world.technician, 0, "&dry_run=true", &experiment).await;
        let other = other.expect(200).json();
        assert_eq!(other["format"], "sds_eds");
        assert_eq!(outcomes(&other), expected(0), "the instrument's own file says the same");
        assert_eq!(other["verdict"], dry.json()["verdict"]);
        assert_eq!(traces(app).await, before, "a dry run leaves nothing");

        let run = upload(app, &world.technician, 0, "", &file).await.expect(201).json();
        as_the_file_says(&run, 0);
        let id = run["id"].as_str().unwrap();
        let after = traces(app).await;
        let again = upload(app, &world.technician, 0, "", &file).await.expect(200).json();
        assert_eq!(again["id"], id, "the same file is the same run");
        assert_eq!(traces(app).await, after, "nothing is doubled");
        let kept = app.get(&world.reviewer, &format!("/v1/runs/{id}/file")).await.expect(200);
        assert!(kept.bytes == file, "the file is kept byte for byte");
        let with_ct = "select count(*) from reading where ct is not null";
        assert_eq!(number(app, "select count(*) from reading").await, 104);
        assert_eq!(number(app, with_ct).await, 44 + 28);
        pictures_are_drawn(app, &world, id).await;
        assert_eq!(shown(app, 0, &sealed[0]).await, ("received".to_owned(), Value::Null));

        let (review, release) = (format!("/v1/runs/{id}/review"), format!("/v1/runs/{id}/release"));
        let early = app.post(&world.reviewer, &release, &json!({})).await.expect(409);
        assert_eq!(early.code(), "review.not_reviewed");
        let accept = json!({ "decision": "accept" });
        app.post(&world.reviewer, &review, &accept).await.expect(200);
        let same = app.post(&world.reviewer, &release, &json!({})).await.expect(422);
        assert_eq!(same.code(), "review.same_person");
        app.post(&world.technician, &release, &json!({})).await.expect(403);
        assert_eq!(shown(app, 0, &sealed[0]).await.1, Value::Null, "nobody was told yet");
        let released = app.post(&world.second_reviewer, &release, &json!({})).await.expect(200);
        let released = &released.json()["released"];
        let count = |what: &str| released[what].as_array().unwrap().len();
        assert_eq!(["reported", "retested", "recalled"].map(count), [42, 6, 0], "{released}");

        let outcomes = expected(0);
        for (n, sealed) in (0..).zip(&sealed) {
            let told = match outcomes[&tube(n)] {
                "invalid" => ("received".to_owned(), Value::Null),
                outcome => ("released".to_owned(), json!(outcome)),
            };
            assert_eq!(shown(app, n, sealed).await, told, "{}", tube(n));
        }
        all_is_well(app, &world).await;
    }

    async fn a_real_file_is_refused_where_it_does_not_belong(app) {
        let Some(file) = real("5-18-20_CoDx_LOD_data.xls") else { return };
        let world = world(app).await;
        receive(app, &world, 0).await;
        receive(app, &world, TUBES).await;
        lay_out(app, &world, 0, 0, str::to_owned).await;
        lay_out(app, &world, 1, TUBES, turned).await;

        let before = traces(app).await;
        let wrong = upload(app, &world.technician, 1, "", &file).await.expect(422);
        let turn = ("run.suspected".to_owned(),
            "the plate was probably turned by 180 degrees; look at it and run it again".to_owned());
        assert!(reasons(&wrong).contains(&turn), "{}", wrong.text());
        let misfits = ["well H12 holds something but", "well A1 shows a signal but holds nothing"];
        for misfit in misfits {
            let is_named = reasons(&wrong).iter().any(|(_, message)| message.starts_with(misfit));
            assert!(is_named, "{misfit}: {}", wrong.text());
        }
        let genotypes = std::fs::read(format!("{FIXTURES}/applied_biosystems/genotyping.txt"));
        let half = file[..file.len() / 2].to_vec();
        for other in [genotypes.unwrap(), half, b"a letter".to_vec(), Vec::new()] {
            let refused = upload(app, &world.technician, 0, "", &other).await.expect(422);
            assert_eq!(refused.code(), "run.file");
        }
        let elsewhere = app.client_at(swabline::auth::Role::Technician, None,
            Some("L02".to_owned())).await;
        upload(app, &elsewhere, 0, "", &file).await.expect(403);
        assert_eq!(traces(app).await, before, "what is refused leaves nothing");

        upload(app, &world.technician, 0, "", &file).await.expect(201);
        let other = upload(app, &world.technician, 1, "", &file).await.expect(409);
        assert_eq!(other.code(), "run.file_of_other_plate");
        assert!(other.text().contains(&plate(0)), "{}", other.text());
        all_is_well(app, &world).await;
    }
}
