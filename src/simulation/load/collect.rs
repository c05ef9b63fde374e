//! The sites: devices send the tubes they swabbed, in bulk or one by one.

use std::sync::Arc;
use std::time::Instant;

use hyper::Method;
use tokio::sync::mpsc::UnboundedSender;

use super::Scan;
use super::answers::{Batch, Tube};
use super::connection::{Ask, Connection};
use super::day::{Day, Wave, lock};
use super::line::{Habit, Parcel};
use super::scan::Device;
use super::staff::session;
use crate::collection::tube::Flag;
use crate::collection::tube::api::Fate;
use crate::simulation::Failure;

/// Sends tubes until none is left; each box goes on the road once all of its own are stored.
pub(super) async fn collect(
    day: Arc<Day>,
    wave: Arc<Wave>,
    road: UnboundedSender<Parcel>,
) -> Result<(), Failure> {
    let mut connection = day.connect();
    match day.plan.scan {
        Scan::Bulk => {
            while let Some(number) = wave.next_parcel() {
                let parcel = wave.parcel(number);
                day.device(&wave, parcel)?.bulk(&mut connection).await?;
                road.send(parcel.clone()).map_err(|_closed| gone())?;
            }
        }
        Scan::Single => {
            while let Some((number, tube)) = wave.next_scan() {
                let parcel = wave.parcel(number);
                day.device(&wave, parcel)?.single(&mut connection, tube).await?;
                if wave.completes(number) {
                    road.send(parcel.clone()).map_err(|_closed| gone())?;
                }
            }
        }
    }
    Ok(())
}

/// The next stage ended before its time; why, it says itself.
pub(super) fn gone() -> Failure {
    Failure::Stuck("the next stage ended".to_owned())
}

/// A device with its box, on a day.
struct Sender<'a> {
    day: &'a Day,
    wave: &'a Wave,
    parcel: &'a Parcel,
    session: crate::barcode::PlaceCode,
}

impl Day {
    fn device<'a>(&'a self, wave: &'a Wave, parcel: &'a Parcel) -> Result<Sender<'a>, Failure> {
        Ok(Sender { day: self, wave, parcel, session: session(parcel.site)? })
    }
}

impl Sender<'_> {
    fn device(&self) -> Device<'_> {
        Device {
            city: &self.day.city,
            line: &self.wave.line,
            parcel: self.parcel,
            session: &self.session,
            begins: self.wave.begins,
        }
    }

    /// The whole box in one request, and again where the answer is lost.
    async fn bulk(&self, connection: &mut Connection) -> Result<(), Failure> {
        let codes: Vec<_> =
            self.parcel.tubes.clone().map(|tube| self.wave.code(tube)).collect::<Result<_, _>>()?;
        let people = self.wave.people(self.parcel.tubes.clone());
        let times = if self.parcel.habit() == Habit::Twice { 2 } else { 1 };
        let by = &self.day.staff.samplers[self.parcel.site];
        for time in 0..times {
            let fresh = time == 0;
            // The second time is due when the first answer was lost.
            let due = if fresh { self.turn(codes.len()).await } else { Instant::now() };
            let body = self.device().batch(&codes, self.day.clock.now())?;
            let path = "/v1/tubes/batch";
            connection.succeed(&Ask::json(Method::POST, path, Some(by), body)).await?;
            self.wave.stages.collect.answered(due, if fresh { people } else { 0 });
            let batch: Batch<'_> = connection.read(path)?;
            if batch.tubes.len() != self.parcel.count() {
                self.day.surprise(|| "a batch was answered with another number of tubes".into());
            }
            for (tube, item) in self.parcel.tubes.clone().zip(&batch.tubes) {
                match (&item.tube, &item.problem) {
                    (Some(stored), _) => self.check(tube, stored, (item.outcome, fresh)),
                    (None, problem) => self.day.surprise(|| {
                        let why = problem.as_ref().map_or("no reason", |problem| &problem.detail);
                        format!("a tube of a batch was answered {:?}: {why}", item.outcome)
                    }),
                }
            }
        }
        Ok(())
    }

    /// When these tubes are due: whichever device is free takes the next turn, so that at a given
    /// rate the requests of all together are evenly spread.
    async fn turn(&self, tubes: usize) -> Instant {
        self.wave.pace.turn(u32::try_from(tubes).unwrap_or(u32::MAX)).await
    }

    /// A tube in a request of its own, and again where the answer is lost.
    async fn single(&self, connection: &mut Connection, tube: u32) -> Result<(), Failure> {
        let times = if self.parcel.habit() == Habit::Twice { 2 } else { 1 };
        let by = &self.day.staff.samplers[self.parcel.site];
        let path = format!("/v1/tubes/{}", self.wave.code(tube)?);
        let people = u64::from(self.wave.line.count(tube));
        for time in 0..times {
            let due = self.turn(1).await;
            let body = self.device().single(tube, self.day.clock.now())?;
            let ask = Ask::json(Method::PUT, &path, Some(by), body);
            let status = connection.succeed(&ask).await?;
            let fresh = time == 0;
            self.wave.stages.collect.answered(due, if fresh { people } else { 0 });
            let fate = if status.as_u16() == 201 { Fate::Accepted } else { Fate::Duplicate };
            let stored: Tube<'_> = connection.read(&path)?;
            self.check(tube, &stored, (fate, fresh));
        }
        Ok(())
    }

    /// A tube that is stored must be the one that was sent, with a slip for everybody.
    fn check(&self, tube: u32, stored: &Tube<'_>, (fate, fresh): (Fate, bool)) {
        let (day, wave) = (self.day, self.wave);
        match (fate, fresh) {
            (Fate::Accepted, true) => wave.count(|counts| counts.tubes += 1),
            // Sent again because its first answer never came, it finds itself.
            (Fate::Duplicate, true) if day.traffic.was_disturbed() => {
                wave.count(|counts| counts.tubes += 1);
            }
            (Fate::Duplicate, false) => wave.count(|counts| counts.duplicates += 1),
            _ => day.surprise(|| format!("tube {} was answered {fate:?}", stored.code)),
        }
        if !fresh {
            wave.count(|counts| counts.sent_twice += 1);
        }
        if wave.tubes.place(stored.code) != Some(tube) {
            day.surprise(|| format!("tube {} was answered in another's place", stored.code));
        }
        if stored.members.count != usize::from(wave.line.count(tube)) {
            day.surprise(|| format!("tube {} was stored with other members", stored.code));
        }
        let wrong = matches!(self.parcel.habit(), Habit::WrongClock(_));
        if wrong != stored.flags.contains(&Flag::ClockSkew) {
            day.surprise(|| format!("tube {} has the flags {:?}", stored.code, stored.flags));
        }
        if fresh && day.asks(&wave.line, tube) {
            let first = wave.line.members(tube).next().zip(stored.members.first);
            lock(&day.slips).extend(first.map(|(person, slip)| (person, slip.to_owned())));
        }
    }
}
