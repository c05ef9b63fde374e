//! Adding tubes up, one by one, so that a city of them needs no more memory than a site.

use std::collections::BTreeMap;

use super::{Count, Evidence, Line, NAMED_MAX, OVERDUE_MAX, Report, Unexplained, rules};
use crate::clock::Time;
use crate::collection::TubeState;

/// Adds tubes up, one by one.
#[derive(Debug, Default)]
pub struct Sum {
    report: Report,
    sites: BTreeMap<(String, Option<String>), Count>,
    laboratories: BTreeMap<(String, Option<String>), Count>,
}

impl Sum {
    /// Counts one tube.
    pub fn add(&mut self, evidence: &Evidence, now: Time) {
        let reasons = rules::contradictions(evidence);
        let state = reasons.is_empty().then_some(evidence.state);
        let members = if evidence.seeded { 0 } else { evidence.declared.max(evidence.members) };
        let people = u64::try_from(members).unwrap_or(0);
        let day = evidence.sealed.day();
        let site = (day.clone(), Some(evidence.site.clone()));
        let laboratory = (day, evidence.laboratory.clone());
        let counts = [
            &mut self.report.whole,
            self.sites.entry(site).or_default(),
            self.laboratories.entry(laboratory).or_default(),
        ];
        for count in counts {
            count.tubes.count(state, 1);
            count.people.count(state, people);
        }
        if !reasons.is_empty() {
            self.name(evidence.code.clone(), Some(evidence.state), reasons);
        }
        if let Some(overdue) = rules::overdue(evidence, now) {
            self.report.overdue_tubes += 1;
            if self.report.overdue.len() < OVERDUE_MAX {
                self.report.overdue.push(overdue);
            }
        }
    }

    /// Counts people who belong to no tube: members of a code nobody sealed, or a status that
    /// stands on no swab.
    pub fn add_strays(&mut self, code: String, people: u64, reason: &str) {
        self.report.whole.people.count(None, people);
        self.name(code, None, vec![reason.to_owned()]);
    }

    fn name(&mut self, tube: String, state: Option<TubeState>, reasons: Vec<String>) {
        self.report.unexplained += 1;
        if self.report.reasons.len() < NAMED_MAX {
            self.report.reasons.push(Unexplained { tube, state, reasons });
        }
    }

    /// The ledger.
    pub fn close(self) -> Report {
        let lines = |counts: BTreeMap<(String, Option<String>), Count>| {
            counts.into_iter().map(|((day, place), count)| Line { day, place, count }).collect()
        };
        let (sites, laboratories) = (lines(self.sites), lines(self.laboratories));
        Report { sites, laboratories, ..self.report }
    }
}
