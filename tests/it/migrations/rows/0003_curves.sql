-- A curve of the run that step 0001 has: one point of 0.5 in its first cycle.
insert into curve (run_id, well, target, dye, first_cycle, points)
    values ('U1', 0, 'N', 'VIC', 1, unhex('0000003f'));
