//! Seeded tubes: made up by an officer, blind for the laboratory, to see whether they are found.
//!
//! Where hardly anybody is positive, positivity says nothing of a laboratory (`reliability.md` 3);
//! tubes whose answer is known do. An officer names the code here before the tube is sealed, so
//! that nobody's tube can be made one afterwards; then a sampler seals it as any other, with
//! the invented document of nobody. Every route treats it as any other, so that nobody can
//! tell; only the feed never tells of it, and the ledger counts its tube but none of its people.
//! Plant single tubes: a positive pool would recall people who do not exist.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{FromRow, query, query_as, query_scalar};
use utoipa::ToSchema;

use super::alarm::NewAlarm;
use super::api::sees_seeded;
use super::past;
use super::{Answer, Direction, Facts, Measure, Scope};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::store as codes_store;
use crate::clock::Span;
use crate::collection::tubes_find;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::storage::{Tx, codes};

/// How old a seeded tube may be to count: for the recall of its laboratory, or as late there.
const RECALL_PERIOD: Span = Span::days(30);
/// Of a hundred seeded tubes with virus, how many a sound laboratory finds at least.
pub(super) const FOUND_OF_HUNDRED: u8 = 90;
/// Fewest missed tubes that make a recall low: of a sound laboratory that misses one of a hundred,
/// fewer than one month in a hundred with twenty tubes.
const MISSED_MIN: usize = 2;

/// Tube, expected, who, when.
pub const SEED: &str = "insert into quality_seeded (tube_code, expected, seeded_by, seeded_us)
    values ($1, $2, $3, $4) on conflict do nothing";
/// `$1` tubes: those of them that were seeded, and how often each alone gave no answer.
pub const SEEDED: &str = "select s.tube_code, s.expected,
        (select count(*) from call c where c.tube_code = s.tube_code and c.state <> 'void'
            and c.pool_code is null and c.outcome in ('inconclusive', 'invalid')) as unclear
    from quality_seeded s
    where s.tube_code in (select e.value ->> 'code' from jsonb_each($1) e) order by s.tube_code";
/// Laboratory, now, seeded since: tubes seeded with virus that wait there longer than anybody's
/// tube may, and of which no alarm told. Each of the few seeded tubes is looked up by itself, so
/// that no planner begins with all that the laboratory holds.
pub const LATE: &str = "select s.tube_code
    from (select q.tube_code, (select case when t.laboratory_code = $1
                    and t.state in ('received', 'plated') then t.sealed_us + coalesce((select
                        r.result_hours from round r where r.code = t.round_code), 24) * 3600000000
                end from tube t where t.code = q.tube_code) as due_us
            from quality_seeded q where q.seeded_us >= $3 and q.expected = 'detected') s
    where s.due_us < $2 and not exists (select 1 from quality_alarm a
        where a.laboratory_code = $1 and a.measure = 'seeded' and a.tube = s.tube_code)
    order by s.tube_code limit 1000";
/// Laboratory, seeded since, answered since: what was last said for good of its tubes with virus,
/// newest first.
pub const LAST: &str = "select c.outcome
    from quality_seeded s join call c on c.tube_code = s.tube_code
        join run r on r.id = c.run_id join plate l on l.code = r.plate_code
    where s.expected = 'detected' and s.seeded_us >= $2 and l.laboratory_code = $1
        and c.state <> 'void' and c.disposition <> 'retest' and r.usable = 1
        and r.imported_us > $3
    order by r.imported_us desc, s.tube_code limit 20";
/// `$1` laboratory: its open alarms about recall.
pub const HOLDS: &str = "select count(*) from quality_alarm where laboratory_code = $1
    and measure = 'seeded_recall' and acknowledged_us is null";
/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] =
    &[("SEED", SEED), ("SEEDED", SEEDED), ("LATE", LATE), ("LAST", LAST), ("HOLDS", HOLDS)];

/// What is in a seeded tube.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Expected {
    /// Inactivated virus.
    Detected,
    /// None.
    NotDetected,
}

#[derive(FromRow)]
struct SeededRow {
    tube_code: String,
    expected: Expected,
    unclear: i64,
}

/// Which way an answer is wrong for a tube that alone gave none so often; none where it is right,
/// or where the tube is tested once more. A pool with virus says nothing of one tube in it.
fn wrong(expected: Expected, answer: &Answer, unclear: i64) -> Option<Direction> {
    let side = match expected {
        Expected::Detected => Direction::Fall,
        Expected::NotDetected => Direction::Rise,
    };
    let is_wrong = match (expected, answer.detected) {
        (Expected::Detected, Some(detected)) => !detected,
        (Expected::NotDetected, Some(detected)) => detected && !answer.pooled,
        (_, None) => !answer.again || unclear > 1,
    };
    is_wrong.then_some(side)
}

/// Whether too few of the last tubes with virus were found: less than nine of ten, and one missed
/// tube is never enough.
const fn is_below(answered: usize, found: usize) -> bool {
    answered.saturating_sub(found) >= MISSED_MIN
        && found * 100 < answered * FOUND_OF_HUNDRED as usize
}

/// The alarms about seeded tubes that a run gives cause for: answers that are wrong, tubes that
/// wait too long in its laboratory, and a recall that is too low.
pub(super) async fn answered(tx: &mut Tx, facts: &Facts) -> Result<Vec<NewAlarm>> {
    let mut new = late(tx, facts).await?;
    if !facts.usable || facts.answers.is_empty() {
        return Ok(new);
    }
    let tubes = codes(facts.answers.iter().map(|answer| &answer.tube));
    let rows: Vec<SeededRow> = on!(tx, c => query_as(SEEDED).bind(&tubes).fetch_all(c).await)?;
    if rows.is_empty() {
        return Ok(new);
    }
    new.extend(rows.into_iter().filter_map(|row| {
        let answer = facts.answers.iter().find(|answer| answer.tube == row.tube_code)?;
        let direction = wrong(row.expected, answer, row.unclear)?;
        Some(of_tube(facts, row.tube_code, direction))
    }));
    new.extend(low_recall(tx, facts).await?);
    Ok(new)
}

fn of_tube(facts: &Facts, tube: String, direction: Direction) -> NewAlarm {
    NewAlarm {
        scope: Scope::Laboratory,
        subject: facts.subjects.laboratory.clone(),
        measure: Measure::Seeded,
        kit: String::new(),
        target: String::new(),
        direction,
        tube,
        plates: 1,
        since: facts.at,
    }
}

async fn late(tx: &mut Tx, facts: &Facts) -> Result<Vec<NewAlarm>> {
    let tubes: Vec<String> = on!(tx, c => query_scalar(LATE).bind(&facts.subjects.laboratory)
        .bind(facts.at).bind(facts.at - RECALL_PERIOD).fetch_all(c).await)?;
    // What this run answers is not late but right or wrong.
    let late = tubes
        .into_iter()
        .filter(|tube| !facts.usable || !facts.answers.iter().any(|answer| answer.tube == *tube));
    Ok(late.map(|tube| of_tube(facts, tube, Direction::Fall)).collect())
}

async fn low_recall(tx: &mut Tx, facts: &Facts) -> Result<Option<NewAlarm>> {
    let laboratory = &facts.subjects.laboratory;
    let before = past::alarms(tx, laboratory, &[Measure::SeededRecall]).await?;
    let outcomes: Vec<String> = on!(tx, c => query_scalar(LAST).bind(laboratory)
        .bind(facts.at - RECALL_PERIOD).bind(past::acknowledged(&before)).fetch_all(c).await)?;
    let found = outcomes.iter().filter(|outcome| *outcome == "detected").count();
    let low = NewAlarm {
        measure: Measure::SeededRecall,
        plates: i64::try_from(outcomes.len()).unwrap_or(i64::MAX),
        ..of_tube(facts, String::new(), Direction::Fall)
    };
    Ok(is_below(outcomes.len(), found).then_some(low))
}

/// Whether nothing may be released by rule in a laboratory: it found too few of its seeded tubes,
/// and nobody acknowledged that.
pub async fn holds(tx: &mut Tx, laboratory: &str) -> Result<bool> {
    let open: i64 = on!(tx, c => query_scalar(HOLDS).bind(laboratory).fetch_one(c).await)?;
    Ok(open > 0)
}

/// What an officer plants.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeedRequest {
    /// What must be found.
    pub expected: Expected,
}

/// A seeded tube.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Seeded {
    /// Its code.
    pub tube: String,
    /// What must be found.
    pub expected: Expected,
}

/// Plants a tube, before it is sealed; the same again is answered again.
#[utoipa::path(put, path = "/v1/seeded/{code}", tag = "quality", security(("bearer" = [])),
    params(("code" = String, Path, description = "code of a tube that is not sealed yet")),
    request_body = SeedRequest,
    responses((status = 200, body = Seeded), (status = 201, body = Seeded),
        (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn seeded_put(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Json(request): Json<SeedRequest>,
) -> Result<(StatusCode, Json<Seeded>)> {
    refuse_laboratory(&actor)?;
    let mut tx = app.db.write("quality.seed").await?;
    let parsed = codes_store::tube_codes(&mut tx, &[&code]).await?;
    let code = parsed.into_iter().next().expect("one code has one answer");
    let code = code.map_err(|reason| Error::Invalid(vec![reason]))?.to_string();
    let expected = request.expected;
    let seeded = Seeded { tube: code.clone(), expected };
    if let Some(before) = seeded_before(&mut tx, &code).await? {
        if before == expected {
            return Ok((StatusCode::OK, Json(seeded)));
        }
        let message = format!("tube {code} was seeded with something else; plant another");
        return Err(Error::conflict("seeded.other", "expected", message));
    }
    if !tubes_find(&mut tx, [&code]).await?.is_empty() {
        let message = format!("tube {code} is sealed already; plant one that is not");
        return Err(Error::conflict("seeded.sealed", &code, message));
    }
    let at = app.clock.now();
    on!(tx, c => query(SEED).bind(&code).bind(expected).bind(&actor.account).bind(at)
        .execute(c).await.map(drop))?;
    let detail = json!({ "expected": expected });
    let entry = Entry { at, actor: &actor, action: "quality.seed", about: &code, detail };
    audit::record(&mut tx, entry).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(seeded)))
}

async fn seeded_before(tx: &mut Tx, code: &str) -> Result<Option<Expected>> {
    let tubes = codes([code]);
    let rows: Vec<SeededRow> = on!(tx, c => query_as(SEEDED).bind(&tubes).fetch_all(c).await)?;
    Ok(rows.into_iter().next().map(|row| row.expected))
}

/// Seeded tubes are blind for everybody who works in a laboratory.
pub(super) fn refuse_laboratory(actor: &Actor) -> Result<()> {
    if sees_seeded(actor) {
        return Ok(());
    }
    let message = "seeded tubes are blind for whoever works in a laboratory; ask an officer of the \
                   city";
    Err(Error::forbidden("seeded.blind", "laboratory", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(detected: Option<bool>, pooled: bool, again: bool) -> Answer {
        Answer { tube: "T1".to_owned(), detected, pooled, again }
    }

    #[test]
    fn a_wrong_answer_is_wrong_at_once_and_a_right_one_never() {
        use Expected::{Detected, NotDetected};
        let said = |detected| answer(Some(detected), false, false);
        assert_eq!(wrong(Detected, &said(false), 0), Some(Direction::Fall));
        assert_eq!(wrong(NotDetected, &said(true), 0), Some(Direction::Rise));
        assert_eq!(wrong(Detected, &said(true), 1), None);
        assert_eq!(wrong(NotDetected, &said(false), 1), None);
    }

    #[test]
    fn no_answer_is_allowed_once_and_only_if_the_tube_is_tested_again() {
        let none = |again| answer(None, false, again);
        assert_eq!(wrong(Expected::Detected, &none(true), 1), None);
        assert_eq!(wrong(Expected::Detected, &none(true), 2), Some(Direction::Fall));
        assert_eq!(wrong(Expected::Detected, &none(false), 1), Some(Direction::Fall));
        assert_eq!(wrong(Expected::NotDetected, &none(false), 1), Some(Direction::Rise));
    }

    #[test]
    fn a_laboratory_pool_with_virus_accuses_none_of_its_tubes() {
        let pool = |detected| answer(detected, true, true);
        assert_eq!(wrong(Expected::NotDetected, &pool(Some(true)), 0), None);
        assert_eq!(wrong(Expected::Detected, &pool(Some(true)), 0), None);
        assert_eq!(wrong(Expected::Detected, &pool(None), 0), None);
        assert_eq!(wrong(Expected::Detected, &pool(Some(false)), 0), Some(Direction::Fall));
    }

    #[test]
    fn a_recall_below_nine_of_ten_is_too_low_and_one_missed_tube_is_not() {
        for (answered, found) in [(20, 18), (20, 20), (19, 18), (1, 0), (5, 4), (0, 0)] {
            assert!(!is_below(answered, found), "{found} of {answered}");
        }
        for (answered, found) in [(20, 17), (19, 17), (2, 0), (5, 3)] {
            assert!(is_below(answered, found), "{found} of {answered}");
        }
    }
}
