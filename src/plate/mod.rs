//! The plate: tubes and controls in wells, frozen before the run.
//!
//! A [`Layout`] says what each well holds. It is built from a [`Template`] by [`lay_out`] or
//! stated well by well with [`Layout::explicit`], and judged against the kit's [`Plan`] by
//! [`refusals`], which names every reason at once. The rules that matter most: a well holds one
//! tube or one laboratory pool (R16), never more people than the kit is validated for, and a plate that is turned,
//! mirrored or shifted must show it in its controls (R12, [`geometry`]).

pub mod api;
pub mod discard;
pub mod geometry;
mod layout;
mod make;
pub mod picklist;
mod plan;
mod pool_rules;
mod pools;
pub mod rack;
pub mod retest;
pub mod robot;
mod rules;
pub mod slots;
mod stamp;
pub mod store;
mod tag;
mod template;
mod text;
mod transform;
mod tubes;
mod well;
pub mod worklist;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use geometry::{Observed, suspected_transform, unnoticed, unnoticed_in_stamping};
pub use layout::{Layout, Placed, PlacedPool, PlacedTube, lay_out};
pub use plan::{Channel, ControlRule, Expectation, Pipetting, Plan, Reaction, TargetRole};
pub use rules::{LayoutRefusal, refusals};
pub use stamp::{Source, Stamp, StampOrder, against_sources, source_well, stamped};
pub use template::{ControlSlot, Template, TemplateFault, templates};
pub use transform::Transform;
pub use well::{NotAWell, PlateSize, WellPosition};
pub use worklist::worklist_csv;

/// A control: a well whose answer is known before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Template of the targets in plenty; must amplify.
    Positive,
    /// Template at 1.5 to 3 times the limit of detection; must amplify.
    WeakPositive,
    /// No template at all (NTC); must stay silent.
    Negative,
    /// Human material without the pathogen, taken through extraction (HSC, extraction control).
    Extraction,
}

impl Control {
    /// Every kind.
    pub const ALL: [Self; 4] =
        [Self::Positive, Self::WeakPositive, Self::Negative, Self::Extraction];

    /// The name it is stored under.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::WeakPositive => "weak_positive",
            Self::Negative => "negative",
            Self::Extraction => "extraction",
        }
    }

    /// The control stored under that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|control| control.name() == name)
    }

    /// How it is marked on a picture of a plate, in every language.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Positive => "+",
            Self::WeakPositive => "w+",
            Self::Negative => "−",
            Self::Extraction => "E",
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Positive => "positive",
            Self::WeakPositive => "weak positive",
            Self::Negative => "negative",
            Self::Extraction => "extraction",
        })
    }
}

/// What one well holds. One tube or one pool at most: there is no way to write down two (R16).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Content {
    /// Material of one tube, for one reaction of the kit.
    Tube {
        /// Code of the tube.
        tube: String,
        /// People in the tube, and so in the well.
        depth: u16,
        /// Code of the kit's reaction that runs here.
        reaction: String,
    },
    /// Material of single tubes mixed in the laboratory, for one reaction of the kit. Each holds one
    /// person, so that the pool is as deep as it has tubes.
    Pool {
        /// Code of the pool.
        pool: String,
        /// Codes of its tubes.
        tubes: Vec<String>,
        /// Code of the kit's reaction that runs here.
        reaction: String,
    },
    /// A control, for one reaction of the kit.
    Control {
        /// Which control.
        control: Control,
        /// Code of the kit's reaction that runs here.
        reaction: String,
    },
    /// Nothing was put in.
    Nothing,
}

impl Content {
    /// Code of the reaction that runs in the well, if anything does.
    pub fn reaction(&self) -> Option<&str> {
        match self {
            Self::Tube { reaction, .. }
            | Self::Pool { reaction, .. }
            | Self::Control { reaction, .. } => Some(reaction),
            Self::Nothing => None,
        }
    }

    /// Code of the tube that is alone in the well, if one is.
    pub fn tube(&self) -> Option<&str> {
        match self {
            Self::Tube { tube, .. } => Some(tube),
            Self::Pool { .. } | Self::Control { .. } | Self::Nothing => None,
        }
    }

    /// Code of the pool in the well, if it holds one.
    pub fn pool(&self) -> Option<&str> {
        match self {
            Self::Pool { pool, .. } => Some(pool),
            Self::Tube { .. } | Self::Control { .. } | Self::Nothing => None,
        }
    }

    /// Every tube of which there is material in the well: one, or those of its pool.
    pub fn tubes(&self) -> &[String] {
        match self {
            Self::Tube { tube, .. } => std::slice::from_ref(tube),
            Self::Pool { tubes, .. } => tubes,
            Self::Control { .. } | Self::Nothing => &[],
        }
    }

    /// People in the well, over everything in it.
    pub fn depth(&self) -> u16 {
        match self {
            Self::Tube { depth, .. } => *depth,
            Self::Pool { tubes, .. } => u16::try_from(tubes.len()).unwrap_or(u16::MAX),
            Self::Control { .. } | Self::Nothing => 0,
        }
    }
}
