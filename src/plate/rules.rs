//! May this layout be run with this kit? Every reason why not.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Content, Control, Layout, Plan, Transform, WellPosition, geometry, pool_rules};

/// One reason to refuse a layout; serialised with its stable code under `code`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum LayoutRefusal {
    /// A well the plate does not have.
    #[error("well {well} is not on this plate; choose a larger plate or another well")]
    OffPlate {
        /// The well.
        well: WellPosition,
    },
    /// A well named more than once (R16: a well holds one tube).
    #[error("well {well} is filled twice; a well holds one tube or one control")]
    WellTwice {
        /// The well.
        well: WellPosition,
    },
    /// A tube without a code.
    #[error("the tube in well {well} has no code; scan it")]
    TubeWithoutCode {
        /// The well.
        well: WellPosition,
    },
    /// A tube in two wells of the same reaction (R16).
    #[error("tube {tube} is in reaction {reaction} twice; give it one well a reaction")]
    TubeTwice {
        /// Code of the tube.
        tube: String,
        /// Code of the reaction.
        reaction: String,
    },
    /// A tube named twice in the list to be laid out.
    #[error("tube {tube} is listed twice; scan each tube once")]
    TubeListedTwice {
        /// Code of the tube.
        tube: String,
    },
    /// A pool named twice in the list to be laid out.
    #[error("pool {pool} is listed twice; scan each pool once")]
    PoolListedTwice {
        /// Code of the pool.
        pool: String,
    },
    /// A tube whose wells state different depths.
    #[error("tube {tube} has a different number of people in each of its wells; state one number")]
    DepthDiffers {
        /// Code of the tube.
        tube: String,
    },
    /// A tube with nobody in it.
    #[error("tube {tube} has no people in it; check its collection record")]
    NobodyInTube {
        /// Code of the tube.
        tube: String,
    },
    /// More people in a well than the kit is validated for.
    #[error(
        "tube {tube} holds {depth} people, the kit is validated for {validated} in a well; \
         use another kit or collect again in smaller tubes"
    )]
    TooDeep {
        /// Code of the tube.
        tube: String,
        /// People in it.
        depth: u16,
        /// Most people the kit is validated for.
        validated: u16,
    },
    /// A pool without a code.
    #[error("the pool in well {well} has no code; scan it")]
    PoolWithoutCode {
        /// The well.
        well: WellPosition,
    },
    /// A pool in two wells of the same reaction (R16).
    #[error("pool {pool} is in reaction {reaction} twice; give it one well a reaction")]
    PoolTwice {
        /// Code of the pool.
        pool: String,
        /// Code of the reaction.
        reaction: String,
    },
    /// A pool with other tubes in each of its wells.
    #[error("pool {pool} has other tubes in each of its wells; state the same for all")]
    PoolDiffers {
        /// Code of the pool.
        pool: String,
    },
    /// A pool of one tube, or of none.
    #[error("pool {pool} has fewer than two tubes; put a tube alone on the plate itself")]
    PoolTooSmall {
        /// Code of the pool.
        pool: String,
    },
    /// More single tubes mixed than the kit is validated for, field pools or not.
    #[error(
        "pool {pool} holds {depth} people, the kit is validated for {validated} single tubes \
         mixed in the laboratory; use another kit or test the tubes alone"
    )]
    PoolTooDeep {
        /// Code of the pool.
        pool: String,
        /// People in it.
        depth: u16,
        /// Most single tubes the kit is validated for in one well.
        validated: u16,
    },
    /// A pool without a well for one of the kit's reactions.
    #[error("pool {pool} has no well for reaction {reaction}; give it one")]
    PoolReactionMissing {
        /// Code of the pool.
        pool: String,
        /// Code of the reaction.
        reaction: String,
    },
    /// No tube at all.
    #[error("the plate has no tube; scan at least one")]
    NoTubes,
    /// More tubes and pools than slots.
    #[error("{tubes} tubes do not fit the template's {places} places; start a second plate")]
    TooManyTubes {
        /// Tubes and pools given.
        tubes: usize,
        /// Slots for tubes.
        places: usize,
    },
    /// The template's slots do not have one well a reaction.
    #[error(
        "the template gives {wells} wells to a tube, the kit has {reactions} reactions; \
         choose a template for this kit"
    )]
    SlotWidth {
        /// Wells in a slot.
        wells: usize,
        /// Reactions of the kit.
        reactions: usize,
    },
    /// A reaction the kit does not have.
    #[error("well {well} is to run reaction {reaction}, which the kit does not have")]
    ReactionUnknown {
        /// The well.
        well: WellPosition,
        /// Code of the reaction.
        reaction: String,
    },
    /// A tube without a well for one of the kit's reactions.
    #[error("tube {tube} has no well for reaction {reaction}; give it one")]
    ReactionMissing {
        /// Code of the tube.
        tube: String,
        /// Code of the reaction.
        reaction: String,
    },
    /// A control the kit has no rule for.
    #[error("well {well} holds a {control} control, for which the kit has no rule; remove it")]
    ControlUnknown {
        /// The well.
        well: WellPosition,
        /// Which control.
        control: Control,
    },
    /// A control the kit demands is not there.
    #[error("the plate has no {control} control for reaction {reaction}; add one")]
    ControlMissing {
        /// Which control.
        control: Control,
        /// Code of the reaction.
        reaction: String,
    },
    /// A handling fault the controls would not show (R12).
    #[error(
        "the controls would not show a plate that was {transform}; \
         move a positive control so that it lands on another kind of well, or use a template \
         whose controls move"
    )]
    Unnoticed {
        /// The fault.
        transform: Transform,
    },
}

/// Every reason why `layout` may not be run with the kit that `plan` describes.
pub fn refusals(layout: &Layout, plan: &Plan) -> Vec<LayoutRefusal> {
    let mut reasons = Vec::new();
    if layout.tubes().is_empty() {
        reasons.push(LayoutRefusal::NoTubes);
    }
    reasons.extend(depth_refusals(layout.tubes(), plan));
    reasons.extend(pool_rules::depth_refusals(layout.pools(), plan));
    reasons.extend(reaction_refusals(layout, plan));
    reasons.extend(control_refusals(layout, plan));
    let unnoticed = geometry::unnoticed(layout, plan).into_iter();
    reasons.extend(unnoticed.map(|transform| LayoutRefusal::Unnoticed { transform }));
    reasons
}

/// Tubes with nobody in them, or with more people than the kit is validated for.
pub(super) fn depth_refusals<'a>(
    tubes: impl IntoIterator<Item = (&'a str, u16)>,
    plan: &Plan,
) -> Vec<LayoutRefusal> {
    let validated = plan.validated_depth;
    tubes
        .into_iter()
        .filter_map(|(tube, depth)| match depth {
            0 => Some(LayoutRefusal::NobodyInTube { tube: tube.to_owned() }),
            _ if depth > validated => {
                Some(LayoutRefusal::TooDeep { tube: tube.to_owned(), depth, validated })
            }
            _ => None,
        })
        .collect()
}

/// What is wrong with the tubes themselves, whatever the kit.
pub(super) fn tube_refusals(wells: &BTreeMap<WellPosition, Content>) -> Vec<LayoutRefusal> {
    let mut reasons = Vec::new();
    let mut placed = BTreeSet::new();
    let mut depths = BTreeMap::new();
    for (well, content) in wells {
        let Content::Tube { tube, depth, reaction } = content else { continue };
        if tube.trim().is_empty() {
            reasons.push(LayoutRefusal::TubeWithoutCode { well: *well });
            continue;
        }
        if !placed.insert((tube, reaction)) {
            let (tube, reaction) = (tube.clone(), reaction.clone());
            reasons.push(LayoutRefusal::TubeTwice { tube, reaction });
        }
        depths.entry(tube).or_insert_with(BTreeSet::new).insert(*depth);
    }
    let uneven = depths.into_iter().filter(|(_, stated)| stated.len() > 1);
    reasons.extend(uneven.map(|(tube, _)| LayoutRefusal::DepthDiffers { tube: tube.clone() }));
    reasons
}

/// Reactions the kit lacks, and tubes that lack a reaction.
fn reaction_refusals(layout: &Layout, plan: &Plan) -> Vec<LayoutRefusal> {
    let mut reasons = Vec::new();
    let mut placed = BTreeSet::new();
    for (well, content) in layout.wells() {
        let Some(reaction) = content.reaction() else { continue };
        if plan.reaction(reaction).is_none() {
            let reaction = reaction.to_owned();
            reasons.push(LayoutRefusal::ReactionUnknown { well: *well, reaction });
        } else if let Some(code) = content.tube().or(content.pool()) {
            placed.insert((code, reaction));
        }
    }
    let alone = layout.wells().values().filter_map(Content::tube).collect::<BTreeSet<_>>();
    let lacks = |code: &str| {
        let lacks = |reaction: &&super::Reaction| !placed.contains(&(code, reaction.code.as_str()));
        plan.reactions
            .iter()
            .filter(lacks)
            .map(|reaction| reaction.code.clone())
            .collect::<Vec<_>>()
    };
    for tube in alone {
        let missing = lacks(tube).into_iter();
        reasons.extend(
            missing
                .map(|reaction| LayoutRefusal::ReactionMissing { tube: tube.to_owned(), reaction }),
        );
    }
    for pool in layout.pools().into_keys() {
        let missing = lacks(pool).into_iter();
        reasons.extend(missing.map(|reaction| LayoutRefusal::PoolReactionMissing {
            pool: pool.to_owned(),
            reaction,
        }));
    }
    reasons
}

/// Controls without a rule, and required controls that are not there.
fn control_refusals(layout: &Layout, plan: &Plan) -> Vec<LayoutRefusal> {
    let mut reasons = Vec::new();
    let mut placed = BTreeSet::new();
    for (well, content) in layout.wells() {
        let Content::Control { control, reaction } = content else { continue };
        placed.insert((*control, reaction.as_str()));
        if plan.control_rule(*control).is_none() {
            reasons.push(LayoutRefusal::ControlUnknown { well: *well, control: *control });
        }
    }
    for rule in plan.controls.iter().filter(|rule| rule.required) {
        let missing =
            plan.reactions.iter().filter(|r| !placed.contains(&(rule.control, r.code.as_str())));
        reasons.extend(missing.map(|reaction| LayoutRefusal::ControlMissing {
            control: rule.control,
            reaction: reaction.code.clone(),
        }));
    }
    reasons
}
