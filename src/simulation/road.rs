//! The road: boxes pass from hand to hand by two signatures and are opened in the laboratory.

use super::Failure;
use super::city::Fate;
use super::client::Client;
use super::morning::Day;
use super::staff::{LABORATORY, Staff};
use crate::clock::Span;
use crate::receiving::Refusal;
use crate::receiving::api::{ArrivalAnswer, ArrivalRequest, ScanRequest};
use crate::transport::Celsius;
use crate::transport::custody::{AcceptRequest, HandoverAnswer, HandoverRequest};

/// What the boxes' thermometers show all day: cooled, so that a tube keeps for 24 hours.
pub(super) const COOLED: Celsius = Celsius::hundredths(460);

/// A sealed box and what was packed into it.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    /// Its code.
    pub(super) code: String,
    /// The tubes of its manifest.
    pub(super) tubes: Vec<String>,
}

impl Day<'_> {
    /// Drives boxes to the laboratory for an hour and has them opened; gives the tubes that were
    /// accepted.
    pub(super) async fn bring(&mut self, boxes: &[Packed]) -> Result<Vec<String>, Failure> {
        for packed in boxes {
            self.carry(packed).await?;
        }
        self.pass(Span::hours(1));
        let mut accepted = Vec::new();
        for packed in boxes {
            accepted.extend(self.deliver(packed).await?);
        }
        Ok(accepted)
    }

    /// The courier takes a box from the site.
    pub(super) async fn carry(&self, packed: &Packed) -> Result<(), Failure> {
        let Staff { sampler, courier, .. } = &self.staff;
        self.hand_over(&packed.code, (sampler, courier), "North gate").await
    }

    /// The laboratory takes a box from the courier and opens it; gives the tubes it accepted.
    pub(super) async fn deliver(&mut self, packed: &Packed) -> Result<Vec<String>, Failure> {
        let Staff { courier, receiver, .. } = &self.staff;
        self.hand_over(&packed.code, (courier, receiver), "Laboratory 1").await?;
        self.take_in(packed).await
    }

    async fn hand_over(
        &self,
        code: &str,
        (from, to): (&Client, &Client),
        place: &str,
    ) -> Result<(), Failure> {
        let (at, route) = (self.clock.now(), format!("/v1/boxes/{code}/handovers"));
        let give = HandoverRequest {
            to: to.account().to_owned(),
            at,
            place: place.to_owned(),
            temperature_c: Some(COOLED),
        };
        let given: HandoverAnswer = from.post(&route, &give).await?;
        let accept = format!("{route}/{}/accept", given.step);
        to.post::<HandoverAnswer>(&accept, &AcceptRequest { at }).await?;
        Ok(())
    }

    /// Opens a box: one tube may leak, one may not be there.
    async fn take_in(&mut self, packed: &Packed) -> Result<Vec<String>, Failure> {
        let fate = |code: &String| self.tubes.get(code).map(|tube| tube.fate);
        let there = packed.tubes.iter().filter(|code| fate(code) != Some(Fate::Missing));
        let scanned = there.map(|code| ScanRequest {
            tube: code.clone(),
            swab_count: self.tubes.get(code).and_then(|tube| tube.members.len().try_into().ok()),
            refused: (fate(code) == Some(Fate::Refused)).then_some(Refusal::Leak),
        });
        let request = ArrivalRequest {
            box_code: packed.code.clone(),
            laboratory: LABORATORY.to_owned(),
            arrived_at: self.clock.now(),
            temperature_c: Some(COOLED),
            seal_intact: true,
            scanned: scanned.collect(),
        };
        let arrival: ArrivalAnswer = self.staff.receiver.post("/v1/arrivals", &request).await?;
        self.bar.inc(1);
        let arrivals = &mut self.report.arrivals;
        arrivals.accepted += arrival.accepted.len();
        arrivals.unexpected += arrival.unexpected.len();
        arrivals.refused.extend(arrival.refused.into_iter().map(|refused| refused.tube));
        arrivals.missing.extend(arrival.missing);
        for warning in arrival.warnings {
            self.surprise(warning.message);
        }
        Ok(arrival.accepted)
    }
}
