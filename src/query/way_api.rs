//! The whole way of a tube, for those who work with it.

use axum::extract::State;

use super::way::{self, TubeWay};
use crate::app::App;
use crate::auth::Actor;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;

/// Longest text looked up as a code; the longest code there may be has 24 characters.
const CODE_MAX: usize = 32;

/// The whole way of one tube. Samplers see the tubes of their site, laboratories those they have
/// and those no laboratory has yet.
#[utoipa::path(get, path = "/v1/tubes/{code}", tag = "query", security(("bearer" = [])),
    params(("code" = String, Path, description = "the tube's code")),
    responses((status = 200, body = TubeWay), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub async fn tube_get(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
) -> Result<Json<TubeWay>> {
    let code = code.trim().to_ascii_uppercase();
    if code.len() > CODE_MAX || code.contains('\0') {
        return Err(Error::not_found("tube", "with such a code"));
    }
    let mut tx = app.db.read("tube.way").await?;
    let tube = way::tube(&mut tx, &code).await?;
    actor.at_site(&tube.site_code)?;
    if let Some(laboratory) = &tube.laboratory_code {
        actor.in_laboratory(laboratory)?;
    }
    Ok(Json(way::way(&mut tx, tube).await?))
}
