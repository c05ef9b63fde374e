//! The weak positive control: charted by itself, and judged with the others.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swabline::clock::Span;
use swabline::simulation::files::quantstudio_text;

use crate::each_engine;
use crate::laboratory as lab;
use crate::world::world;

each_engine! {
    async fn a_weak_positive_control_is_charted_and_voids_the_run_where_it_is_silent(app) {
        let world = world(app).await;
        let tubes = lab::receive(app, &world, 0, 0..6).await;
        let mut plates = Vec::new();
        for (n, tubes) in (0..).zip(tubes.chunks(3)) {
            let request = json!({ "laboratory": "L01", "kit": lab::KIT.0,
                "kit_version": lab::KIT.1, "template": "one-well-93-weak-moving-columns",
                "tubes": tubes });
            plates.push(lab::freeze(app, &world, n, &request).await);
        }
        app.pass(Span::minutes(100));
        let sound = lab::run_file(&plates[0], &BTreeMap::new(), false);
        let sound = lab::upload(app, &world, &plates[0], sound).await.expect(201).json();
        assert_eq!(sound["verdict"]["usable"], true, "{sound}");
        let path = "/v1/quality/charts?measure=weak_positive_control";
        let chart = app.get(&world.technician, path).await.expect(200).json();
        let series = chart["series"].as_array().unwrap().iter();
        let points = series.map(|one| (&one["target"], &one["points"][0]["value"]));
        let points: Vec<_> = points.collect();
        assert_eq!(points, [(&json!("N"), &json!(33.9)), (&json!("ORF1ab"), &json!(33.5))]);

        let wells = plates[1]["wells"].as_array().unwrap();
        let weak: &Value =
            &wells.iter().find(|well| well["control"] == "weak_positive").unwrap()["well"];
        let mut silent = lab::cycled(&plates[1], &BTreeMap::new(), false);
        for one in &mut silent.wells {
            if *weak == one.well.to_string() && one.target == "N" {
                one.ct = None;
            }
        }
        let silent = quantstudio_text(&silent).into_bytes();
        let void = lab::upload(app, &world, &plates[1], silent).await.expect(201).json();
        let verdict = &void["verdict"];
        assert_eq!(verdict["usable"], false, "{void}");
        let reasons = verdict["reasons"].as_array().unwrap().iter();
        let reasons: Vec<_> = reasons.map(|reason| (&reason["code"], &reason["well"])).collect();
        assert_eq!(reasons, [(&json!("positive_control_silent"), weak)]);
    }
}
