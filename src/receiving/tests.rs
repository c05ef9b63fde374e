use proptest::prelude::*;

use super::*;
use crate::clock::Time;

fn code(number: u64) -> TubeCode {
    TubeCode::numbered(number).unwrap()
}

fn known(number: u64, state: TubeState) -> Known {
    let laboratory = (state == TubeState::Received).then(|| "L01".to_owned());
    Known { code: code(number), members: 3, is_single: false, state, laboratory }
}

fn scan(number: u64) -> Scan {
    Scan { tube: code(number), swab_count: None, refused: None }
}

/// Compares a manifest and known tubes with a scan in laboratory L01.
fn reconcile(manifest: &[u64], tubes: &[Known], scanned: &[Scan]) -> Findings {
    let manifest = manifest.iter().map(|number| code(*number)).collect();
    let known = tubes.iter().map(|tube| (tube.code.clone(), tube.clone())).collect();
    let crate_code = BoxCode::numbered(1).unwrap();
    Comparison { code: &crate_code, laboratory: "L01", manifest: &manifest, known: &known }
        .reconcile(scanned)
}

fn finding(findings: &Findings, number: u64) -> Option<(Finding, Option<Refusal>)> {
    let found = findings.found.iter().find(|one| one.tube == code(number));
    found.map(|one| (one.finding, one.refusal))
}

fn warnings(findings: &Findings) -> Vec<&str> {
    findings.warnings.iter().map(|reason| reason.code.as_ref()).collect()
}

#[test]
fn what_is_listed_and_scanned_is_accepted_quietly() {
    let tubes = [known(1, TubeState::Packed), known(2, TubeState::Missing)];
    let findings = reconcile(&[1, 2], &tubes, &[scan(2), scan(1)]);
    assert_eq!(finding(&findings, 1), Some((Finding::Accepted, None)));
    assert_eq!(finding(&findings, 2), Some((Finding::Accepted, None)));
    assert_eq!(findings.found[1].step, Some((TubeState::Missing, TubeState::Received)));
    assert!(findings.warnings.is_empty());
}

#[test]
fn a_swab_count_that_is_not_the_members_refuses_the_tube() {
    let tubes = [known(1, TubeState::Packed)];
    let counted = |count| [Scan { swab_count: Some(count), ..scan(1) }];
    let right = reconcile(&[1], &tubes, &counted(3));
    assert_eq!(finding(&right, 1), Some((Finding::Accepted, None)));
    let wrong = reconcile(&[1], &tubes, &counted(2));
    assert_eq!(finding(&wrong, 1), Some((Finding::Refused, Some(Refusal::SwabCount))));
    let seen = [Scan { swab_count: Some(2), refused: Some(Refusal::Leak), ..scan(1) }];
    let seen = reconcile(&[1], &tubes, &seen);
    assert_eq!(finding(&seen, 1), Some((Finding::Refused, Some(Refusal::Leak))));
}

#[test]
fn what_is_listed_and_not_scanned_is_missing_unless_it_is_elsewhere() {
    use TubeState::{Closed, Missing, Packed, Plated, Received, Refused};
    let states = [Packed, Missing, Received, Refused, Plated, Closed];
    let tubes: Vec<_> = (1..).zip(states).map(|(number, state)| known(number, state)).collect();
    let findings = reconcile(&[1, 2, 3, 4, 5, 6], &tubes, &[]);
    let missing: Vec<_> = findings.found.iter().map(|one| (&one.tube, one.step)).collect();
    assert_eq!(missing, [(&code(1), Some((Packed, Missing))), (&code(2), None)]);
}

#[test]
fn a_stray_is_taken_in_if_somebody_is_known_to_be_in_it() {
    let tubes = [known(7, TubeState::Sealed)];
    let findings = reconcile(&[], &tubes, &[scan(7), scan(8)]);
    assert_eq!(finding(&findings, 7), Some((Finding::Unexpected, None)));
    assert_eq!(findings.found[0].step, Some((TubeState::Sealed, TubeState::Received)));
    assert_eq!(finding(&findings, 8), Some((Finding::Unexpected, None)));
    assert_eq!(findings.found[1].step, None);
    assert_eq!(warnings(&findings), ["tube.unexpected", "tube.unexpected", "tube.unknown"]);
}

#[test]
fn what_was_received_before_is_not_received_again() {
    for state in TubeState::ALL {
        let findings = reconcile(&[1], &[known(1, state)], &[scan(1)]);
        let is_new = matches!(state, TubeState::Sealed | TubeState::Packed | TubeState::Missing);
        assert_eq!(finding(&findings, 1).is_some(), is_new, "{state:?}");
        assert_eq!(warnings(&findings) == ["tube.already_received"], !is_new, "{state:?}");
    }
}

#[test]
fn a_received_tube_is_refused_later_by_its_own_laboratory_alone() {
    let spoiled = [Scan { refused: Some(Refusal::LabIncident), ..scan(1) }];
    let ours = reconcile(&[1], &[known(1, TubeState::Received)], &spoiled);
    assert_eq!(ours.found[0].step, Some((TubeState::Received, TubeState::Refused)));
    let theirs = Known { laboratory: Some("L02".to_owned()), ..known(1, TubeState::Received) };
    let theirs = reconcile(&[1], &[theirs], &spoiled);
    assert_eq!((theirs.found.len(), warnings(&theirs)), (0, vec!["tube.already_received"]));
    let plated = reconcile(&[1], &[known(1, TubeState::Plated)], &spoiled);
    assert!(plated.found.is_empty());
    assert!(plated.warnings[0].message.contains("reviewer"));
}

#[test]
fn counts_and_lengths_are_bounded() {
    assert!(scan_faults(&[None, Some(0), Some(99)]).is_empty());
    let reasons = scan_faults(&[Some(-1), None, Some(100)]);
    let about: Vec<_> = reasons.iter().map(|reason| reason.about.as_str()).collect();
    assert_eq!(about, ["scanned[0].swab_count", "scanned[2].swab_count"]);
    assert_eq!(scan_faults(&[None; SCANNED_MAX + 1]).len(), 1);
}

#[test]
fn a_box_without_a_hand_over_or_with_a_broken_seal_is_odd() {
    let code = BoxCode::numbered(1).unwrap();
    let state = BoxState::InTransit;
    let custody = Custody {
        code,
        state,
        holder: "me".to_owned(),
        laboratory: None,
        sealed: Time::from_us(0),
        steps: Vec::new(),
    };
    assert_eq!(box_warnings(&custody, "me", true), []);
    let reasons = box_warnings(&custody, "you", false);
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_ref()).collect();
    assert_eq!(codes, ["box.custody_gap", "box.seal_broken"]);
    let there = Custody { state: BoxState::Arrived, ..custody };
    assert_eq!(box_warnings(&there, "you", true), []);
}

#[test]
fn a_box_arrives_at_one_laboratory_as_often_as_it_likes() {
    let code = BoxCode::numbered(1).unwrap();
    let way = Custody {
        code,
        state: BoxState::InTransit,
        holder: "me".to_owned(),
        laboratory: None,
        sealed: Time::from_us(0),
        steps: Vec::new(),
    };
    assert_eq!(elsewhere(&way, "L01"), None);
    let here = Custody { state: BoxState::Arrived, laboratory: Some("L01".to_owned()), ..way };
    assert_eq!(elsewhere(&here, "L01"), None);
    assert_eq!(elsewhere(&here, "L02").unwrap().code, "box.elsewhere");
}

fn any_state() -> impl Strategy<Value = TubeState> {
    proptest::sample::select(TubeState::ALL.to_vec())
}

proptest! {
    /// Nothing is lost: every scanned tube is found or warned about, every listed tube that lies
    /// in the box by the record is found, and every move is one the schema allows.
    #[test]
    fn every_tube_is_accounted_for(
        states in proptest::collection::vec(any_state(), 20),
        listed in proptest::collection::btree_set(0_u64..20, 0..20),
        scanned in proptest::collection::btree_set(0_u64..25, 0..25),
        refused in any::<u64>(),
    ) {
        let tubes: Vec<_> =
            (0..).zip(&states).map(|(number, state)| known(number, *state)).collect();
        let scans: Vec<_> = scanned.iter().map(|number| {
            let refused = (refused >> number & 1 == 1).then_some(Refusal::Broken);
            Scan { refused, ..scan(*number) }
        }).collect();
        let listed: Vec<_> = listed.into_iter().collect();
        let findings = reconcile(&listed, &tubes, &scans);
        let mut found = BTreeSet::new();
        for one in &findings.found {
            prop_assert!(found.insert(one.tube.clone()), "{} is found twice", one.tube);
            prop_assert_eq!(one.finding == Finding::Refused, one.refusal.is_some());
            if let Some((from, to)) = one.step {
                prop_assert!(from.may_become(to));
            }
        }
        for number in &scanned {
            let code = code(*number);
            let is_warned = findings.warnings.iter().any(|warning| warning.about == code.as_str());
            prop_assert!(found.contains(&code) || is_warned);
        }
        for (number, state) in (0..).zip(&states) {
            if listed.contains(&number) && *state == TubeState::Packed {
                prop_assert!(found.contains(&code(number)));
            }
        }
    }
}
