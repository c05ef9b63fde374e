//! The places of a plate in the order they are filled in, for whoever fills it tube by tube.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Control, Template, WellPosition};
use crate::app::App;
use crate::barcode::store as codes;
use crate::error::{Error, Reason, Result};
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::Problem;

/// Which template.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Its name.
    template: String,
}

/// A template as it is on one plate.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SlotsAnswer {
    /// Its name.
    pub template: String,
    /// 96 or 384.
    pub size: u16,
    /// The wells of each tube in turn, one for each reaction of the kit.
    pub slots: Vec<Vec<String>>,
    /// The wells of the controls.
    pub controls: Vec<ControlWells>,
    /// What to think of before the plate is laid out by it.
    pub warnings: Vec<Reason>,
}

/// The wells of one control, one for each reaction of the kit.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ControlWells {
    /// `positive`, `weak_positive`, `negative` or `extraction`.
    #[schema(value_type = String)]
    pub control: Control,
    /// Its wells.
    pub wells: Vec<String>,
}

/// The places that a template gives on the plate of this code, whose number says where its controls
/// stand; there need be no such plate yet.
#[utoipa::path(get, path = "/v1/plates/{code}/slots", tag = "plate", security(("bearer" = [])),
    params(("code" = String, Path, description = "plate"), Wanted),
    responses((status = 200, body = SlotsAnswer), (status = 422, body = Problem)))]
pub async fn slots_get(
    State(app): State<App>,
    Path(code): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<SlotsAnswer>> {
    let mut tx = app.db.read("plate.slots").await?;
    let code = codes::plate_code(&mut tx, &code).await?;
    let name = wanted.template;
    let template = Template::named(&name).map_err(|unknown| Error::Invalid(vec![unknown]))?;
    let template = template.for_plate(code.number().unwrap_or_default());
    let control = |slot: &super::ControlSlot| ControlWells {
        control: slot.control,
        wells: names(&slot.wells),
    };
    Ok(Json(SlotsAnswer {
        size: template.size().wells(),
        slots: template.tube_slots().iter().map(|slot| names(slot)).collect(),
        controls: template.control_slots().iter().map(control).collect(),
        warnings: template.warnings(),
        template: name,
    }))
}

fn names(wells: &[WellPosition]) -> Vec<String> {
    wells.iter().map(WellPosition::to_string).collect()
}
