//! The small city over HTTP, doing what it is told, step by step.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::on;

use super::steps::{Act, Hand, Laboratory, POOLS, Seen, Signal, Step, TUBES};
use crate::app::{Answer, Client, TestApp};
use crate::laboratory::{self as lab, Signals};
use crate::world::{self, World, world};

/// What is read when a signal is in the grey zone.
const GREY: Signals = [Some("39.1"), None, Some("27.3")];

/// An application with its city, and what has to be remembered to repeat oneself.
pub struct Bench {
    pub app: TestApp,
    pub world: World,
    second_receiver: Client,
    /// What was sent for each tube.
    bodies: BTreeMap<u64, Value>,
    /// The run of each plate.
    runs: BTreeMap<u64, String>,
}

/// What came back.
#[derive(Debug, PartialEq)]
pub struct Heard {
    pub status: u16,
    pub body: Value,
}

impl From<Answer> for Heard {
    fn from(answer: Answer) -> Self {
        Self { status: answer.status.as_u16(), body: answer.json() }
    }
}

impl Bench {
    pub async fn new(app: TestApp) -> Self {
        let world = world(&app).await;
        let second = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
        app.put(&world.administrator, "/v1/laboratories/L02", &second).await.expect(201);
        let laboratory = Some("L02".to_owned());
        let second_receiver = app.client_at(Role::Receiver, None, laboratory).await;
        let (bodies, runs) = Default::default();
        Self { app, world, second_receiver, bodies, runs }
    }

    pub async fn act(&mut self, act: &Act) -> Heard {
        self.app.pass(Span::minutes(act.minutes));
        match &act.step {
            Step::Seal { .. } | Step::SealAgain { .. } => self.seal(&act.step).await,
            Step::Pack { .. } | Step::Offer { .. } | Step::Accept { .. } => {
                self.carry(&act.step).await
            }
            Step::Arrive { number, laboratory, scanned } => {
                self.arrive(*number, *laboratory, scanned).await
            }
            Step::WriteOff { tube } => {
                let path = format!("/v1/tubes/{}/write-off", world::tube(*tube));
                let reason = json!({ "reason": "not_found" });
                self.app.post(&self.world.officer, &path, &reason).await.into()
            }
            Step::Mix { .. } | Step::Dissolve { .. } => self.mix(&act.step).await,
            Step::Plate { .. } | Step::Freeze { .. } => self.lay_out(&act.step).await,
            Step::Upload { plate, of, signals, controls_fail } => {
                self.upload(*plate, *of, (signals, *controls_fail)).await
            }
            Step::Move { tube, to } => self.move_directly(*tube, to.as_str()).await,
            _ => self.decide(&act.step).await,
        }
    }

    fn hand(&self, hand: Hand) -> &Client {
        match hand {
            Hand::Sampler => &self.world.sampler,
            Hand::Courier => &self.world.courier,
            Hand::Receiver => &self.world.receiver,
            Hand::SecondReceiver => &self.second_receiver,
            Hand::Technician => &self.world.technician,
        }
    }

    fn reviewer(&self, by: usize) -> &Client {
        if by == 0 { &self.world.reviewer } else { &self.world.second_reviewer }
    }

    async fn seal(&mut self, step: &Step) -> Heard {
        let (tube, body) = match step {
            Step::Seal { tube, people } => {
                let people: Vec<_> = people.iter().map(|one| world::person(*one)).collect();
                (*tube, world::tube_body(&self.app, *tube, &people))
            }
            Step::SealAgain { tube } => match self.bodies.get(tube) {
                Some(body) => (*tube, body.clone()),
                None => return Heard { status: 404, body: json!("nothing was sent yet") },
            },
            other => panic!("{other:?} seals nothing"),
        };
        let path = format!("/v1/tubes/{}", world::tube(tube));
        let answer = self.app.put(&self.world.sampler, &path, &body).await;
        if answer.status == 201 {
            self.bodies.insert(tube, body);
        }
        answer.into()
    }

    async fn carry(&self, step: &Step) -> Heard {
        let (app, now) = (&self.app, self.app.now());
        let path = |number: &u64| format!("/v1/boxes/{}", world::box_(*number));
        match step {
            Step::Pack { number, tubes } => {
                let tubes: Vec<_> = tubes.iter().map(|tube| world::tube(*tube)).collect();
                let manifest =
                    json!({ "site": "S01", "seal": "Z-1", "sealed_at": now, "tubes": tubes });
                app.put(&self.world.sampler, &path(number), &manifest).await
            }
            Step::Offer { number, from, to } => {
                let to = &self.hand(*to).actor.account;
                let offer = json!({ "to": to, "at": now, "place": "gate" });
                let path = format!("{}/handovers", path(number));
                app.post(self.hand(*from), &path, &offer).await
            }
            Step::Accept { number, step, by } => {
                let path = format!("{}/handovers/{step}/accept", path(number));
                app.post(self.hand(*by), &path, &json!({ "at": now })).await
            }
            other => panic!("{other:?} carries nothing"),
        }
        .into()
    }

    async fn arrive(
        &self,
        number: u64,
        laboratory: Laboratory,
        scanned: &BTreeMap<u64, Seen>,
    ) -> Heard {
        let scanned: Vec<_> = scanned
            .iter()
            .map(|(tube, seen)| {
                let sent = self.bodies.get(tube).and_then(|body| body["swab_count"].as_u64());
                let count = sent.unwrap_or(1);
                let tube = world::tube(*tube);
                match seen {
                    Seen::Sound => json!({ "tube": tube }),
                    Seen::Counted => json!({ "tube": tube, "swab_count": count }),
                    Seen::Leaking => json!({ "tube": tube, "refused": "leak" }),
                    Seen::SwabTooMany => json!({ "tube": tube, "swab_count": count + 1 }),
                }
            })
            .collect();
        let (code, by) = match laboratory {
            Laboratory::First => ("L01", Hand::Receiver),
            Laboratory::Second => ("L02", Hand::SecondReceiver),
        };
        let delivery = json!({ "box": world::box_(number), "laboratory": code,
            "arrived_at": self.app.now(), "seal_intact": true, "scanned": scanned });
        self.app.post(self.hand(by), "/v1/arrivals", &delivery).await.into()
    }

    async fn mix(&self, step: &Step) -> Heard {
        match step {
            Step::Mix { pool, tubes } => {
                let tubes: Vec<_> = tubes.iter().map(|tube| world::tube(*tube)).collect();
                lab::mix(&self.app, &self.world, *pool, &tubes).await
            }
            Step::Dissolve { pool } => {
                let path = format!("/v1/pools/{}/dissolve", world::pool(*pool));
                self.app.post(&self.world.technician, &path, &json!({})).await
            }
            other => panic!("{other:?} mixes nothing"),
        }
        .into()
    }

    async fn lay_out(&self, step: &Step) -> Heard {
        let technician = &self.world.technician;
        match step {
            Step::Plate { plate, tubes, pools } => {
                let path = format!("/v1/plates/{}", world::plate(*plate));
                let tubes: Vec<_> = tubes.iter().map(|tube| world::tube(*tube)).collect();
                let pools: Vec<_> = pools.iter().map(|pool| world::pool(*pool)).collect();
                let wanted = json!({ "laboratory": "L01", "kit": lab::KIT.0,
                    "kit_version": lab::KIT.1, "template": "one-well-94-columns",
                    "tubes": tubes, "pools": pools });
                self.app.put(technician, &path, &wanted).await
            }
            Step::Freeze { plate } => {
                let path = format!("/v1/plates/{}/freeze", world::plate(*plate));
                self.app.post(technician, &path, &json!({})).await
            }
            other => panic!("{other:?} lays nothing out"),
        }
        .into()
    }

    async fn upload(
        &mut self,
        number: u64,
        of: u64,
        (signals, controls_fail): (&[Signal], bool),
    ) -> Heard {
        let (app, technician) = (&self.app, &self.world.technician);
        let source = app.get(technician, &format!("/v1/plates/{}", world::plate(of))).await;
        if source.status != 200 {
            return source.into();
        }
        let read = |signal: &Signal| match signal {
            Signal::Negative => lab::NEGATIVE,
            Signal::Positive => lab::POSITIVE,
            Signal::SingleTarget => lab::SINGLE_TARGET,
            Signal::Grey => GREY,
            Signal::Silent => lab::SILENT,
        };
        let names = (0..TUBES).map(world::tube).chain((0..POOLS).map(world::pool));
        let tubes = names.zip(signals.iter().map(read)).collect();
        let file = lab::run_file(&source.json(), &tubes, controls_fail);
        let path = format!("/v1/plates/{}/runs?name=run.txt", world::plate(number));
        let answer = app.upload(technician, &path, file).await;
        if answer.status == 201 {
            let run = answer.json()["id"].as_str().unwrap().to_owned();
            self.runs.insert(number, run);
        }
        answer.into()
    }

    async fn decide(&self, step: &Step) -> Heard {
        let app = &self.app;
        let run = |plate: &u64| match self.runs.get(plate) {
            Some(run) => format!("/v1/runs/{run}"),
            None => "/v1/runs/none".to_owned(),
        };
        match step {
            Step::Review { plate, by, accept } => {
                let decision = json!({ "decision": if *accept { "accept" } else { "void" } });
                let path = format!("{}/review", run(plate));
                app.post(self.reviewer(*by), &path, &decision).await
            }
            Step::Release { plate, by } => {
                let path = format!("{}/release", run(plate));
                app.post(self.reviewer(*by), &path, &json!({})).await
            }
            Step::Switch { on } => {
                let set = json!({ "on": on, "reason": "drill" });
                app.put(&self.world.reviewer, "/v1/switches/auto_release", &set).await
            }
            Step::Amend { tube, version, by, outcome } => {
                let path = format!("/v1/results/{}.{version}/amend", world::tube(*tube));
                let wanted = json!({ "outcome": outcome, "reason": "mixed_up" });
                app.post(self.reviewer(*by), &path, &wanted).await
            }
            other => panic!("{other:?} decides nothing"),
        }
        .into()
    }

    /// Moves a tube behind the program's back and puts it back: does the store let it?
    async fn move_directly(&self, tube: u64, to: &'static str) -> Heard {
        let mut tx = self.app.app.db.write("test.move").await.unwrap();
        let sql = "update tube set state = $2 where code = $1";
        let code = world::tube(tube);
        let moved = on!(tx, c => sqlx::query(sql).bind(&code).bind(to)
            .execute(c).await.map(drop));
        Heard { status: if moved.is_ok() { 200 } else { 409 }, body: Value::Null }
    }
}
