//! Positives in the store, by people per reaction: what a run found, what was to be expected of it,
//! and the window alarms look at.
//!
//! A tube of ten people is positive several times as often as a tube of one, and a laboratory pool is
//! one reaction of all its tubes. What a plate of single tubes finds is therefore expected from
//! single tubes of others alone, and so on; the weights of a plate's parts are added.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{FromRow, query, query_as};

use super::cusum::{self, Found};
use super::past::People;
use super::{Facts, Scope, Share, Subjects};
use crate::clock::{Span, Time};
use crate::error::Result;
use crate::storage::{Tx, ensure_rows, json};

/// How long what the others found counts as the same period.
const SAME_PERIOD: Span = Span::hours(24);
/// How far a laboratory that is compared with itself looks back, before the same period.
const OWN_PERIOD: Span = Span::days(7);
/// Least that it looks back: of one or two days nobody can tell how much days differ.
const OWN_MIN: Span = Span::days(3);

/// Laboratory, instrument, lot, operator, since, until: reactions and positives of the city, and of
/// those four, by people per reaction.
pub const PEERS: &str = "select s.people, cast(sum(s.tubes) as bigint) as tubes,
        cast(sum(s.detected) as bigint) as detected,
        cast(coalesce(sum(case when r.laboratory_code = $1 then s.tubes end), 0) as bigint) as tubes_laboratory,
        cast(coalesce(sum(case when r.laboratory_code = $1 then s.detected end), 0) as bigint) as detected_laboratory,
        cast(coalesce(sum(case when r.laboratory_code = $1 and r.instrument = $2 then s.tubes end), 0) as bigint) as tubes_instrument,
        cast(coalesce(sum(case when r.laboratory_code = $1 and r.instrument = $2 then s.detected end), 0) as bigint) as detected_instrument,
        cast(coalesce(sum(case when r.laboratory_code = $1 and r.lot = $3 then s.tubes end), 0) as bigint) as tubes_lot,
        cast(coalesce(sum(case when r.laboratory_code = $1 and r.lot = $3 then s.detected end), 0) as bigint) as detected_lot,
        cast(coalesce(sum(case when r.laboratory_code = $1 and r.account_id = $4 then s.tubes end), 0) as bigint) as tubes_operator,
        cast(coalesce(sum(case when r.laboratory_code = $1 and r.account_id = $4 then s.detected end), 0) as bigint) as detected_operator
    from quality_run r join quality_share s on s.run_id = r.run_id
    where r.at_us >= $5 and r.at_us < $6 and r.accepted = 1
        and not exists (select 1 from run v where v.id = r.run_id and v.state = 'void') group by s.people";
/// Laboratory, since, until: its own reactions and positives, by people per reaction.
pub const OWN: &str = "select s.people, cast(sum(s.tubes) as bigint) as tubes,
        cast(sum(s.detected) as bigint) as detected, min(r.at_us) as first_us
    from quality_run r join quality_share s on s.run_id = r.run_id
    where r.laboratory_code = $1 and r.at_us >= $2 and r.at_us < $3 and r.accepted = 1
        and not exists (select 1 from run v where v.id = r.run_id and v.state = 'void')
    group by s.people";
/// `$1` run, `$2` shares.
pub const SHARES_KEEP: &str = "insert into quality_share (run_id, people, tubes, detected,
        alone, expected_laboratory, expected_instrument, expected_lot, expected_operator)
    select $1, cast(e.value ->> 'people' as bigint), cast(e.value ->> 'tubes' as bigint),
        cast(e.value ->> 'detected' as bigint), cast(e.value ->> 'alone' as bigint),
        cast(e.value ->> 'expected_laboratory' as bigint),
        cast(e.value ->> 'expected_instrument' as bigint), cast(e.value ->> 'expected_lot' as bigint),
        cast(e.value ->> 'expected_operator' as bigint)
    from jsonb_each($2) e";
/// Laboratory: the plates an alarm looks back over, newest first.
pub const WINDOW_POSITIVES: &str = "select r.run_id, r.instrument, r.lot, r.account_id, r.at_us,
        s.tubes, s.detected, s.alone, s.expected_laboratory, s.expected_instrument,
        s.expected_lot, s.expected_operator
    from (select run_id, instrument, lot, account_id, at_us from quality_run q
            where laboratory_code = $1 and accepted = 1
                and not exists (select 1 from run v where v.id = q.run_id and v.state = 'void')
            order by at_us desc, run_id desc limit 500) r
        join quality_share s on s.run_id = r.run_id
    order by r.at_us desc, r.run_id desc, s.people";
/// Laboratory, instrument, lot, operator, kit (each all when null), from, until: shares of a
/// chart's runs, newest first, so that of too many the oldest are left out.
pub const CHART_POSITIVES: &str = "select r.run_id, r.kit, r.instrument, r.lot, r.account_id,
        r.at_us, case when not exists (select 1 from run v where v.id = r.run_id and v.state = 'void')
            then r.accepted else cast(0 as bigint) end as accepted, r.internal_failures, s.tubes, s.detected, s.alone,
        s.expected_laboratory, s.expected_instrument, s.expected_lot, s.expected_operator
    from quality_run r join quality_share s on s.run_id = r.run_id
    where r.laboratory_code = $1
        and (cast($2 as text) is null or r.instrument = $2)
        and (cast($3 as text) is null or r.lot = $3)
        and (cast($4 as text) is null or r.account_id = $4)
        and (cast($5 as text) is null or r.kit = $5)
        and r.at_us >= $6 and r.at_us < $7
        and not exists (select 1 from run_replacement x where x.replaces = r.run_id)
    order by r.at_us desc, r.run_id desc, s.people desc limit 20000";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("PEERS", PEERS),
    ("OWN", OWN),
    ("SHARES_KEEP", SHARES_KEEP),
    ("WINDOW_POSITIVES", WINDOW_POSITIVES),
    ("CHART_POSITIVES", CHART_POSITIVES),
];

/// Reactions and positives, of the city and of the four subjects of a run.
#[derive(Debug, FromRow)]
struct Peers {
    people: i64,
    tubes: i64,
    detected: i64,
    tubes_laboratory: i64,
    detected_laboratory: i64,
    tubes_instrument: i64,
    detected_instrument: i64,
    tubes_lot: i64,
    detected_lot: i64,
    tubes_operator: i64,
    detected_operator: i64,
}

impl Peers {
    /// Reactions and positives of everybody but the subject in this scope; where the people of its
    /// laboratory differ, of nobody outside.
    const fn others(&self, scope: Scope, differ: bool) -> (i64, i64) {
        let (tubes, detected) = match scope {
            Scope::Laboratory => (self.tubes_laboratory, self.detected_laboratory),
            Scope::Instrument => (self.tubes_instrument, self.detected_instrument),
            Scope::Lot => (self.tubes_lot, self.detected_lot),
            Scope::Operator => (self.tubes_operator, self.detected_operator),
        };
        if differ {
            return (self.tubes_laboratory - tubes, self.detected_laboratory - detected);
        }
        (self.tubes - tubes, self.detected - detected)
    }
}

/// What a laboratory found itself.
#[derive(Debug, FromRow)]
struct Own {
    people: i64,
    tubes: i64,
    detected: i64,
    first_us: Time,
}

/// What was to be expected of a share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Whether no other laboratory tests such reactions, or none that it could be compared with.
    pub alone: bool,
    /// The share of positives for each scope, in the order of [`Scope::ALL`], in parts per million.
    pub shares: [Option<i64>; 4],
}

/// What was to be expected of each share of a run: what everybody else in the city finds in the
/// same period; of a laboratory without others, or whose people differ, what it found itself in the
/// week before, since that was learnt.
///
/// Where the people differ and a whole week of its own has too few positives to compare with, the
/// others count again: a laboratory that loses its positives never has enough.
pub async fn expected(tx: &mut Tx, facts: &Facts, of_people: People) -> Result<Vec<Expected>> {
    let (of, since) = (&facts.subjects, facts.at - SAME_PERIOD);
    let peers = peers(tx, of, since, facts.at + Span::MICROSECOND).await?;
    let of_others = |people: i64, scope| {
        let others = peers.iter().find(|row| row.people == people);
        let (tubes, detected) = others.map_or((0, 0), |row| row.others(scope, of_people.differ));
        cusum::expected_share(tubes, detected)
    };
    let is_alone = |share: &Share| of_others(share.people.into(), Scope::Laboratory).is_none();
    let had_its_week = of_people.differ && of_people.learnt <= since - OWN_PERIOD;
    let own: Vec<Own> = if facts.shares.iter().any(is_alone) {
        let from = (since - OWN_PERIOD).max(of_people.learnt);
        on!(tx, c => query_as(OWN).bind(&of.laboratory).bind(from).bind(since).fetch_all(c).await)?
    } else {
        Vec::new()
    };
    let of_share = |share: &Share| {
        let (people, alone) = (i64::from(share.people), is_alone(share));
        let own = own.iter().find(|row| alone && row.people == people);
        let own = own.filter(|own| own.first_us <= since - OWN_MIN);
        let own = own.and_then(|own| cusum::expected_share(own.tubes, own.detected));
        let others = peers.iter().find(|row| had_its_week && own.is_none() && row.people == people);
        let others = others.map_or((0, 0), |row| row.others(Scope::Laboratory, false));
        let again = cusum::expected_share(others.0, others.1);
        let shares = Scope::ALL.map(|scope| {
            of.of(scope)?;
            of_others(people, scope).or(own.or(again).filter(|_| scope == Scope::Laboratory))
        });
        Expected { alone: alone && again.is_none(), shares }
    };
    Ok(facts.shares.iter().map(of_share).collect())
}

/// What the city found in `[since, until)`.
async fn peers(tx: &mut Tx, of: &Subjects, since: Time, until: Time) -> Result<Vec<Peers>> {
    Ok(on!(tx, c => query_as(PEERS).bind(&of.laboratory).bind(&of.instrument).bind(&of.lot)
        .bind(&of.operator).bind(since).bind(until).fetch_all(c).await)?)
}

/// A row for [`SHARES_KEEP`].
#[derive(Serialize)]
struct NewShare {
    people: u32,
    #[serde(flatten)]
    share: ShareRow,
}

/// Writes what a run found, with what was expected of it.
pub async fn keep(tx: &mut Tx, facts: &Facts, expected: &[Expected]) -> Result<()> {
    let people = facts.shares.iter().map(|share| share.people);
    let shares = people.zip(own(facts, expected).shares);
    let rows: Vec<_> = shares.map(|(people, share)| NewShare { people, share }).collect();
    let list = json(&rows);
    let written = on!(tx, c => query(SHARES_KEEP).bind(&facts.run).bind(&list)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ensure_rows("SHARES_KEEP", rows.len() as u64, written)?)
}

/// Stored counts of one share.
#[derive(Debug, FromRow, Serialize)]
pub struct ShareRow {
    tubes: i64,
    detected: i64,
    alone: i64,
    expected_laboratory: Option<i64>,
    expected_instrument: Option<i64>,
    expected_lot: Option<i64>,
    expected_operator: Option<i64>,
}

fn count(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or(0)
}

/// Reactions and positives of all these shares.
pub fn total(shares: &[ShareRow]) -> (u32, u32) {
    let sum = |(tubes, detected), share: &ShareRow| {
        (tubes + count(share.tubes), detected + count(share.detected))
    };
    shares.iter().fold((0, 0), sum)
}

/// What was found of the shares of which something could be expected in a scope.
pub fn found(shares: &[ShareRow], scope: Scope) -> Vec<Found> {
    let known = shares.iter().filter_map(|share| {
        let expected = match scope {
            Scope::Laboratory => share.expected_laboratory,
            Scope::Instrument => share.expected_instrument,
            Scope::Lot => share.expected_lot,
            Scope::Operator => share.expected_operator,
        };
        let expected = f64::from(count(expected?)) / 1e6;
        let (detected, tubes) = (count(share.detected), count(share.tubes));
        Some(Found { detected, tubes, expected, alone: share.alone == 1 })
    });
    known.collect()
}

/// One share of a run, as an alarm sees it.
#[derive(Debug, FromRow)]
struct WindowShare {
    run_id: String,
    instrument: String,
    lot: Option<String>,
    account_id: String,
    at_us: Time,
    #[sqlx(flatten)]
    share: ShareRow,
}

/// A run's counts as an alarm sees them.
#[derive(Debug)]
pub struct CountRow {
    /// When.
    pub at: Time,
    /// Whose.
    pub subjects: Subjects,
    /// What it found.
    pub shares: Vec<ShareRow>,
}

/// What the window has of a run, once it is kept with what was expected of it.
pub fn own(facts: &Facts, expected: &[Expected]) -> CountRow {
    let stored = |(share, expected): (&Share, &Expected)| {
        let [laboratory, instrument, lot, operator] = expected.shares;
        ShareRow {
            tubes: share.tubes.into(),
            detected: share.detected.into(),
            alone: expected.alone.into(),
            expected_laboratory: laboratory,
            expected_instrument: instrument,
            expected_lot: lot,
            expected_operator: operator,
        }
    };
    let shares = facts.shares.iter().zip(expected).map(stored).collect();
    CountRow { at: facts.at, subjects: facts.subjects.clone(), shares }
}

/// The last counts of a laboratory, oldest first.
pub async fn window(tx: &mut Tx, laboratory: &str) -> Result<Vec<CountRow>> {
    let rows: Vec<WindowShare> =
        on!(tx, c => query_as(WINDOW_POSITIVES).bind(laboratory).fetch_all(c).await)?;
    let mut runs: BTreeMap<(Time, String), CountRow> = BTreeMap::new();
    for row in rows {
        let run = runs.entry((row.at_us, row.run_id)).or_insert_with(|| CountRow {
            at: row.at_us,
            subjects: Subjects {
                laboratory: laboratory.to_owned(),
                instrument: row.instrument,
                lot: row.lot,
                operator: row.account_id,
            },
            shares: Vec::new(),
        });
        run.shares.push(row.share);
    }
    Ok(runs.into_values().collect())
}

/// One share of a run, as a chart shows it.
#[derive(Debug, FromRow)]
pub struct ChartShare {
    /// The run.
    pub run_id: String,
    /// Its instrument.
    pub instrument: String,
    /// Its lot.
    pub lot: Option<String>,
    /// Who brought it in.
    pub account_id: String,
    /// When.
    pub at_us: Time,
    /// Whether the plate could be used.
    pub accepted: i64,
    /// Reactions of the run whose internal control did not amplify.
    pub internal_failures: i64,
    /// The counts.
    #[sqlx(flatten)]
    pub share: ShareRow,
}
