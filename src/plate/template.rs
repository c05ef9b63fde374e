//! Where tubes and controls go on a plate: data, checked when it is read.
//!
//! A plate is cut into slots of as many wells as the kit has reactions; a tube or a control takes
//! one slot. Fill order is the order of the slots: column-major as robots and
//! multichannel pipettes work, row-major as hands do.
//!
//! Controls stand in the same wells on every plate, or they move from plate to plate by a rule (R13)
//! so that swapped plates and swapped files show: each control has a cycle of wells, and the
//! number in the plate's code, modulo the cycle's length, says which of them it takes. Where plates
//! swap places, the well of the positive control is then read from a tube. At 5 % prevalence one
//! tube in twenty passes for a positive control, so the negative control has to tell: it moves
//! too, and a tube in its place shows its internal control. It comes before the positive control in
//! the order of filling, so that on a part-filled plate there is a tube in its place whenever
//! there is one in the positive control's. The cycles are 23 long, a prime: also plates of every
//! fourth or fifth code (four and the plate they are stamped on) differ for a batch of 23. After
//! the moving controls of Sanger's `sequencescape`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{Control, PlateSize, WellPosition};
use crate::error::Reason;

/// The templates that come with the program.
const EMBEDDED: [&str; 19] = [
    include_str!("../../fixtures/templates/one-well-93-columns.toml"),
    include_str!("../../fixtures/templates/one-well-94-columns.toml"),
    include_str!("../../fixtures/templates/one-well-94-rows.toml"),
    include_str!("../../fixtures/templates/three-wells-29-rows.toml"),
    include_str!("../../fixtures/templates/three-wells-21-columns.toml"),
    include_str!("../../fixtures/templates/one-well-93-moving-columns.toml"),
    include_str!("../../fixtures/templates/one-well-93-moving-rows.toml"),
    include_str!("../../fixtures/templates/one-well-93-weak-moving-columns.toml"),
    include_str!("../../fixtures/templates/one-well-93-weak-moving-rows.toml"),
    include_str!("../../fixtures/templates/one-well-94-moving-columns.toml"),
    include_str!("../../fixtures/templates/one-well-94-moving-rows.toml"),
    include_str!("../../fixtures/templates/three-wells-29-moving-rows.toml"),
    include_str!("../../fixtures/templates/two-wells-45-moving-rows.toml"),
    include_str!("../../fixtures/templates/one-well-381-moving-columns.toml"),
    include_str!("../../fixtures/templates/one-well-381-moving-rows.toml"),
    include_str!("../../fixtures/templates/one-well-382-columns.toml"),
    include_str!("../../fixtures/templates/one-well-382-rows.toml"),
    include_str!("../../fixtures/templates/one-well-382-moving-columns.toml"),
    include_str!("../../fixtures/templates/one-well-382-moving-rows.toml"),
];

/// A checked template: ordered slots for tubes, and slots for controls, as they are on one plate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Template {
    name: String,
    description: String,
    size: PlateSize,
    wells_per_slot: usize,
    /// Every slot in fill order, without those left empty.
    slots: Vec<Vec<WellPosition>>,
    controls: Vec<Cycle>,
    tube_slots: Vec<Vec<WellPosition>>,
    control_slots: Vec<ControlSlot>,
}

/// A control and the slots it takes from plate to plate, by their place in the fill order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Cycle {
    control: Control,
    slots: Vec<usize>,
}

impl Cycle {
    /// The slot on the plate with this number.
    fn slot(&self, number: u64) -> usize {
        let turns = self.slots.len() as u64;
        let turn = usize::try_from(number % turns).expect("less than a plate's wells");
        self.slots[turn]
    }
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
    /// A control without wells, or with more or fewer than the others that move.
    #[error("the {0} control does not move through as many wells as the others; state as many")]
    CycleLength(Control),
    /// A control that stands in one well on two plates of its cycle.
    #[error("the {0} control comes back to a well within its cycle; leave out what comes twice")]
    CycleRepeats(Control),
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

/// Where a control stands: one well, or one after the other from plate to plate.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ControlPlace {
    control: Control,
    #[serde(alias = "wells")]
    well: Places,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Places {
    Fixed(WellPosition),
    Moving(Vec<WellPosition>),
}

impl Places {
    fn wells(&self) -> &[WellPosition] {
        match self {
            Self::Fixed(well) => std::slice::from_ref(well),
            Self::Moving(wells) => wells,
        }
    }
}

impl Template {
    /// Reads a template from TOML; returns every fault.
    pub fn parse(text: &str) -> Result<Self, Vec<TemplateFault>> {
        let draft: Draft = toml::from_str(text)
            .map_err(|error| vec![TemplateFault::Unreadable(error.message().to_owned())])?;
        draft.check()
    }

    /// The embedded template with that name, as it is on the first plate of a cycle.
    pub fn find(name: &str) -> Option<Self> {
        templates().iter().find(|template| template.name == name).cloned()
    }

    /// The embedded template with that name, or which there are.
    pub fn named(name: &str) -> Result<Self, Reason> {
        Self::find(name).ok_or_else(|| {
            let all: Vec<_> = templates().iter().map(|template| &*template.name).collect();
            let message = format!("there is no template `{name}`; take one of {}", all.join(", "));
            Reason::new("plate.template", "template", message)
        })
    }

    /// The template as it is on the plate whose code has this number (R13).
    pub fn for_plate(mut self, number: u64) -> Self {
        let taken: BTreeSet<usize> = self.controls.iter().map(|cycle| cycle.slot(number)).collect();
        self.control_slots = self
            .controls
            .iter()
            .map(|cycle| ControlSlot {
                control: cycle.control,
                wells: self.slots[cycle.slot(number)].clone(),
            })
            .collect();
        let free = self.slots.iter().enumerate().filter(|(slot, _)| !taken.contains(slot));
        self.tube_slots = free.map(|(_, wells)| wells.clone()).collect();
        self
    }

    /// Plates after which the controls are in the same wells again; 1 when they never move.
    pub fn cycle(&self) -> usize {
        self.controls.iter().map(|cycle| cycle.slots.len()).max().unwrap_or(1)
    }

    /// What to think of before a plate is laid out by it.
    pub fn warnings(&self) -> Vec<Reason> {
        if self.cycle() > 1 {
            return Vec::new();
        }
        let message = format!(
            "the controls of template {} stand in the same wells on every plate, so that plates or \
             files that change places are not found out; use a template whose controls move",
            self.name
        );
        vec![Reason::new("plate.fixed_controls", "template", message)]
    }

    /// What to think of in a plate that was made by no template, but well by well.
    pub fn warnings_without() -> Vec<Reason> {
        let message = "nobody sees that the controls of plates whose wells are stated stand in \
                       other wells each time; where they do not, plates or files that change \
                       places are not found out; use a template whose controls move";
        vec![Reason::new("plate.fixed_controls", "wells", message)]
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
pub fn templates() -> &'static [Template] {
    static TEMPLATES: LazyLock<Vec<Template>> = LazyLock::new(|| {
        let parse = |text| Template::parse(text).expect("embedded templates are checked by a test");
        EMBEDDED.into_iter().map(parse).collect()
    });
    &TEMPLATES
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
        let controls = self.cycles(&slots, &mut faults);
        if !self.controls.iter().any(|place| place.control == Control::Positive) {
            faults.push(TemplateFault::NoPositiveControl);
        }
        if slots.len() <= controls.len() {
            faults.push(TemplateFault::NoTubePlace);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let template = Template {
            name: self.name,
            description: self.description,
            size: self.size,
            wells_per_slot: usize::from(self.slot.wells),
            slots,
            controls,
            tube_slots: Vec::new(),
            control_slots: Vec::new(),
        };
        Ok(template.for_plate(0))
    }

    /// The slots of every control, plate by plate; adds what is wrong with them to `faults`.
    fn cycles(&self, slots: &[Vec<WellPosition>], faults: &mut Vec<TemplateFault>) -> Vec<Cycle> {
        let length = self.controls.iter().map(|place| place.well.wells().len()).max().unwrap_or(0);
        let mut taken = vec![BTreeSet::new(); length];
        let mut cycles = Vec::new();
        for ControlPlace { control, well } in &self.controls {
            let wells = well.wells();
            if wells.is_empty() || (wells.len() > 1 && wells.len() < length) {
                faults.push(TemplateFault::CycleLength(*control));
                continue;
            }
            let first = |well| slots.iter().position(|slot| slot.first() == Some(well));
            let found: Vec<_> = wells.iter().map(first).collect();
            for (turn, taken) in taken.iter_mut().enumerate() {
                let place = turn % wells.len();
                let is_free = found[place].is_some_and(|slot| taken.insert(slot));
                let fault = TemplateFault::NotASlot(wells[place]);
                if !is_free && !faults.contains(&fault) {
                    faults.push(fault);
                }
            }
            let cycle = Cycle { control: *control, slots: found.into_iter().flatten().collect() };
            if cycle.slots.iter().collect::<BTreeSet<_>>().len() < cycle.slots.len() {
                faults.push(TemplateFault::CycleRepeats(*control));
            }
            cycles.push(cycle);
        }
        cycles
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
            templates().iter().map(|template| template.name().to_owned()).collect();
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
    fn a_moving_control_takes_the_wells_of_its_cycle_one_plate_after_the_other() {
        let text = SMALL.replace("well = \"C10\"", "wells = [\"C10\", \"D9\", \"E8\"]");
        let template = Template::parse(&text).unwrap();
        assert_eq!(template.cycle(), 3);
        for (number, at) in [(0, "C10"), (1, "D9"), (2, "E8"), (3, "C10"), (3_000_001, "D9")] {
            let here = template.clone().for_plate(number);
            assert_eq!(here.control_slots()[0].wells, [well(at)]);
            assert_eq!(here.tube_slots().len(), 95);
            assert!(!here.tube_slots().contains(&vec![well(at)]));
        }
        let fixed = Template::find("one-well-94-columns").unwrap();
        assert_eq!((fixed.cycle(), fixed.clone().for_plate(7)), (1, fixed));
    }

    /// What the proof of R13 rests upon (`geometry`): no control stands twice in one place, and the
    /// negative one is filled before the positive one.
    #[test]
    fn controls_of_the_moving_templates_differ_on_every_two_plates_of_a_batch() {
        let moving: Vec<_> = templates().iter().filter(|t| t.cycle() > 1).collect();
        assert_eq!(moving.len(), 12);
        let codes = |template: &Template| {
            let warnings = template.warnings().into_iter();
            warnings.map(|reason| reason.code.into_owned()).collect::<Vec<_>>()
        };
        for fixed in templates().iter().filter(|template| template.cycle() == 1) {
            assert_eq!(codes(fixed), ["plate.fixed_controls"], "{}", fixed.name());
        }
        for template in moving {
            assert_eq!(codes(template), Vec::<String>::new(), "{}", template.name());
            let cycle = template.cycle() as u64;
            assert_eq!(cycle, 23);
            let place = |number: u64, control| {
                let template = template.clone().for_plate(number);
                let slot = template.control_slots().iter().find(|s| s.control == control).unwrap();
                template.slots.iter().position(|wells| *wells == slot.wells).unwrap()
            };
            for control in [Control::Positive, Control::Negative] {
                let places: BTreeSet<_> = (0..cycle).map(|n| place(n, control)).collect();
                assert_eq!(places.len() as u64, cycle, "{} {control}", template.name());
            }
            for number in 0..cycle {
                let (negative, positive) =
                    (place(number, Control::Negative), place(number, Control::Positive));
                assert!(negative < positive, "{} on plate {number}", template.name());
            }
        }
    }

    #[test]
    fn every_fault_of_a_cycle_is_named() {
        let parse = |controls: &str| {
            let text = SMALL.split("controls").next().unwrap().to_owned();
            Template::parse(&format!("{text}controls = [{controls}]")).unwrap_err()
        };
        let positive = r#"{ control = "positive", wells = ["C10", "D9", "D9"] }"#;
        let negative = r#"{ control = "negative", wells = ["A1", "D9"] }"#;
        let extraction = r#"{ control = "extraction", well = "D9" }"#;
        assert_eq!(
            parse(&[positive, negative, extraction].join(", ")),
            [
                TemplateFault::CycleRepeats(Control::Positive),
                TemplateFault::CycleLength(Control::Negative),
                TemplateFault::NotASlot(well("D9")),
            ]
        );
        assert_eq!(
            parse(r#"{ control = "positive", wells = [] }"#),
            [TemplateFault::CycleLength(Control::Positive)]
        );
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
