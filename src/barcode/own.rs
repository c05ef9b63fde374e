//! Our own format: a prefix letter, ten digits and an ISO/IEC 7064 MOD 37-2 check character.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::check;

/// How many characters a code of ours has.
pub const LENGTH: usize = 12;

/// The highest number a code of ours can carry.
pub const NUMBER_MAX: u64 = 9_999_999_999;

/// How many characters a resident ID number has (GB 11643-1999).
pub(super) const RESIDENT_ID_LENGTH: usize = 18;

/// Where a resident ID number holds the date of birth.
const BIRTH: std::ops::Range<usize> = 6..14;

/// The centuries in which anybody who is swabbed was born.
const CENTURIES: [&str; 3] = ["18", "19", "20"];

/// What a code stands on.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sqlx::Type,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Kind {
    /// A container for one person's swab or a pool's.
    Tube,
    /// A transport box.
    Box,
    /// A reaction plate.
    Plate,
    /// Several single tubes mixed in the laboratory.
    Pool,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Tube, Self::Box, Self::Plate, Self::Pool];

    /// The letter its codes begin with.
    pub const fn prefix(self) -> char {
        match self {
            Self::Tube => 'T',
            Self::Box => 'B',
            Self::Plate => 'P',
            Self::Pool => 'M',
        }
    }

    /// The kind whose codes begin with that letter.
    pub fn from_prefix(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.prefix() == letter)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tube => "tube",
            Self::Box => "box",
            Self::Plate => "plate",
            Self::Pool => "pool",
        })
    }
}

/// Why a text is not the code that was asked for.
///
/// A message repeats the text only when it has the shape of a code of ours: anything else may
/// be somebody's identity card held under the scanner (R35).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotACode {
    /// Nothing but blanks.
    #[error("nothing was scanned; scan the bar code again")]
    Empty,
    /// A character no code has.
    #[error(
        "character {position} is none of 0-9, A-Z and `*`, which is all a code is made of; \
         scan the bar code, or switch the keyboard to Latin letters and type it again"
    )]
    Character {
        /// Which one, counted from 1.
        position: usize,
    },
    /// An identity card under the scanner.
    #[error("this is a resident ID number, not a code; scan the bar code on the label")]
    ResidentId,
    /// Too short or too long.
    #[error("this has {length} characters and a code has {LENGTH}; scan the bar code again")]
    Length {
        /// How many characters were read.
        length: usize,
    },
    /// The right length, and yet no letter, ten digits and check character.
    #[error(
        "a code is a letter (T, B, P or M), ten digits and a check character, and this is not; \
         scan the bar code again"
    )]
    Shape,
    /// The check character is not the one the rest asks for.
    #[error(
        "the check character of `{code}` does not fit: it was mistyped or misread; \
         scan the bar code again"
    )]
    Check {
        /// The code as read.
        code: String,
    },
    /// A sound code of another kind.
    #[error("this is a {found} code; scan a {wanted}")]
    WrongKind {
        /// What it stands on.
        found: Kind,
        /// What was asked for.
        wanted: Kind,
    },
    /// Neither ours nor a registered maker's.
    #[error(
        "this has {length} characters and is neither a code of ours nor of a registered maker; \
         scan the tube's bar code, or have the maker's pattern registered"
    )]
    Unregistered {
        /// How many characters were read.
        length: usize,
    },
}

/// Trims and upper-cases what was scanned or typed; refuses what no code can be.
pub(super) fn tidy(text: &str) -> Result<String, NotACode> {
    let tidied = text.trim().to_ascii_uppercase();
    if tidied.is_empty() {
        return Err(NotACode::Empty);
    }
    let foreign = |c: char| !(c.is_ascii_digit() || c.is_ascii_uppercase() || c == '*');
    if let Some(index) = tidied.chars().position(foreign) {
        return Err(NotACode::Character { position: index + 1 });
    }
    if is_resident_id(&tidied) { Err(NotACode::ResidentId) } else { Ok(tidied) }
}

/// Whether a tidy text is a resident ID number (GB 11643-1999): a region that never begins with
/// 0, a date of birth that was a day, and a check character that fits.
///
/// The check character alone fits one in eleven of a maker's eighteen digits, so that the other
/// two are asked for; and no pattern is registered under which a code could have all three
/// ([`may_begin_resident_id`]).
fn is_resident_id(tidy: &str) -> bool {
    tidy.len() == RESIDENT_ID_LENGTH
        && check::mod_11_2(&tidy[..RESIDENT_ID_LENGTH - 1]) == tidy.chars().next_back()
        && may_begin_resident_id(tidy)
        && is_day(&tidy[BIRTH])
}

/// Whether a tidy text could be how a resident ID number begins, as far as its region and the
/// century of birth tell.
pub(super) fn may_begin_resident_id(tidy: &str) -> bool {
    let digits = tidy.bytes().take(RESIDENT_ID_LENGTH - 1).all(|byte| byte.is_ascii_digit());
    // A maker's prefix comes here as it was typed: what is not digits may be cut at no byte.
    if !digits {
        return false;
    }
    let begins = tidy.get(BIRTH.start..).unwrap_or_default();
    let century = &begins[..begins.len().min(2)];
    !tidy.starts_with('0') && CENTURIES.iter().any(|one| one.starts_with(century))
}

/// Whether eight digits are a day of the calendar, `YYYYMMDD`.
fn is_day(digits: &str) -> bool {
    let (year, month, day) = (digits[..4].parse(), digits[4..6].parse(), digits[6..].parse());
    match (year, month, day) {
        (Ok(year), Ok(month), Ok(day)) => jiff::civil::Date::new(year, month, day).is_ok(),
        _ => false,
    }
}

/// Whether a tidy text begins as only our codes do: a prefix letter and then a digit.
pub(super) fn begins_as_ours(tidy: &str) -> bool {
    let mut characters = tidy.chars();
    characters.next().and_then(Kind::from_prefix).is_some()
        && characters.next().is_some_and(|second| second.is_ascii_digit())
}

/// Whether a tidy text has the shape of a code of ours, whatever its check character.
pub(super) fn is_shaped_as_ours(tidy: &str) -> bool {
    tidy.len() == LENGTH
        && begins_as_ours(tidy)
        && tidy[1..LENGTH - 1].bytes().all(|byte| byte.is_ascii_digit())
}

/// The kind of a tidy text that is a sound code of ours.
pub(super) fn kind_of(tidy: &str) -> Result<Kind, NotACode> {
    if tidy.len() != LENGTH {
        return Err(NotACode::Length { length: tidy.len() });
    }
    if !is_shaped_as_ours(tidy) {
        return Err(NotACode::Shape);
    }
    if !check::fits_mod_37_2(tidy) {
        return Err(NotACode::Check { code: tidy.to_owned() });
    }
    tidy.chars().next().and_then(Kind::from_prefix).ok_or(NotACode::Shape)
}

/// Refuses a sound code of another kind than `wanted`.
pub(super) fn of_kind(tidy: String, wanted: Kind) -> Result<String, NotACode> {
    match kind_of(&tidy)? {
        found if found == wanted => Ok(tidy),
        found => Err(NotACode::WrongKind { found, wanted }),
    }
}

/// The code of that kind and number, if the number has ten digits or fewer.
pub(super) fn write(kind: Kind, number: u64) -> Option<String> {
    if number > NUMBER_MAX {
        return None;
    }
    let body = format!("{}{number:010}", kind.prefix());
    let check = check::mod_37_2(&body)?;
    Some(format!("{body}{check}"))
}

/// The number in a code of ours; none for a maker's code.
pub(super) fn number(code: &str) -> Option<u64> {
    if is_shaped_as_ours(code) { code[1..LENGTH - 1].parse().ok() } else { None }
}
