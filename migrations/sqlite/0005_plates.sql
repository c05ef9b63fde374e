-- Four plates of 96 stamped onto one of 384: the order of the quadrants (`z` row by row, `n` column
-- by column) and the source of each. A source has no run of its own, and is stamped once. And how
-- much goes into each well, by which robots' logs are judged: 5 µL within 10 % before it was kept.

create table stamp (
    plate_code text not null references plate,
    quadrant bigint not null check (quadrant between 1 and 4),
    source_plate text not null references plate,
    scheme text not null check (scheme in ('z', 'n')),
    primary key (plate_code, quadrant),
    unique (plate_code, source_plate),
    check (plate_code <> source_plate)
);
create index stamp_source on stamp (source_plate);
alter table plate add column volume_nl bigint not null default 5000 check (volume_nl > 0);
alter table plate add column tolerance bigint not null default 10
    check (tolerance between 0 and 100);

create trigger plate_volume_fixed before update on plate
when old.state <> 'draft' and (new.volume_nl <> old.volume_nl or new.tolerance <> old.tolerance)
begin select raise(abort, 'a frozen plate keeps its volume'); end;
create trigger stamp_fixed before update on stamp
begin select raise(abort, 'stamp rows never change'); end;
create trigger stamp_frozen before delete on stamp
when (select state from plate where code = old.plate_code) <> 'draft'
begin select raise(abort, 'a frozen plate keeps its sources'); end;
create trigger stamp_late before insert on stamp
when (select state from plate where code = new.plate_code) <> 'draft'
begin select raise(abort, 'a frozen plate takes no more sources'); end;
create trigger stamp_once before update of state on plate
when old.state = 'draft' and new.state = 'frozen' and exists (select 1 from stamp s
        join stamp o on o.source_plate = s.source_plate and o.plate_code <> s.plate_code
        join plate p on p.code = o.plate_code
        where s.plate_code = new.code and p.state <> 'draft')
begin select raise(abort, 'a plate is stamped once'); end;
create trigger run_of_source before insert on run
when exists (select 1 from stamp s join plate p on p.code = s.plate_code
        where s.source_plate = new.plate_code and p.state <> 'draft')
begin select raise(abort, 'a stamped plate has no run of its own'); end;
