-- Step 0023 gives it no end: it counts as ended a day after it was turned on.
insert into switch (name, is_on, reason, set_by, set_us) values ('release_once', 1, 'validated',
    'A1', 3);
