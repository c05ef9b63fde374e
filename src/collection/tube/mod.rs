//! A tube shut with its members: from what a device sent to what the store keeps.

pub mod api;
mod differences;
mod rules;
mod scan;
pub mod store;
pub mod writer;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::TubeState;
use super::person::MemberPerson;
use super::place::Hours;
use crate::barcode::{PlaceCode, TubeCode};
use crate::clock::{Span, Time};
use crate::collection::device::Heard;
use crate::error::Reason;
use crate::seal::PersonKey;

pub use rules::{CLOCK_TOLERANCE, Recorder, SESSION_TOLERANCE, Standing, is_out_of_time, seal};
pub use scan::{DeviceScan, DocumentScan, MemberScan, TubeScan};

/// A sealed tube that passed every rule; made by [`seal`] alone, and without any person in clear.
///
/// Its times are corrected: the device's time less its skew, which is the device's clock while
/// sending less the server's. Times of different devices can be compared, whatever their clocks
/// say; time and skew together give back what the device said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedTube {
    code: TubeCode,
    size: u8,
    members: Vec<Member>,
    round: String,
    site: String,
    session: PlaceCode,
    hours: Hours,
    event: Uuid,
    device: String,
    sequence: u32,
    skew: Span,
    sealed: Time,
    recorded: Time,
    recorded_by: String,
    content_tag: String,
}

/// When a device says something was, from the corrected time and what was taken off it.
fn device_time(corrected: Time, skew: Span) -> Time {
    corrected + skew
}

/// One person's swab in a tube; the position is the place in the tube's list, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    person: MemberPerson,
    taken: Time,
}

impl SealedTube {
    /// The tube's code.
    pub const fn code(&self) -> &TubeCode {
        &self.code
    }

    /// The client's id of the event.
    pub const fn event(&self) -> Uuid {
        self.event
    }

    /// What it says of the device that sent it.
    pub fn heard(&self) -> Heard<'_> {
        let (device, site) = (self.device.as_str(), self.site.as_str());
        let (first, last) = (self.sequence, self.sequence);
        Heard { device, site, first, last, tubes: 1, at: self.recorded.us() }
    }

    /// Rows it takes in the store: its own, and one for each member.
    pub fn rows(&self) -> usize {
        1 + self.members.len()
    }

    /// What is recorded once the tube is stored.
    fn recorded(&self) -> Recorded {
        Recorded {
            code: self.code.clone(),
            state: TubeState::Sealed,
            size: self.size,
            session: self.session.clone(),
            recorded: self.recorded,
            flags: flags(self.skew, self.sealed, self.hours),
            members: self.members.iter().map(|member| member.person.key().clone()).collect(),
        }
    }
}

/// What became of one tube.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is new and stored.
    Accepted(Recorded),
    /// The very same was stored before; nothing changed.
    Duplicate(Recorded),
    /// Something else is stored; nothing was overwritten, and every difference is told.
    Conflict(Vec<Reason>),
}

/// A stored tube as its sampler is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The tube's code.
    pub code: TubeCode,
    /// Where it is on its way.
    pub state: TubeState,
    /// People it can hold.
    pub size: u8,
    /// The session it was sealed in.
    pub session: PlaceCode,
    /// When the server recorded it first.
    pub recorded: Time,
    /// What is worth a look.
    pub flags: Vec<Flag>,
    /// Its members in order of position.
    pub members: Vec<PersonKey>,
}

/// Something worth a look that is no reason to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// The device's clock is more than five minutes off (R6); set it.
    ClockSkew,
    /// It was sealed more than two hours before its session opens or after it closes; see
    /// whether the session is the right one.
    SessionHours,
}

/// What is worth a look about a tube sealed at this corrected time in a session of these hours.
fn flags(skew: Span, sealed: Time, hours: Hours) -> Vec<Flag> {
    let is_outside =
        sealed + SESSION_TOLERANCE < hours.opens || sealed - SESSION_TOLERANCE > hours.closes;
    let flags = [(Flag::ClockSkew, skew.abs() > CLOCK_TOLERANCE), (Flag::SessionHours, is_outside)];
    flags.into_iter().filter_map(|(flag, is_raised)| is_raised.then_some(flag)).collect()
}
