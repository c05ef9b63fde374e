//! What is in a robot's tips between an aspirate and a dispense.

use std::collections::{BTreeMap, VecDeque};

use super::{Origin, Place, Volume};

/// Tips that the log tells apart, by a name such as pod and probe.
#[derive(Debug, Default)]
pub(super) struct Tips(BTreeMap<String, Tip>);

#[derive(Debug, Default)]
struct Tip {
    /// Where its liquid came from since it last began to dispense.
    from: Vec<Place>,
    dispensed: bool,
}

impl Tips {
    /// The tip takes liquid up.
    pub fn aspirate(&mut self, tip: &str, place: Place) {
        let tip = self.0.entry(tip.to_owned()).or_default();
        if std::mem::take(&mut tip.dispensed) {
            tip.from.clear();
        }
        if !tip.from.iter().any(|known| known.is(&place)) {
            tip.from.push(place);
        }
    }

    /// The tip gives liquid off; what was in it.
    pub fn dispense(&mut self, tip: &str) -> Origin {
        let Some(tip) = self.0.get_mut(tip) else { return Origin::Untold };
        tip.dispensed = true;
        match &tip.from[..] {
            [] => Origin::Untold,
            [one] => Origin::One(one.clone()),
            _ => Origin::Several,
        }
    }

    /// The tips are washed or dropped.
    pub fn wash(&mut self) {
        self.0.clear();
    }
}

/// Most places a tip is remembered by; more without a wash are found by these few.
const TOUCHED_MAX: usize = 16;

/// Where tips took from since they were washed or changed, by what tells them apart, if anything.
#[derive(Debug, Default)]
pub(super) struct Touched {
    places: BTreeMap<String, Vec<Place>>,
    earlier: Vec<Place>,
}

impl Touched {
    /// The tip takes from this place, on top of whatever was in it before.
    pub fn aspirate(&mut self, tip: &str, place: &Place) {
        let places = self.places.entry(tip.to_owned()).or_default();
        let other = |known: &&Place| !(known.is(place) && known.tube == place.tube);
        self.earlier = places.iter().filter(other).cloned().collect();
        if self.earlier.len() == places.len() {
            places.push(place.clone());
        }
        if places.len() > TOUCHED_MAX {
            places.remove(0);
        }
    }

    /// Where the tip that took up last had taken from before.
    pub fn earlier(&self) -> Vec<Place> {
        self.earlier.clone()
    }

    /// The tips are washed or changed.
    pub fn wash(&mut self) {
        self.places.clear();
        self.earlier.clear();
    }
}

/// Tips that the log does not tell apart: whoever aspirated first dispenses first, and one that
/// still holds enough may dispense again.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<(Place, Volume)>,
    last: Option<(Place, Volume)>,
}

impl Queue {
    /// Some tip takes liquid up.
    pub fn aspirate(&mut self, place: Place, volume: Volume) {
        self.waiting.push_back((place, volume));
    }

    /// Some tip gives liquid off; what was in it.
    pub fn dispense(&mut self, volume: Volume) -> Origin {
        let rest = self.last.take().filter(|(_, held)| *held >= volume && !volume.is_nothing());
        let next = if self.waiting.is_empty() { rest } else { self.waiting.pop_front() };
        let Some((place, held)) = next else { return Origin::Untold };
        let left = Volume::from_nl(held.nl().saturating_sub(volume.nl())).unwrap_or_default();
        self.last = Some((place.clone(), left));
        Origin::One(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plate::robot::Spot;

    fn place(spot: u16) -> Place {
        let (label, barcode, tube) = ("S".to_owned(), String::new(), String::new());
        Place { label, barcode, spot: Spot::RowMajor(spot), tube }
    }

    fn volume(text: &str) -> Volume {
        Volume::parse(text).unwrap()
    }

    #[test]
    fn a_tip_dispenses_what_it_took_up_as_often_as_it_likes() {
        let mut tips = Tips::default();
        assert_eq!(tips.dispense("1"), Origin::Untold);
        tips.aspirate("1", place(1));
        tips.aspirate("2", place(2));
        assert_eq!(tips.dispense("1"), Origin::One(place(1)));
        assert_eq!(tips.dispense("1"), Origin::One(place(1)));
        assert_eq!(tips.dispense("2"), Origin::One(place(2)));
        tips.aspirate("1", place(3));
        assert_eq!(tips.dispense("1"), Origin::One(place(3)));
        tips.wash();
        assert_eq!(tips.dispense("1"), Origin::Untold);
    }

    #[test]
    fn a_tip_that_took_up_from_two_places_holds_a_mixture() {
        let mut tips = Tips::default();
        tips.aspirate("1", place(1));
        tips.aspirate("1", place(1));
        assert_eq!(tips.dispense("1"), Origin::One(place(1)));
        tips.aspirate("1", place(1));
        tips.aspirate("1", place(2));
        assert_eq!(tips.dispense("1"), Origin::Several);
    }

    #[test]
    fn tips_without_names_dispense_in_the_order_they_took_up() {
        let mut queue = Queue::default();
        queue.aspirate(place(1), volume("50"));
        queue.aspirate(place(2), volume("50"));
        assert_eq!(queue.dispense(volume("50")), Origin::One(place(1)));
        assert_eq!(queue.dispense(volume("20")), Origin::One(place(2)));
        assert_eq!(queue.dispense(volume("20")), Origin::One(place(2)));
        assert_eq!(queue.dispense(volume("20")), Origin::Untold, "10 are left");
    }
}
