//! Names and passwords, tries, second factors and sessions.

use std::sync::Arc;

use sqlx::{FromRow, query, query_as, query_scalar};

use super::{ABSOLUTE, CODE_WITHIN, IDLE, Login, PROOF_GOOD_FOR, Session, Stage};
use crate::auth::{Actor, Role, Token};
use crate::clock::{Span, Time};
use crate::error::{Error, Result};
use crate::storage::Tx;

/// Tries after which a name is locked.
pub const TRIES_MAX: i64 = 5;
/// How long tries are added up, and how long the lock lasts.
pub const LOCK: Span = Span::minutes(15);

/// Account, login, password, time, whether somebody else was shown the password.
pub const LOGIN_PUT: &str = "insert into sign_in (account_id, login, password, set_us, given)
    values ($1, $2, $3, $4, $5)
    on conflict (account_id) do update set login = excluded.login, password = excluded.password,
        set_us = excluded.set_us, given = excluded.given";
/// Login.
pub const LOGIN_OWNER: &str = "select account_id from sign_in where login = $1";
/// Account.
pub const LOGIN_OF: &str = "select login from sign_in where account_id = $1";
/// Login; only of a live account.
pub const LOGIN_FIND: &str = "select a.id as account, s.password, s.given, a.role, f.secret,
        f.last_step
    from sign_in s join account a on a.id = s.account_id
    left join second_factor f on f.account_id = a.id and f.confirmed_us is not null
    where s.login = $1 and a.disabled_us is null";
/// Tag of a login, now, begin of the window, most tries. Tries from before the window are
/// forgotten; the lock lasts a whole window from the last try that was looked at.
pub const TRY_COUNT: &str = "insert into sign_in_try (login, wrong, since_us) values ($1, 1, $2)
    on conflict (login) do update set
        wrong = case when sign_in_try.since_us <= $3 then 1 else sign_in_try.wrong + 1 end,
        since_us = case when sign_in_try.since_us <= $3 or sign_in_try.wrong + 1 = $4
            then excluded.since_us else sign_in_try.since_us end
    returning wrong, since_us";
/// Tag of a login.
pub const TRY_CLEAR: &str = "delete from sign_in_try where login = $1";
/// Begin of the window.
pub const TRY_FORGET: &str = "delete from sign_in_try where since_us < $1";
/// Account, sealed secret, step.
pub const FACTOR_PUT: &str = "insert into second_factor
    (account_id, secret, confirmed_us, last_step) values ($1, $2, null, $3)
    on conflict (account_id) do update set secret = excluded.secret, last_step = excluded.last_step
    where second_factor.confirmed_us is null";
/// Account.
pub const FACTOR_FIND: &str =
    "select secret, last_step, confirmed_us from second_factor where account_id = $1";
/// Account, step, time: a code is used once, and the first confirms the factor.
pub const FACTOR_USE: &str = "update second_factor set last_step = $2,
    confirmed_us = coalesce(confirmed_us, $3) where account_id = $1 and last_step < $2";
/// Account.
pub const FACTOR_DROP: &str = "delete from second_factor where account_id = $1";
/// Hash, account, stage, time, end.
pub const SESSION_ADD: &str = "insert into web_session
    (hash, account_id, stage, created_us, seen_us, expires_us) values ($1, $2, $3, $4, $4, $5)";
/// Hash, now, begin of the idle time; only of a live account.
pub const SESSION_FIND: &str = "select a.id, a.name, a.role, a.site_code, a.laboratory_code,
        s.stage, s.seen_us
    from web_session s join account a on a.id = s.account_id
    where s.hash = $1 and s.expires_us > $2 and s.seen_us > $3 and a.disabled_us is null";
/// Hash, time.
pub const SESSION_SEEN: &str =
    "update web_session set seen_us = $2 where hash = $1 and seen_us < $2";
/// Hash: from a password that was given to a whole session.
pub const SESSION_WHOLE: &str =
    "update web_session set stage = 'full' where hash = $1 and stage = 'renew'";
/// Hash.
pub const SESSION_END: &str = "delete from web_session where hash = $1";
/// Account, the session that stays.
pub const SESSIONS_END: &str = "delete from web_session where account_id = $1 and hash <> $2";
/// Now.
pub const SESSIONS_FORGET: &str = "delete from web_session where expires_us <= $1";
/// Hash, time.
pub const SESSION_PROVE: &str = "update web_session set proven_us = $2 where hash = $1";
/// Hash, begin of the time a proof is good for: one proof, one signature.
pub const PROOF_SPEND: &str =
    "update web_session set proven_us = null where hash = $1 and proven_us > $2";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("LOGIN_PUT", LOGIN_PUT),
    ("LOGIN_OWNER", LOGIN_OWNER),
    ("LOGIN_OF", LOGIN_OF),
    ("LOGIN_FIND", LOGIN_FIND),
    ("TRY_COUNT", TRY_COUNT),
    ("TRY_CLEAR", TRY_CLEAR),
    ("TRY_FORGET", TRY_FORGET),
    ("FACTOR_PUT", FACTOR_PUT),
    ("FACTOR_FIND", FACTOR_FIND),
    ("FACTOR_USE", FACTOR_USE),
    ("FACTOR_DROP", FACTOR_DROP),
    ("SESSION_ADD", SESSION_ADD),
    ("SESSION_FIND", SESSION_FIND),
    ("SESSION_SEEN", SESSION_SEEN),
    ("SESSION_END", SESSION_END),
    ("SESSIONS_END", SESSIONS_END),
    ("SESSIONS_FORGET", SESSIONS_FORGET),
    ("SESSION_WHOLE", SESSION_WHOLE),
    ("SESSION_PROVE", SESSION_PROVE),
    ("PROOF_SPEND", PROOF_SPEND),
];

/// A name to sign in with and its password.
#[derive(Debug, Clone, Copy)]
pub struct Password<'a> {
    /// The name.
    pub login: &'a Login,
    /// The password, hashed.
    pub hash: &'a str,
    /// Whether somebody else was shown it, so that it has to be changed.
    pub is_given: bool,
}

/// Gives an account a name to sign in with and a password.
pub async fn login_put(
    tx: &mut Tx,
    account: &str,
    Password { login, hash, is_given }: Password<'_>,
    at: Time,
) -> Result<()> {
    let owner: Option<String> =
        on!(tx, c => query_scalar(LOGIN_OWNER).bind(login).fetch_optional(c).await)?;
    if owner.is_some_and(|owner| owner != account) {
        let message = format!("{} belongs to somebody else; choose another", login.as_str());
        return Err(Error::conflict("sign_in.login", "login", message));
    }
    Ok(on!(tx, c => query(LOGIN_PUT).bind(account).bind(login).bind(hash).bind(at)
        .bind(i64::from(is_given)).execute(c).await.map(drop))?)
}

/// The name an account signs in with, if it has one.
pub async fn login_of(tx: &mut Tx, account: &str) -> Result<Option<Login>> {
    Ok(on!(tx, c => query_scalar(LOGIN_OF).bind(account).fetch_optional(c).await)?)
}

/// Somebody who can sign in.
#[derive(Debug, FromRow)]
pub struct Known {
    /// The account's id.
    pub account: String,
    /// Argon2id, as a PHC string.
    pub password: String,
    /// One when somebody else was shown it.
    pub given: i64,
    /// What they do.
    pub role: Role,
    /// The sealed secret of the second factor, if they have one.
    pub secret: Option<Vec<u8>>,
    /// The step of the last code that was used.
    pub last_step: Option<i64>,
}

/// Whoever has this name.
pub async fn login_find(tx: &mut Tx, login: &Login) -> Result<Option<Known>> {
    Ok(on!(tx, c => query_as(LOGIN_FIND).bind(login).fetch_optional(c).await)?)
}

/// Tries that were counted for one name.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct Tries {
    wrong: i64,
    #[sqlx(rename = "since_us")]
    since: Time,
}

impl Tries {
    /// Seconds until the name may be tried again; none while it is not locked.
    pub fn locked_s(self, now: Time) -> Option<u32> {
        if self.wrong <= TRIES_MAX {
            return None;
        }
        let left_us = (LOCK.us() - now.since(self.since).us()).max(1);
        u32::try_from((left_us + 999_999) / 1_000_000).ok()
    }

    /// Whether this is the last try before the lock.
    pub const fn is_last(self) -> bool {
        self.wrong == TRIES_MAX
    }
}

/// Counts a try before anybody looks whether it is right, so that tries at the same moment are
/// all counted; forgets those nobody needs any more.
pub async fn try_count(tx: &mut Tx, tag: &str, now: Time) -> Result<Tries> {
    on!(tx, c => query(TRY_FORGET).bind(now - LOCK).execute(c).await.map(drop))?;
    Ok(on!(tx, c => query_as(TRY_COUNT).bind(tag).bind(now).bind(now - LOCK).bind(TRIES_MAX)
        .fetch_one(c).await)?)
}

/// Forgets the tries of a name: one was right.
pub async fn try_clear(tx: &mut Tx, tag: &str) -> Result<()> {
    Ok(on!(tx, c => query(TRY_CLEAR).bind(tag).execute(c).await.map(drop))?)
}

/// A second factor as it is kept.
#[derive(Debug, FromRow)]
pub struct Factor {
    /// The sealed secret.
    pub secret: Vec<u8>,
    /// The step of the last code that was used.
    pub last_step: i64,
    /// When its first code was used; none while it is being set up.
    #[sqlx(rename = "confirmed_us")]
    pub confirmed: Option<Time>,
}

/// Begins to set up a second factor; one that is in use stays.
pub async fn factor_put(tx: &mut Tx, account: &str, secret: &[u8], step: i64) -> Result<()> {
    let put = on!(tx, c => query(FACTOR_PUT).bind(account).bind(secret).bind(step)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if put == 1 {
        return Ok(());
    }
    let message = "a second factor is in use; ask an administrator to take it away first";
    Err(Error::conflict("second_factor.in_use", account, message))
}

/// The second factor of an account, confirmed or not.
pub async fn factor_find(tx: &mut Tx, account: &str) -> Result<Option<Factor>> {
    Ok(on!(tx, c => query_as(FACTOR_FIND).bind(account).fetch_optional(c).await)?)
}

/// Uses the code of a step; false when it was used before.
pub async fn factor_use(tx: &mut Tx, account: &str, step: i64, at: Time) -> Result<bool> {
    let used = on!(tx, c => query(FACTOR_USE).bind(account).bind(step).bind(at)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(used == 1)
}

/// Takes the second factor of an account away; false when there was none.
pub async fn factor_drop(tx: &mut Tx, account: &str) -> Result<bool> {
    let gone = on!(tx, c => query(FACTOR_DROP).bind(account)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(gone == 1)
}

/// Begins a session; the token goes into the browser's cookie and nowhere else.
pub async fn session_begin(tx: &mut Tx, account: &str, stage: Stage, now: Time) -> Result<Token> {
    on!(tx, c => query(SESSIONS_FORGET).bind(now).execute(c).await.map(drop))?;
    let token = Token::generate();
    let hash = token.hash();
    let good_for = if stage == Stage::Code { CODE_WITHIN } else { ABSOLUTE };
    on!(tx, c => query(SESSION_ADD).bind(&hash).bind(account).bind(stage).bind(now)
        .bind(now + good_for).execute(c).await.map(drop))?;
    Ok(token)
}

#[derive(FromRow)]
struct SessionRow {
    id: String,
    name: String,
    role: Role,
    site_code: Option<String>,
    laboratory_code: Option<String>,
    stage: Stage,
    #[sqlx(rename = "seen_us")]
    seen: Time,
}

/// The session with this hash, if it is neither over nor idle for too long.
pub async fn session_find(tx: &mut Tx, hash: &str, now: Time) -> Result<Option<Session>> {
    let row: Option<SessionRow> = on!(tx, c => query_as(SESSION_FIND).bind(hash).bind(now)
        .bind(now - IDLE).fetch_optional(c).await)?;
    Ok(row.map(|row| {
        let actor = Actor {
            account: row.id,
            name: row.name,
            role: row.role,
            site: row.site_code,
            laboratory: row.laboratory_code,
        };
        let (hash, actor) = (hash.to_owned(), Arc::new(actor));
        Session { hash, actor, stage: row.stage, seen: row.seen }
    }))
}

/// Writes down that a session was used.
pub async fn session_seen(tx: &mut Tx, hash: &str, now: Time) -> Result<()> {
    Ok(on!(tx, c => query(SESSION_SEEN).bind(hash).bind(now).execute(c).await.map(drop))?)
}

/// Makes a session whole whose password was given by somebody else and is changed now.
pub async fn session_whole(tx: &mut Tx, hash: &str) -> Result<()> {
    Ok(on!(tx, c => query(SESSION_WHOLE).bind(hash).execute(c).await.map(drop))?)
}

/// Ends a session; false when it was over already.
pub async fn session_end(tx: &mut Tx, hash: &str) -> Result<bool> {
    let ended = on!(tx, c => query(SESSION_END).bind(hash)
        .execute(c).await.map(|done| done.rows_affected()))?;
    Ok(ended == 1)
}

/// Ends every session of an account but this one.
pub async fn sessions_end(tx: &mut Tx, account: &str, but: &str) -> Result<()> {
    Ok(on!(tx, c => query(SESSIONS_END).bind(account).bind(but).execute(c).await.map(drop))?)
}

/// Writes down that whoever sits there proved who they are.
pub async fn session_prove(tx: &mut Tx, hash: &str, now: Time) -> Result<()> {
    Ok(on!(tx, c => query(SESSION_PROVE).bind(hash).bind(now).execute(c).await.map(drop))?)
}

/// Uses the proof of a session for one signature, in that signature's own transaction.
pub async fn proof_spend(tx: &mut Tx, hash: &str, now: Time) -> Result<()> {
    let spent = on!(tx, c => query(PROOF_SPEND).bind(hash).bind(now - PROOF_GOOD_FOR)
        .execute(c).await.map(|done| done.rows_affected()))?;
    if spent == 1 {
        return Ok(());
    }
    Err(Error::forbidden(
        "session.reauthenticate",
        "signature",
        "a signature asks for your password again; prove it with POST /v1/session/proof first",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_try_after_the_last_one_waits_for_a_quarter_of_an_hour() {
        let now = Time::from_us(1_000_000_000_000);
        let tries = |wrong, ago: Span| Tries { wrong, since: now - ago };
        assert_eq!(tries(TRIES_MAX, Span::seconds(0)).locked_s(now), None);
        assert!(tries(TRIES_MAX, Span::seconds(0)).is_last());
        assert_eq!(tries(TRIES_MAX + 1, Span::seconds(0)).locked_s(now), Some(900));
        assert_eq!(tries(TRIES_MAX + 9, Span::minutes(14)).locked_s(now), Some(60));
    }
}
