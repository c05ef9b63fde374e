//! Counters as they are read: each statement sums up what was folded and what was not yet.

use sqlx::{FromRow, query_as, query_scalar};

use super::rules::{self, Moved, StillOpen, Took};
use super::{Amount, Figures, OLDEST_MAX, SHOWN_AFTER, Scope, ShownRound, Waiting, WaitsFor};
use crate::clock::Time;
use crate::error::Result;
use crate::storage::{Tx, codes};

/// Rounds to choose from.
const ROUNDS_MAX: i64 = 50;

/// `$1` round or null, `$2` now, `$3` over since: the one that is asked for, else those under way.
pub const ROUNDS: &str = "select code, name, area, starts_us, ends_us, result_hours from round
    where code = $1 or (cast($1 as text) is null and starts_us <= $2 and ends_us > $3)
    order by starts_us, code";
/// `$1` rounds; `$2` area or null, `$3` laboratory or null. What plates and runs did long ago is
/// counted for each of their hours and is of no round: where they stand is read from themselves.
pub const MOVED: &str = "select kind, move as step, area, laboratory_code as laboratory,
        cast(0 as bigint) as hour, cast(sum(n) as bigint) as tubes,
        cast(sum(people) as bigint) as people
    from figure_now
    where round_code in (select e.value ->> 'code' from jsonb_each($1) e)
        and kind in ('tube', 'recall')
        and (cast($2 as text) is null or area = $2)
        and (cast($3 as text) is null or laboratory_code = $3 or kind = 'recall')
    group by kind, move, area, laboratory_code";
/// `$1` laboratory or null: a row for each plate under way, of whatever round, as if it had moved
/// there. In order of time, for so SQLite reads the index of what is under way.
pub const PLATES_STAND: &str = "select 'plate' as kind, '>frozen' as step, '' as area,
        laboratory_code as laboratory, cast(0 as bigint) as hour, cast(1 as bigint) as tubes,
        cast(0 as bigint) as people
    from plate where state = 'frozen' and (cast($1 as text) is null or laboratory_code = $1)
    order by frozen_us, code";
/// As [`PLATES_STAND`], of runs.
pub const RUNS_STAND: &str = "select 'run' as kind, '>' || r.state as step, '' as area,
        p.laboratory_code as laboratory, cast(0 as bigint) as hour, cast(1 as bigint) as tubes,
        cast(0 as bigint) as people
    from run r join plate p on p.code = r.plate_code
    where r.state in ('draft', 'reviewed')
        and (cast($1 as text) is null or p.laboratory_code = $1)
    order by r.imported_us, r.id";
/// As [`MOVED`] and with plates and runs; `$4` the first hour.
pub const MOVED_HOURLY: &str = "select kind, move as step, '' as area,
        laboratory_code as laboratory, hour, cast(sum(n) as bigint) as tubes,
        cast(sum(people) as bigint) as people
    from figure_now
    where round_code in (select e.value ->> 'code' from jsonb_each($1) e)
        and kind = 'tube' and hour >= $4
        and (cast($2 as text) is null or area = $2)
        and (cast($3 as text) is null or laboratory_code = $3)
    group by kind, move, laboratory_code, hour
    union all
    select kind, move as step, '' as area, laboratory_code as laboratory, hour,
        cast(sum(n) as bigint) as tubes, cast(sum(people) as bigint) as people
    from figure_now
    where round_code = '' and kind in ('plate', 'run') and hour >= $4
        and (cast($3 as text) is null or laboratory_code = $3)
    group by kind, move, laboratory_code, hour";
/// As [`MOVED`]: how long it took; `$4` and `$5` the first and the last hour of runs, which are of
/// no round.
pub const TOOK: &str = "select kind, move as step, bucket, cast(sum(n) as bigint) as count
    from figure_now
    where round_code in (select e.value ->> 'code' from jsonb_each($1) e)
        and kind in ('tube', 'whole')
        and (cast($2 as text) is null or area = $2)
        and (cast($3 as text) is null or laboratory_code = $3)
    group by kind, move, bucket
    union all
    select kind, move as step, bucket, cast(sum(n) as bigint) as count
    from figure_now
    where round_code = '' and kind in ('run', 'review') and hour between $4 and $5
        and (cast($3 as text) is null or laboratory_code = $3)
    group by kind, move, bucket";
/// `$1` rounds, `$2` area or null: sealed and not ended, by the hour in which they were sealed.
pub const OPEN: &str = "select round_code as round, hour,
        cast(sum(case kind when 'tube' then n else - n end) as bigint) as tubes,
        cast(sum(case kind when 'tube' then people else - people end) as bigint) as people
    from figure_now
    where round_code in (select e.value ->> 'code' from jsonb_each($1) e)
        and (kind = 'whole' or (kind = 'tube' and move = '>sealed'))
        and (cast($2 as text) is null or area = $2)
    group by round_code, hour";
/// As [`MOVED`]: released after the limit.
pub const RELEASED_LATE: &str = "select cast(coalesce(sum(n), 0) as bigint) as tubes,
        cast(coalesce(sum(people), 0) as bigint) as people
    from figure_now
    where round_code in (select e.value ->> 'code' from jsonb_each($1) e)
        and kind = 'whole' and move = 'late'
        and (cast($2 as text) is null or area = $2)
        and (cast($3 as text) is null or laboratory_code = $3)";
/// `$1` area or null, `$2` how many.
pub const BOXES_OLDEST: &str = "select b.code, b.site_code as place, b.sealed_us as since
    from box b join site s on s.code = b.site_code
    where b.state <> 'arrived' and (cast($1 as text) is null or s.area = $1)
    order by b.sealed_us, b.code limit $2";
/// `$1` area or null, `$2` laboratory or null, `$3` how many. `cross join` has SQLite begin with the
/// few tubes that wait, not with all there are.
pub const AGAIN_OLDEST: &str = "select t.code, t.laboratory_code as place, t.state_us as since
    from tube_again g cross join tube t join site s on s.code = t.site_code
    where t.code = g.tube_code and t.laboratory_code is not null
        and (cast($1 as text) is null or s.area = $1)
        and (cast($2 as text) is null or t.laboratory_code = $2)
    order by t.state_us, t.code limit $3";
/// `$1` laboratory or null, `$2` how many. Runs are looked up plate by plate: as `not exists`
/// PostgreSQL may read all of them.
pub const PLATES_OLDEST: &str = "select p.code, p.laboratory_code as place, p.frozen_us as since
    from plate p
    where p.state = 'frozen' and (cast($1 as text) is null or p.laboratory_code = $1)
        and (select count(*) from run r where r.plate_code = p.code and r.state <> 'void') = 0
    order by p.frozen_us, p.code limit $2";
/// `$1` laboratory or null, `$2` how many.
pub const RUNS_OLDEST: &str = "select r.id as code, p.laboratory_code as place,
        r.imported_us as since
    from run r join plate p on p.code = r.plate_code
    where r.state in ('draft', 'reviewed')
        and (cast($1 as text) is null or p.laboratory_code = $1)
    order by r.imported_us, r.id limit $2";
/// `$1` area or null, `$2` how many.
pub const RECALLS_OLDEST: &str = "select r.origin_tube as code, r.site_code as place,
        r.opened_us as since
    from recall r join site s on s.code = r.site_code
    where r.state <> 'closed' and r.state = 'open'
        and (cast($1 as text) is null or s.area = $1)
    order by r.due_us, r.id limit $2";
/// `$1` round.
pub const ROUND_KNOWN: &str = "select count(*) from round where code = $1";

/// `$1` how many: the rounds, the last first.
pub const ROUNDS_CHOSEN: &str =
    "select code, name from round order by starts_us desc, code limit $1";
/// Every area there is.
pub const AREAS_CHOSEN: &str = "select distinct area from site order by area";
/// Every laboratory there is.
pub const LABORATORIES_CHOSEN: &str = "select code, name from laboratory order by code";

/// What may be asked for.
#[derive(Debug, Clone)]
pub struct Choices {
    /// Code and name of the last rounds.
    pub rounds: Vec<(String, String)>,
    /// Areas.
    pub areas: Vec<String>,
    /// Code and name of the laboratories.
    pub laboratories: Vec<(String, String)>,
}

/// What may be asked for.
pub async fn choices(tx: &mut Tx) -> Result<Choices> {
    Ok(Choices {
        rounds: on!(tx, c => query_as(ROUNDS_CHOSEN).bind(ROUNDS_MAX).fetch_all(c).await)?,
        areas: on!(tx, c => query_scalar(AREAS_CHOSEN).fetch_all(c).await)?,
        laboratories: on!(tx, c => query_as(LABORATORIES_CHOSEN).fetch_all(c).await)?,
    })
}

#[derive(FromRow)]
struct MovedRow {
    kind: String,
    step: String,
    area: String,
    laboratory: String,
    hour: i64,
    #[sqlx(flatten)]
    amount: Amount,
}

impl From<MovedRow> for Moved {
    fn from(row: MovedRow) -> Self {
        let MovedRow { kind, step, area, laboratory, hour, amount } = row;
        Self { kind, step, area, laboratory, hour, amount }
    }
}

#[derive(FromRow)]
struct TookRow {
    kind: String,
    step: String,
    bucket: i64,
    count: i64,
}

#[derive(FromRow)]
struct OpenRow {
    round: String,
    hour: i64,
    #[sqlx(flatten)]
    amount: Amount,
}

#[derive(FromRow)]
struct WaitingRow {
    code: String,
    place: String,
    since: Time,
}

/// Whether there is such a round.
pub async fn is_round(tx: &mut Tx, round: &str) -> Result<bool> {
    let known: i64 = on!(tx, c => query_scalar(ROUND_KNOWN).bind(round).fetch_one(c).await)?;
    Ok(known > 0)
}

/// The figures of `scope` at `now`; whatever its laboratory does for other rounds, its plates and
/// runs are counted, for a plate may hold tubes of several.
pub async fn figures(tx: &mut Tx, now: Time, scope: &Scope) -> Result<Figures> {
    let rounds: Vec<ShownRound> = on!(tx, c => query_as(ROUNDS).bind(&scope.round).bind(now)
        .bind(now - SHOWN_AFTER).fetch_all(c).await)?;
    let named = codes(rounds.iter().map(|round| round.code.as_str()));
    let (area, laboratory) = (&scope.area, &scope.laboratory);
    let (first, last) = rules::line(now);
    let mut all: Vec<MovedRow> = on!(tx, c => query_as(MOVED).bind(&named).bind(area)
        .bind(laboratory).fetch_all(c).await)?;
    for sql in [PLATES_STAND, RUNS_STAND] {
        let stand: Vec<MovedRow> = on!(tx, c => query_as(sql).bind(laboratory).fetch_all(c).await)?;
        all.extend(stand);
    }
    let hourly: Vec<MovedRow> = on!(tx, c => query_as(MOVED_HOURLY).bind(&named).bind(area)
        .bind(laboratory).bind(first).fetch_all(c).await)?;
    let began = rounds.iter().map(|round| round.starts_at).min().unwrap_or(now);
    let over = rounds.iter().map(|round| round.ends_at).max().unwrap_or(now) + SHOWN_AFTER;
    let took: Vec<TookRow> = on!(tx, c => query_as(TOOK).bind(&named).bind(area).bind(laboratory)
        .bind(rules::hour(began)).bind(rules::hour(over)).fetch_all(c).await)?;
    let late: Amount = on!(tx, c => query_as(RELEASED_LATE).bind(&named).bind(area)
        .bind(laboratory).fetch_one(c).await)?;
    // A tube that still waits somewhere is not one laboratory's to be late with.
    let open: Vec<OpenRow> = match laboratory {
        Some(_) => Vec::new(),
        None => on!(tx, c => query_as(OPEN).bind(&named).bind(area).fetch_all(c).await)?,
    };
    let (all, hourly) = (moves(all), moves(hourly));
    let open: Vec<StillOpen> = open
        .into_iter()
        .map(|OpenRow { round, hour, amount }| StillOpen { round, hour, amount })
        .collect();
    let took: Vec<Took> = took.into_iter().filter_map(|row| row.read()).collect();
    Ok(Figures {
        hour: rules::begins(last),
        stages: rules::stages(&all, laboratory.is_some()),
        late: rules::late(late, &open, &rounds, now),
        recalls: rules::recalls(&all),
        turnaround: rules::turnaround(&took, &rounds),
        hours: rules::hours(&hourly, now),
        areas: rules::areas(&all, laboratory.is_some()),
        laboratories: rules::laboratories(&all, &hourly),
        oldest: oldest(tx, scope).await?,
        rounds,
    })
}

fn moves(rows: Vec<MovedRow>) -> Vec<Moved> {
    rows.into_iter().map(Moved::from).collect()
}

impl TookRow {
    fn read(&self) -> Option<Took> {
        let stretch = rules::stretch(&self.kind, &self.step)?;
        let bucket = usize::try_from(self.bucket).ok()?;
        Some(Took { stretch, bucket, count: self.count })
    }
}

/// What waits longest. Where one laboratory is asked for, boxes and recalls are nobody's.
async fn oldest(tx: &mut Tx, scope: &Scope) -> Result<Vec<Waiting>> {
    let (area, laboratory) = (&scope.area, &scope.laboratory);
    let mut oldest = Vec::new();
    let mut add = |waits_for, rows: Vec<WaitingRow>| {
        oldest.extend(rows.into_iter().map(|row| Waiting {
            waits_for,
            code: row.code,
            place: row.place,
            since: row.since,
        }));
    };
    if laboratory.is_none() {
        let boxes = on!(tx, c => query_as(BOXES_OLDEST).bind(area).bind(OLDEST_MAX)
            .fetch_all(c).await)?;
        add(WaitsFor::Arrival, boxes);
    }
    let again = on!(tx, c => query_as(AGAIN_OLDEST).bind(area).bind(laboratory).bind(OLDEST_MAX)
        .fetch_all(c).await)?;
    add(WaitsFor::AnotherRun, again);
    let plates = on!(tx, c => query_as(PLATES_OLDEST).bind(laboratory).bind(OLDEST_MAX)
        .fetch_all(c).await)?;
    add(WaitsFor::Run, plates);
    let runs = on!(tx, c => query_as(RUNS_OLDEST).bind(laboratory).bind(OLDEST_MAX)
        .fetch_all(c).await)?;
    add(WaitsFor::Release, runs);
    if laboratory.is_none() {
        let recalls = on!(tx, c => query_as(RECALLS_OLDEST).bind(area).bind(OLDEST_MAX)
            .fetch_all(c).await)?;
        add(WaitsFor::Swab, recalls);
    }
    Ok(oldest)
}

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("ROUNDS", ROUNDS),
    ("MOVED", MOVED),
    ("PLATES_STAND", PLATES_STAND),
    ("RUNS_STAND", RUNS_STAND),
    ("MOVED_HOURLY", MOVED_HOURLY),
    ("TOOK", TOOK),
    ("OPEN", OPEN),
    ("RELEASED_LATE", RELEASED_LATE),
    ("BOXES_OLDEST", BOXES_OLDEST),
    ("AGAIN_OLDEST", AGAIN_OLDEST),
    ("PLATES_OLDEST", PLATES_OLDEST),
    ("RUNS_OLDEST", RUNS_OLDEST),
    ("RECALLS_OLDEST", RECALLS_OLDEST),
    ("ROUND_KNOWN", ROUND_KNOWN),
    ("ROUNDS_CHOSEN", ROUNDS_CHOSEN),
    ("AREAS_CHOSEN", AREAS_CHOSEN),
    ("LABORATORIES_CHOSEN", LABORATORIES_CHOSEN),
];
