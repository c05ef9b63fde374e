//! What each state must be able to show, and how long a tube may stay in it.
//!
//! | state | evidence |
//! |---|---|
//! | sealed | no box; no laboratory; no arrival, or one before it was recorded; no frozen plate |
//! | packed | a box; otherwise as sealed |
//! | received | a laboratory; the last arrival has it; every frozen plate it stood on has a released call of it that sends it to another run, or was closed without one |
//! | refused | the last arrival refused it; every member recalled |
//! | missing | the last arrival missed it; no laboratory; no frozen plate |
//! | plated | a laboratory; the last arrival has it; a frozen plate that waits for its call |
//! | released | the last arrival has it; one released call that reports; results numbered from 1; every member told this result or that of a later swab; every member recalled if it was ever withdrawn |
//! | closed | the last arrival has it and one released call recalls, or it was given up: no arrival, one before it was recorded or one that missed it, no laboratory, no frozen plate, and every recall says that it was lost; every member recalled |
//!
//! In every state: as many members as it was sealed with, at least one, and released calls only
//! on plates it stood on. In every state but released: no result, and nobody told one. Where
//! members are not to be recalled, no recall. No evidence fits two states; a test walks through
//! them.

use super::{Evidence, Finding, Overdue, Step};
use crate::clock::{Span, Time};
use crate::collection::TubeState;

/// A sealed tube is boxed and on its way within this time: at room temperature it has 4 hours,
/// of which 2 are left for the road (`domain.md` A3, the national sampling guide).
pub const PACK_WITHIN: Span = Span::hours(2);
/// A packed tube is in a laboratory 4 hours after it was sealed (same).
pub const RECEIVE_WITHIN: Span = Span::hours(4);
/// A missing tube is found or written off within a day, for its members wait (ours).
pub const FIND_WITHIN: Span = Span::hours(24);
/// A received tube is on a plate within 6 hours, so that a round of 24 leaves time for a second
/// run (ours).
pub const PLATE_WITHIN: Span = Span::hours(6);
/// A plate is run, reviewed and released within 6 hours (ours).
pub const RELEASE_WITHIN: Span = Span::hours(6);

/// Everything that contradicts the state a tube is stored in.
pub fn contradictions(e: &Evidence) -> Vec<String> {
    let mut asked = Asked(Vec::new());
    asked.ask(e.members == e.declared, "it has another number of members than it was sealed with");
    asked.ask(e.members > 0, "it has no member");
    asked.ask(e.calls == e.called, "a released call of it is on a plate it did not stand on");
    match e.state {
        TubeState::Sealed | TubeState::Packed => on_the_way(e, &mut asked),
        TubeState::Received | TubeState::Plated => in_the_laboratory(e, &mut asked),
        TubeState::Refused | TubeState::Missing => not_taken_in(e, &mut asked),
        TubeState::Released => told(e, &mut asked),
        TubeState::Closed => {
            asked.ask(
                (e.ended == 1 && is_here(e)) || is_given_up(e),
                "neither a released call nor an officer ended it",
            );
            asked.ask(e.reports == 0, "a released call reports it");
        }
    }
    if e.state != TubeState::Released {
        asked.ask(e.results == 0, "it has a result");
        asked.ask(e.told == 0, "a member was told a result of it");
    }
    let is_recalled = match e.state {
        TubeState::Refused | TubeState::Closed => true,
        TubeState::Released => e.withdrawn > 0,
        _ => false,
    };
    if is_recalled {
        asked.ask(e.recalled == e.members, "not every member is recalled");
        asked.ask(e.recalls == e.recalled, "it recalls somebody who is not its member");
    } else {
        asked.ask(e.recalls == 0, "people are recalled because of it");
    }
    asked.0
}

struct Asked(Vec<String>);

impl Asked {
    fn ask(&mut self, holds: bool, otherwise: &str) {
        if !holds {
            self.0.push(otherwise.to_owned());
        }
    }
}

fn on_the_way(e: &Evidence, asked: &mut Asked) {
    if e.state == TubeState::Packed {
        asked.ask(e.boxed, "no box has it");
    } else {
        asked.ask(!e.boxed, "a box has it");
    }
    let early = matches!(e.finding, None | Some(Finding::Unexpected));
    asked.ask(early, "a laboratory opened its box");
    asked.ask(e.laboratory.is_none(), "a laboratory has it");
    untested(e, asked);
}

fn in_the_laboratory(e: &Evidence, asked: &mut Asked) {
    asked.ask(is_here(e), "no laboratory took it in");
    asked.ask(e.laboratory.is_some(), "no laboratory has it");
    asked.ask(e.ended + e.reports == 0, "a released call ended it");
    let waiting = e.plates - e.called - e.given_up;
    if e.state == TubeState::Plated {
        asked.ask(waiting > 0, "no frozen plate waits for its call");
    } else {
        asked.ask(waiting == 0, "a frozen plate waits for its call");
    }
}

fn not_taken_in(e: &Evidence, asked: &mut Asked) {
    if e.state == TubeState::Refused {
        asked.ask(e.finding == Some(Finding::Refused), "no laboratory refused it");
        asked.ask(e.ended + e.reports == 0, "a released call ended it");
    } else {
        asked.ask(e.finding == Some(Finding::Missing), "no laboratory missed it");
        asked.ask(e.laboratory.is_none(), "a laboratory has it");
        untested(e, asked);
    }
}

fn untested(e: &Evidence, asked: &mut Asked) {
    asked.ask(e.plates == 0, "it stands on a frozen plate");
}

fn told(e: &Evidence, asked: &mut Asked) {
    asked.ask(is_here(e), "no laboratory took it in");
    asked.ask(e.reports == 1, "no released call, or more than one, reports it");
    asked.ask(e.ended == 0, "a released call recalls its members");
    asked.ask(e.results > 0, "it has no result");
    asked.ask(e.results == e.newest, "a version of its result is gone");
    asked.ask(e.told_since >= e.members, "not every member was told");
    asked.ask(e.told_otherwise == 0, "a member is told another version than the newest");
}

/// A laboratory had it in its hands and did not refuse it.
fn is_here(e: &Evidence) -> bool {
    matches!(e.finding, Some(Finding::Accepted | Finding::Unexpected))
}

/// No laboratory ever had it in its hands, and it was written off: its recalls say that it was
/// lost, for nothing but a write-off opens such a recall.
fn is_given_up(e: &Evidence) -> bool {
    let unseen = matches!(e.finding, None | Some(Finding::Missing | Finding::Unexpected));
    unseen && e.laboratory.is_none() && e.plates == 0 && e.missed > 0 && e.missed == e.recalls
}

/// The step the tube waits for too long; of two, the one that was due first.
pub fn overdue(e: &Evidence, now: Time) -> Option<Overdue> {
    let step = match e.state {
        TubeState::Sealed => (Step::Pack, e.sealed + PACK_WITHIN),
        TubeState::Packed => (Step::Receive, e.sealed + RECEIVE_WITHIN),
        TubeState::Missing => (Step::Find, e.since + FIND_WITHIN),
        TubeState::Received => (Step::Plate, e.since + PLATE_WITHIN),
        TubeState::Plated => (Step::Release, e.since + RELEASE_WITHIN),
        TubeState::Refused | TubeState::Released | TubeState::Closed => return None,
    };
    let result = e.result_hours.map(|hours| (Step::Result, e.sealed + Span::hours(hours)));
    let (step, due_at) = [Some(step), result]
        .into_iter()
        .flatten()
        .filter(|(_, due_at)| *due_at < now)
        .min_by_key(|(_, due_at)| *due_at)?;
    Some(Overdue {
        tube: e.code.clone(),
        site: e.site.clone(),
        laboratory: e.laboratory.clone(),
        state: e.state,
        step,
        due_at,
    })
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
