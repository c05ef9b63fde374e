//! A robot's log comes in, is compared with the plan, and is looked at.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::late::{self, Late};
use super::store::{self, Accepted, Settings, StoredLog};
use super::{DIFFERENCES_MAX, Difference, Explanation, LOGS_MAX, Log, Planned, Volume, receive};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::{FILE_NAME_MAX, PlateCode, file_name, is_file_name, store as codes};
use crate::clock::Time;
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::http::extract::{Json, Path, Query, Raw};
use crate::http::problem::Problem;
use crate::plate::api as plates;
use crate::plate::make::volume;
use crate::plate::store::{self as plate_store, StoredPlate};
use crate::storage::{StoreError, Tx};

/// Most labware that may be named as reagents.
const REAGENTS_MAX: usize = 50;

/// How a log is to be read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// The file's name, kept beside it; the format is told by content.
    #[serde(default)]
    name: String,
    /// Microlitres of its tube that each well should get, to be sure that they are those of the
    /// plate's plan: any others are refused.
    #[serde(default)]
    volume: Option<String>,
    /// Percent by which a volume may miss that; refused where the plan has another.
    #[serde(default)]
    tolerance: Option<u8>,
    /// What the robot calls the plate, where it does not know the plate's code.
    #[serde(default)]
    labware: String,
    /// Labware that holds reagents, by what the robot calls it, separated by commas.
    #[serde(default)]
    reagents: String,
    /// Answer as if it had come in, and keep nothing.
    #[serde(default)]
    dry_run: bool,
}

/// A log, and where it leaves the plate.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TransferAnswer {
    /// The log; none after a dry run.
    pub id: Option<String>,
    /// Its plate.
    pub plate: String,
    /// Which log of the plate, from 1.
    pub number: u32,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The name it came under.
    pub name: String,
    /// Format of the file.
    pub format: String,
    /// What in the content gave the format away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detected_by: Vec<String>,
    /// Microlitres each well should get.
    pub volume: String,
    /// Percent by which that may be missed.
    pub tolerance: u8,
    /// Dispenses into the plate, reagents left out.
    pub transfers: usize,
    /// Where all logs of the plate up to this one differ from the plan.
    #[schema(value_type = Vec<Object>)]
    pub differences: Vec<Difference>,
    /// The same in words.
    pub explained: Vec<String>,
    /// Whether the differences were accepted.
    pub accepted: Option<AcceptedAnswer>,
    /// Results that people were told before the log came, and that it makes doubtful: somebody has
    /// to withdraw them, or to explain the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
    /// When it came in.
    pub read_at: Option<Time>,
}

/// What a second person said of a log's differences.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AcceptedAnswer {
    /// Why they do no harm.
    pub explanations: Vec<Explanation>,
    /// The account.
    pub by: String,
    /// When.
    pub at: Time,
}

/// Every log of a plate.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TransfersAnswer {
    /// The logs, oldest first.
    pub logs: Vec<TransferAnswer>,
    /// What keeps the plate from a run, in words; nothing when it may be run.
    pub open: Vec<String>,
    /// Results that people were told and that what is open makes doubtful.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
}

/// A log as it is shown.
pub(super) fn answer(plate: &PlateCode, log: StoredLog) -> TransferAnswer {
    let Planned { volume, tolerance } = log.settings.planned;
    let accepted =
        |Accepted { explanations, by, at }: Accepted| AcceptedAnswer { explanations, by, at };
    TransferAnswer {
        id: Some(log.id),
        plate: plate.to_string(),
        number: log.number,
        sha256: log.sha256,
        name: log.name,
        format: log.format,
        detected_by: Vec::new(),
        volume: volume.to_string(),
        tolerance,
        transfers: log.fills.len(),
        explained: log.differences.iter().map(ToString::to_string).collect(),
        differences: log.differences,
        accepted: log.accepted.map(accepted),
        late: None,
        read_at: Some(log.read),
    }
}

/// Takes a robot's log in and compares all logs of the plate with its plan. The same file for the
/// same plate is the same log.
#[utoipa::path(post, path = "/v1/plates/{code}/transfers", tag = "plate",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "plate"), Upload),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = TransferAnswer), (status = 201, body = TransferAnswer),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn transfers_post(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Query(upload): Query<Upload>,
    Raw(bytes): Raw,
) -> Result<(StatusCode, Json<TransferAnswer>)> {
    let asked = asked(&upload)?;
    let (sealed, sha256, log) = parse(&app, bytes).await?;
    let mut tx = app.db.write("plate.transfers").await?;
    let code = codes::plate_code(&mut tx, &code).await?;
    let plate = plates::frozen(&mut tx, &actor, &code).await?;
    let settings = settings(asked, &plate)?;
    let before = store::logs(&mut tx, code.as_str()).await?;
    if let Some(same) = before.iter().find(|stored| stored.sha256 == sha256) {
        refuse_if_read_otherwise(same, &settings)?;
        let late = late::late(&mut tx, &plate, &before).await?;
        return Ok((StatusCode::OK, Json(TransferAnswer { late, ..answer(&code, same.clone()) })));
    }
    refuse_one_more(&code, before.len())?;
    let (id, at) = (app.clock.id().to_string(), app.clock.now());
    let new = NewLog { id, sha256, name: file_name(&upload.name), settings, at };
    let stored = compared(&mut tx, &actor, (&plate, &log, &before), new).await?;
    store::log_add(&mut tx, &code, &stored, &sealed).await?;
    let whole: Vec<_> = before.into_iter().chain([stored.clone()]).collect();
    let late = late::late(&mut tx, &plate, &whole).await?;
    record(&mut tx, &actor, &code, (&stored, late.as_ref())).await?;
    let (detected_by, whole) = (log.detected_by, TransferAnswer { late, ..answer(&code, stored) });
    if upload.dry_run {
        let dry = TransferAnswer { id: None, read_at: None, detected_by, ..whole };
        return Ok((StatusCode::OK, Json(dry)));
    }
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(TransferAnswer { detected_by, ..whole })))
}

/// What was said with a log.
struct Asked {
    volume: Option<Volume>,
    tolerance: Option<u8>,
    labware: String,
    reagents: Vec<String>,
}

/// What was said with a log, if it can be gone by; else every reason why not.
fn asked(upload: &Upload) -> Result<Asked> {
    let mut reasons = Vec::new();
    let named = upload.volume.as_deref();
    let volume = named.map(|text| volume(text, "transfer.planned_volume")).transpose()?;
    if upload.tolerance.is_some_and(|percent| percent > 100) {
        let message = "a tolerance is 0 to 100 percent of the volume";
        reasons.push(Reason::new("transfer.tolerance", "tolerance", message));
    }
    let labels = upload.reagents.split(',').map(str::trim).filter(|label| !label.is_empty());
    let reagents: Vec<_> = labels.map(str::to_owned).collect();
    let texts = [&upload.name, &upload.labware].into_iter().chain(&reagents);
    if !texts.into_iter().all(|text| is_file_name(text)) || reagents.len() > REAGENTS_MAX {
        let message = format!(
            "a name has at most {FILE_NAME_MAX} visible characters, and at most {REAGENTS_MAX} are \
             reagents"
        );
        reasons.push(Reason::new("transfer.name", "name", message));
    }
    refuse_if_any(reasons)?;
    let (labware, tolerance) = (upload.labware.trim().to_owned(), upload.tolerance);
    Ok(Asked { volume, tolerance, labware, reagents })
}

/// How a log of this plate is read: volume and tolerance are the plan's, never those of whoever
/// brings the log, who might make its differences go away.
fn settings(asked: Asked, plate: &StoredPlate) -> Result<Settings> {
    let planned = plate.made.planned;
    let against = planned.against(asked.volume, asked.tolerance);
    if !against.is_empty() {
        return Err(Error::Conflict(against));
    }
    Ok(Settings { planned, labware: asked.labware, reagents: asked.reagents })
}

/// Hashes, reads and seals the log away from the threads that serve.
async fn parse(app: &App, bytes: Bytes) -> Result<(Vec<u8>, String, Log)> {
    let keys = Arc::clone(&app.keys);
    let work = move || {
        let log = super::read(&bytes);
        let (sha256, sealed) = keys.seal_file(store::log_place, &bytes);
        (sealed, sha256, log)
    };
    let (sealed, sha256, log) = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Internal(format!("reading a robot's log failed: {error}")))?;
    let log = log.map_err(|refusal| Error::invalid("transfer.log", "log", refusal.to_string()))?;
    Ok((sealed, sha256, log))
}

/// A plate with so many logs is not one that anybody can explain.
fn refuse_one_more(plate: &PlateCode, logs: usize) -> Result<()> {
    if logs < LOGS_MAX {
        return Ok(());
    }
    let message = format!(
        "plate {plate} has {logs} logs, and a plate has at most {LOGS_MAX}; have the newest \
         explained, or discard the plate"
    );
    Err(Error::conflict("transfer.too_many_logs", plate.as_str(), message))
}

/// The same file read with other labware would be another answer.
fn refuse_if_read_otherwise(stored: &StoredLog, settings: &Settings) -> Result<()> {
    let (then, now) = (&stored.settings, settings);
    let fields =
        [("labware", then.labware == now.labware), ("reagents", then.reagents == now.reagents)];
    let differing = fields.into_iter().filter(|(_, same)| !same).map(|(field, _)| {
        let message = format!(
            "this very file is log {} of the plate, read with another {field}; try a file with \
             `dry_run` first, and have a second person explain this one",
            stored.number
        );
        Reason::new("transfer.read_otherwise", field, message)
    });
    let reasons: Vec<_> = differing.collect();
    if reasons.is_empty() { Ok(()) } else { Err(Error::Conflict(reasons)) }
}

struct NewLog {
    id: String,
    sha256: String,
    name: String,
    settings: Settings,
    at: Time,
}

/// The log beside the plan and all logs before it.
async fn compared(
    tx: &mut Tx,
    actor: &Actor,
    (plate, log, before): (&StoredPlate, &Log, &[StoredLog]),
    new: NewLog,
) -> Result<StoredLog> {
    let number = before.last().map_or(1, |last| last.number + 1);
    let fills = receive::fills(tx, plate, (log, before), &new.settings).await?;
    let mut stored = StoredLog {
        id: new.id,
        number,
        sha256: new.sha256,
        name: new.name,
        format: log.format.as_str().to_owned(),
        settings: new.settings,
        fills,
        errors: log.errors.clone(),
        differences: Vec::new(),
        read_by: actor.account.clone(),
        read: new.at,
        accepted: None,
    };
    let (mut fills, mut errors) = (Vec::new(), Vec::new());
    for log in before.iter().chain([&stored]) {
        fills.extend(log.fills.iter().cloned());
        errors.extend(log.errors.iter().map(|line| (log.number, *line)));
    }
    let planned = stored.settings.planned;
    stored.differences = super::compare(&plate.made.layout, planned, &fills, &errors);
    if stored.differences.len() > DIFFERENCES_MAX {
        let message = format!(
            "the logs differ from the plan in {} places, more than {DIFFERENCES_MAX}; send the log \
             of this plate alone, or discard the plate",
            stored.differences.len()
        );
        return Err(Error::invalid("transfer.too_many_differences", "log", message));
    }
    Ok(stored)
}

async fn record(
    tx: &mut Tx,
    actor: &Actor,
    plate: &PlateCode,
    (log, late): (&StoredLog, Option<&Late>),
) -> Result<()> {
    let doubtful = late.map_or(0, |late| late.results.len());
    let detail = json!({ "log": log.id, "sha256": log.sha256, "format": log.format,
        "transfers": log.fills.len(), "differences": log.differences.len(),
        "reagents": log.settings.reagents.len(), "doubtful_results": doubtful });
    let (at, about) = (log.read, plate.as_str());
    audit::record(tx, Entry { at, actor, action: "plate.transfers", about, detail }).await
}

/// The logs of a plate, and what keeps it from a run.
#[utoipa::path(get, path = "/v1/plates/{code}/transfers", tag = "plate",
    security(("bearer" = [])), params(("code" = String, Path, description = "plate")),
    responses((status = 200, body = TransfersAnswer), (status = 404, body = Problem)))]
pub async fn transfers_get(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
) -> Result<Json<TransfersAnswer>> {
    let mut tx = app.db.read("plate.transfers").await?;
    let plate = seen(&mut tx, &actor, &code).await?;
    let logs = store::logs(&mut tx, plate.code.as_str()).await?;
    let open = store::open(&logs).iter().map(ToString::to_string).collect();
    let late = late::late(&mut tx, &plate, &logs).await?;
    let logs = logs.into_iter().map(|log| answer(&plate.code, log)).collect();
    Ok(Json(TransfersAnswer { logs, open, late }))
}

/// A plate of the actor's own laboratory.
async fn seen(tx: &mut Tx, actor: &Actor, code: &str) -> Result<StoredPlate> {
    let code = codes::plate_code(tx, code).await?;
    let plate = plate_store::plate_get(tx, &code).await?;
    actor.in_laboratory(&plate.made.laboratory)?;
    Ok(plate)
}

/// A log, byte for byte.
#[utoipa::path(get, path = "/v1/plates/{code}/transfers/{id}/file", tag = "plate",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "plate"),
        ("id" = String, Path, description = "log")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = Problem)))]
pub async fn transfer_file_get(
    State(app): State<App>,
    actor: Actor,
    Path((code, log)): Path<(String, String)>,
) -> Result<Response> {
    let mut tx = app.db.read("plate.transfer_file").await?;
    let plate = seen(&mut tx, &actor, &code).await?;
    let (sha256, sealed) = store::log_content(&mut tx, &plate.code, &log).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let content = app.keys.open(store::log_place(&sha256), &sealed).map_err(|unsealable| {
        let (table, reason) = ("transfer_log", unsealable.to_string());
        StoreError::Inconsistent { table, id: log, reason }
    })?;
    Ok((headers, content).into_response())
}
