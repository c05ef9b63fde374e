//! Who is asking, and what they may do: tokens stored as hashes, roles bound to a place, and one
//! table of routes and roles that denies by default (R36).

pub mod administration;
pub mod memory;
pub mod policy;
pub mod session;
mod store;
mod token;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use store::{
    NewAccount, STATEMENTS, account_add, account_disable, account_find, accounts, authenticate,
    token_issue,
};
pub use token::Token;

use crate::error::{Error, Result};

/// What somebody does in the way of a tube.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sqlx::Type,
    clap::ValueEnum,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[clap(rename_all = "snake_case")]
pub enum Role {
    /// Scans people and tubes at a site.
    Sampler,
    /// Carries boxes.
    Courier,
    /// Takes boxes in at a laboratory.
    Receiver,
    /// Loads plates and instruments.
    Technician,
    /// Reviews and releases.
    Reviewer,
    /// Steers rounds, works the recalls, reads the city's figures.
    Officer,
    /// A health-code service.
    Service,
    /// Reads whatever is on record, the audit trail too, and changes nothing.
    Auditor,
    /// Keeps sites, laboratories and codes; sees no person.
    Administrator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 9] = [
        Self::Sampler,
        Self::Courier,
        Self::Receiver,
        Self::Technician,
        Self::Reviewer,
        Self::Officer,
        Self::Service,
        Self::Auditor,
        Self::Administrator,
    ];

    /// Whether the role works in one laboratory and must be bound to it.
    pub const fn needs_laboratory(self) -> bool {
        matches!(self, Self::Receiver | Self::Technician | Self::Reviewer)
    }

    /// Whether the role works at one site and must be bound to it.
    pub const fn needs_site(self) -> bool {
        matches!(self, Self::Sampler)
    }
}

/// Somebody signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// The account's id.
    pub account: String,
    /// The printed name that stands in signatures.
    pub name: String,
    /// What they do.
    pub role: Role,
    /// The one site they work at, if they are bound to one.
    pub site: Option<String>,
    /// The one laboratory they work in, if they are bound to one.
    pub laboratory: Option<String>,
}

impl Actor {
    /// Whether seeded tubes are blind for them: whoever belongs to a laboratory must not know which
    /// tubes are seeded, whatever their role.
    pub const fn is_blind(&self) -> bool {
        self.laboratory.is_some()
    }

    /// Refuses when this actor is bound to another site.
    pub fn at_site(&self, site: &str) -> Result<()> {
        match &self.site {
            Some(own) if own != site => Err(Error::forbidden(
                "auth.site",
                site,
                format!("you work at site {own}, not at {site}; ask an administrator"),
            )),
            _ => Ok(()),
        }
    }

    /// Refuses when this actor is bound to other places than this site or laboratory.
    pub fn at_place(&self, place: &str) -> Result<()> {
        match (&self.site, &self.laboratory) {
            (Some(_), None) => self.at_site(place),
            (Some(site), Some(_)) if site == place => Ok(()),
            (_, Some(_)) => self.in_laboratory(place),
            (None, None) => Ok(()),
        }
    }

    /// Refuses when this actor is bound to another laboratory.
    pub fn in_laboratory(&self, laboratory: &str) -> Result<()> {
        match &self.laboratory {
            Some(own) if own != laboratory => Err(Error::forbidden(
                "auth.laboratory",
                laboratory,
                format!("you work in laboratory {own}, not in {laboratory}; ask an administrator"),
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_bound_to_places_works_there_and_nowhere_else() {
        let bound = |site: Option<&str>, laboratory: Option<&str>| Actor {
            account: "A".to_owned(),
            name: "A".to_owned(),
            role: Role::Officer,
            site: site.map(str::to_owned),
            laboratory: laboratory.map(str::to_owned),
        };
        let cases = [
            (bound(None, None), [true, true, true]),
            (bound(Some("S01"), None), [true, false, false]),
            (bound(None, Some("L01")), [false, true, false]),
            (bound(Some("S01"), Some("L01")), [true, true, false]),
        ];
        for (actor, expected) in cases {
            let places = ["S01", "L01", "S02"];
            assert_eq!(places.map(|place| actor.at_place(place).is_ok()), expected, "{actor:?}");
        }
    }
}
