//! Where boxes are taken in: the box is scanned, then its tubes, until none is missing.

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use super::{Page, html};
use crate::app::App;
use crate::clock::Time;
use crate::error::Result;

/// Why a tube is refused: as `/v1/arrivals` takes it, the text of it, and its key at this station.
pub(super) struct Reason {
    code: &'static str,
    /// Key of its text.
    pub(super) text: &'static str,
    key: char,
}

impl Reason {
    /// As a card for the scanner says it.
    pub(super) fn command(&self) -> String {
        format!("REFUSE-{}", self.code.to_uppercase().replace('_', "-"))
    }
}

const fn reason(key: char, code: &'static str, text: &'static str) -> Reason {
    Reason { code, text, key }
}

/// Every reason, the frequent ones first. The letters begin no code of ours.
pub(super) const REASONS: [Reason; 14] = [
    reason('1', "leak", "receive-leak"),
    reason('2', "broken", "receive-broken"),
    reason('3', "unreadable", "receive-unreadable"),
    reason('4', "no_swab", "receive-no-swab"),
    reason('5', "no_fluid", "receive-no-fluid"),
    reason('6', "swab_count", "receive-swab-count"),
    reason('7', "late", "receive-late"),
    reason('8', "too_viscous", "receive-too-viscous"),
    reason('9', "label_mismatch", "receive-label-mismatch"),
    reason('0', "wrong_tube_type", "receive-wrong-tube-type"),
    reason('Q', "expired_fluid", "receive-expired-fluid"),
    reason('W', "duplicate_barcode", "receive-duplicate-barcode"),
    reason('E', "swab_upside_down", "receive-swab-upside-down"),
    reason('Y', "lab_incident", "receive-lab-incident"),
];

#[derive(Template)]
#[template(path = "receive.html")]
struct Receive {
    page: Page,
    laboratory: String,
    /// By our clock, which counts, not that of the desk.
    now: Time,
    reasons: &'static [Reason],
}

/// The page.
pub async fn receive_get(State(app): State<App>, page: Page) -> Result<Html<String>> {
    let (laboratory, now) = (page.laboratory(), app.clock.now());
    html(&Receive { page, laboratory, now, reasons: &REASONS })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::receiving::Refusal;

    #[test]
    fn every_reason_is_one_of_the_route_and_has_a_key_of_its_own() {
        let read = |reason: &Reason| serde_json::from_value::<Refusal>(reason.code.into()).unwrap();
        let codes: std::collections::HashSet<_> = REASONS.iter().map(read).collect();
        let keys: BTreeSet<_> = REASONS.iter().map(|reason| reason.key).collect();
        assert_eq!((codes.len(), keys.len()), (REASONS.len(), REASONS.len()));
    }
}
