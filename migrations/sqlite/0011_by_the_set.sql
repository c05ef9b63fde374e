-- PostgreSQL checks what is written by the plate by the plate (see there); SQLite looks a parent up
-- in pages of its own, keeps its foreign keys, and needs no more than what holds for both.
create trigger plate_kept before delete on plate
begin select raise(abort, 'plate rows are kept'); end;
create trigger box_kept before delete on box
begin select raise(abort, 'box rows are kept'); end;

-- No statement asks for tubes by site and state; every move of a tube paid for it.
drop index tube_site;
