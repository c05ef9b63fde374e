use proptest::prelude::*;
use rust_decimal::Decimal;

use std::collections::BTreeMap;

use super::rdml_write::{Export, NotWritable, write};
use super::*;
use crate::clock::Time;
use crate::instrument::rdml_stored::Stored;
use crate::plate::PlateSize;

/// A file of one run: `head` stands before the experiment, `reacts` in the run.
fn file(head: &str, run: &str) -> String {
    format!(
        "<rdml version='1.1' xmlns='http://www.rdml.org'>{head}<experiment id='e'>{run}\
         </experiment></rdml>"
    )
}

const BLOCK: &str = "<pcrFormat><rows>8</rows><columns>12</columns></pcrFormat>";

fn run(inside: &str) -> String {
    format!("<run id='r'>{BLOCK}{inside}</run>")
}

fn react(id: &str, data: &str) -> String {
    format!("<react id='{id}'><sample id='s'/>{data}</react>")
}

fn datum(target: &str, inside: &str) -> String {
    format!("<data><tar id='{target}'/>{inside}</data>")
}

fn curve(cycles: u16) -> String {
    let point = |cycle| format!("<adp><cyc>{cycle}</cyc><fluor>0.5</fluor></adp>");
    (1..=cycles).map(point).collect::<Vec<_>>().concat()
}

fn read_xml(xml: &str) -> Result<RunFile, Refusal> {
    read(xml.as_bytes(), Vec::new())
}

/// The only Cq of a run by that instrument, after a curve of 40 cycles.
fn cq_of(instrument: &str, cq: &str) -> Result<RunFile, Refusal> {
    let data = datum("N", &format!("<cq>{cq}</cq>{}", curve(40)));
    let inside = format!("<instrument>{instrument}</instrument>{}", react("13", &data));
    read_xml(&file("", &run(&inside)))
}

#[test]
fn a_number_is_a_well_row_by_row_and_a_name_is_one_too() {
    for (id, well) in [("1", "A1"), ("13", "B1"), ("96", "H12"), ("C07", "C7")] {
        let xml = file("", &run(&react(id, &datum("N", "<cq>30</cq>"))));
        assert_eq!(read_xml(&xml).unwrap().readings[0].well.to_string(), well);
    }
    for (id, why) in [
        ("97", "a reaction: `97` is not on the plate"),
        ("0", "a reaction: `0` is not on the plate"),
        ("I1", "a reaction: `I1` is not on the plate"),
        ("99999999", "is not on the plate"),
        ("A1x", "is neither a well nor a number"),
        ("", "has no well"),
    ] {
        let xml = file("", &run(&react(id, &datum("N", "<cq>30</cq>"))));
        let refusal = read_xml(&xml).map(|run| run.readings).unwrap_err().to_string();
        assert!(refusal.contains(why) || id.is_empty(), "{id}: {refusal}");
    }
}

#[test]
fn without_a_block_only_names_are_wells() {
    let one = |id| {
        let reacts = react(id, &datum("N", "<cq>30</cq>"));
        file("", &format!("<run><pcrFormat>free format</pcrFormat>{reacts}</run>"))
    };
    let named = read_xml(&one("P24")).unwrap();
    assert_eq!(named.plate_size, Some(PlateSize::P384));
    let refusal = read_xml(&one("1")).unwrap_err().to_string();
    assert!(refusal.contains("states no rows and columns"), "{refusal}");
}

#[test]
fn a_rotor_is_no_plate_and_48_wells_are_said() {
    let one = |rows: i64, columns: i64| {
        let block =
            format!("<pcrFormat><rows>{rows}</rows><columns>{columns}</columns></pcrFormat>");
        let reacts = react("9", &datum("N", "<cq>30</cq>"));
        read_xml(&file("", &format!("<run>{block}{reacts}</run>")))
    };
    assert_eq!(one(72, 1).unwrap_err(), Refusal::NotAPlate { rows: 72, columns: 1 });
    assert_eq!(one(-1, 1).unwrap_err(), Refusal::NotAPlate { rows: -1, columns: 1 });
    let small = one(6, 8).unwrap();
    assert_eq!(small.readings[0].well.to_string(), "B1");
    assert!(small.warnings[0].message.contains("no plate of 96 or 384"), "{:?}", small.warnings);
}

#[test]
fn no_cq_is_told_from_a_cq_by_what_the_instrument_does() {
    for (instrument, cq, ct) in [
        ("Applied Biosystems StepOne", "40.0", None),
        ("Applied Biosystems StepOne", "39.99", Some("39.99")),
        ("LC96SN11301", "100", None),
        ("LC96SN11301", "40.0", Some("40.0")),
        ("CFX", "40.0", Some("40.0")),
        ("CFX", "-1.0", None),
        ("CFX", "-1", None),
        ("CFX", "NaN", None),
        ("CFX", "", None),
        ("CFX", "3.15E+01", Some("31.5")),
    ] {
        let run = cq_of(instrument, cq).unwrap_or_else(|refusal| panic!("{cq}: {refusal}"));
        let read = run.readings[0].ct.map(|ct| ct.to_string());
        assert_eq!(read.as_deref(), ct, "{instrument} {cq}");
        assert_eq!(run.readings[0].raw_ct, cq);
        let number = cq == "100" || (cq == "40.0" && instrument != "LC96SN11301x");
        assert_eq!(run.warnings.len(), usize::from(number), "{:?}", run.warnings);
    }
    for bad in ["-2", "0", "thirty", "100.5"] {
        let refusal = cq_of("CFX", bad).unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("B1: `{bad}` is neither a Cq")), "{refusal}");
    }
}

#[test]
fn a_run_never_analysed_is_said_and_melting_curves_alone_are_refused() {
    let silent = read_xml(&file("", &run(&react("1", &datum("N", &curve(3)))))).unwrap();
    assert!(silent.warnings[0].message.contains("no reading has a Cq"), "{:?}", silent.warnings);
    let melt = datum("N", "<mdp><tmp>65</tmp><fluor>1</fluor></mdp>");
    let refusal = read_xml(&file("", &run(&react("1", &melt)))).unwrap_err();
    assert!(matches!(refusal, Refusal::NoResults { .. }), "{refusal}");
}

#[test]
fn roles_exclusions_and_dyes_are_taken_over() {
    let head = "<sample id='s'><type>unkn</type><type targetId='IC'>pos</type></sample>\
                <target id='N'><dyeId id='FAM'/></target><target id='IC'><dyeId>HEX</dyeId></target>";
    let data = datum("N", "<cq>31</cq><excl>bubble</excl>") + &datum("IC", "<excl>false</excl>");
    let run = read_xml(&file(head, &run(&react("1", &data)))).unwrap();
    let facts: Vec<_> = run
        .readings
        .iter()
        .map(|one| (one.target.as_str(), one.dye.as_str(), one.task.as_str(), one.omitted))
        .collect();
    assert_eq!(facts, [("N", "FAM", "unkn", true), ("IC", "HEX", "pos", false)]);
}

#[test]
fn ids_of_the_lightcycler_give_way_to_what_was_typed() {
    let guid = "9c93d5da-1797-44c1-b46c-05d501af4e22";
    let head = format!(
        "<sample id='{guid}'><description>T0412</description><type>unkn</type></sample>\
         <target id='FAM@{guid}'><dyeId id='FAM'/></target>\
         <target id='Hex@N'><dyeId id='Hex'/></target>\
         <target id='a@b'><dyeId id='Cy5'/></target>"
    );
    let data: String = [format!("FAM@{guid}"), "Hex@N".into(), "a@b".into()]
        .iter()
        .map(|target| datum(target, "<cq>30</cq>"))
        .collect();
    let react = format!("<react id='1'><sample id='{guid}'/>{data}</react>");
    let read = read_xml(&file(&head, &run(&react))).unwrap();
    let targets: Vec<_> = read.readings.iter().map(|one| one.target.as_str()).collect();
    assert_eq!(targets, ["", "N", "a@b"]);
    assert!(read.readings.iter().all(|one| one.sample == "T0412"));
}

#[test]
fn serial_numbers_stand_in_the_name_of_the_instrument() {
    assert_eq!(serial("LC96SN11301").as_deref(), Some("11301"));
    assert_eq!(serial("Cycler SN: CC009466, PXA270").as_deref(), Some("CC009466"));
    assert_eq!(serial("Applied Biosystems StepOne"), None);
    assert_eq!(serial("SNAP cycler"), None);
}

#[test]
fn a_run_for_each_dye_is_one_plate() {
    let head =
        "<target id='N'><dyeId id='FAM'/></target><target id='IC'><dyeId id='HEX'/></target>";
    let both = run(&react("1", &datum("N", "<cq>30</cq>")))
        + &run(&react("1", &datum("IC", "<cq>28</cq>")));
    assert_eq!(read_xml(&file(head, &both)).unwrap().readings.len(), 2);
}

#[test]
fn runs_of_several_plates_are_refused_with_the_reason() {
    let one = run(&react("1", &datum("N", "<cq>30</cq>")));
    let other_dye = run(&react("1", &datum("M", "<cq>28</cq>")));
    let head = "<target id='N'><dyeId id='FAM'/></target><target id='M'><dyeId id='FAM'/></target>\
                <target id='IC'><dyeId id='HEX'/></target>";
    let other_sample =
        run(&format!("<react id='1'><sample id='t'/>{}</react>", datum("IC", "<cq>28</cq>")));
    let made =
        |run: &str, on: &str| run.replacen(BLOCK, &format!("{BLOCK}<runDate>{on}</runDate>"), 1);
    let by = |run: &str, instrument: &str| {
        run.replacen(BLOCK, &format!("<instrument>{instrument}</instrument>{BLOCK}"), 1)
    };
    let other_dye_of = |target: &str| run(&react("1", &datum(target, "<cq>28</cq>")));
    let both = |first: &str, second: &str| read_xml(&file(head, &format!("{first}{second}")));
    let hex = other_dye_of("IC");
    let on = |first, second| both(&made(&one, first), &made(&hex, second));
    let days = on("2020-04-01T10:00:00", "2020-05-07T10:00:00").unwrap_err().to_string();
    assert!(days.contains("different days") && on("2020-04-01", "2020-04-02").is_err());
    let instruments = both(&by(&one, "CFX 111A"), &by(&hex, "CFX 222B"));
    assert!(instruments.unwrap_err().to_string().contains("their instruments differ"));
    assert_eq!(on("2020-04-01T10:00:00", "2020-04-01T10:00:07").unwrap().readings.len(), 2);
    assert_eq!(on("2020-04-01T23:59:58", "2020-04-02T00:00:05").unwrap().readings.len(), 2);
    assert_eq!(both(&by(&one, "CFX 111A"), &by(&hex, "")).unwrap().readings.len(), 2);
    let large = one.replace("<rows>8</rows>", "<rows>16</rows>").replace("'1'", "'2'");
    for (second, why) in [
        (&other_dye, "place 1 is read twice in one dye"),
        (&other_sample, "place 1 holds two samples"),
        (&large, "their blocks differ"),
    ] {
        let refusal = read_xml(&file(head, &format!("{one}{second}"))).unwrap_err();
        assert!(refusal.to_string().contains(why), "{refusal}");
    }
    let twice = datum("N", "<cq>30</cq>") + &datum("N", "<cq>31</cq>");
    let again = read_xml(&file(head, &run(&react("1", &twice)))).unwrap_err();
    assert!(again.to_string().contains("A1: `N` is read a second time"), "{again}");
    let idle = run(&react("1", ""));
    assert!(read_xml(&file(head, &format!("{one}{idle}"))).is_ok(), "an empty run beside it");
}

#[test]
fn a_cycle_that_comes_twice_is_refused_and_disorder_is_not() {
    let adp = |cycles: [u16; 3]| -> String {
        cycles.map(|cycle| format!("<adp><cyc>{cycle}</cyc><fluor>1</fluor></adp>")).concat()
    };
    let read = |cycles| read_xml(&file("", &run(&react("1", &datum("N", &adp(cycles))))));
    let cycles: Vec<u16> =
        read([3, 1, 2]).unwrap().curves[0].points.iter().map(|p| p.cycle).collect();
    assert_eq!(cycles, [1, 2, 3]);
    assert!(read([1, 2, 1]).unwrap_err().to_string().contains("comes twice in one curve"));
}

fn reading(well: &str, sample: &str, target: &str) -> Reading {
    Reading {
        well: well.parse().unwrap(),
        sample: sample.to_owned(),
        target: target.to_owned(),
        dye: "FAM".to_owned(),
        task: "UNKNOWN".to_owned(),
        ct: None,
        raw_ct: "Undetermined".to_owned(),
        amp_status: None,
        instrument_call: None,
        omitted: false,
    }
}

fn export(readings: &[Reading]) -> Export<'_> {
    Export { plate_size: PlateSize::P96, instrument: "", readings, curves: &[], run: None }
}

#[test]
fn what_rdml_has_no_form_for_is_refused() {
    let two = [reading("A1", "T1", "N"), reading("A1", "T2", "IC")];
    let well = two[0].well;
    assert_eq!(write(export(&two)), Err(NotWritable::TwoNames(well)));
    let twice = [reading("A1", "T1", "N"), reading("A1", "T1", "N")];
    assert_eq!(write(export(&twice)), Err(NotWritable::Twice(well)));
    let whole = [reading("A1", "T1", "N"), reading("A2", "T2", "N")];
    assert!(write(export(&whole)).is_ok());
}

#[test]
fn the_same_run_is_the_same_bytes_and_a_silent_well_is_minus_one() {
    let readings = [reading("A1", "T1", "N")];
    let bytes = write(export(&readings)).unwrap();
    assert_eq!(bytes, write(export(&readings)).unwrap());
    let xml = crate::instrument::archive::Archive::open(&bytes).unwrap().unpack(0).unwrap();
    let xml = String::from_utf8(xml).unwrap();
    assert!(xml.contains("<cq>-1.0</cq>"), "{xml}");
    assert!(xml.contains("<sample id=\"T1\"><annotation>"), "{xml}");
}

#[test]
fn one_name_in_two_roles_is_two_samples_and_one_name_again() {
    let mut readings = vec![reading("A1", "", "N"), reading("A2", "", "N"), reading("A3", "", "N")];
    readings[1].task = "NTC".into();
    let bytes = write(export(&readings)).unwrap();
    let read = crate::instrument::read(&bytes).unwrap();
    let tasks: Vec<_> = read.readings.iter().map(|one| (&*one.sample, &*one.task)).collect();
    assert_eq!(tasks, [("", "UNKNOWN"), ("", "NTC"), ("", "UNKNOWN")]);
}

prop_compose! {
    fn any_well()(
        sample in "([ -~]{0,12}|[A-Z<>&\"' \u{4e00}-\u{4e20}\u{1}\t]{0,8}|FAM@x)",
        targets in proptest::collection::btree_map(
            ("(ORF1ab|N|FAM@N|<内参>|)", "(FAM|VIC|)"),
            (
                proptest::option::of((1_i64..=100_000, 3_u32..=10)),
                "(UNKNOWN|NTC|unkn|Unkn-1|PCD & 4|)",
                any::<bool>(),
                proptest::option::of("(Amp|No Amp|Inconclusive)"),
                proptest::collection::btree_map(1_u16..=60, -1.0e6_f64..1.0e6, 0..5),
            ),
            1..4,
        ),
    ) -> (String, Vec<(Reading, Vec<Point>)>) {
        let sample = sample.trim().replace('\u{1}', "\u{fffd}");
        let readings = targets.into_iter().map(|((target, dye), (ct, task, omitted, status, curve))| {
            let ct = ct.and_then(|(n, scale)| Ct::try_from(Decimal::new(n, scale)).ok());
            let reading = Reading {
                well: "A1".parse().unwrap(),
                sample: sample.clone(),
                target,
                dye,
                task,
                raw_ct: ct.map_or_else(|| "-1.0".to_owned(), |ct| ct.to_string()),
                ct,
                instrument_call: status.clone().map(|status| status.to_lowercase()),
                amp_status: status,
                omitted,
            };
            (reading, curve.into_iter().map(|(cycle, signal)| Point { cycle, signal }).collect())
        });
        (sample.clone(), readings.collect())
    }
}

fn by_place(readings: &mut [Reading]) {
    readings.sort_by(|a, b| (a.well, &a.target, &a.dye).cmp(&(b.well, &b.target, &b.dye)));
}

proptest! {
    #[test]
    fn what_was_written_is_read_back(
        wells in proptest::collection::btree_map(0_u16..384, any_well(), 1..12),
        instrument in "[A-Z][a-z<&]{0,10}[a-z]",
    ) {
        let (mut readings, mut curves) = (Vec::new(), Vec::new());
        for (index, (_, targets)) in wells {
            let well = WellPosition::from_index(index, PlateSize::P384).unwrap();
            for (mut reading, points) in targets {
                reading.well = well;
                if !points.is_empty() {
                    let (target, dye) = (reading.target.clone(), reading.dye.clone());
                    curves.push(Curve { well, target, dye, points });
                }
                readings.push(reading);
            }
        }
        let plate_size = PlateSize::P384;
        let export = Export { plate_size, instrument: &instrument, readings: &readings, curves: &curves, run: None };
        let read = crate::instrument::read(&write(export).unwrap()).unwrap();
        let (mut found, mut found_curves) = (read.readings, read.curves);
        by_place(&mut readings);
        by_place(&mut found);
        prop_assert_eq!(found, readings);
        let key = |curve: &Curve| (curve.well, curve.target.clone(), curve.dye.clone());
        curves.sort_by_key(key);
        found_curves.sort_by_key(key);
        prop_assert_eq!(found_curves, curves);
        prop_assert_eq!(read.plate_size, Some(plate_size));
        prop_assert_eq!(read.instrument, Some(instrument));
    }
}

#[test]
fn a_stored_run_says_which_it_is_and_what_stands_where_nobody_typed_a_name() {
    let mut readings = super::super::read(
        b",Well,Fluor,Target,Content,Sample,Cq\n\
        ,A01,FAM,N,Unkn,T1,30\n,A02,FAM,N,Pos Ctrl,,25\n,A03,FAM,N,,,\n",
    )
    .unwrap()
    .readings;
    for reading in &mut readings {
        reading.task.clear();
    }
    let stored = Stored {
        id: "R1".to_owned(),
        plate: "P1".to_owned(),
        ended: "2020-05-18 17:50:29 PM PDT".to_owned(),
        imported: Time::from_us(0),
        wells: BTreeMap::from([("A2".parse().unwrap(), "positive control A2".to_owned())]),
    };
    let export = Export {
        plate_size: PlateSize::P96,
        instrument: "",
        readings: &readings,
        curves: &[],
        run: Some(&stored),
    };
    let bytes = write(export).unwrap();
    assert_eq!(super::super::read(&bytes).unwrap().readings.len(), 3);
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).unwrap();
    let xml = std::io::read_to_string(zip.by_name(MEMBER).unwrap()).unwrap();
    for part in [
        "<experiment id=\"P1\">\n<run id=\"R1\">\n<description>Plate P1, file taken in 1970-01-01",
        "which says that the run ended 2020-05-18 17:50:29 PM PDT</description>",
        "</pcrFormat>\n<runDate>2020-05-18T17:50:29</runDate>\n<react",
        "<sample id=\"positive control A2\"><description></description>",
        "<sample id=\"empty well A3\">",
        "<sample id=\"T1\">",
    ] {
        assert!(xml.contains(part), "{part} is not in {xml}");
    }
}
