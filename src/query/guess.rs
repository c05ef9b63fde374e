//! Wrong guesses at a person's status, counted by person key, also for people nobody knows.

use std::collections::HashMap;

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::clock::{Span, Time};
use crate::error::Result;
use crate::seal::PersonKey;
use crate::storage::{Tx, codes};

/// Wrong guesses within [`WINDOW`] after which a person's status is blocked (R33).
pub const GUESSES_MAX: i64 = 10;
/// How long wrong guesses are added up, and how long the block lasts.
pub const WINDOW: Span = Span::minutes(15);

/// `$1` person keys. Each is looked up by itself, so that no planner reads the whole table for
/// them.
pub const GUESS_FIND: &str = "select e.value ->> 'code' as person_key,
        (select g.wrong from guess g where g.person_key = e.value ->> 'code') as wrong,
        (select g.since_us from guess g where g.person_key = e.value ->> 'code') as since_us
    from jsonb_each($1) e";
/// Person key, now, begin of the window, most guesses. The block lasts a whole window from the
/// guess that began it; guesses from before the window are forgotten.
pub const GUESS_COUNT: &str = "insert into guess (person_key, wrong, since_us) values ($1, 1, $2)
    on conflict (person_key) do update set
        wrong = case when guess.since_us <= $3 then 1 else guess.wrong + 1 end,
        since_us = case when guess.since_us <= $3 or guess.wrong + 1 >= $4 then excluded.since_us
            else guess.since_us end
    returning wrong";

/// `$1` begin of the window.
pub const GUESS_FORGET: &str = "delete from guess where since_us < $1";

/// What was counted for one person key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guesses {
    wrong: i64,
    since: Time,
}

impl Guesses {
    /// Seconds until this person may be asked for again; none while they are not blocked.
    pub fn blocked_s(self, now: Time) -> Option<u32> {
        let left_us = WINDOW.us() - now.since(self.since).us();
        if self.wrong < GUESSES_MAX || left_us <= 0 {
            return None;
        }
        u32::try_from((left_us + 999_999) / 1_000_000).ok()
    }
}

#[derive(FromRow)]
struct GuessRow {
    person_key: PersonKey,
    wrong: Option<i64>,
    #[sqlx(rename = "since_us")]
    since: Option<Time>,
}

/// What was counted so far for those of these people for whom anything was.
pub async fn guesses(
    tx: &mut Tx,
    people: impl IntoIterator<Item = &PersonKey>,
) -> Result<HashMap<PersonKey, Guesses>> {
    let people = codes(people.into_iter().map(PersonKey::as_str));
    let rows: Vec<GuessRow> = on!(tx, c => query_as(GUESS_FIND).bind(&people).fetch_all(c).await)?;
    let counted =
        |row: GuessRow| Some((row.person_key, Guesses { wrong: row.wrong?, since: row.since? }));
    Ok(rows.into_iter().filter_map(counted).collect())
}

/// Forgets the guesses that nobody needs any more. It takes rows of anybody, in any order, and so has
/// a transaction of its own, that may be undone for another's sake.
pub async fn guesses_forget(tx: &mut Tx, now: Time) -> Result<()> {
    on!(tx, c => query(GUESS_FORGET).bind(now - WINDOW).execute(c).await.map(drop))?;
    Ok(())
}

/// Counts one wrong guess, and says how many it makes; the one that makes [`GUESSES_MAX`] begins a
/// block.
pub async fn guess_count(tx: &mut Tx, person: &PersonKey, now: Time) -> Result<i64> {
    Ok(on!(tx, c => query_scalar(GUESS_COUNT).bind(person).bind(now).bind(now - WINDOW)
        .bind(GUESSES_MAX).fetch_one(c).await)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_us(1_000_000_000_000);

    fn guesses(wrong: i64, ago: Span) -> Guesses {
        Guesses { wrong, since: NOW - ago }
    }

    #[test]
    fn ten_wrong_guesses_block_for_a_quarter_of_an_hour() {
        assert_eq!(guesses(9, Span::seconds(0)).blocked_s(NOW), None);
        assert_eq!(guesses(10, Span::seconds(0)).blocked_s(NOW), Some(900));
        assert_eq!(guesses(10, Span::minutes(14)).blocked_s(NOW), Some(60));
        assert_eq!(guesses(10, WINDOW).blocked_s(NOW), None);
    }
}
