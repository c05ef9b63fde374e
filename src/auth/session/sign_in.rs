//! Coming in and going out: each step in transactions of its own, with its audit row.

use serde_json::json;

use super::store::{self, Known, Password};
use super::totp::Secret;
use super::{Login, Session, Stage, may_sign_in, password, password_refuse, secret_place};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::{Actor, Token, account_find};
use crate::error::{Error, Result};
use crate::storage::{Channel, Tx};

/// One answer for a name nobody has, a wrong password and a wrong code.
fn wrong() -> Error {
    let message = "name, password or code is wrong; try again";
    Error::forbidden("sign_in.wrong", "login", message)
}

/// Signs in with name and password, as far as that goes.
pub async fn sign_in(app: &App, login: &str, typed: String) -> Result<(Token, Stage)> {
    let login = Login::typed(login);
    // Whoever guesses waits behind everybody who works.
    count_try(app, &login, Channel::Query).await?;
    let mut tx = app.db.read("sign_in.find").await?;
    let known = store::login_find(&mut tx, &login).await?;
    drop(tx);
    let kept = known.as_ref().map(|known| known.password.clone());
    let fits = password::fits(typed, kept).await?;
    let known = known.filter(|known| fits && may_sign_in(known.role)).ok_or_else(wrong)?;
    let stage = if known.secret.is_some() {
        Stage::Code
    } else if app.config.second_factor {
        Stage::Enrol
    } else {
        known.stage()
    };
    enter(app, &login, (&known.account, &known.password), stage).await.map(|token| (token, stage))
}

impl Known {
    /// How far somebody is in whom nothing more is asked for.
    const fn stage(&self) -> Stage {
        if self.given == 0 { Stage::Full } else { Stage::Renew }
    }
}

/// Counts a try of somebody who has a session: a signature waits for it, and so it goes with those.
async fn count_own_try(app: &App, login: &Login) -> Result<()> {
    count_try(app, login, Channel::Release).await
}

/// Counts a try on this channel; refuses it when there were too many.
async fn count_try(app: &App, login: &Login, channel: Channel) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.write_on(channel, "sign_in.try").await?;
    let tries = store::try_count(&mut tx, &login.tag(&app.keys), now).await?;
    if tries.is_last()
        && let Some(known) = store::login_find(&mut tx, login).await?
    {
        let actor = account_find(&mut tx, &known.account).await?;
        record(&mut tx, app, &actor, "sign_in.last_try").await?;
    }
    tx.commit().await?;
    match tries.locked_s(now) {
        Some(retry_after_s) => Err(Error::TooMany { retry_after_s }),
        None => Ok(()),
    }
}

/// Begins a session at this stage; with the last one the tries are forgotten.
///
/// The password that was looked at must still be the one that is kept: it may have been taken away
/// while it was compared.
async fn enter(
    app: &App,
    login: &Login,
    (account, looked_at): (&str, &str),
    stage: Stage,
) -> Result<Token> {
    let mut tx = app.db.write("sign_in.enter").await?;
    still_kept(&mut tx, login, looked_at).await?;
    let token = begin(&mut tx, app, login, (account, stage)).await?;
    tx.commit().await?;
    Ok(token)
}

/// Begins a session in the transaction that allows it, so that nothing is taken away in between.
async fn begin(
    tx: &mut Tx,
    app: &App,
    login: &Login,
    (account, stage): (&str, Stage),
) -> Result<Token> {
    let token = store::session_begin(tx, account, stage, app.clock.now()).await?;
    if stage != Stage::Code {
        store::try_clear(tx, &login.tag(&app.keys)).await?;
        let actor = account_find(tx, account).await?;
        record(tx, app, &actor, "session.begin").await?;
    }
    Ok(token)
}

/// Refuses a password that somebody else changed since it was looked at.
async fn still_kept(tx: &mut Tx, login: &Login, password: &str) -> Result<()> {
    let known = store::login_find(tx, login).await?.ok_or_else(wrong)?;
    if known.password == password { Ok(()) } else { Err(wrong()) }
}

/// Goes on from the password with the code of the second factor; the cookie changes with it.
pub async fn code(app: &App, session: &Session, typed: &str) -> Result<Token> {
    let account = &session.actor.account;
    let mut tx = app.db.read("sign_in.login").await?;
    let login = store::login_of(&mut tx, account).await?.ok_or_else(wrong)?;
    drop(tx);
    count_own_try(app, &login).await?;
    let mut tx = app.db.write("sign_in.code").await?;
    factor_spend(&mut tx, app, account, typed).await?;
    let known = store::login_find(&mut tx, &login).await?.ok_or_else(wrong)?;
    // Whoever was given another password meanwhile has no session left to go on with.
    if !store::session_end(&mut tx, &session.hash).await? {
        return Err(Error::Unauthenticated);
    }
    let token = begin(&mut tx, app, &login, (account, known.stage())).await?;
    tx.commit().await?;
    Ok(token)
}

/// Uses a code of an account's second factor.
async fn factor_spend(tx: &mut Tx, app: &App, account: &str, typed: &str) -> Result<()> {
    let factor = store::factor_find(tx, account).await?.ok_or_else(wrong)?;
    let secret = open(app, account, &factor.secret)?;
    let now = app.clock.now();
    let step = secret.step_of(typed, now, factor.last_step).ok_or_else(wrong)?;
    if store::factor_use(tx, account, step, now).await? { Ok(()) } else { Err(wrong()) }
}

fn open(app: &App, account: &str, sealed: &[u8]) -> Result<Secret> {
    let opened = app.keys.open(secret_place(account), sealed);
    opened.map(Secret::of).map_err(|error| Error::Internal(format!("a second factor: {error}")))
}

/// Ends a session.
pub async fn sign_out(app: &App, session: &Session) -> Result<()> {
    let mut tx = app.db.write("session.end").await?;
    store::session_end(&mut tx, &session.hash).await?;
    record(&mut tx, app, &session.actor, "session.end").await?;
    tx.commit().await?;
    Ok(())
}

/// Proves who sits there, with the password and, where there is one, a code; good for one
/// signature (R26). Wrong proofs are counted with wrong passwords.
pub async fn prove(app: &App, session: &Session, typed: String, code: Option<&str>) -> Result<()> {
    let known = check(app, session, typed).await?;
    let mut tx = app.db.write("session.prove").await?;
    if known.secret.is_some() {
        factor_spend(&mut tx, app, &known.account, code.unwrap_or_default()).await?;
    }
    let login = store::login_of(&mut tx, &known.account).await?.ok_or_else(wrong)?;
    store::try_clear(&mut tx, &login.tag(&app.keys)).await?;
    store::session_prove(&mut tx, &session.hash, app.clock.now()).await?;
    record(&mut tx, app, &session.actor, "session.prove").await?;
    tx.commit().await?;
    Ok(())
}

/// Whoever sits there, when this is their password.
async fn check(app: &App, session: &Session, typed: String) -> Result<Known> {
    let mut tx = app.db.read("sign_in.login").await?;
    let login = store::login_of(&mut tx, &session.actor.account).await?.ok_or_else(wrong)?;
    drop(tx);
    count_own_try(app, &login).await?;
    let mut tx = app.db.read("sign_in.find").await?;
    let known = store::login_find(&mut tx, &login).await?.ok_or_else(wrong)?;
    drop(tx);
    let fits = password::fits(typed, Some(known.password.clone())).await?;
    if fits { Ok(known) } else { Err(wrong()) }
}

/// Changes one's own password, to another one; every other session of the account ends.
pub async fn password_change(app: &App, session: &Session, old: String, new: String) -> Result<()> {
    if old == new {
        let message = "this is the password you have; choose another";
        return Err(Error::invalid("password.same", "password", message));
    }
    let mut tx = app.db.read("sign_in.login").await?;
    let login = store::login_of(&mut tx, &session.actor.account).await?.ok_or_else(wrong)?;
    drop(tx);
    // Before the old one is tried: whoever looks for a good new one uses no try up.
    password_refuse(login.as_str(), &new)?;
    let known = check(app, session, old).await?;
    let account = &known.account;
    let hash = password::hash(new).await?;
    let mut tx = app.db.write("password.change").await?;
    still_kept(&mut tx, &login, &known.password).await?;
    let password = Password { login: &login, hash: &hash, is_given: false };
    store::login_put(&mut tx, account, password, app.clock.now()).await?;
    store::sessions_end(&mut tx, account, &session.hash).await?;
    store::session_whole(&mut tx, &session.hash).await?;
    store::try_clear(&mut tx, &login.tag(&app.keys)).await?;
    record(&mut tx, app, &session.actor, "password.change").await?;
    tx.commit().await?;
    Ok(())
}

/// What somebody needs to set up an authenticator.
#[derive(Debug)]
pub struct Enrolment {
    /// The secret, to be typed.
    pub secret: String,
    /// The same for a QR code.
    pub uri: String,
}

/// Begins to set up a second factor, or shows again the one that was begun.
pub async fn enrol(app: &App, session: &Session) -> Result<Enrolment> {
    let account = &session.actor.account;
    let mut tx = app.db.write("second_factor.begin").await?;
    let login = store::login_of(&mut tx, account).await?.ok_or_else(wrong)?;
    let begun = store::factor_find(&mut tx, account).await?.filter(|f| f.confirmed.is_none());
    let secret = match begun {
        Some(factor) => open(app, account, &factor.secret)?,
        None => Secret::generate(),
    };
    let sealed = app.keys.seal(secret_place(account), secret.bytes());
    store::factor_put(&mut tx, account, &sealed, 0).await?;
    tx.commit().await?;
    Ok(Enrolment { secret: secret.base32(), uri: secret.uri(login.as_str()) })
}

/// Confirms a second factor with its first code; the session is a whole one from then on, under
/// another cookie.
pub async fn confirm(app: &App, session: &Session, typed: &str) -> Result<Token> {
    let account = &session.actor.account;
    let mut tx = app.db.read("sign_in.login").await?;
    let login = store::login_of(&mut tx, account).await?.ok_or_else(wrong)?;
    drop(tx);
    count_own_try(app, &login).await?;
    let mut tx = app.db.write("second_factor.confirm").await?;
    factor_spend(&mut tx, app, account, typed).await?;
    record(&mut tx, app, &session.actor, "second_factor.confirm").await?;
    let known = store::login_find(&mut tx, &login).await?.ok_or_else(wrong)?;
    if !store::session_end(&mut tx, &session.hash).await? {
        return Err(Error::Unauthenticated);
    }
    store::sessions_end(&mut tx, account, "").await?;
    let token = begin(&mut tx, app, &login, (account, known.stage())).await?;
    tx.commit().await?;
    Ok(token)
}

/// Gives an account a name and a password from the console, and ends every session it has.
pub async fn login_give(
    app: &App,
    by: &Actor,
    account: &str,
    (login, password): (&str, String),
) -> Result<()> {
    let login = Login::parse(login)?;
    password_refuse(login.as_str(), &password)?;
    let hash = password::hash(password).await?;
    let mut tx = app.db.write("password.give").await?;
    let actor = account_find(&mut tx, account).await?;
    if !may_sign_in(actor.role) {
        let message = "a service has a token and signs in at no page; give it none";
        return Err(Error::invalid("sign_in.service", account, message));
    }
    let at = app.clock.now();
    let password = Password { login: &login, hash: &hash, is_given: false };
    store::login_put(&mut tx, account, password, at).await?;
    store::sessions_end(&mut tx, account, "").await?;
    store::try_clear(&mut tx, &login.tag(&app.keys)).await?;
    let detail = json!({});
    audit::record(
        &mut tx,
        Entry { at, actor: by, action: "password.give", about: account, detail },
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Takes a lost second factor away from the console, and ends every session of the account.
pub async fn factor_take(app: &App, by: &Actor, account: &str) -> Result<()> {
    let mut tx = app.db.write("second_factor.take").await?;
    if !store::factor_drop(&mut tx, account).await? {
        return Err(Error::not_found("second factor", account));
    }
    store::sessions_end(&mut tx, account, "").await?;
    let (at, action) = (app.clock.now(), "second_factor.take");
    audit::record(&mut tx, Entry { at, actor: by, action, about: account, detail: json!({}) })
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Whether a second factor is in use.
pub async fn has_factor(app: &App, account: &str) -> Result<bool> {
    let mut tx = app.db.read("second_factor.find").await?;
    let factor = store::factor_find(&mut tx, account).await?;
    Ok(factor.is_some_and(|factor| factor.confirmed.is_some()))
}

async fn record(tx: &mut Tx, app: &App, actor: &Actor, action: &'static str) -> Result<()> {
    let (at, about) = (app.clock.now(), actor.account.as_str());
    audit::record(tx, Entry { at, actor, action, about, detail: json!({}) }).await
}
