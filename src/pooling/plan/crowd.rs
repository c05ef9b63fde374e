//! From tests for each person to wells, plates and hours for a crowd.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Performance;

/// What a laboratory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capacity {
    /// Wells of a plate that hold tubes or pools, controls not counted.
    pub wells_per_plate: u32,
    /// Plates that run at the same time.
    pub plates_at_once: u32,
    /// From one plate's start to the next one's on the same instrument, in minutes.
    pub minutes_per_run: u32,
}

/// What a crowd needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Need {
    /// People to be tested.
    pub people: u64,
    /// Wells over all rounds.
    pub wells: u64,
    /// Plates over all rounds.
    pub plates: u64,
    /// Hours of instrument time from the first plate's start to the last one's end.
    pub hours: f64,
    /// Each round; one begins when the one before has ended.
    pub rounds: Vec<StageNeed>,
}

/// What one round needs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StageNeed {
    /// Wells expected, rounded up.
    pub wells: u64,
    /// Plates for them.
    pub plates: u64,
    /// Hours for them.
    pub hours: f64,
}

impl Capacity {
    /// What that many people need under a scheme.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "people, wells and hours of a crowd are far below 2^52"
    )]
    pub(super) fn need(&self, people: u64, performance: &Performance) -> Need {
        let rounds: Vec<StageNeed> = performance
            .rounds
            .iter()
            .map(|tests| {
                // What is a whole number but for the last binary digit is that number.
                let expected = people as f64 * tests;
                let wells = (expected * (1.0 - 1e-12)).ceil() as u64;
                let plates = wells.div_ceil(u64::from(self.wells_per_plate));
                let runs = plates.div_ceil(u64::from(self.plates_at_once));
                let hours = (runs * u64::from(self.minutes_per_run)) as f64 / 60.0;
                StageNeed { wells, plates, hours }
            })
            .collect();
        Need {
            people,
            wells: rounds.iter().map(|round| round.wells).sum(),
            plates: rounds.iter().map(|round| round.plates).sum(),
            hours: rounds.iter().map(|round| round.hours).sum(),
            rounds,
        }
    }
}
