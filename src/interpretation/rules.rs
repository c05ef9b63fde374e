//! May this kit be used? Every reason why not.

use std::collections::BTreeMap;

use super::kit::{Definition, plain};
use super::{DoubtfulCurve, Outcome};
use crate::plate::{Control, Expectation, TargetRole};

/// Most retests a kit may ask for: a chain must end.
const RETESTS_MAX: u8 = 3;

/// One reason why a kit is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KitFault {
    /// Not TOML, or not these fields.
    #[error("the kit cannot be read: {0}")]
    Unreadable(String),
    /// A text that must not be blank.
    #[error("the kit's {0} is blank; fill it in")]
    Blank(&'static str),
    /// Nothing to measure.
    #[error("reaction {0} measures no target")]
    NoTargets(String),
    /// No pathogen, or no internal control.
    #[error("the kit has no {0} target; without one nothing can be called")]
    RoleMissing(&'static str),
    /// A reaction's code, a target's code or an alias that means two things.
    #[error("the name {0} means two things; names differ by more than case and blanks")]
    NameTwice(String),
    /// A target without a dye.
    #[error("target {0} has no dye")]
    NoDye(String),
    /// Two targets of one reaction in one dye.
    #[error("dye {dye} is used twice in reaction {reaction}")]
    DyeTwice {
        /// Code of the reaction.
        reaction: String,
        /// The dye.
        dye: String,
    },
    /// A grey zone that ends where, or before, it begins.
    #[error("the grey zone of target {0} does not reach beyond its cut-off")]
    GreyWithinPositive(String),
    /// An internal control with a grey zone: it is there or it is not.
    #[error("internal control {0} has a grey zone; give it a cut-off only")]
    GreyInternalControl(String),
    /// Grey signals are possible, but no rule says what they mean, or the other way round.
    #[error("grey zone, its rule name and `grey_again` go together; state all or none")]
    GreyRuleIncomplete,
    /// None or more targets needed than there are.
    #[error("`targets_needed` is {0}; it lies between 1 and the number of pathogen targets")]
    TargetsNeeded(usize),
    /// A repeated doubtful signal called anything but detected or inconclusive.
    #[error("`{0}` must be detected or inconclusive: a signal seen twice is no negative")]
    AgainOutcome(&'static str),
    /// A control kind with two rules.
    #[error("the {0} control has two rules")]
    ControlTwice(Control),
    /// No must-amplify or no silent control.
    #[error("the kit must require a {0} control for every pathogen target")]
    ControlRuleMissing(Control),
    /// No depth.
    #[error("`validated_depth` is 0; a well holds at least one person")]
    NoDepth,
    /// More tubes mixed than people allowed.
    #[error("`laboratory_pools` is {0}, more than `validated_depth`; a single tube holds a person")]
    PoolsTooDeep(u16),
    /// A threshold that is no share.
    #[error("`internal_control_missing_percent` is {0}; it lies between 1 and 100")]
    Percent(u8),
    /// A chain without an end.
    #[error("{0} retests are too many; at most 3 are allowed")]
    TooManyRetests(u8),
}

/// Every fault of a kit.
pub fn kit_faults(kit: &Definition) -> Vec<KitFault> {
    let mut faults = blank_faults(kit);
    faults.extend(target_faults(kit));
    faults.extend(name_faults(kit));
    faults.extend(policy_faults(kit));
    faults.extend(control_faults(kit));
    if kit.validated_depth == 0 {
        faults.push(KitFault::NoDepth);
    } else if kit.laboratory_pools > kit.validated_depth {
        faults.push(KitFault::PoolsTooDeep(kit.laboratory_pools));
    }
    for retests in [kit.retests.single, kit.retests.pool] {
        let counts = [retests.inconclusive, retests.invalid, retests.grey];
        let too_many = counts.into_iter().filter(|count| *count > RETESTS_MAX);
        faults.extend(too_many.map(KitFault::TooManyRetests));
    }
    faults
}

fn blank_faults(kit: &Definition) -> Vec<KitFault> {
    let rules = &kit.calls.rules;
    let texts = [
        ("code", Some(&kit.code)),
        ("version", Some(&kit.version)),
        ("name", Some(&kit.name)),
        ("source", Some(&kit.source)),
        ("rule name for detected", Some(&rules.detected)),
        ("rule name for a single target", Some(&rules.single_target)),
        ("rule name for a grey signal", rules.grey.as_ref()),
        ("rule name for not detected", Some(&rules.not_detected)),
        ("rule name for invalid", Some(&rules.invalid)),
    ];
    texts
        .into_iter()
        .filter(|(_, text)| text.is_some_and(|text| text.trim().is_empty()))
        .map(|(what, _)| KitFault::Blank(what))
        .collect()
}

fn target_faults(kit: &Definition) -> Vec<KitFault> {
    let mut faults = Vec::new();
    for reaction in &kit.reactions {
        if reaction.targets.is_empty() {
            faults.push(KitFault::NoTargets(reaction.code.clone()));
        }
        let mut dyes = BTreeMap::new();
        for target in &reaction.targets {
            if target.dyes.is_empty() {
                faults.push(KitFault::NoDye(target.code.clone()));
            }
            for dye in &target.dyes {
                if dyes.insert(plain(dye), &target.code).is_some() {
                    let (reaction, dye) = (reaction.code.clone(), dye.clone());
                    faults.push(KitFault::DyeTwice { reaction, dye });
                }
            }
            let Some(grey) = target.grey else { continue };
            if !grey.is_wider_than(target.positive) {
                faults.push(KitFault::GreyWithinPositive(target.code.clone()));
            }
            if target.role == TargetRole::InternalControl {
                faults.push(KitFault::GreyInternalControl(target.code.clone()));
            }
        }
    }
    let roles =
        [(TargetRole::Pathogen, "pathogen"), (TargetRole::InternalControl, "internal-control")];
    for (role, name) in roles {
        if !kit.targets().any(|(_, target)| target.role == role) {
            faults.push(KitFault::RoleMissing(name));
        }
    }
    faults
}

/// A name that stands for two reactions, or for two targets.
fn name_faults(kit: &Definition) -> Vec<KitFault> {
    let reactions = kit.reactions.iter().map(|reaction| &reaction.code).enumerate();
    let targets = kit.targets().enumerate().flat_map(|(index, (_, target))| {
        std::iter::once(&target.code).chain(&target.aliases).map(move |name| (index, name))
    });
    ambiguous(reactions).into_iter().chain(ambiguous(targets)).map(KitFault::NameTwice).collect()
}

/// The names that different things answer to.
fn ambiguous<'a>(names: impl Iterator<Item = (usize, &'a String)>) -> Vec<String> {
    let mut meanings: BTreeMap<String, Vec<(usize, &String)>> = BTreeMap::new();
    for (thing, name) in names {
        meanings.entry(plain(name)).or_default().push((thing, name));
    }
    let ambiguous = meanings.into_values().filter(|m| m.iter().any(|(thing, _)| *thing != m[0].0));
    ambiguous.map(|m| m[0].1.clone()).collect()
}

fn policy_faults(kit: &Definition) -> Vec<KitFault> {
    let mut faults = Vec::new();
    let calls = &kit.calls;
    let pathogens = kit.targets().filter(|(_, t)| t.role == TargetRole::Pathogen).count();
    if calls.targets_needed == 0 || calls.targets_needed > pathogens.max(1) {
        faults.push(KitFault::TargetsNeeded(calls.targets_needed));
    }
    let grey_possible = calls.doubtful_curve == DoubtfulCurve::Grey
        || kit.targets().any(|(_, target)| target.grey.is_some());
    if grey_possible != calls.rules.grey.is_some() || grey_possible != calls.grey_again.is_some() {
        faults.push(KitFault::GreyRuleIncomplete);
    }
    let again = [
        ("single_target_again", Some(calls.single_target_again)),
        ("grey_again", calls.grey_again),
    ];
    for (name, outcome) in again {
        if matches!(outcome, Some(Outcome::NotDetected | Outcome::Invalid)) {
            faults.push(KitFault::AgainOutcome(name));
        }
    }
    if !(1..=100).contains(&calls.internal_control_missing_percent) {
        faults.push(KitFault::Percent(calls.internal_control_missing_percent));
    }
    faults
}

fn control_faults(kit: &Definition) -> Vec<KitFault> {
    let mut faults = Vec::new();
    for (index, rule) in kit.controls.iter().enumerate() {
        if kit.controls[..index].iter().any(|earlier| earlier.control == rule.control) {
            faults.push(KitFault::ControlTwice(rule.control));
        }
    }
    let needed =
        [(Control::Positive, Expectation::Amplify), (Control::Negative, Expectation::Silent)];
    for (control, expectation) in needed {
        let is_sound = kit
            .control_rule(control)
            .is_some_and(|rule| rule.required && rule.pathogen == expectation);
        if !is_sound {
            faults.push(KitFault::ControlRuleMissing(control));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpretation::{Kit, kits};

    fn orf() -> Definition {
        Definition::from(Kit::find("orf1ab-n-ic", "1").unwrap())
    }

    /// One change to a sound kit, and the faults it must bring.
    fn broken(change: impl FnOnce(&mut Definition)) -> Vec<KitFault> {
        let mut kit = orf();
        change(&mut kit);
        kit_faults(&kit)
    }

    #[test]
    fn the_embedded_kits_have_no_fault() {
        for kit in kits() {
            assert_eq!(kit_faults(&kit), []);
        }
    }

    #[test]
    fn each_fault_of_a_kit_is_found() {
        use KitFault as Fault;
        let owned = str::to_owned;
        assert_eq!(broken(|kit| kit.source = owned(" ")), [Fault::Blank("source")]);
        assert_eq!(
            broken(|kit| kit.reactions[0].targets[1].aliases.push(owned("orf 1AB"))),
            [Fault::NameTwice(owned("ORF1ab"))]
        );
        assert_eq!(
            broken(|kit| kit.reactions[0].targets[1].dyes.push(owned("fam"))),
            [Fault::DyeTwice { reaction: owned("mix"), dye: owned("fam") }]
        );
        assert_eq!(
            broken(|kit| kit.reactions[0].targets[0].dyes.clear()),
            [Fault::NoDye(owned("ORF1ab"))]
        );
        assert_eq!(
            broken(|kit| kit.reactions[0].targets[0].grey = "< 38.0".parse().ok()),
            [Fault::GreyWithinPositive(owned("ORF1ab"))]
        );
        assert_eq!(
            broken(|kit| kit.reactions[0].targets[2].grey = "< 45".parse().ok()),
            [Fault::GreyInternalControl(owned("IC"))]
        );
        assert_eq!(broken(|kit| kit.calls.rules.grey = None), [Fault::GreyRuleIncomplete]);
        assert_eq!(broken(|kit| kit.calls.targets_needed = 3), [Fault::TargetsNeeded(3)]);
        assert_eq!(broken(|kit| kit.calls.targets_needed = 0), [Fault::TargetsNeeded(0)]);
        assert_eq!(
            broken(|kit| kit.calls.grey_again = Some(Outcome::NotDetected)),
            [Fault::AgainOutcome("grey_again")]
        );
        assert_eq!(
            broken(|kit| kit.controls.push(kit.controls[0].clone())),
            [Fault::ControlTwice(Control::Positive)]
        );
        assert_eq!(
            broken(|kit| kit.controls[0].required = false),
            [Fault::ControlRuleMissing(Control::Positive)]
        );
        assert_eq!(broken(|kit| kit.validated_depth = 0), [Fault::NoDepth]);
        assert_eq!(broken(|kit| kit.validated_depth = 4), [Fault::PoolsTooDeep(5)]);
        assert_eq!(broken(|kit| kit.retests.single.grey = 4), [Fault::TooManyRetests(4)]);
        assert_eq!(
            broken(|kit| kit.calls.internal_control_missing_percent = 101),
            [Fault::Percent(101)]
        );
    }

    #[test]
    fn every_fault_is_named_not_only_the_first() {
        let faults = broken(|kit| {
            kit.code.clear();
            kit.reactions.clear();
            kit.controls.clear();
            kit.calls.targets_needed = 1;
        });
        assert_eq!(
            faults,
            [
                KitFault::Blank("code"),
                KitFault::RoleMissing("pathogen"),
                KitFault::RoleMissing("internal-control"),
                KitFault::ControlRuleMissing(Control::Positive),
                KitFault::ControlRuleMissing(Control::Negative),
            ]
        );
    }

    #[test]
    fn a_file_that_is_no_kit_is_refused() {
        assert!(matches!(Kit::parse("code = 1").unwrap_err()[..], [KitFault::Unreadable(_)]));
    }
}
