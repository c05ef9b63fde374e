//! Who lives together and who is infected: the truth nobody in the city is told.
//!
//! People live in blocks of twelve, each divided into four households by the seed, so that a
//! person's household is found without a list. Households are infected, and somebody in one who
//! is not the first catches it from the first; who is infected is decided once and kept, in order.

use super::chance::{About, below, draw, share};

/// People in a block, and households.
const BLOCK: (u32, u32) = (12, 4);
/// How a block of twelve can be divided into four households.
const DIVISIONS: [[u32; 4]; 8] = [
    [3, 3, 3, 3],
    [2, 3, 3, 4],
    [1, 3, 4, 4],
    [2, 2, 3, 5],
    [1, 2, 4, 5],
    [1, 1, 4, 6],
    [4, 2, 4, 2],
    [3, 1, 5, 3],
];
/// How often somebody catches it from the first of the household.
const ATTACK: f64 = 0.3;
/// People in a household on average, the same in every division.
const HOUSEHOLD: f64 = 3.0;
/// Largest share of infected people.
pub const PREVALENCE_MAX: f64 = 0.5;
/// Ct of a swab tested alone, in thousandths: of most a lot of virus, of some very little.
const ALONE: (u64, u64) = (22_000, 15_000);
/// From this Ct on nothing is seen within the cycles that are run, in thousandths. It stays below
/// the cut-offs of the kit, so that no tube is in doubt: it is seen, or it is not.
const SEEN: i64 = 37_500;
/// What doubling the people of a tube costs, in thousandths of a cycle (as in `laboratory`).
const DOUBLING: i64 = 600;

/// Who is infected, and how strongly.
#[derive(Debug, Clone)]
pub(super) struct City {
    /// Decides everything.
    pub(super) seed: u64,
    /// How many live there.
    pub(super) people: u32,
    infected: Vec<u32>,
}

/// The number of the household somebody lives in.
pub(super) fn household(seed: u64, person: u32) -> u32 {
    let mut left = person % BLOCK.0;
    let division = division(seed, person / BLOCK.0);
    let in_block = division.iter().position(|size| match left.checked_sub(*size) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    });
    let in_block = in_block.and_then(|place| u32::try_from(place).ok());
    person / BLOCK.0 * BLOCK.1 + in_block.expect("the households of a block hold its people")
}

fn division(seed: u64, block: u32) -> &'static [u32; 4] {
    let drawn = below(seed, About::Block, u64::from(block), DIVISIONS.len() as u64);
    &DIVISIONS[usize::try_from(drawn).unwrap_or(0)]
}

impl City {
    /// The city of this seed, of whose people about that share is infected.
    pub(super) fn new(seed: u64, people: u32, prevalence: f64) -> Self {
        let caught = prevalence * HOUSEHOLD / (1.0 + ATTACK * (HOUSEHOLD - 1.0));
        let mut infected = Vec::new();
        for block in 0..people.div_ceil(BLOCK.0) {
            let mut first = block * BLOCK.0;
            for (household, size) in (block * BLOCK.1..).zip(division(seed, block)) {
                if share(seed, About::Household, household.into()) < caught {
                    let brought = below(seed, About::First, household.into(), u64::from(*size));
                    let brought = first + u32::try_from(brought).unwrap_or(0);
                    let ill = |person: &u32| {
                        *person == brought || share(seed, About::Contact, (*person).into()) < ATTACK
                    };
                    infected.extend((first..first + size).filter(ill).filter(|n| *n < people));
                }
                first += size;
            }
        }
        Self { seed, people, infected }
    }

    /// Everybody who is infected, in order.
    #[cfg(test)]
    pub(super) fn infected(&self) -> &[u32] {
        &self.infected
    }

    /// Whether this person is.
    pub(super) fn is_infected(&self, person: u32) -> bool {
        self.infected.binary_search(&person).is_ok()
    }

    /// Where a tube of these people crosses its threshold, in thousandths of a cycle; none when
    /// nothing is seen: nobody is infected, or too little of it is left among so many.
    pub(super) fn ct(&self, members: impl IntoIterator<Item = u32>) -> Option<i64> {
        let (mut count, mut strongest) = (0_u32, None::<i64>);
        for person in members {
            count += 1;
            if self.is_infected(person) {
                let alone = self.alone(person);
                strongest = Some(strongest.map_or(alone, |other| other.min(alone)));
            }
        }
        let diluted = strongest? + i64::from(count.max(1).ilog2()) * DOUBLING;
        (diluted < SEEN).then_some(diluted)
    }

    /// Ct of an infected person's swab alone, in thousandths.
    fn alone(&self, person: u32) -> i64 {
        // The higher of the figures squared: few are far up.
        let drawn = draw(self.seed, About::Load, person.into()) >> 48;
        i64::try_from(ALONE.0 + ((((ALONE.1 * drawn) >> 16) * drawn) >> 16)).unwrap_or(SEEN)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_seed_is_the_same_city_again() {
        let infected = |seed| City::new(seed, 60_000, 0.01).infected;
        assert_eq!(infected(3), infected(3));
        assert_ne!(infected(3), infected(4));
        assert!(infected(3).is_sorted());
        assert!(City::new(3, 60_000, 0.0).infected.is_empty());
    }

    #[test]
    fn about_as_many_are_infected_as_was_asked_for() {
        for (prevalence, within) in [(0.001, 0.15), (0.01, 0.05), (0.2, 0.02), (0.5, 0.02)] {
            let found =
                f64::from(u32::try_from(City::new(1, 600_000, prevalence).infected.len()).unwrap());
            let wanted = prevalence * 600_000.0;
            assert!((found / wanted - 1.0).abs() < within, "{found} for {wanted}");
        }
    }

    #[test]
    fn infection_runs_in_households() {
        let city = City::new(5, 120_000, 0.01);
        let mut sizes = BTreeMap::new();
        for person in 0..city.people {
            *sizes.entry(household(5, person)).or_insert(0_u32) += 1;
        }
        assert_eq!(sizes.len(), 40_000);
        assert!(sizes.values().all(|size| (1..=6).contains(size)));
        let mut ill = BTreeMap::new();
        for person in &city.infected {
            *ill.entry(household(5, *person)).or_insert(0_u32) += 1;
        }
        // With 1,200 spread evenly over 40,000 households hardly 20 would have two.
        let several = ill.values().filter(|count| **count > 1).count();
        assert!(several > 150, "{several} of {}", ill.len());
    }

    #[test]
    fn whoever_is_infected_is_seen_alone_and_may_be_missed_among_ten() {
        let city = City::new(9, 240_000, 0.02);
        let healthy = || (0..240_000).filter(|person| !city.is_infected(*person)).take(9);
        let mut missed = 0;
        for person in city.infected() {
            let alone = city.ct([*person]).expect("a swab alone is seen");
            match city.ct(healthy().chain([*person])) {
                Some(ct) => assert_eq!(ct, alone + 3 * DOUBLING),
                None => missed += 1,
            }
        }
        let share = f64::from(missed) / f64::from(u32::try_from(city.infected.len()).unwrap());
        assert!((0.01..0.1).contains(&share), "{share}");
        assert_eq!(city.ct(healthy()), None);
    }
}
