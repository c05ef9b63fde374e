//! What the database itself allows, tried with direct SQL: the moves of the code and no others,
//! and of what is written, nothing changed or taken away.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::AssertSqlSafe;
use swabline::collection::TubeState;
use swabline::on;
use swabline::pooling::PoolState;
use swabline::recall::RecallState;
use swabline::storage::Tx;

use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory::{self as lab, POSITIVE};
use crate::way;
use crate::world::{people, pool, seal_tube, tube, world};

/// A table whose rows go from state to state.
struct Machine {
    table: &'static str,
    states: Vec<String>,
    /// The moves the code makes.
    moves: Vec<(String, String)>,
    /// Makes row X in this state.
    begin: fn(&str) -> String,
    /// Moves row X to this state.
    go: fn(&str) -> String,
}

fn literal(moves: &[(&str, &str)]) -> Vec<(String, String)> {
    moves.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
}

fn named(states: &[&str]) -> Vec<String> {
    states.iter().map(|state| (*state).to_owned()).collect()
}

/// Every legal move among all pairs of states.
fn pairs<T: Copy>(
    all: &[T],
    name: fn(T) -> String,
    may: fn(T, T) -> bool,
) -> Vec<(String, String)> {
    let pairs = all.iter().flat_map(|from| all.iter().map(move |to| (*from, *to)));
    pairs.filter(|(from, to)| may(*from, *to)).map(|(from, to)| (name(from), name(to))).collect()
}

fn recall_name(state: RecallState) -> String {
    serde_json::to_value(state).unwrap().as_str().unwrap().to_owned()
}

fn machines() -> Vec<Machine> {
    let mut machines = on_the_street();
    machines.extend(in_the_laboratory());
    machines
}

fn on_the_street() -> Vec<Machine> {
    let tube_name = |state: TubeState| state.as_str().to_owned();
    vec![
        Machine {
            table: "tube",
            states: TubeState::ALL.map(tube_name).to_vec(),
            moves: pairs(&TubeState::ALL, |state| state.as_str().to_owned(), TubeState::may_become),
            begin: |state| {
                format!(
                    "insert into tube (code, size, members, swab_count, round_code, site_code,
                        session_code, event_id, device_id, device_seq, device_skew_us, sealed_us,
                        recorded_us, recorded_by, content_tag, state, state_us)
                    values ('X', 1, 1, 1, 'R01', 'S01', 'W01', 'X', 'D', 0, 0, 0, 0, 'A', '',
                        '{state}', 0)"
                )
            },
            go: |state| format!("update tube set state = '{state}' where code = 'X'"),
        },
        Machine {
            table: "box",
            states: named(&["sealed", "in_transit", "arrived"]),
            moves: literal(&[
                ("sealed", "in_transit"),
                ("sealed", "arrived"),
                ("in_transit", "arrived"),
            ]),
            begin: |state| {
                let laboratory = laboratory_column(state);
                format!(
                    "insert into box (code, site_code, seal, tubes, content_tag, sealed_us,
                        recorded_us, recorded_by, state, holder, laboratory_code)
                    values ('X', 'S01', 'Z', 1, '', 0, 0, 'A', '{state}', 'A', {laboratory})"
                )
            },
            go: |state| {
                let laboratory = laboratory_column(state);
                format!(
                    "update box set state = '{state}', laboratory_code = {laboratory}
                    where code = 'X'"
                )
            },
        },
        Machine {
            table: "recall",
            states: RecallState::ALL.map(recall_name).to_vec(),
            moves: pairs(&RecallState::ALL, recall_name, RecallState::may_become),
            begin: |state| {
                let (answer, closed) = recall_columns(state);
                format!(
                    "insert into tube (code, size, members, swab_count, round_code, site_code,
                        session_code, event_id, device_id, device_seq, device_skew_us, sealed_us,
                        recorded_us, recorded_by, content_tag, state, state_us)
                    values ('T2', 1, 1, 1, 'R01', 'S01', 'W01', 'T2', 'D', 0, 0, 0, 0, 'A', '',
                        'sealed', 0);
                    insert into member (tube_code, position, person_key, identity_tag, taken_us)
                    values ('T2', 1, 'K', 'I', 0);
                    insert into recall (id, person_key, origin_tube, site_code, reason,
                        opened_us, due_us, contact, note, state, answer_tube, closed_us)
                    values ('X', 'K', 'T1', 'S01', 'refused', 0, 1, 'none', '', '{state}',
                        {answer}, {closed})"
                )
            },
            go: |state| {
                let (answer, closed) = recall_columns(state);
                format!(
                    "update recall set state = '{state}', answer_tube = {answer},
                        closed_us = {closed} where id = 'X'"
                )
            },
        },
    ]
}

fn in_the_laboratory() -> Vec<Machine> {
    vec![
        Machine {
            table: "pool",
            states: PoolState::ALL.map(|state| state.as_str().to_owned()).to_vec(),
            moves: pairs(&PoolState::ALL, |state| state.as_str().to_owned(), PoolState::may_become),
            begin: |state| {
                let outcome = pool_outcome(state);
                format!(
                    "insert into pool (code, laboratory_code, kit_code, kit_version, depth,
                        made_by, made_us, state, state_us, outcome)
                    values ('X', 'L01', 'K', '1', 2, 'A', 0, '{state}', 0, {outcome})"
                )
            },
            go: |state| {
                let outcome = pool_outcome(state);
                format!("update pool set state = '{state}', outcome = {outcome} where code = 'X'")
            },
        },
        Machine {
            table: "plate",
            states: named(&["draft", "frozen", "closed"]),
            moves: literal(&[("draft", "frozen"), ("frozen", "closed")]),
            begin: plate,
            go: |state| {
                let frozen = if state == "draft" { "null" } else { "1" };
                format!("update plate set state = '{state}', frozen_us = {frozen} where code = 'X'")
            },
        },
        Machine {
            table: "run",
            states: named(&["draft", "reviewed", "released", "void"]),
            moves: literal(&[
                ("draft", "reviewed"),
                ("draft", "void"),
                ("reviewed", "released"),
                ("reviewed", "void"),
            ]),
            begin: run,
            go: |state| format!("update run set state = '{state}' where id = 'X'"),
        },
        Machine {
            table: "call",
            states: named(&["draft", "released", "void"]),
            moves: literal(&[("draft", "released"), ("draft", "void")]),
            begin: |state| {
                format!(
                    "{}; insert into call (run_id, tube_code, outcome, rule, disposition, members,
                        attempt, clean, detail, state)
                    values ('X', 'T1', 'not_detected', 'r', 'report', 1, 1, 1, '', '{state}')",
                    run("draft")
                )
            },
            go: |state| format!("update call set state = '{state}' where run_id = 'X'"),
        },
    ]
}

/// A pool has an outcome once it was called.
fn pool_outcome(state: &str) -> &'static str {
    if state == "called" { "'detected'" } else { "null" }
}

/// A box has a laboratory once it arrived there.
fn laboratory_column(state: &str) -> &'static str {
    if state == "arrived" { "'L01'" } else { "null" }
}

fn recall_columns(state: &str) -> (&'static str, &'static str) {
    match state {
        "open" => ("null", "null"),
        "closed" => ("'T2'", "2"),
        _ => ("'T2'", "null"),
    }
}

fn plate(state: &str) -> String {
    let frozen = if state == "draft" { "null" } else { "1" };
    format!(
        "insert into plate (code, laboratory_code, kit_code, kit_version, template, size, state,
            made_by, made_us, frozen_us)
        values ('X', 'L01', 'K', '1', 'T', 96, '{state}', 'A', 0, {frozen})"
    )
}

fn run(state: &str) -> String {
    format!(
        "{}; insert into run_file (sha256, name, content, kept_us)
            values ('X', 'f', unhex('00'), 0);
        insert into run (id, plate_code, sha256, format, instrument, serial, run_ended, kit_code,
            kit_version, usable, verdict, warnings, imported_by, imported_us, state)
        values ('X', 'X', 'X', 'f', 'i', 's', '', 'K', '1', 1, '', '[]', 'A', 0, '{state}')",
        plate("draft")
    )
}

impl Machine {
    /// The states every row begins in, as the code makes them.
    fn first(&self) -> &str {
        &self.states[0]
    }

    /// The states on the way to `state`, the first left out.
    fn path(&self, state: &str) -> Vec<String> {
        let mut paths = BTreeMap::from([(self.first().to_owned(), Vec::new())]);
        while !paths.contains_key(state) {
            let known = paths.clone();
            for (from, to) in &self.moves {
                if let Some(path) = known.get(from).filter(|_| !known.contains_key(to)) {
                    let path: &Vec<String> = path;
                    paths.insert(to.clone(), path.iter().chain([to]).cloned().collect());
                }
            }
            assert!(paths.len() > known.len(), "{} never becomes {state}", self.table);
        }
        paths.remove(state).unwrap()
    }
}

/// Whether the database takes this; a statement it does not understand fails the story.
async fn is_taken(tx: &mut Tx, sql: String) -> bool {
    let done = on!(tx, c => {
        sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(c).await.map(drop)
    });
    let Err(error) = done else { return true };
    let code =
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
    // A constraint or a trigger of SQLite (19 in the low byte), or of PostgreSQL.
    let on_sqlite = code.parse().is_ok_and(|code: u32| code & 0xff == 19);
    assert!(on_sqlite || code.starts_with("23") || code == "P0001", "{code} {error}: {sql}");
    false
}

/// Whether the database takes this after all that was stored; it is undone.
async fn is_taken_now(app: &TestApp, sql: String) -> bool {
    let mut tx = app.app.db.write("test.direct").await.unwrap();
    is_taken(&mut tx, sql).await
}

/// A morning that leaves rows in every table that is kept: a positive pool that was recalled, a
/// negative single tube with an amendment proposed, which was seeded with virus so that its answer
/// raised an alarm, a hand-over, and a second plate in draft.
async fn morning(app: &TestApp) {
    let world = world(app).await;
    let seeded = format!("/v1/seeded/{}", tube(1));
    app.put(&world.officer, &seeded, &json!({ "expected": "detected" })).await.expect(201);
    seal_tube(app, &world, 0, &people(0, 3)).await.expect(201);
    seal_tube(app, &world, 1, &people(10, 1)).await.expect(201);
    seal_tube(app, &world, 2, &people(20, 1)).await.expect(201);
    lab::deliver(app, &world, 0, &[tube(0), tube(1), tube(2)]).await;
    crate::robots::one_of_everything(app, &world).await;
    let plate = lab::load(app, &world, 0, &[tube(0), tube(1)]).await;
    let file = lab::run_file_with_curves(&plate, &BTreeMap::from([(tube(0), POSITIVE)]));
    let run = lab::upload(app, &world, &plate, file).await.expect(201).json();
    lab::release(app, &world, run["id"].as_str().unwrap()).await;
    let path = format!("/v1/results/{}.1/amend", tube(1));
    let wanted = json!({ "outcome": "withdrawn", "reason": "mixed_up" });
    app.post(&world.reviewer, &path, &wanted).await.expect(202);
    crate::audit::kit_and_lot(app, &world).await;
    for n in 3..5 {
        seal_tube(app, &world, n, &people(n * 20, 1)).await.expect(201);
    }
    lab::deliver(app, &world, 1, &[tube(3), tube(4)]).await;
    lab::mix(app, &world, 0, &[tube(3), tube(4)]).await.expect(201);
    lab::place(app, &world, 1, (&[], &[pool(0)])).await.expect(201);
    lab::freeze_placed(app, &world, 1).await.expect(200);
    let assessed = json!({ "laboratory": "L01", "kit": lab::KIT.0, "kit_version": lab::KIT.1,
        "size": 5, "positives": 10, "found": 10 });
    app.post(&world.reviewer, "/v1/pooling/assessments", &assessed).await.expect(201);
}

/// A second version of the result there is, with these columns put in.
fn result(
    version: u8,
    outcome: &str,
    people: (&str, &str),
    (rule, reason): (&str, &str),
) -> String {
    let (reviewed, released) = people;
    format!(
        "insert into result (id, tube_code, version, outcome, run_id, reviewed_by, released_by,
            rule, released_us, reason, signature_id, content_hash)
        select 'X', tube_code, {version}, '{outcome}', run_id, '{reviewed}', '{released}', {rule},
            released_us, {reason}, signature_id, content_hash from result"
    )
}

each_engine! {
    async fn the_database_makes_exactly_the_moves_the_code_makes(app) {
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        for machine in machines() {
            for from in &machine.states {
                for to in &machine.states {
                    let mut tx = app.app.db.write("test.moves").await.unwrap();
                    let begun = is_taken(&mut tx, (machine.begin)(machine.first())).await;
                    assert!(begun, "{} begins", machine.table);
                    for state in machine.path(from) {
                        let went = is_taken(&mut tx, (machine.go)(&state)).await;
                        assert!(went, "{} to {state}", machine.table);
                    }
                    let went = is_taken(&mut tx, (machine.go)(to)).await;
                    let may = from == to || machine.moves.contains(&(from.clone(), to.clone()));
                    assert_eq!(went, may, "{}: {from} to {to}", machine.table);
                }
            }
        }
    }

    async fn the_database_lets_rows_begin_only_where_the_code_begins_them(app) {
        way::places(app).await;
        way::seal(app, "T1", [1]).await;
        for machine in machines() {
            for state in &machine.states {
                let begun = is_taken_now(app, (machine.begin)(state)).await;
                assert_eq!(begun, state == machine.first(), "{} as {state}", machine.table);
            }
        }
    }

    async fn what_is_written_is_never_taken_away_and_records_never_change(app) {
        morning(app).await;
        let kept = [
            "tube", "member", "recall", "handover", "arrival", "arrival_tube", "run_file", "run",
            "run_reading", "call", "signature", "result", "audit", "audit_chain", "feed",
            "allotment", "box_tube", "well", "code_counter", "kit_version", "shadow",
            "shadow_run", "lot", "lot_delivery", "plate_discard", "lot_issue", "run_part", "curve", "rack", "rack_tube", "transfer_log",
            "transfer_acceptance", "quality_alarm", "quality_point", "quality_run",
            "quality_seeded", "quality_share", "pool", "pool_tube", "pool_assessment",
            "kit_withdrawal", "lot_confirmation"];
        let fixed = [
            ("member", "taken_us"), ("arrival", "arrived_us"), ("arrival_tube", "finding"),
            ("run_file", "name"), ("run_part", "sha256"), ("run_reading", "list"), ("curve", "points"),
            ("signature", "signer"), ("result", "outcome"), ("audit", "detail"),
            ("feed", "at_us"), ("allotment", "count"), ("box_tube", "box_code"),
            ("well", "depth"), ("shadow", "calls"), ("shadow_run", "difference"),
            ("lot_issue", "reactions"), ("lot_delivery", "reactions"),
            ("plate_discard", "reason"), ("quality_run", "accepted"), ("quality_point", "ct"),
            ("quality_alarm", "plates"), ("quality_seeded", "expected"),
            ("quality_share", "people"), ("rack", "size"),
            ("rack_tube", "tube_code"), ("transfer_log", "differences"),
            ("transfer_acceptance", "accepted_by"), ("pool_tube", "tube_code"),
            ("pool_assessment", "found"), ("kit_withdrawal", "reason"),
            ("lot_confirmation", "confirmed_by")];
        for table in kept {
            let mut tx = app.app.db.read("test.count").await.unwrap();
            let sql = AssertSqlSafe(format!("select count(*) from {table}"));
            let rows: i64 = on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap();
            assert!(rows > 0, "{table} has no row to be kept");
            drop(tx);
            assert!(!is_taken_now(app, format!("delete from {table}")).await, "{table}");
        }
        for (table, column) in fixed {
            let sql = format!("update {table} set {column} = {column}");
            assert!(!is_taken_now(app, sql).await, "{table}.{column}");
        }
    }

    async fn a_result_needs_two_people_or_the_rule_and_a_reason_when_it_is_not_the_first(app) {
        morning(app).await;
        let two = ("A", "B");
        let sound = result(2, "withdrawn", two, ("null", "'clerical'"));
        assert!(is_taken_now(app, sound).await, "two people amend with a reason");
        for (sql, fault) in [
            (result(2, "withdrawn", ("A", "A"), ("null", "'clerical'")), "one person alone"),
            (result(2, "withdrawn", two, ("null", "null")), "an amendment without a reason"),
            (result(1, "not_detected", two, ("null", "null")), "a second first version"),
            (result(0, "not_detected", two, ("null", "'clerical'")), "a version before the first"),
            (result(2, "not_detected", two, ("'rule'", "'clerical'")), "an amendment by rule"),
            (result(2, "inconclusive", two, ("null", "'clerical'")), "what is no result"),
        ] {
            assert!(!is_taken_now(app, sql).await, "{fault}");
        }
    }

    async fn a_first_result_by_rule_is_negative_and_a_person_alone_gives_none(app) {
        morning(app).await;
        let of = |outcome: &str, (by, rule): (&str, &str), reason: &str| {
            format!(
                "insert into result (id, tube_code, version, outcome, run_id, reviewed_by,
                    released_by, rule, released_us, reason, signature_id, content_hash)
                select 'X', '{}', 1, '{outcome}', run_id, 'A', '{by}', {rule}, released_us,
                    {reason}, signature_id, content_hash from result",
                tube(2)
            )
        };
        assert!(is_taken_now(app, of("not_detected", ("A", "'rule'"), "null")).await, "by rule");
        assert!(is_taken_now(app, of("detected", ("B", "null"), "null")).await, "by two people");
        for (outcome, by, reason) in [
            ("detected", ("B", "'rule'"), "null"),
            ("withdrawn", ("B", "'rule'"), "null"),
            ("not_detected", ("A", "null"), "null"),
            ("withdrawn", ("B", "null"), "null"),
            ("not_detected", ("B", "null"), "'clerical'"),
        ] {
            assert!(!is_taken_now(app, of(outcome, by, reason)).await, "{outcome} {by:?} {reason}");
        }
    }

    async fn calls_plates_runs_and_tubes_keep_to_their_rules_also_by_direct_sql(app) {
        morning(app).await;
        let call = |outcome: &str, disposition: &str, members: u8| {
            format!(
                "insert into call (run_id, tube_code, outcome, rule, disposition, members, attempt,
                    clean, detail, state)
                select id, '{}', '{outcome}', 'r', '{disposition}', {members}, 1, 0, '', 'draft'
                    from run",
                tube(2)
            )
        };
        assert!(is_taken_now(app, call("detected", "report", 1)).await);
        assert!(is_taken_now(app, call("not_detected", "report", 10)).await);
        let two = |table: &str, columns: &str, values: &str| {
            format!("insert into {table} ({columns}) {values}")
        };
        let pooled = |outcome: &str, disposition: &str, members: u8| {
            format!(
                "insert into call (run_id, tube_code, outcome, rule, disposition, members, attempt,
                    clean, detail, state, pool_code)
                select run.id, '{}', '{outcome}', 'r', '{disposition}', {members}, 1, 0, '',
                    'draft', pool.code from run, pool",
                tube(2)
            )
        };
        let well = |tube: &str, pool: &str, control: &str, depth: u8| {
            format!(
                "{}; insert into well (plate_code, well, reaction, tube_code, pool_code, control,
                    depth)
                values ('X', 80, 'mix', {tube}, {pool}, {control}, {depth})",
                plate("draft")
            )
        };
        assert!(is_taken_now(app, pooled("detected", "retest", 1)).await);
        assert!(is_taken_now(app, pooled("not_detected", "report", 1)).await);
        assert!(is_taken_now(app, well("null", "(select code from pool)", "null", 2)).await);
        for sql in [
            call("detected", "report", 2),
            call("invalid", "report", 1),
            call("inconclusive", "report", 1),
            two("well", "plate_code, well, reaction, tube_code, depth",
                "select code, 80, 'mix', 'T', 1 from plate"),
            two("member", "tube_code, position, person_key, taken_us",
                "select tube_code, 9, person_key, taken_us from member"),
            two("amendment", "id, result_id, outcome, reason, proposed_by, proposed_us",
                "select 'X', result_id, outcome, reason, proposed_by, proposed_us from amendment"),
            two("box_tube", "tube_code, box_code", "select tube_code, box_code from box_tube"),
            two("handover",
                "box_code, step, given_by, given_name, given_us, place, taken_by",
                "select box_code, 9, given_by, given_name, given_us, place, given_by
                    from handover"),
            two("arrival_tube", "arrival_id, tube_code, finding",
                "select id, 'T', 'refused' from arrival"),
            // What was mixed stays so, and a pool that was used takes no more.
            "update pool set depth = 3".to_owned(),
            "update pool set outcome = 'detected'".to_owned(),
            two("pool_tube", "pool_code, tube_code", &format!("select code, '{}' from pool", tube(2))),
            // A well holds one thing, and a pool gives nobody an individual positive.
            well("'T'", "(select code from pool)", "null", 2),
            well("null", "(select code from pool)", "'positive'", 2),
            well("null", "null", "null", 0),
            well("null", "(select code from pool)", "null", 0),
            pooled("detected", "report", 1),
            pooled("inconclusive", "recall", 1),
            pooled("not_detected", "report", 10),
            "update tube set swab_count = members + 1".to_owned(),
            "update tube set attempt = -1".to_owned(),
            "update plate set frozen_us = null".to_owned(),
        ] {
            assert!(!is_taken_now(app, sql.clone()).await, "{sql}");
        }
    }

    async fn a_kit_version_needs_two_people_and_never_changes_also_by_direct_sql(app) {
        let add = "insert into kit_version (code, version, definition, effective_us, until_us,
            proposed_by, proposed_us) values ('K', '1', '{}', 1, 2, 'A', 0)";
        let approve = |by: &str| {
            format!("update kit_version set approved_by = '{by}', approved_us = 1, changed_calls = 0")
        };
        let withdraw = "update kit_version set withdrawn_by = 'A', withdrawn_us = 1,
            withdrawn_reason = 'r'";
        let set = |what: &str| format!("update kit_version set {what}");
        for (steps, taken) in [
            (vec![approve("B"), withdraw.to_owned()], true),
            (vec![withdraw.to_owned()], true),
            (vec![set("version = version")], true),
            (vec![approve("A")], false),
            (vec![approve("B"), approve("C")], false),
            (vec![withdraw.to_owned(), approve("B")], false),
            (vec![withdraw.to_owned(), set("withdrawn_reason = 's'")], false),
            (vec![approve("B"), set("approved_by = null, approved_us = null, changed_calls = null")], false),
            (vec![set("approved_by = 'B'")], false),
            (vec![format!("{}, changed_verdicts = 1", approve("B"))], true),
            (vec![set("changed_verdicts = 1")], false),
            (vec![approve("B"), set("changed_verdicts = 1")], false),
            (vec![set("definition = '{ }'")], false),
            (vec![set("effective_us = 0")], false),
            (vec![set("until_us = null")], false),
            (vec![set("proposed_by = 'B'")], false),
        ] {
            let mut tx = app.app.db.write("test.direct").await.unwrap();
            assert!(is_taken(&mut tx, add.to_owned()).await, "a proposal begins");
            let (last, first) = steps.split_last().unwrap();
            for step in first {
                assert!(is_taken(&mut tx, step.clone()).await, "{step}");
            }
            assert_eq!(is_taken(&mut tx, last.clone()).await, taken, "{steps:?}");
        }
        for sql in [
            "insert into kit_version (code, version, definition, effective_us, until_us,
                proposed_by, proposed_us) values ('K', '1', '{}', 2, 2, 'A', 0)",
            "insert into kit_version (code, version, definition, effective_us, proposed_by,
                proposed_us, approved_by, approved_us, changed_calls)
                values ('K', '1', '{}', 1, 'A', 0, 'B', 1, 0)",
        ] {
            assert!(!is_taken_now(app, sql.to_owned()).await, "{sql}");
        }
    }

    async fn a_lot_stays_as_it_was_registered_and_a_frozen_plate_keeps_its_own(app) {
        morning(app).await;
        for (sql, taken) in [
            ("update lot set lot = lot", true),
            ("update lot set expires_us = expires_us + 1", false),
            ("update lot set reactions = reactions + 1", false),
            ("insert into lot (laboratory_code, kit_code, lot, expires_us, reactions, registered_by,
                registered_us) values ('L01', 'K', 'L', 1, 0, 'A', 0)", false),
            ("insert into lot_issue (id, laboratory_code, kit_code, lot, reactions, issued_by,
                issued_us) values ('X', 'L01', 'K', 'none', 1, 'A', 0)", false),
            ("update plate set lot = 'L' where state <> 'draft'", false),
            ("update plate set volume_nl = volume_nl + 1 where state <> 'draft'", false),
            ("update plate set reactions = reactions where state <> 'draft'", true),
            ("update plate set reactions = reactions + 1 where state <> 'draft'", false),
            ("update plate set tolerance = tolerance + 1 where state <> 'draft'", false),
        ] {
            assert_eq!(is_taken_now(app, sql.to_owned()).await, taken, "{sql}");
        }
    }

    async fn a_plate_has_one_run_that_is_not_void_and_an_unusable_one_is_not_reviewed(app) {
        way::places(app).await;
        let second = "insert into run_file (sha256, name, content, kept_us)
                values ('Y', 'f', unhex('00'), 0);
            insert into run (id, plate_code, sha256, format, instrument, serial, run_ended,
                kit_code, kit_version, usable, verdict, warnings, imported_by, imported_us, state)
            select 'Y', plate_code, 'Y', format, instrument, serial, run_ended, kit_code,
                kit_version, usable, verdict, warnings, imported_by, imported_us, 'draft' from run";
        let first = run("draft");
        let void = "update run set state = 'void'";
        let unusable = "update run set usable = 0";
        let reviewed = "update run set state = 'reviewed'";
        for (sql, taken) in [
            (format!("{first}; {void}; {second}"), true),
            (format!("{first}; {second}"), false),
            (format!("{first}; {unusable}; {void}"), true),
            (format!("{first}; {unusable}; {reviewed}"), false),
        ] {
            assert_eq!(is_taken_now(app, sql.clone()).await, taken, "{sql}");
        }
    }
}
