//! What became of a run's tubes, read back: for whoever asks again, and before a run is made void.

use sqlx::{query_as, query_scalar};

use super::Step;
use super::release::Released;
use crate::error::{Error, Reason, Result};
use crate::storage::Tx;

/// `$1` run, `$2` state, `$3` disposition or null for any.
pub const CALLS_IN: &str = "select tube_code from call where run_id = $1 and state = $2
        and (cast($3 as text) is null or disposition = cast($3 as text)) order by tube_code";
/// `$1` run: tubes whose members were told by rule.
pub const BY_RULE: &str = "select r.tube_code from call c
        join result r on r.tube_code = c.tube_code and r.run_id = c.run_id
    where c.run_id = $1 and r.rule is not null order by r.tube_code";
/// `$1` run: recalls its tubes opened, and single tubes of it that answered one.
pub const RECALLED: &str = "select
        (select count(*) from recall r join call c on c.tube_code = r.origin_tube
            where c.run_id = $1 and c.state = 'released' and c.disposition = 'recall') as opened,
        (select count(distinct r.answer_tube) from recall r
            join call c on c.tube_code = r.answer_tube
            where c.run_id = $1 and c.state = 'released' and r.state = 'closed') as closed";
/// `$1` run: tubes whose newest result comes from it and still tells somebody something.
pub const STANDING: &str = "select r.tube_code from call c
        join result r on r.tube_code = c.tube_code and r.run_id = c.run_id
    where c.run_id = $1 and r.outcome <> 'withdrawn' and not exists (select 1 from result n
            where n.tube_code = r.tube_code and n.version > r.version) order by r.tube_code";
/// Tubes whose members were told by rule when the run was reviewed.
pub async fn released_by_rule(tx: &mut Tx, run: &str) -> Result<Vec<String>> {
    Ok(on!(tx, c => query_scalar(BY_RULE).bind(run).fetch_all(c).await)?)
}

/// Tubes of a run whose call is in this state, and of this disposition if one is named.
pub async fn calls_in(
    tx: &mut Tx,
    run: &str,
    state: &str,
    step: Option<Step>,
) -> Result<Vec<String>> {
    let step = step.map(Step::as_str);
    Ok(on!(tx, c => query_scalar(CALLS_IN).bind(run).bind(state).bind(step)
        .fetch_all(c).await)?)
}

/// What became of the tubes of a run that was released before, those of the rule not counted.
pub async fn released(tx: &mut Tx, run: &str) -> Result<Released> {
    let by_rule = released_by_rule(tx, run).await?;
    let mut reported = calls_in(tx, run, "released", Some(Step::Report)).await?;
    reported.retain(|tube| !by_rule.contains(tube));
    let (opened, closed): (i64, i64) =
        on!(tx, c => query_as(RECALLED).bind(run).fetch_one(c).await)?;
    Ok(Released {
        reported,
        retested: calls_in(tx, run, "released", Some(Step::Retest)).await?,
        recalled: calls_in(tx, run, "released", Some(Step::Recall)).await?,
        recalls_opened: opened.unsigned_abs(),
        recalls_closed: closed.unsigned_abs(),
    })
}

/// A run is not made void while anybody still goes by a result of it.
pub async fn refuse_standing(tx: &mut Tx, run: &str) -> Result<()> {
    let standing: Vec<String> = on!(tx, c => query_scalar(STANDING).bind(run).fetch_all(c).await)?;
    if standing.is_empty() {
        return Ok(());
    }
    let told = |tube: String| {
        let message = format!(
            "the members of tube {tube} were told a result of this run by rule; withdraw it first \
             (amend it to `withdrawn`), then make the run void"
        );
        Reason::new("review.results_stand", tube, message)
    };
    Err(Error::Conflict(standing.into_iter().map(told).collect()))
}
