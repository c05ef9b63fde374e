use rust_decimal::Decimal;

use super::*;
use crate::instrument::read;
use crate::interpretation::{TubeFacts, interpret};
use crate::plate::{Control, PlacedTube, PlateSize, Template, lay_out};
use crate::simulation::curves::curves as drawn;
use crate::simulation::files::{SimulatedRun, SimulatedWell, quantstudio_text_with};

const LARGE: &str = r#"
name = "one-well-382"
description = "382 tubes, one well each"
size = "384"
fill = "column_major"
slot = { wells = 1, along = "row" }
controls = [{ control = "positive", well = "C11" }, { control = "negative", well = "B1" }]
"#;

/// What a tube shows: every seventh is positive, the eleventh has one target, the thirteenth
/// nothing.
fn ct(n: usize, target: &str) -> Option<i64> {
    let later = i64::try_from(n).unwrap() * 37 % 15_000;
    match (n, target) {
        (13, _) => None,
        (_, "IC") => Some(26_000 + later % 2_000),
        (11, "ORF1ab") => Some(35_500),
        (11, _) => None,
        (n, _) if n % 7 == 0 => Some(18_000 + later),
        _ => None,
    }
}

/// A plate of `tubes` tubes with its simulated run, read back from the file.
struct Stage {
    kit: Kit,
    layout: Layout,
    file: crate::instrument::RunFile,
    calls: Vec<Call>,
}

impl Stage {
    fn set(template: &Template, tubes: usize) -> Self {
        let kit = Kit::find("orf1ab-n-ic", "1").unwrap();
        let placed: Vec<_> =
            (0..tubes).map(|n| PlacedTube { code: format!("T{n:011}"), depth: 10 }).collect();
        let layout = lay_out(template, &kit.plan(), &placed).unwrap();
        let mut wells = Vec::new();
        for (well, content) in layout.wells() {
            for target in &kit.reactions[0].targets {
                let ct = match content {
                    Content::Tube { tube, .. } => ct(tube[1..].parse().unwrap(), &target.code),
                    Content::Control { control: Control::Positive, .. } => Some(26_500),
                    Content::Pool { .. } | Content::Control { .. } | Content::Nothing => None,
                };
                wells.push(SimulatedWell {
                    well: *well,
                    sample: "<b>Canary Person</b>".to_owned(),
                    target: target.code.clone(),
                    dye: target.dyes[0].clone(),
                    task: "UNKNOWN".to_owned(),
                    ct: ct.map(|ct| Ct::try_from(Decimal::new(ct, 3)).unwrap()),
                });
            }
        }
        let run = SimulatedRun {
            plate_size: layout.size(),
            plate_barcode: "P00000000001".to_owned(),
            instrument: "QuantStudio(TM) 7 Flex System".to_owned(),
            serial: "278870001".to_owned(),
            run_ended: "2020-06-21 11:30:00 AM CST".to_owned(),
            wells,
        };
        let file = read(quantstudio_text_with(&run, &drawn(&run, 7)).as_bytes()).unwrap();
        let facts = layout
            .tubes()
            .into_iter()
            .map(|(tube, depth)| (tube.to_owned(), TubeFacts::first_test(depth)))
            .collect();
        let calls = interpret(&kit, &layout, &file.readings, &facts).unwrap().calls;
        Self { kit, layout, file, calls }
    }

    fn run(&self) -> Run<'_> {
        Run {
            id: "R1",
            plate: "P00000000001",
            kit: &self.kit,
            layout: &self.layout,
            readings: &self.file.readings,
            calls: self.calls.iter().map(|call| (call.tube.as_str(), call)).collect(),
            usable: true,
            language: Language::English,
        }
    }

    fn curves(&self, filter: &Filter) -> Option<CurvePicture> {
        curves(&self.run(), self.file.curves.clone(), filter)
    }
}

fn small() -> Stage {
    Stage::set(&Template::find("one-well-94-columns").unwrap(), 20)
}

fn large() -> Stage {
    Stage::set(&Template::parse(LARGE).unwrap(), 382)
}

#[test]
fn a_large_plate_is_drawn_with_every_well_and_every_curve() {
    let stage = large();
    let picture = stage.curves(&Filter::default()).unwrap();
    assert_eq!(picture.lines.len(), 384 * 3);
    assert_eq!(picture.lines.iter().filter(|line| line.control.is_some()).count(), 6);
    let names: Vec<_> = picture.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["ORF1ab (FAM)", "N (VIC)", "IC (CY5)"]);
    let svg = picture.draw().unwrap();
    assert!(svg.matches("<polyline").count() >= 382 * 3);
    let plate = plate(&stage.run(), None).unwrap();
    assert_eq!((plate.size, plate.wells.len()), (PlateSize::P384, 384));
    assert!(plate.draw().unwrap().contains("\nP\n</text>"));
}

#[test]
fn the_heat_map_shows_the_earliest_ct_of_the_pathogen_and_what_was_called() {
    let stage = small();
    let picture = plate(&stage.run(), None).unwrap();
    let of = |n: usize| {
        let tube = format!("T{n:011}");
        picture.wells.values().find(|well| well.tube == tube).unwrap().clone()
    };
    assert_eq!((of(7).shown, of(7).mark), (Shown::Ct(18.259), Mark::Detected));
    assert_eq!((of(8).shown, of(8).mark), (Shown::Silent, Mark::NotDetected));
    assert_eq!((of(11).shown, of(11).mark), (Shown::Ct(35.5), Mark::Inconclusive));
    assert_eq!((of(13).shown, of(13).mark), (Shown::Silent, Mark::Invalid));
    let control = picture.wells.values().find(|well| well.mark == Mark::Control(Control::Positive));
    assert_eq!(control.unwrap().shown, Shown::Ct(26.5));
    assert_eq!(picture.wells.len(), 22);
}

#[test]
fn one_target_alone_is_shown_by_any_of_its_names_and_another_kits_is_not() {
    let stage = small();
    let picture = plate(&stage.run(), Some("ic")).unwrap();
    let found = picture.wells.values().find(|well| well.mark == Mark::NotDetected).unwrap();
    assert!(matches!(found.shown, Shown::Ct(ct) if (26.0..28.0).contains(&ct)), "{found:?}");
    let refused = plate(&stage.run(), Some("S gene")).unwrap_err();
    assert!(refused.message.contains("choose one of ORF1ab, N, IC"), "{}", refused.message);
}

#[test]
fn curves_are_chosen_by_well_and_target() {
    let stage = small();
    let count = |well: Option<&str>, target: Option<&str>| {
        let filter = Filter {
            well: well.map(|well| well.parse().unwrap()),
            target: target.map(str::to_owned),
            log: false,
        };
        stage.curves(&filter).map(|picture| picture.lines.len())
    };
    assert_eq!(count(None, None), Some(66));
    assert_eq!(count(None, Some("ORF1ab")), Some(22));
    assert_eq!(count(Some("A1"), None), Some(3));
    assert_eq!(count(Some("A1"), Some("n")), Some(1));
    assert_eq!(count(Some("H12"), None), None);
    assert_eq!(count(None, Some("S gene")), None);
}

#[test]
fn no_name_that_was_typed_is_in_a_picture() {
    let stage = small();
    let plate = plate(&stage.run(), None).unwrap().draw().unwrap();
    let log = Filter { log: true, ..Filter::default() };
    for svg in [
        plate,
        stage.curves(&Filter::default()).unwrap().draw().unwrap(),
        stage.curves(&log).unwrap().draw().unwrap(),
    ] {
        assert!(!svg.contains("Canary") && !svg.contains("<b>"));
        for foreign in ["href", "<script", "<style", "style=", "url(", "@import", "<image"] {
            assert!(!svg.contains(foreign), "{foreign}");
        }
    }
}
