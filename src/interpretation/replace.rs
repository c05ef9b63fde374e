//! Another analysis of the same amplification in the place of a run (`domain.md` E5: re-analysis is
//! a new version, the old one is kept).
//!
//! The instrument's program exports a run again with another baseline, or somebody said the wrong
//! instrument. Then the old run is kept as void with who replaced it and why, the new one counts,
//! and the tubes stay on their plate. That is allowed to whoever brings runs in, also when one
//! person had reviewed the old run: it takes no more to make such a run void, and the new one
//! waits for both people again. It is over once anybody was told a result. To test the tubes once
//! more a run is made void instead: its plate is closed and its tubes go back.
//!
//! An analysis done again until it fits is a cheat, so the new run is flagged with what changed,
//! nothing of it is released by rule, and both runs show each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query, query_as, query_scalar};
use utoipa::ToSchema;

use super::{Call, Outcome, VerdictCode, VerdictReason};
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::instrument::store::RunOfPlate;
use crate::storage::{Tx, ensure_rows};

/// `$1` run.
pub const RUN_VOID: &str =
    "update run set state = 'void' where id = $1 and state in ('draft', 'reviewed')";
/// `$1` run.
pub const CALLS_VOID: &str = "update call set state = 'void' where run_id = $1 and state = 'draft'";
/// `$1` run: results that were ever told of it.
pub const TOLD: &str = "select count(*) from result where run_id = $1";
/// New run, old run, reason, who, when.
pub const REPLACEMENT_ADD: &str = "insert into run_replacement
        (run_id, replaces, reason, replaced_by, replaced_us)
    values ($1, $2, $3, $4, $5)";
/// `$1` run: what it replaces, and what it was replaced by.
pub const REPLACEMENTS: &str = "select run_id, replaces, reason, replaced_by, replaced_us
    from run_replacement where run_id = $1
    union all select run_id, replaces, reason, replaced_by, replaced_us
    from run_replacement where replaces = $1";
/// `$1` run: the one in its place.
pub const REPLACED_BY: &str = "select run_id from run_replacement where replaces = $1";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("RUN_VOID", RUN_VOID),
    ("CALLS_VOID", CALLS_VOID),
    ("TOLD", TOLD),
    ("REPLACEMENT_ADD", REPLACEMENT_ADD),
    ("REPLACEMENTS", REPLACEMENTS),
    ("REPLACED_BY", REPLACED_BY),
];

/// Why a run is replaced; coded, because free text invites names (R29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ReplaceReason {
    /// It was analysed again in the instrument's program, as with another baseline or threshold.
    AnalysedAgain,
    /// It was brought in with another instrument than the one that ran it.
    WrongInstrument,
    /// It was exported with something left out, or in the wrong form.
    WrongExport,
}

/// One run in the place of another.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize, Deserialize, ToSchema)]
pub struct Replacement {
    /// The run that counts in the place of the other.
    #[sqlx(rename = "run_id")]
    pub run: String,
    /// The run that is void for it.
    pub replaces: String,
    /// Why.
    pub reason: ReplaceReason,
    /// Account of whoever brought it.
    #[sqlx(rename = "replaced_by")]
    pub by: String,
    /// When.
    #[sqlx(rename = "replaced_us")]
    pub at: Time,
}

/// The run that is to be replaced and why, if a request says so; both or neither.
pub(super) fn wanted(
    run: Option<String>,
    reason: Option<ReplaceReason>,
) -> Result<Option<(String, ReplaceReason)>> {
    let missing =
        |field: &'static str, message| Err(Error::invalid("run.replaces", field, message));
    match (run, reason) {
        (Some(run), Some(reason)) => Ok(Some((run, reason))),
        (None, None) => Ok(None),
        (Some(_), None) => missing(
            "reason",
            "say why the run is replaced: analysed_again, wrong_instrument or wrong_export",
        ),
        (None, Some(_)) => missing("replaces", "say which run is replaced"),
    }
}

/// Every reason why this run of a plate cannot be replaced, when `live` is the one that counts and
/// `told` results of it were told.
fn against((plate, old): (&str, &str), live: Option<&RunOfPlate>, told: i64) -> Vec<Reason> {
    let Some(live) = live.filter(|live| live.id == old) else {
        let counts = live.map_or_else(
            || "none counts; put its tubes on a new plate".to_owned(),
            |live| format!("run {} counts; look at that", live.id),
        );
        let message = format!("run {old} is not the one that counts of plate {plate}: {counts}");
        return vec![Reason::new("run.replaces_other", old, message)];
    };
    let mut reasons = Vec::new();
    if live.state == "released" {
        let message = format!("run {old} is released; what it told can only be amended");
        reasons.push(Reason::new("run.replaces_released", old, message));
    } else if told > 0 {
        let message = format!(
            "{told} results of run {old} were told by rule; withdraw them (amend to `withdrawn`), \
             then make the run void and put its tubes on a new plate"
        );
        reasons.push(Reason::new("run.replaces_told", old, message));
    }
    reasons
}

/// Refuses with every reason why this run of a plate cannot be replaced.
pub(super) async fn refuse(
    tx: &mut Tx,
    (plate, old): (&str, &str),
    live: Option<&RunOfPlate>,
) -> Result<()> {
    let told: i64 = on!(tx, c => query_scalar(TOLD).bind(old).fetch_one(c).await)?;
    let reasons = against((plate, old), live, told);
    if reasons.is_empty() { Ok(()) } else { Err(Error::Conflict(reasons)) }
}

/// Makes the old run void, without moving its tubes, and writes down what takes its place.
pub(super) async fn replace(tx: &mut Tx, new: &Replacement) -> Result<()> {
    let moved = on!(tx, c => query(RUN_VOID).bind(&new.replaces).execute(c).await
        .map(|done| done.rows_affected()))?;
    ensure_rows("RUN_VOID", 1, moved)?;
    on!(tx, c => query(CALLS_VOID).bind(&new.replaces).execute(c).await.map(drop))?;
    on!(tx, c => query(REPLACEMENT_ADD).bind(&new.run).bind(&new.replaces).bind(new.reason)
        .bind(&new.by).bind(new.at).execute(c).await.map(drop))?;
    Ok(())
}

/// The run in the place of this one, if there is one.
pub(super) async fn replaced_by(tx: &mut Tx, run: &str) -> Result<Option<String>> {
    Ok(on!(tx, c => query_scalar(REPLACED_BY).bind(run).fetch_optional(c).await)?)
}

/// What a run replaces, and what it was replaced by.
pub(super) async fn replacements(
    tx: &mut Tx,
    run: &str,
) -> Result<(Option<Replacement>, Option<Replacement>)> {
    let rows: Vec<Replacement> = on!(tx, c => query_as(REPLACEMENTS).bind(run).fetch_all(c).await)?;
    let (mut before, mut after) = (None, None);
    for row in rows {
        let slot = if row.run == run { &mut before } else { &mut after };
        *slot = Some(row);
    }
    Ok((before, after))
}

/// What a person must know before anything of the new run is released: which it replaces, and the
/// tubes that it calls otherwise.
pub(super) fn flag(new: &Replacement, before: &[Call], now: &[Call]) -> VerdictReason {
    let said: BTreeMap<&str, Outcome> =
        before.iter().map(|call| (call.tube.as_str(), call.outcome)).collect();
    let changed = now.iter().filter_map(|call| {
        let before = said.get(call.tube.as_str()).filter(|before| **before != call.outcome)?;
        Some((&call.tube, format!("{} was {before} and is {}", call.tube, call.outcome)))
    });
    let (tubes, changed): (Vec<_>, Vec<_>) = changed.unzip();
    let figures = [&new.replaces].into_iter().chain(tubes).map(String::as_str);
    let what = match changed.as_slice() {
        [] => "no call changed".to_owned(),
        some => format!("calls changed: {}", some.join(", ")),
    };
    VerdictReason {
        code: VerdictCode::Replaces,
        well: None,
        figures: figures.collect::<Vec<_>>().join(", "),
        message: format!(
            "the run is in the place of run {}; {what}; compare both before anything is released",
            new.replaces
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(state: &str) -> RunOfPlate {
        let [id, plate_code, sha256, state] = ["R1", "P1", "aa", state].map(str::to_owned);
        RunOfPlate { id, plate_code, sha256, state }
    }

    fn codes(live: Option<&RunOfPlate>, told: i64) -> Vec<String> {
        against(("P1", "R1"), live, told).iter().map(|reason| reason.code.to_string()).collect()
    }

    #[test]
    fn a_run_of_which_nobody_was_told_is_replaced_reviewed_or_not() {
        assert_eq!(codes(Some(&live("draft")), 0), [""; 0]);
        assert_eq!(codes(Some(&live("reviewed")), 0), [""; 0]);
    }

    #[test]
    fn what_was_told_and_what_does_not_count_is_not_replaced() {
        assert_eq!(codes(Some(&live("released")), 3), ["run.replaces_released"]);
        assert_eq!(codes(Some(&live("reviewed")), 3), ["run.replaces_told"]);
        assert_eq!(codes(None, 0), ["run.replaces_other"]);
        let other = RunOfPlate { id: "R2".to_owned(), ..live("draft") };
        assert_eq!(codes(Some(&other), 0), ["run.replaces_other"]);
    }

    #[test]
    fn a_replacement_needs_its_run_and_its_reason() {
        let reason = Some(ReplaceReason::AnalysedAgain);
        let run = || Some("R1".to_owned());
        assert_eq!(wanted(None, None).unwrap(), None);
        assert!(wanted(run(), reason).unwrap().is_some());
        assert!(wanted(run(), None).is_err() && wanted(None, reason).is_err());
    }
}
