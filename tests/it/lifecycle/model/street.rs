//! On the street and at the door: tubes are sealed, carried, counted in, and people called again.

use std::collections::{BTreeMap, BTreeSet};

use swabline::collection::TubeState;

use super::super::steps::{Hand, Laboratory, Seen};
use super::{City, Crate, Expected, Handover, Recall, Tube, answer, refusal};

impl City {
    pub(super) fn seal(&mut self, number: u64, people: &[u64]) -> Expected {
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
            confirmed: Vec::new(),
        };
        self.tubes.insert(number, tube);
        answer(201)
    }

    pub(super) fn pack(&mut self, number: u64, tubes: &BTreeSet<u64>) -> Expected {
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

    pub(super) fn offer(&mut self, number: u64, from: Hand, to: Hand) -> Expected {
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

    pub(super) fn accept(&mut self, number: u64, step: i64, by: Hand) -> Expected {
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

    pub(super) fn arrive(
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

    pub(super) fn reopen(&mut self, tubes: &BTreeSet<u64>) {
        for recall in self.recalls.iter_mut().filter(|recall| recall.state == "collected") {
            if recall.answer.is_some_and(|answer| tubes.contains(&answer)) {
                (recall.state, recall.answer) = ("open", None);
            }
        }
    }

    pub(super) fn recall(&mut self, origin: u64, reason: &'static str) {
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

    pub(super) fn write_off(&mut self, code: u64) -> Expected {
        let Some(tube) = self.tubes.get_mut(&code) else { return refusal(404, "tube.not_found") };
        if !matches!(tube.state, TubeState::Sealed | TubeState::Packed | TubeState::Missing) {
            return refusal(409, "tube.not_lost");
        }
        tube.state = TubeState::Closed;
        self.recall(code, "missing");
        answer(200)
    }
}
