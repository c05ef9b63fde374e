use proptest::prelude::*;

use super::*;
use crate::ledger::Sum;

const SEALED: Time = Time::from_us(1_592_697_600_000_000);

fn sealed() -> Evidence {
    Evidence {
        code: "T1".to_owned(),
        site: "S01".to_owned(),
        laboratory: None,
        state: TubeState::Sealed,
        since: SEALED,
        sealed: SEALED,
        result_hours: Some(24),
        declared: 10,
        members: 10,
        boxed: false,
        finding: None,
        plates: 0,
        called: 0,
        given_up: 0,
        calls: 0,
        reports: 0,
        ended: 0,
        results: 0,
        newest: 0,
        withdrawn: 0,
        recalls: 0,
        recalled: 0,
        missed: 0,
        told: 0,
        told_otherwise: 0,
        told_since: 0,
        seeded: false,
    }
}

/// What honest work leaves behind in each state.
fn honest(state: TubeState) -> Evidence {
    let base = Evidence { state, boxed: state != TubeState::Sealed, ..sealed() };
    let here = |base: Evidence| Evidence {
        finding: Some(Finding::Accepted),
        laboratory: Some("L01".to_owned()),
        ..base
    };
    match state {
        TubeState::Sealed | TubeState::Packed => base,
        TubeState::Received => here(base),
        TubeState::Refused => {
            Evidence { finding: Some(Finding::Refused), recalls: 10, recalled: 10, ..base }
        }
        TubeState::Missing => Evidence { finding: Some(Finding::Missing), ..base },
        TubeState::Plated => Evidence { plates: 1, ..here(base) },
        TubeState::Released => Evidence {
            plates: 1,
            called: 1,
            calls: 1,
            reports: 1,
            results: 1,
            newest: 1,
            told: 10,
            told_since: 10,
            ..here(base)
        },
        TubeState::Closed => Evidence {
            plates: 1,
            called: 1,
            calls: 1,
            ended: 1,
            recalls: 10,
            recalled: 10,
            ..here(base)
        },
    }
}

#[test]
fn honest_work_is_explained_in_every_state_and_in_no_other() {
    for state in TubeState::ALL {
        for claimed in TubeState::ALL {
            let evidence = Evidence { state: claimed, ..honest(state) };
            let reasons = contradictions(&evidence);
            assert_eq!(
                reasons.is_empty(),
                state == claimed,
                "{state:?} as {claimed:?}: {reasons:?}"
            );
        }
    }
}

#[test]
fn a_second_run_and_a_run_given_up_are_explained() {
    let once = Evidence { plates: 1, called: 1, calls: 1, ..honest(TubeState::Received) };
    assert_eq!(contradictions(&once), [""; 0]);
    let again = Evidence { plates: 2, called: 1, calls: 1, ..honest(TubeState::Plated) };
    assert_eq!(contradictions(&again), [""; 0]);
    let void = Evidence { plates: 1, given_up: 1, ..honest(TubeState::Received) };
    assert_eq!(contradictions(&void), [""; 0]);
    let taken_back = Evidence {
        results: 2,
        newest: 2,
        withdrawn: 1,
        recalls: 10,
        recalled: 10,
        ..honest(TubeState::Released)
    };
    assert_eq!(contradictions(&taken_back), [""; 0]);
    let scanned_before_it_was_recorded =
        Evidence { finding: Some(Finding::Unexpected), ..honest(TubeState::Packed) };
    assert_eq!(contradictions(&scanned_before_it_was_recorded), [""; 0]);
}

#[test]
fn a_tube_given_up_is_explained_by_its_recalls_wherever_it_was_lost() {
    for state in [TubeState::Sealed, TubeState::Packed, TubeState::Missing] {
        let closed = Evidence { state: TubeState::Closed, ..honest(state) };
        let given_up = Evidence { recalls: 10, recalled: 10, missed: 10, ..closed.clone() };
        assert_eq!(contradictions(&given_up), [""; 0], "{state:?}");
        let silently = contradictions(&closed);
        assert_eq!(silently.len(), 2, "{state:?}: {silently:?}");
        let otherwise = Evidence { missed: 9, ..given_up.clone() };
        assert_eq!(contradictions(&otherwise).len(), 1, "{state:?}");
        let one_forgotten = Evidence { recalls: 9, recalled: 9, missed: 9, ..given_up.clone() };
        assert_eq!(contradictions(&one_forgotten), ["not every member is recalled"]);
        let held = Evidence { laboratory: Some("L01".to_owned()), ..given_up };
        assert_eq!(contradictions(&held).len(), 1, "{state:?}");
    }
    let taken_in = Evidence {
        state: TubeState::Closed,
        recalls: 10,
        recalled: 10,
        missed: 10,
        ..honest(TubeState::Received)
    };
    assert_eq!(contradictions(&taken_in).len(), 1, "a laboratory had it");
}

#[test]
fn every_reason_is_named() {
    let released = honest(TubeState::Released);
    let cases: [(Evidence, &str); 12] = [
        (Evidence { members: 9, ..released.clone() }, "another number of members"),
        (Evidence { results: 0, newest: 0, ..released.clone() }, "no result"),
        (Evidence { results: 1, newest: 2, ..released.clone() }, "a version"),
        (Evidence { told_since: 9, ..released.clone() }, "not every member was told"),
        (Evidence { told_otherwise: 1, ..released.clone() }, "another version"),
        (Evidence { reports: 0, ..released.clone() }, "no released call"),
        (Evidence { calls: 2, ..released }, "did not stand on"),
        (Evidence { recalled: 9, ..honest(TubeState::Closed) }, "not every member is recalled"),
        (Evidence { recalls: 11, ..honest(TubeState::Closed) }, "not its member"),
        (Evidence { recalls: 1, ..honest(TubeState::Plated) }, "people are recalled"),
        (Evidence { withdrawn: 1, ..honest(TubeState::Released) }, "not every member is recalled"),
        (Evidence { told: 1, ..honest(TubeState::Plated) }, "told a result"),
    ];
    for (evidence, expected) in cases {
        let reasons = contradictions(&evidence);
        assert!(reasons.iter().any(|reason| reason.contains(expected)), "{expected}: {reasons:?}");
    }
    let nothing =
        Evidence { boxed: false, finding: None, told_since: 0, ..honest(TubeState::Released) };
    assert_eq!(contradictions(&nothing).len(), 2);
}

#[test]
fn a_tube_is_overdue_for_its_own_step_and_for_the_round() {
    let sealed = honest(TubeState::Sealed);
    assert_eq!(overdue(&sealed, SEALED + PACK_WITHIN), None);
    let late = overdue(&sealed, SEALED + Span::hours(3)).unwrap();
    assert_eq!((late.step, late.due_at), (Step::Pack, SEALED + PACK_WITHIN));
    let since = SEALED + Span::hours(23);
    let waiting = Evidence { since, ..honest(TubeState::Received) };
    assert_eq!(overdue(&waiting, SEALED + Span::hours(24)), None);
    let late = overdue(&waiting, SEALED + Span::hours(25)).unwrap();
    assert_eq!((late.step, late.due_at), (Step::Result, SEALED + Span::hours(24)));
    for state in [TubeState::Refused, TubeState::Released, TubeState::Closed] {
        assert_eq!(overdue(&honest(state), SEALED + Span::days(9)), None);
    }
}

/// Honest evidence with up to three things changed that somebody could have changed.
fn any_evidence() -> impl Strategy<Value = Evidence> {
    let change = (0..17_usize, 0..3_i64);
    (0..TubeState::ALL.len(), prop::collection::vec(change, 0..4)).prop_map(|(state, changes)| {
        let mut evidence = honest(TubeState::ALL[state]);
        for (field, n) in changes {
            alter(&mut evidence, field, n);
        }
        evidence
    })
}

fn alter(e: &mut Evidence, field: usize, n: i64) {
    let all = n * 5;
    match field {
        0 => e.boxed = n > 0,
        1 => e.laboratory = (n > 0).then(|| "L01".to_owned()),
        2 => {
            e.finding = [None, Some(Finding::Accepted), Some(Finding::Refused)]
                [usize::try_from(n).unwrap()];
        }
        3 => {
            e.finding = [None, Some(Finding::Missing), Some(Finding::Unexpected)]
                [usize::try_from(n).unwrap()];
        }
        4 => e.plates = n,
        5 => (e.called, e.calls) = (n, n),
        6 => e.given_up = n,
        7 => e.calls = n,
        8 => e.reports = n,
        9 => e.ended = n,
        10 => (e.results, e.newest) = (n, n),
        11 => e.withdrawn = n,
        12 => (e.recalls, e.recalled) = (all, all),
        13 => e.recalls = all,
        14 => (e.told, e.told_since) = (all, all),
        15 => (e.recalls, e.recalled, e.missed) = (all, all, all),
        _ => e.told_otherwise = n,
    }
}

proptest! {
    #[test]
    fn no_evidence_fits_two_states(evidence in any_evidence()) {
        let fits: Vec<_> = TubeState::ALL.into_iter()
            .filter(|state| contradictions(&Evidence { state: *state, ..evidence.clone() }).is_empty())
            .collect();
        prop_assert!(fits.len() <= 1, "{fits:?}");
    }

    #[test]
    fn whatever_the_evidence_the_ledger_adds_up(
        tubes in prop::collection::vec((any_evidence(), 0..TubeState::ALL.len()), 0..20),
    ) {
        let mut sum = Sum::default();
        for (evidence, state) in &tubes {
            sum.add(&Evidence { state: TubeState::ALL[*state], ..evidence.clone() }, SEALED);
        }
        let report = sum.close();
        let whole = report.whole.tubes;
        let placed = whole.in_transit + whole.received + whole.refused + whole.missing
            + whole.in_process + whole.released + whole.closed;
        prop_assert_eq!(whole.collected, placed + whole.unexplained);
        prop_assert_eq!(whole.collected, tubes.len() as u64);
        prop_assert_eq!(report.unexplained, whole.unexplained);
        prop_assert_eq!(report.whole.people.collected, 10 * tubes.len() as u64);
        for lines in [&report.sites, &report.laboratories] {
            let collected: u64 = lines.iter().map(|line| line.count.tubes.collected).sum();
            prop_assert_eq!(collected, whole.collected);
        }
    }
}
