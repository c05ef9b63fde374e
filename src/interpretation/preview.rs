//! What is shown of a run before it is kept: its controls as they were read, and its curves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::calls::{TargetCall, target_calls};
use super::gather::Gathered;
use super::kit::Kit;
use super::picture_api::CurveAnswer;
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

impl Preview {
    /// What these wells and this file show.
    pub(super) fn of(kit: &Kit, wells: &[Gathered], file: &RunFile) -> Self {
        let control = |well: &Gathered| match well.content {
            Content::Control { control, .. } => Some(ControlRead {
                well: well.well.to_string(),
                control,
                targets: target_calls(kit, &well.targets),
            }),
            Content::Tube { .. } | Content::Pool { .. } | Content::Nothing => None,
        };
        Self {
            controls: wells.iter().filter_map(control).collect(),
            curves: file.curves.iter().map(CurveAnswer::from).collect(),
        }
    }
}
