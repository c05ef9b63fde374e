//! The figures as pictures for a wall: the time line, and how long each stretch takes.

use std::borrow::Cow;
use std::ops::Range;

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::series::LineSeries;
use plotters::style::{Color as _, IntoFont as _, RGBColor, ShapeStyle, TRANSPARENT};

use super::{Amount, Figures, HourLine, Stretch, Turnaround};
use crate::error::{Error, Result};
use crate::instrument::picture::NotDrawn;
use crate::instrument::picture::sheet::{Area, Drawn, Format, Place, Type, sheet, write as text};
use crate::web::catalogue::Language;

/// A wall screen's width and half its height, in pixels.
const SIZE: (u32, u32) = (1600, 760);
/// Letters that are read from across a room.
const LETTERS: i32 = 26;
/// Room above the plot for the title and what the colours mean.
const HEAD: i32 = 118;

type Plot<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// The colours of a picture, and the language of its words.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    ground: RGBColor,
    ink: RGBColor,
    faint: RGBColor,
    first: RGBColor,
    second: RGBColor,
    third: RGBColor,
    alarm: RGBColor,
    language: Language,
}

impl Theme {
    /// Dark on white; the colours are told apart by people with any colour vision (Okabe and Ito).
    pub const LIGHT: Self = Self {
        ground: RGBColor(0xFF, 0xFF, 0xFF),
        ink: RGBColor(0x22, 0x22, 0x22),
        faint: RGBColor(0xDD, 0xDD, 0xDD),
        first: RGBColor(0x00, 0x72, 0xB2),
        second: RGBColor(0xB3, 0x75, 0x00),
        third: RGBColor(0x00, 0x7E, 0x5C),
        alarm: RGBColor(0xC4, 0x4A, 0x00),
        language: Language::English,
    };
    /// Light on black, with the lighter colours of the same palette.
    pub const DARK: Self = Self {
        ground: RGBColor(0x10, 0x14, 0x18),
        ink: RGBColor(0xF2, 0xF2, 0xF2),
        faint: RGBColor(0x3A, 0x42, 0x4A),
        first: RGBColor(0x56, 0xB4, 0xE9),
        second: RGBColor(0xE6, 0x9F, 0x00),
        third: RGBColor(0x2F, 0xC9, 0x9B),
        alarm: RGBColor(0xFF, 0x8A, 0x4C),
        language: Language::English,
    };

    /// The same colours with words of this language.
    pub const fn in_language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    fn say(self, key: &str) -> Cow<'static, str> {
        self.language.say(key, &[])
    }
}

/// What a line of the time line shows: the key of its name, colour, and the people of an hour.
type Series = (&'static str, RGBColor, fn(&HourLine) -> Amount);

fn series(theme: Theme) -> [Series; 3] {
    [
        ("board-svg-collected", theme.first, |line| line.collected),
        ("board-svg-received", theme.second, |line| line.received),
        ("board-svg-released", theme.third, |line| line.released),
    ]
}

/// Draws the people collected, received and released in each of the last hours.
pub fn flow(figures: &Figures, theme: Theme) -> Result<String> {
    let lines = series(theme);
    let sums = lines.map(|(name, _, of)| {
        let people: i64 = figures.hours.iter().map(|line| of(line).people).sum();
        format!("{} {}", grouped(people), theme.say(name))
    });
    let title = &theme.say("board-svg-flow");
    let ends = [("at", clock(figures.hour, true).into())];
    let ends = theme.language.say("board-svg-flow-ends", &ends);
    let about = format!("{}; {ends}", sums.join(", "));
    picture("flow", (title, &about), theme, |root| {
        let legend = lines.iter().zip(&sums).map(|((_, colour, _), sum)| (sum.as_str(), *colour));
        head(root, title, &legend.collect::<Vec<_>>(), theme)?;
        draw_flow(root, figures, theme)
    })
}

fn draw_flow(root: &Area<'_>, figures: &Figures, theme: Theme) -> Drawn {
    let hours = &figures.hours;
    let highest = |line: &HourLine| {
        series(theme).into_iter().map(|(_, _, of)| of(line).people).max().unwrap_or(0)
    };
    let top = hours.iter().map(highest).max().unwrap_or(0).max(10);
    let last = real(i64::try_from(hours.len().max(2) - 1).unwrap_or(1));
    let shown = |x: &f64| match hours.get(place(*x)) {
        Some(line) if (x.fract()).abs() < 1e-9 => clock(line.at, false),
        _ => String::new(),
    };
    let mut plot = axes(root, (-0.3..last + 0.3, 0.0..real(top) * 1.08), theme, (13, &shown))?;
    for (_, colour, of) in series(theme) {
        let people = |line: &HourLine| real(of(line).people);
        let path: Vec<_> =
            (0_i32..).zip(hours).map(|(x, line)| (f64::from(x), people(line))).collect();
        let style = ShapeStyle::from(colour).stroke_width(5);
        plot.draw_series(LineSeries::new(path.clone(), style))?;
        plot.draw_series(path.into_iter().map(|at| Circle::new(at, 6, colour.filled())))?;
    }
    Ok(())
}

/// Draws how long half of all and nine of ten took on each stretch, against its limit.
pub fn turnaround(figures: &Figures, theme: Theme) -> Result<String> {
    let told: Vec<_> = figures.turnaround.iter().map(|one| tell(one, theme)).collect();
    let title = &theme.say("board-svg-turnaround");
    let late = &figures.late;
    let late = [
        ("told", grouped(late.released.people).into()),
        ("waiting", grouped(late.waiting.people).into()),
    ];
    let late = theme.language.say("board-svg-late", &late);
    let about = format!("{}; {late}", told.join("; "));
    let words = ["board-svg-half", "board-svg-nine", "board-svg-limit"].map(|key| theme.say(key));
    let legend = [(&*words[0], theme.first), (&*words[1], theme.second), (&*words[2], theme.alarm)];
    picture("turnaround", (title, &about), theme, |root| {
        head(root, title, &legend, theme)?;
        draw_turnaround(root, &figures.turnaround, theme)
    })
}

fn draw_turnaround(root: &Area<'_>, all: &[Turnaround], theme: Theme) -> Drawn {
    let minutes = |turnaround: &Turnaround| {
        [turnaround.p50_minutes, turnaround.p90_minutes, turnaround.limit_minutes]
            .into_iter()
            .flatten()
            .max()
    };
    let top = hours(all.iter().filter_map(minutes).max().unwrap_or(60));
    let named = |x: &f64| match all.get(place(*x)) {
        Some(one) if (x.fract()).abs() < 1e-9 => theme.say(name(one.stretch)).into_owned(),
        _ => String::new(),
    };
    let width = real(i64::try_from(all.len().max(1)).unwrap_or(1));
    let mut plot = axes(root, (-0.5..width - 0.5, 0.0..top * 1.15), theme, (all.len(), &named))?;
    for (x, one) in (0_i32..).map(f64::from).zip(all) {
        let bars = [(-0.36, one.p50_minutes, theme.first), (0.02, one.p90_minutes, theme.second)];
        for (left, minutes, colour) in bars {
            let Some(minutes) = minutes else { continue };
            let exceeds = one.limit_minutes.is_some_and(|limit| minutes > limit);
            let colour = if exceeds { theme.alarm } else { colour };
            let (from, until) = (x + left, x + left + 0.34);
            let corners = [(from, 0.0), (until, hours(minutes))];
            plot.draw_series([Rectangle::new(corners, colour.filled())])?;
            let at = above(&plot, root, (f64::midpoint(from, until), hours(minutes)));
            let letters = Type::new(LETTERS - 4, theme.ink).centred();
            text(root, &span(minutes), (at.0, at.1 - 16), letters)?;
        }
        if let Some(limit) = one.limit_minutes.map(hours) {
            let style = ShapeStyle::from(theme.alarm).stroke_width(5);
            plot.draw_series([PathElement::new([(x - 0.42, limit), (x + 0.42, limit)], style)])?;
        }
        if one.count == 0 {
            let at = above(&plot, root, (x, 0.0));
            let letters = Type::new(LETTERS - 4, theme.ink).centred();
            text(root, &theme.say("board-svg-none"), (at.0, at.1 - 18), letters)?;
        }
    }
    Ok(())
}

fn picture(
    name: &'static str,
    about: (&str, &str),
    theme: Theme,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<String> {
    let format = Format { shown: SIZE, steps: 1, name };
    sheet(format, about, |root| {
        root.fill(&theme.ground)?;
        draw(root)
    })
    .map_err(|error| Error::Internal(error.to_string()))
}

/// The title, and under it a word in each colour.
fn head(root: &Area<'_>, title: &str, legend: &[(&str, RGBColor)], theme: Theme) -> Drawn {
    text(root, title, (40, 40), Type::new(LETTERS + 10, theme.ink).bold())?;
    let mut left = 40;
    for (word, colour) in legend {
        let swatch = [(left, 78), (left + 28, 98)];
        root.draw(&plotters::element::Rectangle::new(swatch, colour.filled()))?;
        text(root, word, (left + 40, 88), Type::new(LETTERS, theme.ink))?;
        // A Chinese character is as wide as it is high.
        let width = |letter: char| if letter.is_ascii() { LETTERS * 6 / 10 } else { LETTERS };
        left += 40 + word.chars().map(width).sum::<i32>() + 40;
    }
    Ok(())
}

fn axes<'a, 'b>(
    root: &'a Area<'b>,
    (x, y): (Range<f64>, Range<f64>),
    theme: Theme,
    (labels, named): (usize, &dyn Fn(&f64) -> String),
) -> Result<Plot<'a, 'b>, NotDrawn> {
    let mut builder = ChartBuilder::on(root);
    builder.margin_top(HEAD).margin_right(40).margin_left(20).margin_bottom(16);
    builder.set_label_area_size(LabelAreaPosition::Left, 110);
    builder.set_label_area_size(LabelAreaPosition::Bottom, 50);
    let mut plot = builder.build_cartesian_2d(x, y)?;
    let letters = |size: i32| ("sans-serif", f64::from(size)).into_font().color(&theme.ink);
    plot.configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(theme.faint)
        .axis_style(theme.ink)
        .label_style(letters(LETTERS))
        .x_labels(labels)
        .x_label_formatter(&named)
        .y_labels(6)
        .y_label_formatter(&|y: &f64| value(*y))
        .draw()?;
    Ok(plot)
}

/// Where a point of the plot lies on the sheet.
fn above(plot: &Plot<'_, '_>, root: &Area<'_>, at: (f64, f64)) -> Place {
    let ((x, y), (left, top)) = (plot.backend_coord(&at), root.get_base_pixel());
    (x - left, y - top)
}

/// The key of the text for this stretch.
pub const fn name(stretch: Stretch) -> &'static str {
    match stretch {
        Stretch::Transport => "board-svg-transport",
        Stretch::Bench => "board-svg-bench",
        Stretch::Run => "board-svg-run",
        Stretch::Review => "board-svg-review",
        Stretch::Process => "board-svg-process",
        Stretch::Whole => "board-svg-whole",
    }
}

fn tell(one: &Turnaround, theme: Theme) -> String {
    let name = theme.say(name(one.stretch));
    let (Some(half), Some(nine)) = (one.p50_minutes, one.p90_minutes) else {
        return format!("{name}: {}", theme.say("board-svg-none"));
    };
    let took = [("half", span(half).into()), ("nine", span(nine).into())];
    let took = theme.language.say("board-svg-took", &took);
    let limit = one.limit_minutes.map(|limit| {
        let limit = [("span", span(limit).into())];
        theme.language.say("board-svg-of-limit", &limit)
    });
    format!("{name}: {took}{}", limit.unwrap_or_default())
}

/// `35 min`, `4 h`, `4 h 05`.
pub fn span(minutes: i64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes:02}"),
    }
}

/// `1 084 000`.
pub fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && digit != '-' && (digits.len() - n).is_multiple_of(3) && !text.ends_with('-') {
            text.push('\u{202F}');
        }
        text.push(digit);
    }
    text
}

/// A value on the upright axis: whole numbers as they are, others with one digit.
fn value(y: f64) -> String {
    if y.fract().abs() < 1e-9 { grouped(whole(y)) } else { format!("{y:.1}") }
}

/// What a clock in China shows, with the day where it is asked for.
fn clock(at: crate::clock::Time, with_day: bool) -> String {
    let local = at.local();
    let from = if with_day { 0 } else { 11 };
    local.get(from..16).unwrap_or_default().to_owned()
}

fn hours(minutes: i64) -> f64 {
    real(minutes) / 60.0
}

#[expect(clippy::cast_precision_loss, reason = "people of a city, minutes of a week")]
const fn real(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a label of an axis")]
const fn whole(number: f64) -> i64 {
    number as i64
}

/// The place in a list of a whole number on the level axis.
fn place(x: f64) -> usize {
    usize::try_from(whole(x.round())).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[path = "svg_tests.rs"]
mod tests;
