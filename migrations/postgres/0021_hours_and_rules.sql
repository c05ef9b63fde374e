-- What plates and runs did is of no round and is kept for ever, an hour at a time: the board reads
-- the hours it shows and none of the years before them.
create index figure_of_no_round on figure (hour) where round_code = '';
-- The rules a control broke when it was judged, by names with blanks between them: a chart shows why
-- a run was held, not what it would be held for by a look from today. Null for points of before.
alter table quality_point add column rules text;
