//! A tube's way written straight into the store, one lawful step at a time, for stories of what
//! only reads it. One tube travels in one box and stands alone on its plate.

use std::fmt::Write as _;
use std::time::Duration;

use swabline::clock::{Span, Time};
use swabline::collection::person::{DocumentType, Shown};
use swabline::on;
use swabline::seal::PersonKey;
use swabline::storage::Tx;
use swabline::storage::outbox::{self, Change};

use crate::app::{Engine, TestApp};

/// Runs whatever SQL a story needs.
pub async fn run(tx: &mut Tx, sql: String) {
    let sql = sqlx::AssertSqlSafe(sql);
    on!(tx, c => sqlx::raw_sql(sql).execute(c).await.map(|_| ())).unwrap();
}

/// Somebody with the database's own rights takes the guards off and changes something.
pub async fn tamper(app: &TestApp, guards: &[&str], sql: &str) {
    let mut tx = app.app.db.write("test.tamper").await.unwrap();
    for guard in guards {
        let (table, _) = guard.rsplit_once('_').unwrap();
        let on =
            if app.engine == Engine::Postgres { format!(" on {table}") } else { String::new() };
        run(&mut tx, format!("drop trigger {guard}{on}")).await;
    }
    run(&mut tx, sql.to_owned()).await;
    tx.commit().await.unwrap();
}

/// Waits until so many writers wait for what others hold. SQLite has one writer at a time, and
/// nobody to wait for.
pub async fn writers_wait(app: &TestApp, count: i64) {
    if app.engine == Engine::Sqlite {
        return;
    }
    let sql = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    for _ in 0..500 {
        if number(app, sql).await >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{count} writers never waited");
}

/// One number out of the store.
pub async fn number(app: &TestApp, sql: &'static str) -> i64 {
    let mut tx = app.app.db.read("test.number").await.unwrap();
    on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
}

async fn step(app: &TestApp, change: Option<(Change, &str)>, sql: String) {
    let mut tx = app.app.db.write("test.step").await.unwrap();
    run(&mut tx, sql).await;
    if let Some((change, tube)) = change {
        outbox::append(&mut tx, change, [tube], app.now()).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// A number of a document that belongs to nobody.
pub fn number_of(person: u32) -> String {
    format!("CANARY{person:06}")
}

/// The key of that person.
pub fn person(app: &TestApp, person: u32) -> PersonKey {
    let number = &number_of(person);
    let shown = Shown { kind: DocumentType::Passport, issuer: Some("GBR"), number };
    shown.key(&app.app.keys)
}

/// Site S01, laboratory L01, round R01 and session W01.
pub async fn places(app: &TestApp) {
    let sql = "insert into laboratory (code, name, address, created_us)
            values ('L01', 'Laboratory', 'Street', 0);
        insert into site (code, name, area, created_us) values ('S01', 'Site', 'Area', 0);
        insert into round (code, name, area, specimen, tube_size, starts_us, ends_us,
            result_hours, created_us) values ('R01', 'Round', 'Area', 'swab', 10, 0, 9, 24, 0);
        insert into session (code, round_code, site_code, team, opens_us, closes_us, created_us)
            values ('W01', 'R01', 'S01', 'Team', 0, 9, 0)";
    step(app, None, sql.to_owned()).await;
}

/// People swabbed now into a tube.
pub async fn seal(app: &TestApp, tube: &str, people: impl IntoIterator<Item = u32>) {
    let people: Vec<_> = people.into_iter().collect();
    let (count, now) = (people.len(), app.now().us());
    let size = if count == 1 { 1 } else { 10 };
    let mut sql = format!(
        "insert into tube (code, size, members, swab_count, round_code, site_code, session_code,
            event_id, device_id, device_seq, device_skew_us, sealed_us, recorded_us, recorded_by,
            content_tag, state, state_us)
        values ('{tube}', {size}, {count}, {count}, 'R01', 'S01', 'W01', '{tube}', 'D', 0, 0,
            {now}, {now}, 'X', '', 'sealed', {now});"
    );
    for (key, position) in people.iter().map(|&one| person(app, one)).zip(1..) {
        let key = key.as_str();
        write!(
            sql,
            "insert into person (key, identity_tag, identity, first_seen_us)
            values ('{key}', 'tag', unhex('00'), {now}) on conflict do nothing;
            insert into member (tube_code, position, person_key, identity_tag, taken_us)
            values ('{tube}', {position}, '{key}', 'tag', {now});"
        )
        .unwrap();
    }
    step(app, Some((Change::Sealed, tube)), sql).await;
}

/// The tube lies in box `B` and its own code.
pub async fn pack(app: &TestApp, tube: &str) {
    let now = app.now().us();
    step(
        app,
        None,
        format!(
            "insert into box (code, site_code, seal, tubes, content_tag, sealed_us, recorded_us,
            recorded_by, state, holder)
        values ('B{tube}', 'S01', 'seal', 1, '', {now}, {now}, 'X', 'sealed', 'X');
        insert into box_tube (tube_code, box_code) values ('{tube}', 'B{tube}');
        update tube set state = 'packed', state_us = {now} where code = '{tube}'"
        ),
    )
    .await;
}

/// Laboratory L01 opens the box and finds `accepted`, `refused` or `missing`.
pub async fn arrive(app: &TestApp, tube: &str, finding: &str) {
    let (now, id) = (app.now().us(), app.clock.id());
    let (state, change, reason) = match finding {
        "accepted" => ("received", Some((Change::Received, tube)), "null"),
        "refused" => ("refused", Some((Change::Refused, tube)), "'leak'"),
        _ => ("missing", None, "null"),
    };
    let laboratory = if state == "missing" { "null" } else { "'L01'" };
    let recalls = if state == "refused" { recall_sql(app, tube, "refused") } else { String::new() };
    step(
        app,
        change,
        format!(
        "insert into arrival (id, box_code, laboratory_code, arrived_us, recorded_us, received_by,
            seal_intact, warnings)
        values ('{id}', 'B{tube}', 'L01', {now}, {now}, 'X', 1, '[]');
        insert into arrival_tube (arrival_id, tube_code, finding, reason)
            values ('{id}', '{tube}', '{finding}', {reason});
        update tube set state = '{state}', state_us = {now}, laboratory_code = {laboratory}
            where code = '{tube}'; {recalls}"
    ),
    )
    .await;
}

/// The tube stands on the frozen plate `plate`.
pub async fn plate(app: &TestApp, tube: &str, plate: &str) {
    let now = app.now().us();
    step(
        app,
        None,
        format!(
        "insert into plate (code, laboratory_code, kit_code, kit_version, template, size, state,
            made_by, made_us) values ('{plate}', 'L01', 'K', '1', 'T', 96, 'draft', 'X', {now});
        insert into well (plate_code, well, reaction, tube_code, depth)
            values ('{plate}', 0, 'all', '{tube}', 1);
        update plate set state = 'frozen', frozen_us = {now} where code = '{plate}';
        update tube set state = 'plated', state_us = {now} where code = '{tube}'"
    ),
    )
    .await;
}

/// The run of `plate` is released with this call: `report`, `retest` or `recall`.
pub async fn release(app: &TestApp, tube: &str, plate: &str, (outcome, disposition): (&str, &str)) {
    let now = app.now().us();
    let (state, change, then) = match disposition {
        "report" => {
            ("released", Some((Change::Released, tube)), result_sql(tube, plate, outcome, now))
        }
        "recall" => {
            let recalls = recall_sql(app, tube, outcome);
            ("closed", Some((Change::RecallOpened, tube)), recalls)
        }
        _ => ("received", None, String::new()),
    };
    step(
        app,
        change,
        format!(
            "insert into run_file (sha256, name, content, kept_us)
            values ('{plate}', 'f', unhex('00'), {now});
        insert into run (id, plate_code, sha256, format, instrument, serial, run_ended, kit_code,
            kit_version, usable, verdict, warnings, imported_by, imported_us, state)
        values ('R{plate}', '{plate}', '{plate}', 'f', 'i', 's', '', 'K', '1', 1, '', '[]', 'X',
            {now}, 'draft');
        insert into call (run_id, tube_code, outcome, rule, disposition, members, attempt, clean,
            detail, state)
        select 'R{plate}', code, '{outcome}', 'rule', '{disposition}', members, 0, 0, '', 'draft'
            from tube where code = '{tube}';
        update call set state = 'released' where run_id = 'R{plate}';
        update run set state = 'reviewed' where id = 'R{plate}';
        update run set state = 'released' where id = 'R{plate}';
        update plate set state = 'closed' where code = '{plate}'; {then};
        update tube set state = '{state}', state_us = {now} where code = '{tube}'"
        ),
    )
    .await;
}

fn result_sql(tube: &str, plate: &str, outcome: &str, now: i64) -> String {
    format!(
        "insert into signature (id, about, meaning, account_id, signer, signed_us, content_hash)
            values ('S{tube}', 'R{plate}', 'release', 'Y', 'Y', {now}, '');
        insert into result (id, tube_code, version, outcome, run_id, reviewed_by, released_by,
            released_us, signature_id, content_hash)
        values ('{tube}.1', '{tube}', 1, '{outcome}', 'R{plate}', 'X', 'Y', {now}, 'S{tube}', '');
        insert into status (person_key, tube_code, result_id, outcome, collected_us, released_us)
        select person_key, tube_code, '{tube}.1', '{outcome}', taken_us, {now} from member
            where tube_code = '{tube}'
        on conflict (person_key) do update set tube_code = excluded.tube_code,
            result_id = excluded.result_id, outcome = excluded.outcome,
            collected_us = excluded.collected_us, released_us = excluded.released_us
        where excluded.collected_us >= status.collected_us"
    )
}

fn recall_sql(app: &TestApp, tube: &str, reason: &str) -> String {
    let (now, due) = (app.now(), due(app.now()));
    let (now, due) = (now.us(), due.us());
    format!(
        "insert into recall (id, person_key, origin_tube, site_code, reason, opened_us, due_us,
            contact, note, state)
        select '{tube}-' || person_key, person_key, '{tube}', 'S01', '{reason}', {now}, {due},
            'none', '', 'open' from member where tube_code = '{tube}'"
    )
}

/// When a recall opened at `opened` is due.
pub fn due(opened: Time) -> Time {
    opened + Span::hours(24)
}

/// The recalls of these people go to this state, answered by `tube`.
pub async fn recalls_go(app: &TestApp, tube: &str, state: &str) {
    let now = app.now().us();
    let closed = if state == "closed" { now.to_string() } else { "null".to_owned() };
    step(
        app,
        None,
        format!(
            "update recall set state = '{state}', answer_tube = '{tube}', closed_us = {closed}
        where person_key in (select person_key from member where tube_code = '{tube}')"
        ),
    )
    .await;
}

/// The whole way to a released negative.
pub async fn negative(app: &TestApp, tube: &str, people: impl IntoIterator<Item = u32>) {
    seal(app, tube, people).await;
    pack(app, tube).await;
    arrive(app, tube, "accepted").await;
    let on = format!("P{tube}");
    plate(app, tube, &on).await;
    release(app, tube, &on, ("not_detected", "report")).await;
}

/// The whole way of a positive pool: ended without a result, every member recalled.
pub async fn positive_pool(app: &TestApp, tube: &str, people: impl IntoIterator<Item = u32>) {
    seal(app, tube, people).await;
    pack(app, tube).await;
    arrive(app, tube, "accepted").await;
    let on = format!("P{tube}");
    plate(app, tube, &on).await;
    release(app, tube, &on, ("detected", "recall")).await;
}
