//! The kept file, as it came from the instrument.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::store;
use crate::app::App;
use crate::auth::Actor;
use crate::error::Result;
use crate::http::extract::Path;
use crate::http::problem::Problem;
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
    let place = store::file_place(&kept.sha256);
    let content = app.keys.open(place, &kept.content).map_err(|unsealable| {
        let (id, reason) = (kept.sha256.clone(), unsealable.to_string());
        StoreError::Inconsistent { table: "run_file", id, reason }
    })?;
    Ok((headers, content).into_response())
}
