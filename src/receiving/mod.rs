//! Boxes taken in at a laboratory: the manifest and the scan are compared, and what is accepted,
//! refused, missing or unexpected is written down (`domain.md` A3). A refused or lost tube
//! recalls its members.

pub mod api;
pub mod arrive;
pub mod rules;
pub mod store;
pub mod write_off;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::barcode::TubeCode;
use crate::collection::TubeState;
use crate::error::Reason;

/// Why a laboratory refuses a tube: the union of what laboratories code (`domain.md` A3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Refusal {
    /// Fluid on its outside.
    Leak,
    /// Cracked, or its cap is off.
    Broken,
    /// Its bar code cannot be read; the code was found by elimination or by its print.
    Unreadable,
    /// It has no swab.
    NoSwab,
    /// It has no fluid.
    NoFluid,
    /// A swab stands with its head up.
    SwabUpsideDown,
    /// Too viscous to be pipetted.
    TooViscous,
    /// Kept longer than it keeps.
    Late,
    /// Not the tube the round asks for.
    WrongTubeType,
    /// Its fluid is past its date.
    ExpiredFluid,
    /// Its label says something else than its record.
    LabelMismatch,
    /// It holds another number of swabs than members (R8).
    SwabCount,
    /// Another tube carries the same code.
    DuplicateBarcode,
    /// Spoiled in the laboratory.
    LabIncident,
}

/// What a laboratory found about one tube.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Finding {
    /// In the manifest, in the box and sound.
    Accepted,
    /// In the box and not fit to be tested.
    Refused,
    /// In the manifest and not in the box.
    Missing,
    /// In the box and not in the manifest; taken in if its members are known.
    Unexpected,
}

/// A tube that was recorded, as far as receiving it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its code.
    pub code: TubeCode,
    /// People it holds.
    pub members: i64,
    /// Whether it is made for one person, and may answer a recall.
    pub is_single: bool,
    /// Where it is on its way.
    pub state: TubeState,
    /// The laboratory that has it.
    pub laboratory: Option<String>,
}

/// A tube under the scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Its code.
    pub tube: TubeCode,
    /// Swabs in it, when they were counted.
    pub swab_count: Option<i64>,
    /// Why it is refused, if it is.
    pub refused: Option<Refusal>,
}

/// What becomes of one tube of an arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its code.
    pub tube: TubeCode,
    /// Whether it is made for one person, and may answer a recall.
    pub is_single: bool,
    /// What was found.
    pub finding: Finding,
    /// Why, when it is refused.
    pub refusal: Option<Refusal>,
    /// Swabs in it, when they were counted.
    pub swab_count: Option<i64>,
    /// The move it makes; none when it is unknown or was missing before.
    pub step: Option<(TubeState, TubeState)>,
}

/// Everything an arrival found, and what somebody should look into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// One for each tube, in order of code.
    pub found: Vec<Found>,
    /// Tubes that were unexpected, unknown or received before.
    pub warnings: Vec<Reason>,
}
