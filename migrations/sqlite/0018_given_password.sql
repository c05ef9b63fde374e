-- A password that somebody else was shown is changed before anything else is done with it.
alter table sign_in add column given bigint not null default 0 check (given in (0, 1));

create table web_session_next (
    hash text not null primary key,
    account_id text not null references account,
    stage text not null check (stage in ('code', 'enrol', 'renew', 'full')),
    created_us bigint not null,
    seen_us bigint not null,
    expires_us bigint not null,
    proven_us bigint
);
insert into web_session_next (hash, account_id, stage, created_us, seen_us, expires_us, proven_us)
    select hash, account_id, stage, created_us, seen_us, expires_us, proven_us from web_session;
drop table web_session;
alter table web_session_next rename to web_session;
create index web_session_account on web_session (account_id);
create index web_session_expires on web_session (expires_us);
