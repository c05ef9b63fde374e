//! Who did what to which thing: one row in the transaction of every write, hash-chained (R27).

pub mod api;
pub mod head;
pub mod verify;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::Value;
use sqlx::query;

pub use verify::{Break, Verified, verify};

use crate::auth::Actor;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::storage::{ChainHead, Tx, ensure_rows, json};

/// One audit row; without any personal value.
#[derive(Debug)]
pub struct Entry<'a> {
    /// When it was done.
    pub at: Time,
    /// Who did it.
    pub actor: &'a Actor,
    /// What was done: `tube.seal`, `run.release`.
    pub action: &'static str,
    /// The code or id it was done to.
    pub about: &'a str,
    /// Before and after, counts, codes.
    pub detail: Value,
}

/// `$1` rows, a tuple for each: number, time, account, action, about, detail, the hash before and its
/// own; `$2` chain. A hundred rows take PostgreSQL 1.1 ms as structs, 0.7 as tuples and 0.8 as a list
/// for each column (`benches/statements.rs`).
pub const APPEND: &str = "insert into audit
    (chain, seq, at_us, account_id, action, about, detail, previous, hash)
    select cast($2 as text), cast(e.value ->> 0 as bigint), cast(e.value ->> 1 as bigint),
        e.value ->> 2, e.value ->> 3, e.value ->> 4, e.value ->> 5, e.value ->> 6, e.value ->> 7
    from jsonb_each($1) e";
/// `$1` things with the number of their row, a tuple for each, `$2` chain. However they are sent, two
/// thousand take PostgreSQL 18 ms, and 14 by `COPY`, which cannot pass over what is there.
pub const SUBJECTS: &str = "insert into audit_subject (about, chain, seq)
    select e.value ->> 0, cast($2 as text), cast(e.value ->> 1 as bigint)
    from jsonb_each($1) e where true on conflict do nothing";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("APPEND", APPEND), ("SUBJECTS", SUBJECTS)];

/// A row that is written, and its place in the chain.
struct Row<'a> {
    seq: i64,
    at: i64,
    account: &'a str,
    action: &'a str,
    about: &'a str,
    detail: String,
    previous: String,
    hash: String,
}

impl Row<'_> {
    /// As [`APPEND`] takes it.
    fn written(&self) -> impl Serialize {
        let Self { seq, at, account, action, about, detail, previous, hash } = self;
        (seq, at, account, action, about, detail, previous, hash)
    }
}

/// Appends one row to the transaction's own chain.
pub async fn record(tx: &mut Tx, entry: Entry<'_>) -> Result<()> {
    record_many(tx, vec![(entry, Vec::<&str>::new())]).await
}

/// Appends one row that concerns many things, such as a batch of tubes: the trail of each of
/// `subjects` shows it, beside that of the row's own `about`.
///
/// What is found this way is no more than an index: the chain covers the row, so its detail must
/// name the things as well.
pub async fn record_about<S: AsRef<str>>(
    tx: &mut Tx,
    entry: Entry<'_>,
    subjects: impl IntoIterator<Item = S>,
) -> Result<()> {
    record_many(tx, vec![(entry, subjects.into_iter().collect())]).await
}

/// Appends a row for each entry to the transaction's own chain, in this order, each with the
/// things it concerns; three statements, however many they are.
pub async fn record_many<S: AsRef<str>>(
    tx: &mut Tx,
    entries: Vec<(Entry<'_>, Vec<S>)>,
) -> Result<()> {
    let Some((Entry { action, .. }, _)) = entries.first() else { return Ok(()) };
    let head = tx
        .chain_head()
        .ok_or_else(|| Error::Internal(format!("{action} writes through the read door")))?;
    let first = head.seq + 1;
    let rows: Vec<_> = entries.iter().map(|(entry, _)| chained(head, entry)).collect();
    let mut concerned = Vec::new();
    for (row, (entry, subjects)) in rows.iter().zip(&entries) {
        let others = subjects.iter().map(AsRef::as_ref).filter(|about| *about != entry.about);
        concerned.extend(others.map(|about| (about, row.seq)));
    }
    let moved = (head.chain.clone(), head.seq, head.hash.clone());
    let written: Vec<_> = rows.iter().map(Row::written).collect();
    let (expected, rows) = (rows.len() as u64, json(&written));
    let added = on!(tx, c => query(APPEND).bind(&rows).bind(&moved.0)
        .execute(c).await.map(|done| done.rows_affected()))?;
    ensure_rows("APPEND", expected, added)?;
    head::moved(tx, &moved.0, (first, moved.1), &moved.2).await?;
    if concerned.is_empty() {
        return Ok(());
    }
    let subjects = json(&concerned);
    Ok(on!(tx, c => query(SUBJECTS).bind(&subjects).bind(&moved.0).execute(c).await.map(drop))?)
}

/// The next row of a chain, whose head moves to it.
fn chained<'a>(head: &mut ChainHead, entry: &'a Entry<'_>) -> Row<'a> {
    let detail = entry.detail.to_string();
    let (seq, account) = (head.seq + 1, &entry.actor.account);
    let link = Link {
        chain: &head.chain,
        seq,
        at_us: entry.at.us(),
        account,
        action: entry.action,
        about: entry.about,
        detail: &detail,
        previous: &head.hash,
    };
    let hash = link.hash();
    let previous = std::mem::replace(&mut head.hash, hash.clone());
    head.seq = seq;
    let (at, action, about) = (entry.at.us(), entry.action, entry.about);
    Row { seq, at, account, action, about, detail, previous, hash }
}

/// What a row's hash covers: every field, each with its length, and the row before.
struct Link<'a> {
    chain: &'a str,
    seq: i64,
    at_us: i64,
    account: &'a str,
    action: &'a str,
    about: &'a str,
    detail: &'a str,
    previous: &'a str,
}

impl Link<'_> {
    fn hash(&self) -> String {
        let (seq, at_us) = (self.seq.to_string(), self.at_us.to_string());
        let fields = [
            self.chain,
            &seq,
            &at_us,
            self.account,
            self.action,
            self.about,
            self.detail,
            self.previous,
        ];
        let mut covered = String::new();
        for field in fields {
            covered.push_str(&field.len().to_string());
            covered.push(':');
            covered.push_str(field);
        }
        HEXLOWER.encode(digest(&SHA256, covered.as_bytes()).as_ref())
    }
}
