//! Release by rule is a bypass of the second person: it ends by itself, and the board says until when.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::clock::{Span, Time};

use crate::app::{Client, TestApp};
use crate::each_engine;
use crate::laboratory as lab;
use crate::world::{World, people, seal_tube, tube, world};

const SWITCH: &str = "/v1/switches/auto_release";

/// Turns it on until then; for a day where no time is given.
fn on(until: Option<Time>) -> Value {
    let mut set = json!({ "on": true, "reason": "validated" });
    if let Some(until) = until {
        set["until"] = json!(until);
    }
    set
}

/// Tests a negative pool on the `n`th plate and has one person review it; what the rule released.
async fn by_rule(app: &TestApp, world: &World, n: u64) -> Value {
    seal_tube(app, world, n, &people(n * 10, 10)).await.expect(201);
    lab::deliver(app, world, n, &[tube(n)]).await;
    let plate = lab::load(app, world, n, &[tube(n)]).await;
    let file = lab::run_file(&plate, &BTreeMap::new(), false);
    let run = lab::upload(app, world, &plate, file).await.expect(201).json();
    let path = format!("/v1/runs/{}/review", run["id"].as_str().unwrap());
    let accept = json!({ "decision": "accept" });
    app.post(&world.reviewer, &path, &accept).await.expect(200).json()["released_by_rule"].clone()
}

/// A page in English.
async fn page(app: &TestApp, client: &Client, at: &str) -> String {
    let request = Request::get(at)
        .header("authorization", format!("Bearer {}", client.token))
        .header("accept-language", "en");
    app.send(request.body(Body::empty()).unwrap()).await.expect(200).text()
}

each_engine! {
    async fn what_nobody_turns_off_turns_itself_off(app) {
        let world = world(app).await;
        let until = app.now() + Span::hours(2);
        let set = app.put(&world.reviewer, SWITCH, &on(Some(until))).await.expect(200).json();
        assert_eq!((&set["on"], &set["until"]), (&json!(true), &json!(until)));
        assert_eq!(by_rule(app, &world, 0).await, json!([tube(0)]));
        let left = until.us() - app.now().us();
        app.clock.advance_to(app.now() + Span::seconds(left / 1_000_000 + 1));
        assert_eq!(by_rule(app, &world, 1).await, json!([]));
        let ended = app.get(&world.reviewer, SWITCH).await.expect(200).json();
        assert_eq!((&ended["on"], &ended["until"]), (&json!(false), &json!(until)), "{ended}");
        app.put(&world.reviewer, SWITCH, &on(None)).await.expect(200);
        assert_eq!(by_rule(app, &world, 2).await, json!([tube(2)]));
    }

    async fn it_stays_on_for_a_day_or_as_long_as_said_but_no_longer_than_a_month(app) {
        let world = world(app).await;
        let ends = |set: &Value| set["until"].as_str().unwrap().parse::<Time>().unwrap();
        let set = app.put(&world.reviewer, SWITCH, &on(None)).await.expect(200).json();
        let at = set["set_at"].as_str().unwrap().parse::<Time>().unwrap();
        assert_eq!(ends(&set), at + Span::days(1), "{set}");
        let month = app.now() + Span::days(31);
        let set = app.put(&world.reviewer, SWITCH, &on(Some(month))).await.expect(200).json();
        assert_eq!(ends(&set), month);
        let off_until = json!({ "on": false, "reason": "a doubt", "until": month });
        let past = on(Some(app.now() + Span::seconds(-1)));
        for wrong in [past, on(Some(app.now() + Span::days(32))), off_until] {
            let refused = app.put(&world.reviewer, SWITCH, &wrong).await.expect(422);
            assert_eq!(refused.code(), "switch.until", "{wrong}");
        }
        let still = app.get(&world.reviewer, SWITCH).await.expect(200).json();
        assert_eq!(still, set, "what is refused changes nothing");
        let off = json!({ "on": false, "reason": "a doubt" });
        let set = app.put(&world.reviewer, SWITCH, &off).await.expect(200).json();
        assert_eq!((&set["on"], &set["until"]), (&json!(false), &Value::Null));
    }

    async fn a_node_of_the_version_before_turns_it_on_for_a_day(app) {
        let world = world(app).await;
        app.put(&world.reviewer, SWITCH, &on(Some(app.now() + Span::hours(1)))).await.expect(200);
        app.pass(Span::hours(5));
        let at = app.now().us();
        app.direct(&format!("update switch set is_on = 1, set_us = {at}")).await;
        assert_eq!(by_rule(app, &world, 0).await, json!([tube(0)]));
        app.pass(Span::hours(24));
        assert_eq!(by_rule(app, &world, 1).await, json!([]));
    }

    async fn the_board_and_the_page_of_settings_say_until_when(app) {
        let world = world(app).await;
        let officer = app.client(Role::Officer).await;
        let admin = app.client(Role::Administrator).await;
        assert!(!page(app, &officer, "/board").await.contains("by-rule"));
        let until = app.now() + Span::hours(3);
        app.put(&world.reviewer, SWITCH, &on(Some(until))).await.expect(200);
        let local = until.local();
        let board = page(app, &officer, "/board").await;
        assert!(board.contains(&format!("data-figure=\"by-rule\">{}<", &local[11..16])), "{board}");
        assert!(board.contains(&format!("until {}", &local[..10])), "{board}");
        let system = page(app, &admin, "/admin/system").await;
        assert!(system.contains(&format!("on until {}", &local[..16])), "{system}");
        app.pass(Span::hours(4));
        assert!(!page(app, &officer, "/board").await.contains("by-rule"));
        assert!(page(app, &admin, "/admin/system").await.contains("<td>off</td>"));
    }
}
