//! Quality that watches itself, over HTTP and in the store: charts, alarms, held runs, seeded tubes.

mod answered;
mod controls;
mod counted;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::on;
use swabline::quality::{
    self, Direction, Facts, Measure, Scope, Share, Subjects, Value as Point, alarm,
};

use crate::app::TestApp;
use crate::each_engine;
use crate::feeds::poll_until;
use crate::laboratory::{self as lab, POSITIVE};
use crate::program::{command, finish};
use crate::world::{World, people, pool, seal_tube, tube, world};

/// The kit as charts name it, and the instrument of every file here.
const KIT: &str = "orf1ab-n-ic 1";
const INSTRUMENT: &str = "278870001";

/// What a plate of the past tells.
#[derive(Clone, Copy)]
struct Past {
    control: f64,
    internal: f64,
    detected: u32,
    people: u32,
}

const USUAL: Past = Past { control: 26.6, internal: 27.5, detected: 12, people: 1 };

/// A run of L01 that only the charts remember, with its alarms.
async fn plate_of(
    app: &TestApp,
    world: &World,
    (n, laboratory): (usize, &str),
    past: Past,
) -> (quality::Judged, Vec<quality::alarm::Alarm>) {
    app.pass(Span::minutes(10));
    let (name, at) = (format!("{laboratory}-{n:05}"), app.now());
    let mut tx = app.app.db.write("test.past").await.unwrap();
    let rows = format!(
        "insert into plate (code, laboratory_code, kit_code, kit_version, template, size, state,
            made_by, made_us) values ('{name}', '{laboratory}', 'K', '1', 'T', 96, 'draft', 'A', 0);
        insert into run_file (sha256, name, content, kept_us) values ('{name}', 'f', unhex('00'), 0);
        insert into run (id, plate_code, sha256, format, instrument, serial, run_ended, kit_code,
            kit_version, usable, verdict, warnings, imported_by, imported_us, state)
        values ('{name}', '{name}', '{name}', 'f', 'i', 's', '', 'K', '1', 1, '{{}}', '[]', 'A', 0,
            'draft')"
    );
    let rows = sqlx::AssertSqlSafe(rows);
    on!(tx, c => sqlx::raw_sql(rows).execute(c).await.map(drop)).unwrap();
    // A spread of some tenths, the same every time.
    let spread = f64::from(u32::try_from(n % 5).unwrap()) * 0.2 - 0.4;
    let value = |measure, target: &str, ct: f64| Point { measure, target: target.to_owned(), ct };
    let facts = Facts {
        run: name,
        subjects: Subjects {
            laboratory: laboratory.to_owned(),
            instrument: INSTRUMENT.to_owned(),
            lot: Some("LOT1".to_owned()),
            operator: world.technician.actor.account.clone(),
        },
        kit: KIT.to_owned(),
        at,
        usable: true,
        shares: vec![Share { people: past.people, tubes: 94, detected: past.detected }],
        internal_failures: 0,
        values: vec![
            value(Measure::PositiveControl, "N", past.control + 0.3 + spread),
            value(Measure::PositiveControl, "ORF1ab", past.control + spread),
            value(Measure::InternalControl, "IC", past.internal + spread),
        ],
        answers: Vec::new(),
    };
    let judged = quality::judge(&mut tx, &facts).await.unwrap();
    let keep = quality::keep(&mut tx, &app.clock, &world.technician.actor, (&facts, &judged));
    let alarms = keep.await.unwrap();
    tx.commit().await.unwrap();
    (judged, alarms)
}

/// What `swabline quality` says about the store of a story.
fn console(app: &TestApp, more: &[&str], code: i32) -> Value {
    let config = &app.app.config;
    let mut command = command();
    command.args(["quality", "--json", "--laboratory", "L01", "--data"]).arg(&config.data);
    command.args(["--database", &config.database_url()]).args(more);
    serde_json::from_str(&finish(command).expect(code).out).unwrap()
}

/// A run over HTTP of these single tubes, from the first code on.
async fn run(app: &TestApp, world: &World, count: u64, signals: &[(u64, lab::Signals)]) -> Value {
    for n in 0..count {
        seal_tube(app, world, n, &people(n * 10, 1)).await.expect(201);
    }
    let codes: Vec<_> = (0..count).map(tube).collect();
    lab::deliver(app, world, 0, &codes).await;
    let plate = lab::load(app, world, 0, &codes).await;
    let signals: BTreeMap<_, _> = signals.iter().map(|(n, of)| (tube(*n), *of)).collect();
    let file = lab::run_file(&plate, &signals, false);
    lab::upload(app, world, &plate, file).await.expect(201).json()
}

async fn alarms(app: &TestApp, client: &crate::app::Client) -> Vec<Value> {
    let page = app.get(client, "/v1/quality/alarms").await.expect(200).json();
    page["alarms"].as_array().unwrap().clone()
}

each_engine! {
    async fn a_run_leaves_its_points_on_the_charts(app) {
        let world = world(app).await;
        run(app, &world, 6, &[(1, POSITIVE)]).await;
        let path = "/v1/quality/charts?measure=";
        let chart = app.get(&world.technician, &format!("{path}positive_control")).await;
        let chart = chart.expect(200).json();
        let series = chart["series"].as_array().unwrap();
        let shown: Vec<_> = series
            .iter()
            .map(|one| (one["target"].as_str().unwrap(), one["points"][0]["value"].as_f64().unwrap()))
            .collect();
        assert_eq!(shown, [("N", 26.9), ("ORF1ab", 26.5)], "{chart}");
        assert_eq!(series[0]["learning"], 1);
        assert_eq!(series[0]["points"][0]["instrument"], INSTRUMENT);
        assert_eq!(series[0]["points"][0]["operator"], json!(world.technician.actor.account));
        let median = app.get(&world.technician, &format!("{path}internal_control")).await;
        assert_eq!(median.expect(200).json()["series"][0]["points"][0]["value"], 27.5);
        let share = app.get(&world.technician, &format!("{path}positivity")).await.expect(200).json();
        assert_eq!(share["series"][0]["points"][0]["tubes"], 6);
        assert!(share["series"][0]["points"][0]["mean"].is_null(), "{share}");
        let other = format!("{path}positivity&instrument=another");
        let none = app.get(&world.technician, &other).await.expect(200).json();
        assert_eq!(none["series"], json!([]));

        let picture = "/v1/quality/charts.svg?laboratory=L01&measure=positive_control";
        let picture = app.get(&world.officer, picture).await.expect(200);
        assert_eq!(picture.headers["content-type"], "image/svg+xml");
        assert!(picture.text().starts_with("<svg") && picture.text().contains("ORF1ab"));
        for (measure, axis) in [("positivity", "% positive"), ("internal_control", "IC (orf1ab")] {
            let picture = format!("/v1/quality/charts.svg?laboratory=L01&measure={measure}");
            let picture = app.get(&world.officer, &picture).await.expect(200).text();
            assert!(picture.contains(axis), "{measure}");
        }
        for (path, code) in [("positivity", "quality.laboratory"),
            ("seeded&laboratory=L01", "quality.measure")] {
            let path = format!("/v1/quality/charts?measure={path}");
            assert_eq!(app.get(&world.officer, &path).await.expect(422).code(), code);
        }
        let nowhere = "/v1/quality/charts?laboratory=L99&measure=positivity";
        app.get(&world.officer, nowhere).await.expect(404);
    }

    async fn an_internal_control_that_comes_later_alarms_once_and_again_after_it_was_acknowledged(app) {
        let world = world(app).await;
        for n in 0..36 {
            assert_eq!(plate_of(app, &world, (n, "L01"), USUAL).await.1, []);
        }
        let late = Past { internal: 29.5, ..USUAL };
        let mut raised = Vec::new();
        for n in 36..48 {
            raised.extend(plate_of(app, &world, (n, "L01"), late).await.1);
        }
        assert_eq!(raised.len(), 1, "{raised:?}");
        let open = alarms(app, &world.reviewer).await;
        assert_eq!((&open[0]["measure"], &open[0]["scope"], &open[0]["direction"]),
            (&json!("internal_control"), &json!("laboratory"), &json!("rise")));
        assert!(open[0]["message"].as_str().unwrap().contains("amplifies later"), "{open:?}");
        let chart = app.get(&world.reviewer, "/v1/quality/charts?measure=internal_control").await;
        let chart = chart.expect(200).json();
        let points = chart["series"][0]["points"].as_array().unwrap();
        assert!(points.last().unwrap()["rise"].as_f64().unwrap() >= 1.0);
        assert_eq!(chart["series"][0]["learning"], 30);

        let printed = console(app, &[], 2);
        assert_eq!(printed["alarms"][0]["id"], open[0]["id"]);
        assert_eq!(printed["newest"][2]["measure"], "internal_control", "{printed}");
        assert_eq!(printed["newest"][2]["ct"], 29.5);
        let acknowledge =
            format!("/v1/quality/alarms/{}/acknowledge", open[0]["id"].as_str().unwrap());
        let found = json!({ "reason": "no_cause_found" });
        let other = app.client_at(Role::Reviewer, None, Some("L02".to_owned())).await;
        app.post(&other, &acknowledge, &found).await.expect(403);
        let done = app.post(&world.reviewer, &acknowledge, &found).await.expect(200).json();
        assert_eq!(done["acknowledged_by"], json!(world.reviewer.actor.account));
        app.post(&world.reviewer, &acknowledge, &found).await.expect(200);
        let again = app.post(&world.second_reviewer, &acknowledge, &found).await.expect(409);
        assert_eq!(again.code(), "quality.acknowledged");
        assert_eq!(alarms(app, &world.reviewer).await, Vec::<Value>::new());
        assert_eq!(console(app, &[], 0)["alarms"], json!([]));
        let all = app.get(&world.reviewer, "/v1/quality/alarms?acknowledged=true").await;
        assert_eq!(all.expect(200).json()["alarms"].as_array().unwrap().len(), 1);
        let mut raised = Vec::new();
        for n in 48..58 {
            raised.extend(plate_of(app, &world, (n, "L01"), late).await.1);
        }
        assert_eq!(raised.len(), 1, "the sums began again and reached the line again");
    }

    async fn a_serviced_instrument_is_learnt_anew(app) {
        let world = world(app).await;
        for n in 0..30 {
            plate_of(app, &world, (n, "L01"), USUAL).await;
        }
        let late = Past { internal: 29.5, ..USUAL };
        for n in 30..40 {
            plate_of(app, &world, (n, "L01"), late).await;
        }
        let open = alarms(app, &world.officer).await;
        let acknowledge =
            format!("/v1/quality/alarms/{}/acknowledge", open[0]["id"].as_str().unwrap());
        let serviced = json!({ "reason": "instrument_serviced" });
        app.post(&world.officer, &acknowledge, &serviced).await.expect(200);
        for n in 40..90 {
            assert_eq!(plate_of(app, &world, (n, "L01"), late).await.1, []);
        }
    }

    async fn fewer_positives_than_everywhere_else_alarm_and_as_many_do_not(app) {
        let world = world(app).await;
        let second = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
        app.put(&world.administrator, "/v1/laboratories/L02", &second).await.expect(201);
        let mut raised = Vec::new();
        for n in 0..40 {
            raised.extend(plate_of(app, &world, (n, "L01"), USUAL).await.1);
            raised.extend(plate_of(app, &world, (n, "L02"), USUAL).await.1);
        }
        assert_eq!(raised, []);
        let fewer = Past { detected: 2, ..USUAL };
        for n in 40..50 {
            raised.extend(plate_of(app, &world, (n, "L01"), USUAL).await.1);
            raised.extend(plate_of(app, &world, (n, "L02"), fewer).await.1);
        }
        let told: Vec<_> = raised.iter().map(|one| (one.laboratory_code.as_str(), one.measure)).collect();
        assert_eq!(told, [("L02", Measure::Positivity)], "{raised:?}");
        assert_eq!(alarms(app, &world.reviewer).await, Vec::<Value>::new());
        assert_eq!(alarms(app, &world.officer).await.len(), 1);
    }

    async fn a_laboratory_without_others_is_compared_with_its_own_week_before(app) {
        let world = world(app).await;
        let mut raised = Vec::new();
        // Five days as usual, then a raised threshold.
        for n in 0..50 {
            if n % 10 == 0 {
                app.pass(Span::hours(24));
            }
            raised.extend(plate_of(app, &world, (n, "L01"), USUAL).await.1);
        }
        assert_eq!(raised, []);
        let path = "/v1/quality/charts?measure=positivity";
        let reviewer = app.client_at(Role::Reviewer, None, Some("L01".to_owned())).await;
        let chart = app.get(&reviewer, path).await.expect(200).json();
        let points = chart["series"][0]["points"].as_array().unwrap();
        assert!(points[0]["mean"].is_null());
        let mean = points[49]["mean"].as_f64().unwrap();
        assert!((mean - 12.0 / 94.0).abs() < 1e-4, "{mean}");
        let fewer = Past { detected: 2, ..USUAL };
        for n in 50..60 {
            raised.extend(plate_of(app, &world, (n, "L01"), fewer).await.1);
        }
        let told: Vec<_> = raised.iter().map(|one| (one.scope, one.measure)).collect();
        assert_eq!(told, [(Scope::Laboratory, Measure::Positivity)], "{raised:?}");
        // Whoever says that the people differ has it learn from then on.
        let open = alarms(app, &reviewer).await;
        let acknowledge =
            format!("/v1/quality/alarms/{}/acknowledge", open[0]["id"].as_str().unwrap());
        let differs = json!({ "reason": "population_differs" });
        // Whoever works in the laboratory cannot say so.
        let bound = app.client_at(Role::Officer, None, Some("L01".to_owned())).await;
        for own in [&reviewer, &bound] {
            let refused = app.post(own, &acknowledge, &differs).await.expect(403);
            assert_eq!(refused.code(), "quality.population");
        }
        let officer = app.client(Role::Officer).await;
        app.post(&officer, &acknowledge, &differs).await.expect(200);
        for n in 60..110 {
            if n % 10 == 0 {
                app.pass(Span::hours(24));
            }
            assert_eq!(plate_of(app, &world, (n, "L01"), fewer).await.1, []);
        }
        // Whoever bought a contaminated lot after that is told.
        let mut raised = Vec::new();
        for n in 110..120 {
            raised.extend(plate_of(app, &world, (n, "L01"), Past { detected: 20, ..USUAL }).await.1);
        }
        let told: Vec<_> = raised.iter().map(|one| one.direction).collect();
        assert_eq!(told, [Direction::Rise], "{raised:?}");
    }

    async fn single_tubes_are_compared_with_single_tubes_and_tens_with_tens(app) {
        let world = world(app).await;
        let second = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
        app.put(&world.administrator, "/v1/laboratories/L02", &second).await.expect(201);
        let (tens, singles) =
            (Past { detected: 30, people: 10, ..USUAL }, Past { detected: 4, ..USUAL });
        let mut raised = Vec::new();
        for n in 0..40 {
            let (one, other) = if n % 2 == 0 { (tens, singles) } else { (singles, tens) };
            raised.extend(plate_of(app, &world, (n, "L01"), one).await.1);
            raised.extend(plate_of(app, &world, (n, "L02"), other).await.1);
        }
        // From here on one laboratory has the single tubes.
        for n in 40..60 {
            raised.extend(plate_of(app, &world, (n, "L01"), tens).await.1);
            raised.extend(plate_of(app, &world, (n, "L02"), singles).await.1);
        }
        assert_eq!(raised, []);
        // And what would be usual for a single tube is few for tens.
        for n in 60..70 {
            let few = Past { detected: 4, ..tens };
            raised.extend(plate_of(app, &world, (n, "L02"), few).await.1);
        }
        let told: Vec<_> =
            raised.iter().map(|one| (one.laboratory_code.as_str(), one.measure)).collect();
        assert_eq!(told, [("L02", Measure::Positivity)], "{raised:?}");
    }

    async fn a_laboratory_pool_counts_once_on_the_charts(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..7).await;
        lab::mix(app, &world, 0, &tubes[2..]).await.expect(201);
        lab::place(app, &world, 0, (&tubes[..2], &[pool(0)])).await.expect(201);
        let plate = lab::freeze_placed(app, &world, 0).await.expect(200).json();
        let signals = BTreeMap::from([(pool(0), POSITIVE)]);
        let file = lab::run_file(&plate, &signals, false);
        let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
        assert_eq!(run["calls"].as_array().unwrap().len(), 7);
        let path = "/v1/quality/charts?measure=";
        let share = app.get(&world.technician, &format!("{path}positivity")).await;
        let share = share.expect(200).json();
        let point = &share["series"][0]["points"][0];
        assert_eq!((&point["tubes"], &point["value"]), (&json!(3), &json!(1.0 / 3.0)), "{share}");
        let median = app.get(&world.technician, &format!("{path}internal_control")).await;
        assert_eq!(median.expect(200).json()["series"], json!([]), "three wells have no median");
    }

    async fn an_instrument_whose_files_do_not_name_it_is_named_by_whoever_brings_them(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..2).await;
        let plate = lab::load(app, &world, 0, &tubes).await;
        let file = String::from_utf8(lab::run_file(&plate, &BTreeMap::new(), false)).unwrap();
        let nameless = file.replace(INSTRUMENT, "").into_bytes();
        let path = format!("/v1/plates/{}/runs?name=run.txt", plate["code"].as_str().unwrap());
        for of_people in ["%20", "Canary", "Canary%20Person%203", "110105194912310021"] {
            let path = format!("{path}&instrument={of_people}");
            let refused = app.upload(&world.technician, &path, nameless.clone()).await.expect(422);
            assert_eq!(refused.code(), "run.instrument");
            assert!(!refused.text().contains("Canary"));
        }
        let named = format!("{path}&instrument=CFX-3");
        let dry = format!("{path}&dry_run=true");
        let dry = app.upload(&world.technician, &dry, nameless.clone()).await.expect(200).json();
        assert!(dry["warnings"].to_string().contains("?instrument="), "{dry}");
        let run = app.upload(&world.technician, &named, nameless.clone()).await.expect(201).json();
        assert_eq!((&run["serial"], &run["warnings"]), (&json!("CFX-3"), &json!([])));
        app.upload(&world.technician, &named, nameless.clone()).await.expect(200);
        app.upload(&world.technician, &path, nameless.clone()).await.expect(200);
        let other = format!("{path}&instrument=CFX-4");
        let refused = app.upload(&world.technician, &other, nameless).await.expect(409);
        assert_eq!(refused.code(), "run.other_instrument");
        let path = "/v1/quality/charts?measure=positive_control&instrument=";
        let chart = app.get(&world.technician, &format!("{path}CFX-3")).await.expect(200).json();
        assert_eq!(chart["series"].as_array().unwrap().len(), 2, "{chart}");
        // A file that names its instrument is believed.
        let tubes = lab::receive(app, &world, 1, 2..4).await;
        let plate = lab::load(app, &world, 1, &tubes).await;
        let file = lab::run_file(&plate, &BTreeMap::new(), false);
        let path = format!("/v1/plates/{}/runs?instrument=CFX-3", plate["code"].as_str().unwrap());
        let run = app.upload(&world.technician, &path, file).await.expect(201).json();
        assert_eq!(run["serial"], INSTRUMENT);
    }

    async fn a_control_that_breaks_westgards_rules_needs_two_people(app) {
        let world = world(app).await;
        let on = json!({ "on": true, "reason": "validated on 1 June" });
        app.put(&world.reviewer, "/v1/switches/auto_release", &on).await.expect(200);
        for n in 0..30 {
            plate_of(app, &world, (n, "L01"), Past { control: 31.0, ..USUAL }).await;
        }
        let run = run(app, &world, 2, &[]).await;
        let flags = run["verdict"]["flags"].as_array().unwrap();
        assert_eq!(flags.len(), 2, "{run}");
        assert_eq!(flags[0]["code"], "control_rejected");
        assert!(flags[0]["message"].as_str().unwrap().contains("1_3s"), "{run}");
        assert_eq!(run["verdict"]["usable"], true);
        let path = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        let accept = json!({ "decision": "accept" });
        let reviewed = app.post(&world.reviewer, &path, &accept).await.expect(200).json();
        assert_eq!(reviewed["released_by_rule"], json!([]), "{reviewed}");
        let release = format!("/v1/runs/{}/release", run["id"].as_str().unwrap());
        let released = app.post(&world.second_reviewer, &release, &json!({})).await.expect(200);
        assert_eq!(released.json()["released"]["reported"].as_array().unwrap().len(), 2);
    }

    async fn a_control_as_usual_is_released_by_rule(app) {
        let world = world(app).await;
        let on = json!({ "on": true, "reason": "validated on 1 June" });
        app.put(&world.reviewer, "/v1/switches/auto_release", &on).await.expect(200);
        for n in 0..30 {
            plate_of(app, &world, (n, "L01"), USUAL).await;
        }
        let run = run(app, &world, 2, &[]).await;
        assert_eq!(run["verdict"]["flags"], json!([]));
        let path = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        let accept = json!({ "decision": "accept" });
        let reviewed = app.post(&world.reviewer, &path, &accept).await.expect(200).json();
        assert_eq!(reviewed["released_by_rule"], json!([tube(0), tube(1)]));
    }

    async fn a_missed_seeded_tube_alarms_at_once_and_no_laboratory_sees_it(app) {
        let world = world(app).await;
        let (path, virus) = (format!("/v1/seeded/{}", tube(0)), json!({ "expected": "detected" }));
        app.put(&world.officer, &path, &virus).await.expect(201);
        app.put(&world.reviewer, &path, &virus).await.expect(403);
        app.get(&world.reviewer, "/v1/seeded").await.expect(403);
        let tubes = lab::receive(app, &world, 0, 0..2).await;
        let plate = lab::load(app, &world, 0, &tubes).await;
        let file = lab::run_file(&plate, &BTreeMap::new(), false);
        let path = format!("/v1/plates/{}/runs?dry_run=true", plate["code"].as_str().unwrap());
        app.upload(&world.technician, &path, file.clone()).await.expect(200);
        assert_eq!(alarms(app, &world.officer).await, Vec::<Value>::new(), "nothing was brought in");
        let answer = lab::upload(app, &world, &plate, file).await.expect(201).json();
        assert!(!answer.to_string().contains("seeded"), "{answer}");
        assert_eq!(alarms(app, &world.reviewer).await, Vec::<Value>::new());
        assert_eq!(alarms(app, &world.technician).await, Vec::<Value>::new());
        let figures = app.get(&world.officer, "/metrics").await.expect(200).text();
        assert!(figures.contains("swabline_quality_alarms"), "{figures}");
        let open = alarms(app, &world.officer).await;
        assert_eq!((&open[0]["measure"], &open[0]["tube"]), (&json!("seeded"), &json!(tube(0))));
        assert_eq!(console(app, &[], 0)["alarms"], json!([]), "a laboratory may be at it");
        assert_eq!(console(app, &["--seeded"], 2)["alarms"][0]["id"], open[0]["id"]);
        let acknowledge =
            format!("/v1/quality/alarms/{}/acknowledge", open[0]["id"].as_str().unwrap());
        let retested = json!({ "reason": "retested" });
        app.post(&world.reviewer, &acknowledge, &retested).await.expect(404);
        let list = app.get(&world.officer, "/v1/seeded").await.expect(200).json();
        assert_eq!(list["seeded"][0]["outcome"], "not_detected", "{list}");
        let day = json!({ "laboratory": "L01", "day": "2020-06-21", "answered": 1, "found": 0 });
        assert_eq!(list["recall"], json!([day]));
        app.post(&world.officer, &acknowledge, &retested).await.expect(200);

        lab::release(app, &world, answer["id"].as_str().unwrap()).await;
        let changes = poll_until(app, &world.service, &mut String::new(), 3).await;
        let told: Vec<_> = changes.iter().map(|change| change["tube"].clone()).collect();
        assert_eq!(told, [tube(1), tube(1), tube(1)], "sealed, received and released");
        let ledger = app.get(&world.officer, "/v1/ledger").await.expect(200).json();
        assert_eq!(ledger["unexplained"], 0, "{ledger}");
        assert_eq!((&ledger["whole"]["tubes"]["released"], &ledger["whole"]["people"]["released"]),
            (&json!(2), &json!(1)));
    }

    async fn a_seeded_tube_that_is_found_raises_nothing(app) {
        let world = world(app).await;
        let seeded = format!("/v1/seeded/{}", tube(0));
        app.put(&world.officer, &seeded, &json!({ "expected": "detected" })).await.expect(201);
        let none = format!("/v1/seeded/{}", tube(1));
        app.put(&world.officer, &none, &json!({ "expected": "not_detected" })).await.expect(201);
        run(app, &world, 2, &[(0, POSITIVE)]).await;
        assert_eq!(alarms(app, &world.officer).await, Vec::<Value>::new());
        let list = app.get(&world.officer, "/v1/seeded").await.expect(200).json();
        assert_eq!(list["recall"][0]["found"], 1, "{list}");
        let operator = &world.technician.actor.account;
        let seeded = &list["seeded"][0];
        assert_eq!((&seeded["instrument"], &seeded["operator"]), (&json!(INSTRUMENT), &json!(operator)));
        for (asked, found) in [
            ("laboratory=L01".to_owned(), true),
            (format!("instrument={INSTRUMENT}"), true),
            (format!("operator={operator}"), true),
            ("instrument=another".to_owned(), false),
            ("lot=LOT1".to_owned(), false),
        ] {
            let list = app.get(&world.officer, &format!("/v1/seeded?{asked}")).await.expect(200).json();
            assert_eq!(list["recall"].as_array().unwrap().len(), usize::from(found), "{asked}");
            let picture = app.get(&world.officer, &format!("/v1/seeded.svg?{asked}")).await.expect(200);
            assert_eq!(picture.headers["content-type"], "image/svg+xml");
            let picture = picture.text();
            assert_eq!(picture.contains("Seeded tubes found - laboratory L01"), found, "{asked}");
            assert_eq!(picture.contains("% found"), found, "{asked}");
        }
        app.get(&world.officer, "/v1/seeded?laboratory=L99").await.expect(404);
        let nobody = app.get(&world.officer, "/v1/seeded?lot=%07").await.expect(422);
        assert_eq!(nobody.code(), "quality.name");
        assert_eq!(nobody.json()["errors"][0]["about"], "lot");
    }

    async fn whoever_is_bound_to_a_laboratory_learns_nothing_of_seeded_tubes(app) {
        let world = world(app).await;
        let (path, virus) = (format!("/v1/seeded/{}", tube(0)), json!({ "expected": "detected" }));
        let own = Some("L01".to_owned());
        let officer = app.client_at(Role::Officer, None, own.clone()).await;
        let auditor = app.client_at(Role::Auditor, None, own).await;
        let city = app.client_at(Role::Auditor, None, None).await;
        let refused = app.put(&officer, &path, &virus).await.expect(403);
        assert_eq!(refused.code(), "seeded.blind");
        app.put(&world.officer, &path, &virus).await.expect(201);
        run(app, &world, 2, &[]).await;
        let alarm = alarms(app, &world.officer).await[0]["id"].as_str().unwrap().to_owned();
        let acknowledge = format!("/v1/quality/alarms/{alarm}/acknowledge");
        let retested = json!({ "reason": "retested" });
        app.post(&officer, &acknowledge, &retested).await.expect(404);
        app.post(&world.officer, &acknowledge, &retested).await.expect(200);
        assert_eq!(app.get(&officer, "/v1/seeded").await.expect(403).code(), "seeded.blind");
        assert_eq!(alarms(app, &auditor).await, Vec::<Value>::new());
        let mut tx = app.app.db.read("test.open").await.unwrap();
        assert_eq!(alarm::open(&mut tx).await.unwrap(), 0, "the figures are for everybody");
        drop(tx);
        for (client, people) in [(&officer, 2), (&auditor, 2), (&city, 1)] {
            let ledger = app.get(client, "/v1/ledger?laboratory=L01").await.expect(200).json();
            assert_eq!(ledger["whole"]["people"]["collected"], people, "{ledger}");
        }
        let actions = async |client, about: &str| {
            let trail = app.get(client, &format!("/v1/audit?about={about}")).await;
            let trail = trail.expect(200).json();
            let rows = trail["rows"].as_array().unwrap().clone();
            rows.iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let blind = actions(&auditor, &tube(0)).await;
        assert_eq!(blind, actions(&auditor, &tube(1)).await, "like any other tube");
        assert_eq!(actions(&auditor, &alarm).await, Vec::<String>::new());
        assert!(actions(&city, &tube(0)).await.contains(&"quality.seed".to_owned()));
        let told = actions(&city, &alarm).await;
        assert_eq!(told, ["quality.alarm", "quality.acknowledge"]);
    }

    async fn a_seeded_tube_without_an_answer_alarms_when_it_was_tested_twice(app) {
        let world = world(app).await;
        let seeded = format!("/v1/seeded/{}", tube(0));
        app.put(&world.officer, &seeded, &json!({ "expected": "detected" })).await.expect(201);
        let first = run(app, &world, 2, &[(0, lab::SILENT)]).await;
        assert_eq!(first["calls"][0]["outcome"], "invalid");
        assert_eq!(alarms(app, &world.officer).await, Vec::<Value>::new());
        lab::release(app, &world, first["id"].as_str().unwrap()).await;
        let plate = lab::load(app, &world, 1, &[tube(0)]).await;
        let signals = BTreeMap::from([(tube(0), lab::SILENT)]);
        let file = lab::run_file(&plate, &signals, false);
        lab::upload(app, &world, &plate, file).await.expect(201);
        let open = alarms(app, &world.officer).await;
        assert_eq!((open.len(), &open[0]["tube"]), (1, &json!(tube(0))), "{open:?}");
        assert_eq!(alarms(app, &world.technician).await, Vec::<Value>::new());
    }

    async fn a_seeded_tube_that_waits_too_long_alarms_with_the_next_run(app) {
        let world = world(app).await;
        let seeded = format!("/v1/seeded/{}", tube(7));
        app.put(&world.officer, &seeded, &json!({ "expected": "detected" })).await.expect(201);
        seal_tube(app, &world, 7, &people(70, 1)).await.expect(201);
        lab::deliver(app, &world, 1, &[tube(7)]).await;
        plate_of(app, &world, (0, "L01"), USUAL).await;
        assert_eq!(alarms(app, &world.officer).await, Vec::<Value>::new());
        app.pass(Span::hours(24));
        for n in 1..3 {
            plate_of(app, &world, (n, "L01"), USUAL).await;
        }
        let officer = app.client_at(Role::Officer, None, None).await;
        let open = alarms(app, &officer).await;
        assert_eq!((open.len(), &open[0]["tube"]), (1, &json!(tube(7))), "{open:?}");
        assert!(open[0]["message"].as_str().unwrap().contains("late"), "{open:?}");
    }

    async fn a_low_recall_of_seeded_tubes_holds_release_by_rule_until_it_is_acknowledged(app) {
        let world = world(app).await;
        let on = json!({ "on": true, "reason": "validated on 1 June" });
        app.put(&world.reviewer, "/v1/switches/auto_release", &on).await.expect(200);
        let virus = json!({ "expected": "detected" });
        for n in 0..2 {
            app.put(&world.officer, &format!("/v1/seeded/{}", tube(n)), &virus).await.expect(201);
        }
        let run = run(app, &world, 3, &[]).await;
        let open = alarms(app, &world.officer).await;
        let measures: Vec<_> = open.iter().map(|one| one["measure"].as_str().unwrap()).collect();
        assert_eq!(measures.iter().filter(|one| **one == "seeded").count(), 2, "{open:?}");
        let recall = open.iter().find(|one| one["measure"] == "seeded_recall").unwrap();
        assert_eq!(alarms(app, &world.reviewer).await, Vec::<Value>::new());
        let path = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        let accept = json!({ "decision": "accept" });
        let reviewed = app.post(&world.reviewer, &path, &accept).await.expect(200).json();
        assert_eq!(reviewed["released_by_rule"], json!([]), "{reviewed}");
        let acknowledge =
            format!("/v1/quality/alarms/{}/acknowledge", recall["id"].as_str().unwrap());
        let trained = json!({ "reason": "operator_trained" });
        app.post(&world.reviewer, &acknowledge, &trained).await.expect(404);
        app.post(&world.officer, &acknowledge, &trained).await.expect(200);

        let tubes = lab::receive(app, &world, 5, 5..7).await;
        let plate = lab::load(app, &world, 5, &tubes).await;
        let file = lab::run_file(&plate, &BTreeMap::new(), false);
        let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
        let path = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
        let reviewed = app.post(&world.reviewer, &path, &accept).await.expect(200).json();
        assert_eq!(reviewed["released_by_rule"], json!(tubes));
    }

    async fn nobodys_tube_is_made_a_seeded_one_afterwards(app) {
        let world = world(app).await;
        seal_tube(app, &world, 0, &people(0, 1)).await.expect(201);
        let (sealed, open) = (format!("/v1/seeded/{}", tube(0)), format!("/v1/seeded/{}", tube(1)));
        let virus = json!({ "expected": "detected" });
        assert_eq!(app.put(&world.officer, &sealed, &virus).await.expect(409).code(),
            "seeded.sealed");
        app.put(&world.officer, &open, &virus).await.expect(201);
        app.put(&world.officer, &open, &virus).await.expect(200);
        let other = json!({ "expected": "not_detected" });
        assert_eq!(app.put(&world.officer, &open, &other).await.expect(409).code(),
            "seeded.other");
        app.put(&world.officer, "/v1/seeded/NOCODE", &virus).await.expect(422);
    }
}
