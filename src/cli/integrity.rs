//! `swabline integrity`: signs of over-pooling and of invented results.

use super::Refused;
use crate::app::App;
use crate::integrity::api::{IntegrityQuery, refuse_unknown};
use crate::integrity::store::integrity;

#[derive(Debug, clap::Args)]
pub(super) struct Integrity {
    #[command(flatten)]
    asked: IntegrityQuery,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Integrity {
    #[expect(clippy::print_stdout, reason = "the command line speaks to people")]
    pub(super) async fn run(self, app: &App) -> anyhow::Result<()> {
        let scope = self.asked.scope(app.clock.now())?;
        let mut tx = app.db.read("integrity").await?;
        refuse_unknown(&mut tx, scope.laboratory.as_deref()).await?;
        let report = integrity(app, &mut tx, &scope).await?;
        drop(tx);
        app.db.close().await;
        if self.json {
            super::print_json(&report)?;
        } else {
            println!("{} runs and {} results looked at", report.runs, report.results);
            for checked in &report.checks {
                println!("{:<14}{:>6}", checked.check.name(), checked.signs);
            }
            for sign in &report.signs {
                let laboratory = sign.laboratory.as_deref().unwrap_or("the city");
                println!("{}: {}: {}: {}", sign.check.name(), laboratory, sign.about, sign.message);
            }
        }
        if report.is_clean() {
            return Ok(());
        }
        let signs: u64 = report.checks.iter().map(|checked| checked.signs).sum();
        Err(Refused(format!("{signs} signs speak against what was reported")).into())
    }
}
