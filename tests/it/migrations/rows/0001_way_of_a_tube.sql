-- A row in every table that step 0001 makes; the same text on both engines.
insert into installation (name, value) values ('rows', 'survive');
insert into account (id, name, role, site_code, laboratory_code, created_us)
    values ('A1', 'Invented Sampler', 'sampler', 'S01', null, 1);
insert into token (hash, account_id, label, created_us, expires_us)
    values ('hash', 'A1', 'console', 1, 2);
update audit_chains set begun = begun + 1;
insert into audit_chain (chain, number, seq, hash) values ('C1', 1, 1, 'hash');
insert into audit (chain, seq, at_us, account_id, action, about, detail, previous, hash)
    values ('C1', 1, 1, 'A1', 'tube.seal', 'T1', '{}', '', 'hash');
insert into idempotency (account_id, key, fingerprint, status, body, created_us)
    values ('A1', 'K1', 'print', 201, '{}', 1);
insert into switch (name, is_on, reason, set_by, set_us) values ('auto_release', 1, 'drill', 'A1', 1);
insert into laboratory (code, name, address, created_us)
    values ('L01', 'Laboratory 1', '1 Laboratory Road', 1);
insert into site (code, name, area, created_us) values ('S01', 'North gate', 'Fengtai', 1);
insert into round (code, name, area, specimen, tube_size, starts_us, ends_us, result_hours,
    created_us) values ('R01', 'June', 'Fengtai', 'oropharyngeal swab', 10, 1, 2, 24, 1);
insert into session (code, round_code, site_code, team, opens_us, closes_us, created_us)
    values ('W01', 'R01', 'S01', 'Team 1', 1, 2, 1);
insert into allotment (id, kind, first_number, count, place_code, allotted_by, allotted_us)
    values ('N1', 'tube', 0, 20, 'S01', 'A1', 1);
insert into code_pattern (prefix, maker, length, alphabet, created_us)
    values ('77', 'Tube Works', 12, 'digits', 1);
insert into person (key, identity, identity_tag, first_seen_us, updated_us)
    values ('P1', unhex('00ff'), 'tag', 1, 1);
insert into tube (code, size, members, swab_count, round_code, site_code, session_code, event_id,
    device_id, device_seq, device_skew_us, sealed_us, recorded_us, recorded_by, content_tag, state,
    state_us, laboratory_code)
    values ('T1', 1, 1, 1, 'R01', 'S01', 'W01', 'E1', 'D01', 1, 0, 1, 1, 'A1', 'tag', 'sealed', 1,
    null);
insert into member (tube_code, position, person_key, taken_us) values ('T1', 1, 'P1', 1);
insert into box (code, site_code, seal, tubes, content_tag, sealed_us, recorded_us, recorded_by,
    state, holder) values ('B1', 'S01', 'SEAL', 1, 'tag', 1, 1, 'A1', 'sealed', 'A1');
insert into box_tube (tube_code, box_code) values ('T1', 'B1');
insert into handover (box_code, step, given_by, given_name, given_us, place, temperature_cdeg,
    taken_by) values ('B1', 1, 'A1', 'Invented Sampler', 1, 'gate', 400, 'A2');
insert into recall (id, person_key, origin_tube, site_code, reason, opened_us, due_us, contact,
    note, state) values ('Q1', 'P1', 'T1', 'S01', 'invalid', 1, 2, 'none', '', 'open');
insert into arrival (id, box_code, laboratory_code, arrived_us, recorded_us, received_by,
    temperature_cdeg, seal_intact, warnings) values ('V1', 'B1', 'L01', 1, 1, 'A2', 400, 1, '[]');
insert into arrival_tube (arrival_id, tube_code, finding, reason, swab_count)
    values ('V1', 'T1', 'accepted', null, 1);
insert into plate (code, laboratory_code, kit_code, kit_version, template, size, state, made_by,
    made_us) values ('H1', 'L01', 'orf1ab-n-ic', '1', 'one-well-94-columns', 96, 'draft', 'A3', 1);
insert into well (plate_code, well, reaction, tube_code, depth, control)
    values ('H1', 0, 'all', 'T1', 1, null);
insert into run_file (sha256, name, content, kept_us) values ('sha', 'run.txt', unhex('00ff'), 1);
insert into run (id, plate_code, sha256, format, instrument, serial, run_ended, kit_code,
    kit_version, usable, verdict, warnings, imported_by, imported_us, state)
    values ('U1', 'H1', 'sha', 'applied_biosystems_text', 'QuantStudio', '1', '', 'orf1ab-n-ic',
    '1', 1, '{}', '[]', 'A3', 1, 'draft');
insert into reading (run_id, well, target, dye, task, operator_name, ct, raw_ct, amp_status,
    instrument_call, omitted) values ('U1', 0, 'N', 'VIC', 'UNKNOWN', '', '27.1', '27.1', null, null,
    0);
insert into call (run_id, tube_code, outcome, rule, disposition, members, attempt, clean, detail,
    state) values ('U1', 'T1', 'not_detected', 'none', 'report', 1, 0, 1, '{}', 'draft');
insert into signature (id, about, meaning, account_id, signer, signed_us, content_hash, rule)
    values ('G1', 'U1', 'review', 'A4', 'Invented Reviewer', 1, 'hash', null);
insert into result (id, tube_code, version, outcome, run_id, reviewed_by, released_by, rule,
    released_us, reason, signature_id, content_hash)
    values ('T1.1', 'T1', 1, 'not_detected', 'U1', 'A4', 'A5', null, 1, null, 'G1', 'hash');
insert into amendment (id, result_id, outcome, reason, proposed_by, proposed_us)
    values ('M1', 'T1.1', 'withdrawn', 'mixed up', 'A4', 1);
insert into status (person_key, tube_code, result_id, outcome, collected_us, released_us)
    values ('P1', 'T1', 'T1.1', 'not_detected', 1, 1);
insert into guess (person_key, wrong, since_us) values ('P1', 1, 1);
insert into feed (change, tube_code, at_us) values ('sealed', 'T1', 1);
