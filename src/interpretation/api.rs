//! The run file comes in: kept, read, matched to the layout, called, judged.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::answer::{self, RunAnswer};
use super::lot::store::holds;
use super::preview::{ControlRead, Preview};
use super::replace::{self, ReplaceReason, Replacement};
use super::store::{CallRows, calls_add, calls_find, run_find, tube_facts};
use super::upload::{self, Coming, SealedFile, Taken};
use super::{
    Interpretation, Kit, VerdictCode, VerdictReason, interpret_wells, names, of_instrument, points,
    swapped,
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
use crate::instrument::curve_store::curves_add;
use crate::instrument::store::{self as runs, NewRun, Part, ReadingList};
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
) -> Result<(StatusCode, Response)> {
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
            let answer = answer::of_kept(&app, &mut tx, head).await?;
            let same = Json(of_instrument::same(answer, stated, &file)?);
            return Ok((StatusCode::OK, same.into_response()));
        }
    };
    robot::refuse_open_of(&mut tx, &plate).await?;
    let kit = app.kit(&mut tx, &plate.made.kit.0, &plate.made.kit.1).await?;
    let (mut interpretation, read) = call(&app, &mut tx, (&kit, &plate), &file).await?;
    upload::number_foreign_names(&kit, &mut file);
    upload::refuse_nul(&file)?;
    let at = app.clock.now();
    let id = app.clock.id().to_string();
    files.extend(upload::list(&app, &parts));
    let new = Incoming { id: &id, parts: &parts, files: &files, serial_from, at };
    let replaces = match replaces {
        Some(wanted) => Some(replaced(&mut tx, &actor, wanted, (&new, &mut interpretation)).await?),
        None => None,
    };
    let (facts, judged) =
        chart(&mut tx, &actor, (&plate, &file), (&kit, &read, &mut interpretation), &new).await?;
    let kept = keep(&mut tx, &actor, (&plate, &file, interpretation), &new).await?;
    quality::keep(&mut tx, &app.clock, &actor, (&facts, &judged)).await?;
    // What robots did otherwise was refused above, while the plate is locked.
    let holds = holds(&mut tx, &id, app.config.lot_keeping).await?;
    let answer = RunAnswer { holds, replaces, ..kept };
    if upload.dry_run {
        let preview = Some(Preview::of(read.controls, &file));
        let dry = RunAnswer { id: None, imported_at: None, preview, ..answer };
        return Ok((StatusCode::OK, Json(dry).into_response()));
    }
    let written_out = async { Json(answer).into_response() };
    let (committed, answer) = tokio::join!(biased; tx.commit(), written_out);
    committed?;
    Ok((StatusCode::CREATED, answer))
}

/// What was read and is not kept with the calls.
struct Read {
    controls: Vec<ControlRead>,
    /// The tubes that answer a recall.
    recalled: BTreeSet<String>,
}

async fn call(
    app: &App,
    tx: &mut Tx,
    (kit, plate): (&Kit, &StoredPlate),
    file: &RunFile,
) -> Result<(Interpretation, Read)> {
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
    let (facts, recalled) = tube_facts(tx, wanted).await?;
    let interpreted = interpret_wells(kit, layout, &file.readings, &facts);
    if !interpreted.as_ref().is_ok_and(|(read, _)| read.verdict.usable) {
        let read = (file.readings.as_slice(), &facts);
        let fitting = swapped::fitting(tx, kit, plate, read, app.clock.now()).await?;
        reasons.extend(swapped::reasons(&plate.code, &fitting));
    }
    match interpreted {
        Ok((read, wells)) if reasons.is_empty() => {
            Ok((read, Read { controls: ControlRead::of(kit, &wells), recalled }))
        }
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
    (kit, also, read): (&Kit, &Read, &mut Interpretation),
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
    let told = (&*read, &also.recalled);
    let facts = points::facts((new.id, new.at), subjects, kit, &also.controls, told);
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
) -> Result<Replacement> {
    let (run, by) = (new.id.to_owned(), actor.account.clone());
    let replacement = Replacement { run, replaces, reason, by, at: new.at };
    let before = calls_find(tx, &replacement.replaces).await?;
    read.verdict.flags.push(replace::flag(&replacement, &before, &read.calls));
    replace::replace(tx, &replacement).await?;
    let detail = json!({ "run": new.id, "reason": reason });
    let about = &replacement.replaces;
    audit::record(tx, Entry { at: new.at, actor, action: "run.replace", about, detail }).await?;
    Ok(replacement)
}

/// Writes the run, and gives what is answered of it.
async fn keep(
    tx: &mut Tx,
    actor: &Actor,
    (plate, file, interpretation): (&StoredPlate, &RunFile, Interpretation),
    new: &Incoming<'_>,
) -> Result<RunAnswer> {
    let Interpretation { verdict, calls } = &interpretation;
    let (size, readings) = (plate.made.layout.size(), &file.readings);
    // What comes next is written out here while the engine writes what went before.
    let (files, readings) =
        tokio::join!(biased; files_keep(tx, new), async { ReadingList::of(readings, size) });
    files?;
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
    if !runs::run_add(tx, &run).await? {
        return Err(Error::conflict(
            "run.plate_has_run",
            plate.code.as_str(),
            format!("plate {} was given a run a moment ago; look at it first", plate.code),
        ));
    }
    let (added, rows) = tokio::join!(biased;
        runs::readings_add(tx, new.id, &readings), async { CallRows::of(calls, verdict) });
    added?;
    calls_add(tx, new.id, &rows).await?;
    curves_add(tx, new.id, &file.curves, size).await?;
    let parts: Vec<&str> = new.parts.iter().map(|part| part.sha256.as_str()).collect();
    let detail = json!({ "run": new.id, "sha256": sha256, "parts": parts,
        "usable": verdict.usable, "calls": calls.len(), "serial_from": new.serial_from });
    let about = plate.code.as_str();
    let entry = Entry { at: new.at, actor, action: "run.import", about, detail };
    audit::record(tx, entry).await?;
    Ok(answer::of_new(&run, interpretation))
}

async fn files_keep(tx: &mut Tx, new: &Incoming<'_>) -> Result<()> {
    for file in new.files {
        runs::file_keep(tx, (&file.sha256, &file.name), &file.sealed, new.at).await?;
    }
    Ok(())
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
    Ok(Json(answer::of_kept(&app, &mut tx, head).await?))
}
