//! The size of a scheme that needs the fewest tests.

use super::question::BOUNDS;
use super::{Assumptions, Scheme, SchemeName};

/// The best size of that scheme with at most `most` people in a well; none if it has no size there.
///
/// Searched exhaustively up to a few times the size that a perfect test would want, which lies near
/// `p^(-1/2)` for two stages and `p^(-2/3)` for three stages and arrays (`domain.md` O5 to O7).
pub(super) fn best(name: SchemeName, given: &Assumptions, most: u32) -> Option<Scheme> {
    let candidates: Vec<Scheme> = match name {
        SchemeName::Single => vec![Scheme::Single],
        SchemeName::TwoStage => {
            (2..=most.min(reach(given, 0.5))).map(|size| Scheme::TwoStage { size }).collect()
        }
        SchemeName::ThreeStage => {
            let largest = most.min(reach(given, 2.0 / 3.0));
            (2..=largest / 2)
                .flat_map(|part| {
                    (2..=largest / part)
                        .map(move |parts| Scheme::ThreeStage { size: part * parts, part })
                })
                .collect()
        }
        SchemeName::Array => {
            (2..=most.min(reach(given, 2.0 / 3.0))).map(|size| Scheme::Array { size }).collect()
        }
        SchemeName::ArrayWithMaster => (2..=most.isqrt().min(reach(given, 2.0 / 3.0)))
            .map(|size| Scheme::ArrayWithMaster { size })
            .collect(),
    };
    // On equal figures the smaller pool, which comes first, is the better one.
    candidates
        .into_iter()
        .map(|scheme| (scheme, scheme.performance(given).tests_per_person()))
        .fold(None, |best: Option<(Scheme, f64)>, (scheme, tests)| match best {
            Some((_, fewest)) if fewest <= tests => best,
            _ => Some((scheme, tests)),
        })
        .map(|(scheme, _)| scheme)
}

/// Beyond which size no better one is looked for; prevalences below one in a million count as that.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of people between 10 and some tens of thousands"
)]
fn reach(given: &Assumptions, exponent: f64) -> u32 {
    let rarest: f64 = given.prevalence.max(1e-6);
    ((3.0 * rarest.powf(-exponent)) as u32 + 10).min(BOUNDS.0)
}
