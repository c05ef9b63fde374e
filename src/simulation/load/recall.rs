//! People who are asked to come again: an officer reads the list and calls them.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::json;
use tokio::task::JoinSet;

use super::day::{Day, Wave, lock};
use super::joined;
use super::line::Fate;
use super::person::Person;
use super::phase::Phase;
use crate::recall::api::{RecallAnswer, RecallsAnswer};
use crate::simulation::Failure;
use crate::simulation::client::opaque;

/// Recalls the officer reads at once.
const PAGE: usize = 200;
/// People who are called at the same time.
const CALLERS: usize = 8;

/// Calls everybody who is recalled, and gives them in order. It must be those of the refused
/// tubes and of the positive pools, and nobody else.
pub(super) async fn call(
    day: &Arc<Day>,
    wave: &Wave,
    phase: &Arc<Phase>,
) -> Result<Vec<u32>, Failure> {
    let (mut people, mut recalls) = (Vec::new(), Vec::new());
    let mut connection = day.connect();
    let (asked, mut pages) = (Instant::now(), 0);
    let mut route = format!("/v1/recalls?state=open&limit={PAGE}");
    loop {
        pages += 1;
        let page: RecallsAnswer = connection.get(&route, &day.staff.officer).await?;
        for recall in page.recalls {
            let identity = recall.follow_up.and_then(|follow_up| follow_up.identity);
            match identity.and_then(|identity| Person::whose(&identity.number)) {
                Some(person) => people.push(person),
                None => day.surprise(|| format!("recall {} names nobody of this city", recall.id)),
            }
            recalls.push(recall.id);
        }
        let Some(next) = page.next else { break };
        route = format!("/v1/recalls?state=open&limit={PAGE}&after={}", opaque(&next));
    }
    phase.stepped(asked, 0, pages);
    let recalls = Arc::new(Mutex::new(recalls));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(inform(day.clone(), recalls.clone(), phase.clone()));
    }
    joined(callers).await?;
    people.sort_unstable();
    if people != expected(day, wave) {
        day.surprise(|| "other people are recalled than were in refused or positive tubes".into());
    }
    Ok(people)
}

/// Calls one after the other until nobody is left to be called.
async fn inform(
    day: Arc<Day>,
    recalls: Arc<Mutex<Vec<String>>>,
    phase: Arc<Phase>,
) -> Result<(), Failure> {
    let mut connection = day.connect();
    let next = || lock(&recalls).pop();
    while let Some(id) = next() {
        let asked = Instant::now();
        let called = json!({ "contact": "informed", "note": "comes at once" });
        let route = format!("/v1/recalls/{id}");
        connection.put::<RecallAnswer>(&route, &day.staff.officer, &called).await?;
        phase.answered(asked, 0);
    }
    Ok(())
}

/// Everybody who must be recalled, in order.
fn expected(day: &Day, wave: &Wave) -> Vec<u32> {
    let tubes = (0..wave.line.tubes()).filter(|tube| match wave.line.fate(*tube) {
        Fate::Refused => true,
        Fate::Lost => false,
        Fate::Sound => wave.is_recalled(&day.city, *tube),
    });
    tubes.flat_map(|tube| wave.line.members(tube)).collect()
}
