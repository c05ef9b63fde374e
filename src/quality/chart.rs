//! What a chart shows: points with the rules they break and the sums after them. Pure; alarms come
//! from the same weights.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cusum::{self, Found, Usual, Weights};
use super::westgard::{self, LOOK_BACK, Rule};
use super::{BASELINE, Measure, Scope};
use crate::clock::Time;

/// Which points a chart shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Frame {
    /// The laboratory.
    pub laboratory: String,
    /// One of its instruments, or all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instrument: Option<String>,
    /// One of its lots, or all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// One of its people, or all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// What is measured.
    pub measure: Measure,
    /// Points since.
    pub from: Time,
    /// Points before.
    pub to: Time,
}

impl Frame {
    /// The scope whose sums are shown, and its subject: the narrowest that was asked for.
    pub fn scope(&self) -> (Scope, &str) {
        match (&self.operator, &self.lot, &self.instrument) {
            (Some(operator), ..) => (Scope::Operator, operator),
            (None, Some(lot), _) => (Scope::Lot, lot),
            (None, None, Some(instrument)) => (Scope::Instrument, instrument),
            (None, None, None) => (Scope::Laboratory, &self.laboratory),
        }
    }
}

/// One point of a chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChartPoint {
    /// The run.
    pub run: String,
    /// When it came in.
    pub at: Time,
    /// Its instrument.
    pub instrument: String,
    /// Its lot.
    pub lot: Option<String>,
    /// Who brought it in.
    pub operator: String,
    /// Whether the plate could be used; other points are shown and count for nothing.
    pub accepted: bool,
    /// Cycles, or the share of tubes with the pathogen.
    pub value: f64,
    /// The mean of the instrument, or the share that was expected; none while it is not known.
    pub mean: Option<f64>,
    /// The standard deviation of the instrument.
    pub sd: Option<f64>,
    /// Reactions behind a share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tubes: Option<u32>,
    /// Those of which something was expected, by people per reaction.
    #[serde(skip)]
    pub found: Vec<Found>,
    /// Reactions whose internal control did not amplify, beside a share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_failures: Option<u32>,
    /// Distance from the mean in standard deviations.
    pub distance: Option<f64>,
    /// Westgard's rules that the point breaks.
    pub rules: Vec<Rule>,
    /// Those it was found to break when it came in; none of points from before that was kept.
    #[serde(skip)]
    pub judged: Option<Vec<Rule>>,
    /// The sum that looks for a rise, after this point; the decision line is 1.
    pub rise: f64,
    /// The sum that looks for a fall.
    pub fall: f64,
}

impl ChartPoint {
    fn usual(&self) -> Option<Usual> {
        Some(Usual { mean: self.mean?, sd: self.sd? })
    }

    /// What the point adds to the sums; nothing where nothing is usual yet, or the plate was not
    /// accepted.
    fn weights(&self, measure: Measure) -> Option<Weights> {
        if !self.accepted {
            return None;
        }
        if let Some(shift) = measure.shift() {
            return Some(cusum::of_ct(self.usual()?, shift, self.value));
        }
        cusum::of_positives(&self.found)
    }
}

/// The points of one target of one kit, oldest first; of positivity all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Series {
    /// Kit and version.
    pub kit: String,
    /// Target.
    pub target: String,
    /// Points of which the usual was not known yet.
    pub learning: usize,
    /// Instruments of which it is not known yet; none for positivity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learners: Vec<Learner>,
    /// The points.
    pub points: Vec<ChartPoint>,
}

/// An instrument whose usual Ct is being learnt: no rule and no sum watches it yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Learner {
    /// Its serial number.
    pub instrument: String,
    /// Points so far, shown or not.
    pub points: usize,
    /// Points it takes.
    pub of: usize,
}

/// A chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Chart {
    /// Which points it shows.
    #[serde(flatten)]
    pub frame: Frame,
    /// One for each kit and target.
    pub series: Vec<Series>,
}

impl Chart {
    /// A chart of these points, oldest first, each with its kit and target. `begun` says since when
    /// the sums of a kit's target count.
    pub fn draw(
        frame: Frame,
        points: impl IntoIterator<Item = (String, String, ChartPoint)>,
        begun: impl Fn(&str, &str) -> Option<Time>,
    ) -> Self {
        let mut groups: BTreeMap<(String, String), Vec<ChartPoint>> = BTreeMap::new();
        for (kit, target, point) in points {
            groups.entry((kit, target)).or_default().push(point);
        }
        let measure = frame.measure;
        let series = groups.into_iter().map(|((kit, target), mut points)| {
            let learning = points.iter().filter(|point| point.mean.is_none()).count();
            if measure.is_control() {
                apply_rules(&mut points);
            }
            sum_up(&mut points, measure, begun(&kit, &target));
            let learners = measure.shift().map(|_| learners(&points)).unwrap_or_default();
            Series { kit, target, learning, learners, points }
        });
        let series = series.collect();
        Self { frame, series }
    }
}

/// The instruments that are being learnt, or learnt anew, as far as the points shown tell.
fn learners(points: &[ChartPoint]) -> Vec<Learner> {
    let mut so_far: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    for point in points {
        let count = so_far.entry(&point.instrument).or_default();
        *count = if point.mean.is_some() {
            None
        } else {
            Some(count.unwrap_or(0) + usize::from(point.accepted))
        };
    }
    // What has all its points is watched from the next run on.
    let learners = so_far.into_iter().filter_map(|(instrument, points)| {
        let points = points.filter(|points| *points < BASELINE)?;
        Some(Learner { instrument: instrument.to_owned(), points, of: BASELINE })
    });
    learners.collect()
}

/// The rules a point was held for, whatever is learnt or asked for since. Of points from before that
/// was kept they look back over the points of the same instrument that are shown.
fn apply_rules(points: &mut [ChartPoint]) {
    let mut before: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for point in points {
        point.rules = point.judged.clone().unwrap_or_default();
        let Some(usual) = point.usual() else { continue };
        let distance = usual.distance(point.value);
        let last = before.entry(point.instrument.clone()).or_default();
        last.push(distance);
        if point.judged.is_none() {
            point.rules = westgard::broken(&last[last.len().saturating_sub(LOOK_BACK)..]);
        }
        point.distance = Some(distance);
    }
}

fn sum_up(points: &mut [ChartPoint], measure: Measure, begun: Option<Time>) {
    let weights = |point: &ChartPoint| {
        let counts = begun.is_none_or(|begun| point.at > begun);
        point.weights(measure).filter(|_| counts).unwrap_or_default()
    };
    let weights: Vec<_> = points.iter().map(weights).collect();
    let rise = cusum::path(weights.iter().map(|weights| weights.rise));
    let fall = cusum::path(weights.iter().map(|weights| weights.fall));
    for (point, (rise, fall)) in points.iter_mut().zip(rise.into_iter().zip(fall)) {
        (point.rise, point.fall) = (rise, fall);
        if let (None, Some(usual)) = (point.distance, point.usual()) {
            point.distance = Some(usual.distance(point.value));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn frame(measure: Measure) -> Frame {
        Frame {
            laboratory: "L01".to_owned(),
            instrument: None,
            lot: None,
            operator: None,
            measure,
            from: Time::from_us(0),
            to: Time::from_us(i64::MAX),
        }
    }

    /// The `n`th point, on one of two instruments; twenty minutes after the one before.
    pub fn point(n: usize, value: f64, usual: Option<(f64, f64)>) -> ChartPoint {
        let minutes = i64::try_from(n).unwrap() * 20;
        ChartPoint {
            run: format!("R{n}"),
            at: Time::from_us(1_592_697_600_000_000) + crate::clock::Span::minutes(minutes),
            instrument: "27887".to_owned(),
            lot: None,
            operator: "A1".to_owned(),
            accepted: true,
            value,
            mean: usual.map(|(mean, _)| mean),
            sd: usual.map(|(_, sd)| sd),
            tubes: None,
            found: Vec::new(),
            internal_failures: None,
            distance: None,
            rules: Vec::new(),
            judged: None,
            rise: 0.0,
            fall: 0.0,
        }
    }

    fn charted(values: &[f64]) -> Chart {
        let points = values.iter().enumerate().map(|(n, value)| {
            ("kit 1".to_owned(), "N".to_owned(), point(n, *value, Some((26.0, 0.5))))
        });
        Chart::draw(frame(Measure::PositiveControl), points.collect::<Vec<_>>(), |_, _| None)
    }

    #[test]
    fn a_chart_shows_what_a_run_was_held_for_and_nothing_by_a_look_from_today() {
        let usual = Some((26.0, 0.5));
        let held = ChartPoint { judged: Some(vec![Rule::TenMean]), ..point(0, 26.1, None) };
        let far = ChartPoint { judged: Some(Vec::new()), ..point(1, 29.0, usual) };
        let before = point(2, 29.0, usual);
        let points = [held, far, before].map(|point| ("kit".to_owned(), "N".to_owned(), point));
        let chart = Chart::draw(frame(Measure::PositiveControl), points, |_, _| None);
        let shown = &chart.series[0].points;
        assert_eq!(shown[0].rules, [Rule::TenMean]);
        assert_eq!((&shown[1].rules, shown[1].distance), (&Vec::new(), Some(6.0)));
        assert!(shown[2].rules.contains(&Rule::OneThree) && shown[2].rules.contains(&Rule::TwoTwo));
    }

    #[test]
    fn a_chart_marks_the_rules_its_points_break() {
        let chart = charted(&[26.0, 27.6, 24.8, 26.1]);
        let rules: Vec<_> =
            chart.series[0].points.iter().map(|point| point.rules.clone()).collect();
        let expected: [&[Rule]; 4] =
            [&[], &[Rule::OneTwo, Rule::OneThree], &[Rule::OneTwo, Rule::RangeFour], &[]];
        assert_eq!(rules, expected);
        assert_eq!(chart.series[0].points[1].distance.map(|z| (z * 10.0).round()), Some(32.0));
    }

    #[test]
    fn each_instrument_is_judged_by_itself() {
        let one = charted(&[27.2, 27.2]);
        assert!(one.series[0].points[1].rules.contains(&Rule::TwoTwo));
        let two = [
            point(0, 27.2, Some((26.0, 0.5))),
            ChartPoint { instrument: "other".to_owned(), ..point(1, 27.2, Some((26.0, 0.5))) },
        ];
        let points = two.map(|point| ("kit 1".to_owned(), "N".to_owned(), point));
        let two = Chart::draw(frame(Measure::PositiveControl), points, |_, _| None);
        assert_eq!(two.series[0].points[1].rules, [Rule::OneTwo]);
    }

    #[test]
    fn points_before_the_usual_is_known_and_of_unusable_plates_count_for_nothing() {
        let far = |n: usize| point(n, 40.0, Some((26.0, 0.5)));
        let points = (0..10).map(|n| match n % 2 {
            0 => ChartPoint { accepted: false, ..far(n) },
            _ => point(n, 40.0, None),
        });
        let points = points.map(|point| (String::new(), String::new(), point));
        let chart = Chart::draw(frame(Measure::InternalControl), points, |_, _| None);
        assert_eq!(chart.series[0].learning, 5);
        assert!(chart.series[0].points.iter().all(|point| point.rise == 0.0));
        let counted = (0..5).map(|n| (String::new(), String::new(), far(n)));
        let chart = Chart::draw(frame(Measure::InternalControl), counted, |_, _| None);
        assert!(cusum::decides(chart.series[0].points[4].rise));
    }

    #[test]
    fn an_instrument_is_a_learner_until_it_has_thirty_points_and_again_when_it_is_learnt_anew() {
        let learners = |count: usize, measure, make: &dyn Fn(usize) -> ChartPoint| {
            let points = (0..count).map(|n| (String::new(), String::new(), make(n)));
            let chart = Chart::draw(frame(measure), points, |_, _| None);
            let learners = chart.series[0].learners.iter();
            learners.map(|one| (one.instrument.clone(), one.points, one.of)).collect::<Vec<_>>()
        };
        let of_27887 = |points: usize| vec![("27887".to_owned(), points, BASELINE)];
        let control = Measure::PositiveControl;
        let new = |n: usize| point(n, 26.0, None);
        assert_eq!(learners(29, control, &new), of_27887(29));
        assert_eq!(learners(30, control, &new), []);
        assert_eq!(learners(12, Measure::Positivity, &new), []);
        let unused =
            |n: usize| ChartPoint { accepted: n.is_multiple_of(2), ..point(n, 26.0, None) };
        assert_eq!(learners(12, control, &unused), of_27887(6));
        let known = |n: usize| point(n, 26.0, (n >= 30).then_some((26.0, 0.5)));
        assert_eq!(learners(40, control, &known), []);
        let anew = |n: usize| point(n, 26.0, (n < 40).then_some((26.0, 0.5)));
        assert_eq!(learners(45, control, &anew), of_27887(5));
    }

    #[test]
    fn the_sums_of_positives_are_those_of_the_alarms() {
        let with = |n: usize| ChartPoint {
            tubes: Some(94),
            found: vec![Found { detected: 5, tubes: 94, expected: 0.15, alone: false }],
            mean: Some(0.15),
            ..point(n, 5.0 / 94.0, None)
        };
        let points = (0..8).map(|n| (String::new(), String::new(), with(n)));
        let chart = Chart::draw(frame(Measure::Positivity), points, |_, _| None);
        let falls: Vec<_> = chart.series[0].points.iter().map(|point| point.fall).collect();
        let found = [Found { detected: 5, tubes: 94, expected: 0.15, alone: false }];
        let by_hand = cusum::of_positives(&found).unwrap().fall;
        assert!((falls[0] - by_hand).abs() < 1e-9);
        assert!(!cusum::decides(falls[6]) && cusum::decides(falls[7]));
    }
}
