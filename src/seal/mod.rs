//! Personal data: a keyed index to find a person by, and sealed fields to read one from.
//!
//! An ID number has so little entropy that its plain hash is the number itself (`reliability.md`
//! section 4), so a person is found by a keyed HMAC and read only through an AEAD whose
//! associated data names table, column and row: a sealed value moved elsewhere does not open.

mod keyring;
mod pickup;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

pub use keyring::{KeyRing, KeyRingError};
pub use pickup::{LinkError, PickupCode};

/// First byte of everything sealed; a later layout gets another.
const LAYOUT: u8 = 1;
/// Layout byte, key id, nonce.
const HEADER: usize = 1 + 4 + NONCE_LEN;

/// The only name a person has inside: 128 bits of a keyed HMAC of the document (its
/// type and who issued it) and its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct PersonKey(String);

impl PersonKey {
    /// The key as 22 characters of base64url.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a sealed value lives; it opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table's name.
    pub table: &'a str,
    /// The column's name.
    pub column: &'a str,
    /// The row's key.
    pub row: &'a str,
}

impl Place<'_> {
    fn associated_data(self, key_id: u32) -> Vec<u8> {
        let id = key_id.to_be_bytes();
        let parts = [self.table.as_bytes(), self.column.as_bytes(), self.row.as_bytes(), &id];
        // Each part carries its length, so that no two places share their bytes.
        parts
            .iter()
            .flat_map(|part| {
                (part.len() as u64).to_be_bytes().into_iter().chain(part.iter().copied())
            })
            .collect()
    }
}

/// A value that cannot be opened: another place, another key, or altered bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open; it was altered, moved, or its key is gone")]
pub struct Unsealable;

impl KeyRing {
    /// The key of the person with this document; `collection::person::Shown` says how a document
    /// and its number are written.
    pub fn person_key(&self, document: &str, number: &str) -> PersonKey {
        let mut context = hmac::Context::with_key(&self.index);
        context.update(b"person\0");
        context.update(document.as_bytes());
        context.update(b"\0");
        context.update(number.as_bytes());
        PersonKey(BASE64URL_NOPAD.encode(&context.sign().as_ref()[..16]))
    }

    /// A keyed fingerprint: equal content gives equal tags, and nobody can guess the content.
    pub fn tag(&self, purpose: &str, of: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.index);
        context.update(b"tag\0");
        context.update(purpose.as_bytes());
        context.update(b"\0");
        context.update(of);
        BASE64URL_NOPAD.encode(&context.sign().as_ref()[..16])
    }

    /// Seals a file for the place that its content is kept under; gives its SHA-256 in lower-case
    /// hex, and what is kept.
    pub fn seal_file(&self, place: fn(&str) -> Place<'_>, bytes: &[u8]) -> (String, Vec<u8>) {
        let sha256 = HEXLOWER.encode(digest(&SHA256, bytes).as_ref());
        let sealed = self.seal(place(&sha256), bytes);
        (sha256, sealed)
    }

    /// Seals `clear` for one place with the newest key.
    pub fn seal(&self, place: Place<'_>, clear: &[u8]) -> Vec<u8> {
        let (key_id, key) = self.newest();
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).expect("the system's random source never fails");
        let mut sealed = Vec::with_capacity(HEADER + clear.len() + AES_256_GCM.tag_len());
        sealed.push(LAYOUT);
        sealed.extend_from_slice(&key_id.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        let mut body = clear.to_vec();
        let aad = Aad::from(place.associated_data(key_id));
        aead(key)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
            .expect("a person's fields are far below the AEAD's limit");
        sealed.append(&mut body);
        sealed
    }

    /// Opens what was sealed for this place, with whichever key of the ring sealed it.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let (header, body) = sealed.split_at_checked(HEADER).ok_or(Unsealable)?;
        let (&layout, rest) = header.split_first().ok_or(Unsealable)?;
        let (id, nonce) = rest.split_at(4);
        let id = u32::from_be_bytes(id.try_into().map_err(|_length| Unsealable)?);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_length| Unsealable)?;
        let key = self.sealing(id).filter(|_key| layout == LAYOUT).ok_or(Unsealable)?;
        let mut body = body.to_vec();
        let aad = Aad::from(place.associated_data(id));
        let length = aead(key)
            .open_in_place(nonce, aad, &mut body)
            .map_err(|_unspecified| Unsealable)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

fn aead(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'static> = Place { table: "person", column: "identity", row: "k1" };

    #[test]
    fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
        let ring = KeyRing::generate();
        let sealed = ring.seal(HERE, b"somebody");
        assert_eq!(ring.open(HERE, &sealed).unwrap(), b"somebody");
        assert!(!sealed.windows(8).any(|window| window == b"somebody"));
        for other in [
            Place { table: "persons", column: "identity", row: "k1" },
            Place { table: "person", column: "identit", row: "yk1" },
            Place { row: "k2", ..HERE },
        ] {
            assert_eq!(ring.open(other, &sealed), Err(Unsealable));
        }
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let ring = KeyRing::generate();
        let sealed = ring.seal(HERE, b"somebody");
        for i in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[i] ^= 1;
            assert_eq!(ring.open(HERE, &altered), Err(Unsealable), "byte {i}");
            assert_eq!(ring.open(HERE, &sealed[..i]), Err(Unsealable), "cut at {i}");
        }
    }

    #[test]
    fn an_old_value_opens_after_a_new_key() {
        let mut ring = KeyRing::generate();
        let sealed = ring.seal(HERE, b"somebody");
        ring.rotate();
        assert_eq!(ring.open(HERE, &sealed).unwrap(), b"somebody");
        assert_ne!(ring.seal(HERE, b"somebody")[1..5], sealed[1..5]);
    }

    #[test]
    fn a_person_is_the_same_under_one_ring_and_another_under_another() {
        let (ring, other) = (KeyRing::generate(), KeyRing::generate());
        let key = ring.person_key("resident_id", "11010519491231002X");
        assert_eq!(key, ring.person_key("resident_id", "11010519491231002X"));
        assert_ne!(key, ring.person_key("passport", "11010519491231002X"));
        assert_ne!(key, other.person_key("resident_id", "11010519491231002X"));
        assert_eq!(key.as_str().len(), 22);
    }
}
