//! Pools within pools: a positive group is tested again in its parts, down to single people.

use super::{Accuracy, Assumptions, Performance, PoolAnswer, power};

/// What a chain of group sizes is expected to do, from the largest group to a single person.
///
/// A round that asks the same group again, or a pool of one, is no round.
pub(super) fn performance(sizes: &[u32], given: &Assumptions) -> Performance {
    let mut sizes = sizes.to_vec();
    sizes.dedup();
    let tests: Vec<Accuracy> = sizes.iter().map(|size| given.accuracy(*size)).collect();
    let mut rounds = vec![1.0 / f64::from(sizes[0])];
    for next in 1..sizes.len() {
        let positive = all_positive(&sizes[..next], &tests, given);
        rounds.push(positive / f64::from(sizes[next]));
    }
    let sensitivity = tests.iter().map(|test| test.sensitivity).product();
    // A person without infection leaves one fewer who could have brought it into each group.
    let others: Vec<u32> = sizes.iter().map(|size| size - 1).collect();
    let specificity = 1.0 - all_positive(&others, &tests, given);
    Performance::new(given.prevalence, rounds, sensitivity, specificity)
}

/// The probability that every test of nested groups is positive, the largest group first.
///
/// Infection is handed upwards: if a group holds it, so does every group around it. So what counts
/// is the innermost group that holds it; up to there tests must find it, from there on they err.
fn all_positive(people: &[u32], tests: &[Accuracy], given: &Assumptions) -> f64 {
    let healthy = given.healthy();
    (0..=people.len())
        .map(|holding| {
            let beyond = people.get(holding).copied().unwrap_or(0);
            let reaches = match holding.checked_sub(1) {
                None => power(healthy, beyond),
                Some(innermost) => {
                    power(healthy, beyond) * (1.0 - power(healthy, people[innermost] - beyond))
                }
            };
            let (find, err) = tests[..people.len()].split_at(holding);
            let found: f64 = find.iter().map(|test| test.sensitivity).product();
            let erred: f64 = err.iter().map(|test| 1.0 - test.specificity).product();
            reaches * found * erred
        })
        .sum()
}

/// What the answer of one pool is worth by itself.
pub(super) fn pool_answer(people: u32, given: &Assumptions) -> PoolAnswer {
    let test = given.accuracy(people);
    let free = power(given.healthy(), people);
    let positive = test.sensitivity * (1.0 - free) + (1.0 - test.specificity) * free;
    // Not what `positive` leaves: where nearly every pool is positive, nothing of it would be left.
    let negative = test.specificity * free + (1.0 - test.sensitivity) * (1.0 - free);
    let share = |part: f64, whole: f64| if whole == 0.0 { 1.0 } else { part / whole };
    PoolAnswer {
        positive,
        ppv: share(test.sensitivity * (1.0 - free), positive),
        npv: share(test.specificity * free, negative),
    }
}
