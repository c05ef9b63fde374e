//! Routes for people who would rather look than read: the curves of a run, and its plate as a
//! heat map.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::drawing::{self, Filter};
use super::store::{RunHead, StoredRun, calls_find, run_find};
use super::{Call, Kit, Verdict};
use crate::app::App;
use crate::auth::Actor;
use crate::barcode::PlateCode;
use crate::error::{Error, Reason, Result};
use crate::http::extract::{Json, Path, Query};
use crate::http::page::{Cursor, Limit};
use crate::http::problem::Problem;
use crate::instrument::curve_store::curves_find;
use crate::instrument::picture::NotDrawn;
use crate::instrument::store::readings_find;
use crate::instrument::{Curve, Reading};
use crate::plate::store::{StoredPlate, plate_get};
use crate::plate::{PlateSize, WellPosition};
use crate::storage::{StoreError, Tx};
use crate::web::catalogue::Words;

/// Most wells on one page of curves: a whole plate.
const PAGE_MAX: u32 = 384;
/// Wells on a page when nobody says how many.
const PAGE_USUAL: u32 = 96;
/// Nothing may be loaded by a picture or run in it, wherever it is opened.
const NOTHING_ELSE: &str = "default-src 'none'";

/// Which curves to draw.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct CurvesShown {
    /// One well alone: `A1`.
    well: Option<String>,
    /// One target alone, by the name in the file or the code of the kit.
    target: Option<String>,
    /// Fluorescence by powers of ten.
    #[serde(default)]
    log: bool,
    /// English when nothing is said.
    #[serde(default)]
    #[param(inline)]
    language: Words,
}

/// What the heat map shows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PlateShown {
    /// Code of a target of the kit; without it, the earliest Ct of the pathogen's targets.
    target: Option<String>,
    /// English when nothing is said.
    #[serde(default)]
    #[param(inline)]
    language: Words,
}

/// Which curves to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct CurvesPage {
    /// One well alone: `A1`.
    well: Option<String>,
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<Cursor<u16>>,
    /// At most this many wells, 96 unless told otherwise.
    #[param(value_type = Option<u32>)]
    limit: Option<Limit<PAGE_MAX>>,
}

/// Curves of some wells, row by row of the plate.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CurvesAnswer {
    /// The run.
    pub run: String,
    /// Its plate.
    pub plate: String,
    /// The curves.
    pub curves: Vec<CurveAnswer>,
    /// Give this as `after` for the next page; none at the end.
    #[schema(value_type = Option<String>)]
    pub next: Option<Cursor<u16>>,
}

/// The curve of one well and target.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CurveAnswer {
    /// Which well.
    pub well: String,
    /// Target name as in the file.
    pub target: String,
    /// Reporter dye.
    pub dye: String,
    /// The cycle of the first signal.
    pub first_cycle: u16,
    /// Fluorescence for each cycle from there on, in the instrument's unit, without the baseline
    /// where the file gives that; null where it gives nothing.
    pub signals: Vec<Option<f32>>,
}

/// The curves as numbers.
#[utoipa::path(get, path = "/v1/runs/{id}/curves", tag = "instrument", security(("bearer" = [])),
    params(("id" = String, Path, description = "run"), CurvesPage),
    responses((status = 200, body = CurvesAnswer), (status = 404, body = Problem)))]
pub async fn run_curves_get(
    State(app): State<App>,
    actor: Actor,
    Path(run): Path<String>,
    Query(page): Query<CurvesPage>,
) -> Result<Json<CurvesAnswer>> {
    let (mut tx, seen) = Seen::of(&app, &actor, &run).await?;
    let size = seen.size();
    let wells = u16::try_from(Limit::or(page.limit, PAGE_USUAL).rows()).unwrap_or(u16::MAX);
    let first = page.after.map_or(0, |Cursor(well)| well.saturating_add(1));
    let last = first.saturating_add(wells - 1).min(size.wells() - 1);
    let asked = well(page.well.as_deref(), size)?.map(|well| well.index(size));
    let (first, last) = asked.map_or((first, last), |well| (well, well));
    let curves = curves_find(&mut tx, &run, size, (first, last)).await?;
    if curves.is_empty() {
        refuse_without(&mut tx, &run, size, page.well.is_some()).await?;
    }
    let is_end = page.well.is_some() || last + 1 >= size.wells();
    let next = (!is_end).then_some(Cursor(last));
    let plate = seen.row.plate_code;
    let curves = curves.iter().map(CurveAnswer::from).collect();
    Ok(Json(CurvesAnswer { run, plate, curves, next }))
}

impl From<&Curve> for CurveAnswer {
    fn from(curve: &Curve) -> Self {
        let (first_cycle, signals) = curve.signals();
        let signals = signals.into_iter().map(|signal| Some(signal).filter(|at| !at.is_nan()));
        Self {
            well: curve.well.to_string(),
            target: curve.target.clone(),
            dye: curve.dye.clone(),
            first_cycle,
            signals: signals.collect(),
        }
    }
}

/// The curves as a picture, one over the other.
#[utoipa::path(get, path = "/v1/runs/{id}/curves.svg", tag = "instrument",
    security(("bearer" = [])), params(("id" = String, Path, description = "run"), CurvesShown),
    responses((status = 200, body = String, content_type = "image/svg+xml"),
        (status = 404, body = Problem)))]
pub async fn run_curves_svg_get(
    State(app): State<App>,
    actor: Actor,
    Path(run): Path<String>,
    Query(shown): Query<CurvesShown>,
) -> Result<Response> {
    let (mut tx, seen) = Seen::of(&app, &actor, &run).await?;
    let size = seen.size();
    let well = well(shown.well.as_deref(), size)?;
    let range = well.map_or((0, size.wells() - 1), |well| (well.index(size), well.index(size)));
    let curves = curves_find(&mut tx, &run, size, range).await?;
    drop(tx);
    let filter = Filter { well, target: shown.target, log: shown.log };
    let is_narrowed = filter.well.is_some() || filter.target.is_some();
    let picture = drawing::curves(&seen.drawn(shown.language), curves, &filter)
        .ok_or_else(|| without(&run, is_narrowed))?;
    svg(move || picture.draw()).await
}

/// The plate as a heat map of Ct, with what was made of each tube.
#[utoipa::path(get, path = "/v1/runs/{id}/plate.svg", tag = "instrument",
    security(("bearer" = [])), params(("id" = String, Path, description = "run"), PlateShown),
    responses((status = 200, body = String, content_type = "image/svg+xml"),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn run_plate_svg_get(
    State(app): State<App>,
    actor: Actor,
    Path(run): Path<String>,
    Query(shown): Query<PlateShown>,
) -> Result<Response> {
    let (tx, seen) = Seen::of(&app, &actor, &run).await?;
    drop(tx);
    let picture = drawing::plate(&seen.drawn(shown.language), shown.target.as_deref())
        .map_err(|reason| Error::Invalid(vec![reason]))?;
    svg(move || picture.draw()).await
}

/// A run with everything its pictures are drawn from.
struct Seen {
    row: StoredRun,
    verdict: Verdict,
    calls: Vec<Call>,
    plate: StoredPlate,
    kit: Kit,
    readings: Vec<Reading>,
}

impl Seen {
    /// The run, if it is of the actor's laboratory; the transaction sees on what it saw.
    async fn of(app: &App, actor: &Actor, run: &str) -> Result<(Tx, Self)> {
        let mut tx = app.db.read("run.look").await?;
        let RunHead { run: row, verdict, .. } = run_find(&mut tx, run).await?;
        actor.in_laboratory(&row.laboratory_code)?;
        let code = PlateCode::parse(&row.plate_code).map_err(|unreadable| {
            let (id, reason) = (run.to_owned(), unreadable.to_string());
            StoreError::Inconsistent { table: "run", id, reason }
        })?;
        let plate = plate_get(&mut tx, &code).await?;
        let kit = app.kit(&mut tx, &row.kit_code, &row.kit_version).await?;
        let readings = readings_find(&mut tx, run, plate.made.layout.size()).await?;
        let calls = calls_find(&mut tx, run).await?;
        Ok((tx, Self { row, verdict, calls, plate, kit, readings }))
    }

    const fn size(&self) -> PlateSize {
        self.plate.made.layout.size()
    }

    fn drawn(&self, language: Words) -> drawing::Run<'_> {
        drawing::Run {
            id: &self.row.id,
            plate: &self.row.plate_code,
            kit: &self.kit,
            layout: &self.plate.made.layout,
            readings: &self.readings,
            calls: self
                .calls
                .iter()
                .map(|call| (call.tube.as_str(), call))
                .collect::<BTreeMap<_, _>>(),
            usable: self.verdict.usable,
            language: language.into(),
        }
    }
}

/// The well that was asked for, which the plate must have.
fn well(name: Option<&str>, size: PlateSize) -> Result<Option<WellPosition>> {
    let Some(name) = name else { return Ok(None) };
    let named: Result<WellPosition, _> = name.parse();
    let named = named.map_err(|not_a_well| not_a_well.to_string()).and_then(|well| {
        let refuse = || format!("well {well} is not on a plate of {} wells", size.wells());
        if size.contains(well) {
            Ok(well)
        } else {
            Err(format!("{}; ask for one that is", refuse()))
        }
    });
    named.map(Some).map_err(|reason| Error::invalid("run.well", "well", reason))
}

/// Refuses a run without any curve, and a well without one; an empty page of a run is none.
async fn refuse_without(tx: &mut Tx, run: &str, size: PlateSize, narrowed: bool) -> Result<()> {
    let any = !curves_find(tx, run, size, (0, size.wells() - 1)).await?.is_empty();
    if any && !narrowed { Ok(()) } else { Err(without(run, any)) }
}

fn without(run: &str, narrowed: bool) -> Error {
    let message = if narrowed {
        format!("run {run} has no such curve; ask without `well` and `target` to see what there is")
    } else {
        format!(
            "the file of run {run} has no amplification curves; the readings are complete without \
             them, and a later run has its curves when `Amplification Data` is exported with it"
        )
    };
    Error::Absent(Reason::new("curve.not_found", run, message))
}

/// Draws away from the threads that serve.
async fn svg(draw: impl FnOnce() -> Result<String, NotDrawn> + Send + 'static) -> Result<Response> {
    let drawn = tokio::task::spawn_blocking(draw)
        .await
        .map_err(|error| Error::Internal(format!("drawing a picture failed: {error}")))?
        .map_err(|error| Error::Internal(error.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CONTENT_SECURITY_POLICY, NOTHING_ELSE),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, drawn).into_response())
}
