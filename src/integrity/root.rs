//! One figure for everything done until the end of a day, to be lodged with a supervisor.
//!
//! Each row of a chain commits to every row before it. So a hash over the last row of each chain
//! on that day stands for all of them: a row of that day that is changed, added or taken away
//! later, with every hash after it made to fit, gives another root than the one lodged.

use axum::extract::State;
use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use sqlx::{query_as, query_scalar};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::clock::{Span, Time};
use crate::error::{Error, Result};
use crate::http::extract::{Json, Query};
use crate::http::problem::Problem;
use crate::storage::Tx;

/// Every chain, in order.
pub const CHAINS: &str = "select chain from audit_chain order by chain";
/// `$1` chain, `$2` end of the day: its last row before that.
pub const LAST: &str = "select seq, hash from audit where chain = $1 and at_us < $2
    order by seq desc limit 1";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("CHAINS", CHAINS), ("LAST", LAST)];

/// The root of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Root {
    /// The day, China's time.
    pub day: String,
    /// Chains that had begun by its end.
    pub chains: u64,
    /// Rows in them.
    pub rows: i64,
    /// SHA-256 over chain, number and hash of the last row of each chain, in hex.
    pub sha256: String,
}

/// Which day.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RootQuery {
    /// `YYYY-MM-DD`, China's time; a day that is over.
    day: String,
}

/// What was begun on a day is written within so long after it: a request waits less.
const WRITTEN: Span = Span::minutes(5);

/// The root of a day that is over at `now`, and whose last rows are written.
pub async fn root(tx: &mut Tx, day: &str, now: Time) -> Result<Root> {
    let wrong = |message: &str| Error::invalid("integrity.day", "day", message);
    let (_, end) =
        Time::day_bounds(day).ok_or_else(|| wrong("a day is written like 2020-06-21"))?;
    if end + WRITTEN > now {
        return Err(wrong("the day is not over; ask again five minutes after its end"));
    }
    let chains: Vec<String> = on!(tx, c => query_scalar(CHAINS).fetch_all(c).await)?;
    let mut whole = Context::new(&SHA256);
    let mut root = Root { day: day.to_owned(), chains: 0, rows: 0, sha256: String::new() };
    for chain in chains {
        let last: Option<(i64, String)> =
            on!(tx, c => query_as(LAST).bind(&chain).bind(end).fetch_optional(c).await)?;
        let Some((seq, hash)) = last else { continue };
        root.chains += 1;
        root.rows += seq;
        whole.update(format!("{chain} {seq} {hash}\n").as_bytes());
    }
    root.sha256 = HEXLOWER.encode(whole.finish().as_ref());
    Ok(root)
}

/// One figure for everything done until the end of a day, to be compared with the one lodged.
#[utoipa::path(get, path = "/v1/integrity/root", tag = "integrity", security(("bearer" = [])),
    params(RootQuery),
    responses((status = 200, body = Root), (status = 422, body = Problem)))]
pub async fn root_get(
    State(app): State<App>,
    Query(asked): Query<RootQuery>,
) -> Result<Json<Root>> {
    let mut tx = app.db.read("integrity.root").await?;
    Ok(Json(root(&mut tx, &asked.day, app.clock.now()).await?))
}
