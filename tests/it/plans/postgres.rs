//! Plans as PostgreSQL tells them.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, query_as, query_scalar, raw_sql};
use swabline::storage::{Conn, Tx};

use super::{LARGE, Scan};

/// Rows from which a plan by real statistics is judged.
const ROWS: i64 = 1000;
/// A moment or the beginning, a state, and a site or all of them.
const VALUES: [Values; 3] = [
    Values { number: "1592697620000000", state: "released", site: "null" },
    Values { number: "0", state: "packed", site: "null" },
    Values { number: "1592697620000000", state: "open", site: "'S7'" },
];

/// The end of a span of time.
const LATER: &str = "1592697650000000";

struct Values {
    number: &'static str,
    state: &'static str,
    site: &'static str,
}

fn conn(tx: &mut Tx) -> &mut PgConnection {
    let Conn::Postgres(conn) = &mut tx.conn else { panic!("the story plays on PostgreSQL") };
    conn
}

/// Rows of each table, as the planner believes.
pub async fn rows(tx: &mut Tx) -> HashMap<String, i64> {
    let sql = "select relname::text, reltuples::bigint from pg_class where relkind = 'r'";
    let rows: Vec<(String, i64)> = query_as(sql).fetch_all(conn(tx)).await.unwrap();
    rows.into_iter().collect()
}

/// Large tables this statement scans, whatever its values.
pub async fn scans(tx: &mut Tx, sql: &'static str) -> Vec<Scan> {
    let rows = rows(tx).await;
    let conn = conn(tx);
    let mut found = Vec::new();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        for discouraged in [false, true] {
            run(conn, format!("set local plan_cache_mode = {mode}")).await;
            run(conn, format!("set local enable_seqscan = {}", !discouraged)).await;
            let types = prepare(conn, sql).await;
            for values in &VALUES {
                let scans = plan(conn, &list(sql, &types, values)).await;
                let is_large = |scan: &Scan| rows.get(&scan.table).is_some_and(|&n| n > ROWS);
                found.extend(scans.into_iter().filter(|scan| discouraged || is_large(scan)));
            }
            run(conn, "deallocate planned".to_owned()).await;
        }
    }
    run(conn, "set local enable_seqscan = on".to_owned()).await;
    found
}

/// Prepares a statement afresh, since a plan for any value is kept, and gives its types.
async fn prepare(conn: &mut PgConnection, sql: &'static str) -> Vec<String> {
    run(conn, format!("prepare planned as {sql}")).await;
    query_scalar(
        "select t::text from pg_prepared_statements, unnest(parameter_types) t
            where name = 'planned'",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

async fn run(conn: &mut PgConnection, sql: String) {
    let done = raw_sql(AssertSqlSafe(sql.clone())).execute(conn).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Sensible values for the parameters: a batch, a page, a time, a code.
fn list(sql: &str, types: &[String], values: &Values) -> String {
    let value = |(of, at): (&String, usize)| {
        let is = |text: &str| sql.contains(&text.replace('?', &format!("${at}")));
        match of.as_str() {
            "bigint" if is("limit ?") => "100".to_owned(),
            "bigint" if is("< ?") => LATER.to_owned(),
            "bigint" => values.number.to_owned(),
            "bytea" => "'\\x00'".to_owned(),
            "text" if is("json_each(?)") => {
                let rows = (100..120).map(|i| format!("{{\"code\": \"T1000{i}\"}}"));
                format!("'[{}]'", rows.collect::<Vec<_>>().join(", "))
            }
            "text" if is("cast(? as text) is null or") && values.site == "null" => {
                "null".to_owned()
            }
            "text" if is("site_code = ?") => values.site.to_owned(),
            "text" if is("state = ?") => format!("'{}'", values.state),
            "text" => "'T1000100'".to_owned(),
            other => panic!("{sql}: no value for a parameter of type {other}"),
        }
    };
    types.iter().zip(1..).map(value).collect::<Vec<_>>().join(", ")
}

async fn plan(conn: &mut PgConnection, values: &str) -> Vec<Scan> {
    let values = if values.is_empty() { String::new() } else { format!("({values})") };
    let explain = AssertSqlSafe(format!("explain (format json) execute planned{values}"));
    let plan: Value = query_scalar(explain).fetch_one(conn).await.unwrap();
    let mut found = Vec::new();
    walk(&plan[0]["Plan"], &mut found);
    found
}

/// Scans of tables, and of indexes without a condition on them.
fn walk(node: &Value, found: &mut Vec<Scan>) {
    let table = node["Relation Name"].as_str().unwrap_or_default();
    let kind = node["Node Type"].as_str().unwrap_or_default();
    let whole = kind == "Seq Scan" || (kind.starts_with("Index") && node["Index Cond"].is_null());
    if whole && LARGE.contains(&table) {
        let index = node["Index Name"].as_str().unwrap_or_default();
        let filter = node["Filter"].as_str().unwrap_or_default();
        found.push(Scan { table: table.to_owned(), plan: format!("{kind} {index} {filter}") });
    }
    for part in node["Plans"].as_array().into_iter().flatten() {
        walk(part, found);
    }
}
