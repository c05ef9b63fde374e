//! `swabline serve --demo`: a made-up city that moves by itself, to try every page in.

use std::pin::pin;

use indicatif::{ProgressBar, ProgressStyle};

use super::serve::{log_to_stderr, stop_signal};
use crate::app::App;
use crate::auth;
use crate::clock::Clock;
use crate::config::Config;
use crate::simulation::Failure;
use crate::simulation::alive::{Alive, SignIn, Tries};
use crate::storage::{Db, OpenError};

/// Who tries it reads the table, not the log.
const LOGGED: &str = "warn";

/// Plays what lies behind in an empty store, and serves from it while the city goes on.
pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    log_to_stderr(config.log, LOGGED);
    let mut stop = pin!(stop_signal()?);
    crate::http::health::recorder();
    // Everybody in it is invented, as is the kit; whoever tries it has no authenticator at hand,
    // and nobody else's Redis hears of it.
    let config =
        Config { demonstration_kits: true, second_factor: false, redis: String::new(), ..config };
    let store = config.database_url();
    let clock = Clock::system();
    refuse_strangers(&config, &clock).await?;
    let bar = progress()?;
    let begun = tokio::select! {
        begun = Alive::begin(config.clone(), clock.now(), &bar) => begun,
        () = &mut stop => return Ok(()),
    };
    let mut alive = begun.map_err(|failure| refused(failure, &store))?;
    let app = App::open(config, clock).await?;
    let listener = app.listen()?;
    let address = listener.local_addr()?;
    let sign_ins = alive.sign_ins(&app).await?;
    say!("swabline serves on http://{address} from {}", app.db.engine());
    tell(&sign_ins, alive.tries().as_ref(), &format!("http://{address}"));
    let (told, stopped) = tokio::sync::oneshot::channel::<()>();
    let stop_serving = async move { stopped.await.unwrap_or(()) };
    let mut serving = pin!(app.clone().serve(listener, stop_serving));
    let moving = async {
        match alive.go_on(&app, &format!("http://{address}")).await {
            Ok(()) => alive.keep_moving().await,
            Err(error) => tracing::warn!(%error, "the city stands still"),
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        served = &mut serving => return Ok(served?),
        () = moving => {}
        () = stop => {}
    }
    told.send(()).unwrap_or(());
    Ok(serving.await?)
}

/// Refuses a store in which somebody works, before anything in it is touched.
async fn refuse_strangers(config: &Config, clock: &Clock) -> anyhow::Result<()> {
    let db = match Db::open_existing(&config.database_url(), clock).await {
        Ok(db) => db,
        // Nothing is there, or not the first step of ours was taken in it.
        Err(OpenError::Absent(_) | OpenError::Older(1)) => return Ok(()),
        Err(other) => return Err(other.into()),
    };
    let mut tx = db.read("user.list").await?;
    let is_empty = auth::accounts(&mut tx).await?.is_empty();
    drop(tx);
    db.close().await;
    if is_empty { Ok(()) } else { Err(refused(Failure::NotEmpty, &config.database_url())) }
}

/// Why nothing is shown, and what to do.
fn refused(failure: Failure, store: &str) -> anyhow::Error {
    match failure {
        Failure::NotEmpty => anyhow::anyhow!(
            "{} has accounts already, and a made-up city is put into an empty store only; leave \
             --data and --database out, or name an empty folder with --data",
            shown(store)
        ),
        other => other.into(),
    }
}

/// Which store it is, without a password.
fn shown(store: &str) -> &str {
    if store.starts_with("sqlite:") { store } else { "the database" }
}

/// Who may sign in, and what can be tried; everything is made up.
fn tell(sign_ins: &[SignIn], tries: Option<&Tries>, address: &str) {
    say!("\nEverybody and everything in it is made up. It goes on by itself; Ctrl-C ends it.\n");
    say!("  {:<15}{:<31}who", "sign in as", "password");
    for SignIn { login, work, password } in sign_ins {
        say!("  {login:<15}{password:<31}{work}");
    }
    say!("\n  sign in at     {address}/sign-in");
    if let Some(tries) = tries {
        let Tries { box_code, tube, plate, document, pickup_code, link } = tries;
        say!("\n  a box to take in             {box_code}");
        say!("  a tube that waits            {tube}");
        say!("  a plate to run               {plate}");
        say!("  a resident with a result     {address}/r");
        say!("    resident ID                {document}");
        say!("    pick-up code               {pickup_code}");
        say!("    or by link                 {address}/r#link={link}");
    }
    say!("");
}

/// A bar on standard error while the past is played; none where nobody looks.
fn progress() -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos:>4}/{len} {msg}")?;
    Ok(ProgressBar::new(1).with_style(style))
}
