//! Limits of a control's Ct, as data of the kit, where its leaflet or its lot states others than
//! the cut-offs of the target: "positive control in lot range" (Stanford, FDA summary 2020), or
//! internal control in the NTC only before Ct 40 (practice of the Broad Institute, `formats.md`
//! 14).

use serde::{Deserialize, Serialize};

use super::CutOff;
use crate::instrument::Ct;
use crate::plate::Control;

/// Limits of one target in one control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlLimit {
    /// Which control.
    pub control: Control,
    /// Code of the target.
    pub target: String,
    /// A Ct before this is outside: too much template, or the wrong one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Ct>,
    /// A Ct this does not admit is outside; in a control that must be silent it is no signal.
    pub latest: CutOff,
}

impl ControlLimit {
    /// Whether a Ct lies within.
    pub fn admits(&self, ct: Ct) -> bool {
        self.latest.admits(ct) && self.earliest.is_none_or(|earliest| ct >= earliest)
    }

    /// Whether any Ct does.
    pub fn admits_anything(&self) -> bool {
        self.earliest.is_none_or(|earliest| self.latest.admits(earliest))
    }
}

impl std::fmt::Display for ControlLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.earliest {
            Some(earliest) => write!(f, ">= {earliest} and {}", self.latest),
            None => self.latest.fmt(f),
        }
    }
}
