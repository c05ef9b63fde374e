//! How long each route takes, by method and status.

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use metrics::Histogram;

/// A histogram for each route, method and status that was ever answered. Each is asked of the
/// recorder once: that costs as much as a look-up in memory answers in.
#[derive(Default)]
pub struct Durations(RwLock<HashMap<String, Vec<(Answer, Histogram)>>>);

/// A method that is known, and a status.
type Answer = (&'static str, u16);

impl Durations {
    /// The histogram of a route's answers.
    pub fn of(&self, route: &str, answer: Answer) -> Histogram {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(histogram) = known.get(route).and_then(|answers| found(answers, answer)) {
            return histogram;
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let answers = known.entry(route.to_owned()).or_default();
        found(answers, answer).unwrap_or_else(|| {
            let histogram = metrics::histogram!("http_seconds", "route" => route.to_owned(),
                "method" => answer.0, "status" => answer.1.to_string());
            answers.push((answer, histogram.clone()));
            histogram
        })
    }
}

fn found(answers: &[(Answer, Histogram)], answer: Answer) -> Option<Histogram> {
    let (_, histogram) = answers.iter().find(|(known, _)| *known == answer)?;
    Some(histogram.clone())
}

impl fmt::Debug for Durations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Durations(...)")
    }
}
