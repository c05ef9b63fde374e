//! Counts that must agree: people and validated depth, tubes reported and tubes amplified, tubes
//! collected and tubes ended, pools without a result and recalls.

use super::{Check, Sign};
use crate::clock::Span;

/// The deepest well of a plate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deepest {
    /// The plate.
    pub plate: String,
    /// Its laboratory.
    pub laboratory: String,
    /// Code and version of its kit.
    pub kit: String,
    /// Most people in one of its wells.
    pub depth: i64,
    /// Most people the kit is validated for; none when nobody knows the kit any more.
    pub validated: Option<u16>,
    /// Wells whose people are not those their tubes were sealed with.
    pub altered: i64,
}

/// What the depth of a plate's wells shows.
pub fn depth(plate: &Deepest) -> Vec<Sign> {
    let sign = |message| Sign::new(Check::Depth, &plate.laboratory, &plate.plate, message);
    let mut signs = Vec::new();
    match plate.validated {
        Some(validated) if plate.depth > i64::from(validated) => signs.push(sign(format!(
            "a well holds {} people and {} is validated for {validated}; stop the plate's results",
            plate.depth, plate.kit
        ))),
        None => signs.push(sign(format!("nobody knows kit {} any more; find out", plate.kit))),
        Some(_) => {}
    }
    if plate.altered > 0 {
        signs.push(sign(format!(
            "{} wells hold other numbers of people than their tubes were sealed with",
            plate.altered
        )));
    }
    signs
}

/// What a run reported and what was amplified in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedRun {
    /// The run.
    pub run: String,
    /// Its laboratory.
    pub laboratory: String,
    /// Tubes whose members were told a result of it.
    pub reported: i64,
    /// Different tubes of its plate with a Ct, if only of the internal control, in a well of theirs.
    pub amplified: i64,
    /// Of the tubes reported, those without.
    pub without: i64,
}

/// Whether more was reported than amplified (Beijing 2022: raw data clearly fewer than reports).
pub fn wells(run: &ReportedRun) -> Option<Sign> {
    let message = if run.without > 0 {
        format!("{} of {} reported tubes amplified in no well of theirs", run.without, run.reported)
    } else if run.reported > run.amplified {
        format!("{} tubes were reported and {} amplified", run.reported, run.amplified)
    } else {
        return None;
    };
    let message = format!("{message}; open the run file and compare");
    Some(Sign::new(Check::Wells, &run.laboratory, &run.run, message))
}

/// A round that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRound {
    /// The round.
    pub round: String,
    /// Its tubes that have come to no end.
    pub open: i64,
}

/// Whether a round may be called complete: only when every tube has come to an end (Longyao 2021:
/// "all negative" was declared with one tube untested).
pub fn round_open(round: &OpenRound) -> Option<Sign> {
    (round.open > 0).then(|| Sign {
        check: Check::RoundOpen,
        laboratory: None,
        about: round.round.clone(),
        message: format!(
            "the round is over and {} tubes have no result yet; the ledger names those overdue",
            round.open
        ),
    })
}

/// How soon after its release the people of a tube without an individual result have to be recalled.
/// The program does it in the same transaction.
pub const FOLLOWED_WITHIN: Span = Span::minutes(10);

/// A released call that gives no individual result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// The tube.
    pub tube: String,
    /// The laboratory.
    pub laboratory: String,
    /// People in the tube.
    pub members: i64,
    /// People of it who were recalled within [`FOLLOWED_WITHIN`].
    pub recalled: i64,
}

/// Whether everybody is followed up (Shijiazhuang 2022: one positive pool never was).
pub fn follow_up(call: &FollowUp) -> Option<Sign> {
    (call.recalled < call.members).then(|| {
        let message = format!(
            "the tube gives no individual result and {} of its {} members were recalled within {} \
             minutes; look for the others at once",
            call.recalled,
            call.members,
            FOLLOWED_WITHIN.us() / 60_000_000
        );
        Sign::new(Check::FollowUp, &call.laboratory, &call.tube, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plate() -> Deepest {
        Deepest {
            plate: "P1".to_owned(),
            laboratory: "L01".to_owned(),
            kit: "kit 1".to_owned(),
            depth: 10,
            validated: Some(10),
            altered: 0,
        }
    }

    #[test]
    fn a_well_deeper_than_validated_shows_and_the_permitted_does_not() {
        assert_eq!(depth(&plate()), []);
        let signs = depth(&Deepest { depth: 30, ..plate() });
        assert!(signs[0].message.starts_with("a well holds 30 people"), "{signs:?}");
        let signs = depth(&Deepest { validated: None, altered: 2, ..plate() });
        assert_eq!(signs.len(), 2, "every reason: {signs:?}");
    }

    #[test]
    fn more_reported_than_amplified_shows() {
        let run = |reported, amplified, without| ReportedRun {
            run: "R1".to_owned(),
            laboratory: "L01".to_owned(),
            reported,
            amplified,
            without,
        };
        assert_eq!(wells(&run(94, 94, 0)), None);
        assert_eq!(wells(&run(90, 94, 0)), None);
        assert!(wells(&run(95, 94, 0)).unwrap().message.starts_with("95 tubes were reported"));
        assert!(wells(&run(94, 94, 3)).unwrap().message.starts_with("3 of 94 reported"));
    }

    #[test]
    fn a_round_is_complete_when_no_tube_is_open() {
        let round = |open| OpenRound { round: "R01".to_owned(), open };
        assert_eq!(round_open(&round(0)), None);
        assert!(round_open(&round(1)).unwrap().message.contains("1 tubes have no result"));
    }

    #[test]
    fn a_pool_without_a_recall_for_each_member_shows() {
        let call = |recalled| FollowUp {
            tube: "T1".to_owned(),
            laboratory: "L01".to_owned(),
            members: 10,
            recalled,
        };
        assert_eq!(follow_up(&call(10)), None);
        assert!(follow_up(&call(9)).unwrap().message.contains("9 of its 10 members"));
    }
}
