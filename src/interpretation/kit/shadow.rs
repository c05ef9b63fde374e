//! The shadow run: what stored runs would have said by another version of their kit (R17).
//!
//! Nothing here is told to anybody. The readings and the layout are the stored ones, a tube's
//! facts are those of the day of its run, and what comes out is compared with the stored calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Kit;
use crate::instrument::Reading;
use crate::interpretation::{
    Call, Disposition, Outcome, TargetState, TubeFacts, Verdict, interpret,
};
use crate::plate::Layout;

/// A stored run, as it was called.
#[derive(Clone, Debug)]
pub struct PastRun {
    /// The run.
    pub id: String,
    /// Its plate.
    pub plate: String,
    /// Kit and version it was called with.
    pub kit: (String, String),
    /// Its layout.
    pub layout: Layout,
    /// What was read.
    pub readings: Vec<Reading>,
    /// What was known of each tube on the day of the run.
    pub tubes: BTreeMap<String, TubeFacts>,
    /// The calls it was given.
    pub calls: Vec<Call>,
    /// The verdict it was given.
    pub verdict: Verdict,
    /// Whether it is void, so that its calls count for nothing.
    pub is_void: bool,
}

/// What another version would have made of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The run.
    pub run: String,
    /// Its plate.
    pub plate: String,
    /// The version it was called with.
    pub version: String,
    /// Calls it has.
    pub calls: usize,
    /// Those that would have been others.
    pub changed: Vec<ChangedCall>,
    /// The verdict, when the plate would have been usable and was not, or the other way round.
    pub verdict: Option<ChangedVerdict>,
    /// Why the version cannot read this run at all; then every call is changed to none.
    pub refusals: Vec<String>,
}

/// A call that would have been another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedCall {
    /// The tube.
    pub tube: String,
    /// As it was called.
    pub from: CallLine,
    /// As it would have been called; none when the run could not be read.
    pub to: Option<CallLine>,
    /// What was read of each target.
    pub targets: Vec<TargetLine>,
}

/// A call in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLine {
    /// What the readings mean.
    pub outcome: Outcome,
    /// The rule that decided.
    pub rule: String,
    /// What happens to the tube.
    pub disposition: Disposition,
}

/// One target of a changed call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetLine {
    /// Code of the target.
    pub target: String,
    /// The Ct cell as the file has it.
    pub raw_ct: String,
    /// What it was taken for.
    pub from: TargetState,
    /// What it would have been taken for.
    pub to: Option<TargetState>,
}

/// A plate that would have been judged otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedVerdict {
    /// Whether it was usable.
    pub from_usable: bool,
    /// Whether it would have been.
    pub to_usable: bool,
    /// Every reason against it, by the version in shadow.
    pub reasons: Vec<String>,
}

/// Calls a stored run with another kit and says what would have been different.
pub fn difference(kit: &Kit, past: &PastRun) -> Difference {
    let blank = Difference {
        run: past.id.clone(),
        plate: past.plate.clone(),
        version: past.kit.1.clone(),
        calls: past.calls.len(),
        changed: Vec::new(),
        verdict: None,
        refusals: Vec::new(),
    };
    match interpret(kit, &past.layout, &past.readings, &past.tubes) {
        Ok(read) => {
            let now: BTreeMap<&str, &Call> =
                read.calls.iter().map(|call| (call.tube.as_str(), call)).collect();
            let changed = past
                .calls
                .iter()
                .filter_map(|was| changed(was, now.get(was.tube.as_str()).copied()));
            Difference {
                changed: changed.collect(),
                verdict: changed_verdict(&past.verdict, &read.verdict),
                ..blank
            }
        }
        Err(refusals) => Difference {
            changed: past.calls.iter().filter_map(|was| changed(was, None)).collect(),
            refusals: refusals.iter().map(ToString::to_string).collect(),
            verdict: past.verdict.usable.then(|| ChangedVerdict {
                from_usable: true,
                to_usable: false,
                reasons: vec!["the run does not match its layout by this version".to_owned()],
            }),
            ..blank
        },
    }
}

/// A call whose outcome, or what happens to the tube, would have been another; a rule that only
/// has another name changes nothing for anybody.
fn changed(was: &Call, now: Option<&Call>) -> Option<ChangedCall> {
    let same = |now: &Call| now.outcome == was.outcome && now.disposition == was.disposition;
    if now.is_some_and(same) {
        return None;
    }
    let targets = was.targets.iter().map(|target| TargetLine {
        target: target.target.clone(),
        raw_ct: target.raw_ct.clone(),
        from: target.state,
        to: now
            .and_then(|now| now.targets.iter().find(|t| t.target == target.target))
            .map(|t| t.state),
    });
    Some(ChangedCall {
        tube: was.tube.clone(),
        from: line(was),
        to: now.map(line),
        targets: targets.collect(),
    })
}

fn line(call: &Call) -> CallLine {
    CallLine { outcome: call.outcome, rule: call.rule.clone(), disposition: call.disposition }
}

fn changed_verdict(was: &Verdict, now: &Verdict) -> Option<ChangedVerdict> {
    (was.usable != now.usable).then(|| ChangedVerdict {
        from_usable: was.usable,
        to_usable: now.usable,
        reasons: now.reasons.iter().map(|reason| reason.message.clone()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpretation::workbench::{first_tests, kit, orf, plate, run};
    use crate::interpretation::{Definition, KitFault};

    /// A plate as it was called with version 1, with ten positives from Ct 28 to 37.
    fn past() -> PastRun {
        let kit = orf();
        let layout = plate(&kit, "one-well-94-columns", 94, 1);
        let cts = ["28", "29", "30", "31", "32", "33", "34", "35", "36", "37"];
        let readings = run(&kit, &layout, None, &|tube| {
            let n: usize = tube.trim_start_matches('T').parse().unwrap();
            // Three rows and a column apart, so that no two lie side by side.
            (n % 10 == 3).then(|| cts[n / 10])
        });
        let tubes = first_tests(&layout);
        let read = interpret(&kit, &layout, &readings, &tubes).unwrap();
        PastRun {
            id: "U1".to_owned(),
            plate: "H1".to_owned(),
            kit: (kit.code.clone(), kit.version.clone()),
            layout,
            readings,
            tubes,
            calls: read.calls,
            verdict: read.verdict,
            is_void: false,
        }
    }

    fn variant(change: impl FnOnce(&mut Definition)) -> Result<Kit, Vec<KitFault>> {
        let mut definition = Definition::from(orf());
        definition.version = "9".to_owned();
        change(&mut definition);
        Kit::read(definition)
    }

    #[test]
    fn the_same_rules_change_nothing() {
        for kit in [
            orf(),
            kit("orf1ab-n-ic", "2"),
            variant(|kit| {
                kit.calls.rules.detected = "renamed".to_owned();
            })
            .unwrap(),
        ] {
            let difference = difference(&kit, &past());
            assert_eq!((difference.calls, &difference.changed[..]), (94, &[][..]));
            assert_eq!((difference.verdict, difference.refusals), (None, vec![]));
        }
    }

    /// A threshold set wrongly made one laboratory's late positives negative for weeks in 2021
    /// (`reliability.md` F6).
    #[test]
    fn a_cut_off_moved_to_30_shows_each_positive_it_would_lose() {
        let narrow = variant(|kit| {
            for target in &mut kit.reactions[0].targets[..2] {
                (target.positive, target.grey) = ("< 30".parse().unwrap(), None);
            }
            kit.calls.doubtful_curve = crate::interpretation::DoubtfulCurve::CtDecides;
            (kit.calls.grey_again, kit.calls.rules.grey) = (None, None);
        });
        let difference = difference(&narrow.unwrap(), &past());
        let lost: Vec<_> = difference.changed.iter().map(|call| call.tube.as_str()).collect();
        assert_eq!(lost, ["T23", "T33", "T43", "T53", "T63", "T73", "T83", "T93"]);
        for call in &difference.changed {
            assert_eq!(call.from.outcome, Outcome::Detected);
            assert_eq!(call.to.as_ref().unwrap().outcome, Outcome::NotDetected);
            assert_eq!(call.targets[0].from, TargetState::Amplified);
            assert_eq!(call.targets[0].to, Some(TargetState::NotAmplified));
        }
        assert_eq!(difference.changed[0].targets[0].raw_ct, "30");
    }

    #[test]
    fn a_version_that_cannot_read_the_run_changes_every_call_to_none() {
        let other = variant(|kit| kit.reactions[0].code = "other".to_owned()).unwrap();
        let difference = difference(&other, &past());
        assert_eq!(difference.changed.len(), 94);
        assert!(difference.changed.iter().all(|call| call.to.is_none()));
        assert!(!difference.refusals.is_empty());
        assert!(!difference.verdict.unwrap().to_usable);
    }

    #[test]
    fn a_plate_that_would_be_void_is_told_with_every_reason() {
        let strict = variant(|kit| kit.reactions[0].targets[0].positive = "< 28".parse().unwrap());
        let verdict = difference(&strict.unwrap(), &past()).verdict.unwrap();
        assert_eq!((verdict.from_usable, verdict.to_usable), (true, false));
        assert!(verdict.reasons[0].contains("positive control"), "{:?}", verdict.reasons);
    }
}
