-- What the city's board shows, counted as it happens: nothing is counted when somebody looks.
--
-- Triggers leave a row for each move of a tube, recall, plate or run in `figure_delta`, which takes
-- rows and never changes them, so that no writer waits for another. Now and then they are folded
-- into `figure`; whoever reads adds both up. Two moves are left out: a tube goes from its site into
-- a box without leaving the way to a laboratory, and nobody asks for drafts of plates.
-- On SQLite that is a row for each tube, which costs a move least.
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
) without rowid;
create table figure_delta (
    id integer not null primary key,
    kind text not null,
    move text not null,
    round_code text not null,
    site_code text not null,
    laboratory_code text not null,
    -- When, and how long it took; in full.
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
delete from figure_delta;

-- Boxes that are still on their way, the oldest first.
create index box_open on box (sealed_us, code) where state <> 'arrived';
-- Plates that are under way.
create index plate_under_way on plate (frozen_us, code) where state = 'frozen';

create trigger figure_tube_sealed after insert on tube
begin
    insert into figure_delta (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    values ('tube', '>sealed', new.round_code, new.site_code, '', new.sealed_us, 0, 1, new.members);
end;
create trigger figure_tube_moved after update of state on tube
when old.state <> new.state and new.state <> 'packed'
begin
    insert into figure_delta (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    values ('tube', old.state || '>' || new.state, new.round_code, new.site_code,
        coalesce(new.laboratory_code, ''), new.state_us,
        new.state_us - case when old.state in ('sealed', 'packed', 'missing') then new.sealed_us
            else old.state_us end,
        1, new.members);
end;
create trigger figure_tube_ended after update of state on tube
when old.state <> new.state and new.state in ('released', 'closed', 'refused')
begin
    insert into figure_delta (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    values ('whole', case when new.state = 'released' and new.state_us - new.sealed_us >
            (select result_hours from round where code = new.round_code) * 3600000000
            then 'late' else new.state end,
        new.round_code, new.site_code, coalesce(new.laboratory_code, ''), new.sealed_us,
        new.state_us - new.sealed_us, 1, new.members);
end;
create trigger figure_recall_opened after insert on recall
begin
    insert into figure_delta (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    select 'recall', '>open', t.round_code, new.site_code, '', new.opened_us, 0, 1, 1
    from tube t where t.code = new.origin_tube;
end;
create trigger figure_recall_moved after update of state on recall
when old.state <> new.state
begin
    insert into figure_delta (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    select 'recall', old.state || '>' || new.state, t.round_code, new.site_code, '',
        coalesce(new.closed_us, new.opened_us), 0, 1, 1
    from tube t where t.code = new.origin_tube;
end;
create trigger figure_plate_moved after update of state on plate
when old.state <> new.state
begin
    insert into figure_delta (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    values ('plate', old.state || '>' || new.state, '', '', new.laboratory_code, new.frozen_us, 0,
        1, 0);
end;
create trigger figure_run_imported after insert on run
begin
    insert into figure_delta (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    select 'run', '>draft', '', '', p.laboratory_code, new.imported_us,
        new.imported_us - coalesce(p.frozen_us, new.imported_us), 1, 0
    from plate p where p.code = new.plate_code;
end;
create trigger figure_run_moved after update of state on run
when old.state <> new.state
begin
    insert into figure_delta (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    select 'run', old.state || '>' || new.state, '', '', p.laboratory_code, new.imported_us, 0, 1, 0
    from plate p where p.code = new.plate_code;
end;
create trigger figure_run_released after insert on signature
when new.meaning in ('release', 'release_by_rule')
begin
    insert into figure_delta (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n, people)
    select 'review', '', '', '', p.laboratory_code, new.signed_us, new.signed_us - r.imported_us, 1,
        0
    from run r join plate p on p.code = r.plate_code where r.id = new.about;
end;
