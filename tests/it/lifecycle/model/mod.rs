//! The city as it should be: every tube, box, plate, recall and told result in memory, and what
//! each step must be answered with.

mod desk;
mod laboratory;
mod street;

use std::collections::{BTreeMap, BTreeSet};

use swabline::collection::TubeState;

use super::steps::{Act, Hand, Laboratory, POOLS, Signal, Step, TUBES};

/// What a step must be answered with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub status: u16,
    /// The code of the problem; empty where several are right.
    pub code: &'static str,
    /// Tubes that lists in the answer must name, by the list's path.
    pub lists: Vec<(&'static str, BTreeSet<u64>)>,
}

fn answer(status: u16) -> Expected {
    Expected { status, ..Expected::default() }
}

fn refusal(status: u16, code: &'static str) -> Expected {
    Expected { status, code, lists: Vec::new() }
}

/// Everything, at one moment.
#[derive(Clone, Debug, Default)]
pub struct City {
    pub minute: i64,
    pub tubes: BTreeMap<u64, Tube>,
    pub boxes: BTreeMap<u64, Crate>,
    pub pools: BTreeMap<u64, Pool>,
    pub plates: BTreeMap<u64, Plate>,
    pub recalls: Vec<Recall>,
    pub told: BTreeMap<u64, Told>,
    pub by_rule: bool,
    /// What the last step must be answered with.
    pub expected: Expected,
}

#[derive(Clone, Debug)]
pub struct Tube {
    pub people: Vec<u64>,
    /// The minute it was sent; its swabs were taken ten minutes before.
    pub at: i64,
    pub state: TubeState,
    pub boxed: bool,
    pub laboratory: Option<Laboratory>,
    pub attempt: i64,
    /// How many of those runs were of a laboratory pool.
    pub pooled: i64,
    /// Whether an earlier run showed one target alone.
    pub single_target: bool,
    /// The versions of its result.
    pub results: Vec<&'static str>,
    /// The minute the newest of them was told.
    pub told: i64,
    /// Who proposed to amend the newest version to what.
    pub proposal: Option<(usize, &'static str)>,
    /// Who confirmed each amendment, in their order.
    pub confirmed: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct Crate {
    pub tubes: BTreeSet<u64>,
    pub at: i64,
    pub holder: Hand,
    pub arrived: bool,
    /// Where it arrived.
    pub laboratory: Option<Laboratory>,
    pub steps: Vec<Handover>,
}

#[derive(Clone, Debug)]
pub struct Handover {
    pub to: Hand,
    pub taken: bool,
    /// The holder named somebody else instead.
    pub withdrawn: bool,
}

impl Crate {
    /// Whether it arrived at a laboratory this hand does not work in.
    fn is_closed_to(&self, hand: Hand) -> bool {
        let own = match hand {
            Hand::Receiver => Some(Laboratory::First),
            Hand::SecondReceiver => Some(Laboratory::Second),
            _ => None,
        };
        own.is_some() && self.laboratory.is_some() && own != self.laboratory
    }

    /// The number of the step that waits for its second signature.
    pub fn open_step(&self) -> Option<i64> {
        let last = self.steps.last().filter(|step| !step.taken && !self.arrived);
        last.map(|_| i64::try_from(self.steps.len()).unwrap())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolState {
    Open,
    Plated,
    Called,
    Dissolved,
}

#[derive(Clone, Debug)]
pub struct Pool {
    /// In order.
    pub tubes: Vec<u64>,
    pub state: PoolState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlateState {
    Draft,
    Frozen,
    Closed,
}

#[derive(Clone, Debug)]
pub struct Plate {
    /// Alone, in order of their wells.
    pub tubes: Vec<u64>,
    /// After them.
    pub pools: Vec<u64>,
    pub state: PlateState,
    pub run: Option<Run>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Draft,
    Reviewed,
    Released,
    Void,
}

/// Whose file, of which tubes and pools, with what in them; pools are numbered after the tubes.
type File = (u64, Vec<(u64, Signal)>, bool);

#[derive(Clone, Debug)]
pub struct Run {
    file: File,
    pub state: RunState,
    pub usable: bool,
    pub calls: BTreeMap<u64, Call>,
    pub reviewer: Option<usize>,
    voider: Option<usize>,
    releaser: Option<usize>,
}

impl Run {
    /// What was said of each tube number, to be sent again, and whether the controls failed.
    pub fn sent(&self) -> (Vec<Signal>, bool) {
        let mut signals = vec![Signal::Negative; usize::try_from(TUBES + POOLS).unwrap()];
        for (tube, signal) in &self.file.1 {
            signals[usize::try_from(*tube).unwrap()] = *signal;
        }
        (signals, self.file.2)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Report,
    Retest,
    Recall,
}

#[derive(Clone, Copy, Debug)]
pub struct Call {
    outcome: &'static str,
    /// The pool it was read through.
    pool: Option<u64>,
    fate: Fate,
    single_target: bool,
    clean: bool,
    waits: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recall {
    pub person: u64,
    pub origin: u64,
    pub reason: &'static str,
    pub opened: i64,
    pub state: &'static str,
    pub answer: Option<u64>,
    pub outcome: Option<&'static str>,
}

/// The last result a person was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub tube: u64,
    pub outcome: &'static str,
    collected: (i64, u64),
}

impl City {
    /// The city after one step.
    pub fn after(mut self, act: &Act) -> Self {
        self.minute += act.minutes;
        self.expected = match &act.step {
            Step::Seal { tube, people } => self.seal(*tube, people),
            Step::SealAgain { tube } => {
                answer(if self.tubes.contains_key(tube) { 200 } else { 404 })
            }
            Step::Pack { number, tubes } => self.pack(*number, tubes),
            Step::Offer { number, from, to } => self.offer(*number, *from, *to),
            Step::Accept { number, step, by } => self.accept(*number, *step, *by),
            Step::Arrive { number, laboratory, scanned } => {
                self.arrive(*number, *laboratory, scanned)
            }
            Step::WriteOff { tube } => self.write_off(*tube),
            Step::Mix { pool, tubes } => self.mix(*pool, tubes),
            Step::Dissolve { pool } => self.dissolve(*pool),
            Step::Plate { plate, tubes, pools } => self.plate(*plate, tubes, pools),
            Step::Freeze { plate } => self.freeze(*plate),
            Step::Upload { plate, of, signals, controls_fail } => {
                self.upload(*plate, *of, (signals, *controls_fail))
            }
            Step::Review { plate, by, accept: true } => self.review(*plate, *by),
            Step::Review { plate, by, accept: false } => self.void(*plate, *by),
            Step::Release { plate, by } => self.release(*plate, *by),
            Step::Switch { on } => {
                self.by_rule = *on;
                answer(200)
            }
            Step::Amend { tube, version, by, outcome } => {
                self.amend(*tube, *version, (*by, outcome))
            }
            Step::Move { tube, to } => {
                let moves = |from: TubeState| from == *to || from.may_become(*to);
                let legal = self.tubes.get(tube).is_none_or(|tube| moves(tube.state));
                answer(if legal { 200 } else { 409 })
            }
        };
        self
    }

    pub fn tubes_in(&self, state: TubeState) -> Vec<u64> {
        self.tubes
            .iter()
            .filter(|(_, tube)| tube.state == state)
            .map(|(number, _)| *number)
            .collect()
    }

    /// People who are asked to come again and did not yet.
    pub fn to_come(&self) -> Vec<u64> {
        let open = self.recalls.iter().filter(|recall| recall.state == "open");
        open.map(|recall| recall.person).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether a tube can go on a plate of the first laboratory.
    pub fn is_ready(&self, tube: u64) -> bool {
        self.tubes.get(&tube).is_some_and(|tube| {
            tube.state == TubeState::Received && tube.laboratory == Some(Laboratory::First)
        })
    }

    /// Whether a pool that is neither called nor dissolved has it.
    pub fn is_pooled(&self, tube: u64) -> bool {
        self.live_pool(tube).is_some()
    }

    fn live_pool(&self, tube: u64) -> Option<u64> {
        let live = |pool: &Pool| matches!(pool.state, PoolState::Open | PoolState::Plated);
        let found = self.pools.iter().find(|(_, pool)| live(pool) && pool.tubes.contains(&tube));
        found.map(|(number, _)| *number)
    }

    /// Pools that wait for a plate.
    pub fn open_pools(&self) -> Vec<u64> {
        let open = self.pools.iter().filter(|(_, pool)| pool.state == PoolState::Open);
        open.map(|(number, _)| *number).collect()
    }

    /// Whether a tube that is there can be mixed, wherever it is: single, never sent back, of
    /// nobody who waits to be tested again.
    pub fn may_be_mixed(&self, number: u64) -> bool {
        let tube = &self.tubes[&number];
        let is_answer = |recall: &Recall| {
            recall.state != "closed"
                && tube.people == [recall.person]
                && tube.at - 1 > recall.opened
                && number != recall.origin
        };
        tube.people.len() == 1 && tube.attempt == 0 && !self.recalls.iter().any(is_answer)
    }

    /// Progress, outcome and earlier outcome a person is shown; none when never swabbed.
    pub fn shown(
        &self,
        person: u64,
    ) -> Option<(&'static str, Option<&'static str>, Option<&'static str>)> {
        let swabs = self.tubes.iter().filter(|(_, tube)| tube.people.contains(&person));
        let (newest, tube) = swabs.max_by_key(|(number, tube)| (tube.at, **number))?;
        let is_recalled =
            self.recalls.iter().any(|recall| recall.person == person && recall.state != "closed");
        let told = self.told.get(&person);
        let earlier = told.filter(|told| told.tube != *newest).map(|told| told.outcome);
        let positive = told.is_some_and(|told| told.outcome == "detected");
        Some(match tube.state {
            TubeState::Refused | TubeState::Closed | TubeState::Released if positive => {
                ("released", Some("detected"), None)
            }
            _ if is_recalled && positive => ("released", Some("detected"), None),
            _ if is_recalled => ("under_verification", None, None),
            TubeState::Refused | TubeState::Closed => ("under_verification", None, None),
            TubeState::Sealed | TubeState::Packed | TubeState::Missing => {
                ("sampled", None, earlier)
            }
            TubeState::Received | TubeState::Plated => ("received", None, earlier),
            TubeState::Released => {
                let told = told.filter(|told| told.tube == *newest);
                ("released", Some(told.expect("the newest swab's result is told").outcome), None)
            }
        })
    }
}
