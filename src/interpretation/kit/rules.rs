//! May this version of a kit be proposed, approved, run? Every reason why not.

use super::{Definition, Kit, Purpose};
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
    /// A kit that came with the program.
    pub const SHIPPED: Self = Self { state: State::Shipped, effective: None, until: None };
}

/// What one shadow run counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowCounts {
    /// Runs of the same kit code among those it read.
    pub own_runs: i64,
    /// Calls that changed.
    pub changed_calls: i64,
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

/// Why this person may not approve a proposal now, having seen so many changed calls.
pub fn against_approval(
    (proposer, approver): (&str, &str),
    has_runs: bool,
    shadow: Option<ShadowCounts>,
    seen: i64,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut say =
        |code, about: &str, message: String| reasons.push(Reason::new(code, about, message));
    if proposer == approver {
        let message = "you proposed this version; another person has to approve it".to_owned();
        say("kit.same_person", "approve", message);
    }
    let own_runs = shadow.map_or(0, |shadow| shadow.own_runs);
    if has_runs && own_runs == 0 {
        let message = "runs of this kit are stored; run this version in shadow over some of them \
                       with `POST .../shadow` and look at the changed calls first";
        say("kit.no_shadow", "shadow", message.to_owned());
    }
    let changed = shadow.map_or(0, |shadow| shadow.changed_calls);
    if changed != seen {
        let message = format!(
            "the last shadow run changed {changed} calls, not {seen}; look at them and state how \
             many you saw"
        );
        say("kit.changed_calls", "changed_calls", message);
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
        assert_eq!(against_use(("K", "1"), &Standing::SHIPPED, at(0)), []);
    }

    #[test]
    fn an_approval_needs_another_person_a_shadow_and_open_eyes() {
        let shadow = |own_runs, changed_calls| Some(ShadowCounts { own_runs, changed_calls });
        let two = ("A", "B");
        assert_eq!(against_approval(two, true, shadow(1, 3), 3), []);
        assert_eq!(against_approval(two, false, None, 0), []);
        assert_eq!(codes(&against_approval(("A", "A"), false, None, 0)), ["kit.same_person"]);
        assert_eq!(codes(&against_approval(two, true, None, 0)), ["kit.no_shadow"]);
        assert_eq!(codes(&against_approval(two, true, shadow(0, 0), 0)), ["kit.no_shadow"]);
        assert_eq!(codes(&against_approval(two, true, shadow(1, 3), 0)), ["kit.changed_calls"]);
        assert_eq!(
            codes(&against_approval(("A", "A"), true, shadow(0, 3), 2)),
            ["kit.same_person", "kit.no_shadow", "kit.changed_calls"]
        );
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
