-- What the city's board shows, counted as it happens: nothing is counted when somebody looks.
--
-- Triggers leave a row for each move of a tube, recall, plate or run in `figure_delta`, which takes
-- rows and never changes them, so that no writer waits for another. Now and then they are folded
-- into `figure`; whoever reads adds both up. Two moves are left out: a tube goes from its site into
-- a box without leaving the way to a laboratory, and nobody asks for drafts of plates.
-- On PostgreSQL that is a row for each site, hour and minute of a statement.
create table figure (
    round_code text not null,
    -- `tube`, `recall`, `plate`, `run`: moves, as `packed>received`; where the field gives a time to
    -- the move it is counted in its hour, else in that of its beginning. `whole`: tubes that came to
    -- their end, as `released`, `late` (released after the round's limit), `closed` or `refused`, in
    -- the hour they were sealed. `review`: releases, in their hour.
    kind text not null,
    move text not null,
    hour bigint not null,
    area text not null,
    laboratory_code text not null,
    -- How long it took, by `figure_fresh`.
    bucket bigint not null,
    n bigint not null,
    people bigint not null,
    primary key (round_code, kind, move, hour, area, laboratory_code, bucket)
);
create table figure_delta (
    id bigint not null primary key generated always as identity,
    kind text not null,
    move text not null,
    round_code text not null,
    site_code text not null,
    laboratory_code text not null,
    -- When, and how long it took; by the hour and
    -- the minute.
    at_us bigint not null,
    took_us bigint not null,
    n bigint not null,
    people bigint not null
);

-- Deltas as they are folded. Buckets are minutes up to eight, then four to each doubling; the last
-- begins at 8,192 minutes (`rules.rs` of the slice has the same bounds).
create view figure_fresh as
select d.id, d.round_code, d.kind, d.move, d.at_us / 3600000000 as hour,
    coalesce(s.area, '') as area, d.laboratory_code,
    case when d.minutes < 0 then 0 when d.minutes < 8 then d.minutes
            when d.minutes < 16 then 8 + (d.minutes - 8) / 2
            when d.minutes < 32 then 12 + (d.minutes - 16) / 4
            when d.minutes < 64 then 16 + (d.minutes - 32) / 8
            when d.minutes < 128 then 20 + (d.minutes - 64) / 16
            when d.minutes < 256 then 24 + (d.minutes - 128) / 32
            when d.minutes < 512 then 28 + (d.minutes - 256) / 64
            when d.minutes < 1024 then 32 + (d.minutes - 512) / 128
            when d.minutes < 2048 then 36 + (d.minutes - 1024) / 256
            when d.minutes < 4096 then 40 + (d.minutes - 2048) / 512
            when d.minutes < 8192 then 44 + (d.minutes - 4096) / 1024
            else 48 end as bucket,
    d.n, d.people
from (select f.id, f.round_code, f.kind, f.move, f.at_us, f.site_code, f.laboratory_code,
        f.took_us / 60000000 as minutes, f.n, f.people from figure_delta f) d
    left join site s on s.code = d.site_code;
create view figure_now as
select round_code, kind, move, hour, area, laboratory_code, bucket, n, people from figure
union all
select round_code, kind, move, hour, area, laboratory_code, bucket, n, people from figure_fresh;

-- Nodes of the version before may be at work: nothing moves between the count and the triggers.
lock table tube, recall, plate, run, signature in share row exclusive mode;

-- What is stored already, as far as its rows still say: when a tube was taken in and plated for the
-- first time, and where it is now.
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'tube', '>sealed', round_code, site_code, '', sealed_us, 0, 1, members from tube;
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'tube', 'packed>' || state, round_code, site_code, coalesce(laboratory_code, ''), state_us,
    state_us - sealed_us, 1, members
from tube where state in ('refused', 'missing')
    or (state = 'closed' and laboratory_code is null);
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'tube', 'packed>received', t.round_code, t.site_code, t.laboratory_code, t.received_us,
    t.received_us - t.sealed_us, 1, t.members
from (select code, round_code, site_code, laboratory_code, sealed_us, members,
        coalesce((select min(a.recorded_us) from arrival_tube f join arrival a on a.id = f.arrival_id
            where f.tube_code = tube.code and f.finding in ('accepted', 'unexpected')), state_us)
            as received_us
    from tube where laboratory_code is not null
        and state in ('received', 'plated', 'released', 'closed')) t;
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'tube', 'received>plated', t.round_code, t.site_code, t.laboratory_code, t.plated_us,
    t.plated_us - t.received_us, 1, t.members
from (select round_code, site_code, laboratory_code, members,
        coalesce((select min(a.recorded_us) from arrival_tube f join arrival a on a.id = f.arrival_id
            where f.tube_code = tube.code and f.finding in ('accepted', 'unexpected')), state_us)
            as received_us,
        coalesce((select min(p.frozen_us) from well w join plate p on p.code = w.plate_code
            where w.tube_code = tube.code), state_us) as plated_us
    from tube where laboratory_code is not null
        and state in ('plated', 'released', 'closed')) t;
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'tube', 'plated>' || t.state, t.round_code, t.site_code, t.laboratory_code, t.state_us,
    t.state_us - t.plated_us, 1, t.members
from (select round_code, site_code, laboratory_code, state, state_us, members,
        coalesce((select max(p.frozen_us) from well w join plate p on p.code = w.plate_code
            where w.tube_code = tube.code), state_us) as plated_us
    from tube where laboratory_code is not null and state in ('released', 'closed')) t;
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'whole', case when t.state = 'released'
            and t.state_us - t.sealed_us > r.result_hours * 3600000000 then 'late' else t.state end,
    t.round_code, t.site_code, coalesce(t.laboratory_code, ''), t.sealed_us,
    t.state_us - t.sealed_us, 1, t.members
from tube t left join round r on r.code = t.round_code
where t.state in ('released', 'closed', 'refused');
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'recall', '>open', t.round_code, r.site_code, '', r.opened_us, 0, 1, 1
from recall r join tube t on t.code = r.origin_tube;
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'recall', 'open>' || r.state, t.round_code, r.site_code, '',
    coalesce(r.closed_us, r.opened_us), 0, 1, 1
from recall r join tube t on t.code = r.origin_tube where r.state <> 'open';
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'plate', 'draft>frozen', '', '', laboratory_code, frozen_us, 0, 1, 0
from plate where state <> 'draft';
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'plate', 'frozen>closed', '', '', laboratory_code, frozen_us, 0, 1, 0
from plate where state = 'closed';
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'run', '>draft', '', '', p.laboratory_code, r.imported_us,
    r.imported_us - coalesce(p.frozen_us, r.imported_us), 1, 0
from run r join plate p on p.code = r.plate_code;
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'run', 'draft>' || r.state, '', '', p.laboratory_code, r.imported_us, 0, 1, 0
from run r join plate p on p.code = r.plate_code where r.state <> 'draft';
insert into figure_delta
    (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
select 'review', '', '', '', p.laboratory_code, s.signed_us, s.signed_us - r.imported_us, 1, 0
from signature s join run r on r.id = s.about join plate p on p.code = r.plate_code
where s.meaning in ('release', 'release_by_rule');
insert into figure (round_code, kind, move, hour, area, laboratory_code, bucket, n, people)
select round_code, kind, move, hour, area, laboratory_code, bucket, sum(n), sum(people)
from figure_fresh group by round_code, kind, move, hour, area, laboratory_code, bucket;
truncate figure_delta;

-- Boxes that are still on their way, the oldest first.
create index box_open on box (sealed_us, code) where state <> 'arrived';
-- Plates that are under way.
create index plate_under_way on plate (frozen_us, code) where state = 'frozen';

-- By the statement: a row for each site and hour, not for each tube. The rows before and after are
-- joined by hashing whatever their number, for the plan is made once, when they may be few.
create function figure_tube_sealed() returns trigger language plpgsql
as $$ begin
    insert into figure_delta
        (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    select 'tube', '>sealed', round_code, site_code, '', sealed_us / 3600000000 * 3600000000, 0,
        count(*), sum(members)
    from added group by round_code, site_code, sealed_us / 3600000000;
    return null;
end $$;
create trigger figure_tube_sealed after insert on tube referencing new table as added
for each statement execute function figure_tube_sealed();
create function figure_tube_moved() returns trigger language plpgsql set enable_nestloop = off
as $$ begin
    if exists (select from changed where state <> 'packed') then
        insert into figure_delta
            (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
        select 'tube', move, round_code, site_code, laboratory_code, hour * 3600000000,
            minutes * 60000000, count(*), sum(members)
        from (select o.state || '>' || c.state as move, c.round_code, c.site_code,
                coalesce(c.laboratory_code, '') as laboratory_code,
                c.state_us / 3600000000 as hour,
                (c.state_us - case when o.state in ('sealed', 'packed', 'missing')
                    then c.sealed_us else o.state_us end) / 60000000 as minutes, c.members
            from old_rows o join changed c on c.code = o.code
            where o.state <> c.state and c.state <> 'packed') m
        group by move, round_code, site_code, laboratory_code, hour, minutes;
    end if;
    if exists (select from changed where state in ('released', 'closed', 'refused')) then
        insert into figure_delta
            (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
        select 'whole', outcome, round_code, site_code, laboratory_code, hour * 3600000000,
            minutes * 60000000, count(*), sum(members)
        from (select case when c.state = 'released' and c.state_us - c.sealed_us
                    > r.result_hours * 3600000000 then 'late' else c.state end as outcome,
                c.round_code, c.site_code, coalesce(c.laboratory_code, '') as laboratory_code,
                c.sealed_us / 3600000000 as hour,
                (c.state_us - c.sealed_us) / 60000000 as minutes, c.members
            from old_rows o join changed c on c.code = o.code
                left join round r on r.code = c.round_code
            where o.state <> c.state and c.state in ('released', 'closed', 'refused')) e
        group by outcome, round_code, site_code, laboratory_code, hour, minutes;
    end if;
    return null;
end $$;
create trigger figure_tube_moved after update on tube
referencing old table as old_rows new table as changed
for each statement execute function figure_tube_moved();
create function figure_recall_opened() returns trigger language plpgsql
as $$ begin
    insert into figure_delta
        (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    select 'recall', '>open', a.round_code, a.site_code, '', a.hour * 3600000000, 0, count(*),
        count(*)
    from (select (select t.round_code from tube t where t.code = r.origin_tube) as round_code,
            r.site_code, r.opened_us / 3600000000 as hour from added r) a
    where a.round_code is not null group by a.round_code, a.site_code, a.hour;
    return null;
end $$;
create trigger figure_recall_opened after insert on recall referencing new table as added
for each statement execute function figure_recall_opened();
create function figure_recall_moved() returns trigger language plpgsql set enable_nestloop = off
as $$ begin
    insert into figure_delta
        (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    select 'recall', a.move, a.round_code, a.site_code, '', a.hour * 3600000000, 0, count(*),
        count(*)
    from (select o.state || '>' || c.state as move, c.site_code,
            (select t.round_code from tube t where t.code = c.origin_tube) as round_code,
            coalesce(c.closed_us, c.opened_us) / 3600000000 as hour
        from old_rows o join changed c on c.id = o.id where o.state <> c.state) a
    where a.round_code is not null group by a.move, a.round_code, a.site_code, a.hour;
    return null;
end $$;
create trigger figure_recall_moved after update on recall
referencing old table as old_rows new table as changed
for each statement execute function figure_recall_moved();
create function figure_plate_moved() returns trigger language plpgsql
as $$ begin
    insert into figure_delta
        (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    values ('plate', old.state || '>' || new.state, '', '', new.laboratory_code, new.frozen_us, 0,
        1, 0);
    return null;
end $$;
create trigger figure_plate_moved after update of state on plate for each row
when (old.state <> new.state) execute function figure_plate_moved();
create function figure_run_imported() returns trigger language plpgsql
as $$ begin
    insert into figure_delta
        (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    select 'run', '>draft', '', '', p.laboratory_code, new.imported_us,
        new.imported_us - coalesce(p.frozen_us, new.imported_us), 1, 0
    from plate p where p.code = new.plate_code;
    return null;
end $$;
create trigger figure_run_imported after insert on run for each row
execute function figure_run_imported();
create function figure_run_moved() returns trigger language plpgsql
as $$ begin
    insert into figure_delta
        (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    select 'run', old.state || '>' || new.state, '', '', p.laboratory_code, new.imported_us, 0, 1, 0
    from plate p where p.code = new.plate_code;
    return null;
end $$;
create trigger figure_run_moved after update of state on run for each row
when (old.state <> new.state) execute function figure_run_moved();
create function figure_run_released() returns trigger language plpgsql
as $$ begin
    insert into figure_delta
        (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    select 'review', '', '', '', p.laboratory_code, new.signed_us, new.signed_us - r.imported_us, 1,
        0
    from run r join plate p on p.code = r.plate_code where r.id = new.about;
    return null;
end $$;
create trigger figure_run_released after insert on signature for each row
when (new.meaning in ('release', 'release_by_rule')) execute function figure_run_released();
