//! What must hold of every plan (`domain.md` O14), and what brute force says.

use proptest::prelude::*;

use super::best::best;
use super::*;

fn given(prevalence: f64, single: Accuracy, pool: Accuracy) -> Assumptions {
    Assumptions { prevalence, single, pool, dilution: None }
}

fn accuracy() -> impl Strategy<Value = Accuracy> {
    (0.5..=1.0, 0.5..=1.0)
        .prop_map(|(sensitivity, specificity)| Accuracy { sensitivity, specificity })
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

/// Tests for each person and the two errors, by walking every state of a chain of groups.
fn brute_force(sizes: &[u32], given: &Assumptions) -> (f64, f64, f64) {
    let people = sizes[0];
    let (mut tests, mut found, mut cleared) = (0.0, 0.0, 0.0);
    for state in 0..(1_u32 << people) {
        let infected = state.count_ones();
        let probability =
            power(given.prevalence, infected) * power(given.healthy(), people - infected);
        for person in 0..people {
            let mut reached = 1.0;
            for size in sizes {
                tests += probability * reached / f64::from(*size);
                let group = ((1_u64 << size) - 1) << (person / size * size);
                let Accuracy { sensitivity, specificity } = given.accuracy(*size);
                let holds = u64::from(state) & group != 0;
                reached *= if holds { sensitivity } else { 1.0 - specificity };
            }
            if state >> person & 1 == 1 {
                found += probability * reached;
            } else {
                cleared += probability * (1.0 - reached);
            }
        }
    }
    let all = f64::from(people);
    (tests / all, found / (all * given.prevalence), cleared / (all * given.healthy()))
}

/// The same for a square, its rows and columns tested independently, after a pool of all or not.
fn brute_force_array(side: u32, given: &Assumptions, with_master: bool) -> (f64, f64, f64) {
    let Accuracy { sensitivity, specificity } = given.accuracy(side);
    let silent = |line: u32, state: u32| {
        if state & line == 0 { specificity } else { 1.0 - sensitivity }
    };
    let rows: Vec<u32> = (0..side).map(|r| ((1 << side) - 1) << (r * side)).collect();
    let columns: Vec<u32> =
        (0..side).map(|c| (0..side).map(|r| 1 << (r * side + c)).sum()).collect();
    let people = side * side;
    let all = f64::from(people);
    let (mut tests, mut if_infected, mut if_healthy) = (0.0, 0.0, 0.0);
    for state in 0..(1_u32 << people) {
        let infected = state.count_ones();
        let probability =
            power(given.prevalence, infected) * power(given.healthy(), people - infected);
        let all_silent = |lines: &[u32]| lines.iter().map(|l| silent(*l, state)).product::<f64>();
        let (no_row, no_column) = (all_silent(&rows), all_silent(&columns));
        let pooled = given.accuracy(people);
        let (first, begun) = match (with_master, state) {
            (false, _) => (0.0, 1.0),
            (true, 0) => (1.0 / all, 1.0 - pooled.specificity),
            (true, _) => (1.0 / all, pooled.sensitivity),
        };
        tests += probability * (first + begun * 2.0 / f64::from(side));
        for person in 0..people {
            let row = 1.0 - silent(rows[(person / side) as usize], state);
            let column = 1.0 - silent(columns[(person % side) as usize], state);
            let reached = begun * (row * column + row * no_column + column * no_row);
            tests += probability * reached / all;
            let share = if state >> person & 1 == 1 { &mut if_infected } else { &mut if_healthy };
            *share += probability * reached;
        }
    }
    let single = given.single;
    (
        tests,
        single.sensitivity * if_infected / (all * given.prevalence),
        1.0 - (1.0 - single.specificity) * if_healthy / (all * given.healthy()),
    )
}

fn agrees(found: &Performance, (tests, sensitivity, specificity): (f64, f64, f64)) -> bool {
    close(found.tests_per_person(), tests)
        && close(found.sensitivity, sensitivity)
        && close(found.specificity, specificity)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn two_stages_agree_with_every_state_of_up_to_twelve_people(
        size in 2_u32..=12, prevalence in 0.001..0.6, single in accuracy(), pool in accuracy(),
    ) {
        let given = given(prevalence, single, pool);
        let found = Scheme::TwoStage { size }.performance(&given);
        prop_assert!(agrees(&found, brute_force(&[size, 1], &given)));
    }

    #[test]
    fn three_stages_agree_with_every_state(
        part in 2_u32..=4, parts in 2_u32..=3, prevalence in 0.001..0.6,
        single in accuracy(), pool in accuracy(),
    ) {
        let given = given(prevalence, single, pool);
        let size = part * parts;
        let found = Scheme::ThreeStage { size, part }.performance(&given);
        prop_assert!(agrees(&found, brute_force(&[size, part, 1], &given)));
    }

    #[test]
    fn arrays_agree_with_every_state(
        side in 2_u32..=3, prevalence in 0.001..0.6, single in accuracy(), pool in accuracy(),
    ) {
        let given = given(prevalence, single, pool);
        let found = Scheme::Array { size: side }.performance(&given);
        prop_assert!(agrees(&found, brute_force_array(side, &given, false)));
        let found = Scheme::ArrayWithMaster { size: side }.performance(&given);
        prop_assert!(agrees(&found, brute_force_array(side, &given, true)));
    }

    #[test]
    fn no_perfect_scheme_needs_fewer_tests_than_there_is_to_learn(
        prevalence in 0.0001_f64..0.5, size in 2_u32..=60,
    ) {
        let q = 1.0 - prevalence;
        let entropy = -prevalence * prevalence.log2() - q * q.log2();
        let given = given(prevalence, Accuracy::PERFECT, Accuracy::PERFECT);
        let schemes = [
            Scheme::TwoStage { size },
            Scheme::ThreeStage { size: size * 3, part: size },
            Scheme::Array { size },
            Scheme::ArrayWithMaster { size },
        ];
        for scheme in schemes {
            let found = scheme.performance(&given);
            prop_assert!(found.tests_per_person() >= entropy, "{scheme:?}");
            for share in [found.sensitivity, found.specificity, found.ppv, found.npv] {
                prop_assert!(close(share, 1.0), "{scheme:?}: {found:?}");
            }
        }
    }

    #[test]
    fn more_rounds_find_no_more_infections(
        prevalence in 0.0001..0.5, test in accuracy(), part in 2_u32..=10, parts in 2_u32..=10,
    ) {
        let given = given(prevalence, test, test);
        let size = part * parts;
        let one = Scheme::Single.performance(&given).sensitivity;
        let two = Scheme::TwoStage { size }.performance(&given).sensitivity;
        let three = Scheme::ThreeStage { size, part }.performance(&given).sensitivity;
        prop_assert!(one >= two && two >= three);
    }

    #[test]
    fn a_round_that_asks_nothing_new_is_no_round(
        prevalence in 0.0..=1.0, single in accuracy(), pool in accuracy(), size in 2_u32..=50,
    ) {
        let given = given(prevalence, single, pool);
        let two = Scheme::TwoStage { size }.performance(&given);
        prop_assert_eq!(&Scheme::ThreeStage { size, part: size }.performance(&given), &two);
        prop_assert_eq!(&Scheme::ThreeStage { size, part: 1 }.performance(&given), &two);
        let alone = Scheme::Single.performance(&given);
        prop_assert_eq!(Scheme::TwoStage { size: 1 }.performance(&given), alone);
    }

    #[test]
    fn two_infections_of_which_one_never_occurs_are_one_infection(
        prevalence in 0.001..0.5, size in 1_u32..=20, sensitivity in 0.5..=1.0,
    ) {
        // With a perfect specificity the silent second infection adds no follow-up of its own.
        let test = Accuracy { sensitivity, specificity: 1.0 };
        let joint =
            Joint { neither: 1.0 - prevalence, first: prevalence, second: 0.0, both: 0.0 };
        let both = two_infections(size, joint, test).first;
        let one = Scheme::TwoStage { size }.performance(&given(prevalence, test, test));
        prop_assert!(close(both.tests_per_person(), one.tests_per_person()));
        prop_assert!(close(both.sensitivity, one.sensitivity));
        prop_assert!(close(both.specificity, one.specificity));
    }
}

#[test]
fn nobody_infected_costs_the_pools_and_everybody_infected_costs_all_the_rest() {
    let at = |prevalence| given(prevalence, Accuracy::PERFECT, Accuracy::PERFECT);
    for size in [2, 5, 10, 20] {
        let tests = |p| Scheme::TwoStage { size }.performance(&at(p)).tests_per_person();
        assert!(close(tests(0.0), 1.0 / f64::from(size)));
        assert!(close(tests(1.0), 1.0 + 1.0 / f64::from(size)));
    }
    for scheme in [
        Scheme::Single,
        Scheme::TwoStage { size: 5 },
        Scheme::Array { size: 5 },
        Scheme::ArrayWithMaster { size: 5 },
    ] {
        for prevalence in [0.0, 1.0] {
            let found = scheme.performance(&at(prevalence));
            let shares = [found.sensitivity, found.specificity, found.ppv, found.npv];
            assert!(shares.iter().all(|share| close(*share, 1.0)), "{scheme:?}: {found:?}");
        }
    }
}

#[test]
fn a_pool_that_is_nearly_always_positive_has_an_answer_worth_no_more_than_certain() {
    for (prevalence, size) in [(0.3, 101), (0.3, 102), (0.3, 104), (0.01, 3650)] {
        let given = given(prevalence, Accuracy::PERFECT, Accuracy::PERFECT);
        let pool = Scheme::TwoStage { size }.pool_answer(&given).unwrap();
        assert!(close(pool.npv, 1.0) && close(pool.ppv, 1.0), "{prevalence} {size}: {pool:?}");
    }
}

#[test]
fn pools_of_two_are_never_best_and_beyond_thirty_percent_none_is_worth_it() {
    for step in 1..300 {
        let prevalence = f64::from(step) / 1_000.0;
        let found = best(
            SchemeName::TwoStage,
            &given(prevalence, Accuracy::PERFECT, Accuracy::PERFECT),
            500,
        );
        assert_ne!(found, Some(Scheme::TwoStage { size: 2 }), "{prevalence}");
    }
    // Dorfman's limit is 1 - 3^(-1/3) = 0.3066387256.
    let fewest = |prevalence| {
        let given = given(prevalence, Accuracy::PERFECT, Accuracy::PERFECT);
        best(SchemeName::TwoStage, &given, 500).unwrap().performance(&given).tests_per_person()
    };
    assert!(fewest(0.306_638) < 1.0);
    assert!(fewest(0.306_639) > 1.0);
}

#[test]
fn mixing_in_the_laboratory_loses_what_lies_near_the_cut_off_and_singles_lose_nothing() {
    let test = Accuracy { sensitivity: 0.98, specificity: 1.0 };
    let dilution = Dilution { efficiency: 1.0, ct_mean: 35.0, ct_sd: 3.0, cut_off: 40.0 };
    let diluted = Assumptions { dilution: Some(dilution), ..given(0.001, test, test) };
    let found = |size| Scheme::TwoStage { size }.performance(&diluted).sensitivity;
    assert!(found(20) < found(10) && found(10) < found(5) && found(5) < 0.98 * 0.98);
    assert!(close(Scheme::Single.performance(&diluted).sensitivity, 0.98));
    // Of Cts around 35 with 3 cycles of spread, 95.22 % lie below 40 and 81.38 % below 37.678.
    let kept = found(5) / (0.98 * 0.98);
    assert!((kept - 0.813_8 / 0.952_2).abs() < 0.001, "{kept}");
}
