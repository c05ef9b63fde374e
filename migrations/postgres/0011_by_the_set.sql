-- What is written by the plate is checked by the plate. A foreign key asks once for every row and
-- locks the parent's row each time, a trigger for each row asks once a row: 1,152 readings cost
-- more to be checked than to be written. So children that come by the hundred are checked by one
-- question a statement. No lock is needed for that: parents are never taken away, and their codes
-- never change. SQLite looks a parent up in pages of its own and keeps its foreign keys.
create function refuse_orphans() returns trigger language plpgsql
as $$
declare
    is_orphaned boolean;
begin
    -- Child's column, parent table, its key. A parent is looked up by key for each distinct value.
    execute format('select exists (
            select from (select distinct %1$I as key from added where %1$I is not null) a
            where (select true from %2$I p where p.%3$I = a.key) is null)',
        tg_argv[0], tg_argv[1], tg_argv[2]) into is_orphaned;
    if is_orphaned then
        raise exception '% rows name a % that is not there', tg_table_name, tg_argv[1];
    end if;
    return null;
end $$;

alter table reading drop constraint reading_run_id_fkey;
create trigger reading_run after insert on reading referencing new table as added
for each statement execute function refuse_orphans('run_id', 'run', 'id');
alter table curve drop constraint curve_run_id_fkey;
create trigger curve_run after insert on curve referencing new table as added
for each statement execute function refuse_orphans('run_id', 'run', 'id');
alter table call drop constraint call_run_id_fkey;
create trigger call_run after insert on call referencing new table as added
for each statement execute function refuse_orphans('run_id', 'run', 'id');
alter table call drop constraint call_tube_code_fkey;
create trigger call_of_tube after insert on call referencing new table as added
for each statement execute function refuse_orphans('tube_code', 'tube', 'code');
alter table call drop constraint call_pool_code_fkey;
create trigger call_pool after insert on call referencing new table as added
for each statement execute function refuse_orphans('pool_code', 'pool', 'code');
alter table result drop constraint result_tube_code_fkey;
create trigger result_tube after insert on result referencing new table as added
for each statement execute function refuse_orphans('tube_code', 'tube', 'code');
alter table result drop constraint result_run_id_fkey;
create trigger result_run after insert on result referencing new table as added
for each statement execute function refuse_orphans('run_id', 'run', 'id');
alter table result drop constraint result_signature_id_fkey;
create trigger result_signature after insert on result referencing new table as added
for each statement execute function refuse_orphans('signature_id', 'signature', 'id');
alter table well drop constraint well_pool_code_fkey;
create trigger well_of_pool after insert on well referencing new table as added
for each statement execute function refuse_orphans('pool_code', 'pool', 'code');
alter table recall drop constraint recall_origin_tube_fkey;
create trigger recall_origin after insert on recall referencing new table as added
for each statement execute function refuse_orphans('origin_tube', 'tube', 'code');
alter table arrival_tube drop constraint arrival_tube_arrival_id_fkey;
create trigger arrival_tube_arrival after insert on arrival_tube referencing new table as added
for each statement execute function refuse_orphans('arrival_id', 'arrival', 'id');
alter table box_tube drop constraint box_tube_box_code_fkey;
create trigger box_tube_of_box after insert on box_tube referencing new table as added
for each statement execute function refuse_orphans('box_code', 'box', 'code');

-- A plate that is not there is no draft either.
alter table well drop constraint well_plate_code_fkey;
drop trigger well_frozen on well;
drop function refuse_frozen();
create function refuse_frozen() returns trigger language plpgsql
as $$ begin
    if exists (select from (select distinct plate_code from changed) c
        left join plate p on p.code = c.plate_code where p.state is distinct from 'draft')
    then raise exception 'a frozen plate keeps its wells'; end if;
    return null;
end $$;
create trigger well_late after insert on well referencing new table as changed
for each statement execute function refuse_frozen();
create trigger well_frozen after delete on well referencing old table as changed
for each statement execute function refuse_frozen();

-- Parents stay what they are called.
create trigger tube_code_fixed before update of code on tube for each row
when (new.code <> old.code) execute function refuse('a code never changes');
create trigger plate_code_fixed before update of code on plate for each row
when (new.code <> old.code) execute function refuse('a code never changes');
create trigger box_code_fixed before update of code on box for each row
when (new.code <> old.code) execute function refuse('a code never changes');
create trigger run_id_fixed before update of id on run for each row
when (new.id <> old.id) execute function refuse('an id never changes');
create trigger plate_kept before delete on plate for each row
execute function refuse('plate rows are kept');
create trigger box_kept before delete on box for each row
execute function refuse('box rows are kept');

-- No statement asks for tubes by site and state; every move of a tube paid for it.
drop index tube_site;
