//! Kits whose rules were read in a summary of the maker's instructions (`formats.md` 14).

use super::*;

#[test]
fn taqpath_goes_the_way_of_the_rutgers_summary() {
    let (o, n, s, ms2) = ("ORF1ab", "N", "S", ("MS2", Some("27"), None));
    let lines: &[Line<'_>] = &[
        (
            "14: 2 of 3 < 37",
            &[(o, Some("36.99"), None), (n, Some("36.99"), None), (s, None, None), ms2],
            &[],
            1,
            (Detected, "taqpath.two_of_three", Report(Detected)),
        ),
        (
            "14: 2 of 3 < 37, MS2 not: read as positive, and the kit is unproven for it",
            &[(o, ORF, None), (n, ORF, None), (s, None, None), ("MS2", None, None)],
            &[],
            1,
            (Detected, "taqpath.two_of_three", Report(Detected)),
        ),
        (
            "14: 1 of 3: retest",
            &[(o, Some("36.99"), None), (n, Some("37.00"), None), (s, None, None), ms2],
            &[],
            1,
            (Inconclusive, "taqpath.one_of_three", Retest),
        ),
        (
            "14: same again = inconclusive",
            &[(o, ORF, None), (n, None, None), (s, None, None), ms2],
            &[("taqpath.one_of_three", &["ORF1ab"], SAME)],
            1,
            (Inconclusive, "taqpath.one_of_three", Recall),
        ),
        (
            "14: 3 undetermined and MS2 < 37",
            &[(o, None, None), (n, None, None), (s, None, None), ("MS2", Some("36.99"), None)],
            &[],
            1,
            (NotDetected, "taqpath.ms2_only", Report(NotDetected)),
        ),
        (
            "14: a late target is not undetermined",
            &[(o, Some("41"), None), (n, None, None), (s, None, None), ms2],
            &[],
            1,
            (Inconclusive, "taqpath.late", Retest),
        ),
        (
            "14: all incl. MS2 undetermined: retest",
            &[(o, None, None), (n, None, None), (s, None, None), ("MS2", None, None)],
            &[],
            1,
            (Invalid, "taqpath.nothing", Retest),
        ),
        (
            "14: MS2 not below 37 proves nothing",
            &[(o, None, None), (n, None, None), (s, None, None), ("MS2", Some("37"), None)],
            &[("taqpath.nothing", &[], SAME)],
            1,
            (Invalid, "taqpath.nothing", Recall),
        ),
    ];
    play(&kit("taqpath-combo", "rutgers-2020"), lines);
}

#[test]
fn taqpath_in_duplicates_asks_both_wells_of_each_target() {
    let (o, n, s) = ("ORF1ab", "N", "S");
    let both = |target, ct| [(target, ct, None), (target, ct, None)];
    let one_of = |target, ct| [(target, ct, None), (target, None, None)];
    let tube = |o: [Shown; 2], n, s, ms2| [o, n, s, ms2].concat();
    let ms2 = || both("MS2", Some("27"));
    let two = tube(both(o, Some("39.99")), both(n, Some("39.99")), both(s, None), ms2());
    let one = tube(both(o, Some("39.99")), both(n, Some("40.00")), both(s, None), ms2());
    let one_and_half = tube(both(o, ORF), one_of(n, ORF), both(s, None), ms2());
    let halves = tube(one_of(o, ORF), one_of(n, ORF), one_of(s, ORF), ms2());
    let silent = tube(both(o, None), both(n, None), both(s, None), ms2());
    let lost = tube(both(o, None), both(n, None), both(s, None), one_of("MS2", Some("27")));
    let half_read = &silent[1..];
    let (again, open): (Before, Before) = (
        ("taqpath.one_of_three_twice", &["ORF1ab"], SAME),
        ("taqpath.one_of_two_wells", &[], SAME),
    );
    let says = |outcome, rule, disposition| -> Says { (outcome, rule, disposition) };
    let (single, half) = ("taqpath.one_of_three_twice", "taqpath.one_of_two_wells");
    let lines: &[Line<'_>] = &[
        (
            "14: 2 targets with 2/2 < 40",
            &two,
            &[],
            1,
            says(Detected, "taqpath.two_of_three_twice", Report(Detected)),
        ),
        ("14: one target 2/2", &one, &[], 1, says(Inconclusive, single, Retest)),
        ("14: repeated once", &one, &[again], 1, says(Inconclusive, single, Recall)),
        (
            "14: none, MS2 +",
            &silent,
            &[],
            1,
            says(NotDetected, "taqpath.ms2_only", Report(NotDetected)),
        ),
        ("one target 2/2, another 1/2", &one_and_half, &[], 1, says(Inconclusive, single, Retest)),
        ("1/2 of each", &halves, &[], 1, says(Inconclusive, half, Retest)),
        ("1/2 of each, again", &halves, &[open], 1, says(Inconclusive, half, Recall)),
        ("MS2 in one well proves nothing", &lost, &[], 1, says(Invalid, "taqpath.nothing", Retest)),
        (
            "a well that was not read proves nothing",
            half_read,
            &[],
            1,
            says(Invalid, "taqpath.nothing", Retest),
        ),
    ];
    let kit = kit("taqpath-combo", "duplicates-2020");
    play(&kit, lines);
    let evidence = call(&kit, "T1", &readings(&one_and_half), &TubeFacts::first_test(1));
    let cells: Vec<_> = evidence.targets.iter().map(|one| (&*one.raw_ct, one.state)).collect();
    let (amplified, grey, none) =
        (TargetState::Amplified, TargetState::Grey, TargetState::NotAmplified);
    assert_eq!(cells[..2], [("30.1 / 30.1", amplified), ("30.1 / Undetermined", grey)]);
    assert_eq!((cells[2].1, cells[3]), (none, ("27 / 27", amplified)));
}

#[test]
fn salivadirect_goes_the_way_of_its_summary_on_both_groups_of_instruments() {
    let rp: Shown = ("RP", Some("34.99"), None);
    let both: &[Line<'_>] = &[
        (
            "14: N1 positive, RP any",
            &[("N1", Some("36.99"), None), ("RP", None, None)],
            &[],
            1,
            (Detected, "salivadirect.n1", Report(Detected)),
        ),
        (
            "14: N1 >= cut-off and RP < 35",
            &[("N1", Some("40"), None), rp],
            &[],
            1,
            (NotDetected, "salivadirect.rp_only", Report(NotDetected)),
        ),
        (
            "14: RP >= 35 with N1 negative: treat again",
            &[("N1", None, None), ("RP", Some("35"), None)],
            &[],
            1,
            (Invalid, "salivadirect.no_rp", Retest),
        ),
        (
            "14: and then new material",
            &[("N1", None, None), ("RP", None, None)],
            &[("salivadirect.no_rp", &[], SAME)],
            1,
            (Invalid, "salivadirect.no_rp", Recall),
        ),
    ];
    let between: &'static [Shown] = &[("N1", Some("37"), None), ("RP", Some("30"), None)];
    let (wide, narrow) =
        (kit("salivadirect", "2020-10-below-40"), kit("salivadirect", "2020-10-below-37"));
    play(&wide, both);
    play(&narrow, both);
    play(
        &wide,
        &[("14: < 40 on CFX96", between, &[], 1, (Detected, "salivadirect.n1", Report(Detected)))],
    );
    play(
        &narrow,
        &[(
            "14: < 37 on 7500 Fast Dx",
            between,
            &[],
            1,
            (NotDetected, "salivadirect.rp_only", Report(NotDetected)),
        )],
    );
}

#[test]
fn stanford_goes_the_way_of_its_summary() {
    let (grey, none): (Before, Before) =
        (("stanford.e_40_to_45", &[], SAME), ("stanford.no_rp", &[], SAME));
    let lines: &[Line<'_>] = &[
        (
            "14: E < 40, RP any",
            &[("E", Some("39.99"), None), ("RP", None, None)],
            &[],
            1,
            (Detected, "stanford.e", Report(Detected)),
        ),
        (
            "14: E none and RP <= 35",
            &[("E", None, None), ("RP", Some("35.00"), None)],
            &[],
            1,
            (NotDetected, "stanford.rp_only", Report(NotDetected)),
        ),
        (
            "14: E 40-45: repeat from extraction",
            &[("E", Some("40"), None), ("RP", Some("30"), None)],
            &[],
            1,
            (Inconclusive, "stanford.e_40_to_45", Retest),
        ),
        (
            "14: on repeat E < 45 = detected",
            &[("E", Some("44.99"), None), ("RP", None, None)],
            &[grey],
            1,
            (Detected, "stanford.e_40_to_45_again", Report(Detected)),
        ),
        (
            "14: E none on repeat",
            &[("E", Some("45"), None), ("RP", Some("30"), None)],
            &[grey],
            1,
            (NotDetected, "stanford.rp_only", Report(NotDetected)),
        ),
        (
            "14: E none and RP > 35: repeat",
            &[("E", None, None), ("RP", Some("35.01"), None)],
            &[],
            1,
            (Invalid, "stanford.no_rp", Retest),
        ),
        (
            "14: E none and no RP, twice = unable",
            &[("E", None, None), ("RP", None, None)],
            &[none],
            1,
            (Invalid, "stanford.no_rp", Recall),
        ),
    ];
    play(&kit("stanford-e", "2020"), lines);
}
