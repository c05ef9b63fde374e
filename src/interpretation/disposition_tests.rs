use super::*;
use crate::interpretation::controls::{VerdictCode, VerdictReason};
use crate::interpretation::workbench::{orf, tube_readings};
use crate::interpretation::{TubeFacts, call};

fn good_plate() -> Verdict {
    Verdict { usable: true, reasons: vec![], flags: vec![] }
}

fn reason(code: VerdictCode) -> VerdictReason {
    VerdictReason { code, well: None, message: "for the test".to_owned() }
}

fn negative(facts: &TubeFacts) -> Call {
    let readings = tube_readings(&[("ORF1ab", None), ("N", None), ("IC", Some("26"))]);
    call(&orf(), "T1", &readings, facts)
}

#[test]
fn a_clean_negative_is_released_by_rule_single_or_pool() {
    for size in [1, 10] {
        let call = negative(&TubeFacts::first_test(size));
        assert_eq!(clean_negative(&call, &good_plate()), Ok(()));
    }
}

#[test]
fn each_blemish_keeps_a_negative_from_release_by_rule() {
    let call = negative(&TubeFacts::first_test(1));
    let void = Verdict { usable: false, ..good_plate() };
    assert_eq!(clean_negative(&call, &void), Err(vec![NotClean::PlateUnusable]));
    let flagged = Verdict { flags: vec![reason(VerdictCode::WeakBesideStrong)], ..good_plate() };
    assert_eq!(clean_negative(&call, &flagged), Err(vec![NotClean::PlateFlagged]));
    let second = TubeFacts { attempt: 2, ..TubeFacts::first_test(1) };
    assert_eq!(
        clean_negative(&negative(&second), &good_plate()),
        Err(vec![NotClean::TestedBefore])
    );
    let mut bare = call.clone();
    bare.targets.retain(|target| target.role == TargetRole::Pathogen);
    assert_eq!(clean_negative(&bare, &good_plate()), Err(vec![NotClean::InternalControlMissing]));
    let mut grey = call;
    grey.targets[0].state = TargetState::Grey;
    assert_eq!(clean_negative(&grey, &good_plate()), Err(vec![NotClean::GreyTarget]));
}

#[test]
fn nothing_but_a_negative_is_released_by_rule_and_every_reason_is_given() {
    let readings = tube_readings(&[("ORF1ab", Some("38.5")), ("N", None), ("IC", None)]);
    let call = call(&orf(), "T1", &readings, &TubeFacts::first_test(1));
    let verdict = Verdict {
        usable: false,
        reasons: vec![reason(VerdictCode::ControlMissing)],
        flags: vec![reason(VerdictCode::WeakBesideStrong)],
    };
    assert_eq!(
        clean_negative(&call, &verdict),
        Err(vec![
            NotClean::NotNegative,
            NotClean::PlateUnusable,
            NotClean::PlateFlagged,
            NotClean::InternalControlMissing,
            NotClean::GreyTarget,
        ])
    );
}
