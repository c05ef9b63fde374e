//! Who a token is, without asking the store on each request.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::store::authenticate;
use super::{Actor, Token};
use crate::clock::{Span, Time};
use crate::error::Result;
use crate::storage::Db;

/// How long an answer of the store is good for: a revoked token and a disabled account end within
/// this time on every node.
const GOOD_FOR: Span = Span::seconds(1);
/// Tokens remembered at most.
const TOKENS_MAX: usize = 20_000;

/// Holders of tokens as the store named them at most a second ago, by the hashes of the tokens.
///
/// Nothing tells a node that a token was revoked, so each asks again every second; tokens are
/// revoked at the console, in a process of its own. A token's own end is kept to the moment.
pub struct Holders(Cache<String, Held>);

#[derive(Clone)]
struct Held {
    actor: Arc<Actor>,
    asked: Time,
    expires: Time,
}

impl Default for Holders {
    fn default() -> Self {
        Self(Cache::new(TOKENS_MAX))
    }
}

impl std::fmt::Debug for Holders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Holders(...)")
    }
}

impl Holders {
    /// Whoever holds this token, if it is live; a token that is not is asked for every time.
    pub async fn holder(&self, db: &Db, token: &Token, now: Time) -> Result<Option<Arc<Actor>>> {
        let hash = token.hash();
        if let Some(held) = self.0.get(&hash).filter(|held| held.is_good(now)) {
            return Ok(Some(held.actor));
        }
        let mut tx = db.read("auth.token").await?;
        let found = authenticate(&mut tx, &hash, now).await?;
        drop(tx);
        let Some((actor, expires)) = found else {
            self.0.remove(&hash);
            return Ok(None);
        };
        let actor = Arc::new(actor);
        self.0.insert(hash, Held { actor: Arc::clone(&actor), asked: now, expires });
        Ok(Some(actor))
    }
}

impl Held {
    /// A clock that was set back makes every answer stale.
    fn is_good(&self, now: Time) -> bool {
        self.asked <= now && now < self.asked + GOOD_FOR && now < self.expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Role;

    #[test]
    fn an_answer_is_good_for_a_second_and_never_past_the_end_of_the_token() {
        let second = |n: i64| Time::from_us(n * 1_000_000);
        let (name, account) = ("A".to_owned(), "A".to_owned());
        let actor = Actor { account, name, role: Role::Officer, site: None, laboratory: None };
        let asked = second(10);
        let actor = Arc::new(actor);
        let held = |expires| Held { actor: Arc::clone(&actor), asked, expires };
        let just_before = second(11) - Span::MICROSECOND;
        assert!(held(second(99)).is_good(asked) && held(second(99)).is_good(just_before));
        assert!(!held(second(99)).is_good(second(11)));
        assert!(!held(just_before).is_good(just_before), "it has expired");
        assert!(!held(second(99)).is_good(second(9)), "the clock was set back");
    }
}
