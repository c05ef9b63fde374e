-- A plate of 384 that is stamped from the plate of step 0001; the same text on both engines.
insert into plate (code, laboratory_code, kit_code, kit_version, template, size, state, made_by,
    made_us) values ('H384', 'L01', 'orf1ab-n-ic', '1', 'stamp', 384, 'draft', 'A3', 1);
insert into stamp (plate_code, quadrant, source_plate, scheme) values ('H384', 1, 'H1', 'z');
