//! Is the way of a reported tube in the order it can only have been in?

use super::{Check, SHORTEST_RUN, Sign};
use crate::clock::{Span, Time};

/// By how much two clocks may disagree: a sampler's device and the server.
const CLOCKS: Span = Span::minutes(5);

/// When each step of a reported tube happened; none for a step that left no time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moments {
    /// The tube.
    pub tube: String,
    /// The plate it was reported from.
    pub plate: String,
    /// The laboratory that reported it.
    pub laboratory: String,
    /// The last swab went in.
    pub swabbed: Option<Time>,
    /// The tube was sealed.
    pub sealed: Time,
    /// Its box was first handed over.
    pub handed_over: Option<Time>,
    /// A laboratory accepted it.
    pub received: Option<Time>,
    /// The layout of its plate was frozen.
    pub plated: Option<Time>,
    /// The run file came in.
    pub imported: Time,
    /// A first person reviewed the run.
    pub reviewed: Option<Time>,
    /// The result was released.
    pub released: Time,
}

/// Every step that comes before the one it follows. What is between two steps of a plate is about
/// the plate, and the same for each of its tubes.
pub fn order(moments: &Moments) -> Vec<Sign> {
    let (tube, plate) = (moments.tube.as_str(), moments.plate.as_str());
    let steps = [
        ("swabbed", tube, moments.swabbed),
        ("sealed", tube, Some(moments.sealed)),
        ("handed over", tube, moments.handed_over),
        ("received", tube, moments.received),
        ("plated", plate, moments.plated),
        ("run", plate, Some(moments.imported)),
        ("reviewed", plate, moments.reviewed),
        ("released", tube, Some(moments.released)),
    ];
    let known: Vec<(&str, &str, Time)> =
        steps.into_iter().filter_map(|(name, of, time)| Some((name, of, time?))).collect();
    let backwards = known.windows(2).filter_map(|pair| {
        let ((before, of, earlier), (after, about, later)) = (pair[0], pair[1]);
        let about = if of == plate { about } else { tube };
        (later + CLOCKS < earlier).then(|| {
            let message = format!(
                "it was {after} ({later}) before it was {before} ({earlier}); look at both"
            );
            (about, message)
        })
    });
    let too_fast = moments
        .plated
        .filter(|plated| moments.imported.since(*plated) < SHORTEST_RUN)
        .filter(|plated| *plated <= moments.imported + CLOCKS)
        .map(|plated| {
            let message = format!(
                "it was frozen at {plated} and the run file came at {}, sooner than any run ends; \
                 ask for the plate's own records",
                moments.imported
            );
            (plate, message)
        });
    backwards
        .chain(too_fast)
        .map(|(about, message)| Sign::new(Check::Order, &moments.laboratory, about, message))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN: Time = Time::from_us(1_592_700_000_000_000);

    fn honest() -> Moments {
        let after = |minutes| BEGAN + Span::minutes(minutes);
        Moments {
            tube: "T1".to_owned(),
            plate: "P1".to_owned(),
            laboratory: "L01".to_owned(),
            swabbed: Some(after(0)),
            sealed: after(1),
            handed_over: Some(after(60)),
            received: Some(after(120)),
            plated: Some(after(180)),
            imported: after(300),
            reviewed: Some(after(310)),
            released: after(320),
        }
    }

    #[test]
    fn an_honest_way_shows_nothing_also_where_steps_left_no_time() {
        assert_eq!(order(&honest()), []);
        let bare = Moments {
            swabbed: None,
            handed_over: None,
            received: None,
            reviewed: None,
            ..honest()
        };
        assert_eq!(order(&bare), []);
    }

    #[test]
    fn clocks_a_little_apart_show_nothing() {
        let sealed = honest().swabbed.unwrap() - Span::minutes(4);
        assert_eq!(order(&Moments { sealed, ..honest() }), []);
    }

    #[test]
    fn each_step_before_the_one_it_follows_is_named() {
        let early = BEGAN - Span::days(1);
        let cases = [
            (Moments { sealed: early, ..honest() }, "sealed", "T1"),
            (Moments { handed_over: Some(early), ..honest() }, "handed over", "T1"),
            (Moments { received: Some(early), ..honest() }, "received", "T1"),
            (Moments { plated: Some(early), ..honest() }, "plated", "T1"),
            (Moments { imported: early, plated: None, ..honest() }, "run", "T1"),
            (Moments { imported: early, ..honest() }, "run", "P1"),
            (Moments { reviewed: Some(early), ..honest() }, "reviewed", "P1"),
            (Moments { released: early, ..honest() }, "released", "T1"),
        ];
        for (moments, step, about) in cases {
            let signs = order(&moments);
            assert_eq!(signs.len(), 1, "{step}: {signs:?}");
            assert_eq!(signs[0].about, about, "{step}: {signs:?}");
            assert!(signs[0].message.starts_with(&format!("it was {step} (")), "{signs:?}");
        }
    }

    #[test]
    fn a_plate_made_up_after_its_run_shows() {
        let plated = Some(honest().imported - Span::minutes(4));
        let signs = order(&Moments { plated, ..honest() });
        assert_eq!(signs.len(), 1);
        assert_eq!(signs[0].about, "P1");
        assert!(signs[0].message.contains("sooner than any run ends"));
        let plated = Some(honest().imported - SHORTEST_RUN);
        assert_eq!(order(&Moments { plated, ..honest() }), []);
    }
}
