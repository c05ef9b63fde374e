//! The kit: reactions, targets, cut-offs and rules as versioned data, checked when read.
//!
//! Thresholds set wrongly by staff cost one laboratory tens of thousands of false
//! negatives (R17); so nothing here can be changed in place: another value is another version.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::rules::{self, KitFault};
use super::{CutOff, Outcome};
use crate::plate::{Channel, ControlRule, Plan, Reaction, TargetRole};

/// The kits that come with the program.
const EMBEDDED: [&str; 4] = [
    include_str!("../../fixtures/assays/cdc-2019-ncov-06.toml"),
    include_str!("../../fixtures/assays/orf1ab-n-ic-1.toml"),
    include_str!("../../fixtures/assays/orf1ab-n-ic-2.toml"),
    include_str!("../../fixtures/assays/codx-logix-smart-1.toml"),
];

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
    /// where it is not validated for that, whatever it says of field pools.
    #[serde(default)]
    pub laboratory_pools: u16,
    /// What runs in a well each, in slot order.
    pub reactions: Vec<KitReaction>,
    /// One rule for each control kind.
    pub controls: Vec<ControlRule>,
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
}

/// One reaction: the targets measured together in one well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitReaction {
    /// Code, unique in the kit.
    pub code: String,
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
    /// What a grey signal means when a repeat shows it again; absent without a grey zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grey_again: Option<Outcome>,
    /// What to make of an instrument's "Inconclusive" curve.
    pub doubtful_curve: DoubtfulCurve,
    /// Percent of tubes without any signal from which on the plate is void.
    pub internal_control_missing_percent: u8,
    /// Stable names of the rules.
    pub rules: RuleNames,
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

    /// The reaction with that code.
    pub fn reaction(&self, code: &str) -> Option<&KitReaction> {
        self.reactions.iter().find(|reaction| reaction.code == code)
    }

    /// The rule for a control kind.
    pub fn control_rule(&self, control: crate::plate::Control) -> Option<&ControlRule> {
        self.controls.iter().find(|rule| rule.control == control)
    }
}

impl Target {
    /// The dye that names its channel.
    pub fn channel(&self) -> &str {
        self.dyes.first().map_or("", String::as_str)
    }

    /// Whether the file's target name means this target.
    pub fn is_named(&self, name: &str) -> bool {
        let name = plain(name);
        std::iter::once(&self.code).chain(&self.aliases).any(|known| plain(known) == name)
    }

    /// Whether it is read in that dye.
    pub fn is_read_in(&self, dye: &str) -> bool {
        let dye = plain(dye);
        self.dyes.iter().any(|known| plain(known) == dye)
    }
}

/// A name without case, blanks and the signs that stand for blanks.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}

impl Kit {
    /// Reads a kit from TOML; returns every fault.
    pub fn parse(text: &str) -> Result<Self, Vec<KitFault>> {
        let definition: Definition = toml::from_str(text)
            .map_err(|error| vec![KitFault::Unreadable(error.message().to_owned())])?;
        Self::approve(definition)
    }

    /// Checks a definition; returns every fault.
    pub fn approve(definition: Definition) -> Result<Self, Vec<KitFault>> {
        let faults = rules::kit_faults(&definition);
        if faults.is_empty() { Ok(Self(definition)) } else { Err(faults) }
    }

    /// The embedded kit of that code and version.
    pub fn find(code: &str, version: &str) -> Option<Self> {
        kits().into_iter().find(|kit| kit.code == code && kit.version == version)
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
                .map(|reaction| Reaction {
                    code: reaction.code.clone(),
                    channels: reaction.targets.iter().map(channel).collect(),
                })
                .collect(),
            controls: self.controls.clone(),
            validated_depth: self.validated_depth,
            field_pools: self.field_pools,
            laboratory_pools: self.laboratory_pools,
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
        Self::approve(definition)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }
}

/// The kits that come with the program.
///
/// # Panics
///
/// Never on a build whose tests passed: the embedded files are checked there.
pub fn kits() -> Vec<Kit> {
    EMBEDDED
        .iter()
        .map(|text| Kit::parse(text).expect("embedded kits are checked by a test"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_kits_are_sound_and_found_by_code_and_version() {
        for kit in kits() {
            assert_eq!(Kit::find(&kit.code, &kit.version).as_ref(), Some(&kit));
            let json = serde_json::to_string(&kit).unwrap();
            assert_eq!(serde_json::from_str::<Kit>(&json).unwrap(), kit);
        }
        assert_eq!(Kit::find("cdc-2019-ncov", "05"), None);
    }

    #[test]
    fn only_a_kit_with_its_makers_cut_offs_is_for_people() {
        for kit in kits() {
            let clinical = kit.code == "cdc-2019-ncov";
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
    }
}
