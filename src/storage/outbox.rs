//! Changes leave in the transaction that makes them (R46): one row a tube or person, read by
//! `feeds` in an order that skips nothing.

use serde::{Deserialize, Serialize};
use sqlx::query;
use utoipa::ToSchema;

use super::{Tx, codes};
use crate::clock::Time;
use crate::error::Result;
use crate::on;

/// What happened to a tube and with it to its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Change {
    /// People were swabbed into it.
    Sealed,
    /// A laboratory accepted it.
    Received,
    /// A laboratory refused it; its members are recalled.
    Refused,
    /// Its members were told a result.
    Released,
    /// Its members were told another result.
    Amended,
    /// Its members are asked to come again.
    RecallOpened,
    /// The single tube that answers a recall has a result.
    RecallClosed,
}

/// `$1` tubes, `$2` change, `$3` time.
pub const APPEND: &str = "insert into feed (change, tube_code, at_us)
    select $2, e.value ->> 'code', $3 from jsonb_each($1) e";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("APPEND", APPEND)];

/// Appends one change for each of `tubes`.
pub async fn append<S: AsRef<str>>(
    tx: &mut Tx,
    change: Change,
    tubes: impl IntoIterator<Item = S>,
    at: Time,
) -> Result<()> {
    let tubes: Vec<S> = tubes.into_iter().collect();
    if tubes.is_empty() {
        return Ok(());
    }
    tx.concerns(&tubes);
    let tubes = codes(tubes);
    on!(tx, c => query(APPEND).bind(&tubes).bind(change).bind(at).execute(c).await.map(drop))?;
    Ok(())
}
