//! The XML beside the results of an old `.eds`: plate, experiment and thermal protocol.

use std::collections::{BTreeMap, HashSet};

use super::Refusal;
use super::block::Block;
use super::table::MAX_ROWS;
use super::xml::{Step, walk};
use crate::clock::Time;

/// What was planned for the wells.
#[derive(Debug, Default)]
pub(super) struct Setup {
    /// The block the plate fits.
    pub block: Option<Block>,
    /// Barcode of the plate.
    pub barcode: Option<String>,
    /// Dye and role by place counted from 0 and target.
    pub planned: BTreeMap<(u16, String), Planned>,
    /// Places the operator took out.
    pub omitted: HashSet<u16>,
}

/// One target of one well.
#[derive(Debug, Clone, Default)]
pub(super) struct Planned {
    /// Reporter dye.
    pub dye: String,
    /// Role: `UNKNOWN`, `NTC`, `STANDARD`.
    pub task: String,
}

impl Setup {
    /// Reads `plate_setup.xml`.
    pub fn read(xml: &[u8]) -> Result<Self, Refusal> {
        const DETECTOR: &str =
            "Plate/FeatureMap/FeatureValue/FeatureItem/DetectorTaskList/DetectorTask";
        let mut setup = Self::default();
        let (mut rows, mut columns) = (None, None);
        let (mut index, mut name, mut planned) = (None, String::new(), Planned::default());
        walk(xml, |step| {
            let Step::Close { path, text } = step else { return Ok(()) };
            match path {
                "Plate/Rows" => rows = text.parse().ok(),
                "Plate/Columns" => columns = text.parse().ok(),
                "Plate/BarCode" if !text.is_empty() => setup.barcode = Some(text.to_owned()),
                "Plate/FeatureMap/FeatureValue/Index" | "Plate/Wells/Well/Index" => {
                    index = text.parse().ok().filter(|index| *index < 384);
                }
                "Plate/Wells/Well/IsOmit" if text.eq_ignore_ascii_case("true") => {
                    setup.omitted.extend(index);
                }
                DETECTOR => {
                    let key = index.map(|index| (index, std::mem::take(&mut name)));
                    setup.planned.extend(key.map(|key| (key, std::mem::take(&mut planned))));
                    if setup.planned.len() > MAX_ROWS {
                        return Err(Refusal::TooManyRows);
                    }
                }
                _ => match path.strip_prefix(DETECTOR) {
                    Some("/Task") => text.clone_into(&mut planned.task),
                    Some("/Detector/Name") => text.clone_into(&mut name),
                    Some("/Detector/Reporter") => text.clone_into(&mut planned.dye),
                    _ => {}
                },
            }
            Ok(())
        })?;
        if let (Some(rows), Some(columns)) = (rows, columns) {
            let block = Block::new(rows, columns).ok_or(Refusal::NotAPlate { rows, columns })?;
            setup.block = Some(block);
        }
        Ok(setup)
    }
}

/// What the experiment says of its instrument. Its operator's name is passed over.
#[derive(Debug, Default)]
pub(super) struct Experiment {
    /// Instrument type, such as `sds7500`.
    pub instrument: Option<String>,
    /// Serial number of the instrument.
    pub serial: Option<String>,
    /// End of the run.
    pub ended: Option<String>,
}

impl Experiment {
    /// Reads `experiment.xml`.
    pub fn read(xml: &[u8]) -> Result<Self, Refusal> {
        const PROPERTY: &str = "Experiment/ExperimentProperty/PropertyValue";
        let mut experiment = Self::default();
        let mut key = None;
        walk(xml, |step| {
            match step {
                Step::Open { path, tag } if path == PROPERTY => key = tag.attribute("key")?,
                Step::Close { text: "", .. } | Step::Open { .. } => {}
                Step::Close { path, text } => match path {
                    "Experiment/InstrumentTypeId" => experiment.instrument = Some(text.to_owned()),
                    "Experiment/RunEndTime" => experiment.ended = moment(text),
                    _ if path.starts_with(PROPERTY)
                        && key.as_deref() == Some("instrumentSerialNumber") =>
                    {
                        experiment.serial = Some(text.to_owned());
                    }
                    _ => {}
                },
            }
            Ok(())
        })?;
        Ok(experiment)
    }
}

/// Milliseconds since 1970 as a moment in UTC; 0 is how a run that never ended is written.
pub(super) fn moment(milliseconds: &str) -> Option<String> {
    const MILLENNIUM: i64 = 32_503_680_000_000;
    let ms: i64 = milliseconds.parse().ok().filter(|ms| (1..MILLENNIUM).contains(ms))?;
    Some(Time::from_us(ms * 1_000).to_string())
}

/// The cycles of the stage that is measured, from `tcprotocol.xml`.
pub(super) fn planned_cycles(xml: &[u8]) -> Result<Option<u16>, Refusal> {
    let mut cycles = None;
    let (mut is_cycling, mut repeats, mut is_measured) = (false, None, false);
    walk(xml, |step| {
        match step {
            Step::Open { path: "TCProtocol/TCStage", .. } => {
                (is_cycling, repeats, is_measured) = (false, None, false);
            }
            Step::Close { path, text } => match path {
                "TCProtocol/TCStage/StageFlag" => is_cycling = text == "CYCLING",
                "TCProtocol/TCStage/NumOfRepetitions" => repeats = text.parse().ok(),
                "TCProtocol/TCStage/TCStep/CollectionFlag" => is_measured |= text == "1",
                "TCProtocol/TCStage" if is_cycling && is_measured => cycles = cycles.max(repeats),
                _ => {}
            },
            Step::Open { .. } => {}
        }
        Ok(())
    })?;
    Ok(cycles)
}
