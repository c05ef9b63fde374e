//! Which of a person's answers stands after one of them was amended.
//!
//! A release settles it for new answers in one statement (`release::STATUSES`). An amendment may
//! take back what hid an earlier answer, so it goes through all answers of these people again, in
//! the order in which they were told. A withdrawn answer says nothing, so that no positive is
//! hidden behind it, whichever of the two was told first.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{FromRow, query, query_as};

use crate::error::Result;
use crate::storage::{Sql, StoreError, Tx, json};

/// `$1` tube: nobody else changes the statuses of its members before this transaction ends, so that
/// the answers read after it are all there are; whoever was just telling one is waited for.
/// They are taken in one order, in which a release takes them too. On SQLite whoever writes is alone.
pub const STATUSES_LOCK: Sql = Sql {
    sqlite: "select $1",
    postgres: "select person_key from status
        where person_key in (select m.person_key from member m where m.tube_code = $1)
        order by person_key for update",
};
/// `$1` tube: the newest version of every answer to each of its members.
pub const ANSWERS: &str = "select m.person_key, m.tube_code, m.taken_us, v.id, v.outcome,
        v.released_us, coalesce(p.depth, c.members) as pooled
    from member a join member m on m.person_key = a.person_key
        join result v on v.tube_code = m.tube_code and v.version =
            (select max(n.version) from result n where n.tube_code = m.tube_code)
        join call c on c.run_id = v.run_id and c.tube_code = v.tube_code
        left join pool p on p.code = c.pool_code
    where a.tube_code = $1";
/// `$1` answers, one a person.
pub const STATUSES_PUT: &str = "insert into status
        (person_key, tube_code, result_id, outcome, collected_us, released_us, pooled)
    select e.value ->> 'person_key', e.value ->> 'tube_code', e.value ->> 'id',
        e.value ->> 'outcome', cast(e.value ->> 'taken_us' as bigint),
        cast(e.value ->> 'released_us' as bigint), cast(e.value ->> 'pooled' as bigint)
    from jsonb_each($1) e where true
    on conflict (person_key) do update set tube_code = excluded.tube_code,
        result_id = excluded.result_id, outcome = excluded.outcome,
        collected_us = excluded.collected_us, released_us = excluded.released_us,
        pooled = excluded.pooled";

/// One answer to one person.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
struct Answer {
    person_key: String,
    tube_code: String,
    taken_us: i64,
    id: String,
    outcome: String,
    released_us: i64,
    pooled: Option<i64>,
}

impl Answer {
    fn is_detected(&self) -> bool {
        self.outcome == "detected"
    }

    fn is_withdrawn(&self) -> bool {
        self.outcome == "withdrawn"
    }

    fn swab(&self) -> (i64, &str) {
        (self.taken_us, &self.tube_code)
    }

    /// Whether this answer counts before another of one release: a positive does, then the later
    /// swab's.
    fn counts_before(&self, other: &Self) -> bool {
        (self.is_detected(), self.swab()) > (other.is_detected(), other.swab())
    }

    /// Whether this answer, told after `before`, takes its place: that of a later swab does, and a
    /// positive is not lost behind a negative of a later swab that happened to be ready first.
    fn stands_over(&self, before: &Self) -> bool {
        if before.is_detected() && self.is_withdrawn() {
            return false;
        }
        self.swab() >= before.swab() || (self.is_detected() && !before.is_detected())
    }
}

/// The answer that stands for each person, of the newest versions of all their answers.
fn standing(answers: Vec<Answer>) -> Vec<Answer> {
    let mut told: BTreeMap<(i64, String), Answer> = BTreeMap::new();
    for answer in answers {
        let moment = (answer.released_us, answer.person_key.clone());
        if told.get(&moment).is_none_or(|other| answer.counts_before(other)) {
            told.insert(moment, answer);
        }
    }
    let mut standing: BTreeMap<String, Answer> = BTreeMap::new();
    for ((_, person), answer) in told {
        if standing.get(&person).is_none_or(|before| answer.stands_over(before)) {
            standing.insert(person, answer);
        }
    }
    standing.into_values().collect()
}

/// Tells every member of an amended tube which of their answers stands now.
pub(super) async fn statuses_settle(tx: &mut Tx, tube: &str) -> Result<()> {
    let lock = STATUSES_LOCK.text(tx);
    on!(tx, c => query(lock).bind(tube).execute(c).await.map(drop))?;
    let answers: Vec<Answer> = on!(tx, c => query_as(ANSWERS).bind(tube).fetch_all(c).await)?;
    if answers.is_empty() {
        let reason = "it was amended and nobody was told of it".to_owned();
        let (table, id) = ("result", tube.to_owned());
        return Err(StoreError::Inconsistent { table, id, reason }.into());
    }
    let standing = standing(answers);
    tx.concerns(standing.iter().map(|answer| &answer.person_key));
    let rows = json(&standing);
    on!(tx, c => query(STATUSES_PUT).bind(&rows).execute(c).await.map(drop))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(tube: &str, taken: i64, outcome: &str) -> Answer {
        Answer {
            person_key: "P".to_owned(),
            tube_code: tube.to_owned(),
            taken_us: taken,
            id: format!("{tube}.1"),
            outcome: outcome.to_owned(),
            released_us: 0,
            pooled: Some(1),
        }
    }

    /// The tube whose answer stands, of answers told one after the other.
    fn stands<const N: usize>(answers: [&Answer; N]) -> String {
        let in_turn = (0..).zip(answers);
        stands_of(in_turn.map(|(moment, one)| Answer { released_us: moment, ..one.clone() }))
    }

    fn stands_of(answers: impl IntoIterator<Item = Answer>) -> String {
        let [only] = &standing(answers.into_iter().collect())[..] else {
            panic!("one person has one answer")
        };
        only.tube_code.clone()
    }

    #[test]
    fn the_later_swab_s_answer_stands_whichever_was_told_first() {
        let (early, late) = (answer("T1", 1, "not_detected"), answer("T2", 2, "not_detected"));
        assert_eq!(stands([&early, &late]), "T2");
        assert_eq!(stands([&late, &early]), "T2");
        let together = answer("T2", 1, "not_detected");
        assert_eq!(stands([&together, &early]), "T2");
        assert_eq!(stands([&early, &together]), "T2");
    }

    #[test]
    fn a_positive_is_told_though_a_later_negative_was_ready_first_and_ends_with_the_next() {
        let (found, late) = (answer("T1", 1, "detected"), answer("T2", 2, "not_detected"));
        assert_eq!(stands([&late, &found]), "T1");
        assert_eq!(stands([&found, &late]), "T2");
        for together in [[&found, &late], [&late, &found]] {
            assert_eq!(stands_of(together.map(Clone::clone)), "T1", "one release told both");
        }
    }

    #[test]
    fn of_two_positives_the_later_swab_s_stands_also_beside_a_negative_of_the_same_release() {
        let (old, late) = (answer("T1", 1, "detected"), answer("T2", 2, "detected"));
        assert_eq!(stands([&late, &old]), "T2");
        let negative = answer("T3", 3, "not_detected");
        let same_release = [&old, &negative].map(|one| Answer { released_us: 5, ..one.clone() });
        assert_eq!(stands_of([late].into_iter().chain(same_release)), "T2");
    }

    #[test]
    fn what_a_positive_that_was_taken_back_hid_stands_again() {
        let late = answer("T2", 2, "not_detected");
        for outcome in ["not_detected", "withdrawn"] {
            assert_eq!(stands([&late, &answer("T1", 1, outcome)]), "T2", "{outcome}");
        }
    }

    #[test]
    fn a_withdrawn_answer_hides_no_positive_whichever_was_told_first() {
        let (found, late) = (answer("T1", 1, "detected"), answer("T2", 2, "withdrawn"));
        assert_eq!(stands([&found, &late]), "T1");
        assert_eq!(stands([&late, &found]), "T1");
        let (earlier, found) = (answer("T1", 1, "withdrawn"), answer("T2", 2, "detected"));
        assert_eq!(stands([&found, &earlier]), "T2");
    }

    #[test]
    fn a_withdrawn_answer_of_the_last_swab_stands_before_an_older_negative() {
        let (old, late) = (answer("T1", 1, "not_detected"), answer("T2", 2, "withdrawn"));
        assert_eq!(stands([&old, &late]), "T2");
        assert_eq!(stands([&late, &old]), "T2");
    }

    #[test]
    fn each_person_has_an_answer_of_their_own() {
        let mut other = answer("T1", 1, "not_detected");
        other.person_key = "Q".to_owned();
        assert_eq!(standing(vec![answer("T1", 1, "not_detected"), other]).len(), 2);
    }
}
