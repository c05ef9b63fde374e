//! The command line: one command, one line when it fails, and an exit code that says so.

/// Prints a line; whoever stopped reading, as `head` does, is not told the rest.
macro_rules! say {
    ($($said:tt)*) => { $crate::cli::print_line(format_args!($($said)*)) };
}

mod demo;
mod inspect;
mod integrity;
mod people;
mod plan;
mod quality;
mod records;
mod serve;
mod serve_demo;
mod simulate;
mod watch;

use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{Parser, Subcommand};

use crate::app::{App, StartError};
use crate::clock::Clock;
use crate::config::Config;
use crate::instrument::Mappings;

/// The laboratory information system for city-scale nucleic-acid testing.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where the configuration, the keys and the store are.
#[derive(Debug, clap::Args)]
struct Place {
    /// Configuration file (TOML).
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Folder of the keys and of the embedded store.
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// `sqlite:PATH` or `postgres://...`; SQLite in the data folder when absent.
    #[arg(long, global = true)]
    database: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a morning of testing in a temporary store, or in an empty one named by `--database`;
    /// exit code 2 when it does not add up.
    Demo(demo::Demo),
    /// Serve the pages and the API.
    Serve(serve::Serve),
    /// Play a whole day of a city as a load on a server, started for it in an empty store, or on
    /// the nodes that are named; exit code 2 when it does not add up.
    Simulate(simulate::Simulate),
    /// Bring the store's schema up to date and stop.
    Migrate,
    /// Print what is in force, secrets hidden.
    Check,
    /// Say what is in a run file, or in the several files of one run; exit code 2 when they are
    /// refused.
    Inspect(inspect::Inspect),
    /// Compare pooling schemes: expected tests, accuracy, predictive values, wells and hours.
    Plan(plan::Plan),
    /// Take the run files that instruments drop into a folder, once each.
    Watch(watch::Watch),
    /// Accounts and their tokens.
    #[command(subcommand)]
    User(people::User),
    /// The keys of personal data.
    #[command(subcommand)]
    Key(people::Key),
    /// The proof that nothing is lost; exit code 2 when something is.
    Ledger(records::Ledger),
    /// Signs of over-pooling and of invented results; exit code 2 when there are any.
    Integrity(integrity::Integrity),
    /// Open alarms and where the control charts stand; exit code 2 while an alarm is open.
    Quality(quality::Quality),
    /// The audit trail.
    #[command(subcommand)]
    Audit(records::Audit),
}

/// Something was checked and does not hold: said in one line, exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

/// Why nothing more can be printed.
static UNHEARD: OnceLock<io::Error> = OnceLock::new();

/// Prints a line, until printing fails for the first time.
fn print_line(line: fmt::Arguments<'_>) {
    if UNHEARD.get().is_none() {
        let printed = writeln!(io::stdout().lock(), "{line}");
        printed.unwrap_or_else(|error| drop(UNHEARD.set(error)));
    }
}

/// Whether nobody reads what is printed any more.
fn is_unheard() -> bool {
    UNHEARD.get().is_some()
}

/// What was printed came to its end, or nobody wanted the rest.
fn all_printed() -> anyhow::Result<()> {
    match UNHEARD.get() {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            anyhow::bail!("the output cannot be written: {error}; look at where it goes")
        }
        Some(_) | None => Ok(()),
    }
}

/// Runs the program.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(dispatch(arguments)))
        .and_then(|()| all_printed());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

#[expect(clippy::print_stderr, reason = "the command line speaks to people")]
fn fail(error: &anyhow::Error) -> ExitCode {
    // Every error of ours holds the text of its cause; a store's own text may have several lines.
    let text = error.to_string();
    let line: Vec<_> = text.lines().map(str::trim).collect();
    eprintln!("swabline: {}", line.join(" "));
    if error.is::<Refused>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    let place = arguments.place;
    match arguments.command {
        Command::Demo(demo) => demo.run(place.only_database("demo")?).await,
        Command::Serve(serve) if serve.demo => {
            let temporary = tempfile::tempdir()?;
            serve.run(place.configuration_of_demo(temporary.path())?).await
        }
        Command::Serve(serve) => serve.run(place.configuration()?).await,
        Command::Simulate(simulate) => simulate.run(place.only_database("simulate")?).await,
        Command::Migrate => {
            let app = place.open().await?;
            say!("the store on {} is up to date", app.db.engine());
            app.db.close().await;
            Ok(())
        }
        Command::Check => {
            let config = place.configuration()?;
            say!("{config}");
            for mapping in mappings(&config)?.iter() {
                let proven = if mapping.proven { "proven on" } else { "unproven," };
                say!("mapping {}: {} {}", mapping.name, proven, mapping.proven_on);
            }
            Ok(())
        }
        Command::Inspect(inspect) => inspect.run(&mappings(&place.configuration()?)?),
        Command::Plan(plan) => plan.run(),
        Command::Watch(watch) => Box::pin(watch.run(place.configuration()?)).await,
        Command::User(user) if user.only_asks() => user.run(&place.look().await?).await,
        Command::User(user) if user.begins() => user.run(&place.open().await?).await,
        Command::User(user) => user.run(&place.reopen().await?).await,
        Command::Key(key) => key.run(&place.reopen().await?).await,
        Command::Ledger(ledger) => ledger.run(&place.look().await?).await,
        Command::Integrity(integrity) => integrity.run(&place.look().await?).await,
        Command::Quality(quality) => quality.run(&place.look().await?).await,
        Command::Audit(audit) => audit.run(&place.look().await?).await,
    }
}

impl Place {
    fn configuration(&self) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(data) = &self.data {
            config.data.clone_from(data);
        }
        if let Some(database) = &self.database {
            config.database.clone_from(database);
        }
        Ok(config)
    }

    /// The database, for a command that makes keys and folder itself.
    fn only_database(self, command: &str) -> anyhow::Result<Option<String>> {
        for (option, given) in
            [("--config", self.config.is_some()), ("--data", self.data.is_some())]
        {
            anyhow::ensure!(
                !given,
                "`{command}` plays in a folder of its own and goes by no {option}; leave it out"
            );
        }
        Ok(self.database)
    }

    /// The configuration over an empty store: of the folder and database that are named at the
    /// command line, else of a temporary folder, whatever file and environment say.
    fn configuration_of_demo(&self, temporary: &Path) -> anyhow::Result<Config> {
        let data = self.data.clone().unwrap_or_else(|| temporary.to_owned());
        let database = self.database.clone().unwrap_or_default();
        Ok(Config { data, database, ..self.configuration()? })
    }

    /// Opens the installation, or begins one.
    async fn open(&self) -> anyhow::Result<App> {
        Ok(App::open(self.configuration()?, Clock::system()).await?)
    }

    /// Opens an installation that is there, to read it.
    async fn look(&self) -> anyhow::Result<App> {
        Ok(App::open_existing(self.configuration()?, Clock::system()).await?)
    }

    /// Opens an installation that is there.
    async fn reopen(&self) -> anyhow::Result<App> {
        self.look().await?.db.close().await;
        self.open().await
    }
}

/// The mappings in force; every fault of every file when they are refused.
fn mappings(config: &Config) -> anyhow::Result<Mappings> {
    Mappings::of(&config.mappings).map_err(|faults| StartError::Mappings(faults).into())
}

/// Complaints told in the one line of a failure; the report has all that were answers.
const COMPLAINTS_MAX: usize = 10;

/// What was played must add up; the first complaints in one line otherwise, and how many more
/// there are.
fn must_add_up(what: &str, complaints: &[String]) -> anyhow::Result<()> {
    if complaints.is_empty() {
        return Ok(());
    }
    let (named, rest) = complaints.split_at(complaints.len().min(COMPLAINTS_MAX));
    let more = if rest.is_empty() { String::new() } else { format!("; {} more", rest.len()) };
    Err(Refused(format!("{what} does not add up: {}{more}", named.join("; "))).into())
}

/// Prints a value as JSON, for programs.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    say!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_however_much_is_wrong() {
        let complaints: Vec<String> = (0..COMPLAINTS_MAX + 3).map(|n| format!("c{n}")).collect();
        let said = |complaints| must_add_up("the day", complaints).unwrap_err().to_string();
        assert_eq!(said(&complaints[..2]), "the day does not add up: c0; c1");
        assert!(said(&complaints).ends_with("; c9; 3 more"));
        assert!(must_add_up("the day", &[]).is_ok());
    }
}
