-- Step 0019 keeps what each device sent.
insert into device (id, site_code, base_seq, last_seq, tubes, heard_us)
    values ('D9', 'S1', 0, 2, 2, 2);
-- Step 0020 counts what a frozen plate fills.
update plate set state = 'frozen', frozen_us = 2 where code = 'H1';
