//! Gathering what the checks judge.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{FromRow, query_as, query_scalar};

use super::earlier::LOOK_BACK;
use super::replaced::replaced;
use super::runs::walk;
use super::transfers::transfers;
use super::{
    Deepest, EarlierNegative, Elsewhere, FOLLOWED_WITHIN, FollowUp, Moments, OpenRound, Report,
    ReportedRun, Sign, counted, depth, follow_up, order, round_open, wells,
};
use crate::app::App;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::interpretation::kept::KeptCall;
use crate::interpretation::kit::store::kit_find;
use crate::storage::Tx;

/// Rows read by one statement.
const PAGE: i64 = 2_000;

/// `$1` laboratory (all when null), `$2` and `$3` bounds of freezing.
pub const DEPTHS: &str = "select p.code, p.laboratory_code, p.kit_code, p.kit_version,
        coalesce((select max(w.depth) from well w where w.plate_code = p.code), 0) as depth,
        (select count(*) from well w join tube t on t.code = w.tube_code
            where w.plate_code = p.code and t.members <> w.depth) as altered
    from plate p where p.frozen_us >= $2 and p.frozen_us < $3
        and (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
    order by p.frozen_us, p.code";
/// `$1` laboratory (all when null), `$2` and `$3` bounds of import.
pub const REPORTED: &str = "select r.id, p.laboratory_code,
        (select count(distinct v.tube_code) from result v where v.run_id = r.id) as reported,
        (select count(distinct coalesce(w.tube_code, m.tube_code))
            from (select distinct g.well from reading g
                where g.run_id = r.id and g.ct is not null and g.omitted = 0) a
            join well w on w.plate_code = r.plate_code and w.well = a.well
            left join pool_tube m on m.pool_code = w.pool_code) as amplified,
        (select count(distinct v.tube_code)
            from (select distinct g.well from reading g
                where g.run_id = r.id and g.ct is not null and g.omitted = 0) a
            join well w on w.plate_code = r.plate_code and w.well = a.well
            left join pool_tube m on m.pool_code = w.pool_code
            join result v on v.tube_code = coalesce(w.tube_code, m.tube_code)
                and v.run_id = r.id) as amplified_reported
    from run r join plate p on p.code = r.plate_code
    where r.imported_us >= $2 and r.imported_us < $3
        and exists (select 1 from result v where v.run_id = r.id)
        and (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
    order by r.imported_us, r.id";
/// `$1` laboratory (all when null): its first run.
pub const FIRST: &str = "select r.imported_us from run r join plate p on p.code = r.plate_code
    where (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
    order by r.imported_us, r.id limit 1";
/// `$1` laboratory (all when null): its last run.
pub const LAST: &str = "select r.imported_us from run r join plate p on p.code = r.plate_code
    where (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
    order by r.imported_us desc, r.id desc limit 1";
/// `$1` laboratory (all when null), `$2` and `$3` bounds of release, `$4` and `$5` last row seen,
/// `$6` rows.
pub const MOMENTS: &str = "select v.id, v.tube_code, r.plate_code, p.laboratory_code, t.sealed_us,
        p.frozen_us, r.imported_us, v.released_us,
        (select max(m.taken_us) from member m where m.tube_code = t.code) as swabbed_us,
        (select min(h.given_us) from box_tube b join handover h on h.box_code = b.box_code
            where b.tube_code = t.code and h.withdrawn_us is null) as handed_over_us,
        (select min(a.recorded_us) from arrival_tube f join arrival a on a.id = f.arrival_id
            where f.tube_code = t.code and f.finding in ('accepted', 'unexpected'))
            as received_us,
        (select min(s.signed_us) from signature s where s.about = r.id and s.meaning = 'review')
            as reviewed_us
    from result v join run r on r.id = v.run_id join plate p on p.code = r.plate_code
        join tube t on t.code = v.tube_code
    where v.version = 1 and v.released_us >= $2 and v.released_us < $3
        and (v.released_us, v.id) > ($4, $5)
        and (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
    order by v.released_us, v.id limit $6";
/// `$1` now: rounds that should be over, and their tubes that have come to no end. One that is
/// missing has come to none: only who writes it off recalls its members.
pub const ROUNDS: &str = "select t.round_code, count(*) as open
    from tube t join round o on o.code = t.round_code
    where t.state not in ('released', 'closed', 'refused')
        and o.ends_us + o.result_hours * 3600000000 < $1
    group by t.round_code order by t.round_code";
/// `$1` laboratory (all when null), `$2` and `$3` bounds of import, `$4` how soon after its release
/// people have to be recalled, in microseconds.
pub const FOLLOW_UPS: &str = "select c.tube_code, p.laboratory_code, c.members,
        (select count(*) from recall l where l.origin_tube = c.tube_code
            and l.opened_us <= $4 + (select min(s.signed_us) from signature s
                where s.about = r.id and s.meaning = 'release')) as recalled
    from run r join plate p on p.code = r.plate_code
        join call c on c.run_id = r.id and c.state = 'released' and c.disposition = 'recall'
    where r.imported_us >= $2 and r.imported_us < $3
        and (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
    order by c.tube_code";
/// `$1` laboratory of the negative (all when null), `$2` and `$3` bounds of release of the
/// positive, `$4` its tube (all when null), `$5` how far back, in microseconds. A positive stands
/// as it was told last; a negative is one in whichever version it was told: it
/// is found by its tube and not by its outcome, which nearly every result has.
pub const EARLIER: &str = "select v.tube_code as found, e.tube_code, t.sealed_us, e.id,
        e.released_us, p.laboratory_code, p.code as plate_code, e.run_id, e.reviewed_by,
        e.released_by, c.pool_code, c.outcome, c.rule, c.disposition, c.members, c.attempt,
        c.detail, r.kit_code, r.kit_version
    from result v join tube f on f.code = v.tube_code
        join member m on m.tube_code = v.tube_code
        join member o on o.person_key = m.person_key and o.tube_code <> v.tube_code
        join tube t on t.code = o.tube_code
        join result e on e.tube_code = o.tube_code and coalesce(e.outcome, '') = 'not_detected'
        join run r on r.id = e.run_id join plate p on p.code = r.plate_code
        join call c on c.run_id = e.run_id and c.tube_code = e.tube_code
    where v.outcome = 'detected' and v.released_us >= $2 and v.released_us < $3
        and not exists (select 1 from result n where n.tube_code = v.tube_code
            and n.version > v.version)
        and (cast($4 as text) is null or v.tube_code = cast($4 as text))
        and (cast($1 as text) is null or p.laboratory_code = cast($1 as text))
        and t.sealed_us < f.sealed_us and t.sealed_us > f.sealed_us - $5
    order by t.sealed_us desc, e.id, v.tube_code";
/// `$1` tube: whether it was told positive, and that stands; no row where there is no such tube.
pub const STANDS_POSITIVE: &str = "select (select count(*) from result v
        where v.tube_code = t.code and v.outcome = 'detected'
            and not exists (select 1 from result n where n.tube_code = v.tube_code
                and n.version > v.version)) as positive
    from tube t where t.code = $1";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("DEPTHS", DEPTHS),
    ("REPORTED", REPORTED),
    ("FIRST", FIRST),
    ("LAST", LAST),
    ("MOMENTS", MOMENTS),
    ("STANDS_POSITIVE", STANDS_POSITIVE),
    ("ROUNDS", ROUNDS),
    ("FOLLOW_UPS", FOLLOW_UPS),
    ("EARLIER", EARLIER),
];

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Only of this laboratory.
    pub laboratory: Option<String>,
    /// From then on.
    pub from: Time,
    /// Until then, not included.
    pub until: Time,
}

#[derive(FromRow)]
struct DepthRow {
    code: String,
    laboratory_code: String,
    kit_code: String,
    kit_version: String,
    depth: i64,
    altered: i64,
}

#[derive(FromRow)]
struct ReportedRow {
    id: String,
    laboratory_code: String,
    reported: i64,
    amplified: i64,
    amplified_reported: i64,
}

#[derive(FromRow)]
struct MomentRow {
    id: String,
    tube_code: String,
    plate_code: String,
    laboratory_code: String,
    sealed_us: Time,
    frozen_us: Option<Time>,
    imported_us: Time,
    released_us: Time,
    swabbed_us: Option<Time>,
    handed_over_us: Option<Time>,
    received_us: Option<Time>,
    reviewed_us: Option<Time>,
}

#[derive(FromRow)]
struct FollowUpRow {
    tube_code: String,
    laboratory_code: String,
    members: i64,
    recalled: i64,
}

#[derive(FromRow)]
struct EarlierRow {
    found: String,
    sealed_us: Time,
    id: String,
    released_us: Time,
    laboratory_code: String,
    plate_code: String,
    run_id: String,
    reviewed_by: String,
    released_by: String,
    #[sqlx(flatten)]
    call: KeptCall,
}

/// Every check over a period.
pub async fn integrity(app: &App, tx: &mut Tx, scope: &Scope) -> Result<Report> {
    let mut signs = depths(app, tx, scope).await?;
    signs.extend(reported(tx, scope).await?);
    signs.extend(follow_ups(tx, scope).await?);
    signs.extend(transfers(tx, scope).await?);
    signs.extend(replaced(tx, scope).await?);
    if scope.laboratory.is_none() {
        signs.extend(rounds(tx, app.clock.now()).await?);
    }
    let (results, out_of_order) = orders(tx, scope).await?;
    signs.extend(out_of_order);
    let earlier = earlier_negatives(tx, scope, None).await?;
    signs.extend(earlier.iter().filter_map(EarlierNegative::sign));
    let (runs, of_runs) = walk(tx, scope).await?;
    signs.extend(of_runs);
    let (checks, signs) = counted(signs);
    let runs_elsewhere = if runs == 0 { elsewhere(tx, scope).await? } else { None };
    let Scope { laboratory, from, until } = scope.clone();
    Ok(Report { from, until, laboratory, runs, results, runs_elsewhere, checks, signs })
}

/// When runs came in, where none did in the period.
async fn elsewhere(tx: &mut Tx, scope: &Scope) -> Result<Option<Elsewhere>> {
    let of = &scope.laboratory;
    let first: Option<Time> = on!(tx, c => query_scalar(FIRST).bind(of).fetch_optional(c).await)?;
    let last: Option<Time> = on!(tx, c => query_scalar(LAST).bind(of).fetch_optional(c).await)?;
    Ok(first.zip(last).map(|(first, last)| Elsewhere { first, last }))
}

async fn depths(app: &App, tx: &mut Tx, scope: &Scope) -> Result<Vec<Sign>> {
    let rows: Vec<DepthRow> = on!(tx, c => query_as(DEPTHS).bind(&scope.laboratory)
        .bind(scope.from).bind(scope.until).fetch_all(c).await)?;
    let mut validated: BTreeMap<(String, String), Option<u16>> = BTreeMap::new();
    let mut signs = Vec::new();
    for row in rows {
        let kit = (row.kit_code, row.kit_version);
        if !validated.contains_key(&kit) {
            let found = kit_find(tx, &app.kits, (&kit.0, &kit.1)).await?;
            validated.insert(kit.clone(), found.map(|(kit, _)| kit.validated_depth));
        }
        signs.extend(depth(&Deepest {
            validated: validated.get(&kit).copied().flatten(),
            plate: row.code,
            laboratory: row.laboratory_code,
            kit: format!("{} {}", kit.0, kit.1),
            depth: row.depth,
            altered: row.altered,
        }));
    }
    Ok(signs)
}

async fn reported(tx: &mut Tx, scope: &Scope) -> Result<Vec<Sign>> {
    let rows: Vec<ReportedRow> = on!(tx, c => query_as(REPORTED).bind(&scope.laboratory)
        .bind(scope.from).bind(scope.until).fetch_all(c).await)?;
    let runs = rows.into_iter().map(|row| ReportedRun {
        run: row.id,
        laboratory: row.laboratory_code,
        reported: row.reported,
        amplified: row.amplified,
        without: row.reported - row.amplified_reported,
    });
    Ok(runs.filter_map(|run| wells(&run)).collect())
}

async fn follow_ups(tx: &mut Tx, scope: &Scope) -> Result<Vec<Sign>> {
    let rows: Vec<FollowUpRow> = on!(tx, c => query_as(FOLLOW_UPS).bind(&scope.laboratory)
        .bind(scope.from).bind(scope.until).bind(FOLLOWED_WITHIN.us()).fetch_all(c).await)?;
    let calls = rows.into_iter().map(|row| FollowUp {
        tube: row.tube_code,
        laboratory: row.laboratory_code,
        members: row.members,
        recalled: row.recalled,
    });
    Ok(calls.filter_map(|call| follow_up(&call)).collect())
}

async fn rounds(tx: &mut Tx, now: Time) -> Result<Vec<Sign>> {
    let rows: Vec<(String, i64)> = on!(tx, c => query_as(ROUNDS).bind(now).fetch_all(c).await)?;
    let rounds = rows.into_iter().map(|(round, open)| OpenRound { round, open });
    Ok(rounds.filter_map(|round| round_open(&round)).collect())
}

/// Results looked at, and what is out of order; what is a plate's is said once.
async fn orders(tx: &mut Tx, scope: &Scope) -> Result<(u64, BTreeSet<Sign>)> {
    let (mut results, mut signs) = (0, BTreeSet::new());
    let mut last = (Time::from_us(i64::MIN), String::new());
    loop {
        let rows: Vec<MomentRow> = on!(tx, c => query_as(MOMENTS).bind(&scope.laboratory)
            .bind(scope.from).bind(scope.until).bind(last.0).bind(&last.1).bind(PAGE)
            .fetch_all(c).await)?;
        let Some(newest) = rows.last() else { break };
        last = (newest.released_us, newest.id.clone());
        results += rows.len() as u64;
        signs.extend(rows.into_iter().flat_map(|row| order(&row.into())));
    }
    Ok((results, signs))
}

impl From<MomentRow> for Moments {
    fn from(row: MomentRow) -> Self {
        Self {
            tube: row.tube_code,
            plate: row.plate_code,
            laboratory: row.laboratory_code,
            swabbed: row.swabbed_us,
            sealed: row.sealed_us,
            handed_over: row.handed_over_us,
            received: row.received_us,
            plated: row.frozen_us,
            imported: row.imported_us,
            reviewed: row.reviewed_us,
            released: row.released_us,
        }
    }
}

/// A tube that there is not, or that was not told positive, has no negatives before it.
pub async fn refuse_not_positive(tx: &mut Tx, tube: &str) -> Result<()> {
    let told: Option<i64> =
        on!(tx, c => query_scalar(STANDS_POSITIVE).bind(tube).fetch_optional(c).await)?;
    match told.ok_or_else(|| Error::not_found("tube", tube))? {
        0 => {
            let message = "nobody was told positive by this tube; of a pool ask for the single \
                           tubes that answered its recalls";
            Err(Error::invalid("integrity.not_positive", "tube", message))
        }
        _ => Ok(()),
    }
}

/// Negatives told to people who were found positive in the scope, newest first; only those before
/// one tube when it is named.
pub async fn earlier_negatives(
    tx: &mut Tx,
    scope: &Scope,
    found: Option<&str>,
) -> Result<Vec<EarlierNegative>> {
    let rows: Vec<EarlierRow> = on!(tx, c => query_as(EARLIER).bind(&scope.laboratory)
        .bind(scope.from).bind(scope.until).bind(found).bind(LOOK_BACK.us())
        .fetch_all(c).await)?;
    rows.into_iter()
        .map(|row| {
            let call = row.call.call()?;
            Ok(EarlierNegative {
                found: row.found,
                tube: call.tube.clone(),
                call,
                sealed_at: row.sealed_us,
                result: row.id,
                released_at: row.released_us,
                laboratory: row.laboratory_code,
                plate: row.plate_code,
                run: row.run_id,
                reviewed_by: row.reviewed_by,
                released_by: row.released_by,
            })
        })
        .collect()
}
