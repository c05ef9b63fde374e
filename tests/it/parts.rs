//! Runs that come as several files, and runs read by a mapping.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::on;
use swabline::simulation::files::SimulatedRun;
use swabline::simulation::files_text::{lightcycler_480, ma_6000};

use crate::app::{Answer, TestApp};
use crate::each_engine;
use crate::laboratory::{self as lab, POSITIVE};
use crate::world::{World, people, plate, seal_tube, tube, world};

/// Two plates of a tube each, and what a cycler read on the first, where its tube is positive.
async fn bench(app: &TestApp) -> (World, [Value; 2], SimulatedRun) {
    let world = world(app).await;
    for n in 0..2 {
        seal_tube(app, &world, n, &people(n * 20, 1)).await.expect(201);
    }
    lab::deliver(app, &world, 0, &[tube(0), tube(1)]).await;
    let first = lab::load(app, &world, 0, &[tube(0)]).await;
    let second = lab::load(app, &world, 1, &[tube(1)]).await;
    let run = lab::cycled(&first, &BTreeMap::from([(tube(0), POSITIVE)]), false);
    (world, [first, second], run)
}

/// The files of every filter, by dye.
fn filters(run: &SimulatedRun) -> [String; 3] {
    let files = lightcycler_480(run);
    files.try_into().expect("the kit has three dyes")
}

fn path(n: u64) -> String {
    format!("/v1/plates/{}/runs", plate(n))
}

async fn send(app: &TestApp, world: &World, n: u64, files: &[&String]) -> Answer {
    let named: Vec<(&str, &[u8])> =
        files.iter().map(|file| ("filter.txt", file.as_bytes())).collect();
    app.upload_form(&world.technician, &path(n), &named).await
}

/// The codes of every reason of a problem.
fn codes(answer: &Answer) -> Vec<String> {
    let problem = answer.json();
    let code = |reason: &Value| reason["code"].as_str().unwrap().to_owned();
    problem["errors"].as_array().unwrap().iter().map(code).collect()
}

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    let mut tx = app.app.db.read("test.count").await.unwrap();
    on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
}

each_engine! {
    async fn three_filters_are_one_run_in_whatever_order_they_come(app) {
        let (world, _, run) = bench(app).await;
        let [cy5, fam, vic] = filters(&run);
        let made = send(app, &world, 0, &[&fam, &vic, &cy5]).await.expect(201).json();
        assert_eq!(made["format"], "lightcycler_480");
        assert_eq!(made["verdict"]["usable"], true);
        assert_eq!(made["calls"][0]["outcome"], "detected");
        let parts = made["parts"].as_array().unwrap();
        assert_eq!(parts.len(), 3);
        lab::assert_kept(app, &world, &made).await;
        assert!(!parts.contains(&made["sha256"]), "the run is none of its files");
        let again = send(app, &world, 0, &[&cy5, &vic, &fam]).await.expect(200).json();
        assert_eq!((&again["id"], &again["parts"]), (&made["id"], &made["parts"]));

        let file = format!("/v1/runs/{}/file", made["id"].as_str().unwrap());
        for (part, bytes) in [(1, &fam), (2, &vic), (3, &cy5)] {
            let kept = app.get(&world.technician, &format!("{file}?part={part}")).await.expect(200);
            assert_eq!(kept.text(), **bytes);
        }
        let which = app.get(&world.technician, &file).await.expect(422);
        assert_eq!(which.code(), "run.part");
        app.get(&world.technician, &format!("{file}?part=4")).await.expect(404);
        let stranger = app.client_at(Role::Technician, None, Some("L02".to_owned())).await;
        app.get(&stranger, &format!("{file}?part=2")).await.expect(403);

        lab::release(app, &world, made["id"].as_str().unwrap()).await;
        let auditor = app.client(Role::Auditor).await;
        let trail = app.get(&auditor, &format!("/v1/audit?about={}", plate(0))).await.expect(200);
        let rows = trail.json();
        let import = rows["rows"].as_array().unwrap().iter().find(|row| row["action"] == "run.import");
        assert_eq!(import.unwrap()["detail"]["parts"], made["parts"]);
    }

    async fn a_single_file_is_its_own_identity_and_its_own_part(app) {
        let (world, plates, run) = bench(app).await;
        let text = swabline::simulation::files::quantstudio_text(&run);
        let made = app
            .upload_form(&world.technician, &path(0), &[("a.txt", text.as_bytes())])
            .await
            .expect(201)
            .json();
        assert_eq!(made["parts"], json!([made["sha256"]]));
        let again = lab::upload(app, &world, &plates[0], text.clone().into_bytes()).await;
        assert_eq!(again.expect(200).json()["id"], made["id"], "as a body it is the same run");
        let file = format!("/v1/runs/{}/file", made["id"].as_str().unwrap());
        for file in [file.clone(), format!("{file}?part=1")] {
            assert_eq!(app.get(&world.technician, &file).await.expect(200).text(), text);
        }
    }

    async fn a_filter_too_few_or_of_another_run_is_refused_and_nothing_is_kept(app) {
        let (world, plates, run) = bench(app).await;
        let [cy5, fam, vic] = filters(&run);
        let few = send(app, &world, 0, &[&fam, &vic]).await.expect(422);
        assert_eq!(codes(&few), ["run.targets_not_read"], "{}", few.text());
        assert!(few.text().contains("(CY5)") && few.text().contains("filters"), "{}", few.text());
        let other = lab::cycled(&plates[1], &BTreeMap::new(), false);
        let [_, _, other] = filters(&SimulatedRun { serial: "Another".to_owned(), ..other });
        for (files, wanted) in [
            (vec![&fam, &other, &cy5], vec!["run.part_origin", "run.part_names"]),
            (vec![&fam, &fam], vec!["run.part_twice", "run.part_channel"]),
            (vec![&fam, &"%PDF".to_owned()], vec!["run.file"]),
            (vec![], vec!["run.parts"]),
        ] {
            let refused = send(app, &world, 0, &files).await.expect(422);
            assert_eq!(codes(&refused), wanted, "{}", refused.text());
            assert!(!refused.text().contains(&tube(1)), "no name is repeated");
        }
        let many: Vec<(&str, &[u8])> = (0..12).map(|_| ("f", fam.as_bytes())).collect();
        let many = app.upload_form(&world.technician, &path(0), &many).await.expect(422);
        assert_eq!(many.code(), "body.files");
        let nameless = b"--limit\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--limit--\r\n";
        for (body, status) in [(&nameless[..], 422), (b"--limit\r\nnothing", 400)] {
            app.send_form(&world.technician, &path(0), body.to_vec()).await.expect(status);
        }
        let dry = format!("{}?dry_run=true", path(0));
        let files: Vec<(&str, &[u8])> =
            [&fam, &vic, &cy5].map(|file| ("f.txt", file.as_bytes())).to_vec();
        let dry = app.upload_form(&world.technician, &dry, &files).await.expect(200).json();
        assert_eq!(dry["verdict"]["usable"], true);
        let kept = "select (select count(*) from run) + (select count(*) from run_file)
            + (select count(*) from run_part)";
        assert_eq!(count(app, kept).await, 0);
    }

    async fn what_people_type_into_names_of_files_and_targets_is_not_kept_in_clear(app) {
        let (world, plates, run) = bench(app).await;
        let mut typed = run.clone();
        let well = "H12".parse().unwrap();
        assert!(!typed.wells.iter().any(|one| one.well == well), "the well is empty");
        for target in ["Zhang San", "Li Si"] {
            let mut one = typed.wells[0].clone();
            (one.well, one.ct) = (well, None);
            (one.sample, one.target) = (String::new(), target.to_owned());
            typed.wells.push(one);
        }
        let traced = swabline::simulation::curves::curves(&typed, 7);
        let text = swabline::simulation::files::quantstudio_text_with(&typed, &traced);
        let path = format!("{}?name=Zhang%20San.txt", path(0));
        let made = app.upload(&world.technician, &path, text.clone().into_bytes()).await;
        let made = made.expect(201).json();
        for (kept, times) in [
            ("select count(*) from run_file where name = 'file.txt'", 1),
            ("select count(*) from run_file where name <> 'file.txt'", 0),
            ("select count(*) from reading where target in ('other 1', 'other 2')", 2),
            ("select count(*) from curve where target in ('other 1', 'other 2')", 2),
            ("select count(*) from reading where target in ('Zhang San', 'Li Si')", 0),
            ("select count(*) from curve where target in ('Zhang San', 'Li Si')", 0),
        ] {
            assert_eq!(count(app, kept).await, times, "{kept}");
        }
        let file = format!("/v1/runs/{}/file", made["id"].as_str().unwrap());
        assert_eq!(app.get(&world.technician, &file).await.expect(200).text(), text);
        let plain = format!("{}_fam.txt", plate(1));
        let second = lab::cycled(&plates[1], &BTreeMap::new(), false);
        let [cy5, fam, vic] = filters(&second);
        let files = [(plain.as_str(), &fam), ("vic.txt", &vic), ("Li Si.txt", &cy5)]
            .map(|(name, file)| (name, file.as_bytes()));
        app.upload_form(&world.technician, &super::parts::path(1), &files).await.expect(201);
        let kept = "select count(*) from run_file where name in ('vic.txt', 'file.txt', 'parts')";
        assert_eq!(count(app, kept).await, 4, "and the one named by its plate");
        assert_eq!(count(app, "select count(*) from run_file").await, 5);
    }

    async fn a_file_of_one_run_is_not_of_another(app) {
        let (world, _, run) = bench(app).await;
        let [cy5, fam, vic] = filters(&run);
        let made = send(app, &world, 0, &[&fam, &vic, &cy5]).await.expect(201).json();
        let whole = send(app, &world, 1, &[&vic, &fam, &cy5]).await.expect(409);
        assert_eq!(whole.code(), "run.file_of_other_plate");
        let alone = send(app, &world, 0, &[&vic]).await.expect(409);
        assert_eq!(alone.code(), "run.part_used");
        assert_eq!(alone.json()["errors"][0]["about"], made["id"]);
    }

    async fn files_exchanged_behind_our_back_break_the_signature(app) {
        let (world, _, run) = bench(app).await;
        let [cy5, fam, vic] = filters(&run);
        let made = send(app, &world, 0, &[&fam, &vic, &cy5]).await.expect(201).json();
        lab::release(app, &world, made["id"].as_str().unwrap()).await;
        let verify = async || {
            let mut tx = app.app.db.read("test.verify").await.unwrap();
            swabline::review::verify::signatures_verify(&mut tx).await
        };
        assert_eq!(verify().await.unwrap().broken, None);
        let on_postgres = app.engine == crate::app::Engine::Postgres;
        let open = if on_postgres { "drop trigger run_part_fixed on run_part" } else {
            "drop trigger run_part_fixed"
        };
        app.direct(open).await;
        app.direct("update run_part set sha256 = (select sha256 from run) where part = 2").await;
        let error = verify().await.unwrap_err();
        assert!(error.to_string().contains("not those of the run"), "{error}");
    }

    async fn an_unproven_mapping_is_told_with_the_run_and_a_named_one_must_be_there(app) {
        let (world, plates, run) = bench(app).await;
        let file = ma_6000(&run).into_bytes();
        let unknown = format!("{}?mapping=ma-7000", path(0));
        let unknown = app.upload(&world.technician, &unknown, file.clone()).await.expect(422);
        assert_eq!(unknown.code(), "run.mapping");
        assert!(unknown.text().contains("hongshi-slan-96p"), "{}", unknown.text());
        let wrong = format!("{}?mapping=rotor-gene", path(0));
        let wrong = app.upload(&world.technician, &wrong, file.clone()).await.expect(422);
        assert!(wrong.text().contains("rotor-gene does not fit"), "{}", wrong.text());
        let made = lab::upload(app, &world, &plates[0], file).await.expect(201).json();
        assert_eq!((&made["format"], &made["instrument"]), (&json!("mapping"), &json!("MA-6000")));
        let stored = format!("/v1/runs/{}", made["id"].as_str().unwrap());
        let stored = app.get(&world.technician, &stored).await.expect(200).json();
        assert!(stored["warnings"][0]["message"].as_str().unwrap().contains("never tried on a real file"));
    }
}
