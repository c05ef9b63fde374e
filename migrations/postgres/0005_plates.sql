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

create trigger plate_volume_fixed before update on plate for each row
when (old.state <> 'draft' and (new.volume_nl <> old.volume_nl or new.tolerance <> old.tolerance))
execute function refuse('a frozen plate keeps its volume');
create trigger stamp_fixed before update on stamp for each row
execute function refuse('stamp rows never change');
create function refuse_frozen_sources() returns trigger language plpgsql
as $$ begin
    if (select state from plate where code = coalesce(new.plate_code, old.plate_code)) <> 'draft'
    then raise exception 'a frozen plate keeps its sources'; end if;
    return coalesce(new, old);
end $$;
create trigger stamp_frozen before insert or delete on stamp for each row
execute function refuse_frozen_sources();
create function refuse_second_stamp() returns trigger language plpgsql
as $$ begin
    if old.state = 'draft' and new.state = 'frozen' and exists (select 1 from stamp s
            join stamp o on o.source_plate = s.source_plate and o.plate_code <> s.plate_code
            join plate p on p.code = o.plate_code
            where s.plate_code = new.code and p.state <> 'draft')
    then raise exception 'a plate is stamped once'; end if;
    return new;
end $$;
create trigger stamp_once before update of state on plate for each row
execute function refuse_second_stamp();
create function refuse_run_of_source() returns trigger language plpgsql
as $$ begin
    if exists (select 1 from stamp s join plate p on p.code = s.plate_code
            where s.source_plate = new.plate_code and p.state <> 'draft')
    then raise exception 'a stamped plate has no run of its own'; end if;
    return new;
end $$;
create trigger run_of_source before insert on run for each row
execute function refuse_run_of_source();
