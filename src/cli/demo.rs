//! `swabline demo`: a morning of one site and one laboratory, played through the public API.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::Refused;
use crate::config::Config;
use crate::simulation::city::{PEOPLE_MAX, PEOPLE_MIN};
use crate::simulation::morning::{Morning, play};

/// Complaints told in the one line of a failure; the report has all that were answers.
const COMPLAINTS_MAX: usize = 10;

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
        let complaints = report.adds_up();
        if complaints.is_empty() {
            return Ok(());
        }
        Err(Refused(format!("the morning does not add up: {}", first_of(&complaints))).into())
    }
}

/// The first complaints in one line, and how many more there are.
fn first_of(complaints: &[String]) -> String {
    let (named, rest) = complaints.split_at(complaints.len().min(COMPLAINTS_MAX));
    let more = if rest.is_empty() { String::new() } else { format!("; {} more", rest.len()) };
    format!("{}{more}", named.join("; "))
}

/// A bar on standard error; none for programs, nor where nobody looks.
fn progress(hidden: bool) -> anyhow::Result<ProgressBar> {
    let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new(1) };
    let style = ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos:>4}/{len} {msg}")?;
    Ok(bar.with_style(style))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_however_much_is_wrong() {
        let complaints: Vec<String> = (0..COMPLAINTS_MAX + 3).map(|n| format!("c{n}")).collect();
        assert_eq!(first_of(&complaints[..2]), "c0; c1");
        assert!(first_of(&complaints).ends_with("; c9; 3 more"));
    }
}
