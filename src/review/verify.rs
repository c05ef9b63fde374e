//! Do the signatures still stand for what is stored (R26)? Recomputed for every run that carries
//! one and for every result, long after its release.

use std::fmt;

use serde::Serialize;
use sqlx::{FromRow, query_as, query_scalar};

use super::amend::{self, AmendReason, AmendedOutcome, Wanted};
use super::{Meaning, content_hash, store};
use crate::error::Result;
use crate::storage::Tx;

/// Runs and amended results read at a time.
const PAGE: i64 = 500;
/// `$1` last run seen, `$2` how many.
pub const SIGNED_RUNS: &str = "select id from run where state in ('reviewed', 'released', 'void')
    and id > $1 order by id limit $2";
/// `$1` run: first versions that do not say what their call says, under the signature of that run
/// and in the names of those who signed it; what a rule released names the rule, and nothing else
/// does.
pub const STRAYED: &str = "select v.id from result v
        left join call c on c.run_id = v.run_id and c.tube_code = v.tube_code
        left join signature s on s.id = v.signature_id and s.about = v.run_id
    where v.run_id = $1 and v.version = 1 and (c.outcome is null or c.outcome <> v.outcome
        or s.content_hash is null or s.content_hash <> v.content_hash
        or (v.rule is null and s.account_id <> v.released_by)
        or (v.rule is null) <> (s.rule is null)
        or (v.rule is not null and (s.rule <> v.rule or v.released_by <> v.rule))
        or not exists (select 1 from signature w where w.about = v.run_id
            and w.meaning = 'review' and w.account_id = v.reviewed_by))
    order by v.id limit 1";
/// `$1` last result seen, `$2` how many: amended results with the one before.
pub const AMENDED: &str = "select v.id, v.run_id, v.outcome, v.reason, v.content_hash,
        b.id as before, s.content_hash as signed,
        (select count(*) from signature p where p.about = b.id and p.meaning = 'propose_amendment'
            and p.account_id = v.reviewed_by and p.content_hash = v.content_hash) as proposals
    from result v
        left join result b on b.tube_code = v.tube_code and b.version = v.version - 1
        left join signature s on s.id = v.signature_id and s.about = b.id and s.meaning = 'amend'
            and s.account_id = v.released_by
    where v.version > 1 and v.id > $1 order by v.id limit $2";

/// What a walk over all that is signed found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signatures {
    /// Signatures compared.
    pub compared: u64,
    /// The first that no longer stands for what is stored.
    pub broken: Option<BrokenSignature>,
}

/// A signature under something else than what is stored, or one that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenSignature {
    /// The run.
    pub run: String,
    /// The result, where it is not the run itself that was altered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The signature's id; none where there is no such signature.
    pub signature: Option<String>,
    /// What it stood for, or should.
    pub meaning: Meaning,
}

impl fmt::Display for BrokenSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, result, signature, meaning } = self;
        match (result, signature) {
            (Some(result), _) => {
                write!(f, "result {result} of run {run} is not what was signed")
            }
            (None, Some(signature)) => {
                write!(f, "signature {signature} no longer stands for what is stored of run {run}")
            }
            (None, None) if *meaning == Meaning::Review => {
                write!(f, "run {run} was released without the signature of a review")
            }
            (None, None) => write!(f, "run {run} was released and nobody signed that"),
        }
    }
}

/// Recomputes the content of every signed run and every amendment, and compares it with each
/// signature under it; and every result with the call it tells.
pub async fn signatures_verify(tx: &mut Tx) -> Result<Signatures> {
    let mut found = Signatures { compared: 0, broken: None };
    let mut last = String::new();
    loop {
        let runs: Vec<String> = on!(tx, c => query_scalar(SIGNED_RUNS).bind(&last).bind(PAGE)
            .fetch_all(c).await)?;
        let Some(newest) = runs.last() else { break };
        last.clone_from(newest);
        for run in runs {
            found.broken = run_verify(tx, &run, &mut found.compared).await?;
            if found.broken.is_some() {
                return Ok(found);
            }
        }
    }
    found.broken = amendments_verify(tx, &mut found.compared).await?;
    Ok(found)
}

async fn run_verify(tx: &mut Tx, run: &str, compared: &mut u64) -> Result<Option<BrokenSignature>> {
    let (content, state) = store::run_find(tx, run).await?;
    let hash = content_hash(&content);
    let broken = |signature, meaning| {
        let (run, result) = (run.to_owned(), None);
        Ok(Some(BrokenSignature { run, result, signature, meaning }))
    };
    let mut there = Vec::new();
    for meaning in [Meaning::Review, Meaning::Release, Meaning::ReleaseByRule, Meaning::Void] {
        if let Some(signature) = store::signature_find(tx, run, meaning).await? {
            *compared += 1;
            there.push(meaning);
            if signature.content_hash != hash {
                return broken(Some(signature.id), meaning);
            }
        }
    }
    let is_told = there.contains(&Meaning::Release) || there.contains(&Meaning::ReleaseByRule);
    if matches!(state.as_str(), "reviewed" | "released") && !there.contains(&Meaning::Review) {
        return broken(None, Meaning::Review);
    }
    if state == "released" && !is_told {
        return broken(None, Meaning::Release);
    }
    let strayed: Option<String> =
        on!(tx, c => query_scalar(STRAYED).bind(run).fetch_optional(c).await)?;
    Ok(strayed.map(|result| BrokenSignature {
        run: run.to_owned(),
        result: Some(result),
        signature: None,
        meaning: Meaning::Release,
    }))
}

#[derive(FromRow)]
struct AmendedRow {
    id: String,
    run_id: String,
    outcome: AmendedOutcome,
    reason: Option<AmendReason>,
    content_hash: String,
    before: Option<String>,
    signed: Option<String>,
    proposals: i64,
}

impl AmendedRow {
    /// Whether the one who confirmed it and the one who proposed it put their names to just this.
    fn stands(&self) -> bool {
        let (Some(before), Some(reason)) = (&self.before, self.reason) else { return false };
        let hash = amend::hash(before, Wanted { outcome: self.outcome, reason });
        self.content_hash == hash && self.signed.as_ref() == Some(&hash) && self.proposals > 0
    }
}

async fn amendments_verify(tx: &mut Tx, compared: &mut u64) -> Result<Option<BrokenSignature>> {
    let mut last = String::new();
    loop {
        let rows: Vec<AmendedRow> = on!(tx, c => query_as(AMENDED).bind(&last).bind(PAGE)
            .fetch_all(c).await)?;
        let Some(newest) = rows.last() else { return Ok(None) };
        last.clone_from(&newest.id);
        for row in rows {
            *compared += 2;
            if !row.stands() {
                return Ok(Some(BrokenSignature {
                    run: row.run_id,
                    result: Some(row.id),
                    signature: None,
                    meaning: Meaning::Amend,
                }));
            }
        }
    }
}
