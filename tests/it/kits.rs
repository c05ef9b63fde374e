//! Which kits a plate may be made for, and with which tubes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use swabline::config::Config;

use crate::app::{Answer, TestApp};
use crate::each_engine;
use crate::laboratory::{KIT, deliver, freeze, load, run_file, upload};
use crate::world::{World, people, plate, seal_tube, tube, world};

/// A kit with its maker's cut-offs, and a layout for it.
const CDC: (&str, &str, &str) = ("cdc-2019-ncov", "06", "three-wells-29-rows");
/// A kit whose cut-offs are invented.
const INVENTED: (&str, &str, &str) = (KIT.0, KIT.1, "one-well-94-columns");

/// A kit that reads each tube in two wells, and a layout for it.
const TWICE: (&str, &str, &str) = ("taqpath-combo", "duplicates-2020", "two-wells-45-moving-rows");

/// What a Bio-Rad cycler writes of a plate: `positive` says of a tube and its first or second well
/// whether the pathogen shows there. Controls behave.
fn cycled(plate: &Value, positive: impl Fn(&str, bool) -> bool) -> Vec<u8> {
    let mut file = ",Well,Fluor,Target,Content,Sample,Cq\n".to_owned();
    for well in plate["wells"].as_array().unwrap() {
        let control = well["control"].as_str();
        let second = well["reaction"] == "mix-2";
        let shows = |tube: &str| positive(tube, second);
        let pathogen = well["tube"].as_str().map_or(control == Some("positive"), shows);
        let ms2 = !matches!(control, Some("positive" | "negative"));
        for (dye, target, is_there) in [
            ("FAM", "ORF1ab", pathogen),
            ("VIC", "N", pathogen),
            ("ABY", "S", pathogen),
            ("JUN", "MS2", ms2),
        ] {
            let (at, cq) = (well["well"].as_str().unwrap(), if is_there { "30.5" } else { "N/A" });
            writeln!(file, ",{at},{dye},{target},Unkn,,{cq}").unwrap();
        }
    }
    file.into_bytes()
}

/// Asks for the `n`th plate of these tubes.
async fn make(
    app: &TestApp,
    world: &World,
    (n, kit): (u64, (&str, &str, &str)),
    tubes: &[String],
) -> Answer {
    let request = json!({ "laboratory": "L01", "kit": kit.0, "kit_version": kit.1,
        "template": kit.2, "tubes": tubes });
    app.put(&world.technician, &format!("/v1/plates/{}", plate(n)), &request).await
}

/// Seals tubes with so many people each, from the first code on, and has them received.
async fn received(app: &TestApp, world: &World, sizes: &[u64]) -> Vec<String> {
    let mut tubes = Vec::new();
    for (n, size) in (0..).zip(sizes) {
        seal_tube(app, world, n, &people(n * 10, *size)).await.expect(201);
        tubes.push(tube(n));
    }
    deliver(app, world, 0, &tubes).await;
    tubes
}

/// Code and subject of every reason.
fn reasons(answer: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    errors.iter().map(|error| (text(&error["code"]), text(&error["about"]))).collect()
}

each_engine! {
    async fn nobody_is_told_a_result_by_an_invented_kit_unless_it_was_asked_for(app) {
        let world = world(app).await;
        let tubes = received(app, &world, &[1, 1, 1]).await;
        let made_before = load(app, &world, 0, &tubes[..1]).await;
        let default = Config::default().demonstration_kits;
        let strict = app.restarted(|config| config.demonstration_kits = default);

        let demonstration = [("kit.demonstration".to_owned(), KIT.0.to_owned())];
        let refused = make(&strict, &world, (1, INVENTED), &tubes[1..]).await.expect(422);
        assert_eq!(reasons(&refused), demonstration);
        let file = run_file(&made_before, &BTreeMap::new(), false);
        let run = upload(&strict, &world, &made_before, file.clone()).await.expect(422);
        assert_eq!(reasons(&run), demonstration);

        make(&strict, &world, (1, CDC), &tubes[1..]).await.expect(201);
        upload(app, &world, &made_before, file).await.expect(201);
    }

    async fn a_tube_of_a_kit_in_duplicates_lies_in_two_wells_that_have_to_agree(app) {
        let world = world(app).await;
        let tubes = received(app, &world, &[1, 1, 1]).await;
        let wrong = (TWICE.0, TWICE.1, INVENTED.2);
        let refused = make(app, &world, (0, wrong), &tubes).await.expect(422);
        assert_eq!(reasons(&refused)[0].0, "plate.slot_width");
        let request = json!({ "laboratory": "L01", "kit": TWICE.0, "kit_version": TWICE.1,
            "template": TWICE.2, "tubes": tubes });
        let loaded = freeze(app, &world, 0, &request).await;
        for tube in &tubes {
            let wells = loaded["wells"].as_array().unwrap().iter();
            let of_tube: Vec<_> = wells.filter(|well| well["tube"] == *tube).collect();
            let reactions: Vec<_> = of_tube.iter().map(|well| &well["reaction"]).collect();
            assert_eq!(reactions, ["mix", "mix-2"], "{tube}");
        }
        let sheet = format!("/v1/plates/{}/worklist?format=cfx", plate(0));
        let sheet = app.get(&world.technician, &sheet).await.expect(200).text();
        assert_eq!(sheet.matches(&tubes[0]).count(), 4 * 2, "each target in both wells: {sheet}");

        let file = cycled(&loaded, |tube, second| tube == tubes[0] || tube == tubes[1] && second);
        let run = upload(app, &world, &loaded, file).await.expect(201).json();
        let said = |n: usize| {
            let mut calls = run["calls"].as_array().unwrap().iter();
            let call = calls.find(|call| call["tube"] == tubes[n]).unwrap();
            (call["outcome"].clone(), call["targets"][0]["raw_ct"].clone())
        };
        assert_eq!(run["verdict"]["usable"], true, "{run}");
        assert_eq!(said(0), (json!("detected"), json!("30.5 / 30.5")));
        assert_eq!(said(1), (json!("inconclusive"), json!("N/A / 30.5")));
        assert_eq!(said(2), (json!("not_detected"), json!("N/A / N/A")));
    }

    /// The CDC appendix validates pools of up to four that a laboratory makes, none of the street.
    async fn the_cdc_kit_takes_single_tubes_and_no_field_pool_however_few_are_in_it(app) {
        let world = world(app).await;
        let tubes = received(app, &world, &[1, 3]).await;
        let refused = make(app, &world, (0, CDC), &tubes).await.expect(422);
        assert_eq!(reasons(&refused), [("plate.field_pool".to_owned(), tubes[1].clone())]);
        assert!(refused.text().contains("collect its people again singly"), "{}", refused.text());
        make(app, &world, (0, CDC), &tubes[..1]).await.expect(201);
        make(app, &world, (1, INVENTED), &tubes[1..]).await.expect(201);
    }
}
