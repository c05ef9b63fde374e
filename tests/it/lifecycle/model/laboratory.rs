//! In the laboratory: pools, plates and runs.

use std::collections::BTreeSet;

use swabline::collection::TubeState;

use super::super::steps::{Signal, TUBES};
use super::{
    Call, City, Expected, Fate, File, Plate, PlateState, Pool, PoolState, Run, RunState, answer,
    refusal,
};

impl City {
    pub(super) fn mix(&mut self, number: u64, tubes: &[u64]) -> Expected {
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

    pub(super) fn dissolve(&mut self, number: u64) -> Expected {
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

    pub(super) fn plate(&mut self, number: u64, tubes: &[u64], pools: &[u64]) -> Expected {
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

    pub(super) fn freeze(&mut self, number: u64) -> Expected {
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

    pub(super) fn go(&mut self, tubes: &BTreeSet<u64>, to: TubeState) {
        for code in tubes {
            let tube = self.tubes.get_mut(code).unwrap();
            assert!(tube.state.may_become(to), "the model itself goes astray: {code} {to:?}");
            tube.state = to;
        }
    }

    pub(super) fn upload(
        &mut self,
        number: u64,
        of: u64,
        (signals, fail): (&[Signal], bool),
    ) -> Expected {
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

    pub(super) fn run(&mut self, plate: u64) -> Option<&mut Run> {
        self.plates.get_mut(&plate)?.run.as_mut()
    }
}
