//! What a resident proves possession with: the code on the slip, or a signed link (R33, R34).
//!
//! Both are computed from keys and never stored. A session's own key is derived from the ring's,
//! so that a device which was handed it can print slips without a network.

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, Encoding, Specification};
use ring::hmac;

use super::{KeyRing, PersonKey};
use crate::clock::Time;

/// The code on a swab's slip: 50 bits in Crockford base32, shown as `7KQ2M-4TWX9`.
#[derive(Clone, PartialEq, Eq)]
pub struct PickupCode(String);

/// A link that was altered, cut, or has expired; deliberately silent about which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link is not valid; ask for a new one or use the pick-up code")]
pub struct LinkError;

impl PickupCode {
    /// The code as printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `typed` is this code; case, blanks, hyphens and look-alike letters are forgiven,
    /// and the time it takes tells nothing.
    pub fn matches(&self, typed: &str) -> bool {
        let typed: String = typed
            .chars()
            .filter(|c| !matches!(c, '-' | ' '))
            .map(|c| match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            })
            .collect();
        // The length is public; the comparison of equal lengths does not stop early.
        let own = self.0.bytes().filter(|&b| b != b'-');
        typed.len() == 10
            && own.zip(typed.bytes()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

impl fmt::Debug for PickupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PickupCode(...)")
    }
}

impl KeyRing {
    /// The pick-up code of the member at `position` of a tube sealed in `session`.
    pub fn pickup_code(&self, session: &str, tube: &str, position: u8) -> PickupCode {
        let of_session = hmac::sign(&self.pickup, format!("session\0{session}").as_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, of_session.as_ref());
        let mac = hmac::sign(&key, format!("{tube}\0{position}").as_bytes());
        let mut code = crockford().encode(&mac.as_ref()[..7]);
        code.truncate(10);
        code.insert(5, '-');
        PickupCode(code)
    }

    /// A signed link token that shows one person's status until `expires`.
    pub fn link(&self, person: &PersonKey, expires: Time) -> String {
        let payload = format!("{}.{}", person.as_str(), expires.us() / 1_000_000);
        format!("{payload}.{}", self.link_signature(&payload))
    }

    /// The person a link token shows, if it is ours and still good at `now`.
    pub fn open_link(&self, token: &str, now: Time) -> Result<PersonKey, LinkError> {
        let (payload, signature) = token.rsplit_once('.').ok_or(LinkError)?;
        let (person, expires_s) = payload.split_once('.').ok_or(LinkError)?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|_text| LinkError)?;
        hmac::verify(&self.pickup, format!("link\0{payload}").as_bytes(), &signature)
            .map_err(|_unspecified| LinkError)?;
        let expires_s: i64 = expires_s.parse().map_err(|_text| LinkError)?;
        if now.us() / 1_000_000 >= expires_s {
            return Err(LinkError);
        }
        Ok(PersonKey(person.to_owned()))
    }

    fn link_signature(&self, payload: &str) -> String {
        let mac = hmac::sign(&self.pickup, format!("link\0{payload}").as_bytes());
        BASE64URL_NOPAD.encode(mac.as_ref())
    }
}

fn crockford() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    specification.encoding().expect("32 different symbols make an encoding")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_forgiving_about_how_it_is_typed_and_about_nothing_else() {
        let ring = KeyRing::generate();
        let code = ring.pickup_code("S1", "T1", 1);
        assert_eq!(code, ring.pickup_code("S1", "T1", 1));
        assert_ne!(code, ring.pickup_code("S1", "T1", 2));
        assert_ne!(code, ring.pickup_code("S2", "T1", 1));
        let typed = code.as_str().to_lowercase().replace('-', " ").replace('0', "o");
        assert!(code.matches(&typed));
        assert!(!code.matches(&code.as_str()[1..]));
        assert!(!code.matches(""));
        assert!(!format!("{code:?}").contains(code.as_str()));
    }

    #[test]
    fn a_link_opens_for_its_person_until_it_expires() {
        let ring = KeyRing::generate();
        let person = ring.person_key("passport", "X1");
        let link = ring.link(&person, Time::from_us(10_000_000));
        assert_eq!(ring.open_link(&link, Time::from_us(9_000_000)), Ok(person));
        assert_eq!(ring.open_link(&link, Time::from_us(10_000_000)), Err(LinkError));
        let other = ring.link(&ring.person_key("passport", "X2"), Time::from_us(10_000_000));
        let forged =
            format!("{}.{}", other.rsplit_once('.').unwrap().0, link.rsplit_once('.').unwrap().1);
        assert_eq!(ring.open_link(&forged, Time::from_us(0)), Err(LinkError));
        assert_eq!(ring.open_link("", Time::from_us(0)), Err(LinkError));
    }
}
