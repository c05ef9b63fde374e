//! Plans as SQLite tells them.

use sqlx::{AssertSqlSafe, query_as};
use swabline::storage::{Conn, Tx};

use super::{LARGE, Scan};

type Step = (i64, i64, i64, String);

/// Large tables this statement scans, or builds a passing index of.
pub async fn scans(tx: &mut Tx, sql: &'static str) -> Vec<Scan> {
    let Conn::Sqlite(conn) = &mut tx.conn else { panic!("the story plays on SQLite") };
    let explain = AssertSqlSafe(format!("explain query plan {sql}"));
    let steps: Vec<Step> = query_as(explain).fetch_all(&mut **conn).await.unwrap();
    let tables = tables(sql);
    let mut found = Vec::new();
    for (.., plan) in steps {
        let whole = plan.starts_with("SCAN ") && !plan.contains(" VIRTUAL TABLE ");
        if !whole && !plan.contains(" USING AUTOMATIC ") {
            continue;
        }
        let alias = plan.split(' ').nth(1).unwrap();
        for (table, _) in tables.iter().filter(|(table, of)| of == alias || table == alias) {
            found.push(Scan { table: table.clone(), plan: plan.clone() });
        }
    }
    found
}

/// Large tables a statement names, each with its alias; the plan tells the alias alone.
fn tables(sql: &str) -> Vec<(String, String)> {
    let tidy = sql.replace(['(', ')', ','], " ");
    let words: Vec<&str> = tidy.split_whitespace().collect();
    let large = |&at: &usize| LARGE.contains(&words[at]);
    let alias = |at: usize| words.get(at + 1).copied().unwrap_or_default().to_owned();
    (0..words.len()).filter(large).map(|at| (words[at].to_owned(), alias(at))).collect()
}
