//! Who lives in the city, who is infected, and what will happen to whose tube: the truth that
//! nobody who works there is told.

use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::Failure;
use super::laboratory;
use super::people::{SimulatedPerson, person};

/// People swabbed into one tube in the street.
pub const POOL: u8 = 10;
/// One person in so many comes for a tube of their own.
const SINGLE_OF: usize = 32;
/// Of so many newcomers one is infected.
const INFECTED_OF: u32 = 600;
/// Of so many tubes of newcomers one is lost and two leak.
const SPOILT_OF: u32 = 200;
/// Fewest people of a city: enough for the three pools with a fate and some without.
pub const PEOPLE_MIN: u32 = 60;
/// Most people of a city; beyond, a morning is no longer played in a moment.
pub const PEOPLE_MAX: u32 = 20_000;

/// People who are swabbed into one tube.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Their places in [`City::people`], in the order they stand in line.
    pub members: Vec<usize>,
    /// People their tube can hold.
    pub size: u8,
}

/// What happens to a group's tube.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is accepted, and nobody in it is infected.
    Negative,
    /// It is accepted, and one person in it is infected.
    Positive,
    /// It leaks, and the laboratory refuses it.
    Refused,
    /// It stands in the manifest and is never seen again.
    Missing,
}

/// Everybody, and what is true of them.
#[derive(Debug, Clone)]
pub struct City {
    /// Everybody.
    pub people: Vec<SimulatedPerson>,
    /// Who is swabbed together, in the order of the morning.
    pub groups: Vec<Group>,
    /// What the infected person carries, as the Ct of their swab alone in thousandths.
    pub load: i64,
    fates: Vec<Fate>,
    group_of: Vec<usize>,
    /// What else is left to chance.
    pub rng: ChaCha8Rng,
}

impl City {
    /// The city of this seed: one infected person, in a full pool that reaches the laboratory.
    pub fn new(seed: u64, count: u32) -> Result<Self, Failure> {
        if !(PEOPLE_MIN..=PEOPLE_MAX).contains(&count) {
            let (least, most) = (PEOPLE_MIN, PEOPLE_MAX);
            return Err(Failure::People { people: count, least, most });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut people: Vec<_> = (0..count).map(|number| person(&mut rng, number)).collect();
        let mut groups = stand_in_line(people.len());
        groups.shuffle(&mut rng);
        let mut full: Vec<usize> =
            (0..groups.len()).filter(|&i| groups[i].members.len() == usize::from(POOL)).collect();
        full.shuffle(&mut rng);
        let mut fates = vec![Fate::Negative; groups.len()];
        for (group, fate) in full.iter().zip([Fate::Positive, Fate::Refused, Fate::Missing]) {
            fates[*group] = fate;
        }
        let infected = groups[full[0]].members.choose(&mut rng).expect("a full pool has members");
        people[*infected].infected = true;
        let mut group_of = vec![0; people.len()];
        for (number, group) in groups.iter().enumerate() {
            for member in &group.members {
                group_of[*member] = number;
            }
        }
        let load = laboratory::load(&mut rng);
        Ok(Self { people, groups, load, fates, group_of, rng })
    }

    /// A city in which everybody comes for a tube of their own, and that many are infected.
    pub fn of_singles(seed: u64, count: u32, infected: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut people: Vec<_> = (0..count).map(|number| person(&mut rng, number)).collect();
        let mut line: Vec<usize> = (0..people.len()).collect();
        line.shuffle(&mut rng);
        for person in line.iter().take(infected) {
            people[*person].infected = true;
        }
        let group_of: Vec<usize> = (0..people.len()).collect();
        let groups = group_of.iter().map(|one| Group { members: vec![*one], size: 1 }).collect();
        let fates = vec![Fate::Negative; people.len()];
        let load = laboratory::load(&mut rng);
        Self { people, groups, load, fates, group_of, rng }
    }

    /// Another group of people comes from out of town to be swabbed together; one person in
    /// `INFECTED_OF` is infected, and few tubes leak or are lost.
    pub fn newcomers(&mut self, size: u8) -> (Group, Fate) {
        let first = self.people.len();
        for number in (first..).take(usize::from(size)) {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let mut newcomer = person(&mut self.rng, number);
            newcomer.infected = self.rng.random_range(0..INFECTED_OF) == 0;
            self.people.push(newcomer);
            self.group_of.push(self.groups.len());
        }
        let members: Vec<usize> = (first..self.people.len()).collect();
        let fate = match self.rng.random_range(0..SPOILT_OF) {
            0 => Fate::Missing,
            1 | 2 => Fate::Refused,
            _ if self.any_infected(&members) => Fate::Positive,
            _ => Fate::Negative,
        };
        let group = Group { members, size };
        self.groups.push(group.clone());
        self.fates.push(fate);
        (group, fate)
    }

    /// What happens to the tube of that group.
    pub fn fate(&self, group: usize) -> Fate {
        self.fates[group]
    }

    /// What happens to the tube that person was first swabbed into.
    pub fn fate_of(&self, person: usize) -> Fate {
        self.fates[self.group_of[person]]
    }

    /// Whether anybody of these is infected.
    pub fn any_infected(&self, members: &[usize]) -> bool {
        members.iter().any(|member| self.people[*member].infected)
    }

    /// Whose ID number that is.
    pub fn whose(&self, id_number: &str) -> Option<usize> {
        self.people.iter().position(|person| person.id_number == id_number)
    }
}

fn stand_in_line(people: usize) -> Vec<Group> {
    let everybody: Vec<usize> = (0..people).collect();
    let (pooled, single) = everybody.split_at(people - people / SINGLE_OF);
    let pools = pooled.chunks(usize::from(POOL)).map(|members| (members, POOL));
    let singles = single.chunks(1).map(|member| (member, 1));
    pools.chain(singles).map(|(members, size)| Group { members: members.to_vec(), size }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_stands_in_exactly_one_group() {
        let city = City::new(1, 960).unwrap();
        let sizes = |size| city.groups.iter().filter(|group| group.size == size).count();
        assert_eq!((sizes(10), sizes(1)), (93, 30));
        let mut swabbed: Vec<usize> =
            city.groups.iter().flat_map(|group| group.members.clone()).collect();
        swabbed.sort_unstable();
        assert_eq!(swabbed, (0..960).collect::<Vec<_>>());
    }

    #[test]
    fn one_person_is_infected_and_three_pools_have_a_fate_of_their_own() {
        for seed in 0..50 {
            let city = City::new(seed, 120).unwrap();
            let infected: Vec<usize> =
                (0..120).filter(|person| city.people[*person].infected).collect();
            assert_eq!(infected.len(), 1);
            assert_eq!(city.fate_of(infected[0]), Fate::Positive);
            for fate in [Fate::Positive, Fate::Refused, Fate::Missing] {
                let mut with = (0..city.groups.len()).filter(|group| city.fate(*group) == fate);
                let group = &city.groups[with.next().unwrap()];
                assert_eq!(city.any_infected(&group.members), fate == Fate::Positive);
                assert_eq!((group.members.len(), with.next()), (10, None));
            }
        }
    }

    #[test]
    fn newcomers_are_like_everybody_and_few_are_infected() {
        let mut city = City::new(5, 120).unwrap();
        let groups: Vec<_> = (0..1_000).map(|_| city.newcomers(10)).collect();
        let infected = city.people.iter().skip(120).filter(|person| person.infected).count();
        assert!((1..60).contains(&infected), "{infected}");
        let positive = groups.iter().filter(|(_, fate)| *fate == Fate::Positive).count();
        assert!((1..=infected).contains(&positive), "{positive}");
        assert_eq!(city.people.len(), 10_120);
        let (last, fate) = groups.last().unwrap();
        assert_eq!(city.fate_of(last.members[9]), *fate);
    }

    #[test]
    fn a_seed_is_the_same_city_again_and_a_city_has_its_bounds() {
        let groups = |seed| City::new(seed, 120).unwrap().groups;
        assert_eq!(groups(3), groups(3));
        assert_ne!(groups(3), groups(4));
        assert!(City::new(1, PEOPLE_MIN - 1).is_err());
        assert!(City::new(1, PEOPLE_MAX + 1).is_err());
    }
}
