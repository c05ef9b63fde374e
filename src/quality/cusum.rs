//! Cumulative sums (Page, Biometrika 41, 1954): each point adds its weight, a sum below zero begins
//! again at zero, and the decision line is 1.
//!
//! Weights are shares of the decision line. Ct: the distance from the mean less half the shift
//! looked for. Positives: the log-likelihood ratio of doubled or halved odds (Steiner, Cook,
//! Farewell and Treasure, Biostatistics 1, 2000). No plate adds more than [`WEIGHT_MAX`], so that
//! one plate of one outbreak, or of five tubes, never raises an alarm by itself.

/// Most that one point adds.
pub const WEIGHT_MAX: f64 = 0.2;
/// Log-likelihood that decides on positivity: a false path to it has odds of about one in e^30.
/// As much as eight plates of a halved positivity of 15 %, so that a bad operator's
/// plates that happen to follow each other on one instrument do not blame the instrument.
const POSITIVITY_LINE: f64 = 30.0;
/// Fewest positives of others from which a share is expected; fewer say too little, and where
/// hardly anybody is positive nothing can be told from positivity at all (`reliability.md` 3).
const POSITIVES_MIN: i64 = 50;
/// Odds ratio looked for, up and down. A stream that stays between three quarters and four thirds
/// of what is expected drifts to neither line.
const ODDS: f64 = 2.0;
/// The same where a laboratory is compared with itself, for a day differs from the days before by more
/// than from the same day elsewhere. Between 0.63 and 1.63 times an expected 12 % nothing adds up.
const ODDS_ALONE: f64 = 3.0;
/// The same thought for Ct: as much as six plates of twice the allowance.
const ALLOWANCES: f64 = 6.0;
/// Logarithm of the mean number of points between false alarms of one stream (about 10^8 / 2).
const LOG_RUN_LENGTH: f64 = 18.0;
/// Standard deviations Siegmund adds to the decision line (Sequential Analysis, 1985, 2.6).
const OVERSHOOT: f64 = 1.166;
/// Least standard deviation believed, in cycles: thirty equal values are luck or a copy.
pub const SD_MIN: f64 = 0.15;

/// What one point adds to each sum, as shares of the decision line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weights {
    /// To the sum that looks for a rise.
    pub rise: f64,
    /// To the sum that looks for a fall.
    pub fall: f64,
}

/// What is usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// Mean, in cycles.
    pub mean: f64,
    /// Standard deviation, in cycles; at least [`SD_MIN`].
    pub sd: f64,
}

impl Usual {
    /// Mean and standard deviation of these points; none below [`super::BASELINE`] of them.
    pub fn of(points: &[f64]) -> Option<Self> {
        let points = points.get(..super::BASELINE)?;
        let count = count(points.len());
        let mean = points.iter().sum::<f64>() / count;
        let square = points.iter().map(|point| (point - mean).powi(2)).sum::<f64>();
        Some(Self { mean, sd: (square / (count - 1.0)).sqrt().max(SD_MIN) })
    }

    /// Distance from the mean in standard deviations.
    pub fn distance(self, point: f64) -> f64 {
        (point - self.mean) / self.sd
    }
}

fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX))
}

/// Weights of a Ct where a shift of so many cycles is looked for.
///
/// The allowance is half the shift, or one standard deviation where that is more. The decision
/// line is six allowances, or as far as it takes for 10^7 points between false alarms (Siegmund's
/// approximation) where that is more.
pub fn of_ct(usual: Usual, shift: f64, ct: f64) -> Weights {
    let allowance = (shift / 2.0).max(usual.sd);
    let relative = allowance / usual.sd;
    let far = usual.sd * (LOG_RUN_LENGTH / (2.0 * relative) - OVERSHOOT);
    let line = (ALLOWANCES * allowance).max(far);
    let above = ct - usual.mean;
    let weight = |distance: f64| ((distance - allowance) / line).min(WEIGHT_MAX);
    Weights { rise: weight(above), fall: weight(-above) }
}

/// Positives among reactions of as many people each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Reactions with the pathogen.
    pub detected: u32,
    /// All of them.
    pub tubes: u32,
    /// The share that was to be expected.
    pub expected: f64,
    /// Whether its laboratory is compared with itself, for want of others like it.
    pub alone: bool,
}

/// Weights of what a plate found; none where nothing could be expected.
pub fn of_positives(found: &[Found]) -> Option<Weights> {
    let weight = |rises: bool| {
        let ratio = |part: &Found| {
            let odds = if part.alone { ODDS_ALONE } else { ODDS };
            let odds = if rises { odds } else { odds.recip() };
            f64::from(part.detected) * odds.ln()
                - f64::from(part.tubes) * (1.0 - part.expected + odds * part.expected).ln()
        };
        (found.iter().map(ratio).sum::<f64>() / POSITIVITY_LINE).min(WEIGHT_MAX)
    };
    (!found.is_empty()).then(|| Weights { rise: weight(true), fall: weight(false) })
}

/// The share others found, in parts per million; none where they found too few to say.
pub fn expected_share(tubes: i64, detected: i64) -> Option<i64> {
    let share = detected.saturating_mul(1_000_000).checked_div(tubes)?;
    (detected >= POSITIVES_MIN).then_some(share.clamp(1, 999_999))
}

/// The sum after each weight.
pub fn path(weights: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sum: f64 = 0.0;
    let step = |weight: f64| {
        sum = (sum + weight).max(0.0);
        sum
    };
    weights.into_iter().map(step).collect()
}

/// Whether the sum is at the decision line; the tolerance is for sums of binary fractions.
pub fn decides(sum: f64) -> bool {
    sum >= 1.0 - 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Usual = Usual { mean: 26.0, sd: 0.4 };

    #[test]
    fn the_usual_needs_thirty_points_and_knows_their_spread() {
        let mut points = vec![25.0; 15];
        points.extend([27.0; 14]);
        assert_eq!(Usual::of(&points), None);
        points.push(27.0);
        let usual = Usual::of(&points).unwrap();
        assert!((usual.mean - 26.0).abs() < 1e-9);
        // Fifteen at -1 and fifteen at +1: the square root of 30 / 29.
        assert!((usual.sd - (30.0_f64 / 29.0).sqrt()).abs() < 1e-9);
        assert_eq!(Usual::of(&[26.0; 30]).unwrap().sd.to_bits(), SD_MIN.to_bits());
    }

    #[test]
    fn a_shift_of_two_cycles_decides_after_six_plates_and_half_of_it_never() {
        let plates = |ct: f64, count: usize| {
            let weights = std::iter::repeat_n(of_ct(USUAL, 2.0, ct).rise, count);
            decides(*path(weights).last().unwrap())
        };
        assert!(!plates(28.0, 5));
        assert!(plates(28.0, 6));
        assert!(!plates(27.0, 1_000));
        // However far off, a single plate is never enough.
        assert!(!plates(45.0, 4) && plates(45.0, 5));
    }

    #[test]
    fn a_wide_spread_moves_the_line_away() {
        let wide = Usual { mean: 26.0, sd: 1.5 };
        let (narrow, wide) = (of_ct(USUAL, 2.0, 28.0).rise, of_ct(wide, 2.0, 28.0).rise);
        assert!(narrow > 3.0 * wide, "{narrow} {wide}");
        assert!(wide > 0.0);
    }

    /// Weights by hand: p0 0.15, odds halved, 94 tubes of which 5: 5 ln 0.5 - 94 ln 0.925 = 3.8628.
    #[test]
    fn the_likelihood_ratio_is_that_of_the_paper() {
        let of = |detected, tubes, expected| {
            of_positives(&[Found { detected, tubes, expected, alone: false }]).unwrap()
        };
        let weights = of(5, 94, 0.15);
        assert!((weights.fall * POSITIVITY_LINE - 3.862_8).abs() < 1e-3, "{weights:?}");
        assert!(weights.rise < 0.0);
        assert!(of(14, 94, 0.15).fall < 0.0);
        assert!(of(94, 94, 0.001).rise <= WEIGHT_MAX);
    }

    #[test]
    fn single_tubes_and_tubes_of_ten_are_each_weighed_by_their_own() {
        let tens = Found { detected: 10, tubes: 50, expected: 0.2, alone: false };
        let singles = Found { detected: 1, tubes: 44, expected: 0.02, alone: false };
        let both = of_positives(&[tens, singles]).unwrap();
        // As usual for each; for tubes of ten alone it would be a fall.
        assert!(both.rise < 0.0 && both.fall < 0.0, "{both:?}");
        let mixed = Found { detected: 11, tubes: 94, ..tens };
        let mixed = of_positives(&[mixed]).unwrap();
        assert!(mixed.fall > 0.0, "{mixed:?}");
        let apart = of_positives(&[tens]).unwrap().fall + of_positives(&[singles]).unwrap().fall;
        assert!((both.fall - apart).abs() < 1e-12);
        assert_eq!(of_positives(&[]), None);
    }

    #[test]
    fn a_laboratory_that_is_compared_with_itself_may_differ_more() {
        let fall = |detected, alone| {
            let found = Found { detected, tubes: 100, expected: 0.12, alone };
            of_positives(&[found]).unwrap().fall
        };
        assert!(fall(8, false) > 0.0 && fall(8, true) < 0.0);
        assert!(fall(2, true) >= WEIGHT_MAX);
    }

    #[test]
    fn a_share_is_expected_only_from_enough_positives() {
        assert_eq!(expected_share(500, 50), Some(100_000));
        assert_eq!(expected_share(500, 49), None);
        assert_eq!(expected_share(0, 0), None);
        assert_eq!(expected_share(60, 60), Some(999_999));
    }

    #[test]
    fn a_sum_never_owes_anything() {
        assert_eq!(path([-1.0, 0.5, -0.25, 0.75]), [0.0, 0.5, 0.25, 1.0]);
    }
}
