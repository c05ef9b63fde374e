//! Every SQL statement of the crate is prepared on both engines, and none is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sqlx::{Executor as _, SqlStr};
use swabline::on;
use swabline::storage::Sql;

use crate::each_engine;

/// Every list of statements there is, with the file it stands in.
pub fn lists() -> Vec<(&'static str, &'static [(&'static str, &'static str)])> {
    vec![
        ("app.rs", swabline::app::STATEMENTS),
        ("audit/mod.rs", swabline::audit::STATEMENTS),
        ("audit/head.rs", swabline::audit::head::STATEMENTS),
        ("audit/verify.rs", swabline::audit::verify::STATEMENTS),
        ("audit/api.rs", swabline::audit::api::STATEMENTS),
        ("auth/store.rs", swabline::auth::STATEMENTS),
        ("auth/administration.rs", swabline::auth::administration::STATEMENTS),
        ("auth/session/store.rs", swabline::auth::session::STATEMENTS),
        ("http/health.rs", swabline::http::health::STATEMENTS),
        ("http/idempotency.rs", swabline::http::idempotency::STATEMENTS),
        ("storage/migrate.rs", swabline::storage::migrate::STATEMENTS),
        ("storage/outbox.rs", swabline::storage::outbox::STATEMENTS),
        ("cache/follow.rs", swabline::cache::follow::STATEMENTS),
        ("barcode/store.rs", swabline::barcode::store::STATEMENTS),
        ("collection/device/store.rs", swabline::collection::device::STATEMENTS),
        ("collection/moves.rs", swabline::collection::STATEMENTS),
        ("collection/place/store.rs", swabline::collection::place::store::STATEMENTS),
        ("collection/tube/store.rs", swabline::collection::tube::store::STATEMENTS),
        ("transport/store.rs", swabline::transport::store::STATEMENTS),
        ("recall/store.rs", swabline::recall::store::STATEMENTS),
        ("receiving/store.rs", swabline::receiving::store::STATEMENTS),
        ("pooling/store.rs", swabline::pooling::store::STATEMENTS),
        ("pooling/figures.rs", swabline::pooling::FIGURES_STATEMENTS),
        ("plate/picklist.rs", swabline::plate::picklist::STATEMENTS),
        ("plate/retest.rs", swabline::plate::retest::STATEMENTS),
        ("plate/store.rs", swabline::plate::store::STATEMENTS),
        ("plate/discard.rs", swabline::plate::discard::STATEMENTS),
        ("plate/rack/store.rs", swabline::plate::rack::store::STATEMENTS),
        ("plate/robot/store.rs", swabline::plate::robot::store::STATEMENTS),
        ("plate/robot/late.rs", swabline::plate::robot::late::STATEMENTS),
        ("instrument/store.rs", swabline::instrument::store::STATEMENTS),
        ("quality/shares.rs", swabline::quality::shares::STATEMENTS),
        ("quality/store.rs", swabline::quality::store::STATEMENTS),
        ("quality/alarm.rs", swabline::quality::alarm::STATEMENTS),
        ("quality/past.rs", swabline::quality::past::STATEMENTS),
        ("quality/seeded.rs", swabline::quality::seeded::STATEMENTS),
        ("quality/seeded_list.rs", swabline::quality::seeded_list::STATEMENTS),
        ("instrument/curve_store.rs", swabline::instrument::curve_store::STATEMENTS),
        ("interpretation/store.rs", swabline::interpretation::store::STATEMENTS),
        ("interpretation/replace.rs", swabline::interpretation::replace::STATEMENTS),
        ("interpretation/kit/store.rs", swabline::interpretation::kit::store::STATEMENTS),
        (
            "interpretation/kit/shadow_store.rs",
            swabline::interpretation::kit::shadow_store::STATEMENTS,
        ),
        (
            "interpretation/kit/shadow_union.rs",
            swabline::interpretation::kit::shadow_union::STATEMENTS,
        ),
        ("interpretation/lot/store.rs", swabline::interpretation::lot::store::STATEMENTS),
        ("interpretation/swapped.rs", swabline::interpretation::swapped::STATEMENTS),
        ("review", swabline::review::STATEMENTS),
        ("query", swabline::query::store::STATEMENTS),
        ("query/report/store.rs", swabline::query::report::STATEMENTS),
        ("query/way_plates.rs", swabline::query::way_plates::STATEMENTS),
        ("feeds/store.rs", swabline::feeds::store::STATEMENTS),
        ("ledger/store.rs", swabline::ledger::store::STATEMENTS),
        ("figures/check.rs", swabline::figures::check::STATEMENTS),
        ("figures/fold.rs", swabline::figures::fold::STATEMENTS),
        ("figures/store.rs", swabline::figures::store::STATEMENTS),
        ("integrity/root.rs", swabline::integrity::root::STATEMENTS),
        ("integrity/runs.rs", swabline::integrity::runs::STATEMENTS),
        ("integrity/store.rs", swabline::integrity::store::STATEMENTS),
        ("integrity/replaced.rs", swabline::integrity::replaced::STATEMENTS),
        ("integrity/transfers.rs", swabline::integrity::transfers::STATEMENTS),
    ]
}

/// Every pair of statements whose text differs between the engines, with file and name.
pub fn pairs() -> Vec<(&'static str, &'static str, Sql)> {
    vec![
        (
            "collection/person/store.rs",
            "PERSONS_PUT",
            swabline::collection::person::store::PERSONS_PUT,
        ),
        ("collection/tube/store.rs", "MEMBERS_ADD", swabline::collection::tube::store::MEMBERS_ADD),
        ("cache/follow.rs", "SNAPSHOT", swabline::cache::follow::SNAPSHOT),
        ("http/idempotency.rs", "HOLD", swabline::http::idempotency::HOLD),
        ("review/standing.rs", "STATUSES_LOCK", swabline::review::standing::STATUSES_LOCK),
        ("query/store.rs", "KNOWN", swabline::query::store::KNOWN),
        ("query/store.rs", "TUBES_OF", swabline::query::store::TUBES_OF),
        ("figures/fold.rs", "FOLD", swabline::figures::fold::FOLD),
        ("feeds/store.rs", "HORIZON", swabline::feeds::store::HORIZON),
        ("storage/migrate.rs", "BEGUN", swabline::storage::migrate::BEGUN),
    ]
}

/// File and name of a constant.
type Place = (String, String);

/// A text whose spaces and line ends are no matter.
fn plain(text: &str) -> String {
    text.replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The constants that a source text writes as SQL, with their text, and the names of its pairs.
fn constants(source: &str) -> (Vec<(String, String)>, Vec<String>) {
    let (mut statements, mut pairs) = (Vec::new(), Vec::new());
    for part in source.split("const ").skip(1) {
        let pair = part.split_once(": Sql = ").map(|(name, _)| name);
        pairs.extend(pair.filter(|name| !name.contains(char::is_whitespace)).map(str::to_owned));
        let Some((name, rest)) = part.split_once(": &str =") else { continue };
        let Some((value, _)) = rest.trim_start().trim_start_matches('"').split_once("\";") else {
            continue;
        };
        let sql = ["select ", "insert ", "update ", "delete ", "with "];
        if sql.iter().any(|word| value.starts_with(word)) {
            statements.push((name.to_owned(), plain(value)));
        }
    }
    (statements, pairs)
}

/// Every statement that stands in the source with its text, and every pair.
fn written() -> (BTreeMap<Place, String>, BTreeSet<Place>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let (mut statements, mut pairs) = (BTreeMap::new(), BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let file = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let found = constants(&fs::read_to_string(&path).unwrap());
            for (name, text) in found.0 {
                statements.insert((file.clone(), name), text);
            }
            pairs.extend(found.1.into_iter().map(|name| (file.clone(), name)));
        }
    }
    (statements, pairs)
}

/// What is wrong with the lists: a statement on none, an entry that is another statement.
fn faults(mut written: BTreeMap<Place, String>, lists: &[(&str, &[(&str, &str)])]) -> Vec<String> {
    let mut faults = Vec::new();
    for (label, statements) in lists {
        for (name, sql) in *statements {
            // A list may speak for a folder; its names must then be its files' own.
            let here = |place: &&Place| {
                place.1 == *name && (place.0 == *label || place.0.starts_with(&format!("{label}/")))
            };
            let place = written
                .iter()
                .find(|(place, text)| here(place) && **text == plain(sql))
                .map(|(place, _)| place.clone());
            match place {
                Some(place) => drop(written.remove(&place)),
                None => faults.push(format!("{label} lists another {name} than it has")),
            }
        }
    }
    faults.extend(written.keys().map(|(file, name)| format!("{file} {name} is on no list")));
    faults
}

#[test]
fn every_statement_is_on_a_list() {
    let (statements, pairs_written) = written();
    assert!(statements.len() > 50, "only {} statements were found", statements.len());
    assert_eq!(faults(statements, &lists()), Vec::<String>::new());
    let listed: BTreeSet<Place> =
        pairs().iter().map(|(file, name, _)| ((*file).to_owned(), (*name).to_owned())).collect();
    assert_eq!(pairs_written, listed);
}

#[test]
fn a_statement_is_missed_whose_name_stands_on_another_list() {
    let source = "pub const FIND: &str = \"select 1\n    from a\";
        pub const PAIR: Sql = Sql { sqlite: \"select 1\", postgres: \"select 2\" };";
    let (statements, pairs) = constants(source);
    assert_eq!(statements, [("FIND".to_owned(), "select 1 from a".to_owned())]);
    assert_eq!(pairs, ["PAIR"]);
    let place = |file: &str| ((file.to_owned(), "FIND".to_owned()), "select 1 from a".to_owned());
    let (here, both) = ([place("a.rs")], [place("a.rs"), place("b/c.rs")]);
    let own: &[(&str, &str)] = &[("FIND", "select 1 from a")];
    let other: &[(&str, &str)] = &[("FIND", "select 2 from a")];
    assert_eq!(faults(here.clone().into(), &[("a.rs", own)]), Vec::<String>::new());
    assert_eq!(faults(both.clone().into(), &[("a.rs", own), ("b", own)]), Vec::<String>::new());
    assert_eq!(faults(both.into(), &[("a.rs", own)]), ["b/c.rs FIND is on no list"]);
    assert_eq!(faults(here.into(), &[("a.rs", other)]).len(), 2);
}

each_engine! {
    async fn every_statement_can_be_prepared(app) {
        let mut failures = Vec::new();
        let ordinary = lists().into_iter().flat_map(|(file, statements)| {
            statements.iter().map(move |(name, sql)| (file, *name, Sql { sqlite: sql, postgres: sql }))
        });
        for (file, name, sql) in ordinary.chain(pairs()) {
            let mut tx = app.app.db.write("test.prepare").await.unwrap();
            let sql = sql.text(&tx);
            let prepared = on!(tx, c => c.prepare(SqlStr::from_static(sql)).await.map(|_| ()));
            if let Err(error) = prepared {
                failures.push(format!("{file} {name}: {error}"));
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
