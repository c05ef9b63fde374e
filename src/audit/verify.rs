//! Walks every chain and names the first row that does not fit.

use serde::Serialize;
use sqlx::{FromRow, query_as, query_scalar};

use super::Link;
use crate::error::Result;
use crate::storage::Tx;

/// Rows read at a time.
const PAGE: i64 = 5_000;

/// What a walk over all chains found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Chains walked.
    pub chains: u64,
    /// Rows walked.
    pub rows: u64,
    /// The first break, if there is one.
    pub broken: Option<Break>,
}

/// The first row of a chain that does not fit; of a chain that is gone, its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The chain's id, or `number 3` when it is gone.
    pub chain: String,
    /// The row's number.
    pub seq: i64,
    /// What is wrong there.
    pub reason: &'static str,
}

/// Chain heads in order of their numbers.
pub const HEADS: &str = "select chain, number, seq, hash from audit_chain order by number";
/// How many chains were ever begun.
pub const BEGUN: &str = "select begun from audit_chains";
/// Chain, last number seen, page size.
pub const ROWS: &str = "select chain, seq, at_us, account_id, action, about, detail, previous, hash
    from audit where chain = $1 and seq > $2 order by seq limit $3";
/// Rows whose chain has no head.
pub const STRAYS: &str = "select a.chain, a.seq from audit a
    where not exists (select 1 from audit_chain h where h.chain = a.chain)
    order by a.chain, a.seq limit 1";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] =
    &[("HEADS", HEADS), ("BEGUN", BEGUN), ("ROWS", ROWS), ("STRAYS", STRAYS)];

#[derive(FromRow)]
struct Head {
    chain: String,
    number: i64,
    seq: i64,
    hash: String,
}

#[derive(FromRow)]
struct Row {
    chain: String,
    seq: i64,
    at_us: i64,
    account_id: String,
    action: String,
    about: String,
    detail: String,
    previous: String,
    hash: String,
}

/// Recomputes every hash of every chain, and counts the chains.
pub async fn verify(tx: &mut Tx) -> Result<Verified> {
    let begun: Vec<i64> = on!(tx, c => query_scalar(BEGUN).fetch_all(c).await)?;
    let heads: Vec<Head> = on!(tx, c => query_as(HEADS).fetch_all(c).await)?;
    let mut verified = Verified { chains: 0, rows: 0, broken: None };
    for head in &heads {
        verified.chains += 1;
        verified.broken = walk(tx, head, &mut verified.rows).await?;
        if verified.broken.is_some() {
            return Ok(verified);
        }
    }
    let stray: Option<(String, i64)> = on!(tx, c => query_as(STRAYS).fetch_optional(c).await)?;
    verified.broken = match stray {
        Some((chain, seq)) => Some(Break {
            chain,
            seq,
            reason: "the row's chain has no head; the head was taken away or the row put in",
        }),
        None => gone(&heads, begun.iter().sum()),
    };
    Ok(verified)
}

/// The first number that no chain has although it was given out, or that was never given out.
fn gone(heads: &[Head], begun: i64) -> Option<Break> {
    let mut numbers = heads.iter().map(|head| head.number);
    let missing = (1..=begun).find(|&wanted| numbers.next() != Some(wanted));
    let broken = |number, reason| Break { chain: format!("number {number}"), seq: 1, reason };
    match (missing, numbers.next()) {
        (Some(number), _) => Some(broken(number, "the whole chain was taken away")),
        (None, Some(number)) => Some(broken(number, "the count of chains was set back")),
        (None, None) => None,
    }
}

async fn walk(tx: &mut Tx, head: &Head, rows: &mut u64) -> Result<Option<Break>> {
    let (mut seq, mut hash) = (0, String::new());
    loop {
        let page: Vec<Row> = on!(tx, c => query_as(ROWS).bind(&head.chain).bind(seq).bind(PAGE)
            .fetch_all(c).await)?;
        if page.is_empty() {
            break;
        }
        for row in page {
            if let Some(reason) = misfit(&row, seq, &hash) {
                let broken = Break { chain: row.chain, seq: row.seq, reason };
                return Ok(Some(broken));
            }
            (seq, hash) = (row.seq, row.hash);
            *rows += 1;
        }
    }
    let whole = seq == head.seq && hash == head.hash;
    Ok((!whole).then(|| Break {
        chain: head.chain.clone(),
        seq: seq + 1,
        reason: "the chain ends before or after its head; its last rows were cut off or put in",
    }))
}

fn misfit(row: &Row, before: i64, hash_before: &str) -> Option<&'static str> {
    let link = Link {
        chain: &row.chain,
        seq: row.seq,
        at_us: row.at_us,
        account: &row.account_id,
        action: &row.action,
        about: &row.about,
        detail: &row.detail,
        previous: &row.previous,
    };
    if row.seq != before + 1 {
        Some("the row before it is gone")
    } else if row.previous != hash_before {
        Some("it does not follow from the row before it")
    } else if link.hash() != row.hash {
        Some("it was altered after it was written")
    } else {
        None
    }
}
