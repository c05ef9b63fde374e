-- A row in every table that step 0013 makes; the same text on both engines.
insert into run_replacement (run_id, replaces, reason, replaced_by, replaced_us)
    values ('U2', 'U1', 'analysed_again', 'A1', 1);
