//! Months of several laboratories, as the checks see them that compare runs with each other.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use swabline::clock::Span;
use swabline::instrument::Ct;
use swabline::integrity::{Check, KeptCurve, RunEvidence, Scan, Sign};
use swabline::plate::{PlateSize, WellPosition};
use swabline::simulation::month::{BEGAN, Habits, month};

const DAYS: i64 = 30;

/// What a walk over the runs finds when all of them are of the period.
fn found(runs: &[RunEvidence]) -> Vec<Sign> {
    let mut scan = Scan::default();
    for run in runs {
        scan.add(run, true);
    }
    scan.close()
}

fn others_honest(first: Habits) -> [Habits; 4] {
    [first, Habits::HONEST, Habits::HONEST, Habits::HONEST]
}

/// Every sign is of this check and this laboratory, and there is one.
#[track_caller]
fn only(signs: &[Sign], check: Check, laboratory: &str) {
    assert!(!signs.is_empty(), "nothing was found");
    for sign in signs {
        assert_eq!((sign.check, sign.laboratory.as_deref()), (check, Some(laboratory)), "{sign:?}");
    }
}

#[test]
fn honest_months_show_nothing() {
    for seed in 0..6 {
        // Laboratories differ: in their people, their samplers and how much they do.
        let laboratories = [
            Habits::HONEST,
            Habits { prevalence: 0.02, ..Habits::HONEST },
            Habits { spread: 1.25, offset: 1.8, ..Habits::HONEST },
            Habits { offset: -1.8, ..Habits::HONEST },
            Habits { plates_a_day: 8, spread: 1.55, prevalence: 0.001, ..Habits::HONEST },
        ];
        assert_eq!(found(&month(seed, DAYS, &laboratories)), [], "month {seed}");
    }
}

/// The same runs, four plates of 96 on one of 384, and Ct to the hundredth, as a LightCycler 480 has
/// them.
fn to_the_hundredth(runs: &[RunEvidence]) -> Vec<RunEvidence> {
    let mut plates: BTreeMap<(&str, usize), RunEvidence> = BTreeMap::new();
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for run in runs {
        let n = told.entry(&run.laboratory).or_default();
        let (number, quadrant) = (*n / 4, u16::try_from(*n % 4).unwrap());
        *n += 1;
        let empty = || RunEvidence { calls: Vec::new(), ..run.clone() };
        let calls = &mut plates.entry((&run.laboratory, number)).or_insert_with(empty).calls;
        for mut call in run.calls.clone() {
            for target in &mut call.targets {
                let well = target.well.index(PlateSize::P96);
                let (row, column) = (well / 12 * 2 + quadrant / 2, well % 12 * 2 + quadrant % 2);
                let place = WellPosition::from_index(row * 24 + column, PlateSize::P384);
                target.well = place.unwrap();
                let hundredth = |ct: Ct| Ct::try_from(ct.cycles().round_dp(2)).unwrap();
                target.ct = target.ct.map(hundredth);
            }
            calls.push(call);
        }
    }
    plates.into_values().collect()
}

#[test]
fn honest_plates_of_384_with_two_digits_show_nothing_and_a_copied_one_shows() {
    let habits = Habits { spread: 0.6, plates_a_day: 8, ..Habits::HONEST };
    let mut runs = to_the_hundredth(&month(12, DAYS, &[habits, habits]));
    assert!(runs.len() > 100 && runs[0].calls.len() > 350, "{}", runs.len());
    assert_eq!(found(&runs), []);
    let copied = runs[3].calls.clone();
    for (call, from) in runs[9].calls.iter_mut().zip(copied) {
        call.targets = from.targets;
    }
    let laboratory = runs[9].laboratory.clone();
    only(&found(&runs), Check::Copies, &laboratory);
    // One Ct with more digits makes nothing else of all others.
    let ct = runs[9].calls[0].targets.iter_mut().find_map(|target| target.ct.as_mut()).unwrap();
    *ct = Ct::try_from(ct.cycles() + Decimal::new(1, 3)).unwrap();
    only(&found(&runs), Check::Copies, &laboratory);
}

#[test]
fn a_laboratory_that_mixes_tubes_in_silence_shows() {
    for mixed in [3, 5, 10] {
        let runs = month(7, DAYS, &others_honest(Habits { mixed, ..Habits::HONEST }));
        let signs = found(&runs);
        only(&signs, Check::HiddenPools, "L01");
        assert!(signs[0].message.contains("as if"), "{}", signs[0].message);
    }
}

#[test]
fn mixing_two_shows_by_its_second_mark() {
    let habits = Habits { mixed: 2, prevalence: 0.03, ..Habits::HONEST };
    let honest = Habits { prevalence: 0.03, ..Habits::HONEST };
    let signs = found(&month(8, DAYS, &[habits, honest, honest]));
    only(&signs, Check::HiddenPools, "L01");
    assert!(signs[0].message.contains("of tubes are positive against"), "{}", signs[0].message);
}

/// The same runs, with all laboratories but the first as one, on instruments of which nothing says
/// which is which.
fn on_nameless_instruments(runs: Vec<RunEvidence>) -> Vec<RunEvidence> {
    let nameless = |run: RunEvidence| {
        if run.laboratory == "L01" {
            return run;
        }
        let (laboratory, serial) = ("L02".to_owned(), String::new());
        RunEvidence { laboratory, serial, is_serial_stated: false, ..run }
    };
    runs.into_iter().map(nameless).collect()
}

#[test]
fn instruments_that_nobody_names_make_no_honest_laboratory_narrow() {
    let (early, late) =
        (Habits { offset: -1.8, ..Habits::HONEST }, Habits { offset: 1.8, ..Habits::HONEST });
    for seed in 19..22 {
        let runs = on_nameless_instruments(month(seed, DAYS, &[Habits::HONEST, early, late]));
        assert_eq!(found(&runs), [], "month {seed}");
    }
}

#[test]
fn a_laboratory_that_mixes_on_instruments_nobody_names_shows() {
    let mixing = |offset: f64| Habits { offset, mixed: 5, ..Habits::HONEST };
    let runs = month(22, DAYS, &[Habits::HONEST, mixing(-1.8), mixing(1.8)]);
    only(&found(&on_nameless_instruments(runs)), Check::HiddenPools, "L02");
}

#[test]
fn what_is_tested_again_or_answers_a_recall_is_no_hidden_pool() {
    let honest = month(23, DAYS, &[Habits::HONEST; 3]);
    // As narrow and as often positive as mixtures are.
    let chosen = month(24, DAYS, &[Habits { plates_a_day: 8, mixed: 10, ..Habits::HONEST }]);
    let found_beside = |change: fn(&mut RunEvidence)| {
        let mut runs = honest.clone();
        runs.extend(chosen.iter().cloned().map(|mut run| {
            run.run = format!("chosen {}", run.run);
            run.plate = format!("chosen {}", run.plate);
            run.ended = String::new();
            change(&mut run);
            run
        }));
        found(&runs)
    };
    let again = |run: &mut RunEvidence| {
        for call in &mut run.calls {
            call.attempt = 2;
        }
    };
    assert_eq!(found_beside(again), []);
    let answers = |run: &mut RunEvidence| {
        run.recalled = run.calls.iter().map(|call| call.tube.clone()).collect();
    };
    assert_eq!(found_beside(answers), []);
    only(&found_beside(|_first_tests: &mut RunEvidence| {}), Check::HiddenPools, "L01");
}

#[test]
fn a_laboratory_alone_is_compared_with_its_own_month_before() {
    let honest = month(9, DAYS, &[Habits::HONEST]);
    let mixing = month(10, DAYS, &[Habits { mixed: 4, ..Habits::HONEST }]);
    let later = |run: &RunEvidence| RunEvidence {
        run: format!("later {}", run.run),
        plate: format!("later {}", run.plate),
        ended: String::new(),
        imported: run.imported + Span::days(DAYS),
        frozen: run.frozen.map(|frozen| frozen + Span::days(DAYS)),
        ..run.clone()
    };
    let month = |second: &[RunEvidence]| {
        let mut scan = Scan::default();
        for run in &honest {
            scan.add(run, false);
        }
        for run in second {
            scan.add(&later(run), true);
        }
        scan.close()
    };
    only(&month(&mixing), Check::HiddenPools, "L01");
    let unchanged = swabline::simulation::month::month(11, DAYS, &[Habits::HONEST]);
    assert_eq!(month(&unchanged), []);
}

#[test]
fn plates_with_the_values_of_other_plates_show_also_when_shifted() {
    let runs = month(12, DAYS, &others_honest(Habits { copies: true, ..Habits::HONEST }));
    let signs = found(&runs);
    only(&signs, Check::Copies, "L01");
    assert!(signs.len() >= 29, "each copied plate is named: {}", signs.len());
}

/// A curve of forty cycles as it is kept, its values after `start`.
fn curve(start: f32) -> KeptCurve {
    let points = (0..40_u8).flat_map(|cycle| (start + f32::from(cycle) * 0.013_7).to_le_bytes());
    KeptCurve { target: "N".to_owned(), points: points.collect() }
}

#[test]
fn a_curve_that_was_seen_before_shows_and_blank_ones_do_not() {
    let mut runs = month(17, 2, &[Habits::HONEST]);
    for (run, start) in runs.iter_mut().zip([0.1_f32, 0.2, 0.3, 0.4]) {
        run.curves = vec![
            curve(start),
            curve(start + 10.0),
            KeptCurve { points: vec![0; 160], ..curve(0.0) },
        ];
    }
    assert_eq!(found(&runs), []);
    runs[2].curves.push(curve(0.1));
    let signs = found(&runs);
    only(&signs, Check::Copies, "L01");
    assert!(signs[0].message.contains("1 curves are those of a well of run"), "{signs:?}");
    runs[2].curves.pop();
    runs[1].curves.push(curve(0.2));
    let signs = found(&runs);
    only(&signs, Check::Copies, "L01");
    assert!(signs[0].message.contains("of another well"), "{signs:?}");
}

#[test]
fn a_block_repeated_on_its_own_plate_shows() {
    let mut runs = month(13, 1, &[Habits::HONEST]);
    let (first, second) = runs[0].calls.split_at_mut(45);
    for (call, other) in second.iter_mut().zip(first) {
        call.targets[1].ct = other.targets[1].ct;
    }
    let signs = found(&runs);
    only(&signs, Check::Copies, "L01");
    assert!(signs[0].message.contains("repeat the Ct values of others on the plate"));
}

#[test]
fn the_same_plate_exported_again_after_a_void_is_no_copy() {
    let mut runs = month(14, 1, &[Habits::HONEST]);
    let mut again = runs[0].clone();
    runs[0].is_void = true;
    again.run = "again".to_owned();
    again.ended = String::new();
    runs.push(again.clone());
    assert_eq!(found(&runs), []);
    runs.last_mut().unwrap().plate = "another".to_owned();
    only(&found(&runs), Check::Copies, "L01");
}

#[test]
fn an_analysis_done_again_is_no_run_of_the_instrument() {
    let mut runs = month(18, 1, &[Habits::HONEST]);
    let first = runs[0].clone();
    let again = |n: usize| RunEvidence {
        run: format!("again {n}"),
        is_void: true,
        is_replaced: true,
        ..first.clone()
    };
    runs.extend((0..60).map(again));
    assert_eq!(found(&runs), []);
    for run in &mut runs {
        run.is_replaced = false;
    }
    only(&found(&runs), Check::Instruments, "L01");
}

#[test]
fn an_instrument_above_its_possible_day_shows() {
    let hurried = Habits { plates_a_day: 60, minutes_a_run: 20, ..Habits::HONEST };
    let signs = found(&month(15, 2, &others_honest(hurried)));
    only(&signs, Check::Instruments, "L01");
    assert!(signs[0].message.contains("of its 120 runs"), "{}", signs[0].message);
}

#[test]
fn a_file_of_another_month_shows() {
    let mut runs = month(16, 3, &[Habits::HONEST]);
    runs[5].ended = "2020-03-18 17:50:29 PM CST".to_owned();
    let signs = found(&runs);
    only(&signs, Check::Instruments, "L01");
    assert_eq!(signs[0].about, runs[5].run);
    assert!(runs[5].imported > BEGAN);
}
