use super::*;
use crate::interpretation::workbench::{cdc, codx, orf, plate, reading, run, well};

fn refusals(change: impl FnOnce(&mut Vec<Reading>)) -> Vec<MatchRefusal> {
    let (kit, layout) = (orf(), plate(&orf(), "one-well-94-columns", 10, 10));
    let mut readings = run(&kit, &layout, None, &|_| None);
    change(&mut readings);
    gather(&kit, &layout, &readings).err().unwrap_or_default()
}

#[test]
fn a_run_that_matches_its_layout_is_gathered_well_by_well() {
    let (kit, layout) = (orf(), plate(&orf(), "one-well-94-columns", 10, 10));
    let mut readings = run(&kit, &layout, None, &|_| None);
    readings.reverse();
    let gathered = gather(&kit, &layout, &readings).unwrap();
    assert_eq!(gathered.len(), 12);
    for well in gathered {
        let targets: Vec<_> = well.targets.iter().map(|read| &*read.target).collect();
        assert_eq!(targets, ["ORF1ab", "N", "IC"]);
    }
}

#[test]
fn a_missing_well_target_or_a_doubled_one_is_refused() {
    assert_eq!(refusals(|_| {}), []);
    assert_eq!(
        refusals(|readings| readings.retain(|reading| reading.well != well("A1"))),
        [MatchRefusal::MissingWell { well: well("A1") }]
    );
    assert_eq!(
        refusals(|readings| drop(readings.remove(1))),
        [MatchRefusal::MissingTarget { well: well("A1"), target: "N".to_owned() }]
    );
    assert_eq!(
        refusals(|readings| readings.push(readings[0].clone())),
        [MatchRefusal::ReadTwice { well: well("A1"), target: "ORF1ab".to_owned() }]
    );
}

#[test]
fn a_filter_that_is_missing_as_a_whole_is_one_reason_and_no_turned_plate() {
    use crate::interpretation::{interpret, workbench::first_tests};

    let (kit, layout) = (orf(), plate(&orf(), "one-well-94-columns", 10, 10));
    let all = run(&kit, &layout, None, &|_| None);
    for (missing, targets) in
        [(&["N"][..], "N (VIC)"), (&["N", "IC"], "IC (CY5), N (VIC)"), (&["IC"], "IC (CY5)")]
    {
        let mut few = all.clone();
        few.retain(|reading| !missing.contains(&reading.target.as_str()));
        let refusals = interpret(&kit, &layout, &few, &first_tests(&layout)).unwrap_err();
        let targets = targets.to_owned();
        assert_eq!(refusals, [MatchRefusal::TargetsNotRead { targets }], "{missing:?}");
    }
    let mut one = all;
    one.retain(|reading| reading.target != "N" || reading.well == well("A1"));
    let refusals = gather(&kit, &layout, &one).unwrap_err();
    assert_eq!(refusals.len(), 11, "a target that was read somewhere is missed well by well");
}

#[test]
fn an_empty_well_may_be_listed_but_must_not_show_a_signal() {
    assert_eq!(refusals(|r| r.push(reading("H9", "", "", None))), []);
    assert_eq!(refusals(|r| r.push(reading("H9", "N", "VIC", None))), []);
    assert_eq!(
        refusals(|r| r.push(reading("H9", "N", "VIC", Some("35")))),
        [MatchRefusal::SignalInEmptyWell { well: well("H9") }]
    );
    let denied = |cycles: &'static str| {
        move |r: &mut Vec<Reading>| {
            r.push(reading("H9", "N", "VIC", Some(cycles)));
            r.last_mut().unwrap().amp_status = Some("No Amp".to_owned());
        }
    };
    assert_eq!(refusals(denied("48.25")), []);
    let signal = [MatchRefusal::SignalInEmptyWell { well: well("H9") }];
    assert_eq!(refusals(denied("30")), signal);
}

#[test]
fn a_well_off_the_plate_and_an_omitted_one_are_refused() {
    assert_eq!(
        refusals(|r| r.push(reading("P24", "N", "VIC", None))),
        [MatchRefusal::OffPlate { well: well("P24") }]
    );
    let omitted = refusals(|r| r.iter_mut().take(3).for_each(|reading| reading.omitted = true));
    assert!(omitted.contains(&MatchRefusal::Omitted { well: well("A1") }));
    assert_eq!(
        refusals(|r| {
            r.push(reading("H9", "N", "VIC", Some("30")));
            r.last_mut().unwrap().omitted = true;
        }),
        []
    );
}

#[test]
fn every_mismatch_is_named_at_once() {
    let found = refusals(|readings| {
        readings.retain(|reading| reading.well != well("A1"));
        readings.push(reading("H9", "N", "VIC", Some("35")));
        readings.push(reading("P24", "N", "VIC", None));
    });
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn the_dye_speaks_where_no_target_was_typed_or_a_dye_in_its_place() {
    for (name, dye) in [("FAM", "FAM"), ("", "fam"), ("Fam", ""), ("ORF 1ab", "")] {
        let found = refusals(|readings| {
            readings[0].target = name.to_owned();
            readings[0].dye = dye.to_owned();
        });
        assert_eq!(found, [], "{name} in {dye}");
    }
    let hex = refusals(|readings| {
        for reading in readings.iter_mut().filter(|reading| reading.target == "N") {
            reading.target.clear();
            reading.dye = "HEX".to_owned();
        }
    });
    assert_eq!(hex, []);
}

/// Such a kit has the dyes of the ORF1ab/N kit, and would be read as it if dyes overruled names.
#[test]
fn the_run_of_an_e_and_rdrp_kit_is_not_taken_for_orf1ab_and_n() {
    let found = refusals(|readings| {
        for reading in readings {
            match reading.target.as_str() {
                "ORF1ab" => reading.target = "E".to_owned(),
                "N" => reading.target = "RdRp".to_owned(),
                _ => {}
            }
        }
    });
    for (target, dye) in [("E", "FAM"), ("RdRp", "VIC")] {
        let (target, dye) = (target.to_owned(), dye.to_owned());
        let unknown = MatchRefusal::TargetUnknown { target, dye };
        assert!(found.contains(&unknown), "{unknown}: {found:?}");
    }
}

#[test]
fn a_dye_typed_as_target_must_be_the_dye_that_was_read() {
    let typed = |dye: &'static str| {
        refusals(move |readings| {
            for reading in readings.iter_mut().filter(|reading| reading.target == "N") {
                reading.target = dye.to_owned();
            }
        })
    };
    assert_eq!(typed("HEX"), [], "the two dyes of N are one channel");
    let (target, dye) = ("CY5".to_owned(), "VIC".to_owned());
    assert!(typed("CY5").contains(&MatchRefusal::TargetUnknown { target, dye }));
}

#[test]
fn a_target_the_kit_does_not_know_is_refused() {
    let found = refusals(|readings| readings.push(reading("A1", "MS2", "JUN", None)));
    assert_eq!(
        found,
        [MatchRefusal::TargetUnknown { target: "MS2".to_owned(), dye: "JUN".to_owned() }]
    );
}

#[test]
fn a_shared_dye_does_not_overrule_a_name() {
    let (kit, layout) = (cdc(), plate(&cdc(), "three-wells-29-rows", 2, 1));
    let with = |name: &str| {
        let mut readings = run(&kit, &layout, None, &|_| None);
        readings[0].target = name.to_owned();
        gather(&kit, &layout, &readings).err().unwrap_or_default()
    };
    assert_eq!(with("2019-nCoV_N1"), []);
    assert_eq!(with(""), []);
    let missing = MatchRefusal::MissingWell { well: well("A1") };
    assert_eq!(
        with("N2"),
        [
            missing.clone(),
            MatchRefusal::OtherReaction { well: well("A1"), target: "N2".to_owned() }
        ]
    );
    assert_eq!(
        with("N3"),
        [missing, MatchRefusal::TargetUnknown { target: "N3".to_owned(), dye: "FAM".to_owned() }]
    );
}

#[test]
fn a_file_that_names_only_dyes_fits_the_texas_red_kit() {
    let kit = codx();
    let layout = plate(&kit, "one-well-94-rows", 3, 1);
    let mut readings = run(&kit, &layout, None, &|_| None);
    for reading in &mut readings {
        reading.target.clear();
    }
    assert_eq!(gather(&kit, &layout, &readings).unwrap().len(), 5);
}

#[test]
fn a_refusal_is_written_with_a_stable_code() {
    let refusal = MatchRefusal::MissingWell { well: well("A1") };
    assert_eq!(
        serde_json::to_value(&refusal).unwrap(),
        serde_json::json!({"code": "missing_well", "well": "A1"})
    );
}
