//! Accounts and tokens.

use sqlx::{FromRow, query, query_as};

use super::{Actor, Role, Token};
use crate::clock::{Clock, Span, Time};
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::storage::{Tx, ensure_rows};

/// Token hash, time; only a live token of a live account.
pub const ACCOUNT_BY_TOKEN: &str = "select a.id, a.name, a.role, a.site_code, a.laboratory_code,
        t.expires_us
    from token t join account a on a.id = t.account_id
    where t.hash = $1 and t.expires_us > $2 and t.revoked_us is null and a.disabled_us is null";
/// Id, name, role, site, laboratory, time.
pub const ACCOUNT_ADD: &str = "insert into account
    (id, name, role, site_code, laboratory_code, created_us) values ($1, $2, $3, $4, $5, $6)";
/// Every live account.
pub const ACCOUNTS: &str = "select id, name, role, site_code, laboratory_code from account
    where disabled_us is null order by id";
/// Account; only a live one.
pub const ACCOUNT_FIND: &str = "select id, name, role, site_code, laboratory_code from account
    where id = $1 and disabled_us is null";
/// Account, time.
pub const ACCOUNT_DISABLE: &str =
    "update account set disabled_us = $2 where id = $1 and disabled_us is null";
/// Account, time.
pub const TOKENS_REVOKE: &str =
    "update token set revoked_us = $2 where account_id = $1 and revoked_us is null";
/// Hash, account, label, time, end.
pub const TOKEN_ADD: &str = "insert into token (hash, account_id, label, created_us, expires_us)
    values ($1, $2, $3, $4, $5)";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("ACCOUNT_BY_TOKEN", ACCOUNT_BY_TOKEN),
    ("ACCOUNT_ADD", ACCOUNT_ADD),
    ("ACCOUNTS", ACCOUNTS),
    ("ACCOUNT_FIND", ACCOUNT_FIND),
    ("ACCOUNT_DISABLE", ACCOUNT_DISABLE),
    ("TOKENS_REVOKE", TOKENS_REVOKE),
    ("TOKEN_ADD", TOKEN_ADD),
];

#[derive(FromRow)]
struct AccountRow {
    id: String,
    name: String,
    role: Role,
    site_code: Option<String>,
    laboratory_code: Option<String>,
}

impl From<AccountRow> for Actor {
    fn from(row: AccountRow) -> Self {
        Self {
            account: row.id,
            name: row.name,
            role: row.role,
            site: row.site_code,
            laboratory: row.laboratory_code,
        }
    }
}

/// Somebody to be given an account.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Printed name for signatures.
    pub name: String,
    /// What they do.
    pub role: Role,
    /// The site they are bound to.
    pub site: Option<String>,
    /// The laboratory they are bound to.
    pub laboratory: Option<String>,
}

#[derive(FromRow)]
struct HolderRow {
    #[sqlx(flatten)]
    account: AccountRow,
    #[sqlx(rename = "expires_us")]
    expires: Time,
}

/// Whoever holds the token with this hash, if it is live at `now`, and when it expires.
pub async fn authenticate(tx: &mut Tx, hash: &str, now: Time) -> Result<Option<(Actor, Time)>> {
    let row: Option<HolderRow> =
        on!(tx, c => query_as(ACCOUNT_BY_TOKEN).bind(hash).bind(now).fetch_optional(c).await)?;
    Ok(row.map(|row| (Actor::from(row.account), row.expires)))
}

/// Makes an account; a role that works in one place must name it.
pub async fn account_add(tx: &mut Tx, clock: &Clock, new: NewAccount) -> Result<Actor> {
    let mut reasons = Vec::new();
    if new.name.trim().is_empty() {
        reasons.push(Reason::new("account.name", "name", "the name is empty; give one"));
    }
    if new.role.needs_site() && new.site.is_none() {
        reasons.push(Reason::new("account.site", "site", "this role works at a site; name it"));
    }
    if new.role.needs_laboratory() && new.laboratory.is_none() {
        reasons.push(Reason::new(
            "account.laboratory",
            "laboratory",
            "this role works in a laboratory; name it",
        ));
    }
    refuse_if_any(reasons)?;
    let actor = Actor {
        account: clock.id().to_string(),
        name: new.name,
        role: new.role,
        site: new.site,
        laboratory: new.laboratory,
    };
    let now = clock.now();
    on!(tx, c => query(ACCOUNT_ADD).bind(&actor.account).bind(&actor.name).bind(actor.role)
        .bind(&actor.site).bind(&actor.laboratory).bind(now).execute(c).await.map(drop))?;
    Ok(actor)
}

/// Every live account.
pub async fn accounts(tx: &mut Tx) -> Result<Vec<Actor>> {
    let rows: Vec<AccountRow> = on!(tx, c => query_as(ACCOUNTS).fetch_all(c).await)?;
    Ok(rows.into_iter().map(Actor::from).collect())
}

/// A live account.
pub async fn account_find(tx: &mut Tx, account: &str) -> Result<Actor> {
    let row: Option<AccountRow> =
        on!(tx, c => query_as(ACCOUNT_FIND).bind(account).fetch_optional(c).await)?;
    row.map(Actor::from).ok_or_else(|| Error::not_found("account", account))
}

/// Ends an account and every token of it at once.
pub async fn account_disable(tx: &mut Tx, account: &str, now: Time) -> Result<()> {
    let changed = on!(tx, c => query(ACCOUNT_DISABLE).bind(account).bind(now)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if changed == 0 {
        return Err(Error::not_found("account", account));
    }
    ensure_rows("ACCOUNT_DISABLE", 1, changed)?;
    on!(tx, c => query(TOKENS_REVOKE).bind(account).bind(now).execute(c).await.map(drop))?;
    Ok(())
}

/// Issues a token for an account; the text is shown once and only its hash is kept.
pub async fn token_issue(
    tx: &mut Tx,
    account: &str,
    label: &str,
    now: Time,
    good_for: Span,
) -> Result<Token> {
    let token = Token::generate();
    let hash = token.hash();
    on!(tx, c => query(TOKEN_ADD).bind(&hash).bind(account).bind(label).bind(now)
        .bind(now + good_for).execute(c).await.map(drop))?;
    Ok(token)
}
