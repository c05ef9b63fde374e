-- Scanned tube racks and robots' logs.

-- A rack as it was scanned; scanned again with other tubes it has a new version, and the newest
-- counts. Makers' rack codes are no city-wide numbers, so each laboratory has its own.
create table rack (
    laboratory_code text not null references laboratory,
    code text not null check (code <> ''),
    version bigint not null check (version > 0),
    size bigint not null check (size in (24, 48, 96)),
    scanned_by text not null,
    scanned_us bigint not null,
    primary key (laboratory_code, code, version)
);
create table rack_tube (
    laboratory_code text not null,
    rack_code text not null,
    version bigint not null,
    position bigint not null check (position between 0 and 95),
    tube_code text not null,
    primary key (laboratory_code, rack_code, version, position),
    unique (laboratory_code, rack_code, version, tube_code),
    foreign key (laboratory_code, rack_code, version) references rack
);
create index rack_tube_tube on rack_tube (tube_code);

-- What a robot says it did to a plate, sealed byte for byte, and where all logs of the plate so
-- far differ from the plan. `fills` are codes and volumes, never what somebody typed.
create table transfer_log (
    id text not null primary key,
    plate_code text not null references plate,
    number bigint not null check (number > 0),
    sha256 text not null,
    name text not null,
    format text not null,
    content blob not null,
    volume_nl bigint not null check (volume_nl > 0),
    tolerance bigint not null check (tolerance between 0 and 100),
    labware text not null,
    reagents text not null,
    fills text not null,
    errors text not null,
    differences text not null,
    read_by text not null,
    read_us bigint not null,
    unique (plate_code, number),
    unique (plate_code, sha256)
);
-- A plate that was given up without a run: who, when and why.
create table plate_discard (
    plate_code text not null primary key references plate,
    reason text not null check (reason in ('robot_differs', 'robot_stopped', 'spilled',
        'contaminated', 'wrong_layout')),
    discarded_by text not null,
    discarded_us bigint not null
);
-- A second person's explanation of the differences a log shows.
create table transfer_acceptance (
    log_id text not null primary key references transfer_log,
    explanations text not null check (explanations <> '[]'),
    accepted_by text not null,
    accepted_us bigint not null
);

create trigger transfer_acceptance_second before insert on transfer_acceptance
when exists (select 1 from transfer_log l where l.id = new.log_id and l.read_by = new.accepted_by)
begin select raise(abort, 'a second person explains a log'); end;
create trigger plate_discard_kept before delete on plate_discard
begin select raise(abort, 'plate_discard rows are kept'); end;
create trigger plate_discard_fixed before update on plate_discard
begin select raise(abort, 'plate_discard rows never change'); end;
create trigger rack_kept before delete on rack
begin select raise(abort, 'rack rows are kept'); end;
create trigger rack_tube_kept before delete on rack_tube
begin select raise(abort, 'rack_tube rows are kept'); end;
create trigger transfer_log_kept before delete on transfer_log
begin select raise(abort, 'transfer_log rows are kept'); end;
create trigger transfer_acceptance_kept before delete on transfer_acceptance
begin select raise(abort, 'transfer_acceptance rows are kept'); end;
create trigger rack_fixed before update on rack
begin select raise(abort, 'rack rows never change'); end;
create trigger rack_tube_fixed before update on rack_tube
begin select raise(abort, 'rack_tube rows never change'); end;
create trigger transfer_log_fixed before update on transfer_log
begin select raise(abort, 'transfer_log rows never change'); end;
create trigger transfer_acceptance_fixed before update on transfer_acceptance
begin select raise(abort, 'transfer_acceptance rows never change'); end;
