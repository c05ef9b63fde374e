-- How many reactions a frozen plate fills, so that what is used of a lot is a sum over its plates.
-- It was counted well by well, all plates of the lot anew for each plate that was filled from it.
-- Null while it is a draft.
alter table plate add column reactions bigint check (reactions >= 0);
update plate set reactions = (select count(*) from well where plate_code = plate.code)
where state <> 'draft';
create trigger plate_reactions_fixed before update on plate for each row
when (old.reactions is not null and new.reactions is distinct from old.reactions)
execute function refuse('a frozen plate keeps its reactions');
create function plate_filled() returns trigger language plpgsql
as $$ begin
    new.reactions := (select count(*) from well where plate_code = new.code);
    return new;
end $$;
create trigger plate_filled before update of state on plate for each row
when (old.state = 'draft' and new.state <> 'draft') execute function plate_filled();
-- A call is written once more when it is released; the second version finds room in its page, goes
-- into no index, and the log has only what differs.
alter table call set (fillfactor = 50);
