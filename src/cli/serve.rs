//! `swabline serve`: the service itself, until it is told to stop; with `--demo` over a city that
//! is made up.

use std::io::IsTerminal as _;
use std::net::SocketAddr;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, LogFormat};

/// What is logged unless `RUST_LOG` says otherwise. The schema's steps make sure of what is there
/// already, and PostgreSQL would say so at each start; a statement that takes a second is nothing that
/// went wrong.
const LOGGED: &str = "info,sqlx::postgres::notice=warn,sqlx::query=error";

#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// Address to serve on; port 0 takes a free one.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// How log lines are written.
    #[arg(long)]
    log: Option<LogFormat>,
    /// Serve a made-up city that moves by itself, from a temporary folder or an empty store, with
    /// somebody to sign in as for every role; it ends with the server.
    #[arg(long)]
    pub(super) demo: bool,
}

impl Serve {
    pub(super) async fn run(self, mut config: Config) -> anyhow::Result<()> {
        config.listen = self.listen.unwrap_or(config.listen);
        config.log = self.log.unwrap_or(config.log);
        if self.demo {
            return Box::pin(super::serve_demo::run(config)).await;
        }
        log_to_stderr(config.log, LOGGED);
        // Before anybody is told the address: whoever reads it may at once ask for a stop.
        let stop = stop_signal()?;
        crate::http::health::recorder();
        let app = App::open(config, Clock::system()).await?;
        let listener = app.listen()?;
        say!("swabline serves on http://{} from {}", listener.local_addr()?, app.db.engine());
        app.serve(listener, stop).await?;
        Ok(())
    }
}

/// `logged` unless `RUST_LOG` says otherwise.
pub(super) fn log_to_stderr(format: LogFormat, logged: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new(logged));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}

/// Resolves on Ctrl-C or SIGTERM.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
