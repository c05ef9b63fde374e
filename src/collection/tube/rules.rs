//! What a sealed tube must be (R6, R8); every reason at once, and no person's data in any.

use std::collections::HashMap;

use serde::Serialize;
use uuid::Uuid;

use super::scan::{DocumentScan, MemberScan, TubeScan};
use super::{Member, SealedTube, device_time};
use crate::barcode::TubeCode;
use crate::clock::{Span, Time};
use crate::collection::person::{Contact, MemberPerson, Shown};
use crate::collection::place::{Shift, TUBE_SIZES};
use crate::error::Reason;
use crate::seal::{KeyRing, PersonKey};

/// How far a device's clock may be off before it is flagged, and how much a corrected time may
/// lie ahead or outside its round (R6).
pub const CLOCK_TOLERANCE: Span = Span::minutes(5);
/// How far outside its session's hours a tube may be sealed before it is flagged. A queue outlasts
/// the hours and a team begins early, so it is no reason to refuse; a session held at another time
/// of the day was probably picked by mistake.
pub const SESSION_TOLERANCE: Span = Span::hours(2);
/// How old a swab may be when it reaches the server (R6).
const AGE_MAX: Span = Span::days(7);
/// How many characters a device's id may have.
const DEVICE_MAX: usize = 64;
/// People in the largest tube.
const MEMBERS_MAX: usize = 20;

/// Whether a tube is stored already when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its code is new.
    New,
    /// Its code is stored: this is a retry, or somebody else's tube.
    Stored,
}

/// Who records a tube, with which keys, and when.
#[derive(Debug, Clone, Copy)]
pub struct Recorder<'a> {
    /// The account's id.
    pub account: &'a str,
    /// What persons are sealed with.
    pub keys: &'a KeyRing,
    /// The server's clock.
    pub now: Time,
}

/// Checks what a device sent and seals its people, or gives every reason why not.
///
/// `code` is the code as read, `shift` the session it names, if there is one. Times are judged
/// and kept after taking off the device's skew, which is its clock while sending less the
/// server's. A tube that is stored is not judged by the clock again: it was when it came first,
/// and a retry may come late. It is never added twice, only compared.
pub fn seal(
    (code, standing): (Result<TubeCode, Reason>, Standing),
    scan: TubeScan,
    shift: Option<&Shift>,
    recorder: Recorder<'_>,
) -> Result<SealedTube, Vec<Reason>> {
    let skew = scan.device.time.since(recorder.now);
    let mut reasons = Vec::new();
    let code = code.map_err(|reason| reasons.push(reason)).ok();
    reasons.extend(origin_faults(&scan));
    reasons.extend(count_faults(&scan, shift));
    if standing == Standing::New {
        reasons.extend(time_faults(&scan, shift, recorder.now));
    }
    let Some(shift) = shift else {
        let message = format!("there is no session {}; put the session first", scan.session);
        reasons.push(Reason::new("tube.session", "session", message));
        return Err(reasons);
    };
    let members = if scan.members.len() <= MEMBERS_MAX {
        members(scan.members, skew, recorder, &mut reasons)
    } else {
        Vec::new()
    };
    let Some(code) = code.filter(|_code| reasons.is_empty()) else { return Err(reasons) };
    let mut tube = SealedTube {
        code,
        size: scan.size,
        members,
        round: shift.round.clone(),
        site: shift.site.clone(),
        session: scan.session,
        hours: shift.hours,
        event: scan.event_id,
        device: scan.device.id,
        sequence: scan.device.sequence,
        skew,
        sealed: scan.sealed_at - skew,
        recorded: recorder.now,
        recorded_by: recorder.account.to_owned(),
        content_tag: String::new(),
    };
    tube.content_tag = content_tag(&tube, recorder.keys);
    Ok(tube)
}

/// What event of which device this is.
fn origin_faults(scan: &TubeScan) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if scan.event_id.get_version_num() != 7 {
        let message = "the event's id must be a UUID version 7 made by the device; make a new one";
        reasons.push(Reason::new("tube.event_id", "event_id", message));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !(1..=DEVICE_MAX).contains(&scan.device.id.len()) || !scan.device.id.bytes().all(plain) {
        let message =
            format!("a device's id has 1 to {DEVICE_MAX} letters, digits, `.`, `_` or `-`; set it");
        reasons.push(Reason::new("tube.device", "device.id", message));
    }
    reasons
}

/// Size, members and swabs must agree (R8).
fn count_faults(scan: &TubeScan, shift: Option<&Shift>) -> Vec<Reason> {
    let (size, members) = (usize::from(scan.size), scan.members.len());
    let mut reasons = Vec::new();
    let mut refuse = |code, about: &str, message: String| {
        reasons.push(Reason::new(code, about, message));
    };
    if !TUBE_SIZES.contains(&scan.size) {
        refuse(
            "tube.size",
            "size",
            format!("tubes hold 1, 5, 10 or 20 people, not {size}; scan the size on the tube"),
        );
    } else if let Some(shift) = shift.filter(|shift| scan.size > shift.tube_size) {
        refuse(
            "tube.size",
            "size",
            format!(
                "round {} takes at most {} people to a tube, not {size}; use a smaller tube",
                shift.round, shift.tube_size
            ),
        );
    }
    if members == 0 || members > size {
        refuse(
            "tube.members",
            "members",
            format!(
                "the tube holds 1 to {size} people and {members} were scanned; correct the list"
            ),
        );
    }
    if usize::from(scan.swab_count) != members {
        refuse(
            "tube.swab_count",
            "swab_count",
            format!(
                "{} swabs were counted and {members} people scanned; count again and mend the list",
                scan.swab_count
            ),
        );
    }
    if scan.underfilled != (members < size) {
        refuse(
            "tube.underfilled",
            "underfilled",
            format!(
                "{members} people are in a tube for {size}; state `underfilled` as {}",
                members < size
            ),
        );
    }
    reasons
}

/// Whether the clock speaks against a tube, unless it is stored already.
pub fn is_out_of_time(scan: &TubeScan, shift: Option<&Shift>, now: Time) -> bool {
    !time_faults(scan, shift, now).is_empty()
}

/// Times must be plausible and in order (R6).
fn time_faults(scan: &TubeScan, shift: Option<&Shift>, now: Time) -> Vec<Reason> {
    let skew = scan.device.time.since(now);
    let taken = scan.members.iter().take(MEMBERS_MAX).enumerate();
    let taken = taken.map(|(i, member)| (Some(i), member.taken_at));
    let mut reasons = Vec::new();
    for (member, time) in taken.chain([(None, scan.sealed_at)]) {
        let corrected = time - skew;
        let mut refuse = |code, message: String| {
            let about = member.map(|i| format!("members[{i}].taken_at"));
            let about = about.unwrap_or_else(|| "sealed_at".to_owned());
            reasons.push(Reason::new(code, about, message));
        };
        if time > scan.sealed_at {
            refuse(
                "tube.sealed_before_taken",
                "the swab was taken after the tube was shut; correct the times".to_owned(),
            );
        }
        if corrected > now + CLOCK_TOLERANCE {
            refuse(
                "tube.future",
                format!(
                    "{time} lies ahead even by the device's own clock; set the clock and send again"
                ),
            );
        }
        if now.since(corrected) > AGE_MAX {
            refuse(
                "tube.too_old",
                format!("{time} is more than 7 days ago; collect these people again"),
            );
        }
        let outside = |shift: &&Shift| {
            corrected + CLOCK_TOLERANCE < shift.starts || corrected - CLOCK_TOLERANCE > shift.ends
        };
        if let Some(shift) = shift.filter(outside) {
            refuse(
                "tube.outside_round",
                format!(
                    "{time} is outside round {}, held from {} to {}; check the session and the clock",
                    shift.round, shift.starts, shift.ends
                ),
            );
        }
    }
    reasons
}

/// Seals each person and refuses one who is in the tube twice.
fn members(
    scans: Vec<MemberScan>,
    skew: Span,
    recorder: Recorder<'_>,
    reasons: &mut Vec<Reason>,
) -> Vec<Member> {
    let mut members = Vec::with_capacity(scans.len());
    let mut seen: HashMap<PersonKey, usize> = HashMap::new();
    for (i, scan) in scans.into_iter().enumerate() {
        let about = format!("members[{i}]");
        let contact = Contact { name: scan.name, phone: scan.phone, address: scan.address };
        let DocumentScan { kind, issuer, number } = &scan.document;
        let document = Shown { kind: *kind, issuer: issuer.as_deref(), number };
        let keys = (recorder.keys, recorder.now);
        let person = match MemberPerson::seal(document, contact, keys, &about) {
            Ok(person) => person,
            Err(faults) => {
                reasons.extend(faults);
                continue;
            }
        };
        if let Some(first) = seen.insert(person.key().clone(), i) {
            let message = format!(
                "this is the person of members[{first}] again; one person is once in a tube"
            );
            reasons.push(Reason::new("tube.same_person", format!("{about}.document"), message));
        }
        members.push(Member { person, taken: scan.taken_at - skew });
    }
    members
}

/// What makes two deliveries of a tube the same. The device's clock while sending is not part
/// of it, because it differs on every retry; so the times are those the device said, which do not.
#[derive(Serialize)]
struct Content<'a> {
    code: &'a str,
    event: Uuid,
    session: &'a str,
    size: u8,
    device: (&'a str, u32),
    sealed_us: i64,
    members: Vec<(&'a str, &'a str, i64)>,
}

fn content_tag(tube: &SealedTube, keys: &KeyRing) -> String {
    let content = Content {
        code: tube.code.as_str(),
        event: tube.event,
        session: tube.session.as_str(),
        size: tube.size,
        device: (&tube.device, tube.sequence),
        sealed_us: device_time(tube.sealed, tube.skew).us(),
        members: tube.members.iter().map(|member| member_content(member, tube.skew)).collect(),
    };
    let content = serde_json::to_vec(&content).expect("strings and numbers always serialise");
    keys.tag("tube", &content)
}

fn member_content(member: &Member, skew: Span) -> (&str, &str, i64) {
    let taken = device_time(member.taken, skew);
    (member.person.key().as_str(), member.person.identity_tag(), taken.us())
}

#[cfg(test)]
pub(super) mod tests;
