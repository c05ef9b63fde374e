//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, LogFormat};

/// The laboratory information system for city-scale nucleic-acid testing.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Configuration file (TOML).
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Folder of the keys and of the embedded store.
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// `sqlite:PATH` or `postgres://...`; SQLite in the data folder when absent.
    #[arg(long, global = true)]
    database: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API.
    Serve {
        /// Address to serve on.
        #[arg(long)]
        listen: Option<std::net::SocketAddr>,
    },
    /// Bring the store's schema up to date and stop.
    Migrate,
    /// Print what is in force, secrets hidden.
    Check,
}

/// Runs the program; an error is one line and a non-zero code.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error)),
    };
    match runtime.block_on(dispatch(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

#[expect(clippy::print_stderr, reason = "the command line speaks to people")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("swabline: {error:#}");
    ExitCode::FAILURE
}

fn configure(arguments: &Arguments) -> anyhow::Result<Config> {
    let mut config = Config::load(arguments.config.as_deref())?;
    if let Some(data) = &arguments.data {
        config.data.clone_from(data);
    }
    if let Some(database) = &arguments.database {
        config.database.clone_from(database);
    }
    Ok(config)
}

#[expect(clippy::print_stdout, reason = "the command line speaks to people")]
async fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    let mut config = configure(&arguments)?;
    match arguments.command {
        Command::Serve { listen } => {
            config.listen = listen.unwrap_or(config.listen);
            serve(config).await
        }
        Command::Migrate => {
            let app = App::open(config, Clock::system()).await?;
            println!("the store on {} is up to date", app.db.engine());
            app.db.close().await;
            Ok(())
        }
        Command::Check => {
            println!("{config}");
            Ok(())
        }
    }
}

#[expect(clippy::print_stdout, reason = "the address is what the caller waits for")]
async fn serve(config: Config) -> anyhow::Result<()> {
    log_to_stderr(config.log);
    crate::http::health::recorder();
    let app = App::open(config, Clock::system()).await?;
    let listener = app.listen().await?;
    println!("swabline serves on http://{} from {}", listener.local_addr()?, app.db.engine());
    app.serve(listener, stop_signal()).await?;
    Ok(())
}

fn log_to_stderr(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}

/// Resolves on Ctrl-C or SIGTERM.
async fn stop_signal() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .expect("a runtime with signals is running");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
