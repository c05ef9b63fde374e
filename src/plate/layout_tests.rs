use super::*;
use crate::plate::{Channel, Control, ControlRule, Expectation, Reaction, TargetRole, refusals};

fn well(text: &str) -> WellPosition {
    text.parse().unwrap()
}

fn plan(reactions: &[&str]) -> Plan {
    let channel = |dye: &str, role| Channel { dye: dye.to_owned(), role };
    let rule = |control, expectation| ControlRule {
        control,
        required: true,
        pathogen: expectation,
        internal_control: expectation,
    };
    Plan {
        kit: "test 1".to_owned(),
        reactions: reactions
            .iter()
            .map(|code| Reaction {
                code: (*code).to_owned(),
                channels: vec![
                    channel("FAM", TargetRole::Pathogen),
                    channel("CY5", TargetRole::InternalControl),
                ],
            })
            .collect(),
        controls: vec![
            rule(Control::Positive, Expectation::Amplify),
            rule(Control::Negative, Expectation::Silent),
        ],
        validated_depth: 10,
        field_pools: true,
        laboratory_pools: 5,
        pipetting: None,
    }
}

fn tubes(count: usize) -> Vec<PlacedTube> {
    (1..=count).map(|code| PlacedTube { code: format!("T{code}"), depth: 10 }).collect()
}

fn tube(code: &str, depth: u16, reaction: &str) -> Content {
    Content::Tube { tube: code.to_owned(), depth, reaction: reaction.to_owned() }
}

fn control(control: Control) -> Content {
    Content::Control { control, reaction: "mix".to_owned() }
}

fn one_well_template() -> Template {
    Template::find("one-well-94-columns").unwrap()
}

#[test]
fn ninety_four_tubes_fill_a_plate_down_its_columns() {
    let layout = lay_out(&one_well_template(), &plan(&["mix"]), &tubes(94)).unwrap();
    assert_eq!(layout.wells().len(), 96);
    assert_eq!(layout.content(well("A1")), &tube("T1", 10, "mix"));
    assert_eq!(layout.content(well("A2")), &tube("T8", 10, "mix"));
    assert_eq!(layout.content(well("C11")), &control(Control::Positive));
    assert_eq!(layout.tubes().len(), 94);
}

#[test]
fn a_three_reaction_kit_gives_a_tube_three_neighbouring_wells() {
    let template = Template::find("three-wells-29-rows").unwrap();
    let mut plan = plan(&["N1", "N2", "RP"]);
    plan.controls.push(ControlRule {
        control: Control::Extraction,
        required: true,
        pathogen: Expectation::Silent,
        internal_control: Expectation::Amplify,
    });
    let layout = lay_out(&template, &plan, &tubes(29)).unwrap();
    assert_eq!(layout.wells_of("T2"), ["B1", "B2", "B3"].map(well));
    assert_eq!(layout.content(well("B3")).reaction(), Some("RP"));
    assert_eq!(layout.wells().len(), 96);
}

#[test]
fn a_layout_comes_back_from_json_as_it_was_and_is_checked_again() {
    let layout = lay_out(&one_well_template(), &plan(&["mix"]), &tubes(3)).unwrap();
    let json = serde_json::to_string(&layout).unwrap();
    assert_eq!(serde_json::from_str::<Layout>(&json).unwrap(), layout);
    let moved = json.replace("\"T2\"", "\"T1\"");
    let refusal = serde_json::from_str::<Layout>(&moved).unwrap_err().to_string();
    assert!(refusal.contains("tube T1 is in reaction mix twice"), "{refusal}");
}

#[test]
fn every_reason_against_a_list_of_tubes_is_given_at_once() {
    let mut listed = tubes(96);
    listed[3].code = "T1".to_owned();
    listed[4].depth = 20;
    listed[5].depth = 0;
    listed[95].depth = 11;
    let reasons = lay_out(&one_well_template(), &plan(&["mix"]), &listed).unwrap_err();
    assert_eq!(
        reasons,
        [
            LayoutRefusal::TubeListedTwice { tube: "T1".to_owned() },
            LayoutRefusal::TooManyTubes { tubes: 95, places: 94 },
            LayoutRefusal::TooDeep { tube: "T96".to_owned(), depth: 11, validated: 10 },
            LayoutRefusal::TooDeep { tube: "T5".to_owned(), depth: 20, validated: 10 },
            LayoutRefusal::NobodyInTube { tube: "T6".to_owned() },
        ]
    );
}

#[test]
fn a_plate_without_tubes_and_a_template_of_another_kit_are_refused() {
    let template = one_well_template();
    assert_eq!(lay_out(&template, &plan(&["mix"]), &tubes(0)), Err(vec![LayoutRefusal::NoTubes]));
    assert_eq!(
        lay_out(&template, &plan(&["N1", "N2"]), &tubes(2)),
        Err(vec![LayoutRefusal::SlotWidth { wells: 1, reactions: 2 }])
    );
}

#[test]
fn wells_stated_one_by_one_are_judged_all_together() {
    let wells = vec![
        (well("A1"), tube("T1", 5, "mix")),
        (well("A1"), tube("T2", 5, "mix")),
        (well("B1"), tube("T1", 6, "mix")),
        (well("A13"), tube("T3", 5, "mix")),
        (well("C1"), tube(" ", 5, "mix")),
    ];
    assert_eq!(
        Layout::explicit(PlateSize::P96, wells).unwrap_err(),
        [
            LayoutRefusal::WellTwice { well: well("A1") },
            LayoutRefusal::OffPlate { well: well("A13") },
            LayoutRefusal::TubeTwice { tube: "T1".to_owned(), reaction: "mix".to_owned() },
            LayoutRefusal::TubeWithoutCode { well: well("C1") },
            LayoutRefusal::DepthDiffers { tube: "T1".to_owned() },
        ]
    );
}

#[test]
fn a_stated_layout_is_held_to_the_kit() {
    let layout = Layout::explicit(
        PlateSize::P96,
        vec![
            (well("A1"), tube("T1", 1, "mix")),
            (well("A2"), tube("T2", 1, "other")),
            (well("B3"), control(Control::Positive)),
            (well("D7"), control(Control::Extraction)),
        ],
    )
    .unwrap();
    let owned = str::to_owned;
    assert_eq!(
        refusals(&layout, &plan(&["mix"])),
        [
            LayoutRefusal::ReactionUnknown { well: well("A2"), reaction: owned("other") },
            LayoutRefusal::ReactionMissing { tube: owned("T2"), reaction: owned("mix") },
            LayoutRefusal::ControlUnknown { well: well("D7"), control: Control::Extraction },
            LayoutRefusal::ControlMissing { control: Control::Negative, reaction: owned("mix") },
        ]
    );
}

#[test]
fn a_layout_whose_turn_would_go_unnoticed_is_refused() {
    let wells = |second_positive: &str| {
        vec![
            (well("A1"), control(Control::Positive)),
            (well(second_positive), control(Control::Positive)),
            (well("D4"), control(Control::Negative)),
            (well("B2"), tube("T1", 1, "mix")),
        ]
    };
    let plan = plan(&["mix"]);
    let symmetric = Layout::explicit(PlateSize::P96, wells("H12")).unwrap();
    let transform = crate::plate::Transform::Rotated;
    assert_eq!(refusals(&symmetric, &plan), [LayoutRefusal::Unnoticed { transform }]);
    let lopsided = Layout::explicit(PlateSize::P96, wells("H11")).unwrap();
    assert_eq!(refusals(&lopsided, &plan), []);
}

#[test]
fn a_refusal_is_written_with_a_stable_code() {
    let refusal = LayoutRefusal::TooDeep { tube: "T1".to_owned(), depth: 20, validated: 10 };
    assert_eq!(
        serde_json::to_value(&refusal).unwrap(),
        serde_json::json!({"code": "too_deep", "tube": "T1", "depth": 20, "validated": 10})
    );
}

#[test]
fn tubes_come_first_and_pools_fill_the_slots_after_them() {
    let template = one_well_template();
    let codes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let placed = [
        Placed::Tube(PlacedTube { code: "T1".to_owned(), depth: 1 }),
        Placed::Pool(PlacedPool { code: "M1".to_owned(), tubes: codes(&["T2", "T3"]) }),
    ];
    let plan = plan(&["mix"]);
    let layout = lay_out(&template, &plan, &placed).unwrap();
    let slots = template.tube_slots();
    assert_eq!(layout.content(slots[0][0]).tube(), Some("T1"));
    assert_eq!(layout.content(slots[1][0]).pool(), Some("M1"));
    assert_eq!(layout.tubes(), BTreeMap::from([("T1", 1), ("T2", 1), ("T3", 1)]));
    assert_eq!(layout.wells_of("T3"), slots[1]);
    let json = serde_json::to_string(&layout).unwrap();
    assert_eq!(serde_json::from_str::<Layout>(&json).unwrap(), layout);
    let deeper = [Placed::Pool(PlacedPool {
        code: "M1".to_owned(),
        tubes: (0..6).map(|n| format!("T{n}")).collect(),
    })];
    let refusals = lay_out(&template, &plan, &deeper).unwrap_err();
    assert!(matches!(refusals[..], [LayoutRefusal::PoolTooDeep { depth: 6, .. }]), "{refusals:?}");
}
