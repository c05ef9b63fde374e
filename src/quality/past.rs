//! What the alarms there were say to those that look at the next run: what is known already, since
//! when it is learnt anew what is usual, and with whom a laboratory is compared.

use sqlx::{FromRow, query_as};

use super::alarm::AlarmReason;
use super::rules::Known;
use super::{Direction, Measure, Scope, held};
use crate::clock::Time;
use crate::error::Result;
use crate::storage::{Tx, json};

/// `$1` laboratory, `$2` measures: the newest alarms of each, open or not.
pub const PAST: &str =
    "select measure, scope, subject, kit, target, direction, since_us, opened_us,
        acknowledged_us, reason
    from (select a.*, row_number() over (partition by measure order by opened_us desc, id desc) as n
        from quality_alarm a where laboratory_code = $1
            and measure in (select e.value ->> 0 from jsonb_each($2) e)) a
    where n <= 1000 order by measure, n";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("PAST", PAST)];

/// An alarm there was, or is.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Past {
    pub(super) measure: Measure,
    scope: Scope,
    subject: String,
    kit: String,
    target: String,
    direction: Direction,
    #[sqlx(rename = "since_us")]
    since: Time,
    #[sqlx(rename = "opened_us")]
    opened: Time,
    #[sqlx(rename = "acknowledged_us")]
    acknowledged: Option<Time>,
    reason: Option<AlarmReason>,
}

impl Past {
    /// Since when it tells why plates went its way; that of held runs tells no sum anything.
    fn explains_since(&self) -> Time {
        if held::is_one(self.scope, self.since, self.opened) {
            return self.acknowledged.unwrap_or(Time::from_us(i64::MAX));
        }
        self.since
    }
}

/// The newest alarms of each of these measures in a laboratory, one measure after the other.
pub async fn alarms(tx: &mut Tx, laboratory: &str, measures: &[Measure]) -> Result<Vec<Past>> {
    let list = json(&measures.iter().map(|measure| (measure,)).collect::<Vec<_>>());
    Ok(on!(tx, c => query_as(PAST).bind(laboratory).bind(&list).fetch_all(c).await)?)
}

/// What is known already of a kit's target.
pub fn known(past: &[Past], (kit, target): (&str, &str)) -> Vec<Known> {
    let own = past.iter().filter(|one| (one.kit.as_str(), one.target.as_str()) == (kit, target));
    let known = own.map(|one| Known {
        scope: one.scope,
        subject: one.subject.clone(),
        direction: one.direction,
        since: one.explains_since(),
        until: one.acknowledged,
    });
    known.collect()
}

/// Since when the usual values of an instrument are learnt.
pub(super) fn relearnt(past: &[Past], (kit, target): (&str, &str), instrument: &str) -> Time {
    let own = past.iter().filter(|one| {
        one.reason.is_some_and(AlarmReason::changes_the_usual)
            && (one.kit.as_str(), one.target.as_str()) == (kit, target)
            && (one.scope != Scope::Instrument || one.subject == instrument)
    });
    own.filter_map(|one| one.acknowledged).max().unwrap_or(Time::from_us(0))
}

/// What a laboratory's positives are compared with, as the answers to its alarms say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct People {
    /// Since when it learns from itself what share of positives is usual.
    pub learnt: Time,
    /// Whether its people are known to differ, so that what others find says nothing of it.
    pub differ: bool,
}

/// The newest answer decides: whoever found a fault where before the people were said to differ
/// has the laboratory compared with the others again.
pub(super) fn people(past: &[Past]) -> People {
    let own = past.iter().filter(|one| {
        one.scope == Scope::Laboratory && one.reason.is_some_and(AlarmReason::changes_the_people)
    });
    let newest = own.max_by_key(|one| one.acknowledged);
    People {
        learnt: newest.and_then(|one| one.acknowledged).unwrap_or(Time::from_us(0)),
        differ: newest.is_some_and(|one| one.reason == Some(AlarmReason::PopulationDiffers)),
    }
}

/// When somebody last acknowledged one of these; long ago where nobody did.
pub(super) fn acknowledged(past: &[Past]) -> Time {
    past.iter().filter_map(|one| one.acknowledged).max().unwrap_or(Time::from_us(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(scope: Scope, reason: AlarmReason, at: i64) -> Past {
        Past {
            measure: Measure::Positivity,
            scope,
            subject: "L01".to_owned(),
            kit: String::new(),
            target: String::new(),
            direction: Direction::Rise,
            since: Time::from_us(0),
            opened: Time::from_us(1),
            acknowledged: Some(Time::from_us(at)),
            reason: Some(reason),
        }
    }

    #[test]
    fn the_newest_answer_says_what_a_laboratory_is_compared_with() {
        use AlarmReason::{NoCauseFound, PopulationDiffers, ReagentReplaced};
        let of = |answers: &[(Scope, AlarmReason, i64)]| {
            let past: Vec<_> =
                answers.iter().map(|(scope, reason, at)| answered(*scope, *reason, *at)).collect();
            let People { learnt, differ } = people(&past);
            (learnt.us(), differ)
        };
        let differs = (Scope::Laboratory, PopulationDiffers, 5);
        assert_eq!(of(&[]), (0, false));
        assert_eq!(of(&[differs]), (5, true));
        assert_eq!(of(&[(Scope::Laboratory, NoCauseFound, 9), differs]), (5, true));
        assert_eq!(of(&[(Scope::Laboratory, ReagentReplaced, 9), differs]), (9, false));
        assert_eq!(of(&[differs, (Scope::Laboratory, ReagentReplaced, 3)]), (5, true));
        // What is said of an instrument is not said of the laboratory.
        assert_eq!(of(&[(Scope::Instrument, PopulationDiffers, 5)]), (0, false));
    }

    #[test]
    fn an_alarm_of_held_runs_tells_no_sum_anything_and_its_answer_begins_it_again() {
        let of = |scope, since, acknowledged: Option<i64>| {
            let (opened, since) = (Time::from_us(7), Time::from_us(since));
            let acknowledged = acknowledged.map(Time::from_us);
            let answer = answered(scope, AlarmReason::NoCauseFound, 0);
            let past = Past { since, opened, acknowledged, ..answer };
            let one = known(&[past], ("", "")).remove(0);
            (one.since.us(), one.until.map(Time::us))
        };
        assert_eq!(of(Scope::Instrument, 7, None), (i64::MAX, None));
        assert_eq!(of(Scope::Instrument, 7, Some(9)), (9, Some(9)));
        // A sum went on for some plates.
        assert_eq!(of(Scope::Instrument, 3, None), (3, None));
        assert_eq!(of(Scope::Laboratory, 3, Some(9)), (3, Some(9)));
    }
}
