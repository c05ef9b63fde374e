//! The list of a plate, in whatever form it is asked for.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    Assay, Format, Work, cfx, lightcycler480, quantstudio, stamp_steps, steps, worklist_biomek,
    worklist_csv, worklist_hamilton, worklist_tecan,
};
use crate::app::App;
use crate::auth::Actor;
use crate::barcode::store as codes;
use crate::error::{Error, Result};
use crate::http::extract::{Path, Query};
use crate::http::problem::Problem;
use crate::plate::make::volume;
use crate::plate::rack::store as racks;
use crate::plate::store::{self, StoredPlate};
use crate::storage::Tx;

/// How the list is to be written.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// `csv` (when not given), `tecan`, `hamilton`, `biomek`, `quantstudio`, `cfx` or
    /// `lightcycler480`.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// Microlitres that a robot puts into each well, to be sure that they are those of the plate's
    /// plan: any others are refused.
    #[serde(default)]
    volume: Option<String>,
    /// Whether the robot pipettes controls as well; `true` when not given.
    #[serde(default = "yes")]
    controls: bool,
}

const fn yes() -> bool {
    true
}

/// The plate as a list for a person, a robot or a cycler's software. A draft is listed for people
/// alone: a robot that works by a list from before the last change puts tubes into others' wells.
#[utoipa::path(get, path = "/v1/plates/{code}/worklist", tag = "plate",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "plate"), Wanted),
    responses((status = 200, body = String, content_type = "text/csv"),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn worklist_get(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response> {
    let named = wanted.volume.as_deref();
    let named = named.map(|text| volume(text, "worklist.volume")).transpose()?;
    let mut tx = app.db.read("plate.worklist").await?;
    let code = codes::plate_code(&mut tx, &code).await?;
    let plate = store::plate_get(&mut tx, &code).await?;
    actor.in_laboratory(&plate.made.laboratory)?;
    if plate.state == "draft" && wanted.format != Format::Csv {
        let message = format!(
            "plate {code} may still change; freeze it before a robot or a cycler gets its list"
        );
        return Err(Error::conflict("plate.draft", code.as_str(), message));
    }
    let against = plate.made.planned.against(named, None);
    if !against.is_empty() {
        return Err(Error::Conflict(against));
    }
    let list = write(&app, &mut tx, &plate, &wanted).await?;
    let (kind, end) = wanted.format.kind();
    // The check character of a code may be `*`, which is no part of a file's name everywhere.
    let file = format!("attachment; filename=\"{}.{end}\"", code.as_str().replace('*', "_"));
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, file)];
    Ok((headers, list).into_response())
}

async fn write(app: &App, tx: &mut Tx, plate: &StoredPlate, wanted: &Wanted) -> Result<String> {
    let layout = &plate.made.layout;
    let robot = match wanted.format {
        Format::Csv => return Ok(worklist_csv(layout)),
        Format::QuantStudio => {
            return Ok(quantstudio(plate.code.as_str(), layout, &assays(app, tx, plate).await?));
        }
        Format::Cfx => return Ok(cfx(layout, &assays(app, tx, plate).await?)),
        Format::LightCycler480 => return Ok(lightcycler480(layout)),
        Format::Tecan => worklist_tecan,
        Format::Hamilton => worklist_hamilton,
        Format::Biomek => worklist_biomek,
    };
    let steps = if let Some(stamp) = &plate.made.stamp {
        stamp_steps(layout, stamp)
    } else {
        let tubes = layout.tubes().into_keys();
        let seats = racks::seats(tx, &plate.made.laboratory, tubes).await?;
        steps(layout, &seats, wanted.controls)
    };
    let volume = plate.made.planned.volume;
    let shape = (layout.size().rows(), layout.size().columns());
    Ok(robot(Work { plate: plate.code.as_str(), shape, volume, steps: &steps }))
}

/// Every target of the plate's kit, in each well that it is read in.
async fn assays(app: &App, tx: &mut Tx, plate: &StoredPlate) -> Result<Vec<Assay>> {
    let (code, version) = &plate.made.kit;
    let kit = app.kit(tx, code, version).await?;
    let assays = kit.targets().flat_map(|(reaction, target)| {
        reaction.wells().map(|reaction| Assay {
            reaction,
            target: target.code.clone(),
            dye: target.channel().to_owned(),
        })
    });
    Ok(assays.collect())
}
