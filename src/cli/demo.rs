//! `swabline demo`: a morning of one site and one laboratory, played through the public API.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use crate::config::Config;
use crate::simulation::city::{PEOPLE_MAX, PEOPLE_MIN};
use crate::simulation::morning::{Morning, play};

#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// Decides who lives there and what happens; the same seed is the same morning.
    #[arg(long, default_value_t = Morning::default().seed)]
    seed: u64,
    /// People who are swabbed.
    #[arg(long, default_value_t = Morning::default().people,
        value_parser = clap::value_parser!(u32)
            .range(i64::from(PEOPLE_MIN)..=i64::from(PEOPLE_MAX)))]
    people: u32,
    /// Keep the keys and the store in this folder.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Demo {
    /// Plays the morning in an empty store: a temporary one, or `database`.
    pub(super) async fn run(self, database: Option<String>) -> anyhow::Result<()> {
        let temporary = tempfile::tempdir()?;
        let data = self.keep.unwrap_or_else(|| temporary.path().to_owned());
        let database = database.unwrap_or_default();
        let config = Config { data, database, ..Config::default() };
        let morning = Morning { seed: self.seed, people: self.people };
        let bar = progress(self.json)?;
        let report = Box::pin(play(config, morning, &bar)).await?;
        if self.json {
            super::print_json(&report)?;
        } else {
            say!("{report}");
        }
        super::must_add_up("the morning", &report.adds_up())
    }
}

/// A bar on standard error; none for programs, nor where nobody looks.
fn progress(hidden: bool) -> anyhow::Result<ProgressBar> {
    let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new(1) };
    let style = ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos:>4}/{len} {msg}")?;
    Ok(bar.with_style(style))
}
