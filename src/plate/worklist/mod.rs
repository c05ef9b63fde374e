//! The plate as a list for whoever fills it: a person, a pipetting robot, a cycler's software.
//!
//! A robot's list has one step a filled well, down the columns: from the rack position where the
//! tube was last scanned, or, for a tube in no rack, from the tube as a labware of its own, whose
//! label is its barcode and whose only place is the first. A control is such a labware too, named
//! as below. A plate that is stamped is filled from the wells of its sources. Master mix is not on the list: it goes into every well alike, before the tubes.
//! Names are tube codes, never people; nothing written can start a formula or end a cell.

pub mod api;
mod biomek;
pub(super) mod csv;
mod hamilton;
mod sample_sheet;
mod tecan;

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;

use super::rack::{RackCode, RackSize};
use super::robot::Volume;
use super::{Content, Control, Layout, PlateSize, Stamp, WellPosition};

pub use csv::worklist_csv;
pub use sample_sheet::{Assay, cfx, lightcycler480, quantstudio};
pub use {biomek::worklist_biomek, hamilton::worklist_hamilton, tecan::worklist_tecan};

/// How a list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For a person: well, tube, reaction, role.
    #[default]
    Csv,
    /// Tecan `.gwl`.
    Tecan,
    /// Hamilton CSV.
    Hamilton,
    /// Beckman Biomek "transfer from file".
    Biomek,
    /// Applied Biosystems plate setup, for `QuantStudio` and Design and Analysis.
    QuantStudio,
    /// Bio-Rad CFX plate file.
    Cfx,
    /// Roche `LightCycler` 480 sample editor.
    LightCycler480,
}

impl Format {
    /// Content type and the end of the file's name.
    pub const fn kind(self) -> (&'static str, &'static str) {
        match self {
            Self::Csv | Self::Hamilton | Self::Biomek | Self::Cfx => {
                ("text/csv; charset=utf-8", "csv")
            }
            Self::Tecan => ("text/plain; charset=utf-8", "gwl"),
            Self::QuantStudio | Self::LightCycler480 => ("text/plain; charset=utf-8", "txt"),
        }
    }
}

/// Where a tube stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The rack.
    pub rack: RackCode,
    /// Its size.
    pub size: RackSize,
    /// The position in it.
    pub position: WellPosition,
}

/// What a robot takes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The labware's code: the rack's, or that of the tube or pool itself.
    pub labware: String,
    /// Rows and columns of the labware.
    pub shape: (u8, u8),
    /// The place in it.
    pub position: WellPosition,
    /// The code of the tube or pool, or the control's name.
    pub name: String,
}

/// One step of a robot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it takes from.
    pub source: Source,
    /// The well it fills.
    pub well: WellPosition,
}

/// The work of one plate.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// Code of the plate.
    pub plate: &'a str,
    /// Rows and columns of the plate.
    pub shape: (u8, u8),
    /// How much goes into each well.
    pub volume: Volume,
    /// What is done, in this order.
    pub steps: &'a [Step],
}

/// The name under which a control goes on lists: the kit's controls have no barcode of ours.
pub const fn control_name(control: Control) -> &'static str {
    match control {
        Control::Positive => "PC",
        Control::WeakPositive => "WPC",
        Control::Negative => "NTC",
        Control::Extraction => "EC",
    }
}

/// The control that a list or a log means by a name; case and blanks around it do not matter.
pub fn control_named(name: &str) -> Option<Control> {
    let name = name.trim().to_ascii_uppercase();
    match name.as_str() {
        "PC" | "POS" => Some(Control::Positive),
        "WPC" => Some(Control::WeakPositive),
        "NTC" | "NC" | "NEG" => Some(Control::Negative),
        "EC" | "HSC" | "HRC" | "NEC" => Some(Control::Extraction),
        _ => None,
    }
}

/// A robot's steps for a plate, down its columns. Without `controls` only tubes are moved, as
/// where controls are pipetted by hand in a room of their own.
pub fn steps(layout: &Layout, seats: &BTreeMap<String, Seat>, controls: bool) -> Vec<Step> {
    let first = WellPosition::new(0, 0).expect("every plate has A1");
    let alone = |name: &str| Source {
        labware: name.to_owned(),
        shape: (1, 1),
        position: first,
        name: name.to_owned(),
    };
    let source = |content: &Content| match content {
        Content::Tube { tube, .. } => Some(match seats.get(tube) {
            Some(seat) => Source {
                labware: seat.rack.to_string(),
                shape: seat.size.shape(),
                position: seat.position,
                name: tube.clone(),
            },
            None => alone(tube),
        }),
        Content::Pool { pool, .. } => Some(alone(pool)),
        Content::Control { control, .. } => controls.then(|| alone(control_name(*control))),
        Content::Nothing => None,
    };
    let filled = layout.wells().iter();
    let mut steps: Vec<_> = filled
        .filter_map(|(well, content)| Some(Step { source: source(content)?, well: *well }))
        .collect();
    steps.sort_by_key(|step| (step.well.column(), step.well.row()));
    steps
}

/// The steps of stamping: from each well of a source plate to its well here.
pub fn stamp_steps(layout: &Layout, stamp: &Stamp) -> Vec<Step> {
    let wells = (0..PlateSize::P96.wells())
        .filter_map(|index| WellPosition::from_index(index, PlateSize::P96));
    let wells: Vec<_> = wells.collect();
    let mut steps = Vec::new();
    for (quadrant, plate) in stamp.quadrants.iter().enumerate() {
        let Some(plate) = plate else { continue };
        for at in &wells {
            let Some(well) = stamp.order.well(quadrant, *at) else { continue };
            let name = match layout.content(well) {
                Content::Tube { tube, .. } => tube.clone(),
                Content::Pool { pool, .. } => pool.clone(),
                Content::Control { control, .. } => control_name(*control).to_owned(),
                Content::Nothing => continue,
            };
            let shape = (PlateSize::P96.rows(), PlateSize::P96.columns());
            let source = Source { labware: plate.to_string(), shape, position: *at, name };
            steps.push(Step { source, well });
        }
    }
    steps.sort_by_key(|step| (step.source.labware.clone(), step.well.column(), step.well.row()));
    steps
}

/// The number of a place, counted from 1 down the columns of a labware with so many rows.
fn down_the_columns(position: WellPosition, (rows, _): (u8, u8)) -> u16 {
    u16::from(position.column()) * u16::from(rows) + u16::from(position.row()) + 1
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
