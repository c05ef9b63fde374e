use std::io::{Cursor, Write};

use super::*;

const HEADER: &str = "Session Name\t\r\nWell\tSample Name\tDetector\tTask\tCt\tAvg Ct\r\n";

fn row(index: u16, sample: &str, target: &str, ct: &str) -> String {
    format!("{index}\t{sample}\t{target}\tTarget\t{ct}\t\r\n")
}

fn curve(cycles: usize) -> String {
    let values = |value: &str| format!("\t{value}").repeat(cycles);
    format!("Rn values{}\r\nDelta Rn values{}\r\n", values("2.5"), values("-1.5E-2"))
}

fn analysed(rows: &str) -> Result<RunFile, Refusal> {
    text(&Text::decode(format!("{HEADER}{rows}").as_bytes()), Vec::new())
}

fn zip(members: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn read_zip(members: &[(&str, &str)]) -> Result<RunFile, Refusal> {
    crate::instrument::read(&zip(members))
}

const SETUP: &str = "<Plate><BarCode>PLATE-7</BarCode><Rows>16</Rows><Columns>24</Columns>\
    <FeatureMap><Feature><Id>detector-task</Id></Feature><FeatureValue><Index>24</Index>\
    <FeatureItem><DetectorTaskList><DetectorTask><Task>NTC</Task><Detector><Name>N</Name>\
    <Reporter>VIC</Reporter></Detector></DetectorTask><DetectorTask><Task>UNKNOWN</Task>\
    <Detector><Name>IC</Name><Reporter>CY5</Reporter></Detector></DetectorTask>\
    </DetectorTaskList></FeatureItem></FeatureValue></FeatureMap>\
    <Wells><Well><Index>24</Index><IsOmit>true</IsOmit></Well></Wells></Plate>";

#[test]
fn the_cycle_count_is_no_ct_by_the_curves() {
    let rows =
        row(13, "water", "N", "45.0") + &curve(45) + &row(14, "T1", "N", "44.99") + &curve(45);
    let run = analysed(&rows).unwrap();
    assert_eq!(run.readings[0].ct, None);
    assert_eq!(run.readings[0].raw_ct, "45.0");
    assert_eq!(run.readings[0].well.to_string(), "B2");
    assert_eq!(run.readings[1].ct.unwrap().to_string(), "44.99");
    assert_eq!(run.curves.len(), 2);
    assert_eq!(run.curves[0].points.len(), 45);
    assert!((run.curves[0].points[44].signal + 0.015).abs() < 1e-12, "the baseline is off");
    assert!(run.warnings[0].message.contains("1 readings have 45"), "{:?}", run.warnings);
    assert!(run.warnings[1].message.contains("does not state its plate"), "{:?}", run.warnings);
}

#[test]
fn a_row_of_more_blank_cycles_than_can_be_counted_is_refused() {
    let blanks = format!("Rn values{}\r\n", "\t".repeat(70_000));
    let refusal = analysed(&(row(0, "T1", "N", "31.2") + &blanks)).unwrap_err().to_string();
    assert!(refusal.contains("row 4 has more than 200 cycles"), "{refusal}");
}

#[test]
fn without_curves_a_whole_number_is_refused_and_the_protocol_can_tell() {
    let refusal = analysed(&row(0, "T1", "N", "40.0")).unwrap_err().to_string();
    assert!(refusal.contains("A1: `40.0` may be a Ct"), "{refusal}");
    let result = format!("{HEADER}{}", row(24, "T1", "N", "40.0"));
    let stage = |flag: &str, cycles: u16| {
        format!(
            "<TCStage><StageFlag>{flag}</StageFlag><NumOfRepetitions>{cycles}</NumOfRepetitions>\
             <TCStep><CollectionFlag>0</CollectionFlag></TCStep>\
             <TCStep><CollectionFlag>1</CollectionFlag></TCStep></TCStage>"
        )
    };
    let protocol =
        format!("<TCProtocol>{}{}</TCProtocol>", stage("PRE_CYCLING", 60), stage("CYCLING", 40));
    let run = read_zip(&[
        ("apldbio/sds/analysis_result.txt", &result),
        ("apldbio/sds/tcprotocol.xml", &protocol),
    ])
    .unwrap();
    assert_eq!(run.readings[0].ct, None);
}

#[test]
fn the_setup_gives_plate_dyes_roles_and_omitted_wells_in_any_case_and_stroke() {
    let result = format!("{HEADER}{}", row(24, "T1", "N", "31.5") + &curve(40));
    let experiment = "<Experiment><Operator>Jane Doe</Operator><RunEndTime>1589849429873\
        </RunEndTime><InstrumentTypeId>sds7500</InstrumentTypeId><ExperimentProperty>\
        <PropertyValue key='instrumentSerialNumber'><String>27500</String></PropertyValue>\
        </ExperimentProperty></Experiment>";
    let run = read_zip(&[
        ("APLDBIO\\SDS\\ANALYSIS_RESULT.TXT", &result),
        ("APLDBIO\\SDS/Plate_Setup.xml", SETUP),
        ("apldbio/sds/experiment.xml", experiment),
        ("xl/workbook.xml", "a report"),
    ])
    .unwrap();
    assert_eq!(run.format, Format::SdsEds);
    assert_eq!(run.plate_size, Some(PlateSize::P384));
    assert_eq!(run.plate_barcode.as_deref(), Some("PLATE-7"));
    assert_eq!(run.instrument.as_deref(), Some("sds7500"));
    assert_eq!(run.serial.as_deref(), Some("27500"));
    assert_eq!(run.run_ended.as_deref(), Some("2020-05-19T00:50:29.873Z"));
    let one = &run.readings[0];
    assert_eq!(
        (one.well.to_string(), one.dye.as_str(), one.task.as_str()),
        ("B1".into(), "VIC", "NTC")
    );
    assert!(one.omitted);
    assert_eq!(run.warned(), ["a target but no result in B1"], "IC was planned there");
    assert!(!format!("{run:?}").contains("Jane"), "the operator's name is passed over");
}

#[test]
fn what_is_missing_or_broken_is_refused_by_its_place() {
    for (rows, why) in [
        (row(0, "T1", "N", "thirty"), "row 3, column `Ct`: `thirty`"),
        (row(0, "T1", "N", "31") + &row(0, "T1", "N", "32"), "row 4: `0` has a second result"),
        (row(384, "T1", "N", "31"), "row 3, column `Well`: `384`"),
        (row(0, "T1", "N", "31.5") + "Rn values\t0.1\tx\r\n", "row 4, column `Rn`: `x`"),
        (row(0, "T1", "N", "31.5") + &curve(201), "more than 200 cycles"),
        ("0\tT1\tN\r\n".to_owned(), "row 3 breaks off"),
        ("0\tT1\tN\tTarget\t31.5\t".to_owned(), "the last line"),
        (String::new(), "no rows"),
        (row(0, "", "", ""), "no rows"),
    ] {
        let refusal = analysed(&rows).unwrap_err().to_string();
        assert!(refusal.contains(why), "{rows}: {refusal}");
    }
    let other = |header: &str| text(&Text::decode(header.as_bytes()), Vec::new()).unwrap_err();
    let heads = "Well\tSample Name\tDetector\tTask\t";
    assert_eq!(other(&format!("{heads}Call\r\n")), Refusal::Genotyping);
    assert_eq!(other(&format!("{heads}Tm\r\n")), Refusal::NoCtColumn);
    assert!(matches!(other("nothing\r\n"), Refusal::NoResults { .. }));
    assert!(matches!(other("Well\tSample Name\tCt\r\n"), Refusal::NoResults { .. }));
}

#[test]
fn an_eds_without_analysis_or_with_a_foreign_block_is_refused() {
    let refusal = read_zip(&[("apldbio/sds/plate_setup.xml", SETUP)]).unwrap_err().to_string();
    assert!(refusal.contains("no analysis"), "{refusal}");
    let result = format!("{HEADER}{}", row(24, "T1", "N", "31.5"));
    let array = SETUP.replace("<Rows>16</Rows>", "<Rows>64</Rows>");
    let with = |setup: &str| {
        read_zip(&[
            ("apldbio/sds/analysis_result.txt", &result),
            ("apldbio/sds/plate_setup.xml", setup),
        ])
    };
    assert_eq!(with(&array).unwrap_err(), Refusal::NotAPlate { rows: 64, columns: 24 });
    let tiny = SETUP.replace("<Rows>16</Rows>", "<Rows>1</Rows>");
    let refusal = with(&tiny).unwrap_err().to_string();
    assert!(refusal.contains("`24` is not a well of the plate"), "{refusal}");
    assert!(with("<Plate><Rows>8").is_err());
    let doctype = format!("<!DOCTYPE Plate>{SETUP}");
    assert_eq!(with(&doctype).unwrap_err(), Refusal::DocumentType);
}
