//! People at the pages: a name and a password, a second factor, and the cookie they are known by
//! afterwards (R37). A signature asks for the password again (R26).
//!
//! A session is 256 random bits that the browser keeps and of which the store keeps the hash. It
//! is asked for on every request, so that it ends at once everywhere.

pub mod api;
pub mod password;
pub mod sign_in;
pub mod store;
pub mod totp;

use std::sync::Arc;

pub use store::STATEMENTS;

use super::{Actor, Role};
use crate::clock::{Span, Time};
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::seal::{KeyRing, Place};

/// A session that nobody uses for so long is over.
pub const IDLE: Span = Span::minutes(30);
/// A session is over after so long, however much it is used.
pub const ABSOLUTE: Span = Span::hours(12);
/// Between the password and the code of the second factor.
pub const CODE_WITHIN: Span = Span::minutes(5);
/// How long a proof of who is sitting there is good for one signature (R26).
pub const PROOF_GOOD_FOR: Span = Span::minutes(10);
/// A session's last use is written down no more often than this.
pub const SEEN_EVERY: Span = Span::minutes(1);
/// Shortest password, in characters.
pub const PASSWORD_MIN: usize = 12;
/// Longest password, in bytes: a longer one is only work for us.
pub const PASSWORD_MAX: usize = 256;
/// Longest name to sign in with.
pub const LOGIN_MAX: usize = 64;

/// How far somebody has come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Stage {
    /// The password was right; the code of the second factor is due.
    Code,
    /// Signed in, and has to set up a second factor before anything else.
    Enrol,
    /// Signed in with a password that somebody else was shown; has to choose another first.
    Renew,
    /// Signed in.
    Full,
}

/// A browser's session as the store has it.
#[derive(Clone, Debug)]
pub struct Session {
    /// What the store keeps of the cookie.
    pub hash: String,
    /// Who it is.
    pub actor: Arc<Actor>,
    /// How far they have come.
    pub stage: Stage,
    /// When it was last used, as far as was written down.
    pub seen: Time,
}

impl Session {
    /// What a form or an ES module must send along, which no other site can know.
    pub fn csrf(&self, keys: &KeyRing) -> String {
        keys.tag("csrf", self.hash.as_bytes())
    }

    /// Whether this text is the session's own token; compared without telling how much is right.
    pub fn csrf_fits(&self, keys: &KeyRing, sent: &str) -> bool {
        let own = self.csrf(keys);
        own.len() == sent.len()
            && own.bytes().zip(sent.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }
}

/// The name somebody signs in with: the same in either case, without spaces around it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct Login(String);

impl Login {
    /// The name as it was typed, to look for it; whatever it is.
    pub fn typed(text: &str) -> Self {
        Self(text.trim().to_lowercase())
    }

    /// A name to be given: letters, figures, dots, dashes, underscores.
    pub fn parse(text: &str) -> Result<Self> {
        let login = Self::typed(text);
        let taken = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
        let fits = (1..=LOGIN_MAX).contains(&login.0.chars().count());
        if fits && login.0.chars().all(taken) {
            return Ok(login);
        }
        let message =
            format!("1 to {LOGIN_MAX} letters, figures or any of . - _ @; choose another");
        Err(Error::invalid("sign_in.login", "login", message))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What its tries are counted under.
    pub fn tag(&self, keys: &KeyRing) -> String {
        keys.tag("login", self.0.as_bytes())
    }
}

/// Every reason against a new password.
pub fn password_refuse(login: &str, password: &str) -> Result<()> {
    let mut reasons = Vec::new();
    let mut refuse = |code, message: String| reasons.push(Reason::new(code, "password", message));
    if password.chars().count() < PASSWORD_MIN {
        let message = format!("a password has at least {PASSWORD_MIN} characters; make it longer");
        refuse("password.short", message);
    }
    if password.len() > PASSWORD_MAX {
        refuse("password.long", format!("a password has at most {PASSWORD_MAX} bytes"));
    }
    if password.to_lowercase().contains(login) {
        refuse("password.login", "the password contains your name; choose another".to_owned());
    }
    if password.chars().all(|c| password.starts_with(c)) {
        refuse("password.plain", "the password is one character over and over".to_owned());
    }
    refuse_if_any(reasons)
}

/// Where the secret of a second factor is sealed.
pub const fn secret_place(account: &str) -> Place<'_> {
    Place { table: "second_factor", column: "secret", row: account }
}

/// Whether a role signs in at the pages at all: a service is a program and has a token.
pub fn may_sign_in(role: Role) -> bool {
    role != Role::Service
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_either_case_and_holds_nothing_strange() {
        assert_eq!(Login::parse(" Wei.Officer ").unwrap().as_str(), "wei.officer");
        assert_eq!(Login::typed("WEI"), Login::typed("wei "));
        for wrong in ["", " ", "a b", "a/b", &"x".repeat(65)] {
            assert!(Login::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_refused_with_every_reason() {
        let codes = |password: &str| match password_refuse("wei", password) {
            Ok(()) => Vec::new(),
            Err(Error::Invalid(reasons)) => reasons.into_iter().map(|reason| reason.code).collect(),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(codes("one long phrase"), Vec::<String>::new());
        assert_eq!(codes("wei"), ["password.short", "password.login"]);
        assert_eq!(codes("aaaaaaaaaaaaa"), ["password.plain"]);
        assert_eq!(codes(&"ab".repeat(200)), ["password.long"]);
    }
}
