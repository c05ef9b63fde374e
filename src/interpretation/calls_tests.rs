use proptest::prelude::*;

use super::*;
use crate::interpretation::workbench::{cdc, codx, ct, kit, orf, reading, tube_readings};
use crate::interpretation::{DoubtfulCurve, state};

fn earlier(rule: &str) -> EarlierTest {
    let (amplified, grey) = (Vec::new(), Vec::new());
    EarlierTest { rule: rule.to_owned(), amplified, grey, specimen: Specimen::Same }
}

fn single() -> TubeFacts {
    TubeFacts::first_test(1)
}

fn cdc_call(n1: bool, n2: bool, rp: bool, facts: &TubeFacts) -> Call {
    let shown = |amplified: bool| amplified.then_some("30.00");
    let readings = tube_readings(&[("N1", shown(n1)), ("N2", shown(n2)), ("RP", shown(rp))]);
    call(&cdc(), "T1", &readings, facts)
}

/// The result table of CDC-006-00019 rev 06 and its appendix on pooling (`domain.md` A5).
#[test]
fn the_cdc_table_holds_for_all_signals_singles_pools_and_attempts() {
    use Disposition::{Recall, Report, Retest};
    use Outcome::{Detected, Inconclusive, Invalid, NotDetected};
    // N1, N2, RP; outcome; rule; single first, single again, pool.
    let table = [
        (
            (true, true, true),
            Detected,
            "cdc.n1_and_n2",
            [Report(Detected), Report(Detected), Recall],
        ),
        (
            (true, true, false),
            Detected,
            "cdc.n1_and_n2",
            [Report(Detected), Report(Detected), Recall],
        ),
        ((true, false, true), Inconclusive, "cdc.n1_or_n2", [Retest, Recall, Recall]),
        ((true, false, false), Inconclusive, "cdc.n1_or_n2", [Retest, Recall, Recall]),
        ((false, true, true), Inconclusive, "cdc.n1_or_n2", [Retest, Recall, Recall]),
        ((false, true, false), Inconclusive, "cdc.n1_or_n2", [Retest, Recall, Recall]),
        (
            (false, false, true),
            NotDetected,
            "cdc.rp_only",
            [Report(NotDetected), Report(NotDetected), Report(NotDetected)],
        ),
        ((false, false, false), Invalid, "cdc.nothing", [Retest, Recall, Recall]),
    ];
    for ((n1, n2, rp), outcome, rule, dispositions) in table {
        let again =
            TubeFacts { attempt: 2, earlier: vec![earlier(rule)], ..TubeFacts::first_test(1) };
        let facts = [single(), again, TubeFacts::first_test(4)];
        for (facts, disposition) in facts.iter().zip(dispositions) {
            let call = cdc_call(n1, n2, rp, facts);
            assert_eq!((call.outcome, call.rule.as_str()), (outcome, rule));
            assert_eq!(call.disposition, disposition, "{n1} {n2} {rp} {facts:?}");
        }
    }
}

#[test]
fn a_call_names_its_rule_its_kit_and_its_evidence() {
    let call = cdc_call(true, false, true, &single());
    assert_eq!((call.kit.as_str(), call.version.as_str()), ("cdc-2019-ncov", "06"));
    assert_eq!(
        call.reason,
        "inconclusive by cdc.n1_or_n2: N1 amplified (Ct 30.00), N2 not amplified (no Ct), \
         RP amplified (Ct 30.00)"
    );
    assert_eq!(call.targets[1].raw_ct, "Undetermined");
    let json = serde_json::to_string(&call).unwrap();
    assert!(json.contains(r#""disposition":{"action":"retest"}"#), "{json}");
    assert_eq!(serde_json::from_str::<Call>(&json).unwrap(), call);
}

#[test]
fn forty_point_nought_is_not_below_forty() {
    let outcome = |n1: &str, n2: &str| {
        let readings = tube_readings(&[("N1", Some(n1)), ("N2", Some(n2)), ("RP", Some("25"))]);
        call(&cdc(), "T1", &readings, &single()).outcome
    };
    assert_eq!(outcome("39.99", "39.9999999999999"), Outcome::Detected);
    assert_eq!(outcome("39.99", "40.00"), Outcome::Inconclusive);
    assert_eq!(outcome("40", "40.0"), Outcome::NotDetected);
}

#[test]
fn a_late_internal_control_does_not_make_a_negative() {
    let readings = tube_readings(&[("N1", None), ("N2", None), ("RP", Some("40.00"))]);
    assert_eq!(call(&cdc(), "T1", &readings, &single()).outcome, Outcome::Invalid);
}

fn orf_call(orf1ab: Option<&str>, n: Option<&str>, facts: &TubeFacts) -> Call {
    let readings = tube_readings(&[("ORF1ab", orf1ab), ("N", n), ("IC", Some("25"))]);
    call(&orf(), "T1", &readings, facts)
}

#[test]
fn the_grey_zone_begins_at_38_and_ends_with_40() {
    let state = |cycles| orf_call(Some(cycles), None, &single()).targets[0].state;
    assert_eq!(state("37.99"), TargetState::Amplified);
    assert_eq!(state("38.00"), TargetState::Grey);
    assert_eq!(state("40.00"), TargetState::Grey);
    assert_eq!(state("40.01"), TargetState::NotAmplified);
}

#[test]
fn a_grey_signal_is_tested_again_and_then_collected_again() {
    let first = orf_call(Some("38.5"), None, &single());
    assert_eq!((first.outcome, first.disposition), (Outcome::Inconclusive, Disposition::Retest));
    assert_eq!(first.rule, "orf1ab_n.grey_zone");
    let again = TubeFacts { attempt: 2, earlier: vec![earlier(&first.rule)], ..single() };
    assert_eq!(orf_call(Some("39"), None, &again).disposition, Disposition::Recall);
    let clear = orf_call(None, None, &again);
    assert_eq!(clear.disposition, Disposition::Report(Outcome::NotDetected));
    let pool = orf_call(Some("38.5"), None, &TubeFacts::first_test(10));
    assert_eq!(pool.disposition, Disposition::Recall);
}

#[test]
fn one_target_twice_is_positive_where_the_kit_says_so() {
    let first = orf_call(Some("36"), None, &single());
    assert_eq!(
        (first.rule.as_str(), first.disposition),
        ("orf1ab_n.single_target", Disposition::Retest)
    );
    let again = TubeFacts {
        attempt: 2,
        earlier: vec![EarlierTest::of(first.rule.clone(), &first.targets, Specimen::Same)],
        ..single()
    };
    let second = orf_call(None, Some("36"), &again);
    assert_eq!(
        (second.outcome, second.rule.as_str()),
        (Outcome::Detected, "orf1ab_n.single_target_again")
    );
    assert_eq!(second.disposition, Disposition::Report(Outcome::Detected));
}

#[test]
fn one_clear_target_beside_a_grey_one_is_a_single_target() {
    assert_eq!(orf_call(Some("36"), Some("38.5"), &single()).rule, "orf1ab_n.single_target");
}

#[test]
fn one_target_after_an_invalid_test_is_not_the_same_again() {
    let facts = TubeFacts {
        attempt: 2,
        earlier: vec![earlier("orf1ab_n.no_internal_control")],
        ..single()
    };
    let call = orf_call(Some("36"), None, &facts);
    assert_eq!((call.outcome, call.disposition), (Outcome::Inconclusive, Disposition::Recall));
}

#[test]
fn a_positive_single_is_reported_and_a_positive_pool_collected_again() {
    assert_eq!(
        orf_call(Some("30"), Some("31"), &single()).disposition,
        Disposition::Report(Outcome::Detected)
    );
    let pool = orf_call(Some("30"), Some("31"), &TubeFacts::first_test(10));
    assert_eq!((pool.outcome, pool.disposition), (Outcome::Detected, Disposition::Recall));
}

fn denied(cycles: &str, status: &str) -> Reading {
    let mut read = reading("A1", "ORF1ab", "FAM", Some(cycles));
    read.amp_status = Some(status.to_owned());
    read
}

/// Seen in `20200402_BPGX_LOD_30.xlsx`: a negative control with Ct 48.25 and `No Amp`.
#[test]
fn a_late_ct_beside_no_amp_is_no_amplification() {
    let late = denied("48.25", "No Amp");
    for doubtful in [DoubtfulCurve::Grey, DoubtfulCurve::CtDecides] {
        let state = state(&orf().reactions[0].targets[0], doubtful, &late);
        assert_eq!(state, TargetState::NotAmplified);
    }
}

/// The real case above lies outside every cut-off, so it is no reason to let a status overrule a
/// Ct within one: the CDC instructions know the Ct only, other kits get an eye on the curve.
#[test]
fn no_amp_does_not_make_a_ct_within_a_cut_off_go_away() {
    let kit = orf();
    for (cycles, by_ct) in [("30", TargetState::Amplified), ("39", TargetState::Grey)] {
        for status in ["No Amp", "NO_AMP", "no amp"] {
            let denied = denied(cycles, status);
            let state = |doubtful| state(&kit.reactions[0].targets[0], doubtful, &denied);
            assert_eq!(state(DoubtfulCurve::CtDecides), by_ct);
            assert_eq!(state(DoubtfulCurve::Grey), TargetState::Grey);
        }
    }
}

#[test]
fn a_cdc_positive_whose_curves_the_instrument_denies_is_still_detected() {
    let mut readings =
        tube_readings(&[("N1", Some("30.1")), ("N2", Some("31.0")), ("RP", Some("25"))]);
    for read in &mut readings[..2] {
        read.reading.to_mut().amp_status = Some("No Amp".to_owned());
    }
    assert_eq!(call(&cdc(), "T1", &readings, &single()).outcome, Outcome::Detected);
    readings[0].reading.to_mut().ct = Some(ct("48.25"));
    readings[1].reading.to_mut().ct = None;
    assert_eq!(call(&cdc(), "T1", &readings, &single()).outcome, Outcome::NotDetected);
}

#[test]
fn a_doubtful_curve_means_what_the_kit_says() {
    let kit = orf();
    let target = &kit.reactions[0].targets[0];
    let state = |doubtful, cycles| {
        let mut doubted = reading("A1", "ORF1ab", "FAM", cycles);
        doubted.amp_status = Some("Inconclusive".to_owned());
        state(target, doubtful, &doubted)
    };
    assert_eq!(state(DoubtfulCurve::Grey, None), TargetState::Grey);
    assert_eq!(state(DoubtfulCurve::Grey, Some("30")), TargetState::Grey);
    assert_eq!(state(DoubtfulCurve::CtDecides, None), TargetState::NotAmplified);
    assert_eq!(state(DoubtfulCurve::CtDecides, Some("30")), TargetState::Amplified);
}

#[test]
fn the_instruments_own_call_is_not_believed() {
    let mut readings = tube_readings(&[("SARS-CoV-2", None), ("RNaseP", Some("25"))]);
    readings[0].reading.to_mut().instrument_call = Some("Positive".to_owned());
    assert_eq!(call(&codx(), "T1", &readings, &single()).outcome, Outcome::NotDetected);
}

#[test]
fn an_unread_pathogen_target_makes_no_negative() {
    let readings = tube_readings(&[("N1", None), ("RP", Some("25"))]);
    assert_eq!(call(&cdc(), "T1", &readings, &single()).outcome, Outcome::Invalid);
    assert_eq!(call(&cdc(), "T1", &[], &single()).outcome, Outcome::Invalid);
}

/// A chance Ct in hundredths, or none.
fn any_ct() -> impl Strategy<Value = Option<u32>> {
    prop::option::of(1000_u32..4500)
}

fn text(hundredths: Option<u32>) -> Option<String> {
    hundredths.map(|ct| format!("{}.{:02}", ct / 100, ct % 100))
}

fn outcome_rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Invalid => 0,
        Outcome::NotDetected => 1,
        Outcome::Inconclusive => 2,
        Outcome::Detected => 3,
    }
}

/// A clear target and a grey one sent the tube back: it is the grey one that has to come again.
#[test]
fn what_was_grey_beside_a_clear_target_is_seen_again_or_stays_open() {
    let kit = kit("huirui-orf1ab-n", "2020");
    let before = EarlierTest {
        amplified: vec!["ORF1ab".to_owned()],
        grey: vec!["N".to_owned()],
        ..earlier(&kit.calls.rules.single_target)
    };
    let facts = TubeFacts { attempt: 2, earlier: vec![before], ..TubeFacts::first_test(1) };
    for (target, cycles, outcome) in [
        ("ORF1ab", "35", Outcome::Inconclusive),
        ("ORF1ab", "34.99", Outcome::Inconclusive),
        ("N", "35", Outcome::Detected),
        ("N", "34.99", Outcome::Detected),
    ] {
        let shown = ["ORF1ab", "N"].map(|one| (one, (one == target).then_some(cycles)));
        let readings = tube_readings(&[shown[0], shown[1], ("IC", Some("27"))]);
        assert_eq!(call(&kit, "T1", &readings, &facts).outcome, outcome, "{target} {cycles}");
    }
}

proptest! {
    /// Any Ct made earlier, or there where there was none, never makes a call weaker.
    #[test]
    fn more_signal_never_weakens_a_call(
        cts in prop::collection::vec(any_ct(), 3),
        gain in 0_u32..1500,
        which in 0_usize..3,
        attempt in 1_u8..4,
        pool_size in 1_u16..5,
        before in 0_usize..4,
        code in prop::sample::select(vec![
            ("cdc-2019-ncov", "06"), ("orf1ab-n-ic", "1"), ("orf1ab-n-ic", "china-2020"),
            ("huirui-orf1ab-n", "2020"),
        ]),
    ) {
        let kit = kit(code.0, code.1);
        let rules = &kit.calls.rules;
        let mut earlier_tests = Vec::new();
        match before {
            1 => earlier_tests.push(EarlierTest {
                amplified: vec![kit.reactions[0].targets[0].code.clone()],
                ..earlier(&rules.single_target)
            }),
            2 => earlier_tests.extend(rules.grey.as_deref().map(earlier)),
            3 => {
                let mut codes = kit.targets().map(|(_, target)| target.code.clone());
                earlier_tests.push(EarlierTest {
                    amplified: codes.next().into_iter().collect(),
                    grey: codes.next().into_iter().collect(),
                    ..earlier(&rules.single_target)
                });
            }
            _ => {}
        }
        let facts = TubeFacts { attempt, earlier: earlier_tests, ..TubeFacts::first_test(pool_size) };
        let outcome = |cts: &[Option<u32>]| {
            let readings: Vec<_> = kit
                .targets()
                .zip(cts)
                .flat_map(|((_, target), hundredths)| {
                    let cycles = text(*hundredths);
                    tube_readings(&[(target.code.as_str(), cycles.as_deref())])
                })
                .collect();
            call(&kit, "T1", &readings, &facts).outcome
        };
        let mut stronger = cts.clone();
        stronger[which] = Some(stronger[which].unwrap_or(4400).saturating_sub(gain).max(1000));
        let (before, after) = (outcome(&cts), outcome(&stronger));
        prop_assert!(outcome_rank(after) >= outcome_rank(before), "{before} -> {after}");
    }

    /// The order of the rows in the file does not matter.
    #[test]
    fn the_order_of_readings_does_not_matter(
        cts in prop::collection::vec(any_ct(), 5),
        order in Just(vec![0_usize, 1, 2, 3, 4]).prop_shuffle(),
    ) {
        let names = ["ORF1ab", "N", "IC", "N", "ORF1ab"];
        let row = |index: usize| {
            let cycles = text(cts[index]);
            tube_readings(&[(names[index], cycles.as_deref())]).remove(0)
        };
        let as_written: Vec<_> = (0..5).map(row).collect();
        let shuffled: Vec<_> = order.into_iter().map(row).collect();
        let facts = single();
        let left = call(&orf(), "T1", &as_written, &facts);
        let right = call(&orf(), "T1", &shuffled, &facts);
        prop_assert_eq!((left.outcome, left.rule), (right.outcome, right.rule));
    }

    /// The chain of retests ends, whatever the tube shows.
    #[test]
    fn no_tube_is_tested_for_ever(cts in prop::collection::vec(any_ct(), 3), pool_size in 1_u16..20) {
        let facts = TubeFacts { attempt: 4, ..TubeFacts::first_test(pool_size) };
        let (orf1ab, n) = (text(cts[0]), text(cts[1]));
        let call = orf_call(orf1ab.as_deref(), n.as_deref(), &facts);
        prop_assert_ne!(call.disposition, Disposition::Retest);
    }
}

#[test]
fn a_ct_is_kept_to_its_last_digit() {
    let readings = tube_readings(&[("SARS-CoV-2", Some("34.334176165173844")), ("RNaseP", None)]);
    let call = call(&codx(), "T1", &readings, &single());
    assert_eq!(call.targets[0].ct, Some(ct("34.334176165173844")));
    assert!(serde_json::to_string(&call).unwrap().contains("\"34.334176165173844\""));
}
