//! `swabline audit verify`: is the trail whole.

use super::Refused;
use crate::app::App;
use crate::audit;

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
