//! The short codes of laboratories, sites, rounds and sessions, as people type them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many characters a place's code may have.
const PLACE_MAX: usize = 24;

/// The code of a laboratory, site, round or session: 1 to 24 of `A-Z`, `0-9` and `-`.
#[derive(
    Clone,
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
#[serde(try_from = "String")]
#[sqlx(transparent)]
#[schema(value_type = String, pattern = "^[A-Z0-9-]{1,24}$")]
pub struct PlaceCode(String);

/// A text that is no place's code; the message never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the code of a place has 1 to {PLACE_MAX} characters of A-Z, 0-9 and `-`; correct it")]
pub struct NotAPlace;

impl PlaceCode {
    /// Reads a code as it is; lower case is refused, because a place has one spelling.
    pub fn parse(text: &str) -> Result<Self, NotAPlace> {
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=PLACE_MAX).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAPlace)
        }
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PlaceCode {
    type Error = NotAPlace;

    fn try_from(text: String) -> Result<Self, NotAPlace> {
        Self::parse(&text)
    }
}

impl AsRef<str> for PlaceCode {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlaceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_codes_of_capitals_digits_and_hyphens_are_places() {
        for code in ["A", "S01", "CHAOYANG-12", "123456789012345678901234"] {
            assert_eq!(PlaceCode::parse(code).unwrap().as_str(), code);
        }
    }

    #[test]
    fn anything_else_is_no_place_and_is_not_repeated() {
        for text in ["", "s01", "S 1", "S_1", "点", "1234567890123456789012345", "S\0"] {
            assert_eq!(PlaceCode::parse(text), Err(NotAPlace), "{text}");
        }
        let error = serde_json::from_str::<PlaceCode>("\"zhang san\"").unwrap_err();
        assert!(!error.to_string().contains("zhang"));
    }
}
