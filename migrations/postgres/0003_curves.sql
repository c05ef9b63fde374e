-- Amplification curves, beside the readings they belong to. `points` is one little-endian f32 for
-- each cycle from `first_cycle` on, NaN where the file has no value.
create table curve (
    run_id text not null references run,
    well bigint not null check (well between 0 and 383),
    target text not null,
    dye text not null,
    first_cycle bigint not null check (first_cycle between 1 and 200),
    points bytea not null check (length(points) between 4 and 800),
    primary key (run_id, well, target, dye)
);
create trigger curve_kept before delete on curve for each row
execute function refuse('curve rows are kept');
create trigger curve_fixed before update on curve for each row
execute function refuse('curve rows never change');
