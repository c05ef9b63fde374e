//! What a person is shown: one pure decision.

use super::{Known, LastResult, Progress, RecallNotice, Status, Told, ToldOutcome};
use crate::collection::TubeState;

/// What this person is shown.
///
/// - A recall that is not closed comes before everything: `under_verification`, without any
///   result, older ones included, so that nobody who is asked to come again reads as negative
///   (R20, R23).
/// - A positive is not hidden: once told it is shown while no newer swab is under way, also beside
///   an open recall, and also when a negative of a later swab had been told before it.
/// - `released` needs both the released tube and the row that says what was told about that very
///   tube; a released tube without it is a contradiction and stays `under_verification`.
/// - A refused tube, or one that ended without a result, is `under_verification` also when its
///   recall is not to be found.
/// - While a newer sampling is under way, an earlier result stands beside it with its own times.
pub fn status(known: &Known) -> Status {
    let sampling = &known.sampling;
    let told = known.told.as_ref().filter(|told| told.tube == sampling.tube);
    let positive = known.told.as_ref().filter(|told| told.outcome == ToldOutcome::Detected);
    let (state, told) = match (known.recall_due, sampling.state) {
        (Some(_), _) | (None, TubeState::Refused | TubeState::Closed | TubeState::Released)
            if positive.is_some() =>
        {
            (Progress::Released, positive)
        }
        (Some(_), _) | (None, TubeState::Refused | TubeState::Closed) => {
            (Progress::UnderVerification, None)
        }
        (None, TubeState::Sealed | TubeState::Packed | TubeState::Missing) => {
            (Progress::Sampled, None)
        }
        (None, TubeState::Received | TubeState::Plated) => (Progress::Received, None),
        (None, TubeState::Released) => match told {
            Some(told) => (Progress::Released, Some(told)),
            None => (Progress::UnderVerification, None),
        },
    };
    Status {
        state,
        sampled_at: sampling.taken,
        received_at: sampling.received,
        resulted_at: told.map(|told| told.released),
        outcome: told.map(|told| told.outcome),
        pooled: told.and_then(|told| told.pooled).filter(|people| *people > 1),
        last_result: match state {
            Progress::Sampled | Progress::Received => earlier(known),
            Progress::UnderVerification | Progress::Released => None,
        },
        recall: known.recall_due.map(|due_at| RecallNotice { due_at }),
    }
}

/// A result of another tube than the one under way.
fn earlier(known: &Known) -> Option<LastResult> {
    let told: &Told = known.told.as_ref().filter(|told| told.tube != known.sampling.tube)?;
    Some(LastResult {
        outcome: told.outcome,
        collected_at: told.collected,
        released_at: told.released,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Time;
    use crate::query::{Sampling, ToldOutcome};

    const AT: fn(i64) -> Time = Time::from_us;

    fn sampled(state: TubeState) -> Known {
        let received = matches!(state, TubeState::Received | TubeState::Plated).then(|| AT(20));
        let sampling = Sampling { tube: "T2".to_owned(), taken: AT(10), state, received };
        Known { sampling, told: None, recall_due: None }
    }

    fn told(tube: &str, outcome: ToldOutcome) -> Told {
        let pooled = Some(10);
        Told { tube: tube.to_owned(), outcome, pooled, collected: AT(1), released: AT(5) }
    }

    #[test]
    fn a_swab_under_way_is_pending_and_never_negative() {
        for (state, progress) in [
            (TubeState::Sealed, Progress::Sampled),
            (TubeState::Packed, Progress::Sampled),
            (TubeState::Missing, Progress::Sampled),
            (TubeState::Received, Progress::Received),
            (TubeState::Plated, Progress::Received),
        ] {
            let shown = status(&sampled(state));
            assert_eq!((shown.state, shown.outcome, shown.resulted_at), (progress, None, None));
            assert_eq!(shown.sampled_at, AT(10));
        }
        assert_eq!(status(&sampled(TubeState::Plated)).received_at, Some(AT(20)));
    }

    #[test]
    fn an_earlier_negative_stands_beside_a_newer_swab_with_its_own_times() {
        let mut known = sampled(TubeState::Packed);
        known.told = Some(told("T1", ToldOutcome::NotDetected));
        let shown = status(&known);
        assert_eq!((shown.state, shown.outcome), (Progress::Sampled, None));
        let last = shown.last_result.unwrap();
        assert_eq!((last.collected_at, last.released_at), (AT(1), AT(5)));
        assert_eq!(last.outcome, ToldOutcome::NotDetected);
    }

    #[test]
    fn a_released_tube_shows_what_was_told_about_it_and_nothing_else() {
        let mut known = sampled(TubeState::Released);
        known.told = Some(told("T2", ToldOutcome::NotDetected));
        let shown = status(&known);
        assert_eq!((shown.state, shown.resulted_at), (Progress::Released, Some(AT(5))));
        assert_eq!((shown.outcome, shown.last_result), (Some(ToldOutcome::NotDetected), None));
        known.told = Some(told("T1", ToldOutcome::NotDetected));
        assert_eq!(
            (status(&known).state, status(&known).outcome),
            (Progress::UnderVerification, None)
        );
    }

    #[test]
    fn a_positive_is_shown_beside_a_recall_and_before_a_negative_told_earlier() {
        let mut known = sampled(TubeState::Closed);
        known.told = Some(told("T1", ToldOutcome::Detected));
        known.recall_due = Some(AT(99));
        let shown = status(&known);
        assert_eq!((shown.state, shown.outcome), (Progress::Released, Some(ToldOutcome::Detected)));
        assert_eq!(shown.recall, Some(RecallNotice { due_at: AT(99) }));
        known.recall_due = None;
        known.sampling.state = TubeState::Released;
        assert_eq!(status(&known).outcome, Some(ToldOutcome::Detected));
        known.sampling.state = TubeState::Packed;
        let shown = status(&known);
        assert_eq!((shown.state, shown.outcome), (Progress::Sampled, None));
        assert_eq!(shown.last_result.unwrap().outcome, ToldOutcome::Detected);
    }

    #[test]
    fn a_recalled_person_reads_as_under_verification_whatever_was_told_before() {
        for state in TubeState::ALL {
            for tube in ["T1", "T2"] {
                let mut known = sampled(state);
                known.told = Some(told(tube, ToldOutcome::NotDetected));
                known.recall_due = Some(AT(99));
                let shown = status(&known);
                assert_eq!(shown.state, Progress::UnderVerification);
                assert_eq!((shown.outcome, shown.last_result), (None, None));
                assert_eq!(shown.recall, Some(RecallNotice { due_at: AT(99) }));
            }
        }
    }

    #[test]
    fn a_refused_or_ended_tube_is_not_a_result_even_without_its_recall() {
        for state in [TubeState::Refused, TubeState::Closed] {
            let mut known = sampled(state);
            known.told = Some(told("T1", ToldOutcome::NotDetected));
            let shown = status(&known);
            assert_eq!(
                (shown.state, shown.outcome, shown.last_result),
                (Progress::UnderVerification, None, None)
            );
        }
    }

    fn any_known() -> impl Strategy<Value = Known> {
        let outcome = prop_oneof![
            Just(ToldOutcome::Detected),
            Just(ToldOutcome::NotDetected),
            Just(ToldOutcome::Withdrawn)
        ];
        let told = (0..4_u8, outcome, 0..50_i64, 0..50_i64).prop_map(|(tube, outcome, c, r)| {
            let (collected, released) = (AT(c), AT(r));
            Told { tube: format!("T{tube}"), outcome, pooled: None, collected, released }
        });
        let sampling = (0..4_u8, 0..50_i64, 0..TubeState::ALL.len(), any::<bool>());
        let sampling = sampling.prop_map(|(tube, taken, state, received)| Sampling {
            tube: format!("T{tube}"),
            taken: AT(taken),
            state: TubeState::ALL[state],
            received: received.then(|| AT(taken + 1)),
        });
        (sampling, prop::option::of(told), prop::option::of((0..50_i64).prop_map(AT)))
            .prop_map(|(sampling, told, recall_due)| Known { sampling, told, recall_due })
    }

    proptest! {
        #[test]
        fn nobody_is_negative_without_a_released_result_of_that_tube_or_with_a_recall(
            known in any_known(),
        ) {
            let shown = status(&known);
            let told = known.told.as_ref();
            if shown.outcome.is_some() {
                prop_assert_eq!(shown.state, Progress::Released);
                prop_assert_eq!(shown.outcome, told.map(|told| told.outcome));
            }
            // What is no positive needs more: the newest tube's own release, and no recall.
            if shown.outcome.is_some_and(|outcome| outcome != ToldOutcome::Detected) {
                prop_assert!(known.recall_due.is_none());
                prop_assert_eq!(known.sampling.state, TubeState::Released);
                prop_assert_eq!(told.map(|told| &told.tube), Some(&known.sampling.tube));
            }
            if told.is_some_and(|told| told.outcome == ToldOutcome::Detected)
                && known.recall_due.is_some()
            {
                prop_assert_eq!(shown.outcome, Some(ToldOutcome::Detected));
            }
            if known.recall_due.is_some() {
                prop_assert_eq!(shown.last_result, None);
                prop_assert!(shown.recall.is_some());
            }
        }
    }
}
