//! Laboratory pools: called as one, and what that means for each of their tubes.
//!
//! A negative pool is negative for all its tubes. Any other, positive, inconclusive or invalid,
//! says nothing of one of them (R23); the tubes are there, so each is tested again, alone, and
//! nobody is recalled (CDC-006-00019, appendix on pooling; `domain.md` A5).

use std::collections::BTreeMap;

use super::calls::{Call, call};
use super::gather::TargetReading;
use super::kit::Kit;
use super::{Disposition, Outcome, TubeFacts};

/// Calls a pool of so many single tubes as if it were one tube.
pub(super) fn call_pool(
    kit: &Kit,
    pool: &str,
    readings: &[TargetReading<'_>],
    tubes: usize,
) -> Call {
    let depth = u16::try_from(tubes).unwrap_or(u16::MAX);
    let read = call(kit, pool, readings, &TubeFacts::first_test(depth));
    let reason = format!("pool {pool} of {depth} tubes {}", read.reason);
    Call { pool: Some(pool.to_owned()), reason, ..read }
}

/// What the call of a pool means for each of its tubes.
pub(super) fn calls_of(
    pool: &Call,
    tubes: &[String],
    facts: &BTreeMap<String, TubeFacts>,
) -> Vec<Call> {
    let disposition = match pool.outcome {
        Outcome::NotDetected => Disposition::Report(Outcome::NotDetected),
        Outcome::Detected | Outcome::Inconclusive | Outcome::Invalid => Disposition::Retest,
    };
    let of = |(tube, facts): (&String, &TubeFacts)| Call {
        tube: tube.clone(),
        pool_size: facts.pool_size,
        attempt: facts.attempt,
        voided: facts.voided,
        disposition,
        ..pool.clone()
    };
    tubes.iter().filter_map(|tube| facts.get(tube).map(|facts| (tube, facts))).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpretation::workbench::{first_tests, orf, run, tube_readings, well};
    use crate::interpretation::{
        Interpretation, MatchRefusal, NotClean, VerdictCode, call, clean_negative, interpret,
    };
    use crate::plate::{Layout, Placed, PlacedPool, PlacedTube, Template, lay_out};

    /// Two single tubes `T1` and `T2`, then ten pools `M1`... of four tubes `T11`... each.
    fn plate() -> Layout {
        let single = |n| Placed::Tube(PlacedTube { code: format!("T{n}"), depth: 1 });
        let pool = |n: usize| {
            let tubes = (1..=4).map(|place| format!("T{n}{place}")).collect();
            Placed::Pool(PlacedPool { code: format!("M{n}"), tubes })
        };
        let placed: Vec<_> = (1..=2).map(single).chain((1..=10).map(pool)).collect();
        let template = Template::find("one-well-94-columns").unwrap();
        lay_out(&template, &orf().plan(), &placed).unwrap()
    }

    fn interpreted(positive: &dyn Fn(&str) -> Option<&'static str>) -> Interpretation {
        let (kit, layout) = (orf(), plate());
        let readings = run(&kit, &layout, None, positive);
        interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap()
    }

    fn of<'c>(calls: &'c [Call], tube: &str) -> &'c Call {
        calls.iter().find(|call| call.tube == tube).unwrap()
    }

    #[test]
    fn a_negative_pool_answers_all_its_tubes() {
        let Interpretation { verdict, calls } = interpreted(&|_| None);
        assert!(verdict.usable, "{verdict:?}");
        assert_eq!(calls.len(), 42);
        assert!(calls.is_sorted_by_key(|call| &call.tube));
        for call in &calls {
            assert_eq!(call.disposition, Disposition::Report(Outcome::NotDetected), "{call:?}");
            assert_eq!(clean_negative(call, &verdict), Ok(()));
        }
        let call = of(&calls, "T31");
        assert_eq!((call.pool.as_deref(), call.pool_size), (Some("M3"), 1));
        assert!(call.reason.starts_with("pool M3 of 4 tubes not detected by "), "{}", call.reason);
        assert_eq!(of(&calls, "T1").pool, None);
    }

    #[test]
    fn a_positive_pool_sends_each_of_its_tubes_back_and_recalls_nobody() {
        let Interpretation { verdict, calls } =
            interpreted(&|tube| (tube == "T52").then_some("29.5"));
        assert!(verdict.usable && verdict.flags.is_empty(), "{verdict:?}");
        let back: Vec<_> = calls
            .iter()
            .filter(|call| call.disposition == Disposition::Retest)
            .map(|call| (call.tube.as_str(), call.outcome))
            .collect();
        let detected = ["T51", "T52", "T53", "T54"].map(|tube| (tube, Outcome::Detected));
        assert_eq!(back, detected);
    }

    #[test]
    fn an_inconclusive_or_invalid_pool_sends_its_tubes_back_whatever_retests_the_kit_allows() {
        let mut strict = orf();
        let mut definition = crate::interpretation::Definition::from(strict.clone());
        definition.retests.single =
            crate::interpretation::Retests { inconclusive: 0, invalid: 0, grey: 0 };
        strict = Kit::check(definition).unwrap();
        let tubes = vec!["T1".to_owned(), "T2".to_owned()];
        let facts: BTreeMap<_, _> =
            tubes.iter().map(|tube| (tube.clone(), TubeFacts::first_test(1))).collect();
        for readings in [
            tube_readings(&[("ORF1ab", Some("35")), ("N", None), ("IC", Some("26"))]),
            tube_readings(&[("ORF1ab", None), ("N", None), ("IC", None)]),
        ] {
            let pool = call_pool(&strict, "M1", &readings, 2);
            let calls = calls_of(&pool, &tubes, &facts);
            assert_eq!(calls.len(), 2);
            for call in calls {
                assert_eq!(call.disposition, Disposition::Retest, "{}", call.reason);
                assert_ne!(call.outcome, Outcome::NotDetected);
            }
        }
    }

    #[test]
    fn the_test_of_a_pool_uses_up_no_retest_of_its_tubes() {
        let silent = tube_readings(&[("ORF1ab", None), ("N", None), ("IC", None)]);
        // The kit allows one retest of an invalid single tube.
        let alone = |attempt, pooled| {
            let facts = TubeFacts { attempt, pooled, ..TubeFacts::first_test(1) };
            call(&orf(), "T1", &silent, &facts).disposition
        };
        assert_eq!(alone(2, 1), Disposition::Retest, "its first test alone");
        assert_eq!(alone(3, 1), Disposition::Recall, "its second test alone");
        assert_eq!(alone(2, 0), Disposition::Recall);
    }

    #[test]
    fn a_negative_after_a_positive_pool_is_looked_at_by_two_people() {
        let readings = tube_readings(&[("ORF1ab", None), ("N", None), ("IC", Some("26"))]);
        let facts = TubeFacts { attempt: 2, pooled: 1, ..TubeFacts::first_test(1) };
        let call = call(&orf(), "T1", &readings, &facts);
        assert_eq!(call.disposition, Disposition::Report(Outcome::NotDetected));
        let verdict = interpreted(&|_| None).verdict;
        assert_eq!(clean_negative(&call, &verdict), Err(vec![NotClean::TestedBefore]));
    }

    #[test]
    fn pools_side_by_side_are_flagged_as_pools_and_a_pool_is_no_neighbour_of_itself() {
        let one = interpreted(&|tube| (tube == "T11").then_some("29.5"));
        assert_eq!(one.verdict.flags, []);
        // One strong and one weak in neighbouring wells.
        let two = interpreted(&|tube| match tube {
            "T11" => Some("20.1"),
            "T21" => Some("35.5"),
            _ => None,
        });
        let flags: Vec<_> = two.verdict.flags.iter().map(|flag| flag.code).collect();
        assert_eq!(flags, [VerdictCode::WeakBesideStrong]);
        let message = &two.verdict.flags[0].message;
        assert!(message.starts_with("pool M2 (Ct 35.5) lies beside pool M1"), "{message}");
    }

    #[test]
    fn a_file_names_a_pool_s_well_by_the_pool_or_by_one_of_its_tubes() {
        let code = |n| crate::barcode::PoolCode::numbered(n).unwrap().to_string();
        let pool = |n| {
            let tubes = vec![format!("T{n}1"), format!("T{n}2")];
            Placed::Pool(PlacedPool { code: code(n), tubes })
        };
        let template = Template::find("one-well-94-columns").unwrap();
        let (kit, placed) = (orf(), [pool(1), pool(2)]);
        let layout = lay_out(&template, &kit.plan(), &placed).unwrap();
        let named = |at: &str, name: &str| {
            let mut readings = run(&kit, &layout, None, &|_| None);
            readings
                .iter_mut()
                .filter(|r| r.well == well(at))
                .for_each(|r| r.sample = name.to_owned());
            interpret(&kit, &layout, &readings, &first_tests(&layout)).err().unwrap_or_default()
        };
        let (first, second) = (layout.wells_of("T11")[0], layout.wells_of("T21")[0]);
        let at = first.to_string();
        for name in [&*code(1), "T11", "t12", "a pool"] {
            assert_eq!(named(&at, name), [], "{name}");
        }
        let (well, pool) = (first, code(2));
        assert_eq!(named(&at, &code(2)), [MatchRefusal::PoolElsewhere { well, pool }]);
        let pool = code(9);
        assert_eq!(named(&at, &pool), [MatchRefusal::PoolOffPlate { well, pool: pool.clone() }]);
        let elsewhere = MatchRefusal::TubeElsewhere { well: second, tube: "T11".to_owned() };
        assert_eq!(named(&second.to_string(), "T11"), [elsewhere]);
    }
}
