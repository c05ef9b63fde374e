//! A city's rows, on their way and at its end, the same on both engines.

use sqlx::{AssertSqlSafe, raw_sql};
use swabline::on;
use swabline::storage::Tx;

use crate::app::Engine;

/// Numbers to make rows of: `n`, and the codes of what row `n` belongs to.
const NUMBERS: &str = "create temporary table row_number as
    with recursive counted(n) as (select cast(0 as bigint) union all
        select n + 1 from counted where n + 1 < 4 * {tubes})
    select n, 'T' || (1000000 + n) as tube, 'T' || (1000000 + n / 4) as pool,
        'Q' || (1000000 + n % (2 * {tubes})) as person, 'S' || (n % 50) as site,
        'B' || (1000000 + n / 20) as box, 'P' || (1000000 + n / 8) as plate,
        'R' || (1000000 + n / 8) as run, 'M' || (1000000 + n) as mixed, 1592697600000000 + n * 1000 as at_us
    from counted";

/// One statement a table, in the order of a tube's way; `{tubes}` is their number.
const ROWS: &[&str] = &[
    "insert into account (id, name, role, created_us)
        select 'A' || n, 'Somebody', 'sampler', at_us from row_number where n < 2000",
    "insert into token (hash, account_id, label, created_us, expires_us)
        select 'H' || n, 'A' || n, 'test', at_us, at_us + 1 from row_number where n < 2000",
    "insert into audit_chain (chain, number, seq, hash)
        select 'C' || n, n + 1, {tubes} / 8, 'h' from row_number where n < 8",
    "insert into audit (chain, seq, at_us, account_id, action, about, detail, previous, hash)
        select 'C' || (n % 8), n / 8 + 1, at_us, 'A1', 'tube.seal', tube, '', 'h', 'h'
        from row_number where n < {tubes}",
    "insert into idempotency (account_id, key, fingerprint, status, body, created_us)
        select 'A' || (n % 2000), tube, 'f', 200, '{}', at_us from row_number where n < 2000",
    "insert into laboratory (code, name, address, created_us) values ('L01', 'L', 'A', 0)",
    "insert into laboratory (code, name, address, created_us)
        select 'L1' || n, 'L', 'A', 0 from row_number where n < 50",
    "insert into site (code, name, area, created_us)
        select 'S' || n, 'S', 'A', 0 from row_number where n < 50",
    "insert into round (code, name, area, specimen, tube_size, starts_us, ends_us, result_hours,
        created_us) values ('D01', 'D', 'A', 'swab', 5, 0, 1, 24, 0)",
    "insert into session (code, round_code, site_code, team, opens_us, closes_us, created_us)
        select 'E' || n, 'D01', site, 'T', 0, 1, 0 from row_number where n < 500",
    "insert into allotment (id, kind, first_number, count, place_code, allotted_by, allotted_us)
        select 'O' || n, 'tube', n * 100, 100, site, 'A1', at_us from row_number where n < 2000",
    "insert into person (key, identity_tag, identity, first_seen_us)
        select person, 'tag', unhex('00'), at_us from row_number where n < 2 * {tubes}",
    "insert into tube (code, size, members, swab_count, round_code, site_code, session_code,
            event_id, device_id, device_seq, device_skew_us, sealed_us, recorded_us, recorded_by,
            content_tag, state, state_us)
        select tube, 5, 4, 4, 'D01', site, 'E' || (n % 500), 'V' || n, 'D' || (n % 500), n, 0,
            at_us, at_us, 'A1', 'tag', 'sealed', at_us
        from row_number where n < {tubes}",
    "insert into member (tube_code, position, person_key, identity_tag, taken_us)
        select pool, n % 4 + 1, person, 'tag', at_us from row_number",
    "insert into box (code, site_code, seal, tubes, content_tag, sealed_us, recorded_us,
            recorded_by, state, holder)
        select box, 'S1', 'seal', 20, 'tag', at_us, at_us, 'A1', 'sealed', 'A1'
        from row_number where n < {tubes} and n % 20 = 0",
    "insert into box_tube (tube_code, box_code)
        select tube, box from row_number where n < {tubes}",
    "insert into handover (box_code, step, given_by, given_name, given_us, place, taken_by)
        select box, 1, 'A1', 'Somebody', at_us, 'gate', 'A2'
        from row_number where n < {tubes} and n % 20 = 0",
    "insert into recall (id, person_key, origin_tube, site_code, reason, opened_us, due_us,
            contact, note, state)
        select 'K' || n, person, pool, site, 'detected', at_us, at_us + 1000000, 'none', '', 'open'
        from row_number where n / 4 % 5 = 0",
    "insert into arrival (id, box_code, laboratory_code, arrived_us, recorded_us, received_by,
            seal_intact, warnings)
        select 'I' || box, box, 'L01', at_us, at_us, 'A3', 1, '[]'
        from row_number where n < {tubes} and n % 20 = 0",
    "insert into arrival_tube (arrival_id, tube_code, finding)
        select 'I' || box, tube, 'accepted' from row_number where n < {tubes}",
    "insert into plate (code, laboratory_code, kit_code, kit_version, template, size, state,
            made_by, made_us)
        select plate, 'L01', 'kit', '1', '96', 96, 'draft', 'A4', at_us
        from row_number where n < {tubes} and n % 8 = 0",
    "insert into plate (code, laboratory_code, kit_code, kit_version, template, size, state,
            made_by, made_us)
        select 'P' || (2000000 + n), 'L01', 'kit', '1', '96', 96, 'draft', 'A4', at_us
        from row_number where n < 2500",
    "insert into stamp (plate_code, quadrant, source_plate, scheme)
        select 'P' || (2000000 + n / 5), n % 5, 'P' || (2000000 + 500 + n), 'z'
        from row_number where n < 2000 and n % 5 > 0",
    "insert into lot (laboratory_code, kit_code, lot, expires_us, reactions, registered_by,
            registered_us) values ('L01', 'kit', 'lot', 0, 96, 'A4', 0)",
    "insert into lot_issue (id, laboratory_code, kit_code, lot, reactions, issued_by, issued_us)
        values ('Z1', 'L01', 'kit', 'lot', 96, 'A4', 0)",
    "insert into kit_version (code, version, definition, effective_us, proposed_by, proposed_us)
        values ('kit', '1', '{}', 0, 'A5', 0)",
    "insert into shadow (id, kit_code, kit_version, runs, calls, changed_calls, changed_verdicts,
            ran_by, ran_us) values ('Y1', 'kit', '1', 1, 8, 1, 0, 'A5', 0)",
    "update plate set lot = 'lot' || (made_us / 8000 % 200)",
    "insert into pool (code, laboratory_code, kit_code, kit_version, depth, made_by, made_us, state,
            state_us)
        select mixed, 'L01', 'kit', '1', 4, 'A4', at_us, 'open', at_us
        from row_number where n < {tubes}",
    "insert into pool_tube (pool_code, tube_code)
        select mixed, tube from row_number where n < {tubes}",
    "insert into well (plate_code, well, reaction, pool_code, depth)
        select plate, 100 + n % 8, 'mix', mixed, 4 from row_number where n < {tubes}",
    "insert into well (plate_code, well, reaction, tube_code, depth)
        select plate, n % 8, 'mix', tube, 4 from row_number where n < {tubes}",
    "update plate set state = 'frozen', frozen_us = made_us",
    "update pool set state = 'plated' where made_us % 80000 <> 0",
    "update pool set state = 'called', outcome = 'not_detected'
        where state = 'plated' and made_us % 80000 <> 4000",
    "insert into rack (laboratory_code, code, version, size, scanned_by, scanned_us)
        select 'L01', 'X' || (n / 48), n / 24 % 2 + 1, 96, 'A4', at_us
        from row_number where n < {tubes} and n % 24 = 0",
    "insert into rack_tube (laboratory_code, rack_code, version, position, tube_code)
        select 'L01', 'X' || (n / 48), n / 24 % 2 + 1, n % 24, tube
        from row_number where n < {tubes}",
    "insert into transfer_log (id, plate_code, number, sha256, name, format, content, volume_nl,
            tolerance, labware, reagents, fills, errors, differences, read_by, read_us)
        select 'Y' || n, plate, n % 8 + 1, 'F' || n, 'log', 'tecan', unhex('00'), 5000, 10, '',
            '[]', '[]', '[]', '[]', 'A4', at_us
        from row_number where n < {tubes} and n % 8 < 2",
    "insert into plate_discard (plate_code, reason, discarded_by, discarded_us)
        select code, 'spilled', 'A4', made_us from plate where code > 'P2000000'",
    "insert into transfer_acceptance (log_id, explanations, accepted_by, accepted_us)
        select id, '[\"log_mistaken\"]', 'A5', read_us from transfer_log where number = 2",
    "insert into run_file (sha256, name, content, kept_us)
        select 'F' || run, 'run.txt', unhex('00'), at_us
        from row_number where n < {tubes} and n % 8 = 0",
    "insert into run (id, plate_code, sha256, format, instrument, serial, run_ended, kit_code,
            kit_version, usable, verdict, warnings, imported_by, imported_us, state)
        select run, plate, 'F' || run, 'cfx', 'i', 's', 'e', 'kit', '1', 1, '{}', '[]', 'A4',
            at_us, 'draft'
        from row_number where n < {tubes} and n % 8 = 0",
    "insert into run_part (run_id, part, sha256)
        select run, 1, 'F' || run from row_number where n < {tubes} and n % 8 = 0",
    "insert into run_reading (run_id, list)
        select run, '[[0,\"N0\",\"FAM\",\"unknown\",\"o\",\"30.1\",\"30.1\",null,null,0],'
            || '[0,\"N1\",\"VIC\",\"unknown\",\"o\",\"30.1\",\"30.1\",null,null,0]]'
        from row_number where n < {tubes} and n % 8 = 0",
    "insert into curve (run_id, well, target, dye, first_cycle, points)
        select 'R' || (1000000 + n / 16), n / 2 % 8, 'N' || (n % 2), 'FAM', 1, unhex('0000003f')
        from row_number where n < 2 * {tubes}",
    "insert into call (run_id, tube_code, outcome, rule, disposition, members, attempt, clean,
            detail, state)
        select run, tube, 'not_detected', 'r', 'report', 4, 0, 1, '{}', 'draft'
        from row_number where n < {tubes}",
    "insert into quality_run (run_id, laboratory_code, instrument, kit, lot, account_id, at_us,
            accepted, internal_failures)
        select run, 'L1' || (n / 8 % 50), 'I' || (n / 8 % 4), 'kit 1', 'LOT', 'A' || (n / 8 % 8), at_us, 1, 0
        from row_number where n < {tubes} and n % 8 = 0",
    "insert into quality_share (run_id, people, tubes, detected, alone)
        select run_id, 1, 8, 1, 0 from quality_run",
    "insert into quality_point (run_id, measure, target, laboratory_code, instrument, kit, lot,
            account_id, at_us, accepted, ct)
        select r.run_id, m.measure, 'N' || t.n, r.laboratory_code, r.instrument, r.kit, r.lot, r.account_id,
            r.at_us, 1, 26000
        from quality_run r cross join (select 'positive_control' as measure union all
            select 'internal_control') m cross join (select 0 as n union all select 1) t",
    "insert into signature (id, about, meaning, account_id, signer, signed_us, content_hash)
        select 'G' || n, run, 'release', 'A5', 'Somebody', at_us, 'hash'
        from row_number where n < {tubes} and n % 8 < 2",
    "insert into result (id, tube_code, version, outcome, run_id, reviewed_by, released_by,
            released_us, signature_id, content_hash)
        select tube || '.1', tube, 1, 'not_detected', run, 'A5', 'A6', at_us,
            'G' || (n - n % 8), 'hash'
        from row_number where n < {tubes}",
    "insert into amendment (id, result_id, outcome, reason, proposed_by, proposed_us)
        select 'M' || n, tube || '.1', 'withdrawn', 'clerical', 'A5', at_us
        from row_number where n < {tubes} and n % 20 = 0",
    "insert into status (person_key, tube_code, result_id, outcome, collected_us, released_us)
        select person, pool, pool || '.1', 'not_detected', at_us, at_us
        from row_number where n < 2 * {tubes}",
    "insert into guess (person_key, wrong, since_us)
        select person, 1, at_us from row_number where n < 2000",
    "insert into feed (change, tube_code, at_us)
        select 'sealed', tube, at_us from row_number where n < {tubes}",
    "insert into feed (change, tube_code, at_us)
        select 'released', tube, at_us from row_number where n < {tubes}",
    "update box set state = 'arrived', holder = 'A3', laboratory_code = 'L01'",
    "update tube set state = 'packed' where sealed_us % 10000 <> 0",
    "update tube set state = 'received', laboratory_code = 'L01'
        where state = 'packed' and sealed_us % 20000 <> 1000",
    "update tube set state = 'plated' where state = 'received' and sealed_us % 20000 <> 2000",
    "update tube set state = 'released' where state = 'plated' and sealed_us % 20000 <> 3000",
    "update call set state = 'released' where run_id < 'R' || (1000000 + {tubes} / 8 - 5)",
    "update run set state = 'reviewed' where id < 'R' || (1000000 + {tubes} / 8 - 5)",
    "update run set state = 'released' where id < 'R' || (1000000 + {tubes} / 8 - 5)",
    "update plate set state = 'closed' where code < 'P' || (1000000 + {tubes} / 8 - 5)",
    "insert into tube (code, size, members, swab_count, round_code, site_code, session_code,
            event_id, device_id, device_seq, device_skew_us, sealed_us, recorded_us, recorded_by,
            content_tag, state, state_us)
        select 'A' || id, 1, 1, 1, 'D01', site_code, 'E1', 'A' || id, 'D1', 0, 0, due_us, due_us,
            'A1', 'tag', 'sealed', due_us
        from recall where due_us % 800000 < 2000 or due_us % 800000 >= 4000",
    "insert into member (tube_code, position, person_key, identity_tag, taken_us)
        select 'A' || id, 1, person_key, 'tag', due_us
        from recall where due_us % 800000 < 2000 or due_us % 800000 >= 4000",
    "update recall set state = 'collected', answer_tube = 'A' || id where due_us % 800000 < 2000",
    "update recall set state = 'closed', answer_tube = 'A' || id, closed_us = due_us
        where state = 'open' and due_us % 800000 >= 4000",
];

/// Fills an empty store. PostgreSQL weighs a table's size, so it gets enough rows for a scan to
/// be the dearer way; SQLite does not.
pub async fn city(tx: &mut Tx, engine: Engine) {
    let tubes = match engine {
        Engine::Sqlite => "4000",
        Engine::Postgres => "40000",
    };
    rows(tx, tubes).await;
}

/// Fills an empty store with so many tubes, 625 or more, and all that belongs to them.
pub async fn rows(tx: &mut Tx, tubes: &str) {
    for sql in [NUMBERS].iter().chain(ROWS) {
        run(tx, &sql.replace("{tubes}", tubes)).await;
    }
}

/// Runs a statement made by a test.
pub async fn run(tx: &mut Tx, sql: &str) {
    let made = AssertSqlSafe(sql.to_owned());
    let done = on!(tx, c => raw_sql(made).execute(c).await.map(drop));
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}
