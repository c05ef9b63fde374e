//! `swabline watch DIR`: takes the run files that instruments drop into a folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Refused;
use crate::auth::Token;
use crate::clock::Clock;
use crate::config::Config;
use crate::simulation::client::Client;
use crate::watch::{self, Event, Folder, Memory, Sender, WatchError};

/// The name of the state file beside the program's data.
const STATE: &str = "watch.jsonl";

#[derive(Debug, clap::Args)]
pub(super) struct Watch {
    /// The folder; folders inside of it are not looked into, and nothing in it is changed.
    folder: PathBuf,
    /// Address of the server, such as `http://10.0.0.5:8080`; `server` in the configuration.
    #[arg(long)]
    server: Option<String>,
    /// File with a technician's token; `token_file` in the configuration.
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// File that remembers what was taken; `watch.jsonl` in the data folder when absent.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    /// Seconds a file must have stood still.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    settle: u64,
    /// Send again what was refused before, and what had no plate.
    #[arg(long)]
    again: bool,
    /// Take what is there and stop; exit code 2 when a run was left.
    #[arg(long)]
    once: bool,
    /// One JSON object a line, for programs.
    #[arg(long)]
    json: bool,
}

impl Watch {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let stop = super::serve::stop_signal()?;
        let mut watch = self.watch(&config)?;
        let work = async {
            if self.once { self.once(&mut watch).await } else { self.forever(&mut watch).await }
        };
        tokio::select! {
            done = work => done,
            () = stop => Ok(()),
        }
    }

    fn watch(&self, config: &Config) -> anyhow::Result<watch::Watch> {
        let folder = &self.folder;
        let server = self.server.as_deref().unwrap_or(&config.server).trim_end_matches('/');
        anyhow::ensure!(!server.is_empty(), "no server is named; give it with --server");
        let token = self.token_file.as_ref().unwrap_or(&config.token_file);
        anyhow::ensure!(
            !token.as_os_str().is_empty(),
            "no token is named; give its file with --token-file"
        );
        let token = std::fs::read_to_string(token).map_err(|error| {
            anyhow::anyhow!("the token cannot be read from {}: {error}", token.display())
        })?;
        let there = std::fs::canonicalize(folder).map_err(|error| {
            anyhow::anyhow!("the folder {} cannot be watched: {error}", folder.display())
        })?;
        anyhow::ensure!(there.is_dir(), "{} is no folder", folder.display());
        let state = self.state.clone().unwrap_or_else(|| config.data.join(STATE));
        anyhow::ensure!(
            !lies_in(&state, &there),
            "{} lies in the watched folder, which is never written to; choose another --state",
            state.display()
        );
        let clock = Clock::system();
        let client = Client::nobody(server, clock.clone())?
            .signed_in("watch", &Token::presented(token.trim()));
        let mappings = super::mappings(config)?;
        let memory = Memory::open(&state, self.again)?;
        let folder = Folder::new(there, Duration::from_secs(self.settle));
        Ok(watch::Watch::new(folder, memory, Sender::new(client), mappings, clock))
    }

    /// Looks, waits until what is there may have settled, and looks again; says of everything
    /// that was not taken why, also where an earlier watch said it before.
    async fn once(&self, watch: &mut watch::Watch) -> anyhow::Result<()> {
        let mut told = BTreeSet::new();
        let mut tell = |event: Event| {
            if told.insert((event.files.clone(), event.reason.clone())) {
                self.tell(&event);
            }
        };
        watch.sweep(Instant::now(), &mut tell).await?;
        tokio::time::sleep(Duration::from_secs(self.settle)).await;
        let left = watch.sweep(Instant::now(), &mut tell).await?;
        if left.is_empty() {
            return Ok(());
        }
        let said = format!("runs not taken: {}", left.len());
        left.into_iter().for_each(tell);
        Err(Refused(said).into())
    }

    /// Looks again and again, until nobody reads what it says; a share that is away comes back.
    async fn forever(&self, watch: &mut watch::Watch) -> anyhow::Result<()> {
        let mut is_away = false;
        loop {
            match watch.sweep(Instant::now(), &mut |event| self.tell(&event)).await {
                Ok(_told) => is_away = false,
                Err(WatchError::Folder(error)) => {
                    if !is_away {
                        complain(&WatchError::Folder(error));
                    }
                    is_away = true;
                }
                Err(error) => return Err(error.into()),
            }
            if super::is_unheard() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(self.every)).await;
        }
    }

    fn tell(&self, event: &Event) {
        if self.json {
            say!("{}", serde_json::to_string(event).expect("an event has only named fields"));
        } else {
            say!("{event}");
        }
    }
}

#[expect(clippy::print_stderr, reason = "the command line speaks to people")]
fn complain(error: &WatchError) {
    eprintln!("swabline: {error}");
}

/// Whether a file, which may not be there, lies in this folder or below.
fn lies_in(file: &Path, folder: &Path) -> bool {
    let there = |path: &Path| std::fs::canonicalize(path).ok();
    let absolute = std::path::absolute(file).unwrap_or_else(|_unknown| file.to_owned());
    absolute.ancestors().find_map(there).is_some_and(|place| place.starts_with(folder))
}
