//! The programmes: China 2020 with the two-target kit, and the CDC with its panel (`domain.md` A5).

use super::*;

const SINGLE: &str = "orf1ab_n.single_target";
const GREY: &str = "orf1ab_n.grey_zone";
const IC: Shown = ("IC", Some("26"), None);

#[test]
fn china_2020_tells_clear_tubes_by_their_targets() {
    let lines: &[Line<'_>] = &[
        (
            "A5: both ORF1ab and N positive = positive",
            &[("ORF1ab", ORF, None), ("N", Some("36.99"), None), IC],
            &[],
            1,
            (Detected, "orf1ab_n.both", Report(Detected)),
        ),
        (
            "A5: Ct < 37 positive, so 37 is not",
            &[("ORF1ab", Some("37"), None), ("N", Some("37.00"), None), IC],
            &[],
            1,
            (Inconclusive, GREY, Retest),
        ),
        (
            "formats 14, China general rule: above the limit is no signal",
            &[("ORF1ab", Some("40.01"), None), ("N", None, None), IC],
            &[],
            1,
            (NotDetected, "orf1ab_n.neither", Report(NotDetected)),
        ),
        (
            "no internal control: repeat, then collect again",
            &[("ORF1ab", None, None), ("N", None, None), ("IC", None, None)],
            &[],
            1,
            (Invalid, "orf1ab_n.no_internal_control", Retest),
        ),
        (
            "no internal control twice",
            &[("ORF1ab", None, None), ("N", None, None), ("IC", None, None)],
            &[("orf1ab_n.no_internal_control", &[], SAME)],
            1,
            (Invalid, "orf1ab_n.no_internal_control", Recall),
        ),
    ];
    play(&kit("orf1ab-n-ic", "china-2020"), lines);
}

#[test]
fn china_2020_repeats_what_is_grey_and_looks_at_the_curve() {
    let lines: &[Line<'_>] = &[
        (
            "A5: 37-40 repeat, with a clear S-curve then positive",
            &[("ORF1ab", Some("38.2"), Some("Amp")), ("N", None, None), IC],
            &[(GREY, &[], SAME)],
            1,
            (Detected, "orf1ab_n.grey_zone_again", Report(Detected)),
        ),
        (
            "A5: 37-40 repeat, else negative",
            &[("ORF1ab", Some("38.2"), Some("No Amp")), ("N", None, None), IC],
            &[(GREY, &[], SAME)],
            1,
            (NotDetected, "orf1ab_n.grey_zone_again_no_curve", Report(NotDetected)),
        ),
        (
            "A5: nothing on the repeat is negative",
            &[("ORF1ab", None, None), ("N", None, None), IC],
            &[(GREY, &[], SAME)],
            1,
            (NotDetected, "orf1ab_n.neither", Report(NotDetected)),
        ),
        (
            "A5, the file says nothing of the curve: nobody decides it",
            &[("ORF1ab", Some("38.2"), None), ("N", None, None), IC],
            &[(GREY, &[], SAME)],
            1,
            (Inconclusive, GREY, Recall),
        ),
        (
            "A5: no curve, but no internal control either: not negative",
            &[("ORF1ab", Some("38.2"), Some("No Amp")), ("N", None, None), ("IC", None, None)],
            &[(GREY, &[], SAME)],
            1,
            (Inconclusive, GREY, Recall),
        ),
        (
            "A5: a curve denied within the cut-off is never negative",
            &[("ORF1ab", Some("30"), Some("No Amp")), ("N", None, None), IC],
            &[(GREY, &[], SAME)],
            1,
            (Inconclusive, GREY, Recall),
        ),
        (
            "A5: grey, then clearly there in one target",
            &[("ORF1ab", Some("36"), Some("Amp")), ("N", None, None), IC],
            &[(GREY, &[], SAME)],
            1,
            (Detected, "orf1ab_n.single_target_again", Report(Detected)),
        ),
        (
            "A5: grey, then with a clear S-curve beside a target of whose curve nothing is said",
            &[("ORF1ab", Some("30"), None), ("N", Some("38.2"), Some("Amp")), IC],
            &[(GREY, &[], SAME)],
            1,
            (Detected, "orf1ab_n.single_target_again", Report(Detected)),
        ),
    ];
    play(&kit("orf1ab-n-ic", "china-2020"), lines);
}

/// Each target gets its sign, the grey one by the repeat, and then they are counted.
#[test]
fn china_2020_repeats_what_is_grey_beside_a_clear_target_and_keeps_the_clear_one() {
    let amp = Some("Amp");
    let clear_and_grey: &[Shown] = &[("ORF1ab", ORF, amp), ("N", Some("38.2"), amp), IC];
    let lines: &[Repeat<'_>] = &[
        (
            "A5: 37-40 with a clear S-curve positive after repeat, so both = positive",
            clear_and_grey,
            clear_and_grey,
            (Detected, "orf1ab_n.single_target_again", Report(Detected)),
        ),
        (
            "A5: the same, and the other target is not seen again",
            clear_and_grey,
            &[("ORF1ab", None, None), ("N", Some("38.2"), amp), IC],
            (Detected, "orf1ab_n.grey_zone_again", Report(Detected)),
        ),
        (
            "A5: else negative, so one target only -> re-collect",
            clear_and_grey,
            &[("ORF1ab", None, None), ("N", None, None), IC],
            (Inconclusive, "orf1ab_n.single_target_before", Recall),
        ),
        (
            "A5: the same, and the late Ct that comes again has no curve",
            clear_and_grey,
            &[("ORF1ab", None, None), ("N", Some("38.2"), Some("No Amp")), IC],
            (Inconclusive, GREY, Recall),
        ),
        (
            "A5: nothing clear was there before: else negative",
            &[("ORF1ab", None, None), ("N", Some("38.2"), amp), IC],
            &[("ORF1ab", None, None), ("N", None, None), IC],
            (NotDetected, "orf1ab_n.neither", Report(NotDetected)),
        ),
    ];
    repeat(&kit("orf1ab-n-ic", "china-2020"), lines);
}

#[test]
fn china_2020_collects_a_single_target_again() {
    let lines: &[Line<'_>] = &[
        (
            "A5: one target only -> re-collect",
            &[("ORF1ab", ORF, None), ("N", None, None), IC],
            &[],
            1,
            (Inconclusive, SINGLE, Recall),
        ),
        (
            "A5: same single target again = positive",
            &[("ORF1ab", ORF, None), ("N", None, None), IC],
            &[(SINGLE, &["ORF1ab"], SAME)],
            1,
            (Detected, "orf1ab_n.single_target_again", Report(Detected)),
        ),
        (
            "A5: the other target of the same specimen is not the same",
            &[("ORF1ab", None, None), ("N", ORF, None), IC],
            &[(SINGLE, &["ORF1ab"], SAME)],
            1,
            (Inconclusive, SINGLE, Recall),
        ),
        (
            "A5: the same, and the first specimen was read by another kit",
            &[("ORF1ab", None, None), ("N", ORF, None), IC],
            &[("huirui.single_target", &["orf 1ab"], ANOTHER)],
            1,
            (Detected, "orf1ab_n.single_target_again", Report(Detected)),
        ),
        (
            "a kit that looks for something else says nothing of these targets",
            &[("ORF1ab", None, None), ("N", ORF, None), IC],
            &[("influenza.single_target", &["FluA"], ANOTHER)],
            1,
            (Inconclusive, SINGLE, Recall),
        ),
        (
            "A5: single target in two specimens = positive",
            &[("ORF1ab", None, None), ("N", ORF, None), IC],
            &[(SINGLE, &["ORF1ab"], ANOTHER)],
            1,
            (Detected, "orf1ab_n.single_target_again", Report(Detected)),
        ),
    ];
    play(&kit("orf1ab-n-ic", "china-2020"), lines);
}

#[test]
fn china_2020_collects_the_members_of_a_doubtful_pool_again() {
    let lines: &[Line<'_>] = &[
        (
            "A5: pool positive -> all members collected again",
            &[("ORF1ab", ORF, None), ("N", ORF, None), IC],
            &[],
            10,
            (Detected, "orf1ab_n.both", Recall),
        ),
        (
            "A5: pool in the grey zone -> all members collected again",
            &[("ORF1ab", Some("38"), None), ("N", None, None), IC],
            &[],
            10,
            (Inconclusive, GREY, Recall),
        ),
        (
            "A5: pool with a single target -> all members collected again",
            &[("ORF1ab", ORF, None), ("N", None, None), IC],
            &[],
            10,
            (Inconclusive, SINGLE, Recall),
        ),
        (
            "A5: the same with the other target grey",
            &[("ORF1ab", ORF, None), ("N", Some("38"), None), IC],
            &[],
            10,
            (Inconclusive, SINGLE, Recall),
        ),
        (
            "A5: negative pool -> negative for all",
            &[("ORF1ab", None, None), ("N", None, None), IC],
            &[],
            10,
            (NotDetected, "orf1ab_n.neither", Report(NotDetected)),
        ),
    ];
    play(&kit("orf1ab-n-ic", "china-2020"), lines);
}

#[test]
fn the_cdc_reports_or_repeats_a_single_specimen() {
    let shown = Some("39.99");
    let rp: Shown = ("RP", Some("25"), None);
    let n1: Shown = ("N1", Some("39.99"), None);
    let lines: &[Line<'_>] = &[
        (
            "A5: + + +-",
            &[n1, ("N2", shown, None), ("RP", None, None)],
            &[],
            1,
            (Detected, "cdc.n1_and_n2", Report(Detected)),
        ),
        (
            "A5: one only: repeat",
            &[n1, ("N2", Some("40.00"), None), rp],
            &[],
            1,
            (Inconclusive, "cdc.n1_or_n2", Retest),
        ),
        (
            "A5: one only, same again: inconclusive, and we collect again",
            &[n1, ("N2", None, None), rp],
            &[("cdc.n1_or_n2", &["N1"], SAME)],
            1,
            (Inconclusive, "cdc.n1_or_n2", Recall),
        ),
        (
            "A5: - - +",
            &[("N1", None, None), ("N2", None, None), ("RP", shown, None)],
            &[],
            1,
            (NotDetected, "cdc.rp_only", Report(NotDetected)),
        ),
        (
            "A5: - - -: extract again",
            &[("N1", None, None), ("N2", None, None), ("RP", Some("40"), None)],
            &[],
            1,
            (Invalid, "cdc.nothing", Retest),
        ),
        (
            "A5: - - - again: new specimen",
            &[("N1", None, None), ("N2", None, None), ("RP", None, None)],
            &[("cdc.nothing", &[], SAME)],
            1,
            (Invalid, "cdc.nothing", Recall),
        ),
    ];
    play(&kit("cdc-2019-ncov", "06"), lines);
}

#[test]
fn the_cdc_reports_no_pool_but_a_negative_one() {
    let shown = Some("39.99");
    let rp: Shown = ("RP", Some("25"), None);
    let n1: Shown = ("N1", Some("39.99"), None);
    let lines: &[Line<'_>] = &[
        (
            "A5: + + +-, pool: do not report, test every member",
            &[n1, ("N2", shown, None), rp],
            &[],
            4,
            (Detected, "cdc.n1_and_n2", Recall),
        ),
        (
            "A5: one only, pool",
            &[n1, ("N2", None, None), rp],
            &[],
            4,
            (Inconclusive, "cdc.n1_or_n2", Recall),
        ),
        (
            "A5: - - +, pool: for every member",
            &[("N1", None, None), ("N2", None, None), rp],
            &[],
            4,
            (NotDetected, "cdc.rp_only", Report(NotDetected)),
        ),
        (
            "A5: - - -, pool",
            &[("N1", None, None), ("N2", None, None), ("RP", None, None)],
            &[],
            4,
            (Invalid, "cdc.nothing", Recall),
        ),
    ];
    play(&kit("cdc-2019-ncov", "06"), lines);
}
