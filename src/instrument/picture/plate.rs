//! The plate as a heat map: how early each well amplified, and what was made of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use plotters::style::RGBColor;

use super::NotDrawn;
use super::colours::{self, ALARM, FAINT, GREY, INK, PAPER, SILENT};
use super::sheet::{Area, Drawn, Format, Place, Type, fill, outline, shape, sheet, short, write};
use crate::plate::{Control, PlateSize, WellPosition};
use crate::web::catalogue::Language;

/// Ct at the dark and at the light end of the scale; the same for every plate, so that two
/// pictures can be laid side by side.
const SCALE: (f64, f64) = (15.0, 40.0);
/// Left and upper edge of the first well.
const ORIGIN: Place = (64, 132);
/// Space below the wells for the legend.
const BELOW: u32 = 132;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct PlatePicture {
    /// What it is of.
    pub title: String,
    /// What the colours show, in a sentence.
    pub about: String,
    /// May the plate be used; said in the picture where it may not.
    pub usable: bool,
    /// Size of the plate.
    pub size: PlateSize,
    /// Its words.
    pub language: Language,
    /// Every well that holds something.
    pub wells: BTreeMap<WellPosition, DrawnWell>,
}

/// One well of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnWell {
    /// Its tube, shown where there is room; empty for a control.
    pub tube: String,
    /// The colour.
    pub shown: Shown,
    /// What was made of it.
    pub mark: Mark,
}

/// What the colour of a well says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shown {
    /// It amplified at this Ct.
    Ct(f64),
    /// It was read and did not amplify.
    Silent,
    /// Nothing of what is shown was read here.
    Unread,
}

/// What was made of a well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The pathogen is in its tube.
    Detected,
    /// It is not.
    NotDetected,
    /// Nobody can tell.
    Inconclusive,
    /// Nothing worked.
    Invalid,
    /// A control, which is not called.
    Control(Control),
}

impl Mark {
    const LEGEND: [Self; 4] =
        [Self::Detected, Self::Inconclusive, Self::Invalid, Self::Control(Control::Positive)];

    /// What the catalogue calls it, and a few letters.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Detected => ("picture-detected", "DET"),
            Self::NotDetected => ("picture-not-detected", "neg"),
            Self::Inconclusive => ("picture-inconclusive", "inc"),
            Self::Invalid => ("picture-invalid", "inv"),
            Self::Control(Control::Positive) => ("picture-control-positive", "PC"),
            Self::Control(Control::WeakPositive) => ("picture-control-weak", "WP"),
            Self::Control(Control::Negative) => ("picture-control-negative", "NC"),
            Self::Control(Control::Extraction) => ("picture-control-extraction", "EC"),
        }
    }

    /// What the catalogue calls it.
    pub const fn key(self) -> &'static str {
        self.words().0
    }

    /// Colour and width of the frame that says it without words.
    const fn frame(self) -> Option<(RGBColor, u32)> {
        match self {
            Self::Detected => Some((ALARM, 4)),
            Self::Inconclusive => Some((GREY, 4)),
            Self::Invalid => Some((INK, 4)),
            Self::Control(_) => Some((INK, 2)),
            Self::NotDetected => None,
        }
    }
}

/// Sizes of one well and its letters.
#[derive(Debug, Clone, Copy)]
struct Grid {
    across: i32,
    down: i32,
    /// Room for the tube and for whole words.
    roomy: bool,
}

impl Grid {
    const fn of(size: PlateSize) -> Self {
        match size {
            PlateSize::P96 => Self { across: 100, down: 68, roomy: true },
            PlateSize::P384 => Self { across: 50, down: 44, roomy: false },
        }
    }

    fn corner(self, row: u8, column: u8) -> Place {
        (ORIGIN.0 + self.across * i32::from(column), ORIGIN.1 + self.down * i32::from(row))
    }
}

impl PlatePicture {
    /// The picture as SVG.
    pub fn draw(&self) -> Result<String, NotDrawn> {
        let grid = Grid::of(self.size);
        let (right, bottom) = grid.corner(self.size.rows(), self.size.columns());
        let wide = u32::try_from(right + 24).map_err(|_negative| NotDrawn("no width".into()))?;
        let high = u32::try_from(bottom).map_err(|_negative| NotDrawn("no height".into()))?;
        let format = Format { shown: (wide, high + BELOW), steps: 1, name: "plate" };
        sheet(format, (&self.title, &self.spoken()), |area| {
            write(area, &self.title, (ORIGIN.0, 30), Type::new(22, INK).bold())?;
            write(area, &self.about, (ORIGIN.0, 62), Type::new(15, GREY))?;
            if !self.usable {
                let said = self.say("picture-unusable");
                write(area, &said, (right, 30), Type::new(16, ALARM).bold().ending())?;
            }
            self.names(area, grid)?;
            for row in 0..self.size.rows() {
                for column in 0..self.size.columns() {
                    let well = WellPosition::new(row, column).and_then(|at| self.wells.get(&at));
                    self.cell(area, grid, (grid.corner(row, column), well))?;
                }
            }
            self.legend(area, bottom + 44)
        })
    }

    /// The picture in words: how many wells say what, and which of them were found positive.
    fn spoken(&self) -> String {
        let mut sentences = vec![self.about.clone()];
        let of = |mark: Mark| self.wells.iter().filter(move |(_, well)| well.mark == mark);
        for mark in [Mark::Detected, Mark::NotDetected, Mark::Inconclusive, Mark::Invalid] {
            let wells: Vec<_> = of(mark).map(|(at, _)| at.to_string()).collect();
            if wells.is_empty() {
                continue;
            }
            let facts = [
                ("said", self.say(mark.words().0).into()),
                ("count", wells.len().into()),
                ("wells", wells.join(", ").into()),
            ];
            let key = match mark {
                Mark::NotDetected => "picture-wells-counted",
                _ => "picture-wells-named",
            };
            sentences.push(self.language.say(key, &facts).into_owned());
        }
        sentences.join(" ")
    }

    fn say(&self, key: &str) -> Cow<'static, str> {
        self.language.say(key, &[])
    }

    fn names(&self, area: &Area<'_>, grid: Grid) -> Drawn {
        let letters = Type::new(15, INK).centred();
        for column in 0..self.size.columns() {
            let (left, top) = grid.corner(0, column);
            let name = (column + 1).to_string();
            write(area, &name, (left + grid.across / 2, top - 16), letters)?;
        }
        for row in 0..self.size.rows() {
            let (left, top) = grid.corner(row, 0);
            let name = char::from(b'A' + row).to_string();
            write(area, &name, (left - 22, top + grid.down / 2), letters)?;
        }
        Ok(())
    }

    /// The scale, and what grounds and frames say.
    fn legend(&self, area: &Area<'_>, top: i32) -> Drawn {
        const STRIPES: i32 = 125;
        const STRIPE: i32 = 3;
        let letters = Type::new(13, INK);
        write(area, "Ct", (ORIGIN.0 - 34, top + 9), letters)?;
        for n in 0..STRIPES {
            let left = ORIGIN.0 + n * STRIPE;
            let colour = colours::scale(f64::from(n) / f64::from(STRIPES - 1));
            fill(area, (left, top), (left + STRIPE, top + 18), colour)?;
        }
        for (n, ct) in [15, 20, 25, 30, 35, 40].into_iter().enumerate() {
            let along = i32::try_from(n).unwrap_or(0) * STRIPES * STRIPE / 5;
            write(area, &ct.to_string(), (ORIGIN.0 + along, top + 32), letters.centred())?;
        }
        let mut left = ORIGIN.0 + STRIPES * STRIPE + 40;
        let mut key = |well: Option<DrawnWell>, words: &str, room: i32| -> Drawn {
            let grid = Grid { across: 26, down: 20, roomy: false };
            box_(area, grid, (left, top), well.as_ref())?;
            write(area, words, (left + 34, top + 10), letters)?;
            left += room;
            Ok(())
        };
        let well = |shown, mark| Some(DrawnWell { tube: String::new(), shown, mark });
        key(well(Shown::Silent, Mark::NotDetected), &self.say("picture-no-ct"), 92)?;
        for mark in Mark::LEGEND {
            let is_control = matches!(mark, Mark::Control(_));
            let words = self.say(if is_control { "picture-control" } else { mark.words().0 });
            key(well(Shown::Silent, mark), &words, 54 + wide(&words))?;
        }
        key(None, &self.say("picture-empty"), 92)
    }

    /// One well with everything written in it.
    fn cell(
        &self,
        area: &Area<'_>,
        grid: Grid,
        (corner, well): (Place, Option<&DrawnWell>),
    ) -> Drawn {
        box_(area, grid, corner, well)?;
        let Some(well) = well else { return Ok(()) };
        let (middle, top) = (corner.0 + grid.across / 2, corner.1);
        let ink = colours::on(ground(well.shown));
        let ct = match well.shown {
            Shown::Ct(ct) if grid.roomy => format!("{ct:.2}"),
            Shown::Ct(ct) => format!("{ct:.1}"),
            Shown::Silent if grid.roomy => self.say("picture-no-ct").into_owned(),
            Shown::Silent => "\u{2013}".to_owned(),
            Shown::Unread => String::new(),
        };
        let (words, letters) = well.mark.words();
        if grid.roomy {
            write(area, &short(&well.tube, 14), (middle, top + 15), Type::new(11, ink).centred())?;
            write(area, &ct, (middle, top + 34), Type::new(18, ink).bold().centred())?;
            write(area, &self.say(words), (middle, top + 53), Type::new(12, ink).centred())
        } else {
            write(area, &ct, (middle, top + 15), Type::new(14, ink).bold().centred())?;
            write(area, letters, (middle, top + 31), Type::new(11, ink).centred())
        }
    }
}

/// About how wide words are in the letters of the legend.
fn wide(words: &str) -> i32 {
    words.chars().map(|c| if c.is_ascii() { 8 } else { 14 }).sum()
}

/// The ground and the frame of a well.
fn box_(area: &Area<'_>, grid: Grid, (left, top): Place, well: Option<&DrawnWell>) -> Drawn {
    let (from, to) = ((left + 2, top + 2), (left + grid.across - 2, top + grid.down - 2));
    let Some(well) = well else { return outline(area, from, to, (FAINT, 1)) };
    fill(area, from, to, ground(well.shown))?;
    let Some((colour, width)) = well.mark.frame() else {
        return outline(area, from, to, (FAINT, 1));
    };
    outline(area, from, to, (colour, width))?;
    // A control shows by a folded corner too, an invalid tube by a struck one.
    let fold = (grid.down / 4).min(14);
    match well.mark {
        Mark::Control(_) => {
            shape(area, &[from, (from.0 + fold, from.1), (from.0, from.1 + fold)], colour)
        }
        Mark::Invalid => shape(area, &[to, (to.0 - fold, to.1), (to.0, to.1 - fold)], colour),
        Mark::Detected | Mark::NotDetected | Mark::Inconclusive => Ok(()),
    }
}

fn ground(shown: Shown) -> RGBColor {
    match shown {
        Shown::Ct(ct) => colours::scale((ct - SCALE.0) / (SCALE.1 - SCALE.0)),
        Shown::Silent => SILENT,
        Shown::Unread => PAPER,
    }
}
