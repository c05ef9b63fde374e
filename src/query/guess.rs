//! Wrong guesses at a person's status, counted by person key, also for people nobody knows.

use sqlx::{FromRow, query, query_as};

use crate::clock::{Span, Time};
use crate::error::Result;
use crate::seal::PersonKey;
use crate::storage::Tx;

/// Wrong guesses within [`WINDOW`] after which a person's status is blocked (R33).
pub const GUESSES_MAX: i64 = 10;
/// How long wrong guesses are added up, and how long the block lasts.
pub const WINDOW: Span = Span::minutes(15);

/// Person key.
pub const GUESS_FIND: &str = "select wrong, since_us from guess where person_key = $1";
/// Person key, now, begin of the window, most guesses. The block lasts a whole window from the
/// guess that began it; guesses from before the window are forgotten.
pub const GUESS_COUNT: &str = "insert into guess (person_key, wrong, since_us) values ($1, 1, $2)
    on conflict (person_key) do update set
        wrong = case when guess.since_us <= $3 then 1 else guess.wrong + 1 end,
        since_us = case when guess.since_us <= $3 or guess.wrong + 1 >= $4 then excluded.since_us
            else guess.since_us end";

/// `$1` begin of the window.
pub const GUESS_FORGET: &str = "delete from guess where since_us < $1";

/// What was counted for one person key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Guesses {
    wrong: i64,
    #[sqlx(rename = "since_us")]
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

    /// Whether one more wrong guess at `now` begins a block.
    pub fn is_last(self, now: Time) -> bool {
        now.since(self.since) < WINDOW && self.wrong + 1 == GUESSES_MAX
    }
}

/// What was counted for this person so far.
pub async fn guesses(tx: &mut Tx, person: &PersonKey) -> Result<Option<Guesses>> {
    Ok(on!(tx, c => query_as(GUESS_FIND).bind(person).fetch_optional(c).await)?)
}

/// Counts one wrong guess, and forgets those nobody needs any more.
pub async fn guess_count(tx: &mut Tx, person: &PersonKey, now: Time) -> Result<()> {
    on!(tx, c => query(GUESS_FORGET).bind(now - WINDOW).execute(c).await.map(drop))?;
    on!(tx, c => query(GUESS_COUNT).bind(person).bind(now).bind(now - WINDOW).bind(GUESSES_MAX)
        .execute(c).await.map(drop))?;
    Ok(())
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

    #[test]
    fn only_the_tenth_guess_within_the_window_begins_a_block() {
        assert!(guesses(9, Span::minutes(1)).is_last(NOW));
        assert!(!guesses(8, Span::minutes(1)).is_last(NOW));
        assert!(!guesses(9, WINDOW).is_last(NOW));
    }
}
