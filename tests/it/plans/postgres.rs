//! Plans as PostgreSQL tells them.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, query_as, query_scalar, raw_sql};
use swabline::storage::{Conn, Tx};

use super::{LARGE, Scan};

/// A moment or the beginning, a state, and a site or all of them.
const VALUES: [Values; 3] = [
    Values { number: MIDDLE, later: LATER, state: "released", site: "null" },
    Values { number: "0", later: "1592697600200000", state: "packed", site: "null" },
    Values { number: MIDDLE, later: LATER, state: "open", site: "'S7'" },
];

/// A moment in the middle of the filled store.
const MIDDLE: &str = "1592697620000000";
/// The end of a span that begins there: a small part of the store, as a month is of years.
const LATER: &str = "1592697620200000";

struct Values {
    number: &'static str,
    later: &'static str,
    state: &'static str,
    site: &'static str,
}

/// The connection of a story that plays on PostgreSQL.
pub fn conn(tx: &mut Tx) -> &mut PgConnection {
    let Conn::Postgres(conn) = &mut tx.conn else { panic!("the story plays on PostgreSQL") };
    conn
}

/// Rows of each table, as the planner believes.
pub async fn rows(tx: &mut Tx) -> HashMap<String, i64> {
    let sql = "select relname::text, reltuples::bigint from pg_class where relkind = 'r'";
    let rows: Vec<(String, i64)> = query_as(sql).fetch_all(conn(tx)).await.unwrap();
    rows.into_iter().collect()
}

/// Large tables this statement scans, whatever its values. A page costs on solid-state disks what
/// it costs there. Where scans of tables are discouraged and one stays, there is no other way.
pub async fn scans(tx: &mut Tx, sql: &'static str) -> Vec<Scan> {
    let conn = conn(tx);
    run(conn, "set local random_page_cost = 1.1".to_owned()).await;
    let mut found = Vec::new();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        for discouraged in [false, true] {
            run(conn, format!("set local plan_cache_mode = {mode}")).await;
            run(conn, format!("set local enable_seqscan = {}", !discouraged)).await;
            let types = prepare(conn, sql).await;
            for values in &VALUES {
                found.extend(plan(conn, &list(sql, &types, values)).await);
            }
            run(conn, "deallocate planned".to_owned()).await;
        }
    }
    run(conn, "set local enable_seqscan = on".to_owned()).await;
    found
}

/// Prepares a statement afresh, since a plan for any value is kept, and gives its types.
pub async fn prepare(conn: &mut PgConnection, sql: &'static str) -> Vec<String> {
    run(conn, format!("prepare planned as {sql}")).await;
    query_scalar(
        "select t::text from pg_prepared_statements, unnest(parameter_types) t
            where name = 'planned'",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

/// Runs a statement made by a test.
pub async fn run(conn: &mut PgConnection, sql: String) {
    let done = raw_sql(AssertSqlSafe(sql.clone())).execute(conn).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Sensible values for the parameters: a batch, a page, a time, a code.
fn list(sql: &str, types: &[String], values: &Values) -> String {
    let value = |(of, at): (&String, usize)| {
        let is = |text: &str| sql.contains(&text.replace('?', &format!("${at}")));
        match of.as_str() {
            "bigint" if is("limit ?") => "100".to_owned(),
            "bigint" if is("< ?") => values.later.to_owned(),
            "bigint" => values.number.to_owned(),
            "bytea" => "'\\x00'".to_owned(),
            "text" if is("jsonb_each(?)") => {
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
    let plan = explain(conn, "format json", values).await;
    let mut found = Vec::new();
    each_node(&plan[0]["Plan"], &mut |node: &Value| found.extend(whole(node)));
    found
}

/// How what is prepared is done for these values; it is done as well where `how` says `analyze`.
pub async fn explain(conn: &mut PgConnection, how: &str, values: &str) -> Value {
    let values = if values.is_empty() { String::new() } else { format!("({values})") };
    let explain = AssertSqlSafe(format!("explain ({how}) execute planned{values}"));
    let told = query_scalar(explain).fetch_one(conn).await;
    told.unwrap_or_else(|error| panic!("explain ({how}) for {values}: {error}"))
}

/// Shows every node of a plan.
pub fn each_node(node: &Value, see: &mut impl FnMut(&Value)) {
    see(node);
    for part in node["Plans"].as_array().into_iter().flatten() {
        each_node(part, see);
    }
}

/// A large table that is read from end to end here, or an index of one without a condition on it.
fn whole(node: &Value) -> Option<Scan> {
    let table = node["Relation Name"].as_str().unwrap_or_default();
    let kind = node["Node Type"].as_str().unwrap_or_default();
    let whole = kind == "Seq Scan" || (kind.starts_with("Index") && node["Index Cond"].is_null());
    if !whole || !LARGE.contains(&table) {
        return None;
    }
    let index = node["Index Name"].as_str().unwrap_or_default();
    let filter = node["Filter"].as_str().unwrap_or_default();
    Some(Scan { table: table.to_owned(), plan: format!("{kind} {index} {filter}") })
}
