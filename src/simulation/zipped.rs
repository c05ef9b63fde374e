//! Run files that are zips: RDML and both kinds of `.eds`, written from a simulated run.
//!
//! Written apart from what the program itself writes and reads, after the real files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::json;
use zip::write::SimpleFileOptions;

use super::files::{SimulatedRun, SimulatedWell};
use crate::instrument::Ct;

/// Cycles of every run here; the number an old `.eds` writes where there is no Ct.
pub const CYCLES: u16 = 45;

/// An RDML 1.1 file in the manner of a `LightCycler` 96: ids of its own, 100 for no Cq, other
/// members beside the one that counts. Two names for one well cannot be written: the first wins.
pub fn rdml(run: &SimulatedRun) -> Vec<u8> {
    let mut wells: BTreeMap<u16, Vec<&SimulatedWell>> = BTreeMap::new();
    for one in &run.wells {
        wells.entry(one.well.index(run.plate_size)).or_default().push(one);
    }
    let guid = |number: u16| format!("00000000-0000-4000-8000-{number:012x}");
    let (mut samples, mut targets, mut reacts) = (String::new(), BTreeMap::new(), String::new());
    for (index, ones) in &wells {
        let (id, name, task) = (guid(*index), escaped(&ones[0].sample), escaped(&ones[0].task));
        put(
            &mut samples,
            format_args!(
                "  <sample id=\"{id}\">\r\n    <description>{name}</description>\r\n    <type>{task}\
             </type>\r\n  </sample>\r\n"
            ),
        );
        put(
            &mut reacts,
            format_args!(
                "      <react id=\"{}\">\r\n        <sample id=\"{id}\" />\r\n",
                index + 1
            ),
        );
        for one in ones {
            let (dye, target) = (escaped(&one.dye), escaped(&one.target));
            let cq = one.ct.map_or_else(|| "100".to_owned(), |ct| ct.to_string());
            put(
                &mut reacts,
                format_args!(
                    "        <data>\r\n          <tar id=\"{dye}@{target}\" />\r\n          <cq>{cq}</cq>\r\n"
                ),
            );
            for (cycle, signal) in (1..).zip(curve(one.ct)) {
                put(
                    &mut reacts,
                    format_args!(
                        "          <adp>\r\n            <cyc>{cycle}</cyc>\r\n            \
                     <tmp>60.0</tmp>\r\n            <fluor>{signal}</fluor>\r\n          </adp>\r\n"
                    ),
                );
            }
            reacts.push_str("        </data>\r\n");
            targets.insert(format!("{dye}@{target}"), dye);
        }
        reacts.push_str("      </react>\r\n");
    }
    for (id, dye) in targets {
        put(
            &mut samples,
            format_args!(
                "  <target id=\"{id}\"><type>toi</type><dyeId id=\"{dye}\" /></target>\r\n"
            ),
        );
    }
    let (rows, columns) = (run.plate_size.rows(), run.plate_size.columns());
    let (instrument, ended) = (escaped(&run.instrument), escaped(&run.run_ended));
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<rdml version=\"1.1\" \
         xmlns=\"http://www.rdml.org\">\r\n{samples}  <experiment id=\"e\">\r\n    \
         <run id=\"r\">\r\n      <instrument>{instrument}</instrument>\r\n      \
         <dataCollectionSoftware><name>LightCycler&#174; 96</name><version>1</version>\
         </dataCollectionSoftware>\r\n      <pcrFormat><rows>{rows}</rows><columns>{columns}\
         </columns><rowLabel>ABC</rowLabel><columnLabel>123</columnLabel></pcrFormat>\r\n      \
         <runDate>{ended}</runDate>\r\n{reacts}    </run>\r\n  </experiment>\r\n</rdml>\r\n"
    );
    zipped(&[("module_data.xml", "<modules />"), ("rdml_data.xml", &xml)])
}

/// The `analysis_result.txt` of an old `.eds` as a 7500 saves it: 0-based wells, the cycle count for
/// no Ct.
pub fn sds_result(run: &SimulatedRun) -> String {
    let mut result = "Session Name\t\r\nWell\tSample Name\tDetector\tTask\tCt\tAvg Ct\tCt SD\t\
                      Delta Ct\tQty\tAvg Qty\tQty SD\r\n"
        .to_owned();
    for one in &run.wells {
        let index = one.well.index(run.plate_size);
        let ct = one.ct.map_or_else(|| format!("{CYCLES}.0"), |ct| ct.to_string());
        let (sample, target) = (&one.sample, &one.target);
        put(&mut result, format_args!("{index}\t{sample}\t{target}\tTarget\t{ct}\t\t\t\t\t\t\r\n"));
        for label in ["Rn values", "Delta Rn values"] {
            result.push_str(label);
            for signal in curve(one.ct) {
                put(&mut result, format_args!("\t{signal}"));
            }
            result.push_str("\r\n");
        }
    }
    result
}

/// An old `.eds` around [`sds_result`].
pub fn eds(run: &SimulatedRun) -> Vec<u8> {
    let mut setup = String::new();
    for one in &run.wells {
        let index = one.well.index(run.plate_size);
        let (target, task, dye) = (escaped(&one.target), escaped(&one.task), escaped(&one.dye));
        put(
            &mut setup,
            format_args!(
                "<FeatureValue><Index>{index}</Index><FeatureItem><DetectorTaskList><DetectorTask>\
             <Task>{task}</Task><Detector><Name>{target}</Name><Reporter>{dye}</Reporter>\
             </Detector></DetectorTask></DetectorTaskList></FeatureItem></FeatureValue>\n"
            ),
        );
    }
    let (rows, columns) = (run.plate_size.rows(), run.plate_size.columns());
    let barcode = escaped(&run.plate_barcode);
    let setup = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Plate><BarCode>{barcode}\
         </BarCode><Rows>{rows}</Rows><Columns>{columns}</Columns><FeatureMap><Feature>\
         <Id>detector-task</Id></Feature>\n{setup}</FeatureMap></Plate>\n"
    );
    let (instrument, serial) = (escaped(&run.instrument), escaped(&run.serial));
    let experiment = format!(
        "<Experiment><InstrumentTypeId>{instrument}</InstrumentTypeId><ExperimentProperty \
         type=\"RunInfo\"><PropertyValue key=\"instrumentSerialNumber\"><String>{serial}</String>\
         </PropertyValue></ExperimentProperty></Experiment>"
    );
    zipped(&[
        ("apldbio/sds/experiment.xml", &experiment),
        ("apldbio/sds/plate_setup.xml", &setup),
        ("APLDBIO\\SDS\\analysis_result.txt", &sds_result(run)),
    ])
}

/// A new `.eds` as Design & Analysis 2 saves it: JSON with a bare `NaN` for no Cq.
pub fn eds_json(run: &SimulatedRun) -> Vec<u8> {
    let wells = u32::from(run.plate_size.wells());
    let dyes: BTreeMap<&str, &str> =
        run.wells.iter().map(|one| (one.target.as_str(), one.dye.as_str())).collect();
    let targets: Vec<_> =
        dyes.iter().map(|(name, dye)| json!({ "name": name, "reporter": dye })).collect();
    let setup = json!({ "blockType": format!("BLOCK_{wells}W"), "plateBarcode": run.plate_barcode,
        "targets": targets, "wells": [] });
    let summary = json!({ "name": "simulated", "instrumentType": run.instrument });
    let account = json!({ "instrumentSerialNumber": run.serial });
    let mut results = String::new();
    for one in &run.wells {
        let comma = if results.is_empty() { "" } else { "," };
        let index = one.well.index(run.plate_size);
        let (sample, target, task) = (
            json!(one.sample).to_string(),
            json!(one.target).to_string(),
            json!(one.task).to_string(),
        );
        let (cq, status) = match one.ct {
            Some(ct) => (ct.to_string(), "AMP"),
            None => ("NaN".to_owned(), "NO_AMP"),
        };
        let curve = json!(curve(one.ct)).to_string();
        put(
            &mut results,
            format_args!(
                "{comma}{{\"wellIndex\":{index},\"sampleName\":{sample},\"reactionResults\":[{{\
             \"targetName\":{target},\"task\":{task},\"omitted\":false,\"amplificationResult\":{{\
             \"cq\":{cq},\"cqSD\":NaN,\"ampStatus\":\"{status}\",\"rn\":[],\"deltaRn\":{curve}}}}}]}}"
            ),
        );
    }
    let results = format!("{{\"wellResults\":[{results}]}}");
    zipped(&[
        ("summary.json", &summary.to_string()),
        ("setup/plate_setup.json", &setup.to_string()),
        ("run/run_summary.json", &account.to_string()),
        ("primary/analysis_result.json", &results),
    ])
}

/// The signal over the cycles: half of its height two cycles behind the Ct, or nothing but a
/// little drift.
fn curve(ct: Option<Ct>) -> Vec<f64> {
    let middle = ct.map(Decimal::from).and_then(|ct| ct.to_f64()).map(|ct| ct + 2.0);
    let signal = |cycle: u16| {
        let cycle = f64::from(cycle);
        let risen = middle.map_or(0.0, |middle| 2.5 / (1.0 + (1.4 * (middle - cycle)).exp()));
        ((risen + cycle * 0.000_5) * 1e6).round() / 1e6
    };
    (1..=CYCLES).map(signal).collect()
}

fn zipped(members: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, SimpleFileOptions::default()).expect("memory takes a member");
        zip.write_all(content.as_bytes()).expect("memory takes a member");
    }
    zip.finish().expect("a zip in memory can be ended").into_inner()
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

fn put(text: &mut String, content: std::fmt::Arguments<'_>) {
    text.write_fmt(content).expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::instrument::{Format, Reading, RunFile, read};
    use crate::plate::{PlateSize, WellPosition};

    prop_compose! {
        /// One sample for each well and one dye for each target, as these formats have it.
        fn any_run()(
            big in any::<bool>(),
            wells in proptest::collection::btree_map(
                0_u16..384,
                (
                    "[A-Za-z0-9][A-Za-z0-9 &<>,.#µ\u{4e00}-\u{4e20}-]{0,12}[A-Z0-9]",
                    proptest::collection::btree_map(
                        0_usize..4,
                        proptest::option::of((1_i64..=99_999, 3_u32..=10)),
                        1..4,
                    ),
                ),
                1..30,
            ),
        ) -> SimulatedRun {
            const TARGETS: [(&str, &str); 4] =
                [("ORF1ab", "FAM"), ("N & <1>", "VIC"), ("内参", "CY5"), ("RP", "FAM")];
            let plate_size = if big { PlateSize::P384 } else { PlateSize::P96 };
            let mut all: BTreeMap<(WellPosition, usize), SimulatedWell> = BTreeMap::new();
            let mut names: BTreeMap<WellPosition, String> = BTreeMap::new();
            for (index, (sample, targets)) in wells {
                let well = WellPosition::from_index(index % plate_size.wells(), plate_size).unwrap();
                let sample = names.entry(well).or_insert(sample).clone();
                for (at, ct) in targets {
                    let ct = ct.and_then(|(n, scale)| Ct::try_from(Decimal::new(n, scale)).ok());
                    // The cycle count is how an old `.eds` writes that there is none.
                    let ct = ct.filter(|ct| ct.cycles() != Decimal::from(CYCLES));
                    let (target, dye) = (TARGETS[at].0.to_owned(), TARGETS[at].1.to_owned());
                    let task = "UNKNOWN".to_owned();
                    let sample = sample.clone();
                    all.insert((well, at), SimulatedWell { well, sample, target, dye, task, ct });
                }
            }
            SimulatedRun {
                plate_size,
                plate_barcode: "PLATE-7".into(),
                instrument: "sds7500".into(),
                serial: "278880034".into(),
                run_ended: "2020-05-18T17:50:29".into(),
                wells: all.into_values().collect(),
            }
        }
    }

    fn wells_of(run: &RunFile) -> Vec<SimulatedWell> {
        let well = |reading: &Reading| SimulatedWell {
            well: reading.well,
            sample: reading.sample.clone(),
            target: reading.target.clone(),
            dye: reading.dye.clone(),
            task: reading.task.clone(),
            ct: reading.ct,
        };
        run.readings.iter().map(well).collect()
    }

    /// Every curve is the simulated one, and there is one for each reading.
    fn has_its_curves(read: &RunFile, run: &SimulatedRun) -> bool {
        let signals = |at: usize| -> Vec<f64> {
            read.curves[at].points.iter().map(|point| point.signal).collect()
        };
        read.curves.len() == run.wells.len()
            && run
                .wells
                .iter()
                .enumerate()
                .all(|(at, one)| read.curves[at].well == one.well && signals(at) == curve(one.ct))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn what_was_written_as_rdml_is_read_back(run in any_run()) {
            let read = read(&rdml(&run)).unwrap();
            prop_assert_eq!(read.format, Format::Rdml);
            prop_assert_eq!(wells_of(&read), run.wells.clone());
            prop_assert!(has_its_curves(&read, &run));
            prop_assert_eq!(read.plate_size, Some(run.plate_size));
            prop_assert_eq!(read.run_ended, Some(run.run_ended));
        }

        #[test]
        fn what_was_written_as_an_old_eds_is_read_back(run in any_run()) {
            let read = read(&eds(&run)).unwrap();
            prop_assert_eq!(read.format, Format::SdsEds);
            prop_assert_eq!(wells_of(&read), run.wells.clone());
            prop_assert!(has_its_curves(&read, &run));
            prop_assert_eq!(read.plate_size, Some(run.plate_size));
            prop_assert_eq!(read.plate_barcode, Some(run.plate_barcode));
            prop_assert_eq!(read.serial, Some(run.serial));
        }

        /// It knows no dyes and no tasks, and of a plate no more than its wells.
        #[test]
        fn what_was_written_as_the_result_of_an_old_eds_is_read_back(run in any_run()) {
            let read = read(sds_result(&run).as_bytes()).unwrap();
            prop_assert_eq!(read.format, Format::SdsResultText);
            let places = |size: PlateSize, wells: Vec<SimulatedWell>| -> Vec<_> {
                let place = |one: SimulatedWell| (one.well.index(size), one.sample, one.target, one.ct);
                wells.into_iter().map(place).collect()
            };
            let size = read.plate_size.unwrap_or(run.plate_size);
            prop_assert_eq!(places(size, wells_of(&read)), places(run.plate_size, run.wells.clone()));
            let curves: Vec<_> = read.curves.iter().map(|curve| curve.points.len()).collect();
            prop_assert_eq!(curves, vec![usize::from(CYCLES); run.wells.len()]);
        }

        #[test]
        fn what_was_written_as_a_new_eds_is_read_back(run in any_run()) {
            let read = read(&eds_json(&run)).unwrap();
            prop_assert_eq!(read.format, Format::DesignAnalysisEds);
            prop_assert_eq!(wells_of(&read), run.wells.clone());
            prop_assert!(has_its_curves(&read, &run));
            prop_assert_eq!(read.plate_size, Some(run.plate_size));
            prop_assert_eq!(read.instrument, Some(run.instrument));
            prop_assert!(read.warnings.is_empty(), "{:?}", read.warnings);
        }
    }

    #[test]
    fn a_curve_rises_behind_its_ct_and_else_not_at_all() {
        let ct = Ct::try_from(Decimal::from(25)).unwrap();
        let rising = curve(Some(ct));
        assert!(rising[20] < 0.05 && rising[44] > 2.0, "{rising:?}");
        assert!(curve(None).iter().all(|signal| *signal < 0.05));
    }
}
