//! What a second person may say of a difference, and what that explains.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Difference;

/// Why a difference does no harm.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Explanation {
    /// Tubes, racks and plate were compared by eye and the plate is as planned: the log is wrong.
    LogMistaken,
    /// What the robot left out was put in by hand afterwards.
    FilledByHand,
    /// The volume is enough for the kit.
    VolumeSufficient,
    /// Somebody stood by, set the error right, and the step was done.
    ErrorResolved,
}

impl Explanation {
    /// Whether it explains that difference. A tube in another well than the plan's is explained by
    /// nothing but a mistaken log: otherwise people would be told each other's results.
    pub const fn covers(self, difference: &Difference) -> bool {
        match self {
            Self::LogMistaken => true,
            Self::FilledByHand => {
                matches!(difference, Difference::NotFilled { .. } | Difference::Volume { .. })
            }
            Self::VolumeSufficient => matches!(difference, Difference::Volume { .. }),
            Self::ErrorResolved => matches!(difference, Difference::ErrorRecord { .. }),
        }
    }
}

/// The differences that none of these explanations covers.
pub fn unexplained<'a>(
    differences: &'a [Difference],
    explanations: &[Explanation],
) -> Vec<&'a Difference> {
    let covered = |of: &Difference| explanations.iter().any(|explanation| explanation.covers(of));
    differences.iter().filter(|difference| !covered(difference)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tube_in_the_wrong_well_is_explained_by_a_mistaken_log_alone() {
        let well = "A1".parse().unwrap();
        let (tube, planned) = ("T2".to_owned(), "tube T1".to_owned());
        let swapped = Difference::WrongTube { well, tube, planned: planned.clone() };
        let empty = Difference::NotFilled { well, planned };
        let error = Difference::ErrorRecord { log: 1, line: 3 };
        let all = [swapped.clone(), empty, error];
        assert_eq!(
            unexplained(&all, &[Explanation::FilledByHand, Explanation::ErrorResolved]),
            [&swapped]
        );
        assert_eq!(unexplained(&all, &[Explanation::LogMistaken]), Vec::<&Difference>::new());
        assert_eq!(unexplained(&all, &[Explanation::VolumeSufficient]).len(), 3);
    }
}
