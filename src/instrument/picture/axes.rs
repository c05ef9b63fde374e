//! Two axes and the grid between them, with round numbers.

use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::DrawingArea;
use plotters::prelude::SVGBackend;

use super::colours::{FAINT, GREY, INK};
use super::sheet::{Area, Drawn, Place, Type, line, write};

/// The plot between the axes; x in cycles, y as the axis has it.
pub type Plot<'a> = DrawingArea<SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// What is plotted, and where.
#[derive(Debug, Clone, Copy)]
pub struct Axes {
    /// Left and right end of the horizontal axis.
    pub x: (f64, f64),
    /// Lower and upper end of the vertical axis; powers of ten where it is logarithmic.
    pub y: (f64, f64),
    /// The vertical axis goes by powers of ten.
    pub log: bool,
    /// Upper left corner of the plot.
    pub from: Place,
    /// Lower right corner.
    pub to: Place,
}

impl Axes {
    /// The plot itself, to draw on in its own numbers.
    pub fn plot<'a>(&self, area: &Area<'a>) -> Plot<'a> {
        let spec = Cartesian2d::new(
            self.x.0..self.x.1,
            self.y.0..self.y.1,
            // The sheet counts downwards, the axis upwards.
            (self.from.0..self.to.0, self.to.1..self.from.1),
        );
        area.apply_coord_spec(spec)
    }

    /// Draws grid, axes, numbers and what they count.
    pub fn draw(&self, area: &Area<'_>, (across, upwards): (&str, &str)) -> Drawn {
        let (plot, letters) = (self.plot(area), Type::new(24, INK));
        let ((left, top), (right, bottom)) = (self.from, self.to);
        for cycle in steps(self.x, 12.0) {
            let (x, _) = plot.map_coordinate(&(cycle, self.y.0));
            line(area, &[(x, top), (x, bottom)], (FAINT, 2))?;
            line(area, &[(x, bottom), (x, bottom + 10)], (GREY, 2))?;
            write(area, &number(cycle), (x, bottom + 30), letters.centred())?;
        }
        for value in self.heights() {
            let (_, y) = plot.map_coordinate(&(self.x.0, value));
            line(area, &[(left, y), (right, y)], (FAINT, 2))?;
            line(area, &[(left - 10, y), (left, y)], (GREY, 2))?;
            let shown = if self.log { 10_f64.powf(value) } else { value };
            write(area, &number(shown), (left - 18, y), letters.ending())?;
        }
        line(area, &[(left, top), (left, bottom), (right, bottom)], (GREY, 3))?;
        let middle = (left + (right - left) / 2, top + (bottom - top) / 2);
        write(area, across, (middle.0, bottom + 76), Type::new(26, INK).centred())?;
        write(area, upwards, (left - 150, middle.1), Type::new(26, INK).centred().upwards())
    }

    fn heights(&self) -> Vec<f64> {
        if !self.log {
            return steps(self.y, 8.0);
        }
        let whole = steps(self.y, self.y.1 - self.y.0 + 1.0);
        whole.into_iter().filter(|power| power.fract() == 0.0).collect()
    }
}

/// Round numbers from end to end, at most about so many.
fn steps((low, high): (f64, f64), most: f64) -> Vec<f64> {
    let rough = (high - low) / most;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = step.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(power);
    let mut steps = Vec::new();
    let mut count = (low / step).ceil();
    // Counted, not added up, so that zero is zero.
    while count * step <= high + step * 1e-9 && steps.len() < 100 {
        steps.push(count * step);
        count += 1.0;
    }
    steps
}

/// A number as short as it can be said: `0.05`, `40`, `300k`, `1.5M`.
fn number(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        size if size >= 999_999.0 => (value / 1e6, "M"),
        size if size >= 9_999.0 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{scaled:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let text = if text == "-0" { "0" } else { text };
    format!("{}{unit}", text.replace('-', "\u{2212}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_an_axis_are_round() {
        assert_eq!(
            steps((0.0, 45.0), 12.0),
            [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0]
        );
        let shown: Vec<_> = steps((-0.3, 1.1), 8.0).into_iter().map(number).collect();
        assert_eq!(shown, ["−0.2", "0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert!(steps((0.0, f64::MIN_POSITIVE), 8.0).len() <= 100);
    }

    #[test]
    fn large_numbers_are_said_in_thousands_and_millions() {
        for (value, shown) in [
            (0.05, "0.05"),
            (9_000.0, "9000"),
            (300_000.0, "300k"),
            (1_500_000.0, "1.5M"),
            (-20_000.0, "\u{2212}20k"),
        ] {
            assert_eq!(number(value), shown);
        }
    }

    #[test]
    fn a_logarithmic_axis_counts_powers_of_ten() {
        let axes = Axes { x: (0.0, 45.0), y: (-2.4, 1.0), log: true, from: (0, 0), to: (9, 9) };
        assert_eq!(axes.heights(), [-2.0, -1.0, 0.0, 1.0]);
    }
}
