//! The kit: reactions, targets, cut-offs and rules as versioned data, checked when read.
//!
//! Thresholds set wrongly by staff cost one laboratory tens of thousands of false
//! negatives (R17); so nothing here can be changed in place: another value is another version.

pub mod api;
pub mod approval_api;
mod programme;
pub mod rules;
pub mod shadow;
pub mod shadow_api;
pub mod shadow_store;
pub mod shadow_union;
mod shipped;
mod spelling;
pub mod store;

use std::ops::Deref;

use serde::{Deserialize, Serialize};

pub use programme::{Programme, programmes};
pub use shipped::kits;
pub(super) use spelling::{is_same, plain};

use super::rules::{KitFault, kit_faults};
use super::{CutOff, Outcome};
use crate::instrument::Ct;
use crate::plate::{Channel, Control, ControlRule, Pipetting, Plan, Reaction, TargetRole};

/// Single tubes that one laboratory pool may hold, whatever a kit is validated for.
pub const POOLED_MAX: u16 = 20;

/// A checked kit: a [`Definition`] in which no fault was found. Reads as its definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Definition", into = "Definition")]
pub struct Kit(Definition);

/// A kit as its file states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Code, the same for all versions.
    pub code: String,
    /// Version of rules and cut-offs.
    pub version: String,
    /// Name as people know it.
    pub name: String,
    /// Where rules and cut-offs were taken from.
    pub source: String,
    /// Whether people may be told results by it.
    pub purpose: Purpose,
    /// Most people that may be in one well, however they were pooled.
    pub validated_depth: u16,
    /// Whether it is validated for tubes that several people's swabs were put into on collection.
    pub field_pools: bool,
    /// Most single tubes it is validated for when they are mixed in the laboratory; absent or 0
    /// where it is not validated for that, whatever it says of field pools. No more than
    /// [`POOLED_MAX`] are mixed, also where it is validated for more.
    #[serde(default)]
    pub laboratory_pools: u16,
    /// How much of a tube goes into each well; absent where the leaflet was not read for it, and
    /// then each plate says how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipetting: Option<Pipetting>,
    /// What runs in a well each, in slot order.
    pub reactions: Vec<KitReaction>,
    /// One rule for each control kind.
    pub controls: Vec<ControlRule>,
    /// Limits of single targets in a control, where they are not those of a tube.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control_limits: Vec<ControlLimit>,
    /// Code of the [`Programme`] whose policies for doubtful tubes the kit states as its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programme: Option<String>,
    /// How signals become a call.
    pub calls: CallPolicy,
    /// How often a tube is tested again.
    pub retests: RetestPolicy,
}

/// What a kit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Cut-offs and rules are the maker's; people are told results by it.
    Clinical,
    /// Cut-offs or rules are invented: for stories and the demo, never for people.
    Demonstration,
    /// Cut-offs are second-hand, or a part of the leaflet is missing: a laboratory checks them
    /// against its leaflet and proposes a clinical version of its own.
    Unproven,
}

/// What targets of a control must show, where a leaflet states other limits than for a tube.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlLimit {
    /// Which control.
    pub control: Control,
    /// Codes of the targets.
    pub targets: Vec<String>,
    /// Up to which Ct it counts: one that must amplify has such a Ct, one that must be silent
    /// none.
    pub within: CutOff,
    /// From which Ct on it counts, where a lot's leaflet gives a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Ct>,
}

/// One reaction: the targets measured together in one well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitReaction {
    /// Code, unique in the kit.
    pub code: String,
    /// Wells of each tube and of each control in which it runs. A tube's have to agree: a target
    /// that some of them show and others do not is grey, whatever its cut-offs.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub replicates: u8,
    /// What it measures.
    pub targets: Vec<Target>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Code, unique in the kit.
    pub code: String,
    /// Pathogen or internal control.
    pub role: TargetRole,
    /// Other names operators type; case and blanks do not matter.
    pub aliases: Vec<String>,
    /// Dyes it is read in; the first names the channel.
    pub dyes: Vec<String>,
    /// Up to which Ct it has amplified.
    pub positive: CutOff,
    /// Up to which later Ct it is grey; no grey zone when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grey: Option<CutOff>,
}

/// How the signals of a tube become a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallPolicy {
    /// Pathogen targets that must amplify for "detected".
    pub targets_needed: usize,
    /// What fewer targets than needed mean when a repeat shows them again.
    pub single_target_again: Outcome,
    /// Whether only the same target counts as again, not any.
    #[serde(default, skip_serializing_if = "is_false")]
    pub same_target: bool,
    /// Whether another specimen of the same person counts as again, unless the recall that the
    /// first one led to was closed before it was collected; any target then does.
    #[serde(default, skip_serializing_if = "is_false")]
    pub across_specimens: bool,
    /// Targets that ask for new material at once when they amplify alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recollect_alone: Vec<String>,
    /// What a grey signal means when a repeat shows it again; absent without a grey zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grey_again: Option<GreyAgain>,
    /// What to make of an instrument's "Inconclusive" curve.
    pub doubtful_curve: DoubtfulCurve,
    /// Percent of tubes without any signal from which on the plate is void.
    pub internal_control_missing_percent: u8,
    /// Stable names of the rules.
    pub rules: RuleNames,
}

/// What a grey signal means that a repeat shows again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GreyAgain {
    /// Twice seen is there.
    Detected,
    /// It stays open, and new material is asked for.
    Inconclusive,
    /// There with a clear S-shaped curve, not there without; open while the instrument says
    /// nothing of the curve.
    ByCurve,
}

/// What an amplification status "Inconclusive" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtfulCurve {
    /// The target is grey, with or without a Ct.
    Grey,
    /// The leaflet knows only the Ct: judge it, and take none for none.
    CtDecides,
}

/// The names under which calls say how they were decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleNames {
    /// Enough targets amplified.
    pub detected: String,
    /// Some, but too few.
    pub single_target: String,
    /// A grey signal; absent without a grey zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grey: Option<String>,
    /// Internal control only.
    pub not_detected: String,
    /// No internal control either.
    pub invalid: String,
}

/// How often a tube may be tested again before new material is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetestPolicy {
    /// For the tube of one person.
    pub single: Retests,
    /// For the tube of several.
    pub pool: Retests,
}

/// Retests by what was found; the first test is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retests {
    /// After too few targets.
    pub inconclusive: u8,
    /// After no internal control.
    pub invalid: u8,
    /// After a grey signal.
    #[serde(default)]
    pub grey: u8,
}

impl Definition {
    /// Every target with its reaction.
    pub fn targets(&self) -> impl Iterator<Item = (&KitReaction, &Target)> {
        self.reactions.iter().flat_map(|r| r.targets.iter().map(move |target| (r, target)))
    }

    /// The reaction that runs in a well of that code, see [`KitReaction::wells`].
    pub fn reaction(&self, code: &str) -> Option<&KitReaction> {
        self.reactions.iter().find(|reaction| reaction.runs_in(code))
    }

    /// The rule for a control kind.
    pub fn control_rule(&self, control: Control) -> Option<&ControlRule> {
        self.controls.iter().find(|rule| rule.control == control)
    }

    /// The limit of a target in a control, where it has one of its own.
    pub fn control_limit(&self, control: Control, target: &str) -> Option<&ControlLimit> {
        self.control_limits
            .iter()
            .find(|limit| limit.control == control && limit.targets.iter().any(|t| t == target))
    }
}

impl KitReaction {
    /// What its wells are called on a plate, in slot order: by its code, and from the second
    /// replicate on by their number behind it: `mix`, `mix-2`.
    pub fn wells(&self) -> impl Iterator<Item = String> {
        let second_on = (2..=self.replicates).map(|number| format!("{}-{number}", self.code));
        std::iter::once(self.code.clone()).chain(second_on)
    }

    fn runs_in(&self, well: &str) -> bool {
        self.code == well || self.replicates > 1 && self.wells().any(|code| code == well)
    }
}

impl ControlLimit {
    /// Whether a Ct lies within it.
    pub fn admits(&self, ct: Ct) -> bool {
        self.within.admits(ct) && self.not_before.is_none_or(|first| ct >= first)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

const fn one() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_one(number: &u8) -> bool {
    *number == 1
}

impl Target {
    /// The dye that names its channel.
    pub fn channel(&self) -> &str {
        self.dyes.first().map_or("", String::as_str)
    }

    /// Whether the file's target name means this target.
    pub fn is_named(&self, name: &str) -> bool {
        std::iter::once(&self.code).chain(&self.aliases).any(|known| is_same(known, name))
    }

    /// Whether it is read in that dye; a LightCycler names a filter by all the dyes it fits,
    /// `VIC / HEX / Yellow555`.
    pub fn is_read_in(&self, dye: &str) -> bool {
        dye.split('/').any(|dye| self.dyes.iter().any(|known| is_same(known, dye)))
    }
}

impl Kit {
    /// Reads a kit from TOML; returns every fault.
    pub fn parse(text: &str) -> Result<Self, Vec<KitFault>> {
        let definition: Definition = toml::from_str(text)
            .map_err(|error| vec![KitFault::Unreadable(error.message().to_owned())])?;
        Self::read(definition)
    }

    /// Checks a definition, and that it says what the programme says which it names; returns every
    /// fault. What is stored is the whole, so that a later programme changes no kit.
    pub fn read(definition: Definition) -> Result<Self, Vec<KitFault>> {
        let mut faults = match &definition.programme {
            None => Vec::new(),
            Some(code) => Programme::find(code).map_or_else(
                || vec![KitFault::NoProgramme(code.clone())],
                |programme| programme.contradictions(&definition),
            ),
        };
        faults.extend(kit_faults(&definition));
        if faults.is_empty() { Ok(Self(definition)) } else { Err(faults) }
    }

    /// Checks a definition as it is; returns every fault.
    pub fn check(definition: Definition) -> Result<Self, Vec<KitFault>> {
        let faults = kit_faults(&definition);
        if faults.is_empty() { Ok(Self(definition)) } else { Err(faults) }
    }

    /// The embedded kit of that code and version.
    pub fn find(code: &str, version: &str) -> Option<Self> {
        kits().iter().find(|kit| kit.code == code && kit.version == version).cloned()
    }

    /// What a plate must know of this kit.
    pub fn plan(&self) -> Plan {
        let channel =
            |target: &Target| Channel { dye: target.channel().to_owned(), role: target.role };
        Plan {
            kit: format!("{} {}", self.code, self.version),
            reactions: self
                .reactions
                .iter()
                .flat_map(|reaction| reaction.wells().map(move |code| (code, reaction)))
                .map(|(code, reaction)| Reaction {
                    code,
                    channels: reaction.targets.iter().map(channel).collect(),
                })
                .collect(),
            controls: self.controls.clone(),
            validated_depth: self.validated_depth,
            field_pools: self.field_pools,
            laboratory_pools: self.laboratory_pools.min(POOLED_MAX),
            pipetting: self.pipetting,
        }
    }
}

impl Deref for Kit {
    type Target = Definition;

    fn deref(&self) -> &Definition {
        &self.0
    }
}

impl From<Kit> for Definition {
    fn from(kit: Kit) -> Self {
        kit.0
    }
}

impl TryFrom<Definition> for Kit {
    type Error = String;

    fn try_from(definition: Definition) -> Result<Self, String> {
        Self::check(definition)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_kits_are_sound_and_found_by_code_and_version() {
        for kit in kits() {
            assert_eq!(Kit::find(&kit.code, &kit.version).as_ref(), Some(kit));
            let json = serde_json::to_string(&kit).unwrap();
            assert_eq!(serde_json::from_str::<Kit>(&json).unwrap(), *kit);
        }
        assert_eq!(Kit::find("cdc-2019-ncov", "05"), None);
    }

    #[test]
    fn no_more_tubes_are_mixed_than_a_pool_can_hold_whatever_a_kit_is_validated_for() {
        let kit = Kit::find("orf1ab-n-ic", "1").unwrap();
        assert_eq!(kit.plan().laboratory_pools, kit.laboratory_pools);
        let mut deep = Definition::from(kit);
        (deep.validated_depth, deep.laboratory_pools) = (32, 32);
        let deep = Kit::try_from(deep).unwrap();
        assert_eq!(deep.plan().laboratory_pools, POOLED_MAX);
    }

    #[test]
    fn only_a_kit_with_its_makers_cut_offs_is_for_people() {
        for kit in kits() {
            let read_in_the_instructions = ["cdc-2019-ncov", "salivadirect"];
            let clinical = read_in_the_instructions.contains(&kit.code.as_str());
            assert_eq!(kit.purpose == Purpose::Clinical, clinical, "{}", kit.source);
        }
    }

    #[test]
    fn the_two_versions_of_the_two_target_kit_differ_in_depth_only() {
        let (ten, twenty) =
            (Kit::find("orf1ab-n-ic", "1").unwrap(), Kit::find("orf1ab-n-ic", "2").unwrap());
        assert_eq!((ten.validated_depth, twenty.validated_depth), (10, 20));
        let deeper = Definition { validated_depth: 20, version: "2".to_owned(), ..ten.0 };
        assert_eq!(deeper, twenty.0);
    }

    #[test]
    fn a_target_answers_to_the_names_operators_type() {
        let kit = Kit::find("codx-logix-smart", "1").unwrap();
        let rnasep = &kit.reactions[0].targets[1];
        for name in ["RNaseP", "RNase P", "rnasep", " RNAsaP ", "RP"] {
            assert!(rnasep.is_named(name), "{name}");
        }
        assert!(!rnasep.is_named("SARS-CoV-2"));
        assert!(!rnasep.is_named(""));
        assert!(rnasep.is_read_in("Texas Red"));
        assert!(rnasep.is_read_in("Red 610 / Texas Red"));
        assert!(!rnasep.is_read_in("FAM / SYBR Green I"));
    }
}
