use proptest::prelude::*;

use super::*;

fn share(positive: u64, people: u64) -> Share {
    Share { people, positive }
}

fn pooled(positive: u64, people: u64) -> Figures {
    Figures { pooled: share(positive, people), ..Figures::default() }
}

#[test]
fn pooling_is_stopped_above_a_quarter_and_not_at_it() {
    assert_eq!(stop(&pooled(25, 100)), None);
    let reason = stop(&pooled(26, 100)).unwrap();
    assert_eq!(reason.code, "pooling.stopped");
    assert!(reason.message.contains("26 of 100") && reason.message.contains("26.0 %"));
    assert!(reason.message.contains("test every tube alone"));
}

#[test]
fn a_share_of_few_people_stops_nothing() {
    assert_eq!(stop(&pooled(19, 19)), None);
    assert!(stop(&pooled(6, 20)).is_some());
    assert_eq!(stop(&pooled(5, 20)), None);
}

#[test]
fn single_tests_decide_where_hardly_anything_was_pooled() {
    let single = |positive| Figures { single: share(positive, 100), ..pooled(0, 19) };
    assert_eq!(stop(&single(25)), None);
    assert!(stop(&single(26)).unwrap().message.contains("tested alone"));
    // As soon as enough were pooled, they decide.
    assert_eq!(stop(&Figures { single: share(90, 100), ..pooled(1, 20) }), None);
}

#[test]
fn pools_that_find_less_than_85_percent_of_what_single_tests_found_are_reassessed() {
    let history = Some(Baseline::History(share(100, 1000)));
    let of = |positive| Figures { baseline: history, ..pooled(positive, 1000) };
    assert_eq!(reassess(&of(85)), None);
    assert_eq!(reassess(&of(84)).unwrap().code, "pooling.reassess");
    assert_eq!(standing(&of(84), &of(84)).0, Standing::Reassess);
    assert_eq!(standing(&of(85), &of(85)), (Standing::GoOn, Vec::new()));
}

#[test]
fn without_a_history_pools_are_compared_with_their_own_first_days_at_90_percent() {
    let initial = Some(Baseline::Initial(share(100, 1000)));
    let of = |positive| Figures { baseline: initial, ..pooled(positive, 1000) };
    assert_eq!(reassess(&of(90)), None);
    assert!(reassess(&of(89)).is_some());
    assert_eq!(reassess(&pooled(0, 1000)), None, "nothing to compare with");
}

#[test]
fn nothing_is_compared_before_ten_positives_were_to_be_expected() {
    let history = Some(Baseline::History(share(10, 1000)));
    let of = |people| Figures { baseline: history, ..pooled(0, people) };
    assert_eq!(reassess(&of(999)), None);
    assert!(reassess(&of(1000)).is_some());
    // A history without a positive says nothing.
    let silent = Some(Baseline::History(share(0, 1000)));
    assert_eq!(reassess(&Figures { baseline: silent, ..pooled(0, 5000) }), None);
    let nobody = Some(Baseline::History(Share::default()));
    assert_eq!(reassess(&Figures { baseline: nobody, ..pooled(0, 5000) }), None);
}

#[test]
fn a_stop_goes_before_a_reassessment_and_both_reasons_are_given() {
    let history = Some(Baseline::History(share(500, 1000)));
    let figures = Figures { baseline: history, ..pooled(300, 1000) };
    let (standing, reasons) = standing(&figures, &figures);
    assert_eq!((standing, reasons.len()), (Standing::Stopped, 2));
}

#[test]
fn a_version_is_stopped_by_what_all_versions_found() {
    let few = pooled(4, 12);
    assert_eq!(standing(&few, &few).0, Standing::GoOn, "twelve people say nothing");
    assert_eq!(standing(&few, &few.plus(&few)).0, Standing::Stopped);
}

#[test]
fn ten_positives_decide_or_ask_for_ten_more() {
    let expected = [
        (10, Decision::GoOn),
        (9, Decision::GoOn),
        (8, Decision::TestTenMore),
        (7, Decision::Smaller),
        (0, Decision::Smaller),
    ];
    for (found, decision) in expected {
        assert_eq!(assess(10, found).unwrap(), decision, "{found} of 10");
    }
    for (found, decision) in [
        (20, Decision::GoOn),
        (17, Decision::GoOn),
        (16, Decision::Smaller),
        (8, Decision::Smaller),
    ] {
        assert_eq!(assess(20, found).unwrap(), decision, "{found} of 20");
    }
}

#[test]
fn other_counts_are_no_assessment() {
    for (positives, found, reasons) in [(9, 9, 1), (11, 3, 1), (0, 0, 1), (10, 11, 1), (3, 4, 2)] {
        assert_eq!(assess(positives, found).unwrap_err().len(), reasons, "{found} of {positives}");
    }
}

#[test]
fn after_pools_were_found_wanting_only_smaller_ones_are_made() {
    assert_eq!(against_size(None, 5), None);
    assert_eq!(against_size(Some(5), 4), None);
    assert!(against_size(Some(5), 5).unwrap().message.contains("4 tubes at most"));
    assert!(against_size(Some(2), 2).unwrap().message.contains("alone"));
}

#[test]
fn a_share_is_written_in_percent() {
    assert_eq!(share(1, 3).percent(), "33.3 %");
    assert_eq!(share(2, 3).percent(), "66.7 %");
    assert_eq!(share(0, 0).percent(), "-");
    assert_eq!(share(7, 7).percent(), "100.0 %");
}

proptest! {
    #[test]
    fn more_positives_never_end_a_stop_nor_begin_a_reassessment(
        people in 1_u64..2_000, positive in 0_u64..2_000, base in 1_u64..500,
    ) {
        let positive = positive % people;
        let baseline = Some(Baseline::History(share(base, 1_000)));
        let of = |positive| Figures { baseline, ..pooled(positive, people) };
        let (fewer, more) = (of(positive), of(positive + 1));
        prop_assert!(stop(&fewer).is_none() || stop(&more).is_some());
        prop_assert!(reassess(&more).is_none() || reassess(&fewer).is_some());
    }
}
