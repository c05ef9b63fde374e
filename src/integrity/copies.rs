//! The same Ct values twice.
//!
//! A Ct has three or more digits after the point, and an instrument never measures the same plate
//! again. Two wells side by side with the Ct values of two other wells side by side are a
//! coincidence of one in hundreds of thousands; eight such pairs between two runs are none. Pairs of
//! neighbours and not wells are compared, so that a block is found wherever it was copied to.

use std::collections::{BTreeMap, HashMap};

use super::{Check, RunEvidence, Sign};
use crate::interpretation::Call;
use crate::plate::WellPosition;

/// Pairs of neighbouring wells that two runs may share by chance.
const BY_CHANCE: usize = 7;

/// Every pair of neighbours seen, and the runs that had it.
#[derive(Clone, Debug, Default)]
pub struct Copies {
    runs: Vec<Looked>,
    /// The runs with a pair of Ct values, by their place in `runs`.
    seen: HashMap<Pair, Vec<usize>>,
    /// Pairs shared by two runs, or by a run with itself.
    shared: BTreeMap<(usize, usize), usize>,
}

/// A run that was looked at.
#[derive(Clone, Debug)]
struct Looked {
    laboratory: String,
    run: String,
    plate: String,
    in_period: bool,
}

/// Target and the Ct values of two wells that follow each other row by row.
type Pair = (String, String, String);

impl Copies {
    /// Looks at one run. One from before the period is only there to be compared with.
    pub fn add(&mut self, run: &RunEvidence, in_period: bool) {
        let number = self.runs.len();
        self.runs.push(Looked {
            laboratory: run.laboratory.clone(),
            run: run.run.clone(),
            plate: run.plate.clone(),
            in_period,
        });
        for pair in pairs(&run.calls) {
            let earlier = self.seen.entry(pair).or_default();
            for other in &*earlier {
                *self.shared.entry((*other, number)).or_default() += 1;
            }
            earlier.push(number);
        }
    }

    /// Every two runs that share more than chance gives.
    pub fn close(self) -> Vec<Sign> {
        let Self { runs, shared, .. } = self;
        shared
            .into_iter()
            .filter(|(_, pairs)| *pairs > BY_CHANCE)
            .map(|((one, other), pairs)| (one == other, &runs[one], &runs[other], pairs))
            // The same plate exported once more, after a run of it was voided, is no copy.
            .filter(|(itself, one, other, _)| {
                other.in_period && (*itself || one.plate != other.plate)
            })
            .map(|(itself, one, other, pairs)| {
                let message = if itself {
                    format!("{pairs} pairs of wells repeat the Ct values of others on the plate")
                } else {
                    format!("{pairs} pairs of wells have the Ct values of run {}", one.run)
                };
                let message = format!("{message}; open the files and compare");
                Sign::new(Check::Copies, &other.laboratory, &other.run, message)
            })
            .collect()
    }
}

/// The Ct values of tubes, two by two, row by row within a target; wells between them may be silent.
fn pairs(calls: &[Call]) -> Vec<Pair> {
    let mut by_target: BTreeMap<&str, BTreeMap<WellPosition, String>> = BTreeMap::new();
    for target in calls.iter().flat_map(|call| &call.targets) {
        if let Some(ct) = target.ct.filter(|ct| ct.cycles().scale() >= 2) {
            by_target.entry(&target.target).or_default().insert(target.well, ct.to_string());
        }
    }
    let mut pairs = Vec::new();
    for (target, wells) in by_target {
        let values: Vec<&String> = wells.values().collect();
        pairs.extend(
            values.windows(2).map(|two| (target.to_owned(), two[0].clone(), two[1].clone())),
        );
    }
    pairs
}
