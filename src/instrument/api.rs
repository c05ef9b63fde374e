//! The kept file, as it came from the instrument, and what was read in it as RDML.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::rdml_write::{Export, NotWritable, write};
use super::store::{self, Exported, KeptFile};
use super::{Curve, read};
use crate::app::App;
use crate::auth::Actor;
use crate::error::{Error, Result};
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::seal::KeyRing;
use crate::storage::StoreError;

/// The run's file, byte for byte.
#[utoipa::path(get, path = "/v1/runs/{id}/file", tag = "instrument",
    security(("bearer" = [])), params(("id" = String, Path, description = "run")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = Problem)))]
pub async fn run_file_get(
    State(app): State<App>,
    actor: Actor,
    Path(run): Path<String>,
) -> Result<Response> {
    let mut tx = app.db.read("instrument.file").await?;
    let kept = store::file_find(&mut tx, &run).await?;
    actor.in_laboratory(&kept.laboratory_code)?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let content = opened(&app.keys, &kept)?;
    Ok((headers, content).into_response())
}

/// The bytes of a kept file.
fn opened(keys: &KeyRing, kept: &KeptFile) -> std::result::Result<Vec<u8>, StoreError> {
    keys.open(store::file_place(&kept.sha256), &kept.content).map_err(|unsealable| {
        let (id, reason) = (kept.sha256.clone(), unsealable.to_string());
        StoreError::Inconsistent { table: "run_file", id, reason }
    })
}

/// The run's readings and curves as RDML 1.3, for other programs. Of names that operators typed
/// it holds codes of ours and no other.
#[utoipa::path(get, path = "/v1/runs/{id}/rdml", tag = "instrument",
    security(("bearer" = [])), params(("id" = String, Path, description = "run")),
    responses((status = 200, body = Vec<u8>, content_type = "application/zip"),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn run_rdml_get(
    State(app): State<App>,
    actor: Actor,
    Path(run): Path<String>,
) -> Result<Response> {
    let mut tx = app.db.read("instrument.rdml").await?;
    let exported = store::exported(&mut tx, &run).await?;
    actor.in_laboratory(&exported.laboratory_code)?;
    let kept = store::file_find(&mut tx, &run).await?;
    drop(tx);
    let keys = Arc::clone(&app.keys);
    // Unpacking and packing is done away from the threads that serve.
    let work = tokio::task::spawn_blocking(move || rdml(&keys, &exported, &kept));
    let written =
        work.await.map_err(|error| Error::Internal(format!("writing RDML failed: {error}")))??;
    let bytes =
        written.map_err(|reason| Error::conflict("run.rdml", run.clone(), reason.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{run}.rdml\"")),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, bytes).into_response())
}

/// The RDML of a run: readings as they are kept in clear, curves out of the kept file. A file
/// that cannot be read by itself, as one that needed a mapping, gives no curves.
fn rdml(
    keys: &KeyRing,
    exported: &Exported,
    kept: &KeptFile,
) -> std::result::Result<std::result::Result<Vec<u8>, NotWritable>, StoreError> {
    let curves: Vec<Curve> = read(&opened(keys, kept)?).map(|file| file.curves).unwrap_or_default();
    Ok(write(Export {
        plate_size: exported.plate_size,
        instrument: &exported.instrument,
        readings: &exported.readings,
        curves: &curves,
    }))
}
