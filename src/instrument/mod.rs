//! The run file: kept byte for byte, detected by content, parsed to readings.
//!
//! [`read`] is the one door. Behind it `detect` opens a file, `text`, `compound`, `biff` and
//! `ooxml` get rows out of it, `table` finds the header, and one file for each maker knows the rest.

mod amplification;
pub mod api;
mod applied_biosystems;
mod archive;
mod biff;
mod biorad_cfx;
mod block;
mod compound;
mod ct;
mod curve;
pub mod curve_store;
mod design_analysis;
mod detect;
mod eds;
mod eds_json;
mod eds_result;
mod eds_setup;
mod ended;
mod inspect;
mod lightcycler_480;
mod lighthouse;
mod mapping;
mod mapping_parse;
mod mapping_read;
mod mapping_rules;
mod mappings;
mod metadata;
mod ooxml;
mod parts;
pub mod picture;
mod rdml;
mod rdml_document;
pub mod rdml_stored;
pub mod rdml_write;
mod refusal;
mod results;
pub mod store;
mod table;
mod text;
mod undetermined;
mod vocabulary;
mod workbook;
mod xml;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use ct::{Ct, NotACt};
pub use curve::{Curve, MAX_CURVES, MAX_CYCLE, Point};
pub use ended::own_end;
pub use inspect::{Inspection, TargetCount};
pub use lighthouse::ResultList;
pub use mapping::{
    Above, Definition, Fact, FileShape, Fixed, Header, Mapping, Mark, Numbers, OneFilePer,
    Separator, TextEncoding, Wells, Words,
};
pub use mapping_parse::MappingFault;
pub use mappings::Mappings;
pub use parts::{Channel, MAX_PARTS, Part, PartFault, read_run};
pub use refusal::Refusal;
pub use table::{MAX_COLUMNS, MAX_FILE_BYTES, MAX_ROWS, MAX_UNPACKED_BYTES};
pub use vocabulary::is_dye;

use crate::error::Reason;
use crate::plate::{PlateSize, WellPosition};

/// Everything read from one run file, before anybody interprets it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFile {
    /// Which format it was, and why we think so.
    pub format: Format,
    /// What in the content gave the format away, in sentences.
    pub detected_by: Vec<Reason>,
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
    /// Amplification curves, where the file has them.
    pub curves: Vec<Curve>,
    /// What a person should know and the parser could live with.
    pub warnings: Vec<Reason>,
}

impl RunFile {
    /// Each warning's sentence.
    pub fn warned(&self) -> Vec<&str> {
        self.warnings.iter().map(|warning| warning.message.as_str()).collect()
    }

    /// The instrument's serial number, if what stands in its place looks like one and not like
    /// something an operator typed.
    pub fn serial_code(&self) -> Option<&str> {
        self.serial.as_deref().map(vocabulary::serial).filter(|code| !code.is_empty())
    }

    /// What kind of instrument it was, if what stands in its place may be kept in clear.
    pub fn model(&self) -> Option<&str> {
        self.instrument.as_deref().map(vocabulary::model).filter(|model| !model.is_empty())
    }

    /// When the run ended as the file writes it, if that is a moment.
    pub fn ended(&self) -> Option<&str> {
        self.run_ended.as_deref().map(vocabulary::moment).filter(|moment| !moment.is_empty())
    }

    /// [`Self::model`], [`Self::serial_code`] and [`Self::ended`], each empty where there is none.
    pub fn origin(&self) -> [&str; 3] {
        [self.model(), self.serial_code(), self.ended()].map(Option::unwrap_or_default)
    }

    /// Calls the instrument as whoever brought the file does, where the file has no serial number;
    /// false when that is no code an instrument may have.
    pub fn name_instrument(&mut self, stated: &str) -> bool {
        let code = vocabulary::stated(stated);
        if let (Some(code), None) = (code, self.serial_code()) {
            self.serial = Some(code.to_owned());
        }
        code.is_some()
    }
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
    /// RDML 1.0 to 1.4, as `LightCycler` 96 and others write it.
    Rdml,
    /// Old Applied Biosystems `.eds`.
    SdsEds,
    /// The `analysis_result.txt` out of an old `.eds`.
    SdsResultText,
    /// New `.eds` of Design & Analysis 2.
    DesignAnalysisEds,
    /// LightCycler 480 Cp export of one filter.
    #[serde(rename = "lightcycler_480")]
    LightCycler480,
    /// UK Lighthouse result CSV with the Cq of its channels.
    LighthouseCsv,
    /// Read by a mapping, which the warnings name.
    Mapping,
}

impl Format {
    /// The name used in the interface and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AppliedBiosystemsText => "applied_biosystems_text",
            Self::AppliedBiosystemsWorkbook => "applied_biosystems_workbook",
            Self::DesignAnalysisCsv => "design_analysis_csv",
            Self::DesignAnalysisWorkbook => "design_analysis_workbook",
            Self::BioRadCfx => "bio_rad_cfx",
            Self::Rdml => "rdml",
            Self::SdsEds => "sds_eds",
            Self::SdsResultText => "sds_result_text",
            Self::DesignAnalysisEds => "design_analysis_eds",
            Self::LightCycler480 => "lightcycler_480",
            Self::LighthouseCsv => "lighthouse_csv",
            Self::Mapping => "mapping",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads a run file of any known format, by the shipped mappings as well.
///
/// All or nothing: a cell that cannot be read refuses the file, so no reading is lost in silence.
/// Only curves may be left out, with a warning: no call depends on one. Bounded in bytes, unpacked
/// bytes, rows, columns, cells, curves and cycles; never panics on any input.
pub fn read(bytes: &[u8]) -> Result<RunFile, Refusal> {
    read_part(bytes, Mappings::shipped(), None).map(|part| part.run)
}

/// Reads one file, which may be one of several of a run.
///
/// Built-in formats come before mappings, unless the uploader has `named` a mapping.
pub fn read_part(
    bytes: &[u8],
    mappings: &Mappings,
    named: Option<&Mapping>,
) -> Result<Part, Refusal> {
    let mut part = if let Some(mapping) = named {
        mapping_read::read(&detect::unmapped(bytes)?, mapping, mapping_read::Chosen::Named)
    } else {
        match built_in(bytes) {
            Err(refusal @ (Refusal::NotOurs { .. } | Refusal::NoResults { .. })) => {
                by_headings(bytes, mappings).unwrap_or(Err(refusal))
            }
            // What begins like the text of a maker may be another's, and whole.
            Err(refusal @ Refusal::CutShort { .. }) => match by_headings(bytes, mappings) {
                Some(Ok(part)) => Ok(part),
                _ => Err(refusal),
            },
            other => other,
        }
    }?;
    curve::settle(&mut part.run);
    Ok(part)
}

fn built_in(bytes: &[u8]) -> Result<Part, Refusal> {
    let run = match detect::open(bytes)? {
        detect::Opened::AppliedBiosystems(text, reasons) => {
            applied_biosystems::text(&text, reasons)
        }
        detect::Opened::DesignAnalysis(text, reasons) => design_analysis::csv(&text, reasons),
        detect::Opened::BioRadCfx(text, delimiter, reasons) => {
            biorad_cfx::csv(&text, delimiter, reasons)
        }
        detect::Opened::LightCycler480(text, reasons) => {
            return lightcycler_480::text(&text, reasons);
        }
        detect::Opened::Lighthouse(text, reasons) => {
            let rows = text::delimited(&text.content, b',', 1)?;
            let warnings = text.warning.clone().into_iter().collect();
            lighthouse::rows(rows, text.open_end(), reasons, warnings)
        }
        detect::Opened::Workbook(sheets, reason) => read_workbook(sheets, reason),
        detect::Opened::Rdml(xml, reasons) => rdml::read(&xml, reasons),
        detect::Opened::SdsEds(mut archive, reasons) => eds::zipped(&mut archive, reasons),
        detect::Opened::SdsResult(text, reasons) => eds::text(&text, reasons),
        detect::Opened::DesignAnalysisEds(mut archive, reasons) => {
            eds_json::zipped(&mut archive, reasons)
        }
    };
    Ok(Part { run: run?, of: None })
}

/// Reads a file that only its headings tell: a Lighthouse list in a workbook, whatever its name
/// says, or what exactly one mapping fits; none when nothing does.
fn by_headings(bytes: &[u8], mappings: &Mappings) -> Option<Result<Part, Refusal>> {
    let mut file = detect::unmapped(bytes).ok()?;
    if let mapping_read::Unmapped::Book(sheets) = &mut file {
        let is_list =
            |sheet: &workbook::Sheet| sheet.rows.first().is_some_and(lighthouse::is_header);
        let lists = sheets.iter().filter(|sheet| is_list(sheet)).count();
        if lists > 1 {
            return Some(Err(Refusal::SeveralSheets { sheets: lists }));
        }
        if let Some(at) = sheets.iter().position(is_list) {
            let rows = lighthouse::of_sheet(sheets.swap_remove(at).rows);
            let run = lighthouse::rows(rows, false, vec![lighthouse::known()], Vec::new());
            return Some(run.map(|run| Part { run, of: None }));
        }
    }
    let fitting: Vec<_> =
        mappings.iter().filter(|mapping| mapping_read::fits(&file, mapping)).collect();
    match fitting[..] {
        [] => None,
        [only] => Some(mapping_read::read(&file, only, mapping_read::Chosen::OnlyFit)),
        _ => {
            let names = fitting.iter().map(|mapping| mapping.name.clone()).collect();
            Some(Err(Refusal::Ambiguous { names }))
        }
    }
}

/// Reads the results sheet of a workbook and joins the calls of its `Target Call` sheet to them.
fn read_workbook(mut sheets: Vec<workbook::Sheet>, reason: Reason) -> Result<RunFile, Refusal> {
    let results = ["results", "primary_result"]
        .iter()
        .find_map(|name| workbook::take(&mut sheets, name))
        .ok_or(Refusal::NotOurs { looked_like: "a workbook without a results sheet" })?;
    let (above, table) = table::Table::split(results.rows, false)
        .ok_or(Refusal::NoResults { missing: "the results sheet has no header with a well" })?;
    let metadata = metadata::Metadata::from_rows(&above);
    let stated = metadata.plate_size();
    let (format, why) = detect::workbook_format(&results.name, &metadata, &table)
        .ok_or(Refusal::NotOurs { looked_like: "a results sheet without instrument lines" })?;
    let mut run = results::Source {
        format,
        detected_by: [vec![reason], why].concat(),
        metadata,
        table,
        mark: results::DecimalMark::Point,
        warnings: Vec::new(),
    }
    .read()?;
    if let Some(calls) = workbook::take(&mut sheets, "target call") {
        let (above, table) = table::Table::split(calls.rows, false).ok_or(Refusal::NoResults {
            missing: "the sheet `Target Call` has no header with a well",
        })?;
        design_analysis::add_calls(&mut run, &table, &metadata::Metadata::from_rows(&above))?;
    }
    if let Some(curves) = sheets.into_iter().find_map(|sheet| sheet.curves) {
        curves.add_to(&mut run, stated);
    }
    Ok(run)
}
