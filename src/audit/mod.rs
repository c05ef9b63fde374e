//! Who did what to which thing: one row in the transaction of every write, hash-chained (R27).

pub mod api;
pub mod head;
pub mod verify;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use sqlx::query;

pub use verify::{Break, Verified, verify};

use crate::auth::Actor;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::storage::{Tx, codes};

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

/// Chain, number, time, account, action, subject, detail, previous hash, hash.
pub const APPEND: &str = "insert into audit
    (chain, seq, at_us, account_id, action, about, detail, previous, hash)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
/// `$1` things, `$2` chain, `$3` number.
pub const SUBJECTS: &str = "insert into audit_subject (about, chain, seq)
    select e.value ->> 'code', cast($2 as text), cast($3 as bigint) from json_each($1) e
    where true on conflict do nothing";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("APPEND", APPEND), ("SUBJECTS", SUBJECTS)];

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
    let about = entry.about;
    let subjects: Vec<_> =
        subjects.into_iter().filter(|subject| subject.as_ref() != about).collect();
    let (chain, seq) = append(tx, entry).await?;
    if subjects.is_empty() {
        return Ok(());
    }
    let subjects = codes(subjects);
    Ok(on!(tx, c => query(SUBJECTS).bind(&subjects).bind(&chain).bind(seq)
        .execute(c).await.map(drop))?)
}

/// Appends one row to the transaction's own chain.
pub async fn record(tx: &mut Tx, entry: Entry<'_>) -> Result<()> {
    append(tx, entry).await.map(drop)
}

/// Appends a row and gives its chain and number.
async fn append(tx: &mut Tx, entry: Entry<'_>) -> Result<(String, i64)> {
    let head = tx
        .chain_head()
        .ok_or_else(|| Error::Internal(format!("{} writes through the read door", entry.action)))?;
    let detail = entry.detail.to_string();
    let link = Link {
        chain: &head.chain,
        seq: head.seq + 1,
        at_us: entry.at.us(),
        account: &entry.actor.account,
        action: entry.action,
        about: entry.about,
        detail: &detail,
        previous: &head.hash,
    };
    let (hash, previous) = (link.hash(), head.hash.clone());
    head.seq += 1;
    head.hash.clone_from(&hash);
    let (chain, seq) = (head.chain.clone(), head.seq);
    on!(tx, c => query(APPEND).bind(&chain).bind(seq).bind(entry.at)
        .bind(&entry.actor.account).bind(entry.action).bind(entry.about).bind(&detail)
        .bind(&previous).bind(&hash).execute(c).await.map(drop))?;
    head::moved(tx, &chain, seq, &hash).await?;
    Ok((chain, seq))
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
