//! Racks come in from their scanner, and are looked at.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::store::{self, StoredRack};
use super::{Rack, RackCode, RackSize, SCAN_MAX, ScanFault, Scanned, scan, tubes_twice};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::store as codes;
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::http::extract::{Json, Path, Query, Raw};
use crate::http::problem::Problem;
use crate::plate::api::PlateRequest;
use crate::storage::Tx;

/// Which laboratory's rack, and of what size.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The laboratory it stands in.
    laboratory: String,
    /// Positions: 24, 48 or 96.
    #[serde(default = "ninety_six")]
    size: u16,
}

const fn ninety_six() -> u16 {
    96
}

/// Which laboratory's rack.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Where {
    /// The laboratory it stands in.
    laboratory: String,
}

/// A rack by its newest scan.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RackAnswer {
    /// Its code.
    pub code: String,
    /// The laboratory it stands in.
    pub laboratory: String,
    /// How often it was scanned with other tubes, from 1.
    pub version: i64,
    /// Positions: 24, 48 or 96.
    pub size: u16,
    /// Its tubes, down the columns.
    pub tubes: Vec<RackTube>,
    /// When it was scanned.
    pub scanned_at: Time,
}

/// One tube of a rack.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RackTube {
    /// Where: `A1`.
    pub position: String,
    /// Its code.
    pub tube: String,
}

fn answer(code: &RackCode, laboratory: String, stored: &StoredRack) -> RackAnswer {
    let tubes = stored
        .rack
        .in_order()
        .into_iter()
        .map(|(position, tube)| RackTube { position: position.to_string(), tube: tube.to_owned() });
    RackAnswer {
        code: code.to_string(),
        laboratory,
        version: stored.version,
        size: stored.rack.size().positions(),
        tubes: tubes.collect(),
        scanned_at: stored.scanned,
    }
}

/// The rack with that code as it is asked for.
fn rack_code(text: &str) -> Result<RackCode> {
    RackCode::parse(text).map_err(|error| Error::invalid("rack.code", "code", error.to_string()))
}

/// The request with the tubes of the rack it names, down the columns of its newest scan.
pub(in crate::plate) async fn filled_from_rack(
    tx: &mut Tx,
    mut request: PlateRequest,
) -> Result<PlateRequest> {
    let Some(code) = request.rack.take() else { return Ok(request) };
    let rack = rack_code(&code)?;
    if request.template.is_none() || !request.tubes.is_empty() || !request.wells.is_empty() {
        let message = "a rack fills a template; name a template, and neither tubes nor wells";
        return Err(Error::invalid("plate.rack", "rack", message));
    }
    let laboratory = request.laboratory.as_str();
    let stored = store::rack_find(tx, laboratory, &rack).await?.ok_or_else(|| {
        let message = format!("rack {rack} was never scanned in {laboratory}; scan it first");
        Error::invalid("plate.rack", "rack", message)
    })?;
    let order = stored.rack.in_order().into_iter();
    request.tubes = order.map(|(_, tube)| tube.to_owned()).collect();
    Ok(request)
}

/// Takes a rack's scan in. The same tubes again are the same scan; others make a new version, as
/// racks are used again.
#[utoipa::path(put, path = "/v1/racks/{code}", tag = "plate", security(("bearer" = [])),
    params(("code" = String, Path, description = "what stands on the rack"), Scan),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = RackAnswer), (status = 201, body = RackAnswer),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn rack_put(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Query(wanted): Query<Scan>,
    Raw(bytes): Raw,
) -> Result<(StatusCode, Json<RackAnswer>)> {
    actor.in_laboratory(&wanted.laboratory)?;
    let code = rack_code(&code)?;
    let scanned = read(&bytes, &code, wanted.size)?;
    let mut tx = app.db.write("rack.scan").await?;
    let rack = identify(&mut tx, scanned).await?;
    let before = store::rack_find(&mut tx, &wanted.laboratory, &code).await?;
    if let Some(same) = before.as_ref().filter(|before| before.rack == rack) {
        return Ok((StatusCode::OK, Json(answer(&code, wanted.laboratory, same))));
    }
    let (at, version) = (app.clock.now(), before.map_or(0, |before| before.version) + 1);
    let place = (wanted.laboratory.as_str(), &code, version);
    store::rack_add(&mut tx, place, &rack, (&actor.account, at)).await?;
    let tubes: Vec<_> = rack.tubes().values().cloned().collect();
    let detail = json!({ "laboratory": wanted.laboratory, "version": version, "tubes": tubes });
    let entry = Entry { at, actor: &actor, action: "rack.scan", about: code.as_str(), detail };
    audit::record_about(&mut tx, entry, &tubes).await?;
    tx.commit().await?;
    let stored = StoredRack { version, rack, scanned: at };
    Ok((StatusCode::CREATED, Json(answer(&code, wanted.laboratory, &stored))))
}

/// A rack by its newest scan.
#[utoipa::path(get, path = "/v1/racks/{code}", tag = "plate", security(("bearer" = [])),
    params(("code" = String, Path, description = "what stands on the rack"), Where),
    responses((status = 200, body = RackAnswer), (status = 404, body = Problem)))]
pub async fn rack_get(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Query(wanted): Query<Where>,
) -> Result<Json<RackAnswer>> {
    actor.in_laboratory(&wanted.laboratory)?;
    let code = rack_code(&code)?;
    let mut tx = app.db.read("rack.get").await?;
    let stored = store::rack_find(&mut tx, &wanted.laboratory, &code).await?;
    let stored = stored.ok_or_else(|| Error::not_found("rack", code.as_str()))?;
    Ok(Json(answer(&code, wanted.laboratory, &stored)))
}

/// Rows and size of a scan.
fn read(bytes: &[u8], code: &RackCode, size: u16) -> Result<(RackSize, Vec<Scanned>)> {
    let size = RackSize::from_positions(size).ok_or_else(|| {
        Error::invalid("rack.size", "size", "a rack has 24, 48 or 96 positions; state one of them")
    })?;
    if bytes.len() > SCAN_MAX {
        let message = "the scan is larger than 64 KiB; send the scan of one rack";
        return Err(Error::invalid("rack.too_large", "scan", message));
    }
    let scanned = scan(bytes, code, size).map_err(|faults| refused(&faults))?;
    Ok((size, scanned))
}

/// The tubes by their codes.
async fn identify(tx: &mut Tx, (size, scanned): (RackSize, Vec<Scanned>)) -> Result<Rack> {
    let texts: Vec<&str> = scanned.iter().map(|one| one.text.as_str()).collect();
    let read = codes::tube_codes(tx, &texts).await?;
    let (mut faults, mut named) = (Vec::new(), Vec::new());
    for (one, code) in scanned.into_iter().zip(read) {
        match code {
            Ok(code) => named.push(Scanned { text: code.to_string(), ..one }),
            Err(reason) => {
                faults.push(ScanFault::NotATube { well: one.position, what: reason.message });
            }
        }
    }
    faults.extend(tubes_twice(&named));
    let tubes: BTreeMap<_, _> = named.into_iter().map(|one| (one.position, one.text)).collect();
    match Rack::of(size, tubes) {
        Some(rack) if faults.is_empty() => Ok(rack),
        _ => Err(refused(&faults)),
    }
}

fn refused(faults: &[ScanFault]) -> Error {
    Error::Invalid(faults.iter().map(|fault| Reason::tagged("rack", fault)).collect())
}
