//! One history on both engines: the same requests get the same answers and leave the same rows.

use std::collections::BTreeMap;

use proptest::test_runner::TestRunner;
use proptest_state_machine::ReferenceStateMachine as _;
use serde_json::Value;
use swabline::on;
use uuid::Uuid;

use crate::app::{Engine, TestApp, postgres_url};
use crate::lifecycle::{Act, Bench, City, STEPS, cases, runtime};

/// What a history leaves behind, one line of text a row, in an order of its own. Sealed columns
/// are left out: they are sealed with a fresh nonce each time.
const DUMPS: &[(&str, &str)] = &[
    (
        "tube",
        "select code || ' ' || size || ' ' || members || ' ' || session_code || ' ' || event_id
            || ' ' || device_skew_us || ' ' || sealed_us || ' ' || recorded_us || ' '
            || content_tag || ' ' || state || ' ' || state_us || ' '
            || coalesce(laboratory_code, '-') || ' ' || attempt from tube order by code",
    ),
    (
        "member",
        "select tube_code || ' ' || position || ' ' || person_key || ' ' || identity_tag || ' ' || taken_us from member
            order by tube_code, position",
    ),
    (
        "person",
        "select key || ' ' || identity_tag || ' ' || first_seen_us
            from person order by key, identity_tag",
    ),
    (
        "box",
        "select code || ' ' || content_tag || ' ' || tubes || ' ' || state || ' ' || holder
            from box order by code",
    ),
    ("box_tube", "select box_code || ' ' || tube_code from box_tube order by tube_code"),
    (
        "handover",
        "select box_code || ' ' || step || ' ' || given_by || ' ' || taken_by || ' '
            || coalesce(taken_us, 0) from handover order by box_code, step",
    ),
    (
        "arrival",
        "select id || ' ' || box_code || ' ' || laboratory_code || ' ' || arrived_us || ' '
            || warnings from arrival order by recorded_us, id",
    ),
    (
        "arrival_tube",
        "select arrival_id || ' ' || tube_code || ' ' || finding || ' ' || coalesce(reason, '-')
            from arrival_tube order by arrival_id, tube_code",
    ),
    (
        "plate",
        "select code || ' ' || laboratory_code || ' ' || state || ' ' || made_us || ' '
            || coalesce(frozen_us, 0) from plate order by code",
    ),
    (
        "well",
        "select plate_code || ' ' || well || ' ' || reaction || ' ' || coalesce(tube_code, '-')
            || ' ' || coalesce(pool_code, '-') || ' ' || depth || ' ' || coalesce(control, '-')
            from well order by plate_code, well",
    ),
    (
        "pool",
        "select code || ' ' || laboratory_code || ' ' || kit_code || ' ' || kit_version || ' '
            || depth || ' ' || made_us || ' ' || state || ' ' || state_us || ' '
            || coalesce(outcome, '-') from pool order by code",
    ),
    ("pool_tube", "select pool_code || ' ' || tube_code from pool_tube order by 1"),
    (
        "run",
        "select id || ' ' || plate_code || ' ' || sha256 || ' ' || usable || ' ' || verdict || ' '
            || state from run order by imported_us, id",
    ),
    (
        "run_part",
        "select run_id || ' ' || part || ' ' || sha256 from run_part order by run_id, part",
    ),
    (
        "reading",
        "select run_id || ' ' || well || ' ' || target || ' ' || coalesce(ct, '-') || ' ' || raw_ct
            from reading order by run_id, well, target",
    ),
    (
        "curve",
        "select run_id || ' ' || well || ' ' || target || ' ' || dye || ' ' || first_cycle || ' '
            || length(points) from curve order by run_id, well, target, dye",
    ),
    (
        "call",
        "select run_id || ' ' || tube_code || ' ' || outcome || ' ' || rule || ' ' || disposition
            || ' ' || clean || ' ' || detail || ' ' || coalesce(pool_code, '-') || ' ' || state
            from call order by run_id, tube_code",
    ),
    (
        "quality_run",
        "select run_id || ' ' || instrument || ' ' || kit || ' ' || account_id || ' ' || at_us || ' '
            || accepted || ' ' || internal_failures from quality_run order by run_id",
    ),
    (
        "quality_share",
        "select run_id || ' ' || people || ' ' || tubes || ' ' || detected || ' '
            || coalesce(expected_laboratory, 0) from quality_share order by run_id, people",
    ),
    (
        "quality_point",
        "select run_id || ' ' || measure || ' ' || target || ' ' || ct || ' ' || coalesce(mean, 0)
            from quality_point order by run_id, measure, target",
    ),
    (
        "signature",
        "select id || ' ' || about || ' ' || meaning || ' ' || account_id || ' ' || content_hash
            || ' ' || coalesce(rule, '-') from signature order by signed_us, id",
    ),
    (
        "result",
        "select id || ' ' || outcome || ' ' || run_id || ' ' || reviewed_by || ' ' || released_by
            || ' ' || coalesce(rule, '-') || ' ' || released_us || ' ' || coalesce(reason, '-')
            from result order by id",
    ),
    (
        "amendment",
        "select result_id || ' ' || outcome || ' ' || proposed_by || ' ' || coalesce(settled_us, 0)
            from amendment order by proposed_us, result_id",
    ),
    (
        "status",
        "select person_key || ' ' || tube_code || ' ' || result_id || ' ' || outcome || ' '
            || collected_us || ' ' || released_us || ' ' || pooled from status order by person_key",
    ),
    (
        "recall",
        "select id || ' ' || person_key || ' ' || origin_tube || ' ' || reason || ' ' || opened_us
            || ' ' || due_us || ' ' || state || ' ' || coalesce(answer_tube, '-') || ' '
            || coalesce(outcome, '-') from recall order by origin_tube, person_key",
    ),
    ("feed", "select change || ' ' || tube_code || ' ' || at_us from feed order by seq"),
    (
        "audit",
        "select account_id || ' ' || action || ' ' || about || ' ' || at_us || ' ' || detail
            from audit order by at_us, account_id, action, about, detail",
    ),
    (
        "idempotency",
        "select account_id || ' ' || fingerprint || ' ' || status || ' ' || body from idempotency
            order by created_us, key",
    ),
];

/// Ids are numbered in the order they are first seen: the store makes some of its own (a chain
/// of audit rows for each writer), so that those of the two engines drift apart.
#[derive(Default)]
struct Names(BTreeMap<Uuid, usize>);

impl Names {
    fn plain(&mut self, text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let id = rest.get(..36).and_then(|id| Uuid::try_parse(id).ok());
            let step = match id {
                Some(id) => {
                    let next = self.0.len();
                    let number = self.0.entry(id).or_insert(next);
                    plain.push_str("id");
                    plain.push_str(&number.to_string());
                    36
                }
                None => rest.chars().next().map_or(0, char::len_utf8),
            };
            if id.is_none() {
                plain.push_str(&rest[..step]);
            }
            rest = &rest[step..];
        }
        plain
    }

    fn plain_json(&mut self, value: &Value) -> String {
        self.plain(&value.to_string())
    }
}

/// Plays a history and writes down every answer and every row.
async fn played(bench: &mut Bench, acts: &[Act]) -> Vec<String> {
    let mut names = Names::default();
    let mut lines = Vec::new();
    for act in acts {
        let heard = bench.act(act).await;
        lines.push(format!("{act:?}: {} {}", heard.status, names.plain_json(&heard.body)));
    }
    for path in ["/v1/ledger", "/v1/recalls"] {
        let shown = bench.app.get(&bench.world.officer, path).await.expect(200).json();
        lines.push(format!("{path}: {}", names.plain_json(&shown)));
    }
    let mut tx = bench.app.app.db.read("test.dump").await.unwrap();
    for (table, sql) in DUMPS {
        let rows: Vec<String> = on!(tx, c => sqlx::query_scalar(*sql).fetch_all(c).await).unwrap();
        lines.extend(rows.iter().map(|row| format!("{table}: {}", names.plain(row))));
    }
    drop(tx);
    bench.app.app.db.close().await;
    lines
}

#[test]
fn both_engines_answer_alike_and_store_alike() {
    if postgres_url().is_none() {
        return;
    }
    let mut runner = TestRunner::new(cases(4));
    let outcome = runner.run(&City::sequential_strategy(20..STEPS), |(_, acts, _)| {
        runtime().block_on(async {
            let sqlite = TestApp::start(Engine::Sqlite).await.expect("SQLite is built in");
            let postgres = TestApp::start_with(Engine::Postgres, Some(&sqlite)).await;
            let postgres = postgres.expect("PostgreSQL was there before");
            let on_sqlite = played(&mut Bench::new(sqlite).await, &acts).await;
            let on_postgres = played(&mut Bench::new(postgres).await, &acts).await;
            for (here, there) in on_sqlite.iter().zip(&on_postgres) {
                assert_eq!(here, there, "SQLite to the left, PostgreSQL to the right");
            }
            assert_eq!(on_sqlite.len(), on_postgres.len());
        });
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
