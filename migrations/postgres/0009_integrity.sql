-- What the checks of integrity walk over: plates, runs and results of a period.
create index plate_frozen on plate (frozen_us);
create index run_imported on run (imported_us, id);
create index result_released on result (released_us, id);
create index result_run on result (run_id);
