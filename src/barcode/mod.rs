//! Codes on tubes, boxes, plates and pools: what they mean and how they are printed.
//!
//! A code of ours is a prefix letter that tells its kind, ten digits and an ISO/IEC 7064
//! MOD 37-2 check character (which may be `*`): `T0000000001T`. Tubes may also carry a maker's
//! code under a registered [`Pattern`]. A code can only be made by parsing or numbering, so
//! whoever holds a [`TubeCode`] need not check it again.

pub mod allot;
pub mod api;
pub mod check;
mod file_name;
pub mod label;
pub mod memory;
mod own;
mod pattern;
mod place;
pub mod store;

use std::fmt;

use serde::Serialize;

pub use file_name::{FILE_NAME_MAX, file_name, is_file_name};
pub use own::{Kind, LENGTH, NUMBER_MAX, NotACode};
pub use pattern::{Alphabet, Pattern, PatternFault, Patterns};
pub use place::{NotAPlace, PlaceCode};

macro_rules! code {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize,
            sqlx::Type, utoipa::ToSchema,
        )]
        #[sqlx(transparent)]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            /// The code of ours with that number; none above [`NUMBER_MAX`].
            pub fn numbered(number: u64) -> Option<Self> {
                own::write($kind, number).map(Self)
            }

            /// The number in a code of ours; none for a maker's code.
            pub fn number(&self) -> Option<u64> {
                own::number(&self.0)
            }

            /// The code as it is printed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

code! {
    /// The code on a tube: ours, or a maker's under a registered pattern.
    TubeCode, Kind::Tube
}

code! {
    /// The code on a transport box.
    BoxCode, Kind::Box
}

code! {
    /// The code on a plate.
    PlateCode, Kind::Plate
}

code! {
    /// The code of a laboratory pool; the letter is that of a mixture.
    PoolCode, Kind::Pool
}

impl TubeCode {
    /// Reads a code of ours or of a registered maker; blanks around it and lower case do not
    /// matter.
    pub fn parse(text: &str, patterns: &Patterns) -> Result<Self, NotACode> {
        let tidy = own::tidy(text)?;
        if !own::is_shaped_as_ours(&tidy) && patterns.matching(&tidy).is_some() {
            return Ok(Self(tidy));
        }
        if own::begins_as_ours(&tidy) || patterns.is_empty() {
            return own::of_kind(tidy, Kind::Tube).map(Self);
        }
        Err(NotACode::Unregistered { length: tidy.len() })
    }
}

impl BoxCode {
    /// Reads a code of ours; blanks around it and lower case do not matter.
    pub fn parse(text: &str) -> Result<Self, NotACode> {
        own::of_kind(own::tidy(text)?, Kind::Box).map(Self)
    }
}

impl PlateCode {
    /// Reads a code of ours; blanks around it and lower case do not matter.
    pub fn parse(text: &str) -> Result<Self, NotACode> {
        own::of_kind(own::tidy(text)?, Kind::Plate).map(Self)
    }
}

impl PoolCode {
    /// Reads a code of ours; blanks around it and lower case do not matter.
    pub fn parse(text: &str) -> Result<Self, NotACode> {
        own::of_kind(own::tidy(text)?, Kind::Pool).map(Self)
    }
}

#[cfg(test)]
mod tests;
