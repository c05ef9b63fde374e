//! May these tubes go on a plate? Every reason why not.

use crate::collection::{TubeRow, TubeState};
use crate::error::Reason;

/// Why these tubes may not go on a plate in this laboratory.
pub fn against_making(wanted: &[String], found: &[TubeRow], laboratory: &str) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for code in wanted {
        let Some(tube) = found.iter().find(|tube| tube.code.as_str() == code) else {
            let message = "there is no such tube; receive its box first or scan it again";
            reasons.push(Reason::new("plate.tube_unknown", code, message));
            continue;
        };
        if tube.state != TubeState::Received {
            let message = format!(
                "tube {code} is {}, not received; only received tubes go on a plate",
                tube.state.as_str()
            );
            reasons.push(Reason::new("plate.tube_state", code, message));
        } else if tube.laboratory_code.as_deref() != Some(laboratory) {
            let message = format!("tube {code} is in another laboratory");
            reasons.push(Reason::new("plate.tube_elsewhere", code, message));
        }
    }
    reasons
}

/// Which tubes another plate took, or which left, while this one was a draft.
pub fn against_freezing(found: &[TubeRow]) -> Vec<Reason> {
    found
        .iter()
        .filter(|tube| tube.state != TubeState::Received)
        .map(|tube| {
            let message = format!(
                "tube {} is {} by now; take it off this plate",
                tube.code,
                tube.state.as_str()
            );
            Reason::new("plate.tube_taken", tube.code.as_str(), message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barcode::TubeCode;
    use crate::clock::Time;

    fn tube(number: u64, state: TubeState, laboratory: &str) -> TubeRow {
        TubeRow {
            code: TubeCode::numbered(number).unwrap(),
            size: 10,
            members: 10,
            round_code: "R01".to_owned(),
            site_code: "S01".to_owned(),
            session_code: "W01".to_owned(),
            sealed: Time::from_us(1),
            recorded: Time::from_us(2),
            state,
            since: Time::from_us(3),
            laboratory_code: Some(laboratory.to_owned()),
            attempt: 0,
        }
    }

    #[test]
    fn only_received_tubes_of_this_laboratory_go_on_a_plate_and_every_reason_is_named() {
        let found = [
            tube(1, TubeState::Received, "L01"),
            tube(2, TubeState::Packed, "L01"),
            tube(3, TubeState::Received, "L02"),
        ];
        let mut wanted: Vec<String> = found.iter().map(|tube| tube.code.to_string()).collect();
        assert_eq!(against_making(&wanted[..1], &found, "L01"), []);
        wanted.push("T9".to_owned());
        let codes: Vec<_> = against_making(&wanted, &found, "L01")
            .into_iter()
            .map(|reason| (reason.code.into_owned(), reason.about))
            .collect();
        let expected = [
            ("plate.tube_state".to_owned(), wanted[1].clone()),
            ("plate.tube_elsewhere".to_owned(), wanted[2].clone()),
            ("plate.tube_unknown".to_owned(), "T9".to_owned()),
        ];
        assert_eq!(codes, expected);
    }

    #[test]
    fn a_tube_another_plate_took_is_named_when_this_one_is_frozen() {
        let found = [tube(1, TubeState::Received, "L01"), tube(2, TubeState::Plated, "L01")];
        let reasons = against_freezing(&found);
        assert_eq!(reasons.len(), 1);
        assert_eq!(reasons[0].about, found[1].code.as_str());
        assert_eq!(against_freezing(&found[..1]), []);
    }
}
