//! What a run tells the charts: the Ct of its controls, the median of its internal controls, and
//! how many tubes it found positive.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::{Call, TargetCall, TargetState};
use super::kit::Kit;
use super::preview::ControlRead;
use super::{Disposition, Interpretation, Outcome};
use crate::clock::Time;
use crate::instrument::Ct;
use crate::plate::{Control, Expectation, TargetRole};
use crate::quality::{Answer, Facts, Measure, Share, Subjects, Value, median};

/// The facts of a run, for [`crate::quality`]; `recalled` are the tubes that answer a recall.
pub fn facts(
    (run, at): (&str, Time),
    subjects: Subjects,
    kit: &Kit,
    controls_read: &[ControlRead],
    (read, recalled): (&Interpretation, &BTreeSet<String>),
) -> Facts {
    let reactions = reactions(&read.calls);
    let is_lost = |call: &&&Call| internal(call).any(|t| t.state != TargetState::Amplified);
    let failures = reactions.iter().map(|(_, call)| call).filter(is_lost).count();
    let mut values = controls(kit, controls_read);
    values.extend(internal_medians(&reactions));
    Facts {
        run: run.to_owned(),
        subjects,
        kit: format!("{} {}", kit.code, kit.version),
        at,
        usable: read.verdict.usable,
        shares: shares(&reactions, recalled),
        internal_failures: u32::try_from(failures).unwrap_or(u32::MAX),
        values,
        answers: read.calls.iter().map(answer).collect(),
    }
}

/// What was read once: each tube that stood alone, and each laboratory pool, by the people in it.
/// Every tube of a pool has the call of the pool's wells; the first stands for all.
fn reactions(calls: &[Call]) -> Vec<(u32, &Call)> {
    let mut alone = Vec::new();
    let mut pools: BTreeMap<&str, (u32, &Call)> = BTreeMap::new();
    for call in calls {
        let people = u32::from(call.pool_size);
        match &call.pool {
            None => alone.push((people, call)),
            Some(pool) => pools.entry(pool).or_insert((0, call)).0 += people,
        }
    }
    alone.extend(pools.into_values());
    alone
}

/// Counts of first tests by people per reaction: whatever was tested before, and whoever was recalled,
/// comes again because of what was found.
fn shares(reactions: &[(u32, &Call)], recalled: &BTreeSet<String>) -> Vec<Share> {
    let mut counts: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    let is_first = |call: &Call| call.attempt <= 1 && !recalled.contains(&call.tube);
    for (people, call) in reactions.iter().filter(|(_, call)| is_first(call)) {
        let detected = match call.outcome {
            Outcome::Detected => 1,
            Outcome::NotDetected => 0,
            Outcome::Inconclusive | Outcome::Invalid => continue,
        };
        let count = counts.entry(*people).or_default();
        (count.0, count.1) = (count.0 + 1, count.1 + detected);
    }
    let share = |(people, (tubes, detected))| Share { people, tubes, detected };
    counts.into_iter().map(share).collect()
}

fn answer(call: &Call) -> Answer {
    let detected = match call.outcome {
        Outcome::Detected => Some(true),
        Outcome::NotDetected => Some(false),
        Outcome::Inconclusive | Outcome::Invalid => None,
    };
    let again = call.disposition == Disposition::Retest;
    Answer { tube: call.tube.clone(), detected, pooled: call.pool.is_some(), again }
}

fn internal(call: &Call) -> impl Iterator<Item = &TargetCall> {
    call.targets.iter().filter(|target| target.role == TargetRole::InternalControl)
}

fn cycles(ct: Ct) -> f64 {
    // A decimal always has a nearest binary fraction; its text is the shortest way there.
    ct.to_string().parse().unwrap_or_default()
}

/// What must amplify in positive and weak positive controls, and where it did; of several wells
/// the mean.
fn controls(kit: &Kit, controls_read: &[ControlRead]) -> Vec<Value> {
    let mut found: BTreeMap<(Measure, String), Vec<f64>> = BTreeMap::new();
    for read in controls_read {
        let measure = match read.control {
            Control::Positive => Measure::PositiveControl,
            Control::WeakPositive => Measure::WeakPositiveControl,
            Control::Negative | Control::Extraction => continue,
        };
        for target in &read.targets {
            let expected = kit.control_rule(read.control).map(|rule| rule.expects(target.role));
            if let (Some(Expectation::Amplify), Some(ct)) = (expected, target.ct) {
                found.entry((measure, target.target.clone())).or_default().push(cycles(ct));
            }
        }
    }
    let mean = |all: &[f64]| {
        all.iter().sum::<f64>() / f64::from(u32::try_from(all.len()).unwrap_or(u32::MAX))
    };
    let value = |((measure, target), all): ((Measure, String), Vec<f64>)| {
        let ct = mean(&all);
        Value { measure, target, ct }
    };
    found.into_iter().map(value).collect()
}

fn internal_medians(reactions: &[(u32, &Call)]) -> Vec<Value> {
    let mut found: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for target in reactions.iter().flat_map(|(_, call)| internal(call)) {
        if let (TargetState::Amplified, Some(ct)) = (target.state, target.ct) {
            found.entry(&target.target).or_default().push(cycles(ct));
        }
    }
    let value = |(target, all): (&str, Vec<f64>)| {
        let ct = median(all)?;
        Some(Value { measure: Measure::InternalControl, target: target.to_owned(), ct })
    };
    found.into_iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpretation::workbench::{cdc, first_tests, orf, plate, run};
    use crate::interpretation::{gather, interpret};

    fn told(kit: &Kit, template: &str, tubes: usize) -> Facts {
        let layout = plate(kit, template, tubes, 1);
        let positive = |tube: &str| (tube == "T2").then_some("30.5");
        let readings = run(kit, &layout, None, &positive);
        let controls = ControlRead::of(kit, &gather(kit, &layout, &readings).unwrap());
        let read = interpret(kit, &layout, &readings, &first_tests(&layout)).unwrap();
        let subjects = Subjects {
            laboratory: "L01".to_owned(),
            instrument: "S1".to_owned(),
            lot: None,
            operator: "A1".to_owned(),
        };
        facts(("R1", Time::from_us(7)), subjects, kit, &controls, (&read, &BTreeSet::new()))
    }

    #[test]
    fn a_run_tells_of_its_controls_its_internal_control_and_its_positives() {
        let facts = told(&orf(), "one-well-94-columns", 20);
        let value = |measure, target: &str, ct| Value { measure, target: target.to_owned(), ct };
        let expected = [
            value(Measure::PositiveControl, "N", 28.25),
            value(Measure::PositiveControl, "ORF1ab", 28.25),
            value(Measure::InternalControl, "IC", 26.5),
        ];
        assert_eq!(facts.values, expected);
        assert_eq!(facts.shares, [Share { people: 1, tubes: 20, detected: 1 }]);
        assert_eq!(facts.internal_failures, 0);
        let found: Vec<_> =
            facts.answers.iter().filter(|answer| answer.detected == Some(true)).collect();
        let alone =
            Answer { tube: "T2".to_owned(), detected: Some(true), pooled: false, again: false };
        assert_eq!(found, [&alone]);
    }

    fn call_of(tube: &str, pool: Option<&str>, (people, attempt): (u16, u8)) -> Call {
        let kit = orf();
        let layout = plate(&kit, "one-well-94-columns", 1, people);
        let readings = run(&kit, &layout, None, &|_| Some("30.5"));
        let mut read = interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap();
        let (tube, pool) = (tube.to_owned(), pool.map(str::to_owned));
        Call { tube, pool, attempt, ..read.calls.remove(0) }
    }

    #[test]
    fn a_laboratory_pool_counts_once_with_all_its_people() {
        let pooled: Vec<_> = ["T3", "T4", "T5"].map(|t| call_of(t, Some("M1"), (1, 1))).into();
        let calls = [vec![call_of("T1", None, (1, 1)), call_of("T2", None, (10, 1))], pooled];
        let calls = calls.concat();
        let read = reactions(&calls);
        let share = |people| Share { people, tubes: 1, detected: 1 };
        assert_eq!(shares(&read, &BTreeSet::new()), [share(1), share(3), share(10)]);
        // Three wells had an internal control: too few for a median, though five tubes were called.
        assert_eq!(internal_medians(&read), []);
        let alone: Vec<_> = ["T3", "T4", "T5"].map(|t| call_of(t, None, (1, 1))).into();
        let five = [calls[..2].to_vec(), alone].concat();
        assert_eq!(internal_medians(&reactions(&five)).len(), 1);
    }

    #[test]
    fn what_was_tested_before_says_nothing_of_the_people() {
        let calls = [("T1", 1), ("T2", 2), ("T3", 1)]
            .map(|(tube, attempt)| call_of(tube, None, (1, attempt)));
        let recalled = BTreeSet::from(["T3".to_owned()]);
        let once = Share { people: 1, tubes: 1, detected: 1 };
        assert_eq!(shares(&reactions(&calls), &recalled), [once]);
    }

    #[test]
    fn an_internal_control_that_must_amplify_in_the_control_is_charted_with_it() {
        let facts = told(&cdc(), "three-wells-29-rows", 4);
        let of = |measure: Measure| {
            let values = facts.values.iter().filter(move |value| value.measure == measure);
            values.map(|value| value.target.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(Measure::PositiveControl), ["N1", "N2", "RP"]);
        // Four tubes are too few for a median.
        assert_eq!(of(Measure::InternalControl), Vec::<&str>::new());
    }
}
