//! Whole plates, from layout to verdict.

use proptest::prelude::*;

use super::workbench::{cdc, codx, first_tests, kit, orf, plate, reading, run, well};
use super::*;
use crate::plate::WellPosition;
use crate::plate::{Content, Control, PlateSize, Transform, refusals, templates};

#[test]
fn a_plate_of_pools_with_one_positive_recalls_that_pool_only() {
    let kit = orf();
    let layout = plate(&kit, "one-well-94-columns", 94, 10);
    let readings = run(&kit, &layout, None, &|tube| (tube == "T40").then_some("33.1"));
    let read = interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap();
    assert!(read.verdict.usable);
    assert_eq!(read.calls.len(), 94);
    for call in &read.calls {
        let recalled = call.disposition == Disposition::Recall;
        assert_eq!(recalled, call.tube == "T40", "{}", call.reason);
        assert_eq!(clean_negative(call, &read.verdict).is_ok(), call.tube != "T40");
    }
    let json = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<Interpretation>(&json).unwrap(), read);
}

#[test]
fn a_cdc_tube_is_called_from_its_three_wells() {
    let kit = cdc();
    let layout = plate(&kit, "three-wells-29-rows", 29, 4);
    let readings = run(&kit, &layout, None, &|_| None);
    let read = interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap();
    assert!(read.verdict.usable);
    let call = &read.calls[0];
    let wells: Vec<_> = call.targets.iter().map(|target| target.well).collect();
    assert_eq!(wells, layout.wells_of(&call.tube));
    assert_eq!(call.rule, "cdc.rp_only");
}

#[test]
fn a_tube_nobody_knows_or_of_another_size_stops_the_plate() {
    let kit = orf();
    let layout = plate(&kit, "one-well-94-columns", 3, 10);
    let readings = run(&kit, &layout, None, &|_| None);
    let mut facts = first_tests(&layout);
    facts.remove("T1");
    facts.insert("T2".to_owned(), TubeFacts::first_test(9));
    facts.insert("from another plate".to_owned(), TubeFacts::first_test(1));
    assert_eq!(
        interpret(&kit, &layout, &readings, &facts).unwrap_err(),
        [
            MatchRefusal::TubeUnknown { tube: "T1".to_owned() },
            MatchRefusal::PoolSizeDiffers { tube: "T2".to_owned(), laid_out: 10, known: 9 },
        ]
    );
}

#[test]
fn a_turned_part_filled_plate_is_refused_with_the_fault_named() {
    // The instrument reads all wells, so the tubes turn up where nothing should be.
    let kit = orf();
    let layout = plate(&kit, "one-well-94-columns", 20, 1);
    let turn = |at| Transform::Rotated.read_at(at, PlateSize::P96).unwrap();
    let mut readings = run(&kit, &layout, None, &|_| None);
    for reading in &mut readings {
        reading.well = turn(reading.well);
    }
    for (at, content) in layout.wells() {
        if *layout.content(turn(*at)) == Content::Nothing {
            assert_ne!(*content, Content::Nothing);
            for target in ["ORF1ab", "N", "IC"] {
                readings.push(reading(&at.to_string(), target, "", None));
            }
        }
    }
    let refusals = interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap_err();
    assert!(refusals.contains(&MatchRefusal::Suspected { transform: Transform::Rotated }));
    assert!(refusals.contains(&MatchRefusal::SignalInEmptyWell { well: well("H12") }));
}

#[test]
fn a_turned_full_plate_gets_a_verdict_that_says_so() {
    let kit = orf();
    let layout = plate(&kit, "one-well-94-columns", 94, 10);
    let readings = run(&kit, &layout, Some(Transform::Rotated), &|_| None);
    let verdict = interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap().verdict;
    let said = verdict.reasons.iter().find(|r| r.code == VerdictCode::SuspectedTransform).unwrap();
    assert!(said.message.contains("turned by 180 degrees"), "{}", said.message);
}

/// Found by the property test below: a positive tube in the positive control's place, an unread
/// well opposite the negative control, and too few tubes over unread wells to void the plate.
#[test]
fn a_turned_plate_is_found_although_its_empty_wells_were_not_read() {
    let kit = orf();
    let layout = plate(&kit, "one-well-94-rows", 85, 1);
    let opposite = Transform::Rotated.put_at(well("C11"), PlateSize::P96).unwrap();
    let positive = layout.content(opposite).tube().unwrap();
    let shows = |tube: &str| (tube == positive).then_some("30");
    let readings = run(&kit, &layout, Some(Transform::Rotated), &shows);
    let verdict = interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap().verdict;
    let codes: Vec<_> = verdict.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, [VerdictCode::SuspectedTransform]);
}

/// The layout of `opentrons-covid19/5-18-20_CoDx_LOD`: columns 1 to 6 full, four controls in 7.
#[test]
fn the_public_codx_plate_can_be_laid_out_and_called() {
    let kit = codx();
    let mut wells = Vec::new();
    for index in 0..PlateSize::P96.wells() {
        let at = WellPosition::from_index(index, PlateSize::P96).unwrap();
        if at.column() < 6 {
            let tube = format!("T-{at}");
            wells.push((at, Content::Tube { tube, depth: 1, reaction: "mix".to_owned() }));
        }
    }
    for (at, control) in [
        ("A7", Control::Negative),
        ("B7", Control::Positive),
        ("C7", Control::Negative),
        ("D7", Control::Positive),
    ] {
        wells.push((well(at), Content::Control { control, reaction: "mix".to_owned() }));
    }
    let layout = Layout::explicit(PlateSize::P96, wells).unwrap();
    assert_eq!(layout.wells().len(), 52);
    assert_eq!(refusals(&layout, &kit.plan()), []);
    // The collection-buffer wells of that file have no signal at all: six invalid tubes of 48.
    let buffer = ["C4", "C5", "C6", "E4", "E5", "E6"].map(well);
    let mut readings = run(&kit, &layout, None, &|tube| (tube == "T-A1").then_some("31.58"));
    for reading in readings.iter_mut().filter(|reading| buffer.contains(&reading.well)) {
        reading.ct = None;
    }
    let read = interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap();
    assert!(read.verdict.usable, "{:?}", read.verdict);
    let count = |outcome| read.calls.iter().filter(|call| call.outcome == outcome).count();
    assert_eq!([Outcome::Detected, Outcome::NotDetected, Outcome::Invalid].map(count), [1, 41, 6]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// R12 from end to end, at 0 % and about 5 %: no fault in handling ever gives a usable plate,
    /// also when the file lists no well but those laid out; a plate handled well always does.
    #[test]
    fn a_moved_plate_is_never_usable(
        template in prop::sample::select(templates()),
        part in 1_usize..=94,
        positive in prop::collection::btree_set(1_usize..=94, 0..=5),
    ) {
        let kit = match template.wells_per_slot() {
            1 => orf(),
            2 => kit("taqpath-combo", "duplicates-2020"),
            _ => cdc(),
        };
        let count = part.min(template.tube_slots().len());
        let layout = plate(&kit, template.name(), count, 1);
        let facts = first_tests(&layout);
        let shows = |tube: &str| {
            positive.contains(&tube[1..].parse::<usize>().unwrap()).then_some("30")
        };
        let as_laid_out = run(&kit, &layout, None, &shows);
        prop_assert!(interpret(&kit, &layout, &as_laid_out, &facts).unwrap().verdict.usable);
        for transform in Transform::ALL {
            let moved = run(&kit, &layout, Some(transform), &shows);
            let usable = interpret(&kit, &layout, &moved, &facts)
                .is_ok_and(|read| read.verdict.usable);
            prop_assert!(!usable, "{transform}, {count} tubes on {}", template.name());
        }
    }

    /// The order of the rows in a file does not matter, down to the last byte of what is stored.
    #[test]
    fn a_shuffled_file_gives_the_same_interpretation(
        order in Just((0_usize..36).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let kit = orf();
        let layout = plate(&kit, "one-well-94-columns", 10, 1);
        let facts = first_tests(&layout);
        let readings = run(&kit, &layout, None, &|tube| (tube == "T3").then_some("37"));
        let shuffled: Vec<_> = order.iter().map(|index| readings[*index].clone()).collect();
        prop_assert_eq!(
            interpret(&kit, &layout, &readings, &facts).unwrap(),
            interpret(&kit, &layout, &shuffled, &facts).unwrap()
        );
    }
}
