//! May this version of a kit be proposed, approved, run? Every reason why not.

use std::collections::BTreeSet;

use super::{Definition, Kit, Purpose, Target, plain};
use crate::clock::Time;
use crate::error::Reason;

/// Where a version of a kit stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It came with the program and counts as approved by the program's release.
    Shipped,
    /// One person proposed it.
    Proposed,
    /// Another person approved it.
    Approved,
    /// It must not be used any more.
    Withdrawn,
}

/// What decides whether a version may be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub state: State,
    /// From when on plates may be made for it; always, when it was shipped.
    pub effective: Option<Time>,
    /// Until when.
    pub until: Option<Time>,
}

impl Standing {
    /// A kit that came with the program, and was withdrawn here or not.
    pub const fn shipped(withdrawn: bool) -> Self {
        let state = if withdrawn { State::Withdrawn } else { State::Shipped };
        Self { state, effective: None, until: None }
    }
}

/// Which runs are stored that are not void: what a version can be tried on before it is approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredRuns {
    /// None at all.
    None,
    /// Only of kits that measure something else.
    Others,
    /// Of a kit that measures the same, under whatever code; nothing was detected in any.
    Alike,
    /// Of a kit that measures the same, and in some of them something was detected.
    AlikeDetected,
}

/// What all shadow runs of a version showed together: each stored run once, as it was read last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Runs among them that are not void.
    pub runs: i64,
    /// Those of a kit that measures the same.
    pub alike: i64,
    /// Tubes in which those had detected something.
    pub detected: i64,
    /// What would have been otherwise.
    pub changed: Changed,
    /// Runs of laboratories that the approver may not see.
    pub unseen: i64,
}

/// How much another version would have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Calls that would have been others.
    pub calls: i64,
    /// Plates that would have been judged otherwise.
    pub verdicts: i64,
}

/// Whether runs of one kit tell something of the other: it has the same code, or it measures the
/// same targets in the same reactions under another.
pub fn reads_alike(one: &Definition, other: &Definition) -> bool {
    one.code == other.code || measures_alike(one, other)
}

/// Whether two kits measure the same targets in the same reactions and as many wells, whatever these
/// are called: if their reactions have the same codes too, each reads the other's runs.
pub fn measures_alike(one: &Definition, other: &Definition) -> bool {
    let shape = |kit: &Definition| {
        let codes = |targets: &[Target]| {
            targets.iter().map(|target| plain(&target.code)).collect::<BTreeSet<_>>()
        };
        let shapes = kit.reactions.iter().map(|one| (one.replicates, codes(&one.targets)));
        shapes.collect::<BTreeSet<_>>()
    };
    shape(one) == shape(other)
}

/// Why nobody is told a result by this kit here; `demonstration` says that nobody is told any.
pub fn against_purpose(kit: &Kit, demonstration: bool) -> Option<Reason> {
    let (code, version) = (&kit.code, &kit.version);
    let (reason, message) = match kit.purpose {
        Purpose::Clinical => return None,
        Purpose::Demonstration => (
            "kit.demonstration",
            format!(
                "kit {code} {version} has invented cut-offs and is for demonstration only; choose \
                 a clinical kit, or set `demonstration_kits` where nobody is told a result"
            ),
        ),
        Purpose::Unproven => (
            "kit.unproven",
            format!(
                "kit {code} {version} was not read in its leaflet ({}); check it against the \
                 leaflet of your lot, propose it as a clinical version and have it approved",
                kit.source
            ),
        ),
    };
    (!demonstration).then(|| Reason::new(reason, code, message))
}

/// Why no plate may be made for this version at this moment.
pub fn against_use((code, version): (&str, &str), standing: &Standing, at: Time) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut say = |reason, message: String| reasons.push(Reason::new(reason, code, message));
    match standing.state {
        State::Shipped | State::Approved => {}
        State::Proposed => say(
            "kit.not_approved",
            format!("kit {code} {version} is only proposed; another person has to approve it"),
        ),
        State::Withdrawn => {
            say(
                "kit.withdrawn",
                format!("kit {code} {version} was withdrawn; use another version"),
            );
        }
    }
    if let Some(from) = standing.effective.filter(|from| at < *from) {
        let message = format!("kit {code} {version} is for plates from {from} on; use another");
        say("kit.not_effective", message);
    }
    if let Some(until) = standing.until.filter(|until| at >= *until) {
        say("kit.ended", format!("kit {code} {version} was for plates until {until}; use another"));
    }
    reasons
}

/// Why this definition may not be proposed under these codes and dates.
pub fn against_proposal(
    definition: &Definition,
    (code, version): (&str, &str),
    (effective, until): (Time, Option<Time>),
    at: Time,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut say =
        |code, about: &str, message: &str| reasons.push(Reason::new(code, about, message));
    if definition.code != code || definition.version != version {
        let message = "the definition names another kit or version than the path; make them agree";
        say("kit.other", "definition.version", message);
    }
    if definition.purpose == Purpose::Unproven {
        let message = "check the kit against its leaflet and state `clinical`, or `demonstration` \
                       where nobody is told a result";
        say("kit.unproven", "definition.purpose", message);
    }
    if until.is_some_and(|until| until <= effective || until <= at) {
        let message = "it would end before it begins or before now; correct the dates";
        say("kit.dates", "effective_until", message);
    }
    reasons
}

/// Why this person may not approve a proposal now, having seen so much change.
///
/// A version is tried on stored runs before every approval (R17): on runs of a kit that measures the
/// same where there are any, whatever its code, and on others where there are only those. Where
/// something was detected in one, one such run is among them: a threshold that loses positives
/// shows in no other. Nothing that a shadow run once showed is forgotten for a later one that
/// showed less.
pub fn against_approval(
    (proposer, approver): (&str, &str),
    stored: StoredRuns,
    shown: Shown,
    seen: Changed,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut say =
        |code, about: &str, message: String| reasons.push(Reason::new(code, about, message));
    if proposer == approver {
        let message = "you proposed this version; another person has to approve it".to_owned();
        say("kit.same_person", "approve", message);
    }
    let next = "run this version in shadow over some of them with `POST .../shadow` and look at \
                the changed calls first; a run whose readings it refuses does not count: call its \
                reactions as they are called there";
    match stored {
        StoredRuns::Alike | StoredRuns::AlikeDetected if shown.alike == 0 => {
            let message = format!("runs of kits that measure the same are stored; {next}");
            say("kit.no_shadow", "shadow", message);
        }
        StoredRuns::AlikeDetected if shown.detected == 0 => {
            let message = "nothing was detected in any run that was read in shadow, so no lost \
                           positive could show; read some in which tubes were, best with a late \
                           Ct"
            .to_owned();
            say("kit.no_positive", "shadow", message);
        }
        StoredRuns::Others if shown.runs == 0 => {
            let message = format!("runs of other kits are stored; {next}");
            say("kit.no_shadow", "shadow", message);
        }
        StoredRuns::None | StoredRuns::Others | StoredRuns::Alike | StoredRuns::AlikeDetected => {}
    }
    if shown.unseen > 0 {
        let message = format!(
            "{} of the runs read in shadow are of laboratories that you may not see; somebody who \
             sees all of them has to approve",
            shown.unseen
        );
        say("kit.unseen", "approve", message);
    }
    for (code, field, what, shown, seen) in [
        ("kit.changed_calls", "changed_calls", "calls", shown.changed.calls, seen.calls),
        (
            "kit.changed_verdicts",
            "changed_verdicts",
            "verdicts of plates",
            shown.changed.verdicts,
            seen.verdicts,
        ),
    ] {
        if shown != seen {
            let message = format!(
                "the shadow runs of this version changed {shown} {what}, not {seen}; look at them \
                 and state how many you saw"
            );
            say(code, field, message);
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(reasons: &[Reason]) -> Vec<&str> {
        reasons.iter().map(|reason| reason.code.as_ref()).collect()
    }

    fn at(us: i64) -> Time {
        Time::from_us(us)
    }

    #[test]
    fn a_version_is_run_between_its_dates_when_it_is_approved() {
        let standing = |state| Standing { state, effective: Some(at(10)), until: Some(at(20)) };
        let against = |state, us| against_use(("K", "1"), &standing(state), at(us));
        for us in [10, 19] {
            assert_eq!(against(State::Approved, us), []);
        }
        assert_eq!(codes(&against(State::Approved, 9)), ["kit.not_effective"]);
        assert_eq!(codes(&against(State::Approved, 20)), ["kit.ended"]);
        assert!(against(State::Approved, 20)[0].message.contains("1970-01-01"));
        assert_eq!(codes(&against(State::Proposed, 15)), ["kit.not_approved"]);
        assert_eq!(codes(&against(State::Withdrawn, 25)), ["kit.withdrawn", "kit.ended"]);
        assert_eq!(against_use(("K", "1"), &Standing::shipped(false), at(0)), []);
        let withdrawn = against_use(("K", "1"), &Standing::shipped(true), at(0));
        assert_eq!(codes(&withdrawn), ["kit.withdrawn"]);
    }

    #[test]
    fn an_approval_needs_another_person_a_shadow_and_open_eyes() {
        let changed = |calls, verdicts| Changed { calls, verdicts };
        let shown = |runs, alike, calls| Shown {
            runs,
            alike,
            changed: changed(calls, 1),
            ..Shown::default()
        };
        let with_positives = |detected| Shown { detected, ..shown(1, 1, 3) };
        let (two, nothing, none) = (("A", "B"), Shown::default(), changed(0, 0));
        let (alike, others) = (StoredRuns::Alike, StoredRuns::Others);
        let detected = StoredRuns::AlikeDetected;
        assert_eq!(against_approval(two, alike, shown(1, 1, 3), changed(3, 1)), []);
        assert_eq!(against_approval(two, detected, with_positives(1), changed(3, 1)), []);
        assert_eq!(against_approval(two, others, shown(1, 0, 3), changed(3, 1)), []);
        assert_eq!(against_approval(two, StoredRuns::None, nothing, none), []);
        for (people, stored, shown, seen, reasons) in [
            (("A", "A"), StoredRuns::None, nothing, none, &["kit.same_person"][..]),
            (two, alike, nothing, none, &["kit.no_shadow"]),
            (two, detected, nothing, none, &["kit.no_shadow"]),
            (two, detected, with_positives(0), changed(3, 1), &["kit.no_positive"]),
            (two, others, nothing, none, &["kit.no_shadow"]),
            (two, alike, shown(1, 0, 0), changed(0, 1), &["kit.no_shadow"]),
            (two, alike, shown(1, 1, 3), changed(0, 1), &["kit.changed_calls"]),
            (two, alike, shown(1, 1, 3), changed(3, 0), &["kit.changed_verdicts"]),
            (two, alike, Shown { unseen: 1, ..shown(1, 1, 3) }, changed(3, 1), &["kit.unseen"]),
            (
                ("A", "A"),
                alike,
                shown(0, 0, 3),
                none,
                &["kit.same_person", "kit.no_shadow", "kit.changed_calls", "kit.changed_verdicts"],
            ),
        ] {
            assert_eq!(codes(&against_approval(people, stored, shown, seen)), reasons);
        }
    }

    #[test]
    fn a_copied_kit_is_alike_under_another_code_and_another_kit_is_not() {
        let kit = Definition::from(Kit::find("orf1ab-n-ic", "1").unwrap());
        let mut copy = Definition { code: "copy".to_owned(), ..kit.clone() };
        copy.reactions[0].code = "other".to_owned();
        copy.reactions[0].targets[0].positive = "< 20".parse().unwrap();
        assert!(reads_alike(&kit, &copy));
        let cdc = Definition::from(Kit::find("cdc-2019-ncov", "06").unwrap());
        assert!(!reads_alike(&kit, &cdc));
        assert!(reads_alike(&kit, &Definition { code: kit.code.clone(), ..cdc }));
    }

    #[test]
    fn a_proposal_says_what_the_path_says_and_ends_after_it_begins() {
        let kit = Definition::from(Kit::find("cdc-2019-ncov", "06").unwrap());
        let path = ("cdc-2019-ncov", "06");
        let against = |kit: &Definition, path, until| {
            let reasons = against_proposal(kit, path, (at(10), until), at(15));
            reasons.into_iter().map(|reason| reason.code.into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(against(&kit, path, None), [""; 0]);
        assert_eq!(against(&kit, path, Some(at(16))), [""; 0]);
        assert_eq!(against(&kit, ("cdc-2019-ncov", "07"), None), ["kit.other"]);
        assert_eq!(against(&kit, path, Some(at(10))), ["kit.dates"]);
        assert_eq!(against(&kit, path, Some(at(15))), ["kit.dates"]);
        let unproven = Definition { purpose: Purpose::Unproven, ..kit };
        assert_eq!(against(&unproven, path, None), ["kit.unproven"]);
    }

    #[test]
    fn a_kit_that_is_not_clinical_is_run_only_where_nobody_is_told_a_result() {
        for (code, version, reason) in [
            ("cdc-2019-ncov", "06", None),
            ("orf1ab-n-ic", "1", Some("kit.demonstration")),
            ("sansure-orf1ab-n", "2020", Some("kit.unproven")),
        ] {
            let kit = Kit::find(code, version).unwrap();
            let against = against_purpose(&kit, false).map(|reason| reason.code);
            assert_eq!(against.as_deref(), reason);
            assert_eq!(against_purpose(&kit, true), None);
        }
    }
}
