//! Files that come in for another plate than the one they are of (R13).

use std::collections::BTreeMap;

use serde_json::Value;
use swabline::clock::Span;
use swabline::simulation::files::quantstudio_text;

use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory::{self as lab, POSITIVE, SILENT, Signals};
use crate::way::number;
use crate::world::{World, plate, world};

/// The file of a plate as an instrument writes it where nobody scanned or typed anything.
fn nameless(plate: &Value, tubes: &BTreeMap<String, Signals>, controls_fail: bool) -> Vec<u8> {
    let mut run = lab::cycled(plate, tubes, controls_fail);
    run.plate_barcode.clear();
    for well in &mut run.wells {
        "sample".clone_into(&mut well.sample);
    }
    quantstudio_text(&run).into_bytes()
}

/// Three plates of ten tubes whose controls move, none with a run.
async fn three_plates(app: &TestApp, world: &World) -> Vec<Value> {
    let tubes = lab::receive(app, world, 0, 0..30).await;
    let mut plates = Vec::new();
    for (n, tubes) in (0..).zip(tubes.chunks(10)) {
        plates.push(lab::load_moving(app, world, n, tubes).await);
    }
    plates
}

fn reasons(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let errors = answer["errors"].as_array().unwrap().iter();
    errors.map(|reason| (text(&reason["code"]), text(&reason["about"]))).collect()
}

each_engine! {
    async fn a_file_of_another_plate_is_refused_and_says_of_which(app) {
        let world = world(app).await;
        let plates = three_plates(app, &world).await;
        let none = BTreeMap::new();
        let file = nameless(&plates[0], &none, false);
        let refused = lab::upload(app, &world, &plates[1], file.clone()).await.expect(422).json();
        assert!(
            reasons(&refused).contains(&("run.fits_other_plate".to_owned(), plate(0))),
            "{refused}"
        );
        assert_eq!(number(app, "select count(*) from run").await, 0);
        let run = lab::upload(app, &world, &plates[0], file).await.expect(201).json();
        assert_eq!(run["verdict"]["usable"], true);
        let file = nameless(&plates[1], &none, false);
        let run = lab::upload(app, &world, &plates[1], file).await.expect(201).json();
        assert_eq!(run["verdict"]["usable"], true);
    }

    async fn a_full_plate_s_file_is_found_by_its_controls_alone(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..188).await;
        let first = lab::load_moving(app, &world, 0, &tubes[..94]).await;
        let second = lab::load_moving(app, &world, 1, &tubes[94..]).await;
        // The tube that lies where the second plate has its positive control is positive.
        let wells = |plate: &Value| plate["wells"].as_array().unwrap().clone();
        let control = wells(&second).into_iter().find(|w| w["control"] == "positive").unwrap();
        let there = wells(&first).into_iter().find(|w| w["well"] == control["well"]).unwrap();
        let tube = there["tube"].as_str().unwrap().to_owned();
        let file = nameless(&first, &BTreeMap::from([(tube, POSITIVE)]), false);
        let refused = lab::upload(app, &world, &second, file).await.expect(422).json();
        let found = reasons(&refused);
        assert_eq!(found[0], ("run.fits_other_plate".to_owned(), plate(0)), "{refused}");
        let negative = wells(&second).into_iter().find(|w| w["control"] == "negative").unwrap();
        let well = negative["well"].as_str().unwrap().to_owned();
        assert_eq!(found[1..], [("run.negative_control_amplified".to_owned(), well)]);
    }

    async fn a_failed_run_and_an_old_plate_are_not_taken_for_a_swap(app) {
        let world = world(app).await;
        let plates = three_plates(app, &world).await;
        let failed = nameless(&plates[2], &BTreeMap::new(), true);
        let run = lab::upload(app, &world, &plates[2], failed).await.expect(201).json();
        assert_eq!(run["verdict"]["usable"], false, "a dead control alone is no swap");
        app.pass(Span::days(3));
        let other = nameless(&plates[0], &BTreeMap::new(), false);
        let refused = lab::upload(app, &world, &plates[1], other).await.expect(422).json();
        assert!(
            !reasons(&refused).iter().any(|(code, _)| code == "run.fits_other_plate"),
            "three days later it is not looked for: {refused}"
        );
    }

    async fn a_swap_between_plates_of_a_fixed_template_cannot_be_seen(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..20).await;
        let first = lab::load(app, &world, 0, &tubes[..10]).await;
        let second = lab::load(app, &world, 1, &tubes[10..]).await;
        let silent = BTreeMap::from([(tubes[0].clone(), SILENT)]);
        let file = nameless(&first, &silent, false);
        let run = lab::upload(app, &world, &second, file).await.expect(201).json();
        assert_eq!(run["verdict"]["usable"], true, "this is what moving controls are for");
    }
}
