use super::*;
use crate::barcode::{PoolCode, TubeCode};
use crate::clock::Time;

fn tube(number: u64) -> TubeRow {
    TubeRow {
        code: TubeCode::numbered(number).unwrap(),
        size: 1,
        members: 1,
        round_code: "R01".to_owned(),
        site_code: "S01".to_owned(),
        session_code: "W01".to_owned(),
        sealed: Time::from_us(1),
        recorded: Time::from_us(2),
        state: TubeState::Received,
        since: Time::from_us(3),
        laboratory_code: Some("L01".to_owned()),
        attempt: 0,
    }
}

fn limits(tubes: u16, depth: u16) -> Limits {
    Limits { kit: "kit 1".to_owned(), tubes, depth }
}

fn mixed(tubes: &[TubeRow]) -> Mixed {
    Mixed {
        laboratory: "L01".to_owned(),
        kit: ("kit".to_owned(), "1".to_owned()),
        tubes: tubes.iter().map(|tube| tube.code.to_string()).collect(),
    }
}

/// Codes of the reasons against mixing exactly these tubes with a kit for five.
fn refused(tubes: Vec<TubeRow>) -> Vec<(String, String)> {
    let wanted = mixed(&tubes);
    let known = Known { tubes, ..Known::default() };
    listed(&against_mixing("M1", &wanted, &known, &limits(5, 10)))
}

fn listed(reasons: &[Reason]) -> Vec<(String, String)> {
    reasons.iter().map(|reason| (reason.code.to_string(), reason.about.clone())).collect()
}

fn pair(kind: &str, about: &str) -> (String, String) {
    (kind.to_owned(), about.to_owned())
}

#[test]
fn single_tubes_received_here_are_mixed_up_to_what_the_kit_is_validated_for() {
    assert_eq!(refused((1..=5).map(tube).collect()), []);
    assert_eq!(refused((1..=2).map(tube).collect()), []);
    assert_eq!(refused((1..=6).map(tube).collect()), [pair("pool.too_many_tubes", "M1")]);
    assert_eq!(refused(vec![tube(1)]), [pair("pool.too_few_tubes", "M1")]);
}

#[test]
fn a_field_pool_is_never_pooled_again_however_few_are_in_it() {
    for members in [1, 3] {
        let field = TubeRow { size: 5, members, ..tube(2) };
        let code = field.code.to_string();
        assert_eq!(refused(vec![tube(1), field]), [pair("pool.field_pool", &code)]);
    }
}

#[test]
fn the_depth_of_all_tubes_together_is_one_number() {
    let tubes: Vec<_> = (1..=3).map(|n| TubeRow { size: 5, members: 4, ..tube(n) }).collect();
    let reasons = refused(tubes);
    assert_eq!(reasons.iter().filter(|(kind, _)| kind == "pool.field_pool").count(), 3);
    assert!(reasons.contains(&pair("pool.too_deep", "M1")), "{reasons:?}");
    // Never more than the kit is validated for in a well, whatever it says of pooling.
    let tubes: Vec<_> = (1..=3).map(tube).collect();
    let (wanted, known) = (mixed(&tubes), Known { tubes, ..Known::default() });
    let reasons = against_mixing("M1", &wanted, &known, &limits(5, 2));
    assert_eq!(listed(&reasons), [pair("pool.too_deep", "M1")]);
    assert_eq!(against_mixing("M1", &wanted, &known, &limits(5, 3)), []);
}

#[test]
fn a_kit_that_is_validated_for_field_pools_only_takes_no_laboratory_pool() {
    let tubes: Vec<_> = (1..=2).map(tube).collect();
    let (wanted, known) = (mixed(&tubes), Known { tubes, ..Known::default() });
    for none in [0, 1] {
        let reasons = against_mixing("M1", &wanted, &known, &limits(none, 10));
        assert_eq!(listed(&reasons), [pair("pool.kit", "M1")]);
    }
    assert_eq!(against_mixing("M1", &wanted, &known, &limits(2, 10)), []);
}

#[test]
fn every_reason_against_every_tube_is_named() {
    let tubes = vec![
        TubeRow { state: TubeState::Plated, ..tube(1) },
        TubeRow { laboratory_code: Some("L02".to_owned()), ..tube(2) },
        TubeRow { attempt: 1, ..tube(3) },
        tube(4),
        tube(5),
    ];
    let code = |n: usize| tubes[n].code.to_string();
    let mut wanted = mixed(&tubes);
    wanted.tubes.push("T9".to_owned());
    wanted.tubes.push(code(4));
    let expected = [
        pair("pool.too_many_tubes", "M1"),
        pair("pool.tube_twice", &code(4)),
        pair("pool.tube_state", &code(0)),
        pair("pool.tube_elsewhere", &code(1)),
        pair("pool.tube_retest", &code(2)),
        pair("pool.tube_pooled", &code(3)),
        pair("pool.recall", &code(4)),
        pair("pool.tube_unknown", "T9"),
        pair("pool.recall", &code(4)),
    ];
    let known = Known {
        pooled: BTreeMap::from([(code(3), "M7".to_owned())]),
        recalled: BTreeSet::from([code(4)]),
        tubes,
    };
    assert_eq!(listed(&against_mixing("M1", &wanted, &known, &limits(5, 10))), expected);
}

fn stored(state: PoolState) -> StoredPool {
    StoredPool {
        code: PoolCode::numbered(1).unwrap(),
        mixed: mixed(&[tube(1), tube(2)]),
        state,
        since: Time::from_us(1),
        outcome: None,
        made: Time::from_us(1),
    }
}

#[test]
fn what_is_mixed_stays_mixed_and_every_difference_is_named() {
    let pool = stored(PoolState::Open);
    assert_eq!(differences(&pool, &pool.mixed), []);
    let other = Mixed {
        laboratory: "L02".to_owned(),
        kit: ("other".to_owned(), "2".to_owned()),
        tubes: Vec::new(),
    };
    let fields: Vec<_> =
        differences(&pool, &other).into_iter().map(|reason| reason.about).collect();
    assert_eq!(fields, ["laboratory", "kit", "kit_version", "tubes"]);
}

#[test]
fn a_pool_is_dissolved_only_before_it_was_tested() {
    for state in PoolState::ALL {
        let is_free = matches!(state, PoolState::Open | PoolState::Dissolved);
        assert_eq!(against_dissolving(&stored(state)).is_empty(), is_free, "{state:?}");
    }
}

#[test]
fn a_called_or_dissolved_pool_goes_nowhere() {
    for next in PoolState::ALL {
        assert!(!PoolState::Called.may_become(next));
        assert!(!PoolState::Dissolved.may_become(next));
    }
}
