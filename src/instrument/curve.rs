//! The amplification curve of one well and target, where the file has it.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::RunFile;
use super::results::named;
use crate::error::Reason;
use crate::plate::{PlateSize, WellPosition};

/// Latest cycle a curve may have; real programmes stop at 40 to 50.
pub const MAX_CYCLE: u16 = 200;
/// Most curves of one file: six dyes in each of 384 wells.
pub const MAX_CURVES: usize = 6 * 384;
/// Longest name of a target or a dye a curve may have, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Fluorescence over the cycles, as the instrument exported it.
///
/// Kept for people who would rather look than read, and because a copied or drawn curve is how an
/// invented result shows (`domain.md` E). Calls are never made from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Which well.
    pub well: WellPosition,
    /// Target name as in the readings; empty when the dye is the only key.
    pub target: String,
    /// Reporter dye; empty when the file names none.
    pub dye: String,
    /// One for each cycle, in the order of the cycles.
    pub points: Vec<Point>,
}

/// One cycle of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The cycle, from 1.
    pub cycle: u16,
    /// Fluorescence in the instrument's own unit, baseline taken off where the file gives that.
    pub signal: f64,
}

impl Curve {
    /// The first cycle and the signal in each cycle from there on, NaN where there is none.
    ///
    /// Instruments compute in `f32`, so a number from a workbook stays what it was to the last
    /// bit; one from a text, with its three decimals, to seven digits.
    pub fn signals(&self) -> (u16, Vec<f32>) {
        let first = self.points.first().map_or(1, |point| point.cycle);
        let mut signals = Vec::with_capacity(self.points.len());
        for point in &self.points {
            signals.resize(usize::from(point.cycle.saturating_sub(first)), f32::NAN);
            signals.push(single(point.signal));
        }
        (first, signals)
    }

    /// Adds the [signals](Self::signals) to `bytes` as they are stored, each a little-endian
    /// `f32`. Gives the first cycle.
    pub fn pack(&self, bytes: &mut Vec<u8>) -> u16 {
        let (first, signals) = self.signals();
        bytes.extend(signals.into_iter().flat_map(f32::to_le_bytes));
        first
    }

    /// The points of a stored curve; none when the bytes are not what [`Self::pack`] writes.
    pub fn unpack(first: u16, bytes: &[u8]) -> Option<Vec<Point>> {
        let (values, rest) = bytes.as_chunks::<4>();
        let last = usize::from(first) + values.len();
        if !rest.is_empty() || values.is_empty() || first == 0 || last > usize::from(MAX_CYCLE) + 1
        {
            return None;
        }
        let points = (first..).zip(values).map(|(cycle, value)| {
            let signal = f64::from(f32::from_le_bytes(*value));
            Point { cycle, signal }
        });
        Some(points.filter(|point| !point.signal.is_nan()).collect())
    }

    /// Where the curve stands at a fraction of a cycle. Between two points the signal grows by the
    /// same factor all the way, as copies do; where one of them is not above zero, by the same
    /// amount.
    pub fn at(&self, cycle: f64) -> Option<f64> {
        self.points.array_windows().find_map(|[from, to]| {
            let (start, end) = (f64::from(from.cycle), f64::from(to.cycle));
            let share = (cycle - start) / (end - start);
            (0.0..=1.0).contains(&share).then(|| {
                if from.signal > 0.0 && to.signal > 0.0 {
                    from.signal * (to.signal / from.signal).powf(share)
                } else {
                    from.signal + share * (to.signal - from.signal)
                }
            })
        })
    }

    /// Why the curve cannot be kept, apart from the others.
    fn fault(&self) -> Option<&'static str> {
        let odd = |name: &String| name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control);
        if odd(&self.target) || odd(&self.dye) {
            Some("the name of a target cannot be printed")
        } else if self.points.array_windows().any(|[one, next]| one.cycle == next.cycle) {
            Some("there are two values for one cycle")
        } else if self.points.iter().any(|point| !(1..=MAX_CYCLE).contains(&point.cycle)) {
            Some("there is a cycle beyond the two-hundredth")
        } else if self.points.iter().any(|point| !single(point.signal).is_finite()) {
            Some("a fluorescence is no number")
        } else {
            None
        }
    }
}

/// The number as instruments compute with it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "beyond f32 it becomes infinite and is refused"
)]
fn single(signal: f64) -> f32 {
    signal as f32
}

/// Puts the curves of a file in order, whichever parser read them: points by their cycles, each
/// curve once and on the plate. What cannot be kept is left out and said, for calls need no curve.
pub(super) fn settle(run: &mut RunFile) {
    let mut left_out: BTreeMap<&str, Vec<WellPosition>> = BTreeMap::new();
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for mut curve in std::mem::take(&mut run.curves) {
        curve.points.sort_by_key(|point| point.cycle);
        let is_on_plate = run.plate_size.is_some_and(|size| size.contains(curve.well));
        let fault = if !is_on_plate {
            Some("the plate has no such well")
        } else if kept.len() == MAX_CURVES {
            Some("a plate has no more than 2304 curves")
        } else if !seen.insert((curve.well, curve.target.clone(), curve.dye.clone())) {
            Some("there are two curves of one target")
        } else {
            curve.fault()
        };
        match fault {
            Some(fault) => left_out.entry(fault).or_default().push(curve.well),
            None if curve.points.is_empty() => {}
            None => kept.push(curve),
        }
    }
    run.curves = kept;
    for (fault, wells) in left_out {
        run.warnings.extend(left_out_in(fault, wells.into_iter()));
    }
}

impl RunFile {
    /// Leaves out the curves that a plate of this size has no well for, and says so: the file may
    /// be of a larger block than the plate that was laid out.
    pub fn leave_out_curves_off(&mut self, size: PlateSize) {
        let is_on = |curve: &Curve| size.contains(curve.well);
        let off = self.curves.iter().filter(|curve| !is_on(curve)).map(|curve| curve.well);
        self.warnings.extend(left_out_in("the plate has no such well", off));
        self.curves.retain(is_on);
    }
}

/// The warning that curves of some wells were left out; none without a well.
pub(super) fn left_out_in(
    fault: &str,
    wells: impl Iterator<Item = WellPosition>,
) -> Option<Reason> {
    named(wells).map(|wells| {
        let message = format!("curves were left out: {fault} in {wells}");
        Reason::new("file.curves", wells, message)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::instrument::read;

    fn curve(well: &str, points: &[(u16, f64)]) -> Curve {
        Curve {
            well: well.parse().unwrap(),
            target: "N".into(),
            dye: "FAM".into(),
            points: points
                .iter()
                .map(|(cycle, signal)| Point { cycle: *cycle, signal: *signal })
                .collect(),
        }
    }

    fn settled(curves: Vec<Curve>) -> (Vec<Curve>, Vec<String>) {
        let file = ",Well,Fluor,Target,Content,Sample,Cq\n,A01,FAM,N,Unkn,T1,30\n";
        let mut run = read(file.as_bytes()).unwrap();
        run.curves = curves;
        settle(&mut run);
        let warned = run.warned().into_iter().map(str::to_owned).collect();
        (run.curves, warned)
    }

    proptest! {
        #[test]
        fn every_single_precision_number_comes_back_to_the_last_bit(
            first in 1_u16..=150,
            values in proptest::collection::vec(proptest::option::of(any::<f32>()), 1..=50),
        ) {
            let points: Vec<_> = (first..).zip(values)
                .filter_map(|(cycle, value)| {
                    let signal = f64::from(value.filter(|value| value.is_finite())?);
                    Some(Point { cycle, signal })
                })
                .collect();
            prop_assume!(!points.is_empty());
            let mut one = curve("A1", &[]);
            one.points = points;
            let mut bytes = Vec::new();
            let first = one.pack(&mut bytes);
            let back = Curve::unpack(first, &bytes).unwrap();
            let bits = |points: &[Point]| -> Vec<_> {
                points.iter().map(|point| (point.cycle, point.signal.to_bits())).collect()
            };
            prop_assert_eq!(bits(&back), bits(&one.points));
        }
    }

    #[test]
    fn a_cycle_without_a_value_leaves_a_gap() {
        let one = curve("A1", &[(2, 0.5), (5, -0.25)]);
        let mut bytes = Vec::new();
        assert_eq!(one.pack(&mut bytes), 2);
        // IEEE 754: 0.5 is 3F000000, -0.25 is BE800000, a quiet NaN 7FC00000.
        let written = "0000003f0000c07f0000c07f000080be";
        assert_eq!(data_encoding::HEXLOWER.encode(&bytes), written);
        assert_eq!(Curve::unpack(2, &bytes).unwrap(), one.points);
    }

    #[test]
    fn bytes_that_are_no_curve_are_not_taken_for_one() {
        assert_eq!(Curve::unpack(1, &[]), None);
        assert_eq!(Curve::unpack(1, &[0; 7]), None);
        assert_eq!(Curve::unpack(0, &[0; 4]), None);
        assert_eq!(Curve::unpack(1, &[0; 4 * 201]), None);
        assert_eq!(Curve::unpack(1, &[0; 4 * 200]).map(|points| points.len()), Some(200));
    }

    #[test]
    fn a_curve_is_read_between_its_cycles() {
        let one = curve("A1", &[(1, 0.0), (2, 1.0), (4, 4.0)]);
        assert_eq!(one.at(1.5), Some(0.5));
        assert_eq!(one.at(3.0), Some(2.0), "copies double, they do not add up");
        assert_eq!(one.at(4.5), None);
    }

    #[test]
    fn sound_curves_are_kept_and_put_in_the_order_of_their_cycles() {
        let (curves, warnings) = settled(vec![curve("H12", &[(2, 1.0), (1, 0.5)])]);
        assert_eq!(curves, [curve("H12", &[(1, 0.5), (2, 1.0)])]);
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn a_curve_that_cannot_be_kept_is_left_out_and_said() {
        let mut bell = curve("A5", &[(1, 1.0)]);
        bell.target.push('\u{7}');
        for (odd, said) in [
            (curve("P24", &[(1, 1.0)]), "no such well in P24"),
            (curve("A1", &[(1, 1.0)]), "two curves of one target in A1"),
            (curve("A2", &[(3, 1.0), (3, 1.0)]), "two values for one cycle in A2"),
            (curve("A3", &[(201, 1.0)]), "beyond the two-hundredth in A3"),
            (curve("A4", &[(1, 1e300)]), "no number in A4"),
            (bell, "cannot be printed in A5"),
        ] {
            let (curves, warnings) = settled(vec![curve("A1", &[(1, 0.5)]), odd]);
            assert_eq!(curves.len(), 1);
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].contains(said), "{warnings:?}");
        }
    }

    #[test]
    fn curves_beyond_the_plate_that_was_laid_out_are_left_out() {
        let mut run = read(b",Well,Fluor,Cq\n,P24,FAM,30\n").unwrap();
        run.curves = vec![curve("A1", &[(1, 0.5)]), curve("P24", &[(1, 0.5)])];
        run.leave_out_curves_off(PlateSize::P384);
        assert_eq!((run.curves.len(), run.warnings.len()), (2, 0));
        run.leave_out_curves_off(PlateSize::P96);
        assert_eq!(run.curves, [curve("A1", &[(1, 0.5)])]);
        assert_eq!(run.warned(), ["curves were left out: the plate has no such well in P24"]);
    }

    #[test]
    fn no_file_has_more_curves_than_a_plate() {
        let many =
            (0..=MAX_CURVES).map(|n| Curve { target: n.to_string(), ..curve("A1", &[(1, 1.0)]) });
        let (curves, warnings) = settled(many.collect());
        assert_eq!(curves.len(), MAX_CURVES);
        assert_eq!(warnings.len(), 1);
    }
}
