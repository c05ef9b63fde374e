-- A tube moves four times on its way, and each move took its entry out of two indexes and put it
-- in again. Now no index names what a move changes.
drop index tube_laboratory;
drop index tube_open;

-- Tubes that wait to be run again: those that came back from a plate, until they leave.
create table tube_again (
    tube_code text not null primary key references tube
) without rowid;
create trigger tube_comes_back after update of state on tube
when old.state = 'plated' and new.state = 'received'
begin insert into tube_again (tube_code) values (new.code) on conflict do nothing; end;
create trigger tube_leaves_again after update of state on tube
when old.state = 'received' and new.state <> 'received'
begin delete from tube_again where tube_code = new.code; end;
insert into tube_again (tube_code)
select t.code from tube t where t.state = 'received' and (
    exists (select 1 from well w join plate p on p.code = w.plate_code
        where w.tube_code = t.code and p.state = 'closed')
    or exists (select 1 from pool_tube m join well w on w.pool_code = m.pool_code
        join plate p on p.code = w.plate_code where m.tube_code = t.code and p.state = 'closed'));
