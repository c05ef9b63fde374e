//! How the points of a chart are measured: in cycles, in distances from their own mean, or in percent.

use std::ops::Range;

use super::{ChartPoint, Measure};

/// What the upper half of a chart is measured in.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Axis {
    /// Cycles; the lines are those of one mean.
    Cycles { mean: f64, sd: f64 },
    /// Cycles, while nothing is usual yet.
    Learning,
    /// Standard deviations from the mean of each point's instrument.
    Distances,
    /// Percent of this.
    Percent(&'static str),
}

impl Axis {
    pub(super) fn of(points: &[ChartPoint], measure: Measure) -> Self {
        match measure {
            Measure::Positivity => return Self::Percent("% positive"),
            Measure::Seeded | Measure::SeededRecall => return Self::Percent("% found"),
            Measure::PositiveControl | Measure::WeakPositiveControl | Measure::InternalControl => {}
        }
        let mut usual = points.iter().filter_map(|point| Some((point.mean?, point.sd?)));
        let Some((mean, sd)) = usual.next() else { return Self::Learning };
        let is_same = |(m, s): (f64, f64)| (m - mean).abs() + (s - sd).abs() < 1e-9;
        if usual.all(is_same) { Self::Cycles { mean, sd } } else { Self::Distances }
    }

    /// Where a point stands; nowhere while its instrument is learnt and distances are shown.
    pub(super) fn place(self, point: &ChartPoint) -> Option<f64> {
        match self {
            Self::Cycles { .. } | Self::Learning => Some(point.value),
            Self::Distances => point.distance,
            Self::Percent(_) => Some(point.value * 100.0),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cycles { .. } | Self::Learning => "Ct",
            Self::Distances => "SD from own mean",
            Self::Percent(of) => of,
        }
    }

    /// The line so many standard deviations from the mean.
    pub(super) fn line(self, deviations: f64) -> Option<f64> {
        match self {
            Self::Cycles { mean, sd } => Some(mean + deviations * sd),
            Self::Distances => Some(deviations),
            Self::Learning | Self::Percent(_) => None,
        }
    }

    pub(super) const fn is_percent(self) -> bool {
        matches!(self, Self::Percent(_))
    }

    pub(super) fn range(self, points: &[ChartPoint]) -> Range<f64> {
        let places = points.iter().filter_map(|point| self.place(point));
        let expected = points.iter().filter_map(|point| point.mean.filter(|_| self.is_percent()));
        let lines = [-3.5, 3.5].into_iter().filter_map(|deviations| self.line(deviations));
        let all: Vec<f64> =
            places.chain(expected.map(|share| share * 100.0)).chain(lines).collect();
        let low = all.iter().copied().fold(f64::INFINITY, f64::min);
        let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if all.is_empty() {
            return 0.0..1.0;
        }
        let room = ((high - low) * 0.06).max(0.1);
        let bottom = if self.is_percent() { 0.0 } else { low - room };
        // Above the points is room for the rules they break.
        bottom..high + 2.0 * room
    }
}
