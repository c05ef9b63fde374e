//! What is kept before the store is never older than what changed: on this node, on others, in
//! memory and in Redis, and whatever Redis does.

pub mod redis;

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use futures_util::future::join_all;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::cache::Kept;
use swabline::clock::Span;
use swabline::collection::person::{DocumentType, Shown};
use swabline::query::lookup::read;
use swabline::query::report::report;
use swabline::storage::outbox::{self, Change};

use crate::app::{Client, Engine, TestApp};
use crate::each_engine;
use crate::way;
use crate::world;

/// How often something that has to come is asked for before the story fails, every 20 ms.
const TURNS: u32 = 1_500;

/// Waits until it is so.
async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    for _ in 0..TURNS {
        if is().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came: {what}");
}

/// What somebody with a link is told on this node.
async fn told(node: &TestApp, person: u32) -> Value {
    let keys = &node.app.keys;
    let link = keys.link(&way::person(node, person), node.now() + Span::days(1));
    let body = json!({ "link": link });
    node.call(Method::POST, "/v1/status", None, Some(&body)).await.expect(200).json()
}

async fn state(node: &TestApp, person: u32) -> String {
    told(node, person).await["state"].as_str().unwrap().to_owned()
}

/// What memory keeps of them and would show.
fn kept(node: &TestApp, person: u32) -> Option<Kept> {
    node.app.cache.kept(&way::person(node, person))
}

/// Asks until memory keeps it: transactions of other databases on the server may hold back from
/// when on a reader is known to have seen everything.
async fn keep(node: &TestApp, person: u32) {
    until("it is kept", async || {
        node.look().await;
        told(node, person).await;
        kept(node, person).is_some()
    })
    .await;
}

each_engine! {
    async fn every_step_of_a_tube_is_shown_on_both_nodes_though_both_keep_what_was(app) {
        let other = app.beside(|_| {}).await;
        way::places(app).await;
        let both = async |step: &str, shown: &str| {
            for node in [app, &other] {
                node.look().await;
                assert_eq!(state(node, 1).await, shown, "{step}");
                assert_eq!(state(node, 1).await, shown, "{step}, again");
                keep(node, 1).await;
                assert_eq!(state(node, 1).await, shown, "{step}, kept");
            }
        };
        way::seal(app, "T1", [1, 2]).await;
        both("sealed", "sampled").await;
        way::pack(app, "T1").await;
        both("packed", "sampled").await;
        way::arrive(app, "T1", "accepted").await;
        both("arrived", "received").await;
        way::plate(app, "T1", "P1").await;
        both("plated", "received").await;
        way::release(app, "T1", "P1", ("not_detected", "report")).await;
        both("released", "released").await;
        way::seal(app, "T2", [1, 3]).await;
        both("sealed again", "sampled").await;
        way::pack(app, "T2").await;
        way::arrive(app, "T2", "refused").await;
        both("refused", "under_verification").await;
    }

    async fn somebody_never_swabbed_is_kept_as_unknown_until_their_first_swab(app) {
        way::places(app).await;
        let link = app.app.keys.link(&way::person(app, 1), app.now() + Span::days(1));
        let link = json!({ "link": link });
        until("it is kept", async || {
            app.look().await;
            app.call(Method::POST, "/v1/status", None, Some(&link)).await.expect(404);
            kept(app, 1).is_some()
        }).await;
        assert_eq!(kept(app, 1).unwrap().status, None);
        way::seal(app, "T1", [1]).await;
        app.look().await;
        assert_eq!(state(app, 1).await, "sampled");
    }

    async fn whoever_read_before_a_change_and_keeps_it_after_deceives_nobody(app) {
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        way::pack(app, "T1").await;
        keep(app, 1).await;
        let cache = &app.app.cache;
        // A slow reader: it has read, the change comes and is noted, and only then it keeps.
        let slow = read(&app.app.db, cache, vec![way::person(app, 1)]).await.unwrap();
        way::arrive(app, "T1", "accepted").await;
        app.look().await;
        cache.keep(slow.clone());
        assert_eq!(kept(app, 1), None);
        assert_eq!(state(app, 1).await, "received");
        // Neither when it comes after what is right is kept.
        keep(app, 1).await;
        cache.keep(slow);
        assert_eq!(state(app, 1).await, "received");
    }

    async fn a_node_that_follows_shows_what_another_one_released(app) {
        let other = app.beside(|_| {}).await;
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        way::pack(app, "T1").await;
        way::arrive(app, "T1", "accepted").await;
        way::plate(app, "T1", "P1").await;
        let follows = {
            let (cache, db) = (other.app.cache.clone(), other.app.db.clone());
            tokio::spawn(async move { cache.follow(&db).await })
        };
        until("it is kept", async || {
            told(&other, 1).await;
            kept(&other, 1).is_some()
        }).await;
        way::release(app, "T1", "P1", ("not_detected", "report")).await;
        until("it is released", async || state(&other, 1).await == "released").await;
        follows.abort();
    }

    async fn a_node_shows_what_it_committed_itself_at_once(app) {
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        way::pack(app, "T1").await;
        keep(app, 1).await;
        way::arrive(app, "T1", "accepted").await;
        // Nobody has looked at the feed since.
        assert_eq!(kept(app, 1), None);
        assert_eq!(state(app, 1).await, "received");
        way::plate(app, "T1", "P1").await;
        keep(app, 1).await;
        way::release(app, "T1", "P1", ("not_detected", "report")).await;
        assert_eq!(kept(app, 1), None);
        assert_eq!(state(app, 1).await, "released");
    }

    async fn whoever_is_swabbed_on_this_node_is_shown_so_at_once(app) {
        let world = world::world(app).await;
        let people = world::people(0, 2);
        let keys: Vec<_> = people.iter().map(|person| {
            let (kind, number) = (DocumentType::ResidentId, person.number.as_str());
            Shown { kind, issuer: None, number }.key(&app.app.keys)
        }).collect();
        until("they are kept as unknown", async || {
            app.look().await;
            app.app.lookups.statuses(&keys).await.unwrap();
            keys.iter().all(|key| app.app.cache.kept(key).is_some())
        }).await;
        world::seal_tube(app, &world, 0, &people).await.expect(201);
        for key in &keys {
            assert_eq!(app.app.cache.kept(key), None);
            let status = app.app.lookups.status(key).await.unwrap();
            assert!(text(status.as_ref()).contains("sampled"));
        }
    }

    async fn a_node_that_follows_no_longer_asks_the_store(app) {
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        keep(app, 1).await;
        until("the lease ends", async || kept(app, 1).is_none()).await;
        way::pack(app, "T1").await;
        way::arrive(app, "T1", "accepted").await;
        assert_eq!(state(app, 1).await, "received");
    }

    async fn many_are_forgotten_at_once_and_nobody_is_shown_what_was(app) {
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        keep(app, 1).await;
        // More people than are noted one by one.
        for tube in 0..300_u32 {
            way::seal(app, &format!("M{tube}"), (0..10).map(|n| 100 + tube * 10 + n)).await;
        }
        way::pack(app, "T1").await;
        way::arrive(app, "T1", "accepted").await;
        app.look().await;
        assert_eq!(state(app, 1).await, "received");
        keep(app, 1).await;
    }

    async fn a_thousand_people_at_once_are_told_what_each_is_told_alone(app) {
        way::places(app).await;
        way::negative(app, "T1", [1, 2]).await;
        way::seal(app, "T2", [3]).await;
        let service = app.client(Role::Service).await;
        let everybody: Vec<_> = (0..1_000).map(|n| document(n % 7)).collect();
        let body = json!({ "people": everybody });
        app.look().await;
        let ask = async || app.post(&service, "/v1/status/batch", &body).await.expect(200).json();
        let (first, again) = (ask().await, ask().await);
        assert_eq!(first, again);
        assert_eq!(first["people"].as_array().unwrap().len(), 1_000);
        for (n, one) in first["people"].as_array().unwrap().iter().enumerate() {
            let person = u32::try_from(n % 7).unwrap();
            assert_eq!(one["person"], way::person(app, person).as_str());
            let expected = match person {
                1..=3 => told(app, person).await,
                _ => Value::Null,
            };
            assert_eq!(one["status"], expected);
        }
    }

    async fn callers_at_once_are_each_told_their_own_and_each_batch_is_recorded(app) {
        way::places(app).await;
        way::negative(app, "T1", [1, 2]).await;
        way::seal(app, "T2", [3]).await;
        let service = app.client(Role::Service).await;
        let asks = (0..60_u32).map(async |n| {
            let person = 1 + n % 3;
            let shown = told(app, person).await["state"].clone();
            assert_eq!(shown, if person == 3 { "sampled" } else { "released" });
            let body = json!({ "people": [document(person), document(9)] });
            let answer = app.post(&service, "/v1/status/batch", &body).await.expect(200).json();
            assert_eq!(answer["people"][0]["status"]["state"], shown);
            assert_eq!(answer["people"][1]["status"], Value::Null);
        });
        join_all(asks.map(Box::pin)).await;
        let rows = "select count(*) from audit where action = 'status.batch'";
        assert_eq!(way::number(app, rows).await, 60);
        let mut tx = app.app.db.read("test.verify").await.unwrap();
        assert_eq!(swabline::audit::verify(&mut tx).await.unwrap().broken, None);
    }

    async fn two_hundred_who_ask_for_one_person_put_few_questions_to_the_store(app) {
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        let recorder = PrometheusBuilder::new().build_recorder();
        let counting = metrics::set_default_local_recorder(&recorder);
        let states = join_all((0..200).map(|_| Box::pin(state(app, 1)))).await;
        assert!(states.iter().all(|state| state == "sampled"));
        drop(counting);
        let figures = recorder.handle().render();
        let read = figures.lines().find_map(|line| line.strip_prefix("status_read_total "));
        let read: u32 = read.unwrap_or_else(|| panic!("{figures}")).parse().unwrap();
        // Two batches at once, and one for all who came meanwhile.
        assert!((1..=4).contains(&read), "{read} questions");
    }

    async fn whoever_only_asks_takes_no_connection_from_scans(app) {
        way::places(app).await;
        let mut asking = Vec::new();
        for _ in 0..7 {
            asking.push(app.app.db.ask("test.storm").await.unwrap());
        }
        // Nothing is left for one more look-up, and everything for a scan.
        let more = tokio::time::timeout(Duration::from_millis(200), app.app.db.ask("test.storm"));
        assert!(more.await.is_err());
        way::seal(app, "T1", [1]).await;
        assert_eq!(way::number(app, "select count(*) from tube").await, 1);
        asking.clear();
        assert_eq!(state(app, 1).await, "sampled");
    }

    async fn reports_wait_for_one_another_and_nobody_else_for_them(app) {
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        let turn = app.app.report_reads.acquire().await.unwrap();
        let person = way::person(app, 1);
        let waits = tokio::time::timeout(Duration::from_millis(200), report(&app.app, &person));
        assert!(waits.await.is_err(), "another report is being read");
        assert_eq!(state(app, 1).await, "sampled");
        drop(turn);
        assert!(report(&app.app, &person).await.unwrap().is_none(), "nothing was told yet");
    }

    async fn what_is_kept_is_counted_and_names_nobody(app) {
        swabline::http::health::recorder();
        let node = app.beside(|_| {}).await;
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        keep(&node, 1).await;
        told(&node, 1).await;
        let figures = node.call(Method::GET, "/metrics", None, None).await.expect(200).text();
        for figure in ["cache_hits_total{tier=\"local\"}", "status_read_total",
            "query_waiting{queue=\"status\"}", "cache_forgotten_all_total",
            "store_waiting{channel=\"laboratory\"}", "writer_waiting_rows{tx=\"tube.seal\"}"] {
            assert!(figures.contains(figure), "{figure}: {figures}");
        }
        assert!(!figures.contains(way::person(app, 1).as_str()));
    }
}

fn document(person: u32) -> Value {
    json!({ "type": "passport", "issuer": "GBR", "number": way::number_of(person) })
}

/// The feed's own readers wait for an older transaction; what is kept does not.
#[tokio::test]
async fn a_change_is_noted_while_an_older_transaction_is_still_under_way() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    way::places(&app).await;
    for (tube, person) in [("T1", 1), ("T2", 2)] {
        way::seal(&app, tube, [person]).await;
        way::pack(&app, tube).await;
        keep(&app, person).await;
    }
    // It draws the lower number and changes what the second person is shown.
    let mut slow = app.app.db.write("test.slow").await.unwrap();
    way::run(&mut slow, "update tube set state = 'missing' where code = 'T2'".to_owned()).await;
    outbox::append(&mut slow, Change::Received, ["T2"], app.now()).await.unwrap();
    way::arrive(&app, "T1", "accepted").await;
    app.look().await;
    assert_eq!(state(&app, 1).await, "received");
    let before = told(&app, 2).await;
    way::run(&mut slow, "update tube set state = 'refused' where code = 'T2'".to_owned()).await;
    slow.commit().await.unwrap();
    app.look().await;
    assert_eq!(kept(&app, 2), None);
    assert_ne!(told(&app, 2).await, before);
}

/// A page of the feed, waiting for so many seconds.
async fn page(node: &TestApp, client: &Client, after: &str, wait: u32) -> Value {
    let after = if after.is_empty() { String::new() } else { format!("&after={after}") };
    node.get(client, &format!("/v1/feed?wait={wait}{after}")).await.expect(200).json()
}

each_engine! {
    async fn a_poll_that_waits_is_woken_by_a_change_on_either_node(app) {
        let other = app.beside(|_| {}).await;
        let service = app.client(Role::Service).await;
        way::places(app).await;
        let mut after = String::new();
        for (tube, node) in [("T1", app), ("T2", &other)] {
            let changes = async {
                until("a change", async || {
                    let page = page(&other, &service, &after, 20).await;
                    page["next"].as_str().unwrap().clone_into(&mut after);
                    page["changes"][0]["tube"] == tube
                }).await;
            };
            let seals = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                way::seal(node, tube, [1]).await;
            };
            tokio::join!(changes, seals);
        }
        // Nothing more: the page is empty and the cursor stays.
        let page = page(app, &service, &after, 1).await;
        assert_eq!((&page["changes"], &page["next"]), (&json!([]), &json!(after)));
    }

    async fn a_poll_waits_at_most_half_a_minute_and_not_for_a_service_that_stops(app) {
        let officer = app.client(Role::Officer).await;
        for wait in ["31", "-1", "x"] {
            app.get(&officer, &format!("/v1/feed?wait={wait}")).await.expect(400);
        }
        let waits = page(app, &officer, "", 25);
        let stops = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            app.app.stopping.send_replace(true);
        };
        let (page, ()) = tokio::join!(waits, stops);
        assert_eq!(page["changes"], json!([]));
    }

    async fn whoever_loses_the_right_while_waiting_is_told_nothing(app) {
        let service = app.client(Role::Service).await;
        way::places(app).await;
        let waits = app.get(&service, "/v1/feed?wait=25");
        let ends = async {
            // Long enough that it waits by now, also on a busy machine.
            tokio::time::sleep(Duration::from_millis(500)).await;
            // For so long a node remembers whose a token is.
            app.pass(Span::seconds(1));
            let mut tx = app.app.db.write("test.disable").await.unwrap();
            let account = &service.actor.account;
            swabline::auth::account_disable(&mut tx, account, app.now()).await.unwrap();
            tx.commit().await.unwrap();
            way::seal(app, "T1", [1]).await;
        };
        let (answer, ()) = tokio::join!(waits, ends);
        assert!(!answer.expect(401).text().contains("T1"));
    }

    async fn a_reader_that_goes_from_node_to_node_misses_and_repeats_nothing(app) {
        let other = app.beside(|_| {}).await;
        let service = app.client(Role::Service).await;
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..6_u64 {
            let db = if writer % 2 == 0 { app.app.db.clone() } else { other.app.db.clone() };
            let now = app.now();
            writers.spawn(async move {
                for turn in 0..8_u64 {
                    let mut tx = db.write("test.writer").await.unwrap();
                    for change in 0..3 {
                        let tube = format!("T{writer}-{turn}-{change}");
                        outbox::append(&mut tx, Change::Sealed, [tube], now).await.unwrap();
                        // Whoever drew the lower number often commits last.
                        let pause = (writer * 5 + turn * 3) % 7;
                        tokio::time::sleep(Duration::from_millis(pause)).await;
                    }
                    tx.commit().await.unwrap();
                }
            });
        }
        let (expected, mut seen, mut after) = (6 * 8 * 3, Vec::new(), String::new());
        for turn in 0..TURNS {
            let node = if turn % 2 == 0 { app } else { &other };
            let page = page(node, &service, &after, 1).await;
            page["next"].as_str().unwrap().clone_into(&mut after);
            let changes = page["changes"].as_array().unwrap().clone();
            seen.extend(changes.iter().map(|one| one["tube"].as_str().unwrap().to_owned()));
            if seen.len() >= expected && writers.is_empty() {
                break;
            }
            while writers.try_join_next().is_some() {}
        }
        let once: BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), once.len()), (expected, expected));
    }
}

each_engine! {
    async fn what_one_node_reads_another_finds_in_redis_until_it_changes(app) {
        let Some(server) = redis::Server::start() else { return };
        let nodes = redis::nodes(app, &server.url()).await;
        way::places(app).await;
        way::negative(app, "T1", [1]).await;
        redis::shared(&nodes, 1).await;
        assert_eq!(state(&nodes[1], 1).await, "released");
        way::seal(app, "T2", [1]).await;
        for node in &nodes {
            node.look().await;
            // What Redis still keeps is older than the swab.
            assert_eq!(redis::found(node, 1).await, None);
        }
        for node in &nodes {
            assert_eq!(state(node, 1).await, "sampled");
        }
        redis::shared(&nodes, 1).await;
        assert_eq!(state(&nodes[1], 1).await, "sampled");
    }

    async fn redis_is_stopped_in_the_middle_and_comes_back(app) {
        let Some(mut server) = redis::Server::start() else { return };
        let nodes = redis::nodes(app, &server.url()).await;
        way::places(app).await;
        way::negative(app, "T1", [1]).await;
        redis::shared(&nodes, 1).await;
        server.stop();
        way::seal(app, "T2", [1]).await;
        for node in &nodes {
            for _ in 0..5 {
                node.look().await;
                assert_eq!(state(node, 1).await, "sampled");
            }
            node.call(Method::GET, "/readyz", None, None).await.expect(200);
        }
        server.again();
        redis::shared(&nodes, 1).await;
        assert_eq!(state(&nodes[1], 1).await, "sampled");
    }

    async fn redis_does_not_answer_and_everybody_is_told_what_is_right(app) {
        let Some(server) = redis::Server::start() else { return };
        let nodes = redis::nodes(app, &server.url()).await;
        way::places(app).await;
        way::negative(app, "T1", [1]).await;
        redis::shared(&nodes, 1).await;
        server.signal("STOP");
        for (tube, person) in [("T2", 1), ("T3", 2)] {
            way::seal(app, tube, [person]).await;
            for node in &nodes {
                node.look().await;
                assert_eq!(state(node, person).await, "sampled");
            }
        }
        server.signal("CONT");
        redis::shared(&nodes, 1).await;
    }

    async fn redis_lies_and_is_not_believed(app) {
        let Some(server) = redis::Server::start() else { return };
        let nodes = redis::nodes(app, &server.url()).await;
        way::places(app).await;
        way::negative(app, "T1", [1]).await;
        way::seal(app, "T2", [2]).await;
        redis::shared(&nodes, 1).await;
        redis::shared(&nodes, 2).await;
        let node = &nodes[1];
        let [one, two] = [1, 2].map(|person| redis::place(node, person));
        let (of_one, of_two) = (server.get(&one), server.get(&two));
        assert!(!String::from_utf8_lossy(&of_one).contains("released"), "it is sealed");
        // Another person's, cut, altered, invented, none at all.
        let mut altered = of_two.clone();
        *altered.last_mut().unwrap() ^= 1;
        let lies: [&[u8]; 6] =
            [&of_one, &of_two[..of_two.len() - 1], &altered, b"not_detected", b"", &[0xff; 4_000]];
        for lie in lies {
            server.set(&two, lie);
            node.look().await;
            assert_eq!(redis::found(node, 2).await, None);
            assert_eq!(state(node, 2).await, "sampled");
        }
        // An old one, good in its day.
        way::seal(app, "T3", [1]).await;
        node.look().await;
        server.set(&one, &of_one);
        assert_eq!(redis::found(node, 1).await, None);
        assert_eq!(state(node, 1).await, "sampled");
        // Not a text at all.
        server.delete(&two);
        server.command(&["rpush", &two, "x"]);
        node.look().await;
        assert_eq!(state(node, 2).await, "sampled");
    }

    async fn a_slow_reader_that_writes_to_redis_after_a_change_deceives_no_node(app) {
        let Some(server) = redis::Server::start() else { return };
        let nodes = redis::nodes(app, &server.url()).await;
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        way::pack(app, "T1").await;
        redis::shared(&nodes, 1).await;
        nodes[0].look().await;
        let (db, cache) = (&nodes[0].app.db, &nodes[0].app.cache);
        let slow = read(db, cache, vec![way::person(app, 1)]).await.unwrap();
        way::arrive(app, "T1", "accepted").await;
        for node in &nodes {
            node.look().await;
        }
        let place = redis::place(app, 1);
        server.delete(&place);
        cache.keep(slow);
        until("the slow reader has written", async || !server.get(&place).is_empty()).await;
        for node in &nodes {
            node.look().await;
            assert_eq!(redis::found(node, 1).await, None);
        }
        for node in &nodes {
            assert_eq!(state(node, 1).await, "received");
        }
    }

    async fn a_cluster_of_three_keeps_and_a_lost_master_changes_no_answer(app) {
        let Some(mut cluster) = redis::Cluster::start().await else { return };
        let nodes = redis::nodes(app, &cluster.url()).await;
        way::places(app).await;
        for tube in 0..6_u32 {
            way::seal(app, &format!("T{tube}"), (0..10).map(|n| tube * 10 + n)).await;
        }
        let everybody: Vec<_> = (0..60).map(|person| way::person(app, person)).collect();
        let ask = async |node: &TestApp| {
            node.look().await;
            let answers = node.app.lookups.statuses(&everybody).await.unwrap();
            assert!(answers.iter().all(|shown| text(shown.as_ref()).contains("sampled")));
        };
        until("everybody is in the cluster", async || {
            ask(&nodes[0]).await;
            nodes[1].look().await;
            nodes[1].app.cache.fetch(&everybody).await.iter().all(Option::is_some)
        }).await;
        cluster.servers[1].stop();
        for _ in 0..3 {
            for node in &nodes {
                ask(node).await;
            }
        }
    }

    async fn sentinels_name_another_master_and_no_answer_changes(app) {
        let Some(mut watched) = redis::Watched::start().await else { return };
        let nodes = redis::nodes(app, &watched.url()).await;
        way::places(app).await;
        way::negative(app, "T1", [1]).await;
        redis::shared(&nodes, 1).await;
        // The other two are enough, and the silent one holds nobody up.
        watched.silence_one();
        watched.master.stop();
        way::seal(app, "T2", [1]).await;
        for node in &nodes {
            for _ in 0..5 {
                node.look().await;
                assert_eq!(state(node, 1).await, "sampled");
            }
        }
        redis::shared(&nodes, 1).await;
        assert_eq!(state(&nodes[1], 1).await, "sampled");
    }
}

fn text(shown: Option<&Bytes>) -> &str {
    std::str::from_utf8(shown.expect("everybody was swabbed")).unwrap()
}

each_engine! {
    async fn the_redis_of_the_surroundings_keeps_too(app) {
        let Some(url) = redis::given() else { return };
        let nodes = redis::nodes(app, &url).await;
        way::places(app).await;
        way::negative(app, "T1", [1]).await;
        redis::shared(&nodes, 1).await;
        assert_eq!(state(&nodes[1], 1).await, "released");
    }

    async fn a_redis_that_never_was_there_is_missed_by_nobody(app) {
        let node = app.beside(|config| "redis://127.0.0.1:1".clone_into(&mut config.redis)).await;
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        for _ in 0..3 {
            node.look().await;
            assert_eq!(state(&node, 1).await, "sampled");
        }
        node.call(Method::GET, "/readyz", None, None).await.expect(200);
    }
}
