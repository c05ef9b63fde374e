//! Published and independently computed figures, to the digits they are printed in.
//!
//! O1 to O9 of `domain.md`: the FDA's and the CDC's tables, the vignette of the R package
//! binGroup2 1.3.1, figures computed with it, and an array formula checked by simulation.

use super::best::best;
use super::nested::pool_answer;
use super::*;

fn given(prevalence: f64, sensitivity: f64, specificity: f64) -> Assumptions {
    let test = Accuracy { sensitivity, specificity };
    Assumptions { prevalence, single: test, pool: test, dilution: None }
}

fn perfect(prevalence: f64) -> Assumptions {
    given(prevalence, 1.0, 1.0)
}

/// The value rounds to what is printed.
#[track_caller]
fn prints(value: f64, printed: &str) {
    let decimals = printed.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let expected: f64 = printed.parse().unwrap();
    let half = 0.5 * 10f64.powi(-i32::try_from(decimals).unwrap());
    assert!((value - expected).abs() <= half + 1e-9, "{value} is not {printed}");
}

#[track_caller]
fn performs(scheme: Scheme, given: &Assumptions, printed: [&str; 5]) {
    let found = scheme.performance(given);
    let values =
        [found.tests_per_person(), found.sensitivity, found.specificity, found.ppv, found.npv];
    for (value, printed) in values.into_iter().zip(printed) {
        prints(value, printed);
    }
}

#[test]
fn the_fdas_table_of_best_pools_is_reproduced() {
    // FDA template for pooling, table 2: percent positive, best pool, efficiency.
    let table = [
        (1, 11, "5.11"),
        (2, 8, "3.65"),
        (3, 6, "3.00"),
        (4, 6, "2.60"),
        (5, 5, "2.35"),
        (6, 5, "2.15"),
        (7, 4, "1.99"),
        (8, 4, "1.87"),
        (9, 4, "1.77"),
        (10, 4, "1.68"),
        (11, 4, "1.61"),
        (12, 4, "1.54"),
        (13, 3, "1.48"),
        (14, 3, "1.43"),
        (15, 3, "1.39"),
        (16, 3, "1.35"),
        (17, 3, "1.31"),
        (18, 3, "1.28"),
        (19, 3, "1.25"),
        (20, 3, "1.22"),
        (21, 3, "1.19"),
        (22, 3, "1.16"),
        (23, 3, "1.14"),
        (24, 3, "1.12"),
        (25, 3, "1.10"),
    ];
    for (percent, size, efficiency) in table {
        let given = perfect(f64::from(percent) / 100.0);
        let found = best(SchemeName::TwoStage, &given, 100).unwrap();
        assert_eq!(found, Scheme::TwoStage { size }, "{percent} %");
        prints(1.0 / found.performance(&given).tests_per_person(), efficiency);
    }
    let one_percent =
        |size| 1.0 / Scheme::TwoStage { size }.performance(&perfect(0.01)).tests_per_person();
    prints(one_percent(5), "4.02");
    prints(one_percent(4), "3.46");
}

#[test]
fn the_cdcs_table_of_tests_for_300_people_is_reproduced_but_for_its_misprint() {
    // CDC-006-00019, pooling appendix, table 1: percent positive, pools of 4, 3 and 2.
    let table = [
        (1, ["87", "109", "156"]),
        (2, ["98", "118", "162"]),
        (3, ["109", "126", "168"]),
        (4, ["120", "135", "174"]),
        (5, ["131", "143", "179"]),
        (6, ["141", "151", "185"]),
        (8, ["160", "166", "196"]),
        (10, ["178", "181", "207"]),
        (11, ["187", "189", "212"]),
        (12, ["195", "196", "218"]),
        (13, ["203", "202", "223"]),
        (14, ["211", "209", "228"]),
        (15, ["218", "216", "233"]),
        (16, ["226", "222", "238"]),
        (17, ["233", "228", "243"]),
        (18, ["239", "235", "248"]),
        (19, ["246", "241", "253"]),
        (20, ["252", "246", "258"]),
    ];
    for (percent, tests) in table {
        let given = perfect(f64::from(percent) / 100.0);
        for (size, printed) in [4, 3, 2].into_iter().zip(tests) {
            let each = Scheme::TwoStage { size }.performance(&given).tests_per_person();
            prints(300.0 * each, printed);
        }
    }
    // The table prints 191 for pools of two at 8 %, which is its value at 7 %.
    let two = |p| 300.0 * Scheme::TwoStage { size: 2 }.performance(&perfect(p)).tests_per_person();
    prints(two(0.08), "196.08");
    prints(two(0.07), "190.5");
}

#[test]
fn the_vignettes_two_stage_table_is_reproduced() {
    let table = [
        (9, "1.8528", ["0.2059", "0.9801", "0.9991", "0.9203", "0.9998"]),
        (10, "2.0371", ["0.2037", "0.9801", "0.9991", "0.9127", "0.9998"]),
        (11, "2.2383", ["0.2035", "0.9801", "0.9990", "0.9052", "0.9998"]),
        (12, "2.4561", ["0.2047", "0.9801", "0.9989", "0.8979", "0.9998"]),
        (13, "2.6904", ["0.2070", "0.9801", "0.9988", "0.8908", "0.9998"]),
    ];
    let given = given(0.01, 0.99, 0.99);
    for (size, whole, each) in table {
        let scheme = Scheme::TwoStage { size };
        prints(scheme.performance(&given).tests_per_person() * f64::from(size), whole);
        performs(scheme, &given, each);
    }
    assert_eq!(best(SchemeName::TwoStage, &given, 100), Some(Scheme::TwoStage { size: 11 }));
    let ten = Scheme::TwoStage { size: 10 };
    prints(ten.performance(&given).tests_per_person() * 10.0, "2.037055665");
    performs(ten, &given, ["0.2037055665", "0.9801", "0.9990525", "0.9126501", "0.9997988"]);
    prints(100.0 * (1.0 - ten.performance(&given).tests_per_person()), "79.63");
    prints(100.0 * (1.0 / ten.performance(&given).tests_per_person() - 1.0), "390.90");
}

#[test]
fn the_vignettes_assay_for_two_infections_is_reproduced() {
    let joint = Joint { neither: 0.95, first: 0.02, second: 0.02, both: 0.01 };
    let test = Accuracy { sensitivity: 0.99, specificity: 0.99 };
    let table = [
        (10, "5.1042", ["0.5104", "0.9850", "0.9961", "0.8859", "0.9995"]),
        (5, "2.1996", ["0.4399", "0.9842", "0.9978", "0.9336", "0.9995"]),
    ];
    let each = |size| two_infections(size, joint, test).first.tests_per_person();
    for (size, whole, printed) in table {
        prints(each(size) * f64::from(size), whole);
        let TwoInfections { first, second } = two_infections(size, joint, test);
        assert_eq!(first, second, "the two are as frequent as each other");
        let values =
            [first.tests_per_person(), first.sensitivity, first.specificity, first.ppv, first.npv];
        for (value, printed) in values.into_iter().zip(printed) {
            prints(value, printed);
        }
    }
    assert_eq!((2..50).min_by(|a, b| each(*a).total_cmp(&each(*b))), Some(5));
}

#[test]
fn two_stage_figures_agree_with_the_package() {
    let tests = [
        (0.0001, ["0.200500", "0.101000", "0.051998"]),
        (0.001, ["0.204990", "0.109955", "0.069811"]),
        (0.01, ["0.249010", "0.195618", "0.232093"]),
        (0.05, ["0.426219", "0.501263", "0.691514"]),
    ];
    for (prevalence, printed) in tests {
        for (size, printed) in [5, 10, 20].into_iter().zip(printed) {
            let scheme = Scheme::TwoStage { size };
            performs(scheme, &perfect(prevalence), [printed, "1", "1", "1", "1"]);
        }
    }
    let erring = [
        (0.0001, 10, 0.99, ["0.110940", "0.902500", "0.999892", "0.454212", "0.999990"]),
        (0.001, 5, 0.99, ["0.214691", "0.902500", "0.999862", "0.867867", "0.999902"]),
        (0.001, 10, 0.99, ["0.119358", "0.902500", "0.999816", "0.830589", "0.999902"]),
        (0.001, 20, 0.99, ["0.078622", "0.902500", "0.999723", "0.765333", "0.999902"]),
        (0.01, 10, 0.99, ["0.199881", "0.902500", "0.999087", "0.908971", "0.999015"]),
        (0.01, 20, 0.999, ["0.223806", "0.902500", "0.999834", "0.982120", "0.999016"]),
    ];
    for (prevalence, size, specificity, printed) in erring {
        performs(Scheme::TwoStage { size }, &given(prevalence, 0.95, specificity), printed);
    }
    let five_percent = ["0.503238", "0.980100", "0.996276", "0.932676", "0.998950"];
    performs(Scheme::TwoStage { size: 10 }, &given(0.05, 0.99, 0.99), five_percent);
    // Pools and people tested with different accuracy.
    let unequal = |prevalence| Assumptions {
        prevalence,
        pool: Accuracy { sensitivity: 0.90, specificity: 0.995 },
        single: Accuracy { sensitivity: 0.98, specificity: 0.999 },
        dilution: None,
    };
    let printed = ["0.113910", "0.882000", "0.999987", "0.985464", "0.999882"];
    performs(Scheme::TwoStage { size: 10 }, &unequal(0.001), printed);
    let printed = ["0.217973", "0.882000", "0.999839", "0.982295", "0.998809"];
    performs(Scheme::TwoStage { size: 20 }, &unequal(0.01), printed);
}

#[test]
fn the_best_two_stage_pools_are_found() {
    let table = [
        (1e-5, 317, "0.006320"),
        (1e-4, 101, "0.019951"),
        (5e-4, 45, "0.044476"),
        (1e-3, 32, "0.062759"),
        (2e-3, 23, "0.088480"),
        (5e-3, 15, "0.139098"),
        (0.01, 11, "0.195571"),
        (0.02, 8, "0.274237"),
        (0.03, 6, "0.333695"),
        (0.05, 5, "0.426219"),
        (0.1, 4, "0.593900"),
        (0.2, 3, "0.821333"),
        (0.3, 3, "0.990333"),
    ];
    for (prevalence, size, tests) in table {
        let given = perfect(prevalence);
        let found = best(SchemeName::TwoStage, &given, u32::MAX).unwrap();
        assert_eq!(found, Scheme::TwoStage { size }, "{prevalence}");
        prints(found.performance(&given).tests_per_person(), tests);
    }
}

#[test]
fn three_stage_figures_and_their_best_splits_are_reproduced() {
    let scheme = |size, part| Scheme::ThreeStage { size, part };
    let table = [
        (9, 3, ["0.117096", "0.169640", "0.376986"]),
        (20, 5, ["0.058952", "0.135429", "0.404522"]),
    ];
    for (size, part, printed) in table {
        for (prevalence, printed) in [0.001, 0.01, 0.05].into_iter().zip(printed) {
            performs(scheme(size, part), &perfect(prevalence), [printed, "1", "1", "1", "1"]);
        }
    }
    let printed = [".168978", ".857375", ".999814", ".978978", ".998561"];
    performs(scheme(9, 3), &given(0.01, 0.95, 0.99), printed);
    let printed = [".060467", ".857375", ".999962", ".957134", ".999857"];
    performs(scheme(20, 5), &given(0.001, 0.95, 0.99), printed);
    let best_splits = [
        (0.001, 110, 10, ".029468"),
        (0.005, 36, 6, ".084923"),
        (0.01, 25, 5, ".133446"),
        (0.02, 16, 4, ".209182"),
        (0.05, 9, 3, ".376986"),
    ];
    for (prevalence, size, part, tests) in best_splits {
        let given = perfect(prevalence);
        let found = best(SchemeName::ThreeStage, &given, u32::MAX).unwrap();
        assert_eq!(found, scheme(size, part), "{prevalence}");
        prints(found.performance(&given).tests_per_person(), tests);
    }
}

#[test]
fn square_arrays_and_their_best_sides_are_reproduced() {
    let table = [
        (0.001, [".401016", ".251049", ".201080", ".167786"]),
        (0.01, [".411537", ".264569", ".217404", ".187511"]),
        (0.05, [".482688", ".386450", ".379880", ".393303"]),
    ];
    for (prevalence, printed) in table {
        for (size, printed) in [5, 8, 10, 12].into_iter().zip(printed) {
            let scheme = Scheme::Array { size };
            performs(scheme, &perfect(prevalence), [printed, "1", "1", "1", "1"]);
        }
    }
    let best_sides = [
        (0.0001, 476, ".006454"),
        (0.001, 106, ".029803"),
        (0.005, 38, ".086144"),
        (0.01, 25, ".135475"),
        (0.02, 16, ".211979"),
        (0.05, 9, ".379844"),
    ];
    for (prevalence, size, tests) in best_sides {
        let given = perfect(prevalence);
        let found = best(SchemeName::Array, &given, u32::MAX).unwrap();
        assert_eq!(found, Scheme::Array { size }, "{prevalence}");
        prints(found.performance(&given).tests_per_person(), tests);
    }
    let printed = [".227896", ".892381", ".999813", ".979687", ".998914"];
    performs(Scheme::Array { size: 10 }, &given(0.01, 0.95, 0.99), printed);
    let printed = [".491619", ".890330", ".999529", ".990046", ".994258"];
    performs(Scheme::Array { size: 5 }, &given(0.05, 0.95, 0.99), printed);
}

#[test]
fn an_array_under_a_master_pool_follows_the_corrected_formula() {
    let table = [
        (5, 0.001, ".050897"),
        (8, 0.001, ".032180"),
        (10, 0.001, ".030122"),
        (5, 0.01, ".140409"),
        (10, 0.01, ".154198"),
    ];
    for (size, prevalence, tests) in table {
        let found = Scheme::ArrayWithMaster { size }.performance(&perfect(prevalence));
        prints(found.tests_per_person(), tests);
    }
    let erring = |prevalence| {
        Scheme::ArrayWithMaster { size: 10 }.performance(&given(prevalence, 0.95, 0.99))
    };
    prints(erring(0.01).tests_per_person(), ".151429");
    prints(erring(0.05).tests_per_person(), ".357718");
}

#[test]
fn what_a_pools_own_answer_is_worth_is_reproduced() {
    let ten = |prevalence, specificity| pool_answer(10, &given(prevalence, 0.95, specificity));
    let table =
        [(1e-4, ".086802", ".904809"), (1e-3, ".488555", ".989640"), (1e-2, ".909454", ".999005")];
    for (prevalence, at_99, at_9999) in table {
        prints(ten(prevalence, 0.99).ppv, at_99);
        prints(ten(prevalence, 0.9999).ppv, at_9999);
    }
    prints(ten(1e-3, 0.99).npv, ".999492");
}

#[test]
fn the_published_cycles_of_dilution_are_reproduced() {
    let at = |efficiency, people| {
        Dilution { efficiency, ct_mean: 28.0, ct_sd: 5.0, cut_off: 40.0 }.shift(people)
    };
    let doubling = [
        (2, "1.000"),
        (3, "1.585"),
        (4, "2.000"),
        (5, "2.322"),
        (8, "3.000"),
        (10, "3.322"),
        (20, "4.322"),
        (30, "4.907"),
        (50, "5.644"),
    ];
    for (people, cycles) in doubling {
        prints(at(1.0, people), cycles);
    }
    for (people, cycles) in [(5, "2.507"), (10, "3.587"), (20, "4.667")] {
        prints(at(0.9, people), cycles);
    }
}
