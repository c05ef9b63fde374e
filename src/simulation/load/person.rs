//! Somebody of a city that may have millions: a function of the seed and a number, written
//! straight into a request and never held.

use std::fmt;

use serde::{Serialize, Serializer};

use super::chance::{About, below};
use super::city::household;
use crate::barcode::check;
use crate::clock::Time;
use crate::simulation::people::{FAMILIES, GIVEN};

/// Most people there are numbers for.
pub const PEOPLE_MAX: u32 = 200_000_000;
/// Halves of months: the highest figures of a person's number are told by the day of birth.
const HALF_MONTHS: u32 = 24;
/// People told apart by the seven figures that stand in the ID number as they are.
const PLAIN: u32 = 10_000_000;
/// Households in a lane.
const LANE: u32 = 40;

/// Somebody of the city with that seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person {
    /// The city's seed.
    pub(super) seed: u64,
    /// Which person.
    pub(super) number: u32,
}

/// A resident ID number of no region (codes that begin with 99 were never assigned), with a sound
/// check character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdNumber([u8; 18]);

impl IdNumber {
    /// The number as it is printed.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an ID number is ASCII")
    }
}

impl Serialize for IdNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Writes `number` in as many figures as there is room.
fn figures(place: &mut [u8], mut number: u64) {
    for figure in place.iter_mut().rev() {
        *figure = b'0' + u8::try_from(number % 10).expect("one figure");
        number /= 10;
    }
}

impl Person {
    /// The ID number; nobody else of a city has it.
    pub(super) fn id_number(self) -> IdNumber {
        let (plain, high) = (self.number % PLAIN, self.number / PLAIN);
        let drawn = |bound| below(self.seed, About::Birth, u64::from(self.number), bound);
        let year = 1935 + drawn(83);
        let day = 1 + drawn(83 * 14) % 14 + u64::from(high % 2) * 14;
        let mut text = *b"990000190001010000";
        figures(&mut text[2..6], u64::from(plain / 1_000));
        figures(&mut text[6..10], year);
        figures(&mut text[10..12], u64::from(high / 2 % (HALF_MONTHS / 2)) + 1);
        figures(&mut text[12..14], day);
        figures(&mut text[14..17], u64::from(plain % 1_000));
        let body = std::str::from_utf8(&text[..17]).expect("an ID number is ASCII");
        let check = check::mod_11_2(body).expect("the body is seventeen figures");
        text[17] = u8::try_from(check).expect("the check character is ASCII");
        IdNumber(text)
    }

    /// Which person of a city an ID number is of.
    pub(super) fn whose(id_number: &str) -> Option<u32> {
        let part = |from, to| id_number.get(from..to)?.parse::<u32>().ok();
        let (region, month, day, last) = (part(2, 6)?, part(10, 12)?, part(12, 14)?, part(14, 17)?);
        let high = month.checked_sub(1)? * 2 + u32::from(day > 14);
        Some(high * PLAIN + region * 1_000 + last)
    }

    /// The swab of this person as a device writes it down.
    pub(super) fn swabbed(self, taken_at: Time) -> Swabbed {
        Swabbed {
            document: self.document(),
            name: Name(self),
            phone: Phone(self.number),
            address: Address(household(self.seed, self.number)),
            taken_at,
        }
    }

    /// What this person shows.
    pub(super) fn document(self) -> Document {
        Document { kind: "resident_id", number: self.id_number() }
    }
}

/// A member of a tube on its way into a request.
#[derive(Serialize)]
pub(super) struct Swabbed {
    document: Document,
    name: Name,
    phone: Phone,
    address: Address,
    taken_at: Time,
}

/// A document on its way into a request.
#[derive(Serialize)]
pub(super) struct Document {
    #[serde(rename = "type")]
    kind: &'static str,
    number: IdNumber,
}

/// Text that is written where it goes, without a string in between.
macro_rules! written {
    ($($thing:ty),*) => {$(
        impl Serialize for $thing {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

struct Name(Person);
struct Phone(u32);
struct Address(u32);
written!(Name, Phone, Address);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Person { seed, number } = self.0;
        let drawn = usize::try_from(below(seed, About::Name, u64::from(number), 144)).unwrap_or(0);
        write!(f, "{} {}-{number}", FAMILIES[drawn / 12], GIVEN[drawn % 12])
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "10{:09}", self.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lane {}, House {}", self.0 / LANE + 1, self.0 % LANE + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::collection::tube::MemberScan;

    #[test]
    fn nobody_is_doubled_and_every_number_leads_back_to_its_person() {
        let mut seen = BTreeSet::new();
        let spread = (0..5_000).chain((0..PEOPLE_MAX).step_by(39_989));
        for number in spread.chain([PLAIN - 1, PLAIN, PEOPLE_MAX - 1]) {
            let id = Person { seed: 7, number }.id_number();
            assert_eq!(check::mod_11_2(&id.as_str()[..17]), id.as_str().chars().last());
            assert_eq!(Person::whose(id.as_str()), Some(number), "{}", id.as_str());
            seen.insert((number, id.as_str().to_owned()));
        }
        let numbers: BTreeSet<_> = seen.iter().map(|(_, id)| id).collect();
        assert_eq!(numbers.len(), seen.len());
    }

    #[test]
    fn a_seed_is_the_same_people_and_what_is_written_is_what_the_api_reads() {
        let written = |seed, number| {
            let swabbed = Person { seed, number }.swabbed(Time::from_us(0));
            serde_json::to_string(&swabbed).unwrap()
        };
        assert_eq!(written(7, 41), written(7, 41));
        assert_ne!(written(7, 41), written(8, 41));
        let read: MemberScan = serde_json::from_str(&written(7, 41)).unwrap();
        assert!(read.name.ends_with("-41"), "{}", read.name);
        assert_eq!(read.phone.as_deref(), Some("10000000041"));
        assert_eq!(read.document.number.len(), 18);
    }
}
