//! Switches: release by rule is on only while somebody left it on, and one action ends it (R21).

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query, query_as};
use utoipa::ToSchema;

use crate::clock::Time;
use crate::error::Result;
use crate::storage::Tx;

/// Clean negatives are released by rule after one person's review.
pub const AUTO_RELEASE: &str = "auto_release";
/// Every switch there is; all are off until somebody turns them on.
pub const SWITCHES: [&str; 1] = [AUTO_RELEASE];

/// `$1` name.
pub const SWITCH_FIND: &str =
    "select name, is_on, reason, set_by, set_us from switch where name = $1";
/// Name, on, reason, who, when.
pub const SWITCH_SET: &str = "insert into switch (name, is_on, reason, set_by, set_us)
    values ($1, $2, $3, $4, $5) on conflict (name) do update set is_on = excluded.is_on,
        reason = excluded.reason, set_by = excluded.set_by, set_us = excluded.set_us";

/// A switch and who left it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Switch {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub on: bool,
    /// Why.
    pub reason: String,
    /// The account that set it; none when it never was set.
    pub set_by: Option<String>,
    /// When.
    pub set_at: Option<Time>,
}

#[derive(FromRow)]
struct Row {
    name: String,
    is_on: i64,
    reason: String,
    set_by: String,
    #[sqlx(rename = "set_us")]
    set: Time,
}

/// The switch as it stands; off when it never was set.
pub async fn switch_find(tx: &mut Tx, name: &str) -> Result<Switch> {
    let row: Option<Row> = on!(tx, c => query_as(SWITCH_FIND).bind(name).fetch_optional(c).await)?;
    Ok(row.map_or_else(
        || Switch {
            name: name.to_owned(),
            on: false,
            reason: "never turned on".to_owned(),
            set_by: None,
            set_at: None,
        },
        |row| Switch {
            name: row.name,
            on: row.is_on == 1,
            reason: row.reason,
            set_by: Some(row.set_by),
            set_at: Some(row.set),
        },
    ))
}

/// Sets a switch; it holds for everything that begins after the commit.
pub async fn switch_set(
    tx: &mut Tx,
    name: &str,
    on: bool,
    reason: &str,
    (account, at): (&str, Time),
) -> Result<()> {
    on!(tx, c => query(SWITCH_SET).bind(name).bind(i64::from(on)).bind(reason).bind(account)
        .bind(at).execute(c).await.map(drop))?;
    Ok(())
}
