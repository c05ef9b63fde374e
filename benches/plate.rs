//! Plates: laid out, judged by their controls, and found out when they were turned or swapped.

mod run;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use swabline::instrument::read;
use swabline::interpretation::{interpret, observed};
use swabline::plate::{PlateSize, StampOrder, Transform, stamped, suspected_transform, unnoticed};
use swabline::simulation::files::quantstudio_text;

const SIZES: [(&str, PlateSize); 2] = [("94", PlateSize::P96), ("382", PlateSize::P384)];

fn laid_out(c: &mut Criterion) {
    let kit = run::kit();
    let plan = kit.plan();
    let mut group = c.benchmark_group("plate");
    for (tubes, size) in SIZES {
        let layout = run::plate(&kit, size);
        group.throughput(Throughput::Elements(layout.tubes().len() as u64));
        group.bench_function(BenchmarkId::new("layout", tubes), |b| {
            b.iter(|| run::plate(black_box(&kit), size));
        });
        group.bench_function(BenchmarkId::new("unnoticed", tubes), |b| {
            b.iter(|| unnoticed(black_box(&layout), &plan));
        });
    }
    let sources = [0, 1, 2, 3].map(|number| run::numbered(&kit, PlateSize::P96, number));
    group.throughput(Throughput::Elements(4 * 94));
    group.bench_function("stamp", |b| {
        b.iter(|| {
            let sources = black_box(&sources).each_ref().map(Some);
            stamped(StampOrder::Z, &sources, &plan).expect("the plates have no faults")
        });
    });
    group.finish();
}

fn found_out(c: &mut Criterion) {
    let kit = run::kit();
    let plan = kit.plan();
    let mut group = c.benchmark_group("mixed_up");
    for (tubes, size) in SIZES {
        let (layout, other) = (run::plate(&kit, size), run::numbered(&kit, size, 1));
        let facts = run::facts(&layout);
        let of = |layout| {
            let mut run = run::run(&kit, layout);
            // Nobody typed names, so the controls alone have to tell.
            run.wells.iter_mut().for_each(|well| "sample".clone_into(&mut well.sample));
            read(quantstudio_text(&run).as_bytes()).expect("the file is readable").readings
        };
        let (own, swapped) = (of(&layout), of(&other));
        let mut turned = own.clone();
        for reading in &mut turned {
            let at = Transform::Rotated.read_at(reading.well, size);
            reading.well = at.expect("a turn keeps every well on the plate");
        }
        let shown = observed(&kit, &layout, &turned);
        assert!(suspected_transform(&layout, &plan, &shown) == Some(Transform::Rotated));
        let is_usable =
            |read| interpret(&kit, &layout, read, &facts).is_ok_and(|read| read.verdict.usable);
        assert!(is_usable(&own) && !is_usable(&swapped));
        group.throughput(Throughput::Elements(layout.wells().len() as u64));
        group.bench_function(BenchmarkId::new("turned", tubes), |b| {
            b.iter(|| suspected_transform(black_box(&layout), &plan, &shown));
        });
        group.bench_function(BenchmarkId::new("swapped", tubes), |b| {
            b.iter(|| interpret(&kit, &layout, black_box(&swapped), &facts));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    laid_out(&mut criterion);
    found_out(&mut criterion);
    criterion.final_summary();
}
