//! The programme: what a whole campaign does with doubtful tubes, whichever kit it runs.
//!
//! A kit version names its programme, so that the policy is approved with the kit, pinned to the
//! plate with it, and shown in the same shadow run. Cut-offs stay the kit's: the leaflet goes first
//! in every programme we know of.

use serde::Deserialize;

use super::{Definition, GreyAgain, Outcome, RetestPolicy};

const EMBEDDED: [&str; 2] = [
    include_str!("../../../fixtures/programmes/cdc.toml"),
    include_str!("../../../fixtures/programmes/china-2020.toml"),
];

/// A named set of policies for single targets, grey zones and retests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Programme {
    /// Code by which kits name it.
    pub code: String,
    /// Name as people know it.
    pub name: String,
    /// Where the policies were taken from.
    pub source: String,
    /// What fewer targets than needed mean when a repeat shows them again.
    pub single_target_again: Outcome,
    /// Whether only the same target counts as again.
    #[serde(default)]
    pub same_target: bool,
    /// Whether another specimen of the same person counts as again.
    #[serde(default)]
    pub across_specimens: bool,
    /// What a grey signal means when it comes again; the kit's own where absent.
    pub grey_again: Option<GreyAgain>,
    /// How often a tube is tested again.
    pub retests: RetestPolicy,
}

impl Programme {
    /// The programme with that code.
    pub fn find(code: &str) -> Option<Self> {
        programmes().into_iter().find(|programme| programme.code == code)
    }

    /// Puts its policies in place of a kit's own.
    pub fn apply(&self, kit: &mut Definition) {
        kit.calls.single_target_again = self.single_target_again;
        kit.calls.same_target = self.same_target;
        kit.calls.across_specimens = self.across_specimens;
        if kit.calls.grey_again.is_some() {
            kit.calls.grey_again = self.grey_again.or(kit.calls.grey_again);
        }
        kit.retests = self.retests.clone();
    }
}

/// The programmes that come with the program.
///
/// # Panics
///
/// Never on a build whose tests passed: the embedded files are checked there.
pub fn programmes() -> Vec<Programme> {
    EMBEDDED
        .iter()
        .map(|text| toml::from_str(text).expect("embedded programmes are checked by a test"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpretation::{Kit, KitFault};

    #[test]
    fn the_cdc_programme_is_what_the_cdc_kit_says_itself() {
        let text = include_str!("../../../fixtures/assays/cdc-2019-ncov-06.toml");
        let own: Definition = toml::from_str(text).unwrap();
        assert_eq!(own.programme.as_deref(), Some("cdc"));
        assert_eq!(Definition::from(Kit::parse(text).unwrap()), own);
    }

    #[test]
    fn a_programme_takes_the_place_of_the_kits_own_policies_once() {
        let text = include_str!("../../../fixtures/assays/orf1ab-n-ic-1.toml");
        let mut kit: Definition = toml::from_str(text).unwrap();
        kit.programme = Some("china-2020".to_owned());
        let read = Kit::read(kit).unwrap();
        assert_eq!(read.calls.grey_again, Some(GreyAgain::ByCurve));
        assert!(read.calls.same_target && read.calls.across_specimens);
        assert_eq!(read.retests.single.inconclusive, 0);
        // As it is stored, it stands by itself: no programme is looked up again.
        let mut stored = Definition::from(read);
        stored.retests.single.inconclusive = 2;
        let json = serde_json::to_string(&stored).unwrap();
        assert_eq!(serde_json::from_str::<Kit>(&json).unwrap().retests.single.inconclusive, 2);
    }

    #[test]
    fn a_programme_nobody_knows_is_a_fault() {
        let mut kit = Definition::from(Kit::find("orf1ab-n-ic", "1").unwrap());
        kit.programme = Some("mars".to_owned());
        assert_eq!(Kit::read(kit).unwrap_err(), [KitFault::NoProgramme("mars".to_owned())]);
    }
}
