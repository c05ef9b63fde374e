//! Every SQL statement of the crate is prepared on both engines, and none is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sqlx::{Executor as _, SqlStr};
use swabline::on;

use crate::each_engine;

/// Every list of statements there is, with the file it stands in.
fn lists() -> Vec<(&'static str, &'static [(&'static str, &'static str)])> {
    vec![
        ("app.rs", swabline::app::STATEMENTS),
        ("audit/mod.rs", swabline::audit::STATEMENTS),
        ("audit/head.rs", swabline::audit::head::STATEMENTS),
        ("audit/verify.rs", swabline::audit::verify::STATEMENTS),
        ("audit/api.rs", swabline::audit::api::STATEMENTS),
        ("auth/store.rs", swabline::auth::STATEMENTS),
        ("http/health.rs", swabline::http::health::STATEMENTS),
        ("http/idempotency.rs", swabline::http::idempotency::STATEMENTS),
        ("storage/outbox.rs", swabline::storage::outbox::STATEMENTS),
        ("barcode/store.rs", swabline::barcode::store::STATEMENTS),
        ("collection/moves.rs", swabline::collection::STATEMENTS),
        ("collection/person/store.rs", swabline::collection::person::store::STATEMENTS),
        ("collection/place/store.rs", swabline::collection::place::store::STATEMENTS),
        ("collection/tube/store.rs", swabline::collection::tube::store::STATEMENTS),
        ("transport/store.rs", swabline::transport::store::STATEMENTS),
        ("recall/store.rs", swabline::recall::store::STATEMENTS),
        ("receiving/store.rs", swabline::receiving::store::STATEMENTS),
        ("plate/store.rs", swabline::plate::store::STATEMENTS),
        ("instrument/store.rs", swabline::instrument::store::STATEMENTS),
        ("interpretation/store.rs", swabline::interpretation::store::STATEMENTS),
        ("review", swabline::review::STATEMENTS),
        ("query/store.rs", swabline::query::store::STATEMENTS),
        ("feeds/store.rs", swabline::feeds::store::STATEMENTS),
        ("ledger/store.rs", swabline::ledger::store::STATEMENTS),
    ]
}

/// Names of constants whose value is SQL, as they stand in the source.
fn written() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root];
    let mut names = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for part in text.split("const ").skip(1) {
                let Some((name, rest)) = part.split_once(": &str =") else { continue };
                let value = rest.trim_start().trim_start_matches('"');
                let sql = ["select ", "insert ", "update ", "delete ", "with "];
                if sql.iter().any(|word| value.starts_with(word)) {
                    names.insert(name.to_owned());
                }
            }
        }
    }
    names
}

#[test]
fn every_statement_is_on_a_list() {
    let listed: BTreeSet<String> = lists()
        .into_iter()
        .flat_map(|(_, statements)| statements.iter().map(|(name, _)| (*name).to_owned()))
        .collect();
    let written = written();
    assert!(written.len() > 50, "only {} statements were found", written.len());
    let missing: Vec<_> = written.difference(&listed).collect();
    assert!(missing.is_empty(), "not on a list: {missing:?}");
}

each_engine! {
    async fn every_statement_can_be_prepared(app) {
        let mut failures = Vec::new();
        for (file, statements) in lists() {
            for (name, sql) in statements {
                let mut tx = app.app.db.write("test.prepare").await.unwrap();
                let prepared = on!(tx, c => c.prepare(SqlStr::from_static(sql)).await.map(|_| ()));
                if let Err(error) = prepared {
                    failures.push(format!("{file} {name}: {error}"));
                }
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
