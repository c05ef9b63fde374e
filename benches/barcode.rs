//! Codes and labels.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use swabline::barcode::label::{Label, sheet_svg};
use swabline::barcode::{Patterns, TubeCode, check};

/// Labels on a sheet that is measured.
const LABELS: u64 = 24;

fn codes(c: &mut Criterion) {
    let mut group = c.benchmark_group("code");
    let code = TubeCode::numbered(123_456).expect("the number is small");
    group.bench_function("mod_37_2", |b| b.iter(|| check::mod_37_2(black_box("T0123456"))));
    group.bench_function("mod_11_2", |b| {
        b.iter(|| check::mod_11_2(black_box("99000019491231002")));
    });
    group.bench_function("parse", |b| {
        let patterns = Patterns::default();
        b.iter(|| TubeCode::parse(black_box(code.as_str()), &patterns));
    });
    group.finish();
}

fn labels(c: &mut Criterion) {
    let labels: Vec<_> = (0..LABELS)
        .filter_map(TubeCode::numbered)
        .map(|code| Label::new(code.as_str(), Some("Site 7")).expect("the code is ours"))
        .collect();
    let mut group = c.benchmark_group("label_svg");
    for (name, labels) in [("alone", &labels[..1]), ("sheet", &labels[..])] {
        group.throughput(Throughput::Elements(labels.len() as u64));
        group.bench_function(name, |b| b.iter(|| sheet_svg(black_box(labels), 1)));
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    codes(&mut criterion);
    labels(&mut criterion);
    criterion.final_summary();
}
