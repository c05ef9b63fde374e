//! What people in the small city may do next: mostly what is sensible, sometimes anything at all.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::Union;
use swabline::collection::TubeState;

use super::model::{City, PlateState, Run, RunState};

/// Tube numbers in play.
pub const TUBES: u64 = 8;
/// Box numbers in play.
pub const BOXES: u64 = 4;
/// Plate numbers in play.
pub const PLATES: u64 = 5;
/// Pool numbers in play.
pub const POOLS: u64 = 4;
/// People who are swabbed, again and again.
pub const PEOPLE: u64 = 6;

/// One step after some minutes.
#[derive(Clone, Debug)]
pub struct Act {
    pub minutes: i64,
    pub step: Step,
}

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    Seal { tube: u64, people: Vec<u64> },
    SealAgain { tube: u64 },
    Pack { number: u64, tubes: BTreeSet<u64> },
    Offer { number: u64, from: Hand, to: Hand },
    Accept { number: u64, step: i64, by: Hand },
    Arrive { number: u64, laboratory: Laboratory, scanned: BTreeMap<u64, Seen> },
    WriteOff { tube: u64 },
    Mix { pool: u64, tubes: Vec<u64> },
    Dissolve { pool: u64 },
    Plate { plate: u64, tubes: Vec<u64>, pools: Vec<u64> },
    Freeze { plate: u64 },
    Upload { plate: u64, of: u64, signals: Vec<Signal>, controls_fail: bool },
    Review { plate: u64, by: usize, accept: bool },
    Release { plate: u64, by: usize },
    Switch { on: bool },
    Amend { tube: u64, version: i64, by: usize, outcome: &'static str },
    Move { tube: u64, to: TubeState },
}

/// Who has a box in their hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    Sampler,
    Courier,
    Receiver,
    SecondReceiver,
    Technician,
}

/// Where a box is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Laboratory {
    First,
    Second,
}

/// What a receiver sees of a tube.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Sound,
    Counted,
    Leaking,
    SwabTooMany,
}

/// What a cycler reads of a tube.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Negative,
    Positive,
    SingleTarget,
    Grey,
    Silent,
}

const SEEN: [Seen; 4] = [Seen::Sound, Seen::Counted, Seen::Leaking, Seen::SwabTooMany];
const HANDS: [Hand; 5] =
    [Hand::Sampler, Hand::Courier, Hand::Receiver, Hand::SecondReceiver, Hand::Technician];
const OUTCOMES: [&str; 3] = ["detected", "not_detected", "withdrawn"];

impl Step {
    /// Whether it may tell people a result.
    fn tells(&self) -> bool {
        matches!(self, Self::Review { .. } | Self::Release { .. } | Self::Amend { .. })
    }
}

/// The next step of a city that stands like this.
pub fn acts(city: &City) -> BoxedStrategy<Act> {
    let step = prop_oneof![6 => Union::new_weighted(sensible(city)), 1 => anything()];
    let minutes = select(vec![0, 0, 1, 1, 5]);
    // No two releases are told in one moment: which came first would not be known.
    let apart = |step: &Step, minutes: i64| if step.tells() { minutes.max(1) } else { minutes };
    (minutes, step).prop_map(move |(m, step)| Act { minutes: apart(&step, m), step }).boxed()
}

fn sensible(city: &City) -> Vec<(u32, BoxedStrategy<Step>)> {
    let mut steps = on_the_street(city);
    steps.extend(in_the_laboratory(city));
    steps.extend(at_the_desk(city));
    steps.push((1, any::<bool>().prop_map(|on| Step::Switch { on }).boxed()));
    steps
}

fn people() -> BoxedStrategy<Vec<u64>> {
    let pool = subsequence((0..PEOPLE).collect::<Vec<_>>(), 2..=4);
    prop_oneof![3 => (0..PEOPLE).prop_map(|person| vec![person]), 2 => pool].boxed()
}

fn some_of(from: Vec<u64>) -> BoxedStrategy<Vec<u64>> {
    let most = from.len();
    subsequence(from, 1..=most).boxed()
}

fn on_the_street(city: &City) -> Vec<(u32, BoxedStrategy<Step>)> {
    let mut steps = Vec::new();
    if let Some(tube) = (0..TUBES).find(|tube| !city.tubes.contains_key(tube)) {
        steps.push((4, people().prop_map(move |people| Step::Seal { tube, people }).boxed()));
        let recalled = city.to_come();
        if !recalled.is_empty() {
            let one = select(recalled).prop_map(move |one| Step::Seal { tube, people: vec![one] });
            steps.push((12, one.boxed()));
        }
    }
    let sealed = city.tubes_in(TubeState::Sealed);
    let free = (0..BOXES).find(|number| !city.boxes.contains_key(number));
    if let Some(number) = free.filter(|_| !sealed.is_empty()) {
        let tubes = some_of(sealed);
        let pack =
            tubes.prop_map(move |tubes| Step::Pack { number, tubes: tubes.into_iter().collect() });
        steps.push((6, pack.boxed()));
    }
    for (&number, one) in &city.boxes {
        if let Some(step) = one.open_step() {
            let by = one.steps.last().map_or(Hand::Courier, |step| step.to);
            steps.push((10, Just(Step::Accept { number, step, by }).boxed()));
        } else if !one.arrived {
            let to = select(vec![Hand::Courier, Hand::Receiver]);
            let from = one.holder;
            steps.push((3, to.prop_map(move |to| Step::Offer { number, from, to }).boxed()));
        }
        let lost = one.tubes.iter().copied();
        let lost: Vec<_> =
            lost.filter(|tube| city.tubes[tube].state == TubeState::Missing).collect();
        if !one.arrived {
            steps.push((10, arrival(number, one.tubes.iter().copied().collect())));
        } else if !lost.is_empty() {
            steps.push((2, arrival(number, lost)));
        }
    }
    for state in [TubeState::Sealed, TubeState::Packed] {
        let lost = city.tubes_in(state);
        if !lost.is_empty() {
            steps.push((1, select(lost).prop_map(|tube| Step::WriteOff { tube }).boxed()));
        }
    }
    let missing = city.tubes_in(TubeState::Missing);
    if !missing.is_empty() {
        let write_off = select(missing).prop_map(|tube| Step::WriteOff { tube });
        steps.push((3, write_off.boxed()));
    }
    steps
}

fn arrival(number: u64, tubes: Vec<u64>) -> BoxedStrategy<Step> {
    let seen = prop_oneof![
        12 => Just(Some(Seen::Sound)),
        2 => Just(Some(Seen::Counted)),
        1 => Just(Some(Seen::Leaking)),
        1 => Just(Some(Seen::SwabTooMany)),
        2 => Just(None),
    ];
    let laboratory = prop_oneof![9 => Just(Laboratory::First), 1 => Just(Laboratory::Second)];
    (laboratory, vec(seen, tubes.len()))
        .prop_map(move |(laboratory, seen)| {
            let scanned = tubes.iter().copied().zip(seen);
            let scanned = scanned.filter_map(|(tube, seen)| Some((tube, seen?))).collect();
            Step::Arrive { number, laboratory, scanned }
        })
        .boxed()
}

fn in_the_laboratory(city: &City) -> Vec<(u32, BoxedStrategy<Step>)> {
    let mut steps = Vec::new();
    let ready: Vec<_> =
        (0..TUBES).filter(|tube| city.is_ready(*tube) && !city.is_pooled(*tube)).collect();
    let singles: Vec<_> = ready.iter().copied().filter(|tube| city.may_be_mixed(*tube)).collect();
    let open = city.open_pools();
    let unmade = (0..POOLS).find(|pool| !city.pools.contains_key(pool));
    if let Some(pool) = unmade.filter(|_| singles.len() > 1) {
        let (most, tubes) = (singles.len().min(5), singles);
        let tubes = subsequence(tubes, 2..=most).prop_shuffle();
        steps.push((40, tubes.prop_map(move |tubes| Step::Mix { pool, tubes }).boxed()));
    }
    if !open.is_empty() {
        let dissolve = select(open.clone()).prop_map(|pool| Step::Dissolve { pool });
        steps.push((3, dissolve.boxed()));
    }
    let free = (0..PLATES).find(|plate| !city.plates.contains_key(plate));
    if let Some(plate) = free.filter(|_| !ready.is_empty() || !open.is_empty()) {
        let least = usize::from(open.is_empty());
        let tubes = subsequence(ready.clone(), least..=ready.len()).prop_shuffle();
        let pools = subsequence(open.clone(), usize::from(ready.is_empty())..=open.len());
        let both =
            (tubes, pools).prop_map(move |(tubes, pools)| Step::Plate { plate, tubes, pools });
        steps.push((12, both.boxed()));
    }
    for (&plate, one) in &city.plates {
        match (one.state, &one.run) {
            (PlateState::Draft, _) => steps.push((20, Just(Step::Freeze { plate }).boxed())),
            (PlateState::Frozen, None) => steps.push((20, upload(Just(plate), Just(plate)))),
            _ => {}
        }
        let (tubes, pools) = (one.tubes.clone(), one.pools.clone());
        steps.push((1, Just(Step::Plate { plate, tubes, pools }).boxed()));
        if let Some((signals, controls_fail)) = one.run.as_ref().map(Run::sent) {
            let again = Step::Upload { plate, of: plate, signals, controls_fail };
            steps.push((1, Just(again).boxed()));
        }
    }
    steps
}

fn upload(
    plate: impl Strategy<Value = u64> + 'static,
    of: impl Strategy<Value = u64> + 'static,
) -> BoxedStrategy<Step> {
    let signal = |negative| {
        prop_oneof![
            negative => Just(Signal::Negative),
            3 => Just(Signal::Positive),
            2 => Just(Signal::SingleTarget),
            1 => Just(Signal::Grey),
            1 => Just(Signal::Silent),
        ]
    };
    // Pools are positive more often, so that more of them are taken apart.
    let some = |count: u64, negative| vec(signal(negative), usize::try_from(count).unwrap());
    let signals =
        (some(TUBES, 6), some(POOLS, 3)).prop_map(|(tubes, pools)| [tubes, pools].concat());
    (plate, of, signals, prop::bool::weighted(0.1))
        .prop_map(|(plate, of, signals, controls_fail)| Step::Upload {
            plate,
            of,
            signals,
            controls_fail,
        })
        .boxed()
}

fn at_the_desk(city: &City) -> Vec<(u32, BoxedStrategy<Step>)> {
    let mut steps = Vec::new();
    for (&plate, one) in &city.plates {
        let Some(run) = &one.run else { continue };
        match run.state {
            RunState::Draft => {
                let accept = prop::bool::weighted(if run.usable { 0.9 } else { 0.2 });
                let review = (0..2_usize, accept).prop_map(move |(by, accept)| Step::Review {
                    plate,
                    by,
                    accept,
                });
                steps.push((20, review.boxed()));
            }
            RunState::Reviewed => {
                let by = 1 - run.reviewer.unwrap_or(0);
                steps.push((20, Just(Step::Release { plate, by }).boxed()));
            }
            RunState::Released | RunState::Void => {}
        }
    }
    for (&tube, one) in &city.tubes {
        let Some(version) = i64::try_from(one.results.len()).ok().filter(|n| *n > 0) else {
            continue;
        };
        let amend = match one.proposal {
            Some((by, outcome)) => Just(Step::Amend { tube, version, by: 1 - by, outcome }).boxed(),
            None => (0..2_usize, select(OUTCOMES.to_vec()))
                .prop_map(move |(by, outcome)| Step::Amend { tube, version, by, outcome })
                .boxed(),
        };
        let weight = if one.proposal.is_some() { 5 } else { 1 };
        steps.push((weight, amend));
    }
    steps
}

/// Whatever anybody may think of.
fn anything() -> BoxedStrategy<Step> {
    let (tube, number, plate) = (0..TUBES, 0..BOXES, 0..PLATES);
    let hand = || select(HANDS.to_vec());
    let laboratory = select(vec![Laboratory::First, Laboratory::Second]);
    let scanned = prop::collection::btree_map(0..TUBES, select(SEEN.to_vec()), 0..4);
    let states = select(TubeState::ALL.to_vec());
    prop_oneof![
        (tube.clone(), vec(0..PEOPLE, 1..4)).prop_map(|(tube, people)| Step::Seal { tube, people }),
        tube.clone().prop_map(|tube| Step::SealAgain { tube }),
        (number.clone(), prop::collection::btree_set(0..TUBES, 0..4))
            .prop_map(|(number, tubes)| Step::Pack { number, tubes }),
        (number.clone(), hand(), hand()).prop_map(|(number, from, to)| Step::Offer {
            number,
            from,
            to
        }),
        (number.clone(), 0..4_i64, hand()).prop_map(|(number, step, by)| Step::Accept {
            number,
            step,
            by
        }),
        (number, laboratory, scanned).prop_map(|(number, laboratory, scanned)| Step::Arrive {
            number,
            laboratory,
            scanned
        }),
        tube.clone().prop_map(|tube| Step::WriteOff { tube }),
        (plate.clone(), vec(0..TUBES, 0..4), vec(0..POOLS, 0..2))
            .prop_map(|(plate, tubes, pools)| Step::Plate { plate, tubes, pools }),
        (0..POOLS, vec(0..TUBES, 0..4)).prop_map(|(pool, tubes)| Step::Mix { pool, tubes }),
        (0..POOLS).prop_map(|pool| Step::Dissolve { pool }),
        plate.clone().prop_map(|plate| Step::Freeze { plate }),
        upload(plate.clone(), plate.clone()),
        (plate.clone(), 0..2_usize, any::<bool>()).prop_map(|(plate, by, accept)| Step::Review {
            plate,
            by,
            accept
        }),
        (plate, 0..2_usize).prop_map(|(plate, by)| Step::Release { plate, by }),
        (tube.clone(), 1..4_i64, 0..2_usize, select(OUTCOMES.to_vec()))
            .prop_map(|(tube, version, by, outcome)| Step::Amend { tube, version, by, outcome }),
        (tube, states).prop_map(|(tube, to)| Step::Move { tube, to }),
    ]
    .boxed()
}
