//! The trail of one thing, for auditors.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{FromRow, query_as};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Actor;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Query};
use crate::http::page::{Cursor, Limit};
use crate::http::problem::Problem;
use crate::storage::{StoreError, Tx};

/// Rows on one page when nothing is said.
const ROWS_USUAL: u32 = 100;
/// Rows on one page at most.
const ROWS_MAX: u32 = 1_000;
/// Longest code or id asked for.
const ABOUT_MAX: usize = 128;

/// `$1` subject, `$2` time, `$3` chain and `$4` number of the last row seen, `$5` rows: those
/// about the thing alone, and those about many of which it is one. `$6` is 1 where seeded tubes are
/// blind: neither their planting nor their alarms are shown then.
pub const ABOUT: &str = "select chain, seq, at_us, account_id, action, about, detail, hash
    from audit where about = $1 and (at_us, chain, seq) > ($2, $3, $4)
        and (cast($6 as bigint) = 0 or (action <> 'quality.seed' and not exists
            (select 1 from quality_alarm q where q.id = audit.about
                and q.measure in ('seeded', 'seeded_recall'))))
    union all
    select a.chain, a.seq, a.at_us, a.account_id, a.action, a.about, a.detail, a.hash
    from audit_subject s join audit a on a.chain = s.chain and a.seq = s.seq
    where s.about = $1 and a.about <> s.about and (a.at_us, a.chain, a.seq) > ($2, $3, $4)
    order by at_us, chain, seq limit $5";
/// Every statement of this file, by name.
pub const STATEMENTS: &[(&str, &str)] = &[("ABOUT", ABOUT)];

/// A place in the trail of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    at_us: i64,
    chain: String,
    seq: i64,
}

/// Whose trail, and where to read on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// The code or id of the thing.
    pub about: String,
    /// The `next` of the page before; from the beginning when absent.
    #[param(value_type = Option<String>)]
    pub after: Option<Cursor<Position>>,
    /// 1 to 1,000; 100 when absent.
    #[param(value_type = Option<u32>)]
    pub limit: Option<Limit<ROWS_MAX>>,
}

/// A page of the trail.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// Rows, newest last.
    pub rows: Vec<AuditRow>,
    /// Send it as `after` to read on; absent when this page is empty.
    #[schema(value_type = Option<String>)]
    pub next: Option<Cursor<Position>>,
}

/// Who did what.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditRow {
    /// The chain the row is a link of.
    pub chain: String,
    /// Its number there.
    pub seq: i64,
    /// When it was done.
    pub at: Time,
    /// The account that did it.
    pub account: String,
    /// What was done.
    pub action: String,
    /// To what; `batch` and the like when to many things, which the detail names.
    pub about: String,
    /// Before and after, counts, codes.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// The row's hash, for comparison with another copy of the trail.
    pub hash: String,
}

/// The trail of one thing, newest last; what was done to many things at once is in the trail of
/// each.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", security(("bearer" = [])),
    params(AuditQuery),
    responses((status = 200, body = AuditPage), (status = 400, body = Problem),
        (status = 422, body = Problem)))]
pub async fn audit_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<AuditQuery>,
) -> Result<Json<AuditPage>> {
    if asked.about.is_empty() || asked.about.len() > ABOUT_MAX || asked.about.contains('\0') {
        let message = format!("`about` is a code or an id of 1 to {ABOUT_MAX} bytes; name one");
        return Err(Error::invalid("audit.about", "about", message));
    }
    let start = Position { at_us: i64::MIN, chain: String::new(), seq: 0 };
    let after = asked.after.map_or(start, |Cursor(position)| position);
    let rows = Limit::or(asked.limit, ROWS_USUAL).rows();
    let mut tx = app.db.read("audit.about").await?;
    let rows = about(&mut tx, (&asked.about, actor.is_blind()), &after, rows).await?;
    let next = rows
        .last()
        .map(|row| Cursor(Position { at_us: row.at.us(), chain: row.chain.clone(), seq: row.seq }));
    Ok(Json(AuditPage { rows, next }))
}

#[derive(FromRow)]
struct Row {
    chain: String,
    seq: i64,
    #[sqlx(rename = "at_us")]
    at: Time,
    account_id: String,
    action: String,
    about: String,
    detail: String,
    hash: String,
}

impl TryFrom<Row> for AuditRow {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let detail = serde_json::from_str(&row.detail).map_err(|_json| {
            let id = format!("{} {}", row.chain, row.seq);
            StoreError::Inconsistent { table: "audit", id, reason: "detail is no JSON".to_owned() }
        })?;
        let Row { chain, seq, at, account_id: account, action, about, hash, .. } = row;
        Ok(Self { chain, seq, at, account, action, about, detail, hash })
    }
}

/// At most `rows` rows about `thing` after `after`.
async fn about(
    tx: &mut Tx,
    (thing, is_blind): (&str, bool),
    after: &Position,
    rows: i64,
) -> Result<Vec<AuditRow>> {
    let found: Vec<Row> = on!(tx, c => query_as(ABOUT).bind(thing).bind(after.at_us)
        .bind(&after.chain).bind(after.seq).bind(rows).bind(i64::from(is_blind)).fetch_all(c).await)?;
    Ok(found.into_iter().map(AuditRow::try_from).collect::<Result<_, StoreError>>()?)
}
