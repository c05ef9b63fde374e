//! The instrument of the simulated laboratory: a frozen plate and the truth give a run.

use super::city::City;
use super::curves::curves;
use super::files::{SimulatedRun, SimulatedWell, cfx_csv, quantstudio_text_with};
use super::laboratory::{control_ct, internal_ct, mixed_ct, viral_ct};
use crate::clock::Time;
use crate::instrument::Ct;
use crate::plate::api::{PlateAnswer, WellAnswer};
use crate::plate::{Control, NotAWell, PlateSize};

/// Whose instrument ran a plate, and with it the format of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// A `QuantStudio` and its text export.
    AppliedBiosystems,
    /// A CFX and the CSV of its Cq results.
    BioRad,
}

/// How the run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Luck {
    /// As it should.
    Good,
    /// The positive control was forgotten: nothing amplifies in its well.
    NoPositiveControl,
}

/// The targets of the kit the demo runs, with the dye each maker reads them in.
const TARGETS: [(&str, [&str; 2]); 3] =
    [("ORF1ab", ["FAM", "FAM"]), ("N", ["VIC", "HEX"]), ("IC", ["CY5", "Cy5"])];
/// The target that every swab shows.
pub(super) const INTERNAL: &str = "IC";

impl Maker {
    /// The file this maker's program writes, and the name an operator gives it. The export of
    /// Bio-Rad's has no curves; those of the other are drawn from the seed.
    pub fn write(self, run: &SimulatedRun, seed: u64) -> (String, String) {
        match self {
            Self::AppliedBiosystems => {
                let text = quantstudio_text_with(run, &curves(run, seed));
                (format!("{}.txt", run.plate_barcode), text)
            }
            Self::BioRad => (format!("{}%20Cq%20Results.csv", run.plate_barcode), cfx_csv(run)),
        }
    }

    fn dye(self, dyes: [&'static str; 2]) -> &'static str {
        match self {
            Self::AppliedBiosystems => dyes[0],
            Self::BioRad => dyes[1],
        }
    }

    fn task(self, control: Option<Control>) -> &'static str {
        match (self, control) {
            (Self::AppliedBiosystems, Some(Control::Negative)) => "NTC",
            (Self::AppliedBiosystems, Some(Control::Positive)) => "POSITIVE_CONTROL",
            (Self::AppliedBiosystems, _) => "UNKNOWN",
            (Self::BioRad, Some(Control::Negative)) => "Neg Ctrl",
            (Self::BioRad, Some(Control::Positive)) => "Pos Ctrl",
            (Self::BioRad, _) => "Unkn",
        }
    }
}

/// A plate on its way through the instrument.
#[derive(Debug, Clone, Copy)]
pub struct Loaded<'a> {
    /// The frozen plate.
    pub plate: &'a PlateAnswer,
    /// Whose instrument it stands in.
    pub maker: Maker,
    /// When it ends.
    pub ends: Time,
}

/// The run of a loaded plate. `ct` says where a target of a well crosses its threshold, if it does.
pub fn run(
    loaded: Loaded<'_>,
    mut ct: impl FnMut(&WellAnswer, &'static str) -> Option<Ct>,
) -> Result<SimulatedRun, NotAWell> {
    let mut wells = Vec::with_capacity(loaded.plate.wells.len() * TARGETS.len());
    for place in &loaded.plate.wells {
        let what = match (&place.tube, &place.pool, place.control) {
            (Some(code), _, _) | (None, Some(code), _) => code.clone(),
            (None, None, Some(control)) => format!("{control} control"),
            (None, None, None) => String::new(),
        };
        for (target, dyes) in TARGETS {
            wells.push(SimulatedWell {
                well: place.well.parse()?,
                sample: what.clone(),
                target: target.to_owned(),
                dye: loaded.maker.dye(dyes).to_owned(),
                task: loaded.maker.task(place.control).to_owned(),
                ct: ct(place, target),
            });
        }
    }
    let written = loaded.ends.local();
    let half = if written.get(11..13).is_some_and(|hour| hour < "12") { "AM" } else { "PM" };
    let plate_size = if loaded.plate.size == 384 { PlateSize::P384 } else { PlateSize::P96 };
    Ok(SimulatedRun {
        plate_size,
        plate_barcode: loaded.plate.code.clone(),
        instrument: "QuantStudio(TM) 7 Flex System".to_owned(),
        serial: "278880000".to_owned(),
        run_ended: format!("{written} {half} CST"),
        wells,
    })
}

/// Where one target of one well crosses its threshold, if it does. `members` gives the people in a
/// tube.
pub fn amplify<'m>(
    (place, target): (&WellAnswer, &str),
    luck: Luck,
    city: &mut City,
    members: impl Fn(&str) -> &'m [usize],
) -> Option<Ct> {
    let tubes = place.tube.iter().chain(&place.pooled);
    let people: Vec<usize> = tubes.flat_map(|tube| members(tube)).copied().collect();
    match (&people[..], place.control) {
        ([], Some(Control::Positive)) if luck == Luck::Good => Some(control_ct(&mut city.rng)),
        ([], _) => None,
        _ if target == INTERNAL => Some(internal_ct(&mut city.rng)),
        _ if city.any_infected(&people) => {
            let ct = if place.pool.is_some() { mixed_ct } else { viral_ct };
            Some(ct(&mut city.rng, city.load, people.len()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plate with the infected person's pool in A1, a healthy single tube in C1, and controls.
    fn plate() -> PlateAnswer {
        let well = |well: &str, tube: Option<&str>, control| WellAnswer {
            well: well.to_owned(),
            reaction: "mix".to_owned(),
            tube: tube.map(str::to_owned),
            pool: None,
            pooled: Vec::new(),
            depth: 0,
            control,
        };
        PlateAnswer {
            code: "P00000000009".to_owned(),
            state: "frozen".to_owned(),
            laboratory: "L01".to_owned(),
            kit: "orf1ab-n-ic".to_owned(),
            kit_version: "1".to_owned(),
            lot: None,
            template: "one-well-94-columns".to_owned(),
            volume: "5".to_owned(),
            tolerance: 10,
            size: 96,
            wells: vec![
                well("A1", Some("POOL"), None),
                well("B1", None, Some(Control::Negative)),
                well("C1", Some("SINGLE"), None),
                well("C11", None, Some(Control::Positive)),
            ],
            frozen_at: None,
            stamp: None,
            stamped_onto: None,
            discarded: None,
            warnings: Vec::new(),
        }
    }

    /// Which wells show each target.
    fn amplified(maker: Maker, luck: Luck) -> Vec<(String, Vec<String>)> {
        let mut city = City::new(7, 120).unwrap();
        let infected = city.people.iter().position(|person| person.infected).unwrap();
        let (pool, single) = ([infected, infected ^ 1], [infected ^ 1]);
        let members = |tube: &str| if tube == "POOL" { &pool[..] } else { &single[..] };
        let ends = Time::from_us(1_592_697_600_000_000);
        let loaded = Loaded { plate: &plate(), maker, ends };
        let seen = |place: &WellAnswer, target| amplify((place, target), luck, &mut city, members);
        let run = run(loaded, seen).unwrap();
        assert_eq!(run.run_ended, "2020-06-21 08:00:00 AM CST");
        let shown = |target: &str| {
            let with = run.wells.iter().filter(|well| well.target == target && well.ct.is_some());
            with.map(|well| well.well.to_string()).collect::<Vec<_>>()
        };
        TARGETS.iter().map(|(target, _)| ((*target).to_owned(), shown(target))).collect()
    }

    #[test]
    fn the_virus_shows_where_somebody_is_infected_and_in_the_positive_control() {
        for maker in [Maker::AppliedBiosystems, Maker::BioRad] {
            for (target, wells) in amplified(maker, Luck::Good) {
                let human = ["A1", "C1", "C11"];
                assert_eq!(wells, if target == INTERNAL { &human[..] } else { &["A1", "C11"] });
            }
        }
    }

    #[test]
    fn a_forgotten_positive_control_silences_its_well_and_no_other() {
        for (target, wells) in amplified(Maker::BioRad, Luck::NoPositiveControl) {
            assert_eq!(wells, if target == INTERNAL { &["A1", "C1"][..] } else { &["A1"] });
        }
    }
}
