-- How many reactions a frozen plate fills, so that what is used of a lot is a sum over its plates.
-- It was counted well by well, all plates of the lot anew for each plate that was filled from it.
-- Null while it is a draft.
alter table plate add column reactions bigint check (reactions >= 0);
update plate set reactions = (select count(*) from well where plate_code = plate.code)
where state <> 'draft';
create trigger plate_reactions_fixed before update of reactions on plate
when old.reactions is not null and new.reactions is not old.reactions
begin select raise(abort, 'a frozen plate keeps its reactions'); end;
create trigger plate_filled after update of state on plate
when old.state = 'draft' and new.state <> 'draft'
begin
    update plate set reactions = (select count(*) from well where plate_code = new.code)
    where code = new.code;
end;
