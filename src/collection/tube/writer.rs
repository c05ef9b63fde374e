//! Sealed tubes of many requests are stored together: one transaction, one commit, and for each
//! request its own answer and its own row in the audit.

use std::ops::Range;
use std::sync::Arc;

use serde_json::json;

use super::store::tubes_seal;
use super::{Outcome, SealedTube};
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::storage::{Batch, Channel, Db, StoreError, Tx, Writer};

/// Sealed tubes of one request, or a part of them.
#[derive(Debug)]
pub struct SealJob {
    request: Arc<SealRequest>,
    part: Range<usize>,
}

/// Tubes that passed the rules, and who sent them.
#[derive(Debug)]
pub struct SealRequest {
    /// Who sent them.
    pub actor: Actor,
    /// What the audit calls it.
    pub action: &'static str,
    /// When.
    pub at: Time,
    /// In the order they were sent.
    pub tubes: Vec<SealedTube>,
}

impl SealJob {
    fn tubes(&self) -> &[SealedTube] {
        &self.request.tubes[self.part.clone()]
    }

    /// What leaves a row in the audit: all that was stored now; none when nothing was.
    fn entry(&self, outcomes: &[Outcome]) -> Option<(Entry<'_>, Vec<String>)> {
        let codes = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Accepted(tube) => Some(tube.code.to_string()),
            Outcome::Duplicate(_) | Outcome::Conflict(_) => None,
        });
        let codes: Vec<_> = codes.collect();
        let about = match codes.len() {
            0 => return None,
            1 => self.tubes().iter().map(|tube| tube.code.as_str()).find(|code| *code == codes[0]),
            _ => None,
        };
        let detail = json!({ "count": codes.len(), "codes": codes });
        let SealRequest { actor, action, at, .. } = &*self.request;
        let about = about.unwrap_or("batch");
        Some((Entry { at: *at, actor, action, about, detail }, codes))
    }
}

/// The writer of sealed tubes.
#[derive(Debug, Clone)]
pub struct TubeWriter(Writer<SealJob, Vec<Outcome>>);

impl TubeWriter {
    /// Starts it.
    pub fn start(db: &Db) -> Self {
        Self(Writer::start(db, (Channel::Scan, "tube.seal"), boxed))
    }

    /// Shows how many rows wait.
    pub fn gauge(&self) {
        self.0.gauge();
    }

    /// Stores the tubes of a request and says what became of each in order. A tube that the store
    /// refuses spares its neighbours; where the store is busy or lost, nobody knows of any.
    pub async fn seal(&self, request: SealRequest) -> Result<Vec<Result<Outcome>>> {
        let request = Arc::new(request);
        let mut fates = Vec::with_capacity(request.tubes.len());
        let whole = 0..request.tubes.len();
        let mut parts = vec![whole];
        while let Some(part) = parts.pop() {
            let job = SealJob { request: Arc::clone(&request), part: part.clone() };
            let rows = job.tubes().iter().map(SealedTube::rows).sum::<usize>();
            let rows = u32::try_from(rows).unwrap_or(u32::MAX);
            match self.0.write(job, rows).await {
                Ok(outcomes) => fates.extend(outcomes.into_iter().map(Ok)),
                Err(
                    error @ Error::Store(
                        StoreError::Busy(_) | StoreError::Lost(_) | StoreError::Full(_),
                    ),
                ) => return Err(error),
                Err(error) if part.len() == 1 => fates.push(Err(error)),
                Err(_) => {
                    let middle = part.start + part.len() / 2;
                    parts.extend([middle..part.end, part.start..middle]);
                }
            }
        }
        Ok(fates)
    }
}

fn boxed<'a>(tx: &'a mut Tx, jobs: &'a [&'a SealJob]) -> Batch<'a, Vec<Outcome>> {
    Box::pin(seal_jobs(tx, jobs))
}

async fn seal_jobs(tx: &mut Tx, jobs: &[&SealJob]) -> Result<Vec<Vec<Outcome>>> {
    let tubes: Vec<_> = jobs.iter().flat_map(|job| job.tubes()).collect();
    let mut outcomes = tubes_seal(tx, &tubes).await?.into_iter();
    let settled: Vec<Vec<_>> =
        jobs.iter().map(|job| outcomes.by_ref().take(job.tubes().len()).collect()).collect();
    let entries = jobs.iter().zip(&settled).filter_map(|(job, outcomes)| job.entry(outcomes));
    audit::record_many(tx, entries.collect()).await?;
    Ok(settled)
}
