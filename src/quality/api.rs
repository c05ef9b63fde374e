//! Routes of the charts and the alarms.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{FromRow, query_as};
use utoipa::{IntoParams, ToSchema};

use super::alarm::{self, Alarm, AlarmReason, Asked};
use super::shares::{ChartShare, ShareRow};
use super::svg::svg;
use super::westgard::Rule;
use super::{Chart, ChartPoint, Frame, Measure, Scope};
use super::{past, rules, shares, store};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::{Actor, Role};
use crate::clock::{Span, Time};
use crate::error::{Error, Result};
use crate::http::extract::{Json, Path, Query};
use crate::http::page::{Cursor, Limit};
use crate::http::problem::Problem;
use crate::receiving::store::refuse_unknown_laboratory;
use crate::storage::Tx;

/// Days a chart looks back when nothing is said.
pub(super) const LOOK_BACK: Span = Span::days(30);
/// Longest name in a question.
const NAME_MAX: usize = 100;
/// Most alarms on one page.
const PAGE_MAX: u32 = 200;
/// Time and id of the last alarm of a page.
type Position = (i64, String);

/// Which chart.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ChartQuery {
    /// The laboratory; the asker's own when left out.
    pub laboratory: Option<String>,
    /// Only this instrument, by serial number.
    pub instrument: Option<String>,
    /// Only this lot.
    pub lot: Option<String>,
    /// Only this account.
    pub operator: Option<String>,
    /// What is measured: `positive_control`, `weak_positive_control`, `internal_control` or
    /// `positivity`.
    #[param(value_type = String)]
    pub measure: Measure,
    /// Only this target.
    pub target: Option<String>,
    /// Only this kit and version, as `orf1ab-n-ic 1`.
    pub kit: Option<String>,
    /// Points since; 30 days ago when left out.
    #[param(value_type = Option<String>)]
    pub from: Option<Time>,
    /// Points before; now when left out.
    #[param(value_type = Option<String>)]
    pub to: Option<Time>,
}

/// A chart's points, the rules they break and the sums after them.
#[utoipa::path(get, path = "/v1/quality/charts", tag = "quality", security(("bearer" = [])),
    params(ChartQuery),
    responses((status = 200, body = Chart), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn charts_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<ChartQuery>,
) -> Result<Json<Chart>> {
    Ok(Json(asked_chart(&app, &actor, asked).await?))
}

/// The same as a picture.
#[utoipa::path(get, path = "/v1/quality/charts.svg", tag = "quality", security(("bearer" = [])),
    params(ChartQuery),
    responses((status = 200, content((String = "image/svg+xml"))), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn charts_svg_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<ChartQuery>,
) -> Result<Response> {
    let chart = asked_chart(&app, &actor, asked).await?;
    drawn(move || svg(&chart)).await
}

async fn asked_chart(app: &App, actor: &Actor, asked: ChartQuery) -> Result<Chart> {
    let laboratory = asked.laboratory.clone().or_else(|| actor.laboratory.clone());
    let laboratory = laboratory.ok_or_else(|| {
        Error::invalid("quality.laboratory", "laboratory", "say of which laboratory the chart is")
    })?;
    actor.in_laboratory(&laboratory)?;
    refuse_names(&[
        ("laboratory", Some(&laboratory)),
        ("instrument", asked.instrument.as_ref()),
        ("lot", asked.lot.as_ref()),
        ("operator", asked.operator.as_ref()),
        ("target", asked.target.as_ref()),
        ("kit", asked.kit.as_ref()),
    ])?;
    if asked.measure.is_blind() {
        let message = "seeded tubes have a chart of their own; an officer reads /v1/seeded and \
                       /v1/seeded.svg";
        return Err(Error::invalid("quality.measure", "measure", message));
    }
    let now = app.clock.now();
    let frame = Frame {
        laboratory,
        instrument: asked.instrument,
        lot: asked.lot,
        operator: asked.operator,
        measure: asked.measure,
        from: asked.from.unwrap_or(now - LOOK_BACK),
        to: asked.to.unwrap_or(now + Span::MICROSECOND),
    };
    let mut tx = app.db.read("quality.chart").await?;
    refuse_unknown_laboratory(&mut tx, Some(&frame.laboratory)).await?;
    chart(&mut tx, frame, (asked.target.as_deref(), asked.kit.as_deref())).await
}

/// Refuses what cannot be the name of anything.
pub(super) fn refuse_names(fields: &[(&str, Option<&String>)]) -> Result<()> {
    let is_name =
        |name: &String| name.chars().count() <= NAME_MAX && !name.chars().any(char::is_control);
    match fields.iter().find(|(_, name)| !name.is_none_or(is_name)) {
        Some((field, _)) => {
            let message = "a name has at most 100 visible characters";
            Err(Error::invalid("quality.name", *field, message))
        }
        None => Ok(()),
    }
}

/// What is drawn, beside the work of others.
pub(super) async fn drawn(
    draw: impl FnOnce() -> Result<String> + Send + 'static,
) -> Result<Response> {
    let picture = tokio::task::spawn_blocking(draw)
        .await
        .map_err(|error| Error::Internal(format!("drawing a chart failed: {error}")))??;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}

#[derive(FromRow)]
struct PointRow {
    run_id: String,
    kit: String,
    target: String,
    instrument: String,
    lot: Option<String>,
    account_id: String,
    at_us: Time,
    accepted: i64,
    ct: i64,
    mean: Option<i64>,
    sd: Option<i64>,
    rules: Option<String>,
}

/// A chart out of the store.
pub async fn chart(
    tx: &mut Tx,
    frame: Frame,
    (target, kit): (Option<&str>, Option<&str>),
) -> Result<Chart> {
    let past = past::alarms(tx, &frame.laboratory, &[frame.measure]).await?;
    let (scope, subject) = frame.scope();
    let subject = subject.to_owned();
    let begun = |kit: &str, target: &str| {
        rules::begun(&past::known(&past, (kit, target)), (scope, &subject))
    };
    let points = if frame.measure == Measure::Positivity {
        let rows: Vec<ChartShare> = on!(tx, c => query_as(shares::CHART_POSITIVES)
            .bind(&frame.laboratory).bind(&frame.instrument).bind(&frame.lot)
            .bind(&frame.operator).bind(kit).bind(frame.from).bind(frame.to).fetch_all(c).await)?;
        // They come newest first.
        let points = counted(rows.into_iter().rev().collect(), scope).into_iter();
        points.map(|point| (String::new(), String::new(), point)).collect()
    } else {
        let rows: Vec<PointRow> = on!(tx, c => query_as(store::CHART).bind(&frame.laboratory)
            .bind(frame.measure).bind(&frame.instrument).bind(&frame.lot).bind(&frame.operator)
            .bind(target).bind(kit).bind(frame.from).bind(frame.to).fetch_all(c).await)?;
        rows.into_iter().rev().map(measured).collect::<Vec<_>>()
    };
    let mut chart = Chart::draw(frame, points, begun);
    store::learners(tx, &mut chart, &past).await?;
    Ok(chart)
}

fn measured(row: PointRow) -> (String, String, ChartPoint) {
    let usual = store::usual(row.mean, row.sd);
    let point = ChartPoint {
        instrument: row.instrument,
        lot: row.lot,
        operator: row.account_id,
        value: store::cycles(row.ct),
        mean: usual.map(|usual| usual.mean),
        sd: usual.map(|usual| usual.sd),
        judged: row.rules.map(|names| names.split(' ').filter_map(Rule::named).collect()),
        ..of_run(row.run_id, row.at_us, row.accepted == 1)
    };
    (row.kit, row.target, point)
}

/// A point for each run, of its shares.
fn counted(rows: Vec<ChartShare>, scope: Scope) -> Vec<ChartPoint> {
    let mut runs: Vec<(ChartPoint, Vec<ShareRow>)> = Vec::new();
    for row in rows {
        match runs.last_mut().filter(|(point, _)| point.run == row.run_id) {
            Some((_, shares)) => shares.push(row.share),
            None => runs.push((of_run(row.run_id, row.at_us, row.accepted == 1), vec![row.share])),
        }
        let Some((point, _)) = runs.last_mut() else { continue };
        (point.instrument, point.lot, point.operator) = (row.instrument, row.lot, row.account_id);
        point.internal_failures = u32::try_from(row.internal_failures).ok();
    }
    let counted = runs.into_iter().map(|(mut point, shares)| {
        let (tubes, detected) = shares::total(&shares);
        point.found = shares::found(&shares, scope);
        let known: f64 = point.found.iter().map(|part| f64::from(part.tubes)).sum();
        let expected = point.found.iter().map(|part| part.expected * f64::from(part.tubes));
        point.mean = (known > 0.0).then(|| expected.sum::<f64>() / known);
        (point.value, point.tubes) = (f64::from(detected) / f64::from(tubes), Some(tubes));
        point
    });
    counted.collect()
}

/// A point of which nothing but its run and time is known.
pub(super) fn of_run(run: String, at: Time, accepted: bool) -> ChartPoint {
    ChartPoint {
        run,
        at,
        accepted,
        instrument: String::new(),
        lot: None,
        operator: String::new(),
        value: 0.0,
        mean: None,
        sd: None,
        tubes: None,
        found: Vec::new(),
        internal_failures: None,
        distance: None,
        rules: Vec::new(),
        judged: None,
        rise: 0.0,
        fall: 0.0,
    }
}

/// Which alarms.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AlarmQuery {
    /// Of this laboratory; the asker's own, or all, when left out.
    laboratory: Option<String>,
    /// Acknowledged ones too.
    #[serde(default)]
    acknowledged: bool,
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<Cursor<Position>>,
    /// At most this many.
    #[param(value_type = Option<u32>)]
    limit: Option<Limit<PAGE_MAX>>,
}

/// An alarm with its sentence.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AlarmAnswer {
    /// The alarm.
    #[serde(flatten)]
    pub alarm: Alarm,
    /// What, which, and what to do next.
    pub message: String,
}

impl From<Alarm> for AlarmAnswer {
    fn from(alarm: Alarm) -> Self {
        Self { message: alarm.sentence(), alarm }
    }
}

/// Alarms, oldest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AlarmPage {
    /// The alarms.
    pub alarms: Vec<AlarmAnswer>,
    /// Give this as `after` for the next page; none at the end.
    #[schema(value_type = Option<String>)]
    pub next: Option<Cursor<Position>>,
}

/// Open alarms. A laboratory sees its own, and none about seeded tubes.
#[utoipa::path(get, path = "/v1/quality/alarms", tag = "quality", security(("bearer" = [])),
    params(AlarmQuery), responses((status = 200, body = AlarmPage), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub async fn alarms_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<AlarmQuery>,
) -> Result<Json<AlarmPage>> {
    let named = asked.laboratory.clone();
    let laboratory = asked.laboratory.or_else(|| actor.laboratory.clone());
    if let Some(laboratory) = &laboratory {
        actor.in_laboratory(laboratory)?;
    }
    let rows = Limit::or(asked.limit, PAGE_MAX).rows();
    let Cursor((time, id)) = asked.after.unwrap_or(Cursor((i64::MIN, String::new())));
    let list = Asked {
        laboratory: laboratory.as_deref(),
        with_seeded: sees_seeded(&actor),
        with_acknowledged: asked.acknowledged,
    };
    let mut tx = app.db.read("quality.alarms").await?;
    refuse_unknown_laboratory(&mut tx, named.as_deref()).await?;
    let alarms = alarm::list(&mut tx, &list, (Time::from_us(time), &id), rows).await?;
    let full = i64::try_from(alarms.len()).is_ok_and(|count| count == rows);
    let next = alarms.last().filter(|_last| full);
    let next = next.map(|alarm| Cursor((alarm.opened.us(), alarm.id.clone())));
    Ok(Json(AlarmPage { alarms: alarms.into_iter().map(AlarmAnswer::from).collect(), next }))
}

/// Whoever works in a laboratory must not know which tubes are seeded.
pub(super) fn sees_seeded(actor: &Actor) -> bool {
    matches!(actor.role, Role::Officer | Role::Auditor) && !actor.is_blind()
}

/// What was found.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeRequest {
    /// The cause.
    pub reason: AlarmReason,
}

/// Acknowledges an alarm: its sums begin again. The same person's same reason is answered again.
/// That the people differ is said by an officer who is bound to no laboratory.
#[utoipa::path(post, path = "/v1/quality/alarms/{id}/acknowledge", tag = "quality",
    security(("bearer" = [])), params(("id" = String, Path, description = "alarm")),
    request_body = AcknowledgeRequest,
    responses((status = 200, body = AlarmAnswer), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn acknowledge_post(
    State(app): State<App>,
    actor: Actor,
    Path(id): Path<String>,
    Json(request): Json<AcknowledgeRequest>,
) -> Result<Json<AlarmAnswer>> {
    Error::refuse_nul("alarm", &id)?;
    let mut tx = app.db.write("quality.acknowledge").await?;
    let alarm = alarm::find(&mut tx, &id).await?;
    if alarm.measure.is_blind() && !sees_seeded(&actor) {
        return Err(Error::not_found("alarm", id));
    }
    actor.in_laboratory(&alarm.laboratory_code)?;
    if request.reason.is_of_the_city() && actor.laboratory.is_some() {
        let message = "whoever works in a laboratory cannot say that its people differ; ask an \
                       officer who is bound to no laboratory, or answer with another reason";
        return Err(Error::forbidden("quality.population", "reason", message));
    }
    let (at, by) = (app.clock.now(), (actor.account.as_str(), request.reason));
    if !alarm::acknowledge(&mut tx, &id, by, at).await? {
        let same = alarm.acknowledged_by.as_deref() == Some(&actor.account)
            && alarm.reason == Some(request.reason);
        if same {
            return Ok(Json(alarm.into()));
        }
        let message = format!("alarm {id} was acknowledged before; look at it again");
        return Err(Error::conflict("quality.acknowledged", &id, message));
    }
    let detail = json!({ "reason": request.reason });
    let entry = Entry { at, actor: &actor, action: "quality.acknowledge", about: &id, detail };
    audit::record(&mut tx, entry).await?;
    let alarm = alarm::find(&mut tx, &id).await?;
    tx.commit().await?;
    Ok(Json(alarm.into()))
}
