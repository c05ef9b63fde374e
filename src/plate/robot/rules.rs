//! The log beside the plan: every difference there is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Material, Volume};
use crate::error::Reason;
use crate::plate::{Content, Control, Layout, WellPosition};

/// One dispense into the plate, with what it brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Which log of the plate, from 1.
    pub log: u32,
    /// Line of that log.
    pub line: usize,
    /// The well; none when the plate has no such place.
    pub well: Option<WellPosition>,
    /// What it brought.
    pub material: Material,
    /// How much.
    pub volume: Volume,
    /// What else its tip had taken up since it was clean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<Material>,
}

impl Fill {
    /// Whether it brought what the plan speaks of, and not only whatever clung to its tip.
    pub(super) fn brings(&self) -> bool {
        self.material != Material::Neutral
    }

    /// The well it brought something into.
    pub(super) fn filled(&self) -> Option<WellPosition> {
        self.well.filter(|_| self.brings())
    }
}

/// What was planned beside the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// How much of its tube goes into each well.
    pub volume: Volume,
    /// By how many percent it may be missed.
    pub tolerance: u8,
}

impl Planned {
    /// As a store keeps it: nanolitres and percent.
    pub fn columns(self) -> (i64, i64) {
        (self.volume.nl().into(), self.tolerance.into())
    }

    /// Out of what a store keeps, if that makes one.
    pub fn stored(nanolitres: i64, percent: i64) -> Option<Self> {
        let volume = Volume::from_nl(u32::try_from(nanolitres).ok()?)?;
        let tolerance = u8::try_from(percent).ok()?;
        (!volume.is_nothing()).then_some(Self { volume, tolerance })
    }

    /// Why a request may not name this volume or this tolerance for a plate that has them.
    pub fn against(self, volume: Option<Volume>, tolerance: Option<u8>) -> Vec<Reason> {
        let other = |field: &'static str, unit: &str, planned: String| {
            let message = format!(
                "the plate was planned with {planned} {unit}; its plan is what counts, so leave \
                 `{field}` out"
            );
            Reason::new("plate.not_planned", field, message)
        };
        let volume = volume.filter(|volume| *volume != self.volume);
        let tolerance = tolerance.filter(|tolerance| *tolerance != self.tolerance);
        let volume = volume.map(|_| other("volume", "µL", self.volume.to_string()));
        let tolerance =
            tolerance.map(|_| other("tolerance", "percent", self.tolerance.to_string()));
        volume.into_iter().chain(tolerance).collect()
    }
}

/// One difference between log and plan; serialised with its stable code under `code`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Difference {
    /// Another tube than planned.
    #[error("tube {tube} was put into well {well}, where the plan has {planned}")]
    WrongTube {
        /// The well.
        well: WellPosition,
        /// The tube that went into it.
        tube: String,
        /// What should have gone in: a tube, or a control.
        planned: String,
    },
    /// A control in the well of a tube, or of another control.
    #[error("a {control} control was put into well {well}, where the plan has {planned}")]
    WrongControl {
        /// The well.
        well: WellPosition,
        /// The control that went into it.
        control: Control,
        /// What should have gone in.
        planned: String,
    },
    /// Nothing went in.
    #[error("well {well} was not filled; the plan has {planned} there")]
    NotFilled {
        /// The well.
        well: WellPosition,
        /// What should have gone in.
        planned: String,
    },
    /// Several dispenses that are no divided one.
    #[error("well {well} was filled {times} times")]
    FilledTwice {
        /// The well.
        well: WellPosition,
        /// How often.
        times: usize,
    },
    /// A well that should have stayed empty.
    #[error("well {well} was filled, and the plan leaves it empty")]
    NotPlanned {
        /// The well.
        well: WellPosition,
    },
    /// From a source that is neither a known tube nor a control.
    #[error(
        "what line {line} of log {log} put into well {well} is no tube and no control known here"
    )]
    UnknownTube {
        /// The well.
        well: WellPosition,
        /// Which log of the plate, from 1.
        log: u32,
        /// Its line.
        line: usize,
    },
    /// Several sources in one tip.
    #[error("the tip of line {line} of log {log} had drawn from several places before well {well}")]
    Mixture {
        /// The well.
        well: WellPosition,
        /// Which log of the plate, from 1.
        log: u32,
        /// Its line.
        line: usize,
    },
    /// A tip that was neither washed nor changed after another tube, pool or control.
    #[error(
        "the tip of line {line} of log {log} had taken up {earlier} and was neither washed nor \
         changed before well {well}"
    )]
    TipReused {
        /// The well.
        well: WellPosition,
        /// Which log of the plate, from 1.
        log: u32,
        /// Its line.
        line: usize,
        /// What it had taken up before: a tube, a pool or a control, in words.
        earlier: String,
    },
    /// A rack scanned again, or a list sent back that names another tube than stood there.
    #[error(
        "the position of line {line} of log {log}, for well {well}, held another tube than the \
         log names, or holds another since the rack was scanned again"
    )]
    RackChanged {
        /// The well.
        well: WellPosition,
        /// Which log of the plate, from 1.
        log: u32,
        /// Its line.
        line: usize,
    },
    /// Too much or too little.
    #[error("well {well} got {found} µL of {planned} µL")]
    Volume {
        /// The well.
        well: WellPosition,
        /// What went in, in microlitres.
        found: String,
        /// What should have.
        planned: String,
    },
    /// A place outside the plate.
    #[error("line {line} of log {log} dispenses where this plate has no well")]
    OffPlate {
        /// Which log of the plate, from 1.
        log: u32,
        /// Its line.
        line: usize,
    },
    /// The log tells of an error, or of a step nobody here knows.
    #[error("line {line} of log {log} tells of an error or of an unknown step")]
    ErrorRecord {
        /// Which log of the plate, from 1.
        log: u32,
        /// Its line.
        line: usize,
    },
}

impl Difference {
    /// The well it is about; none where it is about no well of the plate.
    pub const fn well(&self) -> Option<WellPosition> {
        match self {
            Self::WrongTube { well, .. }
            | Self::WrongControl { well, .. }
            | Self::NotFilled { well, .. }
            | Self::FilledTwice { well, .. }
            | Self::NotPlanned { well }
            | Self::UnknownTube { well, .. }
            | Self::Mixture { well, .. }
            | Self::TipReused { well, .. }
            | Self::RackChanged { well, .. }
            | Self::Volume { well, .. } => Some(*well),
            Self::OffPlate { .. } | Self::ErrorRecord { .. } => None,
        }
    }
}

/// Every difference between the plan and what all logs of the plate say together.
///
/// Controls are often pipetted by hand, in a room of their own: when no log fills any well of a
/// control, none is missed. A volume that was divided counts as one fill when all of it is the
/// well's own tube and the sum is as planned.
pub fn compare(
    layout: &Layout,
    planned: Planned,
    fills: &[Fill],
    errors: &[(u32, usize)],
) -> Vec<Difference> {
    let mut by_well: BTreeMap<WellPosition, Vec<&Fill>> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for fill in fills {
        match fill.well.filter(|well| layout.size().contains(*well)) {
            Some(well) => by_well.entry(well).or_default().push(fill),
            None => drop(found.insert(Difference::OffPlate { log: fill.log, line: fill.line })),
        }
    }
    let is_control = |well| matches!(layout.content(well), Content::Control { .. });
    let filled: BTreeSet<WellPosition> = fills.iter().filter_map(Fill::filled).collect();
    let by_hand = !filled.iter().any(|well| is_control(*well));
    for (well, content) in layout.wells() {
        let expected = !by_hand || !is_control(*well);
        if expected && !filled.contains(well) {
            found.insert(Difference::NotFilled { well: *well, planned: named(content) });
        }
    }
    for (well, fills) in &by_well {
        found.extend(well_differences(*well, layout.content(*well), planned, fills));
    }
    found.extend(
        errors.iter().map(|(log, line)| Difference::ErrorRecord { log: *log, line: *line }),
    );
    found.into_iter().collect()
}

/// What is wrong with one well that something was put into.
fn well_differences(
    well: WellPosition,
    content: &Content,
    planned: Planned,
    fills: &[&Fill],
) -> Vec<Difference> {
    let (brought, neutral): (Vec<&Fill>, Vec<&Fill>) = fills.iter().partition(|fill| fill.brings());
    let own = match content {
        Content::Nothing if brought.is_empty() => return Vec::new(),
        Content::Nothing => return vec![Difference::NotPlanned { well }],
        Content::Tube { tube, .. } => Material::Tube(tube.clone()),
        Content::Pool { pool, .. } => Material::Pool(pool.clone()),
        Content::Control { control, .. } => Material::Control(*control),
    };
    let mut found: Vec<_> =
        neutral.iter().flat_map(|fill| carried_over(well, fill, &own)).collect();
    if brought.is_empty() {
        return found;
    }
    let others = brought.iter().filter(|fill| fill.material != own);
    found.extend(others.map(|fill| wrong(well, fill, named(content))));
    found.extend(brought.iter().flat_map(|fill| carried_over(well, fill, &fill.material)));
    let sum = brought.iter().fold(Volume::default(), |sum, fill| sum.plus(fill.volume));
    let as_planned = planned.volume.is_met_by(sum, planned.tolerance);
    if brought.len() > 1 && !(found.is_empty() && as_planned) {
        found.push(Difference::FilledTwice { well, times: brought.len() });
    } else if !as_planned {
        let (got, planned) = (sum.to_string(), planned.volume.to_string());
        found.push(Difference::Volume { well, found: got, planned });
    }
    found
}

/// What came along with a dispense in a tip that was not clean, beside what was meant to be there.
fn carried_over(
    well: WellPosition,
    fill: &Fill,
    meant: &Material,
) -> impl Iterator<Item = Difference> {
    let (log, line) = (fill.log, fill.line);
    let others = fill.carried.iter().filter(move |material| *material != meant);
    others.filter_map(Material::clinging).map(move |earlier| Difference::TipReused {
        well,
        log,
        line,
        earlier,
    })
}

/// What is wrong with a dispense that brought something else than the well's own.
fn wrong(well: WellPosition, fill: &Fill, planned: String) -> Difference {
    let (log, line) = (fill.log, fill.line);
    match &fill.material {
        Material::Tube(tube) | Material::Pool(tube) => {
            Difference::WrongTube { well, tube: tube.clone(), planned }
        }
        Material::Control(control) => Difference::WrongControl { well, control: *control, planned },
        Material::Mixture => Difference::Mixture { well, log, line },
        Material::Moved => Difference::RackChanged { well, log, line },
        Material::Neutral | Material::Unknown => Difference::UnknownTube { well, log, line },
    }
}

/// What the plan has in a well, in words.
fn named(content: &Content) -> String {
    match content {
        Content::Tube { tube, .. } => format!("tube {tube}"),
        Content::Pool { pool, .. } => format!("pool {pool}"),
        Content::Control { control, .. } => format!("a {control} control"),
        Content::Nothing => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plate::PlateSize;

    const TUBES: [(&str, &str); 3] = [("A1", "T1"), ("B1", "T2"), ("C1", "T3")];

    fn well(name: &str) -> WellPosition {
        name.parse().unwrap()
    }

    /// Three tubes, a positive control in D1 and a negative one in E1.
    fn layout() -> Layout {
        let reaction = "mix".to_owned();
        let tube = |(at, code): (&str, &str)| {
            let (tube, reaction) = (code.to_owned(), reaction.clone());
            (well(at), Content::Tube { tube, depth: 1, reaction })
        };
        let control =
            |at, control| (well(at), Content::Control { control, reaction: reaction.clone() });
        let mut wells: Vec<_> = TUBES.into_iter().map(tube).collect();
        wells.push(control("D1", Control::Positive));
        wells.push(control("E1", Control::Negative));
        Layout::explicit(PlateSize::P96, wells).unwrap()
    }

    fn fill(at: &str, material: Material, volume: &str) -> Fill {
        let volume = Volume::parse(volume).unwrap();
        Fill { log: 1, line: 7, well: Some(well(at)), material, volume, carried: vec![] }
    }

    fn tube(code: &str) -> Material {
        Material::Tube(code.to_owned())
    }

    fn as_planned() -> Vec<Fill> {
        TUBES.into_iter().map(|(at, code)| fill(at, tube(code), "5")).collect()
    }

    fn differences(fills: &[Fill]) -> Vec<String> {
        let planned = Planned { volume: Volume::parse("5").unwrap(), tolerance: 10 };
        let found = compare(&layout(), planned, fills, &[]);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_plate_filled_as_planned_shows_nothing() {
        assert_eq!(differences(&as_planned()), Vec::<String>::new());
        let mut with_controls = as_planned();
        with_controls.push(fill("D1", Material::Control(Control::Positive), "5.2"));
        with_controls.push(fill("E1", Material::Control(Control::Negative), "4.8"));
        assert_eq!(differences(&with_controls), Vec::<String>::new());
        let mut divided = as_planned();
        divided[0].volume = Volume::parse("2.5").unwrap();
        divided.push(divided[0].clone());
        assert_eq!(differences(&divided), Vec::<String>::new());
    }

    #[test]
    fn two_tubes_that_changed_places_are_both_named() {
        let mut fills = as_planned();
        fills[0].well = Some(well("B1"));
        fills[1].well = Some(well("A1"));
        assert_eq!(
            differences(&fills),
            [
                "tube T2 was put into well A1, where the plan has tube T1",
                "tube T1 was put into well B1, where the plan has tube T2",
            ]
        );
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        for (change, expected) in [
            (vec![("A1", tube("T1"), "5")], "well A1 was filled 2 times"),
            (vec![("F1", tube("T1"), "5")], "well F1 was filled, and the plan leaves it empty"),
            (
                vec![("D1", Material::Control(Control::Positive), "5")],
                "well E1 was not filled; the plan has a negative control there",
            ),
        ] {
            let mut fills = as_planned();
            fills.extend(change.into_iter().map(|(at, what, much)| fill(at, what, much)));
            assert_eq!(differences(&fills), [expected]);
        }
        for (material, volume, expected) in [
            (
                Material::Control(Control::Negative),
                "5",
                "a negative control was put into well A1, where the plan has tube T1",
            ),
            (
                Material::Unknown,
                "5",
                "what line 7 of log 1 put into well A1 is no tube and no control known here",
            ),
            (
                Material::Mixture,
                "5",
                "the tip of line 7 of log 1 had drawn from several places before well A1",
            ),
            (tube("T1"), "4.4", "well A1 got 4.4 µL of 5 µL"),
            (tube("T1"), "5.6", "well A1 got 5.6 µL of 5 µL"),
        ] {
            let mut fills = as_planned();
            fills[0] = fill("A1", material, volume);
            assert_eq!(differences(&fills), [expected]);
        }
        assert_eq!(
            differences(&as_planned()[1..]),
            ["well A1 was not filled; the plan has tube T1 there"]
        );
    }

    #[test]
    fn a_tube_in_the_well_of_a_control_is_found_even_when_controls_are_pipetted_by_hand() {
        let mut fills = as_planned();
        fills[2].well = Some(well("D1"));
        assert_eq!(
            differences(&fills),
            [
                "tube T3 was put into well D1, where the plan has a positive control",
                "well C1 was not filled; the plan has tube T3 there",
                "well E1 was not filled; the plan has a negative control there",
            ]
        );
    }

    #[test]
    fn a_tip_that_held_another_tube_is_named_and_one_that_held_the_same_or_water_is_not() {
        let mut fills = as_planned();
        fills[0].carried = vec![tube("T1"), Material::Unknown];
        assert_eq!(differences(&fills), Vec::<String>::new());
        fills[1].carried = vec![tube("T1"), Material::Control(Control::Positive), Material::Moved];
        let came = |what: &str| {
            format!(
                "the tip of line 7 of log 1 had taken up {what} and was neither washed nor \
                 changed before well B1"
            )
        };
        let named = ["a positive control", "a tube from a place that held several", "tube T1"];
        assert_eq!(differences(&fills), named.map(came));
    }

    #[test]
    fn a_tip_that_stirs_or_brings_a_reagent_is_named_for_what_clings_to_it_and_fills_nothing() {
        let unclean = |at: &str, carried| Fill { carried, ..fill(at, Material::Neutral, "50") };
        let mut fills = as_planned();
        fills.push(unclean("A1", vec![tube("T1"), Material::Unknown]));
        fills.push(unclean("E1", vec![Material::Control(Control::Negative)]));
        fills.push(unclean("F1", vec![tube("T1")]));
        assert_eq!(differences(&fills), Vec::<String>::new(), "what belongs there, or no well");
        fills.push(unclean("B1", vec![tube("T1")]));
        fills.push(unclean("E1", vec![tube("T3")]));
        let came = |what: &str, well: &str| {
            format!(
                "the tip of line 7 of log 1 had taken up {what} and was neither washed nor \
                 changed before well {well}"
            )
        };
        assert_eq!(differences(&fills), [came("tube T1", "B1"), came("tube T3", "E1")]);
        let stirred_only = [unclean("A1", vec![tube("T1")])];
        let missing = differences(&stirred_only);
        assert!(missing[0].starts_with("well A1 was not filled"), "{missing:?}");
    }

    #[test]
    fn what_contradicts_the_plan_is_named_and_what_repeats_it_is_not() {
        let volume = |text| Volume::parse(text);
        let planned = Planned { volume: volume("5").unwrap(), tolerance: 10 };
        assert_eq!(planned.against(None, None), []);
        assert_eq!(planned.against(volume("5.0"), Some(10)), []);
        let reasons = planned.against(volume("4"), Some(50));
        let about: Vec<_> = reasons.iter().map(|reason| reason.about.as_str()).collect();
        assert_eq!(about, ["volume", "tolerance"]);
        assert!(reasons[0].message.contains("planned with 5 µL"), "{}", reasons[0].message);
        let (nanolitres, percent) = planned.columns();
        assert_eq!(Planned::stored(nanolitres, percent), Some(planned));
        assert_eq!(Planned::stored(0, percent), None);
    }

    #[test]
    fn a_place_off_the_plate_and_a_line_of_error_are_named() {
        let mut fills = as_planned();
        fills.push(Fill { well: None, ..fills[0].clone() });
        let planned = Planned { volume: Volume::parse("5").unwrap(), tolerance: 10 };
        let found = compare(&layout(), planned, &fills, &[(2, 9)]);
        assert_eq!(
            found,
            [Difference::OffPlate { log: 1, line: 7 }, Difference::ErrorRecord { log: 2, line: 9 }]
        );
    }
}
