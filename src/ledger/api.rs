//! The ledger over HTTP.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Report;
use super::store::{Scope, ledger};
use crate::app::App;
use crate::auth::Actor;
use crate::clock::Time;
use crate::collection::place::store::refuse_unknown_site;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Query};
use crate::http::problem::Problem;
use crate::receiving::store::refuse_unknown_laboratory;

/// Which tubes; everything when nothing is said.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LedgerQuery {
    /// Sealed on this day, `YYYY-MM-DD`, China's time.
    day: Option<String>,
    /// Sealed at this site.
    site: Option<String>,
    /// In this laboratory.
    laboratory: Option<String>,
}

impl LedgerQuery {
    /// What is asked for, within what this actor may see.
    fn scope(self, actor: &Actor) -> Result<Scope> {
        let wrong =
            |field: &str, message: &str| Error::invalid("ledger.scope", field, message.to_owned());
        for (field, text) in [("site", &self.site), ("laboratory", &self.laboratory)] {
            if text.as_ref().is_some_and(|text| text.contains('\0')) {
                return Err(wrong(field, "the code holds a NUL; send it without"));
            }
        }
        let sealed = match &self.day {
            Some(day) => Some(
                Time::day_bounds(day)
                    .ok_or_else(|| wrong("day", "a day is written like 2020-06-21"))?,
            ),
            None => None,
        };
        let site = self.site.or_else(|| actor.site.clone());
        let laboratory = self.laboratory.or_else(|| actor.laboratory.clone());
        site.as_deref().map_or(Ok(()), |site| actor.at_site(site))?;
        laboratory.as_deref().map_or(Ok(()), |laboratory| actor.in_laboratory(laboratory))?;
        Ok(Scope { site, laboratory, sealed, is_blind: actor.is_blind() })
    }
}

/// The proof that nothing is lost: whole, by site and day, by laboratory and day, with the tubes
/// that are not explained or overdue.
#[utoipa::path(get, path = "/v1/ledger", tag = "ledger", security(("bearer" = [])),
    params(LedgerQuery),
    responses((status = 200, body = Report), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn ledger_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<LedgerQuery>,
) -> Result<Json<Report>> {
    let named = (asked.site.clone(), asked.laboratory.clone());
    let scope = asked.scope(&actor)?;
    let _turn = app.walk().await?;
    let mut tx = app.db.read("ledger").await?;
    refuse_unknown_site(&mut tx, named.0.as_deref()).await?;
    refuse_unknown_laboratory(&mut tx, named.1.as_deref()).await?;
    Ok(Json(ledger(&mut tx, app.clock.now(), &scope).await?))
}
