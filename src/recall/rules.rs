//! What an officer may write to a recall; every reason is returned.

use super::RecallState;
use crate::error::Reason;

/// The longest note, in characters.
pub const NOTE_MAX: usize = 500;
/// The most recalls on one page.
pub const PAGE_MAX: i64 = 200;
/// How many recalls a page has when nobody says.
pub const PAGE: i64 = 50;

/// Why a note cannot be kept.
pub fn note_faults(note: &str) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let length = note.chars().count();
    if length > NOTE_MAX {
        let message =
            format!("the note has {length} characters and may have {NOTE_MAX}; shorten it");
        reasons.push(Reason::new("recall.note", "note", message));
    }
    if note.contains(|c: char| c.is_control() && c != '\n') {
        let message = "the note has characters that do not print; type it again";
        reasons.push(Reason::new("recall.note", "note", message));
    }
    reasons
}

/// Why nobody needs to be called any more.
pub fn contact_faults(id: &str, state: RecallState) -> Vec<Reason> {
    if state == RecallState::Closed {
        let message = format!("recall {id} is closed: the person has a result; leave it as it is");
        vec![Reason::new("recall.closed", id, message)]
    } else {
        Vec::new()
    }
}

/// Why a page cannot have that many recalls.
pub fn limit_faults(limit: i64) -> Vec<Reason> {
    if (1..=PAGE_MAX).contains(&limit) {
        Vec::new()
    } else {
        let message = format!("a page has 1 to {PAGE_MAX} recalls, not {limit}; ask for fewer");
        vec![Reason::new("recall.limit", "limit", message)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_bounded_and_prints() {
        assert!(note_faults("").is_empty());
        assert!(note_faults(&"äö".repeat(250)).is_empty());
        assert!(note_faults("call again\nafter six").is_empty());
        assert_eq!(note_faults(&"ä".repeat(501)).len(), 1);
        assert_eq!(note_faults(&format!("\0{}", "a".repeat(500))).len(), 2);
    }

    #[test]
    fn only_a_closed_recall_needs_no_call() {
        assert!(contact_faults("R", RecallState::Open).is_empty());
        assert!(contact_faults("R", RecallState::Collected).is_empty());
        assert_eq!(contact_faults("R", RecallState::Closed)[0].code, "recall.closed");
    }

    #[test]
    fn a_page_is_neither_empty_nor_endless() {
        assert!(limit_faults(1).is_empty());
        assert!(limit_faults(PAGE_MAX).is_empty());
        for limit in [i64::MIN, 0, PAGE_MAX + 1, i64::MAX] {
            assert_eq!(limit_faults(limit).len(), 1, "{limit}");
        }
    }
}
