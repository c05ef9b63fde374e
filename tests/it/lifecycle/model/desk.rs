//! At the desk: what is signed, released, told and amended.

use std::collections::{BTreeMap, BTreeSet};

use swabline::collection::TubeState;

use super::{City, Expected, Fate, PlateState, PoolState, Recall, RunState, Told, answer, refusal};

impl City {
    pub(super) fn review(&mut self, plate: u64, by: usize) -> Expected {
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

    pub(super) fn void(&mut self, plate: u64, by: usize) -> Expected {
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

    pub(super) fn release(&mut self, plate: u64, by: usize) -> Expected {
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

    pub(super) fn amend(
        &mut self,
        code: u64,
        version: i64,
        (by, wanted): (usize, &'static str),
    ) -> Expected {
        let at = usize::try_from(version - 1).unwrap();
        let found = self.tubes.get_mut(&code).filter(|tube| at < tube.results.len());
        let Some(tube) = found else { return refusal(404, "result.not_found") };
        if at + 1 < tube.results.len() {
            // Who confirmed just that is answered again.
            let is_repeated = (tube.confirmed[at], tube.results[at + 1]) == (by, wanted);
            return if is_repeated { answer(201) } else { refusal(409, "amend.superseded") };
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
                tube.confirmed.push(by);
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
