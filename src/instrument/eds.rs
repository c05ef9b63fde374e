//! Old `.eds` of the 7500, `StepOne` and `QuantStudio` 3: a zip with `apldbio/sds/` in it, and its
//! `analysis_result.txt` alone (`formats.md` section 3).

use super::archive::Archive;
use super::block::{Block, needed_size};
use super::eds_result::{Result as One, results};
use super::eds_setup::{Experiment, Setup, planned_cycles};
use super::results::named;
use super::text::Text;
use super::undetermined::{Cycles, Habit};
use super::{Curve, Format, Reading, Refusal, RunFile};
use crate::error::Reason;
use crate::plate::{PlateSize, WellPosition};

/// The folder of everything that matters.
pub(super) const FOLDER: &str = "apldbio/sds/";

/// Reads a zipped experiment.
pub(super) fn zipped(
    archive: &mut Archive<'_>,
    detected_by: Vec<Reason>,
) -> Result<RunFile, Refusal> {
    let mut member = |name: &str| archive.content(&format!("{FOLDER}{name}"));
    let analysed = member("analysis_result.txt")?.ok_or(Refusal::NoResults {
        missing: "the .eds holds no analysis, for the run was saved before it was analysed",
    })?;
    let setup = member("plate_setup.xml")?.map(|xml| Setup::read(&xml)).transpose()?;
    let experiment = member("experiment.xml")?.map(|xml| Experiment::read(&xml)).transpose()?;
    let planned = member("tcprotocol.xml")?.map(|xml| planned_cycles(&xml)).transpose()?;
    let text = Text::decode(&analysed);
    let warnings = text.warning.clone().into_iter().collect();
    let mut run = joined(results(&text)?, setup.unwrap_or_default(), planned.flatten(), warnings)?;
    let experiment = experiment.unwrap_or_default();
    run.format = Format::SdsEds;
    run.detected_by = detected_by;
    run.instrument = experiment.instrument;
    run.serial = experiment.serial;
    run.run_ended = experiment.ended;
    Ok(run)
}

/// Reads the inner result file alone.
pub(super) fn text(text: &Text, detected_by: Vec<Reason>) -> Result<RunFile, Refusal> {
    let warnings = text.warning.clone().into_iter().collect();
    let mut run = joined(results(text)?, Setup::default(), None, warnings)?;
    run.detected_by = detected_by;
    Ok(run)
}

/// Puts results and the setup of their wells together.
fn joined(
    results: Vec<One>,
    setup: Setup,
    planned: Option<u16>,
    mut warnings: Vec<Reason>,
) -> Result<RunFile, Refusal> {
    let last = results.iter().map(|one| one.index).max().unwrap_or_default();
    let block = setup.block.unwrap_or_else(|| Block::that_has(last));
    let (mut readings, mut curves) = (Vec::new(), Vec::new());
    let mut silent = setup.planned.clone();
    for one in results {
        let well = block.well(one.index).ok_or_else(|| {
            Refusal::bad_place(
                format_args!("row {}", one.row),
                &one.index.to_string(),
                "is not a well of the plate that the experiment states",
            )
        })?;
        let key = (one.index, one.target.clone());
        let planned = setup.planned.get(&key);
        silent.remove(&key);
        let dye = planned.map(|planned| planned.dye.clone()).unwrap_or_default();
        if !one.points.is_empty() {
            let (target, dye) = (one.target.clone(), dye.clone());
            curves.push(Curve { well, target, dye, points: one.points });
        }
        readings.push(Reading {
            well,
            sample: one.sample,
            target: one.target,
            dye,
            // The result says `Target` of every well; the setup knows controls.
            task: planned.map_or(one.task, |planned| planned.task.clone()),
            ct: one.ct,
            raw_ct: one.raw_ct,
            amp_status: None,
            instrument_call: None,
            omitted: setup.omitted.contains(&one.index),
        });
    }
    warnings.extend(Cycles::of(&curves, planned).settle(Habit::CycleCount, &mut readings)?);
    let silent = silent.keys().filter_map(|(index, _)| block.well(*index));
    warnings.extend(named(silent).map(|wells| {
        let message = format!("a target but no result in {wells}");
        Reason::new("file.no_result", wells, message)
    }));
    Ok(RunFile {
        format: Format::SdsResultText,
        detected_by: Vec::new(),
        plate_size: Some(plate_size(&setup, block, &readings, &mut warnings)),
        instrument: None,
        serial: None,
        run_ended: None,
        plate_barcode: setup.barcode,
        readings,
        curves,
        warnings,
    })
}

fn plate_size(
    setup: &Setup,
    block: Block,
    readings: &[Reading],
    warnings: &mut Vec<Reason>,
) -> PlateSize {
    let wells = block.wells();
    let size = block.size();
    if setup.block.is_none() && size == Some(PlateSize::P96) {
        let message = format!(
            "the file does not state its plate; wells were counted on one of {wells}, and on a \
             larger one they would lie elsewhere"
        );
        warnings.push(Reason::new("file.plate_size", "block", message));
    } else if size.is_none() {
        let message = format!("the block has {wells} wells; they were taken by their position");
        warnings.push(Reason::new("file.block", "block", message));
    }
    let positions = || -> Vec<WellPosition> { readings.iter().map(|one| one.well).collect() };
    size.unwrap_or_else(|| needed_size(positions()))
}

#[cfg(test)]
#[path = "eds_tests.rs"]
mod tests;
