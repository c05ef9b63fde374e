//! The city as it should be: every tube, box, plate, recall and told result in memory, and what
//! each step must be answered with.

use std::collections::{BTreeMap, BTreeSet};

use swabline::collection::TubeState;

use super::steps::{Act, Hand, Laboratory, POOLS, Seen, Signal, Step, TUBES};

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

    fn seal(&mut self, number: u64, people: &[u64]) -> Expected {
        if people.iter().collect::<BTreeSet<_>>().len() < people.len() {
            return refusal(422, "tube.same_person");
        }
        if let Some(stored) = self.tubes.get(&number) {
            let is_same = stored.people == people && stored.at == self.minute;
            return answer(if is_same { 200 } else { 409 });
        }
        let tube = Tube {
            people: people.to_vec(),
            at: self.minute,
            state: TubeState::Sealed,
            boxed: false,
            laboratory: None,
            attempt: 0,
            pooled: 0,
            single_target: false,
            results: Vec::new(),
            told: 0,
            proposal: None,
        };
        self.tubes.insert(number, tube);
        answer(201)
    }

    fn pack(&mut self, number: u64, tubes: &BTreeSet<u64>) -> Expected {
        if tubes.is_empty() {
            return refusal(422, "box.tubes");
        }
        if let Some(stored) = self.boxes.get(&number) {
            let is_same = stored.tubes == *tubes && stored.at == self.minute;
            return if is_same { answer(200) } else { refusal(409, "box.differs") };
        }
        let packs = |tube: &Tube| tube.state == TubeState::Sealed && !tube.boxed;
        if !tubes.iter().all(|tube| self.tubes.get(tube).is_some_and(packs)) {
            return answer(409);
        }
        for tube in tubes {
            let tube = self.tubes.get_mut(tube).unwrap();
            (tube.state, tube.boxed) = (TubeState::Packed, true);
        }
        let (tubes, at, holder) = (tubes.clone(), self.minute, Hand::Sampler);
        let (arrived, laboratory, steps) = (false, None, Vec::new());
        self.boxes.insert(number, Crate { tubes, at, holder, arrived, laboratory, steps });
        answer(201)
    }

    fn offer(&mut self, number: u64, from: Hand, to: Hand) -> Expected {
        if from == Hand::Technician {
            return answer(403);
        }
        let Some(one) = self.boxes.get_mut(&number) else { return refusal(404, "box.not_found") };
        if one.is_closed_to(from) {
            return refusal(403, "auth.laboratory");
        }
        let takes = matches!(to, Hand::Courier | Hand::Receiver | Hand::SecondReceiver);
        if one.arrived || one.holder != from || to == from || !takes {
            return answer(409);
        }
        for step in one.steps.iter_mut().filter(|step| !step.taken) {
            step.withdrawn = true;
        }
        one.steps.push(Handover { to, taken: false, withdrawn: false });
        answer(201)
    }

    fn accept(&mut self, number: u64, step: i64, by: Hand) -> Expected {
        if matches!(by, Hand::Sampler | Hand::Technician) {
            return answer(403);
        }
        let Some(one) = self.boxes.get_mut(&number) else { return refusal(404, "box.not_found") };
        if one.is_closed_to(by) {
            return refusal(403, "auth.laboratory");
        }
        let at = usize::try_from(step - 1).ok();
        let Some(handover) = at.and_then(|at| one.steps.get_mut(at)) else {
            return refusal(404, "hand-over.not_found");
        };
        if handover.to != by {
            return refusal(409, "handover.not_named");
        }
        if handover.withdrawn {
            return refusal(409, "handover.withdrawn");
        }
        if !handover.taken {
            if one.arrived {
                return refusal(409, "box.arrived");
            }
            (handover.taken, one.holder) = (true, by);
        }
        answer(200)
    }

    fn arrive(
        &mut self,
        number: u64,
        laboratory: Laboratory,
        scanned: &BTreeMap<u64, Seen>,
    ) -> Expected {
        let Some(one) = self.boxes.get_mut(&number) else { return refusal(422, "box.unknown") };
        if one.laboratory.is_some_and(|there| there != laboratory) {
            return refusal(409, "box.elsewhere");
        }
        (one.arrived, one.laboratory) = (true, Some(laboratory));
        one.holder = match laboratory {
            Laboratory::First => Hand::Receiver,
            Laboratory::Second => Hand::SecondReceiver,
        };
        let manifest = one.tubes.clone();
        let mut lists = BTreeMap::new();
        for list in ["/accepted", "/refused", "/missing", "/unexpected"] {
            lists.insert(list, BTreeSet::new());
        }
        let mut put = |list, tube| lists.get_mut(list).unwrap().insert(tube);
        let (mut received, mut refused) = (BTreeSet::new(), BTreeSet::new());
        for (&code, seen) in scanned {
            let Some(tube) = self.tubes.get_mut(&code) else {
                put("/unexpected", code);
                continue;
            };
            let is_refused = matches!(seen, Seen::Leaking | Seen::SwabTooMany);
            let next = if is_refused { TubeState::Refused } else { TubeState::Received };
            let is_elsewhere =
                tube.state == TubeState::Received && tube.laboratory != Some(laboratory);
            if !tube.state.may_become(next) || tube.state == TubeState::Plated || is_elsewhere {
                continue;
            }
            (tube.state, tube.laboratory) = (next, Some(laboratory));
            if is_refused {
                put("/refused", code);
                refused.insert(code);
            } else {
                let list = if manifest.contains(&code) { "/accepted" } else { "/unexpected" };
                put(list, code);
                received.insert(code);
            }
        }
        for code in manifest.iter().filter(|code| !scanned.contains_key(code)) {
            let tube = self.tubes.get_mut(code).unwrap();
            if matches!(tube.state, TubeState::Packed | TubeState::Missing) {
                tube.state = TubeState::Missing;
                put("/missing", *code);
            }
        }
        self.collected(&received);
        self.reopen(&refused);
        for code in refused {
            self.recall(code, "refused");
        }
        Expected { lists: lists.into_iter().collect(), ..answer(201) }
    }

    /// Single tubes sealed after a recall was opened answer it once a laboratory has them.
    fn collected(&mut self, received: &BTreeSet<u64>) {
        for recall in self.recalls.iter_mut().filter(|recall| recall.state == "open") {
            recall.answer = received.iter().copied().find(|code| {
                let tube = &self.tubes[code];
                tube.people == [recall.person]
                    && tube.at - 1 > recall.opened
                    && *code != recall.origin
            });
            recall.state = if recall.answer.is_some() { "collected" } else { "open" };
        }
    }

    fn reopen(&mut self, tubes: &BTreeSet<u64>) {
        for recall in self.recalls.iter_mut().filter(|recall| recall.state == "collected") {
            if recall.answer.is_some_and(|answer| tubes.contains(&answer)) {
                (recall.state, recall.answer) = ("open", None);
            }
        }
    }

    fn recall(&mut self, origin: u64, reason: &'static str) {
        for &person in &self.tubes[&origin].people {
            let known = |recall: &Recall| recall.person == person && recall.origin == origin;
            if !self.recalls.iter().any(known) {
                let opened = self.minute;
                let (state, answer, outcome) = ("open", None, None);
                self.recalls.push(Recall {
                    person,
                    origin,
                    reason,
                    opened,
                    state,
                    answer,
                    outcome,
                });
            }
        }
    }

    fn write_off(&mut self, code: u64) -> Expected {
        let Some(tube) = self.tubes.get_mut(&code) else { return refusal(404, "tube.not_found") };
        if !matches!(tube.state, TubeState::Sealed | TubeState::Packed | TubeState::Missing) {
            return refusal(409, "tube.not_lost");
        }
        tube.state = TubeState::Closed;
        self.recall(code, "missing");
        answer(200)
    }

    fn mix(&mut self, number: u64, tubes: &[u64]) -> Expected {
        let mut tubes = tubes.to_vec();
        tubes.sort_unstable();
        if let Some(pool) = self.pools.get(&number) {
            return if pool.tubes == tubes { answer(200) } else { refusal(409, "pool.differs") };
        }
        let is_twice = tubes.windows(2).any(|pair| pair[0] == pair[1]);
        let mixes =
            |tube: &u64| self.is_ready(*tube) && self.may_be_mixed(*tube) && !self.is_pooled(*tube);
        if is_twice || !(2..=5).contains(&tubes.len()) || !tubes.iter().all(mixes) {
            return answer(422);
        }
        self.pools.insert(number, Pool { tubes, state: PoolState::Open });
        answer(201)
    }

    fn dissolve(&mut self, number: u64) -> Expected {
        let Some(pool) = self.pools.get_mut(&number) else {
            return refusal(404, "pool.not_found");
        };
        match pool.state {
            PoolState::Open | PoolState::Dissolved => {
                pool.state = PoolState::Dissolved;
                answer(200)
            }
            PoolState::Plated | PoolState::Called => refusal(409, "pool.used"),
        }
    }

    /// Every tube of these, alone or in a pool.
    fn all_of(&self, tubes: &[u64], pools: &[u64]) -> BTreeSet<u64> {
        let mixed = pools.iter().flat_map(|pool| &self.pools[pool].tubes);
        tubes.iter().chain(mixed).copied().collect()
    }

    fn plate(&mut self, number: u64, tubes: &[u64], pools: &[u64]) -> Expected {
        let before = self.plates.get(&number);
        if before.is_some_and(|plate| plate.tubes == tubes && plate.pools == pools) {
            return answer(200);
        }
        let is_frozen = before.is_some_and(|plate| plate.state != PlateState::Draft);
        let is_twice = tubes.iter().collect::<BTreeSet<_>>().len() < tubes.len();
        let is_open = |pool: &u64| self.open_pools().contains(pool);
        let is_none = tubes.is_empty() && pools.is_empty();
        let is_pool_twice = pools.iter().collect::<BTreeSet<_>>().len() < pools.len();
        if is_none || is_twice || is_pool_twice || !pools.iter().all(is_open) {
            return answer(422);
        }
        let is_free = |tube: &u64| !self.is_pooled(*tube);
        let all = self.all_of(tubes, pools);
        if !all.iter().all(|tube| self.is_ready(*tube)) || !tubes.iter().all(is_free) {
            return answer(422);
        }
        if is_frozen {
            return refusal(409, "plate.frozen");
        }
        let status = if before.is_some() { 200 } else { 201 };
        let (tubes, pools, state) = (tubes.to_vec(), pools.to_vec(), PlateState::Draft);
        self.plates.insert(number, Plate { tubes, pools, state, run: None });
        answer(status)
    }

    fn freeze(&mut self, number: u64) -> Expected {
        let Some(plate) = self.plates.get(&number) else {
            return refusal(404, "plate.not_found");
        };
        if plate.state == PlateState::Draft {
            let (tubes, pools) = (self.all_of(&plate.tubes, &plate.pools), plate.pools.clone());
            if !tubes.iter().all(|tube| self.is_ready(*tube)) {
                return refusal(409, "plate.tube_taken");
            }
            let is_elsewhere =
                |tube: &u64| self.live_pool(*tube).is_some_and(|p| !pools.contains(&p));
            if tubes.iter().any(is_elsewhere) {
                return refusal(409, "plate.tube_pooled");
            }
            if !pools.iter().all(|pool| self.pools[pool].state == PoolState::Open) {
                return refusal(409, "plate.pool_taken");
            }
            self.go(&tubes, TubeState::Plated);
            for pool in pools {
                self.pools.get_mut(&pool).unwrap().state = PoolState::Plated;
            }
            self.plates.get_mut(&number).unwrap().state = PlateState::Frozen;
        }
        answer(200)
    }

    fn go(&mut self, tubes: &BTreeSet<u64>, to: TubeState) {
        for code in tubes {
            let tube = self.tubes.get_mut(code).unwrap();
            assert!(tube.state.may_become(to), "the model itself goes astray: {code} {to:?}");
            tube.state = to;
        }
    }

    fn upload(&mut self, number: u64, of: u64, (signals, fail): (&[Signal], bool)) -> Expected {
        let Some(source) = self.plates.get(&of) else { return answer(404) };
        let signal = |tube: &u64| signals[usize::try_from(*tube).unwrap()];
        let pools = source.pools.iter().map(|pool| TUBES + pool);
        let slots = source.tubes.iter().copied().chain(pools);
        let file: File = (of, slots.map(|slot| (slot, signal(&slot))).collect(), fail);
        let Some(plate) = self.plates.get(&number) else { return answer(404) };
        if plate.state == PlateState::Draft {
            return refusal(409, "plate.draft");
        }
        let known =
            |(_, plate): &(&u64, &Plate)| plate.run.as_ref().is_some_and(|r| r.file == file);
        match self.plates.iter().find(known) {
            Some((other, _)) if *other == number => return answer(200),
            Some(_) => return refusal(409, "run.file_of_other_plate"),
            None => {}
        }
        match &plate.run {
            Some(run) if run.state != RunState::Void => {
                return refusal(409, "run.plate_has_run");
            }
            _ if plate.state == PlateState::Closed => return refusal(409, "run.plate_closed"),
            _ => {}
        }
        if of != number {
            return refusal(422, "run.other_plate");
        }
        let silent = file.1.iter().filter(|(_, signal)| *signal == Signal::Silent).count();
        let usable = !fail && silent < 3;
        let call = |(slot, signal): &(u64, Signal)| match slot.checked_sub(TUBES) {
            None => vec![(*slot, self.call(*slot, *signal, usable))],
            Some(pool) => {
                let call = Self::pool_call(pool, *signal, usable);
                self.pools[&pool].tubes.iter().map(|tube| (*tube, call)).collect()
            }
        };
        let calls = file.1.iter().flat_map(call).collect();
        let (state, reviewer, voider, releaser) = (RunState::Draft, None, None, None);
        let run = Run { file, state, usable, calls, reviewer, voider, releaser };
        self.plates.get_mut(&number).unwrap().run = Some(run);
        answer(201)
    }

    /// What a pool says of each of its tubes: a negative answers, anything else sends it back.
    fn pool_call(pool: u64, signal: Signal, usable: bool) -> Call {
        let (outcome, fate) = match signal {
            Signal::Negative => ("not_detected", Fate::Report),
            Signal::Positive => ("detected", Fate::Retest),
            Signal::SingleTarget | Signal::Grey => ("inconclusive", Fate::Retest),
            Signal::Silent => ("invalid", Fate::Retest),
        };
        let clean = signal == Signal::Negative && usable;
        let pool = Some(pool);
        Call { outcome, pool, fate, single_target: false, clean, waits: true }
    }

    fn call(&self, code: u64, signal: Signal, usable: bool) -> Call {
        let tube = &self.tubes[&code];
        let again = signal == Signal::SingleTarget && tube.single_target;
        let outcome = match signal {
            Signal::Negative => "not_detected",
            Signal::SingleTarget | Signal::Positive if again || signal == Signal::Positive => {
                "detected"
            }
            Signal::SingleTarget | Signal::Positive | Signal::Grey => "inconclusive",
            Signal::Silent => "invalid",
        };
        let is_pool = tube.people.len() > 1;
        let fate = match outcome {
            "not_detected" => Fate::Report,
            "detected" if !is_pool => Fate::Report,
            "inconclusive" | "invalid" if !is_pool && tube.attempt == tube.pooled => Fate::Retest,
            _ => Fate::Recall,
        };
        let clean = outcome == "not_detected" && usable && tube.attempt == 0;
        let single_target = signal == Signal::SingleTarget;
        Call { outcome, pool: None, fate, single_target, clean, waits: true }
    }

    fn run(&mut self, plate: u64) -> Option<&mut Run> {
        self.plates.get_mut(&plate)?.run.as_mut()
    }

    fn review(&mut self, plate: u64, by: usize) -> Expected {
        let by_rule = self.by_rule;
        let Some(run) = self.run(plate) else { return refusal(404, "run.not_found") };
        let stands = matches!(run.state, RunState::Reviewed | RunState::Released);
        if stands && run.reviewer == Some(by) {
            return answer(200);
        }
        if !run.usable {
            return refusal(422, "review.unusable");
        }
        if run.state != RunState::Draft {
            return refusal(409, "review.moved");
        }
        (run.state, run.reviewer) = (RunState::Reviewed, Some(by));
        let clean = run.calls.iter().filter(|(_, call)| by_rule && call.clean);
        let clean: BTreeSet<u64> = clean.map(|(tube, _)| *tube).collect();
        self.settle(plate, &clean);
        let run = self.run(plate).unwrap();
        if run.calls.values().all(|call| !call.waits) {
            run.state = RunState::Released;
            self.plates.get_mut(&plate).unwrap().state = PlateState::Closed;
        }
        Expected {
            lists: vec![("/released_by_rule", clean), ("/back", BTreeSet::new())],
            ..answer(200)
        }
    }

    fn void(&mut self, plate: u64, by: usize) -> Expected {
        let Some(run) = self.run(plate) else { return refusal(404, "run.not_found") };
        if run.state == RunState::Void && run.voider == Some(by) {
            return answer(200);
        }
        if !matches!(run.state, RunState::Draft | RunState::Reviewed) {
            return refusal(409, "review.moved");
        }
        let told: Vec<u64> = run
            .calls
            .iter()
            .filter(|(_, call)| !call.waits && call.fate == Fate::Report)
            .map(|(tube, _)| *tube)
            .collect();
        let stands = |tube: &u64| self.tubes[tube].results.last() != Some(&"withdrawn");
        if told.iter().any(stands) {
            return refusal(409, "review.results_stand");
        }
        let run = self.run(plate).unwrap();
        (run.state, run.voider) = (RunState::Void, Some(by));
        let waiting = run.calls.iter_mut().filter(|(_, call)| call.waits);
        let back: BTreeSet<u64> = waiting
            .map(|(tube, call)| {
                call.waits = false;
                *tube
            })
            .collect();
        self.go(&back, TubeState::Received);
        let one = self.plates.get_mut(&plate).unwrap();
        one.state = PlateState::Closed;
        for pool in &one.pools {
            let pool = self.pools.get_mut(pool).unwrap();
            if pool.state == PoolState::Plated {
                pool.state = PoolState::Open;
            }
        }
        Expected { lists: vec![("/back", back)], ..answer(200) }
    }

    fn release(&mut self, plate: u64, by: usize) -> Expected {
        let Some(run) = self.run(plate) else { return refusal(404, "run.not_found") };
        if run.releaser == Some(by) {
            return answer(200);
        }
        match run.state {
            RunState::Draft => return refusal(409, "review.not_reviewed"),
            RunState::Reviewed => {}
            RunState::Released | RunState::Void => return refusal(409, "review.moved"),
        }
        if run.reviewer == Some(by) {
            return refusal(422, "review.same_person");
        }
        (run.state, run.releaser) = (RunState::Released, Some(by));
        let waiting: Vec<_> =
            run.calls.iter().filter(|(_, call)| call.waits).map(|(t, c)| (*t, *c)).collect();
        let with = |fate| -> BTreeSet<u64> {
            let calls = waiting.iter().filter(|(_, call)| call.fate == fate);
            calls.map(|(tube, _)| *tube).collect()
        };
        let lists = vec![
            ("/released/reported", with(Fate::Report)),
            ("/released/retested", with(Fate::Retest)),
            ("/released/recalled", with(Fate::Recall)),
        ];
        self.settle(plate, &waiting.iter().map(|(tube, _)| *tube).collect());
        self.plates.get_mut(&plate).unwrap().state = PlateState::Closed;
        Expected { lists, ..answer(200) }
    }

    /// Carries out what these tubes' calls say.
    fn settle(&mut self, plate: u64, tubes: &BTreeSet<u64>) {
        let run = self.run(plate).unwrap();
        let mut calls = Vec::new();
        for (tube, call) in run.calls.iter_mut().filter(|(tube, _)| tubes.contains(tube)) {
            call.waits = false;
            calls.push((*tube, *call));
        }
        for (code, call) in &calls {
            let (to, code) = match call.fate {
                Fate::Report => (TubeState::Released, *code),
                Fate::Retest => (TubeState::Received, *code),
                Fate::Recall => (TubeState::Closed, *code),
            };
            self.go(&BTreeSet::from([code]), to);
            let tube = self.tubes.get_mut(&code).unwrap();
            match call.fate {
                Fate::Report => {
                    tube.results.push(call.outcome);
                    tube.told = self.minute;
                }
                Fate::Retest => {
                    tube.attempt += 1;
                    tube.pooled += i64::from(call.pool.is_some());
                    tube.single_target |= call.single_target;
                }
                Fate::Recall => {
                    self.reopen(&BTreeSet::from([code]));
                    self.recall(code, call.outcome);
                }
            }
        }
        for pool in calls.iter().filter_map(|(_, call)| call.pool) {
            self.pools.get_mut(&pool).unwrap().state = PoolState::Called;
        }
        calls.retain(|(_, call)| call.fate == Fate::Report);
        self.tell();
        // Of several answers in one run a positive counts first.
        calls.sort_by_key(|(code, call)| (call.outcome, *code));
        for (code, call) in calls {
            let tube = &self.tubes[&code];
            for recall in self.recalls.iter_mut().filter(|recall| {
                recall.state != "closed"
                    && tube.people == [recall.person]
                    && tube.at - 1 > recall.opened
                    && code != recall.origin
            }) {
                let closed = ("closed", Some(code), Some(call.outcome));
                (recall.state, recall.answer, recall.outcome) = closed;
            }
        }
    }

    /// Tells everybody anew, release for release and amendment for amendment.
    fn tell(&mut self) {
        let mut moments: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
        for (code, tube) in self.tubes.iter().filter(|(_, tube)| !tube.results.is_empty()) {
            moments.entry(tube.told).or_default().push(*code);
        }
        self.told.clear();
        for codes in moments.values() {
            self.tell_at_once(codes);
        }
    }

    /// The later swab's answer stands, but no positive is lost behind a negative, nor behind one
    /// that was withdrawn.
    fn tell_at_once(&mut self, codes: &[u64]) {
        let mut first: BTreeMap<u64, Told> = BTreeMap::new();
        for code in codes {
            let tube = &self.tubes[code];
            let (outcome, collected) = (*tube.results.last().unwrap(), (tube.at, *code));
            for person in &tube.people {
                let goes_before = |other: &Told| {
                    (outcome == "detected", collected)
                        > (other.outcome == "detected", other.collected)
                };
                if first.get(person).is_none_or(goes_before) {
                    first.insert(*person, Told { tube: *code, outcome, collected });
                }
            }
        }
        for (person, now) in first {
            let stands = |told: &Told| match (now.outcome, told.outcome) {
                ("withdrawn", "detected") => false,
                ("detected", "not_detected" | "withdrawn") => true,
                _ => now.collected >= told.collected,
            };
            if self.told.get(&person).is_none_or(stands) {
                self.told.insert(person, now);
            }
        }
    }

    fn amend(&mut self, code: u64, version: i64, (by, wanted): (usize, &'static str)) -> Expected {
        let at = usize::try_from(version - 1).unwrap();
        let found = self.tubes.get_mut(&code).filter(|tube| at < tube.results.len());
        let Some(tube) = found else { return refusal(404, "result.not_found") };
        if at + 1 < tube.results.len() {
            return refusal(409, "amend.superseded");
        }
        let present = tube.results[at];
        let is_pool_positive = tube.people.len() > 1 && wanted == "detected";
        if is_pool_positive || present == wanted || present == "withdrawn" {
            return answer(422);
        }
        match tube.proposal {
            None => {
                tube.proposal = Some((by, wanted));
                answer(202)
            }
            Some((_, other)) if other != wanted => {
                tube.proposal = Some((by, wanted));
                answer(202)
            }
            Some((proposer, _)) if proposer == by => answer(202),
            Some(_) => {
                tube.proposal = None;
                tube.results.push(wanted);
                tube.told = self.minute;
                self.tell();
                let answered =
                    |recall: &&mut Recall| recall.state == "closed" && recall.answer == Some(code);
                for recall in self.recalls.iter_mut().filter(answered) {
                    recall.outcome = Some(wanted);
                }
                if wanted == "withdrawn" {
                    self.recall(code, "invalid");
                }
                answer(201)
            }
        }
    }
}
