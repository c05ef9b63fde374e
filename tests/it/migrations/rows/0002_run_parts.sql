-- A run of two files beside the run of one that step 0001 left; the same text on both engines.
insert into run_file (sha256, name, content, kept_us) values ('sha-fam', 'fam.txt', unhex('01'), 1);
insert into run_file (sha256, name, content, kept_us) values ('sha-hex', 'hex.txt', unhex('02'), 1);
insert into run_file (sha256, name, content, kept_us) values ('sha-two', 'parts', unhex('03'), 1);
insert into plate (code, laboratory_code, kit_code, kit_version, template, size, state, made_by,
    made_us) values ('H2', 'L01', 'orf1ab-n-ic', '1', 'one-well-94-columns', 96, 'draft', 'A3', 1);
insert into run (id, plate_code, sha256, format, instrument, serial, run_ended, kit_code,
    kit_version, usable, verdict, warnings, imported_by, imported_us, state)
    values ('U2', 'H2', 'sha-two', 'lightcycler_480', '', '', '', 'orf1ab-n-ic', '1', 1, '{}',
    '[]', 'A3', 1, 'draft');
insert into run_part (run_id, part, sha256) values ('U2', 1, 'sha-fam');
insert into run_part (run_id, part, sha256) values ('U2', 2, 'sha-hex');
