//! The laboratories: full plates are frozen and run, two people look at each run, and it is
//! released.

use std::sync::Arc;
use std::time::Instant;

use hyper::Method;
use rand::RngExt as _;
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

use super::answers::Run;
use super::collect::gone;
use super::connection::{Ask, Connection};
use super::day::{Day, Inbox, Wave, lock, take};
use super::road::OnBench;
use super::staff::{Employee, KIT, laboratory};
use crate::barcode::PlateCode;
use crate::clock::Time;
use crate::instrument::Ct;
use crate::interpretation::Outcome;
use crate::plate::Control;
use crate::plate::api::{PlateAnswer, PlateRequest, WellAnswer};
use crate::review::Decision;
use crate::review::api::{ReleaseAnswer, ReviewAnswer, ReviewRequest};
use crate::simulation::Failure;
use crate::simulation::cycler::{INTERNAL, Loaded, Maker, run};
use crate::simulation::files::{SimulatedRun, cfx_csv, quantstudio_text};
use crate::simulation::laboratory::{control_ct, internal_ct, thousandths};
use crate::simulation::staff::LOT;

/// The layout of the day; its controls move with the plate code, so that swapped plates show.
const TEMPLATE: &str = "one-well-382-moving-columns";
/// People of the run released last whose status is read to see that it can be.
const NEWEST: usize = 1_000;

/// A run that waits for its reviewers.
pub(super) struct ToReview {
    laboratory: usize,
    tubes: Vec<u32>,
    run: String,
}

/// Tests plate after plate.
pub(super) async fn test(
    day: Arc<Day>,
    wave: Arc<Wave>,
    inbox: Inbox<OnBench>,
    desk: UnboundedSender<ToReview>,
) -> Result<(), Failure> {
    let mut connection = day.connect();
    while let Some(OnBench { laboratory, tubes }) = take(&inbox).await {
        let people = wave.people(tubes.iter().copied());
        let technician = &day.staff.crews[laboratory].technician;
        let asked = Instant::now();
        let lab = (technician, laboratory);
        let plate = lay_out(&wave, &mut connection, lab, &tubes).await?;
        wave.stages.plate.stepped(asked, people, 2);
        let (name, instrument, file) =
            instrument(&day, &wave, &mut connection, (laboratory, &plate))?;
        let asked = Instant::now();
        let route = format!("/v1/plates/{}/runs?name={name}&instrument={instrument}", plate.code);
        connection.upload(&route, technician, file).await?;
        wave.stages.import.answered(asked, people);
        let run = check(&day, &wave, &connection.read(&route)?, &tubes);
        desk.send(ToReview { laboratory, tubes, run }).map_err(|_closed| gone())?;
    }
    Ok(())
}

async fn lay_out(
    wave: &Wave,
    connection: &mut Connection,
    (technician, number): (&Employee, usize),
    tubes: &[u32],
) -> Result<PlateAnswer, Failure> {
    let code = PlateCode::numbered(wave.next_plate(number));
    let code = code.ok_or_else(|| Failure::Stuck("no plate code is left".to_owned()))?;
    let request = PlateRequest {
        laboratory: laboratory(number)?.as_str().to_owned(),
        kit: KIT.0.to_owned(),
        kit_version: KIT.1.to_owned(),
        lot: Some(LOT.to_owned()),
        template: Some(TEMPLATE.to_owned()),
        tubes: wave.codes(tubes.iter().copied())?,
        rack: None,
        pools: Vec::new(),
        wells: Vec::new(),
        size: None,
        retests: false,
        volume: None,
        stamp: None,
    };
    let route = format!("/v1/plates/{code}");
    let body = serde_json::to_vec(&request)
        .map_err(|error| Failure::Stuck(format!("a plate cannot be written: {error}")))?;
    connection.succeed(&Ask::json(Method::PUT, &route, Some(technician), body)).await?;
    wave.count(|counts| counts.plates += 1);
    connection.post(&format!("{route}/freeze"), technician, &json!(null)).await
}

/// The file of the plate's run, its name, and the instrument it comes from.
fn instrument(
    day: &Day,
    wave: &Wave,
    connection: &mut Connection,
    (laboratory, plate): (usize, &PlateAnswer),
) -> Result<(String, String, String), Failure> {
    let odd = connection.rng.random::<bool>();
    let maker = if odd { Maker::BioRad } else { Maker::AppliedBiosystems };
    let ends: Time = day.clock.now();
    let loaded = Loaded { plate, maker, ends };
    let mut amplify = |place: &WellAnswer, target: &str| -> Option<Ct> {
        let rng = &mut connection.rng;
        match (place.tube.as_deref(), place.control) {
            (None, Some(Control::Positive)) => Some(control_ct(rng)),
            (None, _) => None,
            (Some(_), _) if target == INTERNAL => Some(internal_ct(rng)),
            (Some(code), _) => {
                let members = wave.line.members(wave.tubes.place(code)?);
                let ct = day.city.ct(members)?;
                Some(thousandths(ct + rng.random_range(-250..250)))
            }
        }
    };
    let serial = format!("{}{:04}", if odd { "CFX-" } else { "27888" }, laboratory + 1);
    let run = run(loaded, &mut amplify).map_err(|error| Failure::Stuck(error.to_string()))?;
    let run = SimulatedRun { serial: serial.clone(), ..run };
    let (name, file) = match maker {
        Maker::BioRad => (format!("{}%20Cq%20Results.csv", plate.code), cfx_csv(&run)),
        Maker::AppliedBiosystems => (format!("{}.txt", plate.code), quantstudio_text(&run)),
    };
    Ok((name, serial, file))
}

/// Every tube must be called what is true of it; gives the run's id.
fn check(day: &Day, wave: &Wave, run: &Run<'_>, tubes: &[u32]) -> String {
    let id = run.id.to_owned();
    if !run.verdict.usable || run.calls.len() != tubes.len() {
        day.surprise(|| {
            format!("run {id} has {} calls for {} tubes", run.calls.len(), tubes.len())
        });
    }
    for call in &run.calls {
        let tube = wave.tubes.place(call.tube);
        let seen = tube.map(|tube| wave.is_detected(&day.city, tube));
        let expected = match seen {
            Some(true) => Some(Outcome::Detected),
            Some(false) => Some(Outcome::NotDetected),
            None => None,
        };
        if expected != Some(call.outcome) {
            day.surprise(|| format!("tube {} was called {:?}", call.tube, call.outcome));
        }
    }
    wave.count(|counts| counts.calls += run.calls.len() as u64);
    id
}

/// Reviews and releases run after run.
pub(super) async fn release(
    day: Arc<Day>,
    wave: Arc<Wave>,
    inbox: Inbox<ToReview>,
) -> Result<(), Failure> {
    let mut connection = day.connect();
    while let Some(ToReview { laboratory, tubes, run }) = take(&inbox).await {
        let crew = &day.staff.crews[laboratory];
        let asked = Instant::now();
        let route = format!("/v1/runs/{run}");
        let look = Ask::json(Method::GET, &route, Some(&crew.reviewer), Vec::new());
        connection.succeed(&look).await?;
        let seen: Run<'_> = connection.read(&route)?;
        let decision = if seen.verdict.usable { Decision::Accept } else { Decision::Void };
        let review = format!("{route}/review");
        let reviewed: ReviewAnswer =
            connection.post(&review, &crew.reviewer, &ReviewRequest { decision }).await?;
        let release = format!("{route}/release");
        let answer: ReleaseAnswer = connection.post(&release, &crew.releaser, &json!(null)).await?;
        wave.stages.release.stepped(asked, wave.people(tubes.iter().copied()), 3);
        settle(&day, &wave, (&reviewed, &answer), (laboratory, &tubes));
        let told = answer.released.reported.iter().chain(&reviewed.released_by_rule);
        let told = told.filter_map(|code| wave.tubes.place(code));
        let members: Vec<u32> =
            told.flat_map(|tube| wave.line.members(tube)).take(NEWEST).collect();
        // A run of which nobody is told anything leaves those of the one before.
        if !members.is_empty() {
            *lock(&day.newest) = members;
        }
    }
    Ok(())
}

/// What became of the tubes of a run must be what is true of them; those that are to be tested
/// again go back to the bench.
fn settle(
    day: &Day,
    wave: &Wave,
    (reviewed, answer): (&ReviewAnswer, &ReleaseAnswer),
    (laboratory, tubes): (usize, &[u32]),
) {
    let run = &answer.run;
    let told = answer.released.reported.len() + reviewed.released_by_rule.len();
    let recalled = answer.released.recalled.len();
    let again = answer.released.retested.iter().filter_map(|code| wave.tubes.place(code));
    // A single positive with a positive neighbour is held once; nothing else comes back.
    let again: Vec<u32> = again.filter(|tube| wave.is_detected(&day.city, *tube)).collect();
    let pools = tubes.iter().filter(|tube| wave.is_recalled(&day.city, **tube)).count();
    if (told + again.len(), recalled) != (tubes.len() - pools, pools) {
        day.surprise(|| {
            format!("run {run} told {told} and recalled {recalled} of {} tubes", tubes.len())
        });
    }
    if answer.signature.account == reviewed.signature.account {
        day.surprise(|| format!("run {run} was released by its reviewer"));
    }
    wave.count(|counts| {
        counts.released += told as u64;
        counts.recalled += recalled as u64;
        counts.retested += again.len() as u64;
    });
    if !again.is_empty() {
        lock(&wave.back).push(OnBench { laboratory, tubes: again });
    }
}
