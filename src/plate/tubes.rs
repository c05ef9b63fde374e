//! May these tubes go on a plate? Every reason why not.

use super::Plan;
use crate::collection::{TubeRow, TubeState};
use crate::error::Reason;

/// Why these tubes may not go on a plate in this laboratory that runs this kit.
///
/// A tube for several people is a field pool also where one person's swab is in it: it has the
/// volume and the medium of a pool.
pub fn against_making(
    wanted: &[String],
    found: &[TubeRow],
    laboratory: &str,
    plan: &Plan,
) -> Vec<Reason> {
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
        if tube.size > 1 && !plan.field_pools {
            let message = format!(
                "tube {code} is for {} people's swabs and kit {} is not validated for pooling on \
                 collection; collect its people again singly or use another kit",
                tube.size, plan.kit
            );
            reasons.push(Reason::new("plate.field_pool", code, message));
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

    fn plan(field_pools: bool) -> Plan {
        let (reactions, controls) = (Vec::new(), Vec::new());
        Plan {
            kit: "kit 1".to_owned(),
            reactions,
            controls,
            validated_depth: 10,
            field_pools,
            laboratory_pools: 5,
            pipetting: None,
        }
    }

    #[test]
    fn a_field_pool_is_refused_by_its_size_where_the_kit_is_for_single_tubes() {
        let pool = TubeRow { members: 3, size: 5, ..tube(1, TubeState::Received, "L01") };
        let lone = TubeRow { members: 1, size: 5, ..pool.clone() };
        let single = TubeRow { members: 1, size: 1, ..pool.clone() };
        let wanted = [pool.code.to_string()];
        let refused = |tube: &TubeRow, field_pools| {
            against_making(&wanted, std::slice::from_ref(tube), "L01", &plan(field_pools))
        };
        for tube in [&pool, &lone] {
            let reasons = refused(tube, false);
            assert_eq!(reasons.len(), 1);
            assert_eq!(reasons[0].code, "plate.field_pool");
            assert_eq!(reasons[0].about, wanted[0]);
            assert_eq!(refused(tube, true), []);
        }
        assert_eq!(refused(&single, false), []);
    }

    #[test]
    fn only_received_tubes_of_this_laboratory_go_on_a_plate_and_every_reason_is_named() {
        let found = [
            tube(1, TubeState::Received, "L01"),
            tube(2, TubeState::Packed, "L01"),
            tube(3, TubeState::Received, "L02"),
        ];
        let mut wanted: Vec<String> = found.iter().map(|tube| tube.code.to_string()).collect();
        assert_eq!(against_making(&wanted[..1], &found, "L01", &plan(true)), []);
        wanted.push("T9".to_owned());
        let codes: Vec<_> = against_making(&wanted, &found, "L01", &plan(true))
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
