-- A row in every table that step 0006 makes; the same text on both engines.
insert into rack (laboratory_code, code, version, size, scanned_by, scanned_us)
    values ('L01', 'FX1', 1, 96, 'A3', 1);
insert into rack_tube (laboratory_code, rack_code, version, position, tube_code)
    values ('L01', 'FX1', 1, 0, 'T1');
insert into transfer_log (id, plate_code, number, sha256, name, format, content, volume_nl,
    tolerance, labware, reagents, fills, errors, differences, read_by, read_us)
    values ('X1', 'H1', 1, 'sha', 'robot.gwl', 'tecan', unhex('00ff'), 5000, 10, '', '[]', '[]',
    '[]', '[]', 'A3', 1);
insert into transfer_acceptance (log_id, explanations, accepted_by, accepted_us)
    values ('X1', '["log_mistaken"]', 'A4', 1);
insert into plate_discard (plate_code, reason, discarded_by, discarded_us)
    values ('H1', 'spilled', 'A3', 1);
