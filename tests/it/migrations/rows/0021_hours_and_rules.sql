-- Step 0022 puts it into one list with what was read in that run before.
insert into reading (run_id, well, target, dye, task, operator_name, ct, raw_ct, amp_status,
    instrument_call, omitted) values ('U1', 383, '"', '', 'NTC', 'T1', null, 'Undetermined', 'No Amp',
    '-', 1);
