//! Routes of the plate: make it, look at it, freeze it, print its worklist.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::pools::{self, WantedPools};
use super::store::{self, Made, StoredPlate};
use super::{
    Content, Control, Layout, Placed, PlacedTube, PlateSize, Template, WellPosition, tubes,
};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::{PlateCode, store as codes};
use crate::clock::Time;
use crate::collection::{TubeRow, TubeState, TubesMove, tubes_find, tubes_move};
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::storage::Tx;

/// What a plate is to be made of: tubes and pools for a template, or every well stated.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlateRequest {
    /// The laboratory it stands in.
    pub laboratory: String,
    /// Code of the kit.
    pub kit: String,
    /// Version of the kit.
    pub kit_version: String,
    /// Name of a template, whose slots the tubes fill in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Tubes in order of their slots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tubes: Vec<String>,
    /// Laboratory pools in order of the slots after those of the tubes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<String>,
    /// Every well, instead of a template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wells: Vec<WellRequest>,
    /// 96 or 384, for stated wells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u16>,
}

/// One stated well.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WellRequest {
    /// Which well: `A1`.
    pub well: String,
    /// Code of the kit's reaction that runs in it.
    pub reaction: String,
    /// Its tube.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tube: Option<String>,
    /// Its laboratory pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Its control: `positive`, `weak_positive`, `negative` or `extraction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub control: Option<Control>,
}

/// A plate as it stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PlateAnswer {
    /// Its code.
    pub code: String,
    /// `draft`, `frozen` or `closed`.
    pub state: String,
    /// The laboratory it stands in.
    pub laboratory: String,
    /// Code of the kit.
    pub kit: String,
    /// Version of the kit.
    pub kit_version: String,
    /// The template, or `explicit`.
    pub template: String,
    /// 96 or 384.
    pub size: u16,
    /// Filled wells, row by row.
    pub wells: Vec<WellAnswer>,
    /// When the layout was frozen.
    pub frozen_at: Option<Time>,
}

/// One filled well.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WellAnswer {
    /// Which well.
    pub well: String,
    /// The reaction that runs in it.
    pub reaction: String,
    /// Its tube, where one is alone in it.
    pub tube: Option<String>,
    /// Its laboratory pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The tubes mixed into its pool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pooled: Vec<String>,
    /// People in the well, over everything in it.
    pub depth: u16,
    /// Its control.
    #[schema(value_type = Option<String>)]
    pub control: Option<Control>,
}

impl From<StoredPlate> for PlateAnswer {
    fn from(plate: StoredPlate) -> Self {
        let Made { laboratory, kit, template, layout } = plate.made;
        let wells = layout.wells().iter().map(|(well, content)| {
            let control = match content {
                Content::Control { control, .. } => Some(*control),
                Content::Tube { .. } | Content::Pool { .. } | Content::Nothing => None,
            };
            let pool = content.pool().map(str::to_owned);
            WellAnswer {
                well: well.to_string(),
                reaction: content.reaction().unwrap_or_default().to_owned(),
                tube: content.tube().map(str::to_owned),
                pooled: if pool.is_some() { content.tubes().to_vec() } else { Vec::new() },
                pool,
                depth: content.depth(),
                control,
            }
        });
        Self {
            code: plate.code.to_string(),
            state: plate.state,
            laboratory,
            kit: kit.0,
            kit_version: kit.1,
            template,
            size: layout.size().wells(),
            wells: wells.collect(),
            frozen_at: plate.frozen,
        }
    }
}

/// Makes a plate, or makes a draft anew; a frozen plate answers only to the same content.
#[utoipa::path(put, path = "/v1/plates/{code}", tag = "plate", security(("bearer" = [])),
    params(("code" = String, Path, description = "plate")), request_body = PlateRequest,
    responses((status = 200, body = PlateAnswer), (status = 201, body = PlateAnswer),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn plate_put(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Json(request): Json<PlateRequest>,
) -> Result<(StatusCode, Json<PlateAnswer>)> {
    actor.in_laboratory(&request.laboratory)?;
    let mut tx = app.db.write("plate.put").await?;
    let code = codes::plate_code(&mut tx, &code).await?;
    store::plate_lock(&mut tx, &code).await?;
    let (made, against) = make(&app, &mut tx, request).await?;
    let before = store::plate_find(&mut tx, &code).await?;
    let status = match before {
        None => StatusCode::CREATED,
        Some(same) if same.made == made => return Ok((StatusCode::OK, Json(same.into()))),
        Some(other) => {
            actor.in_laboratory(&other.made.laboratory)?;
            StatusCode::OK
        }
    };
    refuse_if_any(against)?;
    let at = app.clock.now();
    store::plate_draft(&mut tx, &code, &made, (&actor.account, at)).await?;
    let detail = json!({ "tubes": made.layout.tubes().len(), "template": made.template });
    let entry = Entry { at, actor: &actor, action: "plate.put", about: code.as_str(), detail };
    audit::record(&mut tx, entry).await?;
    let plate = store::plate_get(&mut tx, &code).await?;
    tx.commit().await?;
    Ok((status, Json(plate.into())))
}

/// The layout a request asks for, and every reason against taking its tubes now: those of a
/// frozen plate are on it already, so that the same plate sent again is not a new one.
async fn make(app: &App, tx: &mut Tx, request: PlateRequest) -> Result<(Made, Vec<Reason>)> {
    let plan = app.plan(&request.kit, &request.kit_version)?;
    let pools = WantedPools::find(tx, &request).await?;
    let named = request.wells.iter().filter_map(|well| well.tube.clone());
    let alone: Vec<String> = request.tubes.iter().cloned().chain(named).collect();
    let mut against = pools.against(tx, &request, &alone).await?;
    let wanted: Vec<String> = alone.into_iter().chain(pools.tubes()).collect();
    let rows = tubes_find(tx, &wanted).await?;
    against.extend(tubes::against_making(&wanted, &rows, &request.laboratory, &plan));
    let depths: BTreeMap<&str, u16> = rows
        .iter()
        .map(|row| (row.code.as_str(), u16::try_from(row.members).unwrap_or(u16::MAX)))
        .collect();
    if !pools.all_there() || !wanted.iter().all(|code| depths.contains_key(code.as_str())) {
        return Err(Error::Invalid(against));
    }
    let (template, layout) = match &request.template {
        Some(name) => {
            let template = Template::find(name).ok_or_else(|| {
                Error::invalid(
                    "plate.template",
                    "template",
                    format!("there is no template `{name}`"),
                )
            })?;
            let tubes = request.tubes.iter().map(|code| {
                Placed::Tube(PlacedTube { code: code.clone(), depth: depths[code.as_str()] })
            });
            let placed: Vec<_> = tubes.chain(pools.placed(&request)).collect();
            (name.clone(), super::lay_out(&template, &plan, &placed).map_err(|all| refused(&all))?)
        }
        None => ("explicit".to_owned(), explicit(&request, &depths, &pools)?),
    };
    let refusals = super::refusals(&layout, &plan);
    if !refusals.is_empty() {
        return Err(refused(&refusals));
    }
    let kit = (request.kit, request.kit_version);
    Ok((Made { laboratory: request.laboratory, kit, template, layout }, against))
}

fn refused(refusals: &[super::LayoutRefusal]) -> Error {
    Error::Invalid(refusals.iter().map(|refusal| Reason::tagged("plate", refusal)).collect())
}

fn explicit(
    request: &PlateRequest,
    depths: &BTreeMap<&str, u16>,
    pools: &WantedPools,
) -> Result<Layout> {
    let mut reasons = Vec::new();
    let size = request.size.and_then(PlateSize::from_wells);
    if size.is_none() {
        let message = "state 96 or 384 with stated wells, or name a template";
        reasons.push(Reason::new("plate.size", "size", message));
    }
    let mut wells = Vec::new();
    for (i, stated) in request.wells.iter().enumerate() {
        let about = format!("wells[{i}]");
        let well: Option<WellPosition> = match stated.well.parse() {
            Ok(well) => Some(well),
            Err(error) => {
                let error: super::NotAWell = error;
                reasons.push(Reason::new("plate.well", &about, error.to_string()));
                None
            }
        };
        let reaction = stated.reaction.clone();
        let content = match (&stated.tube, &stated.pool, stated.control) {
            (Some(tube), None, None) => {
                let depth = depths[tube.as_str()];
                Some(Content::Tube { tube: tube.clone(), depth, reaction })
            }
            (None, Some(pool), None) => Some(pools.content(pool, reaction)),
            (None, None, Some(control)) => Some(Content::Control { control, reaction }),
            _ => {
                let message = "a well holds one tube, one pool or one control; state exactly one";
                reasons.push(Reason::new("plate.content", &about, message));
                None
            }
        };
        wells.extend(well.zip(content));
    }
    refuse_if_any(reasons)?;
    let size = size.ok_or_else(|| Error::Internal("a refused size got through".to_owned()))?;
    Layout::explicit(size, wells).map_err(|all| refused(&all))
}

/// A plate with its wells.
#[utoipa::path(get, path = "/v1/plates/{code}", tag = "plate", security(("bearer" = [])),
    params(("code" = String, Path, description = "plate")),
    responses((status = 200, body = PlateAnswer), (status = 404, body = Problem)))]
pub async fn plate_get(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
) -> Result<Json<PlateAnswer>> {
    let plate = seen(&app, &actor, &code).await?;
    Ok(Json(plate.into()))
}

/// The plate, for somebody who works in its laboratory.
async fn seen(app: &App, actor: &Actor, code: &str) -> Result<StoredPlate> {
    let mut tx = app.db.read("plate.get").await?;
    let code = codes::plate_code(&mut tx, code).await?;
    let plate = store::plate_get(&mut tx, &code).await?;
    actor.in_laboratory(&plate.made.laboratory)?;
    Ok(plate)
}

/// Freezes the layout and takes its tubes onto the plate; again is the same answer.
#[utoipa::path(post, path = "/v1/plates/{code}/freeze", tag = "plate", security(("bearer" = [])),
    params(("code" = String, Path, description = "plate")),
    responses((status = 200, body = PlateAnswer), (status = 409, body = Problem)))]
pub async fn freeze_post(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
) -> Result<Json<PlateAnswer>> {
    let mut tx = app.db.write("plate.freeze").await?;
    let code = codes::plate_code(&mut tx, &code).await?;
    store::plate_lock(&mut tx, &code).await?;
    let plate = store::plate_get(&mut tx, &code).await?;
    actor.in_laboratory(&plate.made.laboratory)?;
    if plate.state == "draft" {
        let at = app.clock.now();
        take_tubes(&mut tx, &plate, at).await?;
        store::plate_freeze(&mut tx, &code, at).await?;
        let detail = json!({ "tubes": plate.made.layout.tubes().len() });
        let entry =
            Entry { at, actor: &actor, action: "plate.freeze", about: code.as_str(), detail };
        audit::record(&mut tx, entry).await?;
    }
    let plate = store::plate_get(&mut tx, &code).await?;
    tx.commit().await?;
    Ok(Json(plate.into()))
}

/// Every tube must still be received here, every pool open; another plate may have been quicker.
async fn take_tubes(tx: &mut Tx, plate: &StoredPlate, at: Time) -> Result<()> {
    let tubes: Vec<&str> = plate.made.layout.tubes().into_keys().collect();
    let step = TubesMove { from: TubeState::Received, to: TubeState::Plated, at, laboratory: None };
    let moved = tubes_move(tx, &tubes, step).await?;
    if moved < tubes.len() as u64 {
        let rows: Vec<TubeRow> = tubes_find(tx, &tubes).await?;
        return Err(Error::Conflict(tubes::against_freezing(&rows)));
    }
    pools::take(tx, &plate.made.layout, at).await
}

/// The frozen or drafted plate as a list for a robot or a person.
#[utoipa::path(get, path = "/v1/plates/{code}/worklist", tag = "plate",
    security(("bearer" = [])), params(("code" = String, Path, description = "plate")),
    responses((status = 200, body = String, content_type = "text/csv"),
        (status = 404, body = Problem)))]
pub async fn worklist_get(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
) -> Result<Response> {
    let plate = seen(&app, &actor, &code).await?;
    let csv = super::worklist_csv(&plate.made.layout);
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv).into_response())
}

/// The plate with that code as a later slice needs it: frozen, in the actor's laboratory, and
/// nobody else's until the transaction ends.
pub async fn frozen(tx: &mut Tx, actor: &Actor, code: &PlateCode) -> Result<StoredPlate> {
    store::plate_lock(tx, code).await?;
    let plate = store::plate_get(tx, code).await?;
    actor.in_laboratory(&plate.made.laboratory)?;
    if plate.state == "draft" {
        return Err(Error::conflict(
            "plate.draft",
            code.as_str(),
            format!("plate {code} is not frozen; freeze its layout before the run"),
        ));
    }
    Ok(plate)
}
