//! Points in the store: what a run left, what was usual before it, and the window alarms look at.
//! Of an amplification that was analysed again only the points of the run that counts are looked at,
//! and a run that a reviewer made void counts no more than one whose plate could not be used.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{FromRow, query, query_as, query_scalar};

use super::cusum::Usual;
use super::held::Point;
use super::past::{self, Past};
use super::westgard::Rule;
use super::{BASELINE, Chart, Facts, Judged, Learner, Measure, Value};
use crate::clock::Time;
use crate::error::Result;
use crate::storage::{StoreError, Tx, ensure_rows, json};

/// `$1` laboratory, `$2` stretches, a tuple for each: its number, instrument, measure, kit, target,
/// since when. The first points of each stretch and the last, oldest first, as texts: a run of a few
/// controls asks once, and not for a row of each point.
pub const BEFORE: &str = "select (
        select string_agg(cast(f.ct as text), ' ' order by f.at_us, f.run_id)
            from (select p.ct, p.at_us, p.run_id from quality_point p
                where p.laboratory_code = $1 and p.instrument = e.value ->> 1
                    and p.measure = e.value ->> 2 and p.kit = e.value ->> 3
                    and p.target = e.value ->> 4 and p.at_us >= cast(e.value ->> 5 as bigint)
                    and p.accepted = 1
                    and not exists (select 1 from run v where v.id = p.run_id and v.state = 'void')
                order by p.at_us, p.run_id limit 30) f) as first, (
        select string_agg(cast(l.ct as text), ' ' order by l.at_us, l.run_id)
            from (select p.ct, p.at_us, p.run_id from quality_point p
                where p.laboratory_code = $1 and p.instrument = e.value ->> 1
                    and p.measure = e.value ->> 2 and p.kit = e.value ->> 3
                    and p.target = e.value ->> 4 and p.at_us >= cast(e.value ->> 5 as bigint)
                    and not exists (select 1 from run_replacement x where x.replaces = p.run_id)
                    and (p.accepted = 0
                        or not exists (select 1 from run v where v.id = p.run_id and v.state = 'void'))
                order by p.at_us desc, p.run_id desc limit 9) l) as last
    from jsonb_each($2) e order by cast(e.value ->> 0 as bigint)";
/// Laboratory, instrument, measure, kit, target, since when: the points of an instrument over which
/// held runs are counted, newest first.
pub const JUDGED: &str = "select at_us, ct, mean, sd, rules from quality_point p
    where laboratory_code = $1 and instrument = $2 and measure = $3 and kit = $4 and target = $5
        and at_us >= $6 and accepted = 1
        and not exists (select 1 from run_replacement x where x.replaces = p.run_id)
        and not exists (select 1 from run v where v.id = p.run_id and v.state = 'void')
    order by at_us desc, run_id desc limit 100";
/// Laboratory, measure, kit, target: the plates an alarm looks back over, newest first.
pub const WINDOW: &str = "select p.instrument, p.lot, p.account_id, p.at_us, p.ct, p.mean, p.sd
    from quality_point p
    where p.laboratory_code = $1 and p.measure = $2 and p.kit = $3 and p.target = $4
        and p.accepted = 1
        and not exists (select 1 from run v where v.id = p.run_id and v.state = 'void')
    order by p.at_us desc, p.run_id desc limit 500";
/// Run, laboratory, instrument, kit, lot, operator, time, accepted, failures.
pub const RUN_KEEP: &str = "insert into quality_run (run_id, laboratory_code, instrument, kit, lot,
        account_id, at_us, accepted, internal_failures)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
/// `$1` run, `$2` points.
pub const POINTS_KEEP: &str = "insert into quality_point (run_id, measure, target, laboratory_code,
        instrument, kit, lot, account_id, at_us, accepted, ct, mean, sd, rules)
    select r.run_id, e.value ->> 'measure', e.value ->> 'target', r.laboratory_code, r.instrument,
        r.kit, r.lot, r.account_id, r.at_us, r.accepted, cast(e.value ->> 'ct' as bigint),
        cast(e.value ->> 'mean' as bigint), cast(e.value ->> 'sd' as bigint), e.value ->> 'rules'
    from jsonb_each($2) e cross join quality_run r where r.run_id = $1";
/// Laboratory, measure, then instrument, lot, operator, target, kit (each all when null), from,
/// until: a chart's points, newest first, so that of too many the oldest are left out.
pub const CHART: &str = "select p.run_id, p.kit, p.target, p.instrument, p.lot, p.account_id,
        p.at_us, case when not exists (select 1 from run v where v.id = p.run_id and v.state = 'void')
            then p.accepted else cast(0 as bigint) end as accepted, p.ct, p.mean, p.sd, p.rules
    from quality_point p
    where p.laboratory_code = $1 and p.measure = $2
        and (cast($3 as text) is null or p.instrument = $3)
        and (cast($4 as text) is null or p.lot = $4)
        and (cast($5 as text) is null or p.account_id = $5)
        and (cast($6 as text) is null or p.target = $6)
        and (cast($7 as text) is null or p.kit = $7)
        and p.at_us >= $8 and p.at_us < $9
        and not exists (select 1 from run_replacement x where x.replaces = p.run_id)
    order by p.at_us desc, p.run_id desc, p.target desc limit 20000";
/// Every laboratory.
pub const LABORATORIES: &str = "select code from laboratory order by code";
/// Laboratory, measure: its last points, newest first.
pub const NEWEST: &str = "select p.kit, p.target, p.instrument, p.at_us, p.ct, p.mean, p.sd
    from quality_point p where p.laboratory_code = $1 and p.measure = $2
        and not exists (select 1 from run_replacement x where x.replaces = p.run_id)
        and not exists (select 1 from run v where v.id = p.run_id and v.state = 'void')
    order by p.at_us desc, p.run_id desc limit 1000";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("BEFORE", BEFORE),
    ("JUDGED", JUDGED),
    ("WINDOW", WINDOW),
    ("RUN_KEEP", RUN_KEEP),
    ("POINTS_KEEP", POINTS_KEEP),
    ("CHART", CHART),
    ("LABORATORIES", LABORATORIES),
    ("NEWEST", NEWEST),
];

/// Thousandths as they are stored.
fn thousandths(cycles: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a Ct lies between 0 and 100")]
    let whole = (cycles * 1000.0).round() as i64;
    whole
}

/// Cycles out of stored thousandths.
pub(super) fn cycles(thousandths: i64) -> f64 {
    f64::from(i32::try_from(thousandths).unwrap_or(i32::MAX)) / 1000.0
}

pub(super) fn usual(mean: Option<i64>, sd: Option<i64>) -> Option<Usual> {
    Some(Usual { mean: cycles(mean?), sd: cycles(sd?) })
}

/// The points of one target on one instrument, since it was learnt anew.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// The instrument.
    pub instrument: &'a str,
    /// What is measured.
    pub measure: Measure,
    /// Kit and version.
    pub kit: &'a str,
    /// The target.
    pub target: &'a str,
    /// Since when.
    pub since: Time,
}

/// The Ct of the first points of a stretch, and of its last ones, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ends {
    /// As many as teach what is usual, or all there are.
    pub first: Vec<f64>,
    /// As many as Westgard's rules look back on, or all there are.
    pub last: Vec<f64>,
}

/// The ends of each of these stretches of a laboratory.
pub async fn before(tx: &mut Tx, laboratory: &str, stretches: &[Stretch<'_>]) -> Result<Vec<Ends>> {
    let numbered = stretches.iter().enumerate();
    let rows: Vec<_> = numbered
        .map(|(n, of)| (n, of.instrument, of.measure, of.kit, of.target, of.since.us()))
        .collect();
    let list = json(&rows);
    let rows: Vec<(Option<String>, Option<String>)> =
        on!(tx, c => query_as(BEFORE).bind(laboratory).bind(&list).fetch_all(c).await)?;
    let ends = |(first, last)| Ok(Ends { first: all_cycles(first)?, last: all_cycles(last)? });
    rows.into_iter().map(ends).collect()
}

/// Cycles out of stored thousandths with spaces between them.
fn all_cycles(text: Option<String>) -> Result<Vec<f64>> {
    let one = |word: &str| {
        word.parse().map(cycles).map_err(|_no_number| StoreError::Inconsistent {
            table: "quality_point",
            id: word.to_owned(),
            reason: "it is no Ct".to_owned(),
        })
    };
    let text = text.unwrap_or_default();
    Ok(text.split_whitespace().map(one).collect::<std::result::Result<_, _>>()?)
}

/// Says of the instruments that a chart takes for learners which are, and how many points each has:
/// a chart shows only the points that were asked for.
pub async fn learners(tx: &mut Tx, chart: &mut Chart, past: &[Past]) -> Result<()> {
    let Chart { frame, series } = chart;
    for series in series {
        let learners = std::mem::take(&mut series.learners);
        let (kit, target) = (series.kit.as_str(), series.target.as_str());
        let mut stretches = Vec::new();
        for Learner { instrument, .. } in &learners {
            let since = past::relearnt(past, (kit, target), instrument);
            stretches.push(Stretch { instrument, measure: frame.measure, kit, target, since });
        }
        let found = before(tx, &frame.laboratory, &stretches).await?;
        for (learner, ends) in learners.into_iter().zip(found) {
            let points = ends.first.len();
            if points < BASELINE {
                series.learners.push(Learner { points, of: BASELINE, ..learner });
            }
        }
    }
    Ok(())
}

#[derive(FromRow)]
struct JudgedRow {
    at_us: Time,
    ct: i64,
    mean: Option<i64>,
    sd: Option<i64>,
    rules: Option<String>,
}

impl JudgedRow {
    /// What the rules said of it; nothing while its instrument was learnt.
    fn point(self) -> Option<Point> {
        let usual = usual(self.mean, self.sd)?;
        let names = self.rules.unwrap_or_default();
        let is_held = names.split(' ').filter_map(Rule::named).any(Rule::rejects);
        Some(Point { at: self.at_us, distance: usual.distance(cycles(self.ct)), is_held })
    }
}

/// What the rules said of the last points of an instrument since `since`, oldest first.
pub async fn judged(tx: &mut Tx, facts: &Facts, value: &Value, since: Time) -> Result<Vec<Point>> {
    let of = &facts.subjects;
    let rows: Vec<JudgedRow> = on!(tx, c => query_as(JUDGED).bind(&of.laboratory)
        .bind(&of.instrument).bind(value.measure).bind(&facts.kit).bind(&value.target)
        .bind(since).fetch_all(c).await)?;
    Ok(rows.into_iter().rev().filter_map(JudgedRow::point).collect())
}

#[derive(Serialize)]
struct NewPoint<'a> {
    measure: Measure,
    target: &'a str,
    ct: i64,
    mean: Option<i64>,
    sd: Option<i64>,
    rules: String,
}

/// The row that a value of a run has in the window, once it is kept.
pub fn own(facts: &Facts, value: &Value, usual: Option<Usual>) -> WindowRow {
    let of = facts.subjects.clone();
    WindowRow {
        instrument: of.instrument,
        lot: of.lot,
        account_id: of.operator,
        at_us: facts.at,
        ct: thousandths(value.ct),
        mean: usual.map(|usual| thousandths(usual.mean)),
        sd: usual.map(|usual| thousandths(usual.sd)),
    }
}

/// Writes what a run leaves on the charts, with what it was judged by.
pub async fn run_keep(tx: &mut Tx, facts: &Facts, judged: &Judged) -> Result<()> {
    let of = &facts.subjects;
    on!(tx, c => query(RUN_KEEP).bind(&facts.run).bind(&of.laboratory).bind(&of.instrument)
        .bind(&facts.kit).bind(&of.lot).bind(&of.operator).bind(facts.at)
        .bind(i64::from(facts.usable)).bind(i64::from(facts.internal_failures))
        .execute(c).await.map(drop))?;
    let judged = judged.usual.iter().zip(&judged.broken);
    let rows: Vec<_> = facts
        .values
        .iter()
        .zip(judged)
        .map(|(value, (usual, broken))| {
            let WindowRow { ct, mean, sd, .. } = own(facts, value, *usual);
            let rules = broken.iter().map(|rule| rule.name()).collect::<Vec<_>>().join(" ");
            NewPoint { measure: value.measure, target: &value.target, ct, mean, sd, rules }
        })
        .collect();
    let list = json(&rows);
    let written = on!(tx, c => query(POINTS_KEEP).bind(&facts.run).bind(&list)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("POINTS_KEEP", rows.len() as u64, written)?)
}

/// A stored point as an alarm sees it.
#[derive(Debug, FromRow)]
pub struct WindowRow {
    /// The instrument.
    pub instrument: String,
    /// The lot.
    pub lot: Option<String>,
    /// The operator.
    pub account_id: String,
    /// When.
    pub at_us: Time,
    /// Thousandths of a cycle.
    pub ct: i64,
    /// The same.
    pub mean: Option<i64>,
    /// The same.
    pub sd: Option<i64>,
}

/// The last points of a laboratory, oldest first.
pub async fn window(tx: &mut Tx, facts: &Facts, value: &Value) -> Result<Vec<WindowRow>> {
    let mut rows: Vec<WindowRow> = on!(tx, c => query_as(WINDOW).bind(&facts.subjects.laboratory)
        .bind(value.measure).bind(&facts.kit).bind(&value.target).fetch_all(c).await)?;
    rows.reverse();
    Ok(rows)
}

#[derive(FromRow)]
struct NewestRow {
    kit: String,
    target: String,
    instrument: String,
    at_us: Time,
    ct: i64,
    mean: Option<i64>,
    sd: Option<i64>,
}

/// The newest point of one chart.
#[derive(Debug, Serialize)]
pub struct Newest {
    /// The laboratory.
    pub laboratory: String,
    /// What is measured.
    pub measure: Measure,
    /// Kit and version.
    pub kit: String,
    /// The target.
    pub target: String,
    /// The instrument.
    pub instrument: String,
    /// When.
    pub at: Time,
    /// Cycles.
    pub ct: f64,
    /// The instrument's usual mean, once it is learnt.
    pub mean: Option<f64>,
    /// Its standard deviation.
    pub sd: Option<f64>,
}

/// Where each chart stands that had one of the last thousand points of its measure, in one
/// laboratory or in all.
pub async fn newest(tx: &mut Tx, laboratory: Option<&str>) -> Result<Vec<Newest>> {
    let laboratories: Vec<String> = match laboratory {
        Some(laboratory) => vec![laboratory.to_owned()],
        None => on!(tx, c => query_scalar(LABORATORIES).fetch_all(c).await)?,
    };
    let mut newest = Vec::new();
    for laboratory in &laboratories {
        for measure in
            [Measure::PositiveControl, Measure::WeakPositiveControl, Measure::InternalControl]
        {
            let rows: Vec<NewestRow> = on!(tx, c => query_as(NEWEST).bind(laboratory)
                .bind(measure).fetch_all(c).await)?;
            let mut last = BTreeMap::new();
            for row in rows {
                let chart = (row.kit.clone(), row.target.clone(), row.instrument.clone());
                last.entry(chart).or_insert(row);
            }
            newest.extend(last.into_values().map(|row| Newest::of(laboratory, measure, row)));
        }
    }
    Ok(newest)
}

impl Newest {
    fn of(laboratory: &str, measure: Measure, row: NewestRow) -> Self {
        Self {
            laboratory: laboratory.to_owned(),
            measure,
            kit: row.kit,
            target: row.target,
            instrument: row.instrument,
            at: row.at_us,
            ct: cycles(row.ct),
            mean: row.mean.map(cycles),
            sd: row.sd.map(cycles),
        }
    }
}
