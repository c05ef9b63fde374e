//! `swabline integrity`: signs of over-pooling and of invented results.

use super::Refused;
use crate::app::App;
use crate::clock::Span;
use crate::integrity::api::IntegrityQuery;
use crate::integrity::store::integrity;
use crate::integrity::{Elsewhere, Report};
use crate::receiving::store::refuse_unknown_laboratory;

#[derive(Debug, clap::Args)]
pub(super) struct Integrity {
    #[command(flatten)]
    asked: IntegrityQuery,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Integrity {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<()> {
        let scope = self.asked.scope(app.clock.now())?;
        let mut tx = app.db.read("integrity").await?;
        refuse_unknown_laboratory(&mut tx, scope.laboratory.as_deref()).await?;
        let report = integrity(app, &mut tx, &scope).await?;
        drop(tx);
        app.db.close().await;
        if self.json {
            super::print_json(&report)?;
        } else {
            say!("{} runs and {} results looked at", report.runs, report.results);
            if report.runs == 0 {
                say!("{}", nothing_there(&report));
            }
            for checked in &report.checks {
                say!("{:<14}{:>6}", checked.check.name(), checked.signs);
            }
            for sign in &report.signs {
                let laboratory = sign.laboratory.as_deref().unwrap_or("the city");
                say!("{}: {}: {}: {}", sign.check.name(), laboratory, sign.about, sign.message);
            }
        }
        if report.is_clean() {
            return Ok(());
        }
        let signs: u64 = report.checks.iter().map(|checked| checked.signs).sum();
        let speak = if signs == 1 { "sign speaks" } else { "signs speak" };
        Err(Refused(format!("{signs} {speak} against what was reported")).into())
    }
}

/// What is said where no run came in during the period.
fn nothing_there(report: &Report) -> String {
    // The end of a period is not in it.
    let (from, until) = (report.from.day(), (report.until - Span::MICROSECOND).day());
    let lies = report.runs_elsewhere.map_or_else(
        || "there is none before or after".to_owned(),
        |Elsewhere { first, last }| {
            let (first, last) = (first.day(), last.day());
            format!("they came in from {first} to {last}; ask with --from {first} --until {last}")
        },
    );
    format!("no run came in from {from} to {until}; {lies}")
}
