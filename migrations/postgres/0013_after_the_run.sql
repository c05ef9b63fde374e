-- Robots' logs that differ from the plan, in the order they came: those of a period are asked for.
create index transfer_log_differs on transfer_log (read_us) where differences <> '[]';

-- Another analysis of the same amplification in the place of a run, which is kept as void: which
-- run, who brought it, and why. It is written before its run, so that the charts know by then.
create table run_replacement (
    run_id text not null primary key references run deferrable initially deferred,
    replaces text not null unique references run,
    reason text not null check (reason in ('analysed_again', 'wrong_instrument', 'wrong_export')),
    replaced_by text not null,
    replaced_us bigint not null,
    check (run_id <> replaces)
);
create index run_replacement_time on run_replacement (replaced_us);
create trigger run_replacement_kept before delete on run_replacement for each row
execute function refuse('run_replacement rows are kept');
create trigger run_replacement_fixed before update on run_replacement for each row
execute function refuse('run_replacement rows never change');

-- A file may come once more in the place of its own run, as when the run was brought in with the
-- wrong instrument: `again` counts how often. Else no file belongs to two runs.
alter table run_part add column again bigint not null default 0 check (again >= 0);
alter table run_part drop constraint run_part_sha256_key;
alter table run_part add unique (sha256, again);
