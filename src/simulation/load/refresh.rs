//! Residents who ask for their result again and again while the day is still written: what they
//! are told in time, and what scans suffer from it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use tokio::task::JoinSet;

use super::answers::Status;
use super::ask::with_slip;
use super::connection::Connection;
use super::day::{Day, lock};
use super::joined;
use super::phase::Phase;
use crate::query::ToldOutcome;
use crate::simulation::Failure;

/// How long a resident waits when nobody was handed a slip yet.
const PAUSE: Duration = Duration::from_millis(20);

/// Everybody who refreshes; ends only when one of them fails.
pub(super) async fn all(day: &Arc<Day>, phase: &Arc<Phase>) -> Result<(), Failure> {
    let mut residents = JoinSet::new();
    for _ in 0..day.plan.refreshing {
        residents.spawn(refresh(day.clone(), phase.clone()));
    }
    joined(residents).await?;
    // Nobody refreshes, so nobody fails.
    std::future::pending().await
}

/// Asks with one slip after the other of those handed out so far.
async fn refresh(day: Arc<Day>, phase: Arc<Phase>) -> Result<(), Failure> {
    let mut connection = day.connect();
    loop {
        let Some((number, slip)) = any_slip(&day, &mut connection) else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let ask = with_slip(&day, number, &slip);
        let asked = Instant::now();
        connection.succeed(&ask).await?;
        phase.answered(asked, 1);
        let told: Status = connection.read("/v1/status")?;
        if told.outcome == Some(ToldOutcome::Detected) && !day.city.is_infected(number) {
            day.surprise(|| format!("resident {number} is told {told:?} and is healthy"));
        }
    }
}

fn any_slip(day: &Day, connection: &mut Connection) -> Option<(u32, String)> {
    let slips = lock(&day.slips);
    let last = slips.len().checked_sub(1)?;
    slips.get(connection.rng.random_range(0..=last)).cloned()
}
