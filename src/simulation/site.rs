//! The site: people are swabbed into tubes, tubes are packed into boxes.
//!
//! One device has a network and sends each tube when it is sealed; the other is offline, sends
//! its tubes later in a batch, loses the answer to a part of them and sends them all again.

use serde_json::json;
use tokio::task::JoinSet;

use super::Failure;
use super::city::{Fate, Group};
use super::morning::{Day, Tube};
use super::staff::SITE;
use crate::barcode::PlaceCode;
use crate::clock::{Span, Time};
use crate::collection::person::DocumentType;
use crate::collection::tube::api::{BatchAnswer, Fate as Taken, TubeAnswer};
use crate::collection::tube::{DeviceScan, DocumentScan, MemberScan, TubeScan};
use crate::transport::api::{BoxManifest, BoxRequest};

/// Tubes the sampler's device sends at once.
const AT_ONCE: usize = 8;
/// Seconds between two people of a line.
const SWAB_S: i64 = 8;

/// Where and how fast a team swabs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shift {
    /// The session.
    pub(super) session: &'static str,
    /// The device that records.
    pub(super) device: &'static str,
    /// When the first group stands in line.
    pub(super) begins: Time,
    /// Seconds from tube to tube.
    pub(super) pace_s: i64,
}

impl Shift {
    /// When the `n`th tube is sealed.
    pub(super) fn seals(&self, n: usize) -> Time {
        self.begins + Span::seconds(self.pace_s * i64::try_from(n + 1).unwrap_or(i64::MAX))
    }
}

impl Day<'_> {
    /// Swabs these groups and sends each tube when it is sealed, some at once.
    pub(super) async fn swab_online(
        &mut self,
        shift: Shift,
        groups: &[(Group, Fate)],
    ) -> Result<Vec<String>, Failure> {
        let scans = self.scans(shift, groups)?;
        for wave in scans.chunks(AT_ONCE) {
            if let Some(last) = wave.last() {
                self.clock.advance_to(last.sealed_at + Span::seconds(20));
            }
            let mut sending = JoinSet::new();
            for scan in wave {
                let (sampler, mut scan) = (self.staff.sampler.clone(), scan.clone());
                let route = format!("/v1/tubes/{}", scan.code.take().unwrap_or_default());
                scan.device.time = self.clock.now();
                sending.spawn(async move { sampler.put::<TubeAnswer>(&route, &scan).await });
            }
            while let Some(sent) = sending.join_next().await {
                let tube = sent.map_err(|error| Failure::Server(error.to_string()))??;
                self.hand_out(&tube);
            }
        }
        Ok(codes(&scans))
    }

    /// Swabs these groups without a network. Later a part is sent and its answer is lost, so
    /// that all are sent.
    pub(super) async fn swab_offline(
        &mut self,
        shift: Shift,
        groups: &[(Group, Fate)],
    ) -> Result<Vec<String>, Failure> {
        let mut scans = self.scans(shift, groups)?;
        self.clock.advance_to(shift.seals(groups.len()) + Span::minutes(10));
        for scan in &mut scans {
            scan.device.time = self.clock.now();
        }
        let part = (scans.len() * 3).div_ceil(5);
        self.report.sent_twice += part;
        for share in [&scans[..part], &scans[..]] {
            let batch = json!({ "tubes": share });
            let answer: BatchAnswer = self.staff.sampler.post("/v1/tubes/batch", &batch).await?;
            if answer.tubes.len() != share.len() {
                self.surprise("a batch was answered with another number of tubes");
            }
            for item in answer.tubes {
                match (item.outcome, item.tube) {
                    (Taken::Accepted, Some(tube)) => self.hand_out(&tube),
                    (Taken::Duplicate, Some(tube)) => self.hand_out_again(&tube),
                    (outcome, _) => {
                        let code = item.code.unwrap_or_default();
                        self.surprise(format!("tube {code} of a batch was answered {outcome:?}"));
                    }
                }
            }
        }
        Ok(codes(&scans))
    }

    /// What the device writes down about each group.
    fn scans(&mut self, shift: Shift, groups: &[(Group, Fate)]) -> Result<Vec<TubeScan>, Failure> {
        let mut scans = Vec::with_capacity(groups.len());
        for (n, (group, fate)) in groups.iter().enumerate() {
            let (code, sealed_at) = (self.tube_codes.take()?, shift.seals(n));
            let sequence = u32::try_from(self.tubes.len()).unwrap_or(u32::MAX);
            let device = DeviceScan { id: shift.device.to_owned(), sequence, time: sealed_at };
            let tube = Tube { members: group.members.clone(), fate: *fate };
            let count = u8::try_from(group.members.len()).unwrap_or(u8::MAX);
            scans.push(TubeScan {
                code: Some(code.clone()),
                event_id: self.clock.id(),
                session: place(shift.session)?,
                size: group.size,
                swab_count: count,
                underfilled: count < group.size,
                sealed_at,
                device,
                members: self.line(&group.members, sealed_at),
            });
            self.tubes.insert(code, tube);
        }
        Ok(scans)
    }

    /// A line of people before the sampler; the last is swabbed just before the tube is shut.
    fn line(&self, members: &[usize], sealed_at: Time) -> Vec<MemberScan> {
        let waits = (1..=i64::try_from(members.len()).unwrap_or(0)).rev();
        let scan = |(person, wait): (&usize, i64)| {
            let person = &self.city.people[*person];
            let number = person.id_number.clone();
            MemberScan {
                document: DocumentScan { kind: DocumentType::ResidentId, issuer: None, number },
                name: person.name.clone(),
                phone: Some(person.phone.clone()),
                address: Some(person.address.clone()),
                taken_at: sealed_at - Span::seconds(SWAB_S * wait),
            }
        };
        members.iter().zip(waits).map(scan).collect()
    }

    /// Everybody gets the slip with the pick-up code.
    fn hand_out(&mut self, tube: &TubeAnswer) {
        self.bar.inc(1);
        self.report.tubes += 1;
        let members = self.tubes.get(&tube.code).map_or(&[][..], |tube| &tube.members);
        if tube.members.len() != members.len() {
            let code = &tube.code;
            self.report.surprises.push(format!("tube {code} was stored with other members"));
        }
        self.slips.extend(members.iter().copied().zip(tube.members.iter().cloned()));
    }

    /// The same slips again, or something is wrong.
    fn hand_out_again(&mut self, tube: &TubeAnswer) {
        self.report.duplicates += 1;
        let members = self.tubes.get(&tube.code).map_or(&[][..], |tube| &tube.members);
        if !members.iter().map(|person| self.slips.get(person)).eq(tube.members.iter().map(Some)) {
            self.surprise(format!(
                "tube {} was answered with other slips the second time",
                tube.code
            ));
        }
    }

    /// Packs tubes into a box and seals it.
    pub(super) async fn pack(&mut self, tubes: &[String]) -> Result<String, Failure> {
        let code = self.box_codes.take()?;
        self.report.boxes += 1;
        let request = BoxRequest {
            site: SITE.to_owned(),
            seal: format!("SEAL-{:04}", self.report.boxes),
            sealed_at: self.clock.now(),
            tubes: tubes.to_vec(),
        };
        let packed: BoxManifest =
            self.staff.sampler.put(&format!("/v1/boxes/{code}"), &request).await?;
        if packed.tubes.len() != tubes.len() {
            self.surprise(format!("box {code} holds another number of tubes than were packed"));
        }
        Ok(code)
    }
}

fn place(code: &str) -> Result<PlaceCode, Failure> {
    PlaceCode::parse(code).map_err(|error| Failure::Stuck(error.to_string()))
}

fn codes(scans: &[TubeScan]) -> Vec<String> {
    scans.iter().filter_map(|scan| scan.code.clone()).collect()
}
