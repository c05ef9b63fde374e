//! Accounts as an administrator keeps them at a page: each step in one transaction with its audit
//! row. Nobody ends their own account or comes in anew by it, keys are for programs alone, and one
//! administrator who can sign in always stays.

use serde_json::json;
use sqlx::{FromRow, query, query_as};

use super::session::store::{self as logins, Password};
use super::session::{Login, may_sign_in, password, password_refuse, sign_in};
use super::store::{TOKENS_REVOKE, account_add, account_disable, account_find, token_issue};
use super::{Actor, NewAccount, Role, Token};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::clock::{Span, Time};
use crate::error::{Error, Reason, Result};
use crate::storage::Tx;

/// `$1` time: every account with how it comes in, the live ones first.
pub const KEPT: &str = "select a.id, a.name, a.role, a.site_code as site,
        a.laboratory_code as laboratory, a.created_us, a.disabled_us, s.login,
        (select max(f.confirmed_us) from second_factor f where f.account_id = a.id) as factor_us,
        (select count(*) from token t where t.account_id = a.id and t.revoked_us is null
            and t.expires_us > $1) as tokens
    from account a left join sign_in s on s.account_id = a.id
    order by coalesce(a.disabled_us, 0), a.role, a.name, a.id";
/// Changes nothing: of two administrators who end accounts at once, the second waits for the first
/// and then sees who is left.
pub const ADMINISTRATORS_HOLD: &str =
    "update account set role = role where role = 'administrator' and disabled_us is null";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] =
    &[("KEPT", KEPT), ("ADMINISTRATORS_HOLD", ADMINISTRATORS_HOLD)];

/// An account in the list.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Kept {
    /// Its id.
    pub id: String,
    /// The name in signatures.
    pub name: String,
    /// What they do.
    pub role: Role,
    /// The site they are bound to.
    pub site: Option<String>,
    /// The laboratory they are bound to.
    pub laboratory: Option<String>,
    /// Since when.
    #[sqlx(rename = "created_us")]
    pub created: Time,
    /// When it was ended.
    #[sqlx(rename = "disabled_us")]
    pub disabled: Option<Time>,
    /// The name to sign in with.
    pub login: Option<String>,
    /// Since when there is a second factor.
    #[sqlx(rename = "factor_us")]
    pub factor: Option<Time>,
    /// Tokens that are live.
    pub tokens: i64,
}

impl Kept {
    /// Whether it is a program's, which comes in by a key.
    pub fn is_program(&self) -> bool {
        !may_sign_in(self.role)
    }
}

/// Every account.
pub async fn kept(app: &App) -> Result<Vec<Kept>> {
    let now = app.clock.now();
    let mut tx = app.db.read("account.list").await?;
    Ok(on!(tx, c => query_as(KEPT).bind(now).fetch_all(c).await)?)
}

async fn record(
    tx: &mut Tx,
    (app, by): (&App, &Actor),
    (action, about): (&'static str, &str),
    detail: serde_json::Value,
) -> Result<()> {
    let at = app.clock.now();
    audit::record(tx, Entry { at, actor: by, action, about, detail }).await
}

/// Makes an account with a name to sign in with; gives its id and its password, which nobody can
/// read again.
pub async fn add(
    app: &App,
    by: &Actor,
    new: NewAccount,
    login: &str,
) -> Result<(String, Option<String>)> {
    let signs_in = may_sign_in(new.role);
    let login = signs_in.then(|| Login::parse(login)).transpose()?;
    let made = login.as_ref().map(|_login| password::generate());
    let hash = match &made {
        Some(made) => Some(password::hash(made.clone()).await?),
        None => None,
    };
    let mut tx = app.db.write("account.add").await?;
    let account = account_add(&mut tx, &app.clock, new).await?;
    if let (Some(login), Some(hash)) = (&login, &hash) {
        let password = Password { login, hash, is_given: true };
        logins::login_put(&mut tx, &account.account, password, app.clock.now()).await?;
    }
    let detail = json!({ "role": account.role, "site": account.site,
        "laboratory": account.laboratory });
    record(&mut tx, (app, by), ("user.add", &account.account), detail).await?;
    tx.commit().await?;
    Ok((account.account, made))
}

/// Refuses what would let somebody at an open page come in as themselves anew.
fn refuse_own(by: &Actor, account: &str) -> Result<()> {
    if by.account == account {
        let message =
            "this is your own account; change it on your account's page, with your password";
        return Err(Error::invalid("account.self", account, message));
    }
    Ok(())
}

/// Takes the second factor of somebody else away.
pub async fn factor_take(app: &App, by: &Actor, account: &str) -> Result<()> {
    refuse_own(by, account)?;
    sign_in::factor_take(app, by, account).await
}

/// Gives somebody else another password, and ends every session they have; gives the password.
pub async fn password_reset(app: &App, by: &Actor, account: &str) -> Result<String> {
    refuse_own(by, account)?;
    let made = password::generate();
    let hash = password::hash(made.clone()).await?;
    let mut tx = app.db.write("account.password").await?;
    account_find(&mut tx, account).await?;
    let login = logins::login_of(&mut tx, account).await?;
    let login = login.ok_or_else(|| Error::not_found("name to sign in with", account))?;
    password_refuse(login.as_str(), &made)?;
    let password = Password { login: &login, hash: &hash, is_given: true };
    logins::login_put(&mut tx, account, password, app.clock.now()).await?;
    logins::sessions_end(&mut tx, account, "").await?;
    logins::try_clear(&mut tx, &login.tag(&app.keys)).await?;
    record(&mut tx, (app, by), ("password.give", account), json!({})).await?;
    tx.commit().await?;
    Ok(made)
}

/// Issues a key for a program; gives the key, which nobody can read again.
pub async fn key_issue(
    app: &App,
    by: &Actor,
    account: &str,
    (label, days): (&str, i64),
) -> Result<Token> {
    if !(1..=366).contains(&days) {
        let message = "a key is good for 1 to 366 days; choose";
        return Err(Error::invalid("account.days", "days", message));
    }
    let mut tx = app.db.write("account.token").await?;
    // A key needs no password for a signature: with one of a person somebody else could sign.
    if may_sign_in(account_find(&mut tx, account).await?.role) {
        let message = "keys made here are for programs; a person signs in with a password";
        return Err(Error::invalid("account.person", account, message));
    }
    let (now, good_for) = (app.clock.now(), Span::days(days));
    let token = token_issue(&mut tx, account, label, now, good_for).await?;
    record(&mut tx, (app, by), ("user.token", account), json!({ "days": days })).await?;
    tx.commit().await?;
    Ok(token)
}

/// Ends every key of an account; the account stays.
pub async fn keys_revoke(app: &App, by: &Actor, account: &str) -> Result<()> {
    let mut tx = app.db.write("account.revoke").await?;
    account_find(&mut tx, account).await?;
    let now = app.clock.now();
    on!(tx, c => query(TOKENS_REVOKE).bind(account).bind(now).execute(c).await.map(drop))?;
    record(&mut tx, (app, by), ("user.revoke", account), json!({})).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends an account, its keys and its sessions at once.
pub async fn disable(app: &App, by: &Actor, account: &str) -> Result<()> {
    let mut tx = app.db.write("account.disable").await?;
    on!(tx, c => query(ADMINISTRATORS_HOLD).execute(c).await.map(drop))?;
    // Whoever was ended meanwhile ends nobody.
    account_find(&mut tx, &by.account).await?;
    let ended = account_find(&mut tx, account).await?;
    let others: Vec<Kept> = on!(tx, c => query_as(KEPT).bind(app.clock.now()).fetch_all(c).await)?;
    against_end(by, &ended, &others)?;
    account_disable(&mut tx, account, app.clock.now()).await?;
    logins::sessions_end(&mut tx, account, "").await?;
    record(&mut tx, (app, by), ("user.disable", account), json!({})).await?;
    tx.commit().await?;
    Ok(())
}

/// Why an account is not ended.
fn against_end(by: &Actor, ended: &Actor, all: &[Kept]) -> Result<()> {
    let mut reasons = Vec::new();
    if by.account == ended.account {
        let message = "you cannot end your own account; ask another administrator";
        reasons.push(Reason::new("account.own", &ended.account, message));
    }
    let stays = |kept: &&Kept| {
        let is_able = kept.login.is_some() && kept.disabled.is_none();
        kept.role == Role::Administrator && is_able && kept.id != ended.account
    };
    if ended.role == Role::Administrator && !all.iter().any(|kept| stays(&kept)) {
        let message = "this is the last administrator who can sign in; make another one first";
        reasons.push(Reason::new("account.last", &ended.account, message));
    }
    crate::error::refuse_if_any(reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(id: &str, role: Role, login: Option<&str>) -> Kept {
        Kept {
            id: id.to_owned(),
            name: id.to_owned(),
            role,
            site: None,
            laboratory: None,
            created: Time::from_us(0),
            disabled: None,
            login: login.map(str::to_owned),
            factor: None,
            tokens: 0,
        }
    }

    fn actor(id: &str, role: Role) -> Actor {
        let (account, name) = (id.to_owned(), id.to_owned());
        Actor { account, name, role, site: None, laboratory: None }
    }

    #[test]
    fn nobody_ends_themselves_and_one_administrator_stays() {
        let (a, b) = (actor("A", Role::Administrator), actor("B", Role::Administrator));
        let both =
            [kept("A", Role::Administrator, Some("a")), kept("B", Role::Administrator, Some("b"))];
        assert!(against_end(&a, &b, &both).is_ok());
        assert!(against_end(&a, &a, &both).is_err());
        let keyless = [both[0].clone(), kept("B", Role::Administrator, None)];
        assert!(against_end(&b, &a, &keyless).is_err(), "B cannot sign in");
        let sampler = actor("S", Role::Sampler);
        assert!(against_end(&a, &sampler, &both[..1]).is_ok());
    }
}
