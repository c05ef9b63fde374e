//! Where and when people are swabbed: laboratories, sites, rounds and sessions.
//!
//! A place is put once under its code. What is stored is never overwritten: the same content
//! again changes nothing, other content is refused with every difference.

pub mod api;
pub mod memory;
mod rules;
pub mod store;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::barcode::PlaceCode;
use crate::clock::Time;

pub use rules::{laboratory_faults, round_faults, session_faults, site_faults};

/// Sizes a tube may have: people swabbed into it at most.
pub const TUBE_SIZES: [u8; 4] = [1, 5, 10, 20];

/// A laboratory that tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Laboratory {
    /// As people call it.
    pub name: String,
    /// Where couriers drive.
    pub address: String,
}

/// A sampling point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// As people call it.
    pub name: String,
    /// The district or street it serves.
    pub area: String,
}

/// One testing drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// As people call it.
    pub name: String,
    /// Where it is held.
    pub area: String,
    /// What is swabbed, such as `oropharyngeal swab`.
    pub specimen: String,
    /// People to a tube at most: 1, 5, 10 or 20.
    pub tube_size: u8,
    /// First moment a person may be swabbed.
    pub starts_at: Time,
    /// Last moment a person may be swabbed.
    pub ends_at: Time,
    /// Hours within which people are told, 1 to 72.
    pub result_hours: u8,
}

/// One team's shift at a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The round it belongs to.
    pub round: PlaceCode,
    /// The site it is held at.
    pub site: PlaceCode,
    /// Who swabs.
    pub team: String,
    /// When it opens.
    pub opens_at: Time,
    /// When it closes.
    pub closes_at: Time,
}

/// A session with what its round asks of a tube.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// The session's code.
    pub session: PlaceCode,
    /// The site it is held at.
    pub site: String,
    /// The round it belongs to.
    pub round: String,
    /// People to a tube at most.
    pub tube_size: u8,
    /// First moment a person may be swabbed.
    pub starts: Time,
    /// Last moment a person may be swabbed.
    pub ends: Time,
    /// When the session is held.
    pub hours: Hours,
}

/// When a session is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// When it opens.
    pub opens: Time,
    /// When it closes.
    pub closes: Time,
}

/// What became of a place that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Made,
    /// The very same is stored already.
    Same,
}
