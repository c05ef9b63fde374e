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
use sqlx::{FromRow, query, query_as};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

use super::alarm::NewAlarm;
use super::{Direction, Facts, Measure, Scope};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::store as codes_store;
use crate::clock::{Span, Time};
use crate::collection::tubes_find;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::Problem;
use crate::storage::{Tx, codes};

/// China's one time zone: the day of an answer.
const ZONE: Span = Span::hours(8);

/// Tube, expected, who, when.
pub const SEED: &str = "insert into quality_seeded (tube_code, expected, seeded_by, seeded_us)
    values ($1, $2, $3, $4) on conflict do nothing";
/// `$1` tubes: those of them that were seeded.
pub const SEEDED: &str = "select tube_code, expected from quality_seeded
    where tube_code in (select e.value ->> 'code' from json_each($1) e) order by tube_code";
/// From, until: what was seeded, and what was last called of it.
pub const ANSWERS: &str = "select s.tube_code, s.expected, s.seeded_us, l.laboratory_code,
        c.outcome, r.imported_us as answered_us
    from quality_seeded s
        left join call c on c.tube_code = s.tube_code and c.state <> 'void'
            and not exists (select 1 from call d where d.tube_code = s.tube_code
                and d.state <> 'void' and d.run_id > c.run_id)
        left join run r on r.id = c.run_id
        left join plate l on l.code = r.plate_code
    where s.seeded_us >= $1 and s.seeded_us < $2
    order by s.seeded_us, s.tube_code limit 10000";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("SEED", SEED), ("SEEDED", SEEDED), ("ANSWERS", ANSWERS)];

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
}

/// The seeded tubes of a run that were not answered as they must be.
pub(super) async fn answered(tx: &mut Tx, facts: &Facts) -> Result<Vec<NewAlarm>> {
    if !facts.usable || facts.answers.is_empty() {
        return Ok(Vec::new());
    }
    let tubes = codes(facts.answers.iter().map(|answer| &answer.tube));
    let rows: Vec<SeededRow> = on!(tx, c => query_as(SEEDED).bind(&tubes).fetch_all(c).await)?;
    let wrong = rows.into_iter().filter_map(|row| {
        let answer = facts.answers.iter().find(|answer| answer.tube == row.tube_code)?;
        let direction = match (row.expected, answer.detected?) {
            (Expected::Detected, false) => Direction::Fall,
            (Expected::NotDetected, true) => Direction::Rise,
            _ => return None,
        };
        Some(NewAlarm {
            scope: Scope::Laboratory,
            subject: facts.subjects.laboratory.clone(),
            measure: Measure::Seeded,
            kit: String::new(),
            target: String::new(),
            direction,
            tube: row.tube_code,
            plates: 1,
            since: facts.at,
        })
    });
    Ok(wrong.collect())
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
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn seeded_put(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Json(request): Json<SeedRequest>,
) -> Result<(StatusCode, Json<Seeded>)> {
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

/// Which seeded tubes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SeededQuery {
    /// Seeded since; 30 days ago when left out.
    #[param(value_type = Option<String>)]
    from: Option<Time>,
    /// Seeded before; now when left out.
    #[param(value_type = Option<String>)]
    to: Option<Time>,
}

/// One seeded tube and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize, Deserialize, ToSchema)]
pub struct SeededAnswer {
    /// Its code.
    #[serde(rename = "tube")]
    pub tube_code: String,
    /// What must be found.
    pub expected: Expected,
    /// When it was seeded.
    #[sqlx(rename = "seeded_us")]
    #[serde(rename = "seeded_at")]
    pub seeded: Time,
    /// Where it was run.
    #[serde(rename = "laboratory")]
    pub laboratory_code: Option<String>,
    /// What was last called of it.
    pub outcome: Option<String>,
    /// When.
    #[sqlx(rename = "answered_us")]
    #[serde(rename = "answered_at")]
    pub answered: Option<Time>,
}

/// How many of the seeded tubes with virus a laboratory found in a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recall {
    /// The laboratory.
    pub laboratory: String,
    /// The day of the answer in China.
    pub day: String,
    /// Seeded tubes with virus that were answered.
    pub answered: u32,
    /// Those of them that were found.
    pub found: u32,
}

/// Seeded tubes, and how many were found.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SeededList {
    /// The tubes, oldest first.
    pub seeded: Vec<SeededAnswer>,
    /// By laboratory and day.
    pub recall: Vec<Recall>,
}

/// What was seeded and what was found, for officers alone.
#[utoipa::path(get, path = "/v1/seeded", tag = "quality", security(("bearer" = [])),
    params(SeededQuery), responses((status = 200, body = SeededList)))]
pub async fn seeded_get(
    State(app): State<App>,
    Query(asked): Query<SeededQuery>,
) -> Result<Json<SeededList>> {
    let now = app.clock.now();
    let (from, to) = (asked.from.unwrap_or(now - Span::days(30)), asked.to);
    let to = to.unwrap_or(now + Span::MICROSECOND);
    let mut tx = app.db.read("quality.seeded").await?;
    let seeded: Vec<SeededAnswer> =
        on!(tx, c => query_as(ANSWERS).bind(from).bind(to).fetch_all(c).await)?;
    let recall = recall(&seeded);
    Ok(Json(SeededList { seeded, recall }))
}

fn recall(seeded: &[SeededAnswer]) -> Vec<Recall> {
    let mut counts: BTreeMap<(String, String), (u32, u32)> = BTreeMap::new();
    for one in seeded.iter().filter(|one| one.expected == Expected::Detected) {
        let (Some(laboratory), Some(at), Some(outcome)) =
            (&one.laboratory_code, one.answered, &one.outcome)
        else {
            continue;
        };
        let local = (at + ZONE).to_string();
        let day = local.get(..10).unwrap_or(&local).to_owned();
        let count = counts.entry((laboratory.clone(), day)).or_default();
        count.0 += 1;
        count.1 += u32::from(outcome == "detected");
    }
    let line = |((laboratory, day), (answered, found))| Recall { laboratory, day, answered, found };
    counts.into_iter().map(line).collect()
}
