//! The sheet a picture is drawn on: its title for those who cannot see it, text and shapes.

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::{
    DrawingArea, FontStyle, IntoDrawingArea as _, IntoTextStyle as _, PathElement, Polygon,
    RGBColor, Rectangle, SVGBackend, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, ShapeStyle};

use super::NotDrawn;
use super::colours::PAPER;

/// The area drawn on, in whole steps from its upper left corner.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Whether something was drawn.
pub type Drawn = Result<(), NotDrawn>;
/// A place on the sheet.
pub type Place = (i32, i32);

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for NotDrawn {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

/// How large a picture is, and how fine its steps are.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Width and height as shown, in CSS pixels.
    pub shown: (u32, u32),
    /// Steps to a pixel: the crate draws in whole steps.
    pub steps: u32,
    /// Names the ids of title and description, which must be unique where pictures share a page.
    pub name: &'static str,
}

/// Draws a picture with a title and a description for those who listen to it.
pub fn sheet(
    format: Format,
    (title, about): (&str, &str),
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<String, NotDrawn> {
    let Format { shown: (width, height), steps, name } = format;
    let (wide, high) = (width * steps, height * steps);
    let mut drawn = String::new();
    {
        let area = SVGBackend::with_string(&mut drawn, (wide, high)).into_drawing_area();
        area.fill(&PAPER)?;
        draw(&area)?;
        area.present()?;
    }
    let (_, inside) = drawn.split_once(">\n").ok_or_else(|| NotDrawn("no opening tag".into()))?;
    let (title, about) = (escaped(title), escaped(about));
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {wide} {high}\" role=\"img\" \
         aria-labelledby=\"{name}-title {name}-about\">\n\
         <title id=\"{name}-title\">{title}</title>\n<desc id=\"{name}-about\">{about}</desc>\n\
         {inside}"
    ))
}

/// Text for the inside of an XML element.
fn escaped(text: &str) -> String {
    plain(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text without the characters XML has no way to write.
fn plain(text: &str) -> String {
    let is_sound = |c: &char| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
    text.chars().filter(is_sound).collect()
}

/// At most so many characters of a name.
pub fn short(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most - 1).chain(['…']).collect()
}

/// Which part of a text stands at its place.
#[derive(Debug, Clone, Copy)]
enum Part {
    Start,
    Middle,
    End,
}

/// How text is written.
#[derive(Debug, Clone, Copy)]
pub struct Type {
    size: i32,
    colour: RGBColor,
    across: Part,
    bold: bool,
    upwards: bool,
}

impl Type {
    /// Upright text of that size that begins at its place, centred on its line.
    pub const fn new(size: i32, colour: RGBColor) -> Self {
        Self { size, colour, across: Part::Start, bold: false, upwards: false }
    }

    /// The same around its place.
    pub const fn centred(self) -> Self {
        Self { across: Part::Middle, ..self }
    }

    /// The same up to its place.
    pub const fn ending(self) -> Self {
        Self { across: Part::End, ..self }
    }

    /// The same in bold.
    pub const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// The same from bottom to top.
    pub const fn upwards(self) -> Self {
        Self { upwards: true, ..self }
    }
}

/// Writes one line of text.
pub fn write(area: &Area<'_>, text: &str, place: Place, letters: Type) -> Drawn {
    let font = if letters.bold { FontStyle::Bold } else { FontStyle::Normal };
    // The crate takes the height of a line and writes letters of 1 / 1.24 of it.
    let height = f64::from(letters.size) * 1.24;
    let across = match letters.across {
        Part::Start => HPos::Left,
        Part::Middle => HPos::Center,
        Part::End => HPos::Right,
    };
    let mut style = ("sans-serif", height, font)
        .into_text_style(area)
        .color(&letters.colour)
        .pos(Pos::new(across, VPos::Center));
    if letters.upwards {
        style = style.transform(FontTransform::Rotate270);
    }
    Ok(area.draw(&Text::new(plain(text), place, style))?)
}

/// Fills a box.
pub fn fill(area: &Area<'_>, from: Place, to: Place, colour: RGBColor) -> Drawn {
    let style = ShapeStyle { color: colour.into(), filled: true, stroke_width: 0 };
    Ok(area.draw(&Rectangle::new([from, to], style))?)
}

/// Draws the outline of a box, its lines inside it.
pub fn outline(area: &Area<'_>, from: Place, to: Place, (colour, width): (RGBColor, u32)) -> Drawn {
    let half = i32::try_from(width / 2).unwrap_or(0);
    let ((left, top), (right, bottom)) =
        ((from.0 + half, from.1 + half), (to.0 - half, to.1 - half));
    // Drawn half a side too far, so that the corner where it began is closed.
    let round =
        [(left, top), (right, top), (right, bottom), (left, bottom), (left, top), (right, top)];
    line(area, &round, (colour, width))
}

/// Draws a line through places.
pub fn line(area: &Area<'_>, places: &[Place], (colour, width): (RGBColor, u32)) -> Drawn {
    let style = ShapeStyle { color: colour.into(), filled: false, stroke_width: width };
    Ok(area.draw(&PathElement::new(places.to_vec(), style))?)
}

/// Fills the shape between places.
pub fn shape(area: &Area<'_>, places: &[Place], colour: RGBColor) -> Drawn {
    Ok(area.draw(&Polygon::new(places.to_vec(), colour))?)
}

#[cfg(test)]
mod tests {
    use super::super::colours::INK;
    use super::*;

    const FORMAT: Format = Format { shown: (100, 50), steps: 2, name: "test" };

    #[test]
    fn whatever_is_written_stays_text() {
        let odd = "<script>&\"'\u{7}\u{0}\u{FFFF}";
        let draw = |area: &Area<'_>| write(area, odd, (10, 10), Type::new(12, INK));
        let svg = sheet(FORMAT, (odd, odd), draw).unwrap();
        assert_eq!(svg.matches("&lt;script&gt;&amp;").count(), 3, "{svg}");
        assert!(!svg.contains("<script") && !svg.contains(['\u{7}', '\u{0}', '\u{FFFF}']));
    }

    #[test]
    fn a_sheet_says_how_large_it_is_and_what_it_shows() {
        let svg = sheet(FORMAT, ("A plate", "Nothing on it"), |_| Ok(())).unwrap();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\""));
        assert!(svg.contains("viewBox=\"0 0 200 100\""));
        assert!(svg.contains("<title id=\"test-title\">A plate</title>"));
        assert!(svg.contains("<desc id=\"test-about\">Nothing on it</desc>"));
        assert_eq!(svg.matches("<svg").count(), 1);
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn a_long_name_is_cut_at_a_character() {
        assert_eq!(short("ORF1ab", 6), "ORF1ab");
        assert_eq!(short("内参内参", 3), "内参…");
    }
}
