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

/// Every step that comes before the one it follows.
pub fn order(moments: &Moments) -> Vec<Sign> {
    let steps = [
        ("swabbed", moments.swabbed),
        ("sealed", Some(moments.sealed)),
        ("handed over", moments.handed_over),
        ("received", moments.received),
        ("plated", moments.plated),
        ("run", Some(moments.imported)),
        ("reviewed", moments.reviewed),
        ("released", Some(moments.released)),
    ];
    let known: Vec<(&str, Time)> =
        steps.into_iter().filter_map(|(name, time)| Some((name, time?))).collect();
    let backwards = known.windows(2).filter_map(|pair| {
        let ((before, earlier), (after, later)) = (pair[0], pair[1]);
        (later + CLOCKS < earlier).then(|| {
            format!("it was {after} ({later}) before it was {before} ({earlier}); look at both")
        })
    });
    let too_fast = moments
        .plated
        .filter(|plated| moments.imported.since(*plated) < SHORTEST_RUN)
        .filter(|plated| *plated <= moments.imported + CLOCKS)
        .map(|plated| {
            format!(
                "its plate was frozen at {plated} and the run file came at {}, sooner than any run \
                 ends; ask for the plate's own records",
                moments.imported
            )
        });
    backwards
        .chain(too_fast)
        .map(|message| Sign::new(Check::Order, &moments.laboratory, &moments.tube, message))
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
            (Moments { sealed: early, ..honest() }, "sealed"),
            (Moments { handed_over: Some(early), ..honest() }, "handed over"),
            (Moments { received: Some(early), ..honest() }, "received"),
            (Moments { plated: Some(early), ..honest() }, "plated"),
            (Moments { imported: early, plated: None, ..honest() }, "run"),
            (Moments { reviewed: Some(early), ..honest() }, "reviewed"),
            (Moments { released: early, ..honest() }, "released"),
        ];
        for (moments, step) in cases {
            let signs = order(&moments);
            assert_eq!(signs.len(), 1, "{step}: {signs:?}");
            assert!(signs[0].message.starts_with(&format!("it was {step} (")), "{signs:?}");
        }
    }

    #[test]
    fn a_plate_made_up_after_its_run_shows() {
        let plated = Some(honest().imported - Span::minutes(4));
        let signs = order(&Moments { plated, ..honest() });
        assert_eq!(signs.len(), 1);
        assert!(signs[0].message.contains("sooner than any run ends"));
        let plated = Some(honest().imported - SHORTEST_RUN);
        assert_eq!(order(&Moments { plated, ..honest() }), []);
    }
}
