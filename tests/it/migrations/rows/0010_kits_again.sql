-- A row in every table that step 0010 makes; the same text on both engines.
insert into kit_withdrawal (code, version, withdrawn_by, withdrawn_us, reason)
    values ('orf1ab-n-ic', '2', 'A4', 1, 'drill');
insert into lot_confirmation (laboratory_code, kit_code, lot, confirmed_by, confirmed_us)
    values ('L01', 'orf1ab-n-ic', 'A1', 'A5', 1);
