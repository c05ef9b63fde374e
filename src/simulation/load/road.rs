//! The road: boxes are sealed, pass from hand to hand by two signatures, and are opened in the
//! laboratory, where every tube of the manifest is accepted, refused or missing.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::collect::gone;
use super::connection::Connection;
use super::day::{Day, Inbox, PLACES, Wave, take};
use super::line::{Fate, Parcel};
use super::staff::{Employee, laboratory, site};
use crate::barcode::BoxCode;
use crate::receiving::Refusal;
use crate::receiving::api::{ArrivalAnswer, ArrivalRequest, ScanRequest};
use crate::simulation::Failure;
use crate::simulation::road::COOLED;
use crate::transport::api::{BoxManifest, BoxRequest};
use crate::transport::custody::{AcceptRequest, HandoverAnswer, HandoverRequest};

/// Tubes on the bench of a laboratory.
pub(super) struct OnBench {
    /// Which laboratory.
    pub(super) laboratory: usize,
    /// The tubes.
    pub(super) tubes: Vec<u32>,
}

/// Carries box after box to its laboratory.
pub(super) async fn carry(
    day: Arc<Day>,
    wave: Arc<Wave>,
    inbox: Inbox<Parcel>,
    bench: UnboundedSender<OnBench>,
) -> Result<(), Failure> {
    let mut connection = day.connect();
    while let Some(parcel) = take(&inbox).await {
        let code = BoxCode::numbered(wave.boxes.number(parcel.number));
        let code = code.ok_or_else(|| Failure::Stuck("no box code is left".to_owned()))?;
        let code = code.as_str();
        seal(&day, &wave, (&mut connection, code), &parcel).await?;
        let number = day.staff.laboratory_of(parcel.site);
        let at = (number, code);
        let tubes = take_in(&day, &wave, (&mut connection, at), &parcel).await?;
        bench.send(OnBench { laboratory: number, tubes }).map_err(|_closed| gone())?;
    }
    Ok(())
}

/// The team seals the box, a courier takes it, and the laboratory takes it from the courier.
async fn seal(
    day: &Day,
    wave: &Wave,
    (connection, code): (&mut Connection, &str),
    parcel: &Parcel,
) -> Result<(), Failure> {
    let people = wave.people(parcel.tubes.clone());
    let sampler = &day.staff.samplers[parcel.site];
    let couriers = &day.staff.couriers;
    let courier = &couriers[parcel.site % couriers.len()];
    let receiver = &day.staff.crews[day.staff.laboratory_of(parcel.site)].receiver;
    let asked = Instant::now();
    let request = BoxRequest {
        site: site(parcel.site)?.as_str().to_owned(),
        seal: format!("SEAL-{:06}", parcel.number),
        sealed_at: day.clock.now(),
        tubes: wave.codes(parcel.tubes.clone())?,
    };
    let route = format!("/v1/boxes/{code}");
    let packed: BoxManifest = connection.put(&route, sampler, &request).await?;
    if packed.tubes.len() != parcel.count() {
        day.surprise(|| format!("box {code} holds another number of tubes than were packed"));
    }
    wave.count(|counts| counts.boxes += 1);
    wave.stages.transport.answered(asked, people);
    let asked = Instant::now();
    hand_over(day, (connection, &route), (sampler, courier), "at the site").await?;
    hand_over(day, (connection, &route), (courier, receiver), "at the laboratory").await?;
    wave.stages.transport.stepped(asked, 0, 4);
    Ok(())
}

async fn hand_over(
    day: &Day,
    (connection, route): (&mut Connection, &str),
    (from, to): (&Employee, &Employee),
    place: &str,
) -> Result<(), Failure> {
    let at = day.clock.now();
    let give = HandoverRequest {
        to: to.account.clone(),
        at,
        place: place.to_owned(),
        temperature_c: Some(COOLED),
    };
    let route = format!("{route}/handovers");
    let given: HandoverAnswer = connection.post(&route, from, &give).await?;
    let accept = format!("{route}/{}/accept", given.step);
    connection.post::<HandoverAnswer>(&accept, to, &AcceptRequest { at }).await?;
    Ok(())
}

/// The laboratory opens the box; gives the tubes it accepted.
async fn take_in(
    day: &Day,
    wave: &Wave,
    (connection, (number, code)): (&mut Connection, (usize, &str)),
    parcel: &Parcel,
) -> Result<Vec<u32>, Failure> {
    let asked = Instant::now();
    let mut scanned = Vec::with_capacity(parcel.count());
    for tube in parcel.tubes.clone() {
        let fate = wave.line.fate(tube);
        if fate != Fate::Lost {
            scanned.push(ScanRequest {
                tube: wave.code(tube)?.as_str().to_owned(),
                swab_count: Some(wave.line.count(tube).into()),
                refused: (fate == Fate::Refused).then_some(Refusal::Leak),
            });
        }
    }
    let request = ArrivalRequest {
        box_code: code.to_owned(),
        laboratory: laboratory(number)?.as_str().to_owned(),
        arrived_at: day.clock.now(),
        temperature_c: Some(COOLED),
        seal_intact: true,
        scanned,
    };
    let receiver = &day.staff.crews[number].receiver;
    let arrival: ArrivalAnswer = connection.post("/v1/arrivals", receiver, &request).await?;
    wave.stages.receive.answered(asked, wave.people(parcel.tubes.clone()));
    let with = |fate| parcel.tubes.clone().filter(move |tube| wave.line.fate(*tube) == fate);
    let found = |codes: &mut dyn Iterator<Item = &String>| {
        let mut tubes: Vec<_> = codes.filter_map(|code| wave.tubes.place(code)).collect();
        tubes.sort_unstable();
        tubes
    };
    let accepted = found(&mut arrival.accepted.iter());
    let refused = found(&mut arrival.refused.iter().map(|refused| &refused.tube));
    let missing = found(&mut arrival.missing.iter());
    for (what, found, fate) in [
        ("accepted", &accepted, Fate::Sound),
        ("refused", &refused, Fate::Refused),
        ("missing", &missing, Fate::Lost),
    ] {
        if !found.iter().copied().eq(with(fate)) {
            day.surprise(|| format!("of box {code} other tubes are {what} than were"));
        }
    }
    if !arrival.unexpected.is_empty() {
        day.surprise(|| format!("in box {code} are tubes nobody packed"));
    }
    wave.count(|counts| {
        counts.accepted += accepted.len() as u64;
        counts.refused += refused.len() as u64;
        counts.missing += missing.len() as u64;
    });
    Ok(accepted)
}

/// Gathers what comes to each laboratory until it fills a plate; the rest when nothing comes more.
pub(super) async fn gather(
    laboratories: usize,
    mut inbox: UnboundedReceiver<OnBench>,
    plates: UnboundedSender<OnBench>,
) -> Result<(), Failure> {
    let full = usize::try_from(PLACES).unwrap_or(usize::MAX);
    let mut waiting = vec![Vec::new(); laboratories];
    while let Some(OnBench { laboratory, tubes }) = inbox.recv().await {
        let here = &mut waiting[laboratory];
        here.extend(tubes);
        while here.len() >= full {
            let tubes = here.drain(..full).collect();
            plates.send(OnBench { laboratory, tubes }).map_err(|_closed| gone())?;
        }
    }
    for (laboratory, tubes) in waiting.into_iter().enumerate() {
        if !tubes.is_empty() {
            plates.send(OnBench { laboratory, tubes }).map_err(|_closed| gone())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn each_laboratory_fills_plates_of_its_own_and_runs_the_rest_at_the_end() {
        let (bench, inbox) = unbounded_channel();
        let (plates, mut full) = unbounded_channel();
        for laboratory in [0, 1, 0] {
            bench.send(OnBench { laboratory, tubes: (0..200).collect() }).unwrap();
        }
        drop(bench);
        gather(2, inbox, plates).await.unwrap();
        let mut sizes = Vec::new();
        while let Some(plate) = full.recv().await {
            sizes.push((plate.laboratory, plate.tubes.len()));
        }
        assert_eq!(sizes, [(0, 382), (0, 18), (1, 200)]);
    }
}
