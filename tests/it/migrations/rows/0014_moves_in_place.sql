-- A row in every table that step 0014 makes; the same text on both engines.
insert into tube_again (tube_code) values ('T1');
