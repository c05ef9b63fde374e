//! A run as the workbook an Applied Biosystems program or Design & Analysis writes: one sheet for each
//! block, as `.xlsx` or as the `.xls` of the older programs.

use super::files::{BASELINE, SimulatedRun};
use super::{workbook_xls, workbook_xlsx};
use crate::instrument::{Ct, Curve};
use crate::plate::WellPosition;

/// Whose Design & Analysis workbook it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DesignAnalysis {
    /// Design & Analysis 2, as `QuantStudio` 6 and 7 Pro bring it: the sheet `Results`.
    Two,
    /// Diomni: the sheet `Primary_result`, wells as `A01` and tokens in capitals.
    Diomni,
}

/// The workbook of a run and its curves.
pub fn quantstudio_workbook(run: &SimulatedRun, curves: &[Curve]) -> Vec<u8> {
    workbook_xlsx::file(&[amplification(run, curves), results(run)])
}

/// The same as an `.xls`, as the programs of the 7500 and of older `QuantStudio` write it.
pub fn quantstudio_xls(run: &SimulatedRun, curves: &[Curve]) -> Vec<u8> {
    workbook_xls::file(&[amplification(run, curves), results(run)])
}

/// The workbook of a run as Design & Analysis writes it, with what the program calls in a sheet
/// beside the results. Of each target of a well it knows one dye.
pub fn design_analysis_workbook(run: &SimulatedRun, program: DesignAnalysis) -> Vec<u8> {
    workbook_xlsx::file(&[primary(run, program), target_calls(run, program)])
}

/// One cell to write.
pub(super) enum Cell {
    /// A text.
    Text(String),
    /// A number, as it is written.
    Number(String),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<u16> for Cell {
    fn from(number: u16) -> Self {
        Self::Number(number.to_string())
    }
}

/// A sheet that grows row by row.
pub(super) struct Sheet {
    /// Its name.
    pub name: &'static str,
    /// Its rows.
    pub rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// A sheet with the lines every sheet of the program begins with.
    fn new(name: &'static str, run: &SimulatedRun) -> Self {
        Self::under(
            name,
            &[
                ("Block Type", run.block()),
                ("Experiment Barcode", &run.plate_barcode),
                ("Experiment Run End Time", &run.run_ended),
                ("Instrument Serial Number", &run.serial),
                ("Instrument Type", &run.instrument),
                ("Quantification Cycle Method", "Ct"),
            ],
        )
    }

    /// The same of Design & Analysis, which misspells one of them.
    fn of_design_analysis(name: &'static str, run: &SimulatedRun) -> Self {
        Self::under(
            name,
            &[
                ("Barcode", &run.plate_barcode),
                ("Block Type", run.block()),
                ("Instrument Type", &run.instrument),
                ("Instrument Serial Number", &run.serial),
                ("Run End Data/Time", &run.run_ended),
                ("Quantification Cycle Method", "Cq"),
            ],
        )
    }

    fn under(name: &'static str, lines: &[(&str, &str)]) -> Self {
        let line = |(key, value): &(&str, &str)| vec![Cell::from(*key), Cell::from(*value)];
        let mut rows: Vec<_> = lines.iter().map(line).collect();
        rows.push(Vec::new());
        Self { name, rows }
    }

    fn heading(&mut self, names: &[&str]) {
        self.rows.push(names.iter().map(|name| Cell::from(*name)).collect());
    }
}

fn amplification(run: &SimulatedRun, curves: &[Curve]) -> Sheet {
    let mut sheet = Sheet::new("Amplification Data", run);
    let header = ["Well", "Well Position", "Cycle", "Target Name", "Rn", "ΔRn"];
    sheet.heading(&header);
    for curve in curves {
        let well = curve.well.to_string();
        for point in &curve.points {
            sheet.rows.push(vec![
                (curve.well.index(run.plate_size) + 1).into(),
                Cell::from(well.as_str()),
                Cell::Number(point.cycle.to_string()),
                Cell::from(curve.target.as_str()),
                Cell::Number((point.signal + BASELINE).to_string()),
                Cell::Number(point.signal.to_string()),
            ]);
        }
    }
    sheet
}

fn results(run: &SimulatedRun) -> Sheet {
    let mut sheet = Sheet::new("Results", run);
    let header =
        ["Well", "Well Position", "Omit", "Sample Name", "Target Name", "Task", "Reporter", "CT"];
    sheet.heading(&header);
    for one in &run.wells {
        let well = one.well.to_string();
        sheet.rows.push(vec![
            (one.well.index(run.plate_size) + 1).into(),
            Cell::from(well.as_str()),
            Cell::from("false"),
            Cell::from(one.sample.as_str()),
            Cell::from(one.target.as_str()),
            Cell::from(one.task.as_str()),
            Cell::from(one.dye.as_str()),
            one.ct.map_or(Cell::from("Undetermined"), |ct| Cell::Number(ct.to_string())),
        ]);
    }
    sheet
}

impl DesignAnalysis {
    /// A well as the program writes it.
    fn well(self, well: WellPosition) -> String {
        match self {
            Self::Two => well.to_string(),
            Self::Diomni => {
                format!("{}{:02}", char::from(b'A' + well.row()), well.column() + 1)
            }
        }
    }

    /// What it writes where there is no Ct.
    const fn undetermined(self) -> &'static str {
        match self {
            Self::Two => "Undetermined",
            Self::Diomni => "UNDETERMINED",
        }
    }

    /// What it calls a target with or without a Ct.
    pub const fn call(self, is_there: bool) -> &'static str {
        match (self, is_there) {
            (Self::Two, true) => "Presence",
            (Self::Two, false) => "Absence",
            (Self::Diomni, true) => "PRESENCE",
            (Self::Diomni, false) => "ABSENCE",
        }
    }

    /// A Ct or what stands for none.
    fn cycles(self, ct: Option<Ct>) -> Cell {
        ct.map_or(Cell::from(self.undetermined()), |ct| Cell::Number(ct.to_string()))
    }
}

fn primary(run: &SimulatedRun, program: DesignAnalysis) -> Sheet {
    let name = match program {
        DesignAnalysis::Two => "Results",
        DesignAnalysis::Diomni => "Primary_result",
    };
    let mut sheet = Sheet::of_design_analysis(name, run);
    let header =
        ["Well", "Well Position", "Omit", "Sample", "Target", "Task", "Reporter", "Quencher", "Cq"];
    sheet.heading(&header);
    for one in &run.wells {
        let well = program.well(one.well);
        sheet.rows.push(vec![
            (one.well.index(run.plate_size) + 1).into(),
            Cell::from(well.as_str()),
            Cell::from("false"),
            Cell::from(one.sample.as_str()),
            Cell::from(one.target.as_str()),
            Cell::from(one.task.as_str()),
            Cell::from(one.dye.as_str()),
            Cell::from("NFQ-MGB"),
            program.cycles(one.ct),
        ]);
    }
    sheet
}

fn target_calls(run: &SimulatedRun, program: DesignAnalysis) -> Sheet {
    let mut sheet = Sheet::of_design_analysis("Target Call", run);
    let header = ["Well Position", "Sample", "Target", "Call", "Quality issue(s)", "Cq"];
    sheet.heading(&header);
    for one in &run.wells {
        let well = program.well(one.well);
        sheet.rows.push(vec![
            Cell::from(well.as_str()),
            Cell::from(one.sample.as_str()),
            Cell::from(one.target.as_str()),
            Cell::from(program.call(one.ct.is_some())),
            Cell::from(""),
            program.cycles(one.ct),
        ]);
    }
    sheet
}
