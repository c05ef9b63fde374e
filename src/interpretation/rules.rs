//! May this kit be used? Every reason why not.

use std::collections::BTreeMap;

use super::kit::{Definition, Target, plain};
use super::{DoubtfulCurve, Outcome};
use crate::plate::{Control, Expectation, TargetRole};

/// Most retests a kit may ask for: a chain must end.
const RETESTS_MAX: u8 = 3;
/// Most wells of a tube in which a reaction may run.
const REPLICATES_MAX: u8 = 4;
/// Most targets, or anything else of which a kit has one for each.
const TARGETS_MAX: usize = 32;
/// Most names and dyes over all targets.
const NAMES_MAX: usize = 500;
/// Longest code, in characters.
const CODE_MAX: usize = 64;
/// Longest other text, in characters.
const TEXT_MAX: usize = 500;

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
    /// No well for a reaction, or more than any leaflet asks for.
    #[error("reaction {0} runs in {1} wells of a tube; it lies between 1 and 4")]
    Replicates(String, u8),
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
    /// A tolerance beyond what can be missed.
    #[error("the pipetting tolerance is {0} percent; it lies between 0 and 100")]
    Tolerance(u8),
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
    /// A programme that does not come with the program.
    #[error("there is no programme {0}; name cdc or china-2020, or leave it out")]
    NoProgramme(String),
    /// A policy that is another than that of the programme it names.
    #[error("`{0}` is not what programme {1} says; state the programme's, or name no programme")]
    OtherPolicy(&'static str, String),
    /// A target named in a policy that the kit does not measure.
    #[error("{0} names target {1}, which the kit does not measure")]
    TargetUnknown(&'static str, String),
    /// A control limit that no Ct meets, or that lets a signal pass in a control to be silent.
    #[error("the limit of target {0} in the {1} control admits no Ct, or lets a signal pass")]
    ControlLimit(String, Control),
    /// A text that is too long, or that a store or a path cannot hold.
    #[error("the kit's {0} has characters or a length that cannot be kept; {1}")]
    Text(&'static str, &'static str),
    /// More of something than any kit has.
    #[error("the kit has more {0} than the {1} that are taken; leave out what does not run")]
    TooMany(&'static str, usize),
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

/// Every fault of a kit; one that is too large is not looked at further.
pub fn kit_faults(kit: &Definition) -> Vec<KitFault> {
    let mut faults = size_faults(kit);
    if !faults.is_empty() {
        return faults;
    }
    faults.extend(blank_faults(kit));
    faults.extend(text_faults(kit));
    faults.extend(target_faults(kit));
    faults.extend(name_faults(kit));
    faults.extend(policy_faults(kit));
    faults.extend(control_faults(kit));
    faults.extend(limit_faults(kit));
    if kit.validated_depth == 0 {
        faults.push(KitFault::NoDepth);
    } else if kit.laboratory_pools > kit.validated_depth {
        faults.push(KitFault::PoolsTooDeep(kit.laboratory_pools));
    }
    let tolerance = kit.pipetting.and_then(|pipetting| pipetting.tolerance_percent);
    faults.extend(tolerance.filter(|percent| *percent > 100).map(KitFault::Tolerance));
    for retests in [kit.retests.single, kit.retests.pool] {
        let counts = [retests.inconclusive, retests.invalid, retests.grey];
        let too_many = counts.into_iter().filter(|count| *count > RETESTS_MAX);
        faults.extend(too_many.map(KitFault::TooManyRetests));
    }
    faults
}

fn size_faults(kit: &Definition) -> Vec<KitFault> {
    let names = kit.targets().map(|(_, target)| target.aliases.len() + target.dyes.len()).sum();
    let limited = kit.control_limits.iter().map(|limit| limit.targets.len()).sum();
    let counts = [
        ("reactions", kit.reactions.len(), TARGETS_MAX),
        ("targets", kit.targets().count(), TARGETS_MAX),
        ("names and dyes", names, NAMES_MAX),
        ("control rules", kit.controls.len(), TARGETS_MAX),
        ("control limits", kit.control_limits.len(), TARGETS_MAX),
        ("targets with control limits", limited, NAMES_MAX),
        ("targets to be collected again alone", kit.calls.recollect_alone.len(), TARGETS_MAX),
    ];
    let too_many = counts.into_iter().filter(|(_, count, most)| count > most);
    too_many.map(|(what, _, most)| KitFault::TooMany(what, most)).collect()
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

/// Codes stand in paths and messages; texts are kept and shown.
fn text_faults(kit: &Definition) -> Vec<KitFault> {
    let is_code = |text: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        text.len() <= CODE_MAX && text.chars().all(allowed)
    };
    let is_text =
        |text: &str| text.chars().count() <= TEXT_MAX && !text.chars().any(char::is_control);
    let rules = &kit.calls.rules;
    let names = [&rules.detected, &rules.single_target, &rules.not_detected, &rules.invalid];
    let (mut codes, mut texts) = (vec![], vec![&kit.name, &kit.source]);
    codes.extend([("code", &kit.code), ("version", &kit.version)]);
    codes.extend(names.into_iter().chain(&rules.grey).map(|name| ("rule name", name)));
    codes.extend(kit.reactions.iter().map(|reaction| ("reaction code", &reaction.code)));
    for (_, target) in kit.targets() {
        codes.push(("target code", &target.code));
        texts.extend(target.aliases.iter().chain(&target.dyes));
    }
    let codes = codes.into_iter().filter(|(_, code)| !is_code(code));
    let codes = codes
        .map(|(what, _)| KitFault::Text(what, "use 1 to 64 letters, digits, `-`, `_` and `.`"));
    let texts = texts.into_iter().filter(|text| !is_text(text));
    let texts = texts.map(|_| KitFault::Text("text", "use at most 500 visible characters"));
    codes.chain(texts).collect()
}

fn target_faults(kit: &Definition) -> Vec<KitFault> {
    let mut faults = Vec::new();
    for reaction in &kit.reactions {
        if reaction.targets.is_empty() {
            faults.push(KitFault::NoTargets(reaction.code.clone()));
        }
        if !(1..=REPLICATES_MAX).contains(&reaction.replicates) {
            faults.push(KitFault::Replicates(reaction.code.clone(), reaction.replicates));
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
    let wells: Vec<(usize, String)> = kit
        .reactions
        .iter()
        .enumerate()
        .flat_map(|(index, one)| one.wells().map(move |code| (index, code)))
        .collect();
    let reactions = wells.iter().map(|(index, code)| (*index, code));
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
        || kit.targets().any(|(reaction, t)| {
            t.grey.is_some() || reaction.replicates > 1 && t.role == TargetRole::Pathogen
        });
    if grey_possible != calls.rules.grey.is_some() || grey_possible != calls.grey_again.is_some() {
        faults.push(KitFault::GreyRuleIncomplete);
    }
    if matches!(calls.single_target_again, Outcome::NotDetected | Outcome::Invalid) {
        faults.push(KitFault::AgainOutcome("single_target_again"));
    }
    let unknown = calls.recollect_alone.iter().filter(|code| target(kit, code).is_none());
    faults.extend(unknown.map(|code| KitFault::TargetUnknown("recollect_alone", code.clone())));
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

fn target<'k>(kit: &'k Definition, code: &str) -> Option<&'k Target> {
    kit.targets().map(|(_, target)| target).find(|target| target.code == code)
}

/// Limits of targets the kit lacks, that admit nothing, or that would let a signal pass.
fn limit_faults(kit: &Definition) -> Vec<KitFault> {
    let mut faults = Vec::new();
    for limit in &kit.control_limits {
        let expected = kit.control_rule(limit.control);
        for code in &limit.targets {
            let Some(target) = target(kit, code) else {
                faults.push(KitFault::TargetUnknown("control_limits", code.clone()));
                continue;
            };
            let silent = expected.is_some_and(|r| r.expects(target.role) == Expectation::Silent);
            let is_empty = limit.not_before.is_some_and(|first| !limit.within.admits(first));
            let lets_pass = silent
                && (limit.not_before.is_some() || target.positive.is_wider_than(limit.within));
            if is_empty || lets_pass {
                faults.push(KitFault::ControlLimit(code.clone(), limit.control));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpretation::{ControlLimit, Kit, KitReaction, kits};

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
            assert_eq!(kit_faults(kit), []);
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
        for wells in [0, 5] {
            let fault = Fault::Replicates(owned("mix"), wells);
            assert_eq!(broken(|kit| kit.reactions[0].replicates = wells), [fault]);
        }
        let twice = |kit: &mut Definition| {
            kit.reactions[0].replicates = 2;
            let (code, targets) = (owned("mix-2"), Vec::new());
            kit.reactions.push(KitReaction { code, replicates: 1, targets });
        };
        let faults = [Fault::NoTargets(owned("mix-2")), Fault::NameTwice(owned("mix-2"))];
        assert_eq!(broken(twice), faults);
        assert_eq!(broken(|kit| kit.calls.targets_needed = 3), [Fault::TargetsNeeded(3)]);
        assert_eq!(broken(|kit| kit.calls.targets_needed = 0), [Fault::TargetsNeeded(0)]);
        assert_eq!(
            broken(|kit| kit.calls.single_target_again = Outcome::NotDetected),
            [Fault::AgainOutcome("single_target_again")]
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
    fn each_fault_of_a_policy_for_targets_and_controls_is_found() {
        use KitFault as Fault;
        let owned = str::to_owned;
        let limit = |control, target: &str, within: &str, not_before: Option<&str>| ControlLimit {
            control,
            targets: vec![owned(target)],
            within: within.parse().unwrap(),
            not_before: not_before.map(crate::interpretation::workbench::ct),
        };
        let limits = |limit: ControlLimit| broken(|kit| kit.control_limits.push(limit));
        let (positive, negative) = (Control::Positive, Control::Negative);
        let passes = |control| [Fault::ControlLimit(owned("N"), control)];
        assert_eq!(limits(limit(negative, "N", "< 37", None)), passes(negative));
        assert_eq!(limits(limit(negative, "N", "< 40", Some("30"))), passes(negative));
        assert_eq!(limits(limit(positive, "N", "< 30", Some("30"))), passes(positive));
        assert_eq!(limits(limit(positive, "N", "<= 30", Some("30"))), []);
        assert_eq!(limits(limit(negative, "N", "<= 40", None)), []);
        assert_eq!(
            limits(limit(negative, "E", "<= 40", None)),
            [Fault::TargetUnknown("control_limits", owned("E"))]
        );
        assert_eq!(
            broken(|kit| kit.calls.recollect_alone.push(owned("E"))),
            [Fault::TargetUnknown("recollect_alone", owned("E"))]
        );
    }

    #[test]
    fn a_kit_larger_than_any_is_not_looked_at_further() {
        let many = |kit: &mut Definition, count| {
            kit.code.clear();
            kit.reactions[0].targets[0].aliases = (0..count).map(|n| format!("A{n}")).collect();
        };
        assert_eq!(broken(|kit| many(kit, 400)), [KitFault::Blank("code")]);
        assert_eq!(broken(|kit| many(kit, 501)), [KitFault::TooMany("names and dyes", 500)]);
    }

    #[test]
    fn texts_that_cannot_be_kept_are_faults() {
        let code = "use 1 to 64 letters, digits, `-`, `_` and `.`";
        assert_eq!(broken(|kit| kit.version = "1/2".to_owned()), [KitFault::Text("version", code)]);
        assert_eq!(
            broken(|kit| kit.source = "a\0b".to_owned()),
            [KitFault::Text("text", "use at most 500 visible characters")]
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
