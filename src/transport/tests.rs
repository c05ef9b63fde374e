use proptest::prelude::*;

use super::*;
use crate::barcode::check::mod_11_2;
use crate::transport::Taker;

fn code(number: u64) -> TubeCode {
    TubeCode::numbered(number).unwrap()
}

fn crate_code() -> BoxCode {
    BoxCode::numbered(1).unwrap()
}

fn manifest(tubes: &[u64]) -> Manifest {
    Manifest {
        code: crate_code(),
        site: "S01".to_owned(),
        seal: "Z-1".to_owned(),
        sealed: Time::from_us(0),
        tubes: tubes.iter().map(|number| code(*number)).collect(),
    }
}

fn row(number: u64) -> TubeRow {
    TubeRow {
        code: code(number),
        size: 10,
        members: 3,
        round_code: "R01".to_owned(),
        site_code: "S01".to_owned(),
        session_code: "E01".to_owned(),
        sealed: Time::from_us(0),
        recorded: Time::from_us(0),
        state: TubeState::Sealed,
        since: Time::from_us(0),
        laboratory_code: None,
        attempt: 0,
    }
}

fn sign(account: &str, at: Time) -> Signature {
    Signature { account: account.to_owned(), name: account.to_owned(), at }
}

fn custody(holder: &str, steps: Vec<Handover>) -> Custody {
    Custody {
        code: crate_code(),
        state: BoxState::Sealed,
        holder: holder.to_owned(),
        laboratory: None,
        sealed: Time::from_us(0),
        steps,
    }
}

fn offer(from: &str, to: &str, role: Option<Role>) -> Offer {
    Offer {
        given: sign(from, Time::from_us(0)),
        to: Taker { account: to.to_owned(), role },
        place: "North gate".to_owned(),
        temperature: None,
    }
}

fn kinds(reasons: &[Reason]) -> Vec<&str> {
    reasons.iter().map(|reason| reason.code.as_ref()).collect()
}

#[test]
fn a_sound_manifest_of_sealed_tubes_is_packed() {
    assert_eq!(manifest_faults(&manifest(&[1, 2]), 2, Time::from_us(0)), []);
    let known = [row(1), row(2)];
    assert_eq!(packing_faults(&manifest(&[1, 2]), &known, &BTreeMap::new()), []);
}

#[test]
fn a_card_scanned_for_a_seal_is_refused_and_not_repeated() {
    let now = Time::from_us(1_592_697_600_000_000);
    // Nobody's: region 999999 was never assigned.
    let body = "99999919900101001";
    let number = format!("{body}{}", mod_11_2(body).unwrap());
    let sealed_with = |seal: &str| {
        let manifest = Manifest { seal: seal.to_owned(), sealed: now, ..manifest(&[1]) };
        manifest_faults(&manifest, 1, now)
    };
    let reasons = sealed_with(&number);
    assert_eq!(kinds(&reasons), ["box.seal"]);
    assert!(!reasons[0].message.contains(&number), "{}", reasons[0].message);
    // Of the same length, and nobody's number.
    assert_eq!(sealed_with("999999999999999999"), []);
}

#[test]
fn a_manifest_is_refused_for_its_seal_its_time_and_its_size_at_once() {
    let ahead = Time::from_us(0) + SKEW_MAX + Span::seconds(1);
    let odd = Manifest { seal: "a\0b".to_owned(), sealed: ahead, ..manifest(&[]) };
    let reasons = manifest_faults(&odd, TUBES_MAX + 1, Time::from_us(0));
    assert_eq!(kinds(&reasons), ["text.shape", "time.future", "box.tubes"]);
    let late = Manifest { sealed: Time::from_us(0) + SKEW_MAX, ..manifest(&[1]) };
    assert_eq!(manifest_faults(&late, TUBES_MAX, Time::from_us(0)), []);
}

#[test]
fn every_tube_that_cannot_be_packed_is_named_with_its_reason() {
    let elsewhere = TubeRow { site_code: "S02".to_owned(), ..row(2) };
    let gone = TubeRow { state: TubeState::Received, ..row(3) };
    let boxed = BTreeMap::from([(code(4), BoxCode::numbered(9).unwrap())]);
    let known = [row(1), elsewhere, gone, row(4)];
    let reasons = packing_faults(&manifest(&[1, 2, 3, 4, 5]), &known, &boxed);
    assert_eq!(kinds(&reasons), ["tube.elsewhere", "tube.state", "tube.boxed", "tube.unknown"]);
    assert!(reasons[2].message.contains(BoxCode::numbered(9).unwrap().as_str()));
}

#[test]
fn only_the_holder_gives_and_only_to_another_who_carries() {
    let mine = custody("a", Vec::new());
    assert_eq!(offer_faults(&mine, &offer("a", "b", Some(Role::Courier))), []);
    assert_eq!(offer_faults(&mine, &offer("a", "b", Some(Role::Receiver))), []);
    let reasons = offer_faults(&mine, &offer("b", "b", Some(Role::Officer)));
    assert_eq!(kinds(&reasons), ["handover.holder", "handover.self", "handover.taker"]);
    assert_eq!(kinds(&offer_faults(&mine, &offer("a", "x", None))), ["handover.taker"]);
    let there = Custody { state: BoxState::Arrived, ..mine };
    let reasons = offer_faults(&there, &offer("a", "b", Some(Role::Courier)));
    assert_eq!(kinds(&reasons), ["box.arrived"]);
}

#[test]
fn a_step_needs_its_second_signature_before_the_next() {
    let first = custody("a", Vec::new()).offer(offer("a", "b", Some(Role::Courier))).unwrap();
    assert_eq!((first.step, &first.taken), (1, &None));
    let open = custody("a", vec![first]);
    let stranger = open.clone().accept(1, sign("c", Time::from_us(1))).unwrap().unwrap_err();
    assert_eq!(kinds(&stranger), ["handover.not_named"]);
    assert_eq!(open.clone().accept(2, sign("b", Time::from_us(1))), None);
    let accepted = open.accept(1, sign("b", Time::from_us(1))).unwrap().unwrap();
    let crate::transport::Acceptance::Fresh(taken) = accepted else { panic!("it is fresh") };
    let passed = custody("b", vec![taken.clone()]);
    let again = passed.clone().accept(1, sign("b", Time::from_us(9))).unwrap();
    assert_eq!(again, Ok(crate::transport::Acceptance::Repeated(taken)));
    assert_eq!(passed.offer(offer("b", "c", Some(Role::Receiver))).unwrap().step, 2);
}

#[test]
fn whoever_never_signs_is_passed_over_and_cannot_sign_later() {
    let first = custody("a", Vec::new()).offer(offer("a", "ill", Some(Role::Courier))).unwrap();
    let open = custody("a", vec![first.clone()]);
    assert_eq!(open.open(), Some(&first));
    let second = open.offer(offer("a", "b", Some(Role::Courier))).unwrap();
    assert_eq!((second.step, second.is_open()), (2, true));
    let withdrawn = Handover { withdrawn: Some(Time::from_us(1)), ..first };
    let both = custody("a", vec![withdrawn, second.clone()]);
    assert_eq!(both.open(), Some(&second));
    let late = both.clone().accept(1, sign("ill", Time::from_us(2))).unwrap().unwrap_err();
    assert_eq!(kinds(&late), ["handover.withdrawn"]);
    assert!(both.accept(2, sign("b", Time::from_us(2))).unwrap().is_ok());
}

#[test]
fn a_step_does_not_lie_before_the_step_before_it() {
    let (now, tick) = (Time::from_us(0) + Span::days(30), Span::seconds(1));
    let fault = |at, before| sequence_fault("at", at, before, now).map(|reason| reason.code);
    let before = now - Span::hours(1);
    assert_eq!(fault(before - BACK_MAX, before), None);
    assert_eq!(fault(before - BACK_MAX - tick, before), Some("time.early".into()));
    let ahead = now + SKEW_MAX;
    assert_eq!(fault(now - BACK_MAX, ahead), None, "a fast clock holds nobody up");
    assert_eq!(fault(now - BACK_MAX - tick, ahead), Some("time.early".into()));
}

#[test]
fn what_is_older_than_a_week_is_a_wrong_clock() {
    let (now, tick) = (Time::from_us(0) + Span::days(30), Span::seconds(1));
    assert_eq!(age_fault("at", now - AGE_MAX, now), None);
    assert_eq!(age_fault("at", now - AGE_MAX - tick, now).unwrap().code, "time.past");
    assert_eq!(seal_time_faults(now, Some(now), now), []);
    assert_eq!(seal_time_faults(now, None, now), []);
    let reasons = seal_time_faults(now - AGE_MAX - tick, Some(now), now);
    assert_eq!(kinds(&reasons), ["time.past", "time.early"]);
}

#[test]
fn the_newest_signature_of_a_box_is_its_seal_until_somebody_signs() {
    let hour = |n| Time::from_us(0) + Span::hours(n);
    let fresh = custody("a", Vec::new());
    assert_eq!(fresh.latest(), fresh.sealed);
    let given = Offer { given: sign("a", hour(1)), ..offer("a", "b", Some(Role::Courier)) };
    let step = fresh.offer(given).unwrap();
    assert_eq!(custody("a", vec![step.clone()]).latest(), hour(1));
    let taken = Handover { taken: Some(sign("b", hour(2))), ..step };
    assert_eq!(custody("b", vec![taken]).latest(), hour(2));
}

#[test]
fn a_tube_keeps_four_hours_warm_and_a_day_cooled() {
    let (tube, taken) = (code(1), Time::from_us(0));
    let warnings = |temperatures: &[i64], after: Span| {
        let shown: Vec<_> = temperatures
            .iter()
            .map(|hundredths| ("step 1".to_owned(), Celsius::hundredths(*hundredths)))
            .collect();
        let kept = [Keeping { tube: &tube, taken }];
        let reasons = keeping_warnings(&crate_code(), kept, &shown, taken + after);
        reasons.into_iter().map(|reason| reason.code.into_owned()).collect::<Vec<_>>()
    };
    let tick = Span::seconds(1);
    let none: [&str; 0] = [];
    assert_eq!(warnings(&[], HOLD_ROOM), none);
    assert_eq!(warnings(&[], Span::minutes(241)), ["box.late"]);
    assert_eq!(warnings(&[800, 200, -7850], HOLD_COOLED), none);
    assert_eq!(warnings(&[400], Span::minutes(24 * 60 + 1)), ["box.late"]);
    assert_eq!(warnings(&[400, 801], tick), ["box.warm"]);
    assert_eq!(warnings(&[400, 801], Span::hours(5)), ["box.warm", "box.late"]);
}

#[test]
fn a_text_that_prints_is_kept() {
    assert_eq!(text_fault("place", "北门 3"), None);
    assert_eq!(text_fault("place", &"ä".repeat(TEXT_MAX)), None);
    for bad in ["", "  ", "a\0", "a\nb", &"ä".repeat(TEXT_MAX + 1)] {
        assert!(text_fault("place", bad).is_some(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn a_manifest_differs_from_another_by_as_many_tubes_as_are_in_one_alone(
        ours in proptest::collection::btree_set(0_u64..30, 1..20),
        theirs in proptest::collection::btree_set(0_u64..30, 1..20),
    ) {
        let in_order = |set: &BTreeSet<u64>| set.iter().copied().collect::<Vec<_>>();
        let reasons =
            manifest_differences(&manifest(&in_order(&ours)), &manifest(&in_order(&theirs)));
        prop_assert_eq!(reasons.len(), ours.symmetric_difference(&theirs).count());
    }

    #[test]
    fn any_changed_field_changes_the_tag(
        seal in "[a-z|:0-9]{1,9}", site in "[a-z|:0-9]{1,9}", us in any::<i64>(),
    ) {
        let keys = crate::seal::KeyRing::generate();
        let other = Manifest { seal, site, sealed: Time::from_us(us), ..manifest(&[1]) };
        prop_assert_eq!(other.tag(&keys) == manifest(&[1]).tag(&keys), other == manifest(&[1]));
        let more = Manifest { tubes: vec![code(1), code(2)], ..other.clone() };
        prop_assert_ne!(more.tag(&keys), other.tag(&keys));
    }
}
