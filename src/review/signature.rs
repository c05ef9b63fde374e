//! A signature: who, when, what it means, and a hash of what was signed (R26; 21 CFR 11.50, 11.70).

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RunContent;
use crate::auth::Actor;
use crate::clock::{Clock, Time};

/// What a signature stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Meaning {
    /// The first person reviewed the run.
    Review,
    /// The second person releases it.
    Release,
    /// The rule releases clean negatives after the first person's review.
    ReleaseByRule,
    /// The run is void.
    Void,
    /// A person asks for an amendment.
    ProposeAmendment,
    /// A second person confirms it.
    Amend,
}

/// One person's signature under one content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Signature {
    /// Its id.
    pub id: String,
    /// What it stands for.
    pub meaning: Meaning,
    /// The signer's account.
    pub account: String,
    /// The signer's printed name.
    pub signer: String,
    /// When.
    pub signed: Time,
    /// SHA-256 of the content, lower-case hex.
    pub content_hash: String,
}

impl Signature {
    /// `actor` signs content with this hash.
    pub fn new(clock: &Clock, actor: &Actor, meaning: Meaning, content_hash: String) -> Self {
        Self {
            id: clock.id().to_string(),
            meaning,
            account: actor.account.clone(),
            signer: actor.name.clone(),
            signed: clock.now(),
            content_hash,
        }
    }
}

/// The hash a signature on a run carries: every fact that is released, each with its length.
pub fn content_hash(content: &RunContent) -> String {
    let RunContent { run, plate, laboratory, sha256, kit, usable, calls } = content;
    let mut covered = String::new();
    let mut cover = |field: &str| {
        covered.push_str(&field.len().to_string());
        covered.push(':');
        covered.push_str(field);
    };
    for field in [run, plate, laboratory, sha256, kit] {
        cover(field);
    }
    cover(if *usable { "usable" } else { "void" });
    for call in calls {
        cover(&call.tube);
        // A call that is not of a pool is covered as it was before there were pools.
        if let Some(pool) = &call.pool {
            cover(&format!("pool {pool}"));
        }
        cover(&call.outcome.to_string());
        cover(&call.rule);
        cover(call.disposition.as_str());
        cover(&call.members.to_string());
        cover(&call.attempt.to_string());
        cover(if call.clean { "clean" } else { "flagged" });
    }
    HEXLOWER.encode(digest(&SHA256, covered.as_bytes()).as_ref())
}
