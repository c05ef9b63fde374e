//! The life of tubes and people under random steps, sensible and silly: after each, the answer,
//! the store, the ledger and what people are shown are what a model in memory says.

mod bench;
mod model;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use serde_json::{Value, json};
use swabline::collection::TubeState;
use swabline::on;
use tokio::runtime::{Builder, Runtime};

pub use bench::{Bench, Heard};
pub use model::City;
pub use steps::Act;
use steps::{Laboratory, PEOPLE};

use crate::app::{Engine, TestApp};
use crate::figures;
use crate::world;

/// Most steps of a history.
pub const STEPS: usize = 60;

/// How many histories are told; `PROPTEST_CASES` says otherwise.
#[expect(clippy::disallowed_methods, reason = "a test asks how long it may take")]
pub fn cases(usual: u32) -> Config {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    Config {
        cases: asked.unwrap_or(usual),
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    }
}

/// A runtime for one history.
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

impl ReferenceStateMachine for City {
    type State = Self;
    type Transition = Act;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(city: &Self) -> BoxedStrategy<Act> {
        steps::acts(city)
    }

    fn apply(city: Self, act: &Act) -> Self {
        city.after(act)
    }
}

struct Lifecycle<const POSTGRES: bool>;

impl<const POSTGRES: bool> StateMachineTest for Lifecycle<POSTGRES> {
    type SystemUnderTest = (Runtime, Bench);
    type Reference = City;

    fn init_test(_city: &City) -> (Runtime, Bench) {
        let engine = if POSTGRES { Engine::Postgres } else { Engine::Sqlite };
        let runtime = runtime();
        let bench = runtime.block_on(async {
            Bench::new(TestApp::start(engine).await.expect("the engine was there before")).await
        });
        (runtime, bench)
    }

    fn apply((runtime, mut bench): (Runtime, Bench), city: &City, act: Act) -> (Runtime, Bench) {
        let heard = runtime.block_on(bench.act(&act));
        answered(city, &act, &heard);
        runtime.block_on(agree(&bench, city));
        (runtime, bench)
    }

    fn teardown((runtime, bench): (Runtime, Bench), _city: City) {
        runtime.block_on(async {
            let mut tx = bench.app.app.db.read("test.verify").await.unwrap();
            assert_eq!(swabline::audit::verify(&mut tx).await.unwrap().broken, None);
            drop(tx);
            bench.app.app.db.close().await;
        });
    }
}

/// The answer is the model's, with the tubes the model names.
fn answered(city: &City, act: &Act, heard: &Heard) {
    let (expected, body) = (&city.expected, &heard.body);
    assert_eq!(heard.status, expected.status, "{act:?}: {body}");
    if !expected.code.is_empty() {
        assert_eq!(body["code"], expected.code, "{act:?}: {body}");
    }
    for (path, tubes) in &expected.lists {
        let listed = body.pointer(path).and_then(Value::as_array).expect("the answer has the list");
        let listed = listed.iter().map(|one| one.as_str().or(one["tube"].as_str()).unwrap());
        let tubes: BTreeSet<_> = tubes.iter().map(|tube| world::tube(*tube)).collect();
        assert_eq!(
            listed.collect::<BTreeSet<_>>(),
            tubes.iter().map(String::as_str).collect(),
            "{path} after {act:?}: {body}"
        );
    }
}

/// Store, ledger and what people are shown are the model's.
async fn agree(bench: &Bench, city: &City) {
    ledger(bench, city).await;
    assert_eq!(figures::checked(&bench.app).await.differences, [], "the board's counters");
    tubes(bench, city).await;
    // What was kept after the steps before is shown again unless a change was told of it.
    bench.app.app.cache.look(&bench.app.app.db).await.unwrap();
    let names = shown(bench, city).await;
    recalls(bench, city, &names).await;
}

async fn ledger(bench: &Bench, city: &City) {
    let ledger = bench.app.get(&bench.world.officer, "/v1/ledger").await.expect(200).json();
    assert_eq!(ledger["unexplained"], 0, "{ledger}");
    let of = |states: &[TubeState], people: bool| -> usize {
        let tubes = city.tubes.values().filter(|tube| states.contains(&tube.state));
        tubes.map(|tube| if people { tube.people.len() } else { 1 }).sum()
    };
    for (kind, people) in [("tubes", false), ("people", true)] {
        let whole = &ledger["whole"][kind];
        assert_eq!(whole["unexplained"], 0, "{ledger}");
        for (name, states) in [
            ("collected", &TubeState::ALL[..]),
            ("in_transit", &[TubeState::Sealed, TubeState::Packed]),
            ("received", &[TubeState::Received]),
            ("refused", &[TubeState::Refused]),
            ("missing", &[TubeState::Missing]),
            ("in_process", &[TubeState::Plated]),
            ("released", &[TubeState::Released]),
            ("closed", &[TubeState::Closed]),
        ] {
            assert_eq!(whole[name], of(states, people), "{kind} {name}: {ledger}");
        }
    }
}

async fn tubes(bench: &Bench, city: &City) {
    let mut tx = bench.app.app.db.read("test.tubes").await.unwrap();
    let sql = "select code, state, laboratory_code, attempt from tube order by code";
    let stored: Vec<(String, String, Option<String>, i64)> =
        on!(tx, c => sqlx::query_as(sql).fetch_all(c).await).unwrap();
    let modelled: Vec<_> = city
        .tubes
        .iter()
        .map(|(number, tube)| {
            let laboratory = tube.laboratory.map(|laboratory| match laboratory {
                Laboratory::First => "L01".to_owned(),
                Laboratory::Second => "L02".to_owned(),
            });
            (world::tube(*number), tube.state.as_str().to_owned(), laboratory, tube.attempt)
        })
        .collect();
    assert_eq!(stored, modelled);
    let sql = "select code, state from pool order by code";
    let stored: Vec<(String, String)> =
        on!(tx, c => sqlx::query_as(sql).fetch_all(c).await).unwrap();
    let modelled: Vec<_> = city
        .pools
        .iter()
        .map(|(number, pool)| (world::pool(*number), format!("{:?}", pool.state).to_lowercase()))
        .collect();
    assert_eq!(stored, modelled);
    let sql = "select id, outcome from result order by id";
    let stored: Vec<(String, String)> =
        on!(tx, c => sqlx::query_as(sql).fetch_all(c).await).unwrap();
    let mut modelled = Vec::new();
    for (number, tube) in &city.tubes {
        let versions = (1..).zip(&tube.results);
        modelled.extend(versions.map(|(version, outcome)| {
            (format!("{}.{version}", world::tube(*number)), (*outcome).to_owned())
        }));
    }
    assert_eq!(stored, modelled);
}

/// Asks for everybody and gives the keys they go by.
async fn shown(bench: &Bench, city: &City) -> BTreeMap<String, u64> {
    let document = |n| json!({ "type": "resident_id", "number": world::person(n).number });
    let everybody = json!({ "people": (0..PEOPLE).map(document).collect::<Vec<_>>() });
    let answer = bench.app.post(&bench.world.service, "/v1/status/batch", &everybody).await;
    let answer = answer.expect(200).json();
    let mut names = BTreeMap::new();
    for (person, one) in (0..).zip(answer["people"].as_array().unwrap()) {
        let status = &one["status"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let seen = (
            text(&status["state"]).unwrap_or_default(),
            text(&status["outcome"]),
            text(&status["last_result"]["outcome"]),
        );
        let (state, outcome, earlier) = city.shown(person).unwrap_or_default();
        let expected = (state.to_owned(), outcome.map(str::to_owned), earlier.map(str::to_owned));
        assert_eq!(seen, expected, "person {person}: {status}");
        nobody_is_negative_unasked(city, person, status);
        no_withdrawn_answer_hides_a_positive(city, person, status);
        names.insert(one["person"].as_str().unwrap().to_owned(), person);
    }
    names
}

/// Said once more without the model's own reading of what is shown: a negative that stands now
/// needs a released negative of the newest swab, and no recall that still waits.
fn nobody_is_negative_unasked(city: &City, person: u64, status: &Value) {
    if status["outcome"] != "not_detected" {
        return;
    }
    let waits = |recall: &model::Recall| recall.person == person && recall.state != "closed";
    assert!(!city.recalls.iter().any(waits), "person {person} is recalled: {status}");
    let swabs = city.tubes.values().filter(|tube| tube.people.contains(&person));
    let newest = swabs.clone().map(|tube| tube.at).max().unwrap();
    let says_so = |tube: &model::Tube| {
        tube.at == newest
            && tube.state == TubeState::Released
            && tube.results.last() == Some(&"not_detected")
    };
    assert!(swabs.clone().any(says_so), "person {person} was told nothing: {status}");
}

/// Said without the model's order of telling: whoever has positives that stand, and besides them
/// only withdrawn answers, is shown a positive once their newest swab is at its end.
fn no_withdrawn_answer_hides_a_positive(city: &City, person: u64, status: &Value) {
    let swabs = city.tubes.values().filter(|tube| tube.people.contains(&person));
    let told = || swabs.clone().filter_map(|tube| tube.results.last());
    let ended =
        ["released", "under_verification"].contains(&status["state"].as_str().unwrap_or(""));
    if ended && told().any(|one| *one == "detected") && told().all(|one| *one != "not_detected") {
        assert_eq!(status["outcome"], "detected", "person {person}: {status}");
    }
}

async fn recalls(bench: &Bench, city: &City, names: &BTreeMap<String, u64>) {
    type Row = (String, String, String, String, Option<String>, Option<String>);
    let mut tx = bench.app.app.db.read("test.recalls").await.unwrap();
    let sql = "select origin_tube, person_key, reason, state, answer_tube, outcome from recall";
    let stored: Vec<Row> = on!(tx, c => sqlx::query_as(sql).fetch_all(c).await).unwrap();
    let stored: BTreeSet<_> = stored
        .into_iter()
        .map(|(origin, key, reason, state, answer, outcome)| {
            (origin, names[&key], reason, state, answer, outcome)
        })
        .collect();
    let modelled: BTreeSet<_> = city
        .recalls
        .iter()
        .map(|recall| {
            (
                world::tube(recall.origin),
                recall.person,
                recall.reason.to_owned(),
                recall.state.to_owned(),
                recall.answer.map(world::tube),
                recall.outcome.map(str::to_owned),
            )
        })
        .collect();
    assert_eq!(stored, modelled);
}

fn told<const POSTGRES: bool>(usual: u32) {
    let config = cases(usual);
    let mut runner = TestRunner::new(config.clone());
    let histories = City::sequential_strategy(20..STEPS);
    let outcome = runner.run(&histories, |(city, acts, seen)| {
        Lifecycle::<POSTGRES>::test_sequential(config.clone(), city, acts, seen);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn random_steps_lose_nobody_on_sqlite() {
    told::<false>(12);
}

#[test]
fn random_steps_lose_nobody_on_postgres() {
    if crate::app::postgres_url().is_some() {
        told::<true>(4);
    }
}

/// Names of the corners of a tube's life this city has been in.
fn corners(city: &City, seen: &mut BTreeMap<&'static str, usize>) {
    let tubes = || city.tubes.values();
    let runs = || city.plates.values().filter_map(|plate| plate.run.as_ref());
    let recalls = || city.recalls.iter();
    let pools = || city.pools.values();
    let been = [
        ("refused", tubes().any(|tube| tube.state == TubeState::Refused)),
        ("missing", tubes().any(|tube| tube.state == TubeState::Missing)),
        ("elsewhere", tubes().any(|tube| tube.laboratory == Some(Laboratory::Second))),
        ("released", tubes().any(|tube| !tube.results.is_empty())),
        ("retested", tubes().any(|tube| tube.attempt > 0)),
        ("amended", tubes().any(|tube| tube.results.len() > 1)),
        ("lost", recalls().any(|recall| recall.reason == "missing")),
        ("positive pool", recalls().any(|recall| recall.reason == "detected")),
        ("mixed", !city.pools.is_empty()),
        ("dissolved", pools().any(|pool| pool.state == model::PoolState::Dissolved)),
        ("called", pools().any(|pool| pool.state == model::PoolState::Called)),
        ("taken apart", tubes().any(|tube| tube.pooled > 0)),
        ("collected", recalls().any(|recall| recall.state == "collected")),
        ("answered", recalls().any(|recall| recall.state == "closed")),
        ("void", runs().any(|run| run.state == model::RunState::Void)),
        ("unusable", runs().any(|run| !run.usable)),
        ("by rule", city.by_rule && runs().any(|run| run.state == model::RunState::Reviewed)),
        ("handed over", city.boxes.values().any(|one| one.steps.iter().any(|step| step.taken))),
    ];
    for (corner, is_there) in been {
        *seen.entry(corner).or_default() += usize::from(is_there);
    }
}

#[test]
fn random_steps_reach_every_corner() {
    let mut runner = TestRunner::deterministic();
    let histories = City::sequential_strategy(20..STEPS);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..600 {
        let (mut city, acts, _) = histories.new_tree(&mut runner).unwrap().current();
        let mut here = BTreeMap::new();
        for act in &acts {
            city = city.after(act);
            corners(&city, &mut here);
        }
        for (corner, times) in here {
            *seen.entry(corner).or_default() += usize::from(times > 0);
        }
    }
    let rare: Vec<_> = seen.iter().filter(|(_, histories)| **histories < 20).collect();
    assert!(rare.is_empty(), "out of 600 histories: {seen:?}");
    eprintln!("out of 600 histories: {seen:?}");
}
