//! Registered patterns of the codes that tube makers print.

use serde::{Deserialize, Serialize};

use super::own::{self, Kind};

/// How many characters a maker's prefix may have at most.
pub const PREFIX_MAX: usize = 8;

/// How many characters a maker's code has at least.
pub const LENGTH_MIN: u8 = 6;

/// How many characters a maker's code has at most.
pub const LENGTH_MAX: u8 = 24;

/// How many characters a maker's name has at most.
pub const MAKER_MAX: usize = 80;

/// What may follow a maker's prefix.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Alphabet {
    /// `0-9`.
    Digits,
    /// `0-9` and `A-Z`.
    Alphanumeric,
}

impl Alphabet {
    fn allows(self, text: &str) -> bool {
        match self {
            Self::Digits => text.bytes().all(|byte| byte.is_ascii_digit()),
            Self::Alphanumeric => is_alphanumeric(text),
        }
    }
}

/// Why a maker's pattern cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternFault {
    /// No name, or one that is too long or does not print.
    #[error("the maker's name must have 1 to {MAKER_MAX} printable characters; correct it")]
    Maker,
    /// A prefix that is empty, too long or not made of digits and capital letters.
    #[error("the prefix must have 1 to {PREFIX_MAX} characters of 0-9 and A-Z; correct it")]
    Prefix,
    /// A total length no maker uses.
    #[error(
        "the length must be {LENGTH_MIN} to {LENGTH_MAX} characters with the prefix, \
         not {length}; correct it"
    )]
    Length {
        /// What was asked for.
        length: u8,
    },
    /// A prefix that leaves no room for a number.
    #[error(
        "the prefix fills all {length} characters and leaves none to number tubes with; \
         shorten it"
    )]
    NoNumber {
        /// The total length asked for.
        length: u8,
    },
    /// A pattern under which one of our own codes could be taken for a maker's.
    #[error(
        "it would also match our own codes of {letter} and ten digits; \
         add the letters that follow to the prefix"
    )]
    Own {
        /// The prefix letter of the kind it would match.
        letter: char,
    },
    /// A pattern under which an identity card could be taken for a tube (R35).
    #[error(
        "it would also match a resident ID number, which has eighteen characters too; give a \
         prefix that begins with 0, or one of eight digits that do not end in 18, 19 or 20"
    )]
    ResidentId,
    /// A pattern that shares codes with one registered before.
    #[error("it shares codes with the pattern `{prefix}` of {maker}; give a longer prefix")]
    Overlap {
        /// Whose pattern.
        maker: String,
        /// Its prefix.
        prefix: String,
    },
}

/// The codes of one maker: a prefix, a total length and what follows the prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Pattern {
    maker: String,
    prefix: String,
    length: u8,
    alphabet: Alphabet,
}

impl Pattern {
    /// A pattern that can match neither a code of ours nor a resident ID number; else every
    /// reason why not. `length` counts the prefix.
    pub fn new(
        maker: &str,
        prefix: &str,
        length: u8,
        alphabet: Alphabet,
    ) -> Result<Self, Vec<PatternFault>> {
        let registered = Self::registered(maker, prefix, length, alphabet);
        match (registered, clash(prefix, usize::from(length))) {
            (registered, None) => registered,
            (Ok(_), Some(clash)) => Err(vec![clash]),
            (Err(faults), Some(clash)) => Err(faults.into_iter().chain([clash]).collect()),
        }
    }

    /// A pattern as it was registered, also where a kind of code that came later would forbid it
    /// today: its tubes are out in the city. What looks like a code of ours is taken for one.
    pub fn registered(
        maker: &str,
        prefix: &str,
        length: u8,
        alphabet: Alphabet,
    ) -> Result<Self, Vec<PatternFault>> {
        let maker = maker.trim();
        let mut faults = Vec::new();
        if !(1..=MAKER_MAX).contains(&maker.chars().count()) || maker.contains(char::is_control) {
            faults.push(PatternFault::Maker);
        }
        if !(1..=PREFIX_MAX).contains(&prefix.len()) || !is_alphanumeric(prefix) {
            faults.push(PatternFault::Prefix);
        }
        if !(LENGTH_MIN..=LENGTH_MAX).contains(&length) {
            faults.push(PatternFault::Length { length });
        }
        if prefix.len() >= usize::from(length) {
            faults.push(PatternFault::NoNumber { length });
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self { maker: maker.to_owned(), prefix: prefix.to_owned(), length, alphabet })
    }

    /// Whose codes these are.
    pub fn maker(&self) -> &str {
        &self.maker
    }

    /// What they begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How many characters they have, prefix included.
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// What may follow the prefix.
    pub const fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    /// Whether a code in capital letters is one of these.
    pub fn matches(&self, code: &str) -> bool {
        code.len() == usize::from(self.length)
            && code.strip_prefix(&self.prefix).is_some_and(|rest| self.alphabet.allows(rest))
    }

    /// Whether some code would match both.
    ///
    /// Digits are in either alphabet, so two patterns of one length share codes exactly when
    /// one can begin with the whole prefix of the other.
    fn overlaps(&self, other: &Self) -> bool {
        let reaches = |short: &Self, long: &Self| {
            long.prefix.strip_prefix(&short.prefix).is_some_and(|rest| short.alphabet.allows(rest))
        };
        self.length == other.length && (reaches(self, other) || reaches(other, self))
    }
}

/// The registered patterns; no code matches two of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Patterns(Vec<Pattern>);

impl Patterns {
    /// Registers one more; refused with one reason for every pattern it overlaps.
    pub fn add(&mut self, pattern: Pattern) -> Result<(), Vec<PatternFault>> {
        let faults: Vec<_> = self
            .0
            .iter()
            .filter(|known| known.overlaps(&pattern))
            .map(|known| PatternFault::Overlap {
                maker: known.maker.clone(),
                prefix: known.prefix.clone(),
            })
            .collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        self.0.push(pattern);
        Ok(())
    }

    /// The pattern a code in capital letters matches.
    pub fn matching(&self, code: &str) -> Option<&Pattern> {
        self.0.iter().find(|pattern| pattern.matches(code))
    }

    /// Whether none is registered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order they were registered.
    pub fn iter(&self) -> impl Iterator<Item = &Pattern> {
        self.0.iter()
    }
}

/// What else a prefix and a length would match, were they accepted.
fn clash(prefix: &str, length: usize) -> Option<PatternFault> {
    let letter = prefix.chars().next()?;
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if length == own::LENGTH && Kind::from_prefix(letter).is_some() && is_digits(&prefix[1..]) {
        return Some(PatternFault::Own { letter });
    }
    // Eighteen digits are welcome only when the prefix alone tells that they are no card: one
    // that begins with 0, or has no century where a card has that of birth.
    let is_card = length == own::RESIDENT_ID_LENGTH && own::may_begin_resident_id(prefix);
    is_card.then_some(PatternFault::ResidentId)
}

fn is_alphanumeric(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digits(prefix: &str, length: u8) -> Result<Pattern, Vec<PatternFault>> {
        Pattern::new("Yocon", prefix, length, Alphabet::Digits)
    }

    #[test]
    fn a_sound_pattern_matches_its_codes_and_no_others() {
        let pattern = digits("YK", 14).unwrap();
        assert!(pattern.matches("YK202206010001"));
        for code in ["YK20220601000", "YK20220601000A", "YL202206010001", "YK2022060100012"] {
            assert!(!pattern.matches(code), "{code}");
        }
        let mixed = Pattern::new("Yocon", "YK", 14, Alphabet::Alphanumeric).unwrap();
        assert!(mixed.matches("YK2022060100AZ"));
        assert!(!mixed.matches("YK2022060100A*"));
    }

    #[test]
    fn every_reason_is_given_at_once() {
        assert_eq!(
            Pattern::new(" ", "toolongprefix", 3, Alphabet::Digits).unwrap_err(),
            [
                PatternFault::Maker,
                PatternFault::Prefix,
                PatternFault::Length { length: 3 },
                PatternFault::NoNumber { length: 3 },
            ]
        );
        assert_eq!(digits("", 25).unwrap_err().len(), 2);
        assert_eq!(digits("é", 10).unwrap_err(), [PatternFault::Prefix]);
        // Found by fuzzing: two bytes of one character where a card has its century of birth.
        assert_eq!(digits("123456aé", 18).unwrap_err(), [PatternFault::Prefix]);
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        assert!(digits("A", LENGTH_MIN).is_ok());
        assert!(digits("ABCDEFGH", LENGTH_MAX).is_ok());
        assert_eq!(digits("ABCDEF", 6).unwrap_err(), [PatternFault::NoNumber { length: 6 }]);
    }

    #[test]
    fn a_pattern_that_could_match_our_own_codes_is_refused() {
        for prefix in ["T", "B12", "P1234567"] {
            assert!(matches!(digits(prefix, 12).unwrap_err()[..], [PatternFault::Own { .. }]));
        }
        for (prefix, length) in [("TX", 12), ("T", 13), ("X", 12)] {
            assert!(digits(prefix, length).is_ok(), "{prefix} of {length}");
        }
    }

    #[test]
    fn a_pattern_that_could_match_an_identity_card_is_refused() {
        assert_eq!(digits("11", 18).unwrap_err(), [PatternFault::ResidentId]);
        for prefix in ["1234562", "12345619", "82000020"] {
            assert_eq!(digits(prefix, 18).unwrap_err(), [PatternFault::ResidentId], "{prefix}");
        }
        for (prefix, length) in [
            ("01", 18),
            ("A1", 18),
            ("11", 17),
            ("1234569", 18),
            ("12345621", 18),
            ("1234561A", 18),
        ] {
            assert!(digits(prefix, length).is_ok(), "{prefix} of {length}");
        }
    }

    #[test]
    fn overlapping_patterns_are_all_named_and_others_get_on() {
        let mut patterns = Patterns::default();
        patterns.add(digits("YK1", 14).unwrap()).unwrap();
        patterns.add(digits("YK2", 14).unwrap()).unwrap();
        assert_eq!(patterns.add(digits("YK", 14).unwrap()).unwrap_err().len(), 2);
        assert_eq!(patterns.add(digits("YK12", 14).unwrap()).unwrap_err().len(), 1);
        patterns.add(digits("YK", 15).unwrap()).unwrap();
        patterns.add(digits("YKA", 15).unwrap()).unwrap();
        assert_eq!(patterns.iter().count(), 4);
        assert_eq!(patterns.matching("YKA000000000001").unwrap().prefix(), "YKA");
        assert_eq!(patterns.matching("YK3000000000001").unwrap().length(), 15);
        assert!(patterns.matching("YK30000000000").is_none());
    }

    proptest! {
        #[test]
        fn no_code_ever_matches_two_registered_patterns(
            wanted in prop::collection::vec(
                ("[AB1]{1,3}", 6..8_u8, prop::bool::ANY), 1..8),
            code in "[AB1]{6,8}",
        ) {
            let mut patterns = Patterns::default();
            for (prefix, length, is_digits) in wanted {
                let alphabet = if is_digits { Alphabet::Digits } else { Alphabet::Alphanumeric };
                let _refused = patterns.add(Pattern::new("M", &prefix, length, alphabet).unwrap());
            }
            prop_assert!(patterns.iter().filter(|pattern| pattern.matches(&code)).count() <= 1);
        }

        #[test]
        fn every_code_of_an_accepted_pattern_is_read_and_none_taken_for_a_card(
            prefix in "[0-9]{1,8}",
            rest in "[0-9]{17}",
        ) {
            if let Ok(pattern) = digits(&prefix, 18) {
                let code = format!("{prefix}{}", &rest[prefix.len() - 1..]);
                prop_assert!(pattern.matches(&code));
                prop_assert_eq!(own::tidy(&code), Ok(code.clone()));
            }
        }

        #[test]
        fn no_accepted_pattern_matches_a_code_of_ours(
            prefix in "[TBPX0-9][0-9X]{0,7}",
            length in LENGTH_MIN..=LENGTH_MAX,
            number in 0..=own::NUMBER_MAX,
        ) {
            if let Ok(pattern) = Pattern::new("M", &prefix, length, Alphabet::Alphanumeric) {
                for kind in Kind::ALL {
                    prop_assert!(!pattern.matches(&own::write(kind, number).unwrap()));
                }
            }
        }
    }
}
