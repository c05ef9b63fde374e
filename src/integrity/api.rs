//! The checks over HTTP.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::store::{Scope, earlier_negatives, integrity, refuse_not_positive};
use super::{Earlier, Report};
use crate::app::App;
use crate::auth::Actor;
use crate::clock::{Span, Time};
use crate::error::{Error, Result};
use crate::http::extract::{Json, Query};
use crate::http::problem::Problem;
use crate::receiving::store::refuse_unknown_laboratory;

/// How far back is looked when nothing is said.
const MONTH: Span = Span::days(31);
/// The longest period looked at in one request.
const LONGEST: Span = Span::days(93);

/// Which period, of which laboratory.
#[derive(Clone, Debug, Deserialize, IntoParams, clap::Args)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IntegrityQuery {
    /// Only of this laboratory.
    #[arg(long)]
    pub laboratory: Option<String>,
    /// From this day on, `YYYY-MM-DD`, China's time; 31 days before the last one when absent.
    #[arg(long)]
    pub from: Option<String>,
    /// Up to this day, included; today when absent.
    #[arg(long)]
    pub until: Option<String>,
}

impl IntegrityQuery {
    /// The period and the laboratory that are asked for.
    pub fn scope(self, now: Time) -> Result<Scope> {
        let wrong = |field: &str, message: &str| Error::invalid("integrity.period", field, message);
        let day = |field: &'static str, text: &str| {
            Time::day_bounds(text).ok_or_else(|| wrong(field, "a day is written like 2020-06-21"))
        };
        if self.laboratory.as_ref().is_some_and(|code| code.contains('\0')) {
            return Err(wrong("laboratory", "the code holds a NUL; send it without"));
        }
        let until = match &self.until {
            Some(text) => day("until", text)?.1,
            None => now + Span::MICROSECOND,
        };
        let from = match &self.from {
            Some(text) => day("from", text)?.0,
            None => until - MONTH,
        };
        if from >= until {
            return Err(wrong("from", "the period ends before it begins; exchange the days"));
        }
        if until.since(from) > LONGEST {
            return Err(wrong("from", "a period has at most 93 days; ask for a shorter one"));
        }
        Ok(Scope { laboratory: self.laboratory, from, until })
    }
}

/// Signs of over-pooling and of invented results, check by check.
#[utoipa::path(get, path = "/v1/integrity", tag = "integrity", security(("bearer" = [])),
    params(IntegrityQuery),
    responses((status = 200, body = Report), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn integrity_get(
    State(app): State<App>,
    actor: Actor,
    Query(mut asked): Query<IntegrityQuery>,
) -> Result<Json<Report>> {
    let named = asked.laboratory.clone();
    asked.laboratory = asked.laboratory.or_else(|| actor.laboratory.clone());
    asked.laboratory.as_deref().map_or(Ok(()), |laboratory| actor.in_laboratory(laboratory))?;
    let scope = asked.scope(app.clock.now())?;
    let _turn = app.walk().await?;
    let mut tx = app.db.read("integrity").await?;
    refuse_unknown_laboratory(&mut tx, named.as_deref()).await?;
    Ok(Json(integrity(&app, &mut tx, &scope).await?))
}

/// Which tube was found positive.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EarlierQuery {
    /// Code of the tube.
    tube: String,
}

/// The negatives told to the members of a positive tube in the fortnight before it, with the
/// laboratory, the plate, the wells, the Ct values and the people who signed.
#[utoipa::path(get, path = "/v1/integrity/earlier", tag = "integrity",
    security(("bearer" = [])), params(EarlierQuery),
    responses((status = 200, body = Earlier), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn earlier_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<EarlierQuery>,
) -> Result<Json<Earlier>> {
    if asked.tube.contains('\0') {
        let message = "the code holds a NUL; send it without";
        return Err(Error::invalid("integrity.tube", "tube", message));
    }
    let tube = asked.tube.trim().to_ascii_uppercase();
    let (from, until) = (Time::from_us(i64::MIN), Time::from_us(i64::MAX));
    let scope = Scope { laboratory: actor.laboratory.clone(), from, until };
    let mut tx = app.db.read("integrity.earlier").await?;
    refuse_not_positive(&mut tx, &tube).await?;
    let negatives = earlier_negatives(&mut tx, &scope, Some(&tube)).await?;
    Ok(Json(Earlier { negatives }))
}
