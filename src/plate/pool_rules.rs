//! Laboratory pools on a plate: as contents of wells, and as what a technician asks for.

use std::collections::{BTreeMap, BTreeSet};

use super::{Content, LayoutRefusal, Plan, WellPosition};
use crate::barcode::PoolCode;
use crate::error::Reason;
use crate::pooling::{PoolState, StoredPool};

/// What is wrong with the pools themselves, whatever the kit; a tube that is in two pools, or in a
/// pool and alone, is found here as well.
pub(super) fn pool_refusals(wells: &BTreeMap<WellPosition, Content>) -> Vec<LayoutRefusal> {
    let mut reasons = Vec::new();
    let mut placed = BTreeSet::new();
    let mut made: BTreeMap<&str, BTreeSet<&[String]>> = BTreeMap::new();
    let alone = wells.values().filter(|content| content.tube().is_some());
    let mut taken: BTreeSet<(&str, &str)> =
        alone.filter_map(|c| c.tube().zip(c.reaction())).collect();
    for (well, content) in wells {
        let Content::Pool { pool, tubes, reaction } = content else { continue };
        if pool.trim().is_empty() {
            reasons.push(LayoutRefusal::PoolWithoutCode { well: *well });
            continue;
        }
        made.entry(pool).or_default().insert(tubes);
        if !placed.insert((pool, reaction)) {
            let (pool, reaction) = (pool.clone(), reaction.clone());
            reasons.push(LayoutRefusal::PoolTwice { pool, reaction });
            continue;
        }
        if tubes.iter().any(|tube| tube.trim().is_empty()) {
            reasons.push(LayoutRefusal::TubeWithoutCode { well: *well });
        }
        for tube in tubes.iter().filter(|tube| !taken.insert((tube.as_str(), reaction))) {
            let (tube, reaction) = (tube.clone(), reaction.clone());
            reasons.push(LayoutRefusal::TubeTwice { tube, reaction });
        }
    }
    for (pool, tubes) in made {
        let pool = || pool.to_owned();
        if tubes.len() > 1 {
            reasons.push(LayoutRefusal::PoolDiffers { pool: pool() });
        }
        if tubes.iter().any(|tubes| tubes.len() < 2) {
            reasons.push(LayoutRefusal::PoolTooSmall { pool: pool() });
        }
    }
    reasons
}

/// Pools of more single tubes than the kit is validated for; for field pools it may be validated
/// for more, and that says nothing of mixing in the laboratory.
pub(super) fn depth_refusals<'a>(
    pools: impl IntoIterator<Item = (&'a str, &'a [String])>,
    plan: &Plan,
) -> Vec<LayoutRefusal> {
    let validated = plan.laboratory_pools.min(plan.validated_depth);
    let too_deep = |(pool, tubes): (&str, &[String])| {
        let depth = u16::try_from(tubes.len()).unwrap_or(u16::MAX);
        let pool = pool.to_owned();
        (depth > validated).then_some(LayoutRefusal::PoolTooDeep { pool, depth, validated })
    };
    pools.into_iter().filter_map(too_deep).collect()
}

/// Why these pools may not go on a plate in this laboratory that runs this kit.
pub(super) fn against_making(
    wanted: &[String],
    found: &[StoredPool],
    (laboratory, kit): (&str, (&str, &str)),
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for code in wanted {
        let Some(pool) = found.iter().find(|pool| pool.code.as_str() == code) else {
            // What is no code at all may be a card that lay under the scanner (R35).
            let code = PoolCode::parse(code).map_or("pools", |_| code.as_str());
            let message = "there is no such pool; make it first";
            reasons.push(Reason::new("plate.pool_unknown", code, message));
            continue;
        };
        let mut refuse = |kind, message: String| reasons.push(Reason::new(kind, code, message));
        let (mixed, state) = (&pool.mixed, pool.state.as_str());
        if pool.state != PoolState::Open {
            refuse("plate.pool_state", format!("pool {code} is {state}, not open; make another"));
        }
        if mixed.laboratory != laboratory {
            refuse("plate.pool_elsewhere", format!("pool {code} is in another laboratory"));
        }
        if (mixed.kit.0.as_str(), mixed.kit.1.as_str()) != kit {
            let (of, version) = (&mixed.kit.0, &mixed.kit.1);
            refuse(
                "plate.pool_kit",
                format!("pool {code} was mixed for kit {of} {version}; put it on a plate of that"),
            );
        }
    }
    reasons
}

/// Why tubes of live pools may not stand alone on a plate: `live` is the pool of each tube, `here`
/// are the plate's pools.
pub(super) fn against_alone(live: &BTreeMap<String, String>, here: &BTreeSet<&str>) -> Vec<Reason> {
    live.iter()
        .filter(|(_, pool)| !here.contains(pool.as_str()))
        .map(|(tube, pool)| {
            let message = format!(
                "tube {tube} is in pool {pool}; put the pool on the plate, or dissolve it first"
            );
            Reason::new("plate.tube_pooled", tube, message)
        })
        .collect()
}

/// Which pools another plate took, or which were dissolved, while this one was a draft.
pub(super) fn against_freezing(found: &[StoredPool]) -> Vec<Reason> {
    found
        .iter()
        .filter(|pool| pool.state != PoolState::Open)
        .map(|pool| {
            let (code, state) = (&pool.code, pool.state.as_str());
            let message = format!("pool {code} is {state} by now; take it off this plate");
            Reason::new("plate.pool_taken", code.as_str(), message)
        })
        .collect()
}

#[cfg(test)]
#[path = "pool_rules_tests.rs"]
mod tests;
