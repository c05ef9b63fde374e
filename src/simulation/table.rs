//! The report as a table a person can read.

use std::fmt;

use super::report::{Arrivals, Asked, Report, StepTime, Truth};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arrivals { accepted, refused, missing, .. } = &self.arrivals;
        let sizes = self.sizes.iter().rev();
        let sizes: Vec<_> = sizes.map(|(size, count)| format!("{count} of {size}")).collect();
        writeln!(f, "A morning in Fengtai, seed {}, on {}", self.seed, self.engine)?;
        writeln!(f)?;
        writeln!(
            f,
            "  people      {:>6}   {} recalled and swabbed again",
            self.people, self.recalls
        )?;
        writeln!(f, "  tubes       {:>6}   {}", self.tubes, sizes.join(", "))?;
        writeln!(
            f,
            "  duplicates  {:>6}   sent again by a device that was offline",
            self.duplicates
        )?;
        writeln!(f, "  boxes       {:>6}", self.boxes)?;
        writeln!(f, "  accepted    {accepted:>6}")?;
        writeln!(f, "  refused     {:>6}   {}", refused.len(), refused.join(", "))?;
        writeln!(f, "  missing     {:>6}   {}", missing.len(), missing.join(", "))?;
        writeln!(f, "  released    {:>6}   of {} calls", self.released, self.calls)?;
        self.show_runs(f)?;
        self.show_ledger(f)?;
        self.show_people(f)?;
        writeln!(f)?;
        for StepTime { step, seconds } in &self.steps {
            writeln!(f, "  {step:<28}{seconds:>7.2} s")?;
        }
        write!(f, "  {:<28}{:>7.2} s", "everything", self.seconds)
    }
}

impl Report {
    fn show_runs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        let head = ["tubes", "detected", "not det.", "inconcl.", "invalid"];
        write!(f, "  {:<14}{:<26}", "plate", "file")?;
        head.iter().try_for_each(|name| write!(f, "{name:>9}"))?;
        writeln!(f, "  verdict")?;
        for run in &self.runs {
            write!(f, "  {:<14}{:<26}", run.plate, run.format)?;
            let counts = [run.tubes, run.detected, run.not_detected, run.inconclusive, run.invalid];
            counts.iter().try_for_each(|count| write!(f, "{count:>9}"))?;
            let verdict = match (run.usable, run.released) {
                (true, true) => "usable, released by two people",
                (true, false) => "usable, not released",
                (false, _) => "not usable, void",
            };
            writeln!(f, "  {verdict}")?;
            for reason in &run.reasons {
                writeln!(f, "  {:<14}{reason}", "")?;
            }
        }
        Ok(())
    }

    fn show_ledger(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  {:<14}{:>9}{:>9}", "ledger", "tubes", "swabs")?;
        let whole = &self.ledger.whole;
        for ((place, tubes), (_, swabs)) in
            whole.tubes.lines().into_iter().zip(whole.people.lines())
        {
            writeln!(f, "  {place:<14}{tubes:>9}{swabs:>9}")?;
        }
        Ok(())
    }

    fn show_people(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Truth { positives, found, missed, false_positives, unanswered } = self.truth;
        writeln!(f, "\n  {:<14}{:>9}   told", "truth", "")?;
        writeln!(f, "  {:<14}{positives:>9}   {:<24}{found:>9}", "infected", "found")?;
        writeln!(f, "  {:<14}{:>9}   {:<24}{missed:>9}", "", "", "missed")?;
        let healthy = self.people - positives;
        writeln!(
            f,
            "  {:<14}{healthy:>9}   {:<24}{false_positives:>9}",
            "healthy", "false positives"
        )?;
        writeln!(f, "  {:<14}{:>9}   {:<24}{unanswered:>9}", "", "", "without a result")?;
        let Asked { by_residents, turned_away, by_service, changes_read, .. } = self.asked;
        writeln!(
            f,
            "\n  {by_residents} residents asked, {turned_away} with a foreign code were turned away; \
             a service asked for {by_service} people and read {changes_read} changes"
        )?;
        if let Some(trail) = &self.audit {
            writeln!(f, "  {} audit rows in {} chains verified", trail.rows, trail.chains)?;
        }
        if let Some(figures) = &self.figures {
            let sound = figures.compared - figures.differing;
            writeln!(f, "  {sound} of {} figures of the board are right", figures.compared)?;
        }
        writeln!(
            f,
            "  {} recalls closed by single tubes, {} left; {} unexplained",
            self.recalls_closed, self.recalls_left, self.ledger.unexplained
        )
    }
}
