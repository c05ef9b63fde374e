//! Who stands in line where, and which tube of which box that gives: by arithmetic, for a city of
//! millions has no list of it.
//!
//! Everybody comes once in the first wave, households together. Whoever is recalled comes again in
//! the second, singly.

use std::ops::Range;

/// People that two swabs are apart: seconds from one to the next of a tube.
pub(super) const SWAB_S: i64 = 8;
/// One tube in so many leaks and is refused, and which of them.
const REFUSED: (u32, u32) = (1_000, 137);
/// One tube in so many is lost on the road, and which of them.
const LOST: (u32, u32) = (5_000, 211);
/// Boxes after which the devices' habits come again.
const HABITS: u32 = 16;

/// What a tube goes through on the road.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives.
    Sound,
    /// It leaks, and the laboratory refuses it.
    Refused,
    /// It stands in the manifest and is never seen again.
    Lost,
}

/// What the device of a box is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// It sends what it has, once.
    Plain,
    /// It has no network and sends when the others are done.
    Offline,
    /// It loses the answer and sends everything again.
    Twice,
    /// Its clock is wrong by these seconds.
    WrongClock(i64),
}

/// One wave of people coming to be swabbed.
#[derive(Debug)]
pub(super) struct Line {
    size: u8,
    again: Option<Vec<u32>>,
    sites: Vec<Stretch>,
    parcels: Vec<Parcel>,
}

/// What one site swabs: its places in line, and their tubes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stretch {
    places: Range<u32>,
    tubes: Range<u32>,
}

/// A box and what one device swabbed into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parcel {
    /// Its number within the wave.
    pub(super) number: u32,
    /// The site.
    pub(super) site: usize,
    /// Its tubes, by their numbers within the wave.
    pub(super) tubes: Range<u32>,
}

impl Parcel {
    /// What its device is like.
    pub(super) fn habit(&self) -> Habit {
        let minutes = 6 + i64::from(self.number % 80);
        match self.number % HABITS {
            5 => Habit::Offline,
            9 => Habit::Twice,
            12 => Habit::WrongClock(60 * minutes),
            14 => Habit::WrongClock(-60 * minutes),
            _ => Habit::Plain,
        }
    }

    /// How many tubes it holds.
    pub(super) fn count(&self) -> usize {
        self.tubes.len()
    }
}

impl Line {
    /// Everybody, spread evenly over the sites.
    pub(super) fn everybody(people: u32, size: u8, sites: u32, in_box: u32) -> Self {
        let first = |site| at_site(people, site, sites);
        let shares = (0..sites).map(|site| first(site + 1) - first(site));
        Self::of(shares, size, None, in_box)
    }

    /// Whoever comes again, in order, each to a tube of their own at the site they were at first.
    pub(super) fn again(again: Vec<u32>, people: u32, sites: u32, in_box: u32) -> Self {
        let before = |site| again.partition_point(|person| *person < at_site(people, site, sites));
        let count = |site| u32::try_from(before(site + 1) - before(site)).unwrap_or(u32::MAX);
        let shares: Vec<u32> = (0..sites).map(count).collect();
        Self::of(shares.into_iter(), 1, Some(again), in_box)
    }

    fn of(
        shares: impl Iterator<Item = u32>,
        size: u8,
        again: Option<Vec<u32>>,
        in_box: u32,
    ) -> Self {
        let (mut place, mut tube, mut sites, mut parcels) =
            (0, 0, Vec::new(), Vec::<Parcel>::new());
        for (site, share) in shares.enumerate() {
            let tubes = tube..tube + share.div_ceil(u32::from(size));
            sites.push(Stretch { places: place..place + share, tubes: tubes.clone() });
            for first in tubes.clone().step_by(usize::try_from(in_box).unwrap_or(usize::MAX)) {
                let tubes = first..(first + in_box).min(tubes.end);
                let number = u32::try_from(parcels.len()).unwrap_or(u32::MAX);
                parcels.push(Parcel { number, site, tubes });
            }
            (place, tube) = (place + share, tubes.end);
        }
        Self { size, again, sites, parcels }
    }

    /// People a tube of this wave can hold.
    pub(super) const fn size(&self) -> u8 {
        self.size
    }

    /// Whether this is the wave of those who were recalled.
    pub(super) const fn is_again(&self) -> bool {
        self.again.is_some()
    }

    /// Every box, in the order of the sites.
    pub(super) fn parcels(&self) -> &[Parcel] {
        &self.parcels
    }

    /// How many tubes the wave has.
    pub(super) fn tubes(&self) -> u32 {
        self.sites.last().map_or(0, |site| site.tubes.end)
    }

    /// How many people come.
    pub(super) fn people(&self) -> u32 {
        self.sites.last().map_or(0, |site| site.places.end)
    }

    /// The tubes of each site.
    pub(super) fn tubes_of_sites(&self) -> impl Iterator<Item = Range<u32>> {
        self.sites.iter().map(|site| site.tubes.clone())
    }

    /// Whether that tube of its site is the how-many-th, and of how many.
    pub(super) fn turn(&self, tube: u32) -> (u32, u32) {
        let site = self.site_of(tube);
        (tube - site.tubes.start, site.tubes.end - site.tubes.start)
    }

    /// Who is swabbed into that tube, in order.
    pub(super) fn members(&self, tube: u32) -> impl Iterator<Item = u32> + Clone {
        self.places(tube).map(|place| self.person(place))
    }

    /// How many people are in that tube.
    pub(super) fn count(&self, tube: u32) -> u8 {
        u8::try_from(self.places(tube).len()).unwrap_or(u8::MAX)
    }

    fn places(&self, tube: u32) -> Range<u32> {
        let site = self.site_of(tube);
        let first = site.places.start + (tube - site.tubes.start) * u32::from(self.size);
        first..(first + u32::from(self.size)).min(site.places.end)
    }

    fn site_of(&self, tube: u32) -> &Stretch {
        &self.sites[self.sites.partition_point(|site| site.tubes.end <= tube)]
    }

    fn person(&self, place: u32) -> u32 {
        match &self.again {
            None => place,
            Some(again) => usize::try_from(place).ok().map_or(place, |place| again[place]),
        }
    }

    /// The tube somebody of the first wave is swabbed into.
    pub(super) fn tube_of(&self, person: u32) -> u32 {
        let site = &self.sites[self.sites.partition_point(|site| site.places.end <= person)];
        site.tubes.start + (person - site.places.start) / u32::from(self.size)
    }

    /// What that tube goes through; whoever comes again is lucky.
    pub(super) fn fate(&self, tube: u32) -> Fate {
        match tube {
            _ if self.is_again() => Fate::Sound,
            _ if tube % LOST.0 == LOST.1 => Fate::Lost,
            _ if tube % REFUSED.0 == REFUSED.1 => Fate::Refused,
            _ => Fate::Sound,
        }
    }
}

/// The first person of that site.
fn at_site(people: u32, site: u32, sites: u32) -> u32 {
    let first = u64::from(people) * u64::from(site) / u64::from(sites);
    u32::try_from(first).unwrap_or(people)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_in_exactly_one_tube_and_every_tube_in_exactly_one_box() {
        for (people, size, sites) in [(1_003, 10, 3), (37, 20, 5), (40, 1, 1), (9, 5, 9)] {
            let line = Line::everybody(people, size, sites, 7);
            assert_eq!(line.people(), people);
            let swabbed: Vec<u32> = (0..line.tubes()).flat_map(|tube| line.members(tube)).collect();
            assert_eq!(swabbed, (0..people).collect::<Vec<_>>());
            let packed: Vec<u32> = line.parcels().iter().flat_map(|p| p.tubes.clone()).collect();
            assert_eq!(packed, (0..line.tubes()).collect::<Vec<_>>());
            for tube in 0..line.tubes() {
                assert!(line.members(tube).all(|person| line.tube_of(person) == tube));
                assert!((1..=size).contains(&line.count(tube)));
            }
        }
    }

    #[test]
    fn whoever_comes_again_comes_singly_to_the_site_of_before() {
        let line = Line::again(vec![2, 3, 70, 99], 100, 4, 200);
        assert_eq!((line.tubes(), line.size(), line.is_again()), (4, 1, true));
        let sites: Vec<_> = line.parcels().iter().map(|p| (p.site, p.tubes.clone())).collect();
        assert_eq!(sites, [(0, 0..2), (2, 2..3), (3, 3..4)]);
        assert_eq!(line.members(2).collect::<Vec<_>>(), [70]);
        assert_eq!(Line::again(Vec::new(), 100, 4, 200).tubes(), 0);
    }

    #[test]
    fn of_many_tubes_some_are_refused_and_some_are_lost_the_first_time() {
        let line = Line::everybody(10_000, 1, 2, 200);
        let with = |fate| (0..10_000).filter(|tube| line.fate(*tube) == fate).count();
        assert_eq!((with(Fate::Refused), with(Fate::Lost)), (10, 2));
        let again = Line::again((0..400).collect(), 10_000, 2, 200);
        assert!((0..400).all(|tube| again.fate(tube) == Fate::Sound));
    }

    #[test]
    fn devices_have_their_habits() {
        let line = Line::everybody(1_600, 10, 1, 10);
        let habits: Vec<Habit> = line.parcels().iter().map(Parcel::habit).collect();
        for habit in [Habit::Offline, Habit::Twice, Habit::WrongClock(60 * 18)] {
            assert!(habits.contains(&habit), "{habit:?}");
        }
        assert!(habits.iter().filter(|habit| **habit == Habit::Plain).count() > 10);
    }
}
