//! The kept file, as it came from the instrument, and what was read in it as RDML.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::curve_store::curves_find;
use super::rdml_write::{Export, write};
use super::store::{self, KeptFile};
use crate::app::App;
use crate::auth::Actor;
use crate::error::{Error, Result};
use crate::http::extract::{Path, Query};
use crate::http::problem::Problem;
use crate::seal::KeyRing;
use crate::storage::StoreError;

/// Which file of a run.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Its number, from 1; needed only where the run came as several files.
    part: Option<u8>,
}

/// The run's file, byte for byte.
#[utoipa::path(get, path = "/v1/runs/{id}/file", tag = "instrument",
    security(("bearer" = [])), params(("id" = String, Path, description = "run"), Which),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn run_file_get(
    State(app): State<App>,
    actor: Actor,
    Path(run): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response> {
    Error::refuse_nul("run", &run)?;
    let mut tx = app.db.read("instrument.file").await?;
    let first = store::file_find(&mut tx, &run, 1).await?;
    let first = first.ok_or_else(|| Error::not_found("run", &run))?;
    actor.in_laboratory(&first.laboratory_code)?;
    let kept = match which.part {
        Some(1) => first,
        Some(part) => {
            let kept = store::file_find(&mut tx, &run, i64::from(part)).await?;
            kept.ok_or_else(|| Error::not_found("part", format!("{part} of run {run}")))?
        }
        None => the_only(&store::parts(&mut tx, &run).await?, first)?,
    };
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

/// The first file, if there is no other that could be meant.
fn the_only(parts: &[store::Part], first: store::KeptFile) -> Result<store::KeptFile> {
    let count = parts.len();
    if count < 2 {
        return Ok(first);
    }
    let message = format!("the run came as {count} files; choose one with `?part=1` to `{count}`");
    Err(Error::invalid("run.part", "part", message))
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
    let wells = (0, exported.plate_size.wells() - 1);
    let curves = curves_find(&mut tx, &run, exported.plate_size, wells).await?;
    drop(tx);
    // Packing is done away from the threads that serve.
    let work = tokio::task::spawn_blocking(move || {
        write(Export {
            plate_size: exported.plate_size,
            instrument: &exported.instrument,
            readings: &exported.readings,
            curves: &curves,
            run: Some(&exported.run),
        })
    });
    let written =
        work.await.map_err(|error| Error::Internal(format!("writing RDML failed: {error}")))?;
    let bytes =
        written.map_err(|reason| Error::conflict("run.rdml", run.clone(), reason.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{run}.rdml\"")),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, bytes).into_response())
}
