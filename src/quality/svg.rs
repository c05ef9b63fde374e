//! A chart as a picture: the points with their lines above, the sums with the decision line below.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{Circle, PathElement};
use plotters::series::LineSeries;
use plotters::style::{Color as _, IntoFont as _, RGBColor, ShapeStyle};

use super::axis::Axis;
use super::westgard::Rule;
use super::{BASELINE, Chart, ChartPoint, Direction, Measure, Series};
use crate::error::{Error, Result};
use crate::instrument::picture::NotDrawn;
use crate::instrument::picture::colours::{FAINT, INK};
use crate::instrument::picture::sheet::{
    Area, Drawn, Format, Place, Type, sheet, short, write as text,
};

/// Points drawn at most, the newest: more are no picture.
const DRAWN_MAX: usize = 400;
/// Series drawn at most, one above the other.
pub(super) const SERIES_MAX: usize = 4;
/// Instruments named at most that are still being learnt.
const LEARNERS_MAX: usize = 3;
/// Letters of their names at most.
const NAME_MAX: usize = 20;
/// Letters of the names of series that are not drawn at most.
const LEFT_OUT_MAX: usize = 100;
/// Height of the line that says so.
const LEFT_OUT_HEIGHT: u32 = 30;
/// Size of one series, in pixels.
pub(super) const SIZE: (u32, u32) = (1000, 460);
/// Size of letters beside lines and points.
const LETTERS: i32 = 10;
/// Height of its upper half.
pub(super) const UPPER: u32 = 300;

const POINT: RGBColor = RGBColor(25, 90, 160);
const ONE: RGBColor = RGBColor(120, 170, 120);
const TWO: RGBColor = RGBColor(224, 150, 30);
const THREE: RGBColor = RGBColor(198, 40, 40);
const FALL: RGBColor = RGBColor(123, 63, 152);
const UNUSED: RGBColor = RGBColor(160, 168, 173);

type Plot<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws the newest points of a chart.
pub fn svg(chart: &Chart) -> Result<String> {
    let count = chart.series.len().clamp(1, SERIES_MAX);
    let left_out = left_out(chart);
    let below = left_out.as_ref().map_or(0, |_| LEFT_OUT_HEIGHT);
    let size = (SIZE.0, height(count) + below);
    let format = Format { shown: size, steps: 1, name: "chart" };
    let points = if chart.series.is_empty() { "no points" } else { "points" };
    let mut about = format!("{points} between {} and {}", chart.frame.from, chart.frame.to);
    if let Some(left_out) = &left_out {
        write!(about, "; {left_out}").expect("a text takes every text");
    }
    let name = title(chart, None);
    let both = |root: &Area<'_>| {
        let (above, below) = root.split_vertically(height(count));
        if let Some(left_out) = &left_out {
            text(&below, left_out, (10, 14), Type::new(13, INK))?;
        }
        draw(chart, &above, count, &about)
    };
    sheet(format, (&name, &about), both).map_err(|error| Error::Internal(error.to_string()))
}

/// Height of so many series.
fn height(count: usize) -> u32 {
    SIZE.1 * u32::try_from(count).unwrap_or(1)
}

/// How many series are not drawn, and which.
fn left_out(chart: &Chart) -> Option<String> {
    let hidden = chart.series.get(SERIES_MAX..).filter(|hidden| !hidden.is_empty())?;
    let names: Vec<_> = hidden.iter().map(|one| format!("{} ({})", one.target, one.kit)).collect();
    let (count, names) = (hidden.len(), short(&names.join(", "), LEFT_OUT_MAX));
    Some(format!("{count} more not drawn, ask for them by target and kit: {names}"))
}

fn draw(chart: &Chart, root: &Area<'_>, count: usize, about: &str) -> Drawn {
    if chart.series.is_empty() {
        let what = format!("{}: {about}", title(chart, None));
        text(root, &what, (40, 50), Type::new(15, INK))?;
    }
    for (series, area) in chart.series.iter().zip(root.split_evenly((count, 1))) {
        let (upper, lower) = area.split_vertically(UPPER);
        let from = series.points.len().saturating_sub(DRAWN_MAX);
        let points = &series.points[from..];
        values(&upper, &title(chart, Some(series)), (points, chart.frame.measure))?;
        sums(&lower, points)?;
        learners(&lower, series)?;
    }
    Ok(())
}

/// Which instruments nothing watches yet, in the lower half.
fn learners(area: &Area<'_>, series: &Series) -> Drawn {
    if series.learners.is_empty() {
        return Ok(());
    }
    let names = series.learners.iter().take(LEARNERS_MAX).map(|one| {
        let name = short(&one.instrument, NAME_MAX);
        format!("{name} {} of {BASELINE} points", one.points)
    });
    let mut note =
        format!("still learning, not watched yet: {}", names.collect::<Vec<_>>().join(", "));
    let more = series.learners.len().saturating_sub(LEARNERS_MAX);
    if more > 0 {
        write!(note, " and {more} more").expect("a text takes every text");
    }
    text(area, &note, (170, 18), Type::new(LETTERS, INK))
}

fn title(chart: &Chart, series: Option<&Series>) -> String {
    let frame = &chart.frame;
    let mut title =
        format!("{} - laboratory {}", capital(&frame.measure.to_string()), frame.laboratory);
    let parts =
        [("instrument", &frame.instrument), ("lot", &frame.lot), ("operator", &frame.operator)];
    for (name, value) in parts {
        if let Some(value) = value {
            write!(title, ", {name} {value}").expect("a text takes every text");
        }
    }
    if let Some(series) = series.filter(|series| !series.target.is_empty()) {
        write!(title, " - {} ({})", series.target, series.kit).expect("a text takes every text");
    }
    title
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn plot<'a, 'b>(
    area: &'a Area<'b>,
    title: Option<&str>,
    (points, range, name): (&[ChartPoint], Range<f64>, &str),
) -> Result<Plot<'a, 'b>, NotDrawn> {
    let mut builder = ChartBuilder::on(area);
    builder.margin_right(70).margin_left(10).margin_top(8).margin_bottom(4);
    builder.set_label_area_size(plotters::chart::LabelAreaPosition::Left, 56);
    builder.set_label_area_size(plotters::chart::LabelAreaPosition::Bottom, 26);
    if let Some(title) = title {
        builder.caption(title, ("sans-serif", 17).into_font().color(&INK));
    }
    let last = coordinate(points.len().max(2) - 1);
    let mut plot = builder.build_cartesian_2d(-0.5..last + 0.5, range)?;
    let when = |x: &f64| when(points, *x);
    plot.configure_mesh()
        .disable_x_mesh()
        .light_line_style(plotters::style::TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(INK)
        .label_style(("sans-serif", 12).into_font().color(&INK))
        .x_labels(8)
        .x_label_formatter(&when)
        .y_labels(6)
        .y_label_formatter(&|y: &f64| label(*y))
        .y_desc(name)
        .axis_desc_style(("sans-serif", 13).into_font().color(&INK))
        .draw()?;
    Ok(plot)
}

fn label(y: f64) -> String {
    let text = format!("{y:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn coordinate(place: usize) -> f64 {
    f64::from(u32::try_from(place).unwrap_or(u32::MAX))
}

/// The moment of the point at this place, as `06-21 08:30` in China.
fn when(points: &[ChartPoint], x: f64) -> String {
    if x < 0.0 || x.fract() != 0.0 {
        return String::new();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    let place = x as usize;
    let text = points.get(place).map(|point| point.at.local()).unwrap_or_default();
    text.get(5..16).unwrap_or_default().to_owned()
}

/// The upper half.
pub(super) fn values(
    area: &Area<'_>,
    title: &str,
    (points, measure): (&[ChartPoint], Measure),
) -> Drawn {
    let axis = Axis::of(points, measure);
    let range = axis.range(points);
    let mut plot = plot(area, Some(title), (points, range, axis.name()))?;
    let right = coordinate(points.len().max(2) - 1) + 0.5;
    let lines = [(0.0, INK), (1.0, ONE), (2.0, TWO), (3.0, THREE)];
    for (deviations, colour) in lines {
        for side in [-1.0, 1.0] {
            let is_again = deviations == 0.0 && side > 0.0;
            let Some(y) = axis.line(deviations * side).filter(|_| !is_again) else { continue };
            plot.draw_series([PathElement::new(vec![(-0.5, y), (right, y)], colour)])?;
            let name = match (deviations > 0.0, side > 0.0) {
                (false, _) => "mean".to_owned(),
                (true, true) => format!("+{deviations:.0} SD"),
                (true, false) => format!("-{deviations:.0} SD"),
            };
            margin_label(&plot, area, (right, y), (&name, colour))?;
        }
    }
    if axis.is_percent() {
        let expected = points.iter().enumerate();
        let expected = expected.filter_map(|(x, point)| Some((coordinate(x), point.mean? * 100.0)));
        let expected: Vec<_> = expected.collect();
        if let Some(&(_, y)) = expected.last() {
            margin_label(&plot, area, (right, y), ("expected", TWO))?;
        }
        plot.draw_series(LineSeries::new(expected, ShapeStyle::from(TWO).stroke_width(2)))?;
    }
    let places = points.iter().enumerate();
    let path: Vec<_> =
        places.filter_map(|(x, point)| Some((coordinate(x), axis.place(point)?))).collect();
    plot.draw_series(LineSeries::new(path, POINT.mix(0.35)))?;
    marks(area, &mut plot, (points, axis))
}

/// The points, and above them the rules that reject: one word for each time they are broken.
fn marks(area: &Area<'_>, plot: &mut Plot<'_, '_>, (points, axis): (&[ChartPoint], Axis)) -> Drawn {
    let radius = if points.len() > 150 { 2 } else { 3 };
    for (x, point) in points.iter().enumerate() {
        let Some(y) = axis.place(point) else { continue };
        let rejects = point.rules.iter().any(|rule| rule.rejects());
        let (colour, size) = match (point.accepted, rejects, point.rules.is_empty()) {
            (false, ..) => (UNUSED, radius),
            (true, true, _) => (THREE, radius + 2),
            (true, false, false) => (TWO, radius + 1),
            (true, false, true) => (POINT, radius),
        };
        plot.draw_series([Circle::new((coordinate(x), y), size, colour.filled())])?;
    }
    let top = plot.y_range().end;
    for (from, rules) in episodes(points) {
        let names: Vec<_> = rules.into_iter().map(Rule::name).collect();
        // A word near the right end is written to the left of its point.
        let letters = Type::new(LETTERS, THREE);
        let letters = if from * 4 > points.len() * 3 { letters.ending() } else { letters };
        let (x, y) = place(plot, area, (coordinate(from), top));
        text(area, &names.join(" "), (x, y + LETTERS), letters)?;
    }
    Ok(())
}

/// Stretches of points that are rejected: where each begins, and the rules broken in it. A stretch
/// ends after as many accepted points as leave room for its word.
fn episodes(points: &[ChartPoint]) -> Vec<(usize, BTreeSet<Rule>)> {
    let room = points.len() / 6 + 1;
    let mut found: Vec<(usize, usize, BTreeSet<Rule>)> = Vec::new();
    for (place, point) in points.iter().enumerate() {
        let rules = point.rules.iter().copied().filter(|rule| rule.rejects());
        let rules: BTreeSet<_> = rules.collect();
        if rules.is_empty() {
            continue;
        }
        match found.last_mut().filter(|(_, last, _)| place - *last <= room) {
            Some((_, last, all)) => {
                *last = place;
                all.extend(rules);
            }
            None => found.push((place, place, rules)),
        }
    }
    found.into_iter().map(|(from, _, rules)| (from, rules)).collect()
}

/// Where a point of the plot lies in its area.
fn place(plot: &Plot<'_, '_>, area: &Area<'_>, at: (f64, f64)) -> Place {
    let ((x, y), (left, top)) = (plot.backend_coord(&at), area.get_base_pixel());
    (x - left, y - top)
}

/// A word at the right end of a line.
fn margin_label(
    plot: &Plot<'_, '_>,
    area: &Area<'_>,
    at: (f64, f64),
    (word, colour): (&str, RGBColor),
) -> Drawn {
    let (x, y) = place(plot, area, at);
    text(area, word, (x + 6, y), Type::new(LETTERS, colour))
}

/// The lower half.
fn sums(area: &Area<'_>, points: &[ChartPoint]) -> Drawn {
    let highest = points.iter().map(|point| point.rise.max(point.fall)).fold(1.0, f64::max);
    let range = 0.0..highest * 1.15;
    let mut plot = plot(area, None, (points, range, "CUSUM"))?;
    let right = coordinate(points.len().max(2) - 1) + 0.5;
    let decision = ShapeStyle::from(THREE).stroke_width(2);
    plot.draw_series([PathElement::new(vec![(-0.5, 1.0), (right, 1.0)], decision)])?;
    margin_label(&plot, area, (right, 1.0), ("alarm", THREE))?;
    for (direction, name, colour, left) in
        [(Direction::Rise, "rise", POINT, 76), (Direction::Fall, "fall", FALL, 120)]
    {
        let sum = |point: &ChartPoint| match direction {
            Direction::Rise => point.rise,
            Direction::Fall => point.fall,
        };
        let path = points.iter().enumerate().map(|(x, point)| (coordinate(x), sum(point)));
        let style = ShapeStyle::from(colour).stroke_width(2);
        plot.draw_series(LineSeries::new(path, style))?;
        text(area, name, (left, 18), Type::new(LETTERS, colour))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::chart::tests::{frame, point};
    use super::*;

    fn control(values: &[f64]) -> Chart {
        let points = values.iter().enumerate().map(|(n, value)| {
            ("kit 1".to_owned(), "N".to_owned(), point(n, *value, Some((26.0, 0.5))))
        });
        Chart::draw(frame(Measure::PositiveControl), points.collect::<Vec<_>>(), |_, _| None)
    }

    #[test]
    fn the_lines_the_points_and_the_broken_rule_are_in_the_picture() {
        let picture = svg(&control(&[26.0, 26.4, 27.9, 25.8])).unwrap();
        assert_eq!(picture.matches("<circle").count(), 4);
        for word in [
            "+3 SD",
            "-1 SD",
            "mean",
            "1_3s",
            "alarm",
            "laboratory L01",
            "N (kit 1)",
            "06-21 08:00",
        ] {
            assert!(picture.contains(word), "{word}: {picture}");
        }
        let quiet = svg(&control(&[26.0, 26.4, 26.9, 25.8])).unwrap();
        assert!(!quiet.contains("1_3s"));
    }

    #[test]
    fn a_chart_of_nothing_says_so_and_one_point_is_drawn() {
        let nothing: [(String, String, ChartPoint); 0] = [];
        let empty = Chart::draw(frame(Measure::InternalControl), nothing, |_, _| None);
        assert!(svg(&empty).unwrap().contains("no points"));
        assert_eq!(svg(&control(&[26.0])).unwrap().matches("<circle").count(), 1);
    }

    #[test]
    fn series_that_are_not_drawn_are_counted_and_named() {
        let targets = |count: usize| {
            let points =
                (0..count).map(|n| ("kit 1".to_owned(), format!("T{n}"), point(0, 26.0, None)));
            svg(&Chart::draw(frame(Measure::PositiveControl), points, |_, _| None)).unwrap()
        };
        let all = targets(SERIES_MAX);
        assert!(all.contains("T3 (kit 1)") && !all.contains("not drawn"), "{all}");
        assert!(all.contains("height=\"1840\""));
        let more = targets(SERIES_MAX + 2);
        // In the picture, and in its description for whoever listens to it.
        assert_eq!(more.matches("2 more not drawn").count(), 2, "{more}");
        assert!(more.contains("T4 (kit 1), T5 (kit 1)") && more.contains("height=\"1870\""));
        assert_eq!(more.matches("<circle").count(), SERIES_MAX);
    }

    #[test]
    fn an_instrument_that_is_still_being_learnt_is_named() {
        let points = |count: usize| {
            let points = (0..count).map(|n| (String::new(), "N".to_owned(), point(n, 26.0, None)));
            svg(&Chart::draw(frame(Measure::PositiveControl), points, |_, _| None)).unwrap()
        };
        assert!(points(12).contains("not watched yet: 27887 12 of 30 points"));
        assert!(!points(30).contains("not watched yet"));
        assert!(!svg(&control(&[26.0, 26.4])).unwrap().contains("not watched yet"));
    }

    #[test]
    fn one_word_stands_for_a_stretch_of_broken_rules() {
        let mut values = vec![26.0; 60];
        values[10] = 28.0;
        values[40..44].fill(27.9);
        let chart = control(&values);
        let found = episodes(&chart.series[0].points);
        let all: Vec<_> = found.iter().map(|(from, rules)| (*from, rules.len())).collect();
        assert_eq!(all, [(10, 1), (40, 3)]);
    }

    #[test]
    fn a_name_cannot_write_into_the_picture() {
        let mut chart = control(&[26.0]);
        chart.frame.instrument = Some("<script>".to_owned());
        assert!(!svg(&chart).unwrap().contains("<script>"));
    }
}
