//! The same Ct values or the same curves twice.
//!
//! A Ct has three or more digits after the point, and an instrument never measures the same plate
//! again. Two wells side by side with the Ct values of two other wells side by side are a
//! coincidence of one in hundreds of thousands; eight such pairs between two runs are none. Where a
//! Ct is told to the hundredth only, as by a LightCycler 480, three wells side by side are. Neighbours
//! and not wells are compared, so that a block is found wherever it was copied to.
//! A curve of forty fluorescences, each of seven digits, is never measured twice at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::{Check, RunEvidence, Sign};
use crate::instrument::Ct;
use crate::interpretation::Call;
use crate::plate::WellPosition;

/// Different fluorescences from which on a curve is one that was measured and not a blank.
const MEASURED: usize = 10;
/// Neighbours that two runs may share by chance.
const BY_CHANCE: usize = 7;

/// Every pair of neighbours seen, and the runs that had it.
#[derive(Clone, Debug, Default)]
pub struct Copies {
    runs: Vec<Looked>,
    /// The runs with a pair of Ct values, by their place in `runs`.
    seen: HashMap<Pair, Vec<usize>>,
    /// Pairs shared by two runs, or by a run with itself.
    shared: BTreeMap<(usize, usize), usize>,
    /// The run that had a curve first, by the curve's hash.
    curves: HashMap<u64, usize>,
    /// Curves that two runs, or a run with itself, have alike.
    alike: BTreeMap<(usize, usize), usize>,
}

/// A run that was looked at.
#[derive(Clone, Debug)]
struct Looked {
    laboratory: String,
    run: String,
    plate: String,
    in_period: bool,
}

/// Target and the Ct values of wells that follow each other row by row.
type Pair = (String, Vec<String>);

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
        for curve in
            run.curves.iter().map(|curve| &curve.points).filter(|points| is_measured(points))
        {
            let mut hasher = DefaultHasher::new();
            curve.hash(&mut hasher);
            if let Some(first) = self.curves.get(&hasher.finish()) {
                *self.alike.entry((*first, number)).or_default() += 1;
            } else {
                self.curves.insert(hasher.finish(), number);
            }
        }
    }

    /// Every two runs that share more than chance gives.
    pub fn close(self) -> Vec<Sign> {
        let Self { runs, shared, alike, .. } = self;
        let alike = alike
            .into_iter()
            .map(|((one, other), curves)| (one == other, &runs[one], &runs[other], curves));
        let curves = alike
            .filter(|(itself, one, other, _)| {
                other.in_period && (*itself || one.plate != other.plate)
            })
            .map(|(itself, one, other, curves)| {
                let of = if itself { "another well" } else { "a well" };
                let message = format!(
                    "{curves} curves are those of {of} of run {} to the last digit; look at both",
                    one.run
                );
                Sign::new(Check::Copies, &other.laboratory, &other.run, message)
            });
        let mut signs: Vec<Sign> = curves.collect();
        let pairs = shared
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
            });
        signs.extend(pairs);
        signs
    }
}

/// Whether a packed curve shows more than a blank or a level line.
fn is_measured(curve: &[u8]) -> bool {
    let points: BTreeSet<&[u8]> = curve.chunks(size_of::<f32>()).collect();
    points.len() >= MEASURED
}

/// The Ct values of tubes, two by two, row by row within a target; three by three where they have
/// only two digits. Wells between them may be silent.
fn pairs(calls: &[Call]) -> Vec<Pair> {
    let mut by_target: BTreeMap<&str, BTreeMap<WellPosition, Ct>> = BTreeMap::new();
    for target in calls.iter().flat_map(|call| &call.targets) {
        if let Some(ct) = target.ct.filter(|ct| ct.cycles().scale() >= 2) {
            by_target.entry(&target.target).or_default().insert(target.well, ct);
        }
    }
    let is_fine = |ct: &Ct| ct.cycles().scale() > 2;
    let mut pairs = Vec::new();
    for (target, wells) in by_target {
        let values: Vec<Ct> = wells.into_values().collect();
        // Each by itself, so that one altered Ct does not make another block of all others.
        let side_by_side = (0..values.len()).filter_map(|at| {
            let two = values.get(at..at + 2)?;
            if two.iter().any(is_fine) { Some(two) } else { values.get(at..at + 3) }
        });
        let written = |values: &[Ct]| values.iter().map(ToString::to_string).collect();
        pairs.extend(side_by_side.map(|values| (target.to_owned(), written(values))));
    }
    pairs
}
