-- A row in every table that step 0015 makes; the same text on both engines.
insert into sign_in (account_id, login, password, set_us) values ('A1', 'officer', '$argon2id$', 1);
insert into sign_in_try (login, wrong, since_us) values ('tag', 1, 1);
insert into second_factor (account_id, secret, confirmed_us, last_step) values ('A1', '00', 1, 1);
insert into web_session (hash, account_id, stage, created_us, seen_us, expires_us)
    values ('h', 'A1', 'full', 1, 1, 2);
