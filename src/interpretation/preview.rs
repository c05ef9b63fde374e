//! What is shown of a run before it is kept: its controls as they were read, and its curves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::calls::TargetCall;
use super::gather::Gathered;
use super::kit::Kit;
use super::picture_api::CurveAnswer;
use super::targets::target_calls;
use crate::instrument::RunFile;
use crate::plate::{Content, Control};

/// What a dry run shows beside its verdict and its calls.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// Every well with a control, row by row.
    pub controls: Vec<ControlRead>,
    /// Every curve of the file.
    pub curves: Vec<CurveAnswer>,
}

/// A control as it was read.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ControlRead {
    /// Which well.
    pub well: String,
    /// `positive`, `weak_positive`, `negative` or `extraction`.
    #[schema(value_type = String)]
    pub control: Control,
    /// One for each target, in the kit's order.
    #[schema(value_type = Vec<Object>)]
    pub targets: Vec<TargetCall>,
}

impl ControlRead {
    /// Those among these wells.
    pub(super) fn of(kit: &Kit, wells: &[Gathered<'_>]) -> Vec<Self> {
        let control = |well: &Gathered<'_>| match well.content {
            Content::Control { control, .. } => Some(Self {
                well: well.well.to_string(),
                control: *control,
                targets: target_calls(kit, &well.targets),
            }),
            Content::Tube { .. } | Content::Pool { .. } | Content::Nothing => None,
        };
        wells.iter().filter_map(control).collect()
    }
}

impl Preview {
    /// What these controls and this file show.
    pub(super) fn of(controls: Vec<ControlRead>, file: &RunFile) -> Self {
        Self { controls, curves: file.curves.iter().map(CurveAnswer::from).collect() }
    }
}
