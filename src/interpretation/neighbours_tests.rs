use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::interpretation::calls::TargetCall;
use crate::interpretation::workbench::{cdc, ct, first_tests, kit, orf, plate, run, well};
use crate::interpretation::{EarlierTest, Interpretation, interpret};
use crate::plate::PlateSize;

#[path = "neighbours_stamped_tests.rs"]
mod stamped;

/// A full plate of single tubes with positives at these places, tested for the first time.
fn read(positives: &[(&str, &'static str)], depth: u16) -> Interpretation {
    read_after(positives, depth, 0, &[])
}

/// The same after so many tests in laboratory pools, and after tests alone in which these targets
/// amplified.
fn read_after(
    positives: &[(&str, &'static str)],
    depth: u16,
    pooled: u8,
    alone: &[&[&str]],
) -> Interpretation {
    let kit = orf();
    let layout = plate(&kit, "one-well-94-columns", 94, depth);
    let mut facts = first_tests(&layout);
    for fact in facts.values_mut() {
        (fact.attempt, fact.pooled) = (1 + pooled + u8::try_from(alone.len()).unwrap(), pooled);
        fact.earlier.extend(alone.iter().map(|amplified| EarlierTest {
            rule: "earlier".to_owned(),
            amplified: amplified.iter().map(ToString::to_string).collect(),
            grey: Vec::new(),
            specimen: Specimen::Same,
        }));
    }
    interpret(&kit, &layout, &run(&kit, &layout, None, &shown_at(&layout, positives)), &facts)
        .unwrap()
}

/// The Ct that tubes at these places show.
fn shown_at(
    layout: &Layout,
    positives: &[(&str, &'static str)],
) -> impl Fn(&str) -> Option<&'static str> {
    move |tube| {
        let found = positives.iter().find(|(at, _)| layout.content(well(at)).tube() == Some(tube));
        found.map(|(_, cycles)| *cycles)
    }
}

/// A plate of the kit with three wells a tube and so many tubes, read for the first time.
fn small(count: usize, positives: &[(&str, &'static str)]) -> Interpretation {
    let kit = cdc();
    let layout = plate(&kit, "three-wells-29-rows", count, 1);
    let readings = run(&kit, &layout, None, &shown_at(&layout, positives));
    interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap()
}

/// Wells of tubes whose positive is reported, and of those that are tested again.
fn fates(read: &Interpretation) -> (Vec<String>, Vec<String>) {
    let with = |wanted: Disposition| {
        let calls = read.calls.iter().filter(|call| call.disposition == wanted);
        let mut wells: Vec<_> = calls.map(|call| call.targets[0].well).collect();
        wells.sort();
        wells.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    (with(Disposition::Report(Outcome::Detected)), with(Disposition::Retest))
}

#[test]
fn a_weak_positive_beside_a_strong_one_is_tested_again_and_the_strong_one_reported() {
    let suspicious = read(&[("A1", "20"), ("B2", "31")], 1);
    assert_eq!(fates(&suspicious), (vec!["A1".to_owned()], vec!["B2".to_owned()]));
    let held = suspicious.calls.iter().find(|call| call.disposition == Disposition::Retest);
    assert!(held.unwrap().reason.contains("held for a repeat"));
    let tube = |at: &str| {
        let call = suspicious.calls.iter().find(|call| call.targets[0].well == well(at));
        call.unwrap().tube.clone()
    };
    let figures = format!("{} Ct 31, {} Ct 20", tube("B2"), tube("A1"));
    assert_eq!(suspicious.verdict.flags[0].figures, figures);
    let apart = read(&[("A1", "20"), ("A5", "31")], 1);
    assert_eq!(fates(&apart).1, Vec::<String>::new());
}

/// Each tube has two wells, and a target names the one with the strongest signal. In the first pair of
/// tubes those of the strong and of the weak one lie apart, their other wells side by side.
#[test]
fn of_tubes_in_duplicates_every_well_is_looked_at() {
    let kit = kit("taqpath-combo", "duplicates-2020");
    let layout = plate(&kit, "two-wells-45-moving-rows", 45, 1);
    let held = |strong: &str, weak: &str| {
        let of = |at: &str| layout.content(well(at)).tube().unwrap().to_owned();
        let (strong, weak) = (of(strong), of(weak));
        let mut readings = run(&kit, &layout, None, &|tube| {
            (tube == strong).then_some("20").or((tube == weak).then_some("35"))
        });
        let (first, last) = (layout.wells_of(&strong)[0], layout.wells_of(&weak)[1]);
        for reading in &mut readings {
            let is_strongest = reading.well == first || reading.well == last;
            if is_strongest && reading.target != "MS2" {
                reading.ct =
                    reading.ct.map(|_| ct(if reading.well == first { "19" } else { "34" }));
            }
            if is_strongest && reading.target == "MS2" {
                reading.ct = Some(ct("25"));
            }
        }
        let read = interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap();
        let call = read.calls.iter().find(|call| call.tube == weak).unwrap();
        call.disposition
    };
    assert_eq!(held("A1", "A3"), Disposition::Retest);
    assert_eq!(held("A1", "C5"), Disposition::Report(Outcome::Detected));
}

#[test]
fn of_two_alone_side_by_side_both_are_tested_again() {
    let pair = ["D5".to_owned(), "E6".to_owned()];
    assert_eq!(fates(&read(&[("D5", "27"), ("E6", "28")], 1)).1, pair);
    assert_eq!(fates(&read(&[("D5", "27"), ("G8", "28")], 1)).1, Vec::<String>::new());
}

#[test]
fn of_two_alone_on_a_small_plate_both_are_tested_again_and_of_three_none() {
    let pair = [("A1", "27"), ("B1", "28")];
    let wells = ["A1".to_owned(), "B1".to_owned()];
    for (tubes, held) in [(29, &wells[..]), (20, &wells[..]), (19, &[][..])] {
        assert_eq!(fates(&small(tubes, &pair)).1, held, "{tubes} tubes");
    }
    assert_eq!(fates(&small(29, &[pair[0], pair[1], ("F4", "27")])).1, Vec::<String>::new());
    assert_eq!(fates(&small(29, &[pair[0], ("D1", "28")])).1, Vec::<String>::new());
}

#[test]
fn a_weak_positive_that_touches_a_positive_control_is_tested_again() {
    // The control stands in C1 to C3, with a Ct of 28.25.
    let beside = small(29, &[("D1", "38.25")]);
    assert_eq!(fates(&beside), (vec![], vec!["D1".to_owned()]));
    let flag = &beside.verdict.flags[0];
    assert_eq!(flag.code, VerdictCode::WeakBesideStrong);
    assert!(flag.figures.ends_with(" Ct 38.25, + C1 Ct 28.25"), "{}", flag.figures);
    // Not so weak, or only in the column, into which a person put the control by hand.
    for (at, cycles) in [("D1", "38.2"), ("F1", "38.25")] {
        let apart = small(29, &[(at, cycles)]);
        assert_eq!((fates(&apart).0, apart.verdict.flags), (vec![at.to_owned()], vec![]));
    }
}

#[test]
fn what_the_repeat_says_is_reported() {
    let again = read_after(&[("D5", "27"), ("E6", "28")], 1, 0, &[&["ORF1ab", "N"]]);
    assert_eq!(fates(&again), (vec!["D5".to_owned(), "E6".to_owned()], Vec::new()));
    assert_eq!(again.verdict.flags.len(), 1, "it is still said");
}

#[test]
fn a_signal_that_no_test_before_found_is_repeated_however_often_the_tube_was_tested() {
    let pair = ["D5".to_owned(), "E6".to_owned()];
    let positives = [("D5", "27"), ("E6", "28")];
    assert_eq!(fates(&read_after(&positives, 1, 0, &[&[]])).1, pair, "after an invalid test");
    assert_eq!(fates(&read_after(&positives, 1, 1, &[])).1, pair, "after a laboratory pool");
    let again = read_after(&positives, 1, 1, &[&["N"]]);
    assert_eq!(fates(&again), (pair.to_vec(), Vec::new()));
}

#[test]
fn a_grey_signal_that_comes_again_is_not_held_for_ever() {
    let kit = kit("huirui-orf1ab-n", "2020");
    let Some(grey) = kit.calls.rules.grey.clone() else { panic!("the kit has a grey zone") };
    let layout = plate(&kit, "one-well-94-columns", 94, 1);
    let mut facts = first_tests(&layout);
    for fact in facts.values_mut() {
        let rule = grey.clone();
        let (amplified, grey, specimen) = (Vec::new(), Vec::new(), Specimen::Same);
        (fact.attempt, fact.earlier) = (2, vec![EarlierTest { rule, amplified, grey, specimen }]);
    }
    let readings = run(&kit, &layout, None, &shown_at(&layout, &[("A1", "20"), ("B2", "37")]));
    let read = interpret(&kit, &layout, &readings, &facts).unwrap();
    let weak = read.calls.iter().find(|call| call.targets[0].well == well("B2")).unwrap();
    assert_eq!(weak.outcome, Outcome::Detected, "{}", weak.rule);
    assert_eq!(weak.disposition, Disposition::Report(Outcome::Detected));
}

#[test]
fn a_grey_signal_before_proves_nothing_where_it_stays_open_however_often_it_comes() {
    let kit = orf();
    assert_eq!(kit.calls.grey_again, Some(GreyAgain::Inconclusive));
    let grey = kit.calls.rules.grey.clone().unwrap();
    let layout = plate(&kit, "one-well-94-columns", 94, 1);
    let mut facts = first_tests(&layout);
    for fact in facts.values_mut() {
        let (rule, specimen) = (grey.clone(), Specimen::Same);
        let (amplified, grey) = (Vec::new(), Vec::new());
        (fact.attempt, fact.earlier) = (2, vec![EarlierTest { rule, amplified, grey, specimen }]);
    }
    let pair = shown_at(&layout, &[("D5", "27"), ("E6", "28")]);
    let read = interpret(&kit, &layout, &run(&kit, &layout, None, &pair), &facts).unwrap();
    let held = read.calls.iter().filter(|call| call.disposition == Disposition::Retest);
    assert_eq!(held.count(), 2);
}

#[test]
fn a_pool_is_collected_again_and_not_held_up() {
    let pools = read(&[("D5", "27"), ("E6", "28")], 10);
    let recalled = pools.calls.iter().filter(|call| call.disposition == Disposition::Recall);
    assert_eq!(recalled.count(), 2);
    assert_eq!(fates(&pools).1, Vec::<String>::new());
}

/// Calls of a plate whose tubes stand in every well, with a pathogen Ct where there is one.
fn calls(positives: &BTreeMap<u16, &str>) -> Vec<Call> {
    let empty = read(&[], 1);
    let mut calls = empty.calls;
    for call in &mut calls {
        let index = call.targets[0].well.index(PlateSize::P96);
        let Some(cycles) = positives.get(&index) else { continue };
        make_positive(call, ct(cycles));
    }
    calls
}

fn make_positive(call: &mut Call, ct: Ct) {
    let pathogen = |target: &&mut TargetCall| target.role == TargetRole::Pathogen;
    for target in call.targets.iter_mut().filter(pathogen) {
        (target.ct, target.state) = (Some(ct), TargetState::Amplified);
    }
    call.outcome = Outcome::Detected;
    call.disposition = Disposition::Report(Outcome::Detected);
}

fn held(calls: Vec<Call>) -> usize {
    let facts = calls.iter().map(|call| (call.tube.clone(), TubeFacts::first_test(1)));
    let (kit, facts) = (orf(), facts.collect());
    let layout = plate(&kit, "one-well-94-columns", 1, 1);
    hold(&kit, &Surroundings::of(&kit, &layout, &[]), calls, &facts)
        .iter()
        .filter(|call| call.disposition == Disposition::Retest)
        .count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// R19 over generated plates: exactly the tubes the rule means are held, by a second reading
    /// of the rule that knows nothing of the first.
    #[test]
    fn exactly_the_suspect_tubes_are_held(
        positives in prop::collection::btree_map(0_u16..96, 150_u32..370, 0..=9)
    ) {
        let texts: BTreeMap<u16, String> = positives
            .iter()
            .map(|(at, tenths)| (*at, format!("{}.{}", tenths / 10, tenths % 10)))
            .collect();
        let shown = texts.iter().map(|(at, text)| (*at, text.as_str())).collect();
        let before = calls(&shown);
        let standing: BTreeMap<(u16, u16), u32> = before
            .iter()
            .filter(|call| call.outcome == Outcome::Detected)
            .map(|call| call.targets[0].well.index(PlateSize::P96))
            .map(|index| ((index / 12, index % 12), positives[&index]))
            .collect();
        let is_low = standing.len() * 20 <= before.len() || standing.len() == 2;
        let mut expected = 0;
        for ((row, column), cycles) in &standing {
            let suspect = standing.iter().any(|((r, c), other)| {
                let touches = row.abs_diff(*r) <= 1 && column.abs_diff(*c) <= 1;
                let is_self = (row, column) == (r, c);
                let stronger = *cycles >= other + 100 && (touches || column == c);
                let even = is_low && touches && cycles.abs_diff(*other) < 100;
                !is_self && (stronger || even)
            });
            expected += usize::from(suspect);
        }
        prop_assert_eq!(held(before), expected);
    }
}

/// Chance of at most `most` of `of` at this rate, summed exactly.
fn at_most(most: u32, of: u32, rate: f64) -> f64 {
    let mut term = f64::from(of) * (1.0 - rate).ln();
    let mut sum = 0.0;
    for count in 0..=most {
        sum += term.exp();
        let (left, next) = (f64::from(of - count), f64::from(count + 1));
        term += (left / next * rate / (1.0 - rate)).ln();
    }
    sum
}

/// Full plates of single tubes, positives scattered without any contamination, Ct anywhere from 15
/// to 37: how many have a tube that is held for nothing.
fn plates_held(seed: u64, plates: u32, prevalence: f64) -> u32 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let negative = read(&[], 1).calls;
    let mut with_holds = 0;
    for _ in 0..plates {
        let positive: Vec<_> =
            (0..negative.len()).filter(|_| rng.random::<f64>() < prevalence).collect();
        // Fewer than two positives have no neighbour.
        if positive.len() < 2 {
            continue;
        }
        let mut calls = negative.clone();
        for place in positive {
            let cycles = Decimal::new(rng.random_range(15_000..37_000), 3);
            make_positive(&mut calls[place], Ct::try_from(cycles).unwrap());
        }
        with_holds += u32::from(held(calls) > 0);
    }
    with_holds
}

/// What R19 costs where there is no contamination, in plates of 94 single tubes with a false hold.
/// Measured over 40,000, 4,000 and 600 plates; the rate at 0.01 % is calculated (326 touching
/// pairs).
///
/// | prevalence | plates with a false hold |
/// |---|---|
/// | 0.01 % | 4 in a million |
/// | 1 % | 3.5 % |
/// | 5 % | 39 % |
#[test]
fn the_rule_holds_hardly_a_plate_for_nothing_where_hardly_anybody_is_positive() {
    let rates = [(0.000_1, 40_000, 0.000_004), (0.01, 4_000, 0.035), (0.05, 600, 0.39)];
    for (prevalence, plates, rate) in rates {
        let found = plates_held(19, plates, prevalence);
        let fewer = found.checked_sub(1).map_or(0.0, |fewer| at_most(fewer, plates, rate));
        let (low, high) = (at_most(found, plates, rate), 1.0 - fewer);
        assert!(low > 0.005 && high > 0.005, "{prevalence}: {found} of {plates}, not {rate}");
    }
}
