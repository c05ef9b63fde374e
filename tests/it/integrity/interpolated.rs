//! Curves computed from other curves, and measured ones, which are left alone.

use std::path::Path;

use rust_decimal::Decimal;
use swabline::instrument::{Ct, Curve, read};
use swabline::integrity::{Check, KeptCurve, RunEvidence, interpolated};
use swabline::plate::{PlateSize, WellPosition};
use swabline::simulation::curves::curves;
use swabline::simulation::files::{SimulatedRun, SimulatedWell};
use swabline::simulation::month::{Habits, month};

/// The curves of 94 tubes, every tenth of them positive.
fn measured(seed: u64) -> Vec<Curve> {
    let thousandths = |ct: u16| Ct::try_from(Decimal::new(i64::from(ct), 3)).unwrap();
    let well = |n: u16| {
        let late = 24_000 + n * 37;
        let cts = [("N", n.is_multiple_of(10).then_some(18_000 + n * 190)), ("IC", Some(late))];
        cts.map(|(target, ct)| SimulatedWell {
            well: WellPosition::from_index(n, PlateSize::P96).unwrap(),
            sample: "T".into(),
            target: target.into(),
            dye: "FAM".into(),
            task: "UNKNOWN".into(),
            ct: ct.map(thousandths),
        })
    };
    let run = SimulatedRun {
        plate_size: PlateSize::P96,
        plate_barcode: "P".into(),
        instrument: "Q".into(),
        serial: "1".into(),
        run_ended: String::new(),
        wells: (0..94).flat_map(well).collect(),
    };
    curves(&run, seed)
}

/// A run with these curves.
fn run(curves: &[Curve]) -> RunEvidence {
    let kept = |curve: &Curve| {
        let mut points = Vec::new();
        curve.pack(&mut points);
        KeptCurve { target: curve.target.clone(), points }
    };
    let run = month(1, 1, &[Habits::HONEST]).remove(0);
    RunEvidence { curves: curves.iter().map(kept).collect(), ..run }
}

fn rounded(signal: f64) -> f64 {
    (signal * 1_000.0).round() / 1_000.0
}

#[test]
fn a_month_of_measured_curves_shows_nothing() {
    for seed in 0..30 {
        assert_eq!(interpolated(&run(&measured(seed))), None, "plate {seed}");
    }
}

/// `cheat` makes the value of a cycle out of two other curves of the target; twelve curves are made.
#[track_caller]
fn shows(cheat: impl Fn(&Curve, &Curve, usize) -> f64) {
    for seed in 0..5 {
        let honest = measured(seed);
        let mut made = honest.clone();
        for n in 0..12 {
            // Curves of both targets follow each other, so an even number apart is the same target.
            let (one, other) = (&honest[40 + 2 * n], &honest[80 + 2 * n]);
            for (cycle, point) in made[120 + 2 * n].points.iter_mut().enumerate() {
                point.signal = rounded(cheat(one, other, cycle));
            }
        }
        let sign = interpolated(&run(&made)).expect("made curves show");
        assert_eq!(sign.check, Check::Copies);
        assert!(sign.message.contains("no noise of their own"), "{}", sign.message);
    }
}

fn at(curve: &Curve, cycle: usize) -> f64 {
    curve.points[cycle.min(curve.points.len() - 1)].signal
}

#[test]
fn scaled_curves_show() {
    shows(|one, _, cycle| 0.93 * at(one, cycle) + 0.05);
    shows(|one, _, cycle| 1.2 * at(one, cycle));
}

#[test]
fn curves_that_were_shifted_by_cycles_show() {
    shows(|one, _, cycle| at(one, cycle.saturating_sub(2)));
    shows(|one, _, cycle| 0.9 * at(one, cycle + 1));
}

#[test]
fn averaged_curves_show() {
    shows(|one, other, cycle| f64::midpoint(at(one, cycle), at(other, cycle)));
    shows(|one, other, cycle| 0.4 * at(one, cycle) + 0.6 * at(other, cycle) + 0.02);
}

/// Files that their authors put together for a test out of the same few curves.
const MOCKS: [&str; 3] = ["mock_cdc_3.eds", "mock_failing_plate.eds", "passing_plate.eds"];

/// Real instruments smooth, subtract and share a lamp; none of that is a cheat.
#[test]
fn of_real_files_only_those_put_together_by_hand_show() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/realdata");
    if !Path::new(folder).is_dir() {
        eprintln!("the folder of real instrument files is absent; no real curve was looked at");
        return;
    }
    let (mut looked_at, mut shown) = (0, Vec::new());
    let mut folders = vec![Path::new(folder).to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(file) = read(&std::fs::read(&path).unwrap()) else { continue };
            looked_at += usize::from(!file.curves.is_empty());
            if interpolated(&run(&file.curves)).is_some() {
                shown.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    shown.sort();
    assert_eq!(shown, MOCKS);
    assert!(looked_at > 10, "{looked_at}");
}
