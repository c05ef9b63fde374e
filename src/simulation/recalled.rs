//! People who are asked to come again: an officer calls them, they are swabbed singly.

use serde_json::json;

use super::Failure;
use super::city::{Fate, Group};
use super::client::opaque;
use super::morning::Day;
use crate::recall::api::{RecallAnswer, RecallsAnswer};

/// Recalls the officer reads at once.
const PAGE: usize = 50;

impl Day<'_> {
    /// Calls everybody who is recalled, but so many who were recalled last, and gives the single
    /// swabs they come for.
    pub(super) async fn call_recalled(
        &mut self,
        but: usize,
    ) -> Result<Vec<(Group, Fate)>, Failure> {
        let mut coming = Vec::new();
        let recalls = self.recalls("open").await?;
        let called = recalls.len().saturating_sub(but);
        for recall in recalls.into_iter().take(called) {
            let route = format!("/v1/recalls/{}", recall.id);
            let called = json!({ "contact": "informed", "note": "comes at six" });
            self.staff.officer.put::<RecallAnswer>(&route, &called).await?;
            let identity = recall.follow_up.and_then(|follow_up| follow_up.identity);
            match identity.and_then(|identity| self.city.whose(&identity.number)) {
                Some(person) => coming.push(person),
                None => self.surprise(format!("recall {} names nobody of this city", recall.id)),
            }
        }
        self.report.recalls += coming.len();
        let single = |person| {
            let infected = self.city.any_infected(&[person]);
            let fate = if infected { Fate::Positive } else { Fate::Negative };
            (Group { members: vec![person], size: 1 }, fate)
        };
        Ok(coming.into_iter().map(single).collect())
    }

    /// How many recalls are closed, and how many are not.
    pub(super) async fn count_recalls(&mut self) -> Result<(), Failure> {
        self.report.recalls_closed = self.recalls("closed").await?.len();
        let left: RecallsAnswer = self.staff.officer.get("/v1/recalls?limit=1").await?;
        self.report.recalls_left = left.open + left.collected;
        Ok(())
    }

    /// Every recall in that state, page by page.
    async fn recalls(&self, state: &str) -> Result<Vec<RecallAnswer>, Failure> {
        let mut recalls = Vec::new();
        let mut route = format!("/v1/recalls?state={state}&limit={PAGE}");
        loop {
            let page: RecallsAnswer = self.staff.officer.get(&route).await?;
            recalls.extend(page.recalls);
            match page.next {
                Some(next) => {
                    let next = opaque(&next);
                    route = format!("/v1/recalls?state={state}&limit={PAGE}&after={next}");
                }
                None => return Ok(recalls),
            }
        }
    }
}
