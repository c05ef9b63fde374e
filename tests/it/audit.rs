//! The audit chain: whole after honest work, and the first broken row named after any other.

use serde_json::json;
use sqlx::query;
use swabline::audit::{self, Entry};
use swabline::auth::Role;
use swabline::on;

use crate::app::TestApp;
use crate::each_engine;

async fn write_rows(app: &TestApp, rows: u32) {
    let actor = app.client(Role::Officer).await.actor;
    for row in 0..rows {
        let mut tx = app.app.db.write("test.audit").await.unwrap();
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

/// What somebody with the database's own rights could do: the guards are dropped first.
async fn tamper(app: &TestApp, sql: &'static str) {
    let mut tx = app.app.db.write("test.tamper").await.unwrap();
    for table in ["audit", "audit_chain"] {
        for guard in ["kept", "fixed"] {
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
    on!(tx, c => query(sql).execute(c).await.map(|_| ())).unwrap();
    tx.commit().await.unwrap();
}

each_engine! {
    async fn honest_work_verifies(app) {
        write_rows(app, 12).await;
        let verified = verify(app).await;
        assert_eq!((verified.rows, verified.broken), (12, None));
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

    async fn the_database_itself_refuses_to_change_the_trail(app) {
        write_rows(app, 2).await;
        for sql in ["update audit set about = 'Y'", "delete from audit"] {
            let mut tx = app.app.db.write("test.direct").await.unwrap();
            assert!(on!(tx, c => query(sql).execute(c).await.map(|_| ())).is_err());
        }
        assert_eq!(verify(app).await.broken, None);
    }
}
