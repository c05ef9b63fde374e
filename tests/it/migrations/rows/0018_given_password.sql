-- Step 0018 lets a session wait for another password.
insert into web_session (hash, account_id, stage, created_us, seen_us, expires_us)
    values ('r', 'A1', 'renew', 1, 1, 2);
