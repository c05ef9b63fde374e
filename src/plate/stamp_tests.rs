use super::*;
use crate::plate::{Channel, Content, Control, ControlRule, Expectation, PlacedTube};
use crate::plate::{Reaction, TargetRole, Template, Transform, lay_out};

fn well(text: &str) -> WellPosition {
    text.parse().unwrap()
}

fn plan() -> Plan {
    let channel = |dye: &str, role| Channel { dye: dye.to_owned(), role };
    let rule = |control, expectation| ControlRule {
        control,
        required: true,
        pathogen: expectation,
        internal_control: expectation,
    };
    Plan {
        laboratory_pools: 0,
        pipetting: None,
        kit: "test 1".to_owned(),
        reactions: vec![Reaction {
            code: "mix".to_owned(),
            channels: vec![
                channel("FAM", TargetRole::Pathogen),
                channel("CY5", TargetRole::InternalControl),
            ],
        }],
        controls: vec![
            rule(Control::Positive, Expectation::Amplify),
            rule(Control::Negative, Expectation::Silent),
        ],
        validated_depth: 10,
        field_pools: true,
    }
}

/// A full plate of tubes `<name>-0` to `<name>-93`.
fn source(template: &str, number: u64, name: &str) -> Layout {
    let template = Template::find(template).unwrap().for_plate(number);
    let tubes: Vec<_> =
        (0..94).map(|n| PlacedTube { code: format!("{name}-{n}"), depth: 10 }).collect();
    lay_out(&template, &plan(), &tubes).unwrap()
}

fn sources(template: &str) -> [Layout; 4] {
    [0, 1, 2, 3].map(|n| source(template, n, &format!("Q{}", n + 1)))
}

#[test]
fn wells_go_where_the_published_order_puts_them() {
    // Sanger's `quadrant_stamp_base` and pylabrobot (`domain.md` D): H12 of Q1 lands in O23, that of
    // Q4 in P24 in both orders; the middle two differ.
    let h12 = |order: StampOrder| [0, 1, 2, 3].map(|q| order.well(q, well("H12")).unwrap());
    assert_eq!(h12(StampOrder::Z), ["O23", "O24", "P23", "P24"].map(well));
    assert_eq!(h12(StampOrder::N), ["O23", "P23", "O24", "P24"].map(well));
    assert_eq!(StampOrder::Z.well(1, well("C5")), Some(well("E10")));
    assert_eq!(StampOrder::N.well(1, well("C5")), Some(well("F9")));
    assert_eq!(StampOrder::Z.well(0, well("A13")), None);
}

#[test]
fn every_well_of_four_sources_has_a_well_of_its_own() {
    for order in [StampOrder::Z, StampOrder::N] {
        let sources = sources("one-well-94-moving-columns");
        let layout = stamped(order, &sources.each_ref().map(Some), &plan()).unwrap();
        assert_eq!((layout.wells().len(), layout.tubes().len()), (384, 376));
        for (quadrant, source) in sources.iter().enumerate() {
            for (at, content) in source.wells() {
                assert_eq!(layout.content(order.well(quadrant, *at).unwrap()), content);
            }
        }
    }
}

#[test]
fn a_quadrant_may_stay_empty() {
    let sources = sources("one-well-94-moving-rows");
    let layout = [Some(&sources[0]), None, Some(&sources[2]), None];
    let layout = stamped(StampOrder::Z, &layout, &plan()).unwrap();
    assert_eq!(layout.wells().len(), 192);
    assert_eq!(layout.content(well("A2")), &Content::Nothing);
}

#[test]
fn four_plates_of_a_fixed_template_could_be_exchanged_unseen_and_are_refused() {
    let sources = sources("one-well-94-columns");
    let reasons = stamped(StampOrder::Z, &sources.each_ref().map(Some), &plan()).unwrap_err();
    let exchanges = &Transform::STAMPING[..6];
    let expected = exchanges.iter().map(|t| LayoutRefusal::Unnoticed { transform: *t });
    assert_eq!(reasons, expected.collect::<Vec<_>>());
    let two = [Some(&sources[0]), None, None, Some(&sources[3])];
    assert_eq!(
        stamped(StampOrder::Z, &two, &plan()).unwrap_err(),
        [LayoutRefusal::Unnoticed { transform: Transform::ExchangedA1B2 }]
    );
    let one = [Some(&sources[0]), None, None, None];
    assert!(stamped(StampOrder::Z, &one, &plan()).is_ok());
}

/// Whichever four plates of a batch are stamped in whatever order, the controls show every fault.
#[test]
fn any_four_moving_plates_can_be_stamped_together() {
    let template = Template::find("one-well-94-moving-columns").unwrap();
    let cycle = template.cycle() as u64;
    let plates: Vec<_> = (0..cycle).map(|n| source(template.name(), n, &n.to_string())).collect();
    for first in 0..23 {
        for (a, b, c) in [(1, 2, 3), (5, 9, 17), (22, 1, 11), (3, 2, 1), (7, 8, 20), (12, 6, 4)] {
            let chosen = [first, first + a, first + b, first + c];
            let chosen = chosen.map(|n| Some(&plates[n % plates.len()]));
            assert!(stamped(StampOrder::N, &chosen, &plan()).is_ok(), "{first} {a} {b} {c}");
        }
    }
}

fn found(number: u64) -> Source {
    Source {
        code: PlateCode::numbered(number).unwrap(),
        laboratory_code: "L01".to_owned(),
        kit_code: "kit".to_owned(),
        kit_version: "1".to_owned(),
        size: 96,
        state: "frozen".to_owned(),
        run: None,
        stamped_onto: None,
    }
}

#[test]
fn frozen_plates_of_the_kit_without_a_run_are_stamped_and_every_other_is_refused_by_name() {
    let code = |n| PlateCode::numbered(n);
    let stamp = |quadrants| Stamp { order: StampOrder::Z, quadrants };
    let against = |stamp: &Stamp, found: &[Source]| -> Vec<_> {
        let reasons = against_sources(stamp, found, "L01", ("kit", "1")).into_iter();
        reasons.map(|reason| (reason.code.into_owned(), reason.about)).collect()
    };
    let sound = stamp([code(1), None, code(2), None]);
    assert_eq!(against(&sound, &[found(1), found(2)]), []);
    let (onto, run) = (code(9), Some("R1".to_owned()));
    let cases = [
        ("plate.source_elsewhere", Source { laboratory_code: "L02".to_owned(), ..found(1) }),
        ("plate.source_size", Source { size: 384, ..found(1) }),
        ("plate.source_kit", Source { kit_version: "2".to_owned(), ..found(1) }),
        ("plate.source_draft", Source { state: "draft".to_owned(), ..found(1) }),
        ("plate.source_closed", Source { state: "closed".to_owned(), ..found(1) }),
        ("plate.source_run", Source { run, ..found(1) }),
        (
            "plate.source_stamped",
            Source { stamped_onto: onto, state: "closed".to_owned(), ..found(1) },
        ),
    ];
    for (expected, source) in cases {
        let about = source.code.to_string();
        assert_eq!(against(&sound, &[source, found(2)]), [(expected.to_owned(), about)]);
    }
    let mut worse = found(1);
    (worse.size, worse.state) = (384, "draft".to_owned());
    let all = stamp([code(1), code(1), code(3), None]);
    let codes: Vec<_> = against(&all, &[worse]).into_iter().map(|(code, _)| code).collect();
    let expected =
        ["plate.source_size", "plate.source_draft", "plate.source_twice", "plate.source_unknown"];
    assert_eq!(codes, expected);
}
