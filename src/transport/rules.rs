//! What may be packed, given and taken, and for how long a tube keeps; every reason is returned.

use std::collections::{BTreeMap, BTreeSet};

use super::{BoxState, Celsius, Custody, Handover, Manifest, Offer, Signature};
use crate::auth::Role;
use crate::barcode::{BoxCode, Patterns, TubeCode};
use crate::clock::{Span, Time};
use crate::collection::person::resident_id_check;
use crate::collection::{TubeRow, TubeState};
use crate::error::Reason;

/// The most tubes one box can hold.
pub const TUBES_MAX: usize = 500;
/// The longest seal number or place.
const TEXT_MAX: usize = 64;
/// How long a tube keeps at room temperature after the first swab (`domain.md` A3).
pub const HOLD_ROOM: Span = Span::hours(4);
/// How long it keeps cooled.
pub const HOLD_COOLED: Span = Span::hours(24);
/// At most this warm counts as cooled: 2-8 °C, or dry ice.
pub const COOLED_MAX: Celsius = Celsius::hundredths(800);
/// How far a device's clock may run ahead of ours.
pub const SKEW_MAX: Span = Span::minutes(10);

/// How long before the step before it a step may seem to lie: what the clocks of two devices
/// differ by when nobody is to blame (ours).
pub const BACK_MAX: Span = Span::minutes(5);
/// How old a moment may be when it is sent: no box is on its way for a week (ours).
pub const AGE_MAX: Span = Span::days(7);

/// Reads scanned codes, each with the path of its field; what is no code, or was read twice, is
/// a reason that does not repeat the text, which may be somebody's card (R35).
pub fn tube_codes<'a>(
    scanned: impl IntoIterator<Item = (String, &'a str)>,
    patterns: &Patterns,
) -> Result<Vec<TubeCode>, Vec<Reason>> {
    let (mut codes, mut seen, mut reasons) = (Vec::new(), BTreeSet::new(), Vec::new());
    for (field, text) in scanned {
        match TubeCode::parse(text, patterns) {
            Ok(code) if !seen.insert(code.clone()) => {
                let message = format!(
                    "tube {code} is listed twice; list it once, and if two tubes carry this code \
                     refuse it as `duplicate_barcode` on arrival"
                );
                reasons.push(Reason::new("tube.twice", field, message));
            }
            Ok(code) => codes.push(code),
            Err(fault) => reasons.push(Reason::new("tube.code", field, fault.to_string())),
        }
    }
    if reasons.is_empty() { Ok(codes) } else { Err(reasons) }
}

/// Whether a text a person typed can be kept: 1 to 64 characters that print.
pub fn text_fault(field: &'static str, text: &str) -> Option<Reason> {
    let fits = (1..=TEXT_MAX).contains(&text.chars().count())
        && !text.contains(char::is_control)
        && !text.trim().is_empty();
    let message = format!("{field} must have 1 to {TEXT_MAX} printable characters; correct it");
    (!fits).then(|| Reason::new("text.shape", field, message))
}

/// Whether a moment lies further ahead than a device's clock may run.
pub fn time_fault(field: &'static str, at: Time, now: Time) -> Option<Reason> {
    let message = format!("{field} lies in the future; set the device's clock and send it again");
    (at > now + SKEW_MAX).then(|| Reason::new("time.future", field, message))
}

/// Whether a moment lies longer back than any box is on its way.
pub fn age_fault(field: &'static str, at: Time, now: Time) -> Option<Reason> {
    let message =
        format!("{field} lies more than 7 days back; set the device's clock and send it again");
    (at < now - AGE_MAX).then(|| Reason::new("time.past", field, message))
}

/// Whether a moment lies before the step before it, `before`, by more than [`BACK_MAX`].
///
/// A step before that was signed by a device ahead of our clock counts as signed now, so that a
/// device that runs ahead holds up nobody whose clock is right.
pub fn sequence_fault(field: &'static str, at: Time, before: Time, now: Time) -> Option<Reason> {
    let message = format!(
        "{field} lies before the step before it, which was at {before}; set the device's clock \
         and send it again"
    );
    (at < before.min(now) - BACK_MAX).then(|| Reason::new("time.early", field, message))
}

/// Why a box cannot have been sealed then: too long ago, or before its newest tube was.
pub fn seal_time_faults(sealed: Time, newest_tube: Option<Time>, now: Time) -> Vec<Reason> {
    let early = newest_tube.and_then(|newest| sequence_fault("sealed_at", sealed, newest, now));
    [age_fault("sealed_at", sealed, now), early].into_iter().flatten().collect()
}

/// Whether a text can be a seal's number: a person's card, scanned where the seal was asked for, is
/// not kept, and is not repeated (R35).
fn seal_fault(seal: &str, now: Time) -> Option<Reason> {
    let is_card = resident_id_check(&seal.trim().to_uppercase(), now).is_ok();
    let message = "this is a person's ID number; scan the number on the box's seal";
    is_card.then(|| Reason::new("box.seal", "seal", message)).or_else(|| text_fault("seal", seal))
}

/// What is wrong with a manifest in itself; `sent` is how many tubes were listed, readable or not.
pub fn manifest_faults(manifest: &Manifest, sent: usize, now: Time) -> Vec<Reason> {
    let mut reasons: Vec<_> =
        [seal_fault(&manifest.seal, now), time_fault("sealed_at", manifest.sealed, now)]
            .into_iter()
            .flatten()
            .collect();
    if !(1..=TUBES_MAX).contains(&sent) {
        let message =
            format!("a box holds 1 to {TUBES_MAX} tubes, not {sent}; split or correct it");
        reasons.push(Reason::new("box.tubes", "tubes", message));
    }
    reasons
}

/// Why the tubes of a manifest cannot be packed: one reason for each tube.
pub fn packing_faults(
    manifest: &Manifest,
    known: &[TubeRow],
    boxed: &BTreeMap<TubeCode, BoxCode>,
) -> Vec<Reason> {
    let known: BTreeMap<_, _> = known.iter().map(|tube| (&tube.code, tube)).collect();
    manifest
        .tubes
        .iter()
        .filter_map(|code| {
            let (kind, message) = match (known.get(code), boxed.get(code)) {
                (None, _) => ("tube.unknown", format!(
                    "tube {code} was not recorded; send its members first, or take it out"
                )),
                (Some(_), Some(other)) => ("tube.boxed", format!(
                    "tube {code} is already in box {other}; scan {other} to see it, or take it out"
                )),
                (Some(tube), None) if tube.site_code != manifest.site => {
                    ("tube.elsewhere", format!(
                        "tube {code} was sealed at site {}; take it out and give it back",
                        tube.site_code
                    ))
                }
                (Some(tube), None) if tube.state != TubeState::Sealed => {
                    ("tube.state", format!("tube {code} left the site before; take it out"))
                }
                (Some(_), None) => return None,
            };
            Some(Reason::new(kind, code.as_str(), message))
        })
        .collect()
}

/// Every difference between what is stored and what was sent again.
pub fn manifest_differences(stored: &Manifest, sent: &Manifest) -> Vec<Reason> {
    let fields = [
        ("site", stored.site.clone(), sent.site.clone()),
        ("seal", stored.seal.clone(), sent.seal.clone()),
        ("sealed_at", stored.sealed.to_string(), sent.sealed.to_string()),
    ];
    let mut reasons: Vec<_> = fields
        .into_iter()
        .filter(|(_, stored, sent)| stored != sent)
        .map(|(field, was, _)| {
            let message =
                format!("box {} is stored with {field} {was}; use a fresh box code", stored.code);
            Reason::new("box.differs", field, message)
        })
        .collect();
    let (was, is): (BTreeSet<_>, BTreeSet<_>) =
        (stored.tubes.iter().collect(), sent.tubes.iter().collect());
    for code in was.symmetric_difference(&is) {
        let verb = if was.contains(code) { "holds" } else { "does not hold" };
        let message =
            format!("box {} is stored and {verb} tube {code}; use a fresh box code", stored.code);
        reasons.push(Reason::new("box.differs", code.as_str(), message));
    }
    reasons
}

/// Why the holder cannot hand a box over.
pub fn offer_faults(custody: &Custody, offer: &Offer) -> Vec<Reason> {
    let code = custody.code.as_str();
    let mut reasons: Vec<_> = text_fault("place", &offer.place).into_iter().collect();
    let mut refuse = |kind, about: &str, message: String| {
        reasons.push(Reason::new(kind, about, message));
    };
    if custody.state == BoxState::Arrived {
        refuse("box.arrived", code, format!("box {code} arrived; it is handed over no more"));
    }
    if custody.holder != offer.given.account {
        refuse(
            "handover.holder",
            code,
            format!(
                "you do not hold box {code}; let whoever gave it to you sign, and accept it first"
            ),
        );
    }
    if offer.to.account == offer.given.account {
        refuse("handover.self", "to", "you cannot take what you give; name the taker".to_owned());
    }
    if !matches!(offer.to.role, Some(Role::Courier | Role::Receiver)) {
        refuse("handover.taker", "to", "no courier or receiver has this account; name one".into());
    }
    reasons
}

/// Why somebody cannot put the second signature under a step.
pub fn accept_faults(custody: &Custody, handover: &Handover, by: &Signature) -> Vec<Reason> {
    let (code, step) = (custody.code.as_str(), handover.step);
    let mut reasons = Vec::new();
    if handover.to != by.account {
        reasons.push(Reason::new(
            "handover.not_named",
            code,
            format!(
                "step {step} of box {code} names another taker; ask the holder to hand it to you"
            ),
        ));
    }
    if handover.taken.is_some() {
        return reasons;
    }
    if handover.withdrawn.is_some() {
        let message = format!(
            "step {step} of box {code} was withdrawn for another taker; look at the box, and ask \
             its holder to hand it to you"
        );
        reasons.push(Reason::new("handover.withdrawn", code, message));
    }
    if custody.state == BoxState::Arrived {
        let message = format!("box {code} arrived; it is handed over no more");
        reasons.push(Reason::new("box.arrived", code, message));
    }
    reasons
}

/// A tube in a box, as far as its keeping matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping<'a> {
    /// The tube.
    pub tube: &'a TubeCode,
    /// When its first member was swabbed.
    pub taken: Time,
}

/// Warns of tubes kept longer than they keep, and of boxes too warm to count as cooled.
///
/// `temperatures` carry the place they were read at, such as `step 2`. A box without any counts
/// as kept at room temperature.
pub fn keeping_warnings<'a>(
    code: &BoxCode,
    tubes: impl IntoIterator<Item = Keeping<'a>>,
    temperatures: &[(String, Celsius)],
    at: Time,
) -> Vec<Reason> {
    let is_warm = |celsius: Celsius| celsius > COOLED_MAX;
    let is_cooled =
        !temperatures.is_empty() && !temperatures.iter().any(|(_, celsius)| is_warm(*celsius));
    let (limit, how) =
        if is_cooled { (HOLD_COOLED, "cooled") } else { (HOLD_ROOM, "at room temperature") };
    let hours = limit.us() / Span::hours(1).us();
    let warm =
        temperatures.iter().filter(|(_, celsius)| is_warm(*celsius)).map(|(place, celsius)| {
            let message = format!(
                "box {code} was at {celsius} at {place}; its tubes keep for 4 h and not for 24 h"
            );
            Reason::new("box.warm", code.as_str(), message)
        });
    let late = tubes.into_iter().filter(|kept| at.since(kept.taken) > limit).map(|kept| {
        let message = format!(
            "tube {} is older than the {hours} h it keeps {how}; test it first or refuse it as \
             `late`",
            kept.tube
        );
        Reason::new("box.late", kept.tube.as_str(), message)
    });
    warm.chain(late).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
