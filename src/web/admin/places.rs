//! Sites, laboratories and rounds; what is stored is never overwritten.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{moment, told};
use crate::app::App;
use crate::auth::{Actor, Role};
use crate::clock::Time;
use crate::collection::place::api::{laboratory_put, round_put, site_put};
use crate::collection::place::store::{Listed, ListedRound, laboratories, rounds, sites};
use crate::collection::place::{Laboratory, Round, Site};
use crate::error::{Error, Reason, Result};
use crate::http::extract::{Form, Json, Path};
use crate::web::resident::minute;
use crate::web::{Page, html};

#[derive(Template)]
#[template(path = "admin_places.html")]
struct Places {
    page: Page,
    administers: bool,
    steers: bool,
    sites: Vec<Listed>,
    laboratories: Vec<Listed>,
    rounds: Vec<ListedRound>,
    reasons: Vec<Reason>,
}

impl Places {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands out references")]
    fn at(time: &Time) -> String {
        minute(*time)
    }
}

async fn places(app: &App, page: Page, actor: &Actor) -> Result<Places> {
    let mut tx = app.db.read("places.list").await?;
    Ok(Places {
        page: Page { path: "/admin/places".to_owned(), ..page },
        administers: actor.role == Role::Administrator,
        steers: actor.role == Role::Officer,
        sites: sites(&mut tx).await?,
        laboratories: laboratories(&mut tx).await?,
        rounds: rounds(&mut tx).await?,
        reasons: Vec::new(),
    })
}

/// Every place.
pub async fn places_get(State(app): State<App>, page: Page, actor: Actor) -> Result<Html<String>> {
    html(&places(&app, page, &actor).await?)
}

/// A place that is to be put.
#[derive(Deserialize)]
pub struct New {
    kind: String,
    code: String,
    name: String,
    area: String,
    #[serde(default)]
    specimen: String,
    #[serde(default)]
    tube_size: u8,
    #[serde(default)]
    starts: String,
    #[serde(default)]
    ends: String,
    #[serde(default)]
    result_hours: u8,
}

/// Puts a place.
pub async fn places_post(
    State(app): State<App>,
    page: Page,
    actor: Actor,
    Form(new): Form<New>,
) -> Result<Response> {
    match put(&app, &actor, new).await {
        Ok(()) => Ok(Redirect::to("/admin/places").into_response()),
        Err(error) => {
            let reasons = told(error)?;
            let again = Places { reasons, ..places(&app, page, &actor).await? };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, html(&again)?).into_response())
        }
    }
}

async fn put(app: &App, actor: &Actor, new: New) -> Result<()> {
    let code = Path(new.code.trim().to_ascii_uppercase());
    let (app, by, role) = (State(app.clone()), actor.clone(), actor.role);
    let (name, area) = (new.name.trim().to_owned(), new.area.trim().to_owned());
    match (new.kind.as_str(), role) {
        ("site", Role::Administrator | Role::Officer) => {
            site_put(app, by, code, Json(Site { name, area })).await.map(drop)
        }
        ("laboratory", Role::Administrator) => {
            laboratory_put(app, by, code, Json(Laboratory { name, address: area })).await.map(drop)
        }
        ("round", Role::Officer) => {
            let round = Round {
                name,
                area,
                specimen: new.specimen.trim().to_owned(),
                tube_size: new.tube_size,
                starts_at: moment(&new.starts, "round.dates", "starts_at")?,
                ends_at: moment(&new.ends, "round.dates", "ends_at")?,
                result_hours: new.result_hours,
            };
            round_put(app, by, code, Json(round)).await.map(drop)
        }
        _ => Err(Error::forbidden(
            "auth.role",
            "/admin/places",
            "your role may not do this; ask somebody whose role may",
        )),
    }
}
