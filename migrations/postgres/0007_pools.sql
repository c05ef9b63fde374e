-- Laboratory pools: single tubes mixed for one well.

-- Codes of pools are allotted like all others.
alter table code_counter drop constraint code_counter_kind_check;
alter table code_counter add constraint code_counter_kind_check
    check (kind in ('tube', 'box', 'plate', 'pool'));
insert into code_counter (kind, next_number) values ('pool', 0);

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
    found bigint not null,
    decision text not null check (decision in ('go_on', 'test_ten_more', 'smaller')),
    assessed_by text not null,
    assessed_us bigint not null,
    check (found between 0 and positives)
);
create index pool_assessment_kit on pool_assessment (laboratory_code, kit_code, kit_version,
    assessed_us);

-- A well holds one tube, one pool or one control.
alter table well add column pool_code text references pool;
alter table well drop constraint well_check;
alter table well drop constraint well_check1;
alter table well add constraint well_holds_one
    check (num_nonnulls(tube_code, pool_code, control) = 1);
alter table well add constraint well_depth check ((control is not null) = (depth = 0));
alter table well add unique (plate_code, pool_code, reaction);
drop index well_tube;
create index well_tube on well (tube_code) where tube_code is not null;
create index well_pool on well (pool_code) where pool_code is not null;

-- The pool a tube was called through; a pool gives nobody an individual positive.
alter table call add column pool_code text references pool;
alter table call add constraint call_pooled check (pool_code is null or members = 1
    and disposition = case outcome when 'not_detected' then 'report' else 'retest' end);

-- How many people's swabs were in the well a person's result was read from, in the street or in
-- the laboratory: a report says that pooling was used (FDA template, October 2021).
alter table status add column pooled bigint check (pooled > 0);
update status set pooled = (select t.members from tube t where t.code = status.tube_code);
create index run_kit_version on run (kit_code, kit_version, imported_us);

create trigger pool_moves before update of state on pool for each row
when (old.state <> new.state and old.state || '>' || new.state not in (
        'open>plated', 'open>dissolved', 'plated>open', 'plated>called'))
execute function refuse('illegal move of pool');
create trigger pool_begins before insert on pool for each row
when (new.state <> 'open')
execute function refuse('pool begins in another state');
create trigger pool_stays before update on pool for each row
when (old.code <> new.code or old.laboratory_code <> new.laboratory_code
    or old.kit_code <> new.kit_code or old.kit_version <> new.kit_version
    or old.depth <> new.depth or old.made_by <> new.made_by or old.made_us <> new.made_us)
execute function refuse('what was mixed never changes');
create trigger pool_kept before delete on pool for each row
execute function refuse('pool rows are kept');
create function refuse_late_tube() returns trigger language plpgsql
as $$ begin
    if (select state from pool where code = new.pool_code) <> 'open' then
        raise exception 'a pool that was used takes no more tubes';
    end if;
    return new;
end $$;
create trigger pool_tube_late before insert on pool_tube for each row
execute function refuse_late_tube();
create trigger pool_tube_kept before delete on pool_tube for each row
execute function refuse('pool_tube rows are kept');
create trigger pool_tube_fixed before update on pool_tube for each row
execute function refuse('pool_tube rows never change');
create trigger pool_assessment_kept before delete on pool_assessment for each row
execute function refuse('pool_assessment rows are kept');
create trigger pool_assessment_fixed before update on pool_assessment for each row
execute function refuse('pool_assessment rows never change');
