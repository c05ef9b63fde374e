//! The audit chain: whole after honest work, and the first broken row named after any other.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::query;
use swabline::audit::{self, Entry};
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::on;
use swabline::storage::{Db, Tx};

use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory;
use crate::world::{World, box_, people, pool, seal_tube, tube, tube_body, world};

async fn write_rows(app: &TestApp, rows: u32) {
    write_rows_to(&app.app.db, app, rows).await;
}

async fn write_rows_to(db: &Db, app: &TestApp, rows: u32) {
    let actor = app.client(Role::Officer).await.actor;
    for row in 0..rows {
        let mut tx = db.write("test.audit").await.unwrap();
        let (at, detail) = (app.now(), json!({ "row": row }));
        let entry = Entry { at, actor: &actor, action: "test.write", about: "X", detail };
        audit::record(&mut tx, entry).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn verify(app: &TestApp) -> audit::Verified {
    let mut tx = app.app.db.read("test.verify").await.unwrap();
    audit::verify(&mut tx).await.unwrap()
}

/// A transaction of somebody with the database's own rights, who drops the guards first.
async fn unguarded(app: &TestApp) -> Tx {
    let mut tx = app.app.db.write("test.tamper").await.unwrap();
    for table in ["audit", "audit_chain", "audit_chains"] {
        for guard in ["kept", "fixed", "moves"] {
            let drop = match app.engine {
                crate::app::Engine::Sqlite => format!("drop trigger if exists {table}_{guard}"),
                crate::app::Engine::Postgres => {
                    format!("drop trigger if exists {table}_{guard} on {table}")
                }
            };
            let drop = sqlx::AssertSqlSafe(drop);
            on!(tx, c => sqlx::raw_sql(drop).execute(c).await.map(|_| ())).unwrap();
        }
    }
    tx
}

/// What somebody with the database's own rights could do.
async fn tamper(app: &TestApp, sql: &'static str) {
    let mut tx = unguarded(app).await;
    on!(tx, c => query(sql).execute(c).await.map(|_| ())).unwrap();
    tx.commit().await.unwrap();
}

/// Every change there is, over HTTP, once.
async fn one_of_everything(app: &TestApp) {
    let world = world(app).await;
    let pattern = json!({ "maker": "Tube Works", "length": 12, "alphabet": "digits" });
    app.put(&world.administrator, "/v1/code-patterns/77", &pattern).await.expect(201);
    let seeded = json!({ "expected": "detected" });
    app.put(&world.officer, &format!("/v1/seeded/{}", tube(0)), &seeded).await.expect(201);
    for n in 0..3 {
        seal_tube(app, &world, n, &people(n * 20, 10)).await.expect(201);
    }
    let mut third = tube_body(app, 3, &people(80, 10));
    third["code"] = json!(tube(3));
    let batch = json!({ "tubes": [third] });
    app.post(&world.sampler, "/v1/tubes/batch", &batch).await.expect(200);
    laboratory::deliver(app, &world, 0, &[tube(0), tube(1)]).await;
    let manifest = json!({ "site": "S01", "seal": "S", "sealed_at": app.now(),
        "tubes": [tube(2), tube(3)] });
    app.put(&world.sampler, &format!("/v1/boxes/{}", box_(1)), &manifest).await.expect(201);
    let arrival = json!({ "box": box_(1), "laboratory": "L01", "arrived_at": app.now(),
        "seal_intact": true, "scanned": [{ "tube": tube(2) }] });
    app.post(&world.receiver, "/v1/arrivals", &arrival).await.expect(201);
    let lost = json!({ "reason": "not_found" });
    let write_off = format!("/v1/tubes/{}/write-off", tube(3));
    app.post(&world.officer, &write_off, &lost).await.expect(200);
    let recalls = app.get(&world.officer, "/v1/recalls").await.expect(200).json();
    let recall = format!("/v1/recalls/{}", recalls["recalls"][0]["id"].as_str().unwrap());
    let informed = json!({ "contact": "informed", "note": "called" });
    app.put(&world.officer, &recall, &informed).await.expect(200);
    crate::robots::one_of_everything(app, &world).await;
    for n in 4..6 {
        seal_tube(app, &world, n, &people(n * 20, 1)).await.expect(201);
    }
    laboratory::deliver(app, &world, 2, &[tube(4), tube(5)]).await;
    laboratory::mix(app, &world, 0, &[tube(4), tube(5)]).await.expect(201);
    let dissolve = format!("/v1/pools/{}/dissolve", pool(0));
    app.post(&world.technician, &dissolve, &json!({})).await.expect(200);
    let assessed = json!({ "laboratory": "L01", "kit": laboratory::KIT.0,
        "kit_version": laboratory::KIT.1, "size": 5, "positives": 10, "found": 10 });
    app.post(&world.reviewer, "/v1/pooling/assessments", &assessed).await.expect(201);
    let plate = laboratory::load(app, &world, 0, &[tube(0), tube(1)]).await;
    let file = laboratory::run_file(&plate, &BTreeMap::new(), false);
    let run = laboratory::upload(app, &world, &plate, file).await.expect(201).json();
    laboratory::release(app, &world, run["id"].as_str().unwrap()).await;
    let alarms = app.get(&world.officer, "/v1/quality/alarms").await.expect(200).json();
    let alarm = alarms["alarms"][0]["id"].as_str().unwrap();
    let acknowledge = format!("/v1/quality/alarms/{alarm}/acknowledge");
    app.post(&world.officer, &acknowledge, &json!({ "reason": "retested" })).await.expect(200);
    let switch = json!({ "on": true, "reason": "drill" });
    app.put(&world.reviewer, "/v1/switches/auto_release", &switch).await.expect(200);
    let amendment = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
    let amend = format!("/v1/results/{}.1/amend", tube(0));
    app.post(&world.reviewer, &amend, &amendment).await.expect(202);
    kit_and_lot(app, &world).await;
    let asked = json!({ "people": [{ "type": "resident_id", "number": "1" }] });
    app.post(&world.service, "/v1/status/batch", &asked).await.expect(200);
}

/// A version of a kit on its whole way, and a lot.
pub async fn kit_and_lot(app: &TestApp, world: &World) {
    let route = |version: &str| format!("/v1/kits/{}/versions/{version}", laboratory::KIT.0);
    let shipped = app.get(&world.reviewer, &route("1")).await.expect(200).json();
    let mut definition = shipped["definition"].clone();
    definition["version"] = json!("house");
    let body = json!({ "definition": definition, "effective_from": app.now() });
    app.put(&world.reviewer, &route("house"), &body).await.expect(201);
    for (client, step, body, status) in [
        (&world.reviewer, "shadow", json!({ "last": 1 }), 201),
        (&world.second_reviewer, "approve", json!({ "changed_calls": 0 }), 200),
        (&world.reviewer, "withdraw", json!({ "reason": "drill" }), 200),
    ] {
        app.post(client, &format!("{}/{step}", route("house")), &body).await.expect(status);
    }
    let lot = json!({ "laboratory": "L01", "expires_at": app.now() + Span::days(9),
        "reactions": 9 });
    app.put(&world.technician, "/v1/lots/orf1ab-n-ic/A1", &lot).await.expect(201);
    app.put(&world.reviewer, "/v1/lots/orf1ab-n-ic/A1", &lot).await.expect(200);
    let shipped = "/v1/kits/huirui-orf1ab-n/versions/2020/withdraw";
    app.post(&world.reviewer, shipped, &json!({ "reason": "drill" })).await.expect(200);
    app.post(&world.technician, "/v1/lots/orf1ab-n-ic/A1/deliveries", &lot).await.expect(201);
    let issue = json!({ "laboratory": "L01", "reactions": 9 });
    app.post(&world.technician, "/v1/lots/orf1ab-n-ic/A1/issues", &issue).await.expect(201);
}

each_engine! {
    async fn every_change_leaves_its_row_and_the_chain_is_whole(app) {
        one_of_everything(app).await;
        let mut tx = app.app.db.read("test.actions").await.unwrap();
        let sql = "select distinct action from audit order by action";
        let actions: Vec<String> =
            on!(tx, c => sqlx::query_scalar(sql).fetch_all(c).await).unwrap();
        let expected = [
            "allotment.make", "arrival.record", "box.give", "box.seal", "box.take",
            "kit.approve", "kit.propose", "kit.shadow", "kit.withdraw", "laboratory.put",
            "lot.confirm", "lot.deliver", "lot.issue", "lot.register", "pattern.register", "plate.accept_transfers",
            "plate.discard", "plate.freeze", "plate.put", "plate.transfers", "pool.dissolve",
            "pool.put", "pooling.assess",
            "quality.acknowledge", "quality.alarm", "quality.seed", "rack.scan",
            "recall.contact", "recall.read", "review.amend", "review.release", "review.review",
            "review.switch", "round.put", "run.import", "session.put", "site.put",
            "status.batch", "tube.seal", "tube.seal_batch", "tube.write_off"];
        assert_eq!(actions, expected);
        assert_eq!(verify(app).await.broken, None);
    }

    async fn honest_work_verifies(app) {
        write_rows(app, 12).await;
        let verified = verify(app).await;
        assert_eq!((verified.rows, verified.broken), (12, None));
    }

    async fn a_trail_that_is_being_written_verifies(app) {
        let stop = std::sync::atomic::AtomicBool::new(false);
        let stopped = || stop.load(std::sync::atomic::Ordering::SeqCst);
        let writing = async || {
            while !stopped() {
                write_rows(app, 5).await;
            }
        };
        let verifying = async {
            let (mut rows, mut times) = (0, 0);
            while rows < 100 || times < 100 {
                let verified = verify(app).await;
                assert_eq!(verified.broken, None);
                (rows, times) = (verified.rows, times + 1);
            }
            stop.store(true, std::sync::atomic::Ordering::SeqCst);
        };
        tokio::join!(writing(), writing(), writing(), writing(), verifying);
    }

    async fn a_rolled_back_write_leaves_no_gap(app) {
        write_rows(app, 2).await;
        let actor = app.client(Role::Officer).await.actor;
        let mut tx = app.app.db.write("test.audit").await.unwrap();
        let detail = json!({});
        let entry = Entry { at: app.now(), actor: &actor, action: "t", about: "X", detail };
        audit::record(&mut tx, entry).await.unwrap();
        drop(tx);
        write_rows(app, 2).await;
        assert_eq!(verify(app).await.broken, None);
    }

    async fn a_commit_nobody_waits_for_spoils_no_chain(app) {
        write_rows(app, 2).await;
        let actor = app.client(Role::Officer).await.actor;
        for turn in 0..20 {
            let mut tx = app.app.db.write("test.hangs_up").await.unwrap();
            let detail = json!({ "turn": turn });
            let entry = Entry { at: app.now(), actor: &actor, action: "t", about: "X", detail };
            audit::record(&mut tx, entry).await.unwrap();
            // Polled some times, so that the engine is asked, and then dropped.
            let hangs_up = async {
                for _ in 0..turn {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                outcome = tx.commit() => outcome.unwrap(),
                () = hangs_up => {}
            }
            write_rows(app, 1).await;
        }
        let verified = verify(app).await;
        assert_eq!(verified.broken, None);
        assert!(verified.rows >= 22, "{verified:?}");
    }

    async fn an_altered_row_is_named(app) {
        write_rows(app, 5).await;
        tamper(app, "update audit set about = 'Y' where seq = 3").await;
        assert_eq!(verify(app).await.broken.unwrap().seq, 3);
    }

    async fn a_row_taken_out_is_named(app) {
        write_rows(app, 5).await;
        tamper(app, "delete from audit where seq = 3").await;
        assert_eq!(verify(app).await.broken.unwrap().seq, 4);
    }

    async fn rows_that_change_places_are_named(app) {
        write_rows(app, 5).await;
        tamper(app, "update audit set seq = 100 where seq = 2").await;
        tamper(app, "update audit set seq = 2 where seq = 3").await;
        tamper(app, "update audit set seq = 3 where seq = 100").await;
        assert_eq!(verify(app).await.broken.unwrap().seq, 2);
    }

    async fn a_cut_tail_is_named(app) {
        write_rows(app, 5).await;
        tamper(app, "delete from audit where seq = 5").await;
        assert_eq!(verify(app).await.broken.unwrap().seq, 5);
    }

    async fn a_chain_taken_away_whole_is_named(app) {
        write_rows(app, 3).await;
        // Each process that opens the store begins a chain of its own.
        for _ in 0..2 {
            let url = app.app.config.database_url();
            let other = swabline::storage::Db::open(&url, &app.clock).await.unwrap();
            write_rows_to(&other, app, 3).await;
            other.close().await;
        }
        let whole = verify(app).await;
        assert_eq!((whole.chains, whole.rows, whole.broken), (3, 9, None));
        for number in 1..=3 {
            let mut tx = unguarded(app).await;
            for sql in [
                "delete from audit where chain = (select chain from audit_chain where number = $1)",
                "delete from audit_chain where number = $1",
            ] {
                on!(tx, c => query(sql).bind(number).execute(c).await.map(|_| ())).unwrap();
            }
            let broken = audit::verify(&mut tx).await.unwrap().broken.unwrap();
            assert_eq!(broken.chain, format!("number {number}"));
            assert_eq!(broken.reason, "the whole chain was taken away");
        }
        let mut tx = unguarded(app).await;
        let sql = "update audit_chains set begun = 1";
        on!(tx, c => query(sql).execute(c).await.map(|_| ())).unwrap();
        let broken = audit::verify(&mut tx).await.unwrap().broken.unwrap();
        assert_eq!(broken.reason, "the count of chains was set back");
        drop(tx);
        assert_eq!(verify(app).await.broken, None);
    }

    async fn the_database_itself_refuses_to_change_the_trail(app) {
        write_rows(app, 2).await;
        for sql in ["update audit set about = 'Y'", "delete from audit",
            "delete from audit_chain", "delete from audit_chains",
            "update audit_chain set seq = 1", "update audit_chain set number = 7",
            "update audit_chains set begun = 0"] {
            let mut tx = app.app.db.write("test.direct").await.unwrap();
            assert!(on!(tx, c => query(sql).execute(c).await.map(|_| ())).is_err());
        }
        assert_eq!(verify(app).await.broken, None);
    }
}
