//! The counters against the rows themselves, counted one by one: the slow way, for whoever doubts
//! the board.
//!
//! Compared is what the rows still tell: where each tube, recall, plate and run is, in which hour
//! tubes were sealed and released, recalls opened, plates frozen and run files brought in, and how
//! long tubes took from the seal to their end. What is overwritten by the next move, as when a tube
//! was taken in, is compared only in sum: every tube that is further was counted on its way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query_as};
use utoipa::ToSchema;

use super::Amount;
use super::rules::{self, Moved};
use crate::collection::TubeState;
use crate::error::Result;
use crate::storage::Tx;

/// Differences named at most.
pub const NAMED_MAX: usize = 100;

/// Every counter.
pub const COUNTED: &str = "select kind, move as step, round_code as round, area,
        laboratory_code as laboratory, hour, bucket, cast(sum(n) as bigint) as tubes,
        cast(sum(people) as bigint) as people
    from figure_now group by kind, move, round_code, area, laboratory_code, hour, bucket";
/// Tubes by where they are. `minutes` is how long it took, where that is told.
pub const TUBES_STAND: &str = "select 'tube ' || t.state as what, t.round_code as round,
        coalesce(s.area, '') as area, coalesce(t.laboratory_code, '') as laboratory,
        cast(0 as bigint) as hour, cast(0 as bigint) as minutes, count(*) as tubes,
        cast(sum(t.members) as bigint) as people
    from tube t left join site s on s.code = t.site_code
    group by t.state, t.round_code, coalesce(s.area, ''), coalesce(t.laboratory_code, '')";
/// Tubes by the hour in which they were sealed.
pub const TUBES_SEALED: &str = "select 'tube >sealed' as what, t.round_code as round,
        coalesce(s.area, '') as area, '' as laboratory, t.sealed_us / 3600000000 as hour,
        cast(0 as bigint) as minutes, count(*) as tubes, cast(sum(t.members) as bigint) as people
    from tube t left join site s on s.code = t.site_code
    group by t.round_code, coalesce(s.area, ''), t.sealed_us / 3600000000";
/// Tubes by the hour in which they were released.
pub const TUBES_RELEASED: &str = "select 'tube plated>released' as what, t.round_code as round,
        coalesce(s.area, '') as area, coalesce(t.laboratory_code, '') as laboratory,
        t.state_us / 3600000000 as hour, cast(0 as bigint) as minutes, count(*) as tubes,
        cast(sum(t.members) as bigint) as people
    from tube t left join site s on s.code = t.site_code where t.state = 'released'
    group by t.round_code, coalesce(s.area, ''), coalesce(t.laboratory_code, ''),
        t.state_us / 3600000000";
/// Tubes that came to their end, by the hour in which they were sealed and how long it took.
pub const TUBES_ENDED: &str = "select 'whole ' || w.outcome as what, w.round, w.area,
        w.laboratory, w.hour, w.minutes, count(*) as tubes, cast(sum(w.members) as bigint) as people
    from (select case when t.state = 'released'
                and t.state_us - t.sealed_us > r.result_hours * 3600000000 then 'late'
                else t.state end as outcome,
            t.round_code as round, coalesce(s.area, '') as area,
            coalesce(t.laboratory_code, '') as laboratory, t.sealed_us / 3600000000 as hour,
            (t.state_us - t.sealed_us) / 60000000 as minutes, t.members
        from tube t left join site s on s.code = t.site_code
            left join round r on r.code = t.round_code
        where t.state in ('released', 'closed', 'refused')) w
    group by w.outcome, w.round, w.area, w.laboratory, w.hour, w.minutes";
/// Recalls by where they are.
pub const RECALLS_STAND: &str = "select 'recall ' || r.state as what, t.round_code as round,
        coalesce(s.area, '') as area, '' as laboratory, cast(0 as bigint) as hour,
        cast(0 as bigint) as minutes, count(*) as tubes, count(*) as people
    from recall r join tube t on t.code = r.origin_tube left join site s on s.code = r.site_code
    group by r.state, t.round_code, coalesce(s.area, '')";
/// Recalls by the hour in which they were opened.
pub const RECALLS_OPENED: &str = "select 'recall >open' as what, t.round_code as round,
        coalesce(s.area, '') as area, '' as laboratory, r.opened_us / 3600000000 as hour,
        cast(0 as bigint) as minutes, count(*) as tubes, count(*) as people
    from recall r join tube t on t.code = r.origin_tube left join site s on s.code = r.site_code
    group by t.round_code, coalesce(s.area, ''), r.opened_us / 3600000000";
/// Plates by where they are.
pub const PLATES_STAND: &str = "select 'plate ' || p.state as what, '' as round, '' as area,
        p.laboratory_code as laboratory, cast(0 as bigint) as hour, cast(0 as bigint) as minutes,
        count(*) as tubes, cast(0 as bigint) as people
    from plate p where p.state <> 'draft' group by p.state, p.laboratory_code";
/// Plates by the hour in which they were frozen.
pub const PLATES_FROZEN: &str = "select 'plate draft>frozen' as what, '' as round, '' as area,
        p.laboratory_code as laboratory, p.frozen_us / 3600000000 as hour,
        cast(0 as bigint) as minutes, count(*) as tubes, cast(0 as bigint) as people
    from plate p where p.state <> 'draft'
    group by p.laboratory_code, p.frozen_us / 3600000000";
/// Runs by where they are.
pub const RUNS_STAND: &str = "select 'run ' || r.state as what, '' as round, '' as area,
        p.laboratory_code as laboratory, cast(0 as bigint) as hour, cast(0 as bigint) as minutes,
        count(*) as tubes, cast(0 as bigint) as people
    from run r join plate p on p.code = r.plate_code group by r.state, p.laboratory_code";
/// Runs by the hour in which their file came in.
pub const RUNS_IMPORTED: &str = "select 'run >draft' as what, '' as round, '' as area,
        p.laboratory_code as laboratory, r.imported_us / 3600000000 as hour,
        cast(0 as bigint) as minutes, count(*) as tubes, cast(0 as bigint) as people
    from run r join plate p on p.code = r.plate_code
    group by p.laboratory_code, r.imported_us / 3600000000";
/// Releases by their hour and how long after the file they were signed.
pub const RUNS_RELEASED: &str = "select 'review ' as what, '' as round, '' as area,
        p.laboratory_code as laboratory, s.signed_us / 3600000000 as hour,
        (s.signed_us - r.imported_us) / 60000000 as minutes, count(*) as tubes,
        cast(0 as bigint) as people
    from signature s join run r on r.id = s.about join plate p on p.code = r.plate_code
    where s.meaning in ('release', 'release_by_rule')
    group by p.laboratory_code, s.signed_us / 3600000000, (s.signed_us - r.imported_us) / 60000000";

/// Whether the counters are right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    /// Figures that were compared.
    pub compared: usize,
    /// Those that differ.
    pub differing: usize,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// A counter that says something else than the rows it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// What is counted: `tube received`, `recall >open`, `whole late`.
    pub what: String,
    /// Of which round; empty for plates and runs.
    pub round: String,
    /// Of which area; empty for plates and runs.
    pub area: String,
    /// Of which laboratory; empty where none has it.
    pub laboratory: String,
    /// In which hour since 1970; 0 where all hours are summed up.
    pub hour: i64,
    /// What the counters say.
    pub counted: Amount,
    /// What the rows say.
    pub stored: Amount,
}

/// What is counted: its name, round, area, laboratory, hour and bucket.
type Key = (String, String, String, String, i64, usize);

#[derive(FromRow)]
struct CountedRow {
    kind: String,
    step: String,
    round: String,
    area: String,
    laboratory: String,
    hour: i64,
    bucket: i64,
    #[sqlx(flatten)]
    amount: Amount,
}

#[derive(FromRow)]
struct StoredRow {
    what: String,
    round: String,
    area: String,
    laboratory: String,
    hour: i64,
    minutes: i64,
    #[sqlx(flatten)]
    amount: Amount,
}

/// Compares every counter with the rows.
pub async fn check(tx: &mut Tx) -> Result<Checked> {
    let counters: Vec<CountedRow> = on!(tx, c => query_as(COUNTED).fetch_all(c).await)?;
    let mut counted = Facts::default();
    for row in counters {
        counted.add_counter(row);
    }
    let mut stored = Facts::default();
    for (_, sql) in &STATEMENTS[1..] {
        let rows: Vec<StoredRow> = on!(tx, c => query_as(*sql).fetch_all(c).await)?;
        for row in rows {
            stored.add_row(row);
        }
    }
    Ok(compare(counted.0, stored.0))
}

/// Figures that both sides can say.
#[derive(Default)]
struct Facts(BTreeMap<Key, Amount>);

impl Facts {
    fn of(&mut self, key: Key) -> &mut Amount {
        self.0.entry(key).or_default()
    }

    /// A move says where something is now, where it is no longer, and for some moves when.
    fn add_counter(&mut self, row: CountedRow) {
        let CountedRow { kind, step, round, area, laboratory, hour, bucket, amount } = row;
        let bucket = usize::try_from(bucket).unwrap_or(usize::MAX);
        let name = format!("{kind} {step}");
        if matches!(kind.as_str(), "whole" | "review") {
            *self.of((name, round, area, laboratory, hour, bucket)) += amount;
            return;
        }
        let timed = [
            "tube >sealed",
            "tube plated>released",
            "recall >open",
            "plate draft>frozen",
            "run >draft",
        ];
        if timed.contains(&name.as_str()) {
            let key = (name, round.clone(), area.clone(), laboratory.clone(), hour, 0);
            *self.of(key) += amount;
        }
        let moved = Moved { step, ..Moved::default() };
        let (from, to) = moved.ends();
        let stands = |state: &str| {
            let nobodys = kind == "tube"
                && rules::state(state).is_some_and(|state| !rules::is_in_laboratory(state));
            let laboratory = if nobodys { String::new() } else { laboratory.clone() };
            (stand(&kind, state), round.clone(), area.clone(), laboratory, 0, 0)
        };
        *self.of(stands(to)) += amount;
        // Nothing is taken from nowhere, and drafts of plates are not counted.
        match (kind.as_str(), from) {
            (_, "") | ("plate", "draft") => {}
            _ => *self.of(stands(from)) -= amount,
        }
    }

    fn add_row(&mut self, row: StoredRow) {
        let StoredRow { what, round, area, laboratory, hour, minutes, amount } = row;
        let bucket = rules::bucket_of(minutes);
        let what = match what.split_once(' ') {
            Some(("tube", state)) => stand("tube", state),
            _ => what,
        };
        *self.of((what, round, area, laboratory, hour, bucket)) += amount;
    }
}

/// How it is said that something is somewhere: in a box a tube is on its way as before.
fn stand(kind: &str, state: &str) -> String {
    let state = if state == TubeState::Packed.as_str() { "sealed" } else { state };
    format!("{kind} {state}")
}

fn compare(counted: BTreeMap<Key, Amount>, stored: BTreeMap<Key, Amount>) -> Checked {
    let mut both: BTreeMap<Key, (Amount, Amount)> = BTreeMap::new();
    for (key, amount) in counted {
        both.entry(key).or_default().0 = amount;
    }
    for (key, amount) in stored {
        both.entry(key).or_default().1 = amount;
    }
    let mut checked = Checked { compared: both.len(), ..Checked::default() };
    for ((what, round, area, laboratory, hour, _), (counted, stored)) in both {
        if counted == stored {
            continue;
        }
        checked.differing += 1;
        if checked.differences.len() < NAMED_MAX {
            let difference = Difference { what, round, area, laboratory, hour, counted, stored };
            checked.differences.push(difference);
        }
    }
    checked
}

/// Every statement of this file; all but the first count rows.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("COUNTED", COUNTED),
    ("TUBES_STAND", TUBES_STAND),
    ("TUBES_SEALED", TUBES_SEALED),
    ("TUBES_RELEASED", TUBES_RELEASED),
    ("TUBES_ENDED", TUBES_ENDED),
    ("RECALLS_STAND", RECALLS_STAND),
    ("RECALLS_OPENED", RECALLS_OPENED),
    ("PLATES_STAND", PLATES_STAND),
    ("PLATES_FROZEN", PLATES_FROZEN),
    ("RUNS_STAND", RUNS_STAND),
    ("RUNS_IMPORTED", RUNS_IMPORTED),
    ("RUNS_RELEASED", RUNS_RELEASED),
];
