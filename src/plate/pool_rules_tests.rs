use super::*;
use crate::barcode::PoolCode;
use crate::clock::Time;
use crate::plate::{Layout, PlateSize, Reaction};
use crate::pooling::Mixed;

fn codes(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn pool(code: &str, tubes: &[&str]) -> Content {
    pool_in(code, tubes, "mix")
}

fn pool_in(code: &str, tubes: &[&str], reaction: &str) -> Content {
    Content::Pool { pool: code.to_owned(), tubes: codes(tubes), reaction: reaction.to_owned() }
}

fn tube(code: &str) -> Content {
    Content::Tube { tube: code.to_owned(), depth: 1, reaction: "mix".to_owned() }
}

/// The reasons against a plate with these contents in its first wells.
fn refused(contents: Vec<Content>) -> Vec<LayoutRefusal> {
    let wells = (0..).zip(contents).map(|(index, content)| {
        (WellPosition::from_index(index, PlateSize::P96).unwrap(), content)
    });
    Layout::explicit(PlateSize::P96, wells.collect()).err().unwrap_or_default()
}

#[test]
fn pools_beside_tubes_are_sound_and_know_what_is_in_them() {
    let contents = vec![pool("M1", &["T1", "T2"]), tube("T3"), pool("M2", &["T4", "T5", "T6"])];
    assert_eq!(refused(contents.clone()), []);
    assert_eq!(contents.iter().map(Content::depth).collect::<Vec<_>>(), [2, 1, 3]);
    assert_eq!((contents[0].pool(), contents[0].tube()), (Some("M1"), None));
    assert_eq!(contents[2].tubes(), codes(&["T4", "T5", "T6"]));
}

#[test]
fn a_pool_takes_one_well_a_reaction_and_the_same_tubes_in_each() {
    let twice = LayoutRefusal::PoolTwice { pool: "M1".to_owned(), reaction: "mix".to_owned() };
    let both = vec![pool("M1", &["T1", "T2"]), pool("M1", &["T1", "T2"])];
    assert_eq!(refused(both), [twice]);
    let differs = LayoutRefusal::PoolDiffers { pool: "M1".to_owned() };
    let other = vec![pool("M1", &["T1", "T2"]), pool_in("M1", &["T1", "T3"], "N2")];
    assert_eq!(refused(other), [differs]);
    assert_eq!(refused(vec![pool("M1", &["T1", "T2"]), pool_in("M1", &["T1", "T2"], "N2")]), []);
}

#[test]
fn a_tube_stands_in_one_pool_and_not_alone_beside_it() {
    let twice = || LayoutRefusal::TubeTwice { tube: "T1".to_owned(), reaction: "mix".to_owned() };
    assert_eq!(refused(vec![pool("M1", &["T1", "T2"]), pool("M2", &["T1", "T3"])]), [twice()]);
    assert_eq!(refused(vec![tube("T1"), pool("M1", &["T1", "T2"])]), [twice()]);
    assert_eq!(refused(vec![pool("M1", &["T1", "T1"])]), [twice()]);
}

#[test]
fn a_pool_has_a_code_and_two_tubes_that_have_one() {
    let at = "A1".parse().unwrap();
    assert_eq!(
        refused(vec![pool(" ", &["T1", "T2"])]),
        [LayoutRefusal::PoolWithoutCode { well: at }]
    );
    assert_eq!(
        refused(vec![pool("M1", &["T1", ""])]),
        [LayoutRefusal::TubeWithoutCode { well: at }]
    );
    let small = || LayoutRefusal::PoolTooSmall { pool: "M1".to_owned() };
    assert_eq!(refused(vec![pool("M1", &["T1"])]), [small()]);
    assert_eq!(refused(vec![pool("M1", &[])]), [small()]);
}

fn plan(laboratory_pools: u16, validated_depth: u16) -> Plan {
    Plan {
        kit: "kit 1".to_owned(),
        reactions: vec![Reaction { code: "mix".to_owned(), channels: Vec::new() }],
        controls: Vec::new(),
        validated_depth,
        field_pools: true,
        laboratory_pools,
        pipetting: None,
    }
}

#[test]
fn a_pool_is_as_deep_as_the_kit_is_validated_for_and_no_deeper() {
    let tubes = codes(&["T1", "T2", "T3"]);
    let deep = |laboratory_pools, validated_depth| {
        depth_refusals([("M1", &*tubes)], &plan(laboratory_pools, validated_depth))
    };
    assert_eq!(deep(3, 10), []);
    for (pools, depth, validated) in [(2, 10, 2), (5, 2, 2), (0, 10, 0)] {
        let pool = "M1".to_owned();
        let refusal = LayoutRefusal::PoolTooDeep { pool, depth: 3, validated };
        assert_eq!(deep(pools, depth), [refusal]);
    }
}

fn stored(state: PoolState) -> StoredPool {
    StoredPool {
        code: PoolCode::numbered(1).unwrap(),
        mixed: Mixed {
            laboratory: "L01".to_owned(),
            kit: ("kit".to_owned(), "1".to_owned()),
            tubes: codes(&["T1", "T2"]),
        },
        state,
        since: Time::from_us(1),
        outcome: None,
        made: Time::from_us(1),
    }
}

#[test]
fn an_open_pool_of_this_laboratory_and_kit_goes_on_a_plate_and_no_other() {
    let here = ("L01", ("kit", "1"));
    let open = stored(PoolState::Open);
    let code = [open.code.to_string()];
    assert_eq!(against_making(&code, std::slice::from_ref(&open), here), []);
    let kinds = |found: &[StoredPool], at| {
        let reasons = against_making(&code, found, at).into_iter();
        reasons.map(|reason| reason.code.into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&[], here), ["plate.pool_unknown"]);
    assert_eq!(kinds(&[open], ("L02", ("kit", "2"))), ["plate.pool_elsewhere", "plate.pool_kit"]);
    for state in [PoolState::Plated, PoolState::Called, PoolState::Dissolved] {
        assert_eq!(kinds(&[stored(state)], here), ["plate.pool_state"]);
        assert_eq!(against_freezing(&[stored(state)])[0].code, "plate.pool_taken");
    }
    assert_eq!(against_freezing(&[stored(PoolState::Open)]), []);
}

#[test]
fn a_tube_of_a_pool_stands_alone_nowhere_while_the_pool_lives() {
    let live = BTreeMap::from([("T1".to_owned(), "M1".to_owned())]);
    assert_eq!(against_alone(&live, &BTreeSet::from(["M1"])), []);
    let reasons = against_alone(&live, &BTreeSet::from(["M2"]));
    assert_eq!((&*reasons[0].code, &*reasons[0].about), ("plate.tube_pooled", "T1"));
}
