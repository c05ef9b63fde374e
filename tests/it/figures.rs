//! The city's figures: the counters say what the rows say, whatever became of the tubes.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _, query};
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::figures::check::{Checked, check};
use swabline::figures::fold::fold;
use swabline::figures::store::{MOVED_HOURLY, TOOK, figures};
use swabline::figures::{Amount, Figures, Scope, Stretch, WaitsFor};
use swabline::on;

use crate::app::{Engine, TestApp};
use crate::each_engine;
use crate::way;

pub async fn checked(app: &TestApp) -> Checked {
    let mut tx = app.app.db.read("test.check").await.unwrap();
    check(&mut tx).await.unwrap()
}

async fn shown(app: &TestApp) -> Figures {
    let mut tx = app.app.db.read("test.figures").await.unwrap();
    // The round of these stories ended long before they play.
    let scope = Scope { round: Some("R01".to_owned()), ..Scope::default() };
    figures(&mut tx, app.now(), &scope).await.unwrap()
}

/// One tube of three in every state, a second run and a second swab on the way; the road to the
/// laboratory takes so long.
pub async fn a_morning(app: &TestApp, road: Span) {
    way::places(app).await;
    let tubes = ["SEALED", "PACKED", "RECEIVED", "REFUSED", "MISSING", "PLATED", "AGAIN"];
    for (n, tube) in (1_u32..).zip(tubes) {
        way::seal(app, tube, n * 10..n * 10 + 3).await;
    }
    for tube in &tubes[1..] {
        way::pack(app, tube).await;
    }
    app.pass(road);
    for (tube, finding) in [
        ("RECEIVED", "accepted"),
        ("REFUSED", "refused"),
        ("MISSING", "missing"),
        ("PLATED", "accepted"),
        ("AGAIN", "accepted"),
    ] {
        way::arrive(app, tube, finding).await;
    }
    app.pass(Span::minutes(50));
    way::plate(app, "PLATED", "P1").await;
    way::plate(app, "AGAIN", "P2").await;
    way::release(app, "AGAIN", "P2", ("inconclusive", "retest")).await;
    way::plate(app, "AGAIN", "P3").await;
    way::negative(app, "RELEASED", 170..173).await;
    way::positive_pool(app, "CLOSED", 180..183).await;
}

fn tubes(n: i64) -> Amount {
    Amount { tubes: n, people: 3 * n }
}

each_engine! {
    async fn they_say_where_everybody_is_and_stay_the_same_when_they_are_folded(app) {
        assert_eq!(checked(app).await.differences, []);
        a_morning(app, Span::hours(2)).await;
        let before = shown(app).await;
        let stages = before.stages;
        assert_eq!(stages.collected, tubes(9));
        assert_eq!((stages.in_transit, stages.received, stages.refused),
            (tubes(2), tubes(1), tubes(1)));
        assert_eq!((stages.missing, stages.in_process), (tubes(1), tubes(2)));
        assert_eq!((stages.released, stages.closed), (tubes(1), tubes(1)));
        assert_eq!((before.areas.len(), before.areas[0].stages), (1, stages));
        assert_eq!(before.laboratories.len(), 1);
        let laboratory = &before.laboratories[0];
        assert_eq!((laboratory.laboratory.as_str(), laboratory.stages.collected), ("L01", tubes(6)));
        assert_eq!((laboratory.plates, laboratory.to_review, laboratory.to_release), (2, 0, 0));
        assert_eq!((before.recalls.opened, before.recalls.open), (6, 6));
        let collected: i64 = before.hours.iter().map(|line| line.collected.people).sum();
        assert_eq!((before.hours.len(), collected), (24, 27));
        let received: i64 = before.hours.iter().map(|line| line.received.tubes).sum();
        assert_eq!(received, 5, "the tube that came back was received once");
        let transport = &before.turnaround[0];
        assert_eq!((transport.stretch, transport.count), (Stretch::Transport, 5));
        assert_eq!(before.turnaround.last().unwrap().count, 1);
        fold(&app.app.db, 3).await.unwrap();
        assert_eq!(way::number(app, "select count(*) from figure_delta").await, 0);
        assert_eq!(shown(app).await, before);
        let found = checked(app).await;
        assert_eq!(found.differences, []);
        assert!(found.compared > 20, "{found:?}");
        // What is folded later is added to what was folded before.
        app.pass(Span::minutes(10));
        way::pack(app, "SEALED").await;
        way::arrive(app, "SEALED", "accepted").await;
        way::arrive(app, "PACKED", "accepted").await;
        fold(&app.app.db, 3).await.unwrap();
        assert_eq!((shown(app).await.stages.received, checked(app).await.differences),
            (tubes(3), vec![]));
    }

    async fn a_counter_that_was_tampered_with_is_found(app) {
        a_morning(app, Span::hours(2)).await;
        fold(&app.app.db, 3).await.unwrap();
        assert_eq!(checked(app).await.differing, 0);
        app.direct("update figure set n = n + 1 where kind = 'tube' and move = 'plated>released'")
            .await;
        let found = checked(app).await;
        let what: Vec<_> = found.differences.iter().map(|one| one.what.as_str()).collect();
        assert_eq!(what, ["tube plated", "tube plated>released", "tube released"]);
        let released = &found.differences[2];
        assert_eq!((released.counted.tubes, released.stored.tubes), (2, 1));
        app.direct("update figure set n = n - 1 where kind = 'tube' and move = 'plated>released'")
            .await;
        assert_eq!(checked(app).await.differing, 0);
        for (sql, what) in [
            ("delete from figure where kind = 'recall'", "recall >open"),
            ("delete from figure where kind = 'run'", "run >draft"),
            ("update figure set bucket = bucket + 1 where kind = 'whole'", "whole closed"),
        ] {
            app.direct(sql).await;
            let found = checked(app).await;
            assert!(found.differences.iter().any(|one| one.what == what), "{sql}: {found:?}");
        }
    }

    async fn whoever_waits_beyond_the_promise_is_late(app) {
        a_morning(app, Span::hours(2)).await;
        assert_eq!(shown(app).await.late.waiting, Amount::default());
        app.pass(Span::hours(25));
        let late = shown(app).await.late;
        // Refused, released and closed tubes came to their end; the missing one did not.
        assert_eq!((late.waiting, late.released), (tubes(6), Amount::default()));
        way::release(app, "PLATED", "P1", ("not_detected", "report")).await;
        let late = shown(app).await.late;
        assert_eq!((late.waiting, late.released), (tubes(5), tubes(1)));
        assert_eq!(checked(app).await.differences, []);
    }

    async fn what_waits_longest_is_named(app) {
        a_morning(app, Span::hours(2)).await;
        let oldest = shown(app).await.oldest;
        let of = |kind| oldest.iter().filter(|one| one.waits_for == kind)
            .map(|one| one.code.as_str()).collect::<Vec<_>>();
        assert_eq!(of(WaitsFor::Arrival),
            ["BAGAIN", "BMISSING", "BPACKED", "BPLATED", "BRECEIVED"]);
        assert_eq!(of(WaitsFor::Run), ["P1", "P3"]);
        assert_eq!(of(WaitsFor::Swab).len(), 5);
        assert_eq!(of(WaitsFor::AnotherRun), Vec::<&str>::new());
    }

    async fn each_sees_what_is_theirs(app) {
        a_morning(app, Span::hours(2)).await;
        let administrator = app.client(Role::Administrator).await;
        let second = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
        app.put(&administrator, "/v1/laboratories/L02", &second).await.expect(201);
        let officer = app.client(Role::Officer).await;
        let asked = |query: &str| format!("/v1/figures{query}");
        for (query, tubes) in [("", 0), ("?round=R01", 9), ("?round=R01&area=Area", 9),
            ("?round=R01&laboratory=L01", 6), ("?round=R01&laboratory=L02", 0)] {
            let seen = app.get(&officer, &asked(query)).await.expect(200).json();
            assert_eq!(seen["stages"]["collected"]["tubes"], json!(tubes), "{query}");
        }
        let unknown = app.get(&officer, &asked("?round=R99")).await.expect(422);
        assert_eq!(unknown.code(), "figures.round");
        app.get(&officer, &asked("?area=%00")).await.expect(422);
        for (query, code) in [("?area=Nowhere", "area.not_found"),
            ("?laboratory=L99", "laboratory.not_found")] {
            for path in ["", "/live", "/flow.svg"] {
                let unknown = app.get(&officer, &format!("/v1/figures{path}{query}")).await;
                assert_eq!(unknown.expect(404).code(), code, "{path}{query}");
            }
        }
        let reviewer = app.client(Role::Reviewer).await;
        let own = app.get(&reviewer, "/v1/figures?round=R01").await.expect(200).json();
        assert_eq!(own["stages"]["collected"]["tubes"], json!(6));
        assert!(own["oldest"].as_array().unwrap().iter().all(|one| one["place"] == "L01"));
        app.get(&reviewer, &asked("?laboratory=L02")).await.expect(403);
        let bound = app.client_at(Role::Officer, Some("S01".to_owned()), None).await;
        app.get(&bound, "/v1/figures").await.expect(403);
        app.get(&bound, "/v1/figures/live").await.expect(403);
        app.get(&reviewer, "/v1/figures/live?laboratory=L02").await.expect(403);
        let sampler = app.client(Role::Sampler).await;
        app.get(&sampler, "/v1/figures").await.expect(403);
        for picture in ["flow", "turnaround"] {
            let path = format!("/v1/figures/{picture}.svg?theme=dark&area=Area");
            let drawn = app.get(&officer, &path).await.expect(200);
            assert_eq!(drawn.headers["content-type"], "image/svg+xml");
            assert_eq!(drawn.headers["content-security-policy"], "default-src 'none'");
            assert!(drawn.text().starts_with("<svg") && drawn.text().contains("<desc"));
        }
        app.get(&officer, "/v1/figures/flow.svg?theme=loud").await.expect(400);
    }
}

/// The part of step 16 that counts what is stored already.
fn counting(engine: Engine) -> &'static str {
    let step = match engine {
        Engine::Sqlite => include_str!("../../migrations/sqlite/0016_figures.sql"),
        Engine::Postgres => include_str!("../../migrations/postgres/0016_figures.sql"),
    };
    let (_, rest) = step.split_once("-- What is stored already").expect("the step counts");
    let (_, rest) = rest.split_once("now.\n").expect("it counts after a word about it");
    rest.split_once("-- Boxes that are").expect("it goes on").0
}

each_engine! {
    async fn a_store_from_before_the_counters_is_counted(app) {
        a_morning(app, Span::hours(2)).await;
        let before = shown(app).await;
        app.direct("delete from figure; delete from figure_delta").await;
        assert!(checked(app).await.differing > 0);
        app.direct(counting(app.engine)).await;
        assert_eq!(checked(app).await.differences, []);
        assert_eq!(way::number(app, "select count(*) from figure_delta").await, 0);
        let after = shown(app).await;
        assert_eq!((after.stages, after.recalls), (before.stages, before.recalls));
        assert_eq!(after.laboratories[0].stages, before.laboratories[0].stages);
        assert_eq!(after.turnaround.last(), before.turnaround.last());
        // What comes after is counted by the move.
        way::pack(app, "SEALED").await;
        way::arrive(app, "SEALED", "accepted").await;
        assert_eq!(checked(app).await.differences, []);
    }

    async fn folding_twice_at_once_while_tubes_move_loses_nothing(app) {
        a_morning(app, Span::hours(2)).await;
        let db = &app.app.db;
        for n in 0..5 {
            let seal = way::seal(app, ["A", "B", "C", "D", "E"][n], [900 + u32::try_from(n).unwrap()]);
            let (one, other, ()) = tokio::join!(fold(db, 3), fold(db, 3), seal);
            one.unwrap();
            other.unwrap();
        }
        let found = checked(app).await;
        assert_eq!(found.differences, []);
        assert_eq!(shown(app).await.stages.collected.tubes, 14);
    }
}

/// Three years of what one laboratory's plates and runs did, an hour at a time.
const YEARS: &str = "insert into figure (round_code, kind, move, hour, area, laboratory_code,
        bucket, n, people)
    with recursive counted(n) as (select cast(1000 as bigint) union all
        select n + 1 from counted where n < 26000)
    select '', k.kind, k.move, n, '', 'L01', 0, 1, 0 from counted
        cross join (select 'plate' as kind, 'draft>frozen' as move union all
            select 'run', '>draft' union all select 'review', '') k";

/// How the engine goes about a statement of the figures, asked for from this hour on.
async fn plan(app: &TestApp, sql: &str, hour: i64) -> String {
    let mut tx = app.app.db.read("test.plan").await.unwrap();
    let (explain, told) = match app.engine {
        Engine::Sqlite => ("explain query plan", 3),
        Engine::Postgres => ("explain", 0),
    };
    let sql = AssertSqlSafe(format!("{explain} {sql}"));
    let steps: Vec<String> = on!(tx, c => query(sql).bind("[]").bind(None::<String>)
        .bind(None::<String>).bind(hour).bind(hour + 1).fetch_all(c).await
        .map(|rows| rows.iter().map(|row| row.get(told)).collect()))
    .unwrap();
    steps.join("\n")
}

each_engine! {
    async fn what_plates_did_years_ago_is_neither_shown_nor_read(app) {
        a_morning(app, Span::hours(2)).await;
        let before = shown(app).await;
        app.direct(YEARS).await;
        app.direct("analyze").await;
        assert_eq!(shown(app).await, before);
        let hour = app.now().us() / Span::hours(1).us();
        for sql in [format!("{MOVED_HOURLY} limit $5"), TOOK.to_owned()] {
            let plan = plan(app, &sql, hour).await;
            assert!(plan.contains("figure_of_no_round"), "{plan}");
        }
    }
}

/// Reads one event of a stream: its text from `data:`.
async fn event(body: &mut axum::body::BodyDataStream) -> Option<Value> {
    use futures_util::StreamExt as _;
    let mut text = String::new();
    while let Some(part) = body.next().await {
        text.push_str(std::str::from_utf8(&part.unwrap()).unwrap());
        if text.ends_with("\n\n") {
            let data = text.lines().find_map(|line| line.strip_prefix("data: "));
            if let Some(data) = data {
                return Some(serde_json::from_str(data).unwrap());
            }
            text.clear();
        }
    }
    None
}

each_engine! {
    async fn whoever_watches_is_told_of_changes_and_nothing_is_looked_at_for_nobody(app) {
        way::places(app).await;
        let officer = app.client(Role::Officer).await;
        let board = &app.app.board;
        assert_eq!(board.shown(), 0);
        let mut first = app.stream(&officer, "/v1/figures/live?round=R01").await;
        let mut second = app.stream(&officer, "/v1/figures/live?round=R01").await;
        for watcher in [&mut first, &mut second] {
            let seen = event(watcher).await.unwrap();
            assert_eq!(seen["stages"]["collected"]["tubes"], json!(0));
        }
        assert_eq!(board.shown(), 1, "both share one look");
        way::seal(app, "T1", [1]).await;
        for watcher in [&mut first, &mut second] {
            let seen = event(watcher).await.unwrap();
            assert_eq!(seen["stages"]["collected"]["tubes"], json!(1));
        }
        drop(first);
        // A right that was lost ends the stream with the next change.
        app.direct("update account set disabled_us = 1").await;
        app.pass(Span::minutes(1));
        way::seal(app, "T2", [2]).await;
        assert_eq!(event(&mut second).await, None);
        drop(second);
        for _ in 0..100 {
            if board.shown() == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("somebody looks for nobody");
    }

    async fn a_stream_ends_when_the_service_stops(app) {
        way::places(app).await;
        let officer = app.client(Role::Officer).await;
        let mut stream = app.stream(&officer, "/v1/figures/live?round=R01").await;
        assert!(event(&mut stream).await.is_some());
        app.app.stopping.send_replace(true);
        assert_eq!(event(&mut stream).await, None);
    }
}
