//! `swabline simulate`: a whole day of a city, played as a load through the public API.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use crate::simulation::load::{Place, Plan, Scan, play};

#[derive(Debug, clap::Args)]
pub(super) struct Simulate {
    /// People who are swabbed.
    #[arg(long, default_value_t = Plan::default().people)]
    people: u32,
    /// People swabbed into one tube: 1, 5, 10 or 20.
    #[arg(long, default_value_t = Plan::default().tube_size)]
    tube_size: u8,
    /// Share of the people that is infected, about; in households.
    #[arg(long, default_value_t = Plan::default().prevalence)]
    prevalence: f64,
    /// Decides who lives there and what happens; the same seed is the same city.
    #[arg(long, default_value_t = Plan::default().seed)]
    seed: u64,
    /// Sampling points; one for every 10,000 people when not given.
    #[arg(long)]
    sites: Option<u32>,
    /// Whether a device sends a box of tubes in one request, or each in its own.
    #[arg(long, default_value = "bulk")]
    scan: Scan,
    /// Send this many tubes a second whatever becomes of them, with latencies counted from when
    /// each was due; as fast as it goes when not given.
    #[arg(long)]
    rate: Option<f64>,
    /// So many residents ask for their result again and again while the day is written.
    #[arg(long, default_value_t = Plan::default().refreshing)]
    refreshing: u32,
    /// Play against these servers, as http://HOST:PORT, and start none; `--database` names the
    /// store they serve from.
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["keep", "redis"])]
    nodes: Vec<String>,
    /// The Redis of the server that is started.
    #[arg(long)]
    redis: Option<String>,
    /// Keep the keys, the store and the log of the server in this folder.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Simulate {
    /// Plays the day in an empty store: a temporary one, or `database`.
    pub(super) async fn run(self, database: Option<String>) -> anyhow::Result<()> {
        let temporary = tempfile::tempdir()?;
        let Self { people, tube_size, prevalence, seed, sites, scan, rate, refreshing, .. } = self;
        let plan = Plan { seed, people, tube_size, prevalence, sites, scan, rate, refreshing };
        let data = self.keep.unwrap_or_else(|| temporary.path().to_owned());
        let place = Place { data, database, nodes: self.nodes, redis: self.redis };
        let bar = progress(self.json)?;
        let stop = super::serve::stop_signal()?;
        // Whoever stops the day stops its server with it.
        let report = tokio::select! {
            report = Box::pin(play(plan, place, &bar)) => report?,
            () = stop => anyhow::bail!("the day was stopped before its end"),
        };
        if self.json {
            super::print_json(&report)?;
        } else {
            say!("{report}");
        }
        super::must_add_up("the day", &report.adds_up())
    }
}

/// A bar on standard error; none for programs, nor where nobody looks.
fn progress(hidden: bool) -> anyhow::Result<ProgressBar> {
    let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new(1) };
    let style = "{elapsed_precise} {wide_bar} {percent:>3} %, {eta} left  {msg}";
    Ok(bar.with_style(ProgressStyle::with_template(style)?))
}
