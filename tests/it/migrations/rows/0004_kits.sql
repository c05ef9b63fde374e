-- A row in every table that step 0004 makes; the same text on both engines.
insert into kit_version (code, version, definition, effective_us, until_us, proposed_by, proposed_us)
    values ('orf1ab-n-ic', 'house', '{}', 1, 2, 'A4', 1);
insert into shadow (id, kit_code, kit_version, runs, calls, changed_calls, changed_verdicts, ran_by,
    ran_us) values ('Y1', 'orf1ab-n-ic', 'house', 1, 1, 1, 0, 'A4', 1);
insert into shadow_run (shadow_id, run_id, difference) values ('Y1', 'U1', '{}');
insert into lot (laboratory_code, kit_code, lot, expires_us, reactions, registered_by, registered_us)
    values ('L01', 'orf1ab-n-ic', 'A1', 2, 96, 'A3', 1);
insert into lot_issue (id, laboratory_code, kit_code, lot, reactions, issued_by, issued_us)
    values ('Z1', 'L01', 'orf1ab-n-ic', 'A1', 96, 'A3', 1);
insert into lot_delivery (id, laboratory_code, kit_code, lot, reactions, delivered_by,
    delivered_us)
    select 'D1', laboratory_code, kit_code, lot, 10, 'A3', 2 from lot limit 1;
