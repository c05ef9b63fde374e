//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the first answer is stored in
//! the transaction of its effect, and every repetition gets it again.
//!
//! A handler asks [`begin`] inside its transaction and ends with [`Fresh::finish`], which commits.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde::Serialize;
use sqlx::{FromRow, query, query_as};

use crate::auth::Actor;
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::storage::{Sql, Tx};

/// The longest key taken.
const KEY_MAX: usize = 128;

/// The key a request must carry.
#[derive(Debug, Clone)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A key as it was sent. The draft makes it a structured-field string, in quotes; many clients
    /// send it bare.
    pub fn parse(text: &str) -> Result<Self> {
        let key = text.trim().trim_matches('"');
        if key.is_empty() || key.len() > KEY_MAX {
            return Err(refused("the key must be 1 to 128 visible characters"));
        }
        Ok(Self(key.to_owned()))
    }
}

fn refused(message: &str) -> Error {
    Error::Malformed(Reason::new("idempotency.key", "Idempotency-Key", message))
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        let value = parts.headers.get("idempotency-key").ok_or_else(|| {
            refused("send an `Idempotency-Key` header with a fresh id, and the same one again on a retry")
        })?;
        Self::parse(value.to_str().unwrap_or_default())
    }
}

/// Account, key: a repetition that comes while the first is still at work waits for it, and is not
/// judged by what the first has done meanwhile. On SQLite whoever writes is alone.
pub const HOLD: Sql = Sql {
    sqlite: "select $1, $2",
    postgres: "select pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))",
};
/// Account, key.
pub const FIND: &str =
    "select fingerprint, status, body from idempotency where account_id = $1 and key = $2";
/// Account, key, fingerprint, status, body, time; a double in a race inserts nothing.
pub const STORE: &str = "insert into idempotency
    (account_id, key, fingerprint, status, body, created_us) values ($1, $2, $3, $4, $5, $6)
    on conflict do nothing";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("FIND", FIND), ("STORE", STORE)];

#[derive(FromRow)]
struct Stored {
    fingerprint: String,
    status: i64,
    body: String,
}

/// What [`begin`] found.
pub enum Attempt {
    /// Seen before: this is the first answer.
    Replay(Response),
    /// New: do it, then [`Fresh::finish`].
    Fresh(Fresh),
}

/// A request that was not seen before.
#[must_use = "the answer must be stored with `finish`"]
pub struct Fresh {
    account: String,
    key: String,
    fingerprint: String,
    at: Time,
}

/// Looks the key up. `content` is what the request says, so that a key cannot be used twice for
/// different things (422).
pub async fn begin(
    tx: &mut Tx,
    actor: &Actor,
    key: IdempotencyKey,
    at: Time,
    content: &impl Serialize,
) -> Result<Attempt> {
    let content = serde_json::to_vec(content)
        .map_err(|error| Error::Internal(format!("a request cannot be written: {error}")))?;
    let fingerprint = HEXLOWER.encode(digest(&SHA256, &content).as_ref());
    let (account, key) = (actor.account.clone(), key.0);
    let hold = HOLD.text(tx);
    on!(tx, c => query(hold).bind(&account).bind(&key).execute(c).await.map(drop))?;
    let stored: Option<Stored> =
        on!(tx, c => query_as(FIND).bind(&account).bind(&key).fetch_optional(c).await)?;
    match stored {
        None => Ok(Attempt::Fresh(Fresh { account, key, fingerprint, at })),
        Some(stored) if stored.fingerprint == fingerprint => Ok(Attempt::Replay(replay(&stored))),
        Some(_) => Err(Error::invalid(
            "idempotency.reused",
            "Idempotency-Key",
            "this key was used for another request; use a fresh one",
        )),
    }
}

impl Fresh {
    /// Stores the answer with its effect, commits, and gives the answer.
    pub async fn finish(
        self,
        mut tx: Tx,
        status: StatusCode,
        body: &impl Serialize,
    ) -> Result<Response> {
        let body = serde_json::to_string(body)
            .map_err(|error| Error::Internal(format!("an answer cannot be written: {error}")))?;
        let stored =
            Stored { fingerprint: self.fingerprint, status: i64::from(status.as_u16()), body };
        let kept = on!(tx, c => query(STORE).bind(&self.account).bind(&self.key)
            .bind(&stored.fingerprint).bind(stored.status).bind(&stored.body).bind(self.at)
            .execute(c).await.map(|done| done.rows_affected()))?;
        if kept == 0 {
            return Err(Error::conflict(
                "idempotency.concurrent",
                "Idempotency-Key",
                "the same request is being worked on; send it again in a moment",
            ));
        }
        tx.commit().await?;
        Ok(replay(&stored))
    }
}

fn replay(stored: &Stored) -> Response {
    let status = u16::try_from(stored.status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(StatusCode::OK);
    let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
    (status, json, stored.body.clone()).into_response()
}
