-- Laboratory pools: single tubes mixed for one well.

-- Codes of pools are allotted like all others. The table that points at the counters is made
-- anew with them, so that nothing points at a table that goes.
create table code_counter_7 (
    kind text not null primary key check (kind in ('tube', 'box', 'plate', 'pool')),
    next_number bigint not null check (next_number >= 0)
);
insert into code_counter_7 (kind, next_number) select kind, next_number from code_counter;
insert into code_counter_7 (kind, next_number) values ('pool', 0);
create table allotment_7 (
    id text not null primary key,
    kind text not null references code_counter_7,
    first_number bigint not null check (first_number >= 0),
    count bigint not null check (count between 1 and 100000),
    place_code text not null,
    allotted_by text not null,
    allotted_us bigint not null,
    unique (kind, first_number)
);
insert into allotment_7 (id, kind, first_number, count, place_code, allotted_by, allotted_us)
    select id, kind, first_number, count, place_code, allotted_by, allotted_us from allotment;
drop table allotment;
drop table code_counter;
alter table code_counter_7 rename to code_counter;
alter table allotment_7 rename to allotment;
create trigger code_counter_moves before update on code_counter
when new.kind <> old.kind or new.next_number < old.next_number
begin select raise(abort, 'no code is given out twice'); end;
create trigger code_counter_kept before delete on code_counter
begin select raise(abort, 'code_counter rows are kept'); end;
create trigger allotment_kept before delete on allotment
begin select raise(abort, 'allotment rows are kept'); end;
create trigger allotment_fixed before update on allotment
begin select raise(abort, 'allotment rows never change'); end;

-- What was mixed, and what became of it. A pool that was called says what its wells said.
create table pool (
    code text not null primary key,
    laboratory_code text not null references laboratory,
    kit_code text not null,
    kit_version text not null,
    depth bigint not null check (depth between 2 and 20),
    made_by text not null,
    made_us bigint not null,
    state text not null check (state in ('open', 'plated', 'called', 'dissolved')),
    state_us bigint not null,
    outcome text check (outcome in ('detected', 'not_detected', 'inconclusive', 'invalid')),
    check ((state = 'called') = (outcome is not null))
);
create index pool_called on pool (laboratory_code, kit_code, kit_version, state_us)
    where state = 'called';
create table pool_tube (
    pool_code text not null references pool,
    tube_code text not null references tube,
    primary key (pool_code, tube_code)
);
create index pool_tube_tube on pool_tube (tube_code);

-- Positives tested again in pools when the figures of pooling fell (FDA template, October 2021).
create table pool_assessment (
    id text not null primary key,
    laboratory_code text not null references laboratory,
    kit_code text not null,
    kit_version text not null,
    size bigint not null check (size between 2 and 20),
    positives bigint not null check (positives in (10, 20)),
    found bigint not null check (found between 0 and positives),
    decision text not null check (decision in ('go_on', 'test_ten_more', 'smaller')),
    assessed_by text not null,
    assessed_us bigint not null
);
create index pool_assessment_kit on pool_assessment (laboratory_code, kit_code, kit_version,
    assessed_us);

-- A well holds one tube, one pool or one control.
create table well_7 (
    plate_code text not null references plate,
    well bigint not null check (well between 0 and 383),
    reaction text not null,
    tube_code text,
    pool_code text references pool,
    depth bigint not null check (depth between 0 and 20),
    control text,
    primary key (plate_code, well),
    unique (plate_code, tube_code, reaction),
    unique (plate_code, pool_code, reaction),
    check ((tube_code is not null) + (pool_code is not null) + (control is not null) = 1),
    check ((control is not null) = (depth = 0))
);
insert into well_7 (plate_code, well, reaction, tube_code, pool_code, depth, control)
    select plate_code, well, reaction, tube_code, null, depth, control from well;
drop table well;
alter table well_7 rename to well;
create index well_tube on well (tube_code) where tube_code is not null;
create index well_pool on well (pool_code) where pool_code is not null;
create trigger well_fixed before update on well
begin select raise(abort, 'well rows never change'); end;
create trigger well_frozen before delete on well
when (select state from plate where code = old.plate_code) <> 'draft'
begin select raise(abort, 'a frozen plate keeps its wells'); end;
create trigger well_late before insert on well
when (select state from plate where code = new.plate_code) <> 'draft'
begin select raise(abort, 'a frozen plate takes no more wells'); end;

-- The pool a tube was called through; a pool gives nobody an individual positive.
alter table call add column pool_code text references pool
    check (pool_code is null or members = 1
        and disposition = case outcome when 'not_detected' then 'report' else 'retest' end);

-- How many people's swabs were in the well a person's result was read from, in the street or in
-- the laboratory: a report says that pooling was used (FDA template, October 2021).
alter table status add column pooled bigint check (pooled > 0);
update status set pooled = (select t.members from tube t where t.code = status.tube_code);
create index run_kit_version on run (kit_code, kit_version, imported_us);

create trigger pool_moves before update of state on pool
when old.state <> new.state and old.state || '>' || new.state not in (
        'open>plated', 'open>dissolved', 'plated>open', 'plated>called')
begin select raise(abort, 'illegal move of pool'); end;
create trigger pool_begins before insert on pool
when new.state <> 'open'
begin select raise(abort, 'pool begins in another state'); end;
create trigger pool_stays before update on pool
when old.code <> new.code or old.laboratory_code <> new.laboratory_code
    or old.kit_code <> new.kit_code or old.kit_version <> new.kit_version
    or old.depth <> new.depth or old.made_by <> new.made_by or old.made_us <> new.made_us
begin select raise(abort, 'what was mixed never changes'); end;
create trigger pool_kept before delete on pool
begin select raise(abort, 'pool rows are kept'); end;
create trigger pool_tube_late before insert on pool_tube
when (select state from pool where code = new.pool_code) <> 'open'
begin select raise(abort, 'a pool that was used takes no more tubes'); end;
create trigger pool_tube_kept before delete on pool_tube
begin select raise(abort, 'pool_tube rows are kept'); end;
create trigger pool_tube_fixed before update on pool_tube
begin select raise(abort, 'pool_tube rows never change'); end;
create trigger pool_assessment_kept before delete on pool_assessment
begin select raise(abort, 'pool_assessment rows are kept'); end;
create trigger pool_assessment_fixed before update on pool_assessment
begin select raise(abort, 'pool_assessment rows never change'); end;
