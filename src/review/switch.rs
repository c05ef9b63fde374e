//! Switches: release by rule is on only while somebody left it on, and one action ends it (R21). What
//! nobody turns off ends by itself (R45).

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query, query_as};
use utoipa::ToSchema;

use crate::clock::{Span, Time};
use crate::error::{Error, Result};
use crate::storage::Tx;

/// Clean negatives are released by rule after one person's review.
pub const AUTO_RELEASE: &str = "auto_release";
/// Every switch there is; all are off until somebody turns them on.
pub const SWITCHES: [&str; 1] = [AUTO_RELEASE];

/// How long a switch stays on where nobody says until when.
const A_DAY: Span = Span::days(1);
/// How long it may stay on at most.
const LONGEST: Span = Span::days(31);

/// `$1` name.
pub const SWITCH_FIND: &str =
    "select name, is_on, reason, set_by, set_us, until_us from switch where name = $1";
/// Name, on, reason, who, when, until when.
pub const SWITCH_SET: &str = "insert into switch (name, is_on, reason, set_by, set_us, until_us)
    values ($1, $2, $3, $4, $5, $6) on conflict (name) do update set is_on = excluded.is_on,
        reason = excluded.reason, set_by = excluded.set_by, set_us = excluded.set_us,
        until_us = excluded.until_us";

/// A switch and who left it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Switch {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub on: bool,
    /// Why it was set as it was.
    pub reason: String,
    /// The account that set it; none when it never was set.
    pub set_by: Option<String>,
    /// When.
    pub set_at: Option<Time>,
    /// When it turns itself off, or did; none where somebody turned it off.
    pub until: Option<Time>,
}

#[derive(FromRow)]
struct Row {
    name: String,
    is_on: i64,
    reason: String,
    set_by: String,
    #[sqlx(rename = "set_us")]
    set: Time,
    #[sqlx(rename = "until_us")]
    until: Option<Time>,
}

impl Row {
    /// When it ends, if it was turned on. A node of the version before says no end, or leaves that of
    /// an earlier time.
    fn until(&self) -> Option<Time> {
        let until = self.until.filter(|until| *until > self.set);
        (self.is_on == 1).then(|| until.unwrap_or(self.set + A_DAY))
    }
}

/// Until when a switch that is turned on now stays on: as asked for, or a day.
///
/// # Errors
///
/// An end that is past, or further away than 31 days.
pub fn end(asked: Option<Time>, now: Time) -> Result<Time> {
    let until = asked.unwrap_or(now + A_DAY);
    if until > now && until <= now + LONGEST {
        return Ok(until);
    }
    Err(Error::invalid(
        "switch.until",
        "until",
        format!("{until} is not within the 31 days after {now}; leave it out for a day"),
    ))
}

/// The switch as it stands now; off when it never was set.
pub async fn switch_find(tx: &mut Tx, name: &str, now: Time) -> Result<Switch> {
    let row: Option<Row> = on!(tx, c => query_as(SWITCH_FIND).bind(name).fetch_optional(c).await)?;
    let Some(row) = row else {
        return Ok(Switch {
            name: name.to_owned(),
            on: false,
            reason: "never turned on".to_owned(),
            set_by: None,
            set_at: None,
            until: None,
        });
    };
    let until = row.until();
    Ok(Switch {
        on: until.is_some_and(|until| now < until),
        until,
        name: row.name,
        reason: row.reason,
        set_by: Some(row.set_by),
        set_at: Some(row.set),
    })
}

/// All switches as they stand now.
pub async fn switches(tx: &mut Tx, now: Time) -> Result<Vec<Switch>> {
    let mut found = Vec::with_capacity(SWITCHES.len());
    for name in SWITCHES {
        found.push(switch_find(tx, name, now).await?);
    }
    Ok(found)
}

/// Turns a switch on until then, or off; it holds for everything that begins after the commit.
pub async fn switch_set(
    tx: &mut Tx,
    name: &str,
    until: Option<Time>,
    reason: &str,
    (account, at): (&str, Time),
) -> Result<()> {
    let is_on = i64::from(until.is_some());
    on!(tx, c => query(SWITCH_SET).bind(name).bind(is_on).bind(reason).bind(account)
        .bind(at).bind(until).execute(c).await.map(drop))?;
    Ok(())
}
