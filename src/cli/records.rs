//! `swabline audit verify` and `swabline ledger`: is the trail whole, is nothing lost.

use super::Refused;
use crate::app::App;
use crate::audit;
use crate::ledger::{self, store::Scope};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Audit {
    /// Walk every chain and name the first broken row.
    Verify {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

impl Audit {
    #[expect(clippy::print_stdout, reason = "the command line speaks to people")]
    pub(super) async fn run(self, app: &App) -> anyhow::Result<()> {
        let Self::Verify { json } = self;
        let mut tx = app.db.read("audit.verify").await?;
        let verified = audit::verify(&mut tx).await?;
        drop(tx);
        app.db.close().await;
        if json {
            super::print_json(&verified)?;
        }
        match &verified.broken {
            Some(broken) => Err(Refused(format!(
                "chain {} is broken at row {}: {}",
                broken.chain, broken.seq, broken.reason
            ))
            .into()),
            None if json => Ok(()),
            None => {
                println!("{} rows in {} chains are whole", verified.rows, verified.chains);
                Ok(())
            }
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Ledger {
    /// Only tubes sealed on this day, China's time: `2020-06-21`.
    #[arg(long)]
    day: Option<String>,
    /// Only tubes of this site.
    #[arg(long)]
    site: Option<String>,
    /// Only tubes of this laboratory.
    #[arg(long)]
    laboratory: Option<String>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Ledger {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<()> {
        let sealed = match &self.day {
            Some(day) => {
                let bounds = ledger::bounds(day);
                Some(bounds.ok_or_else(|| anyhow::anyhow!("a day is written like 2020-06-21"))?)
            }
            None => None,
        };
        let scope = Scope { site: self.site, laboratory: self.laboratory, sealed };
        let mut tx = app.db.read("ledger").await?;
        let report = ledger::store::ledger(&mut tx, app.clock.now(), &scope).await?;
        drop(tx);
        app.db.close().await;
        if self.json {
            super::print_json(&report)?;
        } else {
            show(&report);
        }
        if report.unexplained == 0 {
            return Ok(());
        }
        Err(Refused(format!("{} tubes are unexplained", report.unexplained)).into())
    }
}

#[expect(clippy::print_stdout, reason = "the command line speaks to people")]
fn show(report: &ledger::Report) {
    println!("{:<14}{:>12}{:>12}", "", "tubes", "people");
    let (tubes, people) = (report.whole.tubes.lines(), report.whole.people.lines());
    for ((name, tubes), (_, people)) in tubes.into_iter().zip(people) {
        println!("{name:<14}{tubes:>12}{people:>12}");
    }
    for tube in &report.reasons {
        println!("unexplained: {}: {}", tube.tube, tube.reasons.join("; "));
    }
    if report.overdue_tubes > 0 {
        println!("{} tubes are overdue:", report.overdue_tubes);
    }
    for late in &report.overdue {
        println!("  {} was due {}", late.tube, late.due_at);
    }
}
