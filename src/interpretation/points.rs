//! What a run tells the charts: the Ct of its controls, the median of its internal controls, and
//! how many tubes it found positive.

use std::collections::BTreeMap;

use super::calls::{Call, TargetCall, TargetState, target_calls};
use super::gather::Gathered;
use super::kit::Kit;
use super::{Interpretation, Outcome};
use crate::clock::Time;
use crate::instrument::Ct;
use crate::plate::{Content, Control, Expectation, TargetRole};
use crate::quality::{Answer, Facts, Measure, Subjects, Value, median};

/// The facts of a run, for [`crate::quality`].
pub fn facts(
    (run, at): (&str, Time),
    subjects: Subjects,
    kit: &Kit,
    gathered: &[Gathered],
    read: &Interpretation,
) -> Facts {
    let calls = &read.calls;
    let count = |matches: &dyn Fn(&Call) -> bool| {
        u32::try_from(calls.iter().filter(|call| matches(call)).count()).unwrap_or(u32::MAX)
    };
    let detected = count(&|call| call.outcome == Outcome::Detected);
    let mut values = controls(kit, gathered);
    values.extend(internal_medians(calls));
    Facts {
        run: run.to_owned(),
        subjects,
        kit: format!("{} {}", kit.code, kit.version),
        at,
        usable: read.verdict.usable,
        tubes: detected + count(&|call| call.outcome == Outcome::NotDetected),
        detected,
        internal_failures: count(&|call| internal(call).any(|t| t.state != TargetState::Amplified)),
        values,
        answers: calls.iter().map(answer).collect(),
    }
}

fn answer(call: &Call) -> Answer {
    let detected = match call.outcome {
        Outcome::Detected => Some(true),
        Outcome::NotDetected => Some(false),
        Outcome::Inconclusive | Outcome::Invalid => None,
    };
    Answer { tube: call.tube.clone(), detected }
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
fn controls(kit: &Kit, gathered: &[Gathered]) -> Vec<Value> {
    let mut found: BTreeMap<(Measure, String), Vec<f64>> = BTreeMap::new();
    for well in gathered {
        let Content::Control { control, .. } = well.content else { continue };
        let measure = match control {
            Control::Positive => Measure::PositiveControl,
            Control::WeakPositive => Measure::WeakPositiveControl,
            Control::Negative | Control::Extraction => continue,
        };
        for target in target_calls(kit, &well.targets) {
            let expected = kit.control_rule(control).map(|rule| rule.expects(target.role));
            if let (Some(Expectation::Amplify), Some(ct)) = (expected, target.ct) {
                found.entry((measure, target.target)).or_default().push(cycles(ct));
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

fn internal_medians(calls: &[Call]) -> Vec<Value> {
    let mut found: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for target in calls.iter().flat_map(internal) {
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
        let gathered = gather(kit, &layout, &readings).unwrap();
        let read = interpret(kit, &layout, &readings, &first_tests(&layout)).unwrap();
        let subjects = Subjects {
            laboratory: "L01".to_owned(),
            instrument: "S1".to_owned(),
            lot: None,
            operator: "A1".to_owned(),
        };
        facts(("R1", Time::from_us(7)), subjects, kit, &gathered, &read)
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
        assert_eq!((facts.tubes, facts.detected, facts.internal_failures), (20, 1, 0));
        let found: Vec<_> =
            facts.answers.iter().filter(|answer| answer.detected == Some(true)).collect();
        assert_eq!(found, [&Answer { tube: "T2".to_owned(), detected: Some(true) }]);
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
