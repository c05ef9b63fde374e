//! What came of a morning, and everything about it that does not add up.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::morning::Morning;
use crate::audit::Verified;
use crate::figures::check::Checked;
use crate::ledger;

/// What came of a morning.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The seed it was played with.
    pub seed: u64,
    /// The engine it was stored on.
    pub engine: &'static str,
    /// People who were swabbed, each counted once.
    pub people: usize,
    /// Tubes that were sealed, those of recalled people included.
    pub tubes: usize,
    /// Of them by the number of people they can hold.
    pub sizes: BTreeMap<u8, usize>,
    /// Tubes the offline device sent twice.
    pub sent_twice: usize,
    /// Tubes that were answered as sent before.
    pub duplicates: usize,
    /// Boxes that were sealed.
    pub boxes: usize,
    /// What the laboratory found in them.
    pub arrivals: Arrivals,
    /// Plates that were frozen.
    pub plates: usize,
    /// Calls of runs that were released; one for each tube.
    pub calls: usize,
    /// Every run.
    pub runs: Vec<PlateLine>,
    /// People who were recalled.
    pub recalls: usize,
    /// Recalls their single tube closed.
    pub recalls_closed: usize,
    /// Recalls still to be answered in the evening.
    pub recalls_left: i64,
    /// Pools that ended in recalls.
    pub pools_recalled: usize,
    /// Tubes whose result was released.
    pub released: usize,
    /// Who asked.
    pub asked: Asked,
    /// The ledger in the evening.
    pub ledger: ledger::Report,
    /// What is true, beside what people are told in the evening.
    pub truth: Truth,
    /// The audit trail in the evening.
    pub audit: Option<Verified>,
    /// The board's counters in the evening, against what is stored.
    pub figures: Option<Checked>,
    /// Answers that were not what the simulation knows.
    pub surprises: Vec<String>,
    /// How long each step took.
    pub steps: Vec<StepTime>,
    /// How long everything took, opening and closing the store included.
    pub seconds: f64,
}

/// What the laboratory found in the boxes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Arrivals {
    /// Tubes that were taken in.
    pub accepted: usize,
    /// Codes of tubes that were refused.
    pub refused: Vec<String>,
    /// Codes of tubes that were not there.
    pub missing: Vec<String>,
    /// Tubes that were in no manifest.
    pub unexpected: usize,
}

/// One run of one plate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlateLine {
    /// The plate.
    pub plate: String,
    /// Format of the instrument's file.
    pub format: String,
    /// Tubes on it.
    pub tubes: usize,
    /// Calls by outcome.
    pub detected: usize,
    /// Calls by outcome.
    pub not_detected: usize,
    /// Calls by outcome.
    pub inconclusive: usize,
    /// Calls by outcome.
    pub invalid: usize,
    /// The verdict.
    pub usable: bool,
    /// Every reason against it.
    pub reasons: Vec<String>,
    /// Whether two people released it.
    pub released: bool,
}

/// Who asked for results.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Residents who were answered.
    pub by_residents: usize,
    /// Residents with a foreign code, who were not.
    pub turned_away: usize,
    /// People the health-code service asked for.
    pub by_service: usize,
    /// Changes it read from the feed.
    pub changes_read: usize,
    /// Tubes that were released by what it read.
    pub released_in_feed: usize,
}

/// What is true of the people, beside what they are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// Infected people.
    pub positives: usize,
    /// Infected people who are told so.
    pub found: usize,
    /// Infected people who are not.
    pub missed: usize,
    /// People who are told that they are infected and are not.
    pub false_positives: usize,
    /// People without a result: those of the missing tube.
    pub unanswered: usize,
}

/// How long a step took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StepTime {
    /// The step.
    pub step: &'static str,
    /// How long.
    pub seconds: f64,
}

/// Members of the refused, of the missing and of the positive pool.
const POOL_MEMBERS: usize = super::city::POOL as usize;

impl Report {
    /// A report of a morning that has not begun.
    pub(super) fn new(morning: Morning, engine: &'static str, people: usize) -> Self {
        Self {
            seed: morning.seed,
            engine,
            people,
            tubes: 0,
            sizes: BTreeMap::new(),
            sent_twice: 0,
            duplicates: 0,
            boxes: 0,
            arrivals: Arrivals::default(),
            plates: 0,
            calls: 0,
            runs: Vec::new(),
            recalls: 0,
            recalls_closed: 0,
            recalls_left: 0,
            pools_recalled: 0,
            released: 0,
            asked: Asked::default(),
            ledger: ledger::Report::default(),
            truth: Truth { positives: 1, ..Truth::default() },
            audit: None,
            figures: None,
            surprises: Vec::new(),
            steps: Vec::new(),
            seconds: 0.0,
        }
    }

    /// Everything that does not add up; nothing when the morning went as it must.
    pub fn adds_up(&self) -> Vec<String> {
        let mut complaints = self.surprises.clone();
        complaints.extend(self.count_complaints());
        complaints.extend(self.ledger_complaints());
        complaints.extend(self.truth_complaints());
        match &self.audit {
            Some(trail) => complaints.extend(trail.broken.as_ref().map(|broken| {
                format!("audit chain {} is broken at row {}", broken.chain, broken.seq)
            })),
            None => complaints.push("the audit trail was not verified".to_owned()),
        }
        match &self.figures {
            Some(figures) if figures.differing > 0 => {
                complaints.push(format!("{} figures of the board are wrong", figures.differing));
            }
            Some(_) => {}
            None => complaints.push("the figures of the board were not checked".to_owned()),
        }
        complaints
    }

    fn count_complaints(&self) -> Vec<String> {
        let Arrivals { accepted, refused, missing, unexpected } = &self.arrivals;
        let void = self.runs.iter().filter(|run| !run.usable).count();
        let released = self.runs.iter().filter(|run| run.released).count();
        let must = [
            ("tubes by size", self.sizes.values().sum(), self.tubes),
            ("duplicates answered", self.duplicates, self.sent_twice),
            ("tubes on arrival", accepted + refused.len() + missing.len(), self.tubes),
            ("tubes refused", refused.len(), 1),
            ("tubes missing", missing.len(), 1),
            ("tubes unexpected", *unexpected, 0),
            ("calls of released runs", self.calls, *accepted),
            ("runs", self.runs.len(), self.plates),
            ("runs that failed", void, 1),
            ("runs released", released, self.plates - 1),
            ("pools recalled", self.pools_recalled, 1),
            ("tubes released", self.released, self.calls - self.pools_recalled),
            ("tubes released in the feed", self.asked.released_in_feed, self.released),
            ("recalls", self.recalls, 2 * POOL_MEMBERS),
            ("recalls closed", self.recalls_closed, self.recalls),
            ("residents turned away", self.asked.turned_away, 2),
        ];
        let mut complaints = differing(&must);
        if self.recalls_left != 0 {
            complaints.push(format!("{} recalls are left open", self.recalls_left));
        }
        complaints
    }

    fn ledger_complaints(&self) -> Vec<String> {
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let (tubes, people) = (&self.ledger.whole.tubes, &self.ledger.whole.people);
        let swabs = self.people + self.recalls;
        let must = [
            ("ledger: unexplained", count(self.ledger.unexplained), 0),
            ("ledger: tubes collected", count(tubes.collected), self.tubes),
            ("ledger: swabs collected", count(people.collected), swabs),
            ("ledger: tubes in transit", count(tubes.in_transit), 0),
            ("ledger: tubes received", count(tubes.received), 0),
            ("ledger: tubes in process", count(tubes.in_process), 0),
            ("ledger: tubes refused", count(tubes.refused), self.arrivals.refused.len()),
            ("ledger: tubes missing", count(tubes.missing), self.arrivals.missing.len()),
            ("ledger: tubes closed", count(tubes.closed), self.pools_recalled),
            ("ledger: tubes released", count(tubes.released), self.released),
        ];
        differing(&must)
    }

    fn truth_complaints(&self) -> Vec<String> {
        let Truth { positives, found, missed, false_positives, unanswered } = self.truth;
        differing(&[
            ("truth: infected people found", found, positives),
            ("truth: infected people missed", missed, 0),
            ("truth: people told positive who are not", false_positives, 0),
            ("truth: people without a result", unanswered, POOL_MEMBERS),
        ])
    }
}

/// One sentence for each pair that differs.
pub(super) fn differing<N: PartialEq + fmt::Display>(must: &[(&str, N, N)]) -> Vec<String> {
    let differs = must.iter().filter(|(_, is, should)| is != should);
    differs.map(|(what, is, should)| format!("{what}: {is} and not {should}")).collect()
}
