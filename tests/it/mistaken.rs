//! A run file that came to the wrong plate is told by the tubes it names (R14).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swabline::simulation::files::{SimulatedRun, cfx_csv, quantstudio_text};

use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory::{POSITIVE, cycled, deliver, load, upload};
use crate::world::{World, people, seal_tube, tube, world};

/// Tubes on each plate.
const TUBES: u64 = 8;

/// Two plates of single tubes, as many on each and laid out alike.
async fn twins(app: &TestApp, world: &World) -> [(Vec<String>, Value); 2] {
    let mut plates = Vec::new();
    for n in 0..2 {
        let numbers = n * TUBES..(n + 1) * TUBES;
        for number in numbers.clone() {
            seal_tube(app, world, number, &people(number, 1)).await.expect(201);
        }
        let tubes: Vec<_> = numbers.map(tube).collect();
        deliver(app, world, n, &tubes).await;
        let plate = load(app, world, n, &tubes).await;
        plates.push((tubes, plate));
    }
    plates.try_into().expect("two plates were made")
}

fn warnings(run: &Value) -> Vec<&str> {
    run["warnings"].as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap()).collect()
}

each_engine! {
    async fn two_files_swapped_between_two_plates_are_both_refused(app) {
        let world = world(app).await;
        let [(ones, first), (twos, second)] = twins(app, &world).await;
        let positive = BTreeMap::from([(twos[2].clone(), POSITIVE)]);
        let file = |plate: &Value| cfx_csv(&cycled(plate, &positive, false)).into_bytes();

        for (plate, other, foreign) in [(&first, &second, &twos), (&second, &first, &ones)] {
            let refused = upload(app, &world, plate, file(other)).await.expect(422).json();
            let errors = refused["errors"].as_array().unwrap();
            let off = errors.iter().filter(|error| error["code"] == "run.tube_off_plate");
            let named: Vec<_> = off.map(|error| error["message"].as_str().unwrap()).collect();
            assert_eq!(named.len(), foreign.len(), "{refused}");
            for tube in foreign {
                assert!(named.iter().any(|message| message.contains(tube)), "{tube}: {refused}");
            }
        }
        for (plate, detected) in [(&first, 0), (&second, 1)] {
            let run = upload(app, &world, plate, file(plate)).await.expect(201).json();
            let calls = run["calls"].as_array().unwrap().iter();
            assert_eq!(calls.filter(|call| call["outcome"] == "detected").count(), detected);
            let told = warnings(&run);
            assert!(told.len() == 1 && told[0].contains("?instrument="), "{told:?}");
        }
    }

    async fn free_text_and_a_barcode_of_somebody_elses_are_taken_with_a_warning(app) {
        let world = world(app).await;
        let [(_, plate), _] = twins(app, &world).await;
        let run = cycled(&plate, &BTreeMap::new(), false);
        let mut run = SimulatedRun { plate_barcode: "ABI-0042".to_owned(), ..run };
        for (n, well) in run.wells.iter_mut().enumerate() {
            well.sample = format!("Sample {n}");
        }
        let file = quantstudio_text(&run).into_bytes();
        let run = upload(app, &world, &plate, file).await.expect(201).json();
        let [warning] = warnings(&run)[..] else { panic!("{run}") };
        assert!(warning.contains("is no plate code of ours"), "{warning}");
        assert!(!warning.contains("ABI-0042"), "{warning}");
        assert_eq!(run["warnings"][0]["code"], "run.foreign_barcode");

        // A run stored when a warning was a sentence alone still tells it.
        let mut tx = app.app.db.write("test.before").await.unwrap();
        let before = "update run set warnings = '[\"compare some wells\"]'";
        swabline::on!(tx, c => sqlx::raw_sql(before).execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        let path = format!("/v1/runs/{}", run["id"].as_str().unwrap());
        let told = app.get(&world.reviewer, &path).await.expect(200).json();
        let expected = json!([{ "code": "file.warned", "about": "file",
            "message": "compare some wells" }]);
        assert_eq!(told["warnings"], expected);
    }
}
