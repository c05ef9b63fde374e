-- What was read in a run is written at once, never changes and is read as a whole: one row, whose list
-- has a tuple for each well and target: well, target, dye, task, operator's name, Ct, raw Ct,
-- amplification status, the instrument's call, omitted. As rows of their own the 1,152 readings of a
-- plate of 384 took a quarter of the time of an import. `reading` goes on to show them one by one.
create table run_reading (
    run_id text primary key not null references run,
    list text not null
);
insert into run_reading (run_id, list)
    select run_id, json_group_array(json_array(well, target, dye, task, operator_name, ct, raw_ct,
        amp_status, instrument_call, omitted) order by well, target, dye)
    from reading group by run_id;
drop table reading;
create trigger run_reading_kept before delete on run_reading
begin select raise(abort, 'run_reading rows are kept'); end;
create trigger run_reading_fixed before update on run_reading
begin select raise(abort, 'run_reading rows never change'); end;
create view reading as
    select g.run_id, cast(e.value ->> 0 as bigint) as well, e.value ->> 1 as target,
        e.value ->> 2 as dye, e.value ->> 3 as task, e.value ->> 4 as operator_name,
        e.value ->> 5 as ct, e.value ->> 6 as raw_ct, e.value ->> 7 as amp_status,
        e.value ->> 8 as instrument_call, cast(e.value ->> 9 as bigint) as omitted
    from run_reading g cross join jsonb_each(g.list) e;
