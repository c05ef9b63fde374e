//! One assay for two infections: a pool positive for either is tested person by person for both.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Accuracy, Performance, power};

/// Shares of people by which of two infections they have; they add up to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Joint {
    /// Neither.
    pub neither: f64,
    /// The first only.
    pub first: f64,
    /// The second only.
    pub second: f64,
    /// Both.
    pub both: f64,
}

impl Joint {
    /// The same people with the two infections' names exchanged.
    const fn exchanged(self) -> Self {
        Self { first: self.second, second: self.first, ..self }
    }
}

/// What a two-stage scheme does for two infections.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoInfections {
    /// For the first infection; the tests are those of both.
    pub first: Performance,
    /// For the second infection; the tests are those of both.
    pub second: Performance,
}

/// What pools of `size` do when each test looks for two infections with the same accuracy.
pub fn two_infections(size: u32, joint: Joint, test: Accuracy) -> TwoInfections {
    let of_one = |joint: Joint| {
        let infected = joint.first + joint.both;
        let followed = share(
            infected,
            joint.first * followed_up(size, joint, test, (true, false))
                + joint.both * followed_up(size, joint, test, (true, true)),
        );
        let healthy = share(
            1.0 - infected,
            joint.neither * followed_up(size, joint, test, (false, false))
                + joint.second * followed_up(size, joint, test, (false, true)),
        );
        let tests = joint.neither * followed_up(size, joint, test, (false, false))
            + joint.first * followed_up(size, joint, test, (true, false))
            + joint.second * followed_up(size, joint, test, (false, true))
            + joint.both * followed_up(size, joint, test, (true, true));
        let rounds = if size == 1 { vec![1.0] } else { vec![1.0 / f64::from(size), tests] };
        let second_test = |share: f64, single: f64| if size == 1 { single } else { share * single };
        Performance::new(
            infected,
            rounds,
            second_test(followed, test.sensitivity),
            1.0 - second_test(healthy, 1.0 - test.specificity),
        )
    };
    TwoInfections { first: of_one(joint), second: of_one(joint.exchanged()) }
}

fn share(whole: f64, part: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// The probability that the pool of one person of known state is positive for either infection.
fn followed_up(size: u32, joint: Joint, test: Accuracy, (first, second): (bool, bool)) -> f64 {
    let others = size - 1;
    // Of the others: nobody has either, nobody has the first, nobody has the second.
    let neither = power(joint.neither, others);
    let no_first = power(joint.neither + joint.second, others);
    let no_second = power(joint.neither + joint.first, others);
    let by_state = [
        (false, false, neither),
        (false, true, no_first - neither),
        (true, false, no_second - neither),
        (true, true, 1.0 - no_first - no_second + neither),
    ];
    let silent = |present| if present { 1.0 - test.sensitivity } else { test.specificity };
    let both_silent: f64 = by_state
        .into_iter()
        .map(|(in_first, in_second, probability)| {
            probability * silent(first || in_first) * silent(second || in_second)
        })
        .sum();
    1.0 - both_silent
}
