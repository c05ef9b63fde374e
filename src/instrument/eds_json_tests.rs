use std::io::{Cursor, Write};

use super::*;

fn read_zip(members: &[(&str, &str)]) -> Result<RunFile, Refusal> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    crate::instrument::read(&zip.finish().unwrap().into_inner())
}

const SETUP_JSON: &str = r#"{"blockType": "BLOCK_96W_02ML", "plateBarcode": "PLATE-7",
    "targets": [{"name": "N", "reporter": "FAM", "quencher": "NFQ"}],
    "wells": [{"index": 13, "sampleName": "T1", "omitted": true}]}"#;

/// A result of well 13 with that amplification.
fn analysed(amplification: &str) -> String {
    format!(
        r#"{{"wellResults": [{{"wellIndex": 13, "sampleName": "NaN \" mut, NaN", "reactionResults":
        [{{"targetName": "N", "task": "UNKNOWN", "amplificationResult": {amplification}}}]}}]}}"#
    )
}

fn with(amplification: &str) -> Result<RunFile, Refusal> {
    let summary = r#"{"name": "x", "instrumentType": "SDS_7500", "blockType": "BLOCK_384W"}"#;
    let run =
        r#"{"instrumentSerialNumber": "275000", "endTime": 1589849429873, "operator": "Jane"}"#;
    read_zip(&[
        ("summary.json", summary),
        ("setup/plate_setup.json", SETUP_JSON),
        ("run/run_summary.json", run),
        ("primary/analysis_result.json", &analysed(amplification)),
    ])
}

#[test]
fn setup_and_result_are_put_together() {
    let run = with(
        r#"{"cq": 21.1877528266099, "ampStatus": "AMP", "rn": [1, 2], "deltaRn": [NaN, 0.5]}"#,
    )
    .unwrap();
    assert_eq!(run.format, Format::DesignAnalysisEds);
    assert_eq!(run.plate_size, Some(PlateSize::P96), "the setup's own block counts");
    assert_eq!(run.plate_barcode.as_deref(), Some("PLATE-7"));
    assert_eq!(run.instrument.as_deref(), Some("SDS_7500"));
    assert_eq!(run.serial.as_deref(), Some("275000"));
    assert_eq!(run.run_ended.as_deref(), Some("2020-05-19T00:50:29.873Z"));
    let one = &run.readings[0];
    assert_eq!((one.well.to_string(), one.dye.as_str()), ("B2".into(), "FAM"));
    assert_eq!(one.sample, "NaN \" mut, NaN", "a word in quotes is no number");
    assert_eq!(one.raw_ct, "21.1877528266099", "every digit survives");
    assert_eq!(one.amp_status.as_deref(), Some("AMP"));
    assert!(one.omitted);
    assert_eq!(run.curves[0].points, [Point { cycle: 2, signal: 0.5 }]);
    assert_eq!(run.warned(), [""; 0]);
    assert!(!format!("{run:?}").contains("Jane"), "the operator's name is passed over");
}

#[test]
fn a_cq_that_is_no_number_is_no_cq_and_an_impossible_one_is_refused() {
    for (written, raw) in
        [("NaN", ""), ("null", ""), ("-1.0", "-1.0"), ("\"Undetermined\"", "Undetermined")]
    {
        let run = with(&format!(r#"{{"cq": {written}, "ampStatus": "NO_AMP"}}"#)).unwrap();
        assert_eq!((run.readings[0].ct, run.readings[0].raw_ct.as_str()), (None, raw));
    }
    for bad in ["0", "140", "\"thirty\"", "[1]"] {
        let refusal = with(&format!(r#"{{"cq": {bad}}}"#)).unwrap_err().to_string();
        assert!(refusal.contains("is neither a Cq"), "{bad}: {refusal}");
    }
}

#[test]
fn a_name_that_every_reading_would_repeat_has_an_end() {
    let long = "x".repeat(5_000);
    let result = analysed(r#"{"cq": 31.2}"#);
    let named = result.replace(r#"NaN \" mut, NaN"#, &long);
    let dyed = SETUP_JSON.replace("FAM", &long);
    for (setup, result) in [(SETUP_JSON, &named), (dyed.as_str(), &result)] {
        let members = [(SETUP, setup), (RESULT, result.as_str())];
        let refusal = read_zip(&members).unwrap_err();
        assert!(matches!(refusal, Refusal::CutShort { .. }), "{refusal}");
    }
    assert!(read_zip(&[(SETUP, SETUP_JSON), (RESULT, &result)]).is_ok());
}

#[test]
fn a_target_without_an_amplification_result_is_said_and_is_no_negative() {
    let refusal = with("null").unwrap_err();
    assert!(matches!(refusal, Refusal::NoResults { .. }), "{refusal}");
    let two = analysed(r#"{"cq": 30.5}"#)
        .replace(r#"{"targetName": "N""#, r#"{"targetName": "melt"}, {"targetName": "N""#);
    let run = read_zip(&[("primary/analysis_result.json", &two)]).unwrap();
    assert_eq!(run.readings.len(), 1);
    assert!(
        run.warnings[0].message.contains("no amplification result in B2"),
        "{:?}",
        run.warnings
    );
    assert!(run.warnings[1].message.contains("names no block"), "{:?}", run.warnings);
}

#[test]
fn what_is_missing_twice_or_endless_is_refused() {
    let refusal = read_zip(&[("setup/plate_setup.json", SETUP_JSON)]).unwrap_err().to_string();
    assert!(refusal.contains("no analysis"), "{refusal}");
    let analysed = analysed(r#"{"cq": 30.5}"#);
    let read = |analysed: &str| {
        let setup = ("setup/plate_setup.json", SETUP_JSON);
        read_zip(&[setup, ("primary/analysis_result.json", analysed)])
    };
    assert!(read(&analysed).is_ok());
    for (from, to, why) in [
        (r#""wellIndex": 13"#, r#""wellIndex": 96"#, "`96` is not a well of the plate"),
        (r#""wellIndex": 13"#, r#""wellIndex": -1"#, "is no such JSON"),
        (r#""wellResults""#, r#""other""#, "is no such JSON"),
        ("}]}]}", "}]}", "is no such JSON"),
    ] {
        let refusal = read(&analysed.replace(from, to)).unwrap_err().to_string();
        assert!(refusal.contains(why), "{to}: {refusal}");
    }
    let twice = analysed.replace(
        r#"[{"targetName": "N""#,
        r#"[{"targetName": "N", "amplificationResult": {}}, {"targetName": "N""#,
    );
    let refusal = read(&twice).unwrap_err().to_string();
    assert!(refusal.contains("B2: `N` is read a second time"), "{refusal}");
    let long = format!(r#"{{"rn": [{}0]}}"#, "0,".repeat(200));
    assert!(with(&long).unwrap_err().to_string().contains("is no such JSON"));
    let many = analysed.replace(
        "[{\"wellIndex\"",
        &format!("[{}{{\"wellIndex\"", "{\"wellIndex\": 1},".repeat(MAX_ROWS)),
    );
    assert!(read(&many).unwrap_err().to_string().contains("is no such JSON"));
    let deep = "[".repeat(5_000);
    assert!(read(&deep).is_err(), "nesting has an end");
}
