//! Who asks: residents for themselves, a health-code service for everybody, and both are told
//! what the simulation knows, or it is written down as a surprise.

use std::collections::BTreeSet;

use rand::seq::IteratorRandom as _;
use serde_json::{Value, json};

use super::Failure;
use super::city::Fate;
use super::client::opaque;
use super::morning::Day;
use crate::collection::tube::api::MemberAnswer;
use crate::feeds::api::FeedPage;
use crate::query::api::StatusAnswers;
use crate::query::{Progress, Status, ToldOutcome};
use crate::storage::outbox::Change;

/// People one batch may ask for.
const BATCH: usize = 1_000;
/// Residents who ask for themselves.
const RESIDENTS: usize = 20;
/// Changes the service reads at once.
const PAGE: usize = 100;

/// How far the day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hour {
    /// The laboratory opened the boxes.
    Noon,
    /// The first results are released; some people are recalled.
    Afternoon,
    /// Recalled people have their own result.
    Evening,
}

impl Day<'_> {
    /// What this person must be shown at that hour.
    fn expected(&self, person: usize, hour: Hour) -> (Progress, Option<ToldOutcome>) {
        let infected = self.city.people[person].infected;
        let told = if infected { ToldOutcome::Detected } else { ToldOutcome::NotDetected };
        match (self.city.fate_of(person), hour) {
            (Fate::Missing, _) => (Progress::Sampled, None),
            (Fate::Refused, Hour::Noon | Hour::Afternoon) | (Fate::Positive, Hour::Afternoon) => {
                (Progress::UnderVerification, None)
            }
            (Fate::Positive | Fate::Negative, Hour::Noon) => (Progress::Received, None),
            (Fate::Negative, Hour::Afternoon) | (_, Hour::Evening) => {
                (Progress::Released, Some(told))
            }
        }
    }

    /// Writes down when somebody is shown something else than is true.
    fn judge(&mut self, who: &str, person: usize, (hour, status): (Hour, Option<&Status>)) {
        let expected = self.expected(person, hour);
        let shown = status.map(|status| (status.state, status.outcome));
        if shown != Some(expected) {
            let fate = self.city.fate_of(person);
            self.surprise(format!(
                "{who} was told {shown:?} and not {expected:?} of person {person}, whose tube was \
                 {fate:?}, in the {hour:?}"
            ));
        }
    }

    /// The health-code service asks for everybody; the last answers are what counts.
    pub(super) async fn ask_for_everybody(&mut self, hour: Hour) -> Result<(), Failure> {
        let everybody: Vec<usize> = (0..self.city.people.len()).collect();
        let mut answers = Vec::with_capacity(everybody.len());
        for batch in everybody.chunks(BATCH) {
            let document = |person: &usize| json!({ "type": "resident_id", "number": self.city.people[*person].id_number });
            let people: Vec<Value> = batch.iter().map(document).collect();
            let body = json!({ "people": people });
            let told: StatusAnswers = self.staff.service.post("/v1/status/batch", &body).await?;
            answers.extend(told.people);
        }
        if answers.len() != everybody.len() {
            self.surprise("the service was answered for another number of people");
        }
        let truth = &mut self.report.truth;
        (truth.found, truth.missed, truth.false_positives, truth.unanswered) = (0, 0, 0, 0);
        for (person, answer) in everybody.into_iter().zip(&answers) {
            self.judge("the service", person, (hour, answer.status.as_ref()));
            let outcome = answer.status.as_ref().and_then(|status| status.outcome);
            let truth = &mut self.report.truth;
            match (self.city.people[person].infected, outcome) {
                (true, Some(ToldOutcome::Detected)) => truth.found += 1,
                (true, _) => truth.missed += 1,
                (false, Some(ToldOutcome::Detected)) => truth.false_positives += 1,
                (false, _) => {}
            }
            truth.unanswered += usize::from(outcome.is_none());
        }
        self.keys = answers.into_iter().map(|answer| answer.person).collect();
        self.report.asked.by_service += self.keys.len();
        self.bar.inc(1);
        Ok(())
    }

    /// Some residents ask with their pick-up codes: the infected person, somebody of the missing
    /// tube, and whoever else comes along; one asks with a link, one with somebody else's code.
    pub(super) async fn residents_ask(&mut self, hour: Hour) -> Result<(), Failure> {
        let people = 0..self.city.people.len();
        let infected = people.clone().find(|person| self.city.people[*person].infected);
        let missing = people.clone().find(|person| self.city.fate_of(*person) == Fate::Missing);
        let others = people.sample(&mut self.city.rng, RESIDENTS - 2);
        let asking: Vec<usize> = infected.into_iter().chain(missing).chain(others).collect();
        for person in &asking {
            let code = self.slip(*person)?.pickup_code.clone();
            let status: Status =
                self.staff.resident.post("/v1/status", &self.proof(*person, &code)).await?;
            self.judge("a resident", *person, (hour, Some(&status)));
        }
        self.report.asked.by_residents += asking.len();
        let [first, second, ..] = asking[..] else { return Ok(()) };
        let link = json!({ "link": self.slip(first)?.link });
        let status: Status = self.staff.resident.post("/v1/status", &link).await?;
        self.judge("a resident with a link", first, (hour, Some(&status)));
        let foreign = self.proof(first, &self.slip(second)?.pickup_code);
        match self.staff.resident.post::<Status>("/v1/status", &foreign).await {
            Err(refused) if refused.code() == Some("status.no_match") => {
                self.report.asked.turned_away += 1;
            }
            Err(other) => return Err(other.into()),
            Ok(_) => self.surprise("somebody was answered with somebody else's pick-up code"),
        }
        self.bar.inc(1);
        Ok(())
    }

    fn slip(&self, person: usize) -> Result<&MemberAnswer, Failure> {
        let slip = self.slips.get(&person);
        slip.ok_or_else(|| Failure::Stuck(format!("person {person} was handed no slip")))
    }

    fn proof(&self, person: usize, pickup_code: &str) -> Value {
        let number = &self.city.people[person].id_number;
        json!({ "document": { "type": "resident_id", "number": number },
            "pickup_code": pickup_code })
    }

    /// The service reads every change since the beginning, page by page.
    pub(super) async fn read_feed(&mut self) -> Result<(), Failure> {
        let (mut released, mut positive) = (BTreeSet::new(), BTreeSet::new());
        let mut route = format!("/v1/feed?limit={PAGE}");
        let mut patience = 100;
        loop {
            let page: FeedPage = self.staff.service.get(&route).await?;
            if page.changes.is_empty() {
                // The feed stays below every transaction that is still open on the same server,
                // also of somebody else (R46): what is missing comes when that one ends.
                if released.len() >= self.report.released || patience == 0 {
                    break;
                }
                patience -= 1;
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
            self.report.asked.changes_read += page.changes.len();
            for change in page.changes {
                if change.outcome == Some(ToldOutcome::Detected) {
                    positive.extend(change.persons);
                }
                if change.change == Change::Released && !released.insert(change.tube.clone()) {
                    self.surprise(format!("the feed says twice that {} is released", change.tube));
                }
            }
            route = format!("/v1/feed?limit={PAGE}&after={}", opaque(&page.next));
        }
        self.report.asked.released_in_feed = released.len();
        let infected = |(person, _): &(usize, &String)| self.city.people[*person].infected;
        let known: BTreeSet<_> =
            self.keys.iter().enumerate().filter(infected).map(|(_, key)| key.clone()).collect();
        if positive != known {
            self.surprise("the feed names other people as positive than are infected");
        }
        self.bar.inc(1);
        Ok(())
    }
}
