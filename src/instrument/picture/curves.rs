//! The curves of a run, one over the other.

use std::borrow::Cow;

use plotters::element::DashedPathElement;
use plotters::prelude::{Circle, PathElement, RGBColor};
use plotters::style::{Color as _, ShapeStyle};

use super::NotDrawn;
use super::axes::{Axes, Plot};
use super::colours::{self, GREY, INK};
use super::sheet::{Area, Drawn, Format, Place, Type, line, sheet, short, write};
use crate::instrument::Curve;
use crate::plate::Control;
use crate::web::catalogue::Language;

const FORMAT: Format = Format { shown: (1100, 640), steps: 2, name: "curves" };
/// Corners of the plot and left edge of the legend, in steps.
const PLOT: (Place, Place) = ((210, 150), (1640, 1120));
const LEGEND: i32 = 1680;
/// Powers of ten that a logarithmic axis shows below its highest curve.
const DECADES: f64 = 3.0;
/// Most curves that are drawn broad and with their Ct marked; more would be one smear.
const FEW: usize = 12;
/// Most targets the legend has room for.
const NAMED: usize = 6;
/// Most characters of a name in the legend.
const NAME: usize = 24;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvePicture {
    /// What it is of.
    pub title: String,
    /// What is to be seen, in a sentence.
    pub about: String,
    /// The targets, each with a colour.
    pub targets: Vec<DrawnTarget>,
    /// The curves.
    pub lines: Vec<Line>,
    /// Fluorescence by powers of ten, where doubling is a straight line.
    pub log: bool,
    /// Its words.
    pub language: Language,
}

/// One colour of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnTarget {
    /// Name of the target.
    pub name: String,
    /// The kit's cut-off in cycles and as it is written, where the kit knows the target.
    pub cut_off: Option<(f64, String)>,
}

/// One curve of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The curve.
    pub curve: Curve,
    /// Place of its target in [`CurvePicture::targets`].
    pub target: usize,
    /// The control in its well, if it is one.
    pub control: Option<Control>,
    /// Where the instrument says it crosses the threshold.
    pub ct: Option<f64>,
}

/// How the curve of a well is drawn, from the last to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stroke {
    Tube,
    Silent,
    Amplifying,
}

impl Stroke {
    const fn width(self) -> u32 {
        match self {
            Self::Tube => 2,
            Self::Silent => 4,
            Self::Amplifying => 7,
        }
    }

    /// From where to where its sample in the legend is drawn.
    const fn dashes(self) -> &'static [(i32, i32)] {
        match self {
            Self::Silent => &[(0, 14), (22, 36), (44, 50)],
            Self::Tube | Self::Amplifying => &[(0, 50)],
        }
    }
}

impl Line {
    /// Controls that must amplify are drawn bold, those that must not, dashed.
    const fn stroke(&self) -> Stroke {
        match self.control {
            None => Stroke::Tube,
            Some(Control::Positive | Control::WeakPositive) => Stroke::Amplifying,
            Some(Control::Negative | Control::Extraction) => Stroke::Silent,
        }
    }
}

impl CurvePicture {
    /// The picture as SVG.
    pub fn draw(&self) -> Result<String, NotDrawn> {
        sheet(FORMAT, (&self.title, &self.about), |area| {
            let left = PLOT.0.0;
            write(area, &self.title, (left, 46), Type::new(34, INK).bold())?;
            write(area, &self.about, (left, 94), Type::new(24, GREY))?;
            let axes = self.axes();
            let unit = if self.log { "picture-signal-log" } else { "picture-signal" };
            axes.draw(area, (&self.say("picture-cycle"), &self.say(unit)))?;
            let plot = axes.plot(area);
            self.cut_offs(area, &plot, &axes)?;
            for stroke in [Stroke::Tube, Stroke::Silent, Stroke::Amplifying] {
                for target in self.common_first() {
                    let are_next = |line: &&Line| line.target == target && line.stroke() == stroke;
                    for line in self.lines.iter().filter(are_next) {
                        self.line(&plot, line, axes.y.0)?;
                    }
                }
            }
            if self.lines.len() <= FEW {
                self.lines.iter().try_for_each(|line| self.mark(&plot, line))?;
            }
            self.thresholds(&plot, axes.x)?;
            self.legend(area)
        })
    }

    fn say(&self, key: &str) -> Cow<'static, str> {
        self.language.say(key, &[])
    }

    /// The targets, those with most signals first: the internal control amplifies in nearly every
    /// well and must not lie over the few others.
    fn common_first(&self) -> Vec<usize> {
        let signals = |target: usize| {
            self.lines.iter().filter(|line| line.target == target && line.ct.is_some()).count()
        };
        let mut targets: Vec<_> = (0..self.targets.len()).collect();
        targets.sort_by_cached_key(|target| std::cmp::Reverse(signals(*target)));
        targets
    }

    fn axes(&self) -> Axes {
        let points = || self.lines.iter().flat_map(|line| &line.curve.points);
        let last = points().map(|point| point.cycle).max().unwrap_or(40);
        let signals = || points().map(|point| point.signal);
        let high = signals().fold(0.0, f64::max);
        let low = signals().fold(0.0, f64::min);
        let y = if self.log {
            let top = if high > 0.0 { high.log10() } else { 0.0 };
            (top - DECADES, top + 0.1)
        } else {
            let room = ((high - low) * 0.04).max(1e-6);
            (low - room, high + room)
        };
        Axes { x: (0.0, f64::from(last) + 0.5), y, log: self.log, from: PLOT.0, to: PLOT.1 }
    }

    /// A value on the vertical axis; none where a logarithmic one has no place for it.
    fn height(&self, signal: f64) -> Option<f64> {
        if self.log { (signal > 0.0).then(|| signal.log10()) } else { Some(signal) }
    }

    /// One curve, as far as it lies above the floor.
    fn line(&self, plot: &Plot<'_>, line: &Line, floor: f64) -> Drawn {
        let place = |point: &crate::instrument::Point| {
            let height = self.height(point.signal).filter(|height| *height >= floor)?;
            Some((f64::from(point.cycle), height))
        };
        let places: Vec<_> = line.curve.points.iter().map(place).collect();
        let colour = colours::target(line.target);
        for run in places.split(Option::is_none).filter(|run| run.len() > 1) {
            let run: Vec<_> = run.iter().flatten().copied().collect();
            let width = if self.lines.len() <= FEW { 4 } else { 0 };
            stroke(plot, run, (colour, line.stroke(), width))?;
        }
        Ok(())
    }

    fn mark(&self, plot: &Plot<'_>, line: &Line) -> Drawn {
        let at = line.ct.and_then(|ct| Some((ct, self.height(line.curve.at(ct)?)?)));
        let Some(at) = at else { return Ok(()) };
        let style = ShapeStyle {
            color: colours::target(line.target).into(),
            filled: true,
            stroke_width: 0,
        };
        Ok(plot.draw(&Circle::new(at, 9, style))?)
    }

    /// Dotted lines at the height where the curves of a target cross at their Ct.
    fn thresholds(&self, plot: &Plot<'_>, end: (f64, f64)) -> Drawn {
        for n in 0..self.targets.len() {
            let Some(height) = self.threshold(n).and_then(|signal| self.height(signal)) else {
                continue;
            };
            let style =
                ShapeStyle { color: colours::target(n).mix(0.9), filled: false, stroke_width: 2 };
            let line = [(end.0, height), (end.1, height)];
            plot.draw(&DashedPathElement::new(line, 4, 8, style))?;
        }
        Ok(())
    }

    /// The threshold of a target, as its Ct give it away: files state it seldom. None where half
    /// of the curves do not agree on it.
    fn threshold(&self, target: usize) -> Option<f64> {
        let of = self.lines.iter().filter(|line| line.target == target);
        let mut signals: Vec<f64> = of.filter_map(|line| line.curve.at(line.ct?)).collect();
        signals.sort_by(f64::total_cmp);
        let quarter = signals.len() / 4;
        let (low, high) = (*signals.get(quarter)?, *signals.get(signals.len() - 1 - quarter)?);
        let agreed = low > 0.0 && high <= 1.5 * low;
        agreed.then(|| signals[signals.len() / 2])
    }

    fn cut_offs(&self, area: &Area<'_>, plot: &Plot<'_>, axes: &Axes) -> Drawn {
        let mut drawn = Vec::new();
        for (cycle, written) in self.targets.iter().filter_map(|target| target.cut_off.clone()) {
            if drawn.contains(&written) || cycle > axes.x.1 {
                continue;
            }
            let style = ShapeStyle { color: GREY.into(), filled: false, stroke_width: 2 };
            let upright = [(cycle, axes.y.0), (cycle, axes.y.1)];
            plot.draw(&DashedPathElement::new(upright, 12, 8, style))?;
            let (x, top) = plot.map_coordinate(&(cycle, axes.y.1));
            write(area, &sign(&written), (x, top - 18), Type::new(22, GREY).centred())?;
            drawn.push(written);
        }
        Ok(())
    }

    fn legend(&self, area: &Area<'_>) -> Drawn {
        let mut y = PLOT.0.1 + 20;
        for (n, target) in self.targets.iter().enumerate().take(NAMED) {
            let of: Vec<_> = self.lines.iter().filter(|line| line.target == n).collect();
            let colour = colours::target(n);
            line(area, &[(LEGEND, y), (LEGEND + 50, y)], (colour, 8))?;
            let name = short(&target.name, NAME);
            write(area, &name, (LEGEND + 66, y), Type::new(26, INK).bold())?;
            let note = match of[..] {
                [Line { ct: Some(ct), .. }] => format!("Ct {ct:.2}"),
                [Line { ct: None, .. }] => self.say("picture-no-ct").into_owned(),
                _ => {
                    let with = of.iter().filter(|line| line.ct.is_some()).count();
                    let counts = [("curves", of.len().into()), ("with", with.into())];
                    self.language.say("picture-curves", &counts).into_owned()
                }
            };
            write(area, &note, (LEGEND + 66, y + 32), Type::new(22, GREY))?;
            if let Some((_, written)) = &target.cut_off {
                let note = format!("{} {}", self.say("picture-cut-off"), sign(written));
                write(area, &note, (LEGEND + 66, y + 60), Type::new(22, GREY))?;
            }
            y += 104;
        }
        if self.targets.len() > NAMED {
            let more = [("count", (self.targets.len() - NAMED).into())];
            let more = self.language.say("picture-more", &more);
            write(area, &more, (LEGEND + 66, y), Type::new(22, GREY))?;
            y += 44;
        }
        let kinds = [
            (Stroke::Tube, "picture-tube"),
            (Stroke::Amplifying, "picture-positive"),
            (Stroke::Silent, "picture-negative"),
        ];
        for (kind, words) in kinds {
            if self.lines.iter().any(|line| line.stroke() == kind) {
                for (from, to) in kind.dashes() {
                    line(area, &[(LEGEND + from, y), (LEGEND + to, y)], (INK, kind.width()))?;
                }
                write(area, &self.say(words), (LEGEND + 66, y), Type::new(24, INK))?;
                y += 40;
            }
        }
        if (0..self.targets.len()).any(|n| self.threshold(n).is_some()) {
            for x in [0, 15, 30, 45] {
                line(area, &[(LEGEND + x, y), (LEGEND + x + 5, y)], (INK, 3))?;
            }
            let words = self.say("picture-threshold");
            write(area, &words, (LEGEND + 66, y), Type::new(24, INK))?;
            let words = self.say("picture-threshold-ct");
            write(area, &words, (LEGEND + 66, y + 30), Type::new(24, INK))?;
        }
        Ok(())
    }
}

/// A cut-off as it is printed.
fn sign(written: &str) -> String {
    written.replace("<=", "\u{2264}")
}

/// Draws a line in the manner of its kind, at least so broad.
fn stroke(
    plot: &Plot<'_>,
    places: Vec<(f64, f64)>,
    (colour, kind, least): (RGBColor, Stroke, u32),
) -> Drawn {
    let depth = if kind == Stroke::Tube { 0.75 } else { 1.0 };
    let style = ShapeStyle {
        color: colour.mix(depth),
        filled: false,
        stroke_width: kind.width().max(least),
    };
    match kind {
        Stroke::Silent => plot.draw(&DashedPathElement::new(places, 14, 8, style))?,
        Stroke::Tube | Stroke::Amplifying => plot.draw(&PathElement::new(places, style))?,
    }
    Ok(())
}
