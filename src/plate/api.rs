//! Routes of the plate: make it, look at it, freeze it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::discard::Discarded;
use super::make::{against_lot, make};
use super::store::{self, Made, StoredPlate};
use super::tag::{Expected, Tagged, tagged};
use super::{Content, Control, Stamp, StampOrder, Template, pools, tubes};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::{PlateCode, store as codes};
use crate::clock::Time;
use crate::collection::{TubeRow, TubeState, TubesMove, tubes_find, tubes_move};
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::http::extract::{Json, Path, Query};
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
    /// Number of the kit's lot the wells are filled from; a run whose plate names none, an unknown
    /// one, or one that had expired when the layout was frozen is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// Name of a template, whose slots the tubes fill in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Tubes in order of their slots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tubes: Vec<String>,
    /// A scanned rack, whose tubes fill the slots down its columns, instead of listed tubes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// Laboratory pools in order of the slots after those of the tubes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<String>,
    /// Every well, instead of a template, tubes and pools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wells: Vec<WellRequest>,
    /// 96 or 384, for stated wells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u16>,
    /// With a template: tubes of the laboratory that wait to be tested again come first, most
    /// urgent first, and the named ones after them; so do laboratory pools that are open again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retests: bool,
    /// Microlitres of its tube that go into each well, where the kit does not say; 5 when not
    /// given. Robots' logs are judged by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// Plates of 96 that are stamped onto this plate of 384, instead of all the above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<StampParts>,
}

/// Which plates a plate of 384 is stamped from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StampParts {
    /// `z`: quadrants row by row, first wells A1, A2, B1, B2. `n`: column by column, A1, B1, A2,
    /// B2.
    pub order: StampOrder,
    /// The plate of each quadrant in that order, up to four; null where a quadrant stays empty.
    pub quadrants: Vec<Option<String>>,
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
    /// Number of the kit's lot the wells are filled from.
    pub lot: Option<String>,
    /// The template, or `explicit`.
    pub template: String,
    /// 96 or 384.
    pub size: u16,
    /// Microlitres of its tube that go into each well.
    pub volume: String,
    /// Percent by which a robot may miss that.
    pub tolerance: u8,
    /// Filled wells, row by row.
    pub wells: Vec<WellAnswer>,
    /// When the layout was frozen.
    pub frozen_at: Option<Time>,
    /// What it was stamped from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<StampParts>,
    /// The plate it was stamped onto, which is run in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamped_onto: Option<String>,
    /// How it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discarded: Option<Discarded>,
    /// What to think of: `plate.fixed_controls` where plates that change places would not be
    /// found out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Reason>,
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
        let Made { laboratory, kit, lot, template, planned, layout, stamp } = plate.made;
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
        let warnings = match Template::find(&template) {
            Some(found) => found.warnings(),
            None if stamp.is_none() => Template::warnings_without(),
            // Its sources were warned of, each when it was made.
            None => Vec::new(),
        };
        Self {
            code: plate.code.to_string(),
            state: plate.state,
            laboratory,
            kit: kit.0,
            kit_version: kit.1,
            lot,
            template,
            size: layout.size().wells(),
            volume: planned.volume.to_string(),
            tolerance: planned.tolerance,
            wells: wells.collect(),
            frozen_at: plate.frozen,
            stamp: stamp.map(|stamp| StampParts {
                order: stamp.order,
                quadrants: stamp.quadrants.map(|source| source.map(|s| s.to_string())).to_vec(),
            }),
            stamped_onto: plate.stamped_onto.map(|onto| onto.to_string()),
            discarded: plate.discarded,
            warnings,
        }
    }
}

/// How a plate is made.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Making {
    /// Answer as if it had been made, and keep nothing: for whoever asks at each tube.
    #[serde(default)]
    dry_run: bool,
}

/// Makes a plate, or makes a draft anew; a frozen plate answers only to the same content. With the
/// tag of the version it goes on from, a draft that somebody else changed is left alone.
#[utoipa::path(put, path = "/v1/plates/{code}", tag = "plate", security(("bearer" = [])),
    params(("code" = String, Path, description = "plate"), Making,
        ("if-match" = Option<String>, Header, description = "`ETag` of the version it goes on from"),
        ("if-none-match" = Option<String>, Header, description = "`*` for a plate that is new")),
    request_body = PlateRequest,
    responses(
        (status = 200, body = PlateAnswer, headers(("etag" = String, description = "its version; none of a dry run"))),
        (status = 201, body = PlateAnswer, headers(("etag" = String, description = "its version; none of a dry run"))),
        (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem)))]
pub async fn plate_put(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    asked: (Query<Making>, Expected),
    Json(request): Json<PlateRequest>,
) -> Result<Response> {
    let (Query(making), expected) = asked;
    actor.in_laboratory(&request.laboratory)?;
    let mut tx = app.db.write("plate.put").await?;
    let code = codes::plate_code(&mut tx, &code).await?;
    store::plate_lock(&mut tx, &code).await?;
    let at = app.clock.now();
    let before = store::plate_find(&mut tx, &code).await?;
    let (made, against) = make(&app, &mut tx, (&code, before.as_ref()), request, at).await?;
    let status = match before {
        None => StatusCode::CREATED,
        Some(same) if same.made == made => return Ok(tagged(same)?.into_response()),
        Some(ref other) => {
            actor.in_laboratory(&other.made.laboratory)?;
            StatusCode::OK
        }
    };
    expected.refuse_other(&code, before.as_ref())?;
    refuse_if_any(against)?;
    let is_new = before.is_none();
    store::plate_draft(&mut tx, (&code, is_new), &made, (&actor.account, at)).await?;
    let detail = json!({ "tubes": made.layout.tubes().len(), "template": made.template });
    let entry = Entry { at, actor: &actor, action: "plate.put", about: code.as_str(), detail };
    audit::record(&mut tx, entry).await?;
    let plate = store::plate_get(&mut tx, &code).await?;
    if making.dry_run {
        return Ok((status, Json(PlateAnswer::from(plate))).into_response());
    }
    tx.commit().await?;
    Ok((status, tagged(plate)?).into_response())
}

/// A plate with its wells.
#[utoipa::path(get, path = "/v1/plates/{code}", tag = "plate", security(("bearer" = [])),
    params(("code" = String, Path, description = "plate")),
    responses(
        (status = 200, body = PlateAnswer, headers(("etag" = String, description = "its version"))),
        (status = 404, body = Problem)))]
pub async fn plate_get(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
) -> Result<Tagged> {
    tagged(seen(&app, &actor, &code).await?)
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
    params(("code" = String, Path, description = "plate"),
        ("if-match" = Option<String>, Header, description = "`ETag` of the draft to be frozen")),
    responses((status = 200, body = PlateAnswer), (status = 409, body = Problem),
        (status = 412, body = Problem)))]
pub async fn freeze_post(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    expected: Expected,
) -> Result<Json<PlateAnswer>> {
    let mut tx = app.db.write("plate.freeze").await?;
    let code = codes::plate_code(&mut tx, &code).await?;
    store::plate_lock(&mut tx, &code).await?;
    let mut plate = store::plate_get(&mut tx, &code).await?;
    actor.in_laboratory(&plate.made.laboratory)?;
    if plate.state == "draft" {
        expected.refuse_other(&code, Some(&plate))?;
        let at = app.clock.now();
        // A kit may have ended since the draft was made.
        let (kit, version) = &plate.made.kit;
        refuse_if_any(app.plan(&mut tx, (kit, version), at).await?.1)?;
        take(&app, &mut tx, &plate.made, at).await?;
        store::plate_freeze(&mut tx, &code, at).await?;
        let detail = json!({ "tubes": plate.made.layout.tubes().len() });
        let entry =
            Entry { at, actor: &actor, action: "plate.freeze", about: code.as_str(), detail };
        audit::record(&mut tx, entry).await?;
        tx.commit().await?;
        plate = StoredPlate { state: "frozen".to_owned(), frozen: Some(at), ..plate };
    }
    Ok(Json(plate.into()))
}

/// Takes what the plate is made of. All plates of a lot wait for one another, so that the lot comes
/// after the tubes, which need no waiting, and before the sources, whose reactions it gets back.
async fn take(app: &App, tx: &mut Tx, made: &Made, at: Time) -> Result<()> {
    if made.stamp.is_none() {
        take_tubes(tx, made, at).await?;
    }
    if let Some(lot) = &made.lot {
        app.lot_lock(tx, (&made.laboratory, &made.kit.0, lot)).await?;
        refuse_if_any(against_lot(app, tx, made, at).await?)?;
    }
    match &made.stamp {
        Some(stamp) => take_sources(tx, made, stamp).await,
        None => Ok(()),
    }
}

/// The tubes of a stamped plate stand on its sources, which must still be free.
async fn take_sources(tx: &mut Tx, made: &Made, stamp: &Stamp) -> Result<()> {
    let Made { laboratory, kit: (kit, version), .. } = made;
    let found = store::sources(tx, stamp).await?;
    let against = super::against_sources(stamp, &found, laboratory, (kit, version));
    if !against.is_empty() {
        return Err(Error::Conflict(against));
    }
    store::sources_close(tx, stamp).await
}

/// Every tube must still be received here, every pool open; another plate may have been quicker.
async fn take_tubes(tx: &mut Tx, made: &Made, at: Time) -> Result<()> {
    let tubes: Vec<&str> = made.layout.tubes().into_keys().collect();
    let step = TubesMove { from: TubeState::Received, to: TubeState::Plated, at, laboratory: None };
    let moved = tubes_move(tx, &tubes, step).await?;
    if moved < tubes.len() as u64 {
        let rows: Vec<TubeRow> = tubes_find(tx, &tubes).await?;
        return Err(Error::Conflict(tubes::against_freezing(&rows)));
    }
    pools::take(tx, &made.layout, at).await
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
