//! The stream of changes: complete, in order, and nothing twice for whoever keeps the cursor.

use std::collections::BTreeSet;

use axum::http::Method;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::storage::Db;
use swabline::storage::outbox::{self, Change};

use crate::app::{Client, Engine, TestApp};
use crate::each_engine;
use crate::way;

/// Everything there is to read after `after`, and the new cursor.
async fn poll(app: &TestApp, client: &Client, after: &mut String, limit: u32) -> Vec<Value> {
    let mut seen = Vec::new();
    loop {
        let path = if after.is_empty() {
            format!("/v1/feed?limit={limit}")
        } else {
            format!("/v1/feed?limit={limit}&after={after}")
        };
        let page = app.get(client, &path).await.expect(200).json();
        page["next"].as_str().unwrap().clone_into(after);
        let changes = page["changes"].as_array().unwrap();
        if changes.is_empty() {
            return seen;
        }
        assert_eq!(changes.last().unwrap()["cursor"], page["next"]);
        seen.extend(changes.iter().cloned());
    }
}

/// Polls until `count` changes came; other databases on the same server may hold the horizon
/// back for a moment.
pub async fn poll_until(
    app: &TestApp,
    client: &Client,
    after: &mut String,
    count: usize,
) -> Vec<Value> {
    let mut seen = Vec::new();
    // Two minutes: a story that fills a large store in one transaction takes half of one.
    for _ in 0..2_400 {
        seen.extend(poll(app, client, after, 1_000).await);
        if seen.len() >= count {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    seen
}

fn tubes(changes: &[Value]) -> Vec<&str> {
    changes.iter().map(|change| change["tube"].as_str().unwrap()).collect()
}

each_engine! {
    async fn a_service_reads_every_change_with_its_people_and_outcome(app) {
        way::places(app).await;
        way::negative(app, "T1", [1, 2]).await;
        way::positive_pool(app, "T2", [3, 4]).await;
        let service = app.client(Role::Service).await;
        let mut after = String::new();
        let changes = poll_until(app, &service, &mut after, 6).await;
        let kinds: Vec<_> = changes.iter().map(|change| change["change"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["sealed", "received", "released", "sealed", "received", "recall_opened"]);
        assert_eq!(changes[2]["outcome"], "not_detected");
        assert!(changes[5].get("outcome").is_none());
        let people = [1, 2].map(|one| way::person(app, one).as_str().to_owned());
        assert_eq!(changes[2]["persons"], json!(people));
        // The cursor of an empty page reads on where it stood.
        let before = after.clone();
        assert!(poll(app, &service, &mut after, 10).await.is_empty());
        assert_eq!(after, before);
        // A reader that lost its place reads the same again, one by one.
        let (mut again, mut one_by_one) = (String::new(), Vec::new());
        one_by_one.extend(poll(app, &service, &mut again, 1).await);
        assert_eq!(one_by_one, changes);
    }

    async fn an_amendment_tells_the_new_outcome_and_the_release_the_old_one(app) {
        way::places(app).await;
        way::negative(app, "T1", [1]).await;
        app.pass(swabline::clock::Span::hours(1));
        let mut tx = app.app.db.write("test.amend").await.unwrap();
        let now = app.now().us();
        way::run(&mut tx, format!("insert into result (id, tube_code, version, outcome, run_id,
            reviewed_by, released_by, released_us, reason, signature_id, content_hash)
            values ('T1.2', 'T1', 2, 'detected', 'RPT1', 'X', 'Y', {now}, 'mixed_up', 'ST1', '')")).await;
        outbox::append(&mut tx, Change::Amended, ["T1"], app.now()).await.unwrap();
        tx.commit().await.unwrap();
        let service = app.client(Role::Service).await;
        let changes = poll_until(app, &service, &mut String::new(), 4).await;
        assert_eq!((&changes[2]["change"], &changes[2]["outcome"]),
            (&json!("released"), &json!("not_detected")));
        assert_eq!((&changes[3]["change"], &changes[3]["outcome"]),
            (&json!("amended"), &json!("detected")));
    }

    async fn a_forged_cursor_and_a_boundless_page_are_refused(app) {
        let officer = app.client(Role::Officer).await;
        for query in ["after=forged", "limit=0", "limit=10001", "limit=x", "from=1"] {
            app.get(&officer, &format!("/v1/feed?{query}")).await.expect(400);
        }
        let page = app.get(&officer, "/v1/feed").await.expect(200).json();
        assert_eq!(page["changes"], json!([]));
        let next = page["next"].as_str().unwrap();
        app.get(&officer, &format!("/v1/feed?limit=10000&after={next}")).await.expect(200);
    }

    async fn a_cursor_of_a_store_that_had_more_is_refused(app) {
        way::places(app).await;
        let service = app.client(Role::Service).await;
        let (mut before, mut newest) = (String::new(), String::new());
        way::negative(app, "T1", [1]).await;
        poll_until(app, &service, &mut before, 3).await;
        way::seal(app, "T2", [2]).await;
        poll_until(app, &service, &mut newest, 4).await;
        let read = async |after: &str| app.get(&service, &format!("/v1/feed?after={after}")).await;
        assert_eq!(read(&newest).await.expect(200).json()["changes"], json!([]));
        // An older copy of the store is put in its place.
        way::tamper(app, &["feed_kept"], "delete from feed where tube_code = 'T2'").await;
        assert_eq!(read(&newest).await.expect(409).code(), "feed.ahead");
        assert_eq!(read(&before).await.expect(200).json()["changes"], json!([]));
        way::tamper(app, &[], "delete from feed").await;
        assert_eq!(read(&before).await.expect(409).code(), "feed.ahead");
        app.get(&service, "/v1/feed").await.expect(200);
    }

    async fn eight_writers_at_once_and_a_reader_that_misses_and_repeats_nothing(app) {
        let service = app.client(Role::Service).await;
        // What each writer does: how many changes in each transaction, and whether it commits.
        let plans = proptest::collection::vec(
            proptest::collection::vec((1..4_u32, proptest::bool::weighted(0.8)), 1..12), 8);
        let plans = plans.new_tree(&mut TestRunner::deterministic()).unwrap().current();
        let expected: usize = plans.iter().flatten()
            .filter(|(_, commits)| *commits).map(|(changes, _)| *changes as usize).sum();
        let mut writers = tokio::task::JoinSet::new();
        for (writer, plan) in plans.into_iter().enumerate() {
            let (db, now) = (app.app.db.clone(), app.now());
            writers.spawn(async move {
                for (turn, (changes, commits)) in plan.into_iter().enumerate() {
                    let mut tx = db.write("test.writer").await.unwrap();
                    for change in 0..changes {
                        let tube = format!("T{writer}-{turn}-{change}-{commits}");
                        outbox::append(&mut tx, Change::Sealed, [tube], now).await.unwrap();
                        let pause = (writer * 7 + turn * 3) % 11;
                        tokio::time::sleep(std::time::Duration::from_millis(pause as u64)).await;
                    }
                    if commits {
                        tx.commit().await.unwrap();
                    }
                }
            });
        }
        let (mut after, mut seen) = (String::new(), Vec::new());
        while !writers.is_empty() {
            seen.extend(poll(app, &service, &mut after, 3).await);
            while writers.try_join_next().is_some() {}
        }
        seen.extend(poll_until(app, &service, &mut after, expected - seen.len()).await);
        let names = tubes(&seen);
        let once: BTreeSet<_> = names.iter().collect();
        assert_eq!((names.len(), once.len()), (expected, expected));
        assert!(names.iter().all(|name| name.ends_with("true")));
    }
}

/// The case that a reader of "number greater than the last one" gets wrong (R46).
#[tokio::test]
async fn nothing_is_skipped_when_a_lower_number_commits_last() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let service = app.client(Role::Service).await;
    let mut slow = app.app.db.write("test.slow").await.unwrap();
    outbox::append(&mut slow, Change::Sealed, ["LOWER"], app.now()).await.unwrap();
    let mut fast = app.app.db.write("test.fast").await.unwrap();
    outbox::append(&mut fast, Change::Sealed, ["HIGHER"], app.now()).await.unwrap();
    fast.commit().await.unwrap();
    let committed = "select cast(min(seq) as bigint) from feed where tube_code = 'HIGHER'";
    assert_eq!(way::number(&app, committed).await, 2, "the higher number is there first");
    let mut after = String::new();
    assert!(poll(&app, &service, &mut after, 10).await.is_empty(), "the lower one is still open");
    slow.commit().await.unwrap();
    let seen = poll_until(&app, &service, &mut after, 2).await;
    assert_eq!(tubes(&seen), ["LOWER", "HIGHER"]);
    assert!(poll(&app, &service, &mut after, 10).await.is_empty());
}

/// The other way round: the number is drawn late by the transaction that began first.
#[tokio::test]
async fn nothing_is_skipped_when_the_older_transaction_draws_the_higher_number() {
    swabline::http::health::recorder();
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let service = app.client(Role::Service).await;
    let mut slow = app.app.db.write("test.slow").await.unwrap();
    way::run(&mut slow, "select pg_current_xact_id()".to_owned()).await;
    let mut fast = app.app.db.write("test.fast").await.unwrap();
    outbox::append(&mut fast, Change::Sealed, ["FAST"], app.now()).await.unwrap();
    fast.commit().await.unwrap();
    let mut after = String::new();
    assert!(poll(&app, &service, &mut after, 10).await.is_empty());
    // An operator sees that somebody holds the feed back; how far is shared with other stories here.
    app.look().await;
    let figures = app.call(Method::GET, "/metrics", None, None).await.expect(200).text();
    assert!(figures.contains("\nfeed_held_back "), "{figures}");
    outbox::append(&mut slow, Change::Sealed, ["SLOW"], app.now()).await.unwrap();
    slow.commit().await.unwrap();
    assert_eq!(tubes(&poll_until(&app, &service, &mut after, 2).await), ["SLOW", "FAST"]);
}

/// What such a store gains would stand behind every cursor for as long as its server is young.
#[tokio::test]
async fn a_store_that_was_loaded_from_another_server_is_not_opened() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    way::places(&app).await;
    way::seal(&app, "T1", [1]).await;
    let url = app.app.config.database_url();
    Db::open(&url, &app.clock).await.expect("it is its own server's").close().await;
    let foreign = "update feed set epoch = 1000000000000";
    way::tamper(&app, &["feed_fixed"], foreign).await;
    let refused = Db::open(&url, &app.clock).await.unwrap_err().to_string();
    assert!(refused.contains("transaction 1000000000000"), "{refused}");
    assert!(refused.contains("pg_basebackup") && !refused.contains('\n'), "{refused}");
    // As the page on scaling says, for whoever has nothing but a dump.
    app.direct("update feed set epoch = 1").await;
    Db::open(&url, &app.clock).await.expect("it counts on from here").close().await;
}
