//! Two people between a call and a person: a first reviews, a second, different one releases.
//!
//! A run goes `Draft` -> `Reviewed` -> released; each step consumes the value and carries the
//! signature of whoever took it, so a released result without a reviewer cannot be written down.
//! What is released is the stored call, copied inside one transaction (R22): no outcome ever
//! comes from a request, except an amendment that two people ask for with a reason.

pub mod aftermath;
pub mod amend;
pub mod api;
pub mod pools;
pub mod release;
pub mod rules;
mod signature;
pub mod standing;
pub mod store;
mod switch;
pub mod verify;

pub use signature::{Meaning, Signature, content_hash};
pub use switch::{AUTO_RELEASE, Switch, switch_find, switches};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::interpretation::Outcome;

/// Every statement of this folder.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("RUN_FIND", store::RUN_FIND),
    ("CALLS", store::CALLS),
    ("SIGNATURE_FIND", store::SIGNATURE_FIND),
    ("SIGN", store::SIGN),
    ("RUN_MOVE", store::RUN_MOVE),
    ("QUEUE", store::QUEUE),
    ("REPORT_FIELDS", release::REPORT_FIELDS),
    ("RESULTS", release::RESULTS),
    ("STATUSES", release::STATUSES),
    ("ATTEMPTED", release::ATTEMPTED),
    ("CALLS_MOVE", release::CALLS_MOVE),
    ("CALLS_LEFT", release::CALLS_LEFT),
    ("POOLS_CALLED", pools::POOLS_CALLED),
    ("POOLS_BACK", pools::POOLS_BACK),
    ("CALLS_IN", aftermath::CALLS_IN),
    ("BY_RULE", aftermath::BY_RULE),
    ("RECALLED", aftermath::RECALLED),
    ("STANDING", aftermath::STANDING),
    ("PLATE_CLOSE", release::PLATE_CLOSE),
    ("RESULT_FIND", amend::RESULT_FIND),
    ("NEXT", amend::NEXT),
    ("PROPOSAL_FIND", amend::PROPOSAL_FIND),
    ("PROPOSE", amend::PROPOSE),
    ("SETTLE", amend::SETTLE),
    ("AMEND", amend::AMEND),
    ("ANSWERS", standing::ANSWERS),
    ("STATUSES_PUT", standing::STATUSES_PUT),
    ("RECALLS_AMEND", amend::RECALLS_AMEND),
    ("WAITING", amend::WAITING),
    ("SIGNED_RUNS", verify::SIGNED_RUNS),
    ("STRAYED", verify::STRAYED),
    ("AMENDED", verify::AMENDED),
    ("SWITCH_FIND", switch::SWITCH_FIND),
    ("SWITCH_SET", switch::SWITCH_SET),
];

/// The call of one tube as it is stored with its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCall {
    /// The tube.
    pub tube: String,
    /// The laboratory pool through which it was read.
    pub pool: Option<String>,
    /// What its readings mean.
    pub outcome: Outcome,
    /// The rule that decided.
    pub rule: String,
    /// What becomes of it on release.
    pub disposition: Step,
    /// People in the tube.
    pub members: i64,
    /// Runs the tube had been through before.
    pub attempt: i64,
    /// Whether the auto-release rule would take it (R21).
    pub clean: bool,
}

/// What becomes of a tube on release, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Step {
    /// Its members are told the outcome.
    Report,
    /// It is run again.
    Retest,
    /// Its members are collected again.
    Recall,
}

impl Step {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Retest => "retest",
            Self::Recall => "recall",
        }
    }
}

/// What a signature on a run covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunContent {
    /// The run.
    pub run: String,
    /// Its plate.
    pub plate: String,
    /// The laboratory it was run in.
    pub laboratory: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// Kit and version.
    pub kit: String,
    /// May the plate be used.
    pub usable: bool,
    /// Calls in order of tube.
    pub calls: Vec<StoredCall>,
}

/// A run nobody has reviewed yet.
#[derive(Debug)]
pub struct Draft(pub RunContent);

/// A run one person stands for.
#[derive(Debug)]
pub struct Reviewed {
    content: RunContent,
    review: Signature,
}

/// A run two different people stand for.
#[derive(Debug)]
pub struct Cleared {
    /// What they stand for.
    pub content: RunContent,
    /// The first.
    pub review: Signature,
    /// The second.
    pub release: Signature,
}

/// What the first reviewer decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The calls may go to a second person.
    Accept,
    /// The run is void; its tubes go back to be run again.
    Void,
}

impl Draft {
    /// The first person stands for a usable plate.
    pub fn accept(self, review: Signature) -> Result<Reviewed> {
        refuse_if_any(rules::against_acceptance(&self.0))?;
        Ok(Reviewed { content: self.0, review })
    }
}

impl Reviewed {
    /// A reviewed run as it came from the store; refused when it was altered since (R26).
    pub fn restore(content: RunContent, review: Signature) -> Result<Self> {
        if content_hash(&content) == review.content_hash {
            Ok(Self { content, review })
        } else {
            Err(Error::conflict(
                "review.altered",
                &content.run,
                format!("run {} is no longer what was reviewed; review it again", content.run),
            ))
        }
    }

    /// The second, different person stands for it too.
    pub fn clear(self, release: Signature) -> Result<Cleared> {
        let mut reasons = Vec::new();
        if self.review.account == release.account {
            reasons.push(Reason::new(
                "review.same_person",
                &self.content.run,
                "you reviewed this run; another person has to release it",
            ));
        }
        refuse_if_any(reasons)?;
        Ok(Cleared { content: self.content, review: self.review, release })
    }

    /// What is reviewed.
    pub const fn content(&self) -> &RunContent {
        &self.content
    }

    /// Who stands for it.
    pub const fn review(&self) -> &Signature {
        &self.review
    }
}

#[cfg(test)]
mod tests;
