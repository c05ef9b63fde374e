//! Lists for robots, and what robots say they did.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use swabline::barcode::TubeCode;
use swabline::plate::rack::{RackCode, RackSize, scan};
use swabline::plate::robot::{Volume, read};
use swabline::plate::worklist::{
    Work, steps, worklist_biomek, worklist_csv, worklist_hamilton, worklist_tecan,
};
use swabline::plate::{Content, Layout, PlateSize, WellPosition};

type Write = fn(Work<'_>) -> String;
const MAKERS: [(&str, Write); 3] =
    [("tecan", worklist_tecan), ("hamilton", worklist_hamilton), ("biomek", worklist_biomek)];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    robots(&mut criterion);
    racks(&mut criterion);
    criterion.final_summary();
}

/// A plate of 384 tubes.
fn full() -> Layout {
    let wells = (0..384).filter_map(|index| WellPosition::from_index(index, PlateSize::P384));
    let wells = (1..).zip(wells).map(|(number, well)| {
        let tube = TubeCode::numbered(number).expect("the number is small").to_string();
        (well, Content::Tube { tube, depth: 1, reaction: "mix".to_owned() })
    });
    Layout::explicit(PlateSize::P384, wells.collect()).expect("every tube has a well")
}

fn robots(c: &mut Criterion) {
    let layout = full();
    let steps = steps(&layout, &BTreeMap::new(), true);
    let volume = Volume::parse("5").expect("it is a number");
    let work = Work { plate: "P1", shape: (16, 24), volume, steps: &steps };
    let mut group = c.benchmark_group("worklist_384");
    group.throughput(Throughput::Elements(steps.len() as u64));
    group.bench_function("csv", |b| b.iter(|| worklist_csv(black_box(&layout))));
    for (name, write) in MAKERS {
        group.bench_function(name, |b| b.iter(|| write(black_box(work))));
    }
    group.finish();
    let mut group = c.benchmark_group("robot_log_384");
    for (name, write) in MAKERS {
        let log = write(work);
        group.throughput(Throughput::Bytes(log.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| read(black_box(log.as_bytes())).expect("our own list is a log"));
        });
    }
    group.finish();
}

fn racks(c: &mut Criterion) {
    let code = RackCode::parse("FX12345678").expect("it is a rack's code");
    let wells = (0..96).filter_map(|index| WellPosition::from_index(index, PlateSize::P96));
    let rows: Vec<_> = (10_000_001..).zip(wells).map(|(n, well)| format!("{well},AB{n}")).collect();
    let csv = rows.join("\n");
    let mut group = c.benchmark_group("rack_scan");
    group.throughput(Throughput::Bytes(csv.len() as u64));
    group.bench_function("96", |b| {
        b.iter(|| scan(black_box(csv.as_bytes()), &code, RackSize::R96).expect("it is sound"));
    });
    group.finish();
}
