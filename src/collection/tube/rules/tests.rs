use proptest::prelude::*;

use super::*;
use crate::barcode::PlaceCode;
use crate::collection::person::DocumentType;
use crate::collection::place::Hours;
use crate::collection::tube::{DeviceScan, Flag};

fn now() -> Time {
    "2020-06-21T08:00:00Z".parse().unwrap()
}

fn shift() -> Shift {
    Shift {
        session: PlaceCode::parse("W01").unwrap(),
        site: "S01".into(),
        round: "R01".into(),
        tube_size: 10,
        starts: now() - Span::days(30),
        ends: now() + Span::days(1),
        hours: Hours { opens: now() - Span::hours(1), closes: now() + Span::hours(8) },
    }
}

fn member(n: usize) -> MemberScan {
    MemberScan {
        document: DocumentScan {
            kind: DocumentType::Passport,
            issuer: Some("USA".into()),
            number: format!("E{n:08}"),
        },
        name: format!("Canary {n}"),
        phone: None,
        address: None,
        taken_at: now() - Span::minutes(10),
    }
}

fn scan(size: u8, members: usize) -> TubeScan {
    TubeScan {
        code: None,
        event_id: "01729c5a-0000-7000-8000-000000000001".parse().unwrap(),
        session: PlaceCode::parse("W01").unwrap(),
        size,
        swab_count: u8::try_from(members).unwrap(),
        underfilled: members < usize::from(size),
        sealed_at: now() - Span::minutes(1),
        device: DeviceScan { id: "D01".into(), sequence: 1, time: now() },
        members: (0..members).map(member).collect(),
    }
}

fn judge(scan: TubeScan) -> Result<SealedTube, Vec<Reason>> {
    judge_in(scan, Some(&shift()), &KeyRing::generate())
}

fn judge_in(
    scan: TubeScan,
    shift: Option<&Shift>,
    keys: &KeyRing,
) -> Result<SealedTube, Vec<Reason>> {
    let recorder = Recorder { account: "A", keys, now: now() };
    seal((Ok(TubeCode::numbered(1).unwrap()), Standing::New), scan, shift, recorder)
}

/// The `number`th tube with one person, sealed as the event with that number.
pub(in crate::collection::tube) fn sealed(number: u64, event: u32) -> SealedTube {
    let keys = KeyRing::generate();
    let recorder = Recorder { account: "A", keys: &keys, now: now() };
    let event = format!("01729c5a-0000-7000-8000-0000{event:08}").parse().unwrap();
    let sent = TubeScan { event_id: event, ..scan(1, 1) };
    let code = TubeCode::numbered(number).unwrap();
    seal((Ok(code), Standing::New), sent, Some(&shift()), recorder).unwrap()
}

fn refusals(scan: TubeScan) -> Vec<(String, String)> {
    let reasons = judge(scan).unwrap_err();
    reasons.into_iter().map(|reason| (reason.code.into_owned(), reason.about)).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(code, about)| ((*code).to_owned(), (*about).to_owned())).collect()
}

#[test]
fn full_underfilled_and_single_tubes_are_sealed() {
    for (size, members) in [(10, 10), (10, 1), (5, 5), (1, 1)] {
        let tube = judge(scan(size, members)).unwrap();
        assert_eq!((tube.size, tube.members.len()), (size, members));
    }
}

#[test]
fn swabs_people_and_size_must_agree() {
    let wrong = TubeScan { swab_count: 9, ..scan(10, 10) };
    assert_eq!(refusals(wrong), pairs(&[("tube.swab_count", "swab_count")]));
    let silent = TubeScan { underfilled: false, ..scan(10, 9) };
    assert_eq!(refusals(silent), pairs(&[("tube.underfilled", "underfilled")]));
    let boastful = TubeScan { underfilled: true, ..scan(10, 10) };
    assert_eq!(refusals(boastful), pairs(&[("tube.underfilled", "underfilled")]));
    assert_eq!(refusals(scan(10, 0)), pairs(&[("tube.members", "members")]));
    assert_eq!(refusals(scan(5, 6)), pairs(&[("tube.members", "members")]));
    assert_eq!(refusals(scan(3, 3)), pairs(&[("tube.size", "size")]));
    assert_eq!(refusals(scan(20, 20)), pairs(&[("tube.size", "size")]));
    assert_eq!(refusals(scan(10, 21)), pairs(&[("tube.members", "members")]));
}

#[test]
fn a_person_is_once_in_a_tube_however_the_number_is_typed() {
    let mut twice = scan(10, 3);
    twice.members[2].document.number = " e00000000 ".into();
    let reasons = judge(twice).unwrap_err();
    assert_eq!(reasons[0].about, "members[2].document");
    assert!(reasons[0].message.contains("members[0]"));
}

#[test]
fn times_ahead_in_the_wrong_order_too_old_or_outside_the_round_are_refused() {
    let ahead = TubeScan { sealed_at: now() + Span::minutes(6), ..scan(1, 1) };
    assert_eq!(refusals(ahead), pairs(&[("tube.future", "sealed_at")]));
    let mut late = scan(1, 1);
    late.members[0].taken_at = now();
    assert_eq!(refusals(late), pairs(&[("tube.sealed_before_taken", "members[0].taken_at")]));
    let mut old = scan(1, 1);
    old.members[0].taken_at = now() - Span::days(7) - Span::seconds(1);
    assert_eq!(refusals(old), pairs(&[("tube.too_old", "members[0].taken_at")]));
    let over = Shift { ends: now() - Span::minutes(7), ..shift() };
    let reasons = judge_in(scan(1, 1), Some(&over), &KeyRing::generate()).unwrap_err();
    assert_eq!(
        reasons.iter().map(|reason| reason.about.as_str()).collect::<Vec<_>>(),
        ["sealed_at"]
    );
}

#[test]
fn a_tube_that_is_stored_is_not_judged_by_the_clock_again() {
    let keys = KeyRing::generate();
    let recorder = Recorder { account: "A", keys: &keys, now: now() + Span::days(40) };
    let code = || Ok(TubeCode::numbered(1).unwrap());
    for (standing, count) in [(Standing::New, 4), (Standing::Stored, 0)] {
        let mut late = scan(1, 1);
        late.device.time = recorder.now;
        let reasons = seal((code(), standing), late, Some(&shift()), recorder).err();
        assert_eq!(reasons.unwrap_or_default().len(), count, "too old and outside its round");
    }
    let miscounted = TubeScan { swab_count: 2, ..scan(1, 1) };
    assert!(seal((code(), Standing::Stored), miscounted, Some(&shift()), recorder).is_err());
}

#[test]
fn times_at_their_limits_are_taken() {
    let mut scan = scan(1, 1);
    scan.members[0].taken_at = now() - Span::days(7);
    scan.sealed_at = now() + CLOCK_TOLERANCE;
    assert!(judge(scan).is_ok());
}

#[test]
fn a_device_that_is_a_day_ahead_is_judged_by_its_own_clock_and_flagged() {
    let mut ahead = scan(1, 1);
    let day = Span::days(1);
    ahead.device.time = ahead.device.time + day;
    ahead.sealed_at = ahead.sealed_at + day;
    ahead.members[0].taken_at = ahead.members[0].taken_at + day;
    let tube = judge(ahead).unwrap();
    assert_eq!(tube.sealed, now() - Span::minutes(1));
    assert_eq!(tube.members[0].taken, now() - Span::minutes(10));
    assert_eq!(device_time(tube.sealed, tube.skew), now() - Span::minutes(1) + day);
    assert_eq!(tube.recorded().flags, [Flag::ClockSkew]);
    let mut slow = scan(1, 1);
    slow.device.time = slow.device.time - CLOCK_TOLERANCE;
    assert_eq!(judge(slow).unwrap().recorded().flags, []);
}

#[test]
fn a_tube_sealed_hours_outside_its_session_is_flagged_and_taken() {
    let sealed = now() - Span::minutes(1);
    let (just, more) = (SESSION_TOLERANCE, Span::seconds(2 * 3600 + 1));
    let (early, late) = (Span::hours(-9), Span::hours(9));
    let cases = [
        (Hours { opens: sealed + just, closes: sealed - early }, &[][..]),
        (Hours { opens: sealed + more, closes: sealed - early }, &[Flag::SessionHours]),
        (Hours { opens: sealed - late, closes: sealed - just }, &[]),
        (Hours { opens: sealed - late, closes: sealed - more }, &[Flag::SessionHours]),
    ];
    for (hours, flags) in cases {
        let shift = Shift { hours, ..shift() };
        let mut ahead = scan(1, 1);
        for skew in [Span::hours(0), Span::minutes(4)] {
            ahead.device.time = now() + skew;
            ahead.sealed_at = sealed + skew;
            ahead.members[0].taken_at = sealed + skew;
            let tube = judge_in(ahead.clone(), Some(&shift), &KeyRing::generate()).unwrap();
            assert_eq!(tube.recorded().flags, flags, "{hours:?}");
        }
    }
}

#[test]
fn events_and_devices_must_be_named_as_agreed() {
    let mut wrong = scan(1, 1);
    wrong.event_id = "11111111-1111-4111-8111-111111111111".parse().unwrap();
    wrong.device.id = "D 01".into();
    assert_eq!(
        refusals(wrong),
        pairs(&[("tube.event_id", "event_id"), ("tube.device", "device.id")])
    );
}

#[test]
fn every_reason_is_told_at_once_and_nobody_is_named() {
    let mut wrong = TubeScan { size: 3, swab_count: 9, underfilled: true, ..scan(3, 2) };
    wrong.members[1].document.number = "canary".repeat(9);
    wrong.members[0].name = "Canary\u{1}".into();
    wrong.sealed_at = now() + Span::days(1);
    let reasons = judge_in(wrong, Some(&shift()), &KeyRing::generate()).unwrap_err();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_ref()).collect();
    assert_eq!(
        codes,
        ["tube.size", "tube.swab_count", "tube.future", "person.contact", "person.document"]
    );
    assert!(!format!("{reasons:?}").to_lowercase().contains("canary"));
}

#[test]
fn a_session_nobody_put_and_an_unreadable_code_are_told_together() {
    let keys = KeyRing::generate();
    let recorder = Recorder { account: "A", keys: &keys, now: now() };
    let unreadable = Err(Reason::new("code.unreadable", "code", "no code"));
    let reasons = seal((unreadable, Standing::New), scan(1, 1), None, recorder).unwrap_err();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_ref()).collect();
    assert_eq!(codes, ["code.unreadable", "tube.session"]);
}

#[test]
fn a_sealed_tube_holds_nobody_in_clear() {
    let tube = judge(scan(10, 10)).unwrap();
    let shown = format!("{tube:?}");
    assert!(!shown.contains("Canary") && !shown.contains("E00000001"));
}

proptest! {
    #[test]
    fn content_is_the_same_exactly_when_what_was_sealed_is(
        members in 1..=10_usize,
        later in 0..3_i64,
        change in 0..6_u8,
    ) {
        let keys = KeyRing::generate();
        let first = judge_in(scan(10, members), Some(&shift()), &keys).unwrap();
        let mut again = scan(10, members);
        again.device.time = again.device.time + Span::minutes(later);
        match change {
            1 => again.members[0].taken_at = again.members[0].taken_at - Span::seconds(1),
            2 => again.members[0].phone = Some("1".into()),
            3 => again.members[0].document.number = "F1234567".into(),
            4 => again.device.sequence = 2,
            5 => again.members[0].document.issuer = Some("GBR".into()),
            _ => {}
        }
        let again = judge_in(again, Some(&shift()), &keys).unwrap();
        prop_assert_eq!(first.content_tag == again.content_tag, change == 0);
    }

    #[test]
    fn a_tube_is_sealed_exactly_when_its_counts_agree(
        size in 0..25_u8,
        members in 0..23_usize,
        swab_count in 0..23_u8,
        underfilled: bool,
    ) {
        let sent = TubeScan { swab_count, underfilled, ..scan(size, members) };
        let agree = [1, 5, 10].contains(&size)
            && (1..=usize::from(size)).contains(&members)
            && usize::from(swab_count) == members
            && underfilled == (members < usize::from(size));
        prop_assert_eq!(judge(sent).is_ok(), agree);
    }
}
