//! Where a tube is on its way; the schema's trigger allows the same moves and no other.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One stage of a tube's way.
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
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum TubeState {
    /// Its members are swabbed and it is shut.
    Sealed,
    /// It lies in a sealed box.
    Packed,
    /// A laboratory accepted it.
    Received,
    /// A laboratory refused it; its members are recalled.
    Refused,
    /// It was in the manifest and not in the box.
    Missing,
    /// It stands on a frozen plate.
    Plated,
    /// Its members were told a result.
    Released,
    /// It ends without a result for its members; they are recalled.
    Closed,
}

impl TubeState {
    /// Every stage.
    pub const ALL: [Self; 8] = [
        Self::Sealed,
        Self::Packed,
        Self::Received,
        Self::Refused,
        Self::Missing,
        Self::Plated,
        Self::Released,
        Self::Closed,
    ];

    /// The name it is stored under and spoken of by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Packed => "packed",
            Self::Received => "received",
            Self::Refused => "refused",
            Self::Missing => "missing",
            Self::Plated => "plated",
            Self::Released => "released",
            Self::Closed => "closed",
        }
    }

    /// Whether a tube may go from here to `next`.
    pub const fn may_become(self, next: Self) -> bool {
        use TubeState::{Closed, Missing, Packed, Plated, Received, Refused, Released, Sealed};
        matches!(
            (self, next),
            (Sealed, Packed | Received | Refused | Closed)
                | (Packed, Received | Refused | Missing | Closed)
                | (Missing, Received | Refused | Closed)
                | (Received, Plated | Refused)
                | (Plated, Received | Released | Closed)
        )
    }
}
