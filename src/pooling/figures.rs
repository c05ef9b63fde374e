//! What the rows say of pooling in one laboratory with one kit, window by window.

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query, query_as, query_scalar};
use utoipa::ToSchema;

use super::monitoring::{Baseline, Decision, Figures, PEOPLE_MIN, Share};
use crate::clock::{Span, Time};
use crate::error::Result;
use crate::storage::Tx;

/// Laboratory, kit, version, `$4` after, `$5` up to.
pub const POOLED: &str = "select count(*) as pools,
        count(case when p.outcome = 'detected' then 1 end) as detected,
        count(case when p.outcome = 'inconclusive' then 1 end) as inconclusive,
        count(case when p.outcome = 'invalid' then 1 end) as invalid,
        cast(coalesce(sum(p.depth), 0) as bigint) as people
    from pool p where p.laboratory_code = $1 and p.kit_code = $2 and p.kit_version = $3
        and p.state = 'called' and p.state_us > $4 and p.state_us <= $5";
/// Laboratory, kit, version, `$4` after, `$5` up to: what the tubes of pools that were not
/// negative turned out to be, by the newest version of their results.
pub const FOUND: &str = "select cast(coalesce(sum(f.found), 0) as bigint) as found,
        count(case when f.outcome = 'detected' and f.found = 0 and f.waits > 0 then 1 end)
            as waiting
    from (select p.code, p.outcome, count(case when r.outcome = 'detected' then 1 end) as found,
            count(case when t.state in ('received', 'plated') then 1 end) as waits
        from pool p join pool_tube k on k.pool_code = p.code
            join tube t on t.code = k.tube_code
            left join result r on r.tube_code = k.tube_code and r.version =
                (select max(n.version) from result n where n.tube_code = k.tube_code)
        where p.laboratory_code = $1 and p.kit_code = $2 and p.kit_version = $3
            and p.state = 'called' and p.outcome <> 'not_detected'
            and p.state_us > $4 and p.state_us <= $5
        group by p.code, p.outcome) f";
/// Laboratory, kit, version, `$4` after, `$5` up to: first tests of single tubes that were tested
/// alone and answer no recall.
pub const SINGLE: &str = "select count(*) as people, count(v.id) as positive
    from run r join plate l on l.code = r.plate_code
        join call c on c.run_id = r.id join tube t on t.code = c.tube_code
        left join result v on v.tube_code = c.tube_code and v.outcome = 'detected'
            and v.version = (select max(n.version) from result n where n.tube_code = c.tube_code)
    where r.kit_code = $2 and r.kit_version = $3 and r.imported_us > $4 and r.imported_us <= $5
        and l.laboratory_code = $1 and c.state = 'released' and c.pool_code is null
        and c.attempt = 1 and t.size = 1
        and not exists (select 1 from recall q where q.answer_tube = c.tube_code)";
/// Laboratory, kit, version: when the first pool was called.
pub const BEGAN: &str = "select min(state_us) from pool where laboratory_code = $1
    and kit_code = $2 and kit_version = $3 and state = 'called'";
/// Id, laboratory, kit, version, size, positives, found, decision, account, time.
pub const ASSESSMENT_ADD: &str = "insert into pool_assessment (id, laboratory_code, kit_code,
        kit_version, size, positives, found, decision, assessed_by, assessed_us)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
/// Laboratory, kit, version, `$4` up to: the newest that decided something.
pub const ASSESSMENT_LAST: &str = "select size, positives, found, decision, assessed_us
    from pool_assessment where laboratory_code = $1 and kit_code = $2 and kit_version = $3
        and assessed_us <= $4 and decision <> 'test_ten_more'
    order by assessed_us desc, id desc limit 1";
/// Laboratory, kit, version, `$4` up to: the smallest size that this version or another was found
/// wanting at, and neither the same version later nor this one was found good at it or a larger one.
pub const ASSESSMENT_WANTING: &str = "select min(w.size) from pool_assessment w
    where w.laboratory_code = $1 and w.kit_code = $2 and w.assessed_us <= $4
        and w.decision = 'smaller'
        and not exists (select 1 from pool_assessment g
            where g.laboratory_code = w.laboratory_code and g.kit_code = w.kit_code
                and g.assessed_us <= $4 and g.decision = 'go_on' and g.size >= w.size
                and ((g.kit_version = w.kit_version
                        and (g.assessed_us, g.id) > (w.assessed_us, w.id))
                    or (g.kit_version = $3 and w.kit_version <> $3)))";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("POOLED", POOLED),
    ("FOUND", FOUND),
    ("SINGLE", SINGLE),
    ("BEGAN", BEGAN),
    ("ASSESSMENT_ADD", ASSESSMENT_ADD),
    ("ASSESSMENT_LAST", ASSESSMENT_LAST),
    ("ASSESSMENT_WANTING", ASSESSMENT_WANTING),
];

/// Whose pooling is looked at, when and how far back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    /// The laboratory.
    pub laboratory: &'a str,
    /// Code and version of the kit.
    pub kit: (&'a str, &'a str),
    /// The end of the window.
    pub at: Time,
    /// Its length in days.
    pub days: u8,
}

impl Scope<'_> {
    fn span(&self) -> Span {
        Span::days(i64::from(self.days))
    }
}

/// A re-assessment as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize, Deserialize, ToSchema)]
pub struct Assessed {
    /// Tubes in the pools that were assessed.
    pub size: i64,
    /// Positive tubes tested again.
    pub positives: i64,
    /// Those of them found.
    pub found: i64,
    /// What that decides.
    pub decision: Decision,
    /// When.
    #[sqlx(rename = "assessed_us")]
    pub at: Time,
}

#[derive(FromRow)]
struct PooledRow {
    pools: i64,
    detected: i64,
    inconclusive: i64,
    invalid: i64,
    people: i64,
}

/// The versions of a kit among the names of all kits.
pub(super) fn versions<'a>(names: &'a [(String, String)], kit: &str) -> Vec<&'a str> {
    names.iter().filter(|(code, _)| code == kit).map(|(_, version)| version.as_str()).collect()
}

/// When the first pool of this kit was called there, if one was by then.
pub(super) async fn began(tx: &mut Tx, scope: Scope<'_>) -> Result<Option<Time>> {
    let Scope { laboratory, kit: (kit, version), at, .. } = scope;
    let first: Option<Time> = on!(tx, c => query_scalar(BEGAN).bind(laboratory).bind(kit)
        .bind(version).fetch_one(c).await)?;
    Ok(first.filter(|first| *first <= at))
}

/// The figures of the window, with what they are compared with.
pub(super) async fn figures(tx: &mut Tx, scope: Scope<'_>) -> Result<Figures> {
    let last = assessment_last(tx, scope).await?;
    let mut figures = pooled(tx, scope, scope.at).await?;
    figures.single = single(tx, scope, scope.at).await?;
    figures.baseline = baseline(tx, scope, last.as_ref()).await?;
    Ok(figures)
}

/// As much of the figures as decides whether pooling is stopped, of these versions of the kit
/// together: how many people are positive has nothing to do with a version, and a new one goes on
/// from what all of them found.
pub(super) async fn running_of_all(
    tx: &mut Tx,
    scope: Scope<'_>,
    versions: &[&str],
) -> Result<Figures> {
    let mut sum = Figures::default();
    for version in versions {
        sum = sum.plus(&running(tx, Scope { kit: (scope.kit.0, version), ..scope }).await?);
    }
    Ok(sum)
}

/// The same of one version: single tests are looked at only while hardly anything was pooled.
async fn running(tx: &mut Tx, scope: Scope<'_>) -> Result<Figures> {
    let mut figures = pooled(tx, scope, scope.at).await?;
    if figures.pooled.people < PEOPLE_MIN {
        figures.single = single(tx, scope, scope.at).await?;
    }
    Ok(figures)
}

/// What pools are compared with: single tests before pooling began, or the first window of
/// pools where there were none or pooling was re-assessed since; none before that is over.
async fn baseline(
    tx: &mut Tx,
    scope: Scope<'_>,
    last: Option<&Assessed>,
) -> Result<Option<Baseline>> {
    let Some(first) = began(tx, scope).await? else { return Ok(None) };
    let since = if let Some(last) = last {
        last.at
    } else {
        let history = single(tx, scope, first).await?;
        // A share of few is chance, and one of nobody says nothing of what pools should find.
        if history.people >= PEOPLE_MIN && history.positive > 0 {
            return Ok(Some(Baseline::History(history)));
        }
        first - Span::MICROSECOND
    };
    let until = since + scope.span();
    if scope.at <= until {
        return Ok(None);
    }
    Ok(Some(Baseline::Initial(pooled(tx, scope, until).await?.pooled)))
}

async fn pooled(tx: &mut Tx, scope: Scope<'_>, until: Time) -> Result<Figures> {
    let Scope { laboratory, kit: (kit, version), .. } = scope;
    let after = until - scope.span();
    let row: PooledRow = on!(tx, c => query_as(POOLED).bind(laboratory).bind(kit).bind(version)
        .bind(after).bind(until).fetch_one(c).await)?;
    let (found, waiting): (i64, i64) = on!(tx, c => query_as(FOUND).bind(laboratory).bind(kit)
        .bind(version).bind(after).bind(until).fetch_one(c).await)?;
    Ok(Figures {
        pools: row.pools.unsigned_abs(),
        detected: row.detected.unsigned_abs(),
        inconclusive: row.inconclusive.unsigned_abs(),
        invalid: row.invalid.unsigned_abs(),
        waiting: waiting.unsigned_abs(),
        pooled: Share {
            people: row.people.unsigned_abs(),
            positive: found.unsigned_abs() + waiting.unsigned_abs(),
        },
        ..Figures::default()
    })
}

async fn single(tx: &mut Tx, scope: Scope<'_>, until: Time) -> Result<Share> {
    let Scope { laboratory, kit: (kit, version), .. } = scope;
    let (people, positive): (i64, i64) = on!(tx, c => query_as(SINGLE).bind(laboratory).bind(kit)
        .bind(version).bind(until - scope.span()).bind(until).fetch_one(c).await)?;
    Ok(Share { people: people.unsigned_abs(), positive: positive.unsigned_abs() })
}

/// Writes a re-assessment down.
pub(super) async fn assessment_add(
    tx: &mut Tx,
    id: &str,
    scope: Scope<'_>,
    assessed: &Assessed,
    account: &str,
) -> Result<()> {
    on!(tx, c => query(ASSESSMENT_ADD).bind(id).bind(scope.laboratory).bind(scope.kit.0)
        .bind(scope.kit.1).bind(assessed.size).bind(assessed.positives).bind(assessed.found)
        .bind(assessed.decision).bind(account).bind(assessed.at)
        .execute(c).await.map(drop))?;
    Ok(())
}

/// The newest re-assessment that decided something.
pub(super) async fn assessment_last(tx: &mut Tx, scope: Scope<'_>) -> Result<Option<Assessed>> {
    Ok(on!(tx, c => query_as(ASSESSMENT_LAST).bind(scope.laboratory).bind(scope.kit.0)
        .bind(scope.kit.1).bind(scope.at).fetch_optional(c).await)?)
}

/// The smallest pools that were found wanting. What a version's own pools find is what counts in the
/// end; until as large ones of its own were found good, it goes on from what those of others missed.
pub(super) async fn wanting(tx: &mut Tx, scope: Scope<'_>) -> Result<Option<u64>> {
    let size: Option<i64> = on!(tx, c => query_scalar(ASSESSMENT_WANTING).bind(scope.laboratory)
        .bind(scope.kit.0).bind(scope.kit.1).bind(scope.at).fetch_one(c).await)?;
    Ok(size.map(i64::unsigned_abs))
}
