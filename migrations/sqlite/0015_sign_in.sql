-- People sign in at the pages: a name and a password, a second factor, and what a browser carries
-- afterwards.
create table sign_in (
    account_id text not null primary key references account,
    login text not null unique check (login <> ''),
    password text not null,
    set_us bigint not null
);
-- Tries by name, also by names nobody has; the name is a keyed tag.
create table sign_in_try (
    login text not null primary key,
    wrong bigint not null check (wrong > 0),
    since_us bigint not null
);
create index sign_in_try_since on sign_in_try (since_us);
-- The last code that was used is the last that can be: none is taken twice.
create table second_factor (
    account_id text not null primary key references account,
    secret blob not null,
    confirmed_us bigint,
    last_step bigint not null
);
create table web_session (
    hash text not null primary key,
    account_id text not null references account,
    stage text not null check (stage in ('code', 'enrol', 'full')),
    created_us bigint not null,
    seen_us bigint not null,
    expires_us bigint not null,
    proven_us bigint
);
create index web_session_account on web_session (account_id);
create index web_session_expires on web_session (expires_us);
