-- Step 0021 finds hours of no round by themselves.
insert into figure (round_code, kind, move, hour, area, laboratory_code, bucket, n, people)
    values ('', 'plate', 'draft>frozen', 1, '', 'L1', 0, 1, 0);
