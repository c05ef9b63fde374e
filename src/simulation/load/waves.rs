//! The course of the day: everybody, whoever is recalled, and whoever asks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

use super::day::{Day, Inbox, Stages, Wave, lock};
use super::line::Line;
use super::phase::{Phase, rounded};
use super::report::Report;
use super::road::OnBench;
use super::{Plan, Scan, ask, bench, collect, feed, joined, recall, refresh, road};
use crate::ledger;
use crate::recall::api::RecallsAnswer;
use crate::simulation::Failure;

/// Devices that send at the same time, in bulk and one by one.
const DEVICES: (u32, u32) = (8, 128);
/// Most devices that send at a given rate: more than a server lets in at once.
const DEVICES_MAX: u32 = 6_000;
/// Boxes that are carried at the same time.
const CARRIERS: usize = 4;
/// Plates that are tested at the same time.
const BENCHES: usize = 4;
/// Runs that are reviewed at the same time.
const DESKS: usize = 2;
/// Times tubes may come back to be tested again; the kit holds a positive once.
const AGAIN_MAX: usize = 2;
/// How often the bar says how fast it goes.
const TICK: Duration = Duration::from_secs(1);

/// Plays the day and fills the report.
pub(super) async fn play(day: Arc<Day>, mut report: Report) -> Result<Report, Failure> {
    let plan = &day.plan;
    let mut connection = day.connect();
    day.staff.open_places(&mut connection, plan, day.begins).await?;
    let sites = u32::try_from(plan.site_count()).unwrap_or(u32::MAX);
    let line = Line::everybody(plan.people, plan.tube_size, sites, plan.in_box());
    let first = day.wave(&mut connection, line, Stages::new(&day.bar)).await?;
    let first = Arc::new(first);
    // Everybody goes through six stages and is asked for.
    day.bar.set_length(u64::from(first.line.people()) * 7);
    let begun = Instant::now();
    let telling = tell(&day, &first);
    let refreshed = Arc::new(Phase::new("refresh", &indicatif::ProgressBar::hidden()));
    tokio::select! {
        ended = through(&day, &first) => ended?,
        failed = refresh::all(&day, &refreshed) => failed?,
    }
    telling.abort();
    let phase = |name| Arc::new(Phase::new(name, &day.bar));
    let [recalled, services, residents, feed] = ["recall", "ask", "ask singly", "feed"].map(phase);
    let since = Instant::now();
    let people = recall::call(&day, &first, &recalled).await?;
    let line = Line::again(people, plan.people, sites, plan.in_box());
    let hidden = indicatif::ProgressBar::hidden();
    let second = Arc::new(day.wave(&mut connection, line, Stages::new(&hidden)).await?);
    through(&day, &second).await?;
    ask::newest_is_readable(&day).await?;
    recalled.lasted(since, second.line.people().into());
    let scanned = first.stages.collect.began().unwrap_or(begun);
    report.seconds = rounded(scanned.elapsed().as_secs_f64());
    report.per_second = (f64::from(plan.people) / report.seconds).round();
    report.truth = ask::for_everybody(&day, &first, &services).await?;
    ask::for_themselves(&day, &first, &residents).await?;
    report.feed = feed::read(&day, &[&first, &second], &feed).await?;
    let stages = first.stages.all();
    let asking = [&refreshed, &recalled, &services, &residents, &feed].map(AsRef::as_ref);
    report.phases = stages.into_iter().chain(asking).filter_map(|p| p.line(scanned)).collect();
    report.residents = residents.so_far().1;
    close(&day, (&first, &second), report).await
}

/// The books of the day.
async fn close(
    day: &Day,
    (first, second): (&Wave, &Wave),
    mut report: Report,
) -> Result<Report, Failure> {
    let mut connection = day.connect();
    let officer = &day.staff.officer;
    report.ledger = connection.walk::<ledger::Report>("/v1/ledger", officer).await?;
    let left: RecallsAnswer = connection.get("/v1/recalls?limit=1", officer).await?;
    report.recalls_left = u64::try_from(left.open + left.collected).unwrap_or(u64::MAX);
    report.recalls = second.line.people().into();
    (report.first, report.again) = (first.counted(), second.counted());
    report.tubes = report.first.tubes + report.again.tubes;
    report.plates = report.first.plates + report.again.plates;
    let scans = report.phases.iter().find(|phase| phase.name == "collect");
    report.latency_ms = scans.map(|phase| phase.latency_ms).unwrap_or_default();
    report.traffic = day.traffic.seen();
    (report.surprises, report.surprising) = day.surprises();
    Ok(report)
}

/// Takes a wave through all stages at once, and what is to be tested again through the last ones
/// until nothing comes back.
async fn through(day: &Arc<Day>, wave: &Arc<Wave>) -> Result<(), Failure> {
    let (to_road, boxes) = unbounded_channel();
    let (to_bench, tubes) = unbounded_channel();
    let mut stages = JoinSet::new();
    for _ in 0..devices(&day.plan) {
        stages.spawn(collect::collect(day.clone(), wave.clone(), to_road.clone()));
    }
    let boxes: Inbox<_> = Arc::new(Mutex::new(boxes));
    for _ in 0..CARRIERS {
        let inbox = boxes.clone();
        stages.spawn(road::carry(day.clone(), wave.clone(), inbox, to_bench.clone()));
    }
    // Each stage ends when nobody is left to give it anything.
    drop((to_road, to_bench));
    laboratories(&mut stages, (day, wave), tubes);
    joined(stages).await?;
    for _ in 0..AGAIN_MAX {
        let back = std::mem::take(&mut *lock(&wave.back));
        let (to_bench, tubes) = unbounded_channel();
        for tubes in back {
            to_bench.send(tubes).map_err(|_closed| collect::gone())?;
        }
        drop(to_bench);
        let mut stages = JoinSet::new();
        laboratories(&mut stages, (day, wave), tubes);
        joined(stages).await?;
    }
    Ok(())
}

/// How many devices send. At a given rate as many as have a tube to send within a second, so that
/// those who wait for an answer hold up nobody else.
fn devices(plan: &Plan) -> u32 {
    let usual = match plan.scan {
        Scan::Bulk => DEVICES.0,
        Scan::Single => DEVICES.1,
    };
    plan.rate.map_or(usual, |rate| {
        let within_a_second = (usual..DEVICES_MAX).find(|devices| f64::from(*devices) >= rate);
        within_a_second.unwrap_or(DEVICES_MAX)
    })
}

/// Opens the laboratories for whatever comes to their benches.
fn laboratories(
    stages: &mut JoinSet<Result<(), Failure>>,
    (day, wave): (&Arc<Day>, &Arc<Wave>),
    tubes: UnboundedReceiver<OnBench>,
) {
    let (to_plates, plates) = unbounded_channel();
    let (to_desk, runs) = unbounded_channel();
    stages.spawn(road::gather(day.staff.crews.len(), tubes, to_plates));
    let plates: Inbox<_> = Arc::new(Mutex::new(plates));
    for _ in 0..BENCHES {
        let inbox = plates.clone();
        stages.spawn(bench::test(day.clone(), wave.clone(), inbox, to_desk.clone()));
    }
    let runs: Inbox<_> = Arc::new(Mutex::new(runs));
    for _ in 0..DESKS {
        stages.spawn(bench::release(day.clone(), wave.clone(), runs.clone()));
    }
}

/// Says on the bar how fast each stage goes.
fn tell(day: &Arc<Day>, wave: &Arc<Wave>) -> tokio::task::JoinHandle<()> {
    let (bar, wave) = (day.bar.clone(), wave.clone());
    tokio::spawn(async move {
        let mut before = wave.stages.all().map(|stage| stage.so_far().1);
        loop {
            tokio::time::sleep(TICK).await;
            let mut rates = Vec::new();
            for (stage, before) in wave.stages.all().into_iter().zip(&mut before) {
                let (name, people) = stage.so_far();
                let since = people - *before;
                *before = people;
                if since > 0 {
                    rates.push(format!("{name} {since}/s"));
                }
            }
            bar.set_message(rates.join(", "));
        }
    })
}
