-- What an approver saw of plates, versions of the program's own kits that were withdrawn, and second
-- readings of a lot's label.

alter table kit_version add column changed_verdicts bigint check (changed_verdicts >= 0);
-- A version that came with the program has no row in `kit_version`; its withdrawal is kept here.
create table kit_withdrawal (
    code text not null check (code <> ''),
    version text not null check (version <> ''),
    withdrawn_by text not null,
    withdrawn_us bigint not null,
    reason text not null check (reason <> ''),
    primary key (code, version)
);
-- A reviewer registered the same lot with the same expiry and reactions.
create table lot_confirmation (
    laboratory_code text not null,
    kit_code text not null,
    lot text not null,
    confirmed_by text not null,
    confirmed_us bigint not null,
    primary key (laboratory_code, kit_code, lot, confirmed_by),
    foreign key (laboratory_code, kit_code, lot) references lot (laboratory_code, kit_code, lot)
);

create trigger kit_version_verdicts before update on kit_version
when new.changed_verdicts is distinct from old.changed_verdicts
    and (old.approved_by is not null or new.approved_by is null)
begin select raise(abort, 'a kit version is approved once, with what was seen'); end;
create trigger kit_withdrawal_kept before delete on kit_withdrawal
begin select raise(abort, 'kit_withdrawal rows are kept'); end;
create trigger kit_withdrawal_fixed before update on kit_withdrawal
begin select raise(abort, 'kit_withdrawal rows never change'); end;
create trigger lot_confirmation_kept before delete on lot_confirmation
begin select raise(abort, 'lot_confirmation rows are kept'); end;
create trigger lot_confirmation_fixed before update on lot_confirmation
begin select raise(abort, 'lot_confirmation rows never change'); end;
