//! What speaks against accepting, releasing or amending; always every reason.

use super::{RunContent, Step, StoredCall};
use crate::error::Reason;
use crate::interpretation::Outcome;

/// Longest reason of a switch, in characters.
pub const REASON_MAX: usize = 500;

/// Why a run may not be accepted.
pub fn against_acceptance(content: &RunContent) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if !content.usable {
        reasons.push(Reason::new(
            "review.unusable",
            &content.run,
            "the plate's verdict is against it; void the run and test its tubes again",
        ));
    }
    if content.calls.is_empty() {
        reasons.push(Reason::new("review.empty", &content.run, "the run has no call; void it"));
    }
    reasons
}

/// What stands on a report (ISO 15189:2022 7.4.1.6, 42 CFR 493.1291(c)); a blank blocks (R25).
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ReportFields {
    /// The tube, the report's link to its people.
    pub tube: String,
    /// Members that are stored of it; whether a person belongs to each is the ledger's question.
    pub people: i64,
    /// Members of the tube.
    pub members: i64,
    /// When the tube was sealed, microseconds.
    pub sealed_us: i64,
    /// Specimen type of the round.
    pub specimen: Option<String>,
    /// Name of the laboratory.
    pub laboratory_name: Option<String>,
    /// Address of the laboratory.
    pub laboratory_address: Option<String>,
    /// Kit and version.
    pub examination: Option<String>,
    /// When the laboratory received it.
    pub received_us: Option<i64>,
}

/// Every field a report would lack.
pub fn missing_fields(fields: &ReportFields, reviewer: &str, releaser: &str) -> Vec<Reason> {
    let blank = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
    let checks = [
        ("person", fields.people != fields.members, "a member without a person"),
        ("collected_at", fields.sealed_us <= 0, "no time of collection"),
        ("received_at", fields.received_us.is_none(), "no time of receipt"),
        ("specimen", blank(&fields.specimen), "no specimen type; complete the round"),
        ("laboratory.name", blank(&fields.laboratory_name), "no laboratory name"),
        (
            "laboratory.address",
            blank(&fields.laboratory_address),
            "no laboratory address; complete the laboratory",
        ),
        ("examination", blank(&fields.examination), "no kit"),
        ("reviewed_by", reviewer.trim().is_empty(), "no reviewer's name"),
        ("released_by", releaser.trim().is_empty(), "no releaser's name"),
    ];
    checks
        .iter()
        .filter(|(_, missing, _)| *missing)
        .map(|(field, _, what)| {
            let message = format!("the report of tube {} would have {what}", fields.tube);
            Reason::new("review.field_missing", format!("{}.{field}", fields.tube), message)
        })
        .collect()
}

/// The tubes the auto-release rule takes on a run a first person accepted (R21).
pub fn released_by_rule(content: &RunContent, switch_is_on: bool) -> Vec<String> {
    let takes = |call: &&StoredCall| {
        call.clean && call.outcome == Outcome::NotDetected && call.disposition == Step::Report
    };
    if switch_is_on && content.usable {
        content.calls.iter().filter(takes).map(|call| call.tube.clone()).collect()
    } else {
        Vec::new()
    }
}

/// Why a result may not be amended so.
pub fn against_amendment(
    members: i64,
    present: &str,
    wanted: super::amend::AmendedOutcome,
) -> Vec<Reason> {
    use super::amend::AmendedOutcome::Detected;
    let mut reasons = Vec::new();
    if members > 1 && wanted == Detected {
        reasons.push(Reason::new(
            "amend.pool",
            "outcome",
            "a pool gives nobody an individual positive; withdraw it, so that every member is \
             collected again",
        ));
    }
    if present == wanted.as_str() {
        reasons.push(Reason::new("amend.same", "outcome", "that is what the result says already"));
    }
    if present == "withdrawn" {
        reasons.push(Reason::new(
            "amend.withdrawn",
            "outcome",
            "a withdrawn result stays withdrawn; the recalled people get new ones",
        ));
    }
    reasons
}
