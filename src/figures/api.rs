//! The city's figures over HTTP, as numbers and as pictures.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::store::{self, is_round};
use super::svg::{self, Theme};
use super::{Figures, Scope};
use crate::app::App;
use crate::auth::Actor;
use crate::collection::place::store::refuse_unknown_area;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Query};
use crate::http::problem::Problem;
use crate::receiving::store::refuse_unknown_laboratory;
use crate::web::catalogue::Words;

/// Longest name in a question.
const NAME_MAX: usize = 100;

/// Which figures; those of every round under way when nothing is said.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FiguresQuery {
    /// Of this round, however long it is over.
    pub round: Option<String>,
    /// Of sites in this area.
    pub area: Option<String>,
    /// Of this laboratory; one's own for whoever works in one.
    pub laboratory: Option<String>,
}

impl FiguresQuery {
    /// What is asked for, within what this actor may see.
    pub async fn scope(self, app: &App, actor: &Actor) -> Result<Scope> {
        if let Some(site) = &actor.site {
            let message = "the figures are of areas; ask as somebody who is bound to no site";
            return Err(Error::forbidden("auth.city", site, message));
        }
        let Self { round, area, laboratory } = self;
        for (field, text) in [("round", &round), ("area", &area), ("laboratory", &laboratory)] {
            let is_name = |name: &String| {
                name.chars().count() <= NAME_MAX && !name.contains(char::is_control)
            };
            if !text.as_ref().is_none_or(is_name) {
                let message = "a name has at most 100 visible characters";
                return Err(Error::invalid("figures.name", field, message));
            }
        }
        laboratory.as_deref().map_or(Ok(()), |laboratory| actor.in_laboratory(laboratory))?;
        let scope = Scope { round, area, laboratory };
        if scope != Scope::default() {
            refuse_unknown(app, &scope).await?;
        }
        Ok(Scope { laboratory: scope.laboratory.or_else(|| actor.laboratory.clone()), ..scope })
    }
}

/// Of a round, an area or a laboratory that there is not, no figure says that nothing waits.
async fn refuse_unknown(app: &App, scope: &Scope) -> Result<()> {
    let mut tx = app.db.read("figures.scope").await?;
    if let Some(round) = &scope.round
        && !is_round(&mut tx, round).await?
    {
        let message = format!("there is no round {round}; leave it out to see all");
        return Err(Error::invalid("figures.round", "round", message));
    }
    refuse_unknown_area(&mut tx, scope.area.as_deref()).await?;
    refuse_unknown_laboratory(&mut tx, scope.laboratory.as_deref()).await
}

/// Which figures, and on what ground.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PictureQuery {
    /// Of this round, however long it is over.
    round: Option<String>,
    /// Of sites in this area.
    area: Option<String>,
    /// Of this laboratory; one's own for whoever works in one.
    laboratory: Option<String>,
    /// Light when nothing is said.
    #[serde(default)]
    #[param(inline)]
    theme: Ground,
    /// English when nothing is said.
    #[serde(default)]
    #[param(inline)]
    language: Words,
}

/// The ground of a picture.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// Dark on white.
    #[default]
    Light,
    /// Light on black, for a screen in a dim room.
    Dark,
}

impl PictureQuery {
    async fn figures(self, app: &App, actor: &Actor) -> Result<(Arc<Figures>, Theme)> {
        let Self { round, area, laboratory, theme, language } = self;
        let asked = FiguresQuery { round, area, laboratory };
        let theme = match theme {
            Ground::Light => Theme::LIGHT,
            Ground::Dark => Theme::DARK,
        };
        let theme = theme.in_language(language.into());
        let scope = asked.scope(app, actor).await?;
        Ok((app.board.look(app, &scope).await?, theme))
    }
}

/// Where everybody is, how long it takes, what the laboratories do, and what waits longest: read
/// from counters, whatever the number of people.
#[utoipa::path(get, path = "/v1/figures", tag = "figures", security(("bearer" = [])),
    params(FiguresQuery),
    responses((status = 200, body = Figures), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn figures_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<FiguresQuery>,
) -> Result<Json<Figures>> {
    let scope = asked.scope(&app, &actor).await?;
    let mut tx = app.db.read("figures").await?;
    Ok(Json(store::figures(&mut tx, app.clock.now(), &scope).await?))
}

/// The last 24 hours as a picture: people sealed, received and released in each.
#[utoipa::path(get, path = "/v1/figures/flow.svg", tag = "figures", security(("bearer" = [])),
    params(PictureQuery),
    responses((status = 200, content((String = "image/svg+xml"))), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn flow_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<PictureQuery>,
) -> Result<Response> {
    let (figures, theme) = asked.figures(&app, &actor).await?;
    picture(move || svg::flow(&figures, theme)).await
}

/// How long each stretch takes, as a picture: half of all and nine of ten, against the limit.
#[utoipa::path(get, path = "/v1/figures/turnaround.svg", tag = "figures",
    security(("bearer" = [])), params(PictureQuery),
    responses((status = 200, content((String = "image/svg+xml"))), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn turnaround_get(
    State(app): State<App>,
    actor: Actor,
    Query(asked): Query<PictureQuery>,
) -> Result<Response> {
    let (figures, theme) = asked.figures(&app, &actor).await?;
    picture(move || svg::turnaround(&figures, theme)).await
}

async fn picture(draw: impl FnOnce() -> Result<String> + Send + 'static) -> Result<Response> {
    let drawn = tokio::task::spawn_blocking(draw)
        .await
        .map_err(|error| Error::Internal(format!("drawing the figures failed: {error}")))??;
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, drawn).into_response())
}
