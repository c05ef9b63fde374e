-- Quality that watches itself: what every run leaves on the charts, and the alarms they raise.
-- Ct are thousandths of a cycle, expected shares parts per million. What a row says of usual
-- values is what was usual when its run came in.
create table quality_run (
    run_id text not null primary key references run,
    laboratory_code text not null references laboratory,
    instrument text not null,
    kit text not null,
    lot text,
    account_id text not null,
    at_us bigint not null,
    accepted bigint not null check (accepted in (0, 1)),
    internal_failures bigint not null check (internal_failures >= 0)
);
create index quality_run_laboratory on quality_run (laboratory_code, at_us, run_id);
create index quality_run_time on quality_run (at_us);
-- What a run found by people per reaction, with what was expected of each, in parts per million.
create table quality_share (
    run_id text not null references quality_run,
    people bigint not null check (people > 0),
    tubes bigint not null check (tubes > 0),
    detected bigint not null check (detected between 0 and tubes),
    alone bigint not null check (alone in (0, 1)),
    expected_laboratory bigint check (expected_laboratory between 1 and 999999),
    expected_instrument bigint check (expected_instrument between 1 and 999999),
    expected_lot bigint check (expected_lot between 1 and 999999),
    expected_operator bigint check (expected_operator between 1 and 999999),
    primary key (run_id, people)
);
create table quality_point (
    run_id text not null references quality_run,
    measure text not null check (measure in ('positive_control', 'weak_positive_control',
        'internal_control')),
    target text not null,
    laboratory_code text not null,
    instrument text not null,
    kit text not null,
    lot text,
    account_id text not null,
    at_us bigint not null,
    accepted bigint not null check (accepted in (0, 1)),
    ct bigint not null check (ct between 1 and 100000),
    mean bigint,
    sd bigint check (sd > 0),
    primary key (run_id, measure, target),
    check ((mean is null) = (sd is null))
);
create index quality_point_time on quality_point (laboratory_code, measure, at_us, run_id);
create index quality_point_kit on quality_point (laboratory_code, measure, kit, target, at_us, run_id);
create index quality_point_instrument on quality_point (laboratory_code, instrument, measure, kit, target, at_us, run_id);
create table quality_alarm (
    id text not null primary key,
    laboratory_code text not null references laboratory,
    scope text not null check (scope in ('laboratory', 'instrument', 'lot', 'operator')),
    subject text not null,
    measure text not null check (measure in ('positive_control', 'weak_positive_control',
        'internal_control', 'positivity', 'seeded', 'seeded_recall')),
    kit text not null,
    target text not null,
    direction text not null check (direction in ('rise', 'fall')),
    tube text not null,
    run_id text not null references run,
    plates bigint not null check (plates > 0),
    since_us bigint not null,
    opened_us bigint not null,
    acknowledged_us bigint,
    acknowledged_by text,
    reason text check (reason in ('instrument_serviced', 'reagent_replaced', 'operator_trained',
        'population_differs', 'retested', 'no_cause_found')),
    check ((acknowledged_us is null) = (acknowledged_by is null)),
    check ((acknowledged_us is null) = (reason is null)),
    check ((measure = 'seeded') = (tube <> ''))
);
create unique index quality_alarm_open on quality_alarm
    (laboratory_code, scope, subject, measure, kit, target, direction, tube)
    where acknowledged_us is null;
create index quality_alarm_order on quality_alarm (opened_us, id);
create index quality_alarm_measure on quality_alarm (laboratory_code, measure, opened_us, id);
-- Tubes an officer had made up, to see whether a laboratory finds them.
create table quality_seeded (
    tube_code text not null primary key,
    expected text not null check (expected in ('detected', 'not_detected')),
    seeded_by text not null,
    seeded_us bigint not null
);
create index quality_seeded_order on quality_seeded (seeded_us, tube_code);

create trigger quality_run_kept before delete on quality_run for each row
execute function refuse('quality_run rows are kept');
create trigger quality_run_fixed before update on quality_run for each row
execute function refuse('quality_run rows never change');
create trigger quality_share_kept before delete on quality_share for each row
execute function refuse('quality_share rows are kept');
create trigger quality_share_fixed before update on quality_share for each row
execute function refuse('quality_share rows never change');
create trigger quality_point_kept before delete on quality_point for each row
execute function refuse('quality_point rows are kept');
create trigger quality_point_fixed before update on quality_point for each row
execute function refuse('quality_point rows never change');
create trigger quality_alarm_kept before delete on quality_alarm for each row
execute function refuse('quality_alarm rows are kept');
create trigger quality_alarm_begins before insert on quality_alarm for each row
when (new.acknowledged_us is not null)
execute function refuse('an alarm begins open');
create trigger quality_alarm_once before update on quality_alarm for each row
when (old.acknowledged_us is not null or new.acknowledged_us is null or new.id <> old.id
    or new.laboratory_code <> old.laboratory_code or new.scope <> old.scope
    or new.subject <> old.subject or new.measure <> old.measure or new.kit <> old.kit
    or new.target <> old.target or new.direction <> old.direction or new.tube <> old.tube
    or new.run_id <> old.run_id or new.plates <> old.plates or new.since_us <> old.since_us
    or new.opened_us <> old.opened_us)
execute function refuse('an alarm is acknowledged once');
create trigger quality_seeded_kept before delete on quality_seeded for each row
execute function refuse('quality_seeded rows are kept');
create trigger quality_seeded_fixed before update on quality_seeded for each row
execute function refuse('quality_seeded rows never change');
