//! Run files: bytes to readings, and a plate of 384 wells from bytes to calls.

mod run;

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput};
use swabline::instrument::read;
use swabline::interpretation::interpret;
use swabline::plate::PlateSize;
use swabline::simulation::files::{cfx_csv, quantstudio_text};
use swabline::simulation::files_text::{
    design_analysis_csv, lightcycler_480, lighthouse, ma_6000, slan_96p,
};
use swabline::simulation::workbook::{DesignAnalysis, design_analysis_workbook};
use swabline::simulation::zipped;

const REALDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/realdata");
/// Real workbooks, one of each kind.
const WORKBOOKS: [(&str, &str); 2] = [
    ("xls", "opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD_data.xls"),
    ("xlsx", "opentrons-covid19/20200320-qpcr-2/20200320_qPCR_Test_2.xlsx"),
];

fn parse(c: &mut Criterion) {
    let kit = run::kit();
    let plate = run::run(&kit, &run::plate(&kit, PlateSize::P96));
    let mut files = vec![
        ("quantstudio_text", quantstudio_text(&plate).into_bytes()),
        ("cfx_csv", cfx_csv(&plate).into_bytes()),
        ("design_analysis_csv", design_analysis_csv(&plate).into_bytes()),
        ("design_analysis_xlsx", design_analysis_workbook(&plate, DesignAnalysis::Two)),
        ("diomni_xlsx", design_analysis_workbook(&plate, DesignAnalysis::Diomni)),
        ("rdml", zipped::rdml(&plate)),
        ("eds_old", zipped::eds(&plate)),
        ("eds_new", zipped::eds_json(&plate)),
        ("lightcycler_480", lightcycler_480(&plate).swap_remove(0).into_bytes()),
        ("lighthouse_csv", lighthouse(&plate).into_bytes()),
        ("mapping_gb18030", slan_96p(&plate)),
        ("mapping_csv", ma_6000(&plate).into_bytes()),
    ];
    if Path::new(REALDATA).is_dir() {
        for (name, path) in WORKBOOKS {
            let bytes = std::fs::read(format!("{REALDATA}/{path}")).expect("the file is there");
            files.push((name, bytes));
        }
    } else {
        eprintln!("the folder of real instrument files is absent; workbooks were not measured");
    }
    let mut group = c.benchmark_group("parse");
    for (name, bytes) in files {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| read(black_box(&bytes)).expect("the file is readable"));
        });
    }
    group.finish();
}

fn called(c: &mut Criterion) {
    let kit = run::kit();
    let mut group = c.benchmark_group("file_to_calls");
    for (name, size) in [("96", PlateSize::P96), ("384", PlateSize::P384)] {
        let layout = run::plate(&kit, size);
        let facts = run::facts(&layout);
        let bytes = quantstudio_text(&run::run(&kit, &layout)).into_bytes();
        group.throughput(Throughput::Elements(layout.wells().len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                let file = read(black_box(&bytes)).expect("the file is readable");
                interpret(&kit, &layout, &file.readings, &facts).expect("it fits the plate")
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    parse(&mut criterion);
    called(&mut criterion);
    criterion.final_summary();
}
