//! Recalls: one a person, answered only by a single tube sealed later, and never lost.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::on;
use swabline::recall::store::{recalls_close, recalls_collected, recalls_open, recalls_reopen};
use swabline::recall::{Answered, Opening, RecallOutcome, RecallReason, RecallState};

use crate::app::TestApp;
use crate::each_engine;
use crate::shipment::{is_refused, number, people, person, places, pool, seal, single, tube};

async fn open(app: &TestApp, tubes: &[u64], hours: i64) -> u64 {
    let mut tx = app.app.db.write("test.open").await.unwrap();
    let tubes: Vec<_> = tubes.iter().map(|number| tube(*number)).collect();
    let opening = Opening::due_in(RecallReason::Detected, app.now(), hours);
    let opened = recalls_open(&mut tx, &app.clock, &tubes, opening).await.unwrap();
    tx.commit().await.unwrap();
    opened
}

async fn collected(app: &TestApp, tubes: &[u64]) -> u64 {
    let mut tx = app.app.db.write("test.collected").await.unwrap();
    let tubes: Vec<_> = tubes.iter().map(|number| tube(*number)).collect();
    let collected = recalls_collected(&mut tx, &tubes).await.unwrap();
    tx.commit().await.unwrap();
    collected
}

async fn close(app: &TestApp, answered: u64) -> BTreeSet<String> {
    let mut tx = app.app.db.write("test.close").await.unwrap();
    let answer = Answered { tube: &tube(answered), outcome: RecallOutcome::NotDetected };
    let origins = recalls_close(&mut tx, &[answer], app.now()).await.unwrap();
    tx.commit().await.unwrap();
    origins
}

async fn list(app: &TestApp, query: &str) -> Value {
    let officer = app.client(Role::Officer).await;
    app.get(&officer, &format!("/v1/recalls?{query}")).await.expect(200).json()
}

fn ids(page: &Value) -> Vec<String> {
    let recalls = page["recalls"].as_array().unwrap().iter();
    recalls.map(|recall| recall["id"].as_str().unwrap().to_owned()).collect()
}

each_engine! {
    async fn every_member_is_recalled_once(app) {
        places(app).await;
        seal(app, &[pool(1), pool(2), pool(3)]).await;
        assert_eq!(open(app, &[1, 2], 24).await, 6);
        assert_eq!(open(app, &[1, 2, 3], 24).await, 3, "whoever is recalled stays recalled");
        assert_eq!(open(app, &[], 24).await, 0);
        let told = "select count(*) from feed where change = 'recall_opened'";
        assert_eq!(number(app, told).await, 3, "one a tube");
    }

    async fn only_a_later_single_tube_answers(app) {
        places(app).await;
        seal(app, &[pool(1), single(2, 10)]).await;
        app.pass(Span::minutes(1));
        open(app, &[1], 24).await;
        assert_eq!(collected(app, &[2]).await, 0, "it was sealed before");
        app.pass(Span::minutes(1));
        let people = vec![10, 11];
        let again = crate::shipment::Tube { number: 3, site: "S01", size: 10, people };
        seal(app, &[again, single(4, 10), single(5, 99)]).await;
        assert_eq!(collected(app, &[3, 5]).await, 0, "a pool and a stranger answer nothing");
        assert_eq!(collected(app, &[4]).await, 1);
        assert_eq!(collected(app, &[4]).await, 0, "once");
        assert_eq!(close(app, 3).await, BTreeSet::new());
        assert_eq!(close(app, 4).await, BTreeSet::from([tube(4)]));
        assert_eq!(close(app, 4).await, BTreeSet::new());
        let page = list(app, "state=closed").await;
        assert_eq!(page["recalls"][0]["answer_tube"], json!(tube(4)));
        assert_eq!(page["recalls"][0]["follow_up"]["outcome"], "not_detected");
        assert_eq!((&page["open"], &page["collected"]), (&json!(2), &json!(0)));
        let told = "select count(*) from feed where change = 'recall_closed'";
        assert_eq!(number(app, told).await, 1);
    }

    async fn an_answer_that_was_none_puts_the_recall_back(app) {
        places(app).await;
        seal(app, &[pool(1)]).await;
        open(app, &[1], 24).await;
        app.pass(Span::minutes(1));
        seal(app, &[single(2, 10), single(3, 10)]).await;
        assert_eq!(collected(app, &[2]).await, 1);
        let mut tx = app.app.db.write("test.reopen").await.unwrap();
        assert_eq!(recalls_reopen(&mut tx, &[tube(3)]).await.unwrap(), 0);
        assert_eq!(recalls_reopen(&mut tx, &[tube(2)]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        // The second tube was in the laboratory already and was never linked; it answers too.
        assert_eq!(close(app, 3).await, BTreeSet::from([tube(3)]));
    }

    async fn pages_follow_the_deadlines_and_skip_nobody(app) {
        places(app).await;
        seal(app, &[pool(1), pool(2), pool(3)]).await;
        open(app, &[3], 5).await;
        open(app, &[1, 2], 24).await;
        let all = ids(&list(app, "").await);
        assert_eq!(all.len(), 9);
        let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
        loop {
            let page = list(app, &query).await;
            seen.extend(ids(&page));
            match page["next"].as_str() {
                Some(next) => query = format!("limit=2&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, all);
        assert_eq!(list(app, "limit=9").await["next"], Value::Null);
        assert_eq!(list(app, "").await["recalls"][0]["origin_tube"], json!(tube(3)));
        app.pass(Span::hours(6));
        assert_eq!(list(app, "site=S01").await["overdue"], json!(3));
        assert_eq!(ids(&list(app, "site=S02").await), Vec::<String>::new());
        assert_eq!(ids(&list(app, "state=collected").await), Vec::<String>::new());
        let officer = app.client(Role::Officer).await;
        for bad in ["limit=0", "limit=201", "after=x", "site=%00", "state=lost", "who=me"] {
            app.get(&officer, &format!("/v1/recalls?{bad}")).await.expect(400);
        }
        // Of places that are not there nobody hears that there is nobody to call.
        for (unknown, code) in [("site=S99", "site.not_found"), ("area=Nowhere", "area.not_found")] {
            let answer = app.get(&officer, &format!("/v1/recalls?{unknown}")).await.expect(404);
            assert_eq!(answer.code(), code);
        }
    }

    async fn an_officer_sees_whom_to_call_and_leaves_a_trace_and_a_sampler_sees_neither(app) {
        let (sampler, _) = people(app).await;
        seal(app, &[pool(1)]).await;
        open(app, &[1], 24).await;
        let read = "select count(*) from audit where action = 'recall.read'";
        let page = app.get(&sampler, "/v1/recalls").await.expect(200);
        assert_eq!(page.json()["open"], json!(3));
        assert_eq!(page.json()["recalls"][0]["origin_tube"], json!(tube(1)));
        assert!(!page.text().contains("Person") && !page.text().contains("follow_up"));
        app.get(&sampler, "/v1/recalls?site=S02").await.expect(403);
        assert_eq!(number(app, read).await, 0);
        let page = list(app, "").await;
        let names: BTreeSet<_> = page["recalls"].as_array().unwrap().iter()
            .map(|recall| recall["follow_up"]["identity"]["name"].as_str().unwrap()).collect();
        assert_eq!(names, BTreeSet::from(["Person 10", "Person 11", "Person 12"]));
        assert_eq!(number(app, read).await, 1, "one row a page");
        let mut tx = app.app.db.read("test.trail").await.unwrap();
        let sql = "select detail from audit where action = 'recall.read'";
        let detail: String =
            on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap();
        assert!(detail.contains(person(app, 11).as_str()) && detail.contains("purpose"));
        assert!(!detail.contains("Person 1"));
    }

    async fn whoever_was_shown_to_be_called_has_that_in_their_own_trail(app) {
        places(app).await;
        seal(app, &[pool(1), pool(2)]).await;
        open(app, &[1], 24).await;
        list(app, "").await;
        let auditor = app.client(Role::Auditor).await;
        for (number, read) in [(10, 1), (12, 1), (20, 0)] {
            let path = format!("/v1/audit?about={}", person(app, number).as_str());
            let trail = app.get(&auditor, &path).await.expect(200).json();
            let rows = trail["rows"].as_array().unwrap();
            assert_eq!(rows.len(), read, "{number}: {trail}");
            assert!(rows.iter().all(|row| row["action"] == "recall.read"), "{trail}");
        }
    }

    async fn an_officer_notes_a_call_and_closes_nothing(app) {
        places(app).await;
        seal(app, &[pool(1)]).await;
        open(app, &[1], 24).await;
        let officer = app.client(Role::Officer).await;
        let id = ids(&list(app, "").await).remove(0);
        let path = format!("/v1/recalls/{id}");
        let call = json!({ "contact": "unreachable", "note": "mother answers at 139" });
        for _ in 0..2 {
            let noted = app.put(&officer, &path, &call).await.expect(200).json();
            assert_eq!(noted["state"], "open");
            assert_eq!(noted["follow_up"]["contact"], "unreachable");
        }
        assert_eq!(list(app, "").await["recalls"][0]["follow_up"]["note"], call["note"]);
        let clear = "select count(*) from recall where note = 'mother answers at 139'";
        assert_eq!(number(app, clear).await, 0, "notes are sealed");
        app.put(&officer, &path, &json!({ "contact": "none", "note": "" })).await.expect(422);
        let long = json!({ "contact": "informed", "note": "x".repeat(501) });
        assert_eq!(app.put(&officer, &path, &long).await.expect(422).code(), "recall.note");
        let lost = format!("/v1/recalls/{}", app.clock.id());
        app.put(&officer, &lost, &call).await.expect(404);
        app.put(&officer, "/v1/recalls/X", &call).await.expect(404);
    }

    async fn a_closed_recall_is_left_alone(app) {
        places(app).await;
        seal(app, &[single(1, 7)]).await;
        open(app, &[1], 24).await;
        app.pass(Span::minutes(1));
        seal(app, &[single(2, 7)]).await;
        collected(app, &[2]).await;
        close(app, 2).await;
        let officer = app.client(Role::Officer).await;
        let id = ids(&list(app, "state=closed").await).remove(0);
        let call = json!({ "contact": "informed" });
        let late = app.put(&officer, &format!("/v1/recalls/{id}"), &call).await.expect(409);
        assert_eq!(late.code(), "recall.closed");
    }

    async fn the_database_allows_exactly_the_moves_the_code_allows(app) {
        places(app).await;
        seal(app, &[single(1, 7)]).await;
        for from in RecallState::ALL {
            for to in RecallState::ALL {
                let mut tx = app.app.db.write("test.move").await.unwrap();
                let opening = Opening::due_in(RecallReason::Invalid, app.now(), 24);
                recalls_open(&mut tx, &app.clock, &[tube(1)], opening).await.unwrap();
                let mut went = Vec::new();
                for state in [from, to] {
                    let closed = (state == RecallState::Closed).then(|| app.now());
                    let sql = "update recall set state = $1, closed_us = $2, answer_tube = $3";
                    went.push(on!(tx, c => sqlx::query(sql).bind(state).bind(closed).bind(tube(1))
                        .execute(c).await.map(drop)).is_ok());
                    if went == [false] {
                        break;
                    }
                }
                assert_eq!(went, [true, from == to || from.may_become(to)], "{from:?} {to:?}");
            }
        }
        assert!(!is_refused(app, "delete from recall").await, "there is none yet");
        open(app, &[1], 24).await;
        assert!(is_refused(app, "delete from recall").await);
        assert!(is_refused(app, "update recall set state = 'collected'").await, "no answer");
        seal(app, &[pool(2), single(3, 99)]).await;
        for stranger in [tube(2), tube(3), "T".to_owned()] {
            let mut tx = app.app.db.write("test.stranger").await.unwrap();
            let sql = "update recall set state = 'collected', answer_tube = $1";
            let taken = on!(tx, c => sqlx::query(sql).bind(&stranger).execute(c).await.map(drop));
            assert!(taken.is_err(), "{stranger} answers for somebody else");
        }
    }
}
