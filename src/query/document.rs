//! The document somebody names a person by.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::collection::person::{DocumentType, normalise};
use crate::error::Reason;
use crate::seal::{KeyRing, PersonKey};

/// Longest number taken.
const LENGTH_MAX: usize = 64;

/// Type and number of an identity document; never shown in logs.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The document shown at the swab.
    #[serde(rename = "type")]
    pub kind: DocumentType,
    /// The number as printed.
    #[schema(max_length = 64)]
    pub number: String,
}

impl Document {
    /// The key of the person with this document. Nothing is said about numbers that cannot
    /// exist: they match nobody, as any other number may.
    pub fn person(&self, keys: &KeyRing) -> PersonKey {
        keys.person_key(self.kind.as_str(), &normalise(&self.number))
    }

    /// Why it cannot be looked up at all; `about` is the path of the field that holds it.
    pub fn faults(&self, about: &str) -> Vec<Reason> {
        if (1..=LENGTH_MAX).contains(&self.number.len()) {
            return Vec::new();
        }
        vec![Reason::new(
            "document.length",
            format!("{about}.number"),
            format!("the number has 1 to {LENGTH_MAX} bytes; copy it from the document"),
        )]
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
        Document { kind: DocumentType::ResidentId, number: number.to_owned() }
    }

    #[test]
    fn a_number_is_the_same_however_it_is_typed() {
        let keys = KeyRing::generate();
        let person = document("11010519491231002X").person(&keys);
        assert_eq!(document(" 11010519491231002x ").person(&keys), person);
        assert_ne!(document("110105194912310020").person(&keys), person);
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
