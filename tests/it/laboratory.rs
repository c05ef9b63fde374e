//! A laboratory's morning over HTTP, step by step, for stories that begin after the street.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swabline::instrument::Ct;
use swabline::plate::PlateSize;
use swabline::simulation::curves::curves;
use swabline::simulation::files::{
    SimulatedRun, SimulatedWell, quantstudio_text, quantstudio_text_with,
};

use crate::app::{Answer, TestApp};
use crate::world::{self, World};

/// The kit every plate here is run with.
pub const KIT: (&str, &str) = ("orf1ab-n-ic", "1");

/// Where a version of the kit lies.
fn version_path(version: &str) -> String {
    format!("/v1/kits/{}/versions/{version}", KIT.0)
}

/// Version 1 of the kit under another name, changed, proposed by one reviewer and approved by the
/// other while there are no runs to try it on.
pub async fn approved(
    app: &TestApp,
    world: &World,
    version: &str,
    change: impl FnOnce(&mut Value),
) -> Answer {
    let shipped = app.get(&world.reviewer, &version_path(KIT.1)).await.expect(200).json();
    let mut definition = shipped["definition"].clone();
    definition["version"] = json!(version);
    change(&mut definition);
    let proposal = json!({ "definition": definition, "effective_from": app.now() });
    let path = version_path(version);
    app.put(&world.reviewer, &path, &proposal).await.expect(201);
    let seen = json!({ "changed_calls": 0 });
    app.post(&world.second_reviewer, &format!("{path}/approve"), &seen).await
}

/// Packs tubes into the `n`th box, hands it over twice and has all of them accepted.
pub async fn deliver(app: &TestApp, world: &World, n: u64, tubes: &[String]) {
    let (path, now) = (format!("/v1/boxes/{}", world::box_(n)), app.now());
    let manifest = json!({ "site": "S01", "seal": format!("SEAL-{n}"), "sealed_at": now,
        "tubes": tubes });
    app.put(&world.sampler, &path, &manifest).await.expect(201);
    for (step, from, to) in
        [(1, &world.sampler, &world.courier), (2, &world.courier, &world.receiver)]
    {
        let offer = json!({ "to": to.actor.account, "at": now, "place": "gate" });
        app.post(from, &format!("{path}/handovers"), &offer).await.expect(201);
        let accept = format!("{path}/handovers/{step}/accept");
        app.post(to, &accept, &json!({ "at": now })).await.expect(200);
    }
    let scanned: Vec<_> = tubes.iter().map(|tube| json!({ "tube": tube })).collect();
    let arrival = json!({ "box": world::box_(n), "laboratory": "L01", "arrived_at": now,
        "seal_intact": true, "scanned": scanned });
    app.post(&world.receiver, "/v1/arrivals", &arrival).await.expect(201);
}

/// Lays tubes out on the `n`th plate and freezes it; gives the plate as answered.
pub async fn load(app: &TestApp, world: &World, n: u64, tubes: &[String]) -> Value {
    let request = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
        "template": "one-well-94-columns", "tubes": tubes });
    freeze(app, world, n, &request).await
}

/// Lays tubes out on the `n`th plate, whose controls move with its code, and freezes it.
pub async fn load_moving(app: &TestApp, world: &World, n: u64, tubes: &[String]) -> Value {
    let request = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
        "template": "one-well-94-moving-columns", "tubes": tubes });
    freeze(app, world, n, &request).await
}

/// Makes the `n`th plate of this request and freezes it; gives the plate as answered.
pub async fn freeze(app: &TestApp, world: &World, n: u64, request: &Value) -> Value {
    let path = format!("/v1/plates/{}", world::plate(n));
    app.put(&world.technician, &path, request).await.expect(201);
    let freeze = format!("{path}/freeze");
    app.post(&world.technician, &freeze, &json!({})).await.expect(200).json()
}

/// Seals single tubes and has them received in the `n`th box; gives their codes.
pub async fn receive(
    app: &TestApp,
    world: &World,
    n: u64,
    numbers: std::ops::Range<u64>,
) -> Vec<String> {
    for number in numbers.clone() {
        world::seal_tube(app, world, number, &world::people(number, 1)).await.expect(201);
    }
    let tubes: Vec<_> = numbers.map(world::tube).collect();
    deliver(app, world, n, &tubes).await;
    tubes
}

/// Mixes these tubes into the `n`th pool.
pub async fn mix(app: &TestApp, world: &World, n: u64, tubes: &[String]) -> Answer {
    let path = format!("/v1/pools/{}", world::pool(n));
    let request = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
        "tubes": tubes });
    app.put(&world.technician, &path, &request).await
}

/// Lays tubes and pools out on the `n`th plate; gives the answer.
pub async fn place(
    app: &TestApp,
    world: &World,
    n: u64,
    (tubes, pools): (&[String], &[String]),
) -> Answer {
    let path = format!("/v1/plates/{}", world::plate(n));
    let request = json!({ "laboratory": "L01", "kit": KIT.0, "kit_version": KIT.1,
        "template": "one-well-94-columns", "tubes": tubes, "pools": pools });
    app.put(&world.technician, &path, &request).await
}

/// Freezes the `n`th plate; gives the answer.
pub async fn freeze_placed(app: &TestApp, world: &World, n: u64) -> Answer {
    let path = format!("/v1/plates/{}/freeze", world::plate(n));
    app.post(&world.technician, &path, &json!({})).await
}

/// What a cycler reads in one well: `ORF1ab`, N and the internal control.
pub type Signals = [Option<&'static str>; 3];
/// A clean negative.
pub const NEGATIVE: Signals = [None, None, Some("27.5")];
/// A clear positive.
pub const POSITIVE: Signals = [Some("29.8"), Some("30.4"), Some("27.1")];
/// One target alone.
pub const SINGLE_TARGET: Signals = [Some("35.2"), None, Some("27.1")];
/// Nothing at all.
pub const SILENT: Signals = [None, None, None];

/// The instrument's file for a plate as it was answered: tubes and pools not named are negative, controls
/// behave unless `controls_fail`.
pub fn run_file(plate: &Value, tubes: &BTreeMap<String, Signals>, controls_fail: bool) -> Vec<u8> {
    quantstudio_text(&cycled(plate, tubes, controls_fail)).into_bytes()
}

/// The same file with an amplification curve for each reading.
pub fn run_file_with_curves(plate: &Value, tubes: &BTreeMap<String, Signals>) -> Vec<u8> {
    let run = cycled(plate, tubes, false);
    quantstudio_text_with(&run, &curves(&run, 7)).into_bytes()
}

/// The run of such a plate, before it is written in the manner of a maker.
pub fn cycled(
    plate: &Value,
    tubes: &BTreeMap<String, Signals>,
    controls_fail: bool,
) -> SimulatedRun {
    let mut wells = Vec::new();
    for well in plate["wells"].as_array().unwrap() {
        let code = well["tube"].as_str().or(well["pool"].as_str());
        let (name, signals) = match (code, well["control"].as_str()) {
            (Some(code), _) => (code, tubes.get(code).copied().unwrap_or(NEGATIVE)),
            (_, Some("positive")) if controls_fail => ("PC", SILENT),
            (_, Some("positive")) => ("PC", [Some("26.5"), Some("26.9"), Some("27.0")]),
            (_, Some("weak_positive")) => ("WPC", [Some("33.5"), Some("33.9"), Some("27.0")]),
            _ => ("NTC", SILENT),
        };
        let targets = [("ORF1ab", "FAM"), ("N", "VIC"), ("IC", "CY5")];
        for ((target, dye), ct) in targets.into_iter().zip(signals) {
            wells.push(SimulatedWell {
                well: well["well"].as_str().unwrap().parse().unwrap(),
                sample: name.to_owned(),
                target: target.to_owned(),
                dye: dye.to_owned(),
                task: if name == "NTC" { "NTC" } else { "UNKNOWN" }.to_owned(),
                ct: ct
                    .map(|ct| Ct::try_from(ct.parse::<rust_decimal::Decimal>().unwrap()).unwrap()),
            });
        }
    }
    let plate_size = if plate["size"] == 384 { PlateSize::P384 } else { PlateSize::P96 };
    SimulatedRun {
        plate_size,
        plate_barcode: plate["code"].as_str().unwrap().to_owned(),
        instrument: "QuantStudio(TM) 7 Flex System".to_owned(),
        serial: "278870001".to_owned(),
        run_ended: "2020-06-21 11:30:00 AM CST".to_owned(),
        wells,
    }
}

/// Uploads the file of a plate.
pub async fn upload(app: &TestApp, world: &World, plate: &Value, file: Vec<u8>) -> Answer {
    let path = format!("/v1/plates/{}/runs?name=run.txt", plate["code"].as_str().unwrap());
    app.upload(&world.technician, &path, file).await
}

/// What was answered when a run came in is what the store says of it.
pub async fn assert_kept(app: &TestApp, world: &World, answered: &Value) {
    let path = format!("/v1/runs/{}", answered["id"].as_str().unwrap());
    let kept = app.get(&world.auditor, &path).await.expect(200).json();
    let mut answered = answered.clone();
    answered.as_object_mut().unwrap().remove("detected_by");
    assert_eq!(answered, kept);
}

/// One person reviews a run and another releases it; gives the answer to the release.
pub async fn release(app: &TestApp, world: &World, run: &str) -> Value {
    let review = json!({ "decision": "accept" });
    app.post(&world.reviewer, &format!("/v1/runs/{run}/review"), &review).await.expect(200);
    let path = format!("/v1/runs/{run}/release");
    app.post(&world.second_reviewer, &path, &json!({})).await.expect(200).json()
}
