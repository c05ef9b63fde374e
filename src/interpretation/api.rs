//! The run file comes in: kept, read, matched to the layout, called, judged.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::lot::store::holds;
use super::preview::{ControlRead, Preview};
use super::replace::{self, ReplaceReason, Replacement};
use super::store::{RunHead, calls_add, calls_find, recalled, run_find, tube_facts};
use super::upload::{self, Coming, SealedFile, Taken};
use super::{
    Call, Interpretation, Kit, Verdict, VerdictCode, VerdictReason, interpret_wells, names,
    of_instrument, points, swapped,
};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::Actor;
use crate::barcode::{PlateCode, store as codes};
use crate::clock::Time;
use crate::error::{Error, Reason, Result};
use crate::http::extract::{Files, Json, Path, Query};
use crate::http::problem::Problem;
use crate::instrument::RunFile;
use crate::instrument::curve_store::curves_count;
use crate::instrument::store::{self as runs, NewRun, Part};
use crate::plate::api as plates;
use crate::plate::robot::store as robot;
use crate::plate::store::StoredPlate;
use crate::quality::{self, Facts, Judged, Subjects};
use crate::storage::Tx;

/// How a file comes in.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// The file's name, kept beside it where it is made of codes and known words; the format is
    /// told by content.
    #[serde(default)]
    name: String,
    /// Answer as if it had come in, and keep nothing.
    #[serde(default)]
    dry_run: bool,
    /// The mapping to read it by, where several fit or another is wanted.
    #[serde(default)]
    mapping: Option<String>,
    /// The instrument's serial or inventory number, as `CFX-3`, where the file does not hold one:
    /// each instrument has its own charts. Other laboratories may call theirs the same. At most 40
    /// letters, figures and `-_./`, with one to ten figures among them, so that it is nobody's name.
    #[serde(default)]
    instrument: Option<String>,
    /// The run of the plate that this one is in the place of, being another analysis of the same
    /// amplification: that is kept as void, and the tubes stay on the plate. Only while nobody was
    /// told a result of it.
    #[serde(default)]
    replaces: Option<String>,
    /// Why that run is replaced.
    #[serde(default)]
    #[param(inline)]
    reason: Option<ReplaceReason>,
}

/// A run of several files, one for each filter or channel.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; the extractor reads it")]
struct RunForm {
    /// The files, each with its name.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<Vec<u8>>,
}

/// A run, its verdict and its calls.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RunAnswer {
    /// The run; none after a dry run.
    pub id: Option<String>,
    /// Its plate.
    pub plate: String,
    /// SHA-256 of the file; of several files, and of one that came again, of a list of theirs.
    pub sha256: String,
    /// SHA-256 of each file, in the order they were sent.
    #[serde(default)]
    pub parts: Vec<String>,
    /// Format of the file.
    pub format: String,
    /// What in the content gave the format away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detected_by: Vec<Reason>,
    /// Instrument type.
    pub instrument: String,
    /// Instrument serial number.
    pub serial: String,
    /// End of the run as the file writes it.
    pub run_ended: String,
    /// The kit.
    pub kit: String,
    /// The kit's version, pinned to this run.
    pub kit_version: String,
    /// May the plate be used, and every reason why not.
    #[schema(value_type = Object)]
    pub verdict: Verdict,
    /// What keeps it from being accepted and released, beside the verdict: its lot, its kit, and
    /// what robots did otherwise than planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Reason>,
    /// One call for each tube.
    #[schema(value_type = Vec<Object>)]
    pub calls: Vec<Call>,
    /// How many amplification curves were read from the file; calls are never made from them.
    #[serde(default)]
    pub curves: u64,
    /// What a person should know of the file: also what is wrong with its curves.
    pub warnings: Vec<Reason>,
    /// `draft`, `reviewed`, `released` or `void`.
    pub state: String,
    /// The run it is in the place of, with who brought it and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replacement>,
    /// The run that counts in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<Replacement>,
    /// When the file came in.
    pub imported_at: Option<Time>,
    /// What it shows before it is kept; after a dry run alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
}

/// Takes a run in: one file as it is, or the files of all filters as a form. The same content for
/// the same plate is the same run (R15).
#[utoipa::path(post, path = "/v1/plates/{code}/runs", tag = "instrument",
    security(("bearer" = [])),
    params(("code" = String, Path, description = "plate"), Upload),
    request_body(content((Vec<u8> = "application/octet-stream"), (RunForm = "multipart/form-data"))),
    responses((status = 200, body = RunAnswer), (status = 201, body = RunAnswer),
        (status = 409, body = Problem), (status = 413, body = Problem),
        (status = 422, body = Problem)))]
pub async fn run_post(
    State(app): State<App>,
    actor: Actor,
    Path(code): Path<String>,
    Query(upload): Query<Upload>,
    Files(files): Files,
) -> Result<(StatusCode, Json<RunAnswer>)> {
    let replaces = replace::wanted(upload.replaces.clone(), upload.reason)?;
    let Taken { mut files, run: mut file } =
        upload::take(&app, files, (&upload.name, upload.mapping.as_deref())).await?;
    let stated = upload.instrument.as_deref();
    let serial_from = of_instrument::name(&mut file, stated)?;
    file.warnings.extend(of_instrument::nameless(&file));
    let mut tx = app.db.write("run.import").await?;
    let code = codes::plate_code(&mut tx, &code).await?;
    file.warnings.extend(foreign_barcode(&file, &code));
    let plate = plates::frozen(&mut tx, &actor, &code).await?;
    file.leave_out_curves_off(plate.made.layout.size());
    let old = replaces.as_ref().map(|(run, _)| run.as_str());
    let parts = match upload::coming(&mut tx, &plate, &files, old).await? {
        Coming::New(parts) => parts,
        Coming::Same(run) => {
            let head = run_find(&mut tx, &run).await?;
            let calls = calls_find(&mut tx, &run).await?;
            let answer = answer(&app, &mut tx, head, calls).await?;
            return Ok((StatusCode::OK, Json(of_instrument::same(answer, stated, &file)?)));
        }
    };
    robot::refuse_open(&mut tx, plate.code.as_str()).await?;
    let kit = app.kit(&mut tx, &plate.made.kit.0, &plate.made.kit.1).await?;
    let (mut interpretation, controls) = call(&app, &mut tx, (&kit, &plate), &file).await?;
    upload::number_foreign_names(&kit, &mut file);
    let at = app.clock.now();
    let id = app.clock.id().to_string();
    files.extend(upload::list(&app, &parts));
    let new = Incoming { id: &id, parts: &parts, files: &files, serial_from, at };
    if let Some(wanted) = replaces {
        replaced(&mut tx, &actor, wanted, (&new, &mut interpretation)).await?;
    }
    let (facts, judged) =
        chart(&mut tx, &actor, (&plate, &file), (&kit, &controls, &mut interpretation), &new)
            .await?;
    keep(&mut tx, &actor, (&plate, &file, &interpretation), &new).await?;
    quality::keep(&mut tx, &app.clock, &actor, (&facts, &judged)).await?;
    let head = run_find(&mut tx, &id).await?;
    let mut answer = answer(&app, &mut tx, head, interpretation.calls).await?;
    answer.detected_by.clone_from(&file.detected_by);
    if upload.dry_run {
        let preview = Some(Preview::of(controls, &file));
        let dry = RunAnswer { id: None, imported_at: None, preview, ..answer };
        return Ok((StatusCode::OK, Json(dry)));
    }
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn call(
    app: &App,
    tx: &mut Tx,
    (kit, plate): (&Kit, &StoredPlate),
    file: &RunFile,
) -> Result<(Interpretation, Vec<ControlRead>)> {
    let layout = &plate.made.layout;
    let mut reasons = Vec::new();
    if let Some(barcode) = file.plate_barcode.as_deref().filter(|code| is_other(plate, code)) {
        reasons.push(Reason::new(
            "run.other_plate",
            barcode,
            format!("the file says it is of plate {barcode}, not {}", plate.code),
        ));
    }
    let mut wanted = names(&file.readings);
    wanted.extend(layout.tubes().into_keys().map(str::to_owned));
    let facts = tube_facts(tx, wanted).await?;
    let interpreted = interpret_wells(kit, layout, &file.readings, &facts);
    if !interpreted.as_ref().is_ok_and(|(read, _)| read.verdict.usable) {
        let read = (file.readings.as_slice(), &facts);
        let fitting = swapped::fitting(tx, kit, plate, read, app.clock.now()).await?;
        reasons.extend(swapped::reasons(&plate.code, &fitting));
    }
    match interpreted {
        Ok((read, wells)) if reasons.is_empty() => Ok((read, ControlRead::of(kit, &wells))),
        Ok((Interpretation { verdict, .. }, _)) => {
            reasons.extend(verdict.as_reasons(plate.code.as_str()));
            Err(Error::Invalid(reasons))
        }
        Err(refusals) => {
            reasons.extend(refusals.iter().map(|refusal| Reason::tagged("run", refusal)));
            Err(Error::Invalid(reasons))
        }
    }
}

/// Whether the barcode an instrument read is a plate code of ours, and not this plate's.
fn is_other(plate: &StoredPlate, barcode: &str) -> bool {
    PlateCode::parse(barcode).is_ok_and(|code| code != plate.code)
}

/// A warning when the instrument read a barcode that is no plate code of ours. It is not repeated:
/// nobody knows what was under the scanner (R35).
fn foreign_barcode(file: &RunFile, plate: &PlateCode) -> Option<Reason> {
    let barcode = file.plate_barcode.as_deref().filter(|code| !code.trim().is_empty())?;
    PlateCode::parse(barcode).is_err().then(|| {
        let message = format!(
            "the plate barcode in the file is no plate code of ours; make sure that plate {plate} \
             was run"
        );
        Reason::new("run.foreign_barcode", plate.as_str(), message)
    })
}

/// What the run leaves on the charts. A control that breaks Westgard's rules there is a flag: the
/// run needs two people, whatever the rule would release.
async fn chart(
    tx: &mut Tx,
    actor: &Actor,
    (plate, file): (&StoredPlate, &RunFile),
    (kit, controls, read): (&Kit, &[ControlRead], &mut Interpretation),
    new: &Incoming<'_>,
) -> Result<(Facts, Judged)> {
    let subjects = Subjects {
        laboratory: plate.made.laboratory.clone(),
        instrument: file
            .serial_code()
            .or_else(|| file.model())
            .unwrap_or_else(|| file.format.as_str())
            .to_owned(),
        lot: plate.made.lot.clone(),
        operator: actor.account.clone(),
    };
    let recalled = recalled(tx, read.calls.iter().map(|call| &call.tube)).await?;
    let facts = points::facts((new.id, new.at), subjects, kit, controls, (read, &recalled));
    let judged = quality::judge(tx, &facts).await?;
    let flags = judged.rejections.iter().map(|rejection| VerdictReason {
        code: VerdictCode::ControlRejected,
        well: None,
        figures: rejection.figures.clone(),
        message: rejection.message.clone(),
    });
    read.verdict.flags.extend(flags);
    Ok((facts, judged))
}

struct Incoming<'a> {
    id: &'a str,
    parts: &'a [Part],
    files: &'a [SealedFile],
    serial_from: Option<of_instrument::SerialFrom>,
    at: Time,
}

/// Puts the new run in the place of the old one, which is void from then on, and flags it with what
/// it says otherwise.
async fn replaced(
    tx: &mut Tx,
    actor: &Actor,
    (replaces, reason): (String, ReplaceReason),
    (new, read): (&Incoming<'_>, &mut Interpretation),
) -> Result<()> {
    let (run, by) = (new.id.to_owned(), actor.account.clone());
    let replacement = Replacement { run, replaces, reason, by, at: new.at };
    let before = calls_find(tx, &replacement.replaces).await?;
    read.verdict.flags.push(replace::flag(&replacement, &before, &read.calls));
    replace::replace(tx, &replacement).await?;
    let detail = json!({ "run": new.id, "reason": reason });
    let about = &replacement.replaces;
    audit::record(tx, Entry { at: new.at, actor, action: "run.replace", about, detail }).await
}

async fn keep(
    tx: &mut Tx,
    actor: &Actor,
    (plate, file, interpretation): (&StoredPlate, &RunFile, &Interpretation),
    new: &Incoming<'_>,
) -> Result<()> {
    let Interpretation { verdict, calls } = interpretation;
    for file in new.files {
        runs::file_keep(tx, (&file.sha256, &file.name), &file.sealed, new.at).await?;
    }
    let sha256 = runs::identity(new.parts);
    let written = serde_json::to_string(verdict)
        .map_err(|error| Error::Internal(format!("a verdict cannot be written: {error}")))?;
    let run = NewRun {
        id: new.id,
        plate: plate.code.as_str(),
        sha256: &sha256,
        parts: new.parts,
        file,
        kit: (&plate.made.kit.0, &plate.made.kit.1),
        usable: verdict.usable,
        verdict: &written,
        imported_by: &actor.account,
        at: new.at,
    };
    if !runs::run_add(tx, &run, plate.made.layout.size()).await? {
        return Err(Error::conflict(
            "run.plate_has_run",
            plate.code.as_str(),
            format!("plate {} was given a run a moment ago; look at it first", plate.code),
        ));
    }
    calls_add(tx, new.id, calls, verdict).await?;
    let parts: Vec<&str> = new.parts.iter().map(|part| part.sha256.as_str()).collect();
    let detail = json!({ "run": new.id, "sha256": sha256, "parts": parts,
        "usable": verdict.usable, "calls": calls.len(), "serial_from": new.serial_from });
    let about = plate.code.as_str();
    let entry = Entry { at: new.at, actor, action: "run.import", about, detail };
    audit::record(tx, entry).await
}

/// A run with its verdict and calls.
#[utoipa::path(get, path = "/v1/runs/{id}", tag = "instrument", security(("bearer" = [])),
    params(("id" = String, Path, description = "run")),
    responses((status = 200, body = RunAnswer), (status = 404, body = Problem)))]
pub async fn run_get(
    State(app): State<App>,
    actor: Actor,
    Path(run): Path<String>,
) -> Result<Json<RunAnswer>> {
    let mut tx = app.db.read("run.get").await?;
    let head = run_find(&mut tx, &run).await?;
    actor.in_laboratory(&head.run.laboratory_code)?;
    let calls = calls_find(&mut tx, &run).await?;
    Ok(Json(answer(&app, &mut tx, head, calls).await?))
}

async fn answer(app: &App, tx: &mut Tx, head: RunHead, calls: Vec<Call>) -> Result<RunAnswer> {
    let RunHead { run: row, verdict, warnings } = head;
    let mut holds = holds(tx, &row.id, app.config.lot_keeping).await?;
    if matches!(row.state.as_str(), "draft" | "reviewed") {
        let plate = row.plate_code.as_str();
        holds.extend(robot::holds(tx, &[plate]).await?.remove(plate).unwrap_or_default());
    }
    let parts = runs::parts(tx, &row.id).await?.into_iter().map(|part| part.sha256).collect();
    let (replaces, replaced_by) = replace::replacements(tx, &row.id).await?;
    let curves = curves_count(tx, &row.id).await?;
    Ok(RunAnswer {
        id: Some(row.id),
        plate: row.plate_code,
        sha256: row.sha256,
        parts,
        format: row.format,
        detected_by: Vec::new(),
        instrument: row.instrument,
        serial: row.serial,
        run_ended: row.run_ended,
        kit: row.kit_code,
        kit_version: row.kit_version,
        verdict,
        holds,
        calls,
        curves,
        warnings,
        state: row.state,
        replaces,
        replaced_by,
        imported_at: Some(row.imported),
        preview: None,
    })
}
