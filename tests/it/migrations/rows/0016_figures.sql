-- A row in every table that step 0016 makes; the same text on both engines.
insert into figure (round_code, kind, move, hour, area, laboratory_code, bucket, n, people)
    values ('R00', 'tube', '>sealed', 0, 'Fengtai', '', 0, 1, 1);
insert into figure_delta (kind, move, round_code, site_code, laboratory_code, at_us, took_us, n,
    people) values ('tube', '>sealed', 'R00', 'S01', '', 1, 0, 1, 1);
