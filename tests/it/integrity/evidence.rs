//! What the checks are told of a run: who says its instrument, which of its tubes were recalled, and
//! what it measured.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use swabline::clock::{Span, Time};
use swabline::integrity::RunEvidence;
use swabline::integrity::runs::page;
use swabline::simulation::curves::curves;
use swabline::simulation::files::quantstudio_text_with;

use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory::{self as lab, POSITIVE};
use crate::way::tamper;
use crate::world::{World, people, plate, seal_tube, tube, world};

/// The serial number in the files.
const SERIAL: &str = "278870001";

/// Two plates whose files say that they ended together; the files are brought with this behind
/// their names, and without their serial number where that names an instrument.
async fn two_plates(app: &TestApp, query: &str) -> World {
    let world = world(app).await;
    let tubes = lab::receive(app, &world, 0, 0..4).await;
    let mut loaded = Vec::new();
    for (n, tubes) in (0..).zip(tubes.chunks(2)) {
        loaded.push(lab::load(app, &world, n, tubes).await);
    }
    app.pass(Span::minutes(100));
    for (n, laid) in (0..).zip(&loaded) {
        let file = String::from_utf8(lab::run_file(laid, &BTreeMap::new(), false)).unwrap();
        let file = if query.is_empty() { file } else { file.replace(SERIAL, "") };
        let path = format!("/v1/plates/{}/runs?name=run.txt{query}", plate(n));
        app.upload(&world.technician, &path, file.into_bytes()).await.expect(201);
    }
    world
}

/// The second plate stands in another laboratory, as if its run had been brought there.
async fn another_laboratory(app: &TestApp, world: &World) {
    let laboratory = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
    app.put(&world.administrator, "/v1/laboratories/L02", &laboratory).await.expect(201);
    let moved = format!("update plate set laboratory_code = 'L02' where code = '{}'", plate(1));
    tamper(app, &[], &moved).await;
}

/// The laboratories that are told of an instrument, and its number.
async fn told(app: &TestApp, world: &World) -> Vec<[Value; 2]> {
    let report = app.get(&world.officer, "/v1/integrity").await.expect(200).json();
    let signs = report["signs"].as_array().unwrap().iter();
    let signs = signs.filter(|sign| sign["check"] == "instruments");
    signs.map(|sign| [sign["laboratory"].clone(), sign["about"].clone()]).collect()
}

/// Ct values of internal controls, as an instrument tells them.
const MEASURED: [&str; 12] = [
    "26.513", "27.208", "26.981", "27.340", "26.774", "27.019", "26.655", "27.467", "26.892",
    "27.131", "26.846", "27.253",
];

/// The `n`th plate, twelve negative tubes whose internal controls were measured so, with curves of
/// this seed; gives its run.
async fn measured(
    app: &TestApp,
    world: &World,
    (n, tubes): (u64, &[String]),
    (values, seed): ([&'static str; 12], u64),
) -> String {
    let loaded = lab::load(app, world, n, tubes).await;
    app.pass(Span::minutes(100));
    let signals = tubes.iter().cloned().zip(values.map(|ct| [None, None, Some(ct)])).collect();
    let run = lab::cycled(&loaded, &signals, false);
    let file = quantstudio_text_with(&run, &curves(&run, seed)).into_bytes();
    let run = lab::upload(app, world, &loaded, file).await.expect(201).json();
    run["id"].as_str().unwrap().to_owned()
}

/// What is said of copies: of which run, and how.
async fn copies(app: &TestApp, world: &World) -> Vec<[String; 2]> {
    let report = app.get(&world.officer, "/v1/integrity").await.expect(200).json();
    let signs = report["signs"].as_array().unwrap().iter();
    let signs = signs.filter(|sign| sign["check"] == "copies");
    signs.map(|sign| ["about", "message"].map(|of| sign[of].as_str().unwrap().to_owned())).collect()
}

/// These tubes on the `n`th plate, the first of them positive, all the way to its release.
async fn brought(app: &TestApp, world: &World, n: u64, tubes: &[String]) {
    let loaded = lab::load(app, world, n, tubes).await;
    app.pass(Span::minutes(100));
    let signals = BTreeMap::from([(tubes[0].clone(), POSITIVE)]);
    let file = lab::run_file(&loaded, &signals, false);
    let run = lab::upload(app, world, &loaded, file).await.expect(201).json();
    lab::release(app, world, run["id"].as_str().unwrap()).await;
}

each_engine! {
    async fn a_serial_number_in_files_of_two_laboratories_is_one_instrument(app) {
        let world = two_plates(app, "").await;
        another_laboratory(app, &world).await;
        let wanted = ["L01", "L02"].map(|laboratory| [json!(laboratory), json!(SERIAL)]);
        assert_eq!(told(app, &world).await, wanted);
        // Of a run that came in before it was written down nobody knows whether its file said so.
        let older = "update audit set detail = replace(detail, 'serial_from', 'unknown')";
        tamper(app, &["audit_fixed"], older).await;
        assert_eq!(told(app, &world).await, [] as [[Value; 2]; 0]);
    }

    async fn a_name_typed_in_two_laboratories_is_two_instruments(app) {
        let world = two_plates(app, "&instrument=cycler-1").await;
        assert_eq!(told(app, &world).await, [[json!("L01"), json!("cycler-1")]], "one laboratory");
        another_laboratory(app, &world).await;
        assert_eq!(told(app, &world).await, [] as [[Value; 2]; 0]);
    }

    async fn values_and_curves_of_another_plate_are_found_again_in_the_store(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..48).await;
        let tubes: Vec<_> = tubes.chunks(12).collect();
        let mut turned = MEASURED;
        turned.reverse();
        let first = measured(app, &world, (0, tubes[0]), (MEASURED, 1)).await;
        measured(app, &world, (1, tubes[1]), (turned, 2)).await;
        assert_eq!(copies(app, &world).await, [] as [[String; 2]; 0], "the same values elsewhere");

        let copied = measured(app, &world, (2, tubes[2]), (MEASURED, 3)).await;
        let pairs = format!(
            "11 pairs of wells have the Ct values of run {first}; open the files and compare"
        );
        assert_eq!(copies(app, &world).await, [[copied.clone(), pairs]]);

        let again = measured(app, &world, (3, tubes[3]), (turned, 1)).await;
        let all = copies(app, &world).await;
        let curves: Vec<_> = all.iter().filter(|[_, said]| said.contains(" curves are ")).collect();
        assert!(curves.iter().all(|[run, said]| *run == again && said.contains(&first)), "{all:?}");
        assert!(!curves.is_empty(), "{all:?}");
    }

    async fn the_tubes_that_answer_a_recall_are_known_of_their_run(app) {
        let world = world(app).await;
        let members = people(100, 2);
        seal_tube(app, &world, 0, &members).await.expect(201);
        lab::deliver(app, &world, 0, &[tube(0)]).await;
        brought(app, &world, 0, &[tube(0)]).await;
        app.pass(Span::hours(2));
        seal_tube(app, &world, 1, &members[..1]).await.expect(201);
        seal_tube(app, &world, 2, &people(150, 1)).await.expect(201);
        let both = [tube(1), tube(2)];
        lab::deliver(app, &world, 1, &both).await;
        brought(app, &world, 1, &both).await;
        let mut tx = app.app.db.read("test.runs").await.unwrap();
        let (first, last) = (Time::from_us(0), app.now() + Span::MICROSECOND);
        let runs = page(&mut tx, (first, last), &(first, String::new())).await.unwrap();
        let [pool, singles] = <[RunEvidence; 2]>::try_from(runs).unwrap();
        assert_eq!((pool.calls.len(), pool.recalled.len()), (1, 0), "{pool:?}");
        assert_eq!((singles.calls.len(), &singles.recalled), (2, &BTreeSet::from([tube(1)])));
        assert!(pool.is_serial_stated && singles.is_serial_stated);
    }
}
