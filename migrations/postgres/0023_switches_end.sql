-- A switch that is on is a bypass and ends by itself (R45). Where no end was given, by a node of the
-- version before or before this step, it ends a day after it was turned on.
alter table switch add column until_us bigint;
