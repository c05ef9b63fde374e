//! What was seeded and what was found of it, for officers alone: as a list, by laboratory and day, and
//! as a picture.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, query_as};
use utoipa::{IntoParams, ToSchema};

use super::api::{LOOK_BACK, drawn, refuse_names};
use super::seeded::{Expected, refuse_laboratory};
use super::seeded_svg::svg;
use crate::app::App;
use crate::auth::Actor;
use crate::clock::{Span, Time};
use crate::error::Result;
use crate::http::extract::{Json, Query};
use crate::http::problem::Problem;
use crate::receiving::store::refuse_unknown_laboratory;
use crate::storage::Tx;

/// From, until, laboratory, instrument, lot, account (each all when null): what was seeded, and what
/// was last called of it, newest first, so that of too many the oldest are left out.
pub const ANSWERS: &str = "select s.tube_code, s.expected, s.seeded_us, l.laboratory_code,
        q.instrument, q.lot, q.account_id, c.outcome, r.imported_us as answered_us
    from quality_seeded s
        left join call c on c.tube_code = s.tube_code and c.state <> 'void'
            and not exists (select 1 from call d where d.tube_code = s.tube_code
                and d.state <> 'void' and d.run_id > c.run_id)
        left join run r on r.id = c.run_id
        left join plate l on l.code = r.plate_code
        left join quality_run q on q.run_id = c.run_id
    where s.seeded_us >= $1 and s.seeded_us < $2
        and (cast($3 as text) is null or l.laboratory_code = $3)
        and (cast($4 as text) is null or q.instrument = $4)
        and (cast($5 as text) is null or q.lot = $5)
        and (cast($6 as text) is null or q.account_id = $6)
    order by s.seeded_us desc, s.tube_code desc limit 10000";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("ANSWERS", ANSWERS)];

/// Which seeded tubes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SeededQuery {
    /// Only those answered by this laboratory.
    laboratory: Option<String>,
    /// Only those run on this instrument, by serial number.
    instrument: Option<String>,
    /// Only those run with this lot.
    lot: Option<String>,
    /// Only those whose run this account brought in.
    operator: Option<String>,
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
    /// On which instrument.
    pub instrument: Option<String>,
    /// With which lot.
    pub lot: Option<String>,
    /// Who brought its run in.
    #[serde(rename = "operator")]
    pub account_id: Option<String>,
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
    params(SeededQuery),
    responses((status = 200, body = SeededList), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn seeded_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<SeededQuery>,
) -> Result<Json<SeededList>> {
    Ok(Json(list(&app, &actor, asked).await?.0))
}

/// The share that each laboratory found, day by day, as a picture.
#[utoipa::path(get, path = "/v1/seeded.svg", tag = "quality", security(("bearer" = [])),
    params(SeededQuery),
    responses((status = 200, content((String = "image/svg+xml"))), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn seeded_svg_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<SeededQuery>,
) -> Result<Response> {
    let (list, period) = list(&app, &actor, asked).await?;
    drawn(move || svg(&list.recall, period)).await
}

/// What is asked for, and from when until when it was seeded.
async fn list(app: &App, actor: &Actor, asked: SeededQuery) -> Result<(SeededList, (Time, Time))> {
    refuse_laboratory(actor)?;
    refuse_names(&[
        ("laboratory", asked.laboratory.as_ref()),
        ("instrument", asked.instrument.as_ref()),
        ("lot", asked.lot.as_ref()),
        ("operator", asked.operator.as_ref()),
    ])?;
    let now = app.clock.now();
    let from = asked.from.unwrap_or(now - LOOK_BACK);
    let to = asked.to.unwrap_or(now + Span::MICROSECOND);
    let mut tx = app.db.read("quality.seeded").await?;
    refuse_unknown_laboratory(&mut tx, asked.laboratory.as_deref()).await?;
    let mut seeded = answers(&mut tx, &asked, (from, to)).await?;
    seeded.reverse();
    let recall = recall(&seeded);
    Ok((SeededList { seeded, recall }, (from, to)))
}

async fn answers(
    tx: &mut Tx,
    asked: &SeededQuery,
    (from, to): (Time, Time),
) -> Result<Vec<SeededAnswer>> {
    Ok(on!(tx, c => query_as(ANSWERS).bind(from).bind(to).bind(&asked.laboratory)
        .bind(&asked.instrument).bind(&asked.lot).bind(&asked.operator).fetch_all(c).await)?)
}

fn recall(seeded: &[SeededAnswer]) -> Vec<Recall> {
    let mut counts: BTreeMap<(String, String), (u32, u32)> = BTreeMap::new();
    for one in seeded.iter().filter(|one| one.expected == Expected::Detected) {
        let (Some(laboratory), Some(at), Some(outcome)) =
            (&one.laboratory_code, one.answered, &one.outcome)
        else {
            continue;
        };
        let count = counts.entry((laboratory.clone(), at.day())).or_default();
        count.0 += 1;
        count.1 += u32::from(outcome == "detected");
    }
    let line = |((laboratory, day), (answered, found))| Recall { laboratory, day, answered, found };
    counts.into_iter().map(line).collect()
}
