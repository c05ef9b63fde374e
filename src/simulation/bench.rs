//! The laboratory: plates are laid out and frozen, run, looked at by two people and released.

use super::Failure;
use super::city::City;
use super::cycler::{self, Loaded, Luck, Maker};
use super::morning::Day;
use super::report::PlateLine;
use super::staff::{KIT, LABORATORY, LOT};
use crate::clock::Span;
use crate::interpretation::Outcome;
use crate::interpretation::answer::RunAnswer;
use crate::plate::api::{PlateAnswer, PlateRequest, WellAnswer};
use crate::review::Decision;
use crate::review::api::{Queue, ReleaseAnswer, ReviewAnswer, ReviewRequest};

/// The layout of the day; its controls move with the plate code, so that swapped plates show.
const TEMPLATE: &str = "one-well-94-moving-columns";
/// Tubes its layout has a place for.
pub(super) const PLACES: usize = 94;

/// What a person does with a run, with nothing to add.
const NO_WORDS: () = ();

impl Day<'_> {
    /// Tests tubes until each has a result or is recalled. Of the first plates the last one loses
    /// its positive control when `unlucky`; its tubes go on another plate.
    pub(super) async fn test(&mut self, tubes: &[String], unlucky: bool) -> Result<(), Failure> {
        let mut waiting = shares(tubes, if unlucky { 2 } else { 1 });
        let mut unlucky = unlucky;
        while !waiting.is_empty() {
            self.pass(Span::minutes(45));
            let mut plates = Vec::with_capacity(waiting.len());
            for share in waiting {
                plates.push(self.lay_out(share, Vec::new()).await?);
            }
            let last = plates.len() - 1;
            self.pass(Span::hours(2));
            for (n, plate) in plates.iter().enumerate() {
                let fails = unlucky && n == last;
                let luck = if fails { Luck::NoPositiveControl } else { Luck::Good };
                self.run(plate, luck).await?;
            }
            self.pass(Span::minutes(30));
            waiting = shares(&self.review().await?, 1);
            unlucky = false;
        }
        Ok(())
    }

    /// Lays tubes and the laboratory's pools out on a plate and freezes it.
    pub(super) async fn lay_out(
        &mut self,
        tubes: Vec<String>,
        pools: Vec<String>,
    ) -> Result<PlateAnswer, Failure> {
        let code = self.plate_codes.take()?;
        self.report.plates += 1;
        let request = PlateRequest {
            laboratory: LABORATORY.to_owned(),
            kit: KIT.0.to_owned(),
            kit_version: KIT.1.to_owned(),
            lot: Some(LOT.to_owned()),
            template: Some(TEMPLATE.to_owned()),
            tubes,
            rack: None,
            pools,
            wells: Vec::new(),
            size: None,
            retests: false,
            volume: None,
            stamp: None,
        };
        let (route, technician) = (format!("/v1/plates/{code}"), &self.staff.technician);
        technician.put::<PlateAnswer>(&route, &request).await?;
        Ok(technician.post(&format!("{route}/freeze"), &NO_WORDS).await?)
    }

    /// Runs a plate and brings in the instrument's file.
    pub(super) async fn run(&mut self, plate: &PlateAnswer, luck: Luck) -> Result<(), Failure> {
        let odd = self.report.runs.len() % 2 == 1;
        let maker = if odd { Maker::BioRad } else { Maker::AppliedBiosystems };
        let loaded = Loaded { plate, maker, ends: self.clock.now() };
        let tubes = &self.tubes;
        let members = |code: &str| tubes.get(code).map_or(&[][..], |tube| &tube.members);
        let city: &mut City = &mut self.city;
        let seen =
            |place: &WellAnswer, target| cycler::amplify((place, target), luck, city, members);
        let run = cycler::run(loaded, seen).map_err(|error| Failure::Stuck(error.to_string()))?;
        let (name, file) = maker.write(&run, loaded.ends.us().unsigned_abs());
        let route = format!("/v1/plates/{}/runs?name={name}", plate.code);
        let answer: RunAnswer = self.staff.technician.upload(&route, file).await?;
        self.bar.inc(1);
        self.report.runs.push(line(&answer));
        Ok(())
    }

    /// Every run that waits is reviewed by one person and released by another; gives the tubes of
    /// those that were void and those that are to be tested again.
    pub(super) async fn review(&mut self) -> Result<Vec<String>, Failure> {
        let mut back = Vec::new();
        for id in self.to_review().await? {
            back.extend(self.sign(&id).await?);
        }
        Ok(back)
    }

    /// The runs that wait, the oldest first.
    pub(super) async fn to_review(&self) -> Result<Vec<String>, Failure> {
        let queue: Queue = self.staff.reviewer.get("/v1/reviews").await?;
        Ok(queue.runs.into_iter().map(|waiting| waiting.id).collect())
    }

    /// A run is reviewed by one person and, unless it is void, released by another; gives the tubes
    /// that are to be tested again.
    pub(super) async fn sign(&mut self, id: &str) -> Result<Vec<String>, Failure> {
        let (first, second) = (self.staff.reviewer.clone(), self.staff.releaser.clone());
        let route = format!("/v1/runs/{id}");
        let run: RunAnswer = first.get(&route).await?;
        let decision = if run.verdict.usable { Decision::Accept } else { Decision::Void };
        let request = ReviewRequest { decision };
        let review: ReviewAnswer = first.post(&format!("{route}/review"), &request).await?;
        let mut back = review.back;
        if decision == Decision::Void {
            return Ok(back);
        }
        let release: ReleaseAnswer = second.post(&format!("{route}/release"), &NO_WORDS).await?;
        if release.signature.account == review.signature.account {
            self.surprise(format!("run {id} was released by its reviewer"));
        }
        let tubes = release.released;
        self.report.calls += run.calls.len() - tubes.retested.len();
        self.report.released += tubes.reported.len() + review.released_by_rule.len();
        self.report.pools_recalled += tubes.recalled.len();
        back.extend(tubes.retested);
        let mut lines = self.report.runs.iter_mut();
        if let Some(line) = lines.find(|line| line.plate == run.plate) {
            line.released = true;
        }
        Ok(back)
    }
}

/// Plates' worth of tubes, about equal, on at least that many plates.
fn shares(tubes: &[String], least: usize) -> Vec<Vec<String>> {
    let plates = tubes.len().div_ceil(PLACES).max(least);
    let each = tubes.len().div_ceil(plates).max(1);
    tubes.chunks(each).map(<[String]>::to_vec).collect()
}

fn line(run: &RunAnswer) -> PlateLine {
    let count = |outcome| run.calls.iter().filter(|call| call.outcome == outcome).count();
    let reasons = run.verdict.reasons.iter().map(|reason| reason.message.clone());
    PlateLine {
        plate: run.plate.clone(),
        format: run.format.clone(),
        tubes: run.calls.len(),
        detected: count(Outcome::Detected),
        not_detected: count(Outcome::NotDetected),
        inconclusive: count(Outcome::Inconclusive),
        invalid: count(Outcome::Invalid),
        usable: run.verdict.usable,
        reasons: reasons.collect(),
        released: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tubes_are_spread_over_as_few_plates_as_hold_them_but_no_fewer_than_asked_for() {
        let tubes: Vec<String> = (0..121).map(|n| n.to_string()).collect();
        let sizes = |count: usize, least| {
            shares(&tubes[..count], least).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(121, 2), [61, 60]);
        assert_eq!(sizes(20, 1), [20]);
        assert_eq!(sizes(13, 2), [7, 6]);
        assert_eq!(sizes(PLACES + 1, 1), [48, 47]);
        assert!(sizes(0, 1).is_empty());
    }
}
