//! Which tube or control a dispense brought: what the robot scanned, who stood in the rack, or
//! what the plate held that was stamped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Origin, Place, Spot};
use crate::barcode::{Patterns, PoolCode, TubeCode};
use crate::plate::rack::Rack;
use crate::plate::worklist::control_named;
use crate::plate::{Content, Control, Layout};

/// What went into a well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "code", rename_all = "snake_case")]
pub enum Material {
    /// Liquid of one tube, by its code.
    Tube(String),
    /// Liquid of a laboratory pool, by its code.
    Pool(String),
    /// A control.
    Control(Control),
    /// Liquid of several places in one tip.
    Mixture,
    /// From a position that held another tube after the plate was frozen, or another than the log
    /// names.
    Moved,
    /// A reagent, or what the well held already: only what else clung to the tip counts.
    Neutral,
    /// Nobody knows what.
    Unknown,
}

impl Material {
    /// What a tip that took it up may carry on, in words; nothing of water and reagents.
    pub(super) fn clinging(&self) -> Option<String> {
        match self {
            Self::Tube(tube) => Some(format!("tube {tube}")),
            Self::Pool(pool) => Some(format!("pool {pool}")),
            Self::Control(control) => Some(format!("a {control} control")),
            Self::Moved => Some("a tube from a place that held several".to_owned()),
            Self::Mixture | Self::Neutral | Self::Unknown => None,
        }
    }
}

/// The scans of one rack that count for a plate, oldest first: the last before it was frozen, and
/// every later one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RackHistory(pub Vec<Rack>);

/// What is known of the sources a log may name.
#[derive(Debug)]
pub struct Known<'a> {
    /// Whose tube codes are welcome.
    pub patterns: &'a Patterns,
    /// Scanned racks, by code.
    pub racks: &'a BTreeMap<String, RackHistory>,
    /// Other plates of the laboratory that material may be stamped from, by what the log calls them.
    pub plates: &'a BTreeMap<String, Layout>,
}

impl Known<'_> {
    /// What a dispense brought.
    pub fn material(&self, origin: &Origin) -> Material {
        match origin {
            Origin::One(place) => self.at(place),
            Origin::Several => Material::Mixture,
            Origin::Untold => Material::Unknown,
        }
    }

    /// The tube's own barcode and the place it stood at have to agree where both are known: our own
    /// list, sent back as the log, names the planned tube whatever the robot found in its place. A
    /// rack goes before a labware that is a tube itself.
    pub(super) fn at(&self, place: &Place) -> Material {
        let names = [place.barcode.as_str(), place.label.as_str()];
        let rack = names.iter().find_map(|name| self.racks.get(*name));
        let layout = names.iter().find_map(|name| self.plates.get(*name));
        let stamped = layout.map(|layout| of_plate(layout, place.spot));
        if !place.tube.is_empty() {
            let told = self.named(&place.tube);
            let agrees = match (&told, rack, &stamped) {
                (Material::Unknown, ..) | (_, None, None) => true,
                (Material::Tube(tube), Some(rack), _) => rack.allows(place, tube),
                (_, Some(rack), _) => rack.at(place) == Material::Unknown,
                (_, None, Some(stood)) => *stood == Material::Unknown || *stood == told,
            };
            return if agrees { told } else { Material::Moved };
        }
        if let Some(stood) = rack.map(|rack| rack.at(place)).or(stamped) {
            return stood;
        }
        let own = names.map(|name| self.named(name));
        let found = own.into_iter().find(|material| *material != Material::Unknown);
        found.filter(|_| place.spot.is_first()).unwrap_or(Material::Unknown)
    }

    /// The tube or control of that name. A text that is neither is not repeated: it may be an
    /// identity card that lay under the scanner (R35).
    fn named(&self, text: &str) -> Material {
        if let Some(control) = control_named(text) {
            return Material::Control(control);
        }
        // Makers are registered, and one of them may begin its codes with our letter for pools.
        if let Ok(tube) = TubeCode::parse(text, self.patterns) {
            return Material::Tube(tube.to_string());
        }
        let pool = PoolCode::parse(text);
        pool.map_or(Material::Unknown, |code| Material::Pool(code.to_string()))
    }
}

/// What a plate holds at a place when it is filled.
pub(super) fn of_plate(plate: &Layout, spot: Spot) -> Material {
    let size = plate.size();
    match spot.on((size.rows(), size.columns())).map(|well| plate.content(well)) {
        Some(Content::Tube { tube, .. }) => Material::Tube(tube.clone()),
        Some(Content::Pool { pool, .. }) => Material::Pool(pool.clone()),
        Some(Content::Control { control, .. }) => Material::Control(*control),
        Some(Content::Nothing) | None => Material::Unknown,
    }
}

impl RackHistory {
    /// What each scan saw at a place, oldest first, without repetitions.
    fn seen(&self, place: &Place) -> Vec<Option<&String>> {
        let scans = self.0.iter().map(|rack| {
            let well = place.spot.on(rack.size().shape())?;
            rack.tubes().get(&well)
        });
        let mut seen: Vec<_> = scans.collect();
        seen.dedup();
        seen
    }

    /// What stood at a place of which the log says no more.
    fn at(&self, place: &Place) -> Material {
        match self.seen(place)[..] {
            [Some(tube)] => Material::Tube(tube.clone()),
            [None] | [] => Material::Unknown,
            _ => Material::Moved,
        }
    }

    /// Whether a log may name that tube there: no scan saw anything, or this tube was put there once
    /// and stands there still. A list from before a change names what was taken out since.
    fn allows(&self, place: &Place, tube: &str) -> bool {
        let seen = self.seen(place);
        let is_it = |held: Option<&String>| held.is_some_and(|held| held == tube);
        let times = seen.iter().filter(|held| is_it(**held)).count();
        seen.iter().all(Option::is_none)
            || (times == 1 && seen.last().is_some_and(|last| is_it(*last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barcode::{Alphabet, Pattern};
    use crate::plate::PlateSize;
    use crate::plate::rack::RackSize;

    fn place(label: &str, spot: u16, tube: &str) -> Origin {
        let (label, barcode, tube) = (label.to_owned(), String::new(), tube.to_owned());
        Origin::One(Place { label, barcode, spot: Spot::ColumnMajor(spot), tube })
    }

    fn rack(tubes: &[(&str, &str)]) -> Rack {
        let tubes = tubes.iter().map(|(well, tube)| (well.parse().unwrap(), (*tube).to_owned()));
        Rack::of(RackSize::R96, tubes.collect()).unwrap()
    }

    #[test]
    fn a_scanned_barcode_has_to_agree_with_its_position_and_a_rack_goes_before_a_label() {
        let code = TubeCode::numbered(1).unwrap().to_string();
        let other = TubeCode::numbered(2).unwrap().to_string();
        let scans = RackHistory(vec![rack(&[("A1", &code), ("B1", &other)])]);
        let racks = BTreeMap::from([("FX1".to_owned(), scans)]);
        let patterns = Patterns::default();
        let well = |at: &str, control| {
            let content = Content::Control { control, reaction: "mix".to_owned() };
            (at.parse().unwrap(), content)
        };
        let stamped = vec![well("A2", Control::Positive)];
        let stamped = Layout::explicit(PlateSize::P96, stamped).unwrap();
        let plates = BTreeMap::from([("P1".to_owned(), stamped)]);
        let known = Known { patterns: &patterns, racks: &racks, plates: &plates };
        let tube = |code: &str| Material::Tube(code.to_owned());
        for (origin, expected) in [
            (place("FX1", 1, &code), tube(&code)),
            (place("FX1", 2, &code), Material::Moved),
            (place("FX1", 3, &code), tube(&code)),
            (place("FX1", 1, "water"), Material::Unknown),
            (place("FX9", 2, &code), tube(&code)),
            (place("P1", 9, &code), Material::Moved),
            (place("P1", 9, "PC"), Material::Control(Control::Positive)),
            (place("FX1", 2, ""), tube(&other)),
            (place("FX1", 3, ""), Material::Unknown),
            (place("FX1", 97, ""), Material::Unknown),
            (place(&code, 1, ""), tube(&code)),
            (place(&code, 2, ""), Material::Unknown),
            (place("NTC", 1, ""), Material::Control(Control::Negative)),
            (place("X", 1, "ntc"), Material::Control(Control::Negative)),
            (place("trough", 1, ""), Material::Unknown),
            (place("P1", 9, ""), Material::Control(Control::Positive)),
            (place("P1", 1, ""), Material::Unknown),
            (Origin::Several, Material::Mixture),
            (Origin::Untold, Material::Unknown),
        ] {
            assert_eq!(known.material(&origin), expected, "{origin:?}");
        }
    }

    #[test]
    fn a_registered_maker_s_tube_that_begins_as_a_pool_is_a_tube_and_a_pool_is_a_pool() {
        let mut patterns = Patterns::default();
        patterns.add(Pattern::new("Tube Works", "M", 10, Alphabet::Digits).unwrap()).unwrap();
        let (racks, plates) = (BTreeMap::new(), BTreeMap::new());
        let known = Known { patterns: &patterns, racks: &racks, plates: &plates };
        let pool = PoolCode::numbered(123_456_789).unwrap().to_string();
        assert!(pool.starts_with('M'), "{pool}");
        assert_eq!(known.material(&place(&pool, 1, "")), Material::Pool(pool.clone()));
        let tube = "M123456789".to_owned();
        assert_eq!(known.material(&place("X", 1, &tube)), Material::Tube(tube.clone()));
        let stranger = Known { patterns: &Patterns::default(), ..known };
        assert_eq!(stranger.material(&place("X", 1, &tube)), Material::Unknown);
        assert_eq!(stranger.material(&place(&pool, 1, "")), Material::Pool(pool));
    }

    #[test]
    fn a_position_that_held_another_tube_since_is_not_trusted() {
        let scans = RackHistory(vec![
            rack(&[("A1", "T1"), ("B1", "T2")]),
            rack(&[("A1", "T1"), ("B1", "T3")]),
        ]);
        let racks = BTreeMap::from([("FX1".to_owned(), scans)]);
        let patterns = Patterns::default();
        let known = Known { patterns: &patterns, racks: &racks, plates: &BTreeMap::new() };
        assert_eq!(known.material(&place("FX1", 1, "")), Material::Tube("T1".to_owned()));
        assert_eq!(known.material(&place("FX1", 2, "")), Material::Moved);
    }

    #[test]
    fn a_list_made_after_the_rack_was_scanned_again_names_the_tubes_that_stand_there() {
        let [old, new] = [1, 2].map(|n| TubeCode::numbered(n).unwrap().to_string());
        let scans = vec![rack(&[("A1", &old)]), rack(&[("A1", &new), ("B1", &old)])];
        let racks = BTreeMap::from([("FX1".to_owned(), RackHistory(scans))]);
        let patterns = Patterns::default();
        let known = Known { patterns: &patterns, racks: &racks, plates: &BTreeMap::new() };
        for (spot, tube) in [(1, &new), (2, &old)] {
            assert_eq!(known.material(&place("FX1", spot, tube)), Material::Tube(tube.clone()));
        }
        assert_eq!(known.material(&place("FX1", 1, &old)), Material::Moved, "an older list");
        assert_eq!(known.material(&place("FX1", 2, &new)), Material::Moved);
        let back = [&old, &new, &old].map(|tube| rack(&[("A1", tube)]));
        let racks = BTreeMap::from([("FX1".to_owned(), RackHistory(back.to_vec()))]);
        let known = Known { racks: &racks, ..known };
        assert_eq!(known.material(&place("FX1", 1, &old)), Material::Moved, "before, or after?");
    }
}
