//! Tubes found and moved by the batch; every later slice moves them through here.

use sqlx::{FromRow, query, query_as};

use super::TubeState;
use crate::barcode::TubeCode;
use crate::clock::Time;
use crate::error::Result;
use crate::storage::{Tx, codes};

/// `$1` codes.
pub const TUBES_FIND: &str = "select t.code, t.size, t.members, t.round_code, t.site_code,
        t.session_code, t.sealed_us, t.recorded_us, t.state, t.state_us, t.laboratory_code,
        t.attempt
    from tube t where t.code in (select e.value ->> 'code' from jsonb_each($1) e)
    order by t.code";
/// `$1` codes, `$2` from, `$3` to, `$4` time, `$5` laboratory (kept when null). The state is asked
/// of the tubes that are named and not by its index, in which thousands stand. 200 moves cost
/// PostgreSQL 2.9 ms of processor time, 2.3 with the codes as an array; 380 5.0 and 4.5.
pub const TUBES_MOVE: &str = "update tube set state = $3, state_us = $4,
        laboratory_code = coalesce(cast($5 as text), laboratory_code)
    where coalesce(state, '') = $2 and code in (select e.value ->> 'code' from jsonb_each($1) e)";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("TUBES_FIND", TUBES_FIND), ("TUBES_MOVE", TUBES_MOVE)];

/// A tube without its members.
#[derive(Debug, Clone, FromRow)]
pub struct TubeRow {
    /// Its code.
    pub code: TubeCode,
    /// People it can hold: 1, 5, 10 or 20.
    pub size: i64,
    /// People it holds.
    pub members: i64,
    /// The round it belongs to.
    pub round_code: String,
    /// The site it was sealed at.
    pub site_code: String,
    /// The session it was sealed in.
    pub session_code: String,
    /// When the sampler sealed it, by our clock.
    #[sqlx(rename = "sealed_us")]
    pub sealed: Time,
    /// When the server recorded it.
    #[sqlx(rename = "recorded_us")]
    pub recorded: Time,
    /// Where it is on its way.
    pub state: TubeState,
    /// Since when.
    #[sqlx(rename = "state_us")]
    pub since: Time,
    /// The laboratory that has it.
    pub laboratory_code: Option<String>,
    /// How many runs it has been through without a result.
    pub attempt: i64,
}

/// The tubes among `wanted` that exist, in order of code.
pub async fn tubes_find<S: AsRef<str>>(
    tx: &mut Tx,
    wanted: impl IntoIterator<Item = S>,
) -> Result<Vec<TubeRow>> {
    let wanted = codes(wanted);
    Ok(on!(tx, c => query_as(TUBES_FIND).bind(&wanted).fetch_all(c).await)?)
}

/// One move of many tubes.
#[derive(Debug, Clone, Copy)]
pub struct TubesMove<'a> {
    /// Where they must be.
    pub from: TubeState,
    /// Where they go.
    pub to: TubeState,
    /// When.
    pub at: Time,
    /// The laboratory that takes them, when they change hands.
    pub laboratory: Option<&'a str>,
}

/// Moves the tubes that are where they must be and says how many did; the caller compares.
pub async fn tubes_move<S: AsRef<str>>(
    tx: &mut Tx,
    moved: impl IntoIterator<Item = S>,
    step: TubesMove<'_>,
) -> Result<u64> {
    let moved = codes(moved);
    Ok(on!(tx, c => query(TUBES_MOVE).bind(&moved).bind(step.from).bind(step.to).bind(step.at)
        .bind(step.laboratory).execute(c).await.map(|done| done.rows_affected()))?)
}
