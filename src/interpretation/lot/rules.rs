//! May a well be filled from this lot, and may a run of it be released? Every reason why not.

use super::LotCount;
use crate::clock::{Span, Time};
use crate::error::Reason;

/// Longest number of a lot.
const LOT_MAX: usize = 64;
/// How long after a lot's expiry the file of a plate that was filled before it may come.
const FILE_WITHIN: Span = Span::days(1);

/// What is known of the lot and the kit of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFacts {
    /// The lot its plate names.
    pub lot: Option<String>,
    /// When that lot expires; none when nobody registered it.
    pub expires: Option<Time>,
    /// Whether it was registered after the plate was filled, and no reviewer other than who
    /// brought in the run read its label too.
    pub unconfirmed: bool,
    /// When its plate was filled: when its layout was frozen, by the server's clock.
    pub filled: Time,
    /// When its file came in; none of a run that came in another's place, whose amplification is
    /// older.
    pub came: Option<Time>,
    /// When its version of the kit was withdrawn.
    pub withdrawn: Option<Time>,
}

/// Whether this can be a lot's number, in a path and in print.
pub fn is_lot(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=LOT_MAX).contains(&text.len()) && text.chars().all(allowed)
}

/// Why this is no number of a lot.
pub fn against_number(lot: &str) -> Option<Reason> {
    let message = "the number of a lot has 1 to 64 letters, digits, `-`, `_` and `.`; correct it";
    (!is_lot(lot)).then(|| Reason::new("lot.number", "lot", message))
}

/// Why so many wells may not be filled from this lot now.
pub fn against_filling(lot: &str, count: &LotCount, wells: i64, at: Time) -> Vec<Reason> {
    let mut reasons = expired(lot, count.expires, at);
    if count.used + wells > count.received {
        let left = (count.received - count.used).max(0);
        let message = format!(
            "lot {lot} has {left} reactions left and the plate takes {wells}; fill it from another \
             lot"
        );
        reasons.push(Reason::new("lot.exhausted", lot, message));
    }
    reasons
}

/// Why so many reactions may not be issued from this lot now.
pub fn against_issue(lot: &str, count: &LotCount, reactions: i64, at: Time) -> Vec<Reason> {
    let mut reasons = expired(lot, count.expires, at);
    if count.issued + reactions > count.received {
        let left = (count.received - count.issued).max(0);
        let message = format!("lot {lot} has {left} reactions that were not issued; issue fewer");
        reasons.push(Reason::new("lot.overissued", lot, message));
    }
    if reactions == 0 {
        let message = "issue at least one reaction";
        reasons.push(Reason::new("lot.reactions", "reactions", message));
    }
    reasons
}

fn expired(lot: &str, expires: Time, at: Time) -> Vec<Reason> {
    if at < expires {
        return Vec::new();
    }
    let message = format!("lot {lot} expired at {expires}; use another lot");
    vec![Reason::new("lot.expired", lot, message)]
}

/// What somebody should look at in a lot's counts.
pub fn alarms(lot: &str, count: &LotCount, at: Time) -> Vec<Reason> {
    let mut alarms = Vec::new();
    let LotCount { received, issued, used, .. } = *count;
    if used > received {
        let message = format!("{used} wells were filled of {received} reactions; find the others");
        alarms.push(Reason::new("lot.overdrawn", lot, message));
    }
    if used > issued {
        let message = format!("{used} wells were filled of {issued} issued reactions; issue them");
        alarms.push(Reason::new("lot.unissued", lot, message));
    }
    if at >= count.expires && used < received {
        let message = format!("{} reactions expired; throw them away", received - used);
        alarms.push(Reason::new("lot.expired", lot, message));
    }
    alarms
}

/// Why a run is held: it can be neither accepted nor released.
///
/// An unknown lot is let go by registering it, and since whoever needs the run would then write what
/// the run needs, a reviewer who did not bring it in has to register the same. One that had
/// expired when the plate was filled is not let go, nor is a run of a withdrawn kit: void the run,
/// and its tubes go back to be tested again. When the file comes in says little of the reagents: a
/// corrected one may come after the lot's last day. A first one that comes a day after it does say
/// something, for a plate is amplified within hours.
pub fn holds(facts: &RunFacts, lot_keeping: bool) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut say =
        |code, about: &str, message: String| reasons.push(Reason::new(code, about, message));
    match (&facts.lot, facts.expires) {
        _ if !lot_keeping => {}
        (None, _) => say(
            "run.lot_unknown",
            "lot",
            "the plate names no lot; void the run and name the lot on the next plate".to_owned(),
        ),
        (Some(lot), None) => say(
            "run.lot_unknown",
            lot,
            format!("nobody registered lot {lot}; register it with its expiry and reactions"),
        ),
        (Some(lot), Some(expires)) if facts.filled >= expires => say(
            "run.lot_expired",
            lot,
            format!(
                "lot {lot} had expired at {expires}, before the plate was filled; void the run and \
                 test its tubes again"
            ),
        ),
        (Some(lot), Some(expires))
            if facts.came.is_some_and(|came| came > expires + FILE_WITHIN) =>
        {
            say(
                "run.lot_expired",
                lot,
                format!(
                    "lot {lot} had expired at {expires}, more than a day before the run's file \
                     came in, so that it may have been amplified after it; void the run and test \
                     its tubes again"
                ),
            );
        }
        (Some(lot), Some(_)) if facts.unconfirmed => say(
            "run.lot_late",
            lot,
            format!(
                "lot {lot} was registered after the plate was filled; a reviewer who did not bring \
                 in the run has to read its label and register the same"
            ),
        ),
        (Some(_), Some(_)) => {}
    }
    if let Some(withdrawn) = facts.withdrawn {
        let message = format!(
            "the version of its kit was withdrawn at {withdrawn}; void the run and test its tubes \
             with another version"
        );
        say("run.kit_withdrawn", "kit", message);
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: i64) -> Time {
        Time::from_us(us)
    }

    fn codes(reasons: &[Reason]) -> Vec<&str> {
        reasons.iter().map(|reason| reason.code.as_ref()).collect()
    }

    const COUNT: LotCount =
        LotCount { expires: Time::from_us(100), received: 96, issued: 50, used: 40 };

    #[test]
    fn wells_are_filled_from_a_lot_until_it_expires_or_is_empty() {
        assert_eq!(against_filling("L", &COUNT, 56, at(99)), []);
        assert_eq!(codes(&against_filling("L", &COUNT, 57, at(99))), ["lot.exhausted"]);
        let both = against_filling("L", &COUNT, 57, at(100));
        assert_eq!(codes(&both), ["lot.expired", "lot.exhausted"]);
        assert!(both[1].message.contains("56 reactions left"), "{}", both[1].message);
    }

    #[test]
    fn no_more_is_issued_than_came() {
        assert_eq!(against_issue("L", &COUNT, 46, at(99)), []);
        assert_eq!(codes(&against_issue("L", &COUNT, 47, at(99))), ["lot.overissued"]);
        assert_eq!(codes(&against_issue("L", &COUNT, 1, at(100))), ["lot.expired"]);
        assert_eq!(codes(&against_issue("L", &COUNT, 0, at(99))), ["lot.reactions"]);
    }

    #[test]
    fn a_lot_in_order_alarms_nobody_and_each_disorder_is_named() {
        assert_eq!(alarms("L", &COUNT, at(99)), []);
        let over = LotCount { used: 97, ..COUNT };
        assert_eq!(codes(&alarms("L", &over, at(99))), ["lot.overdrawn", "lot.unissued"]);
        assert_eq!(codes(&alarms("L", &COUNT, at(100))), ["lot.expired"]);
        let all = LotCount { used: 96, issued: 96, ..COUNT };
        assert_eq!(alarms("L", &all, at(100)), []);
    }

    #[test]
    fn a_run_is_held_for_its_lot_where_lots_are_kept_and_for_a_withdrawn_kit_everywhere() {
        let sound = RunFacts {
            lot: Some("L".to_owned()),
            expires: Some(at(100)),
            unconfirmed: false,
            filled: at(99),
            came: Some(at(100) + FILE_WITHIN),
            withdrawn: None,
        };
        let none = RunFacts { lot: None, expires: None, ..sound.clone() };
        let unknown = RunFacts { expires: None, ..sound.clone() };
        let alone = RunFacts { unconfirmed: true, ..sound.clone() };
        let late = RunFacts { filled: at(100), ..sound.clone() };
        let long = RunFacts { came: Some(at(101) + FILE_WITHIN), ..sound.clone() };
        let corrected = RunFacts { came: None, ..sound.clone() };
        let withdrawn = RunFacts { withdrawn: Some(at(50)), ..sound.clone() };
        for (facts, kept, not_kept) in [
            (&sound, &[][..], &[][..]),
            (&none, &["run.lot_unknown"], &[]),
            (&unknown, &["run.lot_unknown"], &[]),
            (&alone, &["run.lot_late"], &[]),
            (&late, &["run.lot_expired"], &[]),
            (&long, &["run.lot_expired"], &[]),
            (&corrected, &[], &[]),
            (&withdrawn, &["run.kit_withdrawn"], &["run.kit_withdrawn"]),
        ] {
            assert_eq!(codes(&holds(facts, true)), kept);
            assert_eq!(codes(&holds(facts, false)), not_kept);
        }
    }

    #[test]
    fn the_number_of_a_lot_can_stand_in_a_path() {
        for lot in ["20200601-A", "K1", "a.b_c"] {
            assert_eq!(against_number(lot), None);
        }
        let long = "x".repeat(65);
        for lot in ["", "a/b", "批号", "a b", &long] {
            assert!(against_number(lot).is_some(), "{lot}");
        }
    }
}
