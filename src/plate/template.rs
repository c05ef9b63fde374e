//! Where tubes and controls go on a plate: data, checked when it is read.
//!
//! A plate is cut into slots of as many wells as the kit has reactions; a tube or a control takes
//! one slot. Fill order is the order of the slots: column-major as robots and
//! multichannel pipettes work, row-major as hands do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Control, PlateSize, WellPosition};

/// The templates that come with the program.
const EMBEDDED: [&str; 5] = [
    include_str!("../../fixtures/templates/one-well-93-columns.toml"),
    include_str!("../../fixtures/templates/one-well-94-columns.toml"),
    include_str!("../../fixtures/templates/one-well-94-rows.toml"),
    include_str!("../../fixtures/templates/three-wells-29-rows.toml"),
    include_str!("../../fixtures/templates/three-wells-21-columns.toml"),
];

/// A checked template: ordered slots for tubes, fixed slots for controls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Template {
    name: String,
    description: String,
    size: PlateSize,
    wells_per_slot: usize,
    tube_slots: Vec<Vec<WellPosition>>,
    control_slots: Vec<ControlSlot>,
}

/// The wells of one control, in the order of the kit's reactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ControlSlot {
    /// Which control.
    pub control: Control,
    /// Its wells.
    pub wells: Vec<WellPosition>,
}

/// One reason why a template file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// Not TOML, or not these fields.
    #[error("the template cannot be read: {0}")]
    Unreadable(String),
    /// No name.
    #[error("the template has no name; give it one")]
    NoName,
    /// Slots that do not fit the plate even once.
    #[error("a slot of {0} wells does not fit the plate; use 1 to as many as a row or column has")]
    SlotSize(u8),
    /// A control that does not start a slot, or shares one.
    #[error("control well {0} is not the first well of a free slot; move the control")]
    NotASlot(WellPosition),
    /// A well to be left empty that the plate lacks.
    #[error("well {0} is to be left empty but is not on the plate")]
    EmptyOffPlate(WellPosition),
    /// Nothing that must amplify.
    #[error("the template has no positive control; without one no turned plate can be noticed")]
    NoPositiveControl,
    /// No place left.
    #[error("the template has no place for a tube")]
    NoTubePlace,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    name: String,
    description: String,
    size: PlateSize,
    fill: Fill,
    slot: SlotShape,
    controls: Vec<ControlPlace>,
    #[serde(default)]
    empty: BTreeSet<WellPosition>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fill {
    ColumnMajor,
    RowMajor,
}

/// Wells of one slot and whether they lie beside or below one another.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotShape {
    wells: u8,
    along: Along,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Along {
    Row,
    Column,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ControlPlace {
    control: Control,
    well: WellPosition,
}

impl Template {
    /// Reads a template from TOML; returns every fault.
    pub fn parse(text: &str) -> Result<Self, Vec<TemplateFault>> {
        let draft: Draft = toml::from_str(text)
            .map_err(|error| vec![TemplateFault::Unreadable(error.message().to_owned())])?;
        draft.check()
    }

    /// The embedded template with that name.
    pub fn find(name: &str) -> Option<Self> {
        templates().into_iter().find(|template| template.name == name)
    }

    /// Unique name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for, in a sentence.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Size of the plate.
    pub const fn size(&self) -> PlateSize {
        self.size
    }

    /// Wells that one tube takes: the number of reactions of the kits it fits.
    pub const fn wells_per_slot(&self) -> usize {
        self.wells_per_slot
    }

    /// Slots for tubes in fill order.
    pub fn tube_slots(&self) -> &[Vec<WellPosition>] {
        &self.tube_slots
    }

    /// Slots of the controls.
    pub fn control_slots(&self) -> &[ControlSlot] {
        &self.control_slots
    }
}

/// The templates that come with the program.
///
/// # Panics
///
/// Never on a build whose tests passed: the embedded files are checked there.
pub fn templates() -> Vec<Template> {
    EMBEDDED
        .iter()
        .map(|text| Template::parse(text).expect("embedded templates are checked by a test"))
        .collect()
}

impl Draft {
    fn check(self) -> Result<Template, Vec<TemplateFault>> {
        let mut faults = Vec::new();
        if self.name.trim().is_empty() {
            faults.push(TemplateFault::NoName);
        }
        let mut slots = self.slots();
        if slots.is_empty() {
            faults.push(TemplateFault::SlotSize(self.slot.wells));
        }
        let off_plate = self.empty.iter().filter(|well| !self.size.contains(**well));
        faults.extend(off_plate.map(|well| TemplateFault::EmptyOffPlate(*well)));
        slots.retain(|slot| slot.iter().all(|well| !self.empty.contains(well)));
        let mut control_slots = Vec::new();
        for place in &self.controls {
            match slots.iter().position(|slot| slot.first() == Some(&place.well)) {
                Some(found) => {
                    let wells = slots.remove(found);
                    control_slots.push(ControlSlot { control: place.control, wells });
                }
                None => faults.push(TemplateFault::NotASlot(place.well)),
            }
        }
        if !self.controls.iter().any(|place| place.control == Control::Positive) {
            faults.push(TemplateFault::NoPositiveControl);
        }
        if slots.is_empty() {
            faults.push(TemplateFault::NoTubePlace);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Template {
            name: self.name,
            description: self.description,
            size: self.size,
            wells_per_slot: usize::from(self.slot.wells),
            tube_slots: slots,
            control_slots,
        })
    }

    /// Every slot of the plate in fill order; none when a slot is larger than the plate.
    fn slots(&self) -> Vec<Vec<WellPosition>> {
        let wells = self.slot.wells;
        let (tall, wide) = match self.slot.along {
            Along::Row => (1, wells),
            Along::Column => (wells, 1),
        };
        let rows = self.size.rows().checked_div(tall).unwrap_or(0);
        let columns = self.size.columns().checked_div(wide).unwrap_or(0);
        let slot = |row: u8, column: u8| -> Vec<WellPosition> {
            (0..wells)
                .filter_map(|step| match self.slot.along {
                    Along::Row => WellPosition::new(row, column * wells + step),
                    Along::Column => WellPosition::new(row * wells + step, column),
                })
                .collect()
        };
        match self.fill {
            Fill::ColumnMajor => (0..columns)
                .flat_map(|column| (0..rows).map(move |row| (row, column)))
                .map(|(row, column)| slot(row, column))
                .collect(),
            Fill::RowMajor => (0..rows)
                .flat_map(|row| (0..columns).map(move |column| (row, column)))
                .map(|(row, column)| slot(row, column))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        name = "small"
        description = "for tests"
        size = "96"
        fill = "row_major"
        slot = { wells = 1, along = "row" }
        controls = [{ control = "positive", well = "C10" }]
    "#;

    fn well(text: &str) -> WellPosition {
        text.parse().unwrap()
    }

    #[test]
    fn the_embedded_templates_are_sound_and_named_apart() {
        let names: BTreeSet<_> =
            templates().into_iter().map(|template| template.name().to_owned()).collect();
        assert_eq!(names.len(), EMBEDDED.len());
        for name in names {
            assert_eq!(Template::find(&name).unwrap().name(), name);
        }
        assert_eq!(Template::find("no such template"), None);
    }

    #[test]
    fn columns_are_filled_downwards_and_rows_sideways() {
        let columns = Template::find("one-well-94-columns").unwrap();
        assert_eq!(columns.tube_slots().len(), 94);
        let first: Vec<_> = columns.tube_slots()[..9].iter().map(|slot| slot[0]).collect();
        let expected = ["A1", "C1", "D1", "E1", "F1", "G1", "H1", "A2", "B2"].map(well);
        assert_eq!(first, expected);
        let rows = Template::find("one-well-94-rows").unwrap();
        assert_eq!(rows.tube_slots()[1], [well("A3")]);
    }

    #[test]
    fn a_three_reaction_slot_is_three_neighbouring_wells() {
        let rows = Template::find("three-wells-29-rows").unwrap();
        assert_eq!((rows.wells_per_slot(), rows.tube_slots().len()), (3, 29));
        assert_eq!(rows.tube_slots()[0], ["A1", "A2", "A3"].map(well));
        let columns = Template::find("three-wells-21-columns").unwrap();
        assert_eq!(columns.tube_slots().len(), 21);
        assert_eq!(columns.tube_slots()[0], ["A2", "B2", "C2"].map(well));
    }

    #[test]
    fn an_empty_well_takes_its_slot_out() {
        let text = format!("{SMALL}\nempty = [\"A1\"]");
        let template = Template::parse(&text).unwrap();
        assert_eq!(template.tube_slots()[0], [well("A2")]);
        assert_eq!(template.tube_slots().len(), 94);
    }

    #[test]
    fn every_fault_of_a_template_is_named() {
        let text = SMALL.replace("\"small\"", "\" \"").replace(
            "control = \"positive\", well = \"C10\"",
            "control = \"negative\", well = \"P1\"",
        ) + "empty = [\"A13\"]";
        assert_eq!(
            Template::parse(&text).unwrap_err(),
            [
                TemplateFault::NoName,
                TemplateFault::EmptyOffPlate(well("A13")),
                TemplateFault::NotASlot(well("P1")),
                TemplateFault::NoPositiveControl,
            ]
        );
        for wells in ["0", "13"] {
            let text = SMALL.replace("wells = 1", &format!("wells = {wells}"));
            assert!(
                Template::parse(&text)
                    .unwrap_err()
                    .contains(&TemplateFault::SlotSize(wells.parse().unwrap()))
            );
        }
        assert!(matches!(Template::parse("name").unwrap_err()[..], [TemplateFault::Unreadable(_)]));
    }
}
