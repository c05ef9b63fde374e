//! What a plate must know of the kit that will run on it: reactions, controls, depth.
//!
//! A kit belongs to a later slice; it hands down this plan, so that layouts are judged without
//! knowing cut-offs or call rules.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Control;
use super::robot::{Volume, microlitres};

/// What a target is measured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetRole {
    /// The thing looked for.
    Pathogen,
    /// Proof that material was there and the reaction worked.
    InternalControl,
}

/// What a control has to do in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// It must amplify.
    Amplify,
    /// It must not.
    Silent,
    /// The kit does not look.
    Any,
}

/// One dye of one reaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// The dye, in the kit's spelling.
    pub dye: String,
    /// What is seen through it.
    pub role: TargetRole,
}

/// What runs in one well: a tube takes one well for each reaction of the plan, which has a kit's
/// reaction once for each replicate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// Code of the reaction, unique in its kit.
    pub code: String,
    /// Its channels.
    pub channels: Vec<Channel>,
}

/// What the kit expects of one control kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlRule {
    /// Which control.
    pub control: Control,
    /// Whether a plate without it is refused.
    pub required: bool,
    /// Expectation for every pathogen target.
    pub pathogen: Expectation,
    /// Expectation for every internal-control target.
    pub internal_control: Expectation,
}

/// What a kit says of the material that goes into each of its wells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipetting {
    /// How much of its tube goes into a well; in microlitres, written as text: `"5"`.
    #[serde(with = "microlitres")]
    pub volume: Volume,
    /// By how many percent that may be missed; the laboratory's setting when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_percent: Option<u8>,
}

impl ControlRule {
    /// What a target of that role has to do in this control.
    pub const fn expects(&self, role: TargetRole) -> Expectation {
        match role {
            TargetRole::Pathogen => self.pathogen,
            TargetRole::InternalControl => self.internal_control,
        }
    }
}

/// The kit as a plate sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Code and version of the kit, for messages.
    pub kit: String,
    /// Reactions in the order in which a slot's wells are filled.
    pub reactions: Vec<Reaction>,
    /// One rule for each control kind that may stand on the plate.
    pub controls: Vec<ControlRule>,
    /// Most people that may be in one well, over everything mixed into it.
    pub validated_depth: u16,
    /// Whether tubes that several people's swabs were put into on collection may be tested.
    pub field_pools: bool,
    /// Most single tubes that may be mixed in the laboratory; below two none may.
    pub laboratory_pools: u16,
    /// How much goes into a well, where the kit says so.
    pub pipetting: Option<Pipetting>,
}

impl Plan {
    /// The reaction with that code.
    pub fn reaction(&self, code: &str) -> Option<&Reaction> {
        self.reactions.iter().find(|reaction| reaction.code == code)
    }

    /// The rule for that control.
    pub fn control_rule(&self, control: Control) -> Option<&ControlRule> {
        self.controls.iter().find(|rule| rule.control == control)
    }

    /// Every dye the kit reads.
    pub fn dyes(&self) -> BTreeSet<&str> {
        self.reactions.iter().flat_map(|r| &r.channels).map(|c| c.dye.as_str()).collect()
    }
}
