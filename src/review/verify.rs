//! Do the signatures still stand for what is stored (R26)? Recomputed for every run that carries
//! one, long after its release.

use serde::Serialize;
use sqlx::query_scalar;

use super::{Meaning, content_hash, store};
use crate::error::Result;
use crate::storage::Tx;

/// Runs read at a time.
const PAGE: i64 = 500;
/// `$1` last run seen, `$2` how many.
pub const SIGNED_RUNS: &str = "select id from run where state in ('reviewed', 'released', 'void')
    and id > $1 order by id limit $2";

/// What a walk over all signed runs found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signatures {
    /// Signatures compared.
    pub compared: u64,
    /// The first that no longer stands for its run.
    pub broken: Option<BrokenSignature>,
}

/// A signature under something else than what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenSignature {
    /// The run.
    pub run: String,
    /// The signature's id.
    pub signature: String,
    /// What it stood for.
    pub meaning: Meaning,
}

/// Recomputes the content of every signed run and compares it with each signature under it.
pub async fn signatures_verify(tx: &mut Tx) -> Result<Signatures> {
    let mut found = Signatures { compared: 0, broken: None };
    let mut last = String::new();
    loop {
        let runs: Vec<String> = on!(tx, c => query_scalar(SIGNED_RUNS).bind(&last).bind(PAGE)
            .fetch_all(c).await)?;
        let Some(newest) = runs.last() else { return Ok(found) };
        last.clone_from(newest);
        for run in runs {
            found.broken = run_verify(tx, &run, &mut found.compared).await?;
            if found.broken.is_some() {
                return Ok(found);
            }
        }
    }
}

async fn run_verify(tx: &mut Tx, run: &str, compared: &mut u64) -> Result<Option<BrokenSignature>> {
    let (content, _state) = store::run_find(tx, run).await?;
    let hash = content_hash(&content);
    for meaning in [Meaning::Review, Meaning::Release, Meaning::ReleaseByRule, Meaning::Void] {
        if let Some(signature) = store::signature_find(tx, run, meaning).await? {
            *compared += 1;
            if signature.content_hash != hash {
                let (run, signature) = (run.to_owned(), signature.id);
                return Ok(Some(BrokenSignature { run, signature, meaning }));
            }
        }
    }
    Ok(None)
}
