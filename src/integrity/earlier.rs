//! On each person found positive: the negatives told before, with everything behind them.
//!
//! This is how one laboratory of 2022 was caught: earlier negatives of new positives were traced
//! back to wells whose curves said otherwise.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Check, Sign};
use crate::clock::{Span, Time};
use crate::interpretation::{Call, TargetCall};
use crate::plate::TargetRole;

/// How far back is looked: as long as an infection may have been missed.
pub const LOOK_BACK: Span = Span::days(14);

/// A negative that was told, and what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarlierNegative {
    /// The tube that was found positive later.
    pub found: String,
    /// The tube of the negative.
    pub tube: String,
    /// When that tube was sealed.
    pub sealed_at: Time,
    /// The result.
    pub result: String,
    /// When it was told.
    pub released_at: Time,
    /// The laboratory that told it.
    pub laboratory: String,
    /// The plate.
    pub plate: String,
    /// The run, with its file and its curves.
    pub run: String,
    /// The account that reviewed it.
    pub reviewed_by: String,
    /// The account that released it.
    pub released_by: String,
    /// The call it stands on, with wells and Ct values.
    #[schema(value_type = Object)]
    pub call: Call,
}

/// What is answered to the question for a tube.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Earlier {
    /// Negatives of its members in the fortnight before it, newest first.
    pub negatives: Vec<EarlierNegative>,
}

impl EarlierNegative {
    /// Pathogen targets that had a Ct although the call was negative.
    fn signals(&self) -> impl Iterator<Item = &TargetCall> {
        let targets = self.call.targets.iter();
        targets.filter(|target| target.role == TargetRole::Pathogen && target.ct.is_some())
    }

    /// Whether its own readings speak against it.
    pub(super) fn sign(&self) -> Option<Sign> {
        let said: Vec<String> = self
            .signals()
            .map(|target| format!("{} {} in {}", target.target, target.raw_ct, target.well))
            .collect();
        if said.is_empty() {
            return None;
        }
        let message = format!(
            "it was told negative with {} on plate {}, and a member of it was found positive in \
             tube {} since; look at the curves of run {}",
            said.join(", "),
            self.plate,
            self.found,
            self.run
        );
        Some(Sign::new(Check::Earlier, &self.laboratory, &self.tube, message))
    }
}
