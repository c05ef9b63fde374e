//! Real run files: the counts of `formats.md` section 16, made with other readers, and refusals.

mod xml;

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use proptest::prelude::*;
use swabline::instrument::{
    Format, Inspection, Mappings, Refusal, RunFile, read, read_part, read_run,
};
use swabline::plate::WellPosition;

const REALDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/realdata");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/instrument");

/// A real file, or none with a plain sentence when the folder is absent.
fn real(path: &str) -> Option<Vec<u8>> {
    if Path::new(REALDATA).is_dir() {
        let bytes = std::fs::read(format!("{REALDATA}/{path}"));
        return Some(bytes.unwrap_or_else(|error| panic!("{path}: {error}")));
    }
    eprintln!("the folder of real instrument files is absent; {path} was not tested");
    None
}

/// One row of section 16: file, rows, wells, samples, and for each target Ct / no Ct.
struct Counted {
    file: &'static str,
    format: Format,
    rows: usize,
    wells: usize,
    samples: usize,
    targets: &'static [(&'static str, usize, usize)],
}

const fn counted(
    file: &'static str,
    format: Format,
    (rows, wells, samples): (usize, usize, usize),
    targets: &'static [(&'static str, usize, usize)],
) -> Counted {
    Counted { file, format, rows, wells, samples, targets }
}

const AB_TEXT: Format = Format::AppliedBiosystemsText;
const AB_BOOK: Format = Format::AppliedBiosystemsWorkbook;
const DA_CSV: Format = Format::DesignAnalysisCsv;
const DA_BOOK: Format = Format::DesignAnalysisWorkbook;

/// Section 16 without the LightCycler files, which have a test of their own, the two files that are
/// refused, and the blocks `Target Call`, for which see `calls_are_joined_to_the_readings`.
const SECTION_16: [Counted; 23] = [
    counted(
        "allotropy/cfx_maestro/example01.csv",
        Format::BioRadCfx,
        (48, 24, 12),
        &[("FAM", 24, 0), ("VIC", 24, 0)],
    ),
    counted(
        "allotropy/design_and_analysis/appbio_quantstudio_design_and_analysis_example15_v1.5.2.xlsx",
        AB_BOOK,
        (232, 232, 58),
        &[("MYGENE", 228, 4)],
    ),
    counted(
        "allotropy/design_and_analysis/appbio_quantstudio_design_quantity_test.xlsx",
        DA_BOOK,
        (24, 12, 3),
        &[("ABC", 4, 8), ("DEF", 4, 8)],
    ),
    counted(
        "allotropy/design_and_analysis/appbio_quantstudio_designandanalysis_Diomni_v4.3_Presence_Absence.xlsx",
        DA_BOOK,
        (8, 4, 4),
        &[("Globin", 0, 4), ("T4", 1, 3)],
    ),
    counted(
        "allotropy/design_and_analysis/appbio_quantstudio_designandanalysis_QS7Pro_Presence_and_Absence_example10.xlsx",
        DA_BOOK,
        (168, 84, 26),
        &[("Xeno", 48, 36), ("Blocked IPC", 0, 2), ("IPC", 82, 0)],
    ),
    counted(
        "allotropy/design_and_analysis/appbio_quantstudio_designandanalysis_QS7Pro_Primary_Analysis_example18.xlsx",
        DA_BOOK,
        (96, 96, 1),
        &[("", 84, 12)],
    ),
    counted(
        "allotropy/quantstudio/appbio_quantstudio_example01.txt",
        AB_TEXT,
        (16, 16, 16),
        &[("TARGET_1", 16, 0)],
    ),
    counted(
        "allotropy/quantstudio/appbio_quantstudio_example02.txt",
        AB_TEXT,
        (96, 48, 3),
        &[("IPC", 44, 4), ("TGFb", 24, 24)],
    ),
    counted(
        "allotropy/quantstudio/appbio_quantstudio_example05.txt",
        AB_TEXT,
        (16, 16, 5),
        &[("TGF-B", 10, 3), ("GAPDH", 0, 3)],
    ),
    counted(
        "allotropy/quantstudio/appbio_quantstudio_example06.txt",
        AB_TEXT,
        (9, 9, 2),
        &[("TGF-B", 5, 0), ("GAPDH", 4, 0)],
    ),
    counted(
        "allotropy/quantstudio/appbio_quantstudio_example07.txt",
        AB_TEXT,
        (16, 16, 1),
        &[("RNaseP", 8, 2), ("IPC", 5, 1)],
    ),
    counted(
        "allotropy/quantstudio/appbio_quantstudio_example10.xlsx",
        AB_BOOK,
        (8, 8, 2),
        &[("GeneA", 4, 0), ("RefGene", 4, 0)],
    ),
    counted(
        "allotropy/quantstudio/appbio_quantstudio_minimal_test01.txt",
        AB_TEXT,
        (2, 1, 1),
        &[("IPC", 0, 1), ("TGFb", 0, 1)],
    ),
    counted(
        "allotropy/quantstudio/example_quantsudio_results_only.txt",
        AB_TEXT,
        (24, 24, 8),
        &[("3'UTR", 24, 0)],
    ),
    counted(
        "opentrons-covid19/20200319-end-to-end-qpcr-1/20200320_qPCR_OT_Test_1.xls",
        AB_BOOK,
        (116, 62, 26),
        &[("FAM", 24, 38), ("VIC", 18, 36)],
    ),
    counted(
        "opentrons-covid19/20200320-qpcr-2/20200320_qPCR_Test_2.xlsx",
        AB_BOOK,
        (50, 33, 25),
        &[("FAM", 14, 19), ("VIC", 10, 7)],
    ),
    counted(
        "opentrons-covid19/20200402-bpgx-lod/20200402_BPGX_LOD_30.xlsx",
        AB_BOOK,
        (150, 93, 71),
        &[("FAM", 77, 16), ("VIC", 49, 8)],
    ),
    counted(
        "opentrons-covid19/20200415-zymo-lod/Zymo_LOD_20200415_data.xls",
        AB_BOOK,
        (137, 87, 29),
        &[("Covid", 51, 11), ("Internal Control", 0, 50), ("Endogenous Control", 23, 2)],
    ),
    counted(
        "opentrons-covid19/20200420-zymo-negatives/Zymo_Negatives_2020-04-20_Presence_Absence_Result.csv",
        DA_CSV,
        (87, 56, 13),
        &[("IEC", 0, 31), ("nCoV", 6, 25), ("Endo", 18, 7)],
    ),
    counted(
        "opentrons-covid19/20200420-zymo-negatives/Zymo_Negatives_2020-04-20_Results.csv",
        DA_CSV,
        (87, 56, 13),
        &[("IEC", 0, 31), ("nCoV", 6, 25), ("Endo", 18, 7)],
    ),
    counted(
        "opentrons-covid19/20200421-zymo-negatives/Zymo_Negatives_2020-4-21_Presence_Absence_Result.csv",
        DA_CSV,
        (87, 56, 13),
        &[("IEC", 27, 4), ("nCoV", 6, 25), ("Endo", 17, 8)],
    ),
    counted(
        "opentrons-covid19/20200421-zymo-negatives/Zymo_Negatives_2020-4-21_Results.csv",
        DA_CSV,
        (87, 56, 13),
        &[("IEC", 27, 4), ("nCoV", 6, 25), ("Endo", 17, 8)],
    ),
    counted(
        "opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD_data.xls",
        AB_BOOK,
        (104, 52, 12),
        &[("RNaseP", 44, 8), ("SARS-CoV-2", 28, 24)],
    ),
];

/// Counts by target, or by dye where the target is empty and the format is Bio-Rad's.
fn by_target(inspection: &Inspection) -> Vec<(String, usize, usize)> {
    let mut counts: Vec<(String, usize, usize)> = Vec::new();
    for target in &inspection.targets {
        let by_dye = inspection.format == Format::BioRadCfx;
        let name = if by_dye { &target.dye } else { &target.name };
        match counts.iter_mut().find(|(known, ..)| known == name) {
            Some((_, with, without)) => {
                *with += target.with_ct;
                *without += target.without_ct;
            }
            None => counts.push((name.clone(), target.with_ct, target.without_ct)),
        }
    }
    counts.sort();
    counts
}

#[test]
fn every_count_of_section_16_is_reproduced() {
    for row in &SECTION_16 {
        let Some(bytes) = real(row.file) else { return };
        let run = read(&bytes).unwrap_or_else(|refusal| panic!("{}: {refusal}", row.file));
        let inspection = Inspection::of(&run);
        let mut targets: Vec<_> =
            row.targets.iter().map(|(name, a, b)| ((*name).to_owned(), *a, *b)).collect();
        targets.sort();
        assert_eq!(by_target(&inspection), targets, "{}", row.file);
        assert_eq!(inspection.rows, row.rows, "{}", row.file);
        assert_eq!(inspection.wells, row.wells, "{}", row.file);
        assert_eq!(inspection.samples, row.samples, "{}", row.file);
        assert_eq!(inspection.format, row.format, "{}", row.file);
    }
}

#[test]
fn the_7500_workbook_says_which_instrument_and_when() {
    let Some(bytes) = real("opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD_data.xls") else {
        return;
    };
    let inspection = Inspection::of(&read(&bytes).unwrap());
    assert_eq!(inspection.plate_wells, Some(96));
    assert_eq!(inspection.instrument.as_deref(), Some("sds7500"));
    assert_eq!(inspection.serial, None);
    assert_eq!(inspection.run_ended.as_deref(), Some("2020-05-18 17:50:29 PM PDT"));
    let json = serde_json::to_value(&inspection).unwrap();
    assert_eq!(json["format"], "applied_biosystems_workbook");
    assert_eq!(json["targets"][0]["name"], "RNaseP");
    assert_eq!(json["targets"][0]["dye"], "TEXAS RED");
    let text = inspection.to_string();
    assert!(text.contains("SARS-CoV-2 (FAM): 28 with Ct, 24 without"), "{text}");
}

#[test]
fn a_late_ct_and_its_status_are_kept_apart() {
    let Some(bytes) = real("opentrons-covid19/20200402-bpgx-lod/20200402_BPGX_LOD_30.xlsx") else {
        return;
    };
    let run = read(&bytes).unwrap();
    let late = run.readings.iter().find(|reading| reading.raw_ct.starts_with("48.25")).unwrap();
    assert_eq!(late.amp_status.as_deref(), Some("No Amp"));
    assert!(late.ct.is_some());
}

/// Section 16 counts the block `Target Call` like the results beside it: here every reading has
/// its call, no call is left over, and both blocks agree on every Ct.
#[test]
fn calls_are_joined_to_the_readings() {
    let folder = "allotropy/design_and_analysis/appbio_quantstudio_designandanalysis";
    for (file, positive) in [
        ("Diomni_v4.3_Presence_Absence.xlsx", "POSITIVE"),
        ("QS7Pro_Presence_and_Absence_example10.xlsx", "Presence"),
    ] {
        let Some(bytes) = real(&format!("{folder}_{file}")) else { return };
        let run = read(&bytes).unwrap();
        assert!(run.readings.iter().all(|reading| reading.instrument_call.is_some()), "{file}");
        for reading in &run.readings {
            let called = reading.instrument_call.as_deref() == Some(positive);
            assert_eq!(called, reading.ct.is_some(), "{file} {}", reading.well);
        }
        let joined = |warning: &&str| warning.contains("Target Call");
        assert!(!run.warned().iter().any(joined), "{file}: {:?}", run.warnings);
    }
}

/// Ct by well and name from an ASM document, the reading of somebody else's parser.
fn asm(json: &str, name: &[&str]) -> BTreeMap<(WellPosition, String), Option<String>> {
    let document: serde_json::Value = serde_json::from_str(json).unwrap();
    let mut cts = BTreeMap::new();
    for plate in document["qpcr aggregate document"]["qpcr document"].as_array().unwrap() {
        let measurements = &plate["measurement aggregate document"]["measurement document"];
        for one in measurements.as_array().unwrap() {
            let well = one["sample document"]["well location identifier"].as_str().unwrap();
            let name = name.iter().fold(one, |value, key| &value[key]).as_str().unwrap();
            let data = &one["processed data aggregate document"]["processed data document"][0];
            let ct = &data["cycle threshold result (qPCR)"]["value"];
            let ct = ct.as_f64().map(|ct| ct.to_string());
            cts.insert((well.parse().unwrap(), name.to_owned()), ct);
        }
    }
    cts
}

#[test]
fn every_ct_equals_the_one_of_another_parser() {
    let folder = "allotropy/design_and_analysis/appbio_quantstudio_designandanalysis";
    let files = [
        ("allotropy/quantstudio/appbio_quantstudio_example06".to_owned(), "txt"),
        (format!("{folder}_Diomni_v4.3_Presence_Absence"), "xlsx"),
    ];
    for (file, extension) in files {
        let Some(bytes) = real(&format!("{file}.{extension}")) else { return };
        let Some(json) = real(&format!("{file}.json")) else { return };
        let expected = asm(std::str::from_utf8(&json).unwrap(), &["target DNA description"]);
        let run = read(&bytes).unwrap();
        let found: BTreeMap<_, _> = run
            .readings
            .iter()
            .map(|r| {
                ((r.well, r.target.clone()), r.ct.map(|ct| ct.cycles().normalize().to_string()))
            })
            .collect();
        assert_eq!(found, expected, "{file}");
    }
}

#[test]
fn every_cfx_ct_equals_the_one_of_another_parser() {
    let Some(bytes) = real("allotropy/cfx_maestro/example01.csv") else { return };
    let Some(json) = real("allotropy/cfx_maestro/example01.json") else { return };
    let dye = ["device control aggregate document", "device control document"];
    let document = std::str::from_utf8(&json).unwrap();
    let mut expected = Vec::new();
    let value: serde_json::Value = serde_json::from_str(document).unwrap();
    for plate in value["qpcr aggregate document"]["qpcr document"].as_array().unwrap() {
        let measurements = &plate["measurement aggregate document"]["measurement document"];
        for one in measurements.as_array().unwrap() {
            let well = one["sample document"]["well location identifier"].as_str().unwrap();
            let control = dye.iter().fold(one, |value, key| &value[key]);
            let dye = control[0]["reporter dye setting"].as_str().unwrap();
            let data = &one["processed data aggregate document"]["processed data document"][0];
            let ct = data["cycle threshold result (qPCR)"]["value"].as_f64().unwrap();
            expected.push((well.parse::<WellPosition>().unwrap(), dye.to_owned(), ct.to_string()));
        }
    }
    expected.sort();
    let run = read(&bytes).unwrap();
    let mut found: Vec<_> =
        run.readings.iter().map(|r| (r.well, r.dye.clone(), r.ct.unwrap().to_string())).collect();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn files_that_are_not_ours_are_refused_by_their_kind() {
    for (file, part) in [
        ("RDML-R/BioRad.xlsx", "a workbook without a results sheet"),
        ("tidyqpcr/Stuart_dAgr_glyS_spoVG_5S_individualWells_Cq.txt.gz", "gzip"),
        ("sanger-crawler/malformed/TEST/TEST_sanger_report_200515_2205.csv", "a text without"),
        ("reportstream/single_message.hl7", "an HL7 message"),
        ("opentrons-covid19/instructions/deep_well_sample_map_48.csv", "a text without"),
        (
            "opentrons-covid19/5-26-20_CoDx_Norgen-BP_BEI_LOD_EUA_expt/5-26-20_CoDx_Norgen-BP_BEI_LOD_EUA_expt_Analyzed.xlsx",
            "a workbook without a results sheet",
        ),
    ] {
        let Some(bytes) = real(file) else { return };
        let refusal = read(&bytes).unwrap_err();
        assert!(matches!(refusal, Refusal::NotOurs { .. }), "{file}: {refusal}");
        assert!(refusal.to_string().contains(part), "{file}: {refusal}");
    }
}

/// A real gzip file, unpacked.
fn unpacked(path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&real(path)?[..]).read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

/// The two last rows of section 16: one filter each, whose name is the dye.
#[test]
fn the_counts_of_both_lightcycler_files_are_reproduced() {
    for (file, rows, samples, with_ct, without_ct, size) in [
        ("Edward_qPCR_Nrd1_calibration_2019-02-02_Cq", 384, 384, 279, 105, 384),
        ("Stuart_dAgr_glyS_spoVG_5S_individualWells_Cq", 96, 36, 90, 6, 96),
    ] {
        let Some(bytes) = unpacked(&format!("tidyqpcr/{file}.txt.gz")) else { return };
        let part = read_part(&bytes, Mappings::shipped(), None).unwrap();
        let inspection = Inspection::of(&part.run);
        assert_eq!(inspection.format, Format::LightCycler480);
        assert_eq!((inspection.rows, inspection.wells), (rows, rows), "{file}");
        assert_eq!((inspection.samples, inspection.plate_wells), (samples, Some(size)), "{file}");
        let [target] = &inspection.targets[..] else { panic!("{:?}", inspection.targets) };
        assert_eq!((target.with_ct, target.without_ct), (with_ct, without_ct), "{file}");
        assert_eq!((target.name.as_str(), target.dye.as_str()), ("", "SYBR Green I / HRM Dye"));
        let of = part.of.unwrap();
        assert_eq!(of.name, "SYBR Green I / HRM Dye (483-533)");
        assert!(!of.title.is_empty());
        let bare: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\n').collect();
        assert_eq!(read(&bare).unwrap().readings, part.run.readings, "{file} with bare CR");
        for length in (0..bytes.len()).step_by(7) {
            if let Ok(cut) = read(&bytes[..length]) {
                assert!(is_beginning(&cut, &part.run), "{file} cut at {length}");
            }
        }
    }
}

#[test]
fn lightcycler_files_of_two_experiments_are_not_one_run() {
    let Some(small) = unpacked("tidyqpcr/Stuart_dAgr_glyS_spoVG_5S_individualWells_Cq.txt.gz")
    else {
        return;
    };
    let text = String::from_utf8(small.clone()).unwrap();
    let other = text.replace("SYBR Green I / HRM Dye (483-533)", "FAM (465-510)");
    let merged = read_run(&[&small, other.as_bytes()], Mappings::shipped(), None).unwrap();
    assert_eq!(merged.readings.len(), 192);
    let renamed = other.replace("Stuart_WT", "Edward_WT").replace("WT OD0.5 glyS", "WT OD0.5 gly");
    let faults = read_run(&[&small, renamed.as_bytes()], Mappings::shipped(), None).unwrap_err();
    assert_eq!(faults.len(), 2, "{faults:?}");
}

/// What must happen with every file of the crawler: rows, plates, and what else is in them.
#[test]
fn every_lighthouse_file_is_read_or_refused_as_it_must_be() {
    let lists = [
        (
            "duplicate_barcodes/TEST/TEST_sanger_report_200503_2347",
            "rows: 2, plates: 1, positive: 1, negative: 1)",
        ),
        (
            "duplicate_samples/TEST/TEST_sanger_report_200503_2338",
            "rows: 2, plates: 1, negative: 2)",
        ),
        ("good/ALDP/AP_sanger_report_200503_2338", "rows: 2, plates: 1, positive: 1, negative: 1)"),
        ("good/ALDP/AP_sanger_report_200511_1037", "rows: 2, plates: 1, positive: 1, negative: 1)"),
        ("good/ALDP/AP_sanger_report_200518_2132", "rows: 3, plates: 1, positive: 2, negative: 1)"),
        ("good/CAMC/CB_sanger_report_200503_2338", "rows: 2, plates: 1, positive: 1, negative: 1)"),
        ("good/MILK/MK_sanger_report_200518_2205", "rows: 2, plates: 1, positive: 1, negative: 1)"),
        ("good/MILK/MK_sanger_report_200518_2206", "rows: 2, plates: 1, positive: 1, negative: 1)"),
        (
            "good/TEST/TEST_sanger_report_200518_2205",
            "rows: 2, plates: 1, positive: 1, negative: 1)",
        ),
        // The last row is broken.
        (
            "good/TEST/TEST_sanger_report_200518_2206",
            "rows: 3, plates: 1, positive: 2, negative: 1, without a readable RNA ID: 1)",
        ),
        // A workbook, whatever its name says.
        (
            "good/TEST/TEST_sanger_report_200518_2207",
            "rows: 2, plates: 1, positive: 1, negative: 1)",
        ),
        (
            "good/TEST/TEST_sanger_report_200518_2208_with_whitespace",
            "rows: 2, plates: 1, positive: 1, negative: 1)",
        ),
    ];
    for (file, holds) in lists {
        let Some(bytes) = real(&format!("sanger-crawler/{file}.csv")) else { return };
        let refusal = read(&bytes).unwrap_err();
        assert!(matches!(refusal, Refusal::ResultList { .. }), "{file}: {refusal}");
        assert!(refusal.to_string().contains(holds), "{file}: {refusal}");
    }
    let randox =
        "sanger-crawler/good/RAND/lw-randox-biocentre-box-17-00001-with-byte-order-mark.csv";
    let Some(bytes) = real(randox) else { return };
    let run = read(&bytes).unwrap();
    assert_eq!(run.plate_barcode.as_deref(), Some("23JAN21-0001Q"));
    let cts: Vec<_> = run.readings.iter().map(|r| (r.target.as_str(), r.raw_ct.as_str())).collect();
    assert_eq!(cts, [("ORF1ab", "23.00"), ("E-Gene", "24.00")]);
    assert!(run.readings.iter().all(|r| r.well.to_string() == "A11" && r.sample == "16"));
    for cut in 1..bytes.len() {
        assert!(read(&bytes[..bytes.len() - cut]).is_err(), "cut by {cut} it was read");
    }
    let malformed = "sanger-crawler/malformed/TEST/TEST_sanger_report_200515_2205.csv";
    let Some(bytes) = real(malformed) else { return };
    assert!(matches!(read(&bytes), Err(Refusal::NotOurs { .. })));
}

#[test]
fn the_hand_written_lightcycler_and_lighthouse_files_are_read() {
    let (fam, hex) = (fixture("lightcycler_480/fam.txt"), fixture("lightcycler_480/hex.txt"));
    let run = read_run(&[&hex, &fam], Mappings::shipped(), None).unwrap();
    let inspection = Inspection::of(&run);
    assert_eq!((inspection.rows, inspection.wells), (6, 3));
    let counts: Vec<_> =
        inspection.targets.iter().map(|t| (t.dye.as_str(), t.with_ct, t.without_ct)).collect();
    assert_eq!(counts, [("FAM", 2, 1), ("VIC / HEX / Yellow555", 3, 0)]);
    assert_eq!(run.readings.iter().filter(|reading| reading.omitted).count(), 2);

    let run = read(&fixture("lighthouse/channels.csv")).unwrap();
    assert_eq!(run.format, Format::LighthouseCsv);
    assert_eq!(run.readings[0].sample, "T0001");
    assert_eq!(run.run_ended.as_deref(), Some("2021-01-23 14:31:02 UTC"));
    let refusal = read(&fixture("lighthouse/results_only.csv")).unwrap_err();
    assert!(matches!(refusal, Refusal::ResultList { .. }), "{refusal}");
}

#[test]
fn genotyping_is_refused_as_genotyping() {
    for file in ["example03", "minimal_missing_results"] {
        let path = format!("allotropy/quantstudio/appbio_quantstudio_{file}.txt");
        let Some(bytes) = real(&path) else { return };
        assert_eq!(read(&bytes).unwrap_err(), Refusal::Genotyping, "{file}");
    }
}

/// Whether `cut` holds the first readings of `whole`, unchanged.
fn is_beginning(cut: &RunFile, whole: &RunFile) -> bool {
    whole.readings.starts_with(&cut.readings)
}

#[test]
fn a_text_cut_anywhere_is_refused_or_begins_like_the_whole() {
    for file in [
        "allotropy/quantstudio/appbio_quantstudio_example02.txt",
        "allotropy/quantstudio/appbio_quantstudio_example06.txt",
        "allotropy/quantstudio/example_quantsudio_results_only.txt",
        "allotropy/cfx_maestro/example01.csv",
        "opentrons-covid19/20200420-zymo-negatives/Zymo_Negatives_2020-04-20_Results.csv",
        "opentrons-covid19/20200421-zymo-negatives/Zymo_Negatives_2020-4-21_Presence_Absence_Result.csv",
    ] {
        let Some(bytes) = real(file) else { return };
        let whole = read(&bytes).unwrap();
        let (mut cuts, mut refused) = (0, 0);
        for length in (0..bytes.len()).step_by(7) {
            cuts += 1;
            match read(&bytes[..length]) {
                Ok(cut) => assert!(is_beginning(&cut, &whole), "{file} cut at {length}"),
                Err(_) => refused += 1,
            }
        }
        assert!(refused * 10 > cuts * 7, "{file}: only {refused} of {cuts} cuts were noticed");
    }
}

#[test]
fn a_workbook_cut_anywhere_is_refused_or_whole() {
    for file in [
        "allotropy/quantstudio/appbio_quantstudio_example10.xlsx",
        "opentrons-covid19/20200320-qpcr-2/20200320_qPCR_Test_2.xlsx",
        "opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD_data.xls",
        "opentrons-covid19/20200319-end-to-end-qpcr-1/20200320_qPCR_OT_Test_1.xls",
    ] {
        let Some(bytes) = real(file) else { return };
        let whole = read(&bytes).unwrap();
        for part in 1..40 {
            let cut = &bytes[..bytes.len() * part / 40];
            match read(cut) {
                Ok(run) => assert_eq!(run.readings, whole.readings, "{file} cut at {part}/40"),
                Err(refusal) => {
                    assert!(matches!(refusal, Refusal::CutShort { .. }), "{file}: {refusal}");
                }
            }
        }
        let half = read(&bytes[..bytes.len() / 2]);
        assert!(half.is_err(), "{file} was read from its half");
    }
}

/// A workbook as a zip of one shared string table with that content.
fn zipped(content: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for name in ["xl/workbook.xml", "xl/sharedStrings.xml"] {
        zip.start_file(name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_zip_bomb_is_refused_by_its_directory() {
    let mut bomb = zipped(&vec![b' '; 1 << 20]);
    // The size is the 24th byte of a central directory entry; one gigabyte is claimed there.
    let entry = bomb.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bomb[entry + 24..entry + 28].copy_from_slice(&(1_u32 << 30).to_le_bytes());
    assert_eq!(read(&bomb).unwrap_err(), Refusal::UnpacksTooLarge);
}

#[test]
fn a_workbook_that_claims_endless_strings_is_refused() {
    let forged = zipped(b"<sst uniqueCount=\"9999999999999\"><si><t>A1</t></si></sst>");
    assert!(matches!(read(&forged), Err(Refusal::CutShort { .. })));
}

fn fixture(path: &str) -> Vec<u8> {
    std::fs::read(format!("{FIXTURES}/{path}")).unwrap()
}

#[test]
fn the_hand_written_text_gives_every_fact_apart() {
    let run = read(&fixture("applied_biosystems/presence_absence.txt")).unwrap();
    assert_eq!(run.format, AB_TEXT);
    assert_eq!(run.plate_barcode.as_deref(), Some("PLATE-1"));
    assert_eq!(run.serial.as_deref(), Some("112233"));
    assert_eq!(run.run_ended.as_deref(), Some("2021-03-04 15:16:17 PM CST"));
    assert_eq!(run.warnings[0].message, "calibration expired: fam");
    assert_eq!(run.readings.len(), 5, "the empty well gives no reading");
    let first = &run.readings[0];
    assert_eq!((first.well.to_string(), first.sample.as_str()), ("A1".into(), "T0001"));
    assert_eq!((first.target.as_str(), first.dye.as_str()), ("ORF1ab", "FAM"));
    assert_eq!((first.task.as_str(), first.raw_ct.as_str()), ("UNKNOWN", "31.240"));
    assert_eq!(first.instrument_call.as_deref(), Some("Presence"));
    let inconclusive = &run.readings[3];
    assert_eq!(inconclusive.ct, None);
    assert_eq!(inconclusive.raw_ct, "Undetermined");
    assert_eq!(inconclusive.amp_status.as_deref(), Some("Inconclusive"));
    assert_eq!(inconclusive.sample, "");
    assert!(run.readings[4].omitted && !first.omitted);
}

#[test]
fn the_hand_written_csv_files_are_read() {
    let run = read(&fixture("design_analysis/results.csv")).unwrap();
    assert_eq!(run.format, DA_CSV);
    assert_eq!(run.serial, None, "`null` is no serial number");
    assert_eq!(run.readings[0].raw_ct, "34.334176165173844");
    assert_eq!(run.readings[2].sample, "NTC, water");
    assert_eq!(run.readings[2].instrument_call.as_deref(), Some("Negative"));

    let run = read(&fixture("biorad_cfx/quantification.csv")).unwrap();
    assert_eq!(run.format, Format::BioRadCfx);
    assert_eq!(run.plate_size.map(swabline::plate::PlateSize::wells), Some(384), "P24 needs it");
    assert_eq!(run.readings.iter().filter(|reading| reading.ct.is_none()).count(), 2);
    assert_eq!(run.readings[3].raw_ct, "N/A");

    let run = read(&fixture("biorad_cfx/european.csv")).unwrap();
    assert_eq!(run.readings[0].ct.unwrap().to_string(), "31.50");
    assert_eq!(run.readings[0].raw_ct, "31,50");
    assert_eq!(run.readings[1].sample, "water; cold");
}

#[test]
fn the_hand_written_genotyping_file_is_refused() {
    let refusal = read(&fixture("applied_biosystems/genotyping.txt")).unwrap_err();
    assert_eq!(refusal, Refusal::Genotyping);
}

#[test]
fn one_changed_cell_is_refused_with_its_row() {
    let text = String::from_utf8(fixture("applied_biosystems/presence_absence.txt")).unwrap();
    for (from, to, message) in [
        ("31.240", "31.240x", "row 21, column `Ct`: `31.240x` is not"),
        ("\t40.00", "\t140.00", "row 25, column `Ct`: `140.00` is not between"),
        ("3\tA3", "3\tZ3", "row 25, column `Well`: `Z3` is not a well"),
        ("3\tA3", "3\tA13", "row 25: well A13 is not on a plate of 96"),
        ("\ttrue\tT0002", "\tmaybe\tT0002", "row 25, column `Omit`"),
        ("A3\ttrue\tT0002\tORF1ab", "A1\ttrue\tT0002\tORF1ab", "row 25: well A1 has a second"),
        ("Call\tCT\t", "Call\tXY\t", "no Ct, Crt or Cq column"),
        ("[Results]", "[Melt]", "there is no [Results] section"),
        ("Well\tWell Position\tOmit", "No\tPlace\tOmit", "no header with a well"),
    ] {
        assert!(text.contains(from), "{from}");
        let refusal = read(text.replace(from, to).as_bytes()).unwrap_err().to_string();
        assert!(refusal.contains(message), "{to}: {refusal}");
    }
}

#[test]
fn more_rows_than_any_plate_are_refused() {
    let mut text = String::from_utf8(fixture("biorad_cfx/quantification.csv")).unwrap();
    text.push_str(&",A01,FAM,,Unkn,,,N/A,,,,\n".repeat(swabline::instrument::MAX_ROWS));
    assert_eq!(read(text.as_bytes()).unwrap_err(), Refusal::TooManyRows);
}

#[test]
fn bare_carriage_returns_and_utf_16_change_nothing() {
    let bytes = fixture("applied_biosystems/presence_absence.txt");
    let whole = read(&bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let bare = text.replace("\r\n", "\r");
    let wide: Vec<u8> =
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [bare.into_bytes(), wide] {
        assert_eq!(read(&bytes).unwrap(), whole);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read(&bytes);
        for start in [&b"PK\x03\x04"[..], b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"* A = B\n[Results]\n"] {
            let _ = read(&[start, &bytes].concat());
        }
    }

    #[test]
    fn changed_files_never_panic(
        file in 0_usize..7,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let files = [
            "allotropy/quantstudio/appbio_quantstudio_example02.txt",
            "allotropy/quantstudio/appbio_quantstudio_example10.xlsx",
            "allotropy/cfx_maestro/example01.csv",
            "opentrons-covid19/20200420-zymo-negatives/Zymo_Negatives_2020-04-20_Results.csv",
            "opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD_data.xls",
            "opentrons-covid19/20200319-end-to-end-qpcr-1/20200320_qPCR_OT_Test_1.xls",
            "allotropy/design_and_analysis/appbio_quantstudio_designandanalysis_QS7Pro_Primary_Analysis_example18.xlsx",
        ];
        if let Some(mut bytes) = real(files[file]) {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = read(&bytes);
        }
    }

    #[test]
    fn a_changed_head_of_an_xls_never_panics(
        changes in proptest::collection::vec((0_usize..4096, any::<u8>()), 1..6),
    ) {
        let path = "opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD_data.xls";
        if let Some(mut bytes) = real(path) {
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            let _ = read(&bytes);
        }
    }

    #[test]
    fn changed_sheets_inside_a_sound_zip_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        member in any::<prop::sample::Index>(),
    ) {
        let path = "allotropy/quantstudio/appbio_quantstudio_example10.xlsx";
        if let Some(bytes) = real(path) {
            let mut members = unzipped(&bytes);
            let at = member.index(members.len());
            let content = &mut members[at].1;
            for (place, byte) in changes {
                let place = place.index(content.len());
                content[place] = byte;
            }
            let _ = read(&rezipped(&members));
        }
    }
}

fn unzipped(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut members = Vec::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).unwrap();
        let name = member.name().unwrap().into_owned();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        members.push((name, content));
    }
    members
}

fn rezipped(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in members {
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
