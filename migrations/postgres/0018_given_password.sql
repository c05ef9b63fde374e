-- A password that somebody else was shown is changed before anything else is done with it.
alter table sign_in add column given bigint not null default 0 check (given in (0, 1));

alter table web_session drop constraint web_session_stage_check;
alter table web_session add constraint web_session_stage_check
    check (stage in ('code', 'enrol', 'renew', 'full'));
