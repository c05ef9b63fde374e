//! Curves made out of others: scaled, shifted or averaged (`domain.md` E).
//!
//! All sigmoid curves look alike, but each carries the noise of its own well. What was computed
//! from other curves has their noise and none of its own: fitted by least squares, it lies closer
//! to them than its own noise allows. The noise is taken from second differences where the curve is
//! quietest, so it is rather under- than overestimated, and a curve is rather spared.

use std::collections::BTreeMap;

use super::{Check, RunEvidence, Sign};

/// Up to which share of its own noise a curve may lie off others. Of 40 independent points a fit
/// comes as close once in 10^9.
const CLOSE: f64 = 0.4;
/// Second differences over which noise is taken.
const QUIET: usize = 12;
/// Fewest points two curves must share.
const SHARED: usize = 20;
/// Cycles by which a curve is shifted at most.
const SHIFTS: std::ops::RangeInclusive<i32> = -3..=3;
/// Smallest factor by which another curve must be in it.
const SCALE: f64 = 0.2;
/// Curves that may be made of others in a run by chance.
const BY_CHANCE: usize = 2;
/// Curves most alike in their noise, of which two may have been averaged.
const ALIKE: usize = 16;

/// A curve of a run as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCurve {
    /// Its target.
    pub target: String,
    /// Four bytes a cycle.
    pub points: Vec<u8>,
}

impl KeptCurve {
    fn signals(&self) -> Vec<f64> {
        let (values, _) = self.points.as_chunks::<4>();
        values.iter().map(|value| f64::from(f32::from_le_bytes(*value))).collect()
    }
}

/// The sign that curves of a run were made of others of the same target.
pub fn interpolated(run: &RunEvidence) -> Option<Sign> {
    let mut by_target: BTreeMap<&str, Vec<Trace>> = BTreeMap::new();
    for curve in &run.curves {
        by_target.entry(&curve.target).or_default().extend(Trace::of(curve));
    }
    let made: usize = by_target.values().map(|traces| made_of_others(traces)).sum();
    (made > BY_CHANCE).then(|| {
        let message = format!(
            "{made} curves have no noise of their own: they are other curves of the run scaled, \
             shifted or averaged; open the file on its instrument and compare"
        );
        Sign::new(Check::Copies, &run.laboratory, &run.run, message)
    })
}

/// A curve with its noise.
struct Trace {
    signals: Vec<f64>,
    /// Second differences: what is left when every straight line is taken off.
    rough: Vec<f64>,
    noise: f64,
}

impl Trace {
    /// None for a curve with gaps, one that is too short and one without noise.
    fn of(curve: &KeptCurve) -> Option<Self> {
        let signals = curve.signals();
        if signals.len() < SHARED || signals.iter().any(|signal| !signal.is_finite()) {
            return None;
        }
        let rough: Vec<f64> =
            signals.array_windows().map(|[one, two, three]| one - 2.0 * two + three).collect();
        // A second difference of independent points varies six times as much as a point.
        let quiet = rough.windows(QUIET).map(|part| squares(part) / (6.0 * number(part.len())));
        let noise = quiet.fold(f64::INFINITY, f64::min).sqrt();
        (noise > 0.0 && noise.is_finite()).then_some(Self { signals, rough, noise })
    }
}

/// A count as a number to reckon with; a curve has some two hundred points at most.
fn number(count: usize) -> f64 {
    u16::try_from(count).map_or(f64::INFINITY, f64::from)
}

fn squares(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

/// Curves that lie closer to others than their own noise allows.
fn made_of_others(traces: &[Trace]) -> usize {
    let is_made = |(at, trace): (usize, &Trace)| {
        let others = || traces.iter().enumerate().filter(move |(other, _)| *other != at);
        others().any(|(_, other)| is_shifted(trace, other)) || {
            let mut alike: Vec<(f64, &Trace)> =
                others().map(|(_, other)| (likeness(trace, other), other)).collect();
            alike.sort_by(|one, other| other.0.total_cmp(&one.0));
            alike.truncate(ALIKE);
            let pairs =
                (0..alike.len()).flat_map(|one| (one + 1..alike.len()).map(move |two| (one, two)));
            pairs.into_iter().any(|(one, two)| is_average(trace, alike[one].1, alike[two].1))
        }
    };
    traces.iter().enumerate().filter(|one| is_made(*one)).count()
}

/// How alike the noise of two curves is, where both are quiet.
fn likeness(one: &Trace, other: &Trace) -> f64 {
    let limit = |trace: &Trace| 4.0 * trace.noise * 6.0_f64.sqrt();
    let (a, b) = (limit(one), limit(other));
    let both = one.rough.iter().zip(&other.rough).filter(|(x, y)| x.abs() < a && y.abs() < b);
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in both {
        (xy, xx, yy) = (xy + x * y, xx + x * x, yy + y * y);
    }
    if xx > 0.0 && yy > 0.0 { xy / (xx * yy).sqrt() } else { 0.0 }
}

/// Whether `trace` is `other` some cycles earlier or later, scaled and moved up or down.
fn is_shifted(trace: &Trace, other: &Trace) -> bool {
    SHIFTS.into_iter().any(|shift| {
        let skip = |by: i32| usize::try_from(by.max(0)).unwrap_or_default();
        let y = trace.signals.get(skip(shift)..).unwrap_or_default();
        let x = other.signals.get(skip(-shift)..).unwrap_or_default();
        let shared = y.len().min(x.len());
        let (y, x) = (&y[..shared], &x[..shared]);
        shared >= SHARED && !is_far(trace.noise, y, x) && is_close(trace.noise, y, &[x])
    })
}

/// Whether `y` lies so far off any multiple of `x` and a constant that a fit is not worth its time,
/// as nearly every pair of curves does. Reckoned in one pass, which is exact enough for twice the
/// distance of [`is_close`] and not for itself.
fn is_far(noise: f64, y: &[f64], x: &[f64]) -> bool {
    let (count, from_y, from_x) = (number(y.len()), y[0], x[0]);
    let (mut sum_y, mut sum_x, mut yy, mut xy, mut xx) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (y, x) in y.iter().zip(x) {
        let (y, x) = (y - from_y, x - from_x);
        (sum_y, sum_x) = (sum_y + y, sum_x + x);
        (yy, xy, xx) = (yy + y * y, xy + x * y, xx + x * x);
    }
    let (yy, xy, xx) =
        (yy - sum_y * sum_y / count, xy - sum_x * sum_y / count, xx - sum_x * sum_x / count);
    let off = (yy - xy * xy / xx) / (count - 2.0);
    off > 4.0 * (CLOSE * noise).powi(2) + 1e-9 * yy
}

fn is_average(trace: &Trace, one: &Trace, other: &Trace) -> bool {
    let (y, a, b) = (&trace.signals, &one.signals, &other.signals);
    y.len() == a.len() && y.len() == b.len() && is_close(trace.noise, y, &[a, b])
}

/// Whether `y` is a sum of multiples of the others and a constant, to a share of its noise.
fn is_close(noise: f64, y: &[f64], others: &[&[f64]]) -> bool {
    let count = number(y.len());
    let centred = |values: &[f64]| -> Vec<f64> {
        let mean = values.iter().sum::<f64>() / count;
        values.iter().map(|value| value - mean).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let y = centred(y);
    let factors = match others {
        [one] => {
            let x = centred(one);
            vec![(dot(&x, &y) / dot(&x, &x), x)]
        }
        [one, other] => {
            let (a, b) = (centred(one), centred(other));
            let (aa, ab, bb) = (dot(&a, &a), dot(&a, &b), dot(&b, &b));
            let (ay, by) = (dot(&a, &y), dot(&b, &y));
            let whole = aa * bb - ab * ab;
            vec![((ay * bb - by * ab) / whole, a), ((by * aa - ay * ab) / whole, b)]
        }
        _ => return false,
    };
    if factors.iter().any(|(factor, _)| !factor.is_finite() || factor.abs() < SCALE) {
        return false;
    }
    let left = y
        .iter()
        .enumerate()
        .map(|(at, y)| factors.iter().fold(*y, |left, (factor, x)| factor.mul_add(-x[at], left)));
    let off = left.map(|left| left * left).sum::<f64>() / (count - 1.0 - number(factors.len()));
    off.sqrt() < CLOSE * noise
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_passed_over_is_never_close(
            x in prop::collection::vec(-1e6_f64..1e6, SHARED..60),
            noise in 1e-3_f64..1e3,
            (factor, constant, wobble) in (-3.0_f64..3.0, -1e6_f64..1e6, 0.0_f64..4.0),
            signs in prop::collection::vec(-1.0_f64..1.0, 60),
        ) {
            let lie = |(x, sign): (&f64, &f64)| constant + factor * x + wobble * noise * sign;
            let y: Vec<f64> = x.iter().zip(&signs).map(lie).collect();
            prop_assert!(!is_far(noise, &y, &x) || !is_close(noise, &y, &[&x]));
        }
    }

    #[test]
    fn a_curve_of_another_shape_is_passed_over() {
        let x: Vec<f64> = (0..40).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| x * x).collect();
        assert!(is_far(1.0, &y, &x));
        assert!(!is_far(1.0, &x, &x));
    }
}
