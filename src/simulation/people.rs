//! People who do not exist: seeded, with sound ID numbers of a region nobody was ever assigned.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use crate::barcode::check;

/// GB/T 2260 assigns no region code that begins with 99, so these numbers belong to nobody.
const NO_REGION: &str = "990000";
/// Family names; of nobody.
pub(super) const FAMILIES: [&str; 12] =
    ["Ao", "Bei", "Cen", "Dun", "Fei", "Gan", "Hou", "Jun", "Kuo", "Lai", "Mei", "Nuo"];
/// Given names; of nobody.
pub(super) const GIVEN: [&str; 12] =
    ["An", "Bo", "Chi", "Du", "En", "Fu", "Gu", "Hui", "Jie", "Ke", "Lu", "Min"];

/// Somebody of the simulated city.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedPerson {
    /// Invented name.
    pub name: String,
    /// Resident ID number of no region, with a sound check character.
    pub id_number: String,
    /// Invented phone number, of no operator's range.
    pub phone: String,
    /// Invented address.
    pub address: String,
    /// The truth nobody in the city knows.
    pub infected: bool,
}

/// The person with that number; the same seed gives the same city.
pub fn person(rng: &mut ChaCha8Rng, number: u32) -> SimulatedPerson {
    let pick = |rng: &mut ChaCha8Rng, of: &[&str; 12]| of[rng.random_range(0..of.len())].to_owned();
    let (family, given) = (pick(rng, &FAMILIES), pick(rng, &GIVEN));
    let (year, month, day) =
        (rng.random_range(1935..2018), rng.random_range(1..=12), rng.random_range(1..=28));
    // Two digits of the region and the sequence carry the number, so that nobody is doubled.
    let body = format!(
        "{}{:02}{year}{month:02}{day:02}{:03}",
        &NO_REGION[..4],
        number / 1000 % 100,
        number % 1000
    );
    let check = check::mod_11_2(&body).expect("the body is seventeen digits");
    SimulatedPerson {
        name: format!("{family} {given}-{number}"),
        id_number: format!("{body}{check}"),
        phone: format!("100{number:08}"),
        address: format!("Lane {}, House {}", number / 40 + 1, number % 40 + 1),
        infected: false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_people_again_and_nobody_twice() {
        let city = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            (0..5_000).map(|number| person(&mut rng, number)).collect::<Vec<_>>()
        };
        assert_eq!(city(7), city(7));
        assert_ne!(city(7), city(8));
        let numbers: BTreeSet<_> = city(7).into_iter().map(|person| person.id_number).collect();
        assert_eq!(numbers.len(), 5_000);
        for number in numbers {
            assert_eq!(check::mod_11_2(&number[..17]), number.chars().last());
        }
    }
}
