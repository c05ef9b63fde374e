//! What a stored tube and one that is sent again under its code differ in; never the values.

use sqlx::FromRow;

use super::{Recorded, SealedTube, device_time, flags};
use crate::barcode::{PlaceCode, TubeCode};
use crate::clock::{Span, Time};
use crate::collection::TubeState;
use crate::error::Reason;

/// A tube as it is stored.
#[derive(Debug, Clone, FromRow)]
pub(super) struct StoredTube {
    pub(super) code: TubeCode,
    size: i64,
    session_code: PlaceCode,
    event_id: String,
    device_id: String,
    device_seq: i64,
    device_skew_us: i64,
    #[sqlx(rename = "sealed_us")]
    sealed: Time,
    #[sqlx(rename = "recorded_us")]
    recorded: Time,
    content_tag: String,
    state: TubeState,
}

/// A member as it is stored, with the tag of the identity that was given.
#[derive(Debug, Clone, FromRow)]
pub(super) struct StoredMember {
    pub(super) tube_code: TubeCode,
    person_key: String,
    #[sqlx(rename = "taken_us")]
    taken: Time,
    identity_tag: String,
}

impl StoredTube {
    pub(super) fn is_same(&self, sent: &SealedTube) -> bool {
        self.content_tag == sent.content_tag
    }

    /// What the sampler was told when the same content was recorded first.
    pub(super) fn recorded(&self, sent: &SealedTube) -> Recorded {
        Recorded {
            state: self.state,
            recorded: self.recorded,
            flags: flags(self.skew(), self.sealed, sent.hours),
            ..sent.recorded()
        }
    }

    fn said(&self, corrected: Time) -> Time {
        device_time(corrected, self.skew())
    }

    fn skew(&self) -> Span {
        Time::from_us(self.device_skew_us).since(Time::from_us(0))
    }

    /// Every difference to what was sent; times are compared as the device said them, because
    /// its skew is measured anew on every retry.
    pub(super) fn differences(&self, members: &[StoredMember], sent: &SealedTube) -> Vec<Reason> {
        let fields = [
            ("event_id", self.event_id == sent.event.to_string()),
            ("session", self.session_code == sent.session),
            ("size", self.size == i64::from(sent.size)),
            ("sealed_at", self.said(self.sealed) == device_time(sent.sealed, sent.skew)),
            ("device.id", self.device_id == sent.device),
            ("device.sequence", self.device_seq == i64::from(sent.sequence)),
            ("members", members.len() == sent.members.len()),
        ];
        let differing = fields.into_iter().filter(|(_, same)| !same);
        let mut abouts: Vec<_> = differing.map(|(field, _)| field.to_owned()).collect();
        for (i, (stored, member)) in members.iter().zip(&sent.members).enumerate() {
            let is_person = stored.person_key == member.person.key().as_str();
            if !is_person {
                abouts.push(format!("members[{i}].document"));
            } else if stored.identity_tag != member.person.identity_tag() {
                abouts.push(format!("members[{i}].identity"));
            }
            if self.said(stored.taken) != device_time(member.taken, sent.skew) {
                abouts.push(format!("members[{i}].taken_at"));
            }
        }
        if abouts.is_empty() {
            // Only a row that was altered in the store differs in nothing but its tag.
            abouts.push("members".to_owned());
        }
        abouts.into_iter().map(|about| self.difference(about)).collect()
    }

    fn difference(&self, about: String) -> Reason {
        let message = format!(
            "tube {} was recorded at {} with another {about}; nothing was overwritten, seal these \
             people into another tube or send what was recorded",
            self.code, self.recorded
        );
        Reason::new("tube.differs", about, message)
    }
}
