//! The gaps of devices over HTTP.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::store::{Gapped, Stretch, devices_gapped, gaps};
use crate::app::App;
use crate::auth::Actor;
use crate::clock::{Span, Time};
use crate::collection::place::store::refuse_unknown_site;
use crate::error::{Error, Result};
use crate::http::extract::{Json, Query};
use crate::http::problem::Problem;

/// Most devices in one answer.
const DEVICES_MAX: i64 = 1_000;
/// Most stretches of numbers in one answer.
const STRETCHES_MAX: i64 = 10_000;
/// A device may be without network for 72 hours (R5); those heard within twice that are looked at
/// when nobody says since when.
const USUAL: Span = Span::hours(144);

/// Which devices.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GapsQuery {
    /// Heard last at this site; one's own for whoever works at one.
    site: Option<String>,
    /// Heard since then; six days when nothing is said.
    #[param(value_type = Option<String>)]
    since: Option<Time>,
}

/// Devices of whose running numbers some never came.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct GapsAnswer {
    /// Those heard last first.
    pub devices: Vec<DeviceGaps>,
    /// Whether there may be more than are shown.
    pub more: bool,
}

/// What is missing of one device.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceGaps {
    /// Its id.
    pub device: String,
    /// Where it was heard last.
    pub site: String,
    /// When that was.
    #[schema(value_type = String)]
    pub heard_at: Time,
    /// Tubes of it that were stored.
    pub tubes: i64,
    /// Its highest number.
    pub last: i64,
    /// How many numbers below that never came. They are still on the device, were given up
    /// there, or are lost.
    pub missing: i64,
    /// Which they are.
    pub gaps: Vec<Gap>,
}

/// Running numbers that follow each other and never came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gap {
    /// The first of them.
    pub from: i64,
    /// The last of them.
    pub to: i64,
}

/// Running numbers of devices that never came as a tube, as of now: whoever sees them asks at the
/// site.
#[utoipa::path(get, path = "/v1/devices/gaps", tag = "collection", security(("bearer" = [])),
    params(GapsQuery),
    responses((status = 200, body = GapsAnswer), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn gaps_get(
    State(app): State<App>,
    actor: Actor,
    Query(GapsQuery { site, since }): Query<GapsQuery>,
) -> Result<Json<GapsAnswer>> {
    let named = site.clone();
    let site = site.or_else(|| actor.site.clone());
    if let Some(site) = &site {
        if site.contains('\0') {
            let message = "the code holds a NUL; send it without";
            return Err(Error::invalid("device.site", "site", message));
        }
        actor.at_site(site)?;
    }
    let since = since.unwrap_or_else(|| app.clock.now() - USUAL);
    let mut tx = app.db.read("device.gaps").await?;
    refuse_unknown_site(&mut tx, named.as_deref()).await?;
    let devices = devices_gapped(&mut tx, since, site.as_deref(), DEVICES_MAX).await?;
    let stretches = gaps(&mut tx, &devices, STRETCHES_MAX).await?;
    Ok(Json(answer(devices, &stretches)))
}

fn answer(devices: Vec<Gapped>, stretches: &[Stretch]) -> GapsAnswer {
    let is_full = |count: usize, most: i64| i64::try_from(count).is_ok_and(|count| count >= most);
    let more = is_full(devices.len(), DEVICES_MAX) || is_full(stretches.len(), STRETCHES_MAX);
    let of = |id: &str| -> Vec<Gap> {
        let own = stretches.iter().filter(|stretch| stretch.device_id == id);
        own.map(|stretch| Gap { from: stretch.first_seq, to: stretch.last_seq }).collect()
    };
    let devices = devices.into_iter().map(|device| {
        let gaps = of(&device.id);
        DeviceGaps {
            device: device.id,
            site: device.site_code,
            heard_at: device.heard,
            tubes: device.tubes,
            last: device.last_seq,
            missing: gaps.iter().map(|gap| gap.to - gap.from + 1).sum(),
            gaps,
        }
    });
    // A number that two tubes carry is counted twice, and can hide one that never came.
    let devices = devices.filter(|device| device.missing > 0).collect();
    GapsAnswer { devices, more }
}
