//! A plate with every slot in use, and the run an instrument would export of it.

use std::collections::BTreeMap;

use swabline::barcode::TubeCode;
use swabline::instrument::Ct;
use swabline::interpretation::{Kit, TubeFacts};
use swabline::plate::{Content, Control, Layout, PlacedTube, PlateSize, Template, lay_out};
use swabline::simulation::files::{SimulatedRun, SimulatedWell};

/// A kit of two targets and an internal control in one well.
pub fn kit() -> Kit {
    Kit::find("orf1ab-n-ic", "1").expect("the kit is embedded")
}

/// A full plate of pools of ten.
pub fn plate(kit: &Kit, size: PlateSize) -> Layout {
    numbered(kit, size, 0)
}

/// The same on the plate with this number, whose controls move with it.
pub fn numbered(kit: &Kit, size: PlateSize, number: u64) -> Layout {
    let name = match size {
        PlateSize::P96 => "one-well-94-moving-columns",
        PlateSize::P384 => "one-well-382-moving-columns",
    };
    let template = Template::find(name).expect("the template is embedded").for_plate(number);
    let tubes: Vec<_> = (0..template.tube_slots().len())
        .map(|n| TubeCode::numbered(number * 1_000 + n as u64).expect("the number is small"))
        .map(|code| PlacedTube { code: code.to_string(), depth: 10 })
        .collect();
    lay_out(&template, &kit.plan(), &tubes).expect("the plate has no faults")
}

/// What must be known of its tubes.
pub fn facts(layout: &Layout) -> BTreeMap<String, TubeFacts> {
    let tubes = layout.tubes().into_iter();
    tubes.map(|(tube, depth)| (tube.to_owned(), TubeFacts::first_test(depth))).collect()
}

/// A run of it in which every fiftieth tube is positive.
pub fn run(kit: &Kit, layout: &Layout) -> SimulatedRun {
    let mut wells = Vec::new();
    for (n, (well, content)) in layout.wells().iter().enumerate() {
        let (sample, virus, human) = match content {
            Content::Tube { tube: code, .. } | Content::Pool { pool: code, .. } => {
                (code.as_str(), n % 50 == 0, true)
            }
            Content::Control { control: Control::Positive, .. } => ("PC", true, true),
            Content::Control { .. } | Content::Nothing => ("NTC", false, false),
        };
        for target in &kit.reactions[0].targets {
            let amplifies = if target.code == "IC" { human } else { virus };
            wells.push(SimulatedWell {
                well: *well,
                sample: sample.to_owned(),
                target: target.code.clone(),
                dye: target.dyes[0].clone(),
                task: "UNKNOWN".to_owned(),
                ct: amplifies.then(cycles),
            });
        }
    }
    SimulatedRun {
        plate_size: layout.size(),
        plate_barcode: "P0000001".to_owned(),
        instrument: "QuantStudio(TM) 7 Flex System".to_owned(),
        serial: "278870001".to_owned(),
        run_ended: "2020-06-21 11:30:00 AM CST".to_owned(),
        wells,
    }
}

fn cycles() -> Ct {
    Ct::try_from(rust_decimal::Decimal::new(26_500, 3)).expect("a Ct lies between 0 and 100")
}
