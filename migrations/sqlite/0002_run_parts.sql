-- A run may come in as several files, one for each filter or channel of the cycler. `run.sha256`
-- stays the identity of the run: of a single file its own digest, of several the digest of the list
-- of theirs, which is kept in `run_file` like a file. No file belongs to two runs.
create table run_part (
    run_id text not null references run,
    part bigint not null check (part between 1 and 8),
    sha256 text not null unique references run_file,
    primary key (run_id, part)
);
insert into run_part (run_id, part, sha256) select id, 1, sha256 from run;
create trigger run_part_kept before delete on run_part
begin select raise(abort, 'run_part rows are kept'); end;
create trigger run_part_fixed before update on run_part
begin select raise(abort, 'run_part rows never change'); end;
