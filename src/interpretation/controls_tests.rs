use super::*;
use crate::instrument::Reading;
use crate::interpretation::workbench::{
    cdc, codx, ct, first_tests, kit, orf, plate, reading, run, well,
};
use crate::interpretation::{Definition, interpret};

/// The verdict over a good run with one change.
fn judged(kit: &Kit, template: &str, change: impl FnOnce(&mut Vec<Reading>)) -> Verdict {
    let layout = plate(kit, template, 20, 1);
    let mut readings = run(kit, &layout, None, &|_| None);
    change(&mut readings);
    interpret(kit, &layout, &readings, &first_tests(&layout)).unwrap().verdict
}

fn set(readings: &mut [Reading], at: &str, target: &str, cycles: Option<&str>) {
    let changed = readings
        .iter_mut()
        .find(|reading| reading.well == well(at) && reading.target == target)
        .unwrap();
    changed.ct = cycles.map(ct);
    changed.raw_ct = cycles.unwrap_or("Undetermined").to_owned();
}

fn codes(verdict: &Verdict) -> Vec<(VerdictCode, Option<String>)> {
    let reasons = verdict.reasons.iter();
    reasons.map(|reason| (reason.code, reason.well.map(|well| well.to_string()))).collect()
}

fn cdc_verdict(at: &str, target: &str, cycles: Option<&str>) -> Verdict {
    judged(&cdc(), "three-wells-29-rows", |readings| set(readings, at, target, cycles))
}

#[test]
fn a_plate_whose_controls_behave_is_usable() {
    for (kit, template) in [
        (cdc(), "three-wells-29-rows"),
        (cdc(), "three-wells-21-columns"),
        (orf(), "one-well-94-columns"),
        (codx(), "one-well-94-rows"),
    ] {
        let verdict = judged(&kit, template, |_| {});
        assert_eq!(verdict, Verdict { usable: true, reasons: vec![], flags: vec![] });
    }
}

/// Positive C1-C3, negative G1-G3, extraction G10-G12; each control fault voids the run.
#[test]
fn each_cdc_control_fault_voids_the_run() {
    let faults = [
        ("C1", "N1", None, VerdictCode::PositiveControlSilent),
        ("C2", "N2", Some("40.00"), VerdictCode::PositiveControlSilent),
        ("C3", "RP", None, VerdictCode::PositiveControlSilent),
        ("G1", "N1", Some("39"), VerdictCode::NegativeControlAmplified),
        ("G2", "N2", Some("44.9"), VerdictCode::NegativeControlAmplified),
        ("G3", "RP", Some("35.02"), VerdictCode::NegativeControlAmplified),
        ("G3", "RP", Some("40.00"), VerdictCode::NegativeControlAmplified),
        ("G3", "RP", Some("44.9"), VerdictCode::NegativeControlAmplified),
        ("G10", "N1", Some("38"), VerdictCode::ExtractionControlContaminated),
        ("G11", "N2", Some("38"), VerdictCode::ExtractionControlContaminated),
        ("G12", "RP", None, VerdictCode::ExtractionControlSilent),
    ];
    for (at, target, cycles, code) in faults {
        let verdict = cdc_verdict(at, target, cycles);
        assert!(!verdict.usable);
        assert_eq!(codes(&verdict), [(code, Some(at.to_owned()))]);
        let read = cycles.unwrap_or("Undetermined");
        assert_eq!(verdict.reasons[0].figures, format!("{target} Ct {read}"));
    }
}

#[test]
fn a_control_just_within_its_limits_is_accepted() {
    assert!(cdc_verdict("C1", "N1", Some("39.99")).usable);
    // The extraction control's RP proves nothing from 40.00 on, and below it does.
    assert!(cdc_verdict("G12", "RP", Some("39.99")).usable);
    assert!(!cdc_verdict("G12", "RP", Some("40.00")).usable);
}

/// The weak one is what says that the plate would have found little: it must amplify as well.
#[test]
fn a_weak_positive_control_that_is_silent_voids_the_run() {
    let (kit, template) = (orf(), "one-well-93-weak-moving-rows");
    assert_eq!(judged(&kit, template, |_| {}).reasons, []);
    let layout = plate(&kit, template, 20, 1);
    let at = control_at(&layout, Control::WeakPositive);
    for target in ["ORF1ab", "N"] {
        let verdict = judged(&kit, template, |readings| set(readings, &at, target, None));
        assert!(!verdict.usable);
        let silent = [(VerdictCode::PositiveControlSilent, Some(at.clone()))];
        assert_eq!(codes(&verdict), silent, "{target}");
        assert!(verdict.reasons[0].message.starts_with("weak positive control in"));
    }
    // Its internal control may come or not.
    assert!(judged(&kit, template, |readings| set(readings, &at, "IC", None)).usable);
}

/// Where the first control of this kind stands.
fn control_at(layout: &Layout, wanted: Control) -> String {
    let is_it = |content: &Content| matches!(content, Content::Control { control, .. } if *control == wanted);
    let (at, _) = layout.wells().iter().find(|(_, content)| is_it(content)).unwrap();
    at.to_string()
}

/// Where no leaflet was read for it, an internal control counts within its cut-off only.
#[test]
fn a_late_internal_control_is_passed_over_in_a_negative_control_of_which_no_leaflet_speaks() {
    let at = control_at(&plate(&orf(), "one-well-94-columns", 20, 1), Control::Negative);
    for (cycles, usable) in [("40", false), ("40.01", true)] {
        let change = |readings: &mut Vec<Reading>| set(readings, &at, "IC", Some(cycles));
        assert_eq!(judged(&orf(), "one-well-94-columns", change).usable, usable, "{cycles}");
    }
}

/// "NTC - -" of the summaries: RP at Ct 36, past the cut-off of a tube, is a signal all the same.
#[test]
fn a_control_that_must_show_nothing_shows_no_late_internal_control_either() {
    let all = [
        ("salivadirect", "2020-10-below-40"),
        ("salivadirect", "2020-10-below-37"),
        ("stanford-e", "2020"),
    ];
    for (code, version) in all {
        let (kit, template) = (kit(code, version), "one-well-93-columns");
        assert!(judged(&kit, template, |_| {}).usable, "{code}");
        let layout = plate(&kit, template, 20, 1);
        let late = |at: &str| judged(&kit, template, |run| set(run, at, "RP", Some("36")));
        let [positive, negative] =
            [Control::Positive, Control::Negative].map(|control| control_at(&layout, control));
        let shown = codes(&late(&negative));
        assert_eq!(shown, [(VerdictCode::NegativeControlAmplified, Some(negative))], "{code}");
        // Only SalivaDirect asks for a positive control without RP.
        assert_eq!(late(&positive).usable, code == "stanford-e");
    }
}

/// Ct 48.25 with `No Amp` was seen in a real negative control; CDC wants none within the cut-off.
#[test]
fn a_negative_control_is_silent_by_its_status_only_outside_every_cut_off() {
    let verdict = |kit: &Kit, template, at, target, cycles: &'static str| {
        judged(kit, template, |readings| {
            set(readings, at, target, Some(cycles));
            let denied = |read: &&mut Reading| read.well == well(at) && read.target == target;
            let denied = readings.iter_mut().find(denied).unwrap();
            denied.amp_status = Some("No Amp".to_owned());
        })
    };
    let cdc_n1 = |cycles| verdict(&cdc(), "three-wells-29-rows", "G1", "N1", cycles);
    let amplified = [(VerdictCode::NegativeControlAmplified, Some("G1".to_owned()))];
    assert!(cdc_n1("48.25").usable);
    assert_eq!(codes(&cdc_n1("33")), amplified);
    // So is the internal control, which has a limit of its own there.
    let cdc_rp = |cycles| verdict(&cdc(), "three-wells-29-rows", "G3", "RP", cycles);
    assert!(cdc_rp("48.25").usable);
    assert_eq!(cdc_rp("39").reasons.len(), 1);
    let at = control_at(&plate(&orf(), "one-well-94-columns", 20, 1), Control::Negative);
    for (cycles, usable) in [("48.25", true), ("39.5", false), ("30", false)] {
        let verdict = verdict(&orf(), "one-well-94-columns", at.as_str(), "N", cycles);
        assert_eq!(verdict.usable, usable, "{cycles}");
    }
}

#[test]
fn a_grey_positive_control_does_not_do() {
    let verdict = judged(&orf(), "one-well-94-columns", |r| set(r, "C11", "N", Some("38.2")));
    assert_eq!(codes(&verdict), [(VerdictCode::PositiveControlSilent, Some("C11".to_owned()))]);
}

/// The controls of `TaqPath` (`formats.md` 14): POS without MS2, NEG above 40 with MS2 up to 37,
/// NTC nothing at all.
#[test]
fn a_control_with_limits_of_its_own_is_judged_by_them() {
    use VerdictCode::{
        ExtractionControlContaminated, ExtractionControlSilent, NegativeControlAmplified,
        PositiveControlAmplified, PositiveControlSilent,
    };
    let rows = [
        ("D1", "MS2", Some("37"), None),
        ("D1", "MS2", Some("37.01"), Some(ExtractionControlSilent)),
        ("D1", "N", Some("40.01"), None),
        ("D1", "N", Some("40"), Some(ExtractionControlContaminated)),
        ("C11", "MS2", Some("39"), Some(PositiveControlAmplified)),
        ("C11", "S", Some("37"), Some(PositiveControlSilent)),
        ("B1", "MS2", Some("38"), Some(NegativeControlAmplified)),
        ("B1", "S", Some("41"), Some(NegativeControlAmplified)),
    ];
    let taqpath = kit("taqpath-combo", "rutgers-2020");
    for (at, target, cycles, fault) in rows {
        let change = |readings: &mut Vec<Reading>| set(readings, at, target, cycles);
        let verdict = judged(&taqpath, "one-well-93-columns", change);
        let expected: Vec<_> = fault.map(|code| (code, Some(at.to_owned()))).into_iter().collect();
        assert_eq!(codes(&verdict), expected, "{at} {target} {cycles:?}");
    }
}

/// Stanford's positive control lies in the range of its lot, which a laboratory adds.
#[test]
fn a_control_outside_its_lots_range_does_not_do() {
    let mut definition = Definition::from(kit("stanford-e", "2020"));
    let (control, targets) = (Control::Positive, vec!["E".to_owned()]);
    let (within, not_before) = ("<= 31.0".parse().unwrap(), Some(ct("27.0")));
    definition.control_limits.push(ControlLimit { control, targets, within, not_before });
    let stanford = Kit::read(definition).unwrap();
    for (cycles, usable) in [("27.0", true), ("31", true), ("26.99", false), ("31.01", false)] {
        let change = |readings: &mut Vec<Reading>| set(readings, "C11", "E", Some(cycles));
        assert_eq!(judged(&stanford, "one-well-93-columns", change).usable, usable, "{cycles}");
    }
}

#[test]
fn every_fault_is_named_not_only_the_first() {
    let verdict = judged(&cdc(), "three-wells-29-rows", |readings| {
        set(readings, "C1", "N1", None);
        set(readings, "G2", "N2", Some("36"));
        set(readings, "G12", "RP", None);
    });
    let codes: Vec<_> = codes(&verdict).into_iter().map(|(code, _)| code).collect();
    assert_eq!(
        codes,
        [
            VerdictCode::PositiveControlSilent,
            VerdictCode::NegativeControlAmplified,
            VerdictCode::ExtractionControlSilent,
        ]
    );
}

#[test]
fn a_plate_without_its_controls_is_not_usable() {
    let kit = codx();
    let tube = Content::Tube { tube: "T1".to_owned(), depth: 1, reaction: "mix".to_owned() };
    let layout = Layout::explicit(crate::plate::PlateSize::P96, vec![(well("A1"), tube)]).unwrap();
    let readings = [
        reading("A1", "SARS-CoV-2", "FAM", None),
        reading("A1", "RNaseP", "TEXAS RED", Some("25")),
    ];
    let verdict = interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap().verdict;
    let missing = (VerdictCode::ControlMissing, None);
    assert_eq!(codes(&verdict), [missing.clone(), missing]);
}

#[test]
fn a_control_without_a_rule_is_not_taken_on_trust() {
    let kit = codx();
    let mut wells: Vec<_> =
        plate(&kit, "one-well-94-rows", 3, 1).wells().clone().into_iter().collect();
    let reaction = "mix".to_owned();
    wells.push((well("H12"), Content::Control { control: Control::Extraction, reaction }));
    let layout = Layout::explicit(crate::plate::PlateSize::P96, wells).unwrap();
    let readings = run(&kit, &layout, None, &|_| None);
    let verdict = interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap().verdict;
    assert_eq!(codes(&verdict), [(VerdictCode::ControlUnknown, Some("H12".to_owned()))]);
}

#[test]
fn internal_controls_missing_in_many_tubes_void_the_plate() {
    let without = |count: usize| {
        judged(&orf(), "one-well-94-columns", |readings| {
            let silent = readings.iter_mut().filter(|reading| {
                reading.target == "IC" && reading.well.column() > 0 && reading.well.column() < 9
            });
            silent.take(count).for_each(|reading| reading.ct = None);
        })
    };
    // Three of twenty are more than the kit's 10 %; two are fewer than three.
    assert_eq!(codes(&without(3)), [(VerdictCode::InternalControlsMissing, None)]);
    assert!(without(2).usable);
}

/// The flags of a plate of 94 with positives at these places, with their Ct.
fn flags(positives: &[(&str, &'static str)]) -> Vec<(VerdictCode, Option<String>)> {
    let kit = orf();
    let layout = plate(&kit, "one-well-94-columns", 94, 1);
    let shows = |tube: &str| {
        let found = positives.iter().find(|(at, _)| layout.content(well(at)).tube() == Some(tube));
        found.map(|(_, cycles)| *cycles)
    };
    let readings = run(&kit, &layout, None, &shows);
    let read = interpret(&kit, &layout, &readings, &first_tests(&layout)).unwrap();
    assert!(read.verdict.usable);
    let detected = read.calls.iter().filter(|call| call.outcome == Outcome::Detected).count();
    assert_eq!(detected, positives.len(), "each place holds a tube");
    let flags = read.verdict.flags.iter();
    flags.map(|flag| (flag.code, flag.well.map(|well| well.to_string()))).collect()
}

#[test]
fn a_weak_positive_beside_a_strong_one_is_flagged() {
    // A2 and B2 touch A1, D1 shares its tips, A4 lies far from it.
    for at in ["A2", "B2", "D1"] {
        let weak = [(VerdictCode::WeakBesideStrong, Some(at.to_owned()))];
        assert_eq!(flags(&[("A1", "20"), (at, "30")]), weak);
    }
    assert_eq!(flags(&[("A1", "20"), ("D1", "29.99")]), []);
    assert_eq!(flags(&[("A1", "20"), ("A4", "35")]), []);
}

#[test]
fn two_positives_side_by_side_are_flagged_where_hardly_any_other_is_positive() {
    let pair = [(VerdictCode::AdjacentPositives, Some("D5".to_owned()))];
    for at in ["C6", "D6", "E5", "E6"] {
        assert_eq!(flags(&[("D5", "27"), (at, "27.5")]), pair, "{at}");
    }
    // In one column or two columns away is not side by side.
    assert_eq!(flags(&[("D5", "27"), ("F5", "27.5")]), []);
    assert_eq!(flags(&[("D5", "27"), ("D7", "27.5")]), []);
    // Four of 94 are under 5 %, five are over it.
    let apart = [("D5", "27"), ("D6", "27.5"), ("A1", "27"), ("A9", "27"), ("G8", "27")];
    assert_eq!(flags(&apart[..4]), pair);
    assert_eq!(flags(&apart), []);
}

#[test]
fn a_verdict_comes_back_from_json_as_it_was() {
    let verdict = cdc_verdict("C1", "N1", None);
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["reasons"][0]["code"], "positive_control_silent");
    assert_eq!(serde_json::from_value::<Verdict>(json).unwrap(), verdict);
}
