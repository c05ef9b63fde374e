//! Kits known at second hand (`formats.md` 14).

use super::*;

const SINGLE: &str = "liferiver.single_target";

#[test]
fn liferiver_goes_the_way_of_its_row() {
    let (o, n, e, ic) = ("ORF1ab", "N", "E", ("IC", Some("30"), None));
    let lines: &[Line<'_>] = &[
        (
            "14: two targets <= 43 with an S-shaped curve",
            &[(o, Some("43.00"), Some("Amp")), (n, ORF, Some("Amp")), (e, None, None), ic],
            &[],
            1,
            (Detected, "liferiver.detected", Report(Detected)),
        ),
        (
            "14: without an S-shaped curve they are not positive",
            &[(o, ORF, Some("No Amp")), (n, ORF, Some("No Amp")), (e, None, None), ic],
            &[],
            1,
            (Inconclusive, "liferiver.grey_zone", Retest),
        ),
        (
            "14: ORF1ab alone: extract again",
            &[(o, ORF, None), (n, None, None), (e, None, None), ic],
            &[],
            1,
            (Inconclusive, SINGLE, Retest),
        ),
        (
            "14: N alone: extract again",
            &[(o, None, None), (n, ORF, None), (e, None, None), ic],
            &[],
            1,
            (Inconclusive, SINGLE, Retest),
        ),
        (
            "14: any of three then = positive",
            &[(o, None, None), (n, None, None), (e, ORF, None), ic],
            &[(SINGLE, &["ORF1ab"], SAME)],
            1,
            (Detected, "liferiver.single_target_again", Report(Detected)),
        ),
        (
            "14: E alone: collect again",
            &[(o, None, None), (n, None, None), (e, ORF, None), ic],
            &[],
            1,
            (Inconclusive, SINGLE, Recall),
        ),
        (
            "14: all > 43 and IC <= 35",
            &[(o, Some("43.01"), None), (n, None, None), (e, None, None), ("IC", Some("35"), None)],
            &[],
            1,
            (NotDetected, "liferiver.not_detected", Report(NotDetected)),
        ),
        (
            "14: all none and IC > 35: collect again",
            &[(o, None, None), (n, None, None), (e, None, None), ("IC", Some("35.01"), None)],
            &[],
            1,
            (Invalid, "liferiver.no_internal_control", Recall),
        ),
    ];
    play(&kit("liferiver-orf1ab-n-e", "2021"), lines);
}

/// Rows that tell a kit's limits only: the Ct of both targets, and which line it falls on.
#[test]
fn the_limits_of_the_other_kits_are_those_of_their_rows() {
    let rows = [
        ("biogerm-orf1ab-n", "2020", "38", Detected, "<= 38"),
        ("biogerm-orf1ab-n", "2020", "38.01", NotDetected, "> 38"),
        ("sansure-orf1ab-n", "2020", "40", Detected, "<= 40"),
        ("sansure-orf1ab-n", "2020", "40.01", NotDetected, "> 40"),
        ("bgi-orf1ab", "2020", "40", Detected, "<= 40"),
        ("bgi-orf1ab", "2020", "40.01", NotDetected, "> 40"),
        ("da-an-orf1ab-n", "2021", "40", Detected, "<= 40"),
        ("da-an-orf1ab-n", "2021", "40.01", NotDetected, "> 40"),
        ("maccura-orf1ab-n-e", "2021", "38", Detected, "<= 38"),
        ("maccura-orf1ab-n-e", "2021", "38.01", NotDetected, "> 38"),
        ("kinghawk-orf1ab-n", "2021", "37.99", Detected, "< 38"),
        ("kinghawk-orf1ab-n", "2021", "38", Inconclusive, "38 - 40 suspicious"),
        ("kinghawk-orf1ab-n", "2021", "40", Inconclusive, "38 - 40 suspicious"),
        ("ediagnosis-orf1ab-n", "2021", "37.99", Detected, "< 38"),
        ("ediagnosis-orf1ab-n", "2021", "38", Inconclusive, "38 <= Ct < 40"),
        ("ediagnosis-orf1ab-n", "2021", "40", NotDetected, ">= 40"),
        ("huirui-orf1ab-n", "2020", "34.99", Detected, "< 35"),
        ("huirui-orf1ab-n", "2020", "35", Inconclusive, "35 - 39.2 repeat"),
        ("huirui-orf1ab-n", "2020", "39.2", NotDetected, ">= 39.2"),
    ];
    for (code, version, ct, outcome, line) in rows {
        let kit = kit(code, version);
        let cts: Vec<_> = kit
            .targets()
            .map(|(_, target)| match target.role {
                TargetRole::Pathogen => (target.code.as_str(), Some(ct)),
                TargetRole::InternalControl => (target.code.as_str(), Some("25")),
            })
            .collect();
        let call = call(&kit, "T1", &tube_readings(&cts), &TubeFacts::first_test(1));
        assert_eq!(call.outcome, outcome, "{code} at {ct}: {line}");
    }
}

#[test]
fn huirui_repeats_and_is_then_positive_below_39_2() {
    const GREY: Before = ("huirui.grey_zone", &[], SAME);
    let ic: Shown = ("IC", Some("25"), None);
    let late = Some("39.19");
    let lines: &[Line<'_>] = &[
        (
            "14: 35 - 39.2 repeat",
            &[("ORF1ab", late, None), ("N", None, None), ic],
            &[],
            1,
            (Inconclusive, "huirui.grey_zone", Retest),
        ),
        (
            "14: then < 39.2 = positive",
            &[("ORF1ab", late, None), ("N", None, None), ic],
            &[GREY],
            1,
            (Detected, "huirui.grey_zone_again", Report(Detected)),
        ),
        (
            "14: then clearly below",
            &[("ORF1ab", ORF, None), ("N", None, None), ic],
            &[GREY],
            1,
            (Detected, "huirui.single_target_again", Report(Detected)),
        ),
        (
            "14: then none",
            &[("ORF1ab", None, None), ("N", None, None), ic],
            &[GREY],
            1,
            (NotDetected, "huirui.not_detected", Report(NotDetected)),
        ),
    ];
    play(&kit("huirui-orf1ab-n", "2020"), lines);
}

/// A target that is clear does not settle the other, which is grey.
#[test]
fn huirui_repeats_what_is_grey_beside_a_clear_target_all_the_same() {
    let (o, n, ic): (_, _, Shown) = ("ORF1ab", "N", ("IC", Some("25"), None));
    let late = Some("37.1");
    let clear_and_grey: &[Shown] = &[(o, ORF, None), (n, late, None), ic];
    let lines: &[Repeat<'_>] = &[
        (
            "14: 35 - 39.2 repeat; then < 39.2 = positive, and the other is < 35 as before",
            clear_and_grey,
            clear_and_grey,
            (Detected, "huirui.single_target_again", Report(Detected)),
        ),
        (
            "14: then < 39.2 = positive, though nothing else is seen again",
            clear_and_grey,
            &[(o, None, None), (n, Some("39.19"), None), ic],
            (Detected, "huirui.grey_zone_again", Report(Detected)),
        ),
        (
            "14: then none of what was grey, and the other clear alone: a single target again",
            clear_and_grey,
            &[(o, ORF, None), (n, None, None), ic],
            (Inconclusive, "huirui.single_target", Recall),
        ),
        (
            "14: then none",
            clear_and_grey,
            &[(o, None, None), (n, Some("39.2"), None), ic],
            (NotDetected, "huirui.not_detected", Report(NotDetected)),
        ),
        (
            "14: nothing was grey, so a single target that comes again stays open",
            &[(o, ORF, None), (n, None, None), ic],
            &[(o, ORF, None), (n, None, None), ic],
            (Inconclusive, "huirui.single_target", Recall),
        ),
    ];
    repeat(&kit("huirui-orf1ab-n", "2020"), lines);
}
