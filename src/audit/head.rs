//! The heads of the chains: each chain has a number without a gap, so that a whole chain cannot
//! be taken away unseen, and a head, so that a cut tail shows.

use sqlx::{query, query_scalar};

use crate::error::Result;
use crate::storage::{Tx, ensure_rows};

/// The number of a chain that begins; in the transaction of its first row, so that none is left
/// out.
pub const NUMBER: &str = "update audit_chains set begun = begun + 1 returning begun";
/// Chain, its number, number and hash of its newest row.
pub const BEGIN: &str =
    "insert into audit_chain (chain, number, seq, hash) values ($1, $2, $3, $4)";
/// Chain, number and hash of its newest row.
pub const MOVE: &str = "update audit_chain set seq = $2, hash = $3 where chain = $1";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("NUMBER", NUMBER), ("BEGIN", BEGIN), ("MOVE", MOVE)];

/// Moves a chain's head past the rows from `first` to `last`; its first row begins the chain.
pub(super) async fn moved(
    tx: &mut Tx,
    chain: &str,
    (first, last): (i64, i64),
    hash: &str,
) -> Result<()> {
    let changed = if first == 1 {
        let number: i64 = on!(tx, c => query_scalar(NUMBER).fetch_one(c).await)?;
        on!(tx, c => query(BEGIN).bind(chain).bind(number).bind(last).bind(hash)
            .execute(c).await.map(|done| done.rows_affected()))?
    } else {
        on!(tx, c => query(MOVE).bind(chain).bind(last).bind(hash)
            .execute(c).await.map(|done| done.rows_affected()))?
    };
    Ok(ensure_rows("the head of an audit chain", 1, changed)?)
}
