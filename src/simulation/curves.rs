//! Amplification curves of a simulated run: each crosses the threshold where its Ct says.
//!
//! The same seed gives the same curves, and no two wells share one: a curve that occurs twice is
//! a copied curve, which is how an invented result shows (`domain.md` E).

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::files::{SimulatedRun, SimulatedWell};
use crate::instrument::{Ct, Curve, Point};

/// Cycles of the programme.
pub const CYCLES: u16 = 45;
/// Fluorescence at which the instrument takes the Ct, as the files state it.
pub const THRESHOLD: f64 = 0.2;
/// Where a curve may level out.
const PLATEAU: std::ops::Range<f64> = 2.0..4.5;
/// Share of the strands that are copied in each cycle.
const EFFICIENCY: std::ops::Range<f64> = 0.92..1.0;
/// Farthest a point lies off its curve.
const NOISE: f64 = 0.004;
/// Farthest a curve drifts up or down over the whole programme.
const DRIFT: f64 = 0.02;

/// One curve for each well and target of the run, without the baseline, in thousandths.
pub fn curves(run: &SimulatedRun, seed: u64) -> Vec<Curve> {
    let traced = |(stream, one): (u64, &SimulatedWell)| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Curve {
            well: one.well,
            target: one.target.clone(),
            dye: one.dye.clone(),
            points: trace(one.ct, &mut rng),
        }
    };
    (0..).zip(&run.wells).map(traced).collect()
}

/// A logistic curve through the threshold at the Ct, or the background alone.
fn trace(ct: Option<Ct>, rng: &mut ChaCha8Rng) -> Vec<Point> {
    let (plateau, drift) = (rng.random_range(PLATEAU), rng.random_range(-DRIFT..DRIFT));
    let steepness = (1.0 + rng.random_range(EFFICIENCY)).ln();
    let middle = ct.map(|ct| cycles(ct) + (plateau / THRESHOLD - 1.0).ln() / steepness);
    let point = |cycle: u16| {
        let at = f64::from(cycle);
        let growth =
            middle.map_or(0.0, |middle| plateau / (1.0 + ((middle - at) * steepness).exp()));
        // Where a signal grows, the instrument fits the drift away with the baseline.
        let background = if ct.is_none() { drift * at / f64::from(CYCLES) } else { 0.0 };
        let signal = growth + background + rng.random_range(-NOISE..NOISE);
        Point { cycle, signal: (signal * 1_000.0).round() / 1_000.0 }
    };
    (1..=CYCLES).map(point).collect()
}

fn cycles(ct: Ct) -> f64 {
    ct.cycles().try_into().expect("a Ct is a small decimal")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rust_decimal::Decimal;

    use super::*;
    use crate::plate::{PlateSize, WellPosition};

    fn run(cts: &[Option<i64>]) -> SimulatedRun {
        let well = |(index, ct): (u16, &Option<i64>)| SimulatedWell {
            well: WellPosition::from_index(index, PlateSize::P384).unwrap(),
            sample: "T".into(),
            target: "N".into(),
            dye: "FAM".into(),
            task: "UNKNOWN".into(),
            ct: ct.map(|ct| Ct::try_from(Decimal::new(ct, 3)).unwrap()),
        };
        SimulatedRun {
            plate_size: PlateSize::P384,
            plate_barcode: "P".into(),
            instrument: "Q".into(),
            serial: "1".into(),
            run_ended: String::new(),
            wells: (0..).zip(cts).map(well).collect(),
        }
    }

    #[test]
    fn every_curve_crosses_the_threshold_at_its_ct() {
        let cts: Vec<_> = (0..300).map(|n| Some(15_000 + n * 97)).collect();
        for (curve, ct) in curves(&run(&cts), 7).iter().zip(cts) {
            let ct = f64::from(i32::try_from(ct.unwrap()).unwrap()) / 1_000.0;
            let first = curve.points.iter().find(|point| point.signal > THRESHOLD);
            let Some(first) = first else {
                assert!(ct > 43.9, "{ct} is never reached");
                continue;
            };
            let cycle = f64::from(first.cycle);
            assert!((ct - 0.1..ct + 1.1).contains(&cycle), "{ct} is crossed at {cycle}");
            let there = curve.at(ct).unwrap();
            assert!((there - THRESHOLD).abs() < 0.03, "{there} at {ct}");
        }
    }

    #[test]
    fn without_a_ct_the_threshold_is_never_reached() {
        for curve in curves(&run(&[None; 300]), 7) {
            assert_eq!(curve.points.len(), usize::from(CYCLES));
            assert!(curve.points.iter().all(|point| point.signal.abs() < THRESHOLD / 4.0));
        }
    }

    #[test]
    fn the_seed_decides_and_no_curve_occurs_twice() {
        let cts = [Some(25_000), None, Some(25_000), None];
        let run = run(&cts);
        assert_eq!(curves(&run, 7), curves(&run, 7));
        let two = [curves(&run, 7), curves(&run, 8)].concat();
        let drawn: HashSet<Vec<u64>> = two
            .iter()
            .map(|curve| curve.points.iter().map(|point| point.signal.to_bits()).collect())
            .collect();
        assert_eq!(drawn.len(), 8);
    }
}
