//! What an officer may write to a recall; every reason is returned.

use super::RecallState;
use crate::error::Reason;

/// The longest note, in characters.
pub const NOTE_MAX: usize = 500;

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
}
