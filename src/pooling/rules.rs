//! May these tubes be mixed into one pool? Every reason why not.

use std::collections::{BTreeMap, BTreeSet};

use super::{Limits, Mixed, PoolState, StoredPool};
use crate::collection::{TubeRow, TubeState};
use crate::error::Reason;

/// Fewest tubes that make a pool.
pub const TUBES_MIN: usize = 2;
/// Most codes looked at in one request: far above any kit.
pub const TUBES_MAX: usize = 100;

/// What must be known of the tubes somebody wants to mix.
#[derive(Debug, Default)]
pub struct Known {
    /// Those that exist.
    pub tubes: Vec<TubeRow>,
    /// The pool that has a tube and is neither called nor dissolved.
    pub pooled: BTreeMap<String, String>,
    /// Tubes of people who were recalled before they were swabbed into them.
    pub recalled: BTreeSet<String>,
}

/// Why these tubes may not be mixed into this pool.
pub fn against_mixing(pool: &str, wanted: &Mixed, known: &Known, limits: &Limits) -> Vec<Reason> {
    let mut reasons = against_number(pool, wanted, limits);
    let mut depth = 0;
    for code in &wanted.tubes {
        let Some(tube) = known.tubes.iter().find(|tube| tube.code.as_str() == code) else {
            let message = "there is no such tube; receive its box first or scan it again";
            reasons.push(Reason::new("pool.tube_unknown", code, message));
            continue;
        };
        depth += tube.members;
        reasons.extend(against_tube(tube, &wanted.laboratory, known));
    }
    if depth > i64::from(limits.depth) {
        let message = format!(
            "the pool would hold {depth} people and kit {} is validated for {} in one well; mix \
             fewer tubes",
            limits.kit, limits.depth
        );
        reasons.push(Reason::new("pool.too_deep", pool, message));
    }
    reasons
}

/// What is wrong whatever the tubes are.
fn against_number(pool: &str, wanted: &Mixed, limits: &Limits) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let count = wanted.tubes.len();
    if usize::from(limits.tubes) < TUBES_MIN {
        let message = format!(
            "kit {} is not validated for tubes mixed in the laboratory; test each alone or use \
             another kit",
            limits.kit
        );
        reasons.push(Reason::new("pool.kit", pool, message));
    } else if count > usize::from(limits.tubes) {
        let message = format!(
            "{count} tubes are to be mixed and kit {} is validated for {}; make smaller pools",
            limits.kit, limits.tubes
        );
        reasons.push(Reason::new("pool.too_many_tubes", pool, message));
    }
    if count < TUBES_MIN {
        let message = "a pool is made of two tubes or more; put a tube alone on the plate itself";
        reasons.push(Reason::new("pool.too_few_tubes", pool, message));
    }
    let mut seen = BTreeSet::new();
    for code in wanted.tubes.iter().filter(|code| !seen.insert(code.as_str())) {
        let message = format!("tube {code} is listed twice; scan each tube once");
        reasons.push(Reason::new("pool.tube_twice", code, message));
    }
    reasons
}

fn against_tube(tube: &TubeRow, laboratory: &str, known: &Known) -> Vec<Reason> {
    let code = tube.code.as_str();
    let mut reasons = Vec::new();
    let mut refuse = |kind, message: String| reasons.push(Reason::new(kind, code, message));
    if tube.size > 1 {
        refuse(
            "pool.field_pool",
            format!(
                "tube {code} is for {} people's swabs, and field pools are never pooled again; \
                 test it alone",
                tube.size
            ),
        );
    }
    if tube.state != TubeState::Received {
        let state = tube.state.as_str();
        refuse(
            "pool.tube_state",
            format!("tube {code} is {state}, not received; only received tubes are mixed"),
        );
    } else if tube.laboratory_code.as_deref() != Some(laboratory) {
        refuse("pool.tube_elsewhere", format!("tube {code} is in another laboratory"));
    }
    if let Some(other) = known.pooled.get(code) {
        refuse(
            "pool.tube_pooled",
            format!("tube {code} is in pool {other}; test that pool, or dissolve it first"),
        );
    }
    if tube.attempt > 0 {
        refuse(
            "pool.tube_retest",
            format!("tube {code} was sent back by an earlier test and is tested alone from now on"),
        );
    }
    if known.recalled.contains(code) {
        refuse(
            "pool.recall",
            format!("tube {code} answers a recall, which needs a test of its own; test it alone"),
        );
    }
    reasons
}

/// Everything in which a pool that is there differs from what was asked for.
pub fn differences(stored: &StoredPool, wanted: &Mixed) -> Vec<Reason> {
    let fields = [
        ("laboratory", stored.mixed.laboratory == wanted.laboratory),
        ("kit", stored.mixed.kit.0 == wanted.kit.0),
        ("kit_version", stored.mixed.kit.1 == wanted.kit.1),
        ("tubes", stored.mixed.tubes == wanted.tubes),
    ];
    let differing = fields.into_iter().filter(|(_, same)| !same);
    differing
        .map(|(field, _)| {
            let message = format!(
                "pool {} was made with other {field}; what is mixed stays mixed, take another code",
                stored.code
            );
            Reason::new("pool.differs", field, message)
        })
        .collect()
}

/// Why this pool cannot be given up.
pub fn against_dissolving(pool: &StoredPool) -> Vec<Reason> {
    let code = pool.code.as_str();
    let message = match pool.state {
        PoolState::Open | PoolState::Dissolved => return Vec::new(),
        PoolState::Plated => format!(
            "pool {code} is on a frozen plate; void the run, then dissolve it if nothing is left"
        ),
        PoolState::Called => format!("pool {code} was called; its tubes are tested alone now"),
    };
    vec![Reason::new("pool.used", code, message)]
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
