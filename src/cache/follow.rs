//! Following the feed: who changed, several times a second, so that nothing older is shown.
//!
//! Unlike a reader of the feed, this one needs no order: it wants every change as soon as it is
//! committed, also while an older transaction is still under way. Between two looks it remembers
//! which transactions it could not see, and looks for those and for all that began since.

use std::time::{Duration, Instant};

use serde::Serialize;
use sqlx::{FromRow, query_as, query_scalar};

use super::Cache;
use crate::error::{Error, Result};
use crate::seal::PersonKey;
use crate::storage::{Db, Sql, StoreError, Tx, json};

/// How long it is at least from one look at the feed to the next.
const APART: Duration = Duration::from_millis(20);
/// How much longer it is when this process commits nothing.
const REST: Duration = Duration::from_millis(80);
/// People who are noted one by one when few are kept.
const PEOPLE: usize = 2_000;

/// What of the feed is seen here: on PostgreSQL the transactions, on SQLite, which has one writer,
/// the last number.
pub const SNAPSHOT: Sql = Sql {
    sqlite: "select cast(coalesce(max(seq), 0) as text) from feed",
    postgres: "select cast(pg_current_snapshot() as text)",
};
/// Behind which epoch `$1` and number `$2` there may be something new: epochs from `$3` on, and
/// before it those in `$4`, which could not be seen; at most `$5` changes and people. What was
/// seen is passed over in the index, so that one range serves both.
pub const CHANGED: &str = "select f.epoch, f.seq, m.person_key
    from (select n.epoch, n.seq, n.tube_code from feed n
        where (n.epoch, n.seq) > ($1, $2) and (n.epoch >= $3 or n.epoch in
            (select cast(e.value ->> 'epoch' as bigint) from jsonb_each($4) e))
        order by n.epoch, n.seq limit $5) f
    left join member m on m.tube_code = f.tube_code
    limit $5";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("CHANGED", CHANGED)];

/// What of the feed a transaction sees. Changes are numbered by this: on PostgreSQL by the
/// transaction that made them, from 1, on SQLite by their own number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Snapshot {
    /// Everything up to this number.
    Sqlite(u64),
    /// Transactions before `oldest` are over, `next` is the first that had not begun, and `open`
    /// were under way.
    Postgres {
        /// The oldest transaction under way.
        oldest: u64,
        /// The next to begin.
        next: u64,
        /// Under way.
        open: Vec<u64>,
    },
}

impl Snapshot {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let first = parts.next()?.parse().ok()?;
        let Some(next) = parts.next() else { return Some(Self::Sqlite(first)) };
        let open = parts.next()?.split(',').filter(|number| !number.is_empty());
        let open = open.map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Self::Postgres { oldest: first, next: next.parse().ok()?, open })
    }

    /// What the transaction sees, and every statement of it.
    pub async fn of(tx: &mut Tx) -> Result<Self> {
        let text = SNAPSHOT.text(tx);
        let text: String = on!(tx, c => query_scalar(text).fetch_one(c).await)?;
        Self::read(&text)
    }

    /// What [`SNAPSHOT`] says.
    pub fn read(text: &str) -> Result<Self> {
        Self::parse(text).ok_or_else(|| Error::Internal(format!("{text} is no snapshot")))
    }

    /// Every change up to this one is seen.
    pub const fn seen(&self) -> u64 {
        match self {
            Self::Sqlite(seq) => *seq,
            Self::Postgres { oldest, .. } => *oldest,
        }
    }

    /// No change behind this one is seen.
    const fn newest(&self) -> u64 {
        match self {
            Self::Sqlite(seq) => *seq,
            Self::Postgres { next, .. } => *next,
        }
    }

    /// How many transactions have begun since the oldest that is under way, on the same server: the
    /// feed tells nothing of them, and nothing of them is kept. None on SQLite.
    fn held_back(&self) -> u32 {
        u32::try_from(self.newest().saturating_sub(self.seen())).unwrap_or(u32::MAX)
    }

    /// Where to read on, by epoch and number, and from which epoch on everything is new.
    fn behind(&self) -> (i64, i64, i64) {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        match self {
            Self::Sqlite(seq) => (0, signed(*seq), 0),
            Self::Postgres { oldest, next, .. } => (signed(*oldest) - 1, i64::MAX, signed(*next)),
        }
    }

    /// What was under way, for the statement.
    fn unseen(&self) -> String {
        #[derive(Serialize)]
        struct Row {
            epoch: u64,
        }
        match self {
            Self::Sqlite(_) => "[]".to_owned(),
            Self::Postgres { open, .. } => {
                json(&open.iter().map(|&epoch| Row { epoch }).collect::<Vec<_>>())
            }
        }
    }
}

#[derive(FromRow)]
struct ChangedRow {
    epoch: i64,
    seq: i64,
    /// None of a tube that has nobody.
    person_key: Option<PersonKey>,
}

impl ChangedRow {
    /// Who changed, and the change's number.
    fn of(&self) -> Option<(&PersonKey, u64)> {
        Some((self.person_key.as_ref()?, self.version()))
    }

    /// The change's number.
    fn version(&self) -> u64 {
        let number = if self.epoch == 0 { self.seq } else { self.epoch + 1 };
        u64::try_from(number).unwrap_or(u64::MAX)
    }
}

/// Whoever was in a tube of which something was told since `before`, at most so many rows.
async fn changed(tx: &mut Tx, before: &Snapshot, most: usize) -> Result<Vec<ChangedRow>> {
    let (epoch, seq, new) = before.behind();
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    Ok(on!(tx, c => query_as(CHANGED).bind(epoch).bind(seq).bind(new).bind(before.unseen())
        .bind(most).fetch_all(c).await)?)
}

impl Cache {
    /// Looks once at what changed since the last time; what is kept may be shown for a moment
    /// from now on.
    pub async fn look(&self, db: &Db) -> Result<()> {
        let mut followed = self.0.followed.lock().await;
        let looked = db.unless_silent(Box::pin(self.look_from(db, followed.as_ref()))).await;
        match looked {
            Ok(now) => *followed = Some(now),
            // A server that was put back to what it had on its disk counts on from there.
            Err(Error::Store(StoreError::Lost(error))) => {
                *followed = None;
                self.0.versions.interrupted(Instant::now());
                self.0.local.clear();
                return Err(Error::Store(StoreError::Lost(error)));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn look_from(&self, db: &Db, before: Option<&Snapshot>) -> Result<Snapshot> {
        let (looked, told) = (Instant::now(), db.news().told());
        let mut tx = db.ask("cache.follow").await?;
        let now = Snapshot::of(&mut tx).await?;
        self.0.counts.held_back.set(f64::from(now.held_back()));
        // When more people changed than are kept, it is cheaper to forget everybody.
        let most = self.0.local.len().max(PEOPLE);
        let rows = match before {
            None => None,
            Some(before) if *before == now => Some(Vec::new()),
            Some(before) => {
                let rows = changed(&mut tx, before, most + 1).await?;
                (rows.len() <= most).then_some(rows)
            }
        };
        if let Some(rows) = rows {
            for (person, version) in rows.iter().filter_map(ChangedRow::of) {
                self.0.versions.changed(person, version);
            }
            self.0.counts.forgotten.increment(rows.len() as u64);
        } else {
            self.0.versions.all_changed(now.newest());
            self.0.counts.forgotten_all.increment(1);
        }
        db.news().followed(told);
        self.0.versions.followed(looked);
        Ok(now)
    }

    /// Looks again and again: at once when this process tells the feed something, and several
    /// times a second for what others tell it.
    #[expect(clippy::cast_precision_loss, reason = "the cache is far smaller than that")]
    pub async fn follow(&self, db: &Db) {
        let mut news = db.news().listen();
        let mut fails = false;
        // Connecting to Redis is begun before anybody asks.
        self.is_redis_up();
        loop {
            match self.look(db).await {
                Ok(()) => fails = false,
                Err(error) if !fails => {
                    tracing::warn!(%error, "the feed is not followed; only the store is asked");
                    fails = true;
                }
                Err(_again) => {}
            }
            self.0.counts.bytes.set(self.0.local.bytes() as f64);
            tokio::time::sleep(APART).await;
            // Either somebody told something meanwhile, or it is time.
            tokio::time::timeout(REST, news.changed()).await.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_read_and_says_where_to_read_on() {
        let sqlite = Snapshot::parse("17").unwrap();
        assert_eq!((sqlite.seen(), sqlite.newest(), sqlite.behind()), (17, 17, (0, 17, 0)));
        assert_eq!(sqlite.unseen(), "[]");
        let quiet = Snapshot::parse("20:20:").unwrap();
        assert_eq!((quiet.seen(), quiet.newest(), quiet.behind()), (20, 20, (19, i64::MAX, 20)));
        let busy = Snapshot::parse("20:25:20,23").unwrap();
        assert_eq!((busy.seen(), busy.newest(), busy.behind()), (20, 25, (19, i64::MAX, 25)));
        assert_eq!(busy.unseen(), r#"[{"epoch":20},{"epoch":23}]"#);
        assert_eq!([sqlite, quiet, busy].map(|seen| seen.held_back()), [0, 0, 5]);
        for wrong in ["", "x", "1:", "1:2", "1:2:x"] {
            assert_eq!(Snapshot::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_change_is_seen_by_whoever_began_after_its_transaction_was_over() {
        let row = |epoch, seq| {
            let person_key = crate::seal::KeyRing::generate().person_key("", "");
            ChangedRow { epoch, seq, person_key: Some(person_key) }.version()
        };
        assert!(row(0, 17) <= Snapshot::Sqlite(17).seen());
        assert!(row(0, 18) > Snapshot::Sqlite(17).seen());
        let busy = Snapshot::parse("20:25:20,23").unwrap();
        assert!(row(19, 1) <= busy.seen() && row(20, 2) > busy.seen());
        // The newest that can be seen at all.
        assert!(row(24, 3) <= busy.newest());
    }
}
