//! A plate of 94 tubes: laid out, and called.

mod run;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use swabline::instrument::read;
use swabline::interpretation::interpret;
use swabline::plate::PlateSize;
use swabline::simulation::files::quantstudio_text;

fn plate(c: &mut Criterion) {
    let kit = run::kit();
    let layout = run::plate(&kit, PlateSize::P96);
    let facts = run::facts(&layout);
    let file = quantstudio_text(&run::run(&kit, &layout)).into_bytes();
    let readings = read(&file).expect("the file is readable").readings;
    let mut group = c.benchmark_group("plate_of_94");
    group.throughput(Throughput::Elements(layout.tubes().len() as u64));
    group.bench_function("layout", |b| {
        b.iter(|| run::plate(black_box(&kit), PlateSize::P96));
    });
    group.bench_function("interpret", |b| {
        b.iter(|| interpret(&kit, &layout, black_box(&readings), &facts).expect("it fits"));
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    plate(&mut criterion);
    criterion.final_summary();
}
