//! Passwords: Argon2id, never on the threads that serve requests, and never many at once.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use data_encoding::BASE32_NOPAD;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// Hashes worked on at once: each takes 19 MiB and some 30 ms of a processor, and whoever scans
/// must not wait for whoever guesses.
static AT_ONCE: Semaphore = Semaphore::const_new(2);
/// Bytes of salt.
const SALT_LENGTH: usize = 16;
/// Random bytes of a password we make: 125 bits are 25 letters and figures.
const MADE_LENGTH: usize = 16;

/// Hashes a password, to be kept as a PHC string.
pub async fn hash(password: String) -> Result<String> {
    aside(move || hash_now(&password)).await?
}

fn hash_now(password: &str) -> Result<String> {
    let mut salt = [0; SALT_LENGTH];
    SystemRandom::new().fill(&mut salt).expect("the system's random source never fails");
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string())
        .map_err(|error| Error::Internal(format!("a password cannot be hashed: {error}")))
}

/// Whether this is the password that was hashed. Where nobody has the name there is no hash, and
/// it takes the same time to say no.
pub async fn fits(password: String, hash: Option<String>) -> Result<bool> {
    static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody").unwrap_or_default());
    aside(move || {
        let is_known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let parsed = PasswordHash::new(&hash)
            .map_err(|error| Error::Internal(format!("a kept password cannot be read: {error}")))?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && is_known)
    })
    .await?
}

/// A password nobody can guess, in groups that can be read out.
pub fn generate() -> String {
    let mut random = [0; MADE_LENGTH];
    SystemRandom::new().fill(&mut random).expect("the system's random source never fails");
    let text = BASE32_NOPAD.encode(&random).to_lowercase();
    let groups: Vec<_> = text.as_bytes()[..25].chunks(5).map(String::from_utf8_lossy).collect();
    groups.join("-")
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let permit = AT_ONCE.acquire().await.expect("nobody closes it");
    // Whoever hangs up gives the place on only when the work is done.
    let held = move || {
        let done = work();
        drop(permit);
        done
    };
    tokio::task::spawn_blocking(held)
        .await
        .map_err(|error| Error::Internal(format!("hashing a password failed: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_and_no_other() {
        let hashed = hash("one long phrase".to_owned()).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(fits("one long phrase".to_owned(), Some(hashed.clone())).await.unwrap());
        assert!(!fits("one long phrasE".to_owned(), Some(hashed)).await.unwrap());
        assert!(!fits("nobody".to_owned(), None).await.unwrap());
    }

    #[test]
    fn a_made_password_is_long_and_another_each_time() {
        let (one, other) = (generate(), generate());
        assert_ne!(one, other);
        assert_eq!(one.len(), 29);
        super::super::password_refuse("wei", &one).unwrap();
    }
}
