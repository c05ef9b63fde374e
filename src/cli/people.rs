//! `swabline user` and `swabline key`: who may come in, and the keys that seal people.

use serde_json::json;

use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::session::{Login, password, sign_in, store};
use crate::auth::{self, Actor, NewAccount, Role};
use crate::barcode::PlaceCode;
use crate::clock::Span;
use crate::seal::KeyRing;

#[derive(Debug, clap::Subcommand)]
pub(super) enum User {
    /// Make an account and print its token, once.
    Add {
        /// Printed name, as it stands in signatures.
        #[arg(long)]
        name: String,
        /// What they do.
        #[arg(long)]
        role: Role,
        /// The site they are bound to.
        #[arg(long)]
        site: Option<String>,
        /// The laboratory they are bound to.
        #[arg(long)]
        laboratory: Option<String>,
        /// Days until the token ends.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=366))]
        days: i64,
        /// A name to sign in with at the pages; a password is made and printed, once.
        #[arg(long)]
        login: Option<String>,
    },
    /// Give an account a password for the pages; one is made and printed, once. Ends its sessions.
    Password {
        /// The account's id.
        account: String,
        /// The name to sign in with; the one it has when absent.
        #[arg(long)]
        login: Option<String>,
        /// Read the password from the first line of the input instead of making one.
        #[arg(long)]
        stdin: bool,
    },
    /// Take a lost second factor away from an account. Ends its sessions.
    ForgetFactor {
        /// The account's id.
        account: String,
    },
    /// Another token for an account.
    Token {
        /// The account's id.
        account: String,
        /// Days until the token ends.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=366))]
        days: i64,
    },
    /// End an account and all its tokens at once.
    Disable {
        /// The account's id.
        account: String,
    },
    /// Every live account.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

impl User {
    /// Whether it changes nothing.
    pub(super) const fn only_asks(&self) -> bool {
        matches!(self, Self::List { .. })
    }

    /// Whether it may be the first thing an installation hears.
    pub(super) const fn begins(&self) -> bool {
        matches!(self, Self::Add { .. })
    }

    pub(super) async fn run(self, app: &App) -> anyhow::Result<()> {
        match self {
            Self::Add { name, role, site, laboratory, days, login } => {
                let site = site.as_deref().map(place).transpose()?;
                let laboratory = laboratory.as_deref().map(place).transpose()?;
                if let Some(login) = &login {
                    Login::parse(login)?;
                }
                let made = add(app, NewAccount { name, role, site, laboratory }, days).await?;
                if let Some(login) = login {
                    give(app, &made, &login, None).await?;
                }
            }
            Self::Password { account, login, stdin } => {
                password_give(app, &account, login, stdin).await?;
            }
            Self::ForgetFactor { account } => {
                sign_in::factor_take(app, &console(), &account).await?;
                say!("account {account} has no second factor any more");
            }
            Self::Token { account, days } => issue(app, &account, days).await?,
            Self::Disable { account } => disable(app, &account).await?,
            Self::List { json } => list(app, json).await?,
        }
        app.db.close().await;
        Ok(())
    }
}

/// The code of a place as everything else writes it; typed in lower case it is the same place.
fn place(typed: &str) -> anyhow::Result<String> {
    let code = PlaceCode::parse(&typed.to_ascii_uppercase())
        .map_err(|error| anyhow::anyhow!("`{typed}` is no site or laboratory: {error}"))?;
    Ok(code.as_str().to_owned())
}

/// The person at the machine's own console, who is above every account.
fn console() -> Actor {
    Actor {
        account: "console".to_owned(),
        name: "console".to_owned(),
        role: Role::Administrator,
        site: None,
        laboratory: None,
    }
}

/// Gives an account this name and this password, or a made one that is printed.
async fn give(app: &App, account: &str, login: &str, chosen: Option<String>) -> anyhow::Result<()> {
    let is_made = chosen.is_none();
    let password = chosen.unwrap_or_else(password::generate);
    sign_in::login_give(app, &console(), account, (login, password.clone())).await?;
    say!("login   {}", Login::typed(login).as_str());
    if is_made {
        say!("password {password}");
    }
    Ok(())
}

async fn password_give(
    app: &App,
    account: &str,
    login: Option<String>,
    stdin: bool,
) -> anyhow::Result<()> {
    let mut tx = app.db.read("user.login").await?;
    auth::account_find(&mut tx, account).await?;
    let own = store::login_of(&mut tx, account).await?;
    drop(tx);
    let login = login.or_else(|| own.map(|own| own.as_str().to_owned()));
    let Some(login) = login else {
        anyhow::bail!("account {account} has no name to sign in with yet; give one with --login")
    };
    let mut line = String::new();
    if stdin {
        std::io::stdin().read_line(&mut line)?;
    }
    let chosen = stdin.then(|| line.trim_end_matches(['\r', '\n']).to_owned());
    give(app, account, &login, chosen).await
}

async fn add(app: &App, new: NewAccount, days: i64) -> anyhow::Result<String> {
    let mut tx = app.db.write("user.add").await?;
    let made = auth::account_add(&mut tx, &app.clock, new).await?;
    let at = app.clock.now();
    let token = auth::token_issue(&mut tx, &made.account, "console", at, Span::days(days)).await?;
    let (actor, detail) = (console(), json!({ "role": made.role, "days": days }));
    let entry = Entry { at, actor: &actor, action: "user.add", about: &made.account, detail };
    audit::record(&mut tx, entry).await?;
    tx.commit().await?;
    say!("account {}\ntoken   {}", made.account, token.reveal());
    Ok(made.account)
}

async fn issue(app: &App, account: &str, days: i64) -> anyhow::Result<()> {
    let mut tx = app.db.write("user.token").await?;
    anyhow::ensure!(
        auth::accounts(&mut tx).await?.iter().any(|actor| actor.account == account),
        "there is no live account {account}; see `swabline user list`"
    );
    let at = app.clock.now();
    let token = auth::token_issue(&mut tx, account, "console", at, Span::days(days)).await?;
    let (actor, detail) = (console(), json!({ "days": days }));
    let entry = Entry { at, actor: &actor, action: "user.token", about: account, detail };
    audit::record(&mut tx, entry).await?;
    tx.commit().await?;
    say!("token   {}", token.reveal());
    Ok(())
}

async fn disable(app: &App, account: &str) -> anyhow::Result<()> {
    let mut tx = app.db.write("user.disable").await?;
    let at = app.clock.now();
    auth::account_disable(&mut tx, account, at).await?;
    let (actor, detail) = (console(), json!({}));
    let entry = Entry { at, actor: &actor, action: "user.disable", about: account, detail };
    audit::record(&mut tx, entry).await?;
    tx.commit().await?;
    say!("account {account} is ended");
    Ok(())
}

async fn list(app: &App, as_json: bool) -> anyhow::Result<()> {
    let mut tx = app.db.read("user.list").await?;
    let accounts = auth::accounts(&mut tx).await?;
    if as_json {
        return super::print_json(&accounts);
    }
    for actor in accounts {
        let place = actor.site.or(actor.laboratory).unwrap_or_default();
        say!("{}  {:?}  {place}  {}", actor.account, actor.role, actor.name);
    }
    Ok(())
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Key {
    /// Seal everything new with a fresh key; what is sealed already still opens.
    Rotate,
}

impl Key {
    pub(super) async fn run(&self, app: &App) -> anyhow::Result<()> {
        let Self::Rotate = self;
        let path = app.config.keys_path();
        let mut ring = KeyRing::read(&path)?;
        let key = ring.rotate();
        let mut tx = app.db.write("key.rotate").await?;
        let (at, actor, detail) = (app.clock.now(), console(), json!({ "key": key }));
        let entry = Entry { at, actor: &actor, action: "key.rotate", about: "keys", detail };
        audit::record(&mut tx, entry).await?;
        // A key that cannot be kept leaves no row; only a commit that fails after it is kept
        // leaves a key without one.
        ring.replace(&path)?;
        tx.commit().await?;
        app.db.close().await;
        say!("a fresh key is in {}; restart the service to use it", path.display());
        Ok(())
    }
}
