//! Ranges of fresh codes, given out once and for ever (R7).

use super::own::{self, Kind, NUMBER_MAX};

/// How many codes one allotment may hold; a million labels are ten requests.
pub const COUNT_MAX: u32 = 100_000;

/// Why a range cannot be given out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllotted {
    /// None, or too many at once.
    #[error("{count} codes were asked for; ask for 1 to {COUNT_MAX} at a time")]
    Count {
        /// How many were asked for.
        count: u32,
    },
    /// The ten digits are used up.
    #[error("only {left} {kind} codes are left of ten digits; ask for no more than that")]
    Exhausted {
        /// Of which kind.
        kind: Kind,
        /// How many numbers are left from the first one asked for.
        left: u64,
    },
}

/// A range of codes of one kind with consecutive numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allotment {
    kind: Kind,
    first: u64,
    count: u32,
}

impl Allotment {
    /// The range of `count` codes from number `first` on; every reason when it cannot be.
    ///
    /// To give out the next range, `first` is the lowest number of that kind never given out,
    /// and [`Allotment::end`] takes its place afterwards.
    pub fn new(kind: Kind, first: u64, count: u32) -> Result<Self, Vec<NotAllotted>> {
        let mut refusals = Vec::new();
        if !(1..=COUNT_MAX).contains(&count) {
            refusals.push(NotAllotted::Count { count });
        }
        let left = (NUMBER_MAX + 1).saturating_sub(first);
        if u64::from(count) > left {
            refusals.push(NotAllotted::Exhausted { kind, left });
        }
        if refusals.is_empty() { Ok(Self { kind, first, count }) } else { Err(refusals) }
    }

    /// What the codes are for.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The number of the first code.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// How many codes.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The number after the last code: where the next allotment of this kind begins.
    pub const fn end(&self) -> u64 {
        self.first + self.count as u64
    }

    /// Whether a number of this kind lies in the range.
    pub const fn contains(&self, number: u64) -> bool {
        self.first <= number && number < self.end()
    }

    /// The codes, in order. Every number of an allotment has one.
    pub fn codes(&self) -> impl Iterator<Item = String> {
        let kind = self.kind;
        (self.first..self.end()).filter_map(move |number| own::write(kind, number))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::barcode::{BoxCode, Patterns, TubeCode};

    #[test]
    fn an_allotment_lists_its_codes_in_order() {
        let allotment = Allotment::new(Kind::Tube, 0, 3).unwrap();
        let codes: Vec<_> = allotment.codes().collect();
        assert_eq!(codes, ["T0000000000V", "T0000000001T", "T0000000002R"]);
        assert!(codes.iter().all(|code| TubeCode::parse(code, &Patterns::default()).is_ok()));
        let boxes = Allotment::new(Kind::Box, 41, 1).unwrap();
        let code = boxes.codes().next().unwrap();
        assert_eq!(BoxCode::parse(&code).unwrap().number(), Some(41));
    }

    #[test]
    fn none_and_too_many_are_refused_and_the_most_is_given() {
        assert_eq!(
            Allotment::new(Kind::Tube, 0, 0).unwrap_err(),
            [NotAllotted::Count { count: 0 }]
        );
        assert!(Allotment::new(Kind::Tube, 0, COUNT_MAX + 1).is_err());
        assert_eq!(Allotment::new(Kind::Tube, 0, COUNT_MAX).unwrap().codes().count(), 100_000);
    }

    #[test]
    fn the_last_code_can_be_given_and_nothing_after_it() {
        let last = Allotment::new(Kind::Plate, NUMBER_MAX, 1).unwrap();
        assert_eq!(last.codes().count(), 1);
        let refusals = Allotment::new(Kind::Plate, NUMBER_MAX, 2).unwrap_err();
        assert_eq!(refusals, [NotAllotted::Exhausted { kind: Kind::Plate, left: 1 }]);
        assert!(Allotment::new(Kind::Plate, last.end(), 1).is_err());
        assert!(Allotment::new(Kind::Plate, u64::MAX, 1).is_err());
        assert_eq!(Allotment::new(Kind::Plate, u64::MAX, COUNT_MAX + 1).unwrap_err().len(), 2);
    }

    proptest! {
        #[test]
        fn allotments_in_any_sequence_meet_and_never_overlap(
            start in 0..NUMBER_MAX,
            counts in prop::collection::vec(0..=COUNT_MAX + 5, 1..40),
        ) {
            let mut counter = start;
            let mut given: Vec<Allotment> = Vec::new();
            for count in counts {
                if let Ok(allotment) = Allotment::new(Kind::Tube, counter, count) {
                    prop_assert_eq!(allotment.first(), counter);
                    prop_assert!(allotment.contains(counter));
                    prop_assert!(!given.iter().any(|earlier| earlier.contains(counter)
                        || earlier.contains(allotment.end() - 1)));
                    counter = allotment.end();
                    given.push(allotment);
                }
            }
            let total: u64 = given.iter().map(|allotment| u64::from(allotment.count())).sum();
            prop_assert_eq!(counter - start, total);
        }
    }
}
