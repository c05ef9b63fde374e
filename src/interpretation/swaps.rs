//! The proof that swapped plates and files are found (R13): every pair of a batch, in the worst case
//! and by lot, with every kind of moving plate; and that a plate handled well is never held.
//!
//! The worst case: wherever a positive control is expected, strong or weak, and a tube is read, that
//! tube is positive. Prevalence then no longer matters, so nothing is left to chance.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::workbench::{cdc, first_tests, kit, orf, reading, run, saliva};
use super::*;
use crate::instrument::Reading;
use crate::plate::{
    Content, Control, PlacedTube, PlateSize, StampOrder, Template, Transform, WellPosition,
    lay_out, stamped, templates,
};

/// Plates that are handled together.
const BATCH: u64 = 20;

fn moving() -> Vec<Template> {
    templates().iter().filter(|template| template.cycle() > 1).cloned().collect()
}

/// A kit that needs as many wells a tube and the controls of this template.
fn kit_of(template: &Template) -> Kit {
    let extracts = template.control_slots().iter().any(|slot| slot.control == Control::Extraction);
    match (template.wells_per_slot(), extracts) {
        (1, true) => saliva(),
        (1, false) => orf(),
        (2, _) => kit("taqpath-combo", "duplicates-2020"),
        (_, _) => cdc(),
    }
}

/// The plate with this number, with that many tubes or as many as it has places for.
fn numbered(template: &Template, number: u64, count: usize) -> Layout {
    let template = template.clone().for_plate(number);
    let count = count.min(template.tube_slots().len());
    let tubes: Vec<_> =
        (0..count).map(|tube| PlacedTube { code: format!("T{number}-{tube}"), depth: 1 }).collect();
    lay_out(&template, &kit_of(&template).plan(), &tubes).unwrap()
}

/// The plate of 384 that is stamped from four plates of this template. Codes are used one after the
/// other: four for the sources, one for the plate itself.
fn stamped_plate(template: &Template, number: u64, order: StampOrder) -> Layout {
    let sources = [0, 1, 2, 3].map(|quadrant| numbered(template, 5 * number + quadrant, 94));
    stamped(order, &sources.each_ref().map(Some), &kit_of(template).plan()).unwrap()
}

/// Tubes that come to be read where `expected` has a positive control.
fn worst(layout: &Layout, transform: Option<Transform>, expected: &Layout) -> BTreeSet<String> {
    let positive = |(_, content): &(&WellPosition, &Content)| {
        let Content::Control { control, .. } = content else { return false };
        matches!(control, Control::Positive | Control::WeakPositive)
    };
    let wells = expected.wells().iter().filter(positive).map(|(well, _)| *well);
    let source = |well| match transform {
        Some(transform) => transform.put_at(well, layout.size()),
        None => Some(well),
    };
    let read = wells.filter_map(source).filter_map(|well| layout.content(well).tube());
    read.map(str::to_owned).collect()
}

/// Whether these readings would do as the run of a plate.
fn passes(kit: &Kit, readings: &[Reading], laid_out: &Layout) -> bool {
    interpret(kit, laid_out, readings, &first_tests(laid_out)).is_ok_and(|r| r.verdict.usable)
}

/// Exchanges the readings of these wells between two files of one plate.
fn exchange(one: &mut [Reading], other: &mut [Reading], wells: &[WellPosition]) {
    let pairs = one.iter_mut().zip(other);
    for (one, other) in pairs.filter(|(one, _)| wells.contains(&one.well)) {
        std::mem::swap(one, other);
    }
}

/// Every ordered pair of a batch whose swap goes unnoticed in the worst case, and every plate that is
/// held although nothing happened.
fn faults_of_a_batch(kit: &Kit, plates: &[Layout]) -> Vec<(usize, usize)> {
    let mut faults = Vec::new();
    for (i, read) in plates.iter().enumerate() {
        let mut readings = run(kit, read, None, &|_| None);
        let mut positives = run(kit, read, None, &|_| Some("30"));
        for (j, laid_out) in plates.iter().enumerate() {
            let worst = worst(read, None, laid_out);
            let wells: Vec<_> = worst.iter().flat_map(|tube| read.wells_of(tube)).collect();
            exchange(&mut readings, &mut positives, &wells);
            if passes(kit, &readings, laid_out) != (i == j) {
                faults.push((i, j));
            }
            exchange(&mut readings, &mut positives, &wells);
        }
    }
    faults
}

/// Faults in handling one plate that go unnoticed in the worst case.
fn hidden(kit: &Kit, layout: &Layout, faults: &[Transform]) -> Vec<Transform> {
    let is_hidden = |transform: &Transform| {
        let positive = worst(layout, Some(*transform), layout);
        let shows = |tube: &str| positive.contains(tube).then_some("30");
        passes(kit, &run(kit, layout, Some(*transform), &shows), layout)
    };
    faults.iter().copied().filter(is_hidden).collect()
}

#[test]
fn every_swapped_pair_of_a_batch_is_found_whatever_tubes_are_positive() {
    for template in moving() {
        let kit = kit_of(&template);
        let plates: Vec<_> = (0..BATCH).map(|number| numbered(&template, number, 384)).collect();
        assert_eq!(faults_of_a_batch(&kit, &plates), [], "{}", template.name());
    }
}

#[test]
fn every_swapped_pair_of_stamped_plates_is_found_whatever_tubes_are_positive() {
    for name in [
        "one-well-94-moving-columns",
        "one-well-93-moving-columns",
        "one-well-93-weak-moving-columns",
    ] {
        let template = Template::find(name).unwrap();
        let plates: Vec<_> =
            (0..BATCH).map(|number| stamped_plate(&template, number, StampOrder::Z)).collect();
        assert_eq!(faults_of_a_batch(&kit_of(&template), &plates), [], "{name}");
    }
}

#[test]
fn plates_of_a_fixed_template_can_be_swapped_unseen() {
    let template = Template::find("one-well-94-columns").unwrap();
    let plates: Vec<_> = (0..3).map(|number| numbered(&template, number, 94)).collect();
    let unseen = faults_of_a_batch(&orf(), &plates);
    assert_eq!(unseen, [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]);
}

#[test]
fn a_moved_plate_is_found_in_every_position_of_the_cycle_whatever_tubes_are_positive() {
    for template in moving() {
        let kit = kit_of(&template);
        let places = template.tube_slots().len();
        // On a large plate a count takes long; the small ones are those that differ.
        let counts = match template.size() {
            PlateSize::P96 => vec![1, 2, 3, 8, 20, places / 2, places - 1, places],
            PlateSize::P384 => vec![2, places],
        };
        for number in 0..template.cycle() as u64 {
            for count in &counts {
                let layout = numbered(&template, number, *count);
                let about = (template.name(), number, *count);
                assert_eq!(hidden(&kit, &layout, &Transform::ALL), [], "{about:?}");
            }
        }
    }
}

#[test]
fn a_stamped_plate_that_was_moved_or_wrongly_stamped_is_found_whatever_tubes_are_positive() {
    for name in [
        "one-well-94-moving-columns",
        "one-well-94-moving-rows",
        "one-well-93-moving-columns",
        "one-well-93-moving-rows",
        "one-well-93-weak-moving-columns",
        "one-well-93-weak-moving-rows",
    ] {
        let template = Template::find(name).unwrap();
        for (number, order) in [(0, StampOrder::Z), (1, StampOrder::N), (4, StampOrder::Z)] {
            let layout = stamped_plate(&template, number, order);
            for faults in [&Transform::ALL[..], &Transform::STAMPING] {
                assert_eq!(hidden(&kit_of(&template), &layout, faults), [], "{name} {number}");
            }
        }
    }
}

/// A batch with about 5 % of its tubes positive, and one with none.
#[test]
fn by_lot_no_swap_goes_unseen_and_no_good_plate_is_held() {
    for (seed, prevalence) in (0..2).flat_map(|seed| [(seed, 0.0), (seed, 0.05)]) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for name in [
            "one-well-94-moving-columns",
            "one-well-93-moving-columns",
            "one-well-93-weak-moving-columns",
            "two-wells-45-moving-rows",
            "three-wells-29-moving-rows",
        ] {
            let template = Template::find(name).unwrap();
            let kit = kit_of(&template);
            let first = rng.random_range(0..1_000_000);
            let plates: Vec<_> =
                (0..BATCH).map(|number| numbered(&template, first + number, 94)).collect();
            let tubes = plates.iter().flat_map(|plate| plate.tubes().into_keys());
            let positive: BTreeSet<String> =
                tubes.filter(|_| rng.random_bool(prevalence)).map(str::to_owned).collect();
            let shows = |tube: &str| positive.contains(tube).then_some("30");
            for (i, read) in plates.iter().enumerate() {
                let readings = run(&kit, read, None, &shows);
                for (j, laid_out) in plates.iter().enumerate() {
                    let passes = passes(&kit, &readings, laid_out);
                    assert_eq!(passes, i == j, "{name}, seed {seed}: {i} for {j}");
                }
                for transform in Transform::ALL {
                    let passes = passes(&kit, &run(&kit, read, Some(transform), &shows), read);
                    assert!(!passes, "{name}, seed {seed}: {i} was {transform}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Part-filled plates, exported with the wells in use or with all: never mistaken for another.
    #[test]
    fn part_filled_plates_that_were_swapped_are_found(
        template in prop::sample::select(moving()),
        (one, other) in (0_u64..20, 1_u64..20),
        (here, there) in (1_usize..=94, 1_usize..=94),
        all_wells in prop::bool::ANY,
    ) {
        let kit = kit_of(&template);
        let (read, laid_out) =
            (numbered(&template, one, here), numbered(&template, one + other, there));
        let positive = worst(&read, None, &laid_out);
        let mut readings = run(&kit, &read, None, &|tube| positive.contains(tube).then_some("30"));
        if all_wells {
            for (well, content) in laid_out.wells() {
                let reaction = kit.reaction(content.reaction().unwrap()).unwrap();
                if *read.content(*well) == Content::Nothing {
                    readings.extend(reaction.targets.iter().map(|target| {
                        reading(&well.to_string(), &target.code, "", None)
                    }));
                }
            }
        }
        let passes = passes(&kit, &readings, &laid_out);
        prop_assert!(!passes, "{} {one}+{other}, {here} and {there} tubes", template.name());
    }
}
