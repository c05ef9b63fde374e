use proptest::prelude::*;

use super::*;
use crate::interpretation::controls::{VerdictCode, VerdictReason};
use crate::interpretation::workbench::{kit, orf, tube_readings};
use crate::interpretation::{TubeFacts, call};

fn good_plate() -> Verdict {
    Verdict { usable: true, reasons: vec![], flags: vec![] }
}

fn reason(code: VerdictCode) -> VerdictReason {
    VerdictReason { code, well: None, figures: String::new(), message: "for the test".to_owned() }
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
    let voided = TubeFacts { voided: true, ..TubeFacts::first_test(1) };
    assert_eq!(
        clean_negative(&negative(&voided), &good_plate()),
        Err(vec![NotClean::VoidedBefore])
    );
    let mut bare = call.clone();
    bare.targets.retain(|target| target.role == TargetRole::Pathogen);
    assert_eq!(clean_negative(&bare, &good_plate()), Err(vec![NotClean::InternalControlMissing]));
    let mut signal = call.clone();
    signal.targets[0].state = TargetState::Amplified;
    assert_eq!(clean_negative(&signal, &good_plate()), Err(vec![NotClean::PathogenSignal]));
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

proptest! {
    /// Whatever the instrument says of the curves, no negative with a pathogen Ct within a cut-off
    /// or a grey zone is released by rule.
    #[test]
    fn no_signal_hides_behind_a_clean_negative(
        cts in prop::collection::vec(prop::option::of(1000_u32..4500), 3),
        statuses in prop::collection::vec(
            prop::option::of(prop::sample::select(vec!["Amp", "No Amp", "Inconclusive"])), 3),
        code in prop::sample::select(vec![("cdc-2019-ncov", "06"), ("orf1ab-n-ic", "1")]),
    ) {
        let kit = kit(code.0, code.1);
        let mut readings = Vec::new();
        for (((_, target), ct), status) in kit.targets().zip(cts).zip(statuses) {
            let ct = ct.map(|ct| format!("{}.{:02}", ct / 100, ct % 100));
            let mut reading = tube_readings(&[(target.code.as_str(), ct.as_deref())]).remove(0);
            reading.reading.to_mut().amp_status = status.map(str::to_owned);
            readings.push(reading);
        }
        let within = kit.targets().zip(&readings).any(|((_, target), read)| {
            let Some(ct) = read.reading.ct else { return false };
            let widest = target.grey.unwrap_or(target.positive);
            target.role == TargetRole::Pathogen && widest.admits(ct)
        });
        let call = call(&kit, "T1", &readings, &TubeFacts::first_test(1));
        let clean = clean_negative(&call, &good_plate()).is_ok();
        prop_assert!(!(clean && within), "{}", call.reason);
    }
}
