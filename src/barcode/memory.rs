//! Codes read without asking the store each time: what was allotted or registered stays so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::store::{counter, judge_codes, patterns};
use super::{Kind, NotACode, Patterns, TubeCode};
use crate::error::{Reason, Result};
use crate::storage::Db;

/// How far tube codes were allotted and which makers were registered when the store was asked
/// last. Both only grow, so what they allow is allowed for ever, and only what they do not allow
/// is worth another question.
#[derive(Debug, Default)]
pub struct TubeCodes {
    next: AtomicU64,
    patterns: RwLock<Patterns>,
}

impl TubeCodes {
    /// Reads many tube codes, one answer each in the same order, as
    /// [`tube_codes`](super::store::tube_codes) does. The store is asked when a text is no code, or
    /// one that was not allotted when it was asked last.
    pub async fn read(&self, db: &Db, texts: &[&str]) -> Result<Vec<Result<TubeCode, Reason>>> {
        let read = self.parse(texts);
        let next = self.next.load(Ordering::Acquire);
        let is_allotted = |code: &TubeCode| code.number().is_none_or(|number| number < next);
        if read.iter().all(|code| code.as_ref().is_ok_and(is_allotted)) {
            return Ok(judge_codes(read, next));
        }
        let mut tx = db.read("barcode.codes").await?;
        if read.iter().any(Result::is_err) {
            let registered = patterns(&mut tx).await?;
            *self.patterns.write().unwrap_or_else(PoisonError::into_inner) = registered;
        }
        let next = counter(&mut tx, Kind::Tube).await?;
        self.next.fetch_max(next, Ordering::AcqRel);
        Ok(judge_codes(self.parse(texts), next))
    }

    fn parse(&self, texts: &[&str]) -> Vec<Result<TubeCode, NotACode>> {
        let patterns = self.patterns.read().unwrap_or_else(PoisonError::into_inner);
        texts.iter().map(|text| TubeCode::parse(text, &patterns)).collect()
    }
}
