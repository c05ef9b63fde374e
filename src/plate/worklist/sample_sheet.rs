//! Plate setups that cyclers' software imports, so that nobody types a name: the sample name is
//! the tube's code, or the control's name.
//!
//! Written after setups seen in files and in public code; none was tried in the maker's software.

use std::fmt::Write as _;

use super::{control_name, csv};
use crate::plate::{Content, Control, Layout, PlateSize, WellPosition};

/// One target of a kit, as a setup names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assay {
    /// Code of the reaction it is measured in.
    pub reaction: String,
    /// Its code.
    pub target: String,
    /// The dye that names its channel.
    pub dye: String,
}

/// A well with what is in it, as a setup names it.
struct Named<'a> {
    well: WellPosition,
    name: &'a str,
    task: &'static str,
    reaction: &'a str,
}

fn named(layout: &Layout) -> impl Iterator<Item = Named<'_>> {
    layout.wells().iter().filter_map(|(well, content)| {
        let reaction = content.reaction()?;
        let (name, task) = match content {
            Content::Tube { tube, .. } => (tube.as_str(), "UNKNOWN"),
            Content::Pool { pool, .. } => (pool.as_str(), "UNKNOWN"),
            Content::Control { control: Control::Negative, .. } => {
                (control_name(Control::Negative), "NTC")
            }
            Content::Control { control, .. } => (control_name(*control), "UNKNOWN"),
            Content::Nothing => return None,
        };
        Some(Named { well: *well, name, task, reaction })
    })
}

fn of<'a>(assays: &'a [Assay], reaction: &'a str) -> impl Iterator<Item = &'a Assay> {
    assays.iter().filter(move |assay| assay.reaction == reaction)
}

/// Applied Biosystems: `* Block Type`, the plate's code as barcode, and `[Sample Setup]`, one row a
/// well and target, separated by tabs.
///
/// Only negative controls have a task of their own: what the software takes for others depends on
/// the kind of experiment, and layouts are judged by our own plate, not by the task.
pub fn quantstudio(plate: &str, layout: &Layout, assays: &[Assay]) -> String {
    let block = match layout.size() {
        PlateSize::P96 => "96-Well Block (0.2mL)",
        PlateSize::P384 => "384-Well Block",
    };
    let mut sheet = format!(
        "* Block Type = {block}\r\n* Experiment Barcode = {}\r\n\r\n[Sample Setup]\r\n\
         Well\tWell Position\tSample Name\tTarget Name\tTask\tReporter\tQuencher\r\n",
        cell(plate)
    );
    for Named { well, name, task, reaction } in named(layout) {
        let number = well.index(layout.size()) + 1;
        for assay in of(assays, reaction) {
            let (name, target, dye) = (cell(name), cell(&assay.target), cell(&assay.dye));
            write!(sheet, "{number}\t{well}\t{name}\t{target}\t{task}\t{dye}\t\r\n")
                .expect("writing to memory does not fail");
        }
    }
    sheet
}

/// Bio-Rad CFX: `Row,Column,*Target Name,*Sample Name`, one row a well and target.
pub fn cfx(layout: &Layout, assays: &[Assay]) -> String {
    let rows = named(layout).flat_map(|Named { well, name, reaction, .. }| {
        of(assays, reaction).map(move |assay| {
            let row = char::from(b'A' + well.row()).to_string();
            let column = (well.column() + 1).to_string();
            [row, column, assay.target.clone(), name.to_owned()]
        })
    });
    let header = ["Row", "Column", "*Target Name", "*Sample Name"];
    csv::rows(header, rows, ::csv::QuoteStyle::Necessary)
}

/// Roche `LightCycler` 480: `General:Pos` and `General:Sample Name` for every well of the plate, an
/// empty one without a name, separated by tabs.
pub fn lightcycler480(layout: &Layout) -> String {
    let mut sheet = "\"General:Pos\"\t\"General:Sample Name\"\r\n".to_owned();
    let size = layout.size();
    let names: std::collections::BTreeMap<_, _> =
        named(layout).map(|named| (named.well, named.name)).collect();
    for well in (0..size.wells()).filter_map(|index| WellPosition::from_index(index, size)) {
        let name = cell(names.get(&well).copied().unwrap_or_default());
        write!(sheet, "{well}\t\"{name}\"\r\n").expect("writing to memory does not fail");
    }
    sheet
}

/// A cell that neither ends itself nor its row, and starts no formula.
fn cell(text: &str) -> String {
    let plain = |c: char| if c == '"' || c.is_control() { '_' } else { c };
    csv::neutral(&text.chars().map(plain).collect::<String>())
}
