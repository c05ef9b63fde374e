//! Boxes taken in and looked up.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::arrive::{Delivery, arrive};
use super::store::{self, Arrival, ArrivalTube};
use super::{Finding, Found, Refusal, Scan, rules};
use crate::app::App;
use crate::auth::Actor;
use crate::barcode::{self, BoxCode};
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::http::extract::{Json, Path};
use crate::http::idempotency::{self, Attempt, IdempotencyKey};
use crate::http::problem::Problem;
use crate::storage::Tx;
use crate::transport::Celsius;
use crate::transport::rules::{age_fault, time_fault, tube_codes};

/// A box on the bench.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArrivalRequest {
    /// The box.
    #[serde(rename = "box")]
    pub box_code: String,
    /// The laboratory it came to.
    pub laboratory: String,
    /// When.
    pub arrived_at: Time,
    /// What its thermometer showed.
    #[serde(default)]
    pub temperature_c: Option<Celsius>,
    /// Whether its seal was whole.
    pub seal_intact: bool,
    /// Every tube in it, each once.
    pub scanned: Vec<ScanRequest>,
}

/// A tube under the scanner.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanRequest {
    /// Its code.
    pub tube: String,
    /// Swabs in it, when they were counted.
    #[serde(default)]
    pub swab_count: Option<i64>,
    /// Why it is refused, if it is.
    #[serde(default)]
    pub refused: Option<Refusal>,
}

/// What an arrival found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ArrivalAnswer {
    /// Its id.
    pub id: String,
    /// The box.
    #[serde(rename = "box")]
    pub box_code: String,
    /// The laboratory it came to.
    pub laboratory: String,
    /// When.
    pub arrived_at: Time,
    /// What its thermometer showed.
    pub temperature_c: Option<Celsius>,
    /// Whether its seal was whole.
    pub seal_intact: bool,
    /// Codes of the manifest that were taken in.
    pub accepted: Vec<String>,
    /// Tubes not fit to be tested; their members are recalled.
    pub refused: Vec<RefusedTube>,
    /// Codes of the manifest that nobody has.
    pub missing: Vec<String>,
    /// Codes that were not in the manifest.
    pub unexpected: Vec<String>,
    /// What somebody should look into.
    pub warnings: Vec<Reason>,
}

/// A refused tube.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RefusedTube {
    /// Its code.
    pub tube: String,
    /// Why.
    pub reason: Refusal,
}

impl From<Found> for ArrivalTube {
    fn from(found: Found) -> Self {
        let (finding, reason) = (found.finding, found.refusal);
        Self { tube_code: found.tube.to_string(), finding, reason }
    }
}

impl ArrivalAnswer {
    fn new(arrival: Arrival, tubes: impl IntoIterator<Item = ArrivalTube>) -> Self {
        let mut answer = Self {
            id: arrival.id,
            box_code: arrival.box_code.to_string(),
            laboratory: arrival.laboratory,
            arrived_at: arrival.arrived,
            temperature_c: arrival.temperature,
            seal_intact: arrival.seal_intact,
            accepted: Vec::new(),
            refused: Vec::new(),
            missing: Vec::new(),
            unexpected: Vec::new(),
            warnings: arrival.warnings,
        };
        for ArrivalTube { tube_code: tube, finding, reason } in tubes {
            match (finding, reason) {
                (Finding::Accepted, _) => answer.accepted.push(tube),
                (Finding::Missing, _) => answer.missing.push(tube),
                (Finding::Refused, Some(reason)) => {
                    answer.refused.push(RefusedTube { tube, reason });
                }
                (Finding::Unexpected | Finding::Refused, _) => answer.unexpected.push(tube),
            }
        }
        answer
    }
}

/// Takes a box in: what was scanned against what its site says is in it.
///
/// A second arrival of the same box takes in what turned up since; tubes received before are
/// warned about and not received again. A box that arrived at another laboratory is refused.
#[utoipa::path(post, path = "/v1/arrivals", tag = "receiving", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "a fresh id; the same on a retry")),
    request_body = ArrivalRequest,
    responses((status = 201, body = ArrivalAnswer), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn arrival_post(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Json(request): Json<ArrivalRequest>,
) -> Result<Response> {
    actor.in_laboratory(&request.laboratory)?;
    let now = app.clock.now();
    let mut tx = app.db.write("arrival.record").await?;
    let fresh = match idempotency::begin(&mut tx, &actor, key, now, &request).await? {
        Attempt::Replay(answer) => return Ok(answer),
        Attempt::Fresh(fresh) => fresh,
    };
    let delivery = delivery_read(&mut tx, request, now).await?;
    let (arrival, found) = arrive(&mut tx, &app, &actor, delivery).await?;
    let answer = ArrivalAnswer::new(arrival, found.into_iter().map(ArrivalTube::from));
    fresh.finish(tx, StatusCode::CREATED, &answer).await
}

/// The delivery a request describes, or everything that is wrong with it.
async fn delivery_read(tx: &mut Tx, request: ArrivalRequest, now: Time) -> Result<Delivery> {
    let counts: Vec<_> = request.scanned.iter().map(|scan| scan.swab_count).collect();
    let mut reasons = rules::scan_faults(&counts);
    reasons.extend(time_fault("arrived_at", request.arrived_at, now));
    reasons.extend(age_fault("arrived_at", request.arrived_at, now));
    if !store::laboratory_exists(tx, &request.laboratory).await? {
        let message = "this laboratory is not registered; ask an administrator to register it";
        reasons.push(Reason::new("laboratory.unknown", "laboratory", message));
    }
    let code = BoxCode::parse(&request.box_code)
        .map_err(|fault| reasons.push(Reason::new("box.code", "box", fault.to_string())));
    let patterns = barcode::store::patterns(tx).await?;
    let scanned = request.scanned.iter().take(rules::SCANNED_MAX).enumerate();
    let scanned = scanned.map(|(i, scan)| (format!("scanned[{i}].tube"), scan.tube.as_str()));
    let tubes = tube_codes(scanned, &patterns).map_err(|faults| reasons.extend(faults));
    let (Ok(code), Ok(tubes), true) = (code, tubes, reasons.is_empty()) else {
        return Err(Error::Invalid(reasons));
    };
    let scanned = tubes.into_iter().zip(request.scanned);
    let scanned = scanned
        .map(|(tube, scan)| Scan { tube, swab_count: scan.swab_count, refused: scan.refused })
        .collect();
    Ok(Delivery {
        code,
        laboratory: request.laboratory,
        arrived: request.arrived_at,
        temperature: request.temperature_c,
        seal_intact: request.seal_intact,
        scanned,
    })
}

/// Shows an arrival as it was recorded.
#[utoipa::path(get, path = "/v1/arrivals/{id}", tag = "receiving", security(("bearer" = [])),
    params(("id" = String, Path, description = "the arrival's id")),
    responses((status = 200, body = ArrivalAnswer), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub async fn arrival_get(
    State(app): State<App>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Json<ArrivalAnswer>> {
    let unknown = || Error::not_found("arrival", "of this id");
    let id = uuid::Uuid::try_parse(&id).map_err(|_no_id| unknown())?.to_string();
    let mut tx = app.db.read("arrival.show").await?;
    let (arrival, tubes) = store::arrival_find(&mut tx, &id).await?.ok_or_else(unknown)?;
    actor.in_laboratory(&arrival.laboratory)?;
    actor.at_site(&arrival.site)?;
    Ok(Json(ArrivalAnswer::new(arrival, tubes)))
}
