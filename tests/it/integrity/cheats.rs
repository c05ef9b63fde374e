//! Cheats in the store: an honest morning, and what each kind of tampering shows over it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, query_scalar};
use swabline::auth::Role;
use swabline::clock::{Span, Time};
use swabline::on;
use swabline::simulation::files::{SimulatedRun, quantstudio_text};

use crate::app::{Client, TestApp};
use crate::each_engine;
use crate::laboratory::{POSITIVE, Signals, cycled, deliver, load, release, run_file, upload};
use crate::program::{command, finish};
use crate::way::{self, number, tamper};
use crate::world::{World, people, plate, seal_tube, tube, world};

/// Three tubes of ten all the way to their results, at the pace of real work.
async fn an_honest_morning(app: &TestApp) {
    a_morning(app, &BTreeMap::new()).await;
}

/// The same with tubes that show something else than a clean negative.
async fn a_morning(app: &TestApp, tubes: &BTreeMap<String, Signals>) {
    let world = world(app).await;
    for n in 0..3 {
        seal_tube(app, &world, n, &people(n * 20, 10)).await.expect(201);
    }
    app.pass(Span::minutes(30));
    deliver(app, &world, 0, &[tube(0), tube(1), tube(2)]).await;
    app.pass(Span::minutes(30));
    let loaded = load(app, &world, 0, &[tube(0), tube(1), tube(2)]).await;
    app.pass(Span::minutes(100));
    let file = run_file(&loaded, tubes, false);
    let run = upload(app, &world, &loaded, file).await.expect(201).json();
    app.pass(Span::minutes(10));
    release(app, &world, run["id"].as_str().unwrap()).await;
    app.pass(Span::minutes(10));
}

/// A working day: three tubes of ten people, and each of those who were recalled the day before by
/// themselves, all the way to their results. Every fifth day somebody has the virus.
async fn a_working_day(app: &TestApp, world: &World, day: u64) {
    let tens = |day: u64, which: u64| people((day * 3 + which) * 20, 10);
    let mut tubes = Vec::new();
    let mut signals = BTreeMap::new();
    for which in 0..3 {
        seal_tube(app, world, day * 3 + which, &tens(day, which)).await.expect(201);
        tubes.push(tube(day * 3 + which));
    }
    if day % 5 == 1 {
        signals.insert(tubes[0].clone(), POSITIVE);
    }
    if day % 5 == 2 {
        let singles = (100 + day * 2)..;
        for (n, person) in singles.zip(tens(day - 1, 0)) {
            seal_tube(app, world, n, &[person]).await.expect(201);
            tubes.push(tube(n));
        }
        signals.insert(tubes[7].clone(), POSITIVE);
    }
    app.pass(Span::minutes(30));
    deliver(app, world, day, &tubes).await;
    app.pass(Span::minutes(30));
    let loaded = load(app, world, day, &tubes).await;
    app.pass(Span::minutes(100));
    let run = SimulatedRun { run_ended: app.now().local(), ..cycled(&loaded, &signals, false) };
    let file = quantstudio_text(&run).into_bytes();
    let run = upload(app, world, &loaded, file).await.expect(201).json();
    app.pass(Span::minutes(10));
    release(app, world, run["id"].as_str().unwrap()).await;
    app.pass(Span::hours(21));
}

/// One person's tube all the way to its result.
async fn told_singly(app: &TestApp, world: &World, n: u64, who: u64, shown: Signals) {
    seal_tube(app, world, n, &people(who, 1)).await.expect(201);
    app.pass(Span::minutes(30));
    deliver(app, world, n, &[tube(n)]).await;
    let loaded = load(app, world, n, &[tube(n)]).await;
    app.pass(Span::minutes(100));
    let file = run_file(&loaded, &BTreeMap::from([(tube(n), shown)]), false);
    let run = upload(app, world, &loaded, file).await.expect(201).json();
    app.pass(Span::minutes(10));
    release(app, world, run["id"].as_str().unwrap()).await;
    app.pass(Span::hours(20));
}

/// Two people change what a tube's first result said.
async fn amend(app: &TestApp, world: &World, n: u64, wanted: Value) {
    let path = format!("/v1/results/{}.1/amend", tube(n));
    app.post(&world.reviewer, &path, &wanted).await.expect(202);
    app.post(&world.second_reviewer, &path, &wanted).await.expect(201);
}

async fn report(app: &TestApp, client: &Client) -> Value {
    app.get(client, "/v1/integrity").await.expect(200).json()
}

/// What the console says of the store of a story, up to its today.
fn console(app: &TestApp, code: i32) -> Value {
    let (config, today) = (&app.app.config, app.now().day());
    let mut command = command();
    command.args(["integrity", "--json", "--until", &today, "--data"]).arg(&config.data);
    command.args(["--database", &config.database_url()]);
    serde_json::from_str(&finish(command).expect(code).out).unwrap()
}

async fn text(app: &TestApp, sql: String) -> String {
    let mut tx = app.app.db.read("test.text").await.unwrap();
    let sql = AssertSqlSafe(sql);
    on!(tx, c => query_scalar(sql).fetch_one(c).await).unwrap()
}

/// Signs of a check in a report.
fn signs<'r>(report: &'r Value, check: &str) -> Vec<&'r Value> {
    report["signs"].as_array().unwrap().iter().filter(|sign| sign["check"] == check).collect()
}

each_engine! {
    async fn honest_work_shows_nothing(app) {
        an_honest_morning(app).await;
        let officer = app.client(Role::Officer).await;
        let report = report(app, &officer).await;
        assert_eq!(report["signs"], json!([]), "{report}");
        assert_eq!((&report["runs"], &report["results"]), (&json!(1), &json!(3)));
        let said = console(app, 0);
        for part in ["signs", "runs", "results", "checks"] {
            assert_eq!(said[part], report[part], "{part}");
        }
        assert_eq!(report["checks"].as_array().unwrap().len(), 11);
    }

    async fn ten_honest_days_show_nothing(app) {
        let world = world(app).await;
        for day in 0..10 {
            a_working_day(app, &world, day).await;
        }
        let report = report(app, &world.officer).await;
        assert_eq!(report["signs"], json!([]), "{report}");
        // Two tubes of ten were positive, and twenty people came again.
        assert_eq!((&report["runs"], &report["results"]), (&json!(10), &json!(28 + 20)));
        let closed = "select count(*) from recall where state = 'closed'";
        assert_eq!(number(app, closed).await, 20);
    }

    async fn a_robot_that_did_otherwise_is_found_when_its_log_comes_after_the_results(app) {
        an_honest_morning(app).await;
        let (officer, technician) =
            (app.client(Role::Officer).await, app.client(Role::Technician).await);
        let path = format!("/v1/plates/{}", plate(0));
        let list = app.get(&technician, &format!("{path}/worklist?format=tecan")).await;
        let list = list.expect(200).text();
        let transfers = format!("{path}/transfers");
        app.upload(&technician, &transfers, list.clone().into_bytes()).await.expect(201);
        assert_eq!(report(app, &officer).await["signs"], json!([]), "all went as planned");
        let carried = list.replace(&tube(2), &tube(1));
        app.upload(&technician, &transfers, carried.into_bytes()).await.expect(201);
        let report = report(app, &officer).await;
        let found = signs(&report, "transfers");
        assert_eq!((found.len(), &found[0]["about"]), (1, &json!(plate(0))), "{report}");
        let message = found[0]["message"].as_str().unwrap();
        assert!(message.contains(&tube(2)), "{message}");
    }

    async fn a_well_deeper_than_validated_is_found(app) {
        an_honest_morning(app).await;
        let officer = app.client(Role::Officer).await;
        let deeper = "update well set depth = 20 where tube_code is not null";
        tamper(app, &["well_fixed"], deeper).await;
        let report = report(app, &officer).await;
        let found = signs(&report, "depth");
        assert_eq!(found.len(), 2, "deeper than validated, and than sealed: {report}");
        assert!(found.iter().all(|sign| sign["about"] == plate(0)));
    }

    async fn a_tube_reported_without_a_well_is_found(app) {
        an_honest_morning(app).await;
        let officer = app.client(Role::Officer).await;
        let gone = format!("delete from well where tube_code = '{}'", tube(1));
        tamper(app, &["well_frozen"], &gone).await;
        let report = report(app, &officer).await;
        let found = signs(&report, "wells");
        assert_eq!(found.len(), 1, "{report}");
        let message = found[0]["message"].as_str().unwrap();
        assert!(message.starts_with("1 of 3 reported tubes amplified in no well"), "{message}");
    }

    async fn a_tube_reported_from_a_well_where_nothing_amplified_is_found(app) {
        an_honest_morning(app).await;
        let officer = app.client(Role::Officer).await;
        let wells = format!("select cast(min(well) as text) from well where tube_code = '{}'", tube(1));
        let well: u64 = text(app, wells).await.parse().unwrap();
        let list = text(app, "select list from run_reading".to_owned()).await;
        let mut list: Value = serde_json::from_str(&list).unwrap();
        for reading in list.as_array_mut().unwrap().iter_mut().filter(|one| one[0] == well) {
            reading[5] = Value::Null;
        }
        let silent = format!("update run_reading set list = '{list}'");
        tamper(app, &["run_reading_fixed"], &silent).await;
        let report = report(app, &officer).await;
        let found = signs(&report, "wells");
        assert_eq!(found.len(), 1, "not even its internal control: {report}");
        assert!(found[0]["message"].as_str().unwrap().starts_with("1 of 3 reported"), "{report}");
        assert_eq!(console(app, 2)["signs"], report["signs"]);
    }

    async fn a_period_without_runs_names_the_one_that_has_them(app) {
        an_honest_morning(app).await;
        let day = app.now().day();
        app.pass(Span::days(200));
        let officer = app.client(Role::Officer).await;
        let report = report(app, &officer).await;
        assert_eq!(report["runs"], 0);
        let (first, last) = (&report["runs_elsewhere"]["first"], &report["runs_elsewhere"]["last"]);
        assert!(first == last && first.is_string(), "{report}");
        let path = format!("/v1/integrity?from={day}&until={day}");
        let there = app.get(&officer, &path).await.expect(200).json();
        assert_eq!((&there["runs"], there.get("runs_elsewhere")), (&json!(1), None));
    }

    async fn a_result_told_before_its_tube_arrived_is_found(app) {
        an_honest_morning(app).await;
        let officer = app.client(Role::Officer).await;
        let late = "update arrival set recorded_us = recorded_us + 86400000000";
        tamper(app, &["arrival_fixed"], late).await;
        let report = report(app, &officer).await;
        assert_eq!(signs(&report, "order").len(), 3, "each tube: {report}");
    }

    async fn a_plate_made_up_after_its_run_is_found(app) {
        let world = world(app).await;
        let tubes = [0, 1, 2].map(tube);
        for n in 0..3 {
            seal_tube(app, &world, n, &people(n * 20, 10)).await.expect(201);
        }
        deliver(app, &world, 0, &tubes).await;
        let loaded = load(app, &world, 0, &tubes).await;
        app.pass(Span::minutes(3));
        let file = run_file(&loaded, &BTreeMap::new(), false);
        let run = upload(app, &world, &loaded, file).await.expect(201).json();
        release(app, &world, run["id"].as_str().unwrap()).await;
        app.pass(Span::minutes(1));
        let report = report(app, &world.officer).await;
        let found = signs(&report, "order");
        assert_eq!(found.len(), 1, "said once, of its plate and not of each tube: {report}");
        assert_eq!(found[0]["about"], run["plate"], "{report}");
        assert!(found[0]["message"].as_str().unwrap().contains("sooner than any run ends"));
    }

    async fn a_round_declared_over_with_an_open_tube_is_found(app) {
        an_honest_morning(app).await;
        app.pass(Span::days(400));
        let officer = app.client(Role::Officer).await;
        assert_eq!(signs(&report(app, &officer).await, "round_open").len(), 0);
        let open = format!("update tube set state = 'plated' where code = '{}'", tube(2));
        tamper(app, &["tube_moves"], &open).await;
        let report = report(app, &officer).await;
        assert_eq!(signs(&report, "round_open").len(), 1, "{report}");
    }

    async fn a_round_declared_over_with_a_missing_tube_is_found_until_it_is_written_off(app) {
        // The round was over long before its tube was missed.
        way::places(app).await;
        way::seal(app, "T1", [1, 2]).await;
        way::pack(app, "T1").await;
        way::arrive(app, "T1", "missing").await;
        let officer = app.client(Role::Officer).await;
        let missed = report(app, &officer).await;
        let found = signs(&missed, "round_open");
        assert_eq!(found.len(), 1, "nobody was recalled: {missed}");
        assert!(found[0]["message"].as_str().unwrap().contains("1 tubes have no result"));
        app.direct("update tube set state = 'closed'").await;
        assert_eq!(signs(&report(app, &officer).await, "round_open").len(), 0);
    }

    async fn a_positive_pool_without_recalls_is_found(app) {
        let found = BTreeMap::from([(tube(1), POSITIVE)]);
        a_morning(app, &found).await;
        let officer = app.client(Role::Officer).await;
        assert_eq!(signs(&report(app, &officer).await, "follow_up").len(), 0);
        let late = "update recall set opened_us = opened_us + 3600000000, due_us = due_us + 3600000000";
        tamper(app, &[], late).await;
        let hours_later = report(app, &officer).await;
        let found = signs(&hours_later, "follow_up");
        assert_eq!(found.len(), 1, "nobody was called in the first hour: {hours_later}");
        tamper(app, &["recall_kept"], "delete from recall").await;
        let report = report(app, &officer).await;
        let found = signs(&report, "follow_up");
        assert_eq!(found.len(), 1, "{report}");
        assert!(found[0]["message"].as_str().unwrap().contains("0 of its 10 members"));
    }

    async fn a_negative_that_was_told_against_its_own_reading_is_found(app) {
        let world = world(app).await;
        // The first tube is told negative with a late signal, which the second proves was one.
        let late = [Some("41.23"), None, Some("27.1")];
        let clear = [None, None, Some("27.2")];
        for (n, who, shown) in [(0, 7, clear), (1, 3, late), (2, 3, POSITIVE)] {
            told_singly(app, &world, n, who, shown).await;
        }
        let officer = app.client(Role::Officer).await;
        let path = format!("/v1/integrity/earlier?tube={}", tube(2));
        let earlier = app.get(&officer, &path).await.expect(200).json();
        let negatives = earlier["negatives"].as_array().unwrap();
        assert_eq!(negatives.len(), 1, "{earlier}");
        let negative = &negatives[0];
        assert_eq!((&negative["tube"], &negative["plate"]), (&json!(tube(1)), &json!(plate(1))));
        assert_eq!(negative["laboratory"], "L01");
        assert_ne!(negative["reviewed_by"], negative["released_by"]);
        assert_eq!(negative["call"]["targets"][0]["raw_ct"], "41.23");
        let report = report(app, &officer).await;
        let found = signs(&report, "earlier");
        assert_eq!(found.len(), 1, "{report}");
        assert_eq!(found[0]["about"], tube(1));
    }

    async fn a_positive_that_was_made_negative_is_found_while_the_later_one_stands(app) {
        let world = world(app).await;
        told_singly(app, &world, 0, 3, POSITIVE).await;
        amend(app, &world, 0, json!({ "outcome": "not_detected", "reason": "contaminated" })).await;
        told_singly(app, &world, 1, 3, POSITIVE).await;
        let officer = app.client(Role::Officer).await;
        let asked = format!("/v1/integrity/earlier?tube={}", tube(1).to_lowercase());
        let earlier = app.get(&officer, &asked).await.expect(200).json();
        let negatives = earlier["negatives"].as_array().unwrap();
        assert_eq!(negatives.len(), 1, "{earlier}");
        assert_eq!(negatives[0]["result"], format!("{}.2", tube(0)));
        assert_eq!(signs(&report(app, &officer).await, "earlier").len(), 1);
        amend(app, &world, 1, json!({ "outcome": "withdrawn", "reason": "mixed_up" })).await;
        let refused = app.get(&officer, &asked).await.expect(422);
        assert_eq!(refused.code(), "integrity.not_positive");
        assert_eq!(signs(&report(app, &officer).await, "earlier").len(), 0);
        app.get(&officer, "/v1/integrity/earlier?tube=T9").await.expect(404);
    }

    async fn an_edit_after_the_day_changes_the_root_that_was_lodged(app) {
        an_honest_morning(app).await;
        let day = app.now().day();
        let path = format!("/v1/integrity/root?day={day}");
        let officer = app.client(Role::Officer).await;
        app.get(&officer, &path).await.expect(422);
        // What was begun before midnight may be written a little after it.
        let (_, midnight) = Time::day_bounds(&day).unwrap();
        app.pass(midnight.since(app.now()));
        app.pass(Span::minutes(4));
        let officer = app.client(Role::Officer).await;
        let early = app.get(&officer, &path).await.expect(422);
        assert!(early.text().contains("five minutes after its end"), "{}", early.text());
        app.pass(Span::minutes(1));
        let lodged = app.get(&officer, &path).await.expect(200).json();
        assert_eq!(lodged["chains"], 1);
        assert!(lodged["rows"].as_i64().unwrap() > 5, "{lodged}");
        // Later work changes nothing about the day.
        let allot = json!({ "kind": "tube", "count": 1, "place": "S01" });
        app.post(&officer, "/v1/allotments", &allot).await.expect(201);
        assert_eq!(app.get(&officer, &path).await.expect(200).json(), lodged);
        let edit = "update audit set hash = 'made to fit'";
        tamper(app, &["audit_fixed"], edit).await;
        let edited = app.get(&officer, &path).await.expect(200).json();
        assert_ne!(edited["sha256"], lodged["sha256"]);
    }

    async fn the_checks_of_one_laboratory_are_for_those_who_may_see_it(app) {
        an_honest_morning(app).await;
        let officer = app.client(Role::Officer).await;
        let report = app.get(&officer, "/v1/integrity?laboratory=L01").await.expect(200).json();
        assert_eq!((&report["runs"], &report["results"]), (&json!(1), &json!(3)));
        app.get(&officer, "/v1/integrity?laboratory=L99").await.expect(404);
        for (query, about) in [
            ("from=yesterday", "from"),
            ("from=2020-06-21&until=2020-06-20", "from"),
            ("from=2020-01-01&until=2020-12-31", "from"),
        ] {
            let problem = app.get(&officer, &format!("/v1/integrity?{query}")).await.expect(422);
            assert_eq!(problem.json()["errors"][0]["about"], about, "{query}");
        }
        let technician = app.client(Role::Technician).await;
        app.get(&technician, "/v1/integrity").await.expect(403);
    }
}
