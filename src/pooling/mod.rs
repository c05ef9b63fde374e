//! Laboratory pools: single tubes mixed for one well, each of which remains (`domain.md` A1).
//!
//! A negative pool answers all its tubes at once. Any other gives nobody an individual result:
//! every tube is tested alone, from what remains of it. Only what holds one person's swab is
//! mixed, and never more of it than the kit is validated for: pools made in the street are never
//! pooled again ([`rules`]). How pooling goes in a laboratory is watched all the time, and stopped
//! when it no longer helps ([`monitoring`]). What a scheme may be expected to do is planned before
//! ([`plan`]).

pub mod api;
mod figures;
pub mod monitoring;
pub mod monitoring_api;
pub mod plan;
pub mod rules;
pub mod store;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::barcode::PoolCode;
use crate::clock::Time;

pub use figures::STATEMENTS as FIGURES_STATEMENTS;

/// Where a pool is; the schema's trigger allows the same moves and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PoolState {
    /// Mixed and waiting for a plate; also again, when the run of its plate was void.
    Open,
    /// On a frozen plate.
    Plated,
    /// Called and released: its tubes have a result, or wait to be tested alone.
    Called,
    /// Given up before it was tested; its tubes are as if it had never been.
    Dissolved,
}

impl PoolState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Plated, Self::Called, Self::Dissolved];

    /// The name it is stored under and spoken of by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Plated => "plated",
            Self::Called => "called",
            Self::Dissolved => "dissolved",
        }
    }

    /// Whether a pool may go from here to `next`.
    pub const fn may_become(self, next: Self) -> bool {
        use PoolState::{Called, Dissolved, Open, Plated};
        matches!((self, next), (Open, Plated | Dissolved) | (Plated, Open | Called))
    }
}

/// A pool as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPool {
    /// Its code.
    pub code: PoolCode,
    /// What was mixed.
    pub mixed: Mixed,
    /// Where it is.
    pub state: PoolState,
    /// Since when.
    pub since: Time,
    /// What its wells said, once that was released.
    pub outcome: Option<String>,
    /// When it was mixed.
    pub made: Time,
}

/// What was mixed, where and for which kit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mixed {
    /// The laboratory.
    pub laboratory: String,
    /// Code and version of the kit it is to be tested with.
    pub kit: (String, String),
    /// Its tubes in order of code.
    pub tubes: Vec<String>,
}

/// How a kit may be used for laboratory pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Code and version of the kit, for messages.
    pub kit: String,
    /// Most single tubes it is validated for when they are mixed; below two it is not.
    pub tubes: u16,
    /// Most people it is validated for in one well, however they came into it.
    pub depth: u16,
}
