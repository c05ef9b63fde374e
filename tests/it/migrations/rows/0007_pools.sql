-- A row in every table that step 0007 makes, and a well and a call of a pool.
insert into pool (code, laboratory_code, kit_code, kit_version, depth, made_by, made_us, state,
    state_us) values ('M1', 'L01', 'orf1ab-n-ic', '1', 2, 'A3', 1, 'open', 1);
insert into pool_tube (pool_code, tube_code) values ('M1', 'T1');
insert into pool_assessment (id, laboratory_code, kit_code, kit_version, size, positives, found,
    decision, assessed_by, assessed_us)
    values ('N1', 'L01', 'orf1ab-n-ic', '1', 5, 10, 9, 'go_on', 'A4', 1);
insert into well (plate_code, well, reaction, tube_code, pool_code, depth, control)
    values ('H1', 1, 'all', null, 'M1', 2, null);
