//! What a place must be before it is stored; every reason at once.

use super::{Laboratory, Round, Session, Site, TUBE_SIZES};
use crate::error::Reason;

/// How many characters a name, team or specimen may have.
const NAME_MAX: usize = 80;
/// How many characters an address or area may have.
const ADDRESS_MAX: usize = 200;
/// Hours within which people are told at the latest.
const RESULT_HOURS_MAX: u8 = 72;

/// Why a laboratory cannot be stored.
pub fn laboratory_faults(laboratory: &Laboratory) -> Vec<Reason> {
    [text("name", &laboratory.name, NAME_MAX), text("address", &laboratory.address, ADDRESS_MAX)]
        .into_iter()
        .flatten()
        .collect()
}

/// Why a site cannot be stored.
pub fn site_faults(site: &Site) -> Vec<Reason> {
    [text("name", &site.name, NAME_MAX), text("area", &site.area, ADDRESS_MAX)]
        .into_iter()
        .flatten()
        .collect()
}

/// Why a round cannot be stored.
pub fn round_faults(round: &Round) -> Vec<Reason> {
    let mut reasons: Vec<_> = [
        text("name", &round.name, NAME_MAX),
        text("area", &round.area, ADDRESS_MAX),
        text("specimen", &round.specimen, NAME_MAX),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !TUBE_SIZES.contains(&round.tube_size) {
        let message = format!(
            "tubes hold 1, 5, 10 or 20 people, not {}; choose one of them",
            round.tube_size
        );
        reasons.push(Reason::new("round.tube_size", "tube_size", message));
    }
    if round.ends_at <= round.starts_at {
        let message = "the round ends before it starts; correct one of the times";
        reasons.push(Reason::new("round.dates", "ends_at", message));
    }
    if !(1..=RESULT_HOURS_MAX).contains(&round.result_hours) {
        let message = format!("people are told within 1 to {RESULT_HOURS_MAX} hours; correct it");
        reasons.push(Reason::new("round.result_hours", "result_hours", message));
    }
    reasons
}

/// Why a session cannot be stored; `round` is the one it names, if there is one.
pub fn session_faults(session: &Session, round: Option<&Round>, has_site: bool) -> Vec<Reason> {
    let mut reasons: Vec<_> = text("team", &session.team, NAME_MAX).into_iter().collect();
    if session.closes_at <= session.opens_at {
        let message = "the session closes before it opens; correct one of the times";
        reasons.push(Reason::new("session.times", "closes_at", message));
    }
    if !has_site {
        let message = format!("there is no site {}; put the site first", session.site);
        reasons.push(Reason::new("session.site", "site", message));
    }
    match round {
        None => {
            let message = format!("there is no round {}; put the round first", session.round);
            reasons.push(Reason::new("session.round", "round", message));
        }
        Some(round) if session.opens_at < round.starts_at || session.closes_at > round.ends_at => {
            let message = format!(
                "round {} is held from {} to {}; keep the session within it",
                session.round, round.starts_at, round.ends_at
            );
            reasons.push(Reason::new("session.outside_round", "opens_at", message));
        }
        Some(_) => {}
    }
    reasons
}

/// Refuses a text that is empty, too long or not printable.
fn text(field: &'static str, value: &str, max: usize) -> Option<Reason> {
    let sound = !value.trim().is_empty()
        && value.chars().count() <= max
        && !value.contains(char::is_control);
    (!sound).then(|| {
        let message = format!("the {field} must have 1 to {max} printable characters; correct it");
        Reason::new("place.text", field, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barcode::PlaceCode;
    use crate::clock::{Span, Time};

    fn round() -> Round {
        Round {
            name: "June".into(),
            area: "Fengtai".into(),
            specimen: "oropharyngeal swab".into(),
            tube_size: 10,
            starts_at: Time::from_us(0),
            ends_at: Time::from_us(0) + Span::days(3),
            result_hours: 24,
        }
    }

    fn session() -> Session {
        Session {
            round: PlaceCode::parse("R01").unwrap(),
            site: PlaceCode::parse("S01").unwrap(),
            team: "Team 1".into(),
            opens_at: Time::from_us(0),
            closes_at: Time::from_us(0) + Span::hours(8),
        }
    }

    fn codes(reasons: &[Reason]) -> Vec<&str> {
        reasons.iter().map(|reason| reason.code.as_ref()).collect()
    }

    #[test]
    fn sound_places_are_taken() {
        let laboratory = Laboratory { name: "实验室".into(), address: "1 Road".into() };
        assert_eq!(laboratory_faults(&laboratory), []);
        assert_eq!(site_faults(&Site { name: "Gate".into(), area: "North".into() }), []);
        assert_eq!(round_faults(&round()), []);
        assert_eq!(session_faults(&session(), Some(&round()), true), []);
    }

    #[test]
    fn every_fault_of_a_round_is_told_at_once() {
        let wrong = Round {
            name: " ".into(),
            area: "x".repeat(201),
            specimen: "a\0b".into(),
            tube_size: 3,
            ends_at: Time::from_us(0),
            result_hours: 73,
            ..round()
        };
        assert_eq!(
            codes(&round_faults(&wrong)),
            [
                "place.text",
                "place.text",
                "place.text",
                "round.tube_size",
                "round.dates",
                "round.result_hours"
            ]
        );
    }

    #[test]
    fn a_session_needs_its_site_its_round_and_their_dates() {
        let closed = Session { closes_at: Time::from_us(0), ..session() };
        assert_eq!(
            codes(&session_faults(&closed, None, false)),
            ["session.times", "session.site", "session.round"]
        );
        let late = Session { closes_at: Time::from_us(1) + Span::days(3), ..session() };
        assert_eq!(codes(&session_faults(&late, Some(&round()), true)), ["session.outside_round"]);
    }
}
