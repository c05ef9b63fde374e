//! The document somebody names a person by.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::collection::person::{DocumentType, Shown};
use crate::error::Reason;
use crate::seal::{KeyRing, PersonKey};

/// Longest number taken.
const LENGTH_MAX: usize = 64;

/// Type, issuer and number of an identity document; never shown in logs.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The document shown at the swab.
    #[serde(rename = "type")]
    pub kind: DocumentType,
    /// The country that issued it, in three letters (ISO 3166-1 alpha-3): needed for `passport`
    /// and `other`, refused for the types that China alone issues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The number as printed.
    #[schema(max_length = 64)]
    pub number: String,
}

impl Document {
    /// The key of the person with this document. Nothing is said about numbers that cannot
    /// exist: they match nobody, as any other number may.
    pub fn person(&self, keys: &KeyRing) -> PersonKey {
        self.shown().key(keys)
    }

    fn shown(&self) -> Shown<'_> {
        Shown { kind: self.kind, issuer: self.issuer.as_deref(), number: &self.number }
    }

    /// Why it cannot be looked up at all; `about` is the path of the field that holds it.
    pub fn faults(&self, about: &str) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if let Some(fault) = self.shown().issuer_fault() {
            let field = format!("{about}.{}", fault.field());
            reasons.push(Reason::new("document.issuer", field, fault.to_string()));
        }
        if !(1..=LENGTH_MAX).contains(&self.number.len()) {
            let message =
                format!("the number has 1 to {LENGTH_MAX} bytes; copy it from the document");
            reasons.push(Reason::new("document.length", format!("{about}.number"), message));
        }
        reasons
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document(...)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(number: &str) -> Document {
        Document { kind: DocumentType::ResidentId, issuer: None, number: number.to_owned() }
    }

    #[test]
    fn a_number_is_the_same_however_it_is_typed() {
        let keys = KeyRing::generate();
        let person = document("11010519491231002X").person(&keys);
        assert_eq!(document(" 11010519491231002x ").person(&keys), person);
        assert_ne!(document("110105194912310020").person(&keys), person);
    }

    #[test]
    fn a_passport_is_asked_for_with_its_country_and_a_card_without() {
        let passport = |issuer: Option<&str>| Document {
            kind: DocumentType::Passport,
            issuer: issuer.map(str::to_owned),
            number: "123456789".to_owned(),
        };
        let keys = KeyRing::generate();
        let american = passport(Some("USA"));
        assert!(american.faults("document").is_empty());
        assert_eq!(passport(Some("usa")).person(&keys), american.person(&keys));
        assert_ne!(passport(Some("GBR")).person(&keys), american.person(&keys));
        for wrong in [passport(None), passport(Some("UK"))] {
            assert_eq!(wrong.faults("people[3]")[0].about, "people[3].issuer");
        }
        let card = Document { issuer: Some("CHN".to_owned()), ..document("1") };
        assert_eq!(card.faults("document")[0].about, "document.issuer");
    }

    #[test]
    fn a_length_that_cannot_be_is_named_and_nothing_personal_is_shown() {
        let long = document(&"7".repeat(65));
        assert!(document("7").faults("document").is_empty());
        assert_eq!(long.faults("people[3]")[0].about, "people[3].number");
        assert_eq!(document("").faults("document").len(), 1);
        assert!(!format!("{long:?}").contains('7'));
    }
}
