//! What is answered of a run: of a new one as it was written, of an older one out of the store.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::lot::store::holds;
use super::preview::Preview;
use super::replace::{self, Replacement};
use super::store::{RunHead, calls_find};
use super::{Call, Interpretation, Verdict};
use crate::app::App;
use crate::clock::Time;
use crate::error::{Reason, Result};
use crate::instrument::curve_store::curves_count;
use crate::instrument::store::{self as runs, NewRun};
use crate::plate::robot::store as robot;
use crate::storage::Tx;

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

/// What is answered of a run that was written a moment ago, but for what holds it and what it is in
/// the place of.
pub(super) fn of_new(run: &NewRun<'_>, read: Interpretation) -> RunAnswer {
    let file = run.file;
    let [instrument, serial, run_ended] = file.origin().map(str::to_owned);
    let Interpretation { verdict, calls } = read;
    RunAnswer {
        id: Some(run.id.to_owned()),
        plate: run.plate.to_owned(),
        sha256: run.sha256.to_owned(),
        parts: run.parts.iter().map(|part| part.sha256.clone()).collect(),
        format: file.format.as_str().to_owned(),
        detected_by: file.detected_by.clone(),
        instrument,
        serial,
        run_ended,
        kit: run.kit.0.to_owned(),
        kit_version: run.kit.1.to_owned(),
        verdict,
        holds: Vec::new(),
        calls,
        curves: file.curves.len() as u64,
        warnings: file.warnings.clone(),
        state: "draft".to_owned(),
        replaces: None,
        replaced_by: None,
        imported_at: Some(run.at),
        preview: None,
    }
}

/// What is answered of a run out of the store.
pub(super) async fn of_kept(app: &App, tx: &mut Tx, head: RunHead) -> Result<RunAnswer> {
    let RunHead { run: row, verdict, warnings } = head;
    let calls = calls_find(tx, &row.id).await?;
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
