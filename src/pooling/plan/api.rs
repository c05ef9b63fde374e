//! The planner over HTTP.

use super::{Answer, Question, answer};
use crate::auth::Actor;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Query};
use crate::http::problem::Problem;

/// Expected tests, accuracy and predictive values of the pooling schemes, and the best of them.
#[utoipa::path(get, path = "/v1/plan", tag = "pooling", security(("bearer" = [])),
    params(Question),
    responses((status = 200, body = Answer), (status = 422, body = Problem)))]
pub async fn plan_get(_actor: Actor, Query(question): Query<Question>) -> Result<Json<Answer>> {
    answer(&question).map(Json).map_err(Error::Invalid)
}
