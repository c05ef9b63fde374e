//! PostgreSQL knows how large its tables are as soon as they are.

use sqlx::query_scalar;
use swabline::on;

use crate::app::{Engine, TestApp};
use crate::each_engine;

/// Rows of the feed as the planner believes; fewer than none before it was ever counted.
async fn believed(app: &TestApp) -> f32 {
    let mut tx = app.app.db.read("test.believed").await.unwrap();
    let sql = "select reltuples from pg_class where oid = 'feed'::regclass";
    let swabline::storage::Conn::Postgres(conn) = &mut tx.conn else { panic!("PostgreSQL") };
    query_scalar(sql).fetch_one(&mut **conn).await.unwrap()
}

each_engine! {
    async fn a_table_that_has_grown_is_counted_once(app) {
        let fill = "insert into feed (change, tube_code, at_us)
            with recursive n (i) as (select 1 union all select i + 1 from n where i < 3000)
            select 'sealed', 'T1', i from n";
        let mut tx = app.app.db.write("test.fill").await.unwrap();
        on!(tx, c => sqlx::raw_sql(fill).execute(c).await.map(drop)).unwrap();
        if app.engine == Engine::Postgres {
            // Else the server hears of it within seconds.
            let heard = "select pg_stat_force_next_flush()";
            on!(tx, c => sqlx::raw_sql(heard).execute(c).await.map(drop)).unwrap();
        }
        tx.commit().await.unwrap();
        if app.engine == Engine::Sqlite {
            assert!(app.app.db.count_grown().await.unwrap().is_empty());
            return;
        }
        let counted = app.app.db.count_grown().await.unwrap();
        assert!(counted.contains(&"feed".to_owned()), "{counted:?}");
        assert!(!counted.contains(&"tube".to_owned()), "{counted:?}");
        assert!((believed(app).await - 3000.0).abs() < 1.0);
        let again = app.app.db.count_grown().await.unwrap();
        assert!(!again.contains(&"feed".to_owned()), "{again:?}");
    }
}
