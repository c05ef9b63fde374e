//! Amplification curves: read from real files, kept beside the readings, shown and drawn.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use swabline::instrument::picture::{
    CurvePicture, DrawnTarget, DrawnWell, Line, Mark, PlatePicture, Shown,
};
use swabline::instrument::{Curve, Point, read};
use swabline::plate::{Control, PlateSize};
use swabline::simulation::curves::{CYCLES, curves};
use swabline::simulation::files::{SimulatedRun, cfx_csv, quantstudio_text_with};
use swabline::simulation::workbook::quantstudio_workbook;
use swabline::web::catalogue::Language;

use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory::{self as lab, POSITIVE};
use crate::way::number;
use crate::world::{World, people, seal_tube, tube, world};

const REALDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/realdata");

/// File, curves, points, and the sum of all `ΔRn`: counted with `xlrd`, `openpyxl` and Python's
/// own text handling, not with our reader. A point is a row with a `ΔRn`, a curve a well and target
/// that has one. Files without results are refused and have no line here.
const REAL: [(&str, usize, usize, f64); 16] = [
    (
        "allotropy/design_and_analysis/appbio_quantstudio_design_and_analysis_example15_v1.5.2.xlsx",
        232,
        9_280,
        7_526.204_592_658_681,
    ),
    (
        "allotropy/design_and_analysis/appbio_quantstudio_design_quantity_test.xlsx",
        24,
        960,
        61.784_427_419_698_82,
    ),
    (
        "allotropy/design_and_analysis/appbio_quantstudio_designandanalysis_Diomni_v4.3_Presence_Absence.xlsx",
        8,
        320,
        -3.17,
    ),
    (
        "allotropy/design_and_analysis/appbio_quantstudio_designandanalysis_QS7Pro_Presence_and_Absence_example10.xlsx",
        168,
        6_720,
        3_122.678_699_184_719_3,
    ),
    ("allotropy/quantstudio/appbio_quantstudio_example01.txt", 8, 24, -0.248),
    ("allotropy/quantstudio/appbio_quantstudio_example02.txt", 6, 240, 5.557),
    ("allotropy/quantstudio/appbio_quantstudio_example05.txt", 2, 6, -0.02),
    ("allotropy/quantstudio/appbio_quantstudio_example06.txt", 9, 9, 0.012),
    ("allotropy/quantstudio/appbio_quantstudio_example07.txt", 8, 24, -0.043),
    ("allotropy/quantstudio/appbio_quantstudio_example10.xlsx", 8, 312, 167.966_972_33),
    ("allotropy/quantstudio/appbio_quantstudio_minimal_test01.txt", 2, 2, -0.009),
    (
        "opentrons-covid19/20200319-end-to-end-qpcr-1/20200320_qPCR_OT_Test_1.xls",
        116,
        5_800,
        112_674_077.480_082_15,
    ),
    (
        "opentrons-covid19/20200320-qpcr-2/20200320_qPCR_Test_2.xlsx",
        50,
        2_500,
        46_068_797.633_727_81,
    ),
    (
        "opentrons-covid19/20200402-bpgx-lod/20200402_BPGX_LOD_30.xlsx",
        150,
        7_500,
        459_837_808.877_049_45,
    ),
    (
        "opentrons-covid19/20200415-zymo-lod/Zymo_LOD_20200415_data.xls",
        137,
        6_850,
        649_812_417.891_185_9,
    ),
    (
        "opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD_data.xls",
        104,
        5_200,
        1_125_209_087.187_688_6,
    ),
];
/// Real files whose export has no curves.
const WITHOUT: [&str; 4] = [
    "allotropy/cfx_maestro/example01.csv",
    "allotropy/design_and_analysis/appbio_quantstudio_designandanalysis_QS7Pro_Primary_Analysis_example18.xlsx",
    "allotropy/quantstudio/example_quantsudio_results_only.txt",
    "opentrons-covid19/20200420-zymo-negatives/Zymo_Negatives_2020-04-20_Results.csv",
];

fn real(path: &str) -> Option<Vec<u8>> {
    if Path::new(REALDATA).is_dir() {
        return Some(std::fs::read(format!("{REALDATA}/{path}")).unwrap());
    }
    eprintln!("the folder of real instrument files is absent; {path} was not tested");
    None
}

#[test]
fn every_curve_of_every_real_file_is_read() {
    for (file, curves, points, sum) in REAL {
        let Some(bytes) = real(file) else { return };
        let run = read(&bytes).unwrap();
        let signals =
            || run.curves.iter().flat_map(|curve| &curve.points).map(|point| point.signal);
        assert_eq!((run.curves.len(), signals().count()), (curves, points), "{file}");
        let found: f64 = signals().sum();
        assert!((found - sum).abs() <= 1e-9 * sum.abs().max(1.0), "{file}: {found} is not {sum}");
        let said = |warning: &&str| warning.contains("curves");
        assert!(!run.warned().iter().any(said), "{file}: {:?}", run.warnings);
        for curve in &run.curves {
            let reading =
                run.readings.iter().find(|r| (r.well, &r.target) == (curve.well, &curve.target));
            assert_eq!(curve.dye, reading.map_or("", |r| &r.dye), "{file} {}", curve.well);
        }
    }
    for file in WITHOUT {
        let Some(bytes) = real(file) else { return };
        let run = read(&bytes).unwrap();
        assert_eq!(run.curves, [], "{file}");
        assert!(!run.warnings.iter().any(|warning| warning.message.contains("curves")), "{file}");
    }
}

/// The first points of a curve in `CoDx_LOD`, as `xlrd` shows the cells of its sheet.
#[test]
fn a_real_curve_is_read_to_the_last_digit() {
    let Some(bytes) = real("opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD_data.xls") else {
        return;
    };
    let run = read(&bytes).unwrap();
    let first = &run.curves[0];
    assert_eq!(
        (first.well.to_string(), &*first.target, &*first.dye),
        ("A1".to_owned(), "RNaseP", "TEXAS RED")
    );
    let points: Vec<_> = first.points[..3].iter().map(|at| (at.cycle, at.signal)).collect();
    let cells =
        [(1, -660.452_209_472_656_2), (2, -340.565_490_722_656_25), (3, -184.649_505_615_234_38)];
    assert_eq!(points, cells);
}

/// The column `Ct Threshold` of `CoDx_LOD`, by `xlrd`: 30000 for `RNaseP`, 70000 for `SARS-CoV-2`.
/// Every curve stands there at the Ct of its reading.
#[test]
fn real_curves_cross_the_threshold_of_the_instrument_at_their_ct() {
    let Some(bytes) = real("opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD_data.xls") else {
        return;
    };
    let run = read(&bytes).unwrap();
    let mut crossings = 0;
    for reading in &run.readings {
        let Some(ct) = reading.ct else { continue };
        let is_its =
            |curve: &&Curve| (curve.well, &curve.target) == (reading.well, &reading.target);
        let curve = run.curves.iter().find(is_its).unwrap();
        let threshold = if reading.target == "RNaseP" { 30_000.0 } else { 70_000.0 };
        let there = curve.at(ct.cycles().try_into().unwrap()).unwrap();
        assert!((there / threshold - 1.0).abs() < 0.05, "{there} in {}", reading.well);
        crossings += 1;
    }
    assert_eq!(crossings, 44 + 28);
}

fn small_curve(well: &str, signals: [f64; 4]) -> Curve {
    let points = (1..).zip(signals).map(|(cycle, signal)| Point { cycle, signal }).collect();
    Curve { well: well.parse().unwrap(), target: "N".into(), dye: "FAM".into(), points }
}

#[test]
fn a_small_picture_of_curves() {
    let line = |well, signals, control, ct| Line {
        curve: small_curve(well, signals),
        target: 0,
        control,
        ct,
    };
    let picture = CurvePicture {
        title: "Plate P1: amplification curves".into(),
        about: "Run R1, kit K 1.".into(),
        targets: vec![DrawnTarget {
            name: "N (FAM)".into(),
            cut_off: Some((3.5, "<= 3.5".into())),
        }],
        lines: vec![
            line("A1", [0.0, 0.1, 0.5, 1.5], None, Some(2.25)),
            line("B1", [0.0, 0.2, 0.8, 1.6], Some(Control::Positive), Some(2.0)),
            line("C1", [0.0, 0.0, 0.01, 0.0], Some(Control::Negative), None),
        ],
        log: false,
        language: Language::English,
    };
    insta::assert_snapshot!("curves", picture.draw().unwrap());
}

#[test]
fn a_small_picture_of_a_plate() {
    let well = |name: &str, tube: &str, shown, mark| {
        (name.parse().unwrap(), DrawnWell { tube: tube.into(), shown, mark })
    };
    let picture = PlatePicture {
        title: "Plate P1".into(),
        about: "Earliest Ct of the pathogen's targets. Run R1, kit K 1.".into(),
        usable: false,
        size: PlateSize::P96,
        language: Language::English,
        wells: BTreeMap::from([
            well("A1", "T1", Shown::Ct(18.5), Mark::Detected),
            well("A2", "T2", Shown::Silent, Mark::NotDetected),
            well("H12", "", Shown::Ct(27.0), Mark::Control(Control::Positive)),
        ]),
    };
    insta::assert_snapshot!("plate", picture.draw().unwrap());
}

/// A run on the `n`th plate of two tubes, one of them positive, in wells A1 and C1.
async fn cycled(app: &TestApp, world: &World, n: u64) -> (Value, SimulatedRun) {
    let tubes = [tube(2 * n), tube(2 * n + 1)];
    for at in 0..2 {
        seal_tube(app, world, 2 * n + at, &people(100 * n + 10 * at, 10)).await.expect(201);
    }
    lab::deliver(app, world, n, &tubes).await;
    let plate = lab::load(app, world, n, &tubes).await;
    let run = lab::cycled(&plate, &BTreeMap::from([(tubes[0].clone(), POSITIVE)]), false);
    (plate, run)
}

each_engine! {
    async fn a_dry_run_says_how_many_curves_were_read_and_what_is_wrong_with_them(app) {
        let world = world(app).await;
        let (plate, run) = cycled(app, &world, 0).await;
        let mut traced = curves(&run, 7);
        traced.push(traced[0].clone());
        let file = quantstudio_text_with(&run, &traced);
        let path = format!("/v1/plates/{}/runs?dry_run=true", plate["code"].as_str().unwrap());
        let dry = app.upload(&world.technician, &path, file.into_bytes()).await.expect(200).json();
        let said = dry["warnings"].to_string();
        assert!(said.contains("curves were left out"), "{dry}");
        let kept = dry["curves"].as_u64().unwrap();
        assert!(kept > 0 && kept < run.wells.len() as u64, "{dry}");
        let whole = quantstudio_text_with(&run, &curves(&run, 7)).into_bytes();
        let dry = app.upload(&world.technician, &path, whole.clone()).await.expect(200).json();
        assert_eq!((&dry["curves"], &dry["id"]), (&json!(run.wells.len()), &json!(null)));
        assert_eq!(dry["warnings"], json!([]));
        let taken = lab::upload(app, &world, &plate, whole).await.expect(201).json();
        assert_eq!(taken["curves"], dry["curves"]);
    }

    async fn curves_come_in_with_a_run_and_are_shown_as_they_were(app) {
        let world = world(app).await;
        for n in 0..2 {
            let (plate, run) = cycled(app, &world, n).await;
            let drawn = curves(&run, 7);
            let file = match n {
                0 => quantstudio_text_with(&run, &drawn).into_bytes(),
                _ => quantstudio_workbook(&run, &drawn),
            };
            let answer = lab::upload(app, &world, &plate, file).await.expect(201).json();
            lab::assert_kept(app, &world, &answer).await;
            let path = format!("/v1/runs/{}/curves", answer["id"].as_str().unwrap());
            let all = app.get(&world.reviewer, &path).await.expect(200).json();
            assert_eq!(all["plate"], plate["code"]);
            assert_eq!(all["next"], Value::Null);
            let shown = all["curves"].as_array().unwrap();
            assert_eq!(shown.len(), drawn.len());
            for curve in &drawn {
                let is_it = |one: &&Value| {
                    one["well"] == curve.well.to_string() && one["target"] == curve.target
                };
                let one = shown.iter().find(is_it).unwrap();
                let signals: Vec<_> = curve.points.iter().map(|point| point.signal).collect();
                assert_eq!(one["signals"], json!(signals));
                assert_eq!((&one["first_cycle"], &one["dye"]), (&json!(1), &json!(curve.dye)));
            }
            let well = app.get(&world.reviewer, &format!("{path}?well=a01")).await.expect(200).json();
            let of_well: Vec<_> = shown.iter().filter(|one| one["well"] == "A1").collect();
            assert_eq!(json!(of_well), well["curves"]);
            assert_eq!(of_well.len(), 3);
        }
        let points = "select cast(sum(length(points)) as bigint) from curve";
        assert_eq!(number(app, "select count(*) from curve").await, 2 * 4 * 3);
        assert_eq!(number(app, points).await, 2 * 4 * 3 * i64::from(CYCLES) * 4);
    }

    async fn curves_are_listed_page_by_page(app) {
        let world = world(app).await;
        let (plate, run) = cycled(app, &world, 0).await;
        let file = quantstudio_text_with(&run, &curves(&run, 7)).into_bytes();
        let answer = lab::upload(app, &world, &plate, file).await.expect(201).json();
        let path = format!("/v1/runs/{}/curves?limit=13", answer["id"].as_str().unwrap());
        let (mut wells, mut after) = (Vec::new(), String::new());
        for _page in 0..8 {
            let page = app.get(&world.auditor, &format!("{path}{after}")).await.expect(200).json();
            wells.extend(page["curves"].as_array().unwrap().iter().map(|one| one["well"].clone()));
            after = match page["next"].as_str() {
                Some(next) => format!("&after={next}"),
                None => break,
            };
        }
        assert_eq!(wells.len(), 4 * 3, "{wells:?}");
        assert_eq!(wells.first(), Some(&json!("A1")));
    }

    async fn curves_and_plate_are_drawn(app) {
        let world = world(app).await;
        let (plate, run) = cycled(app, &world, 0).await;
        let file = quantstudio_text_with(&run, &curves(&run, 7)).into_bytes();
        let answer = lab::upload(app, &world, &plate, file).await.expect(201).json();
        let path = format!("/v1/runs/{}", answer["id"].as_str().unwrap());
        let draw = async |what: &str| {
            let picture = app.get(&world.technician, &format!("{path}/{what}")).await.expect(200);
            assert_eq!(picture.headers["content-type"], "image/svg+xml");
            assert_eq!(picture.headers["content-security-policy"], "default-src 'none'");
            assert_eq!(picture.headers["x-content-type-options"], "nosniff");
            let svg = picture.text();
            assert!(svg.starts_with("<svg") && svg.contains("<title"), "{svg}");
            svg
        };
        let all = draw("curves.svg").await;
        for shown in ["ORF1ab (FAM)", "N (VIC)", "IC (CY5)", "4 curves, 2 with Ct",
            "positive control", "negative control", "cut-off", "Cycle", "Fluorescence"]
        {
            assert!(all.contains(shown), "{shown}: {all}");
        }
        let well = draw("curves.svg?well=A1").await;
        assert!(well.contains(&format!("well A1: tube {}", tube(0))), "{well}");
        assert!(well.contains("Ct 29.80") && well.contains("Ct 30.40"), "{well}");
        let one = draw("curves.svg?well=A1&target=orf1ab&log=true").await;
        assert!(one.contains("powers of ten") && !one.contains("N (VIC)"), "{one}");
        let chinese = draw("curves.svg?well=A1&language=zh").await;
        assert!(chinese.contains("荧光") && chinese.contains("循环"), "{chinese}");
        assert!(!chinese.contains("Fluorescence") && !chinese.contains("Run "), "{chinese}");
        assert!(draw("plate.svg?language=zh").await.contains("各孔 Ct"));
        let map = draw("plate.svg").await;
        for shown in ["29.80", "detected", "not detected", "pos. control", "neg. control",
            "1 (A1).", &tube(1)]
        {
            assert!(map.contains(shown), "{shown}: {map}");
        }
        assert!(draw("plate.svg?target=N").await.contains("30.40"));
    }

    async fn what_cannot_be_drawn_is_answered_with_what_to_do(app) {
        let world = world(app).await;
        let (plate, run) = cycled(app, &world, 0).await;
        let file = cfx_csv(&run).into_bytes();
        let answer = lab::upload(app, &world, &plate, file).await.expect(201).json();
        let path = format!("/v1/runs/{}", answer["id"].as_str().unwrap());
        for what in ["curves", "curves.svg", "curves?well=A1"] {
            let none = app.get(&world.reviewer, &format!("{path}/{what}")).await.expect(404);
            assert_eq!(none.code(), "curve.not_found");
            assert!(none.text().contains("is exported with it"), "{what}: {}", none.text());
        }
        app.get(&world.reviewer, &format!("{path}/plate.svg")).await.expect(200);

        let (plate, run) = cycled(app, &world, 1).await;
        let file = quantstudio_text_with(&run, &curves(&run, 7)).into_bytes();
        let answer = lab::upload(app, &world, &plate, file).await.expect(201).json();
        let path = format!("/v1/runs/{}", answer["id"].as_str().unwrap());
        for (what, status, code) in [
            ("curves.svg?well=H12", 404, "curve.not_found"),
            ("curves.svg?target=S", 404, "curve.not_found"),
            ("curves?well=H12", 404, "curve.not_found"),
            ("curves?well=P24", 422, "run.well"),
            ("curves.svg?well=elsewhere", 422, "run.well"),
            ("plate.svg?target=S", 422, "run.target"),
            ("plate.svg?well=A1", 400, "query"),
        ] {
            let refused = app.get(&world.reviewer, &format!("{path}/{what}")).await.expect(status);
            assert_eq!(refused.code(), code, "{what}: {}", refused.text());
        }
        app.get(&world.reviewer, "/v1/runs/nowhere/curves.svg").await.expect(404);
    }

    async fn no_name_typed_at_the_instrument_is_in_a_picture(app) {
        let world = world(app).await;
        let (plate, mut run) = cycled(app, &world, 0).await;
        for well in run.wells.iter_mut().filter(|well| !well.sample.starts_with('T')) {
            "Canary 采样 <b>".clone_into(&mut well.sample);
        }
        let file = quantstudio_text_with(&run, &curves(&run, 7)).into_bytes();
        let answer = lab::upload(app, &world, &plate, file).await.expect(201).json();
        let path = format!("/v1/runs/{}", answer["id"].as_str().unwrap());
        for what in ["curves", "curves.svg", "curves.svg?log=true", "plate.svg"] {
            let shown = app.get(&world.auditor, &format!("{path}/{what}")).await.expect(200).text();
            assert!(!shown.contains("Canary") && !shown.contains("采样"), "{what}: {shown}");
        }
    }

    async fn a_run_whose_curves_cannot_be_read_is_called_all_the_same(app) {
        let world = world(app).await;
        let (plate, run) = cycled(app, &world, 0).await;
        let text = quantstudio_text_with(&run, &curves(&run, 7));
        let file = text.replacen("\t1\tORF1ab\t", "\tfirst\tORF1ab\t", 1).into_bytes();
        let answer = lab::upload(app, &world, &plate, file).await.expect(201).json();
        assert_eq!(answer["verdict"]["usable"], true);
        assert_eq!(answer["calls"].as_array().unwrap().len(), 2);
        let warnings = answer["warnings"].to_string();
        assert!(warnings.contains("curves were left out"), "{warnings}");
        assert_eq!(number(app, "select count(*) from curve").await, 4 * 3 - 1);
    }
}
