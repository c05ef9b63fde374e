//! A screening of single swabs in a laboratory that mixes them: everybody has a tube of their own,
//! pools are tested first, and the tubes of a pool that is not negative come next, one by one.

use indicatif::ProgressBar;
use serde::Serialize;

use super::Failure;
use super::bench::PLACES;
use super::city::City;
use super::cycler::Luck;
use super::morning::{Course, Day, Morning, served};
use super::report::Report;
use super::residents::Hour;
use super::staff::KIT;
use super::staff::LABORATORY;
use crate::barcode::Kind;
use crate::clock::Span;
use crate::config::Config;
use crate::ledger;
use crate::pooling::api::{PoolAnswer, PoolRequest};
use crate::pooling::monitoring_api::{KitPooling, PoolingAnswer};

/// Which screening is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screening {
    /// Decides who lives there; the same seed is the same screening.
    pub seed: u64,
    /// People who are swabbed, each into a tube of their own.
    pub people: u32,
    /// How many of them are infected.
    pub infected: usize,
    /// Tubes mixed into a pool.
    pub size: usize,
}

/// What came of a screening.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Screened {
    /// Pools that were mixed.
    pub pools: usize,
    /// Those of them that were not negative.
    pub taken_apart: usize,
    /// Wells that held a pool or a tube, over all plates.
    pub wells: usize,
    /// Tubes that were answered through their pool.
    pub answered_by_pool: usize,
    /// Tubes that were tested alone after their pool.
    pub tested_alone: usize,
    /// What the laboratory is shown of its pooling.
    pub pooling: Vec<KitPooling>,
    /// The ledger in the evening.
    pub ledger: ledger::Report,
    /// Infected people who are told so.
    pub found: usize,
    /// Infected people who are not.
    pub missed: usize,
    /// People who are told that they are infected and are not.
    pub false_positives: usize,
    /// People without a result.
    pub unanswered: usize,
    /// Answers that were not what the simulation knows, and a broken audit trail.
    pub surprises: Vec<String>,
}

/// Plays a screening in the store of `config`, which must be empty, and says what came of it.
pub async fn play(
    config: Config,
    screening: Screening,
    bar: &ProgressBar,
) -> Result<Screened, Failure> {
    let Screening { seed, people, infected, size } = screening;
    let city = City::of_singles(seed, people, infected);
    let what = (Morning { seed, people }, Course::Screening(size));
    let played = Box::pin(served(config, city, what, bar)).await?;
    let Report { truth, audit, surprises, ledger, figures, .. } = played.report;
    let broken = audit.is_none_or(|trail| trail.broken.is_some());
    let broken = broken.then(|| "the audit trail is broken".to_owned());
    let counted = figures.is_none_or(|figures| figures.differing > 0);
    let counted = counted.then(|| "the figures of the board are wrong".to_owned());
    Ok(Screened {
        ledger,
        found: truth.found,
        missed: truth.missed,
        false_positives: truth.false_positives,
        unanswered: truth.unanswered,
        surprises: surprises.into_iter().chain(broken).chain(counted).collect(),
        ..played.screened
    })
}

impl Day<'_> {
    /// The day from the first swab to the books.
    pub(super) async fn screen(&mut self, size: usize) -> Result<Screened, Failure> {
        self.begin("collect");
        let boxes = self.swab_everybody().await?;
        self.begin("carry and receive");
        let tubes = self.bring(&boxes).await?;
        self.ask_for_everybody(Hour::Noon).await?;
        self.begin("mix and test the pools");
        let pools = self.mix(&tubes, size).await?;
        let back = self.test_pools(&pools).await?;
        self.begin("test the tubes of positive pools");
        self.test(&back, false).await?;
        self.begin("ask in the evening");
        self.ask_for_everybody(Hour::Evening).await?;
        self.begin("close the books");
        self.report.ledger = self.staff.officer.get("/v1/ledger").await?;
        let route = format!("/v1/pooling?laboratory={LABORATORY}");
        let pooling: PoolingAnswer = self.staff.reviewer.get(&route).await?;
        let mut taken_apart = 0;
        for pool in &pools {
            let pool: PoolAnswer = self.staff.technician.get(&format!("/v1/pools/{pool}")).await?;
            taken_apart += usize::from(pool.outcome.as_deref() != Some("not_detected"));
        }
        Ok(Screened {
            pools: pools.len(),
            taken_apart,
            wells: pools.len() + back.len(),
            answered_by_pool: tubes.len() - back.len(),
            tested_alone: back.len(),
            pooling: pooling.kits,
            ..Screened::default()
        })
    }

    /// Mixes tubes, so many at a time.
    async fn mix(&mut self, tubes: &[String], size: usize) -> Result<Vec<String>, Failure> {
        let count = tubes.len().div_ceil(size);
        let mut codes = self.staff.codes(Kind::Pool, count).await?;
        let mut pools = Vec::with_capacity(count);
        for share in tubes.chunks(size) {
            let code = codes.take()?;
            let request = PoolRequest {
                laboratory: LABORATORY.to_owned(),
                kit: KIT.0.to_owned(),
                kit_version: KIT.1.to_owned(),
                tubes: share.to_vec(),
            };
            let route = format!("/v1/pools/{code}");
            self.staff.technician.put::<PoolAnswer>(&route, &request).await?;
            pools.push(code);
        }
        Ok(pools)
    }

    /// Tests pools and gives the tubes that come back from those that are not negative.
    async fn test_pools(&mut self, pools: &[String]) -> Result<Vec<String>, Failure> {
        self.pass(Span::minutes(45));
        let mut plates = Vec::new();
        for share in pools.chunks(PLACES) {
            plates.push(self.lay_out(Vec::new(), share.to_vec()).await?);
        }
        self.pass(Span::hours(2));
        for plate in &plates {
            self.run(plate, Luck::Good).await?;
        }
        self.pass(Span::minutes(30));
        self.review().await
    }
}
