//! The second factor: time-based one-time passwords (RFC 6238), as every authenticator makes them.

use data_encoding::BASE32_NOPAD;
use ring::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use ring::rand::{SecureRandom, SystemRandom};

use crate::clock::Time;

/// Seconds for which a code stands; authenticators know no other.
const STEP_S: i64 = 30;
/// Figures of a code.
const DIGITS: usize = 6;
/// Steps by which the clock of an authenticator may be off, to either side.
const DRIFT: i64 = 1;
/// Bytes of a secret, as RFC 4226 recommends.
const SECRET_LENGTH: usize = 20;

/// What server and authenticator share; never logged, sealed in the store.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(...)")
    }
}

impl Secret {
    /// A fresh secret.
    pub fn generate() -> Self {
        let mut secret = vec![0; SECRET_LENGTH];
        SystemRandom::new().fill(&mut secret).expect("the system's random source never fails");
        Self(secret)
    }

    /// A secret as the store had it sealed.
    pub const fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to be sealed.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret as it is typed into an authenticator.
    pub fn base32(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// What an authenticator reads from a QR code.
    pub fn uri(&self, login: &str) -> String {
        let secret = self.base32();
        format!("otpauth://totp/Swabline:{login}?secret={secret}&issuer=Swabline")
    }

    /// The code of a step.
    pub fn code(&self, step: i64) -> String {
        let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let mac = sign(&key, &step.to_be_bytes());
        let mac = mac.as_ref();
        let offset = usize::from(mac[mac.len() - 1] & 0xf);
        let picked =
            mac[offset..offset + 4].iter().fold(0, |sum, &byte| (sum << 8) | u32::from(byte));
        format!("{:0DIGITS$}", (picked & 0x7fff_ffff) % 10_u32.pow(6))
    }

    /// The step of which this is the code, if it is of a moment near `now` and of one after
    /// `last`: no code is taken twice.
    pub fn step_of(&self, typed: &str, now: Time, last: i64) -> Option<i64> {
        let typed: String = typed.chars().filter(char::is_ascii_digit).collect();
        let here = step(now);
        (here - DRIFT..=here + DRIFT)
            .filter(|&step| step > last)
            .find(|&step| self.code(step) == typed)
    }
}

/// The step of a moment.
pub const fn step(now: Time) -> i64 {
    now.us().div_euclid(STEP_S * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_us(seconds * 1_000_000)
    }

    #[test]
    fn the_published_codes_agree() {
        // RFC 6238, appendix B, SHA-1; the last six of its eight figures.
        let secret = Secret::of(b"12345678901234567890".to_vec());
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret.code(step(at(seconds))), code);
        }
    }

    #[test]
    fn a_code_is_good_a_step_to_either_side_and_only_once() {
        let (secret, now) = (Secret::generate(), at(1_592_697_600));
        let here = step(now);
        let spaced = |step: i64| {
            let code = secret.code(step);
            format!(" {} {}", &code[..3], &code[3..])
        };
        for (step, last, taken) in [
            (here, 0, true),
            (here - 1, 0, true),
            (here + 1, here, true),
            (here, here, false),
            (here - 2, 0, false),
            (here + 2, 0, false),
        ] {
            assert_eq!(secret.step_of(&spaced(step), now, last), taken.then_some(step));
        }
        assert_eq!(secret.step_of("", now, 0), None);
    }
}
