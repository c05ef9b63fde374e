-- What each device sent, so that a number of its own that never came is noticed (R5). Numbers up to
-- `base_seq` are not counted: before this step a device counted more than its tubes with them.
create table device (
    id text not null primary key,
    site_code text not null,
    base_seq bigint not null,
    last_seq bigint not null,
    tubes bigint not null,
    heard_us bigint not null
);
create index device_heard on device (heard_us);
insert into device (id, site_code, base_seq, last_seq, tubes, heard_us)
    select device_id, min(site_code), max(device_seq), max(device_seq), 0, max(recorded_us)
    from tube group by device_id;
create index tube_device on tube (device_id, device_seq);
