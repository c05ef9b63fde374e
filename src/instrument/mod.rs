//! The run file: kept byte for byte, detected by content, parsed to readings.

mod ct;

use serde::{Deserialize, Serialize};

pub use ct::Ct;

use crate::plate::{PlateSize, WellPosition};

/// Everything read from one run file, before anybody interprets it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFile {
    /// Which format it was, and why we think so.
    pub format: Format,
    /// What in the content gave the format away, in sentences.
    pub detected_by: Vec<String>,
    /// Plate size the file states or its wells need; `None` for a file with no well at all.
    pub plate_size: Option<PlateSize>,
    /// The instrument's type as the file writes it.
    pub instrument: Option<String>,
    /// The instrument's serial number as the file writes it.
    pub serial: Option<String>,
    /// End of the run as the file writes it; zone abbreviations are not trusted (`formats.md` 0).
    pub run_ended: Option<String>,
    /// Barcode of the plate, where the file states one.
    pub plate_barcode: Option<String>,
    /// One for each well and target, in file order.
    pub readings: Vec<Reading>,
    /// What a person should know and the parser could live with.
    pub warnings: Vec<String>,
}

/// One well and one target: three independent facts and the text they came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Which well.
    pub well: WellPosition,
    /// Sample name as typed by the operator; empty when blank.
    pub sample: String,
    /// Target name as typed by the operator; empty when the dye is the only key.
    pub target: String,
    /// Reporter dye; empty when the file names none.
    pub dye: String,
    /// Role of the well as the instrument knows it (`UNKNOWN`, `NTC`, `Unkn-1`, ...).
    pub task: String,
    /// Cycle threshold, or none when the file says there was no amplification.
    pub ct: Option<Ct>,
    /// The Ct cell exactly as written.
    pub raw_ct: String,
    /// Amplification status as written (`Amp`, `No Amp`, `Inconclusive`).
    pub amp_status: Option<String>,
    /// The instrument's own call as written; kept, never believed.
    pub instrument_call: Option<String>,
    /// The operator took this well out of the analysis.
    pub omitted: bool,
}

/// A run-file format this crate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Applied Biosystems text export with `[Section]` blocks.
    AppliedBiosystemsText,
    /// Applied Biosystems workbook (`.xls` or `.xlsx`).
    AppliedBiosystemsWorkbook,
    /// Design & Analysis 2 CSV with `# Key: value` lines.
    DesignAnalysisCsv,
    /// Design & Analysis 2 or Diomni workbook.
    DesignAnalysisWorkbook,
    /// Bio-Rad CFX quantification CSV.
    BioRadCfx,
}
