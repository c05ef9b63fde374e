//! The programme: what a whole campaign does with doubtful tubes, whichever kit it runs.
//!
//! A kit version names its programme, so that the policy is approved with the kit, pinned to the
//! plate with it, and shown in the same shadow run. Cut-offs stay the kit's: the leaflet goes first
//! in every programme we know of. The kit states the policies too, so that whoever reads its file
//! reads what happens; where it states others than its programme, it is refused.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Definition, GreyAgain, KitFault, Outcome, RetestPolicy};

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
        programmes().iter().find(|programme| programme.code == code).cloned()
    }

    /// Where a kit states another policy; a kit without a grey zone says nothing of one.
    pub fn contradictions(&self, kit: &Definition) -> Vec<KitFault> {
        let calls = &kit.calls;
        let other_grey = calls.grey_again.is_some()
            && self.grey_again.is_some()
            && calls.grey_again != self.grey_again;
        let fields = [
            ("calls.single_target_again", calls.single_target_again != self.single_target_again),
            ("calls.same_target", calls.same_target != self.same_target),
            ("calls.across_specimens", calls.across_specimens != self.across_specimens),
            ("calls.grey_again", other_grey),
            ("retests.single", kit.retests.single != self.retests.single),
            ("retests.pool", kit.retests.pool != self.retests.pool),
        ];
        let differs = fields.into_iter().filter(|(_, differs)| *differs);
        differs.map(|(field, _)| KitFault::OtherPolicy(field, self.code.clone())).collect()
    }
}

/// The programmes that come with the program.
///
/// # Panics
///
/// Never on a build whose tests passed: the embedded files are checked there.
pub fn programmes() -> &'static [Programme] {
    static PROGRAMMES: LazyLock<Vec<Programme>> = LazyLock::new(|| {
        let parse = |text| toml::from_str(text).expect("embedded programmes are checked by a test");
        EMBEDDED.into_iter().map(parse).collect()
    });
    &PROGRAMMES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpretation::Kit;

    #[test]
    fn the_cdc_programme_is_what_the_cdc_kit_says_itself() {
        let text = include_str!("../../../fixtures/assays/cdc-2019-ncov-06.toml");
        let own: Definition = toml::from_str(text).unwrap();
        assert_eq!(own.programme.as_deref(), Some("cdc"));
        assert_eq!(Definition::from(Kit::parse(text).unwrap()), own);
    }

    #[test]
    fn a_kit_that_states_another_policy_than_its_programme_is_refused_with_every_field() {
        let text = include_str!("../../../fixtures/assays/orf1ab-n-ic-china-2020.toml");
        let agreeing: Definition = toml::from_str(text).unwrap();
        assert_eq!(agreeing.programme.as_deref(), Some("china-2020"));
        assert_eq!(agreeing.calls.grey_again, Some(GreyAgain::ByCurve));
        assert_eq!(Definition::from(Kit::parse(text).unwrap()), agreeing);
        let own = Definition::from(Kit::find("orf1ab-n-ic", "1").unwrap());
        let own = Definition { programme: Some("china-2020".to_owned()), ..own };
        let fields: Vec<_> = Kit::read(own)
            .unwrap_err()
            .into_iter()
            .map(|fault| match fault {
                KitFault::OtherPolicy(field, programme) => (field, programme),
                other => panic!("{other}"),
            })
            .collect();
        let china = || "china-2020".to_owned();
        assert!(fields.contains(&("calls.same_target", china())), "{fields:?}");
        assert!(fields.contains(&("calls.across_specimens", china())), "{fields:?}");
        assert!(!fields.iter().any(|(field, _)| *field == "calls.rules"), "{fields:?}");
    }

    #[test]
    fn a_stored_kit_stands_by_itself_whatever_its_programme_says_later() {
        let mut stored = Definition::from(Kit::find("orf1ab-n-ic", "china-2020").unwrap());
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
