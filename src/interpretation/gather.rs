//! Readings to wells: one to one, or every reason why not (R14).
//!
//! A target is known by the name in the file; the dye is the fallback (`formats.md` 0). It speaks
//! only where no target was typed, or where a dye was typed as the target: a name the kit does not
//! know is another assay, whatever its dye. Where several reactions share a dye (the CDC panel
//! reads everything in FAM) the layout says which reaction ran in the well.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::calls::TargetState;
use super::kit::{Kit, KitReaction, Target};
use super::targets;
use crate::instrument::Reading;
use crate::plate::{Content, Layout, Observed, Transform, WellPosition};

/// One well of the layout with a reading for every target of its reaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered<'a> {
    /// The well.
    pub well: WellPosition,
    /// What the layout put there.
    pub content: &'a Content,
    /// One for each target, in the kit's order.
    pub targets: Vec<TargetReading<'a>>,
}

/// A reading whose target is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetReading<'a> {
    /// Code of the kit's target.
    pub target: Cow<'a, str>,
    /// The reading.
    pub reading: Cow<'a, Reading>,
}

/// One reason why readings and layout do not belong together.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum MatchRefusal {
    /// The file has a well the plate lacks.
    #[error("the file has well {well}, which this plate does not have; upload the right file")]
    OffPlate {
        /// The well.
        well: WellPosition,
    },
    /// Nothing was read in a well that holds something.
    #[error("well {well} holds something but the file has no reading for it; export all wells")]
    MissingWell {
        /// The well.
        well: WellPosition,
    },
    /// A target of the well's reaction was not read.
    #[error("well {well} has no reading for target {target}; export all targets")]
    MissingTarget {
        /// The well.
        well: WellPosition,
        /// Code of the target.
        target: String,
    },
    /// Nothing at all was read for some targets: a whole filter or channel is missing.
    #[error(
        "the file has no reading for {targets} in any well: the file of that filter or channel is \
         missing; send the files of all filters of the run together, or export all channels"
    )]
    TargetsNotRead {
        /// Codes of the targets with their dyes.
        targets: String,
    },
    /// A signal where the layout has nothing.
    #[error("well {well} shows a signal but holds nothing; check plate and file")]
    SignalInEmptyWell {
        /// The well.
        well: WellPosition,
    },
    /// Two readings for one well and target.
    #[error("well {well} has two readings for target {target}; export the run once")]
    ReadTwice {
        /// The well.
        well: WellPosition,
        /// Code of the target.
        target: String,
    },
    /// A target that belongs to another reaction of the kit.
    #[error("well {well} was read for target {target}, which does not run there; check the layout")]
    OtherReaction {
        /// The well.
        well: WellPosition,
        /// Code of the target.
        target: String,
    },
    /// A target name and dye that mean nothing to the kit.
    #[error("target `{target}` in dye `{dye}` is not of this kit; choose the kit that ran")]
    TargetUnknown {
        /// The name in the file.
        target: String,
        /// The dye in the file.
        dye: String,
    },
    /// A well the operator took out of the analysis.
    #[error("well {well} was omitted on the instrument; include it and export again")]
    Omitted {
        /// The well.
        well: WellPosition,
    },
    /// The file names a tube in a well where the layout has something else.
    #[error("the file has tube {tube} in well {well}, the layout elsewhere; check plate and file")]
    TubeElsewhere {
        /// The well in the file.
        well: WellPosition,
        /// Code of the tube.
        tube: String,
    },
    /// The file names a tube that is not on this plate at all.
    #[error("the file has tube {tube} in well {well}, which is not on this plate; check the file")]
    TubeOffPlate {
        /// The well in the file.
        well: WellPosition,
        /// Code of the tube.
        tube: String,
    },
    /// The file names a pool in a well where the layout has something else.
    #[error("the file has pool {pool} in well {well}, the layout elsewhere; check plate and file")]
    PoolElsewhere {
        /// The well in the file.
        well: WellPosition,
        /// Code of the pool.
        pool: String,
    },
    /// The file names a pool that is not on this plate at all.
    #[error("the file has pool {pool} in well {well}, which is not on this plate; check the file")]
    PoolOffPlate {
        /// The well in the file.
        well: WellPosition,
        /// Code of the pool.
        pool: String,
    },
    /// The caller knows nothing of a tube on the plate.
    #[error("nothing is known of tube {tube}; register it")]
    TubeUnknown {
        /// Code of the tube.
        tube: String,
    },
    /// The layout and the collection disagree about the people in a tube.
    #[error("tube {tube} was laid out with {laid_out} people and has {known}; lay it out again")]
    PoolSizeDiffers {
        /// Code of the tube.
        tube: String,
        /// People by the layout.
        laid_out: u16,
        /// People by its record.
        known: u16,
    },
    /// A fault in handling the plate explains the readings better.
    #[error("the plate was probably {transform}; look at it and run it again")]
    Suspected {
        /// The fault.
        transform: Transform,
    },
}

/// Gives every well of the layout its readings; returns every mismatch, ordered by kind.
pub fn gather<'a>(
    kit: &'a Kit,
    layout: &'a Layout,
    readings: &'a [Reading],
) -> Result<Vec<Gathered<'a>>, Vec<MatchRefusal>> {
    let mut refusals = BTreeSet::new();
    let mut taken: BTreeMap<(WellPosition, &str), &Reading> = BTreeMap::new();
    for reading in readings {
        if is_blank(reading) {
            continue;
        }
        let well = reading.well;
        match place(kit, layout, reading) {
            Ok(None) => {}
            Ok(Some(target)) => {
                if taken.insert((well, &target.code), reading).is_some() {
                    refusals.insert(MatchRefusal::ReadTwice { well, target: target.code.clone() });
                }
            }
            Err(refusal) => {
                refusals.insert(refusal);
            }
        }
    }
    let mut gathered = Vec::new();
    for (well, content) in layout.wells() {
        match complete(kit, *well, content, &taken) {
            Ok(complete) => gathered.push(complete),
            Err(missing) => refusals.extend(missing),
        }
    }
    if refusals.is_empty() {
        return Ok(gathered);
    }
    let refusals = refusals.into_iter().collect();
    Err(without_whole_channels(kit, layout, readings, refusals))
}

/// Says once that a target was read in no well, instead of once for each well that lacks it.
fn without_whole_channels(
    kit: &Kit,
    layout: &Layout,
    readings: &[Reading],
    mut refusals: Vec<MatchRefusal>,
) -> Vec<MatchRefusal> {
    let read = |reading: &Reading| {
        let here = layout.content(reading.well).reaction().and_then(|code| kit.reaction(code));
        identify(kit, here.or(kit.reactions.first()), reading).map(|(_, target)| &*target.code)
    };
    let read: BTreeSet<&str> = readings.iter().filter_map(read).collect();
    let mut unread = Vec::new();
    refusals.retain(|refusal| match refusal {
        MatchRefusal::MissingTarget { target, .. } if !read.contains(target.as_str()) => {
            if !unread.contains(target) {
                unread.push(target.clone());
            }
            false
        }
        _ => true,
    });
    if !unread.is_empty() {
        let with_dye = |code: &String| {
            let target = kit.targets().find(|(_, target)| target.code == *code);
            target.map_or_else(
                || code.clone(),
                |(_, target)| format!("{code} ({})", target.channel()),
            )
        };
        let targets: Vec<_> = unread.iter().map(with_dye).collect();
        refusals.push(MatchRefusal::TargetsNotRead { targets: targets.join(", ") });
        refusals.sort();
    }
    refusals
}

/// A row that only says that the well exists.
fn is_blank(reading: &Reading) -> bool {
    reading.target.trim().is_empty()
        && reading.dye.trim().is_empty()
        && reading.ct.is_none()
        && reading.sample.trim().is_empty()
}

/// The target that a reading is of; none for a silent reading of an empty well.
fn place<'k>(
    kit: &'k Kit,
    layout: &Layout,
    reading: &Reading,
) -> Result<Option<&'k Target>, MatchRefusal> {
    let well = reading.well;
    if !layout.size().contains(well) {
        return Err(MatchRefusal::OffPlate { well });
    }
    let Some(reaction) = layout.content(well).reaction() else {
        let is_signal = !reading.omitted && reading.ct.is_some() && !is_background(kit, reading);
        return if is_signal { Err(MatchRefusal::SignalInEmptyWell { well }) } else { Ok(None) };
    };
    if reading.omitted {
        return Err(MatchRefusal::Omitted { well });
    }
    let (_, target) = identify(kit, kit.reaction(reaction), reading).ok_or_else(|| {
        let (target, dye) = (reading.target.clone(), reading.dye.clone());
        MatchRefusal::TargetUnknown { target, dye }
    })?;
    let runs_here =
        kit.reaction(reaction).is_some_and(|r| r.targets.iter().any(|t| t.code == target.code));
    if runs_here {
        Ok(Some(target))
    } else {
        Err(MatchRefusal::OtherReaction { well, target: target.code.clone() })
    }
}

/// A Ct of which the instrument says that nothing amplified, outside every cut-off.
fn is_background(kit: &Kit, reading: &Reading) -> bool {
    let within = |(_, target): (&KitReaction, &Target)| {
        targets::state(target, kit.calls.doubtful_curve, reading) != TargetState::NotAmplified
    };
    targets::says_no_amp(reading)
        && !identify(kit, kit.reactions.first(), reading).is_some_and(within)
}

/// The kit's target a reading is of, by its name, or by its dye where the name says nothing more.
fn identify<'k>(
    kit: &'k Kit,
    here: Option<&'k KitReaction>,
    reading: &Reading,
) -> Option<(&'k KitReaction, &'k Target)> {
    if let Some(found) = kit.targets().find(|(_, target)| target.is_named(&reading.target)) {
        return Some(found);
    }
    let mut by_dye = kit.targets().filter(|(_, target)| is_in_dye(target, reading));
    if let (Some(only), None) = (by_dye.next(), by_dye.next()) {
        return Some(only);
    }
    let here = here?;
    let target = here.targets.iter().find(|target| is_in_dye(target, reading))?;
    Some((here, target))
}

/// Whether the target's dyes account for everything the row says: its dye, and the dye that some
/// operators type as the target.
fn is_in_dye(target: &Target, reading: &Reading) -> bool {
    let said = [&reading.target, &reading.dye].map(|name| name.trim());
    let mut said = said.into_iter().filter(|name| !name.is_empty()).peekable();
    said.peek().is_some() && said.all(|dye| target.is_read_in(dye))
}

fn complete<'a>(
    kit: &'a Kit,
    well: WellPosition,
    content: &'a Content,
    taken: &BTreeMap<(WellPosition, &str), &'a Reading>,
) -> Result<Gathered<'a>, Vec<MatchRefusal>> {
    let targets = content
        .reaction()
        .and_then(|code| kit.reaction(code))
        .map_or(&[][..], |reaction| &reaction.targets);
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for target in targets {
        match taken.get(&(well, target.code.as_str())) {
            Some(reading) => {
                let target = Cow::Borrowed(target.code.as_str());
                found.push(TargetReading { target, reading: Cow::Borrowed(reading) });
            }
            None => missing.push(MatchRefusal::MissingTarget { well, target: target.code.clone() }),
        }
    }
    if found.is_empty() {
        return Err(vec![MatchRefusal::MissingWell { well }]);
    }
    if missing.is_empty() { Ok(Gathered { well, content, targets: found }) } else { Err(missing) }
}

/// Which wells were read and what amplified there, as far as it can be told from a run that may
/// not match its layout.
pub fn observed(kit: &Kit, layout: &Layout, readings: &[Reading]) -> Observed {
    let mut observed = Observed::default();
    for reading in readings.iter().filter(|reading| !reading.omitted) {
        let here = layout.content(reading.well).reaction().and_then(|code| kit.reaction(code));
        let Some((_, target)) = identify(kit, here.or(kit.reactions.first()), reading) else {
            continue;
        };
        observed.read.insert(reading.well);
        let state = targets::state(target, kit.calls.doubtful_curve, reading);
        if state == TargetState::Amplified {
            observed.amplified.insert((reading.well, target.channel().to_owned()));
        }
    }
    observed
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
