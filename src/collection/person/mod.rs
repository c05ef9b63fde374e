//! Somebody swabbed: read from a document, checked, and at once made unreadable.
//!
//! [`MemberPerson`] holds only the keyed index, the sealed identity and its keyed tag, so that
//! nothing after it can print, log or store a person in clear (R29, R30).

mod document;
mod issuer;
pub mod store;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use document::{Document, DocumentType, NotADocument, Shown, resident_id_check};

use crate::clock::Time;
use crate::error::Reason;
use crate::seal::{KeyRing, PersonKey, Place};

/// How many characters a name may have.
const NAME_MAX: usize = 100;
/// How many characters a telephone number may have.
const PHONE_MAX: usize = 32;
/// How many characters an address may have.
const ADDRESS_MAX: usize = 200;

/// Somebody's name and contact data as they came with a scan.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// As in the document.
    pub name: String,
    /// Where they can be called.
    pub phone: Option<String>,
    /// Where they live.
    pub address: Option<String>,
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(...)")
    }
}

/// What is sealed in `person.identity`; only code that may show a person opens it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Identity {
    /// As in the document.
    pub name: String,
    /// Which document.
    pub document_type: DocumentType,
    /// The country that issued it, for passports and other documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Its number, normalised.
    pub number: String,
    /// Where they can be called.
    pub phone: Option<String>,
    /// Where they live.
    pub address: Option<String>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(...)")
    }
}

/// A person as the store knows one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPerson {
    key: PersonKey,
    identity: Vec<u8>,
    identity_tag: String,
}

/// The row an identity is sealed for: the person and the tag of what was given.
pub fn identity_row(key: &PersonKey, tag: &str) -> String {
    format!("{} {tag}", key.as_str())
}

/// Where an identity is sealed to; `row` is its [`identity_row`].
pub const fn identity_place(row: &str) -> Place<'_> {
    Place { table: "person", column: "identity", row }
}

impl MemberPerson {
    /// Checks what came with a scan and seals it; every reason against it otherwise, each under
    /// `about` and without any value. `today` bounds a date of birth.
    pub fn seal(
        document: Shown<'_>,
        contact: Contact,
        (keys, today): (&KeyRing, Time),
        about: &str,
    ) -> Result<Self, Vec<Reason>> {
        let mut reasons = contact_faults(&contact, about);
        let document = match Document::parse(document, today) {
            Ok(document) if reasons.is_empty() => document,
            Ok(_) => return Err(reasons),
            Err(faults) => {
                reasons.extend(faults.into_iter().map(|fault| {
                    let field = format!("{about}.document.{}", fault.field());
                    Reason::new("person.document", field, fault.to_string())
                }));
                return Err(reasons);
            }
        };
        let key = document.key(keys);
        let identity = Identity {
            name: contact.name.trim().to_owned(),
            document_type: document.kind(),
            issuer: document.issuer().map(str::to_owned),
            number: document.number().to_owned(),
            phone: tidy(contact.phone),
            address: tidy(contact.address),
        };
        let clear = serde_json::to_vec(&identity).expect("strings always serialise");
        let identity_tag = keys.tag("identity", &clear);
        let row = identity_row(&key, &identity_tag);
        let identity = keys.seal(identity_place(&row), &clear);
        Ok(Self { key, identity, identity_tag })
    }

    /// The only name the person has inside.
    pub const fn key(&self) -> &PersonKey {
        &self.key
    }

    /// The sealed [`Identity`].
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }

    /// Equal for equal identities, and telling nothing else.
    pub fn identity_tag(&self) -> &str {
        &self.identity_tag
    }
}

fn tidy(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn contact_faults(contact: &Contact, about: &str) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut refuse = |field: &str, message: String| {
        reasons.push(Reason::new("person.contact", format!("{about}.{field}"), message));
    };
    if contact.name.trim().is_empty() || !is_text(&contact.name, NAME_MAX) {
        refuse(
            "name",
            format!(
                "the name must have 1 to {NAME_MAX} printable characters; take it from the document"
            ),
        );
    }
    let is_number = |text: &String| {
        let allowed = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | ' ' | '(' | ')');
        is_text(text, PHONE_MAX) && text.chars().all(allowed)
    };
    if contact.phone.as_ref().is_some_and(|phone| !is_number(phone)) {
        refuse(
            "phone",
            format!(
                "a telephone number has at most {PHONE_MAX} digits, blanks, `+`, `-` or brackets; correct it or leave it out"
            ),
        );
    }
    if contact.address.as_ref().is_some_and(|address| !is_text(address, ADDRESS_MAX)) {
        refuse(
            "address",
            format!(
                "an address has at most {ADDRESS_MAX} printable characters; shorten it or leave it out"
            ),
        );
    }
    reasons
}

fn is_text(text: &str, max: usize) -> bool {
    text.chars().count() <= max && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(name: &str) -> Contact {
        Contact { name: name.into(), phone: Some("+86 10 1234".into()), address: None }
    }

    fn seal(keys: &KeyRing, contact: Contact, number: &str) -> Result<MemberPerson, Vec<Reason>> {
        let today = "2020-06-21T00:00:00Z".parse().unwrap();
        let document = Shown { kind: DocumentType::ResidentId, issuer: None, number };
        MemberPerson::seal(document, contact, (keys, today), "members[0]")
    }

    #[test]
    fn a_person_is_found_by_key_read_by_the_ring_and_by_nobody_else() {
        let keys = KeyRing::generate();
        let person = seal(&keys, contact("Canary Zhang"), "99999919491231002x").unwrap_err();
        assert_eq!(person[0].about, "members[0].document.number");
        let number = document::tests::number("99999919491231", "002");
        let person = seal(&keys, contact("Canary Zhang"), &number).unwrap();
        let row = identity_row(person.key(), person.identity_tag());
        let clear = keys.open(identity_place(&row), person.identity()).unwrap();
        let other = identity_row(person.key(), "another tag");
        assert!(keys.open(identity_place(&other), person.identity()).is_err());
        let identity: Identity = serde_json::from_slice(&clear).unwrap();
        assert_eq!((identity.name.as_str(), identity.number), ("Canary Zhang", number));
        assert!(
            !format!("{person:?} {identity:?}", identity = contact("Canary")).contains("Canary")
        );
    }

    #[test]
    fn the_same_person_has_one_key_and_changed_contact_data_another_tag() {
        let keys = KeyRing::generate();
        let number = document::tests::number("99999919800101", "001");
        let first = seal(&keys, contact("A"), &number).unwrap();
        let again = seal(&keys, contact(" A "), &format!(" {} ", number.to_lowercase())).unwrap();
        assert_eq!((first.key(), first.identity_tag()), (again.key(), again.identity_tag()));
        let moved = Contact { address: Some("2 Road".into()), ..contact("A") };
        let moved = seal(&keys, moved, &number).unwrap();
        assert_eq!(first.key(), moved.key());
        assert_ne!(first.identity_tag(), moved.identity_tag());
    }

    #[test]
    fn every_fault_is_told_and_no_value_repeated() {
        let wrong = Contact {
            name: "Canary\0".into(),
            phone: Some("canary".into()),
            address: Some("c".repeat(201)),
        };
        let reasons = seal(&KeyRing::generate(), wrong, "canary").unwrap_err();
        assert_eq!(reasons.len(), 4);
        assert!(!format!("{reasons:?}").to_lowercase().contains("canary"));
    }
}
