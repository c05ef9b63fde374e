//! Real RDML and `.eds` files: counts made with another reader, and what other programs say of the
//! same runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};

use swabline::instrument::rdml_write::{Export, write};
use swabline::instrument::{Format, Inspection, Reading, Refusal, RunFile, read};
use swabline::plate::{PlateSize, WellPosition};

use super::{by_target, real, rezipped, unzipped};

/// File, format, rows, wells, samples, curves, points of all curves, and for each target Ct / no
/// Ct.
struct Counted {
    file: &'static str,
    format: Format,
    rows: [usize; 3],
    curves: [usize; 2],
    targets: &'static [(&'static str, usize, usize)],
}

/// Counted with Python's `zipfile` and `xml.etree.ElementTree`, `.eds` rows by splitting lines;
/// none of it with our own reader.
const COUNTED: [Counted; 11] = [
    Counted {
        file: "RDML-R/stepone_std.rdml",
        format: Format::Rdml,
        rows: [24, 24, 8],
        curves: [24, 960],
        targets: &[("RNase P", 21, 3)],
    },
    Counted {
        file: "RDML-R/lc96_bACTXY.rdml",
        format: Format::Rdml,
        rows: [384, 96, 12],
        curves: [384, 19_200],
        // Of 80 wells the operator typed no target: FAM 62/18, Hex 72/8, Texas Red 71/9, Cy5 60/20.
        targets: &[("", 265, 55), ("IPC", 16, 0), ("X", 16, 0), ("Y", 13, 3), ("bACT", 16, 0)],
    },
    Counted {
        file: "RDML-R/BioRad_qPCR_melt.rdml",
        format: Format::Rdml,
        rows: [60, 30, 5],
        curves: [60, 2_460],
        targets: &[("Cy5", 0, 10), ("Cy5-2", 0, 10), ("Cy5-2_rr", 0, 10), ("EvaGreen", 26, 4)],
    },
    Counted {
        file: "rdmlpython/matrix_gaps.rdml",
        format: Format::Rdml,
        rows: [72, 72, 9],
        curves: [71, 3_010],
        targets: &[("tar1", 0, 72)],
    },
    Counted {
        file: "rdmlpython/shifted_baseline.rdml",
        format: Format::Rdml,
        rows: [144, 144, 4],
        curves: [144, 8_640],
        targets: &[
            ("FSTL_1_D_105", 0, 12),
            ("FSTL_1_D_105 X", 12, 0),
            ("FSTL_1_E_097", 0, 12),
            ("FSTL_1_E_097 X", 12, 0),
            ("FSTL_1_F_109", 0, 12),
            ("FSTL_1_F_109 X", 12, 0),
            ("FSTL_1_H_201", 0, 12),
            ("FSTL_1_H_201 X", 12, 0),
            ("FSTL_1_I_204", 0, 12),
            ("FSTL_1_I_204 X", 12, 0),
            ("FSTL_1_K_219", 0, 12),
            ("FSTL_1_K_219 X", 12, 0),
        ],
    },
    Counted {
        file: "opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD.eds",
        format: Format::SdsEds,
        rows: [104, 52, 12],
        curves: [104, 5_200],
        targets: &[("RNaseP", 44, 8), ("SARS-CoV-2", 28, 24)],
    },
    Counted {
        file: "inmegen-covid19/DEMO_COVID2020_THERMO.eds",
        format: Format::SdsEds,
        rows: [24, 12, 2],
        curves: [24, 960],
        targets: &[("N", 2, 2), ("ORF1ab", 2, 2), ("RNAsaP", 1, 11), ("S", 2, 2)],
    },
    Counted {
        file: "inmegen-covid19/analysis_result_ejemplo.txt",
        format: Format::SdsResultText,
        rows: [24, 12, 2],
        curves: [24, 960],
        targets: &[("N", 2, 2), ("ORF1ab", 2, 2), ("RNAsaP", 1, 11), ("S", 2, 2)],
    },
    Counted {
        file: "inmegen-covid19/mock_cdc_3.eds",
        format: Format::SdsEds,
        rows: [39, 39, 13],
        curves: [39, 1_755],
        targets: &[("N1", 13, 0), ("N2", 13, 0), ("RP", 13, 0)],
    },
    Counted {
        file: "inmegen-covid19/mock_failing_plate.eds",
        format: Format::SdsEds,
        rows: [21, 21, 7],
        curves: [21, 945],
        targets: &[("N1", 7, 0), ("N2", 7, 0), ("RP", 7, 0)],
    },
    Counted {
        file: "inmegen-covid19/passing_plate.eds",
        format: Format::SdsEds,
        rows: [21, 21, 7],
        curves: [21, 945],
        targets: &[("N1", 7, 0), ("N2", 7, 0), ("RP", 7, 0)],
    },
];

#[test]
fn every_count_of_another_reader_is_reproduced() {
    for row in &COUNTED {
        let Some(bytes) = real(row.file) else { return };
        let run = read(&bytes).unwrap_or_else(|refusal| panic!("{}: {refusal}", row.file));
        let inspection = Inspection::of(&run);
        let targets: Vec<_> =
            row.targets.iter().map(|(name, a, b)| ((*name).to_owned(), *a, *b)).collect();
        assert_eq!(by_target(&inspection), targets, "{}", row.file);
        let rows = [inspection.rows, inspection.wells, inspection.samples];
        assert_eq!(rows, row.rows, "{}", row.file);
        let points = run.curves.iter().map(|curve| curve.points.len()).sum();
        assert_eq!([run.curves.len(), points], row.curves, "{}", row.file);
        assert_eq!(inspection.format, row.format, "{}", row.file);
    }
}

#[test]
fn every_curve_belongs_to_a_reading() {
    for row in &COUNTED {
        let Some(bytes) = real(row.file) else { return };
        let run = read(&bytes).unwrap();
        let keys: BTreeSet<_> = run.readings.iter().map(|r| (r.well, &r.target, &r.dye)).collect();
        assert_eq!(keys.len(), run.readings.len(), "{}", row.file);
        for curve in &run.curves {
            assert!(keys.contains(&(curve.well, &curve.target, &curve.dye)), "{}", row.file);
            assert!(curve.points.windows(2).all(|pair| pair[0].cycle < pair[1].cycle));
        }
    }
}

#[test]
fn files_without_one_analysed_plate_are_refused_with_the_reason() {
    for (file, why) in [
        ("rdmlpython/test_mca_1_raw_data.rdml", "only an empty plate or melting curves"),
        // Its two plates share 84 wells.
        ("rdmlpython/experiment_OC_1.rdml", "2 runs that are not one plate (place"),
        (
            "rdmlpython/data_vermeulen_std_150000_150000.rdml",
            "64 runs that are not one plate (place 326 is read twice in one dye)",
        ),
        ("RDML-R/sce.eds", "the .eds holds no analysis"),
    ] {
        let Some(bytes) = real(file) else { return };
        let refusal = read(&bytes).unwrap_err().to_string();
        assert!(refusal.contains(why), "{file}: {refusal}");
    }
}

#[test]
fn what_is_no_amplification_is_said_for_each_kind_of_instrument() {
    for (file, said) in [
        ("RDML-R/stepone_std.rdml", "3 readings have 40 as their Ct"),
        ("RDML-R/lc96_bACTXY.rdml", "58 readings have 100 as their Ct"),
        ("inmegen-covid19/analysis_result_ejemplo.txt", "17 readings have 40 as their Ct"),
        ("opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD.eds", "32 readings have 50"),
        ("RDML-R/lc96_bACTXY.rdml", "beyond the last cycle"),
        ("rdmlpython/matrix_gaps.rdml", "no reading has a Cq"),
        ("inmegen-covid19/passing_plate.eds", "does not state its plate"),
    ] {
        let Some(bytes) = real(file) else { return };
        let warnings = read(&bytes).unwrap().warnings;
        assert!(
            warnings.iter().any(|warning| warning.message.contains(said)),
            "{file}: {warnings:?}"
        );
    }
}

#[test]
fn instruments_and_plates_are_named_where_the_file_does() {
    let facts = |file| {
        let run = read(&real(file)?).unwrap();
        Some((run.instrument, run.serial, run.run_ended, run.plate_size.map(PlateSize::wells)))
    };
    let owned = |fact: &str| Some(fact.to_owned());
    let Some(lc96) = facts("RDML-R/lc96_bACTXY.rdml") else { return };
    assert_eq!(
        lc96,
        (owned("LC96SN11301"), owned("11301"), owned("2014-08-19T11:30:20"), Some(96))
    );
    let eds = facts("opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD.eds").unwrap();
    assert_eq!(eds, (owned("sds7500"), None, owned("2020-05-19T00:50:29.873Z"), Some(96)));
    let biorad = facts("RDML-R/BioRad_qPCR_melt.rdml").unwrap();
    assert_eq!(biorad.1.as_deref(), Some("CC009466"));
    let gaps = facts("rdmlpython/matrix_gaps.rdml").unwrap();
    assert_eq!(gaps, (None, None, None, Some(384)));
}

/// A number of an export in the digits of single precision, as the `.eds` has it.
#[expect(clippy::cast_possible_truncation, reason = "the .eds keeps single precision")]
fn single(reading: &Reading) -> Option<f32> {
    reading.ct.map(|ct| ct.to_string().parse::<f64>().unwrap() as f32)
}

#[test]
fn the_eds_and_the_workbook_of_one_run_agree_in_every_well() {
    let folder = "opentrons-covid19/5-18-20_CoDx_LOD/5-18-20_CoDx_LOD";
    let Some(eds) = real(&format!("{folder}.eds")) else { return };
    let Some(workbook) = real(&format!("{folder}_data.xls")) else { return };
    let facts = |run: &RunFile| -> BTreeMap<(WellPosition, String), [String; 4]> {
        let fact = |r: &Reading| {
            let ct = single(r).map_or_else(|| "none".to_owned(), |ct| ct.to_string());
            ((r.well, r.target.clone()), [ct, r.sample.clone(), r.dye.clone(), r.task.clone()])
        };
        run.readings.iter().map(fact).collect()
    };
    let (eds, workbook) = (read(&eds).unwrap(), read(&workbook).unwrap());
    assert_eq!(eds.readings.len(), 104);
    assert_eq!(facts(&eds), facts(&workbook));
    assert_eq!(eds.plate_size, workbook.plate_size);
}

#[test]
fn every_fact_equals_the_table_that_another_program_made_of_the_rdml() {
    let Some(rdml) = real("rdmlpython/shifted_baseline.rdml") else { return };
    let Some(table) = real("rdmlpython/shifted_baseline.tsv") else { return };
    let run = read(&rdml).unwrap();
    let table = String::from_utf8(table).unwrap();
    let mut compared = 0;
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let well: WellPosition = cells[0].parse().unwrap();
        let same = |r: &&Reading| r.well == well && r.target == cells[3];
        let reading = run.readings.iter().find(same).unwrap_or_else(|| panic!("{well}"));
        assert_eq!(reading.sample, cells[1]);
        assert_eq!(reading.task, cells[2]);
        assert_eq!(reading.dye, cells[5]);
        assert_eq!(reading.ct.map(|ct| ct.to_string()).unwrap_or_default(), cells[6], "{well}");
        let curve = run.curves.iter().find(|curve| curve.well == well).unwrap();
        let signals: Vec<f64> = curve.points.iter().map(|point| point.signal).collect();
        let expected: Vec<f64> = cells[7..].iter().map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(signals, expected, "{well}");
        compared += 1;
    }
    assert_eq!(compared, run.readings.len());
}

/// The RDML of one plate out of a file of two.
fn plate_alone(rdml: &[u8], plate: &str) -> Vec<u8> {
    let members = unzipped(rdml);
    let xml = String::from_utf8(members[0].1.clone()).unwrap();
    let mut kept = String::new();
    for (n, part) in xml.split("<run id=").enumerate() {
        let (run, rest) = part.split_once("</run>").unwrap_or(("", part));
        if n == 0 {
            kept.push_str(part);
        } else if run.starts_with(&format!("\"{plate}\"")) {
            kept.push_str("<run id=");
            kept.push_str(run);
            kept.push_str("</run>");
            kept.push_str(rest);
        } else {
            kept.push_str(rest);
        }
    }
    rezipped(&[("rdml_data.xml".to_owned(), kept.into_bytes())])
}

/// `experiment_OC_1_results.tsv` gives, for each plate and amplicon, two wells at seven light
/// levels and the level of their fluorescence. The file has two plates in one, which is refused,
/// so each is read alone.
#[test]
fn the_plates_of_one_file_hold_what_its_table_of_results_says() {
    let Some(rdml) = real("rdmlpython/experiment_OC_1.rdml") else { return };
    let Some(table) = real("rdmlpython/experiment_OC_1_results.tsv") else { return };
    let table = String::from_utf8(table).unwrap();
    let plates = [("A", "Plate 1"), ("B", "Plate 2")].map(|(letter, plate)| {
        let run = read(&plate_alone(&rdml, plate)).unwrap();
        assert_eq!(run.readings.len(), 100, "{plate}");
        (letter, run)
    });
    let levels: Vec<&str> = table.lines().next().unwrap().split('\t').skip(2).collect();
    let mut compared = 0;
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let Some((_, run)) = plates.iter().find(|(letter, _)| *letter == cells[0]) else {
            continue;
        };
        for (level, cell) in levels.iter().zip(&cells[2..]) {
            let sample = format!("Lambda {}", if *level == "1" { "1.0" } else { *level });
            let same = |r: &&Reading| {
                r.target.eq_ignore_ascii_case(cells[1]) && r.sample == sample && r.ct.is_none()
            };
            let wells: Vec<_> = run.readings.iter().filter(same).map(|r| r.well).collect();
            assert_eq!(wells.len(), 2, "{line}, {sample}");
            let level: f64 = cell.parse().unwrap();
            let near = |well: &WellPosition| {
                let curve = run.curves.iter().find(|curve| curve.well == *well).unwrap();
                let signals = || curve.points.iter().map(|point| point.signal);
                let (low, high) =
                    (signals().fold(f64::MAX, f64::min), signals().fold(0.0, f64::max));
                (low..=high).contains(&level)
            };
            assert!(wells.iter().any(near), "{line}, {sample}: {level}");
            compared += 1;
        }
    }
    assert_eq!(compared, 24 * 7);
}

#[test]
fn a_real_run_written_as_rdml_is_the_same_run() {
    for row in &COUNTED {
        let Some(bytes) = real(row.file) else { return };
        let run = read(&bytes).unwrap();
        let again = read(&write(Export::from(&run)).unwrap()).unwrap();
        assert_eq!(again.format, Format::Rdml);
        let sorted = |run: &RunFile| {
            let mut readings = run.readings.clone();
            for reading in &mut readings {
                reading.raw_ct = String::new();
            }
            readings.sort_by(|a, b| (a.well, &a.target, &a.dye).cmp(&(b.well, &b.target, &b.dye)));
            readings
        };
        assert_eq!(sorted(&again), sorted(&run), "{}", row.file);
        let sorted = |run: &RunFile| {
            let mut curves = run.curves.clone();
            curves.sort_by(|a, b| (a.well, &a.target, &a.dye).cmp(&(b.well, &b.target, &b.dye)));
            curves
        };
        assert_eq!(sorted(&again), sorted(&run), "{}", row.file);
        assert_eq!(again.plate_size, run.plate_size, "{}", row.file);
        assert_eq!(again.instrument, run.instrument, "{}", row.file);
    }
}

#[test]
fn a_zip_cut_anywhere_is_refused_and_xml_cut_anywhere_too() {
    let file = "RDML-R/stepone_std.rdml";
    let Some(bytes) = real(file) else { return };
    for part in 1..40 {
        let refusal = read(&bytes[..bytes.len() * part / 40]).unwrap_err();
        assert!(matches!(refusal, Refusal::CutShort { .. }), "{refusal}");
    }
    let (name, xml) = unzipped(&bytes).remove(0);
    let end = xml.len() - b"</rdml>".len() - 2;
    for length in (200..end).step_by(997) {
        let cut = rezipped(&[(name.clone(), xml[..length].to_vec())]);
        assert!(read(&cut).is_err(), "cut at {length}");
        assert!(read(&xml[..length]).is_err(), "bare, cut at {length}");
    }
    assert_eq!(read(&xml).unwrap().readings, read(&bytes).unwrap().readings, "the XML alone");
}

#[test]
fn an_inner_result_file_cut_anywhere_is_refused_or_begins_like_the_whole() {
    let Some(bytes) = real("inmegen-covid19/analysis_result_ejemplo.txt") else { return };
    let whole = read(&bytes).unwrap();
    let mut refused = 0;
    for length in (0..bytes.len()).step_by(7) {
        match read(&bytes[..length]) {
            Ok(cut) => assert!(whole.readings.starts_with(&cut.readings), "cut at {length}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > bytes.len() / 10, "only {refused} cuts were noticed");
}

fn zipped(name: &str, content: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_zip_bomb_of_rdml_or_eds_is_refused() {
    for (name, head) in [
        ("rdml_data.xml", "<rdml version='1.1'>"),
        ("apldbio/sds/analysis_result.txt", "Well\t"),
        ("primary/analysis_result.json", "{"),
    ] {
        let longer = swabline::instrument::MAX_FILE_BYTES - head.len() + 1;
        let bomb = zipped(name, format!("{head}{}", " ".repeat(longer)).as_bytes());
        assert!(bomb.len() < 1 << 17, "{} bytes packed", bomb.len());
        assert_eq!(read(&bomb).unwrap_err(), Refusal::UnpacksTooLarge, "{name}");
    }
}

#[test]
fn a_billion_laughs_are_refused_before_the_first() {
    let laughs = "<!DOCTYPE rdml [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;'>]>\
                  <rdml version='1.1'>&b;</rdml>";
    assert_eq!(read(laughs.as_bytes()).unwrap_err(), Refusal::DocumentType);
    let packed = zipped("rdml_data.xml", laughs.as_bytes());
    assert_eq!(read(&packed).unwrap_err(), Refusal::DocumentType);
    let deep = format!("<rdml version='1.1'>{}", "<a>".repeat(100_000));
    assert!(read(deep.as_bytes()).is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 48, ..Default::default() })]

    #[test]
    fn changed_members_inside_a_sound_zip_never_panic(
        file in 0_usize..4,
        changes in proptest::collection::vec(
            (proptest::prelude::any::<proptest::prelude::prop::sample::Index>(), proptest::prelude::any::<u8>()), 1..12),
    ) {
        let files = [
            "RDML-R/stepone_std.rdml",
            "rdmlpython/matrix_gaps.rdml",
            "inmegen-covid19/DEMO_COVID2020_THERMO.eds",
            "inmegen-covid19/passing_plate.eds",
        ];
        if let Some(bytes) = real(files[file]) {
            let mut members = unzipped(&bytes);
            members.retain(|(_, content)| !content.is_empty());
            let content = &mut members[0].1;
            for (place, byte) in changes {
                let place = place.index(content.len());
                content[place] = byte;
            }
            let _ = read(&rezipped(&members));
        }
    }
}
