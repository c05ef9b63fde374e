//! What counts for what is usual: no run that a reviewer made void, and no tube of whoever was
//! recalled.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swabline::clock::Span;
use swabline::on;
use swabline::quality::store::newest;

use super::{Past, USUAL, plate_of, run};
use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory::{self as lab, POSITIVE};
use crate::world::{World, people, seal_tube, tube, world};

/// What a reviewer does with every run that waits.
const VOID: &str = "update run set state = 'void' where state = 'draft'";

/// The first five plates of L01, with as many positives as something is expected by.
async fn five(app: &TestApp, world: &World) {
    for n in 0..5 {
        plate_of(app, world, (n, "L01"), USUAL).await;
    }
}

/// What was expected of the positives of this plate, in parts per million.
async fn expected(app: &TestApp, plate: &str) -> Option<i64> {
    let mut tx = app.app.db.read("test.expected").await.unwrap();
    let sql = "select expected_laboratory from quality_share where run_id = $1";
    on!(tx, c => sqlx::query_scalar(sql).bind(plate).fetch_one(c).await).unwrap()
}

/// Twelve of 94.
const SHARE: Option<i64> = Some(127_659);

each_engine! {
    async fn a_run_that_is_made_void_is_shown_and_not_accepted(app) {
        let world = world(app).await;
        let made = run(app, &world, 6, &[(1, POSITIVE)]).await;
        let accepted = async || {
            let mut accepted = Vec::new();
            for measure in ["positive_control", "internal_control", "positivity"] {
                let path = format!("/v1/quality/charts?measure={measure}");
                let chart = app.get(&world.technician, &path).await.expect(200).json();
                accepted.push(chart["series"][0]["points"][0]["accepted"].clone());
            }
            Value::Array(accepted)
        };
        assert_eq!(accepted().await, json!([true, true, true]));
        let stands = async || {
            let mut tx = app.app.db.read("test.newest").await.unwrap();
            newest(&mut tx, Some("L01")).await.unwrap().len()
        };
        assert_ne!(stands().await, 0);
        let path = format!("/v1/runs/{}/review", made["id"].as_str().unwrap());
        let void = json!({ "decision": "void" });
        app.post(&world.reviewer, &path, &void).await.expect(200);
        assert_eq!(accepted().await, json!([false, false, false]));
        assert_eq!(stands().await, 0, "no chart stands where a void run was");
    }

    async fn nothing_is_learnt_of_a_control_from_void_runs(app) {
        let world = world(app).await;
        for n in 0..30 {
            plate_of(app, &world, (n, "L01"), Past { control: 31.0, ..USUAL }).await;
        }
        app.direct(VOID).await;
        let run = run(app, &world, 2, &[]).await;
        assert_eq!(run["verdict"]["flags"], json!([]), "{run}");
    }

    async fn void_runs_of_others_say_nothing_of_what_is_to_be_expected(app) {
        let world = world(app).await;
        let second = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
        app.put(&world.administrator, "/v1/laboratories/L02", &second).await.expect(201);
        five(app, &world).await;
        for (n, share) in [(0, SHARE), (1, None)] {
            plate_of(app, &world, (n, "L02"), USUAL).await;
            assert_eq!(expected(app, &format!("L02-{n:05}")).await, share);
            app.direct(VOID).await;
        }
    }

    async fn void_runs_of_its_own_say_nothing_to_a_laboratory_without_others(app) {
        let world = world(app).await;
        five(app, &world).await;
        app.pass(Span::days(5));
        for (n, share) in [(5, SHARE), (6, None)] {
            plate_of(app, &world, (n, "L01"), USUAL).await;
            assert_eq!(expected(app, &format!("L01-{n:05}")).await, share);
            app.direct(VOID).await;
        }
    }

    async fn a_tube_that_answers_a_recall_says_nothing_of_the_people(app) {
        let world = world(app).await;
        let members = people(100, 2);
        seal_tube(app, &world, 0, &members).await.expect(201);
        lab::deliver(app, &world, 0, &[tube(0)]).await;
        let plate = lab::load(app, &world, 0, &[tube(0)]).await;
        let positive = |n: u64| BTreeMap::from([(tube(n), POSITIVE)]);
        let file = lab::run_file(&plate, &positive(0), false);
        let pool = lab::upload(app, &world, &plate, file).await.expect(201).json();
        lab::release(app, &world, pool["id"].as_str().unwrap()).await;
        app.pass(Span::hours(2));
        seal_tube(app, &world, 1, &members[..1]).await.expect(201);
        seal_tube(app, &world, 2, &people(150, 1)).await.expect(201);
        let both = [tube(1), tube(2)];
        lab::deliver(app, &world, 1, &both).await;
        let plate = lab::load(app, &world, 1, &both).await;
        let file = lab::run_file(&plate, &positive(1), false);
        let singles = lab::upload(app, &world, &plate, file).await.expect(201).json();
        let mut tx = app.app.db.read("test.shares").await.unwrap();
        let sql = "select people, tubes, detected from quality_share where run_id = $1";
        for (read, share) in [(&pool, (2, 1, 1)), (&singles, (1, 1, 0))] {
            let id = read["id"].as_str().unwrap();
            let shares: Vec<(i64, i64, i64)> =
                on!(tx, c => sqlx::query_as(sql).bind(id).fetch_all(c).await).unwrap();
            assert_eq!(shares, [share], "{read}");
        }
    }
}
