//! Square arrays: everybody is in one row pool and one column pool.
//!
//! Tested singly are the people in a positive row and a positive column; and all of a positive row
//! when no column is positive, and the other way round, since one of the two must have erred.

use super::{Accuracy, Assumptions, Performance, power};

/// What an array is expected to do.
pub(super) fn performance(size: u32, given: &Assumptions) -> Performance {
    let array = Array::new(size, given);
    let single = given.single;
    let rounds = vec![2.0 / f64::from(size), array.tested];
    let specificity = 1.0 - (1.0 - single.specificity) * array.tested_though_healthy(given);
    let sensitivity = single.sensitivity * array.tested_if_infected;
    Performance::new(given.prevalence, rounds, sensitivity, specificity)
}

/// What an array is expected to do whose square was pooled as a whole first.
///
/// The expected number of tests differs from the R package binGroup2 (1.3.1), which adds tests for
/// each person to those of the whole square; simulation agrees with the formula here
/// (`domain.md` O8).
pub(super) fn performance_with_master(size: u32, given: &Assumptions) -> Performance {
    let array = Array::new(size, given);
    let people = size * size;
    let (master, line, single) = (given.accuracy(people), given.accuracy(size), given.single);
    // Had the master pool erred, the array would see a square in which nobody is infected.
    let erring = 1.0 - line.specificity;
    let nobody = erring.powi(2) + 2.0 * erring * power(line.specificity, size);
    let free = power(given.healthy(), people);
    let lost = (1.0 - master.sensitivity - master.specificity) * free;
    let lines = 2.0 / f64::from(size);
    let second = lost * lines + master.sensitivity * lines;
    let third = lost * nobody + master.sensitivity * array.tested;
    let infected = master.sensitivity * array.tested_if_infected;
    let healthy = if given.healthy() == 0.0 {
        0.0
    } else {
        (third - given.prevalence * infected) / given.healthy()
    };
    let rounds = vec![1.0 / f64::from(people), second, third];
    let specificity = 1.0 - (1.0 - single.specificity) * healthy;
    Performance::new(given.prevalence, rounds, single.sensitivity * infected, specificity)
}

/// Probabilities that a person is tested singly.
struct Array {
    tested: f64,
    tested_if_infected: f64,
}

impl Array {
    fn new(size: u32, given: &Assumptions) -> Self {
        let Accuracy { sensitivity, specificity } = given.accuracy(size);
        let (p, q) = (given.prevalence, given.healthy());
        // A line is silent by its test's error if somebody in it is infected, else rightly.
        let silent = |free: f64| (1.0 - sensitivity) * (1.0 - free) + specificity * free;
        let (line, rest) = (power(q, size), power(q, size - 1));
        // A healthy person's line is positive through somebody else, or in error.
        let through_others = sensitivity * (1.0 - rest) + (1.0 - specificity) * rest;
        let crossing = p * sensitivity.powi(2) + q * through_others.powi(2);
        // One line positive and every line across it silent. If the one line is free of infection,
        // each line across has one fewer who could be infected.
        let free_line = line * power(silent(rest), size);
        let alone =
            sensitivity * (power(silent(line), size) - free_line) + (1.0 - specificity) * free_line;
        let tested_if_infected = sensitivity.powi(2)
            + 2.0 * sensitivity * (1.0 - sensitivity) * power(silent(line), size - 1);
        Self { tested: crossing + 2.0 * alone, tested_if_infected }
    }

    fn tested_though_healthy(&self, given: &Assumptions) -> f64 {
        if given.healthy() == 0.0 {
            return 0.0;
        }
        (self.tested - given.prevalence * self.tested_if_infected) / given.healthy()
    }
}
