//! Which pooling scheme, of which size, for how many tests: what a scheme is expected to do.
//!
//! Nested schemes (`nested.rs`: single, two-stage, three-stage), square arrays (`array.rs`) and the
//! two-infection assay ([`two_infections`]) are exact under one assumption: people are infected
//! independently of each other. People who queue together are not, and then pools do better than
//! planned (Barak 2021). A field pool's follow-up is a new swab, which is an independent test all
//! the same, one a member. Formulas: Dorfman 1943, Kim et al. 2007, and `domain.md` C.

pub mod api;
mod array;
mod best;
mod crowd;
mod dilution;
mod nested;
mod question;
mod rules;
mod two_infections;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use crowd::{Capacity, Need, StageNeed};
pub use dilution::Dilution;
pub use question::{Answer, Question, SchemeFigures, SchemeName, SecondFigures, answer};
pub use two_infections::{Joint, TwoInfections, two_infections};

/// How well one test tells infected from not, as shares of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Accuracy {
    /// Share of infected material that tests positive.
    pub sensitivity: f64,
    /// Share of material without infection that tests negative.
    pub specificity: f64,
}

impl Accuracy {
    /// A test that never errs.
    pub const PERFECT: Self = Self { sensitivity: 1.0, specificity: 1.0 };
}

/// What is known of the people and of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumptions {
    /// Share of people infected.
    pub prevalence: f64,
    /// Of a test on one person's material.
    pub single: Accuracy,
    /// Of a test on a pool, before dilution.
    pub pool: Accuracy,
    /// What mixing takes from the sensitivity of a pool.
    pub dilution: Option<Dilution>,
}

impl Assumptions {
    /// The share of people not infected.
    fn healthy(&self) -> f64 {
        1.0 - self.prevalence
    }

    /// The accuracy of one test on the material of `people`.
    fn accuracy(&self, people: u32) -> Accuracy {
        if people == 1 {
            return self.single;
        }
        let kept = self.dilution.map_or(1.0, |dilution| dilution.kept(people));
        Accuracy { sensitivity: self.pool.sensitivity * kept, ..self.pool }
    }
}

/// A way to test people in one, two or three rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "scheme", rename_all = "snake_case")]
pub enum Scheme {
    /// Everybody alone.
    Single,
    /// A pool, then its members (Dorfman).
    TwoStage {
        /// People in a pool.
        size: u32,
    },
    /// A pool, then its parts, then their members.
    ThreeStage {
        /// People in a pool.
        size: u32,
        /// People in a part; divides `size`.
        part: u32,
    },
    /// A square of people: pools of its rows and columns, then whoever lies where two cross.
    Array {
        /// People in a row, and in a column.
        size: u32,
    },
    /// The same after one pool of the whole square.
    ArrayWithMaster {
        /// People in a row, and in a column.
        size: u32,
    },
}

/// What a scheme is expected to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Performance {
    /// Tests for each person in each round.
    pub rounds: Vec<f64>,
    /// Share of infected people found.
    pub sensitivity: f64,
    /// Share of people without infection who are told so.
    pub specificity: f64,
    /// Of people called infected, the share that is; 1 when nobody is called infected.
    pub ppv: f64,
    /// Of people called free of it, the share that is; 1 when nobody is.
    pub npv: f64,
}

impl Performance {
    /// From the tests of each round and what an infected and a healthy person can expect.
    fn new(prevalence: f64, rounds: Vec<f64>, sensitivity: f64, specificity: f64) -> Self {
        let healthy = 1.0 - prevalence;
        let share = |part: f64, other: f64| if part == 0.0 { 1.0 } else { part / (part + other) };
        let ppv = match prevalence * sensitivity {
            0.0 if healthy * (1.0 - specificity) > 0.0 => 0.0,
            found => share(found, healthy * (1.0 - specificity)),
        };
        let npv = match healthy * specificity {
            0.0 if prevalence * (1.0 - sensitivity) > 0.0 => 0.0,
            cleared => share(cleared, prevalence * (1.0 - sensitivity)),
        };
        Self { rounds, sensitivity, specificity, ppv, npv }
    }

    /// Tests for each person over all rounds.
    pub fn tests_per_person(&self) -> f64 {
        self.rounds.iter().sum()
    }
}

/// What a pool's own answer is worth, before any follow-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PoolAnswer {
    /// Share of pools that test positive.
    pub positive: f64,
    /// Of positive pools, the share that holds an infected person.
    pub ppv: f64,
    /// Of negative pools, the share that holds none.
    pub npv: f64,
}

impl Scheme {
    /// The name of the scheme, as it is asked for.
    pub const fn name(self) -> SchemeName {
        match self {
            Self::Single => SchemeName::Single,
            Self::TwoStage { .. } => SchemeName::TwoStage,
            Self::ThreeStage { .. } => SchemeName::ThreeStage,
            Self::Array { .. } => SchemeName::Array,
            Self::ArrayWithMaster { .. } => SchemeName::ArrayWithMaster,
        }
    }

    /// People in the scheme's largest pool; the side of a square, not its area.
    pub const fn size(self) -> u32 {
        match self {
            Self::Single => 1,
            Self::TwoStage { size }
            | Self::ThreeStage { size, .. }
            | Self::Array { size }
            | Self::ArrayWithMaster { size } => size,
        }
    }

    /// People whose material comes together in one well at most.
    pub const fn depth(self) -> u32 {
        match self {
            Self::ArrayWithMaster { size } => size * size,
            other => other.size(),
        }
    }

    /// What it is expected to do.
    pub fn performance(self, given: &Assumptions) -> Performance {
        match self {
            Self::Single => nested::performance(&[1], given),
            Self::TwoStage { size } => nested::performance(&[size, 1], given),
            Self::ThreeStage { size, part } => nested::performance(&[size, part, 1], given),
            Self::Array { size } => array::performance(size, given),
            Self::ArrayWithMaster { size } => array::performance_with_master(size, given),
        }
    }

    /// What the answer of its first pool is worth; none where nothing is pooled.
    pub fn pool_answer(self, given: &Assumptions) -> Option<PoolAnswer> {
        (self.depth() > 1).then(|| nested::pool_answer(self.depth(), given))
    }
}

/// `base` to the power of a number of people.
fn power(base: f64, people: u32) -> f64 {
    base.powf(f64::from(people))
}

#[cfg(test)]
mod oracles;
#[cfg(test)]
mod properties;
