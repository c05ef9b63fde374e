-- A row in every table that step 0008 makes; the same text on both engines.
insert into quality_run (run_id, laboratory_code, instrument, kit, lot, account_id, at_us, accepted,
    internal_failures)
    select id, 'L01', 'S1', 'K 1', 'LOT1', 'A1', 1, 1, 0 from run where id = 'U1';
insert into quality_share (run_id, people, tubes, detected, alone, expected_laboratory)
    select run_id, 10, 9, 1, 0, 1000 from quality_run where run_id = 'U1';
insert into quality_point (run_id, measure, target, laboratory_code, instrument, kit, lot,
    account_id, at_us, accepted, ct, mean, sd)
    select id, 'positive_control', 'N', 'L01', 'S1', 'K 1', 'LOT1', 'A1', 1, 1, 26500, 26400, 300
    from run where id = 'U1';
insert into quality_alarm (id, laboratory_code, scope, subject, measure, kit, target, direction,
    tube, run_id, plates, since_us, opened_us)
    select 'Q1', 'L01', 'instrument', 'S1', 'positivity', '', '', 'fall', '', id, 7, 1, 1
    from run where id = 'U1';
insert into quality_seeded (tube_code, expected, seeded_by, seeded_us)
    values ('T9', 'detected', 'A1', 1);
