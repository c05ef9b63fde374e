//! Who asks when the day is over: health-code services for everybody, and residents for themselves.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hyper::Method;
use serde::{Serialize, Serializer};
use serde_json::json;
use tokio::task::JoinSet;

use super::answers::{Status, Statuses};
use super::connection::{Ask, Connection};
use super::day::{Day, Wave, lock};
use super::joined;
use super::person::Person;
use super::phase::Phase;
use super::truth::{Judge, Truth};
use crate::query::Progress;
use crate::simulation::Failure;

/// People one batch may ask for.
const BATCH: u32 = 1_000;
/// Batches that are asked for at the same time.
const SERVICES: usize = 4;
/// Residents who ask at the same time.
const RESIDENTS: usize = 32;
/// How long a status may take to be read after its release.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// The people of one batch, made up as they are written.
#[derive(Serialize)]
#[serde(bound = "I: Iterator<Item = u32> + Clone")]
struct People<I: Iterator<Item = u32> + Clone> {
    people: Documents<I>,
}

struct Documents<I>(u64, I);

impl<I: Iterator<Item = u32> + Clone> Serialize for Documents<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seed = self.0;
        serializer.collect_seq(self.1.clone().map(|number| Person { seed, number }.document()))
    }
}

async fn batch(
    day: &Day,
    connection: &mut Connection,
    people: impl Iterator<Item = u32> + Clone,
) -> Result<Vec<Option<Status>>, Failure> {
    let mut body = Vec::with_capacity(64 * 1024);
    let documents = People { people: Documents(day.plan.seed, people) };
    serde_json::to_writer(&mut body, &documents)
        .map_err(|error| Failure::Stuck(format!("a batch cannot be written: {error}")))?;
    let path = "/v1/status/batch";
    connection.succeed(&Ask::json(Method::POST, path, Some(&day.staff.service), body)).await?;
    let answers: Statuses = connection.read(path)?;
    Ok(answers.people.into_iter().map(|told| told.status).collect())
}

/// Waits until people who were told their result last can read it, at whichever node they ask.
pub(super) async fn newest_is_readable(day: &Arc<Day>) -> Result<(), Failure> {
    let people: Arc<[u32]> = lock(&day.newest).clone().into();
    if people.is_empty() {
        return Ok(());
    }
    let mut nodes = JoinSet::new();
    for (number, connection) in (1..).zip(day.connect_to_each()) {
        nodes.spawn(is_readable_at(day.clone(), people.clone(), (number, connection)));
    }
    joined(nodes).await
}

async fn is_readable_at(
    day: Arc<Day>,
    people: Arc<[u32]>,
    (number, mut connection): (u32, Connection),
) -> Result<(), Failure> {
    let since = Instant::now();
    loop {
        let told = batch(&day, &mut connection, people.iter().copied()).await?;
        let is_told = |status: &Option<Status>| {
            status.is_some_and(|status| {
                status.state == Progress::Released && status.outcome.is_some()
            })
        };
        if told.iter().all(is_told) {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            day.surprise(|| {
                format!(
                    "node {number} did not tell the last status half a minute after its release"
                )
            });
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The service asks for everybody, and what it is told is compared with what is true.
pub(super) async fn for_everybody(
    day: &Arc<Day>,
    wave: &Arc<Wave>,
    phase: &Arc<Phase>,
) -> Result<Truth, Failure> {
    let (next, truth) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(Truth::default())));
    let mut services = JoinSet::new();
    for _ in 0..SERVICES {
        let (day, wave, phase) = (day.clone(), wave.clone(), phase.clone());
        let (next, truth) = (next.clone(), truth.clone());
        services.spawn(async move {
            let mut connection = day.connect();
            let mut judge = Judge::new(&day.city, &wave.line);
            loop {
                let first = next.fetch_add(1, Ordering::Relaxed).saturating_mul(BATCH);
                if first >= day.city.people {
                    break;
                }
                let people = first..first.saturating_add(BATCH).min(day.city.people);
                let asked = Instant::now();
                let told = batch(&day, &mut connection, people.clone()).await?;
                phase.answered(asked, told.len() as u64);
                for (person, status) in people.zip(told) {
                    if let Err(expected) = judge.judge(person, status) {
                        day.surprise(|| {
                            format!("person {person} is told {status:?} and not {expected:?}")
                        });
                    }
                }
            }
            *lock(&truth) += judge.truth;
            Ok(())
        });
    }
    joined(services).await?;
    let truth = *lock(&truth);
    Ok(truth)
}

/// What a resident asks with document and pick-up code.
pub(super) fn with_slip(day: &Day, number: u32, slip: &str) -> Ask<'static> {
    let document = Person { seed: day.plan.seed, number }.document();
    let body = json!({ "document": document, "pickup_code": slip });
    Ask::json(Method::POST, "/v1/status", None, body.to_string().into())
}

/// Residents ask for themselves with their pick-up codes.
pub(super) async fn for_themselves(
    day: &Arc<Day>,
    wave: &Arc<Wave>,
    phase: &Arc<Phase>,
) -> Result<(), Failure> {
    let mut residents = JoinSet::new();
    for _ in 0..RESIDENTS {
        let (day, wave, phase) = (day.clone(), wave.clone(), phase.clone());
        residents.spawn(async move {
            let mut connection = day.connect();
            let mut judge = Judge::new(&day.city, &wave.line);
            let next = || lock(&day.slips).pop();
            while let Some((number, slip)) = next() {
                let ask = with_slip(&day, number, &slip);
                let asked = Instant::now();
                connection.succeed(&ask).await?;
                phase.answered(asked, 1);
                let told: Status = connection.read("/v1/status")?;
                if let Err(expected) = judge.judge(number, Some(told)) {
                    day.surprise(|| {
                        format!("resident {number} is told {told:?} and not {expected:?}")
                    });
                }
            }
            Ok(())
        });
    }
    joined(residents).await
}
