//! Kits and readings give calls; controls give the verdict.
//!
//! One door, [`interpret`]: it matches the readings of a run to the layout of its plate one
//! to one (R14), calls every tube by the kit's rules and judges the plate by its controls. Nothing
//! here looks at a clock or a database, so a stored run is called again with the same answer.
//!
//! A call says what the readings mean; the [`Verdict`] says whether they may be used. Calls of
//! an unusable plate are kept as evidence and must never be released.

pub mod answer;
pub mod api;
mod calls;
mod controls;
mod cutoff;
mod disposition;
mod drawing;
mod gather;
pub mod kept;
pub mod kit;
pub mod lot;
mod names;
mod neighbours;
mod of_instrument;
pub mod picture_api;
mod points;
mod pooled;
mod preview;
pub mod replace;
mod rules;
pub mod store;
pub mod swapped;
mod targets;
mod upload;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use calls::{Call, TargetCall, TargetState, call};
pub use controls::{Verdict, VerdictCode, VerdictReason, verdict};
pub use cutoff::{CutOff, NotACutOff};
pub use disposition::{CLEAN_NEGATIVE_RULE, Disposition, NotClean, clean_negative};
pub use gather::{Gathered, MatchRefusal, TargetReading, gather, observed};
pub use kit::{
    CallPolicy, ControlLimit, Definition, DoubtfulCurve, GreyAgain, Kit, KitReaction, Programme,
    Purpose, RetestPolicy, Retests, RuleNames, Target, kits, programmes,
};
pub use names::names;
pub use rules::KitFault;
pub use targets::state;

use crate::instrument::Reading;
use crate::plate::{Content, Layout, TargetRole, suspected_transform};

/// What the readings of a tube mean.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Outcome {
    /// The pathogen is there.
    Detected,
    /// It is not, and the internal control proves that it would have been seen.
    NotDetected,
    /// Some signal, too little to tell.
    Inconclusive,
    /// No signal at all, not even of the internal control.
    Invalid,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Detected => "detected",
            Self::NotDetected => "not detected",
            Self::Inconclusive => "inconclusive",
            Self::Invalid => "invalid",
        })
    }
}

/// What must be known of a tube beside its readings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TubeFacts {
    /// People in the tube; more than one makes it a pool.
    pub pool_size: u16,
    /// Which test of this tube this is, from 1; tests on plates found unusable do not count.
    pub attempt: u8,
    /// How many of its earlier tests were of a laboratory pool; they use up none of its retests.
    #[serde(default)]
    pub pooled: u8,
    /// Its earlier tests alone, so that "the same again" can be told.
    #[serde(default)]
    pub earlier: Vec<EarlierTest>,
    /// Whether a usable run that was made void had called it detected or inconclusive. What was
    /// read there counts for no call, but one person can make a run void, so that a negative
    /// after it must be seen by two.
    #[serde(default)]
    pub voided: bool,
}

/// What an earlier test said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierTest {
    /// The rule that decided.
    pub rule: String,
    /// Pathogen targets that amplified.
    pub amplified: Vec<String>,
    /// Pathogen targets that were grey, also beside one that amplified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grey: Vec<String>,
    /// Of which swab.
    pub specimen: Specimen,
}

/// Which swab of a person an earlier test was of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Specimen {
    /// The tube itself.
    Same,
    /// Another tube of this person alone, whose recall was not closed before this one was sealed.
    Another,
}

impl EarlierTest {
    /// Whether it left a target of this very tube grey by the rules of this kit: one target that is
    /// clear does not settle another.
    fn is_grey(&self, kit: &Kit) -> bool {
        let rules = &kit.calls.rules;
        let beside_a_clear_one = self.rule == rules.single_target && !self.grey.is_empty();
        self.specimen == Specimen::Same
            && (Some(&self.rule) == rules.grey.as_ref() || beside_a_clear_one)
    }

    /// Whether too few targets of this very tube amplified in it by the rules of this kit.
    fn is_single_target(&self, kit: &Kit) -> bool {
        self.specimen == Specimen::Same
            && self.rule == kit.calls.rules.single_target
            && !self.amplified.is_empty()
    }

    /// An earlier test that this rule decided by these targets.
    pub fn of(rule: String, targets: &[TargetCall], specimen: Specimen) -> Self {
        let pathogen = |state: TargetState| -> Vec<String> {
            targets
                .iter()
                .filter(|target| target.role == TargetRole::Pathogen && target.state == state)
                .map(|target| target.target.clone())
                .collect()
        };
        Self {
            rule,
            amplified: pathogen(TargetState::Amplified),
            grey: pathogen(TargetState::Grey),
            specimen,
        }
    }
}

impl TubeFacts {
    /// A tube tested for the first time.
    pub const fn first_test(pool_size: u16) -> Self {
        Self { pool_size, attempt: 1, pooled: 0, earlier: Vec::new(), voided: false }
    }

    /// Whether several people are in the tube.
    pub const fn is_pool(&self) -> bool {
        self.pool_size > 1
    }

    /// Which test of this tube alone this is, from 1.
    const fn attempt_alone(&self) -> u8 {
        self.attempt.saturating_sub(self.pooled)
    }
}

/// What a run says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpretation {
    /// May the plate be used, and every reason why not.
    pub verdict: Verdict,
    /// One call for each tube on the plate, by code; those of a laboratory pool name it.
    pub calls: Vec<Call>,
}

/// Calls every tube of a plate and judges the plate.
///
/// A laboratory pool is called as one; what it says is then the call of each of its tubes
/// (see `pooled.rs`). The plate is judged by what stood in its wells, so a pool counts once.
///
/// `tubes` has an entry for every tube in the layout, and for every stored tube the file names.
/// Readings that do not match the layout one to one give no calls but every reason, among them the
/// fault in handling the plate that would explain them.
pub fn interpret(
    kit: &Kit,
    layout: &Layout,
    readings: &[Reading],
    tubes: &BTreeMap<String, TubeFacts>,
) -> Result<Interpretation, Vec<MatchRefusal>> {
    interpret_wells(kit, layout, readings, tubes).map(|(read, _wells)| read)
}

/// [`interpret`], with the wells it went by.
fn interpret_wells<'a>(
    kit: &'a Kit,
    layout: &'a Layout,
    readings: &'a [Reading],
    tubes: &BTreeMap<String, TubeFacts>,
) -> Result<(Interpretation, Vec<Gathered<'a>>), Vec<MatchRefusal>> {
    let mut refusals = tube_refusals(layout, tubes);
    let mut mismatches = names::misnamed(layout, tubes, readings);
    let gathered = match gather(kit, layout, readings) {
        Ok(gathered) if refusals.is_empty() && mismatches.is_empty() => gathered,
        gathered => {
            mismatches.extend(gathered.err().unwrap_or_default());
            // Where a channel is missing, its controls are silent however the plate lay.
            let lacks_channel =
                mismatches.iter().any(|one| matches!(one, MatchRefusal::TargetsNotRead { .. }));
            if !mismatches.is_empty() && !lacks_channel {
                let seen = observed(kit, layout, readings);
                let transform = suspected_transform(layout, &kit.plan(), &seen);
                mismatches.extend(transform.map(|transform| MatchRefusal::Suspected { transform }));
            }
            refusals.extend(mismatches);
            return Err(refusals);
        }
    };
    let mut by_tube: BTreeMap<&str, Vec<TargetReading<'_>>> = BTreeMap::new();
    let mut by_pool = by_tube.clone();
    for well in &gathered {
        let of = match well.content {
            Content::Tube { tube, .. } => by_tube.entry(tube),
            Content::Pool { pool, .. } => by_pool.entry(pool),
            Content::Control { .. } | Content::Nothing => continue,
        };
        of.or_default().extend(well.targets.iter().cloned());
    }
    let alone = by_tube.into_iter().filter_map(|(tube, readings)| {
        tubes.get(tube).map(|facts| call(kit, tube, &readings, facts))
    });
    let mut calls: Vec<Call> = alone.collect();
    let (mixed, singly) = (layout.pools(), calls.len());
    calls.extend(by_pool.into_iter().map(|(pool, readings)| {
        pooled::call_pool(kit, pool, &readings, mixed.get(pool).map_or(0, |tubes| tubes.len()))
    }));
    let around = neighbours::Surroundings::of(kit, layout, &gathered);
    let verdict = verdict(kit, (layout, &around), &gathered, &calls);
    let mut calls = neighbours::hold(kit, &around, calls, tubes);
    for pool in calls.split_off(singly) {
        let of = pool.pool.as_deref().and_then(|code| mixed.get(code));
        calls.extend(pooled::calls_of(&pool, of.copied().unwrap_or_default(), tubes));
    }
    calls.sort_by(|one, other| one.tube.cmp(&other.tube));
    Ok((Interpretation { verdict, calls }, gathered))
}

/// Tubes of the layout that the caller knows nothing of, or something else.
fn tube_refusals(layout: &Layout, tubes: &BTreeMap<String, TubeFacts>) -> Vec<MatchRefusal> {
    layout
        .tubes()
        .into_iter()
        .filter_map(|(tube, depth)| match tubes.get(tube) {
            None => Some(MatchRefusal::TubeUnknown { tube: tube.to_owned() }),
            Some(facts) if facts.pool_size != depth => Some(MatchRefusal::PoolSizeDiffers {
                tube: tube.to_owned(),
                laid_out: depth,
                known: facts.pool_size,
            }),
            Some(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod journeys;
#[cfg(test)]
mod swaps;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod workbench;
