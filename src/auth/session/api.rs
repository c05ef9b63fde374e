//! Routes of a session that ES modules call.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Session, sign_in};
use crate::app::App;
use crate::auth::{Actor, Role};
use crate::error::Result;
use crate::http::extract::Json;
use crate::http::problem::Problem;

/// Whoever is signed in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Who {
    /// The account's id.
    pub account: String,
    /// The printed name that stands in signatures.
    pub name: String,
    /// What they do.
    pub role: Role,
    /// The one site they work at, if they are bound to one.
    pub site: Option<String>,
    /// The one laboratory they work in, if they are bound to one.
    pub laboratory: Option<String>,
}

/// Who one is, by token or by cookie.
#[utoipa::path(get, path = "/v1/session", tag = "session", security(("bearer" = [])),
    responses((status = 200, body = Who), (status = 401, body = Problem)))]
pub async fn session_get(actor: Actor) -> Json<Who> {
    let Actor { account, name, role, site, laboratory } = actor;
    Json(Who { account, name, role, site, laboratory })
}

/// What proves who sits there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofRequest {
    /// The password again.
    password: String,
    /// A code of the second factor, where there is one.
    #[serde(default)]
    code: Option<String>,
}

/// Proves who sits at a page, for one signature within ten minutes; whoever signs with a token
/// needs none.
#[utoipa::path(post, path = "/v1/session/proof", tag = "session", security(("cookie" = [])),
    request_body = ProofRequest,
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 429, body = Problem)))]
pub async fn proof_post(
    State(app): State<App>,
    session: Session,
    Json(proof): Json<ProofRequest>,
) -> Result<StatusCode> {
    sign_in::prove(&app, &session, proof.password, proof.code.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}
