//! Bearer tokens: 256 random bits, shown once, stored as a hash (R34).

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// Lets a person or a scanner of secrets recognise a token.
const PREFIX: &str = "swl_";

/// A bearer token as its owner holds it; never logged, never stored.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A fresh token.
    pub fn generate() -> Self {
        let mut secret = [0; 32];
        SystemRandom::new().fill(&mut secret).expect("the system's random source never fails");
        Self(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&secret)))
    }

    /// A token as it came in a request.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// What the store keeps: SHA-256, enough for 256 random bits.
    pub fn hash(&self) -> String {
        HEXLOWER.encode(digest(&SHA256, self.0.as_bytes()).as_ref())
    }

    /// The text to hand to its owner, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(...)")
    }
}
