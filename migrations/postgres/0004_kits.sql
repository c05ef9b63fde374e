-- Kits that people approve, the shadow runs they see before, and the lots whose reactions are used.

-- A version of a kit as a laboratory proposed it: the definition never changes, another value is
-- another version. It is approved by another person than proposed it, and withdrawn for good.
-- `definition` is JSON with the policies of its programme taken in.
create table kit_version (
    code text not null check (code <> ''),
    version text not null check (version <> ''),
    definition text not null,
    effective_us bigint not null,
    until_us bigint check (until_us > effective_us),
    proposed_by text not null,
    proposed_us bigint not null,
    approved_by text check (approved_by <> proposed_by),
    approved_us bigint,
    changed_calls bigint check (changed_calls >= 0),
    withdrawn_by text,
    withdrawn_us bigint,
    withdrawn_reason text,
    primary key (code, version),
    check ((approved_by is null) = (approved_us is null)),
    check ((approved_by is null) = (changed_calls is null)),
    check ((withdrawn_by is null) = (withdrawn_us is null)),
    check ((withdrawn_by is null) = (withdrawn_reason is null))
);
-- Stored runs interpreted again with a proposed version, and what would have become of them.
create table shadow (
    id text not null primary key,
    kit_code text not null,
    kit_version text not null,
    runs bigint not null check (runs > 0),
    calls bigint not null check (calls >= 0),
    changed_calls bigint not null check (changed_calls between 0 and calls),
    changed_verdicts bigint not null check (changed_verdicts between 0 and runs),
    ran_by text not null,
    ran_us bigint not null,
    foreign key (kit_code, kit_version) references kit_version (code, version)
);
create index shadow_kit on shadow (kit_code, kit_version, ran_us);
create table shadow_run (
    shadow_id text not null references shadow,
    run_id text not null references run,
    difference text not null,
    primary key (shadow_id, run_id)
);
create index run_kit on run (kit_code, imported_us);

-- A lot of a kit in a laboratory, what was handed out of it, and the plates that were filled.
create table lot (
    laboratory_code text not null references laboratory,
    kit_code text not null check (kit_code <> ''),
    lot text not null check (lot <> ''),
    expires_us bigint not null,
    reactions bigint not null check (reactions between 1 and 10000000),
    registered_by text not null,
    registered_us bigint not null,
    primary key (laboratory_code, kit_code, lot)
);
create table lot_issue (
    id text not null primary key,
    laboratory_code text not null,
    kit_code text not null,
    lot text not null,
    reactions bigint not null check (reactions > 0),
    issued_by text not null,
    issued_us bigint not null,
    foreign key (laboratory_code, kit_code, lot) references lot (laboratory_code, kit_code, lot)
);
-- A further delivery of a registered lot, which has the same expiry.
create table lot_delivery (
    id text not null primary key,
    laboratory_code text not null,
    kit_code text not null,
    lot text not null,
    reactions bigint not null check (reactions between 1 and 10000000),
    delivered_by text not null,
    delivered_us bigint not null,
    foreign key (laboratory_code, kit_code, lot) references lot (laboratory_code, kit_code, lot)
);
create index lot_delivery_lot on lot_delivery (laboratory_code, kit_code, lot);
create index lot_issue_lot on lot_issue (laboratory_code, kit_code, lot);
-- Null where no lot was named. A frozen plate keeps the lot it was filled from.
alter table plate add column lot text;
create index plate_lot on plate (laboratory_code, kit_code, lot) where lot is not null;

create trigger kit_version_fixed before update on kit_version for each row
when (new.code <> old.code or new.version <> old.version or new.definition <> old.definition
    or new.effective_us <> old.effective_us or new.proposed_by <> old.proposed_by
    or new.proposed_us <> old.proposed_us or new.until_us is distinct from old.until_us)
execute function refuse('a kit version never changes; propose another');
create trigger kit_version_approved before update on kit_version for each row
when ((old.approved_by is not null or old.withdrawn_by is not null)
    and (new.approved_by is distinct from old.approved_by
    or new.approved_us is distinct from old.approved_us
    or new.changed_calls is distinct from old.changed_calls))
execute function refuse('a kit version is approved once, before it is withdrawn');
create trigger kit_version_withdrawn before update on kit_version for each row
when (old.withdrawn_by is not null
    and (new.withdrawn_by is distinct from old.withdrawn_by
    or new.withdrawn_us is distinct from old.withdrawn_us
    or new.withdrawn_reason is distinct from old.withdrawn_reason))
execute function refuse('a kit version is withdrawn once');
create trigger kit_version_begins before insert on kit_version for each row
when (new.approved_by is not null or new.withdrawn_by is not null)
execute function refuse('a kit version begins as a proposal');
create trigger kit_version_kept before delete on kit_version for each row
execute function refuse('kit_version rows are kept');
create trigger shadow_kept before delete on shadow for each row
execute function refuse('shadow rows are kept');
create trigger shadow_run_kept before delete on shadow_run for each row
execute function refuse('shadow_run rows are kept');
create trigger lot_kept before delete on lot for each row
execute function refuse('lot rows are kept');
create trigger lot_delivery_kept before delete on lot_delivery for each row
execute function refuse('lot_delivery rows are kept');
create trigger lot_delivery_fixed before update on lot_delivery for each row
execute function refuse('lot_delivery rows never change');
create trigger lot_issue_kept before delete on lot_issue for each row
execute function refuse('lot_issue rows are kept');
create trigger shadow_fixed before update on shadow for each row
execute function refuse('shadow rows never change');
create trigger shadow_run_fixed before update on shadow_run for each row
execute function refuse('shadow_run rows never change');
create trigger lot_issue_fixed before update on lot_issue for each row
execute function refuse('lot_issue rows never change');
create trigger lot_fixed before update on lot for each row
when (new.laboratory_code <> old.laboratory_code or new.kit_code <> old.kit_code
    or new.lot <> old.lot or new.expires_us <> old.expires_us or new.reactions <> old.reactions
    or new.registered_by <> old.registered_by or new.registered_us <> old.registered_us)
execute function refuse('lot rows never change');
create trigger plate_lot_fixed before update on plate for each row
when (old.state <> 'draft' and new.lot is distinct from old.lot)
execute function refuse('a frozen plate keeps its lot');
