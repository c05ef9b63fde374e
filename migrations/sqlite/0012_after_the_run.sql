-- Robots' logs that differ from the plan, in the order they came: those of a period are asked for.
create index transfer_log_differs on transfer_log (read_us) where differences <> '[]';
