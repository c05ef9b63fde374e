//! What came of the day, and everything about it that does not add up.

use std::fmt;

use serde::Serialize;

use super::day::Counts;
use super::feed::FeedRead;
use super::phase::{Latency, PhaseLine};
use super::traffic::Seen;
use super::truth::Truth;
use super::{Plan, Scan};
use crate::ledger;
use crate::simulation::report::differing;

/// What came of a day.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The seed it was played with.
    pub seed: u64,
    /// The engine it was stored on.
    pub engine: &'static str,
    /// Servers it was played against.
    pub nodes: usize,
    /// People who were swabbed, each counted once.
    pub people: u32,
    /// People a tube of the street can hold.
    pub tube_size: u8,
    /// The share that was to be infected.
    pub prevalence: f64,
    /// Sampling points.
    pub sites: usize,
    /// Laboratories.
    pub laboratories: usize,
    /// How tubes were sent.
    pub scan: Scan,
    /// Tubes a second that were to be sent; none as fast as it goes.
    pub rate: Option<f64>,
    /// Residents who asked again and again while the day was written.
    pub refreshing: u32,
    /// Tubes sealed, those of recalled people included.
    pub tubes: u64,
    /// Plates run.
    pub plates: u64,
    /// From the first scan to the last status that can be read.
    pub seconds: f64,
    /// People a second over all of that.
    pub per_second: f64,
    /// Every phase; they overlap as on a real day.
    pub phases: Vec<PhaseLine>,
    /// How long scans took, counted from when they were due.
    pub latency_ms: Latency,
    /// Processor time of the server that was started; none of servers that were not.
    pub server_cpu_s: Option<f64>,
    /// The most memory it had.
    pub server_rss_peak_bytes: Option<u64>,
    /// Processor time of this program, which made up the day and asked for it.
    pub generator_cpu_s: Option<f64>,
    /// Bytes of the store on disk.
    pub store_bytes: i64,
    /// Rows in it.
    pub store_rows: i64,
    /// Everybody's first way.
    pub first: Counts,
    /// The way of those who came again.
    pub again: Counts,
    /// Requests, refusals and retries.
    pub traffic: Seen,
    /// Residents who asked for themselves.
    pub residents: u64,
    /// What the feed told.
    pub feed: FeedRead,
    /// People who were asked to come again.
    pub recalls: u64,
    /// Of them still without a result.
    pub recalls_left: u64,
    /// What is true of the people, beside what they are told.
    pub truth: Truth,
    /// Answers that were not what the simulation knows.
    pub surprises: u64,
    /// The first of them.
    pub surprising: Vec<String>,
    /// The ledger in the evening.
    pub ledger: ledger::Report,
}

impl Report {
    /// A report of a day that has not begun.
    pub(super) fn new(plan: &Plan, nodes: usize, engine: &'static str) -> Self {
        Self {
            seed: plan.seed,
            engine,
            nodes,
            people: plan.people,
            tube_size: plan.tube_size,
            prevalence: plan.prevalence,
            sites: plan.site_count(),
            laboratories: plan.laboratory_count(),
            scan: plan.scan,
            rate: plan.rate,
            refreshing: plan.refreshing,
            tubes: 0,
            plates: 0,
            seconds: 0.0,
            per_second: 0.0,
            phases: Vec::new(),
            latency_ms: Latency::default(),
            server_cpu_s: None,
            server_rss_peak_bytes: None,
            generator_cpu_s: None,
            store_bytes: 0,
            store_rows: 0,
            first: Counts::default(),
            again: Counts::default(),
            traffic: Seen::default(),
            residents: 0,
            feed: FeedRead::default(),
            recalls: 0,
            recalls_left: 0,
            truth: Truth::default(),
            surprises: 0,
            surprising: Vec::new(),
            ledger: ledger::Report::default(),
        }
    }

    /// Everything that does not add up; nothing when the day went as it must.
    pub fn adds_up(&self) -> Vec<String> {
        let mut complaints = self.surprising.clone();
        let untold = self.surprises.saturating_sub(self.surprising.len() as u64);
        if untold > 0 {
            complaints.push(format!("{untold} more answers were not what is known"));
        }
        let swabbed = u32::from(self.tube_size.max(1));
        // Each site's last tube may hold fewer, so that the sum has its bounds only.
        let least = u64::from(self.people.div_ceil(swabbed));
        let most = least + self.sites as u64;
        if !(least..=most).contains(&self.first.tubes) {
            complaints.push(format!("{} tubes for {} people", self.first.tubes, self.people));
        }
        complaints.extend(way("first", &self.first));
        complaints.extend(way("again", &self.again));
        complaints.extend(self.totals());
        complaints.extend(self.ledgers());
        complaints.extend(self.truths());
        complaints
    }

    fn totals(&self) -> Vec<String> {
        let (first, again) = (&self.first, &self.again);
        let mut complaints = differing(&[
            ("tubes", self.tubes, first.tubes + again.tubes),
            ("plates", self.plates, first.plates + again.plates),
            ("tubes of people who came again", again.tubes, self.recalls),
            ("people who came again and were recalled", again.recalled, 0),
            ("recalls left open", self.recalls_left, 0),
        ]);
        complaints.extend(self.told());
        complaints
    }

    /// The feed tells of every change and of no other.
    fn told(&self) -> Vec<String> {
        let (first, again, feed) = (&self.first, &self.again, &self.feed);
        let refused = first.refused + again.refused;
        let recalled = first.recalled + again.recalled;
        differing(&[
            ("tubes sealed in the feed", feed.sealed, self.tubes),
            ("tubes received in the feed", feed.received, first.accepted + again.accepted),
            ("tubes refused in the feed", feed.refused, refused),
            ("tubes released in the feed", feed.released, first.released + again.released),
            ("tubes amended in the feed", feed.amended, 0),
            ("tubes recalled in the feed", feed.recall_opened, refused + recalled),
            ("recalls closed in the feed", feed.recall_closed, self.recalls),
            ("people told positive in the feed", feed.positive, self.truth.found),
        ])
    }

    fn ledgers(&self) -> Vec<String> {
        let (tubes, people) = (&self.ledger.whole.tubes, &self.ledger.whole.people);
        let (first, again) = (&self.first, &self.again);
        differing(&[
            ("ledger: unexplained", self.ledger.unexplained, 0),
            ("ledger: tubes collected", tubes.collected, self.tubes),
            ("ledger: swabs collected", people.collected, u64::from(self.people) + self.recalls),
            ("ledger: tubes in transit", tubes.in_transit, 0),
            ("ledger: tubes received", tubes.received, 0),
            ("ledger: tubes in process", tubes.in_process, 0),
            ("ledger: tubes refused", tubes.refused, first.refused + again.refused),
            ("ledger: tubes missing", tubes.missing, first.missing + again.missing),
            ("ledger: tubes closed", tubes.closed, first.recalled + again.recalled),
            ("ledger: tubes released", tubes.released, first.released + again.released),
        ])
    }

    fn truths(&self) -> Vec<String> {
        let truth = &self.truth;
        let explained = truth.found + truth.missed.dilution + truth.missed.lost;
        let people = u64::from(self.people);
        differing(&[
            ("truth: people with one answer", truth.asked, people),
            ("truth: people with the answer that fits", truth.fitting, people),
            ("truth: infected people found or missed for a reason", explained, truth.infected),
            ("truth: infected people missed without a reason", truth.missed.unexplained, 0),
            ("truth: healthy people told positive", truth.wrongly_told, 0),
        ])
    }
}

/// What goes into a stage of a wave must come out of it (R11).
fn way(wave: &str, counts: &Counts) -> Vec<String> {
    let arrived = counts.accepted + counts.refused + counts.missing;
    let settled = counts.released + counts.recalled + counts.retested;
    let differing = differing(&[
        ("duplicates answered", counts.duplicates, counts.sent_twice),
        ("tubes on arrival", arrived, counts.tubes),
        ("calls", counts.calls, counts.accepted + counts.retested),
        ("tubes released, recalled or tested again", settled, counts.calls),
    ]);
    differing.into_iter().map(|complaint| format!("{wave}: {complaint}")).collect()
}

/// A line for each phase, and what a step of it is, for its latencies are those of steps.
fn table(f: &mut fmt::Formatter<'_>, phases: &[PhaseLine]) -> fmt::Result {
    write!(f, "\n{:<14}{:>9}{:>9}{:>12}", "phase", "began s", "seconds", "people")?;
    write!(f, "{:>12}{:>10}{:>10}", "people/s", "requests", "steps")?;
    writeln!(f, "{:>9}{:>9}{:>9}", "p50 ms", "p99", "p999")?;
    for phase in phases {
        let PhaseLine { name, began, seconds, people, per_second, requests, .. } = phase;
        let Latency { p50, p99, p999, count } = phase.latency_ms;
        write!(f, "{name:<14}{began:>9.1}{seconds:>9.1}{people:>12}{per_second:>12}")?;
        writeln!(f, "{requests:>10}{count:>10}{p50:>9.1}{p99:>9.1}{p999:>9.1}")?;
    }
    writeln!(f, "\na step, whose latencies these are, is when in")?;
    for PhaseLine { name, step, .. } in phases {
        writeln!(f, "{name:<14}{step}")?;
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} people, {} to a tube, seed {}, on {}",
            self.people, self.tube_size, self.seed, self.engine
        )?;
        writeln!(
            f,
            "{} tubes of {} sites, {} plates of {} laboratories, {} servers",
            self.tubes, self.sites, self.plates, self.laboratories, self.nodes
        )?;
        writeln!(f, "first scan to last status: {} s, {} people/s", self.seconds, self.per_second)?;
        table(f, &self.phases)?;
        let Seen { requests, refused, unanswered, retries, put_off, .. } = self.traffic;
        writeln!(
            f,
            "\n{requests} requests: {refused} refused, {unanswered} unanswered, {retries} tried \
             again, {put_off} put off"
        )?;
        if let (Some(cpu), Some(rss)) = (self.server_cpu_s, self.server_rss_peak_bytes) {
            writeln!(f, "server: {cpu:.1} s of processor, {} MiB at most", rss >> 20)?;
        }
        if let Some(cpu) = self.generator_cpu_s {
            writeln!(f, "trying it: {cpu:.1} s of processor")?;
        }
        writeln!(f, "store: {} MiB, {} rows", self.store_bytes >> 20, self.store_rows)?;
        let truth = &self.truth;
        writeln!(
            f,
            "truth: {} infected, {} found, {} missed by dilution, {} lost on the road, {} wrongly \
             told, {} without a result",
            truth.infected,
            truth.found,
            truth.missed.dilution,
            truth.missed.lost,
            truth.wrongly_told,
            truth.unanswered
        )?;
        write!(
            f,
            "ledger: {} tubes collected, {} released, {} recalled, {} refused, {} missing, {} \
             unexplained",
            self.ledger.whole.tubes.collected,
            self.ledger.whole.tubes.released,
            self.ledger.whole.tubes.closed,
            self.ledger.whole.tubes.refused,
            self.ledger.whole.tubes.missing,
            self.ledger.unexplained
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::truth::Missed;
    use super::*;
    use crate::ledger::Ledger;

    /// A day on which everything went as it must.
    fn sound() -> Report {
        let plan = Plan { people: 1_000, sites: Some(1), ..Plan::default() };
        let first = Counts {
            tubes: 100,
            sent_twice: 10,
            duplicates: 10,
            boxes: 5,
            accepted: 98,
            refused: 1,
            missing: 1,
            plates: 1,
            calls: 98,
            released: 97,
            recalled: 1,
            retested: 0,
        };
        let again = Counts {
            tubes: 20,
            accepted: 20,
            boxes: 1,
            plates: 1,
            calls: 22,
            released: 20,
            retested: 2,
            ..Counts::default()
        };
        let tubes = Ledger {
            collected: 120,
            released: 117,
            refused: 1,
            missing: 1,
            closed: 1,
            ..Ledger::default()
        };
        let mut report = Report {
            tubes: 120,
            plates: 2,
            first,
            again,
            recalls: 20,
            feed: FeedRead {
                changes: 378,
                sealed: 120,
                received: 118,
                refused: 1,
                released: 117,
                amended: 0,
                recall_opened: 2,
                recall_closed: 20,
                positive: 1,
            },
            truth: Truth {
                asked: 1_000,
                fitting: 1_000,
                infected: 2,
                found: 1,
                missed: Missed { dilution: 1, ..Missed::default() },
                wrongly_told: 0,
                unanswered: 10,
            },
            ..Report::new(&plan, 1, "SQLite")
        };
        report.ledger.whole.tubes = tubes;
        report.ledger.whole.people.collected = 1_020;
        report
    }

    /// Makes one thing of a report untrue.
    type Doctor = fn(&mut Report);

    #[test]
    fn a_sound_day_adds_up_and_one_that_was_doctored_does_not() {
        assert_eq!(sound().adds_up(), Vec::<String>::new());
        let doctored: [(&str, Doctor); 22] = [
            ("99 tubes for 1000 people", |report| report.first.tubes = 99),
            ("first: tubes on arrival", |report| report.first.missing = 0),
            ("first: duplicates", |report| report.first.duplicates = 9),
            ("first: calls", |report| report.first.calls = 97),
            ("again: tubes released, recalled or tested again", |report| {
                report.again.released = 19;
            }),
            ("came again", |report| report.recalls = 21),
            ("recalls left open", |report| report.recalls_left = 1),
            ("sealed in the feed", |report| report.feed.sealed += 1),
            ("received in the feed", |report| report.feed.received -= 1),
            ("refused in the feed", |report| report.feed.refused = 0),
            ("released in the feed", |report| report.feed.released -= 1),
            ("amended in the feed", |report| report.feed.amended = 1),
            ("recalled in the feed", |report| report.feed.recall_opened -= 1),
            ("closed in the feed", |report| report.feed.recall_closed -= 1),
            ("positive in the feed", |report| report.feed.positive = 2),
            ("ledger: unexplained", |report| report.ledger.unexplained = 1),
            ("ledger: swabs", |report| report.ledger.whole.people.collected -= 1),
            ("ledger: tubes released", |report| report.ledger.whole.tubes.released -= 1),
            ("the answer that fits", |report| report.truth.fitting -= 1),
            ("missed for a reason", |report| report.truth.infected = 3),
            ("told positive", |report| report.truth.wrongly_told = 1),
            ("2 more answers", |report| report.surprises = 2),
        ];
        for (about, doctor) in doctored {
            let mut report = sound();
            doctor(&mut report);
            let complaints = report.adds_up();
            assert!(complaints.iter().any(|text| text.contains(about)), "{about}: {complaints:?}");
        }
    }
}
